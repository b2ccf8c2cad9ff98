//! Servers whose answers have another form: the cases about it are one finding, and nobody else fails or is skipped.

use std::collections::BTreeMap;

use conformance::report::entries::{self, Entry};
use conformance::report::{Report, Verdict};
use conformance::subject::server::client::Answer;
use serde_json::{Map, Value, json};

use super::front::{Broken, Judged, Seen};

type Change = fn(&Seen, &mut Answer);

fn is_discovery(seen: &Seen) -> bool {
    ["/Schemas", "/ResourceTypes", "/ServiceProviderConfig"].iter().any(|known| seen.path.starts_with(known))
}

/// The members of a list.
fn list(answer: &mut Answer) -> Option<&mut Map<String, Value>> {
    answer.json.as_mut()?.as_object_mut().filter(|members| members.contains_key("totalResults"))
}

/// Changes each resource that a success shows, discovery aside.
fn each(seen: &Seen, answer: &mut Answer, change: fn(&mut Map<String, Value>)) {
    if is_discovery(seen) || answer.status >= 300 || seen.path == "/Bulk" {
        return;
    }
    let Some(body) = answer.json.as_mut().and_then(Value::as_object_mut) else { return };
    if body.contains_key("totalResults") {
        let all = body.get_mut("Resources").and_then(Value::as_array_mut).into_iter().flatten();
        all.filter_map(Value::as_object_mut).for_each(change);
    } else {
        change(body);
    }
}

/// Changes the form of each list.
fn relist(answer: &mut Answer, form: fn(Vec<Value>, Value) -> Value) {
    let Some(members) = list(answer).filter(|members| members.contains_key("Resources")) else { return };
    let all = members.remove("Resources").and_then(|all| all.as_array().cloned()).unwrap_or_default();
    let total = members["totalResults"].clone();
    answer.json = Some(form(all, total));
}

fn no_schemas(seen: &Seen, answer: &mut Answer) {
    each(seen, answer, |resource| drop(resource.remove("schemas")));
}

fn no_ids_when_read(seen: &Seen, answer: &mut Answer) {
    if seen.method == "GET" {
        each(seen, answer, |resource| drop(resource.remove("id")));
    }
}

fn no_ids(seen: &Seen, answer: &mut Answer) {
    each(seen, answer, |resource| drop(resource.remove("id")));
}

fn total_as_text(_: &Seen, answer: &mut Answer) {
    if let Some(total) = list(answer).and_then(|list| list.get_mut("totalResults")) {
        *total = json!(total.to_string());
    }
}

fn no_total(_: &Seen, answer: &mut Answer) {
    if let Some(list) = list(answer) {
        list.remove("totalResults");
    }
}

fn data(seen: &Seen, answer: &mut Answer) {
    if !is_discovery(seen) {
        relist(answer, |all, total| json!({ "data": all, "total": total }));
    }
}

fn items(seen: &Seen, answer: &mut Answer) {
    if !is_discovery(seen) {
        relist(answer, |all, _| json!({ "items": all }));
    }
}

fn bare(_: &Seen, answer: &mut Answer) {
    relist(answer, |all, _| Value::Array(all));
}

fn bare_discovery(seen: &Seen, answer: &mut Answer) {
    if is_discovery(seen) {
        relist(answer, |all, _| Value::Array(all));
    }
}

fn no_resources(_: &Seen, answer: &mut Answer) {
    if let Some(list) = list(answer) {
        list.remove("Resources");
    }
}

fn small_resources(_: &Seen, answer: &mut Answer) {
    if let Some(list) = list(answer)
        && let Some(all) = list.remove("Resources")
    {
        list.insert("resources".to_owned(), all);
    }
}

fn small_total(_: &Seen, answer: &mut Answer) {
    if let Some(list) = list(answer)
        && let Some(total) = list.remove("totalResults")
    {
        list.insert("totalresults".to_owned(), total);
    }
}

fn large_status(_: &Seen, answer: &mut Answer) {
    if let Some(error) = answer.json.as_mut().and_then(Value::as_object_mut)
        && let Some(status) = error.remove("status").filter(Value::is_string)
    {
        error.insert("Status".to_owned(), status);
    }
}

fn active_as_text(seen: &Seen, answer: &mut Answer) {
    each(seen, answer, |resource| {
        if let Some(active) = resource.get_mut("active").filter(|active| active.is_boolean()) {
            *active = json!(if *active == json!(true) { "True" } else { "False" });
        }
    });
}

