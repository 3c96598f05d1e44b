//! JSON as money needs it: every scalar kept as the sender wrote it (ids above 2^53, `46.0000`), and a text in
//! which any object names a key twice refused, because two readers could take two meanings from it.

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Why a body is no JSON object that can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonFault {
    /// Nothing came, or only white space.
    Empty,
    /// A page for people.
    WebPage,
    /// Not UTF-8, not JSON, nested too deeply, a key named twice, or no object.
    NotStrictJson,
}

impl JsonFault {
    /// A few words for a person.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Empty => "an empty answer",
            Self::WebPage => "a web page instead of an answer",
            Self::NotStrictJson => "an answer that is not well-formed JSON",
        }
    }
}

/// A JSON object whose values are kept as written, within the text it was read from.
#[derive(Debug)]
pub(super) struct Object<'a>(Vec<(Key<'a>, &'a str)>);

impl<'a> Object<'a> {
    /// Reads a whole body.
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, JsonFault> {
        let text = std::str::from_utf8(body).map_err(|_| JsonFault::NotStrictJson)?.trim();
        if text.is_empty() {
            return Err(JsonFault::Empty);
        }
        if text.starts_with('<') {
            return Err(JsonFault::WebPage);
        }
        serde_json::from_str(text).map_err(|_| JsonFault::NotStrictJson)
    }

    /// Whether the key is there with anything but `null`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.raw(key).is_some()
    }

    /// A string's content, or a number's digits as written; `None` for everything else.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let raw = self.raw(key)?;
        match raw.bytes().next() {
            Some(b'"') if is_plain(raw) => Some(raw.trim_matches('"').to_owned()),
            Some(b'"') => serde_json::from_str(raw).ok(),
            Some(b'-' | b'0'..=b'9') => Some(raw.to_owned()),
            _ => None,
        }
    }

    /// As [`Object::text`], without surrounding white space and without empty texts.
    pub(super) fn word(&self, key: &str) -> Option<String> {
        let text = self.text(key)?;
        let word = text.trim();
        match word.len() {
            0 => None,
            all if all == text.len() => Some(text),
            _ => Some(word.to_owned()),
        }
    }

    /// A nested object.
    pub(super) fn object(&self, key: &str) -> Option<Self> {
        self.raw(key).filter(|raw| raw.starts_with('{')).and_then(|raw| serde_json::from_str(raw).ok())
    }

    /// The objects of a nested array; entries that are no objects are left out. `None`: no array.
    pub(super) fn objects(&self, key: &str) -> Option<Vec<Self>> {
        let raw = self.raw(key).filter(|raw| raw.starts_with('['))?;
        let entries: Vec<&'a RawValue> = serde_json::from_str(raw).ok()?;
        Some(entries.iter().filter_map(|entry| serde_json::from_str(entry.get()).ok()).collect())
    }

    /// Every key with its scalar; nested values are left out.
    pub(super) fn scalars(&self) -> Vec<(String, String)> {
        self.0.iter().filter_map(|(key, _)| Some((key.0.to_string(), self.text(&key.0)?))).collect()
    }

    fn raw(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find(|(name, _)| name.0 == key).map(|(_, raw)| *raw).filter(|raw| *raw != "null")
    }
}

/// Whether a value is a text without escapes: it reads as it stands.
fn is_plain(raw: &str) -> bool {
    raw.starts_with('"') && !raw.contains('\\')
}

/// Whether a value is a number that any reader can hold.
fn is_small(raw: &str) -> bool {
    raw.len() <= 18 && raw.bytes().all(|byte| byte.is_ascii_digit())
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut fields = Vec::with_capacity(8);
                while let Some((key, value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    let raw = value.get();
                    // A text without escapes is checked by now, whatever it says; so are a few digits.
                    if !is_plain(raw) && !is_small(raw) {
                        serde_json::from_str::<Strict>(raw).map_err(A::Error::custom)?;
                    }
                    fields.push((key, raw));
                }
                distinct(fields.iter().map(|(key, _)| &*key.0))?;
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// A walk over a whole JSON text that keeps nothing and fails on the first key named twice. `serde_json`
/// bounds its depth.
struct Strict;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Walk)
    }
}

struct Walk;

