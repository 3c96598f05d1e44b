//! `check FILE`: validate and plan only. Spends nothing; writes nothing but `--problems` and `--write-plan`, and
//! asks nobody without `--online`.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::approval::{Approval, Flags, Plan};
use crate::cli::args::{CheckArgs, GlobalArgs};
use crate::cli::asking::Asking;
use crate::cli::context::{Context, Needs, quoted};
use crate::cli::plan;
use crate::cli::problems::Listing;
use crate::cli::reading::overrides;
use crate::cli::spool::spool_if_asked;
use crate::intake::{Overrides, Source};
use crate::job::guards::{over_day, repeats_since, worth_of};
use crate::job::{
    Exit, Known, Preflights, RowProblem, Stop, Survey, Surveyor, Twins, host_name, output_dialect,
    phone_plan, policy, sums_line, user_name,
};
use crate::ledger::Ledger;

/// `check`.
///
/// # Errors
/// [`Stop`] with exit 2 for a file or configuration that cannot be used.
pub async fn check(global: &GlobalArgs, args: &CheckArgs) -> Result<Exit, Stop> {
    let context = Context::of(global, Needs::Plan).await?;
    context.keep_off([args.file.as_path()])?;
    let spool = spool_if_asked(&args.file)?;
    let path = spool.as_ref().map_or(args.file.as_path(), |spool| spool.path());
    let shown = if spool.is_some() { "standard input".to_owned() } else { args.file.display().to_string() };
    if let Some(path) = args.write_plan.as_deref().filter(|path| std::fs::symlink_metadata(path).is_ok()) {
        let path = path.display();
        return Err(Stop::refused(format!(
            "{path} is there already and is not overwritten; name a new file"
        )));
    }
    let overrides = overrides(&args.intake)?;
    let work = Work { context: &context, args, path, overrides: &overrides };
    let reader = context.read_ledger()?;
    let done = work.judge(reader.as_ref()).await?;
    work.tell(&shown, done)
}

struct Work<'a> {
    context: &'a Context,
    args: &'a CheckArgs,
    path: &'a Path,
    overrides: &'a Overrides,
}

/// What came of it.
struct Done {
    survey: Survey,
    plan: Plan,
    preflights: Preflights,
    /// What the providers did not tell.
    silent: Vec<String>,
    problems: Option<Box<dyn std::io::Read>>,
}

