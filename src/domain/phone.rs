//! A phone number in its one canonical form, and the masking of it.

use serde::{Deserialize, Deserializer, Serialize};

use super::text::from_text;

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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
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

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from_text(from, Self::parse)
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
    digits: Digits,
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
        let digits = Digits::of(calling_code, national).ok_or(PhoneError::Number)?;
        let calling_code_len = u8::try_from(calling_code.len()).map_err(|_| PhoneError::Number)?;
        if !(1..=3).contains(&calling_code_len) || digits.len < 6 {
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
        self.digits.as_str()
    }

    /// National significant number: no calling code, no leading zero.
    pub fn national(&self) -> &str {
        self.digits().get(usize::from(self.calling_code_len)..).unwrap_or_default()
    }

    /// Masked for screens and logs: `8491****601`.
    pub fn masked(&self) -> String {
        mask_digits(self.digits())
    }
}

impl std::fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.masked())
    }
}

/// At most 15 digits, held in place: a row of a large file costs no allocation for its number. What is behind
/// the last digit is zero, so that comparing the bytes compares the digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
struct Digits {
    bytes: [u8; 15],
    len: u8,
}

impl Digits {
    /// Two texts in a row; none when they are not digits alone, or over 15 of them.
    fn of(first: &str, second: &str) -> Option<Self> {
        let mut bytes = [0; 15];
        let len = first.len().checked_add(second.len())?;
        let (head, tail) = bytes.get_mut(..len)?.split_at_mut_checked(first.len())?;
        head.copy_from_slice(first.as_bytes());
        tail.copy_from_slice(second.as_bytes());
        let plain = head.iter().chain(tail.iter()).all(u8::is_ascii_digit);
        plain.then_some(Self { bytes, len: u8::try_from(len).ok()? })
    }

    fn as_str(&self) -> &str {
        let digits = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        std::str::from_utf8(digits).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from_text(from, |text| Self::of(text, "").ok_or(PhoneError::Number))
    }
}

impl From<Digits> for String {
    fn from(digits: Digits) -> Self {
        digits.as_str().to_owned()
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
        assert!(PhoneNumber::new(Country::VN, "84", "12345678901234").is_err());
        assert!(PhoneNumber::new(Country::VN, "84", "1234567890123").is_ok());
        assert!(PhoneNumber::new(Country::VN, "8", "1234").is_err());
    }

    #[test]
    fn a_number_is_stored_as_its_country_digits_and_length_of_calling_code() {
        let phone = PhoneNumber::new(Country::VN, "84", "912345601").unwrap();
        let text = serde_json::to_string(&phone).unwrap();
        assert_eq!(text, r#"{"country":"VN","digits":"84912345601","calling_code_len":2}"#);
        assert_eq!(serde_json::from_str::<PhoneNumber>(&text).unwrap(), phone);
        assert!(serde_json::from_str::<PhoneNumber>(&text.replace("912", "9x2")).is_err());
        assert!(serde_json::from_str::<PhoneNumber>(&text.replace("912", "91234567")).is_err());
    }

    #[test]
    fn numbers_are_ordered_as_their_digits() {
        let phone = |national| PhoneNumber::new(Country::VN, "84", national).unwrap();
        assert!(phone("91234") < phone("912340") && phone("912340") < phone("91235"));
    }
}
