//! The page as a whole: its sums are those of the rows, and no text of anybody's leaves its place.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::gather::{Gatherer, RowStep};
use super::{Chronicle, Facts, NextStep, render, report_mark};
use crate::domain::{
    Answer, Attempt, Currency, Halt, Money, Now, ProviderRef, Reason, Refusal, RowNumber, Status,
    SubmitMeaning, SubmitVerdict, TransactionId, WallTime,
};
use crate::lifecycle::{Event, Intent, Phase, ResolvedAs, StoredRow, TopUp};
use crate::report::effective::RunView;
use crate::report::sample::{airtime_row, data_row};

fn facts(rows: u64) -> Facts {
    Facts {
        batch: "payroll-3f9a2c1d".to_owned(),
        source: "/home/lan/payroll.csv".to_owned(),
        sha256: [0xab; 32],
        sandbox: false,
        rows,
        created_at: WallTime(0),
        cancelled_at: None,
        results: "payroll.results.csv".to_owned(),
        now: WallTime(9_000_000),
        show_phones: false,
        next: Vec::new(),
    }
}

fn chronicle() -> Chronicle {
    let mut chronicle = Chronicle::default();
    let settings = BTreeMap::from([("providers.vietnam.submit_rate".to_owned(), "20/s".to_owned())]);
    chronicle.run_started(WallTime(0), "run", ("lan", "fin-03"), 7, &settings);
    chronicle.run_ended(WallTime(60_000_000), 3);
    chronicle
}

fn gatherer(chronicle: &Chronicle) -> Gatherer {
    let header: Vec<String> = ["phone", "name"].map(str::to_owned).into();
    Gatherer::new(&header, RunView::default(), chronicle, false)
}

fn header_of(text: &str) -> Vec<String> {
    ["phone", text, "reference", "amount"].map(str::to_owned).into()
}

/// A row that was sent in second `second` and came to `phase` two seconds later.
fn sent(number: u64, phase: Phase, second: i64) -> (StoredRow, Vec<RowStep>) {
    let mut row = airtime_row(number);
    let at = |second: i64| WallTime(second * 1_000_000);
    row.state.phase = phase;
    if phase == Phase::Invalid {
        let refusal = Refusal { reason: Reason::BadPhone, message: "too short".to_owned() };
        row.state = TopUp::invalid(refusal, at(0));
        row.order = None;
        return (row, Vec::new());
    }
    if matches!(phase, Phase::Ready | Phase::Cancelled) {
        return (row, Vec::new());
    }
    row.state.submits = 1;
    row.state.submitted_at = Some(at(second));
    let status = phase.status();
    let id = TransactionId::parse("ABCDEFGHIJKLMNOPQRST").unwrap();
    let now = Now { wall: at(second), ..Now::default() };
    let intent = Intent { attempt: Attempt(1), id, at: now, operator: None, product_id: None, price: None };
    let verdict = SubmitVerdict { meaning: SubmitMeaning::Succeeded, answer: Answer::default() };
    let answered = Event::Answered { verdict, sent_at: at(second), can_ask: true };
    let mut steps = vec![RowStep {
        at: at(second),
        from: Status::NotSent,
        to: Status::Unknown,
        event: Event::Intent(intent),
    }];
    steps.push(RowStep { at: at(second + 2), from: Status::Unknown, to: status, event: answered });
    if matches!(phase, Phase::Succeeded | Phase::Failed | Phase::Refused) {
        row.state.final_at = Some(at(second + 2));
    }
    (row, steps)
}

fn page_of(rows: &[(StoredRow, Vec<RowStep>)]) -> (String, Gatherer) {
    let chronicle = chronicle();
    let mut gathered = gatherer(&chronicle);
    for (row, steps) in rows {
        gathered.add(row, steps).unwrap();
    }
    let page = render(&facts(u64::try_from(rows.len()).unwrap()), &chronicle, &gathered).unwrap();
    (page, gathered)
}

