//! Which exchanges are meant. All that is given must hold; what isn't given doesn't matter.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::case::file::Statuses;
use crate::client::recorded::{Recorded, last_name};
use crate::server::facts::get;

/// A pattern as it is written.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Pattern {
    /// One of these methods.
    pub method: Vec<String>,
    /// The path below the base URL: `*` is one segment.
    pub path: Option<String>,
    /// The answer has one of these statuses.
    pub(crate) status: Vec<Statuses>,
    /// There was no answer. Beside `status`: either will do.
    pub no_answer: bool,
    /// It has (true) or has not (false) this parameter, or member of a search.
    pub query: Option<String>,
    /// And the parameter holds this text.
    pub query_has: Option<String>,
    /// It has this header field.
    pub header: Option<String>,
    /// And the field holds this text, without case.
    pub header_has: Option<String>,
    /// The body has something at this JSON pointer; names without case, `*` is any element.
    pub body_at: Option<String>,
    /// It is a PATCH with an operation of this kind, without case.
    pub op: Option<String>,
    /// It is a PATCH with an operation whose path begins with this attribute, or without a path has it in its value.
    /// Beside `op`: one operation is both.
    pub op_path: Option<String>,
    /// It asks that the user be active (true) or not (false).
    pub sets_active: Option<bool>,
    /// It looks for users (a GET of the list, or a search): by a filter, or by reading the list of everybody.
    pub looks_up: Option<bool>,
    /// It asks for a change.
    pub writes: Option<bool>,
    /// It creates a user.
    pub creates: Option<bool>,
    /// The answer was late, or an error that says that another try may help: no answer, 408, 429, 500, 502, 503, 504.
    pub fails_for_now: Option<bool>,
    /// It is about one of these of the scenario.
    pub person: Vec<String>,
    /// In one of these steps of the scenario.
    pub step: Vec<String>,
}

impl Pattern {
    /// Whether the exchange fits, the place in the scenario aside.
    pub fn fits(&self, exchange: &Recorded) -> bool {
        self.fits_request(exchange) && self.fits_answer(exchange)
    }

    /// Whether the request fits.
    pub fn fits_request(&self, exchange: &Recorded) -> bool {
        let is = |wanted: Option<bool>, holds: bool| wanted.is_none_or(|wanted| wanted == holds);
        let method = self.method.is_empty() || self.method.contains(&exchange.method);
        method
            && self.path.as_deref().is_none_or(|path| path_fits(path, &exchange.segments()))
            && self.query.as_deref().is_none_or(|name| {
                exchange
                    .parameter(name)
                    .is_some_and(|value| self.query_has.as_deref().is_none_or(|part| value.contains(part)))
            })
            && self.header.as_deref().is_none_or(|name| {
                exchange.header(name).is_some_and(|value| {
                    let value = value.to_ascii_lowercase();
                    self.header_has.as_deref().is_none_or(|part| value.contains(&part.to_ascii_lowercase()))
                })
            })
            && self.body_at.as_deref().is_none_or(|pointer| {
                exchange.body.as_ref().is_some_and(|body| !at(body, pointer).is_empty())
            })
            && self.fits_operations(exchange)
            && self.sets_active.is_none_or(|wanted| exchange.sets_active() == Some(wanted))
            && is(self.looks_up, looks_up(exchange))
            && is(self.writes, exchange.is_write())
            && is(self.creates, creates(exchange))
    }

    fn fits_operations(&self, exchange: &Recorded) -> bool {
        if self.op.is_none() && self.op_path.is_none() {
            return true;
        }
        exchange.operations().into_iter().any(|operation| {
            let text = |name| get(operation, name).and_then(Value::as_str);
            let op = self
                .op
                .as_deref()
                .is_none_or(|wanted| text("op").is_some_and(|op| op.eq_ignore_ascii_case(wanted)));
            let path = self.op_path.as_deref().is_none_or(|wanted| match text("path") {
                Some(path) => {
                    let first = path.split(['[', '.']).next().unwrap_or_default();
                    // A URN has points in front of the name.
                    last_name(first).eq_ignore_ascii_case(wanted)
                        || last_name(path).eq_ignore_ascii_case(wanted)
                }
                None => get(operation, "value").is_some_and(|value| get(value, wanted).is_some()),
            });
            op && path
        })
    }

