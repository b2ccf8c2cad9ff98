use super::*;

#[test]
fn an_archive_has_what_the_format_asks_for() {
    let mut record = with_headers(
        record(Method::POST, "/scim/Users?attributes=a%2Cb&x", r#"{"userName":"a"}"#),
        &[("content-type", "application/scim+json"), ("content-length", "16")],
    );
    record.status = Some(StatusCode::CREATED);
    record.response_headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
    record.response_body = r#"{"id":"1"}"#.into();
    let archive = har(&[only(record)], &HarCreator::default());
    let log = &archive["log"];
    assert_eq!((&log["version"], &log["creator"]["name"]), (&json!("1.2"), &json!("mock-aquera")));
    let expected = json!({
        "startedDateTime": "1970-01-01T00:00:00.000Z",
        "time": 1.5,
        "request": {
            "method": "POST",
            "url": "http://127.0.0.1:8080/scim/Users?attributes=a%2Cb&x",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [
                {"name": "host", "value": "127.0.0.1:8080"},
                {"name": "content-type", "value": "application/scim+json"},
                {"name": "content-length", "value": "16"},
            ],
            "queryString": [{"name": "attributes", "value": "a,b"}, {"name": "x", "value": ""}],
            "headersSize": -1,
            "bodySize": 16,
            "postData": {"mimeType": "application/scim+json", "text": "{\"userName\":\"a\"}"},
        },
        "response": {
            "status": 201,
            "statusText": "Created",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [{"name": "content-type", "value": "application/scim+json"}],
            "content": {"size": 10, "mimeType": "application/scim+json", "text": "{\"id\":\"1\"}"},
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
        },
        "cache": {},
        "timings": {"send": 0, "wait": 1.5, "receive": 0},
        "_seq": 1,
        "_application": "acme",
        "_operations": [{"kind": "create", "resourceType": "User", "id": "1", "userName": "a", "filter": null,
            "patch": [], "attributes": ["userName"]}],
        "_downstream": [],
        "_changes": [],
        "_faults": [],
        "_dialects": [], "_notes": [],
    });
    assert_eq!(log["entries"], json!([expected]));
}

#[test]
fn what_got_no_reply_says_so() {
    let mut record = record(Method::GET, "/scim/Users", "");
    record.status = None;
    let creator = HarCreator { origin: Some("https://mock:8443/".to_owned()), ..HarCreator::default() };
    let archive = har(&[only(record)], &creator);
    let entry = &archive["log"]["entries"][0];
    assert_eq!(entry["request"]["url"], "https://mock:8443/scim/Users");
    assert_eq!(entry["response"]["status"], 0);
    assert_eq!(entry["response"]["_error"], "the connection ended without a reply");
    assert_eq!(entry["request"].get("postData"), None);
}

#[test]
fn metrics_are_in_prometheus_words() {
    let journal = Journal::of("acme");
    journal.record_whole(record(Method::GET, "/scim/Users/1", ""));
    let mut cut = record(Method::PATCH, "/scim/Users/1", "12345");
    cut.status = None;
    cut.took = Duration::from_micros(30);
    cut.faults.push("reset path=\"/Users/*\"".into());
    journal.record_whole(cut);
    let scrape = |name| Scrape {
        application: name,
        resources: vec![("User".to_owned(), 3)],
        faults: 1,
        journal: (2, 99),
        counters: journal.counters(),
    };
    let text = render_prometheus(&[scrape("acme"), scrape("other")]);
    for line in [
        r#"mock_aquera_requests_total{application="acme",method="GET",status="2xx"} 1"#,
        r#"mock_aquera_requests_total{application="acme",method="PATCH",status="none"} 1"#,
        r#"mock_aquera_scim_operations_total{application="other",operation="read"} 1"#,
        r#"mock_aquera_faults_struck_total{application="acme",rule="reset path=\"/Users/*\""} 1"#,
        r#"mock_aquera_body_bytes_total{application="acme",direction="in"} 5"#,
        r#"mock_aquera_request_duration_seconds_bucket{application="acme",le="0.001"} 1"#,
        r#"mock_aquera_request_duration_seconds_bucket{application="acme",le="0.005"} 2"#,
        r#"mock_aquera_request_duration_seconds_bucket{application="acme",le="+Inf"} 2"#,
        r#"mock_aquera_request_duration_seconds_sum{application="acme"} 0.001530"#,
        r#"mock_aquera_request_duration_seconds_count{application="acme"} 2"#,
        r#"mock_aquera_resources{application="acme",type="User"} 3"#,
        r#"mock_aquera_faults{application="acme"} 1"#,
        r#"mock_aquera_journal_bytes{application="other"} 99"#,
    ] {
        assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
    }
    let types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let mut once = types.clone();
    once.dedup();
    assert_eq!((types.len(), once.len()), (9, 9));
}
