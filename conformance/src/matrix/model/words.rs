//! The closed vocabulary of a run's lines, as it stands in the outer face.

/// An enum of words with the spelling of each.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", $word, "`.")] $variant,)*
        }

        impl $name {
            /// Returns the word on the wire and in reports.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// The change of a user at the source.
    Change {
        Enters = "enters",
        Attributes = "attributes",
        Disabled = "disabled",
        Enabled = "enabled",
        AttributesAndDisabled = "attributes-and-disabled",
        AttributesAndEnabled = "attributes-and-enabled",
        Returns = "returns",
        Deleted = "deleted",
        LeftScope = "left-scope",
        RuleDeleted = "rule-deleted",
        Retry = "retry",
    }
}

words! {
    /// The operation for a user, weakest first, in the order of the design.
    Operation {
        None = "none",
        Link = "link",
        Update = "update",
        Create = "create",
        Enable = "enable",
        Disable = "disable",
        Delete = "delete",
    }
}

words! {
    /// The outcome, best first.
    Outcome {
        Success = "success",
        Unsynced = "unsynced",
        Partial = "partial",
        Failed = "failed",
    }
}

words! {
    /// Why.
    Reason {
        Done = "done",
        Linked = "linked",
        AlreadyInactive = "already-inactive",
        AlreadyGone = "already-gone",
        CreationOff = "creation-off",
        DisabledAtSource = "disabled-at-source",
        UpdationOff = "updation-off",
        DisableOff = "disable-off",
        DeprovisionOff = "deprovision-off",
        RuleDeletionOff = "rule-deletion-off",
        PartialUpdateUnsupported = "partial-update-unsupported",
        IgnoredByTarget = "ignored-by-target",
        DeletedByTarget = "deleted-by-target",
        DisableWithheld = "disable-withheld",
        DeleteUnsupported = "delete-unsupported",
        AmbiguousMatch = "ambiguous-match",
        AccountLinkedElsewhere = "account-linked-elsewhere",
        HiddenAccount = "hidden-account",
        UserNameTaken = "user-name-taken",
        Rejected = "rejected",
        Forbidden = "forbidden",
        Conflict = "conflict",
        RateLimited = "rate-limited",
        TargetError = "target-error",
        Unreachable = "unreachable",
    }
}

words! {
    /// A write on the second hop, from the gateway to the application. Reads are not counted.
    Downstream {
        Create = "Create",
        Replace = "Replace",
        PartialUpdate = "PartialUpdate",
        Delete = "Delete",
    }
}

/// The line of a run about one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// The change at the source.
    pub change: Change,
    /// The strongest operation decided.
    pub operation: Operation,
    /// The worst outcome of its parts.
    pub outcome: Outcome,
    /// The reason of the strongest part with that outcome.
    pub reason: Reason,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { change, operation, outcome, reason } = self;
        write!(f, "{change} {operation} {outcome} {reason}")
    }
}
