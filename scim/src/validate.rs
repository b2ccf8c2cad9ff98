//! Does a resource fit its schemas (RFC 7643 §2, §3)? And the canonical spelling of its members.
//!
//! `null` and empty arrays are no value at all (RFC 7643 §2.5). Suggested values (`canonicalValues`)
//! are suggestions and not enforced, unless [`ValidateOptions`] say so.

mod immutable;
mod instant;

use std::fmt;

pub use immutable::check_immutable;
pub(crate) use immutable::immutable_change;
pub use instant::{DateTime, instant, is_date_time};

use serde_json::{Map, Value};

use crate::{
    error::ScimType,
    path::{get_ci, key_ci},
    precis::{has_control, is_blank},
    schema::{Attribute, AttributeType, Mutability, Schema, SchemaSet},
};

/// One thing in a resource that does not fit its schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: the path of the attribute, with the position of a value in brackets.
    pub place: String,
    /// What is wrong with it.
    pub kind: ProblemKind,
}

/// What is wrong with an attribute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProblemKind {
    /// No schema knows it.
    #[error("is not an attribute of the schema")]
    Unknown,
    /// It is known by another spelling.
    #[error("is spelled {0}")]
    Spelling(String),
    /// It is missing, and must be there.
    #[error("is required")]
    Missing,
    /// It is the name of a user, and shows nothing.
    #[error("must not be blank")]
    Blank,
    /// It is the name of a user, and has a control character or one that sets the direction of text.
    #[error("must not have control characters, or characters that set the direction of text")]
    Control,
    /// Its value has the wrong type.
    #[error("must be {0}")]
    Type(&'static str),
    /// More than one of its values is primary.
    #[error("has more than one primary value")]
    Primary,
    /// `schemas` does not name a schema that the resource uses.
    #[error("does not list {0}")]
    Unlisted(String),
    /// `schemas` names a schema twice.
    #[error("names {0} twice")]
    Twice(String),
    /// `schemas` names a schema that the resource type lacks.
    #[error("names {0}, which the resource type does not have")]
    Foreign(String),
    /// Its value is not one of those that the schema names.
    #[error("must be one of {}", .0.join(", "))]
    Canonical(Vec<String>),
    /// It has another value already, and may be given one only once.
    #[error("is immutable and has a value")]
    Immutable,
}

impl ProblemKind {
    /// The error keyword of RFC 7644 §3.12 for it.
    pub const fn scim_type(&self) -> ScimType {
        match self {
            Self::Immutable => ScimType::Mutability,
            Self::Unknown
            | Self::Spelling(_)
            | Self::Missing
            | Self::Type(_)
            | Self::Primary
            | Self::Unlisted(_)
            | Self::Foreign(_)
            | Self::Blank
            | Self::Control
            | Self::Twice(_)
            | Self::Canonical(_) => ScimType::InvalidValue,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.place, self.kind)
    }
}

/// How strict [`validate_with`] is; the default is what [`validate`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ValidateOptions {
    /// Whether a value must be one of the `canonicalValues`, where an attribute has any.
    pub canonical_values: bool,
    /// Whether required attributes that only the server writes may be missing, as in a request.
    pub without_read_only: bool,
}

/// Checks a resource against its schemas: types, required attributes and extensions, unknown
/// ones, spelling, a single primary value, `schemas`.
///
/// # Errors
/// Every problem, in the order of the resource.
pub fn validate(resource: &Value, schemas: &SchemaSet) -> Result<(), Vec<Problem>> {
    validate_with(resource, schemas, ValidateOptions::default())
}

/// Checks a resource as [`validate`] does, as strictly as the options say.
///
/// # Errors
/// Every problem, in the order of the resource.
pub fn validate_with(
    resource: &Value,
    schemas: &SchemaSet,
    options: ValidateOptions,
) -> Result<(), Vec<Problem>> {
    let mut problems = Problems { found: Vec::new(), options };
    let Value::Object(members) = resource else {
        problems.add("the resource", ProblemKind::Type("an object"));
        return Err(problems.found);
    };
    for (key, value) in members {
        if let Some(schema) = schemas.extension(key) {
            problems.spelling(key, schema.id().as_str());
            problems.extension(schema, value);
        } else {
            problems.member("", key, value, schemas.top_level(key));
        }
    }
    let required = schemas.core().attributes().iter().chain(schemas.common());
    problems.required("", members, required);
    for schema in schemas.required_extensions() {
        let urn = schema.id().as_str();
        if get_ci(members, urn).is_none_or(Value::is_null) {
            problems.add(urn, ProblemKind::Missing);
        }
    }
    problems.listed(members, schemas);
    if problems.found.is_empty() { Ok(()) } else { Err(problems.found) }
}

