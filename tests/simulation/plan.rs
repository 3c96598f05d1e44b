//! What one seed is about: providers and their habits, limits, rows, and how much goes wrong.

use std::time::Duration;

use bulk_topup::domain::{
    BatchName, Country, Currency, Goods, Method, Order, PhoneNumber, ProviderKind, RowNumber, Secret,
};
use bulk_topup::engine::{LaneConfig, Rate};
use bulk_topup::lifecycle::FollowPolicy;
use bulk_topup::protocol::Codec;
use bulk_topup::protocol::connect_topup::{Checksum, ConnectTopup, RecheckBy, SendGateway};
use bulk_topup::protocol::paynicorn::{BenefitNo, Paynicorn};
use bulk_topup::protocol::tutom::Tutom;
use rust_decimal::Decimal;

use crate::dice::Dice;

pub const SECOND: u64 = 1_000_000;
pub const MINUTE: u64 = 60 * SECOND;

/// How often each thing goes wrong, in a thousand.
#[derive(Clone, Debug, Default)]
pub struct Chaos {
    pub not_sent: u64,
    pub lost: u64,
    pub late: u64,
    pub reply_lost: u64,
    pub http: u64,
    pub cut: u64,
    pub twice: u64,
    pub fails: u64,
    pub refuses: u64,
    pub halts: u64,
    pub throttles: u64,
    pub unclear: u64,
    pub taken_but_unclear: u64,
    pub pends: u64,
    pub hides: u64,
    pub lies: u64,
    pub buries: u64,
    pub other_values: u64,
    pub blind_looks: u64,
    pub look_halts: u64,
    pub bad_questions: u64,
    pub outages: u64,
    pub crashes: u64,
    pub drains: u64,
    pub hints: u64,
    pub jumps: u64,
    pub slow_commits: u64,
    pub freezes: u64,
}

impl Chaos {
    /// What befalls the read-only calls before a submit.
    pub fn for_questions(&self) -> Self {
        Self {
            not_sent: self.not_sent / 4,
            lost: self.lost / 4,
            reply_lost: self.reply_lost / 4,
            http: self.http / 4,
            cut: self.cut / 4,
            ..self.clone()
        }
    }
}

/// One provider's habits, beside the chaos.
#[derive(Clone, Debug)]
pub struct Habits {
    /// It refuses an id it took an order under.
    pub refuses_duplicates: bool,
    /// It refuses an id it ever saw, even where it turned it away.
    pub burns_ids: bool,
    /// Of pending orders, so many in a thousand never end.
    pub never: u64,
    /// It forgets orders of which it said that it works on them.
    pub forgets: bool,
    /// Longest time a pending order takes, in microseconds.
    pub pends_us_max: u64,
}

#[derive(Clone, Debug)]
pub struct LanePlan {
    pub config: LaneConfig,
    pub habits: Habits,
    pub kind: ProviderKind,
    pub merchant_secret: Option<String>,
    pub recheck_by_own_id: bool,
    pub busy_elsewhere: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub batch: BatchName,
    pub lanes: Vec<LanePlan>,
    /// Row and whether it is invalid from the start.
    pub rows: Vec<(Order, bool)>,
    pub chaos: Chaos,
    /// Runs while things go wrong.
    pub rounds: u64,
    /// Longest delay of a request or of its showing in look-ups.
    pub grace_us: u64,
}

impl Plan {
    /// Everything may go wrong.
    pub fn wild(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let chaos = chaos(&mut dice);
        Self::build(seed, &mut dice, chaos)
    }

    /// Only what befalls one order whatever the others do and whenever it is looked at: no halts, no crashes,
    /// no outages.
    pub fn by_id_alone(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let all = chaos(&mut dice);
        let chaos = Chaos {
            halts: 0,
            look_halts: 0,
            outages: 0,
            crashes: 0,
            drains: 0,
            jumps: 0,
            http: 0,
            throttles: 0,
            not_sent: 0,
            bad_questions: 0,
            lies: 0,
            buries: 0,
            ..all
        };
        let mut plan = Self::build(seed, &mut dice, chaos);
        plan.rounds = 1;
        // Rows that wait for each other's number would be sent at other times.
        for (order, _) in &mut plan.rows {
            let (country, code) =
                (order.phone.country(), order.phone.digits().len() - order.phone.national().len());
            let calling = order.phone.digits()[..code].to_owned();
            let stem = &order.phone.national()[..order.phone.national().len() - 2];
            order.phone = PhoneNumber::new(country, &calling, &format!("{stem}{:02}", order.row.0)).unwrap();
        }
        for lane in &mut plan.lanes {
            lane.config.halt_after_unclear = 1000;
            lane.config.unreachable_for = Duration::from_secs(1_000_000);
            lane.config.phone_spacing = Duration::ZERO;
            lane.config.follow.give_up = Duration::from_secs(1_000_000);
            lane.habits.never = 0;
            lane.habits.forgets = false;
        }
        plan
    }

