//! Fixtures with a request and its response: each message has the form of its kind, and the two agree.

use std::collections::{BTreeMap, BTreeSet};

use scim::error::{ERROR_URN, ScimType, error_body};
use scim::filter::Filter;
use scim::parse_error::ParseError;
use scim::patch::PatchRequest;
use scim::path::AttrPath;
use scim::schema::{
    BULK_REQUEST_URN, BULK_RESPONSE_URN, GROUP_URN, LIST_URN, Mutability, PATCH_URN, Returned, SEARCH_URN,
    SchemaSet, USER_URN,
};
use scim::validate::{ProblemKind, validate};
use serde::Deserialize;
use serde_json::Value;

/// A request and its response.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    request: Request,
    response: Response,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    method: String,
    path: String,
    #[serde(default)]
    query: Query,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Value>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Query {
    schemas: Vec<String>,
    filter: Option<String>,
    attributes: Option<Names>,
    excluded_attributes: Option<Names>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start_index: Option<u64>,
    count: Option<u64>,
}

/// A list of names: one text with commas in a query, an array in a body.
#[derive(Deserialize, Clone)]
#[serde(from = "Value")]
struct Names(Vec<AttrPath>);

impl From<Value> for Names {
    fn from(value: Value) -> Self {
        let text = match &value {
            Value::Array(names) => names.iter().map(|n| n.as_str().unwrap()).collect::<Vec<_>>().join(","),
            other => other.as_str().unwrap().to_owned(),
        };
        Self(text.split(',').map(|name| name.parse().unwrap()).collect())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Response {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Value>,
}

/// Returns the kind of the message: the first of its schemas.
fn kind(body: &Value) -> &str {
    body["schemas"][0].as_str().unwrap()
}

fn schemas_of(resource: &Value) -> &'static SchemaSet {
    match kind(resource) {
        USER_URN => SchemaSet::user(),
        GROUP_URN => SchemaSet::group(),
        other => panic!("no resource type for {other}"),
    }
}

pub(crate) fn run(exchange: &Exchange) {
    let Exchange { request, response } = exchange;
    let place = format!("{} {}", request.method, request.path);
    assert!(request.path.starts_with('/'), "{place}");
    for name in request.headers.keys() {
        assert!(["If-Match", "If-None-Match"].contains(&name.as_str()), "{place}: {name}");
    }
    match (request.method.as_str(), &request.body) {
        ("POST" | "PUT", Some(body)) => check_sent(body),
        ("PATCH", Some(body)) => check_patch(body),
        ("GET" | "DELETE", None) => {}
        (_, body) => panic!("{place} with {body:?}"),
    }
    let Some(answer) = &response.body else {
        assert!([204, 304].contains(&response.status), "{place}: {} without a body", response.status);
        return;
    };
    if kind(answer) == ERROR_URN {
        return check_error(answer, response.status, request);
    }
    assert!(response.status < 300, "{place}: {}", response.status);
    match kind(answer) {
        LIST_URN => check_list(answer, &list_query(request)),
        BULK_RESPONSE_URN => check_bulk(request.body.as_ref().unwrap(), answer),
        _ => check_answer(request, response, answer),
    }
}

fn list_query(request: &Request) -> Query {
    let search = request.body.as_ref().map(|body| serde_json::from_value(body.clone()).unwrap());
    search.unwrap_or_else(|| request.query.clone())
}

fn check_sent(body: &Value) {
    match kind(body) {
        SEARCH_URN => {
            let search: Query = serde_json::from_value(body.clone()).unwrap();
            assert_eq!(search.schemas, [SEARCH_URN]);
        }
        BULK_REQUEST_URN => check_bulk_request(body),
        _ => assert_eq!(validate(body, schemas_of(body)), Ok(())),
    }
}

fn check_patch(body: &Value) {
    assert_eq!(kind(body), PATCH_URN);
    let request = PatchRequest::from_json(body).unwrap();
    assert_eq!(request.to_json(), *body);
}

/// Asserts that the error body equals the one that this crate builds of its status, keyword and detail.
fn check_error(body: &Value, status: u16, request: &Request) {
    assert!(status >= 400);
    let keyword = body["scimType"].as_str();
    let kind = keyword.map(|word| ScimType::ALL.into_iter().find(|kind| kind.as_str() == word).unwrap());
    assert!(kind.is_none_or(|kind| kind.status() == status), "{body}");
    assert_eq!(*body, error_body(status, kind, body["detail"].as_str().unwrap()));
    if let Some(filter) = &request.query.filter {
        let parsed: Result<Filter, ParseError> = Filter::parse(filter);
        assert_eq!(parsed.is_err(), kind == Some(ScimType::InvalidFilter), "{filter}");
    }
}

/// Asserts that a resource in a response has no attribute beyond the requested ones.
fn check_resource(resource: &Value, wanted: Option<&Names>) {
    let schemas = schemas_of(resource);
    let problems = validate(resource, schemas).err().unwrap_or_default();
    let whole = wanted.is_none();
    let bad = problems.iter().find(|problem| whole || problem.kind != ProblemKind::Missing);
    assert_eq!(bad, None, "{resource}");
    assert!(resource["id"].is_string(), "{resource}");
    let Some(Names(wanted)) = wanted else { return };
    for name in resource.as_object().unwrap().keys() {
        let always = schemas.top_level(name).is_some_and(|attr| attr.returned == Returned::Always);
        let asked = wanted
            .iter()
            .any(|path| path.name == **name || path.urn.as_ref().is_some_and(|urn| *urn == **name));
        assert!(always || asked, "{name} was not asked for");
    }
}

fn check_list(body: &Value, query: &Query) {
    let none = Vec::new();
    let resources = body.get("Resources").map_or(&none, |list| list.as_array().unwrap());
    let total = body["totalResults"].as_u64().unwrap();
    let count = resources.len() as u64;
    assert!(count <= total && query.count.is_none_or(|asked| count <= asked));
    let members = ["schemas", "totalResults", "startIndex", "itemsPerPage", "Resources"];
    assert!(body.as_object().unwrap().keys().all(|name| members.contains(&name.as_str())));
    if let Some(per_page) = body.get("itemsPerPage") {
        assert_eq!(per_page.as_u64(), Some(count));
    }
    let start = body.get("startIndex").map_or(1, |start| start.as_u64().unwrap());
    assert_eq!(start, query.start_index.unwrap_or(1));
    assert_eq!(
        count,
        (total + 1 - start).min(query.count.unwrap_or(total)),
        "a page is full or the last one"
    );
    for resource in resources {
        check_resource(resource, query.attributes.as_ref());
        let filter = query.filter.as_ref().filter(|_| query.attributes.is_none());
        if let Some(filter) = filter {
            assert!(Filter::parse(filter).unwrap().matches(resource, schemas_of(resource)), "{filter}");
        }
    }
    if let Some(by) = &query.sort_by {
        let pointer = format!("/{}", by.replace('.', "/"));
        let mut keys: Vec<&str> =
            resources.iter().map(|r| r.pointer(&pointer).unwrap().as_str().unwrap()).collect();
        if query.sort_order.as_deref() == Some("descending") {
            keys.reverse();
        }
        assert!(keys.is_sorted_by_key(|key| key.to_lowercase()), "{keys:?}");
    }
}

/// Asserts that the response to a request on one resource has the sent values, and that its headers agree.
fn check_answer(request: &Request, response: &Response, answer: &Value) {
    check_resource(answer, request.query.attributes.as_ref());
    for path in request.query.excluded_attributes.iter().flat_map(|names| &names.0) {
        assert!(answer.get(path.name.as_str()).is_none(), "{path} is excluded");
    }
    if let Some((_, id)) = request.path.rsplit_once('/').filter(|(kind, _)| !kind.is_empty()) {
        assert_eq!(answer["id"], *id);
    }
    assert_eq!(response.status == 201, request.method == "POST");
    for (name, value) in &response.headers {
        let said = match name.as_str() {
            "Location" => &answer["meta"]["location"],
            "ETag" => answer.pointer("/meta/version").unwrap_or(&Value::Null),
            other => panic!("unexpected header {other}"),
        };
        assert!(said == value || said.is_null() && request.query.attributes.is_some(), "{name}: {value}");
    }
    if !["POST", "PUT"].contains(&request.method.as_str()) {
        return;
    }
    let schemas = schemas_of(answer);
    for (name, sent) in request.body.as_ref().unwrap().as_object().unwrap() {
        let writable = schemas
            .top_level(name)
            .is_none_or(|attr| attr.mutability != Mutability::ReadOnly && attr.returned != Returned::Never);
        let unassigned = sent.as_array().is_some_and(Vec::is_empty);
        if writable {
            assert_eq!(answer.get(name), (!unassigned).then_some(sent), "{name}");
        }
    }
}

fn operations(body: &Value) -> &[Value] {
    body["Operations"].as_array().unwrap()
}

fn check_bulk_request(body: &Value) {
    let mut made = BTreeSet::new();
    let mut referred = BTreeSet::new();
    for operation in operations(body) {
        let method = operation["method"].as_str().unwrap();
        let path = operation["path"].as_str().unwrap();
        assert_eq!(path.matches('/').count(), if method == "POST" { 1 } else { 2 }, "{path}");
        match method {
            "POST" => {
                check_sent(&operation["data"]);
                assert!(made.insert(operation["bulkId"].as_str().unwrap()), "a bulkId is used twice");
            }
            "PUT" => check_sent(&operation["data"]),
            "PATCH" => check_patch(&operation["data"]),
            "DELETE" => assert!(operation.get("data").is_none()),
            other => panic!("bulk cannot {other}"),
        }
        references(&operation["data"], &mut referred);
    }
    assert!(referred.is_subset(&made), "{referred:?} of {made:?}");
}

/// Collects the temporary ids that a document refers to.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::String(text) => found.extend(text.strip_prefix("bulkId:")),
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        Value::Object(members) => members.values().for_each(|value| references(value, found)),
        _ => {}
    }
}

fn check_bulk(request: &Value, response: &Value) {
    let (asked, done) = (operations(request), operations(response));
    let mut errors = 0;
    for (asked, done) in asked.iter().zip(done) {
        assert_eq!((&asked["method"], &asked["bulkId"]), (&done["method"], &done["bulkId"]));
        let status: u16 = done["status"].as_str().unwrap().parse().unwrap();
        let failed = status >= 400;
        assert!(!failed || kind(&done["response"]) == ERROR_URN);
        assert_eq!(failed, done.get("response").is_some(), "{done}");
        assert!(done["location"].is_string() || failed && done["method"] == "POST", "{done}");
        if failed {
            errors += 1;
            assert_eq!(done["response"]["status"], done["status"]);
        }
    }
    let limit = request.get("failOnErrors").map_or(u64::MAX, |limit| limit.as_u64().unwrap());
    assert!(errors <= limit);
    assert_eq!(
        done.len() < asked.len(),
        errors == limit && errors > 0,
        "it stops at the limit, and only there"
    );
}
