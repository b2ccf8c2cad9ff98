//! Many operations in one request (RFC 7644 §3.7), with references to what others of them create.
//!
//! Every POST is promised its id before anything is done, so that references can be put in their places at once. What
//! an operation refers to is carried out before it; where operations refer to each other in a circle, the members that
//! close it are added at the end (RFC 7644 §3.7.1).

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use scim::dialect::{Dialect, Dialects, check_message};
use scim::error::ScimType;
use scim::json::get_ci;
use scim::schema::{BULK_REQUEST_URN, BULK_RESPONSE_URN};
use serde_json::{Value, json};

use super::{Outcome, Refusal, RequestContext, handle};
use crate::downstream::{Downstream, Downstreams};
use crate::gateway::response_format;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::route::{Route, decoded};
use crate::store::members::MembersChange;
use crate::types::TypeId;

const REFERENCE: &str = "bulkId:";

/// One operation as it was sent.
#[derive(Debug)]
struct Operation {
    method: Method,
    bulk_id: Option<String>,
    path: String,
    data: Value,
    version: Option<String>,
    /// The operations whose results it refers to.
    needs: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Begun,
    Done { failed: bool },
}

pub(super) fn bulk(context: &RequestContext<'_>) -> Result<Reply, Refusal> {
    let features = &context.settings.profile.features;
    let most = features.bulk_max_payload as usize;
    let body = context.body()?;
    if body.len() > most {
        return Err(Problem::TooLarge { what: "the bulk request (maxPayloadSize)", most }.into());
    }
    let (fail_on_errors, operations, dialects) = read(&context.json()?, context.settings.dialects)?;
    let most = features.bulk_max_operations as usize;
    if operations.len() > most {
        let why = format!(
            "the request has {} operations, and {most} is the most (maxOperations)",
            operations.len()
        );
        return Err(Problem::by_profile(413, None, why).into());
    }
    let mut run = Run::new(context, operations)?;
    super::write::note(&mut run.reply, &dialects);
    run.all(fail_on_errors);
    run.close_circles();
    Ok(run.reply())
}

fn syntax(text: impl Into<String>) -> Problem {
    Problem::BadSyntax(text.into())
}

/// `failOnErrors`, the operations, and the habits that were met and taken.
type Message = (Option<usize>, Vec<Operation>, Vec<Dialect>);

fn read(body: &Value, dialects: Dialects) -> Result<Message, Problem> {
    let Value::Object(members) = body else { return Err(syntax("a bulk request is a JSON object")) };
    let dialects = check_message(members, BULK_REQUEST_URN, dialects)
        .map_err(|problem| syntax(format!("the bulk request {problem}")))?;
    let fail_on_errors = match get_ci(members, "failOnErrors") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let number = value.as_u64().filter(|number| *number > 0);
            let number = number.ok_or_else(|| syntax("`failOnErrors` is a whole number from 1"))?;
            Some(usize::try_from(number).unwrap_or(usize::MAX))
        }
    };
    let Some(Value::Array(list)) = get_ci(members, "Operations") else {
        return Err(syntax("`Operations` of a bulk request is an array"));
    };
    let read = |(at, operation)| read_operation(at, operation);
    let operations = list.iter().enumerate().map(read).collect::<Result<_, _>>()?;
    Ok((fail_on_errors, operations, dialects))
}

fn read_operation(at: usize, operation: &Value) -> Result<Operation, Problem> {
    let failed = |what: &str| syntax(format!("Operations[{at}]{what}"));
    let Value::Object(members) = operation else { return Err(failed(" is not an object")) };
    let text = |name: &str| match get_ci(members, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(failed(&format!(".{name} is not a text"))),
    };
    let method = match text("method")?.map(|method| method.to_ascii_uppercase()).as_deref() {
        Some("POST") => Method::POST,
        Some("PUT") => Method::PUT,
        Some("PATCH") => Method::PATCH,
        Some("DELETE") => Method::DELETE,
        _ => return Err(failed(".method is one of POST, PUT, PATCH, DELETE")),
    };
    let path = text("path")?.filter(|path| path.starts_with('/'));
    let path = path.ok_or_else(|| failed(".path is a path such as /Users or /Users/{id}"))?;
    let path = crate::text::normal_path(&path).into_owned();
    let bulk_id = text("bulkId")?.filter(|id| !id.is_empty());
    if method == Method::POST && bulk_id.is_none() {
        return Err(failed(".bulkId is required with POST"));
    }
    let data = get_ci(members, "data").cloned().unwrap_or_default();
    if method != Method::DELETE && !data.is_object() {
        return Err(failed(".data is required, and an object"));
    }
    Ok(Operation { method, bulk_id, path, data, version: text("version")?, needs: Vec::new() })
}

