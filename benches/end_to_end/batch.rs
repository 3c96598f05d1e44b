//! One contestant of `end_to_end`: the library's path without the command line. A batch is admitted, sent and
//! written to its results, durable as ever. Operators are known beforehand, so that a row is one request, as in a
//! plain script. It is a program of its own, with the allocator of ours; the bare loop has the system's, as plain
//! programs do.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, reason = "it tells its seconds")]

#[expect(dead_code, reason = "the other contestants ask for more")]
mod shape;

use std::time::{Duration, Instant};

use bulk_topup::domain::{
    BatchName, Catalogue, Country, Currency, Goods, Money, Now, Order, PhoneNumber, RowNumber, Secret,
    WallTime,
};
use bulk_topup::engine::{
    CallEnd, Clearance, Clearances, Engine, LaneConfig, LaneId, LaneStart, LaneStats, Loaded, Mode, Notice,
    Rate, RunConfig,
};
use bulk_topup::ledger::{AdmittedRow, BatchId, Ledger, LedgerError, NewBatch, Writer, write_results_file};
use bulk_topup::lifecycle::{Entry, FollowPolicy, TopUp};
use bulk_topup::net::{Client, NetOptions};
use bulk_topup::protocol::Codec;
use bulk_topup::protocol::paynicorn::{BenefitNo, Paynicorn};
use bulk_topup::report::OutputDialect;
use bulk_topup::run::{Clock, Drive, Ended, Hinted, LaneClients, Observer, Rows, Signals};

use shape::Race;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    // Cargo runs it without a race to run; `end_to_end` names one.
    if let ["race", race @ ..] = words.as_slice() {
        println!("{}", run(&Race::parse(race)));
    }
}

struct Silent;

impl Observer for Silent {
    fn notice(&mut self, notice: &Notice, _: Now) {
        assert!(!matches!(notice, Notice::Fault(_) | Notice::Halted { .. }), "{notice:?}");
    }
    fn progress(&mut self, _: &[LaneStats], _: Now) {}
    fn recorded(&mut self, _: &[Entry], _: Now) {}
    fn called(&mut self, _: &CallEnd, _: Duration, _: Now) {}
    fn stopping(&mut self, _: u32, _: usize) {}
}

struct LedgerRows<'a> {
    ledger: &'a Ledger,
    batch: BatchId,
    codec: &'a Codec,
}

impl Rows for LedgerRows<'_> {
    fn page(
        &mut self,
        _: LaneId,
        open: bool,
        after: Option<RowNumber>,
        limit: usize,
    ) -> Result<(Vec<Loaded>, bool), LedgerError> {
        if open {
            return Ok((Vec::new(), false));
        }
        let most = u32::try_from(limit).unwrap_or(u32::MAX);
        let page = self.ledger.ready_page(self.batch, &self.codec.account(), after, most)?;
        let more = page.len() == limit;
        let loaded = page.into_iter().filter_map(|row| {
            row.order.map(|order| Loaded { order, topup: row.state, verify: false, ahead: 0 })
        });
        Ok((loaded.collect(), more))
    }

    fn hints(&mut self) -> Result<Hinted, LedgerError> {
        Ok(Hinted::default())
    }
}

fn order(codec: &Codec, race: &Race, row: u64) -> Order {
    Order {
        row: RowNumber(row),
        provider: "fast".to_owned(),
        account: codec.account(),
        phone: PhoneNumber::new(Country::NG, "234", &race.shape.phone(row)).unwrap(),
        goods: Goods::Airtime,
        amount: Some(100.into()),
        currency: Some(Currency::NGN),
        operator: None,
        operator_hint: None,
        reference: None,
    }
}

fn lane(codec: &Codec, width: u32) -> LaneConfig {
    let rate = Rate { count: 1_000_000, window: Duration::from_secs(1) };
    LaneConfig {
        name: "fast".to_owned(),
        codec: codec.clone(),
        submit_rate: rate,
        query_rate: rate,
        max_in_flight: width,
        phone_spacing: Duration::ZERO,
        follow: FollowPolicy {
            first_check: Duration::from_secs(2),
            max_check: Duration::from_secs(60),
            give_up: Duration::from_secs(3600),
            not_found_grace: Duration::from_secs(900),
            not_found_times: 3,
            trust_not_found: true,
        },
        throttle_pause: Duration::from_secs(60),
        unreachable_for: Duration::from_secs(120),
        halt_after_unclear: 20,
    }
}

/// Seconds from the first row read to the results on disk.
#[expect(clippy::disallowed_methods, reason = "a stop watch")]
fn run(race: &Race) -> f64 {
    let place = tempfile::tempdir().unwrap();
    let codec = Codec::Paynicorn(Paynicorn {
        base_url: url::Url::parse(&format!("http://{}/trade/topup/api/", race.addr)).unwrap(),
        app_key: Secret::new("T90B124766qU95d385O4"),
        merchant_secret: None,
        benefit_no: BenefitNo::Nsn,
    });
    let name = BatchName::parse("fast-0a1b2c3d").unwrap();
    let price = Some(Money { amount: 100.into(), currency: Currency::NGN });
    let cleared = Clearance { operator: Some("NG_MTN".to_owned()), product_id: None, price };
    let clearances: Clearances = (1..=race.rows).map(|row| (RowNumber(row), cleared.clone())).collect();
    let path = place.path().join("ledger.db");
    let started = Instant::now();
    let mut ledger = Ledger::open(&path).unwrap();
    let admitted = |row| AdmittedRow {
        row: RowNumber(row),
        line: row + 1,
        cells: vec![race.shape.phone(row), "100".to_owned(), format!("R{row}")],
        order: Some(order(&codec, race, row)),
        state: TopUp::ready(),
        notes: Vec::new(),
    };
    let batch =
        ledger.admit(&new_batch(&name), (1..=race.rows).map(|row| Ok::<_, ()>(admitted(row)))).unwrap();
    let writer = Writer::start(&path).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(async {
        let clock = Clock::new();
        let client = Client::new(NetOptions { tls: false, ..NetOptions::default() }).unwrap();
        let config = RunConfig {
            batch: name.clone(),
            mode: Mode::Send,
            settle_for: Duration::from_secs(60),
            max_row: std::collections::BTreeMap::new(),
            seed: 1,
        };
        let start = LaneStart { preflight: Some(Catalogue::default()), ..LaneStart::default() };
        let engine = Engine::new(config, vec![(lane(&codec, race.width), start)], clearances, clock.now());
        let drive = Drive {
            engine,
            clients: vec![LaneClients { submit: client.clone(), look_up: client }],
            writer: &writer,
            batch,
            rows: &mut LedgerRows { ledger: &ledger, batch, codec: &codec },
            observer: &mut Silent,
            signals: &mut Signals::new().unwrap(),
            clock,
        };
        drive.go().await.unwrap().1
    });
    assert_eq!(ended, Ended::Over);
    writer.close().unwrap();
    write_results_file(&ledger, batch, &place.path().join("results.csv")).unwrap();
    let took = started.elapsed().as_secs_f64();
    assert_eq!(ledger.counts(batch).unwrap().succeeded, race.rows);
    took
}

fn new_batch(name: &BatchName) -> NewBatch {
    NewBatch {
        name: name.clone(),
        file_sha256: [0; 32],
        source: "rows.csv".into(),
        header: ["phone", "amount", "reference"].map(str::to_owned).to_vec(),
        dialect: OutputDialect { delimiter: b',', crlf: false, bom: false },
        results_path: "rows.results.csv".into(),
        sandbox: false,
        at: WallTime(0),
    }
}
