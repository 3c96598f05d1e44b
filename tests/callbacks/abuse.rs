//! Too big, too slow, too many: nobody who misbehaves keeps the others out, and memory and ledger stay small.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bulk_topup::callbacks::Refused;
use bulk_topup::domain::WallTime;
use bulk_topup::ledger::{Hint, Ledger, Writer};
use bulk_topup::run::Clock;

use crate::fixture::{
    Ground, get, hear, id, path, paynicorn_body, post, post_bytes, raw, tutom_fields, until,
};

const LIMIT: usize = 64 * 1024;

#[test]
fn an_oversized_callback_is_refused_however_it_is_sent() {
    let ground = Ground::new(1, 1);
    let listener = ground.listen();
    let at = listener.address();
    let fields = tutom_fields(id(1).as_str(), "1XNPXS", "10");
    let china = path("china");
    // Promised: refused before a byte of it is read.
    let head = format!("POST {china} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", LIMIT + 1);
    assert_eq!(raw(at, head.as_bytes()).status, 413);
    let head = format!("POST {china} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", u64::MAX / 4);
    assert_eq!(raw(at, head.as_bytes()).status, 413);
    // Not promised: the answer may be lost in what is still on its way, but nothing of it counts.
    let mut chunked =
        format!("POST {china}?{fields} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            .into_bytes();
    for _ in 0..=16 {
        chunked.extend_from_slice(b"1000\r\n");
        chunked.extend_from_slice(&[b' '; 0x1000]);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    assert!([0, 413].contains(&raw(at, &chunked).status));
    // The head is bounded as well.
    let long = format!("GET {china}?{fields}&x={} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(2 * LIMIT));
    assert!([0, 414, 431].contains(&raw(at, long.as_bytes()).status));
    assert!(until(|| listener.watch().tally().refused(Refused::Oversized) == 3));
    assert_eq!(ground.hints(), []);
    // Up to the limit all is well.
    let mut padded = fields.clone();
    padded.push_str(&format!("&padding={}", "x".repeat(LIMIT - fields.len() - "&padding=".len())));
    assert_eq!(padded.len(), LIMIT);
    assert!(post(at, &china, "application/x-www-form-urlencoded", &padded).is_success());
    assert_eq!(ground.hinted(), [id(1)]);
}

#[test]
fn slow_clients_are_cut_and_keep_nobody_out() {
    // Beyond the bound of connections.
    const SLOW: usize = 300;
    let ground = Ground::new(2, 2);
    let listener = ground.listen_with(|options| options.request_time_max = Duration::from_secs(4));
    let (at, clock) = (listener.address(), Clock::new());
    let beginnings = [
        String::new(),
        "GE".to_owned(),
        format!("GET {} HTTP/1.1\r\nHost: x\r\n", path("china")),
        format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf", path("china")),
    ];
    let mut slow: Vec<TcpStream> = (0..SLOW)
        .zip(beginnings.iter().cycle())
        .map(|(_, beginning)| {
            let mut stream = TcpStream::connect(at).unwrap();
            stream.write_all(beginning.as_bytes()).unwrap();
            stream
        })
        .collect();
    let start = clock.now().tick;
    let good = format!("{}?{}", path("china"), tutom_fields(id(1).as_str(), "1XNPXS", "10"));
    assert!(get(at, &good).is_success());
    assert!(clock.now().tick.since(start) < Duration::from_secs(2), "it waited for the slow ones");
    let tally = listener.watch().tally();
    assert!(tally.refused(Refused::Crowded) >= 45, "{tally}");
    // One that never stops dripping is cut as well.
    let mut drip = slow.pop().unwrap();
    drip.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let ended = until(|| drip.write_all(b"x").is_err() || matches!(drip.read(&mut [0; 64]), Ok(0)));
    assert!(ended, "a dripping client was still served after ten seconds");
    assert!(clock.now().tick.since(start) < Duration::from_secs(9));
    for mut stream in slow {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert_ne!(hear(&mut stream).status, 200);
    }
    assert!(listener.watch().tally().refused(Refused::Slow) > 200);
    let good = format!("{}?{}", path("china"), tutom_fields(id(2).as_str(), "1XNPXS", "10"));
    assert!(get(at, &good).is_success());
    assert_eq!(ground.hinted(), [id(1), id(2)]);
}

#[test]
fn hints_and_a_submitting_writer_under_load_never_break_each_other() {
    const ROWS: u64 = 3_000;
    const KNOWN: u64 = 1_200;
    const CLIENTS: u64 = 8;
    let ground = Ground::new(ROWS, KNOWN);
    let listener = ground.listen();
    let (at, clock) = (listener.address(), Clock::new());
    let longest = std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || {
                for row in (1..=KNOWN).filter(|row| row % CLIENTS == client) {
                    let answer = match row % 2 {
                        0 => {
                            let fields = tutom_fields(id(row).as_str(), "1XNPXS", "10");
                            get(at, &format!("{}?{fields}", path("china")))
                        }
                        _ => {
                            let body = paynicorn_body(id(row).as_str(), "P", 1);
                            post(at, &path("nigeria"), "application/json", &body)
                        }
                    };
                    assert!(answer.is_success(), "{answer:?}");
                }
            });
        }
        // One commit after the other, as a run with one submit under way would.
        let writer = Writer::start(&ground.ledger).unwrap();
        let waits = (KNOWN + 1..=ROWS).map(|row| {
            let start = clock.now().tick;
            let receipts = writer.append(ground.intent(row)).wait().unwrap();
            assert_eq!(receipts.len(), 1);
            clock.now().tick.since(start)
        });
        waits.max().unwrap()
    });
    assert!(longest < Duration::from_secs(5), "a commit waited {longest:?} for hints");
    let mut hinted = ground.hinted();
    hinted.sort();
    let mut all: Vec<_> = (1..=KNOWN).map(id).collect();
    all.sort();
    assert_eq!(hinted, all, "each hint once");
    let report = ground.reader().verify(ground.batch).unwrap();
    assert!(report.is_clean(), "{report:?}");
    let tally = listener.watch().tally();
    assert_eq!((tally.received, tally.stored, tally.repeated), (KNOWN, KNOWN, 0));
}

