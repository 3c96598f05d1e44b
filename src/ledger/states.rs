//! Where a row stands, as SQL tells it. The state after an event is kept with it, but for intents: every row has one,
//! and what it leads to follows from the state before.

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};

use crate::domain::WallTime;
use crate::lifecycle::{Event, TopUp};

/// The state of a row `r` whose last event is `e` (that of its admission is an event of no row), as JSON.
pub(super) const STATE: &str = "CASE WHEN e.state IS NOT NULL THEN e.state WHEN e.row IS NULL THEN r.admitted_state
     ELSE after_intent(coalesce((SELECT p.state FROM events p WHERE p.seq = e.prev), r.admitted_state), e.body, e.at)
     END";

/// Makes what [`STATE`] needs known to a connection.
pub(super) fn register(conn: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    conn.create_scalar_function("after_intent", 3, flags, |values| {
        // Without a text whoever reads the row says that its state cannot be read.
        Ok(after_intent(values).unwrap_or_default())
    })
}

fn after_intent(values: &Context<'_>) -> Option<String> {
    let mut state: TopUp = serde_json::from_str(values.get_raw(0).as_str().ok()?).ok()?;
    let event: Event = serde_json::from_str(values.get_raw(1).as_str().ok()?).ok()?;
    state.apply(&event, WallTime(values.get_raw(2).as_i64().ok()?)).ok()?;
    serde_json::to_string(&state).ok()
}
