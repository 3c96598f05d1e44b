//! From what people type to digits: separators go, everything that is no number is named.

use std::borrow::Cow;

use super::{PhoneProblem, Repair, Repairs};

/// More than this many digits are never collected: no number has so many, and cells can be long.
const DIGITS_MAX: usize = 40;

/// The digits of a cell.
pub(super) struct Cleaned<'c> {
    /// Digits only.
    pub(super) digits: Cow<'c, str>,
    /// A `+` stood in front.
    pub(super) plus: bool,
    /// What was taken away.
    pub(super) repairs: Repairs,
}

/// Takes off what a spreadsheet puts around a number to keep it text: one leading `'`, or `="..."`. `None`:
/// the cell has neither.
pub fn excel_text(cell: &str) -> Option<&str> {
    if let Some(inner) = cell.strip_prefix('\'') {
        return Some(inner);
    }
    cell.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')).filter(|inner| !inner.contains('"'))
}

/// Reads the digits of a phone cell.
pub(super) fn clean(cell: &str) -> Result<Cleaned<'_>, PhoneProblem> {
    if !cell.is_empty() && cell.len() <= 15 && cell.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Cleaned { digits: Cow::Borrowed(cell), plus: false, repairs: Repairs::default() });
    }
    let mut repairs = Repairs::default();
    let mut text = trim(cell);
    if let Some(inner) = excel_text(text) {
        repairs.add(Repair::TextMark);
        text = trim(inner);
    }
    if text.is_empty() {
        return Err(PhoneProblem::Empty);
    }
    if text.starts_with('=') {
        return Err(PhoneProblem::Formula);
    }
    if is_sheet_error(text) {
        return Err(PhoneProblem::SheetError);
    }
    if is_narrow(text) {
        return Err(PhoneProblem::Narrow);
    }
    if is_words(text) {
        return Err(PhoneProblem::Words);
    }
    if is_scientific(text) {
        return Err(PhoneProblem::Scientific);
    }
    if is_decimal(text) {
        return Err(PhoneProblem::Decimal);
    }
    let (digits, plus) = collect(text, &mut repairs)?;
    Ok(Cleaned { digits: Cow::Owned(digits), plus, repairs })
}

fn collect(text: &str, repairs: &mut Repairs) -> Result<(String, bool), PhoneProblem> {
    let (mut digits, mut count, mut plus) = (String::with_capacity(16), 0usize, false);
    // Length of each run of digits, to tell one spaced number from two.
    let (mut run, mut runs) = (0usize, Vec::new());
    for (at, char) in text.char_indices() {
        if char.is_ascii_digit() {
            count += 1;
            run += 1;
            if count <= DIGITS_MAX {
                digits.push(char);
            }
            continue;
        }
        if run > 0 {
            runs.push(std::mem::take(&mut run));
        }
        match char {
            '+' if count == 0 && !plus => plus = true,
            '+' if count >= 7 => return Err(PhoneProblem::TwoNumbers),
            '+' => return Err(PhoneProblem::Plus),
            c if is_separator(c) => repairs.add(Repair::Separators),
            c => return Err(name_intruder(c, count, text.get(at..).unwrap_or_default())),
        }
    }
    runs.push(run);
    if count == 0 {
        return Err(PhoneProblem::Empty);
    }
    if count > 15 {
        return Err(if splits_in_two(&runs) {
            PhoneProblem::TwoNumbers
        } else {
            PhoneProblem::TooLong(count)
        });
    }
    Ok((digits, plus))
}

/// Whether a gap between digits leaves a whole number on either side.
fn splits_in_two(runs: &[usize]) -> bool {
    let total: usize = runs.iter().sum();
    let mut before = 0;
    runs.iter().any(|run| {
        before += run;
        before >= 8 && total - before >= 8
    })
}

/// Spaces of every kind that shows as a gap, dots, brackets, and the dashes that word processors make.
fn is_separator(char: char) -> bool {
    matches!(char, ' ' | '\u{A0}' | '\u{2007}' | '\u{2009}' | '\u{202F}' | '\u{3000}' | '.' | '-' | '(' | ')')
        || matches!(char, '\u{2010}'..='\u{2015}')
}

fn trim(text: &str) -> &str {
    text.trim_matches(|c| matches!(c, ' ' | '\t' | '\u{A0}' | '\u{202F}' | '\u{3000}'))
}

