//! `[gateway]`: what the first hop does with a request, before anything reaches the application.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::switch::switches;

/// What the gateway does with a request.
#[derive(Debug, Clone, PartialEq, Eq, SmartDefault, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GatewayRules {
    /// What becomes of a PATCH.
    pub patch: PatchRule,
    /// What becomes of a PUT.
    pub put: PutRule,
    /// What becomes of a DELETE.
    pub delete: DeleteRule,
    /// What becomes of a PATCH on a group, where it isn't as on a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_patch: Option<PatchRule>,
    /// What becomes of a PUT on a group, where it isn't as on a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_put: Option<PutRule>,
    /// What becomes of a DELETE on a group, where it isn't as on a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_delete: Option<DeleteRule>,
    /// How a PATCH that was carried out is answered.
    pub patch_reply: PatchReply,
    /// How many operations a PATCH may hold; more answers 400 `tooMany`.
    // As many as a bulk request may hold.
    #[default(NonZeroU32::MIN.saturating_add(999))]
    pub max_patch_operations: NonZeroU32,
    /// Whether a PATCH path may pick values by a filter, as in `emails[type eq "work"]`.
    pub patch_value_filters: Support,
    /// Whether a PATCH operation may have a path at all.
    pub patch_paths: Support,
    /// What becomes of a PATCH path to a sub-attribute without a filter, as in `name.givenName`, and of a key of that
    /// form in a value without a path.
    pub patch_dotted_paths: DottedPaths,
    /// How many members of a group one request may add and remove; more answers 400 `tooMany`. Absent: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_member_changes: Option<NonZeroU32>,
    /// How many members a group may have; a write that makes more answers 413. Absent: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_members: Option<NonZeroU32>,
    /// Whether a PATCH may replace or remove all members of a group at once.
    pub replace_all_members: Support,
    /// As what a change of `active` leaves the gateway.
    pub active_change: ActiveChange,
    /// What becomes of `active` in a PUT that doesn't say.
    pub put_without_active: PutWithoutActive,
    /// What becomes of other attributes that a PUT doesn't name.
    pub put_missing_attributes: PutMissingAttributes,
    /// What becomes of a write that changes `active` to true.
    pub enable: Support,
    /// What becomes of a write that changes `active` to false.
    pub disable: DisableRule,
    /// What becomes of a POST with `active: false`.
    pub create_disabled: CreateDisabled,
    /// What becomes of an attribute that no schema of the resource has.
    pub unknown_attributes: UnknownAttributes,
    /// What becomes of a value outside the canonical values of its attribute.
    pub canonical_values: CanonicalValues,
    /// What becomes of a group member that doesn't exist.
    pub unknown_member: UnknownMember,
}

impl GatewayRules {
    /// What becomes of a PATCH on a group.
    pub fn patch_of_groups(&self) -> PatchRule {
        self.group_patch.unwrap_or(self.patch)
    }

    /// What becomes of a PUT on a group.
    pub fn put_of_groups(&self) -> PutRule {
        self.group_put.unwrap_or(self.put)
    }

    /// What becomes of a DELETE on a group.
    pub fn delete_of_groups(&self) -> DeleteRule {
        self.group_delete.unwrap_or(self.delete)
    }
}

