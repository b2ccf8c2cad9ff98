//! Cases that the matrix does not have: targets without a profile, time, and many users in parallel.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mock_aquera::{Fault, Phase};
use provisioner::{Clock as _, SyncOptions};
use serde_json::{Value, json};

use crate::scripted::{Answer, Asked, target};
use crate::support::{ALL_DELETE, Bench, Settings, TOKEN, but, short, user};

/// Returns a bench over a target that the test defines.
async fn scripted(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Bench {
    let url = target(script).await;
    Bench::with("aquera", Settings { scim_url: Some(url), ..Settings::default() }).await
}

fn account(id: &str, name: &str) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": id, "userName": name, "active": true })
}

#[tokio::test]
async fn look_up_that_shows_somebody_else_fails_the_user() {
    let bench = scripted(|asked| {
        assert_eq!(asked.method, "GET", "nothing is written: {}", asked.path);
        Answer::list(&[account("7", "somebody-else")])
    })
    .await;
    let lines = bench.run(&[user("1", "ada")]).await;
    assert_eq!(lines, ["ada enters none failed filter-not-honoured"]);
}

#[tokio::test]
async fn user_name_cannot_break_out_of_the_filter() {
    static ASKED: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let bench = scripted(|asked| {
        if asked.method == "GET" {
            ASKED.lock().unwrap().push(asked.path.clone());
            return Answer::list(&[]);
        }
        Answer::scim(201, &account("7", asked.body["userName"].as_str().unwrap()))
    })
    .await;
    let lines = bench.run(&[user("1", "a\" or userName pr or userName eq \"\\b")]).await;
    assert!(lines[0].ends_with("enters create success done"), "{lines:?}");
    // The first account that is made is read back.
    assert_eq!(ASKED.lock().unwrap().pop().as_deref(), Some("/scim/Users/7"));
    let asked = ASKED.lock().unwrap().clone();
    let filter = "userName eq \"a\\\" or userName pr or userName eq \\\"\\\\b\"";
    let encoded: String =
        filter
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect();
    assert_eq!(asked, [format!("/scim/Users?filter={encoded}")]);
}

#[tokio::test]
async fn retry_after_is_obeyed_as_seconds_and_as_a_date_and_capped() {
    for (header, least, most) in [
        ("retry-after: 7\r\n", 7, 8),
        // The bench's clock stands at 500,000 hours after the epoch: 2027-01-15T08:00:00Z.
        ("retry-after: Fri, 15 Jan 2027 08:00:42 GMT\r\n", 42, 43),
        ("retry-after: 86400\r\n", 120, 121),
        ("retry-after: 0\r\n", 0, 1),
        ("retry-after: soon\r\n", 0, 1),
        ("", 0, 1),
    ] {
        let turns = AtomicUsize::new(0);
        let bench =
            scripted(move |asked| match (asked.method.as_str(), turns.fetch_add(1, Ordering::Relaxed)) {
                ("GET", 0) => Answer(429, header, String::new()),
                ("GET", _) => Answer::list(&[]),
                _ => Answer::scim(201, &account("7", "ada")),
            })
            .await;
        let before = bench.clock.now();
        let lines = bench.run(&[user("1", "ada")]).await;
        assert_eq!(lines, ["ada enters create success done"], "{header}");
        let waited = bench.clock.now().duration_since(before).unwrap();
        let range = Duration::from_secs(least)..Duration::from_secs(most);
        assert!(range.contains(&waited), "{header:?}: waited {waited:?}");
    }
}

#[tokio::test]
async fn backoff_doubles_with_jitter_and_ends() {
    let bench = scripted(|_| Answer(503, "", String::new())).await;
    let before = bench.clock.now();
    let lines = bench.run(&[user("1", "ada")]).await;
    assert_eq!(lines, ["ada enters none failed target-error"]);
    let waited = bench.clock.now().duration_since(before).unwrap();
    // Four waits of at most 0.5, 1, 2 and 4 s, and at least half of that.
    assert!(waited >= Duration::from_millis(3_750) && waited <= Duration::from_millis(7_500), "{waited:?}");
}

