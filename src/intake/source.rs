//! A file of rows: opened by what it is, read once from front to back, hashed on the way, and never taken
//! for the same file when it changed.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;
use std::time::SystemTime;

use encoding_rs::UTF_8;

use super::bytes::{Stream, Text};
use super::dialect::{self, Found};
use super::encoding::{self, Sniffed};
use super::records::Records;
use super::workbook::{Book, Packing};
use super::{Broken, Cells, Column, Columns, Dialect, Fault, FileFault, Mapping, RawRow, StatementMapping};
use crate::domain::RowNumber;

/// Bytes that encoding, delimiter and header are found out from.
const HEAD_BYTES: usize = 256 << 10;

/// What the user says about a file; else it is found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Name of the encoding (`windows-1258`).
    pub encoding: Option<String>,
    /// Between cells.
    pub delimiter: Option<char>,
    /// Name of a workbook's sheet; else the first.
    pub sheet: Option<String>,
    /// Columns by the titles that the user gives for them; else by what titles mean.
    pub map: Vec<(Column, String)>,
}

/// What a file was when it was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// SHA-256 of all bytes; its first 8 hex digits name the batch.
    pub sha256: [u8; 32],
    /// How many bytes.
    pub bytes: u64,
    /// How many rows.
    pub rows: u64,
}

/// Which columns a caller can do with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode<'m> {
    /// An input file.
    Input,
    /// One of our results files.
    Results,
    /// A provider's statement.
    Statement(&'m StatementMapping),
}

/// Where rows come from.
enum Backend {
    Text(Records),
    Book(Book),
}

impl Backend {
    fn next(&mut self, cells: &mut Cells) -> Result<Option<(u64, Option<Broken>)>, Fault> {
        match self {
            Self::Text(records) => records.next(cells),
            Self::Book(book) => Ok(book.next(cells)),
        }
    }

    fn digest(&self) -> (u64, [u8; 32]) {
        match self {
            Self::Text(records) => records.digest(),
            Self::Book(book) => book.digest(),
        }
    }
}

/// Size and time of a file on disk.
type Stamp = (u64, Option<SystemTime>);

/// A file that is read row by row. Memory does not grow with it.
pub struct Source {
    name: String,
    dialect: Dialect,
    header: Vec<String>,
    header_line: u64,
    columns: Columns,
    backend: Backend,
    rows: u64,
    /// The open file and what it was on opening.
    on_disk: Option<(File, Stamp)>,
    expected: Option<Digest>,
    done: Option<Digest>,
}

impl Source {
    /// Opens a file: finds out encoding, delimiter and columns from its head.
    ///
    /// # Errors
    /// [`FileFault`], which names the file, the line, and what to do.
    pub fn open(path: &Path, overrides: &Overrides) -> Result<Self, FileFault> {
        Self::open_as(path, overrides, Mode::Input)
    }

    /// Opens a file again that was read before. It is refused when size or content differ; the content's
    /// hash is known only at its end, so act on nothing before [`Source::next_row`] gave `false`.
    ///
    /// # Errors
    /// [`FileFault`] with [`Fault::Changed`], or as [`Source::open`].
    pub fn reopen(path: &Path, dialect: &Dialect, map: &Mapping, digest: &Digest) -> Result<Self, FileFault> {
        let name = path.display().to_string();
        let metadata = std::fs::metadata(path).map_err(|e| Fault::from(e).of(&name))?;
        if metadata.len() != digest.bytes {
            return Err(Fault::Changed.of(&name));
        }
        let overrides = Overrides {
            encoding: Some(dialect.encoding.clone()),
            delimiter: Some(dialect.delimiter),
            sheet: dialect.sheet.clone(),
            map: map.to_vec(),
        };
        let mut source = Self::open(path, &overrides)?;
        source.expected = Some(*digest);
        Ok(source)
    }

