//! The attributes that sequences write, taken from the subject's schemas, or from RFC 7643 §4.1 and §4.3 if it has none.

use serde_json::{Value, json};

use crate::json::{get, is_absent, same};
use crate::server::discovery::{Facts, ResourceType};

/// An attribute that sequences write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attribute {
    /// The URN of its extension; `None` for an attribute of the core schema.
    pub(crate) extension: Option<String>,
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) is_case_exact: bool,
}

/// The shape of an attribute's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One simple value.
    Single(Kind),
    /// One complex value.
    Complex(Vec<Part>),
    /// Complex values.
    Many(Vec<Part>),
}

/// A sub-attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) is_case_exact: bool,
}

/// The kind of a simple value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// One of these texts: canonical values, or values of a form that servers check.
    Choice(Vec<String>),
    Boolean,
    Integer,
    Decimal,
    DateTime,
    /// The address of a web page.
    Uri,
    Email,
    /// RFC 3966.
    Phone,
}

/// The name of the sub-attribute that at most one value may have as true (RFC 7643 §2.4).
pub(crate) const PRIMARY: &str = "primary";

impl Attribute {
    /// Returns the path of the attribute in a PATCH or a filter.
    pub(crate) fn path(&self) -> String {
        match &self.extension {
            Some(urn) => format!("{urn}:{}", self.name),
            None => self.name.clone(),
        }
    }

    /// Returns the JSON pointer of the attribute in a resource.
    pub(crate) fn pointer(&self) -> String {
        match &self.extension {
            Some(urn) => format!("/{}/{}", urn.replace('~', "~0").replace('/', "~1"), self.name),
            None => format!("/{}", self.name),
        }
    }

    /// Returns the value of the attribute in a resource.
    pub(crate) fn value_in<'a>(&self, resource: &'a Value) -> Option<&'a Value> {
        let holder = match &self.extension {
            Some(urn) => get(resource, urn)?,
            None => resource,
        };
        get(holder, &self.name).filter(|value| !is_absent(Some(value)))
    }

    /// Sets the attribute in a resource; names the extension among the schemas.
    pub(crate) fn set_in(&self, resource: &mut Value, value: Value) {
        match &self.extension {
            Some(urn) => {
                resource[urn.as_str()][self.name.as_str()] = value;
                if let Some(schemas) = resource.get_mut("schemas").and_then(Value::as_array_mut)
                    && !schemas.iter().any(|known| known.as_str() == Some(urn))
                {
                    schemas.push(json!(urn));
                }
            }
            None => resource[self.name.as_str()] = value,
        }
    }

    /// Removes the attribute from a resource.
    pub(crate) fn remove_in(&self, resource: &mut Value) {
        let holder = match &self.extension {
            Some(urn) => resource.get_mut(urn.as_str()),
            None => Some(resource),
        };
        if let Some(Value::Object(members)) = holder {
            members.retain(|name, _| !name.eq_ignore_ascii_case(&self.name));
        }
    }

    /// Returns the sub-attributes.
    pub(crate) fn parts(&self) -> &[Part] {
        match &self.shape {
            Shape::Single(_) => &[],
            Shape::Complex(parts) | Shape::Many(parts) => parts,
        }
    }

    /// Whether the attribute has several values.
    pub(crate) fn is_many(&self) -> bool {
        matches!(self.shape, Shape::Many(_))
    }

    /// Whether a resource has the value that is expected of the attribute. Sub-attributes that sequences do not write are the
    /// server's business.
    pub(crate) fn holds(&self, expected: Option<&Value>, actual: Option<&Value>) -> bool {
        match (&self.shape, expected, actual) {
            (Shape::Single(_), expected, actual) => {
                same(expected.unwrap_or(&Value::Null), actual.unwrap_or(&Value::Null))
            }
            (Shape::Complex(parts), expected, actual) => {
                same_parts(parts, expected.unwrap_or(&Value::Null), actual.unwrap_or(&Value::Null))
            }
            (Shape::Many(parts), expected, actual) => {
                let (expected, mut actual) = (elements(expected), elements(actual));
                expected.len() == actual.len()
                    && expected.iter().all(|wanted| {
                        let found = actual.iter().position(|known| same_parts(parts, wanted, known));
                        found.map(|at| actual.swap_remove(at)).is_some()
                    })
            }
        }
    }
}

fn elements(value: Option<&Value>) -> Vec<&Value> {
    value.and_then(Value::as_array).into_iter().flatten().collect()
}

