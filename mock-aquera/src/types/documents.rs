//! Resource types and schemas as somebody wrote them (RFC 7643 §6, §7), beside the standard ones.
//!
//! A document of a standard type or schema takes its place. A schema that no type uses would be without any effect,
//! so it is refused.

use std::collections::HashSet;
use std::sync::Arc;

use scim::schema::{ResourceType, Schema, SchemaError, SchemaSet, UnknownWord, WordRole};
use serde_json::Value;

use super::{TypeInfo, Types, standard};
use crate::units::suggest::{did_you_mean, nearest};

/// How many paths of one type can be indexed.
const MAX_INDEXED: usize = 250;
/// What is at the base URL already.
const RESERVED: [&str; 5] = ["Me", "Bulk", "Schemas", "ResourceTypes", "ServiceProviderConfig"];

/// Which list a document is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentKind {
    Schema,
    ResourceType,
}

/// Why a document is of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DocumentError {
    pub(crate) kind: DocumentKind,
    /// Its position in its list, from zero.
    pub(crate) index: usize,
    pub(crate) detail: String,
}

impl Types {
    /// The standard types, with those that are written here.
    pub(crate) fn of_documents(
        schemas: &[Value],
        resource_types: &[Value],
    ) -> Result<Arc<Self>, DocumentError> {
        if schemas.is_empty() && resource_types.is_empty() {
            return Ok(Self::standard());
        }
        let given = read_schemas(schemas)?;
        let mut known = given.clone();
        for schema in [SchemaSet::user(), SchemaSet::group()].into_iter().flat_map(SchemaSet::schemas) {
            if known.iter().all(|other| other.id() != schema.id()) {
                known.push(schema.clone());
            }
        }
        let mut kinds = of_standard(&known, &given)?;
        let mut written: HashSet<String> = HashSet::new();
        for (index, document) in resource_types.iter().enumerate() {
            let fail = |detail: String| DocumentError { kind: DocumentKind::ResourceType, index, detail };
            let document = ResourceType::from_json(document).map_err(|error| fail(told(&error)))?;
            if !written.insert(document.name.to_lowercase()) {
                return Err(fail(format!("the resource type {} is there twice", document.name)));
            }
            let set = document.schema_set(&known).map_err(|error| fail(error.to_string()))?;
            let kind = TypeInfo::new(document, set);
            problem(&kind).map_or(Ok(()), |why| Err(fail(why)))?;
            match kinds.iter_mut().find(|other| other.name().eq_ignore_ascii_case(kind.name())) {
                Some(other) => *other = kind,
                None => kinds.push(kind),
            }
            // A standard type may still move away from the endpoint.
            let last = resource_types.len() == index + 1;
            if let Some((one, other)) = shared_endpoint(&kinds).filter(|_| last) {
                return Err(fail(format!("the resource types {one} and {other} have one endpoint")));
            }
        }
        unused(&given, &kinds)?;
        Ok(Arc::new(Self { kinds }))
    }
}

fn in_schema(index: usize, detail: String) -> DocumentError {
    DocumentError { kind: DocumentKind::Schema, index, detail }
}

fn read_schemas(documents: &[Value]) -> Result<Vec<Schema>, DocumentError> {
    let mut schemas: Vec<Schema> = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let fail = |detail| in_schema(index, detail);
        let schema = Schema::from_json(document).map_err(|error| fail(told(&error)))?;
        if schemas.iter().any(|other| other.id() == schema.id()) {
            return Err(fail(format!("the schema {} is there twice", schema.id())));
        }
        schemas.push(schema);
    }
    Ok(schemas)
}

/// What is wrong with a document, with the word that was probably meant.
fn told(error: &SchemaError) -> String {
    let Some(UnknownWord { written, known, role }) = error.unknown() else { return error.to_string() };
    match nearest(written, known.iter().copied()) {
        meant @ Some(_) if *role == WordRole::MemberName => format!("{error}{}", did_you_mean(meant)),
        _ => format!("{error}; expected one of {}", known.join(", ")),
    }
}

/// The standard types, with the schemas that take the place of theirs.
fn of_standard(known: &[Schema], given: &[Schema]) -> Result<Vec<TypeInfo>, DocumentError> {
    let mut kinds = standard();
    for kind in &mut kinds {
        let uses = |schema: &Schema| kind.schemas.schemas().any(|own| own.id() == schema.id());
        if let Some(index) = given.iter().position(uses) {
            let set = kind.document.schema_set(known);
            let set = set.map_err(|error| in_schema(index, error.to_string()))?;
            *kind = TypeInfo::new(kind.document.clone(), set);
        }
    }
    Ok(kinds)
}

/// Says why a server cannot have a resource type; `None` if it can.
fn problem(kind: &TypeInfo) -> Option<String> {
    let (endpoint, indexed) = (&kind.endpoint, kind.indexed.len());
    if endpoint.contains('/') {
        return Some(format!("`endpoint` is one step below the base URL, not /{endpoint}"));
    }
    if RESERVED.iter().any(|name| name.eq_ignore_ascii_case(endpoint)) || endpoint.starts_with('.') {
        return Some(format!("`endpoint` /{endpoint} is taken by the protocol itself"));
    }
    if indexed > MAX_INDEXED {
        return Some(format!("{indexed} attributes are unique, and {MAX_INDEXED} are the most"));
    }
    None
}

