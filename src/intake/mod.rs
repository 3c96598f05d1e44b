//! Floor 1: from bytes to rows. Encoding, dialect, header and cells of a CSV file or workbook are found out
//! from a bounded head; then rows stream through buffers that do not grow with the file.

mod below;
mod bytes;
mod columns;
mod dialect;
mod encoding;
mod fault;
mod foreign;
mod hidden;
mod records;
mod results;
mod row;
mod source;
mod workbook;
mod xls;

pub use columns::{Column, Columns, Mapping};
pub use dialect::{Dialect, LineEnd};
pub use fault::{Fault, FileFault};
pub use results::{ResultsRow, ResultsSource, TOPUP_COLUMNS, TopupColumn};
pub use row::{Broken, Cells, RawRow};
pub use source::{Digest, Overrides, Source};

/// Longest line (record), in bytes of UTF-8: no honest row is near it, and it bounds memory.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// Longest cell, in bytes of UTF-8: a little over what a spreadsheet lets a cell hold (32,767 characters).
pub const CELL_BYTES_MAX: usize = 32 << 10;
