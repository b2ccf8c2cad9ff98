//! Sequences about groups: rules that hold the members of one at the source, and accounts that are in one at the target.

use std::collections::BTreeSet;

use crate::matrix::model::{Rule, User};
use crate::matrix::scenario::people::{
    ALUMNI, EMPLOYEES, MONA, MONA_NAME, after_both, after_mona, each_way, everything, mona, newcomer, nils,
    removes, sequence, sync, typical,
};
use crate::matrix::scenario::{Edit, Scenario, Step};
use crate::matrix::setting::Setting;

const STAFF: &str = "g-staff";
const OPERATORS: &str = "g-operators";
/// A group at the target.
const READERS: &str = "Readers";

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut scenarios = at_the_source();
    scenarios.extend(at_the_target());
    scenarios
}

fn members_of(group: &str) -> Rule {
    Rule {
        name: group.to_owned(),
        enabled: true,
        population: None,
        group: Some(group.to_owned()),
        mapped: None,
    }
}

impl User {
    fn in_groups(self, groups: &[&str]) -> Self {
        let groups: BTreeSet<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        Self { groups, ..self }
    }
}

/// Returns steps that link Mona in the group of staff, and Nils; rules own staff and operators, in this order.
fn staff(setting: Setting, then: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let mut steps = vec![Step::Rules(vec![members_of(STAFF), members_of(OPERATORS)])];
    for user in [mona().in_groups(&[STAFF]), nils().in_groups(&[STAFF])] {
        if !setting.creation {
            steps.push(Step::Seed(0, user.fields(), true));
        }
        steps.push(Step::Put(user));
    }
    steps.push(sync());
    steps.extend(then);
    steps
}

fn at_the_source() -> Vec<Scenario> {
    vec![
        sequence("group-entered", "in no group that a rule holds, then in one", typical, |setting| {
            let mut steps = staff(setting, []);
            steps.extend([Step::Put(User { id: "u-3".to_owned(), ..mona() }.named("third@example.com"))]);
            let third = User { id: "u-3".to_owned(), ..mona() }.named("third@example.com");
            steps.extend([sync(), Step::Put(third.in_groups(&["g-other", OPERATORS])), sync()]);
            steps
        }),
        sequence("group-left", "no member any more", removes, |setting| {
            staff(setting, [Step::Put(mona()), sync()])
        }),
        sequence("group-left-and-back", "no member any more, then one again", each_way, |setting| {
            staff(setting, [Step::Put(mona()), sync(), Step::Put(mona().in_groups(&[STAFF])), sync()])
        }),
        sequence("group-changed", "from the group of one rule to that of another", typical, |setting| {
            staff(setting, [Step::Put(mona().in_groups(&[OPERATORS])), sync()])
        }),
        sequence("group-changed-and-title", "into another group, with another title", typical, |setting| {
            staff(setting, [Step::Put(mona().changed().in_groups(&[OPERATORS])), sync()])
        }),
        sequence("group-of-both", "in both groups, then in the second, then in none", removes, |setting| {
            staff(
                setting,
                [
                    Step::Put(mona().in_groups(&[STAFF, OPERATORS])),
                    sync(),
                    Step::Put(mona().in_groups(&[OPERATORS])),
                    sync(),
                    Step::Put(mona()),
                    sync(),
                ],
            )
        }),
        sequence("group-and-population", "a rule on both: leaving one is leaving", removes, |setting| {
            let both = Rule { population: Some(EMPLOYEES.to_owned()), ..members_of(STAFF) };
            let mut steps = vec![Step::Rules(vec![both])];
            for user in [mona().in_groups(&[STAFF]), nils().in_groups(&[STAFF])] {
                steps.push(Step::Put(user));
            }
            steps.extend([
                sync(),
                Step::Put(mona().of(ALUMNI).in_groups(&[STAFF])),
                Step::Put(nils().in_groups(&[OPERATORS])),
                sync(),
            ]);
            if !setting.creation {
                steps.clear();
            }
            steps
        }),
        sequence("group-id-in-other-case", "ids of groups compare exactly", typical, |setting| {
            let third = User { id: "u-3".to_owned(), ..mona() }.named("third@example.com");
            staff(setting, [Step::Put(third.in_groups(&["G-STAFF"])), sync()])
        }),
        sequence(
            "group-rule-frozen",
            "the rule of a group is disabled, and its member leaves it",
            everything,
            |setting| {
                let frozen = Rule { enabled: false, ..members_of(STAFF) };
                staff(setting, [Step::Rules(vec![frozen, members_of(OPERATORS)]), Step::Put(mona()), sync()])
            },
        ),
        sequence("group-rule-deleted", "the rule of a group is deleted", everything, |setting| {
            staff(setting, [Step::Rules(vec![members_of(OPERATORS)]), sync()])
        }),
    ]
}

/// Mona's account is in a group at the target; then these steps.
fn reader(setting: Setting, then: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let mut steps = after_both(setting, [Step::Edit(MONA_NAME, Edit::Join(READERS))]);
    steps.extend(then);
    steps
}

fn at_the_target() -> Vec<Scenario> {
    vec![
        sequence("member-changed", "an account in a group gets another title", each_way, |setting| {
            reader(setting, [Step::Put(mona().changed()), sync()])
        }),
        sequence("member-renamed", "an account in a group gets another name", typical, |setting| {
            reader(setting, [Step::Put(mona().named("mona.lund@example.com")), sync()])
        }),
        sequence("member-disabled", "an account in a group is disabled, then enabled", each_way, |setting| {
            reader(setting, [Step::Put(mona().disabled()), sync(), Step::Put(mona()), sync()])
        }),
        sequence(
            "member-disabled-and-changed",
            "an account in a group is disabled and changed",
            each_way,
            |s| reader(s, [Step::Put(mona().disabled().changed()), sync()]),
        ),
        sequence("member-deleted", "the user of an account in a group is deleted", each_way, |setting| {
            reader(setting, [Step::Drop(MONA), sync()])
        }),
        sequence("member-came-back", "left scope, then held again", each_way, |setting| {
            reader(setting, [Step::Put(mona().of(ALUMNI)), sync(), Step::Put(mona()), sync()])
        }),
        sequence(
            "member-re-hired",
            "re-hired under a new id: the account stays in its group",
            each_way,
            |s| reader(s, [Step::Drop(MONA), Step::Put(newcomer().changed()), sync()]),
        ),
        sequence("member-matched", "an account that was there, and in a group", typical, |_| {
            vec![
                Step::Rules(crate::matrix::scenario::people::two_rules()),
                Step::Seed(0, mona().foreign_fields(), true),
                Step::Edit(MONA_NAME, Edit::Join(READERS)),
                Step::Put(mona()),
                sync(),
            ]
        }),
        sequence(
            "member-removed-by-others",
            "an account in a group is deleted by somebody else",
            each_way,
            |s| reader(s, [Step::Edit(MONA_NAME, Edit::Remove), Step::Put(mona().changed()), sync()]),
        ),
        sequence("member-joins-between-runs", "joins a group between two changes", everything, |setting| {
            after_mona(
                setting,
                [
                    Step::Put(mona().changed()),
                    sync(),
                    Step::Edit(MONA_NAME, Edit::Join(READERS)),
                    Step::Put(mona().disabled()),
                    sync(),
                ],
            )
        }),
    ]
}
