//! How the command line says a file is to be read, for the reader of files.

use super::args::IntakeArgs;
use crate::intake::{Column, Overrides};
use crate::job::Stop;

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
