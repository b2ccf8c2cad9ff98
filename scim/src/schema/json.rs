//! Schema documents: the JSON form of RFC 7643 §7.

use serde_json::{Map, Value, json};

use super::{Attribute, AttributeType, Keyword, Mutability, Returned, SCHEMA_URN, Schema, Uniqueness};
use crate::json::get_ci;
use crate::name::{AttrName, Urn};

/// A document that is not a schema or not a resource type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {document}: {}{problem}", prefix(place))]
pub struct SchemaError {
    document: &'static str,
    /// The place of the object, or an empty text for the document.
    place: String,
    problem: String,
    unknown: Option<UnknownWord>,
}

/// A member or a keyword that the standard does not define.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownWord {
    /// The word in the document.
    pub written: String,
    /// The defined words.
    pub known: &'static [&'static str],
    /// The meaning of the word.
    pub role: WordRole,
}

/// The meaning of a word in a schema document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordRole {
    /// It is the name of a member.
    MemberName,
    /// It is the value of a characteristic, such as `mutability`.
    Keyword,
}

/// Returns a place as it precedes a problem.
fn prefix(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!("{place}: ") }
}

impl SchemaError {
    /// Returns the unknown word, if that is the error.
    pub fn unknown(&self) -> Option<&UnknownWord> {
        self.unknown.as_ref()
    }
}

/// The members of a schema document (RFC 7643 §7).
const SCHEMA_MEMBERS: &[&str] = &["schemas", "id", "name", "description", "attributes", "meta"];
/// The members of the definition of an attribute (RFC 7643 §7).
const ATTRIBUTE_MEMBERS: &[&str] = &[
    "name",
    "type",
    "subAttributes",
    "multiValued",
    "description",
    "required",
    "canonicalValues",
    "caseExact",
    "mutability",
    "returned",
    "uniqueness",
    "referenceTypes",
];

impl Schema {
    /// Returns the schema document without `meta`.
    pub fn to_json(&self) -> Value {
        json!({
            "schemas": [SCHEMA_URN],
            "id": self.id().as_str(),
            "name": self.name(),
            "description": self.description(),
            "attributes": self.attributes().iter().map(Attribute::to_json).collect::<Vec<_>>(),
        })
    }

    /// Reads a schema document. Missing characteristics have the defaults of RFC 7643 §2.2.
    ///
    /// # Errors
    /// The first member that is unknown, missing, of the wrong type, or has an unknown keyword.
    pub fn from_json(document: &Value) -> Result<Self, SchemaError> {
        let reader = Reader::new(document, "schema document", "")?;
        reader.refuse_others(SCHEMA_MEMBERS)?;
        let id = reader.urn("id")?;
        Ok(Self::new(
            id,
            reader.text("name")?.unwrap_or_default(),
            reader.text("description")?.unwrap_or_default(),
            reader.attributes("", "attributes")?,
        ))
    }
}

impl Attribute {
    /// Returns the definition of the attribute in a schema document.
    pub fn to_json(&self) -> Value {
        let mut out = json!({
            "name": self.name.as_str(),
            "type": self.kind.as_str(),
            "multiValued": self.multi_valued,
            "description": self.description,
            "required": self.required,
            "caseExact": self.case_exact,
            "mutability": self.mutability.as_str(),
            "returned": self.returned.as_str(),
            "uniqueness": self.uniqueness.as_str(),
        });
        if let Value::Object(members) = &mut out {
            let mut lists = Map::new();
            lists.insert("canonicalValues".to_owned(), self.canonical_values.clone().into());
            lists.insert("referenceTypes".to_owned(), self.reference_types.clone().into());
            let subs: Vec<Value> = self.sub_attributes.iter().map(Self::to_json).collect();
            lists.insert("subAttributes".to_owned(), subs.into());
            lists.retain(|_, list| list.as_array().is_some_and(|l| !l.is_empty()));
            members.append(&mut lists);
        }
        out
    }
}

/// A reader of the members of one object. Its errors name the place of the object.
pub(super) struct Reader<'a> {
    members: &'a Map<String, Value>,
    document: &'static str,
    place: String,
    /// The full name of the defined attribute: `name.familyName`.
    attribute: String,
}

impl<'a> Reader<'a> {
    pub(super) fn new(value: &'a Value, document: &'static str, place: &str) -> Result<Self, SchemaError> {
        let place = place.to_owned();
        match value {
            Value::Object(members) => Ok(Self { members, document, place, attribute: String::new() }),
            _ => {
                Err(SchemaError { document, place, problem: "expected an object".to_owned(), unknown: None })
            }
        }
    }

