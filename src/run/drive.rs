//! The loop that runs an engine: its commands become commits, requests and reads, what comes back becomes its
//! input.

use std::collections::VecDeque;
use std::time::Duration;

use super::calls::{Arrived, Calls};
use super::{Clock, Signals, crash_at};
use crate::domain::{Now, RowNumber, Tick, TransactionId};
use crate::engine::{CallEnd, CallId, Command, Engine, Input, LaneId, LaneStats, Loaded, Notice, RecordId};
use crate::ledger::{BatchEvent, BatchId, Commit, LedgerError, Record, Writer};
use crate::lifecycle::{Entry, Event, Receipt};
use crate::net::Client;

/// How often hints of a listener in another process are looked for.
const HINTS_EVERY: Duration = Duration::from_millis(500);

/// How often whoever watches is told the counts.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Where the engine's rows come from.
pub trait Rows {
    /// Rows of a provider behind `after`, at most `limit`, and whether there may be more: open ones, or those
    /// that may be sent.
    ///
    /// # Errors
    /// What the ledger says.
    fn page(
        &mut self,
        lane: LaneId,
        open: bool,
        after: Option<RowNumber>,
        limit: usize,
    ) -> Result<(Vec<Loaded>, bool), LedgerError>;

    /// What callbacks named since the last call.
    ///
    /// # Errors
    /// What the ledger says.
    fn hints(&mut self) -> Result<Hinted, LedgerError>;
}

/// What callbacks hint at.
#[derive(Debug, Default)]
pub struct Hinted {
    /// Ids of ours that they named.
    pub ids: Vec<TransactionId>,
    /// Rows among them that counted as never received, which may have turned up after all.
    pub turned_up: Vec<(LaneId, Loaded)>,
}

/// Whoever watches a run.
pub trait Observer {
    /// Something happened.
    fn notice(&mut self, notice: &Notice, now: Now);
    /// Counts per provider, from time to time.
    fn progress(&mut self, lanes: &[LaneStats], now: Now);
    /// These entries go to the ledger now; whoever watches sees them before they are durable.
    fn recorded(&mut self, entries: &[Entry], now: Now);
    /// A request came to its end after so long.
    fn called(&mut self, end: &CallEnd, took: Duration, now: Now);
    /// A signal came: the first one drains, the second leaves.
    fn stopping(&mut self, signals: u32, under_way: usize);
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The ledger failed: nothing more was submitted from that moment on.
    #[error("{0}")]
    Ledger(#[from] LedgerError),
    /// A fault of the program.
    #[error("a fault of the program, nothing more was submitted: {0}")]
    Fault(String),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself.
    Over,
    /// After one signal: nothing is under way.
    Drained,
    /// After two: what was under way is unknown.
    Left,
}

/// How one provider is reached.
#[derive(Clone, Debug)]
pub struct LaneClients {
    /// For submits.
    pub submit: Client,
    /// For everything that spends nothing.
    pub look_up: Client,
}

/// One run of an engine.
pub struct Drive<'a> {
    /// The engine at its start.
    pub engine: Engine,
    /// Clients for each lane, in its order.
    pub clients: Vec<LaneClients>,
    /// The ledger's one writer.
    pub writer: &'a Writer,
    /// The batch.
    pub batch: BatchId,
    /// The rows.
    pub rows: &'a mut dyn Rows,
    /// Whoever watches.
    pub observer: &'a mut dyn Observer,
    /// What may stop it.
    pub signals: &'a mut Signals,
    /// The clock.
    pub clock: Clock,
}

impl std::fmt::Debug for Drive<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drive").finish_non_exhaustive()
    }
}

/// A record that is durable, with the receipts of its intents.
type Durable = (Option<RecordId>, Vec<Receipt>);

/// Records whose commit is awaited, in the order they were handed over; none names a note about the batch.
#[derive(Default)]
struct Commits(VecDeque<(Option<RecordId>, Commit)>);

impl Commits {
    /// Waits for the oldest record; for ever where there is none.
    async fn next(&mut self) -> Result<Durable, LedgerError> {
        let Some((_, commit)) = self.0.front_mut() else { return std::future::pending().await };
        let receipts = commit.await;
        let record = self.0.pop_front().and_then(|(record, _)| record);
        receipts.map(|receipts| (record, receipts))
    }

    /// The oldest record, if it is durable already.
    fn ready(&mut self) -> Result<Option<Durable>, LedgerError> {
        let Some(receipts) = self.0.front_mut().and_then(|(_, commit)| commit.now()) else { return Ok(None) };
        let record = self.0.pop_front().and_then(|(record, _)| record);
        receipts.map(|receipts| Some((record, receipts)))
    }
}

