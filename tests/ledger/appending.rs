//! What is appended, when it counts, and what is refused.

use bulk_topup::domain::{Reason, RowNumber, Status, SubmitMeaning, WallTime};
use bulk_topup::ledger::{AdmitError, BatchEvent, LedgerError, Record};
use bulk_topup::lifecycle::{Event, Phase, TopUp};

use crate::fixture::{Fixture, admitted, answered, id, intent, new_batch, rows, run_started};

#[test]
fn a_receipt_comes_with_its_intent_already_readable_by_everybody() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    let receipts = fixture.live(&writer, 3, &[intent(3, 1)]);
    let stored = fixture.reader().row(fixture.batch, RowNumber(3)).unwrap().unwrap();
    assert_eq!(stored.state.phase, Phase::Sending);
    assert_eq!(stored.state.id, Some(id(3, 1)));
    let history = fixture.reader().history(fixture.batch, RowNumber(3)).unwrap();
    assert_eq!(history.iter().map(|(_, event)| event.name()).collect::<Vec<_>>(), ["intent"]);
    assert_eq!(receipts.len(), 1);
    for receipt in receipts {
        assert_eq!((receipt.row(), receipt.into_id()), (RowNumber(3), id(3, 1)));
    }
}

#[test]
fn only_intents_yield_receipts_and_in_their_order() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    let mut entries = fixture.entries(5, &[intent(5, 1)]);
    entries.extend(fixture.entries(2, &[intent(2, 1)]));
    entries.extend(fixture.entries(4, &[Event::Held { reason: Reason::Throttled, message: String::new() }]));
    let batch_events = vec![(WallTime(5), run_started())];
    let receipts = writer.append(Record { batch: fixture.batch, batch_events, entries }).wait().unwrap();
    assert_eq!(receipts.iter().map(|r| r.row().0).collect::<Vec<_>>(), [5, 2]);
    assert!(fixture.live(&writer, 5, &[answered(5, SubmitMeaning::Succeeded)]).is_empty());
}

#[test]
fn records_that_wait_together_are_all_committed_in_their_order() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    let mut entries = fixture.entries(1, &[intent(1, 1), answered(1, SubmitMeaning::Pending)]);
    entries.extend(fixture.entries(2, &[intent(2, 1), answered(2, SubmitMeaning::Succeeded)]));
    let one = |entry| Record { batch: fixture.batch, batch_events: Vec::new(), entries: vec![entry] };
    let commits: Vec<_> = entries.into_iter().map(|entry| writer.append(one(entry))).collect();
    let receipts: Vec<usize> = commits.into_iter().map(|commit| commit.wait().unwrap().len()).collect();
    assert_eq!(receipts, [1, 0, 1, 0]);
    let counts = fixture.reader().counts(fixture.batch).unwrap();
    assert_eq!((counts.pending, counts.succeeded, counts.not_sent, counts.invalid), (1, 1, 7, 1));
    assert!(fixture.reader().verify(fixture.batch).unwrap().is_clean());
}

#[test]
fn a_single_threaded_runtime_goes_on_while_a_commit_is_awaited() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let receipts = runtime.block_on(async {
        let entries = fixture.entries(1, &[intent(1, 1)]);
        let commit = writer.append(Record { batch: fixture.batch, batch_events: Vec::new(), entries });
        let beside = tokio::spawn(async { 7 });
        let receipts = commit.await.unwrap();
        assert_eq!(beside.await.unwrap(), 7);
        receipts
    });
    assert_eq!(receipts.len(), 1);
}

#[test]
fn what_was_handed_over_is_committed_even_when_the_writer_is_dropped() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    let entries = fixture.entries(1, &[intent(1, 1)]);
    drop(writer.append(Record { batch: fixture.batch, batch_events: Vec::new(), entries }));
    writer.close().unwrap();
    assert_eq!(fixture.reader().counts(fixture.batch).unwrap().unknown, 1);
}

#[test]
fn an_intent_for_a_row_under_way_is_refused_and_the_writer_stops() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    let again = fixture.entries(1, &[intent(1, 1)]);
    let other = fixture.entries(2, &[intent(2, 1)]);
    fixture.live(&writer, 1, &[intent(1, 1)]);
    let record = |entries| Record { batch: fixture.batch, batch_events: Vec::new(), entries };
    let refused = writer.append(record(again)).wait();
    assert!(
        matches!(refused, Err(LedgerError::Illegal { row: RowNumber(1), .. } | LedgerError::NotReady { .. })),
        "{refused:?}"
    );
    let later = writer.append(record(other)).wait();
    assert_eq!(later.unwrap_err(), refused.unwrap_err());
    assert_eq!(fixture.reader().history(fixture.batch, RowNumber(2)).unwrap(), []);
}

