//! `listen` and `run --listen` as programs: what they say, how they end, and what their hints do to a run.

use std::net::{SocketAddr, TcpListener};
use std::process::{Output, Stdio};
use std::time::Duration;

use bulk_topup::domain::{AccountId, Attempt, BatchName, ProviderKind, RowNumber, TransactionId};
use bulk_topup::ledger::{FoundBatch, Ledger};
use bulk_topup::run::Clock;
use bulk_topup::sandbox::{ChargeState, demo_accounts};
use rustix::process::Signal;
use sha2::{Digest, Sha256};

use crate::fixture::{
    Ground, PATH_SECRET, get, id, md5_hex, path, paynicorn_body, post, tutom_fields, until,
};
use crate::program::{Providers, Site};

const FILE: &str = "phone,amount,product\n+8618610865680,100,23\n+2349073542823,100,\n";
const NOBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Orders that end three seconds after they were taken, and are called back there.
fn calling_back(at: SocketAddr) -> Providers {
    Providers::start(&format!(
        "pending=100,settle=3s,callback_tutom=http://{at}{},callback_paynicorn=http://{at}{}",
        path("china"),
        path("nigeria")
    ))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn all_completed(providers: &Providers) -> bool {
    let charges = providers.sandbox.charges();
    charges.len() == 2 && charges.iter().all(|charge| charge.state == ChargeState::Completed)
}

#[test]
fn a_listener_in_another_process_lets_a_run_settle_long_before_its_schedule() {
    let site = Site::new();
    site.write("pay.csv", FILE);
    site.configure("listen.toml", NOBODY, Some(ANY_PORT), "20s");
    let mut listening = site.listen("listen.toml");
    let providers = calling_back(listening.address);
    site.configure("run.toml", providers.address(), None, "20s");
    let clock = Clock::new();
    let start = clock.now().tick;
    let output = site.run("run.toml", &["run", "pay.csv", "--yes", "--settle-for", "60s"]);
    let took = clock.now().tick.since(start);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(took < Duration::from_secs(15), "it took {took:?}: no hint was taken");
    assert!(all_completed(&providers));
    let (code, rest, said) = listening.end(Signal::TERM);
    assert_eq!((code, rest.as_str()), (Some(0), ""));
    assert!(said.contains("received 2, stored 2, repeated 0, unknown 0, refused 0"), "{said}");
}

#[test]
fn without_a_listener_the_same_run_is_still_open_then() {
    let site = Site::new();
    site.write("pay.csv", FILE);
    let providers = Providers::start("pending=100,settle=3s");
    site.configure("run.toml", providers.address(), None, "20s");
    let output = site.run("run.toml", &["run", "pay.csv", "--yes", "--settle-for", "8s"]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(all_completed(&providers));
}

#[test]
fn a_run_that_listens_itself_is_helped_as_well() {
    let site = Site::new();
    site.write("pay.csv", FILE);
    // The sandbox has to know the address before the run has it.
    let at = TcpListener::bind(ANY_PORT).unwrap().local_addr().unwrap();
    let providers = calling_back(at);
    site.configure("run.toml", providers.address(), Some(ANY_PORT), "20s");
    let clock = Clock::new();
    let start = clock.now().tick;
    let address = at.to_string();
    let args = ["run", "pay.csv", "--yes", "--settle-for", "60s", "-v", "--json", "--listen", &address];
    let output = site.run("run.toml", &args);
    let took = clock.now().tick.since(start);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(took < Duration::from_secs(15), "it took {took:?}: no hint was taken");
    assert!(said.contains(&format!("Listening for callbacks at {at}")), "{said}");
    assert!(said.contains("callbacks: received 2, stored 2,"), "{said}");
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["counts"]["succeeded"], 2, "stdout holds the summary alone");
}

#[test]
fn callbacks_that_lie_about_every_order_change_no_outcome() {
    let site = Site::new();
    site.write("pay.csv", FILE);
    site.configure("listen.toml", NOBODY, Some(ANY_PORT), "500ms");
    let mut listening = site.listen("listen.toml");
    let at = listening.address;
    let providers = Providers::start("pending=100,settle=4s");
    site.configure("run.toml", providers.address(), None, "500ms");
    let batch = BatchName::of_file("pay", &Sha256::digest(FILE).into());
    let demo = demo_accounts();
    let attempt = |kind, key, row| {
        TransactionId::derive(&AccountId::new(kind, key), &batch, RowNumber(row), Attempt(1))
    };
    let china = attempt(ProviderKind::Tutom, demo.tutom_app_key, 1);
    let nigeria = attempt(ProviderKind::Paynicorn, demo.paynicorn_app_key, 2);
    let mut child = site.command("run.toml", &["run", "pay.csv", "--yes", "--settle-for", "60s"]);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut told = 0_u32;
    // Rightly signed, as whoever saw one URL could: failed, while the order is open and before and after.
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        let fields = tutom_fields(china.as_str(), "FORGED", "6");
        assert!(get(at, &format!("{}?{fields}", path("china"))).is_success());
        let lie = paynicorn_body(nigeria.as_str(), "FORGED", 2);
        assert!(post(at, &path("nigeria"), "application/json", &lie).is_success());
        told += 2;
        crate::fixture::wait_ms(20);
    };
    assert_eq!(status.code(), Some(0));
    assert!(told > 50 && all_completed(&providers));
    let results = std::fs::read_to_string(site.path("pay.results.csv")).unwrap();
    assert!(!results.contains("FORGED"), "{results}");
    let ledger = Ledger::open_read(&site.ledger()).unwrap();
    let hints = ledger.hints_after(0, 1_000).unwrap();
    assert!((2..=12).contains(&hints.len()), "{} hints of {told} callbacks", hints.len());
    let FoundBatch::One(info) = ledger.find_batch(batch.as_str()).unwrap() else { unreachable!() };
    assert!(ledger.verify(info.id).unwrap().is_clean());
    listening.end(Signal::INT);
}

