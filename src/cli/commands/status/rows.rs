//! `status` with filters: the rows for which they hold, one line each.

use serde_json::{Value, json};

use crate::cli::args::FilterArgs;
use crate::cli::context::Context;
use crate::cli::plan::wrapped;
use crate::cli::terminal::Terminal;
use crate::domain::grouped;
use crate::domain::{BatchName, Country, RowNumber, mask_digits};
use crate::job::Exit;
use crate::job::Stop;
use crate::ledger::{BatchId, BatchInfo, Ledger, RowFilter};
use crate::lifecycle::{Phase, StoredRow};
use crate::numbering::PhonePlan;
use crate::report::{Effective, RunView, effective};

/// Shows the rows that the filters ask for.
///
/// # Errors
/// [`Stop`] with exit 2 for a number that cannot be one, 1 when the ledger fails.
pub fn rows(
    context: &Context,
    ledger: &Ledger,
    batch: Option<&BatchInfo>,
    args: &FilterArgs,
) -> Result<Exit, Stop> {
    let phases = Phase::ALL.into_iter().filter(|phase| args.status.contains(&phase.status())).collect();
    let numbers = args.phone.as_deref().map(numbers).transpose()?.unwrap_or_default();
    let filter = RowFilter { batch: batch.map(|batch| batch.id), phases, numbers };
    let batches: Vec<(BatchInfo, RunView)> = ledger
        .batches()?
        .into_iter()
        .filter(|info| info.sandbox == context.sandbox)
        .filter(|info| batch.is_none_or(|wanted| wanted.id == info.id))
        .map(|info| Ok::<_, Stop>((info.clone(), ledger.run_view(info.id)?)))
        .collect::<Result<_, _>>()?;
    let mut found = Found {
        terminal: context.terminal,
        told: None,
        last: None,
        one_batch: true,
        rows: 0,
        more: false,
        objects: Vec::new(),
    };
    ledger.find_rows::<Stop>(&filter, |id, row| {
        let Some((info, view)) = batches.iter().find(|(info, _)| info.id == id) else { return Ok(true) };
        let shown = effective(&row, view);
        if !holds(args, &row, &shown) {
            return Ok(true);
        }
        if found.rows == args.limit.get() {
            found.more = true;
            return Ok(false);
        }
        found.take(info, &row, &shown);
        Ok(true)
    })?;
    found.end(context, args);
    Ok(Exit::Success)
}

/// What the ledger's question does not say.
fn holds(args: &FilterArgs, row: &StoredRow, shown: &Effective) -> bool {
    let order = row.order.as_ref();
    let operator = || {
        row.state
            .operator
            .as_ref()
            .or_else(|| order?.operator.as_ref())
            .or_else(|| order?.operator_hint.as_ref())
    };
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    let step = args.next.is_empty() || args.next.contains(&shown.next);
    let reason = args.reason.is_empty() || shown.reason.is_some_and(|reason| args.reason.contains(&reason));
    let provider = args.provider.as_ref();
    let of_provider = provider.is_none_or(|name| order.is_some_and(|order| same(&order.provider, name)));
    let wanted = args.operator.as_ref();
    let of_operator = wanted.is_none_or(|name| operator().is_some_and(|operator| same(operator, name)));
    step && reason && of_provider && of_operator
}

/// Everything that a typed number may mean, in canonical digits: with its country code, or in national form in
/// a country that we send to.
fn numbers(typed: &str) -> Result<Vec<String>, Stop> {
    let plan = PhonePlan::load().map_err(|e| Stop::internal(e.to_string()))?;
    let mut all = Vec::new();
    for country in [None, Some(Country::VN), Some(Country::CN), Some(Country::NG)] {
        if let Ok(read) = plan.read_phone(typed, None, country) {
            all.push(read.number.digits().to_owned());
        }
    }
    let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
    let plain = typed.chars().all(|c| c.is_ascii_digit() || " +-.()".contains(c));
    if plain && (6..=15).contains(&digits.len()) {
        all.push(digits);
    }
    all.sort_unstable();
    all.dedup();
    if all.is_empty() {
        return Err(Stop::refused(
            "--phone: that is no phone number; write it as in the file (0912345678) or with its country code \
             (84912345678)",
        ));
    }
    Ok(all)
}

