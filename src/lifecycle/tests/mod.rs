//! Every pair of state and event.
#![expect(clippy::as_conversions, reason = "small numbers of a test")]

mod looks;

use super::*;
use crate::domain::{
    AccountId, Answer, Attempt, Boot, Goods, Halt, LookupMeaning, LookupVerdict, NetFault, Now, Order,
    PhoneNumber, ProviderKind, Reason, Refusal, RowNumber, SubmitMeaning, SubmitVerdict, ThrottleScope, Tick,
    TransactionId, Unclear, WallTime,
};

const ID: &str = "00000000000000000001";

fn at(seconds: u64) -> Now {
    let us = seconds * 1_000_000;
    Now { tick: Tick(us), wall: WallTime(1_795_000_000_000_000 + us as i64), boot: Boot(1) }
}

fn id(text: &str) -> TransactionId {
    TransactionId::parse(text).unwrap()
}

fn intent(attempt: u32, text: &str) -> Event {
    Event::Intent(Intent {
        attempt: Attempt(attempt),
        id: id(text),
        at: at(100),
        operator: None,
        product_id: None,
        price: None,
    })
}

fn answered(meaning: SubmitMeaning, can_ask: bool) -> Event {
    Event::Answered {
        verdict: SubmitVerdict { meaning, answer: Answer::default() },
        sent_at: at(100).wall,
        can_ask,
    }
}

fn unclear(person_only: bool) -> SubmitMeaning {
    SubmitMeaning::Unclear(Unclear {
        reason: Reason::Questionable,
        halt: None,
        person_only,
        slow_down: false,
    })
}

fn look(meaning: LookupMeaning) -> LookupVerdict {
    LookupVerdict { meaning, answer: Answer::default() }
}

fn unchanged(intact: bool) -> LookupMeaning {
    LookupMeaning::Unchanged { intact, halt: None }
}

fn looked_up(meaning: LookupMeaning) -> Event {
    Event::LookedUp { verdict: look(meaning) }
}

fn after(events: &[Event]) -> TopUp {
    let mut topup = TopUp::ready();
    for event in events {
        topup.apply(event, at(100).wall).unwrap();
    }
    topup
}

fn sending() -> Vec<Event> {
    vec![intent(1, ID)]
}

fn with(mut events: Vec<Event>, event: Event) -> TopUp {
    events.push(event);
    after(&events)
}

fn lost(can_ask: bool) -> Event {
    Event::NoAnswer { fault: NetFault::TimedOut, sent_at: at(100).wall, at: at(130), can_ask }
}

fn halt() -> Halt {
    let message = "words".to_owned();
    Halt { operator: None, reason: Reason::AccountLocked, code: "-4".to_owned(), message }
}

fn order() -> Order {
    Order {
        row: RowNumber(1),
        provider: "vietnam".to_owned(),
        account: AccountId::new(ProviderKind::ConnectTopup, "demo"),
        phone: PhoneNumber::new(crate::domain::Country::VN, "84", "912345601").unwrap(),
        goods: Goods::Airtime,
        amount: None,
        currency: None,
        operator: None,
        operator_hint: None,
        reference: None,
    }
}

/// A state of every kind, under the head of its column in [`TABLE`].
fn columns() -> Vec<(&'static str, TopUp)> {
    let refusal = Refusal { reason: Reason::BadPhone, message: "wrong".to_owned() };
    let not_received = |mut topup: TopUp| {
        topup
            .apply(&Event::NotFound { at: at(2000), ruling: NotFoundRuling::Proved }, at(2000).wall)
            .unwrap();
        topup
    };
    let (note, user) = ("note".to_owned(), "ann".to_owned());
    vec![
        ("ready", TopUp::ready()),
        ("again", with(sending(), answered(SubmitMeaning::Throttled(ThrottleScope::Provider), true))),
        ("sending", after(&sending())),
        ("pending", with(sending(), answered(SubmitMeaning::Pending, true))),
        ("unknown", with(sending(), lost(true))),
        ("asking", with(sending(), lost(false))),
        ("succeeded", with(sending(), answered(SubmitMeaning::Succeeded, true))),
        ("failed", with(sending(), answered(SubmitMeaning::Failed, true))),
        ("not-received", not_received(with(sending(), lost(true)))),
        ("refused", with(sending(), answered(SubmitMeaning::Refused(Reason::BadPhone), true))),
        ("invalid", TopUp::invalid(refusal, at(1).wall)),
        ("cancelled", after(&[Event::Cancelled { note, user }])),
    ]
}

