//! Every wrong row of a file, written as it is found: a CSV for people who mend the file, JSON for programs.
//! Memory does not grow with them.

use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::domain::neutralise;
use crate::job::{RowProblem, Stop};

/// Where problems go.
pub struct Listing {
    csv: Option<ProblemFile>,
    json: Option<JsonList>,
}

impl Listing {
    /// Prepares `--problems PATH` (a new file, between cells as the input has it) and `--json`.
    ///
    /// # Errors
    /// [`Stop`] with exit 2 when something stands at the path or it cannot be written.
    pub fn new(path: Option<&Path>, delimiter: u8, json: bool) -> Result<Self, Stop> {
        let csv = path.map(|path| ProblemFile::create(path, delimiter)).transpose()?;
        Ok(Self { csv, json: json.then(JsonList::default) })
    }

    /// Takes one problem, whole.
    ///
    /// # Errors
    /// [`Stop`] when it cannot be written.
    pub fn add(&mut self, problem: &RowProblem) -> Result<(), Stop> {
        if let Some(csv) = &mut self.csv {
            csv.add(problem)?;
        }
        if let Some(json) = &mut self.json {
            json.add(problem)?;
        }
        Ok(())
    }

    /// Puts the CSV in its place and hands out the JSON array.
    ///
    /// # Errors
    /// [`Stop`] when they cannot be written.
    pub fn finish(self) -> Result<Option<Box<dyn Read>>, Stop> {
        if let Some(csv) = self.csv {
            csv.finish()?;
        }
        self.json.map(JsonList::finish).transpose()
    }
}

/// A CSV that opens in a spreadsheet. It stands at its path only when it is whole.
struct ProblemFile {
    writer: csv::Writer<tempfile::NamedTempFile>,
    path: PathBuf,
}

impl ProblemFile {
    fn create(path: &Path, delimiter: u8) -> Result<Self, Stop> {
        let trouble = |e: std::io::Error| Stop::refused(format!("{} cannot be written: {e}", path.display()));
        // A new file only: what stands there may be somebody's list of payments.
        if std::fs::symlink_metadata(path).is_ok() {
            return Err(Stop::refused(format!(
                "{} is there already and is not overwritten; name a new file or remove it",
                path.display()
            )));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file =
            tempfile::Builder::new().prefix(".bulk-topup-").tempfile_in(folder).map_err(trouble)?;
        file.write_all("\u{feff}".as_bytes()).map_err(trouble)?;
        let mut writer = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .terminator(csv::Terminator::CRLF)
            .from_writer(file);
        let titles = ["row", "line", "column", "value", "reason", "message"];
        writer.write_record(titles).map_err(|e| Stop::internal(format!("{}: {e}", path.display())))?;
        Ok(Self { writer, path: path.to_owned() })
    }

    fn add(&mut self, problem: &RowProblem) -> Result<(), Stop> {
        let (row, line) = (problem.row.to_string(), problem.line.to_string());
        let reason = problem.reason.as_str();
        let cells = [&row, &line, &problem.column, &problem.value, reason, &problem.message];
        let safe = cells.iter().map(|cell| neutralise(cell).into_owned());
        let shown = self.path.display();
        self.writer.write_record(safe).map_err(|e| Stop::internal(format!("{shown}: {e}")))
    }

    fn finish(self) -> Result<(), Stop> {
        let Self { writer, path } = self;
        let trouble =
            |e: std::io::Error| Stop::internal(format!("{} cannot be written: {e}", path.display()));
        let file = writer.into_inner().map_err(|e| trouble(e.into_error()))?;
        file.as_file().sync_all().map_err(trouble)?;
        file.persist_noclobber(&path).map(drop).map_err(|e| trouble(e.error))
    }
}

/// The `problems` of `contract.md` 8, one to a line; a long list goes to a temporary file.
struct JsonList {
    text: tempfile::SpooledTempFile,
    any: bool,
}

impl Default for JsonList {
    fn default() -> Self {
        /// Held in memory before it goes to a file.
        const HELD_BYTES: usize = 1 << 20;
        Self { text: tempfile::SpooledTempFile::new(HELD_BYTES), any: false }
    }
}

impl JsonList {
    fn add(&mut self, problem: &RowProblem) -> Result<(), Stop> {
        let object = json!({ "row": problem.row, "line": problem.line, "column": problem.column,
            "value": problem.value, "reason": problem.reason, "message": problem.message });
        let before = if self.any { ",\n    " } else { "\n    " };
        self.any = true;
        write!(self.text, "{before}{object}").map_err(|e| kept(&e))
    }

    fn finish(mut self) -> Result<Box<dyn Read>, Stop> {
        self.text.rewind().map_err(|e| kept(&e))?;
        Ok(Box::new(self.text))
    }
}

fn kept(error: &std::io::Error) -> Stop {
    Stop::internal(format!("the list of problems cannot be kept: {error}"))
}
