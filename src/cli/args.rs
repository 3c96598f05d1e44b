//! What can be typed (`contract.md` 1): syntax only. Nothing here opens a file or reads a variable.
//! A wrong command line ends with exit code 2.

mod parse;
mod reconcile;
mod report;
mod setup;
mod status;

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ArgGroup, Parser, Subcommand, ValueEnum};

use self::parse::{parse_delimiter, parse_map, parse_note, parse_thousands, parse_total};
pub use self::reconcile::{ReconcileArgs, StatusWord};
pub use self::report::ReportArgs;
pub use self::setup::{CompletionsArgs, InitArgs, ManArgs};
pub use self::status::{FilterArgs, StatusArgs};
use crate::domain::Money;
use crate::settings::parse_duration;

/// The whole command line.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "bulk-topup",
    version,
    about = "Tops up the phone numbers of a file: judged before a cent is spent, followed until final, never paid twice",
    before_help = "Examples:
  bulk-topup init                           a configuration and a sample file to begin with
  bulk-topup check payroll.csv              what would be sent, and what is wrong; spends nothing
  bulk-topup run payroll.csv                send it, after you confirmed the totals
  bulk-topup run payroll.csv --sandbox      try it with make-believe providers
  bulk-topup settle                         look after the rows that were still open
  bulk-topup status                         every batch, and what to do next
  bulk-topup report payroll                 a page to check, print and sign",
    after_help = "Exit codes: 0 every row succeeded; 1 internal error; 2 refused before anything was sent; 3 some rows \
failed or invalid; 4 some rows still pending or unknown; 5 valid rows not sent; 6 another process is sending from \
this ledger; 130 interrupted.",
    max_term_width = 100
)]
pub struct Args {
    /// Flags of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Clone, Debug, ArgGroup)]
#[command(next_help_heading = "Flags of every command")]
pub struct GlobalArgs {
    /// Configuration file, instead of $BULK_TOPUP_CONFIG, ./bulk-topup.toml or the one in your configuration
    /// directory
    #[arg(long, global = true, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Ledger, instead of the configured one: an SQLite file
    #[arg(long, global = true, value_name = "URL")]
    pub ledger: Option<String>,
    /// Work with local make-believe providers; needs no configuration and spends nothing
    #[arg(long, global = true, conflicts_with = "config")]
    pub sandbox: bool,
    /// Write one JSON object to stdout instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Say less
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Log to stderr what happens; twice: every request and every change of a row too
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Log all of that to this file, one JSON object a line; what stands in it is kept
    #[arg(long, global = true, value_name = "PATH")]
    pub log_file: Option<PathBuf>,
    /// Colours
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = ColorArg::Auto)]
    pub color: ColorArg,
    /// Draw no progress bar
    #[arg(long, global = true)]
    pub no_progress: bool,
    /// Show phone numbers whole on the screen and in logs
    #[arg(long, global = true)]
    pub show_phones: bool,
}

/// When to write colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorArg {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Judge a file, confirm, send, follow until final, write the results (spends money)
    Run(RunArgs),
    /// Judge a file and show what would be sent; spends nothing
    Check(CheckArgs),
    /// Look after pending and unknown rows and write the results again; sends nothing
    Settle(SettleArgs),
    /// Send again, from a results file, the rows that were proved unspent (spends money)
    Retry(RetryArgs),
    /// Show what the ledger knows
    Status(StatusArgs),
    /// Write a page about a batch: for checking, printing and signing
    Report(ReportArgs),
    /// Record a person's decision on an unknown row
    Resolve(ResolveArgs),
    /// Give up the rows of a batch that were never sent
    Cancel(CancelArgs),
    /// Hold a provider's statement against the ledger; changes nothing
    Reconcile(ReconcileArgs),
    /// Ask the providers for our balance
    Balance(BalanceArgs),
    /// Ask a provider what it sells
    Products(ProductsArgs),
    /// Receive the providers' callbacks
    Listen(ListenArgs),
    /// Serve make-believe versions of the three providers
    Sandbox(SandboxArgs),
    /// Write a commented configuration and a sample file into this folder
    Init(InitArgs),
    /// Write completions for a shell to stdout
    Completions(CompletionsArgs),
    /// Write the manual page to stdout, or all of them into a folder
    Man(ManArgs),
}

