//! What results, summary and exit code say, against what was charged: promises 4, 6, 9 and 19.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::charge::{State, kind_of};
use super::{Case, Promise};
use crate::evidence::{Line, decimal};

impl Case<'_> {
    /// 4, 5 and 6: every row of the results.
    pub(super) fn verdicts(&mut self) {
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
    pub(super) fn sums(&mut self) {
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
    pub(super) fn ending(&mut self) {
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