/// What one operation came to.
struct OperationResult {
    status: StatusCode,
    location: Option<String>,
    version: Option<String>,
    response: Option<Value>,
}

struct Run<'a> {
    context: &'a RequestContext<'a>,
    operations: Vec<Operation>,
    states: Vec<State>,
    outcomes: Vec<Option<OperationResult>>,
    /// The ids that POSTs were promised, by `bulkId`, with the operation.
    promised: HashMap<String, (usize, Arc<str>)>,
    /// Members that close a circle: the group's id and theirs.
    late: Vec<(Arc<str>, Arc<str>)>,
    downstream: Vec<Downstream>,
    reply: Reply,
}

impl<'a> Run<'a> {
    fn new(context: &'a RequestContext<'a>, mut operations: Vec<Operation>) -> Result<Self, Problem> {
        let mut promised: HashMap<String, (usize, Arc<str>)> = HashMap::new();
        let mut store = context.store();
        for (at, operation) in operations.iter().enumerate() {
            let Some(bulk_id) = operation.bulk_id.as_ref().filter(|_| operation.method == Method::POST)
            else {
                continue;
            };
            let name = operation.data.as_object().and_then(|data| get_ci(data, "userName")?.as_str());
            let name = name.filter(|name| promised.values().all(|(_, id)| **id != **name));
            let id = super::write::new_id(context, &mut store, name.map(Arc::from));
            if promised.insert(bulk_id.clone(), (at, id)).is_some() {
                return Err(syntax(format!("Operations[{at}].bulkId `{bulk_id}` is used twice")));
            }
        }
        drop(store);
        for (at, Operation { data, path, needs, .. }) in operations.iter_mut().enumerate() {
            put_in_place(data, &promised, needs);
            if let Some((before, name)) = path.rsplit_once(REFERENCE)
                && let Some((other, id)) = promised.get(name)
            {
                needs.push(*other);
                *path = format!("{before}{id}");
            }
            needs.retain(|other| *other != at);
        }
        Ok(Self {
            context,
            states: vec![State::Waiting; operations.len()],
            outcomes: operations.iter().map(|_| None).collect(),
            operations,
            promised,
            late: Vec::new(),
            downstream: Vec::new(),
            reply: Reply::empty(StatusCode::OK),
        })
    }

    fn all(&mut self, fail_on_errors: Option<usize>) {
        for at in 0..self.operations.len() {
            self.one(at);
            let failed = self.states.iter().filter(|state| **state == State::Done { failed: true }).count();
            if fail_on_errors.is_some_and(|most| failed >= most) {
                return;
            }
        }
    }

    /// Carries an operation out, what it needs before it.
    fn one(&mut self, at: usize) {
        if self.states[at] != State::Waiting {
            return;
        }
        self.states[at] = State::Begun;
        for other in self.operations[at].needs.clone() {
            self.one(other);
            if self.states[other] == (State::Done { failed: true }) {
                let name = self.operations[other].bulk_id.clone().unwrap_or_default();
                let why = format!("what bulkId `{name}` was to create does not exist");
                let outcome = self.failure(StatusCode::CONFLICT, why);
                return self.settle(at, outcome);
            }
        }
        let mut data = self.operations[at].data.clone();
        let in_path = || self.operations[at].path.rsplit_once(REFERENCE).map(|(_, name)| name.to_owned());
        if let Some(name) = unresolved(&data).or_else(in_path) {
            let why = format!("no POST of this request has the bulkId `{name}`");
            let outcome = self.failure(StatusCode::BAD_REQUEST, why);
            return self.settle(at, outcome);
        }
        let reserved = self.promised_of(at);
        let begun = self.operations[at].needs.iter().filter(|other| self.states[**other] == State::Begun);
        // A group may be its own member.
        let begun: Vec<Arc<str>> =
            begun.filter_map(|other| self.promised_of(*other)).chain(reserved.clone()).collect();
        let late = take_members(&mut data, &begun);
        let group = reserved
            .clone()
            .or_else(|| self.operations[at].path.rsplit('/').next().map(|id| Arc::from(&*decoded(id))));
        let outcome = self.carry_out(at, &data, reserved);
        if outcome.status.is_success()
            && let Some(group) = group
        {
            self.late.extend(late.into_iter().map(|member| (Arc::clone(&group), member)));
        }
        self.settle(at, outcome);
    }

