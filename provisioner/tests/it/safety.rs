//! Protection against mistakes that would remove every account: the delete guard, and sources that look wrong.

use std::fmt::Write as _;

use provisioner::SyncOptions;
use serde_json::{Value, json};

use crate::support::{ALL_DELETE, ALL_DISABLE, Bench, Settings, but, short, user};

const DAY: std::time::Duration = std::time::Duration::from_hours(24);

fn people(count: usize) -> Vec<Value> {
    (0..count).map(|n| user(&n.to_string(), &format!("user{n:03}"))).collect()
}

/// Returns `users` with the first `count` of them disabled.
fn disabled(users: &[Value], count: usize) -> Vec<Value> {
    let change = |(at, user): (usize, &Value)| {
        if at < count { but(user.clone(), json!({ "enabled": false })) } else { user.clone() }
    };
    users.iter().enumerate().map(change).collect()
}

fn stopped(report: &provisioner::RunReport) -> (u8, &'static str, String) {
    let stopped = report.summary.stopped.clone();
    let (code, message) = stopped.map_or(("", String::new()), |stopped| (stopped.code, stopped.message));
    (report.exit.code(), code, message)
}

async fn linked(preferences: &'static str, options: &str, count: usize) -> (Bench, Vec<Value>) {
    let settings = Settings { preferences, options: options.to_owned(), ..Settings::default() };
    let bench = Bench::with("aquera", settings).await;
    let users = people(count);
    bench.users(&users);
    assert_eq!(bench.sync().await.exit.code(), 0);
    (bench, users)
}

/// Asserts whether the guard stops a run in which `gone` users of `managed` are deleted and `off` are disabled.
#[track_caller]
fn expect(exit: u8, allowed: bool, at: &str) {
    assert_eq!(exit, if allowed { 0 } else { 4 }, "{at}");
}

#[tokio::test]
async fn guard_allows_five_removals_and_then_a_fifth_of_the_accounts() {
    for (managed, gone, off, allowed) in [
        (5, 4, 0, true),
        (5, 0, 5, true),
        (6, 5, 0, true),
        (6, 0, 6, false),
        (7, 6, 0, false),
        (10, 3, 3, false),
        (10, 3, 2, true),
        (29, 6, 0, false),
        (30, 6, 0, true),
        (30, 0, 6, true),
        (30, 3, 4, false),
        (99, 0, 20, false),
        (100, 20, 0, true),
        (100, 10, 11, false),
        (100, 0, 100, false),
    ] {
        let (bench, users) = linked(ALL_DELETE, "", managed).await;
        let left = disabled(&users[gone..], off);
        bench.users(&left);
        let at = format!("{gone} gone and {off} disabled of {managed}");
        let report = bench.sync().await;
        expect(report.exit.code(), allowed, &at);
        if !allowed {
            assert!(report.lines.is_empty(), "{at}");
            assert_eq!(
                bench.app.users().iter().filter(|user| user["active"] == true).count(),
                managed,
                "{at}"
            );
        }
    }
}

#[tokio::test]
async fn guard_counts_what_was_done_in_the_last_day() {
    let (bench, users) = linked(ALL_DISABLE, "", 40).await;
    // Eight of 40: three are disabled, three leave, and two more leave in further runs.
    let first = disabled(&users[3..], 3);
    bench.users(&first);
    assert_eq!(bench.sync().await.exit.code(), 0);
    let second = &first[..first.len() - 2];
    bench.users(second);
    assert_eq!(bench.sync().await.exit.code(), 0);
    let third = &second[..second.len() - 1];
    bench.users(third);
    let (exit, code, message) = stopped(&bench.sync().await);
    assert_eq!(exit, 4);
    assert_eq!(code, "delete-guard");
    assert!(
        message.starts_with(
            "1 of 40 managed accounts would be removed or disabled after 8 in the last 24 hours, more than 8 in 24 hours \
             (max-removals-percent = 20, from 6 on): \"user037\": 1 gone from the source."
        ),
        "{message}"
    );
    provisioner::Clock::sleep(&*bench.clock, DAY).await;
    assert_eq!(bench.sync().await.exit.code(), 0, "a day later they no longer count");
}

