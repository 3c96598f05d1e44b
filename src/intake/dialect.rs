//! How a file is written: encoding, delimiter, line ends; and the header that proves it.

use serde::{Deserialize, Serialize};

use super::below;
use super::columns::listed;
use super::records::{Scan, Signs, scan};
use super::{Cells, Column, Columns, Fault, Mapping, TopupColumn};

/// Delimiters that are looked for, the likeliest first.
const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];

/// Rows of the head that are compared when two delimiters make sense.
const COMPARED_ROWS: usize = 50;

/// How lines end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineEnd {
    /// `\n`
    Lf,
    /// `\r\n`
    CrLf,
    /// `\r` alone, of old Macs.
    Cr,
}

impl LineEnd {
    /// The characters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::CrLf => "\r\n",
            Self::Cr => "\r",
        }
    }

    fn of(text: &str) -> Self {
        match text.find('\n') {
            Some(at) if text.get(..at).is_some_and(|before| before.ends_with('\r')) => Self::CrLf,
            Some(_) => Self::Lf,
            None if text.contains('\r') => Self::Cr,
            None => Self::Lf,
        }
    }

    fn last_byte(self) -> u8 {
        match self {
            Self::Lf | Self::CrLf => b'\n',
            Self::Cr => b'\r',
        }
    }
}

/// How a file is written. Kept with its batch: results are written the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialect {
    /// Name of the encoding (`UTF-8`, `UTF-16LE`, `windows-1258`, `gb18030`).
    pub encoding: String,
    /// A byte order mark stood in front.
    pub bom: bool,
    /// Between cells.
    pub delimiter: char,
    /// Between lines.
    pub line_end: LineEnd,
    /// Name of the sheet, when the file is a workbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
}

impl Dialect {
    /// Whether results get a UTF-8 byte order mark: the input had one, or was not UTF-8.
    pub fn results_bom(&self) -> bool {
        self.bom || self.encoding != "UTF-8" || self.sheet.is_some()
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(sheet) = &self.sheet {
            return write!(f, "workbook, sheet {sheet:?}");
        }
        let delimiter = match self.delimiter {
            ',' => "comma".to_owned(),
            ';' => "semicolon".to_owned(),
            '\t' => "tab".to_owned(),
            '|' => "bar".to_owned(),
            other => format!("{other:?}"),
        };
        let mark = if self.bom { " with BOM" } else { "" };
        write!(f, "{}{mark}, {delimiter}", self.encoding)
    }
}

/// What the head of a file tells.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) delimiter: char,
    pub(super) line_end: LineEnd,
    pub(super) header: Vec<String>,
    /// Line the header stands on.
    pub(super) line: u64,
    pub(super) columns: Columns,
    /// Records up to and with the header.
    pub(super) skip: usize,
}

impl Found {
    pub(super) fn signs(&self) -> Signs {
        Signs { delimiter: u8::try_from(self.delimiter).unwrap_or(b','), line_end: self.line_end.last_byte() }
    }
}

/// How many titles of a line are known, cut the best way.
pub(super) fn known_titles(line: &str) -> usize {
    let cut = |delimiter: char| {
        let titles: Vec<&str> = line.split(delimiter).map(|title| title.trim_matches('"')).collect();
        Columns::find(&titles, 1, &[]).map_or(0, |columns| columns.count())
    };
    DELIMITERS.into_iter().map(cut).max().unwrap_or(0)
}

/// Finds delimiter and header in the head of a file. `whole`: the head is all of it.
pub(super) fn detect(text: &str, whole: bool, named: Option<char>, map: &Mapping) -> Result<Found, Fault> {
    if text.trim_matches(|c: char| c.is_whitespace() || DELIMITERS.contains(&c)).is_empty() && whole {
        return Err(Fault::Empty);
    }
    if let Some(bad) = named.filter(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || "\"\r\n\0".contains(*c))
    {
        return Err(Fault::BadDelimiter(bad));
    }
    let tried: Vec<_> = match named.or_else(|| declared(text)) {
        Some(delimiter) => vec![try_delimiter(text, whole, delimiter, map)],
        None => DELIMITERS.into_iter().map(|sign| try_delimiter(text, whole, sign, map)).collect(),
    };
    let (found, faults): (Vec<_>, Vec<_>) = tried.into_iter().partition(Result::is_ok);
    let found: Vec<Found> = found.into_iter().flatten().collect();
    let useful = |f: &&Found| f.columns.place(Column::Phone).is_some() || is_ours(&f.header).is_some();
    let several: Vec<&Found> = found.iter().filter(useful).filter(|f| f.header.len() > 1).collect();
    match several.as_slice() {
        [] => {
            if let Some(index) = found.iter().position(|f| useful(&f)) {
                return Ok(found.into_iter().nth(index)).and_then(|f| f.ok_or(Fault::Empty));
            }
            Err(likeliest(faults.into_iter().filter_map(Result::err))
                .or_else(|| found.iter().find_map(|first| below::header_below(text, whole, first, map)))
                .unwrap_or_else(|| no_header(&found)))
        }
        [first, rest @ ..] => {
            let phones = |f: &Found| phone_cells(text, whole, f);
            if let Some(other) = rest.iter().find(|other| phones(other) != phones(first)) {
                return Err(Fault::AmbiguousDelimiter {
                    line: first.line,
                    first: first.delimiter,
                    second: other.delimiter,
                });
            }
            let best =
                several.iter().max_by_key(|f| f.columns.count()).map_or(first.delimiter, |f| f.delimiter);
            found.into_iter().find(|f| f.delimiter == best).ok_or(Fault::Empty)
        }
    }
}

