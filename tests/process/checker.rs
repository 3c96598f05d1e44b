//! Decides the promises of a money-moving batch from outside. It shares no code with the program: numbers,
//! amounts and codes are read here a second time.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::evidence::{Evidence, Line, Table, decimal};

/// Which promise is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// 1: at most one charge for each row.
    NeverTwice,
    /// 2: every charge is of one accepted row, with its values.
    NothingInvented,
    /// 3: one line for each row, in order, with its cells.
    NothingLost,
    /// 4: what the results say of a row is so.
    Truth,
    /// 5: every completed charge is shown.
    Completeness,
    /// 6: only an intact answer is a verdict; nothing unclear is sent again.
    NoEvidenceNoVerdict,
    /// 7: the ledger knows every id that the provider has seen.
    WriteAhead,
    /// 8: a final state stays.
    FinalIsFinal,
    /// 9: sums agree exactly.
    Conservation,
    /// 10: one id for each attempt.
    OneIdEach,
    /// 11: never more at once than allowed.
    InFlight,
    /// 19: exit code and summary say what the file says.
    HonestEnding,
    /// 20: one request for each recorded submit.
    OneRequestEach,
    /// The provider's document is kept.
    WellFormed,
}

/// A broken promise, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    pub promise: Promise,
    pub what: String,
}

/// Columns of the results that are no cells of the input begin with this.
const OURS: &str = "topup_";

/// Codes that say that a submit was not taken now and may be sent again under its id.
const NOT_TAKEN: &[&str] = &[
    "4014", "4015", "4033", "4012", "4013", "4028", "4001", "4002", "4020", "4021", "4022", "4023", "4024",
    "4016", "4017", "4018", "4027", "-2", "-3", "-4", "-6", "-302", "-304", "21102", "21105", "11001",
    "11002", "11003", "11004", "11005", "11007", "11008", "11010", "11011",
];

/// What a row of the input asks for, in the provider's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    kind: &'static str,
    /// The number without country code and without a leading 0.
    number: String,
    code: &'static str,
    amount: Option<Decimal>,
    products: Vec<String>,
}

/// One charge of the log, with its end.
#[derive(Clone, Debug)]
struct Charge {
    provider: String,
    id: String,
    number: String,
    amount: Option<Decimal>,
    product: String,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not settled; whether it will be completed.
    Open(bool),
    Completed,
    Refunded,
}

impl Charge {
    fn spent(&self) -> bool {
        matches!(self.state, State::Completed | State::Open(true))
    }
}

/// Every broken promise of a batch.
pub fn check(evidence: &Evidence) -> Vec<Breach> {
    let mut case = Case::of(evidence);
    case.lines_and_cells();
    if case.breaches.is_empty() {
        case.requests();
        case.charges();
        case.verdicts();
        case.sums();
        case.ending();
    }
    case.breaches
}

/// Promise 8: what was final before is final still, and says the same.
pub fn check_final(before: &Table, after: &Table) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for row in 0..before.rows.len() {
        let was = before.cell(row, "topup_status");
        let is = after.cell(row, "topup_status");
        let gives_way = before.cell(row, "topup_reason") == "not_received" && is == "succeeded";
        if ["succeeded", "failed", "invalid"].contains(&was) && was != is && !gives_way {
            let what = format!("row {}: {was} became {is}", row + 1);
            breaches.push(Breach { promise: Promise::FinalIsFinal, what });
        }
    }
    breaches
}

struct Case<'a> {
    evidence: &'a Evidence,
    wanted: Vec<Option<Wanted>>,
    /// Which row an id belongs to, by the ledger and the results.
    row_of: BTreeMap<&'a str, usize>,
    charges: Vec<Charge>,
    breaches: Vec<Breach>,
}

