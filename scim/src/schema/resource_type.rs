//! Resource types as data (RFC 7643 §6), and the combined schemas of one.

use serde_json::{Value, json};

use super::{
    ENTERPRISE_URN, GROUP_URN, RESOURCE_TYPE_URN, Schema, SchemaError, SchemaSet, USER_URN, common::COMMON,
    json::Reader,
};
use crate::name::{AttrName, Urn};

/// The members of a resource type document (RFC 7643 §6).
const MEMBERS: &[&str] =
    &["schemas", "id", "name", "description", "endpoint", "schema", "schemaExtensions", "meta"];
/// The members of an extension that a resource type lists (RFC 7643 §6).
const EXTENSION_MEMBERS: &[&str] = &["schema", "required"];

/// A resource type: its endpoint and its schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceType {
    /// The name, such as `User`, which is the `id` of the document too.
    pub name: String,
    /// The description.
    pub description: String,
    /// The path of the resources below the base URL, such as `/Users`.
    pub endpoint: String,
    /// The main schema.
    pub schema: Urn,
    /// The extensions, each with whether it is required.
    pub extensions: Vec<(Urn, bool)>,
}

impl ResourceType {
    /// Returns the type of users, with the optional enterprise extension.
    pub fn user() -> Self {
        Self {
            name: "User".to_owned(),
            description: "A user account.".to_owned(),
            endpoint: "/Users".to_owned(),
            schema: Urn::literal(USER_URN),
            extensions: vec![(Urn::literal(ENTERPRISE_URN), false)],
        }
    }

    /// Returns the type of groups.
    pub fn group() -> Self {
        Self {
            name: "Group".to_owned(),
            description: "A group of users.".to_owned(),
            endpoint: "/Groups".to_owned(),
            schema: Urn::literal(GROUP_URN),
            extensions: Vec::new(),
        }
    }

    /// Returns the resource type document without `meta`.
    pub fn to_json(&self) -> Value {
        let extension = |(urn, required): &(Urn, bool)| json!({"schema": urn.as_str(), "required": required});
        let mut document = json!({
            "schemas": [RESOURCE_TYPE_URN],
            "id": self.name,
            "name": self.name,
            "description": self.description,
            "endpoint": self.endpoint,
            "schema": self.schema.as_str(),
        });
        if !self.extensions.is_empty() {
            document["schemaExtensions"] = self.extensions.iter().map(extension).collect();
        }
        document
    }

    /// Reads a resource type document. `id` is ignored: the name identifies a type.
    ///
    /// # Errors
    /// The first member that is unknown, missing or invalid, or an extension that is listed twice.
    pub fn from_json(document: &Value) -> Result<Self, SchemaError> {
        let reader = Reader::new(document, "resource type document", "")?;
        reader.refuse_others(MEMBERS)?;
        let name = reader.required_text("name")?;
        if name.trim().is_empty() {
            return Err(reader.error("`name` is empty"));
        }
        let schema = reader.urn("schema")?;
        let mut extensions: Vec<(Urn, bool)> = Vec::new();
        for extension in reader.objects("schemaExtensions")? {
            extension.refuse_others(EXTENSION_MEMBERS)?;
            let urn = extension.urn("schema")?;
            if urn == schema {
                return Err(extension.error("`schema` must differ from the main schema of the type"));
            }
            if extensions.iter().any(|(other, _)| *other == urn) {
                return Err(extension.error(format!("extension {urn} is listed twice")));
            }
            extensions.push((urn, extension.flag("required")?));
        }
        let endpoint = reader.required_text("endpoint")?;
        if !is_endpoint(endpoint) {
            return Err(reader.error("`endpoint` must be a path below the base URL, such as /Users"));
        }
        Ok(Self {
            name: name.to_owned(),
            description: reader.text("description")?.unwrap_or_default().to_owned(),
            endpoint: endpoint.to_owned(),
            schema,
            extensions,
        })
    }

    /// Combines the schemas of the type, taken from these.
    ///
    /// # Errors
    /// A schema is not among these, is listed twice, or the main schema defines an attribute that every resource has.
    pub fn schema_set(&self, schemas: &[Schema]) -> Result<SchemaSet, SchemaSetError> {
        let fail = |problem| SchemaSetError { resource_type: self.name.clone(), problem };
        let find = |urn: &Urn| {
            let found = schemas.iter().find(|schema| schema.id() == urn);
            found.cloned().ok_or_else(|| fail(SchemaSetProblem::NoSchema(urn.clone())))
        };
        let core = find(&self.schema)?;
        if let Some(own) = core.attributes().iter().find(|own| COMMON.iter().any(|c| c.name == own.name)) {
            let (attribute, schema) = (own.name.clone(), self.schema.clone());
            return Err(fail(SchemaSetProblem::Shadowed { attribute, schema }));
        }
        let mut extensions: Vec<Schema> = Vec::new();
        for (urn, _) in &self.extensions {
            if *urn == self.schema || extensions.iter().any(|other| other.id() == urn) {
                return Err(fail(SchemaSetProblem::Twice(urn.clone())));
            }
            extensions.push(find(urn)?);
        }
        let required = self.extensions.iter().filter(|(_, required)| *required);
        let required = required.map(|(urn, _)| urn.clone()).collect();
        Ok(SchemaSet::new(core, extensions).requiring(required))
    }
}

/// The schemas of a resource type that cannot be combined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid resource type `{resource_type}`: {problem}")]
pub struct SchemaSetError {
    /// The name of the resource type.
    pub resource_type: String,
    /// The reason.
    pub problem: SchemaSetProblem,
}