/// The page must hold nothing that loads or runs.
fn assert_inert(page: &str) {
    let lower = page.to_lowercase();
    for word in [
        "<script",
        "javascript:",
        "@import",
        "url(",
        "<img",
        "<iframe",
        "<object",
        "<link",
        "<base",
        "srcdoc",
        " src=",
        " href=",
    ] {
        assert!(!lower.contains(word), "{word}");
    }
    let css = &page[page.find("<style>").unwrap()..page.find("</style>").unwrap()];
    assert!(!css.contains("http"), "a style that loads");
    // Attributes that run something: on... within a tag.
    for tag in page.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
        assert!(!tag.split_whitespace().any(|word| word.to_lowercase().starts_with("on")), "{tag}");
    }
}

#[test]
fn a_failed_row_that_a_later_answer_contradicts_is_not_told_as_not_charged() {
    let mut rows = vec![sent(1, Phase::Succeeded, 1), sent(2, Phase::Failed, 1)];
    let (page, _) = page_of(&rows);
    assert!(page.contains("1 failed and was not charged") && !page.contains("may have been charged"));
    rows[1].0.state.contradicted = true;
    let (page, _) = page_of(&rows);
    assert!(!page.contains("failed and was not charged"), "the provider says otherwise");
    assert!(page.contains("1 failed as was told first, and may have been charged"));
    assert!(page.contains("but see the rows that a later answer contradicts"));
    // A reversal ends with 3 although no row failed.
    let mut reversed = vec![sent(1, Phase::Succeeded, 1)];
    reversed[0].0.state.contradicted = true;
    let (page, _) = page_of(&reversed);
    assert!(page.contains("exit 3: a later answer contradicts a final state"));
}

#[test]
fn every_row_stands_in_the_counts_the_groups_and_the_course() {
    let rows: Vec<_> = (0..300)
        .map(|n| sent(n + 1, Phase::ALL[usize::try_from(n % 10).unwrap()], i64::try_from(n % 50).unwrap()))
        .collect();
    let (page, gathered) = page_of(&rows);
    assert_eq!(gathered.counts.rows(), 300);
    let grouped: u64 = gathered.groups.values().map(|group| group.counts.rows()).sum();
    assert_eq!(grouped + gathered.counts.invalid, 300);
    assert_eq!(gathered.reasons.values().sum::<u64>(), 300);
    assert_eq!(gathered.spans.rows(), gathered.counts.succeeded + gathered.counts.failed);
    let amounts: u64 = gathered.amounts.values().map(|amounts| amounts.rows).sum();
    assert_eq!(amounts + gathered.unpriced + gathered.counts.invalid, 300);
    let sums = gathered.sums();
    assert_eq!(sums[0].asked, Decimal::from(20_000 * 270));
    assert!(page.contains("Rows of the file: 300"), "{page}");
    assert!(page.contains("Asked: 5,400,000 VND"), "{page}");
    assert!(!page.contains("does not hold"), "{page}");
    assert_inert(&page);
}

#[test]
fn a_row_that_the_ledger_lost_shows_as_a_difference() {
    let chronicle = chronicle();
    let mut gathered = gatherer(&chronicle);
    let (row, steps) = sent(1, Phase::Succeeded, 1);
    gathered.add(&row, &steps).unwrap();
    let page = render(&facts(2), &chronicle, &gathered).unwrap();
    assert!(page.contains("<b>1</b> ✗ does not hold"), "{page}");
}

