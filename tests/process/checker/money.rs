//! Requests and charges against the rows they are of: promises 1, 2, 4, 5, 6, 7, 10, 11 and 20.

use std::collections::{BTreeMap, BTreeSet};

use super::charge::{Charge, State, kind_of};
use super::{Breach, Case, Promise};
use crate::evidence::decimal;

/// Codes that say that a submit was not taken now and may be sent again under its id.
const NOT_TAKEN: &[&str] = &[
    "4014", "4015", "4033", "4012", "4013", "4028", "4001", "4002", "4020", "4021", "4022", "4023", "4024",
    "4016", "4017", "4018", "4027", "-2", "-3", "-4", "-6", "-302", "-304", "21102", "21105", "11001",
    "11002", "11003", "11004", "11005", "11007", "11008", "11010", "11011",
];

impl Case<'_> {
    /// 6, 7, 10, 11, 20 and the providers' documents: every request of the log.
    pub(super) fn requests(&mut self) {
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
    pub(super) fn charges(&mut self) {
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

    pub(super) fn charges_of(&self, row: usize) -> Vec<&Charge> {
        self.charges.iter().filter(|charge| self.row_of.get(charge.id.as_str()) == Some(&row)).collect()
    }
}
