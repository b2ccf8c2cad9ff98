//! Checks of resources against their schemas (RFC 7643 §2, §3), and the canonical spelling of their members.
//!
//! `null` and empty arrays are no value at all (RFC 7643 §2.5). `canonicalValues` are suggestions, unless
//! [`ValidateOptions`] enforce them. The rules are those of the [decoder](crate::decode): both read the module `rules`.

mod immutable;

pub use crate::rules::{Problem, ProblemKind, ResourceForm};
pub use immutable::check_immutable;
pub(crate) use immutable::immutable_change;

use serde_json::{Map, Value};

use crate::dialect::{DialectUse, Dialects};
use crate::json::get_ci;
use crate::rules;
use crate::rules::{ListedSchemas, SchemaUrns};
use crate::schema::{Attribute, SchemaSet};

/// The strictness of [`validate_with`]; the default is that of [`validate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ValidateOptions {
    /// Whether a value must be one of the `canonicalValues`, where an attribute has any.
    pub canonical_values: bool,
    /// Whether the resource is one that a server stores, or one that a client sends.
    pub form: ResourceForm,
}

/// Checks a stored resource against its schemas: types, required attributes and extensions, unknown and repeated
/// attributes, spelling, a single primary value, `schemas`.
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
    let mut validation = Validation { problems: Vec::new(), options };
    match resource {
        Value::Object(members) => validation.resource(members, schemas),
        _ => validation.add("the resource", ProblemKind::Type("an object")),
    }
    validation.finish()
}

/// Checks all values of an attribute; `place` is the attribute in messages. Returns whether there is a value.
pub(crate) fn check_attribute(
    attribute: &Attribute,
    value: &Value,
    place: &str,
    options: ValidateOptions,
) -> Result<bool, Vec<Problem>> {
    let mut validation = Validation { problems: Vec::new(), options };
    let has_value = validation.attribute(place, value, attribute);
    validation.finish().map(|()| has_value)
}

/// Checks one of the values of a multi-valued attribute.
pub(crate) fn check_single(attribute: &Attribute, value: &Value, place: &str) -> Result<(), Vec<Problem>> {
    let mut validation = Validation { problems: Vec::new(), options: ValidateOptions::default() };
    validation.single(place, value, attribute);
    validation.finish()
}

/// A walk over a resource. Its functions return whether their argument has a value without a problem.
struct Validation {
    problems: Vec<Problem>,
    options: ValidateOptions,
}

impl Validation {
    fn finish(self) -> Result<(), Vec<Problem>> {
        if self.problems.is_empty() { Ok(()) } else { Err(self.problems) }
    }

    fn add(&mut self, place: impl Into<String>, kind: ProblemKind) {
        self.problems.push(Problem { place: place.into(), kind });
    }

    fn check(&mut self, place: &str, checked: Result<(), ProblemKind>) -> bool {
        checked.map_err(|kind| self.add(place, kind)).is_ok()
    }

    fn resource(&mut self, members: &Map<String, Value>, schemas: &SchemaSet) {
        let urns = SchemaUrns::new(schemas);
        let mut dialect_use = DialectUse::new(Dialects::none());
        let mut listed = ListedSchemas::default();
        let (mut given, mut used) = (Vec::new(), Vec::new());
        for (key, value) in members {
            let attribute = schemas.top_level(key);
            if let Some(at) = urns.extension(key) {
                self.extension(key, value, schemas, (at, &mut used));
            } else if attribute.is_some_and(|attribute| attribute.name == *"schemas") {
                // Its own rules take the place of those of its type.
                if self.member_name("", key, attribute, &mut given).is_some() {
                    self.schemas(value, &urns, &mut listed, &mut dialect_use);
                }
            } else {
                self.member("", key, value, attribute, &mut given);
            }
        }
        let attributes = schemas.common().iter().chain(schemas.core().attributes());
        self.required("", attributes.filter(|attribute| attribute.name != *"schemas"), &given);
        let required = |urn: &str| schemas.required_extensions().any(|schema| schema.id().as_str() == urn);
        for (at, schema) in schemas.extensions().iter().enumerate() {
            if required(schema.id().as_str()) && !used.contains(&at) {
                self.add(schema.id().as_str(), ProblemKind::Missing);
            }
        }
        for kind in listed.finish(&used, &urns, &mut dialect_use) {
            self.add("schemas", kind);
        }
    }

    fn schemas(
        &mut self,
        value: &Value,
        urns: &SchemaUrns,
        listed: &mut ListedSchemas,
        dialect_use: &mut DialectUse,
    ) {
        match value {
            Value::Null => {}
            Value::Array(values) => {
                for value in values {
                    let problems = match value {
                        Value::String(urn) => listed.add(urn, urns, true, dialect_use),
                        _ => vec![ListedSchemas::not_a_text()],
                    };
                    for kind in problems {
                        self.add("schemas", kind);
                    }
                }
            }
            _ => self.add("schemas", listed.not_an_array()),
        }
    }

    fn extension(
        &mut self,
        key: &str,
        value: &Value,
        schemas: &SchemaSet,
        (at, used): (usize, &mut Vec<usize>),
    ) {
        let schema = &schemas.extensions()[at];
        let urn = schema.id().as_str();
        self.spelling(key, key, urn);
        if used.contains(&at) {
            return self.add(urn, ProblemKind::Repeated);
        }
        let before = self.problems.len();
        let has_value = match value {
            Value::Null => false,
            Value::Object(members) => {
                self.object(&format!("{urn}:"), members, schema.attributes(), |key| schema.attribute(key))
            }
            other => self.check(urn, rules::check_extension(other.into())),
        };
        if has_value || self.problems.len() > before {
            used.push(at);
        }
    }

