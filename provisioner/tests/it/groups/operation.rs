//! What a person sees of groups around a run: the dry run, the approval of a plan, the audit log, the report, metrics,
//! quarantine and the end of a run; and groups that come from the source's own server.

use std::sync::Arc;

use jiff::Timestamp;
use mock_aquera::Fault;
use provisioner::audit::{AuditEntry, GroupEntry};
use provisioner::document::{Document, RunNotes, SourceDigest, to_html, to_markdown};
use provisioner::metrics::Metrics;
use provisioner::state::read_audit_log;
use provisioner::{Exit, SyncOptions};
use serde_json::{Value, json};

use super::{Bench, bench, group, in_short, people};
use crate::source::pingone::fake::{Fake, Fault as SourceFault};
use crate::support::{Settings, but};

/// Returns the entries of groups: those of lines, and those of groups that were just created.
fn entries(bench: &Bench) -> Vec<GroupEntry> {
    let mut entries = Vec::new();
    read_audit_log(&bench.path("aquera.db"), Timestamp::MIN, &mut |_, entry| {
        if let AuditEntry::Group(entry) = entry {
            entries.push(*entry);
        }
    })
    .unwrap();
    entries
}

fn account(bench: &Bench, name: &str) -> String {
    let users = bench.app.users();
    let user = users.iter().find(|user| user["userName"] == name).unwrap();
    user["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn dry_run_has_the_lines_of_the_run_and_writes_nothing() {
    let bench = bench("deletion = \"delete\"").await;
    let users = people(&["1", "2"]);
    for groups in [
        vec![group("a", "A", &["1", "2"]), group("b", "B", &[])],
        vec![group("a", "A", &["1"]), group("b", "C", &["2"])],
        vec![group("b", "C", &["2"])],
    ] {
        bench.users(&users);
        bench.groups(&groups);
        let before = bench.members();
        let reader = bench.open_to_read().await;
        let dry = reader.dry_run(&SyncOptions::default()).await;
        reader.close().await;
        assert_eq!(bench.members(), before);
        let report = bench.sync().await;
        assert_eq!(in_short(&dry), in_short(&report));
        assert_eq!(dry.summary.groups, report.summary.groups);
        assert!(!in_short(&report).is_empty());
    }
}

#[tokio::test]
async fn plan_of_groups_that_was_approved_passes_the_guard_and_no_other_one() {
    let bench = bench("deletion = \"delete\"").await;
    let users = people(&["1"]);
    let groups: Vec<Value> =
        (0..6).map(|number| group(&format!("g{number}"), &format!("G{number}"), &["1"])).collect();
    bench.run_groups(&users, &groups).await;
    let plan_of = async |groups: &[Value]| {
        bench.groups(groups);
        let reader = bench.open_to_read().await;
        let plan = reader.plan(SyncOptions::default()).await.unwrap();
        reader.close().await;
        assert!(plan.guard.is_some());
        plan.hash()
    };
    let (other, meant) = (plan_of(&groups[..2]).await, plan_of(&groups[4..]).await);
    assert_ne!(other, meant);
    let approve = |hash| SyncOptions { approve_plan: Some(hash), ..SyncOptions::default() };
    let report = bench.sync_with(approve(other)).await;
    assert_eq!((report.exit, bench.members().len()), (Exit::DeleteGuard, 6));
    let report = bench.sync_with(approve(meant)).await;
    assert_eq!((report.exit, bench.members().len()), (Exit::Done, 2));
}

#[tokio::test]
async fn every_line_of_a_group_has_an_audit_entry_with_members_and_requests() {
    let bench = bench("").await;
    let users = people(&["1", "2", "3"]);
    let known = bench.app.seed_user(json!({ "userName": "user-1" }));
    bench.app.seed("Group", json!({ "displayName": "A", "members": [{ "value": known }] }));
    bench.run_groups(&users, &[group("a", "A", &["1", "2"])]).await;
    bench.run_groups(&users, &[group("a", "A", &["2", "3"])]).await;
    // A run without a line has no entry.
    assert_eq!(bench.run_groups(&users, &[group("a", "A", &["2", "3"])]).await, Vec::<String>::new());
    let [linked, changed] = entries(&bench).try_into().unwrap();
    // User 1 was there before, so it was not added.
    assert_eq!(linked.added, [account(&bench, "user-2")]);
    assert_eq!((linked.members_added, linked.removed.len()), (1, 0));
    assert_eq!(linked.rule.as_ref().map(ToString::to_string).as_deref(), Some("all"));
    assert_eq!(changed.added, [account(&bench, "user-3")]);
    assert_eq!(changed.removed, [account(&bench, "user-1")]);
    for entry in [&linked, &changed] {
        let patch = entry.requests.iter().find(|sent| sent.method == "PATCH").unwrap();
        assert_eq!((patch.endpoint.as_str(), patch.answer.as_str()), ("Groups/{id}", "200"));
        assert!(patch.id.starts_with(&entry.run), "{patch:?}");
    }
}

#[tokio::test]
async fn outcome_of_a_group_is_not_stored_without_its_entry() {
    let bench = bench("").await;
    let users = people(&["1"]);
    bench.run_groups(&users, &[group("a", "A", &["1"])]).await;
    let state = rusqlite::Connection::open(bench.path("aquera.db")).unwrap();
    // An audit log that cannot be written, like a full disk at that moment.
    state
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON audit WHEN json_extract(NEW.entry, '$.type') = 'group' \
             BEGIN SELECT RAISE(ABORT, 'full'); END",
        )
        .unwrap();
    let groups = [group("a", "A", &[])];
    bench.run_groups(&users, &groups).await;
    assert_eq!(entries(&bench).len(), 2);
    state.execute_batch("DROP TRIGGER full").unwrap();
    drop(state);
    bench.run_groups(&users, &groups).await;
    assert_eq!(bench.members(), ["A: "]);
    assert_eq!(entries(&bench).len(), 3);
}

