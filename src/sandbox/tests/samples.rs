//! Each operation's sample request of the documents gets the documented shape of reply.

use serde_json::json;

use super::*;

#[test]
fn signatures_are_those_computed_by_other_means() {
    let sign = tutom::sign(&["OPENID", "APPKEY", "test001", "18610865680", "8"]);
    assert_eq!(sign, "C482660F51FCD18488C23A1BAFD9282E");
    assert_eq!(tutom::sign(&["APPKEY", "1XNPXS", "test001"]), "54F66473EAB818389C6FFFBA533B2A51");
    let paid = ["demo", "0912345678", "10000", "KEY"];
    assert_eq!(
        connect_topup::checksum(false, &paid),
        "1f0eb47a29da2e14c97a3b271f8468e40e054eb1f20699af2516ae8bed25f1ce"
    );
    assert_eq!(connect_topup::checksum(true, &paid), "a885306b24f18ae137b076f8ebfd136146e6a74d");
    assert_eq!(
        connect_topup::checksum(false, &["demo", ":::", "KEY"]),
        "2944b8c11231c8bb18c764f6f06615c9f868ff7edcd1edc9b6ff901531c49d30"
    );
    let content = STANDARD.encode(r#"{"appKey":"a","transId":"1"}"#);
    assert_eq!(content, "eyJhcHBLZXkiOiJhIiwidHJhbnNJZCI6IjEifQ==");
    assert_eq!(envelope::sign(&content, "SECRET"), "62b36a969f16f124d75fd42010053db2");
}

#[tokio::test]
async fn tutom_lists_products_as_the_sample_does() {
    let sandbox = sandbox("").await;
    let all = get(&sandbox, "/gateway/flowapi/List?appkey=7bf7d2fd6d9c5012ae7c82ab7617").await.json();
    assert_eq!((&all["response_code"], &all["response_text"]), (&json!("0"), &json!("Success.")));
    let of_number = list_by_phone(&sandbox, "18610865680").await;
    let products = of_number["productlist"].as_array().unwrap();
    assert!(products.len() < all["productlist"].as_array().unwrap().len());
    assert!(products.iter().all(|product| product["operator"] == "China Unicom"));
    let mut sample = products.iter().find(|product| product["productid"] == "23").unwrap().clone();
    let expires = sample["expiration_date"].as_str().unwrap().to_owned();
    assert!(expires.len() == 19 && expires.as_bytes()[10] == b' ', "{expires}");
    sample["expiration_date"] = json!("2017-08-06 15:19:34");
    let expected = json!({"productid":"23","type":"2","operator":"China Unicom","data":"6GB","data_value":"6144",
        "expiration_date":"2017-08-06 15:19:34","price":"46.0000","currency":"USD"});
    assert_eq!(sample, expected);
    let other = get(&sandbox, "/gateway/flowapi/List?appkey=x").await.json();
    assert_eq!(other, json!({"response_code":"11001","response_text":"appkey is not valid"}));
}

#[tokio::test]
async fn tutom_takes_an_order_by_get_and_by_form_and_knows_it_afterwards() {
    let sandbox = sandbox("").await;
    let answer = create(&sandbox, "test001", "18610865680", "23").await.json();
    assert_eq!((&answer["response_code"], &answer["state"]), (&json!("0"), &json!("10")));
    assert_eq!((&answer["price"], &answer["currency"]), (&json!("46.0000"), &json!("USD")));
    let id = answer["id"].as_str().unwrap();
    assert!(!id.is_empty() && id.len() <= 20);
    assert_eq!(order_query(&sandbox, "test001").await, answer);
    let form = "application/x-www-form-urlencoded";
    let body = order("test002", "18610865681", "24");
    let answer = post(&sandbox, "/gateway/flowapi/OrderCreate", form, &body).await.json();
    assert_eq!((&answer["state"], &answer["price"]), (&json!("10"), &json!("78.0000")));
    assert_eq!(order_query(&sandbox, "never").await["response_code"], "21106");
    assert_eq!(sandbox.balance("tutom"), "99876.0000");
    assert_eq!(sandbox.malformed(), Vec::<String>::new());
}

#[tokio::test]
async fn connect_topup_answers_code_and_transaction() {
    let sandbox = sandbox("").await;
    let balance = async || {
        let account = demo_accounts();
        let parts = [account.connect_username, ":::", account.connect_private_key];
        let sum = connect_topup::checksum(false, &parts);
        let target = format!("/apipayment/userbalance.jsp?{}&checksum={sum}", connect_user());
        get(&sandbox, &target).await.text().to_owned()
    };
    assert_eq!(balance().await, "500000000");
    let heard = topup(&sandbox, "0912345678", "20000", "C1").await;
    assert!(heard.body.starts_with("\r\n") && heard.body.ends_with("\r\n"), "a JSP has lines around it");
    let (code, reference) = heard.text().split_once(';').unwrap();
    assert_eq!(code, "1");
    assert!(reference.bytes().all(|byte| byte.is_ascii_digit()));
    assert_eq!(balance().await, "499980000");
    assert_eq!(recheck_reference(&sandbox, reference).await, format!("1;{reference}"));
    assert_eq!(recheck(&sandbox, "C1").await, format!("1;{reference}"));
    assert_eq!(recheck_reference(&sandbox, "404").await, "-99");
    let without_id = topup(&sandbox, "0912345678", "20000", "").await;
    assert!(without_id.text().starts_with("1;") && without_id.text() != heard.text());
    assert_eq!(sandbox.charges().len(), 2);
    assert_eq!(sandbox.malformed(), Vec::<String>::new());
}

#[tokio::test]
async fn connect_topup_checks_sha1_where_the_profile_says_so() {
    let sandbox = sandbox("checksum=sha1,jsp_blank_lines=0").await;
    assert_eq!(topup(&sandbox, "0912345678", "20000", "C1").await.text(), "-6");
    let account = demo_accounts();
    let parts = [account.connect_username, "0912345678", "20000", account.connect_private_key];
    let sum = connect_topup::checksum(true, &parts);
    let target =
        format!("/apipayment/topup.jsp?{}&phone=0912345678&sotien=20000&checksum={sum}", connect_user());
    assert!(get(&sandbox, &target).await.body.starts_with("1;"));
}

#[tokio::test]
async fn paynicorn_takes_the_sample_plain_and_in_an_envelope() {
    let sandbox = sandbox("").await;
    let asked = airtime("V3T1719295709739", "9073542823", "NG_AIRTEL", 1000);
    let heard = plain(&sandbox, "topup", &asked).await;
    let answer = heard.json();
    assert_eq!((&answer["code"], &answer["msg"]), (&json!(1200), &json!("success")));
    let result = &answer["result"];
    assert_eq!((&result["transId"], &result["statusCode"]), (&json!("V3T1719295709739"), &json!("1")));
    let number = result["orderId"].as_u64().expect("an integer without quotes");
    assert!(number > (1 << 53) && number % 2 == 1, "a float cannot hold {number}");
    let asked = airtime("V3T2", "07012345678", "NG_AIRTEL", 50);
    assert_eq!(wrapped(&sandbox, "topup", &asked).await["result"]["statusCode"], "1");
    let key = demo_accounts().paynicorn_app_key;
    let known = wrapped(&sandbox, "query", &json!({"appKey": key, "transId": "V3T2"})).await;
    assert_eq!(known["result"]["benefitNo"], "07012345678");
    assert_eq!(airtime_query(&sandbox, "V3T9").await, json!({"code": 4007, "msg": "invalid transId"}));
    let raw = plain(&sandbox, "query", &json!({"appKey": key, "transId": "V3T2"})).await;
    assert!(raw.body.contains("\"amount\":50.00}"), "{}", raw.body);
    assert_eq!(sandbox.balance("paynicorn"), "49998950.00");
    assert_eq!(sandbox.malformed(), Vec::<String>::new());
}

#[tokio::test]
async fn paynicorn_finds_operators_and_lists_the_documents_goods() {
    let sandbox = sandbox("").await;
    for phone in ["07012345678", "7012345678"] {
        let asked = json!({"countryCode": "NG", "nationalPhoneNo": phone});
        let expected = json!({"code": 1200, "msg": "success", "result": {"countryCode": "NG", "currency": "NGN",
            "areaCode": "234", "operatorCode": "NG_AIRTEL", "operatorName": "Airtel Nigeria"}});
        assert_eq!(plain(&sandbox, "queryOperatorCode", &asked).await.json(), expected);
    }
    let asked = json!({"countryCode": "NG", "nationalPhoneNo": "08011234567"});
    assert_eq!(plain(&sandbox, "queryOperatorCode", &asked).await.json()["code"], 4011);
    let asked = json!({"appKey": "T90B124766qU95d385O4", "countryCode": "NG", "productCode": "m_topup"});
    let heard = plain(&sandbox, "queryGoods", &asked).await;
    let goods = heard.json()["result"].as_array().unwrap().clone();
    assert_eq!(goods.len(), 24);
    let first = json!({"id": 111, "productCode": "m_topup", "countryCode": "NG", "operatorCode": "NG_9MOBILE",
        "goodsId": "NG75850224649", "rechargeAmount": 0.0, "rechargeMinAmount": 5.0,
        "rechargeMaxAmount": 50000.0, "rechargeCurrency": "NGN", "buyingType": "RANGE"});
    assert_eq!(goods[0], first);
    assert!(heard.body.contains("\"rechargeMaxAmount\":199999.00"));
    let fixed = goods.iter().filter(|good| good["buyingType"] == "FIXED").count();
    assert_eq!(fixed, 20);
    assert_eq!(sandbox.malformed(), Vec::<String>::new());
}
