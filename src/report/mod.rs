//! Floor 2: ledger rows become results rows, totals and the summary. Pure: writers come in, nothing is opened.

mod effective;
mod reconcile;
mod results;
#[cfg(test)]
mod sample;
mod totals;
mod workbook;

pub use effective::{Effective, ProviderHalt, RunView, effective};
pub use reconcile::{
    Class, ClassLine, CurrencyLine, Finding, Group, Said, Stand, Stated, StatusWords, Tally,
};
pub use results::{OutputDialect, RESULT_COLUMNS, ResultsWriter, result_cells};
pub use totals::{Counts, HaltLine, SumTooLarge, Summary, Total, Totals};
pub use workbook::{BOOK_COLUMNS_MAX, BOOK_ROWS_MAX, BookFacts, ResultsBook};