#[tokio::test]
async fn guard_names_people_causes_and_the_way_out() {
    let (bench, users) = linked(ALL_DELETE, "", 30).await;
    bench.users(&disabled(&users[10..], 2));
    let (_, _, message) = stopped(&bench.sync().await);
    assert_eq!(
        message,
        "12 of 30 managed accounts would be removed or disabled, more than 6 in 24 hours (max-removals-percent = 20, from 6 \
         on): \"user010\", \"user011\", \"user000\" and 9 more: 10 gone from the source, 2 disabled at the source. The source \
         has 20 users and had 30 in the last run: if it was cut short, export it again. Nothing was written. Look at them \
         with a plan; if they are meant, approve exactly 12 removals and disables, or raise the limit"
    );
    let approve = |count| SyncOptions { approve_removals: Some(count), ..SyncOptions::default() };
    assert_eq!(bench.sync_with(approve(11)).await.exit.code(), 4, "another number was agreed to");
    assert_eq!(bench.sync_with(approve(12)).await.exit.code(), 0);
    assert_eq!(bench.accounts().len(), 20);
}

#[tokio::test]
async fn guard_has_limits_by_option() {
    let (bench, users) = linked(ALL_DELETE, "max-removals = 2", 10).await;
    bench.users(&users[3..]);
    let (exit, _, message) = stopped(&bench.sync().await);
    assert_eq!(exit, 4);
    assert!(message.contains("more than 2 in 24 hours (max-removals = 2)"), "{message}");
    let (bench, users) = linked(ALL_DELETE, "max-removals-percent = 100", 10).await;
    bench.users(&users[9..]);
    assert_eq!(bench.sync().await.exit.code(), 0, "100 percent is no limit");
    let (bench, users) = linked(ALL_DELETE, "max-removals-percent = 0", 10).await;
    bench.users(&users[5..]);
    assert_eq!(bench.sync().await.exit.code(), 0, "up to five pass");
    bench.users(&users[6..]);
    assert_eq!(bench.sync().await.exit.code(), 4);
}

#[tokio::test]
async fn earlier_refusals_do_not_stop_further_runs() {
    // Five leavers, then one more each time, at a target that cannot disable.
    let settings = Settings { preferences: ALL_DISABLE, ..Settings::default() };
    let bench = Bench::with("no-partial-update", settings).await;
    let users = people(12);
    bench.users(&users);
    bench.sync().await;
    for gone in [5, 6, 7] {
        bench.users(&users[gone..]);
        let report = bench.sync().await;
        assert_eq!(report.exit.code(), 1);
        assert_eq!(report.summary.failed_deprovisions, gone as u64);
    }
    for off in [5, 5] {
        bench.users(&disabled(&users[7..], off));
        let report = bench.sync().await;
        assert_eq!(report.exit.code(), 1);
        assert_eq!(report.summary.failed, 12);
    }
}

#[tokio::test]
async fn transient_failures_count_again_for_the_guard() {
    let (mut bench, users) = linked(ALL_DELETE, "max-attempts = 1", 12).await;
    bench.users(&users[5..]);
    let fault = bench.app.add_fault("status=503 method=DELETE times=100".parse().unwrap());
    let report = bench.sync().await;
    assert_eq!(report.exit.code(), 1);
    assert_eq!(report.summary.failed_deprovisions, 5);
    bench.app.remove_fault(fault);
    bench.users(&users[6..]);
    assert_eq!(bench.sync().await.exit.code(), 4);
    bench.settings.options = "max-removals-percent = 50".to_owned();
    assert_eq!(bench.sync().await.exit.code(), 0);
}

#[tokio::test]
async fn disables_that_the_preferences_withhold_do_not_count() {
    let withheld = "enable-users-creation = true\nenable-users-updation = true\n";
    let (bench, users) = linked(withheld, "", 10).await;
    bench.users(&disabled(&users, 10));
    let report = bench.sync().await;
    assert_eq!(report.exit.code(), 0);
    assert_eq!(report.summary.partial, 10);
}

