//! Dates and times are `xsd:dateTime` wherever one is written, and are ordered as the calendar is (RFC 7643 §2.3.5,
//! RFC 7644 §3.4.2.2).

use mock_aquera::{MockAquera, NoteKind, Profile};
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::client::{Client, start, user};

const APP: &str = "/applications/default";
const DEVICE: &str = "urn:example:Device";

async fn total(client: &Client, path: &str, filter: &str) -> Value {
    client.query(path, &[("filter", filter)]).await.json()["totalResults"].clone()
}

#[tokio::test]
async fn filters_know_dates_that_are_never_reached() {
    for profile in ["aquera", "strict"] {
        let profile = Profile::builtin(profile).unwrap();
        let mock = MockAquera::builder().profile(profile).start().await.unwrap();
        let client = Client::of(&mock);
        for name in ["ann", "bob"] {
            assert_eq!(client.post("/Users", &user(name, json!({}))).await.status, 201);
        }
        for (filter, finds) in [
            ("meta.created lt \"9999-12-30T00:00:00Z\"", 2),
            ("meta.created lt \"9999-12-31T23:59:59Z\"", 2),
            ("meta.created le \"9999-12-31T00:00:00Z\"", 2),
            ("meta.created lt \"10000-01-01T00:00:00Z\"", 2),
            ("meta.created ne \"9999-12-31T23:59:59Z\"", 2),
            ("meta.created gt \"-12020-01-01T00:00:00Z\"", 2),
            ("meta.created gt \"9999-12-31T23:59:59Z\"", 0),
        ] {
            assert_eq!(total(&client, "/Users", filter).await, json!(finds), "{filter}");
            let notes = mock.default_application().journal().pop().unwrap().notes;
            assert!(notes.is_empty(), "{filter}: {notes:?}");
        }
        assert_eq!(total(&client, "/Users", "meta.created lt \"soon\"").await, json!(0));
        let notes = mock.default_application().journal().pop().unwrap().notes;
        assert_eq!(notes[0].kind, NoteKind::NeverMatches);
    }
}

#[tokio::test]
async fn stored_dates_of_any_year_are_ordered_by_the_calendar() {
    let schema = json!({"id": DEVICE, "name": "Device", "attributes": [
        {"name": "made", "type": "dateTime", "uniqueness": "server"}]});
    let kind = json!({"name": "Device", "endpoint": "/Devices", "schema": DEVICE});
    let mock = MockAquera::builder().schema(schema).resource_type(kind).start().await.unwrap();
    let client = Client::of(&mock);
    let made =
        ["-12020-01-01T00:00:00Z", "2020-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "12020-01-01T00:00:00Z"];
    let post = |made: &str| {
        let (client, body) = (&client, json!({"schemas": [DEVICE], "made": made}));
        async move { client.post("/Devices", &body).await }
    };
    for made in made.iter().rev() {
        assert_eq!(post(made).await.status, 201, "{made}");
    }
    post("9999-12-31T23:59:59.0Z").await.scim_error(409, Some("uniqueness"));
    for (filter, finds) in [
        ("made gt \"2021-01-01T00:00:00Z\"", 2),
        ("made le \"9999-12-31T23:59:59Z\"", 3),
        ("made eq \"9999-12-31T23:59:59.000Z\"", 1),
        ("made ne \"9999-12-31T23:59:59.000Z\"", 3),
        ("made lt \"2020-01-01T00:00:00Z\"", 1),
    ] {
        assert_eq!(total(&client, "/Devices", filter).await, json!(finds), "{filter}");
    }
    let walk = client.get("/Devices?sortBy=made").await.json();
    let sorted: Vec<&str> =
        walk["Resources"].as_array().unwrap().iter().map(|device| device["made"].as_str().unwrap()).collect();
    assert_eq!(sorted, made);
    // A cursor holds what the walk came to.
    let first = client.get("/Devices?sortBy=made&count=3&cursor").await.json();
    let cursor = first["nextCursor"].as_str().unwrap();
    let rest =
        client.query("/Devices", &[("sortBy", "made"), ("count", "3"), ("cursor", cursor)]).await.json();
    assert_eq!(rest["Resources"][0]["made"], json!(made[3]), "{rest}");
}

#[tokio::test]
async fn one_reader_takes_dates_everywhere() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    let sent = async |at: &str, body: Value| admin.post(&format!("{APP}/{at}"), body).await;
    for (nth, (text, instant)) in [
        ("2036-01-31T24:00:00Z", Some("2036-02-01T00:00:00.000Z")),
        ("2036-01-31T12:00:00+14:00", Some("2036-01-30T22:00:00.000Z")),
        ("2036-01-31T12:00:00", Some("2036-01-31T12:00:00.000Z")),
        ("-0044-03-15T12:00:00Z", Some("-0044-03-15T12:00:00.000Z")),
        ("2036-01-31 12:00:00Z", None),
        ("2036-01-31t12:00:00z", None),
        ("2036-01-31T12:00:00-24:00", None),
        ("2036-01-31T12:00Z", None),
        ("2036-01-31", None),
        ("yesterday", None),
        // No clock comes there.
        ("9999-12-31T23:59:59Z", None),
    ]
    .into_iter()
    .enumerate()
    {
        let clock = sent("clock", json!({"now": text, "freeze": true})).await;
        let rule = sent("faults", json!({"rule": format!("status=503 from=\"{text}\" times=always")})).await;
        let load = json!({"id": format!("u{nth}"), "userName": format!("u{nth}"), "meta": {"created": text}});
        let load = sent("load", load).await;
        if let Some(instant) = instant {
            assert_eq!((clock.status, &clock.json()["now"]), (200, &json!(instant)), "{text}");
            assert_eq!(rule.status, 201, "{text}: {rule:?}");
            assert_eq!(load.status, 201, "{text}: {load:?}");
            let shown = mock.default_application().user(&format!("u{nth}")).unwrap();
            assert_eq!(shown["meta"]["created"], json!(instant), "{text}");
            // What the server writes, it reads.
            let dump = admin.get(&format!("{APP}/dump?format=ndjson")).await.text;
            assert_eq!(admin.load(&format!("{APP}/load?replace"), dump).await.status, 201, "{text}");
        } else {
            assert_eq!((clock.status, rule.status, load.status), (400, 400, 400), "{text}");
            assert!(clock.text.contains("`now`") && clock.text.contains(text), "{clock:?}");
            assert!(rule.text.contains("from") && rule.text.contains(text), "{rule:?}");
            let problem = load.json()["problems"][0].clone();
            let detail = problem["detail"].as_str().unwrap();
            assert_eq!((&problem["line"], &problem["column"]), (&json!(1), &json!(1)));
            assert!(detail.contains("meta.created") && detail.contains(text), "{detail}");
        }
    }
    for meta in [json!({"created": 5}), json!({"lastModified": "soon"}), json!({"lastModified": {}})] {
        let load = sent("load", json!({"userName": "x", "meta": meta})).await;
        assert_eq!(load.status, 400, "{meta}");
        assert!(load.text.contains("meta."), "{load:?}");
    }
    let unchecked = json!({"userName": "y", "meta": {"created": "soon"}}).to_string();
    let unchecked = admin.send(Method::POST, &format!("{APP}/load?unchecked"), unchecked).await;
    assert_eq!(unchecked.status, 400, "a date that is none can't be kept");
}
