//! The cast, the rules, and the openings that scenarios share.

use std::collections::{BTreeMap, BTreeSet};

use crate::casing::lower_case;
use crate::matrix::model::{Attribute, Fields, Options, Rule, User};
use crate::matrix::scenario::{Edit, Scenario, Step};
use crate::matrix::setting::{RemoveAction, Setting};

pub(super) const MONA: &str = "u-1";
pub(super) const MONA_NAME: &str = "mona@example.com";
pub(super) const NILS: &str = "u-2";
pub(super) const NILS_NAME: &str = "nils@example.com";
/// The source id of a re-hire or a namesake.
pub(super) const NEWCOMER: &str = "u-9";
pub(super) const EMPLOYEES: &str = "employees";
pub(super) const CONTRACTORS: &str = "contractors";
/// A population that no rule holds.
pub(super) const ALUMNI: &str = "alumni";

fn person(id: &str, user_name: &str, given: &str) -> User {
    User {
        id: id.to_owned(),
        user_name: user_name.to_owned(),
        enabled: true,
        population: EMPLOYEES.to_owned(),
        groups: BTreeSet::new(),
        attributes: BTreeMap::from([
            (Attribute::Title, "Engineer".to_owned()),
            (Attribute::Given, given.to_owned()),
            (Attribute::Email, lower_case(&format!("{given}@mail.example.com"))),
        ]),
    }
}

pub(super) fn mona() -> User {
    person(MONA, MONA_NAME, "Mona")
}

pub(super) fn nils() -> User {
    person(NILS, NILS_NAME, "Nils")
}

/// Returns a new user with Mona's user name.
pub(super) fn newcomer() -> User {
    User { id: NEWCOMER.to_owned(), ..mona() }
}

impl User {
    pub(super) fn disabled(self) -> Self {
        Self { enabled: false, ..self }
    }

    /// Returns the user with another title and another e-mail address.
    pub(super) fn changed(self) -> Self {
        self.with(Attribute::Title, "Director").with(Attribute::Email, "second@mail.example.com")
    }

    pub(super) fn with(mut self, attribute: Attribute, value: &str) -> Self {
        self.attributes.insert(attribute, value.to_owned());
        self
    }

    pub(super) fn without(mut self, attribute: Attribute) -> Self {
        self.attributes.remove(&attribute);
        self
    }

    pub(super) fn named(self, user_name: &str) -> Self {
        Self { user_name: user_name.to_owned(), ..self }
    }

    pub(super) fn of(self, population: &str) -> Self {
        Self { population: population.to_owned(), ..self }
    }

    /// Returns the fields of the account that this user should have.
    pub(super) fn fields(&self) -> Fields {
        Fields {
            user_name: self.user_name.clone(),
            external_id: Some(self.id.clone()),
            attributes: self.attributes.clone(),
            ..Fields::default()
        }
    }

    /// Returns the fields of an account that somebody else created for this user: no `externalId`, another title.
    pub(super) fn foreign_fields(&self) -> Fields {
        Fields { external_id: None, ..self.clone().with(Attribute::Title, "Old title").fields() }
    }
}

pub(super) fn rule(name: &str, population: &str) -> Rule {
    Rule {
        name: name.to_owned(),
        enabled: true,
        population: Some(population.to_owned()),
        group: None,
        mapped: None,
    }
}

pub(super) fn two_rules() -> Vec<Rule> {
    vec![rule(EMPLOYEES, EMPLOYEES), rule(CONTRACTORS, CONTRACTORS)]
}

/// Returns a run that may empty a rule, because a rule with one user loses its only one.
pub(super) fn sync() -> Step {
    Step::Sync(Options { allow_empty_scope: true, ..Options::default() })
}

/// Returns a run that may not empty a rule.
pub(super) fn careful_sync() -> Step {
    Step::Sync(Options::default())
}

pub(super) fn full_sync() -> Step {
    Step::Sync(Options { full: true, allow_empty_scope: true, ..Options::default() })
}

/// Returns one of several users without a role of their own.
pub(super) fn extra(number: u8) -> User {
    person(&format!("u-1{number}"), &format!("extra{number}@example.com"), "Extra")
}

/// These users have accounts of ours that carry what they should. Where the setting does not create, the accounts
/// were there before, and just as they should be. Each account also has an attribute that no mapping writes.
pub(super) fn linked(setting: Setting, users: &[User]) -> Vec<Step> {
    let mut steps = vec![Step::Rules(two_rules())];
    for user in users {
        if !setting.creation {
            steps.push(Step::Seed(0, user.fields(), true));
        }
        steps.push(Step::Put(user.clone()));
    }
    steps.push(sync());
    for user in users {
        let name = if user.user_name == NILS_NAME { NILS_NAME } else { MONA_NAME };
        steps.push(Step::Edit(name, Edit::Decorate));
    }
    steps
}

/// Returns steps that link Mona, and then these steps.
pub(super) fn after_mona(setting: Setting, then: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let mut steps = linked(setting, &[mona()]);
    steps.extend(then);
    steps
}

/// Returns steps that link Mona and Nils, and then these steps.
pub(super) fn after_both(setting: Setting, then: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let mut steps = linked(setting, &[mona(), nils()]);
    steps.extend(then);
    steps
}

/// Returns a scenario of the basic table.
pub(super) fn basic(slug: &'static str, title: &'static str, steps: fn(Setting) -> Vec<Step>) -> Scenario {
    Scenario { slug, title, basic: true, of_attributes: false, fits: |_| true, steps }
}

/// Returns a scenario of the other sequences.
pub(super) fn sequence(
    slug: &'static str,
    title: &'static str,
    fits: fn(Setting) -> bool,
    steps: fn(Setting) -> Vec<Step>,
) -> Scenario {
    Scenario { slug, title, basic: false, of_attributes: false, fits, steps }
}

/// Whether all preferences are on.
pub(crate) fn everything(setting: Setting) -> bool {
    setting.creation && setting.disables() && setting.deprovision && setting.on_rule_deletion
}

/// Whether all preferences are on, with Remove Action *Disable*.
pub(super) fn by_disable(setting: Setting) -> bool {
    everything(setting) && setting.remove_action == RemoveAction::Disable
}

/// Whether creation is on, and nobody is removed on rule deletion: one setting for each method to update and to
/// remove.
pub(super) fn each_way(setting: Setting) -> bool {
    setting.creation && !setting.on_rule_deletion
}

/// Whether all preferences are on, with either Remove Action; or creation alone, with or without updates.
pub(super) fn typical(setting: Setting) -> bool {
    let plain = setting.creation && !setting.disable && !setting.deprovision;
    everything(setting) || plain
}

/// Whether deprovision is on.
pub(super) fn removes(setting: Setting) -> bool {
    setting.creation && setting.deprovision && setting.on_rule_deletion
}

/// Returns the setting without deprovision and its dependent preferences.
pub(super) fn without_deprovision(setting: Setting) -> Setting {
    Setting { deprovision: false, remove_action: RemoveAction::Delete, on_rule_deletion: false, ..setting }
}

/// Returns the setting with the other Remove Action.
pub(super) fn other_action(setting: Setting) -> Setting {
    let remove_action = match setting.remove_action {
        RemoveAction::Delete => RemoveAction::Disable,
        RemoveAction::Disable => RemoveAction::Delete,
    };
    Setting { remove_action, ..setting }
}