/// Checks one value of an attribute; `place` is how problems name it.
pub(crate) fn check_attribute(attr: &Attribute, value: &Value, place: &str) -> Vec<Problem> {
    let mut problems = Problems::default();
    problems.attribute(place, value, attr);
    problems.found
}

/// Checks one of the values of a multi-valued attribute.
pub(crate) fn check_single(attr: &Attribute, value: &Value, place: &str) -> Vec<Problem> {
    let mut problems = Problems::default();
    problems.single(place, value, attr);
    problems.found
}

#[derive(Default)]
struct Problems {
    found: Vec<Problem>,
    options: ValidateOptions,
}

impl Problems {
    fn add(&mut self, place: impl Into<String>, kind: ProblemKind) {
        self.found.push(Problem { place: place.into(), kind });
    }

    fn spelling(&mut self, found: &str, canonical: &str) {
        if found != canonical {
            self.add(found, ProblemKind::Spelling(canonical.to_owned()));
        }
    }

    fn extension(&mut self, schema: &Schema, value: &Value) {
        let urn = schema.id().as_str();
        match value {
            Value::Null => {}
            Value::Object(members) => {
                for (key, value) in members {
                    self.member(&format!("{urn}:"), key, value, schema.attribute(key));
                }
                self.required(&format!("{urn}:"), members, schema.attributes().iter());
            }
            _ => self.add(urn, ProblemKind::Type("an object")),
        }
    }

    fn member(&mut self, prefix: &str, key: &str, value: &Value, attr: Option<&Attribute>) {
        let place = format!("{prefix}{key}");
        let Some(attr) = attr else {
            return self.add(place, ProblemKind::Unknown);
        };
        if attr.name.as_str() != key {
            self.add(place.as_str(), ProblemKind::Spelling(attr.name.to_string()));
        }
        self.attribute(&place, value, attr);
    }

    fn attribute(&mut self, place: &str, value: &Value, attr: &Attribute) {
        match value {
            Value::Null => {}
            Value::Array(values) if attr.multi_valued => {
                for (i, value) in values.iter().enumerate() {
                    self.single(&format!("{place}[{i}]"), value, attr);
                }
                if values.iter().filter(|value| is_primary(value)).count() > 1 {
                    self.add(place, ProblemKind::Primary);
                }
            }
            _ if attr.multi_valued => self.add(place, ProblemKind::Type("an array")),
            _ => self.single(place, value, attr),
        }
    }

    fn single(&mut self, place: &str, value: &Value, attr: &Attribute) {
        if let (AttributeType::Complex, Value::Object(members)) = (attr.kind, value) {
            for (key, value) in members {
                self.member(&format!("{place}."), key, value, attr.sub(key));
            }
            self.required(&format!("{place}."), members, attr.sub_attributes.iter());
        } else if let Err(expected) = fits(attr.kind, value) {
            self.add(place, ProblemKind::Type(expected));
        } else if attr.required && value.as_str() == Some("") {
            self.add(place, ProblemKind::Missing);
        } else if attr.is_user_name() && value.as_str().is_some_and(is_blank) {
            self.add(place, ProblemKind::Blank);
        } else if attr.is_user_name() && value.as_str().is_some_and(has_control) {
            self.add(place, ProblemKind::Control);
        } else if self.options.canonical_values && !is_canonical(attr, value) {
            self.add(place, ProblemKind::Canonical(attr.canonical_values.clone()));
        }
    }

