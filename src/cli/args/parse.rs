//! What stands behind a flag, read from its text. Syntax only.

use super::ColumnMap;
use crate::domain::Money;

/// `VND=40000`.
pub(super) fn parse_total(text: &str) -> Result<Money, String> {
    let (currency, amount) = text.split_once('=').ok_or("write CUR=AMOUNT, such as VND=40000")?;
    Money::parse(amount, currency).map_err(|error| error.to_string())
}

/// A delimiter by its word or itself.
pub(super) fn parse_delimiter(text: &str) -> Result<char, &'static str> {
    match text {
        "comma" => Ok(','),
        "semicolon" => Ok(';'),
        "pipe" => Ok('|'),
        "tab" | "\\t" => Ok('\t'),
        _ => one_char(text)
            .filter(|c| c.is_ascii() && !c.is_ascii_alphanumeric() && !matches!(c, '"' | '\r' | '\n' | '\0'))
            .ok_or("write one character that stands in no cell, or comma, semicolon, pipe, tab"),
    }
}

/// A thousands separator by its word or itself.
pub(super) fn parse_thousands(text: &str) -> Result<char, &'static str> {
    match text {
        "dot" => Ok('.'),
        "comma" => Ok(','),
        "space" => Ok(' '),
        _ => one_char(text)
            .filter(|c| matches!(c, '.' | ',' | ' ' | '\''))
            .ok_or("write `.` or `,`, or dot, comma, space"),
    }
}

fn one_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

/// `phone=So dien thoai`.
pub(super) fn parse_map(text: &str) -> Result<ColumnMap, &'static str> {
    let (column, header) = text.split_once('=').ok_or("write COLUMN=HEADER, such as phone=Mobile")?;
    let (column, header) = (column.trim().to_owned(), header.trim().to_owned());
    if column.is_empty() || header.is_empty() {
        return Err("write COLUMN=HEADER, such as phone=Mobile");
    }
    Ok(ColumnMap { column, header })
}

/// A note that says something.
pub(super) fn parse_note(text: &str) -> Result<String, &'static str> {
    let note = text.trim();
    if note.is_empty() { Err("say who decided and why") } else { Ok(note.to_owned()) }
}
