//! Finds the profile of the mock that answers as an endpoint does.
//!
//! No table of symptoms: a profile is tried, on a mock of its own and by the same probe, and whatever brings it nearer
//! to what was found is kept. So a profile that is written has been seen to behave the same, and what the mock cannot
//! imitate is told.

use mock_aquera::{
    ActiveChange, ApplicationConfig, Auth, Claim, CreateDisabled, DeactivatedUsers, DeleteRule, Deviation,
    Dialect, DisableRule, DownstreamDelete, ErrorBody, MembersShown, MockAquera, OperationRule,
    PartialUpdateRule, PatchReply, PatchRule, Presence, Profile, PutMissingAttributes, PutRule,
    PutWithoutActive, ReplyBody, Support,
};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::probe::Findings;
use crate::probe::experiment::{Options, probe};
use crate::probe::outcome::{Class, Outcome, Shows};
use crate::server::facts::{Blank, Facts};
use crate::wire::client::{Client, Credentials, Manners};

/// So many profiles are tried at most.
const MOST_TRIES: usize = 1_200;

/// A profile, and how well it does.
#[derive(Debug, Clone)]
pub struct Fit {
    /// The profile.
    pub profile: Profile,
    /// Forms that it answers otherwise than the endpoint does, by name.
    pub differing: Vec<&'static str>,
    /// So many profiles were tried.
    pub tries: usize,
}

/// Why none can be found.
#[derive(Debug, thiserror::Error)]
#[error("failed to run a mock to try profiles on: {0}")]
pub struct FitError(String);

/// One switch of a profile: section, name, and its words.
struct Switch {
    section: &'static str,
    name: &'static str,
    words: Vec<&'static str>,
    /// Hidden behind others, so that it is tried together with another one too.
    core: bool,
}

fn switches() -> Vec<Switch> {
    macro_rules! switch {
        ($section:literal, $name:literal, $kind:ident, $core:literal) => {
            Switch {
                section: $section,
                name: $name,
                words: $kind::ALL.iter().map(|word| word.as_str()).collect(),
                core: $core,
            }
        };
    }
    vec![
        switch!("application", "create", OperationRule, true),
        switch!("application", "partial-update", PartialUpdateRule, true),
        switch!("application", "replace", OperationRule, true),
        switch!("gateway", "patch", PatchRule, true),
        switch!("gateway", "put", PutRule, true),
        switch!("gateway", "active-change", ActiveChange, true),
        switch!("gateway", "disable", DisableRule, true),
        switch!("gateway", "enable", Support, true),
        switch!("gateway", "delete", DeleteRule, true),
        switch!("application", "delete", DownstreamDelete, true),
        switch!("application", "deactivated-users", DeactivatedUsers, true),
        switch!("gateway", "create-disabled", CreateDisabled, true),
        switch!("gateway", "put-without-active", PutWithoutActive, true),
        switch!("gateway", "put-missing-attributes", PutMissingAttributes, true),
        switch!("gateway", "patch-reply", PatchReply, false),
        switch!("gateway", "patch-value-filters", Support, false),
        switch!("gateway", "patch-paths", Support, false),
        switch!("gateway", "replace-all-members", Support, false),
        switch!("gateway", "group-patch", PatchRule, false),
        switch!("gateway", "group-put", PutRule, false),
        switch!("gateway", "group-delete", DeleteRule, false),
        switch!("requests.dialects", "capitalised-op", Dialect, false),
        switch!("requests.dialects", "string-booleans", Dialect, false),
        switch!("requests.dialects", "dotted-keys", Dialect, false),
        switch!("requests.dialects", "remove-by-value", Dialect, false),
        switch!("requests.dialects", "pathless-add", Dialect, false),
        switch!("requests.dialects", "single-operation", Dialect, false),
        switch!("replies", "create-body", ReplyBody, false),
        switch!("replies", "put-body", ReplyBody, false),
        switch!("list", "members", MembersShown, false),
        switch!("errors", "body", ErrorBody, false),
        switch!("errors", "scim-type", Presence, false),
        switch!("discovery", "patch", Claim, false),
    ]
}

