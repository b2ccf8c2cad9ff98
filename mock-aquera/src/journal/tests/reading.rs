use super::*;

fn operations(method: Method, uri: &str, body: &str) -> Vec<Value> {
    let operations = only(record(method, uri, body)).operations;
    operations.iter().map(|one| serde_json::to_value(one).unwrap()).collect()
}

#[test]
fn operations_are_read_out_of_requests() {
    #[track_caller]
    fn check(method: Method, uri: &str, body: &str, expected: &Value) {
        let mut all = operations(method, uri, body);
        // Only what says something.
        for one in &mut all {
            one.as_object_mut().unwrap().retain(|_, value| !value.is_null() && *value != json!([]));
        }
        assert_eq!(&Value::from(all), expected, "{uri}");
    }
    use super::Method as M;
    check(
        M::POST,
        "/apps/x/scim/Users",
        r#"{"schemas":[],"username":"a","active":true}"#,
        &json!([{"kind": "create", "resourceType": "User", "userName": "a", "attributes": ["active", "username"]}]),
    );
    check(M::GET, "/scim/Users/a%20b", "", &json!([{"kind": "read", "resourceType": "User", "id": "a b"}]));
    check(
        M::GET,
        "/scim/Users?filter=userName+eq+%22b%40c%22&count=1",
        "",
        &json!([{"kind": "list", "resourceType": "User", "filter": "userName eq \"b@c\"", "userName": "b@c"}]),
    );
    check(
        M::POST,
        "/scim/Groups/.search",
        r#"{"filter":"displayName pr"}"#,
        &json!([{"kind": "search", "resourceType": "Group", "filter": "displayName pr"}]),
    );
    check(
        M::PATCH,
        "/scim/Users/1",
        r#"{"Operations":[{"op":"Replace","path":"active","value":false},{"op":"add","value":{"title":"x"}}]}"#,
        &json!([{"kind": "patch", "resourceType": "User", "id": "1", "attributes": ["title"],
            "patch": [{"op": "Replace", "path": "active"}, {"op": "add", "path": null}]}]),
    );
    check(
        M::PATCH,
        "/scim/Users/1",
        r#"{"op":"replace","path":"userName","value":"new"}"#,
        &json!([{"kind": "patch", "resourceType": "User", "id": "1", "userName": "new",
            "patch": [{"op": "replace", "path": "userName"}]}]),
    );
    check(
        M::PUT,
        "/scim/Widgets/1",
        "[]",
        &json!([{"kind": "replace", "resourceType": "Widgets", "id": "1"}]),
    );
    check(M::DELETE, "/scim/Groups/1/", "", &json!([{"kind": "delete", "resourceType": "Group", "id": "1"}]));
    check(M::GET, "/scim/Me", "", &json!([{"kind": "me"}]));
    check(M::GET, "/scim", "", &json!([{"kind": "list"}]));
    check(M::GET, "/scim/Schemas", "", &json!([{"kind": "discovery", "resourceType": "Schemas"}]));
    check(M::POST, "/apps/x/oauth/token", "", &json!([{"kind": "token"}]));
    check(M::GET, "/scimitar", "", &json!([{"kind": "other"}]));
    check(M::POST, "/scim/Users/1", "{}", &json!([{"kind": "other", "resourceType": "User", "id": "1"}]));
    check(
        M::POST,
        "/scim/Bulk",
        r#"{"Operations":[{"method":"post","path":"/Users","data":{"userName":"z"}},{"method":"DELETE","path":"/Groups/7"},3]}"#,
        &json!([{"kind": "bulk"},
            {"kind": "create", "resourceType": "User", "userName": "z", "attributes": ["userName"]},
            {"kind": "delete", "resourceType": "Group", "id": "7"}]),
    );
}

#[test]
fn changes_tell_the_members_that_differ() {
    let mut record = record(Method::PUT, "/scim/Users/1", "");
    record.changes.push(StateChange {
        resource_type: "User".into(),
        id: "1".into(),
        kind: ChangeKind::Updated,
        before: Some(r#"{"userName":"a","title":"t","same":[1],"meta":{"version":"1"}}"#.into()),
        after: Some(r#"{"userName":"b","same":[1],"active":true,"meta":{"version":"2"}}"#.into()),
    });
    let changes = serde_json::to_value(only(record).changes).unwrap();
    let expected = json!([{"resourceType": "User", "id": "1", "userName": "b", "kind": "updated", "attributes": {
        "userName": {"before": "a", "after": "b"},
        "title": {"before": "t", "after": null},
        "active": {"before": null, "after": true},
    }}]);
    assert_eq!(changes, expected);
}

#[test]
fn an_exchange_reads_back_from_its_json() {
    let mut record = record(Method::PATCH, "/scim/Users/1?x=1", r#"{"Operations":[]}"#);
    record.status = None;
    record.faults = vec!["reset".into(), "latency=1s".into()];
    record.dialects = vec!["capitalised-op"];
    let exchange = only(record);
    assert_eq!(exchange.status, None);
    assert_eq!(exchange.took, Duration::from_micros(1_500));
    let json = serde_json::to_value(&exchange).unwrap();
    assert_eq!(json["status"], 0);
    assert_eq!(json["took"], 1_500);
    assert_eq!(json["at"], "1970-01-01T00:00:00.000Z");
    assert_eq!(serde_json::from_value::<Exchange>(json).unwrap(), exchange);
    assert_eq!(exchange.fault.as_deref(), Some("reset"));
    let json = serde_json::to_value(&exchange).unwrap();
    assert_eq!(serde_json::from_value::<Exchange>(json).unwrap(), exchange);
}
