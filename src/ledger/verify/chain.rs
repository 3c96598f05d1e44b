//! The chain of events, computed again from its beginning.

use std::collections::BTreeSet;

use rusqlite::Row;

use super::ids::SortedIds;
use super::{Difference, VerifyReport};
use crate::ledger::chain::{Hash, Link};
use crate::ledger::ids::INTENT;
use crate::ledger::record::{BatchId, unsigned};
use crate::ledger::{Ledger, LedgerError};

/// What the events lead to, beside the rows.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Events of the asked batch's rows.
    pub(super) of_rows: u64,
    /// Intents of the whole ledger.
    pub(super) intents: u64,
    /// Batches that have events.
    pub(super) batches: BTreeSet<i64>,
    /// Parts of the ids that are not those of their events.
    pub(super) wrong_ids: Vec<i64>,
}

impl Ledger {
    /// Computes the chain again, and holds what is found beside it against the tables.
    pub(super) fn verify_chain(
        &self,
        batch: Option<BatchId>,
        report: &mut VerifyReport,
    ) -> Result<Walked, LedgerError> {
        let sql = |e: rusqlite::Error| LedgerError::of_sqlite(&self.path, &e);
        let mut ask = self
            .conn
            .prepare(
                "SELECT seq, batch, row, prev, at, body, hash, state IS NOT NULL FROM events ORDER BY seq",
            )
            .map_err(sql)?;
        let mut events = ask.query([]).map_err(sql)?;
        let (mut last, mut previous): (i64, Vec<u8>) = (0, vec![0; 32]);
        let (mut walked, mut ids) = (Walked::default(), SortedIds::of(&self.conn, &self.path)?);
        while let Some(event) = events.next().map_err(sql)? {
            let (seq, computed, stored) = rehash(event, &previous).map_err(sql)?;
            let (of, row): (i64, Option<i64>) = (event.get(1).map_err(sql)?, event.get(2).map_err(sql)?);
            walked.batches.insert(of);
            match row {
                Some(row) => {
                    walked.of_rows =
                        walked.of_rows.saturating_add(u64::from(batch.is_some_and(|batch| batch.0 == of)));
                    let body = event.get_ref(5).and_then(|body| Ok(body.as_str()?)).map_err(sql)?;
                    let intends = body.starts_with(INTENT);
                    walked.intents = walked.intents.saturating_add(u64::from(intends));
                    ids.event(seq, intends.then_some(body), (of, row))?;
                }
                // The state of a row that nothing happened to is read past this event.
                None if event.get(7).map_err(sql)? => report.add(Difference::State { seq: unsigned(seq) }),
                None => {}
            }
            if seq != last.saturating_add(1) || computed.as_slice() != stored {
                report.add(Difference::Chain { seq: unsigned(seq) });
            }
            report.events = report.events.saturating_add(1);
            // The stored hash goes on, so that one changed event is reported once.
            (last, previous) = (seq, stored);
        }
        let head = "SELECT seq, hash FROM head";
        let (recorded, hash): (i64, Vec<u8>) =
            self.sql(|conn| conn.query_row(head, [], |row| Ok((row.get(0)?, row.get(1)?))))?;
        if recorded != last || hash != previous {
            report.add(Difference::End { found: unsigned(last), recorded: unsigned(recorded) });
        }
        walked.wrong_ids = ids.finish()?;
        Ok(walked)
    }
}

/// An event's number, the hash it should have, and the one it has.
fn rehash(event: &Row<'_>, previous: &[u8]) -> rusqlite::Result<(i64, Hash, Vec<u8>)> {
    let (seq, batch, row, prev, at) =
        (event.get(0)?, event.get(1)?, event.get(2)?, event.get(3)?, event.get(4)?);
    let link = Link { seq, batch, row, prev, at, body: event.get_ref(5)?.as_str()? };
    Ok((seq, link.hash(previous), event.get(6)?))
}
