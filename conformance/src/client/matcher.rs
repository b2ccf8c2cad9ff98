//! A matcher of exchanges. All given conditions must hold.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::case::expect::StatusSet;
use crate::client::recording::{RecordedExchange, last_name};
use crate::json::get;
use crate::table::{Group, Incomplete, Table, deserialize_from_table};

/// A pattern.
#[derive(Debug, Clone, Default, JsonSchema)]
#[schemars(with = "MatcherTable")]
pub struct Matcher {
    request: Vec<RequestCondition>,
    /// The people of the scenario that the request is about; empty: any.
    pub person: Vec<String>,
    /// The steps of the scenario; empty: any.
    pub step: Vec<String>,
    fails_for_now: Option<bool>,
    /// The answer has one of these statuses.
    status: Vec<StatusSet>,
    /// Matches exchanges without an answer, in addition to those of `status`.
    no_answer: bool,
}

/// A pattern as it is written.
type MatcherTable = Table<(Group<RequestCondition>, Group<Key>)>;

/// A condition on a request. Descriptions list conditions in this order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum RequestCondition {
    /// The request has one of these methods.
    Method(Vec<String>),
    /// The path below the base URL: `*` is one segment.
    Path(String),
    /// The request creates a user.
    Creates(bool),
    /// The request asks for a change.
    Writes(bool),
    /// The request looks users up (a GET of the list, or a search): by a filter, or by reading the whole list.
    LooksUp(bool),
    /// The request sets `active` to true, or to false.
    SetsActive(bool),
    /// The request is a PATCH with an operation of this kind, compared without case.
    Op(String),
    /// The request is a PATCH with an operation whose path begins with this attribute, or which has it in its value
    /// without a path. Beside `op`: one operation fulfils both.
    OpPath(String),
    /// The request has this parameter, or member of a search.
    Query(String),
    /// And the parameter holds this text.
    QueryHas(String),
    /// The request has this header field.
    Header(String),
    /// And the field holds this text, without case.
    HeaderHas(String),
    /// The body has something at this JSON pointer; names without case, `*` is any element.
    BodyAt(String),
}

/// The other keys of a pattern.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Key {
    /// The answer has one of these statuses.
    Status(Vec<StatusSet>),
    /// The exchange has no answer, in addition to those of `status`.
    NoAnswer(bool),
    /// The answer was late, or an error that says that another try may help: no answer, 408, 429, 500, 502, 503, 504.
    FailsForNow(bool),
    /// The request is about one of these people of the scenario.
    Person(Vec<String>),
    /// The request is in one of these steps of the scenario.
    Step(Vec<String>),
}

deserialize_from_table!(Matcher, MatcherTable);

impl TryFrom<MatcherTable> for Matcher {
    type Error = Incomplete;

    fn try_from(Table((request, keys)): MatcherTable) -> Result<Self, Incomplete> {
        request.require("query-has", "query")?;
        request.require("header-has", "header")?;
        let mut matcher = Self { request: request.into_values().collect(), ..Self::default() };
        for key in keys.into_values() {
            match key {
                Key::Status(statuses) => matcher.status = statuses,
                Key::NoAnswer(is_meant) => matcher.no_answer = is_meant,
                Key::FailsForNow(wanted) => matcher.fails_for_now = Some(wanted),
                Key::Person(people) => matcher.person = people,
                Key::Step(steps) => matcher.step = steps,
            }
        }
        Ok(matcher)
    }
}

impl Matcher {
    /// Whether the exchange fits, the place in the scenario aside.
    pub fn fits(&self, exchange: &RecordedExchange) -> bool {
        self.fits_request(exchange) && self.fits_answer(exchange)
    }

    /// Whether the request fits.
    pub fn fits_request(&self, exchange: &RecordedExchange) -> bool {
        let parameter = self.request.iter().find_map(|condition| match condition {
            RequestCondition::Query(name) => exchange.parameter(name),
            _ => None,
        });
        let header = self.request.iter().find_map(|condition| match condition {
            RequestCondition::Header(name) => exchange.header(name).map(str::to_ascii_lowercase),
            _ => None,
        });
        self.request.iter().all(|condition| match condition {
            RequestCondition::Method(methods) => methods.contains(&exchange.method),
            RequestCondition::Path(path) => path_fits(path, &exchange.segments()),
            RequestCondition::Creates(wanted) => creates(exchange) == *wanted,
            RequestCondition::Writes(wanted) => exchange.is_write() == *wanted,
            RequestCondition::LooksUp(wanted) => looks_up(exchange) == *wanted,
            RequestCondition::SetsActive(wanted) => exchange.sets_active() == Some(*wanted),
            RequestCondition::Op(_) | RequestCondition::OpPath(_) => self.fits_operations(exchange),
            RequestCondition::Query(_) => parameter.is_some(),
            RequestCondition::QueryHas(part) => {
                parameter.as_ref().is_some_and(|value| value.contains(part.as_str()))
            }
            RequestCondition::Header(_) => header.is_some(),
            RequestCondition::HeaderHas(part) => {
                header.as_ref().is_some_and(|value| value.contains(&part.to_ascii_lowercase()))
            }
            RequestCondition::BodyAt(pointer) => {
                exchange.body.as_ref().is_some_and(|body| !at(body, pointer).is_empty())
            }
        })
    }

