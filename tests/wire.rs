//! What goes over the wire and what comes back, by golden cases: `tests/wire/<provider>/<operation>.<case>/` with
//! `request.http` (what we send, or for a callback what reaches us), `reply.http` and `outcome.txt`. An
//! operation may carry a variant of the account after a dash (`submit-plain`).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a broken golden case or helper should fail its test where it stands"
)]

#[path = "wire/exchange.rs"]
mod exchange;
#[path = "wire/files.rs"]
mod files;
#[path = "wire/properties.rs"]
mod properties;
#[path = "wire/render.rs"]
mod render;
#[path = "wire/requests.rs"]
mod requests;

use std::collections::BTreeSet;

use exchange::{Asked, Exchange};
use files::Case;

/// Codes that `tutom-data-refill.txt` lists under "Message".
const TUTOM: &[&str] = &[
    "0", "21102", "11008", "11010", "21103", "21104", "21120", "21105", "21106", "21107", "21108", "21121",
    "21140", "11001", "11002", "11003", "11004", "11005", "11007", "11011",
];
/// Codes that `connect-topup.txt` lists under VI, a and b.
const CONNECT_TOPUP: &[&str] =
    &["-1", "-2", "-3", "-4", "-5", "5", "6", "-6", "61", "1", "0", "-99", "-302", "-304", "-308"];
/// Codes that `paynicorn-airtime.txt` lists, and those of the envelope (`providers.md` A1).
const PAYNICORN: &[&str] = &[
    "1200", "4001", "4002", "4003", "4004", "4005", "4006", "4007", "4008", "4009", "4010", "4011", "4012",
    "4013", "4014", "4015", "4016", "4017", "4018", "4019", "4020", "4021", "4022", "4023", "4024", "4025",
    "4026", "4027", "4028", "4030", "4031", "4032", "4033", "204000", "204002", "204003", "204004", "204005",
    "204006", "204404", "205999",
];
/// Every operation with the codes it can answer, as the documents have them.
const DOCUMENTED: &[(&str, &str, &[&str])] = &[
    ("tutom", "submit", TUTOM),
    ("tutom", "lookup", TUTOM),
    ("tutom", "list", TUTOM),
    ("tutom", "listbyphone", TUTOM),
    ("tutom", "callback", &["6", "10"]),
    ("connect-topup", "submit", CONNECT_TOPUP),
    ("connect-topup", "lookup", CONNECT_TOPUP),
    ("connect-topup", "balance", &["-6", "-302"]),
    ("paynicorn", "submit", PAYNICORN),
    ("paynicorn", "lookup", PAYNICORN),
    ("paynicorn", "operator", PAYNICORN),
    ("paynicorn", "goods", PAYNICORN),
    ("paynicorn", "callback", &["0", "1", "2"]),
];

