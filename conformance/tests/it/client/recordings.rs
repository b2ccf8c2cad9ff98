//! Recordings of clients as they are in use: which cases find something in them, and that lawful ones have nothing.

use conformance::client::trace::Trace;
use conformance::client::{judge, load, recording};
use serde_json::{Value, json};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn entry(method: &str, path: &str, body: Value, status: u16, answer: Value) -> Value {
    let mut entry = json!({ "method": method, "path": format!("/scim{path}"), "status": status,
        "requestHeaders": [["Authorization", "Bearer a-long-token"], ["User-Agent", "client/1"],
            ["Content-Type", "application/scim+json"], ["Accept", "application/scim+json"]] });
    entry["requestBody"] = body;
    entry["responseBody"] = answer;
    entry
}

fn patch(path: &str, operations: Value) -> Value {
    let mut body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"] });
    body["Operations"] = operations;
    entry("PATCH", path, body, 204, Value::Null)
}

fn list(resources: Value) -> Value {
    let total = resources.as_array().map_or(0, Vec::len);
    let mut list = json!({ "totalResults": total, "startIndex": 1 });
    list["Resources"] = resources;
    list
}

fn ada() -> Value {
    json!({ "schemas": [USER, ENTERPRISE], "id": "7", "externalId": "e7", "userName": "ada", "active": true,
        "name": { "givenName": "Ada", "familyName": "Byron" }, "displayName": "Ada Byron",
        "emails": [{ "type": "work", "value": "ada@example.com", "primary": true }],
        ENTERPRISE: { "department": "Engines", "employeeNumber": "701984", "manager": { "value": "8" } },
        "meta": { "resourceType": "User", "version": "W/\"1\"" } })
}

/// A user as a client creates it.
fn new_ada() -> Value {
    let mut ada = ada();
    let members = ada.as_object_mut().expect("an object");
    members.remove("id");
    members.remove("meta");
    ada
}

/// Returns the ids of the cases that fail or warn, without the document.
fn found(entries: Vec<Value>) -> Vec<String> {
    let exchanges = recording::read(&Value::from(entries).to_string()).expect("a journal").exchanges;
    let trace = Trace { exchanges, ..Trace::default() };
    let results = judge::all(&load::built_in().expect("good cases").cases, &trace);
    let wrong = results.into_iter().filter(|result| result.verdict.fails_or_warns());
    wrong.map(|result| result.id.trim_start_matches("client/").to_owned()).collect()
}

fn look_up(filter: &str, resources: Value) -> Value {
    entry("GET", &format!("/Users?filter={filter}"), Value::Null, 200, list(resources))
}

#[test]
fn lawful_recording_of_a_directory_is_clean() {
    let mut changed = ada();
    changed["title"] = json!("Analyst");
    let entries = vec![
        entry("GET", "/Users?startIndex=1&count=1", Value::Null, 200, list(json!([]))),
        look_up("userName%20eq%20%22ada%22", json!([])),
        entry("POST", "/Users", new_ada(), 201, ada()),
        entry("PUT", "/Users/7", changed.clone(), 200, changed.clone()),
        patch("/Users/7", json!([{ "op": "replace", "path": "active", "value": false }])),
        patch(
            "/Users/7",
            json!([{ "op": "replace", "path": "active", "value": true },
            { "op": "remove", "path": "title" }]),
        ),
        entry("DELETE", "/Users/7", Value::Null, 204, Value::Null),
    ];
    assert_eq!(found(entries), Vec::<String>::new());
}

#[test]
fn lawful_recording_of_a_library_is_clean() {
    let full = |name: &str| format!("{ENTERPRISE}:{name}");
    let entries = vec![
        entry("GET", "/ServiceProviderConfig", Value::Null, 200, json!({})),
        entry("GET", "/ResourceTypes/User", Value::Null, 200, json!({})),
        entry("GET", "/Schemas", Value::Null, 200, json!({})),
        entry("HEAD", "/Users/7", Value::Null, 200, Value::Null),
        entry("POST", "/Users", new_ada(), 201, ada()),
        look_up(
            &format!(
                "{}%20eq%20%22Engines%22&attributes=userName,name.familyName,{}",
                full("department"),
                full("manager.value")
            ),
            json!([]),
        ),
        look_up(
            "emails%5Btype%20eq%20%22work%22%20and%20primary%20eq%20true%5D&startIndex=1&count=0",
            json!([]),
        ),
        entry(
            "POST",
            "/Users/.search",
            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
            "filter": "active eq true", "startIndex": 1, "count": 10 }),
            200,
            list(json!([])),
        ),
        entry("GET", "/Users/7", Value::Null, 200, ada()),
        patch(
            "/Users/7",
            json!([
                { "op": "replace", "path": "emails[type eq \"work\"].value", "value": "ada@example.org" },
                { "op": "add", "path": "emails", "value": [{ "type": "home", "value": "ada@home.example" }] },
                { "op": "replace", "path": "emails[type eq \"home\"].display", "value": "Ada" },
                { "op": "replace", "path": "name", "value": { "familyName": "Lovelace" } },
                { "op": "replace", "path": full("manager"), "value": { "value": "9" } },
                { "op": "replace", "path": full("manager.value"), "value": "9" },
                { "op": "replace", "path": ENTERPRISE, "value": { "costCenter": "4130" } },
                { "op": "remove", "path": full("department") },
                { "op": "replace", "path": "title", "value": null },
            ]),
        ),
        entry(
            "POST",
            "/Groups",
            json!({ "schemas": [GROUP], "displayName": "Staff", "members": [{ "value": "7" }] }),
            201,
            json!({ "id": "g" }),
        ),
        patch(
            "/Groups/g",
            json!([{ "op": "add", "path": "members", "value": [{ "value": "8", "type": "User" }] }]),
        ),
        patch("/Groups/g", json!([{ "op": "remove", "path": "members[value eq \"7\"]" }])),
        patch("/Groups/g", json!([{ "op": "remove", "path": "members" }])),
        entry(
            "POST",
            "/Bulk",
            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [{ "method": "POST", "path": "/Users", "bulkId": "1", "data": new_ada() },
                { "method": "DELETE", "path": "/Users/9" }] }),
            200,
            json!({}),
        ),
    ];
    assert_eq!(found(entries), Vec::<String>::new());
}

