//! The yardstick: the same requests with the same client in a plain loop, and nothing else. No ledger, no
//! limits, no judgement of the answers beyond one word.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use reqwest::header::CONTENT_TYPE;

use crate::shape::{Race, Shape};

/// Seconds that all rows took.
#[expect(clippy::disallowed_methods, reason = "a stop watch")]
pub fn run(race: &Race) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (kept, submits) = (client(false), client(race.shape.is_fresh()));
    let next = Rc::new(Cell::new(0_u64));
    let tasks = tokio::task::LocalSet::new();
    let started = Instant::now();
    for _ in 0..race.width {
        let (race, next, kept, submits) = (race.clone(), Rc::clone(&next), kept.clone(), submits.clone());
        tasks.spawn_local(async move {
            while next.get() < race.rows {
                let row = next.replace(next.get() + 1);
                row_of(&race, row, &kept, &submits).await;
            }
        });
    }
    runtime.block_on(tasks);
    started.elapsed().as_secs_f64()
}

fn client(fresh: bool) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .user_agent("bare")
        .timeout(Duration::from_secs(30))
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .http1_only()
        .tcp_nodelay(true)
        .tls_certs_only([]);
    let builder = if fresh { builder.pool_max_idle_per_host(0) } else { builder };
    builder.build().unwrap()
}

async fn row_of(race: &Race, row: u64, kept: &reqwest::Client, submits: &reqwest::Client) {
    let (addr, phone) = (&race.addr, race.shape.phone(row));
    match race.shape {
        Shape::Submits | Shape::Paynicorn => {
            let api = format!("http://{addr}/trade/topup/api");
            if race.shape.looks_up() {
                let body = format!(r#"{{"countryCode":"NG","nationalPhoneNo":"0{phone}"}}"#);
                let asked =
                    kept.post(format!("{api}/queryOperatorCode")).header(CONTENT_TYPE, "application/json");
                expect(asked.body(body), "NG_MTN").await;
            }
            let body = format!(
                r#"{{"transId":"BARE{row:020}","appKey":"T90B124766qU95d385O4","countryCode":"NG","bizType":"m_topup","operatorCode":"NG_MTN","benefitNo":"{phone}","amount":100,"memo":""}}"#
            );
            let asked = submits.post(format!("{api}/topup")).header(CONTENT_TYPE, "application/json");
            expect(asked.body(body), "1200").await;
        }
        Shape::ConnectTopup => {
            let url = format!(
                "http://{addr}/apipayment/topup.jsp?username=demo&privatekey=demo-private-key&phone=*0{phone}&sotien=10000&checksum=0f1e2d3c4b5a69780f1e2d3c4b5a69780f1e2d3c4b5a69780f1e2d3c4b5a6978&transidclient=BARE{row:020}"
            );
            expect(submits.get(url), "1;").await;
        }
        Shape::Tutom => {
            let api = format!("http://{addr}/gateway/flowapi");
            let key = "appkey=7bf7d2fd6d9c5012ae7c82ab7617";
            expect(kept.get(format!("{api}/ListByPhone?{key}&mdn={phone}")), "productlist").await;
            let url = format!(
                "{api}/OrderCreate?{key}&orderid=BARE{row:020}&sign=0F1E2D3C4B5A69780F1E2D3C4B5A6978&mdn={phone}&productid=23"
            );
            expect(submits.get(url), "\"10\"").await;
        }
    }
}

async fn expect(request: reqwest::RequestBuilder, word: &str) {
    let text = request.send().await.unwrap().text().await.unwrap();
    assert!(text.contains(word), "{text}");
}
