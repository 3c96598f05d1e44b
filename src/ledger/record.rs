//! What is appended to a ledger: entries of rows, and events of a whole batch.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::{Halt, Now, Reason, RowNumber, WallTime};
use crate::lifecycle::{Entry, Event};

/// A batch within its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub(super) i64);

/// A fact about a whole batch, or about the file it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchEvent {
    /// All rows of the file were judged and stored (only [`super::Ledger::admit`] writes it).
    Admitted {
        /// How many.
        rows: u64,
        /// SHA-256 over them, in hex.
        digest: String,
    },
    /// A process began to work on it.
    RunStarted {
        /// `run`, `settle`, `retry`.
        command: String,
        /// Who started it.
        user: String,
        /// Where.
        host: String,
        /// Process id.
        pid: u32,
        /// When, by both clocks.
        at: Now,
        /// The settings it worked with, by their keys in the configuration (a provider's under
        /// `providers.<name>.`); no secret. Runs on record since before settings were kept have none.
        #[serde(default)]
        settings: BTreeMap<String, String>,
    },
    /// It ended in order.
    RunEnded {
        /// Why rows were left; none when it went through.
        reason: Option<Reason>,
        /// Exit code.
        exit: u8,
    },
    /// New submits of a provider, or of one operator, stopped for the rest of the run.
    Halted {
        /// Name of the provider entry.
        provider: String,
        /// What stopped, and why.
        halt: Halt,
    },
    /// `cancel`: nothing of it is sent any more.
    Cancelled {
        /// The person's note.
        note: String,
        /// Who.
        user: String,
    },
    /// A results file was written.
    ResultsWritten {
        /// Where.
        #[serde(with = "lossless_path")]
        path: PathBuf,
    },
    /// `retry`: the row's cells are now these, of the corrected file. Appended with the row's `Readmitted` or
    /// `Rejudged`.
    Corrected {
        /// The row.
        row: RowNumber,
        /// Its cells under the input's header.
        cells: Vec<String>,
    },
}

/// What one append brings, in the order it happened; it is committed whole or not at all. Batch events come
/// before entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Of which batch.
    pub batch: BatchId,
    /// Events of the batch.
    pub batch_events: Vec<(WallTime, BatchEvent)>,
    /// Events of rows.
    pub entries: Vec<Entry>,
}

/// What the body of an event with a row number holds.
#[derive(Clone, Debug)]
pub(super) enum RowBody {
    Event(Event),
    Corrected(Vec<String>),
}

impl RowBody {
    /// Reads a body. [`BatchEvent::Corrected`] is kept under its row, so that the row's history is in one
    /// place; no [`Event`] has that name.
    pub(super) fn parse(body: &str) -> serde_json::Result<Self> {
        if !body.starts_with("{\"corrected\":") {
            return serde_json::from_str(body).map(Self::Event);
        }
        match serde_json::from_str(body)? {
            BatchEvent::Corrected { cells, .. } => Ok(Self::Corrected(cells)),
            BatchEvent::Admitted { .. }
            | BatchEvent::RunStarted { .. }
            | BatchEvent::RunEnded { .. }
            | BatchEvent::Halted { .. }
            | BatchEvent::Cancelled { .. }
            | BatchEvent::ResultsWritten { .. } => Err(serde::de::Error::custom("a batch event under a row")),
        }
    }
}

/// Rows of a batch at most.
const ROWS_MAX: i64 = 0xFFFF_FFFF;

/// No row's place.
const NOWHERE: i64 = -1;

/// The key of a row: its batch and its number in one. [`NOWHERE`] where a batch has no row of this number.
pub(super) fn place_of(batch: i64, row: RowNumber) -> i64 {
    match i64::try_from(row.0) {
        Ok(row @ 1..=ROWS_MAX) => before(batch).saturating_add(row),
        _ => NOWHERE,
    }
}

/// The key that no row has, below those of all rows of a batch.
fn before(batch: i64) -> i64 {
    batch.saturating_mul(ROWS_MAX.saturating_add(1))
}

/// All rows of a batch behind one are behind the first key, up to the second.
pub(super) fn places_after(batch: i64, after: Option<RowNumber>) -> (i64, i64) {
    let last = before(batch).saturating_add(ROWS_MAX);
    let after = after.filter(|row| row.0 > 0);
    let first = after.map_or(before(batch), |row| match place_of(batch, row) {
        NOWHERE => last,
        place => place,
    });
    (first, last)
}

/// A path as text, whatever bytes it has: one that is no UTF-8 is hex after a NUL, which no path contains.
pub(super) fn path_text(path: &Path) -> String {
    path.to_str().map_or_else(|| format!("\0{}", hex::encode(path.as_os_str().as_bytes())), str::to_owned)
}

/// Reads what [`path_text`] wrote.
pub(super) fn path_of(text: &str) -> PathBuf {
    let bytes = text.strip_prefix('\0').and_then(|hexed| hex::decode(hexed).ok());
    bytes.map_or_else(|| PathBuf::from(text), |bytes| PathBuf::from(OsString::from_vec(bytes)))
}

mod lossless_path {
    use super::{Deserialize, Deserializer, Path, PathBuf, Serializer, path_of, path_text};

    pub(super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&path_text(path))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        String::deserialize(deserializer).map(|text| path_of(&text))
    }
}

/// SQLite's integers are signed; row numbers and counts stay far below that bound.
pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Counts come back as they went in; a negative one can only be damage, and reads as zero.
pub(super) fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_any_bytes_reads_back() {
        for bytes in [b"/tmp/results.csv".as_slice(), b"/tmp/\xff\xfe.csv", "/tmp/kết.csv".as_bytes()] {
            let path = PathBuf::from(OsString::from_vec(bytes.to_vec()));
            let event = BatchEvent::ResultsWritten { path: path.clone() };
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<BatchEvent>(&text).unwrap(), event);
            assert_eq!(path_of(&path_text(&path)), path);
        }
    }

    #[test]
    fn a_correction_is_told_apart_from_every_event() {
        let corrected = BatchEvent::Corrected { row: RowNumber(3), cells: vec!["x".to_owned()] };
        let body = serde_json::to_string(&corrected).unwrap();
        assert!(matches!(RowBody::parse(&body).unwrap(), RowBody::Corrected(cells) if cells == ["x"]));
        let body = serde_json::to_string(&Event::Released).unwrap();
        assert!(matches!(RowBody::parse(&body).unwrap(), RowBody::Event(Event::Released)));
        let ended = BatchEvent::RunEnded { reason: None, exit: 0 };
        assert!(RowBody::parse(&serde_json::to_string(&ended).unwrap()).is_err());
    }
}
