//! What had no effect is told in the journal, with what was probably meant.

use mock_aquera::{Application, NoteKind};
use serde_json::{Value, json};

use crate::client::{Client, start, user};

/// Paths and nearest names of the notes on the last exchange.
fn last(app: &Application) -> Vec<(NoteKind, String, Option<String>)> {
    let last = app.journal().pop().unwrap();
    last.notes.into_iter().map(|note| (note.kind, note.path, note.nearest)).collect()
}

fn dropped(path: &str, nearest: &str) -> (NoteKind, String, Option<String>) {
    (NoteKind::Dropped, path.to_owned(), Some(nearest.to_owned()))
}

#[tokio::test]
async fn attributes_that_were_left_out_are_noted_with_the_nearest_name() {
    let mock = start().await;
    let (app, client) = (mock.default_application(), Client::of(&mock));
    let body =
        user("ida", json!({"firstName": "Ida", "emails": [{"valu": "i@x", "value": "i@example.com"}]}));
    let made = client.post("/Users", &body).await;
    assert_eq!(made.status, 201);
    let expected = [dropped("emails[0].valu", "emails[0].value"), dropped("firstName", "name.givenName")];
    assert_eq!(last(&app), expected);
    let path = format!("/Users/{}", made.id());
    assert_eq!(client.put(&path, &body).await.status, 200);
    assert_eq!(last(&app), expected);
    let operations = json!([
        {"op": "replace", "value": {"lastName": "L", "title": "t"}},
        {"op": "add", "path": "emails", "value": [{"value": "b@x"}, {"value": "c@x", "kind": "work"}]},
        {"op": "replace", "path": "name", "value": {"givenNam": "I", "familyName": "L"}},
    ]);
    assert_eq!(client.patch(&path, &operations).await.status, 200);
    assert_eq!(
        last(&app)[..],
        [
            dropped("lastName", "name.familyName"),
            (NoteKind::Dropped, "emails[1].kind".to_owned(), None),
            dropped("name.givenNam", "name.givenName"),
        ]
    );
    let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
        {"method": "POST", "path": "/Users", "bulkId": "a", "data": user("eve", json!({"surname": "V"}))}]});
    assert_eq!(client.post("/Bulk", &bulk).await.status, 200);
    assert_eq!(last(&app), [dropped("surname", "name.familyName")]);
    // Nothing to say of what has its effect.
    let fine = user("zoe", json!({"groups": [], "title": "t"}));
    assert_eq!(client.post("/Users", &fine).await.status, 201);
    assert_eq!(last(&app), []);
    assert_eq!(client.get(&path).await.status, 200);
    assert_eq!(last(&app), []);
    let many: serde_json::Map<String, Value> = (0..50).map(|n| (format!("own{n}"), json!(n))).collect();
    assert_eq!(client.post("/Users", &user("many", Value::Object(many))).await.status, 201);
    let notes = app.journal().pop().unwrap().notes;
    assert_eq!((notes.len(), notes[20].text.as_str()), (21, "and 30 more"));
    let many: serde_json::Map<String, Value> = (0..50).map(|n| (format!("own{n}"), json!(n))).collect();
    assert_eq!(client.patch(&path, &json!([{"op": "add", "value": many}])).await.status, 200);
    assert_eq!(app.journal().pop().unwrap().notes[20].text, "and 30 more");
}

