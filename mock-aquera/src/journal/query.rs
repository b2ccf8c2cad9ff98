//! Questions to the journal: which exchanges, in which order, how many.

use std::fmt;
use std::str::FromStr;

use hyper::StatusCode;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::{IntoParams, ToSchema};

use super::exchange::Exchange;
use super::operations::OperationKind;
use crate::journal::predicate::{CRITERIA, path_fits};
use crate::journal::stored_record::Kept;
use crate::units::suggest::{did_you_mean, nearest};

/// Which exchanges are asked for. What isn't said doesn't matter; the empty query is all of them, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct JournalQuery {
    /// The method.
    pub method: Option<String>,
    /// The path, whole or below the base URL, without the query. `*` is anything in a segment, `**` any segments.
    pub path: Option<String>,
    /// What is asked for in SCIM's terms, inside a bulk request too.
    pub operation: Option<OperationKind>,
    /// `User`, `Group` or the name of another resource type.
    pub resource_type: Option<String>,
    /// The id of a resource that is asked for or changed.
    pub id: Option<String>,
    /// The `userName` that is written, looked for, answered or changed; without case.
    pub user_name: Option<String>,
    /// The path of a PATCH operation, or a member that is written without a path; without case.
    pub patch_path: Option<String>,
    /// The status: `404`, a class like `4xx`, or `none` where there was no reply.
    #[schema(value_type = Option<String>)]
    #[param(value_type = Option<String>)]
    pub status: Option<StatusMatch>,
    /// Whether a fault struck.
    pub fault: Option<bool>,
    /// Only what came after this one.
    pub since_seq: Option<u64>,
    /// A text in the path or one of the bodies; without case.
    pub contains: Option<String>,
    /// How many at most.
    pub limit: Option<usize>,
    /// Which first.
    pub order: Order,
}

/// Which exchanges come first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Order {
    /// As they came.
    #[default]
    Oldest,
    /// The latest first.
    Newest,
}

/// A status, or a class of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusMatch {
    /// This one.
    Exactly(u16),
    /// All that begin with this digit.
    Class(u8),
    /// No reply at all.
    None,
}

/// A question that the journal doesn't understand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// No criterion has this name.
    #[error("unknown journal criterion `{key}`{}; the criteria are {}", did_you_mean(nearest(.key, KEYS)), KEYS.join(", "))]
    UnknownKey {
        /// What was written.
        key: String,
    },
    /// The same criterion twice.
    #[error("`{key}` is there twice, once is enough")]
    DoubledKey {
        /// What was written.
        key: String,
    },
    /// A value that no exchange has.
    #[error("`{criterion}` can never match: {why}")]
    NeverMatches {
        /// The criterion with its value.
        criterion: String,
        /// Why not, and what was probably meant.
        why: String,
    },
    /// A value that is not kept, and so can't be compared.
    #[error(
        "{criterion} is redacted in the journal and can't be compared; write {instead} to ask only whether there is one"
    )]
    Redacted {
        /// The criterion without its value.
        criterion: String,
        /// What can be asked for.
        instead: String,
    },
    /// A value that the criterion can't have.
    #[error("`{value}` doesn't fit `{key}`, which takes {expected}")]
    BadValue {
        /// The criterion.
        key: &'static str,
        /// What was written.
        value: String,
        /// What would fit.
        expected: String,
    },
}

const KEYS: [&str; 13] = [
    "method",
    "path",
    "operation",
    "resourceType",
    "id",
    "userName",
    "patchPath",
    "status",
    "fault",
    "sinceSeq",
    "contains",
    "limit",
    "order",
];

impl JournalQuery {
    /// All exchanges.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a question from the pairs of a URL's query, decoded. Names are matched without case and hyphens.
    ///
    /// # Errors
    ///
    /// A name that isn't known or there twice, or a value that doesn't fit.
    pub fn from_pairs<K: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, QueryError> {
        let mut query = Self::default();
        let mut seen: Vec<&'static str> = Vec::new();
        for (written, value) in pairs {
            let (written, value) = (written.as_ref(), value.as_ref());
            let plain: String = written.chars().filter(|c| !matches!(c, '-' | '_')).collect();
            let key = KEYS
                .into_iter()
                .find(|key| key.eq_ignore_ascii_case(&plain))
                .ok_or_else(|| QueryError::UnknownKey { key: written.to_owned() })?;
            if seen.contains(&key) {
                return Err(QueryError::DoubledKey { key: written.to_owned() });
            }
            seen.push(key);
            query.set(key, value)?;
        }
        Ok(query)
    }

    fn set(&mut self, key: &'static str, value: &str) -> Result<(), QueryError> {
        let bad = |expected: &str| QueryError::BadValue {
            key,
            value: value.to_owned(),
            expected: expected.to_owned(),
        };
        let text = Some(value.to_owned());
        match key {
            "method" => self.method = text,
            "path" => self.path = text,
            "operation" => {
                let words = OperationKind::ALL.map(OperationKind::as_str);
                let expected = || format!("{}{}", words.join(", "), did_you_mean(nearest(value, words)));
                self.operation = Some(value.parse().map_err(|()| bad(&expected()))?);
            }
            "resourceType" => self.resource_type = text,
            "id" => self.id = text,
            "userName" => self.user_name = text,
            "patchPath" => self.patch_path = text,
            "status" => self.status = Some(value.parse().map_err(|()| bad(STATUS_FORMS))?),
            "fault" => self.fault = Some(value.parse().map_err(|_| bad("true or false"))?),
            "sinceSeq" => self.since_seq = Some(value.parse().map_err(|_| bad("a whole number from 0"))?),
            "contains" => self.contains = text,
            "limit" => self.limit = Some(value.parse().map_err(|_| bad("a whole number from 0"))?),
            _ => {
                self.order = match value {
                    "oldest" => Order::Oldest,
                    "newest" => Order::Newest,
                    _ => return Err(bad("oldest or newest")),
                }
            }
        }
        Ok(())
    }

