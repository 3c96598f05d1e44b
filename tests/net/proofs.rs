//! Failures that prove that nothing was sent; proxies, and who may name one.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use bulk_topup::domain::{Delivery, NetFault, Secret};
use bulk_topup::net::{Client, NetOptions};

use crate::server::{OK, Server, Step, client, get, options, replied};

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
        .args(["--exact", "proofs::the_environment_names_no_proxy"])
        .env(CHILD, "1")
        .envs([("HTTP_PROXY", &proxy), ("http_proxy", &proxy), ("ALL_PROXY", &proxy), ("all_proxy", &proxy)])
        .env_remove("REQUEST_METHOD")
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}

/// Serves one secure connection with a certificate for 127.0.0.1; gives its port and the root that signed it.
fn secure_server() -> (SocketAddr, String) {
    let root_key = rcgen::KeyPair::generate().unwrap();
    let mut root = rcgen::CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root_pem = root.self_signed(&root_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(root, root_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let config = std::sync::Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut tcp = stream.unwrap();
            let mut tls = rustls::ServerConnection::new(std::sync::Arc::clone(&config)).unwrap();
            let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                head.extend_from_slice(&byte);
            }
            let _ = stream.write_all(OK);
            let _ = stream.flush();
        }
    });
    (at, root_pem)
}

#[tokio::test]
async fn a_secure_connection_stands_only_with_a_trusted_certificate() {
    const CHILD: &str = "BULK_TOPUP_TEST_TRUST_CHILD";
    if let Some(url) = std::env::var_os(CHILD) {
        let url = url.into_string().unwrap();
        let trusting = Client::new(NetOptions { tls: true, ..options() }).unwrap();
        assert_eq!(trusting.send(&get(&url)).await, replied(200, true, b"1;777"));
        // The name has to be right too.
        let other = url.replace("127.0.0.1", "localhost");
        assert_eq!(trusting.send(&get(&other)).await, Delivery::NotSent(NetFault::Tls));
        assert_eq!(client().send(&get(&url)).await, Delivery::NotSent(NetFault::Tls));
        return;
    }
    let (at, root) = secure_server();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("root.pem");
    std::fs::write(&file, root).unwrap();
    // The system's roots are read once in a process: a fresh one, which is told where they are.
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "proofs::a_secure_connection_stands_only_with_a_trusted_certificate"])
        .env(CHILD, format!("https://{at}/x"))
        .env("SSL_CERT_FILE", &file)
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}
