//! The world's calling codes and the ways people write a country in a cell.

use super::PlanError;
use crate::domain::Country;

/// One country's code.
pub(super) struct Calling {
    pub(super) code: String,
    pub(super) country: Country,
    pub(super) name: String,
    /// Digits of a mobile number after the code, where all have the same.
    pub(super) national_digits: Option<usize>,
}

/// Calling codes of the world (ITU-T E.164).
pub struct CallingCodes {
    rows: Vec<Calling>,
}

impl CallingCodes {
    /// The table that comes with the program.
    ///
    /// # Errors
    /// [`PlanError::CallingCodes`] with the line that is damaged.
    pub fn load() -> Result<Self, PlanError> {
        let lines = include_str!("data/calling_codes.csv").lines().enumerate();
        let rows = lines
            .filter(|(_, line)| !line.starts_with('#') && !line.is_empty())
            .map(|(index, line)| read_line(line).ok_or(PlanError::CallingCodes(index + 1)))
            .collect::<Result<_, _>>()?;
        Ok(Self { rows })
    }

    /// Adds a country that a user's plan brings.
    pub(super) fn learn(&mut self, country: Country, code: &str, name: &str, digits: usize) {
        if self.of_country(country).is_none() {
            let (code, name) = (code.to_owned(), name.to_owned());
            self.rows.push(Calling { code, country, name, national_digits: Some(digits) });
        }
    }

    /// A country whose code begins with this one, or the other way, without being the same.
    pub(super) fn overlapping(&self, code: &str) -> Option<&Calling> {
        let overlaps = |other: &str| other != code && (other.starts_with(code) || code.starts_with(other));
        self.rows.iter().find(|row| overlaps(&row.code))
    }

    /// Countries whose code these digits begin with. Codes are prefix-free, so all share one code.
    pub(super) fn of_digits<'t>(&'t self, digits: &'t str) -> impl Iterator<Item = &'t Calling> + Clone {
        self.rows.iter().filter(move |row| digits.starts_with(row.code.as_str()))
    }

    pub(super) fn of_country(&self, country: Country) -> Option<&Calling> {
        self.rows.iter().find(|row| row.country == country)
    }

    /// A country by name, for messages; its letters when the table does not know it.
    pub(super) fn name(&self, country: Country) -> String {
        self.of_country(country).map_or_else(|| country.code().to_owned(), |row| row.name.clone())
    }

    /// Reads a country cell: two letters, a name (English, and the three countries' own), or a calling code
    /// that only one country has.
    pub fn country(&self, cell: &str) -> Option<Country> {
        let cell = cell.trim();
        if let Ok(country) = Country::parse(cell) {
            return self.of_country(country).map(|row| row.country);
        }
        let digits = cell.strip_prefix('+').or_else(|| cell.strip_prefix("00")).unwrap_or(cell);
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            let mut rows = self.rows.iter().filter(|row| row.code == digits);
            return rows.next().filter(|_| rows.next().is_none()).map(|row| row.country);
        }
        let folded: String = cell.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
        match folded.as_str() {
            "vnm" | "vietnam" | "việtnam" | "越南" => Some(Country::VN),
            "chn" | "china" | "prc" | "中国" | "中國" | "trungquốc" | "trungquoc" => Some(Country::CN),
            "nga" | "nigeria" | "尼日利亚" | "尼日利亞" => Some(Country::NG),
            _ => {
                let same = |row: &&Calling| fold(&row.name) == folded;
                self.rows.iter().find(same).map(|row| row.country)
            }
        }
    }
}

fn fold(name: &str) -> String {
    name.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}

fn read_line(line: &str) -> Option<Calling> {
    let mut cells = line.split(',');
    let (code, country, name, digits) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
    let plain = (1..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_digit());
    let national_digits = if digits.is_empty() { None } else { Some(digits.parse().ok()?) };
    if cells.next().is_some() || !plain {
        return None;
    }
    let country = Country::parse(country).ok()?;
    Some(Calling { code: code.to_owned(), country, name: name.to_owned(), national_digits })
}
