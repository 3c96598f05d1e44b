//! What can be wrong with a phone cell, what was put right in it, and what a person should know. The words
//! never repeat the number, so that they can be shown where numbers are masked.

use super::Mark;
use crate::domain::Country;

/// Why a cell is no number that can be topped up. `Display` is one sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneProblem {
    /// Nothing in it.
    #[error(
        "the phone cell is empty; write the number, or remove the line if it is no top-up (a total, a note)"
    )]
    Empty,
    /// `9.07354E+09`.
    #[error(
        "Excel dropped digits (the cell is in E notation); format the column as Text and paste the numbers again"
    )]
    Scientific,
    /// `912345678.0`.
    #[error(
        "the cell is a decimal number, not a phone number; format the column as Text and paste the numbers again"
    )]
    Decimal,
    /// `#N/A`, `#REF!`.
    #[error("the cell holds an error of the spreadsheet; mend its formula and save the file again")]
    SheetError,
    /// `########`.
    #[error(
        "the column was too narrow when the file was saved, so that the cell holds only #; widen it and save the file again"
    )]
    Narrow,
    /// `Tổng cộng`, `n/a`, a title again.
    #[error("the cell holds words, no number; remove the line if it is no top-up (a total, a note, a title)")]
    Words,
    /// `091ABCDEFG`.
    #[error("the cell holds the letter {0:?}; a phone number is digits only")]
    Letter(char),
    /// `0912345678 ext 12`.
    #[error("the cell holds an extension; write the number alone")]
    Extension,
    /// Full-width, Arabic and other digits.
    #[error("the cell holds the digit {0:?} (U+{code:04X}) of another script; type it with plain digits 0-9", code = u32::from(*.0))]
    OtherDigit(char),
    /// Zero-width, direction and control characters.
    #[error("the cell holds an invisible character, U+{code:04X}; type the number anew", code = u32::from(*.0))]
    Invisible(char),
    /// Anything else that has no place in a number.
    #[error("the cell holds {0:?} (U+{code:04X}), which has no place in a phone number", code = u32::from(*.0))]
    Character(char),
    /// A `+` that is not in front.
    #[error("the + of a phone number stands in front of its first digit, once")]
    Plus,
    /// A formula other than `="..."`.
    #[error("the cell is a formula; write the number itself, as text")]
    Formula,
    /// `0912345678 / 0987654321`.
    #[error("the cell holds two numbers; give each its own row")]
    TwoNumbers,
    /// Over 15 digits.
    #[error("{0} digits are more than any phone number has (15)")]
    TooLong(usize),
    /// Neither the cell nor the row nor the configuration names a country.
    #[error(
        "it is not clear which country the number belongs to; write it with + and country code, or fill a country column"
    )]
    NoCountry,
    /// Two countries' numbers look like this.
    #[error("the digits can be a number of {0} or of {1}; write it with + and country code")]
    Ambiguous(String, String),
    /// The number belongs elsewhere.
    #[error("this is a number of {number}, but the row says {expected}")]
    OtherCountry {
        /// Country of the number, by name.
        number: String,
        /// Country of the row, by name.
        expected: String,
    },
    /// No number of the row's country, but the shape of another's.
    #[error(
        "this is no mobile number in {expected}; it looks like one of {looks_like}: if it is, write it with + and country code, or give the row its country in a country column"
    )]
    LooksForeign {
        /// Country of the row, by name.
        expected: String,
        /// Country whose shape it has, by name.
        looks_like: String,
    },
    /// `+999...`.
    #[error("the number's country code is none that exists")]
    UnknownCallingCode,
    /// `+1...` without a country.
    #[error("several countries share the code +{0}; name the number's country in a country column")]
    SharedCallingCode(String),
    /// No national rules are known.
    #[error("for {0} the number is needed with + and country code")]
    NeedsPlus(String),
    /// A landline.
    #[error("this is a fixed line in {0}; only mobile numbers can be topped up")]
    FixedLine(String),
    /// Too few or too many digits.
    #[error("a mobile number in {country} has {expected} digits after +{code}, this has {digits}")]
    WrongLength {
        /// Country by name.
        country: String,
        /// Its calling code.
        code: String,
        /// What its plan says.
        expected: usize,
        /// What stands there.
        digits: usize,
    },
    /// The first digits are no mobile network's.
    #[error("no mobile number in {country} begins so; they begin with {starts}")]
    WrongStart {
        /// Country by name.
        country: String,
        /// National beginnings.
        starts: String,
    },
    /// A number of before its prefix lost a digit, as those with 11 digits in Vietnam in 2018.
    #[error(
        "this is an old number: {old} became {new}, the last {stayed} digits stayed; if the person still has it, write {new} and those {stayed} digits"
    )]
    Moved {
        /// Old prefix, national form.
        old: String,
        /// Its successor.
        new: String,
        /// Digits after them.
        stayed: usize,
    },
    /// A block that no person has.
    #[error("numbers that begin so belong to {0} and cannot be topped up")]
    RefusedBlock(String),
    /// A country that is not in the table of calling codes.
    #[error("no calling code is known for the country {0}")]
    UnknownCountry(Country),
}

/// What was put right in a phone cell. Every one is provable, and every one is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Repair {
    /// `912345678` where the plan proves that a spreadsheet ate the leading 0.
    LeadingZero,
    /// `+84 0912345678`: the national 0 does not follow a country code.
    TrunkZero,
    /// Spaces, dots, dashes, brackets.
    Separators,
    /// Excel's `'` or `="..."` around a text.
    TextMark,
}

impl Repair {
    /// Every repair, in the order they are reported.
    pub const ALL: [Self; 4] = [Self::LeadingZero, Self::TrunkZero, Self::Separators, Self::TextMark];

    /// What was done, in a few words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LeadingZero => "leading 0 restored",
            Self::TrunkZero => "0 after the country code dropped",
            Self::Separators => "separators removed",
            Self::TextMark => "spreadsheet's text mark removed",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::LeadingZero => 1,
            Self::TrunkZero => 2,
            Self::Separators => 4,
            Self::TextMark => 8,
        }
    }
}

/// A set of repairs; costs no allocation.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Repairs(u8);

impl Repairs {
    /// Adds one.
    pub fn add(&mut self, repair: Repair) {
        self.0 |= repair.bit();
    }

    /// Whether this one was made.
    pub fn has(self, repair: Repair) -> bool {
        self.0 & repair.bit() != 0
    }

    /// Whether none was made.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that were made.
    pub fn iter(self) -> impl Iterator<Item = Repair> {
        Repair::ALL.into_iter().filter(move |repair| self.has(*repair))
    }
}

impl std::fmt::Debug for Repairs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Something odd about a number that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneWarning {
    /// The shape is right, but no table lists the prefix.
    #[error("no operator is known for this prefix; the number may not exist")]
    UnlistedPrefix,
    /// The prefix belongs to a block that often cannot be topped up.
    #[error("the prefix belongs to {operator}: {}", mark.as_str())]
    Marked {
        /// What the block is.
        mark: Mark,
        /// Whose it is.
        operator: String,
    },
}
