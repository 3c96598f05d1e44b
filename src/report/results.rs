//! The results file (`contract.md` 4): the input's cells, then ours, one line a row. Pure: it writes to any
//! writer.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::effective::{RunView, shown};
use super::words::{RowWords, Words};
use crate::domain::{BatchName, Currency, Reason, Rfc3339, WallTime, neutralise};
use crate::lifecycle::StoredRow;

/// Our columns, in the order of the contract.
pub const RESULT_COLUMNS: [&str; 19] = [
    "topup_status",
    "topup_next",
    "topup_reason",
    "topup_message",
    "topup_provider",
    "topup_operator",
    "topup_phone",
    "topup_amount",
    "topup_currency",
    "topup_cost",
    "topup_cost_currency",
    "topup_transaction_id",
    "topup_provider_ref",
    "topup_code",
    "topup_attempts",
    "topup_submitted_at",
    "topup_final_at",
    "topup_batch",
    "topup_row",
];

/// How the results file is written: as the input was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputDialect {
    /// Between two cells.
    pub delimiter: u8,
    /// Lines end in CR LF, else in LF.
    pub crlf: bool,
    /// The file starts with a UTF-8 byte order mark.
    pub bom: bool,
}

/// Our cells of one row, in the order of [`RESULT_COLUMNS`], not yet neutralised. `columns` is how many the
/// input's header has: cells beyond them are named in the message, so that nothing is lost.
pub fn result_cells(row: &StoredRow, columns: usize, batch: &BatchName, run: &RunView) -> [String; 19] {
    let mut cells = <[String; 19]>::default();
    let mut places = cells.iter_mut();
    let mut beyond = row.cells.iter().skip(columns).map(String::as_str);
    let told: Result<(), std::convert::Infallible> = each_cell(
        &RowWords::of(row),
        &mut beyond,
        batch.as_str(),
        run,
        &mut Scratch::default(),
        &mut |cell| {
            if let Some(place) = places.next() {
                cell.clone_into(place);
            }
            Ok(())
        },
    );
    let Ok(()) = told;
    cells
}

/// Room to write cells in.
#[derive(Default)]
struct Scratch {
    text: String,
    times: Rfc3339,
}

impl Scratch {
    fn plain(&mut self, value: Option<impl std::fmt::Display>) -> &str {
        self.text.clear();
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _written = write!(self.text, "{value}");
        }
        &self.text
    }

    fn amount(&mut self, amount: Option<Decimal>) -> &str {
        // Most are whole and small.
        match amount.map(|amount| (amount.scale(), u64::try_from(amount.mantissa()), amount)) {
            Some((0, Ok(whole), _)) => self.plain(Some(whole)),
            Some((_, _, amount)) => self.plain(Some(amount.normalize())),
            None => self.plain(None::<u64>),
        }
    }

    fn time(&mut self, at: Option<WallTime>) -> &str {
        self.text.clear();
        if let Some(at) = at {
            self.times.write(at, &mut self.text);
        }
        &self.text
    }
}

/// Hands over our cells of one row, one after the other. `beyond` are the row's cells beyond the header.
fn each_cell<E>(
    row: &RowWords<'_>,
    beyond: &mut dyn Iterator<Item = &str>,
    batch: &str,
    run: &RunView,
    scratch: &mut Scratch,
    each: &mut impl FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    let (state, order) = (&row.state, row.order.as_ref());
    let shown = shown(row, run);
    let (amount, currency) = row.asked().map_or((None, None), |(amount, cur)| (Some(amount), cur));
    let operator = state.operator.as_ref().or(order.and_then(|o| o.operator.as_ref()));
    each(state.phase.status().as_str())?;
    each(shown.next.as_str())?;
    each(shown.reason.map(Reason::as_str).unwrap_or_default())?;
    each(&with_surplus(shown.message, beyond))?;
    each(order.map(|o| o.provider.as_str()).unwrap_or_default())?;
    each(operator.map(Words::as_str).unwrap_or_default())?;
    each(order.map(|o| o.phone.digits()).unwrap_or_default())?;
    each(scratch.amount(amount))?;
    each(currency.as_ref().map(Currency::code).unwrap_or_default())?;
    each(scratch.amount(state.cost.map(|cost| cost.amount)))?;
    each(state.cost.as_ref().map(|cost| cost.currency.code()).unwrap_or_default())?;
    each(state.id.as_ref().map(Words::as_str).unwrap_or_default())?;
    each(state.provider_ref.as_ref().map(Words::as_str).unwrap_or_default())?;
    each(state.code.as_ref().map(Words::as_str).unwrap_or_default())?;
    each(scratch.plain(Some(state.submits)))?;
    each(scratch.time(state.submitted_at))?;
    each(scratch.time(state.final_at))?;
    each(batch)?;
    each(scratch.plain(Some(row.row)))
}

