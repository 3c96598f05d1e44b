//! Unimobile/Tutom: mobile data in China (`tutom-data-refill.txt`). Endpoints, signature, and the way from a
//! reply to a meaning.

mod codes;
mod wire;

use md5::{Digest, Md5};
use url::Url;

use crate::domain::{
    Answer, Catalogue, Country, HttpRequest, LookupVerdict, Method, PhoneNumber, ProviderRef, Reason,
    Refusal, Reply, Secret, SubmitMeaning, SubmitVerdict, Told, TransactionId,
};

use super::answer::{
    Scrub, Silence, hear, refused_yet_named, settle_lookup, settle_submit, settle_told, unchanged, unclear,
};
use super::callback::{self, CallbackClaim, CallbackHint, CallbackRefused};
use super::json::{self, Object};
use super::request::{CATALOGUE_REPLY_BYTES_MAX, Field, ORDER_REPLY_BYTES_MAX, get, post_form};
use super::{Lookup, Question, Submit};
use codes::State;
use wire::OrderAnswer;

/// Longest productid the document allows.
const PRODUCT_ID_CHARS_MAX: usize = 10;

/// One account at Tutom.
#[derive(Clone, Debug)]
pub struct Tutom {
    /// Ends in `/`; the operations' names follow (`List`, `OrderCreate`).
    pub base_url: Url,
    /// `appkey`: in every request.
    pub app_key: Secret,
    /// `openId`: first part of the signature, in no request.
    pub open_id: Secret,
    /// How the fields travel: query string or form body ("Http Method: GET/POST").
    pub method: Method,
}

impl Tutom {
    pub(super) fn encode_submit(&self, submit: &Submit) -> Result<HttpRequest, Refusal> {
        let mdn = mdn(&submit.phone)?;
        let productid = submit.product_id.as_deref().unwrap_or_default();
        judge_product_id(productid)?;
        let sign = self.sign(&submit.id, mdn, productid);
        let fields = wire::order_create(self.app_key.expose(), submit.id.as_str(), sign, mdn, productid);
        Ok(self.request("OrderCreate", &fields, ORDER_REPLY_BYTES_MAX))
    }

    pub(super) fn decode_submit(&self, submit: &Submit, reply: &Reply) -> SubmitVerdict {
        let productid = submit.product_id.as_deref().unwrap_or_default();
        let sign = self.sign(&submit.id, submit.phone.national(), productid);
        let scrub = self.scrub(Some(&sign));
        let (said, intact) = match order_answer(reply) {
            Ok(read) => read,
            Err(silence) => return silence.into_submit(),
        };
        let (code, mut answer) = said.understood(&scrub);
        let Some(code) = code else {
            return settle_submit(unclear(Reason::NoAnswer), answer, intact);
        };
        if said.orderid.as_deref().is_some_and(|orderid| orderid != submit.id.as_str()) {
            answer.warning = Some("the answer names another order than the one submitted".to_owned());
            return settle_submit(unclear(Reason::NoAnswer), answer, intact);
        }
        let meaning = codes::submit(code, said.state());
        let meaning = if said.id.is_some() { refused_yet_named(meaning) } else { meaning };
        if matches!(meaning, SubmitMeaning::Succeeded | SubmitMeaning::Pending) {
            answer.cost = said.cost;
        }
        settle_submit(meaning, answer, intact)
    }

    pub(super) fn encode_lookup(&self, lookup: &Lookup) -> HttpRequest {
        let fields = wire::order_query(self.app_key.expose(), lookup.id.as_str());
        self.request("OrderQuery", &fields, ORDER_REPLY_BYTES_MAX)
    }