#[test]
fn memory_is_bounded_by_providers_operators_amounts_and_lists() {
    let chronicle = chronicle();
    let mut gathered = gatherer(&chronicle);
    for n in 0..3_000_u64 {
        let (mut row, steps) = sent(n + 1, if n % 2 == 0 { Phase::Failed } else { Phase::Asking }, 1);
        row.notes = vec!["leading 0 restored".to_owned()];
        let order = row.order.as_mut().unwrap();
        order.operator = Some(format!("operator {n}"));
        order.amount = Some(Decimal::from(n + 1));
        gathered.add(&row, &steps).unwrap();
    }
    assert!(gathered.groups.len() <= 61, "{}", gathered.groups.len());
    assert_eq!(gathered.groups.values().map(|group| group.counts.rows()).sum::<u64>(), 3_000);
    assert_eq!(gathered.amounts.len(), 500);
    assert_eq!(gathered.amounts_beyond, 2_500);
    assert_eq!((gathered.failed.items().len(), gathered.failed.total()), (200, 1_500));
    let page = render(&facts(3_000), &chronicle, &gathered).unwrap();
    assert!(page.contains("These are the first 200; 1,300 rows more are in the results file"), "{page}");
    assert!(page.contains("And 2,985 rows of further amounts."));
    assert!(page.contains("further operators"));
}

#[test]
fn what_was_charged_stands_beside_what_was_asked() {
    let mut rows =
        vec![sent(1, Phase::Succeeded, 1), sent(2, Phase::Succeeded, 2), sent(3, Phase::Succeeded, 3)];
    rows[0].0.state.cost = Some(Money::parse("20000", "VND").unwrap());
    rows[1].0.state.cost = Some(Money::parse("19400", "VND").unwrap());
    let (page, _) = page_of(&rows);
    assert!(page.contains("Charged: 39,400 VND"), "{page}");
    assert!(page.contains("told by the providers for 2 rows; asked for these 40,000 VND"), "{page}");
    assert!(page.contains("<b>-600</b> listed below"), "{page}");
    assert!(page.contains("<td data-label=\"Asked\" class=\"number\">20,000 VND</td>"), "{page}");
    assert!(page.contains("For 1 row that succeeded the provider does not say"), "{page}");
    assert!(page.contains("3 of 3 rows succeeded, worth 60,000 VND"), "{page}");
}

#[test]
fn data_without_a_price_counts_as_a_row_and_not_as_money() {
    let mut row = data_row(1);
    row.order.as_mut().unwrap().amount = None;
    let (page, gathered) = page_of(&[(row, Vec::new())]);
    assert_eq!(gathered.unpriced, 1);
    assert!(page.contains("1 row without a price yet count"), "{page}");
}

#[test]
fn the_numbers_of_rows_are_masked_wherever_they_stand() {
    let (mut row, mut steps) = sent(1, Phase::Failed, 1);
    row.state.message = "no 0912345601 at our end, nor 84912345601".to_owned();
    row.state.provider_ref = Some(ProviderRef::parse("REF-84912345601").unwrap());
    row.order.as_mut().unwrap().reference = Some("912345601".to_owned());
    let (decision, user) = (ResolvedAs::Failed, "lan".to_owned());
    let event = Event::Resolved { decision, note: "they know no 0912345601".to_owned(), user };
    steps.push(RowStep { at: WallTime(5), from: Status::Unknown, to: Status::Failed, event });
    let mut short = sent(2, Phase::Invalid, 1);
    short.0.cells = vec!["0912345".to_owned(), String::new()];
    let mut broken = sent(3, Phase::Invalid, 1);
    broken.0.cells = vec!["+84 912 345 601".to_owned(), String::new()];
    let (page, _) = page_of(&[(row, steps), short, broken]);
    for shown in ["12345601", "0912345", "345 601"] {
        assert!(!page.contains(shown), "{shown}: {page}");
    }
    assert!(page.contains("8491****601"), "{page}");
    assert!(page.contains("they know no 0912***601"), "{page}");
}

#[test]
fn a_batch_without_a_run_or_a_row_has_a_page_too() {
    let chronicle = Chronicle::default();
    let gathered = gatherer(&chronicle);
    let page = render(&facts(0), &chronicle, &gathered).unwrap();
    assert!(page.starts_with(&report_mark("payroll-3f9a2c1d")));
    assert!(page.contains("no run yet") && page.contains("No row has an amount."), "{page}");
    assert!(!page.contains("id=\"course\""), "nothing happened over time");
    assert_inert(&page);
}