switches! {
    /// What the gateway does with a PATCH.
    PatchRule {
        /// Carries it out.
        Works = "works",
        /// Answers 400 `invalidSyntax`.
        Answers400 = "answers-400",
        /// Answers 403.
        Answers403 = "answers-403",
        /// Answers a 404 in HTML, as for a path that doesn't exist.
        Answers404Html = "answers-404-html",
        /// Answers 405.
        Answers405 = "answers-405",
        /// Answers 501.
        Answers501 = "answers-501",
        /// Changes nothing and answers 200 with the unchanged resource.
        Ignored200 = "ignored-200",
        /// Changes nothing and answers 204.
        Ignored204 = "ignored-204",
        /// Changes nothing and answers 200 with the resource as it would be.
        Lies200 = "lies-200",
        /// Carries it out and then answers a SCIM 404.
        AppliedThen404 = "applied-then-404",
        /// Carries it out and then answers a SCIM 500.
        AppliedThen500 = "applied-then-500",
    }

    /// What the gateway does with a PUT.
    PutRule {
        /// Carries it out.
        Works = "works",
        /// Answers a 404 in HTML, as for a path that doesn't exist.
        Html404 = "html-404",
        /// Answers 400.
        Answers400 = "answers-400",
        /// Answers 405.
        Answers405 = "answers-405",
        /// Answers 501.
        Answers501 = "answers-501",
        /// Changes nothing and answers 200 with the unchanged resource.
        Ignored200 = "ignored-200",
    }

    /// What the gateway does with a DELETE.
    DeleteRule {
        /// Carries it out.
        Works = "works",
        /// Answers 403.
        Answers403 = "answers-403",
        /// Answers 405.
        Answers405 = "answers-405",
        /// Answers 501.
        Answers501 = "answers-501",
        /// Changes nothing and answers 204.
        Ignored204 = "ignored-204",
    }

    /// How a PATCH that was carried out is answered.
    PatchReply {
        /// With 200 and the resource.
        Resource = "200",
        /// With 204, save where the request names `attributes`, which asks for the resource.
        NoContent = "204",
    }

    /// Whether something that a write may ask for is there.
    Support {
        /// It is carried out.
        Works = "works",
        /// It answers 400.
        Answers400 = "answers-400",
    }

    /// What becomes of a PATCH path with a dot.
    DottedPaths {
        /// It leads to the sub-attribute.
        Works = "works",
        /// It is taken for the name of a member, `"name.givenName"`; the sub-attribute stays as it was.
        Swallowed = "swallowed",
    }

    /// As what a change of `active` leaves the gateway.
    ActiveChange {
        /// As a partial update, also when it came as a PUT.
        PartialUpdate = "partial-update",
        /// As a replacement of the whole account.
        Replace = "replace",
        /// A change to `false` as a delete (`deleteOnDeactivation`), one to `true` as a partial update.
        Delete = "delete",
    }

    /// What becomes of `active` in a PUT that doesn't say.
    PutWithoutActive {
        /// It stays as it is.
        Keeps = "keeps",
        /// It becomes true.
        Activates = "activates",
        /// It becomes false.
        Deactivates = "deactivates",
        /// It is cleared: the account no longer says whether it is active, and counts as active.
        Clears = "clears",
    }

    /// What becomes of attributes that a PUT doesn't name.
    PutMissingAttributes {
        /// They are removed.
        Removes = "removes",
        /// They stay as they are.
        Keeps = "keeps",
    }

    /// What becomes of a write that changes `active` to false.
    DisableRule {
        /// It is carried out.
        Works = "works",
        /// It answers 400.
        Answers400 = "answers-400",
        /// It answers 200, and the account stays active; the rest of the write is carried out.
        Ignored200 = "ignored-200",
    }

    /// What becomes of a POST with `active: false`.
    CreateDisabled {
        /// The account is made, inactive.
        Works = "works",
        /// It answers 400.
        Answers400 = "answers-400",
        /// The account is made, active.
        CreatesEnabled = "creates-enabled",
    }

    /// What becomes of an attribute that no schema of the resource has.
    UnknownAttributes {
        /// It is left out, and the rest is carried out.
        Dropped = "dropped",
        /// The request answers 400.
        Refused = "refused",
    }

    /// What becomes of a value outside the canonical values of its attribute.
    CanonicalValues {
        /// It is taken too.
        Suggested = "suggested",
        /// The request answers 400 `invalidValue`.
        Enforced = "enforced",
    }

    /// What becomes of a group member that doesn't exist.
    UnknownMember {
        /// The request answers 400 `invalidValue`.
        Refused = "refused",
        /// It is left out, and the rest is carried out.
        Dropped = "dropped",
    }
}
