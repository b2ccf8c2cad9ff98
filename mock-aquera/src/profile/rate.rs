//! Counts requests against the rate limits of a profile. Pure: the instant is an input.
//!
//! A bucket is kept as the instant at which it will be full again, so that nothing has to be refilled and no fraction
//! of a token is lost. What is asked with is kept as a digest: no credential stays here.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::http::Method;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};

use super::rate_limit::{RateLimit, RateMethods, RatePer, RetryAfter};
use crate::lock;

/// More buckets than this are swept for those that are full, which are as good as new ones.
const SWEEP_AT: usize = 10_000;
const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// The buckets of one application.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    limits: Vec<RateLimit>,
    cells: Mutex<HashMap<(usize, u64), Cell>>,
}

/// What a request is counted by.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The credentials as they came; a digest of them is kept.
    pub(crate) token: &'a str,
    /// The endpoint without ids, as in `/Users/{id}`.
    pub(crate) route: &'a str,
    /// The type that the endpoint is for, `User`, say.
    pub(crate) resource_type: Option<&'a str>,
    pub(crate) method: &'a Method,
    /// Whether it is a POST that only reads (RFC 7644 §3.4.3).
    pub(crate) search: bool,
}

/// One request too many, and what it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limited {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
}

/// A request that was let in. To be kept until it is answered: it is one of those that are on their way.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    running: Vec<Arc<AtomicU32>>,
}

#[derive(Debug, Default)]
struct Cell {
    /// In nanoseconds since 1970, times the requests of a window, so that no fraction of one is lost. Past: it is full.
    full_at: i128,
    running: Arc<AtomicU32>,
}

impl Buckets {
    pub(crate) fn new(limits: Vec<RateLimit>) -> Self {
        Self { limits, cells: Mutex::default() }
    }

    /// Lets a request in and takes from each bucket that it counts for, or takes from none.
    ///
    /// # Errors
    /// What the first limit answers that has nothing left.
    pub(crate) fn check(&self, now: Timestamp, asked: &Asked<'_>) -> Result<Admission, Limited> {
        if self.limits.is_empty() {
            return Ok(Admission::default());
        }
        let nanos = now.as_nanosecond();
        let counting: Vec<_> = (0..).zip(&self.limits).filter(|(_, limit)| counts(limit, asked)).collect();
        let mut cells = lock(&self.cells);
        if cells.len() > SWEEP_AT {
            cells.retain(|(at, _), cell| {
                let now = self.limits.get(*at).map_or(nanos, |limit| fine(limit, nanos));
                cell.full_at > now || cell.running.load(Ordering::Relaxed) > 0
            });
        }
        for (at, limit) in &counting {
            let fresh = Cell::default();
            let cell = cells.get(&(*at, key(limit, asked))).unwrap_or(&fresh);
            if let Some(wait) = cell.wait(limit, nanos) {
                return Err(Limited {
                    status: limit.status,
                    retry_after: retry_after(limit.retry_after, now, wait),
                });
            }
        }
        let mut admission = Admission::default();
        for (at, limit) in counting {
            let cell = cells.entry((at, key(limit, asked))).or_default();
            if let Some(interval) = interval(limit) {
                cell.full_at = cell.full_from(limit, fine(limit, nanos)) + interval;
            }
            if limit.max_concurrent.is_some() {
                cell.running.fetch_add(1, Ordering::Relaxed);
                admission.running.push(Arc::clone(&cell.running));
            }
        }
        Ok(admission)
    }

