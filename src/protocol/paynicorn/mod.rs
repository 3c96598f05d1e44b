//! Paynicorn: airtime in Nigeria and elsewhere (`paynicorn-airtime.txt`). Endpoints, envelope, and the way from a
//! reply to a meaning.

mod codes;
mod wire;

use rust_decimal::Decimal;
use url::Url;

use crate::domain::{
    Answer, Catalogue, HttpRequest, LookupMeaning, LookupVerdict, PhoneNumber, ProviderRef, Reason, Refusal,
    Reply, Secret, SubmitVerdict, Told, TransactionId,
};

use super::answer::{
    Scrub, Silence, hear, refused_yet_named, settle_lookup, settle_submit, settle_told, unchanged, unclear,
};
use super::callback::{CallbackClaim, CallbackHint, CallbackRefused};
use super::json::{self, Object};
use super::request::{CATALOGUE_REPLY_BYTES_MAX, ORDER_REPLY_BYTES_MAX, post_json};
use super::{Lookup, Question, Submit};
use codes::Status;
use wire::{Business, OrderResult, Said};

/// Body of the answer, with HTTP 200, that acknowledges a callback.
pub const CALLBACK_ACKNOWLEDGEMENT: &str = "success";

/// One account at Paynicorn.
#[derive(Clone, Debug)]
pub struct Paynicorn {
    /// Ends in `/`; the operations' names follow (`topup`, `query`).
    pub base_url: Url,
    /// `appKey`.
    pub app_key: Secret,
    /// Present: bodies travel in the signed envelope. Absent: the plain bodies of the document.
    pub merchant_secret: Option<Secret>,
    /// How `benefitNo` is written.
    pub benefit_no: BenefitNo,
}

/// How `benefitNo` is written; the document's samples disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BenefitNo {
    /// National significant number, no leading zero.
    Nsn,
    /// With the leading zero.
    National,
}

impl Paynicorn {
    pub(super) fn encode_submit(&self, submit: &Submit) -> Result<HttpRequest, Refusal> {
        let inner = self.topup(submit)?;
        Ok(self.request("topup", inner, ORDER_REPLY_BYTES_MAX))
    }

    fn topup(&self, submit: &Submit) -> Result<String, Refusal> {
        let Some(operator_code) = submit.operator.as_deref().filter(|operator| !operator.is_empty()) else {
            return Err(Refusal {
                reason: Reason::UnsupportedOperator,
                message: "Paynicorn needs the number's operator (such as NG_MTN).".to_owned(),
            });
        };
        let Some(amount) = submit.amount.filter(|amount| *amount > Decimal::ZERO) else {
            return Err(Refusal {
                reason: Reason::UnsupportedAmount,
                message: "Paynicorn needs an amount above zero.".to_owned(),
            });
        };
        let benefit_no = match self.benefit_no {
            BenefitNo::Nsn => submit.phone.national().to_owned(),
            BenefitNo::National => with_zero(&submit.phone),
        };
        Ok(wire::topup(&wire::Topup {
            trans_id: submit.id.as_str(),
            app_key: &self.app_key,
            country_code: submit.phone.country(),
            operator_code,
            benefit_no: &benefit_no,
            amount,
        }))
    }

    pub(super) fn decode_submit(&self, submit: &Submit, reply: &Reply) -> SubmitVerdict {
        let scrub = self.scrub(|| self.topup(submit).unwrap_or_default());
        let mut room = Vec::new();
        let (said, intact) = match self.read(reply, ORDER_REPLY_BYTES_MAX, &mut room) {
            Ok(read) => read,
            Err(silence) => return silence.into_submit(),
        };
        let business = match said {
            Said::Envelope { code, message } => {
                let answer = envelope_answer(&scrub, &code, &message);
                return settle_submit(codes::submit_envelope(&code), answer, intact);
            }
            Said::Business(business) => business,
        };
        let order = business.order();
        let mut answer = business.answer(&scrub, order.as_ref());
        let meaning = match (business.number(), &order) {
            (Some(codes::DONE), Some(order)) => match order.trouble(&submit.id, &submit.phone, submit.amount)
            {
                None => codes::submit_status(order.status()),
                Some(Trouble::OtherOrder) => {
                    answer.provider_ref = None;
                    answer.warning = Some("the answer names another order than the one submitted".to_owned());
                    unclear(Reason::NoAnswer)
                }
                Some(Trouble::OtherValues(what)) => {
                    answer.warning = Some(what);
                    unclear(Reason::Conflict)
                }
            },
            (Some(codes::DONE), None) | (None, _) => unclear(Reason::NoAnswer),
            (Some(code), order) => {
                let meaning = codes::submit(code, &business.msg, submit.operator.as_deref());
                let named = order
                    .as_ref()
                    .is_some_and(|order| order.order_id.is_some() || order.status_code.is_some());
                if named { refused_yet_named(meaning) } else { meaning }
            }
        };
        settle_submit(meaning, answer, intact)
    }

