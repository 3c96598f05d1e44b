//! The one thread that appends while a run is on: what waits together is committed together.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::append::{Appender, Intended};
use super::ids::{UNSORTED_MAX, last_sorted, sort_in};
use super::standing::Known;
use super::{Ledger, LedgerError, Record};
use crate::lifecycle::Receipt;

/// Records committed together at most: enough that a commit's fsync is shared by all that arrived during the
/// last one, few enough that the first of them does not wait long.
const GROUP_MAX: usize = 1024;

/// Records that may wait. An engine awaits its commits, so it stays far below; the bound only keeps a fault
/// from filling memory.
const QUEUE_MAX: usize = 4096;

type Answer = Result<Vec<Receipt>, LedgerError>;

struct Request {
    record: Record,
    answer: oneshot::Sender<Answer>,
}

/// Appends records and answers after their commit. After one failed commit nothing is appended any more: it
/// is unknown what reached the disk, so nothing may be sent on it.
#[derive(Debug)]
pub struct Writer {
    queue: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Opens the ledger and starts the thread. The caller holds the [`super::LedgerLock`].
    ///
    /// # Errors
    /// [`LedgerError`] of [`Ledger::open`], or when no thread can be started.
    pub fn start(path: &Path) -> Result<Self, LedgerError> {
        Self::over(Ledger::open(path)?)
    }

    fn over(ledger: Ledger) -> Result<Self, LedgerError> {
        let (queue, requests) = sync_channel(QUEUE_MAX);
        let Ledger { conn, path, .. } = ledger;
        let at = path.clone();
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || serve(conn, &path, &requests))
            .map_err(|e| LedgerError::of_io(&at, &e))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Hands over a record. Records are committed in the order of these calls. It returns at once (it blocks
    /// only while 4096 records wait, which the thread works off by itself), from any thread or runtime.
    pub fn append(&self, record: Record) -> Commit {
        let (answer, commit) = oneshot::channel();
        if let Some(queue) = &self.queue {
            // A thread that is gone drops the other end, and the commit tells so.
            let _ = queue.send(Request { record, answer });
        }
        Commit(commit)
    }

    /// Lets the thread finish what waits, and waits for it.
    ///
    /// # Errors
    /// [`LedgerError::Stopped`] when it had died.
    pub fn close(mut self) -> Result<(), LedgerError> {
        self.join()
    }

    fn join(&mut self) -> Result<(), LedgerError> {
        drop(self.queue.take());
        let ended = self.thread.take().map_or(Ok(()), JoinHandle::join);
        ended.map_err(|_| LedgerError::Stopped)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // What was handed over is committed even when nobody waits for it any more.
        let _ = self.join();
    }
}

/// The commit of one record: one [`Receipt`] per intent in it, in their order, once it is on disk.
#[derive(Debug)]
#[must_use = "nothing may be sent before the commit is known"]
pub struct Commit(oneshot::Receiver<Answer>);

impl Commit {
    /// Waits for it outside of any runtime.
    ///
    /// # Errors
    /// As the future.
    pub fn wait(self) -> Answer {
        self.0.blocking_recv().unwrap_or(Err(LedgerError::Stopped))
    }

    /// The answer, if it is there: the record is durable, or never will be. It is told once.
    pub fn now(&mut self) -> Option<Result<Vec<Receipt>, LedgerError>> {
        match self.0.try_recv() {
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Closed) => Some(Err(LedgerError::Stopped)),
        }
    }
}

impl Future for Commit {
    type Output = Result<Vec<Receipt>, LedgerError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|answer| answer.unwrap_or(Err(LedgerError::Stopped)))
    }
}

