//! Paynicorn airtime as its document has it: `topup`, `query`, `queryOperatorCode`, `queryGoods`.

use std::io;

use serde_json::{Map, Value, json};

use super::accounts::demo_accounts;
use super::book::{Order, State, Wanted};
use super::clock::Micros;
use super::envelope;
use super::goods::{self, GOODS};
use super::inquiry::{Inquiry, Kind, Misfit, PaynicornCall, Provider, Refusal, Rule, may, must};
use super::world::{Arrival, Course, Done, Reply, World};
use super::{money, numbers};

/// The document names no lengths; this is the sandbox's own.
const LONGEST: usize = 64;

/// Answers a Paynicorn request, in an envelope if it came in one.
///
/// # Errors
/// The charge log cannot be written.
pub fn answer(
    world: &mut World,
    call: PaynicornCall,
    inquiry: &Inquiry,
    arrival: &Arrival,
    now: Micros,
) -> io::Result<Reply> {
    if inquiry.method != "POST" {
        world.complain(inquiry, "405", "the method is not POST", now)?;
        return Ok(Reply::page(405, "Method Not Allowed"));
    }
    if let Some(unread) = &inquiry.unread {
        world.complain(inquiry, unread.code, &unread.why, now)?;
        return Ok(envelope::refused(unread.code, unread.message));
    }
    if let Some(misfit) = inquiry.misfit(rules(call)) {
        return match code_of_misfit(&misfit) {
            "204003" => {
                world.complain(inquiry, "204003", &misfit.why, now)?;
                Ok(envelope::refused("204003", "content invalid"))
            }
            code => turn_down(world, inquiry, &Refusal::malformed(code, &misfit.why), now),
        };
    }
    let (key, outer) = (inquiry.get("appKey"), inquiry.envelope_key.as_str());
    if inquiry.has("appKey") && (key != demo_accounts().paynicorn_app_key || inquiry.wrapped && outer != key)
    {
        return turn_down(world, inquiry, &Refusal::malformed("4024", "appKey is not the account's"), now);
    }
    let outcome = match call {
        PaynicornCall::Topup => return topup(world, inquiry, arrival, now),
        PaynicornCall::Query => query(world, inquiry, now),
        PaynicornCall::OperatorCode => operator(inquiry),
        PaynicornCall::Goods => goods_list(inquiry),
    };
    match outcome {
        Ok(result) => Ok(said(inquiry, "1200", "success", Some(result))),
        Err(refusal) => turn_down(world, inquiry, &refusal, now),
    }
}

fn turn_down(world: &mut World, inquiry: &Inquiry, refusal: &Refusal, now: Micros) -> io::Result<Reply> {
    if let Some(why) = &refusal.why {
        world.complain(inquiry, &refusal.code, why, now)?;
    }
    Ok(said(inquiry, &refusal.code, words(&refusal.code), None))
}

fn rules(call: PaynicornCall) -> &'static [Rule] {
    const KEY: Rule = must("appKey", LONGEST);
    const ID: Rule = must("transId", LONGEST);
    const COUNTRY: Rule = must("countryCode", LONGEST);
    const TOPUP: &[Rule] = &[
        ID,
        KEY,
        COUNTRY,
        must("bizType", LONGEST),
        must("operatorCode", LONGEST),
        must("benefitNo", LONGEST),
        Rule { name: "amount", required: true, kind: Kind::Number, most: LONGEST },
        may("memo", 1024),
    ];
    const QUERY: &[Rule] = &[KEY, ID];
    const OPERATOR: &[Rule] = &[must("nationalPhoneNo", LONGEST), COUNTRY];
    const LIST: &[Rule] = &[KEY, must("productCode", LONGEST), may("countryCode", LONGEST)];
    match call {
        PaynicornCall::Topup => TOPUP,
        PaynicornCall::Query => QUERY,
        PaynicornCall::OperatorCode => OPERATOR,
        PaynicornCall::Goods => LIST,
    }
}

fn code_of_misfit(misfit: &Misfit) -> &'static str {
    match misfit.name.as_str() {
        "transId" => "4008",
        "appKey" => "4020",
        "countryCode" => "4031",
        "bizType" | "productCode" => "4003",
        "operatorCode" => "4011",
        "benefitNo" | "nationalPhoneNo" => "4010",
        "amount" => "4004",
        _ => "204003",
    }
}