    pub(super) fn encode_lookup(&self, lookup: &Lookup) -> HttpRequest {
        self.request("query", wire::query(&self.app_key, lookup.id.as_str()), ORDER_REPLY_BYTES_MAX)
    }

    pub(super) fn decode_lookup(&self, lookup: &Lookup, reply: &Reply) -> LookupVerdict {
        let scrub = self.scrub(|| wire::query(&self.app_key, lookup.id.as_str()));
        let mut room = Vec::new();
        let (said, intact) = match self.read(reply, ORDER_REPLY_BYTES_MAX, &mut room) {
            Ok(read) => read,
            Err(silence) => return silence.into_lookup(),
        };
        let business = match said {
            Said::Envelope { code, message } => {
                let answer = envelope_answer(&scrub, &code, &message);
                let meaning = LookupMeaning::Unchanged { intact: true, halt: codes::envelope_halt(&code) };
                return settle_lookup(meaning, answer, intact);
            }
            Said::Business(business) => business,
        };
        let order = business.order();
        let mut answer = business.answer(&scrub, order.as_ref());
        let meaning = match (business.number(), &order) {
            (Some(codes::DONE), Some(order)) => {
                let known = lookup.provider_ref.as_ref().map(ProviderRef::as_str);
                let other_ref =
                    known.zip(order.order_id.as_deref()).is_some_and(|(known, said)| known != said);
                match order.trouble(&lookup.id, &lookup.phone, lookup.amount) {
                    None if !other_ref => codes::lookup_status(order.status()),
                    None | Some(Trouble::OtherOrder) => {
                        answer.provider_ref = None;
                        answer.warning =
                            Some("the answer names another order than the one asked for".to_owned());
                        unchanged()
                    }
                    Some(Trouble::OtherValues(what)) => LookupMeaning::Conflict(what),
                }
            }
            (Some(codes::DONE), None) | (None, _) => unchanged(),
            (Some(code), _) => codes::lookup(code, &business.msg),
        };
        settle_lookup(meaning, answer, intact)
    }

    pub(super) fn encode_question(&self, question: &Question) -> Option<HttpRequest> {
        let (page, inner, cap) = self.asked(question)?;
        Some(self.request(page, inner, cap))
    }

    /// Page, business parameters and cap of the reply of a question; `None`: there is no such call.
    fn asked(&self, question: &Question) -> Option<(&'static str, String, usize)> {
        match question {
            Question::Catalogue(country) => {
                let inner = wire::query_goods(&self.app_key, *country);
                Some(("queryGoods", inner, CATALOGUE_REPLY_BYTES_MAX))
            }
            Question::OperatorOf(phone) => {
                let inner = wire::query_operator_code(phone.country(), &with_zero(phone));
                Some(("queryOperatorCode", inner, ORDER_REPLY_BYTES_MAX))
            }
            Question::Balance | Question::ProductsOf(_) => None,
        }
    }

