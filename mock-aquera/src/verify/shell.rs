//! An expectation as words, for shells: `POST /Users status=201 times=1`.

use std::str::FromStr;

use serde_json::Value;

use super::{Expectation, Times};
use crate::fault::{METHODS, ParseFaultError, Word, words};
use crate::journal::{JournalQuery, QueryError};
use crate::units::suggest::nearest;

/// Why a text is no [`Expectation`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseExpectationError {
    /// Quotation marks, or a key without a value.
    #[error("{0}")]
    Words(ParseFaultError),
    /// A criterion that there is not, or a value that it can't have.
    #[error("{0}")]
    Query(#[from] QueryError),
    /// A word that is neither a method nor a path nor a key with its value.
    #[error("unknown word `{word}`; {}", hint(.word))]
    UnknownWord {
        /// What was written.
        word: String,
    },
    /// A key that has no value.
    #[error("`{0}` needs a value: `{0}=…`")]
    Bare(String),
    /// The same thing twice.
    #[error("`{0}` is there twice, once is enough")]
    Doubled(String),
    /// A number of times that can't be read.
    #[error("invalid `times={0}`: expected a number such as 1, a range such as 1.., ..3 or 1..3, or never")]
    Times(String),
    /// What a body has to hold is no JSON.
    #[error("invalid `body-includes`: expected JSON such as {{\"active\":false}}")]
    Includes,
    /// It says nothing.
    #[error("an expectation is missing; one looks like `POST /Users status=201 times=1`")]
    Empty,
}

/// What stands in front of an equals sign, beside the criteria of the journal.
const KEYS: [&str; 11] = [
    "method",
    "path",
    "operation",
    "resource-type",
    "id",
    "user-name",
    "patch-path",
    "status",
    "times",
    "since-seq",
    "body-includes",
];

fn hint(word: &str) -> String {
    match nearest(word, METHODS.into_iter().chain(KEYS)) {
        Some(meant) if METHODS.contains(&meant) => format!("did you mean `{meant}`?"),
        Some(meant) => format!("did you mean `{meant}=…`?"),
        None => "an expectation looks like `POST /Users status=201 times=1`".to_owned(),
    }
}

/// Reads words with white space between them, values with spaces in double quotes. A word alone is the method or the path;
/// `key=value` is a criterion of [`JournalQuery`], or `times=1`, `times=1..`, `times=..3`, `times=1..3`, `times=never`,
/// `header.NAME=VALUE`, `body/POINTER=VALUE` (JSON, or else text), `body-includes=JSON`.
impl FromStr for Expectation {
    type Err = ParseExpectationError;

    fn from_str(text: &str) -> Result<Self, ParseExpectationError> {
        let all = words(text).map_err(ParseExpectationError::Words)?;
        if all.is_empty() {
            return Err(ParseExpectationError::Empty);
        }
        let mut expectation = Self::default();
        let mut criteria: Vec<(&str, String)> = Vec::new();
        let mut times = None;
        for Word { key, value } in all {
            let Some(value) = value else {
                criteria.push(bare(key)?);
                continue;
            };
            let is_doubled = if let Some(name) = key.strip_prefix("header.") {
                expectation.headers.insert(name.to_owned(), value).is_some()
            } else if let Some(pointer) = key.strip_prefix("body").filter(|rest| rest.starts_with('/')) {
                expectation.body_at.insert(pointer.to_owned(), json_or_text(value)).is_some()
            } else if key == "body-includes" {
                let part = serde_json::from_str(&value).map_err(|_| ParseExpectationError::Includes)?;
                expectation.body_includes.replace(part).is_some()
            } else if key == "times" {
                times.replace(value.parse()?).is_some()
            } else {
                criteria.push((key, value));
                false
            };
            if is_doubled {
                return Err(ParseExpectationError::Doubled(key.to_owned()));
            }
        }
        expectation.request = JournalQuery::from_pairs(criteria)?;
        expectation.times = times.unwrap_or_default();
        Ok(expectation)
    }
}