impl Command {
    /// Its name, as it is typed.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Check(_) => "check",
            Self::Settle(_) => "settle",
            Self::Retry(_) => "retry",
            Self::Status(_) => "status",
            Self::Report(_) => "report",
            Self::Resolve(_) => "resolve",
            Self::Cancel(_) => "cancel",
            Self::Reconcile(_) => "reconcile",
            Self::Balance(_) => "balance",
            Self::Products(_) => "products",
            Self::Listen(_) => "listen",
            Self::Sandbox(_) => "sandbox",
            Self::Init(_) => "init",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }
}

/// Arguments of `run`.
#[derive(Clone, Debug, ArgGroup)]
#[command(before_help = "Examples:
  bulk-topup run payroll.csv
  bulk-topup run payroll.csv --yes --expect-total VND=40000   no question, if that is the total
  bulk-topup run payroll.csv --first 3                        three rows first, then ask again
  bulk-topup run payroll.csv --plan plan.json                 only what somebody else checked
  bulk-topup run payroll.csv -o done.csv --settle-for 1h")]
pub struct RunArgs {
    /// CSV file or workbook with a header row; `-` reads it from stdin
    pub file: PathBuf,
    /// Name of the batch, instead of the file's
    #[arg(long, value_name = "NAME")]
    pub batch: Option<String>,
    /// Send only what this plan of `check --write-plan` approved: refused if the file, the settings or the
    /// totals changed since
    #[arg(long, value_name = "PATH")]
    pub plan: Option<PathBuf>,
    /// Receive callbacks at this address during the run
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// What may be sent, and when to stop.
    #[command(flatten)]
    pub send: SendArgs,
    /// Where results go, and how long to wait for them.
    #[command(flatten)]
    pub finish: FinishArgs,
    /// How to read the file.
    #[command(flatten)]
    pub intake: IntakeArgs,
}

/// What `run` and `retry` may send, and when they stop.
#[derive(Clone, Debug, ArgGroup)]
pub struct SendArgs {
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Refuse unless all valid rows of the file add up to this; once for each currency
    #[arg(long, value_name = "CUR=AMOUNT", value_parser = parse_total)]
    pub expect_total: Vec<Money>,
    /// Send so many rows, wait until they are final, then ask; with --yes go on only if all succeeded
    #[arg(long, value_name = "N")]
    pub first: Option<NonZeroU64>,
    /// Send equal rows of the file each, instead of the first one only
    #[arg(long)]
    pub allow_duplicates: bool,
    /// Send rows that equal a recent one of another batch
    #[arg(long)]
    pub allow_repeats: bool,
    /// Send nothing if any row is invalid
    #[arg(long)]
    pub all_or_nothing: bool,
}

/// How `run`, `retry` and `settle` end.
#[derive(Clone, Debug, ArgGroup)]
pub struct FinishArgs {
    /// Where the results are written: .xlsx for a workbook, else CSV
    #[arg(short = 'o', long = "results", value_name = "PATH")]
    pub results: Option<PathBuf>,
    /// How long to follow open rows after the last submit: 0s, 30s, 10m, 48h, 3d
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = parse_duration)]
    pub settle_for: Duration,
    /// Write figures for Prometheus here at the end (for node_exporter's textfile collector: NAME.prom)
    #[arg(long, value_name = "PATH")]
    pub metrics_file: Option<PathBuf>,
}

