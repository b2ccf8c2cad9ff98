//! `[application]`: what the second hop does with an operation, and how it keeps what it is given.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::attribute::AttributePath;
use super::period::Period;
use super::switch::switches;

/// What the application behind the gateway does with an operation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ApplicationRules {
    /// What becomes of a create.
    pub create: OperationRule,
    /// What becomes of a replacement.
    pub replace: OperationRule,
    /// What becomes of a partial update.
    pub partial_update: PartialUpdateRule,
    /// What becomes of a delete.
    pub delete: DownstreamDelete,
    /// What a read of an account that is not active gets.
    pub deactivated_users: DeactivatedUsers,
    /// Where ids come from.
    pub ids: Ids,
    /// How a `userName` is kept.
    pub user_name_value: UserNameValue,
    /// How the value of an e-mail address is kept.
    pub email_value: EmailValue,
    /// For how long reads still show what was there before a write.
    pub stale_reads: Period,
    /// How many values these attributes may have at most; more answers 400 `invalidValue`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub max_values: BTreeMap<String, NonZeroU32>,
    /// Attributes that have no place in the application, by their paths: no write changes them, and the request
    /// succeeds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_stored: Vec<AttributePath>,
    /// Attributes that are kept as they were at creation, by their paths: no later write changes them, and the
    /// request succeeds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_updated: Vec<AttributePath>,
    /// What the answer to a write shows of `not-stored` and `not-updated`.
    pub not_stored_reply: NotStoredReply,
    /// Attributes that a client may not set, by their paths: a write that changes one answers 400 `mutability`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read_only: Vec<AttributePath>,
}

switches! {
    /// What the application does with a create or a replacement.
    OperationRule {
        /// Takes it.
        Accepted = "accepted",
        /// Has no such operation; the gateway answers 501.
        Refused501 = "refused-501",
    }

    /// What the application does with a partial update.
    PartialUpdateRule {
        /// Takes it.
        Accepted = "accepted",
        /// Has no such operation; the gateway answers 501.
        Refused501 = "refused-501",
    }

    /// What the application does with a delete.
    DownstreamDelete {
        /// Removes the account.
        Removes = "removes",
        /// Keeps it, readable and listed, with `active: false`.
        Deactivates = "deactivates",
        /// Keeps it out of sight: 404 afterwards, yet its `userName` and `externalId` stay taken.
        Hides = "hides",
    }

    /// What a read of an account that is not active gets.
    DeactivatedUsers {
        /// The account.
        Readable = "readable",
        /// 404, and lists leave it out.
        Answer404 = "answer-404",
    }

    /// Where ids come from.
    Ids {
        /// Each account has one that no other ever had.
        Fresh = "fresh",
        /// The id of a deleted account is given to the next new one.
        Reused = "reused",
        /// The id is the `userName`, as it was when the account was made.
        UserName = "user-name",
    }

    /// How a `userName` is kept.
    UserNameValue {
        /// As it came.
        Kept = "kept",
        /// In lower case.
        LowerCased = "lower-cased",
        /// Without white space around it.
        Trimmed = "trimmed",
    }

    /// How the value of an e-mail address is kept.
    EmailValue {
        /// As it came.
        Kept = "kept",
        /// In lower case.
        LowerCased = "lower-cased",
    }

    /// What the answer to a write shows of attributes that were not stored.
    NotStoredReply {
        /// What is stored.
        Stored = "stored",
        /// What was sent.
        Echoed = "echoed",
    }
}
