//! One submitting process at a time: a lock file beside the canonical path of the ledger.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::LockError;

/// How many symlinks in a row are followed, as in the kernel.
const LINKS_MAX: u32 = 40;

/// The right to submit from one ledger, held until it is dropped or the process ends in any way.
#[derive(Debug)]
pub struct LedgerLock {
    _file: File,
    ledger: PathBuf,
}

impl LedgerLock {
    /// Takes the lock, or says who holds it. Every alias of the path (relative, symlinked file or folder)
    /// leads to one lock.
    ///
    /// # Errors
    /// [`LockError::Held`] when another process holds it; [`LockError::Io`] when the lock file cannot be made.
    pub fn acquire(ledger_path: &Path) -> Result<Self, LockError> {
        let wrong =
            |path: &Path, error: &io::Error| LockError::Io { path: path.to_owned(), why: error.to_string() };
        let ledger = canonical(ledger_path).map_err(|e| wrong(ledger_path, &e))?;
        let mut name = ledger.clone().into_os_string();
        name.push(".lock");
        let path = PathBuf::from(name);
        // Not truncated on opening: the text in it belongs to whoever holds the lock.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|e| wrong(&path, &e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { ledger, pid: holder(&mut file) });
            }
            Err(TryLockError::Error(e)) => return Err(wrong(&path, &e)),
        }
        // The number only helps a person; the lock is what counts, so a full disk is no reason to stop here.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file, ledger })
    }

    /// Canonical path of the ledger.
    pub fn ledger(&self) -> &Path {
        &self.ledger
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// The one path of a ledger that may not exist yet. Makes its folder, private, where it is missing.
pub(super) fn canonical(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&path) {
            Ok(target) => path = folder(&path).join(target),
            Err(_) => {
                let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
                let folder = folder(&path);
                DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
                return Ok(fs::canonicalize(&folder)?.join(name));
            }
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
