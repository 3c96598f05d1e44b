//! The world around the engine: true time and the clocks that show it, what will happen, what is remembered
//! of every process.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bulk_topup::domain::{Boot, Delivery, Now, RowNumber, Status, Tick, WallTime};
use bulk_topup::engine::{CallId, LaneId, Rules};
use bulk_topup::ledger::memory::MemoryLedger;
use bulk_topup::lifecycle::{Event, TopUp};

use crate::dice::Dice;
use crate::model::Model;
use crate::network::Answering;
use crate::plan::{Chaos, MINUTE, Plan, SECOND};
use crate::wire::Asked;

/// A promise that was broken, in words.
pub type Broken = String;

pub const TIMEOUT: u64 = 30 * SECOND;
/// What will happen at some time.
#[derive(Debug)]
pub enum Happening {
    Arrive { lane: usize, asked: Asked, left: u64, hidden_until_max: u64, answer: Option<Answering> },
    Deliver { life: u64, call: CallId, delivery: Delivery },
    Commit { life: u64 },
    Rows { life: u64, lane: LaneId, open: bool, after: Option<RowNumber>, limit: usize },
    Hint { life: u64, id: String },
    Jump(i64),
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
    pub boot: u64,
    pub boot_at: u64,
    pub wall_offset: i64,
    pub queue: BTreeMap<(u64, u64), Happening>,
    pub turn: u64,
    pub life: u64,
    pub times: HashMap<String, u64>,
    /// The process stands still until then.
    pub thaw: u64,
    pub outages: Vec<(usize, bool, u64, u64)>,
    /// Submits that left, by provider: when, for whom.
    pub left: Vec<Vec<(u64, u64)>>,
    /// When a submit last left for a row, and in which life.
    pub last_call: HashMap<RowNumber, (u64, u64)>,
    pub ids: HashMap<String, RowNumber>,
    pub known_intents: usize,
    pub intents_of: HashMap<String, usize>,
    pub submits_of: HashMap<String, usize>,
    pub submits: u64,
    pub steps: u64,
    pub runs: u64,
    pub crashes: u64,
    pub last_commit: u64,
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

    pub fn at(&mut self, when: u64, happening: Happening) {
        self.turn += 1;
        self.queue.insert((when.max(self.t), self.turn), happening);
    }

    pub fn happen_outside(&mut self, happening: Happening) -> Result<(), Broken> {
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

    /// Learns which ids the durable intents name.
    pub fn learn_intents(&mut self) {
        for intent in &self.ledger.intents()[self.known_intents..] {
            self.ids.insert(intent.id.as_str().to_owned(), intent.row);
            *self.intents_of.entry(intent.id.as_str().to_owned()).or_default() += 1;
        }
        self.known_intents = self.ledger.intents().len();
        for (_, topup) in self.ledger.rows().filter(|(_, topup)| topup.taken) {
            if let Some(id) = &topup.id {
                self.models.iter_mut().for_each(|model| model.tell(id.as_str()));
            }
        }
    }

    pub fn row_of(&self, id: &str) -> Option<RowNumber> {
        self.ids.get(id).copied()
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
