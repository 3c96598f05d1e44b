//! What the ledger's writer costs per row beside the least it could cost: a guarded update and an insert of the
//! same events, under the same settings, grouped in the same way.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use bulk_topup::domain::{
    AccountId, Answer, Attempt, BatchName, Boot, Currency, Money, Now, ProviderKind, ProviderRef, RowNumber,
    SubmitMeaning, SubmitVerdict, Tick, TransactionId, WallTime,
};
use bulk_topup::ledger::{BatchId, Commit, Ledger, Record, Writer};
use bulk_topup::lifecycle::{Entry, Event, Intent, TopUp};
use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::oneshot;

/// Rows under way at once.
const IN_FLIGHT: usize = 256;

/// Entries of one record at most.
const RECORD_MAX: u64 = 32;

/// Records committed together at most, as the ledger's writer has it.
const GROUP_MAX: usize = 1024;

/// What one thread's work came to, per row.
pub struct Cost {
    /// CPU of the writing thread, in microseconds.
    pub cpu_us: f64,
    /// Bytes it wrote, to the log and from there to the file.
    pub bytes: f64,
}

/// Sends every row of an admitted batch through the ledger's writer.
pub fn ours(path: &Path, rows: u64) -> Cost {
    let batch = Ledger::open_read(path).unwrap().batches().unwrap().first().unwrap().id;
    let writer = Writer::start(path).unwrap();
    let cost = measured(rows, || push(rows, &mut Ours { writer: &writer, batch }));
    writer.close().unwrap();
    let report = Ledger::open_read(path).unwrap().verify(batch).unwrap();
    assert!(report.is_clean(), "{report:?}");
    cost
}

/// The same through a thread that keeps no promise but the guard.
pub fn plain(path: &Path, rows: u64) -> Cost {
    let (queue, requests) = sync_channel(4096);
    let mut conn = Connection::open(path).unwrap();
    conn.pragma_update(None, "page_size", 8192).unwrap();
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    conn.query_row("PRAGMA wal_autocheckpoint = 4096", [], |_| Ok(())).unwrap();
    conn.execute_batch(
        "PRAGMA synchronous = FULL; CREATE TABLE rows(row INTEGER PRIMARY KEY, phase INTEGER NOT NULL) STRICT;
         CREATE TABLE events(seq INTEGER PRIMARY KEY, row INTEGER NOT NULL, body TEXT NOT NULL) STRICT;",
    )
    .unwrap();
    let transaction = conn.transaction().unwrap();
    for row in 1..=rows {
        transaction.execute("INSERT INTO rows VALUES(?1, 2)", [i64::try_from(row).unwrap()]).unwrap();
    }
    transaction.commit().unwrap();
    let thread =
        std::thread::Builder::new().name("ledger".to_owned()).spawn(move || serve(conn, &requests)).unwrap();
    let mut plain = Plain { queue };
    let cost = measured(rows, || push(rows, &mut plain));
    drop(plain);
    thread.join().unwrap();
    cost
}

fn measured(rows: u64, work: impl FnOnce()) -> Cost {
    let (cpu, bytes) = (cpu_ns(), written());
    work();
    let per_row = |after: u64, before: u64| (after - before) as f64 / rows as f64;
    Cost { cpu_us: per_row(cpu_ns(), cpu) / 1000.0, bytes: per_row(written(), bytes) }
}

/// Time on a CPU of the thread called `ledger`; it has none before it gave itself the name.
fn cpu_ns() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let of = |name: &Path| std::fs::read_to_string(name).unwrap_or_default();
    let task = tasks.into_iter().find(|task| of(&task.join("comm")).trim() == "ledger");
    task.map_or(0, |task| of(&task.join("schedstat")).split(' ').next().unwrap().parse().unwrap())
}

/// Bytes this process wrote. Only the ledger's thread writes.
fn written() -> u64 {
    let told = std::fs::read_to_string("/proc/self/io").unwrap();
    told.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap()
}

trait Sink {
    type Pending;
    fn append(&mut self, entries: Vec<Entry>) -> Self::Pending;
    fn wait(pending: Self::Pending);
    fn is_done(pending: &mut Self::Pending) -> bool;
}

struct Ours<'w> {
    writer: &'w Writer,
    batch: BatchId,
}

impl Sink for Ours<'_> {
    type Pending = (Commit, bool);
    fn append(&mut self, entries: Vec<Entry>) -> Self::Pending {
        (self.writer.append(Record { batch: self.batch, batch_events: Vec::new(), entries }), false)
    }
    fn wait((commit, done): Self::Pending) {
        if !done {
            commit.wait().unwrap();
        }
    }
    fn is_done((commit, done): &mut Self::Pending) -> bool {
        *done = commit.now().map(Result::unwrap).is_some();
        *done
    }
}

/// Row, phase before, phase after, event.
type Change = (i64, i64, i64, String);

struct Plain {
    queue: SyncSender<(Vec<Change>, oneshot::Sender<()>)>,
}

