//! How a codec's fields become an [`HttpRequest`]: query string, form or JSON body, and the cap of the reply.
//! Percent-encoding is the `url` crate's.

use url::Url;
use url::form_urlencoded::Serializer;

use crate::domain::{HttpRequest, Method, Secret};

/// Longest reply to a submit, to a look-up of an order, and to the other small questions, in bytes.
pub(super) const ORDER_REPLY_BYTES_MAX: usize = 64 * 1024;
/// Longest catalogue, in bytes.
pub(super) const CATALOGUE_REPLY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One request field, as the provider spells it, with its value.
pub(super) type Field = (&'static str, String);

/// A GET with the fields as its query string.
pub(super) fn get(base: &Url, page: &str, fields: &[Field], reply_bytes_max: usize) -> HttpRequest {
    let mut url = endpoint(base, page);
    url.push('?');
    let start = url.len();
    let url = Serializer::for_suffix(url, start).extend_pairs(fields).finish();
    HttpRequest { method: Method::Get, url: Secret::new(url), body: None, reply_bytes_max }
}

/// A POST with the fields as a form.
pub(super) fn post_form(base: &Url, page: &str, fields: &[Field], reply_bytes_max: usize) -> HttpRequest {
    let form = Serializer::new(String::new()).extend_pairs(fields).finish();
    post(base, page, "application/x-www-form-urlencoded", form, reply_bytes_max)
}

/// A POST with a JSON text as its body.
pub(super) fn post_json(base: &Url, page: &str, json: String, reply_bytes_max: usize) -> HttpRequest {
    post(base, page, "application/json", json, reply_bytes_max)
}

fn post(base: &Url, page: &str, content_type: &'static str, body: String, cap: usize) -> HttpRequest {
    HttpRequest {
        method: Method::Post,
        url: Secret::new(endpoint(base, page)),
        body: Some((content_type, Secret::new(body))),
        reply_bytes_max: cap,
    }
}

/// The address of one page below the base, without query or fragment. The pages' names are plain words.
fn endpoint(base: &Url, page: &str) -> String {
    let slash = if base.path().ends_with('/') { "" } else { "/" };
    format!("{}{slash}{page}", &base[..url::Position::AfterPath])
}
