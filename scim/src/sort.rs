//! The order of a sorted query (RFC 7644 §3.4.2.3).
//!
//! A server computes the [`SortKey`] of each resource once and sorts the keys, so that a comparison needs no look-up
//! and no parsing.
//!
//! - The primary value of a multi-valued attribute determines the order, or the first value if none is primary.
//! - A complex attribute is ordered by its `value`; if it has none, `sortBy` must name a sub-attribute.
//! - Text is ordered without case unless the attribute is case-exact; date-times by instant; user names by their keys.
//! - Resources without a value come last when ascending and first when descending.

use std::{cmp::Ordering, fmt};

use serde_json::{Number, Value};

use crate::date_time::{DateTime, instant};
use crate::error::ScimType;
use crate::json::get_ci;
use crate::name::AttrName;
use crate::parse_error::ParseError;
use crate::path::AttrPath;
use crate::precis::{user_name_key, user_name_key_with_case};
use crate::schema::{Attribute, AttributeType, Returned, SchemaSet};
use crate::text::lower_case;
use crate::validate::is_primary;

/// The direction of a sorted query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SortOrder {
    /// Smallest first.
    #[default]
    Ascending,
    /// Greatest first.
    Descending,
}

impl SortOrder {
    /// Both directions.
    pub const ALL: [Self; 2] = [Self::Ascending, Self::Descending];

    /// Returns the value of `sortOrder`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ascending => "ascending",
            Self::Descending => "descending",
        }
    }

    /// Parses the value of `sortOrder`, without case.
    ///
    /// # Errors
    /// The text is neither `ascending` nor `descending`.
    pub fn parse(text: &str) -> Result<Self, SortError> {
        let found = Self::ALL.into_iter().find(|order| text.trim().eq_ignore_ascii_case(order.as_str()));
        found.ok_or(SortError::Order)
    }

    /// Compares two keys in this direction.
    pub fn compare(self, a: &SortKey, b: &SortKey) -> Ordering {
        match self {
            Self::Ascending => a.cmp(b),
            Self::Descending => b.cmp(a),
        }
    }
}

impl fmt::Display for SortOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An invalid order of a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SortError {
    /// `sortBy` is not an attribute path.
    #[error("invalid `sortBy`: {0}")]
    Path(ParseError),
    /// No schema defines the attribute.
    #[error("unknown attribute `{0}` in `sortBy`")]
    Unknown(AttrPath),
    /// A complex attribute without a `value` has no order.
    #[error("invalid `sortBy` `{path}`: expected a sub-attribute, such as {path}.{example}")]
    Complex {
        /// The attribute.
        path: AttrPath,
        /// One of its sub-attributes.
        example: AttrName,
    },
    /// The attribute is never returned, so the order must not reveal it.
    #[error("invalid `sortBy` `{0}`: expected an attribute that is returned")]
    Hidden(AttrPath),
    /// `sortOrder` is invalid.
    #[error("invalid `sortOrder`: expected ascending or descending")]
    Order,
}

impl SortError {
    /// Returns the error keyword. In RFC 7644 table 9 `invalidPath` is for PATCH only, and `invalidValue` is allowed
    /// for a query.
    pub const fn scim_type(&self) -> ScimType {
        ScimType::InvalidValue
    }
}

/// The attribute by which a query is sorted.
///
/// ```
/// use scim::{schema::SchemaSet, sort::SortBy};
/// use serde_json::json;
///
/// let by = SortBy::parse("name.familyName", SchemaSet::user())?;
/// let mut users = vec![json!({"name": {"familyName": "Zhou"}}), json!({"name": {"familyName": "adler"}})];
/// users.sort_by_cached_key(|user| by.key(user));
/// assert_eq!(users[0]["name"]["familyName"], "adler");
/// # Ok::<(), scim::sort::SortError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortBy {
    extension: Option<Box<str>>,
    name: Box<str>,
    sub: Option<Box<str>>,
    kind: AttributeType,
    case_exact: bool,
    user_name: bool,
}

impl SortBy {
    /// Parses the value of `sortBy`.
    ///
    /// # Errors
    /// The path does not parse, no schema defines it, or its attribute has no order.
    pub fn parse(text: &str, schemas: &SchemaSet) -> Result<Self, SortError> {
        Self::new(&text.trim().parse().map_err(SortError::Path)?, schemas)
    }

