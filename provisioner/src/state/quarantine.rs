//! The quarantine of a connection: a time in which no run is carried out.

use serde::{Deserialize, Serialize};

/// A connection that is not used until a time, because its runs do more harm than good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Quarantine {
    /// The cause.
    pub cause: QuarantineCause,
    /// When the first of the runs in a row ended, in seconds since the epoch.
    pub since: u64,
    /// The next run is carried out from then on, in seconds since the epoch.
    pub until: u64,
    /// The number of runs in a row that ended in it, from 1 on.
    pub times: u32,
    /// The figures or the refusal behind it, without personal data.
    pub detail: String,
    /// The fingerprint of the authentication that was in use.
    pub authentication: String,
}

/// The cause of a quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuarantineCause {
    /// Too many users of one run failed.
    FailureRate,
    /// The connection test was refused for the credentials.
    BadCredentials,
}

impl QuarantineCause {
    /// Returns the cause in words.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::FailureRate => "too many users failed",
            Self::BadCredentials => "the target refuses the credentials",
        }
    }
}
