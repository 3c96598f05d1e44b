//! Which rows of a results file may be sent again (`contract.md` 5): the ledger says so, not the file.

use crate::admission::{Judge, Judged};
use crate::domain::{Order, ProviderKind, RowNumber};
use crate::intake::{Column, Columns, Mapping, RawRow, ResultsRow, TopupColumn};
use crate::job::{Known, RowSet, Stop, may_be_retried, notes_of};
use crate::ledger::BatchInfo;
use crate::lifecycle::{Event, Phase, StoredRow};

/// A row that is judged anew, and what came of it.
#[derive(Debug)]
pub struct Rejudged {
    /// The row as it stands.
    pub stored: StoredRow,
    /// Its cells in the file.
    pub cells: Vec<String>,
    /// Readmitted or still wrong.
    pub event: Event,
}

/// What a results file asks for, and what may be done of it.
#[derive(Debug, Default)]
pub struct Choice {
    /// Rows to be sent.
    pub send: RowSet,
    /// Rows judged anew.
    pub rejudged: Vec<Rejudged>,
    /// Rows of the file.
    pub named: RowSet,
    /// What a person should know, row by row, the first of each kind.
    pub remarks: Vec<String>,
    /// Remarks that did not fit.
    pub more: u64,
    /// Rows that may not be sent for want of `--trust-results`.
    pub untrusted: u64,
}

/// Remarks that are told; a file can differ from the ledger in every row.
const REMARKS_MAX: usize = 50;

impl Choice {
    fn remark(&mut self, text: String) {
        if self.remarks.len() < REMARKS_MAX { self.remarks.push(text) } else { self.more += 1 }
    }
}

/// The columns of a results file beside those of the batch: a person may have moved or removed some.
#[derive(Debug)]
pub struct Layout {
    /// Columns with a meaning in the file.
    pub file: Columns,
    /// Columns with a meaning in the batch's own header.
    ledger: Columns,
    /// For every column of the batch's header, its place in the file.
    places: Vec<Option<usize>>,
}

impl Layout {
    /// Finds the batch's columns in a file with this header, as `--map` says.
    ///
    /// # Errors
    /// [`Stop`] when the batch's own header cannot be read so.
    pub fn new(
        file: &Columns,
        file_header: &[String],
        batch: &BatchInfo,
        map: &Mapping,
    ) -> Result<Self, Stop> {
        let ledger = Columns::find(&batch.header, 1, map)
            .map_err(|fault| Stop::refused(format!("the header of batch {}: {fault}", batch.name)))?;
        Ok(Self { file: file.clone(), ledger, places: places(&batch.header, file_header) })
    }

    /// Whether the cells that stand for number and amount are those that the recorded order was read from: a
    /// forgotten `--map` would compare others, and miss a change.
    fn holds(&self, stored: &StoredRow) -> bool {
        let Some(order) = &stored.order else { return true };
        if matches!(stored.state.phase, Phase::Invalid | Phase::Refused) {
            // Its cells may have been corrected, and were then found wrong still.
            return true;
        }
        let digits = |column| {
            let cell = self.ledger.place(column).and_then(|place| stored.cells.get(place));
            cell.map(|cell| cell.chars().filter(char::is_ascii_digit).collect::<String>())
        };
        let bare = |text: &str| text.trim_matches('0').to_owned();
        let same_number = digits(Column::Phone).is_some_and(|cell| cell.ends_with(order.phone.national()));
        let same_amount = order.amount.is_none_or(|amount| {
            let recorded: String = amount.to_string().chars().filter(char::is_ascii_digit).collect();
            digits(Column::Amount).is_some_and(|cell| bare(&cell) == bare(&recorded))
        });
        same_number && same_amount
    }

    /// A line's cells in the order of the batch's header; those the file lacks stay as they were.
    fn cells(&self, line: &RawRow, old: &[String]) -> Vec<String> {
        let cell = |(index, place): (usize, &Option<usize>)| match place {
            Some(place) => line.cells.get(*place).unwrap_or_default().to_owned(),
            None => old.get(index).cloned().unwrap_or_default(),
        };
        self.places.iter().enumerate().map(cell).collect()
    }
}

