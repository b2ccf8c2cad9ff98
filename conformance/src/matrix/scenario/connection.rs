//! Sequences about a connection with two rules, and about one that is changed between runs or refused in the middle of one.

use crate::matrix::model::{Attribute, FaultKind, FaultRule, Method, On, Rule, User};
use crate::matrix::scenario::people::{
    CONTRACTORS, EMPLOYEES, MONA, after_both, after_mona, by_disable, everything, full_sync, linked, mona,
    nils, removes, rule, sequence, sync, two_rules, typical, without_deprovision,
};
use crate::matrix::scenario::{Scenario, Step};

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut scenarios = two_rules_at_once();
    scenarios.extend(changed_between_runs());
    scenarios.extend(refused_midway());
    scenarios
}

fn everyone() -> Rule {
    Rule { population: None, ..rule("everyone", "") }
}

/// Returns a rule that maps the title only.
fn short() -> Rule {
    Rule { mapped: Some([Attribute::Title].into()), ..rule(EMPLOYEES, EMPLOYEES) }
}

fn two_rules_at_once() -> Vec<Scenario> {
    vec![
        sequence("rules-swapped", "two rules match, and change places", typical, |_| {
            vec![
                Step::Rules(vec![short(), everyone()]),
                Step::Put(mona()),
                sync(),
                Step::Rules(vec![everyone(), short()]),
                sync(),
            ]
        }),
        sequence("overlap-first-frozen", "of two matching rules the first is disabled", typical, |_| {
            vec![
                Step::Rules(vec![short(), everyone()]),
                Step::Put(mona()),
                sync(),
                Step::Rules(vec![Rule { enabled: false, ..short() }, everyone()]),
                sync(),
            ]
        }),
        sequence("overlap-second-deleted", "of two matching rules the second is deleted", typical, |_| {
            vec![
                Step::Rules(vec![short(), everyone()]),
                Step::Put(mona()),
                sync(),
                Step::Rules(vec![short()]),
                sync(),
            ]
        }),
        sequence("moved-to-frozen", "to a rule that is disabled: left alone", everything, |setting| {
            let frozen =
                vec![rule(EMPLOYEES, EMPLOYEES), Rule { enabled: false, ..rule(CONTRACTORS, CONTRACTORS) }];
            after_both(
                setting,
                [
                    Step::Rules(frozen),
                    Step::Put(mona().changed().disabled().of(CONTRACTORS)),
                    sync(),
                    Step::Rules(two_rules()),
                    sync(),
                ],
            )
        }),
        sequence(
            "moved-as-rule-goes",
            "to another rule while the old one is deleted",
            everything,
            |setting| {
                after_mona(
                    setting,
                    [
                        Step::Rules(vec![rule(CONTRACTORS, CONTRACTORS)]),
                        Step::Put(mona().changed().of(CONTRACTORS)),
                        sync(),
                    ],
                )
            },
        ),
        sequence(
            "rule-renamed",
            "the rule gets another name and holds the same users",
            everything,
            |setting| {
                after_both(
                    setting,
                    [
                        Step::Rules(vec![Rule { name: "staff".to_owned(), ..rule(EMPLOYEES, EMPLOYEES) }]),
                        sync(),
                        Step::Put(mona().changed()),
                        sync(),
                    ],
                )
            },
        ),
        sequence("one-frozen-one-deleted", "one rule is disabled, the other deleted", removes, |setting| {
            let mut steps = linked(setting, &[mona(), nils().of(CONTRACTORS)]);
            let frozen = Rule { enabled: false, ..rule(EMPLOYEES, EMPLOYEES) };
            steps.extend([Step::Rules(vec![frozen]), Step::Put(mona().changed()), sync()]);
            steps
        }),
    ]
}

