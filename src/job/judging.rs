//! A file on its way into the ledger: judged, held against what providers sell and against the caps, admitted.

use std::collections::HashMap;
use std::path::PathBuf;

use super::guards::{check_day_cap, repeats_since, worth_of};
use super::preflights::Preflights;
use super::stop::Stop;
use super::survey::{InputFile, Known, Survey, Surveyor, notes_of, output_dialect, phone_plan, policy};
use super::twins::Twins;
use crate::admission::Judged;
use crate::domain::{Catalogue, Refusal, WallTime};
use crate::intake::{RawRow, Source};
use crate::ledger::{AdmittedRow, BatchInfo, FoundBatch, Ledger, NewBatch};
use crate::lifecycle::TopUp;
use crate::run::Clock;
use crate::settings::Settings;

/// How rows are judged, where the file does not say so itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JudgeOptions {
    /// What stands between thousands in amounts.
    pub thousands: Option<char>,
    /// Accept equal rows of the file each, instead of the first one only.
    pub allow_duplicates: bool,
    /// Accept rows that equal a recent one of another batch.
    pub allow_repeats: bool,
}

/// A file that is not in the ledger yet.
pub struct Judging<'a> {
    settings: &'a Settings,
    input: &'a InputFile,
    options: JudgeOptions,
    clock: Clock,
    reader: Ledger,
    /// Since when an equal row of another batch counts. The same for every pass: a person may take long to consent.
    since: Option<WallTime>,
    catalogues: HashMap<String, Catalogue>,
}

/// Where an admitted file came from and where its results go.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The file; `-` for standard input.
    pub source: PathBuf,
    /// Where results are written unless somebody says otherwise.
    pub results: PathBuf,
    /// Whether it is played by the sandbox.
    pub sandbox: bool,
}

impl<'a> Judging<'a> {
    /// Prepares to judge a file against a ledger.
    ///
    /// # Errors
    /// [`Stop`] when the ledger cannot be read.
    pub fn new(
        settings: &'a Settings,
        ledger: &Ledger,
        clock: Clock,
        input: &'a InputFile,
        options: JudgeOptions,
    ) -> Result<Self, Stop> {
        // Repeats are looked up while the ledger itself is written to.
        let reader = Ledger::open_read(ledger.path())?;
        let since = repeats_since(settings, clock.now().wall);
        Ok(Self { settings, input, options, clock, reader, since, catalogues: HashMap::new() })
    }

    /// Judges the whole file; nobody is asked. Also says whether it is nearly the same as a file of late.
    ///
    /// # Errors
    /// [`Stop`]: the file or the ledger cannot be read.
    pub fn survey(&self) -> Result<Survey, Stop> {
        self.reader.snapshot(|reader| {
            let twins = self.since.map(|since| Twins::new(reader, since)).transpose()?.flatten();
            self.pass(&self.known())?.comparing(twins).finish()
        })
    }

    /// Asks every provider of the file its one question, and judges the file again with what they say they
    /// sell.
    ///
    /// # Errors
    /// [`Stop`]: the file or the ledger cannot be read, or a client cannot be made.
    pub async fn ask(&mut self, survey: Survey, preflights: &mut Preflights) -> Result<Survey, Stop> {
        let used: Vec<String> = survey.countries.keys().cloned().collect();
        preflights.ask(self.settings, &used, &self.clock).await?;
        for name in &used {
            if let Some(catalogue) = preflights.catalogue(name) {
                self.catalogues.insert(name.clone(), catalogue.clone());
            }
        }
        if self.catalogues.is_empty() {
            return Ok(survey);
        }
        let again = self.whole_pass()?;
        Ok(Survey { twin: survey.twin, ..again })
    }

    /// Refuses what must not even be asked about: another file than the one that was named, caps exceeded,
    /// nothing to send.
    ///
    /// # Errors
    /// [`Stop`] with exit 2.
    pub fn hold(&self, survey: &Survey) -> Result<(), Stop> {
        if survey.digest.sha256 != self.input.sha256 {
            return Err(Stop::refused(format!("{} changed while it was read; run again", self.input.shown)));
        }
        if !survey.over.is_empty() {
            return Err(Stop::refused(format!("{}; nothing was sent", survey.over.join("; "))));
        }
        let worth = worth_of(self.settings, &survey.totals);
        check_day_cap(self.settings, &self.reader, &worth, self.clock.now().wall)?;
        if survey.totals.rows == 0 {
            return Err(Stop::refused("the file has a header and no rows: nothing was sent"));
        }
        if survey.totals.ready == 0 {
            return Err(Stop::refused("no row can be sent as it stands: nothing was sent"));
        }
        Ok(())
    }

