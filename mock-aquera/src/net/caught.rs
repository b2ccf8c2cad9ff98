//! A panic that ends one task's work and no more.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// The work panicked. What it said is dropped: it may quote a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Panicked;

/// Runs a future to its end or to its panic. After a panic it is dropped, and nobody sees what it left half done but
/// through locks, which are used as they are (see [`crate::lock`]).
/// Pinned by the caller: a large future is not moved.
pub(super) async fn caught<F: Future>(mut work: Pin<&mut F>) -> Result<F::Output, Panicked> {
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}
