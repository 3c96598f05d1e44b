//! The one thread that appends while a run is on: what waits together is committed together.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::append::{Appender, Intended};
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
        let Ledger { conn, path } = ledger;
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
}

impl Future for Commit {
    type Output = Result<Vec<Receipt>, LedgerError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|answer| answer.unwrap_or(Err(LedgerError::Stopped)))
    }
}

fn serve(mut conn: Connection, path: &Path, requests: &Receiver<Request>) {
    let mut broken: Option<LedgerError> = None;
    while let Ok(first) = requests.recv() {
        let mut group = vec![first];
        group.extend(requests.try_iter().take(GROUP_MAX - 1));
        let committed = match &broken {
            Some(error) => Err(error.clone()),
            None => commit(&mut conn, path, &group),
        };
        match committed {
            Ok(intended) => {
                for (request, intended) in group.into_iter().zip(intended) {
                    // Whoever dropped the commit finds the intent in the ledger at the next start.
                    let _ = request.answer.send(Ok(intended.into_iter().map(receipt).collect()));
                }
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

#[expect(
    clippy::disallowed_methods,
    reason = "the one place: called after the commit of the intent returned"
)]
fn receipt((row, id): Intended) -> Receipt {
    Receipt::committed(row, id)
}

/// One transaction over all of them. Returns after the commit did.
fn commit(conn: &mut Connection, path: &Path, group: &[Request]) -> Result<Vec<Vec<Intended>>, LedgerError> {
    let sql = |e: rusqlite::Error| LedgerError::of_sqlite(path, &e);
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    let mut appender = Appender::begin(&tx, path)?;
    let mut intended = Vec::with_capacity(group.len());
    for request in group {
        intended.push(appender.record(&request.record)?);
    }
    appender.finish()?;
    tx.commit().map_err(sql)?;
    Ok(intended)
}