/// A word without an equals sign.
fn bare(word: &str) -> Result<(&'static str, String), ParseExpectationError> {
    if word.starts_with(['/', '*']) {
        return Ok(("path", word.to_owned()));
    }
    if METHODS.iter().any(|method| method.eq_ignore_ascii_case(word)) {
        return Ok(("method", word.to_ascii_uppercase()));
    }
    if KEYS.contains(&word) {
        return Err(ParseExpectationError::Bare(word.to_owned()));
    }
    Err(ParseExpectationError::UnknownWord { word: word.to_owned() })
}

fn json_or_text(written: String) -> Value {
    serde_json::from_str(&written).unwrap_or(Value::String(written))
}

impl FromStr for Times {
    type Err = ParseExpectationError;

    fn from_str(text: &str) -> Result<Self, ParseExpectationError> {
        let bad = || ParseExpectationError::Times(text.to_owned());
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| bad());
        if text.eq_ignore_ascii_case("never") {
            return Ok(Self::Never);
        }
        let Some((from, to)) = text.split_once("..") else { return number(text).map(Self::Exactly) };
        match (from.trim(), to.trim_start_matches('=').trim()) {
            ("", "") => Err(bad()),
            (from, "") => number(from).map(Self::AtLeast),
            ("", to) => number(to).map(Self::AtMost),
            (from, to) => Ok(Self::Between { from: number(from)?, to: number(to)? }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::verify::shell::*;

    #[test]
    fn words_say_what_json_says() {
        #[track_caller]
        fn check(text: &str, expected: Value) {
            let expected: Expectation = serde_json::from_value(expected).unwrap();
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        check("POST /Users", json!({"request": {"method": "POST", "path": "/Users"}}));
        check("method=POST times=1", json!({"request": {"method": "POST"}, "times": 1}));
        check("patch times=1..", json!({"request": {"method": "PATCH"}, "times": {"atLeast": 1}}));
        check("times=..3", json!({"times": {"atMost": 3}}));
        check("times=1..3", json!({"times": {"between": {"from": 1, "to": 3}}}));
        check("times=1..=3", json!({"times": {"between": {"from": 1, "to": 3}}}));
        check("times=never", json!({"times": "never"}));
        check(
            "user-name=\"ida b\" patch-path=active status=4xx fault=true since-seq=7 contains=x",
            json!({"request": {"userName": "ida b", "patchPath": "active", "status": "4xx", "fault": true,
                "sinceSeq": 7, "contains": "x"}}),
        );
        check(
            r#"header.accept=application/scim+json body/Operations/0/path=active body/active=false body/title="\"5\"""#,
            json!({"headers": {"accept": "application/scim+json"},
                "bodyAt": {"/Operations/0/path": "active", "/active": false, "/title": "5"}}),
        );
        check(r#"body-includes="{\"active\":false}""#, json!({"bodyIncludes": {"active": false}}));
        check("body-includes={\"active\":false}", json!({"bodyIncludes": {"active": false}}));
    }

    #[test]
    fn words_that_mean_nothing_are_refused_with_the_nearest() {
        #[track_caller]
        fn check(text: &str, part: &str) {
            let error = text.parse::<Expectation>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        check("", "POST /Users status=201 times=1");
        check("POTS /Users", "unknown word `POTS`; did you mean `POST`?");
        check("statuss", "did you mean `status=…`?");
        check("metod=GET", "did you mean `method`?");
        check("status", "`status` needs a value");
        check("status=abc", "`status`");
        check("times=x", "invalid `times=x`");
        check("times=..", "invalid `times=..`");
        check("times=1 times=2", "`times` is there twice");
        check("GET method=PUT", "twice");
        check("body/a=1 body/a=2", "`body/a` is there twice");
        check("body-includes=x", "body-includes");
        check("user-name=\"a", "`user-name` is not closed");
    }
}
