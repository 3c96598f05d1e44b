//! One row: as its columns are stored, and as its admission and its events make it.

use rusqlite::Row;

use crate::domain::{Order, RowNumber, WallTime};
use crate::ledger::append::{amount_text, join_cells, phase_word, unsettled};
use crate::ledger::record::RowBody;
use crate::lifecycle::{Event, Intent, TopUp};

/// A row's columns, as they are stored.
pub(super) struct Stored {
    pub(super) row: i64,
    pub(super) line: i64,
    pub(super) cells: Vec<u8>,
    pub(super) admitted_order: Option<String>,
    pub(super) admitted_state: String,
    pub(super) notes: String,
    new_cells: Option<Vec<u8>>,
    new_order: Option<String>,
    /// Kind and tag of the account, number, goods, amount.
    found_by: [Option<String>; 5],
    pub(super) stands: Option<Stands>,
}

/// Where a row stands, as it is stored.
pub(super) struct Stands {
    phase: String,
    unsettled: Option<i64>,
    changed_at: i64,
    pub(super) last: i64,
}

impl Stored {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let stands = match row.get(16)? {
            Some(last) => {
                Some(Stands { phase: row.get(13)?, unsettled: row.get(14)?, changed_at: row.get(15)?, last })
            }
            None => None,
        };
        Ok(Self {
            row: row.get(0)?,
            line: row.get(1)?,
            cells: row.get(2)?,
            admitted_order: row.get(3)?,
            admitted_state: row.get(4)?,
            notes: row.get(5)?,
            new_cells: row.get(6)?,
            new_order: row.get(7)?,
            found_by: [row.get(8)?, row.get(9)?, row.get(10)?, row.get(11)?, row.get(12)?],
            stands,
        })
    }
}

/// A row as its admission and events make it.
pub(super) struct Rebuilt {
    pub(super) state: TopUp,
    pub(super) order: Option<Order>,
    readmitted: bool,
    new_cells: Option<String>,
    changed_at: WallTime,
}

impl Rebuilt {
    pub(super) fn admitted(stored: &Stored, at: WallTime) -> Result<Self, String> {
        let state = serde_json::from_str(&stored.admitted_state);
        let order = stored.admitted_order.as_deref().map(serde_json::from_str).transpose();
        Ok(Self {
            state: state.map_err(|e| format!("its admitted state cannot be read: {e}"))?,
            order: order.map_err(|e| format!("its admitted order cannot be read: {e}"))?,
            readmitted: false,
            new_cells: None,
            changed_at: at,
        })
    }

    /// Applies one event; gives the intent it was.
    pub(super) fn take(&mut self, at: WallTime, body: &str) -> Result<Option<Intent>, String> {
        let event = match RowBody::parse(body).map_err(|e| format!("it cannot be read: {e}"))? {
            RowBody::Event(event) => event,
            RowBody::Corrected(cells) => {
                let joined = join_cells(RowNumber(0), &cells).map_err(|e| e.to_string())?;
                self.new_cells = Some(joined);
                return Ok(None);
            }
        };
        self.state.apply(&event, at).map_err(|e| e.to_string())?;
        self.changed_at = self.changed_at.max(at);
        if let Event::Intent(intent) = event {
            return Ok(Some(intent));
        }
        if let Event::Readmitted { order } = event {
            (self.order, self.readmitted) = (Some(*order), true);
        }
        Ok(None)
    }

    pub(super) fn compare(&self, stored: &Stored) -> Result<(), String> {
        let order = self.order.as_ref();
        let found_by = [
            order.map(|o| o.account.kind.as_str().to_owned()),
            order.map(|o| o.account.tag().to_owned()),
            order.map(|o| o.phone.digits().to_owned()),
            order.map(|o| o.goods.canonical()),
            order.and_then(amount_text),
        ];
        let new_order: Option<Order> =
            stored.new_order.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let order_stays = if self.readmitted { new_order == self.order } else { stored.new_order.is_none() };
        let (phase, stands) = (self.state.phase, stored.stands.as_ref());
        let same = [
            (
                "phase",
                stands.is_some_and(|s| s.phase == phase_word(phase) && s.unsettled == unsettled(&self.state)),
            ),
            ("order", order_stays),
            ("number, product, amount or account", found_by == stored.found_by),
            ("cells", self.new_cells.as_deref().map(str::as_bytes) == stored.new_cells.as_deref()),
            ("time of change", stands.is_some_and(|s| s.changed_at == self.changed_at.0)),
        ];
        let wrong: Vec<&str> = same.iter().filter(|(_, same)| !same).map(|(what, _)| *what).collect();
        if wrong.is_empty() { Ok(()) } else { Err(format!("not what its events say: {}", wrong.join(", "))) }
    }
}
