//! What a look-up that found nothing proves, and when to look.

use std::time::Duration;

use super::*;
use crate::domain::ProviderRef;

fn policy() -> FollowPolicy {
    FollowPolicy {
        first_check: Duration::from_secs(2),
        max_check: Duration::from_secs(60),
        give_up: Duration::from_secs(48 * 3600),
        not_found_grace: Duration::from_secs(900),
        not_found_times: 3,
        trust_not_found: true,
    }
}

/// Judges one look-up and applies what follows.
fn see(policy: &FollowPolicy, topup: &mut TopUp, meaning: LookupMeaning, now: Now) -> Option<Event> {
    let event = policy.judge_look(topup, &look(meaning), now);
    if let Some(event) = &event {
        topup.apply(event, now.wall).unwrap();
    }
    event
}

fn not_found(policy: &FollowPolicy, topup: &mut TopUp, now: Now) -> Option<NotFoundRuling> {
    match see(policy, topup, LookupMeaning::NotFound, now) {
        Some(Event::NotFound { ruling, .. }) => Some(ruling),
        Some(other) => panic!("{other:?}"),
        None => None,
    }
}

#[test]
fn not_found_counts_only_after_the_grace_and_three_times_apart() {
    let (policy, mut topup) = (policy(), with(sending(), lost(true)));
    // Known lost at 130 s.
    assert_eq!(not_found(&policy, &mut topup, at(130)), None);
    assert_eq!(not_found(&policy, &mut topup, at(1029)), None);
    assert_eq!(not_found(&policy, &mut topup, at(1030)), Some(NotFoundRuling::Counted));
    assert_eq!(not_found(&policy, &mut topup, at(1031)), None, "too soon after the last one");
    assert_eq!(not_found(&policy, &mut topup, at(1032)), Some(NotFoundRuling::Counted));
    assert_eq!(not_found(&policy, &mut topup, at(1040)), Some(NotFoundRuling::Proved));
    assert!(topup.is_not_received());
    assert_eq!(topup.next_attempt(), Attempt(1), "the same order keeps its id");
}

#[test]
fn any_other_intact_answer_starts_the_series_again() {
    let (policy, mut topup) = (policy(), with(sending(), lost(true)));
    not_found(&policy, &mut topup, at(1100));
    not_found(&policy, &mut topup, at(1110));
    assert_eq!(see(&policy, &mut topup, unchanged(false), at(1112)), None, "a broken answer says nothing");
    assert_eq!(topup.not_found.map(|series| series.count), Some(2));
    assert_eq!(see(&policy, &mut topup, unchanged(true), at(1115)), Some(Event::SeriesEnded));
    assert_eq!(not_found(&policy, &mut topup, at(1120)), Some(NotFoundRuling::Counted));
    assert_eq!(topup.not_found.map(|series| series.count), Some(1));
}

#[test]
fn a_restarted_machine_or_a_jumped_clock_starts_the_grace_again() {
    let policy = policy();
    let other_boot = Now { boot: Boot(2), ..at(5000) };
    let jumped = Now { wall: WallTime(at(5000).wall.0 + 3_600_000_000), ..at(5000) };
    for later in [other_boot, jumped] {
        let mut topup = with(sending(), lost(true));
        assert_eq!(
            see(&policy, &mut topup, LookupMeaning::NotFound, later),
            Some(Event::GraceRestarted { at: later })
        );
        let soon = Now {
            tick: later.tick.after(Duration::from_secs(800)),
            wall: WallTime(later.wall.0 + 800_000_000),
            ..later
        };
        assert_eq!(not_found(&policy, &mut topup, soon), None);
        // In the middle of a series too.
        let mut topup = with(sending(), lost(true));
        not_found(&policy, &mut topup, at(4000));
        assert!(matches!(
            see(&policy, &mut topup, LookupMeaning::NotFound, later),
            Some(Event::GraceRestarted { .. })
        ));
        assert_eq!(topup.not_found, None);
    }
}

#[test]
fn untrusted_not_found_asks_a_person_and_stays_there() {
    let policy = FollowPolicy { trust_not_found: false, ..policy() };
    let mut topup = with(sending(), lost(true));
    not_found(&policy, &mut topup, at(1100));
    not_found(&policy, &mut topup, at(1110));
    assert_eq!(not_found(&policy, &mut topup, at(1120)), Some(NotFoundRuling::Untrusted));
    assert_eq!(topup.phase, Phase::Asking);
    assert_eq!(not_found(&policy, &mut topup, at(1130)), None);
    assert!(
        see(&policy, &mut topup, LookupMeaning::Succeeded, at(1140)).is_some(),
        "a final answer still lands"
    );
    assert_eq!(topup.phase, Phase::Succeeded);
}

