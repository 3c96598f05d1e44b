//! A phone plan as its data file spells it. What is wrong is told with line and key, and a table that would
//! misread numbers in silence (no beginnings, prefixes that no number has, another country's code) is none.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::plan::{Block, CountryPlan, DigitTree, Mark};
use super::{CallingCodes, PlanError, PlanProblem};
use crate::domain::Country;

/// Longest calling code with national number (ITU-T E.164).
const DIGITS_MAX: usize = 15;
/// Shortest national number that a plan may have: below it are short codes.
const DIGITS_MIN: usize = 4;
/// Longest prefix or beginning.
const PREFIX_DIGITS_MAX: usize = 8;
/// Digits of an old prefix in `moved`, and of the one that came after it: such numbers lost one digit.
const MOVED_DIGITS: (usize, usize) = (3, 2);
/// Longest name of a country or an operator, in characters: it stands in messages.
const NAME_CHARS_MAX: usize = 60;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlan {
    country: Spanned<Country>,
    name: Spanned<String>,
    calling_code: Spanned<String>,
    trunk: Spanned<String>,
    national_digits: Spanned<usize>,
    starts: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    fixed_starts: Vec<Spanned<String>>,
    #[serde(default)]
    fixed_digits: Vec<Spanned<usize>>,
    #[serde(default, rename = "block")]
    blocks: Vec<RawBlock>,
    #[serde(default)]
    moved: BTreeMap<String, Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBlock {
    operator: Spanned<String>,
    #[serde(default)]
    mark: Option<Mark>,
    prefixes: Vec<Spanned<String>>,
}

/// Reads a plan; `calling` knows the codes of the world.
///
/// # Errors
/// [`PlanError::At`].
pub(super) fn read(text: &str, calling: &CallingCodes) -> Result<CountryPlan, PlanError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let reader = Reader { text };
    let raw = reader.raw()?;
    reader.check_country(&raw, calling)?;
    let trunk = reader.digits("trunk", &raw.trunk, 0..=3)?;
    let starts = reader.starts(&raw)?;
    let fixed_starts = reader.all_digits("fixed_starts", &raw.fixed_starts)?;
    let fixed_digits = raw.fixed_digits.iter().map(|digits| *digits.get_ref()).collect();
    let (blocks, prefixes) = reader.blocks(raw.blocks, &starts)?;
    Ok(CountryPlan {
        country: *raw.country.get_ref(),
        name: raw.name.into_inner(),
        calling_code: raw.calling_code.into_inner(),
        trunk,
        national_digits: *raw.national_digits.get_ref(),
        moved: reader.moved(raw.moved, &starts)?,
        starts,
        fixed_starts,
        fixed_digits,
        blocks,
        prefixes,
    })
}

/// The text, to say where something is wrong.
#[derive(Clone, Copy)]
struct Reader<'t> {
    text: &'t str,
}

