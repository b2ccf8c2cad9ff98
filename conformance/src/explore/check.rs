//! What did not hold, in a form that a case file can hold: a request, and what is expected of its answer.

use std::time::Duration;

use serde_json::Value;

use crate::json::{get, includes};

/// The last request of a case, and the expectations of its answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Check {
    pub(crate) judged: Judged,
    /// All of them hold.
    pub(crate) expectations: Vec<Expectation>,
    /// The time that passes before the last write.
    pub(crate) pause: Option<Duration>,
    /// Resources of others, without which it may hold.
    pub(crate) crowd: Option<Crowd>,
    /// A read before it, by its place in the transcript, and what has to hold of its answer for the check to tell anything.
    pub(crate) premise: Option<(usize, Expectation)>,
}

/// Resources that nothing else is about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Crowd {
    /// The resource type, as in `User`.
    pub(crate) resource_type: String,
    pub(crate) count: usize,
    /// Whether one more was there and is deleted.
    pub(crate) has_deleted: bool,
}

/// The request whose answer is judged.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Judged {
    /// The last one of the transcript.
    Last,
    /// The exchange at this place of the transcript. Those behind it are no steps.
    At(usize),
    /// A read of the resource at this path. It takes the place of the reads at the end of the transcript.
    Read(String),
    /// The same, and a list has to show the resource as the read does.
    ReadAndList(String),
    /// A read of the location that the resource at this path was last shown with.
    Location(String),
    /// Reads of these paths, at the same time.
    Reads(Vec<String>),
    /// Page after page of a list.
    Walk(Walk),
}

/// A list that is read page after page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Walk {
    /// The resource type, as in `User`.
    pub(crate) resource_type: String,
    /// The word of the case format for the way to ask for pages.
    pub(crate) by: &'static str,
    pub(crate) query: Vec<(String, String)>,
    /// The first exchange of the walk: it and those behind it are no steps.
    pub(crate) from: usize,
    /// Whether resources of others change the list.
    pub(crate) is_exclusive: bool,
}

/// An expectation of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expectation {
    /// The status is one of these.
    Status(Vec<&'static str>),
    /// Each of several answers has this status.
    Every(u16),
    /// Of the answers that came together, one is a success and the others have one of these statuses.
    OneSuccess(&'static [u16]),
    /// The answers that came together are about the resources of these ids.
    Shows(Vec<String>),
    /// The resources of these ids are in the list.
    Lists(Listed, Vec<String>),
    /// `totalResults` of each page is the number of resources on all pages.
    TotalAsListed,
    /// The text is nowhere in the answer.
    Nowhere(String),
    /// The answer shows the resource at this path as the answer before it did.
    AsAnswered(String),
    /// The answer shows the resource at this path as a read before the last write did.
    AsBefore(String),
    /// A header field has the value that was told before, or another one.
    Header(&'static str, Is, Earlier),
    /// The value at a JSON pointer.
    At(String, Condition),
    /// One of these holds.
    AnyOf(Vec<Self>),
}

/// Whether a value is the one that was told before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Is {
    The,
    Another,
}

/// Which resources are in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listed {
    /// These, and maybe others.
    All,
    /// None of these.
    Not,
    /// These and no others.
    Exactly,
    /// These in this order, and maybe others.
    InOrder,
}

/// A condition of a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    /// The same; null: no value.
    Equals(Value),
    Differs(Value),
    /// An array has an element with at least these members.
    Includes(Value),
    Lacks(Value),
    OneOf(Vec<Value>),
    /// There is a value.
    IsPresent,
    /// The same text without case, where there is one.
    IgnoringCase(String),
    /// The address of the resource at this path, where there is one.
    AddressOf(String),
    Count(usize),
    AtMost(usize),
    Unique,
    IsDescending(bool),
    /// One of these statuses, as a string or as a number.
    SaysStatus(Vec<&'static str>),
    Same(Earlier),
    Other(Earlier),
    LaterThan(Earlier),
}

/// What an earlier answer told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Earlier {
    /// The value at a JSON pointer in a read of the resource at a path.
    Read { path: String, pointer: String, is_absent: bool, when: When },
    /// The version of the resource at a path, as a read before the last write showed it.
    Version(String),
    /// The value at a JSON pointer in the answer to the last bulk request.
    Bulk(String),
    /// The value at a JSON pointer in ServiceProviderConfig at the beginning of the run.
    Config { pointer: String, is_absent: bool },
}

