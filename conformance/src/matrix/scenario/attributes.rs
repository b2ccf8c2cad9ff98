//! Sequences about attributes that a target may not store: what that costs their own writes, and nobody a Disable.

use crate::matrix::model::{Attribute, User};
use crate::matrix::scenario::people::{
    MONA, NILS, after_both, after_mona, by_disable, everything, full_sync, linked, mona, nils, sequence,
    sync, two_rules,
};
use crate::matrix::scenario::{Scenario, Step};
use crate::matrix::setting::Setting;

const NEW_NAME: &str = "mona.lund@example.com";

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut scenarios = one_attribute();
    // Only here does it matter how somebody is removed.
    scenarios.extend(then_disabled().into_iter().map(|scenario| Scenario { fits: everything, ..scenario }));
    scenarios.extend(beside_others());
    scenarios.extend(mended());
    scenarios.extend(external_id());
    scenarios
}

fn title(user: User, title: &str) -> User {
    user.with(Attribute::Title, title)
}

/// Adds a family name.
fn family(user: User) -> User {
    user.with(Attribute::Family, "Lund")
}

/// Returns steps that link Mona and Nils, both with family names, and then these steps.
fn after_families(setting: Setting, then: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let mut steps = linked(setting, &[family(mona()), family(nils())]);
    steps.extend(then);
    steps
}

/// Returns steps in which one attribute becomes `value`, for one user after the other.
fn in_turn(setting: Setting, attribute: Attribute, value: &str) -> Vec<Step> {
    let put = |user: User| Step::Put(user.with(attribute, value));
    after_both(setting, [put(mona()), sync(), put(nils()), sync()])
}

fn attribute(slug: &'static str, title: &'static str, steps: fn(Setting) -> Vec<Step>) -> Scenario {
    Scenario { of_attributes: true, ..sequence(slug, title, by_disable, steps) }
}

fn one_attribute() -> Vec<Scenario> {
    vec![
        attribute(
            "title-changed",
            "the title alone changes; then two more runs, one of them full",
            |setting| {
                after_both(setting, [Step::Put(title(mona(), "Director")), sync(), full_sync(), sync()])
            },
        ),
        attribute("titles-changed", "the titles of two users change in one run, and then again", |setting| {
            after_both(
                setting,
                [
                    Step::Put(title(mona(), "Director")),
                    Step::Put(title(nils(), "Director")),
                    sync(),
                    Step::Put(title(mona(), "Chair")),
                    Step::Put(title(nils(), "Chair")),
                    sync(),
                ],
            )
        }),
        attribute(
            "email-changed",
            "the e-mail address alone changes, for one user after the other",
            |setting| in_turn(setting, Attribute::Email, "second@mail.example.com"),
        ),
        attribute(
            "given-name-changed",
            "the given name alone changes, for one user after the other",
            |setting| in_turn(setting, Attribute::Given, "Other"),
        ),
        attribute("family-name-changed", "the family name alone changes, for two users at once", |setting| {
            let other = |user: User| user.with(Attribute::Family, "Berg");
            after_families(
                setting,
                [Step::Put(other(family(mona()))), Step::Put(other(family(nils()))), sync(), full_sync()],
            )
        }),
    ]
}

fn then_disabled() -> Vec<Scenario> {
    vec![
        attribute("title-changed-then-disabled", "the title changes, then the user is disabled", |setting| {
            let director = || title(mona(), "Director");
            after_both(
                setting,
                [
                    Step::Put(director()),
                    sync(),
                    Step::Put(director().disabled()),
                    sync(),
                    Step::Put(director()),
                    sync(),
                ],
            )
        }),
        attribute("title-changed-and-disabled", "the title changes as the user is disabled", |setting| {
            after_both(
                setting,
                [
                    Step::Put(title(mona(), "Director").disabled()),
                    sync(),
                    Step::Put(title(nils(), "Director").disabled()),
                    sync(),
                ],
            )
        }),
        attribute("title-changed-then-deleted", "the title changes, then the user leaves", |setting| {
            let director = Step::Put(title(mona(), "Director"));
            after_both(setting, [director, sync(), Step::Drop(MONA), sync()])
        }),
        attribute("title-changed-then-renamed", "the title changes, then the user name", |setting| {
            let director = || title(mona(), "Director");
            after_both(
                setting,
                [Step::Put(director()), sync(), Step::Put(director().named(NEW_NAME)), sync(), full_sync()],
            )
        }),
        attribute(
            "each-changed-then-disabled",
            "five attributes change one after the other, then one user is disabled and the other leaves",
            |setting| {
                let changes = [
                    (Attribute::Title, "Director"),
                    (Attribute::Given, "Other"),
                    (Attribute::Family, "Berg"),
                    (Attribute::Nickname, "Mo"),
                    (Attribute::Email, "second@mail.example.com"),
                ];
                let mut user = family(mona());
                let mut steps = Vec::new();
                for (attribute, value) in changes {
                    user = user.with(attribute, value);
                    steps.extend([Step::Put(user.clone()), sync()]);
                }
                steps.extend([Step::Put(user.disabled()), Step::Drop(NILS), sync()]);
                after_families(setting, steps)
            },
        ),
    ]
}