#[test]
fn while_another_process_keeps_the_ledger_hints_wait_and_none_is_lost() {
    let ground = Ground::new(60, 60);
    let listener = ground.listen();
    let at = listener.address();
    let mut other = rusqlite::Connection::open(&ground.ledger).unwrap();
    let admission = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (1..=60)
            .map(|row| {
                let body = paynicorn_body(id(row).as_str(), "P", 1);
                scope.spawn(move || post(at, &path("nigeria"), "application/json", &body))
            })
            .collect();
        crate::fixture::wait_ms(1_500);
        assert_eq!(ground.hints(), [], "nobody else can write now");
        // Who is not admitted to the ledger does not wait for it.
        assert_eq!(raw(at, &post_bytes(&path("nigeria"), "application/json", b"{}")).status, 400);
        admission.rollback().unwrap();
        for client in clients {
            assert!(client.join().unwrap().is_success());
        }
    });
    assert_eq!(ground.hints().len(), 60);
}

#[test]
fn the_ledger_keeps_the_latest_hundred_thousand_hints_and_no_more() {
    const KEPT: usize = 100_000;
    let ground = Ground::new(2, 2);
    let ledger = Ledger::open(&ground.ledger).unwrap();
    let hint = |row: u64| Hint {
        provider: "china".to_owned(),
        id: Some(id(row)),
        provider_ref: None,
        received_at: WallTime(1),
    };
    for _ in 0..21 {
        ledger.append_hints(&vec![hint(1); KEPT / 20]).unwrap();
    }
    assert_eq!(ground.hints().len(), KEPT);
    let last = ledger.append_hint(&hint(2)).unwrap();
    let hints = ground.hints();
    assert_eq!((hints.len(), hints.last()), (KEPT, Some(&hint(2))));
    assert!(ledger.hints_after(last, 1).unwrap().is_empty());
    assert_eq!(ledger.append_hints(&[]).unwrap(), last, "nothing to keep changes nothing");
    assert_eq!(ground.hints().len(), KEPT);
}
