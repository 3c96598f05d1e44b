//! All lines of a statement about one order, folded one by one; then what they come to.

use rust_decimal::Decimal;

use super::{Class, Finding, Said, Stand, Stated};
use crate::domain::{Currency, Status, TransactionId};
use crate::lifecycle::{ResolvedAs, StoredRow};
use crate::numbering::PhonePlan;
use crate::report::SumTooLarge;

/// Line numbers and words of a group that are kept: a damaged statement may repeat one id without end.
const KEPT: usize = 20;

/// What lines say.
#[derive(Default)]
struct Counts {
    lines: u64,
    first_lines: Vec<u64>,
    words: Vec<String>,
    succeeded: u64,
    failed: u64,
    reversed: u64,
    pending: u64,
    unclear: u64,
}

impl Counts {
    fn add(&mut self, stated: &Stated) {
        self.lines += 1;
        if self.first_lines.len() < KEPT {
            self.first_lines.push(stated.line);
        }
        if self.words.len() < KEPT && !self.words.contains(&stated.word) {
            self.words.push(stated.word.clone());
        }
        *match stated.stand {
            Stand::Succeeded => &mut self.succeeded,
            Stand::Failed => &mut self.failed,
            Stand::Reversed => &mut self.reversed,
            Stand::Pending => &mut self.pending,
            Stand::Unclear => &mut self.unclear,
        } += 1;
    }

    /// Charges that were not given back.
    fn net(&self) -> u64 {
        self.succeeded.saturating_sub(self.reversed)
    }

    /// Whether any of them is final.
    fn ended(&self) -> bool {
        self.net() > 0 || self.failed > 0 || self.reversed > 0
    }
}

/// The lines about one order so far. Its size does not grow with them.
pub struct Group<'a> {
    row: Option<&'a StoredRow>,
    plan: &'a PhonePlan,
    /// Currency the statement's amounts are in, where its title names one, else that of the provider's rows.
    currency: Option<Currency>,
    currency_is_named: bool,
    /// About the order under its current id.
    current: Counts,
    /// About earlier attempts, under ids that failed: they say nothing of where the current one stands.
    earlier: Counts,
    charged: Decimal,
    given_back: Decimal,
    first: Option<Stated>,
    /// The first charge whose number is another.
    other_phone: Option<String>,
    other_amount: Option<Decimal>,
    /// Why something of a charge cannot be compared.
    doubt: Option<String>,
    /// Why it is not clear how much of a charge was given back.
    given_back_doubt: Option<String>,
}

impl<'a> Group<'a> {
    /// The lines about a row of the batch.
    pub fn of_row(row: &'a StoredRow, plan: &'a PhonePlan, named: Option<Currency>) -> Self {
        let asked = row.asked().and_then(|(_, currency)| currency);
        Self::new(Some(row), plan, named.or(asked), named.is_some())
    }

    /// Lines about an order that the batch does not know.
    pub fn of_nobody(plan: &'a PhonePlan, currency: Option<Currency>) -> Self {
        Self::new(None, plan, currency, false)
    }

    fn new(
        row: Option<&'a StoredRow>,
        plan: &'a PhonePlan,
        currency: Option<Currency>,
        currency_is_named: bool,
    ) -> Self {
        Self {
            row,
            plan,
            currency,
            currency_is_named,
            current: Counts::default(),
            earlier: Counts::default(),
            charged: Decimal::ZERO,
            given_back: Decimal::ZERO,
            first: None,
            other_phone: None,
            other_amount: None,
            doubt: None,
            given_back_doubt: None,
        }
    }

