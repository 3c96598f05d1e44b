//! A batch of ten rows in a fresh ledger, and the events of a top-up's life.

use std::path::{Path, PathBuf};

use bulk_topup::domain::{
    AccountId, Answer, Attempt, BatchName, Boot, Country, Currency, Goods, Now, Order, PhoneNumber,
    ProviderKind, Reason, Refusal, RowNumber, SubmitMeaning, SubmitVerdict, Tick, TransactionId, WallTime,
};
use bulk_topup::ledger::{AdmittedRow, BatchEvent, BatchId, Ledger, LedgerError, NewBatch, Record, Writer};
use bulk_topup::lifecycle::{Entry, Event, Intent, Receipt, TopUp};
use bulk_topup::report::OutputDialect;

/// A folder with a ledger that holds one batch of ten rows: nine good ones and row 10, which is wrong.
pub struct Fixture {
    pub folder: tempfile::TempDir,
    pub path: PathBuf,
    pub batch: BatchId,
}

pub const ROWS: u64 = 10;

impl Fixture {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut ledger = Ledger::open(&path).unwrap();
        let batch = admit(&mut ledger, &new_batch("pay-0a1b2c3d"), rows());
        Self { folder, path, batch }
    }

    pub fn ledger(&self) -> Ledger {
        Ledger::open(&self.path).unwrap()
    }

    pub fn reader(&self) -> Ledger {
        Ledger::open_read(&self.path).unwrap()
    }

    pub fn writer(&self) -> Writer {
        Writer::start(&self.path).unwrap()
    }

    /// Appends what happened to a row, one after the other, and waits for the commits.
    pub fn live(&self, writer: &Writer, row: u64, events: &[Event]) -> Vec<Receipt> {
        let entries = self.entries(row, events);
        let record = Record { batch: self.batch, batch_events: Vec::new(), entries };
        writer.append(record).wait().unwrap()
    }

    /// As [`Fixture::live`] of a row that stands ready, which no other connection is opened for.
    pub fn live_known(&self, writer: &Writer, row: u64, events: &[Event]) -> Vec<Receipt> {
        let mut state = TopUp::ready();
        let entry = |event: &Event| {
            state.apply(event, at(row)).unwrap();
            Entry { row: RowNumber(row), event: event.clone(), at: at(row), state: state.clone() }
        };
        let entries = events.iter().map(entry).collect();
        writer.append(Record { batch: self.batch, batch_events: Vec::new(), entries }).wait().unwrap()
    }

    /// Entries that follow from where the row stands.
    pub fn entries(&self, row: u64, events: &[Event]) -> Vec<Entry> {
        let mut state = self.reader().row(self.batch, RowNumber(row)).unwrap().unwrap().state;
        let entry = |event: &Event| {
            let at = at(row);
            state.apply(event, at).unwrap();
            Entry { row: RowNumber(row), event: event.clone(), at, state: state.clone() }
        };
        events.iter().map(entry).collect()
    }
}

pub fn admit(ledger: &mut Ledger, batch: &NewBatch, rows: impl IntoIterator<Item = AdmittedRow>) -> BatchId {
    ledger.admit(batch, rows.into_iter().map(Ok::<_, LedgerError>)).unwrap()
}

pub fn new_batch(name: &str) -> NewBatch {
    NewBatch {
        name: BatchName::parse(name).unwrap(),
        file_sha256: [7; 32],
        source: PathBuf::from("/home/u/pay.csv"),
        header: vec!["phone".to_owned(), "note".to_owned()],
        dialect: OutputDialect { delimiter: b';', crlf: true, bom: true },
        results_path: PathBuf::from("/home/u/pay.results.csv"),
        sandbox: false,
        at: WallTime(1_000),
    }
}

pub fn account() -> AccountId {
    AccountId::new(ProviderKind::ConnectTopup, "demo")
}

pub fn order(row: u64) -> Order {
    Order {
        row: RowNumber(row),
        provider: "vietnam".to_owned(),
        account: account(),
        phone: PhoneNumber::new(Country::VN, "84", &format!("{}", 912_345_600 + row)).unwrap(),
        goods: Goods::Airtime,
        amount: Some("20000.00".parse().unwrap()),
        currency: Some(Currency::VND),
        operator: None,
        operator_hint: None,
        reference: None,
    }
}

pub fn admitted(row: u64) -> AdmittedRow {
    AdmittedRow {
        row: RowNumber(row),
        line: row + 1,
        cells: vec![format!("0{}", 912_345_600 + row), "=note \u{1F600}".to_owned()],
        order: Some(order(row)),
        state: TopUp::ready(),
        notes: Vec::new(),
    }
}

pub fn rows() -> impl Iterator<Item = AdmittedRow> {
    (1..=ROWS).map(|row| {
        let refusal = Refusal { reason: Reason::BadPhone, message: "no such prefix".to_owned() };
        let wrong = |row| AdmittedRow {
            order: None,
            state: TopUp::invalid(refusal, WallTime(1_000)),
            notes: vec!["a lost zero was put back".to_owned()],
            ..row
        };
        if row == ROWS { wrong(admitted(row)) } else { admitted(row) }
    })
}

pub fn at(row: u64) -> WallTime {
    WallTime(2_000_000 + i64::try_from(row).unwrap() * 1_000)
}

pub fn now(row: u64) -> Now {
    Now { tick: Tick(row * 1_000), wall: at(row), boot: Boot(u64::MAX - 3) }
}

pub fn id(row: u64, attempt: u32) -> TransactionId {
    let batch = BatchName::parse("pay-0a1b2c3d").unwrap();
    TransactionId::derive(&account(), &batch, RowNumber(row), Attempt(attempt))
}

pub fn intent(row: u64, attempt: u32) -> Event {
    Event::Intent(Intent {
        attempt: Attempt(attempt),
        id: id(row, attempt),
        at: now(row),
        operator: None,
        product_id: None,
        price: None,
    })
}

pub fn answered(row: u64, meaning: SubmitMeaning) -> Event {
    Event::Answered {
        verdict: SubmitVerdict {
            meaning,
            answer: Answer { code: Some("0".to_owned()), ..Answer::default() },
        },
        sent_at: at(row),
        can_ask: true,
    }
}

pub fn run_started() -> BatchEvent {
    BatchEvent::RunStarted {
        command: "run".to_owned(),
        user: "u".to_owned(),
        host: "h".to_owned(),
        pid: 7,
        at: now(0),
        settings: std::collections::BTreeMap::new(),
    }
}

/// A plain connection past all guards, for tests that damage a ledger.
pub fn raw(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}
