//! The connection preferences: sixty-four settings can be written down, twenty-two mean something.
//!
//! [`Preferences`] can hold those twenty-two only. [`RawPreferences`] is the form in a file; its conversion names every
//! contradiction at once. The policy defines the effect of each setting.

use serde::{Deserialize, Serialize};

/// The *Remove Action*: the change of an account whose user is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemoveAction {
    /// The account is deleted.
    Delete,
    /// The account stays, inactive.
    Disable,
}

/// A valid setting of the preferences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Preferences {
    /// *Enable users creation*.
    pub creation: bool,
    /// *Enable users updation*, and what depends on it.
    pub updation: Updation,
}

/// *Enable users updation* with its child *Enable users disable*; each with the deprovisioning that it leaves possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Updation {
    /// No account is updated.
    Off(Option<DeleteOnly>),
    /// Attributes are updated, `active` is not.
    Attributes(Option<DeleteOnly>),
    /// Attributes are updated, and users are disabled and enabled.
    AttributesAndDisable(Option<Deprovision>),
}

/// *Enable users deprovision* where disabling is off: the Remove Action can only be Delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeleteOnly {
    /// *Deprovision on rule deletion*.
    pub on_rule_deletion: bool,
}

/// *Enable users deprovision* with its Remove Action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deprovision {
    /// *Remove Action*.
    pub remove_action: RemoveAction,
    /// *Deprovision on rule deletion*.
    pub on_rule_deletion: bool,
}

/// The six preferences as a person writes them; a missing one is `false`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RawPreferences {
    /// *Enable users creation*.
    pub enable_users_creation: bool,
    /// *Enable users updation*.
    pub enable_users_updation: bool,
    /// *Enable users disable*.
    pub enable_users_disable: bool,
    /// *Enable users deprovision*.
    pub enable_users_deprovision: bool,
    /// *Remove Action*.
    pub remove_action: Option<RemoveAction>,
    /// *Deprovision on rule deletion*.
    pub deprovision_on_rule_deletion: bool,
}

/// Two preferences that cannot both be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Contradiction {
    /// Disable is on, its parent updation is off.
    #[error("`enable-users-disable` is on while `enable-users-updation` is off")]
    DisableWithoutUpdation,
    /// Remove Action is Disable, deprovisioning is off.
    #[error("`remove-action` is \"disable\" while `enable-users-deprovision` is off")]
    RemoveActionWithoutDeprovision,
    /// Remove Action is Disable, disabling is off.
    #[error("`remove-action` is \"disable\" while `enable-users-disable` is off")]
    RemoveActionWithoutDisable,
    /// Both Remove Actions are possible and none was chosen.
    #[error("`remove-action` is missing, and both delete and disable are possible")]
    RemoveActionMissing,
    /// Deprovision on rule deletion is on, deprovisioning is off.
    #[error("`deprovision-on-rule-deletion` is on while `enable-users-deprovision` is off")]
    RuleDeletionWithoutDeprovision,
}

impl Contradiction {
    /// Returns the option at fault.
    pub fn option(self) -> &'static str {
        match self {
            Self::DisableWithoutUpdation => "enable-users-disable",
            Self::RemoveActionWithoutDeprovision
            | Self::RemoveActionWithoutDisable
            | Self::RemoveActionMissing => "remove-action",
            Self::RuleDeletionWithoutDeprovision => "deprovision-on-rule-deletion",
        }
    }

    /// Returns the way out.
    pub fn help(self) -> &'static str {
        match self {
            Self::DisableWithoutUpdation => {
                "disabling is part of updating: turn `enable-users-updation` on, or `enable-users-disable` off"
            }
            Self::RemoveActionWithoutDeprovision => {
                "without deprovisioning nothing is removed: turn `enable-users-deprovision` on, or leave \
                 `remove-action` out"
            }
            Self::RemoveActionWithoutDisable => {
                "only deleting is possible here: turn `enable-users-disable` on, or write `remove-action = \"delete\"`"
            }
            Self::RemoveActionMissing => {
                "with disabling and deprovisioning both on, write `remove-action = \"delete\"` or \
                 `remove-action = \"disable\"`"
            }
            Self::RuleDeletionWithoutDeprovision => {
                "without deprovisioning nothing is removed: turn `enable-users-deprovision` on, or \
                 `deprovision-on-rule-deletion` off"
            }
        }
    }
}

impl Preferences {
    /// Whether users are created.
    pub fn creates(self) -> bool {
        self.creation
    }

    /// Whether attributes are updated.
    pub fn updates(self) -> bool {
        !matches!(self.updation, Updation::Off(_))
    }

    /// Whether users are disabled and enabled.
    pub fn disables(self) -> bool {
        matches!(self.updation, Updation::AttributesAndDisable(_))
    }

    /// Returns how users are deprovisioned, if they are.
    pub fn deprovisions(self) -> Option<Deprovision> {
        match self.updation {
            Updation::Off(delete) | Updation::Attributes(delete) => {
                delete.map(|DeleteOnly { on_rule_deletion }| Deprovision {
                    remove_action: RemoveAction::Delete,
                    on_rule_deletion,
                })
            }
            Updation::AttributesAndDisable(deprovision) => deprovision,
        }
    }