    fn promised_of(&self, at: usize) -> Option<Arc<str>> {
        let operation = &self.operations[at];
        if operation.method != Method::POST {
            return None;
        }
        operation.bulk_id.as_ref().and_then(|name| self.promised.get(name)).map(|(_, id)| Arc::clone(id))
    }

    fn settle(&mut self, at: usize, outcome: OperationResult) {
        self.states[at] = State::Done { failed: !outcome.status.is_success() };
        self.outcomes[at] = Some(outcome);
    }

    fn carry_out(&mut self, at: usize, data: &Value, reserved: Option<Arc<str>>) -> OperationResult {
        let operation = &self.operations[at];
        let route = self.context.settings.route(&operation.path);
        let fits = match route {
            Route::Collection(_) => operation.method == Method::POST,
            Route::Resource(..) => operation.method != Method::POST,
            _ => false,
        };
        if !fits {
            let why = format!("{} {} is no operation of a bulk request", operation.method, operation.path);
            return self.failure(StatusCode::BAD_REQUEST, why);
        }
        let mut headers = HeaderMap::new();
        if let Some(version) = operation.version.as_deref().and_then(|v| HeaderValue::from_str(v).ok()) {
            headers.insert(header::IF_MATCH, version);
        }
        let body = if data.is_null() { Bytes::new() } else { Bytes::from(data.to_string()) };
        let inner = RequestContext {
            method: &operation.method,
            path: &operation.path,
            route,
            query: "",
            conditional: !headers.is_empty(),
            headers: &headers,
            body: &body,
            reserved,
            inner: true,
            me: None,
            ..*self.context
        };
        let reply = match handle(&inner) {
            Outcome::Ready(reply) => reply,
            Outcome::Deferred(_) => Reply::from(Problem::NoSuchPath),
        };
        let text =
            |name| reply.headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok()).map(str::to_owned);
        let location = text(header::LOCATION).or_else(|| self.location(route));
        let outcome = OperationResult {
            status: reply.status,
            version: text(header::ETAG),
            location,
            response: (!reply.status.is_success()).then(|| self.response(&reply)).flatten(),
        };
        self.downstream.extend(reply.known.downstream.to_list());
        self.reply.known.changes.extend(reply.known.changes);
        self.reply.known.notes.extend(reply.known.notes);
        for dialect in reply.known.dialects {
            if !self.reply.known.dialects.contains(&dialect) {
                self.reply.known.dialects.push(dialect);
            }
        }
        outcome
    }

    /// The body of an error, in the form that the profile gives to errors.
    fn response(&self, reply: &Reply) -> Option<Value> {
        let body = match &reply.problem {
            Some(problem) => response_format::error_body(&self.context.settings.profile.errors, problem).0,
            None => String::from_utf8_lossy(&reply.body).into_owned(),
        };
        (!body.is_empty()).then(|| serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    fn failure(&self, status: StatusCode, why: String) -> OperationResult {
        let scim_type = (status == StatusCode::BAD_REQUEST).then_some(ScimType::InvalidValue);
        let reply = Reply::from(Problem::by_profile(status.as_u16(), scim_type, why));
        OperationResult { status, location: None, version: None, response: self.response(&reply) }
    }

    fn location(&self, route: Route<'_, TypeId>) -> Option<String> {
        let (Some(kind), Some(id)) = route.resource() else { return None };
        let endpoint =
            format!("{}/{}", self.context.settings.scim_url, self.context.settings.types.get(kind).endpoint);
        let mut out = Vec::new();
        crate::store::document::write_location(&mut out, &endpoint, &id);
        String::from_utf8(out).ok()
    }

    /// Adds the members that had to wait until everybody was there.
    fn close_circles(&mut self) {
        let mut store = self.context.store();
        for (group, member) in std::mem::take(&mut self.late) {
            let (Some(group), Some(member)) = (store.find(&group), store.find(&member)) else { continue };
            let _: bool = store.change_members(group, &[MembersChange::Add(vec![member])], self.context.now);
            if let Some(record) = store.get(group) {
                self.retag(&record.id, &store.etag(record));
            }
        }
    }

    /// The version that is told is the one that stays.
    fn retag(&mut self, id: &Arc<str>, tag: &str) {
        for at in 0..self.operations.len() {
            if self.promised_of(at).as_ref() == Some(id)
                && let Some(outcome) = &mut self.outcomes[at]
            {
                outcome.version = outcome.version.take().map(|_| tag.to_owned());
            }
        }
    }

    fn reply(self) -> Reply {
        let told = |(operation, outcome): (&Operation, Option<OperationResult>)| {
            let OperationResult { status, location, version, response } = outcome?;
            let mut told = json!({
                "method": operation.method.as_str(), "bulkId": operation.bulk_id, "location": location,
                "version": version, "response": response, "status": status.as_str(),
            });
            told.as_object_mut()?.retain(|_, value| !value.is_null());
            Some(told)
        };
        let list: Vec<Value> = self.operations.iter().zip(self.outcomes).filter_map(told).collect();
        let body = json!({"schemas": [BULK_RESPONSE_URN], "Operations": list});
        let reply = self.reply.answered_as(Reply::value(StatusCode::OK, &body));
        reply.became(Downstreams::Many(self.downstream))
    }
}

/// Puts promised ids in the place of references, and notes whose they are.
fn put_in_place(data: &mut Value, promised: &HashMap<String, (usize, Arc<str>)>, needs: &mut Vec<usize>) {
    match data {
        Value::String(text) => {
            if let Some((at, id)) = text.strip_prefix(REFERENCE).and_then(|name| promised.get(name)) {
                needs.push(*at);
                *text = id.to_string();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| put_in_place(item, promised, needs)),
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(path) if name == "path" => put_in_path(path, promised, needs),
                    value => put_in_place(value, promised, needs),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The same for the references that a path compares with: `members[value eq "bulkId:ann"]`.
fn put_in_path(path: &mut String, promised: &HashMap<String, (usize, Arc<str>)>, needs: &mut Vec<usize>) {
    if !path.contains(REFERENCE) {
        return;
    }
    let parts =
        path.split('"').map(|part| match part.strip_prefix(REFERENCE).and_then(|name| promised.get(name)) {
            Some((at, id)) => {
                needs.push(*at);
                &**id
            }
            None => part,
        });
    let put: Vec<&str> = parts.collect();
    *path = put.join("\"");
}

/// The name in a reference that is left.
fn unresolved(data: &Value) -> Option<String> {
    match data {
        Value::String(text) => text.strip_prefix(REFERENCE).map(str::to_owned),
        Value::Array(items) => items.iter().find_map(unresolved),
        Value::Object(members) => members.values().find_map(unresolved),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Takes members out whose resources are still to come. Gives their ids.
fn take_members(data: &mut Value, begun: &[Arc<str>]) -> Vec<Arc<str>> {
    if begun.is_empty() {
        return Vec::new();
    }
    let mut taken = Vec::new();
    let mut sift = |list: &mut Value| {
        if let Value::Array(members) = list {
            members.retain(|member| {
                let id = member.get("value").and_then(Value::as_str);
                match begun.iter().find(|begun| Some(&***begun) == id) {
                    Some(id) => {
                        taken.push(Arc::clone(id));
                        false
                    }
                    None => true,
                }
            });
        }
    };
    if let Some(members) = data.get_mut("members") {
        sift(members);
    }
    if let Some(Value::Array(operations)) = data.get_mut("Operations") {
        for operation in operations {
            let on_members = operation
                .get("path")
                .and_then(Value::as_str)
                .is_some_and(|path| path.eq_ignore_ascii_case("members"));
            if on_members && let Some(value) = operation.get_mut("value") {
                sift(value);
            }
        }
    }
    taken
}
