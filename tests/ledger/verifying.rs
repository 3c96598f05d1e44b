//! Verification finds what was changed behind the ledger's back, and the ledger resists it.

use bulk_topup::domain::{RowNumber, SubmitMeaning, WallTime};
use bulk_topup::ledger::{BatchEvent, Difference, Record, VerifyReport};

use crate::fixture::{Fixture, admit, admitted, answered, intent, new_batch, raw, run_started};

/// A batch with a life behind it, damaged by `sql`, verified.
pub fn verify_after(sql: &str) -> VerifyReport {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    let batch_events = vec![(WallTime(9), run_started())];
    writer.append(Record { batch: fixture.batch, batch_events, entries: Vec::new() }).wait().unwrap();
    fixture.live(&writer, 1, &[intent(1, 1), answered(1, SubmitMeaning::Succeeded)]);
    fixture.live(&writer, 2, &[intent(2, 1), answered(2, SubmitMeaning::Pending)]);
    let gone = BatchEvent::Cancelled { note: "n".to_owned(), user: "u".to_owned() };
    let batch_events = vec![(WallTime(11), gone)];
    writer.append(Record { batch: fixture.batch, batch_events, entries: Vec::new() }).wait().unwrap();
    drop(writer);
    let drop_guards = "DROP TRIGGER events_stay; DROP TRIGGER events_last; DROP TRIGGER rows_stay;
                       DROP TRIGGER rows_last; PRAGMA foreign_keys = OFF;";
    raw(&fixture.path).execute_batch(&format!("{drop_guards} {sql}")).unwrap();
    fixture.reader().verify(fixture.batch).unwrap()
}

pub fn row(report: &VerifyReport) -> Option<u64> {
    report.differences.iter().find_map(|difference| match difference {
        Difference::Row { row, .. } => Some(row.0),
        Difference::File(_)
        | Difference::Chain { .. }
        | Difference::State { .. }
        | Difference::NoBatch { .. }
        | Difference::Submits { .. }
        | Difference::Ids { .. }
        | Difference::AdmittedIds
        | Difference::End { .. }
        | Difference::Admission
        | Difference::Batch(_) => None,
    })
}

#[test]
fn an_untouched_ledger_has_no_differences() {
    let report = verify_after("");
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.rows, report.events, report.more), (10, 7, 0));
}

#[test]
fn a_changed_byte_in_an_event_is_found() {
    let changes = [
        ("UPDATE events SET body = replace(body, '\"succeeded\"', '\"failed\"') WHERE seq = 4", 4),
        ("UPDATE events SET at = at + 1 WHERE seq = 3", 3),
        ("UPDATE events SET row = 3 WHERE seq = 3", 3),
        ("UPDATE events SET hash = zeroblob(32) WHERE seq = 5", 5),
        ("DELETE FROM events WHERE seq = 4", 5),
    ];
    for (sql, seq) in changes {
        let report = verify_after(sql);
        assert!(report.differences.contains(&Difference::Chain { seq }), "{sql}: {report:?}");
    }
    let report = verify_after("DELETE FROM events WHERE seq = 7");
    assert!(report.differences.contains(&Difference::End { found: 6, recorded: 7 }), "{report:?}");
}

#[test]
fn a_changed_byte_in_a_row_is_found() {
    let projection = [
        "UPDATE events SET state = replace(state, '\"submits\":1', '\"submits\":2') WHERE row = 1",
        "UPDATE events SET state = NULL WHERE row = 1",
        "UPDATE standings SET phase = 'failed' WHERE row = 1",
        "UPDATE standings SET unsettled = 1 WHERE row = 1",
        "UPDATE standings SET phone = '84999999999' WHERE row = 1",
        "UPDATE standings SET account = NULL WHERE row = 1",
        "UPDATE standings SET changed_at = 0 WHERE row = 1",
        "DELETE FROM standings WHERE row = 1",
        "UPDATE submits SET tick = 0, boot = 0 WHERE row = 1",
        "UPDATE rows SET amount = '1' WHERE row = 1",
        "UPDATE rows SET new_cells = x'78' WHERE row = 1",
        "UPDATE rows SET new_order = admitted_order WHERE row = 1",
    ];
    for change in projection {
        let report = verify_after(change);
        assert_eq!(row(&report), Some(1), "{change}: {report:?}");
    }
    let admission = [
        "UPDATE rows SET cells = x'78' WHERE row = 3",
        "UPDATE rows SET line = line + 1 WHERE row = 3",
        "UPDATE rows SET notes = '[\"x\"]' WHERE row = 3",
        "UPDATE rows SET admitted_state = replace(admitted_state, 'bad_phone', 'bad_amount')",
        "UPDATE rows SET admitted_order = replace(admitted_order, '20000', '30000') WHERE row = 3",
        "DELETE FROM rows WHERE row = 9",
        "UPDATE batches SET name = 'pay-ffffffff'",
    ];
    for sql in admission {
        let report = verify_after(sql);
        assert!(report.differences.contains(&Difference::Admission), "{sql}: {report:?}");
    }
}

