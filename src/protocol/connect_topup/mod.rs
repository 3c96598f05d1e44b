//! CONNECT TOPUP: airtime in Vietnam (`connect-topup.txt`). Endpoints, checksum, and the way from a reply to a
//! meaning.

mod codes;
mod wire;

use rust_decimal::Decimal;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use url::Url;

use crate::domain::{
    Answer, Country, HttpRequest, LookupVerdict, Order, PhoneNumber, ProviderRef, Reason, Refusal, Reply,
    Secret, SubmitMeaning, SubmitVerdict, Told,
};

use super::answer::{Scrub, Silence, hear, settle_lookup, settle_submit, settle_told, unchanged, unclear};
use super::request::{Field, ORDER_REPLY_BYTES_MAX, get};
use super::{Lookup, Question, Submit};
use codes::Tail;
use wire::CodeAndId;

/// "the amount is a multiple of 10,000".
const AMOUNT_STEP: i64 = 10_000;
/// More digits than any balance has.
const BALANCE_DIGITS_MAX: usize = 18;
/// The gateways the document lists.
pub(super) const GATEWAYS: [&str; 5] = ["VMS", "VTL", "VNP", "VNB", "GTEL"];

/// One account at CONNECT TOPUP.
#[derive(Clone, Debug)]
pub struct ConnectTopup {
    /// Ends in `/`; the pages' names follow (`topup.jsp`).
    pub base_url: Url,
    /// `username`.
    pub username: String,
    /// `privatekey`: in every request and in the checksum.
    pub private_key: Secret,
    /// Digest of the checksum.
    pub checksum: Checksum,
    /// What `recheck.jsp` is asked by.
    pub recheck_by: RecheckBy,
    /// When a submit names a gateway.
    pub send_gateway: SendGateway,
}

/// Digest of the checksum: the document says SHA-256, the one known client uses SHA-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// As the document says.
    Sha256,
    /// As the known client does.
    Sha1,
}

/// What `recheck.jsp` is asked by (`providers.md` A2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecheckBy {
    /// Only the provider's `idtransaction`.
    IdTransaction,
    /// Also our own `transidclient` where no idtransaction came (unproven).
    TransIdClient,
}

/// When a submit names a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendGateway {
    /// Only when the row names its operator.
    Named,
    /// Else by the number's prefix.
    Prefix,
}

impl ConnectTopup {
    pub(super) fn encode_submit(&self, submit: &Submit) -> Result<HttpRequest, Refusal> {
        let phone = star_zero(&submit.phone)?;
        let sotien = sotien(submit.amount)?;
        let checksum = self.topup_checksum(&phone, &sotien);
        let fields = wire::topup(wire::Topup {
            username: &self.username,
            privatekey: &self.private_key,
            phone,
            sotien,
            checksum,
            transidclient: submit.id.as_str(),
            gateway: submit.operator.as_deref(),
        });
        Ok(self.request("topup.jsp", &fields))
    }

    pub(super) fn decode_submit(&self, submit: &Submit, reply: &Reply) -> SubmitVerdict {
        let sent = star_zero(&submit.phone).and_then(|phone| Ok((phone, sotien(submit.amount)?)));
        let checksum = sent.map(|(phone, sotien)| self.topup_checksum(&phone, &sotien)).unwrap_or_default();
        let scrub = self.scrub(&checksum);
        let (text, intact) = match read(reply) {
            Ok(read) => read,
            Err(silence) => return silence.into_submit(),
        };
        let Some(said) = CodeAndId::read(text) else {
            let answer = Answer { words: scrub.words(text), ..Answer::default() };
            return settle_submit(unclear(Reason::NoAnswer), answer, intact);
        };
        let mut answer = said.answer(&scrub, intact);
        answer.words = codes::wording(said.code, said.tail()).to_owned();
        let meaning = codes::submit(said.code, said.tail(), submit.operator.as_deref());
        if meaning == SubmitMeaning::Succeeded && answer.provider_ref.is_none() {
            answer.warning = Some("the success came without a usable idtransaction".to_owned());
        }
        settle_submit(meaning, answer, intact)
    }

    pub(super) fn encode_lookup(&self, lookup: &Lookup) -> Option<HttpRequest> {
        let fields = match (&lookup.provider_ref, self.recheck_by) {
            (Some(idtransaction), _) => wire::recheck(idtransaction.as_str()),
            (None, RecheckBy::TransIdClient) => {
                wire::recheck_by_own_id(&self.username, &self.private_key, lookup.id.as_str())
            }
            (None, RecheckBy::IdTransaction) => return None,
        };
        Some(self.request("recheck.jsp", &fields))
    }

