//! What a callback leads to: an answer, and at most one hint.

use bulk_topup::callbacks::{Refused, Tally};
use bulk_topup::domain::TransactionId;
use bulk_topup::lifecycle::Phase;

use crate::fixture::{
    APP_KEY, Ground, Heard, MERCHANT_SECRET, get, id, md5_hex, path, paynicorn_body, paynicorn_content, post,
    raw, tutom_fields, wait_ms,
};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

#[test]
fn every_documented_way_to_call_leaves_a_hint_and_is_answered_success() {
    let ground = Ground::new(6, 6);
    let mut listener = ground.listen();
    let at = listener.address();
    let china = path("china");
    let json = |row: u64| {
        let fields = tutom_fields(id(row).as_str(), "1XNPXS", "10");
        let fields: Vec<String> = fields
            .split('&')
            .map(|field| field.split_once('=').unwrap())
            .map(|(key, value)| format!("\"{key}\":\"{value}\""))
            .collect();
        format!("{{{}}}", fields.join(","))
    };
    let answers = [
        get(at, &format!("{china}?{}", tutom_fields(id(1).as_str(), "1XNPXS", "10"))),
        post(at, &china, FORM, &tutom_fields(id(2).as_str(), "1XNPXS", "6")),
        post(at, &china, JSON, &json(3)),
        post(at, &china, "text/plain", &json(4)),
        post(at, &path("nigeria"), JSON, &paynicorn_body(id(5).as_str(), "P5", 1)),
        post(at, &path("nigeria"), "text/plain", &paynicorn_body(id(6).as_str(), "P6", 2)),
    ];
    for answer in answers {
        assert!(answer.is_success(), "{answer:?}");
    }
    let hints = ground.hints();
    let told: Vec<_> = hints
        .iter()
        .map(|hint| (hint.provider.as_str(), hint.provider_ref.as_ref().unwrap().as_str()))
        .collect();
    let tutom = ("china", "1XNPXS");
    assert_eq!(told, [tutom, tutom, tutom, tutom, ("nigeria", "P5"), ("nigeria", "P6")]);
    assert_eq!(ground.hinted(), (1..=6).map(id).collect::<Vec<_>>());
    assert!(hints.iter().all(|hint| hint.received_at.0 > 1_000_000_000_000_000), "{hints:?}");
    listener.stop();
    let tally = listener.watch().tally();
    assert_eq!((tally.received, tally.stored), (6, 6));
}

