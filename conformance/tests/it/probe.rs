//! Probing the mock: what is told of each profile, and profiles that behave the same.

use std::collections::BTreeMap;

use conformance::probe::advice::{Advice, advise};
use conformance::probe::experiment::{Options, probe};
use conformance::probe::fit::{fit, vocabulary};
use conformance::probe::outcome::Outcome;
use conformance::probe::{Findings, report};
use conformance::report::{Level, Verdict};
use conformance::server::facts::{Blank, Facts};
use conformance::wire::client::{Client, Credentials, Manners};
use mock_aquera::{Auth, MockAquera, Profile};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use tokio::sync::watch;

/// What the probe finds out of a mock with a profile, and how much it leaves there.
async fn findings(profile: Profile) -> (Findings, BTreeMap<String, usize>) {
    let mock = MockAquera::builder().auth(Auth::none()).profile(profile).start().await.expect("a mock");
    let client = Client::new(&mock.scim_url(), Credentials::None, Manners::default()).expect("a client");
    let (_sender, stop) = watch::channel(false);
    let options = Options { jobs: 4, seed: 7, keep: false, blank: Blank::default(), stop };
    let facts = Facts::ask(&client).await;
    let findings = probe(&client, &facts, &options, &|| ()).await;
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

#[tokio::test]
async fn every_built_in_profile_is_imitated() {
    for mut profile in Profile::builtins().iter().cloned() {
        let name = profile.name.clone();
        // What a rate limit does depends on the clock.
        profile.rate_limits.clear();
        let (differing, written) = differing(profile).await;
        assert!(differing.is_empty(), "{name}: {differing:#?}\n{written}");
    }
}

/// A profile of words of the vocabulary: section, switch, word, and whether the switch is a list.
fn of_words(words: &[(&str, &str, &str, bool)]) -> Profile {
    let mut profile = Profile::new("random", "").to_json();
    for (section, name, word, list) in words {
        let mut place = &mut profile;
        for part in section.split('.') {
            place = &mut place[part];
        }
        place[*name] = if *list { json!([word]) } else { json!(word) };
    }
    Profile::from_json(&profile).expect("words of the vocabulary")
}

#[tokio::test]
async fn every_single_switch_is_imitated() {
    for (section, name, words, list) in vocabulary() {
        for word in words {
            let (differing, written) = differing(of_words(&[(section, name, word, list)])).await;
            assert!(differing.is_empty(), "{section}.{name} = {word}: {differing:#?}\n{written}");
        }
    }
}

/// Several switches, that hide one another. `PROBE_CASES` is how many profiles; a failure prints its own.
#[test]
fn any_profile_is_imitated() {
    // Client and server in one thread need not wake each other.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let vocabulary = vocabulary();
    let switch = (0..vocabulary.len(), any::<prop::sample::Index>());
    let switches = prop::collection::vec(switch, 1..=6);
    let cases = std::env::var("PROBE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(16);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&switches, |switches| {
        let words: Vec<_> = switches
            .into_iter()
            .map(|(at, word)| {
                let (section, name, words, list) = &vocabulary[at];
                (*section, *name, *word.get(words), *list)
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

#[tokio::test]
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

/// What a profile that was fitted to `profile` says at a section and a switch.
async fn written(profile: Profile, section: &str, switch: &str) -> Value {
    let (found, _) = findings(profile).await;
    let (_sender, stop) = watch::channel(false);
    let fit = fit(&found, stop).await.expect("a fit");
    fit.profile.to_json()[section][switch].clone()
}

#[tokio::test]
async fn a_switch_that_reaches_further_than_what_was_seen_is_not_written() {
    let with = |switches: Value| {
        let mut profile = Profile::new("odd", "").to_json();
        merge(&mut profile, &switches);
        Profile::from_json(&profile).expect("a profile")
    };
    // One method answers with a page in HTML: not all errors do.
    let html = with(json!({ "gateway": { "put": "answers-400" }, "errors": { "body": "html" } }));
    assert_eq!(written(html, "errors", "body").await, "scim");
    // Two do, and nothing else is seen.
    let html = with(json!({
        "gateway": { "put": "answers-400", "delete": "answers-405" }, "errors": { "body": "html" }
    }));
    assert_eq!(written(html, "errors", "body").await, "html");
    // An attribute that is not stored is no PUT and no PATCH that is ignored.
    let no_title = Profile::builtin("no-title").expect("a profile");
    assert_eq!(written(no_title.clone(), "gateway", "put").await, "works");
    assert_eq!(written(no_title.clone(), "gateway", "patch").await, "works");
    assert_eq!(written(no_title, "application", "not-stored").await, json!(["title"]));
    // Lists were not looked at.
    let hidden = with(json!({ "list": { "members": "missing" } }));
    assert_eq!(written(hidden, "list", "members").await, "whole");
}

fn merge(into: &mut Value, over: &Value) {
    match (into, over) {
        (Value::Object(into), Value::Object(over)) => {
            for (name, value) in over {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, over) => *into = over.clone(),
    }
}

/// The advice on one setting.
fn advice<'a>(advice: &'a [Advice], setting: &str) -> (&'a str, &'a str) {
    let found = advice.iter().find(|advice| advice.setting == setting).expect("a setting");
    (found.fares.as_str(), found.text.as_str())
}

#[tokio::test]
async fn what_could_not_be_tried_is_unknown() {
    // Nobody can be created, so nothing could be tried but POST.
    let mut profile = Profile::new("closed", "").to_json();
    profile["application"]["create"] = json!("refused-501");
    let (found, _) = findings(Profile::from_json(&profile).expect("a profile")).await;
    let advised = advise(&found);
    assert_eq!(advice(&advised, "Enable users creation").0, "does not work");
    for advice in advised.iter().filter(|advice| advice.setting != "Enable users creation") {
        assert_eq!(advice.fares.as_str(), "unknown", "{}: {}", advice.setting, advice.text);
        assert!(!advice.text.contains("Use "), "{}", advice.text);
    }
    assert_eq!(report::troubles(&found), ["Enable users creation"]);
}

#[tokio::test]
async fn nothing_is_concluded_beyond_what_was_seen() {
    let of = async |name: &str| {
        let (found, _) = findings(Profile::builtin(name).expect("a profile")).await;
        (advise(&found), found)
    };
    let (advised, found) = of("drops-email-type").await;
    let (fares, text) = advice(&advised, "Enable users creation");
    assert_eq!((fares, text), ("limited", "Users are created; emails.type is not kept as it is sent."));
    assert_eq!(advice(&advised, "Enable users disable").0, "works");
    assert!(matches!(found.outcome("patch-work-email"), Some(Outcome::Untried(_))), "nothing to pick by");

    let (advised, found) = of("no-title").await;
    assert_eq!(advice(&advised, "Enable users creation").0, "limited");
    assert_eq!(advice(&advised, "Update method: PUT").0, "limited");
    assert_eq!(advice(&advised, "Update method: PATCH").0, "limited");
    assert_eq!(advice(&advised, "Enable users disable").0, "works");
    assert!(matches!(found.outcome("patch-remove"), Some(Outcome::Untried(_))), "there was no title");
    assert!(matches!(found.outcome("put-clears"), Some(Outcome::Untried(_))), "there was no title");
    assert!(advised.iter().all(|advice| !advice.text.contains("Use the other method")), "{advised:#?}");

    let (advised, _) = of("put-clears-active").await;
    assert_eq!(advice(&advised, "A client whose PUT does not say active").0, "limited");
}

/// The verdict and the level of a form on a mock with a switch.
async fn judged(switches: &Value, form: &str) -> (Verdict, Level, String) {
    let mut profile = Profile::new("odd", "").to_json();
    merge(&mut profile, switches);
    let (found, _) = findings(Profile::from_json(&profile).expect("a profile")).await;
    let report = report::report(&found, 7, 1);
    let case = report.cases.iter().find(|case| case.id == format!("probe/{form}")).expect(form);
    (case.verdict, case.level, report::text(&found))
}

#[tokio::test]
async fn a_put_without_active_may_keep_or_clear_it_and_a_value_is_a_warning() {
    for (word, active, inactive) in [
        ("keeps", Verdict::Pass, Verdict::Pass),
        ("clears", Verdict::Pass, Verdict::Pass),
        ("deactivates", Verdict::Warn, Verdict::Pass),
        ("activates", Verdict::Pass, Verdict::Warn),
    ] {
        let switches = json!({ "gateway": { "put-without-active": word } });
        for (form, verdict) in [("put-without-active", active), ("put-without-active-inactive", inactive)] {
            let (found, level, text) = judged(&switches, form).await;
            assert_eq!((found, level), (verdict, Level::May), "{word} {form}: {text}");
            let cleared = "200; active is cleared, as RFC 7644 §3.5.1 allows";
            assert_eq!(text.contains(cleared), word == "clears", "{text}");
        }
    }
}

#[tokio::test]
async fn a_manager_as_an_id_alone_is_tried_by_patch_and_post_and_imitated() {
    for (word, verdict) in [("accepted", Verdict::Pass), ("refused", Verdict::Warn)] {
        let switches = json!({ "requests": { "dialects": { "bare-manager": word } } });
        for form in ["patch-manager-id", "post-manager-id"] {
            let (found, level, text) = judged(&switches, form).await;
            assert_eq!((found, level), (verdict, Level::May), "{form}: {text}");
        }
        let mut profile = Profile::new("odd", "").to_json();
        merge(&mut profile, &switches);
        let written = written(Profile::from_json(&profile).expect("a profile"), "requests", "dialects").await;
        assert_eq!(written["bare-manager"], word);
    }
}

#[tokio::test]
async fn the_page_begins_with_the_preferences() {
    let (found, _) = findings(Profile::builtin("rfc").expect("a profile")).await;
    let text = report::text(&found);
    let preferences = text.find("Enable users creation").expect("preferences");
    let forms = text.find("PATCH replaces active with false").expect("forms");
    assert!(preferences < forms, "{text}");
    let report = report::report(&found, 7, 1);
    for setting in conformance::probe::advice::SETTINGS {
        assert!(report.facts.contains_key(setting), "{setting}");
    }
    let page = conformance::report::html::write(&report);
    let (preferences, verdict) = (page.find("id=\"preferences\""), page.find("id=\"verdict\""));
    assert!(preferences.is_some() && preferences < verdict, "{page}");
    assert_eq!(page.matches("Remove Action = Delete").count(), 1, "told once");
}
