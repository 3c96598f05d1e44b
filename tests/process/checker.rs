//! Decides the promises of a money-moving batch from outside. It shares no code with the program: numbers,
//! amounts and codes are read here a second time.

mod charge;
mod money;
mod told;

use std::collections::BTreeMap;

use super::evidence::{Evidence, Table};
use charge::{Charge, Wanted, charges, wanted};

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
}

/// Whether a cell stands in the results as it stood in the input: a formula gets one quote before it.
fn same_cell(given: &str, shown: &str) -> bool {
    let formula = given.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r']);
    given == shown || formula && shown.strip_prefix('\'') == Some(given)
}