#[tokio::test]
async fn group_that_was_created_has_an_entry_though_the_run_ends_before_its_line() {
    let bench = bench("").await;
    let users = people(&["1"]);
    bench.run_groups(&users, &[]).await;
    bench.groups(&[group("a", "A", &["1"])]);
    // Two requests of the connection test, the look-up, the POST, and the read after it.
    bench.sync_cut_off(5, mock_aquera::Phase::BeforeEffect).await;
    let [created] = entries(&bench).try_into().unwrap();
    assert_eq!((created.name.as_str(), created.added), ("A", vec![account(&bench, "user-1")]));
    assert_eq!(created.requests.last().map(|sent| sent.method.as_str()), Some("POST"));
}

#[tokio::test]
async fn report_and_metrics_have_the_groups() {
    let mut bench = bench("").await;
    bench.settings.options = "concurrency = 1\nmax-attempts = 1".to_owned();
    bench.run_groups(&people(&["1"]), &[]).await;
    bench.groups(&[group("a", "A <b>", &["1"]), group("b", "B", &["1"])]);
    bench.app.add_fault(Fault::status(400).method("POST").path("/Groups/**").after(1).times(2));
    let (notes, metrics) = (Arc::new(RunNotes::default()), Arc::new(Metrics::new("test")));
    let observers = vec![Arc::clone(&notes) as Arc<_>, Arc::clone(&metrics) as Arc<_>];
    let provisioner = bench.open().await.observed_by(observers);
    let report = provisioner.sync(SyncOptions::default()).await;
    assert_eq!(report.exit, Exit::SomeFailed);
    let document = Document::new(provisioner.config(), &report, &notes, "ada", SourceDigest::None);
    let (html, markdown) = (to_html(&document), to_markdown(&document));
    provisioner.close().await;
    for text in [&html, &markdown] {
        assert!(text.contains("1 of 2 groups failed"), "{text}");
        assert!(text.contains("A &lt;b&gt;") && !text.contains("<b>"), "{text}");
        assert!(text.contains("the target refused the request"), "{text}");
        assert!(text.contains("1 added, 0 removed") && text.contains("group rule all"), "{text}");
    }
    let needs = html.split("What needs a person").nth(1).unwrap().split("Other users").next().unwrap();
    assert!(needs.contains(">B<") && !needs.contains("A &lt;b&gt;"), "{needs}");
    let metrics = metrics.text().unwrap();
    for line in [
        "provisioner_groups_total{connection=\"test\",outcome=\"success\",reason=\"done\"} 1",
        "provisioner_groups_total{connection=\"test\",outcome=\"failed\",reason=\"rejected\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
    }
}

#[tokio::test]
async fn groups_that_fail_count_for_the_quarantine() {
    let bench = bench("").await;
    let groups: Vec<Value> =
        (0..30).map(|number| group(&format!("g{number}"), &format!("G{number}"), &[])).collect();
    bench.run_groups(&people(&["1"]), &[]).await;
    bench.groups(&groups);
    bench.app.add_fault(Fault::status(400).method("POST").path("/Groups/**").times(25));
    assert_eq!(bench.sync().await.exit, Exit::SomeFailed);
    let next = bench.sync().await;
    let stopped = next.summary.stopped.unwrap();
    assert_eq!((next.exit, stopped.code), (Exit::ConnectionUnusable, "quarantined"));
    assert!(stopped.message.contains("25 of 30 users and groups failed in one run"), "{}", stopped.message);
}

