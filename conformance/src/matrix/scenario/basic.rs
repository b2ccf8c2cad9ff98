//! The seventeen scenarios that run under every setting.

use crate::matrix::scenario::people::{
    ALUMNI, CONTRACTORS, MONA, after_both, after_mona, basic, mona, newcomer, rule, sync, two_rules,
};
use crate::matrix::scenario::{Scenario, Step};

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        basic("created", "a user is new at the source", |_| {
            vec![Step::Rules(two_rules()), Step::Put(mona()), sync()]
        }),
        basic("created-disabled", "a new user is disabled", |_| {
            vec![Step::Rules(two_rules()), Step::Put(mona().disabled()), sync()]
        }),
        basic("already-there", "a new user already has an account, with another title", |_| {
            vec![
                Step::Rules(two_rules()),
                Step::Seed(0, mona().foreign_fields(), true),
                Step::Put(mona()),
                sync(),
            ]
        }),
        basic("two-matches", "two accounts have the new user's name", |_| {
            vec![
                Step::Rules(two_rules()),
                Step::Seed(0, mona().foreign_fields(), true),
                Step::Seed(0, mona().foreign_fields(), true),
                Step::Put(mona()),
                sync(),
            ]
        }),
        basic("attributes-changed", "title and e-mail change", |setting| {
            after_mona(setting, [Step::Put(mona().changed()), sync()])
        }),
        basic("disabled", "the user is disabled at the source", |setting| {
            after_mona(setting, [Step::Put(mona().disabled()), sync()])
        }),
        basic("enabled-again", "disabled, then enabled", |setting| {
            after_mona(setting, [Step::Put(mona().disabled()), sync(), Step::Put(mona()), sync()])
        }),
        basic("disabled-and-changed", "disabled and changed at once", |setting| {
            after_mona(setting, [Step::Put(mona().changed().disabled()), sync()])
        }),
        basic("deleted", "the user is gone from the source", |setting| {
            after_both(setting, [Step::Drop(MONA), sync()])
        }),
        basic("left-scope", "no rule holds the user any more", |setting| {
            after_mona(setting, [Step::Put(mona().of(ALUMNI)), sync()])
        }),
        basic("came-back", "left scope, then held again", |setting| {
            after_mona(setting, [Step::Put(mona().of(ALUMNI)), sync(), Step::Put(mona()), sync()])
        }),
        basic("re-hired", "gone, and there under a new source id with the same name", |setting| {
            after_mona(setting, [Step::Drop(MONA), Step::Put(newcomer()), sync()])
        }),
        basic("renamed", "the user name changes", |setting| {
            after_mona(setting, [Step::Put(mona().named("mona.lund@example.com")), sync()])
        }),
        basic("moved", "from one rule to another", |setting| {
            after_mona(setting, [Step::Put(mona().of(CONTRACTORS)), sync()])
        }),
        basic("rule-deleted", "the user's rule is deleted and no other holds the user", |setting| {
            after_mona(setting, [Step::Rules(vec![rule(CONTRACTORS, CONTRACTORS)]), sync()])
        }),
        basic("connection-off", "the connection is off during a change, then on", |setting| {
            after_mona(
                setting,
                [Step::Toggle(false), Step::Put(mona().changed()), sync(), Step::Toggle(true), sync()],
            )
        }),
        basic(
            "connection-invalid",
            "the target refuses the credentials during a change, then takes them",
            |setting| {
                after_mona(
                    setting,
                    [
                        Step::Credentials(false),
                        Step::Put(mona().changed()),
                        sync(),
                        Step::Credentials(true),
                        sync(),
                    ],
                )
            },
        ),
    ]
}
