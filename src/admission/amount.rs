//! Amount cells: exact decimals in major units, or a named problem. Nothing is rounded, and no separator is
//! taken for a thousands mark unless the user said so.

use rust_decimal::Decimal;

use crate::domain::Currency;
use crate::numbering::{excel_text, is_date, is_narrow, is_sheet_error};

/// Digits before the decimal point beyond which a cell is no amount of a top-up (phone numbers, totals).
const WHOLE_DIGITS_MAX: usize = 15;

/// Decimal places beyond which a cell is no amount where the currency is not known yet.
const PLACES_MAX: usize = 8;

/// Why a cell is no amount. `Display` is one sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountProblem {
    /// Nothing in it.
    #[error("the amount is missing")]
    Empty,
    /// `0`.
    #[error("the amount is zero")]
    Zero,
    /// `-5`.
    #[error("the amount is negative")]
    Negative,
    /// `+5`.
    #[error("the amount has a sign in front; write digits only")]
    Sign,
    /// `2E+04`.
    #[error("the amount is in E notation; format the column as Number without thousands separators")]
    Exponent,
    /// `20000 VND`, `20.000đ`, `$5`.
    #[error("the amount holds {0:?}; write the number alone, the currency is the provider's")]
    CurrencySign(String),
    /// Full-width, Arabic and other digits.
    #[error("the amount holds the digit {0:?} (U+{code:04X}) of another script; type it with plain digits 0-9", code = u32::from(*.0))]
    OtherDigit(char),
    /// `20 000`.
    #[error("the amount holds a space; write it without separators")]
    Space,
    /// Characters that do not show.
    #[error("the amount holds an invisible character, U+{code:04X}; type it anew", code = u32::from(*.0))]
    Invisible(char),
    /// Anything else.
    #[error("the amount holds {0:?} (U+{code:04X}), which has no place in it", code = u32::from(*.0))]
    Character(char),
    /// `#N/A`, `#REF!`.
    #[error("the amount is an error of the spreadsheet; mend its formula and save the file again")]
    SheetError,
    /// `########`.
    #[error(
        "the column was too narrow when the file was saved, so that the amount holds only #; widen it and save the file again"
    )]
    Narrow,
    /// `1954-10-03`.
    #[error("the amount is a date; format the column as Number and write the amount again")]
    Date,
    /// A formula.
    #[error("the amount is a formula; write its value")]
    Formula,
    /// `20.000`, `20,000`: twenty, or twenty thousand.
    #[error(
        "it is not clear whether {0:?} in the amount marks thousands or decimals; write it without, or say --thousands {0:?}"
    )]
    Ambiguous(char),
    /// `20,5`.
    #[error(
        "the amount holds a comma; write a dot before decimals and nothing between thousands, or say --thousands . when the comma marks decimals"
    )]
    Comma,
    /// `20.00` under `--thousands .`, `1,2,3`.
    #[error("the {0:?} in the amount do not mark groups of three digits")]
    Groups(char),
    /// `1.2.3`, `.`, `5.`.
    #[error("the amount is no decimal number")]
    Malformed,
    /// `20000.50` VND.
    #[error("{currency} has {places} decimal places, the amount has more")]
    TooFine {
        /// Currency of the provider.
        currency: Currency,
        /// Its places.
        places: u32,
    },
    /// Over 15 digits before or 8 after the point.
    #[error("the amount has too many digits")]
    TooLong,
}

/// Reads an amount in the currency the provider sells in; `None`: known only later, by its catalogue.
/// `thousands`: the sign the user says marks thousands; a comma or dot that does not is the decimal point.
///
/// # Errors
/// [`AmountProblem`] naming what is wrong.
pub fn parse(
    cell: &str,
    currency: Option<Currency>,
    thousands: Option<char>,
) -> Result<Decimal, AmountProblem> {
    let amount = match plain_digits(cell) {
        Some(amount) => amount,
        None => parse_written(cell, currency, thousands)?,
    };
    if amount.is_zero() { Err(AmountProblem::Zero) } else { Ok(amount) }
}

/// The common case: digits alone.
fn plain_digits(cell: &str) -> Option<Decimal> {
    if cell.is_empty() || cell.len() > WHOLE_DIGITS_MAX || !cell.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    cell.parse::<u64>().ok().map(Decimal::from)
}

fn parse_written(
    cell: &str,
    currency: Option<Currency>,
    thousands: Option<char>,
) -> Result<Decimal, AmountProblem> {
    let trimmed = trim(cell);
    let text = excel_text(trimmed).map_or(trimmed, trim);
    if text.is_empty() {
        return Err(AmountProblem::Empty);
    }
    if is_sheet_error(text) {
        return Err(AmountProblem::SheetError);
    }
    if is_narrow(text) {
        return Err(AmountProblem::Narrow);
    }
    if is_date(text) {
        return Err(AmountProblem::Date);
    }
    name_intruder(text, thousands)?;
    let (whole, fraction) = cut(text, thousands)?;
    let fraction = fraction.trim_end_matches('0');
    if let Some(currency) = currency {
        let places = currency.places();
        if fraction.len() > usize::try_from(places).unwrap_or(0) {
            return Err(AmountProblem::TooFine { currency, places });
        }
    }
    let whole = whole.trim_start_matches('0');
    if whole.len() > WHOLE_DIGITS_MAX || fraction.len() > PLACES_MAX {
        return Err(AmountProblem::TooLong);
    }
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() {
        return Ok(Decimal::ZERO);
    }
    let units: i128 = digits.parse().map_err(|_| AmountProblem::TooLong)?;
    let scale = u32::try_from(fraction.len()).map_err(|_| AmountProblem::TooLong)?;
    Decimal::try_from_i128_with_scale(units, scale).map_err(|_| AmountProblem::TooLong)
}

