//! The phone plans: one data file per country, read once into a walk over digits.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{CallingCodes, PhoneProblem, file};
use crate::domain::Country;

/// Why a data file is no phone plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Something in the file of a plan is wrong.
    #[error("line {line}: {key}: {problem}")]
    At {
        /// Line of the file, from 1.
        line: usize,
        /// The key, with its place (`block[2].prefixes[0]`).
        key: String,
        /// What is wrong with it.
        problem: PlanProblem,
    },
    /// The table of calling codes is damaged.
    #[error("calling codes, line {0}: not code,country,name,digits")]
    CallingCodes(usize),
}

/// What is wrong in the file of a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanProblem {
    /// The TOML reader's own words.
    #[error("{0}")]
    Syntax(String),
    /// Not digits, or too few or many of them.
    #[error("{value:?} is no text of {least} to {most} digits")]
    Digits {
        /// What stands there.
        value: String,
        /// Fewest digits.
        least: usize,
        /// Most digits.
        most: usize,
    },
    /// Not a name that can stand in a message.
    #[error("write a name of 1 to 60 letters")]
    Name,
    /// The country has another code.
    #[error("the calling code of {country} is {known}")]
    CallingCode {
        /// The plan's country.
        country: Country,
        /// Its code.
        known: String,
    },
    /// Numbers could be read as either country's.
    #[error("this overlaps with {known}, the calling code of {name}")]
    CodeOverlaps {
        /// The other country.
        name: String,
        /// Its code.
        known: String,
    },
    /// No mobile number has so few or many digits.
    #[error("{digits} is out of range: from {least} to {most} digits after the calling code")]
    Length {
        /// What stands there.
        digits: usize,
        /// Fewest.
        least: usize,
        /// Most, for this calling code.
        most: usize,
    },
    /// Every number would be refused.
    #[error("name at least one beginning of mobile numbers, without the leading 0")]
    NoStarts,
    /// A prefix that no number of the plan has.
    #[error("no mobile number begins with {digits}: `starts` allows {starts}; leave out the leading 0")]
    OutsideStarts {
        /// The prefix.
        digits: String,
        /// The beginnings that there are.
        starts: String,
    },
    /// One prefix, two owners.
    #[error("the prefix {0} stands twice")]
    Twice(String),
    /// An old beginning of another shape.
    #[error("{0:?} is no old beginning: three digits, without the leading 0")]
    Moved(String),
}

/// What is special about a block of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Sold by a company that has no network of its own.
    Reseller,
    /// Not an operator that the providers sell.
    NotSold,
    /// Handed out for data cards.
    DataCard,
    /// Handed out for machines.
    Machines,
    /// Satellite phones.
    Satellite,
    /// No person has it: refused.
    Refused,
}

impl Mark {
    /// What it means for a top-up, in a few words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reseller => "a reseller, top-ups through the network's operator often fail",
            Self::NotSold => "the provider does not list this operator",
            Self::DataCard => "numbers of data cards, many cannot be topped up",
            Self::Machines => "numbers of machines, many cannot be topped up",
            Self::Satellite => "satellite phones, they can seldom be topped up",
            Self::Refused => "these numbers cannot be topped up",
        }
    }

    /// Whether the block's operator says what to name to a provider.
    fn keeps_hint(self) -> bool {
        match self {
            Self::DataCard | Self::Machines => true,
            Self::Reseller | Self::NotSold | Self::Satellite | Self::Refused => false,
        }
    }
}

/// Prefixes of one operator.
pub(super) struct Block {
    pub(super) operator: String,
    pub(super) mark: Option<Mark>,
}

impl Block {
    /// Whose numbers these are.
    pub(super) fn owner(&self) -> &str {
        &self.operator
    }

    /// The operator a number of the block hints at.
    pub(super) fn hint(&self) -> Option<&str> {
        self.mark.is_none_or(Mark::keeps_hint).then_some(self.operator.as_str())
    }
}

/// The plan of one country.
pub(super) struct CountryPlan {
    pub(super) country: Country,
    pub(super) name: String,
    pub(super) calling_code: String,
    pub(super) trunk: String,
    pub(super) national_digits: usize,
    pub(super) starts: Vec<String>,
    pub(super) fixed_starts: Vec<String>,
    pub(super) fixed_digits: Vec<usize>,
    pub(super) blocks: Vec<Block>,
    pub(super) moved: BTreeMap<String, String>,
    pub(super) prefixes: DigitTree,
}

impl CountryPlan {
    /// Whether a national significant number has the shape of a mobile number here.
    pub(super) fn fits(&self, national: &str) -> bool {
        national.len() == self.national_digits && self.starts.iter().any(|s| national.starts_with(s.as_str()))
    }

    /// The block of a number, by its longest listed prefix.
    pub(super) fn block(&self, national: &str) -> Option<&Block> {
        self.prefixes.longest(national).and_then(|index| self.blocks.get(index))
    }