fn events() -> Vec<(&'static str, Event)> {
    let (message, note, user) = ("words".to_owned(), "note".to_owned(), "ann".to_owned());
    let judged = || (Reason::BadPhone, message.clone());
    let interrupted = |can_ask| Event::Interrupted { at: at(200), can_ask };
    let found = |ruling| Event::NotFound { at: at(2000), ruling };
    let resolved = |decision| Event::Resolved { decision, note: note.clone(), user: user.clone() };
    vec![
        ("intent", intent(1, ID)),
        ("not_sent", Event::NotSent { fault: NetFault::Connect }),
        ("answered succeeded", answered(SubmitMeaning::Succeeded, true)),
        ("answered pending", answered(SubmitMeaning::Pending, true)),
        ("answered failed", answered(SubmitMeaning::Failed, true)),
        ("answered failed unless found", answered(SubmitMeaning::FailedUnlessFound, true)),
        ("answered refused", answered(SubmitMeaning::Refused(Reason::BadPhone), true)),
        ("answered throttled", answered(SubmitMeaning::Throttled(ThrottleScope::NumberToday), true)),
        ("answered halted", answered(SubmitMeaning::Halted(halt()), true)),
        ("answered unclear", answered(unclear(false), true)),
        ("answered unclear, nothing to ask by", answered(unclear(false), false)),
        ("answered unclear, for a person", answered(unclear(true), true)),
        ("no_answer", lost(true)),
        ("no_answer, nothing to ask by", lost(false)),
        ("interrupted", interrupted(true)),
        ("interrupted, nothing to ask by", interrupted(false)),
        ("looked_up succeeded", looked_up(LookupMeaning::Succeeded)),
        ("looked_up failed", looked_up(LookupMeaning::Failed)),
        ("looked_up pending", looked_up(LookupMeaning::Pending)),
        ("looked_up conflict", looked_up(LookupMeaning::Conflict("other".to_owned()))),
        ("looked_up not found", looked_up(LookupMeaning::NotFound)),
        ("looked_up unchanged", looked_up(unchanged(true))),
        ("not_found counted", found(NotFoundRuling::Counted)),
        ("not_found proved", found(NotFoundRuling::Proved)),
        ("not_found untrusted", found(NotFoundRuling::Untrusted)),
        ("grace_restarted", Event::GraceRestarted { at: at(300) }),
        ("series_ended", Event::SeriesEnded),
        ("gave_up", Event::GaveUp),
        ("judged", Event::Judged { reason: judged().0, message: judged().1 }),
        ("held", Event::Held { reason: judged().0, message: judged().1 }),
        ("cancelled", Event::Cancelled { note: note.clone(), user: user.clone() }),
        ("resolved succeeded", resolved(ResolvedAs::Succeeded)),
        ("resolved failed", resolved(ResolvedAs::Failed)),
        ("released", Event::Released),
        ("readmitted", Event::Readmitted { order: Box::new(order()) }),
        ("rejudged", Event::Rejudged { reason: judged().0, message: judged().1 }),
        ("contradicted", Event::Contradicted { message: message.clone() }),
    ]
}

/// The phase that each event leads to from each state; `-`: it cannot happen there.
const TABLE: &str = "
event                               | ready     again     sending   pending   unknown   asking    succeeded failed    not-received refused invalid cancelled
intent                              | Sending   Sending   -         -         -         -         -         -         -         -         -         -
not_sent                            | -         -         Ready     -         -         -         -         -         -         -         -         -
answered succeeded                  | -         -         Succeeded -         -         -         -         -         -         -         -         -
answered pending                    | -         -         Pending   -         -         -         -         -         -         -         -         -
answered failed                     | -         -         Failed    -         -         -         -         -         -         -         -         -
answered failed unless found        | -         -         Unknown   -         -         -         -         -         -         -         -         -
answered refused                    | -         -         Refused   -         -         -         -         -         -         -         -         -
answered throttled                  | -         -         Ready     -         -         -         -         -         -         -         -         -
answered halted                     | -         -         Ready     -         -         -         -         -         -         -         -         -
answered unclear                    | -         -         Unknown   -         -         -         -         -         -         -         -         -
answered unclear, nothing to ask by | -         -         Asking    -         -         -         -         -         -         -         -         -
answered unclear, for a person      | -         -         Asking    -         -         -         -         -         -         -         -         -
no_answer                           | -         -         Unknown   -         -         -         -         -         -         -         -         -
no_answer, nothing to ask by        | -         -         Asking    -         -         -         -         -         -         -         -         -
interrupted                         | -         -         Unknown   -         -         -         -         -         -         -         -         -
interrupted, nothing to ask by      | -         -         Asking    -         -         -         -         -         -         -         -         -
looked_up succeeded                 | -         -         -         Succeeded Succeeded Succeeded -         -         Succeeded -         -         -
looked_up failed                    | -         -         -         Failed    Failed    Failed    -         -         Failed    -         -         -
looked_up pending                   | -         -         -         Pending   Pending   Pending   -         -         Pending   -         -         -
looked_up conflict                  | -         -         -         Asking    Asking    Asking    -         -         Asking    -         -         -
looked_up not found                 | -         -         -         -         -         -         -         -         -         -         -         -
looked_up unchanged                 | -         -         -         -         -         -         -         -         -         -         -         -
not_found counted                   | -         -         -         -         Unknown   Asking    -         -         -         -         -         -
not_found proved                    | -         -         -         -         Failed    Failed    -         -         -         -         -         -
not_found untrusted                 | -         -         -         -         Asking    Asking    -         -         -         -         -         -
grace_restarted                     | -         -         -         -         Unknown   Asking    -         -         -         -         -         -
series_ended                        | -         -         -         -         Unknown   Asking    -         -         -         -         -         -
gave_up                             | -         -         -         Asking    Asking    -         -         -         -         -         -         -
judged                              | Invalid   Refused   -         -         -         -         -         -         -         -         -         -
held                                | Ready     Ready     -         -         -         -         -         -         -         -         -         -
cancelled                           | Cancelled Cancelled -         -         -         -         -         -         -         -         -         -
resolved succeeded                  | -         -         Succeeded -         Succeeded Succeeded -         -         -         -         -         -
resolved failed                     | -         -         Failed    -         Failed    Failed    -         -         -         -         -         -
released                            | -         -         -         -         -         -         -         Ready     Ready     -         -         -
readmitted                          | Ready     -         -         -         -         -         -         -         -         Ready     Ready     -
rejudged                            | Invalid   Refused   -         -         -         -         -         -         -         Refused   Invalid   -
contradicted                        | -         Failed    -         -         -         -         Succeeded Failed    Failed    Refused   -         -
";

