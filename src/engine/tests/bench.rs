//! A hand-driven engine: the test says when a commit lands, what a reply says and what time it is.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rust_decimal::Decimal;

use crate::domain::{
    BatchName, Boot, Country, Currency, Delivery, Goods, NetFault, Now, Order, PhoneNumber, Reply, RowNumber,
    Secret, Tick, TransactionId, WallTime,
};
use crate::engine::{
    CallId, Clearances, Command, Engine, Input, LaneConfig, LaneId, LaneStart, Loaded, Mode, Notice, Rate,
    RecordId, RunConfig,
};
use crate::lifecycle::{Entry, Event, FollowPolicy, Phase, Receipt, TopUp};
use crate::protocol::Codec;
use crate::protocol::connect_topup::{Checksum, ConnectTopup, RecheckBy, SendGateway};
use crate::protocol::paynicorn::{BenefitNo, Paynicorn};

pub(super) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A provider of Vietnam: answers are bare codes, and an order can be asked about only by its id there.
pub(super) fn vietnam() -> LaneConfig {
    lane(
        "vietnam",
        Codec::ConnectTopup(ConnectTopup {
            base_url: url::Url::parse("http://127.0.0.1:1/").unwrap(),
            username: "demo".to_owned(),
            private_key: Secret::new("KEY"),
            checksum: Checksum::Sha256,
            recheck_by: RecheckBy::IdTransaction,
            send_gateway: SendGateway::Named,
        }),
    )
}

/// A provider of Nigeria: every order can be asked about, and "no such order" is proof in time.
pub(super) fn nigeria() -> LaneConfig {
    lane(
        "nigeria",
        Codec::Paynicorn(Paynicorn {
            base_url: url::Url::parse("http://127.0.0.1:1/").unwrap(),
            app_key: Secret::new("KEY"),
            merchant_secret: None,
            benefit_no: BenefitNo::Nsn,
        }),
    )
}

fn lane(name: &str, codec: Codec) -> LaneConfig {
    LaneConfig {
        name: name.to_owned(),
        codec,
        submit_rate: Rate { count: 1000, window: seconds(1) },
        query_rate: Rate { count: 1000, window: seconds(1) },
        max_in_flight: 8,
        phone_spacing: Duration::ZERO,
        follow: FollowPolicy {
            first_check: seconds(2),
            max_check: seconds(60),
            give_up: seconds(48 * 3600),
            not_found_grace: seconds(900),
            not_found_times: 3,
            trust_not_found: true,
        },
        throttle_pause: seconds(60),
        unreachable_for: seconds(120),
        halt_after_unclear: 20,
    }
}

/// A row for number `phone`, airtime.
pub(super) fn order(lane: &LaneConfig, row: u64, phone: u64, operator: Option<&str>) -> Order {
    let vietnamese = lane.name == "vietnam";
    let phone = if vietnamese {
        PhoneNumber::new(Country::VN, "84", &format!("91234{phone:04}"))
    } else {
        PhoneNumber::new(Country::NG, "234", &format!("703000{phone:04}"))
    };
    Order {
        row: RowNumber(row),
        provider: lane.name.clone(),
        account: lane.codec.account(),
        phone: phone.unwrap(),
        goods: Goods::Airtime,
        amount: Some(Decimal::from(if vietnamese { 10_000 } else { 100 })),
        currency: Some(if vietnamese { Currency::VND } else { Currency::NGN }),
        operator: operator.map(str::to_owned),
        operator_hint: None,
        reference: None,
    }
}

pub(super) fn ready(order: Order) -> Loaded {
    Loaded { order, topup: TopUp::ready(), verify: false, ahead: 0 }
}

/// A request that nobody answered yet.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) call: CallId,
    pub(super) text: String,
}

impl Asked {
    fn is_submit(&self) -> bool {
        self.text.contains("topup.jsp") || self.text.contains("/topup ")
    }
}