fn cut(answer: &mut Answer) {
    answer.json = None;
    let half = (0..=answer.text.len() / 2).rev().find(|at| answer.text.is_char_boundary(*at)).unwrap_or(0);
    answer.text.truncate(half);
}

fn cut_reads(seen: &Seen, answer: &mut Answer) {
    if seen.method == "GET" && seen.path.starts_with("/Users/") && answer.status == 200 {
        cut(answer);
    }
}

fn text_for_creations(seen: &Seen, answer: &mut Answer) {
    if seen.method == "POST" && seen.path == "/Users" && answer.status == 201 {
        answer.json = None;
        "created".clone_into(&mut answer.text);
    }
}

fn text_for_changes(seen: &Seen, answer: &mut Answer) {
    if matches!(seen.method.as_str(), "PUT" | "PATCH") && answer.status == 200 {
        answer.json = None;
        "OK".clone_into(&mut answer.text);
    }
}

fn no_content_after_patch(seen: &Seen, answer: &mut Answer) {
    if seen.method == "PATCH" && answer.status == 200 {
        *answer = Answer { status: 204, ..Answer::default() };
    }
}

/// Returns the number of things that a report tells; a cause of several cases counts once.
fn findings(report: &Report) -> usize {
    let broke = |entry: &Entry<'_>| matches!(entry, Entry::Case(case) if case.verdict == Verdict::Error);
    entries::in_order(report).iter().filter(|entry| !broke(entry)).count()
}

/// Ids and reasons of what is wrong.
fn wrong(judged: &Judged) -> Vec<String> {
    [Verdict::Fail, Verdict::Warn].into_iter().flat_map(|verdict| judged.with(verdict)).collect()
}

/// Judges a server and asserts that these cases fail, as one finding with this reason, and that the facts have this.
async fn assert_one_finding(
    change: Change,
    select: &str,
    cases: &[&str],
    reason: &str,
    fact: &str,
) -> Judged {
    let broken = Broken::changed(change).await;
    let judged = broken.judged(&["--select", select]).await;
    let wrong = wrong(&judged);
    let ids: Vec<_> = wrong.iter().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(ids, cases, "{wrong:#?}");
    assert!(wrong.iter().all(|line| line.contains(reason)), "{reason}: {wrong:#?}");
    assert_eq!(findings(judged.report()), 1, "{}", judged.out);
    assert_eq!(judged.with(Verdict::Error), Vec::<String>::new());
    let overlooked = judged.report().facts.get("overlooked").map(String::as_str).unwrap_or_default();
    assert!(overlooked.contains(fact), "{overlooked}");
    // The facts name a case that tells it.
    assert!(fact.is_empty() || cases.iter().any(|case| overlooked.contains(case)), "{overlooked}");
    assert_eq!(broken.left(), BTreeMap::new());
    judged
}

const RESOURCES: &str = "section=3.1 | section=3.3 | section=3.4.1 | section=3.4.2 | section=3.5.1 | section=3.5.2 | \
    section=3.6 | section=3.9 | section=3.14 | section=2.5 | section=2.2 | document=pingone";

const LISTS: &str = "section=3.4.2 | section=3.4.2.4 | section=3.4.3 | section=3.6 | section=3.9 | section=6 | section=7 | \
    document=pingone | document=rfc9865 | id=rfc7644/3.4.2.2/eq-*";

