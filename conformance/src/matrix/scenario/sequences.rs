//! Sequences about who a user is: matching, re-hire, renames, rules.

use crate::matrix::model::{Attribute, Rule};
use crate::matrix::scenario::people::{
    ALUMNI, CONTRACTORS, EMPLOYEES, MONA, MONA_NAME, NILS_NAME, after_both, after_mona, by_disable, each_way,
    everything, linked, mona, newcomer, nils, rule, sequence, sync, two_rules, typical,
};
use crate::matrix::scenario::{Scenario, Step};

const NEW_NAME: &str = "mona.lund@example.com";

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut scenarios = matching();
    scenarios.extend(names());
    scenarios.extend(rules());
    scenarios
}

fn matching() -> Vec<Scenario> {
    vec![
        sequence(
            "already-there-as-wanted",
            "the account is there and needs nothing",
            |_| true,
            |_| {
                vec![
                    Step::Rules(two_rules()),
                    Step::Seed(0, mona().fields(), true),
                    Step::Put(mona()),
                    sync(),
                ]
            },
        ),
        sequence("already-there-inactive", "the account is there, inactive", each_way, |_| {
            vec![
                Step::Rules(two_rules()),
                Step::Seed(0, mona().foreign_fields(), false),
                Step::Put(mona()),
                sync(),
            ]
        }),
        sequence("already-there-disabled", "the account is there, the new user disabled", each_way, |_| {
            vec![
                Step::Rules(two_rules()),
                Step::Seed(0, mona().fields(), true),
                Step::Put(mona().disabled()),
                sync(),
            ]
        }),
        sequence(
            "created-disabled-then-enabled",
            "new and disabled, then enabled",
            |_| true,
            |_| {
                vec![
                    Step::Rules(two_rules()),
                    Step::Put(mona().disabled()),
                    sync(),
                    Step::Put(mona()),
                    sync(),
                ]
            },
        ),
        sequence(
            "match-linked-elsewhere",
            "a namesake appears while the first is there",
            typical,
            |setting| after_mona(setting, [Step::Put(newcomer()), sync()]),
        ),
        sequence("re-hired-disabled", "re-hired under a new id, disabled", typical, |setting| {
            after_mona(setting, [Step::Drop(MONA), Step::Put(newcomer().disabled()), sync()])
        }),
        sequence("re-hired-after-removal", "removed first, re-hired later", typical, |setting| {
            after_both(setting, [Step::Drop(MONA), sync(), Step::Put(newcomer()), sync()])
        }),
    ]
}

fn names() -> Vec<Scenario> {
    vec![
        sequence("name-handed-on", "renamed while a newcomer takes the old name", typical, |setting| {
            after_mona(setting, [Step::Put(mona().named(NEW_NAME)), Step::Put(newcomer()), sync(), sync()])
        }),
        sequence("rename-chain", "one takes the name that the other gives up", everything, |setting| {
            after_both(
                setting,
                [
                    Step::Put(mona().named(NILS_NAME)),
                    Step::Put(nils().named("nils.berg@example.com")),
                    sync(),
                ],
            )
        }),
        sequence("rename-swap", "two users swap names", everything, |setting| {
            after_both(
                setting,
                [Step::Put(mona().named(NILS_NAME)), Step::Put(nils().named(MONA_NAME)), sync()],
            )
        }),
        sequence("taken-name", "renamed to the name of somebody else's account", everything, |setting| {
            after_mona(
                setting,
                [Step::Seed(0, nils().fields(), true), Step::Put(mona().named(NILS_NAME)), sync()],
            )
        }),
    ]
}

