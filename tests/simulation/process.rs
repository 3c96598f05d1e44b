//! One process from its start to its end: the engine, driven as a shell would drive it, stopped or killed at
//! any step.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use bulk_topup::domain::{Delivery, HttpRequest, Now, Order, RowNumber, TransactionId};
use bulk_topup::engine::{
    CallId, Clearances, Command, Engine, Input, LaneId, LaneStart, Mode, Notice, PastSubmit, RecordId, Rules,
    RunConfig,
};
use bulk_topup::lifecycle::{Entry, Phase, TopUp};

use crate::dice::Dice;
use crate::plan::{MINUTE, SECOND};
use crate::promises::promise;
use crate::wire::{self, Asked};
use crate::world::{Broken, Happening, TIMEOUT, World};

/// More steps than any honest run takes.
const STEPS_MAX: u64 = 60_000;

/// How one run is made.
#[derive(Clone, Debug)]
pub struct Run {
    pub mode: Mode,
    pub settle_for: Duration,
    /// Rows proved unspent are sent again too, after a look at their earlier ids.
    pub retry: bool,
    pub crash_after: Option<u64>,
    pub drain_after: Option<u64>,
    /// The process is stopped after so many steps, for so long, and goes on as if nothing was.
    pub freeze_after: Option<(u64, u64)>,
    pub clearances: Clearances,
}

impl Run {
    pub fn send(settle_for: Duration) -> Self {
        Self {
            mode: Mode::Send,
            settle_for,
            retry: false,
            crash_after: None,
            drain_after: None,
            freeze_after: None,
            clearances: Clearances::new(),
        }
    }
}

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    Over(Clearances),
    Crashed,
}

/// What one life of the process did so far, for one provider.
#[derive(Debug, Default)]
pub struct LaneLife {
    pub submits_out: usize,
    pub looks_out: usize,
    /// A submit was answered intact.
    pub answered: bool,
    pub queries: Vec<u64>,
    pub halted: bool,
    pub operators_halted: HashSet<String>,
}

/// One life of the process.
struct Process {
    run: Run,
    engine: Engine,
    dice: Dice,
    /// Decides when it is busy, apart from everything else.
    busy: Dice,
    lanes: Vec<LaneLife>,
    /// Requests that nobody answered yet: whose, whether it is a submit, and of which row.
    outstanding: HashMap<CallId, (usize, bool, RowNumber)>,
    asked_before: HashMap<String, usize>,
    steps: u64,
    /// Wake-ups in succession that led to nothing.
    idle: u64,
    drained: bool,
    /// When something happened last that lets the run go on for its settle time.
    activity: u64,
}

fn is_submit(request: &HttpRequest) -> bool {
    let url = request.url.expose();
    ["/OrderCreate", "/topup.jsp", "/topup"]
        .iter()
        .any(|page| url.ends_with(page) || url.contains(&format!("{page}?")))
}

/// What a step of a process leads to.
enum Next {
    GoOn,
    End(Ended),
}

impl World {
    /// One process, from its start to its end.
    pub fn run(&mut self, run: Run) -> Result<Ended, Broken> {
        let mut process = self.launch(run);
        loop {
            while let Some(command) = process.engine.next_command() {
                process.idle = 0;
                process.steps += 1;
                if process.run.crash_after.is_some_and(|after| process.steps > after) {
                    return self.crash(&mut process.dice);
                }
                let submit = matches!(&command, Command::Call { request, .. } if is_submit(request));
                self.freeze(&mut process, submit);
                self.obey(&mut process, command)?;
            }
            if process.engine.is_over() {
                return self.check_end(process);
            }
            let deadline = process.engine.next_deadline().map(|tick| tick.0 + self.boot_at);
            promise!(deadline.is_none_or(|at| at > self.t), "the engine wants to be woken in the past");
            if let Next::End(ended) = self.wait(&mut process, deadline.map(|at| at.max(self.thaw)))? {
                return Ok(ended);
            }
        }
    }