pub(super) struct Bench {
    pub(super) engine: Engine,
    pub(super) now: Now,
    ready: BTreeMap<LaneId, VecDeque<Loaded>>,
    open: BTreeMap<LaneId, VecDeque<Loaded>>,
    pub(super) entries: Vec<Entry>,
    pub(super) asked: Vec<Asked>,
    pub(super) notices: Vec<Notice>,
    /// Commits wait until the test says [`Bench::commit`].
    pub(super) hold_commits: bool,
    waiting: VecDeque<(RecordId, Vec<Receipt>)>,
    pub(super) asked_for_rows: usize,
}

/// How a test sets up its run.
pub(super) struct Setup {
    pub(super) mode: Mode,
    pub(super) settle_for: Duration,
    pub(super) lanes: Vec<(LaneConfig, LaneStart, Vec<Loaded>, Vec<Loaded>)>,
}

impl Setup {
    /// One provider, these rows to be sent.
    pub(super) fn send(lane: LaneConfig, ready: Vec<Loaded>) -> Self {
        Self {
            mode: Mode::Send,
            settle_for: seconds(600),
            lanes: vec![(lane, LaneStart::default(), ready, Vec::new())],
        }
    }

    pub(super) fn start(self) -> Bench {
        let at = 1_000_000_000;
        let now = Now { tick: Tick(at), wall: WallTime(1_795_000_000_000_000), boot: Boot(1) };
        let run = RunConfig {
            batch: BatchName::parse("payroll-0a1b2c3d").unwrap(),
            mode: self.mode,
            settle_for: self.settle_for,
            max_row: BTreeMap::new(),
            seed: 7,
        };
        let (mut lanes, mut ready, mut open) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for (place, (config, start, to_send, to_follow)) in self.lanes.into_iter().enumerate() {
            lanes.push((config, start));
            ready.insert(LaneId(place), VecDeque::from(to_send));
            open.insert(LaneId(place), VecDeque::from(to_follow));
        }
        let engine = Engine::new(run, lanes, Clearances::new(), now);
        let mut bench = Bench {
            engine,
            now,
            ready,
            open,
            entries: Vec::new(),
            asked: Vec::new(),
            notices: Vec::new(),
            hold_commits: false,
            waiting: VecDeque::new(),
            asked_for_rows: 0,
        };
        bench.work();
        bench
    }
}

impl Bench {
    pub(super) fn handle(&mut self, input: Input) {
        self.engine.handle(input, self.now);
        self.work();
    }

    /// Does what the engine asks for, until it asks for nothing but answers.
    fn work(&mut self) {
        while let Some(command) = self.engine.next_command() {
            match command {
                Command::Record { record, entries } => {
                    let receipts = receipts(&entries);
                    self.entries.extend(entries);
                    if self.hold_commits {
                        self.waiting.push_back((record, receipts));
                    } else {
                        self.engine.handle(Input::Committed { record, receipts }, self.now);
                    }
                }
                Command::Call { call, request, .. } => {
                    let body = request.body.as_ref().map(|(_, body)| body.expose().to_owned());
                    let text = format!("{} {}", request.url.expose(), body.unwrap_or_default());
                    self.asked.push(Asked { call, text });
                }
                Command::NeedRows { lane, open, limit, .. } => {
                    self.asked_for_rows += 1;
                    let store = if open { &mut self.open } else { &mut self.ready };
                    let queue = store.get_mut(&lane).unwrap();
                    let rows: Vec<Loaded> = queue.drain(..limit.min(queue.len())).collect();
                    let more = !queue.is_empty();
                    self.engine.handle(Input::Rows { lane, open, rows, more }, self.now);
                }
                Command::Notice(notice) => self.notices.push(notice),
            }
        }
        if let Some(deadline) = self.engine.next_deadline() {
            assert!(deadline > self.now.tick, "a deadline that is not in the future");
        }
    }

    pub(super) fn commit(&mut self) {
        for _ in 0..self.waiting.len() {
            let (record, receipts) = self.waiting.pop_front().unwrap();
            self.handle(Input::Committed { record, receipts });
        }
    }

    /// The oldest commit lands, but the ledger made no receipt.
    pub(super) fn commit_without_receipt(&mut self) {
        let (record, _) = self.waiting.pop_front().unwrap();
        self.handle(Input::Committed { record, receipts: Vec::new() });
    }

