//! Whose an id is. An id is derived from its row, so no other row can come to have it; what is kept here only finds the
//! row again. Ids come in no order: an index that took each one as it comes would be written anew with every commit.
//! They are sorted in by the ten thousand instead, into a part of their own; until then their intents tell them, and
//! whoever looks reads each of those once.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde::Deserialize;

use super::LedgerError;

/// Events that are not sorted in: few enough to be read before the first answer, and held in memory.
pub(super) const UNSORTED_MAX: i64 = 50_000;

/// The part of the ids that rows were admitted with: no intent of this ledger names them.
pub(super) const ADMITTED: i64 = 0;

/// Stands in a part that would be empty, so that it is there: no order has this id.
pub(super) const NO_ID: (String, Place) = (String::new(), (0, 0));

/// How the body of an intent begins.
pub(super) const INTENT: &str = "{\"intent\":";

/// Batch and row.
pub(super) type Place = (i64, i64);

/// What a connection has read of the ids.
#[derive(Debug)]
pub(super) struct Ids {
    /// The last event of each part, in order; the first is that of the admitted ones.
    parts: Vec<i64>,
    /// The last event that was read.
    seen: i64,
    /// Ids behind the last part, with event and place.
    unsorted: HashMap<String, (i64, Place)>,
}

impl Default for Ids {
    fn default() -> Self {
        Self { parts: vec![ADMITTED], seen: 0, unsorted: HashMap::new() }
    }
}

impl Ids {
    /// The row of an id that was ever intended, or that a row was admitted with.
    pub(super) fn find(
        &mut self,
        conn: &Connection,
        path: &Path,
        id: &str,
    ) -> Result<Option<Place>, LedgerError> {
        self.go_on(conn, path)?;
        if let Some((_, place)) = self.unsorted.get(id) {
            return Ok(Some(*place));
        }
        for part in self.parts.iter().rev() {
            if let Some(place) = in_part(conn, path, *part, id)? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// Whether the id of the intent numbered `seq` leads to this row.
    pub(super) fn leads(
        &mut self,
        conn: &Connection,
        path: &Path,
        (seq, id): (i64, &str),
        place: Place,
    ) -> Result<bool, LedgerError> {
        self.go_on(conn, path)?;
        let part = self.parts.iter().find(|part| **part >= seq);
        let found = match part {
            Some(part) => in_part(conn, path, *part, id)?,
            None => self.unsorted.get(id).map(|(_, place)| *place),
        };
        Ok(found == Some(place))
    }

    /// Takes in what was appended since.
    fn go_on(&mut self, conn: &Connection, path: &Path) -> Result<(), LedgerError> {
        let last = self.parts.last().copied().unwrap_or(ADMITTED);
        let parts = parts_after(conn, last).map_err(|e| LedgerError::of_sqlite(path, &e))?;
        if let Some(last) = parts.last().copied() {
            self.parts.extend(parts);
            self.unsorted.retain(|_, (seq, _)| *seq > last);
            self.seen = self.seen.max(last);
        }
        let unsorted = &mut self.unsorted;
        self.seen = each_intent(conn, path, (self.seen, i64::MAX), |seq, id, place| {
            unsorted.insert(id.to_owned(), (seq, place));
        })?;
        Ok(())
    }
}

/// Ids of intents on their way into a part, so that they need not be read again.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// All that were appended behind this event.
    behind: i64,
    ids: Vec<(String, Place)>,
}

impl Named {
    /// None yet of the events behind this one.
    pub(super) fn behind(event: i64) -> Self {
        Self { behind: event, ids: Vec::new() }
    }

