//! The rate of requests: at most the rate that was asked for, and slower if the server refuses requests as too many.
//!
//! A 429 or 503 makes all requests wait, not only the one that met it: the server counts the client, not the request.
//! The rate of requests is then halved, and grows by the same amount with each answer that is no refusal. A share of it
//! would not do: at a low rate, a few refusals among many answers would keep it low for good.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The first pause between two requests.
const FIRST_GAP: Duration = Duration::from_millis(20);

/// The rate below which refusals slow nobody down, in requests a second, unless another one is asked for.
pub(super) const MIN_RATE: f64 = 1.0;

/// The interval at which a wait checks whether it is still due.
const NAP: Duration = Duration::from_millis(200);

/// Requests a second that the rate grows by with each answer.
const GROWTH: f64 = 0.25;

/// At this rate requests are no longer delayed.
const UNHINDERED: f64 = 200.0;

/// A rate below this is told.
const SLOW: f64 = 10.0;

/// The turns of all requests of one client.
#[derive(Debug)]
pub(super) struct Pace {
    /// The least time between two requests, by the rate that was asked for.
    least: Duration,
    /// The longest time between two requests, however often the server refuses.
    longest: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The time at which the next request may be sent.
    next: Instant,
    /// No request is sent before this time.
    closed_until: Instant,
    /// The pause that the server's refusals have led to.
    gap: Duration,
    /// The time at which the delay was last extended: refusals of earlier requests carry no new information.
    slowed: Instant,
    /// The time of the first request, and the number of responses other than refusals.
    began: Option<Instant>,
    answered: u32,
}

impl Pace {
    /// Returns a pace of at most `rate` requests a second; refusals make it no slower than `min_rate`.
    pub(super) fn new(rate: Option<f64>, min_rate: f64) -> Self {
        let pause = |rate: f64| {
            Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX).min(Duration::from_hours(1))
        };
        let least = rate.filter(|rate| *rate > 0.0).map_or(Duration::ZERO, pause);
        let longest = pause(min_rate);
        let now = Instant::now();
        let state = State {
            next: now,
            closed_until: now,
            gap: Duration::ZERO,
            slowed: now,
            began: None,
            answered: 0,
        };
        Self { least, longest, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn of the next request.
    pub(super) async fn turn(&self) {
        loop {
            let now = Instant::now();
            let turn = {
                let mut state = self.state();
                if state.closed_until > now {
                    Err(state.closed_until)
                } else {
                    let turn = state.next.max(now);
                    state.next = turn + self.least.max(state.gap);
                    state.began.get_or_insert(turn);
                    Ok(turn)
                }
            };
            match turn {
                Ok(turn) => {
                    if turn > now {
                        tokio::time::sleep_until(turn.into()).await;
                    }
                    // A refusal that came meanwhile holds for this one too.
                    if self.state().closed_until <= Instant::now() {
                        return;
                    }
                }
                // In short sleeps, for the wait may be called off.
                Err(opens) => tokio::time::sleep_until(opens.min(now + NAP).into()).await,
            }
        }
    }

    /// Slows down after the server refused a request that was sent at `sent`, and wants `wait` before the next.
    /// Returns the new rate, in requests a second, if it is slow.
    pub(super) fn refused(&self, sent: Instant, wait: Duration) -> Option<f64> {
        let now = Instant::now();
        let mut state = self.state();
        state.closed_until = state.closed_until.max(now + wait);
        if sent >= state.slowed {
            state.slowed = now;
            state.gap = (state.gap * 2).max(FIRST_GAP).min(self.longest);
        }
        let rate = 1.0 / state.gap.as_secs_f64();
        (self.least < state.gap && rate < SLOW).then_some(rate)
    }

    /// Speeds up after the server answered a request.
    pub(super) fn answered(&self) {
        let mut state = self.state();
        state.answered += 1;
        if !state.gap.is_zero() {
            let rate = 1.0 / state.gap.as_secs_f64() + GROWTH;
            state.gap = if rate >= UNHINDERED { Duration::ZERO } else { Duration::from_secs_f64(1.0 / rate) };
        }
    }

    /// Ends the pause after a refusal, so that a client that was told to stop can clean up.
    pub(super) fn open(&self) {
        self.state().closed_until = Instant::now();
    }

    /// Requests a second that the server is likely to bear: somewhat less than it answered so far.
    pub(super) fn bearable(&self) -> f64 {
        let state = self.state();
        let seconds = state.began.map_or(0.0, |began| began.elapsed().as_secs_f64()).max(1.0);
        let rate = f64::from(state.answered) / seconds * 0.8;
        if rate >= 2.0 { rate.floor() } else { (rate * 10.0).floor().max(1.0) / 10.0 }
    }
}

#[cfg(test)]
mod tests {
    use crate::subject::server::pace::*;

    #[test]
    fn refusals_lengthen_the_pause_and_answers_shorten_it() {
        let pace = Pace::new(None, MIN_RATE);
        let sent = Instant::now();
        pace.refused(sent, Duration::from_secs(3));
        let gap = pace.state().gap;
        assert_eq!(gap, FIRST_GAP);
        // Of the same burst: it says nothing new.
        let earlier = sent.checked_sub(Duration::from_secs(1)).expect("a clock that runs for a second");
        pace.refused(earlier, Duration::from_secs(1));
        assert_eq!(pace.state().gap, FIRST_GAP);
        pace.refused(Instant::now(), Duration::ZERO);
        assert_eq!(pace.state().gap, FIRST_GAP * 2);
        for _ in 0..8 {
            pace.answered();
        }
        // From 25 requests a second to 27.
        assert_eq!(pace.state().gap.as_millis(), 37);
        for _ in 0..800 {
            pace.answered();
        }
        assert_eq!(pace.state().gap, Duration::ZERO);
        for _ in 0..20 {
            pace.refused(Instant::now(), Duration::ZERO);
        }
        assert_eq!(pace.state().gap, Duration::from_secs(1));
        assert_eq!(pace.refused(Instant::now(), Duration::ZERO), Some(1.0), "it is slow, and that is told");
        let hasty = Pace::new(None, 200.0);
        for _ in 0..20 {
            hasty.refused(Instant::now(), Duration::ZERO);
        }
        assert_eq!(hasty.state().gap, Duration::from_millis(5));
    }

    /// A server that refuses one request in twenty, whatever the rate, is no reason to crawl.
    #[test]
    fn rare_refusals_leave_a_useful_rate() {
        let pace = Pace::new(None, MIN_RATE);
        let mut slowest = f64::MAX;
        for _ in 0..30 {
            pace.refused(Instant::now(), Duration::ZERO);
            slowest = slowest.min(1.0 / pace.state().gap.as_secs_f64());
            for _ in 0..19 {
                pace.answered();
            }
        }
        assert!(slowest > 4.0, "{slowest} requests a second");
    }

    #[test]
    fn rate_sets_the_pause_between_requests() {
        let least = |rate| Pace::new(rate, MIN_RATE).least;
        assert_eq!(least(Some(4.0)), Duration::from_millis(250));
        assert_eq!(least(None), Duration::ZERO);
        assert_eq!(least(Some(f64::MIN_POSITIVE)), Duration::from_hours(1));
        assert!(Pace::new(None, MIN_RATE).bearable() > 0.0);
    }
}