/// How to read a file, where it does not say so itself.
#[derive(Clone, Debug, Default, ArgGroup)]
#[command(next_help_heading = "Reading the file")]
pub struct IntakeArgs {
    /// Encoding, such as utf-8, windows-1258 or gb18030
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<String>,
    /// Character between cells: `,` `;` `|`, or comma, semicolon, pipe, tab
    #[arg(long, value_name = "CHAR", value_parser = parse_delimiter)]
    pub delimiter: Option<char>,
    /// Sheet of a workbook, instead of its first one
    #[arg(long, value_name = "NAME")]
    pub sheet: Option<String>,
    /// What stands between thousands in amounts: `.` `,`, or dot, comma, space
    #[arg(long, value_name = "CHAR", value_parser = parse_thousands)]
    pub thousands: Option<char>,
    /// Take a column from the one with this header (phone="So dien thoai"); once for each column
    #[arg(long, value_name = "COLUMN=HEADER", value_parser = parse_map)]
    pub map: Vec<ColumnMap>,
}

impl IntakeArgs {
    /// These flags as a person types them again, each with a space before it; `quoted` makes a shell's word.
    pub fn again(&self, quoted: impl Fn(&str) -> String) -> String {
        let mut flags = String::new();
        let mut add = |flag: &str, value: &str| flags.push_str(&format!(" {flag} {}", quoted(value)));
        if let Some(encoding) = &self.encoding {
            add("--encoding", encoding);
        }
        if let Some(delimiter) = self.delimiter {
            add("--delimiter", &if delimiter == '\t' { "tab".to_owned() } else { delimiter.to_string() });
        }
        if let Some(sheet) = &self.sheet {
            add("--sheet", sheet);
        }
        if let Some(thousands) = self.thousands {
            add("--thousands", &thousands.to_string());
        }
        for ColumnMap { column, header } in &self.map {
            add("--map", &format!("{column}={header}"));
        }
        flags
    }
}

/// One `--map`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnMap {
    /// Our column.
    pub column: String,
    /// The file's header.
    pub header: String,
}

/// Arguments of `check`.
#[derive(Clone, Debug, ArgGroup)]
#[command(before_help = "Examples:
  bulk-topup check payroll.csv
  bulk-topup check payroll.csv --online                ask the providers too; still spends nothing
  bulk-topup check payroll.csv --problems wrong.csv    the rows to be fixed, with what is wrong
  bulk-topup check payroll.csv --write-plan plan.json  for somebody else to send: run payroll.csv --plan plan.json")]
pub struct CheckArgs {
    /// CSV file or workbook with a header row; `-` reads it from stdin
    pub file: PathBuf,
    /// Ask the providers: balance, catalogue, operator and product of each number
    #[arg(long)]
    pub online: bool,
    /// Write the invalid rows here, with whole phone numbers
    #[arg(long, value_name = "PATH")]
    pub problems: Option<PathBuf>,
    /// Write a plan here that another person runs with `run --plan`; bound to the file, the settings and the
    /// totals
    #[arg(long, value_name = "PATH")]
    pub write_plan: Option<PathBuf>,
    /// Judge equal rows of the file each
    #[arg(long)]
    pub allow_duplicates: bool,
    /// Accept rows that equal a recent one of another batch
    #[arg(long)]
    pub allow_repeats: bool,
    /// How to read the file.
    #[command(flatten)]
    pub intake: IntakeArgs,
}

/// Arguments of `settle`.
#[derive(Clone, Debug, ArgGroup)]
#[command(before_help = "Examples:
  bulk-topup settle                    every batch
  bulk-topup settle payroll --settle-for 2h
  bulk-topup settle --recheck 24h      asks again about what succeeded since yesterday: late reversals")]
pub struct SettleArgs {
    /// Batch, or an unambiguous beginning of its name; all of them if none is named
    pub batch: Option<String>,
    /// Ask again about orders that succeeded within this time, where the provider can be asked; a reversal is told,
    /// the row stays as it is
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub recheck: Option<Duration>,
    /// Where results go, and how long to wait for them.
    #[command(flatten)]
    pub finish: FinishArgs,
}

/// Arguments of `retry`.
#[derive(Clone, Debug, ArgGroup)]
#[command(before_help = "Examples:
  bulk-topup retry payroll.results.csv
  bulk-topup retry payroll.results.csv --yes --expect-total VND=40000")]