#[test]
fn a_forged_callback_is_refused_and_leaves_nothing() {
    let ground = Ground::new(2, 2);
    let listener = ground.listen();
    let at = listener.address();
    let known = id(1).as_str().to_owned();
    let good = tutom_fields(&known, "1XNPXS", "10");
    let other_sign = md5_hex(&format!("{APP_KEY}1XNPXS{}", id(2)));
    let keyless = md5_hex(&format!("1XNPXS{known}"));
    let forged = [
        good.replace("1XNPXS", "1XNPXT"),
        good.replace(&known, id(2).as_str()),
        format!("tutomid=1XNPXS&orderid={known}&sign={other_sign}&state=10"),
        format!("tutomid=1XNPXS&orderid={known}&sign={keyless}&state=10"),
        format!("tutomid=1XNPXS&orderid={known}&sign=&state=10"),
        format!("tutomid=1XNPXS&orderid={known}&state=10"),
    ];
    let refused = Heard { status: 400, body: String::new() };
    for fields in &forged {
        assert_eq!(get(at, &format!("{}?{fields}", path("china"))), refused, "{fields}");
        assert_eq!(post(at, &path("china"), FORM, fields), refused, "{fields}");
    }
    let content = paynicorn_content(&known, "P1", 1);
    let wrong_key = md5_hex(&format!("{content}other-secret"));
    let bodies = [
        format!(r#"{{"content":"{content}","sign":"{wrong_key}"}}"#),
        format!(r#"{{"content":"{content}","sign":"{}"}}"#, md5_hex(&content)),
        format!(r#"{{"content":"{content}"}}"#),
        format!(r#"{{"orderNo":"P1","originOrderNo":"{known}","status":1,"verified":true}}"#),
        String::new(),
    ];
    for body in &bodies {
        assert_eq!(post(at, &path("nigeria"), JSON, body), refused, "{body}");
    }
    assert_eq!(get(at, &format!("{}?{good}", path("nigeria"))), refused, "another provider's signature");
    assert_eq!(ground.hints(), []);
    let tally = listener.watch().tally();
    assert_eq!(tally.refused(Refused::Forged) + tally.refused(Refused::Unreadable), 18);
    assert_eq!(tally.stored, 0);
}

#[test]
fn a_flipped_claim_only_asks_for_a_look() {
    let ground = Ground::new(2, 2);
    let listener = ground.listen();
    let at = listener.address();
    // Tutom's signature does not cover the state: this one cannot be told from the true one.
    for state in ["6", "10", "-1", "99"] {
        let fields = tutom_fields(id(1).as_str(), "1XNPXS", state);
        assert!(get(at, &format!("{}?{fields}", path("china"))).is_success());
    }
    // Paynicorn's covers everything.
    let true_sign = md5_hex(&format!("{}{MERCHANT_SECRET}", paynicorn_content(id(2).as_str(), "P2", 2)));
    let flipped = paynicorn_content(id(2).as_str(), "P2", 1);
    let body = format!(r#"{{"content":"{flipped}","sign":"{true_sign}"}}"#);
    assert_eq!(post(at, &path("nigeria"), JSON, &body).status, 400);
    assert_eq!(ground.hinted(), [id(1)]);
    let reader = ground.reader();
    for row in 1..=2 {
        let stored = reader.row(ground.batch, bulk_topup::domain::RowNumber(row)).unwrap().unwrap();
        assert_eq!(stored.state.phase, Phase::Sending, "only a look-up decides");
    }
    assert!(reader.verify(ground.batch).unwrap().is_clean());
}

#[test]
fn a_replayed_callback_is_answered_success_and_kept_once_in_a_few_seconds() {
    let ground = Ground::new(2, 2);
    let listener = ground.listen();
    let at = listener.address();
    let body = paynicorn_body(id(1).as_str(), "P1", 1);
    for _ in 0..40 {
        assert!(post(at, &path("nigeria"), JSON, &body).is_success());
    }
    assert_eq!(ground.hinted(), [id(1)]);
    let tally = listener.watch().tally();
    assert_eq!((tally.received, tally.stored, tally.repeated), (40, 1, 39));
    wait_ms(3_200);
    assert!(post(at, &path("nigeria"), JSON, &body).is_success());
    assert_eq!(ground.hinted(), [id(1), id(1)], "after some seconds it is a new reason to look");
}

#[test]
fn an_order_that_is_not_in_the_ledger_is_answered_like_one_that_is_and_not_kept() {
    let ground = Ground::new(3, 2);
    let listener = ground.listen();
    let at = listener.address();
    let nobodys = TransactionId::parse("ZZZZZZZZZZZZZZZZZZZZZZZZ").unwrap();
    let never_submitted = id(3);
    for id in [nobodys.as_str(), never_submitted.as_str(), "V3T1719295709739", "test001", "x"] {
        let known = get(at, &format!("{}?{}", path("china"), tutom_fields(self::id(1).as_str(), "T", "10")));
        let fields = tutom_fields(id, "T", "10");
        assert_eq!(get(at, &format!("{}?{fields}", path("china"))), known, "{id}");
        let known = post(at, &path("nigeria"), JSON, &paynicorn_body(self::id(2).as_str(), "P", 1));
        assert_eq!(post(at, &path("nigeria"), JSON, &paynicorn_body(id, "P", 1)), known, "{id}");
        assert!(known.is_success());
    }
    assert_eq!(ground.hinted(), [id(1), id(2)]);
    assert_eq!(listener.watch().tally().unknown, 10);
}

#[test]
fn a_wrong_path_is_404_with_nothing_in_it_whatever_was_wrong() {
    let ground = Ground::new(1, 1);
    let listener = ground.listen();
    let at = listener.address();
    let fields = tutom_fields(id(1).as_str(), "1XNPXS", "10");
    let nothing = Heard { status: 404, body: String::new() };
    let secret = crate::fixture::PATH_SECRET;
    let paths = [
        "/".to_owned(),
        "/china".to_owned(),
        "//china".to_owned(),
        format!("/{secret}"),
        format!("/{secret}/"),
        format!("/{secret}x/china"),
        format!("/{}/china", secret.replace('9', "8")),
        format!("/{}/china", secret.to_uppercase()),
        format!("/{secret}/China"),
        format!("/{secret}/china/"),
        format!("/{secret}/no-such-entry"),
        // It has no callbacks.
        format!("/{secret}/vietnam"),
        "/favicon.ico".to_owned(),
    ];
    for path in &paths {
        assert_eq!(get(at, &format!("{path}?{fields}")), nothing, "{path}");
        assert_eq!(post(at, path, FORM, &fields), nothing, "{path}");
    }
    for method in ["PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let request = format!("{method} {}?{fields} HTTP/1.1\r\nHost: x\r\n\r\n", path("china"));
        assert_eq!(raw(at, request.as_bytes()), nothing, "{method}");
    }
    assert_eq!(ground.hints(), []);
    let tally = listener.watch().tally();
    assert_eq!((tally.received, tally.refused(Refused::Path)), (0, 31));
}

#[test]
fn a_wrong_network_hears_nothing_at_all() {
    let ground = Ground::new(1, 1);
    let good = format!("{}?{}", path("china"), tutom_fields(id(1).as_str(), "1XNPXS", "10"));
    let strict = ground.listen_with(|options| options.allow = vec!["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(get(strict.address(), &good), Heard { status: 0, body: String::new() });
    assert_eq!(ground.hints(), []);
    let tally = strict.watch().tally();
    assert_eq!((tally.received, tally.refused(Refused::Network)), (0, 1));
    let open = ground.listen_with(|options| {
        options.allow = vec!["10.0.0.0/8".parse().unwrap(), "127.0.0.0/8".parse().unwrap()];
    });
    assert!(get(open.address(), &good).is_success());
    assert_eq!(ground.hinted(), [id(1)]);
}

#[test]
fn an_ended_listener_takes_nothing_more_and_keeps_its_counts() {
    let ground = Ground::new(1, 1);
    let mut listener = ground.listen();
    let at = listener.address();
    let watch = listener.watch();
    assert_eq!(watch.tally(), Tally::default());
    let good = format!("{}?{}", path("china"), tutom_fields(id(1).as_str(), "1XNPXS", "10"));
    assert!(get(at, &good).is_success());
    listener.stop();
    assert!(std::net::TcpStream::connect(at).is_err());
    drop(listener);
    assert_eq!(watch.tally().stored, 1);
    assert_eq!(ground.hinted(), [id(1)]);
}
