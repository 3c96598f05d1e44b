//! The tables of the page. A cell has a main text, a smaller one below it, and perhaps a picture; the template
//! escapes the texts.

use super::capped::Capped;
use super::charts::{self, Kind};
use super::chronicle::{Chronicle, Decision};
use super::gather::{Amounts, Gatherer, Group, OTHERS};
use super::rowline::RowLine;
use super::view::{Facts, exit_words};
use crate::domain::{Next, Status};
use crate::report::advice::advice;
use crate::report::text::{Veil, amount, clean, count, moment, rows, share, took};

/// Amounts that have a line of their own.
const AMOUNTS_SHOWN: usize = 15;

/// A table, or, without rows, the word that there is nothing to show.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) id: &'static str,
    pub(super) title: String,
    pub(super) note: String,
    pub(super) heads: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Cell>>,
    pub(super) more: String,
}

/// One cell.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    pub(super) label: &'static str,
    pub(super) class: &'static str,
    pub(super) main: String,
    pub(super) sub: String,
    /// Of our own making.
    pub(super) svg: String,
}

fn cell(main: impl Into<String>) -> Cell {
    Cell { main: main.into(), ..Cell::default() }
}

fn number(main: impl Into<String>) -> Cell {
    Cell { main: main.into(), class: "number", ..Cell::default() }
}

fn drawn(main: impl Into<String>, svg: String) -> Cell {
    Cell { main: main.into(), class: "drawn", svg, ..Cell::default() }
}

fn word(main: impl Into<String>, sub: impl Into<String>) -> Cell {
    Cell { class: "word", ..two(main, sub) }
}

fn place(line: &RowLine) -> Cell {
    Cell { class: "place", ..two(count(line.row), format!("line {}", line.line)) }
}

fn phone(line: &RowLine) -> Cell {
    Cell { class: "phone", ..two(line.phone.clone(), line.reference.clone()) }
}

fn when(at: crate::domain::WallTime) -> Cell {
    Cell { main: moment(at), class: "when", ..Cell::default() }
}

fn two(main: impl Into<String>, sub: impl Into<String>) -> Cell {
    Cell { main: main.into(), sub: sub.into(), ..Cell::default() }
}

impl Table {
    fn new(id: &'static str, title: impl Into<String>, heads: &[&'static str], rows: Vec<Vec<Cell>>) -> Self {
        let labelled = rows.into_iter().map(|cells| {
            let cells = cells.into_iter().zip(heads);
            cells.map(|(cell, head)| Cell { label: head, ..cell }).collect()
        });
        Self {
            id,
            title: title.into(),
            note: String::new(),
            heads: heads.to_vec(),
            rows: labelled.collect(),
            more: String::new(),
        }
    }

    fn with(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}

/// Rows, success and times by provider and operator.
pub(super) fn providers(gathered: &Gatherer) -> Table {
    let line = |((provider, operator), Group { counts, spans }): (&(String, String), &Group)| {
        let valid = counts.rows();
        let open = counts.pending + counts.unknown;
        let parts = [
            (Kind::Succeeded, counts.succeeded),
            (Kind::Failed, counts.failed),
            (Kind::Open, open),
            (Kind::NotSent, counts.not_sent),
        ];
        let time = |time: Option<std::time::Duration>| time.map_or_else(|| "–".to_owned(), took);
        let operator = if operator.is_empty() { "operator not known".to_owned() } else { clean(operator) };
        let bar = charts::stacked(&parts, "Rows by state");
        vec![
            Cell { class: "who", ..two(clean(provider), operator) },
            number(count(valid)),
            drawn(share(counts.succeeded, valid), bar),
            number(count(counts.failed)),
            number(count(open)),
            number(count(counts.not_sent)),
            number(time(spans.mean())),
            number(time(spans.percentile(95))),
        ]
    };
    let lines = gathered.groups.iter().map(line).collect();
    let heads = [
        "Provider, operator",
        "Valid rows",
        "Succeeded",
        "Failed",
        "Open",
        "Not sent",
        "Mean time",
        "95 % within",
    ];
    let table = Table::new("providers", "By provider and operator", &heads, lines);
    let beyond = gathered.groups.keys().any(|(_, operator)| operator == OTHERS);
    let note = "The operator is the one named to the provider, else the one the row names, else the one its prefix hints \
                at. Times are from the last submit to the final state.";
    table.with(if beyond {
        format!("{note} Only the first operators are told apart.")
    } else {
        note.to_owned()
    })
}