#[tokio::test]
async fn interrupted_run_leaves_the_other_groups_to_the_next_one() {
    let mut bench = bench("").await;
    bench.settings.options = "concurrency = 1".to_owned();
    let groups: Vec<Value> =
        (0..8).map(|number| group(&format!("g{number}"), &format!("G{number}"), &["1"])).collect();
    bench.run_groups(&people(&["1"]), &[]).await;
    bench.groups(&groups);
    let provisioner = bench.open().await;
    let interrupt = provisioner.interrupter();
    let observer = Arc::new(InterruptAtGroup(interrupt));
    let provisioner = provisioner.observed_by(vec![observer]);
    let report = provisioner.sync(SyncOptions::default()).await;
    provisioner.close().await;
    assert_eq!(report.exit, Exit::Interrupted);
    assert_eq!((report.groups.len(), bench.members().len()), (1, 1));
    assert_eq!(bench.sync().await.groups.len(), 7);
    assert_eq!(bench.members().len(), 8);
}

/// Ends a run once a group is settled.
struct InterruptAtGroup(provisioner::interrupt::Interrupt);

impl provisioner::recording::Observer for InterruptAtGroup {
    fn group(&self, _: &provisioner::recording::GroupRecord<'_>) {
        self.0.interrupt();
    }
}

#[tokio::test]
async fn groups_of_a_pingone_environment_are_provisioned_with_the_members_that_it_lists() {
    let of = |id: &str, groups: &[&str]| {
        let groups: Vec<Value> = groups.iter().map(|id| json!({ "id": id })).collect();
        but(people(&[id]).remove(0), json!({ "memberOfGroups": groups }))
    };
    let fake = Fake::start(vec![of("1", &["g1", "g2", "g3"]), of("2", &["g1"]), of("3", &["g1"])]).await;
    fake.with(|state| state.groups = vec![("g1", "Engineering"), ("g2", "Sales"), ("g3", "Other")]);
    let settings = Settings {
        rules:
            "[[rule]]\nname = \"everyone\"\n[[group-rule]]\nname = \"all\"\nfilter = 'name ne \"Other\"'\n"
                .to_owned(),
        source_table: Some(fake.source("page-size = 2")),
        preferences: crate::support::ALL_DELETE,
        ..Settings::default()
    };
    let bench = Bench::with("rfc", settings).await;
    let lines = in_short(&bench.sync().await);
    assert_eq!(
        lines,
        ["Engineering enters create success done +3 -0", "Sales enters create success done +1 -0"]
    );
    assert_eq!(bench.members(), ["Engineering: 1 2 3", "Sales: 1"]);
    fake.requests();
    assert_eq!(in_short(&bench.sync().await), Vec::<String>::new());
    // The members of a group that no rule owns are not asked for.
    let filter = |id: &str| format!("filter=memberOfGroups[id eq \"{id}\"]");
    assert_eq!(
        fake.requests(),
        [
            "groups?limit=100".to_owned(),
            format!("users?limit=2&{}", filter("g1")),
            format!("users?limit=2&cursor=2&{}", filter("g1")),
            format!("users?limit=2&{}", filter("g2")),
            "users?limit=2".to_owned(),
            "users?limit=2&cursor=2".to_owned(),
        ]
    );
    // A page that contradicts itself once is read again; a group that is gone stays, as its rule says.
    fake.with(|state| {
        state.users[0]["memberOfGroups"] = json!([]);
        state.groups.remove(1);
    });
    fake.faults([Some(SourceFault::Count(9))]);
    let lines = in_short(&bench.sync().await);
    assert_eq!(
        lines,
        ["Engineering members update success done +0 -1", "Sales deleted none partial kept +0 -0"]
    );
    assert_eq!(bench.members(), ["Engineering: 2 3", "Sales: 1"]);
    // A list that is never whole is no smaller group.
    fake.with(|state| {
        state.users[1]["memberOfGroups"] = json!([]);
        state.always = Some(SourceFault::Count(9));
    });
    let report = bench.sync().await;
    assert_eq!(report.exit, Exit::SourceUnreadable);
    assert_eq!(bench.members(), ["Engineering: 2 3", "Sales: 1"]);
}
