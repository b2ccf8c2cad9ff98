//! Probing the mock: what is told of each profile, and profiles that behave the same.

use std::collections::BTreeMap;

use conformance::probe::experiment::{Options, probe};
use conformance::probe::fit::{fit, vocabulary};
use conformance::probe::outcome::Outcome;
use conformance::probe::{Findings, report};
use conformance::server::facts::{Blank, Facts};
use conformance::wire::client::{Client, Credentials, Manners};
use mock_aquera::{Auth, MockAquera, Profile};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::json;
use tokio::sync::watch;

/// What the probe finds out of a mock with a profile, and how much it leaves there.
async fn findings(profile: Profile) -> (Findings, BTreeMap<String, usize>) {
    let mock = MockAquera::builder().auth(Auth::none()).profile(profile).start().await.expect("a mock");
    let client = Client::new(&mock.scim_url(), Credentials::None, Manners::default()).expect("a client");
    let (_sender, stop) = watch::channel(false);
    let options = Options { jobs: 4, seed: 7, blank: Blank::default(), stop };
    let facts = Facts::ask(&client).await;
    let findings = probe(&client, &facts, &options).await;
    let left = mock.default_application().counts().into_iter().collect();
    mock.stop().await;
    (findings, left)
}

/// Forms that a mock with the written profile answers otherwise. The profile goes through its file.
async fn differing(profile: Profile) -> (Vec<String>, String) {
    let (found, _) = findings(profile).await;
    let (_sender, stop) = watch::channel(false);
    let fit = fit(&found, stop).await.expect("a fit");
    let written = fit.profile.to_toml();
    let (again, _) = findings(Profile::from_toml(&written).expect("a profile that can be read")).await;
    let differing = found
        .findings
        .iter()
        .zip(&again.findings)
        // Where nothing could be tried, nothing was answered.
        .filter(|(a, b)| a.outcome != b.outcome && !matches!(a.outcome, Outcome::Untried(_)))
        .map(|(a, b)| format!("{}: {} / {}", a.form.name, a.outcome.describe(), b.outcome.describe()))
        .collect();
    (differing, written)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_built_in_profile_is_imitated() {
    for mut profile in Profile::builtins().iter().cloned() {
        let name = profile.name.clone();
        // What a rate limit does depends on the clock.
        profile.rate_limits.clear();
        let (differing, written) = differing(profile).await;
        assert!(differing.is_empty(), "{name}: {differing:#?}\n{written}");
    }
}

/// A profile of words of the vocabulary.
fn of_words(words: &[(&str, &str, &str)]) -> Profile {
    let mut profile = Profile::new("random", "").to_json();
    for (section, name, word) in words {
        let mut place = &mut profile;
        for part in section.split('.') {
            place = &mut place[part];
        }
        place[*name] = json!(word);
    }
    Profile::from_json(&profile).expect("words of the vocabulary")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_single_switch_is_imitated() {
    for (section, name, words) in vocabulary() {
        for word in words {
            let (differing, written) = differing(of_words(&[(section, name, word)])).await;
            assert!(differing.is_empty(), "{section}.{name} = {word}: {differing:#?}\n{written}");
        }
    }
}

/// Several switches, that hide one another. `PROBE_CASES` is how many profiles; a failure prints its own.
#[test]
fn any_profile_is_imitated() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let vocabulary = vocabulary();
    let switch = (0..vocabulary.len(), any::<prop::sample::Index>());
    let switches = prop::collection::vec(switch, 1..=6);
    let cases = std::env::var("PROBE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(16);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&switches, |switches| {
        let words: Vec<_> = switches
            .into_iter()
            .map(|(at, word)| {
                let (section, name, words) = &vocabulary[at];
                (*section, *name, *word.get(words))
            })
            .collect();
        let profile = of_words(&words);
        let original = profile.to_toml();
        let (differing, written) = runtime.block_on(differing(profile));
        if differing.is_empty() {
            return Ok(());
        }
        Err(TestCaseError::fail(format!("{differing:#?}\n--- original\n{original}\n--- written\n{written}")))
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told() {
    for name in ["rfc", "no-partial-update", "patch-ignored-200", "disable-deletes", "delete-deactivates"] {
        let (mut found, left) = findings(Profile::builtin(name).expect("a profile")).await;
        if name == "delete-deactivates" {
            assert!(left["User"] > 0, "accounts that are not deleted stay");
        } else {
            assert_eq!(left.values().sum::<usize>(), 0, "{name}: {left:?}");
        }
        found.subject = "https://scim.example.com".to_owned();
        found.left_behind.clear();
        insta::assert_snapshot!(format!("probe-{name}"), report::text(&found));
    }
}