    fn object<'a>(
        &mut self,
        prefix: &str,
        members: &Map<String, Value>,
        attributes: &'a [Attribute],
        look_up: impl Fn(&str) -> Option<&'a Attribute>,
    ) -> bool {
        let mut given = Vec::new();
        let mut has_value = self.options.form == ResourceForm::Stored;
        for (key, value) in members {
            has_value |= self.member(prefix, key, value, look_up(key), &mut given);
        }
        if has_value {
            self.required(prefix, attributes.iter(), &given);
        }
        has_value
    }

    /// Checks the name of a member, and adds its attribute to the given ones.
    fn member_name<'a>(
        &mut self,
        prefix: &str,
        key: &str,
        attribute: Option<&'a Attribute>,
        given: &mut Vec<&'a Attribute>,
    ) -> Option<&'a Attribute> {
        let Some(attribute) = attribute else {
            self.add(format!("{prefix}{key}"), ProblemKind::Unknown);
            return None;
        };
        self.spelling(&format!("{prefix}{key}"), key, attribute.name.as_str());
        if given.iter().any(|other| std::ptr::eq(*other, attribute)) {
            self.add(format!("{prefix}{}", attribute.name), ProblemKind::Repeated);
            return None;
        }
        given.push(attribute);
        Some(attribute)
    }

    fn spelling(&mut self, place: &str, found: &str, canonical: &str) {
        if self.options.form == ResourceForm::Stored && found != canonical {
            self.add(place, ProblemKind::Spelling(canonical.to_owned()));
        }
    }

    fn member<'a>(
        &mut self,
        prefix: &str,
        key: &str,
        value: &Value,
        attribute: Option<&'a Attribute>,
        given: &mut Vec<&'a Attribute>,
    ) -> bool {
        let Some(attribute) = self.member_name(prefix, key, attribute, given) else { return false };
        if rules::is_ignored(attribute, self.options.form) {
            return false;
        }
        let before = self.problems.len();
        let has_value = self.attribute(&format!("{prefix}{}", attribute.name), value, attribute);
        if !has_value && self.problems.len() == before {
            given.pop();
        }
        has_value
    }

    fn attribute(&mut self, place: &str, value: &Value, attribute: &Attribute) -> bool {
        let form = self.options.form;
        match value {
            Value::Null => false,
            Value::Array(values) if attribute.multi_valued => {
                let (mut has_value, mut primary_values) = (false, 0);
                for (at, value) in values.iter().enumerate() {
                    if form == ResourceForm::Stored || !value.is_null() {
                        has_value |= self.single(&format!("{place}[{at}]"), value, attribute);
                        let marks =
                            |sub: &Attribute| rules::marks_primary(sub) && !rules::is_ignored(sub, form);
                        let counts = attribute.sub("primary").is_some_and(marks) && is_primary(value);
                        primary_values += usize::from(counts);
                    }
                }
                self.check(place, rules::check_primary(primary_values));
                has_value
            }
            other => {
                self.check(place, rules::check_shape(attribute, other.into()))
                    && self.single(place, value, attribute)
            }
        }
    }

    fn single(&mut self, place: &str, value: &Value, attribute: &Attribute) -> bool {
        if let (true, Value::Object(members)) = (attribute.is_complex(), value) {
            return self
                .object(&format!("{place}."), members, &attribute.sub_attributes, |key| attribute.sub(key));
        }
        self.check(place, rules::check_value(attribute, value.into(), self.options.canonical_values))
    }

    fn required<'a>(
        &mut self,
        prefix: &str,
        attributes: impl Iterator<Item = &'a Attribute>,
        given: &[&Attribute],
    ) {
        for attribute in attributes.filter(|attribute| rules::is_required(attribute, self.options.form)) {
            if !given.iter().any(|given| std::ptr::eq(*given, attribute)) {
                self.problems.push(Problem {
                    place: format!("{prefix}{}", attribute.name),
                    kind: ProblemKind::Missing,
                });
            }
        }
    }
}

pub(crate) fn is_primary(value: &Value) -> bool {
    value.as_object().and_then(|o| get_ci(o, "primary")) == Some(&Value::Bool(true))
}

/// Returns the resource with every known member in the spelling of its schema. Unknown members and values are
/// unchanged.
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

/// Returns a value of an attribute with its sub-attributes in the spelling of the schema.
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
    use crate::schema::{ENTERPRISE_URN, Schema, USER_URN};

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
    fn invalid_resource_names_the_problem() {
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
    fn canonical_values_are_checked_if_enforced() {
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
        // Entitlements have no suggested values, so every text is valid.
        let user =
            json!({"schemas": [USER_URN], "userName": "a", "entitlements": [{"type": "x", "value": "y"}]});
        assert_eq!(validate_with(&user, SchemaSet::user(), options), Ok(()));
    }

    #[test]
    fn request_without_read_only_attribute_is_valid() {
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
            places(ValidateOptions { form: ResourceForm::Request, ..ValidateOptions::default() }),
            ["colour"]
        );
    }

    #[test]
    fn canonicalise_renames_known_members() {
        let urn = ENTERPRISE_URN.to_uppercase();
        let odd =
            json!({"USERNAME": "ida", "Emails": [{"TYPE": "work"}], urn: {"Department": "Ops"}, "Own": 1});
        let canonical = json!({"userName": "ida", "emails": [{"type": "work"}],
            ENTERPRISE_URN: {"department": "Ops"}, "Own": 1});
        assert_eq!(canonicalise(&odd, SchemaSet::user()), canonical);
    }
}
