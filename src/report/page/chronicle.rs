//! What happened to a batch as a whole: its runs, halts, files and people's decisions, as they are told in the
//! order they came. Every list is capped.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::capped::Capped;
use crate::domain::{Halt, RowNumber, WallTime};

/// Runs that are listed: the first half of so many and the last half.
const RUNS_MAX: usize = 100;

/// Stretches of work on the time axis; beyond them the last one grows.
const STRETCHES_MAX: usize = 60;

/// People, files, keys and values of settings that are kept; no batch of use comes near.
const PEOPLE_MAX: usize = 20;
const FILES_MAX: usize = 50;
const KEYS_MAX: usize = 2_000;
const VALUES_MAX: usize = 5;
const HALTS_MAX: usize = 100;
const DECISIONS_MAX: usize = 200;

/// One run.
#[derive(Clone, Debug)]
pub(super) struct RunLine {
    pub(super) number: u64,
    pub(super) command: String,
    pub(super) who: String,
    pub(super) pid: u32,
    pub(super) started: WallTime,
    /// None: it works still, or was killed.
    pub(super) ended: Option<(WallTime, u8)>,
    pub(super) halts: u64,
}

/// One halt.
#[derive(Clone, Debug)]
pub(super) struct HaltLine {
    pub(super) run: u64,
    pub(super) at: WallTime,
    pub(super) provider: String,
    pub(super) halt: Halt,
}

/// One decision of a person.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub(super) at: WallTime,
    pub(super) what: String,
    /// None: the whole batch.
    pub(super) row: Option<RowNumber>,
    pub(super) note: String,
    pub(super) user: String,
}

/// A time in which somebody worked on the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) start: WallTime,
    pub(super) end: WallTime,
}

/// What happened to a batch, told in the order it happened.
#[derive(Clone, Debug)]
pub struct Chronicle {
    pub(super) runs: Vec<RunLine>,
    pub(super) run_count: u64,
    pub(super) stretches: Vec<Stretch>,
    pub(super) people: BTreeSet<String>,
    pub(super) halts: Capped<HaltLine>,
    pub(super) decisions: Capped<Decision>,
    /// Path, when it was written last, how often.
    pub(super) files: BTreeMap<PathBuf, (WallTime, u64)>,
    /// Per key its values, each with the first run that had it.
    pub(super) settings: BTreeMap<String, Vec<(u64, String)>>,
}

impl Default for Chronicle {
    fn default() -> Self {
        Self {
            runs: Vec::new(),
            run_count: 0,
            stretches: Vec::new(),
            people: BTreeSet::new(),
            halts: Capped::new(HALTS_MAX),
            decisions: Capped::new(DECISIONS_MAX),
            files: BTreeMap::new(),
            settings: BTreeMap::new(),
        }
    }
}

impl Chronicle {
    /// A run began.
    pub fn run_started(
        &mut self,
        at: WallTime,
        command: &str,
        (user, host): (&str, &str),
        pid: u32,
        settings: &BTreeMap<String, String>,
    ) {
        self.run_count += 1;
        let (number, who) = (self.run_count, format!("{user}@{host}"));
        if self.people.len() < PEOPLE_MAX {
            self.people.insert(who.clone());
        }
        if self.runs.len() == RUNS_MAX {
            self.runs.remove(RUNS_MAX / 2);
        }
        let command = command.to_owned();
        self.runs.push(RunLine { number, command, who, pid, started: at, ended: None, halts: 0 });
        if self.stretches.len() < STRETCHES_MAX {
            self.stretches.push(Stretch { start: at, end: at });
        }
        self.seen_until(at);
        for (key, value) in settings {
            if self.settings.len() < KEYS_MAX || self.settings.contains_key(key) {
                let values = self.settings.entry(key.clone()).or_default();
                let known = values.last().is_some_and(|(_, last)| last == value);
                if !known {
                    // The value in force is never the one left out.
                    if values.len() == VALUES_MAX {
                        values.pop();
                    }
                    values.push((number, value.clone()));
                }
            }
        }
    }

    /// The run that is told of was at work at this time still.
    pub fn seen_until(&mut self, at: WallTime) {
        if let Some(stretch) = self.stretches.last_mut() {
            stretch.end = stretch.end.max(at);
        }
    }

    /// It ended in order.
    pub fn run_ended(&mut self, at: WallTime, exit: u8) {
        self.seen_until(at);
        if let Some(run) = self.runs.last_mut() {
            run.ended = Some((at, exit));
        }
    }

    /// It halted a provider, or an operator of it.
    pub fn halted(&mut self, at: WallTime, provider: &str, halt: &Halt) {
        if let Some(run) = self.runs.last_mut() {
            run.halts += 1;
        }
        let (run, provider, halt) = (self.run_count, provider.to_owned(), halt.clone());
        self.halts.add(|| HaltLine { run, at, provider, halt });
    }

    /// A person cancelled the batch.
    pub fn cancelled(&mut self, at: WallTime, note: &str, user: &str) {
        let what = "cancelled: nothing of it is sent any more".to_owned();
        let (note, user) = (note.to_owned(), user.to_owned());
        self.decisions.add(|| Decision { at, what, row: None, note, user });
    }

    /// A results file was written.
    pub fn written(&mut self, at: WallTime, path: &Path) {
        if self.files.len() < FILES_MAX || self.files.contains_key(path) {
            let file = self.files.entry(path.to_owned()).or_insert((at, 0));
            *file = (at, file.1 + 1);
        }
    }

    /// Whether a results file was written there.
    pub fn has_written(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// The value of a setting in the last run that had it.
    pub(super) fn setting(&self, key: &str) -> Option<&str> {
        self.settings.get(key).and_then(|values| values.last()).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_of_many_runs_keeps_the_first_and_the_last_ones() {
        let mut chronicle = Chronicle::default();
        for n in 0..1_000 {
            let settings = BTreeMap::from([("rate".to_owned(), format!("{n}/s"))]);
            chronicle.run_started(WallTime(n * 10), "settle", ("lan", "fin-03"), 7, &settings);
            chronicle.written(WallTime(n * 10 + 5), Path::new("/a.csv"));
            chronicle.run_ended(WallTime(n * 10 + 6), 4);
        }
        assert_eq!((chronicle.runs.len(), chronicle.run_count), (RUNS_MAX, 1_000));
        assert_eq!(chronicle.runs[0].number, 1);
        assert_eq!(chronicle.runs[RUNS_MAX - 1].number, 1_000);
        assert_eq!(chronicle.setting("rate"), Some("999/s"));
        assert_eq!(chronicle.stretches.len(), STRETCHES_MAX);
        assert_eq!(chronicle.stretches[STRETCHES_MAX - 1].end, WallTime(9_996));
        assert_eq!(chronicle.files[Path::new("/a.csv")], (WallTime(9_995), 1_000));
    }
}
