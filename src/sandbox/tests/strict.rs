//! A request that breaks its document is refused by the document's code, and counted.

use serde_json::json;

use super::*;

#[tokio::test]
async fn tutom_refuses_what_its_document_does_not_allow() {
    let sandbox = sandbox("").await;
    let good = order("test001", "18610865680", "23");
    let sign = good.split("sign=").nth(1).unwrap().split('&').next().unwrap();
    let cases = [
        (good.replace("mdn=18610865680", "mdn=1861086568"), "21104"),
        (good.replace("mdn=18610865680", "mdn=%2B86186108"), "21104"),
        (good.replace(sign, &sign.to_lowercase()), "21105"),
        (good.replace(sign, "0"), "21105"),
        (good.replace("&productid=23", ""), "21104"),
        (format!("{good}&mdn=18610865680"), "21104"),
        (format!("{good}&openid=demo-open-id"), "21107"),
        (order("t001", "18610865680", "23"), "21107"),
        (order(&"t".repeat(33), "18610865680", "23"), "21107"),
        (order("test001", "18610865680", "77"), "21120"),
        (good.replace("appkey=7", "appkey=8"), "11001"),
    ];
    for (place, (query, code)) in cases.iter().enumerate() {
        let answer = get(&sandbox, &format!("/gateway/flowapi/OrderCreate?{query}")).await.json();
        assert_eq!(answer["response_code"], *code, "{query}");
        assert_eq!(sandbox.malformed().len(), place + 1, "{query}");
    }
    let wrong =
        send(&sandbox, "PUT /gateway/flowapi/List HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(wrong.status, 405);
    assert_eq!(create(&sandbox, "test001", "13910865680", "23").await.json()["response_code"], "21121");
    assert_eq!(create(&sandbox, "test001", "19210865680", "23").await.json()["response_code"], "21104");
    assert_eq!(
        sandbox.malformed().len(),
        cases.len() + 1,
        "another operator's product breaks no rule of form"
    );
    assert!(sandbox.charges().is_empty());
}

#[tokio::test]
async fn connect_topup_refuses_what_its_document_does_not_allow() {
    let sandbox = sandbox("").await;
    let good = topup_target("0912345678", "20000", "C1");
    let sum = good.split("checksum=").nth(1).unwrap().split('&').next().unwrap();
    let cases = [
        (topup_target("912345678", "20000", "C1"), "6"),
        (topup_target("84912345678", "20000", "C1"), "6"),
        (topup_target("0212345678", "20000", "C1"), "6"),
        (topup_target("0912345678", "20.000", "C1"), "5"),
        (topup_target("0912345678", "20000.00", "C1"), "5"),
        (topup_target("0912345678", "25000", "C1"), "5"),
        (topup_target("0912345678", "0", "C1"), "5"),
        (topup_target("0912345678", "020000", "C1"), "5"),
        (good.replace(sum, &sum.to_uppercase()), "-6"),
        (good.replace("privatekey=demo", "privatekey=x"), "-6"),
        (good.replace("username=demo", "username=x"), "-302"),
        (good.replace(&format!("&checksum={sum}"), ""), "-6"),
        (format!("{good}&gateway=VIETTEL"), "-304"),
        (format!("{good}&amount=20000"), "-302"),
        ("/apipayment/recheck.jsp".to_owned(), "-99"),
        (format!("/apipayment/userbalance.jsp?{}&checksum={sum}", connect_user()), "-6"),
    ];
    for (place, (target, code)) in cases.iter().enumerate() {
        assert_eq!(get(&sandbox, target).await.text(), *code, "{target}");
        assert_eq!(sandbox.malformed().len(), place + 1, "{target}");
    }
    let form = "application/x-www-form-urlencoded";
    assert_eq!(post(&sandbox, "/apipayment/topup.jsp", form, "a=b").await.status, 405);
    let before = sandbox.malformed().len();
    assert_eq!(get(&sandbox, &format!("{good}&gateway=VTL")).await.text(), "6", "another operator's gateway");
    assert_eq!(topup(&sandbox, "0871234567", "20000", "C2").await.text(), "6", "no gateway for this range");
    assert!(sandbox.charges().is_empty());
    assert!(get(&sandbox, &format!("{good}&gateway=VNP")).await.text().starts_with("1;"));
    let named = format!("{}&gateway=VNP", topup_target("0871234567", "20000", "C3"));
    assert!(get(&sandbox, &named).await.text().starts_with("1;"));
    assert_eq!(sandbox.malformed().len(), before);
}

#[tokio::test]
async fn paynicorn_refuses_what_its_document_does_not_allow() {
    let sandbox = sandbox("").await;
    let good = airtime("V1", "9073542823", "NG_AIRTEL", 1000);
    let with = |name: &str, value: Value| {
        let mut asked = good.clone();
        asked[name] = value;
        asked
    };
    let cases = [
        (with("transId", json!("")), 4008),
        (with("transId", json!(17)), 4008),
        (with("appKey", json!("other")), 4024),
        (with("countryCode", json!("GH")), 4031),
        (with("bizType", json!("m_data")), 4003),
        (with("operatorCode", json!("NG_MTN")), 4032),
        (with("operatorCode", json!("9mobile")), 4011),
        (with("benefitNo", json!("2349073542823")), 4006),
        (with("benefitNo", json!("+9073542823")), 4006),
        (with("benefitNo", json!("")), 4010),
        (with("amount", json!("1000")), 4004),
        (with("amount", json!(-1000)), 4004),
        (with("amount", json!(100.125)), 4004),
    ];
    for (place, (asked, code)) in cases.iter().enumerate() {
        assert_eq!(plain(&sandbox, "topup", asked).await.json()["code"], *code, "{asked}");
        assert_eq!(sandbox.malformed().len(), place + 1, "{asked}");
    }
    let before = sandbox.malformed().len();
    assert_eq!(plain(&sandbox, "topup", &with("amount", json!(49))).await.json()["code"], 4004);
    assert_eq!(sandbox.malformed().len(), before, "an amount that is not sold breaks no rule of form");
    assert!(sandbox.charges().is_empty());
}

#[tokio::test]
async fn paynicorns_gateway_refuses_what_it_cannot_read() {
    let sandbox = sandbox("").await;
    let account = demo_accounts();
    let content = STANDARD.encode(airtime("V1", "9073542823", "NG_AIRTEL", 1000).to_string());
    let sign = envelope::sign(&content, account.paynicorn_secret);
    let key = account.paynicorn_app_key;
    let twice = r#"{"appKey":"T90B124766qU95d385O4","transId":"1","transId":"2"}"#;
    let kind = "application/json";
    let cases = [
        (kind, String::new(), "204000"),
        (kind, "[]".to_owned(), "204003"),
        ("text/plain", "{}".to_owned(), "204003"),
        (kind, json!({"content": content, "sign": sign}).to_string(), "204002"),
        (kind, json!({"content": content, "sign": sign.to_uppercase(), "appKey": key}).to_string(), "204004"),
        (kind, json!({"content": content, "sign": sign, "appKey": "x"}).to_string(), "204005"),
        (kind, json!({"content": content, "sign": sign, "appKey": key, "x": 1}).to_string(), "204003"),
    ];
    for (kind, body, code) in cases {
        let answer = post(&sandbox, "/trade/topup/api/topup", kind, &body).await.json();
        assert_eq!(answer["responseCode"], code, "{body}");
    }
    assert_eq!(post(&sandbox, "/trade/topup/api/query", kind, twice).await.json()["code"], 4008);
    assert_eq!(get(&sandbox, "/trade/topup/api/query").await.status, 405);
    assert_eq!(sandbox.malformed().len(), 9);
    assert!(sandbox.charges().is_empty());
}

#[tokio::test]
async fn other_paths_garbage_and_giants_are_survived() {
    let sandbox = sandbox("").await;
    assert_eq!(get(&sandbox, "/gateway/flowapi/list").await.status, 404);
    assert_eq!(get(&sandbox, "/").await.status, 404);
    let giant = "x".repeat(70_000);
    let status = post(&sandbox, "/trade/topup/api/topup", "application/json", &giant).await.status;
    assert!(status == 413 || status == 0, "{status}");
    for garbage in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET /apipayment/topup.jsp?%FF%=&&==;; HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        send(&sandbox, garbage).await;
    }
    for body in ["{", "\"", "{\"content\":null,\"sign\":{}}", "{\"amount\":1e999,\"transId\":[]}", "nul"] {
        let heard = post(&sandbox, "/trade/topup/api/topup", "application/json", body).await;
        assert_eq!((heard.status, heard.whole), (200, true), "{body}");
    }
    assert!(topup(&sandbox, "0912345678", "20000", "C1").await.text().starts_with("1;"), "still in service");
}

