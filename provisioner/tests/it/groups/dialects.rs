//! What targets make of writes to groups: forms that they refuse or ignore, limits, and members that do not show.

use std::sync::{Arc, Mutex};

use mock_aquera::Profile;
use serde_json::{Value, json};

use super::{Bench, group, people, settings};
use crate::scripted::{Answer, target};

fn profile(switches: &Value) -> Profile {
    let mut profile = json!({ "name": "own", "summary": "for a test", "extends": "rfc" });
    profile.as_object_mut().unwrap().extend(switches.as_object().unwrap().clone());
    Profile::from_json(&profile).unwrap()
}

async fn bench(switches: &Value, options: &str) -> Bench {
    Bench::with_profile(profile(switches), settings("", options)).await
}

/// Runs a creation, an addition, a removal and a rename, and returns the outcomes that are not a success.
async fn course(bench: &Bench) -> Vec<String> {
    let users = people(&["1", "2", "3"]);
    let mut lines = Vec::new();
    for (name, members) in
        [("A", vec!["1"]), ("A", vec!["1", "2", "3"]), ("A", vec!["1"]), ("B", vec!["1", "2"])]
    {
        lines.extend(bench.run_groups(&users, &[group("a", name, &members)]).await);
    }
    lines.retain(|line| !line.contains("success done"));
    lines
}

#[tokio::test]
async fn each_dialect_converges_and_the_form_is_learned() {
    let refused_paths = json!({ "gateway": { "patch-value-filters": "answers-400" } });
    let no_values = json!({ "requests": { "dialects": { "remove-by-value": "refused" } } });
    let no_patch = json!({ "gateway": { "group-patch": "answers-501" } });
    for (switches, learned) in [
        (json!({}), "remove by path works, remove by value unknown, PUT unknown"),
        (refused_paths.clone(), "remove by path refused, remove by value works, PUT unknown"),
        (no_values, "remove by path works, remove by value unknown, PUT unknown"),
        (no_patch, "PUT works"),
        (
            json!({ "gateway": { "patch-value-filters": "answers-400" }, "requests": { "dialects": { "remove-by-value": "refused" } } }),
            "remove by path refused, remove by value refused, PUT works",
        ),
    ] {
        let bench = bench(&switches, "").await;
        assert_eq!(course(&bench).await, Vec::<String>::new(), "{switches}");
        assert_eq!(bench.members(), ["B: 1 2"], "{switches}");
        let provisioner = bench.open_to_read().await;
        let lines = provisioner.stored().unwrap().connection.learned_groups.lines().join("\n");
        provisioner.close().await;
        assert!(lines.contains(learned), "{switches}: {lines}");
    }
}

#[tokio::test]
async fn dialect_that_a_person_has_set_is_not_replaced_by_another() {
    let switches = json!({ "gateway": { "patch-value-filters": "answers-400" } });
    let bench = bench(&switches, "member-dialect = \"path\"").await;
    let users = people(&["1", "2"]);
    bench.run_groups(&users, &[group("a", "A", &["1", "2"])]).await;
    let lines = bench.run_groups(&users, &[group("a", "A", &["1"])]).await;
    assert_eq!(
        lines,
        ["A members none failed members-refused +0 -0"].map(|line| line.replace("none", "update"))
    );
    assert_eq!(bench.members(), ["A: 1 2"]);
}

