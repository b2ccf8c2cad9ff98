//! Servers that fail now and then: they are asked again, and what that says nothing of is no verdict.

use std::collections::BTreeMap;
use std::sync::Mutex;

use conformance::report::Verdict;

use super::front::{Broken, is_first, page};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_post_that_is_refused_with_503_is_sent_again() {
    let seen = Mutex::default();
    let broken = Broken::answering(move |asked| {
        let first = asked.method == "POST" && is_first(&seen, &asked.text);
        first.then(|| page(503, "busy", &[]))
    })
    .await;
    let judged = broken.judged(&["--select", "id=rfc7644/3.6/is-gone"]).await;
    assert_eq!(judged.code, Some(0), "{}{}", judged.out, judged.error);
    assert_eq!(judged.report().summary.pass, 1);
    assert_eq!(broken.left(), BTreeMap::new());
}

/// The first answer to each creation is an error, though it took effect: a second one meets the first's user.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_post_whose_effect_is_not_known_is_looked_up_before_it_is_sent_again() {
    for status in [500, 502, 503] {
        let seen = Mutex::default();
        let broken = Broken::changed(move |asked, answer| {
            if asked.method == "POST" && answer.status == 201 && is_first(&seen, &asked.text) {
                *answer = page(status, "", &[("retry-after", "0")]);
            }
        })
        .await;
        let select = "id=rfc7644/3.3/answers-201 | id=rfc7644/3.6/is-gone | id=rfc7644/3.3/group-answers-201";
        let judged = broken.judged(&["--select", select]).await;
        assert_eq!(judged.report().summary.pass, 3, "{status}: {}{}", judged.out, judged.error);
        assert_eq!(broken.left(), BTreeMap::new(), "{status}");
    }
}

/// A second group of the same name is not refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_group_whose_creation_is_refused_though_it_took_effect_gets_no_twin() {
    let seen = Mutex::default();
    let broken = Broken::changed(move |asked, answer| {
        if asked.method == "POST" && asked.path == "/Groups" && is_first(&seen, &asked.text) {
            *answer = page(503, "", &[("retry-after", "0")]);
        }
    })
    .await;
    let judged = broken.judged(&["--select", "id=rfc7644/3.3/group-answers-201", "--jobs", "1"]).await;
    assert_eq!(judged.report().summary.pass, 1, "{}{}", judged.out, judged.error);
    let requests = broken.seen.lock().expect("a lock").clone();
    let mut posts = requests.iter().enumerate().filter(|(_, line)| *line == "POST /Groups").map(|(at, _)| at);
    let (first, second) = (posts.next().expect("a creation"), posts.next().expect("another try"));
    let between = &requests[first + 1..second];
    assert!(between.iter().any(|line| line == "GET /Groups"), "it is looked for: {requests:#?}");
    assert!(between.iter().any(|line| line.starts_with("DELETE /Groups/")), "it is undone: {requests:#?}");
    assert_eq!(broken.left(), BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_500_now_and_then_is_no_verdict() {
    let broken =
        Broken::answering(|asked| (asked.number > 8 && asked.number % 4 == 0).then(|| page(500, "", &[])))
            .await;
    let judged = broken.judged(&["--select", "section=3.3 | section=3.6", "--jobs", "1"]).await;
    assert_eq!(judged.with(Verdict::Fail), Vec::<String>::new());
    assert_eq!(judged.with(Verdict::Error), Vec::<String>::new());
    assert!(judged.report().summary.pass > 20, "{:?}", judged.report().summary);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn probe_asks_again_and_advises_nothing_where_the_server_stays_away() {
    let seen = Mutex::default();
    let broken = Broken::answering(move |asked| {
        let first = asked.method == "PUT" && is_first(&seen, &asked.path);
        first.then(|| page(503, "busy", &[("retry-after", "0")]))
    })
    .await;
    let judged = broken.run("probe", &["--min-rate", "1000"]).await;
    assert_eq!(judged.code, Some(0), "{}{}", judged.out, judged.error);
    assert!(judged.out.contains("Update method: PUT (works)"), "{}", judged.out);
    // For good.
    let broken = Broken::answering(|asked| {
        (asked.method == "PUT").then(|| page(503, "busy", &[("retry-after", "0")]))
    })
    .await;
    let judged = broken.run("probe", &["--retries", "1", "--min-rate", "1000"]).await;
    assert!(judged.out.contains("Update method: PUT (unknown)"), "{}", judged.out);
    assert!(judged.out.contains("(the server is away)"), "{}", judged.out);
    assert_eq!(judged.with(Verdict::Fail), Vec::<String>::new());
}

/// `timeout` sends a signal to the program and then to its group.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_signals_at_once_are_one_wish_and_clean_up() {
    let broken = Broken::unhurried().await;
    let (code, _) = broken.interrupted("server", &[], &["-TERM", "-INT"]).await;
    assert_eq!(code, Some(3));
    assert_eq!(broken.left(), BTreeMap::new());
}

/// Most important first: what a client does with users before what it does with groups.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn findings_about_groups_stand_behind_those_about_users() {
    let broken =
        Broken::answering(|asked| (asked.method == "POST").then(|| page(302, "", &[("location", "/login")])))
            .await;
    let judged = broken.judged(&[]).await;
    let ids: Vec<_> = judged
        .out
        .lines()
        .filter(|line| line.starts_with("FAIL"))
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    let at = |slug: &str| ids.iter().position(|id| id.ends_with(slug)).expect(slug);
    assert_eq!(at("/answers-201"), 0, "{ids:#?}");
    // Those further down are not shown.
    let first_group = ids.iter().position(|id| id.contains("group")).unwrap_or(ids.len());
    for of_users in ["3.3/can-be-created-inactive", "3.3/can-be-read-at-once"] {
        assert!(at(of_users) < first_group, "{of_users}: {ids:#?}");
        let discovery = ids.iter().position(|id| id.ends_with("4/schemas-cannot-be-created"));
        assert!(discovery.is_none_or(|at_discovery| at(of_users) < at_discovery), "{of_users}: {ids:#?}");
    }
}
