//! What the checker is given: input, results, summary, exit code, charge log and the ids the ledger holds, read
//! here and nowhere else.

use std::collections::BTreeMap;
use std::path::Path;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value;

/// A line of the charge log.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Line {
    pub at: String,
    pub provider: String,
    pub event: String,
    pub call: String,
    pub id: String,
    #[serde(rename = "ref")]
    pub reference: String,
    pub phone: String,
    pub amount: String,
    pub product: String,
    pub code: String,
    pub malformed: Option<String>,
    pub fault: Option<String>,
    pub in_flight: Option<u64>,
    pub settles_as: Option<String>,
}

/// An intent of the ledger.
#[derive(Clone, Debug)]
pub struct Intent {
    pub row: usize,
    pub id: String,
}

/// Everything there is to judge one batch by.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pub input: Table,
    pub results: Table,
    pub log: Vec<Line>,
    pub exit: Option<i32>,
    pub summary: Option<Value>,
    pub intents: Vec<Intent>,
    /// Nothing is under way any more, at no provider and in no process: completeness can be asked for.
    pub quiet: bool,
    /// More submits at once than this are too many.
    pub in_flight_most: u64,
}

/// A file of cells.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub fn parse(text: &str) -> Table {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let own = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
        let header = own(reader.headers().unwrap());
        let rows = reader.records().map(|record| own(&record.unwrap())).collect();
        Table { header, rows }
    }

    pub fn read(path: &Path) -> Table {
        Table::parse(&std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
    }

    /// A cell by its column; empty where there is none.
    pub fn cell(&self, row: usize, column: &str) -> &str {
        let place = self.header.iter().position(|title| title == column);
        place.and_then(|place| self.rows.get(row)?.get(place)).map_or("", String::as_str)
    }

    /// How often each word stands in a column.
    pub fn count(&self, column: &str) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for row in 0..self.rows.len() {
            *counts.entry(self.cell(row, column).to_owned()).or_insert(0) += 1;
        }
        counts
    }
}

/// Reads a charge log; a last line without its end was never written.
pub fn read_log(text: &str) -> Vec<Line> {
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

pub fn read_log_file(path: &Path) -> Vec<Line> {
    read_log(&std::fs::read_to_string(path).unwrap_or_default())
}

/// An exact decimal; none for a cell that holds none.
pub fn decimal(text: &str) -> Option<Decimal> {
    text.trim().parse::<Decimal>().ok().map(|number| number.normalize())
}
