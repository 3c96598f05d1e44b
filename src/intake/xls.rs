//! Which rows of an old workbook (.xls) are hidden, and whether its sheets span what they say: the container of
//! streams, and in its workbook stream the records of rows and cells (MS-CFB, MS-XLS). Reads what is needed and
//! nothing else; whatever does not fit gives no answer.

use std::collections::BTreeSet;

/// Records of the workbook stream.
const BOF: u16 = 0x0809;
const EOF: u16 = 0x000A;
const BOUND_SHEET: u16 = 0x0085;
const ROW: u16 = 0x0208;
const DIMENSIONS: u16 = 0x0200;
const MANY_NUMBERS: u16 = 0x00BD;
/// Records that fill cells: numbers, texts, truths, errors, formulas.
const CELLS: [u16; 8] = [0x0203, 0x0204, 0x00D6, 0x0205, 0x027E, 0x00FD, MANY_NUMBERS, 0x0006];

/// Sheets that are looked at; a workbook has a few.
const SHEETS_MAX: usize = 4096;

/// Bit of a row's flags.
const ZERO_HEIGHT: u16 = 0x20;

/// Marks at and above this one are no sectors.
const SECTOR_MAX: u32 = 0xFFFF_FFFA;

/// What must be known of a sheet before it is read.
#[derive(Default)]
pub(super) struct OldSheet {
    /// Hidden rows, from 1.
    pub(super) hidden: BTreeSet<u64>,
    /// Rows and columns that it says it spans, and those that its cells span.
    said: u64,
    rows: Span,
    columns: Span,
}

impl OldSheet {
    /// Whether the reader can take it: it makes room for every cell of what a sheet spans before it sees one.
    pub(super) fn fits(&self) -> bool {
        /// All cells of the largest sheet there can be: 65,536 rows of 256 columns.
        const SAID_MAX: u64 = 1 << 24;
        /// Room of about 100 MB.
        const SPANNED_MAX: u64 = 1 << 22;
        self.said <= SAID_MAX && self.rows.length().saturating_mul(self.columns.length()) <= SPANNED_MAX
    }

    fn note(&mut self, record: &Record<'_>) -> Option<()> {
        let body = record.body;
        match record.kind {
            // Their height is zero: so are rows hidden and filtered out.
            ROW if u16_at(body, 12)? & ZERO_HEIGHT != 0 => {
                self.hidden.insert(u64::from(u16_at(body, 0)?) + 1);
            }
            DIMENSIONS if body.len() >= 14 => {
                let columns = u64::from(u16_at(body, 10)?);
                self.said = self.said.max(u64::from(u32_at(body, 4)?).saturating_mul(columns));
            }
            DIMENSIONS => {
                let columns = u64::from(u16_at(body, 6)?);
                self.said = self.said.max(u64::from(u16_at(body, 2)?) * columns);
            }
            kind if CELLS.contains(&kind) => {
                self.rows.add(u16_at(body, 0)?);
                self.columns.add(u16_at(body, 2)?);
                if kind == MANY_NUMBERS {
                    self.columns.add(u16_at(body, body.len().checked_sub(2)?)?);
                }
            }
            _ => {}
        }
        Some(())
    }
}

/// From the first to the last.
#[derive(Default)]
struct Span(Option<(u16, u16)>);

impl Span {
    fn add(&mut self, place: u16) {
        let (first, last) = self.0.unwrap_or((place, place));
        self.0 = Some((first.min(place), last.max(place)));
    }

    fn length(&self) -> u64 {
        self.0.map_or(0, |(first, last)| u64::from(last - first) + 1)
    }
}

/// Whether only a password opens it: a new workbook in a container, or an old one that says so.
pub(super) fn is_protected(bytes: &[u8]) -> bool {
    const FILE_PASS: u16 = 0x002F;
    let wanted: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    if memchr::memmem::find(bytes, &wanted).is_some() {
        return true;
    }
    let stream = Container::open(bytes).and_then(|container| container.workbook()).unwrap_or_default();
    let mut globals = Records { stream: &stream, at: 0 }.take_while(|record| record.kind != EOF);
    globals.any(|record| record.kind == FILE_PASS && u16_at(record.body, 0).is_some_and(|kind| kind != 0))
}

/// The sheets of an old workbook, in their order. `None`: it is damaged.
pub(super) fn sheets_of(bytes: &[u8]) -> Option<Vec<OldSheet>> {
    let stream = Container::open(bytes)?.workbook()?;
    let bound = Records { stream: &stream, at: 0 }.filter(|record| record.kind == BOUND_SHEET);
    bound
        .take(SHEETS_MAX)
        .map(|record| sheet_at(&stream, usize::try_from(u32_at(record.body, 0)?).ok()?))
        .collect()
}

