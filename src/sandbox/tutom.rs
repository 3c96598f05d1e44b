//! Tutom data refill as its document has it: `List`, `ListByPhone`, `OrderCreate`, `OrderQuery`.

use std::io;

use md5::{Digest, Md5};
use serde_json::{Map, Value};

use super::accounts::demo_accounts;
use super::book::{Order, State, Wanted};
use super::clock::Micros;
use super::goods::{self, PRODUCTS, Product};
use super::inquiry::{Call, Field, Inquiry, Kind, Provider, Refusal, Rule, TutomCall, form, must};
use super::world::{Arrival, Course, Done, Reply, World};
use super::{money, numbers};

const APPKEY: Rule = must("appkey", 64);
const MDN: Rule = must("mdn", 11);
const ORDERID: Rule = must("orderid", 32);

/// Reads a request: parameters in the address for GET, in a form for POST.
pub fn read(call: Call, method: &str, query: &str, content_type: &str, body: &[u8]) -> Inquiry {
    let is_form =
        content_type.split(';').next().unwrap_or_default().trim() == "application/x-www-form-urlencoded";
    let mut fields = form(query.as_bytes());
    if method == "POST" && is_form {
        fields.extend(form(body));
    }
    let method = method.to_owned();
    Inquiry { call, method, fields, wrapped: false, envelope_key: String::new(), unread: None }
}

/// Upper-case hexadecimal MD5 of the parts put together, as the document's sample is written.
pub fn sign(parts: &[&str]) -> String {
    hex::encode_upper(Md5::digest(parts.concat()))
}

/// Answers a Tutom request.
///
/// # Errors
/// The charge log cannot be written.
pub fn answer(
    world: &mut World,
    call: TutomCall,
    inquiry: &Inquiry,
    arrival: &Arrival,
    now: Micros,
) -> io::Result<Reply> {
    if !["GET", "POST"].contains(&inquiry.method.as_str()) {
        world.complain(inquiry, "405", "the method is neither GET nor POST", now)?;
        return Ok(Reply::page(405, "Method Not Allowed"));
    }
    let rules: &[Rule] = match call {
        TutomCall::List => &[APPKEY],
        TutomCall::ListByPhone => &[APPKEY, MDN],
        TutomCall::OrderCreate => &[APPKEY, MDN, must("productid", 10), ORDERID, must("sign", 32)],
        TutomCall::OrderQuery => &[APPKEY, ORDERID],
    };
    let outcome = match judge(inquiry, rules) {
        Err(refusal) => Err(refusal),
        Ok(()) => match call {
            TutomCall::List => Ok(list(PRODUCTS.iter(), now)),
            TutomCall::ListByPhone => list_by_phone(world, inquiry, arrival, now),
            TutomCall::OrderCreate => return create(world, inquiry, arrival, now),
            TutomCall::OrderQuery => query(world, inquiry, now),
        },
    };
    match outcome {
        Ok(reply) => Ok(reply),
        Err(refusal) => turn_down(world, inquiry, &refusal, now),
    }
}

fn turn_down(world: &mut World, inquiry: &Inquiry, refusal: &Refusal, now: Micros) -> io::Result<Reply> {
    if let Some(why) = &refusal.why {
        world.complain(inquiry, &refusal.code, why, now)?;
    }
    let text = match (&refusal.why, refusal.code.as_str()) {
        (Some(why), "21107") => why.as_str(),
        (_, code) => text_of(code),
    };
    Ok(said(&refusal.code, text, &[]))
}

fn judge(inquiry: &Inquiry, rules: &[Rule]) -> Result<(), Refusal> {
    if let Some(misfit) = inquiry.misfit(rules) {
        let code = match misfit.name.as_str() {
            "appkey" => "11001",
            "sign" => "21105",
            "mdn" | "productid" => "21104",
            _ => "21107",
        };
        return Err(Refusal::malformed(code, &misfit.why));
    }
    if inquiry.get("appkey") != demo_accounts().tutom_app_key {
        return Err(Refusal::malformed("11001", "appkey is not the account's"));
    }
    if inquiry.has("mdn") && !numbers::is_chinese(inquiry.get("mdn")) {
        return Err(Refusal::malformed("21104", "mdn is no mobile number of eleven digits"));
    }
    let orderid = inquiry.get("orderid");
    if inquiry.has("orderid") && (orderid.len() < 5 || !orderid.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Err(Refusal::malformed("21107", "orderid has less than five characters, or odd ones"));
    }
    Ok(())
}

