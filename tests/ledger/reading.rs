//! What readers see, beside a writer at work.

use std::collections::BTreeSet;
use std::time::Duration;

use bulk_topup::domain::{
    AccountId, Country, Halt, Order, PhoneNumber, ProviderKind, ProviderRef, Reason, RowNumber, Status,
    SubmitMeaning, ThrottleScope, Tick, WallTime,
};
use bulk_topup::ledger::{BatchEvent, FoundBatch, Hint, Ledger, Record};
use bulk_topup::lifecycle::{Entry, Event, StoredRow};

use crate::fixture::{
    Fixture, ROWS, account, admit, admitted, answered, at, id, intent, new_batch, now, order, rows,
    run_started,
};

fn numbers(rows: &[StoredRow]) -> Vec<u64> {
    rows.iter().map(|row| row.row.0).collect()
}

#[test]
fn rows_read_back_as_they_were_admitted() {
    let fixture = Fixture::new();
    let read = fixture.reader().rows_page(fixture.batch, None, 100).unwrap();
    assert_eq!(read.len(), 10);
    for (stored, admitted) in read.iter().zip(rows()) {
        assert_eq!((stored.row, stored.line), (admitted.row, admitted.line));
        assert_eq!((&stored.cells, &stored.order), (&admitted.cells, &admitted.order));
        assert_eq!((&stored.state, &stored.notes), (&admitted.state, &admitted.notes));
    }
    let info = fixture.reader().batch(fixture.batch).unwrap();
    let new = new_batch("pay-0a1b2c3d");
    assert_eq!((info.name, info.header, info.dialect), (new.name, new.header, new.dialect));
    assert_eq!((info.source, info.results_path), (new.source, new.results_path));
    assert_eq!((info.file_sha256, info.rows, info.sandbox), ([7; 32], ROWS, false));
    assert_eq!((info.created_at, info.cancelled_at), (WallTime(1_000), None));
}

#[test]
fn pages_go_on_where_the_last_one_ended() {
    let fixture = Fixture::new();
    let reader = fixture.reader();
    assert_eq!(numbers(&reader.rows_page(fixture.batch, None, 4).unwrap()), [1, 2, 3, 4]);
    assert_eq!(numbers(&reader.rows_page(fixture.batch, Some(RowNumber(8)), 4).unwrap()), [9, 10]);
    let writer = fixture.writer();
    fixture.live(&writer, 2, &[intent(2, 1)]);
    let ready = |after, limit| reader.ready_page(fixture.batch, &account(), after, limit).unwrap();
    assert_eq!(numbers(&ready(None, 3)), [1, 3, 4]);
    assert_eq!(numbers(&ready(Some(RowNumber(4)), 50)), [5, 6, 7, 8, 9]);
    let other = AccountId::new(ProviderKind::ConnectTopup, "somebody else");
    assert_eq!(reader.ready_page(fixture.batch, &other, None, 50).unwrap(), []);
}

#[test]
fn open_rows_are_found_in_every_phase_that_may_have_moved_money() {
    let fixture = Fixture::new();
    let mut ledger = fixture.ledger();
    let second = admit(&mut ledger, &new_batch("other-11112222"), [admitted(1)]);
    let writer = fixture.writer();
    fixture.live(&writer, 1, &[intent(1, 1)]);
    fixture.live(&writer, 2, &[intent(2, 1), answered(2, SubmitMeaning::Pending)]);
    fixture.live(&writer, 3, &[intent(3, 1), answered(3, SubmitMeaning::Failed)]);
    let lost = Event::Interrupted { at: now(4), can_ask: true };
    fixture.live(&writer, 4, &[intent(4, 1), lost.clone()]);
    fixture.live(&writer, 5, &[intent(5, 1), lost, Event::GaveUp]);
    let reader = fixture.reader();
    let open = |batch, after, limit| -> Vec<(bool, u64)> {
        let page = reader.open_page(batch, after, limit).unwrap();
        page.iter().map(|(id, row)| (*id == second, row.row.0)).collect()
    };
    assert_eq!(open(Some(fixture.batch), None, 50), [(false, 1), (false, 2), (false, 4), (false, 5)]);
    assert_eq!(open(None, None, 50).len(), 4);
    assert_eq!(open(None, Some((fixture.batch, RowNumber(2))), 1), [(false, 4)]);
    assert_eq!(open(Some(second), None, 50), []);
    let of_account = reader.open_page_of(fixture.batch, &account(), Some(RowNumber(1)), 2).unwrap();
    assert_eq!(numbers(&of_account), [2, 4]);
    let open: BTreeSet<String> = reader.open_numbers(&account(), Some(second)).unwrap().into_iter().collect();
    let expected: BTreeSet<String> = [1, 2, 4, 5].map(|row| order(row).phone.digits().to_owned()).into();
    assert_eq!(open, expected);
    assert!(reader.open_numbers(&account(), Some(fixture.batch)).unwrap().is_empty());
}

