//! Whether an answer is what may come.

mod value;

use serde_json::{Value, json};

use crate::case::expect::{
    BodyKind, Check, Condition, Direction, Expectation, HeaderCheck, Listing, StatusSet,
};
use crate::case::template::Unfilled;
use crate::report::Level;
use crate::server::facts::get;
use crate::server::judge::value::{brief, cut, differing, has_schema, is, shown, text};
use crate::server::memory::Memory;
use crate::server::same::{includes, is_absent, reach, same};
use crate::wire::client::Answer;

const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Miss {
    /// How binding it is.
    pub(crate) level: Level,
    /// What was looked at, as in `/emails` or `status`.
    pub(crate) what: String,
    /// What should be there.
    pub(crate) expected: Value,
    /// What is.
    pub(crate) actual: Value,
    /// In plain words.
    pub(crate) why: String,
}

/// What does not hold of an answer.
///
/// # Errors
/// Where a template names nothing.
pub(crate) fn judge(
    expectations: &[Expectation],
    level: Level,
    answer: &Answer,
    memory: &Memory<'_>,
) -> Result<Vec<Miss>, Unfilled> {
    let mut misses = Vec::new();
    for expectation in expectations {
        let level = expectation.level.unwrap_or(level);
        let judge = Judge { answer, memory, level };
        let mut found = judge.check(&expectation.check)?;
        if let Some(why) = &expectation.why {
            for miss in &mut found {
                miss.why.clone_from(why);
            }
        }
        // With another status the rest would only repeat that it is another answer.
        let told = matches!(expectation.check, Check::Status(_)) && !found.is_empty();
        misses.append(&mut found);
        if told {
            break;
        }
    }
    Ok(misses)
}

/// How a status set is shown.
pub(crate) fn statuses(wanted: &[StatusSet]) -> Value {
    let shown = |set: &StatusSet| match set {
        StatusSet::Exactly(status) => json!(status),
        StatusSet::Class(_) => json!(set.to_string()),
    };
    match wanted {
        [only] => shown(only),
        several => several.iter().map(shown).collect(),
    }
}

fn in_words(wanted: &[StatusSet]) -> String {
    let words: Vec<_> = wanted.iter().map(ToString::to_string).collect();
    words.join(" or ")
}

struct Judge<'a> {
    answer: &'a Answer,
    memory: &'a Memory<'a>,
    level: Level,
}

