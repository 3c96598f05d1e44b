//! Cells that a spreadsheet would run: how results files disarm them, and how reading one of our own files
//! gives them back (`contract.md` 4).

use std::borrow::Cow;

/// Disarms a cell for a results file: one leading `'` if a spreadsheet would run it.
pub fn neutralise(cell: &str) -> Cow<'_, str> {
    if is_dangerous(cell) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// Takes back what [`neutralise`] did. Only for cells of our own files: there every dangerous cell has one
/// `'` more than its original.
pub fn restore(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(original) if is_dangerous(cell) => original,
        Some(_) | None => cell,
    }
}

/// After any leading `'`s the first character starts a formula, and the whole cell is neither a number nor a
/// phone number.
fn is_dangerous(cell: &str) -> bool {
    // Most cells, told by their first byte.
    if cell.as_bytes().first().is_none_or(u8::is_ascii_alphanumeric) {
        return false;
    }
    let first = cell.trim_start_matches('\'').chars().next();
    let starts_formula = first.is_some_and(|c| {
        matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\u{FF1D}' | '\u{FF0B}' | '\u{FF0D}' | '\u{FF20}')
    });
    starts_formula && !is_number(cell) && !is_phone(cell)
}

/// `-12`, `+1,234.50`, `-8.5E+10`.
fn is_number(cell: &str) -> bool {
    let body = cell.strip_prefix(['+', '-']).unwrap_or(cell);
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (body, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let plain = mantissa.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b','));
    let starts = mantissa.bytes().next().is_some_and(|b| b.is_ascii_digit());
    plain && starts && exponent.is_none_or(digits)
}

/// `+84 912-345-678`: a plus, then 6 to 15 digits with at most spaces, dots, dashes and brackets between.
fn is_phone(cell: &str) -> bool {
    let Some(body) = cell.strip_prefix('+') else { return false };
    let digits = body.bytes().filter(u8::is_ascii_digit).count();
    let plain = body.bytes().all(|b| b.is_ascii_digit() || matches!(b, b' ' | b'.' | b'-' | b'(' | b')'));
    plain && (6..=15).contains(&digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formulas_are_disarmed_and_numbers_are_left_alone() {
        for cell in
            ["=1+1", "@SUM(A1)", "-cmd|' /C calc'!A0", "+a", "'=1", "''-x", "\t=1", "＝1", "-1-1", "+1-2"]
        {
            assert_eq!(neutralise(cell), format!("'{cell}"), "{cell}");
        }
        for cell in
            ["", "'", "abc", "'0912345678", "-12", "+1.5", "-8.5E+10", "+84912345678", "+84 (91) 234-56.78"]
        {
            assert_eq!(neutralise(cell), cell, "{cell}");
        }
    }

    proptest! {
        #[test]
        fn what_is_disarmed_comes_back(cell in "['=+@\\-\t\r＝0-9a-z.E ]{0,12}") {
            let written = neutralise(&cell);
            prop_assert_eq!(restore(&written), cell.as_str());
        }

        #[test]
        fn any_text_comes_back(cell in ".*") {
            let written = neutralise(&cell);
            prop_assert_eq!(restore(&written), cell.as_str());
        }
    }
}
