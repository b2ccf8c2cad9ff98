//! Judges whether a condition holds of a value, and describes the value if it does not.

use serde_json::{Value, json};

use crate::case::expect::{Condition, Direction};
use crate::case::template::Unfilled;
use crate::casing::same_without_case;
use crate::json::{get, includes, is_absent, same};
use crate::server::judge::value::{brief, is, text};
use crate::server::judge::{Judge, Miss, Seen, in_words, statuses};

/// A condition that does not hold.
pub(super) struct Unmet {
    /// The expected value.
    pub(super) expected: Value,
    /// The reason in plain words.
    pub(super) why: String,
    /// The kind of actual value.
    pub(super) seen: Seen,
}

impl Unmet {
    fn new(expected: Value, why: String) -> Self {
        Self { expected, why, seen: Seen::Other }
    }

    /// Returns the failure for a missing value, or for another one.
    fn of(value: Option<&Value>, expected: Value, why: String) -> Self {
        let seen = if is_absent(value) { Seen::Nothing } else { Seen::Other };
        Self { expected, why, seen }
    }
}

impl Judge<'_> {
    /// Returns the failure of a condition, or `None` if it holds.
    pub(super) fn condition(
        &self,
        path: &str,
        condition: &Condition,
        value: Option<&Value>,
    ) -> Result<Option<Unmet>, Unfilled> {
        let bindings = self.bindings;
        let null = Value::Null;
        let there = value.unwrap_or(&null);
        let size = there
            .as_array()
            .map(|elements| u32::try_from(elements.len()).map_or(f64::MAX, f64::from))
            .or_else(|| there.as_f64());
        Ok(match condition {
            Condition::Equals(wanted) => {
                let wanted = wanted.fill(bindings)?;
                let holds = if is_absent(Some(&wanted)) { is_absent(value) } else { same(there, &wanted) };
                (!holds).then(|| {
                    let why = format!("{path} is {}, and should be {}", brief(value), brief(Some(&wanted)));
                    Unmet::of(value, wanted, why)
                })
            }
            Condition::EqualsIgnoringCase(wanted) => {
                let wanted = wanted.fill(bindings)?;
                let holds = there.as_str().is_some_and(|text| same_without_case(text, &wanted));
                let why = || format!("{path} is {}, and should be {wanted}", brief(value));
                (!holds).then(|| Unmet::of(value, json!(wanted), why()))
            }
            Condition::SameAddress(wanted) => {
                let wanted = wanted.fill(bindings)?;
                let holds =
                    there.as_str().is_some_and(|found| bindings.address(found) == bindings.address(&wanted));
                let why = || format!("{path} is {}, and should be {wanted}", brief(value));
                (!holds).then(|| Unmet::of(value, json!(wanted), why()))
            }
            Condition::Status(wanted) => {
                let found = match there {
                    Value::String(text) => text.parse().ok(),
                    other => other.as_u64().and_then(|status| u16::try_from(status).ok()),
                };
                let holds = found.is_some_and(|found| wanted.iter().any(|set| set.has(found)));
                let why = || format!("{path} is {}, where {} belongs", brief(value), in_words(wanted));
                (!holds).then(|| Unmet::of(value, statuses(wanted), why()))
            }
            Condition::Differs(other) => {
                let other = other.fill(bindings)?;
                let why = format!("{path} is still {}", brief(value));
                same(there, &other).then(|| Unmet::new(json!({ "not": other }), why))
            }
            Condition::OneOf(wanted) => {
                let wanted = wanted.fill(bindings)?;
                let holds = wanted.as_array().is_some_and(|all| {
                    all.iter().any(|one| same(there, one) || (is_absent(Some(one)) && is_absent(value)))
                });
                (!holds).then(|| {
                    let why =
                        format!("{path} is {}, and should be one of {}", brief(value), brief(Some(&wanted)));
                    Unmet::of(value, json!({ "one of": wanted }), why)
                })
            }
            Condition::Includes(wanted) => {
                let wanted = bindings.pruned(path, wanted.fill(bindings)?);
                let holds = match (there, &wanted) {
                    (Value::Array(elements), wanted) if !wanted.is_array() => {
                        elements.iter().any(|element| includes(element, wanted))
                    }
                    (there, wanted) => includes(there, wanted),
                };
                (!holds).then(|| {
                    let (why, seen) = match nearest(there, &wanted) {
                        Some(found) => {
                            let why = format!(
                                "{path} has {}, where {} belongs",
                                brief(Some(found)),
                                brief(Some(&wanted))
                            );
                            (why, Seen::Other)
                        }
                        None => (format!("{path} lacks {}", brief(Some(&wanted))), Seen::Nothing),
                    };
                    Unmet { expected: json!({ "includes": wanted }), why, seen }
                })
            }
            Condition::Lacks(unwanted) => {
                let unwanted = unwanted.fill(bindings)?;
                let has = match there {
                    Value::Array(elements) => elements.iter().any(|element| includes(element, &unwanted)),
                    Value::Null => false,
                    other => includes(other, &unwanted),
                };
                has.then(|| {
                    let why = format!("{path} has {}, which should not be there", brief(Some(&unwanted)));
                    Unmet::new(json!({ "lacks": unwanted }), why)
                })
            }
            Condition::LaterThan(earlier) => {
                let earlier = earlier.fill(bindings)?;
                let holds = match (
                    there.as_str().map(str::parse::<jiff::Timestamp>),
                    earlier.parse::<jiff::Timestamp>(),
                ) {
                    (Some(Ok(now)), Ok(then)) => {
                        let whole = |time: jiff::Timestamp| time.subsec_nanosecond() == 0;
                        now > then || (now == then && whole(now))
                    }
                    _ => false,
                };
                (!holds).then(|| {
                    let why = format!("{path} is {}, and should be later than {earlier}", brief(value));
                    Unmet::of(value, json!(format!("later than {earlier}")), why)
                })
            }
            Condition::WithinMinutes(minutes) => {
                // The server's own clock counts, where the answer tells it.
                let now = self.answer.header("date").and_then(|date| httpdate::parse_http_date(date).ok());
                let now = now.and_then(|now| jiff::Timestamp::try_from(now).ok());
                let now = now.unwrap_or_else(jiff::Timestamp::now);
                let told = there.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
                let holds = told.is_some_and(|told| {
                    now.duration_since(told).as_secs().unsigned_abs() <= u64::from(*minutes) * 60
                });
                (!holds).then(|| {
                    let why = format!("{path} is {}, and the answer was sent at {now:.0}", brief(value));
                    let expected = json!(format!("at most {minutes} minutes from {now:.0}"));
                    Unmet::of(value, expected, why)
                })
            }
            Condition::Is(kind) => {
                let why = || format!("{path} is {}, and should be {}", brief(value), kind.describe());
                (!is(*kind, value)).then(|| Unmet::of(value, json!(kind.describe()), why()))
            }
            Condition::Count(count) => {
                let length = there.as_array().map_or(0, Vec::len);
                let kind = there.is_array() || there.is_null();
                (!kind || length != *count).then(|| {
                    let seen = match (kind, length > *count) {
                        (false, _) => Seen::Unrelated,
                        (true, true) => Seen::Other,
                        (true, false) => Seen::Nothing,
                    };
                    let why = format!("{path} has {length} elements, and should have {count}");
                    Unmet { expected: json!(format!("{count} elements")), why, seen }
                })
            }
            Condition::AtLeast(bound) => (size.unwrap_or(f64::MIN) < *bound).then(|| {
                Unmet::new(json!(format!("at least {bound}")), format!("{path} should be at least {bound}"))
            }),
            Condition::AtMost(bound) => {
                (size.unwrap_or(if there.is_null() { 0.0 } else { f64::MAX }) > *bound).then(|| {
                    Unmet::new(json!(format!("at most {bound}")), format!("{path} should be at most {bound}"))
                })
            }
            Condition::Unique => {
                let elements = there.as_array().map(Vec::as_slice).unwrap_or_default();
                let twice = elements
                    .iter()
                    .enumerate()
                    .find(|(index, element)| elements[..*index].iter().any(|earlier| same(earlier, element)));
                twice.map(|(_, element)| {
                    Unmet::new(
                        json!("no element twice"),
                        format!("{path} has {} twice", brief(Some(element))),
                    )
                })
            }
            Condition::Sorted(_) => None,
        })
    }

    pub(super) fn sorted(&self, pointer: &str, values: &[Value], direction: Direction) -> Option<Miss> {
        let ordered = values.array_windows::<2>().all(|[a, b]| {
            let order = match (a, b) {
                (Value::Number(a), Value::Number(b)) => {
                    a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(std::cmp::Ordering::Equal)
                }
                (a, b) => text(a).cmp(&text(b)),
            };
            match direction {
                Direction::Ascending => order.is_le(),
                Direction::Descending => order.is_ge(),
            }
        });
        (!ordered).then(|| {
            let word = match direction {
                Direction::Ascending => "ascending",
                Direction::Descending => "descending",
            };
            self.miss(pointer, json!(word), json!(values), format!("{pointer} is not in {word} order"))
        })
    }
}

/// Returns the element with the same `value` that deviates from the expected one.
fn nearest<'a>(there: &'a Value, wanted: &Value) -> Option<&'a Value> {
    let value = get(wanted, "value")?;
    there.as_array()?.iter().find(|element| get(element, "value").is_some_and(|known| same(known, value)))
}
