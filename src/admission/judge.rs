//! The judge: one row in, an order or one named problem out. It remembers what earlier rows of the batch
//! were, for duplicates and caps, and nothing else.

use std::collections::HashMap;

use rust_decimal::Decimal;

use super::seen::{NewFile, Seen, Stale};
use super::sums::Sums;
use super::{Judged, OverBatch, Policy, Problem, ProviderRule, Totals, Warning, amount, read_goods};
use crate::domain::{Country, Currency, Money, Order, ProviderKind, Reason, Refusal};
use crate::intake::{Column, Columns, RawRow};
use crate::numbering::{Mark, PhonePlan, PlanError, ReadPhone, Repairs};

/// Longest reference, in characters: it stands in the ledger and in reports.
const REFERENCE_CHARS_MAX: usize = 200;

/// For each provider entry and country: operator names and the provider's spelling of them.
type KnownCodes = HashMap<(usize, Country), Vec<(String, Option<String>)>>;

/// Judges the rows of one batch, in order.
pub struct Judge {
    plan: PhonePlan,
    policy: Policy,
    /// Operator codes already looked up.
    codes: KnownCodes,
    seen: Seen,
    /// Money by number, where a cap asks for it.
    numbers: Sums,
    totals: Totals,
}

impl Judge {
    /// A judge with the tables that come with the program.
    ///
    /// # Errors
    /// [`PlanError`] when a table is damaged.
    pub fn new(policy: Policy) -> Result<Self, PlanError> {
        Ok(Self::with_plan(policy, PhonePlan::load()?))
    }

    /// A judge with the user's tables.
    pub fn with_plan(policy: Policy, plan: PhonePlan) -> Self {
        Self {
            plan,
            policy,
            codes: HashMap::new(),
            seen: Seen::default(),
            numbers: Sums::default(),
            totals: Totals::default(),
        }
    }

    /// Lets what must be remembered of a large file go to files that this makes (unnamed temporary ones);
    /// without it all is kept in memory, 24 bytes and more a row.
    #[must_use]
    pub fn spill_to(mut self, new_file: NewFile) -> Self {
        self.seen.spill_to(new_file);
        self.numbers.spill_to(new_file);
        self
    }

    /// What the rows judged so far come to.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Caps of the whole batch that the rows judged so far exceed.
    pub fn over_batch(&self) -> Vec<OverBatch> {
        self.totals.over(&self.policy.caps.max_batch)
    }

    /// Takes an order as given that stands already: equal rows after it are duplicates, and it counts for the
    /// cap of its number.
    pub fn remember(&mut self, order: &Order) {
        if !self.policy.allow_duplicates
            && let Ok(fresh) = self.seen.look(order)
        {
            self.seen.keep(&fresh);
        }
        if let (Some(amount), Some(currency)) = (order.amount, order.currency)
            && self.policy.caps.max_number.contains_key(&currency)
            && let Ok(sum) = self.numbers.get(order, currency)
        {
            // A sum that cannot be kept is told as such when the next row comes.
            let _told_then = self.numbers.set(order, currency, sum + amount);
        }
    }

    /// Judges a row by itself and the rows before it.
    pub fn row(&mut self, columns: &Columns, row: &RawRow) -> Judged {
        self.row_asking(columns, row, &mut |_| Ok(None))
    }

    /// Judges a row; a row that is good so far is put to `ask` too, which knows catalogues and other batches
    /// and may tell the price of data.
    pub fn row_asking(
        &mut self,
        columns: &Columns,
        row: &RawRow,
        ask: &mut dyn FnMut(&Order) -> Result<Option<Money>, Refusal>,
    ) -> Judged {
        let mut notes = Notes::default();
        let verdict = self.judge(&Cells { columns, row }, &mut notes, ask);
        let (verdict, price) = match verdict {
            Ok((order, price)) => (Ok(order), price),
            Err(problem) => (Err(problem), None),
        };
        let counted = verdict.as_ref().map(|order| (order, price)).map_err(|problem| problem.reason);
        self.totals.count(counted, !notes.repairs.is_empty(), !notes.warnings.is_empty());
        Judged { verdict, price, repairs: notes.repairs, warnings: notes.warnings }
    }

