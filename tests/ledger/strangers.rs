//! Verification finds what stands beside the events and follows from none of them: in tables, indexes and ids.

use bulk_topup::domain::{Attempt, RowNumber, SubmitMeaning, TransactionId};
use bulk_topup::ledger::{BatchId, Difference, Ledger};
use bulk_topup::lifecycle::Phase;
use rusqlite::params;

use crate::fixture::{Fixture, admit, admitted, answered, id, intent, new_batch, raw};
use crate::verifying::{row, verify_after};

#[test]
fn a_state_beside_the_admission_is_found() {
    // The state that every row which was not sent yet then reads as its own.
    let sql = "UPDATE events SET state = json_set((SELECT admitted_state FROM rows WHERE row = 3), '$.phase', 'succeeded')
               WHERE seq = 1";
    assert_eq!(verify_after(sql).differences, [Difference::State { seq: 1 }]);
}

#[test]
fn a_standing_without_a_row_is_found() {
    let standing = |batch: i64, row: i64| {
        format!(
            "INSERT INTO standings SELECT ({batch} << 32) + {row}, account, phone, 'ready', NULL, changed_at, 1 FROM standings
             WHERE row = 3"
        )
    };
    assert_eq!(row(&verify_after(&standing(1, 99))), Some(99));
    let nowhere = verify_after(&standing(77, 1)).differences;
    assert_eq!(nowhere, [Difference::NoBatch { batch: 77, what: "standings" }]);
}

#[test]
fn a_submit_whose_clock_was_changed_and_one_that_was_slipped_in_are_found() {
    assert_eq!(row(&verify_after("UPDATE submits SET tick = 0 WHERE row = 2")), Some(2));
    assert_eq!(row(&verify_after("UPDATE submits SET boot = 1 WHERE row = 1")), Some(1));
    let slipped =
        "INSERT INTO submits SELECT account, at, 999, tick, boot, batch, 3, phone FROM submits WHERE row = 1";
    assert_eq!(verify_after(slipped).differences, [Difference::Submits { listed: 3, intended: 2 }]);
}