    pub(super) fn push(&mut self, id: &str, place: Place) {
        self.ids.push((id.to_owned(), place));
    }
}

/// Sorts in the ids of all events so far, in a transaction of its own; gives the last of these events. `named` holds
/// them from some event on to the last, and begins anew behind that.
///
/// # Errors
/// [`LedgerError::Shared`] when `head` is not the last event any more.
pub(super) fn sort_in(
    conn: &mut Connection,
    path: &Path,
    named: &mut Named,
    head: i64,
) -> Result<i64, LedgerError> {
    let sql = |e: rusqlite::Error| LedgerError::of_sqlite(path, &e);
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    let last = last_sorted(&tx).map_err(sql)?;
    let upto: i64 = tx.query_row("SELECT seq FROM head", [], |row| row.get(0)).map_err(sql)?;
    if upto != head {
        return Err(LedgerError::Shared { path: path.to_owned() });
    }
    let Named { behind, ids: mut found } = std::mem::replace(named, Named::behind(upto));
    each_intent(&tx, path, (last, behind), |_, id, place| found.push((id.to_owned(), place)))?;
    found.sort_unstable();
    // A row that was not taken goes out again under the same id.
    found.dedup();
    if found.is_empty() {
        found.push(NO_ID);
    }
    {
        let insert = "INSERT INTO ids(upto, id, batch, row) VALUES(?1, ?2, ?3, ?4)";
        let mut insert = tx.prepare_cached(insert).map_err(sql)?;
        for (id, (batch, row)) in &found {
            insert.execute(params![upto, id, batch, row]).map_err(sql)?;
        }
    }
    tx.commit().map_err(sql)?;
    Ok(upto)
}

/// The last event whose id is sorted in.
pub(super) fn last_sorted(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("SELECT coalesce(max(upto), 0) FROM ids", [], |row| row.get(0))
}

/// Binds an id to the row that is admitted with it. False: it belongs to another row.
pub(super) fn admit(
    conn: &Connection,
    path: &Path,
    ids: &mut Ids,
    id: &str,
    place: Place,
) -> Result<bool, LedgerError> {
    match ids.find(conn, path, id)? {
        Some(owner) => Ok(owner == place),
        None => {
            let sql = "INSERT INTO ids(upto, id, batch, row) VALUES(?1, ?2, ?3, ?4)";
            let insert = || conn.prepare_cached(sql)?.execute(params![ADMITTED, id, place.0, place.1]);
            insert().map(|_| true).map_err(|e| LedgerError::of_sqlite(path, &e))
        }
    }
}

/// Whether any row was admitted with an id.
pub(super) fn any_admitted(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("SELECT EXISTS(SELECT 1 FROM ids WHERE upto = ?1)", [ADMITTED], |row| row.get(0))
}

/// The row that was admitted with this id.
pub(super) fn admitted(conn: &Connection, path: &Path, id: &str) -> Result<Option<Place>, LedgerError> {
    in_part(conn, path, ADMITTED, id)
}

fn in_part(conn: &Connection, path: &Path, part: i64, id: &str) -> Result<Option<Place>, LedgerError> {
    let sql = "SELECT batch, row FROM ids WHERE upto = ?1 AND id = ?2";
    let find = || {
        let mut ask = conn.prepare_cached(sql)?;
        ask.query_row(params![part, id], |row| Ok((row.get(0)?, row.get(1)?))).optional()
    };
    find().map_err(|e| LedgerError::of_sqlite(path, &e))
}

pub(super) fn parts_after(conn: &Connection, mut last: i64) -> rusqlite::Result<Vec<i64>> {
    let mut ask = conn.prepare_cached("SELECT min(upto) FROM ids WHERE upto > ?1")?;
    let mut parts = Vec::new();
    while let Some(part) = ask.query_row([last], |row| row.get::<_, Option<i64>>(0))? {
        parts.push(part);
        last = part;
    }
    Ok(parts)
}

/// The id that an intent names, by its body.
pub(super) fn id_of(body: &str) -> serde_json::Result<&str> {
    #[derive(Deserialize)]
    struct Body<'b> {
        #[serde(borrow)]
        intent: Named<'b>,
    }
    #[derive(Deserialize)]
    struct Named<'b> {
        id: &'b str,
    }
    serde_json::from_str::<Body<'_>>(body).map(|body| body.intent.id)
}