    fn judge(
        &mut self,
        cells: &Cells<'_>,
        notes: &mut Notes,
        ask: &mut dyn FnMut(&Order) -> Result<Option<Money>, Refusal>,
    ) -> Result<(Order, Option<Money>), Problem> {
        if let Some(broken) = &cells.row.broken {
            return Err(Problem {
                column: String::new(),
                value: String::new(),
                reason: Reason::BadRow,
                message: broken.to_string(),
            });
        }
        let order = self.read(cells, notes)?;
        let refuse = |refusal: Refusal| {
            let column = column_of(refusal.reason);
            cells.problem(column, refusal.reason, refusal.message)
        };
        (self.policy.judge_offline)(&order).map_err(refuse)?;
        let price = ask(&order).map_err(refuse)?;
        let worth =
            price.or(order.amount.zip(order.currency).map(|(amount, currency)| Money { amount, currency }));
        self.check_row_cap(cells, worth)?;
        if self.policy.allow_duplicates {
            self.check_number_cap(cells, &order, worth)?;
            return Ok((order, price));
        }
        let fresh = self.seen.look(&order).map_err(|stale| {
            let message = match stale {
                Stale::Repeats(first) => format!(
                    "row {first} is the same order; give both a different reference if it is meant twice"
                ),
                Stale::CannotTell(error) => {
                    format!("it cannot be told whether an earlier row is the same order ({error}); run again")
                }
            };
            cells.problem(Column::Phone, Reason::DuplicateRow, message)
        })?;
        self.check_number_cap(cells, &order, worth)?;
        self.seen.keep(&fresh);
        Ok((order, price))
    }

    /// Reads the cells of a row into an order.
    fn read(&mut self, cells: &Cells<'_>, notes: &mut Notes) -> Result<Order, Problem> {
        let named = self.named_provider(cells)?;
        let column_country = self.country(cells)?;
        let only = named.and_then(|index| self.policy.providers.get(index)).and_then(only_country);
        let default = only.or(self.policy.default_country);
        let read = self
            .plan
            .read_phone(cells.get(Column::Phone), column_country, default)
            .map_err(|problem| cells.problem(Column::Phone, Reason::BadPhone, problem.to_string()))?;
        notes.repairs = read.repairs;
        let country = read.number.country();
        let (index, rule) = pick_provider(&self.policy, cells, named, country)?;
        let kind = rule.account.kind;
        let goods = read_goods(cells.get(Column::Product), kind)
            .map_err(|message| cells.problem(Column::Product, Reason::UnsupportedProduct, message))?;
        let currency = rule.currency(country);
        let amount = read_amount(&self.policy, cells, kind, currency)?;
        let codes = Codes { index, country, kind, cached: &mut self.codes, ask: self.policy.operator_code };
        let (operator, hint) = read_operator(codes, cells, &read, notes)?;
        let reference = read_reference(cells)?;
        notes.warnings.extend(read.warning.map(Warning::from));
        Ok(Order {
            row: cells.row.row,
            provider: rule.name.clone(),
            account: rule.account.clone(),
            phone: read.number,
            goods,
            amount,
            currency,
            operator,
            operator_hint: hint,
            reference,
        })
    }

    fn named_provider(&self, cells: &Cells<'_>) -> Result<Option<usize>, Problem> {
        let name = cells.get(Column::Provider).trim();
        if name.is_empty() {
            return Ok(None);
        }
        let index = self.policy.providers.iter().position(|rule| rule.name == name);
        index.map(Some).ok_or_else(|| {
            let known: Vec<&str> = self.policy.providers.iter().map(|rule| rule.name.as_str()).collect();
            let message = format!("no provider of this name is configured; there are: {}", known.join(", "));
            cells.problem(Column::Provider, Reason::NoProvider, message)
        })
    }