impl Sink for Plain {
    type Pending = (oneshot::Receiver<()>, bool);
    fn append(&mut self, entries: Vec<Entry>) -> Self::Pending {
        let change = |entry: Entry| {
            let from = if matches!(entry.event, Event::Intent(_)) { 2 } else { 3 };
            let row = i64::try_from(entry.row.0).unwrap();
            (row, from, from + 1, serde_json::to_string(&entry.event).unwrap())
        };
        let (answer, pending) = oneshot::channel();
        self.queue.send((entries.into_iter().map(change).collect(), answer)).unwrap();
        (pending, false)
    }
    fn wait((pending, done): Self::Pending) {
        if !done {
            pending.blocking_recv().unwrap();
        }
    }
    fn is_done((pending, done): &mut Self::Pending) -> bool {
        *done = pending.try_recv().is_ok();
        *done
    }
}

fn serve(mut conn: Connection, requests: &Receiver<(Vec<Change>, oneshot::Sender<()>)>) {
    while let Ok(first) = requests.recv() {
        let mut group = vec![first];
        group.extend(requests.try_iter().take(GROUP_MAX - 1));
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        {
            let update = "UPDATE rows SET phase = ?3 WHERE row = ?1 AND phase = ?2";
            let mut update = transaction.prepare_cached(update).unwrap();
            let insert = "INSERT INTO events(row, body) VALUES(?1, ?2)";
            let mut insert = transaction.prepare_cached(insert).unwrap();
            for (row, from, to, body) in group.iter().flat_map(|(changes, _)| changes) {
                assert_eq!(update.execute(params![row, from, to]).unwrap(), 1);
                insert.execute(params![row, body]).unwrap();
            }
        }
        transaction.commit().unwrap();
        for (_, answer) in group {
            answer.send(()).unwrap();
        }
    }
}

/// What arrives and what is free to go, in records of 1 to 32 entries; a row is answered some time after its intent
/// is durable, in any order.
fn push<S: Sink>(rows: u64, sink: &mut S) {
    let (name, account) =
        (BatchName::parse("rows-0a1b2c3d").unwrap(), AccountId::new(ProviderKind::ConnectTopup, "demo"));
    let mut states: HashMap<u64, TopUp> = HashMap::new();
    let mut pending: VecDeque<(Vec<u64>, S::Pending)> = VecDeque::new();
    let mut answerable: Vec<u64> = Vec::new();
    let (mut next, mut dice) = (1, 7_u64);
    let mut roll = |sides: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    loop {
        while pending.front_mut().is_some_and(|(_, commit)| S::is_done(commit)) {
            answerable.extend(pending.pop_front().unwrap().0);
        }
        let size = 1 + roll(RECORD_MAX);
        let (mut entries, mut intended) = (Vec::new(), Vec::new());
        for _ in 0..size {
            if !answerable.is_empty() {
                let place = usize::try_from(roll(u64::try_from(answerable.len()).unwrap())).unwrap();
                let row = answerable.swap_remove(place);
                entries.push(entry(row, answer(row), states.remove(&row).unwrap()).0);
            }
            if next <= rows && states.len() < IN_FLIGHT {
                let (entry, state) = entry(next, intent(next, &name, &account), TopUp::ready());
                entries.push(entry);
                states.insert(next, state);
                intended.push(next);
                next += 1;
            }
        }
        if !entries.is_empty() {
            pending.push_back((intended, sink.append(entries)));
        } else if let Some((intended, commit)) = pending.pop_front() {
            S::wait(commit);
            answerable.extend(intended);
        } else {
            return;
        }
    }
}

fn at(row: u64) -> WallTime {
    WallTime(1_780_000_000_000_000 + i64::try_from(row).unwrap() * 777)
}

fn entry(row: u64, event: Event, mut state: TopUp) -> (Entry, TopUp) {
    state.apply(&event, at(row)).unwrap();
    (Entry { row: RowNumber(row), event, at: at(row), state: state.clone() }, state)
}

fn intent(row: u64, batch: &BatchName, account: &AccountId) -> Event {
    Event::Intent(Intent {
        attempt: Attempt(1),
        id: TransactionId::derive(account, batch, RowNumber(row), Attempt(1)),
        at: Now { tick: Tick(row * 31_000), wall: at(row), boot: Boot(77_000_000_001) },
        operator: Some("VTL".to_owned()),
        product_id: None,
        price: Some(Money { amount: 20_000.into(), currency: Currency::VND }),
    })
}

fn answer(row: u64) -> Event {
    let answer = Answer {
        code: Some("0".to_owned()),
        words: "Giao dich thanh cong".to_owned(),
        provider_ref: Some(ProviderRef::parse(&format!("{}", 900_000_000 + row)).unwrap()),
        ..Answer::default()
    };
    let verdict = SubmitVerdict { meaning: SubmitMeaning::Succeeded, answer };
    Event::Answered { verdict, sent_at: at(row), can_ask: true }
}