fn shared_endpoint(kinds: &[TypeInfo]) -> Option<(&str, &str)> {
    kinds.iter().enumerate().find_map(|(at, kind)| {
        let other = kinds[..at].iter().find(|other| other.endpoint.eq_ignore_ascii_case(&kind.endpoint))?;
        Some((other.name(), kind.name()))
    })
}

fn unused(given: &[Schema], kinds: &[TypeInfo]) -> Result<(), DocumentError> {
    let used = |schema: &Schema| {
        kinds.iter().flat_map(|kind| kind.schemas.schemas()).any(|other| other.id() == schema.id())
    };
    match given.iter().position(|schema| !used(schema)) {
        None => Ok(()),
        Some(index) => {
            let id = given[index].id();
            let hint = "name it in one, as `schema` or in `schemaExtensions`";
            Err(in_schema(index, format!("no resource type uses the schema {id}; {hint}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::types::Role;
    use crate::types::TypeId;

    fn device(endpoint: &str) -> Value {
        json!({"name": "Device", "endpoint": endpoint, "schema": "urn:example:Device"})
    }

    fn schema(id: &str) -> Value {
        json!({"id": id, "name": "x", "attributes": [{"name": "serial", "uniqueness": "server"}]})
    }

    #[test]
    fn types_join_the_standard_ones_or_take_their_place() {
        let types = Types::of_documents(&[schema("urn:example:Device")], &[device("/Devices")]).unwrap();
        let names: Vec<&str> = types.all().iter().map(TypeInfo::name).collect();
        assert_eq!(names, ["User", "Group", "Device"]);
        let device_type = types.at_endpoint("Devices", true).unwrap();
        assert_eq!((types.get(device_type).name(), types.get(device_type).role), ("Device", Role::Other));

        let user = json!({"name": "User", "endpoint": "/Accounts", "schema": scim::schema::USER_URN,
            "schemaExtensions": [{"schema": "urn:example:Badge", "required": true}]});
        let types = Types::of_documents(&[schema("urn:example:Badge")], &[user]).unwrap();
        assert_eq!((types.all().len(), types.at_endpoint("Users", false)), (2, None));
        assert_eq!(
            (types.at_endpoint("Accounts", true), types.get(TypeId::FIRST).role),
            (Some(TypeId::FIRST), Role::User)
        );
        assert!(
            types.get(TypeId::FIRST).indexed.iter().any(|w| w.unique && w.text == "urn:example:Badge:serial")
        );
    }

    #[test]
    fn a_standard_schema_can_be_written_anew() {
        let group =
            json!({"id": scim::schema::GROUP_URN, "attributes": [{"name": "label", "required": true}]});
        let types = Types::of_documents(&[group], &[]).unwrap();
        assert_eq!(
            (types.get(TypeId::SECOND).name(), types.get(TypeId::SECOND).role),
            ("Group", Role::Other)
        );
        assert!(types.get(TypeId::SECOND).schemas.core().attribute("label").is_some());
    }

    #[test]
    fn what_is_of_no_use_is_refused_with_its_place() {
        use DocumentKind::{ResourceType, Schema};
        #[track_caller]
        fn check(schemas: &[Value], types: &[Value], kind: DocumentKind, index: usize, part: &str) {
            let error = Types::of_documents(schemas, types).unwrap_err();
            assert_eq!((error.kind, error.index), (kind, index), "{error:?}");
            assert!(error.detail.contains(part), "{error:?}");
        }
        let own = schema("urn:example:Device");
        let one = std::slice::from_ref(&own);
        let types = [device("/Devices")];
        let other = schema("urn:example:other");
        check(&[other, own.clone()], &types, Schema, 0, "no resource type uses the schema urn:example:other");
        check(&[own.clone(), own.clone()], &types, Schema, 1, "there twice");
        let typo = json!({"id": "urn:example:Device", "attributes": [{"name": "a", "type": "text"}]});
        let place = "invalid schema document: attribute a (attributes[0])";
        let said = format!("{place}: `type` cannot be \"text\"; expected one of string, boolean, decimal, ");
        check(&[typo], &types, Schema, 0, &said);
        let mut typo = own.clone();
        typo["attributes"][0]["mutabilty"] = json!("readOnly");
        let place = "invalid schema document: attribute serial (attributes[0])";
        let said = format!("{place}: unknown member `mutabilty`; did you mean `mutability`?");
        check(&[own.clone(), typo], &types, Schema, 1, &said);
        let mut typo = device("/Devices");
        typo["schemaExtension"] = json!([]);
        let said = "invalid resource type document: unknown member `schemaExtension`; did you mean `schemaExtensions`?";
        check(one, &[typo], ResourceType, 0, said);
        check(&[], &types, ResourceType, 0, "unknown schema urn:example:Device");
        check(one, &[device("/Devices"), device("/Other")], ResourceType, 1, "there twice");
        for (endpoint, part) in
            [("/a/b", "one step"), ("/me", "protocol itself"), ("/users", "have one endpoint")]
        {
            check(one, &[device(endpoint)], ResourceType, 0, part);
        }
        check(&[], &[json!({"name": "X"})], ResourceType, 0, "`schema` is missing");
    }
}
