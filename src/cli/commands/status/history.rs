//! `status BATCH --row N`: everything that happened to one row.

use super::words::words_of;
use crate::cli::context::{Context, quoted};
use crate::cli::wrapup::near;
use crate::domain::{Next, RowNumber};
use crate::job::Exit;
use crate::job::Stop;
use crate::ledger::{BatchInfo, Ledger};

/// Shows a row and its history.
///
/// # Errors
/// [`Stop`] with exit 2 when the batch has no such row.
pub fn history(context: &Context, ledger: &Ledger, batch: &BatchInfo, row: RowNumber) -> Result<Exit, Stop> {
    let Some(stored) = ledger.row(batch.id, row)? else {
        return Err(Stop::refused(format!(
            "batch {} has rows 1 to {}, no row {row}",
            batch.name, batch.rows
        )));
    };
    let view = ledger.run_view(batch.id)?;
    let shown = crate::report::effective(&stored, &view);
    let events = ledger.history(batch.id, row)?;
    if context.terminal.json {
        let events: Vec<_> = events
            .iter()
            .map(|(at, event)| serde_json::json!({ "at": at.rfc3339(), "event": event }))
            .collect();
        let object = serde_json::json!({ "schema": 1, "batch": batch.name, "row": row, "line": stored.line,
            "status": stored.state.status(), "next": shown.next, "reason": shown.reason,
            "message": shown.message, "attempts": stored.state.submits,
            "transaction_id": stored.state.id, "provider_ref": stored.state.provider_ref, "events": events });
        context.terminal.data(&format!("{object:#}"));
        return Ok(Exit::Success);
    }
    let reason = shown.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let number = stored.order.as_ref().map(|order| &order.phone);
    let phone = stored.order.as_ref().map(|order| context.terminal.phone(order.phone.digits()));
    context.terminal.data(&format!(
        "Batch {} row {row} (line {}): {}{reason}, next {}\n  {}",
        batch.name,
        stored.line,
        stored.state.status(),
        shown.next,
        context.terminal.words(&shown.message, number)
    ));
    if let (Some(order), Some(phone)) = (&stored.order, phone) {
        let amount = stored.asked().map_or_else(String::new, |(amount, currency)| {
            format!(", {} {}", amount.normalize(), currency.map(|c| c.to_string()).unwrap_or_default())
        });
        context.terminal.data(&format!(
            "  {} to {phone} through {}{amount}",
            order.goods.canonical(),
            order.provider
        ));
    }
    for (at, event) in events {
        let words = context.terminal.words(&words_of(&event), number);
        context.terminal.data(&format!("  {}  {words}", at.rfc3339()));
    }
    let (name, flags) = (quoted(batch.name.as_str()), context.repeat_flags());
    let results = quoted(&near(&batch.results_path));
    let step = match shown.next {
        Next::None => return Ok(Exit::Success),
        Next::Retry | Next::Fix => format!("bulk-topup retry {results}{flags}"),
        Next::Wait => format!("bulk-topup settle {name}{flags}"),
        Next::Ask => format!("bulk-topup resolve {name} {row} --as succeeded --note TEXT{flags}"),
    };
    context.terminal.data(&format!("\nNext     {step}"));
    Ok(Exit::Success)
}
