//! The conditions of a change, evaluated without I/O.

use serde_json::Value;

use crate::json::get;
use crate::mutants::file::{Change, RequestCondition};
use crate::mutants::operations;

/// A request as the proxy received it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Came {
    pub(crate) method: String,
    /// Below the base URL, not decoded.
    pub(crate) path: String,
    /// Decoded.
    pub(crate) query: Vec<(String, String)>,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) json: Option<Value>,
}

impl Came {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns the operations of a PATCH or of a bulk request.
    pub(crate) fn operations(&self) -> Option<&Vec<Value>> {
        get(self.json.as_ref()?, "Operations")?.as_array()
    }
}

/// Whether all that a change asks of a request holds. The answer's status is looked at later.
pub(crate) fn holds(change: &Change, came: &Came) -> bool {
    let parameter = change.when.iter().find_map(|condition| match condition {
        RequestCondition::Query(name) => came.parameter(name),
        _ => None,
    });
    let header = change.when.iter().find_map(|condition| match condition {
        RequestCondition::Header(name) => came.header(name),
        _ => None,
    });
    let request = change.when.iter().all(|condition| match condition {
        RequestCondition::Method(methods) => {
            methods.iter().any(|method| method.eq_ignore_ascii_case(&came.method))
        }
        RequestCondition::Path(pattern) => fits(pattern, &came.path),
        RequestCondition::Query(_) => parameter.is_some(),
        RequestCondition::QueryHas(part) => parameter.is_some_and(|value| value.contains(part.as_str())),
        RequestCondition::Header(_) => header.is_some(),
        RequestCondition::HeaderHas(part) => header.is_some_and(|value| value.contains(part.as_str())),
        RequestCondition::WithoutHeader(name) => came.header(name).is_none(),
        RequestCondition::BodyHas(part) => came.text.contains(part.as_str()),
    });
    let operation = change.operation.is_empty()
        || came
            .operations()
            .is_some_and(|all| all.iter().any(|operation| operations::means(change, operation)));
    request && operation
}

/// Whether a path matches a pattern: `*` is one segment, a last `**` any rest.
fn fits(pattern: &str, path: &str) -> bool {
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let mut segments = path.split('/');
    for part in pattern.split('/') {
        match (part, segments.next()) {
            ("**", _) => return true,
            ("*", Some(_)) => {}
            (part, Some(segment)) if part.eq_ignore_ascii_case(segment) => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::mutants::condition::*;

    #[test]
    fn change_applies_if_all_conditions_hold() {
        let body = json!({ "Operations": [{ "op": "Add", "path": "emails", "value": [] }] });
        let came = Came {
            method: "PATCH".to_owned(),
            path: "/Users/1".to_owned(),
            query: vec![("attributes".to_owned(), "userName".to_owned())],
            headers: vec![("if-match".to_owned(), "W/\"1\"".to_owned())],
            text: body.to_string(),
            json: Some(body),
        };
        let check = |text: &str| holds(&toml::from_str(text).expect("a change"), &came);
        for yes in [
            "",
            "method = [\"patch\"]",
            "path = \"/Users/*\"",
            "path = \"/Users/**\"",
            "query = \"attributes\"\nquery-has = \"user\"",
            "header = \"If-Match\"\nheader-has = \"W/\"",
            "without-header = \"Authorization\"",
            "op = \"add\"\ntarget = \"simple\"\nattribute = \"emails\"\nvalue = \"array\"",
        ] {
            assert!(check(yes), "{yes}");
        }
        for no in [
            "method = [\"PUT\"]",
            "path = \"/Users\"",
            "path = \"/Groups/*\"",
            "query = \"filter\"",
            "header = \"If-Match\"\nheader-has = \"x\"",
            "without-header = \"If-Match\"",
            "op = \"remove\"",
            "attribute = \"name\"",
            "body-has = \"nothing like it\"",
        ] {
            assert!(!check(no), "{no}");
        }
    }
}