#[test]
fn a_batch_is_found_by_any_unambiguous_beginning_of_its_name() {
    let fixture = Fixture::new();
    let mut ledger = fixture.ledger();
    admit(&mut ledger, &new_batch("pay-0a1bffff"), [admitted(1)]);
    admit(&mut ledger, &new_batch("pay-0a1b2c3d-0a1b2c3d"), [admitted(1)]);
    let found = |prefix| ledger.find_batch(prefix).unwrap();
    assert!(matches!(found("pay-0a1bf"), FoundBatch::One(info) if info.name.as_str() == "pay-0a1bffff"));
    assert!(matches!(found("pay-0a1b2c3d"), FoundBatch::One(info) if info.name.as_str() == "pay-0a1b2c3d"));
    assert!(matches!(found("pay-"), FoundBatch::Ambiguous(names) if names.len() == 3));
    assert_eq!(found("x"), FoundBatch::None);
    assert_eq!(found("p%"), FoundBatch::None);
}

#[test]
fn batches_of_a_stem_with_rows_to_send_are_found() {
    let fixture = Fixture::new();
    let mut ledger = fixture.ledger();
    admit(&mut ledger, &new_batch("pay-0a1bffff"), rows().skip(9));
    admit(&mut ledger, &new_batch("pay-roll-0a1bffff"), [admitted(1)]);
    let found = ledger.unfinished_batches_of_stem("pay").unwrap();
    let found: Vec<_> = found.iter().map(|(info, ready)| (info.name.as_str(), *ready)).collect();
    assert_eq!(found, [("pay-0a1b2c3d", 9)]);
}

#[test]
fn every_id_ever_submitted_leads_to_its_row() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    let failed = answered(1, SubmitMeaning::Failed);
    fixture.live(&writer, 1, &[intent(1, 1), failed, Event::Released, intent(1, 2)]);
    for attempt in [1, 2] {
        let found = fixture.reader().row_by_txn(&id(1, attempt)).unwrap();
        assert_eq!(found, Some((fixture.batch, RowNumber(1))));
    }
    assert_eq!(fixture.reader().row_by_txn(&id(2, 1)).unwrap(), None);
}

#[test]
fn the_last_run_tells_its_halts_and_its_end() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    let halt = |code: &str| {
        let code = code.to_owned();
        let halt = Halt { operator: None, reason: Reason::ProviderBalance, code, message: "m".to_owned() };
        BatchEvent::Halted { provider: "vietnam".to_owned(), halt }
    };
    let tell = |events: Vec<BatchEvent>| {
        let batch_events = events.into_iter().map(|event| (WallTime(9), event)).collect();
        let record = Record { batch: fixture.batch, batch_events, entries: Vec::new() };
        writer.append(record).wait().unwrap();
    };
    assert_eq!(fixture.reader().last_run(fixture.batch).unwrap(), None);
    tell(vec![run_started(), halt("-1"), BatchEvent::RunEnded { reason: None, exit: 5 }]);
    tell(vec![run_started(), halt("-2")]);
    let run = fixture.reader().last_run(fixture.batch).unwrap().unwrap();
    assert_eq!((run.command.as_str(), run.pid, run.started, run.ended), ("run", 7, now(0), None));
    assert_eq!(run.halts.iter().map(|h| h.halt.code.as_str()).collect::<Vec<_>>(), ["-2"]);
    tell(vec![BatchEvent::RunEnded { reason: Some(Reason::Interrupted), exit: 130 }]);
    let view = fixture.reader().run_view(fixture.batch).unwrap();
    assert_eq!((view.end_reason, view.halts.len()), (Some(Reason::Interrupted), 1));
    assert!(fixture.reader().verify(fixture.batch).unwrap().is_clean());
}

