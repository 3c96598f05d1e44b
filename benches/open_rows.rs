//! What rows that earlier runs left open cost the built program. `going_on`: how soon the first look-up leaves when
//! a large batch goes on of which few rows are open, beside a batch of those rows alone, in interleaved pairs.
//! `following`: the processor's time for many pending rows that are looked up once a minute each.
//! `cargo bench --bench open_rows`; `OPEN_ONLY` (`going_on` or `following`), `OPEN_BATCH` (rows of the large batch,
//! default 1000000), `OPEN_PAIRS` (3), `OPEN_FOLLOWED` (10000), `OPEN_SECONDS` (of following that are measured, 60).
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench stops at a fault")]
#![expect(clippy::print_stdout, reason = "a bench tells its figures")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock and waits")]
#![expect(clippy::float_arithmetic, clippy::as_conversions, reason = "ratios of times")]

use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bulk_topup::domain::{
    AccountId, Attempt, BatchName, Country, Currency, Goods, Money, Order, PhoneNumber, ProviderKind,
    ProviderRef, RowNumber, TransactionId, WallTime,
};
use bulk_topup::ledger::{AdmittedRow, Ledger, NewBatch};
use bulk_topup::lifecycle::{Phase, TopUp};
use bulk_topup::report::OutputDialect;
use sha2::{Digest, Sha256};

const APP_KEY: &str = "T90B124766qU95d385O4";

/// Open rows of the large batch, and rows of the small one.
const OPEN: u64 = 1000;

fn main() {
    // `cargo bench` says --bench; `cargo test` does not, and then there is nothing to do.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let number =
        |name: &str, other: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(other);
    let only = std::env::var("OPEN_ONLY").ok();
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    if wanted("going_on") {
        going_on(number("OPEN_BATCH", 1_000_000), number("OPEN_PAIRS", 3));
    }
    if wanted("following") {
        following(number("OPEN_FOLLOWED", 10_000), Duration::from_secs(number("OPEN_SECONDS", 60)));
    }
}

fn going_on(rows: u64, pairs: u64) {
    let (large, small) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let provider = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = provider.local_addr().unwrap();
    make(large.path(), addr, rows, rows / OPEN);
    make(small.path(), addr, OPEN, 1);
    println!(
        "{OPEN} open rows; seconds from the start to the first look-up, batch of {rows} / of {OPEN} rows"
    );
    let words: [&[&str]; 2] = [&["settle", "rows"], &["run", "rows.csv", "--yes"]];
    for words in words {
        let mut ratios = Vec::new();
        for _ in 0..pairs {
            let times = [large.path(), small.path()].map(|folder| first_look(folder, words, &provider));
            let ratio = times[0] / times[1];
            println!("  {}: {:.3} / {:.3} = {ratio:.2}", words[0], times[0], times[1]);
            ratios.push(ratio);
        }
        ratios.sort_by(f64::total_cmp);
        println!("{}: {:.2} times as long as with the small batch", words[0], ratios[ratios.len() / 2]);
    }
}

/// Seconds until the program's first request.
fn first_look(folder: &Path, words: &[&str], provider: &TcpListener) -> f64 {
    provider.set_nonblocking(true).unwrap();
    // What a program that was killed had left in the queue.
    while provider.accept().is_ok() {}
    let start = Instant::now();
    let mut child = start_program(folder, words);
    while start.elapsed() < Duration::from_secs(600) {
        if let Ok((mut stream, _)) = provider.accept() {
            stream.set_nonblocking(false).unwrap();
            stream.read_exact(&mut [0]).unwrap();
            let took = start.elapsed().as_secs_f64();
            end(&mut child);
            return took;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_micros(200));
    }
    end(&mut child);
    panic!("no look-up left");
}

fn following(rows: u64, measured: Duration) {
    /// Clock ticks a second in `/proc/PID/stat`.
    const TICKS: f64 = 100.0;
    let folder = tempfile::tempdir().unwrap();
    let provider = TcpListener::bind("127.0.0.1:0").unwrap();
    make(folder.path(), provider.local_addr().unwrap(), rows, 1);
    let told = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&told);
    std::thread::spawn(move || serve(&provider, &counter));
    let mut child = start_program(folder.path(), &["settle", "rows", "--settle-for", "1h"]);
    // Every row once, and into the second round.
    let round = Duration::from_secs(75);
    std::thread::sleep(round);
    assert!(told.load(Ordering::Relaxed) >= rows, "{} look-ups in {round:?}", told.load(Ordering::Relaxed));
    let (before, ticks, start) = (told.load(Ordering::Relaxed), ticks_of(&child), Instant::now());
    std::thread::sleep(measured);
    let (looks, ticks, took) = (
        (told.load(Ordering::Relaxed) - before) as f64,
        (ticks_of(&child) - ticks) as f64,
        start.elapsed().as_secs_f64(),
    );
    assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
    end(&mut child);
    let cpu = ticks / TICKS;
    println!(
        "{rows} pending rows followed for {took:.0} s: {looks} look-ups ({:.0}/s), {cpu:.2} s of a processor = {:.2} % \
         of one, {:.0} us a look-up",
        looks / took,
        cpu / took * 100.0,
        cpu / looks * 1e6
    );
}

