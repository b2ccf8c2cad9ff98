//! Judges whether an answer fulfils an expectation.

mod answers;
mod any_of;
mod condition;
mod stand_in;
mod total;
mod value;

use serde_json::{Value, json};

use crate::case::expect::{BodyKind, Check, Condition, Expectation, HeaderCheck, Listing, StatusSet};
use crate::case::template::Unfilled;
use crate::json::{get, is_absent, reach, same};
use crate::requirement::{Level, Shared};
use crate::server::bindings::Bindings;
pub(crate) use crate::server::judge::stand_in::{Belongs, StandIn};
pub(crate) use crate::server::judge::value::differing;
use crate::server::judge::value::{cut, has_schema, shown};
use crate::subject::server::bounded::{Bound, bounded};
use crate::subject::server::client::Answer;

const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// An expectation that does not hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Miss {
    /// The level of the requirement.
    pub(crate) level: Level,
    /// The part of the answer, as in `/emails` or `status`.
    pub(crate) what: String,
    /// The expected value.
    pub(crate) expected: Value,
    /// The actual value.
    pub(crate) actual: Value,
    /// The reason in plain words.
    pub(crate) why: String,
    /// The expectation that it has in common with other cases.
    pub(crate) shared: Option<Shared>,
    /// Exchanges of the case until then.
    pub(crate) at: usize,
    /// The kind of actual value, so that the case's own words are told only if they are true.
    seen: Seen,
}

/// The kind of value that was found instead of the expected one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Another value: the subject of `why`.
    Other,
    /// No value: the subject of `gone`.
    Nothing,
    /// A value that the case's words do not cover, as a 500 instead of a 404.
    Unrelated,
}

impl Miss {
    /// Returns a miss of the case's own.
    pub(crate) fn new(level: Level, what: String, expected: Value, actual: Value, why: String) -> Self {
        Self { level, what, expected, actual, why, shared: None, at: 0, seen: Seen::Other }
    }

    /// Returns the miss with both values cut to the size that a report can hold.
    pub(crate) fn bounded(self) -> Self {
        let side = |value: &Value| bounded(value, Bound::SIDE);
        Self { expected: side(&self.expected), actual: side(&self.actual), ..self }
    }

    /// Adds that the miss was found in the answer to request number `exchanges` of the case.
    pub(crate) fn after(self, exchanges: usize) -> Self {
        Self { at: exchanges, ..self }
    }

    fn of(self, shared: Shared) -> Self {
        Self { shared: Some(shared), seen: Seen::Unrelated, ..self }
    }

    fn unrelated(self) -> Self {
        Self { seen: Seen::Unrelated, ..self }
    }
}

/// The requirements of a case on answers besides its expectations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    /// The level of the case.
    pub(crate) level: Level,
    /// The shared expectations that it is about.
    pub(crate) about: &'a [Shared],
    /// The status that the server answers in place of another one, where the answer has it.
    pub(crate) stand_in: Option<StandIn>,
}