/// Whether two complex values agree in the parts that sequences write. A missing `primary` is false (RFC 7643 §2.4).
fn same_parts(parts: &[Part], expected: &Value, actual: &Value) -> bool {
    parts.iter().all(|part| {
        let of = |value| {
            let value = get(value, &part.name).filter(|value| !is_absent(Some(value)));
            value.filter(|value| part.name != PRIMARY || **value == json!(true)).unwrap_or(&Value::Null)
        };
        same(of(expected), of(actual))
    })
}

/// Attributes that sequences treat by themselves, or that servers make.
const APART: [&str; 9] =
    ["id", "schemas", "meta", "userName", "password", "groups", "members", "externalId", "x509Certificates"];

/// Returns the attributes of a resource type that clients may write and read back.
pub(crate) fn of_type(facts: &Facts, known: &ResourceType) -> Vec<Attribute> {
    let core = facts.schemas.get(&known.schema.to_ascii_lowercase());
    let is_group = known.name.eq_ignore_ascii_case("Group");
    let mut attributes = Vec::new();
    match core {
        Some(schema) => attributes.extend(of_schema(schema, None)),
        None if is_group => {}
        None => attributes.extend(usual()),
    }
    for (urn, _) in &known.extensions {
        if let Some(schema) = facts.schemas.get(&urn.to_ascii_lowercase()) {
            attributes.extend(of_schema(schema, Some(urn)));
        }
    }
    // The name by which a group is found.
    attributes.retain(|attribute| !(is_group && attribute.name.eq_ignore_ascii_case("displayName")));
    attributes
}

fn of_schema(schema: &Value, extension: Option<&String>) -> Vec<Attribute> {
    let all = get(schema, "attributes").and_then(Value::as_array);
    all.into_iter().flatten().filter_map(|known| attribute(known, extension)).collect()
}

fn attribute(known: &Value, extension: Option<&String>) -> Option<Attribute> {
    let name = get(known, "name")?.as_str()?;
    let is_apart = extension.is_none() && APART.iter().any(|apart| apart.eq_ignore_ascii_case(name));
    // The id of another resource cannot be made up.
    if is_apart || !is_plain(known) || name.eq_ignore_ascii_case("manager") {
        return None;
    }
    let is_many = get(known, "multiValued").and_then(Value::as_bool).unwrap_or(false);
    let is_complex = get(known, "type").and_then(Value::as_str) == Some("complex");
    let shape = if is_complex {
        let parts = get(known, "subAttributes").and_then(Value::as_array);
        let parts: Vec<Part> = parts
            .into_iter()
            .flatten()
            .filter(|part| is_plain(part))
            .filter_map(|part| {
                let part_name = get(part, "name")?.as_str()?;
                // `formatted` and `display` are made of the others by many servers.
                let is_made = part_name == "$ref" || matches!(part_name, "formatted" | "display");
                (!is_made).then_some(())?;
                Some(Part {
                    name: part_name.to_owned(),
                    kind: kind(part, name)?,
                    is_case_exact: is_case_exact(part),
                })
            })
            .collect();
        if parts.is_empty()
            || (is_many && !parts.iter().any(|part| part.name == "value" || part.kind == Kind::Text))
        {
            return None;
        }
        if is_many { Shape::Many(parts) } else { Shape::Complex(parts) }
    } else if is_many {
        return None;
    } else {
        Shape::Single(kind(known, name)?)
    };
    let is_case_exact = is_case_exact(known);
    Some(Attribute { extension: extension.cloned(), name: name.to_owned(), shape, is_case_exact })
}

/// References are case exact by their nature (RFC 7643 §2.3.7).
fn is_case_exact(known: &Value) -> bool {
    let is_reference = get(known, "type").and_then(Value::as_str) == Some("reference");
    is_reference || get(known, "caseExact").and_then(Value::as_bool).unwrap_or(false)
}

/// Whether clients may write the attribute as often as they like, and always see it.
fn is_plain(known: &Value) -> bool {
    let text =
        |name, usual: &'static str| get(known, name).and_then(Value::as_str).unwrap_or(usual).to_owned();
    text("mutability", "readWrite") == "readWrite"
        && matches!(text("returned", "default").as_str(), "default" | "always")
        && text("uniqueness", "none") == "none"
}

