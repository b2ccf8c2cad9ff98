//! Requirements: their level, their section, and the expectations that many cases share.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The level of a requirement (RFC 2119).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// MUST: a failure is a `fail`.
    Must,
    /// SHOULD: a failure is a `warn`.
    Should,
    /// MAY: an optional behaviour; a failure is a `warn`.
    May,
}

impl Level {
    /// Returns the word in reports and selections.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::May => "may",
        }
    }
}

/// The section that states a requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// The document, as in `RFC 7644`.
    pub document: String,
    /// The section, as in `3.5.2.1`.
    pub section: String,
    /// Further sections, as in `RFC 7643 §2.4`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
}

/// An expectation that many cases have in common. A case judges it only where it is about it, so that one deviation is
/// found once and does not hide what the others are about.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Shared {
    /// An error has a SCIM error as its body (RFC 7644 §3.12).
    ErrorBody,
    /// `status` in an error is a string (RFC 7644 §3.12).
    ErrorStatus,
    /// An error says `scimType` (RFC 7644 §3.12). Every case that asks for one judges it.
    ErrorType,
    /// Answers are `application/scim+json` (RFC 7644 §3.1).
    MediaType,
    /// A ListResponse names its schema (RFC 7644 §3.4.2).
    ListSchema,
    /// Resources say where they are (RFC 7643 §3.1, RFC 7644 §3.3). Every case that asks for it judges it.
    Location,
    /// Resources have `meta` (RFC 7643 §3.1). Every case that asks for a part of it judges it.
    Meta,
    /// `meta` says the resource type (RFC 7643 §3.1). Every case that asks for it judges it.
    ResourceType,
    /// Resources have an `id` (RFC 7643 §3.1).
    Id,
    /// Resources name their schemas (RFC 7643 §3).
    Schemas,
    /// A list has the form of a ListResponse (RFC 7644 §3.4.2).
    ListForm,
    /// Bodies are JSON (RFC 7644 §3.1).
    Json,
    /// An unknown resource is answered 404 (RFC 7644 §3.12). Shared if the server answers the same status to every
    /// unknown id.
    UnknownResource,
    /// Requests without valid credentials are answered 401 (RFC 7235 §3.1). Shared likewise.
    Credentials,
    /// A user name that is taken is answered 409 (RFC 7644 §3.3). Shared likewise.
    TakenName,
    /// A filter that is not valid is answered 400 (RFC 7644 §3.4.2.2). Every case with such a filter judges it.
    InvalidFilter,
    /// A list has the resources that its filter selects, and no others (RFC 7644 §3.4.2.2). Shared where an endpoint ignores
    /// every filter.
    FilterIgnored,
    /// A filter by the name finds the resource that has it (RFC 7644 §3.4.2.2). Shared where it never does, or no filter
    /// finds anything.
    LookUp,
    /// An attribute that is sent comes back (RFC 7644 §3.3). Shared where it never does, however it is written.
    Stored,
    /// An attribute that is shown of a single resource is shown in lists too (RFC 7643 §2.2).
    Listed,
}

impl Shared {
    /// Returns the word in case files and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ErrorBody => "error-body",
            Self::ErrorStatus => "error-status",
            Self::ErrorType => "error-type",
            Self::MediaType => "media-type",
            Self::ListSchema => "list-schema",
            Self::Location => "location",
            Self::Meta => "meta",
            Self::ResourceType => "resource-type",
            Self::Id => "id",
            Self::Schemas => "schemas",
            Self::ListForm => "list-form",
            Self::Json => "json",
            Self::UnknownResource => "unknown-resource",
            Self::Credentials => "credentials",
            Self::TakenName => "taken-name",
            Self::InvalidFilter => "invalid-filter",
            Self::FilterIgnored => "filter-ignored",
            Self::LookUp => "look-up",
            Self::Stored => "stored",
            Self::Listed => "listed",
        }
    }

    /// Whether a case that is not about it passes over it.
    pub fn is_passed_over(self) -> bool {
        match self {
            Self::ErrorBody
            | Self::ErrorStatus
            | Self::MediaType
            | Self::ListSchema
            | Self::UnknownResource
            | Self::Credentials
            | Self::TakenName => true,
            // What these cases are about needs it; `Id` to `Json` are seen by `server::deviation`.
            Self::ErrorType
            | Self::Location
            | Self::Meta
            | Self::ResourceType
            | Self::Id
            | Self::Schemas
            | Self::ListForm
            | Self::Json
            | Self::InvalidFilter
            | Self::FilterIgnored
            | Self::LookUp
            | Self::Stored
            | Self::Listed => false,
        }
    }
}

/// Returns an id, or a pattern of ids, with the current name of its document.
///
/// The cases from PingOne's page were in `seed` before they were in `pingone`, and those of IPSIE had the sections of an
/// earlier draft; baselines and selections may still say so.
pub(crate) fn current_id(id: &str) -> Cow<'_, str> {
    let (suite, rest) = match id.strip_prefix("client/") {
        Some(rest) => ("client/", rest),
        None => ("", id),
    };
    let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
    if let Some(rest) = rest.strip_prefix("seed").filter(|rest| below(rest)) {
        return format!("{suite}pingone{rest}").into();
    }
    let moved = IPSIE_SECTIONS.iter().find_map(|(old, current)| {
        let rest = rest.strip_prefix(old).filter(|rest| below(rest))?;
        Some(format!("{suite}{current}{rest}"))
    });
    moved.map_or_else(|| id.into(), Cow::from)
}

/// The sections of IPSIE cases in the earlier draft, and now.
const IPSIE_SECTIONS: [(&str, &str); 5] = [
    ("ipsie/3.2.2.3", "ipsie/5.1"),
    ("ipsie/3.2.2.4", "ipsie/5.2"),
    ("ipsie/3.2.2.7", "ipsie/5.4"),
    ("ipsie/3.2.3.3", "ipsie/6.2.3"),
    ("ipsie/3.2.3.5", "ipsie/6.2.6"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_name_of_a_document_is_an_alias() {
        for (old, current) in [
            ("seed/connection/a", "pingone/connection/a"),
            ("client/seed/*", "client/pingone/*"),
            ("seed", "pingone"),
            ("seeds/a", "seeds/a"),
            ("rfc7644/3.3/seed", "rfc7644/3.3/seed"),
            ("ipsie/3.2.2.3/deactivates-by-patch", "ipsie/5.1/deactivates-by-patch"),
            ("client/ipsie/3.2.3.5/*", "client/ipsie/6.2.6/*"),
            ("ipsie/3.2.2.33/a", "ipsie/3.2.2.33/a"),
        ] {
            assert_eq!(current_id(old), current);
        }
    }
}
