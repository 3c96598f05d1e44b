//! A phone number in its one canonical form, and the masking of it.

use serde::{Deserialize, Serialize};

/// Why a text is no canonical phone number or country.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// Not two letters.
    #[error("{0:?} is not a two-letter country code")]
    Country(String),
    /// Not country code and number in 6 to 15 digits.
    #[error("a phone number is 6 to 15 digits, country code first")]
    Number,
}

/// ISO 3166-1 alpha-2 country, such as `VN`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country([u8; 2]);

impl Country {
    /// Vietnam.
    pub const VN: Self = Self(*b"VN");
    /// China.
    pub const CN: Self = Self(*b"CN");
    /// Nigeria.
    pub const NG: Self = Self(*b"NG");

    /// Reads two letters; case does not matter.
    ///
    /// # Errors
    /// [`PhoneError::Country`] for anything else.
    pub fn parse(text: &str) -> Result<Self, PhoneError> {
        let upper = text.trim().to_ascii_uppercase();
        match <[u8; 2]>::try_from(upper.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(PhoneError::Country(text.to_owned())),
        }
    }

    /// The two letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("ZZ")
    }
}

impl TryFrom<String> for Country {
    type Error = PhoneError;

    fn try_from(text: String) -> Result<Self, PhoneError> {
        Self::parse(&text)
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.code().to_owned()
    }
}

impl std::fmt::Display for Country {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

impl std::fmt::Debug for Country {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

/// A phone number: country, and the digits of calling code plus national number (`84912345678`). `Debug`
/// shows it masked; [`PhoneNumber::digits`] shows it whole.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PhoneNumber {
    country: Country,
    digits: String,
    /// How many leading digits are the calling code.
    calling_code_len: u8,
}

impl PhoneNumber {
    /// Builds a number from its calling code (`84`) and its national significant number (`912345678`, no
    /// leading zero).
    ///
    /// # Errors
    /// [`PhoneError::Number`] when a part holds something but digits or the whole is not 6 to 15 digits.
    pub fn new(country: Country, calling_code: &str, national: &str) -> Result<Self, PhoneError> {
        let mut digits = String::with_capacity(calling_code.len() + national.len());
        digits.push_str(calling_code);
        digits.push_str(national);
        let plain = digits.bytes().all(|b| b.is_ascii_digit());
        let calling_code_len = u8::try_from(calling_code.len()).map_err(|_| PhoneError::Number)?;
        if !plain || !(1..=3).contains(&calling_code_len) || !(6..=15).contains(&digits.len()) {
            return Err(PhoneError::Number);
        }
        Ok(Self { country, digits, calling_code_len })
    }

    /// Country it belongs to.
    pub fn country(&self) -> Country {
        self.country
    }

    /// Canonical form: calling code and number, digits only.
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// National significant number: no calling code, no leading zero.
    pub fn national(&self) -> &str {
        self.digits.get(usize::from(self.calling_code_len)..).unwrap_or_default()
    }

    /// Masked for screens and logs: `8491****601`.
    pub fn masked(&self) -> String {
        mask_digits(&self.digits)
    }
}

impl std::fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.masked())
    }
}

/// Masks a phone-like text: the first four and the last three characters stay.
pub fn mask_digits(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let keep_tail = chars.len().saturating_sub(3);
    let masked = chars.iter().enumerate().map(|(i, c)| if i < 4 || i >= keep_tail { *c } else { '*' });
    if chars.len() <= 7 { "*".repeat(chars.len()) } else { masked.collect() }
}

/// Masks what may be a phone number within a text: every run of nine digits or more.
pub fn mask_numbers(text: &str) -> String {
    const DIGITS_MIN: usize = 9;
    let (mut masked, mut run) = (String::with_capacity(text.len()), String::new());
    let flush = |run: &mut String, masked: &mut String| {
        let whole = if run.len() < DIGITS_MIN { run.clone() } else { mask_digits(run) };
        masked.push_str(&whole);
        run.clear();
    };
    for char in text.chars() {
        if char.is_ascii_digit() {
            run.push(char);
        } else {
            flush(&mut run, &mut masked);
            masked.push(char);
        }
    }
    flush(&mut run, &mut masked);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_within_a_text_are_masked_and_the_rest_stays() {
        let text = "{\"phone\": \"0912341101\", \"amount\": 20000000} 981234502";
        assert_eq!(mask_numbers(text), "{\"phone\": \"0912***101\", \"amount\": 20000000} 9812**502");
        assert_eq!(mask_numbers("Số tiền 50.000đ"), "Số tiền 50.000đ");
    }

    #[test]
    fn a_number_has_one_canonical_form() {
        let phone = PhoneNumber::new(Country::VN, "84", "912345601").unwrap();
        assert_eq!(phone.digits(), "84912345601");
        assert_eq!(phone.national(), "912345601");
        assert_eq!(phone.masked(), "8491****601");
        assert_eq!(format!("{phone:?}"), "8491****601");
        assert!(PhoneNumber::new(Country::VN, "84", "91234x601").is_err());
    }
}
