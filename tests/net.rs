//! What the network shell promises, against a raw server that closes, lies and lingers at every moment: one
//! request on the wire for each send, and "not sent" only when the server saw nothing of it.
#![expect(clippy::unwrap_used, reason = "a broken server of a test is a failed test")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bulk_topup::domain::{Delivery, HttpRequest, Method, NetFault, Reply, Secret};
use bulk_topup::net::{Client, NetOptions};

const CAP: usize = 64 * 1024;
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1;777";

/// What the server does with one connection, step by step; it closes after the last one.
#[derive(Clone)]
enum Step {
    /// Reads so many bytes.
    Read(usize),
    /// Reads up to the end of a request's head.
    Request,
    /// Writes these bytes.
    Write(Vec<u8>),
    /// Waits so many milliseconds.
    Wait(u64),
    /// Says that it writes nothing more, and reads until the client closes.
    Linger,
}

/// A server that runs one script for each connection; connections beyond the last script get that one again.
struct Server {
    at: SocketAddr,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Server {
    fn start(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&seen);
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let script = scripts.get(number).or(scripts.last()).cloned().unwrap_or_default();
                let all = Arc::clone(&all);
                all.lock().unwrap().push(Vec::new());
                thread::spawn(move || play(&script, stream.unwrap(), number, &all));
            }
        });
        Self { at, seen }
    }

    fn answering(reply: &[u8]) -> Self {
        Self::start(vec![vec![Step::Request, Step::Write(reply.to_vec())]])
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.at)
    }

    /// How many requests with this path the server saw, whole or in part.
    fn count(&self, path: &str) -> usize {
        let line = format!("/{path} ");
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|bytes| String::from_utf8_lossy(bytes).matches(&line).count()).sum()
    }

    fn bytes(&self) -> usize {
        self.seen.lock().unwrap().iter().map(Vec::len).sum()
    }

    fn connections(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn text(&self) -> String {
        self.seen.lock().unwrap().iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }
}

fn play(script: &[Step], mut stream: TcpStream, number: usize, all: &Mutex<Vec<Vec<u8>>>) {
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let note = |bytes: &[u8]| {
        if let Some(seen) = all.lock().unwrap().get_mut(number) {
            seen.extend_from_slice(bytes);
        }
    };
    for step in script {
        match step {
            Step::Read(count) => {
                let mut byte = [0];
                for _ in 0..*count {
                    if !matches!(stream.read(&mut byte), Ok(1)) {
                        return;
                    }
                    note(&byte);
                }
            }
            Step::Request => {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") {
                    if !matches!(stream.read(&mut byte), Ok(1)) {
                        return;
                    }
                    head.extend_from_slice(&byte);
                    note(&byte);
                }
            }
            Step::Write(bytes) => {
                if stream.write_all(bytes).is_err() {
                    return;
                }
            }
            Step::Wait(ms) => thread::sleep(Duration::from_millis(*ms)),
            Step::Linger => {
                let _ = stream.shutdown(Shutdown::Write);
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest);
                note(&rest);
            }
        }
    }
}

fn options() -> NetOptions {
    NetOptions {
        timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(2),
        tls: false,
        ..NetOptions::default()
    }
}

fn client() -> Client {
    Client::new(options()).unwrap()
}

fn hasty(timeout_ms: u64) -> Client {
    Client::new(NetOptions { timeout: Duration::from_millis(timeout_ms), ..options() }).unwrap()
}

fn get(url: &str) -> HttpRequest {
    HttpRequest { method: Method::Get, url: Secret::new(url), body: None, reply_bytes_max: CAP }
}

fn replied(status: u16, intact: bool, body: &[u8]) -> Delivery {
    Delivery::Replied(Reply { status, intact, body: body.to_vec() })
}

/// The claims that hold for every single send.
fn check_claims(server: &Server, path: &str, delivery: &Delivery) {
    assert!(server.count(path) <= 1, "{path} was on the wire {} times: {delivery:?}", server.count(path));
    match delivery {
        Delivery::NotSent(_) => assert_eq!(server.count(path), 0, "{path} was seen: {delivery:?}"),
        Delivery::Replied(_) | Delivery::MaybeSent(_) => {}
    }
}

/// Bytes of a request for `path` on the wire.
async fn request_len(path: &str) -> usize {
    let server = Server::answering(OK);
    client().send(&get(&server.url(path))).await;
    // Ports have four or five digits; the longer one reads a byte more at most.
    server.bytes()
}

