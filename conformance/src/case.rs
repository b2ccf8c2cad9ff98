//! Cases as data: the requests to a subject, and the expected responses.
//!
//! A case file is TOML, described in `conformance/data/cases/README.md`. [`mod@file`] is its form as written, which also gives the
//! JSON Schema; loading turns it into the types here, in which contradictions cannot be said. Judging is [`crate::server`]'s.

pub mod capability;
pub mod describe;
pub mod expect;
pub mod file;
pub mod load;
pub mod noun;
pub mod over;
pub mod step;
pub mod template;

use crate::case::capability::Capability;
use crate::case::noun::Nouns;
use crate::case::step::Step;
use crate::requirement::{Level, Shared, Spec};
use crate::select::Selectable;

/// A case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// `<document>/<section>/<slug>`, and the words of its place.
    pub id: String,
    /// The statement that holds if the case passes.
    pub title: String,
    /// The level of the requirement as a whole.
    pub level: Level,
    /// The requirement, paraphrased.
    pub requirement: String,
    /// The section that states the requirement.
    pub spec: Spec,
    /// The step that fixes a failure, for the subject's author.
    pub hint: Option<String>,
    /// The capabilities that the subject must advertise.
    pub needs: Vec<Capability>,
    /// Tags for selections.
    pub tags: Vec<String>,
    /// The shared expectations that it is about; others are passed over.
    pub about: Vec<Shared>,
    /// The result that the steps with `tries` share, as in `operators that are refused`; the words of the steps that
    /// failed are appended.
    pub tally: Option<String>,
    /// Runs while no other case runs, because it depends on state that other cases change.
    pub exclusive: bool,
    /// The least volume at which it is played.
    pub volume: Volume,
    /// The phrases that stand for names in reports.
    pub nouns: Nouns,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The steps that restore the subject afterwards; they are not judged.
    pub clean_up: Vec<Step>,
}

/// The size of a run.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Deserialize,
    schemars::JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Volume {
    /// Few resources at a time.
    #[default]
    Small,
    /// Dozens of resources, and values, at a time.
    Normal,
    /// Hundreds of resources, and members, at a time.
    Large,
}

/// Advice shorter than this, in characters, says what to do and not to what.
const SHORT: usize = 48;

impl Case {
    /// Returns the step that fixes a failure, in words that can be understood without the case.
    pub fn advice(&self) -> Option<String> {
        let hint = self.hint.as_ref()?;
        if hint.chars().count() >= SHORT {
            return Some(hint.clone());
        }
        Some(format!("{} {hint}", self.requirement))
    }
}

/// The documents that cases cite: folder, and name.
pub const DOCUMENTS: [(&str, &str); 8] = [
    ("rfc7643", "RFC 7643"),
    ("rfc7644", "RFC 7644"),
    ("rfc9865", "RFC 9865"),
    ("rfc9967", "RFC 9967"),
    ("rfc9110", "RFC 9110"),
    ("pingone", "PingOne, Creating an Aquera connection"),
    ("ipsie", "IPSIE AL SCIM 2.0 Profile"),
    ("interop", "draft-zollner-scim-interop-profile"),
];

impl Selectable for Case {
    fn properties() -> Vec<(&'static str, Vec<String>)> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        vec![
            ("id", Vec::new()),
            ("document", words(&DOCUMENTS.map(|(folder, _)| folder))),
            ("section", Vec::new()),
            ("level", words(&["must", "should", "may"])),
            ("tag", Vec::new()),
            ("needs", Vec::new()),
        ]
    }

    fn has(&self, name: &str, fits: &dyn Fn(&str) -> bool) -> bool {
        match name {
            "id" => fits(&self.id),
            "document" => self.id.split('/').next().is_some_and(fits),
            "section" => fits(&self.spec.section),
            "level" => fits(self.level.as_str()),
            "tag" => self.tags.iter().any(|tag| fits(tag)),
            "needs" => self.needs.iter().any(|need| fits(&need.to_string())),
            _ => false,
        }
    }
}
