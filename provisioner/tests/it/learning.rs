//! Targets that do not store what they accept: the conclusions about them, and their limits.

use std::collections::BTreeSet;

use mock_aquera::{Fault, Profile};
use provisioner::SyncOptions;
use provisioner::state::{Learned, MethodSupport, PathSupport};
use serde_json::{Value, json};

use crate::support::{Bench, Settings, but, short, user};

const METHODS: [&str; 3] = ["auto", "put", "patch"];

pub(crate) fn somebody(id: &str, name: &str) -> Value {
    but(user(id, name), json!({ "name": { "given": "Given", "family": "Old" }, "nickname": "Nick" }))
}

fn four() -> Vec<Value> {
    vec![somebody("1", "ada"), somebody("2", "brook"), somebody("3", "cleo"), somebody("4", "dora")]
}

fn all(users: &[Value], members: &Value) -> Vec<Value> {
    users.iter().map(|user| but(user.clone(), members.clone())).collect()
}

async fn bench(profile: &str, method: &str) -> Bench {
    let options = format!("update-method = \"{method}\"");
    Bench::with(profile, Settings { options, ..Settings::default() }).await
}

/// Returns the exit code, and the lines in the order of the users.
pub(crate) async fn run(bench: &Bench, users: &[Value], full: bool) -> (u8, Vec<String>) {
    bench.users(users);
    bench.app.clear_journal();
    let report = bench.sync_with(SyncOptions { full, ..SyncOptions::default() }).await;
    (report.exit.code(), short(&report))
}

pub(crate) async fn learned(bench: &Bench) -> Learned {
    let provisioner = bench.open().await;
    let learned = provisioner.stored().unwrap().connection.learned;
    provisioner.close().await;
    learned
}

fn at<'a>(user: &'a Value, pointer: &str) -> &'a Value {
    user.pointer(pointer).unwrap_or(&Value::Null)
}

/// Returns the value of every user at `pointer`, by user name.
fn values(bench: &Bench, pointer: &str) -> Vec<Value> {
    let mut users = bench.app.users();
    users.sort_by_key(|user| user["userName"].to_string());
    users.iter().map(|user| at(user, pointer).clone()).collect()
}

/// One attribute that the target does not store: the failures of its writes, and of no others.
struct Lacks {
    profile: &'static str,
    /// The change of every user at the source.
    change: Value,
    /// Whether an update by this method is stored.
    stores: fn(&str) -> bool,
}

fn lacking() -> Vec<Lacks> {
    let lacks = |profile, change, stores| Lacks { profile, change, stores };
    vec![
        lacks("no-title", json!({ "title": "Lead" }), |_| false),
        lacks("no-title-echoed", json!({ "title": "Lead" }), |_| false),
        lacks("family-name-ignored", json!({ "name": { "given": "Given", "family": "New" } }), |_| false),
        // PATCH makes a member that is literally called so; PUT stores it.
        lacks("swallows-dotted-paths", json!({ "name": { "given": "Given", "family": "New" } }), |method| {
            method != "patch"
        }),
        lacks("patch-ignored-200", json!({ "title": "Lead" }), |method| method != "patch"),
        lacks("patch-lies-200", json!({ "title": "Lead" }), |method| method != "patch"),
        lacks("no-external-id", json!({ "title": "Lead" }), |_| true),
        lacks("drops-email-type", json!({ "title": "Lead" }), |_| true),
        lacks("put-clears-active", json!({ "title": "Lead" }), |_| true),
    ]
}