fn with_surplus<'m>(message: Cow<'m, str>, beyond: &mut dyn Iterator<Item = &str>) -> Cow<'m, str> {
    let surplus: Vec<&str> = beyond.collect();
    if surplus.is_empty() {
        return message;
    }
    let named = format!("cells beyond the header: {}", surplus.join(" | "));
    if message.is_empty() { named.into() } else { format!("{message}; {named}").into() }
}

/// Writes one results file, row after row.
pub struct ResultsWriter<W: Write> {
    out: csv::Writer<W>,
    columns: usize,
    batch: BatchName,
    run: RunView,
    scratch: Scratch,
}

impl<W: Write> ResultsWriter<W> {
    /// Writes the header: the input's, then ours.
    ///
    /// # Errors
    /// The writer's.
    pub fn new(
        mut out: W,
        dialect: OutputDialect,
        header: &[String],
        batch: &BatchName,
        run: RunView,
    ) -> io::Result<Self> {
        if dialect.bom {
            out.write_all("\u{feff}".as_bytes())?;
        }
        let terminator = if dialect.crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut out =
            csv::WriterBuilder::new().delimiter(dialect.delimiter).terminator(terminator).from_writer(out);
        for cell in header {
            out.write_field(neutralise(cell).as_bytes())?;
        }
        out.write_record(RESULT_COLUMNS)?;
        Ok(Self { out, columns: header.len(), batch: batch.clone(), run, scratch: Scratch::default() })
    }

