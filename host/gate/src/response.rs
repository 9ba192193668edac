//! Answers that are being sent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;
use tonic::Status;
use tonic::body::Body;

/// How long a client may take to read an answer.
const READING: Duration = Duration::from_secs(20);

/// An answer; the request is under way until it is sent, or its time is over.
pub(crate) struct Sending {
    body: Body,
    end: Pin<Box<Sleep>>,
    _permit: Option<Arc<OwnedSemaphorePermit>>,
}

impl Sending {
    pub(crate) fn new(body: Body, permit: Option<Arc<OwnedSemaphorePermit>>) -> Self {
        Self { body, end: Box::pin(tokio::time::sleep(READING)), _permit: permit }
    }
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(Status::deadline_exceeded("the answer was not read in time"))));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
