//! Each fault does what it says, and the seed decides whom it meets.

use std::time::Duration;

use super::super::clock;
use super::*;

async fn pay(sandbox: &Sandbox, id: &str) -> Heard {
    topup(sandbox, "0912345678", "20000", id).await
}

#[tokio::test]
async fn a_fault_before_acting_charges_nothing_and_one_after_it_does() {
    for (faults, status, whole, charges) in [
        ("drop_before=100", 0, false, 0),
        ("drop_after=100", 0, false, 1),
        ("http502_before=100", 502, true, 0),
        ("http502_after=100", 502, true, 1),
        ("http429=100", 429, true, 0),
        ("html=100", 200, true, 1),
    ] {
        let sandbox = sandbox(faults).await;
        let heard = pay(&sandbox, "C1").await;
        assert_eq!((heard.status, heard.whole), (status, whole), "{faults}");
        assert_eq!(sandbox.charges().len(), charges, "{faults}");
        assert_eq!(heard.body.contains("<html>"), status != 0, "{faults}");
    }
}

#[tokio::test]
async fn a_truncated_reply_promises_more_than_it_brings() {
    let sandbox = sandbox("truncate=100,lookup_truncate=100").await;
    let mut lengths = Vec::new();
    for place in 0..12 {
        let heard = pay(&sandbox, &format!("C{place}")).await;
        assert_eq!((heard.status, heard.whole), (200, false), "{heard:?}");
        lengths.push(heard.body.len());
    }
    lengths.sort_unstable();
    lengths.dedup();
    assert!(lengths.len() > 3, "cut at different places: {lengths:?}");
    assert_eq!(sandbox.charges().len(), 12);
    let target = format!("/apipayment/recheck.jsp?{}&transidclient=C1", connect_user());
    assert!(!get(&sandbox, &target).await.whole);
}

#[tokio::test]
async fn a_connection_lives_on_unless_it_is_closed_after_a_whole_reply() {
    for (faults, lives) in [("", true), ("close_after=100", false)] {
        let sandbox = sandbox(faults).await;
        let mut stream = TcpStream::connect(sandbox.addr()).await.unwrap();
        let request =
            |id| format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", topup_target("0912345678", "20000", id));
        stream.write_all(request("C1").as_bytes()).await.unwrap();
        assert!(hear(&mut stream).await.text().starts_with("1;"), "{faults}");
        clock::wait(Duration::from_millis(100)).await;
        // The write may fail on a closed connection; what counts is whether an answer comes.
        drop(stream.write_all(request("C2").as_bytes()).await);
        assert_eq!(hear(&mut stream).await.status == 200, lives, "{faults}");
        assert_eq!(sandbox.charges().len(), if lives { 2 } else { 1 });
    }
}

#[tokio::test]
async fn a_late_request_is_charged_after_its_connection_broke() {
    let sandbox = sandbox("late=100,late_by=600ms").await;
    assert_eq!(pay(&sandbox, "C1").await.status, 0);
    assert_eq!(recheck(&sandbox, "C1").await, "-99");
    assert!(sandbox.charges().is_empty());
    clock::wait(Duration::from_millis(800)).await;
    assert!(recheck(&sandbox, "C1").await.starts_with("1;"));
    assert_eq!(sandbox.charges().len(), 1);
}

#[tokio::test]
async fn a_client_that_hangs_up_is_charged_all_the_same() {
    let sandbox = sandbox("latency=500ms").await;
    let mut stream = TcpStream::connect(sandbox.addr()).await.unwrap();
    let request = format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", topup_target("0912345678", "20000", "C1"));
    stream.write_all(request.as_bytes()).await.unwrap();
    clock::wait(Duration::from_millis(20)).await;
    drop(stream);
    assert!(sandbox.charges().is_empty());
    clock::wait(Duration::from_millis(800)).await;
    assert_eq!(sandbox.charges().len(), 1);
}

