//! `conformance probe`: the behaviour of an endpoint at partial updates, and its consequences for a provisioner.
//!
//! [`variant`] has the requests that Ping, Okta, Entra and SailPoint send, as data; [`experiment`] tries each on an account
//! of its own and reads back; [`outcome`] derives the outcome from the states alone; [`advice`] describes the
//! consequences, setting by setting; [`inference`] finds the profile of the mock that behaves the same.

pub mod advice;
pub(crate) mod cost;
pub mod experiment;
pub mod inference;
pub mod outcome;
mod owed;
pub mod report;
pub mod variant;

use crate::probe::outcome::Outcome;
use crate::probe::variant::Variant;
use crate::transcript::Exchange;

/// The outcome of one variant.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The variant that was tried.
    pub variant: &'static Variant,
    /// Its outcome.
    pub outcome: Outcome,
    /// The exchanges, in order.
    pub exchanges: Vec<Exchange>,
    /// `active` came as a text, and was read as the boolean that it says.
    pub active_is_text: bool,
}

/// The behaviour of an endpoint, in the order of [`variant::load::built_in`].
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// The endpoint.
    pub subject: String,
    /// The value of `patch.supported` in ServiceProviderConfig.
    pub patch_advertised: Option<bool>,
    /// One finding for each variant.
    pub findings: Vec<Finding>,
    /// The resources that could not be deleted again.
    pub left_behind: Vec<String>,
}

impl Findings {
    /// Returns the variants, in the order of the findings.
    pub fn variants(&self) -> impl Iterator<Item = &'static Variant> + '_ {
        self.findings.iter().map(|finding| finding.variant)
    }

    /// Returns the outcome of a variant.
    pub fn outcome(&self, name: &str) -> Option<&Outcome> {
        self.findings.iter().find(|finding| finding.variant.slug == name).map(|finding| &finding.outcome)
    }

    /// Findings that nobody found.
    #[cfg(test)]
    pub(crate) fn made_up(outcome: impl Fn(&'static Variant) -> Outcome) -> Self {
        let finding = |variant| Finding {
            variant,
            outcome: outcome(variant),
            exchanges: Vec::new(),
            active_is_text: false,
        };
        Self {
            subject: "https://scim.example.com".to_owned(),
            patch_advertised: Some(true),
            findings: variant::load::built_in().expect("valid variants").iter().map(finding).collect(),
            left_behind: Vec::new(),
        }
    }

    /// Whether `active` came as a text.
    pub fn active_is_text(&self) -> bool {
        self.findings.iter().any(|finding| finding.active_is_text)
    }

    /// Returns the variants whose outcomes differ.
    pub fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'static str> + 'a {
        self.findings
            .iter()
            .zip(&other.findings)
            .filter(|(a, b)| a.outcome != b.outcome)
            .map(|(a, _)| a.variant.slug.as_str())
    }
}
