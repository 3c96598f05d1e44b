//! How the command line says a file is to be read, for the reader of files; and what stands in a file that is to
//! be written.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::args::IntakeArgs;
use crate::intake::{Column, Overrides};
use crate::job::Stop;

/// Whether a file begins so. What a user names by mistake, a ledger or an input, is not to be written to.
///
/// # Errors
/// What the system says.
pub fn begins_with(path: &Path, head: &[u8]) -> std::io::Result<bool> {
    let mut found = Vec::with_capacity(head.len());
    let most = u64::try_from(head.len()).unwrap_or(u64::MAX);
    File::open(path)?.take(most).read_to_end(&mut found)?;
    Ok(found == head)
}

/// How the command line says a file is to be read.
///
/// # Errors
/// [`Stop`] with exit 2 for a `--map` of a column that there is not, or of one column or title twice.
pub fn overrides(intake: &IntakeArgs) -> Result<Overrides, Stop> {
    let mut map: Vec<(Column, String)> = Vec::new();
    for given in &intake.map {
        let refused = |why: String| Stop::refused(format!("--map {}={}: {why}", given.column, given.header));
        let column = Column::named(&given.column).ok_or_else(|| {
            let names = Column::ALL.map(Column::as_str).join(", ");
            refused(format!("{:?} is none of the columns with a meaning: {names}", given.column))
        })?;
        let title = given.header.to_lowercase();
        match map.iter().find(|(other, taken)| *other == column || taken.to_lowercase() == title) {
            Some((other, _)) if *other == column => {
                return Err(refused("this column was named before; name it once".to_owned()));
            }
            Some((other, _)) => return Err(refused(format!("this title is the {} already", other.as_str()))),
            None => map.push((column, given.header.clone())),
        }
    }
    Ok(Overrides {
        encoding: intake.encoding.clone(),
        delimiter: intake.delimiter,
        sheet: intake.sheet.clone(),
        map,
    })
}
