//! One row as a table of the page shows it: its number masked, foreign texts on one line.

use crate::domain::{ProviderRef, Reason, Status, TransactionId};
use crate::intake::{Column, Columns};
use crate::lifecycle::StoredRow;
use crate::report::effective::{REBUILT_NOTE, RunView, effective};
use crate::report::text::{Veil, amount, clean, moment};

/// A row, ready to be shown (and still to be escaped).
#[derive(Clone, Debug, Default)]
pub(super) struct RowLine {
    pub(super) row: u64,
    pub(super) line: u64,
    pub(super) phone: String,
    pub(super) reference: String,
    pub(super) provider: String,
    pub(super) operator: String,
    pub(super) amount: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) next: String,
    pub(super) message: String,
    pub(super) ids: String,
    pub(super) submitted: String,
}

/// Makes [`RowLine`]s of the rows of one file.
#[derive(Debug)]
pub(super) struct RowLiner {
    columns: Option<Columns>,
    show_phones: bool,
}

impl RowLiner {
    /// For a file with this header. Where titles were mapped by hand, a wrong row shows no cells: which of them
    /// holds the number is not known.
    pub(super) fn new(header: &[String], show_phones: bool) -> Self {
        let columns = Columns::find(header, 1, &[]).ok();
        Self { columns: columns.filter(|columns| columns.place(Column::Phone).is_some()), show_phones }
    }

    fn cell<'r>(&self, row: &'r StoredRow, column: Column) -> &'r str {
        let place = self.columns.as_ref().and_then(|columns| columns.place(column));
        place.and_then(|place| row.cells.get(place)).map(String::as_str).unwrap_or_default()
    }

    fn veil(&self, row: &StoredRow) -> Veil {
        let phone = row.order.as_ref().map(|order| order.phone.digits());
        Veil::of(self.show_phones, phone.unwrap_or(self.cell(row, Column::Phone)))
    }

    /// A row with all that is known of it.
    pub(super) fn line(&self, row: &StoredRow, run: &RunView) -> RowLine {
        let (state, order, veil) = (&row.state, row.order.as_ref(), self.veil(row));
        let shown = effective(row, run);
        let phone = order.map_or(self.cell(row, Column::Phone), |order| order.phone.digits());
        let reference = order.map_or(Some(self.cell(row, Column::Reference)), |o| o.reference.as_deref());
        let asked = row.asked().map(|(asked, currency)| {
            format!("{} {}", amount(asked), currency.map(|c| c.to_string()).unwrap_or_default())
        });
        let ids = [
            state.id.as_ref().map(TransactionId::as_str),
            state.provider_ref.as_ref().map(ProviderRef::as_str),
        ];
        let ids: Vec<&str> = ids.into_iter().flatten().collect();
        RowLine {
            row: row.row.0,
            line: row.line,
            phone: veil.phone(phone),
            reference: veil.text(reference.unwrap_or_default()),
            provider: clean(order.map(|o| o.provider.as_str()).unwrap_or_default()),
            operator: clean(
                state.operator.as_deref().or(order.and_then(|o| o.operator.as_deref())).unwrap_or_default(),
            ),
            amount: asked.unwrap_or_else(|| veil.text(self.cell(row, Column::Amount))),
            status: state.status().to_string(),
            reason: shown.reason.map(|reason| reason.to_string()).unwrap_or_default(),
            next: shown.next.to_string(),
            message: veil.text(&shown.message),
            ids: veil.ids(&ids.join(" · ")),
            submitted: state.submitted_at.map(moment).unwrap_or_default(),
        }
    }

    /// Whether a row is a duplicate, a repeat, or was repaired or warned about.
    pub(super) fn is_odd(&self, row: &StoredRow) -> bool {
        row.notes.iter().any(|note| is_told(&note)) || doubled(row)
    }

    /// A row with what is odd about it.
    pub(super) fn oddity(&self, row: &StoredRow, run: &RunView) -> RowLine {
        let veil = self.veil(row);
        let mut parts: Vec<&str> = row.notes.iter().filter(is_told).map(String::as_str).collect();
        if doubled(row) {
            parts.insert(0, &row.state.message);
        }
        RowLine { message: veil.text(&parts.join("; ")), ..self.line(row, run) }
    }
}

/// A note about this row: that the whole ledger was rebuilt is told once, at the head of the page.
fn is_told(note: &&String) -> bool {
    note.as_str() != REBUILT_NOTE
}

fn doubled(row: &StoredRow) -> bool {
    row.state.status() == Status::Invalid
        && matches!(row.state.reason, Some(Reason::DuplicateRow | Reason::RecentRepeat))
}
