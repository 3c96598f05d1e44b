//! Texts of other programs under a name that says table: web pages that end in .xls, JSON, contacts. They are
//! named for what they are, with what to do.

use super::Fault;

/// Bytes of the beginning that are looked at.
const LOOKED_AT: usize = 512;

/// Refuses a text that is another program's.
pub(super) fn refuse_foreign(head: &[u8]) -> Result<(), Fault> {
    const SHEET: &str = "open it in a spreadsheet and save it as a workbook (.xlsx) or as \"CSV UTF-8\"";
    const EXPORT: &str = "export it from the program that made it as \"CSV UTF-8\"";
    let head = head.get(..head.len().min(LOOKED_AT)).unwrap_or_default();
    let text = String::from_utf8_lossy(head).to_lowercase();
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let kinds: [(&[&str], &'static str, &'static str); 6] = [
        (
            &["<!doctype html", "<html", "<table", "<head", "<body", "<meta", "<style", "<div"],
            "a web page (web systems often name it .xls)",
            SHEET,
        ),
        (&["<?xml", "<workbook"], "an XML file", SHEET),
        (&["{\\rtf"], "a text document (RTF)", SHEET),
        (&["mime-version:", "content-type: multipart"], "a web archive or a mail", SHEET),
        (&["begin:vcard", "begin:vcalendar"], "a file of contacts or dates", EXPORT),
        (&["{\"", "[{", "[\"", "[["], "JSON", EXPORT),
    ];
    let named = |(starts, ..): &&(&[&str], _, _)| starts.iter().any(|start| text.starts_with(start));
    match kinds.iter().find(named) {
        Some((_, what, advice)) => Err(Fault::Binary(what, advice)),
        None if is_spaced_json(text) => Err(Fault::Binary("JSON", EXPORT)),
        None => Ok(()),
    }
}

/// `{` or `[` with line ends or spaces before what comes in it.
fn is_spaced_json(text: &str) -> bool {
    let inner = text.strip_prefix(['{', '[']).map(str::trim_start);
    inner.is_some_and(|inner| inner.starts_with(['"', '{', '[']) && text.contains(':'))
}
