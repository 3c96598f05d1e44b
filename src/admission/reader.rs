//! One row by itself: its cells become an order or one named problem. It knows nothing of other rows, so rows
//! can be read ahead, on a thread of their own.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::key::Key;
use super::{Judged, Policy, Problem, ProviderRule, Warning, amount, read_goods};
use crate::domain::{Country, Currency, Goods, Order, PhoneNumber, ProviderKind, Reason, Refusal, RowNumber};
use crate::intake::{Column, Columns, RawRow};
use crate::numbering::{Mark, PhonePlan, ReadPhone, Repairs};

/// Longest reference, in characters: it stands in the ledger and in reports.
const REFERENCE_CHARS_MAX: usize = 200;

/// Spellings of operators kept at once; a file that has more of them asks the table again.
const SPELLINGS_MAX: usize = 64;

/// A row as it was read: good by itself, or wrong whatever the others are. Reading the next row into it uses
/// its buffers again.
#[derive(Clone, Debug)]
pub struct ReadRow {
    pub(super) judged: Judged,
    /// What makes its order the same as another, if it is one.
    pub(super) key: Key,
    /// The key's tag of the order's reference.
    pub(super) tag: Option<u64>,
}

impl Default for ReadRow {
    fn default() -> Self {
        let nothing = Problem {
            column: String::new(),
            value: String::new(),
            reason: Reason::BadRow,
            message: String::new(),
        };
        let judged =
            Judged { verdict: Err(nothing), price: None, repairs: Repairs::default(), warnings: Vec::new() };
        Self { judged, key: Key::default(), tag: None }
    }
}

impl ReadRow {
    /// What is known of the row: its own faults, and after [`super::Memory::decide`] those beside other rows.
    pub fn judged(&self) -> &Judged {
        &self.judged
    }

    /// The same, to keep.
    pub fn into_judged(self) -> Judged {
        self.judged
    }
}

/// Reads rows one by one.
pub struct RowReader {
    plan: PhonePlan,
    policy: Arc<Policy>,
    /// Spellings of operators that prefixes hint at, each asked for once.
    hints: Vec<Spelling>,
    /// Spellings of operators that rows name.
    named: Vec<Spelling>,
}

impl RowReader {
    pub(super) fn new(plan: PhonePlan, policy: Arc<Policy>) -> Self {
        Self { plan, policy, hints: Vec::new(), named: Vec::new() }
    }

    /// Reads a row as far as it can be judged by itself.
    pub fn read(&mut self, columns: &Columns, row: &RawRow, into: &mut ReadRow) {
        into.judged.price = None;
        into.judged.repairs = Repairs::default();
        into.judged.warnings.clear();
        let cells = Cells { columns, row };
        if let Err(problem) = self.fill(&cells, into) {
            into.judged.verdict = Err(problem);
        }
    }

    fn fill(&mut self, cells: &Cells<'_>, into: &mut ReadRow) -> Result<(), Problem> {
        if let Some(broken) = &cells.row.broken {
            return Err(Problem {
                column: String::new(),
                value: String::new(),
                reason: Reason::BadRow,
                message: broken.to_string(),
            });
        }
        let place = self.read_order(cells, &mut into.judged)?;
        let Ok(order) = &into.judged.verdict else { return Ok(()) };
        (self.policy.judge_offline)(order)
            .map_err(|refusal| cells.problem(column_of(refusal.reason), refusal.reason, refusal.message))?;
        if !self.policy.allow_duplicates {
            into.key = Key::of(order, Some(place));
            into.tag = order.reference.as_deref().map(|reference| into.key.tag(reference));
        }
        Ok(())
    }

    /// Reads the cells of a row into an order; tells the place of its provider's entry.
    fn read_order(&mut self, cells: &Cells<'_>, judged: &mut Judged) -> Result<usize, Problem> {
        let named = self.named_provider(cells)?;
        let column_country = self.country(cells)?;
        let only = named.and_then(|index| self.policy.providers.get(index)).and_then(only_country);
        let default = only.or(self.policy.default_country);
        let read = self
            .plan
            .read_phone(cells.get(Column::Phone), column_country, default)
            .map_err(|problem| cells.problem(Column::Phone, Reason::BadPhone, problem.to_string()))?;
        judged.repairs = read.repairs;
        let country = read.number.country();
        let (index, rule) = pick_provider(&self.policy, cells, named, country)?;
        let kind = rule.account.kind;
        let goods = read_goods(cells.get(Column::Product), kind)
            .map_err(|message| cells.problem(Column::Product, Reason::UnsupportedProduct, message))?;
        let currency = rule.currency(country);
        let amount = read_amount(&self.policy, cells, kind, currency)?;
        let spellings = Spellings {
            index,
            country,
            kind,
            hints: &mut self.hints,
            named: &mut self.named,
            ask: self.policy.operator_code,
        };
        let (operator, operator_hint) = spellings.of_row(cells, &read, &mut judged.warnings)?;
        let reference = read_reference(cells)?;
        judged.warnings.extend(read.warning.map(Warning::from));
        let row = cells.row.row;
        let parts = Parts { row, rule, goods, amount, currency, operator, operator_hint, reference };
        parts.put(read.number, &mut judged.verdict);
        Ok(index)
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
}

/// What an order is made of.
struct Parts<'r> {
    row: RowNumber,
    rule: &'r ProviderRule,
    goods: Goods,
    amount: Option<Decimal>,
    currency: Option<Currency>,
    operator: Option<&'r str>,
    operator_hint: Option<&'r str>,
    reference: Option<&'r str>,
}

