//! A batch whose ledger is lost, rebuilt from one of its results files (`contract.md` 5).

use std::path::{Path, PathBuf};

use super::context::Context;
use crate::admission::Judge;
use crate::domain::{
    Attempt, BatchName, Goods, Money, Next, Order, ProviderRef, Reason, Refusal, RowNumber, Status,
    TransactionId, WallTime,
};
use crate::intake::{Column, Columns, Overrides, RawRow, ResultsRow, ResultsSource, TopupColumn};
use crate::job::{REBUILT_NOTE, RowSet, Stop, output_dialect};
use crate::ledger::{AdmittedRow, Ledger, NewBatch};
use crate::lifecycle::{PastAttempt, Phase, TopUp};

/// Attempts that are tried when an id is looked for: nobody retries a row more often.
const ATTEMPTS_MAX: u32 = 200;

/// Admits the rows of a results file as the batch it names.
///
/// # Errors
/// [`Stop`]: rows of another batch, a row that makes no sense, or the ledger failed.
pub fn rebuild(
    context: &Context,
    ledger: &mut Ledger,
    file: &Path,
    overrides: &Overrides,
    batch: &BatchName,
    mut judge: Judge,
) -> Result<(), Stop> {
    let at = context.clock.now().wall;
    let mut source = ResultsSource::open(file, overrides)?;
    // Without one of these a row could go out under an id that is spent, or as if it had never been submitted.
    let needed = [
        TopupColumn::Status,
        TopupColumn::Next,
        TopupColumn::Reason,
        TopupColumn::Phone,
        TopupColumn::Amount,
        TopupColumn::TransactionId,
        TopupColumn::Attempts,
    ];
    if let Some(column) = needed.into_iter().find(|column| !source.has(*column)) {
        return Err(Stop::refused(format!(
            "{} has no column {}, and without the ledger it is the only record: use the file as it was written. \
             Nothing was sent",
            file.display(),
            column.as_str()
        )));
    }
    let columns = source.columns().clone();
    let new = NewBatch {
        name: batch.clone(),
        file_sha256: digest_of_name(batch),
        source: crate::job::absolute(&PathBuf::from(format!("{}.csv", batch.stem()))),
        header: source.header().to_vec(),
        dialect: output_dialect(source.dialect()),
        results_path: crate::job::absolute(file),
        sandbox: context.sandbox,
        at,
    };
    let mut seen = RowSet::default();
    let mut line = ResultsRow::default();
    // The ledger keeps rows in their own order, and a person may have sorted the file. Only here rows are held
    // in memory, all at once.
    let mut rows = std::collections::BTreeMap::new();
    while source.next_row(&mut line)? {
        if let Some(row) = row_of(&line, batch, &columns, &mut judge, &mut seen, at)? {
            rows.insert(row.row, Ok(row));
        }
    }
    let rows = rows.into_values();
    ledger.admit::<Stop>(&new, rows)?;
    Ok(())
}

/// Only the first four bytes are known; they are what the name holds.
fn digest_of_name(batch: &BatchName) -> [u8; 32] {
    let mut digest = [0_u8; 32];
    let hexed = batch.as_str().rsplit_once('-').map_or("", |(_, digits)| digits);
    let known = hex::decode(hexed).unwrap_or_default();
    for (slot, byte) in digest.iter_mut().zip(known) {
        *slot = byte;
    }
    digest
}

fn row_of(
    line: &ResultsRow,
    batch: &BatchName,
    columns: &Columns,
    judge: &mut Judge,
    seen: &mut RowSet,
    at: WallTime,
) -> Result<Option<AdmittedRow>, Stop> {
    let named = line.topup(TopupColumn::Batch).trim();
    if !named.is_empty() && named != batch.as_str() {
        return Err(Stop::refused(format!(
            "line {}: this row is of batch {named:?}, the rows before are of {batch}; split the file by batch. Nothing was sent",
            line.input.line
        )));
    }
    let number = line
        .topup(TopupColumn::Row)
        .trim()
        .parse::<u64>()
        .ok()
        .filter(|row| (1..=RowSet::LAST.0).contains(row))
        .map(RowNumber);
    let Some(row) = number.filter(|_| line.topup(TopupColumn::Batch) == batch.as_str()) else {
        // The pass that chooses what to send tells about such lines.
        return Ok(None);
    };
    if !seen.insert(row) {
        return Ok(None);
    }
    let mut raw = line.input.clone();
    raw.row = row;
    let mut order = judge.row(columns, &raw).verdict.ok();
    if let Some(was) = as_submitted(line, columns, &raw, order.as_ref()) {
        raw = was;
        order = judge.row(columns, &raw).verdict.ok();
    }
    let state = state_of(line, batch, row, order.as_ref(), at).map_err(|what| {
        Stop::refused(format!("line {}: row {row}: {what}; nothing was sent", line.input.line))
    })?;
    Ok(Some(AdmittedRow {
        row,
        line: line.input.line,
        cells: raw.cells.iter().map(str::to_owned).collect(),
        // A row that was never an order needs none; one that was has to be known to be handled at all.
        order: order.filter(|_| state.phase != Phase::Invalid),
        state,
        notes: vec![REBUILT_NOTE.to_owned()],
    }))
}