/// Why rows stand where they stand, and what to do; the most frequent first.
pub(super) fn reasons(gathered: &Gatherer) -> Table {
    let mut found: Vec<_> = gathered
        .reasons
        .iter()
        .filter(|((status, reason, next), _)| {
            *status != Status::Succeeded || reason.is_some() || *next != Next::None
        })
        .collect();
    found.sort_by(|(left, many), (right, more)| more.cmp(many).then(left.cmp(right)));
    let most = found.iter().map(|(_, rows)| **rows).max().unwrap_or(0);
    let line = |((status, reason, next), rows): (&(Status, _, Next), &u64)| {
        let reason: Option<crate::domain::Reason> = *reason;
        let kind = match status {
            Status::Succeeded => Kind::Succeeded,
            Status::Failed | Status::Invalid => Kind::Failed,
            Status::Pending | Status::Unknown => Kind::Open,
            Status::NotSent => Kind::NotSent,
        };
        let told = reason.map_or_else(|| "no reason yet".to_owned(), |reason| reason.to_string());
        vec![
            word(told, status.to_string()),
            drawn(count(*rows), charts::bar(kind, *rows, most, "rows")),
            two(advice(reason, *next), format!("next: {next}")),
        ]
    };
    let lines = found.into_iter().map(line).collect();
    Table::new("reasons", "Reasons, and what to do", &["Reason", "Rows", "What to do"], lines)
}

/// Rows by amount, the most frequent first.
pub(super) fn amounts(gathered: &Gatherer) -> Table {
    let mut found: Vec<_> = gathered.amounts.iter().collect();
    found.sort_by(|(left, many), (right, more)| more.rows.cmp(&many.rows).then(left.cmp(right)));
    let most = found.first().map_or(0, |(_, amounts)| amounts.rows);
    let line = |((currency, value), amounts): &(&(Option<crate::domain::Currency>, _), &Amounts)| {
        let Amounts { rows, succeeded, sum } = **amounts;
        let currency =
            currency.map_or_else(|| "price not known yet".to_owned(), |currency| currency.to_string());
        vec![
            number(format!("{} {currency}", amount(*value))),
            drawn(count(rows), charts::bar(Kind::Plain, rows, most, "rows")),
            number(count(succeeded)),
            number(format!("{} {currency}", amount(sum))),
        ]
    };
    let lines = found.iter().take(AMOUNTS_SHOWN).map(line).collect();
    let heads = ["Amount", "Valid rows", "Succeeded", "Asked together"];
    let mut table = Table::new("amounts", "By amount", &heads, lines);
    let beyond: u64 = found.iter().skip(AMOUNTS_SHOWN).map(|(_, amounts)| amounts.rows).sum();
    let beyond = beyond.saturating_add(gathered.amounts_beyond);
    if beyond > 0 {
        table.more = format!("And {} of further amounts.", rows(beyond));
    }
    table
}

/// The tables after the reconciliation, in the order of the page.
pub(super) fn all(facts: &Facts, chronicle: &Chronicle, gathered: &Gatherer) -> Vec<Table> {
    let mut tables = vec![
        listed(
            facts,
            "failed",
            "Failed rows",
            if gathered.failed_in_doubt == 0 {
                "Submitted, and proved not to have been charged."
            } else {
                "Submitted, and proved not to have been charged; but see the rows that a later answer contradicts."
            },
            &gathered.failed,
        ),
        listed(
            facts,
            "open",
            "Open rows: pending or unknown",
            "Their money may have moved. They are never sent again before the provider proves that it did not.",
            &gathered.open,
        ),
    ];
    if gathered.contradicted.total() > 0 {
        let note = "A later answer contradicts their final state: ask the provider.";
        tables.push(listed(facts, "contradicted", "Contradicted rows", note, &gathered.contradicted));
    }
    if gathered.not_sent.total() > 0 {
        let note = "Valid, and never submitted or proved not to have been taken.";
        tables.push(listed(facts, "not-sent", "Rows that were not sent", note, &gathered.not_sent));
    }
    tables.extend([
        invalid(facts, &gathered.invalid),
        oddities(facts, &gathered.oddities),
        decisions(facts, chronicle, gathered),
        halts(facts, chronicle),
        runs(chronicle),
        files(facts, chronicle),
    ]);
    tables
}

