//! `provisioner check`: every problem of the configuration and the source, in one run.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

/// Returns a configuration with these tables and a valid connection.
fn config(rest: &str) -> String {
    format!(
        "[connection]\nname = \"test\"\n[connection.authentication]\nscim-url = \"http://127.0.0.1:1/scim\"\n\
         profile = \"bearer-token\"\noauth-access-token = \"a-token-for-tests\"\n[connection.preferences]\n\
         enable-users-creation = true\n[source]\nkind = \"file\"\npath = \"users.ndjson\"\n{rest}"
    )
}

fn check(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_provisioner"))
        .args(["check", "-c", "aquera.toml"])
        .args(arguments)
        .current_dir(folder)
        .env("COLUMNS", "1000")
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn problems_of_file_and_source_are_reported_together() {
    let folder = tempfile::tempdir().unwrap();
    let broken = "[connection]\nname = 7\nenabeld = true\n[connection.authentication]\nscim-url = \"http://aquera.example.com/scim\"\n\
        profile = \"bearer\"\n[connection.preferences]\nenable-users-creation = \"yes\"\n[connection.options]\nconcurrency = 0\n\
        exclude = [\"a\", 7]\nca-file = \"nobody.pem\"\n[source]\nkind = \"file\"\npath = \"users.ndjson\"\n[[rule]]\nname = \"one\"\n\
        filter = 'title eq'\nmapping = [{ source = \"username\", target = \"userNam\" }, { source = 7, target = \"userName\" }]\n";
    fs::write(folder.path().join("aquera.toml"), broken).unwrap();
    let users =
        "{\"id\":\"1\",\"username\":\"a\",\"title\":\"x\",\"title\":\"y\"}\n{\"id\":\"1\"}\nnonsense\n";
    fs::write(folder.path().join("users.ndjson"), users).unwrap();
    let output = check(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output.stderr);
    for expected in [
        "this is an integer",
        "unknown key `enabeld`",
        "did you mean `enabled`?",
        "plain http to another host",
        "unknown value `bearer`",
        "this is a string \"yes\"",
        "`concurrency` cannot be 0",
        "this is an integer `7`",
        "failed to read the certificates in nobody.pem",
        "`filter` does not parse",
        "there is no attribute `userNam`",
        "line 1, column 44: duplicate key \"title\"",
        "line 2: invalid `username` of the user with id \"1\"",
        "line 3, column 2: invalid JSON",
    ] {
        let found = told
            .replace('\n', " ")
            .replace(&folder.path().display().to_string(), "")
            .replace("/nobody", "nobody");
        assert!(found.contains(expected), "{expected:?} is not in {told}");
    }
    // An invalid option is not reported as missing too.
    assert!(!told.contains("missing") && !told.contains("neither"), "{told}");
    // A file that is not valid TOML still names its source.
    fs::write(folder.path().join("aquera.toml"), broken.replace("name = 7", "name = = 7")).unwrap();
    let told = text(&check(folder.path(), &[]).stderr);
    assert!(told.contains("TOML format") && told.contains("line 3, column 2: invalid JSON"), "{told}");
}

#[test]
fn mapping_is_checked_on_the_users_of_its_rule() {
    let folder = tempfile::tempdir().unwrap();
    let rules = "[[rule]]\nname = \"staff\"\nfilter = 'type eq \"staff\"'\n\
        mapping = [{ source = \"username\", target = \"userName\" }, { source = \"name\", target = \"displayName\" },\n\
        { expression = \"user.title + '!'\", target = \"title\" }]\n\
        [[rule]]\nname = \"off\"\nenabled = false\nmapping = [{ source = \"nobody\", target = \"userName\" }]\n";
    let rules = rules
        .replace("source = \"name\"", "expression = \"user.name.given\"")
        .replace("source = \"nobody\"", "expression = \"user.nickname + '!'\"");
    fs::write(folder.path().join("aquera.toml"), config(&rules)).unwrap();
    let staff = |id: usize, more: Value| {
        let mut user = json!({ "id": id.to_string(), "username": format!("u{id}"), "type": "staff" });
        user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        user.to_string()
    };
    let mut users: Vec<String> = vec![staff(1, json!({ "title": "x", "name": { "given": "Ada" } }))];
    users.extend((2..7).map(|id| staff(id, json!({ "name": { "given": "Ada" } }))));
    users.push(staff(7, json!({ "title": "x" })));
    users.push(json!({ "id": "8", "username": "nobody's" }).to_string());
    fs::write(folder.path().join("users.ndjson"), users.join("\n\n")).unwrap();
    let output = check(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let told = text(&output.stderr);
    assert!(
        told.contains(
            "rule \"staff\": failed to compute `title` by `user.title + '!'`: the user has no `title`"
        ),
        "{told}"
    );
    assert!(told.contains("for \"u2\" (line 3), \"u3\" (line 5), \"u4\" (line 7), and 2 more in "), "{told}");
    assert!(told.contains("the user has no `name`") && told.contains("for \"u7\" (line 13)\n"), "{told}");
    assert!(!told.contains("Ada") && !told.contains("u8") && !told.contains("user.nickname"), "{told}");
    let summary: Value = serde_json::from_slice(&check(folder.path(), &["--json"]).stdout).unwrap();
    assert_eq!(summary["exitCode"], json!(1));
    assert_eq!(summary["users"], json!(8));
    assert_eq!(summary["inScope"], json!(7));
    let problems = summary["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 2);
    assert!(
        problems.iter().any(|problem| {
            problem["kind"] == "mapping"
                && problem["rule"] == "staff"
                && problem["count"] == 5
                && problem["users"][0] == json!({ "sourceId": "2", "userName": "u2", "line": 3 })
        }),
        "{summary}"
    );
}

#[test]
fn source_with_many_bad_rows_is_told_with_a_start_and_a_count() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("aquera.toml"), config("[[rule]]\nname = \"all\"\n")).unwrap();
    fs::write(folder.path().join("users.ndjson"), "{\"id\":\"1\"}\n".repeat(5_000)).unwrap();
    let output = check(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(5));
    let told = text(&output.stderr);
    assert_eq!(told.matches("invalid `username`").count(), 10, "{told}");
    assert!(told.contains("the source has 4990 more problems"), "{told}");
    let summary: Value = serde_json::from_slice(&check(folder.path(), &["--json"]).stdout).unwrap();
    assert!(summary["sourceError"].as_str().unwrap().contains("line 1"), "{summary}");
    assert_eq!(summary["exitCode"], json!(5));
    assert_eq!(summary["users"], Value::Null);
}

#[track_caller]
fn check_notes(file: &str, text_of_source: &str, expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let settings = config("custom-attributes = [\"badge\"]\n[[rule]]\nname = \"everyone\"\n");
    fs::write(folder.path().join("aquera.toml"), settings.replace("users.ndjson", file)).unwrap();
    fs::write(folder.path().join(file), text_of_source).unwrap();
    let output = check(folder.path(), &[]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "a note is no mistake: {told}");
    let notes: Vec<&str> = told.lines().filter(|line| line.starts_with("note: ")).collect();
    assert_eq!(notes.len(), expected.len(), "{told}");
    for expected in expected {
        assert!(notes.iter().any(|note| note.contains(expected)), "{expected:?} is missing in {told}");
    }
    let object: Value = serde_json::from_slice(&check(folder.path(), &["--json"]).stdout).unwrap();
    assert_eq!(object["notes"].as_array().map(Vec::len), Some(expected.len()), "{object}");
}

#[test]
fn unknown_columns_and_members_are_named_with_the_nearest_attribute() {
    // An empty column is a mistake too.
    let csv = "id;username;enabled;emial;name.givenName;badge;shoe size\n1;ada;TRUE;a@example.com;Ada;7;\n";
    check_notes(
        "users.csv",
        csv,
        &[
            "column `emial` is no attribute of a PingOne user, so nothing reads it; did you mean `email`?",
            "column `name.givenName` is no attribute of a PingOne user, so nothing reads it; did you mean `name.given`?",
            "column `shoe size` is no attribute of a PingOne user, so nothing reads it; declare it with custom-attributes",
        ],
    );
    // Attributes that PingOne's API adds for its own use are no mistake.
    let pages = "{\"id\":\"1\",\"username\":\"ada\",\"emial\":\"x\",\"name\":{\"given\":\"Ada\",\"familly\":\"B\"},\"_links\":{}}\n\
         {\"id\":\"2\",\"username\":\"bo\",\"emial\":\"y\",\"badge\":7}\n";
    check_notes(
        "users.ndjson",
        pages,
        &[
            "member `emial` is no attribute of a PingOne user, so nothing reads it: for \"ada\" (line 1), \"bo\" (line 2)",
            "member `name.familly` is no attribute of a PingOne user, so nothing reads it: for \"ada\" (line 1); did you mean \
             `name.family`?",
        ],
    );
    check_notes("users.csv", "id,username,enabled,badge\n1,ada,true,7\n", &[]);
}

#[test]
fn members_with_a_dot_in_their_name_are_noted() {
    let user = "{\"id\":\"1\",\"username\":\"ada\",\"name.given\":\"Ada\",\"name\":{\"family\":\"L\"}}\n";
    check_notes(
        "users.ndjson",
        user,
        &[
            "a member has the name `name.given`, with the dot in it, so nothing reads it: for \"ada\" (line 1); write an object",
        ],
    );
}
