//! Sequences that are written by hand, each for what chance seldom puts together. They are played first.

use proptest::prelude::*;

use crate::explore::model::PatchKind;
use crate::explore::operation::strategy::{CREDENTIALS, list_ways, mistakes, writes};
use crate::explore::operation::{
    BulkPart, Change, Condition, Filter, ListWay, Logic, MemberChange, NameOf, Operation, Operator,
    PatchForm, Scope, Setting, TargetKind, TogetherKind, Type, Write,
};
use crate::explore::value::Choice;

/// Operations by this name.
type Piece = fn(Scope) -> Vec<Operation>;

/// All of them; the frequent defects first.
const PIECES: [Piece; 25] = [
    whole_lists,
    names,
    conditions_of_users,
    conditions_of_groups,
    bulk,
    large_group,
    members,
    group_names,
    many_groups,
    nested_groups,
    values,
    manager,
    password,
    external_id,
    wildcards,
    taken_names,
    together,
    together_by_version,
    together_in_groups,
    credentials,
    invalid,
    lists,
    many_in_bulk,
    long_list,
    later,
];

/// Returns the number of sequences.
pub(super) fn pieces() -> usize {
    PIECES.len()
}

/// Returns the sequence of a number, or `None` if the subject lacks what it needs. Each operation can be taken out of it.
pub(super) fn piece(scope: Scope, number: usize) -> Option<BoxedStrategy<Vec<Operation>>> {
    let operations = Some(PIECES.get(number)?(scope)).filter(|all| !all.is_empty())?;
    let operations: Vec<_> =
        operations.into_iter().map(|one| proptest::option::weighted(0.9999, Just(one))).collect();
    Some(operations.prop_map(|all| all.into_iter().flatten().collect()).boxed())
}

const USER: Operation = Operation::CreateUser(Vec::new());

fn group(members: &[usize]) -> Operation {
    Operation::CreateGroup { members: members.to_vec(), settings: Vec::new() }
}

/// Returns operations if the subject has groups.
fn with_groups(scope: Scope, all: Vec<Operation>) -> Vec<Operation> {
    if scope.groups.is_some() { all } else { Vec::new() }
}

fn plain(attribute: usize, number: usize) -> Setting {
    Setting { attribute, choice: Choice { text: 0, number } }
}

/// Returns a PATCH of the first user with one operation on an attribute.
fn patch_of(attribute: usize, kind: PatchKind, number: usize) -> Operation {
    let choice = Choice { text: 0, number };
    let changes = vec![Change { kind, attribute, target: TargetKind::Whole, choice }];
    Operation::Patch { of: 0, changes, form: PatchForm::Path }
}

fn whole_lists(scope: Scope) -> Vec<Operation> {
    let list = |kind, way, count| Operation::WholeList { kind, way, count, crowd: 0 };
    let mut all = vec![USER, USER, USER, Operation::Delete { of: 1, is_group: false }];
    let ways = list_ways(scope);
    all.extend(ways.iter().map(|way| list(Type::User, *way, 2)));
    if scope.groups.is_some() {
        all.extend([group(&[0]), group(&[]), group(&[1]), Operation::Delete { of: 1, is_group: true }]);
        all.extend(ways.iter().map(|way| list(Type::Group, *way, 1)));
    }
    all
}

fn long_list(_: Scope) -> Vec<Operation> {
    vec![USER, Operation::WholeList { kind: Type::User, way: ListWay::Index, count: 100, crowd: 210 }]
}

fn names(scope: Scope) -> Vec<Operation> {
    let mut all = vec![USER];
    all.extend(writes(scope).into_iter().map(|with| Operation::Repeat {
        of: 0,
        with,
        is_in_other_case: true,
    }));
    all.extend([
        Operation::CreateNamed { name: NameOf::Longer, of: 0 },
        Operation::CreateNamed { name: NameOf::Living, of: 0 },
        Operation::CreateNamed { name: NameOf::LivingInCapitals, of: 0 },
        Operation::FailedCreation,
    ]);
    for with in writes(scope) {
        all.extend([
            Operation::Rename { of: 0, with },
            Operation::CreateNamed { name: NameOf::GivenUp, of: 0 },
        ]);
    }
    all.extend([
        Operation::Delete { of: 0, is_group: false },
        Operation::CreateNamed { name: NameOf::GivenUp, of: 0 },
    ]);
    all
}

fn taken_names(scope: Scope) -> Vec<Operation> {
    let mut all = vec![USER, USER];
    for with in writes(scope) {
        all.extend([true, false].map(|brings_more| Operation::RenameToTaken {
            of: 0,
            to: 1,
            with,
            brings_more,
        }));
    }
    all
}

