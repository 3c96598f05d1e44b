//! The HTTP side: connections that can be cut, replies that can stop short, and the tasks that settle
//! open orders. A request is acted on even if its client has gone.

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::response::Response;
use axum::routing::any;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tower_service::Service;

use super::callback;
use super::clock;
use super::inquiry::{Call, Inquiry};
use super::reply_body::ReplyBody;
use super::world::{Arrival, Reply, World};
use super::{connect_topup, envelope, tutom};

/// No document has a request that comes near this.
const BODY_MOST_BYTES: usize = 64 * 1024;

/// Callbacks under way at once; further ones wait.
const CALLBACKS_MOST: usize = 32;

/// Without anything due the settling task looks again after this.
const IDLE: Duration = Duration::from_secs(60);

/// What all connections share.
pub struct Shared {
    world: Mutex<World>,
    changed: Notify,
    stop: watch::Sender<bool>,
}

impl Shared {
    /// A world that is open for requests.
    pub fn new(world: World) -> Arc<Shared> {
        Arc::new(Shared { world: Mutex::new(world), changed: Notify::new(), stop: watch::Sender::new(false) })
    }

    /// The world, alone.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends everything: no request that is under way is acted on any more.
    pub fn stop(&self) {
        self.world().stopped = true;
        self.stop.send_replace(true);
    }

    fn act(&self, inquiry: &Inquiry, arrival: &Arrival) -> Option<Reply> {
        let mut world = self.world();
        if world.stopped {
            return None;
        }
        let reply = world.answer(inquiry, arrival, clock::now());
        drop(world);
        self.changed.notify_one();
        Some(reply.unwrap_or_else(|_| Reply::page(500, "Internal Server Error")))
    }
}

/// The ways in which one connection can end early.
#[derive(Default)]
pub struct Switch {
    cut: Notify,
    reset: AtomicBool,
    close: Notify,
}

impl Switch {
    /// Closes the connection once what is written has gone out.
    pub fn close(&self) {
        self.close.notify_one();
    }

    /// Ends the connection now, by a reset or as if the peer had finished; never returns.
    async fn cut(&self, reset: bool) -> Response {
        self.reset.store(reset, Ordering::Relaxed);
        self.cut.notify_one();
        std::future::pending().await
    }
}

/// Accepts connections, and settles orders, until stopped.
pub async fn run(listener: TcpListener, shared: Arc<Shared>) {
    let router = router(&shared);
    let mut stop = shared.stop.subscribe();
    let mut tasks = JoinSet::new();
    tasks.spawn(settle(Arc::clone(&shared)));
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => break,
            Some(_) = tasks.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(connection(stream, router.clone()));
            }
            // Out of file descriptors, or the peer has gone: others may still come.
            Err(_) => clock::wait(Duration::from_millis(10)).await,
        }
    }
    tasks.shutdown().await;
}

fn router(shared: &Arc<Shared>) -> Router {
    Call::ALL.into_iter().fold(Router::new(), |router, call| {
        let shared = Arc::clone(shared);
        router.route(call.path(), any(move |request| serve(Arc::clone(&shared), call, request)))
    })
}

async fn connection(stream: TcpStream, router: Router) {
    // A reply is one write; without this the next one could wait for its acknowledgement.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let switch = Arc::new(Switch::default());
    let known = Arc::clone(&switch);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&known));
        let answer = router.clone().call(request);
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_default()) }
    });
    let mut http = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    loop {
        tokio::select! {
            biased;
            () = switch.cut.notified() => break,
            () = switch.close.notified() => Pin::new(&mut http).graceful_shutdown(),
            _ = &mut http => return,
        }
    }
    let stream = http.into_parts().io.into_inner();
    if switch.reset.load(Ordering::Relaxed) {
        // A refusal to reset leaves an ordinary close.
        drop(stream.set_zero_linger());
    }
}

