//! The clock of one application: the server's, until somebody stops or moves it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

use super::{Clock, date_time};

/// A clock that follows another one at a distance, or stands still. Reading it takes no lock; a moved or stopped
/// clock has microseconds.
///
/// What would leave representable time stays at its end.
///
/// ```
/// use std::sync::Arc;
/// use jiff::{SignedDuration, Timestamp};
/// use mock_aquera::{AppClock, Clock as _, ManualClock};
///
/// let clock = AppClock::new(Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)));
/// clock.advance(SignedDuration::from_hours(1));
/// clock.freeze();
/// assert_eq!(clock.now().to_string(), "1970-01-01T01:00:00Z");
/// assert!(clock.state().frozen);
/// ```
pub struct AppClock {
    base: Arc<dyn Clock>,
    course: AtomicI64,
}

/// What a clock shows and how it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClockState {
    /// What it shows.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub now: Timestamp,
    /// Whether it stands still.
    pub frozen: bool,
    /// How far it is ahead of the server's clock, in milliseconds.
    #[serde(rename = "offsetMs", serialize_with = "as_milliseconds")]
    #[schema(value_type = i64)]
    pub offset: SignedDuration,
}

/// How a clock goes. Kept in one word, so that a reader never sees half of a change.
#[derive(Clone, Copy)]
enum Course {
    /// So many microseconds ahead of the base.
    Ahead(i64),
    /// Still, so many microseconds after 1970.
    Still(i64),
}

impl Course {
    /// All of time has 61 bits in microseconds, and so has the distance between its ends, with a sign 62.
    fn to_word(self) -> i64 {
        match self {
            Self::Ahead(microseconds) => microseconds << 1,
            Self::Still(microseconds) => microseconds << 1 | 1,
        }
    }

    fn of_word(word: i64) -> Self {
        if word & 1 == 0 { Self::Ahead(word >> 1) } else { Self::Still(word >> 1) }
    }

    fn show(self, base: Timestamp) -> Timestamp {
        match self {
            Self::Ahead(0) => base,
            Self::Ahead(distance) => instant(base.as_microsecond().saturating_add(distance)),
            Self::Still(at) => instant(at),
        }
    }
}

impl AppClock {
    /// A clock that shows what `base` shows.
    pub fn new(base: Arc<dyn Clock>) -> Self {
        Self { base, course: AtomicI64::new(Course::Ahead(0).to_word()) }
    }

    /// Stops it where it is.
    pub fn freeze(&self) {
        self.change(|_, shown| Course::Still(shown.as_microsecond()));
    }

    /// Stops it at an instant.
    pub fn freeze_at(&self, at: Timestamp) {
        self.change(|_, _| Course::Still(at.as_microsecond()));
    }

    /// Lets it go on from where it stands. Without effect where it runs.
    pub fn unfreeze(&self) {
        self.change(|course, shown| match course {
            Course::Ahead(_) => course,
            Course::Still(_) => self.ahead_to(shown),
        });
    }

    /// Sets it to an instant; it stands or runs on from there, as it did.
    pub fn set(&self, to: Timestamp) {
        self.change(|course, _| match course {
            Course::Ahead(_) => self.ahead_to(to),
            Course::Still(_) => Course::Still(to.as_microsecond()),
        });
    }

    /// Moves it on, or back where `step` is negative; it stands or runs as it did.
    pub fn advance(&self, step: SignedDuration) {
        let step =
            i64::try_from(step.as_micros()).unwrap_or(if step.is_negative() { i64::MIN } else { i64::MAX });
        self.change(|course, shown| {
            // Of the distance and not of what is shown, or each move would cost a little of the time that passes.
            match course {
                Course::Ahead(distance) => {
                    let base = self.base.now().as_microsecond();
                    let to = base.saturating_add(distance).saturating_add(step);
                    if in_time(to) { Course::Ahead(distance + step) } else { self.ahead_to(instant(to)) }
                }
                Course::Still(_) => {
                    Course::Still(instant(shown.as_microsecond().saturating_add(step)).as_microsecond())
                }
            }
        });
    }

    /// Follows the server's clock again.
    pub fn reset(&self) {
        self.change(|_, _| Course::Ahead(0));
    }

    /// What it shows and how it came to.
    pub fn state(&self) -> ClockState {
        let (course, base) = (self.course(), self.base.now());
        let now = course.show(base);
        ClockState { now, frozen: matches!(course, Course::Still(_)), offset: base.duration_until(now) }
    }

    fn course(&self) -> Course {
        Course::of_word(self.course.load(Ordering::Acquire))
    }

    fn ahead_to(&self, shown: Timestamp) -> Course {
        Course::Ahead(shown.as_microsecond() - self.base.now().as_microsecond())
    }

    /// Changes the course from what it is and what the clock shows; two at once happen one after the other.
    fn change(&self, change: impl Fn(Course, Timestamp) -> Course) {
        let changed = |word| {
            let course = Course::of_word(word);
            Some(change(course, course.show(self.base.now())).to_word())
        };
        // It never refuses.
        let _ = self.course.fetch_update(Ordering::AcqRel, Ordering::Acquire, changed);
    }
}

impl Clock for AppClock {
    fn now(&self) -> Timestamp {
        match self.course() {
            // Where it stands the base need not be asked.
            Course::Still(at) => instant(at),
            ahead @ Course::Ahead(_) => ahead.show(self.base.now()),
        }
    }
}