fn list<'a>(products: impl Iterator<Item = &'a Product>, now: Micros) -> Reply {
    let products = products.map(|product| {
        let pairs = [
            ("productid", product.id.to_owned()),
            ("type", product.kind.to_owned()),
            ("operator", product.operator.to_owned()),
            ("data", product.data.to_owned()),
            ("data_value", product.megabytes.to_owned()),
            ("expiration_date", goods::expiration(now)),
            ("price", money::shown(product.price, 4)),
            ("currency", "USD".to_owned()),
        ];
        Value::Object(
            pairs.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect(),
        )
    });
    said("0", "Success.", &[("productlist", Value::Array(products.collect()))])
}

fn list_by_phone(world: &World, inquiry: &Inquiry, arrival: &Arrival, now: Micros) -> Result<Reply, Refusal> {
    let mdn = inquiry.get("mdn");
    let operator = numbers::china(mdn).ok_or_else(|| Refusal::plain("21104"))?;
    let again_later = if mdn.ends_with("0005") {
        arrival.nth == 1
    } else {
        arrival.dice.hit("throttle", world.faults.throttle)
    };
    if again_later || world.book.is_busy(Provider::Tutom, mdn) {
        return Err(Refusal::plain("21103"));
    }
    Ok(list(PRODUCTS.iter().filter(|product| product.operator == operator), now))
}

fn create(world: &mut World, inquiry: &Inquiry, arrival: &Arrival, now: Micros) -> io::Result<Reply> {
    let (wanted, refusal) = order_of(world, inquiry, arrival);
    if let Some(refusal) = refusal.as_ref().filter(|refusal| refusal.why.is_some()) {
        return turn_down(world, inquiry, refusal, now);
    }
    let refusal = refusal.map(|refusal| refusal.code);
    if let Some(code) = refusal.or_else(|| world.forced_code(inquiry.call)) {
        world.book.refuse(&wanted, &code, now)?;
        return Ok(said(&code, text_of(&code), &[]));
    }
    // Only the look-up of products can say "later" here, and it has passed.
    let course = world.course(&wanted.phone, arrival).or_if_throttled(Course::Done);
    let code = match course {
        Course::BadNumber => "21104",
        Course::Unclear(_) if World::is_scenario(&wanted.phone) => "21107",
        Course::Unclear(_) => arrival.dice.one_of("code", &["21107", "21108", "21103"]).unwrap_or("21107"),
        Course::Done | Course::Slow(_) | Course::Failed | Course::Throttled => "0",
    };
    if world.carry_out(&wanted, course, code, false, now)? == Done::Insufficient {
        world.book.refuse(&wanted, "21102", now)?;
        return Ok(said("21102", text_of("21102"), &[]));
    }
    let fresh = arrival.dice.below("state", 4) == 0;
    let state = match course {
        Course::Done => "10",
        Course::Slow(_) if fresh => "-1",
        Course::Slow(_) => "2",
        Course::Failed => "6",
        Course::Unclear(_) | Course::BadNumber | Course::Throttled => {
            return Ok(said(code, text_of(code), &[]));
        }
    };
    Ok(status(&wanted, state))
}

/// Reads the order; a refusal comes with it as far as it was read.
fn order_of(world: &World, inquiry: &Inquiry, arrival: &Arrival) -> (Wanted, Option<Refusal>) {
    let account = demo_accounts();
    let get = |name| inquiry.get(name);
    let (mdn, orderid, productid) = (get("mdn"), get("orderid"), get("productid"));
    let operator = numbers::china(mdn);
    let product = PRODUCTS.iter().find(|product| product.id == productid);
    let wanted = Wanted {
        provider: Provider::Tutom,
        call: inquiry.call,
        id: orderid.to_owned(),
        reference: base36(world.reference(arrival, orderid)),
        phone: mdn.to_owned(),
        amount: product.map_or(0, |product| product.price),
        product: productid.to_owned(),
        operator: operator.unwrap_or_default().to_owned(),
    };
    let signed = [account.tutom_open_id, account.tutom_app_key, orderid, mdn, productid];
    let refusal = if get("sign") != sign(&signed) {
        Refusal::malformed(
            "21105",
            "sign is not MD5(openId + appkey + orderid + mdn + productid) in capitals",
        )
    } else if world.book.by_id(Provider::Tutom, orderid).is_some() && !world.faults.duplicate_ok {
        Refusal::plain(if world.book.is_busy(Provider::Tutom, mdn) { "21103" } else { "21107" })
    } else if world.book.is_busy(Provider::Tutom, mdn) && !world.faults.duplicate_ok {
        Refusal::plain("21103")
    } else if operator.is_none() {
        Refusal::plain("21104")
    } else {
        match product {
            None => Refusal::malformed("21120", "productid is not in the list"),
            Some(product) if Some(product.operator) != operator => Refusal::plain("21121"),
            Some(_) => return (wanted, None),
        }
    };
    (wanted, Some(refusal))
}

