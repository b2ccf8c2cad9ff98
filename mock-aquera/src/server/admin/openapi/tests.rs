//! The description is well-formed, and describes what is there and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::super::routes;
use super::*;

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

fn operations() -> Vec<(String, String, Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, operations)| {
        let operations = operations.as_object().unwrap();
        operations.iter().map(|(method, operation)| (path.clone(), method.clone(), operation.clone()))
    });
    all.collect()
}

#[test]
fn each_route_is_described_and_each_description_is_a_route() {
    let routed: BTreeSet<String> =
        routes().into_iter().map(|(path, _)| if path.is_empty() { "/" } else { path }.to_owned()).collect();
    let described: BTreeSet<String> = operations().into_iter().map(|(path, _, _)| path).collect();
    assert_eq!(described, routed);
}

#[test]
fn the_document_is_well_formed() {
    let document = &*DOCUMENT;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
    assert!(["title", "version"].iter().all(|name| document["info"][name].is_string()));
    let tags: BTreeSet<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    for (path, method, operation) in operations() {
        let place = format!("{method} {path}");
        assert!(METHODS.contains(&method.as_str()), "{place}");
        assert!(path.starts_with('/'), "{place}");
        let summary = operation["summary"].as_str().unwrap_or_default();
        assert!(!summary.is_empty() && summary.len() < 120, "{place}: {summary:?}");
        let id = operation["operationId"].as_str().unwrap().to_owned();
        if let Some(other) = ids.insert(id.clone(), place.clone()) {
            panic!("{id} is {place} and {other}");
        }
        assert!(
            operation["tags"].as_array().unwrap().iter().all(|tag| tags.contains(tag.as_str().unwrap())),
            "{place}"
        );
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{place}");
        for (status, response) in responses {
            assert!(status.len() == 3 && response["description"].is_string(), "{place} {status}");
        }
        let mut named = BTreeSet::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let (name, place_of) = (parameter["name"].as_str().unwrap(), parameter["in"].as_str().unwrap());
            assert!(named.insert((place_of, name)), "{place}: {name} twice");
            assert!(
                ["path", "query"].contains(&place_of) && parameter["schema"].is_object(),
                "{place}: {name}"
            );
            assert!(parameter["description"].is_string(), "{place}: {name}");
        }
        let in_path: BTreeSet<&str> =
            named.iter().filter(|(place, _)| *place == "path").map(|(_, name)| *name).collect();
        let written: BTreeSet<&str> =
            path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
        assert_eq!(in_path, written, "{place}");
        if let Some(body) = operation.get("requestBody") {
            assert!(!body["content"].as_object().unwrap().is_empty(), "{place}");
        }
    }
}

#[test]
fn each_reference_leads_somewhere() {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|value| walk(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(&DOCUMENT, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(DOCUMENT.pointer(pointer).is_some(), "{reference}");
    }
}
