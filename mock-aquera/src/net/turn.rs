//! When a reply leaves: at once, or after those requests were read that are there already.
//!
//! Replies that leave one right after the other wake the client's program once, and not one by one; a wake-up costs
//! about as much as a lookup. That is worth the wait only where several go together. So each thread counts how many
//! waited at the same time, and after few, the next ones leave at once for a while.

use std::cell::Cell;
use std::task::{Context, Poll};

/// Fewer replies than this had better not wait for each other: another thread could have sent them meanwhile.
const FEW: u32 = 4;

/// So many replies leave at once after few have waited; twice as many each time that it happens again, up to the most.
const PAUSE: u32 = 16;
const MOST_PAUSE: u32 = 1024;

thread_local! {
    static THREAD: Cell<Thread> = const { Cell::new(Thread { waiting: 0, at_once: 0, pause: PAUSE }) };
}

/// What a thread knows of its replies.
#[derive(Clone, Copy)]
struct Thread {
    /// So many wait, and none has left since the first of them came.
    waiting: u32,
    /// So many more leave at once.
    at_once: u32,
    /// So many will, the next time that only few wait.
    pause: u32,
}

impl Thread {
    /// Whether one more reply waits.
    fn one_more_waits(&mut self) -> bool {
        if self.at_once > 0 {
            self.at_once -= 1;
            return false;
        }
        self.waiting += 1;
        true
    }

    /// A reply that has waited leaves. The first of them tells how many came together.
    fn one_leaves(&mut self) {
        match std::mem::take(&mut self.waiting) {
            0 => {}
            1..FEW => {
                self.at_once = self.pause;
                self.pause = (self.pause * 2).min(MOST_PAUSE);
            }
            _ => self.pause = PAUSE,
        }
    }
}

/// Where a connection is between a request and its reply.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing was read since the last reply left.
    #[default]
    Over,
    /// A request was read.
    Taken,
    /// The reply waits until the thread has seen to the others.
    Waiting,
}

impl Turn {
    /// Something was read.
    pub(super) fn take(&mut self) {
        *self = Self::Taken;
    }

    /// Ready once the reply may leave. `in_company`: there are other connections.
    pub(super) fn poll(&mut self, in_company: bool, context: &mut Context<'_>) -> Poll<()> {
        let mut thread = THREAD.get();
        match std::mem::take(self) {
            Self::Taken if in_company => {
                if thread.one_more_waits() {
                    *self = Self::Waiting;
                    context.waker().wake_by_ref();
                }
            }
            Self::Waiting => thread.one_leaves(),
            Self::Taken | Self::Over => {}
        }
        THREAD.set(thread);
        if *self == Self::Waiting { Poll::Pending } else { Poll::Ready(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Lets so many be read and then reply, and says how many of them wait.
    fn waiting(together: u32) -> usize {
        let mut context = Context::from_waker(Waker::noop());
        let mut turns = vec![Turn::Taken; together as usize];
        let waiting = turns
            .iter_mut()
            .map(|turn| turn.poll(true, &mut context).is_pending())
            .filter(|waits| *waits)
            .count();
        for turn in &mut turns {
            assert!(turn.poll(true, &mut context).is_ready());
            assert_eq!(*turn, Turn::Over);
        }
        waiting
    }

    #[test]
    fn replies_wait_while_many_go_together() {
        assert_eq!((0..3).map(|_| waiting(16)).sum::<usize>(), 48);
        assert_eq!(waiting(FEW), FEW as usize);
        // These few wait, so the next ones don't.
        for pause in [PAUSE, 2 * PAUSE, 4 * PAUSE] {
            assert_eq!(waiting(2), 2);
            assert_eq!(waiting(pause), 0);
        }
        assert_eq!(waiting(16), 16);
        assert_eq!((waiting(2), waiting(PAUSE), waiting(16)), (2, 0, 16));
        for _ in 0..40 {
            while waiting(1) == 0 {}
        }
        assert_eq!((waiting(MOST_PAUSE), waiting(16)), (0, 16));
    }

    #[test]
    fn who_is_alone_never_waits() {
        let mut turn = Turn::Taken;
        assert!(turn.poll(false, &mut Context::from_waker(Waker::noop())).is_ready());
    }
}