/// Hands over the intents behind one event, up to another; gives the last event there is of them.
fn each_intent(
    conn: &Connection,
    path: &Path,
    (after, upto): (i64, i64),
    mut each: impl FnMut(i64, &str, Place),
) -> Result<i64, LedgerError> {
    let sql = |e: rusqlite::Error| LedgerError::of_sqlite(path, &e);
    let text = "SELECT seq, batch, row, body FROM events WHERE seq > ?1 AND seq <= ?2 AND row IS NOT NULL ORDER BY seq";
    let mut ask = conn.prepare_cached(text).map_err(sql)?;
    let mut events = ask.query([after, upto]).map_err(sql)?;
    let mut last = after;
    while let Some(event) = events.next().map_err(sql)? {
        last = event.get(0).map_err(sql)?;
        let body = event.get_ref(3).and_then(|body| Ok(body.as_str()?)).map_err(sql)?;
        if body.starts_with(INTENT) {
            let id = id_of(body).map_err(|e| LedgerError::damaged(path, e))?;
            let place = (event.get(1).map_err(sql)?, event.get(2).map_err(sql)?);
            each(last, id, place);
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Attempt, BatchName, RowNumber, TransactionId};
    use crate::ledger::writer::tests::{account, batch, filled, intent, name, row};
    use crate::ledger::{AdmitError, AdmittedRow, BatchId, Ledger, Writer};
    use crate::lifecycle::Phase;

    fn id(row: u64) -> TransactionId {
        TransactionId::derive(&account(), &name(), RowNumber(row), Attempt(1))
    }

    fn send(path: &Path, batch: BatchId, rows: std::ops::RangeInclusive<u64>) {
        let writer = Writer::start(path).unwrap();
        for row in rows {
            writer.append(intent(batch, row)).wait().unwrap();
        }
    }

    fn sort(path: &Path) -> i64 {
        let mut conn = Ledger::open(path).unwrap().conn;
        let head = conn.query_row("SELECT seq FROM head", [], |row| row.get(0)).unwrap();
        let stale = sort_in(&mut conn, path, &mut Named::behind(i64::MAX), head - 1).unwrap_err();
        assert!(matches!(stale, LedgerError::Shared { .. }), "{stale}");
        sort_in(&mut conn, path, &mut Named::behind(i64::MAX), head).unwrap()
    }

    /// A row that was submitted under this id before its ledger was lost.
    fn submitted(number: u64, id: TransactionId) -> AdmittedRow {
        let mut row = row(number);
        (row.state.phase, row.state.attempt) = (Phase::Asking, Attempt(1));
        (row.state.submits, row.state.id) = (1, Some(id));
        row
    }

    #[test]
    fn every_id_is_found_whether_it_is_sorted_in_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let batch = filled(&path);
        let early = Ledger::open_read(&path).unwrap();
        let all_found = |sent: u64| {
            // One that looked before, and one that comes in now: after a crash there is nothing else.
            for reader in [&early, &Ledger::open_read(&path).unwrap(), &Ledger::open(&path).unwrap()] {
                for number in 1..=50 {
                    let found = reader.row_by_txn(&id(number)).unwrap();
                    assert_eq!(found, (number <= sent).then_some((batch, RowNumber(number))), "{number}");
                    let owner = reader.owner_of(id(number).as_str()).unwrap();
                    assert_eq!(owner.map(|owner| owner.row), found.map(|(_, row)| row), "{number}");
                }
            }
        };
        all_found(0);
        send(&path, batch, 1..=10);
        all_found(10);
        assert_eq!(sort(&path), 11);
        all_found(10);
        send(&path, batch, 11..=25);
        all_found(25);
        assert_eq!(sort(&path), 26);
        send(&path, batch, 26..=30);
        all_found(30);
        assert_eq!(early.ids.borrow().unsorted.len(), 5, "what is sorted in is not held in memory");
        assert!(early.verify(batch).unwrap().is_clean());
    }

    #[test]
    fn an_id_that_was_lost_or_leads_elsewhere_is_noticed() {
        let damages = [
            ("DELETE FROM ids WHERE row = 3", Some(3)),
            ("UPDATE ids SET row = 9 WHERE row = 3", Some(3)),
            ("UPDATE ids SET upto = 3 WHERE row = 7", Some(1)),
            // Without the last part, the intents themselves tell.
            ("DELETE FROM ids", None),
        ];
        for (sql, wrong) in damages {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("ledger.db");
            let batch = filled(&path);
            send(&path, batch, 1..=10);
            sort(&path);
            rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
            let ledger = Ledger::open_read(&path).unwrap();
            let found = ledger.verify(batch).unwrap().differences;
            let told = found.first().map(ToString::to_string);
            let expected =
                wrong.map(|row| format!("row {row}: the submit of event {} is not listed", row + 1));
            assert_eq!(told, expected, "{sql}");
            if wrong.is_none() {
                assert_eq!(ledger.row_by_txn(&id(3)).unwrap(), Some((batch, RowNumber(3))), "{sql}");
            }
        }
    }

    #[test]
    fn events_without_an_id_are_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let batch = filled(&path);
        let first = sort(&path);
        assert_eq!(last_sorted(&Ledger::open_read(&path).unwrap().conn).unwrap(), first);
        send(&path, batch, 1..=2);
        assert!(sort(&path) > first);
        let ledger = Ledger::open_read(&path).unwrap();
        assert_eq!(ledger.row_by_txn(&id(2)).unwrap(), Some((batch, RowNumber(2))));
        assert!(ledger.verify(batch).unwrap().is_clean());
    }

    #[test]
    fn no_row_is_admitted_with_the_id_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let sent = filled(&path);
        send(&path, sent, 1..=4);
        sort(&path);
        send(&path, sent, 5..=8);
        let mut ledger = Ledger::open(&path).unwrap();
        let mut admit = |rows: Vec<AdmittedRow>| {
            let again = batch(BatchName::parse("again-11112222").unwrap());
            ledger.admit(&again, rows.into_iter().map(Ok::<_, ()>))
        };
        let own = TransactionId::parse("ZZZZZZZZZZZZZZZZZZZZZZZZ").unwrap();
        for stolen in [vec![submitted(1, id(2))], vec![submitted(1, id(6))]] {
            let refused = admit(stolen).unwrap_err();
            assert!(
                matches!(&refused, AdmitError::Ledger(LedgerError::Illegal { row: RowNumber(1), .. })),
                "{refused:?}"
            );
        }
        let twice = admit(vec![submitted(1, own.clone()), submitted(2, own.clone())]).unwrap_err();
        assert!(matches!(&twice, AdmitError::Ledger(LedgerError::Illegal { row: RowNumber(2), .. })));
        let admitted = admit(vec![submitted(1, own.clone())]).unwrap();
        assert_eq!(ledger.row_by_txn(&own).unwrap(), Some((admitted, RowNumber(1))));
        assert!(ledger.verify(admitted).unwrap().is_clean());
    }

    #[test]
    fn no_row_is_sent_under_an_id_that_another_was_admitted_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut ledger = Ledger::open(&path).unwrap();
        // A results file in which somebody moved an id: row 1 has the one of row 2.
        let rows = [submitted(1, id(2)), row(2), row(3)].map(Ok::<_, ()>);
        let rebuilt = ledger.admit(&batch(name()), rows).unwrap();
        assert_eq!(ledger.row_by_txn(&id(2)).unwrap(), Some((rebuilt, RowNumber(1))));
        let writer = Writer::start(&path).unwrap();
        assert_eq!(writer.append(intent(rebuilt, 3)).wait().unwrap().len(), 1);
        let refused = writer.append(intent(rebuilt, 2)).wait().unwrap_err();
        assert!(matches!(refused, LedgerError::Illegal { row: RowNumber(2), .. }), "{refused}");
        assert_eq!(ledger.row(rebuilt, RowNumber(2)).unwrap().unwrap().state.phase, Phase::Ready);
    }
}
