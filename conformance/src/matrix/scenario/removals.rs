//! Sequences about removals that find no account, fail, wait, or are withheld.

use crate::matrix::model::{Options, User};
use crate::matrix::scenario::people::{
    ALUMNI, MONA, MONA_NAME, NILS, NILS_NAME, after_both, after_mona, by_disable, careful_sync, each_way,
    everything, extra, full_sync, linked, mona, newcomer, nils, other_action, removes, sequence, sync,
    without_deprovision,
};
use crate::matrix::scenario::{Edit, Scenario, Step};

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut scenarios = finding();
    scenarios.extend(waiting());
    scenarios.extend(withheld());
    scenarios.extend(guarded());
    scenarios
}

fn finding() -> Vec<Scenario> {
    vec![
        sequence(
            "removal-already-inactive",
            "deleted at the source, already inactive there",
            removes,
            |setting| {
                after_both(setting, [Step::Edit(MONA_NAME, Edit::Deactivate), Step::Drop(MONA), sync()])
            },
        ),
        sequence("removal-already-gone", "deleted at the source, already gone there", removes, |setting| {
            after_both(setting, [Step::Edit(MONA_NAME, Edit::Remove), Step::Drop(MONA), sync()])
        }),
        sequence(
            "already-inactive-then-back",
            "already inactive at its removal, then back",
            everything,
            |setting| {
                after_mona(
                    setting,
                    [
                        Step::Edit(MONA_NAME, Edit::Deactivate),
                        Step::Put(mona().of(ALUMNI)),
                        sync(),
                        Step::Put(mona()),
                        sync(),
                    ],
                )
            },
        ),
    ]
}

fn waiting() -> Vec<Scenario> {
    vec![
        sequence(
            "failed-removal-retried",
            "a removal is tried again each run until it works",
            removes,
            |setting| after_both(setting, [Step::Drop(MONA), sync(), sync(), full_sync()]),
        ),
        sequence("failed-removal-cancelled", "a removal, and the user is back", removes, |setting| {
            after_mona(
                setting,
                [Step::Put(mona().of(ALUMNI)), sync(), sync(), Step::Put(mona().changed()), sync()],
            )
        }),
        sequence("remove-action-changed", "a removal, then the other Remove Action", everything, |setting| {
            after_both(
                setting,
                [Step::Drop(MONA), sync(), Step::Prefer(other_action(setting)), sync(), full_sync()],
            )
        }),
        sequence(
            "removal-waits-for-full",
            "deprovision is turned on after the user left",
            removes,
            |setting| {
                let mut steps = vec![Step::Prefer(without_deprovision(setting))];
                steps.extend(linked(setting, &[mona(), nils()]));
                steps.extend([Step::Drop(MONA), sync(), Step::Prefer(setting), sync(), full_sync()]);
                steps
            },
        ),
        sequence(
            "withheld-then-deleted",
            "left scope while deprovision was off, then deleted",
            removes,
            |setting| {
                let mut steps = vec![Step::Prefer(without_deprovision(setting))];
                steps.extend(linked(setting, &[mona(), nils()]));
                steps.extend([
                    Step::Put(mona().of(ALUMNI)),
                    sync(),
                    Step::Prefer(setting),
                    sync(),
                    Step::Drop(MONA),
                    sync(),
                ]);
                steps
            },
        ),
        sequence(
            "withheld-then-deleted-still-off",
            "left scope, then deleted, deprovision off",
            each_way,
            |setting| after_both(setting, [Step::Put(mona().of(ALUMNI)), sync(), Step::Drop(MONA), sync()]),
        ),
    ]
}