fn trim(text: &str) -> &str {
    text.trim_matches(|c| matches!(c, ' ' | '\t' | '\u{A0}' | '\u{202F}'))
}

/// Names the first thing that is neither digit nor separator.
fn name_intruder(text: &str, thousands: Option<char>) -> Result<(), AmountProblem> {
    let digits = |part: &str| part.bytes().any(|b| b.is_ascii_digit());
    if text.starts_with('=') || text.starts_with('@') {
        return Err(AmountProblem::Formula);
    }
    if let Some(rest) = text.strip_prefix(['-', '\u{2212}', '\u{2013}']) {
        return Err(if digits(rest) { AmountProblem::Negative } else { AmountProblem::Malformed });
    }
    if text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).is_some_and(digits) {
        return Err(AmountProblem::Negative);
    }
    if text.starts_with('+') {
        return Err(AmountProblem::Sign);
    }
    let exponent = text.split_once(['e', 'E']);
    if exponent.is_some_and(|(mantissa, power)| {
        let power = power.strip_prefix(['+', '-']).unwrap_or(power);
        let plain = mantissa.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b',');
        plain && digits(mantissa) && !power.is_empty() && power.bytes().all(|b| b.is_ascii_digit())
    }) {
        return Err(AmountProblem::Exponent);
    }
    let intruder =
        text.chars().find(|c| !c.is_ascii_digit() && !matches!(c, '.' | ',') && Some(*c) != thousands);
    match intruder {
        None => Ok(()),
        Some(c) if c.is_control() || crate::numbering::is_invisible(c) => Err(AmountProblem::Invisible(c)),
        Some(c) if c.is_alphabetic() || is_currency(c) => Err(AmountProblem::CurrencySign(word(text))),
        Some(c) if c.is_numeric() => Err(AmountProblem::OtherDigit(c)),
        Some(c) if c.is_whitespace() => Err(match word(text) {
            word if word.is_empty() => AmountProblem::Space,
            word => AmountProblem::CurrencySign(word),
        }),
        Some(c) => Err(AmountProblem::Character(c)),
    }
}

/// The letters and currency signs of a cell, for the message.
fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_alphabetic() || is_currency(*c)).take(12).collect()
}

fn is_currency(char: char) -> bool {
    matches!(char, '$' | '¢' | '£' | '¥' | '元' | '\u{20A0}'..='\u{20CF}' | '\u{FFE5}')
}

/// Cuts into the digits before and after the decimal point.
fn cut(text: &str, thousands: Option<char>) -> Result<(String, String), AmountProblem> {
    let point = if thousands == Some('.') { ',' } else { '.' };
    let (whole, fraction) = match text.split_once(point) {
        Some((_, "")) => return Err(AmountProblem::Malformed),
        Some((whole, fraction)) => (whole, fraction),
        None => (text, ""),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    match thousands {
        None => {
            let separators: Vec<(usize, char)> =
                text.char_indices().filter(|(_, c)| !c.is_ascii_digit()).collect();
            match separators.as_slice() {
                [] => {}
                [(at, sign)] if text.len() - at - 1 == 3 => return Err(AmountProblem::Ambiguous(*sign)),
                [(_, '.')] => {}
                [(_, ',')] => return Err(AmountProblem::Comma),
                [(_, first), rest @ ..]
                    if rest.iter().all(|(_, c)| c == first) && is_grouped(text, *first) =>
                {
                    return Err(AmountProblem::Ambiguous(*first));
                }
                [(_, ','), ..] if is_grouped(whole, ',') => return Err(AmountProblem::Ambiguous(',')),
                [(_, '.'), .., (_, ',')] => return Err(AmountProblem::Ambiguous('.')),
                _ => return Err(AmountProblem::Malformed),
            }
        }
        Some(sign) if whole.contains(sign) && !is_grouped(whole, sign) => {
            return Err(AmountProblem::Groups(sign));
        }
        Some(_) => {}
    }
    let whole: String = whole.chars().filter(|c| Some(*c) != thousands).collect();
    if whole.is_empty() || !digits(&whole) || !digits(fraction) {
        return Err(AmountProblem::Malformed);
    }
    Ok((whole, fraction.to_owned()))
}

/// `1.234.567`: one to three digits, then groups of three.
fn is_grouped(text: &str, sign: char) -> bool {
    let mut groups = text.split(sign);
    let first = groups.next().unwrap_or_default();
    (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3)
}