#[tokio::test]
async fn rule_that_matches_no_user_is_refused_while_it_has_accounts() {
    let rules = "[[rule]]\nname = \"all staff\"\nfilter = 'population.id eq \"staff\"'\n\
        [[rule]]\nname = \"guests\"\nfilter = 'population.id eq \"guests\"'\n";
    let settings = Settings { preferences: ALL_DELETE, rules: rules.to_owned(), ..Settings::default() };
    let mut bench = Bench::with("aquera", settings).await;
    let of = |id: &str, population: &str| {
        but(user(id, &format!("user{id}")), json!({ "population": { "id": population } }))
    };
    let users = [of("1", "staff"), of("2", "staff"), of("3", "guests")];
    bench.run(&users).await;
    // A wrong value in the filter.
    bench.settings.rules = rules.replace("\"staff\"", "\"stuff\"");
    bench.app.clear_journal();
    let (exit, code, message) = stopped(&bench.sync().await);
    assert_eq!(exit, 5);
    assert_eq!(code, "rule-matches-nobody");
    assert_eq!(
        message,
        "rule \"all staff\" (population.id eq \"stuff\") matches none of the 3 users in the source, and 2 accounts would lose \
         their user (\"user1\" and \"user2\"); nothing was sent: correct the filter or export the users again, or if everybody \
         has left, allow this rule to match no user"
    );
    assert_eq!(bench.app.journal().len(), 0, "not even the connection test");
    // Another rule holds them: nobody leaves.
    bench.settings.rules =
        format!("{}[[rule]]\nname = \"everyone\"\n", rules.replace("\"staff\"", "\"stuff\""));
    assert_eq!(bench.sync().await.exit.code(), 0);
    // The people left indeed.
    bench.settings.rules = rules.to_owned();
    bench.run(&users).await;
    bench.users(&users[2..]);
    assert_eq!(stopped(&bench.sync().await).1, "rule-matches-nobody");
    let allow =
        |rule: &str| SyncOptions { allow_empty_scope: vec![rule.parse().unwrap()], ..SyncOptions::default() };
    assert_eq!(stopped(&bench.sync_with(allow("guests")).await).1, "rule-matches-nobody");
    let (exit, code, message) = stopped(&bench.sync_with(allow("all stuff")).await);
    assert_eq!(exit, 2);
    assert_eq!(code, "unknown-rule");
    assert!(message.ends_with("did you mean \"all staff\"?"), "{message}");
    assert_eq!(bench.sync_with(allow("all staff")).await.exit.code(), 0);
    assert_eq!(bench.accounts(), ["user3 true"]);
    assert_eq!(bench.sync().await.exit.code(), 0, "a rule without accounts may be empty");
}

#[tokio::test]
async fn removal_that_failed_is_tried_again_though_its_rule_is_empty() {
    let rules = "[[rule]]\nname = \"staff\"\nfilter = 'title eq \"Engineer\"'\n";
    let settings = Settings { preferences: ALL_DELETE, rules: rules.to_owned(), ..Settings::default() };
    let bench = Bench::with("no-delete", settings).await;
    bench.run(&[user("1", "ada")]).await;
    bench.users(&[but(user("1", "ada"), json!({ "title": "Guest" }))]);
    let allow = SyncOptions { allow_empty_scope: vec!["staff".parse().unwrap()], ..SyncOptions::default() };
    assert_eq!(short(&bench.sync_with(allow).await), ["ada left-scope delete failed delete-unsupported"]);
    assert_eq!(short(&bench.sync().await), ["ada retry delete failed delete-unsupported"]);
}

#[tokio::test]
async fn source_with_other_users_is_refused() {
    let (bench, _) = linked(ALL_DELETE, "", 3).await;
    let others: Vec<Value> = (0..3).map(|n| user(&format!("x{n}"), &format!("other{n}"))).collect();
    bench.users(&others);
    bench.app.clear_journal();
    let (exit, code, message) = stopped(&bench.sync().await);
    assert_eq!(exit, 2);
    assert_eq!(code, "source-changed");
    assert_eq!(
        message,
        "none of the 3 users that have accounts is among the 3 users in the source, as if another file were behind its path; \
         nothing was sent: correct `path` under [source], or confirm the new source if these are other people by intent"
    );
    assert_eq!(bench.app.journal().len(), 0);
    let accept = SyncOptions { accept_new_source: true, ..SyncOptions::default() };
    assert_eq!(bench.sync_with(accept).await.exit.code(), 0);
    assert_eq!(bench.accounts(), ["other0 true", "other1 true", "other2 true"]);
    assert_eq!(bench.sync().await.exit.code(), 0);
}

#[tokio::test]
async fn source_cut_short_between_two_lines_is_stopped_with_a_hint() {
    let (bench, users) = linked(ALL_DELETE, "", 90).await;
    let mut text = String::new();
    for user in &users {
        writeln!(text, "{user}").unwrap();
    }
    let cut = text.match_indices('\n').nth(59).unwrap().0 + 1;
    std::fs::write(bench.path("users.ndjson"), &text[..cut]).unwrap();
    for _ in 0..2 {
        let (exit, _, message) = stopped(&bench.sync().await);
        assert_eq!(exit, 4);
        let hint =
            "The source has 60 users and had 90 in the last run: if it was cut short, export it again.";
        assert!(message.contains(hint), "{message}");
    }
    assert_eq!(bench.accounts().len(), 90);
}