    /// Reads rows from any stream; `name` stands for it in messages.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub fn from_stream(name: &str, stream: Stream, overrides: &Overrides) -> Result<Self, FileFault> {
        Self::start(name, stream, overrides, Mode::Input, None).map_err(|fault| fault.of(name))
    }

    pub(super) fn open_as(path: &Path, overrides: &Overrides, mode: Mode<'_>) -> Result<Self, FileFault> {
        let name = path.display().to_string();
        let open = || {
            if std::fs::metadata(path)?.is_dir() {
                return Err(Fault::Io("this is a folder".to_owned()));
            }
            let file = File::open(path)?;
            let watched = file.try_clone()?;
            let stamp = stamp(&watched)?;
            let mut source = Self::start(&name, Box::new(file), overrides, mode, Some(path))?;
            source.on_disk = Some((watched, stamp));
            Ok(source)
        };
        open().map_err(|fault| fault.of(&name))
    }

    fn start(
        name: &str,
        mut stream: Stream,
        overrides: &Overrides,
        mode: Mode<'_>,
        path: Option<&Path>,
    ) -> Result<Self, Fault> {
        let mut head = Vec::new();
        let limit = u64::try_from(HEAD_BYTES).unwrap_or(u64::MAX);
        stream.by_ref().take(limit).read_to_end(&mut head)?;
        let whole = head.len() < HEAD_BYTES;
        if head.is_empty() {
            return Err(Fault::Empty);
        }
        let ending = path.and_then(Path::extension).and_then(|ending| ending.to_str());
        if let Some(packing) = Packing::of(&head, ending) {
            let all = Box::new(Cursor::new(head).chain(stream));
            return Self::start_book(name, all, packing, overrides, mode);
        }
        let mut sniffed = encoding::sniff(&head, whole, overrides.encoding.as_deref())?;
        if let (Some(path), true) = (path, sniffed.encoding == UTF_8 && sniffed.mark == 0)
            && overrides.encoding.is_none()
            && head.is_ascii()
            && !whole
            && path.is_file()
            && let Some(sample) = legacy_sample(path, &head)?
        {
            sniffed.encoding = encoding::legacy(&sample, false)?;
        }
        let text = decode_head(&head, whole, &sniffed);
        let found = dialect::detect(&text, whole, overrides.delimiter, &overrides.map, mode)?;
        check_mode(&found, mode)?;
        let all = Box::new(Cursor::new(head).chain(stream));
        let text = Text::new(all, sniffed.encoding, sniffed.mark)?;
        let mut records = Records::new(text, found.signs());
        let mut cells = Cells::default();
        for _ in 0..found.skip {
            records.next(&mut cells)?;
        }
        let dialect = Dialect {
            encoding: sniffed.encoding.name().to_owned(),
            bom: sniffed.mark > 0,
            delimiter: found.delimiter,
            line_end: found.line_end,
            sheet: None,
        };
        Ok(Self::with(name, dialect, found, Backend::Text(records)))
    }

    fn start_book(
        name: &str,
        stream: Stream,
        packing: Packing,
        overrides: &Overrides,
        mode: Mode<'_>,
    ) -> Result<Self, Fault> {
        let (book, found, sheet) =
            Book::open(stream, packing, overrides.sheet.as_deref(), &overrides.map, mode)?;
        check_mode(&found, mode)?;
        // Results of a workbook: comma, BOM, CRLF (`contract.md` 4).
        let dialect = Dialect {
            encoding: UTF_8.name().to_owned(),
            bom: true,
            delimiter: found.delimiter,
            line_end: found.line_end,
            sheet: Some(sheet),
        };
        Ok(Self::with(name, dialect, found, Backend::Book(book)))
    }

    fn with(name: &str, dialect: Dialect, found: Found, backend: Backend) -> Self {
        Self {
            name: name.to_owned(),
            dialect,
            header_line: found.line,
            header: found.header,
            columns: found.columns,
            backend,
            rows: 0,
            on_disk: None,
            expected: None,
            done: None,
        }
    }

    /// Whether it is a workbook of ours, whose cells stand as they are.
    pub(super) fn is_plain(&self) -> bool {
        match &self.backend {
            Backend::Text(_) => false,
            Backend::Book(book) => book.is_plain(),
        }
    }

    /// The titles, as the file writes them.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Line of the file that the header stands on, from 1.
    pub fn header_line(&self) -> u64 {
        self.header_line
    }

    /// How the file is written.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// Where the columns with a meaning stand.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Rows read so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Reads the next row into `row`, whose buffers are used again. `false`: the end was reached, and the
    /// file is what it was on opening (and, if reopened, on the first reading).
    ///
    /// # Errors
    /// [`FileFault`] when the file is damaged beyond one row, cannot be read, or changed.
    pub fn next_row(&mut self, row: &mut RawRow) -> Result<bool, FileFault> {
        self.read_row(row).map_err(|fault| fault.of(&self.name))
    }

    fn read_row(&mut self, row: &mut RawRow) -> Result<bool, Fault> {
        if self.done.is_some() {
            return Ok(false);
        }
        while let Some((line, broken)) = self.backend.next(&mut row.cells)? {
            if row.cells.is_blank() && broken.is_none() {
                continue;
            }
            self.rows += 1;
            row.row = RowNumber(self.rows);
            row.line = line;
            let (found, expected) = (row.cells.len(), self.header.len());
            row.broken = broken.or((found != expected).then_some(Broken::Ragged { found, expected }));
            return Ok(true);
        }
        self.done = Some(self.end()?);
        Ok(false)
    }

    /// Reads what is left and tells what the file was.
    ///
    /// # Errors
    /// As [`Source::next_row`].
    pub fn finish(mut self) -> Result<Digest, FileFault> {
        let mut row = RawRow::default();
        while self.next_row(&mut row)? {}
        self.digest()
    }

    /// What the file was, once [`Source::next_row`] gave `false`.
    ///
    /// # Errors
    /// [`FileFault`] when it was not read to its end.
    pub fn digest(&self) -> Result<Digest, FileFault> {
        self.done.ok_or_else(|| Fault::Changed.of(&self.name))
    }

    fn end(&self) -> Result<Digest, Fault> {
        let (bytes, sha256) = self.backend.digest();
        let digest = Digest { sha256, bytes, rows: self.rows };
        if let Some((file, before)) = &self.on_disk
            && (stamp(file)? != *before || (before.0 != bytes && file.metadata()?.is_file()))
        {
            return Err(Fault::Changed);
        }
        if self.expected.is_some_and(|expected| expected != digest) {
            return Err(Fault::Changed);
        }
        Ok(digest)
    }
}