impl<'a> Case<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        let mut row_of = BTreeMap::new();
        for row in 0..evidence.results.rows.len() {
            let id = evidence.results.cell(row, "topup_transaction_id");
            if !id.is_empty() {
                row_of.insert(id, row);
            }
        }
        row_of.extend(evidence.intents.iter().map(|intent| (intent.id.as_str(), intent.row - 1)));
        let rows = 0..evidence.input.rows.len();
        let wanted = rows.map(|row| wanted(&evidence.input, row)).collect();
        Self { evidence, wanted, row_of, charges: charges(&evidence.log), breaches: Vec::new() }
    }

    fn breach(&mut self, promise: Promise, what: String) {
        self.breaches.push(Breach { promise, what });
    }

    fn status(&self, row: usize) -> &'a str {
        self.evidence.results.cell(row, "topup_status")
    }

    /// 3.
    fn lines_and_cells(&mut self) {
        let Evidence { input, results, .. } = self.evidence;
        let own: Vec<&String> = results.header.iter().filter(|title| !title.starts_with(OURS)).collect();
        if !own.iter().copied().eq(input.header.iter()) {
            self.breach(Promise::NothingLost, format!("columns {own:?} instead of {:?}", input.header));
        }
        if input.rows.len() != results.rows.len() {
            let what = format!("{} rows in, {} rows out", input.rows.len(), results.rows.len());
            self.breach(Promise::NothingLost, what);
            return;
        }
        for row in 0..input.rows.len() {
            let given = &input.rows[row];
            let shown = results.rows[row].get(..given.len()).unwrap_or_default();
            if !given.iter().zip(shown).all(|(given, shown)| same_cell(given, shown)) || shown.is_empty() {
                self.breach(Promise::NothingLost, format!("row {}: {given:?} became {shown:?}", row + 1));
            }
            if results.cell(row, "topup_row") != (row + 1).to_string() {
                let what = format!("line {} is row {:?}", row + 1, results.cell(row, "topup_row"));
                self.breach(Promise::NothingLost, what);
            }
            let known = ["succeeded", "failed", "invalid", "pending", "unknown", "not_sent"];
            if !known.contains(&self.status(row)) {
                self.breach(Promise::NothingLost, format!("row {}: status {:?}", row + 1, self.status(row)));
            }
        }
    }

    /// 6, 7, 10, 11, 20 and the providers' documents: every request of the log.
    fn requests(&mut self) {
        let evidence = self.evidence;
        let intended: BTreeSet<&str> = evidence.intents.iter().map(|intent| intent.id.as_str()).collect();
        let mut sent: BTreeMap<&str, u64> = BTreeMap::new();
        let mut last: BTreeMap<usize, usize> = BTreeMap::new();
        let mut values: BTreeMap<&str, (&str, &str, &str, &str)> = BTreeMap::new();
        for (place, line) in evidence.log.iter().enumerate() {
            if let Some(why) = &line.malformed {
                self.breach(
                    Promise::WellFormed,
                    format!("{} {} {}: {why}", line.provider, line.call, line.id),
                );
            }
            if line.event != "request" {
                continue;
            }
            if !intended.contains(line.id.as_str()) {
                self.breach(Promise::WriteAhead, format!("{} was sent, the ledger has no intent", line.id));
            }
            if line.in_flight.unwrap_or(0) > evidence.in_flight_most {
                self.breach(Promise::InFlight, format!("{:?} submits to {}", line.in_flight, line.provider));
            }
            *sent.entry(line.id.as_str()).or_insert(0) += 1;
            let asked =
                (line.provider.as_str(), line.phone.as_str(), line.amount.as_str(), line.product.as_str());
            if *values.entry(line.id.as_str()).or_insert(asked) != asked {
                self.breach(Promise::OneIdEach, format!("{} was used for two orders", line.id));
            }
            let Some(row) = self.row_of.get(line.id.as_str()).copied() else { continue };
            if let Some(earlier) = last.insert(row, place) {
                self.sent_again(row, earlier, place);
            }
        }
        for (id, count) in sent {
            let intents = evidence.intents.iter().filter(|intent| intent.id == id).count() as u64;
            if count > intents {
                self.breach(Promise::OneRequestEach, format!("{id}: {count} requests, {intents} intents"));
            }
            let Some(row) = self.row_of.get(id).copied() else { continue };
            let shown = evidence.results.cell(row, "topup_attempts").parse().unwrap_or(0_u64);
            if count > shown {
                let what = format!("row {}: {count} requests, topup_attempts {shown}", row + 1);
                self.breach(Promise::OneRequestEach, what);
            }
        }
    }

    /// A submit after another of the same row: only after one that was surely not taken, under the same id.
    fn sent_again(&mut self, row: usize, earlier: usize, later: usize) {
        let log = &self.evidence.log;
        let (first, second) = (&log[earlier], &log[later]);
        if first.id != second.id {
            let what = format!("row {}: {} and then {}", row + 1, first.id, second.id);
            self.breach(Promise::OneIdEach, what);
        }
        let whole = first.fault.as_deref().is_none_or(|fault| fault == "close_after");
        let mut after = log[earlier + 1..later].iter();
        let answer = after.find(|line| line.id == first.id && line.event != "request");
        let refused =
            answer.is_some_and(|line| line.event == "refuse" && NOT_TAKEN.contains(&line.code.as_str()));
        if !(whole && refused) {
            let what = format!("row {}: {} was sent again after {answer:?}", row + 1, first.id);
            self.breach(Promise::NoEvidenceNoVerdict, what);
        }
    }

    /// 1 and 2: every charge of the log.
    fn charges(&mut self) {
        let charges = self.charges.clone();
        for charge in &charges {
            let Some(row) = self.row_of.get(charge.id.as_str()).copied() else {
                self.breach(Promise::NothingInvented, format!("{} is of no row: {charge:?}", charge.id));
                continue;
            };
            if self.status(row) == "invalid" || !self.fits(row, charge) {
                let wanted = &self.wanted[row];
                let what = format!("row {} asks for {wanted:?}, charged was {charge:?}", row + 1);
                self.breach(Promise::NothingInvented, what);
            }
        }
        // By id, as they came; and by what was bought, whatever the ids say.
        let mut open: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for line in &self.evidence.log {
            let Some(row) = self.row_of.get(line.id.as_str()).copied() else { continue };
            let taken = open.entry(row).or_default();
            match line.event.as_str() {
                "charge" if !taken.is_empty() => {
                    let what = format!("row {}: charged again as {}", row + 1, line.reference);
                    self.breaches.push(Breach { promise: Promise::NeverTwice, what });
                }
                "charge" => taken.push(&line.reference),
                "fail" => taken.retain(|reference| *reference != line.reference),
                _ => {}
            }
        }
        let mut bought: BTreeMap<(&str, &str, String, &str), usize> = BTreeMap::new();
        for charge in charges.iter().filter(|charge| charge.state != State::Refunded) {
            let amount = charge.amount.map(|amount| amount.to_string()).unwrap_or_default();
            *bought.entry((&charge.provider, &charge.number, amount, &charge.product)).or_insert(0) += 1;
        }
        for ((provider, number, amount, product), count) in bought {
            let one = charges.iter().find(|charge| {
                charge.provider == provider
                    && charge.number == number
                    && charge.product == product
                    && charge.amount.map(|amount| amount.to_string()).unwrap_or_default() == amount
            });
            let Some(one) = one else { continue };
            let rows = (0..self.wanted.len())
                .filter(|row| self.status(*row) != "invalid" && self.matches(*row, one))
                .count();
            if count > rows {
                let what = format!("{provider} {number} {amount} {product}: {count} charges for {rows} rows");
                self.breach(Promise::NeverTwice, what);
            }
        }
    }

    /// Whether a charge is what the row of the input asks for.
    fn matches(&self, row: usize, charge: &Charge) -> bool {
        let Some(wanted) = &self.wanted[row] else { return false };
        let price = match (wanted.kind, wanted.amount, charge.amount) {
            ("tutom", most, Some(price)) => most.is_none_or(|most| price <= most),
            (_, asked, charged) => asked == charged,
        };
        let product = wanted.kind != "tutom" || wanted.products.contains(&charge.product);
        wanted.kind == charge.provider && wanted.number == charge.number && price && product
    }

    /// The same, and the results show these values.
    fn fits(&self, row: usize, charge: &Charge) -> bool {
        let Some(wanted) = &self.wanted[row] else { return false };
        let results = &self.evidence.results;
        self.matches(row, charge)
            && results.cell(row, "topup_phone") == format!("{}{}", wanted.code, wanted.number)
            && decimal(results.cell(row, "topup_amount")) == charge.amount
            && kind_of(results.cell(row, "topup_provider")) == charge.provider
    }

    fn charges_of(&self, row: usize) -> Vec<&Charge> {
        self.charges.iter().filter(|charge| self.row_of.get(charge.id.as_str()) == Some(&row)).collect()
    }

    /// 4, 5 and 6: every row of the results.
    fn verdicts(&mut self) {
        for row in 0..self.evidence.results.rows.len() {
            let charges = self.charges_of(row);
            let completed = charges.iter().filter(|charge| charge.state == State::Completed).count();
            let spent = charges.iter().filter(|charge| charge.spent()).count();
            let status = self.status(row);
            let told = format!("row {}: {status}, {completed} completed, {spent} spent", row + 1);
            match status {
                "succeeded" if completed != 1 => self.breach(Promise::Truth, told),
                "failed" | "invalid" | "not_sent" if spent > 0 => {
                    if completed > 0 && self.evidence.quiet {
                        self.breach(Promise::Completeness, told.clone());
                    }
                    self.breach(Promise::Truth, told);
                }
                "failed" if !self.proved(row) => {
                    let what = format!("row {}: failed, and nothing in the log says so", row + 1);
                    self.breach(Promise::NoEvidenceNoVerdict, what);
                }
                "pending" | "unknown" if completed > 0 && self.evidence.quiet && self.can_be_asked(row) => {
                    self.breach(Promise::Completeness, told);
                }
                _ => {}
            }
        }
    }

    /// Whether the provider said of a failed row that it failed, or counted it out.
    fn proved(&self, row: usize) -> bool {
        let reason = self.evidence.results.cell(row, "topup_reason");
        let said = |line: &Line| {
            self.row_of.get(line.id.as_str()) == Some(&row)
                && ["fail", "refuse"].contains(&line.event.as_str())
        };
        ["not_received", "resolved"].contains(&reason) || self.evidence.log.iter().any(said)
    }

    /// CONNECT TOPUP can be asked only by the id it gave.
    fn can_be_asked(&self, row: usize) -> bool {
        let results = &self.evidence.results;
        let kind = kind_of(results.cell(row, "topup_provider"));
        kind != "connect-topup" || !results.cell(row, "topup_provider_ref").is_empty()
    }

    /// 9.
    fn sums(&mut self) {
        let results = &self.evidence.results;
        let mut shown: BTreeMap<String, Decimal> = BTreeMap::new();
        let mut spent: BTreeMap<String, Decimal> = BTreeMap::new();
        let mut excused: BTreeMap<String, Decimal> = BTreeMap::new();
        for row in 0..results.rows.len() {
            let provider = results.cell(row, "topup_provider").to_owned();
            let amount = decimal(results.cell(row, "topup_amount")).unwrap_or_default();
            if self.status(row) == "succeeded" {
                *shown.entry(provider.clone()).or_default() += amount;
            }
            for charge in self.charges_of(row).iter().filter(|charge| charge.state == State::Completed) {
                let charged = charge.amount.unwrap_or_default();
                *spent.entry(provider.clone()).or_default() += charged;
                let open = ["pending", "unknown"].contains(&self.status(row));
                if open {
                    *excused.entry(provider.clone()).or_default() += charged;
                }
            }
        }
        let providers: BTreeSet<String> = shown.keys().chain(spent.keys()).cloned().collect();
        for provider in providers {
            let of = |sums: &BTreeMap<String, Decimal>| sums.get(&provider).copied().unwrap_or_default();
            if of(&shown) + of(&excused) != of(&spent) {
                let what = format!(
                    "{provider}: succeeded {} (and {} not known yet), charged {}",
                    of(&shown),
                    of(&excused),
                    of(&spent)
                );
                self.breach(Promise::Conservation, what);
            }
            if let Some(told) = self.summed_up(&provider)
                && told != of(&shown)
            {
                let what = format!("{provider}: succeeded {} in the file, {told} in the summary", of(&shown));
                self.breach(Promise::Conservation, what);
            }
        }
    }

    fn summed_up(&self, provider: &str) -> Option<Decimal> {
        let totals = self.evidence.summary.as_ref()?.get("totals")?.as_array()?;
        let of = totals.iter().filter(|total| total["provider"] == provider);
        Some(of.filter_map(|total| decimal(total["succeeded"].as_str()?)).sum())
    }

    /// 19.
    fn ending(&mut self) {
        let counts = self.evidence.results.count("topup_status");
        let of = |word: &str| counts.get(word).copied().unwrap_or(0);
        let left = (0..self.evidence.results.rows.len()).any(|row| {
            self.status(row) == "not_sent" && self.evidence.results.cell(row, "topup_next") != "none"
        });
        let fitting = if left {
            5
        } else if of("pending") + of("unknown") > 0 {
            4
        } else if of("failed") + of("invalid") > 0 {
            3
        } else {
            0
        };
        if let Some(exit) = self.evidence.exit
            && exit != fitting
            && ![1, 130].contains(&exit)
        {
            self.breach(Promise::HonestEnding, format!("exit {exit}, the file says {fitting}: {counts:?}"));
        }
        let Some(summary) = &self.evidence.summary else { return };
        for word in ["succeeded", "failed", "invalid", "pending", "unknown", "not_sent"] {
            if summary["counts"][word].as_u64() != Some(of(word) as u64) {
                let what = format!("{word}: {} in the file, {} told", of(word), summary["counts"][word]);
                self.breach(Promise::HonestEnding, what);
            }
        }
        if self.evidence.exit.is_some_and(|exit| summary["exit"] != exit) {
            self.breach(Promise::HonestEnding, format!("{} is told as the exit code", summary["exit"]));
        }
    }
}

