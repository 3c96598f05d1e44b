//! The file: whose it is, who may read it, who holds it, and what is left of it after a torn write.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use bulk_topup::domain::{BatchName, RowNumber, SubmitMeaning};
use bulk_topup::ledger::{
    Ledger, LedgerError, LedgerLock, LockError, ReportFileError, ResultsFileError, is_ledger_file,
    report_path_is_ours, results_path_is_ours, write_results_file,
};

use crate::fixture::{Fixture, admit, answered, intent, new_batch, raw, rows};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(ending);
    name.into()
}

#[test]
fn ledger_and_companions_are_private_and_so_is_a_new_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/ledger.db");
    let mut ledger = Ledger::open(&path).unwrap();
    admit(&mut ledger, &new_batch("pay-0a1b2c3d"), rows());
    let _lock = LedgerLock::acquire(&path).unwrap();
    assert_eq!(mode(&folder.path().join("a")), 0o700);
    assert_eq!(mode(&folder.path().join("a/b")), 0o700);
    for ending in ["", "-wal", "-shm", ".lock"] {
        assert_eq!(mode(&beside(&path, ending)), 0o600, "{ending}");
    }
    drop(ledger);
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    drop(Ledger::open(&path).unwrap());
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_file_that_is_no_ledger_is_named_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("pay.csv");
    fs::write(&text, "phone,amount\n0912345601,20000\n").unwrap();
    let foreign = folder.path().join("browser.db");
    raw(&foreign).execute_batch("CREATE TABLE history(url)").unwrap();
    for path in [&text, &foreign, &folder.path().to_owned()] {
        let before = fs::read(path).ok();
        for refused in [Ledger::open(path), Ledger::open_read(path)] {
            let error = refused.unwrap_err();
            assert!(matches!(error, LedgerError::Foreign { .. }), "{error}");
            assert!(error.to_string().contains(path.file_name().unwrap().to_str().unwrap()));
        }
        assert_eq!(fs::read(path).ok(), before);
    }
    assert!(!beside(&foreign, "-wal").exists());
}

#[test]
fn a_ledger_of_a_later_program_is_left_as_it_is() {
    let fixture = Fixture::new();
    raw(&fixture.path).pragma_update(None, "user_version", 99).unwrap();
    for refused in [Ledger::open(&fixture.path), Ledger::open_read(&fixture.path)] {
        let error = refused.unwrap_err();
        assert!(matches!(error, LedgerError::Newer { found: 99, .. }), "{error}");
        assert!(error.to_string().contains("newer program"), "{error}");
    }
}

#[test]
fn a_ledger_of_an_earlier_program_is_left_as_it_is() {
    let fixture = Fixture::new();
    for schema in [1, 2] {
        raw(&fixture.path).pragma_update(None, "user_version", schema).unwrap();
        raw(&fixture.path).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        let before = fs::read(&fixture.path).unwrap();
        for refused in [Ledger::open(&fixture.path), Ledger::open_read(&fixture.path)] {
            let error = refused.unwrap_err();
            assert!(
                matches!(error, LedgerError::Older { found, known: 3, .. } if found == schema),
                "{error}"
            );
            let told = error.to_string();
            assert!(told.contains("finish its batches with the program that wrote it"), "{told}");
            assert!(told.contains(&format!("schema {schema}")) && told.contains("ledger.db"), "{told}");
        }
        assert_eq!(fs::read(&fixture.path).unwrap(), before);
    }
}

#[test]
fn a_damaged_file_is_an_error_that_says_what_to_do() {
    let fixture = Fixture::new();
    raw(&fixture.path).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let mut bytes = fs::read(&fixture.path).unwrap();
    for byte in bytes.iter_mut().skip(100).take(4000) {
        *byte = 0xAA;
    }
    fs::write(&fixture.path, &bytes).unwrap();
    let error = Ledger::open(&fixture.path).unwrap_err();
    assert!(matches!(error, LedgerError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("retry RESULTS"), "{error}");
}

#[test]
fn a_reader_makes_no_ledger_and_a_cut_off_first_start_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    assert!(matches!(Ledger::open_read(&path), Err(LedgerError::Missing { .. })));
    assert!(!path.exists());
    fs::write(&path, "").unwrap();
    assert!(matches!(Ledger::open_read(&path), Err(LedgerError::Missing { .. })));
    Ledger::open(&path).unwrap();
    assert_eq!(Ledger::open_read(&path).unwrap().batches().unwrap(), []);
}

