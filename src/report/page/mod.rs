//! The report page: one self-contained HTML file about one batch, for people who check the money. Pure: rows and
//! events come in ([`Gatherer`], [`Chronicle`]), text comes out ([`render`]). No script, no reference to anything
//! outside; every foreign text is cleaned of hidden characters and escaped.

mod capped;
mod charts;
mod chronicle;
mod figures;
mod gather;
mod rowline;
mod spans;
mod tables;
#[cfg(test)]
mod tests;
mod timeline;
mod view;

pub use chronicle::Chronicle;
pub use gather::{Gatherer, RowStep};
pub use view::{Facts, NextStep, render, report_mark};