#[tokio::test]
async fn attribute_that_is_not_stored_blocks_no_disable_and_no_other_attribute() {
    for case in lacking() {
        for method in METHODS {
            let what = format!("{} by {method}", case.profile);
            let bench = bench(case.profile, method).await;
            let users = four();
            let (exit, lines) = run(&bench, &users, false).await;
            assert_eq!(exit, 0, "{what}: {lines:?}");
            assert_eq!(lines.len(), 4, "{what}: {lines:?}");
            assert!(
                lines.iter().all(|line| line.ends_with("enters create success done")),
                "{what}: {lines:?}"
            );

            // The attribute alone changes for everybody.
            let changed = all(&users, &case.change);
            let (exit, lines) = run(&bench, &changed, false).await;
            let stores = (case.stores)(method);
            let expected = if stores {
                "attributes update success done"
            } else {
                "attributes update failed ignored-by-target"
            };
            assert_eq!(exit, u8::from(!stores), "{what}: {lines:?}");
            assert!(
                lines.len() == 4 && lines.iter().all(|line| line.ends_with(expected)),
                "{what}: {lines:?}"
            );
            if !stores {
                let sent = bench.writes().len();
                assert!(sent <= if method == "auto" { 2 } else { 1 }, "{what}: {:?}", bench.writes());
            }

            // Another attribute changes for everybody: it is written.
            let renamed = all(&changed, &json!({ "nickname": "Other" }));
            let (exit, lines) = run(&bench, &renamed, false).await;
            // A fixed PATCH that is swallowed as a whole stores nothing; all others do.
            let swallowed = method == "patch" && case.profile.starts_with("patch-");
            assert_eq!(exit, u8::from(swallowed), "{what}: {lines:?}");
            if !swallowed {
                assert_eq!(lines.len(), 4, "{what}: {lines:?}");
                assert!(
                    lines.iter().all(|line| line.ends_with("attributes update success done")),
                    "{what}: {lines:?}"
                );
                assert_eq!(values(&bench, "/nickName"), ["Other"; 4], "{what}");
            }

            // Brook is disabled at the source, cleo is gone from it.
            let mut rest = renamed.clone();
            rest[1]["enabled"] = false.into();
            rest.remove(2);
            let (exit, lines) = run(&bench, &rest, false).await;
            let [brook, cleo] = ["brook", "cleo"]
                .map(|name| lines.iter().find(|line| line.starts_with(name)).cloned().unwrap_or_default());
            if swallowed {
                assert_eq!(exit, 1, "{what}: {lines:?}");
                assert!(brook.ends_with("disable failed ignored-by-target"), "{what}: {lines:?}");
                assert_eq!(cleo, "cleo deleted disable failed ignored-by-target", "{what}: {lines:?}");
                let requests = bench.app.journal();
                let disables = requests.iter().filter(|exchange| {
                    let body = exchange.request_body.as_ref().map(Value::to_string);
                    exchange.method == "PATCH" && body.is_some_and(|body| body.contains("active"))
                });
                let disabled: BTreeSet<&str> = disables.map(|exchange| exchange.path.as_str()).collect();
                assert_eq!(disabled.len(), 2, "{what}: each disable is sent: {disabled:?}");
            } else {
                assert_eq!(brook, "brook disabled disable success done", "{what}: {lines:?}");
                assert_eq!(cleo, "cleo deleted disable success done", "{what}: {lines:?}");
                let accounts = ["ada true", "brook false", "cleo false", "dora true"];
                assert_eq!(bench.accounts(), accounts, "{what}");
            }

            // The target is repaired: the next run with such a write finds out.
            bench.app.set_profile(Profile::builtin("aquera").unwrap());
            let twice =
                all(&rest, &json!({ "title": "Boss", "name": { "given": "Given", "family": "Newest" } }));
            let (exit, lines) = run(&bench, &twice, false).await;
            assert_eq!(exit, 0, "{what}: {lines:?}");
            let staying = |values: Vec<Value>| [values[0].clone(), values[1].clone(), values[3].clone()];
            assert_eq!(staying(values(&bench, "/title")), ["Boss"; 3], "{what}: {lines:?}");
            assert_eq!(staying(values(&bench, "/name/familyName")), ["Newest"; 3], "{what}: {lines:?}");
            assert_eq!(
                bench.accounts(),
                ["ada true", "brook false", "cleo false", "dora true"],
                "{what}: {lines:?}"
            );
            let (exit, lines) = run(&bench, &twice, false).await;
            assert_eq!(exit, 0, "{what}");
            assert_eq!(lines, Vec::<String>::new(), "{what}");
        }
    }
}

