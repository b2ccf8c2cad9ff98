//! A panic that ends one task's work and no more.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The work panicked. What it said is dropped: it may quote a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Panicked;

/// Does something to its end or to its panic. Nobody sees what it left half done but through locks, which are used as
/// they are (see [`crate::lock`]).
pub(super) fn caught_now<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked)
}

/// Polls a future; a panic is its end, and it is not to be polled again.
pub(super) fn poll_caught<F: Future + ?Sized>(
    work: Pin<&mut F>,
    context: &mut Context<'_>,
) -> Poll<Result<F::Output, Panicked>> {
    match caught_now(|| work.poll(context)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Err(panicked) => Poll::Ready(Err(panicked)),
    }
}

/// Runs a future to its end or to its panic. Pinned by the caller: a large future is not moved.
pub(super) async fn caught<F: Future + ?Sized>(mut work: Pin<&mut F>) -> Result<F::Output, Panicked> {
    poll_fn(|context| poll_caught(work.as_mut(), context)).await
}