/// The rows as they are told.
struct Found {
    terminal: Terminal,
    /// The batch whose head was told last.
    told: Option<BatchId>,
    /// The row that was told last, and whether all are of its batch.
    last: Option<(BatchName, RowNumber)>,
    one_batch: bool,
    rows: u64,
    more: bool,
    objects: Vec<Value>,
}

impl Found {
    fn take(&mut self, batch: &BatchInfo, row: &StoredRow, shown: &Effective) {
        self.rows += 1;
        self.one_batch &= self.last.as_ref().is_none_or(|(name, _)| *name == batch.name);
        self.last = Some((batch.name.clone(), row.row));
        if self.terminal.json {
            self.objects.push(object(&self.terminal, batch, row, shown));
            return;
        }
        if self.told != Some(batch.id) {
            let gap = if self.told.is_some() { "\n" } else { "" };
            self.terminal.data(&format!(
                "{gap}Batch {}\n  {:>8}  {:<10} {:<5} {:<20} {:<13} {:<10} {:>16}",
                batch.name, "row", "status", "next", "reason", "number", "provider", "asked"
            ));
            self.told = Some(batch.id);
        }
        self.terminal.data(&line(&self.terminal, row, shown));
    }

    fn end(&self, context: &Context, args: &FilterArgs) {
        if self.terminal.json {
            let object = json!({ "schema": 1, "rows": self.objects, "more": self.more });
            self.terminal.data(&format!("{object:#}"));
            return;
        }
        let counted = crate::cli::plan::counted(self.rows);
        let more = if self.more {
            format!("; there are more: --limit {}", args.limit.get().saturating_mul(10))
        } else {
            String::new()
        };
        self.terminal.data(&format!("{}{counted}{more}", if self.rows > 0 { "\n" } else { "" }));
        let Some((name, row)) = &self.last else { return };
        let name = if self.one_batch { name.as_str() } else { "BATCH" };
        let row = if self.rows == 1 { row.to_string() } else { "N".to_owned() };
        self.terminal.say(&format!(
            "Next     all that happened to one of them:\n           bulk-topup status {name} --row {row}{}",
            context.repeat_flags()
        ));
    }
}

/// One line, and the message below it.
fn line(terminal: &Terminal, row: &StoredRow, shown: &Effective) -> String {
    let order = row.order.as_ref();
    let reason = shown.reason.map(|reason| reason.to_string()).unwrap_or_default();
    let phone = order.map(|order| terminal.phone(order.phone.digits())).unwrap_or_default();
    let provider = order.map(|order| order.provider.as_str()).unwrap_or_default();
    let asked = row.asked().map(|(amount, currency)| {
        let currency = currency.map(|currency| format!(" {currency}")).unwrap_or_default();
        format!("{}{currency}", grouped(&amount.normalize().to_string()))
    });
    let text = format!(
        "  {:>8}  {} {:<5} {reason:<20} {phone:<13} {provider:<10} {:>16}",
        row.row,
        terminal.status(row.state.status()),
        shown.next.as_str(),
        asked.unwrap_or_default()
    );
    let mut text = text.trim_end().to_owned();
    if !shown.message.is_empty() {
        let words = terminal.words(&shown.message, order.map(|order| &order.phone));
        text.push_str(&format!("\n{}", wrapped(12, &words).trim_end()));
    }
    text
}

fn object(terminal: &Terminal, batch: &BatchInfo, row: &StoredRow, shown: &Effective) -> Value {
    let (order, state) = (row.order.as_ref(), &row.state);
    let phone = order.map(|order| {
        let digits = order.phone.digits();
        if terminal.show_phones { digits.to_owned() } else { mask_digits(digits) }
    });
    let operator = state.operator.as_ref().or_else(|| order?.operator.as_ref());
    let (amount, currency) = row.asked().map_or((None, None), |(amount, currency)| {
        (Some(amount.normalize().to_string()), currency.map(|currency| currency.to_string()))
    });
    json!({ "batch": batch.name, "row": row.row, "line": row.line, "status": state.status(),
        "next": shown.next, "reason": shown.reason, "message": terminal.words(&shown.message, order.map(|order| &order.phone)),
        "provider": order.map(|order| order.provider.as_str()), "operator": operator, "phone": phone,
        "amount": amount, "currency": currency, "transaction_id": state.id,
        "provider_ref": state.provider_ref, "code": state.code, "attempts": state.submits,
        "submitted_at": state.submitted_at.map(|at| at.rfc3339()),
        "final_at": state.final_at.map(|at| at.rfc3339()) })
}