    /// Sorts by the attribute of a path.
    ///
    /// # Errors
    /// No schema defines the path, or its attribute has no order.
    pub fn new(path: &AttrPath, schemas: &SchemaSet) -> Result<Self, SortError> {
        let found = schemas.locate(path).ok_or_else(|| SortError::Unknown(path.clone()))?;
        let leaf = found.leaf();
        let compared = if leaf.is_complex() { by_value(leaf, path)? } else { leaf };
        if [found.attribute, leaf, compared].iter().any(|attr| attr.returned == Returned::Never) {
            return Err(SortError::Hidden(path.clone()));
        }
        let sub = (!std::ptr::eq(compared, found.attribute)).then(|| compared.name.as_str().into());
        Ok(Self {
            extension: found.extension.map(|schema| schema.id().as_str().into()),
            name: found.attribute.name.as_str().into(),
            sub,
            kind: compared.kind,
            case_exact: compared.case_exact,
            user_name: found.extension.is_none() && compared.is_user_name(),
        })
    }

    /// Returns the top-level member that holds the attribute; for an extension, its URN.
    pub fn member(&self) -> &str {
        self.extension.as_deref().unwrap_or(&self.name)
    }

    /// Returns the key of a resource.
    pub fn key(&self, resource: &Value) -> SortKey {
        let Some(value) = self.value(resource) else { return SortKey(Key::Missing) };
        SortKey(match value {
            Value::Bool(flag) => Key::Bool(*flag),
            Value::Number(number) => Key::Number(Numeric::of(number)),
            Value::String(text) => self.text(text),
            Value::Null | Value::Array(_) | Value::Object(_) => Key::Missing,
        })
    }

    fn value<'v>(&self, resource: &'v Value) -> Option<&'v Value> {
        let members = resource.as_object()?;
        let holder = match &self.extension {
            Some(urn) => get_ci(members, urn)?.as_object()?,
            None => members,
        };
        let chosen = match get_ci(holder, &self.name)? {
            Value::Array(values) => values.iter().find(|value| is_primary(value)).or(values.first())?,
            single => single,
        };
        match (&self.sub, chosen) {
            (Some(sub), Value::Object(members)) => get_ci(members, sub),
            (_, simple) => Some(simple),
        }
    }

    fn text(&self, text: &str) -> Key {
        let by_instant = self.kind == AttributeType::DateTime;
        match instant(text).filter(|_| by_instant) {
            Some(instant) => Key::DateTime(instant),
            None if self.case_exact && self.user_name => Key::Text(user_name_key_with_case(text).into()),
            None if self.case_exact => Key::Text(text.into()),
            None if self.user_name => Key::Text(user_name_key(text).into()),
            None => Key::Text(lower_case(text).into()),
        }
    }
}

fn by_value<'a>(attr: &'a Attribute, path: &AttrPath) -> Result<&'a Attribute, SortError> {
    attr.sub("value").ok_or_else(|| match attr.sub_attributes.first() {
        Some(first) => SortError::Complex { path: path.clone(), example: first.name.clone() },
        None => SortError::Unknown(path.clone()),
    })
}

/// The position of a resource in the ascending order; see [`SortBy::key`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SortKey(Key);

impl SortKey {
    /// Returns the key of one resource. To sort many, create a [`SortBy`] once.
    ///
    /// # Errors
    /// As [`SortBy::new`].
    pub fn of(resource: &Value, path: &AttrPath, schemas: &SchemaSet) -> Result<Self, SortError> {
        Ok(SortBy::new(path, schemas)?.key(resource))
    }

    /// Returns the key as bytes, which [`from_bytes`](Self::from_bytes) reads: for the position of a cursor.
    pub fn to_bytes(&self) -> Vec<u8> {
        let with = |tag: u8, parts: &[&[u8]]| {
            let mut bytes = vec![tag];
            for part in parts {
                bytes.extend_from_slice(part);
            }
            bytes
        };
        match &self.0 {
            Key::Bool(flag) => with(b'b', &[&[u8::from(*flag)]]),
            Key::Number(number) => with(b'n', &[&number.near.to_be_bytes(), &number.whole.to_be_bytes()]),
            Key::DateTime(instant) => with(b'i', &[&instant.to_bytes()]),
            Key::Text(text) => with(b't', &[text.as_bytes()]),
            Key::Missing => with(b'-', &[]),
        }
    }

