//! Sequences about answers that go wrong.

use crate::matrix::model::{FaultRule, On};
use crate::matrix::scenario::people::{
    after_both, after_mona, by_disable, each_way, everything, mona, nils, sequence, sync, two_rules,
};
use crate::matrix::scenario::{Scenario, Step};

fn fault(status: u16, times: u32, method: &'static str) -> Step {
    Step::Fault(FaultRule::status(status, times, On::Method(method)))
}

/// Mona is new, and this meets her.
fn new_with(then: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let mut steps = vec![Step::Rules(two_rules()), Step::Put(mona())];
    steps.extend(then);
    steps
}

pub(super) fn scenarios() -> Vec<Scenario> {
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
            let newcomer = crate::matrix::model::User { id: "u-3".to_owned(), ..newcomer };
            steps.extend([Step::Put(newcomer), fault(400, 1, "POST"), sync()]);
            steps
        }),
    ]
}
