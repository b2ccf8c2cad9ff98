//! Random sequences, as strategies of proptest, weighted by what finds most.

use proptest::prelude::*;

use crate::explore::model::PatchKind;
use crate::explore::operation::{
    BulkPart, Change, Condition, CredentialsKind, Filter, InvalidKind, ListWay, Logic, MemberChange, NameOf,
    Operation, Operator, PatchForm, Scope, Setting, TargetKind, TogetherKind, Type, Write,
};
use crate::explore::value::{Choice, TEXTS};

fn choice() -> impl Strategy<Value = Choice> {
    (prop_oneof![1 => Just(0), 1 => 0..TEXTS.len()], 0..6_usize)
        .prop_map(|(text, number)| Choice { text, number })
}

fn setting(attributes: usize) -> impl Strategy<Value = Setting> {
    (0..attributes.max(1), choice()).prop_map(|(attribute, choice)| Setting { attribute, choice })
}

fn settings(attributes: usize, most: usize) -> BoxedStrategy<Vec<Setting>> {
    let most = if attributes == 0 { 0 } else { most };
    prop::collection::vec(setting(attributes), 0..=most).boxed()
}

fn pick() -> std::ops::Range<usize> {
    0..4
}

/// Returns the requests that change one attribute.
pub(super) fn writes(scope: Scope) -> Vec<Write> {
    let mut all = vec![Write::Put];
    if scope.patch {
        all.extend([Write::PatchWithPath, Write::PatchWithoutPath]);
    }
    if scope.patch && scope.bulk {
        all.push(Write::Bulk);
    }
    all
}

fn write(scope: Scope) -> BoxedStrategy<Write> {
    prop::sample::select(writes(scope)).boxed()
}

fn change(attributes: usize) -> impl Strategy<Value = Change> {
    let kind =
        prop_oneof![3 => Just(PatchKind::Replace), 3 => Just(PatchKind::Add), 2 => Just(PatchKind::Remove)];
    let target = prop_oneof![
        4 => Just(TargetKind::Whole),
        2 => (0..4_usize).prop_map(TargetKind::Part),
        2 => (0..3_usize).prop_map(TargetKind::Selected),
        2 => (0..3_usize, 0..4_usize).prop_map(|(one, part)| TargetKind::SelectedPart(one, part)),
    ];
    (kind, 0..attributes.max(1), target, choice()).prop_map(|(kind, attribute, target, choice)| Change {
        kind,
        attribute,
        target,
        choice,
    })
}

fn form() -> impl Strategy<Value = PatchForm> {
    prop_oneof![
        4 => Just(PatchForm::Path),
        3 => Just(PatchForm::WithoutPath),
        1 => Just(PatchForm::UrnPath),
        1 => Just(PatchForm::Capitals),
    ]
}

fn filter(attributes: usize) -> impl Strategy<Value = Filter> {
    let operator = prop_oneof![
        4 => Just(Operator::Equals),
        1 => Just(Operator::Contains),
        1 => Just(Operator::StartsWith),
        1 => Just(Operator::EndsWith),
        1 => Just(Operator::Present),
        1 => Just(Operator::NotEquals),
    ];
    let logic = prop_oneof![
        4 => Just(Logic::Plain),
        1 => Just(Logic::AndActive),
        1 => Just(Logic::OrNobody),
        1 => Just(Logic::Not),
        1 => Just(Logic::ValuePath),
    ];
    let variants = (any::<bool>(), prop::bool::weighted(0.25), prop::bool::weighted(0.2));
    (0..attributes.max(1), 0..4_usize, operator, logic, variants).prop_map(
        |(attribute, part, operator, logic, (is_in_other_case, is_swapped, is_wild))| Filter {
            attribute,
            part,
            operator,
            logic,
            is_in_other_case,
            is_present: true,
            is_swapped,
            is_wild,
        },
    )
}

/// Returns sequences of at most `steps` operations after the creation of one to three users, and of a group of them now and
/// then, for most operations need some.
pub(crate) fn sequences(scope: Scope, steps: usize) -> BoxedStrategy<Vec<Operation>> {
    let users = prop::collection::vec(settings(scope.users, 12), 1..=3);
    let group = proptest::option::weighted(if scope.groups.is_some() { 0.35 } else { 0.0001 }, Just(()));
    let rest = prop::collection::vec(operation(scope), 1..=steps.max(1));
    // What comes first is shrunk first.
    (rest, users, group)
        .prop_map(move |(rest, users, group)| {
            let mut all: Vec<Operation> = users.into_iter().map(Operation::CreateUser).collect();
            if group.is_some() && scope.groups.is_some() {
                let members = (0..all.len()).collect();
                all.push(Operation::CreateGroup { members, settings: Vec::new() });
            }
            all.extend(rest);
            all
        })
        .boxed()
}

