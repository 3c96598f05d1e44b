//! Rows of a sheet that a person does not see: filtered out or hidden by hand. The reader of workbooks hands
//! them out like all others, so they are found here, in the parts of the archive.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Cursor, Read};

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

/// Rows, from 1 as the sheet counts. `None`: the archive is not built as such a workbook is.
pub(super) type Hidden = Option<BTreeSet<u64>>;

/// Rows that a sheet can have. What is said of others is not kept, or a damaged file could fill the memory.
const ROWS_MAX: u64 = 1 << 20;

type Archive<'b> = ZipArchive<Cursor<&'b [u8]>>;

/// Hidden rows of a sheet of an .xlsx.
pub(super) fn of_xlsx(bytes: &[u8], sheet: &str) -> Hidden {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let id = elements(part(&mut archive, "xl/workbook.xml")?, |element| {
        let named = element.local_name().as_ref() == "sheet" && attribute(element, "name")? == sheet;
        named.then(|| attribute(element, "id")).flatten()
    })?;
    let target = elements(part(&mut archive, "xl/_rels/workbook.xml.rels")?, |element| {
        (attribute(element, "Id")? == id).then(|| attribute(element, "Target")).flatten()
    })?;
    let path = match target.strip_prefix('/') {
        Some(absolute) => absolute.to_owned(),
        None => format!("xl/{target}"),
    };
    let (mut rows, mut row) = (BTreeSet::new(), 0_u64);
    let none: Option<()> = elements(part(&mut archive, &path)?, |element| {
        if element.local_name().as_ref() == "row" {
            row = attribute(element, "r")
                .and_then(|number| number.parse().ok())
                .unwrap_or(row.saturating_add(1));
            if row <= ROWS_MAX && attribute(element, "hidden").is_some_and(|hidden| is_true(&hidden)) {
                rows.insert(row);
            }
        }
        None
    });
    debug_assert!(none.is_none());
    Some(rows)
}

/// Hidden rows of a sheet of an .ods.
pub(super) fn of_ods(bytes: &[u8], sheet: &str) -> Hidden {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let (mut rows, mut row, mut inside, mut found) = (BTreeSet::new(), 0u64, false, false);
    let none: Option<()> = elements(part(&mut archive, "content.xml")?, |element| {
        let name = element.local_name();
        if name.as_ref() == "table" {
            inside = !found && attribute(element, "name").is_some_and(|name| name == sheet);
            found |= inside;
            row = 0;
        } else if name.as_ref() == "table-row" && inside {
            let repeated = attribute(element, "number-rows-repeated");
            let repeated: u64 = repeated.and_then(|text| text.parse().ok()).unwrap_or(1);
            if attribute(element, "visibility").is_some_and(|seen| seen != "visible") {
                rows.extend((row..row.saturating_add(repeated).min(ROWS_MAX)).map(|row| row + 1));
            }
            row = row.saturating_add(repeated);
        }
        None
    });
    debug_assert!(none.is_none());
    found.then_some(rows)
}

fn part<'a>(archive: &'a mut Archive<'_>, path: &str) -> Option<Box<dyn Read + 'a>> {
    // Parts are found whatever the case of their names, as spreadsheets find them.
    let index = (0..archive.len()).find(|index| {
        let name = archive.name_for_index(*index);
        name.is_some_and(|name| name.is_ok_and(|name| name.eq_ignore_ascii_case(path)))
    })?;
    archive.by_index(index).ok().map(|part| -> Box<dyn Read + 'a> { Box::new(part) })
}

/// What the first element that gives something gives. The sizes of the parts were checked before.
fn elements<T>(text: impl Read, mut look: impl FnMut(&BytesStart<'_>) -> Option<T>) -> Option<T> {
    let mut reader = quick_xml::Reader::from_reader(BufReader::new(text));
    let mut buffer = Vec::new();
    loop {
        let found = next_element(&mut reader, &mut buffer, &mut look);
        match found {
            Some(None) => {}
            Some(Some(found)) => return Some(found),
            None => return None,
        }
        buffer.clear();
    }
}

/// `None` at the end.
fn next_element<T, R: BufRead>(
    reader: &mut quick_xml::Reader<R>,
    buffer: &mut Vec<u8>,
    look: &mut impl FnMut(&BytesStart<'_>) -> Option<T>,
) -> Option<Option<T>> {
    let event = reader.read_event_into(buffer).ok()?;
    if let Event::Start(element) | Event::Empty(element) = &event {
        return Some(look(element));
    }
    if matches!(event, Event::Eof) { None } else { Some(None) }
}

/// The value of an attribute by its name without prefix.
fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = element.attributes().flatten().find(|found| found.key.local_name().as_ref() == name)?;
    found.normalized_value(XmlVersion::Explicit1_0).ok().map(std::borrow::Cow::into_owned)
}

fn is_true(text: &str) -> bool {
    matches!(text, "1" | "true" | "on")
}
