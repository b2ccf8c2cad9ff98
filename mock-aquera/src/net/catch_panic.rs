//! A panic ends the work of one task and no more.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The work panicked. The message is dropped: it may quote a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Panicked;

/// Polls a future. After a panic it must not be polled again. Other tasks see what it left half done only behind locks,
/// which are used as they are (see [`crate::lock`]).
pub(super) fn poll_catching<F: Future + ?Sized>(
    work: Pin<&mut F>,
    context: &mut Context<'_>,
) -> Poll<Result<F::Output, Panicked>> {
    match catch_unwind(AssertUnwindSafe(|| work.poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Err(_) => Poll::Ready(Err(Panicked)),
    }
}

/// Runs a future to its end or to its panic. Pinned by the caller: a large future is not moved.
pub(super) async fn catch_panic<F: Future + ?Sized>(mut work: Pin<&mut F>) -> Result<F::Output, Panicked> {
    poll_fn(|context| poll_catching(work.as_mut(), context)).await
}