/// For every title of a batch its place in a file. Of equal titles, and of columns without one, the first is the
/// first, the second the second.
fn places(batch: &[String], file: &[String]) -> Vec<Option<usize>> {
    let of = |(index, title): (usize, &String)| {
        let before = batch.iter().take(index).filter(|other| *other == title).count();
        file.iter().enumerate().filter(|(_, other)| *other == title).nth(before).map(|(place, _)| place)
    };
    batch.iter().enumerate().map(of).collect()
}

/// Judges the rows of a results file against the ledger.
pub struct Chooser<'a> {
    batch: &'a BatchInfo,
    layout: &'a Layout,
    judge: Judge,
    /// Reads a row by itself: no duplicates, no caps.
    reader: Judge,
    known: &'a Known<'a>,
    trusts: bool,
    /// What was chosen so far.
    pub choice: Choice,
}

impl<'a> Chooser<'a> {
    /// Begins. `judge` remembers every valid order of the batch that is not judged anew, `reader` reads rows by
    /// themselves; `trusts`: `--trust-results`.
    pub fn new(
        batch: &'a BatchInfo,
        layout: &'a Layout,
        judge: Judge,
        reader: Judge,
        known: &'a Known<'a>,
        trusts: bool,
    ) -> Self {
        Self { batch, layout, judge, reader, known, trusts, choice: Choice::default() }
    }

    /// Takes one line of the file. `stored` finds the row in the ledger; `rebuilt` says whether what is known
    /// of a row came from a results file alone.
    ///
    /// # Errors
    /// [`Stop`]: rows of another batch, or the ledger failed.
    pub fn take(
        &mut self,
        line: &ResultsRow,
        stored: impl FnOnce(RowNumber) -> Result<Option<StoredRow>, Stop>,
        rebuilt: impl FnOnce(&StoredRow) -> Result<bool, Stop>,
    ) -> Result<(), Stop> {
        let at = line.input.line;
        let batch = line.topup(TopupColumn::Batch);
        if batch.is_empty() && line.topup(TopupColumn::Row).is_empty() {
            self.choice.remark(format!("line {at}: not a row of batch {}: not sent", self.batch.name));
            return Ok(());
        }
        if batch != self.batch.name.as_str() {
            return Err(Stop::refused(format!(
                "line {at}: this row is of batch {batch:?}, the rows before are of {}; split the file by batch. Nothing was sent",
                self.batch.name
            )));
        }
        let number = line.topup(TopupColumn::Row).trim().parse::<u64>().ok().map(RowNumber);
        let Some(row) = number.filter(|row| row.0 > 0 && *row <= RowSet::LAST) else {
            let cell = line.topup(TopupColumn::Row);
            self.choice.remark(format!("line {at}: topup_row {cell:?} is no row number: not sent"));
            return Ok(());
        };
        if !self.choice.named.insert(row) {
            self.choice.remark(format!("line {at}: row {row} stands in the file before; that line counts"));
            return Ok(());
        }
        let Some(found) = stored(row)? else {
            self.choice.remark(format!("line {at}: batch {} has no row {row}: not sent", self.batch.name));
            return Ok(());
        };
        self.choose(line, found, rebuilt)
    }

