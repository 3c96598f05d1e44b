//! The tables, and the checks that a file is a ledger this program may write.

use rusqlite::Connection;

/// "BtUp" in the header of the SQLite file: whose file it is.
pub(super) const APPLICATION_ID: i64 = 0x4274_5570;

/// The one schema this program reads and writes.
pub(super) const SCHEMA: i64 = 3;

/// Rows and events are facts: what was admitted and what happened is never changed. A row's `place` is the batch and
/// the row number in one ([`super::record::place_of`]): SQLite finds a row by one whole number quickest. `standings` is a projection of
/// them, narrow, because every event changes it: `last` is the last event of the row (its batch's admission, until
/// there is another), whose `state` is where the row stands (that of an intent follows from the state before, and is
/// not kept); `prev` leads from there back to the first; `unsettled` is 1 while money may be under way, 2 where it
/// counts as never received, which gives way to an order that turns up. Cells are joined by NUL. `new_cells` and `new_order` are those of a
/// corrected file. Every submit stands in `submits`, with its number as it was then. Ids that an intent names stand in
/// it; `ids` finds them: those of all events up to `upto` that are in no part before, and as part 0 those of rows that
/// were admitted with one. A part without any holds an empty one, so that its events are not read again.
const TABLES: &str = "
CREATE TABLE head(one INTEGER PRIMARY KEY CHECK(one = 1), seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
INSERT INTO head VALUES(1, 0, zeroblob(32));
CREATE TABLE accounts(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, tag TEXT NOT NULL, UNIQUE(kind, tag)) STRICT;
CREATE TABLE batches(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, file_sha256 BLOB NOT NULL, source TEXT NOT NULL,
  header TEXT NOT NULL, dialect TEXT NOT NULL, results_path TEXT NOT NULL, sandbox INTEGER NOT NULL,
  created_at INTEGER NOT NULL, rows INTEGER NOT NULL, cancelled_at INTEGER, run_seq INTEGER) STRICT;
CREATE TABLE rows(
  place INTEGER PRIMARY KEY CHECK(place & 4294967295 <> 0), batch INTEGER AS (place >> 32), row INTEGER AS (place & 4294967295),
  line INTEGER NOT NULL, cells BLOB NOT NULL, admitted_order TEXT, admitted_state TEXT NOT NULL, notes TEXT NOT NULL,
  new_cells BLOB, new_order TEXT, goods TEXT, amount TEXT) STRICT;
CREATE TABLE standings(
  place INTEGER PRIMARY KEY CHECK(place & 4294967295 <> 0), batch INTEGER AS (place >> 32), row INTEGER AS (place & 4294967295),
  account INTEGER, phone TEXT, phase TEXT NOT NULL,
  unsettled INTEGER, changed_at INTEGER NOT NULL, last INTEGER NOT NULL) STRICT;
CREATE INDEX standings_ready ON standings(batch, account) WHERE phase = 'ready';
CREATE INDEX standings_unsettled ON standings(place, unsettled, account) WHERE unsettled IS NOT NULL;
CREATE INDEX standings_phone ON standings(phone) WHERE phone IS NOT NULL;
CREATE TABLE events(
  seq INTEGER PRIMARY KEY, batch INTEGER NOT NULL, row INTEGER, prev INTEGER, at INTEGER NOT NULL,
  body TEXT NOT NULL, hash BLOB NOT NULL, state TEXT) STRICT;
CREATE INDEX events_batch ON events(batch, seq) WHERE row IS NULL;
CREATE TABLE ids(
  upto INTEGER NOT NULL, id TEXT NOT NULL, batch INTEGER NOT NULL, row INTEGER NOT NULL,
  PRIMARY KEY(upto, id)) STRICT, WITHOUT ROWID;
CREATE TABLE submits(
  account INTEGER NOT NULL, at INTEGER NOT NULL, seq INTEGER NOT NULL, tick INTEGER NOT NULL, boot INTEGER NOT NULL,
  batch INTEGER NOT NULL, row INTEGER NOT NULL, phone TEXT NOT NULL,
  PRIMARY KEY(account, at, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE hints(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, provider TEXT NOT NULL, id TEXT, provider_ref TEXT,
  received_at INTEGER NOT NULL) STRICT;
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_last BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER rows_stay BEFORE UPDATE OF place, line, cells, admitted_order, admitted_state, notes ON rows
  BEGIN SELECT RAISE(ABORT, 'what was admitted stays'); END;
CREATE TRIGGER rows_last BEFORE DELETE ON rows BEGIN SELECT RAISE(ABORT, 'what was admitted stays'); END;
";

/// Whose file it is, by its header and tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Belongs {
    /// Nobody's yet: no tables.
    Fresh,
    /// Ours, with the schema this program writes.
    Ours,
    /// Ours, of an earlier program.
    Older(i64),
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
        (APPLICATION_ID, older, 1..) if (1..SCHEMA).contains(&older) => Belongs::Older(older),
        _ => Belongs::Foreign,
    })
}

/// Makes the tables, unless another process just did.
pub(super) fn create(conn: &mut Connection) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    if belongs(&tx)? == Belongs::Fresh {
        tx.execute_batch(TABLES)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", SCHEMA)?;
    }
    tx.commit()
}