fn withheld() -> Vec<Scenario> {
    vec![
        sequence(
            "disable-withheld",
            "after a Disable that deletes, none is sent until a new test",
            everything,
            |s| {
                after_both(
                    s,
                    [
                        Step::Put(mona().disabled()),
                        sync(),
                        Step::Put(nils().disabled().changed()),
                        sync(),
                        sync(),
                        Step::TestConnection,
                        sync(),
                    ],
                )
            },
        ),
        sequence("two-disables-at-once", "two users are disabled in one run", everything, |setting| {
            after_both(setting, [Step::Put(mona().disabled()), Step::Put(nils().disabled()), sync()])
        }),
        sequence("two-removals-at-once", "two users leave in one run", everything, |setting| {
            after_both(setting, [Step::Put(mona().of(ALUMNI)), Step::Put(nils().of(ALUMNI)), sync()])
        }),
        sequence("removal-withheld", "a removal after a Disable that deletes", by_disable, |setting| {
            after_both(setting, [Step::Put(mona().disabled()), sync(), Step::Drop(NILS), sync(), sync()])
        }),
        sequence(
            "removal-reads-first",
            "inactive accounts need no Disable, so none is withheld",
            by_disable,
            |s| {
                after_both(
                    s,
                    [
                        Step::Put(mona().disabled()),
                        sync(),
                        Step::Edit(NILS_NAME, Edit::Deactivate),
                        Step::Drop(NILS),
                        sync(),
                    ],
                )
            },
        ),
    ]
}

fn guarded() -> Vec<Scenario> {
    vec![
        sequence("delete-guard", "more removals than allowed, then allowed", removes, |setting| {
            after_both(
                setting,
                [
                    Step::MaxRemovals(1),
                    Step::Put(mona().of(ALUMNI)),
                    Step::Put(nils().of(ALUMNI)),
                    sync(),
                    Step::MaxRemovals(500),
                    sync(),
                ],
            )
        }),
        sequence(
            "guard-counts-disables",
            "more disables than allowed, then allowed",
            everything,
            |setting| {
                after_both(
                    setting,
                    [
                        Step::MaxRemovals(1),
                        Step::Put(mona().disabled()),
                        Step::Put(nils().changed().disabled()),
                        sync(),
                        Step::MaxRemovals(500),
                        sync(),
                    ],
                )
            },
        ),
        sequence(
            "guard-counts-the-day",
            "one removal passes, and the disable after it no longer does",
            everything,
            |setting| {
                after_both(
                    setting,
                    [
                        Step::MaxRemovals(1),
                        Step::Put(mona().of(ALUMNI)),
                        sync(),
                        Step::Put(nils().disabled()),
                        sync(),
                        Step::MaxRemovals(500),
                        sync(),
                    ],
                )
            },
        ),
        sequence("guard-by-share", "six of seven leave: stopped; five: let pass", removes, |setting| {
            let crowd: Vec<User> = (0..7).map(extra).collect();
            let mut steps = linked(setting, &crowd);
            steps.extend(crowd[1..].iter().map(|user| Step::Put(user.clone().of(ALUMNI))));
            steps.extend([sync(), Step::Put(crowd[1].clone()), sync()]);
            steps
        }),
        sequence("rule-matches-nobody", "a rule loses its only user: refused, then allowed", removes, |s| {
            after_mona(s, [Step::Put(mona().of(ALUMNI)), careful_sync(), sync()])
        }),
        sequence("other-people", "all others at the source: refused, then accepted", removes, |setting| {
            let accepted = Options { accept_new_source: true, allow_empty_scope: true, ..Options::default() };
            after_both(
                setting,
                [
                    Step::Drop(MONA),
                    Step::Drop(NILS),
                    Step::Put(newcomer()),
                    Step::Put(extra(1)),
                    sync(),
                    Step::Sync(accepted),
                ],
            )
        }),
        sequence("empty-source", "nobody at the source: refused, then allowed", removes, |setting| {
            let allowed = Options { allow_empty_source: true, ..Options::default() };
            after_mona(setting, [Step::Drop(MONA), sync(), Step::Sync(allowed)])
        }),
        sequence("unreadable-source", "the source cannot be read, then it can", removes, |setting| {
            after_both(
                setting,
                [Step::Drop(MONA), Step::Readable(false), sync(), Step::Readable(true), sync()],
            )
        }),
        sequence("deleted-while-off", "deleted while the connection is off, then on", removes, |setting| {
            after_both(setting, [Step::Toggle(false), Step::Drop(MONA), sync(), Step::Toggle(true), sync()])
        }),
    ]
}