    /// Returns the twenty-two valid settings, in the order of [`RawPreferences::all`].
    pub fn all() -> impl Iterator<Item = Self> {
        RawPreferences::all().filter_map(|raw| Self::try_from(raw).ok())
    }
}

impl RawPreferences {
    /// Returns the sixty-four settings that can be written with an explicit Remove Action.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..64_u8).map(|bits| Self {
            enable_users_creation: bits & 32 != 0,
            enable_users_updation: bits & 16 != 0,
            enable_users_disable: bits & 8 != 0,
            enable_users_deprovision: bits & 4 != 0,
            remove_action: Some(if bits & 2 == 0 { RemoveAction::Delete } else { RemoveAction::Disable }),
            deprovision_on_rule_deletion: bits & 1 != 0,
        })
    }

    /// Returns every contradiction in the written setting.
    pub fn contradictions(self) -> Vec<Contradiction> {
        let disable_chosen = self.remove_action == Some(RemoveAction::Disable);
        let mut found = Vec::new();
        if self.enable_users_disable && !self.enable_users_updation {
            found.push(Contradiction::DisableWithoutUpdation);
        }
        if !self.enable_users_deprovision {
            if disable_chosen {
                found.push(Contradiction::RemoveActionWithoutDeprovision);
            }
            if self.deprovision_on_rule_deletion {
                found.push(Contradiction::RuleDeletionWithoutDeprovision);
            }
        } else if !self.enable_users_disable {
            if disable_chosen {
                found.push(Contradiction::RemoveActionWithoutDisable);
            }
        } else if self.remove_action.is_none() {
            found.push(Contradiction::RemoveActionMissing);
        }
        found
    }
}

impl TryFrom<RawPreferences> for Preferences {
    type Error = Vec<Contradiction>;

    fn try_from(raw: RawPreferences) -> Result<Self, Self::Error> {
        let contradictions = raw.contradictions();
        if !contradictions.is_empty() {
            return Err(contradictions);
        }
        let on_rule_deletion = raw.deprovision_on_rule_deletion;
        let delete = raw.enable_users_deprovision.then_some(DeleteOnly { on_rule_deletion });
        let updation = match (raw.enable_users_updation, raw.enable_users_disable) {
            (true, true) => {
                Updation::AttributesAndDisable(raw.enable_users_deprovision.then_some(Deprovision {
                    remove_action: raw.remove_action.unwrap_or(RemoveAction::Delete),
                    on_rule_deletion,
                }))
            }
            (true, false) => Updation::Attributes(delete),
            (false, _) => Updation::Off(delete),
        };
        Ok(Self { creation: raw.enable_users_creation, updation })
    }
}

impl From<Preferences> for RawPreferences {
    fn from(preferences: Preferences) -> Self {
        let deprovision = preferences.deprovisions();
        Self {
            enable_users_creation: preferences.creates(),
            enable_users_updation: preferences.updates(),
            enable_users_disable: preferences.disables(),
            enable_users_deprovision: deprovision.is_some(),
            remove_action: deprovision.map(|deprovision| deprovision.remove_action),
            deprovision_on_rule_deletion: deprovision.is_some_and(|deprovision| deprovision.on_rule_deletion),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn twenty_two_settings_are_valid_and_all_differ() {
        let valid: BTreeSet<Preferences> = Preferences::all().collect();
        assert_eq!(valid.len(), 22);
        assert_eq!(RawPreferences::all().collect::<BTreeSet<_>>().len(), 64);
        assert_eq!(RawPreferences::all().filter(|raw| Preferences::try_from(*raw).is_err()).count(), 42);
        for preferences in valid {
            assert_eq!(Preferences::try_from(RawPreferences::from(preferences)), Ok(preferences));
        }
    }

    #[test]
    fn remove_action_may_be_left_out_where_only_one_is_possible() {
        for raw in RawPreferences::all() {
            let written = Preferences::try_from(raw);
            let left_out = Preferences::try_from(RawPreferences { remove_action: None, ..raw });
            let both_possible = raw.enable_users_disable && raw.enable_users_deprovision;
            if both_possible {
                assert!(left_out.unwrap_err().contains(&Contradiction::RemoveActionMissing), "{raw:?}");
            } else if raw.remove_action == Some(RemoveAction::Delete) {
                assert_eq!(left_out, written, "{raw:?}");
            }
        }
    }

    #[test]
    fn every_contradiction_names_its_option_and_a_way_out() {
        let seen: BTreeSet<Contradiction> = RawPreferences::all()
            .chain([RawPreferences {
                enable_users_updation: true,
                enable_users_disable: true,
                enable_users_deprovision: true,
                ..RawPreferences::default()
            }])
            .flat_map(RawPreferences::contradictions)
            .collect();
        assert_eq!(seen.len(), 5, "{seen:?}");
        for contradiction in seen {
            assert!(contradiction.to_string().contains(contradiction.option()), "{contradiction}");
            assert!(contradiction.help().contains('`'), "{contradiction}");
        }
    }
}
