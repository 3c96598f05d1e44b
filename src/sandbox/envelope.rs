//! Paynicorn's envelope: `{content, sign, appKey}` around the documented JSON, as its authorization
//! page has it; requests without one are read as the document's samples stand.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::json;

use super::accounts::demo_accounts;
use super::inquiry::{Call, Field, Inquiry, Rule, Unread, must};
use super::json;
use super::world::Reply;

/// Lower-case hexadecimal MD5 of the content and the merchant's secret.
pub fn sign(content: &str, secret: &str) -> String {
    hex::encode(Md5::digest(format!("{content}{secret}")))
}

/// Reads a request, out of its envelope if it has one.
pub fn read(call: Call, method: &str, content_type: &str, body: &[u8]) -> Inquiry {
    let blank = Inquiry {
        call,
        method: method.to_owned(),
        fields: Vec::new(),
        wrapped: false,
        envelope_key: String::new(),
        unread: None,
    };
    match open(call, content_type, body) {
        Ok((fields, Some(envelope_key))) => Inquiry { fields, wrapped: true, envelope_key, ..blank },
        Ok((fields, None)) => Inquiry { fields, ..blank },
        Err(unread) => Inquiry { unread: Some(unread), ..blank },
    }
}

fn unread(code: &'static str, message: &'static str, why: &str) -> Unread {
    Unread { code, message, why: why.to_owned() }
}

fn open(call: Call, content_type: &str, body: &[u8]) -> Result<(Vec<Field>, Option<String>), Unread> {
    if body.is_empty() {
        return Err(unread("204000", "request empty", "the body is empty"));
    }
    let invalid = |why: &str| unread("204003", "content invalid", why);
    if content_type.split(';').next().unwrap_or_default().trim() != "application/json" {
        return Err(invalid("Content-Type is not application/json"));
    }
    let outer = json::fields(body).map_err(|_| invalid("the body is no JSON object"))?;
    if !outer.iter().any(|field| field.name == "content" || field.name == "sign") {
        return Ok((outer, None));
    }
    let inquiry = Inquiry {
        call,
        method: String::new(),
        fields: outer,
        wrapped: true,
        envelope_key: String::new(),
        unread: None,
    };
    let rules: [Rule; 3] = [must("content", usize::MAX), must("sign", 32), must("appKey", 64)];
    if let Some(misfit) = inquiry.misfit(&rules) {
        return Err(match misfit.name.as_str() {
            "appKey" => unread("204002", "app key empty", &misfit.why),
            "sign" => unread("204004", "sign invalid", &misfit.why),
            _ => invalid(&misfit.why),
        });
    }
    let (account, content) = (demo_accounts(), inquiry.get("content"));
    if inquiry.get("appKey") != account.paynicorn_app_key {
        return Err(unread("204005", "Authentication failed", "appKey is not the account's"));
    }
    if inquiry.get("sign") != sign(content, account.paynicorn_secret) {
        return Err(unread("204004", "sign invalid", "sign is not MD5(content + secret) in lower case"));
    }
    let inner = STANDARD.decode(content).map_err(|_| invalid("content is no padded base64"))?;
    let fields = json::fields(&inner).map_err(|_| invalid("content is no JSON object"))?;
    Ok((fields, Some(inquiry.get("appKey").to_owned())))
}

/// The answer of the gateway itself, without content.
pub fn refused(code: &str, message: &str) -> Reply {
    let body = json!({"responseCode": code, "responseMessage": message});
    Reply::ok("application/json", body.to_string())
}

/// An answer in its envelope.
pub fn wrap(inner: &str) -> Reply {
    let content = STANDARD.encode(inner);
    let sign = sign(&content, demo_accounts().paynicorn_secret);
    let body =
        json!({"responseCode": "000000", "responseMessage": "success", "content": content, "sign": sign});
    Reply::ok("application/json", body.to_string())
}

/// The body of a callback, which tells of a completed order.
pub fn callback(id: &str, reference: &str, unix_seconds: i64) -> String {
    let told = json!({
        "deductionAmount": 0.24,
        "deductionCurrency": "USD",
        "orderNo": reference,
        "originOrderNo": id,
        "status": 1,
        "timestamp": unix_seconds,
    });
    let content = STANDARD.encode(told.to_string());
    let sign = sign(&content, demo_accounts().paynicorn_secret);
    json!({"content": content, "sign": sign}).to_string()
}