fn sheet_at(stream: &[u8], start: usize) -> Option<OldSheet> {
    let (mut sheet, mut depth) = (OldSheet::default(), 0u32);
    for record in (Records { stream, at: start }) {
        match record.kind {
            BOF => depth += 1,
            EOF if depth <= 1 => return Some(sheet),
            EOF => depth -= 1,
            // Charts within the sheet have records of their own.
            _ if depth <= 1 => sheet.note(&record)?,
            _ => {}
        }
    }
    None
}

struct Record<'s> {
    kind: u16,
    body: &'s [u8],
}

struct Records<'s> {
    stream: &'s [u8],
    at: usize,
}

impl<'s> Iterator for Records<'s> {
    type Item = Record<'s>;

    fn next(&mut self) -> Option<Record<'s>> {
        let (kind, length) = (u16_at(self.stream, self.at)?, u16_at(self.stream, self.at + 2)?);
        let start = self.at + 4;
        self.at = start + usize::from(length);
        Some(Record { kind, body: self.stream.get(start..self.at)? })
    }
}

/// A compound file: streams cut into sectors that are chained by a table.
struct Container<'b> {
    bytes: &'b [u8],
    sector: usize,
    table: Vec<u32>,
}

impl<'b> Container<'b> {
    fn open(bytes: &'b [u8]) -> Option<Self> {
        const IN_HEADER: usize = 109;
        let sector =
            1usize.checked_shl(u32::from(u16_at(bytes, 30)?)).filter(|size| matches!(size, 512 | 4096))?;
        let mut container = Self { bytes, sector, table: Vec::new() };
        let mut tables: Vec<u32> = (0..IN_HEADER).filter_map(|i| u32_at(bytes, 76 + 4 * i)).collect();
        let mut more = u32_at(bytes, 68)?;
        while more < SECTOR_MAX && tables.len() <= bytes.len() / sector {
            let list = container.sector(more)?;
            tables.extend((0..sector / 4 - 1).filter_map(|i| u32_at(list, 4 * i)));
            more = u32_at(list, sector - 4)?;
        }
        let count = usize::try_from(u32_at(bytes, 44)?).ok()?;
        for table in tables.into_iter().filter(|table| *table < SECTOR_MAX).take(count) {
            let list = container.sector(table)?;
            container.table.extend((0..sector / 4).filter_map(|i| u32_at(list, 4 * i)));
        }
        Some(container)
    }

    fn sector(&self, number: u32) -> Option<&'b [u8]> {
        let start = usize::try_from(number).ok()?.checked_add(1)?.checked_mul(self.sector)?;
        let end = start.checked_add(self.sector)?.min(self.bytes.len());
        self.bytes.get(start..end)
    }

    /// The sectors of a chain, one after the other.
    fn chain(&self, first: u32) -> Option<Vec<u8>> {
        let (mut stream, mut next) = (Vec::new(), first);
        while next < SECTOR_MAX {
            if stream.len() > self.bytes.len() {
                return None;
            }
            stream.extend_from_slice(self.sector(next)?);
            next = *self.table.get(usize::try_from(next).ok()?)?;
        }
        Some(stream)
    }

    /// The stream that holds the workbook.
    fn workbook(&self) -> Option<Vec<u8>> {
        const ENTRY: usize = 128;
        let directory = self.chain(u32_at(self.bytes, 48)?)?;
        let named = |wanted: &str| {
            let utf16: Vec<u8> = wanted.encode_utf16().flat_map(u16::to_le_bytes).collect();
            directory.chunks_exact(ENTRY).find(|entry| {
                let length = u16_at(entry, 64).map_or(0, usize::from);
                length == utf16.len() + 2 && entry.get(..utf16.len()) == Some(utf16.as_slice())
            })
        };
        let entry = named("Workbook").or_else(|| named("Book"))?;
        let (first, size) = (u32_at(entry, 116)?, u32_at(entry, 120)?);
        let length = usize::try_from(size).ok()?;
        let mut stream =
            if size < u32_at(self.bytes, 56)? { self.small(&directory, first)? } else { self.chain(first)? };
        stream.truncate(length);
        (stream.len() == length).then_some(stream)
    }

    /// A stream that is kept within the stream of small ones, which is the root's.
    fn small(&self, directory: &[u8], first: u32) -> Option<Vec<u8>> {
        const SMALL: usize = 64;
        let (all, table) = (self.chain(u32_at(directory, 116)?)?, self.chain(u32_at(self.bytes, 60)?)?);
        let (mut stream, mut next) = (Vec::new(), first);
        while next < SECTOR_MAX {
            let place = usize::try_from(next).ok()?;
            if stream.len() > all.len() {
                return None;
            }
            let start = place.checked_mul(SMALL)?;
            stream.extend_from_slice(all.get(start..start.checked_add(SMALL)?)?);
            next = u32_at(&table, place.checked_mul(4)?)?;
        }
        Some(stream)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at.checked_add(2)?)?.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
}
