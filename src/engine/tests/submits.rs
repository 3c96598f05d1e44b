//! Promises about submits: one at a time, under one id, never two for one number, none after a halt.

use std::time::Duration;

use super::bench::{Bench, Setup, nigeria, order, ready, seconds, vietnam};
use crate::domain::{Boot, Delivery, NetFault, Now, Reason, Reply, Tick, WallTime};
use crate::engine::{Input, LaneStart, PastSubmit, Rate};
use crate::lifecycle::{Phase, TopUp};

const THROTTLED: &str = r#"{"code":"4014","msg":"slow down"}"#;

#[test]
fn the_first_submit_goes_alone_until_an_intact_answer_came() {
    let lane = vietnam();
    let rows = (1..=6).map(|row| ready(order(&lane, row, row, None))).collect();
    let mut bench = Setup::send(lane, rows).start();
    assert!(bench.submits().is_empty(), "the read-only call comes first");
    bench.open_vietnam();
    bench.pass(seconds(5));
    assert_eq!(bench.submits().len(), 1);
    bench.time_out("topup.jsp");
    bench.pass(seconds(5));
    assert_eq!(bench.submits().len(), 1, "a time-out is no answer");
    let cut = Reply { status: 200, intact: false, body: b"1;77".to_vec() };
    bench.deliver("topup.jsp", Delivery::Replied(cut));
    bench.pass(seconds(5));
    assert_eq!(bench.submits().len(), 1, "an answer that may be cut is not intact");
    bench.reply("topup.jsp", "<html>busy</html>");
    bench.pass(seconds(5));
    assert_eq!(bench.submits().len(), 1, "a web page is no answer");
    bench.reply("topup.jsp", "1;78");
    bench.pass(seconds(5));
    assert_eq!(bench.submits().len(), 2);
}

#[test]
fn a_throttled_row_goes_again_under_the_same_id() {
    let lane = nigeria();
    let mut bench = Setup::send(lane.clone(), vec![ready(order(&lane, 1, 1, None))]).start();
    bench.open_nigeria();
    bench.name_operators("NG_MTN");
    bench.pass(seconds(1));
    bench.reply("/topup ", THROTTLED);
    assert_eq!(bench.state(1).reason, Some(Reason::Throttled));
    bench.pass(seconds(59));
    assert_eq!(bench.submits().len(), 0, "the pause holds");
    bench.pass(seconds(30));
    let ids = bench.intents(1);
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    bench.reply(
        ids[0].as_str(),
        &format!(
            r#"{{"code":"1200","msg":"","result":{{"transId":"{}","statusCode":"1"}}}}"#,
            ids[0].as_str()
        ),
    );
    assert_eq!(bench.phase(1), Phase::Succeeded);
    assert_eq!(bench.state(1).submits, 2);
    assert!(bench.engine.is_over());
}

