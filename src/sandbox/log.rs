//! The charge log: one JSON line for each thing that happened, written at once, read again at the start.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// One line of the charge log. Every field is text (or left out where it has nothing to say).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Line {
    /// RFC 3339, UTC, microseconds.
    pub at: String,
    /// `tutom`, `connect-topup` or `paynicorn`.
    pub provider: String,
    /// `request`, `charge`, `refuse`, `complete`, `fail`, `reverse` or `malformed`.
    pub event: String,
    /// The call, such as `OrderCreate`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub call: String,
    /// The client's transaction id.
    pub id: String,
    /// The provider's reference.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The number as the client wrote it.
    pub phone: String,
    /// Major units of the currency.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// Tutom's product id.
    pub product: String,
    /// Operator or gateway.
    pub operator: String,
    /// The code answered.
    pub code: String,
    /// What the account holds after this event, in major units.
    pub balance: String,
    /// What was wrong with the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub malformed: Option<String>,
    /// The fault that a `request` met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Of a `request`: submits to this provider under way, this one included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u64>,
    /// Of a `request`: which request with this id it is, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// Of a `request`: it came faster than the provider's rate allows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over_rate: bool,
    /// Of a `charge`: when it settles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settles_at: Option<String>,
    /// Of a `charge`: `complete` or `fail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settles_as: Option<String>,
    /// Of a `charge`: when what was completed is given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverses_at: Option<String>,
}

/// Far beyond any line that is written here; bounds what a foreign file can make a start read at once.
const LINE_MOST_BYTES: u64 = 1 << 20;

/// How every line begins.
const BEGINNING: &[u8] = b"{\"at\":";

/// The open log, or none.
#[derive(Debug)]
pub struct Log {
    file: Option<File>,
    /// Bytes of whole lines; none where the file is a pipe or a device.
    whole: Option<u64>,
}

impl Log {
    /// Opens (or creates, for its owner alone) the log and gives each line it holds to `take`. A last
    /// line without its end was cut by a kill: nothing had been answered on its strength, and it is
    /// taken off.
    ///
    /// # Errors
    /// The file cannot be read or written, or it holds anything but lines of a charge log; then it is
    /// left as it is.
    pub fn open(path: Option<&Path>, mut take: impl FnMut(Line)) -> io::Result<Log> {
        let Some(path) = path else { return Ok(Log { file: None, whole: None }) };
        let foreign = |what: &dyn std::fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: no charge log: {what}", path.display()))
        };
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        if !file.metadata()?.is_file() {
            // A pipe or a device takes lines and has none to give.
            return Ok(Log { file: Some(file), whole: None });
        }
        let mut reader = BufReader::new(&file);
        let (mut whole, mut text) = (0_u64, Vec::new());
        loop {
            text.clear();
            let length = reader.by_ref().take(LINE_MOST_BYTES).read_until(b'\n', &mut text)?;
            if length == 0 {
                break;
            }
            if !text.ends_with(b"\n") {
                let ours = text.starts_with(BEGINNING) || BEGINNING.starts_with(&text);
                if !ours || !reader.fill_buf()?.is_empty() {
                    return Err(foreign(&"a line without an end"));
                }
                file.set_len(whole)?;
                break;
            }
            whole = whole.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
            take(serde_json::from_slice(&text).map_err(|fault| foreign(&fault))?);
        }
        Ok(Log { file: Some(file), whole: Some(whole) })
    }

    /// Appends one line with one write.
    ///
    /// # Errors
    /// The write failed; what it left of the line is taken off again.
    pub fn write(&mut self, line: &Line) -> io::Result<()> {
        let Some(file) = self.file.as_mut() else { return Ok(()) };
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        if let Err(fault) = file.write_all(&text) {
            if let Some(whole) = self.whole {
                file.set_len(whole)?;
            }
            return Err(fault);
        }
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.whole = self.whole.map(|whole| whole.saturating_add(length));
        Ok(())
    }
}
