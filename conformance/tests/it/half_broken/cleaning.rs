//! The resources that `conformance clean` deletes, leaves alone, and cannot delete.

use std::collections::BTreeMap;
use std::process::Command;

use conformance::subject::server::client::Answer;
use serde_json::{Value, json};

use super::front::{Broken, Seen, TOKEN, page};

fn clean(url: &str, more: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(["clean", url, "--bearer", TOKEN])
        .args(more)
        .output()
        .expect("the program runs");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clean_deletes_what_runs_made_and_leaves_other_names_alone() {
    let broken = Broken::changed(|_, _| {}).await;
    let user = "urn:ietf:params:scim:schemas:core:2.0:User";
    let group = "urn:ietf:params:scim:schemas:core:2.0:Group";
    broken
        .create("/Users", &json!({ "schemas": [user], "userName": "conformance-officer@example.com" }))
        .await;
    broken.create("/Groups", &json!({ "schemas": [group], "displayName": "conformance-team" })).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("user.json");
    std::fs::write(&file, r#"{"userName": "svc.{{unique}}@acme.test"}"#).expect("a file");
    let template = file.display().to_string();
    let select = "id=rfc7644/3.3/answers-201 | id=rfc7644/3.3/group-answers-201";
    broken.judged(&["--select", select, "--keep", "--template", &template]).await;
    assert_eq!(broken.left().values().sum::<usize>(), 4);
    let (code, out) = clean(&broken.url, &["--dry-run"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("found User svc.conformance-") && out.contains("nothing was deleted"), "{out}");
    let (code, out) = clean(&broken.url, &[]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("left alone User conformance-officer@example.com"), "{out}");
    assert!(out.contains("left alone Group conformance-team"), "{out}");
    assert!(out.ends_with("deleted 2 of 2 found\n"), "{out}");
    assert_eq!(broken.left().values().sum::<usize>(), 2, "{:?}", broken.left());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn accounts_deactivated_by_delete_are_reported() {
    let broken = Broken::start("delete-deactivates", Box::new(|_| None), Box::new(|_, _| {})).await;
    let judged = broken.judged(&["--select", "id=rfc7644/3.3/answers-201"]).await;
    assert!(judged.error.contains("1 resource stayed at the server"), "{}", judged.error);
    assert!(judged.error.contains("1 of them are deactivated"), "{}", judged.error);
    assert!(!judged.error.contains("conformance clean"), "{}", judged.error);
    let (code, out) = clean(&broken.url, &[]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("and the account is still there, deactivated"), "{out}");
    assert!(out.contains("1 of them are deactivated: this server's DELETE"), "{out}");
    assert!(out.ends_with("deleted 0 of 1 found, 1 could not be deleted\n"), "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn unreadable_resource_counts_as_gone_whatever_the_status() {
    let broken = Broken::changed(|seen, answer| {
        if seen.method == "DELETE" {
            answer.status = 405;
        }
    })
    .await;
    let judged = broken.judged(&["--select", "id=rfc7644/3.3/answers-201"]).await;
    assert_eq!(broken.left(), BTreeMap::new());
    assert!(!judged.error.contains("stayed at the server"), "{}", judged.error);
}

/// Accounts of a run with `--keep`, more than one page of them.
const MANY: [&str; 3] =
    ["--select", "section=3.4.2.4 | section=3.4.2.3 | section=3.9 | section=3.3", "--keep"];

/// Lists whose pages do not show all: what a search overlooks is searched for again, or told.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clean_searches_again_until_nothing_more_is_found() {
    fn first_page(seen: &mut Seen) -> Option<Answer> {
        let parameters = seen.query.split('&').filter(|parameter| !parameter.starts_with("startIndex="));
        seen.query = parameters.collect::<Vec<_>>().join("&");
        None
    }
    fn pages_of_ten(seen: &mut Seen) -> Option<Answer> {
        if seen.method == "GET" {
            seen.query = seen.query.replace("count=100", "count=10");
        }
        None
    }
    fn total_of_the_page(_: &Seen, answer: &mut Answer) {
        if let Some(list) = answer.json.as_mut().filter(|list| list.get("Resources").is_some()) {
            let count = list["Resources"].as_array().map_or(0, Vec::len);
            list["totalResults"] = json!(count);
        }
    }
    fn without_total(_: &Seen, answer: &mut Answer) {
        if let Some(list) = answer.json.as_mut().and_then(Value::as_object_mut) {
            list.remove("totalResults");
        }
    }
    type Server = (fn(&mut Seen) -> Option<Answer>, fn(&Seen, &mut Answer));
    let servers: [(&str, Server); 3] = [
        ("startIndex is ignored", (first_page, |_, _| {})),
        ("pages of 10 without totalResults", (pages_of_ten, without_total)),
        ("totalResults counts the page", (pages_of_ten, total_of_the_page)),
    ];
    for (name, (instead, change)) in servers {
        let broken = Broken::start("rfc", Box::new(instead), Box::new(change)).await;
        broken.judged(&MANY).await;
        let left = broken.left().values().sum::<usize>();
        assert!(left > 110, "{name}: {left}");
        let (code, out) = clean(&broken.url, &[]);
        let last = out.lines().last().unwrap_or_default();
        assert_eq!(broken.left(), BTreeMap::new(), "{name}: {last}");
        assert_eq!((code, last), (Some(0), format!("deleted {left} of {left} found").as_str()), "{name}");
    }
}

/// A server that shows only a part of what it says that there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clean_says_where_a_list_does_not_show_all() {
    let broken = Broken::changed(|seen, answer| {
        if let Some(list) =
            answer.json.as_mut().filter(|_| seen.path == "/Users" && seen.query.contains("co"))
            && let Some(all) = list.get_mut("Resources").and_then(Value::as_array_mut)
        {
            all.clear();
        }
    })
    .await;
    broken.judged(&["--select", "id=rfc7644/3.3/answers-201", "--keep"]).await;
    let (code, out) = clean(&broken.url, &["--json"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("says that there is 1, and shows 0"), "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn delete_answered_404_without_effect_is_reported() {
    for status in [404, 410] {
        let broken =
            Broken::answering(move |seen| (seen.method == "DELETE").then(|| page(status, "", &[]))).await;
        let judged = broken.judged(&["--select", "id=rfc7644/3.3/answers-201"]).await;
        assert!(judged.error.contains("1 resource stayed at the server"), "{}", judged.error);
        let (code, out) = clean(&broken.url, &[]);
        assert_eq!(code, Some(1), "{out}");
        assert!(out.contains(&format!("DELETE is answered {status}, and it is still there")), "{out}");
        assert!(out.contains("deleted 0 of 1 found"), "{out}");
    }
}

/// The resource cannot be read by its id any more, and the list still has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn listed_resource_counts_as_not_deleted() {
    let broken = Broken::answering(|seen| match seen.method.as_str() {
        "DELETE" => Some(page(204, "", &[])),
        "GET" if seen.path.starts_with("/Users/") => Some(page(404, "", &[])),
        _ => None,
    })
    .await;
    let judged = broken.judged(&["--select", "id=rfc7644/3.3/answers-201"]).await;
    assert!(judged.error.contains("1 resource stayed at the server"), "{}", judged.error);
    let (code, out) = clean(&broken.url, &[]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("and the list still has it"), "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn names_that_look_like_those_of_runs_are_left_alone() {
    let broken = Broken::changed(|_, _| {}).await;
    let user = "urn:ietf:params:scim:schemas:core:2.0:User";
    // Words of which one in 36 met the check sign of a single character.
    for word in ["eastern", "testing", "contact", "student", "manager", "support", "service", "general"] {
        let name = format!("conformance-{word}-4@example.com");
        broken.create("/Users", &json!({ "schemas": [user], "userName": name })).await;
    }
    let (code, out) = clean(&broken.url, &[]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.ends_with("deleted 0 of 0 found\n"), "{out}");
    assert_eq!(broken.left().values().sum::<usize>(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn server_without_delete_is_reported() {
    let broken = Broken::start("no-delete", Box::new(|_| None), Box::new(|_, _| {})).await;
    for command in ["server", "probe"] {
        let select = ["--select", "id=rfc7644/3.3/answers-201"];
        let judged = broken.run(command, if command == "server" { &select } else { &[] }).await;
        assert!(judged.error.contains("this server answers DELETE with 405"), "{command}: {}", judged.error);
        assert!(!judged.error.contains("remove them: conformance clean"), "{command}: {}", judged.error);
    }
    let (code, out) = clean(&broken.url, &[]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("this server answers DELETE with 405"), "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kept_resources_are_counted_with_the_command_that_removes_them() {
    let broken = Broken::changed(|_, _| {}).await;
    let judged =
        broken.judged(&["--select", "id=rfc7644/3.3/answers-201 | id=rfc7644/3.6/is-gone", "--keep"]).await;
    let command = format!("remove them: conformance clean {}", broken.url);
    assert!(judged.error.contains("1 resource stays at the server"), "{}", judged.error);
    assert!(judged.error.contains(&command), "{}", judged.error);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_signal_under_keep_says_that_everything_stays() {
    let broken = Broken::unhurried().await;
    let (code, error) = broken.interrupted("server", &["--keep"], &["-TERM"]).await;
    assert_eq!(code, Some(3), "{error}");
    assert!(!error.contains("cleaning up"), "{error}");
    let left = broken.left().values().sum::<usize>();
    assert!(left > 0, "{error}");
    let stays = if left == 1 { "1 resource stays".to_owned() } else { format!("{left} resources stay") };
    assert!(error.contains(&format!("{stays} at the server")), "{left}: {error}");
    assert!(error.contains(&format!("conformance clean {}", broken.url)), "{error}");
}
