//! Profiles: what each of the two hops accepts, as data (ARCHITECTURE.md, "The mock's two hops").
//!
//! A profile is an approximation drawn from public sources, never a certified copy of a product. Every deviation
//! from the RFC names where it was seen.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::nearest::nearest;

/// How an application behaves at both hops. [`Profile::builtin`] has the ones that come with the program.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// The name, in kebab-case.
    pub name: String,
    /// The behaviour in a line.
    pub summary: String,
    /// Whether the `ServiceProviderConfig` claims PATCH; true or not is another matter.
    pub advertises_patch: bool,
    /// The first hop.
    #[serde(default)]
    pub gateway: GatewayRules,
    /// The second hop.
    #[serde(default)]
    pub application: ApplicationRules,
    /// Where it departs from the RFC.
    #[serde(default, rename = "deviation")]
    pub deviations: Vec<Deviation>,
}

/// One departure from the RFC.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Deviation {
    /// What differs from what the RFC asks for.
    pub deviation: String,
    /// The section that it departs from.
    pub spec: String,
    /// Where it was seen.
    pub source: String,
}

/// What the gateway does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GatewayRules {
    /// What becomes of a PATCH.
    pub patch: PatchRule,
    /// What becomes of a PUT.
    pub put: PutRule,
    /// What becomes of a DELETE.
    pub delete: DeleteRule,
    /// As what a change of `active` leaves the gateway.
    pub active_change: ActiveChange,
}

/// What the application behind the gateway does with an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ApplicationRules {
    /// What becomes of a partial update.
    pub partial_update: PartialUpdateRule,
    /// What becomes of a delete.
    pub delete: DownstreamDelete,
}

/// What the gateway does with a PATCH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PatchRule {
    /// Carries it out.
    #[default]
    Works,
    /// Answers 400 `invalidSyntax`.
    #[serde(rename = "answers-400")]
    Answers400,
    /// Answers 405.
    #[serde(rename = "answers-405")]
    Answers405,
    /// Answers 501.
    #[serde(rename = "answers-501")]
    Answers501,
    /// Changes nothing and answers 200 with the unchanged user.
    #[serde(rename = "ignored-200")]
    Ignored200,
    /// Changes nothing and answers 204.
    #[serde(rename = "ignored-204")]
    Ignored204,
    /// Changes nothing and answers 200 with the user as it would be.
    #[serde(rename = "lies-200")]
    Lies200,
    /// Carries it out and then answers a SCIM 404.
    #[serde(rename = "applied-then-404")]
    AppliedThen404,
}

/// What the gateway does with a PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PutRule {
    /// Carries it out.
    #[default]
    Works,
    /// Answers a 404 in HTML, as for a path that doesn't exist.
    #[serde(rename = "html-404")]
    Html404,
}

/// What the gateway does with a DELETE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeleteRule {
    /// Carries it out.
    #[default]
    Works,
    /// Answers 405.
    #[serde(rename = "answers-405")]
    Answers405,
}

/// As what a change of `active` leaves the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActiveChange {
    /// As a partial update, also when it came as a PUT.
    #[default]
    PartialUpdate,
    /// As a replacement of the whole account.
    Replace,
    /// A change to `false` as a delete (`deleteOnDeactivation`), one to `true` as a partial update.
    Delete,
}

/// What the application does with a partial update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartialUpdateRule {
    /// Takes it.
    #[default]
    Accepted,
    /// Has no such operation; the gateway answers 501.
    #[serde(rename = "refused-501")]
    Refused501,
}

/// What the application does with a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DownstreamDelete {
    /// Removes the account.
    #[default]
    Removes,
    /// Keeps it, readable and listed, with `active: false`.
    Deactivates,
}

/// The files of the built-in profiles.
const FILES: [&str; 13] = [
    include_str!("../profiles/aquera.toml"),
    include_str!("../profiles/no-partial-update.toml"),
    include_str!("../profiles/patch-405.toml"),
    include_str!("../profiles/patch-501.toml"),
    include_str!("../profiles/patch-400.toml"),
    include_str!("../profiles/patch-ignored-200.toml"),
    include_str!("../profiles/patch-ignored-204.toml"),
    include_str!("../profiles/patch-lies-200.toml"),
    include_str!("../profiles/patch-then-404.toml"),
    include_str!("../profiles/no-put.toml"),
    include_str!("../profiles/no-delete.toml"),
    include_str!("../profiles/delete-deactivates.toml"),
    include_str!("../profiles/disable-deletes.toml"),
];

