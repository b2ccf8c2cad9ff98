//! Probing the mock: what is told of each profile, and profiles that behave the same.

use std::collections::BTreeMap;

use conformance::probe::advice::{Advice, advise};
use conformance::probe::experiment::{Options, probe};
use conformance::probe::inference::{infer_profile, vocabulary};
use conformance::probe::outcome::Outcome;
use conformance::probe::variant::load::built_in;
use conformance::probe::{Findings, report};
use conformance::report::Verdict;
use conformance::requirement::Level;
use conformance::server::discovery::{Blank, Facts};
use conformance::subject::server::client::{Client, Credentials, Manners};
use mock_aquera::{Auth, MockAquera, Profile};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::{Value, json};
use tokio::sync::watch;

/// Probes a mock with a profile. Returns the findings and the number of resources that stay there.
async fn findings(profile: Profile) -> (Findings, BTreeMap<String, usize>) {
    let mock = MockAquera::builder().auth(Auth::none()).profile(profile).start().await.expect("a mock");
    let client = Client::new(&mock.scim_url(), Credentials::None, Manners::default()).expect("a client");
    let (_sender, stop) = watch::channel(false);
    let options = Options { jobs: 4, seed: 7, keep: false, blank: Blank::default(), stop };
    let facts = Facts::ask(&client).await;
    let findings = probe(built_in().expect("valid variants"), &client, &facts, &options, &|| ()).await;
    let left = mock.default_application().counts().into_iter().collect();
    mock.stop().await;
    (findings, left)
}