#[tokio::test]
async fn parameters_and_members_that_nothing_knows_are_noted() {
    let mock = start().await;
    let (app, client) = (mock.default_application(), Client::of(&mock));
    let id = client.post("/Users", &user("ida", json!({}))).await.id();
    let passed =
        |path: &str, nearest: Option<&str>| (NoteKind::Dropped, path.to_owned(), nearest.map(str::to_owned));
    for (query, path, nearest) in [
        ("filtr=userName+pr", "filtr", Some("filter")),
        ("cout=2", "cout", Some("count")),
        ("limit=2", "limit", Some("count")),
        ("page=2", "page", Some("startIndex")),
        ("zzz=2", "zzz", None),
        ("sortOrder=up", "sortOrder", None),
        ("sortOrder=descendin", "sortOrder", Some("descending")),
        ("attributes=userNam", "userNam", Some("userName")),
        ("excludedAttributes=nope", "nope", None),
        ("attributes=emails.valu", "emails.valu", Some("emails.value")),
    ] {
        assert_eq!(client.get(&format!("/Users?{query}")).await.status, 200, "{query}");
        assert_eq!(last(&app), [passed(path, nearest)], "{query}");
    }
    assert_eq!(client.get(&format!("/Users/{id}?attributes=userName,titel&x=1")).await.status, 200);
    assert_eq!(last(&app), [passed("titel", Some("title")), passed("x", None)]);
    let fine =
        "/Users?startindex=1&COUNT=2&sortBy=title&sortOrder=Descending&attributes=emails.value,schemas,meta";
    assert_eq!(client.get(fine).await.status, 200);
    assert_eq!(last(&app), []);
    let search = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "cout": 1,
        "attributes": ["userNam"]});
    assert_eq!(client.post("/Users/.search", &search).await.status, 200);
    assert_eq!(last(&app), [passed("userNam", Some("userName")), passed("cout", Some("count"))]);
    let operations = json!([{"op": "replace", "path": "title", "value": "t", "valeu": "x"}]);
    assert_eq!(client.patch(&format!("/Users/{id}"), &operations).await.status, 200);
    assert_eq!(last(&app), [passed("valeu", Some("value"))]);
    let operations = json!([{"op": "remove", "path": "emails[value eq 5]"}]);
    assert_eq!(client.patch(&format!("/Users/{id}"), &operations).await.status, 200);
    assert_eq!(last(&app), [(NoteKind::NeverMatches, "emails.value".to_owned(), None)]);
    let body = user(
        "eve",
        json!({"id": "own", "meta": {"version": "1"}, "groups": [{"value": "g"}],
        "schemas": [crate::client::USER, "urn:example:nobody"]}),
    );
    assert_eq!(client.post("/Users", &body).await.status, 201);
    let mut paths: Vec<String> = last(&app).into_iter().map(|(_, path, _)| path).collect();
    paths.sort();
    assert_eq!(paths, ["groups", "id", "meta", "urn:example:nobody"]);
    // A resource that is written back as it was read says nothing new.
    let read = client.get(&format!("/Users/{id}")).await.json();
    assert_eq!(client.put(&format!("/Users/{id}"), &read).await.status, 200);
    assert_eq!(last(&app), []);
}

#[tokio::test]
async fn attributes_that_the_profile_leaves_out_are_noted() {
    for (profile, more, path) in [
        ("no-title", json!({"title": "t"}), "title"),
        ("drops-email-type", json!({"emails": [{"value": "a@b.example", "type": "work"}]}), "emails.type"),
    ] {
        let profile = mock_aquera::Profile::builtin(profile).unwrap();
        let mock = mock_aquera::MockAquera::builder().profile(profile).start().await.unwrap();
        let (app, client) = (mock.default_application(), Client::of(&mock));
        assert_eq!(client.post("/Users", &user("ida", more)).await.status, 201);
        assert_eq!(last(&app), [(NoteKind::Dropped, path.to_owned(), None)]);
        assert!(app.journal().pop().unwrap().notes[0].text.contains("profile"));
    }
    let profile = mock_aquera::Profile::builtin("family-name-ignored").unwrap();
    let mock = mock_aquera::MockAquera::builder().profile(profile).start().await.unwrap();
    let (app, client) = (mock.default_application(), Client::of(&mock));
    let id = client.post("/Users", &user("ida", json!({"name": {"familyName": "A"}}))).await.id();
    let operations = json!([{"op": "replace", "path": "name.familyName", "value": "B"}]);
    assert_eq!(client.patch(&format!("/Users/{id}"), &operations).await.status, 200);
    assert_eq!(last(&app), [(NoteKind::Dropped, "name.familyName".to_owned(), None)]);
}

#[tokio::test]
async fn comparisons_that_nothing_satisfies_are_noted() {
    let mock = start().await;
    let (app, client) = (mock.default_application(), Client::of(&mock));
    let never = |path: &str| (NoteKind::NeverMatches, path.to_owned(), None);
    let list = client.query("/Users", &[("filter", "active eq \"true\"")]).await;
    assert_eq!((list.status, &list.json()["totalResults"]), (200, &json!(0)));
    assert_eq!(last(&app), [never("active")]);
    let text = app.journal().pop().unwrap().notes[0].text.clone();
    assert!(text.contains("without quotes"), "{text}");
    // A walk over many resources is answered aside.
    for n in 0..600 {
        app.seed_user(json!({"userName": format!("u{n}")}));
    }
    let search = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": "title eq 1 or emails[primary eq \"true\"]"});
    assert_eq!(client.post("/Users/.search", &search).await.status, 200);
    assert_eq!(last(&app), [never("title"), never("emails.primary")]);
    assert_eq!(client.query("/Users", &[("filter", "active eq true")]).await.status, 200);
    assert_eq!(last(&app), []);
}
