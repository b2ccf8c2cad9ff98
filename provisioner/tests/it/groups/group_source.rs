//! Reading of groups and of their members.

use std::fs;

use provisioner::config::{SourceConfig, SourceKind};
use provisioner::reader::{ReadContext, read_all};
use provisioner::source::Attributes;
use provisioner::source::groups::{GroupPlace, GroupReader, GroupSource, Memberships, SourceGroup};
use serde_json::{Value, json};
use tempfile::TempDir;

async fn groups(
    name: &str,
    text: &str,
    memberships: Memberships,
    users: &[Value],
) -> Result<Vec<SourceGroup>, String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    let lines: Vec<String> = users.iter().map(ToString::to_string).collect();
    let lines = lines.join("\n");
    let users_file = folder.path().join("users.ndjson");
    fs::write(&users_file, lines).unwrap();
    let config = SourceConfig {
        kind: SourceKind::File(users_file),
        identity: "file:test".to_owned(),
        attributes: Attributes::default(),
        groups: None,
    };
    let users = read_all(&config, &ReadContext::system(true)).await.unwrap().users;
    let source = GroupSource { place: GroupPlace::File(path), memberships };
    let read = GroupReader::open(&source, Vec::new()).and_then(|mut reader| {
        for user in &users {
            reader.note(user);
        }
        reader.finish()
    });
    read.map_err(|error| {
        let shown = error.to_string().replace(&folder.path().display().to_string(), "…");
        format!("{shown}; {}", error.way_out())
    })
}

fn members(group: &SourceGroup) -> Vec<String> {
    group.members.iter().map(|id| id.to_string()).collect()
}

async fn check_refused(name: &str, text: &str, memberships: Memberships, users: &[Value], expected: &str) {
    let error = groups(name, text, memberships, users).await.unwrap_err();
    assert!(error.contains(expected), "{error}");
}

#[tokio::test]
async fn groups_are_read_from_lines_and_from_an_array() {
    let lines = "{\"id\":\"g1\",\"name\":\"Dept A\",\"members\":[\"2\",{\"id\":\"1\"},\"2\"]}\n\n{\"id\":\"g2\",\"members\":[]}\n";
    let array = "[{\"id\":\"g1\",\"name\":\"Dept A\",\"members\":[\"2\",{\"id\":\"1\",\"type\":\"x\"},\"2\"]},{\"id\":\"g2\",\"members\":[]}]";
    for (name, text) in [("groups.ndjson", lines), ("groups.json", array)] {
        let found = groups(name, text, Memberships::Groups, &[]).await.unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].attributes, json!({ "id": "g1", "name": "Dept A" }));
        assert_eq!((members(&found[0]), members(&found[1])), (vec!["1".to_owned(), "2".to_owned()], vec![]));
    }
}

#[tokio::test]
async fn members_come_from_the_users_where_the_configuration_says_so() {
    let users = [
        json!({ "id": "1", "username": "a", "memberOfGroupIDs": ["g1", "g2", "unknown"] }),
        json!({ "id": "2", "username": "b", "memberOfGroupIDs": "g1; g3" }),
        json!({ "id": "3", "username": "c" }),
    ];
    let text = "{\"id\":\"g1\"}\n{\"id\":\"g2\"}\n{\"id\":\"g4\"}\n";
    let found = groups("groups.ndjson", text, Memberships::Users, &users).await.unwrap();
    let found: Vec<Vec<String>> = found.iter().map(members).collect();
    assert_eq!(found, [vec!["1", "2"], vec!["1"], vec![]]);
    // A group of users who do not name their groups is not an empty group.
    check_refused("groups.ndjson", text, Memberships::Users, &users[2..], "no user has `memberOfGroupIDs`")
        .await;
    let bad = [json!({ "id": "1", "username": "a", "memberOfGroupIDs": [1] })];
    check_refused(
        "groups.ndjson",
        text,
        Memberships::Users,
        &bad,
        "invalid `memberOfGroupIDs` of the user with id \"1\"",
    )
    .await;
    let twice = "{\"id\":\"g1\",\"members\":[]}";
    check_refused("groups.ndjson", twice, Memberships::Users, &users, "leave one of the two out").await;
}

