//! Profiles: how an application behaves at each of its two hops, as data (docs/decisions.md, "The mock's two hops").
//!
//! A profile is a file of switches, each with a closed set of words, and everything that isn't written is as the RFC
//! has it. It is an approximation drawn from public sources, never a certified copy of a product.
//!
//! [`read`] turns text into a [`Profile`], [`builtin`] has those that come with the program, [`difference`] tells one
//! from the RFC, and [`rate`] counts requests. What a switch does to a request is for the gateway to carry out.

mod application;
mod attribute;
mod builtin;
mod difference;
mod gateway;
mod paths;
mod period;
mod query;
pub(crate) mod rate;
mod rate_limit;
mod read;
mod service;
mod switch;
mod wire;

pub use application::*;
pub use attribute::{AttributePath, ParseAttributePathError};
pub use difference::Difference;
pub use gateway::*;
pub use paths::ProfileAttributeError;
pub(crate) use paths::check_paths;
pub use period::{ParsePeriodError, Period};
pub use query::*;
pub use rate_limit::*;
pub use read::ProfileError;
pub(crate) use read::is_path;
pub use service::*;
pub use wire::*;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use crate::units::suggest::question;

/// How an application behaves at both hops. [`Profile::builtin`] has the ones that come with the program.
#[derive(Debug, Clone, PartialEq, Eq, SmartDefault, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "A profile of mock-aquera")]
pub struct Profile {
    /// The name, in kebab-case.
    #[default = "aquera"]
    pub name: String,
    /// The behaviour in a line.
    #[default = "everything works"]
    pub summary: String,
    /// The profile that this one was laid over: a built-in name, or a file beside this one. Already applied here, so
    /// it isn't written back.
    #[serde(default, skip_serializing)]
    #[default(Some("rfc".to_owned()))]
    pub extends: Option<String>,
    /// Where the behaviour was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When the source was read, as in `2026-11`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// What the gateway, the first hop, does with a request.
    #[serde(default)]
    pub gateway: GatewayRules,
    /// What the application, the second hop, does with an operation.
    #[serde(default)]
    pub application: ApplicationRules,
    /// Which filters are understood.
    #[serde(default)]
    pub filter: FilterRules,
    /// How lists are cut into pages.
    #[serde(default)]
    pub list: ListRules,
    /// What the describing endpoints say.
    #[serde(default)]
    pub discovery: DiscoveryRules,
    /// Which optional parts of the protocol are there.
    #[serde(default)]
    pub features: FeatureRules,
    /// How errors look.
    #[serde(default)]
    pub errors: ErrorRules,
    /// How other answers look.
    #[serde(default)]
    pub replies: ReplyRules,
    /// What is asked of a request before its meaning is looked at.
    #[serde(default)]
    pub requests: RequestRules,
    /// How many requests are let in. Laid over another profile, these replace that one's.
    #[serde(default, rename = "rate-limit", skip_serializing_if = "Vec::is_empty")]
    pub rate_limits: Vec<RateLimit>,
    /// Where it departs from the RFC. Laid over another profile, these come after that one's.
    #[serde(default, rename = "deviation", skip_serializing_if = "Vec::is_empty")]
    pub deviations: Vec<Deviation>,
}

/// One departure from the RFC, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Deviation {
    /// What differs from what the RFC asks for.
    pub deviation: String,
    /// The section that it departs from.
    pub spec: String,
    /// Where it was seen.
    pub source: String,
}

impl Profile {
    /// A profile in which everything is as the RFC has it.
    pub fn new(name: impl Into<String>, summary: impl Into<String>) -> Self {
        Self { name: name.into(), summary: summary.into(), extends: None, ..Self::default() }
    }

    /// Whether the `ServiceProviderConfig` says that PATCH works; true or not is another matter.
    pub fn advertises_patch(&self) -> bool {
        self.discovery.patch.or_truth(
            self.gateway.patch == PatchRule::Works
                && self.application.partial_update == PartialUpdateRule::Accepted,
        )
    }
}

/// The message for a name that no built-in profile has.
pub(crate) fn unknown(name: &str) -> String {
    let hint =
        Profile::nearest(name).map_or_else(|| "`mock-aquera profiles` lists them".to_owned(), question);
    format!("no profile is called `{name}`; {hint}")
}