    /// Takes a line about the order.
    ///
    /// # Errors
    /// [`SumTooLarge`].
    pub fn add(&mut self, stated: &Stated) -> Result<(), SumTooLarge> {
        if self.is_current(stated) {
            self.current.add(stated)
        } else {
            self.earlier.add(stated)
        }
        let sum = match stated.stand {
            Stand::Succeeded => Some(&mut self.charged),
            Stand::Reversed => Some(&mut self.given_back),
            Stand::Failed | Stand::Pending | Stand::Unclear => None,
        };
        if let (Some(sum), Said::Exact(amount)) = (sum, &stated.amount) {
            *sum = sum.checked_add(*amount).ok_or(SumTooLarge)?;
        }
        match stated.stand {
            Stand::Unclear => self.doubted(&format!(
                "line {}: the status {:?} is in no table; say what it means with --status-word \"{}=succeeded\" \
                 (or failed, reversed, pending)",
                stated.line, stated.word, stated.word
            )),
            Stand::Succeeded => self.compare(stated),
            Stand::Reversed => {
                if let Said::Unclear(why) = &stated.amount {
                    self.given_back_doubt.get_or_insert_with(|| format!("line {}: {why}", stated.line));
                }
            }
            Stand::Failed | Stand::Pending => {}
        }
        if self.first.is_none() {
            self.first = Some(stated.clone());
        }
        Ok(())
    }

    /// Whether a line is about the row's current id. One that names none of its ids is about an earlier attempt.
    fn is_current(&self, stated: &Stated) -> bool {
        let Some(row) = self.row else { return true };
        let named = |cell: &String| {
            let ours = row.state.id.as_ref().is_some_and(|id| cell.eq_ignore_ascii_case(id.as_str()));
            ours || row.state.provider_ref.as_ref().is_some_and(|reference| cell == reference.as_str())
        };
        let before = |cell: &String| {
            row.state.past.iter().any(|past| {
                cell.eq_ignore_ascii_case(past.id.as_str())
                    || past.provider_ref.as_ref().is_some_and(|reference| cell == reference.as_str())
            })
        };
        // Our own id says more than the provider's.
        let cells = [&stated.transaction_id, &stated.provider_ref];
        cells
            .into_iter()
            .find_map(|cell| if named(cell) { Some(true) } else { before(cell).then_some(false) })
            .unwrap_or(row.state.past.is_empty())
    }

    /// Of the current attempt, and of earlier ones.
    fn both(&self, of: fn(&Counts) -> u64) -> u64 {
        of(&self.current) + of(&self.earlier)
    }

    fn doubted(&mut self, why: &str) {
        self.doubt.get_or_insert_with(|| why.to_owned());
    }

    /// Holds number and amount of a charge against the row.
    fn compare(&mut self, stated: &Stated) {
        match &stated.amount {
            Said::Unclear(why) => self.doubted(&format!("line {}: {why}", stated.line)),
            Said::Exact(amount) => {
                if self.row.is_some_and(|row| !self.agrees(row, *amount)) {
                    self.other_amount.get_or_insert(*amount);
                }
            }
        }
        let ours = self.row.and_then(|row| row.order.as_ref()).map(|order| &order.phone);
        let Some(ours) = ours.filter(|_| !stated.phone.is_empty()) else { return };
        match self.plan.read_phone(&stated.phone, None, Some(ours.country())) {
            Ok(read) if read.number.digits() == ours.digits() => {}
            Ok(_) => {
                self.other_phone.get_or_insert_with(|| stated.phone.clone());
            }
            Err(problem) => {
                self.doubted(&format!("line {}: the number cannot be read: {problem}", stated.line))
            }
        }
    }

    /// Whether an amount is what the row asked for, or what the provider told us it charged where that is less (a
    /// discount) or in another currency.
    fn agrees(&self, row: &StoredRow, amount: Decimal) -> bool {
        let Some((asked, currency)) = row.asked() else { return false };
        let same_currency = !self.currency_is_named || currency.is_none() || currency == self.currency;
        let told = row.state.cost.filter(|cost| Some(cost.currency) != currency || cost.amount <= asked);
        let as_told = told.is_some_and(|cost| {
            cost.amount == amount && (!self.currency_is_named || Some(cost.currency) == self.currency)
        });
        same_currency && amount == asked || as_told
    }

    /// What the statement's charges come to: none where all were given back.
    fn sum_there(&self) -> Decimal {
        if self.both(|counts| counts.succeeded) == 0 { Decimal::ZERO } else { self.charged - self.given_back }
    }