fn operation(scope: Scope) -> BoxedStrategy<Operation> {
    let users = scope.users;
    let mut all: Vec<(u32, BoxedStrategy<Operation>)> = vec![
        (4, settings(users, 8).prop_map(Operation::CreateUser).boxed()),
        (
            5,
            (pick(), settings(users, 4), any::<bool>())
                .prop_map(|(of, settings, is_whole)| Operation::Replace { of, settings, is_whole })
                .boxed(),
        ),
        (2, (pick(), write(scope)).prop_map(|(of, with)| Operation::Rename { of, with }).boxed()),
        (
            2,
            (pick(), write(scope), any::<bool>())
                .prop_map(|(of, with, is_in_other_case)| Operation::Repeat { of, with, is_in_other_case })
                .boxed(),
        ),
        (2, (pick(), write(scope)).prop_map(|(of, with)| Operation::KeepOne { of, with }).boxed()),
        (1, (pick(), pick()).prop_map(|(of, to)| Operation::SetManager { of, to }).boxed()),
        (1, Just(Operation::FailedCreation).boxed()),
        (1, whole_list(scope).boxed()),
        (2, pick().prop_map(|of| Operation::Delete { of, is_group: false }).boxed()),
        (3, (named(), pick()).prop_map(|(name, of)| Operation::CreateNamed { name, of }).boxed()),
        (
            3,
            (pick(), pick(), write(scope), any::<bool>())
                .prop_map(|(of, to, with, brings_more)| Operation::RenameToTaken {
                    of,
                    to,
                    with,
                    brings_more,
                })
                .boxed(),
        ),
        (3, (together(scope), pick()).prop_map(|(kind, of)| Operation::Together { kind, of }).boxed()),
        (1, (1..4_usize).prop_map(|count| Operation::Pages { count }).boxed()),
        (
            2,
            (pick(), 0..users.max(1), any::<bool>())
                .prop_map(|(of, attribute, is_excluded)| Operation::Project { of, attribute, is_excluded })
                .boxed(),
        ),
        (
            3,
            (pick(), prop::sample::select(mistakes(scope)))
                .prop_map(|(of, kind)| Operation::Invalid { of, kind })
                .boxed(),
        ),
    ];
    if scope.patch {
        let changes = prop::collection::vec(change(users), 1..=5);
        let patch =
            (pick(), changes, form()).prop_map(|(of, changes, form)| Operation::Patch { of, changes, form });
        all.push((if users == 0 { 0 } else { 14 }, patch.boxed()));
    }
    if let Some(attributes) = scope.groups {
        let members = || prop::collection::vec(pick(), 0..4);
        let group = (members(), settings(attributes, 2))
            .prop_map(|(members, settings)| Operation::CreateGroup { members, settings });
        all.push((4, group.boxed()));
        let change = (pick(), members(), member_change(scope))
            .prop_map(|(of, users, change)| Operation::Members { of, users, change });
        all.push((9, change.boxed()));
        all.push((
            1,
            (pick(), write(scope)).prop_map(|(of, with)| Operation::RenameGroup { of, with }).boxed(),
        ));
        all.push((1, pick().prop_map(|of| Operation::Delete { of, is_group: true }).boxed()));
        let nested = any::<bool>().prop_map(|is_circular| Operation::NestedGroups { is_circular });
        all.push((1, nested.boxed()));
    }
    if scope.bulk {
        let parts = prop::collection::vec(bulk_part(scope), 1..=4);
        all.push((4, parts.prop_map(Operation::Bulk).boxed()));
    }
    if scope.external_id {
        all.push((1, pick().prop_map(|of| Operation::ShareExternalId { of }).boxed()));
    }
    if scope.filter {
        let find = (pick(), filter(users), any::<bool>())
            .prop_map(|(of, filter, is_search)| Operation::Find { of, filter, is_search });
        all.push((6, find.boxed()));
    }
    if scope.sort {
        let sort = (0..users.max(1), 0..3_usize, any::<bool>())
            .prop_map(|(attribute, part, is_descending)| Operation::Sort { attribute, part, is_descending });
        all.push((1, sort.boxed()));
    }
    if scope.etag {
        let condition = prop::sample::select(
            &[
                Condition::Current,
                Condition::Earlier,
                Condition::DeleteEarlier,
                Condition::UnlessCurrent,
                Condition::UnlessEarlier,
            ][..],
        );
        let conditional = (pick(), kind(scope), condition, write(scope))
            .prop_map(|(of, kind, condition, with)| Operation::Conditional { of, kind, condition, with });
        all.push((3, conditional.boxed()));
    }
    if scope.credentials {
        let without = (pick(), prop::sample::select(CREDENTIALS.to_vec()))
            .prop_map(|(of, kind)| Operation::WithoutCredentials { of, kind });
        all.push((1, without.boxed()));
    }
    if scope.password {
        let password = (pick(), 0..6_usize).prop_map(|(of, number)| Operation::SetPassword { of, number });
        all.push((1, password.boxed()));
    }
    // Rare, for it costs time.
    let often = all.iter().map(|(weight, _)| weight * 4).collect::<Vec<_>>();
    let mut weighted: Vec<_> = often.into_iter().zip(all.into_iter().map(|(_, strategy)| strategy)).collect();
    weighted.push((4, Just(Operation::LookLater).boxed()));
    if scope.groups.is_some() {
        weighted.push((1, Just(Operation::ManyGroups { count: 12 }).boxed()));
    }
    if scope.bulk {
        weighted.push((1, Just(Operation::ManyInBulk { count: 11 }).boxed()));
    }
    weighted.retain(|(weight, _)| *weight > 0);
    proptest::strategy::Union::new_weighted(weighted).boxed()
}

