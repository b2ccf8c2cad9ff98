//! What the program starts with, and what it keeps.

use std::process::Command;

use serde_json::{Value, json};

use crate::client::{Client, in_time};
use crate::program::{Running, finished, written};

fn lines(values: &[Value]) -> String {
    values.iter().flat_map(|value| [value.to_string(), "\n".to_owned()]).collect()
}

#[cfg(unix)]
fn ended(mut server: Running) {
    let told = Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn users_groups_and_faults_come_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let group = "urn:ietf:params:scim:schemas:core:2.0:Group";
    let groups = written(
        folder.path(),
        "groups.ndjson",
        &lines(&[
            json!({"schemas": [group], "displayName": "all", "members": [{"value": "u-2"}, {"value": "g-1"}]}),
            json!({"id": "g-1", "meta": {"resourceType": "Group"}, "displayName": "one", "members": [{"value": "u-1"}]}),
        ]),
    );
    let users = written(
        folder.path(),
        "users.ndjson",
        &lines(&[json!({"id": "u-1", "userName": "ida"}), json!({"id": "u-2", "userName": "ben"})]),
    );
    let rules = written(
        folder.path(),
        "rules.txt",
        "# a comment\nstatus=503 path=/Groups/*\n\nstatus=429 method=DELETE\n",
    );
    let mut server = Running::start(&[
        "--listen",
        "127.0.0.1:0",
        "--json",
        "--load",
        &groups,
        "--load",
        &users,
        "--faults",
        &rules,
        "--me",
        "ben",
        "--journal-limit",
        "2",
    ]);
    let ready = server.ready();
    let client = Client::at(ready["scimUrl"].as_str().unwrap());
    client.get("/Groups/g-1").await.scim_error(503, None);
    client.delete("/Users/u-1").await.scim_error(429, None);
    assert_eq!(client.get("/Groups/g-1").await.json()["members"][0]["value"], json!("u-1"));
    let me = client.get("/Me").await.json();
    assert_eq!((&me["userName"], &me["groups"][0]["display"]), (&json!("ben"), &json!("all")));
    assert_eq!(client.get("/Users").await.json()["totalResults"], json!(2));

    let admin = Client::at(ready["adminUrl"].as_str().unwrap());
    let journal = admin.get("/applications/default/journal").await.json();
    assert_eq!(journal.as_array().map(Vec::len), Some(2), "{journal}");
}

