//! Steps as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::case::expect::Expectation;
use crate::case::file::expectation::{ScimError, True};
use crate::case::step::{Action, Body, Bytes, Paging, Step};
use crate::case::template::error::TemplateError;
use crate::case::template::{JsonTemplate, Template};
use crate::subject::server::credentials::WrongAuth;
use crate::table::{ChoiceError, Group, Table, deserialize_from_table};

/// A step as written: exactly one action.
pub(crate) type StepTable = Table<(Group<Verb>, Group<Payload>, Group<Argument>, Group<Key>)>;

/// The action, and its object.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(
    dead_code,
    reason = "keys of `write` and `look` are for the schema; `case::over` makes other steps of them"
)]
pub(crate) enum Verb {
    Create(String),
    Read(String),
    Replace(String),
    Patch(String),
    Delete(String),
    List(String),
    Search(String),
    Walk(String),
    Bulk(JsonTemplate),
    Send(RequestLine),
    Together(Vec<Step>),
    /// A resource that `set` is written to, in the way that `over.write` says.
    Write(String),
    /// A resource that is read in the way that `over.read` says.
    Look(String),
}

impl Verb {
    /// Returns the keys that belong to the action.
    fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::Create(_) => &["with", "count"],
            Self::Replace(_) => &["with", "body", "text"],
            Self::Patch(_) => &["ops", "body", "text"],
            Self::Search(_) => &["body", "text"],
            Self::Send(_) => &["body", "text", "bytes"],
            Self::Together(_) => &["times"],
            Self::Write(_) => &["set", "before", "type", "exists", "refused"],
            Self::Look(_) => &["type", "by-filter"],
            Self::Walk(_) => &["by"],
            Self::Bulk(_) => &["fail-on-errors"],
            Self::Read(_) | Self::Delete(_) | Self::List(_) => &[],
        }
    }
}

/// A method and a path, as in `GET /Users`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(crate) struct RequestLine {
    method: String,
    path: Template,
}

impl TryFrom<String> for RequestLine {
    type Error = StepError;

    fn try_from(line: String) -> Result<Self, StepError> {
        let Some((method, path)) = line.split_once(' ') else { return Err(StepError::RequestLine(line)) };
        Ok(Self { method: method.to_owned(), path: Template::parse(path.trim())? })
    }
}

/// The body of a request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Payload {
    With(JsonTemplate),
    Ops(JsonTemplate),
    Body(JsonTemplate),
    Text(Template),
    /// As text with `\x` and two digits for a byte.
    Bytes(Bytes),
}

impl From<Payload> for Body {
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::With(json) => Self::With(json),
            Payload::Ops(operations) => Self::Operations(operations, None),
            Payload::Body(json) => Self::Json(json),
            Payload::Text(text) => Self::Text(text),
            Payload::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

/// Keys that belong to one action each.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(
    dead_code,
    reason = "keys of `write` and `look` are for the schema; `case::over` makes other steps of them"
)]
pub(crate) enum Argument {
    Count(usize),
    FailOnErrors(u32),
    By(Paging),
    /// The number of times that each of the steps is sent.
    Times(usize),
    /// Attributes that `write` sets.
    Set(JsonTemplate),
    /// Attributes of the resource that `write` changes.
    Before(JsonTemplate),
    /// The resource type of `write` and `look`; without it, `User`.
    Type(String),
    /// The resource of `write` is there already.
    Exists(bool),
    /// The error that `write` has to be refused with.
    Refused(ScimError),
    /// The filter by which `look` finds the resource where `over.read` says `filter`.
    ByFilter(Template),
}

/// Keys of every step.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Key {
    As(String),
    Query(BTreeMap<String, Scalar>),
    Headers(BTreeMap<String, Fields>),
    ContentType(String),
    /// Milliseconds.
    Pause(u64),
    Chunked(True),
    /// Names whose resources are the same before and after it, `meta` included.
    Untouched(Vec<String>),
    /// The next two reads say what the answer said.
    ReadsAgree(True),
    /// Sent in another second where versions are weak and times are whole seconds.
    NewSecond(True),
    /// The list says what a read says.
    ListAgrees(True),
    /// Steps after the first page of a walk.
    Between(Vec<Step>),
    Auth(WrongAuth),
    Unsupported(Vec<u16>),
    Preparation(bool),
    /// A word for the attempt; of a case with `tally`.
    Tries(String),
    Expect(Vec<Expectation>),
}