/// Returns the variants that a mock with the written profile answers differently. The profile goes through its file.
async fn differing(profile: Profile) -> (Vec<String>, String) {
    let (found, _) = findings(profile).await;
    let (_sender, stop) = watch::channel(false);
    let inferred = infer_profile(&found, stop).await.expect("a fit");
    let written = inferred.profile.to_toml();
    let (again, _) = findings(Profile::from_toml(&written).expect("a profile that can be read")).await;
    let differing = found
        .findings
        .iter()
        .zip(&again.findings)
        // Where nothing could be tried, nothing was answered.
        .filter(|(a, b)| a.outcome != b.outcome && !matches!(a.outcome, Outcome::Untried(_)))
        .map(|(a, b)| format!("{}: {} / {}", a.variant.slug, a.outcome.describe(), b.outcome.describe()))
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

/// Switches of which none alone brings the search nearer than a wrong one does, or of which one hides a part of another.
#[tokio::test]
async fn switches_that_hide_one_another_are_imitated() {
    let paths_beside_no_partial_update = [
        ("gateway", "patch-paths", "answers-400", false),
        ("application", "replace", "refused-501", false),
        ("application", "partial-update", "refused-501", false),
    ];
    let members_beside_no_partial_update = [
        ("gateway", "replace-all-members", "answers-400", false),
        ("application", "partial-update", "refused-501", false),
    ];
    for words in [paths_beside_no_partial_update.as_slice(), members_beside_no_partial_update.as_slice()] {
        let (differing, written) = differing(of_words(words)).await;
        assert!(differing.is_empty(), "{words:?}: {differing:#?}\n{written}");
    }
}

/// Several switches, that hide one another. The same 16 profiles each time; `PROBE_CASES` draws that many others. A failure prints its profile.
#[test]
fn any_profile_is_imitated() {
    // Client and server in one thread need not wake each other.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let vocabulary = vocabulary();
    let switch = (0..vocabulary.len(), any::<prop::sample::Index>());
    let switches = prop::collection::vec(switch, 1..=6);
    let cases = std::env::var("PROBE_CASES").ok().and_then(|cases| cases.parse().ok());
    let config = Config { cases: cases.unwrap_or(16), failure_persistence: None, ..Config::default() };
    // The same profiles in each run of the gate; others with `PROBE_CASES`.
    let mut runner = match cases {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    };
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
async fn probe_reports_match_the_snapshots() {
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

/// Returns the word of a switch in the profile that is inferred from a mock with `profile`.
async fn written(profile: Profile, section: &str, switch: &str) -> Value {
    fitted(profile).await[section][switch].clone()
}

#[tokio::test]
async fn switch_with_unseen_effects_is_not_written() {
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
    (found.rating.as_str(), found.text.as_str())
}

#[tokio::test]
async fn untried_settings_are_unknown() {
    // Nobody can be created, so nothing could be tried but POST.
    let mut profile = Profile::new("closed", "").to_json();
    profile["application"]["create"] = json!("refused-501");
    let (found, _) = findings(Profile::from_json(&profile).expect("a profile")).await;
    let advised = advise(&found);
    assert_eq!(advice(&advised, "Enable users creation").0, "does not work");
    for advice in advised.iter().filter(|advice| advice.setting != "Enable users creation") {
        assert_eq!(advice.rating.as_str(), "unknown", "{}: {}", advice.setting, advice.text);
        assert!(!advice.text.contains("Use "), "{}", advice.text);
    }
    assert_eq!(report::troubles(&found), ["Enable users creation"]);
}

#[tokio::test]
async fn advice_needs_seen_outcomes() {
    let of = async |name: &str| {
        let (found, _) = findings(Profile::builtin(name).expect("a profile")).await;
        (advise(&found), found)
    };
    let (advised, found) = of("drops-email-type").await;
    let (rating, text) = advice(&advised, "Enable users creation");
    assert_eq!((rating, text), ("limited", "Users are created; emails.type is not kept as it is sent."));
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

/// Returns the verdict and the level of a variant on a mock with a switch.
async fn judged(switches: &Value, variant: &str) -> (Verdict, Level, String) {
    let mut profile = Profile::new("odd", "").to_json();
    merge(&mut profile, switches);
    let (found, _) = findings(Profile::from_json(&profile).expect("a profile")).await;
    let report = report::report(&found, 7, 1);
    let case = report.cases.iter().find(|case| case.id == format!("probe/{variant}")).expect(variant);
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
        for (variant, verdict) in [("put-without-active", active), ("put-without-active-inactive", inactive)]
        {
            let (found, level, text) = judged(&switches, variant).await;
            assert_eq!((found, level), (verdict, Level::May), "{word} {variant}: {text}");
            let cleared = "200; active is cleared, as RFC 7644 §3.5.1 allows";
            assert_eq!(text.contains(cleared), word == "clears", "{text}");
        }
    }
}

#[tokio::test]
async fn a_manager_as_an_id_alone_is_tried_by_patch_and_post_and_imitated() {
    for (word, verdict) in [("accepted", Verdict::Pass), ("refused", Verdict::Warn)] {
        let switches = json!({ "requests": { "dialects": { "bare-manager": word } } });
        for variant in ["patch-manager-id", "post-manager-id"] {
            let (found, level, text) = judged(&switches, variant).await;
            assert_eq!((found, level), (verdict, Level::May), "{variant}: {text}");
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
    let variants = text.find("PATCH replaces active with false").expect("forms");
    assert!(preferences < variants, "{text}");
    let report = report::report(&found, 7, 1);
    for setting in conformance::report::labels::SETTINGS {
        assert!(report.facts.contains_key(setting), "{setting}");
    }
    let page = conformance::report::html::write(&report);
    let (preferences, verdict) = (page.find("id=\"preferences\""), page.find("id=\"verdict\""));
    assert!(preferences.is_some() && preferences < verdict, "{page}");
    assert_eq!(page.matches("Remove Action = Delete").count(), 1, "told once");
}

/// Returns the outcome of a variant in words.
fn told(found: &Findings, variant: &str) -> String {
    found.outcome(variant).expect(variant).describe()
}

#[tokio::test]
async fn an_attribute_that_is_refused_is_told_as_refused_and_not_as_lost() {
    let read_only = Profile::builtin("external-id-read-only").expect("a profile");
    let (found, _) = findings(read_only.clone()).await;
    assert_eq!(told(&found, "post"), "refused: 400 mutability; accepted without externalId");
    let advised = advise(&found);
    let (rating, text) = advice(&advised, "Enable users creation");
    assert_eq!(rating, "limited");
    assert_eq!(
        text,
        "A POST with externalId is answered 400 mutability. Users are created without it: leave it out of the mapping \
         (externalId: `external-id = false` under [connection.options])."
    );
    assert_eq!(advice(&advised, "Deprovision, Remove Action = Delete").0, "works");
    let application = fitted(read_only).await["application"].clone();
    assert_eq!(application["read-only"], json!(["externalId"]));
    assert_eq!(application.get("not-stored").filter(|list| **list != json!([])), None);
    // Any attribute, not externalId alone.
    let mut profile = Profile::new("odd", "").to_json();
    profile["application"]["read-only"] = json!(["title"]);
    let profile = Profile::from_json(&profile).expect("a profile");
    let (found, _) = findings(profile.clone()).await;
    assert_eq!(told(&found, "post"), "refused: 400 mutability; accepted without title");
    let advised = advise(&found);
    assert_eq!(
        advice(&advised, "Enable users creation").1,
        "A POST with title is answered 400 mutability. Users are created without it: leave it out of the mapping."
    );
    assert_eq!(fitted(profile).await["application"]["read-only"], json!(["title"]));
}

#[tokio::test]
async fn an_update_method_is_told_by_every_attribute_that_was_tried() {
    let of = async |name: &str| {
        let (found, _) = findings(Profile::builtin(name).expect("a profile")).await;
        advise(&found)
    };
    let advised = of("swallows-dotted-paths").await;
    assert_eq!(advice(&advised, "Update method: PUT").0, "works");
    let (rating, text) = advice(&advised, "Update method: PATCH");
    assert_eq!(rating, "limited");
    assert!(text.starts_with("Some attributes are updated (title"), "{text}");
    assert!(text.contains(r#"others are not: a PATCH of name.givenName is answered 200 and changes the member "name.givenName" instead"#), "{text}");

    let advised = of("no-title").await;
    let (rating, text) = advice(&advised, "Update method: PATCH");
    assert_eq!(rating, "limited");
    assert!(text.starts_with("Some attributes are updated (name.givenName"), "{text}");
    assert!(text.contains("a PATCH of title is answered 200 and changes nothing"), "{text}");
    assert!(!text.contains("was not tried"), "{text}");
    let text = advice(&advised, "Update method: PUT").1;
    assert!(text.contains("Whether other attributes are was not tried."), "{text}");

    let advised = of("drops-email-type").await;
    let (rating, text) = advice(&advised, "Update method: PATCH");
    assert_eq!(rating, "limited");
    assert!(
        text.contains(r#"a PATCH of emails[type eq "work"].value could not be tried (what was prepared"#),
        "{text}"
    );
    assert_eq!(advice(&advised, "Update method: PUT").0, "works");
}

#[tokio::test]
async fn an_account_that_can_no_longer_be_read_is_not_said_to_be_active() {
    let (found, _) = findings(Profile::builtin("atlassian").expect("a profile")).await;
    let advised = advise(&found);
    let (rating, text) = advice(&advised, "Deprovision, Remove Action = Disable");
    assert_eq!(rating, "limited");
    assert!(
        text.starts_with("The account goes out of sight, so whether it is inactive cannot be read"),
        "{text}"
    );
    assert!(!text.contains("stay active") && !text.contains("does not work"), "{text}");
    let (rating, text) = advice(&advised, "Enable users disable");
    assert_eq!(rating, "limited");
    assert!(!text.contains("stay active"), "{text}");
}

#[tokio::test]
async fn no_sentence_of_the_page_says_more_than_its_table() {
    for mut profile in Profile::builtins().iter().cloned() {
        let name = profile.name.clone();
        // What a rate limit does depends on the clock.
        profile.rate_limits.clear();
        let (found, _) = findings(profile).await;
        let advised = advise(&found);
        let works = |variant: &str| found.outcome(variant).expect(variant).works();
        for (setting, variants) in [
            (
                "Update method: PUT",
                &["put-title", "put-title-inactive", "put-inactive", "put-active", "put-inactive-and-title"]
                    [..],
            ),
            (
                "Update method: PATCH",
                &[
                    "patch-title",
                    "patch-given-name",
                    "patch-work-email",
                    "patch-department",
                    "patch-remove",
                    "patch-inactive",
                    "patch-active",
                    "patch-inactive-and-title",
                ],
            ),
            ("Group members", &["group-add-member", "group-remove-member"]),
            ("Enable users creation", &["post"]),
        ] {
            let (rating, text) = advice(&advised, setting);
            let bad: Vec<_> = variants.iter().filter(|variant| !works(variant)).collect();
            assert!(rating != "works" || bad.is_empty(), "{name}, {setting}: {text} {bad:?}");
            let good: Vec<_> = variants.iter().filter(|variant| works(variant)).collect();
            assert!(rating != "does not work" || good.is_empty(), "{name}, {setting}: {text} {good:?}");
        }
        let (_, text) = advice(&advised, "Group members");
        let changes = works("group-add-member") || works("group-remove-member");
        assert!(!(changes && text.contains("a PATCH of members")), "{name}: {text}");
        let page = report::text(&found);
        assert!(!page.contains("\"@"), "{name}: {page}");
    }
}

/// Returns the profile that is inferred from a mock with `profile`.
async fn fitted(profile: Profile) -> Value {
    let (found, _) = findings(profile).await;
    let (_sender, stop) = watch::channel(false);
    infer_profile(&found, stop).await.expect("a fit").profile.to_json()
}