fn stamp(file: &File) -> Result<Stamp, Fault> {
    let metadata = file.metadata()?;
    Ok((metadata.len(), metadata.modified().ok()))
}

fn check_mode(found: &Found, mode: Mode<'_>) -> Result<(), Fault> {
    match (mode, dialect::is_ours(&found.header)) {
        (Mode::Input, Some(title)) => Err(Fault::IsResultsFile(title.to_owned())),
        (Mode::Results, None) => Err(Fault::NotResults("topup_batch")),
        (Mode::Statement(_), Some(title)) => Err(Fault::IsOurResults(title.to_owned())),
        (Mode::Input | Mode::Statement(_), None) | (Mode::Results, Some(_)) => Ok(()),
    }
}

/// The head as text; a character cut off by its end is left out.
fn decode_head(head: &[u8], whole: bool, sniffed: &Sniffed) -> String {
    let mut text = String::with_capacity(head.len() * 3 + 16);
    let mut decoder = sniffed.encoding.new_decoder_without_bom_handling();
    let body = head.get(sniffed.mark..).unwrap_or_default();
    // Damage is found, with its place, when the rows are read.
    let (_result, _read, _had_errors) = decoder.decode_to_string(body, &mut text, whole);
    text
}

/// A head of plain ASCII proves no encoding. If the file further on is no UTF-8: the title line and the
/// bytes around the first one that is not.
fn legacy_sample(path: &Path, head: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let mut file = File::open(path)?;
    let mut chunk = vec![0u8; HEAD_BYTES];
    let mut held = 0usize;
    loop {
        let count = file.read(chunk.get_mut(held..).unwrap_or_default())?;
        let filled = chunk.get(..held + count).unwrap_or_default();
        match std::str::from_utf8(filled) {
            Ok(_) => held = 0,
            Err(error) if error.error_len().is_none() && count > 0 => {
                let rest = error.valid_up_to()..filled.len();
                held = rest.len();
                chunk.copy_within(rest, 0);
            }
            Err(_) => {
                let mut sample = head.split_inclusive(|b| *b == b'\n').next().unwrap_or_default().to_vec();
                sample.extend_from_slice(filled);
                return Ok(Some(sample));
            }
        }
        if count == 0 {
            return Ok(None);
        }
    }
}
