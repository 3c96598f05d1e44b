//! The scenario numbers do what their table says.

use std::time::Duration;

use super::*;

const SETTLE: &str = "settle=800ms";

async fn pause(milliseconds: u64) {
    super::super::clock::wait(Duration::from_millis(milliseconds)).await;
}

#[tokio::test]
async fn tutoms_scenario_numbers_go_as_their_table_says() {
    let sandbox = sandbox(SETTLE).await;
    let mdn = |tail: &str| format!("1861086{tail}");
    for (tail, end) in [("0001", "10"), ("0002", "6")] {
        let answer = create(&sandbox, &format!("order{tail}"), &mdn(tail), "23").await.json();
        assert!(["-1", "2"].contains(&answer["state"].as_str().unwrap()), "{answer}");
        assert_eq!(list_by_phone(&sandbox, &mdn(tail)).await["response_code"], "21103");
        assert_eq!(create(&sandbox, "another", &mdn(tail), "23").await.json()["response_code"], "21103");
        assert_eq!(order_query(&sandbox, &format!("order{tail}")).await["state"], "2");
        pause(900).await;
        assert_eq!(order_query(&sandbox, &format!("order{tail}")).await["state"], end);
        assert_eq!(list_by_phone(&sandbox, &mdn(tail)).await["response_code"], "0");
    }
    assert_eq!(sandbox.balance("tutom"), "99954.0000", "what failed was given back");
    assert_eq!(create(&sandbox, "order0003", &mdn("0003"), "23").await.json()["state"], "6");
    assert_eq!(order_query(&sandbox, "order0003").await["state"], "6");
    assert_eq!(list_by_phone(&sandbox, &mdn("0004")).await["response_code"], "0");
    assert_eq!(create(&sandbox, "order0004", &mdn("0004"), "23").await.json()["response_code"], "21104");
    assert_eq!(list_by_phone(&sandbox, &mdn("0005")).await["response_code"], "21103");
    assert_eq!(list_by_phone(&sandbox, &mdn("0005")).await["response_code"], "0");
    assert_eq!(create(&sandbox, "order0005", &mdn("0005"), "23").await.json()["state"], "10");
    assert_eq!(create(&sandbox, "order0006", &mdn("0006"), "23").await.json()["response_code"], "21107");
    assert_eq!(order_query(&sandbox, "order0006").await["state"], "10");
    assert_eq!(create(&sandbox, "order0007", &mdn("0007"), "23").await.status, 0);
    assert_eq!(order_query(&sandbox, "order0007").await["state"], "10");
    assert_eq!(create(&sandbox, "order0008", &mdn("0008"), "23").await.json()["response_code"], "21107");
    assert_eq!(order_query(&sandbox, "order0008").await["response_code"], "21106");
    let ids: Vec<String> = sandbox.charges().into_iter().map(|charge| charge.id).collect();
    assert_eq!(ids, ["order0001", "order0002", "order0005", "order0006", "order0007"]);
    assert_eq!(sandbox.malformed(), Vec::<String>::new());
}

#[tokio::test]
async fn connect_topups_scenario_numbers_go_as_their_table_says() {
    let sandbox = sandbox(SETTLE).await;
    let phone = |tail: &str| format!("091234{tail}");
    for (tail, first, end) in
        [("0001", "0", "1"), ("0002", "0", "61"), ("0005", "0", "1"), ("0006", "-99", "1")]
    {
        let heard = topup(&sandbox, &phone(tail), "20000", tail).await;
        let (code, reference) = heard.text().split_once(';').unwrap();
        assert_eq!(code, first, "{tail}");
        let open = if tail == "0006" { end } else { "0" };
        assert_eq!(recheck_reference(&sandbox, reference).await, format!("{open};{reference}"));
        pause(900).await;
        assert_eq!(recheck_reference(&sandbox, reference).await, format!("{end};{reference}"));
    }
    assert_eq!(topup(&sandbox, &phone("0003"), "20000", "0003").await.text(), "61");
    assert!(recheck(&sandbox, "0003").await.starts_with("61;"));
    assert_eq!(topup(&sandbox, &phone("0004"), "20000", "0004").await.text(), "6");
    assert_eq!(topup(&sandbox, &phone("0007"), "20000", "0007").await.status, 0);
    assert!(recheck(&sandbox, "0007").await.starts_with("1;"));
    let heard = topup(&sandbox, &phone("0008"), "20000", "0008").await;
    let reference = heard.text().strip_prefix("0;").unwrap();
    assert_eq!(recheck_reference(&sandbox, reference).await, format!("61;{reference}"));
    assert_eq!(sandbox.balance("connect-topup"), "499920000", "four are paid for");
    assert_eq!(sandbox.malformed(), Vec::<String>::new());
}

#[tokio::test]
async fn paynicorns_scenario_numbers_go_as_their_table_says() {
    let sandbox = sandbox(SETTLE).await;
    let ask = async |tail: &str| {
        let asked = airtime(&format!("V{tail}"), &format!("907354{tail}"), "NG_AIRTEL", 100);
        plain(&sandbox, "topup", &asked).await
    };
    for (tail, end) in [("0001", "1"), ("0002", "2")] {
        assert_eq!(ask(tail).await.json()["result"]["statusCode"], "0");
        assert_eq!(airtime_query(&sandbox, &format!("V{tail}")).await["result"]["statusCode"], "0");
        pause(900).await;
        assert_eq!(airtime_query(&sandbox, &format!("V{tail}")).await["result"]["statusCode"], end);
    }
    assert_eq!(ask("0003").await.json()["result"]["statusCode"], "2");
    let asked = json!({"countryCode": "NG", "nationalPhoneNo": "09073540004"});
    assert_eq!(plain(&sandbox, "queryOperatorCode", &asked).await.json()["code"], 1200);
    assert_eq!(ask("0004").await.json()["code"], 4030);
    assert_eq!(ask("0005").await.json()["code"], 4014);
    assert_eq!(ask("0005").await.json()["result"]["statusCode"], "1");
    assert_eq!(ask("0006").await.json(), json!({"code": 4026, "msg": "merchant Overbooking"}));
    assert_eq!(airtime_query(&sandbox, "V0006").await["result"]["statusCode"], "1");
    assert_eq!(ask("0007").await.status, 0);
    assert_eq!(airtime_query(&sandbox, "V0007").await["result"]["statusCode"], "1");
    assert_eq!(ask("0008").await.json()["code"], 4029);
    assert_eq!(airtime_query(&sandbox, "V0008").await["code"], 4007);
    assert_eq!(sandbox.balance("paynicorn"), "49999600.00", "four are paid for");
    assert_eq!(sandbox.malformed(), Vec::<String>::new());
}

#[tokio::test]
async fn a_slow_order_is_charged_at_once_and_answered_after_three_seconds() {
    let sandbox = sandbox("").await;
    let slow = topup(&sandbox, "0912340009", "20000", "C9");
    let watch = async {
        pause(1000).await;
        sandbox.charges().len()
    };
    let both = async { tokio::join!(slow, watch) };
    tokio::pin!(both);
    let early = tokio::time::timeout(Duration::from_millis(2500), &mut both).await;
    assert!(early.is_err(), "answered too early");
    let (heard, charged) = both.await;
    assert_eq!(charged, 1);
    assert!(heard.text().starts_with("1;"));
}
