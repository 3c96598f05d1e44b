//! Cuts text into records by RFC 4180: a pure scan of what is there, and a driver that reads on. Stricter
//! than most readers where money would be lost: a quote that swallows lines is refused by its line.

use super::bytes::{Text, TextFault};
use super::encoding::end_of;
use super::{Broken, Cells, Fault, LINE_BYTES_MAX};

/// What a scan of the text found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// A record was cut.
    Record(Cut),
    /// The text ends inside a record.
    More {
        /// Inside a quoted cell.
        quoted: bool,
    },
    /// Nothing is left.
    End,
    /// A quoted cell that holds line ends is followed by text.
    Swallowed {
        /// Line ends before the quote, within the record.
        opened: u64,
        /// Line ends before its end.
        closed: u64,
    },
    /// The end of the text came inside a quoted cell.
    Open {
        /// Line ends before the quote, within the record.
        opened: u64,
    },
}

/// One record that was cut.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Bytes with the line end.
    pub(super) used: usize,
    /// Lines it takes.
    pub(super) lines: u64,
    /// Cell, from 0, that has text after its closing quote.
    pub(super) stray: Option<usize>,
}

/// The two signs that cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signs {
    pub(super) delimiter: u8,
    pub(super) line_end: u8,
}

/// Cuts the first record off the text. `last`: nothing comes after it.
pub(super) fn scan(text: &str, signs: Signs, last: bool, cells: &mut Cells) -> Scan {
    let bytes = text.as_bytes();
    if bytes.is_empty() {
        return if last { Scan::End } else { Scan::More { quoted: false } };
    }
    let end = memchr::memchr(signs.line_end, bytes);
    let line = end.map_or(text, |end| text.get(..end).unwrap_or_default());
    if memchr::memchr(b'"', line.as_bytes()).is_some() {
        return scan_quoted(text, signs, last, cells);
    }
    if end.is_none() && !last {
        return Scan::More { quoted: false };
    }
    cells.set_plain(without_return(line, signs), signs.delimiter);
    Scan::Record(Cut { used: end.map_or(text.len(), |end| end + 1), lines: 1, stray: None })
}

/// A carriage return before the line feed belongs to the line end.
fn without_return(line: &str, signs: Signs) -> &str {
    if signs.line_end == b'\n' { line.strip_suffix('\r').unwrap_or(line) } else { line }
}

fn scan_quoted(text: &str, signs: Signs, last: bool, cells: &mut Cells) -> Scan {
    cells.clear();
    let (mut at, mut lines, mut stray) = (0usize, 0u64, None);
    loop {
        let rest = text.get(at..).unwrap_or_default();
        if let Some(inner) = rest.strip_prefix('"') {
            let (opened, before) = (lines, cells.len());
            match quoted_cell(inner, last, cells) {
                Quoted::More => return Scan::More { quoted: true },
                Quoted::Open => return Scan::Open { opened },
                Quoted::Closed(used) => {
                    let cell = inner.get(..used).unwrap_or_default();
                    lines += count(cell, signs.line_end);
                    at += 1 + used;
                    if !at_boundary(text.get(at..).unwrap_or_default(), signs) {
                        if lines > opened {
                            return Scan::Swallowed { opened, closed: lines };
                        }
                        stray = stray.or(Some(before));
                    }
                }
            }
        }
        let rest = text.get(at..).unwrap_or_default();
        match memchr::memchr2(signs.delimiter, signs.line_end, rest.as_bytes()) {
            Some(cut) => {
                let part = rest.get(..cut).unwrap_or_default();
                at += cut + 1;
                if rest.as_bytes().get(cut) == Some(&signs.delimiter) {
                    cells.extend(part);
                    cells.end_cell();
                    continue;
                }
                cells.extend(without_return(part, signs));
                cells.end_cell();
                return Scan::Record(Cut { used: at, lines: lines + 1, stray });
            }
            None if last => {
                cells.extend(without_return(rest, signs));
                cells.end_cell();
                return Scan::Record(Cut { used: text.len(), lines: lines + 1, stray });
            }
            None => return Scan::More { quoted: false },
        }
    }
}

enum Quoted {
    /// Closed; bytes up to and with the closing quote.
    Closed(usize),
    /// The text ends first.
    More,
    /// Nothing closes it.
    Open,
}

/// Takes the inside of a quoted cell, with doubled quotes made single.
fn quoted_cell(inner: &str, last: bool, cells: &mut Cells) -> Quoted {
    let mut at = 0usize;
    loop {
        let rest = inner.get(at..).unwrap_or_default();
        let Some(quote) = memchr::memchr(b'"', rest.as_bytes()) else {
            return if last { Quoted::Open } else { Quoted::More };
        };
        match rest.as_bytes().get(quote + 1) {
            Some(b'"') => {
                cells.extend(rest.get(..=quote).unwrap_or_default());
                at += quote + 2;
            }
            None if !last => return Quoted::More,
            Some(_) | None => {
                cells.extend(rest.get(..quote).unwrap_or_default());
                return Quoted::Closed(at + quote + 1);
            }
        }
    }
}