impl fmt::Debug for AppClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AppClock").field(&self.state()).finish()
    }
}

fn in_time(microseconds: i64) -> bool {
    (Timestamp::MIN.as_microsecond()..=Timestamp::MAX.as_microsecond()).contains(&microseconds)
}

fn instant(microseconds: i64) -> Timestamp {
    let end = if microseconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_microsecond(microseconds).unwrap_or(end)
}

fn as_text<S: Serializer>(instant: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&date_time(*instant))
}

fn as_milliseconds<S: Serializer>(offset: &SignedDuration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(i64::try_from(offset.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::ManualClock;
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn clocks() -> (Arc<ManualClock>, AppClock) {
        let base = Arc::new(ManualClock::new(at("2026-01-01T00:00:00.123456789Z")));
        (Arc::clone(&base), AppClock::new(base))
    }

    #[test]
    fn it_follows_the_base_until_it_is_told_otherwise() {
        let (base, clock) = clocks();
        assert_eq!(clock.now(), base.now());
        base.advance(SignedDuration::from_secs(1));
        assert_eq!(clock.now(), base.now());
    }

    #[test]
    fn frozen_it_stands_and_moves_only_when_told() {
        let (base, clock) = clocks();
        clock.freeze();
        base.advance(SignedDuration::from_hours(1));
        assert_eq!(clock.now(), at("2026-01-01T00:00:00.123456Z"));
        clock.advance(SignedDuration::from_secs(5));
        assert_eq!(clock.now(), at("2026-01-01T00:00:05.123456Z"));
        clock.advance(SignedDuration::from_secs(-6));
        assert_eq!(clock.now(), at("2025-12-31T23:59:59.123456Z"));
        clock.set(at("2030-01-01T00:00:00Z"));
        base.advance(SignedDuration::from_hours(1));
        assert_eq!(clock.now(), at("2030-01-01T00:00:00Z"));
        clock.freeze_at(at("2031-01-01T00:00:00Z"));
        assert_eq!(clock.now(), at("2031-01-01T00:00:00Z"));
        clock.unfreeze();
        clock.unfreeze();
        base.advance(SignedDuration::from_secs(1));
        assert_eq!(clock.now(), at("2031-01-01T00:00:01Z"));
        clock.reset();
        assert_eq!(clock.now(), base.now());
    }

    #[test]
    fn running_it_moves_and_goes_on() {
        let (base, clock) = clocks();
        clock.advance(SignedDuration::from_hours(1));
        base.advance(SignedDuration::from_secs(1));
        assert_eq!(clock.now(), at("2026-01-01T01:00:01.123456Z"));
        clock.set(at("2000-01-01T00:00:00Z"));
        base.advance(SignedDuration::from_secs(1));
        assert_eq!(clock.now(), at("2000-01-01T00:00:01Z"));
    }

    #[test]
    fn the_state_says_how_far_it_is_off() {
        let (base, clock) = clocks();
        let told = |clock: &AppClock| serde_json::to_value(clock.state()).unwrap();
        assert_eq!(told(&clock), json!({"now": "2026-01-01T00:00:00.123Z", "frozen": false, "offsetMs": 0}));
        clock.advance(SignedDuration::from_secs(-2));
        let moved = json!({"now": "2025-12-31T23:59:58.123Z", "frozen": false, "offsetMs": -2000});
        assert_eq!(told(&clock), moved);
        clock.freeze_at(at("2026-01-01T00:00:01.123456Z"));
        base.advance(SignedDuration::from_nanos(999_999_211));
        let frozen = json!({"now": "2026-01-01T00:00:01.123Z", "frozen": true, "offsetMs": 0});
        assert_eq!(told(&clock), frozen);
        assert!(format!("{clock:?}").contains("frozen: true"));
    }

    #[test]
    fn it_stays_at_the_ends_of_time() {
        for frozen in [true, false] {
            let (base, clock) = clocks();
            if frozen {
                clock.freeze();
            }
            clock.advance(SignedDuration::MAX);
            clock.advance(SignedDuration::MAX);
            base.advance(SignedDuration::from_hours(1));
            assert_eq!(clock.now().as_microsecond(), Timestamp::MAX.as_microsecond());
            clock.advance(SignedDuration::MIN);
            clock.advance(SignedDuration::MIN);
            let shown = clock.now().duration_since(Timestamp::MIN);
            assert!(shown <= SignedDuration::from_micros(1), "{shown:?}");
        }
    }

    proptest! {
        #[test]
        fn any_instant_can_be_set_and_is_shown_to_the_microsecond(
            second in Timestamp::MIN.as_second()..=Timestamp::MAX.as_second() - 1,
            microsecond in 0..1_000_000_i64,
            frozen: bool,
        ) {
            let to = Timestamp::new(second, 0).unwrap();
            let to = to.checked_add(SignedDuration::from_micros(microsecond)).unwrap();
            let (_, clock) = clocks();
            if frozen {
                clock.freeze();
            }
            clock.set(to);
            prop_assert_eq!(clock.now().as_microsecond(), to.as_microsecond());
            prop_assert_eq!(clock.state().frozen, frozen);
        }
    }

    #[test]
    fn moves_made_at_once_all_count() {
        let (base, clock) = clocks();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| clock.advance(SignedDuration::from_micros(1))));
            }
        });
        assert_eq!(clock.now().as_microsecond() - base.now().as_microsecond(), 4000);
    }
}
