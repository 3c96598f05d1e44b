//! The ids that were sorted in, part by part, against the intents that name them: an id more would lead a provider's
//! word to another row, one less would lose it.

use std::collections::{HashMap, VecDeque};
use std::path::Path;

use rusqlite::Connection;

use crate::ledger::LedgerError;
use crate::ledger::ids::{ADMITTED, NO_ID, Place, UNSORTED_MAX, id_of, parts_after};

/// Ids of one part that are held in memory; a part that has more was not sorted in by this program.
const NAMED_MAX: i64 = 8 * UNSORTED_MAX;

/// Takes in the events in their order.
pub(super) struct SortedIds<'c> {
    conn: &'c Connection,
    path: &'c Path,
    /// The last events of the parts that were not compared yet.
    parts: VecDeque<i64>,
    /// Ids of the first of them.
    named: HashMap<String, Place>,
    /// There were too many of them, or one could not be read.
    beyond: bool,
    wrong: Vec<i64>,
}

impl<'c> SortedIds<'c> {
    pub(super) fn of(conn: &'c Connection, path: &'c Path) -> Result<Self, LedgerError> {
        let parts = parts_after(conn, ADMITTED).map_err(|e| LedgerError::of_sqlite(path, &e))?;
        let (named, wrong) = (HashMap::new(), Vec::new());
        Ok(Self { conn, path, parts: parts.into(), named, beyond: false, wrong })
    }

    /// An event of a row; the body, if it is an intent.
    pub(super) fn event(&mut self, seq: i64, intent: Option<&str>, place: Place) -> Result<(), LedgerError> {
        while let Some(part) = self.parts.pop_front_if(|part| *part < seq) {
            self.compare(part)?;
        }
        if let Some(body) = intent.filter(|_| !self.parts.is_empty()) {
            let full = self.named.len() >= usize::try_from(NAMED_MAX).unwrap_or(usize::MAX);
            match id_of(body).ok().filter(|_| !full) {
                Some(id) => {
                    self.named.insert(id.to_owned(), place);
                }
                None => self.beyond = true,
            }
        }
        Ok(())
    }

    /// After the last event: the parts that are wrong, by the last events that they say they are of.
    pub(super) fn finish(mut self) -> Result<Vec<i64>, LedgerError> {
        while let Some(part) = self.parts.pop_front() {
            self.compare(part)?;
        }
        Ok(self.wrong)
    }

    fn compare(&mut self, part: i64) -> Result<(), LedgerError> {
        let sql = |e: rusqlite::Error| LedgerError::of_sqlite(self.path, &e);
        let text = "SELECT id, batch, row FROM ids WHERE upto = ?1";
        let mut ask = self.conn.prepare_cached(text).map_err(sql)?;
        let mut ids = ask.query([part]).map_err(sql)?;
        let mut same = !std::mem::take(&mut self.beyond);
        while let Some(id) = ids.next().map_err(sql)? {
            let name: String = id.get(0).map_err(sql)?;
            let place = (id.get(1).map_err(sql)?, id.get(2).map_err(sql)?);
            // A part that would be empty holds one that is nobody's.
            same &= (&name, place) == (&NO_ID.0, NO_ID.1) || self.named.remove(&name) == Some(place);
        }
        same &= self.named.is_empty();
        self.named.clear();
        if !same {
            self.wrong.push(part);
        }
        Ok(())
    }
}
