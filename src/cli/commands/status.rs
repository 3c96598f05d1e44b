//! `status`: what the ledger knows.

use crate::cli::args::{GlobalArgs, StatusArgs};
use crate::cli::context::{Context, Needs};
use crate::cli::exit::Exit;
use crate::cli::stop::Stop;
use crate::cli::terminal::grouped;
use crate::cli::wrapup::{Standing, tell};
use crate::domain::{Answer, LookupMeaning, RowNumber, SubmitMeaning};
use crate::ledger::{BatchInfo, Ledger, results_fit, results_path_is_ours, write_results_file};
use crate::lifecycle::{Event, NotFoundRuling, ResolvedAs};

/// `status`.
///
/// # Errors
/// [`Stop`] with exit 2 for an unknown batch or row, 1 for a damaged ledger.
pub async fn status(global: &GlobalArgs, args: &StatusArgs) -> Result<Exit, Stop> {
    let context = Context::of(global, Needs::Ledger).await?;
    let Some(ledger) = context.read_ledger()? else {
        context.terminal.say(&format!("There is no ledger {} yet.", context.ledger_path.display()));
        return Ok(Exit::Success);
    };
    let batch = args.batch.as_deref().map(|name| context.find_batch(&ledger, name)).transpose()?;
    if args.verify {
        return verify(&context, &ledger, batch.as_ref());
    }
    match (batch, args.row, &args.results) {
        (None, _, _) => list(&context, &ledger),
        (Some(batch), Some(row), _) => history(&context, &ledger, &batch, RowNumber(row.get())),
        (Some(batch), None, Some(path)) => {
            results_path_is_ours(path, &batch.name)
                .and_then(|()| results_fit(path, batch.rows, batch.header.len()))
                .map_err(|e| Stop::refused(e.to_string()))?;
            write_results_file(&ledger, batch.id, path)?;
            context.terminal.say(&format!("Results  {}", path.display()));
            Ok(Exit::Success)
        }
        (Some(batch), None, None) => {
            let mut batch = batch;
            loop {
                let standing = Standing::of(&ledger, &batch)?;
                tell(&context, &batch, &standing, standing.exit(), Some(&batch.results_path));
                let open = standing.counts.pending + standing.counts.unknown + standing.left;
                if !args.watch || open == 0 {
                    return Ok(Exit::Success);
                }
                context.clock.wait(std::time::Duration::from_secs(2)).await;
                batch = ledger.batch(batch.id)?;
            }
        }
    }
}

fn list(context: &Context, ledger: &Ledger) -> Result<Exit, Stop> {
    let mut objects = Vec::new();
    for batch in ledger.batches()?.into_iter().filter(|batch| batch.sandbox == context.sandbox) {
        let counts = ledger.counts(batch.id)?;
        if context.terminal.json {
            objects.push(serde_json::json!({ "batch": batch.name, "rows": batch.rows,
                "created_at": batch.created_at.rfc3339(), "cancelled": batch.cancelled_at.is_some(),
                "counts": counts, "results": batch.results_path }));
            continue;
        }
        let state = match (batch.cancelled_at, counts.all_finished()) {
            (Some(_), _) => "cancelled",
            (None, true) => "finished",
            (None, false) => "open",
        };
        context.terminal.data(&format!(
            "{:<32} {} {state:<9} {:>9} rows: {} succeeded, {} failed, {} invalid, {} open, {} not sent",
            batch.name.as_str(),
            batch.created_at.rfc3339(),
            grouped(&batch.rows.to_string()),
            counts.succeeded,
            counts.failed,
            counts.invalid,
            counts.pending + counts.unknown,
            counts.not_sent
        ));
    }
    if context.terminal.json {
        context.terminal.data(&format!("{:#}", serde_json::json!({ "schema": 1, "batches": objects })));
    }
    Ok(Exit::Success)
}

