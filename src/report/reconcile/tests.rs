//! What every pair of ledger and statement comes to, and that counts and sums add up.

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::domain::{Currency, Money, ProviderRef, Status, TransactionId, WallTime};
use crate::lifecycle::{PastAttempt, Phase, ResolvedAs, StoredRow, TopUp};
use crate::numbering::PhonePlan;
use crate::report::sample::airtime_row;

fn row(phase: Phase) -> StoredRow {
    let mut row = airtime_row(7);
    row.state = TopUp {
        phase,
        id: Some(TransactionId::parse("ABCDEFGHIJKLMNOPQRST").unwrap()),
        provider_ref: Some(ProviderRef::parse("9007199254740993").unwrap()),
        submits: 1,
        submitted_at: Some(WallTime(1_000_000)),
        ..TopUp::ready()
    };
    row
}

fn line(line: u64, stand: Stand) -> Stated {
    Stated {
        line,
        transaction_id: "ABCDEFGHIJKLMNOPQRST".to_owned(),
        provider_ref: String::new(),
        phone: "0912 345 601".to_owned(),
        amount: Said::Exact(Decimal::from(20_000)),
        word: stand.as_str().to_owned(),
        stand,
    }
}

fn found(row: &StoredRow, lines: &[Stated]) -> Finding {
    let plan = PhonePlan::load().unwrap();
    let mut group = Group::of_row(row, &plan, None);
    lines.iter().for_each(|line| group.add(line).unwrap());
    group.finish()
}

fn class(phase: Phase, stands: &[Stand]) -> Class {
    let lines: Vec<Stated> = stands.iter().zip(2..).map(|(stand, at)| line(at, *stand)).collect();
    found(&row(phase), &lines).class
}

#[test]
fn every_state_against_every_word() {
    use Class::*;
    use Phase as P;
    use Stand as S;
    for (phase, unlisted, succeeded, failed, reversed, pending) in [
        (P::Succeeded, MissingThere, Matched, ReversedThere, ReversedThere, OpenThere),
        (P::Pending, MissingThere, SettledThere, SettledThere, SettledThere, Matched),
        (P::Unknown, MissingThere, SettledThere, SettledThere, SettledThere, OpenThere),
        (P::Asking, MissingThere, SettledThere, SettledThere, SettledThere, OpenThere),
        (P::Sending, MissingThere, SettledThere, SettledThere, SettledThere, OpenThere),
        (P::Failed, NotCharged, ChargedThere, Matched, Matched, OpenThere),
        (P::Refused, NotCharged, ChargedThere, Matched, Matched, OpenThere),
        (P::Ready, NotCharged, ChargedThere, Matched, Matched, OpenThere),
        (P::Cancelled, NotCharged, ChargedThere, Matched, Matched, OpenThere),
        (P::Invalid, NotCharged, ChargedThere, Matched, Matched, OpenThere),
    ] {
        assert_eq!(class(phase, &[]), unlisted, "{phase:?}");
        let wanted = [succeeded, failed, reversed, pending, Unclear];
        for (stand, wanted) in
            [S::Succeeded, S::Failed, S::Reversed, S::Pending, S::Unclear].into_iter().zip(wanted)
        {
            assert_eq!(class(phase, &[stand]), wanted, "{phase:?} {stand:?}");
        }
    }
}

#[test]
fn charges_are_counted_less_what_was_given_back() {
    use Stand::{Failed, Pending, Reversed, Succeeded, Unclear};
    for (stands, wanted) in [
        (&[Succeeded, Succeeded][..], Class::DoubleThere),
        (&[Succeeded, Succeeded, Unclear], Class::DoubleThere),
        (&[Succeeded, Reversed], Class::ReversedThere),
        (&[Succeeded, Succeeded, Reversed], Class::Matched),
        (&[Pending, Succeeded], Class::Matched),
        (&[Failed, Succeeded], Class::Matched),
        (&[Pending, Failed], Class::ReversedThere),
    ] {
        assert_eq!(class(Phase::Succeeded, stands), wanted, "{stands:?}");
    }
    // Whatever else stands there: a charge of a row that counts as not charged is the worst.
    for stands in [&[Succeeded][..], &[Succeeded, Succeeded], &[Failed, Succeeded], &[Unclear, Succeeded]] {
        assert_eq!(class(Phase::Failed, stands), Class::ChargedThere, "{stands:?}");
    }
    assert_eq!(class(Phase::Failed, &[Succeeded, Reversed]), Class::Matched);
}

