//! The rules by example, from the documents' own products and words.

use super::*;
use crate::domain::{AccountId, Money, PhoneNumber, RowNumber};

#[test]
fn operators_are_known_by_the_words_people_write() {
    let code = |kind, country, named| operator_code(kind, country, named);
    let (vn, cn, ng) = (Country::VN, Country::CN, Country::NG);
    let gh = Country::parse("GH").unwrap();
    for (kind, country, named, expected) in [
        (ProviderKind::ConnectTopup, vn, "MobiFone", Some("VMS")),
        (ProviderKind::ConnectTopup, vn, " vms ", Some("VMS")),
        (ProviderKind::ConnectTopup, vn, "VIETTEL", Some("VTL")),
        (ProviderKind::ConnectTopup, vn, "Vina Phone", Some("VNP")),
        (ProviderKind::ConnectTopup, vn, "VietNamobile", Some("VNB")),
        (ProviderKind::ConnectTopup, vn, "Việtnamobile", Some("VNB")),
        (ProviderKind::ConnectTopup, vn, "Beeline", Some("GTEL")),
        (ProviderKind::ConnectTopup, vn, "Gmobile", Some("GTEL")),
        (ProviderKind::ConnectTopup, vn, "Itel", None),
        (ProviderKind::ConnectTopup, ng, "Viettel", None),
        (ProviderKind::Paynicorn, ng, "MTN", Some("NG_MTN")),
        (ProviderKind::Paynicorn, ng, "airtel", Some("NG_AIRTEL")),
        (ProviderKind::Paynicorn, ng, "Glo", Some("NG_GLOMOBILE")),
        (ProviderKind::Paynicorn, ng, "9mobile", Some("NG_9MOBILE")),
        (ProviderKind::Paynicorn, ng, "Etisalat", Some("NG_9MOBILE")),
        (ProviderKind::Paynicorn, ng, "ng_mtn", Some("NG_MTN")),
        (ProviderKind::Paynicorn, ng, "GH_MTN", None),
        (ProviderKind::Paynicorn, ng, "NG_", None),
        (ProviderKind::Paynicorn, gh, "Telecel", Some("GH_TELECEL")),
        (ProviderKind::Paynicorn, gh, " - ", None),
        (ProviderKind::Tutom, cn, "china unicom", Some("China Unicom")),
        (ProviderKind::Tutom, cn, "中国移动", Some("China Mobile")),
        (ProviderKind::Tutom, cn, "移动", Some("China Mobile")),
        (ProviderKind::Tutom, cn, "电信", Some("China Telecom")),
        (ProviderKind::Tutom, cn, "Broadnet", None),
    ] {
        assert_eq!(code(kind, country, named).as_deref(), expected, "{named}");
    }
}

fn order(kind: ProviderKind, goods: Goods, amount: Option<&str>) -> Order {
    let (country, calling_code, national, currency) = match kind {
        ProviderKind::Tutom => (Country::CN, "86", "18610865680", None),
        ProviderKind::ConnectTopup => (Country::VN, "84", "912345678", Some(Currency::VND)),
        ProviderKind::Paynicorn => (Country::NG, "234", "9073542823", Some(Currency::NGN)),
    };
    Order {
        row: RowNumber(1),
        provider: "p".to_owned(),
        account: AccountId::new(kind, "a"),
        phone: PhoneNumber::new(country, calling_code, national).unwrap(),
        goods,
        amount: amount.map(|amount| amount.parse().unwrap()),
        currency,
        operator: None,
        operator_hint: None,
        reference: None,
    }
}

#[test]
fn what_is_surely_wrong_is_refused_before_anyone_is_asked() {
    let product = |id: &str| Goods::DataProduct(id.to_owned());
    let (tutom, connect, paynicorn) =
        (ProviderKind::Tutom, ProviderKind::ConnectTopup, ProviderKind::Paynicorn);
    for (kind, goods, amount, expected) in [
        (connect, Goods::Airtime, Some("20000"), None),
        (connect, Goods::Airtime, Some("20000.00"), None),
        (connect, Goods::Airtime, Some("25000"), Some(Reason::UnsupportedAmount)),
        (connect, Goods::Airtime, Some("0"), Some(Reason::UnsupportedAmount)),
        (connect, Goods::Airtime, None, Some(Reason::UnsupportedAmount)),
        (connect, product("23"), Some("20000"), Some(Reason::UnsupportedProduct)),
        (paynicorn, Goods::Airtime, Some("50.25"), None),
        (paynicorn, Goods::Airtime, Some("50.250"), None),
        (paynicorn, Goods::Airtime, Some("50.255"), Some(Reason::UnsupportedAmount)),
        (paynicorn, Goods::Airtime, Some("-50"), Some(Reason::UnsupportedAmount)),
        (paynicorn, Goods::DataSize { megabytes: 1024 }, Some("50"), Some(Reason::UnsupportedProduct)),
        (tutom, product("23"), None, None),
        (tutom, Goods::DataSize { megabytes: 6144 }, Some("46"), None),
        (tutom, Goods::DataSize { megabytes: 0 }, None, Some(Reason::UnsupportedProduct)),
        (tutom, product(""), None, Some(Reason::UnsupportedProduct)),
        (tutom, product("12345678901"), None, Some(Reason::UnsupportedProduct)),
        (tutom, product("23"), Some("0"), Some(Reason::UnsupportedAmount)),
        (tutom, Goods::Airtime, Some("30"), Some(Reason::UnsupportedProduct)),
    ] {
        let judged = judge_offline(&order(kind, goods.clone(), amount));
        assert_eq!(judged.err().map(|refusal| refusal.reason), expected, "{kind} {goods:?} {amount:?}");
    }
    let mut landline = order(tutom, product("23"), None);
    landline.phone = PhoneNumber::new(Country::CN, "86", "1012345678").unwrap();
    assert_eq!(judge_offline(&landline).unwrap_err().reason, Reason::BadPhone);
    let mut unserved = order(connect, Goods::Airtime, Some("10000"));
    unserved.operator = Some("ITEL".to_owned());
    assert_eq!(judge_offline(&unserved).unwrap_err().reason, Reason::UnsupportedOperator);
}