#[tokio::test]
async fn a_close_while_the_request_is_read_never_sends_it_again() {
    let len = request_len("once").await;
    assert!(len > 60);
    for cut in 0..=len {
        let server =
            Server::start(vec![vec![Step::Read(cut)], vec![Step::Request, Step::Write(OK.to_vec())]]);
        let delivery = client().send(&get(&server.url("once"))).await;
        check_claims(&server, "once", &delivery);
        assert!(!matches!(delivery, Delivery::Replied(_)), "cut at {cut}: {delivery:?}");
        if cut > 0 {
            assert!(matches!(delivery, Delivery::MaybeSent(_)), "cut at {cut}: {delivery:?}");
        }
    }
}

#[tokio::test]
async fn a_close_without_reset_while_the_request_is_read_never_sends_it_again() {
    for cut in [0, 1, 10, 40] {
        let server = Server::start(vec![
            vec![Step::Read(cut), Step::Linger],
            vec![Step::Request, Step::Write(OK.to_vec())],
        ]);
        let delivery = client().send(&get(&server.url("once"))).await;
        check_claims(&server, "once", &delivery);
        assert!(!matches!(delivery, Delivery::Replied(_)), "cut at {cut}: {delivery:?}");
    }
}

#[tokio::test]
async fn a_reply_cut_at_any_byte_is_never_intact() {
    let chunked: &[u8] =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n1;\r\n3\r\n777\r\n0\r\n\r\n";
    for (whole, head_len) in [(OK, OK.len() - 5), (chunked, 47)] {
        assert!(whole[..head_len].ends_with(b"\r\n\r\n"));
        for cut in 0..=whole.len() {
            let server = Server::answering(&whole[..cut]);
            let delivery = client().send(&get(&server.url("once"))).await;
            check_claims(&server, "once", &delivery);
            match &delivery {
                Delivery::MaybeSent(fault) => {
                    assert_eq!((*fault, cut < head_len), (NetFault::Broken, true), "cut at {cut}");
                }
                Delivery::Replied(reply) => {
                    assert!(cut >= head_len, "cut at {cut}: {reply:?}");
                    assert_eq!(reply.status, 200);
                    assert_eq!(reply.intact, cut == whole.len(), "cut at {cut}: {reply:?}");
                    assert!(b"1;777".starts_with(&reply.body), "cut at {cut}: {reply:?}");
                }
                Delivery::NotSent(fault) => panic!("cut at {cut}: {fault:?}"),
            }
        }
        let server = Server::answering(whole);
        assert_eq!(client().send(&get(&server.url("x"))).await, replied(200, true, b"1;777"));
    }
}

#[tokio::test]
async fn a_body_ended_only_by_closing_is_not_intact() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n"] {
        let server = Server::answering(format!("{head}-308").as_bytes());
        assert_eq!(client().send(&get(&server.url("x"))).await, replied(200, false, b"-308"));
    }
}

#[tokio::test]
async fn a_kept_connection_that_closes_at_every_moment_gets_each_request_once() {
    let len = request_len("second").await;
    for cut in 0..=len {
        let server = Server::start(vec![
            vec![Step::Request, Step::Write(OK.to_vec()), Step::Read(cut)],
            vec![Step::Request, Step::Write(OK.to_vec()), Step::Linger],
        ]);
        let client = client();
        assert_eq!(client.send(&get(&server.url("first"))).await, replied(200, true, b"1;777"));
        let delivery = client.send(&get(&server.url("second"))).await;
        assert_eq!(server.count("first"), 1);
        check_claims(&server, "second", &delivery);
        if cut > 0 {
            assert!(matches!(delivery, Delivery::MaybeSent(_)), "cut at {cut}: {delivery:?}");
        }
    }
}

#[tokio::test]
async fn a_kept_connection_closed_right_before_the_next_request_gets_each_request_once() {
    for round in 0..100_u64 {
        let script = vec![Step::Request, Step::Write(OK.to_vec()), Step::Wait(round % 3)];
        let server = Server::start(vec![script]);
        let client = client();
        for turn in 0..5 {
            let path = format!("turn-{turn}");
            let delivery = client.send(&get(&server.url(&path))).await;
            check_claims(&server, &path, &delivery);
        }
    }
}

#[tokio::test]
async fn many_sends_at_once_over_closing_connections_get_each_request_once() {
    let answer = [Step::Request, Step::Write(OK.to_vec())];
    let scripts = (0..400).map(|number| {
        let kept = vec![answer.clone(); number % 4].concat();
        [kept, vec![Step::Read(number * 7 % 90)]].concat()
    });
    let server = Server::start(scripts.collect());
    let client = client();
    for round in 0..8 {
        let sends: Vec<_> = (0..24)
            .map(|turn| {
                let (client, path) = (client.clone(), format!("send-{round}-{turn}"));
                let request = get(&server.url(&path));
                tokio::spawn(async move { (path, client.send(&request).await) })
            })
            .collect();
        for send in sends {
            let (path, delivery) = send.await.unwrap();
            check_claims(&server, &path, &delivery);
        }
    }
}