fn listed(facts: &Facts, id: &'static str, title: &str, note: &str, list: &Capped<RowLine>) -> Table {
    let line = |line: &RowLine| {
        let ids = if line.ids.is_empty() { String::new() } else { format!("ids {}", line.ids) };
        let message = [line.message.clone(), ids].join("\n");
        let (main, sub) = message.split_once('\n').unwrap_or((&message, ""));
        vec![
            place(line),
            phone(line),
            Cell { class: "who", ..two(line.provider.clone(), line.operator.clone()) },
            Cell { class: "when", ..two(line.amount.clone(), line.submitted.clone()) },
            word(reason_of(line), format!("next: {}", line.next)),
            two(main, sub),
        ]
    };
    let heads = ["Row", "Number", "Provider", "Amount, last submit", "Why", "What is known"];
    let lines = list.items().iter().map(line).collect();
    let title = format!("{title} ({})", count(list.total()));
    let mut table = Table::new(id, title, &heads, lines).with(note);
    table.more = more(facts, list);
    table
}

fn reason_of(line: &RowLine) -> String {
    if line.reason.is_empty() { line.status.clone() } else { line.reason.clone() }
}

fn more<T>(facts: &Facts, list: &Capped<T>) -> String {
    match list.more() {
        0 => String::new(),
        more => format!(
            "These are the first {}; {} more are in the results file {}.",
            list.items().len(),
            rows(more),
            Veil::new(facts.show_phones).text(&facts.results)
        ),
    }
}

fn invalid(facts: &Facts, list: &Capped<RowLine>) -> Table {
    let line = |line: &RowLine| {
        vec![
            place(line),
            phone(line),
            Cell { class: "when", ..cell(line.amount.clone()) },
            word(line.reason.clone(), format!("next: {}", line.next)),
            cell(line.message.clone()),
        ]
    };
    let lines = list.items().iter().map(line).collect();
    let heads = ["Row", "Number as written", "Amount", "Why", "What is wrong"];
    let title = format!("Invalid rows ({})", count(list.total()));
    let mut table =
        Table::new("invalid", title, &heads, lines).with("Wrong as they stand, and never submitted.");
    table.more = more(facts, list);
    table
}

fn oddities(facts: &Facts, list: &Capped<RowLine>) -> Table {
    let line = |line: &RowLine| {
        vec![
            place(line),
            phone(line),
            Cell { class: "when", ..cell(line.amount.clone()) },
            word(line.status.clone(), ""),
            cell(line.message.clone()),
        ]
    };
    let lines = list.items().iter().map(line).collect();
    let heads = ["Row", "Number", "Amount", "Status", "What was found"];
    let title = format!("Duplicates and repairs ({})", count(list.total()));
    let note = "Rows that equal another one, and rows that were read with a repair or a warning.";
    let mut table = Table::new("duplicates", title, &heads, lines).with(note);
    table.more = more(facts, list);
    table
}

fn decisions(facts: &Facts, chronicle: &Chronicle, gathered: &Gatherer) -> Table {
    let veil = Veil::new(facts.show_phones);
    let line = |decision: &Decision| {
        vec![
            when(decision.at),
            cell(decision.row.map_or_else(|| "whole batch".to_owned(), |row| format!("row {row}"))),
            cell(decision.what.clone()),
            cell(veil.text(&decision.note)),
            cell(clean(&decision.user)),
        ]
    };
    let mut found: Vec<&Decision> =
        chronicle.decisions.items().iter().chain(gathered.decisions.items()).collect();
    found.sort_by_key(|decision| decision.at);
    let total = chronicle.decisions.total().saturating_add(gathered.decisions.total());
    let title = format!("Decisions by people ({})", count(total));
    let heads = ["When", "About", "Decision", "Note", "Who"];
    let mut table = Table::new("decisions", title, &heads, found.into_iter().map(line).collect());
    let more = chronicle.decisions.more().saturating_add(gathered.decisions.more());
    if more > 0 {
        table.more = format!("And {} more: status BATCH --row N shows those of a row.", count(more));
    }
    if gathered.released + gathered.rejudged > 0 {
        table.note = format!(
            "By retry, released to be sent again as they stood: {}; judged anew from a corrected file: {}.",
            rows(gathered.released),
            rows(gathered.rejudged)
        );
    }
    table
}

