//! `--load` and POST `./load` read the same, and refuse the same in the same words.

use reqwest::Method;
use serde_json::{Value, json};

use super::Admin;
use crate::client::{Client, USER, start};
use crate::program::{Running, finished, written};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

fn ida() -> Value {
    json!({"schemas": [USER], "id": "u-1", "userName": "ida", "meta": {"resourceType": "User"}})
}

fn team() -> Value {
    json!({"schemas": [GROUP], "id": "g-1", "displayName": "team", "members": [{"value": "u-1"}, {"value": "u-2"}]})
}

/// Neither says a type nor has an id.
fn bob() -> Value {
    json!({"id": "u-2", "userName": "bob"})
}

fn page(resources: &[Value]) -> Value {
    json!({"schemas": [LIST], "totalResults": 3, "startIndex": 1, "itemsPerPage": resources.len(), "Resources": resources})
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

/// Each form with three resources in it, and a name whose ending says something else.
fn forms() -> Vec<(&'static str, String)> {
    let (ida, bob, team) = (ida(), bob(), team());
    let all = [team.clone(), ida.clone(), bob.clone()];
    vec![
        ("lines.json", format!("{team}\n\n{ida}\r\n{bob}")),
        ("array.ndjson", json!(all).to_string()),
        ("pretty-array.txt", pretty(&json!(all))),
        ("objects.ndjson", all.iter().map(pretty).collect::<Vec<_>>().join("\n")),
        ("list.ndjson", page(&all).to_string()),
        ("pretty-list.json", pretty(&page(&all))),
        (
            "pages.ndjson",
            format!(
                "{}\n{}\n{}",
                page(std::slice::from_ref(&team)),
                page(&[]),
                page(&[ida.clone(), bob.clone()])
            ),
        ),
        (
            "pretty-pages",
            format!(
                "{}{}",
                pretty(&page(std::slice::from_ref(&team))),
                pretty(&page(&[ida.clone(), bob.clone()]))
            ),
        ),
        (
            "pages-in-array.json",
            json!([page(&[team.clone(), ida.clone()]), page(std::slice::from_ref(&bob))]).to_string(),
        ),
        ("mixed.json", format!("\u{feff}{team}\n{}\n{}", json!([ida]), page(&[bob]))),
    ]
}

#[tokio::test]
async fn each_form_is_read_by_the_program_and_by_administration() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in forms() {
        let mock = start().await;
        let answer = Admin::of(&mock).load("/applications/default/load", text.clone()).await;
        assert_eq!((answer.status, answer.json()), (201, json!({"loaded": 3})), "{name}: {answer:?}");
        let over_http = Client::of(&mock).get("/Groups/g-1").await.json();

        let file = written(folder.path(), name, &text);
        let mut server = Running::start(&["--listen", "127.0.0.1:0", "--json", "--load", &file]);
        let ready = server.ready();
        let client = Client::at(ready["scimUrl"].as_str().unwrap());
        assert_eq!(client.get("/Users").await.json()["totalResults"], json!(2), "{name}");
        let from_file = client.get("/Groups/g-1").await.json();
        let members = |group: &Value| {
            let members = group["members"].as_array().unwrap().iter();
            members.map(|member| member["value"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(members(&from_file), ["u-1", "u-2"], "{name}");
        assert_eq!(members(&over_http), members(&from_file), "{name}");
    }
}

#[tokio::test]
async fn mistakes_are_told_with_line_and_column_in_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let mock = start().await;
    let admin = Admin::of(&mock);
    let ida = ida();
    let nameless = json!({"schemas": [USER]});
    for (text, problems) in [
        (
            format!("{ida}\n{{\"userName\" \"b\"}}\n"),
            &[(2, 13, "invalid `userName`: `:` is expected here")][..],
        ),
        (
            format!("{ida}\n{{\"userName\":\n{ida}"),
            &[
                (2, 12, "the value of `userName` is missing"),
                (3, 1, "the id \"u-1\" is there twice"),
                (3, 1, "userName"),
            ],
        ),
        (format!("[{ida},\n  {nameless}]"), &[(2, 3, "userName is required")]),
        (pretty(&page(&[ida.clone(), nameless.clone()])), &[(13, 5, "userName is required")]),
        (
            format!("{}\n{}", page(std::slice::from_ref(&ida)), page(std::slice::from_ref(&ida))),
            &[(2, 15, "the id \"u-1\" is there twice"), (2, 15, "userName")],
        ),
        (format!("[{ida}, 7]"), &[(1, 121, "a resource is a JSON object")]),
        (format!("{ida}\nx"), &[(2, 1, "a value is expected here")]),
        (format!("[{ida},"), &[(1, 119, "the value of `[1]` is missing")]),
        ("{\"schemas\":[\"urn:x\"],\"userName\":\"b\"}".to_owned(), &[(1, 1, "write `schemas`")]),
        ("{\"displayName\":\"team\"}".to_owned(), &[(1, 1, "userName is required")]),
    ] {
        let answer = admin.send(Method::POST, "/applications/default/load", text.clone()).await;
        assert_eq!(answer.status, 400, "{text}: {answer:?}");
        let told: Vec<(u64, u64, String)> = answer.json()["problems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|problem| {
                let number = |name: &str| problem[name].as_u64().unwrap();
                assert_eq!(problem.get("file"), None);
                (number("line"), number("column"), problem["detail"].as_str().unwrap().to_owned())
            })
            .collect();
        let file = written(folder.path(), "some.ndjson", &text);
        let (code, out, err) = finished(&["--listen", "127.0.0.1:0", "--load", &file]);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        let places: Vec<_> = told.iter().map(|(line, column, _)| (*line, *column)).collect();
        let expected: Vec<_> = problems.iter().map(|(line, column, _)| (*line, *column)).collect();
        assert_eq!(places, expected, "{text}: {told:?}");
        for ((line, column, detail), (.., part)) in told.iter().zip(problems) {
            assert!(detail.contains(part), "{text}: {detail}");
            let said = format!("{file}:{line}:{column}: {detail}");
            assert!(err.contains(&said), "{err}\nlacks {said}");
        }
    }
    assert_eq!(mock.default_application().user_count(), 0);
}

#[test]
fn files_may_refer_to_each_other_and_each_mistake_names_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| written(folder.path(), name, text);
    let groups = file("groups.ndjson", &team().to_string());
    let users = file("users.json", &json!([ida(), bob()]).to_string());
    let mut server =
        Running::start(&["--listen", "127.0.0.1:0", "--json", "--load", &groups, "--load", &users]);
    server.ready();
    let more = file("more.json", &format!("\n{}", ida()));
    let (code, _, err) =
        finished(&["--listen", "127.0.0.1:0", "--load", &groups, "--load", &users, "--load", &more]);
    assert!(code == 2 && err.contains(&format!("{more}:2:1: the id \"u-1\" is there twice")), "{err}");
    let (code, _, err) = finished(&["--listen", "127.0.0.1:0", "--load", &groups]);
    assert!(code == 2 && err.contains(&format!("{groups}:1:1: members[0]")), "{err}");
}

