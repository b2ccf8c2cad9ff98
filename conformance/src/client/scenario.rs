//! Scenarios: what happens at the identity source, and what the mock does meanwhile.
//!
//! A scenario has people of its own, so that the accounts of others do not disturb it, and the mock keeps all accounts
//! for the whole run: a provisioner is configured once, and may remember what it did.

use std::collections::BTreeMap;

use mock_aquera::{Fault, ParseFaultError, Profile};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json_text::JsonText;
use crate::mutants::load::ProfileError;
use crate::select::{SlugError, check_slug};

/// A file of scenarios.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFile {
    /// The scenarios, in the order of the run.
    pub scenario: Vec<Scenario>,
}

/// A person at the identity source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Person {
    /// The id at the source, which never changes.
    #[serde(default)]
    pub id: String,
    /// The user name.
    pub user_name: String,
    /// The first name.
    pub given_name: String,
    /// The last name.
    pub family_name: String,
    /// The title; none where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The e-mail address at work; none where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether the account is enabled.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

/// A change of a person's attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct PersonChange {
    /// The user name.
    pub user_name: Option<String>,
    /// The first name.
    pub given_name: Option<String>,
    /// The last name.
    pub family_name: Option<String>,
    /// The title.
    pub title: Option<String>,
    /// The e-mail address at work.
    pub email: Option<String>,
    /// Whether the account is enabled.
    pub enabled: Option<bool>,
}

/// A scenario as it is written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// A stable name: a-z, 0-9 and hyphens.
    pub slug: String,
    /// The scenario in a sentence.
    pub title: String,
    /// The people in it, by the names that steps and cases use.
    pub people: BTreeMap<String, Person>,
    /// Accounts that are at the mock before, as JSON texts. Those that are no person's are strangers.
    #[serde(default)]
    pub(crate) accounts: Vec<JsonText>,
    /// The mock's profile for the whole scenario; `rfc` where it isn't said.
    pub profile: Option<String>,
    /// Laid over that profile.
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    pub profile_with: Option<toml::Table>,
    /// The scenario is always played, because the others depend on it.
    #[serde(default)]
    pub always: bool,
    /// The scenario may leave accounts behind, so its people leave the source at the end, under the profile `rfc`,
    /// unjudged.
    #[serde(default)]
    pub tidy: bool,
    /// The steps.
    pub step: Vec<Step>,
}

/// A step: a change at the source, and then a sync.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Step {
    /// A name within the scenario: a-z, 0-9 and hyphens.
    pub slug: String,
    /// An additional instruction for the person who carries the step out.
    pub note: Option<String>,
    /// The people who are added at the source.
    pub create: Vec<String>,
    /// The people who change at the source.
    pub change: BTreeMap<String, PersonChange>,
    /// The people who leave the source.
    pub remove: Vec<String>,
    /// The mock follows this profile from now on.
    pub profile: Option<String>,
    /// The faults of this step: rules of the mock.
    pub faults: Vec<String>,
    /// The accounts of these vanish from the mock before the step.
    pub vanish: Vec<String>,
    /// Members of the accounts of people to set at the mock before the step, as JSON text.
    pub(crate) edit: BTreeMap<String, JsonText>,
}

impl Scenario {
    /// Returns the profile of the mock for a step, or before the first one.
    ///
    /// # Errors
    /// There is no such profile, or the table over it is invalid.
    pub fn profile(&self, name: Option<&str>) -> Result<Profile, ScenarioError> {
        let base = name.or(self.profile.as_deref()).unwrap_or("rfc");
        let mut text = format!("name = \"client\"\nsummary = \"a scenario\"\nextends = {base:?}\n");
        let invalid = |source| ScenarioError::Profile { profile: base.to_owned(), source };
        if let Some(table) = &self.profile_with {
            text.push_str(&toml::to_string(table).map_err(|error| invalid(error.into()))?);
        }
        Profile::from_toml(&text).map_err(|error| invalid(error.into()))
    }

    /// Returns the number of steps, those of the clean-up included.
    pub fn steps(&self) -> usize {
        self.step.len() + usize::from(self.tidy)
    }

    /// Returns the id of a person at the source.
    pub fn id_of(&self, name: &str) -> String {
        format!("{}-{name}", self.slug)
    }

    /// Checks the names, the profiles and the faults of the steps.
    pub(crate) fn check(&self) -> Result<(), ScenarioError> {
        check_slug(&self.slug)?;
        self.profile(None)?;
        if self.step.is_empty() {
            return Err(ScenarioError::NoStep);
        }
        for (at, step) in self.step.iter().enumerate() {
            check_slug(&step.slug)?;
            let invalid = |source| ScenarioError::Step { step: step.slug.clone(), source: Box::new(source) };
            if self.step[..at].iter().any(|other| other.slug == step.slug) {
                return Err(invalid(ScenarioError::Twice));
            }
            if let Some(profile) = &step.profile {
                self.profile(Some(profile)).map_err(invalid)?;
            }
            for rule in &step.faults {
                rule.parse::<Fault>()
                    .map_err(|source| invalid(ScenarioError::Fault { fault: rule.clone(), source }))?;
            }
            let named = step.create.iter().chain(step.change.keys()).chain(&step.remove).chain(&step.vanish);
            if let Some(nobody) = named.chain(step.edit.keys()).find(|name| !self.people.contains_key(*name))
            {
                return Err(invalid(ScenarioError::Person(nobody.clone())));
            }
            if let Some((person, _)) = step.edit.iter().find(|(_, JsonText(edit))| !edit.is_object()) {
                return Err(invalid(ScenarioError::Edit(person.clone())));
            }
        }
        Ok(())
    }
}