#[test]
fn a_reader_cannot_write() {
    let fixture = Fixture::new();
    let hint = bulk_topup::ledger::Hint {
        provider: "vietnam".to_owned(),
        id: None,
        provider_ref: None,
        received_at: bulk_topup::domain::WallTime(1),
    };
    let refused = fixture.reader().append_hint(&hint);
    assert!(matches!(refused, Err(LedgerError::ReadOnly { .. })), "{refused:?}");
}

#[test]
fn a_folder_where_nothing_can_be_made_is_an_error_not_a_panic() {
    let error = Ledger::open(Path::new("/proc/none/ledger.db")).unwrap_err();
    assert!(error.to_string().contains("/proc/none"), "{error}");
    let error = LedgerLock::acquire(Path::new("/proc/none/ledger.db")).unwrap_err();
    assert!(matches!(error, LockError::Io { .. }), "{error}");
}

#[test]
fn a_ledger_with_a_second_name_is_refused() {
    let fixture = Fixture::new();
    fs::hard_link(&fixture.path, fixture.folder.path().join("second.db")).unwrap();
    assert!(matches!(Ledger::open(&fixture.path), Err(LedgerError::SecondName { .. })));
}

#[test]
fn every_alias_of_a_ledger_leads_to_one_lock() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().join("real");
    fs::create_dir(&real).unwrap();
    let path = real.join("ledger.db");
    symlink(&real, folder.path().join("folder-alias")).unwrap();
    symlink("real/ledger.db", folder.path().join("file-alias.db")).unwrap();
    let aliases = ["real/ledger.db", "real/../real/./ledger.db", "folder-alias/ledger.db", "file-alias.db"];
    // Before the ledger exists, and after.
    for _ in 0..2 {
        let lock = LedgerLock::acquire(&path).unwrap();
        for alias in aliases {
            let LockError::Held { ledger, pid } =
                LedgerLock::acquire(&folder.path().join(alias)).unwrap_err()
            else {
                panic!("{alias} should be held");
            };
            assert_eq!((ledger.as_path(), pid), (lock.ledger(), Some(std::process::id())));
        }
        drop(lock);
        drop(LedgerLock::acquire(&folder.path().join("file-alias.db")).unwrap());
        drop(Ledger::open(&folder.path().join("file-alias.db")).unwrap());
        assert!(path.exists());
    }
    assert_eq!(fs::metadata(&path).unwrap().nlink(), 1);
}

#[test]
fn readers_work_while_the_lock_is_held() {
    let fixture = Fixture::new();
    let _lock = LedgerLock::acquire(&fixture.path).unwrap();
    assert_eq!(fixture.reader().counts(fixture.batch).unwrap().not_sent, 9);
}