#[cfg(unix)]
#[tokio::test]
async fn data_outlives_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data.ndjson").to_str().unwrap().to_owned();
    let start = || {
        let mut server =
            Running::start(&["--listen", "127.0.0.1:0", "--json", "--snapshot", &file, "--seed", "5"]);
        let ready = server.ready();
        let url = ready["scimUrl"].as_str().unwrap().to_owned();
        (server, Client::at(url.clone()), url)
    };
    let (server, client, url) = start();
    let made = client
        .post("/Users", &json!({"schemas": [crate::client::USER], "userName": "kept", "password": "hunter2"}))
        .await;
    let id = made.id();
    client.patch(&format!("/Users/{id}"), &json!([{"op": "add", "path": "title", "value": "Boss"}])).await;
    let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "g",
        "members": [{"value": id}]});
    client.post("/Groups", &group).await;
    let other = Client::at(url.replace("/scim", "/apps/other/scim"));
    other.post("/Users", &json!({"schemas": [crate::client::USER], "userName": "elsewhere"})).await;
    let plain = |text: &str, url: &str| text.replace(url.trim_end_matches("/scim"), "");
    let before = plain(&client.get("/Groups").await.text, &url);
    let user = client.get(&format!("/Users/{id}")).await.json();
    ended(server);
    assert!(!std::fs::read_to_string(&file).unwrap().contains("hunter2"));

    let (server, client, url) = start();
    assert_eq!(client.get("/Users").await.json()["totalResults"], json!(4));
    assert_eq!(plain(&client.get("/Groups").await.text, &url), before);
    let again = client.get(&format!("/Users/{id}")).await.json();
    for name in ["created", "lastModified"] {
        assert_eq!(again["meta"][name], user["meta"][name]);
    }
    assert_eq!((&again["title"], &again["groups"][0]["display"]), (&json!("Boss"), &json!("g")));
    let other = Client::at(url.replace("/scim", "/apps/other/scim"));
    assert_eq!(other.get("/Users").await.json()["Resources"][0]["userName"], json!("elsewhere"));
    // Nobody gets the id that the made-up users have, or one that was given before.
    let next = client.post("/Users", &json!({"schemas": [crate::client::USER], "userName": "next"})).await;
    assert_eq!(next.status, 201);
    ended(server);

    let (server, client, _) = start();
    assert_eq!(client.get("/Users").await.json()["totalResults"], json!(5));
    drop(server);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &text[..text.len() - 40]).unwrap();
    let (code, _, err) = finished(&["--listen", "127.0.0.1:0", "--snapshot", &file]);
    assert_eq!(code, 2, "{err}");
    assert!(
        err.contains("data.ndjson:") && err.contains("data.ndjson.bak") && err.contains("column"),
        "{err}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn an_answer_on_its_way_arrives_though_the_program_was_told_to_stop() {
    let mut server =
        Running::start(&["--listen", "127.0.0.1:0", "--json", "--fault", "latency=700ms method=POST"]);
    let ready = server.ready();
    let url = ready["scimUrl"].as_str().unwrap().to_owned();
    let admin = Client::at(ready["adminUrl"].as_str().unwrap());
    let slow = tokio::spawn(async move {
        let body = json!({"schemas": [crate::client::USER], "userName": "late"});
        Client::at(url).post("/Users", &body).await
    });
    let struck = async {
        loop {
            let faults = admin.get("/applications/default/faults").await.json();
            if faults["faults"][0]["struck"] == json!(1) {
                return;
            }
            assert!(faults["faults"][0].is_object(), "{faults}");
        }
    };
    in_time("the fault strikes", struck).await;
    ended(server);
    assert_eq!(slow.await.unwrap().status, 201);
}

#[cfg(unix)]
#[tokio::test]
async fn snapshot_behind_a_link_is_locked_and_written_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("data.ndjson"), folder.path().join("link.ndjson"));
    std::os::unix::fs::symlink("data.ndjson", &link).unwrap();
    let arguments = ["--listen", "127.0.0.1:0", "--json", "--snapshot", link.to_str().unwrap()];
    let mut server = Running::start(&arguments);
    server.ready();
    for path in [&real, &link] {
        let (code, _, err) = finished(&["--listen", "127.0.0.1:0", "--snapshot", path.to_str().unwrap()]);
        assert!(code == 1 && err.contains("another mock-aquera is using it"), "{code} {err}");
    }
    ended(server);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(std::fs::symlink_metadata(&real).unwrap().is_file());
    let text = std::fs::read_to_string(&real).unwrap();
    // There is nothing to put in its place: no other one was written before.
    std::fs::write(&real, &text[..text.len() - 40]).unwrap();
    let (code, _, err) = finished(&["--listen", "127.0.0.1:0", "--snapshot", link.to_str().unwrap()]);
    assert!(code == 2 && !err.contains(".bak") && err.contains("move it away"), "{code} {err}");
}

#[cfg(unix)]
#[test]
fn snapshot_that_is_no_regular_file_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no/such/data.ndjson");
    let socket = folder.path().join("socket");
    let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (file, part) in [
        ("/dev/zero", "not a regular file"),
        ("/dev/full", "not a regular file"),
        (folder.path().to_str().unwrap(), "folder"),
        (socket.to_str().unwrap(), "not a regular file"),
        (missing.to_str().unwrap(), "there is no folder"),
    ] {
        let (code, _, err) = finished(&["--listen", "127.0.0.1:0", "--snapshot", file]);
        assert!(code == 2 && err.contains(part) && err.contains(file), "{file}: {code} {err}");
    }
}
