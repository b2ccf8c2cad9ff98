//! Sequences about accounts that others change, and about a connection that is changed.

use crate::matrix::model::{Attribute, Options};
use crate::matrix::scenario::people::{
    MONA, MONA_NAME, after_both, after_mona, each_way, everything, linked, mona, nils, removes, sequence,
    sync, two_rules, typical,
};
use crate::matrix::scenario::{Edit, Scenario, Step};
use crate::matrix::setting::Setting;

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut scenarios = out_of_band();
    scenarios.extend(connection());
    scenarios.extend(preferences());
    scenarios
}

fn out_of_band() -> Vec<Scenario> {
    vec![
        sequence(
            "gone-then-changed",
            "deleted by somebody else, then changed at the source",
            each_way,
            |setting| {
                after_mona(
                    setting,
                    [Step::Edit(MONA_NAME, Edit::Remove), Step::Put(mona().changed()), sync()],
                )
            },
        ),
        sequence("gone-then-disabled", "deleted by somebody else, then disabled", everything, |setting| {
            after_mona(setting, [Step::Edit(MONA_NAME, Edit::Remove), Step::Put(mona().disabled()), sync()])
        }),
        sequence("inactive-then-changed", "disabled by somebody else, then changed", each_way, |setting| {
            after_mona(
                setting,
                [Step::Edit(MONA_NAME, Edit::Deactivate), Step::Put(mona().changed()), sync()],
            )
        }),
        sequence(
            "attribute-missing",
            "the source loses an attribute: it stays at the target",
            everything,
            |setting| after_mona(setting, [Step::Put(mona().without(Attribute::Title)), sync()]),
        ),
        sequence("attribute-cleared", "the source loses attributes and clearing is on", typical, |setting| {
            let less = mona().without(Attribute::Title).without(Attribute::Email);
            after_mona(setting, [Step::ClearMissing(true), Step::Put(less), sync()])
        }),
        sequence("attribute-added", "the source gains an attribute", typical, |setting| {
            after_mona(setting, [Step::Put(mona().with(Attribute::Nickname, "Mo")), sync()])
        }),
        sequence(
            "changed-twice",
            "what was learned of the target holds in the next run",
            everything,
            |setting| {
                after_both(
                    setting,
                    [Step::Put(mona().changed()), sync(), Step::Put(nils().changed().disabled()), sync()],
                )
            },
        ),
        sequence("two-changed-at-once", "two users change in one run", everything, |setting| {
            after_both(setting, [Step::Put(mona().changed()), Step::Put(nils().changed()), sync()])
        }),
    ]
}

fn connection() -> Vec<Scenario> {
    vec![
        sequence("url-changed", "the SCIM URL names another application", typical, |setting| {
            after_mona(setting, [Step::PointAt(1), Step::Put(mona().changed()), sync()])
        }),
        sequence(
            "url-changed-match",
            "another application, where the account already is",
            typical,
            |setting| {
                after_mona(setting, [Step::Seed(1, mona().foreign_fields(), true), Step::PointAt(1), sync()])
            },
        ),
        sequence(
            "url-changed-and-deleted",
            "another application, and the user is deleted",
            removes,
            |setting| after_both(setting, [Step::PointAt(1), Step::Drop(MONA), sync()]),
        ),
        sequence("source-changed", "another source: refused, then accepted", removes, |setting| {
            let accepted = Options { accept_new_source: true, ..Options::default() };
            after_both(
                setting,
                [
                    Step::SourceFile(1),
                    Step::Put(nils().changed()),
                    Step::Drop(MONA),
                    sync(),
                    Step::Sync(accepted),
                ],
            )
        }),
    ]
}

fn nothing(setting: Setting) -> Setting {
    Setting { creation: false, updation: false, disable: false, deprovision: false, ..setting }
}

/// Returns scenarios in which a linked user needs all operations that are off in `setting`.
fn preferences() -> Vec<Scenario> {
    vec![
        sequence("creation-turned-on", "unsynced, then creation is turned on", each_way, |setting| {
            let off = Setting { creation: false, ..setting };
            vec![
                Step::Prefer(off),
                Step::Rules(two_rules()),
                Step::Put(mona()),
                sync(),
                Step::Prefer(setting),
                sync(),
            ]
        }),
        sequence(
            "updation-turned-on",
            "changed and disabled while updation was off, then on",
            everything,
            |setting| {
                let off = Setting {
                    remove_action: crate::matrix::setting::RemoveAction::Delete,
                    on_rule_deletion: false,
                    ..nothing(setting)
                };
                let mut steps = vec![Step::Prefer(off)];
                steps.extend(linked(off, &[mona()]));
                steps.extend([Step::Put(mona().changed().disabled()), sync(), Step::Prefer(setting), sync()]);
                steps
            },
        ),
        sequence("disable-turned-on", "disabled while disable was off, then on", everything, |setting| {
            let off = Setting::from_slug("create+update").unwrap_or(setting);
            let mut steps = vec![Step::Prefer(off)];
            steps.extend(linked(off, &[mona()]));
            steps.extend([Step::Put(mona().disabled()), sync(), Step::Prefer(setting), sync()]);
            steps
        }),
    ]
}
