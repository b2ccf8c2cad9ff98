//! Filters that a server ignores, and look-ups that find nobody: one finding each, and what needs them is not judged.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use conformance::report::Verdict;
use serde_json::{Value, json};

use super::causes::{assert_one_finding, findings};
use super::front::{Broken, Judged};

const SELECT: &str = "section=3.1 | section=3.4.2 | section=3.4.2.2 | section=3.4.2.4 | section=3.6 | section=3.7 | section=3.12 | section=4 | section=3.2.2.7 | document=pingone";

/// A server that does not look at `filter` in URLs.
async fn ignoring_filters(path: &'static str) -> Broken {
    Broken::answering(move |seen| {
        if seen.path.starts_with(path) {
            let query = url::form_urlencoded::parse(seen.query.as_bytes());
            let others: Vec<_> = query.into_owned().filter(|(name, _)| name != "filter").collect();
            seen.query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(others).finish();
        }
        None
    })
    .await
}

/// A server that answers look-ups by an attribute with an empty list.
async fn finding_nobody_by(path: &'static str, start: &'static str) -> Broken {
    Broken::changed(move |seen, answer| {
        let mut query = url::form_urlencoded::parse(seen.query.as_bytes());
        let looks_up =
            query.any(|(name, value)| name == "filter" && value.to_ascii_lowercase().starts_with(start));
        if looks_up
            && seen.path.starts_with(path)
            && let Some(list) = answer.json.as_mut().and_then(Value::as_object_mut)
            && list.contains_key("Resources")
        {
            list.insert("Resources".to_owned(), json!([]));
            list.insert("totalResults".to_owned(), json!(0));
        }
    })
    .await
}

/// Asserts that the cases that needed it are skipped, with the reason and the case that reports it.
#[track_caller]
fn assert_skipped(judged: &Judged, why: &str, least: usize) {
    let skipped = judged.with(Verdict::Skipped);
    assert!(skipped.len() >= least, "{skipped:#?}");
    for line in &skipped {
        assert!(line.contains(why), "{line}");
    }
    assert!(judged.out.contains("could not be tried without it"), "{}", judged.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn filters_that_are_ignored_are_one_finding() {
    let broken = ignoring_filters("/").await;
    let judged = broken.judged(&["--select", SELECT]).await;
    assert_one_finding(&judged, "filters are ignored");
    let why = "it could not be tried: filters are ignored: lists have resources that the filter does not select, as rfc7644/3.4.2.2/";
    assert_skipped(&judged, why, 40);
    assert!(judged.out.contains("Evaluate `filter`"), "{}", judged.out);
    for untrue in ["Keep ids", "UTF-8", "not a 404", "Keep inactive users"] {
        assert!(!judged.out.contains(untrue), "{untrue}: {}", judged.out);
    }
    assert_eq!(judged.case("rfc7644/3.4.2.2/user-name-eq").verdict, Verdict::Fail);
    assert_eq!(broken.left(), BTreeMap::new());
}

/// Filters on users work, so that only what needs those on groups is skipped.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn filters_that_groups_ignore_are_one_finding_and_those_of_users_are_judged() {
    let broken = ignoring_filters("/Groups").await;
    let judged = broken.judged(&["--select", SELECT]).await;
    assert_one_finding(&judged, "filters are ignored");
    assert_eq!(judged.case("rfc7644/3.4.2.2/group-by-display-name").verdict, Verdict::Fail);
    assert_eq!(judged.case("rfc7644/3.4.2.2/user-name-eq").verdict, Verdict::Pass);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn look_up_that_finds_nobody_is_one_finding() {
    let broken = finding_nobody_by("/Users", "username eq").await;
    let judged = broken.judged(&["--select", SELECT]).await;
    assert_one_finding(&judged, "`userName eq` does not find a resource that exists");
    let why = "it could not be tried: the filter `userName eq` does not find a resource that exists, as rfc7644/3.4.2.2/user-name-eq says";
    assert_skipped(&judged, why, 4);
    for id in ["rfc7643/3.1/id-stays", "pingone/connection/a-disabled-user-is-still-found"] {
        assert_eq!(judged.case(id).verdict, Verdict::Skipped, "{id}");
    }
    for untrue in ["Keep ids", "Keep inactive users"] {
        assert!(!judged.out.contains(untrue), "{untrue}: {}", judged.out);
    }
    assert_eq!(judged.case("rfc7644/3.4.2.2/ew-finds-the-end").verdict, Verdict::Pass);
    assert_eq!(broken.left(), BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn filters_that_find_nothing_are_one_finding() {
    let broken = finding_nobody_by("", "").await;
    let judged = broken.judged(&["--select", SELECT]).await;
    assert_one_finding(&judged, "filters do not find resources that exist");
    let why = "it could not be tried: filters do not find resources that exist, as rfc7644/3.4.2.2/";
    assert_skipped(&judged, why, 40);
    assert_eq!(broken.left(), BTreeMap::new());
}

/// A filter that fails by its own is judged by its own case.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_filter_that_finds_nobody_is_told_by_its_case() {
    let broken = finding_nobody_by("/Users", "externalid eq").await;
    let judged = broken.judged(&["--select", SELECT]).await;
    let found = findings(judged.report());
    assert!(!found.is_empty());
    assert!(found.iter().all(|line| !line.contains("does not find a resource")), "{found:#?}");
    assert_eq!(judged.with(Verdict::Skipped), Vec::<String>::new());
}

/// Filters are looked into only where a case missed something.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clean_server_is_not_asked_about_its_filters() {
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let known = asked.clone();
    let broken = Broken::answering(move |seen| {
        if seen.query.contains("-unknown") {
            known.lock().expect("a lock").push(seen.query.clone());
        }
        None
    })
    .await;
    let judged = broken.judged(&["--select", SELECT]).await;
    assert_eq!(findings(judged.report()), Vec::<String>::new());
    assert_eq!(*asked.lock().expect("a lock"), Vec::<String>::new());
}
