//! CONNECT TOPUP as its document has it: `topup.jsp`, `recheck.jsp`, `userbalance.jsp`, by GET alone.

use std::io;

use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::accounts::demo_accounts;
use super::book::{Order, State, Wanted};
use super::clock::Micros;
use super::inquiry::{Call, ConnectCall, Inquiry, Provider, Refusal, Rule, form, may, must};
use super::numbers::{self, Vietnam};
use super::world::{Arrival, Course, Done, Reply, World};
use super::{money, numbers::vietnam};

/// The document names no lengths; these are the sandbox's own.
const LONGEST: usize = 64;

const GATEWAYS: [&str; 5] = ["VMS", "VTL", "VNP", "VNB", "GTEL"];

/// Reads a request: everything is in the address.
pub fn read(call: Call, method: &str, query: &str) -> Inquiry {
    let (method, fields) = (method.to_owned(), form(query.as_bytes()));
    Inquiry { call, method, fields, wrapped: false, envelope_key: String::new(), unread: None }
}

/// Lower-case hexadecimal SHA-256 (or SHA-1) of the parts put together.
pub fn checksum(sha1: bool, parts: &[&str]) -> String {
    let text = parts.concat();
    if sha1 { hex::encode(Sha1::digest(text)) } else { hex::encode(Sha256::digest(text)) }
}

/// Answers a CONNECT TOPUP request.
///
/// # Errors
/// The charge log cannot be written.
pub fn answer(
    world: &mut World,
    call: ConnectCall,
    inquiry: &Inquiry,
    arrival: &Arrival,
    now: Micros,
) -> io::Result<Reply> {
    if inquiry.method != "GET" {
        world.complain(inquiry, "405", "the method is not GET", now)?;
        return Ok(Reply::page(405, "Method Not Allowed"));
    }
    let user = [must("username", LONGEST), must("privatekey", LONGEST)];
    let [username, privatekey] = user;
    let paid: &[Rule] = &[
        username,
        privatekey,
        must("phone", LONGEST),
        must("sotien", LONGEST),
        must("checksum", LONGEST),
        may("transidclient", LONGEST),
        may("gateway", LONGEST),
    ];
    let asked: &[Rule] = match (call, inquiry.has("transidclient")) {
        (ConnectCall::Topup, _) => paid,
        (ConnectCall::Recheck, true) => {
            &[username, privatekey, must("transidclient", LONGEST), may("idtransaction", LONGEST)]
        }
        (ConnectCall::Recheck, false) => {
            &[must("idtransaction", LONGEST), may("username", LONGEST), may("privatekey", LONGEST)]
        }
        (ConnectCall::Balance, _) => &[username, privatekey, must("checksum", LONGEST)],
    };
    if let Some(misfit) = inquiry.misfit(asked) {
        let code = match misfit.name.as_str() {
            "phone" => "6",
            "sotien" => "5",
            "checksum" | "privatekey" => "-6",
            "transidclient" | "idtransaction" => "-99",
            _ => "-302",
        };
        world.complain(inquiry, code, &misfit.why, now)?;
        return Ok(said(world, code));
    }
    let outcome = match call {
        ConnectCall::Topup => return topup(world, inquiry, arrival, now),
        ConnectCall::Recheck => recheck(world, inquiry, now),
        ConnectCall::Balance => balance(world, inquiry),
    };
    match outcome {
        Ok(text) => Ok(said(world, &text)),
        Err(refusal) => turn_down(world, inquiry, &refusal, now),
    }
}

fn turn_down(world: &mut World, inquiry: &Inquiry, refusal: &Refusal, now: Micros) -> io::Result<Reply> {
    if let Some(why) = &refusal.why {
        world.complain(inquiry, &refusal.code, why, now)?;
    }
    Ok(said(world, &refusal.code))
}

/// A page of JSP: the answer, and the line ends that the page has around its code.
fn said(world: &World, text: &str) -> Reply {
    let body = if world.faults.jsp_blank_lines { format!("\r\n\r\n{text}\r\n") } else { text.to_owned() };
    Reply::ok("text/html;charset=UTF-8", body)
}

fn check_user(inquiry: &Inquiry) -> Result<(), Refusal> {
    let account = demo_accounts();
    if inquiry.get("username") != account.connect_username {
        return Err(Refusal::malformed("-302", "username is not the account's"));
    }
    if inquiry.get("privatekey") != account.connect_private_key {
        return Err(Refusal::malformed("-6", "privatekey is not the account's"));
    }
    Ok(())
}

fn balance(world: &World, inquiry: &Inquiry) -> Result<String, Refusal> {
    check_user(inquiry)?;
    let account = demo_accounts();
    let parts = [account.connect_username, ":::", account.connect_private_key];
    if inquiry.get("checksum") != checksum(world.faults.checksum_sha1, &parts) {
        return Err(Refusal::malformed("-6", "checksum is not the hash of username:::privatekey"));
    }
    Ok(money::shown(world.book.balance(Provider::ConnectTopup), 0))
}

