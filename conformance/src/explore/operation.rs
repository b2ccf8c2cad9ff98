//! Operations of a sequence, without names and ids: numbers choose among what is there when they are played, so that a part of
//! a sequence is a sequence too. Proptest makes and shrinks them.

pub(crate) mod tour;

use proptest::prelude::*;

use crate::explore::model::PatchKind;
use crate::explore::value::{Choice, TEXTS};

/// Chooses a resource among the living ones of a type.
pub(crate) type Pick = usize;

/// An attribute, by its place in the table of the type, and the choice of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) attribute: usize,
    pub(crate) choice: Choice,
}

/// An operation of a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    CreateUser(Vec<Setting>),
    CreateGroup {
        members: Vec<Pick>,
        settings: Vec<Setting>,
    },
    /// A PUT of the user as it was read, with changes; or of these attributes alone.
    Replace {
        of: Pick,
        settings: Vec<Setting>,
        is_whole: bool,
    },
    Patch {
        of: Pick,
        changes: Vec<Change>,
        form: PatchForm,
    },
    Rename {
        of: Pick,
        with: Write,
    },
    /// A PUT or PATCH that changes nothing.
    Repeat {
        of: Pick,
        with: Write,
    },
    Delete {
        of: Pick,
        is_group: bool,
    },
    /// A creation under a name that is taken, or that was given up.
    CreateNamed {
        name: NameOf,
        of: Pick,
    },
    RenameToTaken {
        of: Pick,
        to: Pick,
        with: Write,
    },
    Members {
        of: Pick,
        users: Vec<Pick>,
        change: MemberChange,
    },
    RenameGroup {
        of: Pick,
        with: Write,
    },
    Bulk(Vec<BulkPart>),
    Together {
        kind: TogetherKind,
        of: Pick,
    },
    Find {
        of: Pick,
        filter: Filter,
        is_search: bool,
    },
    Sort {
        attribute: usize,
        part: usize,
        is_descending: bool,
    },
    Pages {
        count: usize,
    },
    Project {
        of: Pick,
        attribute: usize,
        is_excluded: bool,
    },
    /// A request that has to be refused and have no effect.
    Invalid {
        of: Pick,
        kind: InvalidKind,
    },
    Conditional {
        of: Pick,
        is_current: bool,
        with: Write,
    },
    WithoutCredentials {
        of: Pick,
        kind: CredentialsKind,
    },
    SetPassword {
        of: Pick,
        number: usize,
    },
    /// Everything is read again after a while.
    LookLater,
}

/// The request that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Write {
    PatchWithPath,
    PatchWithoutPath,
    Put,
    Bulk,
}

/// The form of a PATCH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PatchForm {
    Path,
    /// The path begins with the URN of the schema.
    UrnPath,
    WithoutPath,
    /// The path and the operation in capitals.
    Capitals,
}

impl PatchForm {
    /// Returns the word in findings.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Path => "with a path",
            Self::UrnPath => "with the URN in the path",
            Self::WithoutPath => "without a path",
            Self::Capitals => "with a path in capitals",
        }
    }
}

/// A change of one attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) kind: PatchKind,
    pub(crate) attribute: usize,
    pub(crate) target: TargetKind,
    pub(crate) choice: Choice,
}

/// The target within an attribute, where it has such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetKind {
    Whole,
    /// A sub-attribute of a complex attribute.
    Part(usize),
    /// One value, by a sub-attribute.
    Selected(usize),
    /// A sub-attribute of one value.
    SelectedPart(usize, usize),
}

/// A name that is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameOf {
    /// Of a living user.
    Living,
    /// The same in another case.
    LivingInCapitals,
    /// Given up by a rename or a deletion.
    GivenUp,
}

/// A change of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberChange {
    Add,
    AddWithoutPath,
    RemoveByFilter,
    RemoveAll,
    Replace,
    Put,
}

/// A part of a bulk request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BulkPart {
    CreateUser,
    CreateGroupOfTheLast,
    Patch { of: Pick, setting: Setting },
    Delete { of: Pick },
    Invalid,
}

/// Requests at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TogetherKind {
    CreateOneName,
    AddValues,
    SetAttributes,
    SetOneAttribute,
    AddMembers,
    ReplaceIfUnchanged,
    ReadOthers,
    DeleteOne,
}

/// A filter whose value is taken from a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) attribute: usize,
    pub(crate) part: usize,
    pub(crate) operator: Operator,
    pub(crate) logic: Logic,
    pub(crate) is_in_other_case: bool,
    /// Chooses among the attributes that the resource has.
    pub(crate) is_present: bool,
    /// Compares the start of a text with its end, which must not match.
    pub(crate) is_swapped: bool,
}

