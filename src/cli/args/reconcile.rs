//! Arguments of `reconcile`. Syntax only.

use std::path::PathBuf;

use clap::Args as ArgGroup;

use super::IntakeArgs;
use crate::report::Stand;

/// Arguments of `reconcile`.
#[derive(Clone, Debug, ArgGroup)]
#[command(before_help = "Examples:
  bulk-topup reconcile payroll --statement november.csv
  bulk-topup reconcile payroll --statement november.xlsx --provider vietnam -o differences.csv
  bulk-topup reconcile payroll --statement november.csv --map transaction_id=\"Order no\" \\
    --status-word \"OK=succeeded\"")]
pub struct ReconcileArgs {
    /// Batch, or an unambiguous beginning of its name
    pub batch: String,
    /// The provider's statement: CSV file or workbook with a header row
    #[arg(long, value_name = "FILE")]
    pub statement: PathBuf,
    /// Whose statement it is, by the provider's name; may be left out if the batch has one provider
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// What a word of the status column means: succeeded, failed, reversed or pending ("Da nap=succeeded"); once for
    /// each word
    #[arg(long = "status-word", value_name = "WORD=MEANING", value_parser = parse_status_word)]
    pub status_words: Vec<StatusWord>,
    /// Write every row and line here, with whole phone numbers: a new CSV file
    #[arg(short = 'o', long = "output", value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// How to read the statement.
    #[command(flatten)]
    pub intake: IntakeArgs,
}

/// One `--status-word`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusWord {
    /// The statement's word; empty for empty cells, or where there is no such column.
    pub word: String,
    /// What it means.
    pub meaning: Stand,
}

fn parse_status_word(text: &str) -> Result<StatusWord, String> {
    let (word, meaning) = text.rsplit_once('=').ok_or("write WORD=MEANING, such as \"Da nap=succeeded\"")?;
    let meaning = Stand::parse(meaning)
        .ok_or_else(|| format!("{meaning:?} is none of: {}", Stand::CLEAR.map(Stand::as_str).join(", ")))?;
    Ok(StatusWord { word: word.trim().to_owned(), meaning })
}
