//! `check FILE`: validate and plan only. Spends nothing, writes nothing but `--problems`.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use crate::cli::args::{CheckArgs, GlobalArgs};
use crate::cli::context::{Context, Needs};
use crate::cli::exit::Exit;
use crate::cli::plan;
use crate::cli::stop::Stop;
use crate::cli::survey::{Known, RowProblem, Survey, Surveyor, overrides, policy};
use crate::domain::{WallTime, neutralise};
use crate::intake::Source;

/// `check`.
///
/// # Errors
/// [`Stop`] with exit 2 for a file or configuration that cannot be used.
pub async fn check(global: &GlobalArgs, args: &CheckArgs) -> Result<Exit, Stop> {
    if args.online {
        return Err(Stop::refused(
            "--online is not part of this version; run asks the providers before it sends",
        ));
    }
    let context = Context::of(global, Needs::Providers).await?;
    let settings = context.settings()?;
    let reader = context.read_ledger()?;
    let window = settings.limits.repeat_window;
    let now = context.clock.now().wall;
    let since = WallTime(now.0.saturating_sub(i64::try_from(window.as_micros()).unwrap_or(i64::MAX)));
    let looks_for_repeats = !window.is_zero() && !args.allow_repeats;
    let known = Known {
        repeats: reader.as_ref().filter(|_| looks_for_repeats).map(|ledger| (ledger, since)),
        ..Known::default()
    };
    let source = Source::open(&args.file, &overrides(&args.intake)?)?;
    let policy = policy(settings, args.intake.thousands, args.allow_duplicates);
    let mut surveyor = Surveyor::new(source, policy, &known)?;
    let mut listed = args.problems.as_deref().map(ProblemFile::create).transpose()?;
    let mut all = Vec::new();
    while let Some(judged) = surveyor.judge_next()? {
        let Err(problem) = judged.verdict else { continue };
        let row = surveyor.row();
        let problem = RowProblem {
            row: row.row,
            line: row.line,
            column: problem.column,
            value: problem.value,
            reason: problem.reason,
            message: problem.message,
        };
        if let Some(listed) = &mut listed {
            listed.add(&problem)?;
        }
        if context.terminal.json {
            all.push(json!({ "row": problem.row, "line": problem.line, "column": problem.column,
                "value": problem.value, "reason": problem.reason, "message": problem.message }));
        }
    }
    let survey = surveyor.finish()?;
    if let Some(listed) = listed {
        listed.finish()?;
    }
    if context.terminal.json {
        context.terminal.data(&format!("{:#}", object(&survey, all)));
    } else {
        tell(&context, args, &survey);
    }
    Ok(if survey.totals.invalid_rows() > 0 || !survey.over.is_empty() {
        Exit::SomeFailed
    } else {
        Exit::Success
    })
}

fn object(survey: &Survey, problems: Vec<serde_json::Value>) -> serde_json::Value {
    let totals: Vec<serde_json::Value> = survey
        .totals
        .lines
        .iter()
        .map(|line| {
            json!({ "provider": line.provider, "operator": line.operator, "currency": line.currency,
                "rows": line.rows, "unpriced": line.unpriced, "sum": line.sum.normalize().to_string() })
        })
        .collect();
    json!({ "schema": 1, "rows": survey.totals.rows, "ready": survey.totals.ready,
        "invalid": survey.totals.invalid_rows(), "problems": problems, "totals": totals,
        "fingerprint": hex::encode(survey.digest.sha256) })
}

fn tell(context: &Context, args: &CheckArgs, survey: &Survey) {
    let terminal = &context.terminal;
    if terminal.quiet {
        return;
    }
    terminal.data(&plan::head(&args.file.display().to_string(), &survey.dialect, survey.totals.rows));
    terminal.data(plan::table(survey, terminal).trim_end());
    for over in &survey.over {
        terminal.data(&format!("  {over}"));
    }
    if let Ok(settings) = context.settings() {
        let time = plan::duration(plan::estimate(settings, &survey.totals));
        terminal.data(&format!(
            "  total {}; sending takes about {time}",
            plan::sums_line(&survey.totals.by_currency())
        ));
    }
    if let Some(path) = &args.problems {
        terminal.data(&format!("  all problems: {}", path.display()));
    }
    let file = crate::cli::context::quoted(&args.file.display().to_string());
    if survey.totals.ready > 0 {
        terminal.data(&format!("Next     bulk-topup run {file}{}", context.repeat_flags()));
    }
}

/// `--problems PATH`: every wrong row, as a CSV that opens in a spreadsheet.
struct ProblemFile {
    writer: csv::Writer<std::fs::File>,
    path: String,
}

impl ProblemFile {
    fn create(path: &Path) -> Result<Self, Stop> {
        use std::os::unix::fs::OpenOptionsExt;
        let shown = path.display().to_string();
        let trouble = |e: std::io::Error| Stop::refused(format!("{shown} cannot be written: {e}"));
        // A new file only: what stands there may be somebody's list of payments.
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(trouble)?;
        file.write_all("\u{feff}".as_bytes()).map_err(trouble)?;
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(file);
        let titles = ["row", "line", "column", "value", "reason", "message"];
        writer.write_record(titles).map_err(|e| Stop::internal(format!("{shown}: {e}")))?;
        Ok(Self { writer, path: shown })
    }

    fn add(&mut self, problem: &RowProblem) -> Result<(), Stop> {
        let (row, line) = (problem.row.to_string(), problem.line.to_string());
        let reason = problem.reason.as_str();
        let cells = [&row, &line, &problem.column, &problem.value, reason, &problem.message];
        let safe = cells.iter().map(|cell| neutralise(cell).into_owned());
        self.writer.write_record(safe).map_err(|e| Stop::internal(format!("{}: {e}", self.path)))
    }

    fn finish(mut self) -> Result<(), Stop> {
        self.writer.flush().map_err(|e| Stop::internal(format!("{}: {e}", self.path)))
    }
}