#[test]
fn every_case_is_sent_and_understood_as_written() {
    let cases = files::cases();
    let wrong: Vec<String> = cases.iter().filter_map(compare).collect();
    assert!(wrong.is_empty(), "{} of {} cases differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

fn compare(case: &Case) -> Option<String> {
    let exchange = Exchange::of(&case.provider, &case.operation);
    let mut wrong = String::new();
    let outcome = if let Asked::Callback = exchange.asked {
        exchange.hear_callback(&case.request)
    } else {
        let sent = exchange.encode().map_or_else(|refused| refused, |request| render::request(&request));
        wrong.push_str(&files::difference("request.http", &case.request, sent.as_bytes()));
        let cap = exchange.encode().map_or(usize::MAX, |request| request.reply_bytes_max);
        exchange.decode(&files::reply(case.reply.as_deref().unwrap_or_default(), cap))
    };
    wrong.push_str(&files::difference("outcome.txt", &case.outcome, outcome.as_bytes()));
    (!wrong.is_empty()).then(|| format!("{}/{}.{}\n{wrong}", case.provider, case.operation, case.name))
}

#[test]
fn every_documented_code_of_every_operation_has_a_case() {
    let cases = files::cases();
    let covered: BTreeSet<(&str, &str, &str)> =
        cases.iter().map(|case| (case.provider.as_str(), case.base_operation(), case.code())).collect();
    let mut missing = Vec::new();
    for (provider, operation, codes) in DOCUMENTED {
        let lacking = codes.iter().filter(|code| !covered.contains(&(*provider, *operation, **code)));
        missing.extend(lacking.map(|code| format!("{provider}/{operation}.{code}")));
    }
    assert!(missing.is_empty(), "no case for {missing:?}");
}

#[test]
fn a_case_named_after_a_code_holds_it() {
    for case in files::cases() {
        let code = case.code();
        if code.parse::<i64>().is_err() {
            continue;
        }
        let seen = case.reply.as_deref().unwrap_or(&case.request);
        let texts = [String::from_utf8_lossy(seen).into_owned(), files::unwrapped(seen)];
        assert!(
            texts.iter().any(|text| text.contains(code)),
            "{}/{}.{} does not hold {code}",
            case.provider,
            case.operation,
            case.name
        );
    }
}

#[test]
fn a_cut_body_proves_success_at_most() {
    let mut cuts = 0;
    for case in files::cases() {
        let exchange = Exchange::of(&case.provider, &case.operation);
        let Some(reply) = case.reply.as_deref() else { continue };
        let whole = files::reply(reply, usize::MAX);
        // Every length of small bodies; of the long ones the ends and a step between.
        let step = (whole.body.len() / 400).max(1);
        for end in (0..=whole.body.len()).filter(|end| end % step == 0 || end + 40 > whole.body.len()) {
            let cut = bulk_topup::domain::Reply {
                status: whole.status,
                intact: false,
                body: whole.body[..end].to_vec(),
            };
            exchange.assert_proves_success_at_most(
                &cut,
                &format!("{}.{} cut at {end}", case.operation, case.name),
            );
            cuts += 1;
        }
    }
    assert!(cuts > 10_000, "only {cuts} cuts were tried");
}

#[test]
fn an_oversized_body_counts_as_cut() {
    for (provider, operation, sold) in [
        ("tutom", "submit", r#"{"response_code":"21104","response_text":"PAD"}"#),
        ("tutom", "lookup", r#"{"response_code":"0","state":"6","response_text":"PAD"}"#),
        ("tutom", "list", r#"{"response_code":"0","productlist":[],"response_text":"PAD"}"#),
        ("connect-topup", "submit", "61PAD"),
        ("connect-topup", "lookup", "61PAD"),
        ("connect-topup", "balance", "61PAD"),
        ("paynicorn", "submit", r#"{"code":4004,"msg":"PAD"}"#),
        ("paynicorn", "lookup", r#"{"code":4007,"msg":"PAD"}"#),
        ("paynicorn", "operator", r#"{"code":4001,"msg":"PAD"}"#),
        ("paynicorn", "goods", r#"{"code":1200,"result":[],"msg":"PAD"}"#),
    ] {
        let exchange = Exchange::of(provider, operation);
        let cap = exchange.encode().unwrap().reply_bytes_max;
        let expected = if ["list", "goods"].contains(&operation) { 4 << 20 } else { 64 << 10 };
        assert_eq!(cap, expected, "{provider}/{operation}");
        let reply = |padding: usize| bulk_topup::domain::Reply {
            status: 200,
            intact: true,
            body: sold.replace("PAD", &" ".repeat(padding)).into_bytes(),
        };
        let over = reply(cap);
        exchange.assert_proves_success_at_most(&over, &format!("{provider}/{operation} over its cap"));
        let within = exchange.decode(&reply(10));
        assert_ne!(
            within,
            exchange.decode(&over),
            "{provider}/{operation}: the same answer within its cap counts"
        );
    }
}