#[tokio::test]
async fn full_run_names_what_reads_back_unchanged_and_does_not_send_it_again() {
    for method in METHODS {
        let bench = bench("family-name-ignored", method).await;
        let users: Vec<Value> = (0..12).map(|n| somebody(&n.to_string(), &format!("user{n:02}"))).collect();
        run(&bench, &users, false).await;
        // With another attribute beside it the update is a success, and says what it lacks.
        let changed = all(&users, &json!({ "title": "Lead", "name": { "given": "Given", "family": "New" } }));
        bench.users(&changed);
        let report = bench.sync().await;
        assert_eq!(report.exit.code(), 0);
        for line in &report.lines {
            assert_eq!(line.detail.as_deref(), Some("not stored by the target: name.familyName"), "{method}");
        }
        assert_eq!(
            run(&bench, &changed, false).await,
            (0, Vec::new()),
            "{method}: an ordinary run has nothing to say"
        );
        for _ in 0..2 {
            let (exit, lines) = run(&bench, &changed, true).await;
            assert_eq!(exit, 1, "{method}");
            let told = lines
                .iter()
                .filter(|line| line.ends_with("attributes update failed ignored-by-target"))
                .count();
            assert_eq!(told, 12, "{method}: {lines:?}");
            let writes = bench.writes();
            assert!(
                writes.len() <= if method == "auto" { 2 } else { 1 },
                "{method}: tried again once: {writes:?}"
            );
            // Only the account of the user with another attempt is read twice: its write is read back.
            let reads = bench
                .app
                .journal()
                .iter()
                .filter(|exchange| exchange.method == "GET" && exchange.path.contains("/Users/"))
                .count();
            assert!(reads <= 12 + if method == "auto" { 3 } else { 1 }, "{method}: {reads}");
        }
        // A repaired target needs no action by a person.
        bench.app.set_profile(Profile::builtin("aquera").unwrap());
        let (exit, _) = run(&bench, &changed, false).await;
        assert_eq!(exit, 0, "{method}");
        assert_eq!(values(&bench, "/name/familyName"), ["New"; 12], "{method}");
    }
}

#[tokio::test]
async fn full_run_with_put_reads_each_account_once() {
    let bench = bench("aquera", "put").await;
    let users: Vec<Value> = (0..6).map(|n| somebody(&n.to_string(), &format!("user{n}"))).collect();
    run(&bench, &users, false).await;
    run(&bench, &all(&users, &json!({ "title": "Lead" })), false).await;
    for user in bench.app.users() {
        let id = user["id"].as_str().unwrap().to_owned();
        bench.app.edit_user(&id, |user| drop(user.insert("title".to_owned(), "Drifted".into())));
    }
    let (exit, lines) = run(&bench, &all(&users, &json!({ "title": "Lead" })), true).await;
    assert_eq!(exit, 0, "{lines:?}");
    assert_eq!(lines.len(), 6, "{lines:?}");
    assert_eq!(values(&bench, "/title"), ["Lead"; 6], "what somebody else changed is written again");
    let reads = |verb: &str| {
        bench
            .app
            .journal()
            .iter()
            .filter(|exchange| exchange.method == verb && exchange.path.contains("/Users/"))
            .count()
    };
    assert_eq!(reads("PUT"), 6);
    assert_eq!(
        reads("GET"),
        12,
        "once before the write, and once after it, since the values had changed meanwhile"
    );
}

#[tokio::test]
async fn success_that_lacks_an_attribute_is_made_good_once_others_have_it() {
    let bench = bench("no-title", "auto").await;
    let users = four();
    run(&bench, &users, false).await;
    assert_eq!(values(&bench, "/title"), [(); 4].map(|()| Value::Null));
    bench.app.set_profile(Profile::builtin("aquera").unwrap());
    // Ada alone changes, and shows that titles are stored now; the run after it gives the others theirs.
    let mut changed = users.clone();
    changed[0]["title"] = "Lead".into();
    assert_eq!(
        run(&bench, &changed, false).await,
        (0, vec!["ada attributes update success done".to_owned()])
    );
    let (exit, lines) = run(&bench, &changed, false).await;
    assert_eq!(exit, 0, "{lines:?}");
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(values(&bench, "/title"), ["Lead", "Engineer", "Engineer", "Engineer"]);
    assert_eq!(run(&bench, &changed, false).await, (0, Vec::new()));
}

#[tokio::test]
async fn external_id_that_is_refused_is_told_and_can_be_left_out() {
    for method in METHODS {
        let mut bench = bench("external-id-read-only", method).await;
        bench.users(&four());
        let report = bench.sync().await;
        assert_eq!(report.exit.code(), 1);
        for line in &report.lines {
            let detail = line.detail.clone().unwrap_or_default();
            assert!(
                detail.contains("set external-id = false under [connection.options]"),
                "{method}: {detail}"
            );
        }
        bench.settings.options.push_str("\nexternal-id = false");
        let (exit, lines) = run(&bench, &four(), false).await;
        assert_eq!(exit, 0, "{method}: {lines:?}");
        assert_eq!(lines.len(), 4, "{method}: {lines:?}");
        let changed = all(&four(), &json!({ "title": "Lead" }));
        let (exit, lines) = run(&bench, &changed, false).await;
        assert_eq!(exit, 0, "{method}: {lines:?}");
        let (exit, lines) = run(&bench, &changed[..3], false).await;
        assert_eq!(exit, 0, "{method}");
        assert_eq!(lines, vec!["dora deleted disable success done".to_owned()], "{method}");
        assert_eq!(values(&bench, "/title"), ["Lead"; 4]);
        assert_eq!(values(&bench, "/externalId"), [(); 4].map(|()| Value::Null));
        assert_eq!(run(&bench, &changed[..3], true).await, (0, Vec::new()), "{method}: nothing is missed");
    }
}

