//! Every profile that differs by its hops, with every write: the answer, what leaves the gateway, and the account afterwards.
//!
//! The table is written from the profile table of the project's documents, not from the mock's data.

use mock_aquera::DownstreamOperation::{self, Create, Delete, PartialUpdate, Replace};
use mock_aquera::{ActiveChange, GatewayRules, MockAquera, Profile};
use serde_json::{Value, json};

use crate::client::{Answer, Client, downstream, start, user};

/// What is left of the account that was `{title: "old", active: true}`.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Left {
    Gone,
    Is(&'static str, bool),
}
use Left::{Gone, Is};

const OLD: Left = Is("old", true);

/// One write to that account, or to one that is inactive.
#[derive(Debug, Clone, Copy)]
enum Write {
    PatchTitle,
    PatchInactive,
    PatchBoth,
    PutTitle,
    PutInactive,
    PutBoth,
    PutSame,
    Delete,
    PatchActive,
    PutActive,
}

type Expected = (u16, &'static [(DownstreamOperation, bool)], Left);

const PU: &[(DownstreamOperation, bool)] = &[(PartialUpdate, true)];
const PU_REFUSED: &[(DownstreamOperation, bool)] = &[(PartialUpdate, false)];
const PU_REPLACE: &[(DownstreamOperation, bool)] = &[(PartialUpdate, true), (Replace, true)];
const REPLACE: &[(DownstreamOperation, bool)] = &[(Replace, true)];
const DELETE: &[(DownstreamOperation, bool)] = &[(Delete, true)];

/// What every profile does where it doesn't deviate.
fn regular(write: Write) -> Expected {
    match write {
        Write::PatchTitle => (200, PU, Is("new", true)),
        Write::PatchInactive => (200, PU, Is("old", false)),
        Write::PatchBoth => (200, PU, Is("new", false)),
        Write::PutTitle => (200, REPLACE, Is("new", true)),
        Write::PutInactive => (200, PU, Is("old", false)),
        Write::PutBoth => (200, PU_REPLACE, Is("new", false)),
        Write::PutSame => (200, REPLACE, OLD),
        Write::Delete => (204, DELETE, Gone),
        Write::PatchActive | Write::PutActive => (200, PU, OLD),
    }
}

fn is_patch(write: Write) -> bool {
    matches!(write, Write::PatchTitle | Write::PatchInactive | Write::PatchBoth | Write::PatchActive)
}

/// The deviations, by name.
fn expected(profile: &str, write: Write) -> Expected {
    let before = if matches!(write, Write::PatchActive | Write::PutActive) { Is("old", false) } else { OLD };
    match (profile, write) {
        ("aquera", write) => regular(write),
        ("no-partial-update", Write::PutInactive | Write::PutBoth | Write::PutActive) => {
            (501, PU_REFUSED, before)
        }
        ("no-partial-update", write) if is_patch(write) => (501, PU_REFUSED, before),
        ("patch-405", write) if is_patch(write) => (405, &[], before),
        ("patch-501", write) if is_patch(write) => (501, &[], before),
        ("patch-400", write) if is_patch(write) => (400, &[], before),
        ("patch-ignored-200" | "patch-lies-200", write) if is_patch(write) => (200, &[], before),
        ("patch-ignored-204", write) if is_patch(write) => (204, &[], before),
        ("patch-then-404", write) if is_patch(write) => (404, PU, regular(write).2),
        (
            "no-put",
            Write::PutTitle | Write::PutInactive | Write::PutBoth | Write::PutSame | Write::PutActive,
        ) => (404, &[], before),
        ("no-delete", Write::Delete) => (405, &[], OLD),
        ("delete-deactivates", Write::Delete) => (204, DELETE, Is("old", false)),
        (
            "disable-deletes",
            Write::PatchInactive | Write::PatchBoth | Write::PutInactive | Write::PutBoth,
        ) => (200, DELETE, Gone),
        (_, write) => regular(write),
    }
}

async fn send(client: &Client, path: &str, write: Write) -> Answer {
    let title = json!({"op": "replace", "path": "title", "value": "new"});
    let active = |to: bool| json!({"op": "replace", "path": "active", "value": to});
    let put = |title: &str, active: bool| user("ida", json!({"title": title, "active": active}));
    match write {
        Write::PatchTitle => client.patch(path, &json!([title])).await,
        Write::PatchInactive => client.patch(path, &json!([active(false)])).await,
        Write::PatchBoth => client.patch(path, &json!([title, active(false)])).await,
        Write::PatchActive => client.patch(path, &json!([active(true)])).await,
        Write::PutTitle => client.put(path, &put("new", true)).await,
        Write::PutInactive => client.put(path, &put("old", false)).await,
        Write::PutBoth => client.put(path, &put("new", false)).await,
        Write::PutSame => client.put(path, &put("old", true)).await,
        Write::PutActive => client.put(path, &put("old", true)).await,
        Write::Delete => client.delete(path).await,
    }
}

async fn left(client: &Client, path: &str) -> Left {
    let answer = client.get(path).await;
    if answer.status == 404 {
        return Gone;
    }
    let body = answer.json();
    let title = if body["title"] == json!("new") { "new" } else { "old" };
    Is(title, body["active"].as_bool().unwrap())
}

async fn tried(mock: &MockAquera, write: Write) -> (Answer, Vec<(DownstreamOperation, bool)>, Left) {
    let (application, client) = (mock.default_application(), Client::of(mock));
    let active = !matches!(write, Write::PatchActive | Write::PutActive);
    let id = application.seed_user(user("ida", json!({"title": "old", "active": active})));
    let path = format!("/Users/{id}");
    let answer = send(&client, &path, write).await;
    let operations = downstream(&application);
    let left = left(&client, &path).await;
    application.remove_user(&id);
    (answer, operations, left)
}

const WRITES: [Write; 10] = [
    Write::PatchTitle,
    Write::PatchInactive,
    Write::PatchBoth,
    Write::PutTitle,
    Write::PutInactive,
    Write::PutBoth,
    Write::PutSame,
    Write::Delete,
    Write::PatchActive,
    Write::PutActive,
];

/// The profiles of the table.
const PROFILES: [&str; 13] = [
    "aquera",
    "no-partial-update",
    "patch-405",
    "patch-501",
    "patch-400",
    "patch-ignored-200",
    "patch-ignored-204",
    "patch-lies-200",
    "patch-then-404",
    "no-put",
    "no-delete",
    "delete-deactivates",
    "disable-deletes",
];

#[tokio::test]
async fn each_profile_with_each_write() {
    let mock = start().await;
    for name in PROFILES {
        mock.default_application().set_profile(Profile::builtin(name).unwrap());
        for write in WRITES {
            let (answer, operations, left) = tried(&mock, write).await;
            assert_eq!(
                (answer.status, operations.as_slice(), left),
                expected(name, write),
                "{name} {write:?}"
            );
            shape(name, write, &answer);
        }
    }
}

/// What the body and the headers say.
#[track_caller]
fn shape(profile: &str, write: Write, answer: &Answer) {
    if answer.status >= 400 && profile == "no-put" {
        assert!(answer.header("content-type").starts_with("text/html") && answer.text.contains("<html"));
        return;
    }
    match answer.status {
        204 => assert_eq!(answer.text, ""),
        200 => {
            let body = answer.json();
            let (title, active) = match (profile, write) {
                ("patch-ignored-200", write) if is_patch(write) => {
                    ("old", !matches!(write, Write::PatchActive))
                }
                (_, Write::PatchTitle | Write::PutTitle) => ("new", true),
                (_, Write::PatchInactive | Write::PutInactive) => ("old", false),
                (_, Write::PatchBoth | Write::PutBoth) => ("new", false),
                (_, Write::PutSame | Write::PatchActive | Write::PutActive | Write::Delete) => ("old", true),
            };
            assert_eq!(
                (&body["title"], &body["active"]),
                (&json!(title), &json!(active)),
                "{profile} {write:?}"
            );
        }
        405 => {
            answer.scim_error(405, None);
            let allow = if profile == "no-delete" { "GET, PUT, PATCH" } else { "GET, PUT, DELETE" };
            assert_eq!(answer.header("allow"), allow);
        }
        400 => drop(answer.scim_error(400, Some("invalidSyntax"))),
        status => drop(answer.scim_error(status, None)),
    }
}

#[tokio::test]
async fn creating_and_reading_work_in_each_of_them() {
    let mock = start().await;
    let (application, client) = (mock.default_application(), Client::of(&mock));
    for name in PROFILES {
        application.set_profile(Profile::builtin(name).unwrap());
        let created = client.post("/Users", &user(name, json!({"active": false}))).await;
        assert_eq!((created.status, &created.json()["active"]), (201, &Value::Bool(false)), "{name}");
        assert_eq!(downstream(&application), [(Create, true)]);
        assert_eq!(client.get(&format!("/Users/{}", created.id())).await.status, 200);
        assert_eq!(downstream(&application), [(DownstreamOperation::Read, true)]);
    }
    let list = client.get("/Users").await.json();
    assert_eq!(list["totalResults"], json!(PROFILES.len()));
}

#[tokio::test]
async fn what_a_delete_deactivated_is_still_listed_and_keeps_its_name() {
    let mock = start().await;
    let (application, client) = (mock.default_application(), Client::of(&mock));
    application.set_profile(Profile::builtin("delete-deactivates").unwrap());
    let id = client.post("/Users", &user("ida", json!({}))).await.id();
    for _ in 0..2 {
        assert_eq!(client.delete(&format!("/Users/{id}")).await.status, 204);
    }
    let list = client.get("/Users?filter=userName+eq+%22ida%22").await.json();
    assert_eq!((&list["totalResults"], &list["Resources"][0]["active"]), (&json!(1), &json!(false)));
    let version = &list["Resources"][0]["meta"]["version"];
    assert_eq!(version, "W/\"2\"", "the second delete changed nothing");
    client.post("/Users", &user("ida", json!({}))).await.scim_error(409, Some("uniqueness"));
}

#[tokio::test]
async fn a_change_of_active_may_leave_as_a_replacement() {
    let mock = start().await;
    let gateway = GatewayRules { active_change: ActiveChange::Replace, ..GatewayRules::default() };
    mock.default_application()
        .set_profile(Profile { gateway, ..Profile::builtin("no-partial-update").unwrap() });
    for (write, expected) in [
        (Write::PutInactive, (200, REPLACE, Is("old", false))),
        (Write::PutBoth, (200, REPLACE, Is("new", false))),
        (Write::PatchInactive, (200, REPLACE, Is("old", false))),
        (Write::PatchTitle, (501, PU_REFUSED, OLD)),
    ] {
        let (answer, operations, left) = tried(&mock, write).await;
        assert_eq!((answer.status, operations.as_slice(), left), expected, "{write:?}");
    }
}
