//! What a run has to do, by provider entry, before it begins: for the progress to be measured against.

use std::time::Duration;

use super::row_set::RowSet;
use crate::engine::Mode;
use crate::job::Stop;
use crate::job::{Leg, Session, may_be_retried};
use crate::lifecycle::Phase;
use crate::settings::{Settings, rate_text};

/// What is known of one provider before a run.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// Name of the provider entry.
    pub name: String,
    /// Rows to be sent.
    pub to_send: u64,
    /// Open rows to be followed.
    pub open: u64,
    /// The limit, as the configuration writes it.
    pub limit: String,
    /// So many submits
    pub limit_count: u64,
    /// in every window of this length.
    pub window: Duration,
}

/// Rows to be sent and open rows, for every provider entry in its order.
///
/// # Errors
/// [`Stop`] when the ledger fails.
pub fn workload(session: &Session, settings: &Settings, leg: &Leg) -> Result<Vec<Work>, Stop> {
    let mut all = Vec::new();
    for entry in &settings.providers {
        let (to_send, open) = session.ledger.work_of(session.batch.id, &entry.account)?;
        all.push(Work {
            name: entry.name.clone(),
            to_send: if leg.mode == Mode::Follow { 0 } else { to_send },
            open: if leg.mode == Mode::Look { 0 } else { open },
            limit: rate_text(entry.submit_rate),
            limit_count: u64::from(entry.submit_rate.count),
            window: entry.submit_rate.window,
        });
    }
    let chosen = &leg.selection;
    if chosen.retry.is_some() || chosen.up_to.is_some() {
        count_chosen(session, settings, leg, &mut all)?;
    }
    Ok(all)
}

/// A retry or a canary sends some rows only: those are counted one by one, no further than the last of them.
fn count_chosen(session: &Session, settings: &Settings, leg: &Leg, all: &mut [Work]) -> Result<(), Stop> {
    const PAGE: u32 = 1024;
    all.iter_mut().for_each(|work| work.to_send = 0);
    let chosen = &leg.selection;
    let set_end = chosen.retry.as_ref().and_then(RowSet::last);
    let end = chosen.up_to.into_iter().chain(set_end).min();
    let mut after = None;
    loop {
        let page = session.ledger.rows_page(session.batch.id, after, PAGE)?;
        let Some(last) = page.last().map(|row| row.row) else { return Ok(()) };
        for row in page.iter().filter(|row| end.is_none_or(|end| row.row <= end)) {
            let goes = match &chosen.retry {
                Some(set) => set.contains(row.row) && may_be_retried(row),
                None => row.state.phase == Phase::Ready,
            };
            let Some(order) = row.order.as_ref().filter(|_| goes) else { continue };
            let lane = settings.providers.iter().position(|entry| entry.account == order.account);
            if let Some(work) = lane.and_then(|lane| all.get_mut(lane)) {
                work.to_send += 1;
            }
        }
        if end.is_some_and(|end| last >= end) {
            return Ok(());
        }
        after = Some(last);
    }
}
