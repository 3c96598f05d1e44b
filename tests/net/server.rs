//! A raw server that closes, lies and lingers as told, and clients for it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bulk_topup::domain::{Delivery, HttpRequest, Method, Reply, Secret};
use bulk_topup::net::{Client, NetOptions};

pub const CAP: usize = 64 * 1024;
pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1;777";

/// What the server does with one connection, step by step; it closes after the last one.
#[derive(Clone)]
pub enum Step {
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
pub struct Server {
    pub at: SocketAddr,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
    lingering: Arc<AtomicUsize>,
    gone: Arc<AtomicUsize>,
}

impl Server {
    pub fn start(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&seen);
        let (lingering, gone) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = [Arc::clone(&lingering), Arc::clone(&gone)];
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let script = scripts.get(number).or(scripts.last()).cloned().unwrap_or_default();
                let (all, counts) = (Arc::clone(&all), counts.clone());
                all.lock().unwrap().push(Vec::new());
                thread::spawn(move || play(&script, stream.unwrap(), number, &all, &counts));
            }
        });
        Self { at, seen, lingering, gone }
    }

    pub fn answering(reply: &[u8]) -> Self {
        Self::start(vec![vec![Step::Request, Step::Write(reply.to_vec())]])
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.at)
    }

    /// How many requests with this path the server saw, whole or in part.
    pub fn count(&self, path: &str) -> usize {
        let line = format!("/{path} ");
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|bytes| String::from_utf8_lossy(bytes).matches(&line).count()).sum()
    }

    pub fn bytes(&self) -> usize {
        self.seen.lock().unwrap().iter().map(Vec::len).sum()
    }

    /// How many connections the server said the end of.
    pub fn lingering(&self) -> usize {
        self.lingering.load(Ordering::SeqCst)
    }

    /// How many connections the client closed while the server lingered.
    pub fn gone(&self) -> usize {
        self.gone.load(Ordering::SeqCst)
    }

    pub fn connections(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub fn text(&self) -> String {
        self.seen.lock().unwrap().iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }
}

fn play(
    script: &[Step],
    mut stream: TcpStream,
    number: usize,
    all: &Mutex<Vec<Vec<u8>>>,
    [lingering, gone]: &[Arc<AtomicUsize>; 2],
) {
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
                lingering.fetch_add(1, Ordering::SeqCst);
                let mut rest = Vec::new();
                if stream.read_to_end(&mut rest).is_ok() {
                    gone.fetch_add(1, Ordering::SeqCst);
                }
                note(&rest);
            }
        }
    }
}

pub fn options() -> NetOptions {
    NetOptions {
        timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(2),
        tls: false,
        ..NetOptions::default()
    }
}

pub fn hasty(timeout_ms: u64) -> NetOptions {
    NetOptions { timeout: Duration::from_millis(timeout_ms), ..options() }
}

pub fn client() -> Client {
    Client::new(options()).unwrap()
}

/// How a client reaches the server.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    Direct,
    /// The server is the proxy, and answers a plain request itself.
    Proxied,
}

impl Way {
    pub const BOTH: [Self; 2] = [Self::Direct, Self::Proxied];

    pub fn client(self, server: &Server, options: NetOptions) -> Client {
        let proxy = match self {
            Self::Direct => None,
            Self::Proxied => Some(Secret::new(format!("http://{}", server.at))),
        };
        Client::new(NetOptions { proxy, ..options }).unwrap()
    }
}

pub fn get(url: &str) -> HttpRequest {
    HttpRequest { method: Method::Get, url: Secret::new(url), body: None, reply_bytes_max: CAP }
}

pub fn replied(status: u16, intact: bool, body: &[u8]) -> Delivery {
    Delivery::Replied(Reply { status, intact, body: body.to_vec() })
}

/// The claims that hold for every single send.
pub fn check_claims(server: &Server, path: &str, delivery: &Delivery) {
    assert!(server.count(path) <= 1, "{path} was on the wire {} times: {delivery:?}", server.count(path));
    match delivery {
        Delivery::NotSent(_) => assert_eq!(server.count(path), 0, "{path} was seen: {delivery:?}"),
        Delivery::Replied(_) | Delivery::MaybeSent(_) => {}
    }
}

/// Bytes of a request for `path` on the wire.
pub async fn request_len(way: Way, path: &str) -> usize {
    let server = Server::answering(OK);
    way.client(&server, options()).send(&get(&server.url(path))).await;
    // Ports have four or five digits; the longer one reads a byte more at most.
    server.bytes()
}
