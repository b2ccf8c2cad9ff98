//! Sequences about answers that go wrong.

use crate::matrix::model::{FaultKind, FaultRule, On, User};
use crate::matrix::scenario::people::{
    ALUMNI, MONA, NILS, after_both, after_mona, by_disable, each_way, everything, extra, linked, mona,
    newcomer, nils, sequence, sync, two_rules,
};
use crate::matrix::scenario::{Scenario, Step};
use crate::matrix::setting::Setting;

fn fault(status: u16, times: u32, method: &'static str) -> Step {
    Step::Fault(FaultRule::status(status, times, On::Method(method)))
}

/// Returns steps that add Mona under these conditions.
fn new_with(then: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let mut steps = vec![Step::Rules(two_rules()), Step::Put(mona())];
    steps.extend(then);
    steps
}

/// Returns steps in which the answer to Mona's create is lost and the look-ups after it fail, followed by these
/// changes at the source.
fn cut_off(setting: Setting, kind: FaultKind, then: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let lost = FaultRule { kind, after_effect: true, on: On::Method("POST"), skip: 0, times: None };
    // The connection test lists users, and so does the look-up before the POST.
    let unread = FaultRule { skip: 2, times: None, ..FaultRule::status(503, 0, On::List) };
    let mut steps = linked(setting, &[nils()]);
    steps.extend([Step::Put(mona()), Step::Fault(lost), Step::Fault(unread), sync(), Step::ClearFaults]);
    steps.extend(then);
    steps.push(sync());
    steps
}

fn cut_off_creates() -> Vec<Scenario> {
    const NEW_NAME: &str = "mona.lund@example.com";
    const LOST: FaultKind = FaultKind::Status(503);
    vec![
        sequence("cut-off", "a create is cut off, and nothing else happens", each_way, |setting| {
            cut_off(setting, FaultKind::Reset, [])
        }),
        sequence("cut-off-then-renamed", "a create is cut off, then the user is renamed", each_way, |s| {
            cut_off(s, LOST, [Step::Put(mona().named(NEW_NAME))])
        }),
        sequence("cut-off-then-disabled", "a create is cut off, then the user is disabled", each_way, |s| {
            cut_off(s, FaultKind::Hang, [Step::Put(mona().disabled())])
        }),
        sequence(
            "cut-off-then-renamed-and-disabled",
            "a create is cut off, then the user is renamed and disabled",
            each_way,
            |s| cut_off(s, LOST, [Step::Put(mona().named(NEW_NAME).disabled())]),
        ),
        sequence("cut-off-then-deleted", "a create is cut off, then the user is deleted", each_way, |s| {
            cut_off(s, FaultKind::EmptyReply, [Step::Drop(MONA)])
        }),
        sequence(
            "cut-off-then-left-scope",
            "a create is cut off, then no rule holds the user",
            each_way,
            |s| cut_off(s, LOST, [Step::Put(mona().named(NEW_NAME).of(ALUMNI))]),
        ),
        sequence("cut-off-then-re-hired", "a create is cut off, then the user has a new id", each_way, |s| {
            cut_off(s, LOST, [Step::Drop(MONA), Step::Put(newcomer())])
        }),
        sequence(
            "cut-off-then-name-handed-on",
            "a create is cut off, then the user is renamed and a newcomer has the name",
            each_way,
            |s| cut_off(s, LOST, [Step::Put(mona().named(NEW_NAME)), Step::Put(newcomer()), sync()]),
        ),
    ]
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut scenarios = single_answers();
    scenarios.extend(refused_once());
    scenarios.extend(cut_off_creates());
    scenarios
}

/// Returns scenarios in which the first request of a kind is refused as unsupported, and the second user's works.
fn refused_once() -> Vec<Scenario> {
    vec![
        sequence(
            "update-unsupported-once",
            "501 to the first PATCH of two users who change",
            everything,
            |setting| {
                let changed = [Step::Put(mona().changed()), Step::Put(nils().changed())];
                let mut steps = after_both(setting, changed);
                steps.extend([fault(501, 1, "PATCH"), sync(), sync()]);
                steps
            },
        ),
        sequence(
            "disable-unsupported-once",
            "501 to the first PATCH of two users who are disabled",
            everything,
            |setting| {
                let disabled = [Step::Put(mona().disabled()), Step::Put(nils().disabled())];
                let mut steps = after_both(setting, disabled);
                steps.extend([fault(501, 1, "PATCH"), sync(), sync()]);
                steps
            },
        ),
        sequence(
            "removal-unsupported-once",
            "405 to the first DELETE or PATCH of two users who leave",
            everything,
            |setting| {
                let leave = [Step::Put(extra(1)), sync(), Step::Drop(MONA), Step::Drop(NILS)];
                let mut steps = after_both(setting, leave);
                steps.extend([fault(405, 1, "DELETE"), fault(405, 1, "PATCH"), sync(), sync()]);
                steps
            },
        ),
    ]
}

fn single_answers() -> Vec<Scenario> {
    vec![
        sequence("transient-status", "503 twice, to whatever comes first", each_way, |setting| {
            let any = Step::Fault(FaultRule::status(503, 2, On::Any));
            after_mona(setting, [Step::Put(mona().changed()), any, sync()])
        }),
        sequence("too-many-requests", "429 twice to a create", by_disable, |_| {
            new_with([fault(429, 2, "POST"), sync()])
        }),
        sequence("target-error", "503 to every try of a create, then it works", by_disable, |_| {
            new_with([fault(503, 5, "POST"), sync(), sync()])
        }),
        sequence("rate-limited", "429 to every try of a create, then it works", by_disable, |_| {
            new_with([fault(429, 5, "POST"), sync(), sync()])
        }),
        sequence("lost-reply", "the account is made and the answer lost", everything, |_| {
            let lost = FaultRule { after_effect: true, ..FaultRule::status(503, 1, On::Method("POST")) };
            new_with([Step::Fault(lost), sync()])
        }),
        sequence("hidden-account", "409 to a create, and nobody of that name is found", by_disable, |_| {
            new_with([fault(409, 2, "POST"), sync(), sync(), sync()])
        }),
        sequence("create-rejected", "400 to a create, then it works", by_disable, |_| {
            new_with([fault(400, 1, "POST"), sync(), sync()])
        }),
        sequence(
            "create-forbidden",
            "403 to a create, though the connection test passes",
            by_disable,
            |_| new_with([fault(403, 1, "POST"), sync(), sync()]),
        ),
        sequence("unauthorized-midway", "401 to a create stops the run", by_disable, |_| {
            new_with([fault(401, 1, "POST"), sync(), sync()])
        }),
        sequence("conflict-once", "412 to a PUT, then it works", everything, |setting| {
            after_mona(setting, [Step::Put(mona().changed()), fault(412, 1, "PUT"), sync()])
        }),
        sequence("conflict-twice", "412 to a PUT twice", everything, |setting| {
            after_mona(setting, [Step::Put(mona().changed()), fault(412, 2, "PUT"), sync()])
        }),
        sequence("one-bad-user", "one create is rejected, the other user goes on", by_disable, |setting| {
            let mut steps = after_both(setting, [Step::Put(nils().changed())]);
            let newcomer = mona().named("third@example.com");
            let newcomer = User { id: "u-3".to_owned(), ..newcomer };
            steps.extend([Step::Put(newcomer), fault(400, 1, "POST"), sync()]);
            steps
        }),
    ]
}