fn conditions(scope: Scope, kind: Type) -> Vec<Operation> {
    if !scope.etag || (kind == Type::Group && scope.groups.is_none()) {
        return Vec::new();
    }
    let mut all = vec![USER];
    let condition = |condition, with| Operation::Conditional { of: 0, kind, condition, with };
    if kind == Type::Group {
        all.push(group(&[0]));
    }
    all.extend([condition(Condition::Current, Write::Put), condition(Condition::UnlessCurrent, Write::Put)]);
    for with in writes(scope).into_iter().filter(|with| *with != Write::Bulk) {
        all.extend([condition(Condition::Earlier, with), condition(Condition::Current, with)]);
    }
    all.extend([
        condition(Condition::UnlessEarlier, Write::Put),
        condition(Condition::DeleteEarlier, Write::Put),
    ]);
    all
}

fn conditions_of_users(scope: Scope) -> Vec<Operation> {
    conditions(scope, Type::User)
}

fn conditions_of_groups(scope: Scope) -> Vec<Operation> {
    conditions(scope, Type::Group)
}

fn bulk(scope: Scope) -> Vec<Operation> {
    if !scope.bulk {
        return Vec::new();
    }
    let mut all =
        vec![USER, Operation::Bulk(vec![BulkPart::CreateUser, BulkPart::Invalid, BulkPart::CreateUser])];
    if scope.patch && scope.users > 1 {
        let settings = [plain(0, 2), plain(1, 3)];
        all.push(Operation::Bulk(vec![
            BulkPart::Patch { of: 0, setting: plain(0, 1) },
            BulkPart::PatchTwice { of: 1, settings },
        ]));
        if scope.etag {
            all.extend(
                [true, false, true]
                    .map(|is_current| Operation::Bulk(vec![BulkPart::Versioned { of: 0, is_current }])),
            );
        }
    }
    if scope.groups.is_some() {
        all.extend([
            group(&[0]),
            Operation::Bulk(vec![BulkPart::CreateUser, BulkPart::CreateGroupOfTheLast]),
        ]);
        if scope.patch {
            all.push(Operation::Bulk(vec![BulkPart::AddTheLastToGroup { of: 0 }]));
        }
    }
    all.push(Operation::Bulk(vec![BulkPart::Delete { of: 0 }, BulkPart::Delete { of: 1 }]));
    all
}

fn many_in_bulk(scope: Scope) -> Vec<Operation> {
    if !scope.bulk {
        return Vec::new();
    }
    [11, 30].map(|count| Operation::ManyInBulk { count }).to_vec()
}

fn large_group(scope: Scope) -> Vec<Operation> {
    with_groups(scope, vec![Operation::LargeGroup { members: 120 }])
}

fn many_groups(scope: Scope) -> Vec<Operation> {
    with_groups(scope, vec![Operation::ManyGroups { count: 12 }])
}

fn nested_groups(scope: Scope) -> Vec<Operation> {
    with_groups(scope, [false, true].map(|is_circular| Operation::NestedGroups { is_circular }).to_vec())
}

fn members(scope: Scope) -> Vec<Operation> {
    let change = |users: &[usize], change| Operation::Members { of: 0, users: users.to_vec(), change };
    let mut all = vec![USER, USER, USER, group(&[0, 1]), change(&[1, 2], MemberChange::Put)];
    if scope.patch {
        all.extend([
            change(&[0], MemberChange::Add),
            change(&[1], MemberChange::RemoveByFilter),
            change(&[1], MemberChange::AddWithoutPath),
            change(&[0, 2], MemberChange::Replace),
            change(&[], MemberChange::RemoveAll),
            change(&[0, 1, 2], MemberChange::Add),
        ]);
    }
    all.extend([
        Operation::Delete { of: 1, is_group: false },
        group(&[0, 1]),
        Operation::Bulk(vec![BulkPart::Delete { of: 0 }]),
        Operation::Delete { of: 0, is_group: true },
    ]);
    all.retain(|one| scope.bulk || !matches!(one, Operation::Bulk(_)));
    with_groups(scope, all)
}

fn group_names(scope: Scope) -> Vec<Operation> {
    let mut all = vec![USER, group(&[0])];
    all.extend(writes(scope).into_iter().map(|with| Operation::RenameGroup { of: 0, with }));
    with_groups(scope, all)
}

