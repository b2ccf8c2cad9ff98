//! A PingOne environment as the source: read whole from a server that does what servers do, or refused.

pub(crate) mod fake;

use std::collections::BTreeMap;

use provisioner::Exit;
use provisioner::config::{Config, SourceConfig};
use provisioner::reader::{ReadContext, Snapshot, read_all};
use provisioner::source::SourceError;
use serde_json::{Value, json};

use crate::support::{ALL_DELETE, Bench, Settings, but, instant_context, short, user};
use fake::{Fake, Fault, SECRET};

/// Returns `count` users, in the populations `a` and `b` by turns.
fn users(count: usize) -> Vec<Value> {
    let population = |at: usize| if at.is_multiple_of(2) { "a" } else { "b" };
    let one = |at: usize| {
        but(user(&format!("id-{at}"), &format!("u{at}")), json!({ "population": { "id": population(at) } }))
    };
    (0..count).map(one).collect()
}

fn config(source: &str, rules: &str) -> Config {
    let text = format!(
        "[connection]\nname = \"x\"\n[connection.authentication]\nscim-url = \"http://localhost/\"\n\
         profile = \"bearer-token\"\noauth-access-token = \"t\"\n{source}\n{rules}"
    );
    Config::parse(&text, std::path::Path::new("aquera.toml")).map_err(|error| format!("{error}")).unwrap()
}

fn source(fake: &Fake, more: &str) -> SourceConfig {
    config(&fake.source(more), "[[rule]]\nname = \"all\"\n").source
}

async fn read(source: &SourceConfig) -> Result<Snapshot, SourceError> {
    read_all(source, &instant_context()).await
}

fn ids(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.users.iter().map(|user| user.id.as_str()).collect()
}

fn expected(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("id-{at}")).collect()
}

#[tokio::test]
async fn users_of_all_pages_are_read_in_their_order() {
    let fake = Fake::start(users(25)).await;
    let source = source(&fake, "page-size = 10");
    assert_eq!(ids(&read(&source).await.unwrap()), expected(25));
    assert_eq!(fake.requests().len(), 3);
    assert_eq!(fake.with(|state| state.issued), 1);
    // The whole environment on one page, and none at all.
    fake.with(|state| state.users.truncate(7));
    assert_eq!(ids(&read(&source).await.unwrap()), expected(7));
    fake.with(|state| state.users.clear());
    let empty = read(&source).await.unwrap_err();
    assert!(empty.to_string().contains("it has no users"), "{empty}");
    let allowed = ReadContext { allow_empty: true, ..instant_context() };
    assert!(read_all(&source, &allowed).await.unwrap().users.is_empty());
}

#[tokio::test]
async fn passing_faults_of_the_server_are_survived() {
    for (name, faults, requests) in [
        ("rate limit", vec![None, Some(Fault::Status(429, Some("3")))], 4),
        (
            "rate limit without a time",
            vec![Some(Fault::Status(429, None)), Some(Fault::Status(429, None))],
            5,
        ),
        ("server error", vec![None, Some(Fault::Status(503, Some("Wed, 01 Jan 2020 00:00:00 GMT")))], 4),
        ("connection that breaks off", vec![None, Some(Fault::BreakOff), Some(Fault::BreakOff)], 5),
        ("page that ends early", vec![None, None, Some(Fault::Half)], 4),
        ("token that expires", vec![None, Some(Fault::ForgetTokens)], 4),
        // What a page has is counted from its beginning: a repeated page, or another total, means another reading.
        ("page that is repeated", vec![None, Some(Fault::Repeat)], 5),
        ("user that goes while it is read", vec![None, Some(Fault::Remove("id-3"))], 5),
        ("count that is wrong once", vec![Some(Fault::Count(24)), None, None], 5),
        ("size that is wrong once", vec![None, Some(Fault::Size(11))], 5),
    ] {
        let fake = Fake::start(users(25)).await;
        fake.faults(faults);
        let snapshot =
            read(&source(&fake, "page-size = 10")).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let gone = name.starts_with("user that goes");
        let left: Vec<String> = expected(25).into_iter().filter(|id| !gone || id != "id-3").collect();
        assert_eq!(ids(&snapshot), left, "{name}");
        assert_eq!(fake.requests().len(), requests, "{name}");
    }
}