// A built-in file that doesn't parse would be missing here; a test counts them.
static BUILTINS: LazyLock<Vec<Profile>> =
    LazyLock::new(|| FILES.iter().filter_map(|text| Profile::from_toml(text).ok()).collect());

impl Profile {
    /// The profile with this name that comes with the program.
    pub fn builtin(name: &str) -> Option<Self> {
        Self::builtins().iter().find(|profile| profile.name == name).cloned()
    }

    /// All that come with the program, the well-behaved one first.
    pub fn builtins() -> &'static [Self] {
        &BUILTINS
    }

    /// The built-in name that looks most like `name`.
    pub fn nearest(name: &str) -> Option<&'static str> {
        nearest(name, Self::builtins().iter().map(|profile| profile.name.as_str()))
    }

    /// Reads a profile file.
    ///
    /// # Errors
    /// What is wrong, with its line and column, and the nearest name for a key or value that doesn't exist.
    pub fn from_toml(text: &str) -> Result<Self, ProfileError> {
        toml::from_str(text).map_err(|error| ProfileError::new(text, &error))
    }
}

impl Default for Profile {
    /// `aquera`: everything works.
    fn default() -> Self {
        Self {
            name: "aquera".to_owned(),
            summary: "everything works".to_owned(),
            advertises_patch: true,
            gateway: GatewayRules::default(),
            application: ApplicationRules::default(),
            deviations: Vec::new(),
        }
    }
}

/// Why a text is no [`Profile`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ProfileError {
    line: usize,
    column: usize,
    message: String,
}

impl ProfileError {
    fn new(text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let before = text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let message = error.message().trim_end();
        let message = match suggestion(message) {
            Some(name) => format!("{message}; did you mean `{name}`?"),
            None => message.to_owned(),
        };
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message,
        }
    }
}

/// The message for a name that no built-in profile has.
pub(crate) fn unknown(name: &str) -> String {
    match Profile::nearest(name) {
        Some(nearest) => format!("no profile is called `{name}`; did you mean `{nearest}`?"),
        None => format!("no profile is called `{name}`; `mock-aquera profiles` lists them"),
    }
}

/// serde names the unknown word first and the known ones after it, all in backticks.
fn suggestion(message: &str) -> Option<&str> {
    if !message.starts_with("unknown") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let written = quoted.next()?;
    nearest(written, quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_file_is_a_profile_with_its_sources() {
        for text in FILES {
            if let Err(error) = Profile::from_toml(text) {
                panic!("{error} in\n{text}");
            }
        }
        assert_eq!(Profile::builtins().len(), FILES.len());
        for profile in Profile::builtins() {
            assert_eq!(profile.deviations.is_empty(), profile.name == "aquera", "{}", profile.name);
        }
    }

    #[test]
    fn the_default_is_aquera() {
        assert_eq!(Profile::builtin("aquera"), Some(Profile::default()));
    }

    #[test]
    fn an_unknown_word_gets_its_place_and_the_nearest_name() {
        #[track_caller]
        fn check(text: &str, parts: &[&str]) {
            let error = Profile::from_toml(text).unwrap_err().to_string();
            for part in parts {
                assert!(error.contains(part), "{error} lacks {part}");
            }
        }
        let head = "name = \"x\"\nsummary = \"y\"\nadvertises-patch = true\n";
        check(
            &format!("{head}advertises-put = true\n"),
            &["line 4", "`advertises-put`", "did you mean `advertises-patch`?"],
        );
        check(
            &format!("{head}[gateway]\n  patsh = \"works\"\n"),
            &["line 5, column 3", "did you mean `patch`?"],
        );
        check(&format!("{head}[gateway]\npatch = \"ignored-20\"\n"), &["line 5", "did you mean `ignored-20"]);
        check("name = \"x\"\n", &["missing field `summary`"]);
        check("name = \n", &["line 1"]);
    }

    #[test]
    fn an_unknown_profile_has_a_nearest_name() {
        assert_eq!(Profile::nearest("no-partial-updates"), Some("no-partial-update"));
        assert_eq!(Profile::nearest("qqqqq"), None);
    }
}