pub struct RetryArgs {
    /// Results file of an earlier run; corrected cells count for rows that were never charged
    pub results_file: PathBuf,
    /// Believe the file about rows that were submitted to a provider that cannot be asked, when the ledger does
    /// not know the batch
    #[arg(long)]
    pub trust_results: bool,
    /// What may be sent, and when to stop.
    #[command(flatten)]
    pub send: SendArgs,
    /// Where results go, and how long to wait for them.
    #[command(flatten)]
    pub finish: FinishArgs,
    /// How to read the file.
    #[command(flatten)]
    pub intake: IntakeArgs,
}

/// Arguments of `resolve`.
#[derive(Clone, Debug, ArgGroup)]
#[command(before_help = "Examples:
  bulk-topup resolve payroll 17 --as succeeded --note \"provider confirmed by phone, ticket 4711\"
  bulk-topup resolve payroll 18 --as failed --note \"provider has no such order\"    retry may send it again")]
pub struct ResolveArgs {
    /// Batch, or an unambiguous beginning of its name
    pub batch: String,
    /// Row of the file, counted from 1 without the header
    pub row: NonZeroU64,
    /// What the provider said
    #[arg(long = "as", value_name = "DECISION", value_enum)]
    pub decision: Decision,
    /// Who said so, and where it can be checked
    #[arg(long, value_name = "TEXT", value_parser = parse_note)]
    pub note: String,
}

/// A person's decision on an unknown row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Decision {
    /// The order was completed.
    Succeeded,
    /// The order was not charged and never will be.
    Failed,
}

/// Arguments of `cancel`.
#[derive(Clone, Debug, ArgGroup)]
#[command(before_help = "Example:
  bulk-topup cancel payroll --note \"wrong month\"")]
pub struct CancelArgs {
    /// Batch, or an unambiguous beginning of its name
    pub batch: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = parse_note)]
    pub note: String,
}

/// Arguments of `balance`.
#[derive(Clone, Debug, ArgGroup)]
#[command(before_help = "Examples:
  bulk-topup balance
  bulk-topup balance vietnam")]
pub struct BalanceArgs {
    /// Provider, by its name in the configuration; all of them if none is named
    pub provider: Option<String>,
}

/// Arguments of `products`.
#[derive(Clone, Debug, ArgGroup)]
#[command(before_help = "Examples:
  bulk-topup products china
  bulk-topup products china --phone 13012345678")]
pub struct ProductsArgs {
    /// Provider, by its name in the configuration
    pub provider: String,
    /// Only what can be bought for this number
    #[arg(long, value_name = "N")]
    pub phone: Option<String>,
}

/// Arguments of `listen`.
#[derive(Clone, Copy, Debug, ArgGroup)]
#[command(before_help = "Examples:
  bulk-topup listen                              at the address of [listen] in the configuration
  bulk-topup listen --metrics 127.0.0.1:9100     with figures for Prometheus at http://127.0.0.1:9100/metrics")]
pub struct ListenArgs {
    /// Serve figures for Prometheus at this address, apart from the callbacks; without a password, so keep it
    /// to this machine or a private network
    #[arg(long, value_name = "ADDR")]
    pub metrics: Option<SocketAddr>,
}

/// Arguments of `sandbox`.
#[derive(Clone, Debug, ArgGroup)]
#[command(before_help = "Examples:
  bulk-topup sandbox
  bulk-topup sandbox --addr 127.0.0.1:8500 --log charges.ndjson
  bulk-topup sandbox --seed 7 --faults drop_after=1,pending=20,latency=50ms")]
pub struct SandboxArgs {
    /// Address to serve at; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    pub addr: SocketAddr,
    /// File that keeps every charge; it is taken up again if it exists
    #[arg(long, value_name = "PATH")]
    pub log: Option<PathBuf>,
    /// Makes the faults happen the same way again
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// What goes wrong: in how many percent of the calls (drop_after=1), for how long (latency=50ms);
    /// a name that is none lists them all
    #[arg(long, value_name = "K=V,...")]
    pub faults: Option<String>,
}

#[cfg(test)]
mod tests;