/// Events of rows 1 and 2 are 3 to 6; 1 is the admission.
#[test]
fn a_row_that_stands_elsewhere_than_after_its_last_event_is_found() {
    let damages = [
        // Back to where it truly stood once.
        ("UPDATE standings SET last = 3, phase = 'sending', unsettled = 1 WHERE row = 1", 1),
        (
            "UPDATE standings SET last = 1, phase = 'ready', unsettled = NULL, changed_at = 1000 WHERE row = 1",
            1,
        ),
        // Where another row stands.
        ("UPDATE standings SET last = 4 WHERE row = 2", 2),
        // Nowhere, or before its admission.
        ("UPDATE standings SET last = 99 WHERE row = 2", 2),
        ("UPDATE standings SET last = 2 WHERE row = 3", 3),
        // Past an event of its own, past the admission, or in a circle.
        ("UPDATE events SET prev = 1 WHERE seq = 6", 2),
        ("UPDATE events SET prev = NULL WHERE seq = 5", 2),
        ("UPDATE events SET prev = 6 WHERE seq = 5", 2),
    ];
    for (sql, number) in damages {
        let report = verify_after(sql);
        assert_eq!(row(&report), Some(number), "{sql}: {report:?}");
        let breaks = report.differences.iter().any(|d| matches!(d, Difference::Chain { .. }));
        assert_eq!(breaks, sql.contains("events"), "{sql}: {report:?}");
    }
}

#[test]
fn a_lost_submit_and_a_lifted_cancellation_are_found() {
    for sql in ["DELETE FROM submits", "UPDATE submits SET phone = '84999999999'"] {
        assert_eq!(row(&verify_after(sql)), Some(1), "{sql}");
    }
    let report = verify_after("UPDATE batches SET cancelled_at = NULL");
    assert_eq!(report.differences, [Difference::Batch("cancellation")]);
    assert!(!verify_after("UPDATE batches SET run_seq = 1").is_clean());
}

#[test]
fn facts_cannot_be_changed_through_sql() {
    let fixture = Fixture::new();
    let conn = raw(&fixture.path);
    for sql in [
        "UPDATE events SET at = 0",
        "DELETE FROM events",
        "UPDATE rows SET cells = x'78'",
        "UPDATE rows SET admitted_order = NULL",
        "DELETE FROM rows",
    ] {
        let refused = conn.execute_batch(sql).unwrap_err().to_string();
        assert!(refused.contains("append-only") || refused.contains("admitted stays"), "{sql}: {refused}");
    }
    conn.execute_batch("UPDATE standings SET phase = 'ready' WHERE row = 1").unwrap();
    assert!(fixture.reader().row(fixture.batch, RowNumber(1)).unwrap().is_some());
}

#[test]
fn a_thousand_differences_are_counted_not_listed() {
    let fixture = Fixture::new();
    let mut ledger = fixture.ledger();
    let many = (1..=300).map(admitted);
    let batch = admit(&mut ledger, &new_batch("many-11112222"), many);
    raw(&fixture.path).execute_batch("UPDATE standings SET changed_at = 5").unwrap();
    let report = ledger.verify(batch).unwrap();
    assert_eq!((report.differences.len(), report.more, report.rows), (100, 200, 300));
}
