//! Edits of requests and answers that need neither network nor memory.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::json::get;
use crate::mutants::condition::Came;
use crate::mutants::edit;
use crate::mutants::file::{AnswerEdit, Change, Instead};
use crate::subject::server::client::Answer;

/// Fills in a line of `then-send`: `{id}`, `{path}`, and `{body:/pointer}` from the request.
pub(super) fn filled(line: &str, resource: &str, came: &Came) -> String {
    let id = resource.rsplit('/').next().unwrap_or_default();
    let mut line = line.replace("{id}", id).replace("{path}", resource);
    while let Some(at) = line.find("{body:") {
        let Some(end) = line[at..].find('}').map(|end| at + end) else { break };
        let pointer = &line[at + "{body:".len()..end];
        let value = came.json.as_ref().and_then(|json| json.pointer(pointer)?.as_str()).unwrap_or_default();
        line = format!("{}{value}{}", &line[..at], &line[end + 1..]);
    }
    line
}

pub(super) fn replaced(filter: &str, words: &BTreeMap<String, String>) -> String {
    let mut text = filter.to_owned();
    for (from, to) in words {
        let (lower, wanted) = (text.to_ascii_lowercase(), from.to_ascii_lowercase());
        let mut changed = String::with_capacity(text.len());
        let mut start = 0;
        for (at, _) in lower.match_indices(&wanted) {
            changed.push_str(&text[start..at]);
            changed.push_str(to);
            start = at + wanted.len();
        }
        changed.push_str(&text[start..]);
        text = changed;
    }
    text
}

pub(super) fn made_up(instead: &Instead) -> Answer {
    let text = instead.body.clone().unwrap_or_default();
    let media_type = instead.media_type.clone().unwrap_or_else(|| "application/scim+json".to_owned());
    let headers = if text.is_empty() { Vec::new() } else { vec![("content-type".to_owned(), media_type)] };
    let json = serde_json::from_str(&text).ok();
    Answer { status: instead.status, headers, json, text, ..Answer::default() }
}

/// Returns the path of the resource that a request is about; of a creation the new one.
pub(super) fn resource_path(came: &Came, answer: &Answer) -> Option<String> {
    let segments: Vec<_> = came.path.trim_matches('/').split('/').collect();
    match (came.method.as_str(), segments.as_slice()) {
        ("POST", [endpoint]) => {
            let id = get(answer.json.as_ref()?, "id")?.as_str()?;
            Some(format!("/{endpoint}/{id}"))
        }
        (_, [endpoint, id]) if !id.starts_with('.') => Some(format!("/{endpoint}/{id}")),
        _ => None,
    }
}

/// Calls `act` for every resource that a body shows, with its path.
pub(super) fn each_resource(came: &Came, body: &mut Value, act: &mut dyn FnMut(&str, &mut Value)) {
    let endpoint = came.path.trim_matches('/').split('/').next().unwrap_or_default().to_owned();
    let path = |resource: &Value| {
        let id = get(resource, "id")?.as_str()?.to_owned();
        Some(format!("/{endpoint}/{id}"))
    };
    if let Some(path) = path(body) {
        act(&path, body);
        return;
    }
    edit::each(body, "/Resources/*", false, &mut |resource| {
        if let Some(path) = path(resource) {
            act(&path, resource);
        }
    });
}

pub(super) fn change_answer(change: &Change, came: &Came, answer: &mut Answer) {
    if let Some(json) = &mut answer.json {
        edit::answer(&change.json, json, came.json.as_ref());
        if let Some(attribute) = &change.case_exact {
            exact(attribute, came, json);
        }
        answer.text = json.to_string();
    }
    for edit in &change.answer {
        match edit {
            AnswerEdit::SetStatus(status) => answer.status = *status,
            AnswerEdit::DropAnswerHeader(name) => {
                answer.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            }
            AnswerEdit::SetAnswerHeader(fields) => {
                for (name, value) in fields {
                    answer.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
                    answer.headers.push((name.clone(), value.clone()));
                }
            }
            AnswerEdit::Empty(true) => {
                answer.text.clear();
                answer.json = None;
            }
            AnswerEdit::Empty(false) => {}
            AnswerEdit::Text(text) => {
                answer.text.clone_from(text);
                answer.json = serde_json::from_str(text).ok();
            }
            AnswerEdit::InText(words) => {
                for (from, to) in words {
                    answer.text = answer.text.replace(from, to);
                    for (_, value) in &mut answer.headers {
                        *value = value.replace(from, to);
                    }
                }
                answer.json = serde_json::from_str(&answer.text).ok();
            }
        }
    }
}

/// Leaves out of a list what fits the filter's text only without case.
pub(super) fn exact(attribute: &str, came: &Came, body: &mut Value) {
    let filter = came
        .parameter("filter")
        .or_else(|| came.json.as_ref().and_then(|json| get(json, "filter")?.as_str()))
        .unwrap_or_default();
    let Some(at) = filter.to_ascii_lowercase().find(&attribute.to_ascii_lowercase()) else { return };
    let mut parts = filter[at + attribute.len()..].splitn(2, '"');
    let operator = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let Some(text) = parts.next().and_then(|rest| rest.split('"').next()) else { return };
    let fits = |value: &str| match operator.as_str() {
        "co" => value.contains(text),
        "sw" => value.starts_with(text),
        "ew" => value.ends_with(text),
        _ => value == text,
    };
    let pointer = format!("/{}", attribute.replace('.', "/"));
    let several = format!("/{}", attribute.replace('.', "/*/"));
    let mut left_out = 0;
    edit::each(body, "/Resources", false, &mut |place| {
        if let Value::Array(resources) = place {
            let before = resources.len();
            resources.retain(|resource| {
                let reached = crate::json::reach(resource, &pointer)
                    .into_iter()
                    .chain(crate::json::reach(resource, &several));
                let texts: Vec<_> = reached.filter_map(|(_, value)| value?.as_str()).collect();
                texts.is_empty() || texts.into_iter().any(fits)
            });
            left_out = before - resources.len();
        }
    });
    edit::each(body, "/totalResults", false, &mut |total| {
        *total = json!(total.as_u64().unwrap_or_default().saturating_sub(left_out as u64));
    });
}