    /// Time passes, the engine is woken whenever it wants to be.
    pub(super) fn pass(&mut self, span: Duration) {
        let until = self.now.tick.after(span);
        while let Some(deadline) = self.engine.next_deadline().filter(|deadline| *deadline <= until) {
            self.skip(deadline.since(self.now.tick));
            self.handle(Input::Tick);
        }
        self.skip(until.since(self.now.tick));
    }

    /// Time passes while the process stands still.
    pub(super) fn skip(&mut self, span: Duration) {
        self.now.tick = self.now.tick.after(span);
        self.now.wall = WallTime(self.now.wall.0 + span.as_micros() as i64);
    }

    pub(super) fn submits(&self) -> Vec<Asked> {
        self.asked.iter().filter(|asked| asked.is_submit()).cloned().collect()
    }

    /// The oldest unanswered request that says this.
    pub(super) fn take(&mut self, words: &str) -> CallId {
        let place = self.asked.iter().position(|asked| asked.text.contains(words));
        let place = place.unwrap_or_else(|| panic!("nothing asks {words:?}: {:#?}", self.asked));
        self.asked.remove(place).call
    }

    pub(super) fn reply(&mut self, words: &str, body: &str) {
        self.deliver(words, Delivery::Replied(Reply { status: 200, intact: true, body: body.into() }));
    }

    pub(super) fn deliver(&mut self, words: &str, delivery: Delivery) {
        let call = self.take(words);
        self.handle(Input::Delivered { call, delivery });
    }

    pub(super) fn time_out(&mut self, words: &str) {
        self.deliver(words, Delivery::MaybeSent(NetFault::TimedOut));
    }

    /// The provider's first read-only call is answered.
    pub(super) fn open_vietnam(&mut self) {
        self.reply("userbalance.jsp", "1000000");
    }

    pub(super) fn open_nigeria(&mut self) {
        let goods = |operator: &str| {
            format!(
                r#"{{"countryCode":"NG","operatorCode":"{operator}","productCode":"m_topup","buyingType":"RANGE","rechargeCurrency":"NGN","rechargeMinAmount":"50","rechargeMaxAmount":"5000"}}"#
            )
        };
        let goods = [goods("NG_MTN"), goods("NG_AIRTEL")].join(",");
        self.reply("queryGoods", &format!(r#"{{"code":"1200","msg":"","result":[{goods}]}}"#));
    }

    /// Every number asked about belongs to this operator.
    pub(super) fn name_operators(&mut self, operator: &str) {
        while self.asked.iter().any(|asked| asked.text.contains("queryOperatorCode")) {
            let body = format!(r#"{{"code":"1200","msg":"","result":{{"operatorCode":"{operator}"}}}}"#);
            self.reply("queryOperatorCode", &body);
        }
    }

    pub(super) fn state(&self, row: u64) -> &TopUp {
        let last = self.entries.iter().rev().find(|entry| entry.row == RowNumber(row));
        &last.unwrap_or_else(|| panic!("nothing was recorded of row {row}")).state
    }

    pub(super) fn phase(&self, row: u64) -> Phase {
        self.state(row).phase
    }

    /// Ids of the intents of a row, oldest first.
    pub(super) fn intents(&self, row: u64) -> Vec<TransactionId> {
        let of_row = self.entries.iter().filter(|entry| entry.row == RowNumber(row));
        of_row.filter_map(|entry| intent(entry).map(|(_, id)| id)).collect()
    }

    pub(super) fn halts(&self) -> usize {
        self.notices.iter().filter(|notice| matches!(notice, Notice::Halted { .. })).count()
    }

    pub(super) fn faults(&self) -> usize {
        self.notices.iter().filter(|notice| matches!(notice, Notice::Fault(_))).count()
    }
}

fn intent(entry: &Entry) -> Option<(RowNumber, TransactionId)> {
    if let Event::Intent(intent) = &entry.event { Some((entry.row, intent.id.clone())) } else { None }
}

#[expect(clippy::disallowed_methods, reason = "stands for a ledger")]
pub(super) fn receipts(entries: &[Entry]) -> Vec<Receipt> {
    entries.iter().filter_map(intent).map(|(row, id)| Receipt::committed(row, id)).collect()
}