    fn required<'a>(
        &mut self,
        prefix: &str,
        members: &Map<String, Value>,
        attrs: impl Iterator<Item = &'a Attribute>,
    ) {
        let excused =
            |attr: &Attribute| self.options.without_read_only && attr.mutability == Mutability::ReadOnly;
        let missing: Vec<&Attribute> = attrs.filter(|attr| attr.required && !excused(attr)).collect();
        for attr in missing {
            if get_ci(members, attr.name.as_str()).is_none_or(is_unassigned) {
                self.add(format!("{prefix}{}", attr.name), ProblemKind::Missing);
            }
        }
    }

    fn listed(&mut self, members: &Map<String, Value>, schemas: &SchemaSet) {
        let Some(Value::Array(listed)) = get_ci(members, "schemas") else { return };
        let lists = |urn: &str| listed.iter().filter_map(Value::as_str).any(|l| l.eq_ignore_ascii_case(urn));
        let used =
            schemas.extensions().iter().filter(|schema| key_ci(members, schema.id().as_str()).is_some());
        for schema in std::iter::once(schemas.core()).chain(used) {
            if !lists(schema.id().as_str()) {
                self.add("schemas", ProblemKind::Unlisted(schema.id().to_string()));
            }
        }
    }
}

fn is_canonical(attr: &Attribute, value: &Value) -> bool {
    let same = |known: &String, text: &str| {
        if attr.case_exact { known == text } else { known.eq_ignore_ascii_case(text) }
    };
    match value.as_str() {
        Some(text) if !attr.canonical_values.is_empty() => {
            attr.canonical_values.iter().any(|known| same(known, text))
        }
        _ => true,
    }
}

pub(crate) fn is_primary(value: &Value) -> bool {
    value.as_object().and_then(|o| get_ci(o, "primary")) == Some(&Value::Bool(true))
}

/// `null` and empty arrays are the same as nothing (RFC 7643 §2.5).
pub(crate) fn is_unassigned(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// What a date and time is to look like.
pub(crate) const DATE_TIME: &str = "a date and time such as 2026-11-30T09:30:00Z";

fn fits(kind: AttributeType, value: &Value) -> Result<(), &'static str> {
    let (fits, expected) = match kind {
        AttributeType::String => (value.is_string(), "a text"),
        AttributeType::Reference => (value.is_string(), "a URI as text"),
        AttributeType::Boolean => (value.is_boolean(), "true or false"),
        AttributeType::Integer => (value.is_i64() || value.is_u64(), "a whole number"),
        AttributeType::Decimal => (value.is_number(), "a number"),
        AttributeType::DateTime => (value.as_str().is_some_and(is_date_time), DATE_TIME),
        AttributeType::Binary => (value.as_str().is_some_and(is_base64), "Base64 text"),
        AttributeType::Complex => (value.is_object(), "an object"),
    };
    if fits { Ok(()) } else { Err(expected) }
}

pub(crate) fn is_base64(text: &str) -> bool {
    let data = text.trim_end_matches('=');
    text.len() - data.len() <= 2
        && data.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_'))
}

/// The resource with every known member in its schema's spelling. What no schema knows stays as
/// it is, and so do values.
pub fn canonicalise(resource: &Value, schemas: &SchemaSet) -> Value {
    let Value::Object(members) = resource else { return resource.clone() };
    let rename = |(key, value): (&String, &Value)| match schemas.extension(key) {
        Some(schema) => {
            let inner = |name: &str| schema.attribute(name);
            (schema.id().to_string(), canonical_members(value, &inner))
        }
        None => canonical_member(key, value, &|name| schemas.top_level(name)),
    };
    Value::Object(members.iter().map(rename).collect())
}

/// A value of an attribute with the names of its sub-attributes in the schema's spelling.
pub(crate) fn canonical_value(value: &Value, attr: &Attribute) -> Value {
    match value {
        Value::Array(values) => values.iter().map(|v| canonical_value(v, attr)).collect(),
        _ => canonical_members(value, &|name| attr.sub(name)),
    }
}

type LookUp<'l, 'a> = &'l dyn Fn(&str) -> Option<&'a Attribute>;

fn canonical_members(value: &Value, look_up: LookUp<'_, '_>) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.iter().map(|(k, v)| canonical_member(k, v, look_up)).collect())
        }
        other => other.clone(),
    }
}

