//! The page as a whole: what stands where. Words and numbers are made here and in `figures` and `tables`; the
//! template only places them.

use std::fmt::Write as _;

use askama::Template;

use super::chronicle::Chronicle;
use super::figures::{self, Course, Figure, MoneyBar, Reconciliation};
use super::gather::Gatherer;
use super::tables::{self, Table};
use crate::domain::WallTime;
use crate::report::text::{Veil, clean, count, moment, rows, share, took};

/// How a page begins that this program wrote about the batch of this name; no page about another one begins so.
pub fn report_mark(batch: &str) -> String {
    let key = key(batch);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"bulk-topup-report\" content=\"{key}\">"
    )
}

/// A name in letters that need no escaping, another one for every other name: it stands where the page is known by.
fn key(batch: &str) -> String {
    let mut key = String::with_capacity(batch.len());
    for byte in batch.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            key.push(char::from(byte));
        } else {
            let _ = write!(key, "%{byte:02X}");
        }
    }
    key
}

/// What is known of a batch beside its rows and events.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its name.
    pub batch: String,
    /// The file it came from.
    pub source: String,
    /// SHA-256 of the file's bytes.
    pub sha256: [u8; 32],
    /// Whether it works on the local sandbox.
    pub sandbox: bool,
    /// Rows of the file.
    pub rows: u64,
    /// When it was admitted.
    pub created_at: WallTime,
    /// When it was cancelled.
    pub cancelled_at: Option<WallTime>,
    /// Where its results file is.
    pub results: String,
    /// When the page is made.
    pub now: WallTime,
    /// Numbers are shown whole.
    pub show_phones: bool,
    /// What to do next.
    pub next: Vec<NextStep>,
}

/// What a person does next, and the command for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextStep {
    /// In words.
    pub words: String,
    /// To type.
    pub command: String,
}