    fn choose(
        &mut self,
        line: &ResultsRow,
        stored: StoredRow,
        rebuilt: impl FnOnce(&StoredRow) -> Result<bool, Stop>,
    ) -> Result<(), Stop> {
        let row = stored.row;
        if !self.layout.holds(&stored) {
            return Err(Stop::refused(format!(
                "row {row}: its phone and amount were not read from the columns {:?} and {:?}; give the same --map as \
                 when the batch {} was sent. Nothing was sent",
                self.layout.file.title(Column::Phone),
                self.layout.file.title(Column::Amount),
                self.batch.name
            )));
        }
        let status = stored.state.status();
        let said = line.topup(TopupColumn::Status);
        if !said.is_empty() && said != status.as_str() {
            self.choice.remark(format!(
                "row {row}: the file says {said}, the ledger says {status}; the ledger counts"
            ));
        }
        let sendable = matches!(stored.state.phase, Phase::Ready | Phase::Failed | Phase::Refused);
        if sendable && !self.trusts && is_blind(&stored) && rebuilt(&stored)? {
            self.choice.untrusted += 1;
            return Ok(());
        }
        match stored.state.phase {
            Phase::Invalid | Phase::Refused if !stored.state.contradicted => self.judge_anew(line, stored),
            Phase::Ready | Phase::Failed if may_be_retried(&stored) => {
                if !self.same_order(line, &stored) {
                    if stored.state.phase == Phase::Ready && stored.state.submits == 0 {
                        return self.judge_anew(line, stored);
                    }
                    self.choice.remark(format!(
                        "row {row}: phone, product, amount, operator or provider differ from what was sent: not sent. \
                         Put the old cells back, or make it a new row of a new file"
                    ));
                    return Ok(());
                }
                if let Some(order) = &stored.order
                    && let Some(repeat) = self.known.repeat_of(order)?
                {
                    self.choice.remark(format!("row {row}: not sent: {}", repeat.message));
                    return Ok(());
                }
                self.choice.send.insert(row);
                Ok(())
            }
            Phase::Ready
            | Phase::Failed
            | Phase::Refused
            | Phase::Invalid
            | Phase::Succeeded
            | Phase::Pending
            | Phase::Unknown
            | Phase::Asking
            | Phase::Sending
            | Phase::Cancelled => {
                if !self.same_order(line, &stored) {
                    self.choice
                        .remark(format!("row {row}: its cells were changed, but it is {status}: not sent"));
                }
                Ok(())
            }
        }
    }

    /// Whether the file's cells still mean the recorded order.
    fn same_order(&mut self, line: &ResultsRow, stored: &StoredRow) -> bool {
        let columns = [
            Column::Phone,
            Column::Amount,
            Column::Product,
            Column::Country,
            Column::Provider,
            Column::Operator,
        ];
        let layout = self.layout;
        let in_file = |column| {
            layout.file.place(column).and_then(|place| line.input.cells.get(place)).unwrap_or_default()
        };
        let in_ledger = |column| {
            layout.ledger.place(column).and_then(|place| stored.cells.get(place)).map_or("", String::as_str)
        };
        if columns.into_iter().all(|column| in_file(column) == in_ledger(column)) {
            return true;
        }
        // A spreadsheet writes the same value differently; what counts is what it is read as.
        let Some(recorded) = &stored.order else { return false };
        let raw = with_row(&line.input, stored.row);
        match self.reader.row(&layout.file, &raw).verdict {
            Ok(order) => same(&order, recorded),
            Err(_) => false,
        }
    }

    fn judge_anew(&mut self, line: &ResultsRow, stored: StoredRow) -> Result<(), Stop> {
        let raw = with_row(&line.input, stored.row);
        let (mut failed, known) = (None, self.known);
        let judged: Judged = self.judge.row_asking(&self.layout.file, &raw, &mut |order| {
            known.ask(order).unwrap_or_else(|stop| {
                failed = Some(stop);
                Ok(None)
            })
        });
        if let Some(stop) = failed {
            return Err(stop);
        }
        let notes = notes_of(&judged);
        let row = stored.row;
        let event = match judged.verdict {
            Ok(order) => {
                self.choice.send.insert(row);
                if !notes.is_empty() {
                    self.choice.remark(format!("row {row}: {}", notes.join("; ")));
                }
                Event::Readmitted { order: Box::new(order) }
            }
            Err(problem) => {
                let place =
                    if problem.column.is_empty() { String::new() } else { format!("{}: ", problem.column) };
                let message = format!("{place}{}", problem.message);
                self.choice.remark(format!("row {row}: still wrong, {message}"));
                Event::Rejudged { reason: problem.reason, message }
            }
        };
        let cells = self.layout.cells(&raw, &stored.cells);
        self.choice.rejudged.push(Rejudged { stored, cells, event });
        Ok(())
    }
}

fn with_row(raw: &RawRow, row: RowNumber) -> RawRow {
    RawRow { row, ..raw.clone() }
}

/// Whether the row was submitted to a provider that cannot be asked about it.
fn is_blind(stored: &StoredRow) -> bool {
    let kind = stored.order.as_ref().map(|order| order.account.kind);
    stored.state.submits > 0 && kind == Some(ProviderKind::ConnectTopup)
}

/// Whether two orders buy the same for the same number through the same account.
fn same(one: &Order, other: &Order) -> bool {
    one.phone == other.phone
        && one.goods == other.goods
        && one.amount == other.amount
        && one.operator == other.operator
        && one.account == other.account
}
