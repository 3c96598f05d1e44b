//! What is about to be sent, as a person reads it before saying yes.

use std::time::Duration;

use super::screen;
use super::terminal::Terminal;
use crate::admission::Totals;
use crate::domain::grouped;
use crate::domain::{Currency, ProviderKind, Reason, Told};
use crate::intake::Dialect;
use crate::job::{NoteGroup, Preflights, RowProblem, Survey};
use crate::run::Asked;
use crate::settings::{ProviderSettings, Rate, Settings};
use rust_decimal::Decimal;

/// The head line: file, rows, how it is written.
pub fn head(shown: &str, dialect: &Dialect, rows: u64) -> String {
    format!("{shown}: {} ({dialect})", counted(rows))
}

/// Counts, problems and sums of a survey, as a table.
pub fn table(survey: &Survey, terminal: &Terminal) -> String {
    let totals = &survey.totals;
    let mut text = String::new();
    let line = |text: &mut String, count: u64, words: &str| {
        text.push_str(&format!("  {:>9}  {words}\n", grouped(&count.to_string())));
    };
    line(&mut text, totals.ready, "ready");
    if totals.invalid_rows() > 0 {
        line(&mut text, totals.invalid_rows(), "invalid, not sent");
    }
    for (reason, group) in &survey.problems {
        text.push_str(&format!("  {:>11}  {reason}\n", grouped(&group.rows.to_string())));
        for problem in &group.first {
            let value = shown_cell(survey, terminal, problem);
            let place = if problem.column.is_empty() {
                String::new()
            } else {
                format!("{} {:?}: ", problem.column, shorten(&value))
            };
            let message = terminal.text(&problem.message);
            let words = format!("row {} (line {}): {place}{message}", problem.row, problem.line);
            text.push_str(&wrapped(15, &words));
        }
        let more = group.rows.saturating_sub(u64::try_from(group.first.len()).unwrap_or(u64::MAX));
        if more > 0 {
            text.push_str(&format!("               and {} more\n", grouped(&more.to_string())));
        }
    }
    for (note, group) in &survey.notes {
        text.push_str(&wrapped(13, &format!("note: {note} ({})", places(group))));
    }
    if let Some(twin) = &survey.twin {
        text.push_str(&wrapped(2, &format!("WARNING: {twin}. Is it meant to be sent again?")));
    }
    text.push_str(&money(totals));
    if totals.hinted > 0 {
        let rows = if totals.hinted == totals.ready {
            String::new()
        } else {
            format!(" in {}", counted(totals.hinted))
        };
        text.push_str(&wrapped(2, &format!("operator by prefix{rows}: a hint, the provider decides")));
    }
    text
}

/// A cell for a screen: a phone cell is masked, but not the words that stand where a number should.
fn shown_cell(survey: &Survey, terminal: &Terminal, problem: &RowProblem) -> String {
    let phone = problem.reason == Reason::BadPhone || problem.column == survey.phone_title;
    if phone && problem.value.chars().any(char::is_numeric) {
        terminal.phone(&problem.value)
    } else {
        terminal.text(&problem.value)
    }
}

/// `row 4`, `3 rows: 4, 17, 20`, `29 rows: 4, 17, ... and 19 more`.
fn places(group: &NoteGroup) -> String {
    let rows: Vec<String> = group.first.iter().map(ToString::to_string).collect();
    let more = group.rows.saturating_sub(u64::try_from(rows.len()).unwrap_or(u64::MAX));
    match (rows.as_slice(), more) {
        ([one], 0) => format!("row {one}"),
        (_, 0) => format!("{}: {}", counted(group.rows), rows.join(", ")),
        (_, more) => {
            format!("{}: {} and {} more", counted(group.rows), rows.join(", "), grouped(&more.to_string()))
        }
    }
}

/// `1 row`, `12,480 rows`.
pub fn counted(rows: u64) -> String {
    format!("{} {}", grouped(&rows.to_string()), if rows == 1 { "row" } else { "rows" })
}

/// A paragraph no wider than a screen, indented by so many characters, each further line by two more.
pub fn wrapped(indent: usize, words: &str) -> String {
    wrapped_to(columns(), indent, words)
}

fn wrapped_to(columns: usize, indent: usize, words: &str) -> String {
    let mut text = " ".repeat(indent);
    let (mut width, mut fresh) = (indent, true);
    for word in words.split(' ') {
        let length = word.chars().count();
        if !fresh && width + 1 + length > columns {
            text.push('\n');
            text.push_str(&" ".repeat(indent + 2));
            (width, fresh) = (indent + 2, true);
        }
        if !fresh {
            text.push(' ');
            width += 1;
        }
        text.push_str(word);
        width += length;
        fresh = false;
    }
    text.push('\n');
    text
}

/// Parts behind a head that is so many columns wide: what does not fit on its line stands below the first part.
pub fn hanging(head: &str, width: usize, parts: &[String]) -> String {
    hanging_to(columns(), head, width, parts)
}

fn hanging_to(columns: usize, head: &str, width: usize, parts: &[String]) -> String {
    const BETWEEN: &str = " · ";
    let mut text = head.to_owned();
    let mut at = width;
    for (place, part) in parts.iter().enumerate() {
        let length = part.chars().count();
        let last = place + 1 == parts.len();
        if place > 0 {
            let room = if last { columns } else { columns.saturating_sub(2) };
            if at + BETWEEN.chars().count() + length > room {
                text.push_str(&format!(" ·\n{}", " ".repeat(width)));
                at = width;
            } else {
                text.push_str(BETWEEN);
                at += BETWEEN.chars().count();
            }
        }
        text.push_str(part);
        at += length;
    }
    format!("{}\n", text.trim_end())
}

