//! The world around the engine: virtual time, the network between, a ledger that keeps what a crash keeps, and
//! the promises that have to hold at every instant.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use bulk_topup::domain::{
    Boot, Delivery, HttpRequest, NetFault, Now, Reply, RowNumber, Status, Tick, TransactionId, WallTime,
};
use bulk_topup::engine::{
    CallId, Clearances, Command, Engine, Input, LaneId, LaneStart, Mode, Notice, Rules, RunConfig,
};
use bulk_topup::ledger::memory::MemoryLedger;
use bulk_topup::lifecycle::{Entry, Event, Phase, TopUp};

use crate::dice::Dice;
use crate::model::Model;
use crate::plan::{Chaos, MINUTE, Plan, SECOND};
use crate::wire::{self, Asked, Standing, Submitted};

/// A promise that was broken, in words.
pub type Broken = String;

macro_rules! promise {
    ($holds:expr, $($words:tt)+) => { if !$holds { return Err(format!($($words)+)); } };
}

const TIMEOUT: u64 = 30 * SECOND;
/// More steps than any honest run takes.
const STEPS_MAX: u64 = 60_000;

#[derive(Debug)]
enum Happening {
    Arrive { lane: usize, asked: Asked, left: u64, hidden_until_max: u64, answer: Option<Answering> },
    Deliver { life: u64, call: CallId, delivery: Delivery },
    Commit { life: u64 },
    Rows { life: u64, lane: LaneId, open: bool, after: Option<RowNumber>, limit: usize },
    Hint { life: u64, id: String },
    Jump(i64),
}

/// Who waits for the answer to a request.
#[derive(Debug)]
struct Answering {
    life: u64,
    call: CallId,
    after: u64,
    fault: Fault,
}

/// What befalls a reply on its way.
#[derive(Clone, Debug)]
enum Fault {
    None,
    Lost,
    BrokenOff,
    Replaced(u16, &'static str),
    Cut(u64),
}

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
struct LaneLife {
    submits_out: usize,
    looks_out: usize,
    answered: bool,
    queries: Vec<u64>,
    halted: bool,
    operators_halted: HashSet<String>,
}

pub struct World {
    pub plan: Plan,
    pub rules: Rules,
    pub ledger: MemoryLedger,
    pub models: Vec<Model>,
    pub chaos: Chaos,
    pub trace: bool,
    /// True time, which no clock shows.
    pub t: u64,
    boot: u64,
    boot_at: u64,
    wall_offset: i64,
    queue: BTreeMap<(u64, u64), Happening>,
    turn: u64,
    life: u64,
    times: HashMap<String, u64>,
    /// The process stands still until then.
    thaw: u64,
    outages: Vec<(usize, bool, u64, u64)>,
    /// Submits that left, by provider: when, for whom.
    left: Vec<Vec<(u64, u64)>>,
    /// When a submit last left for a row, and in which life.
    last_call: HashMap<RowNumber, (u64, u64)>,
    ids: HashMap<String, RowNumber>,
    known_intents: usize,
    intents_of: HashMap<String, usize>,
    submits_of: HashMap<String, usize>,
    pub submits: u64,
    pub steps: u64,
    pub runs: u64,
    pub crashes: u64,
    last_commit: u64,
    /// Hints for every id ever sent, whatever the chaos says.
    pub flood: bool,
}

impl World {
    pub fn new(plan: Plan, rules: Rules, trace: bool) -> Self {
        let mut ledger = MemoryLedger::new(rules == Rules::SkipWriteAhead);
        for (order, invalid) in &plan.rows {
            let topup = if *invalid {
                let refusal = bulk_topup::domain::Refusal {
                    reason: bulk_topup::domain::Reason::BadAmount,
                    message: "wrong".to_owned(),
                };
                TopUp::invalid(refusal, WallTime(0))
            } else {
                TopUp::ready()
            };
            ledger.admit(order.clone(), topup);
        }
        let models = plan.lanes.iter().map(|lane| Model::new(lane.clone(), plan.seed)).collect();
        let t = 1000 * SECOND;
        let mut dice = Dice::keyed(plan.seed, "outages", "", 0);
        let mut outages = Vec::new();
        for lane in 0..plan.lanes.len() {
            if dice.chance(plan.chaos.outages) {
                let from = t + dice.span(0, 5 * MINUTE);
                outages.push((lane, dice.chance(500), from, from + dice.span(SECOND, 10 * MINUTE)));
            }
        }
        Self {
            left: vec![Vec::new(); plan.lanes.len()],
            chaos: plan.chaos.clone(),
            plan,
            rules,
            ledger,
            models,
            trace,
            t,
            boot: 1,
            boot_at: 0,
            wall_offset: 1_795_000_000_000_000,
            queue: BTreeMap::new(),
            turn: 0,
            life: 0,
            times: HashMap::new(),
            thaw: 0,
            outages,
            last_call: HashMap::new(),
            ids: HashMap::new(),
            known_intents: 0,
            intents_of: HashMap::new(),
            submits_of: HashMap::new(),
            submits: 0,
            steps: 0,
            runs: 0,
            crashes: 0,
            last_commit: 0,
            flood: false,
        }
    }

