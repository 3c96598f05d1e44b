//! Each request is on the wire once, whatever becomes of its connection.

use std::time::Duration;

use bulk_topup::domain::{Delivery, NetFault};
use bulk_topup::net::{Client, NetOptions};

use crate::server::{OK, Server, Step, Way, check_claims, get, hasty, options, replied, request_len};

#[tokio::test]
async fn a_close_while_the_request_is_read_never_sends_it_again() {
    for way in Way::BOTH {
        let len = request_len(way, "once").await;
        assert!(len > 60);
        for cut in 0..=len {
            let server =
                Server::start(vec![vec![Step::Read(cut)], vec![Step::Request, Step::Write(OK.to_vec())]]);
            let delivery = way.client(&server, options()).send(&get(&server.url("once"))).await;
            check_claims(&server, "once", &delivery);
            assert!(!matches!(delivery, Delivery::Replied(_)), "cut at {cut}: {delivery:?}");
            if cut > 0 {
                assert!(matches!(delivery, Delivery::MaybeSent(_)), "cut at {cut}: {delivery:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_close_without_reset_while_the_request_is_read_never_sends_it_again() {
    for way in Way::BOTH {
        for cut in [0, 1, 10, 40] {
            let server = Server::start(vec![
                vec![Step::Read(cut), Step::Linger],
                vec![Step::Request, Step::Write(OK.to_vec())],
            ]);
            let delivery = way.client(&server, options()).send(&get(&server.url("once"))).await;
            check_claims(&server, "once", &delivery);
            assert!(!matches!(delivery, Delivery::Replied(_)), "cut at {cut}: {delivery:?}");
        }
    }
}

#[tokio::test]
async fn a_kept_connection_that_closes_at_every_moment_gets_each_request_once() {
    for way in Way::BOTH {
        let len = request_len(way, "second").await;
        for cut in 0..=len {
            let server = Server::start(vec![
                vec![Step::Request, Step::Write(OK.to_vec()), Step::Read(cut)],
                vec![Step::Request, Step::Write(OK.to_vec()), Step::Linger],
            ]);
            let client = way.client(&server, options());
            assert_eq!(client.send(&get(&server.url("first"))).await, replied(200, true, b"1;777"));
            let delivery = client.send(&get(&server.url("second"))).await;
            assert_eq!(server.count("first"), 1);
            check_claims(&server, "second", &delivery);
            if cut > 0 {
                assert!(matches!(delivery, Delivery::MaybeSent(_)), "cut at {cut}: {delivery:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_kept_connection_closed_right_before_the_next_request_gets_each_request_once() {
    for way in Way::BOTH {
        for round in 0..100_u64 {
            let script = vec![Step::Request, Step::Write(OK.to_vec()), Step::Wait(round % 3)];
            let server = Server::start(vec![script]);
            let client = way.client(&server, options());
            for turn in 0..5 {
                let path = format!("turn-{turn}");
                let delivery = client.send(&get(&server.url(&path))).await;
                check_claims(&server, &path, &delivery);
            }
        }
    }
}

#[tokio::test]
async fn many_sends_at_once_over_closing_connections_get_each_request_once() {
    for way in Way::BOTH {
        let answer = [Step::Request, Step::Write(OK.to_vec())];
        let scripts = (0..400).map(|number| {
            let kept = vec![answer.clone(); number % 4].concat();
            [kept, vec![Step::Read(number * 7 % 90)]].concat()
        });
        let server = Server::start(scripts.collect());
        let client = way.client(&server, options());
        for round in 0..8 {
            let sends: Vec<_> = (0..24)
                .map(|turn| {
                    let (client, path) = (client.clone(), format!("send-{round}-{turn}"));
                    let request = get(&server.url(&path));
                    tokio::spawn(async move { (path, client.send(&request).await) })
                })
                .collect();
            for send in sends {
                let (path, delivery) = send.await.unwrap();
                check_claims(&server, &path, &delivery);
            }
        }
    }
}

#[tokio::test]
async fn bytes_beyond_a_reply_are_never_the_next_reply() {
    for way in Way::BOTH {
        let twice = [OK, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n1;9"].concat();
        let late = vec![
            Step::Request,
            Step::Write(OK.to_vec()),
            Step::Wait(20),
            Step::Write(twice[OK.len()..].to_vec()),
            Step::Request,
            Step::Linger,
        ];
        let at_once = vec![Step::Request, Step::Write(twice.clone()), Step::Request, Step::Linger];
        for first in [late, at_once] {
            let server =
                Server::start(vec![first, vec![Step::Request, Step::Write(OK.to_vec()), Step::Linger]]);
            let client = way.client(&server, options());
            assert_eq!(client.send(&get(&server.url("first"))).await, replied(200, true, b"1;777"));
            tokio::time::timeout(Duration::from_millis(60), std::future::pending::<()>()).await.unwrap_err();
            assert_eq!(client.send(&get(&server.url("second"))).await, replied(200, true, b"1;777"));
            assert_eq!((server.count("first"), server.count("second")), (1, 1));
        }
    }
}

#[tokio::test]
async fn a_reply_after_our_time_out_is_never_the_next_reply() {
    for way in Way::BOTH {
        let late = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n1;9".to_vec();
        let server = Server::start(vec![
            vec![Step::Request, Step::Wait(250), Step::Write(late), Step::Linger],
            vec![Step::Request, Step::Write(OK.to_vec()), Step::Linger],
        ]);
        let client = way.client(&server, hasty(150));
        assert_eq!(client.send(&get(&server.url("first"))).await, Delivery::MaybeSent(NetFault::TimedOut));
        assert_eq!(client.send(&get(&server.url("second"))).await, replied(200, true, b"1;777"));
        assert_eq!((server.count("first"), server.count("second")), (1, 1));
    }
}

#[tokio::test]
async fn a_zero_idle_time_gives_every_request_its_own_connection() {
    for way in Way::BOTH {
        let answer = [Step::Request, Step::Write(OK.to_vec())];
        let server = Server::start(vec![[&answer[..], &answer, &[Step::Linger]].concat()]);
        let pooled = way.client(&server, options());
        pooled.send(&get(&server.url("a"))).await;
        pooled.send(&get(&server.url("b"))).await;
        assert_eq!(server.connections(), 1);
        let single = way.client(&server, NetOptions { idle: Duration::ZERO, ..options() });
        single.send(&get(&server.url("c"))).await;
        single.send(&get(&server.url("d"))).await;
        assert_eq!(server.connections(), 3);
    }
}

#[tokio::test]
async fn a_connection_that_stood_idle_for_too_long_is_not_used_again() {
    for way in Way::BOTH {
        let answer = [Step::Request, Step::Write(OK.to_vec())];
        let server = Server::start(vec![[&answer[..], &answer, &[Step::Linger]].concat()]);
        let client = way.client(&server, NetOptions { idle: Duration::from_millis(30), ..options() });
        client.send(&get(&server.url("a"))).await;
        tokio::time::timeout(Duration::from_millis(60), std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(client.send(&get(&server.url("b"))).await, replied(200, true, b"1;777"));
        assert_eq!(server.connections(), 2);
    }
}

#[tokio::test]
async fn many_kept_connections_that_closed_hold_up_no_request() {
    let answer = vec![Step::Request, Step::Wait(200), Step::Write(OK.to_vec()), Step::Linger];
    let server = Server::start(vec![answer]);
    let client = Client::new(NetOptions { idle: Duration::from_secs(20), ..options() }).unwrap();
    let send = |path: String| {
        let (client, url) = (client.clone(), server.url(&path));
        tokio::spawn(async move { client.send(&get(&url)).await })
    };
    // More than the runtime lets one task do in one go.
    let first: Vec<_> = (0..200).map(|number| send(format!("first-{number}"))).collect();
    for one in first {
        assert_eq!(one.await.unwrap(), replied(200, true, b"1;777"));
    }
    let all_ended = async {
        while server.lingering() < server.connections() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), all_ended).await.unwrap();
    // The last end is on its way.
    tokio::time::timeout(Duration::from_millis(50), std::future::pending::<()>()).await.unwrap_err();
    assert_eq!(send("second".to_owned()).await.unwrap(), replied(200, true, b"1;777"));
    assert_eq!(server.count("second"), 1);
}

#[tokio::test]
async fn what_came_while_nobody_looked_is_never_the_next_reply() {
    let strays = [&b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n1;9"[..], b""];
    // Whoever sends many at once listens for all of them; not before the reply that a connection is kept after.
    for (stray, listens) in strays
        .into_iter()
        .flat_map(|stray| [[false, false], [true, false], [false, true]].map(|listens| (stray, listens)))
    {
        let mut first = vec![Step::Request, Step::Write(OK.to_vec()), Step::Wait(30)];
        first.extend([Step::Write(stray.to_vec()), Step::Linger]);
        let server = Server::start(vec![first, vec![Step::Request, Step::Write(OK.to_vec()), Step::Linger]]);
        let client = Client::new(options()).unwrap();
        if listens[0] {
            Client::listen(std::slice::from_ref(&client)).await;
        }
        assert_eq!(client.send(&get(&server.url("first"))).await, replied(200, true, b"1;777"));
        // The thread is busy with something else when it comes.
        for _ in 0..1000 {
            if server.lingering() > 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        if listens[1] {
            Client::listen(std::slice::from_ref(&client)).await;
        }
        assert_eq!(client.send(&get(&server.url("second"))).await, replied(200, true, b"1;777"));
        assert_eq!((server.count("first"), server.count("second")), (1, 1));
    }
}

#[tokio::test]
async fn a_connection_that_nobody_asks_for_is_closed_in_time() {
    let server = Server::start(vec![vec![Step::Request, Step::Write(OK.to_vec()), Step::Linger]]);
    let client = Client::new(NetOptions { idle: Duration::from_millis(30), ..options() }).unwrap();
    client.send(&get(&server.url("only"))).await;
    let closed = async {
        while server.gone() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), closed).await.unwrap();
}
