//! What a comparison came to, for people, for programs and for spreadsheets.

use std::path::PathBuf;

use serde_json::json;

use super::Books;
use crate::cli::args::ReconcileArgs;
use crate::cli::context::{Context, quoted};
use crate::cli::plan::wrapped;
use crate::cli::terminal::Terminal;
use crate::cli::wrapup::tell_json;
use crate::domain::grouped;
use crate::domain::{BatchName, Currency, mask_digits};
use crate::job::Exit;
use crate::job::Stop;
use crate::lifecycle::ResolvedAs;
use crate::report::{Class, CurrencyLine, Finding};

/// Titles of the file of all findings.
pub(super) const COLUMNS: [&str; 16] = [
    "class",
    "row",
    "lines",
    "statement_lines",
    "phone",
    "phone_there",
    "transaction_id",
    "provider_ref",
    "status_here",
    "status_there",
    "amount_here",
    "amount_there",
    "currency",
    "what",
    "next",
    "command",
];

/// Findings of one class that a screen lists; the file has all of them.
const LISTED: u64 = 10;

/// Findings that the JSON object lists.
const LISTED_JSON: usize = 1000;

/// One finding as cells, with whole numbers.
pub(super) fn cells(finding: &Finding, batch: &BatchName) -> [String; 16] {
    let amount = |amount: Option<rust_decimal::Decimal>| {
        amount.map(|amount| amount.normalize().to_string()).unwrap_or_default()
    };
    [
        finding.class.as_str().to_owned(),
        finding.row.map(|row| row.to_string()).unwrap_or_default(),
        finding.lines.to_string(),
        lines_of(finding),
        finding.phone.clone(),
        finding.phone_there.clone(),
        finding.transaction_id.clone(),
        finding.provider_ref.clone(),
        finding.here.map(|status| status.to_string()).unwrap_or_default(),
        finding.there.clone(),
        amount(finding.amount_here),
        amount(finding.amount_there),
        finding.currency.map(|currency| currency.to_string()).unwrap_or_default(),
        finding.what.clone(),
        finding.next.clone(),
        command(finding, batch.as_str(), "", "statement").unwrap_or_default(),
    ]
}

fn lines_of(finding: &Finding) -> String {
    let mut text = finding.first_lines.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let kept = u64::try_from(finding.first_lines.len()).unwrap_or(u64::MAX);
    if finding.lines > kept {
        text.push_str(&format!(" and {} more", finding.lines - kept));
    }
    text
}

/// The command a person may type for a row that the statement proves.
fn command(finding: &Finding, batch: &str, flags: &str, statement: &str) -> Option<String> {
    let (row, proves) = finding.row.zip(finding.proves)?;
    let word = match proves {
        ResolvedAs::Succeeded => "succeeded",
        ResolvedAs::Failed => "failed",
    };
    let line = finding.first_lines.first().copied().unwrap_or(0);
    let note = quoted(&format!("{statement} line {line}: {}", finding.there));
    Some(format!("bulk-topup resolve {} {row} --as {word} --note {note}{flags}", quoted(batch)))
}

/// Tells what the comparison came to.
///
/// # Errors
/// [`Stop`] when what was found cannot be read back.
pub fn tell(context: &Context, args: &ReconcileArgs, books: &Books<'_>, dialect: &str) -> Result<Exit, Stop> {
    let exit = if books.tally.agrees() { Exit::Success } else { Exit::SomeFailed };
    let terminal = &context.terminal;
    let flags = context.repeat_flags();
    let statement =
        args.statement.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let sides = books.tally.currencies().map_err(super::sums)?;
    if terminal.json {
        return tell_object(terminal, args, books, exit, (&flags, &statement), &sides).map(|()| exit);
    }
    let head = format!(
        "\nStatement {} ({dialect}): {}, held against batch {}, provider {}\n\n{}",
        args.statement.display(),
        lines(books.lines),
        books.batch.name,
        books.provider.name,
        table(books, &sides)
    );
    terminal.data(head.trim_end());
    list(terminal, books, &flags, &statement)?;
    let path = args.output.as_ref().map(|path| path.display().to_string());
    if let Some(path) = &path {
        terminal.data(&format!("\nAll of it  {path}"));
    }
    let verdict = match (exit, path) {
        (Exit::Success, _) => "exit 0: statement and ledger agree".to_owned(),
        (_, Some(_)) => "exit 3: statement and ledger differ; the ledger was not changed".to_owned(),
        (_, None) => {
            "exit 3: statement and ledger differ; the ledger was not changed. -o PATH writes the whole list"
                .to_owned()
        }
    };
    terminal.data(&format!("\n{verdict}"));
    Ok(exit)
}

