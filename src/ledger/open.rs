//! Opening a ledger: private files, the right schema, durable settings.
//!
//! Nothing but SQLite may open a ledger or its companions, here or elsewhere, not even to read a byte: the system drops
//! all locks that a process holds on a file when any descriptor of it is closed. The next program that closed the ledger
//! would take itself for the last one and delete the log under whoever writes it. What else needs to be known of these
//! files is asked by their names ([`is_ledger_file`]).

use std::cell::RefCell;
use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::LedgerError;
use super::ids::Ids;
use super::lock::canonical;
use super::schema::{self, Belongs, SCHEMA};
use super::states;

/// How long a statement waits for another process: well beyond the longest commit, admission of a million
/// rows included.
const BUSY: Duration = Duration::from_secs(60);

/// Prepared statements kept per connection: more than there are different ones.
const STATEMENTS_MAX: usize = 64;

/// Pages a connection keeps, in KiB (negative: so SQLite tells it from a number of pages). Rows are worked off
/// in their order, so few pages are wanted at once; a process has up to four connections.
pub(super) const CACHE_KIB: i64 = -8_192;

/// As [`CACHE_KIB`], while a file is admitted: numbers come in any order, and their index wants to be in memory.
pub(super) const CACHE_ADMITTING_KIB: i64 = -40_960;

/// An open ledger. One connection; share the file, not the value.
pub struct Ledger {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
    pub(super) ids: RefCell<Ids>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens a ledger for reading and writing; makes it (and its folder, 0700) where there is none. The file
    /// and its companions are 0600.
    ///
    /// # Errors
    /// [`LedgerError`]; a file that is not ours is left as it is.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let path = canonical(path).map_err(|e| LedgerError::of_io(path, &e))?;
        // A file that was not there is open nowhere yet, so no lock goes with this descriptor.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => check_file(&path)?,
            Err(e) => return Err(LedgerError::of_io(&path, &e)),
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut ledger = Self::connect(path, flags)?;
        let fresh = ledger.is_fresh()?;
        ledger.set_wal()?;
        if fresh {
            let made = schema::create(&mut ledger.conn);
            made.map_err(|e| LedgerError::of_sqlite(&ledger.path, &e))?;
            // Another program may have used the moment.
            ledger.is_fresh()?;
        }
        make_private(&ledger.path)?;
        Ok(ledger)
    }

    /// Opens an existing ledger for reading, beside whoever is writing it.
    ///
    /// # Errors
    /// [`LedgerError`]: [`LedgerError::Missing`] when there is no file, or nothing in it yet.
    pub fn open_read(path: &Path) -> Result<Self, LedgerError> {
        let path = match fs::canonicalize(path) {
            Ok(path) => path,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(LedgerError::Missing { path: path.to_owned() });
            }
            Err(e) => return Err(LedgerError::of_io(path, &e)),
        };
        check_file(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let ledger = Self::connect(path, flags)?;
        if ledger.is_fresh()? { Err(LedgerError::Missing { path: ledger.path }) } else { Ok(ledger) }
    }

    /// Canonical path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SQLite's answer, with its failures told in our words.
    pub(super) fn sql<T>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        ask(&self.conn).map_err(|e| LedgerError::of_sqlite(&self.path, &e))
    }

    fn connect(path: PathBuf, flags: OpenFlags) -> Result<Self, LedgerError> {
        let conn = Connection::open_with_flags(&path, flags);
        let conn = conn.map_err(|e| LedgerError::of_sqlite(&path, &e))?;
        let ledger = Self { conn, path, ids: RefCell::default() };
        ledger.conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let prepare = |conn: &Connection| {
            conn.busy_timeout(BUSY)?;
            // Our queries name their indexes: with this, SQLite does not think about one anew for every value.
            conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
            conn.pragma_update(None, "synchronous", "FULL")?;
            conn.pragma_update(None, "fullfsync", true)?;
            conn.pragma_update(None, "checkpoint_fullfsync", true)?;
            conn.pragma_update(None, "foreign_keys", true)?;
            conn.pragma_update(None, "trusted_schema", false)?;
            conn.pragma_update(None, "cell_size_check", true)?;
            conn.pragma_update(None, "cache_size", CACHE_KIB)?;
            states::register(conn)
        };
        // The first of these statements reads the file's head.
        prepare(&ledger.conn).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => {
                LedgerError::Foreign { path: ledger.path.clone(), why: "no SQLite file".to_owned() }
            }
            Some(_) | None => LedgerError::of_sqlite(&ledger.path, &error),
        })?;
        Ok(ledger)
    }

    /// Whether nobody made tables in it yet; an error when it is not ours to use.
    fn is_fresh(&self) -> Result<bool, LedgerError> {
        let path = self.path.clone();
        match self.sql(schema::belongs)? {
            Belongs::Fresh => Ok(true),
            Belongs::Ours => Ok(false),
            Belongs::Older(found) => Err(LedgerError::Older { path, found, known: SCHEMA }),
            Belongs::Newer(found) => Err(LedgerError::Newer { path, found, known: SCHEMA }),
            Belongs::Foreign => {
                Err(LedgerError::Foreign { path, why: "another program's SQLite file".to_owned() })
            }
        }
    }

    fn set_wal(&self) -> Result<(), LedgerError> {
        let mode: String = self.sql(|conn| {
            // Of a new file only. Half as many pages to read and write as with SQLite's own.
            conn.pragma_update(None, "page_size", 8192)?;
            let mode = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
            // A log that one large admission blew up is cut to 64 MiB after it was taken over.
            conn.query_row("PRAGMA journal_size_limit = 67108864", [], |_| Ok(()))?;
            // Taken over every 32 MiB, not every eight: a page that many commits changed is written once. Every
            // commit is durable in the log all the same.
            conn.query_row("PRAGMA wal_autocheckpoint = 4096", [], |_| Ok(()))?;
            Ok(mode)
        })?;
        if mode == "wal" {
            return Ok(());
        }
        let why = "its folder has no write-ahead log (a network folder?); put it on a local disk";
        Err(LedgerError::Io { path: self.path.clone(), why: why.to_owned() })
    }
}

