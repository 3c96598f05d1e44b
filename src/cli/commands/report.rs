//! `report BATCH`: one self-contained HTML page about a batch, from the ledger alone.

use std::path::{Path, PathBuf};

use crate::cli::args::{GlobalArgs, ReportArgs};
use crate::cli::context::{Context, Needs};
use crate::cli::plan::wrapped;
use crate::cli::wrapup::{Step, near, next_steps};
use crate::job::{ByProvider, Exit, Standing, Stop};
use crate::ledger::{BatchInfo, Ledger, ReportFileError, report_path_is_ours, write_report_file};
use crate::report::{Facts, Gatherer, NextStep, render};

/// `report`.
///
/// # Errors
/// [`Stop`] with exit 2 for an unknown batch and for a file in the way, 1 for a damaged ledger or a full disk.
pub async fn report(global: &GlobalArgs, args: &ReportArgs) -> Result<Exit, Stop> {
    let context = Context::of(global, Needs::Ledger).await?;
    let terminal = &context.terminal;
    let Some(ledger) = context.read_ledger()? else {
        return Err(Stop::refused(format!(
            "there is no ledger {} yet: nothing was ever sent from it",
            context.ledger_path.display()
        )));
    };
    let batch = context.find_batch(&ledger, &args.batch)?;
    let path = args.output.clone().unwrap_or_else(|| default_path(batch.name.as_str()));
    report_path_is_ours(ledger.path(), &path, &batch.name).map_err(|e| Stop::refused(e.to_string()))?;
    // One state of the ledger, whatever is written meanwhile.
    let (page, steps) = ledger.snapshot(|ledger| {
        let batch = ledger.batch(batch.id)?;
        page(&context, ledger, &batch)
    })?;
    write_report_file(ledger.path(), &path, &batch.name, &page).map_err(stopped)?;
    if terminal.json {
        let object = serde_json::json!({ "schema": 1, "batch": batch.name, "report": path });
        terminal.data(&format!("{object:#}"));
    } else {
        terminal.data(&path.display().to_string());
        terminal.say(wrapped(0, &told(terminal.show_phones)).trim_end());
        for (i, step) in steps.iter().enumerate() {
            terminal.say(&format!("{}  {}", if i == 0 { "Next   " } else { "       " }, step.told()));
        }
    }
    Ok(Exit::Success)
}

fn stopped(error: ReportFileError) -> Stop {
    match error {
        ReportFileError::Foreign { .. } | ReportFileError::OfLedger { .. } => {
            Stop::refused(error.to_string())
        }
        ReportFileError::Io { .. } => Stop::internal(error.to_string()),
    }
}

/// The page, and what a person does next about the batch.
fn page(context: &Context, ledger: &Ledger, batch: &BatchInfo) -> Result<(String, Vec<Step>), Stop> {
    let show_phones = context.terminal.show_phones;
    let chronicle = ledger.chronicle(batch.id)?;
    let view = ledger.run_view(batch.id)?;
    let halts = view.halts.clone();
    let mut rows = Gatherer::new(&batch.header, view, &chronicle, show_phones);
    ledger.for_each_history::<Stop>(batch.id, |row, steps| {
        rows.add(&row, steps).map_err(|e| Stop::internal(e.to_string()))
    })?;
    let standing = Standing {
        counts: rows.counts,
        totals: rows.sums(),
        halts,
        reasons: rows.reasons.clone(),
        charged: rows.charged.clone(),
        conflicts: rows.conflicts,
        left: rows.left,
        providers: ByProvider::new(),
    };
    let written = chronicle.has_written(&batch.results_path).then_some(batch.results_path.as_path());
    let steps = next_steps(context, batch, &standing, written);
    let next = steps
        .iter()
        .map(|Step { words, command }| NextStep { words: words.clone(), command: command.clone() });
    let facts = Facts {
        batch: batch.name.to_string(),
        source: shown(&batch.source),
        sha256: batch.file_sha256,
        sandbox: batch.sandbox,
        rows: batch.rows,
        created_at: batch.created_at,
        cancelled_at: batch.cancelled_at,
        results: near(&batch.results_path),
        now: context.clock.now().wall,
        show_phones,
        next: next.collect(),
    };
    let page = render(&facts, &chronicle, &rows)
        .map_err(|e| Stop::internal(format!("the page cannot be made: {e}")))?;
    Ok((page, steps))
}

/// `<batch>.html` in the working folder, whatever the batch is called.
fn default_path(batch: &str) -> PathBuf {
    PathBuf::from(format!("{}.html", batch.replace('/', "_")))
}

/// The input file as people name it.
fn shown(source: &Path) -> String {
    if source == Path::new("-") { "standard input".to_owned() } else { source.display().to_string() }
}

fn told(show_phones: bool) -> String {
    let numbers = if show_phones {
        "Numbers are shown whole: keep it private."
    } else {
        "Numbers are masked (--show-phones shows them)."
    };
    format!("Open it in a browser; print it from there, or save it as a PDF, to have it signed. {numbers}")
}
