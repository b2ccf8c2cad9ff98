//! Groups end to end: creation, members, names, deletion, and what targets make of them.

mod dialects;
mod group_policy;
mod group_source;
mod operation;
mod safety;

use std::fmt::Write as _;

use provisioner::{RunReport, SyncOptions};
use serde_json::{Value, json};

use crate::support::{Bench, Settings, user};

/// The settings with one group rule; `rule` has more of its lines.
fn settings(rule: &str, options: &str) -> Settings {
    Settings {
        options: options.to_owned(),
        rules: format!(
            "groups = \"groups.ndjson\"\n[[rule]]\nname = \"everyone\"\nfilter = 'title eq \"Engineer\"'\n\
             [[group-rule]]\nname = \"all\"\n{rule}\n"
        ),
        preferences: crate::support::ALL_DELETE,
        ..Settings::default()
    }
}

async fn bench(rule: &str) -> Bench {
    Bench::with("rfc", settings(rule, "")).await
}

/// Returns a PingOne group.
fn group(id: &str, name: &str, members: &[&str]) -> Value {
    json!({ "id": id, "name": name, "members": members })
}

fn people(ids: &[&str]) -> Vec<Value> {
    ids.iter().map(|id| user(id, &format!("user-{id}"))).collect()
}

impl Bench {
    fn groups(&self, groups: &[Value]) {
        let mut text = String::new();
        for group in groups {
            writeln!(text, "{group}").unwrap();
        }
        std::fs::write(self.path("groups.ndjson"), text).unwrap();
    }

    /// Runs one sync over `users` and `groups`, and returns the lines of the groups in short.
    async fn run_groups(&self, users: &[Value], groups: &[Value]) -> Vec<String> {
        self.users(users);
        self.groups(groups);
        in_short(&self.sync().await)
    }

    /// Returns each group at the target with the user names of its members.
    fn members(&self) -> Vec<String> {
        let users = self.app.users();
        let name_of = |id: &Value| {
            let user = users.iter().find(|user| user["id"] == *id);
            user.map_or_else(
                || format!("?{id}"),
                |user| user["userName"].as_str().unwrap().replace("user-", ""),
            )
        };
        let mut groups: Vec<String> = self
            .app
            .groups()
            .iter()
            .map(|group| {
                let members = group["members"].as_array().cloned().unwrap_or_default();
                let mut names: Vec<String> = members.iter().map(|member| name_of(&member["value"])).collect();
                names.sort();
                format!("{}: {}", group["displayName"].as_str().unwrap(), names.join(" "))
            })
            .collect();
        groups.sort();
        groups
    }

    /// Returns the requests about groups since the journal was cleared, with the members of each write.
    fn group_requests(&self) -> Vec<String> {
        self.app
            .journal()
            .iter()
            .filter_map(|exchange| {
                let (_, path) = exchange.path.split_once("/Groups")?;
                let place = if path.starts_with('/') { "Groups/{id}" } else { "Groups" };
                Some(format!("{} {place}", exchange.method))
            })
            .collect()
    }

    fn clear(&self) {
        self.app.clear_journal();
    }
}

/// Returns `name change operation outcome reason +added -removed`, one line each.
fn in_short(report: &RunReport) -> Vec<String> {
    report
        .groups
        .iter()
        .map(|line| {
            let value = serde_json::to_value(line).unwrap();
            assert_eq!(value["type"], "group");
            let word = |name: &str| value[name].as_str().unwrap().to_owned();
            let words = ["name", "change", "operation", "outcome", "reason"].map(word);
            format!("{} +{} -{}", words.join(" "), value["membersAdded"], value["membersRemoved"])
        })
        .collect()
}

