//! Rows of one table on their way into the file: inserted several at a time, because a statement costs as much as
//! what it inserts.

use rusqlite::ToSql;

use super::chain::Hash;

/// Rows of one statement.
const SEVERAL: usize = 8;

/// What is inserted several at a time.
pub(super) trait Insert {
    /// Inserts one.
    const ONE: &'static str;
    /// Inserts [`SEVERAL`].
    const MANY: &'static str;

    fn values(&self) -> [&dyn ToSql; 8];
}

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

impl Insert for Linked {
    const ONE: &'static str =
        "INSERT INTO events(seq, batch, row, prev, at, body, hash, state) VALUES(?, ?, ?, ?, ?, ?, ?, ?)";
    const MANY: &'static str = "INSERT INTO events(seq, batch, row, prev, at, body, hash, state) VALUES
    (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?),
    (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?)";

    fn values(&self) -> [&dyn ToSql; 8] {
        let Self { seq, batch, row, prev, at, body, hash, state } = self;
        [seq, batch, row, prev, at, body, hash, state]
    }
}

/// A submit, as limits will ask for it.
#[derive(Debug)]
pub(super) struct Submitted {
    pub(super) account: i64,
    pub(super) at: i64,
    pub(super) seq: i64,
    pub(super) tick: i64,
    pub(super) boot: i64,
    pub(super) batch: i64,
    pub(super) row: i64,
    pub(super) phone: String,
}

impl Insert for Submitted {
    const ONE: &'static str =
        "INSERT INTO submits(account, at, seq, tick, boot, batch, row, phone) VALUES(?, ?, ?, ?, ?, ?, ?, ?)";
    const MANY: &'static str = "INSERT INTO submits(account, at, seq, tick, boot, batch, row, phone) VALUES
    (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?),
    (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?)";

    fn values(&self) -> [&dyn ToSql; 8] {
        let Self { account, at, seq, tick, boot, batch, row, phone } = self;
        [account, at, seq, tick, boot, batch, row, phone]
    }
}

/// Those that wait, oldest first.
#[derive(Debug)]
pub(super) struct Waiting<T>(Vec<T>);

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Waiting<T> {
    pub(super) fn push(&mut self, row: T) {
        self.0.push(row);
    }

    /// Whether any of them is so.
    pub(super) fn any(&self, is: impl Fn(&T) -> bool) -> bool {
        self.0.iter().any(is)
    }

    /// The oldest, with the statement that inserts them: as many as one is for, or, if all are wanted, the next.
    pub(super) fn take(&mut self, all: bool) -> Option<(&'static str, Vec<T>)>
    where
        T: Insert,
    {
        if self.0.len() >= SEVERAL {
            Some((T::MANY, self.0.drain(..SEVERAL).collect()))
        } else if all && !self.0.is_empty() {
            Some((T::ONE, self.0.drain(..1).collect()))
        } else {
            None
        }
    }
}
