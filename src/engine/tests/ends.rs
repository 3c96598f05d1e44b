//! Promises about the end of a run: what is waited for, what is not, and that it comes.

use super::bench::{Setup, nigeria, order, ready, seconds, vietnam};
use crate::domain::{Attempt, Delivery, NetFault, Reason, TransactionId, WallTime};
use crate::engine::{Input, LaneStart, Loaded};
use crate::lifecycle::{Phase, TopUp};
use std::time::Duration;

#[test]
fn with_settle_for_zero_only_requests_under_way_are_waited_for() {
    let lane = nigeria();
    let rows = (1..=2).map(|row| ready(order(&lane, row, row, None))).collect();
    let mut setup = Setup::send(lane, rows);
    setup.settle_for = Duration::ZERO;
    let mut bench = setup.start();
    bench.open_nigeria();
    bench.name_operators("NG_MTN");
    bench.pass(seconds(1));
    let id = bench.intents(1)[0].as_str().to_owned();
    bench.reply(
        "/topup ",
        &format!(r#"{{"code":"1200","msg":"","result":{{"transId":"{id}","statusCode":"0"}}}}"#),
    );
    bench.pass(seconds(1));
    assert_eq!(bench.submits().len(), 1, "a row that can be sent is sent");
    bench.pass(seconds(20));
    assert!(!bench.engine.is_over(), "a submit is under way");
    bench.time_out("/topup ");
    bench.asked.retain(|asked| !asked.text.contains("/query "));
    assert_eq!((bench.phase(1), bench.phase(2)), (Phase::Pending, Phase::Unknown));
}

#[test]
fn a_run_without_rows_is_over_at_once() {
    let bench = Setup::send(vietnam(), Vec::new()).start();
    assert!(bench.engine.is_over());
    assert!(bench.asked.is_empty());
}

#[test]
fn a_preflight_that_never_answers_ends_the_run_with_nothing_sent() {
    let lane = vietnam();
    let mut bench = Setup::send(lane.clone(), vec![ready(order(&lane, 1, 1, None))]).start();
    for _ in 0..100 {
        if bench.engine.is_over() {
            break;
        }
        if bench.asked.is_empty() {
            bench.pass(seconds(1));
        } else {
            bench.pass(seconds(30));
            bench.time_out("userbalance.jsp");
        }
    }
    assert!(bench.engine.is_over());
    assert_eq!(bench.halts(), 1);
    assert!(bench.intents(1).is_empty());
}

#[test]
fn a_preflight_that_answers_nonsense_ends_the_run_at_its_settle_time() {
    let lane = vietnam();
    let mut bench = Setup::send(lane.clone(), vec![ready(order(&lane, 1, 1, None))]).start();
    let mut waited = 0;
    while !bench.engine.is_over() && waited < 2000 {
        if !bench.asked.is_empty() {
            bench.reply("userbalance.jsp", "<html>");
        }
        bench.pass(seconds(1));
        waited += 1;
    }
    // A try that would come after the end is not waited for.
    assert!((530..=605).contains(&waited), "{waited}");
    assert!(bench.intents(1).is_empty());
}

#[test]
fn a_pause_longer_than_the_run_is_not_waited_for() {
    let mut lane = nigeria();
    lane.throttle_pause = seconds(3600);
    let mut bench = Setup::send(lane.clone(), vec![ready(order(&lane, 1, 1, None))]).start();
    bench.open_nigeria();
    bench.name_operators("NG_MTN");
    bench.pass(seconds(1));
    bench.reply("/topup ", r#"{"code":"4014","msg":"slow down"}"#);
    assert!(bench.engine.is_over());
    assert_eq!((bench.phase(1), bench.state(1).reason), (Phase::Ready, Some(Reason::Throttled)));
}

#[test]
fn a_number_that_nothing_in_this_run_frees_is_not_waited_for() {
    let lane = vietnam();
    let digits = order(&lane, 1, 1, None).phone.digits().to_owned();
    let mut setup = Setup::send(lane.clone(), vec![ready(order(&lane, 1, 1, None))]);
    setup.lanes[0].1 = LaneStart { open_numbers: vec![digits], ..LaneStart::default() };
    let mut bench = setup.start();
    bench.open_vietnam();
    assert!(bench.engine.is_over());
    assert_eq!(bench.state(1).reason, Some(Reason::NumberBusy));
}

#[test]
fn a_halt_told_by_a_look_up_before_the_submit_ends_the_run() {
    let lane = nigeria();
    let mut bench = Setup::send(lane.clone(), vec![ready(order(&lane, 1, 1, None))]).start();
    bench.open_nigeria();
    bench.reply("queryOperatorCode", r#"{"code":"4001","msg":"invalid signature"}"#);
    assert_eq!(bench.halts(), 1);
    assert!(bench.engine.is_over(), "nobody waits for a row that will not be sent");
}

#[test]
fn a_halt_by_silence_ends_the_run() {
    let lane = nigeria();
    let mut bench = Setup::send(lane.clone(), vec![ready(order(&lane, 1, 1, None))]).start();
    bench.open_nigeria();
    for _ in 0..40 {
        if bench.engine.is_over() {
            break;
        }
        if bench.asked.is_empty() {
            bench.pass(seconds(1));
        } else {
            bench.pass(seconds(30));
            bench.time_out("queryOperatorCode");
        }
    }
    assert_eq!(bench.halts(), 1);
    assert!(bench.engine.is_over());
}

#[test]
fn after_its_end_the_engine_wants_nothing() {
    let lane = nigeria();
    let mut open = TopUp::ready();
    open.phase = Phase::Sending;
    open.id = Some(TransactionId::parse("00000000000000000000").unwrap());
    open.attempt = Attempt(1);
    open.submits = 1;
    open.submitted_at = Some(WallTime(1_795_000_000_000_000));
    let mut setup = Setup::send(lane.clone(), vec![ready(order(&lane, 2, 2, None))]);
    setup.lanes[0].3 = vec![Loaded { order: order(&lane, 1, 1, None), topup: open, verify: false, ahead: 0 }];
    let mut bench = setup.start();
    bench.handle(Input::Drain);
    assert!(bench.engine.is_over());
    let (asked, entries) = (bench.asked_for_rows, bench.entries.len());
    let late: Vec<_> = bench.asked.clone();
    for asked in late {
        bench.handle(Input::Delivered { call: asked.call, delivery: Delivery::NotSent(NetFault::Connect) });
    }
    bench.handle(Input::Hint(TransactionId::parse("00000000000000000000").unwrap()));
    bench.handle(Input::Rows {
        lane: crate::engine::LaneId(0),
        open: true,
        rows: vec![ready(order(&lane, 3, 3, None))],
        more: true,
    });
    bench.pass(seconds(1000));
    bench.handle(Input::Tick);
    assert_eq!((bench.asked_for_rows, bench.entries.len()), (asked, entries));
    assert!(bench.engine.is_over());
    assert_eq!(bench.engine.next_deadline(), None);
}

#[test]
fn a_row_sent_late_is_followed_for_the_whole_settle_time() {
    let mut lane = nigeria();
    lane.phone_spacing = seconds(500);
    let rows = (1..=2).map(|row| ready(order(&lane, row, 5, None))).collect();
    let mut bench = Setup::send(lane, rows).start();
    bench.open_nigeria();
    bench.name_operators("NG_MTN");
    bench.pass(seconds(1));
    let done = |id: &str, status: u8| {
        format!(r#"{{"code":"1200","msg":"","result":{{"transId":"{id}","statusCode":"{status}"}}}}"#)
    };
    let id = bench.intents(1)[0].as_str().to_owned();
    bench.reply("/topup ", &done(&id, 1));
    bench.pass(seconds(510));
    let id = bench.intents(2)[0].as_str().to_owned();
    bench.reply("/topup ", &done(&id, 0));
    let mut waited = 0;
    while !bench.engine.is_over() && waited < 2000 {
        if !bench.asked.is_empty() {
            bench.reply("/query ", &done(&id, 0));
        }
        bench.pass(seconds(1));
        waited += 1;
    }
    assert!((585..=605).contains(&waited), "{waited}");
}

#[test]
fn two_silent_providers_do_not_keep_each_others_run_alive() {
    // Found by seed 7197: each one's next try was under way whenever the other's ended.
    let (first, second) = (vietnam(), nigeria());
    let mut setup = Setup::send(first.clone(), vec![ready(order(&first, 1, 1, None))]);
    setup.settle_for = Duration::ZERO;
    setup.lanes.push((
        second.clone(),
        LaneStart::default(),
        vec![ready(order(&second, 2, 1, None))],
        Vec::new(),
    ));
    let mut bench = setup.start();
    bench.pass(seconds(5));
    bench.reply("userbalance.jsp", "<html>");
    let mut waited = 0;
    while !bench.engine.is_over() && waited < 600 {
        bench.pass(seconds(1));
        waited += 1;
        if waited % 20 == 0 && bench.asked.iter().any(|asked| asked.text.contains("queryGoods")) {
            bench.reply("queryGoods", "<html>");
        }
        if waited % 20 == 10 && bench.asked.iter().any(|asked| asked.text.contains("userbalance")) {
            bench.reply("userbalance.jsp", "<html>");
        }
    }
    assert!(waited <= 40, "{waited}");
}

#[test]
fn a_run_past_its_settle_time_waits_for_answers_not_for_the_clock() {
    let lane = vietnam();
    let mut setup = Setup::send(lane.clone(), vec![ready(order(&lane, 1, 1, None))]);
    setup.settle_for = Duration::ZERO;
    let bench = setup.start();
    assert_eq!(bench.asked.len(), 1, "the preflight is under way");
    assert_eq!(bench.engine.next_deadline(), None);
}
