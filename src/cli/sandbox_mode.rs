//! `--sandbox`: a local sandbox instead of the configured providers, with no configuration. Every `run`
//! begins a new ledger in the user's data folder; the other commands use the last one, and the sandbox takes
//! up its orders from its charge log.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::context::make_private_folder;
use crate::job::{Stop, sandbox_settings};
use crate::ledger::Ledger;
use crate::sandbox::{Faults, Options, Sandbox, start as start_server};
use crate::settings::{LedgerLocation, Settings, UserDirs};

/// Ledgers of earlier sandbox runs that are kept.
const KEPT: usize = 20;

/// Where a sandbox keeps ledger and charge log.
#[derive(Debug)]
pub struct Place {
    /// The ledger.
    pub ledger: LedgerLocation,
    log: PathBuf,
}

/// A place for one process that looks and sends nothing: what the next `run` would find. It lasts as long as
/// the folder.
///
/// # Errors
/// [`Stop`] when no folder can be made.
pub fn passing_place() -> Result<(Place, tempfile::TempDir), Stop> {
    let folder = tempfile::Builder::new()
        .prefix("bulk-topup-")
        .tempdir()
        .map_err(|e| Stop::internal(format!("no folder for the sandbox can be made: {e}")))?;
    let ledger = LedgerLocation::Sqlite(folder.path().join("ledger.db"));
    let log = folder.path().join("charges.ndjson");
    Ok((Place { ledger, log }, folder))
}

/// The place of a new sandbox run, or of the last one.
///
/// # Errors
/// [`Stop`] with exit 2 when there is no last one.
pub fn place(named: Option<LedgerLocation>, dirs: &UserDirs, fresh: bool) -> Result<Place, Stop> {
    if let Some(LedgerLocation::Sqlite(path)) = named {
        let log = path.with_extension("charges.ndjson");
        return Ok(Place { ledger: LedgerLocation::Sqlite(path), log });
    }
    let data = dirs.data.as_ref().ok_or_else(|| {
        Stop::refused("there is no data folder for the sandbox's ledger; name one with --ledger PATH")
    })?;
    let root = data.join("bulk-topup").join("sandbox");
    make_private_folder(&root)?;
    let mut runs = numbered(&root);
    let number = if fresh {
        let next = runs.last().map_or(1, |last| last + 1);
        make_private_folder(&root.join(next.to_string()))?;
        runs.push(next);
        let old = runs.len().saturating_sub(KEPT);
        for number in runs.iter().take(old) {
            // A folder that cannot be removed only takes room.
            let _ = std::fs::remove_dir_all(root.join(number.to_string()));
        }
        next
    } else {
        // A run that was refused made a folder too, but no batch: the last batch is still that of the run before.
        let used = runs.iter().rev().find(|number| holds_a_batch(&root.join(number.to_string())));
        *used.or(runs.last()).ok_or_else(|| {
            Stop::refused("there is no sandbox batch yet; begin with: bulk-topup run FILE --sandbox")
        })?
    };
    let folder = root.join(number.to_string());
    Ok(Place { ledger: LedgerLocation::Sqlite(folder.join("ledger.db")), log: folder.join("charges.ndjson") })
}

fn holds_a_batch(folder: &Path) -> bool {
    let path = folder.join("ledger.db");
    let batches = || Ledger::open_read(&path).and_then(|ledger| ledger.batches());
    path.exists() && batches().is_ok_and(|batches| !batches.is_empty())
}

/// Folders of sandbox runs, oldest first.
fn numbered(root: &Path) -> Vec<u64> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut numbers: Vec<u64> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

/// Starts the sandbox and makes the settings that use it.
///
/// # Errors
/// [`Stop`] when it cannot be started.
pub async fn start(place: &Place) -> Result<(Settings, Sandbox), Stop> {
    let options = Options {
        addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        log: Some(place.log.clone()),
        seed: 1,
        faults: Faults::default(),
    };
    let server = start_server(options)
        .await
        .map_err(|e| Stop::internal(format!("the sandbox cannot start ({}): {e}", place.log.display())))?;
    let settings = sandbox_settings(&server, place.ledger.clone())?;
    Ok((settings, server))
}