    /// Returns the key from its bytes, or `None` if they are not those of a key.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (tag, rest) = bytes.split_first()?;
        let key = match (tag, rest) {
            (b'b', [flag @ (0 | 1)]) => Key::Bool(*flag == 1),
            (b'n', rest) => {
                let (near, whole) = rest.split_first_chunk()?;
                let near = f64::from_be_bytes(*near);
                Key::Number(Numeric { near, whole: i128::from_be_bytes(whole.try_into().ok()?) })
            }
            (b'i', rest) => Key::DateTime(DateTime::from_bytes(rest)?),
            (b't', rest) => Key::Text(std::str::from_utf8(rest).ok()?.into()),
            (b'-', []) => Key::Missing,
            _ => return None,
        };
        Some(Self(key))
    }

    /// Whether the resource has no value to sort by.
    pub fn is_missing(&self) -> bool {
        self.0 == Key::Missing
    }
}

/// The order of values. One attribute should not have values of different types, but they need an order too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Bool(bool),
    Number(Numeric),
    DateTime(DateTime),
    Text(Box<str>),
    Missing,
}

/// A number with a total order. Whole numbers beyond the precision of a float compare by the nearest float first, then
/// exactly.
#[derive(Debug, Clone, Copy)]
struct Numeric {
    near: f64,
    whole: i128,
}

impl Numeric {
    #[expect(clippy::cast_possible_truncation, reason = "a float's whole part, at the ends of the range")]
    fn of(number: &Number) -> Self {
        // The sum turns a negative zero into a positive one.
        let near = number.as_f64().unwrap_or_default() + 0.0;
        let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        Self { near, whole: whole.unwrap_or(near as i128) }
    }
}

impl Ord for Numeric {
    fn cmp(&self, other: &Self) -> Ordering {
        self.near.total_cmp(&other.near).then(self.whole.cmp(&other.whole))
    }
}

impl PartialOrd for Numeric {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Numeric {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Numeric {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::{ENTERPRISE_URN, Schema};

    /// Sorts in both directions; `n` of each resource is its position in ascending order.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "called with json!")]
    fn check_in(by: &str, resources: Value, schemas: &SchemaSet) {
        let by = SortBy::parse(by, schemas).unwrap();
        let mut resources = resources.as_array().unwrap().clone();
        let places = |resources: &[Value]| -> Vec<i64> {
            resources.iter().map(|resource| resource["n"].as_i64().unwrap()).collect()
        };
        for order in SortOrder::ALL {
            resources.sort_by(|a, b| order.compare(&by.key(a), &by.key(b)));
            let found = places(&resources);
            let mut expected = found.clone();
            expected.sort_unstable();
            if order == SortOrder::Descending {
                expected.reverse();
            }
            assert_eq!(found, expected, "{order}");
        }
    }

    #[track_caller]
    fn check(by: &str, resources: Value) {
        check_in(by, resources, SchemaSet::user());
    }

    #[test]
    fn text_order_follows_case_exact() {
        check(
            "userName",
            json!([
            {"n": 2, "userName": "Émil"}, {"n": 1, "userName": "Zoe"}, {"n": 0, "userName": "zac"}]),
        );
        check(
            "externalId",
            json!([
            {"n": 2, "externalId": "a"}, {"n": 1, "externalId": "Z"}, {"n": 0, "externalId": "B"}]),
        );
        check("USERNAME", json!([{"n": 1, "userName": "b"}, {"n": 0, "UserName": "A"}]));
    }

    #[test]
    fn resource_without_value_is_last_or_first_descending() {
        check(
            "title",
            json!([
            {"n": 3}, {"n": 0, "title": "a"}, {"n": 3, "title": null}, {"n": 1, "title": "b"}]),
        );
        check("emails", json!([{"n": 1, "emails": []}, {"n": 0, "emails": [{"value": "a"}]}]));
    }