#[tokio::test]
async fn bytes_beyond_a_reply_are_never_the_next_reply() {
    let twice = [OK, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n1;9"].concat();
    let late = vec![
        Step::Request,
        Step::Write(OK.to_vec()),
        Step::Wait(20),
        Step::Write(twice[OK.len()..].to_vec()),
        Step::Request,
        Step::Linger,
    ];
    let at_once = vec![Step::Request, Step::Write(twice.clone()), Step::Request, Step::Linger];
    for first in [late, at_once] {
        let server = Server::start(vec![first, vec![Step::Request, Step::Write(OK.to_vec()), Step::Linger]]);
        let client = client();
        assert_eq!(client.send(&get(&server.url("first"))).await, replied(200, true, b"1;777"));
        tokio::time::timeout(Duration::from_millis(60), std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(client.send(&get(&server.url("second"))).await, replied(200, true, b"1;777"));
        assert_eq!((server.count("first"), server.count("second")), (1, 1));
    }
}

#[tokio::test]
async fn a_reply_after_our_time_out_is_never_the_next_reply() {
    let late = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n1;9".to_vec();
    let server = Server::start(vec![
        vec![Step::Request, Step::Wait(250), Step::Write(late), Step::Linger],
        vec![Step::Request, Step::Write(OK.to_vec()), Step::Linger],
    ]);
    let client = hasty(150);
    assert_eq!(client.send(&get(&server.url("first"))).await, Delivery::MaybeSent(NetFault::TimedOut));
    assert_eq!(client.send(&get(&server.url("second"))).await, replied(200, true, b"1;777"));
    assert_eq!((server.count("first"), server.count("second")), (1, 1));
}

#[tokio::test]
async fn a_zero_idle_time_gives_every_request_its_own_connection() {
    let answer = [Step::Request, Step::Write(OK.to_vec())];
    let server = Server::start(vec![[&answer[..], &answer, &[Step::Linger]].concat()]);
    let pooled = client();
    pooled.send(&get(&server.url("a"))).await;
    pooled.send(&get(&server.url("b"))).await;
    assert_eq!(server.connections(), 1);
    let single = Client::new(NetOptions { idle: Duration::ZERO, ..options() }).unwrap();
    single.send(&get(&server.url("c"))).await;
    single.send(&get(&server.url("d"))).await;
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_length_that_promises_too_much_is_not_intact() {
    let server = Server::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n1;777");
    assert_eq!(client().send(&get(&server.url("x"))).await, replied(200, false, b"1;777"));
}

#[tokio::test]
async fn two_different_lengths_are_not_believed() {
    let server = Server::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 5\r\n\r\n1;777");
    match client().send(&get(&server.url("x"))).await {
        Delivery::Replied(reply) => assert!(!reply.intact, "{reply:?}"),
        Delivery::MaybeSent(fault) => assert_eq!(fault, NetFault::Broken),
        Delivery::NotSent(fault) => panic!("{fault:?}"),
    }
}

#[tokio::test]
async fn a_length_beside_chunks_is_not_believed() {
    let server = Server::answering(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n1;777\r\n0\r\n\r\n",
    );
    let delivery = client().send(&get(&server.url("x"))).await;
    let Delivery::Replied(reply) = delivery else { panic!("{delivery:?}") };
    assert!(!reply.intact || reply.body == b"1;777", "{reply:?}");
}

#[tokio::test]
async fn a_broken_chunk_keeps_what_came_before_it() {
    let server = Server::answering(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n1;\r\nzz\r\n777\r\n0\r\n\r\n",
    );
    assert_eq!(client().send(&get(&server.url("x"))).await, replied(200, false, b"1;"));
}

#[tokio::test]
async fn a_compressed_body_is_left_as_it_is_and_not_intact() {
    let server = Server::answering(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00",
    );
    let delivery = client().send(&get(&server.url("x"))).await;
    assert_eq!(delivery, replied(200, false, b"\x1f\x8b\x08\x00"));
    assert!(!server.text().to_ascii_lowercase().contains("accept-encoding"));
}

#[tokio::test]
async fn a_body_over_the_cap_is_cut_and_not_intact() {
    let huge = vec![b'x'; 10 * 1024 * 1024];
    let length = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", huge.len());
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n", huge.len());
    for head in [length, chunked] {
        let server = Server::answering(&[head.as_bytes(), &huge, b"\r\n0\r\n\r\n"].concat());
        assert_eq!(client().send(&get(&server.url("x"))).await, replied(200, false, &huge[..CAP]));
    }
    for (len, intact) in [(CAP - 1, true), (CAP, true), (CAP + 1, false)] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n");
        let server = Server::answering(&[head.as_bytes(), &huge[..len]].concat());
        assert_eq!(client().send(&get(&server.url("x"))).await, replied(200, intact, &huge[..len.min(CAP)]));
    }
}

#[tokio::test]
async fn a_reply_that_drips_ends_with_the_time_out() {
    let drip = |bytes: &[u8]| {
        let steps = bytes.iter().flat_map(|byte| [Step::Write(vec![*byte]), Step::Wait(40)]);
        std::iter::once(Step::Request).chain(steps).collect::<Vec<_>>()
    };
    let long = b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n";
    let in_body =
        [vec![Step::Request, Step::Write(long.to_vec())], drip(&[b'1'; 200])[1..].to_vec()].concat();
    for script in [drip(long), in_body] {
        let server = Server::start(vec![script]);
        let client = hasty(200);
        let request = get(&server.url("x"));
        let delivery = tokio::time::timeout(Duration::from_secs(3), client.send(&request)).await;
        assert_eq!(delivery.unwrap(), Delivery::MaybeSent(NetFault::TimedOut));
        assert_eq!(server.count("x"), 1);
    }
}

#[tokio::test]
async fn a_redirect_is_a_reply_and_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let reply = format!("HTTP/1.1 {status} Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
        let server = Server::answering(reply.as_bytes());
        assert_eq!(client().send(&get(&server.url("x"))).await, replied(status, true, b""));
        assert_eq!((server.connections(), server.count("elsewhere")), (1, 0));
    }
}

#[tokio::test]
async fn refusals_that_libraries_like_to_repeat_are_replies() {
    for status in [401, 407, 408, 421, 425, 429, 500, 502, 503, 504] {
        let reply = format!("HTTP/1.1 {status} No\r\nRetry-After: 0\r\nContent-Length: 2\r\n\r\nno");
        let server = Server::answering(reply.as_bytes());
        assert_eq!(client().send(&get(&server.url("x"))).await, replied(status, true, b"no"));
        assert_eq!((server.connections(), server.count("x")), (1, 1));
    }
}

#[tokio::test]
async fn interim_replies_are_not_the_answer() {
    let server = Server::answering(&[b"HTTP/1.1 100 Continue\r\n\r\n", OK].concat());
    assert_eq!(client().send(&get(&server.url("x"))).await, replied(200, true, b"1;777"));
    let server = Server::answering(b"HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(client().send(&get(&server.url("x"))).await, Delivery::MaybeSent(NetFault::Broken));
    let server = Server::answering(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n1;777");
    match client().send(&get(&server.url("x"))).await {
        Delivery::Replied(reply) => assert_eq!((reply.status, reply.intact), (101, false)),
        Delivery::MaybeSent(fault) => assert_eq!(fault, NetFault::Broken),
        Delivery::NotSent(fault) => panic!("{fault:?}"),
    }
}

#[tokio::test]
async fn something_else_than_http_is_no_reply() {
    for garbage in [&b"1;777"[..], b"\r\n\r\n\r\n", b"HTTP/9.9 200 OK\r\n\r\n", b"SSH-2.0-x\r\n\r\n"] {
        let server = Server::answering(garbage);
        let delivery = client().send(&get(&server.url("x"))).await;
        assert_eq!(delivery, Delivery::MaybeSent(NetFault::Broken), "{garbage:?}");
        assert_eq!(server.count("x"), 1);
    }
}

#[tokio::test]
async fn a_form_is_sent_as_given() {
    let server =
        Server::start(vec![vec![Step::Request, Step::Read(9), Step::Write(OK.to_vec()), Step::Linger]]);
    let body = Some(("application/x-www-form-urlencoded", Secret::new("a=1&b=%20")));
    let request = HttpRequest { method: Method::Post, body, ..get(&server.url("form")) };
    assert_eq!(client().send(&request).await, replied(200, true, b"1;777"));
    let text = server.text();
    assert!(text.starts_with("POST /form HTTP/1.1\r\n"), "{text}");
    assert!(text.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"), "{text}");
    assert!(text.contains("\r\ncontent-length: 9\r\n") && text.ends_with("\r\n\r\na=1&b=%20"), "{text}");
    assert!(
        text.contains(concat!("\r\nuser-agent: bulk-topup/", env!("CARGO_PKG_VERSION"), "\r\n")),
        "{text}"
    );
}

#[tokio::test]
async fn no_connection_proves_that_nothing_was_sent() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let quick = NetOptions { connect_timeout: Duration::from_millis(200), ..options() };
    let client = Client::new(quick).unwrap();
    for url in [
        format!("http://{closed}/x"),
        format!("https://{closed}/x"),
        "http://no-such-host.invalid/x".to_owned(),
        "https://no-such-host.invalid/x".to_owned(),
        "not a url".to_owned(),
        "ftp://127.0.0.1/x".to_owned(),
    ] {
        assert_eq!(client.send(&get(&url)).await, Delivery::NotSent(NetFault::Connect), "{url}");
    }
}

#[tokio::test]
async fn a_failed_tls_handshake_proves_that_nothing_was_sent() {
    for script in [
        vec![Step::Read(20), Step::Write(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), Step::Linger],
        vec![Step::Read(20), Step::Linger],
        vec![Step::Linger],
    ] {
        let server = Server::start(vec![script]);
        let url = server.url("x").replace("http://", "https://");
        assert_eq!(client().send(&get(&url)).await, Delivery::NotSent(NetFault::Tls));
        assert_eq!(server.count("x"), 0);
    }
    let mute = Server::start(vec![vec![Step::Wait(2000)]]);
    let quick = Client::new(NetOptions { connect_timeout: Duration::from_millis(200), ..options() }).unwrap();
    let url = mute.url("x").replace("http://", "https://");
    assert_eq!(quick.send(&get(&url)).await, Delivery::NotSent(NetFault::Connect));
}

#[tokio::test]
async fn a_connect_time_limit_above_the_whole_one_still_proves() {
    let mute = Server::start(vec![vec![Step::Wait(2000)]]);
    let limits = NetOptions {
        timeout: Duration::from_millis(300),
        connect_timeout: Duration::from_secs(60),
        ..options()
    };
    let url = mute.url("x").replace("http://", "https://");
    let delivery = Client::new(limits).unwrap().send(&get(&url)).await;
    assert_eq!(delivery, Delivery::NotSent(NetFault::Connect));
}

fn through(proxy: &SocketAddr) -> Client {
    let proxy = Some(Secret::new(format!("http://user:hunter2@{proxy}")));
    Client::new(NetOptions { proxy, ..options() }).unwrap()
}

#[tokio::test]
async fn a_proxy_that_answers_a_plain_request_has_replied() {
    for status in [407, 502, 503, 504] {
        let reply = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n");
        let proxy = Server::answering(reply.as_bytes());
        let delivery = through(&proxy.at).send(&get("http://provider.invalid/x")).await;
        assert_eq!(delivery, replied(status, true, b""));
        assert!(proxy.text().starts_with("GET http://provider.invalid/x HTTP/1.1\r\n"), "{}", proxy.text());
    }
}

#[tokio::test]
async fn a_tunnel_that_does_not_come_about_proves_that_nothing_was_sent() {
    for answer in [
        &b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"[..],
        b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 No\r\n\r\n",
        b"garbage\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nno handshake of TLS",
    ] {
        let proxy = Server::answering(answer);
        let delivery = through(&proxy.at).send(&get("https://provider.invalid/private")).await;
        assert!(matches!(delivery, Delivery::NotSent(_)), "{answer:?}: {delivery:?}");
        assert!(proxy.text().starts_with("CONNECT provider.invalid:443 "), "{}", proxy.text());
        assert!(!proxy.text().contains("private"));
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in ["http://provider.invalid/x", "https://provider.invalid/x"] {
        assert_eq!(through(&closed).send(&get(url)).await, Delivery::NotSent(NetFault::Connect));
    }
}

#[tokio::test]
async fn the_environment_names_no_proxy() {
    const CHILD: &str = "BULK_TOPUP_TEST_PROXY_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let server = Server::answering(OK);
        assert_eq!(client().send(&get(&server.url("x"))).await, replied(200, true, b"1;777"));
        assert_eq!(server.count("x"), 1);
        return;
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = format!("http://{closed}");
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_environment_names_no_proxy"])
        .env(CHILD, "1")
        .envs([("HTTP_PROXY", &proxy), ("http_proxy", &proxy), ("ALL_PROXY", &proxy), ("all_proxy", &proxy)])
        .env_remove("REQUEST_METHOD")
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}