#[test]
fn limits_are_told_every_submit_of_the_account_with_both_clocks() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    let throttled = answered(1, SubmitMeaning::Throttled(ThrottleScope::Provider));
    fixture.live(&writer, 1, &[intent(1, 1), throttled, intent(1, 1)]);
    fixture.live(&writer, 5, &[intent(5, 1), answered(5, SubmitMeaning::Succeeded)]);
    fixture.live(&writer, 6, &[intent(6, 1), answered(6, SubmitMeaning::Failed)]);
    let reader = fixture.reader();
    let told = reader.recent_submits(&account(), WallTime(0), (0, 100)).unwrap();
    assert_eq!(
        told.iter().map(|submit| submit.intended).collect::<Vec<_>>(),
        [now(1), now(1), now(5), now(6)]
    );
    assert_eq!(reader.recent_submits(&account(), at(5), (0, 100)).unwrap(), told[2..]);
    assert_eq!(reader.recent_submits(&account(), at(5), (3, 100)).unwrap(), told[1..]);
    assert_eq!(reader.recent_submits(&account(), WallTime(0), (0, 3)).unwrap(), told[1..], "the last ones");
    let other = AccountId::new(ProviderKind::Tutom, "demo");
    assert_eq!(reader.recent_submits(&other, WallTime(0), (9, 9)).unwrap(), []);
    let back_to_5 = Duration::from_micros(u64::try_from(at(9).0 - at(5).0).unwrap());
    let mut last = reader.last_submits_of_numbers(&account(), now(9), back_to_5).unwrap();
    last.sort_by_key(|(phone, _)| phone.clone());
    let digits = |row| order(row).phone.digits().to_owned();
    assert_eq!(last, [(digits(5), now(5)), (digits(6), now(6))]);
    let spent = reader.spent_since(&account(), WallTime(0)).unwrap();
    assert_eq!(spent.iter().map(ToString::to_string).collect::<Vec<_>>(), ["40000 VND"]);
}

#[test]
fn of_every_submit_is_told_when_nothing_of_it_could_leave_any_more() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    let answer = |row: u64, meaning: SubmitMeaning, after_us: i64| {
        let mut state = fixture.reader().row(fixture.batch, RowNumber(row)).unwrap().unwrap().state;
        let (event, at) = (answered(row, meaning), WallTime(at(row).0 + after_us));
        state.apply(&event, at).unwrap();
        let entries = vec![Entry { row: RowNumber(row), event, at, state }];
        let record = Record { batch: fixture.batch, batch_events: Vec::new(), entries };
        writer.append(record).wait().unwrap();
    };
    let throttled = || SubmitMeaning::Throttled(ThrottleScope::Provider);
    for row in [1, 5, 6, 7] {
        fixture.live(&writer, row, &[intent(row, 1)]);
    }
    answer(1, throttled(), 300);
    fixture.live(&writer, 1, &[intent(1, 1)]);
    answer(5, SubmitMeaning::Succeeded, 250);
    answer(6, throttled(), 100);
    // The clock went back while it was under way: that says nothing.
    answer(7, SubmitMeaning::Succeeded, -50);
    let submits = fixture.reader().recent_submits(&account(), WallTime(0), (0, 100)).unwrap();
    let over: Vec<Option<Tick>> = submits.iter().map(|submit| submit.over.map(|now| now.tick)).collect();
    // Row 1 is under way again: its first submit is behind the second, and of that nothing is known.
    assert_eq!(over, [None, None, Some(Tick(5_250)), Some(Tick(6_100)), None]);
}