    fn launch(&mut self, run: Run) -> Process {
        self.life += 1;
        self.runs += 1;
        self.thaw = 0;
        self.say(|| format!("--- run {run:?}"));
        let config = RunConfig {
            batch: self.plan.batch.clone(),
            mode: run.mode,
            settle_for: run.settle_for,
            max_row: BTreeMap::new(),
            seed: self.plan.seed,
        };
        let starts = (0..self.plan.lanes.len())
            .map(|lane| (self.plan.lanes[lane].config.clone(), self.lane_start(lane)))
            .collect();
        let engine = Engine::with_rules(config, starts, run.clearances.clone(), self.now(), self.rules);
        let mut dice = Dice::keyed(self.plan.seed, "run", "", self.life);
        if dice.chance(self.chaos.jumps) {
            let by = dice.pick(&[3_600_000_000_i64, -3_600_000_000, 5_000_000, -5_000_000, 60_000_000]);
            let when = self.t + dice.span(0, 10 * MINUTE);
            self.at(when, Happening::Jump(by));
        }
        Process {
            run,
            engine,
            dice,
            busy: Dice::keyed(self.plan.seed, "busy", "", self.life),
            lanes: self.plan.lanes.iter().map(|_| LaneLife::default()).collect(),
            outstanding: HashMap::new(),
            asked_before: HashMap::new(),
            steps: 0,
            idle: 0,
            drained: false,
            activity: self.t,
        }
    }

    /// Lets time pass until the engine has something to notice.
    fn wait(&mut self, process: &mut Process, deadline: Option<u64>) -> Result<Next, Broken> {
        loop {
            process.steps += 1;
            promise!(process.steps < STEPS_MAX, "the run does not end");
            let steps = process.steps;
            if process.run.crash_after.is_some_and(|after| steps > after) {
                return self.crash(&mut process.dice).map(Next::End);
            }
            let drains = process.run.drain_after.is_some_and(|after| steps > after);
            let input = if drains && !process.drained && self.t >= self.thaw {
                process.drained = true;
                self.say(|| "drain".to_owned());
                Input::Drain
            } else {
                match (self.queue.first_key_value().map(|((at, _), _)| *at), deadline) {
                    (None, None) => {
                        return Err("the run is stuck: nothing is under way, no deadline".to_owned());
                    }
                    (next, Some(deadline)) if next.is_none_or(|next| deadline < next) => {
                        process.idle += 1;
                        promise!(process.idle < 300, "the engine wakes up again and again for nothing");
                        self.t = self.t.max(deadline);
                        Input::Tick
                    }
                    _ => match self.notice_next(process)? {
                        Some(input) => input,
                        None => continue,
                    },
                }
            };
            let inputs = self.with_what_else_came(process, input)?;
            process.engine.handle_all(inputs, self.now());
            return Ok(Next::GoOn);
        }
    }

    /// A process that was busy for some milliseconds notices several things at once.
    fn with_what_else_came(&mut self, process: &mut Process, input: Input) -> Result<Vec<Input>, Broken> {
        let mut inputs = vec![input];
        // Half of the worlds have a process that is never busy.
        let busy = if self.plan.seed.is_multiple_of(2) { 400 } else { 0 };
        while inputs.len() < 8 && process.busy.chance(busy) {
            let until = self.t + process.busy.span(0, 20_000);
            if self.queue.first_key_value().is_none_or(|((at, _), _)| *at > until) {
                break;
            }
            inputs.extend(self.notice_next(process)?);
        }
        Ok(inputs)
    }

    fn notice_next(&mut self, process: &mut Process) -> Result<Option<Input>, Broken> {
        let Some(((at, _), happening)) = self.queue.pop_first() else { return Ok(None) };
        self.t = self.t.max(at);
        let outside = matches!(happening, Happening::Arrive { .. } | Happening::Jump(_));
        if self.t < self.thaw && !outside {
            self.at(self.thaw, happening);
            return Ok(None);
        }
        self.input_of(process, happening)
    }

