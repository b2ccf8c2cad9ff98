//! Scenarios: what happens at the source, at the target and to the configuration, and when a run is made.
//!
//! A scenario is a list of steps over symbols. The same list drives the model and the real thing; it holds no
//! expectation of its own.

mod attributes;
mod basic;
mod connection;
pub mod faults;
mod groups;
mod people;
mod removals;
mod requests;
mod sequences;
mod upkeep;

use std::collections::BTreeSet;

pub(crate) use people::everything;

use crate::casing::lower_case;
use crate::matrix::model::{Expectation, FaultRule, Fields, Method, Options, Rule, User, World, builtin};
use crate::matrix::setting::Setting;

/// A change at the target that is none of our doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// The account is deleted.
    Remove,
    /// `active` becomes false.
    Deactivate,
    /// Adds an attribute that no mapping writes.
    Decorate,
    /// Adds the user to this group.
    Join(&'static str),
}

/// The value that [`Edit::Decorate`] writes to `displayName`.
pub const DECORATION: &str = "kept as it is";

/// A step.
#[derive(Debug, Clone)]
pub enum Step {
    /// A user is at the source from now on, like this.
    Put(User),
    /// The user of this id is gone from the source.
    Drop(&'static str),
    /// The rules of the connection.
    Rules(Vec<Rule>),
    /// The preferences.
    Prefer(Setting),
    /// The toggle.
    Toggle(bool),
    /// `clear-missing-attributes`.
    ClearMissing(bool),
    /// `external-id`.
    ExternalId(bool),
    /// `exclude`.
    Exclude(&'static str),
    /// `max-removals`.
    MaxRemovals(usize),
    /// Configures another source file with the same users.
    SourceFile(u8),
    /// Whether the source file can be read.
    Readable(bool),
    /// The application takes our credentials, or no longer.
    Credentials(bool),
    /// `update-method`.
    UpdateMethod(Method),
    /// The other authentication profile, at the connection and at the applications.
    OtherAuthentication,
    /// The SCIM URL names this application.
    PointAt(usize),
    /// An account is at an application without our doing.
    Seed(usize, Fields, bool),
    /// Changes the account of this user name as another client would.
    Edit(&'static str, Edit),
    /// A fault at the application.
    Fault(FaultRule),
    /// No fault any more.
    ClearFaults,
    /// The target behaves like another profile from now on.
    Profile(&'static str),
    /// A person tests the connection.
    TestConnection,
    /// A run.
    Sync(Options),
}

/// A scenario.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// The stable name.
    pub slug: &'static str,
    /// The title in a few words.
    pub title: &'static str,
    /// Whether the scenario is one of the design's table, run under every setting and authentication, or one of its
    /// sequences.
    pub basic: bool,
    /// About attributes: run by every method under the profiles that are.
    pub of_attributes: bool,
    /// The settings it is run under.
    pub fits: fn(Setting) -> bool,
    /// Returns the steps under a setting.
    pub steps: fn(Setting) -> Vec<Step>,
}

/// Returns all scenarios: the basic ones in the order of tables, then the sequences.
pub fn all() -> Vec<Scenario> {
    let mut scenarios = basic::scenarios();
    scenarios.extend(sequences::scenarios());
    scenarios.extend(upkeep::scenarios());
    scenarios.extend(removals::scenarios());
    scenarios.extend(requests::scenarios());
    scenarios.extend(groups::scenarios());
    scenarios.extend(connection::scenarios());
    scenarios.extend(attributes::scenarios());
    scenarios
}

/// Returns the basic scenarios.
pub fn basics() -> Vec<Scenario> {
    basic::scenarios()
}

/// Returns any user.
pub(crate) fn somebody() -> User {
    people::mona()
}

impl World {
    /// Carries out one step. Returns the expectation of a run.
    pub fn step(&mut self, step: &Step) -> Option<Expectation> {
        match step {
            Step::Put(user) => drop(self.source.insert(user.id.clone(), user.clone())),
            Step::Drop(id) => drop(self.source.remove(*id)),
            Step::Rules(rules) => self.rules.clone_from(rules),
            Step::Prefer(setting) => self.setting = *setting,
            Step::Toggle(on) => self.enabled = *on,
            Step::ClearMissing(on) => self.clear_missing = *on,
            Step::ExternalId(on) => self.external_id = *on,
            Step::Exclude(name) => self.exclude = BTreeSet::from([lower_case(name)]),
            Step::MaxRemovals(count) => self.max_removals = *count,
            Step::SourceFile(number) => self.source_file = *number,
            Step::Readable(readable) => self.source_readable = *readable,
            Step::Credentials(accepted) => self.credentials_accepted = *accepted,
            Step::UpdateMethod(method) => self.change_method(*method),
            Step::OtherAuthentication => self.change_authentication(),
            Step::PointAt(application) => self.point_at(*application),
            Step::Seed(application, fields, active) => drop(self.seed(*application, fields.clone(), *active)),
            Step::Edit(user_name, edit) => self.edit(user_name, *edit),
            Step::Fault(fault) => self.fault(*fault),
            Step::ClearFaults => self.faults.clear(),
            Step::Profile(name) => {
                if let Some(profile) = builtin(name) {
                    self.change_profile(profile);
                }
            }
            Step::TestConnection => self.test_connection(),
            Step::Sync(options) => return Some(self.sync(*options)),
        }
        None
    }

    fn edit(&mut self, user_name: &str, edit: Edit) {
        let url = self.url;
        let of_this_name = self.accounts().iter().filter(|account| account.fields.user_name == user_name);
        let keys: Vec<_> = of_this_name.map(|account| account.key).collect();
        for key in keys {
            match (edit, self.account_mut(key)) {
                (Edit::Remove, _) => self.forget_account(key),
                (Edit::Join(group), _) => {
                    self.groups[url].entry(group.to_owned()).or_default().insert(key);
                }
                (Edit::Deactivate, Some(account)) => account.active = false,
                (Edit::Decorate, Some(account)) => account.unmapped = Some(DECORATION.to_owned()),
                (Edit::Deactivate | Edit::Decorate, None) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::model::{Behaviour, Method, builtins};

    #[test]
    fn slugs_are_unique_and_every_scenario_has_a_setting() {
        let scenarios = all();
        let slugs: BTreeSet<_> = scenarios.iter().map(|scenario| scenario.slug).collect();
        assert_eq!(slugs.len(), scenarios.len());
        assert_eq!(basics().len(), 17);
        for scenario in &scenarios {
            assert!(Setting::valid().into_iter().any(scenario.fits), "{} fits no setting", scenario.slug);
        }
    }

    /// After the last step a run says nothing new: it writes nothing and lists nobody who has not failed.
    #[test]
    fn model_writes_nothing_after_the_last_step() {
        for scenario in all() {
            for setting in Setting::valid().into_iter().filter(|setting| (scenario.fits)(*setting)) {
                let fits = |profile: &&Behaviour| !profile.of_attributes || everything(setting);
                for profile in builtins().iter().filter(fits) {
                    for method in Method::ALL {
                        let mut world = World::new(*profile, method, setting);
                        for step in (scenario.steps)(setting) {
                            world.step(&step);
                        }
                        world.sync(Options::default());
                        let last = world.sync(Options::default());
                        let id = format!("{}/{}/{}/{setting}", scenario.slug, profile.name, method.as_str());
                        assert!(
                            last.lines
                                .values()
                                .all(|line| line.outcome == crate::matrix::model::Outcome::Failed),
                            "{id}: {last:?}"
                        );
                        assert!(last.writes.is_empty() || last.exit == 1, "{id}: {last:?}");
                    }
                }
            }
        }
    }
}