/// The reason why a scenario is invalid.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The slug of the scenario or of a step is invalid.
    #[error(transparent)]
    Slug(#[from] SlugError),
    /// The scenario has no step.
    #[error("`step` is empty: nothing happens")]
    NoStep,
    /// A step is invalid.
    #[error("step `{step}`")]
    Step {
        /// The step.
        step: String,
        /// The cause.
        source: Box<ScenarioError>,
    },
    /// Two steps have the same slug.
    #[error("another step has this slug")]
    Twice,
    /// The mock refuses a profile.
    #[error("invalid profile `{profile}`")]
    Profile {
        /// The profile.
        profile: String,
        /// The cause.
        source: ProfileError,
    },
    /// The mock refuses a fault.
    #[error("invalid fault `{fault}`")]
    Fault {
        /// The fault.
        fault: String,
        /// The cause.
        source: ParseFaultError,
    },
    /// A step names nobody of the scenario.
    #[error("unknown person `{0}`: expected one of `people`")]
    Person(String),
    /// An edit of an account is no JSON object.
    #[error("invalid `edit` of `{0}`: expected a JSON object")]
    Edit(String),
}

/// The source: who is there, by their name in the scenario.
pub type Source = BTreeMap<String, Person>;

/// Applies a step to the source.
pub fn advance(scenario: &Scenario, step: &Step, source: &mut Source) {
    for name in &step.create {
        if let Some(person) = scenario.people.get(name) {
            let id = scenario.id_of(name);
            source.insert(name.clone(), Person { id, ..person.clone() });
        }
    }
    for (name, change) in &step.change {
        if let Some(person) = source.get_mut(name) {
            let set = |place: &mut String, new: &Option<String>| {
                if let Some(new) = new {
                    place.clone_from(new);
                }
            };
            set(&mut person.user_name, &change.user_name);
            set(&mut person.given_name, &change.given_name);
            set(&mut person.family_name, &change.family_name);
            person.title = change.title.clone().or_else(|| person.title.take());
            person.email = change.email.clone().or_else(|| person.email.take());
            person.enabled = change.enabled.unwrap_or(person.enabled);
        }
    }
    for name in &step.remove {
        source.remove(name);
    }
}

/// Returns the instructions for the source, in plain words.
pub fn instructions(step: &Step, before: &Source, after: &Source) -> String {
    let mut lines: Vec<String> = step.note.iter().cloned().collect();
    for name in &step.create {
        if let Some(person) = after.get(name) {
            let mut line = format!(
                "Create a user: user name {}, first name {}, last name {}",
                person.user_name, person.given_name, person.family_name
            );
            for (what, value) in [("title", &person.title), ("e-mail", &person.email)] {
                if let Some(value) = value {
                    append!(line, ", {what} {value}");
                }
            }
            line.push_str(if person.enabled { "." } else { "; disabled." });
            lines.push(line);
        }
    }
    for name in step.change.keys() {
        let (Some(was), Some(is)) = (before.get(name), after.get(name)) else { continue };
        let mut changes = Vec::new();
        for (what, old, new) in [
            ("the user name", Some(&was.user_name), Some(&is.user_name)),
            ("the first name", Some(&was.given_name), Some(&is.given_name)),
            ("the last name", Some(&was.family_name), Some(&is.family_name)),
            ("the title", was.title.as_ref(), is.title.as_ref()),
            ("the e-mail address", was.email.as_ref(), is.email.as_ref()),
        ] {
            if let Some(new) = new.filter(|_| old != new) {
                changes.push(format!("{what} to {new}"));
            }
        }
        if !changes.is_empty() {
            lines.push(format!("Change the user {}: {}.", was.user_name, changes.join(", ")));
        }
        if was.enabled != is.enabled {
            lines.push(format!(
                "{} the user {}.",
                if is.enabled { "Enable" } else { "Disable" },
                is.user_name
            ));
        }
    }
    for name in &step.remove {
        if let Some(person) = before.get(name) {
            lines.push(format!("Remove the user {}.", person.user_name));
        }
    }
    if step.create.is_empty() && step.change.is_empty() && step.remove.is_empty() {
        lines.push("Change nothing.".to_owned());
    }
    lines.push("Then run a sync of the provisioner, or wait until it runs by itself.".to_owned());
    lines.join("\n")
}
