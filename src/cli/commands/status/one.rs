//! `status BATCH`: how one batch stands, who works on it, and when its open rows are looked at.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::plan::{duration, wrapped};
use crate::cli::wrapup::told;
use crate::domain::grouped;
use crate::domain::{Currency, RowNumber, Status, WallTime};
use crate::job::Standing;
use crate::job::Stop;
use crate::job::host_name;
use crate::ledger::{BatchInfo, Ledger, Run};
use crate::lifecycle::{FollowPolicy, Phase, StoredRow};
use crate::report::Summary;
use crate::settings::parse_duration;

/// A batch as text or JSON, and whether any of it can still change.
///
/// # Errors
/// [`Stop`] when the ledger fails.
pub fn one(context: &Context, ledger: &Ledger, batch: &BatchInfo) -> Result<(String, bool), Stop> {
    let (standing, open, run) = ledger.snapshot::<_, Stop>(|ledger| {
        let run = ledger.last_run(batch.id)?;
        let working = run.as_ref().is_some_and(is_at_work);
        let open = Open::of(ledger, batch, run.as_ref().filter(|_| working), context.clock.now().wall)?;
        Ok((Standing::of(ledger, batch)?, open, run))
    })?;
    let goes_on = standing.counts.pending + standing.counts.unknown + standing.left > 0;
    let exit = standing.exit();
    if context.terminal.json {
        let results = Some(batch.results_path.display().to_string());
        let totals = standing.totals.clone();
        let summary =
            Summary::new(batch.name.as_str(), exit.code(), standing.counts, totals, &standing.halts, results);
        let mut object = serde_json::to_value(&summary).map_err(|e| Stop::internal(e.to_string()))?;
        if let Some(object) = object.as_object_mut() {
            object.insert("open".to_owned(), open.json());
            object.insert("last_run".to_owned(), run.as_ref().map_or(Value::Null, run_json));
        }
        return Ok((format!("{object:#}"), goes_on));
    }
    let now = context.clock.now().wall;
    let at_work = run.as_ref().is_some_and(is_at_work);
    let more = format!("{}{}", open.text(run.as_ref(), now), run_text(run.as_ref(), now));
    Ok((told(context, batch, &standing, exit, Some(&batch.results_path), &more, at_work), goes_on))
}

/// The open rows of a batch.
#[derive(Debug, Default)]
struct Open {
    rows: u64,
    /// The one that was submitted first.
    oldest: Option<(WallTime, RowNumber)>,
    /// The next look-up that the schedule of whoever follows them gives.
    next_look: Option<Duration>,
    /// Money in them, by currency and status.
    money: BTreeMap<(Currency, Status), Decimal>,
    followed: bool,
}

impl Open {
    fn of(ledger: &Ledger, batch: &BatchInfo, run: Option<&Run>, now: WallTime) -> Result<Self, Stop> {
        const PAGE: u32 = 1024;
        let mut open = Self { followed: run.is_some(), ..Self::default() };
        let mut after = None;
        loop {
            let page = ledger.open_page(Some(batch.id), after, PAGE)?;
            let Some((id, last)) = page.last().map(|(id, row)| (*id, row.row)) else { return Ok(open) };
            for (_, row) in &page {
                open.take(row, run, now);
            }
            after = Some((id, last));
        }
    }

    fn take(&mut self, row: &StoredRow, run: Option<&Run>, now: WallTime) {
        self.rows += 1;
        if let Some((amount, Some(currency))) = row.asked() {
            *self.money.entry((currency, row.state.status())).or_default() += amount;
        }
        let Some(at) = row.state.submitted_at else { return };
        self.oldest = Some(self.oldest.map_or((at, row.row), |known| known.min((at, row.row))));
        let waits = matches!(row.state.phase, Phase::Pending | Phase::Unknown);
        let policy = row.order.as_ref().zip(run).and_then(|(order, run)| policy(run, &order.provider));
        if let Some(policy) = policy.filter(|_| waits) {
            let next = until_next_look(&policy, now.since(at));
            self.next_look = Some(self.next_look.map_or(next, |known| known.min(next)));
        }
    }

