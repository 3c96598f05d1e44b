//! `reconcile BATCH --statement FILE`: a provider's statement against the ledger. Reads only: what is found is told,
//! never acted on.

use std::path::Path;

use crate::admission::amount;
use crate::cli::args::{GlobalArgs, ReconcileArgs};
use crate::cli::books::{Books, tell};
use crate::cli::context::{Context, Needs};
use crate::domain::mask_numbers;
use crate::intake::{Overrides, StatementColumn, StatementRow, StatementSource};
use crate::job::Exit;
use crate::job::Stop;
use crate::ledger::{BatchInfo, BatchProvider, Ledger};
use crate::numbering::PhonePlan;
use crate::report::{Said, Stand, Stated, StatusWords};

/// `reconcile`.
///
/// # Errors
/// [`Stop`] with exit 2: unknown batch or provider, or a statement that cannot be read; 1: the ledger failed.
pub async fn reconcile(global: &GlobalArgs, args: &ReconcileArgs) -> Result<Exit, Stop> {
    let context = Context::of(global, Needs::Ledger).await?;
    context.keep_off([args.statement.as_path()])?;
    let Some(ledger) = context.read_ledger()? else {
        let path = context.ledger_path.display();
        return Err(Stop::refused(format!("there is no ledger {path}: nothing was ever sent from it")));
    };
    let batch = context.find_batch(&ledger, &args.batch)?;
    let provider = choose(&ledger, &batch, args.provider.as_deref())?;
    if let Some(path) = args.output.as_deref().filter(|path| std::fs::symlink_metadata(path).is_ok()) {
        return Err(Stop::refused(format!(
            "{} is there already and is not overwritten; name a new file or remove it",
            path.display()
        )));
    }
    let source = open(args)?;
    let plan = PhonePlan::load().map_err(|e| Stop::internal(e.to_string()))?;
    let reader = Reader::new(args, &provider);
    let dialect = source.dialect().to_string();
    // One state of the ledger, whoever sends meanwhile.
    let books = ledger.snapshot(|_| {
        let keep_all = args.output.is_some();
        let mut books = Books::new(&ledger, &batch, &provider, &plan, source.columns().currency(), keep_all)?;
        books.take_statement(source, |row| reader.stated(row))?;
        books.compare()?;
        Ok::<_, Stop>(books)
    })?;
    if let Some(path) = &args.output {
        books.write(path)?;
    }
    tell(&context, args, &books, &dialect)
}

/// The provider entry that the statement is of.
fn choose(ledger: &Ledger, batch: &BatchInfo, named: Option<&str>) -> Result<BatchProvider, Stop> {
    let providers = ledger.providers_of(batch.id)?;
    let names = || providers.iter().map(|provider| provider.name.as_str()).collect::<Vec<_>>().join(", ");
    match (named, providers.as_slice()) {
        (_, []) => Err(Stop::refused(format!("batch {} has no row that could be sent", batch.name))),
        (None, [one]) => Ok(one.clone()),
        (None, [_, ..]) => Err(Stop::refused(format!(
            "batch {} went to several providers; say whose statement it is with --provider: {}",
            batch.name,
            names()
        ))),
        (Some(name), all) => all.iter().find(|provider| provider.name == name).cloned().ok_or_else(|| {
            Stop::refused(format!("batch {} has no rows of {name:?}; it has: {}", batch.name, names()))
        }),
    }
}

fn open(args: &ReconcileArgs) -> Result<StatementSource, Stop> {
    let mut map: Vec<(StatementColumn, String)> = Vec::new();
    for given in &args.intake.map {
        let refused = |why: String| Stop::refused(format!("--map {}={}: {why}", given.column, given.header));
        let column = StatementColumn::named(&given.column).ok_or_else(|| {
            let names = StatementColumn::ALL.map(StatementColumn::as_str).join(", ");
            refused(format!("{:?} is none of the columns of a statement: {names}", given.column))
        })?;
        if map
            .iter()
            .any(|(other, title)| *other == column || title.to_lowercase() == given.header.to_lowercase())
        {
            return Err(refused("this column or title was named before; name it once".to_owned()));
        }
        map.push((column, given.header.clone()));
    }
    let overrides = Overrides {
        encoding: args.intake.encoding.clone(),
        delimiter: args.intake.delimiter,
        sheet: args.intake.sheet.clone(),
        map: Vec::new(),
    };
    if args.statement == Path::new("-") {
        return Err(Stop::refused("a statement is read from a file: write it to one and name that"));
    }
    let source = StatementSource::open(&args.statement, &overrides, &map)?;
    let shown = args.statement.display();
    if source.columns().title(StatementColumn::Amount).is_none() {
        return Err(Stop::refused(format!(
            "{shown}: no column is named amount; say which one it is with --map amount=TITLE"
        )));
    }
    let for_all = args.status_words.iter().any(|said| said.word.is_empty());
    if source.columns().title(StatementColumn::Status).is_none() && !for_all {
        return Err(Stop::refused(format!(
            "{shown}: no column is named status; say which one it is with --map status=TITLE, or, if it lists only \
             what was charged, --status-word \"=succeeded\""
        )));
    }
    Ok(source)
}

/// Reads the cells of a line.
struct Reader {
    words: StatusWords,
    thousands: Option<char>,
}

impl Reader {
    fn new(args: &ReconcileArgs, provider: &BatchProvider) -> Self {
        let said: Vec<(String, Stand)> =
            args.status_words.iter().map(|said| (said.word.clone(), said.meaning)).collect();
        Self { words: StatusWords::new(provider.account.kind, &said), thousands: args.intake.thousands }
    }

    fn stated(&self, row: &StatementRow) -> Stated {
        let cell = |column| tidy(row.cell(column));
        let written = row.cell(StatementColumn::Amount);
        let amount = match amount::parse(written, None, self.thousands) {
            Ok(amount) => Said::Exact(amount),
            Err(problem) => Said::Unclear(format!("amount {:?}: {problem}", mask_numbers(&tidy(written)))),
        };
        let word = cell(StatementColumn::Status);
        Stated {
            line: row.raw.line,
            transaction_id: cell(StatementColumn::TransactionId),
            provider_ref: cell(StatementColumn::ProviderRef),
            phone: cell(StatementColumn::Phone),
            amount,
            stand: self.words.read(&word),
            word,
        }
    }
}

/// A cell as it may be shown: no control characters, and not longer than any id or word is.
fn tidy(cell: &str) -> String {
    const LONGEST: usize = 200;
    cell.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}
