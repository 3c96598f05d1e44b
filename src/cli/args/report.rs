//! Arguments of `report`.

use std::path::PathBuf;

use clap::Args as ArgGroup;

/// Arguments of `report`.
#[derive(Clone, Debug, ArgGroup)]
#[command(before_help = "Examples:
  bulk-topup report payroll                      payroll-3f9a2c1d.html in this folder
  bulk-topup report payroll -o november.html     open it in a browser, print it, have it signed")]
pub struct ReportArgs {
    /// Batch, or an unambiguous beginning of its name
    pub batch: String,
    /// Where the page is written, instead of <batch>.html in this folder
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
}
