//! What is never sent, what is never asked, and what a codec says about itself.

use bulk_topup::domain::{
    AccountId, Country, Goods, Method, Order, PhoneNumber, ProviderKind, Reason, Reply, RowNumber, Told,
    TransactionId,
};
use bulk_topup::protocol::connect_topup::{Checksum, RecheckBy, SendGateway};
use bulk_topup::protocol::paynicorn::BenefitNo;
use bulk_topup::protocol::{Codec, Lookup, Question, Submit};
use rust_decimal::Decimal;

use crate::exchange::{SECRETS, connect_account, paynicorn_account, tutom_account};

fn tutom() -> Codec {
    Codec::Tutom(tutom_account(Method::Get))
}

fn connect(recheck_by: RecheckBy) -> Codec {
    Codec::ConnectTopup(connect_account(Checksum::Sha256, recheck_by))
}

fn paynicorn() -> Codec {
    Codec::Paynicorn(paynicorn_account(true, BenefitNo::Nsn))
}

fn id() -> TransactionId {
    TransactionId::parse("TEST0010000000000001").unwrap()
}

fn vietnamese() -> PhoneNumber {
    PhoneNumber::new(Country::VN, "84", "912345678").unwrap()
}

fn chinese() -> PhoneNumber {
    PhoneNumber::new(Country::CN, "86", "18610865680").unwrap()
}

fn nigerian() -> PhoneNumber {
    PhoneNumber::new(Country::NG, "234", "9073542823").unwrap()
}

fn submit(phone: PhoneNumber, amount: Option<&str>, product: Option<&str>, operator: Option<&str>) -> Submit {
    Submit {
        id: id(),
        phone,
        amount: amount.map(|amount| amount.parse().unwrap()),
        product_id: product.map(str::to_owned),
        operator: operator.map(str::to_owned),
    }
}

#[test]
fn a_submit_that_lacks_a_part_or_cannot_be_right_is_never_encoded() {
    let connect = connect(RecheckBy::IdTransaction);
    let amount = Reason::UnsupportedAmount;
    for (codec, submit, reason) in [
        (&connect, submit(vietnamese(), None, None, None), amount),
        (&connect, submit(vietnamese(), Some("15000"), None, None), amount),
        (&connect, submit(vietnamese(), Some("10000.5"), None, None), amount),
        (&connect, submit(vietnamese(), Some("-10000"), None, None), amount),
        (&connect, submit(chinese(), Some("10000"), None, None), Reason::BadPhone),
        (&tutom(), submit(chinese(), None, None, None), Reason::UnsupportedProduct),
        (&tutom(), submit(chinese(), None, Some(""), None), Reason::UnsupportedProduct),
        (&tutom(), submit(chinese(), None, Some("2 3"), None), Reason::UnsupportedProduct),
        (&tutom(), submit(vietnamese(), None, Some("23"), None), Reason::BadPhone),
        (&paynicorn(), submit(nigerian(), None, None, Some("NG_MTN")), amount),
        (&paynicorn(), submit(nigerian(), Some("0"), None, Some("NG_MTN")), amount),
        (&paynicorn(), submit(nigerian(), Some("50"), None, None), Reason::UnsupportedOperator),
        (&paynicorn(), submit(nigerian(), Some("50"), None, Some("")), Reason::UnsupportedOperator),
    ] {
        assert_eq!(codec.encode_submit(&submit).unwrap_err().reason, reason, "{} {submit:?}", codec.kind());
    }
}

#[test]
fn an_order_without_idtransaction_is_rechecked_by_our_id_only_if_so_configured() {
    let lookup =
        Lookup { id: id(), provider_ref: None, phone: vietnamese(), amount: Some(Decimal::from(10_000)) };
    assert!(connect(RecheckBy::IdTransaction).encode_lookup(&lookup).is_none());
    let asked = connect(RecheckBy::TransIdClient).encode_lookup(&lookup).unwrap();
    assert!(asked.url.expose().contains("transidclient=TEST0010000000000001"));
    assert!(!asked.url.expose().contains("idtransaction="));
}