#[tokio::test]
async fn source_that_is_not_whole_is_refused() {
    for (name, fault, told) in [
        ("lying count", Fault::Count(26), "the server counts 26 users and listed 25"),
        ("count that is too small", Fault::Count(24), "the server counts 24 users and listed 25"),
        ("lying size", Fault::Size(9), "a page counts 9 users and has 10"),
        ("no count", Fault::NoCount, "no page names the number of all users"),
        ("no count, and links that end early", Fault::SizeOnly, "no page names the number of all users"),
        ("rate limit without end", Fault::Status(429, Some("1")), "the server answered 429 after 6 attempts"),
        ("broken connections", Fault::BreakOff, "broke"),
        ("half pages", Fault::Half, "an answer is not whole JSON after 6 attempts"),
        ("expired tokens", Fault::ForgetTokens, "was answered 401: ACCESS_FAILED"),
        ("no right", Fault::Status(403, None), "was answered 403"),
        ("no page", Fault::Body("{\"count\":0}"), "without `_embedded.users`"),
        ("a list", Fault::Body("[]"), "without `_embedded.users`"),
        (
            "another origin",
            Fault::Next("http://127.0.0.2:9/v1/environments/env-1/users".to_owned()),
            "leads to http://127.0.0.2:9, which",
        ),
        ("a doubled key", Fault::Body("{\"count\":1,\"count\":2}"), "not whole JSON"),
    ] {
        let fake = Fake::start(users(25)).await;
        fake.with(|state| state.always = Some(fault));
        let error = read(&source(&fake, "page-size = 10")).await.unwrap_err();
        assert!(error.to_string().contains(told), "{name}: {error}");
        assert!(
            error.to_string().starts_with("failed to read the source http://127.0.0.1:"),
            "{name}: {error}"
        );
        assert!(!error.way_out().is_empty(), "{name}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(SECRET) && !shown.contains("token-1"), "{name}: {shown}");
    }
}

/// Servers repeat what they were sent, and what they hold of people.
#[tokio::test]
async fn words_of_a_server_are_left_out_and_its_code_is_kept() {
    let fake = Fake::start(users(5)).await;
    for (body, code) in [
        (
            r#"{"code":"INVALID_DATA","message":"token-1 of ada@example.org","details":[{"target":"ada"}]}"#,
            ": INVALID_DATA",
        ),
        (r#"{"code":"token-1","error":"ada@example.org","detail":"Bearer token-1"}"#, ""),
        (r#"{"error":"invalid_request","error_description":"worker-secret-7f3a"}"#, ": invalid_request"),
    ] {
        for status in [400, 401, 403, 404, 409, 422] {
            fake.with(|state| state.always = Some(Fault::Refusal(status, body)));
            let error = read(&source(&fake, "")).await.unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(error.to_string().ends_with(&format!("was answered {status}{code}")), "{error}");
            for private in ["token-", "ada", SECRET] {
                assert!(!shown.contains(private), "{private}: {shown}");
            }
        }
    }
    let link = "http://ada:token-1@127.0.0.2:9/token-1?t=token-1".to_owned();
    fake.with(|state| state.always = Some(Fault::Next(link)));
    let shown = read(&source(&fake, "")).await.unwrap_err().to_string();
    assert!(!shown.contains("token-1") && !shown.contains("ada"), "{shown}");
}

/// The length of a page is no total: a chain of links that ends early must not disable the users behind it.
#[tokio::test]
async fn pages_with_a_size_and_no_count_disable_nobody() {
    let fake = Fake::start(users(25)).await;
    let mut bench = bench(&fake, "[[rule]]\nname = \"all\"\n").await;
    bench.settings.options = "max-removals-percent = 100".to_owned();
    bench.settings.source_table = Some(fake.source("page-size = 10"));
    assert_eq!(bench.sync().await.summary.success, 25);
    fake.with(|state| state.always = Some(Fault::SizeOnly));
    let report = bench.sync().await;
    assert_eq!(report.exit, Exit::SourceUnreadable);
    let message = report.summary.stopped.unwrap().message;
    assert!(message.contains("kind = \"file\""), "the way out: {message}");
    assert_eq!(bench.accounts().len(), 25);
}

#[tokio::test]
async fn page_that_comes_back_for_ever_ends_the_reading() {
    let fake = Fake::start(users(25)).await;
    let source = source(&fake, "page-size = 10");
    let first = source.place() + "?limit=10";
    fake.with(|state| state.always = Some(Fault::Next(first)));
    let error = read(&source).await.unwrap_err();
    assert!(error.to_string().contains("each of 3 times they were read: a page leads back"), "{error}");
    assert_eq!(fake.requests().len(), 3);
}

#[tokio::test]
async fn token_is_renewed_before_it_expires() {
    let fake = Fake::start(users(25)).await;
    fake.with(|state| state.lifetime = 60);
    // Each wait of 40 s takes the token into its last half minute.
    let slow = Some(Fault::Status(429, Some("40")));
    fake.faults([slow.clone(), None, slow]);
    read(&source(&fake, "page-size = 10")).await.unwrap();
    assert_eq!(fake.with(|state| state.issued), 3);
}

#[tokio::test]
async fn wrong_client_secret_is_said_and_never_shown() {
    let fake = Fake::start(users(1)).await;
    let text = fake.source("").replace(SECRET, "wr0ng-secret");
    let error = read(&config(&text, "[[rule]]\nname = \"all\"\n").source).await.unwrap_err();
    assert!(
        error.to_string().contains("the request for an access token was answered 401: invalid_client"),
        "{error}"
    );
    assert!(error.way_out().contains("credentials under [source]"), "{}", error.way_out());
    assert!(!format!("{error:?}").contains("wr0ng"), "{error:?}");
}

#[tokio::test]
async fn populations_and_groups_are_found_by_name() {
    let mut all = users(6);
    all[3]["memberOfGroups"] = json!([{ "id": "g1" }]);
    all[4]["memberOfGroups"] = json!([{ "id": "g2" }, { "id": "g1" }]);
    let fake = Fake::start(all).await;
    fake.with(|state| {
        state.populations = vec![("a", "Employees"), ("b", "Partners"), ("c", "Twice"), ("d", "Twice")];
        state.groups = vec![("g1", "Engineering"), ("g2", "Sales")];
    });
    for (more, expected, filter) in [
        ("populations = [\"Partners\"]", vec!["id-1", "id-3", "id-5"], "population.id eq \"b\""),
        ("members-of = [\"Engineering\"]", vec!["id-3", "id-4"], "memberOfGroups[id eq \"g1\"]"),
        (
            "populations = [\"Employees\"]\nmembers-of = [\"Sales\", \"Engineering\"]",
            vec!["id-4"],
            "(population.id eq \"a\") and (memberOfGroups[id eq \"g2\"] or memberOfGroups[id eq \"g1\"])",
        ),
    ] {
        let snapshot = read(&source(&fake, more)).await.unwrap();
        assert_eq!(ids(&snapshot), expected, "{more}");
        let requests = fake.requests();
        assert_eq!(requests.last(), Some(&format!("users?limit=1000&filter={filter}")));
    }
    for (more, told) in [
        ("populations = [\"Employes\"]", "unknown population `Employes`; did you mean `Employees`?"),
        ("members-of = [\"engineering\"]", "unknown group `engineering`"),
        ("populations = [\"Twice\"]", "2 populations have the name `Twice`"),
    ] {
        let error = read(&source(&fake, more)).await.unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
    }
}

/// Reads with these rules, and returns the filters that were sent.
async fn filters_sent(fake: &Fake, rules: &[&str]) -> Vec<String> {
    let rules: String = rules
        .iter()
        .enumerate()
        .map(|(at, filter)| format!("[[rule]]\nname = \"r{at}\"\nfilter = '{filter}'\n"))
        .collect::<Vec<_>>()
        .concat();
    let source = config(&fake.source(""), &rules).source;
    read(&source).await.unwrap();
    let sent =
        |request: &String| request.split_once("&filter=").map_or("none", |(_, filter)| filter).to_owned();
    fake.requests().iter().map(sent).collect()
}

#[tokio::test]
async fn filters_of_the_rules_are_sent_where_the_api_takes_them() {
    let fake = Fake::start(users(6)).await;
    let (a, b) = ("population.id eq \"a\"", "population.id eq \"b\" and title co \"x\"");
    assert_eq!(filters_sent(&fake, &[a]).await, [a]);
    assert_eq!(filters_sent(&fake, &[a, b]).await, ["population.id eq \"a\" or population.id eq \"b\""]);
    assert_eq!(filters_sent(&fake, &[a, "title pr"]).await, ["none"]);
    // A server that refuses the filter after all is asked for everybody.
    fake.with(|state| state.refuses_filters = true);
    assert_eq!(filters_sent(&fake, &[a]).await, [a, "none"]);
}

async fn bench(fake: &Fake, rules: &str) -> Bench {
    let settings = Settings {
        preferences: ALL_DELETE,
        rules: rules.to_owned(),
        source_table: Some(fake.source("")),
        ..Settings::default()
    };
    Bench::with("aquera", settings).await
}

#[tokio::test]
async fn user_that_leaves_the_filter_is_no_deleted_user() {
    let fake = Fake::start(users(8)).await;
    let bench = bench(&fake, "[[rule]]\nname = \"a\"\nfilter = 'population.id eq \"a\"'\n").await;
    assert_eq!(short(&bench.sync().await).len(), 4);
    fake.requests();
    fake.with(|state| {
        state.users[0]["population"]["id"] = "b".into();
        state.users.remove(2);
    });
    let report =
        bench.sync_with(provisioner::SyncOptions { approve_removals: Some(2), ..Default::default() }).await;
    let changes: BTreeMap<String, String> = short(&report)
        .iter()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .map(|words| (words[0].to_owned(), format!("{} {}", words[1], words[2])))
        .collect();
    let expected = [("u0", "left-scope delete"), ("u2", "deleted delete")];
    assert_eq!(changes, expected.map(|(name, change)| (name.to_owned(), change.to_owned())).into());
    assert_eq!(
        fake.requests(),
        ["users?limit=1000&filter=population.id eq \"a\"", "users/id-0", "users/id-2"]
    );
    assert_eq!(bench.accounts(), ["u4 true", "u6 true"]);
}

/// A filter that is sent must not turn the users of a deleted rule into deleted users.
#[tokio::test]
async fn users_of_a_deleted_rule_stay_where_its_deletion_deprovisions_nobody() {
    let fake = Fake::start(users(8)).await;
    let both = "[[rule]]\nname = \"a\"\nfilter = 'population.id eq \"a\"'\n[[rule]]\nname = \"b\"\nfilter = 'population.id eq \"b\"'\n";
    let mut bench = bench(&fake, both).await;
    assert_eq!(short(&bench.sync().await).len(), 8);
    bench.settings.rules = "[[rule]]\nname = \"a\"\nfilter = 'population.id eq \"a\"'\n".to_owned();
    let lines = short(&bench.sync().await);
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(
        lines.iter().all(|line| line.ends_with("rule-deleted none partial rule-deletion-off")),
        "{lines:?}"
    );
    assert_eq!(bench.accounts().len(), 8);
}

#[tokio::test]
async fn many_users_outside_of_the_filter_are_listed_in_place_of_looked_up() {
    let fake = Fake::start(users(1400)).await;
    let mut bench = bench(&fake, "[[rule]]\nname = \"all\"\n").await;
    bench.settings.preferences = "enable-users-creation = true\n";
    assert_eq!(bench.sync().await.summary.success, 1400);
    fake.requests();
    bench.settings.rules = "[[rule]]\nname = \"all\"\nfilter = 'population.id eq \"a\"'\n".to_owned();
    let report = bench.sync().await;
    assert_eq!(report.summary.partial, 700, "{:?}", report.summary);
    let requests = fake.requests();
    assert_eq!(requests.len(), 3, "{requests:?}");
    assert_eq!(requests[1], "users?limit=1000");
}

#[tokio::test]
async fn source_that_is_not_whole_ends_a_run_with_exit_5_and_writes_nothing() {
    let fake = Fake::start(users(4)).await;
    let bench = bench(&fake, "[[rule]]\nname = \"all\"\n").await;
    bench.sync().await;
    bench.app.clear_journal();
    fake.with(|state| {
        state.users.truncate(1);
        state.always = Some(Fault::Count(4));
    });
    let report = bench.sync().await;
    assert_eq!(report.exit, Exit::SourceUnreadable);
    let stopped = report.summary.stopped.unwrap();
    assert!(stopped.message.contains("run again when the source is at rest"), "{}", stopped.message);
    assert_eq!(bench.accounts().len(), 4);
    assert!(bench.app.journal().iter().all(|exchange| exchange.method == "GET"));
}

#[tokio::test]
async fn interrupt_ends_the_reading_at_once() {
    let fake = Fake::start(users(4)).await;
    fake.with(|state| state.always = Some(Fault::Status(429, Some("100"))));
    let bench = bench(&fake, "[[rule]]\nname = \"all\"\n").await;
    let provisioner = bench.open().await;
    provisioner.interrupter().interrupt();
    let report = provisioner.sync(provisioner::SyncOptions::default()).await;
    assert_eq!(report.exit, Exit::Interrupted);
    assert!(fake.requests().len() <= 1);
    provisioner.close().await;
}