fn kind(known: &Value, holder: &str) -> Option<Kind> {
    let name = get(known, "name")?.as_str()?;
    let choice = |texts: &[&str]| Kind::Choice(texts.iter().map(|text| (*text).to_owned()).collect());
    let canonical: Vec<String> = get(known, "canonicalValues")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|value| value.as_str().map(ToOwned::to_owned))
        .collect();
    if !canonical.is_empty() {
        return Some(Kind::Choice(canonical));
    }
    Some(match get(known, "type").and_then(Value::as_str).unwrap_or("string") {
        "boolean" => Kind::Boolean,
        "integer" => Kind::Integer,
        "decimal" => Kind::Decimal,
        "dateTime" => Kind::DateTime,
        "reference" => Kind::Uri,
        "string" => match (holder, name) {
            ("emails", "value") => Kind::Email,
            ("phoneNumbers", "value") => Kind::Phone,
            ("photos", "value") => Kind::Uri,
            ("addresses", "country") => choice(&["NO", "PT", "JP"]),
            (_, "type") => choice(&["work", "home", "other"]),
            (_, "preferredLanguage") => choice(&["nb", "pt-PT", "ja"]),
            (_, "locale") => choice(&["nb-NO", "pt-PT", "ja-JP"]),
            (_, "timezone") => choice(&["Europe/Oslo", "Europe/Lisbon", "Asia/Tokyo"]),
            (_, "profileUrl") => Kind::Uri,
            _ => Kind::Text,
        },
        _ => return None,
    })
}

/// Returns the attributes of RFC 7643 §4.1 that most servers have, for a subject without schemas.
fn usual() -> Vec<Attribute> {
    let string = |name: &str| json!({ "name": name, "type": "string" });
    let known = json!({ "attributes": [
        string("displayName"), string("nickName"), string("title"), string("userType"),
        { "name": "active", "type": "boolean" },
        { "name": "name", "type": "complex", "subAttributes": [string("givenName"), string("familyName")] },
        { "name": "emails", "type": "complex", "multiValued": true, "subAttributes": [
            string("value"), string("type"), { "name": PRIMARY, "type": "boolean" },
        ] },
        { "name": "phoneNumbers", "type": "complex", "multiValued": true, "subAttributes": [string("value"), string("type")] },
    ] });
    of_schema(&known, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_those_that_clients_write_and_read() {
        let urn = "urn:example:Staff".to_owned();
        let schema = json!({ "attributes": [
            { "name": "badge", "type": "string", "caseExact": true },
            { "name": "serial", "type": "string", "mutability": "readOnly" },
            { "name": "once", "type": "string", "mutability": "immutable" },
            { "name": "hidden", "type": "string", "returned": "never" },
            { "name": "grade", "type": "string", "canonicalValues": ["a", "b"] },
            { "name": "desk", "type": "complex", "subAttributes": [{ "name": "floor", "type": "integer" }, { "name": "$ref", "type": "reference" }] },
        ] });
        let found = of_schema(&schema, Some(&urn));
        let names: Vec<_> = found.iter().map(Attribute::path).collect();
        assert_eq!(names, ["urn:example:Staff:badge", "urn:example:Staff:grade", "urn:example:Staff:desk"]);
        assert_eq!(found[1].shape, Shape::Single(Kind::Choice(vec!["a".to_owned(), "b".to_owned()])));
        assert_eq!(found[2].parts().len(), 1);
        assert!(found[0].is_case_exact);
    }

    #[test]
    fn values_are_compared_in_the_parts_that_are_written() {
        let emails = usual().into_iter().find(|known| known.name == "emails").expect("emails");
        let wanted =
            json!([{ "value": "a@b.example", "type": "work" }, { "value": "c@d.example", "primary": true }]);
        let holds = |actual: &Value| emails.holds(Some(&wanted), Some(actual));
        assert!(holds(&json!([
            { "value": "c@d.example", "primary": true, "display": "c" },
            { "value": "a@b.example", "type": "work", "primary": false },
        ])));
        assert!(!holds(&json!([{ "value": "c@d.example", "primary": true }])));
        assert!(!holds(&json!([{ "value": "c@d.example" }, { "value": "a@b.example", "type": "work" }])));
        assert!(emails.holds(None, Some(&json!([]))));
    }

    #[test]
    fn values_are_set_and_found_in_extensions() {
        let badge = Attribute {
            extension: Some("urn:example:Staff".to_owned()),
            name: "badge".to_owned(),
            shape: Shape::Single(Kind::Text),
            is_case_exact: false,
        };
        let mut body = json!({ "schemas": ["urn:x"] });
        badge.set_in(&mut body, json!("7"));
        assert_eq!(
            body,
            json!({ "schemas": ["urn:x", "urn:example:Staff"], "urn:example:Staff": { "badge": "7" } })
        );
        assert_eq!(badge.value_in(&body), Some(&json!("7")));
        badge.remove_in(&mut body);
        assert_eq!(badge.value_in(&body), None);
    }
}