#[tokio::test]
async fn outcomes_can_be_made_pending_failed_and_unclear() {
    let sandbox1 = sandbox("pending=100,settle=600ms,pending_fail=100").await;
    assert!(pay(&sandbox1, "C1").await.text().starts_with("0;"));
    assert!(recheck(&sandbox1, "C1").await.starts_with("0;"));
    clock::wait(Duration::from_millis(800)).await;
    assert!(recheck(&sandbox1, "C1").await.starts_with("61;"));
    assert_eq!(sandbox1.balance("connect-topup"), "500000000");
    let sandbox2 = sandbox("failed=100").await;
    assert_eq!(pay(&sandbox2, "C1").await.text(), "61");
    assert!(sandbox2.charges().is_empty());
    let sandbox3 = sandbox("ambiguous=100").await;
    let mut codes = Vec::new();
    for place in 0..40 {
        let id = format!("V{place}");
        let asked = airtime(&id, "9073542823", "NG_AIRTEL", 100);
        let code = plain(&sandbox3, "topup", &asked).await.json()["code"].as_u64().unwrap();
        codes.push(code);
        let known = airtime_query(&sandbox3, &id).await["code"] == 1200;
        assert_eq!(sandbox3.charges().iter().any(|charge| charge.id == id), known, "{id}");
    }
    assert!(codes.iter().all(|code| [4025, 4026, 4029].contains(code)), "{codes:?}");
    let charged = sandbox3.charges().len();
    assert!((5..35).contains(&charged), "about one half of 40 is charged: {charged}");
}

#[tokio::test]
async fn throttling_follows_the_rate_and_the_dice() {
    let dice = sandbox("throttle=100").await;
    let asked = airtime("V1", "9073542823", "NG_AIRTEL", 100);
    let code = plain(&dice, "topup", &asked).await.json()["code"].as_u64().unwrap();
    assert!([4014, 4033].contains(&code));
    assert_eq!(list_by_phone(&dice, "18610865680").await["response_code"], "21103");
    let rate = sandbox("rate=3/m").await;
    let mut codes = Vec::new();
    for place in 0..5 {
        let asked = airtime(&format!("V{place}"), "9073542823", "NG_AIRTEL", 100);
        codes.push(plain(&rate, "topup", &asked).await.json()["code"].as_u64().unwrap());
    }
    assert_eq!(codes, [1200, 1200, 1200, 4014, 4014]);
}

#[tokio::test]
async fn look_ups_can_break_and_can_be_blind_for_a_while() {
    let broken = sandbox("lookup_drop=100").await;
    assert!(pay(&broken, "C1").await.text().starts_with("1;"));
    assert_eq!(get(&broken, "/apipayment/recheck.jsp?idtransaction=1").await.status, 0);
    let gateway = sandbox("lookup_502=100").await;
    assert_eq!(get(&gateway, "/apipayment/recheck.jsp?idtransaction=1").await.status, 502);
    let blind = sandbox("not_found_for=600ms").await;
    assert_eq!(create(&blind, "order1", "18610865680", "23").await.json()["state"], "10");
    assert_eq!(order_query(&blind, "order1").await["response_code"], "21106");
    assert_eq!(create(&blind, "order1", "18610865680", "23").await.json()["response_code"], "21107");
    clock::wait(Duration::from_millis(800)).await;
    assert_eq!(order_query(&blind, "order1").await["state"], "10");
}

#[tokio::test]
async fn duplicate_ok_charges_a_repeated_id_again() {
    let sandbox = sandbox("duplicate_ok=1,pending=100").await;
    for _ in 0..2 {
        assert_eq!(create(&sandbox, "order1", "18610865680", "23").await.json()["response_code"], "0");
        assert!(pay(&sandbox, "C1").await.text().starts_with("0;"));
        let asked = airtime("V1", "9073542823", "NG_AIRTEL", 100);
        assert_eq!(plain(&sandbox, "topup", &asked).await.json()["code"], 1200);
    }
    let charges = sandbox.charges();
    assert_eq!(charges.len(), 6);
    let mut references: Vec<&str> = charges.iter().map(|charge| charge.reference.as_str()).collect();
    references.sort_unstable();
    references.dedup();
    assert_eq!(references.len(), 6);
}

