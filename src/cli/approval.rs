//! Approval without a server: what one person checked, in a file, so that another one sends exactly that. A plan
//! binds the file's bytes, the settings and flags that change what is judged or paid, and the totals.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::args::{IntakeArgs, SendArgs};
use crate::admission::Totals;
use crate::domain::{Country, Currency, Money, Reason, WallTime};
use crate::job::{Amounts, Stop, Survey, sums_line};
use crate::settings::{Caps, Settings};

/// Version of the file.
const VERSION: u32 = 1;

/// A plan is a few kilobytes; more is another file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What was checked, by whom and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    version: u32,
    /// Name of the file, for people.
    file: String,
    /// SHA-256 of everything in `plan`.
    fingerprint: String,
    made_by: String,
    made_at: String,
    plan: Plan,
}

/// What may not change between the check and the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    sha256: String,
    sandbox: bool,
    flags: Flags,
    settings: Judging,
    counts: Counts,
    /// What the providers told about every row, where they were asked.
    online: Option<Counts>,
}

/// Flags that change what is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flags {
    encoding: Option<String>,
    delimiter: Option<char>,
    sheet: Option<String>,
    thousands: Option<char>,
    map: BTreeMap<String, String>,
    allow_duplicates: bool,
    allow_repeats: bool,
}

/// Settings that change what is judged or paid. No secret is among them: an account stands as the digest that
/// the ledger knows it by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Judging {
    default_country: Option<Country>,
    /// SHA-256 of each of the user's phone plans.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    phone_plans: BTreeMap<Country, String>,
    providers: Vec<Provider>,
    max_row: BTreeMap<Currency, String>,
    max_number: BTreeMap<Currency, String>,
    max_batch: BTreeMap<Currency, String>,
    max_day: BTreeMap<Currency, String>,
    repeat_window_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Provider {
    name: String,
    kind: String,
    account: String,
    countries: Vec<Country>,
}

/// What a file came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    rows: u64,
    ready: u64,
    invalid: BTreeMap<Reason, u64>,
    totals: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    provider: String,
    operator: Option<String>,
    currency: Option<Currency>,
    rows: u64,
    unpriced: u64,
    sum: String,
}

impl Flags {
    /// Those of a command line.
    pub fn of(intake: &IntakeArgs, allow_duplicates: bool, allow_repeats: bool) -> Self {
        let map = intake.map.iter().map(|map| (map.column.to_lowercase(), map.header.to_lowercase()));
        Self {
            encoding: intake.encoding.clone(),
            delimiter: intake.delimiter,
            sheet: intake.sheet.clone(),
            thousands: intake.thousands,
            map: map.collect(),
            allow_duplicates,
            allow_repeats,
        }
    }
}

