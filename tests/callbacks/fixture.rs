//! A ledger with orders under way, a listener on it, and clients that speak to it byte by byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulk_topup::callbacks::{Entry, Listener, Options};
use bulk_topup::domain::{
    AccountId, Attempt, BatchName, Boot, Country, Goods, Method, Now, Order, PhoneNumber, ProviderKind,
    RowNumber, Secret, Tick, TransactionId, WallTime,
};
use bulk_topup::ledger::{AdmittedRow, BatchId, Hint, Ledger, NewBatch, Record, Writer};
use bulk_topup::lifecycle::{Entry as RowEntry, Event, Intent, TopUp};
use bulk_topup::protocol::Codec;
use bulk_topup::protocol::connect_topup::{Checksum, ConnectTopup, RecheckBy, SendGateway};
use bulk_topup::protocol::paynicorn::{BenefitNo, Paynicorn};
use bulk_topup::protocol::tutom::Tutom;
use bulk_topup::report::OutputDialect;
use bulk_topup::run::Clock;
use md5::{Digest, Md5};

pub const PATH_SECRET: &str = "path-secret-0123456789";
pub const APP_KEY: &str = "7bf7d2fd6d9c5012ae7c82ab7617";
pub const MERCHANT_SECRET: &str = "demo-merchant-secret";

/// A ledger whose batch has `rows` orders; the ids of those `under_way` are known.
pub struct Ground {
    _folder: tempfile::TempDir,
    pub ledger: PathBuf,
    pub batch: BatchId,
}

impl Ground {
    pub fn new(rows: u64, under_way: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("ledger.db");
        let new = NewBatch {
            name: batch_name(),
            file_sha256: [7; 32],
            source: PathBuf::from("/home/u/pay.csv"),
            header: vec!["phone".to_owned()],
            dialect: OutputDialect { delimiter: b',', crlf: false, bom: false },
            results_path: PathBuf::from("/home/u/pay.results.csv"),
            sandbox: false,
            at: WallTime(1_000),
        };
        let admitted = (1..=rows).map(|row| Ok::<_, ()>(admitted(row)));
        let batch = Ledger::open(&ledger).unwrap().admit(&new, admitted).unwrap();
        let ground = Self { _folder: folder, ledger, batch };
        let writer = Writer::start(&ground.ledger).unwrap();
        let commits: Vec<_> = (1..=under_way).map(|row| writer.append(ground.intent(row))).collect();
        for commit in commits {
            assert_eq!(commit.wait().unwrap().len(), 1);
        }
        ground
    }

    /// The record that puts a row under way.
    pub fn intent(&self, row: u64) -> Record {
        let event = Event::Intent(Intent {
            attempt: Attempt(1),
            id: id(row),
            at: Now { tick: Tick(row), wall: WallTime(2_000), boot: Boot(1) },
            operator: None,
            product_id: None,
            price: None,
        });
        let mut state = TopUp::ready();
        state.apply(&event, WallTime(2_000)).unwrap();
        let entries = vec![RowEntry { row: RowNumber(row), event, at: WallTime(2_000), state }];
        Record { batch: self.batch, batch_events: Vec::new(), entries }
    }

    pub fn reader(&self) -> Ledger {
        Ledger::open_read(&self.ledger).unwrap()
    }

    pub fn hints(&self) -> Vec<Hint> {
        self.reader().hints_after(0, 1_000_000).unwrap().into_iter().map(|(_, hint)| hint).collect()
    }

    /// Ids of the hints, in their order.
    pub fn hinted(&self) -> Vec<TransactionId> {
        self.hints().into_iter().filter_map(|hint| hint.id).collect()
    }

    pub fn listen(&self) -> Listener {
        self.listen_with(|_| ())
    }

    pub fn listen_with(&self, change: impl FnOnce(&mut Options)) -> Listener {
        let clock = Clock::new();
        let mut options = Options {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            path_secret: Secret::new(PATH_SECRET),
            allow: Vec::new(),
            entries: codecs().iter().filter_map(|(name, codec)| Entry::of(name, codec)).collect(),
            ledger: self.ledger.clone(),
            request_time_max: Options::REQUEST_TIME_MAX,
            now: Box::new(move || clock.now()),
        };
        change(&mut options);
        Listener::start(options).unwrap()
    }
}