#[test]
fn a_repeat_is_the_same_order_in_another_batch_that_may_have_cost_or_may_still_cost() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    fixture.live(&writer, 2, &[intent(2, 1), answered(2, SubmitMeaning::Succeeded)]);
    fixture.live(&writer, 3, &[intent(3, 1), answered(3, SubmitMeaning::Failed)]);
    let reader = fixture.reader();
    let repeat = |order: &Order, since| reader.recent_repeat(order, since, None).unwrap();
    assert_eq!(repeat(&order(1), WallTime(0)).unwrap().status, Status::NotSent);
    let done = repeat(&order(2), WallTime(0)).unwrap();
    assert_eq!(
        (done.status, done.row, done.at, done.batch.as_str()),
        (Status::Succeeded, RowNumber(2), at(2), "pay-0a1b2c3d")
    );
    assert_eq!(repeat(&order(2), WallTime(at(2).0 + 1)), None);
    assert_eq!(repeat(&order(3), WallTime(0)), None);
    assert_eq!(reader.recent_repeat(&order(2), WallTime(0), Some(fixture.batch)).unwrap(), None);
    let mut same = order(2);
    same.amount = Some("20000".parse().unwrap());
    same.reference = Some("another".to_owned());
    assert!(repeat(&same, WallTime(0)).is_some());
    same.amount = Some("20001".parse().unwrap());
    assert_eq!(repeat(&same, WallTime(0)), None);
    let mut elsewhere = order(2);
    elsewhere.phone = PhoneNumber::new(Country::VN, "84", "999999999").unwrap();
    let several = reader.recent_repeats(&[&elsewhere, &order(2)], WallTime(0), None).unwrap();
    assert_eq!(several.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn hints_are_kept_in_order_beside_a_submitting_writer() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    let listener = fixture.ledger();
    let hint = |row: u64| Hint {
        provider: "vietnam".to_owned(),
        id: Some(id(row, 1)),
        provider_ref: ProviderRef::parse("77").ok(),
        received_at: at(row),
    };
    let first = listener.append_hint(&hint(1)).unwrap();
    fixture.live(&writer, 1, &[intent(1, 1)]);
    let second = listener.append_hint(&Hint { id: None, ..hint(2) }).unwrap();
    let reader = fixture.reader();
    assert_eq!(
        reader.hints_after(0, 10).unwrap(),
        [(first, hint(1)), (second, Hint { id: None, ..hint(2) })]
    );
    assert_eq!(reader.hints_after(first, 10).unwrap().len(), 1);
}

#[test]
fn two_readers_see_whole_commits_only_while_a_writer_works() {
    const ROUNDS: u64 = 50;
    let fixture = Fixture::new();
    let writer = fixture.writer();
    let batch = fixture.batch;
    // Each record moves two rows at once: whoever reads sees both or none of it.
    let watch = |reader: Ledger| {
        std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            loop {
                let counts = reader.counts(batch).unwrap();
                assert_eq!(counts.rows(), ROWS);
                seen.insert(counts.unknown);
                if counts.failed == 2 {
                    return seen;
                }
            }
        })
    };
    let watchers = [watch(fixture.reader()), watch(fixture.reader())];
    let both = |event: &dyn Fn(u64) -> Event| {
        let mut entries = fixture.entries(1, &[event(1)]);
        entries.extend(fixture.entries(2, &[event(2)]));
        writer.append(Record { batch, batch_events: Vec::new(), entries }).wait().unwrap();
    };
    for _ in 0..ROUNDS {
        both(&|row| intent(row, 1));
        both(&|row| answered(row, SubmitMeaning::Throttled(ThrottleScope::Provider)));
    }
    both(&|row| intent(row, 1));
    both(&|row| answered(row, SubmitMeaning::Failed));
    for watcher in watchers {
        assert!(watcher.join().unwrap().iter().all(|unknown| [0, 2].contains(unknown)));
    }
    assert!(fixture.reader().verify(batch).unwrap().is_clean());
}

#[test]
fn every_row_comes_once_with_its_history_and_ends_where_it_stands() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    fixture.live(&writer, 3, &[intent(3, 1), answered(3, SubmitMeaning::Succeeded)]);
    fixture.live(&writer, 1, &[intent(1, 1), answered(1, SubmitMeaning::Pending)]);
    fixture.live(&writer, 2, &[intent(2, 1)]);
    let reader = fixture.reader();
    let mut seen = Vec::new();
    reader
        .for_each_history::<bulk_topup::ledger::LedgerError>(fixture.batch, |row, steps| {
            let history = reader.history(fixture.batch, row.row)?;
            let told: Vec<_> = steps.iter().map(|step| (step.at, step.event.clone())).collect();
            assert_eq!(told, history, "row {}", row.row);
            for pair in steps.windows(2) {
                assert_eq!(pair[0].to, pair[1].from, "row {}", row.row);
            }
            if let (Some(first), Some(last)) = (steps.first(), steps.last()) {
                assert_eq!((first.from, last.to), (Status::NotSent, row.state.status()), "row {}", row.row);
            }
            seen.push((row.row.0, steps.len()));
            Ok(())
        })
        .unwrap();
    let steps = [2, 1, 2, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(seen, (1..=ROWS).zip(steps).collect::<Vec<_>>());
}