    pub fn now(&self) -> Now {
        Now {
            tick: Tick(self.t - self.boot_at),
            wall: WallTime(self.t as i64 + self.wall_offset),
            boot: Boot(self.boot),
        }
    }

    /// The machine starts anew.
    pub fn reboot(&mut self) {
        self.boot += 1;
        self.boot_at = self.t - 20 * SECOND;
    }

    pub fn jump_wall(&mut self, by: i64) {
        self.say(|| format!("the wall clock jumps by {} s", by / 1_000_000));
        self.wall_offset += by;
    }

    /// Nothing goes wrong any more.
    pub fn calm_down(&mut self) {
        self.chaos = Chaos::default();
        self.outages.clear();
    }

    pub fn say(&self, words: impl FnOnce() -> String) {
        if self.trace {
            eprintln!("{:>12.3} {}", self.t as f64 / 1e6, words());
        }
    }

    /// Time passes while no process runs; what is on its way arrives.
    pub fn rest(&mut self, span: u64) -> Result<(), Broken> {
        let until = self.t + span;
        while let Some((at, _)) = self.queue.first_key_value().map(|(key, _)| *key) {
            if at > until {
                break;
            }
            self.t = self.t.max(at);
            if let Some((_, happening)) = self.queue.pop_first() {
                self.happen_outside(happening)?;
            }
        }
        self.t = until;
        Ok(())
    }

    /// Time passes until every request that left has arrived.
    pub fn rest_until_quiet(&mut self) -> Result<(), Broken> {
        while let Some(at) = self.queue.last_key_value().map(|((at, _), _)| *at) {
            self.rest(at.saturating_sub(self.t) + 1)?;
        }
        Ok(())
    }

    fn at(&mut self, when: u64, happening: Happening) {
        self.turn += 1;
        self.queue.insert((when.max(self.t), self.turn), happening);
    }

    fn happen_outside(&mut self, happening: Happening) -> Result<(), Broken> {
        match happening {
            Happening::Arrive { lane, asked, hidden_until_max, answer, .. } => {
                self.arrive(lane, &asked, hidden_until_max, answer)
            }
            Happening::Jump(by) => {
                self.jump_wall(by);
                Ok(())
            }
            Happening::Deliver { .. }
            | Happening::Commit { .. }
            | Happening::Rows { .. }
            | Happening::Hint { .. } => Ok(()),
        }
    }