#[test]
fn every_pair_of_state_and_event_leads_where_the_table_says() {
    let lines: Vec<&str> = TABLE.trim().lines().collect();
    let cells = |line: &str| -> (String, Vec<String>) {
        let (name, cells) = line.split_once('|').unwrap();
        (name.trim().to_owned(), cells.split_whitespace().map(str::to_owned).collect())
    };
    let (columns, events) = (columns(), events());
    let heads: Vec<String> = columns.iter().map(|(head, _)| (*head).to_owned()).collect();
    assert_eq!(cells(lines[0]).1, heads);
    assert_eq!(lines.len() - 1, events.len());
    for (line, (name, event)) in lines[1..].iter().zip(&events) {
        let (said, expected) = cells(line);
        assert_eq!(said, *name);
        for ((head, topup), expected) in columns.iter().zip(&expected) {
            let mut changed = topup.clone();
            let result = changed.apply(event, at(200).wall);
            let found = result.map_or("-".to_owned(), |()| format!("{:?}", changed.phase));
            assert_eq!(found, *expected, "{name} to a row that is {head}");
            assert!(
                result.is_ok() || changed == *topup,
                "{name} is illegal but changed a row that is {head}"
            );
        }
    }
    // Every event has a line: a new one must be put into the table.
    let names: std::collections::BTreeSet<&str> = events.iter().map(|(_, event)| event.name()).collect();
    assert_eq!(names.len(), 18);
}

#[test]
fn every_state_and_event_survives_the_ledger() {
    for (_, topup) in columns() {
        let text = serde_json::to_string(&topup).unwrap();
        assert_eq!(serde_json::from_str::<TopUp>(&text).unwrap(), topup, "{text}");
    }
    for (_, event) in events() {
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event, "{text}");
    }
}

#[test]
fn only_an_id_said_to_have_failed_gives_way_to_a_new_one() {
    for (head, topup) in columns() {
        let expected = match head {
            "ready" | "invalid" | "cancelled" => 1,
            "failed" | "refused" => 2,
            _ => 1,
        };
        assert_eq!(topup.next_attempt(), Attempt(expected), "{head}");
    }
}

#[test]
fn an_intent_of_another_attempt_is_illegal() {
    let mut failed = with(sending(), answered(SubmitMeaning::Failed, true));
    failed.apply(&Event::Released, at(300).wall).unwrap();
    let before = failed.clone();
    assert!(failed.apply(&intent(1, ID), at(300).wall).is_err());
    assert_eq!(failed, before);
    failed.apply(&intent(2, "00000000000000000002"), at(300).wall).unwrap();
    assert_eq!(failed.past.len(), 1);
    assert_eq!(failed.past[0].id, id(ID));
    assert_eq!(failed.submitted_ids().len(), 2);
}

#[test]
fn a_contradicted_row_is_never_released_again() {
    let mut failed = with(sending(), answered(SubmitMeaning::Failed, true));
    failed.apply(&Event::Contradicted { message: "alive".to_owned() }, at(300).wall).unwrap();
    assert!(failed.apply(&Event::Released, at(300).wall).is_err());
    let mut refused = with(sending(), answered(SubmitMeaning::Refused(Reason::BadPhone), true));
    refused.apply(&Event::Contradicted { message: "alive".to_owned() }, at(300).wall).unwrap();
    assert!(refused.apply(&Event::Readmitted { order: Box::new(order()) }, at(300).wall).is_err());
}

#[test]
fn connect_failures_are_no_attempts_but_throttled_submits_are() {
    let mut topup = after(&sending());
    topup.apply(&Event::NotSent { fault: NetFault::Connect }, at(101).wall).unwrap();
    assert_eq!(topup.submits, 0);
    topup.apply(&intent(1, ID), at(102).wall).unwrap();
    topup.apply(&answered(SubmitMeaning::Throttled(ThrottleScope::Provider), true), at(103).wall).unwrap();
    assert_eq!(topup.submits, 1);
}
