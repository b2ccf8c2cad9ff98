//! `[errors]`, `[replies]` and `[requests]`: the shape of what goes over the wire.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::switch::switches;

/// How errors look.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ErrorRules {
    /// The body of an error.
    pub body: ErrorBody,
    /// The `Content-Type` of an error.
    pub content_type: ErrorContentType,
    /// Whether an error has its `scimType`.
    pub scim_type: Presence,
}

/// How answers look that are no errors.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ReplyRules {
    /// The `Content-Type`.
    pub content_type: ReplyContentType,
    /// The header `Location` after a create.
    pub location: Location,
    /// The attribute `meta.location`.
    pub meta_location: Location,
    /// The body of the answer to a create, which is 201 either way.
    pub create_body: ReplyBody,
    /// The body of the answer to a PUT; without one it is 204.
    pub put_body: ReplyBody,
}

/// What is asked of a request before its meaning is looked at.
#[derive(Debug, Clone, PartialEq, Eq, SmartDefault, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RequestRules {
    /// Whether a request needs the header `User-Agent`.
    pub user_agent: UserAgent,
    /// Whether case counts in the names of endpoints.
    pub path_case: PathCase,
    /// Which media types of a body are taken.
    pub content_type: RequestContentType,
    /// How many bytes a body may have; more answers 413.
    #[default(NonZeroU32::MIN.saturating_add((10 << 20) - 1))]
    pub max_body: NonZeroU32,
    /// How many bytes path and query may have; more answers 414.
    #[default(NonZeroU32::MIN.saturating_add((16 << 10) - 1))]
    pub max_uri: NonZeroU32,
    /// How many bytes all headers may have; more answers 431.
    #[default(NonZeroU32::MIN.saturating_add((64 << 10) - 1))]
    pub max_headers: NonZeroU32,
    /// Which habits of other clients are taken.
    pub dialects: Dialects,
}

/// Habits of widespread clients that depart from the letter of the RFCs.
#[derive(Debug, Clone, PartialEq, Eq, SmartDefault, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Dialects {
    /// A PATCH `op` in another case than lower case.
    pub capitalised_op: Dialect,
    /// A boolean written as a string, `"False"`.
    pub string_booleans: Dialect,
    /// A value without a path whose keys are paths, `"name.givenName"`.
    pub dotted_keys: Dialect,
    /// A remove with a path and a value that lists what to remove.
    pub remove_by_value: Dialect,
    /// An add without a path.
    pub pathless_add: Dialect,
    /// One operation as the whole body, or outside an array.
    pub single_operation: Dialect,
    /// A body without `schemas`, which RFC 7643 §3 requires. Refused unless it is set.
    // Clients that forget them are told: most endpoints insist.
    #[default(Dialect::Refused)]
    pub missing_schemas: Dialect,
    /// One URN twice in `schemas`, which RFC 7643 §3 forbids.
    pub duplicate_schemas: Dialect,
    /// An extension that the body's `schemas` does not name; RFC 7643 §3 has it name the schemas of all attributes.
    pub unlisted_extensions: Dialect,
    /// Entra's `manager` as an id alone, or in a list of one.
    pub bare_manager: Dialect,
    /// A comparison behind a value filter, `emails[type eq "work"].value eq "x"`.
    pub filter_after_brackets: Dialect,
    /// A filter without a space that RFC 7644 §3.4.2.2 asks for, `userName eq"x"`.
    pub filter_missing_spaces: Dialect,
    /// A filter with `true`, `false` or `null` in another case, `active eq True`.
    pub filter_literal_case: Dialect,
    /// A filter with blanks that RFC 7644 §3.4.2.2 does not have: two in a row, a tab, at an end, inside brackets.
    pub filter_blanks: Dialect,
}

