//! The pure parts with fixed inputs, as the criterion benchmark and the instruction counts both run them.

use std::hint::black_box;
use std::time::Duration;

use bulk_topup::admission::{Caps, Judge, Policy, ProviderRule};
use bulk_topup::domain::{
    Attempt, BatchName, Boot, Catalogue, Country, Currency, Delivery, Goods, Method, Money, Now, Order,
    PhoneNumber, ProviderKind, Reply, RowNumber, Secret, SubmitMeaning, Tick, TransactionId, WallTime,
};
use bulk_topup::engine::{
    Clearance, Clearances, Command, Engine, Input, LaneConfig, LaneStart, Mode, Rate, RunConfig,
};
use bulk_topup::intake::{Overrides, RawRow, Source};
use bulk_topup::ledger::memory::MemoryLedger;
use bulk_topup::lifecycle::{Event, FollowPolicy, Intent, StoredRow, TopUp};
use bulk_topup::protocol::connect_topup::{Checksum, ConnectTopup, RecheckBy, SendGateway};
use bulk_topup::protocol::paynicorn::{BenefitNo, Paynicorn};
use bulk_topup::protocol::tutom::Tutom;
use bulk_topup::protocol::{Codec, Submit, rules};
use bulk_topup::report::{OutputDialect, ResultsWriter, RunView};

/// How often a part does its work in one run.
pub const TIMES: u64 = 200;