/// The value of a header field, or several of them, which are fields of the same name.
#[derive(Debug, Deserialize)]
#[serde(try_from = "toml::Value")]
pub(crate) struct Fields(Vec<Template>);

impl TryFrom<toml::Value> for Fields {
    type Error = StepError;

    fn try_from(value: toml::Value) -> Result<Self, StepError> {
        let values = match value {
            toml::Value::String(text) => vec![toml::Value::String(text)],
            toml::Value::Array(values) => values,
            other => return Err(StepError::Field(other)),
        };
        values
            .into_iter()
            .map(|value| match value {
                toml::Value::String(text) => Ok(Template::parse(&text)?),
                other => Err(StepError::Field(other)),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl JsonSchema for Fields {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fields".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "The value of a header field, or several of them, which are fields of the same name.",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
        })
    }
}

/// A text, or a number or Boolean that is written without quotes.
#[derive(Debug, Deserialize)]
#[serde(try_from = "toml::Value")]
pub(crate) struct Scalar(Template);

impl TryFrom<toml::Value> for Scalar {
    type Error = StepError;

    fn try_from(value: toml::Value) -> Result<Self, StepError> {
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(switch) => switch.to_string(),
            other => return Err(StepError::Scalar(other)),
        };
        Ok(Self(Template::parse(&text)?))
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A text, or a number or Boolean that is written without quotes.",
            "type": ["string", "integer", "boolean"],
        })
    }
}

