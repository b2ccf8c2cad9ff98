//! The journal over HTTP: questions, waiting, following, export, assertions, metrics.

use std::time::Duration;

use mock_aquera::MockAquera;
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::client::{Answer, Client, start, user};

const JOURNAL: &str = "/applications/default/journal";

fn seqs(exchanges: &Value) -> Vec<u64> {
    exchanges.as_array().unwrap().iter().map(|exchange| exchange["seq"].as_u64().unwrap()).collect()
}

/// 1: POST ida, 2: POST bob, 3: PATCH title of ida, 4: GET nobody (404), 5: list by filter, 6: struck by a fault,
/// 7: DELETE bob.
async fn some_history(mock: &MockAquera) -> (String, String) {
    let scim = Client::of(mock);
    let ida = scim.post("/Users", &user("ida", json!({"title": "Buyer"}))).await.id();
    let bob = scim.post("/Users", &user("bob", json!({}))).await.id();
    scim.patch(&format!("/Users/{ida}"), &json!([{"op": "replace", "path": "title", "value": "Nurse"}]))
        .await;
    scim.get("/Users/nobody").await;
    scim.query("/Users", &[("filter", "userName eq \"ida\"")]).await;
    mock.default_application().add_fault(mock_aquera::Fault::status(503));
    scim.get("/Groups").await;
    scim.delete(&format!("/Users/{bob}")).await;
    (ida, bob)
}

#[tokio::test]
async fn each_criterion_of_a_question_counts() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    let (ida, bob) = some_history(&mock).await;
    let check = async |query: &str, expected: &[u64]| {
        let found = admin.read(&format!("{JOURNAL}{query}")).await;
        assert_eq!(seqs(&found), expected, "{query}");
        let archive = admin.read(&format!("{JOURNAL}/har{query}")).await;
        assert_eq!(archive["log"]["entries"].as_array().unwrap().len(), expected.len(), "{query}");
    };
    check("", &[1, 2, 3, 4, 5, 6, 7]).await;
    check("?method=patch", &[3]).await;
    check("?path=/Users/*", &[3, 4, 7]).await;
    check("?path=/scim/Users", &[1, 2, 5]).await;
    check("?operation=create", &[1, 2]).await;
    check("?resourceType=Group", &[6]).await;
    check(&format!("?id={bob}"), &[2, 7]).await;
    check("?userName=IDA", &[1, 3, 5]).await;
    check("?patchPath=title", &[3]).await;
    check("?status=404", &[4]).await;
    check("?status=5xx", &[6]).await;
    check("?fault=true", &[6]).await;
    check("?sinceSeq=5", &[6, 7]).await;
    check("?contains=nurse", &[3, 5]).await;
    check("?limit=2", &[1, 2]).await;
    check("?limit=2&order=newest", &[7, 6]).await;
    check(&format!("?method=PATCH&id={ida}&user-name=ida"), &[3]).await;
    check("?method=PUT", &[]).await;

    for (query, part) in [
        ("?metod=GET", "did you mean `method`?"),
        ("?status=abc", "`status`"),
        ("?method=GET&method=PUT", "twice"),
        ("?operation=dance", "create"),
        ("?operation=creat", "did you mean `create`?"),
        ("?method=POTS", "`method=POTS` can never match: there is no method `POTS`; did you mean `POST`?"),
        ("?path=/Usrs", "did you mean `/Users`?"),
        ("?path=/apps/hr/scim/Users", "the journal of the application `default`"),
        ("?resourceType=Usr", "did you mean `User`?"),
        ("?status=999", "a status from 200 to 599"),
    ] {
        for path in ["", "/har", "/wait", "/stream"] {
            admin.refused(Method::GET, &format!("{JOURNAL}{path}{query}"), "", 400, part).await;
        }
    }
    for path in ["", "/har"] {
        let query = format!("{JOURNAL}{path}?order=random");
        admin.refused(Method::GET, &query, "", 400, "oldest or newest").await;
    }
}