#[test]
fn what_a_provider_has_no_call_for_is_neither_asked_nor_answered() {
    let reply = Reply { status: 200, intact: true, body: br#"{"response_code":"0","code":1200}"#.to_vec() };
    let asks = |codec: &Codec| -> Vec<bool> {
        let questions = [
            Question::Balance,
            Question::Catalogue(None),
            Question::ProductsOf(chinese()),
            Question::OperatorOf(nigerian()),
        ];
        let asked = questions.iter().map(|question| {
            let request = codec.encode_question(question);
            if request.is_none() {
                assert!(matches!(codec.decode_question(question, &reply), Told::Nothing(_)));
            }
            request.is_some()
        });
        asked.collect()
    };
    assert_eq!(asks(&tutom()), [false, true, true, false]);
    assert_eq!(asks(&connect(RecheckBy::IdTransaction)), [true, false, false, false]);
    assert_eq!(asks(&paynicorn()), [false, true, false, true]);
    assert!(tutom().encode_question(&Question::ProductsOf(vietnamese())).is_none());
}

#[test]
fn the_preflight_is_a_call_the_provider_has() {
    for codec in [tutom(), connect(RecheckBy::IdTransaction), paynicorn()] {
        assert!(codec.encode_question(&codec.preflight(Some(Country::NG))).is_some(), "{}", codec.kind());
        assert!(codec.encode_question(&codec.preflight(None)).is_some(), "{}", codec.kind());
    }
}

#[test]
fn rows_are_bound_to_username_or_app_key() {
    assert_eq!(tutom().account(), AccountId::new(ProviderKind::Tutom, SECRETS[0]));
    let connect = connect(RecheckBy::IdTransaction);
    assert_eq!(connect.account(), AccountId::new(ProviderKind::ConnectTopup, "demo"));
    assert_eq!(paynicorn().account(), AccountId::new(ProviderKind::Paynicorn, SECRETS[3]));
}

#[test]
fn a_gateway_is_named_by_the_row_or_if_so_configured_by_the_prefix() {
    let order = |kind, operator: Option<&str>, hint: Option<&str>| Order {
        row: RowNumber(1),
        provider: "p".to_owned(),
        account: AccountId::new(kind, "demo"),
        phone: vietnamese(),
        goods: Goods::Airtime,
        amount: Some(Decimal::from(10_000)),
        currency: None,
        operator: operator.map(str::to_owned),
        operator_hint: hint.map(str::to_owned),
        reference: None,
    };
    let kind = ProviderKind::ConnectTopup;
    let named = connect(RecheckBy::IdTransaction);
    let mut by_prefix = connect_account(Checksum::Sha256, RecheckBy::IdTransaction);
    by_prefix.send_gateway = SendGateway::Prefix;
    let by_prefix = Codec::ConnectTopup(by_prefix);
    let said = |codec: &Codec, order: Order| codec.submit_operator(&order);
    assert_eq!(said(&named, order(kind, None, Some("VNP"))), None);
    assert_eq!(said(&named, order(kind, Some("VTL"), Some("VNP"))).as_deref(), Some("VTL"));
    assert_eq!(said(&by_prefix, order(kind, None, Some("VNP"))).as_deref(), Some("VNP"));
    assert_eq!(said(&by_prefix, order(kind, Some("VTL"), Some("VNP"))).as_deref(), Some("VTL"));
    assert_eq!(said(&by_prefix, order(kind, None, None)), None);
    assert_eq!(said(&tutom(), order(ProviderKind::Tutom, Some("China Unicom"), Some("China Unicom"))), None);
    let paynicorn_order = order(ProviderKind::Paynicorn, Some("NG_MTN"), Some("NG_GLOMOBILE"));
    assert_eq!(said(&paynicorn(), paynicorn_order).as_deref(), Some("NG_MTN"));
    assert_eq!(said(&paynicorn(), order(ProviderKind::Paynicorn, None, Some("NG_GLOMOBILE"))), None);
}