/// A part: its name, and what makes one run of it.
pub type Part = (&'static str, fn() -> Box<dyn FnMut()>);

/// All of them.
pub const PARTS: [Part; 9] = [
    ("submit and answer, CONNECT TOPUP", || codec(connect(), "1;83177410012345679")),
    ("submit and answer, Tutom", || {
        codec(
            tutom(),
            r#"{"response_code":"0","response_text":"Success.","id":"1XNPXS","state":"10","price":"46.0000","currency":"USD"}"#,
        )
    }),
    ("submit and answer, Paynicorn", || codec(paynicorn(None), PAYNICORN)),
    ("submit and refusal, Paynicorn in its envelope", || {
        codec(paynicorn(Some("SECRET")), r#"{"responseCode":"204001","responseMessage":"sign invalid"}"#)
    }),
    ("transitions of a top-up", transitions),
    ("engine, rows without a limit", || engine(Rate { count: 1_000_000, window: Duration::from_secs(1) })),
    ("engine, rows at its limit", || engine(Rate { count: 1000, window: Duration::from_secs(1) })),
    ("rows of a file judged", judge),
    ("results lines", results),
];

const PAYNICORN: &str = r#"{"code":1200,"msg":"success","result":{"transId":"HCVHXB3DA4JKNK9BXMQ0DR05","statusCode":"1","description":"transaction successful","orderId":83177410012345679}}"#;

fn url(text: &str) -> url::Url {
    url::Url::parse(text).unwrap()
}

fn connect() -> Codec {
    Codec::ConnectTopup(ConnectTopup {
        base_url: url("https://topup.example/apipayment/"),
        username: "demo".to_owned(),
        private_key: Secret::new("demo-private-key"),
        checksum: Checksum::Sha256,
        recheck_by: RecheckBy::IdTransaction,
        send_gateway: SendGateway::Named,
    })
}

fn tutom() -> Codec {
    Codec::Tutom(Tutom {
        base_url: url("https://tutom.example/gateway/flowapi/"),
        app_key: Secret::new("7bf7d2fd6d9c5012ae7c82ab7617"),
        open_id: Secret::new("demo-open-id"),
        method: Method::Get,
    })
}

fn paynicorn(secret: Option<&str>) -> Codec {
    Codec::Paynicorn(Paynicorn {
        base_url: url("https://paynicorn.example/trade/topup/api/"),
        app_key: Secret::new("T90B124766qU95d385O4"),
        merchant_secret: secret.map(Secret::new),
        benefit_no: BenefitNo::Nsn,
    })
}

fn phone(kind: ProviderKind, row: u64) -> PhoneNumber {
    let (country, code, national) = match kind {
        ProviderKind::ConnectTopup => (Country::VN, "84", 911_000_000 + row),
        ProviderKind::Paynicorn => (Country::NG, "234", 7_030_000_000 + row),
        ProviderKind::Tutom => (Country::CN, "86", 18_600_000_000 + row),
    };
    PhoneNumber::new(country, code, &national.to_string()).unwrap()
}

/// Writes a submit and reads its answer.
fn codec(codec: Codec, body: &str) -> Box<dyn FnMut()> {
    let submit = Submit {
        id: TransactionId::parse("HCVHXB3DA4JKNK9BXMQ0DR05").unwrap(),
        phone: phone(codec.kind(), 1),
        amount: Some(10_000.into()),
        product_id: Some("23".to_owned()),
        operator: (codec.kind() == ProviderKind::Paynicorn).then(|| "NG_MTN".to_owned()),
    };
    let reply = Reply { status: 200, intact: true, body: body.into() };
    Box::new(move || {
        for _ in 0..TIMES {
            black_box(codec.encode_submit(black_box(&submit)).unwrap());
            black_box(codec.decode_submit(black_box(&submit), black_box(&reply)));
        }
    })
}

fn order(codec: &Codec, row: u64) -> Order {
    Order {
        row: RowNumber(row),
        provider: "fast".to_owned(),
        account: codec.account(),
        phone: phone(codec.kind(), row),
        goods: Goods::Airtime,
        amount: Some(10_000.into()),
        currency: Some(Currency::NGN),
        operator: None,
        operator_hint: None,
        reference: None,
    }
}

/// From an intent to a success.
fn transitions() -> Box<dyn FnMut()> {
    let (now, codec) = (Now::default(), paynicorn(None));
    let id = TransactionId::parse("HCVHXB3DA4JKNK9BXMQ0DR05").unwrap();
    let (attempt, at, price) =
        (Attempt(1), now.wall, Some(Money { amount: 100.into(), currency: Currency::NGN }));
    let operator = Some("NG_MTN".to_owned());
    let intent = Event::Intent(Intent {
        attempt,
        id: id.clone(),
        at: now,
        operator: operator.clone(),
        product_id: None,
        price,
    });
    let submit =
        Submit { id, phone: phone(codec.kind(), 1), amount: Some(100.into()), product_id: None, operator };
    let reply = Reply { status: 200, intact: true, body: PAYNICORN.into() };
    let verdict = codec.decode_submit(&submit, &reply);
    assert_eq!(verdict.meaning, SubmitMeaning::Succeeded);
    let answered = Event::Answered { verdict, sent_at: at, can_ask: true };
    Box::new(move || {
        for _ in 0..TIMES {
            let mut topup = TopUp::ready();
            topup.apply(black_box(&intent), at).unwrap();
            topup.apply(black_box(&answered), at).unwrap();
            black_box(topup);
        }
    })
}

/// A whole batch through the engine in virtual time: commits and answers come at once.
fn engine(rate: Rate) -> Box<dyn FnMut()> {
    Box::new(move || {
        let codec = paynicorn(None);
        let mut ledger = MemoryLedger::new(false);
        let mut clearances = Clearances::new();
        let price = Some(Money { amount: 10_000.into(), currency: Currency::NGN });
        for row in 1..=TIMES {
            ledger.admit(order(&codec, row), TopUp::ready());
            let clearance = Clearance { operator: Some("NG_MTN".to_owned()), product_id: None, price };
            clearances.insert(RowNumber(row), clearance);
        }
        let mut now = Now { tick: Tick(1_000_000_000), wall: WallTime(1_795_000_000_000_000), boot: Boot(1) };
        let start = LaneStart { preflight: Some(Catalogue::default()), ..LaneStart::default() };
        let lanes = vec![(lane(codec, rate), start)];
        let mut engine = Engine::new(run_config(), lanes, clearances, now);
        while !engine.is_over() {
            let mut inputs = vec![Input::Tick];
            while let Some(command) = engine.next_command() {
                match command {
                    Command::Record { record, entries } => {
                        ledger.write(record, entries);
                        let (record, receipts) = ledger.commit().unwrap().unwrap();
                        inputs.push(Input::Committed { record, receipts });
                    }
                    Command::Call { call, request, .. } => {
                        let body = request.body.as_ref().map_or("", |(_, body)| body.expose());
                        let id = body.split_once("\"transId\":\"").map_or("", |(_, rest)| &rest[..24]);
                        let body = PAYNICORN.replace("HCVHXB3DA4JKNK9BXMQ0DR05", id).into_bytes();
                        let delivery = Delivery::Replied(Reply { status: 200, intact: true, body });
                        inputs.push(Input::Delivered { call, delivery });
                    }
                    Command::NeedRows { lane, open, after, limit } => {
                        let wanted = |_: &Order, topup: &TopUp| !open && topup.submits == 0;
                        let (rows, more) = ledger.page(after, limit, wanted, false);
                        inputs.push(Input::Rows { lane, open, rows, more });
                    }
                    Command::Notice(_) => {}
                }
            }
            if inputs.len() == 1
                && let Some(deadline) = engine.next_deadline()
            {
                let wait = deadline.since(now.tick);
                now.tick = deadline;
                now.wall = WallTime(now.wall.0 + i64::try_from(wait.as_micros()).unwrap());
            }
            engine.handle_all(inputs, now);
        }
        assert!(ledger.rows().all(|(_, topup)| topup.submits == 1));
    })
}

fn run_config() -> RunConfig {
    RunConfig {
        batch: BatchName::parse("payroll-0a1b2c3d").unwrap(),
        mode: Mode::Send,
        settle_for: Duration::from_secs(600),
        max_row: std::collections::BTreeMap::new(),
        seed: 7,
    }
}

fn lane(codec: Codec, rate: Rate) -> LaneConfig {
    LaneConfig {
        name: "fast".to_owned(),
        codec,
        submit_rate: rate,
        query_rate: rate,
        max_in_flight: 32,
        phone_spacing: Duration::ZERO,
        follow: FollowPolicy {
            first_check: Duration::from_secs(2),
            max_check: Duration::from_secs(60),
            give_up: Duration::from_secs(172_800),
            not_found_grace: Duration::from_secs(900),
            not_found_times: 3,
            trust_not_found: true,
        },
        throttle_pause: Duration::from_secs(60),
        unreachable_for: Duration::from_secs(120),
        halt_after_unclear: 20,
    }
}

/// Phone, amount and the rest of each row.
fn judge() -> Box<dyn FnMut()> {
    let codec = connect();
    let policy = Policy {
        providers: vec![ProviderRule {
            name: "vietnam".to_owned(),
            account: codec.account(),
            countries: vec![Country::VN],
            sells: None,
        }],
        default_country: Some(Country::VN),
        thousands: None,
        caps: Caps::default(),
        allow_duplicates: false,
        operator_code: rules::operator_code,
        judge_offline: rules::judge_offline,
    };
    let (mut judge, mut turn) = (Judge::new(policy).unwrap(), 0);
    Box::new(move || {
        turn += 1;
        let mut text = "phone,amount,product,reference\n".to_owned();
        for row in 0..TIMES {
            // Equal rows are told apart by their reference.
            text.push_str(&format!("0{},20000,,R{turn}-{row}\n", 911_000_000 + row));
        }
        let stream = Box::new(std::io::Cursor::new(text.into_bytes()));
        let mut source = Source::from_stream("rows.csv", stream, &Overrides::default()).unwrap();
        let mut row = RawRow::default();
        while source.next_row(&mut row).unwrap() {
            assert!(judge.row(source.columns(), &row).verdict.is_ok());
        }
    })
}

fn results() -> Box<dyn FnMut()> {
    let codec = paynicorn(None);
    let header = ["phone", "amount"].map(str::to_owned);
    let batch = BatchName::parse("payroll-0a1b2c3d").unwrap();
    let row = |row| StoredRow {
        row: RowNumber(row),
        line: row + 1,
        cells: vec!["07030000001".to_owned(), "100".to_owned()],
        order: Some(order(&codec, row)),
        state: TopUp::ready(),
        notes: Vec::new(),
    };
    let rows: Vec<StoredRow> = (1..=TIMES).map(row).collect();
    Box::new(move || {
        let dialect = OutputDialect { delimiter: b',', crlf: false, bom: false };
        let mut writer =
            ResultsWriter::new(Vec::new(), dialect, &header, &batch, RunView::default()).unwrap();
        for row in &rows {
            writer.write(row).unwrap();
        }
        black_box(writer.finish().unwrap());
    })
}
