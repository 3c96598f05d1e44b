//! A file judged from its first row to its last, with what the ledger and the catalogues know.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::stop::Stop;
use super::twins::{Twin, Twins};
use crate::admission::{Caps, Judge, Judged, Policy, Problem, ProviderRule, Totals};
use crate::domain::{
    BatchName, Catalogue, Country, Currency, Goods, Money, Order, ProviderKind, Reason, Refusal, RowNumber,
    WallTime,
};
use crate::intake::{Column, Columns, Dialect, Digest, LineEnd, Overrides, RawRow, Source};
use crate::ledger::{BatchId, Ledger};
use crate::numbering::PhonePlan;
use crate::protocol::rules;
use crate::report::OutputDialect;
use crate::settings::{Limits, Settings};

/// An input file and what its name and bytes make of it.
#[derive(Clone, Debug)]
pub struct InputFile {
    /// Where its bytes are: the file itself, or the spooled standard input.
    pub path: PathBuf,
    /// Its name for people.
    pub shown: String,
    /// Stem of the batch's name.
    pub stem: String,
    /// The batch its bytes are.
    pub batch: BatchName,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// How to read it.
    pub overrides: Overrides,
}

impl InputFile {
    /// A file whose batch is named after `stem` and its bytes. Its head is read first, so that a file that cannot
    /// be one is told at once; nothing is judged.
    ///
    /// # Errors
    /// [`Stop`] with exit 2: not a file of rows, or `stem` cannot name a batch.
    pub fn open(path: PathBuf, shown: String, stem: String, overrides: Overrides) -> Result<Self, Stop> {
        Source::open(&path, &overrides)?;
        let sha256 = hash_file(&path)?;
        if stem.is_empty() || stem.chars().any(|c| c.is_control() || c == '/' || c == '\\') {
            return Err(Stop::refused(format!(
                "{stem:?} cannot name a batch; use --batch NAME with a plain word"
            )));
        }
        Ok(Self { batch: BatchName::of_file(&stem, &sha256), path, shown, stem, sha256, overrides })
    }
}

/// SHA-256 of a file's bytes.
///
/// # Errors
/// [`Stop`] with exit 2 when it cannot be read.
pub fn hash_file(path: &Path) -> Result<[u8; 32], Stop> {
    let unreadable = |e: std::io::Error| Stop::refused(format!("{}: cannot be read: {e}", path.display()));
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0_u8; 1 << 18];
    loop {
        let count = std::io::Read::read(&mut file, &mut chunk).map_err(unreadable)?;
        if count == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(chunk.get(..count).unwrap_or_default());
    }
}

/// How results of a file are written.
pub fn output_dialect(dialect: &Dialect) -> OutputDialect {
    let workbook = dialect.sheet.is_some();
    OutputDialect {
        delimiter: if workbook { b',' } else { u8::try_from(dialect.delimiter).unwrap_or(b',') },
        crlf: workbook || dialect.line_end == LineEnd::CrLf,
        bom: dialect.results_bom(),
    }
}

/// The phone plans of the settings.
///
/// # Errors
/// [`Stop`] when a table that comes with the program is damaged.
pub fn phone_plan(settings: &Settings) -> Result<PhonePlan, Stop> {
    settings.phone_plan().map_err(|e| Stop::internal(e.to_string()))
}

/// What the settings say about judging.
pub fn policy(settings: &Settings, thousands: Option<char>, allow_duplicates: bool) -> Policy {
    let providers = settings.providers.iter().map(|entry| ProviderRule {
        name: entry.name.clone(),
        account: entry.account.clone(),
        countries: entry.countries.clone(),
        sells: None,
    });
    let caps = |caps: &BTreeMap<Currency, rust_decimal::Decimal>| {
        caps.iter().map(|(currency, cap)| (*currency, *cap)).collect::<HashMap<_, _>>()
    };
    let Limits { max_row, max_number, max_batch, .. } = &settings.limits;
    Policy {
        providers: providers.collect(),
        default_country: settings.default_country,
        thousands,
        caps: Caps { max_row: caps(max_row), max_number: caps(max_number), max_batch: caps(max_batch) },
        allow_duplicates,
        operator_code: rules::operator_code,
        judge_offline: rules::judge_offline,
    }
}

/// What is known beyond the file.
#[derive(Debug, Default)]
pub struct Known<'a> {
    /// What each provider entry sells, where it was asked.
    pub catalogues: HashMap<String, Catalogue>,
    /// The ledger and since when a repeat counts; none: repeats are not looked for.
    pub repeats: Option<(&'a Ledger, WallTime)>,
    /// The batch that is judged, if it is in the ledger already.
    pub except: Option<BatchId>,
}

