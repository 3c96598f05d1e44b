//! Floor 2: ledger rows become results rows, totals and the summary. Pure: writers come in, nothing is opened.

mod advice;
mod effective;
mod page;
mod reconcile;
mod results;
#[cfg(test)]
mod sample;
mod text;
mod totals;
mod words;
mod workbook;

pub use advice::advice;
pub use effective::{Effective, ProviderHalt, REBUILT_NOTE, RunView, effective};
pub use page::{Chronicle, Facts, Gatherer, NextStep, RowStep, render, report_mark};
pub use reconcile::{
    Class, ClassLine, CurrencyLine, Finding, Group, Said, Stand, Stated, StatusWords, Tally,
};
pub use results::{OutputDialect, RESULT_COLUMNS, ResultsWriter, result_cells};
pub use totals::{Counts, HaltLine, SumTooLarge, Summary, Total, Totals};
pub use words::{OrderWords, RowWords, StateWords, Words};
pub use workbook::{BOOK_COLUMNS_MAX, BOOK_ROWS_MAX, BookFacts, ResultsBook};