    /// Writes one row. Short rows are padded.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(&mut self, row: &StoredRow) -> io::Result<()> {
        self.write_words(row.cells.iter().map(String::as_str), &RowWords::of(row))
    }

    /// As [`ResultsWriter::write`], of the row's cells and what it says.
    ///
    /// # Errors
    /// The writer's.
    pub fn write_words<'c>(
        &mut self,
        mut cells: impl Iterator<Item = &'c str>,
        row: &RowWords<'_>,
    ) -> io::Result<()> {
        let Self { out, columns, batch, run, scratch } = self;
        let mut write = |cell: &str| out.write_field(neutralise(cell).as_bytes());
        for _ in 0..*columns {
            write(cells.next().unwrap_or_default())?;
        }
        each_cell(row, &mut cells, batch.as_str(), run, scratch, &mut write)?;
        Ok(self.out.write_record(None::<&[u8]>)?)
    }

    /// Flushes and gives the writer back.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(self) -> io::Result<W> {
        self.out.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Money, ProviderRef, Refusal, TransactionId, restore};
    use crate::lifecycle::{Phase, TopUp};
    use crate::report::sample::{airtime_row, data_row};

    const PLAIN: OutputDialect = OutputDialect { delimiter: b',', crlf: false, bom: false };

    fn file(dialect: OutputDialect, header: &[&str], rows: &[StoredRow]) -> String {
        let header: Vec<String> = header.iter().map(ToString::to_string).collect();
        let batch = BatchName::parse("pay-0a1b2c3d").unwrap();
        let mut writer =
            ResultsWriter::new(Vec::new(), dialect, &header, &batch, RunView::default()).unwrap();
        for row in rows {
            writer.write(row).unwrap();
        }
        String::from_utf8(writer.finish().unwrap()).unwrap()
    }

    #[test]
    fn a_results_row_is_the_inputs_cells_and_then_ours() {
        let mut row = airtime_row(1);
        row.state = TopUp {
            phase: Phase::Succeeded,
            id: Some(TransactionId::parse("ABCDEFGHIJKLMNOPQRST").unwrap()),
            submits: 2,
            message: "done".to_owned(),
            code: Some("-3".to_owned()),
            cost: Some(Money::parse("19400.50", "VND").unwrap()),
            provider_ref: Some(ProviderRef::parse("9007199254740993").unwrap()),
            submitted_at: Some(WallTime(1_000_000)),
            final_at: Some(WallTime(2_500_000)),
            ..TopUp::ready()
        };
        let text = file(PLAIN, &["phone", "note"], &[row]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], format!("phone,note,{}", RESULT_COLUMNS.join(",")));
        assert_eq!(
            lines[1],
            "0912345601,\"a, b\",succeeded,none,,done,vietnam,VTL,84912345601,20000,VND,19400.5,VND,\
             ABCDEFGHIJKLMNOPQRST,9007199254740993,-3,2,1970-01-01T00:00:01.000Z,1970-01-01T00:00:02.500Z,\
             pay-0a1b2c3d,1"
        );
    }

    #[test]
    fn the_dialect_is_the_inputs_own() {
        let dialect = OutputDialect { delimiter: b';', crlf: true, bom: true };
        let text = file(dialect, &["phone", "note"], &[airtime_row(1)]);
        assert!(text.starts_with("\u{feff}phone;note;topup_status;"));
        assert_eq!(text.matches("\r\n").count(), 2);
        assert!(text.contains("\r\n0912345601;a, b;not_sent;retry;interrupted;"));
    }

    #[test]
    fn data_is_reported_at_its_price_once_known_and_at_its_ceiling_before() {
        let mut row = data_row(1);
        let batch = BatchName::parse("pay-0a1b2c3d").unwrap();
        let cells = result_cells(&row, 2, &batch, &RunView::default());
        assert_eq!((cells[7].as_str(), cells[8].as_str()), ("50", ""));
        row.state.price = Some(Money::parse("46.0000", "CNY").unwrap());
        let cells = result_cells(&row, 2, &batch, &RunView::default());
        assert_eq!((cells[7].as_str(), cells[8].as_str()), ("46", "CNY"));
    }

    #[test]
    fn short_rows_are_padded_and_cells_beyond_the_header_are_named() {
        let mut short = airtime_row(1);
        short.cells = vec!["0912345601".to_owned()];
        let mut long = airtime_row(2);
        long.cells = ["x", "y", "=z", "w"].map(str::to_owned).to_vec();
        long.order = None;
        let refusal = Refusal { reason: Reason::BadRow, message: "4 cells under 2 columns".to_owned() };
        long.state = TopUp::invalid(refusal, WallTime(0));
        let text = file(PLAIN, &["phone", "note"], &[short, long]);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(&rows[0][1], "");
        assert_eq!(&rows[1][4], "bad_row");
        assert_eq!(&rows[1][5], "4 cells under 2 columns; cells beyond the header: =z | w");
    }

    proptest! {
        #[test]
        fn any_cell_survives_the_way_through_a_results_file(
            cells in proptest::collection::vec("['=+@\\t\\r\\n\",;0-9a-z]{0,8}|\\PC*", 2)
        ) {
            let mut row = airtime_row(1);
            row.cells.clone_from(&cells);
            let text = file(PLAIN, &["phone", "note"], &[row]);
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
            prop_assert_eq!(rows.len(), 1);
            prop_assert_eq!(restore(&rows[0][0]), cells[0].as_str());
            prop_assert_eq!(restore(&rows[0][1]), cells[1].as_str());
        }
    }
}