impl Known<'_> {
    /// The equal order of another batch, in words.
    ///
    /// # Errors
    /// [`Stop`] when the ledger fails.
    pub fn repeat_of(&self, order: &Order) -> Result<Option<Refusal>, Stop> {
        let Some((ledger, since)) = self.repeats else { return Ok(None) };
        let found = ledger.recent_repeat(order, since, self.except)?;
        Ok(found.map(|repeat| Refusal {
            reason: Reason::RecentRepeat,
            message: format!(
                "the same order is row {} of batch {} ({}); --allow-repeats sends it all the same",
                repeat.row, repeat.batch, repeat.status
            ),
        }))
    }

    /// Puts a row that is good so far to catalogue and ledger.
    ///
    /// # Errors
    /// [`Stop`] when the ledger fails; the inner error is what is wrong with the row.
    pub fn ask(&self, order: &Order) -> Result<Result<Option<Money>, Refusal>, Stop> {
        if let Some(refusal) = self.repeat_of(order)? {
            return Ok(Err(refusal));
        }
        Ok(match self.catalogues.get(&order.provider) {
            Some(catalogue) => against_catalogue(order, catalogue),
            None => Ok(None),
        })
    }
}

/// What a catalogue says of an order before its number was looked up: the price of a productid; whether any
/// operator (or the one named) sells the amount.
fn against_catalogue(order: &Order, catalogue: &Catalogue) -> Result<Option<Money>, Refusal> {
    match (&order.goods, order.account.kind, order.amount) {
        (Goods::DataProduct(id), _, ceiling) => {
            let listed = catalogue.data.iter().find(|product| product.id == *id);
            if let Some((price, most)) = listed.map(|product| product.price).zip(ceiling)
                && price.amount > most
            {
                return Err(Refusal {
                    reason: Reason::UnsupportedAmount,
                    message: format!("product {id} costs {price}, more than the row's amount {most}"),
                });
            }
            Ok(listed.map(|product| product.price))
        }
        (Goods::Airtime, ProviderKind::Paynicorn, Some(amount)) => {
            let named = order.operator.as_deref();
            rules::judge_airtime(&catalogue.airtime, order.phone.country(), named, amount).map(|_| None)
        }
        (Goods::Airtime | Goods::DataSize { .. }, _, _) => Ok(None),
    }
}

/// Rows named of each kind of problem or note; all problems go into `--problems`.
const FIRST: usize = 10;

/// Problems of one kind, the first of them with their places.
#[derive(Clone, Debug, Default)]
pub struct ProblemGroup {
    /// How many rows.
    pub rows: u64,
    /// The first of them.
    pub first: Vec<RowProblem>,
}

/// What is wrong with one row.
#[derive(Clone, Debug)]
pub struct RowProblem {
    /// Row of the file.
    pub row: RowNumber,
    /// Line of the file.
    pub line: u64,
    /// Title of the column; empty for the whole row.
    pub column: String,
    /// The cell, whole.
    pub value: String,
    /// Stable word.
    pub reason: Reason,
    /// What is wrong and what to do.
    pub message: String,
}

impl RowProblem {
    /// A problem with its place.
    pub fn of(row: &RawRow, problem: &Problem) -> Self {
        Self {
            row: row.row,
            line: row.line,
            column: problem.column.clone(),
            value: problem.value.clone(),
            reason: problem.reason,
            message: problem.message.clone(),
        }
    }
}

/// Rows with the same repair or warning.
#[derive(Clone, Debug, Default)]
pub struct NoteGroup {
    /// How many rows.
    pub rows: u64,
    /// The first of them.
    pub first: Vec<RowNumber>,
}

/// What a file was judged to be.
#[derive(Debug)]
pub struct Survey {
    /// Bytes and rows.
    pub digest: Digest,
    /// How it is written.
    pub dialect: Dialect,
    /// Its titles.
    pub header: Vec<String>,
    /// Title of the phone column, whose cells are masked on screens.
    pub phone_title: String,
    /// Counts and sums.
    pub totals: Totals,
    /// What is wrong, by reason.
    pub problems: BTreeMap<Reason, ProblemGroup>,
    /// Repairs and warnings, by their words.
    pub notes: BTreeMap<String, NoteGroup>,
    /// Caps of the whole batch that are exceeded.
    pub over: Vec<String>,
    /// Countries of valid rows, by provider entry.
    pub countries: BTreeMap<String, Vec<Country>>,
    /// The batch of late that it is nearly the same as.
    pub twin: Option<Twin>,
}

/// What was found in the rows so far.
#[derive(Default)]
struct Found {
    problems: BTreeMap<Reason, ProblemGroup>,
    notes: BTreeMap<String, NoteGroup>,
    countries: BTreeMap<String, Vec<Country>>,
}