impl Reader<'_> {
    fn raw(self) -> Result<RawPlan, PlanError> {
        let syntax = |key: String, error: &toml::de::Error| {
            let words = error
                .message()
                .replace("unknown field", "unknown key")
                .replace("missing field", "missing key");
            // The mark of a spanned value is no part of the key.
            let key = key.replace(".$__serde_spanned_private_value", "");
            let key = if key.is_empty() || key == "." { "TOML".to_owned() } else { key };
            self.at(error.span().unwrap_or(0..0), key, PlanProblem::Syntax(words))
        };
        let reader = toml::Deserializer::parse(self.text).map_err(|error| syntax(String::new(), &error))?;
        serde_path_to_error::deserialize(reader)
            .map_err(|error| syntax(error.path().to_string(), error.inner()))
    }

    fn at(self, span: Range<usize>, key: impl Into<String>, problem: PlanProblem) -> PlanError {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count().saturating_add(1);
        PlanError::At { line, key: key.into(), problem }
    }

    /// Name, calling code and length, against what is known of the country.
    fn check_country(self, raw: &RawPlan, calling: &CallingCodes) -> Result<(), PlanError> {
        self.name("name", &raw.name)?;
        let code = self.digits("calling_code", &raw.calling_code, 1..=3)?;
        let wrong_code = |problem| Err(self.at(raw.calling_code.span(), "calling_code", problem));
        let country = *raw.country.get_ref();
        match calling.of_country(country) {
            Some(known) if known.code != code => {
                return wrong_code(PlanProblem::CallingCode { country, known: known.code.clone() });
            }
            Some(_) => {}
            None => {
                if let Some(other) = calling.overlapping(&code) {
                    let (name, known) = (other.name.clone(), other.code.clone());
                    return wrong_code(PlanProblem::CodeOverlaps { name, known });
                }
            }
        }
        let (digits, most) = (*raw.national_digits.get_ref(), DIGITS_MAX - code.len());
        if (DIGITS_MIN..=most).contains(&digits) {
            return Ok(());
        }
        let problem = PlanProblem::Length { digits, least: DIGITS_MIN, most };
        Err(self.at(raw.national_digits.span(), "national_digits", problem))
    }

    fn starts(self, raw: &RawPlan) -> Result<Vec<String>, PlanError> {
        if raw.starts.get_ref().is_empty() {
            return Err(self.at(raw.starts.span(), "starts", PlanProblem::NoStarts));
        }
        self.all_digits("starts", raw.starts.get_ref())
    }

    /// The blocks, and their prefixes as a tree.
    fn blocks(self, raw: Vec<RawBlock>, starts: &[String]) -> Result<(Vec<Block>, DigitTree), PlanError> {
        let (mut blocks, mut tree) = (Vec::new(), DigitTree::default());
        for (index, block) in raw.into_iter().enumerate() {
            self.name(&format!("block[{index}].operator"), &block.operator)?;
            for (at, prefix) in block.prefixes.iter().enumerate() {
                let key = format!("block[{index}].prefixes[{at}]");
                let digits = self.digits(&key, prefix, 1..=PREFIX_DIGITS_MAX)?;
                let may_stand =
                    starts.iter().any(|start| digits.starts_with(start) || start.starts_with(&digits));
                if !may_stand {
                    let starts = starts.join(" ");
                    return Err(self.at(prefix.span(), key, PlanProblem::OutsideStarts { digits, starts }));
                }
                if tree.insert(&digits, index).is_none() {
                    return Err(self.at(prefix.span(), key, PlanProblem::Twice(digits)));
                }
            }
            blocks.push(Block { operator: block.operator.into_inner(), mark: block.mark });
        }
        Ok((blocks, tree))
    }

    /// Old beginnings with those that came after them.
    fn moved(
        self,
        raw: BTreeMap<String, Spanned<String>>,
        starts: &[String],
    ) -> Result<BTreeMap<String, String>, PlanError> {
        let (old_digits, new_digits) = MOVED_DIGITS;
        let check = |(old, new): (String, Spanned<String>)| {
            let key = format!("moved.{old}");
            let digits = self.digits(&key, &new, new_digits..=new_digits)?;
            let plain = old.len() == old_digits && old.bytes().all(|byte| byte.is_ascii_digit());
            if !plain {
                return Err(self.at(new.span(), key, PlanProblem::Moved(old)));
            }
            if !starts.iter().any(|start| digits.starts_with(start) || start.starts_with(&digits)) {
                let starts = starts.join(" ");
                return Err(self.at(new.span(), key, PlanProblem::OutsideStarts { digits, starts }));
            }
            Ok((old, digits))
        };
        raw.into_iter().map(check).collect()
    }

    fn all_digits(self, key: &str, values: &[Spanned<String>]) -> Result<Vec<String>, PlanError> {
        let value = |(at, value)| self.digits(&format!("{key}[{at}]"), value, 1..=PREFIX_DIGITS_MAX);
        values.iter().enumerate().map(value).collect()
    }

    fn digits(
        self,
        key: &str,
        value: &Spanned<String>,
        length: std::ops::RangeInclusive<usize>,
    ) -> Result<String, PlanError> {
        let text = value.get_ref();
        if text.bytes().all(|byte| byte.is_ascii_digit()) && length.contains(&text.len()) {
            return Ok(text.clone());
        }
        let (least, most) = length.into_inner();
        let value_text = text.chars().take(NAME_CHARS_MAX).collect();
        Err(self.at(value.span(), key, PlanProblem::Digits { value: value_text, least, most }))
    }

    fn name(self, key: &str, value: &Spanned<String>) -> Result<(), PlanError> {
        let text = value.get_ref();
        let plain = !text.trim().is_empty() && !text.chars().any(super::is_invisible);
        if plain && text.chars().count() <= NAME_CHARS_MAX {
            return Ok(());
        }
        Err(self.at(value.span(), key, PlanProblem::Name))
    }
}