/// A submitted row whose cells were changed since: with the number and amount that the file says were sent, so
/// that what the cells ask for now shows as another order.
fn as_submitted(line: &ResultsRow, columns: &Columns, raw: &RawRow, order: Option<&Order>) -> Option<RawRow> {
    if line.topup(TopupColumn::TransactionId).trim().is_empty() {
        return None;
    }
    let phone = line.topup(TopupColumn::Phone).trim();
    let amount = line.topup(TopupColumn::Amount).trim();
    let other_phone = !phone.is_empty() && order.is_none_or(|order| order.phone.digits() != phone);
    // For data the file tells a price, the cell a highest one.
    let other_amount = order.is_none_or(|order| {
        let sent = amount.parse::<rust_decimal::Decimal>().ok();
        order.goods == Goods::Airtime && sent.is_some() && order.amount != sent
    });
    if !other_phone && !other_amount {
        return None;
    }
    let mut cells: Vec<String> = raw.cells.iter().map(str::to_owned).collect();
    let mut put = |column, value: String| {
        if let Some(cell) = columns.place(column).and_then(|place| cells.get_mut(place)) {
            *cell = value;
        }
    };
    if other_phone {
        put(Column::Phone, format!("+{phone}"));
    }
    if other_amount && !amount.is_empty() {
        put(Column::Amount, amount.to_owned());
    }
    let mut was = raw.clone();
    was.cells.clear();
    cells.iter().for_each(|cell| was.cells.push(cell));
    Some(was)
}

/// Where a row stands by the words of the file.
fn state_of(
    line: &ResultsRow,
    batch: &BatchName,
    row: RowNumber,
    order: Option<&Order>,
    at: WallTime,
) -> Result<TopUp, String> {
    let cell = |column| line.topup(column).trim();
    let status = Status::parse(cell(TopupColumn::Status))
        .ok_or_else(|| format!("topup_status {:?} is no status", cell(TopupColumn::Status)))?;
    let next = Next::parse(cell(TopupColumn::Next)).unwrap_or(Next::Ask);
    let reason = Reason::parse(cell(TopupColumn::Reason));
    let message = cell(TopupColumn::Message).to_owned();
    if status == Status::Invalid {
        let reason = reason.unwrap_or(Reason::BadRow);
        return Ok(TopUp::invalid(Refusal { reason, message }, at));
    }
    let mut state = TopUp::ready();
    state.phase = phase_of(status, next, reason)?;
    state.reason = reason;
    state.message = message;
    state.code = Some(cell(TopupColumn::Code).to_owned()).filter(|code| !code.is_empty());
    state.provider_ref = ProviderRef::parse(cell(TopupColumn::ProviderRef)).ok();
    state.submits = cell(TopupColumn::Attempts).parse().unwrap_or(0);
    state.submitted_at = WallTime::parse(cell(TopupColumn::SubmittedAt));
    state.final_at = WallTime::parse(cell(TopupColumn::FinalAt));
    state.price = Money::parse(cell(TopupColumn::Amount), cell(TopupColumn::Currency)).ok();
    state.cost = Money::parse(cell(TopupColumn::Cost), cell(TopupColumn::CostCurrency)).ok();
    state.operator = Some(cell(TopupColumn::Operator).to_owned()).filter(|name| !name.is_empty());
    state.contradicted = next == Next::Ask && matches!(status, Status::Failed | Status::Succeeded);
    let id = cell(TopupColumn::TransactionId);
    if id.is_empty() {
        let never = state.submits == 0 && matches!(state.phase, Phase::Ready | Phase::Cancelled);
        return if never {
            Ok(state)
        } else {
            Err("it was submitted, but topup_transaction_id is empty".to_owned())
        };
    }
    place_id(&mut state, id, batch, row, order);
    Ok(state)
}

fn phase_of(status: Status, next: Next, reason: Option<Reason>) -> Result<Phase, String> {
    Ok(match (status, next) {
        (Status::Succeeded, _) => Phase::Succeeded,
        (Status::Failed, Next::Fix) => Phase::Refused,
        (Status::Failed, _) => Phase::Failed,
        (Status::Pending, _) => Phase::Pending,
        (Status::Unknown, Next::Wait) => Phase::Unknown,
        (Status::Unknown, _) => Phase::Asking,
        (Status::NotSent, _) if reason == Some(Reason::Cancelled) => Phase::Cancelled,
        (Status::NotSent, Next::None) => Phase::Cancelled,
        (Status::NotSent, _) => Phase::Ready,
        (Status::Invalid, _) => Phase::Invalid,
    })
}

/// Finds the attempt whose derivation gives the file's id. None does: money may be under way under an id that
/// nobody here made, so only a person can tell.
fn place_id(state: &mut TopUp, id: &str, batch: &BatchName, row: RowNumber, order: Option<&Order>) {
    let found = order.and_then(|order| {
        (1..=ATTEMPTS_MAX)
            .map(Attempt)
            .find(|attempt| TransactionId::derive(&order.account, batch, row, *attempt).as_str() == id)
            .map(|attempt| (order, attempt))
    });
    state.id = TransactionId::parse(id).ok();
    let Some((order, attempt)) = found else {
        state.attempt = Attempt(1);
        let open = !matches!(state.phase, Phase::Succeeded | Phase::Cancelled);
        if open {
            state.phase = Phase::Asking;
            state.reason = Some(Reason::Conflict);
            state.final_at = None;
            state.message = format!(
                "the id {id} is none that this batch, row and account lead to; ask the provider about it, then resolve"
            );
        }
        return;
    };
    state.attempt = attempt;
    state.past = (1..attempt.0)
        .map(|n| PastAttempt {
            id: TransactionId::derive(&order.account, batch, row, Attempt(n)),
            provider_ref: None,
        })
        .collect();
    // What was proved never taken keeps its id; what the provider or a person said failed takes a new one.
    let same_order = state.phase == Phase::Failed && state.reason == Some(Reason::NotReceived);
    state.id_spent = matches!(state.phase, Phase::Failed | Phase::Refused) && !same_order;
}
