//! Whole runs in virtual time: commits take their time, answers come late, timers wake up late, and the process may
//! be killed, stopped or started again at any moment. What is kept are the instants of the requests.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::bench::{order, ready, receipts};
use crate::domain::{BatchName, Boot, Delivery, HttpRequest, Now, Reply, RowNumber, Tick, WallTime};
use crate::engine::{
    CallId, Clearances, Command, Engine, Input, LaneConfig, LaneId, LaneStart, Loaded, Mode, PastSubmit,
    Rate, RecordId, RunConfig,
};
use crate::lifecycle::{Entry, Event, Phase, TopUp};

/// Rows of one provider lie between a multiple of this and the next.
const ROWS_MAX: u64 = 1_000_000;

/// What a commit takes, in turn, in microseconds.
const COMMITS_US: [u64; 5] = [2_000, 4_000, 1_500, 9_000, 3_000];

/// By how much a timer wakes up late, in turn, in microseconds.
const LATENESS_US: [u64; 4] = [200, 1_000, 0, 600];

/// From a request to its answer.
pub(super) const LATENCY: Duration = Duration::from_millis(30);

/// One provider, and what came in at it.
pub(super) struct Provider {
    pub(super) config: LaneConfig,
    pub(super) submits: Vec<Tick>,
    pub(super) looks: Vec<Tick>,
    /// It asks to slow down from here to there.
    throttles: Option<(Tick, Tick)>,
}

enum Happening {
    Committed(RecordId, Vec<Entry>),
    Answered(CallId, String),
}

/// A run and the world around it.
pub(super) struct Play {
    pub(super) now: Now,
    pub(super) start: Tick,
    engine: Engine,
    pub(super) providers: Vec<Provider>,
    happenings: BTreeMap<(Tick, u64), Happening>,
    states: HashMap<RowNumber, TopUp>,
    intents: Vec<(RowNumber, Now)>,
    turns: usize,
    last_commit: Tick,
}

fn engine(lanes: Vec<(LaneConfig, LaneStart)>, now: Now) -> Engine {
    let run = RunConfig {
        batch: BatchName::parse("payroll-0a1b2c3d").unwrap(),
        mode: Mode::Send,
        settle_for: Duration::from_secs(7200),
        max_row: BTreeMap::new(),
        seed: 7,
    };
    Engine::new(run, lanes, Clearances::new(), now)
}

impl Play {
    /// These providers, each with more rows than any test sends.
    pub(super) fn start(configs: Vec<LaneConfig>) -> Self {
        let start = Tick(1_000_000_000);
        let now = Now { tick: start, wall: WallTime(1_795_000_000_000_000), boot: Boot(1) };
        let provider = |config| Provider { config, submits: Vec::new(), looks: Vec::new(), throttles: None };
        let lanes = configs.iter().map(|config| (config.clone(), LaneStart::default())).collect();
        Self {
            now,
            start,
            engine: engine(lanes, now),
            providers: configs.into_iter().map(provider).collect(),
            happenings: BTreeMap::new(),
            states: HashMap::new(),
            intents: Vec::new(),
            turns: 0,
            last_commit: start,
        }
    }

    /// A provider asks to slow down for so long, from now on.
    pub(super) fn throttle(&mut self, place: usize, span: Duration) {
        self.providers[place].throttles = Some((self.now.tick, self.now.tick.after(span)));
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, span: Duration) {
        let until = self.now.tick.after(span);
        loop {
            self.obey();
            let happening = self.happenings.first_key_value().map(|((tick, _), _)| *tick);
            let lateness = Duration::from_micros(LATENESS_US[self.turns % LATENESS_US.len()]);
            let timer = self.engine.next_deadline().map(|tick| tick.max(self.now.tick).after(lateness));
            let Some(next) = happening.into_iter().chain(timer).min().filter(|next| *next <= until) else {
                return self.stand_still(until.since(self.now.tick));
            };
            self.stand_still(next.since(self.now.tick));
            self.turns += 1;
            let mut inputs = Vec::new();
            while let Some(entry) = self.happenings.first_entry().filter(|entry| entry.key().0 <= next) {
                inputs.push(match entry.remove() {
                    Happening::Committed(record, entries) => self.committed(record, entries),
                    Happening::Answered(call, body) => {
                        let reply = Reply { status: 200, intact: true, body: body.into_bytes() };
                        Input::Delivered { call, delivery: Delivery::Replied(reply) }
                    }
                });
            }
            inputs.push(Input::Tick);
            self.engine.handle_all(inputs, self.now);
        }
    }

    /// Time passes while the process stands still.
    pub(super) fn stand_still(&mut self, span: Duration) {
        self.now.tick = self.now.tick.after(span);
        self.now.wall = WallTime(self.now.wall.0 + span.as_micros() as i64);
    }

    /// The process is killed, and another one started after so long: all it has is the ledger.
    pub(super) fn kill_and_start(&mut self, down: Duration) {
        self.happenings.clear();
        self.stand_still(down);
        self.last_commit = self.now.tick;
        let lanes =
            (0..self.providers.len()).map(|place| (self.providers[place].config.clone(), self.known(place)));
        self.engine = engine(lanes.collect(), self.now);
    }

