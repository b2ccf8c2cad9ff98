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
        self.change(|course, _| self.moved(course, to));
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

    fn moved(&self, course: Course, to: Timestamp) -> Course {
        match course {
            Course::Ahead(_) => self.ahead_to(to),
            Course::Still(_) => Course::Still(to.as_microsecond()),
        }
    }

    /// Changes the course from what it is and what the clock shows; two at once happen one after the other.
    fn change(&self, change: impl Fn(Course, Timestamp) -> Course) {
        let changed = |word| {
            let course = Course::of_word(word);
            change(course, course.show(self.base.now())).to_word()
        };
        let mut word = self.course.load(Ordering::Acquire);
        while let Err(other) =
            self.course.compare_exchange_weak(word, changed(word), Ordering::AcqRel, Ordering::Acquire)
        {
            word = other;
        }
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
