//! Arbitrary bytes: no panic, no hint, and the listener goes on.

use std::net::SocketAddr;
use std::sync::{Mutex, OnceLock};

use bulk_topup::callbacks::Listener;
use proptest::prelude::*;

use crate::fixture::{Ground, get, id, path, paynicorn_body, post_bytes, raw, tutom_fields};

/// One ledger and listener for every case; no case may leave a hint in it.
struct Shared {
    ground: Ground,
    at: SocketAddr,
    _listener: Mutex<Listener>,
}

fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| {
        let ground = Ground::new(2, 1);
        let listener = ground.listen();
        Shared { ground, at: listener.address(), _listener: Mutex::new(listener) }
    })
}

/// Pieces of true callbacks and noise between them.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let known = id(1);
    let piece = prop_oneof![
        Just(format!("orderid={known}&")),
        Just("tutomid=1XNPXS&state=10&sign=".to_owned()),
        Just(format!("{{\"originOrderNo\":\"{known}\",\"status\":1,\"verified\":true}}")),
        Just("{\"content\":\"".to_owned()),
        Just("\",\"sign\":\"".to_owned()),
        Just("\"}".to_owned()),
        Just("%ff%00&&==".to_owned()),
        Just("[[[[[[[[".to_owned()),
        "[0-9a-f]{32}",
        ".{0,12}",
    ];
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        proptest::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat().into_bytes()),
    ]
}

fn kinds() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "application/json",
        "application/x-www-form-urlencoded",
        "text/plain",
        ";;",
        "",
    ])
}

/// A listener that is well, and a ledger without hints.
fn unharmed() -> Result<(), TestCaseError> {
    let shared = shared();
    prop_assert_eq!(shared.ground.hints(), vec![]);
    let nobodys = tutom_fields("ZZZZZZZZZZZZZZZZZZZZZZZZ", "T", "10");
    let answer = get(shared.at, &format!("{}?{nobodys}", path("china")));
    prop_assert!(answer.is_success());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bodies_leave_no_hint(body in bodies(), kind in kinds(), entry in "china|nigeria") {
        let answer = raw(shared().at, &post_bytes(&path(&entry), kind, &body));
        prop_assert_eq!(answer.status, 400);
        unharmed()?;
    }

    #[test]
    fn arbitrary_bytes_on_the_wire_leave_no_hint(
        bytes in proptest::collection::vec(any::<u8>(), 1..200),
        begun in any::<bool>(),
    ) {
        let mut request = if begun { format!("POST {}", path("china")).into_bytes() } else { Vec::new() };
        request.extend(&bytes);
        // Ends the head, so that the answer is not waited for.
        request.extend_from_slice(b"\r\n\r\n");
        let at = shared().at;
        let mut stream = std::net::TcpStream::connect(at).unwrap();
        let _ = std::io::Write::write_all(&mut stream, &request);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        prop_assert_ne!(crate::fixture::hear(&mut stream).status, 200);
        unharmed()?;
    }

    #[test]
    fn a_true_callback_with_one_byte_changed_leaves_no_hint(
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        paynicorn in any::<bool>(),
    ) {
        let known = id(1);
        // Only what a signature covers: Tutom's state stands apart. Case of a signature is no change.
        let (entry, mut body, rest) = if paynicorn {
            ("nigeria", paynicorn_body(known.as_str(), "P1", 1).into_bytes(), "")
        } else {
            let fields = tutom_fields(known.as_str(), "1XNPXS", "10");
            ("china", fields.strip_suffix("&state=10").unwrap().as_bytes().to_vec(), "&state=10")
        };
        let place = place.index(body.len());
        let old = body[place];
        prop_assume!(!old.eq_ignore_ascii_case(&byte));
        body[place] = byte;
        body.extend_from_slice(rest.as_bytes());
        let answer = raw(shared().at, &post_bytes(&path(entry), "text/plain", &body));
        prop_assert_ne!(answer.status, 200, "{}", String::from_utf8_lossy(&body));
        unharmed()?;
    }
}