/// The switches that a profile is fitted with: section, name and words.
pub fn vocabulary() -> Vec<(&'static str, &'static str, Vec<&'static str>)> {
    switches().into_iter().map(|switch| (switch.section, switch.name, switch.words)).collect()
}

fn set(profile: &Value, switch: &Switch, word: &str) -> Value {
    let mut changed = profile.clone();
    let mut place = &mut changed;
    for part in switch.section.split('.') {
        place = &mut place[part];
    }
    place[switch.name] = json!(word);
    changed
}

fn word<'a>(profile: &'a Value, switch: &Switch) -> Option<&'a str> {
    let mut place = profile;
    for part in switch.section.split('.') {
        place = place.get(part)?;
    }
    place.get(switch.name)?.as_str()
}

/// Tries profiles on mocks of its own.
struct Bench<'a> {
    mock: MockAquera,
    found: &'a Findings,
    stop: watch::Receiver<bool>,
    tries: usize,
}

impl Bench<'_> {
    /// What the mock does with a profile; none where no profile is like that.
    async fn findings(&mut self, profile: &Value) -> Option<Findings> {
        let profile = Profile::from_json(profile).ok()?;
        self.tries += 1;
        let name = format!("p{}", self.tries);
        let config = ApplicationConfig { profile, auth: vec![Auth::none()], seed: 1 };
        let application = self.mock.create_application(&name, config).ok()?;
        let client = Client::new(&application.scim_url(), Credentials::None, Manners::default()).ok()?;
        let options = Options { jobs: 8, seed: 1, blank: Blank::default(), stop: self.stop.clone() };
        let facts = Facts::ask(&client).await;
        let findings = probe(&client, &facts, &options).await;
        self.mock.remove_application(&name);
        Some(findings)
    }

    async fn distance(&mut self, profile: &Value) -> u32 {
        match self.findings(profile).await {
            Some(findings) => distance(self.found, &findings),
            None => u32::MAX,
        }
    }

    fn over(&self) -> bool {
        self.tries >= MOST_TRIES || *self.stop.borrow()
    }
}

/// How far an endpoint is from another.
fn distance(found: &Findings, other: &Findings) -> u32 {
    let forms = found.findings.iter().zip(&other.findings).map(|(a, b)| match (&a.outcome, &b.outcome) {
        (a, b) if a == b => 0,
        // What could not be tried tells nothing, or little.
        (Outcome::Untried(_), Outcome::Untried(_)) => 0,
        (Outcome::Untried(_), Outcome::Tried(_)) => 1,
        (a, b) if a.class() == b.class() => 6,
        _ => 12,
    });
    let claim = match found.patch_advertised {
        Some(_) if found.patch_advertised != other.patch_advertised => 12,
        _ => 0,
    };
    forms.sum::<u32>() + claim
}

/// Whether two outcomes answer alike. Reasons for not trying are no answers.
fn alike(found: &Outcome, other: &Outcome) -> bool {
    found == other || matches!(found, Outcome::Untried(_))
}