#[tokio::test]
async fn a_forced_code_answers_the_submits_of_its_window_uncharged() {
    let sandbox = sandbox("connect_code=-4,paynicorn_lookup_code=4008,code_from=2,code_count=1").await;
    assert!(pay(&sandbox, "C1").await.text().starts_with("1;"));
    assert_eq!(pay(&sandbox, "C2").await.text(), "-4");
    assert!(pay(&sandbox, "C3").await.text().starts_with("1;"));
    assert_eq!(sandbox.charges().len(), 2);
    assert_eq!(airtime_query(&sandbox, "V1").await["code"], 4007);
    assert_eq!(airtime_query(&sandbox, "V1").await["code"], 4008);
}

/// What each of thirty orders meets, asked for in this order.
async fn fates(seed: u64, order: impl Iterator<Item = u32>) -> Vec<(u32, Heard)> {
    let faults = "drop_before=15,drop_after=15,truncate=15,ambiguous=20,failed=20,throttle=10";
    let sandbox = sandbox_on(faults, None, seed).await;
    let mut fates = Vec::new();
    for place in order {
        let asked = airtime(&format!("V{place}"), "9073542823", "NG_AIRTEL", 100);
        fates.push((place, plain(&sandbox, "topup", &asked).await));
    }
    fates.sort_by_key(|(place, _)| *place);
    fates
}

#[tokio::test]
async fn the_same_seed_gives_each_id_the_same_fate_in_any_order() {
    let forwards = fates(1, 0..30).await;
    assert_eq!(forwards, fates(1, (0..30).rev()).await);
    assert_ne!(forwards, fates(2, 0..30).await);
}

#[tokio::test]
async fn ended_orders_are_called_back_as_the_documents_say() {
    let ear = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = ear.local_addr().unwrap();
    let sandbox = sandbox(&format!(
        "settle=50ms,callback_tutom=http://{address}/t,callback_paynicorn=http://{address}/p"
    ))
    .await;
    let heard = async |ear: &tokio::net::TcpListener| {
        let (mut stream, _) = ear.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let mut length = 0;
        loop {
            length += stream.read(&mut request[length..]).await.unwrap();
            let text = String::from_utf8(request[..length].to_vec()).unwrap();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let promised = head.split("Content-Length: ").nth(1).unwrap().split("\r\n").next().unwrap();
                if body.len() == promised.parse::<usize>().unwrap() {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nsuccess").await.unwrap();
                    return (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned());
                }
            }
        }
    };
    let answer = create(&sandbox, "order1", "18610860002", "23").await.json();
    let reference = answer["id"].as_str().unwrap();
    let (path, body) = heard(&ear).await;
    let sign = tutom::sign(&[demo_accounts().tutom_app_key, reference, "order1"]);
    assert_eq!(path, "/t");
    assert_eq!(body, format!("tutomid={reference}&orderid=order1&sign={sign}&state=6"));
    let failed = airtime("V1", "9073540003", "NG_AIRTEL", 100);
    assert_eq!(plain(&sandbox, "topup", &failed).await.json()["code"], 1200);
    let asked = airtime("V2", "9073540001", "NG_AIRTEL", 100);
    assert_eq!(plain(&sandbox, "topup", &asked).await.json()["code"], 1200);
    let (path, body) = heard(&ear).await;
    assert_eq!(path, "/p");
    let body: Value = serde_json::from_str(&body).unwrap();
    let content = body["content"].as_str().unwrap();
    assert_eq!(body["sign"], envelope::sign(content, demo_accounts().paynicorn_secret));
    let told: Value = serde_json::from_slice(&STANDARD.decode(content).unwrap()).unwrap();
    assert_eq!((&told["originOrderNo"], &told["status"]), (&json!("V2"), &json!(1)), "failures are not told");
}