#[tokio::test]
async fn limit_of_members_is_found_and_kept() {
    let bench = bench(&json!({ "gateway": { "max-member-changes": 10 } }), "").await;
    let ids: Vec<String> = (0..36).map(|number| number.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let users = people(&ids);
    let lines = bench.run_groups(&users, &[group("a", "A", &ids)]).await;
    assert_eq!(lines, ["A enters create success done +36 -0"]);
    bench.clear();
    let lines = bench.run_groups(&users, &[group("a", "A", &ids), group("b", "B", &ids)]).await;
    assert_eq!(lines, ["B enters create success done +36 -0"]);
    // 36, 18 and 9 were tried before: now nothing is refused.
    let writes: Vec<String> = bench.writes();
    assert_eq!(writes, ["POST 201", "PATCH 200", "PATCH 200", "PATCH 200"]);
}

#[tokio::test]
async fn one_refused_member_does_not_keep_the_others_out() {
    let bench = bench(&json!({}), "").await;
    let users = people(&["1", "2", "3", "4", "5"]);
    bench.run_groups(&users, &[group("a", "A", &["1"])]).await;
    // Account 4 is deleted out of band: the target knows no such member.
    let gone = bench.app.users().iter().find(|user| user["userName"] == "user-4").unwrap()["id"].clone();
    assert!(bench.app.remove_user(gone.as_str().unwrap()));
    let lines = bench.run_groups(&users, &[group("a", "A", &["1", "2", "3", "4", "5"])]).await;
    assert_eq!(lines, ["A members update failed members-refused +3 -0"]);
    assert_eq!(bench.members(), ["A: 1 2 3 5"]);
}

#[tokio::test]
async fn target_that_never_shows_members_is_believed_by_the_groups_of_its_accounts() {
    for shown in ["empty", "missing"] {
        let bench = bench(&json!({ "list": { "members": shown } }), "").await;
        let users = people(&["1", "2"]);
        let lines = bench.run_groups(&users, &[group("a", "A", &["1", "2"])]).await;
        assert_eq!(lines, ["A enters create success done +2 -0"], "{shown}");
        bench.run_groups(&users, &[group("a", "A", &["1"])]).await;
        let lines = bench.run_groups(&users, &[group("a", "A", &["1"])]).await;
        assert_eq!(lines, Vec::<String>::new(), "{shown}");
        let user = |name: &str| {
            let users = bench.app.users();
            let user = users.iter().find(|user| user["userName"] == name).cloned().unwrap();
            user["groups"].as_array().map_or(0, Vec::len)
        };
        assert_eq!((user("user-1"), user("user-2")), (1, 0), "{shown}");
    }
}

/// A target with one group that takes a removal by value for the removal of all members, and knows no value paths.
fn careless(members: &Arc<Mutex<Vec<String>>>, asked: &crate::scripted::Asked) -> Answer {
    let path = asked.path.split('?').next().unwrap();
    let mut members = members.lock().unwrap();
    let group = |members: &[String]| {
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        json!({ "id": "g", "displayName": "A", "externalId": "a", "members": members })
    };
    match (asked.method.as_str(), path) {
        ("GET", "/scim/Groups/g") => Answer::scim(200, &group(&members)),
        ("GET", "/scim/Groups") => Answer::list(&[]),
        ("POST", "/scim/Groups") => {
            members.extend(ids(&asked.body["members"]));
            Answer::scim(201, &group(&members))
        }
        ("PATCH", "/scim/Groups/g") => {
            let operation = &asked.body["Operations"][0];
            match (operation["op"].as_str().unwrap(), operation["path"].as_str().unwrap()) {
                ("add", "members") => members.extend(ids(&operation["value"])),
                ("remove", "members") => members.clear(),
                _ => return Answer::error(400, "no such path"),
            }
            Answer::scim(200, &group(&members))
        }
        ("PUT", "/scim/Groups/g") => {
            *members = ids(&asked.body["members"]);
            Answer::scim(200, &group(&members))
        }
        ("GET", path) if path.starts_with("/scim/Users/") => {
            let id = path.rsplit('/').next().unwrap();
            Answer::scim(200, &json!({ "id": id, "userName": id, "active": true }))
        }
        ("GET", _) => Answer::list(&[]),
        ("POST", _) => {
            let name = asked.body["userName"].clone();
            let mut account = asked.body.clone();
            account["id"] = name;
            Answer::scim(201, &account)
        }
        _ => Answer::error(501, "no"),
    }
}

fn ids(members: &Value) -> Vec<String> {
    let members = members.as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn members_that_a_removal_by_value_took_along_are_added_again() {
    let members = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&members);
    let url = target(move |asked| careless(&shared, asked)).await;
    let bench = Bench::with("rfc", super::Settings { scim_url: Some(url), ..settings("", "") }).await;
    let users = people(&["1", "2", "3", "4"]);
    bench.run_groups(&users, &[group("a", "A", &["1", "2", "3", "4"])]).await;
    let lines = bench.run_groups(&users, &[group("a", "A", &["1", "2"])]).await;
    assert_eq!(lines, ["A members update success done +0 -2"]);
    let mut left = members.lock().unwrap().clone();
    left.sort();
    assert_eq!(left, ["user-1", "user-2"]);
    // The form is not sent again.
    bench.run_groups(&users, &[group("a", "A", &["1"])]).await;
    assert_eq!(*members.lock().unwrap(), ["user-1"]);
    let provisioner = bench.open_to_read().await;
    let lines = provisioner.stored().unwrap().connection.learned_groups.lines().join("\n");
    provisioner.close().await;
    assert!(lines.contains("remove by value removes-others"), "{lines}");
}