    fn text(&self, run: Option<&Run>, now: WallTime) -> String {
        if self.rows == 0 {
            return String::new();
        }
        let mut words = Vec::new();
        if let Some((at, row)) = self.oldest {
            words.push(format!("the oldest, row {row}, since {}", duration(now.since(at))));
        }
        words.push(match (self.followed, self.next_look) {
            (true, Some(next)) => format!("next look-up in about {}", duration(next)),
            (true, None) => "nothing is left to look up".to_owned(),
            (false, _) if run.is_some_and(|run| run.ended.is_none()) => {
                "the process that followed them is gone".to_owned()
            }
            (false, _) => "nobody follows them now".to_owned(),
        });
        for ((currency, status), amount) in &self.money {
            words.push(format!("{} {currency} {status}", grouped(&amount.normalize().to_string())));
        }
        format!("\n{}", wrapped(2, &format!("open       {}", words.join(" · "))).trim_end())
    }

    fn json(&self) -> Value {
        let money: Vec<Value> = self
            .money
            .iter()
            .map(|((currency, status), amount)| {
                json!({ "currency": currency.to_string(), "status": status,
                    "amount": amount.normalize().to_string() })
            })
            .collect();
        json!({ "rows": self.rows, "oldest_row": self.oldest.map(|(_, row)| row),
            "oldest_since": self.oldest.map(|(at, _)| at.rfc3339()), "followed": self.followed,
            "next_look_seconds": self.next_look.map(|next| next.as_secs()), "money": money })
    }
}

/// The schedule of a provider, as the run recorded its settings.
fn policy(run: &Run, provider: &str) -> Option<FollowPolicy> {
    let span = |key: &str| {
        run.settings.get(&format!("providers.{provider}.{key}")).and_then(|text| parse_duration(text).ok())
    };
    Some(FollowPolicy {
        first_check: span("first_check")?,
        max_check: span("max_check")?,
        give_up: Duration::MAX,
        not_found_grace: Duration::ZERO,
        not_found_times: 0,
        trust_not_found: false,
    })
}

/// How long until the next look-up of an order of this age, if it has been followed all the time.
fn until_next_look(policy: &FollowPolicy, age: Duration) -> Duration {
    /// By then the waits have long stopped growing.
    const GROWING: u32 = 24;
    let mut due = Duration::ZERO;
    for look in 0..GROWING {
        due = due.saturating_add(policy.wait(look, 0));
        if due > age {
            return due.saturating_sub(age);
        }
    }
    let step = policy.wait(GROWING, 0).as_millis().max(1);
    let late = age.saturating_sub(due).as_millis() % step;
    Duration::from_millis(u64::try_from(step - late).unwrap_or(u64::MAX))
}

/// Whether the process of a run that has no end on record is still there. Of another machine nobody knows.
pub fn is_at_work(run: &Run) -> bool {
    let pid = i32::try_from(run.pid).ok().and_then(rustix::process::Pid::from_raw);
    let here = run.host == host_name();
    run.ended.is_none() && (!here || pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok()))
}

fn run_text(run: Option<&Run>, now: WallTime) -> String {
    let Some(run) = run else { return String::new() };
    let who = format!("{} by {} on {}", run.command, run.user, run.host);
    let text = match &run.ended {
        Some(end) => {
            let ago = duration(now.since(end.at));
            format!("last       {who}, ended {ago} ago with exit {}", end.exit)
        }
        None if is_at_work(run) => {
            let since = duration(now.since(run.started.wall));
            format!("at work    {who}, pid {}, since {since}", run.pid)
        }
        None => format!("last       {who}, pid {}, ended without a word (killed?)", run.pid),
    };
    format!("\n{}", wrapped(2, &text).trim_end())
}

fn run_json(run: &Run) -> Value {
    json!({ "command": run.command, "user": run.user, "host": run.host, "pid": run.pid,
        "started_at": run.started.wall.rfc3339(), "at_work": is_at_work(run),
        "ended_at": run.ended.as_ref().map(|end| end.at.rfc3339()),
        "exit": run.ended.as_ref().map(|end| end.exit) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_look_follows_the_schedule_of_the_age() {
        let secs = Duration::from_secs;
        let policy = FollowPolicy {
            first_check: secs(2),
            max_check: secs(60),
            give_up: Duration::MAX,
            not_found_grace: Duration::ZERO,
            not_found_times: 0,
            trust_not_found: false,
        };
        for (age, most) in [(0, 3), (3, 5), (30, 36), (3_600, 66), (172_800, 66)] {
            let next = until_next_look(&policy, secs(age));
            assert!(next > Duration::ZERO && next <= secs(most), "{age}: {next:?}");
        }
    }
}