/// A power cut keeps some of the log's last bytes and loses the rest, or leaves rubbish in their place.
#[test]
fn a_log_torn_at_any_byte_reopens_to_a_state_that_once_was() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    raw(&fixture.path).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let wal = beside(&fixture.path, "-wal");
    // How many events there were when the log had this length.
    let mut marks = vec![(0, 1)];
    for row in 1..=6 {
        fixture.live(&writer, row, &[intent(row, 1)]);
        marks.push((fs::metadata(&wal).unwrap().len(), 2 * row));
        fixture.live(&writer, row, &[answered(row, SubmitMeaning::Succeeded)]);
        marks.push((fs::metadata(&wal).unwrap().len(), 2 * row + 1));
    }
    let (database, log) = (fs::read(&fixture.path).unwrap(), fs::read(&wal).unwrap());
    let frames: Vec<usize> = (0..log.len()).step_by(4120 * 3).collect();
    let cuts = frames.iter().flat_map(|at| [0, 1, 23, 24, 31, 32, 33, 40, 2000, 4151].map(|more| at + more));
    for cut in cuts.filter(|cut| *cut <= log.len()).chain([log.len() - 1, log.len()]) {
        for rubbish in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("ledger.db");
            let mut torn = log[..cut].to_vec();
            if rubbish {
                torn.resize(log.len(), 0xA5);
            }
            fs::write(&path, &database).unwrap();
            fs::write(beside(&path, "-wal"), torn).unwrap();
            let ledger = Ledger::open(&path).unwrap();
            let report = ledger.verify(fixture.batch).unwrap();
            assert!(report.is_clean(), "cut at {cut}: {report:?}");
            let kept =
                marks.iter().rev().find(|(length, _)| *length <= u64::try_from(cut).unwrap()).unwrap().1;
            assert_eq!(report.events, kept, "cut at {cut}");
            let sent = (kept - 1).div_ceil(2);
            for row in 1..=9 {
                let known = ledger.row(fixture.batch, RowNumber(row)).unwrap().unwrap().state.id.is_some();
                assert_eq!(known, row <= sent, "cut at {cut}, row {row}");
            }
        }
    }
}

/// POSIX locks that this process holds on a file. SQLite holds one on an open ledger: by it another process that closes
/// the ledger knows that it is not the last, and leaves the log where it is.
#[cfg(target_os = "linux")]
fn locks_on(path: &Path) -> usize {
    let inode = fs::metadata(path).unwrap().ino();
    let (pid, file) = (format!(" {} ", std::process::id()), format!(":{inode} "));
    let locks = fs::read_to_string("/proc/locks").unwrap();
    locks.lines().filter(|lock| lock.contains("POSIX") && lock.contains(&pid) && lock.contains(&file)).count()
}

#[cfg(target_os = "linux")]
#[test]
fn opening_a_ledger_again_keeps_the_lock_that_keeps_its_log() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    fixture.live_known(&writer, 1, &[intent(1, 1)]);
    assert_eq!(locks_on(&fixture.path), 1, "by one open writer");
    let _reader = fixture.reader();
    assert_eq!(locks_on(&fixture.path), 1, "by a writer, while a reader was opened");
    let batch = BatchName::parse("pay-0a1b2c3d").unwrap();
    assert!(results_path_is_ours(&fixture.path, &fixture.path, &batch).is_err());
    assert_eq!(locks_on(&fixture.path), 1, "by a writer, while the ledger was refused as a results file");
}

#[test]
fn a_path_that_leads_to_the_ledger_is_known_without_opening_it() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    let (folder, batch) = (fixture.folder.path(), BatchName::parse("pay-0a1b2c3d").unwrap());
    symlink(&fixture.path, folder.join("link.csv")).unwrap();
    symlink("ledger.db-shm", folder.join("log.csv")).unwrap();
    fs::create_dir(folder.join("below")).unwrap();
    for name in
        ["ledger.db", "link.csv", "log.csv", "ledger.db-wal", "ledger.db-journal", "below/../ledger.db"]
    {
        let path = folder.join(name);
        assert!(is_ledger_file(&fixture.path, &path), "{name}");
        assert!(is_ledger_file(&folder.join("link.csv"), &path), "{name}, of a ledger that a link names");
        let refused = results_path_is_ours(&fixture.path, &path, &batch).unwrap_err();
        assert!(matches!(refused, ResultsFileError::OfLedger { .. }), "{name}: {refused}");
        let refused = report_path_is_ours(&fixture.path, &path, &batch).unwrap_err();
        assert!(matches!(refused, ReportFileError::OfLedger { .. }), "{name}: {refused}");
        assert!(write_results_file(&fixture.reader(), fixture.batch, &path).is_err(), "{name}");
    }
    for name in ["pay.csv", "ledger.db.results.csv", "none/ledger.db"] {
        assert!(!is_ledger_file(&fixture.path, &folder.join(name)), "{name}");
    }
    drop(writer);
}