#[tokio::test]
async fn refused_attribute_beside_a_disable_leaves_no_account_active() {
    for method in METHODS {
        let bench = bench("external-id-read-only", method).await;
        // An account of ours that carries no externalId: every write of one is refused.
        bench.app.seed_user(json!({ "userName": "ada", "active": true }));
        let mut ada = somebody("1", "ada");
        ada["enabled"] = false.into();
        let (exit, lines) = run(&bench, std::slice::from_ref(&ada), false).await;
        assert_eq!(exit, 1, "{method}");
        assert_eq!(lines, vec!["ada enters disable failed rejected".to_owned()], "{method}");
        assert_eq!(bench.accounts(), ["ada false"], "{method}: {:?}", bench.writes());
        // From then on the attributes alone fail, and the Disable is not sent again.
        let (exit, lines) = run(&bench, &[ada], false).await;
        assert_eq!(exit, 1, "{method}");
        assert_eq!(lines, vec!["ada attributes update failed rejected".to_owned()], "{method}");
    }
}

#[tokio::test]
async fn external_id_that_is_not_stored_names_the_option() {
    let mut bench = bench("no-external-id", "auto").await;
    bench.users(&four());
    let report = bench.sync().await;
    let detail = report.lines[0].detail.clone().unwrap_or_default();
    assert!(detail.starts_with("not stored by the target: externalId; "), "{detail}");
    assert!(detail.contains("external-id = false"), "{detail}");
    bench.settings.options.push_str("\nexternal-id = false");
    assert_eq!(run(&bench, &four(), true).await.0, 0);
}

#[tokio::test]
async fn one_501_where_patch_works_is_that_users_refusal() {
    for (options, outcome) in [("patch", "failed rejected"), ("auto", "failed rejected")] {
        let bench = bench("aquera", options).await;
        run(&bench, &four(), false).await;
        let changed = all(&four(), &json!({ "title": "Lead" }));
        assert_eq!(run(&bench, &changed, false).await.0, 0);
        bench.app.add_fault(Fault::status(501).times(1).method("PATCH"));
        let again = all(&four(), &json!({ "title": "Boss" }));
        let (exit, mut lines) = run(&bench, &again, false).await;
        lines.retain(|line| !line.ends_with("attributes update success done"));
        assert_eq!(exit, 1, "{options}: {lines:?}");
        assert_eq!(lines.len(), 1, "{options}: {lines:?}");
        assert!(lines[0].ends_with(outcome), "{options}: {lines:?}");
        assert_eq!(learned(&bench).await.patch, MethodSupport::Works, "{options}");
        assert_eq!(run(&bench, &again, false).await.0, 0);
        assert_eq!(values(&bench, "/title"), ["Boss"; 4]);
    }
}

#[tokio::test]
async fn disable_that_is_refused_for_want_of_support_goes_by_the_other_method() {
    let bench = bench("aquera", "auto").await;
    run(&bench, &four(), false).await;
    assert_eq!(run(&bench, &all(&four(), &json!({ "title": "Lead" })), false).await.0, 0);
    let titled = all(&four(), &json!({ "title": "Lead" }));
    bench.app.add_fault(Fault::status(501).times(9).method("PATCH"));
    let (exit, lines) = run(&bench, &titled[..2], false).await;
    assert_eq!(exit, 0, "{lines:?}");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(bench.accounts(), ["ada true", "brook true", "cleo false", "dora false"]);
    let patches = bench.writes().iter().filter(|write| write.starts_with("PATCH")).count();
    assert_eq!(patches, 1, "what works is used from then on: {:?}", bench.writes());
    // Attributes are another kind: PATCH works for them as before.
    let now = learned(&bench).await;
    assert_eq!(now.patch, MethodSupport::Works);
    assert_eq!(now.disabling.patch, MethodSupport::Unusable);
    assert_eq!(now.disabling.put, MethodSupport::Works);
}