    fn country(&self, cells: &Cells<'_>) -> Result<Option<Country>, Problem> {
        let cell = cells.get(Column::Country).trim();
        if cell.is_empty() {
            return Ok(None);
        }
        self.plan.country(cell).map(Some).ok_or_else(|| {
            let message = "this is no country that is known; write its two letters, such as VN".to_owned();
            cells.problem(Column::Country, Reason::NoProvider, message)
        })
    }

    fn check_row_cap(&self, cells: &Cells<'_>, worth: Option<Money>) -> Result<(), Problem> {
        let Some(Money { amount, currency }) = worth else { return Ok(()) };
        match self.policy.caps.max_row.get(&currency) {
            Some(cap) if amount > *cap => {
                let message = format!("the amount is over the cap of a row, max_row = {cap} {currency}");
                Err(cells.problem(Column::Amount, Reason::OverCap, message))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_number_cap(
        &mut self,
        cells: &Cells<'_>,
        order: &Order,
        worth: Option<Money>,
    ) -> Result<(), Problem> {
        let Some(Money { amount, currency }) = worth else { return Ok(()) };
        let Some(cap) = self.policy.caps.max_number.get(&currency) else { return Ok(()) };
        let unknown = |error: std::io::Error| {
            let message =
                format!("it cannot be told what the number gets in the rows before ({error}); run again");
            cells.problem(Column::Amount, Reason::OverCap, message)
        };
        let sum = self.numbers.get(order, currency).map_err(unknown)? + amount;
        if sum > *cap {
            let message = format!(
                "with the rows before, the number would get over the cap of a number, max_number = {cap} {currency}"
            );
            return Err(cells.problem(Column::Amount, Reason::OverCap, message));
        }
        self.numbers.set(order, currency, sum).map_err(unknown)
    }
}

/// What is noted about a row beside the verdict.
#[derive(Default)]
struct Notes {
    repairs: Repairs,
    warnings: Vec<Warning>,
}

/// A row's cells by their meaning.
struct Cells<'r> {
    columns: &'r Columns,
    row: &'r RawRow,
}

impl<'r> Cells<'r> {
    /// The cell; empty when the file has no such column.
    fn get(&self, column: Column) -> &'r str {
        self.columns.place(column).and_then(|place| self.row.cells.get(place)).unwrap_or_default()
    }

    fn problem(&self, column: Column, reason: Reason, message: String) -> Problem {
        Problem {
            column: self.columns.title(column).to_owned(),
            value: self.get(column).to_owned(),
            reason,
            message,
        }
    }
}

/// What a refusal says of a row, with the column and cell it is about.
pub fn problem_of(columns: &Columns, row: &RawRow, refusal: Refusal) -> Problem {
    Cells { columns, row }.problem(column_of(refusal.reason), refusal.reason, refusal.message)
}

/// The column that a provider's refusal is about.
fn column_of(reason: Reason) -> Column {
    if reason == Reason::UnsupportedProduct {
        Column::Product
    } else if reason == Reason::UnsupportedOperator {
        Column::Operator
    } else if matches!(reason, Reason::BadPhone | Reason::RecentRepeat) {
        Column::Phone
    } else if reason == Reason::NoProvider {
        Column::Provider
    } else {
        Column::Amount
    }
}

fn only_country(rule: &ProviderRule) -> Option<Country> {
    match rule.countries.as_slice() {
        [country] => Some(*country),
        _ => None,
    }
}

fn pick_provider<'p>(
    policy: &'p Policy,
    cells: &Cells<'_>,
    named: Option<usize>,
    country: Country,
) -> Result<(usize, &'p ProviderRule), Problem> {
    if let Some((index, rule)) = named.and_then(|index| policy.providers.get(index).map(|rule| (index, rule)))
    {
        if rule.countries.contains(&country) {
            return Ok((index, rule));
        }
        let message = format!("this provider does not serve {country}, where the number belongs");
        return Err(cells.problem(Column::Provider, Reason::NoProvider, message));
    }
    let mut rules = policy.providers.iter().enumerate();
    rules.find(|(_, rule)| rule.countries.contains(&country)).ok_or_else(|| {
        let message = format!("no configured provider serves {country}, where the number belongs");
        cells.problem(Column::Phone, Reason::NoProvider, message)
    })
}