#[tokio::test]
async fn half_a_group_is_an_error_with_its_line() {
    let own = Memberships::Groups;
    for (text, expected) in [
        (
            "{\"id\":\"g1\",\"members\":[]}\n{\"id\":\"g2\"}\n",
            "line 2: the group with id \"g2\" has no `members`",
        ),
        ("{\"id\":\"g1\",\"members\":null}\n", "has no `members`"),
        (
            "{\"id\":\"g1\",\"members\":[]}\n{\"id\":\"g1\",\"members\":[]}\n",
            "line 2: duplicate id \"g1\", first on line 1",
        ),
        ("{\"id\":\"g1\",\"members\":[\"1\"", "line 1: invalid group"),
        ("{\"id\":\"g1\",\"members\":[7]}", "the id of a member"),
        ("{\"id\":\"g1\",\"members\":[\"\"]}", "the id of a member"),
        ("{\"id\":\"g1\",\"members\":\"1\"}", "`members` as a list of ids"),
        ("{\"id\":\"g1\",\"id\":\"g1\",\"members\":[]}", "duplicate key \"id\""),
        ("{\"id\":\"g1\",\"members\":[],\"members\":[]}", "duplicate key \"members\""),
        ("{\"id\":7,\"members\":[]}", "invalid `id`"),
        ("[]", "a group as a JSON object"),
    ] {
        check_refused("groups.ndjson", text, own, &[], expected).await;
    }
    check_refused("groups.csv", "id,name", own, &[], "unknown file extension").await;
    check_refused("groups.json", "[{\"id\":\"g1\",\"members\":[]}", own, &[], "invalid group").await;
    assert_eq!(groups("groups.ndjson", "", own, &[]).await, Ok(Vec::new()));
}

/// Returns the problems of a configuration with `source` under `[source]` and `rules` after it.
fn problems(source: &str, rules: &str) -> Vec<String> {
    let text = format!(
        "[connection]\nname = \"c\"\n[connection.authentication]\nscim-url = \"http://127.0.0.1/scim\"\n\
         profile = \"bearer-token\"\noauth-access-token = \"t\"\n[source]\nkind = \"file\"\npath = \"u.ndjson\"\n\
         {source}\n{rules}\n"
    );
    match provisioner::Config::parse(&text, std::path::Path::new("aquera.toml")) {
        Ok(_) => Vec::new(),
        Err(error) => {
            error.problems().iter().map(|one| format!("{}; {}", one.message(), one.way_out())).collect()
        }
    }
}

#[test]
fn group_rules_are_checked_with_a_way_out() {
    let groups = "groups = \"groups.ndjson\"";
    let rule = |lines: &str| format!("[[group-rule]]\nname = \"all\"\n{lines}");
    assert_eq!(
        problems(groups, &rule("members = \"overwrite\"\ndeletion = \"delete\"")),
        Vec::<String>::new()
    );
    for (source, rules, expected) in [
        ("", rule(""), "there is a group rule, and the source has no groups"),
        ("memberships = \"users\"", String::new(), "there are no groups"),
        (groups, rule("filter = 'nme sw \"Dept\"'"), "did you mean `name`?"),
        (groups, rule("filter = 'name sw Dept'"), "`filter` does not parse"),
        (groups, rule("name-source = \"common-name\""), "unknown value `common-name`"),
        (groups, rule("name-source = \"name\"\nname-expression = \"group.name\""), "both `name-source` and"),
        (groups, rule("name-expression = \"user.name\""), "unknown name `user`: expected `group`"),
        (groups, rule("name-expression = \"group.nme\""), "`nme` is not an attribute of a PingOne group"),
        (groups, rule("deletion = \"remove\""), "unknown value `remove`"),
        (groups, format!("{}\n{}", rule(""), rule("")), "the group rule name \"all\" is taken"),
        (groups, "[[group-rule]]\nmembers = \"merge\"".to_owned(), "`name` is missing"),
    ] {
        let found = problems(source, &rules);
        assert!(found.iter().any(|problem| problem.contains(expected)), "{rules}: {found:?}");
    }
}