#[tokio::test]
async fn one_501_to_a_disable_where_patch_disabled_before_keeps_patch_usable() {
    let bench = bench("aquera", "auto").await;
    run(&bench, &four(), false).await;
    assert_eq!(run(&bench, &four()[..3], false).await.0, 0);
    assert_eq!(learned(&bench).await.disabling.patch, MethodSupport::Works);
    bench.app.add_fault(Fault::status(501).times(1).method("PATCH"));
    let (exit, lines) = run(&bench, &four()[..1], false).await;
    assert_eq!(exit, 0, "{lines:?}");
    assert_eq!(bench.accounts(), ["ada true", "brook false", "cleo false", "dora false"]);
    let of = |method: &str| bench.writes().iter().filter(|write| write.starts_with(method)).count();
    assert_eq!((of("PATCH"), of("PUT")), (2, 1), "only the refused one goes by PUT: {:?}", bench.writes());
    assert_eq!(learned(&bench).await.disabling.patch, MethodSupport::Works);
}

#[tokio::test]
async fn fixed_method_that_the_target_lacks_names_the_other_one() {
    for (profile, method, reason) in [
        ("patch-405", "patch", "partial-update-unsupported"),
        ("patch-501", "patch", "partial-update-unsupported"),
        ("patch-400", "patch", "rejected"),
        ("no-put", "put", "rejected"),
    ] {
        let bench = bench(profile, method).await;
        run(&bench, &four(), false).await;
        bench.users(&all(&four()[..3], &json!({ "title": "Lead" })));
        let report = bench.sync().await;
        assert_eq!(report.lines.len(), 4);
        for line in &report.lines {
            assert_eq!(serde_json::to_value(line.reason).unwrap(), reason, "{profile}");
            let detail = line.detail.clone().unwrap_or_default();
            assert!(detail.contains("set update-method = \"auto\""), "{profile}: {detail}");
            assert!(!detail.contains("remove-action"), "{profile}: {detail}");
        }
    }
    // Where both were tried, another Remove Action is the way out.
    let bench = bench("no-partial-update", "auto").await;
    run(&bench, &four(), false).await;
    bench.users(&four()[..3]);
    let detail = bench.sync().await.lines[0].detail.clone().unwrap_or_default();
    assert!(detail.contains("remove-action = \"delete\"") && !detail.contains("update-method"), "{detail}");
}

#[tokio::test]
async fn after_three_ignored_disables_in_a_run_the_others_are_told_so_unsent() {
    let settings = Settings {
        options: "update-method = \"patch\"\nmax-removals-percent = 100".to_owned(),
        ..Settings::default()
    };
    let bench = Bench::with("patch-ignored-204", settings).await;
    let users: Vec<Value> = (0..8).map(|n| somebody(&n.to_string(), &format!("user{n}"))).collect();
    run(&bench, &users, false).await;
    for round in 0..2 {
        bench.users(&users[..1]);
        bench.app.clear_journal();
        let report = bench.sync().await;
        let lines = short(&report);
        assert!(lines.iter().all(|line| line.ends_with("disable failed ignored-by-target")), "{lines:?}");
        assert_eq!(lines.len(), 7, "run {round}: {:?}", bench.writes());
        assert_eq!(bench.writes().len(), 3, "run {round}: {:?}", bench.writes());
        let unsent = report
            .lines
            .iter()
            .filter(|line| line.detail.as_deref().unwrap_or_default().starts_with("not sent"))
            .count();
        assert_eq!(unsent, 4);
    }
    bench.app.set_profile(Profile::builtin("aquera").unwrap());
    assert_eq!(run(&bench, &users[..1], false).await.0, 0);
}

#[tokio::test]
async fn learned_paths_are_kept_and_reset_by_a_connection_test() {
    let bench = bench("no-title", "patch").await;
    run(&bench, &four(), false).await;
    run(&bench, &all(&four(), &json!({ "title": "Lead" })), false).await;
    run(&bench, &all(&four(), &json!({ "title": "Lead", "nickname": "Other" })), false).await;
    let known = learned(&bench).await;
    let path = |text: &str| text.parse().unwrap();
    assert_eq!(known.paths.post.get(&path("title")), Some(&PathSupport::NotStored));
    assert_eq!(known.paths.post.get(&path("nickName")), Some(&PathSupport::Stored));
    assert_eq!(known.paths.patch.get(&path("title")), Some(&PathSupport::NotStored));
    assert_eq!(known.paths.patch.get(&path("nickName")), Some(&PathSupport::Stored));
    assert_eq!(known.paths.put.len(), 0);
    assert_eq!(known.patch, MethodSupport::Works);
    let provisioner = bench.open().await;
    provisioner.test_connection().await.unwrap();
    assert_eq!(provisioner.stored().unwrap().connection.learned, Learned::default());
    provisioner.close().await;
}

