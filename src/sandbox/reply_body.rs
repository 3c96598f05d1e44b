//! The body of a reply: whole, or stopping short of what its header promises.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::clock;
use super::server::Switch;

/// Time for the part that is sent to leave before the connection breaks.
const PAUSE: Duration = Duration::from_millis(5);

/// A body that may break off, and may close its connection when it ends.
pub struct ReplyBody {
    rest: Bytes,
    breaks: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    closing: Option<Arc<Switch>>,
}

impl ReplyBody {
    /// A body of this text, cut after so many bytes if `cut` says so.
    pub fn new(text: String, cut: Option<usize>, closing: Option<Arc<Switch>>) -> ReplyBody {
        let mut rest = Bytes::from(text);
        let breaks = cut.map(|length| {
            rest.truncate(length);
            let pause: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(clock::wait(PAUSE));
            pause
        });
        ReplyBody { rest, breaks, closing }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.rest)))));
        }
        match self.breaks.as_mut() {
            None => Poll::Ready(None),
            Some(pause) => pause
                .as_mut()
                .poll(context)
                .map(|()| Some(Err(io::Error::from(io::ErrorKind::BrokenPipe).into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.breaks.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.breaks, u64::try_from(self.rest.len())) {
            (None, Ok(length)) => SizeHint::with_exact(length),
            (Some(_), _) | (None, Err(_)) => SizeHint::default(),
        }
    }
}

impl Drop for ReplyBody {
    fn drop(&mut self) {
        if let Some(switch) = self.closing.take() {
            switch.close();
        }
    }
}