    pub(super) fn decode_lookup(&self, lookup: &Lookup, reply: &Reply) -> LookupVerdict {
        let scrub = self.scrub("");
        let (text, intact) = match read(reply) {
            Ok(read) => read,
            Err(silence) => return silence.into_lookup(),
        };
        let Some(said) = CodeAndId::read(text) else {
            return Silence::of(scrub.words(text)).into_lookup();
        };
        let mut answer = said.answer(&scrub, intact);
        let asked = lookup.provider_ref.as_ref().map(ProviderRef::as_str);
        let named = said.idtransaction.filter(|id| !id.is_empty());
        if asked.zip(named).is_some_and(|(asked, named)| asked != named) {
            answer.provider_ref = None;
            answer.warning = Some("the answer names another order than the one asked for".to_owned());
            return settle_lookup(unchanged(), answer, intact);
        }
        answer.warning = codes::recheck_trouble(said.code).map(str::to_owned);
        settle_lookup(codes::recheck(said.code, asked.is_some()), answer, intact)
    }

    pub(super) fn encode_question(&self, question: &Question) -> Option<HttpRequest> {
        match question {
            Question::Balance => {
                let checksum = self.balance_checksum();
                let fields = wire::userbalance(&self.username, &self.private_key, checksum);
                Some(self.request("userbalance.jsp", &fields))
            }
            Question::Catalogue(_) | Question::ProductsOf(_) | Question::OperatorOf(_) => None,
        }
    }

    pub(super) fn decode_question(&self, question: &Question, reply: &Reply) -> Told {
        match question {
            Question::Balance => {}
            Question::Catalogue(_) | Question::ProductsOf(_) | Question::OperatorOf(_) => {
                return Silence::of("CONNECT TOPUP has no such call").into_told();
            }
        }
        let (text, intact) = match read(reply) {
            Ok(read) => read,
            Err(silence) => return silence.into_told(),
        };
        let scrub = self.scrub(&self.balance_checksum());
        let code = super::json::code(text);
        let answer = Answer {
            code: code.filter(|code| *code < 0).map(|code| code.to_string()),
            words: scrub.words(text),
            ..Answer::default()
        };
        let digits = text.len() <= BALANCE_DIGITS_MAX && text.bytes().all(|b| b.is_ascii_digit());
        let told = match (code.and_then(codes::balance), text.parse::<Decimal>()) {
            (Some(halt), _) => Told::Halted(halt),
            (None, Ok(balance)) if digits => Told::Balance(balance),
            _ => Told::Nothing(answer.clone()),
        };
        settle_told(told, answer, intact)
    }

    /// The named gateway, else, if the settings say so, the one the prefix hints at.
    pub(super) fn gateway(&self, order: &Order) -> Option<String> {
        match self.send_gateway {
            SendGateway::Named => order.operator.clone(),
            SendGateway::Prefix => order.operator.clone().or_else(|| order.operator_hint.clone()),
        }
    }

    fn request(&self, page: &str, fields: &[Field]) -> HttpRequest {
        get(&self.base_url, page, fields, ORDER_REPLY_BYTES_MAX)
    }

    /// "sha256(username+phone+sotien+privatekey)".
    fn topup_checksum(&self, phone: &str, sotien: &str) -> String {
        self.digest(&[&self.username, phone, sotien, self.private_key.expose()])
    }

    /// "sha256(username::: privatekey)"; the known client writes no space.
    fn balance_checksum(&self) -> String {
        self.digest(&[&self.username, ":::", self.private_key.expose()])
    }

    fn digest(&self, parts: &[&str]) -> String {
        let text = Secret::new(parts.concat());
        match self.checksum {
            Checksum::Sha256 => hex::encode(Sha256::digest(text.expose())),
            Checksum::Sha1 => hex::encode(Sha1::digest(text.expose())),
        }
    }

    fn scrub(&self, checksum: &str) -> Scrub {
        Scrub::new([self.private_key.expose(), checksum])
    }
}

impl CodeAndId<'_> {
    fn tail(&self) -> Tail {
        match self.idtransaction {
            None => Tail::Bare,
            Some("") => Tail::Empty,
            Some(_) => Tail::Id,
        }
    }

    /// What was said. A cut answer may hold only the beginning of an id, which is then somebody else's.
    fn answer(&self, scrub: &Scrub, intact: bool) -> Answer {
        let id = self.idtransaction.filter(|_| intact);
        Answer {
            code: Some(self.code.to_string()),
            provider_ref: id.and_then(|id| scrub.reference(id)),
            ..Answer::default()
        }
    }
}