/// An operator of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operator {
    Equals,
    Contains,
    StartsWith,
    EndsWith,
    Present,
    NotEquals,
}

impl Operator {
    /// Returns the word of the protocol.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Equals => "eq",
            Self::Contains => "co",
            Self::StartsWith => "sw",
            Self::EndsWith => "ew",
            Self::Present => "pr",
            Self::NotEquals => "ne",
        }
    }
}

/// The logic around a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Logic {
    Plain,
    AndActive,
    OrNobody,
    Not,
    ValuePath,
}

/// A mistake in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum InvalidKind {
    BrokenJson,
    UnknownOperation,
    ReplaceOfNothing,
    GoodThenInvalidOperation,
    InvalidFilter,
    WordsAfterAFilter,
    AddWithoutValue,
    EmptyUserName,
    ObjectForText,
    PatchWithoutOperations,
    PutWithoutUserName,
    WrongTypeOfActive,
    ReadUnknown,
    WriteUnknown,
}

/// A request without valid credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CredentialsKind {
    Read,
    List,
    Search,
    Create,
    Replace,
    Patch,
    Delete,
    Bulk,
}

/// What sequences may use of a subject.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope {
    pub(crate) users: usize,
    pub(crate) groups: Option<usize>,
    pub(crate) patch: bool,
    pub(crate) bulk: bool,
    pub(crate) filter: bool,
    pub(crate) sort: bool,
    pub(crate) etag: bool,
    pub(crate) credentials: bool,
    pub(crate) password: bool,
}

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

fn write(scope: Scope) -> BoxedStrategy<Write> {
    let mut all = vec![Write::Put];
    if scope.patch {
        all.extend([Write::PatchWithPath, Write::PatchWithoutPath]);
    }
    if scope.patch && scope.bulk {
        all.push(Write::Bulk);
    }
    prop::sample::select(all).boxed()
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
    (0..attributes.max(1), 0..4_usize, operator, logic, any::<bool>(), prop::bool::weighted(0.25)).prop_map(
        |(attribute, part, operator, logic, is_in_other_case, is_swapped)| Filter {
            attribute,
            part,
            operator,
            logic,
            is_in_other_case,
            is_present: true,
            is_swapped,
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
        (2, (pick(), write(scope)).prop_map(|(of, with)| Operation::Repeat { of, with }).boxed()),
        (2, pick().prop_map(|of| Operation::Delete { of, is_group: false }).boxed()),
        (3, (named(), pick()).prop_map(|(name, of)| Operation::CreateNamed { name, of }).boxed()),
        (
            3,
            (pick(), pick(), write(scope))
                .prop_map(|(of, to, with)| Operation::RenameToTaken { of, to, with })
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
        (3, (pick(), invalid(scope)).prop_map(|(of, kind)| Operation::Invalid { of, kind }).boxed()),
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
    }
    if scope.bulk {
        let parts = prop::collection::vec(bulk_part(scope), 1..=4);
        all.push((4, parts.prop_map(Operation::Bulk).boxed()));
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
        let conditional = (pick(), any::<bool>(), write(scope))
            .prop_map(|(of, is_current, with)| Operation::Conditional { of, is_current, with });
        all.push((2, conditional.boxed()));
    }
    if scope.credentials {
        let kinds = [
            CredentialsKind::Read,
            CredentialsKind::List,
            CredentialsKind::Search,
            CredentialsKind::Create,
            CredentialsKind::Replace,
            CredentialsKind::Patch,
            CredentialsKind::Delete,
            CredentialsKind::Bulk,
        ];
        let without = (pick(), prop::sample::select(kinds.to_vec()))
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
    weighted.retain(|(weight, _)| *weight > 0);
    proptest::strategy::Union::new_weighted(weighted).boxed()
}

fn named() -> impl Strategy<Value = NameOf> {
    prop_oneof![1 => Just(NameOf::Living), 1 => Just(NameOf::LivingInCapitals), 2 => Just(NameOf::GivenUp)]
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
    }
    if scope.groups.is_some() {
        all.push(Just(BulkPart::CreateGroupOfTheLast).boxed());
    }
    proptest::strategy::Union::new(all).boxed()
}

fn invalid(scope: Scope) -> BoxedStrategy<InvalidKind> {
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
    prop::sample::select(all).boxed()
}