    /// What is wrong with a national significant number that does not fit.
    pub(super) fn misfit(&self, national: &str) -> PhoneProblem {
        let begins = |starts: &[String]| starts.iter().any(|s| national.starts_with(s.as_str()));
        let moved = national.get(..3).and_then(|old| self.moved.get_key_value(old));
        if let (Some((old, new)), true) = (moved, national.len() == self.national_digits + 1) {
            let trunk = &self.trunk;
            return PhoneProblem::Moved {
                old: format!("{trunk}{old}"),
                new: format!("{trunk}{new}"),
                stayed: national.len().saturating_sub(old.len()),
            };
        }
        if begins(&self.fixed_starts) && self.fixed_digits.contains(&national.len()) {
            return PhoneProblem::FixedLine(self.name.clone());
        }
        if national.len() == self.national_digits {
            let starts: Vec<String> = self.starts.iter().map(|s| format!("{}{s}", self.trunk)).collect();
            return PhoneProblem::WrongStart { country: self.name.clone(), starts: starts.join(" ") };
        }
        PhoneProblem::WrongLength {
            country: self.name.clone(),
            code: self.calling_code.clone(),
            expected: self.national_digits,
            digits: national.len(),
        }
    }
}

/// Every table that reading a number needs.
pub struct PhonePlan {
    countries: Vec<CountryPlan>,
    calling: CallingCodes,
}

impl PhonePlan {
    /// The tables that come with the program: Vietnam, China, Nigeria, and the calling codes of the world.
    ///
    /// # Errors
    /// [`PlanError`] when a table is damaged.
    pub fn load() -> Result<Self, PlanError> {
        let texts =
            [include_str!("data/vn.toml"), include_str!("data/cn.toml"), include_str!("data/ng.toml")];
        let calling = CallingCodes::load()?;
        let countries = texts.into_iter().map(|text| file::read(text, &calling)).collect::<Result<_, _>>()?;
        Ok(Self { countries, calling })
    }

    /// Puts a user's table (TOML as in `samples/phone-plans/vn-plan.toml`) in the place of the one for its
    /// country, or beside the others.
    ///
    /// # Errors
    /// [`PlanError`] when the text is no plan; the tables are then as they were.
    pub fn replace(&mut self, text: &str) -> Result<Country, PlanError> {
        let plan = file::read(text, &self.calling)?;
        let country = plan.country;
        self.calling.learn(country, &plan.calling_code, &plan.name, plan.national_digits);
        self.countries.retain(|old| old.country != country);
        self.countries.push(plan);
        Ok(country)
    }

    /// Reads a country cell: two letters, a name or a calling code (`VN`, `Vietnam`, `+84`).
    pub fn country(&self, cell: &str) -> Option<Country> {
        self.calling.country(cell)
    }

    pub(super) fn of(&self, country: Country) -> Option<&CountryPlan> {
        self.countries.iter().find(|plan| plan.country == country)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &CountryPlan> {
        self.countries.iter()
    }

    pub(super) fn calling(&self) -> &CallingCodes {
        &self.calling
    }
}

/// Prefixes as a tree over digits: a walk of a few steps finds the longest one.
pub(super) struct DigitTree {
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Default)]
struct Node {
    /// Node of each next digit; 0, the root, is nobody's child and means none.
    next: [u16; 10],
    /// Which block ends here.
    block: Option<u16>,
}

impl Default for DigitTree {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl DigitTree {
    /// `None` when the prefix is not 1 to 8 digits or stands already.
    pub(super) fn insert(&mut self, prefix: &str, block: usize) -> Option<()> {
        if !(1..=8).contains(&prefix.len()) {
            return None;
        }
        let mut at = 0usize;
        for byte in prefix.bytes() {
            let free = u16::try_from(self.nodes.len()).ok()?;
            let child = self.nodes.get_mut(at)?.next.get_mut(digit(byte)?)?;
            if *child == 0 {
                *child = free;
            }
            at = usize::from(*child);
            if at == usize::from(free) {
                self.nodes.push(Node::default());
            }
        }
        let end = self.nodes.get_mut(at)?;
        if end.block.is_some() {
            return None;
        }
        end.block = Some(u16::try_from(block).ok()?);
        Some(())
    }

    fn longest(&self, digits: &str) -> Option<usize> {
        let (mut at, mut found) = (0usize, None);
        for byte in digits.bytes() {
            let child = digit(byte)
                .and_then(|d| self.nodes.get(at).and_then(|node| node.next.get(d)))
                .copied()
                .unwrap_or(0);
            if child == 0 {
                break;
            }
            at = usize::from(child);
            found = self.nodes.get(at).and_then(|node| node.block).or(found);
        }
        found.map(usize::from)
    }
}

fn digit(byte: u8) -> Option<usize> {
    byte.is_ascii_digit().then(|| usize::from(byte - b'0'))
}