/// Reads an answer's text, and whether it surely came whole.
fn read(reply: &Reply) -> Result<(&str, bool), Silence> {
    let heard = hear(reply, ORDER_REPLY_BYTES_MAX)?;
    Ok((wire::text(heard.body)?, heard.intact))
}

/// "Phone number topup (star = 0)".
pub(super) fn star_zero(phone: &PhoneNumber) -> Result<String, Refusal> {
    judge_phone(phone).map(|()| format!("0{}", phone.national()))
}

/// Whether [`star_zero`] can write the number.
pub(super) fn judge_phone(phone: &PhoneNumber) -> Result<(), Refusal> {
    if phone.country() == Country::VN && phone.national().len() == 9 {
        return Ok(());
    }
    Err(Refusal {
        reason: Reason::BadPhone,
        message: "CONNECT TOPUP tops up Vietnamese mobile numbers only: 0 and 9 digits.".to_owned(),
    })
}

/// "sotien: the amount is a multiple of 10,000 (not dot (.) not comma(,))".
pub(super) fn sotien(amount: Option<Decimal>) -> Result<String, Refusal> {
    judge_amount(amount).map(|amount| amount.normalize().to_string())
}

/// The amount, if [`sotien`] can write it.
pub(super) fn judge_amount(amount: Option<Decimal>) -> Result<Decimal, Refusal> {
    let refusal = |message: String| Refusal { reason: Reason::UnsupportedAmount, message };
    let Some(amount) = amount else {
        return Err(refusal("CONNECT TOPUP needs an amount: a multiple of 10000 VND.".to_owned()));
    };
    let step = Decimal::from(AMOUNT_STEP);
    let fits = amount.checked_rem(step).is_some_and(|rest| rest.is_zero());
    if amount > Decimal::ZERO && fits {
        return Ok(amount);
    }
    let below = amount.checked_div(step).map(|steps| steps.floor()).and_then(|steps| steps.checked_mul(step));
    let nearest = below.filter(|below| *below > Decimal::ZERO).map_or_else(
        || format!("the smallest is {step}"),
        |below| match below.checked_add(step) {
            Some(above) => format!("the nearest are {} and {}", below.normalize(), above.normalize()),
            None => format!("the nearest is {}", below.normalize()),
        },
    );
    Err(refusal(format!(
        "CONNECT TOPUP sells multiples of 10000 VND only, not {}: {nearest}.",
        amount.normalize()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(checksum: Checksum) -> ConnectTopup {
        ConnectTopup {
            base_url: Url::parse("http://127.0.0.1/apipayment/").unwrap(),
            username: "demo".to_owned(),
            private_key: Secret::new("KEY"),
            checksum,
            recheck_by: RecheckBy::IdTransaction,
            send_gateway: SendGateway::Named,
        }
    }

    #[test]
    fn checksums_agree_with_the_vectors() {
        let sha256 = account(Checksum::Sha256);
        assert_eq!(
            sha256.topup_checksum("0912345678", "10000"),
            "1f0eb47a29da2e14c97a3b271f8468e40e054eb1f20699af2516ae8bed25f1ce"
        );
        assert_eq!(
            sha256.balance_checksum(),
            "2944b8c11231c8bb18c764f6f06615c9f868ff7edcd1edc9b6ff901531c49d30"
        );
        let sha1 = account(Checksum::Sha1).topup_checksum("0912345678", "10000");
        assert_eq!(sha1, "a885306b24f18ae137b076f8ebfd136146e6a74d");
    }

    #[test]
    fn only_multiples_of_10000_are_sent() {
        let sent = |text: &str| sotien(Some(text.parse().unwrap()));
        assert_eq!(sent("20000.00").unwrap(), "20000");
        assert_eq!(sent("100000").unwrap(), "100000");
        for wrong in ["0", "-10000", "5000", "10000.5", "25000", "0.1"] {
            assert_eq!(sent(wrong).unwrap_err().reason, Reason::UnsupportedAmount, "{wrong}");
        }
        assert!(sent("25000").unwrap_err().message.contains("20000 and 30000"));
        assert!(sent("5000").unwrap_err().message.contains("smallest is 10000"));
        assert!(sotien(None).is_err());
    }
}