/// How wide a paragraph may be on the screen at hand.
fn columns() -> usize {
    const COLUMNS_MIN: usize = 50;
    const COLUMNS_MAX: usize = 100;
    screen::columns().unwrap_or(COLUMNS_MAX).clamp(COLUMNS_MIN, COLUMNS_MAX)
}

fn shorten(value: &str) -> String {
    const CHARS_MAX: usize = 60;
    if value.chars().count() <= CHARS_MAX {
        return value.to_owned();
    }
    value.chars().take(CHARS_MAX).chain("...".chars()).collect()
}

/// Instead of an operator that only the provider can tell.
const TO_BE_ASKED: &str = "operator to be asked";

fn money(totals: &Totals) -> String {
    const OPERATOR_COLUMNS: usize = 12;
    let mut text = String::new();
    let name = |operator: &Option<String>| operator.clone().unwrap_or_else(|| TO_BE_ASKED.to_owned());
    let widths = totals.lines.iter().map(|line| name(&line.operator).chars().count());
    let width = widths.chain([OPERATOR_COLUMNS]).max().unwrap_or(OPERATOR_COLUMNS);
    for line in &totals.lines {
        let operator = name(&line.operator);
        let sum = line.currency.map_or_else(
            || "price to be asked".to_owned(),
            |currency| format!("{} {currency}", grouped(&line.sum.normalize().to_string())),
        );
        // Without a currency the line says that the price is still to be asked.
        let unpriced = if line.unpriced > 0 && line.currency.is_some() {
            format!(" and {} whose price is still to be asked", counted(line.unpriced))
        } else {
            String::new()
        };
        let (rows, word) = (grouped(&line.rows.to_string()), if line.rows == 1 { "row " } else { "rows" });
        text.push_str(&format!(
            "  {:<12} {operator:<width$} {rows:>9} {word}  {sum}{unpriced}\n",
            line.provider
        ));
    }
    text
}

/// What a provider's balance says about the plan.
fn balance_line(name: &str, asked: &Asked, need: Decimal, currency: Option<Currency>) -> Option<String> {
    let Asked::Told(Told::Balance(balance)) = asked else { return None };
    let currency = currency.map(|c| c.to_string()).unwrap_or_default();
    let enough = if *balance >= need { "enough" } else { "NOT ENOUGH for this file" };
    Some(format!("  {name:<12} balance {} {currency}: {enough}", grouped(&balance.normalize().to_string())))
}

/// Balances that were told, against what is to be sent.
pub fn balances(preflights: &Preflights, totals: &Totals) -> Vec<String> {
    let mut lines: Vec<String> = preflights
        .asked
        .iter()
        .filter_map(|(name, asked)| {
            let of_provider = || totals.lines.iter().filter(|line| line.provider == *name);
            let need = of_provider().map(|line| line.sum).sum();
            balance_line(name, asked, need, of_provider().find_map(|line| line.currency))
        })
        .collect();
    lines.sort_unstable();
    lines
}

/// How long sending will take at the configured rates: the slowest provider counts. Every order is looked up
/// about once after its submit, and those whose number the provider is asked about once before it.
pub fn estimate(settings: &Settings, totals: &Totals) -> Duration {
    let of = |entry: &ProviderSettings| {
        let rows: u64 =
            totals.lines.iter().filter(|line| line.provider == entry.name).map(|line| line.rows).sum();
        let at = |rate: Rate, requests: u64| {
            let windows = requests.div_ceil(u64::from(rate.count.max(1)));
            rate.window.saturating_mul(u32::try_from(windows).unwrap_or(u32::MAX))
        };
        let looks = if entry.kind == ProviderKind::ConnectTopup { 1 } else { 2 };
        at(entry.submit_rate, rows).max(at(entry.query_rate, rows.saturating_mul(looks)))
    };
    settings.providers.iter().map(of).max().unwrap_or_default()
}

/// A time a person can read: `1h 05m`, `3m 20s`, `12s`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}h {minutes:02}m")
    } else if minutes > 0 {
        format!("{minutes}m {rest:02}s")
    } else {
        format!("{rest}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_is_not_rows() {
        assert_eq!([0, 1, 2, 1234].map(counted), ["0 rows", "1 row", "2 rows", "1,234 rows"]);
    }

    #[test]
    fn parts_that_do_not_fit_stand_below_the_first() {
        let parts = ["no_answer 9 (wait)", "no_answer 3 (ask)", "questionable 1 (wait)"].map(str::to_owned);
        let shown = hanging_to(50, "  unknown      13   ", 20, &parts);
        assert_eq!(
            shown,
            "  unknown      13   no_answer 9 (wait) ·\n                    no_answer 3 (ask) ·\n                    \
             questionable 1 (wait)\n"
        );
        assert_eq!(hanging_to(100, "  a  ", 5, &parts).lines().count(), 1);
        assert_eq!(hanging_to(100, "  a  ", 5, &[]), "  a\n");
    }

    #[test]
    fn a_paragraph_keeps_to_the_screen_and_loses_no_word() {
        let words = "seventeen ".repeat(30);
        let text = wrapped_to(100, 15, words.trim_end());
        assert!(text.ends_with('\n') && text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with(&" ".repeat(17))), "{text}");
        assert_eq!(text.split_whitespace().count(), 30);
        assert_eq!(wrapped(2, "short"), "  short\n");
        let long = "x".repeat(200);
        assert_eq!(wrapped(2, &long), format!("  {long}\n"), "a word is never cut");
    }
}