    fn build(seed: u64, dice: &mut Dice, chaos: Chaos) -> Self {
        let kinds = [ProviderKind::Tutom, ProviderKind::ConnectTopup, ProviderKind::Paynicorn];
        let mut chosen: Vec<ProviderKind> = kinds.into_iter().filter(|_| dice.chance(500)).collect();
        if chosen.is_empty() {
            chosen.push(dice.pick(&kinds));
        }
        let lanes: Vec<LanePlan> = chosen.into_iter().map(|kind| lane(kind, dice)).collect();
        let rows = dice.pick(&[1, 2, 3, 5, 8, 13]);
        let rows = (1..=rows)
            .map(|number| {
                let lane = dice.pick(&lanes);
                (order(RowNumber(number), &lane, dice), dice.chance(40))
            })
            .collect();
        let grace_us = lanes
            .iter()
            .map(|lane| lane.config.follow.not_found_grace.as_micros() as u64)
            .min()
            .unwrap_or(MINUTE);
        let batch = BatchName::parse("payroll-0a1b2c3d").unwrap();
        Self { seed, batch, lanes, rows, chaos, rounds: dice.pick(&[1, 2, 4, 8]), grace_us }
    }
}

fn chaos(dice: &mut Dice) -> Chaos {
    let level = dice.pick(&[0_u64, 1, 1, 2, 2, 3, 3, 3]);
    let crashes = dice.pick(&[0, 0, 300, 900]);
    let mut often = |most: u64| -> u64 {
        let scale = match (level, dice.span(0, 3)) {
            (0, _) | (_, 0) => 0,
            (1, _) => 200,
            (2, 1) => 250,
            (2, _) => 600,
            _ => 1000,
        };
        most * scale / 1000
    };
    Chaos {
        not_sent: often(400),
        lost: often(300),
        late: often(300),
        reply_lost: often(400),
        http: often(250),
        cut: often(250),
        twice: often(250),
        fails: often(300),
        refuses: often(250),
        halts: often(200),
        throttles: often(350),
        unclear: often(250),
        taken_but_unclear: often(400),
        pends: often(800),
        hides: often(500),
        lies: often(150),
        buries: often(150),
        other_values: often(150),
        blind_looks: often(500),
        look_halts: often(100),
        bad_questions: often(400),
        outages: often(500),
        crashes,
        drains: often(300),
        hints: often(900),
        jumps: often(700),
        slow_commits: often(300),
        freezes: often(300),
    }
}

fn lane(kind: ProviderKind, dice: &mut Dice) -> LanePlan {
    let merchant_secret = dice.chance(500).then(|| "MERCHANTSECRET".to_owned());
    let recheck_by_own_id = dice.chance(400);
    let codec = codec(kind, merchant_secret.as_deref(), recheck_by_own_id, dice);
    let seconds = |n: u64| Duration::from_secs(n);
    let rates = [
        Rate { count: 20, window: seconds(1) },
        Rate { count: 2, window: seconds(1) },
        Rate { count: 1, window: seconds(5) },
        Rate { count: 6, window: seconds(60) },
        Rate { count: 200, window: seconds(1) },
    ];
    let trust_not_found =
        kind == ProviderKind::Paynicorn || (kind == ProviderKind::Tutom && dice.chance(600));
    let follow = FollowPolicy {
        first_check: dice.pick(&[seconds(2), seconds(10), seconds(30)]),
        max_check: dice.pick(&[seconds(60), seconds(300), seconds(900)]),
        give_up: dice.pick(&[seconds(3600), seconds(7200), seconds(1200)]),
        not_found_grace: dice.pick(&[seconds(60), seconds(300), seconds(900)]),
        not_found_times: dice.pick(&[1, 2, 3, 3]),
        trust_not_found,
    };
    let config = LaneConfig {
        name: format!("{kind}-entry"),
        codec,
        submit_rate: dice.pick(&rates),
        query_rate: dice.pick(&[rates[0], rates[1], rates[4]]),
        max_in_flight: dice.pick(&[1, 2, 4, 32]),
        phone_spacing: dice.pick(&[Duration::ZERO, Duration::ZERO, seconds(20), seconds(600)]),
        follow,
        throttle_pause: dice.pick(&[seconds(5), seconds(60), seconds(3600)]),
        unreachable_for: dice.pick(&[seconds(10), seconds(120)]),
        halt_after_unclear: dice.pick(&[1, 3, 20]),
    };
    let refuses_duplicates = dice.chance(600);
    let habits = Habits {
        refuses_duplicates,
        burns_ids: refuses_duplicates && dice.chance(200),
        never: dice.pick(&[0, 0, 150]),
        forgets: dice.chance(100),
        pends_us_max: dice.pick(&[20 * SECOND, 10 * MINUTE, 45 * MINUTE]),
    };
    let busy_elsewhere =
        if dice.chance(100) { vec![phone(kind, dice).digits().to_owned()] } else { Vec::new() };
    LanePlan { config, habits, kind, merchant_secret, recheck_by_own_id, busy_elsewhere }
}

