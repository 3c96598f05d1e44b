//! What holds for every reply and every order, not only for the golden ones.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulk_topup::domain::{
    Country, HttpRequest, LookupMeaning, Method, PhoneNumber, Reason, Reply, SubmitMeaning, Told,
    TransactionId,
};
use bulk_topup::protocol::connect_topup::{Checksum, RecheckBy};
use bulk_topup::protocol::paynicorn::BenefitNo;
use bulk_topup::protocol::{Codec, Submit, callback_fields, paynicorn, tutom};
use proptest::prelude::*;
use rust_decimal::Decimal;
use url::Url;

use crate::exchange::{Asked, Exchange, SECRETS, connect_account, paynicorn_account, tutom_account};
use crate::render;
use crate::{CONNECT_TOPUP, PAYNICORN, TUTOM};

/// Every operation of every provider.
const OPERATIONS: [(&str, &str); 14] = [
    ("tutom", "submit"),
    ("tutom", "lookup"),
    ("tutom", "lookup-known"),
    ("tutom", "list"),
    ("tutom", "listbyphone"),
    ("connect-topup", "submit"),
    ("connect-topup", "lookup"),
    ("connect-topup", "lookup-own"),
    ("connect-topup", "balance"),
    ("paynicorn", "submit"),
    ("paynicorn", "submit-plain"),
    ("paynicorn", "lookup"),
    ("paynicorn", "operator"),
    ("paynicorn", "goods"),
];

/// Bytes of every kind a reply may hold: noise, JSON pieces, codes and ids.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("{\"response_code\":\"0\",".to_owned()),
        Just("\"state\":\"10\"".to_owned()),
        Just("{\"code\":1200,\"result\":{".to_owned()),
        Just("\"statusCode\":\"1\",\"transId\":\"V3T17192957097390001\"".to_owned()),
        Just("{\"responseCode\":\"000000\",\"content\":\"".to_owned()),
        Just("}}".to_owned()),
        Just("[[[[".to_owned()),
        Just("\"\\ud800\"".to_owned()),
        Just("1e999".to_owned()),
        "-?[0-9]{1,4}(;[0-9]{0,6})?",
        ".{0,12}",
    ];
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat().into_bytes()),
    ]
}