fn beside_others() -> Vec<Scenario> {
    vec![
        attribute("several-changed", "several attributes change at once, then a full run", |setting| {
            let other = |user: User| {
                family(user).changed().with(Attribute::Family, "Berg").with(Attribute::Nickname, "Mo")
            };
            after_families(setting, [Step::Put(other(mona())), sync(), sync(), full_sync(), sync()])
        }),
        attribute("names-changed", "given and family name change with a nickname, then alone", |setting| {
            let named = |given, name| mona().with(Attribute::Given, given).with(Attribute::Family, name);
            after_families(
                setting,
                [
                    Step::Put(named("Other", "Berg").with(Attribute::Nickname, "Mo")),
                    sync(),
                    Step::Put(named("Third", "Dahl").with(Attribute::Nickname, "Mo")),
                    sync(),
                ],
            )
        }),
        attribute(
            "created-after-another",
            "a second user is created once the first has shown something",
            |setting| {
                let mut steps = after_mona(setting, [Step::Put(title(mona(), "Director")), sync()]);
                steps.extend([Step::Put(nils()), sync(), Step::Put(title(nils(), "Director")), sync()]);
                steps
            },
        ),
    ]
}

fn mended() -> Vec<Scenario> {
    const WHOLE: &str = "aquera";
    vec![
        attribute(
            "target-mended",
            "several attributes change, then the target stores all of them",
            |setting| {
                let other = |user: User| user.changed().with(Attribute::Given, "Other");
                after_both(
                    setting,
                    [Step::Put(other(mona())), sync(), Step::Profile(WHOLE), sync(), full_sync()],
                )
            },
        ),
        attribute(
            "target-mended-for-one",
            "the title alone changes, then the target stores titles",
            |setting| {
                after_both(
                    setting,
                    [
                        Step::Put(title(mona(), "Director")),
                        sync(),
                        sync(),
                        Step::Profile(WHOLE),
                        sync(),
                        sync(),
                    ],
                )
            },
        ),
        attribute(
            "target-mended-for-others",
            "two users lack what was written beside other attributes; the target is mended, and one of them changes again",
            |setting| {
                let other = |user: User| family(user).changed().with(Attribute::Family, "Berg");
                let again = other(mona()).with(Attribute::Title, "Chair").with(Attribute::Family, "Dahl");
                after_families(
                    setting,
                    [
                        Step::Put(other(mona())),
                        Step::Put(other(nils())),
                        sync(),
                        Step::Profile(WHOLE),
                        Step::Put(again.with(Attribute::Email, "third@mail.example.com")),
                        sync(),
                        sync(),
                    ],
                )
            },
        ),
        attribute(
            "tested-again",
            "the title changes, a person tests the connection, and it changes again",
            |s| {
                after_both(
                    s,
                    [
                        Step::Put(title(mona(), "Director")),
                        sync(),
                        Step::TestConnection,
                        Step::Put(title(mona(), "Chair").disabled()),
                        sync(),
                    ],
                )
            },
        ),
    ]
}

fn external_id() -> Vec<Scenario> {
    vec![
        attribute("without-external-id", "externalId is left out from the start", |_| {
            vec![
                Step::ExternalId(false),
                Step::Rules(two_rules()),
                Step::Put(mona()),
                Step::Put(nils()),
                sync(),
                Step::Put(mona().changed()),
                sync(),
                Step::Put(mona().changed().disabled()),
                Step::Drop(NILS),
                sync(),
                full_sync(),
            ]
        }),
        attribute("external-id-turned-off", "externalId is left out after a first run", |setting| {
            after_mona(
                setting,
                [Step::ExternalId(false), sync(), Step::Put(mona().changed()), sync(), full_sync()],
            )
        }),
        attribute(
            "already-there-changed-and-disabled",
            "the account of a disabled user is there, active, with another title and no externalId",
            |_| {
                vec![
                    Step::Rules(two_rules()),
                    Step::Seed(0, mona().foreign_fields(), true),
                    Step::Put(mona().disabled()),
                    sync(),
                    sync(),
                ]
            },
        ),
        attribute(
            "already-there-and-changed",
            "somebody else's account is linked, then changed and disabled",
            |_| {
                vec![
                    Step::Rules(two_rules()),
                    Step::Seed(0, mona().foreign_fields(), true),
                    Step::Put(mona()),
                    sync(),
                    Step::Put(mona().changed()),
                    sync(),
                    Step::Put(mona().changed().disabled()),
                    sync(),
                ]
            },
        ),
    ]
}