impl Dialects {
    /// Those that are accepted.
    pub(crate) fn taken(&self) -> scim::dialect::Dialects {
        use scim::dialect::Dialect as Habit;
        let rules = [
            (Habit::CapitalisedOp, self.capitalised_op),
            (Habit::StringBoolean, self.string_booleans),
            (Habit::DottedKeys, self.dotted_keys),
            (Habit::RemoveByValue, self.remove_by_value),
            (Habit::PathlessAdd, self.pathless_add),
            (Habit::SingleOperation, self.single_operation),
            (Habit::MissingSchemas, self.missing_schemas),
            (Habit::DuplicateSchemas, self.duplicate_schemas),
            (Habit::UnlistedExtensions, self.unlisted_extensions),
            (Habit::BareManager, self.bare_manager),
            (Habit::FilterAfterBrackets, self.filter_after_brackets),
            (Habit::FilterMissingSpaces, self.filter_missing_spaces),
            (Habit::FilterLiteralCase, self.filter_literal_case),
            (Habit::FilterBlanks, self.filter_blanks),
        ];
        rules.into_iter().filter(|(_, rule)| *rule == Dialect::Accepted).map(|(habit, _)| habit).collect()
    }
}

switches! {
    /// The body of an error.
    ErrorBody {
        /// As RFC 7644 §3.12 has it.
        Scim = "scim",
        /// The same with `status` as a number.
        NumericStatus = "numeric-status",
        /// An array `Errors` with `description` and `code`, as SCIM 1.1 had it.
        Scim11 = "scim-1-1",
        /// `schema` instead of `schemas`, and an `exceptionRequestId`.
        SchemaForSchemas = "schema-for-schemas",
        /// A page in HTML.
        Html = "html",
        /// Problem details (RFC 9457).
        ProblemJson = "problem-json",
        /// The message alone.
        PlainText = "plain-text",
        /// Nothing.
        Empty = "empty",
    }

    /// The `Content-Type` of an error.
    ErrorContentType {
        /// The one that fits the body.
        Fitting = "fitting",
        /// `application/scim+json`, whatever the body is.
        Scim = "scim",
        /// `application/json`, whatever the body is.
        Json = "json",
        /// `text/html`, whatever the body is.
        Html = "html",
        /// None.
        Missing = "missing",
    }

    /// Whether something is there.
    Presence {
        /// It is there.
        Present = "present",
        /// It is left out.
        Missing = "missing",
    }

    /// The `Content-Type` of an answer that is no error.
    ReplyContentType {
        /// `application/scim+json`.
        Scim = "scim",
        /// `application/json`.
        Json = "json",
        /// `application/json; charset=utf-8`.
        JsonCharset = "json-charset",
    }

    /// How the address of a resource is given.
    Location {
        /// Whole.
        Absolute = "absolute",
        /// Without scheme and host, as in `/scim/Users/ID`.
        Relative = "relative",
        /// Not at all.
        Missing = "missing",
    }

    /// The body of an answer to a write.
    ReplyBody {
        /// The resource.
        Whole = "whole",
        /// Nothing.
        Empty = "empty",
    }

    /// Whether a request needs the header `User-Agent`.
    UserAgent {
        /// It needs none.
        Optional = "optional",
        /// Without it the answer is 403.
        Required403 = "required-403",
        /// Without it the answer is 400.
        Required400 = "required-400",
    }

    /// Whether case counts in the names of endpoints.
    PathCase {
        /// It counts: `/users` answers 404.
        Exact = "exact",
        /// It doesn't: `/users` is `/Users`.
        Ignored = "ignored",
    }

    /// Which media types of a body are taken.
    RequestContentType {
        /// `application/scim+json` and `application/json`.
        Lenient = "lenient",
        /// `application/scim+json`; another answers 415.
        Strict = "strict",
    }

    /// What becomes of a habit of other clients.
    Dialect {
        /// It is understood, and the journal notes it.
        Accepted = "accepted",
        /// It answers 400.
        Refused = "refused",
    }
}
