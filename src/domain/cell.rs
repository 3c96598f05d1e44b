//! Cells that a spreadsheet would run as a formula (`contract.md` 4): how we write them, and how we read our
//! own files back.

use std::borrow::Cow;

/// Puts one `'` in front of a cell that a spreadsheet would run as a formula; every other cell stays.
pub fn neutralise(cell: &str) -> Cow<'_, str> {
    if runs_as_formula(cell) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// Undoes [`neutralise`] on a cell of one of our own files.
pub fn restore(cell: &str) -> Cow<'_, str> {
    match cell.strip_prefix('\'') {
        Some(inner) if runs_as_formula(cell) => Cow::Borrowed(inner),
        _ => Cow::Borrowed(cell),
    }
}

/// Leading `'`s are looked through, so that the test says the same of a cell before and after another one is
/// put in front of it: that makes [`restore`] exact.
fn runs_as_formula(cell: &str) -> bool {
    let core = cell.trim_start_matches('\'');
    let starts = core
        .chars()
        .next()
        .is_some_and(|c| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '＝' | '＋' | '－' | '＠'));
    starts && !is_number(core) && !is_phone(core)
}

/// A signed number: digits with dots and commas, perhaps an exponent (`-1,234.50`, `+8.6E+10`).
fn is_number(core: &str) -> bool {
    let Some(unsigned) = core.strip_prefix(['+', '-', '＋', '－']) else { return false };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => (unsigned, "0"),
    };
    let is_digit = |c: char| c.is_ascii_digit();
    mantissa.starts_with(is_digit)
        && mantissa.chars().all(|c| is_digit(c) || matches!(c, '.' | ','))
        && !exponent.is_empty()
        && exponent.chars().all(is_digit)
}

/// An international phone number: a plus, then 6 to 15 digits, perhaps grouped.
fn is_phone(core: &str) -> bool {
    let Some(rest) = core.strip_prefix(['+', '＋']) else { return false };
    let digits = rest.chars().filter(|c| c.is_ascii_digit() || ('０'..='９').contains(c)).count();
    let others = rest.chars().filter(|c| matches!(c, ' ' | '-' | '.' | '(' | ')' | '\u{a0}')).count();
    (6..=15).contains(&digits) && digits.saturating_add(others) == rest.chars().count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_formula_gets_one_quote_and_loses_it_again() {
        for cell in
            ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-", "+", "\tx", "\r=1", "＝1", "-1-1", "'=1", "''@x"]
        {
            let written = neutralise(cell);
            assert_eq!(written, format!("'{cell}"));
            assert_eq!(restore(&written), cell);
        }
    }

    #[test]
    fn numbers_and_phone_numbers_stay_as_they_are() {
        for cell in
            ["-5", "+84912345601", "+84 912-345.601", "+1 (202) 555-0100", "-1,000.50", "-3", "-8.6E+10", ""]
        {
            assert_eq!(neutralise(cell), cell);
            assert_eq!(restore(cell), cell);
        }
    }

    #[test]
    fn quotes_that_hide_no_formula_stay() {
        for cell in ["'", "'abc", "''", "'+84912345601", "it's"] {
            assert_eq!(neutralise(cell), cell);
            assert_eq!(restore(cell), cell);
        }
    }

    proptest! {
        #[test]
        fn reading_back_what_was_written_is_exact(cell in "['=+@\\t\\r0-9a-zE,. ()＝－-]{0,12}|\\PC*") {
            let written = neutralise(&cell).into_owned();
            prop_assert_eq!(restore(&written), cell.as_str());
            prop_assert!(written.starts_with('\'') || !runs_as_formula(&written));
        }
    }
}