fn lines(count: u64) -> String {
    format!("{} {}", grouped(&count.to_string()), if count == 1 { "line" } else { "lines" })
}

fn table(books: &Books<'_>, sides: &[CurrencyLine]) -> String {
    let mut text = format!("  {:<31} {:>9} {:>9} {:>16} {:>16}\n", "", "rows", "lines", "here", "there");
    for class in books.tally.classes() {
        let sums: Vec<_> = books
            .tally
            .sums_of(class.class)
            .filter(|(_, here, there)| !here.is_zero() || !there.is_zero())
            .collect();
        let shown = |count: u64| if count == 0 { "-".to_owned() } else { grouped(&count.to_string()) };
        let head =
            format!("  {:<31} {:>9} {:>9}", class.class.title(), shown(class.rows), shown(class.lines));
        text.push_str(&head);
        for (at, (currency, here, there)) in sums.iter().enumerate() {
            let indent = if at == 0 { String::new() } else { format!("\n{:53}", "") };
            let amount = |amount: &rust_decimal::Decimal| grouped(&amount.normalize().to_string());
            text.push_str(&format!(
                "{indent} {:>16} {:>16} {}",
                amount(here),
                amount(there),
                code(*currency)
            ));
        }
        text.push('\n');
    }
    let (rows, lines) = books.tally.totals();
    text.push_str(&format!(
        "  {:<31} {:>9} {:>9}\n",
        "together",
        grouped(&rows.to_string()),
        grouped(&lines.to_string())
    ));
    for side in sides {
        let amount = |amount: rust_decimal::Decimal| grouped(&amount.normalize().to_string());
        let more = if side.difference.is_sign_negative() || side.difference.is_zero() { "" } else { "+" };
        text.push_str(&format!(
            "\n  {:<4} succeeded here {} · charged there {} · difference {more}{}",
            code(side.currency),
            amount(side.here),
            amount(side.there),
            amount(side.difference)
        ));
    }
    text
}

fn code(currency: Option<Currency>) -> String {
    currency.map_or_else(|| "?".to_owned(), |currency| currency.to_string())
}

/// The differences, the worst first, each with what to do.
fn list(terminal: &Terminal, books: &Books<'_>, flags: &str, statement: &str) -> Result<(), Stop> {
    let mut current: Option<(Class, u64)> = None;
    // What to do is often the same for all of a class: it is said before the next one that needs something else.
    let mut advice = String::new();
    let more = |class: &Option<(Class, u64)>| {
        if let Some((_, count)) = class.filter(|(_, count)| *count > LISTED) {
            terminal.data(&format!("  ... and {} more of these", grouped(&(count - LISTED).to_string())));
        }
    };
    books.findings(|finding| {
        if !finding.class.is_difference() {
            return Ok(true);
        }
        match &mut current {
            Some((class, count)) if *class == finding.class => *count += 1,
            _ => {
                more(&current);
                terminal.data(&format!("\n{}", finding.class.title()));
                current = Some((finding.class, 1));
                advice.clear();
            }
        }
        if current.is_some_and(|(_, count)| count <= LISTED) {
            let new = finding.next != advice;
            terminal.data(&told(terminal, &finding, new));
            advice.clone_from(&finding.next);
            if let Some(command) = command(&finding, books.batch.name.as_str(), flags, statement) {
                terminal.data(&format!("           {command}"));
            }
        }
        Ok(true)
    })?;
    more(&current);
    Ok(())
}