    /// Puts the file into the ledger in one transaction, every row as it is judged now. The batch can be sent
    /// from then on.
    ///
    /// # Errors
    /// [`Stop`]: the file is not the one that was surveyed any more, or the ledger failed; then nothing of it is
    /// in the ledger.
    pub fn admit(
        &self,
        ledger: &mut Ledger,
        survey: &Survey,
        admission: Admission,
    ) -> Result<BatchInfo, Stop> {
        let at = self.clock.now().wall;
        let new = NewBatch {
            name: self.input.batch.clone(),
            file_sha256: self.input.sha256,
            source: admission.source,
            header: survey.header.clone(),
            dialect: output_dialect(&survey.dialect),
            results_path: admission.results,
            sandbox: admission.sandbox,
            at,
        };
        let known = self.known();
        let mut pass = Some(self.pass(&known)?);
        let rows = std::iter::from_fn(|| {
            let surveyor = pass.as_mut()?;
            match surveyor.judge_next() {
                Ok(true) => Some(Ok(admitted(surveyor.row(), surveyor.judged(), at))),
                Ok(false) => {
                    // The transaction ends with an error if this was not the file that was confirmed, or if its
                    // rows come to anything else now.
                    let same = pass
                        .take()?
                        .finish()
                        .map(|again| again.digest == survey.digest && again.totals == survey.totals);
                    match same {
                        Ok(true) => None,
                        Ok(false) => Some(Err(Stop::refused(
                            "the file, or what is known of it, changed after the plan; run again",
                        ))),
                        Err(stop) => Some(Err(stop)),
                    }
                }
                Err(stop) => Some(Err(stop)),
            }
        });
        // One view of what other batches hold: asked for row by row, each look would lock the file anew.
        self.reader.snapshot(|_| ledger.admit::<Stop>(&new, rows).map_err(Stop::from))?;
        match ledger.find_batch(self.input.batch.as_str())? {
            FoundBatch::One(info) => Ok(*info),
            FoundBatch::None | FoundBatch::Ambiguous(_) => {
                Err(Stop::internal("the batch was admitted and is not in the ledger"))
            }
        }
    }

    fn known(&self) -> Known<'_> {
        let repeats = self.since.filter(|_| !self.options.allow_repeats).map(|since| (&self.reader, since));
        Known { catalogues: self.catalogues.clone(), repeats, except: None }
    }

    /// Judges the whole file against one view of what other batches hold.
    fn whole_pass(&self) -> Result<Survey, Stop> {
        self.reader.snapshot(|_| self.pass(&self.known())?.finish())
    }

    fn pass<'k>(&self, known: &'k Known<'k>) -> Result<Surveyor<'k>, Stop> {
        let source = Source::open(&self.input.path, &self.input.overrides)?;
        let policy = policy(self.settings, self.options.thousands, self.options.allow_duplicates);
        Surveyor::new(source, policy, phone_plan(self.settings)?, known)
    }
}

/// A judged row as the ledger keeps it.
fn admitted(row: &RawRow, judged: &Judged, at: WallTime) -> AdmittedRow {
    let notes = notes_of(judged);
    let (order, state) = match &judged.verdict {
        Ok(order) => (Some(order.clone()), TopUp::ready()),
        Err(problem) => {
            let place =
                if problem.column.is_empty() { String::new() } else { format!("{}: ", problem.column) };
            let refusal = Refusal { reason: problem.reason, message: format!("{place}{}", problem.message) };
            (None, TopUp::invalid(refusal, at))
        }
    };
    AdmittedRow {
        row: row.row,
        line: row.line,
        cells: row.cells.iter().map(str::to_owned).collect(),
        order,
        state,
        notes,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::intake::Overrides;
    use crate::job::sandbox_settings;
    use crate::sandbox;
    use crate::settings::LedgerLocation;

    #[tokio::test]
    async fn what_is_admitted_is_what_was_surveyed_however_long_a_person_took_to_consent() {
        let folder = tempfile::tempdir().unwrap();
        let addr = "127.0.0.1:0".parse().unwrap();
        let options = sandbox::Options { addr, log: None, seed: 1, faults: sandbox::Faults::default() };
        let providers = sandbox::start(options).await.unwrap();
        let path = folder.path().join("ledger.db");
        let mut settings = sandbox_settings(&providers, LedgerLocation::Sqlite(path.clone())).unwrap();
        settings.limits.repeat_window = Duration::from_secs(2);
        let (mut ledger, clock) = (Ledger::open(&path).unwrap(), Clock::new());
        let mut ready = Vec::new();
        for (name, rows) in [("one", "0912345601,20000\n"), ("two", "0912345601,20000\n0912345602,20000\n")] {
            let file = folder.path().join(format!("{name}.csv"));
            std::fs::write(&file, format!("phone,amount\n{rows}")).unwrap();
            let input =
                InputFile::open(file.clone(), name.into(), name.into(), Overrides::default()).unwrap();
            let judging = Judging::new(&settings, &ledger, clock, &input, JudgeOptions::default()).unwrap();
            let survey = judging.survey().unwrap();
            if name == "two" {
                // Meanwhile the row that stands in the other batch grows too old to count.
                clock.wait(Duration::from_millis(2_100)).await;
            }
            let admission = Admission { source: file, results: folder.path().join("r.csv"), sandbox: true };
            let batch = judging.admit(&mut ledger, &survey, admission).unwrap();
            assert_eq!(ledger.ready_rows(batch.id).unwrap(), survey.totals.ready);
            ready.push(survey.totals.ready);
        }
        assert_eq!(ready[0], 1);
    }
}