#[test]
fn a_throttled_operator_holds_up_no_other() {
    let lane = nigeria();
    let rows = (1..=2).map(|row| ready(order(&lane, row, row, None))).collect();
    let mut bench = Setup::send(lane, rows).start();
    bench.open_nigeria();
    bench.reply(
        "7030000001",
        r#"{"code":"1200","msg":"","result":{"operatorCode":"NG_MTN"}}"#.replace("7030000001", "").as_str(),
    );
    bench.name_operators("NG_AIRTEL");
    bench.pass(seconds(1));
    bench.reply("NG_MTN", r#"{"code":"4033","msg":"slow down"}"#);
    bench.pass(seconds(1));
    let under_way = bench.submits();
    assert_eq!(under_way.len(), 1);
    assert!(under_way[0].text.contains("NG_AIRTEL"));
}

#[test]
fn an_operator_halt_leaves_other_operators_running() {
    let lane = vietnam();
    let rows = vec![
        ready(order(&lane, 1, 1, Some("VTL"))),
        ready(order(&lane, 2, 2, Some("VTL"))),
        ready(order(&lane, 3, 3, Some("VMS"))),
        ready(order(&lane, 4, 4, None)),
    ];
    let mut bench = Setup::send(lane, rows).start();
    bench.open_vietnam();
    bench.pass(seconds(1));
    bench.reply("gateway=VTL", "-304");
    bench.pass(seconds(5));
    assert_eq!(bench.phase(1), Phase::Ready);
    assert_eq!(bench.state(1).reason, Some(Reason::ServicePaused));
    assert_eq!(bench.halts(), 1);
    let under_way = bench.submits();
    assert_eq!(under_way.len(), 2);
    assert!(under_way.iter().all(|asked| !asked.text.contains("VTL")));
    bench.reply("gateway=VMS", "1;3");
    bench.reply("topup.jsp", "1;4");
    assert!(bench.engine.is_over(), "rows behind the halt are not waited for");
    assert!(bench.intents(2).is_empty());
}

#[test]
fn a_row_that_comes_back_to_a_halted_operator_is_not_recorded_again() {
    let lane = vietnam();
    let rows = vec![
        ready(order(&lane, 1, 1, Some("VMS"))),
        ready(order(&lane, 2, 2, Some("VTL"))),
        ready(order(&lane, 3, 3, Some("VTL"))),
    ];
    let mut bench = Setup::send(lane, rows).start();
    bench.open_vietnam();
    bench.pass(seconds(1));
    bench.reply("gateway=VMS", "1;1");
    bench.pass(seconds(1));
    assert_eq!(bench.submits().len(), 2);
    bench.reply("gateway=VTL", "-304");
    bench.deliver("gateway=VTL", Delivery::NotSent(NetFault::Connect));
    bench.pass(seconds(60));
    assert_eq!(bench.intents(3).len(), 1, "the halt is known before anything is written");
    assert!(bench.engine.is_over());
}

#[test]
fn a_provider_halt_leaves_other_providers_running() {
    let (first, second) = (vietnam(), nigeria());
    let mut setup = Setup::send(first.clone(), vec![ready(order(&first, 1, 1, None))]);
    setup.lanes.push((
        second.clone(),
        LaneStart::default(),
        vec![ready(order(&second, 2, 1, None))],
        Vec::new(),
    ));
    let mut bench = setup.start();
    bench.open_vietnam();
    bench.open_nigeria();
    bench.name_operators("NG_MTN");
    bench.pass(seconds(1));
    bench.reply("topup.jsp", "-3");
    bench.pass(seconds(1));
    assert_eq!(bench.state(1).reason, Some(Reason::InsufficientBalance));
    assert_eq!(bench.submits().len(), 1, "the other provider's submit is still under way");
    assert!(!bench.engine.is_over());
}

#[test]
fn a_number_never_has_two_open_orders() {
    let lane = nigeria();
    let rows = (1..=3).map(|row| ready(order(&lane, row, 5, None))).collect();
    let mut bench = Setup::send(lane, rows).start();
    bench.open_nigeria();
    bench.name_operators("NG_MTN");
    bench.pass(seconds(1));
    for row in 1..=3 {
        assert_eq!(bench.submits().len(), 1, "row {row}");
        let id = bench.intents(row)[0].as_str().to_owned();
        let pending = format!(r#"{{"code":"1200","msg":"","result":{{"transId":"{id}","statusCode":"0"}}}}"#);
        bench.reply("/topup ", &pending);
        bench.pass(seconds(1));
        assert_eq!(bench.submits().len(), 0, "row {row} is pending");
        bench.pass(seconds(2));
        bench.reply("/query ", &pending.replace(r#""statusCode":"0""#, r#""statusCode":"1""#));
        bench.pass(seconds(1));
    }
    assert!(bench.engine.is_over());
}

#[test]
fn a_row_that_left_does_not_block_those_behind_it() {
    // Row 1 holds the number; row 2 waits for it but leaves with its operator; row 3 still gets its turn.
    let lane = vietnam();
    let rows = vec![
        ready(order(&lane, 1, 5, Some("VMS"))),
        ready(order(&lane, 2, 5, Some("VTL"))),
        ready(order(&lane, 3, 5, Some("VMS"))),
        ready(order(&lane, 4, 6, Some("VTL"))),
        ready(order(&lane, 5, 7, Some("VMS"))),
    ];
    let mut bench = Setup::send(lane, rows).start();
    bench.open_vietnam();
    bench.pass(seconds(1));
    bench.reply("gateway=VMS", "<html></html>");
    bench.pass(seconds(1));
    // Row 1 is parked and keeps its number: nobody else may have it.
    assert_eq!(bench.phase(1), Phase::Asking);
    let mut bench = {
        let lane = vietnam();
        let rows = vec![
            ready(order(&lane, 9, 9, Some("VMS"))),
            ready(order(&lane, 10, 5, Some("VMS"))),
            ready(order(&lane, 11, 5, Some("VTL"))),
            ready(order(&lane, 12, 5, Some("VMS"))),
            ready(order(&lane, 13, 6, Some("VTL"))),
        ];
        Setup::send(lane, rows).start()
    };
    bench.open_vietnam();
    bench.pass(seconds(1));
    bench.reply("topup.jsp", "1;9");
    bench.pass(seconds(1));
    assert_eq!(bench.submits().len(), 2, "rows 10 and 13 are under way, 11 and 12 wait");
    bench.reply("gateway=VTL", "-304");
    bench.reply("gateway=VMS", "1;10");
    bench.pass(seconds(1));
    assert_eq!(bench.intents(12).len(), 1);
    assert_eq!(bench.submits().len(), 1);
    bench.reply("gateway=VMS", "1;12");
    assert!(bench.engine.is_over());
}

#[test]
fn a_number_with_two_holders_is_free_after_both() {
    // Another batch has an order open for the number; an order of ours from before ends meanwhile.
    let lane = nigeria();
    let mut done_before = TopUp::ready();
    done_before.phase = Phase::Pending;
    done_before.id = Some(crate::domain::TransactionId::parse("00000000000000000000").unwrap());
    done_before.attempt = crate::domain::Attempt(1);
    done_before.submits = 1;
    done_before.submitted_at = Some(WallTime(1_795_000_000_000_000));
    let open = vec![crate::engine::Loaded {
        order: order(&lane, 1, 5, None),
        topup: done_before,
        verify: false,
        ahead: 0,
    }];
    let digits = order(&lane, 1, 5, None).phone.digits().to_owned();
    let start = LaneStart { open_numbers: vec![digits], ..LaneStart::default() };
    let mut setup = Setup::send(lane.clone(), Vec::new());
    setup.lanes = vec![(lane.clone(), start, vec![ready(order(&lane, 2, 5, None))], open)];
    let mut bench = setup.start();
    let done = r#"{"code":"1200","msg":"","result":{"transId":"00000000000000000000","statusCode":"1"}}"#;
    bench.reply("/query ", done);
    assert_eq!(bench.phase(1), Phase::Succeeded);
    bench.open_nigeria();
    bench.name_operators("NG_MTN");
    bench.pass(seconds(1));
    assert!(bench.submits().is_empty(), "the other batch's order is still open");
}

#[test]
fn two_orders_for_one_number_are_spaced() {
    let mut lane = vietnam();
    lane.phone_spacing = seconds(100);
    let rows = (1..=2).map(|row| ready(order(&lane, row, 5, None))).collect();
    let mut bench = Setup::send(lane, rows).start();
    bench.open_vietnam();
    bench.pass(seconds(1));
    bench.reply("topup.jsp", "1;1");
    bench.pass(seconds(98));
    assert!(bench.submits().is_empty());
    bench.pass(seconds(3));
    assert_eq!(bench.submits().len(), 1);
}

#[test]
fn the_spacing_after_a_restart_counts_from_when_the_submit_left_at_the_latest() {
    let mut lane = vietnam();
    lane.phone_spacing = seconds(100);
    // Decided 98 s before this run; it waited up to 5 s for a place among the submits under way.
    let (tick, wall) = (Tick(1_000_000_000 - 98_000_000), WallTime(1_795_000_000_000_000 - 98_000_000));
    let decided = Now { tick, wall, boot: Boot(1) };
    let one = ready(order(&lane, 1, 5, None));
    let spaced_numbers = vec![(one.order.phone.digits().to_owned(), decided)];
    let start = LaneStart { spaced_numbers, ..LaneStart::default() };
    let mut setup = Setup::send(lane.clone(), Vec::new());
    setup.lanes = vec![(lane, start, vec![one], Vec::new())];
    let mut bench = setup.start();
    bench.open_vietnam();
    bench.pass(seconds(6));
    assert!(bench.submits().is_empty());
    bench.pass(seconds(2));
    assert_eq!(bench.submits().len(), 1);
}

#[test]
fn an_intent_held_up_too_long_is_undone() {
    let lane = vietnam();
    let mut bench = Setup::send(lane.clone(), vec![ready(order(&lane, 1, 1, None))]).start();
    bench.hold_commits = true;
    bench.open_vietnam();
    bench.pass(seconds(1));
    assert_eq!(bench.phase(1), Phase::Sending);
    bench.skip(seconds(600));
    bench.hold_commits = false;
    bench.commit();
    let undone = bench.entries.iter().any(|entry| entry.event.name() == "not_sent");
    assert!(undone);
    bench.pass(seconds(1));
    assert_eq!(bench.submits().len(), 1, "it goes again with a fresh intent");
    assert_eq!(bench.intents(1).len(), 2);
}

#[test]
fn a_ledger_too_slow_for_any_submit_halts() {
    let lane = vietnam();
    let mut bench = Setup::send(lane.clone(), vec![ready(order(&lane, 1, 1, None))]).start();
    bench.hold_commits = true;
    bench.open_vietnam();
    for _ in 0..40 {
        bench.pass(seconds(1));
        bench.skip(seconds(30));
        bench.commit();
    }
    assert_eq!(bench.halts(), 1);
    assert!(bench.submits().is_empty());
    assert!(bench.engine.is_over());
}

#[test]
fn an_intent_without_its_receipt_is_a_fault() {
    let lane = vietnam();
    let mut bench = Setup::send(lane.clone(), vec![ready(order(&lane, 1, 1, None))]).start();
    bench.hold_commits = true;
    bench.open_vietnam();
    bench.pass(seconds(1));
    bench.commit_without_receipt();
    assert_eq!(bench.faults(), 1);
}

#[test]
fn nothing_is_sent_before_its_commit() {
    let lane = vietnam();
    let mut bench = Setup::send(lane.clone(), vec![ready(order(&lane, 1, 1, None))]).start();
    bench.hold_commits = true;
    bench.open_vietnam();
    bench.pass(seconds(1));
    assert!(bench.submits().is_empty());
    bench.commit();
    bench.pass(Duration::from_millis(100));
    assert_eq!(bench.submits().len(), 1);
}

#[test]
fn three_numbers_at_their_daily_limit_halt_the_provider() {
    let lane = nigeria();
    let rows = (1..=5).map(|row| ready(order(&lane, row, row, None))).collect();
    let mut bench = Setup::send(lane, rows).start();
    bench.open_nigeria();
    bench.name_operators("NG_MTN");
    for row in 1..=3 {
        assert_eq!(bench.halts(), 0, "before row {row}");
        bench.pass(seconds(1));
        bench.reply("/topup ", r#"{"code":"4015","msg":"daily limit"}"#);
        assert_eq!(bench.state(row).reason, Some(Reason::Throttled));
    }
    assert_eq!(bench.halts(), 1);
}

#[test]
fn unclear_answers_in_succession_halt_the_provider() {
    let mut lane = vietnam();
    lane.halt_after_unclear = 3;
    lane.max_in_flight = 1;
    let rows = (1..=6).map(|row| ready(order(&lane, row, row, None))).collect();
    let mut bench = Setup::send(lane, rows).start();
    bench.open_vietnam();
    for body in ["-99", "1;5", "-99", "-5", "0;7"] {
        bench.pass(seconds(1));
        assert_eq!(bench.halts(), 0, "{body}");
        bench.reply("topup.jsp", body);
    }
    assert_eq!(bench.halts(), 1);
    bench.pass(seconds(10));
    assert!(bench.submits().is_empty());
}

#[test]
fn what_was_sent_before_a_restart_counts_for_the_rate() {
    let mut lane = vietnam();
    lane.submit_rate = Rate { count: 2, window: seconds(60) };
    let rows = (1..=2).map(|row| ready(order(&lane, row, row, None))).collect();
    let mut setup = Setup::send(lane, rows);
    let past = |age| PastSubmit { intended: seconds(age), over: None };
    setup.lanes[0].1.recent_submits = vec![past(3), past(10)];
    let mut bench = setup.start();
    bench.open_vietnam();
    // The two before left in the last 10 s: a third one may not leave until the first of them is 60 s old.
    bench.pass(seconds(50));
    assert!(bench.submits().is_empty());
    bench.pass(seconds(30));
    assert_eq!(bench.submits().len(), 1);
}

#[test]
fn a_drain_sends_nothing_more_and_waits_for_what_is_under_way() {
    let lane = vietnam();
    let rows = (1..=4).map(|row| ready(order(&lane, row, row, None))).collect();
    let mut bench = Setup::send(lane, rows).start();
    bench.open_vietnam();
    bench.pass(seconds(1));
    bench.handle(Input::Drain);
    assert!(!bench.engine.is_over());
    bench.reply("topup.jsp", "1;1");
    assert_eq!(bench.phase(1), Phase::Succeeded);
    assert!(bench.engine.is_over());
    assert!(bench.intents(2).is_empty());
}

#[test]
fn a_drain_undoes_an_intent_that_was_not_sent() {
    let lane = vietnam();
    let mut bench = Setup::send(lane.clone(), vec![ready(order(&lane, 1, 1, None))]).start();
    bench.hold_commits = true;
    bench.open_vietnam();
    bench.pass(seconds(1));
    bench.handle(Input::Drain);
    assert!(!bench.engine.is_over(), "the intent may stand in the ledger");
    bench.commit();
    bench.commit();
    assert_eq!(bench.phase(1), Phase::Ready);
    assert!(bench.submits().is_empty());
    assert!(bench.engine.is_over());
}

/// Nine rows at a provider that takes two at once, whose first submit was answered; commits wait.
fn crowd() -> Bench {
    let mut lane = vietnam();
    lane.max_in_flight = 2;
    let rows = (1..=9).map(|row| ready(order(&lane, row, row, None))).collect();
    let mut bench = Setup::send(lane, rows).start();
    bench.open_vietnam();
    bench.pass(seconds(1));
    bench.reply("topup.jsp", "1;1");
    bench.pass(seconds(1));
    assert_eq!(bench.submits().len(), 2);
    bench
}

#[test]
fn a_place_that_gets_free_is_taken_without_waiting_for_a_commit() {
    let mut bench = crowd();
    // Two intents stand beside the full width, and no more than that.
    assert_eq!((2..=9).filter(|row| !bench.intents(*row).is_empty()).count(), 4);
    bench.hold_commits = true;
    for reply in ["1;2", "1;3"] {
        bench.reply("topup.jsp", reply);
        bench.pass(Duration::from_millis(100));
        assert_eq!(bench.submits().len(), 2);
    }
    bench.reply("topup.jsp", "1;4");
    bench.pass(Duration::from_millis(100));
    assert_eq!(bench.submits().len(), 1, "this one has to wait for its commit");
    bench.commit();
    bench.pass(Duration::from_millis(100));
    assert_eq!(bench.submits().len(), 2);
}

#[test]
fn an_intent_that_found_no_place_is_undone_and_halts_nothing() {
    let mut bench = crowd();
    for turn in 1..=20 {
        bench.pass(seconds(6));
        bench.handle(Input::Tick);
        assert_eq!((bench.submits().len(), bench.halts()), (2, 0), "turn {turn}");
    }
    assert_eq!(bench.intents(4).len(), 1, "armed once, not again and again");
    assert_eq!(bench.phase(4), Phase::Ready);
    // Answers come again: everything goes on, under the same id.
    for _ in 0..8 {
        bench.reply("topup.jsp", "1;9");
        bench.pass(seconds(1));
        assert!(bench.submits().len() <= 2);
    }
    let ids = bench.intents(4);
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    assert!((1..=9).all(|row| bench.phase(row) == Phase::Succeeded));
    assert_eq!((bench.halts(), bench.faults()), (0, 0));
}