/// The fault to tell: the first one, but of titles that were not found the one under the delimiter that cuts
/// most titles.
fn likeliest(faults: impl Iterator<Item = Fault>) -> Option<Fault> {
    let weight =
        |fault: &Fault| if let Fault::NoSuchTitle { titles, .. } = fault { *titles } else { usize::MAX };
    // Of equals `max_by_key` takes the last, and the first is wanted.
    faults.collect::<Vec<_>>().into_iter().rev().max_by_key(weight)
}

/// The title of a column that only our results files have.
pub(super) fn is_ours(header: &[String]) -> Option<&str> {
    let ours = [TopupColumn::Status, TopupColumn::Batch, TopupColumn::Row];
    let found = header.iter().find(|title| TopupColumn::of(title).is_some_and(|c| ours.contains(&c)));
    found.map(|title| title.trim())
}

/// Excel's own first line, `sep=;`.
fn declared(text: &str) -> Option<char> {
    let line = text.lines().next()?;
    let mut signs = line.strip_prefix("sep=")?.chars();
    let sign = signs.next().filter(|c| DELIMITERS.contains(c))?;
    signs.all(|c| c == '\r').then_some(sign)
}

fn try_delimiter(text: &str, whole: bool, delimiter: char, map: &Mapping) -> Result<Found, Fault> {
    let line_end = LineEnd::of(text);
    let mut found =
        Found { delimiter, line_end, header: Vec::new(), line: 1, columns: Columns::default(), skip: 0 };
    let mut cells = Cells::default();
    let mut at = 0;
    loop {
        match scan(text.get(at..).unwrap_or_default(), found.signs(), whole, &mut cells) {
            Scan::Record(cut) => {
                found.skip += 1;
                let is_sep = found.skip == 1 && declared(text).is_some();
                if cells.is_blank() || is_sep {
                    at += cut.used;
                    found.line += cut.lines;
                    continue;
                }
                if let Some(cell) = cut.stray {
                    let what = format!("cell {} has text after its closing quote", cell + 1);
                    return Err(Fault::BrokenHeader(found.line, what));
                }
                found.header = cells.iter().map(str::to_owned).collect();
                found.columns = Columns::find(&found.header, found.line, map)?;
                return Ok(found);
            }
            Scan::End => return Err(Fault::Empty),
            Scan::Open { opened } => return Err(Fault::OpenQuote(found.line + opened)),
            Scan::More { quoted: true } => return Err(Fault::OpenQuote(found.line)),
            Scan::More { quoted: false } => {
                return Err(Fault::BrokenHeader(found.line, "it does not end".to_owned()));
            }
            Scan::Swallowed { opened, closed } => {
                let (opened, closed) = (found.line + opened, found.line + closed);
                return Err(Fault::SwallowedLines { opened, closed });
            }
        }
    }
}

/// The phone cells of the head's first rows, under one delimiter.
fn phone_cells(text: &str, whole: bool, found: &Found) -> Vec<String> {
    let mut cells = Cells::default();
    let mut phones = Vec::new();
    let (mut at, mut records) = (0, 0);
    let place = found.columns.place(Column::Phone).unwrap_or(0);
    while let Scan::Record(cut) = scan(text.get(at..).unwrap_or_default(), found.signs(), whole, &mut cells) {
        at += cut.used;
        records += 1;
        if records > found.skip + COMPARED_ROWS {
            break;
        }
        if records >= found.skip && !cells.is_blank() {
            phones.push(cells.get(place).unwrap_or_default().to_owned());
        }
    }
    phones
}

/// A header that was found is of use only with a phone column, or when it is one of ours.
pub(super) fn with_phone_column(found: Found) -> Result<Found, Fault> {
    if found.columns.place(Column::Phone).is_some() || is_ours(&found.header).is_some() {
        return Ok(found);
    }
    Err(no_header(std::slice::from_ref(&found)))
}

/// Why no delimiter gives a header with a phone column.
fn no_header(found: &[Found]) -> Fault {
    let Some(best) = found.iter().rev().max_by_key(|f| f.header.len()) else { return Fault::Empty };
    let is_phone = |cell: &String| {
        let digits = cell.bytes().filter(u8::is_ascii_digit).count();
        digits >= 7 && !cell.chars().any(char::is_alphabetic)
    };
    if best.header.iter().any(is_phone) {
        return Fault::NoHeader(best.line);
    }
    Fault::NoPhoneColumn {
        line: best.line,
        header: listed(&best.header),
        advice: below::advice(&best.header),
    }
}
