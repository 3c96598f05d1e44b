//! The charge log tells what happened, and a new start goes on where a kill left off.

use std::io::Write;
use std::time::Duration;

use super::super::{ChargeState, clock};
use super::*;

#[tokio::test]
async fn orders_balances_and_ids_outlive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("charges.ndjson");
    let first = sandbox_on("settle=1s", Some(&log), 7).await;
    topup(&first, "0912345678", "20000", "C1").await;
    topup(&first, "0912340001", "30000", "C2").await;
    topup(&first, "0912340002", "40000", "C3").await;
    topup(&first, "0912340003", "50000", "C4").await;
    assert_eq!(create(&first, "order1", "18610865680", "23").await.json()["state"], "10");
    let asked = airtime("V5", "9073540005", "NG_AIRTEL", 100);
    assert_eq!(plain(&first, "topup", &asked).await.json()["code"], 4014);
    assert_eq!(first.balance("connect-topup"), "499910000");
    let charges = first.charges();
    first.stop().await;
    let second = sandbox_on("settle=1s", Some(&log), 7).await;
    assert_eq!(second.charges(), charges);
    assert_eq!(second.balance("connect-topup"), "499910000");
    assert_eq!(second.balance("tutom"), "99954.0000");
    assert_eq!(topup(&second, "0912345678", "20000", "C1").await.text(), "-308");
    assert!(recheck(&second, "C2").await.starts_with("0;"));
    assert!(recheck(&second, "C4").await.starts_with("61;"));
    assert_eq!(plain(&second, "topup", &asked).await.json()["code"], 1200, "the second try of this id");
    clock::wait(Duration::from_millis(1200)).await;
    let states: Vec<ChargeState> = second.charges().iter().map(|charge| charge.state).collect();
    use ChargeState::{Completed, Refunded};
    assert_eq!(states, [Completed, Completed, Refunded, Completed, Completed], "settled without being asked");
    assert_eq!(second.balance("connect-topup"), "499950000");
    for (id, event) in [("C1", "complete"), ("C2", "complete"), ("C3", "fail"), ("order1", "complete")] {
        assert_eq!((count(&log, "charge", id), count(&log, event, id)), (1, 1), "{id}");
    }
    assert_eq!((count(&log, "charge", "C4"), count(&log, "fail", "C4")), (0, 1));
}

#[tokio::test]
async fn a_line_cut_by_a_kill_is_taken_off_and_anything_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("charges.ndjson");
    let first = sandbox_on("", Some(&log), 7).await;
    topup(&first, "0912345678", "20000", "C1").await;
    first.stop().await;
    let mut file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
    file.write_all(b"{\"at\":\"2026").unwrap();
    let second = sandbox_on("", Some(&log), 7).await;
    topup(&second, "0912345678", "20000", "C2").await;
    assert_eq!((count(&log, "charge", "C1"), count(&log, "charge", "C2")), (1, 1));
    second.stop().await;
    file.write_all(b"not a line").unwrap();
    let whole = std::fs::read(&log).unwrap();
    let options = Options {
        addr: "127.0.0.1:0".parse().unwrap(),
        log: Some(log.clone()),
        seed: 7,
        faults: Faults::default(),
    };
    assert!(start(options).await.unwrap_err().to_string().contains("no charge log"));
    assert_eq!(std::fs::read(&log).unwrap(), whole, "a file that is not ours stays as it is");
}

#[tokio::test]
async fn the_log_tells_of_every_submit_and_holds_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("charges.ndjson");
    let sandbox = sandbox_on("latency=300ms,rate=1/m", Some(&log), 7).await;
    tokio::join!(
        topup(&sandbox, "0912345678", "20000", "C1"),
        topup(&sandbox, "0912345678", "20000", "C2"),
        create(&sandbox, "order1", "18610865680", "24"),
    );
    topup(&sandbox, "0912345678", "2", "C3").await;
    topup(&sandbox, "0912340004", "20000", "C4").await;
    let lines = lines(&log);
    let requests: Vec<&Value> = lines.iter().filter(|line| line["event"] == "request").collect();
    assert_eq!(requests.len(), 5);
    assert!(requests.iter().any(|line| line["in_flight"] == 2));
    assert_eq!(sandbox.in_flight_most("connect-topup"), 2);
    assert_eq!(sandbox.in_flight_most("tutom"), 1);
    assert_eq!(requests.iter().filter(|line| line["over_rate"] == true).count(), 3);
    assert!(lines.iter().all(|line| clock::read(line["at"].as_str().unwrap()).is_some()));
    let charge = lines.iter().find(|line| line["event"] == "charge" && line["id"] == "order1").unwrap();
    for (name, value) in [
        ("provider", "tutom"),
        ("phone", "18610865680"),
        ("amount", "78.0000"),
        ("currency", "USD"),
        ("product", "24"),
        ("operator", "China Unicom"),
        ("code", "0"),
        ("balance", "99922.0000"),
    ] {
        assert_eq!(charge[name], value, "{name}");
    }
    let broken = lines.iter().find(|line| line["event"] == "malformed").unwrap();
    assert_eq!((&broken["id"], &broken["code"]), (&json!("C3"), &json!("5")));
    assert!(broken["malformed"].as_str().unwrap().contains("sotien"));
    let refused = lines.iter().find(|line| line["event"] == "refuse").unwrap();
    assert_eq!((&refused["id"], &refused["code"]), (&json!("C4"), &json!("6")));
    let text = std::fs::read_to_string(&log).unwrap();
    let account = demo_accounts();
    for secret in [account.connect_private_key, account.tutom_open_id, account.paynicorn_secret] {
        assert!(!text.contains(secret));
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_written_charges_nothing() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let sandbox = sandbox_on("", Some(full), 7).await;
    assert_eq!(topup(&sandbox, "0912345678", "20000", "C1").await.status, 500);
    assert!(sandbox.charges().is_empty());
    assert_eq!(sandbox.balance("connect-topup"), "500000000");
}