impl Drive<'_> {
    /// Runs the engine to its end. Gives it back for what it learned.
    ///
    /// # Errors
    /// [`RunError`]: the ledger or the program failed; nothing was submitted after that.
    pub async fn go(mut self) -> Result<(Engine, Ended), RunError> {
        let mut calls = Calls::default();
        let mut commits = Commits::default();
        let mut watch = Watch::start(self.clock.now());
        loop {
            self.obey(&mut calls, &mut commits).await?;
            let over = self.engine.is_over();
            watch.tell(&mut self, over);
            if over && commits.0.is_empty() {
                let ended = if self.signals.seen() > 0 { Ended::Drained } else { Ended::Over };
                return Ok((self.engine, ended));
            }
            if self.turn(&mut calls, &mut commits, &watch).await? {
                return Ok((self.engine, Ended::Left));
            }
            self.take_hints(&mut watch)?;
        }
    }

    /// Does what the engine wants done.
    async fn obey(&mut self, calls: &mut Calls, commits: &mut Commits) -> Result<(), RunError> {
        let mut now = self.clock.now();
        while let Some(command) = self.engine.next_command() {
            match command {
                Command::Record { record, entries } => {
                    crash_before(&entries);
                    self.observer.recorded(&entries, now);
                    let record_of = Record { batch: self.batch, batch_events: vec![], entries };
                    commits.0.push_back((Some(record), self.writer.append(record_of)));
                    calls.was_busy();
                }
                Command::Call { call, lane, request } => {
                    let Some(clients) = self.clients.get(lane.0) else { continue };
                    let submits = self.engine.is_submit(call);
                    let client = if submits { &clients.submit } else { &clients.look_up }.clone();
                    calls.begin(&self.clients, client, (call, request, now.tick)).await;
                }
                Command::NeedRows { lane, open, after, limit } => {
                    calls.go_out().await;
                    let (rows, more) = self.rows.page(lane, open, after, limit)?;
                    now = self.clock.now();
                    self.engine.handle(Input::Rows { lane, open, rows, more }, now);
                }
                Command::Notice(notice) => self.note(notice, commits)?,
            }
        }
        Ok(())
    }

    fn note(&mut self, notice: Notice, commits: &mut Commits) -> Result<(), RunError> {
        let now = self.clock.now();
        self.observer.notice(&notice, now);
        match notice {
            Notice::Halted { provider, halt } => {
                let batch_events = vec![(now.wall, BatchEvent::Halted { provider, halt })];
                let note = Record { batch: self.batch, batch_events, entries: vec![] };
                commits.0.push_back((None, self.writer.append(note)));
                Ok(())
            }
            Notice::Fault(fault) => Err(RunError::Fault(fault)),
            Notice::Sent { .. } => {
                crash_at("mid_request");
                Ok(())
            }
            Notice::Paused { .. } | Notice::Changed { .. } => Ok(()),
        }
    }

    /// Waits for the next thing to happen and hands it in, with whatever else happened meanwhile. True: a
    /// second signal came.
    async fn turn(
        &mut self,
        calls: &mut Calls,
        commits: &mut Commits,
        watch: &Watch,
    ) -> Result<bool, RunError> {
        let wake = self.engine.next_deadline().map_or(watch.next, |tick| tick.min(watch.next));
        let mut inputs = Vec::new();
        tokio::select! {
            biased;
            count = self.signals.next() => {
                let under_way: usize = self.stats().iter().map(|lane| lane.in_flight).sum();
                self.observer.stopping(count, under_way);
                if count > 1 {
                    return Ok(true);
                }
                inputs.push(Input::Drain);
            }
            committed = commits.next() => inputs.extend(durable(committed?)),
            () = calls.end() => {}
            () = self.clock.wait_until(wake) => inputs.push(Input::Tick),
        }
        while let Some(committed) = commits.ready()? {
            inputs.extend(durable(committed));
        }
        calls.work();
        let mut sent = Vec::new();
        for Arrived { call, delivery, sent: at } in calls.ended() {
            crash_at("after_reply");
            sent.push((call, at));
            inputs.push(Input::Delivered { call, delivery });
        }
        let now = self.clock.now();
        self.engine.handle_all(inputs, now);
        self.tell_ends(&sent, now);
        Ok(false)
    }

    /// Tells whoever watches what came of the requests that ended.
    fn tell_ends(&mut self, sent: &[(CallId, Tick)], now: Now) {
        // The engine tells them in the order they came in, and may leave some out.
        let mut sent = sent.iter();
        while let Some((call, end)) = self.engine.take_call_end() {
            if let Some((_, sent)) = sent.find(|(known, _)| *known == call) {
                self.observer.called(&end, now.tick.since(*sent), now);
            }
        }
    }

    fn take_hints(&mut self, watch: &mut Watch) -> Result<(), RunError> {
        let now = self.clock.now();
        if now.tick < watch.hints_at {
            return Ok(());
        }
        watch.hints_at = now.tick.after(HINTS_EVERY);
        let Hinted { ids, turned_up } = self.rows.hints()?;
        for (lane, row) in turned_up {
            // All open rows were read at the start: there are no more of them.
            self.engine.handle(Input::Rows { lane, open: true, rows: vec![row], more: false }, now);
        }
        for id in ids {
            self.engine.handle(Input::Hint(id), now);
        }
        Ok(())
    }

    fn stats(&self) -> Vec<LaneStats> {
        let tick = self.clock.now().tick;
        (0..self.clients.len()).map(|lane| self.engine.stats(LaneId(lane), tick)).collect()
    }
}

/// When to tell the counts, and when to look for hints.
struct Watch {
    next: Tick,
    hints_at: Tick,
}

impl Watch {
    fn start(now: Now) -> Self {
        Self { next: now.tick, hints_at: now.tick.after(HINTS_EVERY) }
    }

    fn tell(&mut self, drive: &mut Drive<'_>, over: bool) {
        let now = drive.clock.now();
        if now.tick >= self.next || over {
            self.next = now.tick.after(PROGRESS_EVERY);
            let stats = drive.stats();
            drive.observer.progress(&stats, now);
        }
    }
}

/// A note about the batch is nothing that the engine waits for.
fn durable((record, receipts): Durable) -> Option<Input> {
    if !receipts.is_empty() {
        crash_at("after_intent");
    }
    record.map(|record| Input::Committed { record, receipts })
}

/// Named points of the process tests.
fn crash_before(entries: &[Entry]) {
    if entries.iter().any(|entry| matches!(entry.event, Event::Intent(_))) {
        crash_at("before_intent");
    }
    if entries.iter().any(|entry| matches!(entry.event, Event::Answered { .. } | Event::NoAnswer { .. })) {
        crash_at("before_record");
    }
}