impl Judging {
    fn of(settings: &Settings) -> Self {
        let caps = |caps: &Caps| {
            caps.iter().map(|(currency, cap)| (*currency, cap.normalize().to_string())).collect()
        };
        let limits = &settings.limits;
        let providers = settings.providers.iter().map(|entry| Provider {
            name: entry.name.clone(),
            kind: entry.kind.as_str().to_owned(),
            account: entry.account.tag().to_owned(),
            countries: entry.countries.clone(),
        });
        Self {
            default_country: settings.default_country,
            phone_plans: settings.phone_plan_digests(),
            providers: providers.collect(),
            max_row: caps(&limits.max_row),
            max_number: caps(&limits.max_number),
            max_batch: caps(&limits.max_batch),
            max_day: caps(&limits.max_day),
            repeat_window_ms: u64::try_from(limits.repeat_window.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl Counts {
    fn of(totals: &Totals) -> Self {
        let mut lines: Vec<Line> = totals
            .lines
            .iter()
            .map(|line| Line {
                provider: line.provider.clone(),
                operator: line.operator.clone(),
                currency: line.currency,
                rows: line.rows,
                unpriced: line.unpriced,
                sum: line.sum.normalize().to_string(),
            })
            .collect();
        lines.sort_by(|a, b| {
            (&a.provider, &a.operator, a.currency).cmp(&(&b.provider, &b.operator, b.currency))
        });
        Self { rows: totals.rows, ready: totals.ready, invalid: totals.invalid.clone(), totals: lines }
    }

    /// Whether every ready row's price is known.
    fn is_priced(&self) -> bool {
        self.totals.iter().all(|line| line.unpriced == 0 && line.currency.is_some())
    }

    fn sums(&self) -> BTreeMap<Currency, Decimal> {
        let mut sums = BTreeMap::new();
        for line in &self.totals {
            if let (Some(currency), Ok(sum)) = (line.currency, line.sum.parse::<Decimal>()) {
                *sums.entry(currency).or_insert(Decimal::ZERO) += sum;
            }
        }
        sums
    }
}

impl Plan {
    /// What a file comes to, judged without asking anyone. `online`: what it came to when the providers had
    /// been asked about every row.
    pub fn of(
        settings: &Settings,
        sandbox: bool,
        flags: Flags,
        offline: &Survey,
        online: Option<&Totals>,
    ) -> Self {
        Self {
            sha256: hex::encode(offline.digest.sha256),
            sandbox,
            flags,
            settings: Judging::of(settings),
            counts: Counts::of(&offline.totals),
            online: online.map(Counts::of),
        }
    }

    /// SHA-256 of file, settings and totals.
    pub fn fingerprint(&self) -> String {
        // Structs write their fields in order and maps are sorted, so that equal plans are equal bytes.
        let bytes = serde_json::to_vec(&(VERSION, self)).unwrap_or_default();
        hex::encode(Sha256::digest(bytes))
    }
}

impl Approval {
    /// Puts a plan down for another person.
    ///
    /// # Errors
    /// [`Stop`] with exit 2 when something stands at the path or it cannot be written.
    pub fn write(path: &Path, file: &str, plan: Plan, made_by: String, at: WallTime) -> Result<(), Stop> {
        let trouble = |e: std::io::Error| Stop::refused(format!("{} cannot be written: {e}", path.display()));
        let approval = Self {
            version: VERSION,
            file: file.to_owned(),
            fingerprint: plan.fingerprint(),
            made_by,
            made_at: at.rfc3339(),
            plan,
        };
        let text = serde_json::to_string_pretty(&approval).map_err(|e| Stop::internal(e.to_string()))?;
        let mut out = std::fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(trouble)?;
        out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).map_err(trouble)?;
        out.sync_all().map_err(trouble)
    }

    /// Reads a plan; one that was edited is none.
    ///
    /// # Errors
    /// [`Stop`] with exit 2.
    pub fn read(path: &Path) -> Result<Self, Stop> {
        let shown = path.display();
        let refused = |what: String| Stop::refused(format!("{shown}: {what}; nothing was sent"));
        let unreadable = |e: std::io::Error| refused(format!("cannot be read: {e}"));
        if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
            return Err(refused("this is no plan, it is too large".to_owned()));
        }
        let text = std::fs::read(path).map_err(unreadable)?;
        let approval: Self = serde_json::from_slice(&text)
            .map_err(|e| refused(format!("this is no plan that check --write-plan wrote ({e})")))?;
        if approval.version != VERSION || approval.fingerprint != approval.plan.fingerprint() {
            return Err(refused("this plan was changed after it was made; check the file again".to_owned()));
        }
        Ok(approval)
    }

    /// Holds a file as it is judged now against what was approved.
    ///
    /// # Errors
    /// [`Stop`] with exit 2 that names what changed.
    pub fn hold(&self, now: &Plan) -> Result<(), Stop> {
        let (mut then, mut now) = (self.plan.clone(), now.clone());
        // Nobody was asked yet: what the providers tell is held against the total, when they have.
        (then.online, now.online) = (None, None);
        self.compare(&then, &now)
    }

    /// Holds a batch that goes on against what was approved: its file, the settings and the flags. Its rows
    /// were judged when it was admitted.
    ///
    /// # Errors
    /// [`Stop`] with exit 2 that names what changed.
    pub fn hold_resumed(
        &self,
        settings: &Settings,
        sandbox: bool,
        flags: Flags,
        sha256: &[u8; 32],
    ) -> Result<(), Stop> {
        let mut now = self.plan.clone();
        now.sha256 = hex::encode(sha256);
        now.sandbox = sandbox;
        now.flags = flags;
        now.settings = Judging::of(settings);
        self.compare(&self.plan, &now)
    }

    /// Holds what is left of a batch against what was approved: it may have been admitted under other settings or
    /// flags than those of now, and its rows are sent as they were judged then.
    ///
    /// # Errors
    /// [`Stop`] with exit 2: more rows, or more money, than was approved.
    pub fn hold_amounts(&self, amounts: &Amounts) -> Result<(), Stop> {
        let ready = self.plan.counts.ready;
        let approved = self.plan.counts.sums();
        let over = |(currency, sum): &(&Currency, &Decimal)| {
            approved.get(*currency).is_none_or(|approved| *sum > approved)
        };
        let known = self.plan.counts.is_priced() && amounts.valid_rows_priced;
        if amounts.rows <= ready && !(known && amounts.whole.iter().any(|sum| over(&sum))) {
            return Ok(());
        }
        Err(Stop::refused(format!(
            "the batch was admitted otherwise than the plan says: {} rows of it are to be sent, its valid rows come to \
             {}; approved were {ready} rows, {}. Nothing was sent",
            amounts.rows,
            sums_line(&amounts.whole),
            sums_line(&approved)
        )))
    }

    fn compare(&self, then: &Plan, now: &Plan) -> Result<(), Stop> {
        if then.sha256 != now.sha256 {
            return Err(Stop::refused(format!(
                "the file is not the one that was checked as {} by {} at {}: its bytes changed; nothing was sent",
                self.file, self.made_by, self.made_at
            )));
        }
        let value = |plan: &Plan| serde_json::to_value(plan).map_err(|e| Stop::internal(e.to_string()));
        let mut changes = Vec::new();
        differences("", &value(then)?, &value(now)?, &mut changes);
        if changes.is_empty() {
            return Ok(());
        }
        let more = changes.len().saturating_sub(CHANGES_NAMED);
        changes.truncate(CHANGES_NAMED);
        let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
        Err(Stop::refused(format!(
            "since {} made the plan at {}, this changed: {}{rest}; nothing was sent. Check the file again",
            self.made_by,
            self.made_at,
            changes.join("; ")
        )))
    }

    /// The totals that were approved are the totals that may be sent: where prices were still to be asked, and
    /// were asked for the plan, `--expect-total` says so.
    ///
    /// # Errors
    /// [`Stop`] with exit 2 when the command line expects another total.
    pub fn expect(&self, send: &mut SendArgs) -> Result<(), Stop> {
        let Some(online) = self.plan.online.as_ref().filter(|_| !self.plan.counts.is_priced()) else {
            return Ok(());
        };
        let sums: Vec<Money> =
            online.sums().into_iter().map(|(currency, amount)| Money { amount, currency }).collect();
        if send.expect_total.is_empty() {
            send.expect_total = sums;
            return Ok(());
        }
        let mut given: BTreeMap<Currency, Decimal> = BTreeMap::new();
        for money in &send.expect_total {
            *given.entry(money.currency).or_default() += money.amount;
        }
        if given == online.sums() {
            return Ok(());
        }
        Err(Stop::refused("--expect-total is not the total of the plan; nothing was sent"))
    }
}

/// Changes that are named.
const CHANGES_NAMED: usize = 8;

/// Where two values differ, by the way to the place.
fn differences(place: &str, then: &Value, now: &Value, found: &mut Vec<String>) {
    match (then, now) {
        (Value::Object(old), Value::Object(new)) => {
            let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                let get =
                    |from: &serde_json::Map<String, Value>| from.get(key).cloned().unwrap_or(Value::Null);
                differences(&place, &get(old), &get(new), found);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                differences(&format!("{place}[{}]", index + 1), old, new, found);
            }
        }
        (old, new) if old == new => {}
        (old, new) => {
            let shown =
                |value: &Value| if value.is_null() { "not set".to_owned() } else { value.to_string() };
            found.push(format!("{place} was {} and is {}", shown(old), shown(new)));
        }
    }
}