fn serve(mut conn: Connection, path: &Path, requests: &Receiver<Request>) {
    let mut broken: Option<LedgerError> = None;
    let mut known = Known::default();
    while let Ok(first) = requests.recv() {
        let mut group = vec![first];
        group.extend(requests.try_iter().take(GROUP_MAX - 1));
        let committed = match &broken {
            Some(error) => Err(error.clone()),
            None => commit(&mut conn, path, &mut known, &group),
        };
        match committed {
            Ok(intended) => {
                for (request, intended) in group.into_iter().zip(intended) {
                    // Whoever dropped the commit finds the intent in the ledger at the next start.
                    let _ = request.answer.send(Ok(intended.into_iter().map(receipt).collect()));
                }
                broken = sort_ids(&mut conn, path, &mut known, UNSORTED_MAX).err();
            }
            Err(error) => {
                for request in group {
                    let _ = request.answer.send(Err(error.clone()));
                }
                broken = Some(error);
            }
        }
    }
}

/// Sorts the ids in once more than `most` events are behind the last that were.
fn sort_ids(conn: &mut Connection, path: &Path, known: &mut Known, most: i64) -> Result<(), LedgerError> {
    let sorted = match known.sorted {
        Some(sorted) => sorted,
        None => last_sorted(conn).map_err(|e| LedgerError::of_sqlite(path, &e))?,
    };
    let many = known.head().saturating_sub(sorted) > most;
    let head = known.head();
    known.sorted = Some(if many { sort_in(conn, path, &mut known.named, head)? } else { sorted });
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place: called after the commit of the intent returned"
)]
fn receipt((row, id): Intended) -> Receipt {
    Receipt::committed(row, id)
}

