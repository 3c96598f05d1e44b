//! The three providers on one port: every order is carried out, and the instant at which each request came in is
//! kept.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::serve::ListenerExt;

use crate::lane::Kind;

/// Every submit that comes in within this of the first throttled one is throttled too.
const THROTTLED_FOR_US: i64 = 150_000;

/// What every connection shares.
#[derive(Default)]
struct Book {
    /// Which provider, whether it was a submit, when, in microseconds.
    arrivals: Vec<(Kind, bool, i64)>,
    first_submit: Option<i64>,
    throttled_from: Option<i64>,
}

/// How the provider behaves.
#[derive(Clone, Copy)]
struct Habits {
    latency: Duration,
    /// Paynicorn asks to slow down so long after its first submit; none: never.
    throttles_after_us: Option<i64>,
}

/// Microseconds of the wall clock: the program records its submits by the same clock.
#[expect(clippy::disallowed_methods, reason = "the provider's own clock")]
pub fn wall_us() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros().try_into().unwrap()
}

/// Serves until the other end of its standard input is gone.
pub fn serve(latency_ms: u64, throttles_after_ms: i64) {
    // Whoever started it may be killed: it does not outlive that.
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let habits = Habits {
        latency: Duration::from_millis(latency_ms),
        throttles_after_us: (throttles_after_ms > 0).then_some(throttles_after_ms * 1000),
    };
    let book = Arc::new(Mutex::new(Book::default()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(4096).unwrap();
        println!("{}", listener.local_addr().unwrap());
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let router = Router::new().fallback(move |request| answer(request, habits, book.clone()));
        axum::serve(listener, router).await.unwrap();
    });
}

#[expect(clippy::disallowed_methods, reason = "the provider's own wait")]
async fn answer(
    request: Request,
    habits: Habits,
    book: Arc<Mutex<Book>>,
) -> ([(&'static str, &'static str); 1], String) {
    let at = wall_us();
    let json = [("content-type", "application/json")];
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let page = path.rsplit('/').next().unwrap_or_default();
    if page == "arrivals" {
        return (json, told_arrivals(&mut book.lock().unwrap()));
    }
    let Some(kind) = Kind::ALL.into_iter().find(|kind| path.contains(kind.base())) else {
        return (json, String::new());
    };
    let submit = page == kind.submit_page();
    let throttled = come_in(&mut book.lock().unwrap(), habits, kind, submit, at);
    let body = to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
    let text = if throttled {
        r#"{"code":4014,"msg":"too many requests"}"#.to_owned()
    } else {
        told(page, &query, std::str::from_utf8(&body).unwrap_or_default())
    };
    tokio::time::sleep(habits.latency).await;
    (json, text)
}

/// Keeps an arrival. True: it is told to slow down.
fn come_in(book: &mut Book, habits: Habits, kind: Kind, submit: bool, at: i64) -> bool {
    book.arrivals.push((kind, submit, at));
    if kind != Kind::Paynicorn || !submit {
        return false;
    }
    let Some(after) = habits.throttles_after_us else { return false };
    let first = *book.first_submit.get_or_insert(at);
    if at - first < after {
        return false;
    }
    let from = *book.throttled_from.get_or_insert(at);
    at - from <= THROTTLED_FOR_US
}

/// All of them so far, one a line.
fn told_arrivals(book: &mut Book) -> String {
    let mut text = String::new();
    for (kind, submit, at) in book.arrivals.drain(..) {
        writeln!(text, "{} {submit} {at}", kind.name()).unwrap();
    }
    text
}

fn told(page: &str, query: &str, body: &str) -> String {
    match page {
        "topup" | "query" => {
            let id = between(body, "\"transId\":\"", "\"");
            format!(r#"{{"code":1200,"msg":"success","result":{{"transId":"{id}","statusCode":"1"}}}}"#)
        }
        "queryOperatorCode" => {
            r#"{"code":1200,"msg":"success","result":{"countryCode":"NG","operatorCode":"NG_MTN"}}"#.to_owned()
        }
        "queryGoods" => r#"{"code":1200,"msg":"success","result":[{"productCode":"m_topup","countryCode":"NG","operatorCode":"NG_MTN","rechargeMinAmount":"50","rechargeMaxAmount":"50000","rechargeCurrency":"NGN","buyingType":"RANGE"}]}"#.to_owned(),
        "topup.jsp" => "1;83177410012345679".to_owned(),
        "userbalance.jsp" => "99999999999".to_owned(),
        "List" | "ListByPhone" => r#"{"response_code":"0","response_text":"Success.","productlist":[{"productid":"23","type":"2","operator":"China Unicom","data":"6GB","data_value":"6144","expiration_date":"2027-02-20","price":"46.0000","currency":"USD"}]}"#.to_owned(),
        "OrderCreate" => {
            let id = between(query, "orderid=", "&");
            format!(r#"{{"response_code":"0","response_text":"Success.","id":"T{id}","state":"10","price":"46.0000","currency":"USD"}}"#)
        }
        _ => String::new(),
    }
}

fn between<'a>(text: &'a str, before: &str, behind: &str) -> &'a str {
    let rest = text.split_once(before).map_or("", |(_, rest)| rest);
    rest.split_once(behind).map_or(rest, |(value, _)| value)
}

/// The provider in a process of its own.
pub struct Provider {
    child: Child,
    pub addr: String,
}

/// What came in at one provider.
#[derive(Default)]
pub struct Arrivals {
    pub submits: Vec<i64>,
    pub look_ups: Vec<i64>,
}

impl Provider {
    pub fn start(latency_ms: u64, throttles_after_ms: u64) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["provider", &latency_ms.to_string(), &throttles_after_ms.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut addr = String::new();
        let told = child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(told), &mut addr).unwrap();
        Self { child, addr: addr.trim().to_owned() }
    }

    /// What came in since it was last asked, in order, for each provider.
    pub fn arrivals(&self) -> impl Fn(Kind) -> Arrivals {
        let mut stream = TcpStream::connect(&self.addr).unwrap();
        stream.write_all(b"GET /arrivals HTTP/1.0\r\n\r\n").unwrap();
        let mut told = String::new();
        stream.read_to_string(&mut told).unwrap();
        let text = told.split_once("\r\n\r\n").unwrap().1.to_owned();
        move |kind| {
            let mut found = Arrivals::default();
            for line in text.lines() {
                let mut words = line.split(' ');
                let (name, submit, at) =
                    (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
                if name == kind.name() {
                    let list = if submit == "true" { &mut found.submits } else { &mut found.look_ups };
                    list.push(at.parse().unwrap());
                }
            }
            found.submits.sort_unstable();
            found.look_ups.sort_unstable();
            found
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
