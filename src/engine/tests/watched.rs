//! What whoever watches is told: every request with its meaning, and counts that add up.

use super::bench::{Setup, order, ready, seconds, vietnam};
use crate::domain::RowNumber;
use crate::engine::{CallKind, LaneId};

#[test]
fn every_request_is_told_with_what_it_was_for_and_what_came_of_it() {
    let lane = vietnam();
    let rows = (1..=3).map(|row| ready(order(&lane, row, row, None))).collect();
    let mut bench = Setup::send(lane, rows).start();
    let ended = |bench: &mut super::bench::Bench| {
        let (_, end) = bench.engine.take_call_end().unwrap();
        assert_eq!(bench.engine.take_call_end(), None, "told once");
        (end.kind, end.row.map(|row| row.0), end.meaning, end.code, end.id)
    };
    bench.open_vietnam();
    assert_eq!(ended(&mut bench), (CallKind::Preflight, None, "told", None, None));
    bench.pass(seconds(1));
    bench.reply("topup.jsp", "1;78");
    let id = bench.intents(1).pop();
    let code = Some("1".to_owned());
    assert_eq!(ended(&mut bench), (CallKind::Submit, Some(1), "succeeded", code, id));
    bench.pass(seconds(1));
    let second = bench.intents(2).pop().unwrap();
    let third = bench.intents(3).pop().unwrap();
    bench.time_out(second.as_str());
    assert_eq!(ended(&mut bench), (CallKind::Submit, Some(2), "no_answer", None, Some(second)));
    bench.reply(third.as_str(), "0;79");
    let (kind, row, meaning, ..) = ended(&mut bench);
    assert_eq!((kind, row.map(RowNumber), meaning), (CallKind::Submit, Some(RowNumber(3)), "unclear"));
    let stats = bench.engine.stats(LaneId(0), bench.now.tick);
    assert_eq!((stats.sent, stats.settled, stats.open, stats.unknown, stats.in_flight), (3, 1, 2, 2, 0));
    bench.pass(seconds(3));
    bench.reply("recheck.jsp", "1;79");
    let (kind, row, meaning, ..) = ended(&mut bench);
    assert_eq!((kind, row, meaning), (CallKind::LookUp, Some(3), "succeeded"));
    let stats = bench.engine.stats(LaneId(0), bench.now.tick);
    assert_eq!((stats.settled, stats.open, stats.unknown), (2, 1, 1));
}