    pub(super) fn decode_lookup(&self, lookup: &Lookup, reply: &Reply) -> LookupVerdict {
        let (said, intact) = match order_answer(reply) {
            Ok(read) => read,
            Err(silence) => return silence.into_lookup(),
        };
        let (code, mut answer) = said.understood(&self.scrub(None));
        let Some(code) = code else {
            return settle_lookup(unchanged(), answer, intact);
        };
        let known = lookup.provider_ref.as_ref().map(ProviderRef::as_str);
        let other_id = known.zip(said.id.as_deref()).is_some_and(|(known, said)| known != said);
        let other_order = said.orderid.as_deref().is_some_and(|orderid| orderid != lookup.id.as_str());
        if other_id || other_order {
            answer.provider_ref = None;
            answer.warning = Some("the answer names another order than the one asked for".to_owned());
            return settle_lookup(unchanged(), answer, intact);
        }
        let meaning = codes::lookup(code, said.state());
        if code == 0 && said.state().is_some_and(|state| state != State::Failed) {
            answer.cost = said.cost;
        }
        settle_lookup(meaning, answer, intact)
    }

    pub(super) fn encode_question(&self, question: &Question) -> Option<HttpRequest> {
        let key = self.app_key.expose();
        match question {
            Question::Catalogue(_) => Some(self.request("List", &wire::list(key), CATALOGUE_REPLY_BYTES_MAX)),
            Question::ProductsOf(phone) => {
                let fields = wire::list_by_phone(key, mdn(phone).ok()?);
                Some(self.request("ListByPhone", &fields, CATALOGUE_REPLY_BYTES_MAX))
            }
            Question::Balance | Question::OperatorOf(_) => None,
        }
    }

    pub(super) fn decode_question(&self, question: &Question, reply: &Reply) -> Told {
        let of_a_number = match question {
            Question::Catalogue(_) => false,
            Question::ProductsOf(_) => true,
            Question::Balance | Question::OperatorOf(_) => {
                return Silence::of("Tutom has no such call").into_told();
            }
        };
        let read = hear(reply, CATALOGUE_REPLY_BYTES_MAX)
            .and_then(|heard| Ok((Object::parse(heard.body)?, heard.intact)));
        let (object, intact) = match read {
            Ok(read) => read,
            Err(silence) => return silence.into_told(),
        };
        let scrub = self.scrub(None);
        let (code, mut answer) = OrderAnswer::read(&object).understood(&scrub);
        answer.provider_ref = None;
        let Some(code) = code else { return Told::Nothing(answer) };
        if let Some(halt) = codes::halt(code) {
            return settle_told(Told::Halted(halt), answer, intact);
        }
        let told = match (code, codes::refusal(code)) {
            (0, _) => match wire::products(&object, &scrub) {
                Some(data) => Told::Catalogue(Catalogue { data, airtime: Vec::new() }),
                None => {
                    answer.warning = Some("the answer holds no product list".to_owned());
                    Told::Nothing(answer.clone())
                }
            },
            (21_103, _) if of_a_number => Told::Busy(answer.clone()),
            (_, Some(reason)) if of_a_number => Told::Refused(Refusal {
                reason,
                message: format!("Tutom refuses the number or product ({code}): {}", answer.words),
            }),
            _ => Told::Nothing(answer.clone()),
        };
        settle_told(told, answer, intact)
    }

    fn request(&self, page: &str, fields: &[Field], reply_bytes_max: usize) -> HttpRequest {
        match self.method {
            Method::Get => get(&self.base_url, page, fields, reply_bytes_max),
            Method::Post => post_form(&self.base_url, page, fields, reply_bytes_max),
        }
    }

    /// "MD5(openId + appkey + orderid + mdn + productid)", in upper case as in the document's sample.
    fn sign(&self, id: &TransactionId, mdn: &str, productid: &str) -> String {
        md5_upper(&[self.open_id.expose(), self.app_key.expose(), id.as_str(), mdn, productid])
    }

    fn scrub(&self, sign: Option<&str>) -> Scrub {
        Scrub::new([self.open_id.expose(), self.app_key.expose()].into_iter().chain(sign))
    }
}