/// The charges of a log, each with its end.
fn charges(log: &[Line]) -> Vec<Charge> {
    let mut charges: Vec<(String, Charge)> = Vec::new();
    for line in log {
        let known = charges.iter().position(|(reference, charge)| {
            *reference == line.reference && charge.provider == line.provider && !reference.is_empty()
        });
        match (line.event.as_str(), known) {
            ("charge", _) => {
                let charge = Charge {
                    provider: line.provider.clone(),
                    id: line.id.clone(),
                    number: bare_number(&line.provider, &line.phone),
                    amount: decimal(&line.amount),
                    product: if line.provider == "tutom" { line.product.clone() } else { String::new() },
                    state: State::Open(line.settles_as.as_deref() == Some("complete")),
                };
                charges.push((line.reference.clone(), charge));
            }
            ("complete", Some(place)) => charges[place].1.state = State::Completed,
            ("fail", Some(place)) => charges[place].1.state = State::Refunded,
            _ => {}
        }
    }
    charges.into_iter().map(|(_, charge)| charge).collect()
}

/// Provider entries of the tests, by their names.
pub fn kind_of(provider: &str) -> &'static str {
    match provider {
        "vietnam" => "connect-topup",
        "nigeria" => "paynicorn",
        "china" => "tutom",
        _ => "",
    }
}