#[test]
fn a_page_begins_with_its_batch_whatever_the_file_was_called() {
    let chronicle = chronicle();
    let names = [
        "payroll-3f9a2c1d",
        "Tom & Jerry's \"list\" <b>-3f9a2c1d",
        "lương/tháng 11\n-3f9a2c1d",
        "a%26-3f9a2c1d",
        "a&-3f9a2c1d",
    ];
    let mut marks = std::collections::BTreeSet::new();
    for name in names {
        let facts = Facts { batch: name.to_owned(), ..facts(0) };
        let page = render(&facts, &chronicle, &gatherer(&chronicle)).unwrap();
        assert!(page.starts_with(&report_mark(name)), "{page}");
        assert!(marks.insert(report_mark(name)), "{name} begins as another one");
        assert_inert(&page);
    }
}

#[test]
fn a_rebuilt_batch_says_so_once_and_lists_no_row_for_it() {
    let mut rows = [sent(1, Phase::Succeeded, 1), sent(2, Phase::Failed, 2)];
    for (row, _) in &mut rows {
        row.notes = vec![crate::report::REBUILT_NOTE.to_owned()];
    }
    rows[1].0.notes.push("leading 0 restored".to_owned());
    let chronicle = chronicle();
    let mut gathered = gatherer(&chronicle);
    for (row, steps) in &rows {
        gathered.add(row, steps).unwrap();
    }
    let mut sha256 = [0; 32];
    sha256[..4].copy_from_slice(&[0x3f, 0x9a, 0x2c, 0x1d]);
    let page = render(&Facts { sha256, ..facts(2) }, &chronicle, &gathered).unwrap();
    assert!(page.contains("begins 3f9a2c1d; the rest is not known"), "{page}");
    assert!(page.contains("Duplicates and repairs (1)"), "{page}");
}

#[test]
fn a_later_value_of_a_setting_and_the_run_that_began_it_are_told() {
    let mut chronicle = chronicle();
    let settings = BTreeMap::from([("providers.vietnam.submit_rate".to_owned(), "5/s".to_owned())]);
    chronicle.run_started(WallTime(100_000_000), "run", ("minh", "fin-04"), 8, &settings);
    let page = render(&facts(0), &chronicle, &gatherer(&chronicle)).unwrap();
    assert!(page.contains("20/s (from run 1 on); 5/s (from run 2 on)"), "{page}");
    assert!(page.contains("lan@fin-03, minh@fin-04"), "{page}");
}

const OPEN: &str = "qZq";
const CLOSE: &str = "pXp";

/// A batch in which every text that somebody else may choose is this one.
fn hostile(text: &str) -> String {
    let mut chronicle = Chronicle::default();
    let marked = format!("{OPEN}{text}{CLOSE}");
    let marked = marked.as_str();
    // A dot ends a key's provider.
    let key = marked.replace('.', "");
    let settings =
        BTreeMap::from([(format!("providers.{key}.{key}"), marked.to_owned()), (key, marked.to_owned())]);
    chronicle.run_started(WallTime(0), marked, (marked, marked), 1, &settings);
    let (operator, reason) = (Some(marked.to_owned()), Reason::ServicePaused);
    let halt = Halt { operator, reason, code: marked.to_owned(), message: marked.to_owned() };
    chronicle.halted(WallTime(1), marked, &halt);
    chronicle.cancelled(WallTime(2), marked, marked);
    chronicle.written(WallTime(3), Path::new(marked));
    chronicle.run_ended(WallTime(60_000_000), 3);
    let mut gathered = Gatherer::new(&header_of(marked), RunView::default(), &chronicle, false);
    for (n, phase) in Phase::ALL.into_iter().enumerate() {
        let (mut row, mut steps) = sent(u64::try_from(n).unwrap() + 1, phase, 1);
        row.cells = vec![marked.to_owned(); 5];
        row.notes = vec![marked.to_owned()];
        row.state.message = marked.to_owned();
        row.state.code = Some(marked.to_owned());
        row.state.operator = Some(marked.to_owned());
        row.state.contradicted = true;
        row.state.provider_ref = ProviderRef::parse(marked).ok();
        if let Some(order) = &mut row.order {
            order.provider = marked.to_owned();
            order.operator = Some(marked.to_owned());
            order.operator_hint = Some(marked.to_owned());
            order.reference = Some(marked.to_owned());
        }
        let (decision, note, user) = (ResolvedAs::Succeeded, marked.to_owned(), marked.to_owned());
        let event = Event::Resolved { decision, note, user };
        steps.push(RowStep { at: WallTime(9), from: Status::Unknown, to: Status::Succeeded, event });
        gathered.add(&row, &steps).unwrap();
    }
    let next = vec![NextStep { words: marked.to_owned(), command: marked.to_owned() }];
    let (batch, source, results) = (marked.to_owned(), marked.to_owned(), marked.to_owned());
    let facts = Facts { batch, source, results, next, ..facts(10) };
    render(&facts, &chronicle, &gathered).unwrap()
}