fn history(context: &Context, ledger: &Ledger, batch: &BatchInfo, row: RowNumber) -> Result<Exit, Stop> {
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
    let phone = stored.order.as_ref().map(|order| context.terminal.phone(order.phone.digits()));
    context.terminal.data(&format!(
        "Batch {} row {row} (line {}): {}{reason}, next {}\n  {}",
        batch.name,
        stored.line,
        stored.state.status(),
        shown.next,
        shown.message
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
        context.terminal.data(&format!("  {}  {}", at.rfc3339(), words_of(&event)));
    }
    Ok(Exit::Success)
}

fn verify(context: &Context, ledger: &Ledger, batch: Option<&BatchInfo>) -> Result<Exit, Stop> {
    let batches = match batch {
        Some(batch) => vec![batch.clone()],
        None => ledger.batches()?,
    };
    let mut sound = true;
    for batch in batches {
        let report = ledger.verify(batch.id)?;
        sound &= report.is_clean();
        let found = if report.is_clean() { "sound" } else { "DAMAGED" };
        context.terminal.data(&format!(
            "{}  {found}: {} rows rebuilt, {} events in the chain",
            batch.name, report.rows, report.events
        ));
        for difference in &report.differences {
            context.terminal.data(&format!("  {difference}"));
        }
    }
    Ok(if sound { Exit::Success } else { Exit::Internal })
}

/// One event of a row's history in a sentence; `--json` has all of it.
fn words_of(event: &Event) -> String {
    match event {
        Event::Intent(intent) => {
            let price = intent.price.map(|price| format!(", {price}")).unwrap_or_default();
            let operator = intent.operator.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
            format!("about to be sent as {} (attempt {}{operator}{price})", intent.id, intent.attempt.0)
        }
        Event::NotSent { fault } => format!("not sent: {}", fault.words()),
        Event::Answered { verdict, .. } => {
            format!("answered: {}{}", submit_words(&verdict.meaning), said(&verdict.answer))
        }
        Event::NoAnswer { fault, .. } => format!("no answer: {}; money may have moved", fault.words()),
        Event::Interrupted { .. } => "found open: the program had ended before an answer came".to_owned(),
        Event::LookedUp { verdict } => {
            format!("looked up: {}{}", lookup_words(&verdict.meaning), said(&verdict.answer))
        }
        Event::NotFound { ruling, .. } => match ruling {
            NotFoundRuling::Counted => "looked up: no such order, counted".to_owned(),
            NotFoundRuling::Proved => "looked up: no such order, counted out: never received".to_owned(),
            NotFoundRuling::Untrusted => {
                "looked up: no such order, counted out, which is no proof here".to_owned()
            }
        },
        Event::GraceRestarted { .. } => {
            "machine restarted or clock jumped: the grace begins again".to_owned()
        }
        Event::SeriesEnded => "looked up: another answer ended the series of no such order".to_owned(),
        Event::GaveUp => "the give-up time passed without a final answer".to_owned(),
        Event::Judged { reason, message } => format!("judged before the submit: {reason}, {message}"),
        Event::Held { reason, message } => format!("held back when the run ended: {reason}, {message}"),
        Event::Cancelled { note, user } => format!("cancelled by {user}: {note}"),
        Event::Resolved { decision, note, user } => {
            let decision = match decision {
                ResolvedAs::Succeeded => "succeeded",
                ResolvedAs::Failed => "failed",
            };
            format!("resolved by {user} as {decision}: {note}")
        }
        Event::Released => "retry: may be sent again".to_owned(),
        Event::Readmitted { .. } => "retry: judged anew from the corrected file, good".to_owned(),
        Event::Rejudged { reason, message } => {
            format!("retry: judged anew, still wrong: {reason}, {message}")
        }
        Event::Contradicted { message } => format!("contradiction: {message}"),
    }
}

fn submit_words(meaning: &SubmitMeaning) -> String {
    match meaning {
        SubmitMeaning::Succeeded => "succeeded".to_owned(),
        SubmitMeaning::Pending => "taken, under way".to_owned(),
        SubmitMeaning::Failed => "failed".to_owned(),
        SubmitMeaning::FailedUnlessFound => "failed, to be confirmed by a look-up".to_owned(),
        SubmitMeaning::Refused(reason) => format!("refused because of the row, {reason}"),
        SubmitMeaning::Throttled(_) => "not taken, too fast".to_owned(),
        SubmitMeaning::Halted(halt) => format!("not taken, {}", halt.reason),
        SubmitMeaning::Unclear(unclear) => format!("unclear, {}; money may have moved", unclear.reason),
    }
}

fn lookup_words(meaning: &LookupMeaning) -> String {
    match meaning {
        LookupMeaning::Succeeded => "succeeded".to_owned(),
        LookupMeaning::Failed => "failed".to_owned(),
        LookupMeaning::Pending => "under way".to_owned(),
        LookupMeaning::NotFound => "no such order".to_owned(),
        LookupMeaning::Conflict(what) => format!("another order under our id, {what}"),
        LookupMeaning::Unchanged { .. } => "no information".to_owned(),
    }
}

/// The provider's code, words and id.
fn said(answer: &Answer) -> String {
    let code = answer.code.as_ref().map(|code| format!("code {code}"));
    let words = Some(answer.words.clone()).filter(|words| !words.is_empty());
    let id = answer.provider_ref.as_ref().map(|id| format!("its id {}", id.as_str()));
    let cost = answer.cost.map(|cost| format!("charged {cost}"));
    let parts: Vec<String> = [code, words, id, cost].into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}
