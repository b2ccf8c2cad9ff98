//! The short hash of a plan, by which a person approves exactly that plan.

use std::fmt;
use std::str::FromStr;

use super::plan::Plan;
use crate::source::fingerprint;

/// The number of hex characters of a hash.
const LENGTH: usize = 12;

/// A digest of a plan: of its decisions, the attribute values and settings behind them, and its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanHash(String);

/// A text that is not the hash of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the {LENGTH} hex characters that `plan` prints")]
pub struct InvalidPlanHash;

impl Plan {
    /// Returns the hash of the plan: plans with the same hash are carried out alike, whenever they were made.
    pub fn hash(&self) -> PlanHash {
        let entries = serde_json::to_string(&self.entries).unwrap_or_default();
        let full = if self.full { "full" } else { "" };
        let groups = serde_json::to_string(&self.groups).unwrap_or_default();
        let parts = [self.scim_url.as_str(), full, self.preconditions.as_str(), &entries];
        // Without groups a plan has the hash that it had before there were any.
        let groups = (!self.groups.is_empty()).then_some(groups.as_str());
        let mut digest = fingerprint(parts.into_iter().chain(groups));
        digest.truncate(LENGTH);
        PlanHash(digest)
    }
}

impl FromStr for PlanHash {
    type Err = InvalidPlanHash;

    fn from_str(text: &str) -> Result<Self, InvalidPlanHash> {
        let is_hex = text.chars().all(|letter| letter.is_ascii_hexdigit());
        if text.len() == LENGTH && is_hex {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidPlanHash)
        }
    }
}

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plan_hash_is_twelve_hex_characters() {
        for (text, expected) in [
            ("0123456789ab", Ok("0123456789ab")),
            ("0123456789AB", Ok("0123456789ab")),
            ("0123456789a", Err(InvalidPlanHash)),
            ("0123456789abc", Err(InvalidPlanHash)),
            ("0123456789ax", Err(InvalidPlanHash)),
            ("", Err(InvalidPlanHash)),
        ] {
            assert_eq!(
                text.parse::<PlanHash>().map(|hash| hash.to_string()),
                expected.map(str::to_owned),
                "{text}"
            );
        }
    }
}
