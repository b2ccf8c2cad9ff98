//! What had no effect is told in the journal, with what was probably meant.

mod nearest;

use mock_aquera::{Application, MockAquera, NoteKind};
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
async fn what_the_profile_does_to_a_request_is_noted_and_in_its_line() {
    let title = json!({"op": "replace", "path": "title", "value": "t"});
    let given = json!({"op": "replace", "path": "name.givenName", "value": "G"});
    let active = json!({"op": "replace", "path": "active", "value": false});
    for (profile, operation, path) in [
        ("swallows-dotted-paths", Some(&given), "name.givenName"),
        ("put-clears-active", None, "active"),
        ("patch-ignored-200", Some(&given), "name.givenName"),
        ("patch-ignored-200", Some(&active), "active"),
        ("patch-ignored-204", Some(&title), "title"),
        ("patch-lies-200", Some(&given), "name.givenName"),
        ("patch-lies-200", Some(&active), "active"),
    ] {
        let lines = Lines::default();
        let built = MockAquera::builder().profile(mock_aquera::Profile::builtin(profile).unwrap());
        let mock = built.request_log(lines.clone()).start().await.unwrap();
        let (app, client) = (mock.default_application(), Client::of(&mock));
        let at = format!("/Users/{}", client.post("/Users", &user("ida", json!({}))).await.id());
        match operation {
            Some(operation) => client.patch(&at, &json!([operation])).await,
            None => client.put(&at, &user("ida", json!({}))).await,
        };
        let notes = app.journal().pop().unwrap().notes;
        assert_eq!(notes.len(), 1, "{profile}: {notes:?}");
        assert_eq!(notes[0].path, path, "{profile}");
        assert!(notes[0].text.contains("profile") && notes[0].text.contains(path), "{notes:?}");
        let told = lines.until(2).await;
        assert!(told.lines().nth(1).unwrap().contains(&notes[0].text), "{told}");
        // A read changes nothing, and a write that says it is no news.
        assert_eq!(client.get(&at).await.status, 200);
        assert_eq!(last(&app), []);
    }
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

/// The lines of requests, as they are told.
#[derive(Debug, Clone, Default)]
struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Lines {
    /// Waits until so many were written: a thread of its own does that.
    async fn until(&self, count: usize) -> String {
        let written = async {
            loop {
                let told = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
                if told.lines().count() >= count {
                    return told;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        crate::client::in_time("the log has its lines", written).await
    }
}

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn notes_on_a_refused_request_are_in_the_journal_and_in_its_line() {
    let lines = Lines::default();
    let mock = MockAquera::builder().request_log(lines.clone()).start().await.unwrap();
    let (app, client) = (mock.default_application(), Client::of(&mock));
    let id = client.post("/Users", &user("ida", json!({}))).await.id();
    let path = format!("/Users/{id}");
    let first = dropped("firstName", "name.givenName");
    // The body does not fit.
    let lacking = json!({"schemas": [crate::client::USER], "firstName": "Ida", "active": 7});
    assert_eq!(client.post("/Users", &lacking).await.status, 400);
    assert_eq!(last(&app), std::slice::from_ref(&first));
    assert_eq!(client.put(&path, &lacking).await.status, 400);
    assert_eq!(last(&app), std::slice::from_ref(&first));
    // What is there is against it.
    let taken = user("IDA", json!({"firstName": "Ida"}));
    assert_eq!(client.post("/Users", &taken).await.status, 409);
    assert_eq!(last(&app), std::slice::from_ref(&first));
    assert_eq!(client.put("/Users/nobody", &taken).await.status, 404);
    assert_eq!(last(&app), std::slice::from_ref(&first));
    let wrong = json!([{"op": "replace", "value": {"firstName": "Ida", "active": 7}}]);
    assert_eq!(client.patch(&path, &wrong).await.status, 400);
    assert_eq!(last(&app), std::slice::from_ref(&first));
    assert_eq!(client.patch("/Users/nobody", &wrong).await.status, 404);
    assert_eq!(last(&app), std::slice::from_ref(&first));
    let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
        {"method": "POST", "path": "/Users", "bulkId": "a", "data": taken}]});
    assert_eq!(client.post("/Bulk", &bulk).await.json()["Operations"][0]["status"], json!("409"));
    assert_eq!(last(&app), [first]);
    // Nor is a list answered.
    let query = [("filter", "active eq \"true\""), ("cursor", "none-of-ours")];
    assert_eq!(client.query("/Users", &query).await.status, 400);
    assert_eq!(last(&app), [(NoteKind::NeverMatches, "active".to_owned(), None)]);
    let told = lines.until(9).await;
    let noted = told.lines().filter(|line| line.contains("`firstName` is not an attribute of User"));
    assert_eq!(noted.count(), 7, "{told}");
    let refused =
        "409 POST /scim/Users  the userName `IDA` is taken; `firstName` is not an attribute of User";
    assert!(told.lines().any(|line| line.starts_with(refused)), "{told}");
    assert!(told.lines().any(|line| line.starts_with("400 GET") && line.contains("never matches")), "{told}");
}

#[tokio::test]
async fn notes_are_kept_where_a_profile_ignores_the_write() {
    for (profile, status) in [("patch-ignored-204", 204), ("patch-lies-200", 200)] {
        let profile = mock_aquera::Profile::builtin(profile).unwrap();
        let mock = MockAquera::builder().profile(profile).start().await.unwrap();
        let (app, client) = (mock.default_application(), Client::of(&mock));
        let id = client.post("/Users", &user("ida", json!({}))).await.id();
        let change = json!([{"op": "replace", "value": {"firstName": "Ida"}}]);
        assert_eq!(client.patch(&format!("/Users/{id}"), &change).await.status, status);
        assert_eq!(last(&app), [dropped("firstName", "name.givenName")]);
    }
}

#[tokio::test]
async fn paths_sent_as_names_of_members_are_told_where_they_belong() {
    let mock = start().await;
    let (app, client) = (mock.default_application(), Client::of(&mock));
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let body = user("ida", json!({format!("{enterprise}:manager"): "7", "name.givenName": "Ida"}));
    assert_eq!(client.post("/Users", &body).await.status, 201);
    let notes: Vec<String> = app.journal().pop().unwrap().notes.into_iter().map(|note| note.text).collect();
    assert!(
        notes.iter().any(|text| text.ends_with("`givenName` must stand inside the object of `name`")),
        "{notes:?}"
    );
    let manager = format!("`manager` must stand inside the object of `{enterprise}`");
    assert!(notes.iter().any(|text| text.ends_with(&manager)), "{notes:?}");
    app.set_profile(mock_aquera::Profile::builtin("strict").unwrap());
    let detail = client.post("/Users", &body).await.scim_error(400, Some("invalidValue"));
    assert!(detail.contains(&manager) && !detail.contains("is not an attribute"), "{detail}");
    let misspelt = client.post("/Users", &user("eve", json!({"titel": "t"}))).await;
    let detail = misspelt.scim_error(400, Some("invalidValue"));
    assert_eq!(detail, "titel is not an attribute of the schema; did you mean `title`?");
}

#[tokio::test]
async fn refused_paths_filters_and_names_of_definitions_have_the_nearest() {
    let mock = start().await;
    let client = Client::of(&mock);
    let path = format!("/Users/{}", client.post("/Users", &user("ida", json!({}))).await.id());
    for (written, nearest) in [
        ("titel", "title"),
        ("name.first", "name.givenName"),
        ("emails[type eq \"a.b\"].valu", "emails.value"),
        ("emials[type eq \"work\"].value", "emails"),
    ] {
        let operations = json!([{"op": "replace", "path": written, "value": "x"}]);
        let detail = client.patch(&path, &operations).await.scim_error(400, Some("invalidPath"));
        assert!(detail.ends_with(&format!("; did you mean `{nearest}`?")), "{written}: {detail}");
    }
    for (filter, end) in [
        ("userNam eq \"x\"", "userNam is not an attribute of User; did you mean `userName`?"),
        ("name.surname eq \"x\"", "did you mean `name.familyName`?"),
        (
            "emails[type eq \"work\" and emails.value eq \"x\"]",
            "emails.value stands inside brackets, where sub-attributes stand alone: value",
        ),
    ] {
        let detail =
            client.query("/Users", &[("filter", filter)]).await.scim_error(400, Some("invalidFilter"));
        assert!(detail.ends_with(end), "{filter}: {detail}");
    }
    for (path, end) in [
        ("/ResourceTypes/Users", "no resource type is called `Users`; did you mean `User`?"),
        (
            "/Schemas/urn:ietf:params:scim:schemas:core:2.0:Users",
            "did you mean `urn:ietf:params:scim:schemas:core:2.0:User`?",
        ),
        ("/Schemas/Grup", "did you mean `urn:ietf:params:scim:schemas:core:2.0:Group`?"),
        ("/ResourceTypes/qqq", "; there are User, Group"),
    ] {
        let detail = client.get(path).await.scim_error(404, None);
        assert!(detail.ends_with(end), "{path}: {detail}");
    }
}
