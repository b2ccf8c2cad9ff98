//! Finds the profile of the mock that answers as an endpoint does.
//!
//! No table of symptoms: a profile is tried, on a mock of its own and by the same probe, and whatever brings it nearer
//! to what was found is kept. So a profile that is written has been seen to behave the same, and what the mock cannot
//! imitate is told.

mod guess;
mod reach;
mod search;
mod switch;

use mock_aquera::{Deviation, Profile};
use serde_json::Value;
use tokio::sync::watch;

use crate::probe::Findings;
use crate::probe::inference::search::Bench;
use crate::probe::outcome::Outcome;
use crate::subject::server::client::ClientError;

/// A profile, and how well it does.
#[derive(Debug, Clone)]
pub struct InferredProfile {
    /// The profile.
    pub profile: Profile,
    /// The slugs of the variants that it answers unlike the endpoint.
    pub differing: Vec<&'static str>,
    /// The number of profiles that were tried.
    pub tries: usize,
}

/// Why none can be found.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// The mock cannot be started.
    #[error("failed to start a mock to try profiles on")]
    Mock(#[from] mock_aquera::StartError),
    /// No client for the mock can be made.
    #[error("failed to make a client for the mock")]
    Client(#[from] ClientError),
}

/// Returns the switches that the inference sets: section, name and words. A switch that is a list comes with `true`.
/// Switches that reach further than a variant shows are left out.
pub fn vocabulary() -> Vec<(&'static str, &'static str, Vec<&'static str>, bool)> {
    let narrow = switch::switches().into_iter().filter(|switch| !switch.wide);
    narrow.map(|switch| (switch.section, switch.name, switch.words, switch.list)).collect()
}

/// Finds the profile.
///
/// # Errors
/// No mock can be started.
pub async fn infer_profile(
    found: &Findings,
    stop: watch::Receiver<bool>,
) -> Result<InferredProfile, InferenceError> {
    let mut bench = Bench::start(found, stop).await?;
    let best = bench.search(guess::guess(found)).await.profile;
    let differing = match bench.findings(&best).await {
        Some(findings) => found
            .findings
            .iter()
            .zip(&findings.findings)
            .filter(|(a, b)| !alike(&a.outcome, &b.outcome))
            .map(|(a, _)| a.variant.slug.as_str())
            .collect(),
        None => Vec::new(),
    };
    let tries = bench.tries;
    bench.end().await;
    Ok(InferredProfile { profile: name(&best, found, &differing), differing, tries })
}

/// Whether two outcomes answer alike. Reasons for not trying are no answers.
fn alike(found: &Outcome, other: &Outcome) -> bool {
    found == other || matches!(found, Outcome::Untried(_))
}

/// Returns the profile with a name, and the deviations that it does not reproduce.
fn name(profile: &Value, found: &Findings, differing: &[&str]) -> Profile {
    let summary = "an endpoint as `conformance probe` found it".to_owned();
    let mut profile = Profile::from_json(profile).unwrap_or_else(|_| Profile::new("probed", ""));
    "probed".clone_into(&mut profile.name);
    profile.summary = summary;
    profile.source = Some(format!("conformance probe {}", found.subject));
    profile.deviations = deviations(found, differing);
    profile
}

/// Returns the deviations that a profile does not reproduce; variants with the same outcome are one deviation.
fn deviations(found: &Findings, differing: &[&str]) -> Vec<Deviation> {
    let mut alike: Vec<(String, Vec<&str>)> = Vec::new();
    for variant in differing {
        let text = found.outcome(variant).map(Outcome::describe).unwrap_or_default();
        match alike.iter_mut().find(|(known, _)| *known == text) {
            Some((_, variants)) => variants.push(variant),
            None => alike.push((text, vec![variant])),
        }
    }
    let deviation = |(text, variants): (String, Vec<&str>)| {
        let (told, named) = match variants.len() {
            1 => (String::new(), "form"),
            count => (format!(" ({count} forms)"), "forms"),
        };
        Deviation {
            deviation: format!("not imitated{told}: {text}"),
            spec: "RFC 7644 §3.5".to_owned(),
            source: format!("conformance probe, {named} {}", variants.join(", ")),
        }
    };
    alike.into_iter().map(deviation).collect()
}

#[cfg(test)]
mod tests {
    use crate::probe::inference::*;
    use crate::probe::outcome::{Effect, Reply, Shows, Tried};

    #[test]
    fn equal_deviations_are_listed_once() {
        let found = Findings::made_up(|variant| {
            let status = if variant.slug == "delete" { 405 } else { 200 };
            let reply = Reply { status, scim_type: None, shows: Shows::Truth };
            Outcome::Tried(Tried { effect: Effect::Nothing, reply, damages: Vec::new(), without: Vec::new() })
        });
        let told: Vec<_> = deviations(&found, &["patch-title", "delete", "put-title", "put-active"])
            .into_iter()
            .map(|deviation| (deviation.deviation, deviation.source))
            .collect();
        let expected = [
            (
                "not imitated (3 forms): accepted and ignored: 200",
                "conformance probe, forms patch-title, put-title, put-active",
            ),
            ("not imitated: refused: 405", "conformance probe, form delete"),
        ];
        assert_eq!(told, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