#[tokio::test]
async fn state_of_another_layout_is_refused_and_left_alone() {
    let (bench, _) = linked(ALL_DELETE, "", 3).await;
    let state = rusqlite::Connection::open(bench.path("aquera.db")).unwrap();
    state.execute_batch("PRAGMA user_version = 999").unwrap();
    state.close().unwrap();
    let before = std::fs::read(bench.path("aquera.db")).unwrap();
    let error = bench.try_open().await.map(drop).unwrap_err();
    assert!(error.to_string().contains("found layout 999"), "{error}");
    assert_eq!(error.way_out(), "use the version that wrote it");
    assert_eq!(std::fs::read(bench.path("aquera.db")).unwrap(), before);
}

/// All preferences on, Remove Action = Delete, for deleted rules too.
const RULES_TOO: &str = "enable-users-creation = true\nenable-users-updation = true\nenable-users-disable = true\n\
    enable-users-deprovision = true\nremove-action = \"delete\"\ndeprovision-on-rule-deletion = true\n";

#[tokio::test]
async fn rule_that_takes_over_no_user_is_refused_while_others_lose_their_users() {
    let rule = |name: &str, filter: &str| format!("[[rule]]\nname = \"{name}\"\nfilter = '{filter}'\n");
    let guests = rule("guests", "population.id eq \"guests\"");
    let staff = rule("staff", "population.id eq \"staff\"");
    let of = |id: usize, population: &str| {
        let title = if id == 0 { "Lead" } else { "Engineer" };
        let members = json!({ "population": { "id": population }, "title": title });
        but(user(&id.to_string(), &format!("user{id}")), members)
    };
    let users: Vec<Value> = (0..5).map(|id| of(id, "staff")).chain([of(5, "guests")]).collect();
    let leads = "population.id eq \"staff\" and title eq \"Lead\"";
    for (name, rules, refused, lost) in [
        ("renamed with a wrong id", rule("people", "population.id eq \"stuff\""), Some("people"), 5),
        ("renamed", rule("people", "population.id eq \"staff\""), None, 0),
        ("deleted", String::new(), None, 5),
        // A rule may match nobody for a season: leavers of another one that holds others are leavers.
        (
            "narrowed beside an empty rule",
            rule("staff", leads) + &rule("season", "title eq \"Intern\""),
            None,
            4,
        ),
        ("split", rule("staff", leads) + &rule("rest", "title eq \"Engineer\""), None, 0),
        ("beside a rule that is off", rule("people", "id eq \"x\"") + "enabled = false\n", None, 5),
    ] {
        let settings =
            Settings { preferences: RULES_TOO, rules: format!("{guests}{staff}"), ..Settings::default() };
        let mut bench = Bench::with("aquera", settings).await;
        bench.run(&users).await;
        bench.settings.rules = format!("{guests}{rules}");
        bench.app.clear_journal();
        let (exit, code, message) = stopped(&bench.sync().await);
        let Some(refused) = refused else {
            assert_eq!(exit, 0, "{name}: {message}");
            assert_eq!(bench.accounts().len(), 6 - lost, "{name}: {message}");
            continue;
        };
        assert_eq!(exit, 5, "{name}");
        assert_eq!(code, "rule-matches-nobody", "{name}");
        assert!(
            message.contains(&format!(
                "and {lost} accounts would lose their user because another rule is gone (\"user"
            )),
            "{name}: {message}"
        );
        assert!(message.contains(&format!("rule \"{refused}\" ")), "{message}");
        assert!(message.ends_with("if that is meant, allow this rule to match no user"), "{message}");
        assert_eq!(bench.app.journal().len(), 0, "{name}");
        assert_eq!(bench.accounts().len(), 6, "{name}");
        let allow =
            SyncOptions { allow_empty_scope: vec![refused.parse().unwrap()], ..SyncOptions::default() };
        assert_eq!(bench.sync_with(allow).await.exit.code(), 0, "{name}");
        assert_eq!(bench.accounts().len(), 6 - lost, "{name}");
    }
}

#[tokio::test]
async fn guard_says_which_accounts_are_linked_in_this_run() {
    let bench = Bench::new("aquera").await;
    let users = people(30);
    for user in &users {
        bench.app.seed_user(json!({ "userName": user["username"], "active": true }));
    }
    bench.users(&disabled(&users, 30));
    let (exit, _, message) = stopped(&bench.sync().await);
    assert_eq!(exit, 4);
    assert!(
        message.starts_with(
            "30 accounts, which would be linked in this run (0 are managed so far), would be removed or disabled, more than 5"
        ),
        "{message}"
    );
}
