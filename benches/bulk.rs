//! What a large file costs beside the least it could cost, in interleaved pairs of one run: `check` in rows a
//! second, admission to the ledger against a plain insert of the same bytes, the results file against a copy of it
//! by the csv crate, the ledger's writer against a guarded update and an insert of the same events. `cargo bench
//! --bench bulk`; `BULK_ROWS` (default 200000), `BULK_PAIRS` (default 3), `BULK_ONLY` (a part: `check`, `admit`,
//! `results` or `writer`).
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench tells its figures and stops at a fault"
)]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![expect(clippy::float_arithmetic, clippy::as_conversions, reason = "ratios of times")]

mod writer;

use std::cell::Cell;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use bulk_topup::domain::{
    AccountId, BatchName, Country, Currency, Goods, Order, PhoneNumber, ProviderKind, RowNumber, WallTime,
};
use bulk_topup::ledger::{AdmittedRow, BatchId, Ledger, NewBatch, write_results_file};
use bulk_topup::lifecycle::TopUp;
use bulk_topup::report::OutputDialect;
use rusqlite::{Connection, params};

/// Rows made at once; the making is not timed.
const CHUNK: u64 = 10_000;

fn main() {
    let number =
        |name: &str, other: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(other);
    let (rows, pairs) = (number("BULK_ROWS", 200_000), number("BULK_PAIRS", 3));
    let folder = tempfile::tempdir().unwrap();
    println!("{rows} rows, median of {pairs}; times in seconds");
    let only = std::env::var("BULK_ONLY").ok();
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    if wanted("check") {
        let checked: Vec<f64> = (0..pairs).map(|_| check(folder.path(), rows).as_secs_f64()).collect();
        let median_s = median(checked);
        println!("check            {median_s:8.3}   {:9.0} rows/s", rows as f64 / median_s);
    }
    if wanted("admit") {
        let mut ratios = Vec::new();
        for pair in 0..pairs {
            let path = folder.path().join(format!("admit-{pair}.db"));
            let ours = admit(&path, rows);
            let plain = insert_plain(&folder.path().join(format!("plain-{pair}.db")), &path, rows);
            ratios.push(told("admit / plain insert", ours, plain));
        }
        println!("admit / plain insert of the same bytes: {:.2}", median(ratios));
    }
    if wanted("results") {
        let path = folder.path().join("done.db");
        admit(&path, rows);
        writer::ours(&path, rows);
        let mut ratios = Vec::new();
        for _ in 0..pairs {
            let results = folder.path().join("results.csv");
            let ours = write_results(&path, &results);
            let copied = copy(&results, &folder.path().join("copy.csv"));
            ratios.push(told("results / csv copy", ours, copied));
        }
        println!("results / csv copy of the same file: {:.2}", median(ratios));
    }
    if wanted("writer") {
        write_rows(folder.path(), rows, pairs);
    }
}

/// What a row's intent and answer cost the thread that writes them.
fn write_rows(folder: &Path, rows: u64, pairs: u64) {
    let mut ratios = Vec::new();
    for pair in 0..pairs {
        let path = folder.join(format!("writer-{pair}.db"));
        admit(&path, rows);
        let ours = writer::ours(&path, rows);
        let plain = writer::plain(&folder.join(format!("events-{pair}.db")), rows);
        ratios.push(ours.cpu_us / plain.cpu_us);
        println!(
            "  writer / guarded update and insert: {:.2} / {:.2} us of CPU a row = {:.2}; {:.0} / {:.0} bytes written",
            ours.cpu_us,
            plain.cpu_us,
            ours.cpu_us / plain.cpu_us,
            ours.bytes,
            plain.bytes
        );
    }
    println!("writer / guarded update and insert of the same events: {:.2}", median(ratios));
}

fn told(what: &str, ours: Duration, other: Duration) -> f64 {
    let (ours, other) = (ours.as_secs_f64(), other.as_secs_f64());
    println!("  {what}: {ours:.3} / {other:.3} = {:.2}", ours / other);
    ours / other
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Local numbers that do not come in order, as in files of people.
fn national(row: u64) -> String {
    const STARTS: [&str; 10] = ["32", "35", "70", "79", "83", "86", "90", "91", "96", "98"];
    let start = STARTS.get(usize::try_from(row % 10).unwrap()).unwrap();
    format!("{start}{:07}", row / 10 * 7_919 % 10_000_000)
}

const AMOUNTS: [&str; 4] = ["10000", "20000", "50000", "100000"];

fn amount(row: u64) -> &'static str {
    AMOUNTS.get(usize::try_from(row / 3 % 4).unwrap()).unwrap()
}

/// The built program judges a file with a few duplicates.
fn check(folder: &Path, rows: u64) -> Duration {
    let file = folder.join("rows.csv");
    if !file.exists() {
        let mut out = BufWriter::new(File::create(&file).unwrap());
        writeln!(out, "phone,amount,product,reference").unwrap();
        for row in 0..rows {
            let row = if row % 5_000 == 4_999 { row - 1 } else { row };
            writeln!(out, "0{},{},airtime,PAY-{row:08}", national(row), amount(row)).unwrap();
        }
        out.flush().unwrap();
        std::fs::write(
            folder.join("bulk-topup.toml"),
            "default_country = \"VN\"\n[[providers]]\nname = \"vietnam\"\nkind = \"connect-topup\"\n\
             base_url = \"http://127.0.0.1:9/\"\ncountries = [\"VN\"]\nusername = \"demo\"\n\
             private_key = { env = \"BULK_KEY\" }\nchecksum = \"sha256\"\n",
        )
        .unwrap();
    }
    let start = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_bulk-topup"))
        .args(["check", "rows.csv"])
        .current_dir(folder)
        .env("BULK_KEY", "demo")
        .env("XDG_DATA_HOME", folder.join("data"))
        .stdout(Stdio::null())
        .status()
        .unwrap();
    let took = start.elapsed();
    assert_eq!(status.code(), Some(3), "the duplicates are told");
    took
}