/// Which read of a resource is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// The last one before the last write.
    BeforeWrite,
    /// The last one before the judged request.
    Last,
}

impl From<Expectation> for Check {
    fn from(expectation: Expectation) -> Self {
        Self::all(vec![expectation])
    }
}

impl Check {
    /// Returns the check that expectations of the last answer hold.
    pub(crate) fn all(expectations: Vec<Expectation>) -> Self {
        Self { judged: Judged::Last, expectations, pause: None, crowd: None, premise: None }
    }

    /// Returns the check that the status is one of these.
    pub(crate) fn status(statuses: &[&'static str]) -> Self {
        Expectation::Status(statuses.to_vec()).into()
    }

    /// Returns the check of a value at a JSON pointer.
    pub(crate) fn at(pointer: impl Into<String>, condition: Condition) -> Self {
        Expectation::At(pointer.into(), condition).into()
    }

    /// Returns the check that a value is at a JSON pointer; null: no value.
    pub(crate) fn value(pointer: impl Into<String>, value: Value) -> Self {
        Self::at(pointer, Condition::Equals(value))
    }

    /// Returns the check of a value in which a server may have members of its own. `actual` breaks it.
    pub(crate) fn like(pointer: &str, expected: Value, actual: &Value) -> Self {
        match &expected {
            Value::Array(all) if all.iter().all(Value::is_object) && !all.is_empty() => {
                let is_met = actual.as_array().is_some_and(|found| found.len() == all.len())
                    && includes(actual, &expected);
                if is_met { Self::value(pointer, expected) } else { Self::elements(pointer, all.clone()) }
            }
            Value::Object(_) if !includes(actual, &expected) => {
                Self::at(pointer, Condition::Includes(expected))
            }
            _ => Self::value(pointer, expected),
        }
    }

    /// Returns the check that an array has exactly elements with these members.
    pub(crate) fn elements(pointer: &str, elements: Vec<Value>) -> Self {
        let count = Condition::Count(elements.len());
        let mut conditions: Vec<_> = elements.into_iter().map(Condition::Includes).collect();
        conditions.push(count);
        Self::all(
            conditions.into_iter().map(|condition| Expectation::At(pointer.to_owned(), condition)).collect(),
        )
    }

    /// Returns the check that a list has exactly the resources of these ids.
    pub(crate) fn lists(ids: Vec<String>) -> Self {
        Expectation::Lists(Listed::Exactly, ids).into()
    }

    /// Returns the check that a member of an answer is as a read of the resource at a path showed it; `before` is what that was.
    ///
    /// # Errors
    /// It is about the whole, and the read before it showed no resource.
    pub(crate) fn as_read(
        path: &str,
        inside: &str,
        member: &str,
        before: &Value,
        when: When,
    ) -> Result<Self, &'static str> {
        let Some(pointer) = member_pointer(member) else {
            // One of both is no JSON object.
            let id = get(before, "id")
                .ok_or("the read before it, which it is compared with, showed no resource")?;
            return Ok(Self::value(format!("{inside}/id"), id.clone()));
        };
        let is_absent = crate::json::is_absent(Some(before));
        let earlier = Earlier::Read { path: path.to_owned(), pointer: pointer.clone(), is_absent, when };
        Ok(Self::at(format!("{inside}{pointer}"), Condition::Same(earlier)))
    }

    /// Returns the check of another request than the last one.
    pub(crate) fn of(self, judged: Judged) -> Self {
        Self { judged, ..self }
    }
}

/// What stands for the whole of a resource where a member is named.
pub(crate) const WHOLE: &str = "the resource";

/// Returns the JSON pointer of a member, which may be one of `meta`.
fn member_pointer(member: &str) -> Option<String> {
    (member != WHOLE).then(|| {
        let member = member.replace('~', "~0");
        match member.strip_prefix("meta.") {
            Some(name) => format!("/meta/{name}"),
            None => format!("/{}", member.replace('/', "~1")),
        }
    })
}

/// Returns the elements of an array that has these `value`s.
pub(crate) fn with_values<'a>(ids: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
    ids.into_iter().map(|id| serde_json::json!({ "value": id })).collect()
}
