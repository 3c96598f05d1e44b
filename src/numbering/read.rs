//! From digits to a number: which country, which shape, which operator the prefix hints at.

use super::plan::CountryPlan;
use super::{PhonePlan, PhoneProblem, PhoneWarning, Repair, Repairs, cell};
use crate::domain::{Country, PhoneNumber};

/// A phone cell that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadPhone<'p> {
    /// The number in its canonical form.
    pub number: PhoneNumber,
    /// Name of the operator that its prefix belongs to (`Viettel`); numbers move between operators, so it is
    /// a hint. `None`: not listed, or a block whose operator no provider names.
    pub operator_hint: Option<&'p str>,
    /// What is special about its block.
    pub mark: Option<super::Mark>,
    /// What was put right.
    pub repairs: Repairs,
    /// What a person should know.
    pub warning: Option<PhoneWarning>,
}

impl PhonePlan {
    /// Reads a phone cell. `column` is the row's own country and must fit the number; `default` only says how
    /// to read a number without country code.
    ///
    /// # Errors
    /// [`PhoneProblem`], in words for a person, never repeating the number.
    pub fn read_phone(
        &self,
        cell: &str,
        column: Option<Country>,
        default: Option<Country>,
    ) -> Result<ReadPhone<'_>, PhoneProblem> {
        let cleaned = cell::clean(cell)?;
        let digits = cleaned.digits.as_ref();
        if cleaned.plus {
            return self.read_international(digits, column, cleaned.repairs);
        }
        if let Some(digits) = digits.strip_prefix("00") {
            return self.read_international(digits, column, cleaned.repairs);
        }
        match column.or(default).map(|country| (country, self.of(country))) {
            Some((_, Some(plan))) => self.read_plain(plan, digits, column.is_none(), cleaned.repairs),
            Some((country, None)) => self.read_elsewhere(country, digits, column.is_none(), cleaned.repairs),
            None => self.read_full_form(digits, cleaned.repairs).unwrap_or(Err(PhoneProblem::NoCountry)),
        }
    }

    /// Digits after `+` or `00`.
    fn read_international(
        &self,
        digits: &str,
        column: Option<Country>,
        mut repairs: Repairs,
    ) -> Result<ReadPhone<'_>, PhoneProblem> {
        let owners = self.calling().of_digits(digits);
        let first = owners.clone().next().ok_or(PhoneProblem::UnknownCallingCode)?;
        let owner = match column {
            Some(country) => owners.clone().find(|row| row.country == country).ok_or_else(|| {
                PhoneProblem::OtherCountry {
                    number: first.name.clone(),
                    expected: self.calling().name(country),
                }
            })?,
            None if owners.clone().nth(1).is_some() => {
                return Err(PhoneProblem::SharedCallingCode(first.code.clone()));
            }
            None => first,
        };
        let national = digits.get(owner.code.len()..).unwrap_or_default();
        match self.of(owner.country) {
            Some(plan) => {
                let national = without_trunk(plan, national, &mut repairs);
                accept(plan, national, repairs)
            }
            None => accept_elsewhere(owner, national, repairs),
        }
    }

    /// Digits without country mark, in a country whose plan is known.
    fn read_plain<'p>(
        &'p self,
        plan: &'p CountryPlan,
        digits: &str,
        country_is_open: bool,
        mut repairs: Repairs,
    ) -> Result<ReadPhone<'p>, PhoneProblem> {
        if let Some(national) = digits.strip_prefix(plan.trunk.as_str()).filter(|n| plan.fits(n)) {
            return accept(plan, national, repairs);
        }
        if let Some(full) = digits.strip_prefix(plan.calling_code.as_str()) {
            let national = without_trunk(plan, full, &mut repairs);
            if plan.fits(national) {
                return accept(plan, national, repairs);
            }
        }
        if plan.fits(digits) {
            repairs.add(Repair::LeadingZero);
            return accept(plan, digits, repairs);
        }
        let other = self.read_full_form(digits, repairs).and_then(Result::ok);
        match other {
            Some(read) if country_is_open => Ok(read),
            Some(read) => Err(PhoneProblem::OtherCountry {
                number: self.calling().name(read.number.country()),
                expected: plan.name.clone(),
            }),
            None => Err(self.explain(plan, digits)),
        }
    }

    /// Why digits without country mark are no number of this plan.
    fn explain(&self, plan: &CountryPlan, digits: &str) -> PhoneProblem {
        let full = digits.strip_prefix(plan.calling_code.as_str()).filter(|national| national.len() >= 7);
        let full_problem = full.map(|national| plan.misfit(national));
        if let Some(named @ (PhoneProblem::Moved { .. } | PhoneProblem::FixedLine(_))) = full_problem {
            return named;
        }
        let problem = plan.misfit(digits.strip_prefix(plan.trunk.as_str()).unwrap_or(digits));
        if matches!(problem, PhoneProblem::Moved { .. }) {
            return problem;
        }
        let is_national = |other: &&CountryPlan| {
            let national = digits.strip_prefix(other.trunk.as_str());
            other.country != plan.country && national.is_some_and(|n| other.fits(n))
        };
        if let Some(other) = self.all().find(is_national) {
            return PhoneProblem::LooksForeign {
                expected: plan.name.clone(),
                looks_like: other.name.clone(),
            };
        }
        full_problem.filter(|_| digits.len() > plan.national_digits).unwrap_or(problem)
    }

    /// Calling code and number without a mark in front, in any country whose plan is known.
    fn read_full_form(&self, digits: &str, repairs: Repairs) -> Option<Result<ReadPhone<'_>, PhoneProblem>> {
        let mut found: Option<(&CountryPlan, &str)> = None;
        for plan in self.all() {
            let national = digits.strip_prefix(plan.calling_code.as_str()).filter(|n| plan.fits(n));
            match (national, found) {
                (Some(_), Some((first, _))) => {
                    return Some(Err(PhoneProblem::Ambiguous(first.name.clone(), plan.name.clone())));
                }
                (Some(national), None) => found = Some((plan, national)),
                (None, _) => {}
            }
        }
        found.map(|(plan, national)| accept(plan, national, repairs))
    }

    /// Digits without mark, in a country of which only the calling code is known.
    fn read_elsewhere(
        &self,
        country: Country,
        digits: &str,
        country_is_open: bool,
        repairs: Repairs,
    ) -> Result<ReadPhone<'_>, PhoneProblem> {
        let row = self.calling().of_country(country).ok_or(PhoneProblem::UnknownCountry(country))?;
        let full = digits.strip_prefix(row.code.as_str());
        // Only a known length tells `91 98765 43210` from a national number that begins with 91.
        match full.filter(|national| row.national_digits == Some(national.len())) {
            Some(national) => accept_elsewhere(row, national, repairs),
            None => match self.read_full_form(digits, repairs) {
                Some(Ok(read)) if country_is_open => Ok(read),
                _ => Err(PhoneProblem::NeedsPlus(row.name.clone())),
            },
        }
    }
}