fn made(row: u64, account: &AccountId) -> AdmittedRow {
    let order = Order {
        row: RowNumber(row),
        provider: "vietnam".to_owned(),
        account: account.clone(),
        phone: PhoneNumber::new(Country::VN, "84", &national(row)).unwrap(),
        goods: Goods::Airtime,
        amount: Some(amount(row).parse().unwrap()),
        currency: Some(Currency::VND),
        operator: None,
        operator_hint: Some("VTL".to_owned()),
        reference: Some(format!("PAY-{row:08}")),
    };
    AdmittedRow {
        row: RowNumber(row),
        line: row + 1,
        cells: vec![
            format!("0{}", national(row)),
            amount(row).to_owned(),
            "airtime".to_owned(),
            format!("PAY-{row:08}"),
        ],
        order: Some(order),
        state: TopUp::ready(),
        notes: Vec::new(),
    }
}

/// Time of the admission, without that of making the rows.
fn admit(path: &Path, rows: u64) -> Duration {
    let mut ledger = Ledger::open(path).unwrap();
    let name = BatchName::parse("rows-0a1b2c3d").unwrap();
    let batch = NewBatch {
        name,
        file_sha256: [7; 32],
        source: "rows.csv".into(),
        header: ["phone", "amount", "product", "reference"].map(str::to_owned).to_vec(),
        dialect: OutputDialect { delimiter: b',', crlf: false, bom: false },
        results_path: "rows.results.csv".into(),
        sandbox: false,
        at: WallTime(1_780_000_000_000_000),
    };
    let account = AccountId::new(ProviderKind::ConnectTopup, "demo");
    let making = Rc::new(Cell::new(Duration::ZERO));
    let spent = Rc::clone(&making);
    let chunks = (0..rows.div_ceil(CHUNK)).flat_map(move |chunk| {
        let start = Instant::now();
        let first = chunk * CHUNK + 1;
        let made: Vec<_> = (first..(first + CHUNK).min(rows + 1)).map(|row| made(row, &account)).collect();
        spent.set(spent.get() + start.elapsed());
        made
    });
    let start = Instant::now();
    ledger.admit::<std::io::Error>(&batch, chunks.map(Ok)).unwrap();
    start.elapsed() - making.get()
}

/// The same bytes, one prepared statement, one transaction, one table without indexes, under the same settings.
/// Reading them back is not timed.
fn insert_plain(path: &Path, admitted: &Path, rows: u64) -> Duration {
    let from = Connection::open(admitted).unwrap();
    let mut conn = Connection::open(path).unwrap();
    conn.pragma_update(None, "page_size", 8192).unwrap();
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA cache_size = -65536; PRAGMA foreign_keys = ON;")
        .unwrap();
    const COLUMNS: &str = "place, line, cells, admitted_order, admitted_state, notes, goods, amount, \
                           account, phone, phase, unsettled, changed_at, last";
    conn.execute_batch(&format!("CREATE TABLE rows({COLUMNS})")).unwrap();
    let admitted = format!(
        "SELECT {COLUMNS} FROM rows JOIN standings USING(place) WHERE place > (1 << 32) + ?1 ORDER BY place LIMIT {CHUNK}"
    );
    let mut ask = from.prepare(&admitted).unwrap();
    let mut spent = Duration::ZERO;
    let start = Instant::now();
    let transaction = conn.transaction().unwrap();
    let insert =
        format!("INSERT INTO rows({COLUMNS}) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)");
    let mut insert = transaction.prepare(&insert).unwrap();
    for chunk in 0..rows.div_ceil(CHUNK) {
        let reading = Instant::now();
        let held: Vec<[rusqlite::types::Value; 14]> = ask
            .query_map(params![i64::try_from(chunk * CHUNK).unwrap()], |row| {
                let values: Result<Vec<_>, _> = (0..14).map(|at| row.get(at)).collect();
                Ok(values?.try_into().unwrap())
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        spent += reading.elapsed();
        for values in &held {
            insert.execute(rusqlite::params_from_iter(values)).unwrap();
        }
    }
    drop(insert);
    transaction.commit().unwrap();
    start.elapsed() - spent
}

fn write_results(ledger: &Path, results: &Path) -> Duration {
    let ledger = Ledger::open_read(ledger).unwrap();
    let batch: BatchId = ledger.batches().unwrap().first().unwrap().id;
    let start = Instant::now();
    write_results_file(&ledger, batch, results).unwrap();
    start.elapsed()
}

fn copy(from: &Path, to: &Path) -> Duration {
    let start = Instant::now();
    let mut reader = csv::Reader::from_reader(BufReader::new(File::open(from).unwrap()));
    let file = File::create(to).unwrap();
    let mut writer = csv::Writer::from_writer(BufWriter::new(file));
    writer.write_byte_record(reader.byte_headers().unwrap()).unwrap();
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).unwrap() {
        writer.write_byte_record(&record).unwrap();
    }
    let file = writer.into_inner().unwrap().into_inner().unwrap();
    // The results file is synced too.
    file.sync_all().unwrap();
    start.elapsed()
}