    fn fits_operations(&self, exchange: &RecordedExchange) -> bool {
        exchange.operations().into_iter().any(|operation| {
            let text = |name| get(operation, name).and_then(Value::as_str);
            self.request.iter().all(|condition| match condition {
                RequestCondition::Op(wanted) => text("op").is_some_and(|op| op.eq_ignore_ascii_case(wanted)),
                RequestCondition::OpPath(wanted) => match text("path") {
                    Some(path) => {
                        let first = path.split(['[', '.']).next().unwrap_or_default();
                        // A URN has points in front of the name.
                        last_name(first).eq_ignore_ascii_case(wanted)
                            || last_name(path).eq_ignore_ascii_case(wanted)
                    }
                    None => get(operation, "value").is_some_and(|value| get(value, wanted).is_some()),
                },
                _ => true,
            })
        })
    }

    /// Whether the answer fits.
    pub fn fits_answer(&self, exchange: &RecordedExchange) -> bool {
        let unsaid = self.status.is_empty() && !self.no_answer;
        let status = match exchange.status {
            Some(status) => self.status.iter().any(|set| set.has(status)),
            None => self.no_answer,
        };
        (unsaid || status) && self.fails_for_now.is_none_or(|wanted| wanted == fails_for_now(exchange))
    }

    /// Returns the matcher in words, for `explain` and for a request that was not sent.
    pub fn in_words(&self) -> String {
        let mut words = "a request".to_owned();
        for condition in &self.request {
            match condition {
                // It comes first.
                RequestCondition::Method(methods) if methods.is_empty() => {}
                RequestCondition::Method(methods) => words = methods.join(" or "),
                other => append!(words, " {}", other.in_words()),
            }
        }
        let choice = |words: &mut String, what: &str, names: &[String]| {
            if !names.is_empty() {
                append!(*words, " {what} {}", names.join(" or "));
            }
        };
        choice(&mut words, "about", &self.person);
        choice(&mut words, "in the step", &self.step);
        match self.fails_for_now {
            Some(true) => words.push_str(" that failed for now"),
            Some(false) => words.push_str(" that did not fail for now"),
            None => {}
        }
        let mut statuses: Vec<_> = self.status.iter().map(ToString::to_string).collect();
        if self.no_answer {
            statuses.push("nothing".to_owned());
        }
        choice(&mut words, "that was answered with", &statuses);
        words
    }
}

impl RequestCondition {
    fn in_words(&self) -> String {
        match self {
            Self::Method(methods) => methods.join(" or "),
            Self::Path(path) => format!("to {path}"),
            Self::Creates(true) => "that creates a user".to_owned(),
            Self::Creates(false) => "that creates nobody".to_owned(),
            Self::Writes(true) => "that writes".to_owned(),
            Self::Writes(false) => "that reads".to_owned(),
            Self::LooksUp(true) => "that looks users up".to_owned(),
            Self::LooksUp(false) => "that looks nobody up".to_owned(),
            Self::SetsActive(active) => format!("that sets active to {active}"),
            Self::Op(op) => format!("with an operation `{op}`"),
            Self::OpPath(path) => format!("with an operation on {path}"),
            Self::Query(name) => format!("with the parameter {name}"),
            Self::Header(name) => format!("with the header {name}"),
            Self::QueryHas(part) | Self::HeaderHas(part) => format!("that holds `{part}`"),
            Self::BodyAt(pointer) => format!("with {pointer} in its body"),
        }
    }
}

fn looks_up(exchange: &RecordedExchange) -> bool {
    let users =
        |segments: &[String]| matches!(segments, [endpoint] if endpoint.eq_ignore_ascii_case("Users"));
    let list = exchange.method == "GET" && users(&exchange.segments());
    let by_filter = (list || exchange.is_search()) && exchange.parameter("filter").is_some();
    by_filter || exchange.reads_everybody()
}

