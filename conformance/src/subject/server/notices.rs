//! Reports long waits and a slow rate, so that a run that waits does not look like one that hangs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A request that is waited for so long in all is told of.
const NOTABLE: Duration = Duration::from_secs(5);

/// So often somebody is told at most: all requests wait together.
const EVERY: Duration = Duration::from_secs(15);

/// The function that prints a notice.
type Tell = dyn Fn(&str) + Send + Sync;

/// The receiver of notices, and the time of the last one.
#[derive(Default)]
pub(super) struct Notices {
    to: Mutex<Option<Arc<Tell>>>,
    last: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Notices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notices").field("last", &self.last).finish_non_exhaustive()
    }
}

impl Notices {
    pub(super) fn go_to(&self, to: impl Fn(&str) + Send + Sync + 'static) {
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(to));
    }

    /// Reports a request that waits because of a refusal: `waited` in all, with the wait that begins, before it is
    /// sent for the `tries`th time again.
    pub(super) fn waits(&self, base: &str, status: u16, waited: Duration, tries: u32) {
        if waited >= NOTABLE {
            let seconds = waited.as_secs();
            self.tell(|| {
                format!(
                    "waiting: {base} answers {status}; a request waits {seconds} s in all, try {}",
                    tries + 1
                )
            });
        }
    }

    /// Reports that refusals have slowed all requests down to `rate` a second.
    pub(super) fn slows(&self, base: &str, status: u16, rate: f64) {
        self.tell(|| {
            format!(
                "slowed down to {rate:.1} requests a second: {base} answers {status} now and again; \
                 stay below its limit with --rate N, or let it be no slower than --min-rate N"
            )
        });
    }

    /// Prints a notice unless another one was printed a moment ago.
    fn tell(&self, text: impl FnOnce() -> String) {
        let to = self.to.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(to) = to else { return };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= EVERY) {
            *last = Some(Instant::now());
            to(&text());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use crate::subject::server::notices::*;

    static TOLD: AtomicUsize = AtomicUsize::new(0);

    #[test]
    fn long_wait_is_reported_once() {
        let notices = Notices::default();
        notices.waits("http://127.0.0.1", 429, NOTABLE, 1);
        notices.go_to(|_| {
            TOLD.fetch_add(1, Ordering::SeqCst);
        });
        notices.waits("http://127.0.0.1", 429, Duration::from_secs(1), 1);
        assert_eq!(TOLD.load(Ordering::SeqCst), 0);
        notices.waits("http://127.0.0.1", 429, NOTABLE, 2);
        notices.waits("http://127.0.0.1", 503, NOTABLE * 2, 3);
        assert_eq!(TOLD.load(Ordering::SeqCst), 1);
        notices.slows("http://127.0.0.1", 429, 0.8);
        assert_eq!(TOLD.load(Ordering::SeqCst), 1, "not so soon again");
    }

    #[test]
    fn a_slow_rate_names_the_options() {
        let told = Arc::<Mutex<String>>::default();
        let notices = Notices::default();
        let kept = told.clone();
        notices.go_to(move |line| line.clone_into(&mut kept.lock().expect("a lock")));
        notices.slows("http://127.0.0.1", 429, 0.83);
        let line = told.lock().expect("a lock").clone();
        assert!(line.contains("0.8 requests a second") && line.contains("--rate N"), "{line}");
    }
}