    #[test]
    fn multi_valued_attribute_sorts_by_primary_or_first_value() {
        check(
            "emails",
            json!([
            {"n": 1, "emails": [{"value": "a"}, {"value": "m", "primary": true}]},
            {"n": 0, "emails": [{"value": "b"}, {"value": "a"}]},
            {"n": 2, "emails": [{"value": "z"}, {"value": "a", "primary": false}]}]),
        );
        check(
            "emails.type",
            json!([
            {"n": 1, "emails": [{"type": "a"}, {"type": "work", "primary": true}]},
            {"n": 0, "emails": [{"type": "home"}]}]),
        );
    }

    #[test]
    fn sort_by_sub_attribute_extension_and_instant() {
        check(
            "name.familyName",
            json!([{"n": 1, "name": {"familyName": "b"}}, {"n": 0, "name": {"familyName": "A"}}]),
        );
        check(
            "meta.created",
            json!([
            {"n": 1, "meta": {"created": "2024-05-01T12:30:00+02:00"}},
            {"n": 2, "meta": {"created": "2024-05-01T11:00:00Z"}},
            {"n": 0, "meta": {"created": "2024-05-01T10:00:00Z"}},
            {"n": 4, "meta": {"created": "12020-01-01T00:00:00Z"}},
            {"n": 3, "meta": {"created": "9999-12-31T23:59:59Z"}}]),
        );
        let manager = |n: i64, id: &str| json!({"n": n, ENTERPRISE_URN: {"manager": {"value": id}}});
        check(&format!("{ENTERPRISE_URN}:manager"), json!([manager(1, "b"), manager(0, "a")]));
        check("active", json!([{"n": 1, "active": true}, {"n": 0, "active": false}, {"n": 2}]));
    }

    #[test]
    fn sort_keys_of_numbers_have_a_total_order() {
        let schema = json!({"id": "urn:example:thing", "attributes": [{"name": "size", "type": "decimal"}]});
        let set = SchemaSet::new(Schema::from_json(&schema).unwrap(), Vec::new());
        let sizes = json!([
            {"n": 5, "size": 9_007_199_254_740_993_u64}, {"n": 4, "size": 9_007_199_254_740_992_u64},
            {"n": 4, "size": 9_007_199_254_740_992.0}, {"n": 2, "size": 2}, {"n": 3, "size": 2.5},
            {"n": 0, "size": -1e300}, {"n": 1, "size": -0.0}, {"n": 1, "size": 0}, {"n": 6, "size": u64::MAX}]);
        check_in("size", sizes, &set);
    }

    #[test]
    fn sort_key_round_trips_as_bytes() {
        let key = |by: &str, user: Value| SortBy::parse(by, SchemaSet::user()).unwrap().key(&user);
        for key in [
            key("userName", json!({"userName": "Émil"})),
            key("userName", json!({"userName": ""})),
            key("title", json!({})),
            key("active", json!({"active": true})),
            key("meta.created", json!({"meta": {"created": "2024-05-01T12:30:00.5+02:00"}})),
            key("meta.created", json!({"meta": {"created": "-12020-01-01T00:00:00.999999999Z"}})),
            SortKey(Key::Number(Numeric::of(&Number::from(u64::MAX)))),
        ] {
            assert_eq!(SortKey::from_bytes(&key.to_bytes()), Some(key));
        }
        for bad in [&b""[..], b"x", b"b\x02", b"n1", b"i", b"t\xff", b"-1"] {
            assert_eq!(SortKey::from_bytes(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn sort_by_attribute_without_order_is_refused() {
        #[track_caller]
        fn check(by: &str, message: &str) {
            let error = SortBy::parse(by, SchemaSet::user()).unwrap_err();
            assert_eq!((error.scim_type(), error.to_string().as_str()), (ScimType::InvalidValue, message));
        }
        check("shoe", "unknown attribute `shoe` in `sortBy`");
        check("name", "invalid `sortBy` `name`: expected a sub-attribute, such as name.formatted");
        check("password", "invalid `sortBy` `password`: expected an attribute that is returned");
        check(
            "",
            "invalid `sortBy`: invalid attribute name ``: expected a letter, `$` or `_`, then letters, digits, `-`, `_` or `$` (at byte 0)",
        );
        assert_eq!(SortOrder::parse("Descending"), Ok(SortOrder::Descending));
        assert_eq!(
            SortOrder::parse("up").unwrap_err().to_string(),
            "invalid `sortOrder`: expected ascending or descending"
        );
    }
}
