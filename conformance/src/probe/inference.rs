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
    /// Forms that it answers otherwise than the endpoint does, by name.
    pub differing: Vec<&'static str>,
    /// So many profiles were tried.
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

/// The switches that a profile is fitted with, wherever they show: section, name and words. A switch that is a list comes with
/// `true`. Left out are those that reach further than a form shows.
pub fn vocabulary() -> Vec<(&'static str, &'static str, Vec<&'static str>, bool)> {
    let narrow = switch::switches().into_iter().filter(|switch| !switch.wide);
    narrow.map(|switch| (switch.section, switch.name, switch.words, switch.list)).collect()
}

/// Finds the profile.
///
/// # Errors
/// Where no mock can be started.
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

/// The profile with a name, and what it does not reproduce.
fn name(profile: &Value, found: &Findings, differing: &[&str]) -> Profile {
    let summary = "an endpoint as `conformance probe` found it".to_owned();
    let mut profile = Profile::from_json(profile).unwrap_or_else(|_| Profile::new("probed", ""));
    "probed".clone_into(&mut profile.name);
    profile.summary = summary;
    profile.source = Some(format!("conformance probe {}", found.subject));
    profile.deviations = deviations(found, differing);
    profile
}

/// What a profile does not reproduce: forms that are answered alike are one deviation.
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
    fn deviations_that_are_alike_are_told_once() {
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