    /// Whether the answer fits.
    pub fn fits_answer(&self, exchange: &Recorded) -> bool {
        let unsaid = self.status.is_empty() && !self.no_answer;
        let status = match exchange.status {
            Some(status) => self.status.iter().any(|Statuses(set)| set.has(status)),
            None => self.no_answer,
        };
        (unsaid || status) && self.fails_for_now.is_none_or(|wanted| wanted == fails_for_now(exchange))
    }

    /// In words, for `explain` and for what was not sent.
    pub fn in_words(&self) -> String {
        let mut words = match self.method.as_slice() {
            [] => "a request".to_owned(),
            methods => methods.join(" or "),
        };
        let mut add = |text: String| {
            words.push(' ');
            words.push_str(&text);
        };
        let yes = |wanted: Option<bool>, yes: &str, no: &str| {
            wanted.map(|holds| if holds { yes } else { no }.to_owned())
        };
        let parts = [
            self.path.as_ref().map(|path| format!("to {path}")),
            yes(self.creates, "that creates a user", "that creates nobody"),
            yes(self.writes, "that writes", "that reads"),
            yes(self.looks_up, "that looks users up", "that looks nobody up"),
            yes(self.sets_active, "that sets active to true", "that sets active to false"),
            self.op.as_ref().map(|op| format!("with an operation `{op}`")),
            self.op_path.as_ref().map(|path| format!("with an operation on {path}")),
            self.query.as_ref().map(|name| format!("with the parameter {name}")),
            self.query_has.as_ref().map(|part| format!("that holds `{part}`")),
            self.header.as_ref().map(|name| format!("with the header {name}")),
            self.header_has.as_ref().map(|part| format!("that holds `{part}`")),
            self.body_at.as_ref().map(|pointer| format!("with {pointer} in its body")),
            (!self.person.is_empty()).then(|| format!("about {}", self.person.join(" or "))),
            (!self.step.is_empty()).then(|| format!("in the step {}", self.step.join(" or "))),
            yes(self.fails_for_now, "that failed for now", "that did not fail for now"),
            (!self.status.is_empty() || self.no_answer).then(|| {
                let mut statuses: Vec<_> = self.status.iter().map(|Statuses(set)| set.to_string()).collect();
                if self.no_answer {
                    statuses.push("nothing".to_owned());
                }
                format!("that was answered with {}", statuses.join(" or "))
            }),
        ];
        parts.into_iter().flatten().for_each(&mut add);
        words
    }
}

fn looks_up(exchange: &Recorded) -> bool {
    let users =
        |segments: &[String]| matches!(segments, [endpoint] if endpoint.eq_ignore_ascii_case("Users"));
    let list = exchange.method == "GET" && users(&exchange.segments());
    let by_filter = (list || exchange.is_search()) && exchange.parameter("filter").is_some();
    by_filter || exchange.reads_everybody()
}

fn creates(exchange: &Recorded) -> bool {
    exchange.method == "POST"
        && matches!(exchange.segments().as_slice(), [endpoint] if endpoint.eq_ignore_ascii_case("Users"))
}

pub(crate) fn fails_for_now(exchange: &Recorded) -> bool {
    exchange.status.is_none_or(|status| matches!(status, 408 | 429 | 500 | 502 | 503 | 504))
}

fn path_fits(pattern: &str, segments: &[String]) -> bool {
    let parts: Vec<_> = pattern.trim_matches('/').split('/').collect();
    parts.len() == segments.len()
        && parts
            .iter()
            .zip(segments)
            .all(|(part, segment)| *part == "*" || part.eq_ignore_ascii_case(segment))
}

/// All values that a JSON pointer reaches; names without case, `*` is each element or member.
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

    use super::*;
    use crate::client::recorded::read;

    #[test]
    fn all_that_is_given_must_hold() {
        let entry = json!({"method": "PATCH", "path": "/scim/Users/7", "status": 503,
            "requestHeaders": [["If-Match", "W/\"1\""]],
            "requestBody": {"Operations": [{"op": "Replace", "path": "active", "value": false}]}});
        let exchange = &read(&entry.to_string()).expect("a journal").exchanges[0];
        let fits = |text: &str| toml::from_str::<Pattern>(text).expect("a pattern").fits(exchange);
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
    fn who_reads_the_whole_list_looks_users_up() {
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
