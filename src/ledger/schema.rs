//! The tables, and the checks that a file is a ledger this program may write.

use rusqlite::Connection;

/// "BtUp" in the header of the SQLite file: whose file it is.
pub(super) const APPLICATION_ID: i64 = 0x4274_5570;

/// The newest schema this program knows.
pub(super) const SCHEMA: i64 = 1;

/// Rows and events are facts: what was admitted and what happened is never changed. The rest of `rows` is a
/// projection of it; `open` says of a phase that money may be under way. Cells are joined by NUL. `new_cells` and `new_order` are those of a corrected file.
/// Every id ever intended stands in `ids`; every submit, with its number as it was then, in `submits`.
const TABLES: &str = "
CREATE TABLE head(one INTEGER PRIMARY KEY CHECK(one = 1), seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
INSERT INTO head VALUES(1, 0, zeroblob(32));
CREATE TABLE accounts(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, tag TEXT NOT NULL, UNIQUE(kind, tag)) STRICT;
CREATE TABLE batches(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, file_sha256 BLOB NOT NULL, source TEXT NOT NULL,
  header TEXT NOT NULL, dialect TEXT NOT NULL, results_path TEXT NOT NULL, sandbox INTEGER NOT NULL,
  created_at INTEGER NOT NULL, rows INTEGER NOT NULL, cancelled_at INTEGER, run_seq INTEGER) STRICT;
CREATE TABLE rows(
  batch INTEGER NOT NULL REFERENCES batches(id), row INTEGER NOT NULL, line INTEGER NOT NULL,
  cells BLOB NOT NULL, admitted_order TEXT, admitted_state TEXT NOT NULL, notes TEXT NOT NULL,
  new_cells BLOB, new_order TEXT,
  account INTEGER REFERENCES accounts(id), phone TEXT, goods TEXT, amount TEXT,
  phase TEXT NOT NULL, open INTEGER NOT NULL, state TEXT NOT NULL, changed_at INTEGER NOT NULL,
  PRIMARY KEY(batch, row)) STRICT, WITHOUT ROWID;
CREATE INDEX rows_ready ON rows(batch, account, row) WHERE phase = 'ready';
CREATE INDEX rows_open ON rows(batch, row) WHERE open = 1;
CREATE INDEX rows_phone ON rows(phone) WHERE phone IS NOT NULL;
CREATE TABLE events(
  seq INTEGER PRIMARY KEY, batch INTEGER NOT NULL REFERENCES batches(id), row INTEGER, at INTEGER NOT NULL,
  body TEXT NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE INDEX events_row ON events(batch, row);
CREATE TABLE ids(
  id TEXT PRIMARY KEY, batch INTEGER NOT NULL, row INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE submits(
  account INTEGER NOT NULL REFERENCES accounts(id), at INTEGER NOT NULL, seq INTEGER NOT NULL,
  tick INTEGER NOT NULL, boot INTEGER NOT NULL,
  batch INTEGER NOT NULL, row INTEGER NOT NULL, phone TEXT NOT NULL,
  PRIMARY KEY(account, at, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE hints(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, provider TEXT NOT NULL, id TEXT, provider_ref TEXT,
  received_at INTEGER NOT NULL) STRICT;
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_last BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER rows_stay BEFORE UPDATE OF batch, row, line, cells, admitted_order, admitted_state, notes ON rows
  BEGIN SELECT RAISE(ABORT, 'what was admitted stays'); END;
CREATE TRIGGER rows_last BEFORE DELETE ON rows BEGIN SELECT RAISE(ABORT, 'what was admitted stays'); END;
";

/// Came after the first ledgers: [`complete`] gives it to them. Rows that count as never received are found by
/// it.
const ROWS_FAILED: &str =
    "CREATE INDEX IF NOT EXISTS rows_failed ON rows(batch, row) WHERE phase = 'failed';";

/// Whose file it is, by its header and tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Belongs {
    /// Nobody's yet: no tables.
    Fresh,
    /// Ours, with the schema this program writes.
    Ours,
    /// Ours, of a later program.
    Newer(i64),
    /// Another program's.
    Foreign,
}

/// Looks, and changes nothing.
pub(super) fn belongs(conn: &Connection) -> rusqlite::Result<Belongs> {
    let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (application, version, tables) {
        (0, 0, 0) => Belongs::Fresh,
        (APPLICATION_ID, SCHEMA, 1..) => Belongs::Ours,
        (APPLICATION_ID, newer, _) if newer > SCHEMA => Belongs::Newer(newer),
        _ => Belongs::Foreign,
    })
}

/// Makes the tables, unless another process just did.
pub(super) fn create(conn: &mut Connection) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    if belongs(&tx)? == Belongs::Fresh {
        tx.execute_batch(TABLES)?;
        tx.execute_batch(ROWS_FAILED)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", SCHEMA)?;
    }
    tx.commit()
}

/// Adds what a ledger of an earlier program lacks.
pub(super) fn complete(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(ROWS_FAILED)
}