#[tokio::test]
async fn what_a_load_leaves_out_is_told_with_its_place_and_nearest_name() {
    let text =
        "{\"userName\":\"a\",\"firstName\":\"Ida\",\"emails\":[{\"valu\":\"q@x\"}]}\n{\"userName\":\"b\"}\n";
    let mock = start().await;
    let admin = Admin::of(&mock);
    let answer = admin.load("/applications/default/load", text.to_owned()).await;
    assert_eq!((answer.status, &answer.json()["loaded"]), (201, &json!(2)), "{answer:?}");
    let notes = answer.json()["notes"].as_array().unwrap().clone();
    let told: Vec<_> =
        notes.iter().map(|note| (&note["line"], &note["column"], &note["path"], &note["nearest"])).collect();
    let (one, first, valu) = (json!(1), json!("firstName"), json!("emails[0].valu"));
    let (given, value) = (json!("name.givenName"), json!("emails.value"));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.contains(&(&one, &one, &first, &given)), "{told:?}");
    assert!(told.iter().any(|(line, .., path, _)| (*line, *path) == (&one, &valu)), "{told:?} {value}");

    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "some.ndjson", text);
    let mut server = Running::start(&["--listen", "127.0.0.1:0", "--json", "--load", &file]);
    server.ready();
    let err = server.stopped();
    for note in &notes {
        let said = format!("{file}:1:1: {}", note["text"].as_str().unwrap());
        assert!(err.contains(&said), "{err}\nlacks {said}");
    }
    // Of a file full of them, some are told and the others counted.
    let many: Vec<String> =
        (0..200).map(|n| format!("{{\"userName\":\"m{n}\",\"firstName\":\"x\"}}\n")).collect();
    let many = many.concat();
    let answer = admin.load("/applications/default/load", many).await.json();
    let notes = answer["notes"].as_array().unwrap();
    assert!(
        notes.len() <= 101 && notes.last().unwrap()["text"].as_str().unwrap().contains("more"),
        "{notes:?}"
    );
    // What is kept as it is leaves nothing out.
    let unchecked =
        admin.load("/applications/default/load?unchecked", "{\"userName\":\"z\",\"own\":1}".to_owned()).await;
    assert_eq!(unchecked.json(), json!({"loaded": 1}));
    // A dump says nothing that is left out.
    let dump = admin.get("/applications/default/dump?format=ndjson").await.text;
    let again = admin
        .load("/applications/default/load?replace", dump.lines().take(3).collect::<Vec<_>>().join("\n"))
        .await;
    assert_eq!(again.json(), json!({"loaded": 3}));
}

#[tokio::test]
async fn doubled_keys_are_refused_in_a_load() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    for (resource, name) in [
        ("{\"userName\":\"b\",\"userName\":\"c\"}", "userName"),
        ("{\"userName\":\"b\",\"username\":\"c\"}", "username"),
        ("{\"userName\":\"b\",\"name\":{\"givenName\":\"x\",\"GivenName\":\"y\"}}", "GivenName"),
        ("{\"userName\":\"b\",\"own\":1,\"own\":2}", "own"),
    ] {
        for how in ["", "?unchecked"] {
            let text = format!("{{\"userName\":\"a\"}}\n{resource}");
            let answer = admin.load(&format!("/applications/default/load{how}"), text).await;
            assert_eq!(answer.status, 400, "{resource}{how}: {answer:?}");
            let problem = answer.json()["problems"][0].clone();
            assert_eq!(problem["line"], json!(2), "{problem}");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(name) && detail.contains("twice"), "{detail}");
        }
    }
    assert_eq!(mock.default_application().user_count(), 0);
}
