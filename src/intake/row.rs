//! One line of the file as cells, kept in buffers that are used again for the next line.

use crate::domain::RowNumber;

use super::{CELL_BYTES_MAX, LINE_BYTES_MAX};

/// Cells of one line. Reused: reading the next line into it allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Cells {
    text: String,
    /// Where each cell stands in `text`.
    spans: Vec<(usize, usize)>,
}

impl Cells {
    /// The cell at this index, from 0.
    pub fn get(&self, index: usize) -> Option<&str> {
        self.spans.get(index).and_then(|(start, end)| self.text.get(*start..*end))
    }

    /// How many cells the line has.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether the line has no cell at all.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The cells in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.spans.iter().map(|(start, end)| self.text.get(*start..*end).unwrap_or_default())
    }

    /// Whether no cell holds anything but spaces: such a line is no row.
    pub fn is_blank(&self) -> bool {
        self.iter().all(|cell| cell.trim().is_empty())
    }

    /// Forgets the line, keeps the buffers.
    pub fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
    }

    /// Adds a cell.
    pub fn push(&mut self, cell: &str) {
        let start = self.text.len();
        self.text.push_str(cell);
        self.spans.push((start, self.text.len()));
    }

    /// Adds text to the cell being built; [`Cells::end_cell`] ends it.
    pub(super) fn extend(&mut self, part: &str) {
        self.text.push_str(part);
    }

    /// Ends the cell that [`Cells::extend`] built.
    pub(super) fn end_cell(&mut self) {
        let start = self.spans.last().map_or(0, |(_, end)| *end);
        self.spans.push((start, self.text.len()));
    }

    /// Takes a line without quotes: one copy, cells are spans of it.
    pub(super) fn set_plain(&mut self, line: &str, delimiter: u8) {
        self.clear();
        self.text.push_str(line);
        let mut start = 0;
        for at in memchr::memchr_iter(delimiter, line.as_bytes()) {
            self.spans.push((start, at));
            start = at + 1;
        }
        self.spans.push((start, line.len()));
    }

    /// The first cell that is longer than a cell may be.
    pub(super) fn oversized(&self) -> Option<usize> {
        if self.text.len() <= CELL_BYTES_MAX {
            return None;
        }
        self.spans.iter().position(|(start, end)| end - start > CELL_BYTES_MAX)
    }
}

/// Why a line cannot be a row as it stands (`bad_row`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Too few or too many cells.
    #[error(
        "the line has {found} cells, the header has {expected}; every column needs a title, and a cell that holds the delimiter needs quotes around it"
    )]
    Ragged {
        /// Cells of the line.
        found: usize,
        /// Cells of the header.
        expected: usize,
    },
    /// A cell over 32 KiB.
    #[error("cell {0} is longer than {max} bytes", max = CELL_BYTES_MAX)]
    CellTooLong(usize),
    /// A line over 1 MiB; only its beginning is kept.
    #[error("the line is longer than {max} bytes", max = LINE_BYTES_MAX)]
    LineTooLong,
    /// Text after a closing quote.
    #[error("cell {0} has text after its closing quote; double the quotes inside a quoted cell")]
    StrayQuote(usize),
}

/// One row of the file.
#[derive(Clone, Debug)]
pub struct RawRow {
    /// Which row, from 1; the header and blank lines do not count.
    pub row: RowNumber,
    /// Line of the file it begins on, from 1 (workbook: row of the sheet).
    pub line: u64,
    /// Its cells, as they stand in the file.
    pub cells: Cells,
    /// Set when it cannot be read as a row.
    pub broken: Option<Broken>,
}

impl Default for RawRow {
    fn default() -> Self {
        Self { row: RowNumber(0), line: 0, cells: Cells::default(), broken: None }
    }
}
