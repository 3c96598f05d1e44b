//! The providers' side of the wire, written from their documents alone: what a request asks, and the bytes of
//! an answer. Shares no code with the codecs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulk_topup::domain::{HttpRequest, ProviderKind};
use md5::{Digest, Md5};
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// A submit, in the provider's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    pub id: String,
    /// National significant number.
    pub phone: String,
    pub amount: Option<Decimal>,
    pub product: Option<String>,
    pub operator: Option<String>,
}

/// What a request asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Submit(Submitted),
    LookById(String),
    LookByRef(String),
    Catalogue,
    ProductsOf(String),
    OperatorOf(String),
    Balance,
}

impl Asked {
    /// A name for what is asked, the same whenever it is asked again.
    pub fn key(&self) -> String {
        match self {
            Self::Submit(submitted) => format!("submit {}", submitted.id),
            Self::LookById(id) => format!("look {id}"),
            Self::LookByRef(reference) => format!("look ref {reference}"),
            Self::Catalogue | Self::Balance => "preflight".to_owned(),
            Self::ProductsOf(phone) => format!("products {phone}"),
            Self::OperatorOf(phone) => format!("operator {phone}"),
        }
    }
}

pub fn read(kind: ProviderKind, request: &HttpRequest) -> Asked {
    let url = url::Url::parse(request.url.expose()).unwrap();
    let page = url.path_segments().unwrap().next_back().unwrap().to_owned();
    let body = request.body.as_ref().map(|(_, body)| body.expose().to_owned());
    let form = |name: &str| -> Option<String> {
        let pairs: Vec<(String, String)> = match &body {
            Some(body) => url::form_urlencoded::parse(body.as_bytes()).into_owned().collect(),
            None => url.query_pairs().into_owned().collect(),
        };
        let mut found = pairs.into_iter().filter(|(key, _)| key == name).map(|(_, value)| value);
        let first = found.next();
        assert!(found.next().is_none(), "{name} stands twice");
        first
    };
    let must = |name: &str| form(name).unwrap_or_else(|| panic!("{page} lacks {name}"));
    match kind {
        ProviderKind::Tutom => match page.as_str() {
            "OrderCreate" => Asked::Submit(Submitted {
                id: must("orderid"),
                phone: must("mdn"),
                amount: None,
                product: Some(must("productid")),
                operator: None,
            }),
            "OrderQuery" => Asked::LookById(must("orderid")),
            "List" => Asked::Catalogue,
            "ListByPhone" => Asked::ProductsOf(must("mdn")),
            other => panic!("Tutom has no {other}"),
        },
        ProviderKind::ConnectTopup => match page.as_str() {
            "topup.jsp" => Asked::Submit(Submitted {
                id: must("transidclient"),
                phone: must("phone").strip_prefix('0').unwrap().to_owned(),
                amount: Some(must("sotien").parse().unwrap()),
                product: None,
                operator: form("gateway"),
            }),
            "recheck.jsp" => match form("idtransaction") {
                Some(reference) => Asked::LookByRef(reference),
                None => Asked::LookById(must("transidclient")),
            },
            "userbalance.jsp" => Asked::Balance,
            other => panic!("CONNECT TOPUP has no {other}"),
        },
        ProviderKind::Paynicorn => {
            let outer: Value = serde_json::from_str(&body.unwrap()).unwrap();
            let inner: Value = match outer.get("content") {
                Some(content) => {
                    serde_json::from_slice(&STANDARD.decode(content.as_str().unwrap()).unwrap()).unwrap()
                }
                None => outer,
            };
            let text = |name: &str| inner[name].as_str().unwrap().to_owned();
            let plain = |number: String| number.trim_start_matches('0').to_owned();
            match page.as_str() {
                "topup" => Asked::Submit(Submitted {
                    id: text("transId"),
                    phone: plain(text("benefitNo")),
                    amount: Some(inner["amount"].to_string().parse().unwrap()),
                    product: None,
                    operator: Some(text("operatorCode")),
                }),
                "query" => Asked::LookById(text("transId")),
                "queryGoods" => Asked::Catalogue,
                "queryOperatorCode" => Asked::OperatorOf(plain(text("nationalPhoneNo"))),
                other => panic!("Paynicorn has no {other}"),
            }
        }
    }
}

