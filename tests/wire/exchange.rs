//! The accounts and orders of the golden cases, and one exchange of each operation.

use bulk_topup::domain::{
    Country, HttpRequest, LookupMeaning, Method, PhoneNumber, ProviderRef, Reply, Secret, SubmitMeaning,
    Told, TransactionId,
};
use bulk_topup::protocol::connect_topup::{Checksum, ConnectTopup, RecheckBy, SendGateway};
use bulk_topup::protocol::paynicorn::{self, BenefitNo, Paynicorn};
use bulk_topup::protocol::tutom::{self, Tutom};
use bulk_topup::protocol::{Codec, Lookup, Question, Submit, callback_fields};
use rust_decimal::Decimal;
use url::Url;

use crate::{files, render};

/// Every secret of the test accounts.
pub const SECRETS: [&str; 5] = [
    "7bf7d2fd6d9c5012ae7c82ab7617",
    "open-id-of-the-test",
    "vn-key-of-the-test",
    "T90B124766qU95d385O4",
    "merchant-secret-of-the-test",
];

/// What is asked of the codec.
pub enum Asked {
    Submit(Submit),
    Lookup(Lookup),
    Question(Question),
    Callback,
}

/// A codec and what it is asked.
pub struct Exchange {
    pub codec: Codec,
    pub asked: Asked,
}

impl Exchange {
    /// The exchange that a case's folder names.
    pub fn of(provider: &str, operation: &str) -> Self {
        match provider {
            "tutom" => tutom_exchange(operation),
            "connect-topup" => connect_exchange(operation),
            "paynicorn" => paynicorn_exchange(operation),
            other => panic!("no provider {other}"),
        }
    }

    /// The request, or why there is none.
    pub fn encode(&self) -> Result<HttpRequest, String> {
        match &self.asked {
            Asked::Submit(submit) => self
                .codec
                .encode_submit(submit)
                .map_err(|refused| format!("{}: {}", refused.reason, refused.message)),
            Asked::Lookup(lookup) => {
                self.codec.encode_lookup(lookup).ok_or_else(|| "nothing to ask with".to_owned())
            }
            Asked::Question(question) => {
                self.codec.encode_question(question).ok_or_else(|| "no such call".to_owned())
            }
            Asked::Callback => Err("a callback is not sent".to_owned()),
        }
    }

    /// What a reply means.
    pub fn decode(&self, reply: &Reply) -> String {
        match &self.asked {
            Asked::Submit(submit) => render::submit(&self.codec.decode_submit(submit, reply)),
            Asked::Lookup(lookup) => render::lookup(&self.codec.decode_lookup(lookup, reply)),
            Asked::Question(question) => render::told(&self.codec.decode_question(question, reply)),
            Asked::Callback => panic!("a callback has no reply"),
        }
    }

    /// Fails if a reply that is not intact leads to anything but a success or the unknown, or stops submits by
    /// its body.
    pub fn assert_proves_success_at_most(&self, cut: &Reply, what: &str) {
        match &self.asked {
            Asked::Submit(submit) => {
                let meaning = self.codec.decode_submit(submit, cut).meaning;
                let by_status_alone = !(200..300).contains(&cut.status);
                let proves_nothing = matches!(&meaning, SubmitMeaning::Unclear(unclear)
                    if by_status_alone || unclear.halt.is_none());
                assert!(proves_nothing || meaning == SubmitMeaning::Succeeded, "{what}: {meaning:?}");
            }
            Asked::Lookup(lookup) => {
                let meaning = self.codec.decode_lookup(lookup, cut).meaning;
                let proves_nothing = meaning == LookupMeaning::Unchanged { intact: false, halt: None };
                assert!(proves_nothing || meaning == LookupMeaning::Succeeded, "{what}: {meaning:?}");
            }
            Asked::Question(question) => {
                let told = self.codec.decode_question(question, cut);
                assert!(matches!(told, Told::Nothing(_)), "{what}: {told:?}");
            }
            Asked::Callback => panic!("a callback has no reply"),
        }
    }

    /// What a request that reached us hints at.
    pub fn hear_callback(&self, request: &[u8]) -> String {
        let (head, body) = files::split(request);
        let query = head[0].split(' ').nth(1).unwrap().split_once('?').map(|(_, query)| query);
        let content_type = files::header(&head, "content-type");
        let heard = match &self.codec {
            Codec::Tutom(tutom) => callback_fields(content_type, query, body)
                .and_then(|fields| tutom::parse_callback(tutom, &fields)),
            Codec::Paynicorn(paynicorn) => paynicorn::parse_callback(paynicorn, body),
            Codec::ConnectTopup(_) => panic!("CONNECT TOPUP calls nobody back"),
        };
        render::callback(&heard)
    }
}

