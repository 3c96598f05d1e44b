//! Requests under way, all of them in the one task that drives the run: they cost it little, and it knows what it did
//! between two of them.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::Poll;

use futures_util::future::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::task::coop::unconstrained;

use super::LaneClients;
use crate::domain::{Delivery, HttpRequest, NetFault, Tick};
use crate::engine::CallId;
use crate::net::Client;

/// Answers that are handed in together: few, so that the places they leave are taken while more are read. Answers to
/// requests that left together would stay together, and the provider would wait for us in between.
const ENDED_MAX: usize = 16;

/// How a request ended, and when it was handed to its client.
pub(super) struct Arrived {
    pub(super) call: CallId,
    pub(super) delivery: Delivery,
    pub(super) sent: Tick,
}

/// Requests under way, worked on by whoever waits for the next to end, and those that ended.
#[derive(Default)]
pub(super) struct Calls {
    under_way: FuturesUnordered<Pin<Box<dyn Future<Output = Arrived>>>>,
    ended: Vec<Arrived>,
    /// The system told what came on kept connections, and nothing else was done since then but requests begun.
    listened: bool,
}

impl Calls {
    /// Begins a request of one of these clients: it goes out at once, if it can.
    pub(super) async fn begin(
        &mut self,
        all: &[LaneClients],
        client: Client,
        (call, request, sent): (CallId, HttpRequest, Tick),
    ) {
        if !self.listened {
            let clients = all.iter().flat_map(|lane| [lane.submit.clone(), lane.look_up.clone()]);
            Client::listen(&clients.collect::<Vec<_>>()).await;
            self.listened = true;
        }
        // They share one task: what one of them does must not put off the others.
        let mut going = Box::pin(unconstrained(carry_out(client, request, call, sent)));
        match poll_fn(|cx| Poll::Ready(going.as_mut().poll(cx))).await {
            Poll::Ready(arrived) => self.ended.push(arrived),
            Poll::Pending => self.under_way.push(going),
        }
    }

    /// Something else was done that may have taken long.
    pub(super) fn was_busy(&mut self) {
        self.listened = false;
    }

    /// Waits until a request ended; for ever where there is none.
    pub(super) async fn end(&mut self) {
        self.listened = false;
        if self.ended.is_empty() {
            match self.under_way.next().await {
                Some(one) => self.ended.push(one),
                None => std::future::pending().await,
            }
        }
    }

    /// Works on them as far as that is possible now, until some have ended.
    pub(super) fn work(&mut self) {
        self.listened = false;
        while self.ended.len() < ENDED_MAX {
            let Some(Some(one)) = self.under_way.next().now_or_never() else { break };
            self.ended.push(one);
        }
    }

    /// Lets those that just began go out, before something else takes long.
    pub(super) async fn go_out(&mut self) {
        // One turn to connect, one to write.
        for _ in 0..2 {
            self.work();
            tokio::task::yield_now().await;
        }
        self.work();
    }

    /// Those that ended, each once, in the order in which they did.
    pub(super) fn ended(&mut self) -> impl Iterator<Item = Arrived> {
        self.ended.drain(..)
    }
}

/// Carries out one request. Whatever happens to it, the engine is told, or it would wait for ever.
async fn carry_out(client: Client, request: HttpRequest, call: CallId, sent: Tick) -> Arrived {
    let delivery = AssertUnwindSafe(client.send(&request)).catch_unwind().await;
    let delivery = delivery.unwrap_or(Delivery::MaybeSent(NetFault::Broken));
    Arrived { call, delivery, sent }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::*;
    use crate::domain::{Method, Reply, Secret};
    use crate::net::NetOptions;

    /// Answers one request a connection, and says something more on the first, or closes it, once that is waited for.
    fn provider(more: &'static [u8]) -> (String, Receiver<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (said, heard) = channel();
        std::thread::spawn(move || {
            let answer = |stream: &mut TcpStream, body: &str| {
                let _ = stream.read(&mut [0; 4096]).unwrap();
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
            };
            let mut first = listener.accept().unwrap().0;
            answer(&mut first, "first");
            std::thread::sleep(Duration::from_millis(50));
            first.write_all(more).unwrap();
            let first = Some(first).filter(|_| !more.is_empty());
            said.send(()).unwrap();
            answer(&mut listener.accept().unwrap().0, "second");
            drop(first);
        });
        (url, heard)
    }

    fn request(url: &str) -> HttpRequest {
        HttpRequest { method: Method::Get, url: Secret::new(url), body: None, reply_bytes_max: 64 }
    }

    async fn next(calls: &mut Calls) -> Delivery {
        tokio::time::timeout(Duration::from_secs(10), calls.end()).await.unwrap();
        calls.ended().next().unwrap().delivery
    }

    #[tokio::test]
    async fn what_came_while_rows_were_read_is_no_answer_to_the_next_request() {
        let said = |body: &str| {
            Delivery::Replied(Reply { status: 200, intact: true, body: body.as_bytes().to_vec() })
        };
        for more in [&b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstray"[..], b""] {
            for ends_in_go_out in [true, false] {
                let (url, heard) = provider(more);
                let client = Client::new(NetOptions { tls: false, ..NetOptions::default() }).unwrap();
                let all = [LaneClients { submit: client.clone(), look_up: client.clone() }];
                let mut calls = Calls::default();
                calls.begin(&all, client.clone(), (CallId(1), request(&url), Tick(0))).await;
                if ends_in_go_out {
                    while calls.ended.is_empty() {
                        calls.go_out().await;
                    }
                }
                assert_eq!(next(&mut calls).await, said("first"));
                // Listened for, but another request began; then a page of rows is read.
                calls.listened = !ends_in_go_out;
                calls.go_out().await;
                heard.recv().unwrap();
                std::thread::sleep(Duration::from_millis(20));
                calls.begin(&all, client, (CallId(2), request(&url), Tick(0))).await;
                assert_eq!(next(&mut calls).await, said("second"), "{ends_in_go_out}, {}", more.len());
            }
        }
    }
}
