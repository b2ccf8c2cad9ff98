//! Steps as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::case::expect::Expectation;
use crate::case::step::{Action, Body, Paging, Step};
use crate::case::template::error::TemplateError;
use crate::case::template::{JsonTemplate, Template};
use crate::subject::server::credentials::WrongAuth;
use crate::table::{ChoiceError, Group, Table, deserialize_from_table};

/// A step as written: exactly one action.
pub(crate) type StepTable = Table<(Group<Verb>, Group<Payload>, Group<Argument>, Group<Key>)>;

/// The action, and its object.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
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
}

impl Verb {
    /// Returns the keys that belong to the action.
    fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::Create(_) => &["with", "count"],
            Self::Replace(_) => &["with", "body", "text"],
            Self::Patch(_) => &["ops", "body", "text"],
            Self::Search(_) | Self::Send(_) => &["body", "text"],
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
}

impl From<Payload> for Body {
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::With(json) => Self::With(json),
            Payload::Ops(operations) => Self::Operations(operations, None),
            Payload::Body(json) => Self::Json(json),
            Payload::Text(text) => Self::Text(text),
        }
    }
}

/// Keys that belong to one action each.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Argument {
    Count(usize),
    FailOnErrors(u32),
    By(Paging),
}

/// Keys of every step.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Key {
    As(String),
    Query(BTreeMap<String, Scalar>),
    Headers(BTreeMap<String, Template>),
    ContentType(String),
    /// Milliseconds.
    Pause(u64),
    Auth(WrongAuth),
    Unsupported(Vec<u16>),
    Preparation(bool),
    /// A word for the attempt; of a case with `tally`.
    Tries(String),
    Expect(Vec<Expectation>),
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
                Key::Headers(headers) => step.headers = headers.into_iter().collect(),
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
    let payload = payload.at_most_one("body")?.map(|(_, payload)| payload);
    let argument = argument.at_most_one("argument")?.map(|(_, argument)| argument);
    Ok(match (verb, payload, argument) {
        (Verb::Create(resource_type), payload, argument) => Action::Create {
            resource_type,
            with: payload.and_then(|payload| match payload {
                Payload::With(json) => Some(json),
                Payload::Ops(_) | Payload::Body(_) | Payload::Text(_) => None,
            }),
            count: argument.and_then(|argument| match argument {
                Argument::Count(count) => Some(count),
                Argument::FailOnErrors(_) | Argument::By(_) => None,
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
        (Verb::Send(line), payload, _) => Action::Send {
            method: line.method,
            path: line.path,
            body: payload.map_or(Body::None, Body::from),
        },
        (Verb::Replace(_) | Verb::Patch(_) | Verb::Walk(_), ..) => {
            return Err(StepError::Incomplete { action, keys });
        }
    })
}