#[tokio::test]
async fn fixed_method_counts_as_ignored_after_three_paths_without_effect() {
    let bench = bench("patch-ignored-200", "patch").await;
    run(&bench, &four(), false).await;
    for (change, support) in [
        (json!({ "title": "Lead" }), MethodSupport::Unknown),
        (json!({ "title": "Lead", "nickname": "Other" }), MethodSupport::Unknown),
        (json!({ "title": "Lead", "nickname": "Other", "locale": "de" }), MethodSupport::Ignored),
    ] {
        assert_eq!(run(&bench, &all(&four(), &change), false).await.0, 1);
        assert_eq!(learned(&bench).await.patch, support, "{change}");
    }
    let change = json!({ "title": "Lead", "nickname": "Other", "locale": "de", "type": "Staff" });
    run(&bench, &all(&four(), &change), false).await;
    assert_eq!(bench.writes().len(), 1, "tried again once in the run: {:?}", bench.writes());
    bench.app.set_profile(Profile::builtin("aquera").unwrap());
    assert_eq!(run(&bench, &all(&four(), &change), false).await.0, 0);
    assert_eq!(learned(&bench).await.patch, MethodSupport::Works);
}

#[tokio::test]
async fn user_who_failed_for_a_value_is_failed_until_it_is_stored_or_taken_back() {
    // No PATCH, and a PUT that is answered as done and stores no title.
    let target =
        "name = \"x\"\nsummary = \"y\"\nextends = \"patch-405\"\n[application]\nnot-updated = [\"title\"]\n";
    let bench = Bench::new("aquera").await;
    bench.app.set_profile(Profile::from_toml(target).unwrap());
    let mut users = four();
    run(&bench, &users, false).await;
    for user in [0, 3] {
        users[user] = but(users[user].clone(), json!({ "title": "Lead" }));
    }
    let (_, lines) = run(&bench, &users, false).await;
    assert!(lines.len() == 2 && lines.iter().all(|line| line.contains(" failed ")), "{lines:?}");
    users[0] = but(users[0].clone(), json!({ "title": "Engineer" }));
    for turn in 0..6 {
        // In between another request fails: no account can be read.
        let outage = (turn == 3).then(|| {
            bench.app.add_fault("status=503 method=GET path=/Users/* times=always".parse().unwrap())
        });
        let (exit, lines) = run(&bench, &users, turn == 3).await;
        if let Some(outage) = outage {
            bench.app.remove_fault(outage);
        }
        let dora: Vec<_> = lines.iter().filter(|line| line.starts_with("dora ")).collect();
        assert!(dora.len() == 1 && dora[0].contains(" failed "), "run {turn}: {lines:?}");
        assert_eq!(exit, 1, "run {turn}");
    }
    users[3] = but(users[3].clone(), json!({ "title": "Engineer" }));
    let (exit, lines) = run(&bench, &users, false).await;
    assert_eq!(exit, 0);
    assert_eq!(lines, vec!["dora attributes none success done".to_owned()]);
}

#[tokio::test]
async fn change_of_case_that_is_not_stored_is_named_and_proves_nothing() {
    for profile in ["patch-ignored-200", "patch-ignored-204", "family-name-ignored"] {
        let bench = Bench::new(profile).await;
        let named =
            |family: &str| but(user("1", "ada"), json!({ "name": { "given": "Ann", "family": family } }));
        run(&bench, &[named("mcdonald")], false).await;
        bench.users(&[named("McDonald")]);
        let report = bench.sync().await;
        let stored = &bench.app.users()[0]["name"]["familyName"];
        let detail = report.lines[0].detail.clone().unwrap_or_default();
        assert_eq!(stored, "mcdonald", "{profile}");
        assert!(detail.contains("name.familyName"), "{profile}: {:?}", report.lines);
        let learned = learned(&bench).await;
        assert_eq!(learned.patch, MethodSupport::Unknown, "{profile}");
        assert_eq!(learned.put, MethodSupport::Unknown, "{profile}");
    }
}
