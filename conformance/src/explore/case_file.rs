//! A finding as a case file, which `conformance server --cases` plays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::value::{Array, Table};

use crate::case::DOCUMENTS;
use crate::case::file::CaseFile;
use crate::explore::rule::{Check, Violation, slug};
use crate::explore::shrink::Minimal;
use crate::json::get;
use crate::query_string::parameters;
use crate::subject::server::client::Client;
use crate::transcript::Exchange;

/// Why a finding is not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The finding depends on requests at the same time, or on what a case cannot tell.
    #[error("the finding cannot be told as a case: {0}")]
    Untold(&'static str),
    /// The text is no valid case file.
    #[error("the case is invalid")]
    Invalid(#[source] toml::de::Error),
    /// The text cannot be written as TOML.
    #[error(transparent)]
    Toml(#[from] toml::ser::Error),
    /// The file cannot be written.
    #[error("failed to write {path}", path = .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// Writes the case of a finding below a folder. Returns the path of the file below it.
pub(crate) fn save(
    violation: &Violation,
    minimal: &Minimal,
    folder: &Path,
    client: &Client,
) -> Result<PathBuf, SaveError> {
    let text = text(violation, minimal, client)?;
    toml::from_str::<CaseFile>(&text).map_err(SaveError::Invalid)?;
    let spec = violation.rule.spec();
    let document =
        DOCUMENTS.iter().find(|(_, name)| *name == spec.document).map_or("rfc7644", |(folder, _)| folder);
    let below =
        Path::new(document).join(&spec.section).join(format!("explore-{}.toml", slug(&violation.key())));
    let path = folder.join(&below);
    let write = || {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, &text)
    };
    write().map_err(|source| SaveError::Write { path: path.clone(), source })?;
    Ok(below)
}

/// Returns the case file of a finding.
fn text(violation: &Violation, minimal: &Minimal, client: &Client) -> Result<String, SaveError> {
    let Some(check) = &violation.check else {
        return Err(SaveError::Untold("it compares several answers, or requests at the same time"));
    };
    let Some((last, before)) = minimal.exchanges.split_last() else {
        return Err(SaveError::Untold("it has no requests"));
    };
    let mut names = Names { unique: &minimal.unique, ids: BTreeMap::new() };
    let mut steps = Array::new();
    // Reads between the writes were looks only.
    for exchange in before.iter().filter(|exchange| exchange.request.method != "GET") {
        let mut step = step(exchange, &mut names, client)?;
        step.insert("preparation".to_owned(), true.into());
        let is_success = exchange.response.as_ref().is_some_and(|answer| answer.status / 100 == 2);
        if !is_success {
            let status = exchange.response.as_ref().map_or(0, |answer| i64::from(answer.status));
            let expectation =
                Table::from_iter([("status".to_owned(), toml::Value::Array(vec![status.into()]))]);
            step.insert("expect".to_owned(), toml::Value::Array(vec![expectation.into()]));
        }
        steps.push(step.into());
    }
    let mut step = step(last, &mut names, client)?;
    step.insert("expect".to_owned(), toml::Value::Array(vec![expectation(check, &names)?.into()]));
    steps.push(step.into());
    let mut case = Table::new();
    let rule = violation.rule;
    for (key, text) in [
        ("slug", slug(&violation.key())),
        ("title", format!("{}: {}", rule.title(), names.replaced(&violation.why))),
        ("level", violation.level.as_str().to_owned()),
        ("requirement", rule.requirement().to_owned()),
        ("hint", rule.hint().to_owned()),
    ] {
        case.insert(key.to_owned(), text.into());
    }
    case.insert("step".to_owned(), steps.into());
    let file = Table::from_iter([("case".to_owned(), toml::Value::Array(vec![case.into()]))]);
    Ok(format!("# Found by `conformance explore`.\n\n{}", toml::to_string_pretty(&file)?))
}

/// The names that stand for ids and unique texts.
struct Names<'a> {
    unique: &'a str,
    /// Names of resources by id.
    ids: BTreeMap<String, String>,
}

impl Names<'_> {
    /// Returns a text with places for unique texts and ids.
    fn replaced(&self, text: &str) -> String {
        let mut text = text.replace(self.unique, "{{unique}}");
        for (id, name) in &self.ids {
            text = text.replace(id.as_str(), &format!("{{{{{name}.id}}}}"));
        }
        text
    }

    /// Returns the same for JSON; texts that look like places cannot be told.
    fn json(&self, value: &Value) -> Result<String, SaveError> {
        let text = value.to_string();
        if has_place(value) {
            return Err(SaveError::Untold("a value has `{{`, which stands for a place in a case"));
        }
        Ok(self.replaced(&text))
    }
}

