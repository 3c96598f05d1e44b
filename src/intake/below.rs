//! A first line that is no header: is the header further down, below titles and notes, or is the line cut at the
//! wrong sign? Nothing is skipped in silence; the answers only make the refusal say what to do.

use super::dialect::Found;
use super::records::{Scan, scan};
use super::{Cells, Column, Columns, Fault, Mapping};

/// Records below the first that are looked at: titles and notes are a few lines.
pub(super) const RECORDS_MAX: usize = 30;

/// The refusal that names the header, if one stands below the line that was found first.
pub(super) fn header_below(text: &str, whole: bool, first: &Found, map: &Mapping) -> Option<Fault> {
    let mut cells = Cells::default();
    let (mut at, mut line) = (0, 1);
    for record in 1..=first.skip + RECORDS_MAX {
        let Scan::Record(cut) = scan(text.get(at..)?, first.signs(), whole, &mut cells) else { return None };
        if record > first.skip
            && let Some(title) = phone_title(&cells, map)
        {
            return Some(Fault::HeaderBelow { line: first.line, below: line, title });
        }
        at += cut.used;
        line += cut.lines;
    }
    None
}

/// The title of the phone column, if these cells can be a header: one cell alone is a word in a note.
pub(super) fn phone_title(cells: &Cells, map: &Mapping) -> Option<String> {
    let titles: Vec<&str> = cells.iter().collect();
    let columns = Columns::find(&titles, 1, map).ok()?;
    columns.place(Column::Phone)?;
    (titles.len() == 1 || columns.count() > 1).then(|| columns.title(Column::Phone).to_owned())
}

/// What else may help with a header that has no phone column.
pub(super) fn advice(header: &[String]) -> &'static str {
    let wide = |title: &String| title.contains(['，', '；', '｜']);
    match header {
        [one] if wide(one) => "; full-width commas do not cut a line, so write plain ones (,)",
        [_] => "; if the line is not cut where it should be, name the sign with --delimiter",
        _ => "",
    }
}