#[tokio::test]
async fn a_repeated_id_is_refused_and_an_empty_account_too() {
    let sandbox = sandbox("usd_balance=50,vnd_balance=30000,ngn_balance=1500.5").await;
    assert_eq!(create(&sandbox, "order1", "18610865680", "23").await.json()["state"], "10");
    assert_eq!(create(&sandbox, "order1", "18610865680", "23").await.json()["response_code"], "21107");
    assert_eq!(create(&sandbox, "order2", "18610865680", "23").await.json()["response_code"], "21102");
    assert_eq!(create(&sandbox, "order3", "18610865681", "8").await.json()["response_code"], "21102");
    assert!(topup(&sandbox, "0912345678", "20000", "C1").await.text().starts_with("1;"));
    assert_eq!(topup(&sandbox, "0912345678", "20000", "C1").await.text(), "-308");
    assert_eq!(topup(&sandbox, "0912345678", "20000", "C2").await.text(), "-3");
    assert!(topup(&sandbox, "0912345678", "10000", "C3").await.text().starts_with("1;"), "down to nothing");
    let asked = airtime("V1", "9073542823", "NG_AIRTEL", 1000);
    assert_eq!(plain(&sandbox, "topup", &asked).await.json()["code"], 1200);
    assert_eq!(plain(&sandbox, "topup", &asked).await.json()["code"], 4009);
    let asked = airtime("V2", "9073542823", "NG_AIRTEL", 1000);
    assert_eq!(plain(&sandbox, "topup", &asked).await.json()["code"], 4013);
    assert_eq!(
        ["tutom", "connect-topup", "paynicorn"].map(|name| sandbox.balance(name)),
        ["4.0000", "0", "500.50"]
    );
    assert_eq!(sandbox.charges().len(), 4);
}