    /// One process, from its start to its end.
    pub fn run(&mut self, run: Run) -> Result<Ended, Broken> {
        self.life += 1;
        self.runs += 1;
        self.thaw = 0;
        let started = self.t;
        let mut lanes: Vec<LaneLife> = self.plan.lanes.iter().map(|_| LaneLife::default()).collect();
        let config = RunConfig {
            batch: self.plan.batch.clone(),
            mode: run.mode,
            settle_for: run.settle_for,
            max_row: BTreeMap::new(),
            seed: self.plan.seed,
        };
        self.say(|| format!("--- run {run:?}"));
        let starts = (0..self.plan.lanes.len())
            .map(|lane| (self.plan.lanes[lane].config.clone(), self.lane_start(lane)))
            .collect();
        let mut engine = Engine::with_rules(config, starts, run.clearances.clone(), self.now(), self.rules);
        let mut dice = Dice::keyed(self.plan.seed, "run", "", self.life);
        if dice.chance(self.chaos.jumps) {
            let by = dice.pick(&[3_600_000_000_i64, -3_600_000_000, 5_000_000, -5_000_000, 60_000_000]);
            let when = self.t + dice.span(0, 10 * MINUTE);
            self.at(when, Happening::Jump(by));
        }
        let mut outstanding: HashMap<CallId, (usize, bool, RowNumber)> = HashMap::new();
        let (mut steps, mut idle, mut drained) = (0_u64, 0_u64, false);
        let mut asked_before: HashMap<String, usize> = HashMap::new();
        let (mut activity, mut handled, mut freeze) = (started, true, run.freeze_after);
        loop {
            while let Some(command) = engine.next_command() {
                idle = 0;
                steps += 1;
                if run.crash_after.is_some_and(|after| steps > after) {
                    return self.crash(&mut dice);
                }
                if let Some((_, span)) = freeze.take_if(|(after, _)| steps > *after) {
                    self.say(|| format!("the process stands still for {} s", span / SECOND));
                    self.thaw = self.t + span;
                    activity = self.thaw;
                }
                match command {
                    Command::Record { record, entries } => {
                        for entry in &entries {
                            self.say(|| {
                                let event = format!("{:?}", entry.event);
                                format!("row {} {:?} after {event}", entry.row, entry.state.phase)
                            });
                            self.check_truth(entry)?;
                        }
                        let slow = dice.chance(self.chaos.slow_commits);
                        let latency = if slow { dice.span(1000, 3 * SECOND) } else { dice.span(500, 15_000) };
                        self.last_commit = self.last_commit.max(self.t + latency);
                        if let Some(receipts) = self.ledger.write(record, entries) {
                            engine.handle(Input::Committed { record, receipts }, self.now());
                        }
                        let life = self.life;
                        self.at(self.last_commit, Happening::Commit { life });
                    }
                    Command::Call { call, lane, request } => {
                        let asked = wire::read(self.plan.lanes[lane.0].kind, &request);
                        self.say(|| format!("call {} {asked:?}", call.0));
                        promise!(
                            !(drained && matches!(asked, Asked::Submit(_))),
                            "a submit left after a drain"
                        );
                        if matches!(asked, Asked::Submit(_)) || self.is_first(&asked, &mut asked_before) {
                            activity = self.t.max(self.thaw);
                        }
                        let row = self.check_call(&mut lanes[lane.0], lane.0, &asked, run.mode)?;
                        outstanding.insert(call, (lane.0, matches!(asked, Asked::Submit(_)), row));
                        self.dispatch(lane.0, call, asked, &request);
                    }
                    Command::NeedRows { lane, open, after, limit } => {
                        promise!(limit > 0, "rows were asked for, but none of them");
                        let life = self.life;
                        let when = self.t + dice.span(100, 5000);
                        self.at(when, Happening::Rows { life, lane, open, after, limit });
                    }
                    Command::Notice(notice) => {
                        self.say(|| format!("{notice:?}"));
                        match notice {
                            Notice::Fault(words) => return Err(format!("fault: {words}")),
                            Notice::Halted { provider, halt } => {
                                let place = self.plan.lanes.iter().position(|l| l.config.name == provider);
                                let life = &mut lanes[place.ok_or("a halt of nobody")?];
                                match halt.operator {
                                    None => life.halted = true,
                                    Some(operator) => {
                                        life.operators_halted.insert(operator);
                                    }
                                }
                            }
                            Notice::Paused { .. } | Notice::Sent { .. } | Notice::Changed { .. } => {}
                        }
                    }
                }
            }
            if engine.is_over() {
                promise!(
                    self.ledger.queued() == 0 || self.rules == Rules::SkipWriteAhead,
                    "the run ended with records not durable"
                );
                let wait = Duration::as_micros(&run.settle_for) as u64;
                let window = self.plan.lanes.iter().map(|l| l.config.submit_rate.window.as_micros() as u64);
                let slack = 2 * TIMEOUT + 2 * window.max().unwrap_or(0) + 20 * SECOND;
                promise!(
                    self.t <= activity + wait + slack,
                    "the run ended {} s after its last activity, settle time {} s",
                    (self.t - activity) / SECOND,
                    wait / SECOND
                );
                self.say(|| "--- over".to_owned());
                self.steps += steps;
                while self.ledger.commit().map_err(|fault| fault.to_string())?.is_some() {}
                return Ok(Ended::Over(engine.into_clearances()));
            }
            steps += 1;
            promise!(steps < STEPS_MAX, "the run does not end");
            if run.crash_after.is_some_and(|after| steps > after) {
                return self.crash(&mut dice);
            }
            if run.drain_after.is_some_and(|after| steps > after) && !drained && self.t >= self.thaw {
                drained = true;
                self.say(|| "drain".to_owned());
                engine.handle(Input::Drain, self.now());
                continue;
            }
            let deadline = engine.next_deadline().map(|tick| (tick.0 + self.boot_at).max(self.thaw));
            promise!(
                !handled || deadline.is_none_or(|at| at > self.t),
                "the engine wants to be woken in the past"
            );
            handled = false;
            let next = self.queue.first_key_value().map(|((at, _), _)| *at);
            let input = match (next, deadline) {
                (None, None) => {
                    self.say(|| format!("{engine:#?}"));
                    return Err("the run is stuck: nothing is under way, no deadline".to_owned());
                }
                (None, Some(deadline)) => self.tick_at(deadline),
                (Some(next), Some(deadline)) if deadline < next => self.tick_at(deadline),
                (Some(next), _) => {
                    self.t = self.t.max(next);
                    let Some((_, happening)) = self.queue.pop_first() else { continue };
                    let outside = matches!(happening, Happening::Arrive { .. } | Happening::Jump(_));
                    if self.t < self.thaw && !outside {
                        self.at(self.thaw, happening);
                        continue;
                    }
                    match self.input_of(happening, &mut outstanding, &mut lanes, run.retry, run.mode)? {
                        Some(input) => input,
                        None => continue,
                    }
                }
            };
            if matches!(input, Input::Tick) {
                idle += 1;
                promise!(idle < 300, "the engine wakes up again and again and does nothing");
            }
            engine.handle(input, self.now());
            handled = true;
        }
    }

