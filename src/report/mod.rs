//! Floor 2: ledger rows become results rows, totals and the summary. Pure: writers come in, nothing is opened.

mod advice;
mod effective;
mod page;
mod results;
#[cfg(test)]
mod sample;
mod text;
mod totals;

pub use advice::advice;
pub use effective::{Effective, ProviderHalt, REBUILT_NOTE, RunView, effective};
pub use page::{Chronicle, Facts, Gatherer, NextStep, RowStep, render, report_mark};
pub use results::{OutputDialect, RESULT_COLUMNS, ResultsWriter, result_cells};
pub use totals::{Counts, HaltLine, SumTooLarge, Summary, Total, Totals};