/// The Tutom account of the cases.
pub fn tutom_account(method: Method) -> Tutom {
    Tutom {
        base_url: Url::parse("https://www.mychinaunicom.com/gateway/flowapi/").unwrap(),
        app_key: Secret::new(SECRETS[0]),
        open_id: Secret::new(SECRETS[1]),
        method,
    }
}

fn tutom_exchange(operation: &str) -> Exchange {
    let (operation, variant) = operation.split_once('-').unwrap_or((operation, ""));
    let method = if variant == "post" { Method::Post } else { Method::Get };
    let id = TransactionId::parse("TEST0010000000000001").unwrap();
    let phone = PhoneNumber::new(Country::CN, "86", "18610865680").unwrap();
    let provider_ref = (variant == "known").then(|| ProviderRef::parse("1XNPXS").unwrap());
    let asked = match operation {
        "submit" => Asked::Submit(Submit {
            id,
            phone,
            amount: None,
            product_id: Some("23".to_owned()),
            operator: None,
        }),
        "lookup" => Asked::Lookup(Lookup { id, provider_ref, phone, amount: None }),
        "list" => Asked::Question(Question::Catalogue(None)),
        "listbyphone" => Asked::Question(Question::ProductsOf(phone)),
        "callback" => Asked::Callback,
        other => panic!("no operation {other}"),
    };
    Exchange { codec: Codec::Tutom(tutom_account(method)), asked }
}

/// The CONNECT TOPUP account of the cases.
pub fn connect_account(checksum: Checksum, recheck_by: RecheckBy) -> ConnectTopup {
    ConnectTopup {
        base_url: Url::parse("http://210.211.109.117/apipayment/").unwrap(),
        username: "demo".to_owned(),
        private_key: Secret::new(SECRETS[2]),
        checksum,
        recheck_by,
        send_gateway: SendGateway::Named,
    }
}

fn connect_exchange(operation: &str) -> Exchange {
    let (operation, variant) = operation.split_once('-').unwrap_or((operation, ""));
    let checksum = if variant == "sha1" { Checksum::Sha1 } else { Checksum::Sha256 };
    let recheck_by = if variant == "own" { RecheckBy::TransIdClient } else { RecheckBy::IdTransaction };
    let id = TransactionId::parse("TEST0010000000000001").unwrap();
    let phone = PhoneNumber::new(Country::VN, "84", "912345678").unwrap();
    let amount = Some(Decimal::from(10_000));
    let operator = (variant == "gateway").then(|| "VNP".to_owned());
    let asked = match operation {
        "submit" => Asked::Submit(Submit { id, phone, amount, product_id: None, operator }),
        "lookup" => {
            let provider_ref = ["", "sha1"].contains(&variant).then(|| ProviderRef::parse("778899").unwrap());
            Asked::Lookup(Lookup { id, provider_ref, phone, amount })
        }
        "balance" => Asked::Question(Question::Balance),
        other => panic!("no operation {other}"),
    };
    Exchange { codec: Codec::ConnectTopup(connect_account(checksum, recheck_by)), asked }
}

/// The Paynicorn account of the cases.
pub fn paynicorn_account(signed: bool, benefit_no: BenefitNo) -> Paynicorn {
    Paynicorn {
        base_url: Url::parse("https://api.paynicorn.com/trade/topup/api/").unwrap(),
        app_key: Secret::new(SECRETS[3]),
        merchant_secret: signed.then(|| Secret::new(SECRETS[4])),
        benefit_no,
    }
}

fn paynicorn_exchange(operation: &str) -> Exchange {
    let (operation, variant) = operation.split_once('-').unwrap_or((operation, ""));
    let benefit_no = if variant == "national" { BenefitNo::National } else { BenefitNo::Nsn };
    let id = TransactionId::parse("V3T17192957097390001").unwrap();
    let phone = PhoneNumber::new(Country::NG, "234", "9073542823").unwrap();
    let amount = Some(Decimal::from(1000));
    let operator = Some("NG_AIRTEL".to_owned());
    let provider_ref = (variant == "known").then(|| ProviderRef::parse("12418046125113395").unwrap());
    let asked = match operation {
        "submit" => Asked::Submit(Submit { id, phone, amount, product_id: None, operator }),
        "lookup" => Asked::Lookup(Lookup { id, provider_ref, phone, amount }),
        "operator" => Asked::Question(Question::OperatorOf(phone)),
        "goods" if variant == "everywhere" => Asked::Question(Question::Catalogue(None)),
        "goods" => Asked::Question(Question::Catalogue(Some(Country::NG))),
        "callback" => Asked::Callback,
        other => panic!("no operation {other}"),
    };
    Exchange { codec: Codec::Paynicorn(paynicorn_account(variant != "plain", benefit_no)), asked }
}