#[tokio::test]
async fn groups_are_created_with_their_members_and_then_left_in_peace() {
    let bench = bench("").await;
    let (users, groups) = (people(&["1", "2", "3"]), [group("a", "A", &["1", "2"]), group("b", "B", &[])]);
    let lines = bench.run_groups(&users, &groups).await;
    assert_eq!(lines, ["A enters create success done +2 -0", "B enters create success done +0 -0"]);
    assert_eq!(bench.members(), ["A: 1 2", "B: "]);
    let made = &bench.app.groups()[0];
    assert_eq!(made["externalId"], "a");
    bench.clear();
    assert_eq!(bench.run_groups(&users, &groups).await, Vec::<String>::new());
    assert_eq!(bench.group_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn one_change_of_a_member_sends_one_patch_with_one_value() {
    let bench = bench("").await;
    let users = people(&["1", "2", "3", "4"]);
    bench.run_groups(&users, &[group("a", "A", &["1", "2"]), group("b", "B", &["1"])]).await;
    // The first addition and the first removal are read back.
    bench.run_groups(&users, &[group("a", "A", &["1", "3"]), group("b", "B", &["1"])]).await;
    assert_eq!(bench.members(), ["A: 1 3", "B: 1"]);
    bench.clear();
    let lines = bench.run_groups(&users, &[group("a", "A", &["1", "3", "4"]), group("b", "B", &["1"])]).await;
    assert_eq!(lines, ["A members update success done +1 -0"]);
    assert_eq!(bench.group_requests(), ["PATCH Groups/{id}"]);
    let journal = bench.app.journal();
    let sent = journal.iter().find(|exchange| exchange.method == "PATCH").unwrap();
    let body = sent.request_body.clone().unwrap();
    assert_eq!(body["Operations"][0]["value"].as_array().unwrap().len(), 1);
    bench.clear();
    let lines = bench.run_groups(&users, &[group("a", "A", &["1", "4"]), group("b", "B", &["1"])]).await;
    assert_eq!(lines, ["A members update success done +0 -1"]);
    assert_eq!(bench.group_requests(), ["PATCH Groups/{id}"]);
    assert_eq!(bench.members(), ["A: 1 4", "B: 1"]);
}

#[tokio::test]
async fn members_out_of_scope_are_left_out_and_late_ones_are_added_when_they_appear() {
    let bench = bench("").await;
    let mut users = people(&["1", "2", "3"]);
    users[1]["title"] = "Visitor".into();
    users[2]["enabled"] = false.into();
    let groups = [group("a", "A", &["1", "2", "3", "unknown"])];
    let lines = bench.run_groups(&users, &groups).await;
    // User 3 is disabled, so its account is not made: the group waits for it, and not for user 2.
    assert_eq!(lines, ["A enters create partial members-pending +1 -0"]);
    assert_eq!(bench.members(), ["A: 1"]);
    bench.clear();
    assert_eq!(bench.run_groups(&users, &groups).await, Vec::<String>::new());
    assert_eq!(bench.group_requests(), Vec::<String>::new());
    users[1]["title"] = "Engineer".into();
    users[2]["enabled"] = true.into();
    let lines = bench.run_groups(&users, &groups).await;
    assert_eq!(lines, ["A members update success done +2 -0"]);
    assert_eq!(bench.members(), ["A: 1 2 3"]);
    // User 1 leaves the source and its account is deleted, user 2 leaves the scope.
    users[1]["title"] = "Visitor".into();
    users.remove(0);
    bench.run_groups(&users, &groups).await;
    assert_eq!(bench.members(), ["A: 3"]);
    bench.clear();
    assert_eq!(bench.run_groups(&users, &groups).await, Vec::<String>::new());
    assert_eq!(bench.group_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn group_is_renamed_and_found_again_by_its_id() {
    let bench = bench("name-source = \"display-name\"").await;
    let users = people(&["1"]);
    bench.run_groups(&users, &[group("a", "A", &["1"])]).await;
    let mut renamed = group("a", "A", &["1"]);
    renamed["displayName"] = "Alpha".into();
    let lines = bench.run_groups(&users, &[renamed.clone()]).await;
    assert_eq!(lines, ["Alpha name update success done +0 -0"]);
    assert_eq!(bench.members(), ["Alpha: 1"]);
    renamed["displayName"] = "Beta".into();
    renamed["members"] = json!([]);
    bench.clear();
    assert_eq!(
        bench.run_groups(&users, &[renamed]).await,
        ["Beta name-and-members update success done +0 -1"]
    );
    assert_eq!(bench.members(), ["Beta: "]);
}

#[tokio::test]
async fn name_comes_from_an_expression() {
    let bench = bench("name-expression = \"'P1 ' + group.name.lowerAscii()\"").await;
    let lines = bench.run_groups(&people(&["1"]), &[group("a", "A", &[])]).await;
    assert_eq!(lines, ["P1 a enters create success done +0 -0"]);
    let nameless = json!({ "id": "b", "members": [] });
    let lines = bench.run_groups(&people(&["1"]), &[group("a", "A", &[]), nameless]).await;
    assert_eq!(lines, ["b enters none failed invalid-group +0 -0"]);
}

#[tokio::test]
async fn existing_group_is_adopted_and_its_other_members_are_merged_or_overwritten() {
    for (mode, expected) in [("merge", "A: 1 2 foreign"), ("overwrite", "A: 1 2")] {
        let bench = bench(&format!("members = \"{mode}\"")).await;
        let foreign = bench.app.seed_user(json!({ "userName": "foreign" }));
        bench.app.seed("Group", json!({ "displayName": "a", "members": [{ "value": foreign }] }));
        bench.app.seed("Group", json!({ "displayName": "other", "members": [{ "value": foreign }] }));
        let users = people(&["1", "2"]);
        let lines = bench.run_groups(&users, &[group("a", "A", &["1", "2"])]).await;
        let removed = usize::from(mode == "overwrite");
        assert_eq!(lines, [format!("A enters update success done +2 -{removed}")], "{mode}");
        assert_eq!(bench.members(), [expected, "other: foreign"], "{mode}");
        // Only what was written here is removed here.
        let lines = bench.run_groups(&users, &[group("a", "A", &["1"])]).await;
        assert_eq!(lines, ["A members update success done +0 -1"], "{mode}");
        assert_eq!(bench.members()[0], expected.replace(" 2", ""), "{mode}");
    }
}

#[tokio::test]
async fn full_run_repairs_what_others_changed() {
    for (mode, expected) in [("merge", "A: 1 2 foreign"), ("overwrite", "A: 1 2")] {
        let bench = bench(&format!("members = \"{mode}\"")).await;
        let (users, groups) = (people(&["1", "2"]), [group("a", "A", &["1", "2"])]);
        bench.run_groups(&users, &groups).await;
        let foreign = bench.app.seed_user(json!({ "userName": "foreign" }));
        let (one, made) = (bench.app.users()[0]["id"].clone(), bench.app.groups()[0].clone());
        let members = json!([{ "value": one }, { "value": foreign }]);
        bench.app.seed("Group", json!({ "id": made["id"], "displayName": "Renamed", "members": members }));
        assert_eq!(bench.run_groups(&users, &groups).await, Vec::<String>::new(), "{mode}");
        let report = bench.sync_with(SyncOptions { full: true, ..SyncOptions::default() }).await;
        assert_eq!(in_short(&report).len(), 1, "{mode}");
        assert_eq!(bench.members(), [expected], "{mode}");
    }
}

#[tokio::test]
async fn switches_of_the_rule_decide_what_is_written() {
    let bench = bench("create = false\nupdate = false").await;
    let users = people(&["1", "2"]);
    let groups = [group("a", "A", &["1"]), group("b", "B", &["1"])];
    bench.app.seed("Group", json!({ "displayName": "B" }));
    let lines = bench.run_groups(&users, &groups).await;
    assert_eq!(lines, ["A enters none unsynced create-off +0 -0", "B enters link partial update-off +0 -0"]);
    assert_eq!(bench.members(), ["B: "]);
    // Reported once.
    assert_eq!(bench.run_groups(&users, &groups).await, Vec::<String>::new());
}

#[tokio::test]
async fn group_that_left_is_kept_or_deleted_as_its_rule_says() {
    for (deletion, line, left) in [
        ("keep", "A deleted none partial kept +0 -0", vec!["A: 1", "B: 1", "foreign: "]),
        ("delete", "A deleted delete success done +0 -0", vec!["B: 1", "foreign: "]),
    ] {
        let bench =
            bench(&format!("filter = 'name sw \"A\" or name eq \"B\"'\ndeletion = \"{deletion}\"")).await;
        bench.app.seed("Group", json!({ "displayName": "foreign" }));
        let users = people(&["1"]);
        bench.run_groups(&users, &[group("a", "A", &["1"]), group("b", "B", &["1"])]).await;
        let lines = bench.run_groups(&users, &[group("b", "B", &["1"])]).await;
        assert_eq!(lines, [line], "{deletion}");
        assert_eq!(bench.members(), left, "{deletion}");
        assert_eq!(bench.run_groups(&users, &[group("b", "B", &["1"])]).await, Vec::<String>::new());
        // It comes back.
        bench.run_groups(&users, &[group("a", "A", &[]), group("b", "B", &["1"])]).await;
        assert_eq!(bench.members(), ["A: ", "B: 1", "foreign: "], "{deletion}");
    }
}

#[tokio::test]
async fn groups_of_a_rule_that_is_gone_are_released() {
    let mut bench = bench("deletion = \"delete\"").await;
    let (users, groups) = (people(&["1"]), [group("a", "A", &["1"])]);
    bench.run_groups(&users, &groups).await;
    let with_rule = bench.settings.rules.clone();
    bench.settings.rules = with_rule.split("[[group-rule]]").next().unwrap().to_owned();
    assert_eq!(bench.run_groups(&users, &groups).await, ["A rule-deleted none partial rule-deleted +0 -0"]);
    assert_eq!(bench.members(), ["A: 1"]);
    bench.clear();
    assert_eq!(bench.run_groups(&users, &groups).await, Vec::<String>::new());
    // A rule that is off leaves its groups alone, whatever the source says.
    bench.settings.rules = format!("{with_rule}enabled = false\n");
    assert_eq!(bench.run_groups(&users, &[]).await, Vec::<String>::new());
    assert_eq!(bench.group_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn memberships_of_frozen_and_excluded_users_stay_as_they_are() {
    for (options, rule) in [("exclude = [\"user-2\"]", ""), ("", "enabled = false")] {
        let mut bench = bench("").await;
        let users = people(&["1", "2", "3"]);
        bench.run_groups(&users, &[group("a", "A", &["1", "2"]), group("b", "B", &["1"])]).await;
        bench.settings.options = options.to_owned();
        let everyone = "[[rule]]\nname = \"everyone\"";
        bench.settings.rules = bench.settings.rules.replace(everyone, &format!("{everyone}\n{rule}"));
        // User 2 leaves one group and enters the other, and is in both cases left alone.
        bench.run_groups(&users, &[group("a", "A", &["1"]), group("b", "B", &["1", "2"])]).await;
        assert_eq!(bench.members(), ["A: 1 2", "B: 1"], "{options} {rule}");
    }
}

#[tokio::test]
async fn two_hundred_groups_of_many_users_take_about_one_request_each() {
    let bench = Bench::with("rfc", settings("", "concurrency = 4")).await;
    let ids: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let users = people(&ids);
    let groups: Vec<Value> =
        (0..200).map(|number| group(&format!("g{number}"), &format!("Group {number}"), &ids)).collect();
    let lines = bench.run_groups(&users, &groups).await;
    assert_eq!(lines.len(), 200);
    assert!(lines.iter().all(|line| line.ends_with("enters create success done +40 -0")), "{lines:?}");
    // One list in place of 200 look-ups, a POST each, and a read of the first one.
    let requests = bench.group_requests().len();
    assert!(requests <= 203, "{requests}");
    bench.clear();
    let fewer: Vec<Value> =
        (0..200).map(|number| group(&format!("g{number}"), &format!("Group {number}"), &ids[1..])).collect();
    let report = {
        bench.users(&users);
        bench.groups(&fewer);
        bench.sync_with(SyncOptions { approve_group_removals: Some(200), ..SyncOptions::default() }).await
    };
    assert!(in_short(&report).iter().all(|line| line.ends_with("update success done +0 -1")));
    // A PATCH each, and two reads around the first one.
    let requests = bench.group_requests().len();
    assert!(requests <= 203, "{requests}");
}