impl OrderAnswer {
    /// The code as a number, and what was said. No number: nothing that a table could list.
    fn understood(&self, scrub: &Scrub) -> (Option<i64>, Answer) {
        let mut answer = Answer {
            code: self.response_code.as_deref().map(|code| scrub.code(code)).filter(|code| !code.is_empty()),
            words: scrub.words(&self.response_text),
            provider_ref: self.id.as_deref().and_then(|id| scrub.reference(id)),
            ..Answer::default()
        };
        if self.response_code.as_deref().and_then(json::code) == Some(0)
            && self.state() == Some(State::Failed)
        {
            // Its text is about the question ("Success."), not about the order.
            "order state 6, failed".clone_into(&mut answer.words);
        }
        if answer.code.is_none() {
            answer.warning = Some("the answer has no response_code".to_owned());
        }
        (self.response_code.as_deref().and_then(json::code), answer)
    }

    fn state(&self) -> Option<State> {
        self.state.as_deref().and_then(State::parse)
    }
}

/// Reads the answer to OrderCreate or OrderQuery, and whether it surely came whole.
fn order_answer(reply: &Reply) -> Result<(OrderAnswer, bool), Silence> {
    let heard = hear(reply, ORDER_REPLY_BYTES_MAX)?;
    Ok((OrderAnswer::read(&Object::parse(heard.body)?), heard.intact))
}

/// `mdn`: eleven digits, no leading zero.
pub(super) fn mdn(phone: &PhoneNumber) -> Result<&str, Refusal> {
    let national = phone.national();
    if phone.country() == Country::CN && national.len() == 11 && national.starts_with('1') {
        return Ok(national);
    }
    Err(Refusal {
        reason: Reason::BadPhone,
        message: "Tutom refills Chinese mobile numbers only: 11 digits that begin with 1.".to_owned(),
    })
}

/// A productid the document would allow.
pub(super) fn judge_product_id(productid: &str) -> Result<(), Refusal> {
    let plain = productid.chars().all(|c| c.is_ascii_graphic());
    if plain && (1..=PRODUCT_ID_CHARS_MAX).contains(&productid.len()) {
        return Ok(());
    }
    Err(Refusal {
        reason: Reason::UnsupportedProduct,
        message:
            "Tutom sells data by productid (such as 23, at most 10 characters) or by size (such as 6GB)."
                .to_owned(),
    })
}

/// Reads a callback (`tutom-data-refill.txt`, "Callback format description") from its fields. The signature
/// covers neither state nor any secret but the appkey, so the hint wakes an OrderQuery and proves nothing.
///
/// # Errors
/// [`CallbackRefused`] when a field is missing or stands twice, the signature is wrong, or the id is not ours.
pub fn parse_callback(tutom: &Tutom, fields: &[(String, String)]) -> Result<CallbackHint, CallbackRefused> {
    let tutomid = callback::one(fields, "tutomid")?;
    let orderid = callback::one(fields, "orderid")?;
    let sign = callback::one(fields, "sign")?;
    if !callback::same_signature(&md5_upper(&[tutom.app_key.expose(), tutomid, orderid]), sign) {
        return Err(CallbackRefused::BadSignature);
    }
    let claims = match State::parse(callback::one(fields, "state")?) {
        Some(State::Complete) => CallbackClaim::Succeeded,
        Some(State::Failed) => CallbackClaim::Failed,
        Some(State::New | State::Processing) => CallbackClaim::Pending,
        None => CallbackClaim::Other,
    };
    Ok(CallbackHint {
        id: TransactionId::parse(orderid).map_err(|_| CallbackRefused::NotOurs)?,
        provider_ref: ProviderRef::parse(tutomid).ok(),
        claims,
        verified: true,
    })
}

fn md5_upper(parts: &[&str]) -> String {
    let mut hash = Md5::new();
    for part in parts {
        hash.update(part.as_bytes());
    }
    hex::encode_upper(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_agree_with_the_vectors() {
        let order = ["OPENID", "APPKEY", "test001", "18610865680", "8"];
        assert_eq!(md5_upper(&order), "C482660F51FCD18488C23A1BAFD9282E");
        assert_eq!(md5_upper(&["APPKEY", "1XNPXS", "test001"]), "54F66473EAB818389C6FFFBA533B2A51");
    }
}
