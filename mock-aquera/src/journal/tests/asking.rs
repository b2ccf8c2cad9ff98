use super::*;

/// create bjensen (1), read it with a fault (2), patch it (3), cut a delete (4), list (5).
fn journal() -> Journal {
    let journal = Journal::of("acme");
    let mut create = record(Method::POST, "/scim/Users", r#"{"userName":"BJensen","title":"Tour Guide"}"#);
    create.status = Some(StatusCode::CREATED);
    create.response_body = r#"{"id":"7","userName":"BJensen"}"#.into();
    journal.record_whole(create);
    let mut read = record(Method::GET, "/scim/Users/7", "");
    read.status = Some(StatusCode::SERVICE_UNAVAILABLE);
    read.faults.push("status=503".into());
    journal.record_whole(read);
    let body = r#"{"Operations":[{"op":"replace","path":"active","value":false}]}"#;
    journal.record_whole(record(Method::PATCH, "/scim/Users/7", body));
    let mut delete = record(Method::DELETE, "/scim/Users/7", "");
    delete.status = None;
    delete.changes.push(StateChange {
        resource_type: "User".into(),
        id: "7".into(),
        kind: ChangeKind::Deleted,
        before: Some(r#"{"userName":"bjensen"}"#.into()),
        after: None,
    });
    journal.record_whole(delete);
    let mut list = record(Method::GET, "/scim/Groups?count=1", "");
    list.response_body = r#"{"Resources":[{"userName":"bjensen"}]}"#.into();
    journal.record_whole(list);
    journal
}

#[test]
fn a_query_finds_what_it_says() {
    #[track_caller]
    fn check(query: &str, expected: &[u64]) {
        let query: JournalQuery = query.parse().unwrap();
        let seqs: Vec<u64> = journal().query(&query).iter().map(|exchange| exchange.seq).collect();
        assert_eq!(seqs, expected, "{query:?}");
    }
    check("", &[1, 2, 3, 4, 5]);
    check("method=get", &[2, 5]);
    check("path=/Users/*", &[2, 3, 4]);
    check("path=/scim/**", &[1, 2, 3, 4, 5]);
    check("path=/Groups%3Fcount%3D1", &[5]);
    check("operation=patch", &[3]);
    check("resourceType=group", &[5]);
    check("id=7", &[1, 2, 3, 4]);
    check("userName=bjensen", &[1, 4]);
    check("user-name=BJENSEN&method=DELETE", &[4]);
    check("patchPath=Active", &[3]);
    check("status=2xx", &[1, 3, 5]);
    check("status=503", &[2]);
    check("status=none", &[4]);
    check("fault=true", &[2]);
    check("fault=false&limit=2", &[1, 3]);
    check("sinceSeq=3", &[4, 5]);
    check("sinceSeq=99", &[]);
    check("contains=tour+guide", &[1]);
    check("order=newest&limit=2", &[5, 4]);
}

#[test]
fn the_builder_says_the_same() {
    let built = JournalQuery::new()
        .method("GET")
        .path("/Users/*")
        .operation(OperationKind::Read)
        .resource_type("User")
        .id("7")
        .user_name("a b")
        .patch_path("x")
        .status_class(4)
        .fault(true)
        .since(3)
        .contains("&")
        .limit(2)
        .newest_first();
    let text = "method=GET&path=/Users/*&operation=read&resourceType=User&id=7&userName=a+b&patchPath=x\
        &status=4xx&fault=true&sinceSeq=3&contains=%26&limit=2&order=newest";
    assert_eq!(text.parse(), Ok(built.clone()));
    let json = serde_json::to_value(&built).unwrap();
    assert_eq!(serde_json::from_value::<JournalQuery>(json).unwrap(), built);
    let by_number: JournalQuery = serde_json::from_value(json!({"status": 404})).unwrap();
    assert_eq!(by_number, JournalQuery::new().status(404));
}

#[test]
fn a_wrong_query_is_explained() {
    #[track_caller]
    fn check(query: &str, expected: &str) {
        let error = query.parse::<JournalQuery>().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    check(
        "usrName=a",
        "unknown journal criterion `usrName`; did you mean `userName`?; the criteria are method",
    );
    check("zzz=1", "unknown journal criterion `zzz`; the criteria are method, path");
    check("id=1&id=2", "`id` is there twice");
    check("status=9x", "`9x` doesn't fit `status`, which takes a status like 404, a class like 4xx, or none");
    check("fault=yes", "`yes` doesn't fit `fault`, which takes true or false");
    check("limit=-1", "`-1` doesn't fit `limit`, which takes a whole number from 0");
    check("operation=patc", "`patc` doesn't fit `operation`, which takes create, read");
    check("order=up", "`up` doesn't fit `order`, which takes oldest or newest");
}
