//! `status`: all batches, and what to do next with each.

use super::one::is_at_work;
use crate::cli::context::Context;
use crate::cli::wrapup::{next_steps, watch_step};
use crate::domain::Status;
use crate::domain::grouped;
use crate::job::Standing;
use crate::job::Stop;
use crate::ledger::Ledger;
use crate::report::Counts;

/// What to type while there is no batch.
pub fn to_begin(context: &Context) -> String {
    let flags = context.repeat_flags();
    format!("To begin: bulk-topup check FILE{flags}, then bulk-topup run FILE{flags}")
}

/// The list as text or JSON, and whether any of it can still change.
///
/// # Errors
/// [`Stop`] when the ledger fails.
pub fn list(context: &Context, ledger: &Ledger) -> Result<(String, bool), Stop> {
    let (mut objects, mut text, mut goes_on) = (Vec::new(), String::new(), false);
    for batch in ledger.batches()?.into_iter().filter(|batch| batch.sandbox == context.sandbox) {
        let standing = Standing::by_phase(&ledger.phase_counts(batch.id)?, &batch);
        let counts = standing.counts;
        let open = counts.pending + counts.unknown;
        goes_on |= open + standing.left > 0;
        let at_work = ledger.last_run(batch.id)?.as_ref().is_some_and(is_at_work);
        let state = match (batch.cancelled_at, counts.all_finished()) {
            (Some(_), _) => "cancelled",
            (None, _) if at_work => "at work",
            (None, true) => "finished",
            (None, false) if open > 0 => "open",
            (None, false) => "not sent in full",
        };
        let steps = match at_work {
            true => vec![watch_step(context, &batch)],
            false => next_steps(context, &batch, &standing, Some(&batch.results_path)),
        };
        if context.terminal.json {
            let next: Vec<&str> = steps.iter().map(|step| step.command.as_str()).collect();
            objects.push(serde_json::json!({ "batch": batch.name, "rows": batch.rows,
                "created_at": batch.created_at.rfc3339(), "cancelled": batch.cancelled_at.is_some(),
                "counts": counts, "results": batch.results_path, "next": next }));
            continue;
        }
        let at = batch.created_at.rfc3339();
        text.push_str(&format!("{}  {}  {state}\n", batch.name, minute(&at)));
        text.push_str(&format!("    {:>9} rows: {}\n", grouped(&batch.rows.to_string()), counted(counts)));
        for step in &steps {
            text.push_str(&format!("         next  {}\n", step.command));
        }
    }
    if context.terminal.json {
        return Ok((format!("{:#}", serde_json::json!({ "schema": 1, "batches": objects })), goes_on));
    }
    if text.is_empty() {
        return Ok((format!("No batch yet. {}", to_begin(context)), false));
    }
    Ok((text.trim_end().to_owned(), goes_on))
}

/// A time to the minute: `2026-11-22 09:02Z`.
fn minute(rfc3339: &str) -> String {
    let head: String = rfc3339.chars().take(16).collect();
    format!("{}Z", head.replace('T', " "))
}

/// Rows by status, those that there are.
fn counted(counts: Counts) -> String {
    let Counts { succeeded, failed, invalid, pending, unknown, not_sent } = counts;
    let all = [
        (Status::Succeeded, succeeded),
        (Status::Failed, failed),
        (Status::Invalid, invalid),
        (Status::Pending, pending),
        (Status::Unknown, unknown),
        (Status::NotSent, not_sent),
    ];
    let parts: Vec<String> = all
        .into_iter()
        .filter(|(_, rows)| *rows > 0)
        .map(|(status, rows)| format!("{} {status}", grouped(&rows.to_string())))
        .collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(" · ") }
}