    pub(super) fn error(&self, problem: impl Into<String>) -> SchemaError {
        let (document, place) = (self.document, self.place.clone());
        SchemaError { document, place, problem: problem.into(), unknown: None }
    }

    fn unknown(&self, word: UnknownWord, problem: String) -> SchemaError {
        SchemaError { unknown: Some(word), ..self.error(problem) }
    }

    /// Refuses other members: a misspelt one would have no effect.
    pub(super) fn refuse_others(&self, known: &'static [&'static str]) -> Result<(), SchemaError> {
        let is_known = |written: &str| known.iter().any(|name| name.eq_ignore_ascii_case(written));
        match self.members.keys().find(|written| !is_known(written)) {
            None => Ok(()),
            Some(written) => {
                let word = UnknownWord { written: written.clone(), known, role: WordRole::MemberName };
                Err(self.unknown(word, format!("unknown member `{written}`")))
            }
        }
    }

    /// Reads a required text.
    pub(super) fn required_text(&self, name: &str) -> Result<&'a str, SchemaError> {
        self.text(name)?.ok_or_else(|| self.error(format!("`{name}` is missing")))
    }

    /// Reads a required URN.
    pub(super) fn urn(&self, name: &str) -> Result<Urn, SchemaError> {
        self.required_text(name)?.parse().map_err(|e| self.error(format!("`{name}`: {e}")))
    }

    /// Returns a reader for each object of an array.
    pub(super) fn objects(&self, name: &str) -> Result<Vec<Self>, SchemaError> {
        let list = self.member(name, "an array", Value::as_array)?;
        let read = |(i, value)| Self::new(value, self.document, &format!("{name}[{i}]"));
        list.into_iter().flatten().enumerate().map(read).collect()
    }

    fn member<T>(
        &self,
        name: &str,
        kind: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, SchemaError> {
        match get_ci(self.members, name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                read(value).map(Some).ok_or_else(|| self.error(format!("`{name}` must be {kind}")))
            }
        }
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, SchemaError> {
        self.member(name, "a text", Value::as_str)
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, SchemaError> {
        Ok(self.member(name, "a boolean", Value::as_bool)?.unwrap_or(false))
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, SchemaError> {
        let all = |value: &Value| {
            value.as_array()?.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        };
        Ok(self.member(name, "an array of texts", all)?.unwrap_or_default())
    }

    fn keyword<T: Keyword>(&self, name: &str, default: T) -> Result<T, SchemaError> {
        match self.text(name)? {
            None => Ok(default),
            Some(word) => T::from_keyword(word).ok_or_else(|| {
                let unknown =
                    UnknownWord { written: word.to_owned(), known: T::WORDS, role: WordRole::Keyword };
                self.unknown(unknown, format!("`{name}` cannot be {word:?}"))
            }),
        }
    }

    /// Reads an array of definitions; `path` is the prefix of their places.
    fn attributes(&self, path: &str, name: &str) -> Result<Vec<Attribute>, SchemaError> {
        let list = self.member(name, "an array", Value::as_array)?;
        let mut found: Vec<Attribute> = Vec::new();
        for (at, value) in list.into_iter().flatten().enumerate() {
            let attribute = self.attribute(value, &format!("{path}{name}[{at}]"))?;
            if found.iter().any(|other| other.name == attribute.name) {
                return Err(self.error(format!("attribute {} is defined twice", attribute.name)));
            }
            found.push(attribute);
        }
        Ok(found)
    }

    fn attribute(&self, value: &Value, path: &str) -> Result<Attribute, SchemaError> {
        let mut reader = Reader::new(value, self.document, path)?;
        let written = reader.text("name")?.unwrap_or_default();
        if !written.is_empty() {
            let around = if self.attribute.is_empty() { "" } else { "." };
            reader.attribute = format!("{}{around}{written}", self.attribute);
            reader.place = format!("attribute {} ({path})", reader.attribute);
        }
        reader.refuse_others(ATTRIBUTE_MEMBERS)?;
        let name: AttrName =
            reader.required_text("name")?.parse().map_err(|e| reader.error(format!("`name`: {e}")))?;
        Ok(Attribute {
            name,
            kind: reader.keyword("type", AttributeType::String)?,
            multi_valued: reader.flag("multiValued")?,
            description: reader.text("description")?.unwrap_or_default().to_owned(),
            required: reader.flag("required")?,
            canonical_values: reader.texts("canonicalValues")?,
            case_exact: reader.flag("caseExact")?,
            mutability: reader.keyword("mutability", Mutability::ReadWrite)?,
            returned: reader.keyword("returned", Returned::Default)?,
            uniqueness: reader.keyword("uniqueness", Uniqueness::None)?,
            reference_types: reader.texts("referenceTypes")?,
            sub_attributes: reader.attributes(&format!("{path}."), "subAttributes")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::SchemaSet;

    #[test]
    fn documents_round_trip() {
        let sets = [
            SchemaSet::user(),
            SchemaSet::group(),
            SchemaSet::service_provider_config(),
            SchemaSet::resource_type(),
            SchemaSet::schema_documents(),
        ];
        for schema in sets.iter().flat_map(|set| set.schemas()) {
            assert_eq!(Schema::from_json(&schema.to_json()).as_ref(), Ok(schema));
        }
    }

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "called with json!")]
    fn refuse(document: Value, message: &str) {
        assert_eq!(Schema::from_json(&document).unwrap_err().to_string(), message);
    }

    #[test]
    fn invalid_schema_document_is_refused() {
        refuse(json!([]), "invalid schema document: expected an object");
        refuse(json!({}), "invalid schema document: `id` is missing");
        let with = |attribute: Value| json!({"id": "urn:example:thing", "attributes": [attribute]});
        refuse(with(json!({})), "invalid schema document: attributes[0]: `name` is missing");
        refuse(with(json!(4)), "invalid schema document: attributes[0]: expected an object");
        refuse(
            with(json!({"name": "x", "type": "text"})),
            "invalid schema document: attribute x (attributes[0]): `type` cannot be \"text\"",
        );
        refuse(
            with(json!({"name": "x", "required": "no"})),
            "invalid schema document: attribute x (attributes[0]): `required` must be a boolean",
        );
        refuse(
            with(json!({"name": "x", "subAttributes": [{"name": "y", "returned": "maybe"}]})),
            "invalid schema document: attribute x.y (attributes[0].subAttributes[0]): `returned` cannot be \"maybe\"",
        );
        refuse(
            json!({"id": "urn:example:thing", "attributes": [{"name": "x"}, {"name": "X"}]}),
            "invalid schema document: attribute X is defined twice",
        );
    }

    #[test]
    fn unknown_member_is_refused_at_every_level() {
        #[track_caller]
        #[expect(clippy::needless_pass_by_value, reason = "called with json!")]
        fn check(document: Value, place: &str, written: &str, known: &[&str]) {
            let error = Schema::from_json(&document).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("invalid schema document: {place}unknown member `{written}`")
            );
            let unknown = error.unknown().unwrap();
            assert_eq!((unknown.written.as_str(), unknown.known), (written, known));
        }
        check(json!({"id": "urn:example:thing", "atributes": []}), "", "atributes", SCHEMA_MEMBERS);
        let with = |attributes: Value| json!({"id": "urn:example:thing", "attributes": attributes});
        let typo = json!({"name": "x", "mutabilty": "readOnly"});
        let place = "attribute x (attributes[1]): ";
        check(with(json!([{"name": "a"}, typo])), place, "mutabilty", ATTRIBUTE_MEMBERS);
        let nested = with(json!([{"name": "a", "subAttributes": [typo]}]));
        let place = "attribute a.x (attributes[0].subAttributes[0]): ";
        check(nested, place, "mutabilty", ATTRIBUTE_MEMBERS);
        check(with(json!([{"nme": "x"}])), "attributes[0]: ", "nme", ATTRIBUTE_MEMBERS);
        let unknown = Schema::from_json(&with(json!([{"name": "x", "mutability": "readonly"}]))).unwrap_err();
        assert_eq!(unknown.unknown().unwrap().known, Mutability::WORDS);
    }

    #[test]
    fn standard_members_are_accepted_in_any_case() {
        let document = json!({"schemas": [SCHEMA_URN], "id": "urn:example:thing", "Name": "n", "description": "d",
            "meta": {"location": "/x"}, "Attributes": [{"NAME": "x", "type": "complex", "multivalued": true,
            "subAttributes": [{"name": "y", "type": "reference", "referenceTypes": ["User"], "caseExact": true,
            "canonicalValues": ["a"], "mutability": "immutable", "returned": "always", "uniqueness": "server",
            "required": true, "description": "d"}]}]});
        assert!(Schema::from_json(&document).unwrap().attributes()[0].multi_valued);
    }
}