#[tokio::test]
async fn the_journal_is_emptied_and_bounded() {
    let mock = start().await;
    let (admin, scim) = (Admin::of(&mock), Client::of(&mock));
    some_history(&mock).await;
    let at = format!("{JOURNAL}/limits");
    let usual = admin.read(&at).await;
    assert_eq!(usual["limits"], json!({"exchanges": 1000, "bytes": 8 * 1024 * 1024}));
    assert_eq!((&usual["size"]["exchanges"], &usual["size"]["lastSeq"]), (&json!(7), &json!(7)));
    let smaller = admin.put(&at, json!({"exchanges": 2})).await;
    assert_eq!(smaller.status, 200);
    assert_eq!(smaller.json()["limits"], json!({"exchanges": 2, "bytes": 8 * 1024 * 1024}));
    assert_eq!(smaller.json()["size"]["exchanges"], json!(2));
    assert_eq!(seqs(&admin.read(JOURNAL).await), [6, 7]);
    admin.refused(Method::PUT, &at, r#"{"exchange":2}"#, 400, "`exchanges`").await;
    admin.refused(Method::PUT, &at, r#"{"exchanges":-2}"#, 400, "-2").await;

    assert_eq!(admin.delete(JOURNAL).await.status, 204);
    assert_eq!(admin.read(JOURNAL).await, json!([]));
    scim.get("/Users").await;
    assert_eq!(seqs(&admin.read(JOURNAL).await), [8], "the numbers go on");
}

#[tokio::test]
async fn an_exchange_tells_all_but_secrets() {
    let mock = start().await;
    let (admin, scim) = (Admin::of(&mock), Client::of(&mock));
    let id = scim.post("/Users", &user("ida", json!({"password": "hunter2"}))).await.id();
    let told = admin.read(JOURNAL).await;
    let exchange = &told[0];
    assert_eq!((&exchange["method"], &exchange["path"]), (&json!("POST"), &json!("/scim/Users")));
    assert_eq!((&exchange["status"], &exchange["application"]), (&json!(201), &json!("default")));
    assert_eq!(exchange["operations"][0]["kind"], json!("create"));
    assert_eq!(exchange["downstream"], json!([{"operation": "create", "target": id, "accepted": true}]));
    assert_eq!(exchange["changes"][0]["kind"], json!("created"));
    let archive = admin.get(&format!("{JOURNAL}/har")).await;
    assert_eq!(archive.header("content-disposition"), "attachment; filename=\"default.har\"");
    let archived = archive.json();
    assert_eq!(archived["log"]["version"], json!("1.2"));
    assert_eq!(archived["log"]["entries"][0]["request"]["url"], json!(format!("{}/Users", mock.scim_url())));
    for text in [told.to_string(), archive.text] {
        assert!(!text.contains("hunter2") && !text.contains("mock-token"), "{text}");
    }
}

#[tokio::test]
async fn whoever_waits_is_answered_when_enough_have_come() {
    let mock = start().await;
    let (admin, scim) = (Admin::of(&mock), Client::of(&mock));
    let at = format!("{JOURNAL}/wait");
    scim.get("/Users").await;
    let there = admin.read(&format!("{at}?method=GET")).await;
    assert_eq!(seqs(&there["exchanges"]), [1], "what is there already counts");

    let body = json!({"request": {"method": "POST", "userName": "bob"}, "count": 2, "timeout": "PT60S"});
    let three = format!("{at}?method=POST&count=3&timeout=60s&sinceSeq=1");
    let (by_get, by_post, ()) = tokio::join!(admin.get(&three), admin.post(&at, body), async {
        for name in ["ida", "bob", "bob"] {
            scim.post("/Users", &user(name, json!({}))).await;
        }
    });
    assert_eq!((by_get.status, seqs(&by_get.json()["exchanges"])), (200, vec![2, 3, 4]));
    assert_eq!((by_post.status, seqs(&by_post.json()["exchanges"])), (200, vec![3, 4]));

    let too_few = async |answer: Answer| {
        assert_eq!((answer.status, seqs(&answer.json()["exchanges"])), (408, vec![1]), "{answer:?}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains("2 matching exchanges") && error.contains("1 came"), "{error}");
    };
    too_few(admin.get(&format!("{at}?method=GET&count=2&timeout=10ms")).await).await;
    too_few(admin.post(&at, json!({"request": {"method": "GET"}, "count": 2, "timeout": 0.01})).await).await;
    assert_eq!(admin.get(&format!("{at}?count=0")).await.json(), json!({"exchanges": []}));

    for query in ["?count=many", "?timeout=soon", "?timeout=-1s", "?count=1&count=2"] {
        admin.refused(Method::GET, &format!("{at}{query}"), "", 400, "the query is not usable").await;
    }
    let most = "the journal holds 1000 at most";
    admin.refused(Method::GET, &format!("{at}?count=1000000"), "", 400, most).await;
    admin.refused(Method::POST, &at, r#"{"count":1001}"#, 400, most).await;
    for (body, part) in [
        (r#"{"timeout":"soon"}"#, "`soon`"),
        (r#"{"method":"GET"}"#, "unknown key `method`"),
        (r#"{"request":{"metod":"GET"}}"#, "`metod`"),
        (r#"{"count":"two"}"#, "two"),
        (r#"{"request":{"limit":1}}"#, "`count` says how many"),
        (r#"{"request":{"order":"newest"}}"#, "`order`"),
    ] {
        admin.refused(Method::POST, &at, body, 400, part).await;
    }
}

/// What has come of a stream of events, up to so many blank lines.
async fn events(response: &mut reqwest::Response, seen: &mut String, count: usize) -> Vec<String> {
    while seen.matches("\n\n").count() < count {
        seen.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
    }
    seen.split("\n\n").take(count).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_journal_is_followed_live() {
    let mock = start().await;
    let (admin, scim) = (Admin::of(&mock), Client::of(&mock));
    let at = format!("{JOURNAL}/stream");
    scim.get("/Users").await;
    let mut response = admin.request(Method::GET, &format!("{at}?method=POST")).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    scim.get("/Users").await;
    scim.post("/Users", &user("ida", json!({"password": "hunter2"}))).await;
    scim.post("/Users", &user("bob", json!({}))).await;
    let mut seen = String::new();
    let told = events(&mut response, &mut seen, 2).await;
    for (event, (seq, name)) in told.iter().zip([(3, "ida"), (4, "bob")]) {
        let line =
            |field: &str| event.lines().find_map(|line| line.strip_prefix(field)).unwrap().trim().to_owned();
        assert_eq!(line("id:"), seq.to_string());
        let exchange: Value = serde_json::from_str(&line("data:")).unwrap();
        assert_eq!((&exchange["seq"], &exchange["requestBody"]["userName"]), (&json!(seq), &json!(name)));
        assert!(
            !event.contains("hunter2") && !event.contains("mock-token") && !event.contains("event:"),
            "{event}"
        );
    }

    // Taken up again where it broke off.
    let request = admin.request(Method::GET, &at).header("last-event-id", "3");
    let mut response = request.send().await.unwrap();
    assert!(events(&mut response, &mut String::new(), 1).await[0].contains("id: 4"));

    // What was forgotten meanwhile is told.
    mock.default_application()
        .set_journal_limits(mock_aquera::JournalLimits { exchanges: 1, ..Default::default() });
    let mut response = admin.request(Method::GET, &format!("{at}?sinceSeq=1")).send().await.unwrap();
    let told = events(&mut response, &mut String::new(), 2).await;
    assert!(told[0].contains("event: lagged") && told[0].contains(r#"data: {"missed":2}"#), "{told:?}");
    assert!(told[1].contains("id: 4"), "{told:?}");

    // The application gone, there is nothing to follow.
    assert_eq!(admin.delete("/applications/default").await.status, 204);
}

#[tokio::test]
async fn followers_and_waiters_hold_up_no_stop() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    let mut response = admin.request(Method::GET, &format!("{JOURNAL}/stream")).send().await.unwrap();
    let waiting = admin.request(Method::GET, &format!("{JOURNAL}/wait?timeout=10m"));
    let waiting = tokio::spawn(waiting.send());
    // Gives the other task the time to send it.
    assert_eq!(admin.get("/health").await.status, 200);
    let stopping = tokio::time::timeout(Duration::from_secs(20), mock.stop());
    let (stopped, chunk) = tokio::join!(stopping, response.chunk());
    stopped.unwrap();
    assert!(chunk.unwrap().is_none(), "the stream ends as one that is whole");
    // Its head may come only after the end began: then it is refused and not answered.
    if let Ok(answer) = waiting.await.unwrap() {
        assert_eq!(answer.status(), 503);
    }
}

#[tokio::test]
async fn what_came_is_held_against_what_was_expected() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    some_history(&mock).await;
    let at = "/applications/default/verify";
    let verify = async |expectation: Value| {
        let answer = admin.post(at, expectation).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let met = verify(json!({
        "request": {"method": "PATCH", "userName": "ida"},
        "bodyAt": {"/Operations/0/path": "title"},
        "times": {"exactly": 1},
    }))
    .await;
    assert_eq!((&met["satisfied"], &met["matched"], &met["lookedAt"]), (&json!(true), &json!(1), &json!(7)));
    assert_eq!((&met["matches"][0]["seq"], &met["nearestMiss"]), (&json!(3), &Value::Null));

    let missed = verify(json!({
        "request": {"method": "PATCH", "userName": "ida"},
        "bodyAt": {"/Operations/0/path": "active"},
    }))
    .await;
    assert_eq!((&missed["satisfied"], &missed["matched"]), (&json!(false), &json!(0)));
    assert_eq!(missed["nearestMiss"]["seq"], json!(3));
    let difference = r#"body /Operations/0/path is "title", expected "active""#;
    assert_eq!(missed["nearestMiss"]["differences"], json!([difference]));
    assert!(missed["explanation"].as_str().unwrap().contains(difference), "{missed}");

    let too_many = verify(json!({"request": {"method": "POST"}, "times": "never"})).await;
    assert_eq!((&too_many["satisfied"], &too_many["matched"]), (&json!(false), &json!(2)));
    let any = verify(json!({"times": {"atLeast": 1}})).await;
    assert_eq!(any["satisfied"], json!(true));

    for (body, part) in [
        (r#"{"method":"GET"}"#, "`method`"),
        (r#"{"times":{"exactly":"one"}}"#, "one"),
        (r#"{"times":"twice"}"#, "twice"),
        (r#"{"request":{"status":"abc"}}"#, "a class like 4xx"),
        ("", "is empty"),
    ] {
        admin.refused(Method::POST, at, body, 400, part).await;
    }
}

#[tokio::test]
async fn metrics_are_there_for_all_applications() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    some_history(&mock).await;
    admin.put("/applications/hr", json!({})).await;
    let metrics = admin.get("/metrics").await;
    assert_eq!(
        (metrics.status, metrics.header("content-type")),
        (200, "text/plain; version=0.0.4; charset=utf-8")
    );
    for line in [
        r#"mock_aquera_requests_total{application="default",method="POST",status="2xx"} 2"#,
        r#"mock_aquera_requests_total{application="default",method="GET",status="5xx"} 1"#,
        r#"mock_aquera_scim_operations_total{application="default",operation="create"} 2"#,
        r#"mock_aquera_faults_struck_total{application="default",rule="status=503"} 1"#,
        r#"mock_aquera_resources{application="default",type="User"} 1"#,
        r#"mock_aquera_resources{application="hr",type="Group"} 0"#,
        r#"mock_aquera_journal_exchanges{application="default"} 7"#,
        r#"mock_aquera_faults{application="default"} 0"#,
    ] {
        assert!(metrics.text.lines().any(|found| found == line), "{line}\n{}", metrics.text);
    }
    let types =
        metrics.text.lines().filter(|line| line.starts_with("# TYPE mock_aquera_requests_total")).count();
    assert_eq!(types, 1);
}
