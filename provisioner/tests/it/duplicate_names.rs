//! Users with the same user name to a target: each is reported with the places of both.

mod swaps;

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Bench, but, short, user};

const CLASH: &str = "\"ada\" (id 1, line 1) and \"ADA\" (id 3, line 3) have the same userName to a target, which gives it \
    to one account only";

fn users() -> [Value; 3] {
    [user("1", "ada"), user("2", "brook"), user("3", "ADA")]
}

fn run(bench: &Bench, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provisioner"));
    command.args(arguments).current_dir(bench.folder.path()).env("COLUMNS", "400").env("NO_COLOR", "1");
    let output = tokio::task::block_in_place(|| command.output().unwrap());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn details(report: &provisioner::RunReport) -> Vec<Option<String>> {
    report.lines.iter().map(|line| line.detail.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicate_names_are_reported_by_check_plan_and_sync() {
    let bench = Bench::new("aquera").await;
    bench.users(&users());
    bench.write_config();
    let (exit, _, err) = run(&bench, &["check"]);
    assert_eq!(exit, Some(1), "{err}");
    assert!(err.contains(CLASH), "{err}");
    let (exit, out, _) = run(&bench, &["check", "--json"]);
    assert_eq!(exit, Some(1));
    let first: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    let each = [
        json!({ "sourceId": "1", "userName": "ada", "line": 1 }),
        json!({ "sourceId": "3", "userName": "ADA", "line": 3 }),
    ];
    assert_eq!(first, json!({ "type": "namesakes", "users": each }));
    let (_, out, _) = run(&bench, &["plan", "--json"]);
    let entries: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries[0]["outcome"], "success");
    assert_eq!(entries[2]["outcome"], json!("failed"));
    assert_eq!(entries[2]["reason"], json!("account-linked-elsewhere"));
    for entry in [&entries[0], &entries[2]] {
        assert!(entry["why"].as_str().unwrap().contains(CLASH), "{entry}");
    }

    let report = bench.sync().await;
    assert_eq!(
        short(&report),
        [
            "ada enters create success done",
            "brook enters create success done",
            "ADA enters none failed account-linked-elsewhere"
        ]
    );
    assert_eq!(details(&report), [Some(CLASH.to_owned()), None, Some(CLASH.to_owned())]);
    assert_eq!(bench.accounts(), ["ada true", "brook true"]);
    assert_eq!(bench.writes(), ["POST 201", "POST 201"], "the other one is not even tried");

    // Each further run reports the user without an account, and the other user of the name.
    let report = bench.sync().await;
    assert_eq!(short(&report), ["ADA enters none failed account-linked-elsewhere"]);
    assert_eq!(details(&report), [Some(CLASH.to_owned())]);

    // Renamed apart, both are provisioned.
    bench.users(&[user("1", "ada"), user("2", "brook"), user("3", "ada.l")]);
    assert_eq!(short(&bench.sync().await), ["ada.l enters create success done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rename_to_a_name_of_somebody_else_is_told_with_both() {
    let bench = Bench::new("aquera").await;
    bench.run(&[user("1", "ada"), user("2", "brook")]).await;
    bench.users(&[user("1", "ada"), user("2", "Ada")]);
    let report = bench.sync().await;
    assert_eq!(short(&report), ["Ada attributes update failed user-name-taken"]);
    let detail = details(&report).remove(0).unwrap();
    assert!(detail.contains("\"ada\" (id 1, line 1) and \"Ada\" (id 2, line 2)"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_equal_to_a_target_are_duplicates() {
    for (one, other) in [("j\u{fc}rgen", "JU\u{308}RGEN"), ("ＡＮＡ", "ana"), ("zoë", "ZOË")] {
        let bench = Bench::new("aquera").await;
        bench.users(&[user("1", one), user("2", other)]);
        let report = bench.sync().await;
        assert_eq!(report.summary.failed, 1, "{one} {other}");
        assert_eq!(bench.app.user_count(), 1, "{one} {other}");
        let details = details(&report);
        assert_eq!(details.len(), 2, "{details:?}");
        assert!(
            details.iter().all(|detail| detail.as_ref().unwrap().contains("id 1, line 1")),
            "{details:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn account_is_found_however_its_name_is_composed() {
    let bench = Bench::new("aquera").await;
    bench.app.seed_user(json!({ "userName": "ju\u{308}rgen", "active": true }));
    let lines = bench.run(&[user("1", "j\u{fc}rgen")]).await;
    assert!(lines[0].ends_with("enters update success done"), "{lines:?}");
    assert_eq!(bench.app.user_count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_outside_every_rule_have_no_duplicate_names() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.rules = "[[rule]]\nname = \"staff\"\nfilter = 'title eq \"Engineer\"'\n".to_owned();
    bench.users(&[user("1", "ada"), but(user("2", "ADA"), json!({ "title": "Guest" }))]);
    bench.write_config();
    assert_eq!(run(&bench, &["check"]).0, Some(0));
    assert_eq!(short(&bench.sync().await), ["ada enters create success done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_shows_every_user_of_an_ambiguous_name() {
    let bench = Bench::new("aquera").await;
    bench.users(&users());
    bench.write_config();
    bench.sync().await;
    let (exit, out, _) = run(&bench, &["explain", "Ada"]);
    assert_eq!(exit, Some(2));
    assert!(out.contains("2 users of the source have the user name \"Ada\"; name one by its id"), "{out}");
    assert!(out.contains("\"ada\", id 1, line 1 of the source"), "{out}");
    assert!(out.contains("\"ADA\", id 3, line 3 of the source"), "{out}");
    for (asked, id) in [("ADA", "3"), ("3", "3"), ("ada", "1"), ("1", "1")] {
        let (exit, out, _) = run(&bench, &["explain", asked]);
        assert_eq!(exit, Some(0), "{asked}: {out}");
        assert!(out.contains(&format!("id {id}, enabled")), "{asked}: {out}");
        assert!(out.contains(CLASH), "{asked}: {out}");
        let failed = out.contains("account-linked-elsewhere");
        assert_eq!(failed, id == "3", "{asked}: the record of the one that was asked for: {out}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_shows_every_user_who_is_mapped_to_a_name() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.rules =
        "[[rule]]\nname = \"everyone\"\n[[rule.mapping]]\nsource = \"email\"\ntarget = \"userName\"\n"
            .to_owned();
    let with = |id: &str, name: &str, email: &str| but(user(id, name), json!({ "email": email }));
    bench.users(&[
        with("1", "ada", "team@example.org"),
        with("2", "bo", "x"),
        with("3", "cy", "Team@example.org"),
        with("4", "x", "y"),
    ]);
    bench.write_config();
    bench.sync().await;
    for (asked, expected) in [
        (
            "TEAM@example.org",
            [
                "\"ada\", id 1, line 1 of the source, mapped to \"team@example.org\"",
                "\"cy\", id 3, line 3 of the source, mapped",
            ],
        ),
        (
            "x",
            [
                "\"bo\", id 2, line 2 of the source, mapped to \"x\"",
                "\"x\", id 4, line 4 of the source, mapped to \"y\"",
            ],
        ),
    ] {
        let (exit, out, _) = run(&bench, &["explain", asked]);
        assert_eq!(exit, Some(2), "{asked}: {out}");
        assert!(out.contains("or are mapped to it; name one by its id"), "{asked}: {out}");
        for expected in expected {
            assert!(out.contains(expected), "{asked}: {expected:?} is not in {out}");
        }
    }
    assert_eq!(
        run(&bench, &["explain", "team@example.org"]).0,
        Some(0),
        "this very spelling is the first one's"
    );
}
