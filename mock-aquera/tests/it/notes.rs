//! What had no effect is told in the journal, with what was probably meant.

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
    // Nothing to say of what has its effect, nor of what only the server writes.
    let fine = user("zoe", json!({"id": "x", "meta": {"version": "1"}, "groups": [], "title": "t"}));
    assert_eq!(client.post("/Users", &fine).await.status, 201);
    assert_eq!(last(&app), []);
    assert_eq!(client.get(&path).await.status, 200);
    assert_eq!(last(&app), []);
    let many: serde_json::Map<String, Value> = (0..50).map(|n| (format!("own{n}"), json!(n))).collect();
    assert_eq!(client.post("/Users", &user("many", Value::Object(many))).await.status, 201);
    assert_eq!(last(&app).len(), 20);
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
        loop {
            let told = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            if told.lines().count() >= count {
                return told;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
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
