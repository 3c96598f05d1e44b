//! Reads a reply's body up to its cap and says whether it surely arrived whole.

use std::future::poll_fn;
use std::pin::pin;

use hyper::Response;
use hyper::body::{Body, Bytes};
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING};

use crate::domain::{Delivery, NetFault, Reply};

/// How the head says that the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// After so many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked,
    /// Only by closing the connection, or in a way that cannot be trusted, or the body is compressed.
    Unsure,
}

/// Reads the body. A body that breaks off is a reply that is not intact; one that does not end in time, by the
/// error's own word, is [`NetFault::TimedOut`].
pub(super) fn read<B>(
    reply: Response<B>,
    bytes_max: usize,
    timed_out: impl Fn(&B::Error) -> bool,
) -> impl Future<Output = Delivery>
where
    B: Body<Data = Bytes>,
{
    let status = reply.status().as_u16();
    let ending = ending(reply.headers());
    let coming = reply.into_body();
    async move {
        let mut coming = pin!(coming);
        let mut body = Vec::new();
        let ended = loop {
            match poll_fn(|cx| coming.as_mut().poll_frame(cx)).await {
                Some(Ok(frame)) => {
                    let Some(chunk) = frame.data_ref() else { continue };
                    let room = bytes_max.saturating_sub(body.len());
                    body.extend_from_slice(chunk.get(..room).unwrap_or(chunk));
                    if chunk.len() > room {
                        break false;
                    }
                }
                None => break true,
                Some(Err(error)) if timed_out(&error) => return Delivery::MaybeSent(NetFault::TimedOut),
                Some(Err(_)) => break false,
            }
        };
        let whole = match ending {
            Ending::Length(length) => u64::try_from(body.len()) == Ok(length),
            Ending::Chunked => true,
            Ending::Unsure => false,
        };
        Delivery::Replied(Reply { status, intact: ended && whole, body })
    }
}

/// How the body ends, by the head. Both a length and chunks, or two lengths, are not believed.
fn ending(headers: &HeaderMap) -> Ending {
    let plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(plain) {
        return Ending::Unsure;
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (lengths.next(), lengths.next(), codings.next(), codings.next()) {
        (Some(length), None, None, None) => digits(length.as_bytes()).map_or(Ending::Unsure, Ending::Length),
        (None, None, Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Ending::Chunked
        }
        _ => Ending::Unsure,
    }
}

/// Reads plain digits.
fn digits(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    use super::*;

    fn ending_of(lines: &[(&str, &str)]) -> Ending {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        ending(&headers)
    }

    #[test]
    fn only_one_length_or_plain_chunks_promise_an_end() {
        assert_eq!(ending_of(&[("content-length", "12")]), Ending::Length(12));
        assert_eq!(ending_of(&[("transfer-encoding", "Chunked")]), Ending::Chunked);
        assert_eq!(
            ending_of(&[("content-encoding", "identity"), ("content-length", "3")]),
            Ending::Length(3)
        );
        for unsure in [
            &[][..],
            &[("content-length", "12"), ("content-length", "12")],
            &[("content-length", "12"), ("transfer-encoding", "chunked")],
            &[("content-length", "+12")],
            &[("content-length", "")],
            &[("transfer-encoding", "gzip, chunked")],
            &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            &[("content-length", "12"), ("content-encoding", "gzip")],
            &[("content-length", "12"), ("content-encoding", "br, identity")],
        ] {
            assert_eq!(ending_of(unsure), Ending::Unsure, "{unsure:?}");
        }
    }
}