#[test]
fn a_charge_has_to_agree_in_number_and_amount() {
    let with = |change: &dyn Fn(&mut Stated)| {
        let mut stated = line(3, Stand::Succeeded);
        change(&mut stated);
        found(&row(Phase::Succeeded), &[stated])
    };
    for phone in ["84912345601", "+84 912 345 601", "912345601", ""] {
        assert_eq!(with(&|stated| phone.clone_into(&mut stated.phone)).class, Class::Matched, "{phone}");
    }
    let other = with(&|stated| "0912345602".clone_into(&mut stated.phone));
    assert_eq!((other.class, other.phone_there.as_str()), (Class::DifferentPhone, "0912345602"));
    assert!(!other.what.contains("0912345602"), "a whole number in a sentence: {}", other.what);
    assert_eq!(with(&|stated| "0912***601".clone_into(&mut stated.phone)).class, Class::Unclear);
    let dear = with(&|stated| stated.amount = Said::Exact(Decimal::from(200_000)));
    assert_eq!((dear.class, dear.sum_there), (Class::DifferentAmount, Decimal::from(200_000)));
    assert_eq!(with(&|stated| stated.amount = Said::Exact(Decimal::new(2_000_000, 2))).class, Class::Matched);
    assert_eq!(with(&|stated| stated.amount = Said::Unclear("20.000".to_owned())).class, Class::Unclear);
}

#[test]
fn what_the_provider_told_us_it_charged_agrees_only_where_it_is_no_more_than_asked() {
    let mut told = row(Phase::Succeeded);
    let mut stated = line(3, Stand::Succeeded);
    for (cost, amount, wanted) in [
        ("19400", 19_400, Class::Matched),
        ("19400", 20_000, Class::Matched),
        ("200000", 200_000, Class::DifferentAmount),
        ("19400", 19_500, Class::DifferentAmount),
    ] {
        told.state.cost = Some(Money::parse(cost, "VND").unwrap());
        stated.amount = Said::Exact(Decimal::from(amount));
        assert_eq!(found(&told, std::slice::from_ref(&stated)).class, wanted, "{cost} {amount}");
    }
}

#[test]
fn an_amount_in_another_currency_is_another_amount() {
    let plan = PhonePlan::load().unwrap();
    let stored = row(Phase::Succeeded);
    let mut group = Group::of_row(&stored, &plan, Some(Currency::NGN));
    group.add(&line(2, Stand::Succeeded)).unwrap();
    assert_eq!(group.finish().class, Class::DifferentAmount);
}

#[test]
fn only_an_unknown_row_is_proved_and_only_by_a_clear_word() {
    let proves = |phase, stand| found(&row(phase), &[line(2, stand)]).proves;
    assert_eq!(proves(Phase::Asking, Stand::Succeeded), Some(ResolvedAs::Succeeded));
    assert_eq!(proves(Phase::Unknown, Stand::Failed), Some(ResolvedAs::Failed));
    assert_eq!(proves(Phase::Unknown, Stand::Pending), None);
    assert_eq!(proves(Phase::Unknown, Stand::Unclear), None);
    assert_eq!(proves(Phase::Pending, Stand::Succeeded), None);
    assert_eq!(proves(Phase::Succeeded, Stand::Failed), None);
    assert_eq!(found(&row(Phase::Unknown), &[]).proves, None);
    let mut other = line(2, Stand::Succeeded);
    other.amount = Said::Exact(Decimal::from(1));
    assert_eq!(found(&row(Phase::Unknown), &[other]).proves, None);
}

/// A row whose first attempt failed, and that was sent again under a new id.
fn sent_again(phase: Phase) -> StoredRow {
    let mut row = row(phase);
    let past = TransactionId::parse("ABCDEFGHIJKLMNOPQRS1").unwrap();
    row.state.past = vec![PastAttempt { id: past, provider_ref: ProviderRef::parse("77").ok() }];
    row
}

fn earlier(at: u64, stand: Stand) -> Stated {
    Stated { transaction_id: "abcdefghijklmnopqrs1".to_owned(), ..line(at, stand) }
}

#[test]
fn a_line_about_an_earlier_attempt_proves_nothing_of_the_one_that_is_open() {
    let by_ref =
        |stand| Stated { transaction_id: String::new(), provider_ref: "77".to_owned(), ..line(2, stand) };
    for stated in [earlier(2, Stand::Failed), earlier(2, Stand::Reversed), by_ref(Stand::Failed)] {
        for phase in [Phase::Unknown, Phase::Asking, Phase::Pending, Phase::Succeeded] {
            let finding = found(&sent_again(phase), std::slice::from_ref(&stated));
            assert_eq!(
                (finding.class, finding.proves, finding.lines),
                (Class::MissingThere, None, 1),
                "{phase:?}"
            );
        }
        let finding = found(&sent_again(Phase::Failed), std::slice::from_ref(&stated));
        assert_eq!(finding.class, Class::Matched);
    }
    let both = found(&sent_again(Phase::Unknown), &[earlier(2, Stand::Failed), line(9, Stand::Succeeded)]);
    assert_eq!((both.class, both.proves), (Class::SettledThere, Some(ResolvedAs::Succeeded)));
    assert_eq!((both.there.as_str(), both.first_lines), ("succeeded", vec![9, 2]));
    let both = found(&sent_again(Phase::Succeeded), &[earlier(2, Stand::Failed), line(9, Stand::Succeeded)]);
    assert_eq!(both.class, Class::Matched);
}