fn values(scope: Scope) -> Vec<Operation> {
    let Some(emails) = scope.emails else { return Vec::new() };
    let mut all = Vec::new();
    for with in writes(scope) {
        all.extend([
            Operation::CreateUser(vec![plain(emails, 2)]),
            Operation::KeepOne { of: all.len() / 2, with },
        ]);
    }
    if scope.patch {
        all.push(patch_of(emails, PatchKind::Add, 3));
    }
    all
}

fn manager(scope: Scope) -> Vec<Operation> {
    let Some(department) = scope.department else { return Vec::new() };
    let mut all =
        vec![Operation::CreateUser(vec![plain(department, 1)]), USER, Operation::SetManager { of: 0, to: 1 }];
    if scope.patch {
        all.extend(
            [(PatchKind::Replace, 3), (PatchKind::Remove, 2)]
                .map(|(kind, number)| patch_of(department, kind, number)),
        );
    }
    all.push(Operation::Replace { of: 0, settings: vec![plain(department, 4)], is_whole: true });
    all
}

fn password(scope: Scope) -> Vec<Operation> {
    let (Some(active), true) = (scope.active, scope.password) else { return Vec::new() };
    let mut all = vec![Operation::CreateUser(vec![plain(active, 0)])];
    all.extend((0..3).map(|number| Operation::SetPassword { of: 0, number }));
    all
}

fn external_id(scope: Scope) -> Vec<Operation> {
    if scope.external_id { vec![USER, Operation::ShareExternalId { of: 0 }] } else { Vec::new() }
}

fn wildcards(scope: Scope) -> Vec<Operation> {
    if !scope.filter {
        return Vec::new();
    }
    let mut all = vec![Operation::CreateUser((0..scope.users.min(8)).map(|at| plain(at, 1)).collect())];
    for attribute in 0..6 {
        for (operator, is_search) in
            [(Operator::StartsWith, false), (Operator::Contains, true), (Operator::Equals, false)]
        {
            let filter = Filter {
                attribute,
                part: 0,
                operator,
                logic: Logic::Plain,
                is_in_other_case: false,
                is_present: true,
                is_swapped: false,
                is_wild: true,
            };
            all.push(Operation::Find { of: 0, filter, is_search });
        }
    }
    all
}

fn together(scope: Scope) -> Vec<Operation> {
    let mut kinds = vec![TogetherKind::CreateOneName, TogetherKind::ReadOthers];
    if scope.patch {
        kinds.extend([TogetherKind::AddValues, TogetherKind::SetAttributes, TogetherKind::SetOneAttribute]);
    }
    kinds.push(TogetherKind::DeleteOne);
    std::iter::once(USER).chain(kinds.into_iter().map(|kind| Operation::Together { kind, of: 0 })).collect()
}

fn together_by_version(scope: Scope) -> Vec<Operation> {
    if !scope.etag {
        return Vec::new();
    }
    vec![USER, Operation::Together { kind: TogetherKind::ReplaceIfUnchanged, of: 0 }]
}

fn together_in_groups(scope: Scope) -> Vec<Operation> {
    let add = Operation::Together { kind: TogetherKind::AddMembers, of: 0 };
    if scope.patch { with_groups(scope, vec![USER, USER, USER, group(&[]), add]) } else { Vec::new() }
}

fn credentials(scope: Scope) -> Vec<Operation> {
    if !scope.credentials {
        return Vec::new();
    }
    let all = CREDENTIALS.map(|kind| Operation::WithoutCredentials { of: 0, kind });
    std::iter::once(USER).chain(all).collect()
}

fn invalid(scope: Scope) -> Vec<Operation> {
    std::iter::once(USER)
        .chain(mistakes(scope).into_iter().map(|kind| Operation::Invalid { of: 0, kind }))
        .collect()
}

fn lists(scope: Scope) -> Vec<Operation> {
    let settings = |number| (0..scope.users.min(6)).map(|at| plain(at, number)).collect();
    let mut all: Vec<Operation> = [3, 1, 2].map(|number| Operation::CreateUser(settings(number))).to_vec();
    all.extend([1, 2].map(|count| Operation::Pages { count }));
    for attribute in 0..scope.users.min(6) {
        all.extend([true, false].map(|is_excluded| Operation::Project { of: 0, attribute, is_excluded }));
        if scope.sort {
            all.extend([true, false].map(|is_descending| Operation::Sort {
                attribute,
                part: 0,
                is_descending,
            }));
        }
    }
    all
}

fn later(_: Scope) -> Vec<Operation> {
    vec![USER, Operation::Replace { of: 0, settings: Vec::new(), is_whole: true }, Operation::LookLater]
}
