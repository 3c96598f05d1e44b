//! Arguments of `status`: what to show, and which rows.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::Args as ArgGroup;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::domain::{Next, Reason, Status};

/// Arguments of `status`.
#[derive(Clone, Debug, ArgGroup)]
#[command(before_help = "Examples:
  bulk-topup status                                every batch, and what to do next
  bulk-topup status payroll                        one batch
  bulk-topup status payroll --watch                the same, as it changes
  bulk-topup status payroll --status unknown,pending --provider vietnam    its open rows there
  bulk-topup status --phone 0912341101             what was sent to a number, in any batch
  bulk-topup status payroll --row 17               all that happened to one row
  bulk-topup status payroll --results now.csv      its results as they stand")]
pub struct StatusArgs {
    /// Batch, or an unambiguous beginning of its name; all of them if none is named
    pub batch: Option<String>,
    /// Show the history of this row
    #[arg(long, value_name = "N", requires = "batch")]
    pub row: Option<NonZeroU64>,
    /// Write the results here: .csv or .xlsx
    #[arg(long, value_name = "PATH", requires = "batch")]
    pub results: Option<PathBuf>,
    /// Show changes as they come
    #[arg(long, conflicts_with_all = ["row", "results", "verify"])]
    pub watch: bool,
    /// Check that the ledger is whole and holds together
    #[arg(long)]
    pub verify: bool,
    /// Which rows to show.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// Which rows `status` shows, one line each.
#[derive(Clone, Debug, ArgGroup)]
#[command(next_help_heading = "Rows, one line each (all of these must hold)")]
#[group(id = "rows", multiple = true, conflicts_with_all = ["row", "results", "watch", "verify"])]
pub struct FilterArgs {
    /// With one of these statuses: succeeded, failed, invalid, pending, unknown, not_sent
    #[arg(long, value_name = "STATUS,...", value_delimiter = ',', hide_possible_values = true,
        value_parser = statuses())]
    pub status: Vec<Status>,
    /// With one of these next steps: none, retry, fix, wait, ask
    #[arg(long, value_name = "STEP,...", value_delimiter = ',', hide_possible_values = true,
        value_parser = steps())]
    pub next: Vec<Next>,
    /// With one of these reasons, such as bad_phone or no_answer
    #[arg(long, value_name = "REASON,...", value_delimiter = ',', hide_possible_values = true,
        value_parser = reasons())]
    pub reason: Vec<Reason>,
    /// Of this provider, by its name in the configuration when the row was admitted
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// Of this operator
    #[arg(long, value_name = "NAME")]
    pub operator: Option<String>,
    /// To this number; in every batch if none is named
    #[arg(long, value_name = "NUMBER")]
    pub phone: Option<String>,
    /// So many rows at most
    #[arg(long, value_name = "N", default_value = "100")]
    pub limit: NonZeroU64,
}

impl FilterArgs {
    /// Whether rows were asked for.
    pub fn is_set(&self) -> bool {
        let Self { status, next, reason, provider, operator, phone, limit: _ } = self;
        let words = !status.is_empty() || !next.is_empty() || !reason.is_empty();
        words || provider.is_some() || operator.is_some() || phone.is_some()
    }
}

/// Reads one of the words of a closed list, and names them all when it is another.
macro_rules! words_of {
    ($kind:ident) => {
        PossibleValuesParser::new($kind::ALL.iter().map(|word| word.as_str()))
            .try_map(|text| $kind::parse(&text).ok_or_else(|| format!("{text:?} is none of the words")))
    };
}

fn statuses() -> impl TypedValueParser<Value = Status> {
    words_of!(Status)
}

fn steps() -> impl TypedValueParser<Value = Next> {
    words_of!(Next)
}

fn reasons() -> impl TypedValueParser<Value = Reason> {
    words_of!(Reason)
}