impl Work<'_> {
    fn pass<'k>(&self, known: &'k Known<'k>) -> Result<Surveyor<'k>, Stop> {
        let source = Source::open(self.path, self.overrides)?;
        let settings = self.context.settings()?;
        let policy = policy(settings, self.args.intake.thousands, self.args.allow_duplicates);
        Surveyor::new(source, policy, phone_plan(settings)?, known)
    }

    async fn judge(&self, reader: Option<&Ledger>) -> Result<Done, Stop> {
        let (context, settings) = (self.context, self.context.settings()?);
        let now = context.clock.now().wall;
        let recent = reader.zip(repeats_since(settings, now));
        let mut known = Known { repeats: recent.filter(|_| !self.args.allow_repeats), ..Known::default() };
        let twins = recent.map(|(ledger, since)| Twins::new(ledger, since)).transpose()?.flatten();
        let mut surveyor = self.pass(&known)?.comparing(twins);
        let delimiter = output_dialect(surveyor.dialect()).delimiter;
        let mut listing = Listing::new(self.args.problems.as_deref(), delimiter, context.terminal.json)?;
        let flags = Flags::of(&self.args.intake, self.args.allow_duplicates, self.args.allow_repeats);
        let mut preflights = Preflights::default();
        if !self.args.online {
            while surveyor.judge_next()? {
                if let Err(problem) = &surveyor.judged().verdict {
                    listing.add(&RowProblem::of(surveyor.row(), problem))?;
                }
            }
            let mut survey = surveyor.finish()?;
            self.add_day_cap(&mut survey, reader)?;
            let plan = Plan::of(settings, context.sandbox, flags, &survey, None);
            return Ok(Done { survey, plan, preflights, silent: Vec::new(), problems: listing.finish()? });
        }
        let offline = surveyor.finish()?;
        let used: Vec<String> = offline.countries.keys().cloned().collect();
        preflights.ask(settings, &used, &context.clock).await?;
        for name in &used {
            if let Some(catalogue) = preflights.catalogue(name) {
                known.catalogues.insert(name.clone(), catalogue.clone());
            }
        }
        let mut asking = Asking::new(context, &used, &preflights)?;
        let mut survey = asking.survey(context, self.pass(&known)?, &mut listing).await?;
        if survey.digest != offline.digest {
            return Err(Stop::refused("the file changed while it was read; check it again"));
        }
        survey.twin.clone_from(&offline.twin);
        self.add_day_cap(&mut survey, reader)?;
        let mut silent = asking.silent();
        for (name, asked) in &preflights.asked {
            let trouble = asked.trouble();
            if !trouble.is_empty() && !silent.iter().any(|line| line.starts_with(name.as_str())) {
                silent.push(format!("{name}: {trouble}"));
            }
        }
        let plan = Plan::of(settings, context.sandbox, flags, &offline, Some(&survey.totals));
        Ok(Done { survey, plan, preflights, silent, problems: listing.finish()? })
    }

    fn add_day_cap(&self, survey: &mut Survey, reader: Option<&Ledger>) -> Result<(), Stop> {
        let Some(ledger) = reader else { return Ok(()) };
        let now = self.context.clock.now().wall;
        survey.over.extend(over_day(
            self.context.settings()?,
            ledger,
            &worth_of(self.context.settings()?, &survey.totals),
            now,
        )?);
        Ok(())
    }

    /// Tells what was found, writes the plan, and says how it ended.
    fn tell(&self, shown: &str, mut done: Done) -> Result<Exit, Stop> {
        let terminal = &self.context.terminal;
        match done.problems.take() {
            Some(problems) => {
                self.tell_json(&done, problems);
                if let Some(twin) = &done.survey.twin {
                    terminal.complain(&format!("WARNING: {twin}"));
                }
            }
            None => self.tell_people(shown, &done)?,
        }
        for line in &done.silent {
            terminal.complain(&format!("  {line}"));
        }
        let survey = &done.survey;
        if let Some(path) = &self.args.write_plan {
            let why_not = if survey.totals.ready == 0 {
                Some("no row can be sent".to_owned())
            } else if !survey.over.is_empty() {
                Some(survey.over.join("; "))
            } else if !done.silent.is_empty() {
                Some("not every provider answered".to_owned())
            } else {
                None
            };
            if let Some(why_not) = why_not {
                return Err(Stop::refused(format!("{why_not}: no plan was written")));
            }
            let who = format!("{}@{}", user_name(), host_name());
            Approval::write(path, shown, done.plan, who, self.context.clock.now().wall)?;
            let (file, plan) = (self.args.file.display().to_string(), path.display().to_string());
            terminal.say(&format!(
                "Plan     bulk-topup run {} --plan {}{}",
                quoted(&file),
                quoted(&plan),
                self.flags_again()
            ));
        }
        let mut applying = vec![Exit::Success];
        if survey.totals.invalid_rows() > 0 || !survey.over.is_empty() {
            applying.push(Exit::SomeFailed);
        }
        if !done.silent.is_empty() {
            // What was asked for could not be found out: nobody may take this for a clean file.
            applying.push(Exit::Internal);
        }
        Ok(Exit::strongest(&applying))
    }

    /// Flags that make `run` judge the same.
    fn flags_again(&self) -> String {
        let mut flags = self.args.intake.again(quoted);
        for (flag, given) in [
            (" --allow-duplicates", self.args.allow_duplicates),
            (" --allow-repeats", self.args.allow_repeats),
        ] {
            if given {
                flags.push_str(flag);
            }
        }
        flags + &self.context.repeat_flags()
    }

    /// One object, by `contract.md` 8; the problems are copied, however many they are.
    fn tell_json(&self, done: &Done, mut problems: Box<dyn std::io::Read>) {
        let totals = &done.survey.totals;
        let lines: Vec<Value> = totals
            .lines
            .iter()
            .map(|line| {
                json!({ "provider": line.provider, "operator": line.operator, "currency": line.currency,
                    "rows": line.rows, "unpriced": line.unpriced, "sum": line.sum.normalize().to_string() })
            })
            .collect();
        let before = format!(
            "{{\n  \"schema\": 1,\n  \"rows\": {},\n  \"ready\": {},\n  \"invalid\": {},\n  \"problems\": [",
            totals.rows,
            totals.ready,
            totals.invalid_rows()
        );
        let after = format!(
            "],\n  \"totals\": {},\n  \"fingerprint\": \"{}\"\n}}\n",
            Value::Array(lines),
            done.plan.fingerprint()
        );
        let mut whole = std::io::Read::chain(before.as_bytes(), &mut problems);
        self.context.terminal.copy(&mut std::io::Read::chain(&mut whole, after.as_bytes()));
    }

    fn tell_people(&self, shown: &str, done: &Done) -> Result<(), Stop> {
        let (terminal, survey) = (&self.context.terminal, &done.survey);
        if terminal.quiet {
            return Ok(());
        }
        terminal.data(&plan::head(shown, &survey.dialect, survey.totals.rows));
        terminal.data(plan::table(survey, terminal).trim_end());
        for line in plan::balances(&done.preflights, &survey.totals) {
            terminal.data(&line);
        }
        for over in &survey.over {
            terminal.data(&format!("  {over}"));
        }
        if survey.totals.ready > 0 {
            let time = plan::duration(plan::estimate(self.context.settings()?, &survey.totals));
            let sums = sums_line(&survey.totals.by_currency());
            terminal.data(&format!("  total {sums}; sending takes about {time}"));
        } else {
            let none = survey.totals.rows == 0;
            let why =
                if none { "the file has a header and no rows" } else { "no row can be sent as it stands" };
            terminal.data(&format!("  {why}"));
        }
        terminal.data(&format!("  fingerprint {}", done.plan.fingerprint()));
        if let Some(path) = self.args.problems.as_deref() {
            terminal.data(&format!("  all problems: {}", path.display()));
        }
        let wrong = survey.totals.invalid_rows() > 0 || !survey.over.is_empty();
        if survey.totals.ready > 0 && survey.over.is_empty() && self.args.write_plan.is_none() {
            let file = quoted(&self.args.file.display().to_string());
            let first = if wrong {
                "correct the rows above and check again, or send the others:\n           "
            } else {
                ""
            };
            terminal.data(&format!("Next     {first}bulk-topup run {file}{}", self.flags_again()));
        } else if wrong {
            terminal.data("Next     correct the file and check it again");
        }
        Ok(())
    }
}