#[derive(Template)]
#[template(path = "page.html", config = "src/report/page/askama.toml")]
struct Page {
    css: &'static str,
    key: String,
    batch: String,
    mark: &'static str,
    mark_class: &'static str,
    head: Vec<(&'static str, String)>,
    tone: &'static str,
    verdict_word: &'static str,
    verdict: String,
    next: Vec<NextStep>,
    tiles: Vec<Tile>,
    money: Vec<MoneyBar>,
    legend: Vec<(String, &'static str)>,
    providers: Table,
    course: Option<Course>,
    spans: Figure,
    reasons: Table,
    amounts: Table,
    reconciliation: Reconciliation,
    tables: Vec<Table>,
    settings: Vec<(String, Vec<(String, String)>)>,
    sign: Vec<(&'static str, String)>,
    foot: String,
}

struct Tile {
    label: &'static str,
    values: Vec<String>,
    sub: String,
}

/// Writes the page.
///
/// # Errors
/// None that a text buffer can have; the template engine's type says that it could.
pub fn render(facts: &Facts, chronicle: &Chronicle, rows: &Gatherer) -> Result<String, askama::Error> {
    let (verdict_word, tone) = verdict_word(facts, rows);
    let page = Page {
        css: include_str!("page.css"),
        key: key(&facts.batch),
        batch: clean(&facts.batch),
        mark: if facts.sandbox { "SANDBOX · no money moved" } else { "LIVE MONEY" },
        mark_class: if facts.sandbox { "sandbox" } else { "live" },
        head: head(facts, chronicle, rows),
        tone,
        verdict_word,
        verdict: verdict(facts, rows),
        next: facts.next.clone(),
        tiles: tiles(facts, chronicle, rows),
        money: figures::money(rows),
        legend: figures::legend(),
        providers: tables::providers(rows),
        course: figures::course(chronicle, rows),
        spans: figures::spans(rows),
        reasons: tables::reasons(rows),
        amounts: tables::amounts(rows),
        reconciliation: figures::reconciliation(facts, rows),
        tables: tables::all(facts, chronicle, rows),
        settings: tables::settings(chronicle),
        sign: sign(facts, rows),
        foot: format!(
            "Made by bulk-topup {} on {} UTC from the ledger, which has every event of every row. All times are UTC. {}",
            env!("CARGO_PKG_VERSION"),
            moment(facts.now),
            if facts.show_phones {
                "Numbers are shown whole: keep this page private."
            } else {
                "Numbers are masked."
            }
        ),
    };
    page.render()
}

fn head(facts: &Facts, chronicle: &Chronicle, rows: &Gatherer) -> Vec<(&'static str, String)> {
    let people: Vec<String> = chronicle.people.iter().map(|who| clean(who)).collect();
    let start = chronicle.stretches.first().map_or(facts.created_at, |stretch| stretch.start);
    let last = chronicle.stretches.last().map_or(start, |stretch| stretch.end);
    let end = match chronicle.runs.last() {
        None => "no run yet".to_owned(),
        Some(run) => match run.ended {
            // The same code says that an order which succeeded was reversed.
            Some((_, 3)) if rows.conflicts > 0 && rows.counts.failed + rows.counts.invalid == 0 => {
                "exit 3: a later answer contradicts a final state".to_owned()
            }
            Some((_, exit)) => format!("exit {exit}: {}", exit_words(exit)),
            None => "the last run works still, or was ended by force".to_owned(),
        },
    };
    let mut head = vec![
        ("Batch", clean(&facts.batch)),
        ("File", Veil::new(facts.show_phones).text(&facts.source)),
        ("SHA-256 of the file", sha(facts)),
        ("Run by", if people.is_empty() { "nobody yet".to_owned() } else { people.join(", ") }),
        ("Worked on", format!("{} to {} UTC", moment(start), moment(last))),
        ("Last run", end),
    ];
    if let Some(at) = facts.cancelled_at {
        head.push(("Cancelled", format!("{} UTC", moment(at))));
    }
    head.push(("Program", format!("bulk-topup {}", env!("CARGO_PKG_VERSION"))));
    head
}

/// The file's SHA-256; of a batch that was rebuilt from a results file only its beginning is known, by the name.
fn sha(facts: &Facts) -> String {
    let whole = hex::encode(facts.sha256);
    match whole.split_at_checked(8) {
        Some((begin, rest)) if rest.bytes().all(|digit| digit == b'0') => {
            format!("begins {begin}; the rest is not known: the batch was rebuilt from a results file")
        }
        _ => whole,
    }
}

/// An exit code in words (`contract.md` 2).
pub(super) fn exit_words(exit: u8) -> &'static str {
    match exit {
        0 => "every row succeeded",
        1 => "internal or disk error",
        2 => "refused before anything was sent",
        3 => "finished; some rows failed or invalid",
        4 => "some rows still pending or unknown",
        5 => "valid rows were left unsent",
        6 => "another process was submitting",
        130 => "interrupted; everything known is recorded",
        _ => "ended in an unknown way",
    }
}

fn verdict_word(facts: &Facts, rows: &Gatherer) -> (&'static str, &'static str) {
    let counts = rows.counts;
    if counts.pending + counts.unknown > 0 {
        ("Not settled yet.", "warn")
    } else if rows.conflicts > 0 {
        ("To be asked about.", "warn")
    } else if rows.left > 0 {
        ("Not finished.", "warn")
    } else if facts.cancelled_at.is_some() {
        ("Cancelled.", "warn")
    } else if counts.failed + counts.invalid > 0 {
        ("Finished; not every row succeeded.", "part")
    } else {
        ("Finished; every row succeeded.", "done")
    }
}

fn verdict(facts: &Facts, gathered: &Gatherer) -> String {
    let counts = gathered.counts;
    let mut text = format!("{} of {} succeeded", count(counts.succeeded), rows(facts.rows));
    let money = figures::succeeded(gathered);
    if !money.is_empty() {
        let _ = write!(text, ", worth {}", money.join(" + "));
    }
    let rest = [
        (counts.failed.saturating_sub(gathered.failed_in_doubt), "failed and were not charged"),
        (gathered.failed_in_doubt, "failed as was told first, and may have been charged"),
        (counts.invalid, "were wrong and never sent"),
        (counts.not_sent, "were not sent"),
        (counts.pending, "are with the provider"),
        (counts.unknown, "are unknown: their money may have moved"),
    ];
    for (number, words) in rest.iter().filter(|(number, _)| *number > 0) {
        let words = if *number == 1 {
            words.replacen("were", "was", 1).replacen("are ", "is ", 1).replace("and were", "and was")
        } else {
            (*words).to_owned()
        };
        let _ = write!(text, "; {} {words}", count(*number));
    }
    text.push_str(if counts.pending + counts.unknown == 0 { ". Nothing is open." } else { "." });
    if gathered.conflicts > 0 {
        let _ = write!(text, " Later answers contradict the state of {}.", rows(gathered.conflicts));
    }
    text
}

fn tiles(facts: &Facts, chronicle: &Chronicle, gathered: &Gatherer) -> Vec<Tile> {
    let counts = gathered.counts;
    let valid = counts.rows().saturating_sub(counts.invalid);
    let money = figures::succeeded(gathered);
    let worked: std::time::Duration =
        chronicle.stretches.iter().map(|stretch| stretch.end.since(stretch.start)).sum();
    let rate = match gathered.submits {
        0 => "nothing was submitted".to_owned(),
        submits => {
            let word = if submits == 1 { "submit" } else { "submits" };
            // Of less than a second no rate can be told.
            let speed = u128::from(submits) * 10_000 / worked.as_millis().max(1);
            let speed = (worked.as_secs() > 0).then(|| format!(", {}.{} a second", speed / 10, speed % 10));
            format!("{} {word}{}", count(submits), speed.unwrap_or_default())
        }
    };
    let runs = if chronicle.run_count == 1 { "run" } else { "runs" };
    vec![
        Tile {
            label: "Rows",
            values: vec![count(facts.rows)],
            sub: format!("{} valid, {} invalid", count(valid), count(counts.invalid)),
        },
        Tile {
            label: "Succeeded",
            sub: "face value or price, as asked".to_owned(),
            values: if money.is_empty() { vec!["0".to_owned()] } else { money },
        },
        Tile {
            label: "Success",
            values: vec![share(counts.succeeded, valid)],
            sub: format!("{} of {} valid rows", count(counts.succeeded), count(valid)),
        },
        Tile {
            label: "Time at work",
            values: vec![took(worked)],
            sub: format!("{} {runs} · {rate}", count(chronicle.run_count)),
        },
    ]
}

fn sign(facts: &Facts, gathered: &Gatherer) -> Vec<(&'static str, String)> {
    let money = figures::succeeded(gathered);
    vec![
        ("Batch", clean(&facts.batch)),
        ("File", format!("SHA-256 {}", sha(facts))),
        ("Rows", count(facts.rows)),
        ("Succeeded", if money.is_empty() { "0".to_owned() } else { money.join(" + ") }),
    ]
}