/// Finds the profile.
///
/// # Errors
/// Where no mock can be started.
pub async fn fit(found: &Findings, stop: watch::Receiver<bool>) -> Result<Fit, FitError> {
    let mock = MockAquera::builder().auth(Auth::none()).start().await;
    let mock = mock.map_err(|error| FitError(error.to_string()))?;
    let mut bench = Bench { mock, found, stop, tries: 0 };
    let switches = switches();
    let mut best = guess(found);
    let mut nearest = bench.distance(&best).await;
    let plain = Profile::new("probed", "").to_json();
    let distance = bench.distance(&plain).await;
    if distance < nearest {
        (best, nearest) = (plain, distance);
    }
    'search: while nearest > 0 && !bench.over() {
        let before = nearest;
        for switch in &switches {
            for word in &switch.words {
                if self::word(&best, switch) == Some(word) {
                    continue;
                }
                let changed = set(&best, switch, word);
                let distance = bench.distance(&changed).await;
                if distance < nearest {
                    (best, nearest) = (changed, distance);
                }
                if nearest == 0 || bench.over() {
                    break 'search;
                }
            }
        }
        if nearest < before {
            continue;
        }
        // No single switch helps: two together may.
        let core: Vec<_> = switches.iter().filter(|switch| switch.core).collect();
        for (at, first) in core.iter().enumerate() {
            for second in &core[at + 1..] {
                for a in &first.words {
                    for b in &second.words {
                        let changed = set(&set(&best, first, a), second, b);
                        let distance = bench.distance(&changed).await;
                        if distance < nearest {
                            (best, nearest) = (changed, distance);
                            continue 'search;
                        }
                        if bench.over() {
                            break 'search;
                        }
                    }
                }
            }
        }
        break;
    }
    let differing = match bench.findings(&best).await {
        Some(findings) => found
            .findings
            .iter()
            .zip(&findings.findings)
            .filter(|(a, b)| !alike(&a.outcome, &b.outcome))
            .map(|(a, _)| a.form.name)
            .collect(),
        None => Vec::new(),
    };
    let tries = bench.tries;
    bench.mock.stop().await;
    Ok(Fit { profile: name(&best, found, &differing), differing, tries })
}

/// A first guess from what the plainest forms say, so that few profiles have to be tried.
fn guess(found: &Findings) -> Value {
    let mut profile = Profile::new("probed", "").to_json();
    let mut put = |section: &str, name: &str, word: &str| profile[section][name] = json!(word);
    let of = |name: &str| found.outcome(name);
    let (patch, put_title) = (of("patch-title"), of("put-title"));
    let (patch_inactive, put_inactive) = (of("patch-inactive"), of("put-inactive"));
    let refused = |outcome: Option<&Outcome>, status: u16| {
        outcome.is_some_and(|outcome| outcome.class() == Class::Refused && outcome.status() == Some(status))
    };
    if let Some(word) = patch.and_then(patch_word) {
        if refused(patch, 501) && refused(put_inactive, 501) && !refused(put_title, 501) {
            put("application", "partial-update", "refused-501");
        } else {
            put("gateway", "patch", word);
        }
    }
    if let Some(Outcome::Tried(tried)) = patch
        && tried.reply.status == 204
        && patch.is_some_and(|patch| patch.class() == Class::Done)
    {
        put("gateway", "patch-reply", "204");
    }
    if let Some(word) = put_title.and_then(put_word) {
        put("gateway", "put", word);
    }
    match of("delete")
        .map(|outcome| (outcome.class(), outcome.status().unwrap_or_default(), outcome.damages().is_empty()))
    {
        Some((Class::Refused, 403, _)) => put("gateway", "delete", "answers-403"),
        Some((Class::Refused, 405, _)) => put("gateway", "delete", "answers-405"),
        Some((Class::Refused, _, _)) => put("gateway", "delete", "answers-501"),
        Some((Class::Ignored, _, true)) => put("gateway", "delete", "ignored-204"),
        Some((Class::Ignored, _, false)) => put("application", "delete", "deactivates"),
        Some((Class::Done, _, false)) => put("application", "delete", "hides"),
        _ => {}
    }
    if refused(of("post"), 501) {
        put("application", "create", "refused-501");
    }
    let lost = |outcome: Option<&Outcome>| {
        outcome.is_some_and(|outcome| outcome.damages().iter().any(|damage| damage.pointer.is_empty()))
    };
    if lost(patch_inactive) || lost(put_inactive) {
        put("gateway", "active-change", "delete");
    }
    match of("post-inactive").map(|outcome| (outcome.class(), outcome.status())) {
        Some((Class::Refused, Some(400))) => put("gateway", "create-disabled", "answers-400"),
        Some((Class::Ignored, _)) => put("gateway", "create-disabled", "creates-enabled"),
        _ => {}
    }
    for (form, flip) in [("put-without-active", "deactivates"), ("put-without-active-inactive", "activates")]
    {
        let flips = |outcome: &Outcome| outcome.damages().iter().any(|damage| damage.pointer == "/active");
        if of(form).is_some_and(flips) {
            put("gateway", "put-without-active", flip);
        }
    }
    if of("put-clears")
        .is_some_and(|outcome| outcome.class() == Class::Ignored && put_title.is_some_and(Outcome::is_clean))
    {
        put("gateway", "put-missing-attributes", "keeps");
    }
    if patch.is_some_and(Outcome::is_clean) {
        for (form, name) in [
            ("patch-inactive-capitalised", "capitalised-op"),
            ("patch-inactive-text", "string-booleans"),
            ("patch-dotted-keys", "dotted-keys"),
            ("group-remove-by-value", "remove-by-value"),
            ("patch-add-without-path", "pathless-add"),
            ("patch-single-operation", "single-operation"),
        ] {
            if refused(of(form), 400) {
                profile["requests"]["dialects"][name] = json!("refused");
            }
        }
    }
    let mut put = |section: &str, name: &str, word: &str| profile[section][name] = json!(word);
    for (form, name) in
        [("group-replace-members", "replace-all-members"), ("patch-work-email", "patch-value-filters")]
    {
        if refused(of(form), 400) && !refused(patch, 400) {
            put("gateway", name, "answers-400");
        }
    }
    if let Some(group) = of("group-replace-members")
        && let Some(word) = patch_word(group).or_else(|| group.is_clean().then_some("works"))
        && patch.and_then(patch_word).unwrap_or("works") != word
        && word != "answers-400"
    {
        put("gateway", "group-patch", word);
    }
    if refused(of("patch-active"), 400) && refused(of("put-active"), 400) {
        put("gateway", "enable", "answers-400");
    }
    if refused(patch_inactive, 400) && refused(put_inactive, 400) && !refused(patch, 400) {
        put("gateway", "disable", "answers-400");
    }
    // What is said of PATCH need not be so.
    if let (Some(said), Ok(guessed)) = (found.patch_advertised, Profile::from_json(&profile))
        && guessed.advertises_patch() != said
    {
        profile["discovery"]["patch"] = json!(if said { "claimed" } else { "denied" });
    }
    profile
}