impl Judge<'_> {
    fn miss(&self, what: impl Into<String>, expected: Value, actual: Value, why: impl Into<String>) -> Miss {
        Miss { level: self.level, what: what.into(), expected, actual, why: why.into() }
    }

    fn body(&self) -> &Value {
        self.answer.json.as_ref().unwrap_or(&Value::Null)
    }

    fn check(&self, check: &Check) -> Result<Vec<Miss>, Unfilled> {
        Ok(match check {
            Check::Status(wanted) => self.status(wanted).into_iter().collect(),
            Check::Header(name, check) => self.header(name, check)?.into_iter().collect(),
            Check::MediaType => self.media_type().into_iter().collect(),
            Check::Body(kind) => self.body_kind(*kind).into_iter().collect(),
            Check::Error { status, types, types_level } => self.error(status, types, *types_level),
            Check::List => self.list(),
            Check::Total(total) => {
                let found = get(self.body(), "totalResults");
                let holds = found.and_then(Value::as_u64) == Some(*total);
                let why = format!("totalResults should be {total}");
                (!holds)
                    .then(|| self.miss("totalResults", json!(total), shown(found), why))
                    .into_iter()
                    .collect()
            }
            Check::Lists(listing, names) => self.lists(*listing, names).into_iter().collect(),
            Check::Unchanged(name) => self.unchanged(name).into_iter().collect(),
            Check::Nowhere(text) => {
                let text = text.fill(self.memory)?;
                let there = self.answer.text.contains(&text);
                let miss = || {
                    self.miss(
                        "body",
                        json!("without the text"),
                        json!("holds it"),
                        "the answer shows what it must not",
                    )
                };
                there.then(miss).into_iter().collect()
            }
            Check::At { pointer, condition, if_present } => {
                self.at(&pointer.fill(self.memory)?, condition, *if_present)?
            }
            Check::AnyOf(lists) => self.any_of(lists)?,
        })
    }

    fn status(&self, wanted: &[StatusSet]) -> Option<Miss> {
        let status = self.answer.status;
        if wanted.iter().any(|set| set.has(status)) {
            return None;
        }
        let mut why = format!("the answer is {status}, where {} belongs", in_words(wanted));
        // What the subject says about it is half the explanation.
        if let Some(detail) = get(self.body(), "detail").and_then(Value::as_str).filter(|_| status >= 400) {
            append!(why, "; it says: {detail}");
        }
        Some(self.miss("status", statuses(wanted), json!(status), why))
    }

    fn header(&self, name: &str, check: &HeaderCheck) -> Result<Option<Miss>, Unfilled> {
        let found = self.answer.header(&name.to_ascii_lowercase());
        let (holds, expected) = match check {
            HeaderCheck::Present => (found.is_some(), "present".to_owned()),
            HeaderCheck::Absent => (found.is_none(), "absent".to_owned()),
            HeaderCheck::Equals(text) => {
                let text = text.fill(self.memory)?;
                (found == Some(text.as_str()), text)
            }
            HeaderCheck::StartsWith(text) => {
                let text = text.fill(self.memory)?;
                (found.is_some_and(|found| found.starts_with(&text)), format!("{text}…"))
            }
        };
        let miss = || {
            let why = match found {
                None => format!("the answer has no header {name}"),
                Some(found) => format!("the header {name} is `{found}`, where `{expected}` belongs"),
            };
            self.miss(format!("header {name}"), json!(expected), json!(found), why)
        };
        Ok((!holds).then(miss))
    }

    fn media_type(&self) -> Option<Miss> {
        let found = self.answer.header("content-type").unwrap_or_default();
        let plain = found.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let why = |more: &str| format!("the body is sent as `{found}`{more}");
        match plain.as_str() {
            "application/scim+json" => None,
            "application/json" => Some(Miss {
                level: Level::Should,
                ..self.miss(
                    "header Content-Type",
                    json!("application/scim+json"),
                    json!(found),
                    why(", not as application/scim+json"),
                )
            }),
            _ => Some(self.miss(
                "header Content-Type",
                json!("application/scim+json"),
                json!(found),
                why(", which no SCIM client reads"),
            )),
        }
    }

    fn body_kind(&self, kind: BodyKind) -> Option<Miss> {
        let (holds, expected, why) = match kind {
            BodyKind::Empty => (self.answer.text.is_empty(), "no body", "there is a body where none belongs"),
            BodyKind::Any => (self.answer.json.is_some(), "JSON", "the body is no JSON"),
        };
        (!holds).then(|| self.miss("body", json!(expected), json!(cut(&self.answer.text)), why))
    }

    fn error(&self, status: &[StatusSet], types: &[String], types_level: Level) -> Vec<Miss> {
        if let Some(miss) = self.status(status) {
            return vec![miss];
        }
        let mut misses = Vec::new();
        let body = self.body();
        if !body.is_object() {
            let why =
                "an error comes with a SCIM error as its body, so that a client can tell what went wrong";
            return vec![self.miss("body", json!("a SCIM error"), json!(cut(&self.answer.text)), why)];
        }
        if !has_schema(body, ERROR) {
            misses.push(self.miss(
                "/schemas",
                json!([ERROR]),
                shown(get(body, "schemas")),
                "the error does not name its schema",
            ));
        }
        let wanted = self.answer.status.to_string();
        let found = get(body, "status");
        if found.and_then(Value::as_str) != Some(wanted.as_str()) {
            let why = "`status` in an error repeats the HTTP status, as a string";
            misses.push(self.miss("/status", json!(wanted), shown(found), why));
        }
        if !types.is_empty() {
            let found = get(body, "scimType").and_then(Value::as_str);
            if !found.is_some_and(|found| types.iter().any(|known| known == found)) {
                let why =
                    format!("`scimType` should be {}, so that a client knows what to do", types.join(" or "));
                misses.push(Miss {
                    level: types_level,
                    ..self.miss("/scimType", json!(types), json!(found), why)
                });
            }
        }
        misses
    }

    fn list(&self) -> Vec<Miss> {
        let body = self.body();
        if !body.is_object() {
            let why = "the answer to a query is a ListResponse";
            return vec![self.miss("body", json!("a ListResponse"), json!(cut(&self.answer.text)), why)];
        }
        let mut misses = Vec::new();
        if !has_schema(body, LIST) {
            misses.push(self.miss(
                "/schemas",
                json!([LIST]),
                shown(get(body, "schemas")),
                "the list does not name its schema",
            ));
        }
        let total = get(body, "totalResults");
        let resources = get(body, "Resources");
        let length = resources.and_then(Value::as_array).map_or(0, Vec::len) as u64;
        match total.and_then(Value::as_u64) {
            None => misses.push(self.miss(
                "/totalResults",
                json!("a whole number"),
                shown(total),
                "totalResults is missing or no number",
            )),
            Some(total) if total < length => {
                let why = "totalResults is less than what the page alone holds";
                misses.push(self.miss("/totalResults", json!(length), json!(total), why));
            }
            Some(_) => {}
        }
        if resources.is_some_and(|resources| !resources.is_array() && !resources.is_null()) {
            misses.push(self.miss(
                "/Resources",
                json!("an array"),
                shown(resources),
                "Resources is no array",
            ));
        }
        for (name, least) in [("itemsPerPage", 0), ("startIndex", 1)] {
            let found = get(body, name).filter(|found| !found.is_null());
            if found.is_some_and(|found| found.as_u64().is_none_or(|found| found < least)) {
                let why = format!("{name} is no whole number from {least} up");
                misses.push(self.miss(
                    format!("/{name}"),
                    json!(format!("at least {least}")),
                    shown(found),
                    why,
                ));
            }
        }
        misses
    }

    fn lists(&self, listing: Listing, names: &[String]) -> Option<Miss> {
        let names: Vec<_> = names.iter().flat_map(|name| self.memory.expand(name)).collect();
        let resources = get(self.body(), "Resources").and_then(Value::as_array);
        let found: Vec<&str> = resources
            .into_iter()
            .flatten()
            .filter_map(|resource| get(resource, "id").and_then(Value::as_str))
            .collect();
        let ids: Vec<_> = names.iter().map(|name| self.memory.id(name).unwrap_or_default()).collect();
        let call = |id: &str| {
            let known = names.iter().zip(&ids).find(|(_, known)| **known == id);
            known.map_or_else(|| format!("another ({id})"), |(name, _)| name.clone())
        };
        let called: Vec<_> = found.iter().take(20).map(|id| call(id)).collect();
        let missing: Vec<_> = names
            .iter()
            .zip(&ids)
            .filter(|(_, id)| !found.contains(id))
            .map(|(name, _)| name.as_str())
            .collect();
        let problem = match listing {
            Listing::All => {
                (!missing.is_empty()).then(|| format!("{} should be in the list", missing.join(", ")))
            }
            Listing::Not => (missing.len() < names.len()).then(|| {
                let there: Vec<_> =
                    names.iter().map(String::as_str).filter(|name| !missing.contains(name)).collect();
                format!("{} should not be in the list", there.join(", "))
            }),
            Listing::Exactly => {
                if !missing.is_empty() {
                    Some(format!("{} should be in the list", missing.join(", ")))
                } else if found.len() != ids.len() {
                    let more: Vec<_> = found.iter().filter(|id| !ids.contains(id)).collect();
                    Some(if more.is_empty() {
                        "one is in the list twice".to_owned()
                    } else {
                        format!("{} more in the list than belong there", more.len())
                    })
                } else {
                    None
                }
            }
            Listing::InOrder => {
                let order: Vec<_> = found.iter().filter(|id| ids.contains(id)).copied().collect();
                (order != ids).then(|| format!("the order should be {}", names.join(", ")))
            }
        };
        let expected = match listing {
            Listing::Not => json!({ "none of": names }),
            Listing::All => json!({ "all of": names }),
            Listing::Exactly => json!({ "exactly": names }),
            Listing::InOrder => json!({ "in order": names }),
        };
        problem.map(|why| self.miss("/Resources", expected, json!(called), why))
    }

    fn unchanged(&self, name: &str) -> Option<Miss> {
        let bare = |value: &Value| {
            let mut bare = value.clone();
            if let Some(members) = bare.as_object_mut() {
                members.retain(|name, _| !name.eq_ignore_ascii_case("meta"));
            }
            bare
        };
        let before = bare(&self.memory.known(name).map(|known| known.seen.clone()).unwrap_or_default());
        let now = bare(self.body());
        (!same(&before, &now)).then(|| {
            let (expected, actual) = differing(&before, &now);
            self.miss(
                name,
                expected,
                actual,
                format!("{name} changed, though nothing of the request should have taken effect"),
            )
        })
    }

    fn at(&self, pointer: &str, condition: &Condition, if_present: bool) -> Result<Vec<Miss>, Unfilled> {
        let reached = reach(self.body(), pointer);
        if let Condition::Sorted(direction) = condition {
            let values: Vec<_> = reached.iter().filter_map(|(_, value)| *value).cloned().collect();
            return Ok(self.sorted(pointer, &values, *direction).into_iter().collect());
        }
        if reached.is_empty() {
            if if_present {
                return Ok(Vec::new());
            }
            let why = format!("there is nothing at {pointer}");
            return Ok(vec![self.miss(pointer, json!("something"), Value::Null, why)]);
        }
        let mut misses = Vec::new();
        for (path, value) in reached {
            if if_present && is_absent(value) {
                continue;
            }
            if let Some((expected, why)) = self.condition(&path, condition, value)? {
                let path = if path.is_empty() { "body".to_owned() } else { path };
                misses.push(self.miss(path, expected, shown(value), why));
                // Of many alike one says it.
                break;
            }
        }
        Ok(misses)
    }

    /// What should be there instead, and in words; none where it holds.
    fn condition(
        &self,
        path: &str,
        condition: &Condition,
        value: Option<&Value>,
    ) -> Result<Option<(Value, String)>, Unfilled> {
        let memory = self.memory;
        let null = Value::Null;
        let there = value.unwrap_or(&null);
        let size = there
            .as_array()
            .map(|elements| u32::try_from(elements.len()).map_or(f64::MAX, f64::from))
            .or_else(|| there.as_f64());
        Ok(match condition {
            Condition::Equals(wanted) => {
                let wanted = wanted.fill(memory)?;
                let holds = if is_absent(Some(&wanted)) { is_absent(value) } else { same(there, &wanted) };
                (!holds).then(|| {
                    let why = format!("{path} is {}, and should be {}", brief(value), brief(Some(&wanted)));
                    (wanted, why)
                })
            }
            Condition::EqualsIgnoringCase(wanted) => {
                let wanted = wanted.fill(memory)?;
                let holds = there.as_str().is_some_and(|text| text.to_lowercase() == wanted.to_lowercase());
                (!holds)
                    .then(|| (json!(wanted), format!("{path} is {}, and should be {wanted}", brief(value))))
            }
            Condition::Differs(other) => {
                let other = other.fill(memory)?;
                same(there, &other)
                    .then(|| (json!({ "not": other }), format!("{path} is still {}", brief(value))))
            }
            Condition::OneOf(wanted) => {
                let wanted = wanted.fill(memory)?;
                let holds = wanted.as_array().is_some_and(|all| {
                    all.iter().any(|one| same(there, one) || (is_absent(Some(one)) && is_absent(value)))
                });
                (!holds).then(|| {
                    let why =
                        format!("{path} is {}, and should be one of {}", brief(value), brief(Some(&wanted)));
                    (json!({ "one of": wanted }), why)
                })
            }
            Condition::Includes(wanted) => {
                let wanted = wanted.fill(memory)?;
                let holds = match (there, &wanted) {
                    (Value::Array(elements), wanted) if !wanted.is_array() => {
                        elements.iter().any(|element| includes(element, wanted))
                    }
                    (there, wanted) => includes(there, wanted),
                };
                (!holds).then(|| {
                    let why = format!("{path} lacks {}", brief(Some(&wanted)));
                    (json!({ "includes": wanted }), why)
                })
            }
            Condition::Lacks(unwanted) => {
                let unwanted = unwanted.fill(memory)?;
                let has = match there {
                    Value::Array(elements) => elements.iter().any(|element| includes(element, &unwanted)),
                    Value::Null => false,
                    other => includes(other, &unwanted),
                };
                has.then(|| {
                    let why = format!("{path} has {}, which should not be there", brief(Some(&unwanted)));
                    (json!({ "lacks": unwanted }), why)
                })
            }
            Condition::LaterThan(earlier) => {
                let earlier = earlier.fill(memory)?;
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
                    (json!(format!("later than {earlier}")), why)
                })
            }
            Condition::Is(kind) => {
                let why = || format!("{path} is {}, and should be {}", brief(value), kind.describe());
                (!is(*kind, value)).then(|| (json!(kind.describe()), why()))
            }
            Condition::Count(count) => {
                let length = there.as_array().map_or(0, Vec::len);
                let kind = there.is_array() || there.is_null();
                (!kind || length != *count).then(|| {
                    (
                        json!(format!("{count} elements")),
                        format!("{path} has {length} elements, and should have {count}"),
                    )
                })
            }
            Condition::AtLeast(bound) => (size.unwrap_or(f64::MIN) < *bound)
                .then(|| (json!(format!("at least {bound}")), format!("{path} should be at least {bound}"))),
            Condition::AtMost(bound) => (size.unwrap_or(if there.is_null() { 0.0 } else { f64::MAX })
                > *bound)
                .then(|| (json!(format!("at most {bound}")), format!("{path} should be at most {bound}"))),
            Condition::Unique => {
                let elements = there.as_array().map(Vec::as_slice).unwrap_or_default();
                let twice = elements
                    .iter()
                    .enumerate()
                    .find(|(index, element)| elements[..*index].iter().any(|earlier| same(earlier, element)));
                twice.map(|(_, element)| {
                    (json!("no element twice"), format!("{path} has {} twice", brief(Some(element))))
                })
            }
            Condition::Sorted(_) => None,
        })
    }

    fn sorted(&self, pointer: &str, values: &[Value], direction: Direction) -> Option<Miss> {
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

    fn any_of(&self, lists: &[Vec<Expectation>]) -> Result<Vec<Miss>, Unfilled> {
        let mut first = None;
        let mut expected = Vec::new();
        for list in lists {
            let misses = judge(list, self.level, self.answer, self.memory)?;
            if misses.is_empty() {
                return Ok(Vec::new());
            }
            expected.push(
                misses.iter().map(|miss| json!({ miss.what.clone(): miss.expected })).collect::<Value>(),
            );
            first = first.or(Some(misses));
        }
        let Some(mut misses) = first else { return Ok(Vec::new()) };
        misses.truncate(1);
        if let Some(miss) = misses.first_mut() {
            miss.expected = json!({ "one of": expected });
        }
        Ok(misses)
    }
}