fn at_boundary(rest: &str, signs: Signs) -> bool {
    let rest = if signs.line_end == b'\n' { rest.strip_prefix('\r').unwrap_or(rest) } else { rest };
    rest.as_bytes().first().is_none_or(|b| *b == signs.delimiter || *b == signs.line_end)
}

fn count(text: &str, sign: u8) -> u64 {
    u64::try_from(memchr::memchr_iter(sign, text.as_bytes()).count()).unwrap_or(u64::MAX)
}

/// Records of a text that is read as it goes.
pub(super) struct Records {
    text: Text,
    signs: Signs,
    /// Line that the rest begins on, from 1.
    line: u64,
}

impl Records {
    pub(super) fn new(text: Text, signs: Signs) -> Self {
        Self { text, signs, line: 1 }
    }

    /// Bytes so far and their SHA-256.
    pub(super) fn digest(&self) -> (u64, [u8; 32]) {
        self.text.digest()
    }

    /// Reads the next record. `Some`: the line it began on and what is broken about it; `None`: the end.
    pub(super) fn next(&mut self, cells: &mut Cells) -> Result<Option<(u64, Option<Broken>)>, Fault> {
        loop {
            let line = self.line;
            match scan(self.text.rest(), self.signs, self.text.ended(), cells) {
                Scan::Record(cut) => {
                    if cut.used > LINE_BYTES_MAX {
                        keep_beginning(self.text.rest(), cells);
                    }
                    self.text.consume(cut.used);
                    self.line += cut.lines;
                    return Ok(Some((line, broken_by_size(cells, &cut))));
                }
                Scan::End => return Ok(None),
                Scan::Open { opened } => return Err(Fault::OpenQuote(line + opened)),
                Scan::Swallowed { opened, closed } => {
                    return Err(Fault::SwallowedLines { opened: line + opened, closed: line + closed });
                }
                Scan::More { .. } if self.text.rest().len() > LINE_BYTES_MAX => {
                    self.skip_record(cells)?;
                    return Ok(Some((line, Some(Broken::LineTooLong))));
                }
                Scan::More { .. } => self.fill()?,
            }
        }
    }

    fn fill(&mut self) -> Result<(), Fault> {
        let line = self.line;
        let placed = |text: &Text, fault: TextFault| {
            let before = match &fault {
                TextFault::Nul(at) => text.rest().get(..*at).unwrap_or_default(),
                TextFault::Malformed | TextFault::Io(_) => text.rest(),
            };
            let (lines, column) = end_of(before);
            let line = line + lines - 1;
            match fault {
                TextFault::Io(fault) => fault,
                TextFault::Nul(_) => Fault::Nul { line, column },
                TextFault::Malformed => Fault::BadBytes { line, column, encoding: text.encoding() },
            }
        };
        self.text.fill().map_err(|fault| placed(&self.text, fault))
    }

    /// Throws an oversized record away to its end. Quotes are followed, so that the rows after it are whole.
    fn skip_record(&mut self, cells: &mut Cells) -> Result<(), Fault> {
        let opened = self.line;
        keep_beginning(self.text.rest(), cells);
        let mut place = Place::CellStart;
        loop {
            let rest = self.text.rest();
            let mut used = rest.len();
            let mut ended = false;
            for (at, byte) in rest.bytes().enumerate() {
                place = place.after(byte, self.signs);
                if place == Place::RecordEnd {
                    (used, ended) = (at + 1, true);
                    break;
                }
            }
            self.line += count(rest.get(..used).unwrap_or_default(), self.signs.line_end);
            self.text.consume(used);
            if ended {
                return Ok(());
            }
            if self.text.ended() {
                return if place == Place::Quoted { Err(Fault::OpenQuote(opened)) } else { Ok(()) };
            }
            self.fill()?;
        }
    }
}

/// Where in a record a byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    CellStart,
    Plain,
    Quoted,
    /// After a quote in a quoted cell: its end, or half of a doubled quote.
    QuoteInQuoted,
    RecordEnd,
}

impl Place {
    fn after(self, byte: u8, signs: Signs) -> Self {
        match self {
            Self::Quoted if byte == b'"' => Self::QuoteInQuoted,
            Self::Quoted => Self::Quoted,
            Self::CellStart | Self::QuoteInQuoted if byte == b'"' => Self::Quoted,
            Self::CellStart | Self::Plain | Self::QuoteInQuoted | Self::RecordEnd => match byte {
                b if b == signs.delimiter => Self::CellStart,
                b if b == signs.line_end => Self::RecordEnd,
                _ => Self::Plain,
            },
        }
    }
}

/// Of a line that is too long only this is kept, as one cell.
fn keep_beginning(text: &str, cells: &mut Cells) {
    const KEPT_CHARS: usize = 200;
    let beginning: String = text.chars().take(KEPT_CHARS).collect();
    cells.clear();
    cells.push(&beginning);
}

fn broken_by_size(cells: &Cells, cut: &Cut) -> Option<Broken> {
    if cut.used > LINE_BYTES_MAX {
        return Some(Broken::LineTooLong);
    }
    let long = cells.oversized().map(|cell| Broken::CellTooLong(cell + 1));
    long.or_else(|| cut.stray.map(|cell| Broken::StrayQuote(cell + 1)))
}
