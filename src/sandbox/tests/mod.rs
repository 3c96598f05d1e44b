//! Tests over the wire: requests written by hand, as the documents' samples are.

mod faults;
mod profile;
mod restart;
mod samples;
mod scenarios;
mod strict;

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Faults, Options, Sandbox, connect_topup, demo_accounts, envelope, start, tutom};

async fn sandbox(faults: &str) -> Sandbox {
    sandbox_on(faults, None, 7).await
}

async fn sandbox_on(faults: &str, log: Option<&Path>, seed: u64) -> Sandbox {
    let options = Options {
        addr: "127.0.0.1:0".parse().unwrap(),
        log: log.map(Path::to_owned),
        seed,
        faults: Faults::parse(faults).unwrap(),
    };
    start(options).await.unwrap()
}

/// What came back on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Heard {
    /// Zero: the connection ended before a whole head.
    status: u16,
    body: String,
    /// All of the promised length came.
    whole: bool,
}

impl Heard {
    fn json(&self) -> Value {
        assert_eq!((self.status, self.whole), (200, true), "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }

    fn text(&self) -> &str {
        assert_eq!((self.status, self.whole), (200, true), "{self:?}");
        self.body.trim()
    }
}

async fn hear(stream: &mut TcpStream) -> Heard {
    let mut bytes = Vec::new();
    let mut ended = false;
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            let length = head.split("content-length: ").nth(1).expect("a content-length");
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
            let body = &bytes[end + 4..];
            if ended || body.len() >= length {
                let whole = body.len() == length;
                return Heard { status, body: String::from_utf8(body.to_vec()).unwrap(), whole };
            }
        } else if ended {
            return Heard { status: 0, body: String::new(), whole: false };
        }
        let mut part = [0; 4096];
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => ended = true,
            Ok(length) => bytes.extend_from_slice(&part[..length]),
        }
    }
}

async fn send(sandbox: &Sandbox, request: &str) -> Heard {
    let mut stream = TcpStream::connect(sandbox.addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    hear(&mut stream).await
}

async fn get(sandbox: &Sandbox, target: &str) -> Heard {
    send(sandbox, &format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")).await
}

async fn post(sandbox: &Sandbox, target: &str, content_type: &str, body: &str) -> Heard {
    let length = body.len();
    let head = format!("Host: x\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n");
    send(sandbox, &format!("POST {target} HTTP/1.1\r\n{head}\r\n{body}")).await
}

/// The parameters of an OrderCreate, signed.
fn order(orderid: &str, mdn: &str, productid: &str) -> String {
    let account = demo_accounts();
    let sign = tutom::sign(&[account.tutom_open_id, account.tutom_app_key, orderid, mdn, productid]);
    let key = account.tutom_app_key;
    format!("appkey={key}&orderid={orderid}&sign={sign}&mdn={mdn}&productid={productid}")
}

async fn create(sandbox: &Sandbox, orderid: &str, mdn: &str, productid: &str) -> Heard {
    get(sandbox, &format!("/gateway/flowapi/OrderCreate?{}", order(orderid, mdn, productid))).await
}

async fn order_query(sandbox: &Sandbox, orderid: &str) -> Value {
    let key = demo_accounts().tutom_app_key;
    get(sandbox, &format!("/gateway/flowapi/OrderQuery?appkey={key}&orderid={orderid}")).await.json()
}

async fn list_by_phone(sandbox: &Sandbox, mdn: &str) -> Value {
    let key = demo_accounts().tutom_app_key;
    get(sandbox, &format!("/gateway/flowapi/ListByPhone?appkey={key}&mdn={mdn}")).await.json()
}

fn connect_user() -> String {
    let account = demo_accounts();
    format!("username={}&privatekey={}", account.connect_username, account.connect_private_key)
}

/// The address of a topup.jsp, signed.
fn topup_target(phone: &str, sotien: &str, id: &str) -> String {
    let account = demo_accounts();
    let parts = [account.connect_username, phone, sotien, account.connect_private_key];
    let sum = connect_topup::checksum(false, &parts);
    let id = if id.is_empty() { String::new() } else { format!("&transidclient={id}") };
    format!("/apipayment/topup.jsp?{}&phone={phone}&sotien={sotien}&checksum={sum}{id}", connect_user())
}

async fn topup(sandbox: &Sandbox, phone: &str, sotien: &str, id: &str) -> Heard {
    get(sandbox, &topup_target(phone, sotien, id)).await
}

async fn recheck(sandbox: &Sandbox, id: &str) -> String {
    let target = format!("/apipayment/recheck.jsp?{}&transidclient={id}", connect_user());
    get(sandbox, &target).await.text().to_owned()
}

async fn recheck_reference(sandbox: &Sandbox, reference: &str) -> String {
    get(sandbox, &format!("/apipayment/recheck.jsp?idtransaction={reference}")).await.text().to_owned()
}

async fn plain(sandbox: &Sandbox, call: &str, body: &Value) -> Heard {
    post(sandbox, &format!("/trade/topup/api/{call}"), "application/json", &body.to_string()).await
}

async fn wrapped(sandbox: &Sandbox, call: &str, body: &Value) -> Value {
    let account = demo_accounts();
    let content = STANDARD.encode(body.to_string());
    let sign = envelope::sign(&content, account.paynicorn_secret);
    let outer = json!({"content": content, "sign": sign, "appKey": account.paynicorn_app_key});
    let answer = plain(sandbox, call, &outer).await.json();
    assert_eq!(answer["responseCode"], "000000", "{answer}");
    let content = answer["content"].as_str().unwrap();
    assert_eq!(answer["sign"], envelope::sign(content, account.paynicorn_secret));
    serde_json::from_slice(&STANDARD.decode(content).unwrap()).unwrap()
}

fn airtime(id: &str, phone: &str, operator: &str, amount: u64) -> Value {
    json!({
        "transId": id,
        "appKey": demo_accounts().paynicorn_app_key,
        "countryCode": "NG",
        "bizType": "m_topup",
        "operatorCode": operator,
        "benefitNo": phone,
        "amount": amount,
        "memo": "",
    })
}

async fn airtime_query(sandbox: &Sandbox, id: &str) -> Value {
    plain(sandbox, "query", &json!({"appKey": demo_accounts().paynicorn_app_key, "transId": id})).await.json()
}

/// The lines of a charge log.
fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How many lines of this event the log has for this id.
fn count(path: &Path, event: &str, id: &str) -> usize {
    lines(path).iter().filter(|line| line["event"] == event && line["id"] == id).count()
}