impl<'de> Visitor<'de> for Walk {
    type Value = Strict;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON without repeated keys")
    }
    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Strict, E> {
        Ok(Strict)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Strict, E> {
        Ok(Strict)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Strict, E> {
        Ok(Strict)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Strict, E> {
        Ok(Strict)
    }
    fn visit_str<E>(self, _: &str) -> Result<Strict, E> {
        Ok(Strict)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Strict, A::Error> {
        while seq.next_element::<Strict>()?.is_some() {}
        Ok(Strict)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
        let mut keys: Vec<Key<'de>> = Vec::with_capacity(8);
        while let Some((key, Strict)) = map.next_entry::<Key<'de>, Strict>()? {
            keys.push(key);
        }
        distinct(keys.iter().map(|key| &*key.0))?;
        Ok(Strict)
    }
}

/// Fails where a key stands twice. Sorted, so that an object of a million keys costs no million squared.
fn distinct<'k, E: Error>(keys: impl Iterator<Item = &'k str>) -> Result<(), E> {
    let mut keys: Vec<&str> = keys.collect();
    keys.sort_unstable();
    let twice = keys.windows(2).any(|pair| matches!(pair, [one, other] if one == other));
    if twice { Err(E::custom("a key stands twice")) } else { Ok(()) }
}

/// A key as it reads, without a copy where it stands so.
#[derive(Debug)]
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A value to be written.
pub(super) enum Scalar<'a> {
    /// A string.
    Text(&'a str),
    /// A number in plain digits, never with an exponent.
    Number(Decimal),
}

/// Writes an object with its fields in this order.
pub(super) fn write_object(fields: &[(&str, Scalar<'_>)]) -> String {
    let mut text = String::with_capacity(256);
    text.push('{');
    for (key, value) in fields {
        if text.len() > 1 {
            text.push(',');
        }
        push_quoted(&mut text, key);
        text.push(':');
        match value {
            Scalar::Text(value) => push_quoted(&mut text, value),
            Scalar::Number(number) => text.push_str(&number.normalize().to_string()),
        }
    }
    text.push('}');
    text
}

/// A JSON string; plain printable ASCII stands as it is.
fn push_quoted(out: &mut String, text: &str) {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if text.bytes().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

/// A code as a signed integer in its one plain spelling: `5` and `-5`, never `05`, `+5`, `5.0` or `-0`.
pub(super) fn code(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().filter(|number| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_kept_as_written() {
        let object = Object::parse(br#"{"id":12418046125113395,"price":46.0000,"s":"7","n":null,"b":true}"#);
        let object = object.unwrap();
        assert_eq!(object.text("id").unwrap(), "12418046125113395");
        assert_eq!(object.text("price").unwrap(), "46.0000");
        assert_eq!(object.text("s").unwrap(), "7");
        assert_eq!(object.text("n"), None);
        assert_eq!(object.text("b"), None);
        assert!(object.has("b") && !object.has("n"));
    }

    #[test]
    fn a_key_named_twice_is_refused_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"x":[{"a":1,"a":2}]}"#, r#"{"x":{"a":1,"\u0061":2}}"#] {
            assert_eq!(Object::parse(text.as_bytes()).unwrap_err(), JsonFault::NotStrictJson, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused_wherever_it_stands() {
        for text in [
            r#"{"a":1e999}"#,
            r#"{"a":"\ud800"}"#,
            "{\"a\":\"\u{1}\"}",
            r#"{"a":01}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":1}x"#,
        ] {
            assert_eq!(Object::parse(text.as_bytes()).unwrap_err(), JsonFault::NotStrictJson, "{text}");
        }
    }

    #[test]
    fn bottomless_nesting_is_refused_without_a_panic() {
        let deep = format!("{{\"a\":{}", "[".repeat(60_000));
        assert_eq!(Object::parse(deep.as_bytes()).unwrap_err(), JsonFault::NotStrictJson);
        let closed = format!("{{\"a\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
        assert_eq!(Object::parse(closed.as_bytes()).unwrap_err(), JsonFault::NotStrictJson);
    }

    #[test]
    fn a_code_has_one_spelling() {
        assert_eq!((code("5"), code("-5"), code("0")), (Some(5), Some(-5), Some(0)));
        for wrong in ["05", "+5", "5.0", "-0", "", " 5", "5e0", "99999999999999999999"] {
            assert_eq!(code(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_are_written_without_exponent() {
        let text = write_object(&[
            ("a", Scalar::Number(Decimal::from_scientific("1e9").unwrap())),
            ("b", Scalar::Text("x\"y")),
            ("c", Scalar::Number(Decimal::new(10050, 2))),
            ("d", Scalar::Text("a\\b\n\u{1}é/ ~")),
        ]);
        assert_eq!(text, r#"{"a":1000000000,"b":"x\"y","c":100.5,"d":"a\\b\n\u0001é/ ~"}"#);
    }
}