    pub(super) fn decode_question(&self, question: &Question, reply: &Reply) -> Told {
        let Some((_, inner, cap)) = self.asked(question) else {
            return Silence::of("Paynicorn has no such call").into_told();
        };
        let scrub = self.scrub(|| inner);
        let mut room = Vec::new();
        let (said, intact) = match self.read(reply, cap, &mut room) {
            Ok(read) => read,
            Err(silence) => return silence.into_told(),
        };
        let business = match said {
            Said::Envelope { code, message } => {
                let answer = envelope_answer(&scrub, &code, &message);
                let halt = codes::envelope_halt(&code).map(Told::Halted);
                return settle_told(halt.unwrap_or_else(|| Told::Nothing(answer.clone())), answer, intact);
            }
            Said::Business(business) => business,
        };
        let answer = business.answer(&scrub, None);
        let told = match business.number() {
            Some(codes::DONE) => business.told(question, &scrub),
            Some(code) => codes::halt(code, &business.msg).map(Told::Halted),
            None => None,
        };
        settle_told(told.unwrap_or_else(|| Told::Nothing(answer.clone())), answer, intact)
    }

    fn read<'a>(
        &self,
        reply: &'a Reply,
        reply_bytes_max: usize,
        room: &'a mut Vec<u8>,
    ) -> Result<(Said<'a>, bool), Silence> {
        let heard = hear(reply, reply_bytes_max)?;
        Ok((Said::read(heard.body, self.merchant_secret.as_ref(), room)?, heard.intact))
    }

    /// Business parameters as the account sends them: in the envelope if there is a secret to sign with.
    fn request(&self, page: &str, inner: String, reply_bytes_max: usize) -> HttpRequest {
        let body = match &self.merchant_secret {
            Some(secret) => wire::envelope(&inner, &self.app_key, secret),
            None => inner,
        };
        post_json(&self.base_url, page, body, reply_bytes_max)
    }

    /// For the keys, and for the envelope of these business parameters, which holds the app key.
    fn scrub(&self, inner: impl FnOnce() -> String) -> Scrub {
        let app_key = self.app_key.expose();
        let Some(secret) = &self.merchant_secret else { return Scrub::new([app_key]) };
        let content = wire::content(&inner());
        Scrub::new([app_key, secret.expose(), &wire::sign(&content, secret), &content])
    }
}

/// Why an order in an answer is not the one that was meant.
enum Trouble {
    OtherOrder,
    OtherValues(String),
}

impl OrderResult {
    fn status(&self) -> Option<Status> {
        self.status_code.as_deref().and_then(Status::parse)
    }

    /// An answer must name our id; number and amount may be missing, but not differ.
    fn trouble(&self, id: &TransactionId, phone: &PhoneNumber, amount: Option<Decimal>) -> Option<Trouble> {
        if self.trans_id.as_deref() != Some(id.as_str()) {
            return Some(Trouble::OtherOrder);
        }
        if self.benefit_no.as_deref().is_some_and(|theirs| !same_number(theirs, phone)) {
            return Some(Trouble::OtherValues(
                "Paynicorn has this order with another phone number".to_owned(),
            ));
        }
        let (theirs, ours) = (self.amount.as_deref()?, amount?);
        if theirs.parse::<Decimal>().is_ok_and(|theirs| theirs == ours) {
            return None;
        }
        let shown = theirs
            .parse::<Decimal>()
            .map_or_else(|_| "another amount".to_owned(), |d| d.normalize().to_string());
        Some(Trouble::OtherValues(format!(
            "Paynicorn has this order with the amount {shown} instead of {}",
            ours.normalize()
        )))
    }
}

impl Business<'_> {
    /// The code as a number. None: nothing that a table could list.
    fn number(&self) -> Option<i64> {
        self.code.as_deref().and_then(json::code)
    }

    fn answer(&self, scrub: &Scrub, order: Option<&OrderResult>) -> Answer {
        let described = order.map(|order| order.description.as_str()).filter(|text| !text.is_empty());
        let mut answer = Answer {
            code: self.code.as_deref().map(|code| scrub.code(code)).filter(|code| !code.is_empty()),
            words: scrub.words(described.unwrap_or(&self.msg)),
            provider_ref: order.and_then(|order| scrub.reference(order.order_id.as_deref()?)),
            ..Answer::default()
        };
        if answer.code.is_none() {
            answer.warning = Some("the answer has no code".to_owned());
        }
        answer
    }

    /// What a 1200 answer to a question told.
    fn told(&self, question: &Question, scrub: &Scrub) -> Option<Told> {
        match question {
            Question::Catalogue(_) => {
                let airtime = self.goods(scrub)?;
                Some(Told::Catalogue(Catalogue { data: Vec::new(), airtime }))
            }
            Question::OperatorOf(phone) => {
                let said = self.operator()?;
                let ours = phone.country();
                if said.country_code.is_some_and(|theirs| !theirs.eq_ignore_ascii_case(ours.code())) {
                    return None;
                }
                Some(Told::Operator { code: scrub.words(&said.operator_code), currency: said.currency })
            }
            Question::Balance | Question::ProductsOf(_) => None,
        }
    }
}