#[test]
fn an_earlier_attempt_that_was_charged_or_is_under_way_is_never_a_match() {
    for phase in [Phase::Succeeded, Phase::Pending, Phase::Unknown, Phase::Failed, Phase::Ready] {
        let charged = found(&sent_again(phase), &[earlier(2, Stand::Succeeded)]);
        assert_eq!((charged.class, charged.proves), (Class::ChargedThere, None), "{phase:?}");
        let open = found(&sent_again(phase), &[earlier(2, Stand::Pending), line(3, Stand::Failed)]);
        assert_eq!((open.class, open.proves), (Class::OpenThere, None), "{phase:?}");
    }
    let twice = [earlier(2, Stand::Succeeded), line(3, Stand::Succeeded)];
    assert_eq!(found(&sent_again(Phase::Succeeded), &twice).class, Class::DoubleThere);
}

#[test]
fn a_statement_that_says_both_proves_nothing() {
    let both = found(&row(Phase::Unknown), &[line(2, Stand::Failed), line(3, Stand::Succeeded)]);
    assert_eq!((both.class, both.proves), (Class::SettledThere, None));
}

fn phases() -> impl Strategy<Value = Phase> {
    proptest::sample::select(Phase::ALL.to_vec())
}

fn stated() -> impl Strategy<Value = Stated> {
    let stands = vec![Stand::Succeeded, Stand::Failed, Stand::Reversed, Stand::Pending, Stand::Unclear];
    let phones = vec!["0912345601", "0912345602", "", "junk"];
    let amounts = vec![Some(20_000), Some(10_000), None];
    (proptest::sample::select(stands), proptest::sample::select(phones), proptest::sample::select(amounts))
        .prop_map(|(stand, phone, amount)| Stated {
            phone: phone.to_owned(),
            amount: amount
                .map_or(Said::Unclear("no amount".to_owned()), |n: i64| Said::Exact(Decimal::from(n))),
            ..line(2, stand)
        })
}

proptest! {
    #[test]
    fn every_row_and_line_stands_in_one_class_and_the_sums_are_those_of_the_sides(
        rows in proptest::collection::vec((phases(), proptest::collection::vec(stated(), 0..4)), 0..12),
        strangers in proptest::collection::vec(proptest::collection::vec(stated(), 1..4), 0..4),
    ) {
        let plan = PhonePlan::load().unwrap();
        let mut tally = Tally::default();
        let (mut here, mut there, mut lines) = (Decimal::ZERO, Decimal::ZERO, 0);
        for (phase, stated) in &rows {
            let stored = row(*phase);
            if stored.state.status() == Status::Succeeded {
                here += Decimal::from(20_000);
            }
            let finding = found(&stored, stated);
            prop_assert_eq!(finding.lines, u64::try_from(stated.len()).unwrap());
            there += finding.sum_there;
            lines += finding.lines;
            tally.add(&finding).unwrap();
        }
        for stated in &strangers {
            let mut group = Group::of_nobody(&plan, Some(Currency::VND));
            stated.iter().for_each(|line| group.add(line).unwrap());
            let finding = group.finish();
            prop_assert_eq!(finding.class, Class::ExtraThere);
            there += finding.sum_there;
            lines += finding.lines;
            tally.add(&finding).unwrap();
        }
        prop_assert_eq!(tally.totals(), (u64::try_from(rows.len()).unwrap(), lines));
        for side in tally.currencies().unwrap() {
            prop_assert_eq!((side.here, side.there, side.difference), (here, there, there - here));
        }
        let clean = tally.classes().iter().all(|line| !line.class.is_difference());
        prop_assert_eq!(tally.agrees(), clean);
    }

    #[test]
    fn the_order_of_the_lines_does_not_matter(
        phase in phases(),
        lines in proptest::collection::vec(stated(), 0..6).prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
    ) {
        let (one, other) = (found(&row(phase), &lines.0), found(&row(phase), &lines.1));
        prop_assert_eq!((one.class, one.lines, one.proves), (other.class, other.lines, other.proves));
        prop_assert_eq!((one.sum_here, one.sum_there), (other.sum_here, other.sum_there));
    }

    #[test]
    fn agreement_means_that_nothing_was_charged_that_the_ledger_does_not_know(
        phase in phases(), lines in proptest::collection::vec(stated(), 0..4)
    ) {
        let finding = found(&row(phase), &lines);
        let readable = lines.iter().all(|line| line.stand != Stand::Succeeded || line.amount == Said::Exact(Decimal::from(20_000)));
        if !finding.class.is_difference() && readable {
            prop_assert_eq!(finding.sum_here, finding.sum_there);
        }
    }
}