/// A problem with the schemas of a resource type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaSetProblem {
    /// No schema has the URN.
    #[error("unknown schema {0}; give its document too")]
    NoSchema(Urn),
    /// The resource type lists a schema twice.
    #[error("schema {0} is listed twice")]
    Twice(Urn),
    /// The main schema defines an attribute that every resource has.
    #[error("attribute {attribute} of {schema} hides the common attribute of that name; rename it")]
    Shadowed {
        /// The attribute.
        attribute: AttrName,
        /// The main schema.
        schema: Urn,
    },
}

fn is_endpoint(text: &str) -> bool {
    let segment = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~'))
    };
    text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(segment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::validate;

    const DEVICE: &str = "urn:example:device";
    const EXTRA: &str = "urn:example:extra:1.0";

    fn schema(urn: &str, attribute: &str) -> Schema {
        Schema::from_json(&json!({"id": urn, "attributes": [{"name": attribute}]})).unwrap()
    }

    fn device(extensions: &[(&str, bool)]) -> ResourceType {
        ResourceType {
            name: "Device".to_owned(),
            description: String::new(),
            endpoint: "/Devices".to_owned(),
            schema: DEVICE.parse().unwrap(),
            extensions: extensions.iter().map(|(urn, need)| (urn.parse().unwrap(), *need)).collect(),
        }
    }

    #[test]
    fn documents_round_trip_and_fit_their_schema() {
        for kind in [ResourceType::user(), ResourceType::group(), device(&[(EXTRA, true)])] {
            let document = kind.to_json();
            assert_eq!(ResourceType::from_json(&document), Ok(kind));
            assert_eq!(validate(&document, SchemaSet::resource_type()), Ok(()));
        }
    }

    #[test]
    fn invalid_resource_type_names_the_place() {
        #[track_caller]
        fn check(change: (&str, Value), message: &str) {
            let mut document = ResourceType::user().to_json();
            document[change.0] = change.1;
            let found = ResourceType::from_json(&document).unwrap_err().to_string();
            assert_eq!(found, format!("invalid resource type document: {message}"));
        }
        check(("name", json!(null)), "`name` is missing");
        check(("name", json!(" ")), "`name` is empty");
        check(("name", json!(4)), "`name` must be a text");
        let endpoint = "`endpoint` must be a path below the base URL, such as /Users";
        for bad in ["Users", "/", "/Us ers", "/a//b", "/Users?x"] {
            check(("endpoint", json!(bad)), endpoint);
        }
        check(("schema", json!("User")), "`schema`: invalid URN `User`: expected urn:namespace:name");
        check(("schemaExtensions", json!({})), "`schemaExtensions` must be an array");
        check(("schemaExtensions", json!([7])), "schemaExtensions[0]: expected an object");
        let twice = json!([{"schema": EXTRA}, {"schema": EXTRA.to_uppercase()}]);
        let message = format!("schemaExtensions[1]: extension {} is listed twice", EXTRA.to_uppercase());
        check(("schemaExtensions", twice), &message);
        let main = json!([{"schema": USER_URN, "required": true}]);
        check(
            ("schemaExtensions", main),
            "schemaExtensions[0]: `schema` must differ from the main schema of the type",
        );
        let word = json!([{"schema": EXTRA, "required": "yes"}]);
        check(("schemaExtensions", word), "schemaExtensions[0]: `required` must be a boolean");
        check(("endpont", json!("/Users")), "unknown member `endpont`");
        let word = json!([{"schema": EXTRA, "requird": true}]);
        check(("schemaExtensions", word), "schemaExtensions[0]: unknown member `requird`");
    }

    #[test]
    fn incompatible_schemas_are_refused() {
        #[track_caller]
        fn check(kind: &ResourceType, schemas: &[Schema], message: &str) {
            let found = kind.schema_set(schemas).unwrap_err().to_string();
            assert_eq!(found, format!("invalid resource type `Device`: {message}"));
        }
        let own = schema(DEVICE, "serial");
        check(&device(&[]), &[], "unknown schema urn:example:device; give its document too");
        check(
            &device(&[(EXTRA, false)]),
            std::slice::from_ref(&own),
            "unknown schema urn:example:extra:1.0; give its document too",
        );
        let twice = device(&[(EXTRA, false), (EXTRA, true)]);
        check(&twice, &[own.clone(), schema(EXTRA, "x")], "schema urn:example:extra:1.0 is listed twice");
        check(&device(&[(DEVICE, false)]), &[own], "schema urn:example:device is listed twice");
        check(
            &device(&[]),
            &[schema(DEVICE, "ExternalID")],
            "attribute ExternalID of urn:example:device hides the common attribute of that name; rename it",
        );
    }

    #[test]
    fn missing_required_extension_is_invalid() {
        let schemas = [schema(DEVICE, "serial"), schema(EXTRA, "colour")];
        let set = device(&[(EXTRA, true)]).schema_set(&schemas).unwrap();
        assert_eq!(set.required_extensions().map(|s| s.id().as_str()).collect::<Vec<_>>(), [EXTRA]);
        let whole = json!({"schemas": [DEVICE, EXTRA], "serial": "1", EXTRA: {"colour": "red"}});
        assert_eq!(validate(&whole, &set), Ok(()));
        for lacks in [json!({"schemas": [DEVICE]}), json!({"schemas": [DEVICE, EXTRA], EXTRA: null})] {
            let problems = validate(&lacks, &set).unwrap_err();
            let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
            assert_eq!(found, [format!("{EXTRA} is required")]);
        }
        let optional = device(&[(EXTRA, false)]).schema_set(&schemas).unwrap();
        assert_eq!(validate(&json!({"schemas": [DEVICE]}), &optional), Ok(()));
    }
}
