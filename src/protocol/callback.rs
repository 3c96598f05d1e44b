//! What an incoming callback may tell: which order to look up, and no more. A callback is never a verdict; the
//! listener wakes a look-up with it.

use subtle::ConstantTimeEq;
use url::form_urlencoded;

use crate::domain::{ProviderRef, TransactionId};

use super::json::Object;

/// A readable callback: an order worth looking up now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackHint {
    /// Our id (Tutom `orderid`, Paynicorn `originOrderNo`).
    pub id: TransactionId,
    /// The provider's id (Tutom `tutomid`, Paynicorn `orderNo`).
    pub provider_ref: Option<ProviderRef>,
    /// What it claims.
    pub claims: CallbackClaim,
    /// Whether its signature was checked and right. False only where no secret is configured to check it with.
    pub verified: bool,
}

/// What a callback claims about the order; never believed without a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackClaim {
    /// Completed.
    Succeeded,
    /// Failed.
    Failed,
    /// Under way.
    Pending,
    /// Something else, or nothing.
    Other,
}

/// Why a callback is not listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallbackRefused {
    /// The body is not what the provider's document describes.
    #[error("the callback cannot be read")]
    Unreadable,
    /// A field is missing.
    #[error("the callback lacks {0}")]
    Missing(&'static str),
    /// A field stands twice with different values.
    #[error("the callback names {0} twice")]
    Ambiguous(&'static str),
    /// The signature is wrong.
    #[error("the callback's signature is wrong")]
    BadSignature,
    /// It is not in the signed envelope although a secret is configured.
    #[error("the callback is not signed")]
    Unsigned,
    /// The order's id cannot be one of ours.
    #[error("the callback names no order of ours")]
    NotOurs,
}

/// The fields of a callback whose method and encoding the document leaves open (Tutom): query string, then form
/// or JSON body.
///
/// # Errors
/// [`CallbackRefused::Unreadable`] when a body is neither.
pub fn callback_fields(
    content_type: Option<&str>,
    query: Option<&str>,
    body: &[u8],
) -> Result<Vec<(String, String)>, CallbackRefused> {
    let pairs =
        |bytes: &[u8]| -> Vec<(String, String)> { form_urlencoded::parse(bytes).into_owned().collect() };
    let mut fields = query.map(|query| pairs(query.as_bytes())).unwrap_or_default();
    let body = body.trim_ascii();
    let says_json = content_type.is_some_and(|kind| kind.to_ascii_lowercase().contains("json"));
    if says_json || body.starts_with(b"{") {
        if !body.is_empty() {
            fields.extend(Object::parse(body).map_err(|_| CallbackRefused::Unreadable)?.scalars());
        }
    } else if !body.is_empty() {
        if std::str::from_utf8(body).is_err() {
            return Err(CallbackRefused::Unreadable);
        }
        fields.extend(pairs(body));
    }
    Ok(fields)
}

/// The one value of a field.
pub(super) fn one<'a>(
    fields: &'a [(String, String)],
    name: &'static str,
) -> Result<&'a str, CallbackRefused> {
    let mut values = fields.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let value = values.next().filter(|value| !value.is_empty()).ok_or(CallbackRefused::Missing(name))?;
    if values.all(|other| other == value) { Ok(value) } else { Err(CallbackRefused::Ambiguous(name)) }
}

/// Compares a hex signature in constant time, its case aside.
pub(super) fn same_signature(ours: &str, theirs: &str) -> bool {
    let (ours, theirs) = (ours.to_ascii_lowercase(), theirs.trim().to_ascii_lowercase());
    bool::from(ours.as_bytes().ct_eq(theirs.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_from_query_form_or_json() {
        let expected = vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), "x y".to_owned())];
        assert_eq!(callback_fields(None, Some("a=1&b=x+y"), b"").unwrap(), expected);
        assert_eq!(
            callback_fields(Some("application/x-www-form-urlencoded"), None, b"a=1&b=x%20y").unwrap(),
            expected
        );
        assert_eq!(
            callback_fields(Some("application/json"), None, br#"{"a":1,"b":"x y","c":{}}"#).unwrap(),
            expected
        );
        assert_eq!(callback_fields(None, Some("a=1"), br#" {"b":"x y"}"#).unwrap(), expected);
        assert_eq!(callback_fields(Some("text/json"), None, b"a=1"), Err(CallbackRefused::Unreadable));
        assert_eq!(callback_fields(None, None, b"\xff"), Err(CallbackRefused::Unreadable));
    }

    #[test]
    fn a_field_that_stands_twice_with_two_values_is_refused() {
        let fields = callback_fields(None, Some("state=6&sign=a&sign=a"), b"state=10").unwrap();
        assert_eq!(one(&fields, "state"), Err(CallbackRefused::Ambiguous("state")));
        assert_eq!(one(&fields, "sign"), Ok("a"));
        assert_eq!(one(&fields, "orderid"), Err(CallbackRefused::Missing("orderid")));
    }

    #[test]
    fn signatures_compare_whatever_their_case() {
        assert!(same_signature("54F66473", "54f66473"));
        assert!(!same_signature("54F66473", "54f66472"));
        assert!(!same_signature("54F66473", ""));
    }
}
