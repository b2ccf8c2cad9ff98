//! Schema documents: the JSON form of RFC 7643 §7, written and read.

use serde_json::{Map, Value, json};

use super::{Attribute, AttributeType, Mutability, Returned, SCHEMA_URN, Schema, Uniqueness};
use crate::{
    name::{AttrName, Urn},
    path::get_ci,
};

/// Why a document is not a schema, or not a resource type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{document}, {place}: {problem}")]
pub struct SchemaError {
    document: &'static str,
    place: String,
    problem: String,
}

impl Schema {
    /// The schema as `/Schemas` shows it, without `meta`.
    pub fn to_json(&self) -> Value {
        json!({
            "schemas": [SCHEMA_URN],
            "id": self.id().as_str(),
            "name": self.name(),
            "description": self.description(),
            "attributes": self.attributes().iter().map(Attribute::to_json).collect::<Vec<_>>(),
        })
    }

    /// Reads a schema document. Characteristics that it leaves out have the defaults of
    /// RFC 7643 §2.2.
    ///
    /// # Errors
    /// The first member that is missing or has the wrong type or an unknown keyword.
    pub fn from_json(document: &Value) -> Result<Self, SchemaError> {
        let reader = Reader::new(document, "schema document", "the document")?;
        let id = reader.urn("id")?;
        Ok(Self::new(
            id,
            reader.text("name")?.unwrap_or_default(),
            reader.text("description")?.unwrap_or_default(),
            reader.attributes("attributes")?,
        ))
    }
}

impl Attribute {
    /// The attribute's definition in a schema document.
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

/// Reads members of one object, and says where it is when one does not fit.
pub(super) struct Reader<'a> {
    members: &'a Map<String, Value>,
    document: &'static str,
    place: String,
}

impl<'a> Reader<'a> {
    pub(super) fn new(value: &'a Value, document: &'static str, place: &str) -> Result<Self, SchemaError> {
        let place = place.to_owned();
        match value {
            Value::Object(members) => Ok(Self { members, document, place }),
            _ => Err(SchemaError { document, place, problem: "not an object".to_owned() }),
        }
    }

    pub(super) fn error(&self, problem: impl Into<String>) -> SchemaError {
        SchemaError { document: self.document, place: self.place.clone(), problem: problem.into() }
    }

    /// A text that must be there.
    pub(super) fn needed(&self, name: &str) -> Result<&'a str, SchemaError> {
        self.text(name)?.ok_or_else(|| self.error(format!("`{name}` is missing")))
    }

    /// A URN that must be there.
    pub(super) fn urn(&self, name: &str) -> Result<Urn, SchemaError> {
        self.needed(name)?.parse().map_err(|e| self.error(format!("`{name}`: {e}")))
    }

    /// The objects of an array, each with its place.
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
            Some(value) => read(value).map(Some).ok_or_else(|| self.error(format!("`{name}` is not {kind}"))),
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

    fn keyword<T>(&self, name: &str, read: fn(&str) -> Option<T>, default: T) -> Result<T, SchemaError> {
        match self.text(name)? {
            None => Ok(default),
            Some(word) => read(word).ok_or_else(|| self.error(format!("`{name}` cannot be {word:?}"))),
        }
    }

    fn attributes(&self, name: &str) -> Result<Vec<Attribute>, SchemaError> {
        let list = self.member(name, "an array", Value::as_array)?;
        let mut found: Vec<Attribute> = Vec::new();
        for value in list.into_iter().flatten() {
            let attribute = self.attribute(value)?;
            if found.iter().any(|other| other.name == attribute.name) {
                return Err(self.error(format!("attribute {} is there twice", attribute.name)));
            }
            found.push(attribute);
        }
        Ok(found)
    }

    fn attribute(&self, value: &Value) -> Result<Attribute, SchemaError> {
        let mut reader = Reader::new(value, self.document, &self.place)?;
        let name = reader.text("name")?.ok_or_else(|| reader.error("an attribute has no `name`"))?;
        reader.place = match self.place.as_str() {
            "the document" => format!("attribute {name}"),
            parent => format!("{parent}.{name}"),
        };
        let name: AttrName = name.parse().map_err(|e| reader.error(format!("`name`: {e}")))?;
        Ok(Attribute {
            name,
            kind: reader.keyword("type", AttributeType::from_keyword, AttributeType::String)?,
            multi_valued: reader.flag("multiValued")?,
            description: reader.text("description")?.unwrap_or_default().to_owned(),
            required: reader.flag("required")?,
            canonical_values: reader.texts("canonicalValues")?,
            case_exact: reader.flag("caseExact")?,
            mutability: reader.keyword("mutability", Mutability::from_keyword, Mutability::ReadWrite)?,
            returned: reader.keyword("returned", Returned::from_keyword, Returned::Default)?,
            uniqueness: reader.keyword("uniqueness", Uniqueness::from_keyword, Uniqueness::None)?,
            reference_types: reader.texts("referenceTypes")?,
            sub_attributes: reader.attributes("subAttributes")?,
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
    fn bad_documents_are_refused() {
        refuse(json!([]), "schema document, the document: not an object");
        refuse(json!({}), "schema document, the document: `id` is missing");
        let with = |attribute: Value| json!({"id": "urn:example:thing", "attributes": [attribute]});
        refuse(with(json!({})), "schema document, the document: an attribute has no `name`");
        refuse(
            with(json!({"name": "x", "type": "text"})),
            "schema document, attribute x: `type` cannot be \"text\"",
        );
        refuse(
            with(json!({"name": "x", "required": "no"})),
            "schema document, attribute x: `required` is not a boolean",
        );
        refuse(
            with(json!({"name": "x", "subAttributes": [{"name": "y", "returned": "maybe"}]})),
            "schema document, attribute x.y: `returned` cannot be \"maybe\"",
        );
        refuse(
            json!({"id": "urn:example:thing", "attributes": [{"name": "x"}, {"name": "X"}]}),
            "schema document, the document: attribute X is there twice",
        );
    }
}
