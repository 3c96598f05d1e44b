//! What counts as a reply, and which replies surely arrived whole.

use std::time::Duration;

use bulk_topup::domain::{Delivery, HttpRequest, Method, NetFault, Secret};

use crate::server::{CAP, OK, Server, Step, Way, check_claims, get, hasty, options, replied};

#[tokio::test]
async fn a_reply_cut_at_any_byte_is_never_intact() {
    for way in Way::BOTH {
        let chunked: &[u8] =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n1;\r\n3\r\n777\r\n0\r\n\r\n";
        for (whole, head_len) in [(OK, OK.len() - 5), (chunked, 47)] {
            assert!(whole[..head_len].ends_with(b"\r\n\r\n"));
            for cut in 0..=whole.len() {
                let server = Server::answering(&whole[..cut]);
                let delivery = way.client(&server, options()).send(&get(&server.url("once"))).await;
                check_claims(&server, "once", &delivery);
                match &delivery {
                    Delivery::MaybeSent(fault) => {
                        assert_eq!((*fault, cut < head_len), (NetFault::Broken, true), "cut at {cut}");
                    }
                    Delivery::Replied(reply) => {
                        assert!(cut >= head_len, "cut at {cut}: {reply:?}");
                        assert_eq!(reply.status, 200);
                        assert_eq!(reply.intact, cut == whole.len(), "cut at {cut}: {reply:?}");
                        assert!(b"1;777".starts_with(&reply.body), "cut at {cut}: {reply:?}");
                    }
                    Delivery::NotSent(fault) => panic!("cut at {cut}: {fault:?}"),
                }
            }
            let server = Server::answering(whole);
            assert_eq!(
                way.client(&server, options()).send(&get(&server.url("x"))).await,
                replied(200, true, b"1;777")
            );
        }
    }
}

#[tokio::test]
async fn a_body_ended_only_by_closing_is_not_intact() {
    for way in Way::BOTH {
        for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n"] {
            let server = Server::answering(format!("{head}-308").as_bytes());
            assert_eq!(
                way.client(&server, options()).send(&get(&server.url("x"))).await,
                replied(200, false, b"-308")
            );
        }
    }
}

#[tokio::test]
async fn a_length_that_promises_too_much_is_not_intact() {
    for way in Way::BOTH {
        let server = Server::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n1;777");
        assert_eq!(
            way.client(&server, options()).send(&get(&server.url("x"))).await,
            replied(200, false, b"1;777")
        );
    }
}

#[tokio::test]
async fn two_different_lengths_are_not_believed() {
    for way in Way::BOTH {
        let server =
            Server::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 5\r\n\r\n1;777");
        match way.client(&server, options()).send(&get(&server.url("x"))).await {
            Delivery::Replied(reply) => assert!(!reply.intact, "{reply:?}"),
            Delivery::MaybeSent(fault) => assert_eq!(fault, NetFault::Broken),
            Delivery::NotSent(fault) => panic!("{fault:?}"),
        }
    }
}

#[tokio::test]
async fn a_length_beside_chunks_is_not_believed() {
    for way in Way::BOTH {
        let server = Server::answering(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n1;777\r\n0\r\n\r\n",
    );
        let delivery = way.client(&server, options()).send(&get(&server.url("x"))).await;
        let Delivery::Replied(reply) = delivery else { panic!("{delivery:?}") };
        assert!(!reply.intact || reply.body == b"1;777", "{reply:?}");
    }
}

#[tokio::test]
async fn a_broken_chunk_keeps_what_came_before_it() {
    for way in Way::BOTH {
        let server = Server::answering(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n1;\r\nzz\r\n777\r\n0\r\n\r\n",
        );
        assert_eq!(
            way.client(&server, options()).send(&get(&server.url("x"))).await,
            replied(200, false, b"1;")
        );
    }
}

#[tokio::test]
async fn a_compressed_body_is_left_as_it_is_and_not_intact() {
    for way in Way::BOTH {
        let server = Server::answering(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00",
        );
        let delivery = way.client(&server, options()).send(&get(&server.url("x"))).await;
        assert_eq!(delivery, replied(200, false, b"\x1f\x8b\x08\x00"));
        assert!(!server.text().to_ascii_lowercase().contains("accept-encoding"));
    }
}

#[tokio::test]
async fn a_body_over_the_cap_is_cut_and_not_intact() {
    for way in Way::BOTH {
        let huge = vec![b'x'; 10 * 1024 * 1024];
        let length = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", huge.len());
        let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n", huge.len());
        for head in [length, chunked] {
            let server = Server::answering(&[head.as_bytes(), &huge, b"\r\n0\r\n\r\n"].concat());
            assert_eq!(
                way.client(&server, options()).send(&get(&server.url("x"))).await,
                replied(200, false, &huge[..CAP])
            );
        }
        for (len, intact) in [(CAP - 1, true), (CAP, true), (CAP + 1, false)] {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n");
            let server = Server::answering(&[head.as_bytes(), &huge[..len]].concat());
            assert_eq!(
                way.client(&server, options()).send(&get(&server.url("x"))).await,
                replied(200, intact, &huge[..len.min(CAP)])
            );
        }
    }
}