    /// What the ledger tells of a provider at a start.
    fn known(&self, place: usize) -> LaneStart {
        let window = self.providers[place].config.submit_rate.window + Duration::from_secs(5);
        let past = |(row, intended): &(RowNumber, Now)| {
            let state = &self.states[row];
            let over = state.quiet_since.filter(|_| state.phase != Phase::Sending);
            PastSubmit {
                intended: self.now.elapsed_since(*intended).unwrap(),
                over: over.filter(|over| over.tick > intended.tick).and_then(|at| self.now.elapsed_since(at)),
            }
        };
        let mine = |row: RowNumber| row.0 / ROWS_MAX == place as u64;
        let past = self.intents.iter().filter(|(row, _)| mine(*row)).map(past);
        LaneStart {
            recent_submits: past.filter(|submit| submit.intended <= window).collect(),
            looked_before: true,
            ..LaneStart::default()
        }
    }

    fn committed(&mut self, record: RecordId, entries: Vec<Entry>) -> Input {
        let receipts = receipts(&entries);
        for entry in entries {
            if let Event::Intent(intent) = &entry.event {
                self.intents.push((entry.row, intent.at));
            }
            self.states.insert(entry.row, entry.state);
        }
        Input::Committed { record, receipts }
    }

    fn obey(&mut self) {
        while let Some(command) = self.engine.next_command() {
            self.turns += 1;
            match command {
                Command::Record { record, entries } => {
                    let took = Duration::from_micros(COMMITS_US[self.turns % COMMITS_US.len()]);
                    self.last_commit = self.last_commit.max(self.now.tick.after(took));
                    self.happen(self.last_commit, Happening::Committed(record, entries));
                }
                Command::Call { call, lane, request } => {
                    let body = self.asked(lane, &request, self.engine.is_submit(call));
                    self.happen(self.now.tick.after(LATENCY), Happening::Answered(call, body));
                }
                Command::NeedRows { lane, open, after, limit } => {
                    let rows = if open { Vec::new() } else { self.rows(lane, after, limit) };
                    self.engine.handle(Input::Rows { lane, open, rows, more: !open }, self.now);
                }
                Command::Notice(_) => {}
            }
        }
    }

    fn happen(&mut self, at: Tick, happening: Happening) {
        self.happenings.insert((at, self.turns as u64), happening);
    }

    /// The next rows that may be sent, as the ledger has them.
    fn rows(&self, lane: LaneId, after: Option<RowNumber>, limit: usize) -> Vec<Loaded> {
        let config = &self.providers[lane.0].config;
        let first = lane.0 as u64 * ROWS_MAX;
        let from = after.map_or(first, |row| row.0 + 1);
        let loaded = |row: u64| match self.states.get(&RowNumber(row)) {
            None => Some(ready(order(config, row, row % 10_000, None))),
            Some(topup) => (topup.phase == Phase::Ready)
                .then(|| Loaded { topup: topup.clone(), ..ready(order(config, row, row % 10_000, None)) }),
        };
        (from..first + ROWS_MAX).filter_map(loaded).take(limit).collect()
    }

    /// A request comes in: keeps its instant and gives the answer to it.
    fn asked(&mut self, lane: LaneId, request: &HttpRequest, is_submit: bool) -> String {
        let provider = &mut self.providers[lane.0];
        let list = if is_submit { &mut provider.submits } else { &mut provider.looks };
        list.push(self.now.tick);
        let url = request.url.expose();
        let page = url.split('?').next().unwrap().rsplit('/').next().unwrap();
        let body = request.body.as_ref().map(|(_, body)| body.expose().to_owned()).unwrap_or_default();
        let throttled = provider.throttles.is_some_and(|(from, to)| (from..=to).contains(&self.now.tick));
        match page {
            "userbalance.jsp" => "1000000".to_owned(),
            "topup.jsp" => "1;7".to_owned(),
            "queryGoods" => r#"{"code":"1200","msg":"","result":[{"countryCode":"NG","operatorCode":"NG_MTN","productCode":"m_topup","buyingType":"RANGE","rechargeCurrency":"NGN","rechargeMinAmount":"50","rechargeMaxAmount":"5000"}]}"#.to_owned(),
            "queryOperatorCode" => r#"{"code":"1200","msg":"","result":{"operatorCode":"NG_MTN"}}"#.to_owned(),
            "topup" if throttled => r#"{"code":"4014","msg":"slow down"}"#.to_owned(),
            "topup" | "query" => {
                let id = body.split("\"transId\":\"").nth(1).unwrap().split('"').next().unwrap();
                format!(r#"{{"code":"1200","msg":"","result":{{"transId":"{id}","statusCode":"1"}}}}"#)
            }
            other => panic!("nobody knows {other:?}"),
        }
    }
}

/// The most that any window holds.
pub(super) fn most_in_a_window(instants: &[Tick], window: Duration) -> usize {
    let (mut from, mut most) = (0, 0);
    for (place, at) in instants.iter().enumerate() {
        while at.since(instants[from]) >= window {
            from += 1;
        }
        most = most.max(place - from + 1);
    }
    most
}

/// How much of a limit was used from the first request behind `from` on, for `span`, in percent.
pub(super) fn used_percent(instants: &[Tick], rate: Rate, from: Tick, span: Duration) -> u64 {
    let behind: Vec<&Tick> = instants.iter().filter(|at| **at >= from).collect();
    let until = behind.first().map_or(from, |first| first.after(span));
    let count = behind.iter().filter(|at| ***at < until).count() as u128;
    let allowed = u128::from(rate.count) * span.as_micros() / rate.window.as_micros();
    u64::try_from(count * 100 / allowed).unwrap()
}
