//! The connection preferences as a person writes them: six flags, 64 settings, 22 of which mean something.
//!
//! Written from the design's section on preferences and the console page, not from the provisioner: whether a
//! setting is refused, and over which options, is part of what the matrix expects.

use std::fmt;

/// The operation at the target for a user that is removed at the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RemoveAction {
    /// The account is deleted.
    Delete,
    /// The account stays, inactive.
    Disable,
}

impl RemoveAction {
    /// Returns the word in `aquera.toml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Disable => "disable",
        }
    }
}

/// One of the 64 raw settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Setting {
    /// *Enable users creation*.
    pub creation: bool,
    /// *Enable users updation*.
    pub updation: bool,
    /// *Enable users disable*.
    pub disable: bool,
    /// *Enable users deprovision*.
    pub deprovision: bool,
    /// *Remove Action*.
    pub remove_action: RemoveAction,
    /// *Deprovision on rule deletion*.
    pub on_rule_deletion: bool,
}

impl Setting {
    /// The setting with every preference off.
    pub const NONE: Self = Self {
        creation: false,
        updation: false,
        disable: false,
        deprovision: false,
        remove_action: RemoveAction::Delete,
        on_rule_deletion: false,
    };

    /// Returns all 64 settings, in a stable order.
    pub fn all() -> Vec<Self> {
        (0..64_u8)
            .map(|bits| {
                let on = |bit: u8| bits & (1 << bit) != 0;
                Self {
                    creation: on(5),
                    updation: on(4),
                    disable: on(3),
                    deprovision: on(2),
                    remove_action: if on(1) { RemoveAction::Disable } else { RemoveAction::Delete },
                    on_rule_deletion: on(0),
                }
            })
            .collect()
    }

    /// Returns the 22 valid settings.
    pub fn valid() -> Vec<Self> {
        Self::all().into_iter().filter(|setting| setting.contradictions().is_empty()).collect()
    }

    /// Returns the options at fault, by the names used in `aquera.toml`; empty for a valid setting.
    pub fn contradictions(self) -> Vec<&'static str> {
        let mut names = Vec::new();
        if self.disable && !self.updation {
            names.push("enable-users-disable");
        }
        if self.remove_action == RemoveAction::Disable && !(self.disable && self.deprovision) {
            names.push("remove-action");
        }
        if self.on_rule_deletion && !self.deprovision {
            names.push("deprovision-on-rule-deletion");
        }
        names
    }

    /// Whether a change of `active` is carried out.
    pub fn disables(self) -> bool {
        self.updation && self.disable
    }

    /// Whether `remove-action` may be left out of the file: only where `delete` is the one possibility.
    pub fn remove_action_may_be_left_out(self) -> bool {
        self.remove_action == RemoveAction::Delete && !(self.disable && self.deprovision)
    }

    /// Returns a stable name: the options that are on, joined by `+`.
    pub fn slug(self) -> String {
        let mut parts = Vec::new();
        if self.creation {
            parts.push("create");
        }
        if self.updation {
            parts.push("update");
        }
        if self.disable {
            parts.push("disable");
        }
        match (self.deprovision, self.remove_action) {
            (true, RemoveAction::Delete) => parts.push("deprovision-by-delete"),
            (true, RemoveAction::Disable) => parts.push("deprovision-by-disable"),
            (false, RemoveAction::Disable) => parts.push("by-disable"),
            (false, RemoveAction::Delete) => {}
        }
        if self.on_rule_deletion {
            parts.push("rules");
        }
        if parts.is_empty() { "none".to_owned() } else { parts.join("+") }
    }

    /// Returns the setting with this slug.
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::all().into_iter().find(|setting| setting.slug() == slug)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.slug())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_settings_are_22_of_64() {
        assert_eq!(Setting::all().len(), 64);
        assert_eq!(Setting::valid().len(), 22);
        let slugs: std::collections::BTreeSet<_> = Setting::all().into_iter().map(Setting::slug).collect();
        assert_eq!(slugs.len(), 64, "slugs are unique");
        for setting in Setting::all() {
            assert_eq!(Setting::from_slug(&setting.slug()), Some(setting));
        }
    }

    #[track_caller]
    fn check(slug: &str, expected: &[&str]) {
        let setting = Setting::from_slug(slug).expect("a known slug");
        assert_eq!(setting.contradictions(), expected, "{slug}");
    }

    #[test]
    fn invalid_setting_names_every_contradiction() {
        check("none", &[]);
        assert_eq!(Setting::from_slug("none"), Some(Setting::NONE));
        check("create+update+disable+deprovision-by-disable+rules", &[]);
        check("disable", &["enable-users-disable"]);
        check("update+by-disable", &["remove-action"]);
        check("update+disable+by-disable", &["remove-action"]);
        check("update+deprovision-by-disable", &["remove-action"]);
        check("rules", &["deprovision-on-rule-deletion"]);
        check(
            "disable+by-disable+rules",
            &["enable-users-disable", "remove-action", "deprovision-on-rule-deletion"],
        );
    }
}