fn airtime(operator: &str, denomination: Denomination) -> AirtimeProduct {
    AirtimeProduct {
        country: Country::NG,
        operator: operator.to_owned(),
        currency: Currency::NGN,
        denomination,
    }
}

#[test]
fn an_amount_fits_if_any_product_of_the_operator_allows_it() {
    let number = |text: &str| text.parse::<Decimal>().unwrap();
    let products = [
        airtime("NG_MTN", Denomination::Fixed(number("50.00"))),
        airtime("NG_MTN", Denomination::Fixed(number("10"))),
        airtime("NG_AIRTEL", Denomination::Range { min: number("50"), max: number("199999") }),
    ];
    let judge = |operator, amount: &str| judge_airtime(&products, Country::NG, operator, number(amount));
    assert_eq!(judge(Some("NG_MTN"), "50").unwrap(), Currency::NGN);
    for (amount, fits) in [("50", true), ("199999", true), ("49.99", false), ("199999.01", false)] {
        assert_eq!(judge(Some("NG_AIRTEL"), amount).is_ok(), fits, "{amount}");
    }
    let refused = judge(Some("NG_MTN"), "100").unwrap_err();
    assert_eq!(refused.reason, Reason::UnsupportedAmount);
    assert_eq!(refused.message, "NG_MTN sells 10 NGN, 50 NGN, not 100.");
    assert!(judge(None, "100").is_ok());
    let refused = judge(None, "20").unwrap_err();
    assert_eq!(refused.message, "NG sells 10 NGN, 50 NGN, 50 to 199999 NGN, not 20.");
    let refused = judge(Some("NG_GLOMOBILE"), "50").unwrap_err();
    assert_eq!(refused.reason, Reason::UnsupportedOperator);
    assert!(refused.message.contains("NG_AIRTEL, NG_MTN"), "{}", refused.message);
    assert_eq!(
        judge_airtime(&products, Country::VN, None, number("50")).unwrap_err().reason,
        Reason::UnsupportedOperator
    );
}

#[test]
fn a_size_must_name_one_product_and_its_price_stay_below_the_ceiling() {
    let product = |id: &str, operator: &str, megabytes: u64, price: &str| DataProduct {
        id: id.to_owned(),
        operator: operator.to_owned(),
        label: format!("{}GB", megabytes / 1024),
        megabytes,
        price: Money::parse(price, "USD").unwrap(),
    };
    let products = [
        product("23", "China Unicom", 6144, "46.0000"),
        product("24", "China Unicom", 11264, "78.0000"),
        product("25", "China Unicom", 11264, "80"),
        product("31", "China Mobile", 6144, "47"),
    ];
    let size = |gigabytes: u64| Goods::DataSize { megabytes: gigabytes * 1024 };
    let number = |text: &str| Some(text.parse::<Decimal>().unwrap());
    let choose = |goods: &Goods, ceiling, operator| choose_product(&products, goods, ceiling, operator);
    let by_id = Goods::DataProduct("24".to_owned());
    assert_eq!(choose(&by_id, None, None).unwrap().id, "24");
    assert_eq!(choose(&by_id, number("78"), Some("联通")).unwrap().id, "24");
    assert_eq!(choose(&size(6), None, Some("China Mobile")).unwrap().id, "31");
    let refused = |goods: &Goods, ceiling, operator| choose(goods, ceiling, operator).unwrap_err();
    let dear = refused(&by_id, number("77.99"), None);
    assert_eq!(dear.reason, Reason::UnsupportedAmount);
    assert_eq!(dear.message, "24 costs 78 USD, more than the row's 77.99.");
    let several = refused(&size(11), None, None);
    assert_eq!(several.reason, Reason::UnsupportedProduct);
    assert!(several.message.contains("24, 25"), "{}", several.message);
    assert_eq!(refused(&size(6), None, None).reason, Reason::UnsupportedProduct);
    assert_eq!(refused(&size(7), None, None).reason, Reason::UnsupportedProduct);
    assert_eq!(refused(&Goods::Airtime, None, None).reason, Reason::UnsupportedProduct);
    assert_eq!(refused(&by_id, None, Some("China Mobile")).reason, Reason::UnsupportedOperator);
    assert!(choose_product(&[], &by_id, None, None).unwrap_err().message.contains("sold: nothing"));
}