/// Requests without valid credentials; requests that may delete come last.
pub(super) const CREDENTIALS: [CredentialsKind; 8] = [
    CredentialsKind::Read,
    CredentialsKind::List,
    CredentialsKind::Search,
    CredentialsKind::Create,
    CredentialsKind::Replace,
    CredentialsKind::Patch,
    CredentialsKind::Delete,
    CredentialsKind::Bulk,
];

fn kind(scope: Scope) -> BoxedStrategy<Type> {
    let all = if scope.groups.is_some() { vec![Type::User, Type::Group] } else { vec![Type::User] };
    prop::sample::select(all).boxed()
}

/// Returns the ways to read a whole list.
pub(super) fn list_ways(scope: Scope) -> Vec<ListWay> {
    let mut ways = vec![ListWay::Index, ListWay::Search, ListWay::Filter];
    if scope.cursor {
        ways.push(ListWay::Cursor);
    }
    ways
}

fn whole_list(scope: Scope) -> impl Strategy<Value = Operation> {
    (kind(scope), prop::sample::select(list_ways(scope)), prop::sample::select(vec![3, 10, 25]))
        .prop_map(|(kind, way, count)| Operation::WholeList { kind, way, count, crowd: 0 })
}

fn named() -> impl Strategy<Value = NameOf> {
    prop_oneof![
        1 => Just(NameOf::Living),
        1 => Just(NameOf::LivingInCapitals),
        1 => Just(NameOf::Longer),
        2 => Just(NameOf::GivenUp),
    ]
}

fn together(scope: Scope) -> BoxedStrategy<TogetherKind> {
    let mut all = vec![TogetherKind::CreateOneName, TogetherKind::ReadOthers, TogetherKind::DeleteOne];
    if scope.patch {
        all.extend([TogetherKind::AddValues, TogetherKind::SetAttributes, TogetherKind::SetOneAttribute]);
        if scope.groups.is_some() {
            all.push(TogetherKind::AddMembers);
        }
    }
    if scope.etag {
        all.push(TogetherKind::ReplaceIfUnchanged);
    }
    prop::sample::select(all).boxed()
}

fn member_change(scope: Scope) -> BoxedStrategy<MemberChange> {
    let mut all = vec![MemberChange::Put];
    if scope.patch {
        all.extend([
            MemberChange::Add,
            MemberChange::AddWithoutPath,
            MemberChange::RemoveByFilter,
            MemberChange::RemoveAll,
            MemberChange::Replace,
        ]);
    }
    prop::sample::select(all).boxed()
}

fn bulk_part(scope: Scope) -> BoxedStrategy<BulkPart> {
    let mut all = vec![
        Just(BulkPart::CreateUser).boxed(),
        pick().prop_map(|of| BulkPart::Delete { of }).boxed(),
        Just(BulkPart::Invalid).boxed(),
    ];
    if scope.patch && scope.users > 0 {
        all.push(
            (pick(), setting(scope.users)).prop_map(|(of, setting)| BulkPart::Patch { of, setting }).boxed(),
        );
        let twice = (pick(), setting(scope.users), setting(scope.users));
        all.push(
            twice
                .prop_map(|(of, first, second)| BulkPart::PatchTwice { of, settings: [first, second] })
                .boxed(),
        );
        if scope.etag {
            let versioned = (pick(), any::<bool>());
            all.push(versioned.prop_map(|(of, is_current)| BulkPart::Versioned { of, is_current }).boxed());
        }
    }
    if scope.groups.is_some() {
        all.push(Just(BulkPart::CreateGroupOfTheLast).boxed());
        if scope.patch {
            all.push(pick().prop_map(|of| BulkPart::AddTheLastToGroup { of }).boxed());
        }
    }
    proptest::strategy::Union::new(all).boxed()
}

/// Returns the mistakes that a subject can be asked to refuse.
pub(super) fn mistakes(scope: Scope) -> Vec<InvalidKind> {
    let mut all = vec![
        InvalidKind::BrokenJson,
        InvalidKind::PutWithoutUserName,
        InvalidKind::WrongTypeOfActive,
        InvalidKind::EmptyUserName,
        InvalidKind::ObjectForText,
        InvalidKind::ReadUnknown,
        InvalidKind::WriteUnknown,
    ];
    if scope.patch {
        all.extend([
            InvalidKind::UnknownOperation,
            InvalidKind::ReplaceOfNothing,
            InvalidKind::GoodThenInvalidOperation,
            InvalidKind::PatchWithoutOperations,
            InvalidKind::AddWithoutValue,
        ]);
    }
    if scope.filter {
        all.extend([InvalidKind::InvalidFilter, InvalidKind::WordsAfterAFilter]);
    }
    all
}