/// Says what a character is that has no place in a number.
fn name_intruder(char: char, digits_before: usize, rest: &str) -> PhoneProblem {
    let digits_after = rest.chars().filter(char::is_ascii_digit).count();
    let lower = rest.to_lowercase();
    if digits_before >= 7 && (char == '#' || ["ext", "x"].iter().any(|mark| lower.starts_with(mark))) {
        return PhoneProblem::Extension;
    }
    if is_invisible(char) {
        return PhoneProblem::Invisible(char);
    }
    if char.is_numeric() {
        return PhoneProblem::OtherDigit(char);
    }
    if digits_before >= 7 && digits_after >= 7 {
        return PhoneProblem::TwoNumbers;
    }
    if char.is_alphabetic() { PhoneProblem::Letter(char) } else { PhoneProblem::Character(char) }
}

/// Characters that take no room on the screen: control, zero-width, direction marks, soft hyphen, fillers.
pub fn is_invisible(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{180E}')
        || matches!(char, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
        || matches!(char, '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}')
}

/// `8.49E+10`, `849e8`, `8,49E+10`.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let mantissa = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    digits(whole) && digits(fraction) && digits(exponent) && exponent.len() <= 3
}

/// `912345678.0`, `912345678.5`: a number that some program kept as a decimal. The dot is no separator there.
fn is_decimal(text: &str) -> bool {
    let Some((whole, fraction)) = text.split_once(['.', ',']) else { return false };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let zeros = fraction.bytes().all(|b| b == b'0');
    let short = (1..=2).contains(&fraction.len()) && digits(fraction);
    // With a leading 0 it was typed, and the dot may be a person's.
    short && whole.len() >= 6 && digits(whole) && (zeros || !whole.starts_with('0'))
}

/// What a spreadsheet shows where a formula failed: `#N/A`, `#REF!`, `#DIV/0!`, `#NAME?`.
pub fn is_sheet_error(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('#') else { return false };
    let named = rest.strip_suffix(['!', '?']).unwrap_or(rest);
    named.len() >= 3
        && named.starts_with(|c: char| c.is_ascii_alphabetic())
        && named.len() <= 20
        && named.bytes().all(|b| b.is_ascii_uppercase() || matches!(b, b'/' | b'0' | b'_'))
}

/// What a spreadsheet shows of a number that its column has no room for: `####`.
pub fn is_narrow(text: &str) -> bool {
    text.len() >= 2 && text.bytes().all(|b| b == b'#')
}

/// What a spreadsheet makes of `6-1` and the like: `2026-01-06`, `06/01/2026`, `6-Jan`, `06-Thg1`, `1月6日`.
pub fn is_date(text: &str) -> bool {
    const ISO_DAY: usize = 10;
    let day = text.split(' ').next().unwrap_or_default();
    let day =
        day.split_once('T').map_or(day, |(before, _)| if before.len() == ISO_DAY { before } else { day });
    let parts: Vec<&str> = day.split(['-', '/', '.']).collect();
    let number = |part: &&str| part.parse::<u16>().ok().filter(|_| part.bytes().all(|b| b.is_ascii_digit()));
    let numbers: Vec<u16> = parts.iter().filter_map(number).collect();
    let named = |part: &&str| {
        let lower = part.to_lowercase();
        let months =
            ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "thg"];
        months.iter().any(|month| lower.starts_with(month)) && lower.len() <= 9
    };
    let small = |numbers: &[u16]| numbers.iter().all(|number| (1..=31).contains(number));
    match (parts.len(), numbers.as_slice()) {
        (3, [1900..=2199, rest @ ..]) if rest.len() == 2 => small(rest),
        (3, [first @ .., 1900..=2199]) if first.len() == 2 => small(first),
        (2 | 3, [_] | [_, _]) => {
            parts.len() == numbers.len() + 1 && parts.iter().filter(|part| named(part)).count() == 1
        }
        _ => day.contains('月') && day.ends_with(['日', '月']),
    }
}

/// Letters and not one digit.
fn is_words(text: &str) -> bool {
    let is_word = |c: char| c.is_alphabetic() && !is_invisible(c);
    text.chars().any(is_word) && !text.chars().any(|c| c.is_numeric() || is_invisible(c))
}