/// A finding in some lines; what to do only where it was not just said.
fn told(terminal: &Terminal, finding: &Finding, with_advice: bool) -> String {
    let row = finding.row.map(|row| format!("row {row}")).unwrap_or_default();
    let place = match finding.lines {
        0 => String::new(),
        1 => format!("line {}", lines_of(finding)),
        _ => format!("lines {}", lines_of(finding)),
    };
    let phone = |cell: &str| {
        if cell.is_empty() { String::new() } else { terminal.phone(cell) }
    };
    let amount = finding.amount_there.or(finding.amount_here);
    let amount = amount.map(|amount| {
        let currency = finding.currency.map(|currency| format!(" {currency}")).unwrap_or_default();
        format!("{}{currency}", grouped(&amount.normalize().to_string()))
    });
    let id = Some(&finding.transaction_id).filter(|id| !id.is_empty()).map(|id| format!("id {id}"));
    let its = Some(&finding.provider_ref).filter(|id| !id.is_empty()).map(|id| format!("its id {id}"));
    let there = Some(&finding.phone_there)
        .filter(|cell| !cell.is_empty())
        .map(|cell| format!("there {}", phone(cell)));
    let parts = [Some(row), Some(place), Some(phone(&finding.phone)), there, amount, id, its];
    let head: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    let mut text = format!("  {}\n", head.join("  "));
    let advice = if with_advice { finding.next.as_str() } else { "" };
    for (sign, sentence) in [("", finding.what.as_str()), ("-> ", advice)] {
        if !sentence.is_empty() {
            text.push_str(&wrapped(5, &format!("{sign}{sentence}")));
        }
    }
    text.trim_end().to_owned()
}

fn tell_object(
    terminal: &Terminal,
    args: &ReconcileArgs,
    books: &Books<'_>,
    exit: Exit,
    (flags, statement): (&str, &str),
    sides: &[CurrencyLine],
) -> Result<(), Stop> {
    let mut listed = Vec::new();
    let mut more = 0_u64;
    let shown = |cell: &str| if terminal.show_phones { cell.to_owned() } else { mask_digits(cell) };
    books.findings(|finding| {
        if finding.class.is_difference() {
            if listed.len() < LISTED_JSON {
                listed.push(json!({
                    "class": finding.class, "row": finding.row, "lines": finding.lines,
                    "statement_lines": finding.first_lines, "phone": shown(&finding.phone),
                    "phone_there": shown(&finding.phone_there), "transaction_id": finding.transaction_id,
                    "provider_ref": finding.provider_ref, "status_here": finding.here,
                    "status_there": finding.there,
                    "amount_here": finding.amount_here.map(|amount| amount.normalize().to_string()),
                    "amount_there": finding.amount_there.map(|amount| amount.normalize().to_string()),
                    "currency": finding.currency, "what": finding.what, "next": finding.next,
                    "command": command(&finding, books.batch.name.as_str(), flags, statement),
                }));
            } else {
                more += 1;
            }
        }
        Ok(true)
    })?;
    let (rows, lines) = books.tally.totals();
    let output: Option<&PathBuf> = args.output.as_ref();
    tell_json(
        terminal,
        &json!({ "schema": 1, "batch": books.batch.name, "provider": books.provider.name,
            "statement": args.statement, "exit": exit.code(), "agrees": books.tally.agrees(), "rows": rows,
            "lines": lines, "classes": books.tally.classes(), "totals": sides, "differences": listed,
            "more_differences": more, "output": output }),
    );
    Ok(())
}
