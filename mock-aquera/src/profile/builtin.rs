//! The profiles that come with the program.

use std::sync::LazyLock;

use super::Profile;
use super::read::Place;
use crate::units::suggest::nearest;

/// Names and files, the well-behaved ones first.
macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../profiles/", $name, ".toml")))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "aquera"
    "rfc"
    "strict"
    "no-partial-update"
    "patch-405"
    "patch-501"
    "patch-400"
    "patch-ignored-200"
    "patch-ignored-204"
    "patch-lies-200"
    "patch-then-404"
    "no-put"
    "no-delete"
    "delete-deactivates"
    "disable-deletes"
    "no-title"
    "no-title-echoed"
    "no-external-id"
    "external-id-read-only"
    "drops-email-type"
    "family-name-ignored"
    "swallows-dotted-paths"
    "put-clears-active"
    "schemas-optional"
    "aws-identity-center"
    "google-cloud-identity"
    "snowflake"
    "snowflake-2025"
    "slack"
    "salesforce"
    "github-emu"
    "github-organization"
    "atlassian"
    "databricks"
    "miro"
    "hcp-terraform"
    "canva"
    "pagerduty"
    "authentik"
    "sailpoint-iiq"
    "fusionauth-2784"
    "fusionauth-3311"
    "wso2-5079"
    "unitycatalog-423"
    "cogtrix-122"
    "langfuse-13245"
    "thunderid-5110"
    "vouch-1415"
    "gestalt-3132"
];

// A built-in file that doesn't parse would be missing here; a test counts them.
static BUILTINS: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    FILES.iter().filter_map(|(_, text)| super::read::profile(text, &mut Place::default()).ok()).collect()
});

impl Profile {
    /// The profile with this name that comes with the program.
    pub fn builtin(name: &str) -> Option<Self> {
        // Parsed alone: a program that starts needs one of them.
        super::read::profile(text(name)?, &mut Place::default()).ok()
    }

    /// All that come with the program, the well-behaved ones first.
    pub fn builtins() -> &'static [Self] {
        &BUILTINS
    }

    /// The built-in name that looks most like `name`.
    pub fn nearest(name: &str) -> Option<&'static str> {
        nearest(name, FILES.iter().map(|(name, _)| *name))
    }
}

/// The text of a built-in profile.
pub(super) fn text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_file_is_a_profile_with_its_sources() {
        for (name, text) in FILES {
            match Profile::from_toml(text) {
                Ok(profile) => assert_eq!(profile.name, *name),
                Err(error) => panic!("{error} in {name}"),
            }
        }
        assert_eq!(Profile::builtins().len(), FILES.len());
        for profile in Profile::builtins() {
            let regular = ["aquera", "rfc"].contains(&profile.name.as_str());
            assert_eq!(profile.deviations.is_empty(), regular, "{}", profile.name);
            assert_eq!(profile.source.is_none(), regular, "{}", profile.name);
            assert_eq!(profile.date.is_none(), regular, "{}", profile.name);
        }
    }

    #[test]
    fn the_default_is_aquera() {
        assert_eq!(Profile::builtin("aquera"), Some(Profile::default()));
    }

    #[test]
    fn an_unknown_profile_has_a_nearest_name() {
        assert_eq!(Profile::nearest("no-partial-updates"), Some("no-partial-update"));
        assert_eq!(Profile::nearest("qqqqq"), None);
    }
}