fn canonical_member(key: &str, value: &Value, look_up: LookUp<'_, '_>) -> (String, Value) {
    match look_up(key) {
        Some(attr) => (attr.name.to_string(), canonical_value(value, attr)),
        None => (key.to_owned(), value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::{ENTERPRISE_URN, USER_URN};

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "called with json!")]
    fn check(members: Value, expected: &[&str]) {
        let mut user = json!({"schemas": [USER_URN], "userName": "ida"});
        for (key, value) in members.as_object().unwrap() {
            user[key] = value.clone();
        }
        let found = validate(&user, SchemaSet::user()).err().unwrap_or_default();
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn resources_are_checked() {
        check(json!({}), &[]);
        check(json!({"emails": [], "title": null}), &[]);
        check(json!({"userName": ""}), &["userName is required"]);
        check(json!({"userName": null}), &["userName is required"]);
        check(json!({"userName": " \u{3000}"}), &["userName must not be blank"]);
        check(json!({"title": 1}), &["title must be a text"]);
        check(json!({"active": "true"}), &["active must be true or false"]);
        check(json!({"emails": {"value": "a"}}), &["emails must be an array"]);
        check(json!({"emails": ["a"]}), &["emails[0] must be an object"]);
        check(json!({"emails": [{"Value": "a"}]}), &["emails[0].Value is spelled value"]);
        check(json!({"shoe": 1}), &["shoe is not an attribute of the schema"]);
        check(json!({"name": {"nick": "x"}}), &["name.nick is not an attribute of the schema"]);
        check(
            json!({"meta": {"created": "yesterday"}}),
            &["meta.created must be a date and time such as 2026-11-30T09:30:00Z"],
        );
        check(
            json!({"emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}),
            &["emails has more than one primary value"],
        );
        let unlisted = format!("schemas does not list {ENTERPRISE_URN}");
        check(json!({ENTERPRISE_URN: {"department": "Ops"}}), &[&unlisted]);
        let typed = format!("{ENTERPRISE_URN}:department must be a text");
        check(json!({"schemas": [USER_URN, ENTERPRISE_URN], ENTERPRISE_URN: {"department": 4}}), &[&typed]);
    }

    #[test]
    fn suggested_values_bind_where_the_options_say_so() {
        let options = ValidateOptions { canonical_values: true, ..ValidateOptions::default() };
        #[track_caller]
        fn check(kind: &str, options: ValidateOptions, expected: &[&str]) {
            let user = json!({"schemas": [USER_URN], "userName": "ida", "emails": [
                {"type": "WORK", "value": "a"}, {"type": kind, "value": "b"}]});
            let found = validate_with(&user, SchemaSet::user(), options).err().unwrap_or_default();
            assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        }
        check("summer", ValidateOptions::default(), &[]);
        check("home", options, &[]);
        check("summer", options, &["emails[1].type must be one of work, home, other"]);
        // Entitlements have no suggestions, so anything goes.
        let user =
            json!({"schemas": [USER_URN], "userName": "a", "entitlements": [{"type": "x", "value": "y"}]});
        assert_eq!(validate_with(&user, SchemaSet::user(), options), Ok(()));
    }

    #[test]
    fn a_request_may_lack_what_the_server_writes() {
        let schema = json!({"id": "urn:example:thing", "attributes": [
            {"name": "serial", "required": true, "mutability": "readOnly"},
            {"name": "colour", "required": true}]});
        let set = SchemaSet::new(Schema::from_json(&schema).unwrap(), Vec::new());
        let thing = json!({"schemas": ["urn:example:thing"]});
        let places = |options| -> Vec<String> {
            validate_with(&thing, &set, options).unwrap_err().into_iter().map(|p| p.place).collect()
        };
        assert_eq!(places(ValidateOptions::default()), ["serial", "colour"]);
        assert_eq!(
            places(ValidateOptions { without_read_only: true, ..ValidateOptions::default() }),
            ["colour"]
        );
    }

    #[test]
    fn members_get_the_schemas_spelling() {
        let urn = ENTERPRISE_URN.to_uppercase();
        let odd =
            json!({"USERNAME": "ida", "Emails": [{"TYPE": "work"}], urn: {"Department": "Ops"}, "Own": 1});
        let canonical = json!({"userName": "ida", "emails": [{"type": "work"}],
            ENTERPRISE_URN: {"department": "Ops"}, "Own": 1});
        assert_eq!(canonicalise(&odd, SchemaSet::user()), canonical);
    }
}