#[test]
fn an_index_that_lost_a_row_is_found() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    fixture.live(&writer, 2, &[intent(2, 1), answered(2, SubmitMeaning::Pending)]);
    drop(writer);
    assert_eq!(fixture.reader().open_rows(fixture.batch).unwrap(), 1);
    let schema = "FROM sqlite_schema WHERE name = 'standings_unsettled'";
    let conn = raw(&fixture.path);
    let (root, sql): (i64, String) = conn
        .query_row(&format!("SELECT rootpage, sql {schema}"), [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    // Out of the index, and back into the table alone.
    let out = "UPDATE standings SET unsettled = NULL WHERE row = 2; PRAGMA writable_schema = ON; DELETE";
    conn.execute_batch(&format!("{out} {schema}")).unwrap();
    drop(conn);
    let conn = raw(&fixture.path);
    let back = "UPDATE standings SET unsettled = 1 WHERE row = 2; PRAGMA writable_schema = ON";
    conn.execute_batch(back).unwrap();
    let index = "INSERT INTO sqlite_schema VALUES('index', 'standings_unsettled', 'standings', ?1, ?2)";
    conn.execute(index, params![root, sql]).unwrap();
    drop(conn);
    let reader = fixture.reader();
    assert_eq!(reader.open_rows(fixture.batch).unwrap(), 0, "nobody follows the row any more");
    let report = reader.verify(fixture.batch).unwrap();
    let told = |found: &Difference| found.to_string().contains("standings_unsettled");
    assert!(report.differences.iter().any(told), "{report:?}");
}

#[test]
fn an_id_that_a_later_part_leads_elsewhere_is_found() {
    // Events 3 and 5 are the intents of rows 1 and 2.
    let ids = [id(1, 1), id(2, 1)].map(|id| id.as_str().to_owned());
    let [one, two] = &ids;
    let parts = format!("INSERT INTO ids VALUES(4, '{one}', 1, 1), (7, '{two}', 1, 2)");
    let sorted = verify_after(&parts);
    assert!(sorted.is_clean(), "as they are sorted in: {sorted:?}");
    // A statement's line about row 1 would be taken for one about row 9.
    for (forged, upto) in [
        (format!("{parts}, (7, '{one}', 1, 9)"), 7),
        (format!("{parts}, (99, '{one}', 1, 9)"), 99),
        (format!("{parts}, (99, 'ZZZZZZZZZZZZZZZZZZZZZZZZ', 1, 9)"), 99),
    ] {
        assert_eq!(verify_after(&forged).differences, [Difference::Ids { upto }], "{forged}");
    }
    let unknown = "INSERT INTO ids VALUES(0, 'ZZZZZZZZZZZZZZZZZZZZZZZZ', 1, 9)";
    assert_eq!(verify_after(unknown).differences, [Difference::AdmittedIds]);
}

/// A second batch, whose one row was submitted under this id before its ledger was lost.
fn rebuilt(ledger: &mut Ledger, id: &TransactionId) -> BatchId {
    let mut row = admitted(1);
    (row.state.phase, row.state.attempt) = (Phase::Asking, Attempt(1));
    (row.state.submits, row.state.id) = (1, Some(id.clone()));
    admit(ledger, &new_batch("again-11112222"), [row])
}

#[test]
fn an_id_of_the_admission_that_was_lost_is_found() {
    let fixture = Fixture::new();
    let id = TransactionId::parse("ZZZZZZZZZZZZZZZZZZZZZZZZ").unwrap();
    let mut ledger = fixture.ledger();
    let batch = rebuilt(&mut ledger, &id);
    assert_eq!(ledger.row_by_txn(&id).unwrap(), Some((batch, RowNumber(1))));
    assert!(ledger.verify(batch).unwrap().is_clean());
    raw(&fixture.path).execute_batch("DELETE FROM ids WHERE upto = 0").unwrap();
    assert_eq!(ledger.row_by_txn(&id).unwrap(), None);
    assert_eq!(row(&ledger.verify(batch).unwrap()), Some(1));
}

#[test]
fn a_batch_that_vanished_is_found() {
    let fixture = Fixture::new();
    let mut ledger = fixture.ledger();
    let other = admit(&mut ledger, &new_batch("again-11112222"), [admitted(1)]);
    let gone = |batch: u64| {
        format!(
            "DELETE FROM batches WHERE id = {batch}; DELETE FROM rows WHERE batch = {batch};
             DELETE FROM standings WHERE batch = {batch}"
        )
    };
    let missing = |batch| Difference::NoBatch { batch, what: "events" };
    raw(&fixture.path).execute_batch(&format!("DROP TRIGGER rows_last; {}", gone(1))).unwrap();
    // Repeats of its rows are not noticed any more.
    assert_eq!(ledger.verify(other).unwrap().differences, [missing(1)]);
    raw(&fixture.path).execute_batch(&gone(2)).unwrap();
    assert_eq!(ledger.verify_whole().unwrap().differences, [missing(1), missing(2)], "where none is left");
}

#[test]
fn no_row_is_numbered_zero() {
    let fixture = Fixture::new();
    let raw = raw(&fixture.path);
    for table in ["rows", "standings"] {
        let sql = format!("UPDATE {table} SET place = place - (place & 4294967295) WHERE row = 3");
        let refused = raw.execute_batch(&sql).unwrap_err().to_string();
        assert!(refused.contains("CHECK") || refused.contains("stays"), "{refused}");
    }
    raw.execute_batch(
        "PRAGMA ignore_check_constraints = ON;
         INSERT INTO standings SELECT place - (place & 4294967295), account, phone, phase, unsettled, changed_at, last
         FROM standings WHERE row = 3",
    )
    .unwrap();
    assert!(!fixture.reader().verify(fixture.batch).unwrap().is_clean());
}
