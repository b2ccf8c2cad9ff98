//! `[discovery]` and `[features]`: which optional parts are there, and what the service says of itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::switch::switches;

/// What the describing endpoints say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DiscoveryRules {
    /// What `ServiceProviderConfig` says of PATCH.
    pub patch: Claim,
    /// What `ServiceProviderConfig` says of `/Bulk`.
    pub bulk: Claim,
    /// What `ServiceProviderConfig` says of filters.
    pub filter: Claim,
    /// What `ServiceProviderConfig` says of sorting.
    pub sort: Claim,
    /// What `ServiceProviderConfig` says of entity tags.
    pub etag: Claim,
    /// What `ServiceProviderConfig` says of changing passwords.
    pub change_password: Claim,
    /// Members of `ServiceProviderConfig` that are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<ConfigMember>,
    /// Whether `/ServiceProviderConfig` is there.
    pub service_provider_config: Endpoint,
    /// Whether `/Schemas` is there.
    pub schemas: Endpoint,
    /// Whether `/ResourceTypes` is there.
    pub resource_types: Endpoint,
    /// Who may read the describing endpoints.
    pub access: DiscoveryAccess,
}

/// Which optional parts of the protocol are there.
#[derive(Debug, Clone, PartialEq, Eq, SmartDefault, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FeatureRules {
    /// Whether `/Me` is there.
    pub me: Feature,
    /// Whether `/Bulk` is there.
    pub bulk: Feature,
    /// How many operations a bulk request may hold; more answers 413.
    #[default(1000)]
    pub bulk_max_operations: u32,
    /// How many bytes a bulk request may have; more answers 413.
    #[default(1_048_576)]
    pub bulk_max_payload: u32,
    /// Whether POST on `/.search` is there.
    pub search: Feature,
    /// Whether resources have entity tags and conditions on them are looked at.
    pub etag: EtagRule,
    /// Whether a write may change `password`; where it may not, such a write answers as said here.
    pub change_password: Feature,
}

impl Claim {
    /// What is said where `truth` is so.
    pub fn or_truth(self, truth: bool) -> bool {
        match self {
            Self::Truthful => truth,
            Self::Claimed => true,
            Self::Denied => false,
        }
    }
}

switches! {
    /// What `ServiceProviderConfig` says of a feature.
    Claim {
        /// What is so.
        Truthful = "truthful",
        /// That it is there, whether or not.
        Claimed = "claimed",
        /// That it isn't there, whether or not.
        Denied = "denied",
    }

    /// A member of `ServiceProviderConfig`.
    ConfigMember {
        /// All about PATCH.
        Patch = "patch",
        /// All about `/Bulk`.
        Bulk = "bulk",
        /// How many operations a bulk request may hold.
        BulkMaxOperations = "bulk.maxOperations",
        /// How many bytes a bulk request may have.
        BulkMaxPayloadSize = "bulk.maxPayloadSize",
        /// All about filters.
        Filter = "filter",
        /// How many resources a page may hold.
        FilterMaxResults = "filter.maxResults",
        /// All about changing passwords.
        ChangePassword = "changePassword",
        /// All about sorting.
        Sort = "sort",
        /// All about entity tags.
        Etag = "etag",
        /// All about paging (RFC 9865).
        Pagination = "pagination",
        /// How to authenticate.
        AuthenticationSchemes = "authenticationSchemes",
        /// What every resource has.
        Meta = "meta",
    }

    /// Whether a describing endpoint is there.
    Endpoint {
        /// It is served.
        Served = "served",
        /// It answers 404.
        Answers404 = "answers-404",
        /// It answers 501.
        Answers501 = "answers-501",
    }

    /// Who may read the describing endpoints.
    DiscoveryAccess {
        /// Whoever may read the rest.
        Guarded = "guarded",
        /// Everybody.
        Public = "public",
    }

    /// Whether an optional part of the protocol is there.
    Feature {
        /// It works.
        Works = "works",
        /// It answers 404.
        Answers404 = "answers-404",
        /// It answers 501.
        Answers501 = "answers-501",
    }

    /// Whether resources have entity tags.
    EtagRule {
        /// They have, and conditions on them are looked at.
        Works = "works",
        /// They have none, and conditions are passed over.
        None = "none",
    }
}