fn creates(exchange: &RecordedExchange) -> bool {
    exchange.method == "POST"
        && matches!(exchange.segments().as_slice(), [endpoint] if endpoint.eq_ignore_ascii_case("Users"))
}

pub(crate) fn fails_for_now(exchange: &RecordedExchange) -> bool {
    exchange.status.is_none_or(|status| matches!(status, 408 | 429 | 500 | 502 | 503 | 504))
}

fn path_fits(matcher: &str, segments: &[String]) -> bool {
    let parts: Vec<_> = matcher.trim_matches('/').split('/').collect();
    parts.len() == segments.len()
        && parts
            .iter()
            .zip(segments)
            .all(|(part, segment)| *part == "*" || part.eq_ignore_ascii_case(segment))
}

/// Returns all values that a JSON pointer reaches; names are compared without case, `*` is each element or member.
pub(crate) fn at<'v>(value: &'v Value, pointer: &str) -> Vec<&'v Value> {
    let mut reached = vec![value];
    for token in pointer.split('/').skip(1) {
        let name = token.replace("~1", "/").replace("~0", "~");
        reached = reached
            .into_iter()
            .flat_map(|value| -> Vec<&'v Value> {
                match value {
                    Value::Array(elements) if name == "*" => elements.iter().collect(),
                    Value::Object(members) if name == "*" => members.values().collect(),
                    Value::Array(elements) => {
                        name.parse::<usize>().ok().and_then(|index| elements.get(index)).into_iter().collect()
                    }
                    object => get(object, &name).into_iter().collect(),
                }
            })
            .collect();
    }
    reached
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::client::matcher::*;
    use crate::client::recording::read;

    #[test]
    fn matcher_needs_all_given_conditions() {
        let entry = json!({"method": "PATCH", "path": "/scim/Users/7", "status": 503,
            "requestHeaders": [["If-Match", "W/\"1\""]],
            "requestBody": {"Operations": [{"op": "Replace", "path": "active", "value": false}]}});
        let exchange = &read(&entry.to_string()).expect("a journal").exchanges[0];
        let fits = |text: &str| toml::from_str::<Matcher>(text).expect("a pattern").fits(exchange);
        for yes in [
            "",
            "method = [\"PUT\", \"PATCH\"]",
            "path = \"/users/*\"",
            "op = \"replace\"",
            "sets-active = false",
            "writes = true\ncreates = false\nlooks-up = false",
            "header = \"if-match\"\nheader-has = \"w/\"",
            "body-at = \"/operations/*/path\"",
            "status = [\"5xx\"]",
            "status = [503]\nno-answer = true",
            "fails-for-now = true",
        ] {
            assert!(fits(yes), "{yes}");
        }
        for no in [
            "method = [\"PUT\"]",
            "path = \"/Users\"",
            "sets-active = true",
            "writes = false",
            "query = \"filter\"",
            "header = \"if-none-match\"",
            "body-at = \"/schemas\"",
            "no-answer = true",
            "status = [200]",
            "fails-for-now = false",
        ] {
            assert!(!fits(no), "{no}");
        }
    }

    #[test]
    fn list_without_a_filter_is_a_look_up() {
        let looks = |method: &str, path: &str, body: Value| {
            let entry = json!({"method": method, "path": path, "status": 200, "requestBody": body});
            looks_up(&read(&entry.to_string()).expect("a journal").exchanges[0])
        };
        assert!(looks("GET", "/scim/Users?filter=userName%20eq%20%22a%22&count=1", Value::Null));
        assert!(looks("GET", "/scim/Users", Value::Null));
        assert!(looks("GET", "/scim/Users?startIndex=101&count=100", Value::Null));
        assert!(looks("POST", "/scim/Users/.search", json!({"count": 100})));
        assert!(looks("POST", "/scim/.search", json!({"filter": "userName eq \"a\""})));
        // A test of the connection, other resources, one user.
        assert!(!looks("GET", "/scim/Users?count=1", Value::Null));
        assert!(!looks("POST", "/scim/Users/.search", json!({"count": 0})));
        assert!(!looks("GET", "/scim/Groups", Value::Null));
        assert!(!looks("GET", "/scim/Groups?filter=displayName%20eq%20%22a%22", Value::Null));
        assert!(!looks("GET", "/scim/Users/7", Value::Null));
    }
}