    /// What the lines come to.
    pub fn finish(self) -> Finding {
        let (class, what, next, proves) = self.judge();
        let row = self.row;
        let asked = row.and_then(StoredRow::asked);
        let status = row.map(|row| row.state.status());
        let first = self.first.as_ref();
        let text = |of: fn(&Stated) -> &String| first.map(of).cloned().unwrap_or_default();
        let ours = row.and_then(|row| row.order.as_ref()).map(|order| order.phone.digits().to_owned());
        let id = row.and_then(|row| row.state.id.as_ref()).map(TransactionId::to_string);
        let reference = row.and_then(|row| row.state.provider_ref.as_ref()).map(|r| r.as_str().to_owned());
        let stated_ref = text(|stated| &stated.provider_ref);
        let lines = self.both(|counts| counts.lines);
        let sum_there = self.sum_there();
        let Counts { mut first_lines, mut words, .. } = self.current;
        if words.is_empty() {
            words = self.earlier.words;
        }
        first_lines.extend(self.earlier.first_lines);
        first_lines.truncate(KEPT);
        Finding {
            class,
            row: row.map(|row| row.row),
            lines,
            sum_there,
            phone: ours.unwrap_or_else(|| text(|stated| &stated.phone)),
            phone_there: self.other_phone.unwrap_or_default(),
            transaction_id: id.unwrap_or_else(|| text(|stated| &stated.transaction_id)),
            provider_ref: reference.filter(|_| stated_ref.is_empty()).unwrap_or(stated_ref),
            here: status,
            there: words.join(", "),
            amount_here: asked.map(|(amount, _)| amount),
            amount_there: self.other_amount.or(first.and_then(|stated| match &stated.amount {
                Said::Exact(amount) => Some(*amount),
                Said::Unclear(_) => None,
            })),
            currency: self.currency,
            sum_here: asked
                .filter(|_| status == Some(Status::Succeeded))
                .map_or(Decimal::ZERO, |(amount, _)| amount),
            first_lines,
            what,
            next,
            proves,
        }
    }

    fn judge(&self) -> (Class, String, String, Option<ResolvedAs>) {
        let told = |class, what: String, next: &str| (class, what, next.to_owned(), None);
        let Some(row) = self.row else {
            let what = match self.current.succeeded {
                times @ 2.. => format!("the ledger knows no such order; charged {times} times"),
                _ => "the ledger knows no such order".to_owned(),
            };
            let next = "another system's order, or one that was sent outside this ledger: find who sent it, and \
                        change the keys if nobody did";
            return told(Class::ExtraThere, what, next);
        };
        let status = row.state.status();
        let (succeeded, reversed) =
            (self.both(|counts| counts.succeeded), self.both(|counts| counts.reversed));
        let net = succeeded.saturating_sub(reversed);
        let left = self.sum_there();
        let unspent = match status {
            Status::Failed | Status::NotSent | Status::Invalid => true,
            Status::Succeeded | Status::Pending | Status::Unknown => false,
        };
        if unspent && (net > 0 || left > Decimal::ZERO) {
            let times = if net > 1 { format!(" {net} times") } else { String::new() };
            let next =
                "leave the row out of every retry, a retry would pay again; ask the provider with both ids";
            return told(Class::ChargedThere, format!("{status} here, charged{times} there"), next);
        }
        if net > 1 {
            let next = "claim the charges beyond the first back, with the provider's references";
            return told(Class::DoubleThere, format!("charged {net} times for one row"), next);
        }
        if self.both(|counts| counts.lines) == 0 {
            return unlisted(row);
        }
        if self.earlier.net() > 0 {
            let what =
                format!("{status} here; an earlier attempt of it, which failed here, was charged there");
            let next = "do not send or retry the row again; ask the provider with both ids of the row";
            return told(Class::ChargedThere, what, next);
        }
        let partly = succeeded > 0 && reversed > 0;
        let doubt = self.doubt.as_ref().or(self.given_back_doubt.as_ref().filter(|_| partly));
        if self.both(|counts| counts.unclear) > 0 || succeeded > 0 && doubt.is_some() {
            let why = doubt.cloned().unwrap_or_default();
            return told(Class::Unclear, why, "mend the statement, or say how it is to be read; then again");
        }
        if net > 0 {
            if self.other_phone.is_some() {
                let next = "ask the provider who got the top-up; the one in the file may have none";
                return told(Class::DifferentPhone, "charged for another number".to_owned(), next);
            }
            if let Some(amount) = self.other_amount {
                let asked = row.asked().map(|(asked, _)| asked.normalize().to_string()).unwrap_or_default();
                let what = format!("asked for {asked}, charged {}", amount.normalize());
                return told(Class::DifferentAmount, what, "ask the provider for the difference");
            }
        }
        let whole = if net > 0 { self.agrees(row, left) } else { left.is_zero() };
        if partly && !whole {
            let what =
                format!("charged {}, given back {}", self.charged.normalize(), self.given_back.normalize());
            return told(Class::DifferentAmount, what, "ask the provider for the difference");
        }
        if self.earlier.pending > 0 && !self.earlier.ended() {
            let next = "leave the row out of every retry until the provider says what became of that attempt";
            let what =
                format!("{status} here; an earlier attempt of it, which failed here, is under way there");
            return told(Class::OpenThere, what, next);
        }
        if self.current.lines == 0 && !unspent {
            return unlisted(row);
        }
        self.judge_stand(row, status, self.current.net() > 0)
    }