/// A PUT that sends back what a server gave in another shape is the server's fault.
#[test]
fn shapes_that_the_server_gave_are_not_the_clients() {
    let mut odd = ada();
    odd["displayName"] = json!(["Ada"]);
    odd["department"] = json!("Engines");
    odd["emails"] = json!({ "value": "ada@example.com" });
    odd[ENTERPRISE] = json!({ "manager": "8", "employeeNumber": 701_984 });
    let put = |user: Value| {
        found(vec![
            entry("GET", "/Users/7", Value::Null, 200, odd.clone()),
            entry("PUT", "/Users/7", user.clone(), 200, user),
        ])
    };
    let mut changed = odd.clone();
    changed["title"] = json!("Analyst");
    assert_eq!(put(changed.clone()), Vec::<String>::new());
    changed[ENTERPRISE]["manager"] = json!("9");
    assert_eq!(put(changed), ["rfc7643/4.3/managers-are-objects"]);
}

#[test]
fn deactivation_without_a_path_is_all_that_is_told_of_a_directory() {
    let mut created = new_ada();
    created["groups"] = json!([]);
    created["password"] = json!("a-new-password");
    let entries = vec![
        entry("GET", "/Users?startIndex=1&count=100", Value::Null, 200, list(json!([]))),
        look_up("userName%20eq%20%22ada%22&startIndex=1&count=100", json!([])),
        entry("POST", "/Users", created, 201, ada()),
        patch("/Users/7", json!([{ "op": "replace", "value": { "active": false } }])),
        patch("/Groups/g", json!([{ "op": "replace", "value": { "id": "g", "displayName": "Staff" } }])),
        patch(
            "/Groups/g",
            json!([{ "op": "add", "path": "members", "value": [{ "value": "7", "display": "ada" }] },
            { "op": "remove", "path": "members[value eq \"8\"]" }]),
        ),
    ];
    assert_eq!(found(entries), ["interop/6.5.1.1/patch-operations-have-paths"]);
}

/// Each of its habits is found by the case that names it.
#[test]
fn habits_of_a_directory_are_found_each_by_its_case() {
    let check = |operations: Value, expected: &[&str]| {
        let path = if operations.to_string().contains("members") { "/Groups/g" } else { "/Users/7" };
        assert_eq!(found(vec![patch(path, operations.clone())]), expected, "{operations}");
    };
    let words = "rfc7644/3.5.2/patch-operations-are-words";
    check(json!([{ "op": "Replace", "path": "displayName", "value": "Ada" }]), &[words]);
    check(
        json!([{ "op": "Replace", "path": "active", "value": "False" }]),
        &["rfc7643/4.1.1/active-is-a-boolean", words],
    );
    check(
        json!([{ "op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": "8" }]),
        &["rfc7643/4.3/managers-are-objects", words],
    );
    check(
        json!([{ "op": "Replace", "path": "displayName", "value": [{ "$ref": null, "value": "Ada" }] }]),
        &["rfc7643/2.4/single-values-are-no-lists", words],
    );
    check(
        json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": "7" }] }]),
        &["rfc7644/3.5.2.2/removals-name-their-values", words],
    );
    check(
        json!([{ "op": "Add", "path": "roles[primary eq \"True\"].value", "value": "admin" }]),
        &["rfc7644/3.4.2.2/filters-compare-values-of-a-type", words],
    );
    check(
        json!([{ "op": "replace", "value": { "name.familyName": "Lovelace", format!("{ENTERPRISE}:department"): "Engines" } }]),
        &[
            "interop/6.5.1.1/patch-operations-have-paths",
            "rfc7643/2.1/members-are-attribute-names",
            "rfc7643/3.3/extensions-are-objects",
        ],
    );
}