async fn serve(shared: Arc<Shared>, call: Call, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let switch = head.extensions.get::<Arc<Switch>>().cloned().unwrap_or_default();
    let Ok(body) = to_bytes(body, BODY_MOST_BYTES).await else {
        return respond(Reply::page(413, "Content Too Large"), None, None);
    };
    let content_type =
        head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (method, query) = (head.method.as_str(), head.uri.query().unwrap_or_default());
    let inquiry = match call {
        Call::Tutom(_) => tutom::read(call, method, query, content_type, &body),
        Call::Connect(_) => connect_topup::read(call, method, query),
        Call::Paynicorn(_) => envelope::read(call, method, content_type, &body),
    };
    let arrived = shared.world().arrive(&inquiry, clock::now());
    let Ok(arrival) = arrived else { return respond(Reply::page(500, "Internal Server Error"), None, None) };
    let _under_way = UnderWay { shared: Arc::clone(&shared), call };
    let closing = arrival.close.then(|| Arc::clone(&switch));
    let (fault, dice) = (arrival.fault, arrival.dice.clone());
    let reset = dice.below("reset", 2) == 0;
    match fault {
        Some("drop_before" | "lookup_drop") => return switch.cut(reset).await,
        Some("http502_before" | "lookup_502") => {
            return respond(Reply::page(502, "Bad Gateway"), None, closing);
        }
        Some("http429") => return respond(Reply::page(429, "Too Many Requests"), None, closing),
        _ => {}
    }
    let reply = act_apart(&shared, inquiry, arrival);
    if fault == Some("late") {
        return switch.cut(reset).await;
    }
    let Ok(reply) = reply.await else { return switch.cut(reset).await };
    if reply.lost || fault == Some("drop_after") {
        return switch.cut(reset).await;
    }
    match fault {
        Some("http502_after") => respond(Reply::page(502, "Bad Gateway"), None, closing),
        Some("html") => respond(Reply::page(200, "Welcome"), None, closing),
        Some("truncate" | "lookup_truncate") => {
            let length = u64::try_from(reply.body.len()).unwrap_or(0);
            let cut = usize::try_from(dice.below("cut", length)).unwrap_or(0);
            respond(reply, Some(cut), closing)
        }
        _ => respond(reply, None, closing),
    }
}

/// Acts on a request in a task of its own, which a client that hangs up does not end.
fn act_apart(shared: &Arc<Shared>, inquiry: Inquiry, arrival: Arrival) -> oneshot::Receiver<Reply> {
    let (tell, told) = oneshot::channel();
    let shared = Arc::clone(shared);
    let (before, after) = {
        let faults = &shared.world().faults;
        let jitter = u64::try_from(faults.latency_jitter.as_micros()).unwrap_or(u64::MAX);
        let jitter = Duration::from_micros(arrival.dice.below("jitter", jitter.saturating_add(1)));
        let late = if arrival.fault == Some("late") { faults.late_by } else { Duration::ZERO };
        (faults.latency.saturating_add(jitter).saturating_add(late), faults.reply_latency)
    };
    tokio::spawn(async move {
        clock::wait(before).await;
        if let Some(reply) = shared.act(&inquiry, &arrival) {
            clock::wait(reply.wait.saturating_add(after)).await;
            // Nobody listens if the client has gone.
            drop(tell.send(reply));
        }
    });
    told
}

/// Counts a submit out again when its answer, or its client, goes.
struct UnderWay {
    shared: Arc<Shared>,
    call: Call,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.shared.world().leave(self.call);
    }
}

fn respond(reply: Reply, cut: Option<usize>, closing: Option<Arc<Switch>>) -> Response {
    let mut response = Response::builder()
        .status(reply.status)
        .header(CONTENT_TYPE, reply.content_type)
        .header(CONTENT_LENGTH, reply.body.len());
    if reply.status == 429 {
        response = response.header(RETRY_AFTER, "1");
    }
    response.body(Body::new(ReplyBody::new(reply.body, cut, closing))).unwrap_or_default()
}

async fn settle(shared: Arc<Shared>) {
    let mut posts = JoinSet::new();
    loop {
        let (ended, pause) = {
            let mut world = shared.world();
            if world.stopped {
                return;
            }
            let now = clock::now();
            // A log that cannot be written now is tried again with the next wake.
            let written: io::Result<()> = world.book.settle_due(now);
            let due = world.book.next_due().map_or(IDLE, |at| clock::until(now, at));
            (callback::letters(&mut world), if written.is_ok() { due } else { IDLE })
        };
        for letter in ended {
            if posts.len() >= CALLBACKS_MOST {
                posts.join_next().await;
            }
            posts.spawn(callback::post(letter));
        }
        while posts.try_join_next().is_some() {}
        tokio::select! {
            () = clock::wait(pause.max(Duration::from_millis(1))) => {}
            () = shared.changed.notified() => {}
        }
    }
}