fn patch_word(outcome: &Outcome) -> Option<&'static str> {
    let Outcome::Tried(tried) = outcome else { return None };
    let status = tried.reply.status;
    Some(match (outcome.class(), status) {
        (Class::Refused, 400) => "answers-400",
        (Class::Refused, 403) => "answers-403",
        (Class::Refused, 404) => "answers-404-html",
        (Class::Refused, 405) => "answers-405",
        (Class::Refused, _) => "answers-501",
        (Class::Ignored, 204) => "ignored-204",
        (Class::Ignored, _) if tried.reply.shows == Shows::Fiction => "lies-200",
        (Class::Ignored, _) => "ignored-200",
        (Class::DoneWithError, 404) => "applied-then-404",
        (Class::DoneWithError, _) => "applied-then-500",
        _ => return None,
    })
}

fn put_word(outcome: &Outcome) -> Option<&'static str> {
    Some(match (outcome.class(), outcome.status()?) {
        (Class::Refused, 404) => "html-404",
        (Class::Refused, 400) => "answers-400",
        (Class::Refused, 405) => "answers-405",
        (Class::Refused, 501) => "answers-501",
        (Class::Ignored, _) => "ignored-200",
        _ => return None,
    })
}

/// The profile with a name, and what it does not reproduce.
fn name(profile: &Value, found: &Findings, differing: &[&str]) -> Profile {
    let summary = "an endpoint as `conformance probe` found it".to_owned();
    let mut profile = Profile::from_json(profile).unwrap_or_else(|_| Profile::new("probed", ""));
    "probed".clone_into(&mut profile.name);
    profile.summary = summary;
    profile.source = Some(format!("conformance probe {}", found.subject));
    profile.deviations = differing
        .iter()
        .map(|form| Deviation {
            deviation: format!(
                "not imitated: {}",
                found.outcome(form).map(Outcome::describe).unwrap_or_default()
            ),
            spec: "RFC 7644 §3.5".to_owned(),
            source: format!("conformance probe, form {form}"),
        })
        .collect();
    profile
}