fn codec(kind: ProviderKind, secret: Option<&str>, recheck_by_own_id: bool, dice: &mut Dice) -> Codec {
    let base_url = url::Url::parse("http://127.0.0.1:1/api/").unwrap();
    match kind {
        ProviderKind::Tutom => Codec::Tutom(Tutom {
            base_url,
            app_key: Secret::new("APPKEYTUTOM"),
            open_id: Secret::new("OPENIDTUTOM"),
            method: dice.pick(&[Method::Get, Method::Post]),
        }),
        ProviderKind::ConnectTopup => Codec::ConnectTopup(ConnectTopup {
            base_url,
            username: "demo".to_owned(),
            private_key: Secret::new("PRIVATEKEY"),
            checksum: dice.pick(&[Checksum::Sha256, Checksum::Sha1]),
            recheck_by: if recheck_by_own_id { RecheckBy::TransIdClient } else { RecheckBy::IdTransaction },
            send_gateway: dice.pick(&[SendGateway::Named, SendGateway::Prefix]),
        }),
        ProviderKind::Paynicorn => Codec::Paynicorn(Paynicorn {
            base_url,
            app_key: Secret::new("APPKEYPAYNICORN"),
            merchant_secret: secret.map(Secret::new),
            benefit_no: dice.pick(&[BenefitNo::Nsn, BenefitNo::National]),
        }),
    }
}

/// One of few numbers, so that rows meet.
fn phone(kind: ProviderKind, dice: &mut Dice) -> PhoneNumber {
    let last = dice.span(0, 7);
    match kind {
        ProviderKind::Tutom => PhoneNumber::new(Country::CN, "86", &format!("1861086568{last}")),
        ProviderKind::ConnectTopup => PhoneNumber::new(Country::VN, "84", &format!("91234560{last}")),
        ProviderKind::Paynicorn => PhoneNumber::new(Country::NG, "234", &format!("703000000{last}")),
    }
    .unwrap()
}

pub fn order(row: RowNumber, lane: &LanePlan, dice: &mut Dice) -> Order {
    let decimal = |text: &str| text.parse::<Decimal>().unwrap();
    let (goods, amount, currency, operator, operator_hint) = match lane.kind {
        ProviderKind::Tutom => {
            let goods = dice.pick(&[
                Goods::DataProduct("23".to_owned()),
                Goods::DataProduct("24".to_owned()),
                Goods::DataSize { megabytes: 6144 },
            ]);
            let ceiling =
                dice.pick(&[None, None, Some(decimal("50.00")), Some(decimal("46")), Some(decimal("20"))]);
            (goods, ceiling, None, None, None)
        }
        ProviderKind::ConnectTopup => {
            let amount = decimal(dice.pick(&["10000", "20000.00", "50000"]));
            let operator = dice.pick(&[None, Some("VTL".to_owned()), Some("VMS".to_owned())]);
            (Goods::Airtime, Some(amount), Some(Currency::VND), operator, Some("VNP".to_owned()))
        }
        ProviderKind::Paynicorn => {
            let amount = decimal(dice.pick(&["100", "100.50", "200", "200", "200", "20"]));
            let operator = dice.pick(&[None, None, None, Some("NG_MTN".to_owned())]);
            (Goods::Airtime, Some(amount), Some(Currency::NGN), operator, None)
        }
    };
    Order {
        row,
        provider: lane.config.name.clone(),
        account: lane.config.codec.account(),
        phone: phone(lane.kind, dice),
        goods,
        amount,
        currency,
        operator,
        operator_hint,
        reference: None,
    }
}
