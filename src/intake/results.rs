//! Our own results files, read again for a retry: the input's cells as they were, and ours apart.

use std::path::Path;

use super::source::Mode;
use super::{Cells, Columns, Dialect, Digest, Fault, FileFault, Mapping, Overrides, RawRow, Source};
use crate::domain::restore;

macro_rules! topup_columns {
    ($($(#[$meta:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// A column that results files have after the input's (`contract.md` 4).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum TopupColumn { $($(#[$meta])* $variant),+ }

        impl TopupColumn {
            /// Every one, in the order of the file.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The title.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        /// The titles, in the order of the file.
        pub const TOPUP_COLUMNS: &[&str] = &[$($name),+];
    };
}

topup_columns! {
    /// What became of the row.
    Status = "topup_status",
    /// What to do with it.
    Next = "topup_next",
    /// Why, as a stable word.
    Reason = "topup_reason",
    /// Why, for a person.
    Message = "topup_message",
    /// Entry of the configuration.
    Provider = "topup_provider",
    /// Operator.
    Operator = "topup_operator",
    /// Canonical number.
    Phone = "topup_phone",
    /// What was asked for.
    Amount = "topup_amount",
    /// Its currency.
    Currency = "topup_currency",
    /// What the provider says it charged.
    Cost = "topup_cost",
    /// Its currency.
    CostCurrency = "topup_cost_currency",
    /// Our id.
    TransactionId = "topup_transaction_id",
    /// The provider's id.
    ProviderRef = "topup_provider_ref",
    /// The provider's last code.
    Code = "topup_code",
    /// Submits that may have reached the provider.
    Attempts = "topup_attempts",
    /// First submit.
    SubmittedAt = "topup_submitted_at",
    /// When it became final.
    FinalAt = "topup_final_at",
    /// Ledger key: batch.
    Batch = "topup_batch",
    /// Ledger key: row.
    Row = "topup_row",
}

impl TopupColumn {
    /// The column with this title; case and spaces around it do not matter.
    pub fn of(title: &str) -> Option<Self> {
        let title = title.trim();
        Self::ALL.iter().copied().find(|column| column.as_str().eq_ignore_ascii_case(title))
    }

    fn index(self) -> usize {
        Self::ALL.iter().position(|column| *column == self).unwrap_or(0)
    }
}

/// One row of a results file.
#[derive(Clone, Debug, Default)]
pub struct ResultsRow {
    /// The input's cells, as they were before they were disarmed. `row` counts rows of this file; the row of
    /// the batch stands in [`TopupColumn::Row`].
    pub input: RawRow,
    topup: Cells,
}

impl ResultsRow {
    /// One of our cells; empty when the file lacks the column.
    pub fn topup(&self, column: TopupColumn) -> &str {
        self.topup.get(column.index()).unwrap_or_default()
    }
}

/// A results file that is read row by row.
pub struct ResultsSource {
    source: Source,
    header: Vec<String>,
    columns: Columns,
    /// Where the input's columns stand.
    input: Vec<usize>,
    /// Where ours stand, by [`TopupColumn`].
    topup: Vec<Option<usize>>,
    raw: RawRow,
}

impl ResultsSource {
    /// Opens a results file.
    ///
    /// # Errors
    /// [`FileFault`] as [`Source::open`]; [`Fault::NotResults`] when `topup_batch` or `topup_row` is
    /// missing; [`Fault::DoubleColumn`] when one of ours stands twice.
    pub fn open(path: &Path, overrides: &Overrides) -> Result<Self, FileFault> {
        let source = Source::open_as(path, overrides, Mode::Results)?;
        let name = path.display().to_string();
        Self::split(source, &overrides.map).map_err(|fault| fault.of(&name))
    }

    fn split(source: Source, map: &Mapping) -> Result<Self, Fault> {
        let line = source.header_line();
        let (mut input, mut header) = (Vec::new(), Vec::new());
        let mut topup: Vec<Option<usize>> = vec![None; TopupColumn::ALL.len()];
        for (place, title) in source.header().iter().enumerate() {
            let Some(column) = TopupColumn::of(title) else {
                input.push(place);
                header.push(if source.is_plain() { title.clone() } else { restore(title).to_owned() });
                continue;
            };
            let Some(slot) = topup.get_mut(column.index()) else { continue };
            if slot.replace(place).is_some() {
                let (first, second) = (title.clone(), title.clone());
                return Err(Fault::DoubleColumn { line, meaning: column.as_str(), first, second });
            }
        }
        for needed in [TopupColumn::Batch, TopupColumn::Row] {
            if topup.get(needed.index()).copied().flatten().is_none() {
                return Err(Fault::NotResults(needed.as_str()));
            }
        }
        let columns = Columns::find(&header, line, map)?;
        Ok(Self { source, header, columns, input, topup, raw: RawRow::default() })
    }

    /// Titles of the input's columns.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Where the columns with a meaning stand among the input's.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Whether the file still has this one of our columns.
    pub fn has(&self, column: TopupColumn) -> bool {
        self.topup.get(column.index()).copied().flatten().is_some()
    }

    /// How the file is written.
    pub fn dialect(&self) -> &Dialect {
        self.source.dialect()
    }

    /// Reads the next row. `false`: the end.
    ///
    /// # Errors
    /// As [`Source::next_row`].
    pub fn next_row(&mut self, row: &mut ResultsRow) -> Result<bool, FileFault> {
        if !self.source.next_row(&mut self.raw)? {
            return Ok(false);
        }
        let plain = self.source.is_plain();
        let cell = |place: usize| {
            let cell = self.raw.cells.get(place).unwrap_or_default();
            if plain { cell } else { restore(cell) }
        };
        row.input.cells.clear();
        self.input.iter().for_each(|place| row.input.cells.push(cell(*place)));
        row.topup.clear();
        self.topup.iter().for_each(|place| row.topup.push(place.map_or("", cell)));
        row.input.row = self.raw.row;
        row.input.line = self.raw.line;
        row.input.broken = self.raw.broken.clone();
        Ok(true)
    }

    /// Reads what is left and tells what the file was.
    ///
    /// # Errors
    /// As [`Source::finish`].
    pub fn finish(self) -> Result<Digest, FileFault> {
        self.source.finish()
    }
}
