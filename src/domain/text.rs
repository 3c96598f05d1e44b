//! Reading a value from the text it is stored as, without keeping the text.

use std::fmt::Display;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::{Error, Visitor};

/// Reads a value that is stored as a text.
///
/// # Errors
/// The source's, or that of `parse`.
pub(super) fn from_text<'de, D: Deserializer<'de>, T, E: Display>(
    from: D,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, D::Error> {
    from.deserialize_str(OfText(parse, PhantomData))
}

struct OfText<P, T>(P, PhantomData<T>);

impl<T, E: Display, P: FnOnce(&str) -> Result<T, E>> Visitor<'_> for OfText<P, T> {
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<F: Error>(self, text: &str) -> Result<T, F> {
        (self.0)(text).map_err(F::custom)
    }
}
