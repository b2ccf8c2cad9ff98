//! An exchange as it is shown: readable, and free of secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::operations::{self, ScimOperation, user_name_of};
use super::record::{ChangeKind, StateChange};
use super::{redact, wire};
use crate::downstream::Downstream;
use crate::journal::stored_record::Kept;

/// One request to an application and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// Counts up from one in each application, also over what the ring has forgotten.
    pub seq: u64,
    /// The application that answered, where it has a name.
    pub application: Option<String>,
    /// When the server began to handle the request. In JSON: an `xsd:dateTime` in UTC, to the millisecond.
    #[serde(with = "wire::date_time")]
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// The time from there until the response was ready, to the microsecond. In JSON: a number of microseconds.
    #[serde(with = "wire::microseconds")]
    #[schema(value_type = u64)]
    pub took: Duration,
    /// The method.
    pub method: String,
    /// The path with its query, as sent; secrets in the query are redacted.
    pub path: String,
    /// The headers in the order they came in; of `Authorization` only the scheme is kept.
    pub request_headers: Vec<(String, String)>,
    /// The body; a string where it wasn't JSON. Passwords, client secrets and tokens are redacted.
    pub request_body: Option<Value>,
    /// The status of the response. `None` if the connection was cut or refused without one; in JSON: 0.
    #[serde(with = "wire::status")]
    #[schema(value_type = u16)]
    pub status: Option<StatusCode>,
    /// The headers of the answer.
    pub response_headers: Vec<(String, String)>,
    /// The body of the answer; a string where it isn't JSON. Redacted like the request's.
    pub response_body: Option<Value>,
    /// What the request asked for in SCIM's terms; those inside a bulk request follow it.
    pub operations: Vec<ScimOperation>,
    /// What the gateway asked of the application behind it, in order.
    pub downstream: Vec<Downstream>,
    /// What became of resources.
    pub changes: Vec<Change>,
    /// The rule of the fault that decided the answer: the first of `faults`.
    pub fault: Option<String>,
    /// The rules of all faults that struck.
    pub faults: Vec<String>,
    /// What was let pass although the RFC has it otherwise.
    pub dialects: Vec<String>,
    /// What in the request had no effect: attributes that were left out, comparisons that nothing satisfies.
    #[serde(default)]
    pub notes: Vec<Note>,
}

/// What became of one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// `User`, `Group` or the name of another resource type.
    pub resource_type: String,
    /// Its id.
    pub id: String,
    /// Its `userName`: the new one, or the last one where it is gone.
    pub user_name: Option<String>,
    /// What happened to it.
    pub kind: ChangeKind,
    /// The top-level members that differ, apart from `meta`. Empty too where a representation was too large to keep.
    pub attributes: BTreeMap<String, AttributeChange>,
}

/// A member of a resource, before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttributeChange {
    /// None: it wasn't there.
    pub before: Option<Value>,
    /// None: it is gone.
    pub after: Option<Value>,
}

/// One part of a request that had no effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// What became of it.
    pub kind: NoteKind,
    /// Where it stands: the path of an attribute, with the position of a value in brackets, as in `emails[0].valu`.
    pub path: String,
    /// What was probably meant, where something comes near.
    #[serde(default)]
    pub nearest: Option<String>,
    /// The same in a sentence, without values.
    pub text: String,
}

/// What became of a part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum NoteKind {
    /// Nothing knows it, or it is not stored: it was left out.
    Dropped,
    /// A comparison in a filter that nothing can satisfy, or everything does.
    NeverMatches,
}

impl Exchange {
    /// Makes a record readable.
    pub(super) fn of(record: &Kept, seq: u64, application: &str) -> Self {
        let (mut request_headers, mut response_headers) =
            (record.request_headers(), record.response_headers());
        redact::headers(&mut request_headers);
        redact::headers(&mut response_headers);
        let request_body = redact::body(record.request_body(), find(&request_headers, "content-type"));
        let response_body = redact::body(&record.response_body, find(&response_headers, "content-type"));
        let method: Method = record.method().parse().unwrap_or_default();
        let path = record.path_and_query().into_owned();
        let rest = record.rest();
        let mut operations = operations::read(&method, &path, request_body.as_ref(), response_body.as_ref());
        operations.iter_mut().for_each(redact::operation);
        let faults: Vec<String> = rest.faults.iter().map(ToString::to_string).collect();
        Self {
            seq,
            application: Some(application.to_owned()),
            at: record.at,
            took: record.took(),
            method: method.to_string(),
            path,
            request_headers,
            request_body,
            status: record.status,
            response_headers,
            response_body,
            operations,
            downstream: record.downstream(),
            changes: rest.changes.iter().map(Change::of).collect(),
            fault: faults.first().cloned(),
            faults,
            dialects: rest.dialects.iter().map(ToString::to_string).collect(),
            notes: rest.notes.clone(),
        }
    }

    /// The path without its query.
    pub(crate) fn path_only(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// The value of a request header, the first where there are several.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.request_headers, name)
    }

    /// The value of a header of the answer, the first where there are several.
    pub fn response_header(&self, name: &str) -> Option<&str> {
        find(&self.response_headers, name)
    }
}

impl Change {
    fn of(change: &StateChange) -> Self {
        let parsed = |state: &Option<Bytes>| state.as_ref().and_then(object);
        let (before, after) = (parsed(&change.before), parsed(&change.after));
        let user_name =
            after.as_ref().and_then(user_name_of).or_else(|| before.as_ref().and_then(user_name_of));
        let complete = match change.kind {
            ChangeKind::Created => after.is_some(),
            ChangeKind::Updated => before.is_some() && after.is_some(),
            ChangeKind::Deleted => before.is_some(),
        };
        Self {
            resource_type: change.resource_type.to_string(),
            id: change.id.to_string(),
            user_name: user_name.map(str::to_owned),
            kind: change.kind,
            attributes: if complete {
                differing(before.unwrap_or_default(), after.unwrap_or_default())
            } else {
                BTreeMap::new()
            },
        }
    }
}

fn object(state: &Bytes) -> Option<Map<String, Value>> {
    let mut value: Value = serde_json::from_slice(state).ok()?;
    redact::json(&mut value);
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// `meta` is left out: it differs each time and says nothing of what was asked for.
fn differing(before: Map<String, Value>, mut after: Map<String, Value>) -> BTreeMap<String, AttributeChange> {
    let mut changes = BTreeMap::new();
    for (name, was) in before {
        let is = after.remove(&name);
        if name != "meta" && is.as_ref() != Some(&was) {
            changes.insert(name, AttributeChange { before: Some(was), after: is });
        }
    }
    let added = after.into_iter().filter(|(name, _)| name != "meta");
    changes.extend(added.map(|(name, is)| (name, AttributeChange { before: None, after: Some(is) })));
    changes
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}