/// Whether a path leads to a ledger or to a file that belongs to it. It is told by names and metadata alone.
pub fn is_ledger_file(ledger: &Path, path: &Path) -> bool {
    let (ledger, path) = (real(ledger), real(path));
    let inode = |path: &Path| fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    let asked = inode(&path);
    ["", "-wal", "-shm", "-journal", ".lock"].iter().any(|ending| {
        let own = with_ending(&ledger, ending);
        own == path || asked.is_some() && asked == inode(&own)
    })
}

/// Where a path leads, whether anything is there or not.
fn real(path: &Path) -> PathBuf {
    let beside = || {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            Some(_) | None => Path::new("."),
        };
        Some(fs::canonicalize(folder).ok()?.join(path.file_name()?))
    };
    fs::canonicalize(path).ok().or_else(beside).unwrap_or_else(|| path.to_owned())
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(ending);
    name.into()
}

/// Whether an existing file may be given to SQLite at all.
fn check_file(path: &Path) -> Result<(), LedgerError> {
    let io = |e: io::Error| LedgerError::of_io(path, &e);
    let foreign = |why: &str| LedgerError::Foreign { path: path.to_owned(), why: why.to_owned() };
    let meta = fs::metadata(path).map_err(io)?;
    if !meta.is_file() {
        return Err(foreign("no regular file"));
    }
    if meta.nlink() > 1 {
        return Err(LedgerError::SecondName { path: path.to_owned() });
    }
    // SQLite would only say that it cannot open it, and not why.
    rustix::fs::access(path, rustix::fs::Access::READ_OK).map_err(|e| io(e.into()))
}

/// Takes away what others could read: the file may have been made by a hand with a wide umask.
fn make_private(path: &Path) -> Result<(), LedgerError> {
    for ending in ["", "-wal", "-shm"] {
        let name = with_ending(path, ending);
        match fs::metadata(&name) {
            Ok(meta) if meta.permissions().mode() & 0o077 != 0 => {
                let made = fs::set_permissions(&name, Permissions::from_mode(0o600));
                made.map_err(|e| LedgerError::of_io(path, &e))?;
            }
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(LedgerError::of_io(path, &e)),
        }
    }
    Ok(())
}