    /// Fills every bucket. Requests on their way still count.
    pub(crate) fn refill(&self) {
        for cell in lock(&self.cells).values_mut() {
            cell.full_at = 0;
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        for running in &self.running {
            running.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Cell {
    /// The instant at which it is full if nothing is taken, not before `now`. A bucket that would take longer to fill
    /// than an empty one was counted under a clock that has been put back since: it is full.
    fn full_from(&self, limit: &RateLimit, now: i128) -> i128 {
        let longest = interval(limit).unwrap_or_default().saturating_mul(burst(limit));
        if self.full_at > now.saturating_add(longest) { now } else { self.full_at.max(now) }
    }

    /// How many nanoseconds until a request is let in; nothing: it is let in now.
    fn wait(&self, limit: &RateLimit, now: i128) -> Option<i128> {
        if let Some(interval) = interval(limit) {
            let now = fine(limit, now);
            let wait = self.full_from(limit, now) - now - interval.saturating_mul(burst(limit) - 1);
            if wait > 0 {
                let unit = fine(limit, 1);
                return Some((wait + unit - 1) / unit);
            }
        }
        let most = limit.max_concurrent?;
        // Nobody knows when the others end.
        (self.running.load(Ordering::Relaxed) >= most.get()).then_some(NANOS_PER_SECOND)
    }
}

/// The time that it takes to earn one request, in the fine unit.
fn interval(limit: &RateLimit) -> Option<i128> {
    limit.requests?;
    Some(i128::try_from(limit.window.duration().as_nanos()).unwrap_or(i128::MAX / 2))
}

/// Nanoseconds in the fine unit, of which each has as many as a window has requests.
fn fine(limit: &RateLimit, nanos: i128) -> i128 {
    nanos.saturating_mul(limit.requests.map_or(1, |requests| i128::from(requests.get())))
}

fn burst(limit: &RateLimit) -> i128 {
    limit.burst.or(limit.requests).map_or(1, |most| i128::from(most.get()))
}

fn counts(limit: &RateLimit, asked: &Asked<'_>) -> bool {
    let reads = asked.search || matches!(*asked.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let of_type = limit.resource_type.as_deref().is_none_or(|name| asked.resource_type == Some(name));
    of_type
        && match limit.methods {
            RateMethods::All => true,
            RateMethods::Reads => reads,
            RateMethods::Writes => !reads,
            RateMethods::Post => *asked.method == Method::POST && !asked.search,
            RateMethods::Put => *asked.method == Method::PUT,
            RateMethods::Patch => *asked.method == Method::PATCH,
            RateMethods::Delete => *asked.method == Method::DELETE,
        }
}

fn key(limit: &RateLimit, asked: &Asked<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match limit.per {
        RatePer::Token => asked.token.hash(&mut hasher),
        RatePer::Route => asked.route.hash(&mut hasher),
        RatePer::Application => {}
    }
    hasher.finish()
}

fn retry_after(kind: RetryAfter, now: Timestamp, wait: i128) -> Option<String> {
    let seconds = i64::try_from((wait + NANOS_PER_SECOND - 1) / NANOS_PER_SECOND).unwrap_or(i64::MAX);
    match kind {
        RetryAfter::Seconds => Some(seconds.to_string()),
        RetryAfter::TooShort => Some((seconds / 2).to_string()),
        RetryAfter::Zero => Some("0".to_owned()),
        RetryAfter::Negative => Some("-1".to_owned()),
        RetryAfter::Garbage => Some("soon".to_owned()),
        RetryAfter::Missing => None,
        RetryAfter::Date => {
            // Whole seconds are all that the format holds; a fraction more would be too early.
            let part = i64::from(now.subsec_nanosecond() != 0);
            let at = now.checked_add(SignedDuration::from_secs(seconds.saturating_add(part))).ok()?;
            DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;
    use crate::profile::Period;

    fn limit(requests: u32, millis: u64, burst: Option<u32>) -> RateLimit {
        RateLimit {
            requests: NonZeroU32::new(requests),
            window: Period::from_millis(millis),
            burst: burst.and_then(NonZeroU32::new),
            ..RateLimit::default()
        }
    }

    fn asked<'a>(token: &'a str, route: &'a str, method: &'a Method) -> Asked<'a> {
        Asked { token, route, resource_type: Some("User"), method, search: false }
    }

    fn get(token: &str) -> Asked<'_> {
        asked(token, "/Users", &Method::GET)
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_790_000_000_000 + millis).unwrap()
    }

    #[test]
    fn a_burst_goes_through_and_then_the_rate() {
        let buckets = Buckets::new(vec![limit(3, 60_000, Some(2))]);
        let mut outcomes = Vec::new();
        for millis in [0, 0, 0, 1, 19_999, 20_000, 20_000, 100_000, 100_000, 100_000] {
            let outcome = buckets.check(at(millis), &get("t")).map(drop);
            outcomes.push((millis, outcome.err().and_then(|limited| limited.retry_after)));
        }
        let told = |seconds: &str| Some(seconds.to_owned());
        assert_eq!(
            outcomes,
            [
                (0, None),
                (0, None),
                (0, told("20")),
                (1, told("20")),
                (19_999, told("1")),
                (20_000, None),
                (20_000, told("20")),
                (100_000, None),
                (100_000, None),
                (100_000, told("20")),
            ]
        );
        buckets.refill();
        assert!(buckets.check(at(100_000), &get("t")).is_ok());
    }

    #[test]
    fn buckets_are_shared_as_the_limit_says() {
        #[track_caller]
        fn check(per: RatePer, other_token: bool, other_route: bool) {
            let buckets = Buckets::new(vec![RateLimit { per, ..limit(1, 1000, None) }]);
            let ask = |token, route| buckets.check(at(0), &asked(token, route, &Method::GET)).is_ok();
            assert!(ask("a", "/Users"));
            assert!(!ask("a", "/Users"), "{per:?}");
            assert_eq!((ask("b", "/Users"), ask("a", "/Groups")), (other_token, other_route), "{per:?}");
        }
        check(RatePer::Token, true, false);
        check(RatePer::Route, false, true);
        check(RatePer::Application, false, false);
    }

    #[test]
    fn only_what_a_limit_is_for_counts() {
        #[track_caller]
        fn check(methods: RateMethods, counted: &str) {
            let rule = RateLimit { methods, ..limit(1, 1000, None) };
            let all = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE]
                .into_iter()
                .filter(|method| counts(&rule, &asked("t", "/Users", method)));
            let names: Vec<String> = all.map(|method| method.to_string()).collect();
            assert_eq!(names.join(" "), counted, "{methods:?}");
        }
        check(RateMethods::All, "GET POST PUT PATCH DELETE");
        check(RateMethods::Reads, "GET");
        check(RateMethods::Writes, "POST PUT PATCH DELETE");
        check(RateMethods::Post, "POST");
        check(RateMethods::Put, "PUT");
        check(RateMethods::Patch, "PATCH");
        check(RateMethods::Delete, "DELETE");

        let search = Asked { search: true, ..asked("t", "/Users/.search", &Method::POST) };
        let of = |methods| counts(&RateLimit { methods, ..limit(1, 1000, None) }, &search);
        assert_eq!(
            (of(RateMethods::Reads), of(RateMethods::Writes), of(RateMethods::Post)),
            (true, false, false)
        );
        let groups = RateLimit { resource_type: Some("Group".to_owned()), ..limit(1, 1000, None) };
        assert!(!counts(&groups, &get("t")));
        assert!(counts(&groups, &Asked { resource_type: Some("Group"), ..get("t") }));
    }

    #[test]
    fn a_refused_request_takes_from_no_bucket() {
        let narrow = RateLimit { methods: RateMethods::Writes, ..limit(1, 1000, None) };
        let buckets = Buckets::new(vec![limit(3, 1_000_000, None), narrow]);
        let ask = |method| buckets.check(at(0), &asked("t", "/Users", method)).is_ok();
        assert!(ask(&Method::PUT));
        for _ in 0..5 {
            assert!(!ask(&Method::PUT));
        }
        assert!(ask(&Method::GET) && ask(&Method::GET));
        assert!(!ask(&Method::GET));
    }

    #[test]
    fn only_so_many_are_on_their_way() {
        let rule = RateLimit {
            max_concurrent: NonZeroU32::new(2),
            requests: None,
            status: 503,
            ..RateLimit::default()
        };
        let buckets = Buckets::new(vec![rule]);
        let ask = || buckets.check(at(0), &get("t"));
        let (one, _other) = (ask().unwrap(), ask().unwrap());
        assert_eq!(ask().unwrap_err(), Limited { status: 503, retry_after: Some("1".to_owned()) });
        drop(one);
        assert!(ask().is_ok());
    }

    #[test]
    fn retry_after_says_what_it_is_told_to() {
        #[track_caller]
        fn check(kind: RetryAfter, expected: Option<&str>) {
            let wait = 9 * NANOS_PER_SECOND + 1;
            assert_eq!(retry_after(kind, at(1), wait).as_deref(), expected, "{kind:?}");
        }
        check(RetryAfter::Seconds, Some("10"));
        check(RetryAfter::Date, Some("Mon, 21 Sep 2026 14:13:31 GMT"));
        check(RetryAfter::Zero, Some("0"));
        check(RetryAfter::Missing, None);
        check(RetryAfter::TooShort, Some("5"));
        check(RetryAfter::Negative, Some("-1"));
        check(RetryAfter::Garbage, Some("soon"));
    }

    #[test]
    fn a_clock_that_is_put_back_locks_nobody_out() {
        let buckets = Buckets::new(vec![limit(1, 1000, None)]);
        assert!(buckets.check(at(1_000_000), &get("t")).is_ok());
        assert!(buckets.check(at(0), &get("t")).is_ok());
        assert!(buckets.check(at(0), &get("t")).is_err());
    }

    #[test]
    fn no_credential_is_kept() {
        let buckets = Buckets::new(vec![limit(1, 1000, None)]);
        buckets.check(at(0), &get("hunter2")).unwrap();
        assert!(!format!("{buckets:?}").contains("hunter2"));
    }

    #[test]
    fn a_window_gives_back_all_that_it_holds() {
        let buckets = Buckets::new(vec![limit(180, 60_000, None)]);
        let take = |second| {
            let now = Timestamp::from_second(second).unwrap();
            std::iter::repeat_with(|| buckets.check(now, &get("a"))).take_while(Result::is_ok).count()
        };
        assert_eq!([take(0), take(1), take(61), take(61)], [180, 3, 180, 0]);
    }

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_what_the_time_has_earned(
            requests in 1_u32..20,
            window in 1_u64..5000,
            burst in proptest::option::of(1_u32..30),
            steps in proptest::collection::vec(0_i64..400, 1..200),
        ) {
            let buckets = Buckets::new(vec![limit(requests, window, burst)]);
            let mut now = 0;
            let mut admitted = Vec::new();
            for step in steps {
                now += step;
                match buckets.check(at(now), &get("t")) {
                    Ok(_) => admitted.push(now),
                    Err(limited) => {
                        let wait: i64 = limited.retry_after.unwrap().parse().unwrap();
                        prop_assert!(wait >= 1);
                    }
                }
            }
            let burst = i64::from(burst.unwrap_or(requests));
            for (first, start) in admitted.iter().enumerate() {
                for (last, end) in admitted.iter().enumerate().skip(first) {
                    let earned = (end - start) * i64::from(requests) / i64::try_from(window).unwrap();
                    prop_assert!(i64::try_from(last - first + 1).unwrap() <= burst + earned);
                }
            }
        }

        #[test]
        fn whoever_waits_as_told_is_let_in(requests in 1_u32..20, window in 1_u64..100_000, taken in 1_usize..40) {
            let buckets = Buckets::new(vec![limit(requests, window, None)]);
            if let Some(limited) = (0..taken).find_map(|_| buckets.check(at(7), &get("t")).err()) {
                let wait: i64 = limited.retry_after.unwrap().parse().unwrap();
                prop_assert!(buckets.check(at(7 + wait * 1000), &get("t")).is_ok());
            }
        }
    }
}
