//! The cells about groups: the switches of a group rule, merge and overwrite, and the dialects of targets, each with each
//! scenario. The model is written from the design (`docs/groups.md`) and shares nothing with the provisioner.

pub(crate) mod model;
pub(crate) mod play;

use serde_json::{Value, json};

/// The switches of the group rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupSwitches {
    /// `create`.
    pub create: bool,
    /// `update`.
    pub update: bool,
    /// `deletion = "delete"`.
    pub delete: bool,
    /// `members = "overwrite"`.
    pub overwrite: bool,
}

impl GroupSwitches {
    fn all() -> impl Iterator<Item = Self> {
        (0..16_u8).map(|bits| Self {
            create: bits & 1 != 0,
            update: bits & 2 != 0,
            delete: bits & 4 != 0,
            overwrite: bits & 8 != 0,
        })
    }

    /// Returns the word in cell ids.
    pub fn slug(self) -> String {
        let word = |on: bool, one: &str, other: &str| if on { one.to_owned() } else { other.to_owned() };
        [
            word(self.create, "create", "nocreate"),
            word(self.update, "update", "noupdate"),
            word(self.delete, "delete", "keep"),
            word(self.overwrite, "overwrite", "merge"),
        ]
        .join("-")
    }
}

/// A target with a dialect of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupTarget {
    /// Everything works as in the RFC.
    Plain,
    /// A PATCH path with a value filter answers 400.
    NoValuePaths,
    /// A removal by value is refused.
    NoRemovalByValue,
    /// Neither form of a removal is taken.
    NoRemoval,
    /// PATCH of groups answers 501.
    NoPatch,
    /// One request changes one member.
    OneMember,
    /// Groups show an empty list of members.
    MembersEmpty,
    /// Groups show no members.
    MembersMissing,
}

impl GroupTarget {
    /// All targets.
    pub const ALL: [Self; 8] = [
        Self::Plain,
        Self::NoValuePaths,
        Self::NoRemovalByValue,
        Self::NoRemoval,
        Self::NoPatch,
        Self::OneMember,
        Self::MembersEmpty,
        Self::MembersMissing,
    ];

    /// Returns the word in cell ids.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "groups-plain",
            Self::NoValuePaths => "groups-no-value-paths",
            Self::NoRemovalByValue => "groups-no-removal-by-value",
            Self::NoRemoval => "groups-no-removal",
            Self::NoPatch => "groups-no-patch",
            Self::OneMember => "groups-one-member",
            Self::MembersEmpty => "groups-members-empty",
            Self::MembersMissing => "groups-members-missing",
        }
    }

    /// Returns the profile of the mock.
    fn profile(self) -> Value {
        let (no_paths, no_values) = (
            json!({ "patch-value-filters": "answers-400" }),
            json!({ "dialects": { "remove-by-value": "refused" } }),
        );
        let (gateway, requests, list) = match self {
            Self::Plain => (json!({}), json!({}), json!({})),
            Self::NoValuePaths => (no_paths, json!({}), json!({})),
            Self::NoRemovalByValue => (json!({}), no_values, json!({})),
            Self::NoRemoval => (no_paths, no_values, json!({})),
            Self::NoPatch => (json!({ "group-patch": "answers-501" }), json!({}), json!({})),
            Self::OneMember => (json!({ "max-member-changes": 1 }), json!({}), json!({})),
            Self::MembersEmpty => (json!({}), json!({}), json!({ "members": "empty" })),
            Self::MembersMissing => (json!({}), json!({}), json!({ "members": "missing" })),
        };
        json!({
            "name": self.as_str(), "summary": "for cells about groups", "extends": "rfc",
            "gateway": gateway, "requests": requests, "list": list,
        })
    }

    /// Whether the target shows the members of a group.
    fn shows_members(self) -> bool {
        !matches!(self, Self::MembersEmpty | Self::MembersMissing)
    }
}

/// A step.
#[derive(Debug, Clone, Copy)]
pub enum GroupStep {
    /// These users, by one letter each, are at the source.
    Users(&'static str),
    /// These groups are at the source: id, name, and the letters of the members.
    Groups(&'static [(&'static str, &'static str, &'static str)]),
    /// A group is at the target without our doing, with one member that is none of ours.
    Seed(&'static str),
    /// A run.
    Sync,
}

/// A scenario.
#[derive(Debug, Clone, Copy)]
pub struct GroupScenario {
    /// The stable name.
    pub slug: &'static str,
    /// The title in a few words.
    pub title: &'static str,
    steps: &'static [GroupStep],
}

