//! Standard input as a file.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::job::Stop;

/// Standard input, whole, in a private temporary file that goes away with the value.
pub struct Spool {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Spool {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Standard input, if `-` asks for it.
///
/// # Errors
/// [`Stop`] when it cannot be kept.
pub fn spool_if_asked(file: &Path) -> Result<Option<Spool>, Stop> {
    if file.as_os_str() != "-" {
        return Ok(None);
    }
    let trouble = |e: std::io::Error| Stop::internal(format!("standard input cannot be kept: {e}"));
    let folder = tempfile::Builder::new().prefix("bulk-topup-").tempdir().map_err(trouble)?;
    let path = folder.path().join("stdin");
    let mut file = std::fs::File::create(&path).map_err(trouble)?;
    std::io::copy(&mut std::io::stdin().lock().by_ref(), &mut file).map_err(trouble)?;
    Ok(Some(Spool { _folder: folder, path }))
}
