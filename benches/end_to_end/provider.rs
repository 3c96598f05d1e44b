//! The three providers as fast as they can be: every order is carried out, after a fixed wait.

use std::convert::Infallible;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

/// From the first request of a row to the last answer, in microseconds since the provider's start.
struct Span {
    start: LazyLock<Instant>,
    first: AtomicU64,
    last: AtomicU64,
}

#[expect(clippy::disallowed_methods, reason = "a stop watch")]
static SPAN: Span =
    Span { start: LazyLock::new(Instant::now), first: AtomicU64::new(0), last: AtomicU64::new(0) };

impl Span {
    fn now(&self) -> u64 {
        self.start.elapsed().as_micros() as u64 + 1
    }

    fn begin(&self) {
        if self.first.load(Relaxed) == 0 {
            self.first.store(self.now(), Relaxed);
        }
    }

    fn end(&self) {
        self.last.store(self.now(), Relaxed);
    }

    /// Seconds; it begins anew.
    fn take(&self) -> f64 {
        let (first, last) = (self.first.swap(0, Relaxed), self.last.swap(0, Relaxed));
        last.saturating_sub(first) as f64 / 1e6
    }
}

/// A body in one piece.
struct Whole(Option<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// Serves until the other end of its standard input is gone.
pub fn serve(latency_ms: u64) {
    // Whoever started it may be killed: it does not outlive that.
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(4096).unwrap();
        println!("{}", listener.local_addr().unwrap());
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            tokio::spawn(async move {
                let service = service_fn(move |request| answer(request, latency_ms));
                let http = hyper::server::conn::http1::Builder::new();
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
}

#[expect(clippy::disallowed_methods, reason = "the provider's own wait")]
async fn answer(request: Request<Incoming>, latency_ms: u64) -> Result<Response<Whole>, Infallible> {
    let (head, body) = request.into_parts();
    let body = whole(body).await;
    let page = head.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    let query = head.uri.query().unwrap_or_default();
    if page == "span" {
        return Ok(Response::new(Whole(Some(Bytes::from(SPAN.take().to_string())))));
    }
    let is_row = !matches!(page.as_str(), "queryGoods" | "userbalance.jsp" | "List");
    if is_row {
        SPAN.begin();
    }
    let text = told(&page, query, std::str::from_utf8(&body).unwrap_or_default());
    if latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(latency_ms)).await;
    }
    if is_row {
        SPAN.end();
    }
    let mut response = Response::new(Whole(Some(Bytes::from(text))));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

async fn whole(body: Incoming) -> Vec<u8> {
    let mut body = pin!(body);
    let mut read = Vec::new();
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        read.extend_from_slice(frame.data_ref().map_or(&[], |bytes| bytes.as_ref()));
    }
    read
}

fn told(page: &str, query: &str, body: &str) -> String {
    match page {
        "topup" => {
            let id = between(body, "\"transId\":\"", "\"");
            format!(
                r#"{{"code":1200,"msg":"success","result":{{"transId":"{id}","statusCode":"1","description":"transaction successful","orderId":83177410012345679}}}}"#
            )
        }
        "queryOperatorCode" => r#"{"code":1200,"msg":"success","result":{"countryCode":"NG","currency":"NGN","areaCode":"234","operatorCode":"NG_MTN","operatorName":"MTN"}}"#.to_owned(),
        "queryGoods" => r#"{"code":1200,"msg":"success","result":[{"id":1,"productCode":"m_topup","countryCode":"NG","operatorCode":"NG_MTN","goodsId":"G1","rechargeAmount":0.00,"rechargeMinAmount":50.00,"rechargeMaxAmount":50000.00,"rechargeCurrency":"NGN","buyingType":"RANGE"}]}"#.to_owned(),
        "topup.jsp" => "1;83177410012345679".to_owned(),
        "userbalance.jsp" => "99999999999".to_owned(),
        "List" | "ListByPhone" => r#"{"response_code":"0","response_text":"Success.","productlist":[{"productid":"23","type":"2","operator":"China Unicom","data":"6GB","data_value":"6144","expiration_date":"2027-02-20","price":"46.0000","currency":"USD"},{"productid":"24","type":"2","operator":"China Unicom","data":"11GB","data_value":"11264","expiration_date":"2027-02-20","price":"78.0000","currency":"USD"}]}"#.to_owned(),
        "OrderCreate" => {
            let id = between(query, "orderid=", "&");
            let id = if id.is_empty() { between(body, "orderid=", "&") } else { id };
            format!(
                r#"{{"response_code":"0","response_text":"Success.","id":"T{id}","state":"10","price":"46.0000","currency":"USD"}}"#
            )
        }
        _ => String::new(),
    }
}

fn between<'a>(text: &'a str, before: &str, behind: &str) -> &'a str {
    let rest = text.split_once(before).map_or("", |(_, rest)| rest);
    rest.split_once(behind).map_or(rest, |(value, _)| value)
}