#[tokio::test]
async fn not_implemented_is_not_tried_again() {
    static POSTS: AtomicUsize = AtomicUsize::new(0);
    let bench = scripted(|asked| {
        if asked.method == "GET" {
            return Answer::list(&[]);
        }
        POSTS.fetch_add(1, Ordering::Relaxed);
        Answer::error(501, "no")
    })
    .await;
    assert_eq!(bench.run(&[user("1", "ada")]).await, ["ada enters create failed target-error"]);
    assert_eq!(POSTS.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn status_401_in_mid_run_stops_it_and_the_next_run_resumes() {
    let bench =
        Bench::with("aquera", Settings { options: "concurrency = 1".to_owned(), ..Settings::default() })
            .await;
    let users: Vec<Value> = (0..6).map(|n| user(&n.to_string(), &format!("user{n}"))).collect();
    bench.users(&users);
    bench.app.add_fault(Fault::status(401).times(1).method("POST"));
    let report = bench.sync().await;
    assert_eq!(report.exit.code(), 3);
    assert_eq!(report.lines, [], "nobody is said to have failed");
    assert_eq!(report.summary.stopped.as_ref().unwrap().code, "unauthorized");
    let again = bench.sync().await;
    assert_eq!(again.exit.code(), 0);
    assert_eq!(again.summary.success, 6);
    assert_eq!(bench.app.users().len(), 6);
}

#[tokio::test]
async fn status_403_fails_one_user_unless_no_user_may_be_read() {
    let bench =
        Bench::with("aquera", Settings { options: "concurrency = 1".to_owned(), ..Settings::default() })
            .await;
    bench.app.add_fault(Fault::status(403).times(1).method("POST"));
    let mut lines = bench.run(&[user("1", "ada"), user("2", "brook")]).await;
    lines.sort();
    assert_eq!(lines, ["ada enters create failed forbidden", "brook enters create success done"]);

    let bench = Bench::new("aquera").await;
    bench.app.add_fault(Fault::status(403).times(1).method("POST"));
    bench.users(&[user("1", "ada")]);
    // The look-up goes through; the POST and the test after it do not.
    let mut hold = bench.app.hold(4, Phase::BeforeEffect);
    let provisioner = bench.open().await;
    let run = provisioner.sync(SyncOptions::default());
    let ban = async {
        hold.reached().await;
        bench.app.add_fault(Fault::status(403).times(9));
        hold.release();
    };
    let (report, ()) = tokio::join!(run, ban);
    assert_eq!(report.exit.code(), 3, "{:?}", report.lines);
    assert_eq!(report.summary.stopped.unwrap().code, "forbidden");
    provisioner.close().await;
}

#[tokio::test]
async fn answer_that_is_not_scim_proves_nothing() {
    static GONE: AtomicUsize = AtomicUsize::new(0);
    let bench = scripted(|asked| match asked.method.as_str() {
        "POST" => {
            let name = asked.body["userName"].as_str().unwrap();
            Answer::scim(201, &account(&format!("id-of-{name}"), name))
        }
        "GET" if asked.path.contains("filter") => Answer::list(&[]),
        "GET" => {
            GONE.fetch_add(1, Ordering::Relaxed);
            Answer(404, "content-type: text/html\r\n", "<h1>Not Found</h1>".to_owned())
        }
        method => panic!("{method} {}", asked.path),
    })
    .await;
    bench.run(&[user("1", "ada"), user("2", "brook")]).await;
    let lines = bench.run(&[user("2", "brook")]).await;
    assert_eq!(lines.first().map(String::as_str), Some("ada deleted disable failed rejected"), "{lines:?}");
    let lines = bench.run(&[user("2", "brook")]).await;
    assert_eq!(
        lines.first().map(String::as_str),
        Some("ada retry disable failed rejected"),
        "it stays pending: {lines:?}"
    );
}

#[tokio::test]
async fn lost_reply_to_a_post_makes_no_duplicate() {
    for profile in ["aquera", "no-partial-update"] {
        let bench = Bench::new(profile).await;
        bench.app.add_fault(Fault::status(504).times(1).method("POST").phase(Phase::AfterEffect));
        let lines = bench.run(&[user("1", "ada")]).await;
        assert_eq!(lines, ["ada enters create success done"]);
        assert_eq!(bench.accounts(), ["ada true"]);
        assert_eq!(bench.writes(), ["POST 504"], "looked up, not sent again");
    }
}

#[tokio::test]
async fn target_that_takes_some_attributes_is_believed_for_those() {
    let kept = Mutex::new(account("7", "ada"));
    let bench = scripted(move |asked| {
        let mut kept = kept.lock().unwrap();
        match asked.method.as_str() {
            "POST" => Answer::scim(201, &kept),
            "PATCH" => {
                for operation in asked.body["Operations"].as_array().unwrap() {
                    if operation["path"] == "title" {
                        kept["title"] = operation["value"].clone();
                    }
                }
                Answer(204, "", String::new())
            }
            _ if asked.path.contains("filter") => Answer::list(&[]),
            _ => Answer::scim(200, &kept),
        }
    })
    .await;
    bench.run(&[user("1", "ada")]).await;
    bench.users(&[but(user("1", "ada"), json!({ "title": "Lead", "nickname": "Countess" }))]);
    let report = bench.sync().await;
    assert_eq!(short(&report), ["ada attributes update success done"]);
    let detail = report.lines[0].detail.clone().unwrap();
    assert_eq!(detail, "not stored by the target: nickName");
}

#[tokio::test]
async fn change_by_others_between_read_and_put_is_merged_once() {
    let settings = Settings { options: "update-method = \"put\"".to_owned(), ..Settings::default() };
    for times in [1, 2] {
        let bench = Bench::with("aquera", settings.clone()).await;
        bench.run(&[user("1", "ada")]).await;
        let id = bench.app.users()[0]["id"].as_str().unwrap().to_owned();
        bench.users(&[but(user("1", "ada"), json!({ "title": "Lead" }))]);
        let provisioner = bench.open().await;
        let run = provisioner.sync(SyncOptions::default());
        let meddle = async {
            // The test (2), the read, the PUT; then the read and the PUT again.
            let mut hold = bench.app.hold(4, Phase::BeforeEffect);
            for time in 0..times {
                hold.reached().await;
                bench.app.edit_user(&id, |user| {
                    user.insert("nickName".to_owned(), format!("meddled {time}").into());
                });
                let next = bench.app.hold(2, Phase::BeforeEffect);
                std::mem::replace(&mut hold, next).release();
            }
            hold.release();
        };
        let (report, ()) = tokio::join!(run, meddle);
        provisioner.close().await;
        let account = bench.app.users().remove(0);
        assert_eq!(
            account["nickName"],
            format!("meddled {}", times - 1),
            "kept: it is not mapped for this user"
        );
        if times == 1 {
            assert_eq!(short(&report), ["ada attributes update success done"]);
            assert_eq!(account["title"], "Lead");
        } else {
            assert_eq!(short(&report), ["ada attributes update failed conflict"]);
            assert_eq!(account["title"], "Engineer");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn target_that_deletes_on_disable_costs_one_account_only() {
    let settings = Settings { options: "max-removals-percent = 100".to_owned(), ..Settings::default() };
    let bench = Bench::with("disable-deletes", settings).await;
    let users: Vec<Value> = (0..20).map(|n| user(&n.to_string(), &format!("user{n:02}"))).collect();
    bench.run(&users).await;
    let disabled: Vec<Value> =
        users.iter().map(|one| but(one.clone(), json!({ "enabled": false }))).collect();
    let lines = bench.run(&disabled).await;
    let count = |reason: &str| lines.iter().filter(|line| line.ends_with(reason)).count();
    assert_eq!(count("deleted-by-target"), 1);
    assert_eq!(count("disable-withheld"), 19);
    assert_eq!(bench.app.users().len(), 19);

    // Not in the next run either, until a person has tested the connection.
    let lines = bench.run(&disabled).await;
    assert_eq!(lines.iter().filter(|line| line.ends_with("failed disable-withheld")).count(), 19);
    assert_eq!(bench.app.users().len(), 19);
    let provisioner = bench.open().await;
    provisioner.test_connection().await.unwrap();
    provisioner.close().await;
    bench.run(&disabled).await;
    assert_eq!(bench.app.users().len(), 18);
}

#[tokio::test(flavor = "multi_thread")]
async fn patch_that_is_ignored_is_sent_once_and_put_for_every_user() {
    for (method, verb) in [("patch", "PATCH"), ("put", "PUT")] {
        let bench = Bench::with(
            "patch-ignored-200",
            Settings { options: format!("update-method = \"{method}\""), ..Settings::default() },
        )
        .await;
        let users: Vec<Value> = (0..20).map(|n| user(&n.to_string(), &format!("user{n:02}"))).collect();
        bench.run(&users).await;
        bench.app.clear_journal();
        // Long enough that writes in flight together would overlap.
        bench.app.add_fault(format!("latency=20ms method={verb}").parse().unwrap());
        let changed: Vec<Value> =
            users.iter().map(|one| but(one.clone(), json!({ "title": "Lead" }))).collect();
        let lines = bench.run(&changed).await;
        let sent = bench.writes().iter().filter(|write| write.starts_with(verb)).count();
        assert_eq!(lines.len(), 20, "{lines:?}");
        if method == "patch" {
            assert!(lines.iter().all(|line| line.ends_with("failed ignored-by-target")), "{lines:?}");
            assert_eq!(sent, 1, "the others are not sent");
        } else {
            assert!(lines.iter().all(|line| line.ends_with("success done")), "{lines:?}");
            assert_eq!(sent, 20);
            let mut writes = bench.app.journal();
            writes.retain(|exchange| exchange.method == verb);
            writes.sort_by_key(|exchange| exchange.at);
            let first_ended = writes[0].at + writes[0].took;
            let overlapping = writes[1..].iter().filter(|write| write.at < first_ended).count();
            assert_eq!(overlapping, 0, "writes in flight beside the first one");
        }
    }
}

/// A target that counts the creates that are in flight at the same time.
#[derive(Default)]
struct CountingTarget {
    accounts: Mutex<Vec<Value>>,
    in_flight: AtomicUsize,
    /// The creates before an account was read back.
    before_read_back: AtomicUsize,
    /// The maximum number of creates in flight after that.
    most_in_flight: AtomicUsize,
    is_read_back: AtomicBool,
}

impl CountingTarget {
    fn answer(&self, asked: &Asked) -> Answer {
        if asked.method == "POST" {
            let in_flight = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
            if self.is_read_back.load(Ordering::SeqCst) {
                self.most_in_flight.fetch_max(in_flight, Ordering::SeqCst);
            } else {
                self.before_read_back.fetch_add(1, Ordering::SeqCst);
            }
            // Long enough for others to come meanwhile.
            std::thread::sleep(Duration::from_millis(50));
            let mut accounts = self.accounts.lock().unwrap();
            let account = but(asked.body.clone(), json!({ "id": format!("a{}", accounts.len()) }));
            accounts.push(account.clone());
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
            return Answer::scim(201, &account);
        }
        let Some(id) = asked.path.strip_prefix("/scim/Users/") else { return Answer::list(&[]) };
        let accounts = self.accounts.lock().unwrap();
        let account = accounts.iter().find(|account| account["id"] == id).unwrap();
        self.is_read_back.store(true, Ordering::SeqCst);
        Answer::scim(200, account)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 12)]
async fn first_create_is_in_flight_alone_until_its_account_is_read_back() {
    let target = Arc::new(CountingTarget::default());
    let bench = {
        let target = Arc::clone(&target);
        scripted(move |asked| target.answer(asked)).await
    };
    let users: Vec<Value> = (0..20).map(|n| user(&n.to_string(), &format!("user{n:02}"))).collect();
    bench.users(&users);
    let report = bench.sync().await;
    assert_eq!(report.summary.success, 20, "{:?}", report.lines);
    assert_eq!(target.before_read_back.load(Ordering::SeqCst), 1, "creates before the first read-back");
    assert!(target.most_in_flight.load(Ordering::SeqCst) > 1, "the others are sent in parallel");
}

#[tokio::test]
async fn token_that_the_target_echoes_stays_out_of_the_report_and_the_state() {
    let bench = scripted(|asked| {
        if asked.method == "GET" {
            return Answer::list(&[]);
        }
        let header =
            asked.head.lines().find(|line| line.to_lowercase().starts_with("authorization")).unwrap();
        assert!(header.ends_with(TOKEN));
        Answer::error(400, &format!("{} you sent {header}", "x".repeat(180)))
    })
    .await;
    bench.users(&[user("1", "ada")]);
    let report = bench.sync().await;
    let line = serde_json::to_string(&report.lines[0]).unwrap();
    assert!(line.contains("rejected") && !line.contains(&TOKEN[..4]), "{line}");
    let provisioner = bench.open().await;
    let stored = format!("{:?}", provisioner.stored().unwrap());
    assert!(!stored.contains(&TOKEN[..4]), "{stored}");
}

#[tokio::test]
async fn removals_of_the_last_24_hours_count_for_the_guard() {
    let settings =
        Settings { preferences: ALL_DELETE, options: "max-removals = 2".to_owned(), ..Settings::default() };
    let bench = Bench::with("aquera", settings).await;
    let users: Vec<Value> = (0..6).map(|n| user(&n.to_string(), &format!("user{n}"))).collect();
    bench.run(&users).await;
    bench.users(&users[2..]);
    assert_eq!(bench.sync().await.exit.code(), 0);
    bench.users(&users[3..]);
    let guarded = bench.sync().await;
    assert_eq!(guarded.exit.code(), 4, "a slow bleed is seen");
    assert_eq!(bench.app.users().len(), 4);
    bench.clock.advance(Duration::from_hours(25));
    assert_eq!(bench.sync().await.exit.code(), 0);
    assert_eq!(bench.app.users().len(), 3);
}

#[tokio::test]
async fn reply_lost_for_good_is_resolved_by_the_next_run() {
    let settings = Settings { options: "max-attempts = 1".to_owned(), ..Settings::default() };
    let bench = Bench::with("aquera", settings).await;
    bench.app.add_fault(Fault::status(503).times(1).method("POST").phase(Phase::AfterEffect));
    // The look-up after the lost reply finds it, so even one attempt is enough.
    assert_eq!(bench.run(&[user("1", "ada")]).await, ["ada enters create success done"]);
    bench.app.add_fault(Fault::status(503).times(1).method("PATCH").phase(Phase::AfterEffect));
    let changed = but(user("1", "ada"), json!({ "title": "Lead" }));
    assert_eq!(
        bench.run(std::slice::from_ref(&changed)).await,
        ["ada attributes update failed target-error"]
    );
    bench.app.clear_journal();
    // The next run reads before it decides, and finds nothing left to do.
    assert_eq!(bench.run(&[changed]).await, ["ada attributes none success done"]);
    assert_eq!(bench.writes(), [""; 0]);
}

#[tokio::test]
async fn re_hire_whose_look_up_fails_removes_no_account() {
    static LOOK_UPS: AtomicUsize = AtomicUsize::new(0);
    let bench = scripted(|asked| match asked.method.as_str() {
        "POST" => Answer::scim(201, &account("7", "ada")),
        "GET" if asked.path.contains("filter") => match LOOK_UPS.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::list(&[]),
            1 => Answer::error(400, "no filters today"),
            _ => Answer::list(&[account("7", "ada")]),
        },
        "GET" => Answer::scim(200, &account("7", "ada")),
        method => panic!("nothing is written: {method} {}", asked.path),
    })
    .await;
    bench.run(&[user("1", "ada")]).await;
    assert_eq!(bench.run(&[user("2", "ada")]).await, ["ada enters none failed rejected"]);
    // A user who cannot be mapped keeps the account too.
    let unmapped = but(user("2", "ada"), json!({ "title": { "no": "text" } }));
    assert_eq!(bench.run(&[unmapped]).await, ["ada enters none failed invalid-user"]);
}

#[tokio::test]
async fn conflict_without_a_look_up_is_reported() {
    static LOOK_UPS: AtomicUsize = AtomicUsize::new(0);
    let bench = scripted(|asked| match asked.method.as_str() {
        "POST" => Answer::error(409, "taken"),
        _ if LOOK_UPS.fetch_add(1, Ordering::Relaxed) == 0 => Answer::list(&[]),
        _ => Answer::list(&[account("7", "somebody-else")]),
    })
    .await;
    assert_eq!(bench.run(&[user("1", "ada")]).await, ["ada enters create failed filter-not-honoured"]);
}

#[tokio::test]
async fn unchanged_values_teach_nothing() {
    let settings = Settings { options: "concurrency = 1".to_owned(), ..Settings::default() };
    let bench = Bench::with("patch-ignored-200", settings).await;
    let users = [user("1", "ada"), user("2", "brook")];
    bench.run(&users).await;
    let id = bench.app.users()[0]["id"].as_str().unwrap().to_owned();
    bench.app.edit_user(&id, |user| drop(user.insert("title".to_owned(), "Lead".into())));
    let changed = users.map(|user| but(user, json!({ "title": "Lead" })));
    let lines = bench.run(&changed).await;
    assert_eq!(lines, ["ada attributes update success done", "brook attributes update success done"]);
    let titles: Vec<Value> = bench.app.users().into_iter().map(|user| user["title"].clone()).collect();
    assert_eq!(titles, ["Lead", "Lead"], "PATCH was found out, and PUT used");
}

#[tokio::test]
async fn account_that_was_gone_before_is_not_deleted_by_the_target() {
    for method in ["put", "patch"] {
        let settings = Settings { options: format!("update-method = \"{method}\""), ..Settings::default() };
        let bench = Bench::with("aquera", settings).await;
        let users = [user("1", "ada"), user("2", "brook")];
        bench.run(&users).await;
        let id = bench.app.users()[0]["id"].as_str().unwrap().to_owned();
        bench.app.remove_user(&id);
        bench.clock.advance(Duration::from_mins(5));
        let disabled = users.map(|user| but(user, json!({ "enabled": false })));
        let lines = bench.run(&disabled).await;
        assert_eq!(
            lines,
            ["ada enters none unsynced disabled-at-source", "brook disabled disable success done"],
            "{method}"
        );
    }
}

#[tokio::test]
async fn cut_off_disable_that_deleted_costs_no_second_account() {
    let settings =
        Settings { options: "concurrency = 1\nmax-attempts = 1".to_owned(), ..Settings::default() };
    let bench = Bench::with("disable-deletes", settings).await;
    let users = [user("1", "ada"), user("2", "brook")];
    bench.run(&users).await;
    bench.clock.advance(Duration::from_mins(5));
    let ada = [but(users[0].clone(), json!({ "enabled": false })), users[1].clone()];
    bench.users(&ada);
    // The process ends after the effect of the disable and before its response: the test (2), the read, the PATCH.
    bench.sync_cut_off(4, Phase::AfterEffect).await;
    assert_eq!(bench.accounts(), ["brook true"]);
    let both = users.map(|user| but(user, json!({ "enabled": false })));
    let lines = bench.run(&both).await;
    assert_eq!(
        lines,
        ["ada disabled disable failed deleted-by-target", "brook disabled disable failed disable-withheld"]
    );
    assert_eq!(bench.accounts(), ["brook true"]);
}

#[tokio::test]
async fn account_made_anew_by_somebody_else_is_linked_by_a_full_run() {
    let settings = Settings {
        preferences: "enable-users-updation = true\nenable-users-disable = true",
        ..Settings::default()
    };
    let bench = Bench::with("aquera", settings).await;
    bench.app.seed_user(json!({ "userName": "ada", "active": true }));
    bench.run(&[user("1", "ada")]).await;
    let id = bench.app.users()[0]["id"].as_str().unwrap().to_owned();
    bench.app.remove_user(&id);
    bench.app.seed_user(json!({ "userName": "ada", "active": true }));
    bench.clock.advance(Duration::from_mins(5));
    let report = bench.sync_with(SyncOptions { full: true, ..SyncOptions::default() }).await;
    assert_eq!(short(&report), ["ada enters update success done"]);
}

#[tokio::test]
async fn failed_removal_outlives_its_rule() {
    let settings = Settings { preferences: ALL_DELETE, ..Settings::default() };
    let mut bench = Bench::with("no-delete", settings).await;
    bench.settings.rules = "[[rule]]\nname = \"staff\"\nfilter = 'title eq \"Engineer\"'\n".to_owned();
    bench.run(&[user("1", "ada")]).await;
    let left = [but(user("1", "ada"), json!({ "title": "Guest" }))];
    bench.users(&left);
    let allow = SyncOptions { allow_empty_scope: vec!["staff".parse().unwrap()], ..SyncOptions::default() };
    assert_eq!(short(&bench.sync_with(allow).await), ["ada left-scope delete failed delete-unsupported"]);
    bench.settings.rules = "[[rule]]\nname = \"people\"\nfilter = 'title eq \"Engineer\"'\n".to_owned();
    assert_eq!(bench.run(&left).await, ["ada retry delete failed delete-unsupported"]);
}

#[tokio::test]
async fn password_is_not_kept_and_proves_nothing() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.rules =
        "[[rule]]\nname = \"everyone\"\n[[rule.mapping]]\nsource = \"username\"\ntarget = \"userName\"\n\
        [[rule.mapping]]\nsource = \"title\"\ntarget = \"password\"\n"
            .to_owned();
    bench.run(&[but(user("1", "ada"), json!({ "title": "correct horse" }))]).await;
    assert_eq!(bench.run(&[but(user("1", "ada"), json!({ "title": "correct horse" }))]).await, [""; 0]);
    let lines = bench.run(&[but(user("1", "ada"), json!({ "title": "battery staple" }))]).await;
    assert_eq!(lines, ["ada attributes update success done"]);
    let provisioner = bench.open().await;
    let stored = format!("{:?}", provisioner.stored().unwrap());
    assert!(!stored.contains("staple") && !stored.contains("horse"), "{stored}");
    assert!(stored.contains("patch: Unknown"), "{stored}");
    provisioner.close().await;
}

#[tokio::test]
async fn link_that_moves_to_another_account_is_stored() {
    let bench = Bench::new("aquera").await;
    let ada = but(user("1", "ada"), json!({ "title": null, "email": null }));
    let account = json!({ "userName": "ada", "active": true, "externalId": "1" });
    bench.app.seed_user(account.clone());
    assert_eq!(bench.run(std::slice::from_ref(&ada)).await, ["ada enters link success linked"]);
    let first = bench.app.users()[0]["id"].as_str().unwrap().to_owned();
    bench.app.remove_user(&first);
    let second = bench.app.seed_user(account);
    let full = bench.sync_with(SyncOptions { full: true, ..SyncOptions::default() }).await;
    assert_eq!(short(&full), ["ada enters link success linked"]);
    let provisioner = bench.open().await;
    let stored = provisioner.stored().unwrap();
    let links: Vec<&str> =
        stored.records.values().filter_map(|record| Some(record.link.as_ref()?.account.as_str())).collect();
    assert_eq!(links, [second.as_str()]);
    provisioner.close().await;
}
