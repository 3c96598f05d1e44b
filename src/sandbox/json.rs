//! A JSON object as a list of fields: what stands twice is seen, and a number keeps its digits.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::inquiry::{Field, Kind};

/// Reads an object.
///
/// # Errors
/// The text is no JSON object.
pub fn fields(text: &[u8]) -> serde_json::Result<Vec<Field>> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let fields = reader.deserialize_map(Members)?;
    reader.end()?;
    Ok(fields)
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<Field>;

    fn expecting(&self, form: &mut fmt::Formatter<'_>) -> fmt::Result {
        form.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Field>, A::Error> {
        let mut fields = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
            fields.push(field(name, value.get()));
        }
        Ok(fields)
    }
}

fn field(name: String, raw: &str) -> Field {
    if let Ok(value) = serde_json::from_str::<String>(raw) {
        return Field { name, value, kind: Kind::Text };
    }
    let number = raw.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    Field { name, value: raw.to_owned(), kind: if number { Kind::Number } else { Kind::Other } }
}
