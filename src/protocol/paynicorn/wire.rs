//! Paynicorn's fields, as it spells them (`paynicorn-airtime.txt`), and the envelope of its signature page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use rust_decimal::Decimal;

use crate::domain::{AirtimeProduct, Country, Currency, Denomination, Money, Secret};
use crate::protocol::answer::{Scrub, Silence};
use crate::protocol::callback::same_signature;
use crate::protocol::json::{Object, Scalar, write_object};

use super::codes::ENVELOPE_DONE;

/// `bizType` and `productCode` of airtime.
const AIRTIME: &str = "m_topup";

/// What a topup request says.
pub(super) struct Topup<'a> {
    pub(super) trans_id: &'a str,
    pub(super) app_key: &'a Secret,
    pub(super) country_code: Country,
    pub(super) operator_code: &'a str,
    pub(super) benefit_no: &'a str,
    pub(super) amount: Decimal,
}

/// The business parameters of topup, in the order of the document's sample.
pub(super) fn topup(topup: &Topup<'_>) -> String {
    write_object(&[
        ("transId", Scalar::Text(topup.trans_id)),
        ("appKey", Scalar::Text(topup.app_key.expose())),
        ("countryCode", Scalar::Text(topup.country_code.code())),
        ("bizType", Scalar::Text(AIRTIME)),
        ("operatorCode", Scalar::Text(topup.operator_code)),
        ("benefitNo", Scalar::Text(topup.benefit_no)),
        ("amount", Scalar::Number(topup.amount)),
        ("memo", Scalar::Text("")),
    ])
}

/// The business parameters of query.
pub(super) fn query(app_key: &Secret, trans_id: &str) -> String {
    write_object(&[("appKey", Scalar::Text(app_key.expose())), ("transId", Scalar::Text(trans_id))])
}

/// The business parameters of queryOperatorCode.
pub(super) fn query_operator_code(country: Country, national_phone_no: &str) -> String {
    write_object(&[
        ("countryCode", Scalar::Text(country.code())),
        ("nationalPhoneNo", Scalar::Text(national_phone_no)),
    ])
}

/// The business parameters of queryGoods.
pub(super) fn query_goods(app_key: &Secret, country: Option<Country>) -> String {
    let key = ("appKey", Scalar::Text(app_key.expose()));
    let product = ("productCode", Scalar::Text(AIRTIME));
    match &country {
        Some(country) => write_object(&[key, ("countryCode", Scalar::Text(country.code())), product]),
        None => write_object(&[key, product]),
    }
}

/// Business parameters in the signed envelope.
pub(super) fn envelope(inner: &str, app_key: &Secret, merchant_secret: &Secret) -> String {
    let content = content(inner);
    let sign = sign(&content, merchant_secret);
    write_object(&[
        ("content", Scalar::Text(&content)),
        ("sign", Scalar::Text(&sign)),
        ("appKey", Scalar::Text(app_key.expose())),
    ])
}

/// The envelope's content for these business parameters.
pub(super) fn content(inner: &str) -> String {
    STANDARD.encode(inner)
}

/// Lower-case hex MD5 of content and secret; always 32 digits.
pub(super) fn sign(content: &str, merchant_secret: &Secret) -> String {
    let mut hash = Md5::new();
    hash.update(content.as_bytes());
    hash.update(merchant_secret.expose().as_bytes());
    hex::encode(hash.finalize())
}

/// What an envelope's content says, if its signature is right. It is read into `room`.
pub(super) fn open<'a>(
    content: &str,
    their_sign: &str,
    merchant_secret: &Secret,
    room: &'a mut Vec<u8>,
) -> Option<Object<'a>> {
    let right = same_signature(&sign(content, merchant_secret), their_sign);
    if right { content_of(content, room) } else { None }
}

/// What an envelope's content says, whatever its signature. It is read into `room`.
pub(super) fn content_of<'a>(content: &str, room: &'a mut Vec<u8>) -> Option<Object<'a>> {
    STANDARD.decode_vec(content, room).ok()?;
    Object::parse(room).ok()
}

/// An answer of any call.
pub(super) enum Said<'a> {
    /// The gateway turned the request away: its code and words.
    Envelope {
        /// `responseCode`.
        code: String,
        /// `responseMessage`.
        message: String,
    },
    /// The business answered.
    Business(Business<'a>),
}

/// `code`, `msg` and the rest of a business answer.
pub(super) struct Business<'a> {
    pub(super) code: Option<String>,
    pub(super) msg: String,
    object: Object<'a>,
}