#[tokio::test]
async fn a_reply_that_drips_ends_with_the_time_out() {
    for way in Way::BOTH {
        let drip = |bytes: &[u8]| {
            let steps = bytes.iter().flat_map(|byte| [Step::Write(vec![*byte]), Step::Wait(40)]);
            std::iter::once(Step::Request).chain(steps).collect::<Vec<_>>()
        };
        let long = b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n";
        let in_body =
            [vec![Step::Request, Step::Write(long.to_vec())], drip(&[b'1'; 200])[1..].to_vec()].concat();
        for script in [drip(long), in_body] {
            let server = Server::start(vec![script]);
            let client = way.client(&server, hasty(200));
            let request = get(&server.url("x"));
            let delivery = tokio::time::timeout(Duration::from_secs(3), client.send(&request)).await;
            assert_eq!(delivery.unwrap(), Delivery::MaybeSent(NetFault::TimedOut));
            assert_eq!(server.count("x"), 1);
        }
    }
}

#[tokio::test]
async fn a_redirect_is_a_reply_and_is_not_followed() {
    for way in Way::BOTH {
        for status in [301, 302, 303, 307, 308] {
            let reply =
                format!("HTTP/1.1 {status} Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
            let server = Server::answering(reply.as_bytes());
            assert_eq!(
                way.client(&server, options()).send(&get(&server.url("x"))).await,
                replied(status, true, b"")
            );
            assert_eq!((server.connections(), server.count("elsewhere")), (1, 0));
        }
    }
}

#[tokio::test]
async fn refusals_that_libraries_like_to_repeat_are_replies() {
    for way in Way::BOTH {
        for status in [401, 407, 408, 421, 425, 429, 500, 502, 503, 504] {
            let reply = format!("HTTP/1.1 {status} No\r\nRetry-After: 0\r\nContent-Length: 2\r\n\r\nno");
            let server = Server::answering(reply.as_bytes());
            assert_eq!(
                way.client(&server, options()).send(&get(&server.url("x"))).await,
                replied(status, true, b"no")
            );
            assert_eq!((server.connections(), server.count("x")), (1, 1));
        }
    }
}

#[tokio::test]
async fn interim_replies_are_not_the_answer() {
    for way in Way::BOTH {
        let server = Server::answering(&[b"HTTP/1.1 100 Continue\r\n\r\n", OK].concat());
        assert_eq!(
            way.client(&server, options()).send(&get(&server.url("x"))).await,
            replied(200, true, b"1;777")
        );
        let server = Server::answering(b"HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(
            way.client(&server, options()).send(&get(&server.url("x"))).await,
            Delivery::MaybeSent(NetFault::Broken)
        );
        let server = Server::answering(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n1;777");
        match way.client(&server, options()).send(&get(&server.url("x"))).await {
            Delivery::Replied(reply) => assert_eq!((reply.status, reply.intact), (101, false)),
            Delivery::MaybeSent(fault) => assert_eq!(fault, NetFault::Broken),
            Delivery::NotSent(fault) => panic!("{fault:?}"),
        }
    }
}

#[tokio::test]
async fn something_else_than_http_is_no_reply() {
    for way in Way::BOTH {
        for garbage in [&b"1;777"[..], b"\r\n\r\n\r\n", b"HTTP/9.9 200 OK\r\n\r\n", b"SSH-2.0-x\r\n\r\n"] {
            let server = Server::answering(garbage);
            let delivery = way.client(&server, options()).send(&get(&server.url("x"))).await;
            assert_eq!(delivery, Delivery::MaybeSent(NetFault::Broken), "{garbage:?}");
            assert_eq!(server.count("x"), 1);
        }
    }
}

#[tokio::test]
async fn a_form_is_sent_as_given() {
    for way in Way::BOTH {
        let server =
            Server::start(vec![vec![Step::Request, Step::Read(9), Step::Write(OK.to_vec()), Step::Linger]]);
        let body = Some(("application/x-www-form-urlencoded", Secret::new("a=1&b=%20")));
        let request = HttpRequest { method: Method::Post, body, ..get(&server.url("form")) };
        assert_eq!(way.client(&server, options()).send(&request).await, replied(200, true, b"1;777"));
        let text = server.text();
        assert!(text.starts_with("POST ") && text.contains("/form HTTP/1.1\r\n"), "{text}");
        assert!(text.contains(&format!("\r\nhost: {}\r\n", server.at)), "{text}");
        assert!(text.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"), "{text}");
        assert!(text.contains("\r\ncontent-length: 9\r\n") && text.ends_with("\r\n\r\na=1&b=%20"), "{text}");
        assert!(
            text.contains(concat!("\r\nuser-agent: bulk-topup/", env!("CARGO_PKG_VERSION"), "\r\n")),
            "{text}"
        );
    }
}