fn topup(world: &mut World, inquiry: &Inquiry, arrival: &Arrival, now: Micros) -> io::Result<Reply> {
    let (wanted, refusal) = order_of(world, inquiry, arrival);
    if let Some(refusal) = refusal.as_ref().filter(|refusal| refusal.why.is_some()) {
        return turn_down(world, inquiry, refusal, now);
    }
    let refusal = refusal.map(|refusal| refusal.code);
    if let Some(code) = refusal.or_else(|| world.forced_code(inquiry.call)) {
        world.book.refuse(&wanted, &code, now)?;
        return Ok(said(world, &code));
    }
    // There is no code for "too fast": such an order is taken, questionable, and settles in a while.
    let instead = if wanted.phone.ends_with("0005") { Course::Slow(true) } else { Course::Done };
    let course = world.course(&wanted.phone, arrival).or_if_throttled(instead);
    let code = match course {
        Course::Done => "1",
        Course::Slow(_) | Course::Throttled => "0",
        Course::Failed => "61",
        Course::BadNumber => "6",
        Course::Unclear(charged) if World::is_scenario(&wanted.phone) => {
            if charged {
                "-99"
            } else {
                "0"
            }
        }
        Course::Unclear(_) => arrival.dice.one_of("code", &["0", "-1", "-99", "-5", "7"]).unwrap_or("0"),
    };
    if world.carry_out(&wanted, course, code, true, now)? == Done::Insufficient {
        world.book.refuse(&wanted, "-3", now)?;
        return Ok(said(world, "-3"));
    }
    // The table of errors has bare codes, the other `Responsecode;idtransaction`.
    let bare = ["61", "6", "-5"].contains(&code);
    let text = if bare { code.to_owned() } else { format!("{code};{}", wanted.reference) };
    Ok(said(world, &text))
}

/// Reads the order; a refusal comes with it as far as it was read.
fn order_of(world: &World, inquiry: &Inquiry, arrival: &Arrival) -> (Wanted, Option<Refusal>) {
    let account = demo_accounts();
    let get = |name| inquiry.get(name);
    let (phone, sotien, id, gateway) = (get("phone"), get("sotien"), get("transidclient"), get("gateway"));
    let range = vietnam(phone);
    let plain = !sotien.starts_with('0') && sotien.bytes().all(|byte| byte.is_ascii_digit());
    let amount = money::minor(sotien, 0).filter(|_| plain);
    let number = world.reference(arrival, id) % 900_000_000_000_000 + 100_000_000_000_000;
    let wanted = Wanted {
        provider: Provider::ConnectTopup,
        call: inquiry.call,
        id: id.to_owned(),
        reference: number.to_string(),
        phone: phone.to_owned(),
        amount: amount.unwrap_or(0),
        product: String::new(),
        operator: match range {
            Vietnam::Gateway(gateway) => gateway,
            Vietnam::Virtual | Vietnam::Unknown => gateway,
        }
        .to_owned(),
    };
    let signed = [account.connect_username, phone, sotien, account.connect_private_key];
    let refusal = if let Err(refusal) = check_user(inquiry) {
        refusal
    } else if get("checksum") != checksum(world.faults.checksum_sha1, &signed) {
        Refusal::malformed("-6", "checksum is not the hash of username+phone+sotien+privatekey")
    } else if !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        Refusal::malformed("-99", "transidclient has odd characters")
    } else if numbers::vietnam(phone) == Vietnam::Unknown {
        Refusal::malformed("6", "phone is no mobile number of ten digits from 0")
    } else if amount.is_none_or(|amount| amount == 0 || amount % 10_000 != 0) {
        Refusal::malformed("5", "sotien is no multiple of 10,000 in digits alone")
    } else if inquiry.has("gateway") && !GATEWAYS.contains(&gateway) {
        Refusal::malformed("-304", "gateway is none of the five")
    } else if !id.is_empty()
        && !world.faults.duplicate_ok
        && world.book.by_id(Provider::ConnectTopup, id).is_some()
    {
        Refusal::plain("-308")
    } else {
        match range {
            Vietnam::Gateway(known) if !gateway.is_empty() && known != gateway => Refusal::plain("6"),
            Vietnam::Virtual if gateway.is_empty() => Refusal::plain("6"),
            Vietnam::Gateway(_) | Vietnam::Virtual | Vietnam::Unknown => return (wanted, None),
        }
    };
    (wanted, Some(refusal))
}

/// The document gives no answers for a recheck; this one gives the codes of the second table, and
/// `-99` for a transaction it does not know.
fn recheck(world: &World, inquiry: &Inquiry, now: Micros) -> Result<String, Refusal> {
    if inquiry.has("username") || inquiry.has("privatekey") {
        check_user(inquiry)?;
    }
    if let Some(code) = world.forced_code(inquiry.call) {
        return Err(Refusal { code, why: None });
    }
    let (reference, id) = (inquiry.get("idtransaction"), inquiry.get("transidclient"));
    let found = if reference.is_empty() {
        world.book.by_id(Provider::ConnectTopup, id)
    } else {
        world.book.by_reference(Provider::ConnectTopup, reference)
    };
    let order = found.filter(|order| world.is_visible(order.at, now)).ok_or_else(|| Refusal::plain("-99"))?;
    Ok(format!("{};{}", code_of(order), order.wanted.reference))
}

fn code_of(order: &Order) -> &'static str {
    match order.state {
        State::Open => "0",
        State::Completed => "1",
        State::Failed => "61",
    }
}
