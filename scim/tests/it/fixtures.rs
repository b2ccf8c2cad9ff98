//! Every file of `fixtures/rfc/`: each example of RFC 7643 §8 and RFC 7644 §3, with data of our own.
//!
//! A file names the kind of its example. An unknown kind fails, and so does a member that no check reads.

use std::{collections::BTreeMap, fs, path::Path};

use scim::{
    filter::Filter,
    patch::{PatchRequest, apply, diff},
    schema::{SCHEMA_URN, Schema, SchemaSet},
    validate::{canonicalise, validate},
};
use serde::Deserialize;
use serde_json::Value;

use crate::exchanges::{self, Exchange};

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Type {
    User,
    Group,
    ServiceProviderConfig,
    #[serde(rename = "resource-type")]
    Kind,
}

impl Type {
    fn schemas(&self) -> &'static SchemaSet {
        match self {
            Self::User => SchemaSet::user(),
            Self::Group => SchemaSet::group(),
            Self::ServiceProviderConfig => SchemaSet::service_provider_config(),
            Self::Kind => SchemaSet::resource_type(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    filter: String,
    matches: Vec<String>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Fixture {
    Resource {
        spec: String,
        title: String,
        r#type: Type,
        resource: Value,
    },
    Schemas {
        spec: String,
        title: String,
        documents: Vec<Value>,
    },
    Filters {
        spec: String,
        title: String,
        r#type: Type,
        resources: Vec<Value>,
        cases: Vec<Case>,
    },
    Patch {
        spec: String,
        title: String,
        r#type: Type,
        before: Value,
        request: Value,
        after: Option<Value>,
        error: Option<String>,
    },
    Exchanges {
        spec: String,
        title: String,
        exchanges: Vec<Exchange>,
    },
}

impl Fixture {
    fn heading(&self) -> (&str, &str) {
        match self {
            Self::Resource { spec, title, .. }
            | Self::Schemas { spec, title, .. }
            | Self::Filters { spec, title, .. }
            | Self::Patch { spec, title, .. }
            | Self::Exchanges { spec, title, .. } => (spec, title),
        }
    }

    fn run(&self) {
        match self {
            Self::Resource { r#type, resource, .. } => run_resource(resource, r#type.schemas()),
            Self::Schemas { documents, .. } => documents.iter().for_each(run_schema),
            Self::Filters { r#type, resources, cases, .. } => {
                run_filters(resources, cases, r#type.schemas());
            }
            Self::Patch { r#type, before, request, after, error, .. } => {
                run_patch(before, request, after.as_ref(), error.as_deref(), r#type.schemas());
            }
            Self::Exchanges { exchanges, .. } => exchanges.iter().for_each(exchanges::run),
        }
    }
}

fn run_resource(resource: &Value, schemas: &SchemaSet) {
    assert_eq!(validate(resource, schemas), Ok(()));
    assert_eq!(canonicalise(resource, schemas), *resource);
    assert_eq!(canonicalise(&shouted(resource), schemas), *resource);
    assert_eq!(diff(resource, resource, schemas), Vec::new());
}

/// Returns the document with its member names in capitals.
fn shouted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.to_uppercase(), shouted(value))).collect()
        }
        Value::Array(values) => values.iter().map(shouted).collect(),
        other => other.clone(),
    }
}

fn run_schema(document: &Value) {
    // The schema of schemas nests itself one level deeper than it can say (RFC 7643 §7).
    if document["id"] != SCHEMA_URN {
        assert_eq!(validate(document, SchemaSet::schema_documents()), Ok(()));
    }
    let schema = Schema::from_json(document).unwrap();
    let mut written = schema.to_json();
    written["meta"] = document["meta"].clone();
    assert_eq!(written, *document);
    let sets = [
        SchemaSet::user(),
        SchemaSet::group(),
        SchemaSet::service_provider_config(),
        SchemaSet::resource_type(),
        SchemaSet::schema_documents(),
    ];
    let built_in = sets.iter().flat_map(|set| set.schemas()).find(|other| other.id() == schema.id());
    assert_eq!(built_in, Some(&schema));
}

fn run_filters(resources: &[Value], cases: &[Case], schemas: &SchemaSet) {
    for resource in resources {
        assert_eq!(validate(resource, schemas), Ok(()));
    }
    assert!(!cases.is_empty());
    for Case { filter: text, matches } in cases {
        let filter = Filter::parse(text).unwrap_or_else(|e| panic!("{e}\n{}", e.pointer(text)));
        let found = resources.iter().filter(|resource| filter.matches(resource, schemas));
        let ids: Vec<&str> = found.filter_map(|resource| resource["id"].as_str()).collect();
        assert_eq!(ids, *matches, "{text}");
    }
}

fn run_patch(
    before: &Value,
    request: &Value,
    after: Option<&Value>,
    error: Option<&str>,
    schemas: &SchemaSet,
) {
    assert_eq!(validate(before, schemas), Ok(()));
    let found = PatchRequest::from_json(request).and_then(|request| apply(before, &request, schemas));
    let kind = found.as_ref().err().map(|e| e.scim_type().as_str());
    assert_eq!((found.as_ref().ok(), kind), (after, error), "{found:?}");
    if let Some(after) = after {
        assert_eq!(validate(after, schemas), Ok(()));
        let back = PatchRequest::new(diff(before, after, schemas));
        assert_eq!(apply(before, &back, schemas).as_ref(), Ok(after));
    }
}

#[test]
fn every_fixture_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/rfc");
    let mut run = BTreeMap::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let fixture: Fixture = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
        let (spec, title) = fixture.heading();
        let (document, section) = spec.split_once(" §").unwrap_or_else(|| panic!("{file}: {spec}"));
        assert!(file.starts_with(document.trim_start_matches("RFC ")), "{file} cites {spec}");
        assert!(!title.is_empty(), "{file} has no title");
        println!("{file}: {spec}, {title}");
        fixture.run();
        *run.entry(format!("{document} §{section}")).or_insert(0) += 1;
    }
    for section in SECTIONS {
        assert!(run.contains_key(*section), "no fixture for {section}");
    }
}

/// The sections of the two RFCs that give examples.
const SECTIONS: &[&str] = &[
    "RFC 7643 §8.1",
    "RFC 7643 §8.2",
    "RFC 7643 §8.3",
    "RFC 7643 §8.4",
    "RFC 7643 §8.5",
    "RFC 7643 §8.6",
    "RFC 7643 §8.7.1",
    "RFC 7643 §8.7.2",
    "RFC 7644 §3.3",
    "RFC 7644 §3.4.1",
    "RFC 7644 §3.4.2",
    "RFC 7644 §3.4.2.2",
    "RFC 7644 §3.4.2.4",
    "RFC 7644 §3.4.3",
    "RFC 7644 §3.5.1",
    "RFC 7644 §3.5.2",
    "RFC 7644 §3.5.2.1",
    "RFC 7644 §3.5.2.2",
    "RFC 7644 §3.5.2.3",
    "RFC 7644 §3.6",
    "RFC 7644 §3.7.1",
    "RFC 7644 §3.7.2",
    "RFC 7644 §3.7.3",
    "RFC 7644 §3.7.4",
    "RFC 7644 §3.9",
    "RFC 7644 §3.12",
    "RFC 7644 §3.14",
];
