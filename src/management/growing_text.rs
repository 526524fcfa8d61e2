//! An answer without an end: text that is looked for again and again, and told as it comes. What
//! there is to tell, and when there will be no more, says who answers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::limits::STREAM_LOOK_MS;

/// Text as it comes. A look gives what is new, maybe nothing; without an answer it was the last.
pub(super) struct GrowingText<Look> {
    look: Look,
    looks: Interval,
}

impl<Look: FnMut() -> Option<Bytes>> GrowingText<Look> {
    pub(super) fn new(look: Look) -> Self {
        let mut looks = interval(Duration::from_millis(STREAM_LOOK_MS));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { look, looks }
    }
}

impl<Look: FnMut() -> Option<Bytes> + Unpin> Body for GrowingText<Look> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            ready!(self.looks.poll_tick(context));
            match (self.look)() {
                None => return Poll::Ready(None),
                Some(text) if text.is_empty() => {}
                Some(text) => {
                    // There may be more.
                    self.looks.reset_immediately();
                    return Poll::Ready(Some(Ok(Frame::data(text))));
                }
            }
        }
    }
}