use GroupStep::{Groups, Seed, Sync, Users};

/// The scenarios. Each ends with a run more, which has to find nothing new.
pub const SCENARIOS: [GroupScenario; 11] = [
    GroupScenario {
        slug: "groups-enter",
        title: "two groups enter, one without members",
        steps: &[Users("abc"), Groups(&[("1", "One", "ab"), ("2", "Two", "")]), Sync],
    },
    GroupScenario {
        slug: "groups-adopt",
        title: "a group of the same name is at the target",
        steps: &[Users("abc"), Seed("one"), Groups(&[("1", "One", "ab")]), Sync],
    },
    GroupScenario {
        slug: "groups-adopt-and-change",
        title: "an adopted group changes",
        steps: &[
            Users("abc"),
            Seed("One"),
            Groups(&[("1", "One", "ab")]),
            Sync,
            Groups(&[("1", "One", "bc")]),
            Sync,
        ],
    },
    GroupScenario {
        slug: "groups-members",
        title: "members come and go",
        steps: &[
            Users("abc"),
            Groups(&[("1", "One", "ab"), ("2", "Two", "a")]),
            Sync,
            Groups(&[("1", "One", "bc"), ("2", "Two", "a")]),
            Sync,
            Groups(&[("1", "One", ""), ("2", "Two", "abc")]),
            Sync,
        ],
    },
    GroupScenario {
        slug: "groups-rename",
        title: "a group changes its name",
        steps: &[Users("a"), Groups(&[("1", "One", "a")]), Sync, Groups(&[("1", "First", "a")]), Sync],
    },
    GroupScenario {
        slug: "groups-rename-and-members",
        title: "a group changes its name and its members",
        steps: &[Users("ab"), Groups(&[("1", "One", "a")]), Sync, Groups(&[("1", "First", "b")]), Sync],
    },
    GroupScenario {
        slug: "groups-leave",
        title: "a group is gone from the source",
        steps: &[
            Users("a"),
            Groups(&[("1", "One", "a"), ("2", "Two", "a")]),
            Sync,
            Groups(&[("2", "Two", "a")]),
            Sync,
        ],
    },
    GroupScenario {
        slug: "groups-return",
        title: "a group is gone and comes back with other members",
        steps: &[
            Users("ab"),
            Groups(&[("1", "One", "a"), ("2", "Two", "a")]),
            Sync,
            Groups(&[("2", "Two", "a")]),
            Sync,
            Groups(&[("1", "One", "b"), ("2", "Two", "a")]),
            Sync,
        ],
    },
    GroupScenario {
        slug: "groups-late-member",
        title: "a member appears after its group",
        steps: &[Users("a"), Groups(&[("1", "One", "ab")]), Sync, Users("ab"), Sync],
    },
    GroupScenario {
        slug: "groups-leaver",
        title: "a member is gone from the source",
        steps: &[Users("abc"), Groups(&[("1", "One", "abc")]), Sync, Users("ac"), Sync],
    },
    GroupScenario {
        slug: "groups-new-id",
        title: "a group has a new id at the source",
        steps: &[Users("ab"), Groups(&[("1", "One", "a")]), Sync, Groups(&[("9", "One", "b")]), Sync],
    },
];

/// A cell about groups.
#[derive(Debug, Clone, Copy)]
pub struct GroupTrial {
    /// The switches of the rule.
    pub switches: GroupSwitches,
    /// The target.
    pub target: GroupTarget,
    /// The scenario.
    pub scenario: GroupScenario,
}

impl GroupTrial {
    /// Returns every trial. Without `update` no member is written after the creation, so each dialect meets those switches
    /// only under a third of the scenarios, in turns.
    pub fn all(every: bool) -> Vec<Self> {
        let mut trials = Vec::new();
        for (number, target) in GroupTarget::ALL.into_iter().enumerate() {
            for switches in GroupSwitches::all() {
                let in_turn = |(turn, scenario): (usize, GroupScenario)| {
                    let whole = every || switches.update || target == GroupTarget::Plain;
                    (whole || (turn + number).is_multiple_of(3)).then_some(Self {
                        switches,
                        target,
                        scenario,
                    })
                };
                trials.extend(SCENARIOS.into_iter().enumerate().filter_map(in_turn));
            }
        }
        trials
    }

    /// Returns the stable name.
    pub fn id(&self) -> String {
        format!("groups/{}/{}/{}", self.switches.slug(), self.target.as_str(), self.scenario.slug)
    }
}