/// `FORGED=1000000 cargo test --test callbacks flood` for a larger flood (a multiple of 4).
#[test]
fn a_flood_of_forged_callbacks_grows_neither_memory_nor_ledger() {
    let amount: usize = std::env::var("FORGED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000);
    const CLIENTS: usize = 8;
    let ground = Ground::new(2, 2);
    let site = Site::new();
    site.configure("listen.toml", NOBODY, Some(ANY_PORT), "2s");
    let text = std::fs::read_to_string(site.path("listen.toml")).unwrap();
    let ledger = ground.ledger.to_str().unwrap();
    site.write("listen.toml", &text.replace("\"ledger.db\"", &format!("{ledger:?}")));
    let mut listening = site.listen("listen.toml");
    let at = listening.address;
    let forged = move |number: usize| {
        let known = id(1);
        let nobodys = format!("{number:024}");
        match number % 4 {
            // A known id under a wrong signature.
            0 => get(
                at,
                &format!(
                    "{}?tutomid=T{number}&orderid={known}&sign={}&state=10",
                    path("china"),
                    md5_hex(&nobodys)
                ),
            ),
            // Rightly signed, of no order of ours: one read each.
            1 => get(at, &format!("{}?{}", path("china"), tutom_fields(&nobodys, "T", "6"))),
            2 => post(at, &path("nigeria"), "application/json", &paynicorn_body(&nobodys, "P", 1)),
            // Not signed at all, and large.
            _ => {
                let filler = "x".repeat(8_000);
                let body =
                    format!(r#"{{"originOrderNo":"{known}","status":1,"verified":true,"f":"{filler}"}}"#);
                post(at, &path("nigeria"), "application/json", &body)
            }
        }
    };
    let flood = |range: std::ops::Range<usize>| {
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let range = range.clone();
                scope.spawn(move || {
                    for number in range.filter(|number| number % CLIENTS == client) {
                        let answer = forged(number);
                        let success = matches!(number % 4, 1 | 2);
                        assert_eq!(answer.is_success(), success, "{number}: {answer:?}");
                    }
                });
            }
        });
    };
    // What it takes once for buffers and caches is no growth.
    flood(0..2_000);
    let before = listening.memory_kib();
    flood(2_000..amount);
    let after = listening.memory_kib();
    assert!(after < before + 8 * 1024, "from {before} to {after} KiB");
    assert_eq!(ground.hints(), []);
    // And a true one gets through.
    let good = tutom_fields(id(1).as_str(), "1XNPXS", "10");
    assert!(get(at, &format!("{}?{good}", path("china"))).is_success());
    assert_eq!(ground.hinted(), [id(1)]);
    let (code, rest, said) = listening.end(Signal::INT);
    assert_eq!((code, rest.as_str()), (Some(0), ""));
    let (all, half) = (amount + 1, amount / 2);
    let told =
        format!("received {all}, stored 1, repeated 0, unknown {half}, refused {half} (forged {half})");
    assert!(said.contains(&told), "{said}");
    assert!(said.lines().count() < 60 + amount / 1000, "it told of single callbacks");
    let demo = demo_accounts();
    for secret in [PATH_SECRET, demo.tutom_app_key, demo.tutom_open_id, demo.paynicorn_secret, id(1).as_str()]
    {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn listening_needs_a_path_secret_and_says_what_to_add() {
    let site = Site::new();
    site.write("pay.csv", FILE);
    site.configure("bare.toml", NOBODY, None, "2s");
    for args in [&["listen"][..], &["run", "pay.csv", "--yes", "--listen", "127.0.0.1:0"]] {
        let output = site.run("bare.toml", args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(output.stdout.is_empty());
        assert!(said.contains("[listen]") && said.contains("path_secret = { file"), "{said}");
    }
    let batches = Ledger::open_read(&site.ledger()).map(|ledger| ledger.batches().unwrap());
    assert!(batches.is_err() || batches.is_ok_and(|batches| batches.is_empty()), "nothing was admitted");
}

#[test]
fn an_address_that_is_taken_is_refused_before_anything_is_sent() {
    let site = Site::new();
    site.write("pay.csv", FILE);
    let taken = TcpListener::bind(ANY_PORT).unwrap();
    let address = taken.local_addr().unwrap();
    let providers = Providers::start("");
    site.configure("run.toml", providers.address(), Some(address), "2s");
    for args in [&["listen"][..], &["run", "pay.csv", "--yes", "--listen", &address.to_string()]] {
        let output = site.run("run.toml", args);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(&address.to_string()));
    }
    assert!(providers.sandbox.charges().is_empty());
}

#[test]
fn a_listener_ends_at_once_on_each_signal_even_with_a_client_that_lingers() {
    for signal in [Signal::INT, Signal::TERM] {
        let site = Site::new();
        site.configure("listen.toml", NOBODY, Some(ANY_PORT), "2s");
        let mut listening = site.listen("listen.toml");
        let lingering = std::net::TcpStream::connect(listening.address).unwrap();
        let clock = Clock::new();
        let start = clock.now().tick;
        let (code, ..) = listening.end(signal);
        assert_eq!(code, Some(0));
        assert!(clock.now().tick.since(start) < Duration::from_secs(5));
        drop(lingering);
        assert!(until(|| std::net::TcpStream::connect(listening.address).is_err()));
    }
}