    fn tick_at(&mut self, at: u64) -> Input {
        self.t = at;
        Input::Tick
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

    /// Whether it is the first time in a run that one of the rows concerned asks this.
    fn is_first(&self, asked: &Asked, before: &mut HashMap<String, usize>) -> bool {
        let rows = match asked {
            Asked::LookById(id) => {
                let row = self.ids.get(id);
                let phase = row.and_then(|row| self.ledger.latest(*row)).map(|topup| topup.phase);
                usize::from(matches!(phase, Some(Phase::Ready | Phase::Failed)))
            }
            Asked::ProductsOf(phone) | Asked::OperatorOf(phone) => {
                self.ledger.rows().filter(|(order, _)| order.phone.national() == phone).count()
            }
            Asked::LookByRef(_) | Asked::Catalogue | Asked::Balance => 1,
            Asked::Submit(_) => 0,
        };
        let times = before.entry(asked.key()).or_default();
        *times += 1;
        *times <= rows
    }

    /// What the shell knows of a provider when a run starts.
    fn lane_start(&self, lane: usize) -> LaneStart {
        let plan = &self.plan.lanes[lane];
        let now = self.now();
        let mine = |row: RowNumber| self.ledger.order(row).is_some_and(|o| o.provider == plan.config.name);
        let window = plan.config.submit_rate.window + Duration::from_secs(5);
        let recent_submits = self
            .ledger
            .intents()
            .iter()
            .filter(|intent| mine(intent.row))
            .map(|intent| now.elapsed_since(intent.at).unwrap_or(Duration::ZERO))
            .filter(|age| *age <= window)
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
        }
    }