fn query(world: &World, inquiry: &Inquiry, now: Micros) -> Result<Reply, Refusal> {
    if let Some(code) = world.forced_code(inquiry.call) {
        return Err(Refusal { code, why: None });
    }
    let found = world.book.by_id(Provider::Tutom, inquiry.get("orderid"));
    let order =
        found.filter(|order| world.is_visible(order.at, now)).ok_or_else(|| Refusal::plain("21106"))?;
    Ok(status(&order.wanted, state_of(order)))
}

fn state_of(order: &Order) -> &'static str {
    match order.state {
        State::Open => "2",
        State::Completed => "10",
        State::Failed => "6",
    }
}

fn status(wanted: &Wanted, state: &str) -> Reply {
    let text = |text: &str| Value::String(text.to_owned());
    let price = money::shown(wanted.amount, 4);
    let more = [
        ("id", text(&wanted.reference)),
        ("state", text(state)),
        ("price", Value::String(price)),
        ("currency", text("USD")),
    ];
    said("0", "Success.", &more)
}

fn said(code: &str, text: &str, more: &[(&str, Value)]) -> Reply {
    let mut object = Map::new();
    object.insert("response_code".to_owned(), Value::String(code.to_owned()));
    object.insert("response_text".to_owned(), Value::String(text.to_owned()));
    object.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    Reply::ok("application/json; charset=utf-8", Value::Object(object).to_string())
}

fn text_of(code: &str) -> &'static str {
    match code {
        "0" => "Success.",
        "21102" | "11008" | "11010" => {
            "Sorry, you cannot refill due to a low account balance, please add more fund to your account."
        }
        "21103" => "Sorry, your order is pending process, please do not re-submit orders.",
        "21104" | "21120" => {
            "Sorry, something wrong with your recharging request, please check phone number and productid; please contact system administrator at support@tutompay.com"
        }
        "21105" => "sign value is wrong",
        "21106" => "Cannot find the order",
        "21107" => "Please check ResponseText if there is a problem for request",
        "21108" => {
            "Network is not normal. please contact system support at support@tutompay.com! DO NOT treate order as failure until you contact system support!"
        }
        "21121" => "This ProductID is not suitable for this mobile number",
        "21140" => "recharge failed",
        "11001" => "appkey is not valid",
        "11002" => "Service is not activated, please contact system administrator",
        "11003" => "Your account is locked, please contact system administrator to reactivate.",
        "11004" => "Please contact system administrator to apply the service",
        "11005" => "Only requests from white-listed IP address will be processed.",
        "11007" | "11011" => "For more currency options, please contact system administrator.",
        _ => "Error.",
    }
}

fn base36(mut number: u64) -> String {
    let mut letters = Vec::new();
    while letters.len() < 13 {
        let digit = u32::try_from(number % 36).unwrap_or(0);
        letters.push(char::from_digit(digit, 36).unwrap_or('0').to_ascii_uppercase());
        number /= 36;
    }
    letters.into_iter().rev().collect()
}

/// The fields of the callback that tells of an ended order.
pub fn callback(id: &str, reference: &str, completed: bool) -> Vec<Field> {
    let sign = sign(&[demo_accounts().tutom_app_key, reference, id]);
    let state = if completed { "10" } else { "6" };
    let pairs = [("tutomid", reference), ("orderid", id), ("sign", sign.as_str()), ("state", state)];
    pairs
        .iter()
        .map(|(name, value)| Field { name: (*name).to_owned(), value: (*value).to_owned(), kind: Kind::Text })
        .collect()
}