#[test]
fn a_used_id_that_cannot_be_found_is_never_proved_unspent() {
    let duplicate = SubmitMeaning::Unclear(Unclear {
        reason: Reason::Conflict,
        halt: None,
        person_only: false,
        slow_down: false,
    });
    let (policy, mut topup) = (policy(), with(sending(), answered(duplicate, true)));
    for second in [1200, 1210] {
        assert_eq!(not_found(&policy, &mut topup, at(second)), Some(NotFoundRuling::Counted));
    }
    assert_eq!(not_found(&policy, &mut topup, at(1220)), Some(NotFoundRuling::Untrusted));
    assert_eq!((topup.phase, topup.reason), (Phase::Asking, Some(Reason::Conflict)));
}

#[test]
fn an_order_the_provider_took_is_never_proved_unspent() {
    let policy = policy();
    let mut gave_an_id = SubmitVerdict { meaning: unclear(false), answer: Answer::default() };
    gave_an_id.answer.provider_ref = Some(ProviderRef::parse("77").unwrap());
    let named = Event::Answered { verdict: gave_an_id, sent_at: at(100).wall, can_ask: true };
    let pending = answered(SubmitMeaning::Pending, true);
    for event in [named, pending] {
        let mut topup = with(sending(), event);
        for second in [1200, 1300, 1400, 1500] {
            assert_eq!(not_found(&policy, &mut topup, at(second)), None);
        }
        topup.apply(&Event::GaveUp, at(1600).wall).unwrap();
        for second in [1700, 1800, 1900, 2000] {
            assert_eq!(not_found(&policy, &mut topup, at(second)), None, "not after giving up either");
        }
        assert_eq!(topup.phase, Phase::Asking);
    }
}

#[test]
fn what_only_a_person_closes_is_not_closed_by_not_found() {
    // Tutom 21108.
    let (policy, mut topup) = (policy(), with(sending(), answered(unclear(true), true)));
    for second in [1200, 1300, 1400, 1500] {
        assert_eq!(not_found(&policy, &mut topup, at(second)), None);
    }
    assert!(see(&policy, &mut topup, LookupMeaning::Failed, at(1600)).is_some());
    assert_eq!(topup.phase, Phase::Failed);
}

#[test]
fn one_intact_look_decides_a_reported_failure() {
    // Tutom 21140.
    let policy = policy();
    let reported = || with(sending(), answered(SubmitMeaning::FailedUnlessFound, true));
    let cases = [
        (LookupMeaning::NotFound, Phase::Failed),
        (unchanged(true), Phase::Failed),
        (LookupMeaning::Failed, Phase::Failed),
        (LookupMeaning::Pending, Phase::Pending),
        (LookupMeaning::Succeeded, Phase::Succeeded),
        (unchanged(false), Phase::Unknown),
    ];
    for (meaning, phase) in cases {
        let mut topup = reported();
        see(&policy, &mut topup, meaning.clone(), at(110));
        assert_eq!(topup.phase, phase, "{meaning:?}");
        assert_eq!(topup.id_spent, phase == Phase::Failed);
    }
    let mut alive = reported();
    see(&policy, &mut alive, LookupMeaning::Pending, at(110));
    assert_eq!(see(&policy, &mut alive, LookupMeaning::NotFound, at(120)), None, "it was shown alive");
}

#[test]
fn a_conflict_is_recorded_once() {
    let (policy, mut topup) = (policy(), with(sending(), lost(true)));
    let other = || LookupMeaning::Conflict("another amount".to_owned());
    assert!(see(&policy, &mut topup, other(), at(200)).is_some());
    assert_eq!((topup.phase, topup.reason), (Phase::Asking, Some(Reason::Conflict)));
    assert_eq!(see(&policy, &mut topup, other(), at(300)), None);
}

#[test]
fn giving_up_is_for_open_orders_after_the_whole_time() {
    let policy = policy();
    let late = Now { wall: WallTime(at(100).wall.0 + 48 * 3_600_000_000), ..at(100) };
    let early = Now { wall: WallTime(late.wall.0 - 1), ..late };
    for (head, topup) in columns() {
        assert_eq!(policy.has_given_up(&topup, late), ["pending", "unknown"].contains(&head), "{head}");
        assert!(!policy.has_given_up(&topup, early), "{head}");
    }
}

#[test]
fn waits_double_up_to_the_longest_and_scatter_by_a_tenth() {
    let policy = policy();
    for (looks, seconds) in [(0, 2), (1, 4), (4, 32), (5, 60), (6, 60), (40, 60)] {
        let base = Duration::from_secs(seconds);
        for salt in [0, 1, 77, u64::MAX] {
            let wait = policy.wait(looks, salt);
            assert!(wait >= base && wait <= base + base / 10, "{looks}: {wait:?}");
        }
    }
    assert_ne!(policy.wait(3, 1), policy.wait(3, 2));
}

#[test]
fn the_grace_of_an_answered_submit_counts_from_its_answer() {
    let mut topup = after(&sending());
    topup.apply(&answered(unclear(false), true), at(4000).wall).unwrap();
    let quiet = topup.quiet_since.unwrap();
    assert_eq!((quiet.tick, quiet.wall), (at(4000).tick, at(4000).wall));
    let policy = policy();
    assert_eq!(not_found(&policy, &mut topup, at(4899)), None);
    assert_eq!(not_found(&policy, &mut topup, at(4900)), Some(NotFoundRuling::Counted));
}