impl Parts<'_> {
    /// Puts the order in the place of the one before, into its buffers.
    fn put(self, phone: PhoneNumber, verdict: &mut Result<Order, Problem>) {
        let Self { row, rule, goods, amount, currency, operator, operator_hint, reference } = self;
        if let Ok(order) = verdict {
            if order.provider != rule.name {
                order.provider.clone_from(&rule.name);
            }
            if order.account != rule.account {
                order.account = rule.account.clone();
            }
            (order.row, order.phone, order.goods) = (row, phone, goods);
            (order.amount, order.currency) = (amount, currency);
            put_text(&mut order.operator, operator);
            put_text(&mut order.operator_hint, operator_hint);
            put_text(&mut order.reference, reference);
            return;
        }
        *verdict = Ok(Order {
            row,
            provider: rule.name.clone(),
            account: rule.account.clone(),
            phone,
            goods,
            amount,
            currency,
            operator: operator.map(str::to_owned),
            operator_hint: operator_hint.map(str::to_owned),
            reference: reference.map(str::to_owned),
        });
    }
}

fn put_text(place: &mut Option<String>, text: Option<&str>) {
    match (place, text) {
        (Some(held), Some(text)) => {
            held.clear();
            held.push_str(text);
        }
        (place, text) => *place = text.map(str::to_owned),
    }
}

/// A row's cells by their meaning.
pub(super) struct Cells<'r> {
    pub(super) columns: &'r Columns,
    pub(super) row: &'r RawRow,
}

impl<'r> Cells<'r> {
    /// The cell; empty when the file has no such column.
    fn get(&self, column: Column) -> &'r str {
        self.columns.place(column).and_then(|place| self.row.cells.get(place)).unwrap_or_default()
    }

    pub(super) fn problem(&self, column: Column, reason: Reason, message: String) -> Problem {
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
pub(super) fn column_of(reason: Reason) -> Column {
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

/// An operator's name and what a provider calls it.
struct Spelling {
    /// Place of the provider's entry.
    index: usize,
    country: Country,
    name: String,
    code: Option<String>,
}

/// Operator names in the spelling of one provider, for numbers of one country.
struct Spellings<'c> {
    index: usize,
    country: Country,
    kind: ProviderKind,
    hints: &'c mut Vec<Spelling>,
    named: &'c mut Vec<Spelling>,
    ask: fn(ProviderKind, Country, &str) -> Option<String>,
}

impl<'c> Spellings<'c> {
    /// The operator that the row names, and the one its prefix hints at.
    fn of_row(
        self,
        cells: &Cells<'_>,
        read: &ReadPhone<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<(Option<&'c str>, Option<&'c str>), Problem> {
        let refuse = |message: String| cells.problem(Column::Operator, Reason::UnsupportedOperator, message);
        let Self { index, country, kind, hints, named, ask } = self;
        let spelled = |known: &'c mut Vec<Spelling>, name: &str| {
            let same =
                |known: &Spelling| known.index == index && known.country == country && known.name == name;
            let at = known.iter().position(same).unwrap_or_else(|| {
                if known.len() >= SPELLINGS_MAX {
                    known.clear();
                }
                known.push(Spelling {
                    index,
                    country,
                    name: name.to_owned(),
                    code: ask(kind, country, name),
                });
                known.len() - 1
            });
            known.get(at).and_then(|spelling| spelling.code.as_deref())
        };
        let hint = read.operator_hint.and_then(|name| spelled(hints, name));
        let cell = cells.get(Column::Operator).trim();
        if cell.is_empty() {
            if kind == ProviderKind::ConnectTopup && read.mark == Some(Mark::Reseller) {
                return Err(refuse(
                    "the number's prefix belongs to a reseller that the provider has no gateway for; name the operator whose network carries it"
                        .to_owned(),
                ));
            }
            return Ok((None, hint));
        }
        let named =
            spelled(named, cell).ok_or_else(|| refuse(format!("{kind} knows no operator of this name")))?;
        if let Some(hint) = hint.filter(|hint| *hint != named) {
            let (named, hint) = (named.to_owned(), hint.to_owned());
            warnings.push(Warning::OperatorDiffers { named, hint });
        }
        Ok((Some(named), hint))
    }
}

fn read_reference<'r>(cells: &Cells<'r>) -> Result<Option<&'r str>, Problem> {
    let reference = cells.get(Column::Reference).trim();
    if reference.is_empty() {
        return Ok(None);
    }
    // A text has no more characters than bytes.
    if reference.len() > REFERENCE_CHARS_MAX && reference.chars().count() > REFERENCE_CHARS_MAX {
        let message = format!("the reference is longer than {REFERENCE_CHARS_MAX} characters");
        return Err(cells.problem(Column::Reference, Reason::BadRow, message));
    }
    Ok(Some(reference))
}