/// One entry of each kind.
fn codecs() -> [(&'static str, Codec); 3] {
    let base_url = url::Url::parse("http://127.0.0.1:1/").unwrap();
    let tutom = Codec::Tutom(Tutom {
        base_url: base_url.clone(),
        app_key: Secret::new(APP_KEY),
        open_id: Secret::new("demo-open-id"),
        method: Method::Get,
    });
    let paynicorn = Codec::Paynicorn(Paynicorn {
        base_url: base_url.clone(),
        app_key: Secret::new("T90B124766qU95d385O4"),
        merchant_secret: Some(Secret::new(MERCHANT_SECRET)),
        benefit_no: BenefitNo::Nsn,
    });
    let connect = Codec::ConnectTopup(ConnectTopup {
        base_url,
        username: "demo".to_owned(),
        private_key: Secret::new("demo-private-key"),
        checksum: Checksum::Sha256,
        recheck_by: RecheckBy::IdTransaction,
        send_gateway: SendGateway::Named,
    });
    [("china", tutom), ("nigeria", paynicorn), ("vietnam", connect)]
}

fn batch_name() -> BatchName {
    BatchName::parse("pay-0a1b2c3d").unwrap()
}

fn account() -> AccountId {
    AccountId::new(ProviderKind::Tutom, APP_KEY)
}

/// The id of a row's first attempt.
pub fn id(row: u64) -> TransactionId {
    TransactionId::derive(&account(), &batch_name(), RowNumber(row), Attempt(1))
}

fn admitted(row: u64) -> AdmittedRow {
    let order = Order {
        row: RowNumber(row),
        provider: "china".to_owned(),
        account: account(),
        phone: PhoneNumber::new(Country::CN, "86", &(18_610_000_000 + row).to_string()).unwrap(),
        goods: Goods::Airtime,
        amount: None,
        currency: None,
        operator: None,
        operator_hint: None,
        reference: None,
    };
    AdmittedRow {
        row: RowNumber(row),
        line: row + 1,
        cells: vec![String::new()],
        order: Some(order),
        state: TopUp::ready(),
        notes: Vec::new(),
    }
}

pub fn md5_hex(text: &str) -> String {
    hex::encode(Md5::digest(text))
}

/// Fields of a Tutom callback, rightly signed.
pub fn tutom_fields(id: &str, tutomid: &str, state: &str) -> String {
    let sign = md5_hex(&format!("{APP_KEY}{tutomid}{id}"));
    format!("tutomid={tutomid}&orderid={id}&sign={sign}&state={state}")
}

/// What a Paynicorn callback's content says.
pub fn paynicorn_content(id: &str, order: &str, status: u8) -> String {
    STANDARD.encode(format!(r#"{{"orderNo":"{order}","originOrderNo":"{id}","status":{status}}}"#))
}

/// Body of a Paynicorn callback, rightly signed.
pub fn paynicorn_body(id: &str, order: &str, status: u8) -> String {
    let content = paynicorn_content(id, order, status);
    let sign = md5_hex(&format!("{content}{MERCHANT_SECRET}"));
    format!(r#"{{"content":"{content}","sign":"{sign}"}}"#)
}

/// What a client heard. Status 0: the connection ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub status: u16,
    pub body: String,
}

impl Heard {
    pub fn is_success(&self) -> bool {
        self.status == 200 && self.body == "success"
    }
}

/// A path behind the secret.
pub fn path(entry: &str) -> String {
    format!("/{PATH_SECRET}/{entry}")
}

pub fn get(at: SocketAddr, target: &str) -> Heard {
    raw(at, format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
}

pub fn post(at: SocketAddr, target: &str, kind: &str, body: &str) -> Heard {
    raw(at, &post_bytes(target, kind, body.as_bytes()))
}

pub fn post_bytes(target: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut bytes = format!(
        "POST {target} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Sends bytes and hears the answer out. A connection that ends early is an answer too.
pub fn raw(at: SocketAddr, bytes: &[u8]) -> Heard {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let _ = stream.write_all(bytes);
    hear(&mut stream)
}

pub fn hear(stream: &mut TcpStream) -> Heard {
    let (mut text, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => text.extend(piece.iter().take(length)),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                unreachable!("a connection that neither speaks nor ends")
            }
            Err(_) => break,
        }
    }
    let text = String::from_utf8(text).unwrap();
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    Heard { status, body }
}

pub fn wait_ms(time: u64) {
    std::thread::sleep(Duration::from_millis(time));
}

/// Waits until it is so, for ten seconds.
pub fn until(mut so: impl FnMut() -> bool) -> bool {
    (0..200).any(|_| {
        let now = so();
        if !now {
            wait_ms(50);
        }
        now
    })
}
