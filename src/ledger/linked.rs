//! Events on their way into the file: linked already, and inserted several at a time, because a statement costs as
//! much as what it inserts.

use rusqlite::ToSql;

use super::chain::Hash;

/// Events of one statement.
const SEVERAL: usize = 8;

const ONE: &str =
    "INSERT INTO events(seq, batch, row, prev, at, body, hash, state) VALUES(?, ?, ?, ?, ?, ?, ?, ?)";

/// [`SEVERAL`] of them.
const MANY: &str = "INSERT INTO events(seq, batch, row, prev, at, body, hash, state) VALUES
    (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?),
    (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?)";

/// An event with its place in the chain.
#[derive(Debug)]
pub(super) struct Linked {
    pub(super) seq: i64,
    pub(super) batch: i64,
    pub(super) row: Option<i64>,
    pub(super) prev: Option<i64>,
    pub(super) at: i64,
    pub(super) body: String,
    pub(super) hash: Hash,
    pub(super) state: Option<String>,
}

impl Linked {
    pub(super) fn values(&self) -> [&dyn ToSql; 8] {
        let Self { seq, batch, row, prev, at, body, hash, state } = self;
        [seq, batch, row, prev, at, body, hash, state]
    }
}

/// Those that wait, oldest first.
#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<Linked>);

impl Waiting {
    pub(super) fn push(&mut self, event: Linked) {
        self.0.push(event);
    }

    /// Whether one of them is this row's.
    pub(super) fn hold(&self, batch: i64, row: i64) -> bool {
        self.0.iter().any(|event| event.batch == batch && event.row == Some(row))
    }

    /// The oldest, with the statement that inserts them: as many as one is for, or, if all are wanted, the next.
    pub(super) fn take(&mut self, all: bool) -> Option<(&'static str, Vec<Linked>)> {
        if self.0.len() >= SEVERAL {
            Some((MANY, self.0.drain(..SEVERAL).collect()))
        } else if all && !self.0.is_empty() {
            Some((ONE, self.0.drain(..1).collect()))
        } else {
            None
        }
    }
}