impl Found {
    fn count(&mut self, row: &RawRow, judged: &Judged) {
        match &judged.verdict {
            Err(problem) => {
                let group = self.problems.entry(problem.reason).or_default();
                group.rows += 1;
                if group.first.len() < FIRST {
                    group.first.push(RowProblem::of(row, problem));
                }
            }
            Ok(order) => {
                for note in notes_of(judged) {
                    let group = self.notes.entry(note).or_default();
                    group.rows += 1;
                    if group.first.len() < FIRST {
                        group.first.push(order.row);
                    }
                }
                let seen = match self.countries.get_mut(&order.provider) {
                    Some(seen) => seen,
                    None => self.countries.entry(order.provider.clone()).or_default(),
                };
                if !seen.contains(&order.phone.country()) {
                    seen.push(order.phone.country());
                }
            }
        }
    }
}

/// One pass over a file, row by row.
pub struct Surveyor<'a> {
    source: Source,
    columns: Columns,
    judge: Judge,
    known: &'a Known<'a>,
    twins: Option<Twins<'a>>,
    row: RawRow,
    found: Found,
    /// Counts of rows whose verdicts came later than the judge's; else the judge's own hold.
    later: Option<Totals>,
    max_batch: HashMap<Currency, rust_decimal::Decimal>,
}

impl<'a> Surveyor<'a> {
    /// Begins a pass with the phone plans of the settings.
    pub fn new(source: Source, policy: Policy, plan: PhonePlan, known: &'a Known<'a>) -> Self {
        Self {
            columns: source.columns().clone(),
            source,
            max_batch: policy.caps.max_batch.clone(),
            judge: Judge::with_plan(policy, plan).spill_to(tempfile::tempfile),
            known,
            twins: None,
            row: RawRow::default(),
            found: Found::default(),
            later: None,
        }
    }

    /// Compares the file with batches of late, too.
    #[must_use]
    pub fn comparing(mut self, twins: Option<Twins<'a>>) -> Self {
        self.twins = twins;
        self
    }

    /// The row judged last.
    pub fn row(&self) -> &RawRow {
        &self.row
    }

    /// Where the columns stand.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// How the file is written.
    pub fn dialect(&self) -> &Dialect {
        self.source.dialect()
    }

    /// Judges the next row and counts it; none at the end.
    ///
    /// # Errors
    /// [`Stop`]: the file or the ledger cannot be read.
    pub fn judge_next(&mut self) -> Result<Option<Judged>, Stop> {
        let judged = self.judge_uncounted()?;
        if let Some(judged) = &judged {
            self.found.count(&self.row, judged);
        }
        Ok(judged)
    }

    /// Judges the next row; [`Surveyor::count`] counts it when all is known about it.
    ///
    /// # Errors
    /// As [`Surveyor::judge_next`].
    pub fn judge_uncounted(&mut self) -> Result<Option<Judged>, Stop> {
        if !self.source.next_row(&mut self.row)? {
            return Ok(None);
        }
        let (mut failed, known, twins) = (None, self.known, &mut self.twins);
        let judged = self.judge.row_asking(&self.columns, &self.row, &mut |order| {
            let compared = twins.as_mut().map_or(Ok(()), |twins| twins.compare(order));
            compared.and_then(|()| known.ask(order)).unwrap_or_else(|stop| {
                failed = Some(stop);
                Ok(None)
            })
        });
        match failed {
            Some(stop) => Err(stop),
            None => Ok(Some(judged)),
        }
    }

    /// Counts a row with its last verdict.
    pub fn count(&mut self, row: &RawRow, judged: &Judged) {
        let counted =
            judged.verdict.as_ref().map(|order| (order, judged.price)).map_err(|problem| problem.reason);
        let (repaired, warned) = (!judged.repairs.is_empty(), !judged.warnings.is_empty());
        self.later.get_or_insert_default().count(counted, repaired, warned);
        self.found.count(row, judged);
    }

    /// Reads what is left and tells what the whole file is.
    ///
    /// # Errors
    /// As [`Surveyor::judge_next`]; also when the file changed while it was read.
    pub fn finish(mut self) -> Result<Survey, Stop> {
        while self.judge_next()?.is_some() {}
        let dialect = self.source.dialect().clone();
        let header = self.source.header().to_vec();
        let totals = self.later.unwrap_or_else(|| self.judge.totals().clone());
        let twin = self.twins.map(|twins| twins.finish(totals.rows)).transpose()?.flatten();
        let Found { problems, notes, countries } = self.found;
        Ok(Survey {
            digest: self.source.finish()?,
            dialect,
            header,
            phone_title: self.columns.title(Column::Phone).to_owned(),
            over: totals.over(&self.max_batch).iter().map(ToString::to_string).collect(),
            totals,
            problems,
            notes,
            countries,
            twin,
        })
    }
}

/// Repairs and warnings of a row, in words.
pub fn notes_of(judged: &Judged) -> Vec<String> {
    let repairs = judged.repairs.iter().map(|repair| repair.as_str().to_owned());
    repairs.chain(judged.warnings.iter().map(ToString::to_string)).collect()
}