/// One transaction over all of them. Returns after the commit did.
fn commit(
    conn: &mut Connection,
    path: &Path,
    known: &mut Known,
    group: &[Request],
) -> Result<Vec<Vec<Intended>>, LedgerError> {
    let sql = |e: rusqlite::Error| LedgerError::of_sqlite(path, &e);
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    let mut appender = Appender::begin(&tx, path, known)?;
    let mut intended = Vec::with_capacity(group.len());
    for request in group {
        intended.push(appender.record(&request.record)?);
    }
    appender.finish()?;
    tx.commit().map_err(sql)?;
    Ok(intended)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::{
        AccountId, Attempt, BatchName, Country, Currency, Goods, Now, Order, PhoneNumber, ProviderKind,
        RowNumber, TransactionId, WallTime,
    };
    use crate::ledger::{AdmittedRow, BatchEvent, BatchId, NewBatch};
    use crate::lifecycle::{Entry, Event, Intent, Phase, TopUp};
    use crate::report::OutputDialect;

    pub(in crate::ledger) fn account() -> AccountId {
        AccountId::new(ProviderKind::ConnectTopup, "demo")
    }

    pub(in crate::ledger) fn name() -> BatchName {
        BatchName::parse("pay-0a1b2c3d").unwrap()
    }

    pub(in crate::ledger) fn row(number: u64) -> AdmittedRow {
        let order = Order {
            row: RowNumber(number),
            provider: "vietnam".to_owned(),
            account: account(),
            phone: PhoneNumber::new(Country::VN, "84", &(912_345_600 + number).to_string()).unwrap(),
            goods: Goods::Airtime,
            amount: Some(20_000.into()),
            currency: Some(Currency::VND),
            operator: None,
            operator_hint: None,
            reference: None,
        };
        AdmittedRow {
            row: RowNumber(number),
            line: number + 1,
            cells: vec![String::new()],
            order: Some(order),
            state: TopUp::ready(),
            notes: Vec::new(),
        }
    }

    pub(in crate::ledger) fn filled(path: &Path) -> BatchId {
        Ledger::open(path).unwrap().admit(&batch(name()), (1..=50).map(|n| Ok::<_, ()>(row(n)))).unwrap()
    }

    pub(in crate::ledger) fn batch(name: BatchName) -> NewBatch {
        NewBatch {
            name,
            file_sha256: [0; 32],
            source: "pay.csv".into(),
            header: vec!["phone".to_owned()],
            dialect: OutputDialect { delimiter: b',', crlf: false, bom: false },
            results_path: "pay.results.csv".into(),
            sandbox: false,
            at: WallTime(0),
        }
    }

    pub(in crate::ledger) fn intent(batch: BatchId, number: u64) -> Record {
        let row = RowNumber(number);
        let id = TransactionId::derive(&account(), &name(), row, Attempt(1));
        let intent = Intent {
            attempt: Attempt(1),
            id,
            at: Now::default(),
            operator: None,
            product_id: None,
            price: None,
        };
        let event = Event::Intent(intent);
        let mut state = TopUp::ready();
        state.apply(&event, WallTime(1)).unwrap();
        let entries = vec![Entry { row, event, at: WallTime(1), state }];
        Record { batch, batch_events: Vec::new(), entries }
    }

    /// A writer whose file may not grow by more than a few pages: SQLite then answers as on a full disk.
    fn cramped(path: &Path) -> Writer {
        let ledger = Ledger::open(path).unwrap();
        let pages: i64 =
            ledger.sql(|conn| conn.pragma_query_value(None, "page_count", |r| r.get(0))).unwrap();
        ledger.sql(|conn| conn.pragma_update(None, "max_page_count", pages + 3)).unwrap();
        Writer::over(ledger).unwrap()
    }

    #[test]
    fn after_a_full_disk_no_intent_is_committed_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let batch = filled(&path);
        let writer = cramped(&path);
        let note = BatchEvent::Cancelled { note: "x".repeat(60_000), user: String::new() };
        let long = Record { batch, batch_events: vec![(WallTime(2), note)], entries: Vec::new() };
        assert_eq!(writer.append(intent(batch, 1)).wait().unwrap().len(), 1);
        let full = writer.append(long).wait().unwrap_err();
        assert!(matches!(full, LedgerError::Full { .. }), "{full}");
        let waiting: Vec<Commit> = (2..=20).map(|n| writer.append(intent(batch, n))).collect();
        for commit in waiting {
            assert_eq!(commit.wait().unwrap_err(), full);
        }
        writer.close().unwrap();
        // There is room again, but this writer is done; the next process goes on.
        let ledger = Ledger::open_read(&path).unwrap();
        assert_eq!(ledger.open_page(Some(batch), None, 100).unwrap().len(), 1);
        assert!(ledger.verify(batch).unwrap().is_clean());
        assert_eq!(Writer::start(&path).unwrap().append(intent(batch, 2)).wait().unwrap().len(), 1);
    }

    #[test]
    fn one_failure_in_a_group_leaves_nothing_of_the_group() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let batch = filled(&path);
        let mut conn = Ledger::open(&path).unwrap().conn;
        let request = |record| Request { record, answer: oneshot::channel().0 };
        let group = [intent(batch, 1), intent(batch, 2), intent(batch, 999)].map(request);
        let failed = commit(&mut conn, &path, &mut Known::default(), &group).unwrap_err();
        assert_eq!(failed, LedgerError::NoSuchRow { row: RowNumber(999) });
        let ledger = Ledger::open_read(&path).unwrap();
        for number in [1, 2] {
            let row = ledger.row(batch, RowNumber(number)).unwrap().unwrap();
            assert_eq!(row.state.phase, Phase::Ready);
        }
        assert_eq!(ledger.row_by_txn(intent(batch, 1).entries[0].state.id.as_ref().unwrap()).unwrap(), None);
        let group = [intent(batch, 1), intent(batch, 2)].map(request);
        assert_eq!(
            commit(&mut conn, &path, &mut Known::default(), &group)
                .unwrap()
                .iter()
                .map(Vec::len)
                .sum::<usize>(),
            2
        );
    }

    #[test]
    fn the_writer_refuses_an_intent_for_a_row_under_way_even_where_nobody_checks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let batch = filled(&path);
        let ledger = Ledger::open(&path).unwrap();
        ledger.sql(|conn| conn.execute("UPDATE standings SET phase = 'unknown' WHERE row = 1", [])).unwrap();
        let refused = Writer::over(ledger).unwrap().append(intent(batch, 1)).wait().unwrap_err();
        assert_eq!(refused, LedgerError::NotReady { row: RowNumber(1) });
    }

    #[test]
    fn ids_are_sorted_in_once_many_events_are_behind_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let batch = filled(&path);
        let mut conn = Ledger::open(&path).unwrap().conn;
        let mut known = Known::default();
        let mut parts = Vec::new();
        for number in 1..=10 {
            let request = Request { record: intent(batch, number), answer: oneshot::channel().0 };
            commit(&mut conn, &path, &mut known, &[request]).unwrap();
            sort_ids(&mut conn, &path, &mut known, 4).unwrap();
            parts.push(last_sorted(&conn).unwrap());
        }
        // The admission is event 1, so the fourth intent is event 5.
        assert_eq!(parts, [0, 0, 0, 5, 5, 5, 5, 5, 10, 10]);
        assert!(Ledger::open_read(&path).unwrap().verify(batch).unwrap().is_clean());
    }

    #[test]
    fn a_writer_ends_when_another_process_appends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let batch = filled(&path);
        let writer = Writer::start(&path).unwrap();
        // Rows behind these are read ahead.
        for number in [1, 2] {
            writer.append(intent(batch, number)).wait().unwrap();
        }
        let gone = BatchEvent::Cancelled { note: String::new(), user: String::new() };
        let cancelled = Record { batch, batch_events: vec![(WallTime(3), gone)], entries: Vec::new() };
        Writer::start(&path).unwrap().append(cancelled).wait().unwrap();
        let refused = writer.append(intent(batch, 3)).wait().unwrap_err();
        assert!(matches!(refused, LedgerError::Shared { .. }), "{refused}");
        // Rows of other batches neither: it does not know any more what is true.
        assert_eq!(writer.append(intent(batch, 4)).wait().unwrap_err(), refused);
        drop(writer);
        let refused = Writer::start(&path).unwrap().append(intent(batch, 3)).wait().unwrap_err();
        assert_eq!(refused, LedgerError::NotReady { row: RowNumber(3) });
    }

    #[test]
    fn of_many_events_committed_together_each_is_there_and_follows_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let batch = filled(&path);
        let mut conn = Ledger::open(&path).unwrap().conn;
        let mut entries: Vec<Entry> = (1..=21).flat_map(|n| intent(batch, n).entries).collect();
        let back = |entry: &Entry| {
            let mut state = entry.state.clone();
            let event = Event::NotSent { fault: crate::domain::NetFault::Withdrawn };
            state.apply(&event, WallTime(2)).unwrap();
            Entry { row: entry.row, event, at: WallTime(2), state }
        };
        let answers: Vec<Entry> = entries.iter().rev().map(back).collect();
        entries.extend(answers);
        let cells = BatchEvent::Corrected { row: RowNumber(21), cells: vec!["x".to_owned()] };
        let records = [
            Record { batch, batch_events: Vec::new(), entries },
            // Its state is that of an event which waits to be inserted.
            Record { batch, batch_events: vec![(WallTime(3), cells)], entries: Vec::new() },
        ];
        let group = records.map(|record| Request { record, answer: oneshot::channel().0 });
        let intended = commit(&mut conn, &path, &mut Known::default(), &group).unwrap();
        assert_eq!(intended.iter().map(Vec::len).collect::<Vec<_>>(), [21, 0]);
        let ledger = Ledger::open_read(&path).unwrap();
        let report = ledger.verify(batch).unwrap();
        assert!(report.is_clean(), "{report:?}");
        assert_eq!(report.events, 44);
        for number in 1..=21 {
            let history = ledger.history(batch, RowNumber(number)).unwrap();
            let names: Vec<_> = history.iter().map(|(_, event)| event.name()).collect();
            assert_eq!(names, ["intent", "not_sent"], "row {number}");
        }
        assert_eq!(ledger.row(batch, RowNumber(21)).unwrap().unwrap().cells, ["x"]);
    }

    #[test]
    fn a_ledger_that_turned_read_only_stops_the_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let batch = filled(&path);
        let writer = Writer::over(Ledger::open_read(&path).unwrap()).unwrap();
        let refused = writer.append(intent(batch, 1)).wait().unwrap_err();
        assert!(matches!(refused, LedgerError::ReadOnly { .. }), "{refused}");
        assert_eq!(writer.append(intent(batch, 2)).wait().unwrap_err(), refused);
    }
}