/// An invalid step.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum StepError {
    /// Exactly one action, and at most one body, belongs to a step.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// A key belongs to another action.
    #[error("`{key}` does not belong to `{action}`")]
    Misplaced {
        /// The key.
        key: &'static str,
        /// The action.
        action: &'static str,
    },
    /// An action lacks the key that it needs.
    #[error("`{action}` needs {}", .keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" or "))]
    Incomplete {
        /// The action.
        action: &'static str,
        /// The keys of which it needs one.
        keys: &'static [&'static str],
    },
    /// The text of `send` has no path.
    #[error("invalid request `{0}`: expected a method and a path")]
    RequestLine(String),
    /// A query parameter is an array, a table, a float or a date.
    #[error("invalid query parameter `{0}`: expected a text, an integer or a Boolean")]
    Scalar(toml::Value),
    /// The value of a header field is no text.
    #[error("invalid header field `{0}`: expected a text, or an array of texts")]
    Field(toml::Value),
    /// `write` or `look` stands in a case that is not written for several places.
    #[error("`{0}` needs a case with `over`")]
    NotExpanded(&'static str),
    /// A step that is sent together with others is no single request.
    #[error("a step of `together` is one request, so it cannot be `{0}`")]
    NotOne(&'static str),
    /// A key belongs to `walk`.
    #[error("`between` needs `walk`")]
    Between,
    /// A text has an invalid place.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

deserialize_from_table!(Step, StepTable);

impl TryFrom<StepTable> for Step {
    type Error = StepError;

    fn try_from(Table((verb, payload, argument, keys)): StepTable) -> Result<Self, StepError> {
        let action = action(verb, payload, argument)?;
        let mut step = Self {
            name: action.default_name().to_owned(),
            label: String::new(),
            query: Vec::new(),
            headers: Vec::new(),
            content_type: None,
            pause: None,
            chunked: false,
            untouched: Vec::new(),
            reads_agree: false,
            new_second: false,
            list_agrees: false,
            between: Vec::new(),
            auth: None,
            unsupported: Vec::new(),
            preparation: false,
            tries: None,
            expect: Vec::new(),
            action,
        };
        let mut preparation = None;
        for key in keys.into_values() {
            match key {
                Key::As(name) => step.name = name,
                Key::Query(query) => {
                    step.query = query.into_iter().map(|(name, Scalar(value))| (name, value)).collect();
                }
                Key::Headers(headers) => {
                    let each = |(name, Fields(values)): (String, Fields)| {
                        values.into_iter().map(move |value| (name.clone(), value))
                    };
                    step.headers = headers.into_iter().flat_map(each).collect();
                }
                Key::Chunked(True) => step.chunked = true,
                Key::Untouched(names) => step.untouched = names,
                Key::ReadsAgree(True) => step.reads_agree = true,
                Key::NewSecond(True) => step.new_second = true,
                Key::ListAgrees(True) => step.list_agrees = true,
                Key::Between(steps) => step.between = steps,
                Key::ContentType(media_type) => step.content_type = Some(media_type),
                Key::Pause(milliseconds) => {
                    step.pause = Some(std::time::Duration::from_millis(milliseconds));
                }
                Key::Auth(auth) => step.auth = Some(auth),
                Key::Unsupported(statuses) => step.unsupported = statuses,
                Key::Preparation(is_preparation) => preparation = Some(is_preparation),
                Key::Tries(word) => step.tries = Some(word),
                Key::Expect(expect) => step.expect = expect,
            }
        }
        if !step.between.is_empty() && !matches!(step.action, Action::Walk(..)) {
            return Err(StepError::Between);
        }
        let implied = matches!(step.action, Action::Create { .. }) && step.expect.is_empty();
        step.preparation = preparation.unwrap_or(implied);
        Ok(step)
    }
}

fn action(
    verb: Group<Verb>,
    payload: Group<Payload>,
    argument: Group<Argument>,
) -> Result<Action, StepError> {
    let (action, verb) = verb.one("action")?;
    let keys = verb.keys();
    if let Some(key) = payload.keys().chain(argument.keys()).find(|key| !keys.contains(key)) {
        return Err(StepError::Misplaced { key, action });
    }
    if matches!(verb, Verb::Write(_) | Verb::Look(_)) {
        return Err(StepError::NotExpanded(action));
    }
    let payload = payload.at_most_one("body")?.map(|(_, payload)| payload);
    let argument = argument.at_most_one("argument")?.map(|(_, argument)| argument);
    Ok(match (verb, payload, argument) {
        (Verb::Create(resource_type), payload, argument) => Action::Create {
            resource_type,
            with: payload.and_then(|payload| match payload {
                Payload::With(json) => Some(json),
                Payload::Ops(_) | Payload::Body(_) | Payload::Text(_) | Payload::Bytes(_) => None,
            }),
            count: argument.and_then(|argument| match argument {
                Argument::Count(count) => Some(count),
                _ => None,
            }),
        },
        (Verb::Read(name), ..) => Action::Read(name),
        (Verb::Replace(name), Some(payload), _) => Action::Replace(name, payload.into()),
        (Verb::Patch(name), Some(payload), _) => Action::Patch(name, payload.into()),
        (Verb::Delete(name), ..) => Action::Delete(name),
        (Verb::List(resource_type), ..) => Action::List(resource_type),
        (Verb::Search(endpoint), payload, _) => {
            Action::Search(endpoint, payload.map_or(Body::None, Body::from))
        }
        (Verb::Walk(resource_type), _, Some(Argument::By(paging))) => Action::Walk(resource_type, paging),
        (Verb::Bulk(operations), _, argument) => {
            let fail_on_errors = match argument {
                Some(Argument::FailOnErrors(errors)) => Some(errors),
                _ => None,
            };
            Action::Bulk(Body::Operations(operations, fail_on_errors))
        }
        (Verb::Together(steps), _, argument) => {
            let not_one = |step: &Step| match &step.action {
                Action::Together { .. } => Some("together"),
                Action::Walk(..) => Some("walk"),
                Action::Create { count: Some(_), .. } => Some("create` with `count"),
                _ => None,
            };
            if let Some(action) = steps.iter().find_map(not_one) {
                return Err(StepError::NotOne(action));
            }
            let times = match argument {
                Some(Argument::Times(times)) => times,
                _ => 1,
            };
            Action::Together { steps, times }
        }
        (Verb::Send(line), payload, _) => Action::Send {
            method: line.method,
            path: line.path,
            body: payload.map_or(Body::None, Body::from),
        },
        (Verb::Replace(_) | Verb::Patch(_) | Verb::Walk(_) | Verb::Write(_) | Verb::Look(_), ..) => {
            return Err(StepError::Incomplete { action, keys });
        }
    })
}