fn bare_number(kind: &str, phone: &str) -> String {
    if kind == "tutom" { phone.to_owned() } else { phone.strip_prefix('0').unwrap_or(phone).to_owned() }
}

/// Reads a row of the input; none where it names no number that could be sold to.
fn wanted(input: &Table, row: usize) -> Option<Wanted> {
    let digits: String = input.cell(row, "phone").chars().filter(char::is_ascii_digit).collect();
    let country = input.cell(row, "country");
    let (kind, code, length) = match country {
        "CN" => ("tutom", "86", 11),
        "NG" => ("paynicorn", "234", 10),
        _ => ("connect-topup", "84", 9),
    };
    let international = digits.len() == code.len() + length && digits.starts_with(code);
    let national = if international { &digits[code.len()..] } else { digits.as_str() };
    let number = bare_number(kind, national);
    let products: &[&str] = match input.cell(row, "product") {
        "6GB" => &["23"],
        "11GB" => &["24"],
        "1GB" => &["11", "32", "41"],
        named => &[named],
    };
    let products = products.iter().map(|product| (*product).to_owned()).collect();
    let amount = decimal(input.cell(row, "amount"));
    (number.len() == length).then_some(Wanted { kind, number, code, amount, products })
}

/// Whether a cell stands in the results as it stood in the input: a formula gets one quote before it.
fn same_cell(given: &str, shown: &str) -> bool {
    let formula = given.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r']);
    given == shown || formula && shown.strip_prefix('\'') == Some(given)
}