/// What stands between the marks, each time.
fn between(page: &str) -> Vec<&str> {
    page.split(OPEN).skip(1).map(|rest| rest.split(CLOSE).next().unwrap()).collect()
}

#[test]
fn a_name_that_is_a_script_stays_a_name() {
    let page = hostile("<script>alert(1)</script>\"'&\u{202E}\u{0}\r\nx");
    assert!(between(&page).len() > 40, "{}", between(&page).len());
    assert!(
        page.contains("&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39;&#38;⟨U+202E⟩⟨U+0000⟩⏎⏎x"),
        "{page}"
    );
    assert_inert(&page);
}

/// The tags of the page.
const TAGS: [&str; 35] = [
    "doctype", "html", "meta", "title", "style", "body", "main", "header", "footer", "section", "h1", "h2",
    "h3", "p", "b", "strong", "bdi", "small", "code", "span", "div", "dl", "dt", "dd", "ul", "li", "table",
    "thead", "tbody", "tr", "th", "td", "svg", "rect", "path",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_text_leaves_its_place(text in prop_oneof!["\\PC{0,40}", "[<>&\"'/=a-z \\x00-\\x1f]{0,40}", any::<String>()]) {
        let page = hostile(&text);
        let found = between(&page);
        prop_assert!(found.len() > 40, "{} places", found.len());
        for shown in found {
            prop_assert!(!shown.contains(['<', '>', '"', '\'']), "{shown:?}");
            for reference in shown.split('&').skip(1) {
                let code = reference.strip_prefix('#').and_then(|rest| rest.split_once(';'));
                prop_assert!(code.is_some_and(|(code, _)| code.parse::<u32>().is_ok()), "{shown:?}");
            }
        }
        // Whatever follows a bracket is a tag of ours.
        for tag in page.split('<').skip(1) {
            let name: String =
                tag.trim_start_matches(['/', '!']).chars().take_while(char::is_ascii_alphanumeric).collect();
            prop_assert!(TAGS.contains(&name.as_str()), "{name}");
        }
    }
}

#[test]
fn the_spread_of_a_long_time_is_told_in_words() {
    let (mut row, steps) = sent(1, Phase::Succeeded, 1);
    row.state.final_at = Some(WallTime(7_201_000_000));
    let (page, gathered) = page_of(&[(row, steps)]);
    assert_eq!(gathered.spans.mean(), Some(Duration::from_secs(7_200)));
    assert!(page.contains("over 1 h") && page.contains("mean 2 h 00 m"), "{page}");
    assert_eq!(gathered.sums()[0].currency, Some(Currency::VND));
    assert_eq!(row_numbers(&gathered), [RowNumber(1); 0]);
}

fn row_numbers(gathered: &Gatherer) -> Vec<RowNumber> {
    gathered.failed.items().iter().map(|line| RowNumber(line.row)).collect()
}