    fn obey(&mut self, process: &mut Process, command: Command) -> Result<(), Broken> {
        match command {
            Command::Record { record, entries } => self.write(process, record, entries),
            Command::Call { call, lane, request } => {
                let asked = wire::read(self.plan.lanes[lane.0].kind, &request);
                self.say(|| format!("call {} {asked:?}", call.0));
                let submit = matches!(asked, Asked::Submit(_));
                promise!(!(process.drained && submit), "a submit left after a drain");
                if submit || self.is_first(&asked, &mut process.asked_before) {
                    process.activity = self.t.max(self.thaw);
                }
                let life = &mut process.lanes[lane.0];
                let row = self.check_call(life, lane.0, &asked, process.run.mode)?;
                process.outstanding.insert(call, (lane.0, submit, row));
                self.dispatch(lane.0, call, asked, &request);
                Ok(())
            }
            Command::NeedRows { lane, open, after, limit } => {
                promise!(limit > 0, "rows were asked for, but none of them");
                let (life, when) = (self.life, self.t + process.dice.span(100, 5000));
                self.at(when, Happening::Rows { life, lane, open, after, limit });
                Ok(())
            }
            Command::Notice(notice) => {
                self.say(|| format!("{notice:?}"));
                match notice {
                    Notice::Fault(words) => Err(format!("fault: {words}")),
                    Notice::Halted { provider, halt } => {
                        let place = self.plan.lanes.iter().position(|lane| lane.config.name == provider);
                        let life = &mut process.lanes[place.ok_or("a halt of nobody")?];
                        life.halted |= halt.operator.is_none();
                        life.operators_halted.extend(halt.operator);
                        Ok(())
                    }
                    Notice::Paused { .. } | Notice::Sent { .. } | Notice::Changed { .. } => Ok(()),
                }
            }
        }
    }

    fn write(&mut self, process: &mut Process, record: RecordId, entries: Vec<Entry>) -> Result<(), Broken> {
        for entry in &entries {
            self.say(|| format!("row {} {:?} after {:?}", entry.row, entry.state.phase, entry.event));
            self.check_truth(entry)?;
        }
        let slow = process.dice.chance(self.chaos.slow_commits);
        let latency = if slow { process.dice.span(1000, 3 * SECOND) } else { process.dice.span(500, 15_000) };
        self.last_commit = self.last_commit.max(self.t + latency);
        if let Some(receipts) = self.ledger.write(record, entries) {
            process.engine.handle(Input::Committed { record, receipts }, self.now());
        }
        let life = self.life;
        self.at(self.last_commit, Happening::Commit { life });
        Ok(())
    }

    /// Stops the process at the step that the run names; at step 0: just before its next submit.
    fn freeze(&mut self, process: &mut Process, submit: bool) {
        let steps = process.steps;
        let now = |after: u64| if after == 0 { submit } else { steps > after };
        if let Some((_, span)) = process.run.freeze_after.take_if(|(after, _)| now(*after)) {
            self.say(|| format!("the process stands still for {} s", span / SECOND));
            self.thaw = self.t + span;
            process.activity = self.thaw;
        }
    }

    fn crash(&mut self, dice: &mut Dice) -> Result<Ended, Broken> {
        self.crashes += 1;
        // What a process that stood still had not sent yet dies with it.
        let t = self.t;
        self.queue.retain(|_, happening| !matches!(happening, Happening::Arrive { left, .. } if *left > t));
        let keep = dice.span(0, self.ledger.queued() as u64) as usize;
        self.say(|| format!("--- crash, {keep} of {} queued records survive", self.ledger.queued()));
        self.ledger.crash(keep).map_err(|fault| fault.to_string())?;
        self.last_commit = 0;
        Ok(Ended::Crashed)
    }

    /// The run says it is over: everything is durable, and it did not outlive its settle time.
    fn check_end(&mut self, process: Process) -> Result<Ended, Broken> {
        let durable = self.ledger.queued() == 0 || self.rules == Rules::SkipWriteAhead;
        promise!(durable, "the run ended with records not durable");
        let wait = process.run.settle_for.as_micros() as u64;
        let window = self.plan.lanes.iter().map(|lane| lane.config.submit_rate.window.as_micros() as u64);
        let slack = 2 * TIMEOUT + 2 * window.max().unwrap_or(0) + 20 * SECOND;
        promise!(
            self.t <= process.activity + wait + slack,
            "the run ended {} s after its last activity, settle time {} s",
            (self.t - process.activity) / SECOND,
            wait / SECOND
        );
        self.say(|| "--- over".to_owned());
        self.steps += process.steps;
        while self.ledger.commit().map_err(|fault| fault.to_string())?.is_some() {}
        Ok(Ended::Over(process.engine.into_clearances()))
    }