/// Where an order stands, as the provider tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Working,
    Done,
    Failed,
}

/// An answer about an order.
pub fn order(
    kind: ProviderKind,
    secret: Option<&str>,
    submitted: &Submitted,
    reference: &str,
    standing: Standing,
    told_amount: Option<Decimal>,
    new: bool,
) -> String {
    match kind {
        ProviderKind::Tutom => {
            let state = match standing {
                Standing::Working if new => "-1",
                Standing::Working => "2",
                Standing::Done => "10",
                Standing::Failed => "6",
            };
            let price = super::model::price_of(submitted.product.as_deref().unwrap_or_default());
            json!({"response_code": "0", "response_text": "ok", "id": reference, "state": state,
                   "price": format!("{price}"), "currency": "CNY"})
            .to_string()
        }
        ProviderKind::ConnectTopup => match standing {
            Standing::Working => format!("0;{reference}"),
            Standing::Done => format!("\n\n1;{reference}\r\n"),
            Standing::Failed => format!("61;{reference}"),
        },
        ProviderKind::Paynicorn => {
            let status = match standing {
                Standing::Working => "0",
                Standing::Done => "1",
                Standing::Failed => "2",
            };
            let mut result = json!({"transId": submitted.id, "orderId": reference, "statusCode": status,
                                    "description": "x", "benefitNo": submitted.phone});
            if let Some(amount) = told_amount {
                result["amount"] = Value::String(amount.to_string());
            }
            wrap(secret, &json!({"code": "1200", "msg": "success", "result": result}))
        }
    }
}

/// A bare code. `204...` and `205...` are Paynicorn's envelope codes.
pub fn code(kind: ProviderKind, secret: Option<&str>, code: &str, words: &str) -> String {
    match kind {
        ProviderKind::Tutom => json!({"response_code": code, "response_text": words}).to_string(),
        ProviderKind::ConnectTopup => code.to_owned(),
        ProviderKind::Paynicorn if code.len() > 4 => {
            json!({"responseCode": code, "responseMessage": words}).to_string()
        }
        ProviderKind::Paynicorn => wrap(secret, &json!({"code": code, "msg": words})),
    }
}

/// The products of Tutom's List and ListByPhone.
pub fn products(ids: &[&str], operator: &str) -> String {
    let list: Vec<Value> = ids
        .iter()
        .map(|id| {
            let (label, megabytes) = if *id == "23" { ("6GB", "6144") } else { ("1GB", "1024") };
            json!({"productid": id, "operator": operator, "data": label, "data_value": megabytes,
                   "price": format!("{}", super::model::price_of(id)), "currency": "CNY"})
        })
        .collect();
    json!({"response_code": 0, "response_text": "ok", "productlist": list}).to_string()
}

/// Paynicorn's goods.
pub fn goods(secret: Option<&str>) -> String {
    let range = |operator: &str| {
        json!({"countryCode": "NG", "operatorCode": operator, "productCode": "m_topup", "buyingType": "RANGE",
               "rechargeCurrency": "NGN", "rechargeMinAmount": "50.00", "rechargeMaxAmount": "5000.00"})
    };
    let fixed = json!({"countryCode": "NG", "operatorCode": "NG_GLOMOBILE", "productCode": "m_topup",
                       "buyingType": "FIXED", "rechargeCurrency": "NGN", "rechargeAmount": "200.00"});
    wrap(
        secret,
        &json!({"code": "1200", "msg": "ok", "result": [range("NG_MTN"), range("NG_AIRTEL"), fixed]}),
    )
}

/// Paynicorn's operator of a number.
pub fn operator(secret: Option<&str>, operator: &str) -> String {
    let result = json!({"operatorCode": operator, "countryCode": "NG", "currency": "NGN"});
    wrap(secret, &json!({"code": "1200", "msg": "ok", "result": result}))
}

fn wrap(secret: Option<&str>, inner: &Value) -> String {
    let Some(secret) = secret else { return inner.to_string() };
    let content = STANDARD.encode(inner.to_string());
    let mut hash = Md5::new();
    hash.update(format!("{content}{secret}"));
    json!({"responseCode": "000000", "responseMessage": "success", "content": content,
           "sign": hex::encode(hash.finalize())})
    .to_string()
}