fn read_amount(
    policy: &Policy,
    cells: &Cells<'_>,
    kind: ProviderKind,
    currency: Option<Currency>,
) -> Result<Option<Decimal>, Problem> {
    let cell = cells.get(Column::Amount);
    if kind == ProviderKind::Tutom && cell.trim().is_empty() {
        return Ok(None);
    }
    let wrong = |message: String| cells.problem(Column::Amount, Reason::BadAmount, message);
    if let (Some(written), Some(currency)) = (cells.columns.amount_currency(), currency)
        && written != currency
    {
        return Err(wrong(format!("the column says {written}, but the provider sells in {currency}")));
    }
    amount::parse(cell, currency, policy.thousands).map(Some).map_err(|problem| {
        if cells.columns.place(Column::Amount).is_none() {
            let message =
                "the file has no amount column; give one the title amount, or name it with --map amount=TITLE";
            return wrong(message.to_owned());
        }
        wrong(problem.to_string())
    })
}

/// Operator names in a provider's spelling, each asked for once.
struct Codes<'c> {
    index: usize,
    country: Country,
    kind: ProviderKind,
    cached: &'c mut KnownCodes,
    ask: fn(ProviderKind, Country, &str) -> Option<String>,
}

impl Codes<'_> {
    /// Most spellings kept for a country; beyond them the table is asked again.
    const KEPT_MAX: usize = 64;

    fn get(&mut self, name: &str) -> Option<String> {
        let known = self.cached.entry((self.index, self.country)).or_default();
        if let Some((_, code)) = known.iter().find(|(known, _)| known == name) {
            return code.clone();
        }
        let code = (self.ask)(self.kind, self.country, name);
        if known.len() < Self::KEPT_MAX {
            known.push((name.to_owned(), code.clone()));
        }
        code
    }
}

/// The operator that the row names, and the one its prefix hints at, in the provider's spelling.
fn read_operator(
    mut codes: Codes<'_>,
    cells: &Cells<'_>,
    read: &ReadPhone<'_>,
    notes: &mut Notes,
) -> Result<(Option<String>, Option<String>), Problem> {
    let refuse = |message: String| cells.problem(Column::Operator, Reason::UnsupportedOperator, message);
    let hint = read.operator_hint.and_then(|name| codes.get(name));
    let cell = cells.get(Column::Operator).trim();
    if cell.is_empty() {
        if codes.kind == ProviderKind::ConnectTopup && read.mark == Some(Mark::Reseller) {
            return Err(refuse(
                "the number's prefix belongs to a reseller that the provider has no gateway for; name the operator whose network carries it"
                    .to_owned(),
            ));
        }
        return Ok((None, hint));
    }
    let kind = codes.kind;
    let named = codes.get(cell).ok_or_else(|| refuse(format!("{kind} knows no operator of this name")))?;
    if let Some(hint) = hint.as_ref().filter(|hint| **hint != named) {
        notes.warnings.push(Warning::OperatorDiffers { named: named.clone(), hint: hint.clone() });
    }
    Ok((Some(named), hint))
}

fn read_reference(cells: &Cells<'_>) -> Result<Option<String>, Problem> {
    let reference = cells.get(Column::Reference).trim();
    if reference.is_empty() {
        return Ok(None);
    }
    if reference.chars().count() > REFERENCE_CHARS_MAX {
        let message = format!("the reference is longer than {REFERENCE_CHARS_MAX} characters");
        return Err(cells.problem(Column::Reference, Reason::BadRow, message));
    }
    Ok(Some(reference.to_owned()))
}
