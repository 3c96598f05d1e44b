//! Where logs go: to stderr with `-v`, as JSON lines to `--log-file`. What is logged is said by
//! [`super::watching`] and the commands; only events of this program are taken, never those of libraries, which
//! might hold URLs.
//!
//! The log is not the ledger: a log that breaks off is told once, and the work goes on.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::args::GlobalArgs;
use super::reading::begins_with;
use super::screen;
use super::terminal::Terminal;
use crate::job::Stop;

/// Only events with a target of ours are logged.
const OURS: &str = "bulk_topup";

/// How every line of a log file begins.
const LINE_HEAD: &[u8] = b"{\"timestamp\":";

/// Opens the logs that were asked for. Without any nothing is kept, and an event costs nothing.
///
/// # Errors
/// [`Stop`] with exit 2 when the file cannot be written.
pub fn start(global: &GlobalArgs, terminal: Terminal) -> Result<(), Stop> {
    let level = match global.verbose {
        0 => LevelFilter::OFF,
        1 => LevelFilter::INFO,
        2.. => LevelFilter::DEBUG,
    };
    let file = global.log_file.as_deref().map(|path| LogFile::open(path, terminal)).transpose()?;
    if file.is_none() && level == LevelFilter::OFF {
        return Ok(());
    }
    let ours = |level: LevelFilter| Targets::new().with_target(OURS, level);
    let spoken = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(false)
        .with_writer(|| Spoken)
        .with_filter(ours(level));
    let kept = file.map(|file| {
        tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_target(false)
            .with_writer(file)
            .with_filter(ours(LevelFilter::DEBUG))
    });
    // In a test binary that starts twice the first log stays.
    let _ = tracing_subscriber::registry().with(spoken).with(kept).try_init();
    Ok(())
}

/// Digits so long that they may be a phone number are masked in words that others wrote, unless numbers are to
/// be shown. What has letters beside it is an id.
pub fn masked(words: &str, show_phones: bool) -> String {
    const PHONE_DIGITS_MIN: usize = 7;
    if show_phones {
        return words.to_owned();
    }
    let mut text = String::with_capacity(words.len());
    let mut word = String::new();
    let end = |text: &mut String, word: &mut String| {
        let digits = word.len() >= PHONE_DIGITS_MIN && word.bytes().all(|byte| byte.is_ascii_digit());
        if digits {
            text.push_str(&crate::domain::mask_digits(word))
        } else {
            text.push_str(word)
        }
        word.clear();
    };
    for c in words.chars() {
        if c.is_alphanumeric() {
            word.push(c);
        } else {
            end(&mut text, &mut word);
            text.push(c);
        }
    }
    end(&mut text, &mut word);
    text
}

/// Log lines on stderr, beside whatever else is on the screen.
struct Spoken;

impl Write for Spoken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        screen::beside_bars(|| io::stderr().lock().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log file. What cannot be written is left out, and that is told once.
#[derive(Clone)]
struct LogFile {
    file: Arc<Mutex<File>>,
    path: PathBuf,
    /// The last line broke off.
    torn: Arc<AtomicBool>,
    /// A person knows that the log is incomplete.
    told: Arc<AtomicBool>,
    terminal: Terminal,
}

impl LogFile {
    fn open(path: &Path, terminal: Terminal) -> Result<Self, Stop> {
        let refused = |why: &dyn std::fmt::Display| {
            Stop::refused(format!("the log {} cannot be written: {why}; nothing was done", path.display()))
        };
        let opened = File::options().append(true).create(true).mode(0o600).open(path);
        let file = opened.map_err(|e| refused(&e))?;
        let meta = file.metadata().map_err(|e| refused(&e))?;
        if meta.is_file() && meta.len() > 0 && !begins_with(path, LINE_HEAD).map_err(|e| refused(&e))? {
            return Err(refused(&"it is there already and is no log of this program; name another file"));
        }
        if meta.is_file() && meta.permissions().mode() & 0o077 != 0 {
            let private = std::fs::Permissions::from_mode(meta.permissions().mode() & 0o700);
            file.set_permissions(private).map_err(|e| refused(&e))?;
        }
        let file = Arc::new(Mutex::new(file));
        let path = path.to_owned();
        Ok(Self { file, path, torn: Arc::default(), told: Arc::default(), terminal })
    }

    fn line(&self, bytes: &[u8]) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // After a line that broke off the next one begins anew.
        let torn = self.torn.load(Ordering::Relaxed);
        let written = if torn { file.write_all(b"\n") } else { Ok(()) };
        let written = written.and_then(|()| file.write_all(bytes));
        self.torn.store(written.is_err(), Ordering::Relaxed);
        drop(file);
        let Err(error) = written else { return };
        if !self.told.swap(true, Ordering::Relaxed) {
            self.terminal.complain(&format!(
                "bulk-topup: the log {} is incomplete from here: {error}. The work goes on; the ledger has everything",
                self.path.display()
            ));
        }
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_number_is_masked_and_ids_are_not() {
        let words =
            "subscriber +84912345601 barred, order BT0000000000000000001A, 0912345601; 4013, HTTP 502";
        let masked_words = masked(words, false);
        assert_eq!(
            masked_words,
            "subscriber +8491****601 barred, order BT0000000000000000001A, 0912***601; 4013, HTTP 502"
        );
        assert_eq!(masked(words, true), words);
    }

    #[test]
    fn a_line_that_cannot_be_written_is_told_once_and_the_next_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.log");
        let terminal = Terminal::silent();
        let log = LogFile::open(&path, terminal).unwrap();
        log.line(b"one\n");
        // A file opened for reading alone stands for a full disk.
        let good = std::mem::replace(&mut *log.file.lock().unwrap(), File::open(&path).unwrap());
        log.line(b"two\n");
        *log.file.lock().unwrap() = good;
        log.line(b"three\n");
        log.line(b"four\n");
        assert!(log.told.load(Ordering::Relaxed));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n\nthree\nfour\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