fn envelope_answer(scrub: &Scrub, code: &str, message: &str) -> Answer {
    let code = Some(scrub.code(code)).filter(|code| !code.is_empty());
    Answer { code, words: scrub.words(message), ..Answer::default() }
}

/// The national number with its leading zero.
fn with_zero(phone: &PhoneNumber) -> String {
    format!("0{}", phone.national())
}

/// Whether a `benefitNo` is this number: with or without leading zero or calling code, as the samples differ.
fn same_number(theirs: &str, phone: &PhoneNumber) -> bool {
    let digits: String = theirs.chars().filter(|c| !matches!(c, '+' | ' ' | '-')).collect();
    let calling_code = phone.digits().strip_suffix(phone.national()).unwrap_or_default();
    let bare = digits.trim_start_matches('0');
    let national = bare.strip_prefix(calling_code).unwrap_or_default().trim_start_matches('0');
    [bare, national].contains(&phone.national().trim_start_matches('0'))
}

/// Reads a callback (`paynicorn-airtime.txt`, "recharge_callback"): `{content, sign}`. The decoded object that
/// the document shows is refused as a body, unless no merchant secret is configured; a field `verified` is never
/// read.
///
/// # Errors
/// [`CallbackRefused`] when it cannot be read, is not rightly signed, or names no id of ours.
pub fn parse_callback(paynicorn: &Paynicorn, body: &[u8]) -> Result<CallbackHint, CallbackRefused> {
    let outer = Object::parse(body).map_err(|_| CallbackRefused::Unreadable)?;
    let mut room = Vec::new();
    let (inner, verified) = match (outer.text("content"), &paynicorn.merchant_secret) {
        (Some(content), Some(secret)) => {
            let sign = outer.word("sign").ok_or(CallbackRefused::Missing("sign"))?;
            if !super::callback::same_signature(&wire::sign(&content, secret), &sign) {
                return Err(CallbackRefused::BadSignature);
            }
            (wire::content_of(&content, &mut room).ok_or(CallbackRefused::Unreadable)?, true)
        }
        (Some(content), None) => {
            (wire::content_of(&content, &mut room).ok_or(CallbackRefused::Unreadable)?, false)
        }
        (None, Some(_)) => return Err(CallbackRefused::Unsigned),
        (None, None) => (outer, false),
    };
    let id = inner.word("originOrderNo").ok_or(CallbackRefused::Missing("originOrderNo"))?;
    let status = inner.text("status").ok_or(CallbackRefused::Missing("status"))?;
    let claims = match Status::parse(&status) {
        Some(Status::Succeeded) => CallbackClaim::Succeeded,
        Some(Status::Failed) => CallbackClaim::Failed,
        Some(Status::Processing) => CallbackClaim::Pending,
        None => CallbackClaim::Other,
    };
    Ok(CallbackHint {
        id: TransactionId::parse(&id).map_err(|_| CallbackRefused::NotOurs)?,
        provider_ref: inner.word("orderNo").and_then(|order| ProviderRef::parse(&order).ok()),
        claims,
        verified,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Country;

    #[test]
    fn a_number_is_the_same_with_zero_or_calling_code() {
        let phone = PhoneNumber::new(Country::NG, "234", "9073542823").unwrap();
        for same in [
            "9073542823",
            "09073542823",
            "2349073542823",
            "+234 907 354 2823",
            "002349073542823",
            "23409073542823",
        ] {
            assert!(same_number(same, &phone), "{same}");
        }
        for other in ["", "0", "9073542824", "073542823", "19073542823", "234", "907****823"] {
            assert!(!same_number(other, &phone), "{other}");
        }
    }
}
