use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_stream::StreamExt as _;

use super::*;

/// Stands in every place where a secret can be.
const SECRET: &str = "hunter2";

pub(crate) fn record(method: Method, uri: &str, body: &str) -> Record {
    Record {
        at: Timestamp::UNIX_EPOCH,
        took: Duration::from_micros(1_500),
        method,
        uri: uri.parse().unwrap(),
        headers: HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("127.0.0.1:8080"))]),
        request_body: Bytes::copy_from_slice(body.as_bytes()),
        status: Some(StatusCode::OK),
        response_headers: HeaderMap::new(),
        response_body: Bytes::new(),
        downstream: crate::hops::Downstreams::None,
        faults: Vec::new(),
        dialects: Vec::new(),
        changes: Vec::new(),
        scim: Vec::new(),
    }
}

fn only(record: Record) -> Exchange {
    let journal = Journal::of("acme");
    journal.record(record);
    journal.query(&JournalQuery::new()).remove(0)
}

fn with_headers(mut record: Record, headers: &[(&str, &str)]) -> Record {
    for (name, value) in headers {
        record.headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    record
}

mod redaction {
    use super::*;

    #[test]
    fn of_credentials_in_headers_the_scheme_stays() {
        #[track_caller]
        fn check(name: &str, value: &str, expected: &str) {
            let record =
                with_headers(record(Method::GET, "/scim/Users", ""), &[(name, value), (name, value)]);
            let journal = Journal::of("acme");
            journal.record(record);
            let kept = journal.records(0).remove(0).1;
            let kept: Vec<_> = kept.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            assert_eq!(kept, [expected.as_bytes()]);
        }
        check("authorization", "Bearer hunter2", "Bearer [redacted]");
        check("authorization", "Basic aHVudGVyMg==", "Basic [redacted]");
        check("authorization", "bearer hunter2", "bearer [redacted]");
        check("authorization", "hunter2", "[redacted]");
        check("authorization", "hunter2 x", "[redacted]");
        check("proxy-authorization", "Digest username=\"hunter2\"", "Digest [redacted]");
        check("cookie", "session=hunter2", "[redacted]");
    }

    #[test]
    fn headers_that_look_like_secrets_are_not_shown() {
        let headers = [("x-api-key", SECRET), ("x-auth-token", SECRET), ("x-request-id", "1")];
        let exchange = only(with_headers(record(Method::GET, "/scim/Users", ""), &headers));
        assert_eq!(exchange.header("x-api-key"), Some("[redacted]"));
        assert_eq!(exchange.header("X-Auth-Token"), Some("[redacted]"));
        assert_eq!(exchange.header("x-request-id"), Some("1"));
    }

    #[test]
    fn queries_are_cleared() {
        #[track_caller]
        fn check(uri: &str, expected: &str) {
            assert_eq!(only(record(Method::GET, uri, "")).path, expected);
        }
        check("/scim/Users?access_token=hunter2&count=1", "/scim/Users?access_token=[redacted]&count=1");
        check("/scim/Users?a=1&Password=hunter2", "/scim/Users?a=1&Password=[redacted]");
        check("/scim/Users?client%5Fsecret=hunter2", "/scim/Users?client%5Fsecret=[redacted]");
        check("/scim/Users?filter=password%20eq%20%22hunter2%22", "/scim/Users?filter=[redacted]");
        check("/scim/Users?filter=%70assword+eq+%22hunter2%22", "/scim/Users?filter=[redacted]");
        check("http://me:hunter2@host/scim/Users?count=1", "/scim/Users?count=1");
        check(
            "/scim/Users?filter=emails%5Btype%20eq%20%22work%22%5D&count=1",
            "/scim/Users?filter=emails%5Btype%20eq%20%22work%22%5D&count=1",
        );
    }

    #[test]
    fn bodies_are_cleared() {
        #[track_caller]
        fn check(body: &str, expected: Value) {
            let mut record = record(Method::POST, "/scim/Users", body);
            record.response_body = record.request_body.clone();
            let exchange = only(record);
            assert_eq!(exchange.request_body.as_ref(), Some(&expected));
            assert_eq!(exchange.response_body.as_ref(), Some(&expected));
        }
        check(r#"{"password":"hunter2","a":1}"#, json!({"password": "[redacted]", "a": 1}));
        check(r#"{"urn:x:User:Password":"hunter2"}"#, json!({"urn:x:User:Password": "[redacted]"}));
        check(
            r#"{"Operations":[{"op":"replace","path":"PASSWORD","value":"hunter2"},{"path":"title","value":"x"}]}"#,
            json!({"Operations": [
                {"op": "replace", "path": "PASSWORD", "value": "[redacted]"},
                {"path": "title", "value": "x"}
            ]}),
        );
        check(
            r#"{"Operations":[{"op":"replace","path":"urn:x:User:password","value":"hunter2"}]}"#,
            json!({"Operations": [{"op": "replace", "path": "urn:x:User:password", "value": "[redacted]"}]}),
        );
        check(
            r#"{"Operations":[{"op":"remove","path":"x[password eq \"hunter2\"]"}]}"#,
            json!({"Operations": [{"op": "remove", "path": "[redacted]"}]}),
        );
        check(r#"{"filter":"password eq \"hunter2\""}"#, json!({"filter": "[redacted]"}));
        check(
            r#"{"access_token":"hunter2","token_type":"Bearer"}"#,
            json!({"access_token": "[redacted]", "token_type": "Bearer"}),
        );
        check(
            r#"{"Operations":[{"method":"POST","path":"/Users","data":{"password":"hunter2"}}]}"#,
            json!({"Operations": [{"method": "POST", "path": "/Users", "data": {"password": "[redacted]"}}]}),
        );
        check(r#"{"password":"hunter2""#, json!("[redacted]"));
        check("plain", json!("plain"));
    }

    #[test]
    fn forms_are_cleared() {
        let form = "grant_type=client_credentials&client_id=me&client_secret=hunter2";
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let exchange = only(with_headers(record(Method::POST, "/oauth/token", form), &kind));
        let cleared = "grant_type=client_credentials&client_id=me&client_secret=[redacted]";
        assert_eq!(exchange.request_body, Some(json!(cleared)));
        let unlabelled = only(record(Method::POST, "/oauth/token", form));
        assert_eq!(unlabelled.request_body, Some(json!("[redacted]")));
    }

    /// One exchange with a secret in each place, in every form that leaves the journal.
    #[tokio::test]
    async fn no_secret_leaves_in_any_form() {
        let journal = Journal::of("acme");
        let mut live = journal.subscribe(JournalQuery::new());
        let body = r#"{"userName":"a","password":"hunter2"}"#;
        let mut record = with_headers(
            record(Method::POST, "/scim/Users?access_token=hunter2", body),
            &[("authorization", "Bearer hunter2"), ("cookie", SECRET), ("x-api-key", SECRET)],
        );
        record.response_headers.insert(header::SET_COOKIE, HeaderValue::from_static(SECRET));
        record.response_body = record.request_body.clone();
        record.changes.push(StateChange {
            resource_type: "User".into(),
            id: "1".into(),
            kind: ChangeKind::Created,
            before: None,
            after: Some(record.request_body.clone()),
        });
        assert!(!format!("{record:?}").contains("password"));
        journal.record(record);
        let exchanges = journal.query(&JournalQuery::new());
        let live = live.next().await.unwrap();
        let expectation = Expectation::request()
            .header("authorization", "Bearer hunter2")
            .header("x-api-key", SECRET)
            .body_at("/password", SECRET)
            .body_includes(json!({"password": SECRET}))
            .times(2);
        let verification = journal.verify(&expectation);
        assert_eq!(verification.matched, 1, "{verification}");
        let forms = [
            serde_json::to_string(&exchanges).unwrap(),
            har(&exchanges, &HarCreator::default()).to_string(),
            serde_json::to_string(&live).unwrap(),
            format!("{exchanges:?} {live:?} {journal:?}"),
            verification.to_string(),
            serde_json::to_string(&verification).unwrap(),
        ];
        for form in forms {
            assert!(!form.contains(SECRET), "{form}");
        }
        assert!(journal.query(&JournalQuery::new().contains(SECRET)).is_empty());
    }
}

mod ring {
    use super::*;

    #[test]
    fn the_oldest_go_and_numbers_stay() {
        let journal = Journal::default();
        journal.set_limits(JournalLimits { exchanges: 3, ..JournalLimits::default() });
        for _ in 0..8 {
            journal.record(record(Method::GET, "/scim/Users", ""));
        }
        let seqs: Vec<u64> =
            journal.query(&JournalQuery::new()).iter().map(|exchange| exchange.seq).collect();
        assert_eq!(seqs, [6, 7, 8]);
        journal.clear();
        assert_eq!(journal.size(), JournalSize { exchanges: 0, bytes: 0, last_seq: 8 });
        assert_eq!(journal.record(record(Method::GET, "/scim/Users", "")), 9);
        assert_eq!(journal.counters().requests(), 9);
        journal.reset_counters();
        assert_eq!(journal.counters().requests(), 0);
    }

    #[test]
    fn what_is_too_large_is_kept_without_its_bodies() {
        let journal = Journal::default();
        journal.set_limits(JournalLimits { bytes: 8_192, ..JournalLimits::default() });
        journal.record(record(Method::GET, "/scim/Users", ""));
        journal.record(record(Method::POST, "/scim/Users", &"x".repeat(10_000)));
        let exchanges = journal.query(&JournalQuery::new());
        assert_eq!(exchanges.last().unwrap().request_body, Some(json!("[left out: 10000 bytes]")));
        assert_eq!(exchanges.len(), 2);
    }

    #[test]
    fn large_states_are_not_kept() {
        let mut record = record(Method::DELETE, "/scim/Users/1", "");
        let large = format!(r#"{{"userName":"a","x":"{}"}}"#, "x".repeat(70_000));
        record.changes.push(StateChange {
            resource_type: "User".into(),
            id: "1".into(),
            kind: ChangeKind::Deleted,
            before: Some(large.into()),
            after: None,
        });
        let change = only(record).changes.remove(0);
        assert_eq!((change.user_name, change.attributes.len()), (None, 0));
    }

    proptest! {
        #[test]
        fn bounds_hold_and_numbers_have_no_gap(
            exchanges in 0_usize..20,
            bytes in 0_usize..20_000,
            sizes in prop::collection::vec(0_usize..6_000, 0..40),
        ) {
            let journal = Journal::default();
            let limits = JournalLimits { exchanges, bytes };
            journal.set_limits(limits);
            for (before, size) in (0_u64..).zip(&sizes) {
                let seq = journal.record(record(Method::POST, "/scim/Users", &"x".repeat(*size)));
                prop_assert_eq!(seq, before + 1);
                let size = journal.size();
                prop_assert!(size.exchanges <= exchanges && size.bytes <= bytes, "{:?} in {:?}", size, limits);
                let kept = journal.records(0);
                let weight: usize = kept.iter().map(|(_, record)| record.weight()).sum();
                prop_assert_eq!(weight, size.bytes);
                let seqs: Vec<u64> = kept.iter().map(|(seq, _)| *seq).collect();
                let expected: Vec<u64> = (seq + 1 - kept.len() as u64..=seq).collect();
                prop_assert_eq!(seqs, expected);
            }
        }
    }
}

mod reading {
    use super::*;

    fn operations(method: Method, uri: &str, body: &str) -> Vec<Value> {
        let operations = only(record(method, uri, body)).operations;
        operations.iter().map(|one| serde_json::to_value(one).unwrap()).collect()
    }

    #[test]
    fn operations_are_read_out_of_requests() {
        #[track_caller]
        fn check(method: Method, uri: &str, body: &str, expected: Value) {
            let mut all = operations(method, uri, body);
            // Only what says something.
            for one in &mut all {
                one.as_object_mut().unwrap().retain(|_, value| !value.is_null() && *value != json!([]));
            }
            assert_eq!(Value::from(all), expected, "{uri}");
        }
        use super::Method as M;
        check(
            M::POST,
            "/apps/x/scim/Users",
            r#"{"schemas":[],"username":"a","active":true}"#,
            json!([{"kind": "create", "resourceType": "User", "userName": "a", "attributes": ["active", "username"]}]),
        );
        check(
            M::GET,
            "/scim/Users/a%20b",
            "",
            json!([{"kind": "read", "resourceType": "User", "id": "a b"}]),
        );
        check(
            M::GET,
            "/scim/Users?filter=userName+eq+%22b%40c%22&count=1",
            "",
            json!([{"kind": "list", "resourceType": "User", "filter": "userName eq \"b@c\"", "userName": "b@c"}]),
        );
        check(
            M::POST,
            "/scim/Groups/.search",
            r#"{"filter":"displayName pr"}"#,
            json!([{"kind": "search", "resourceType": "Group", "filter": "displayName pr"}]),
        );
        check(
            M::PATCH,
            "/scim/Users/1",
            r#"{"Operations":[{"op":"Replace","path":"active","value":false},{"op":"add","value":{"title":"x"}}]}"#,
            json!([{"kind": "patch", "resourceType": "User", "id": "1", "attributes": ["title"],
                "patch": [{"op": "Replace", "path": "active"}, {"op": "add", "path": null}]}]),
        );
        check(
            M::PATCH,
            "/scim/Users/1",
            r#"{"op":"replace","path":"userName","value":"new"}"#,
            json!([{"kind": "patch", "resourceType": "User", "id": "1", "userName": "new",
                "patch": [{"op": "replace", "path": "userName"}]}]),
        );
        check(
            M::PUT,
            "/scim/Widgets/1",
            "[]",
            json!([{"kind": "replace", "resourceType": "Widgets", "id": "1"}]),
        );
        check(
            M::DELETE,
            "/scim/Groups/1/",
            "",
            json!([{"kind": "delete", "resourceType": "Group", "id": "1"}]),
        );
        check(M::GET, "/scim/Me", "", json!([{"kind": "me"}]));
        check(M::GET, "/scim", "", json!([{"kind": "list"}]));
        check(M::GET, "/scim/Schemas", "", json!([{"kind": "discovery", "resourceType": "Schemas"}]));
        check(M::POST, "/apps/x/oauth/token", "", json!([{"kind": "token"}]));
        check(M::GET, "/scimitar", "", json!([{"kind": "other"}]));
        check(M::POST, "/scim/Users/1", "{}", json!([{"kind": "other", "resourceType": "User", "id": "1"}]));
        check(
            M::POST,
            "/scim/Bulk",
            r#"{"Operations":[{"method":"post","path":"/Users","data":{"userName":"z"}},{"method":"DELETE","path":"/Groups/7"},3]}"#,
            json!([{"kind": "bulk"},
                {"kind": "create", "resourceType": "User", "userName": "z", "attributes": ["userName"]},
                {"kind": "delete", "resourceType": "Group", "id": "7"}]),
        );
    }

    #[test]
    fn what_the_application_says_counts_more_than_what_can_be_read() {
        let mut record = record(Method::GET, "/scim/Users", "");
        record.scim.push(ScimOperation::of_kind(OperationKind::Me));
        assert_eq!(only(record).operations, [ScimOperation::of_kind(OperationKind::Me)]);
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
        assert_eq!((exchange.status, exchange.took), (0, 1_500));
        assert_eq!(exchange.fault.as_deref(), Some("reset"));
        let json = serde_json::to_value(&exchange).unwrap();
        assert_eq!(serde_json::from_value::<Exchange>(json).unwrap(), exchange);
    }
}

mod asking {
    use super::*;

    /// create bjensen (1), read it with a fault (2), patch it (3), cut a delete (4), list (5).
    fn journal() -> Journal {
        let journal = Journal::of("acme");
        let mut create =
            record(Method::POST, "/scim/Users", r#"{"userName":"BJensen","title":"Tour Guide"}"#);
        create.status = Some(StatusCode::CREATED);
        create.response_body = r#"{"id":"7","userName":"BJensen"}"#.into();
        journal.record(create);
        let mut read = record(Method::GET, "/scim/Users/7", "");
        read.status = Some(StatusCode::SERVICE_UNAVAILABLE);
        read.faults.push("status=503".into());
        journal.record(read);
        let body = r#"{"Operations":[{"op":"replace","path":"active","value":false}]}"#;
        journal.record(record(Method::PATCH, "/scim/Users/7", body));
        let mut delete = record(Method::DELETE, "/scim/Users/7", "");
        delete.status = None;
        delete.changes.push(StateChange {
            resource_type: "User".into(),
            id: "7".into(),
            kind: ChangeKind::Deleted,
            before: Some(r#"{"userName":"bjensen"}"#.into()),
            after: None,
        });
        journal.record(delete);
        let mut list = record(Method::GET, "/scim/Groups?count=1", "");
        list.response_body = r#"{"Resources":[{"userName":"bjensen"}]}"#.into();
        journal.record(list);
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
            "`usrName` is nothing that the journal can be asked for, did you mean `userName`?; what is: method",
        );
        check("zzz=1", "`zzz` is nothing that the journal can be asked for; what is: method, path");
        check("id=1&id=2", "`id` is there twice");
        check(
            "status=9x",
            "`9x` doesn't fit `status`, which takes a status like 404, a class like 4xx, or none",
        );
        check("fault=yes", "`yes` doesn't fit `fault`, which takes true or false");
        check("limit=-1", "`-1` doesn't fit `limit`, which takes a number");
        check("operation=patc", "`patc` doesn't fit `operation`, which takes create, read");
        check("order=up", "`up` doesn't fit `order`, which takes oldest or newest");
    }
}

mod following {
    use super::*;

    fn seqs(all: &[Exchange]) -> Vec<u64> {
        all.iter().map(|exchange| exchange.seq).collect()
    }

    #[tokio::test]
    async fn a_wait_counts_what_is_there_and_what_comes() {
        let journal = Journal::of("acme");
        journal.record(record(Method::POST, "/scim/Users", ""));
        let waiting = journal.clone();
        let query = JournalQuery::new().method("POST");
        let waiter =
            tokio::spawn(async move { waiting.wait_for(query, 2, Duration::from_secs(600)).await.unwrap() });
        tokio::task::yield_now().await;
        journal.record(record(Method::GET, "/scim/Users", ""));
        journal.record(record(Method::POST, "/scim/Users", ""));
        assert_eq!(seqs(&waiter.await.unwrap()), [1, 3]);
    }

    #[tokio::test]
    async fn a_wait_ends_with_what_came() {
        let journal = Journal::of("acme");
        journal.record(record(Method::POST, "/scim/Users", ""));
        let error = journal.wait_for(JournalQuery::new(), 2, Duration::from_millis(5)).await.unwrap_err();
        assert_eq!(seqs(&error.came), [1]);
        assert_eq!(error.to_string(), "see 2 matching exchanges within 5ms: 1 came");
        assert!(journal.wait_for(JournalQuery::new(), 1, Duration::ZERO).await.is_ok());
    }

    #[tokio::test]
    async fn a_follower_gets_what_comes_in_order_and_only_what_was_asked_for() {
        let journal = Journal::of("acme");
        journal.record(record(Method::POST, "/scim/Users", ""));
        let mut live = journal.subscribe(JournalQuery::new().method("POST"));
        journal.record(record(Method::GET, "/scim/Users", ""));
        journal.record(record(Method::POST, "/scim/Users", ""));
        let first = live.next().await.unwrap();
        let json = serde_json::to_value(&first).unwrap();
        assert_eq!((&json["type"], &json["exchange"]["seq"]), (&json!("exchange"), &json!(3)));
        drop(journal);
        assert_eq!(live.next().await, None);
    }

    #[tokio::test]
    async fn a_slow_follower_is_told_how_much_it_missed() {
        let journal = Journal::of("acme");
        journal.set_limits(JournalLimits { exchanges: 2, ..JournalLimits::default() });
        let mut live = journal.subscribe(JournalQuery::new());
        for _ in 0..5 {
            journal.record(record(Method::GET, "/scim/Users", ""));
        }
        assert_eq!(live.next().await, Some(Live::Lagged { missed: 3 }));
        for seq in [4, 5] {
            let Some(Live::Exchange { exchange }) = live.next().await else { panic!("an exchange") };
            assert_eq!(exchange.seq, seq);
        }
    }

    #[tokio::test]
    async fn the_past_can_be_followed_too() {
        let journal = Journal::of("acme");
        journal.record(record(Method::GET, "/scim/Users", ""));
        let mut live = journal.subscribe(JournalQuery::new().since(0));
        assert!(matches!(live.next().await, Some(Live::Exchange { exchange }) if exchange.seq == 1));
    }

    #[tokio::test]
    async fn records_of_many_threads_all_arrive_once() {
        let journal = Journal::of("acme");
        let live = journal.subscribe(JournalQuery::new());
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let journal = journal.clone();
                std::thread::spawn(move || {
                    for _ in 0..50 {
                        journal.record(record(Method::GET, "/scim/Users", ""));
                    }
                })
            })
            .collect();
        let came: Vec<Live> = live.take(200).collect().await;
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let seqs: Vec<u64> = came
            .iter()
            .map(|live| match live {
                Live::Exchange { exchange } => exchange.seq,
                Live::Lagged { .. } => 0,
            })
            .collect();
        assert_eq!(seqs, (1..=200).collect::<Vec<u64>>());
    }
}

mod exporting {
    use super::*;

    #[test]
    fn an_archive_has_what_the_format_asks_for() {
        let mut record = with_headers(
            record(Method::POST, "/scim/Users?attributes=a%2Cb&x", r#"{"userName":"a"}"#),
            &[("content-type", "application/scim+json"), ("content-length", "16")],
        );
        record.status = Some(StatusCode::CREATED);
        record
            .response_headers
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
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
            "_dialects": [],
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
        journal.record(record(Method::GET, "/scim/Users/1", ""));
        let mut cut = record(Method::PATCH, "/scim/Users/1", "12345");
        cut.status = None;
        cut.faults.push("reset path=\"/Users/*\"".into());
        journal.record(cut);
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
            r#"mock_aquera_request_duration_seconds_bucket{application="acme",le="0.001"} 0"#,
            r#"mock_aquera_request_duration_seconds_bucket{application="acme",le="0.005"} 2"#,
            r#"mock_aquera_request_duration_seconds_bucket{application="acme",le="+Inf"} 2"#,
            r#"mock_aquera_request_duration_seconds_sum{application="acme"} 0.003000"#,
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
}
