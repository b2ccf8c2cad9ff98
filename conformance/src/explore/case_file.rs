//! A finding as a case file, which `conformance server --cases` plays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::value::{Array, Table};

use crate::case::DOCUMENTS;
use crate::case::file::CaseFile;
use crate::explore::rule::{Check, Violation, slug};
use crate::explore::session::Transcript;
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

/// Statuses with which one of several writes to one resource may be answered.
const OF_SEVERAL: [i64; 5] = [409, 412, 423, 429, 503];

/// Requests of a transcript that make a step.
enum Sent<'a> {
    One(&'a Exchange),
    Together(&'a [Exchange]),
}

/// Returns the requests of a transcript; reads between the writes were looks only.
fn sent(transcript: &Transcript) -> Vec<Sent<'_>> {
    let Transcript { exchanges, together, .. } = transcript;
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(exchange) = exchanges.get(at) {
        let several = together.iter().find(|range| range.start == at && range.len() > 1);
        if let Some(several) = several.and_then(|range| exchanges.get(range.clone())) {
            all.push(Sent::Together(several));
            at += several.len();
            continue;
        }
        at += 1;
        if exchange.request.method != "GET" || at == exchanges.len() {
            all.push(Sent::One(exchange));
        }
    }
    all
}

/// Returns the case file of a finding.
fn text(violation: &Violation, minimal: &Minimal, client: &Client) -> Result<String, SaveError> {
    let Some(check) = &violation.check else {
        return Err(SaveError::Untold("it compares several answers"));
    };
    let all = sent(&minimal.transcript);
    let Some((last, before)) = all.split_last() else {
        return Err(SaveError::Untold("it has no requests"));
    };
    let mut names = Names { unique: &minimal.transcript.unique, ids: BTreeMap::new() };
    let mut steps = Array::new();
    for sent in before {
        let mut step = match sent {
            Sent::One(exchange) => {
                let mut step = step(exchange, &mut names, client)?;
                let status = exchange.response.as_ref().map_or(0, |answer| i64::from(answer.status));
                if status / 100 == 2 {
                    // The version of this run is not that of the next one.
                    step.remove("headers");
                } else {
                    let expectation =
                        Table::from_iter([("status".to_owned(), toml::Value::Array(vec![status.into()]))]);
                    step.insert("expect".to_owned(), toml::Value::Array(vec![expectation.into()]));
                }
                step
            }
            Sent::Together(several) => {
                let mut step = together(several, &mut names, client)?;
                let statuses = std::iter::once(toml::Value::from("2xx"))
                    .chain(OF_SEVERAL.map(toml::Value::from))
                    .collect();
                let every = Table::from_iter([("every".to_owned(), toml::Value::Array(statuses))]);
                step.insert("expect".to_owned(), toml::Value::Array(vec![every.into()]));
                step
            }
        };
        step.insert("preparation".to_owned(), true.into());
        steps.push(step.into());
    }
    let step = match (last, check) {
        (Sent::Together(several), Check::Shows(ids)) => shows(several, ids, &mut names, client)?,
        (Sent::Together(several), _) => {
            let mut step = together(several, &mut names, client)?;
            step.insert("expect".to_owned(), toml::Value::Array(vec![expectation(check, &names)?.into()]));
            step
        }
        (Sent::One(exchange), _) => {
            let mut step = step(exchange, &mut names, client)?;
            if step.contains_key("headers") && !matches!(check, Check::Status(all) if all == &["412"]) {
                return Err(SaveError::Untold("it depends on the version that the resource has in one run"));
            }
            step.insert("expect".to_owned(), expectations(check, &names)?.into());
            step
        }
    };
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

/// Returns the step that sends requests at the same time.
fn together(several: &[Exchange], names: &mut Names<'_>, client: &Client) -> Result<Table, SaveError> {
    let mut steps = Vec::new();
    for exchange in several {
        steps.push(step(exchange, names, client)?);
    }
    // Of several creations of one name another one may be done next time.
    let named: Vec<_> = steps.iter().filter_map(|step| step.get("as").cloned()).collect();
    if let [name] = named.as_slice() {
        for step in &mut steps {
            step.entry("as").or_insert_with(|| name.clone());
        }
    }
    let steps: Array = steps.into_iter().map(toml::Value::from).collect();
    Ok(Table::from_iter([("together".to_owned(), steps.into())]))
}

/// Returns the step that reads resources at the same time, each of which has to be the one that was asked for.
fn shows(
    several: &[Exchange],
    ids: &[String],
    names: &mut Names<'_>,
    client: &Client,
) -> Result<Table, SaveError> {
    let mut steps = Array::new();
    for (exchange, id) in several.iter().zip(ids) {
        let mut step = step(exchange, names, client)?;
        let check = if exchange.request.url.contains('?') {
            Check::Lists(vec![id.clone()])
        } else {
            Check::Value { pointer: "/id".to_owned(), value: Value::from(id.as_str()) }
        };
        step.insert("expect".to_owned(), toml::Value::Array(vec![expectation(&check, names)?.into()]));
        steps.push(step.into());
    }
    Ok(Table::from_iter([("together".to_owned(), steps.into())]))
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

/// Returns the expectations of the last answer.
fn expectations(check: &Check, names: &Names<'_>) -> Result<Array, SaveError> {
    let Check::Includes { pointer, values } = check else {
        return Ok(vec![expectation(check, names)?.into()]);
    };
    let each = values.iter().map(|value| {
        let includes = names.json(value)?;
        Ok(Table::from_iter([
            ("at".to_owned(), pointer.clone().into()),
            ("includes".to_owned(), includes.into()),
        ])
        .into())
    });
    each.collect()
}

fn expectation(check: &Check, names: &Names<'_>) -> Result<Table, SaveError> {
    let statuses = |all: &[u16]| -> toml::Value {
        all.iter().map(|status| toml::Value::from(i64::from(*status))).collect::<Array>().into()
    };
    Ok(match check {
        Check::Value { pointer, value: Value::Null } => {
            Table::from_iter([("at".to_owned(), pointer.clone().into()), ("is".to_owned(), "absent".into())])
        }
        Check::Value { pointer, value } => Table::from_iter([
            ("at".to_owned(), pointer.clone().into()),
            ("equals".to_owned(), names.json(value)?.into()),
        ]),
        Check::OneOf { pointer, values } => Table::from_iter([
            ("at".to_owned(), pointer.clone().into()),
            ("one-of".to_owned(), names.json(&Value::from(values.clone()))?.into()),
        ]),
        Check::OneSuccess(others) => Table::from_iter([
            ("exactly-one".to_owned(), toml::Value::Array(vec!["2xx".into()])),
            ("others".to_owned(), statuses(others)),
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
        Check::Includes { .. } | Check::Shows(_) => {
            return Err(SaveError::Untold("several answers are compared with a list"));
        }
    })
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

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

    fn minimal(exchanges: Vec<Exchange>, together: Vec<Range<usize>>) -> Minimal {
        let unique = "conformance-a-1x".to_owned();
        Minimal { transcript: Transcript { exchanges, together, unique }, hits: 3, tries: 3 }
    }

    #[test]
    fn requests_at_the_same_time_become_one_step() {
        let client = Client::new("http://h/scim", Credentials::None, Manners::default()).expect("a client");
        let patch = || exchange("PATCH", "/Users/7f", json!({ "Operations": [] }), 200, Value::Null);
        let mut exchanges = vec![
            exchange("POST", "/Users", json!({}), 201, json!({ "id": "7f" })),
            patch(),
            patch(),
            exchange("GET", "/Users/7f", Value::Null, 200, json!({})),
        ];
        let check = Check::Includes { pointer: "/emails".to_owned(), values: vec![json!({ "value": "a" })] };
        let lost = Violation::new(Rule::SomeOrder, "PATCH", "lost").check(check);
        let text_of = |lost: &Violation, exchanges: &[Exchange]| {
            let text = text(lost, &minimal(exchanges.to_vec(), vec![Range { start: 1, end: 3 }]), &client)
                .expect("a case");
            let file: CaseFile = toml::from_str(&text).expect("a case file");
            assert_eq!(file.case.len(), 1);
            text
        };
        let read_after = text_of(&lost, &exchanges);
        for part in [
            "[[case.step.together]]",
            "every = [",
            "at = \"/emails\"",
            "includes = ",
            "send = \"GET /Users/{{r1.id}}\"",
        ] {
            assert!(read_after.contains(part), "{part} is not in {read_after}");
        }
        exchanges.pop();
        let both = Violation::new(Rule::SomeOrder, "PATCH", "both").check(Check::OneSuccess(&[412]));
        assert!(text_of(&both, &exchanges).contains("exactly-one = ["));
    }

    #[test]
    fn finding_becomes_a_case() {
        let client = Client::new("http://h/scim", Credentials::None, Manners::default()).expect("a client");
        let name = json!({ "userName": "conformance-a-1x-1@example.com" });
        let exchanges = vec![
            exchange("POST", "/Users", name.clone(), 201, json!({ "id": "7f" })),
            exchange("GET", "/Users/7f", Value::Null, 200, name),
            exchange("PATCH", "/Users/7f", json!({ "Operations": [] }), 200, Value::Null),
            exchange("GET", "/Users/7f", Value::Null, 200, json!({ "title": "x" })),
        ];
        let minimal = minimal(exchanges, Vec::new());
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
        let minimal = minimal(Vec::new(), Vec::new());
        let violation = Violation::new(Rule::SomeOrder, "PATCH", "lost");
        assert!(matches!(text(&violation, &minimal, &client), Err(SaveError::Untold(_))));
    }
}