/// User and system time so far.
fn ticks_of(child: &Child) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Answers every look-up with "pending", after a wait.
fn serve(listener: &TcpListener, told: &Arc<AtomicU64>) {
    for stream in listener.incoming() {
        let (stream, told) = (stream.unwrap(), Arc::clone(told));
        std::thread::spawn(move || answer(stream, &told));
    }
}

fn answer(mut stream: TcpStream, told: &AtomicU64) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut input = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if input.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        input.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).ok()?;
        let id = body.split_once("\"transId\":\"")?.1.split_once('"')?.0;
        std::thread::sleep(Duration::from_millis(20));
        let text = format!(
            "{{\"code\":1200,\"msg\":\"success\",\"result\":{{\"transId\":\"{id}\",\"statusCode\":\"0\",\
             \"description\":\"transaction\",\"orderId\":12418046125113395}}}}"
        );
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length:";
        stream.write_all(format!("{head} {}\r\n\r\n{text}", text.len()).as_bytes()).ok()?;
        told.fetch_add(1, Ordering::Relaxed);
    }
}

fn start_program(folder: &Path, words: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bulk-topup"));
    command.env_clear().current_dir(folder).env("HOME", folder).env("KEY", APP_KEY).args(words);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn end(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A folder with a configuration, a file of so many rows, and a ledger in which its batch stands as a run left it:
/// every so many-th row is pending, the others are done.
fn make(folder: &Path, addr: SocketAddr, rows: u64, every: u64) {
    let config = format!(
        "ledger = \"ledger.db\"\ndefault_country = \"NG\"\n[[providers]]\nname = \"fast\"\nkind = \"paynicorn\"\n\
         app_key = {{ env = \"KEY\" }}\nbase_url = \"http://{addr}/trade/topup/api/\"\ncountries = [\"NG\"]\n\
         query_rate = \"200/s\"\nfirst_check = \"60s\"\nmax_check = \"60s\"\n"
    );
    fs::write(folder.join("bulk-topup.toml"), config).unwrap();
    let mut file = BufWriter::new(fs::File::create(folder.join("rows.csv")).unwrap());
    writeln!(file, "phone,amount,product,reference").unwrap();
    for row in 1..=rows {
        writeln!(file, "{}", cells(row).join(",")).unwrap();
    }
    file.into_inner().unwrap();
    let sha256: [u8; 32] = Sha256::digest(fs::read(folder.join("rows.csv")).unwrap()).into();
    let name = BatchName::of_file("rows", &sha256);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let now = WallTime(i64::try_from(now.as_micros()).unwrap());
    let batch = NewBatch {
        name: name.clone(),
        file_sha256: sha256,
        source: folder.join("rows.csv"),
        header: ["phone", "amount", "product", "reference"].map(str::to_owned).to_vec(),
        dialect: OutputDialect { delimiter: b',', crlf: false, bom: false },
        results_path: folder.join("rows.results.csv"),
        sandbox: false,
        at: now,
    };
    let account = AccountId::new(ProviderKind::Paynicorn, APP_KEY);
    let rows = (1..=rows).map(|row| Ok(admitted(row, row.is_multiple_of(every), &name, &account, now)));
    Ledger::open(&folder.join("ledger.db")).unwrap().admit::<std::io::Error>(&batch, rows).unwrap();
}

fn cells(row: u64) -> [String; 4] {
    [format!("0{}", 7_030_000_000 + row), "100".to_owned(), "airtime".to_owned(), format!("R{row}")]
}

fn admitted(row: u64, open: bool, batch: &BatchName, account: &AccountId, now: WallTime) -> AdmittedRow {
    let price = Money::parse("100", "NGN").unwrap();
    let order = Order {
        row: RowNumber(row),
        provider: "fast".to_owned(),
        account: account.clone(),
        phone: PhoneNumber::new(Country::NG, "234", &(7_030_000_000 + row).to_string()).unwrap(),
        goods: Goods::Airtime,
        amount: Some(price.amount),
        currency: Some(Currency::NGN),
        operator: None,
        operator_hint: Some("NG_MTN".to_owned()),
        reference: Some(format!("R{row}")),
    };
    let state = TopUp {
        phase: if open { Phase::Pending } else { Phase::Succeeded },
        attempt: Attempt(1),
        id: Some(TransactionId::derive(account, batch, RowNumber(row), Attempt(1))),
        submits: 1,
        message: "transaction".to_owned(),
        code: Some("1200".to_owned()),
        provider_ref: Some(ProviderRef::parse("12418046125113395").unwrap()),
        price: Some(price),
        operator: Some("NG_MTN".to_owned()),
        taken: true,
        submitted_at: Some(now),
        final_at: (!open).then_some(now),
        ..TopUp::ready()
    };
    AdmittedRow {
        row: RowNumber(row),
        line: row + 1,
        cells: cells(row).to_vec(),
        order: Some(order),
        state,
        notes: Vec::new(),
    }
}