#[test]
fn a_cancelled_batch_takes_no_intent_but_still_takes_verdicts() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    fixture.live(&writer, 1, &[intent(1, 1)]);
    let intent = fixture.entries(2, &[intent(2, 1)]);
    let gone = BatchEvent::Cancelled { note: "wrong file".to_owned(), user: "u".to_owned() };
    let batch_events = vec![(WallTime(9), gone)];
    writer.append(Record { batch: fixture.batch, batch_events, entries: Vec::new() }).wait().unwrap();
    fixture.live(&writer, 1, &[answered(1, SubmitMeaning::Succeeded)]);
    let refused = writer.append(Record { batch: fixture.batch, batch_events: Vec::new(), entries: intent });
    assert_eq!(refused.wait().unwrap_err(), LedgerError::NotReady { row: RowNumber(2) });
    let info = fixture.reader().batch(fixture.batch).unwrap();
    assert_eq!(info.cancelled_at, Some(WallTime(9)));
    assert!(fixture.reader().run_view(fixture.batch).unwrap().cancelled);
}

#[test]
fn an_id_belongs_to_one_row() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    fixture.live(&writer, 1, &[intent(1, 1)]);
    let mut stolen = fixture.entries(2, &[intent(2, 1)]).remove(0);
    if let Event::Intent(intent) = &mut stolen.event {
        intent.id = id(1, 1);
    }
    stolen.state = TopUp::ready();
    stolen.state.apply(&stolen.event, stolen.at).unwrap();
    let record = Record { batch: fixture.batch, batch_events: Vec::new(), entries: vec![stolen] };
    let refused = writer.append(record).wait();
    assert!(matches!(refused, Err(LedgerError::Illegal { row: RowNumber(2), .. })), "{refused:?}");
}

#[test]
fn a_batch_is_admitted_whole_or_not_at_all() {
    let fixture = Fixture::new();
    let mut ledger = fixture.ledger();
    let breaks = rows().map(Ok).take(4).chain([Err("the file changed")]);
    let refused = ledger.admit(&new_batch("other-11112222"), breaks);
    assert!(matches!(refused, Err(AdmitError::Rows("the file changed"))));
    assert_eq!(ledger.batches().unwrap().len(), 1);
    let again = ledger.admit(&new_batch("pay-0a1b2c3d"), rows().map(Ok::<_, ()>));
    assert!(
        matches!(again, Err(AdmitError::Ledger(LedgerError::BatchExists { name })) if name == "pay-0a1b2c3d")
    );
    let mut nul = admitted(1);
    nul.cells[1] = "a\0b".to_owned();
    let refused = ledger.admit(&new_batch("other-11112222"), [Ok::<_, ()>(nul)]);
    assert!(matches!(refused, Err(AdmitError::Ledger(LedgerError::NulCell { row: RowNumber(1) }))));
    assert!(ledger.verify(fixture.batch).unwrap().is_clean());
}

#[test]
fn a_corrected_row_has_its_new_order_and_cells_and_can_be_sent() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    let order = Box::new(crate::fixture::order(10));
    let entries = fixture.entries(10, &[Event::Readmitted { order: order.clone() }]);
    let cells = vec!["0912345610".to_owned(), "right now".to_owned()];
    let corrected = BatchEvent::Corrected { row: RowNumber(10), cells: cells.clone() };
    let batch_events = vec![(WallTime(5), corrected)];
    writer.append(Record { batch: fixture.batch, batch_events, entries }).wait().unwrap();
    fixture.live(&writer, 10, &[intent(10, 1), answered(10, SubmitMeaning::Succeeded)]);
    let row = fixture.reader().row(fixture.batch, RowNumber(10)).unwrap().unwrap();
    assert_eq!((row.cells, row.order), (cells, Some(*order)));
    assert_eq!(row.state.status(), Status::Succeeded);
    let names: Vec<_> = fixture.reader().history(fixture.batch, RowNumber(10)).unwrap();
    assert_eq!(names.iter().map(|(_, e)| e.name()).collect::<Vec<_>>(), ["readmitted", "intent", "answered"]);
    let report = fixture.reader().verify(fixture.batch).unwrap();
    assert!(report.is_clean(), "{report:?}");
}