fn has_place(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("{{"),
        Value::Array(all) => all.iter().any(has_place),
        Value::Object(members) => members.values().any(has_place),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn step(exchange: &Exchange, names: &mut Names<'_>, client: &Client) -> Result<Table, SaveError> {
    let request = &exchange.request;
    let (address, query) = request.url.split_once('?').unwrap_or((&request.url, ""));
    let path = client.below(address).ok_or(SaveError::Untold("a request is not below the base URL"))?;
    let mut step = Table::new();
    step.insert("send".to_owned(), format!("{} {}", request.method, names.replaced(&path)).into());
    if !query.is_empty() {
        let query: Table = parameters(query)
            .into_iter()
            .map(|(name, value)| (name, names.replaced(&value).into()))
            .collect();
        step.insert("query".to_owned(), query.into());
    }
    match &request.body {
        Value::Null => {}
        Value::String(text) => drop(step.insert("text".to_owned(), names.replaced(text).into())),
        body => drop(step.insert("body".to_owned(), names.json(body)?.into())),
    }
    let header = |name: &str| request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    if let Some((name, value)) = header("if-match") {
        let headers = Table::from_iter([(name.clone(), value.clone().into())]);
        step.insert("headers".to_owned(), headers.into());
    }
    if client.has_credentials() && header("authorization").is_none() {
        step.insert("auth".to_owned(), "none".into());
    }
    let id = exchange.response.as_ref().filter(|answer| answer.status / 100 == 2);
    let id = id.and_then(|answer| get(&answer.body, "id")?.as_str()).filter(|_| request.method == "POST");
    if let Some(id) = id {
        let name = format!("r{}", names.ids.len() + 1);
        step.insert("as".to_owned(), name.clone().into());
        names.ids.insert(id.to_owned(), name);
    }
    Ok(step)
}

fn expectation(check: &Check, names: &Names<'_>) -> Result<Table, SaveError> {
    Ok(match check {
        Check::Value { pointer, value: Value::Null } => {
            Table::from_iter([("at".to_owned(), pointer.clone().into()), ("is".to_owned(), "absent".into())])
        }
        Check::Value { pointer, value } => Table::from_iter([
            ("at".to_owned(), pointer.clone().into()),
            ("equals".to_owned(), names.json(value)?.into()),
        ]),
        Check::Status(all) => {
            let all: Array = all
                .iter()
                .map(|one| one.parse::<i64>().map_or_else(|_| toml::Value::from(*one), toml::Value::from))
                .collect();
            Table::from_iter([("status".to_owned(), all.into())])
        }
        Check::Lists(ids) => {
            let known: Option<Vec<_>> = ids.iter().map(|id| names.ids.get(id).cloned()).collect();
            let known = known.ok_or(SaveError::Untold("a list holds a resource that no request made"))?;
            let known: Array = known.into_iter().map(toml::Value::from).collect();
            Table::from_iter([("lists-exactly".to_owned(), known.into())])
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::explore::rule::Rule;
    use crate::subject::server::client::{Credentials, Manners};
    use crate::transcript::{Received, Sent};

    fn exchange(method: &str, path: &str, body: Value, status: u16, answer: Value) -> Exchange {
        Exchange {
            step: String::new(),
            request: Sent {
                method: method.to_owned(),
                url: format!("http://h/scim{path}"),
                headers: Vec::new(),
                body,
            },
            response: Some(Received { status, headers: Vec::new(), body: answer }),
            error: None,
            milliseconds: 0,
        }
    }

    #[test]
    fn finding_becomes_a_case() {
        let client = Client::new("http://h/scim", Credentials::None, Manners::default()).expect("a client");
        let name = json!({ "userName": "conformance-a-1x-1@example.com" });
        let minimal = Minimal {
            exchanges: vec![
                exchange("POST", "/Users", name.clone(), 201, json!({ "id": "7f" })),
                exchange("GET", "/Users/7f", Value::Null, 200, name),
                exchange("PATCH", "/Users/7f", json!({ "Operations": [] }), 200, Value::Null),
                exchange("GET", "/Users/7f", Value::Null, 200, json!({ "title": "x" })),
            ],
            unique: "conformance-a-1x".to_owned(),
            hits: 3,
            tries: 3,
        };
        let check = Check::Value { pointer: "/title".to_owned(), value: json!("y's") };
        let violation =
            Violation::new(Rule::PatchStores, "PATCH", "after PATCH title has another value").check(check);
        let text = text(&violation, &minimal, &client).expect("a case");
        for part in [
            "send = \"POST /Users\"",
            "as = \"r1\"",
            "{{unique}}-1@example.com",
            "send = \"PATCH /Users/{{r1.id}}\"",
            "preparation = true",
            "at = \"/title\"",
            "y's",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        let file: CaseFile = toml::from_str(&text).expect("a case file");
        assert_eq!(file.case.len(), 1);
    }

    #[test]
    fn finding_without_an_expectation_is_not_saved() {
        let client = Client::new("http://h/scim", Credentials::None, Manners::default()).expect("a client");
        let minimal = Minimal { exchanges: Vec::new(), unique: "x".to_owned(), hits: 1, tries: 1 };
        let violation = Violation::new(Rule::SomeOrder, "PATCH", "lost");
        assert!(matches!(text(&violation, &minimal, &client), Err(SaveError::Untold(_))));
    }
}