    /// What the shell knows of a provider when a run starts.
    fn lane_start(&self, lane: usize) -> LaneStart {
        let plan = &self.plan.lanes[lane];
        let now = self.now();
        let mine = |row: RowNumber| self.ledger.order(row).is_some_and(|o| o.provider == plan.config.name);
        let window = plan.config.submit_rate.window + Duration::from_secs(5);
        let over = |row: RowNumber, intended: Now| {
            let topup = &self.ledger.rows().find(|(order, _)| order.row == row)?.1;
            let known = topup.phase != Phase::Sending;
            topup.quiet_since.filter(|quiet| known && quiet.tick > intended.tick)
        };
        let recent_submits = self
            .ledger
            .intents()
            .iter()
            .filter(|intent| mine(intent.row))
            .map(|intent| PastSubmit {
                intended: now.elapsed_since(intent.at).unwrap_or(Duration::ZERO),
                over: over(intent.row, intent.at).and_then(|at| now.elapsed_since(at)),
            })
            .filter(|submit| submit.intended <= window)
            .collect();
        let spaced_numbers = self
            .ledger
            .rows()
            .filter(|(order, topup)| mine(order.row) && topup.submits > 0)
            .filter_map(|(order, topup)| Some((order.phone.digits().to_owned(), topup.quiet_since?)))
            .collect();
        LaneStart {
            preflight: None,
            halt: None,
            open_numbers: plan.busy_elsewhere.clone(),
            spaced_numbers,
            recent_submits,
            looked_before: true,
        }
    }

    /// What the process notices of a happening, if anything.
    fn input_of(&mut self, process: &mut Process, happening: Happening) -> Result<Option<Input>, Broken> {
        let life = self.life;
        match happening {
            Happening::Deliver { life: of, call, delivery } if of == life => {
                let Some((lane, submit, row)) = process.outstanding.remove(&call) else { return Ok(None) };
                if submit && matches!(delivery, Delivery::NotSent(_)) {
                    self.last_call.remove(&row);
                }
                let lane = &mut process.lanes[lane];
                if submit {
                    lane.submits_out -= 1;
                    lane.answered |= matches!(&delivery, Delivery::Replied(reply)
                        if reply.intact && reply.status == 200);
                } else {
                    lane.looks_out -= 1;
                }
                self.say(|| match &delivery {
                    Delivery::Replied(reply) => format!(
                        "answer {}: {} {}{}",
                        call.0,
                        reply.status,
                        String::from_utf8_lossy(&reply.body).trim(),
                        if reply.intact { "" } else { " (may be cut)" }
                    ),
                    other => format!("answer {}: {other:?}", call.0),
                });
                Ok(Some(Input::Delivered { call, delivery }))
            }
            Happening::Commit { life: of } if of == life => {
                let committed = self.ledger.commit().map_err(|fault| fault.to_string())?;
                self.learn_intents();
                let hasty = self.rules == Rules::SkipWriteAhead;
                Ok(committed
                    .filter(|_| !hasty)
                    .map(|(record, receipts)| Input::Committed { record, receipts }))
            }
            Happening::Rows { life: of, lane, open, after, limit } if of == life => {
                Ok(Some(self.rows(&process.run, lane, open, after, limit)))
            }
            Happening::Hint { life: of, id } if of == life => {
                Ok(TransactionId::parse(&id).ok().map(Input::Hint))
            }
            Happening::Deliver { .. }
            | Happening::Commit { .. }
            | Happening::Rows { .. }
            | Happening::Hint { .. } => Ok(None),
            outside @ (Happening::Arrive { .. } | Happening::Jump(_)) => {
                self.happen_outside(outside)?;
                Ok(None)
            }
        }
    }

    /// Rows of the ledger, a few at a time.
    fn rows(&self, run: &Run, lane: LaneId, open: bool, after: Option<RowNumber>, limit: usize) -> Input {
        let (retry, mode) = (run.retry, run.mode);
        let name = &self.plan.lanes[lane.0].config.name;
        let wanted = |order: &Order, topup: &TopUp| {
            let here = order.provider == *name;
            let phase = match topup.phase {
                Phase::Sending | Phase::Pending | Phase::Unknown | Phase::Asking => open,
                Phase::Ready => !open,
                // The one verdict that gives way is looked at by `settle` too.
                Phase::Failed if mode == Mode::Follow => open && topup.is_not_received(),
                Phase::Failed => !open && retry && !topup.contradicted,
                Phase::Succeeded | Phase::Refused | Phase::Invalid | Phase::Cancelled => false,
            };
            here && phase
        };
        let small = 1 + (self.plan.seed as usize + self.turn as usize) % 4;
        let (rows, more) = self.ledger.page(after, limit.min(small), wanted, retry && !open);
        Input::Rows { lane, open, rows, more }
    }
}