fn halts(facts: &Facts, chronicle: &Chronicle) -> Table {
    let veil = Veil::new(facts.show_phones);
    let list = &chronicle.halts;
    let line = |line: &super::chronicle::HaltLine| {
        let operator = line.halt.operator.as_ref().map_or_else(|| "all of it".to_owned(), |name| clean(name));
        let code = if line.halt.code.is_empty() {
            String::new()
        } else {
            format!("code {}", clean(&line.halt.code))
        };
        vec![
            Cell { sub: format!("run {}", line.run), ..when(line.at) },
            two(clean(&line.provider), operator),
            word(line.halt.reason.to_string(), code),
            cell(veil.text(&line.halt.message)),
        ]
    };
    let lines = list.items().iter().map(line).collect();
    let title = format!("Halts ({})", count(list.total()));
    let mut table = Table::new("halts", title, &["When", "Provider", "Why", "What it said"], lines);
    if list.more() > 0 {
        table.more = format!("And {} more.", count(list.more()));
    }
    table
        .with("Where nothing more was submitted for the rest of a run; open rows were followed all the same.")
}

fn runs(chronicle: &Chronicle) -> Table {
    let line = |run: &super::chronicle::RunLine| {
        let (ended, exit) = match run.ended {
            Some((at, exit)) => (
                Cell { sub: took(at.since(run.started)), ..when(at) },
                two(format!("exit {exit}"), exit_words(exit)),
            ),
            None => (cell("–"), cell("works still, or was ended by force")),
        };
        vec![
            cell(count(run.number)),
            two(run.command.clone(), format!("process {}", run.pid)),
            cell(clean(&run.who)),
            when(run.started),
            ended,
            exit,
            number(count(run.halts)),
        ]
    };
    let heads = ["Run", "Command", "Who", "Began", "Ended", "How", "Halts"];
    let title = format!("Runs ({})", count(chronicle.run_count));
    let mut table = Table::new("runs", title, &heads, chronicle.runs.iter().map(line).collect());
    let more = chronicle.run_count.saturating_sub(u64::try_from(chronicle.runs.len()).unwrap_or(u64::MAX));
    if more > 0 {
        table.more = format!("{} runs in the middle are not shown.", count(more));
    }
    table
}

fn files(facts: &Facts, chronicle: &Chronicle) -> Table {
    let veil = Veil::new(facts.show_phones);
    let line = |(path, (at, times)): (&std::path::PathBuf, &(crate::domain::WallTime, u64))| {
        vec![cell(veil.text(&path.display().to_string())), when(*at), number(count(*times))]
    };
    let lines = chronicle.files.iter().map(line).collect();
    Table::new("files", "Files written", &["File", "Last written", "Times"], lines)
}

/// Settings by provider, the others first; a value that changed says from which run on it held.
pub(super) fn settings(chronicle: &Chronicle) -> Vec<(String, Vec<(String, String)>)> {
    let mut groups: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for (key, values) in &chronicle.settings {
        let (group, key) = match key.strip_prefix("providers.").and_then(|rest| rest.rsplit_once('.')) {
            Some((provider, key)) => (clean(provider), key),
            None => ("All providers".to_owned(), key.as_str()),
        };
        let told: Vec<String> = values
            .iter()
            .map(|(run, value)| {
                let value = clean(value);
                if values.len() == 1 { value } else { format!("{value} (from run {run} on)") }
            })
            .collect();
        let line = (clean(key), told.join("; "));
        match groups.iter_mut().find(|(name, _)| *name == group) {
            Some((_, lines)) => lines.push(line),
            None => groups.push((group, vec![line])),
        }
    }
    groups
}