impl<'a> Said<'a> {
    /// Reads a body, wrapped or plain: which of the two comes is told by its keys. What was wrapped is put into
    /// `room`.
    pub(super) fn read(
        body: &'a [u8],
        merchant_secret: Option<&Secret>,
        room: &'a mut Vec<u8>,
    ) -> Result<Self, Silence> {
        let object = Object::parse(body)?;
        let wrapped = ["responseCode", "content", "sign"].iter().any(|key| object.has(key));
        if !wrapped {
            return Ok(Self::Business(Business::of(object)));
        }
        if object.has("code") {
            return Err(Silence::of("an answer that is both plain and in an envelope"));
        }
        let code = object.text("responseCode").unwrap_or_default();
        if code != ENVELOPE_DONE {
            let message = object.text("responseMessage").unwrap_or_default();
            return Ok(Self::Envelope { code, message });
        }
        let Some(secret) = merchant_secret else {
            return Err(Silence::of("a signed answer, but no merchant_secret is set to check it with"));
        };
        let signed = object.text("content").zip(object.text("sign"));
        let inner = signed.and_then(|(content, sign)| open(&content, &sign, secret, room));
        inner
            .map(|inner| Self::Business(Business::of(inner)))
            .ok_or_else(|| Silence::of("a signed answer whose signature or content is wrong"))
    }
}

impl<'a> Business<'a> {
    fn of(object: Object<'a>) -> Self {
        Self { code: object.text("code"), msg: object.text("msg").unwrap_or_default(), object }
    }

    /// The order of topup and query.
    pub(super) fn order(&self) -> Option<OrderResult> {
        let result = self.object.object("result")?;
        Some(OrderResult {
            trans_id: result.text("transId"),
            order_id: result.word("orderId"),
            status_code: result.text("statusCode"),
            description: result.text("description").unwrap_or_default(),
            benefit_no: result.word("benefitNo"),
            amount: result.word("amount"),
        })
    }

    /// The operator of queryOperatorCode.
    pub(super) fn operator(&self) -> Option<OperatorResult> {
        let result = self.object.object("result")?;
        Some(OperatorResult {
            operator_code: result.word("operatorCode")?,
            country_code: result.word("countryCode"),
            currency: result.word("currency").and_then(|code| Currency::parse(&code).ok()),
        })
    }

    /// The goods of queryGoods: an array as in the sample, or one object as in the table. Entries that are no
    /// airtime or cannot be read are left out. `None`: there is no result.
    pub(super) fn goods(&self, scrub: &Scrub) -> Option<Vec<AirtimeProduct>> {
        let entries = match self.object.objects("result") {
            Some(entries) => entries,
            None => vec![self.object.object("result")?],
        };
        Some(entries.iter().filter_map(|entry| product(entry, scrub)).collect())
    }
}

/// `result` of topup and query. Only `transId` and `statusCode` can be relied on to be there.
pub(super) struct OrderResult {
    pub(super) trans_id: Option<String>,
    pub(super) order_id: Option<String>,
    pub(super) status_code: Option<String>,
    pub(super) description: String,
    pub(super) benefit_no: Option<String>,
    pub(super) amount: Option<String>,
}

/// `result` of queryOperatorCode.
pub(super) struct OperatorResult {
    pub(super) operator_code: String,
    pub(super) country_code: Option<String>,
    pub(super) currency: Option<Currency>,
}

fn product(entry: &Object<'_>, scrub: &Scrub) -> Option<AirtimeProduct> {
    if entry.word("productCode").is_some_and(|code| code != AIRTIME) {
        return None;
    }
    let currency = entry.word("rechargeCurrency")?;
    let amount = |key| {
        let money = Money::parse(&entry.word(key)?, &currency).ok()?;
        Some(money.amount.normalize())
    };
    let denomination = match entry.word("buyingType")?.as_str() {
        "FIXED" => Denomination::Fixed(amount("rechargeAmount").filter(|amount| *amount > Decimal::ZERO)?),
        "RANGE" => {
            let (min, max) = (amount("rechargeMinAmount")?, amount("rechargeMaxAmount")?);
            if max < min || max.is_zero() {
                return None;
            }
            Denomination::Range { min, max }
        }
        _ => return None,
    };
    Some(AirtimeProduct {
        country: Country::parse(&entry.word("countryCode")?).ok()?,
        operator: scrub.words(&entry.word("operatorCode")?),
        currency: Currency::parse(&currency).ok()?,
        denomination,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_agrees_with_the_vector() {
        let secret = Secret::new("SECRET");
        let body = envelope(r#"{"appKey":"a","transId":"1"}"#, &Secret::new("a"), &secret);
        assert_eq!(
            body,
            r#"{"content":"eyJhcHBLZXkiOiJhIiwidHJhbnNJZCI6IjEifQ==","sign":"62b36a969f16f124d75fd42010053db2","appKey":"a"}"#
        );
    }

    #[test]
    fn a_signature_keeps_its_leading_zeros() {
        let zero =
            (0..1000).map(|n| sign(&n.to_string(), &Secret::new("S"))).find(|sign| sign.starts_with('0'));
        assert_eq!(zero.unwrap().len(), 32);
    }
}