/// The cases that judge the form of lists, in the order of their ids.
const OF_LISTS: [&str; 6] = [
    "rfc7643/6/is-a-list-response",
    "rfc7643/7/is-a-list-response",
    "rfc7644/3.4.2/groups-are-listed",
    "rfc7644/3.4.2/is-a-list-response",
    "rfc7644/3.4.2/without-a-filter",
    "rfc7644/3.4.3/filters",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn resources_without_schemas_are_one_finding_and_what_is_sent_has_them() {
    let cases = [
        "rfc7643/3.1/schemas-names-the-schema",
        "rfc7644/3.3/group-tells-its-type",
        "rfc7644/3.3/returns-the-resource",
        "rfc7644/3.4.2/resources-are-whole",
        "rfc7644/3.5.1/returns-the-resource",
        "rfc7644/3.5.2/200-comes-with-the-whole-resource",
    ];
    let judged =
        assert_one_finding(no_schemas, RESOURCES, &cases, "the resource has no schemas", "no schemas").await;
    let example = judged.case("rfc7644/3.3/returns-the-resource").example.as_deref().unwrap_or_default();
    assert!(example.contains("urn:ietf:params:scim:schemas:core:2.0:User"), "{example}");
    assert_eq!(judged.with(Verdict::Skipped), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn resources_without_ids_are_known_by_address_and_name() {
    let read = [
        "rfc7643/3.1/id-is-a-text",
        "rfc7644/3.4.2/resources-are-whole",
        "rfc7644/3.9/id-always-comes-back",
        "rfc7644/3.9/id-cannot-be-excluded",
        "rfc7644/3.9/in-lists",
    ];
    let select = format!("{RESOURCES} | id=rfc7644/3.4.2.2/eq-* | section=3.4.2.3");
    let judged =
        assert_one_finding(no_ids_when_read, &select, &read, "the resource has no id", "have no id").await;
    assert_eq!(judged.with(Verdict::Skipped), Vec::<String>::new());
    let mut all = read.to_vec();
    all.extend(["rfc7644/3.3/group-answers-201", "rfc7644/3.3/returns-the-resource"]);
    all.sort_unstable();
    let judged = assert_one_finding(no_ids, &select, &all, "the resource has no id", "have no id").await;
    assert_eq!(judged.with(Verdict::Skipped), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_total_as_a_text_is_one_finding() {
    let judged = assert_one_finding(total_as_text, LISTS, &OF_LISTS, "is a text", "taken as numbers").await;
    assert_eq!(judged.with(Verdict::Skipped), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_missing_total_is_one_finding_and_only_what_needs_it_is_skipped() {
    let judged =
        assert_one_finding(no_total, LISTS, &OF_LISTS, "the list has no totalResults", "no totalResults")
            .await;
    let skipped = judged.with(Verdict::Skipped);
    assert_eq!(skipped.len(), 1, "{skipped:#?}");
    assert!(
        skipped[0].starts_with("rfc7644/3.4.2.4/total-counts-all: the server's lists do not say how many")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lists_in_other_envelopes_are_one_finding() {
    let of_resources = &OF_LISTS[2..];
    let (reason, fact) = ("under another name than Resources", "under another name");
    let judged = assert_one_finding(data, LISTS, of_resources, reason, fact).await;
    // Nothing of it tells a cursor.
    for skipped in judged.with(Verdict::Skipped) {
        assert!(skipped.starts_with("rfc9865/"), "{skipped}");
    }
    let judged = assert_one_finding(items, LISTS, of_resources, reason, fact).await;
    for skipped in judged.with(Verdict::Skipped) {
        let is_uncounted = skipped.contains("do not say how many there are");
        assert!(skipped.starts_with("rfc9865/") || is_uncounted, "{skipped}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bare_arrays_are_one_finding_everywhere() {
    let judged =
        assert_one_finding(bare, LISTS, &OF_LISTS, "the list is a bare array", "lists are bare arrays").await;
    for skipped in judged.with(Verdict::Skipped) {
        let is_uncounted = skipped.contains("do not say how many there are");
        assert!(skipped.starts_with("rfc9865/") || is_uncounted, "{skipped}");
    }
    let judged =
        assert_one_finding(bare_discovery, LISTS, &OF_LISTS[..2], "a bare array", "bare arrays").await;
    assert_eq!(judged.with(Verdict::Skipped), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lists_without_resources_are_one_finding_in_discovery_too() {
    let cases = ["rfc7643/6/are-listed", "rfc7643/7/are-listed", "rfc7644/3.4.2/without-a-filter"];
    let judged =
        assert_one_finding(no_resources, LISTS, &cases, "there is no Resources", "lists have no Resources")
            .await;
    for skipped in judged.with(Verdict::Skipped) {
        assert!(skipped.contains("lists have no Resources"), "{skipped}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn message_members_in_another_case_are_a_warning() {
    for change in [small_resources as Change, small_total, large_status] {
        let case = ["rfc7644/3.4.2/member-names-are-as-written"];
        let judged = assert_one_finding(
            change,
            "section=3.4.2 | section=3.12",
            &case,
            "in another case",
            "another case",
        )
        .await;
        assert_eq!(judged.with(Verdict::Fail), Vec::<String>::new());
        let example = judged.case(case[0]).example.as_deref().unwrap_or_default();
        assert!(example.contains("totalResults") || example.contains("\"status\": \"404\""), "{example}");
        assert_eq!(judged.with(Verdict::Skipped), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn active_as_a_text_is_one_finding() {
    let case = ["rfc7643/2.2/booleans-are-booleans"];
    let select = format!("{RESOURCES} | section=3.5.2.1 | section=3.5.2.3 | document=ipsie");
    let judged =
        assert_one_finding(active_as_text, &select, &case, "`active` is a text", "`active` is a text").await;
    assert_eq!(judged.with(Verdict::Skipped), Vec::<String>::new());
}

/// A text that a client sent, and the server stored unchanged, is no deviation of the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_text_for_active_that_was_stored_is_not_overlooked() {
    let broken = Broken::changed(|seen, answer| {
        let asks = seen.method == "PATCH" && seen.text.contains("\"False\"");
        let user = answer.json.as_mut().and_then(Value::as_object_mut);
        if let Some(user) = user.filter(|user| user.contains_key("userName"))
            && (asks || user.get("active") == Some(&json!(false)))
        {
            user.insert("active".to_owned(), json!("False"));
        }
    })
    .await;
    let judged = broken.judged(&["--select", "id=rfc7644/3.5.2/entra-false-as-text"]).await;
    let wrong = wrong(&judged);
    assert!(wrong.len() == 1 && wrong[0].contains("\"False\""), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn body_that_is_no_json_is_one_finding() {
    let broken = Broken::changed(cut_reads).await;
    let judged = broken.judged(&["--select", "section=3.3 | section=3.1 | section=2.3"]).await;
    let told = wrong(&judged);
    assert!(told.len() > 10, "{told:#?}");
    assert!(told.iter().all(|line| line.ends_with("the body is no JSON")), "{told:#?}");
    assert_eq!(findings(judged.report()), 1, "{}", judged.out);
    assert_eq!(broken.left(), BTreeMap::new());
}

/// The resource is read if a write does not show it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writes_answered_with_a_text_are_one_finding() {
    let creations = ["rfc7644/3.3/returns-the-resource"];
    let changes = ["rfc7644/3.5.1/returns-the-resource", "rfc7644/3.5.2/200-comes-with-the-whole-resource"];
    for (change, cases) in [(text_for_creations as Change, &creations[..]), (text_for_changes, &changes)] {
        let select = format!("{RESOURCES} | section=3.5.2.1 | section=4.1.1");
        let judged = assert_one_finding(change, &select, cases, "the body is no JSON", "no JSON").await;
        assert_eq!(judged.with(Verdict::Skipped), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_content_where_a_patch_asks_for_attributes_is_one_finding() {
    let case = ["rfc7644/3.5.2/200-where-attributes-are-asked-for"];
    let select = "section=3.5.2 | section=3.9 | document=pingone";
    assert_one_finding(no_content_after_patch, select, &case, "the answer is 204, where 200 belongs", "")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn probe_of_answers_in_another_form_finds_no_error() {
    for (change, name) in [
        (no_schemas as Change, "no schemas"),
        (no_ids, "no ids"),
        (bare, "bare arrays"),
        (data, "data"),
        (no_total, "no total"),
        (no_resources, "no Resources"),
        (text_for_creations, "no JSON"),
        (no_content_after_patch, "204"),
    ] {
        let broken = Broken::changed(change).await;
        let judged = broken.run("probe", &[]).await;
        assert_eq!(wrong(&judged), Vec::<String>::new(), "{name}");
        assert!(judged.out.contains("Enable users creation (works)"), "{name}: {}", judged.out);
        assert!(judged.out.contains("Update method: PUT (works)"), "{name}: {}", judged.out);
        assert_eq!(broken.left(), BTreeMap::new(), "{name}");
    }
    // What is never seen is unknown.
    let broken = Broken::changed(cut_reads).await;
    let judged = broken.run("probe", &[]).await;
    assert_eq!(wrong(&judged), Vec::<String>::new());
    assert!(!judged.out.contains("does not work"), "{}", judged.out);
    let untried = judged.with(Verdict::Skipped);
    assert!(untried.iter().any(|line| line.contains("with a body that is no JSON")), "{untried:#?}");
    assert_eq!(broken.left(), BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn leftovers_are_found_in_lists_of_every_form() {
    for change in [bare as Change, data, no_total, total_as_text, small_resources, no_ids] {
        let broken = Broken::changed(change).await;
        let select = "id=rfc7644/3.3/answers-201 | id=rfc7644/3.3/group-answers-201";
        broken.judged(&["--select", select, "--keep"]).await;
        assert_eq!(broken.left().values().sum::<usize>(), 2);
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_conformance"))
            .args(["clean", &broken.url, "--bearer", super::front::TOKEN])
            .output()
            .expect("the program runs");
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(broken.left(), BTreeMap::new(), "{out}");
    }
}