/// Drops the national 0 after a country code where only that makes a number.
fn without_trunk<'d>(plan: &CountryPlan, national: &'d str, repairs: &mut Repairs) -> &'d str {
    let inner = national.strip_prefix(plan.trunk.as_str()).filter(|_| !plan.trunk.is_empty());
    match inner {
        Some(inner) if plan.fits(inner) => {
            repairs.add(Repair::TrunkZero);
            inner
        }
        Some(_) | None => national,
    }
}

/// Makes the number of a national significant number, if the plan allows it.
fn accept<'p>(
    plan: &'p CountryPlan,
    national: &str,
    repairs: Repairs,
) -> Result<ReadPhone<'p>, PhoneProblem> {
    if !plan.fits(national) {
        return Err(plan.misfit(national));
    }
    let block = plan.block(national);
    let mark = block.and_then(|block| block.mark);
    let warning = match (block, mark) {
        (Some(block), Some(super::Mark::Refused)) => {
            return Err(PhoneProblem::RefusedBlock(block.owner().to_owned()));
        }
        (Some(block), Some(mark)) => Some(PhoneWarning::Marked { mark, operator: block.owner().to_owned() }),
        (Some(_), None) => None,
        (None, _) => Some(PhoneWarning::UnlistedPrefix),
    };
    let number =
        PhoneNumber::new(plan.country, &plan.calling_code, national).map_err(|_| plan.misfit(national))?;
    Ok(ReadPhone { number, operator_hint: block.and_then(|b| b.hint()), mark, repairs, warning })
}

/// Makes a number of a country of which only calling code and length are known.
fn accept_elsewhere<'p>(
    row: &super::calling::Calling,
    national: &str,
    repairs: Repairs,
) -> Result<ReadPhone<'p>, PhoneProblem> {
    let wrong = |expected| PhoneProblem::WrongLength {
        country: row.name.clone(),
        code: row.code.clone(),
        expected,
        digits: national.len(),
    };
    if let Some(expected) = row.national_digits.filter(|expected| *expected != national.len()) {
        return Err(wrong(expected));
    }
    let number = PhoneNumber::new(row.country, &row.code, national).map_err(|_| wrong(7))?;
    if number.digits().len() < 8 {
        return Err(wrong(7));
    }
    Ok(ReadPhone { number, operator_hint: None, mark: None, repairs, warning: None })
}
