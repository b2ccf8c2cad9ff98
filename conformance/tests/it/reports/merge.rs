//! Shards, put together again.

use conformance::report::merge::merge;
use conformance::report::shard::Shard;
use conformance::report::{Report, Summary, Verdict};
use proptest::prelude::*;

use super::sample;

/// The report in so many parts.
fn shards(report: &Report, of: usize) -> Vec<(String, Report)> {
    (1..=of)
        .map(|number| {
            let shard: Shard = format!("{number}/{of}").parse().expect("a shard");
            let cases = shard.take(report.cases.clone());
            let summary = Summary { stale: report.stale.len(), ..Summary::of(&cases) };
            let part = Report { cases, summary, shard: Some(shard.to_string()), ..report.clone() };
            (format!("{number}.json"), part)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, max_shrink_iters: 500, ..ProptestConfig::default() })]

    #[test]
    fn shards_merge_into_the_whole(of in 1_usize..15, reversed in any::<bool>()) {
        let whole = sample::report();
        let mut parts = shards(&whole, of);
        if reversed {
            parts.reverse();
        }
        let merged = merge(parts).expect("one run");
        prop_assert_eq!(merged.milliseconds, whole.milliseconds * of as u64, "the time of all of them");
        prop_assert_eq!(Report { milliseconds: whole.milliseconds, ..merged }, whole);
    }
}

#[track_caller]
fn check(reports: Vec<(String, Report)>, expected: &str) {
    assert_eq!(merge(reports).expect_err("not one run").to_string(), expected);
}

#[test]
fn reports_of_different_runs_are_refused() {
    let whole = sample::report();
    let with = |change: &dyn Fn(&mut Report)| {
        let mut parts = shards(&whole, 2);
        change(&mut parts[1].1);
        parts
    };
    check(Vec::new(), "there is no report to merge");
    check(
        with(&|report| report.subject = "https://other.example".to_owned()),
        "1.json has subject `https://scim.vendor.example/v2` and 2.json has `https://other.example`; \
         only reports of one run can be merged",
    );
    check(
        with(&|report| report.shard = Some("2/3".to_owned())),
        "1.json is one of 2 shards and 2.json is one of 3; merge shards of one run",
    );
    check(
        with(&|report| report.shard = None),
        "1.json is a shard and 2.json is a whole; merge shards with shards",
    );
    check(
        with(&|report| report.shard = Some("3/2".to_owned())),
        "2.json: invalid shard `3/2`: expected I/N with I from 1 to N, as in 2/4",
    );
    check(shards(&whole, 4)[1..=1].to_vec(), "missing: shard 1/4, 3/4, 4/4");
}

#[test]
fn different_seeds_are_listed() {
    let mut parts = shards(&sample::report(), 3);
    parts[1].1.seed = 8;
    let merged = merge(parts).expect("one run");
    assert_eq!((merged.seed, merged.facts.get("seeds").map(String::as_str)), (0, Some("7 / 8")));
}

#[test]
fn equal_cases_may_be_in_two_reports() {
    let whole = sample::report();
    let twice = vec![("a.json".to_owned(), whole.clone()), ("b.json".to_owned(), whole.clone())];
    assert_eq!(merge(twice).expect("they agree").cases, whole.cases);
    let mut other = whole.clone();
    let passed = other.cases.iter_mut().find(|case| case.verdict == Verdict::Pass).expect("one that passed");
    passed.verdict = Verdict::Fail;
    let expected = format!("{} is `pass` in a.json and `fail` in b.json; run it once", passed.id);
    check(vec![("a.json".to_owned(), whole), ("b.json".to_owned(), other)], &expected);
}