fn topup(world: &mut World, inquiry: &Inquiry, arrival: &Arrival, now: Micros) -> io::Result<Reply> {
    let (wanted, refusal) = order_of(world, inquiry, arrival);
    if let Some(refusal) = refusal.as_ref().filter(|refusal| refusal.why.is_some()) {
        return turn_down(world, inquiry, refusal, now);
    }
    let refusal = refusal.map(|refusal| refusal.code);
    let too_fast = arrival.over_rate.then(|| "4014".to_owned());
    if let Some(code) = refusal.or(too_fast).or_else(|| world.forced_code(inquiry.call)) {
        world.book.refuse(&wanted, &code, now)?;
        return Ok(said(inquiry, &code, words(&code), None));
    }
    let national = numbers::nigerian(&wanted.phone).unwrap_or_default();
    let course = world.course(&national, arrival);
    let code = match course {
        Course::Done | Course::Slow(_) | Course::Failed => "1200",
        Course::BadNumber => "4030",
        Course::Throttled if national.ends_with("0005") => "4014",
        Course::Throttled => arrival.dice.one_of("code", &["4014", "4033"]).unwrap_or("4014"),
        Course::Unclear(charged) if World::is_scenario(&national) => {
            if charged {
                "4026"
            } else {
                "4029"
            }
        }
        Course::Unclear(_) => arrival.dice.one_of("code", &["4026", "4025", "4029"]).unwrap_or("4026"),
    };
    if world.carry_out(&wanted, course, code, false, now)? == Done::Insufficient {
        world.book.refuse(&wanted, "4013", now)?;
        return Ok(said(inquiry, "4013", words("4013"), None));
    }
    let state = match course {
        Course::Done => State::Completed,
        Course::Slow(_) => State::Open,
        Course::Failed => State::Failed,
        Course::BadNumber | Course::Throttled | Course::Unclear(_) => {
            return Ok(said(inquiry, code, words(code), None));
        }
    };
    let (status, description) = status_of(state);
    // A number, as in the sample, and past what a float can hold.
    let number: u64 = wanted.reference.parse().unwrap_or(0);
    let result =
        json!({"transId": wanted.id, "statusCode": status, "description": description, "orderId": number});
    Ok(said(inquiry, "1200", "success", Some(result.to_string())))
}

/// Reads the order; a refusal comes with it as far as it was read.
fn order_of(world: &World, inquiry: &Inquiry, arrival: &Arrival) -> (Wanted, Option<Refusal>) {
    let get = |name| inquiry.get(name);
    let (id, phone, operator) = (get("transId"), get("benefitNo"), get("operatorCode"));
    let national = numbers::nigerian(phone);
    let amount = money::minor(get("amount"), 2);
    // Odd and past 2^53: a client that reads it as a float gets another number.
    let number = (world.reference(arrival, id) % 90_000_000_000_000_000 + 10_000_000_000_000_000) | 1;
    let wanted = Wanted {
        provider: Provider::Paynicorn,
        call: inquiry.call,
        id: id.to_owned(),
        reference: number.to_string(),
        phone: phone.to_owned(),
        amount: amount.unwrap_or(0),
        product: "m_topup".to_owned(),
        operator: operator.to_owned(),
    };
    let owner = national.as_deref().and_then(numbers::nigeria);
    let sold = |amount| GOODS.iter().any(|good| good.operator == operator && good.sells(amount));
    let refusal = if !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        Refusal::malformed("4007", "transId has odd characters")
    } else if get("bizType") != "m_topup" {
        Refusal::malformed("4003", "bizType is not m_topup")
    } else if get("countryCode") != "NG" {
        Refusal::malformed("4031", "countryCode is not NG")
    } else if national.is_none() {
        Refusal::malformed("4006", "benefitNo is no number without its country code")
    } else if !GOODS.iter().any(|good| good.operator == operator) {
        Refusal::malformed("4011", "operatorCode is unknown")
    } else if owner != Some(operator) {
        Refusal::malformed("4032", "operatorCode is not the operator of the number")
    } else if amount.is_none_or(|amount| amount <= 0) {
        Refusal::malformed("4004", "amount is no plain decimal above zero with at most two places")
    } else if !world.faults.duplicate_ok && world.book.by_id(Provider::Paynicorn, id).is_some() {
        Refusal::plain("4009")
    } else if !amount.is_some_and(sold) {
        Refusal::plain("4004")
    } else {
        return (wanted, None);
    };
    (wanted, Some(refusal))
}

fn query(world: &World, inquiry: &Inquiry, now: Micros) -> Result<String, Refusal> {
    if let Some(code) = world.forced_code(inquiry.call) {
        return Err(Refusal { code, why: None });
    }
    let found = world.book.by_id(Provider::Paynicorn, inquiry.get("transId"));
    let Order { wanted, state, .. } =
        found.filter(|order| world.is_visible(order.at, now)).ok_or_else(|| Refusal::plain("4007"))?;
    let (status, description) = status_of(*state);
    let mut fields = Map::new();
    let pairs = [
        ("transId", wanted.id.as_str()),
        ("statusCode", status),
        ("description", description),
        ("countryCode", "NG"),
        ("bizType", "m_topup"),
        ("operatorCode", &wanted.operator),
        ("benefitNo", &wanted.phone),
        ("packageId", ""),
        ("packageDesc", ""),
        ("memo", ""),
    ];
    fields.extend(pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::String((*value).to_owned()))));
    Ok(with_number(&Value::Object(fields).to_string(), "amount", &money::shown(wanted.amount, 2)))
}