    fn input_of(
        &mut self,
        happening: Happening,
        outstanding: &mut HashMap<CallId, (usize, bool, RowNumber)>,
        lanes: &mut [LaneLife],
        retry: bool,
        mode: Mode,
    ) -> Result<Option<Input>, Broken> {
        let life = self.life;
        match happening {
            Happening::Deliver { life: of, call, delivery } if of == life => {
                let Some((lane, submit, row)) = outstanding.remove(&call) else { return Ok(None) };
                if submit && matches!(delivery, Delivery::NotSent(_)) {
                    self.last_call.remove(&row);
                }
                let lane = &mut lanes[lane];
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
                Ok(Some(self.rows(lane, open, after, limit, retry, mode)))
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

    fn rows(
        &self,
        lane: LaneId,
        open: bool,
        after: Option<RowNumber>,
        limit: usize,
        retry: bool,
        mode: Mode,
    ) -> Input {
        let name = &self.plan.lanes[lane.0].config.name;
        let wanted = |order: &bulk_topup::domain::Order, topup: &TopUp| {
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

    fn learn_intents(&mut self) {
        for intent in &self.ledger.intents()[self.known_intents..] {
            self.ids.insert(intent.id.as_str().to_owned(), intent.row);
            *self.intents_of.entry(intent.id.as_str().to_owned()).or_default() += 1;
        }
        self.known_intents = self.ledger.intents().len();
    }

    pub fn row_of(&self, id: &str) -> Option<RowNumber> {
        self.ids.get(id).copied()
    }

    /// What has to hold whenever a request leaves.
    fn check_call(
        &mut self,
        life: &mut LaneLife,
        lane: usize,
        asked: &Asked,
        mode: Mode,
    ) -> Result<RowNumber, Broken> {
        self.learn_intents();
        let config = self.plan.lanes[lane].config.clone();
        let width = config.max_in_flight as usize;
        let Asked::Submit(submitted) = asked else {
            life.looks_out += 1;
            promise!(life.looks_out <= width, "{} look-ups at once", life.looks_out);
            life.queries.push(self.t);
            check_window(&life.queries, config.query_rate, "look-ups")?;
            return Ok(RowNumber(0));
        };
        self.submits += 1;
        promise!(mode == Mode::Send, "a submit in a run that only looks");
        let Some(row) = self.ids.get(&submitted.id).copied() else {
            return Err(format!("write-ahead: id {} was sent, no committed intent names it", submitted.id));
        };
        let sent = self.submits_of.entry(submitted.id.clone()).or_default();
        *sent += 1;
        let intents = self.intents_of.get(&submitted.id).copied().unwrap_or(0);
        promise!(*sent <= intents, "id {} was sent {sent} times with {intents} intents", submitted.id);
        life.submits_out += 1;
        promise!(life.submits_out <= width, "{} submits at once", life.submits_out);
        promise!(life.answered || life.submits_out <= 1, "the first submit did not go alone");
        promise!(!life.halted, "a submit after the halt of its provider");
        let operator = submitted.operator.as_ref();
        promise!(
            operator.is_none_or(|operator| !life.operators_halted.contains(operator)),
            "a submit after the halt of its operator"
        );
        self.left[lane].push((self.t, row.0));
        let times: Vec<u64> = self.left[lane].iter().map(|(at, _)| *at).collect();
        check_window(&times, config.submit_rate, "submits")?;
        self.check_order(row, submitted)?;
        self.check_number(row, &config)?;
        self.last_call.insert(row, (self.t, self.life));
        Ok(row)
    }

    /// What is said of a row is true when it is said.
    fn check_truth(&self, entry: &Entry) -> Result<(), Broken> {
        let (row, phase) = (entry.row, entry.state.phase);
        let mine = |id: &str| self.row_of(id) == Some(row);
        let orders = || self.models.iter().flat_map(|model| &model.orders).filter(|o| mine(&o.submitted.id));
        match phase {
            Phase::Ready | Phase::Failed | Phase::Refused | Phase::Invalid => {
                let alive = orders().find(|order| order.is_live(self.t) && !order.is_a_lie());
                promise!(alive.is_none(), "row {row} becomes {phase:?}, but {alive:?} is alive");
                let coming = self.queue.values().any(|happening| match happening {
                    Happening::Arrive { asked: Asked::Submit(submitted), .. } => mine(&submitted.id),
                    _ => false,
                });
                promise!(!coming, "row {row} becomes {phase:?} while a submit of it is on its way");
            }
            Phase::Succeeded => {
                let done = orders().any(|order| order.standing(self.t) == Standing::Done);
                promise!(done, "row {row} becomes {phase:?}, but nothing was completed");
            }
            Phase::Sending | Phase::Pending | Phase::Unknown | Phase::Asking | Phase::Cancelled => {}
        }
        Ok(())
    }

    /// The request says what its row says.
    fn check_order(&self, row: RowNumber, submitted: &Submitted) -> Result<(), Broken> {
        let (Some(order), Some(topup)) = (self.ledger.order(row), self.ledger.latest(row)) else {
            return Err(format!("row {row} is unknown"));
        };
        promise!(topup.phase == Phase::Sending, "row {row} was sent while {:?}", topup.phase);
        promise!(order.phone.national() == submitted.phone, "row {row} went to another number");
        let asked = match order.account.kind {
            bulk_topup::domain::ProviderKind::Tutom => {
                let product = submitted.product.clone().unwrap_or_default();
                let price = crate::model::price_of(&product);
                promise!(order.amount.is_none_or(|most| price <= most), "row {row} costs more than it may");
                promise!(
                    topup.price.map(|price| price.amount) == Some(price),
                    "row {row} records another price"
                );
                match &order.goods {
                    bulk_topup::domain::Goods::DataProduct(id) => *id == product,
                    _ => product == "23",
                }
            }
            _ => order.amount == submitted.amount && topup.price.map(|price| price.amount) == order.amount,
        };
        promise!(asked, "row {row} asked for something else: {submitted:?}");
        promise!(
            topup.operator == submitted.operator || submitted.operator.is_none(),
            "row {row} named another operator"
        );
        Ok(())
    }

    /// Never two open orders for one number, and never too soon after another.
    fn check_number(&self, row: RowNumber, config: &bulk_topup::engine::LaneConfig) -> Result<(), Broken> {
        let Some(order) = self.ledger.order(row) else { return Ok(()) };
        let busy = self.plan.lanes.iter().any(|lane| {
            lane.config.name == order.provider
                && lane.busy_elsewhere.iter().any(|b| b == order.phone.digits())
        });
        promise!(!busy, "row {row} was sent though another batch has an order open for its number");
        for (other, _) in self.ledger.rows() {
            if other.row == row || other.phone != order.phone || other.provider != order.provider {
                continue;
            }
            let phase = self.ledger.latest(other.row).map_or(Phase::Ready, |topup| topup.phase);
            promise!(!phase.is_open(), "rows {row} and {} are open for one number", other.row);
            let Some((at, life)) = self.last_call.get(&other.row).copied() else { continue };
            let spacing = config.phone_spacing.as_micros() as u64;
            let known = if life == self.life { spacing } else { spacing.saturating_sub(5 * SECOND) };
            promise!(
                matches!(phase, Phase::Ready | Phase::Cancelled) || self.t >= at + known,
                "rows {row} and {} went to one number {} s apart",
                other.row,
                (self.t - at) / SECOND
            );
        }
        Ok(())
    }

    /// Puts a request on its way.
    fn dispatch(&mut self, lane: usize, call: CallId, asked: Asked, request: &HttpRequest) {
        assert!(request.reply_bytes_max >= 64 * 1024);
        let key = asked.key();
        let nth = self.times.entry(key.clone()).or_default();
        *nth += 1;
        let mut dice = Dice::keyed(self.plan.seed, "network", &key, *nth);
        // A process that stands still sends when it goes on.
        let (life, t, chaos) = (self.life, self.t.max(self.thaw), self.chaos.clone());
        let submit = matches!(asked, Asked::Submit(_));
        let bound = t + self.plan.grace_us * 9 / 10;
        let fail = |world: &mut Self, after: u64, delivery: Delivery| {
            world.at(t + after, Happening::Deliver { life, call, delivery });
        };
        let out = self
            .outages
            .iter()
            .any(|(of, all, from, to)| *of == lane && (*all || !submit) && (*from..*to).contains(&t));
        if dice.chance(chaos.not_sent) || (out && dice.chance(500)) {
            let fault = dice.pick(&[NetFault::Connect, NetFault::Tls]);
            return fail(self, dice.span(100, 3 * SECOND), Delivery::NotSent(fault));
        }
        self.hint(lane, &asked, &mut dice);
        if out || dice.chance(chaos.lost) {
            if dice.chance(500) {
                return fail(self, dice.span(100, 3 * SECOND), Delivery::MaybeSent(NetFault::Broken));
            }
            return fail(self, TIMEOUT, Delivery::MaybeSent(NetFault::TimedOut));
        }
        if submit && dice.chance(chaos.late) {
            let when = dice.span(t + TIMEOUT / 2, bound);
            self.at(when, Happening::Arrive { lane, asked, left: t, hidden_until_max: bound, answer: None });
            return fail(self, TIMEOUT, Delivery::MaybeSent(NetFault::TimedOut));
        }
        let when = t + dice.span(1000, 2 * SECOND);
        let fault = reply_fault(&chaos, &mut dice);
        let answer = Some(Answering { life, call, after: dice.span(1000, SECOND), fault });
        if submit && self.models[lane].plan.habits.refuses_duplicates && dice.chance(chaos.twice) {
            // A proxy on the way sends it again; the answer to the second one is what comes back.
            let first = Happening::Arrive {
                lane,
                asked: asked.clone(),
                left: t,
                hidden_until_max: bound,
                answer: None,
            };
            self.at(when, first);
            self.at(
                when + SECOND,
                Happening::Arrive { lane, asked, left: t, hidden_until_max: bound, answer },
            );
        } else {
            self.at(when, Happening::Arrive { lane, asked, left: t, hidden_until_max: bound, answer });
        }
        fail(self, TIMEOUT, Delivery::MaybeSent(NetFault::TimedOut));
    }

    /// Callbacks, true ones and forged ones.
    fn hint(&mut self, lane: usize, asked: &Asked, dice: &mut Dice) {
        let mut dice = Dice::new(dice.clone().next());
        let often = if self.flood { 1000 } else { self.chaos.hints };
        if !dice.chance(often) {
            return;
        }
        let id = match asked {
            Asked::Submit(submitted) => submitted.id.clone(),
            Asked::LookById(id) if dice.chance(200) => id.clone(),
            _ => return,
        };
        let life = self.life;
        let times = dice.span(1, 3);
        for _ in 0..times {
            let when = self.t + dice.span(1000, 15 * MINUTE);
            self.at(when, Happening::Hint { life, id: id.clone() });
            let forged = dice.pick(&["00000000000000000000", "ZZZZZZZZZZZZZZZZZZZZZZZZ", "no id"]).to_owned();
            self.at(when, Happening::Hint { life, id: forged });
        }
        let _ = lane;
    }

    /// A request reaches its provider.
    fn arrive(
        &mut self,
        lane: usize,
        asked: &Asked,
        hidden_until_max: u64,
        answer: Option<Answering>,
    ) -> Result<(), Broken> {
        let chaos = self.chaos.clone();
        let reply = self.models[lane].act(asked, self.t, hidden_until_max, &chaos);
        if let (Asked::Submit(submitted), Some(place)) = (asked, reply.placed) {
            self.say(|| {
                format!("the provider takes {}: {:?}", submitted.id, self.models[lane].orders[place].fate)
            });
            self.check_placed(lane, place)?;
        }
        let Some(Answering { life, call, after, fault }) = answer else { return Ok(()) };
        let delivery = match fault {
            Fault::None => replied(200, true, reply.body),
            Fault::Lost => return Ok(()),
            Fault::BrokenOff => Delivery::MaybeSent(NetFault::Broken),
            Fault::Replaced(status, body) => replied(status, true, body.to_owned()),
            Fault::Cut(permille) => {
                let kept = reply.body.len() * permille as usize / 1000;
                replied(200, false, reply.body.get(..kept).unwrap_or_default().to_owned())
            }
        };
        self.at(self.t + after, Happening::Deliver { life, call, delivery });
        Ok(())
    }

    /// What has to hold whenever a provider takes an order.
    fn check_placed(&self, lane: usize, place: usize) -> Result<(), Broken> {
        let model = &self.models[lane];
        let placed = &model.orders[place];
        let Some(row) = self.row_of(&placed.submitted.id) else {
            return Err(format!(
                "write-ahead: the provider took {}, which no ledger names",
                placed.submitted.id
            ));
        };
        for (index, other) in model.orders.iter().enumerate() {
            if index == place || other.is_a_lie() || !other.is_live(self.t) {
                continue;
            }
            promise!(
                self.row_of(&other.submitted.id) != Some(row),
                "row {row} was charged twice: {} and {}",
                other.submitted.id,
                placed.submitted.id
            );
            let at_work = other.standing(self.t) == Standing::Working && placed.is_live(self.t);
            promise!(
                !at_work || other.submitted.phone != placed.submitted.phone,
                "the provider works on two orders for one number"
            );
        }
        Ok(())
    }

    /// What stands in the ledger, row by row, with the orders that the provider took for it.
    pub fn statuses(&self) -> BTreeMap<RowNumber, Status> {
        self.ledger.rows().map(|(order, topup)| (order.row, topup.status())).collect()
    }

    pub fn has_on_the_way(&self, ids: &BTreeSet<String>) -> bool {
        self.queue.values().any(|happening| match happening {
            Happening::Arrive { asked: Asked::Submit(submitted), .. } => ids.contains(&submitted.id),
            _ => false,
        })
    }

    /// A command of a person.
    pub fn decide(&mut self, row: RowNumber, event: Event) -> Result<(), Broken> {
        self.say(|| format!("row {row}: a person says {event:?}"));
        let at = self.now().wall;
        self.ledger.decide(row, event, at).map_err(|fault| format!("a command: {fault}"))
    }
}

fn replied(status: u16, intact: bool, body: String) -> Delivery {
    Delivery::Replied(Reply { status, intact, body: body.into_bytes() })
}

fn reply_fault(chaos: &Chaos, dice: &mut Dice) -> Fault {
    if dice.chance(chaos.reply_lost) {
        return if dice.chance(500) { Fault::Lost } else { Fault::BrokenOff };
    }
    if dice.chance(chaos.http) {
        let (status, body) = dice.pick(&[
            (502, "<html>bad gateway</html>"),
            (503, ""),
            (504, "{}"),
            (500, "oops"),
            (429, ""),
            (200, "<html>maintenance</html>"),
            (200, ""),
            (302, ""),
            (403, "forbidden"),
        ]);
        return Fault::Replaced(status, body);
    }
    if dice.chance(chaos.cut) {
        return Fault::Cut(dice.span(0, 1000));
    }
    Fault::None
}

/// No window of the stated length holds more than the stated number.
fn check_window(times: &[u64], rate: bulk_topup::engine::Rate, what: &str) -> Result<(), Broken> {
    let (count, window) = (rate.count as usize, rate.window.as_micros() as u64);
    if let (Some(last), Some(first)) = (times.last(), times.len().checked_sub(count + 1).map(|i| times[i])) {
        promise!(last - first >= window, "{} {what} within {} ms", count + 1, (last - first) / 1000);
    }
    Ok(())
}