/// A code that no document lists, in the answer's form of each provider.
fn unlisted(provider: &str, code: i64) -> Option<Vec<u8>> {
    let text = code.to_string();
    let (listed, body) = match provider {
        "tutom" => (TUTOM, format!(r#"{{"response_code":"{code}","state":"10","productlist":[]}}"#)),
        "connect-topup" => (CONNECT_TOPUP, text.clone()),
        _ => (
            PAYNICORN,
            format!(
                r#"{{"code":{code},"msg":"x","result":{{"transId":"V3T17192957097390001","statusCode":"1","operatorCode":"NG_MTN"}}}}"#
            ),
        ),
    };
    (!listed.contains(&text.as_str())).then(|| body.into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_reply_panics_and_every_word_is_one_short_line(
        body in bodies(), status in 0..1000_u16, good in any::<bool>(), intact in any::<bool>(),
    ) {
        let reply = Reply { status: if good { 200 } else { status }, intact, body };
        for (provider, operation) in OPERATIONS {
            let exchange = Exchange::of(provider, operation);
            exchange.decode(&reply);
            if !intact {
                exchange.assert_proves_success_at_most(&reply, operation);
            }
            let answer = match &exchange.asked {
                Asked::Submit(submit) => exchange.codec.decode_submit(submit, &reply).answer,
                Asked::Lookup(lookup) => exchange.codec.decode_lookup(lookup, &reply).answer,
                Asked::Question(_) | Asked::Callback => continue,
            };
            prop_assert!(answer.words.chars().count() <= 200);
            prop_assert!(!answer.words.chars().any(char::is_control), "{:?}", answer.words);
        }
    }

    #[test]
    fn an_unlisted_code_never_yields_a_final_state(code in prop_oneof![any::<i64>(), -400..400_i64, 3990..4060_i64, 10990..11020_i64, 21090..21150_i64]) {
        for (provider, operation) in OPERATIONS {
            let Some(body) = unlisted(provider, code) else { continue };
            let exchange = Exchange::of(provider, operation);
            let reply = Reply { status: 200, intact: true, body };
            match &exchange.asked {
                Asked::Submit(submit) => {
                    let SubmitMeaning::Unclear(unclear) = exchange.codec.decode_submit(submit, &reply).meaning else {
                        panic!("{provider} {code}")
                    };
                    prop_assert_eq!((unclear.reason, unclear.halt), (Reason::NoAnswer, None));
                }
                Asked::Lookup(lookup) => {
                    let meaning = exchange.codec.decode_lookup(lookup, &reply).meaning;
                    prop_assert_eq!(meaning, LookupMeaning::Unchanged { intact: true, halt: None });
                }
                Asked::Question(question) => {
                    let told = exchange.codec.decode_question(question, &reply);
                    let balance = operation == "balance" && code >= 0;
                    prop_assert!(matches!(told, Told::Nothing(_)) || balance, "{provider} {operation} {code}: {told:?}");
                }
                Asked::Callback => {}
            }
        }
    }

    #[test]
    fn no_meaning_holds_a_key(
        before in ".{0,8}", after in ".{0,8}", secret in 0..SECRETS.len(), upper in any::<bool>(), place in 0..4_usize,
    ) {
        let secret = if upper { SECRETS[secret].to_uppercase() } else { SECRETS[secret].to_owned() };
        let said = serde_json::Value::from(format!("{before}{secret}{after}")).to_string();
        let bodies = [
            format!(r#"{{"response_code":"21107","response_text":{said},"code":4025,"msg":{said}}}"#),
            format!(r#"{{"response_code":{said},"code":{said},"id":{said}}}"#),
            format!(r#"{{"responseCode":{said},"responseMessage":{said}}}"#),
            format!("{before}{secret}{after}"),
        ];
        let reply = Reply { status: 200, intact: true, body: bodies[place].clone().into_bytes() };
        for (provider, operation) in OPERATIONS {
            let own = match provider { "tutom" => &SECRETS[..2], "connect-topup" => &SECRETS[2..3], _ => &SECRETS[3..] };
            let exchange = Exchange::of(provider, operation);
            let shown = exchange.decode(&reply).to_lowercase();
            for secret in own.iter().filter(|_| operation != "submit-plain") {
                prop_assert!(!shown.contains(&secret.to_lowercase()), "{provider} {operation}: {shown}");
            }
        }
    }

    #[test]
    fn no_callback_panics_and_none_of_noise_is_verified(body in bodies(), query in ".{0,40}", kind in "[a-z/]{0,20}") {
        let account = tutom_account(Method::Get);
        if let Ok(fields) = callback_fields(Some(&kind), Some(&query), &body) {
            prop_assert!(tutom::parse_callback(&account, &fields).is_err());
        }
        prop_assert!(paynicorn::parse_callback(&paynicorn_account(true, BenefitNo::Nsn), &body).is_err());
    }

    #[test]
    fn what_is_sent_reads_back_as_what_was_meant(
        id in "[0-9A-Z]{20,32}", tail in "[0-9]{9}", product in "[!-~]{1,10}", steps in 1..100_000_i64, cents in 1..10_000_000_i64,
    ) {
        let submit = |phone: PhoneNumber, amount, product_id, operator: Option<&str>| Submit {
            id: TransactionId::parse(&id).unwrap(), phone, amount, product_id, operator: operator.map(str::to_owned),
        };
        let cn = submit(PhoneNumber::new(Country::CN, "86", &format!("13{tail}")).unwrap(), None, Some(product.clone()), None);
        for method in [Method::Get, Method::Post] {
            let fields = pairs(&Codec::Tutom(tutom_account(method)).encode_submit(&cn).unwrap());
            prop_assert_eq!(&fields["orderid"], &id);
            prop_assert_eq!(&fields["mdn"], &format!("13{tail}"));
            prop_assert_eq!(&fields["productid"], &product);
            prop_assert!(!fields.contains_key("openId"));
        }
        let amount = Decimal::from(steps * 10_000);
        let vn = submit(PhoneNumber::new(Country::VN, "84", &tail).unwrap(), Some(amount), None, Some("VTL"));
        let account = connect_account(Checksum::Sha256, RecheckBy::IdTransaction);
        let fields = pairs(&Codec::ConnectTopup(account).encode_submit(&vn).unwrap());
        prop_assert_eq!(&fields["transidclient"], &id);
        prop_assert_eq!(&fields["phone"], &format!("0{tail}"));
        prop_assert_eq!(fields["sotien"].parse::<Decimal>().unwrap(), amount);
        prop_assert!(fields["sotien"].bytes().all(|b| b.is_ascii_digit()));
        prop_assert_eq!(&fields["gateway"], "VTL");

        let amount = Decimal::new(cents, 2);
        let ng = submit(PhoneNumber::new(Country::NG, "234", &format!("9{tail}")).unwrap(), Some(amount), None, Some("NG_MTN"));
        let plain = Codec::Paynicorn(paynicorn_account(false, BenefitNo::Nsn)).encode_submit(&ng).unwrap();
        let signed = Codec::Paynicorn(paynicorn_account(true, BenefitNo::Nsn)).encode_submit(&ng).unwrap();
        let plain = plain.body.unwrap().1.expose().to_owned();
        let envelope: serde_json::Value = serde_json::from_str(signed.body.unwrap().1.expose()).unwrap();
        let inner = STANDARD.decode(envelope["content"].as_str().unwrap()).unwrap();
        prop_assert_eq!(&String::from_utf8(inner).unwrap(), &plain);
        let said: serde_json::Value = serde_json::from_str(&plain).unwrap();
        prop_assert_eq!(said["transId"].as_str().unwrap(), &id);
        prop_assert_eq!(said["benefitNo"].as_str().unwrap(), format!("9{tail}"));
        prop_assert_eq!(said["operatorCode"].as_str().unwrap(), "NG_MTN");
        let written = plain.split("\"amount\":").nth(1).unwrap().split(',').next().unwrap().to_owned();
        prop_assert_eq!(written.parse::<Decimal>().unwrap(), amount);
    }
}

/// The fields of a GET's query or of a form.
fn pairs(request: &HttpRequest) -> BTreeMap<String, String> {
    match &request.body {
        None => Url::parse(request.url.expose()).unwrap().query_pairs().into_owned().collect(),
        Some((_, form)) => url::form_urlencoded::parse(form.expose().as_bytes()).into_owned().collect(),
    }
}

#[test]
fn no_debug_of_a_request_or_account_shows_a_key() {
    for (provider, operation) in OPERATIONS {
        let exchange = Exchange::of(provider, operation);
        let shown = format!("{:?} {:?}", exchange.codec, exchange.encode().unwrap());
        for secret in SECRETS {
            assert!(!shown.contains(secret), "{provider} {operation}");
        }
        assert!(render::request(&exchange.encode().unwrap()).len() > 20);
    }
}