fn rules() -> Vec<Scenario> {
    vec![
        sequence("moved-and-changed", "from one rule to another, with a new title", typical, |setting| {
            after_mona(setting, [Step::Put(mona().changed().of(CONTRACTORS)), sync()])
        }),
        sequence("first-rule-owns", "two rules match; the first one's mapping counts", typical, |_| {
            let everyone = Rule { population: None, ..rule("everyone", "") };
            let short = Rule { mapped: Some([Attribute::Title].into()), ..rule(EMPLOYEES, EMPLOYEES) };
            vec![Step::Rules(vec![short, everyone]), Step::Put(mona()), sync()]
        }),
        sequence(
            "rule-deleted-other-holds",
            "the rule is deleted, another with a wider mapping holds",
            typical,
            |_| {
                let everyone = Rule { population: None, ..rule("everyone", "") };
                let short = Rule { mapped: Some([Attribute::Title].into()), ..rule(EMPLOYEES, EMPLOYEES) };
                vec![
                    Step::Rules(vec![short, everyone.clone()]),
                    Step::Put(mona()),
                    sync(),
                    Step::Rules(vec![everyone]),
                    sync(),
                ]
            },
        ),
        sequence(
            "rule-deleted-and-back",
            "the rule is deleted, then made again",
            |_| true,
            |setting| {
                let others = vec![rule(CONTRACTORS, CONTRACTORS)];
                after_mona(setting, [Step::Rules(others), sync(), Step::Rules(two_rules()), sync()])
            },
        ),
        sequence(
            "rule-and-user-deleted",
            "the rule and the user go together",
            |_| true,
            |setting| {
                let others = vec![rule(CONTRACTORS, CONTRACTORS)];
                let mut steps = linked(setting, &[mona(), nils().of(CONTRACTORS)]);
                steps.extend([Step::Rules(others), Step::Drop(MONA), sync()]);
                steps
            },
        ),
        sequence(
            "frozen-rule",
            "a disabled rule leaves its users alone, even deleted ones",
            everything,
            |setting| {
                let frozen = vec![
                    Rule { enabled: false, ..rule(EMPLOYEES, EMPLOYEES) },
                    rule(CONTRACTORS, CONTRACTORS),
                ];
                let mut steps = linked(setting, &[mona(), nils().of(CONTRACTORS)]);
                steps.extend([
                    Step::Rules(frozen),
                    Step::Put(mona().changed().disabled()),
                    sync(),
                    Step::Drop(MONA),
                    sync(),
                    Step::Rules(two_rules()),
                    sync(),
                ]);
                steps
            },
        ),
        sequence(
            "frozen-then-thawed",
            "changed while the rule is disabled, then it is enabled",
            everything,
            |setting| {
                let frozen = vec![Rule { enabled: false, ..rule(EMPLOYEES, EMPLOYEES) }];
                after_mona(
                    setting,
                    [
                        Step::Rules(frozen),
                        Step::Put(mona().changed()),
                        sync(),
                        Step::Rules(two_rules()),
                        sync(),
                    ],
                )
            },
        ),
        sequence("excluded", "an excluded user is left alone, changed or deleted", by_disable, |setting| {
            after_both(
                setting,
                [Step::Exclude(MONA_NAME), Step::Put(mona().changed()), sync(), Step::Drop(MONA), sync()],
            )
        }),
        sequence("excluded-newcomer", "an excluded user is never created", by_disable, |_| {
            vec![Step::Rules(two_rules()), Step::Exclude(MONA_NAME), Step::Put(mona()), sync()]
        }),
        sequence(
            "came-back-disabled",
            "left scope, then held again but disabled",
            |_| true,
            |setting| {
                after_mona(
                    setting,
                    [Step::Put(mona().of(ALUMNI)), sync(), Step::Put(mona().disabled()), sync()],
                )
            },
        ),
        sequence("came-back-disabled-and-changed", "held again, disabled and changed", each_way, |setting| {
            after_mona(
                setting,
                [Step::Put(mona().of(ALUMNI)), sync(), Step::Put(mona().changed().disabled()), sync()],
            )
        }),
        sequence(
            "came-back-changed",
            "left scope, then held again with another title",
            |_| true,
            |setting| {
                after_mona(
                    setting,
                    [Step::Put(mona().of(ALUMNI)), sync(), Step::Put(mona().changed()), sync()],
                )
            },
        ),
        sequence("deleted-and-back", "gone from the source, then there again", each_way, |setting| {
            after_both(setting, [Step::Drop(MONA), sync(), Step::Put(mona()), sync()])
        }),
    ]
}