    /// Number and amount agree: what of the state?
    fn judge_stand(
        &self,
        row: &StoredRow,
        status: Status,
        charged: bool,
    ) -> (Class, String, String, Option<ResolvedAs>) {
        let told = |class, what: String, next: &str| (class, what, next.to_owned(), None);
        let unsent = self.current.lines == 0;
        let ended = self.current.ended();
        let words = self.current.words.join(", ");
        match status {
            Status::Succeeded if charged => told(Class::Matched, String::new(), ""),
            Status::Succeeded if ended => {
                let note = if row.state.contradicted { ", as a look-up said before" } else { "" };
                let next = "a late reversal: the row stays succeeded; ask the provider, and put the row into a new file \
                            if it is to be sent again";
                told(Class::ReversedThere, format!("succeeded here, {words} there{note}"), next)
            }
            Status::Failed | Status::NotSent | Status::Invalid if ended || unsent => {
                told(Class::Matched, String::new(), "")
            }
            Status::Pending if !ended => told(Class::Matched, String::new(), ""),
            Status::Pending => {
                let what = format!("pending here, {words} there");
                told(Class::SettledThere, what, "ask the provider's server: settle")
            }
            // Of charged and failed at once nothing is proved.
            Status::Unknown if charged && self.current.failed > 0 => {
                let what = format!("unknown here, {words} there");
                told(Class::SettledThere, what, "the statement says both: ask the provider, then resolve")
            }
            Status::Unknown if ended => {
                let (proves, word) = match charged {
                    true => (ResolvedAs::Succeeded, "succeeded"),
                    false => (ResolvedAs::Failed, "failed"),
                };
                let what = format!("unknown here, {words} there");
                (Class::SettledThere, what, format!("resolve it as {word}"), Some(proves))
            }
            Status::Unknown => {
                told(Class::OpenThere, "unknown here, under way there".to_owned(), "settle later")
            }
            Status::Succeeded => {
                let next = "a statement of a later day will show it final; ask the provider if not";
                told(Class::OpenThere, "succeeded here, under way there".to_owned(), next)
            }
            Status::Failed | Status::NotSent | Status::Invalid => {
                let next = "leave the row out of every retry until the provider says that it failed";
                told(Class::OpenThere, format!("{status} here, under way there"), next)
            }
        }
    }
}

/// A row that no line of the statement is about.
fn unlisted(row: &StoredRow) -> (Class, String, String, Option<ResolvedAs>) {
    let status = row.state.status();
    let sent = row.state.submitted_at.map(|at| at.rfc3339()).unwrap_or_default();
    let what = format!("{status} here, not listed there; sent {sent}");
    let next = match status {
        Status::Failed | Status::NotSent | Status::Invalid => {
            return (Class::NotCharged, String::new(), String::new(), None);
        }
        Status::Succeeded => "if the statement covers that time, ask the provider: it was reported as done",
        Status::Pending => "settle; if the statement covers that time, ask the provider",
        Status::Unknown => {
            "a missing line alone proves nothing: ask the provider whether the statement covers that time, then resolve"
        }
    };
    (Class::MissingThere, what, next.to_owned(), None)
}