fn changed_between_runs() -> Vec<Scenario> {
    vec![
        sequence("method-changed", "update-method changes before each change", everything, |setting| {
            after_both(
                setting,
                [
                    Step::UpdateMethod(Method::Put),
                    Step::Put(mona().changed()),
                    sync(),
                    Step::UpdateMethod(Method::Auto),
                    Step::Put(nils().changed()),
                    sync(),
                    Step::UpdateMethod(Method::Put),
                    Step::Put(mona().disabled()),
                    sync(),
                ],
            )
        }),
        sequence(
            "authentication-changed",
            "another authentication, at both ends, between two changes",
            typical,
            |setting| {
                after_both(
                    setting,
                    [
                        Step::Put(mona().changed()),
                        sync(),
                        Step::OtherAuthentication,
                        Step::Put(nils().changed()),
                        sync(),
                    ],
                )
            },
        ),
        sequence(
            "credentials-renewed",
            "the target refuses the credentials, and the connection gets others",
            typical,
            |setting| {
                after_both(
                    setting,
                    [
                        Step::Credentials(false),
                        Step::Put(mona().changed()),
                        sync(),
                        Step::OtherAuthentication,
                        sync(),
                    ],
                )
            },
        ),
        sequence("url-changed-and-back", "another application, then the first again", typical, |setting| {
            after_mona(
                setting,
                [Step::PointAt(1), sync(), Step::PointAt(0), Step::Put(mona().changed()), sync()],
            )
        }),
        sequence("off-and-elsewhere", "off, pointed elsewhere, and on again", typical, |setting| {
            after_mona(
                setting,
                [
                    Step::Toggle(false),
                    Step::PointAt(1),
                    Step::Put(mona().changed()),
                    sync(),
                    Step::Toggle(true),
                    sync(),
                ],
            )
        }),
        sequence(
            "deprovision-turned-off",
            "a user leaves as deprovision is turned off",
            removes,
            |setting| {
                after_both(
                    setting,
                    [
                        Step::Prefer(without_deprovision(setting)),
                        Step::Drop(MONA),
                        Step::Put(nils().changed()),
                        sync(),
                        Step::Prefer(setting),
                        sync(),
                        full_sync(),
                    ],
                )
            },
        ),
    ]
}

/// Refuses the credentials from the second request of a method on, until they are renewed.
fn revoked(method: &'static str) -> Step {
    Step::Fault(FaultRule {
        kind: FaultKind::Status(401),
        after_effect: false,
        on: On::Method(method),
        skip: 1,
        times: None,
    })
}

fn refused_midway() -> Vec<Scenario> {
    vec![
        sequence(
            "revoked-between-creates",
            "the credentials are revoked between two creates of one run",
            everything,
            |setting| {
                let third = User { id: "u-3".to_owned(), ..mona() }.named("third@example.com");
                let fourth = User { id: "u-4".to_owned(), ..mona() }.named("fourth@example.com");
                after_mona(
                    setting,
                    [Step::Put(third), Step::Put(fourth), revoked("POST"), sync(), Step::ClearFaults, sync()],
                )
            },
        ),
        sequence(
            "revoked-between-deletes",
            "the credentials are revoked between two deletes of one run",
            everything,
            |setting| {
                let third = User { id: "u-3".to_owned(), ..mona() }.named("third@example.com");
                let mut steps = linked(setting, &[mona(), nils()]);
                steps.extend([
                    Step::Put(third),
                    sync(),
                    Step::Drop(MONA),
                    Step::Drop("u-3"),
                    revoked("DELETE"),
                    sync(),
                    Step::ClearFaults,
                    sync(),
                ]);
                steps
            },
        ),
        sequence(
            "off-after-revoked",
            "revoked midway, then off, then on and renewed",
            by_disable,
            |setting| {
                let third = User { id: "u-3".to_owned(), ..mona() }.named("third@example.com");
                let fourth = User { id: "u-4".to_owned(), ..mona() }.named("fourth@example.com");
                after_mona(
                    setting,
                    [
                        Step::Put(third),
                        Step::Put(fourth),
                        revoked("POST"),
                        sync(),
                        Step::Toggle(false),
                        sync(),
                        Step::Toggle(true),
                        Step::ClearFaults,
                        sync(),
                    ],
                )
            },
        ),
    ]
}