/// Puts a decimal number, exactly as written, at the end of a JSON object.
fn with_number(object: &str, name: &str, number: &str) -> String {
    format!("{},\"{name}\":{number}}}", object.trim_end_matches('}'))
}

fn operator(inquiry: &Inquiry) -> Result<String, Refusal> {
    if inquiry.get("countryCode") != "NG" {
        return Err(Refusal::malformed("4031", "countryCode is not NG"));
    }
    let national = numbers::nigerian(inquiry.get("nationalPhoneNo"))
        .ok_or_else(|| Refusal::malformed("4006", "nationalPhoneNo is no number without its country code"))?;
    let code = numbers::nigeria(&national).ok_or_else(|| Refusal::plain("4011"))?;
    let name = goods::operator_name(code);
    let result = json!({"countryCode": "NG", "currency": "NGN", "areaCode": "234", "operatorCode": code, "operatorName": name});
    Ok(result.to_string())
}

fn goods_list(inquiry: &Inquiry) -> Result<String, Refusal> {
    if inquiry.get("productCode") != "m_topup" {
        return Err(Refusal::malformed("4003", "productCode is not m_topup"));
    }
    let here = ["", "NG"].contains(&inquiry.get("countryCode"));
    let goods: Vec<String> = GOODS
        .iter()
        .filter(|_| here)
        .map(|good| {
            let naira = |minor| money::shown(minor, 2);
            format!(
                r#"{{"id":{},"productCode":"m_topup","countryCode":"NG","operatorCode":"{}","goodsId":"{}","rechargeAmount":{},"rechargeMinAmount":{},"rechargeMaxAmount":{},"rechargeCurrency":"NGN","buyingType":"{}"}}"#,
                good.id,
                good.operator,
                good.goods_id,
                naira(good.fixed),
                naira(good.least),
                naira(good.most),
                if good.fixed > 0 { "FIXED" } else { "RANGE" },
            )
        })
        .collect();
    Ok(format!("[{}]", goods.join(",")))
}

fn status_of(state: State) -> (&'static str, &'static str) {
    match state {
        State::Open => ("0", "transaction in process"),
        State::Completed => ("1", "transaction successful"),
        State::Failed => ("2", "transaction failed"),
    }
}

/// The answer: a code that is no number stands as text, for a profile that wants such.
fn said(inquiry: &Inquiry, code: &str, message: &str, result: Option<String>) -> Reply {
    let code = if code.parse::<u32>().is_ok() { code.to_owned() } else { Value::from(code).to_string() };
    let message = Value::from(message);
    let result = result.map(|result| format!(",\"result\":{result}")).unwrap_or_default();
    let body = format!("{{\"code\":{code},\"msg\":{message}{result}}}");
    if inquiry.wrapped { envelope::wrap(&body) } else { Reply::ok("application/json", body) }
}

fn words(code: &str) -> &'static str {
    match code {
        "1200" => "success",
        "4001" => "invalid signature",
        "4002" => "invalid appId",
        "4003" => "unsupported business",
        "4004" => "unsupported amount",
        "4005" => "invalid packageId",
        "4006" => "invalid benefitNo",
        "4007" => "invalid transId",
        "4008" => "transId is null",
        "4009" => "transId already exist",
        "4010" => "phone number is empty",
        "4011" => "unknown operator",
        "4012" => "no active wallet of this currency",
        "4013" => "Insufficient balance",
        "4014" => "Exceed the minute limit",
        "4015" => "Exceed the daily times limit",
        "4016" => "channel disable",
        "4017" => "channelCode is null",
        "4018" => "channelCode is error",
        "4019" => "sp product is null",
        "4020" => "appKey is null",
        "4021" => "callbackUrl is null",
        "4022" => "callback url error",
        "4023" => "secret key is null",
        "4024" => "unknown appKey",
        "4025" => "sp order mapping error",
        "4026" => "merchant Overbooking",
        "4027" => "Please activate the product function",
        "4028" => "Paynicorn CP Insufficient balance",
        "4030" => "Recharge phone error",
        "4031" => "Recharge country error",
        "4032" => "Recharge operator error",
        "4033" => "Exceed operator the minute limit",
        _ => "system error",
    }
}