    /// The latest first.
    pub fn newest_first(mut self) -> Self {
        self.order = Order::Newest;
        self
    }

    /// Whether an exchange matches the query. `limit` does not count.
    pub fn matches(&self, exchange: &Exchange) -> bool {
        CRITERIA.iter().all(|lacks| lacks(self, exchange).is_none())
    }

    /// What an exchange lacks to be among them, in plain words.
    pub(crate) fn differences(&self, exchange: &Exchange) -> Vec<String> {
        CRITERIA.iter().filter_map(|lacks| lacks(self, exchange)).collect()
    }

    /// Whether it is worth while to make the record readable: what can be told without.
    pub(super) fn may_match(&self, record: &Kept, seq: u64) -> bool {
        self.since_seq.is_none_or(|since| seq > since)
            && self.method.as_deref().is_none_or(|method| record.method().eq_ignore_ascii_case(method))
            && self.status.is_none_or(|status| status.fits(record.status))
            && self.fault.is_none_or(|struck| struck != record.rest().faults.is_empty())
            && self.path.as_deref().is_none_or(|path| {
                path_fits(path, record.path_and_query().split('?').next().unwrap_or_default())
            })
    }
}

/// Declares methods that each set one criterion.
macro_rules! criteria {
    ($($(#[$about:meta])* $name:ident($value:ident: $type:ty) is $field:ident = $asked:expr;)*) => {
        impl JournalQuery {$(
            $(#[$about])*
            pub fn $name(mut self, $value: $type) -> Self {
                self.$field = Some($asked);
                self
            }
        )*}
    };
}

criteria! {
    /// Only this method.
    method(method: impl Into<String>) is method = method.into();
    /// Only this path, whole or below the base URL; `*` is anything in a segment, `**` any segments.
    path(glob: impl Into<String>) is path = glob.into();
    /// Only what asks for this.
    operation(kind: OperationKind) is operation = kind;
    /// Only what concerns this resource type.
    resource_type(name: impl Into<String>) is resource_type = name.into();
    /// Only what concerns this resource.
    id(id: impl Into<String>) is id = id.into();
    /// Only what concerns this user.
    user_name(name: impl Into<String>) is user_name = name.into();
    /// Only PATCH requests that write this.
    patch_path(path: impl Into<String>) is patch_path = path.into();
    /// Only this status.
    status(status: u16) is status = StatusMatch::Exactly(status);
    /// Only the statuses of a class: 4 for 400 to 499.
    status_class(class: u8) is status = StatusMatch::Class(class);
    /// Only what a fault struck, or what none did.
    fault(struck: bool) is fault = struck;
    /// Only what came after this one.
    since(seq: u64) is since_seq = seq;
    /// Only where this text is in the path or a body.
    contains(text: impl Into<String>) is contains = text.into();
    /// So many at most.
    limit(limit: usize) is limit = limit;
}

impl FromStr for JournalQuery {
    type Err = QueryError;

    /// Reads the query of a URL: `method=PATCH&userName=a%40b`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pairs = form_urlencoded::parse(text.as_bytes()).into_owned();
        Self::from_pairs(pairs)
    }
}

const STATUS_FORMS: &str = "a status like 404, a class like 4xx, or none";

impl StatusMatch {
    pub(super) fn of(status: Option<StatusCode>) -> Self {
        status.map_or(Self::None, |status| Self::Exactly(status.as_u16()))
    }

    pub(super) fn fits(self, status: Option<StatusCode>) -> bool {
        let status = status.map(|status| status.as_u16());
        match self {
            Self::Exactly(wanted) => status == Some(wanted),
            Self::Class(class) => status.is_some_and(|status| status / 100 == u16::from(class)),
            Self::None => status.is_none(),
        }
    }
}

impl fmt::Display for StatusMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(status) => write!(f, "{status}"),
            Self::Class(class) => write!(f, "{class}xx"),
            Self::None => f.write_str("none"),
        }
    }
}

impl FromStr for StatusMatch {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" || text == "0" {
            return Ok(Self::None);
        }
        match text.as_bytes() {
            [class @ b'1'..=b'9', b'x' | b'X', b'x' | b'X'] => Ok(Self::Class(class - b'0')),
            [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'] => text.parse().map(Self::Exactly).map_err(|_| ()),
            _ => Err(()),
        }
    }
}

impl Serialize for StatusMatch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text or a number.
impl<'de> Deserialize<'de> for StatusMatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = StatusMatch;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(STATUS_FORMS)
            }

            fn visit_u64<E: de::Error>(self, status: u64) -> Result<StatusMatch, E> {
                self.visit_str(&status.to_string())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<StatusMatch, E> {
                text.parse().map_err(|()| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}
