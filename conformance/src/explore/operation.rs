//! Operations of a sequence, without names and ids: numbers choose among what is there when they are played, so that a part of
//! a sequence is a sequence too. Proptest makes and shrinks them.

mod pieces;
mod strategy;
mod tour;

pub(crate) use strategy::sequences;

use proptest::strategy::BoxedStrategy;

use crate::explore::model::PatchKind;
use crate::explore::value::Choice;

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
    /// A PUT or PATCH of the name that the user has, or of the same in another case.
    Repeat {
        of: Pick,
        with: Write,
        is_in_other_case: bool,
    },
    /// A write that keeps one of several values.
    KeepOne {
        of: Pick,
        with: Write,
    },
    /// A manager, who stays through later writes.
    SetManager {
        of: Pick,
        to: Pick,
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
    /// A creation that has to be refused, and then a valid one under the same name.
    FailedCreation,
    /// A second user with the externalId of a living one.
    ShareExternalId {
        of: Pick,
    },
    /// A request that is refused for a taken name, and brings another change or none.
    RenameToTaken {
        of: Pick,
        to: Pick,
        with: Write,
        brings_more: bool,
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
    /// A group of this number of members, on users of its own.
    LargeGroup {
        members: usize,
    },
    /// A user in this number of groups.
    ManyGroups {
        count: usize,
    },
    /// A group in another one, which is a member of the first if `is_circular`.
    NestedGroups {
        is_circular: bool,
    },
    Bulk(Vec<BulkPart>),
    /// A bulk request of this number of creations.
    ManyInBulk {
        count: usize,
    },
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
    /// The list without a filter, while no other sequence writes.
    WholeList {
        kind: Type,
        way: ListWay,
        count: usize,
        /// Users that are created for the time of the walk.
        crowd: usize,
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
        kind: Type,
        condition: Condition,
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

/// The type of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Type {
    User,
    Group,
}

/// The way to read a whole list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ListWay {
    Index,
    Cursor,
    /// By a filter that every resource matches.
    Filter,
    Search,
}

/// A conditional request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Condition {
    /// A write with the current version in If-Match.
    Current,
    /// A write with another version in If-Match.
    Earlier,
    DeleteEarlier,
    /// A GET with the current version in If-None-Match.
    UnlessCurrent,
    /// A GET with another version in If-None-Match.
    UnlessEarlier,
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
    /// The path in capitals. The operation is not: §3.5.2 has its words in lower case, and a server may refuse others.
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
    /// One that starts with the name of a living user.
    Longer,
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
    /// A group that is there gets the last created user.
    AddTheLastToGroup {
        of: Pick,
    },
    Patch {
        of: Pick,
        setting: Setting,
    },
    /// Two operations on one user.
    PatchTwice {
        of: Pick,
        settings: [Setting; 2],
    },
    /// A rename with a version.
    Versioned {
        of: Pick,
        is_current: bool,
    },
    Delete {
        of: Pick,
    },
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
    /// Has a character of a text replaced by `_` or `%`, which stand for themselves.
    pub(crate) is_wild: bool,
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
    pub(crate) cursor: bool,
    pub(crate) external_id: bool,
    pub(crate) credentials: bool,
    pub(crate) password: bool,
    /// Places of attributes in the table of users.
    pub(crate) active: Option<usize>,
    pub(crate) department: Option<usize>,
    pub(crate) emails: Option<usize>,
}

/// Returns the fixed sequence with this number: the hand-written sequences come first, then the tours over all attributes.
/// `None` if the sequence is random, or the subject lacks what it needs.
pub(crate) fn first(scope: Scope, number: usize) -> Option<BoxedStrategy<Vec<Operation>>> {
    match number.checked_sub(pieces::pieces()) {
        None => pieces::piece(scope, number),
        Some(number) => tour::tour(scope, number),
    }
}
