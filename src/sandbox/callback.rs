//! Callbacks: tells a client of ended orders, once, as the two documents that have callbacks say.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::envelope;
use super::faults::CallbackUrl;
use super::inquiry::Provider;
use super::tutom;
use super::world::{World, settings};

/// A client that does not take its callback in this time does not get it.
const POST_MOST: Duration = Duration::from_secs(5);

/// One callback to post.
pub struct Letter {
    url: CallbackUrl,
    content_type: &'static str,
    body: String,
}

/// The callbacks for the orders that ended since this was last asked. Paynicorn tells of successes
/// alone, CONNECT TOPUP of nothing.
pub fn letters(world: &mut World) -> Vec<Letter> {
    let ended = world.book.take_ended();
    let letters = ended.into_iter().filter_map(|order| {
        let url = settings(&world.faults, order.provider).callback.clone()?;
        let (content_type, body) = match order.provider {
            Provider::Tutom => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                for field in tutom::callback(&order.id, &order.reference, order.completed) {
                    form.append_pair(&field.name, &field.value);
                }
                ("application/x-www-form-urlencoded", form.finish())
            }
            Provider::Paynicorn if order.completed => {
                ("application/json", envelope::callback(&order.id, &order.reference, order.at / 1_000_000))
            }
            Provider::Paynicorn | Provider::ConnectTopup => return None,
        };
        Some(Letter { url, content_type, body })
    });
    letters.collect()
}

/// Posts a callback. There is no second try, as there is none in the documents.
pub async fn post(letter: Letter) {
    // Whether it was taken is the client's affair.
    drop(tokio::time::timeout(POST_MOST, send(&letter)).await);
}

async fn send(letter: &Letter) -> io::Result<()> {
    let Letter { url, content_type, body } = letter;
    let mut stream = TcpStream::connect(url.addr).await?;
    let request = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        url.path,
        url.addr,
        body.len(),
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = [0; 1024];
    while stream.read(&mut answer).await? > 0 {}
    Ok(())
}