/// Returns the expectations that do not hold of an answer. A shared expectation counts only in a case that is about
/// it.
///
/// # Errors
/// A template names nothing.
pub(crate) fn judge(
    expectations: &[Expectation],
    ask: Ask<'_>,
    answer: &Answer,
    bindings: &Bindings<'_>,
) -> Result<Vec<Miss>, Unfilled> {
    let mut misses = Vec::new();
    for expectation in expectations {
        let level = expectation.level.unwrap_or(ask.level);
        let judge = Judge { answer, bindings, level, about: ask.about, stand_in: ask.stand_in };
        let mut found = judge.check(&expectation.check)?;
        found.retain(|miss| {
            miss.shared.is_none_or(|shared| !shared.is_passed_over() || ask.about.contains(&shared))
        });
        judge.join_error_body(&mut found);
        for miss in &mut found {
            let told = match miss.seen {
                Seen::Other => &expectation.why,
                Seen::Nothing => &expectation.gone,
                Seen::Unrelated => &None,
            };
            if let Some(told) = told {
                miss.why.clone_from(told);
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

/// Whether a 200 shows a new resource, where 201 belongs.
pub(crate) fn is_created_with_200(answer: &Answer) -> bool {
    answer.status == 200 && answer.json.as_ref().is_some_and(|body| get(body, "id").is_some())
}

/// Returns a status set as a report shows it.
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
    bindings: &'a Bindings<'a>,
    level: Level,
    about: &'a [Shared],
    stand_in: Option<StandIn>,
}

impl Judge<'_> {
    fn miss(&self, what: impl Into<String>, expected: Value, actual: Value, why: impl Into<String>) -> Miss {
        Miss::new(self.level, what.into(), expected, actual, why.into())
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
            Check::ErrorForm if self.answer.status < 400 => Vec::new(),
            Check::ErrorForm => self.error_form(),
            Check::List => self.list(),
            Check::Total(total) => self.total(*total).into_iter().collect(),
            Check::Lists(listing, names) => self.lists(*listing, names).into_iter().collect(),
            Check::Unchanged(name) => self.unchanged(name).into_iter().collect(),
            Check::ExactlyOne(one, others) => self.exactly_one(one, others).into_iter().collect(),
            Check::Every(wanted) => self.every(wanted).into_iter().collect(),
            Check::Nowhere(text) => {
                let text = text.fill(self.bindings)?;
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
                self.at(&pointer.fill(self.bindings)?, condition, *if_present)?
            }
            Check::AnyOf(lists) => self.any_of(lists)?,
        })
    }

    fn status(&self, wanted: &[StatusSet]) -> Option<Miss> {
        let status = self.answer.status;
        if wanted.iter().any(|set| set.has(status)) || self.is_overlooked(wanted) {
            return None;
        }
        let stand_in = self.stand_in.filter(|known| known.replaces(wanted, status));
        let mut why = format!("the answer is {status}, where {} belongs", in_words(wanted));
        // What the subject says about it is half the explanation.
        if let Some(detail) = get(self.body(), "detail").and_then(Value::as_str).filter(|_| status >= 400) {
            append!(why, "; it says: {detail}");
        }
        let miss = self.miss("status", statuses(wanted), json!(status), why);
        if let Some(stand_in) = stand_in {
            return Some(miss.of(stand_in.belongs.shared()));
        }
        // What a case says of another status is true of the opposite, and not of any other answer.
        let success = (200..300).contains(&status);
        let opposite = if wanted.iter().any(|set| set.has(200) || set.has(201) || set.has(204)) {
            matches!(status, 404 | 405 | 409 | 410 | 501)
        } else {
            success
        };
        Some(if opposite { miss } else { miss.unrelated() })
    }

    /// Whether it is a creation that was answered 200: one case reports it, the others go on with the new resource.
    fn is_overlooked(&self, wanted: &[StatusSet]) -> bool {
        let created = wanted.iter().any(|set| matches!(set, StatusSet::Exactly(201)));
        created && is_created_with_200(self.answer) && !self.bindings.strict
    }

    fn header(&self, name: &str, check: &HeaderCheck) -> Result<Option<Miss>, Unfilled> {
        let found = self.answer.header(&name.to_ascii_lowercase());
        let (holds, expected) = match check {
            HeaderCheck::Present => (found.is_some(), "present".to_owned()),
            HeaderCheck::Absent => (found.is_none(), "absent".to_owned()),
            HeaderCheck::Equals(text) => {
                let text = text.fill(self.bindings)?;
                (found == Some(text.as_str()), text)
            }
            HeaderCheck::Differs(text) => {
                let text = text.fill(self.bindings)?;
                (found.is_some_and(|found| found != text), format!("other than {text}"))
            }
            HeaderCheck::StartsWith(text) => {
                let text = text.fill(self.bindings)?;
                (found.is_some_and(|found| found.starts_with(&text)), format!("{text}…"))
            }
        };
        let shared = (name.eq_ignore_ascii_case("location") && found.is_none()).then_some(Shared::Location);
        let miss = || {
            let why = match found {
                None => format!("the answer has no header {name}"),
                Some(found) => format!("the header {name} is `{found}`, where `{expected}` belongs"),
            };
            Miss { shared, ..self.miss(format!("header {name}"), json!(expected), json!(found), why) }
        };
        Ok((!holds).then(miss))
    }

    fn media_type(&self) -> Option<Miss> {
        let found = self.answer.header("content-type").unwrap_or_default();
        let plain = found.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let why = |more: &str| match found {
            "" => "the answer has a body and no Content-Type, so that no SCIM client reads it".to_owned(),
            found => format!("the body is sent as `{found}`{more}"),
        };
        match plain.as_str() {
            "application/scim+json" => None,
            "application/json" => {
                let miss = self.miss(
                    "header Content-Type",
                    json!("application/scim+json"),
                    json!(found),
                    why(", not as application/scim+json"),
                );
                Some(Miss { level: Level::Should, ..miss.of(Shared::MediaType) })
            }
            _ => {
                let miss = self.miss(
                    "header Content-Type",
                    json!("application/scim+json"),
                    json!(found),
                    why(", which no SCIM client reads"),
                );
                Some(miss.of(Shared::MediaType))
            }
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
            let is_filter = types.iter().any(|name| name == "invalidFilter");
            let shared = (is_filter && self.answer.status == 200).then_some(Shared::InvalidFilter);
            return vec![Miss { shared: miss.shared.or(shared), ..miss }];
        }
        let mut misses = self.error_form();
        let body = self.body();
        let found = get(body, "scimType").filter(|found| !found.is_null());
        let holds =
            found.and_then(Value::as_str).is_some_and(|found| types.iter().any(|known| known == found));
        if !types.is_empty() && !holds {
            let why =
                format!("`scimType` should be {}, so that a client knows what to do", types.join(" or "));
            let miss = Miss { level: types_level, ..self.miss("/scimType", json!(types), shown(found), why) };
            misses.push(match found {
                // A body of another shape has no types either.
                None if !has_schema(body, ERROR) => miss.of(Shared::ErrorBody),
                None => miss.of(Shared::ErrorType),
                Some(_) => miss.unrelated(),
            });
        }
        misses
    }

    /// Whether the body is a SCIM error (RFC 7644 §3.12).
    fn error_form(&self) -> Vec<Miss> {
        let body = self.body();
        if !body.is_object() {
            let why =
                "an error comes with a SCIM error as its body, so that a client can tell what went wrong";
            let miss = self.miss("body", json!("a SCIM error"), json!(cut(&self.answer.text)), why);
            return vec![miss.of(Shared::ErrorBody)];
        }
        let mut misses = Vec::new();
        if !has_schema(body, ERROR) {
            let found = shown(get(body, "schemas"));
            let miss = self.miss("/schemas", json!([ERROR]), found, "the error does not name its schema");
            misses.push(miss.of(Shared::ErrorBody));
        }
        let wanted = self.answer.status.to_string();
        let found = get(body, "status").filter(|found| !found.is_null());
        if found.and_then(Value::as_str) != Some(wanted.as_str()) {
            let why = match found {
                None => "the error has no `status`, which repeats the HTTP status as a string".to_owned(),
                Some(Value::Number(number)) => {
                    format!(
                        "`status` in the error is the number {number}, and should be the string \"{wanted}\""
                    )
                }
                Some(other) => {
                    format!(
                        "`status` in the error is {}, and should be the string \"{wanted}\"",
                        cut(&other.to_string())
                    )
                }
            };
            let shared = if found.is_none() { Shared::ErrorBody } else { Shared::ErrorStatus };
            misses.push(self.miss("/status", json!(wanted), shown(found), why).of(shared));
        }
        misses
    }

    /// Attributes what an error lacks, and its media type, to its body where that is no SCIM error.
    fn join_error_body(&self, misses: &mut [Miss]) {
        let is_other = || self.error_form().iter().any(|miss| miss.shared == Some(Shared::ErrorBody));
        if misses.is_empty() || self.answer.status < 400 || !is_other() {
            return;
        }
        let is_named = has_schema(self.body(), ERROR);
        for miss in misses {
            let follows = match miss.shared {
                None => matches!(miss.what.as_str(), "/schemas" | "/status" | "/detail" | "/scimType"),
                Some(shared) => shared == Shared::MediaType && !is_named,
            };
            if follows {
                miss.shared = Some(Shared::ErrorBody);
            }
        }
    }

    fn list(&self) -> Vec<Miss> {
        let body = self.body();
        if !body.is_object() {
            let why = "the answer to a query is a ListResponse";
            return vec![self.miss("body", json!("a ListResponse"), json!(cut(&self.answer.text)), why)];
        }
        let mut misses = Vec::new();
        if !has_schema(body, LIST) {
            let found = shown(get(body, "schemas"));
            let miss = self.miss("/schemas", json!([LIST]), found, "the list does not name its schema");
            misses.push(miss.of(Shared::ListSchema));
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
        let names: Vec<_> = names.iter().flat_map(|name| self.bindings.expand(name)).collect();
        let resources = get(self.body(), "Resources").and_then(Value::as_array);
        let found: Vec<&str> = resources
            .into_iter()
            .flatten()
            .filter_map(|resource| get(resource, "id").and_then(Value::as_str))
            .collect();
        let ids: Vec<_> = names.iter().map(|name| self.bindings.id(name).unwrap_or_default()).collect();
        let call = |id: &str| {
            let known = names.iter().zip(&ids).find(|(_, known)| **known == id);
            known.map_or_else(|| format!("another ({id})"), |(name, _)| self.bindings.describe(name))
        };
        let called: Vec<_> = found.iter().take(20).map(|id| call(id)).collect();
        let missing: Vec<_> = names
            .iter()
            .zip(&ids)
            .filter(|(_, id)| !found.contains(id))
            .map(|(name, _)| name.as_str())
            .collect();
        let told = |names: &[&str]| {
            let mut told: Vec<_> = names.iter().take(3).map(|name| self.bindings.describe(name)).collect();
            if let Some(more) = names.len().checked_sub(3).filter(|more| *more > 0) {
                told.push(format!("{more} more"));
            }
            told.join(", ")
        };
        let problem = match listing {
            Listing::All => {
                (!missing.is_empty()).then(|| format!("{} should be in the list", told(&missing)))
            }
            Listing::Not => (missing.len() < names.len()).then(|| {
                let there: Vec<_> =
                    names.iter().map(String::as_str).filter(|name| !missing.contains(name)).collect();
                format!("{} should not be in the list", told(&there))
            }),
            Listing::Exactly => {
                if !missing.is_empty() {
                    Some(format!("{} should be in the list", told(&missing)))
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
                let wanted: Vec<_> = names.iter().map(String::as_str).collect();
                (order != ids).then(|| format!("the order should be {}", told(&wanted)))
            }
        };
        let names: Vec<_> = names.iter().take(20).map(|name| self.bindings.describe(name)).collect();
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
        let before = bare(&self.bindings.known(name).map(|known| known.seen.clone()).unwrap_or_default());
        let now = bare(self.body());
        (!same(&before, &now)).then(|| {
            let (expected, actual) = differing(&before, &now);
            let what = self.bindings.describe(name);
            let why = format!("{what} changed, though nothing of the request should have taken effect");
            self.miss(what, expected, actual, why)
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
            let miss = self.miss(pointer, json!("something"), Value::Null, why);
            return Ok(vec![Miss { seen: Seen::Nothing, ..miss }]);
        }
        let mut misses = Vec::new();
        for (path, value) in reached {
            if if_present && is_absent(value) {
                continue;
            }
            if let Some(unmet) = self.condition(&path, condition, value)? {
                let shared = if is_absent(value) { missing_meta(self.body(), &path) } else { None };
                let path = if path.is_empty() { "body".to_owned() } else { path };
                let miss = self.miss(path, unmet.expected, shown(value), unmet.why);
                misses.push(Miss { seen: unmet.seen, shared, ..miss });
                // Of many alike one says it.
                break;
            }
        }
        Ok(misses)
    }
}

/// Returns the shared expectation that a missing part of `meta` breaks: all of `meta`, or a part that several cases
/// ask for.
fn missing_meta(body: &Value, path: &str) -> Option<Shared> {
    let (resource, part) = path.rsplit_once("/meta/")?;
    let at = |pointer: &str| reach(body, pointer).into_iter().next().and_then(|(_, value)| value);
    if !at(resource)?.is_object() {
        return None;
    }
    if is_absent(at(&format!("{resource}/meta"))) {
        return Some(Shared::Meta);
    }
    match part {
        "location" => Some(Shared::Location),
        "resourceType" => Some(Shared::ResourceType),
        _ => None,
    }
}
