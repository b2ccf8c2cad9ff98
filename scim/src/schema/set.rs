//! The combined schemas of one resource type, and look-up of paths in them.

use std::sync::LazyLock;

use super::{Attribute, AttributeType, Schema, common::COMMON, discovery, group, user};
use crate::{
    filter::{AttrFacts, AttrInfo, TextKind},
    name::Urn,
    path::AttrPath,
};

/// A main schema with its extensions, and the attributes common to all resources.
#[derive(Debug, Clone)]
pub struct SchemaSet {
    core: Schema,
    extensions: Vec<Schema>,
    required: Vec<Urn>,
}

/// The attribute of a path in a [`SchemaSet`].
#[derive(Debug, Clone, Copy)]
pub struct AttributeLocation<'a> {
    /// The extension that defines the attribute, if one does.
    pub extension: Option<&'a Schema>,
    /// The attribute.
    pub attribute: &'a Attribute,
    /// The sub-attribute, if the path has one.
    pub sub: Option<&'a Attribute>,
}

impl<'a> AttributeLocation<'a> {
    /// Returns the sub-attribute, or else the attribute.
    pub fn leaf(&self) -> &'a Attribute {
        self.sub.unwrap_or(self.attribute)
    }
}

macro_rules! built_in {
    ($($(#[$doc:meta])* $name:ident = $core:expr, [$($extension:expr),*];)+) => {
        $($(#[$doc])*
        pub fn $name() -> &'static Self {
            static SET: LazyLock<SchemaSet> = LazyLock::new(|| SchemaSet::new($core, vec![$($extension),*]));
            &SET
        })+
    };
}

impl SchemaSet {
    /// Creates a set of a main schema and its extensions.
    pub fn new(core: Schema, extensions: Vec<Schema>) -> Self {
        Self { core, extensions, required: Vec::new() }
    }

    /// Returns the set with these extensions required in every resource (RFC 7643 §6).
    pub(crate) fn requiring(self, required: Vec<Urn>) -> Self {
        Self { required, ..self }
    }

    built_in! {
        /// Returns the schemas of users, with the enterprise extension.
        user = user::user(), [user::enterprise()];
        /// Returns the schema of groups.
        group = group::group(), [];
        /// Returns the schema of the service provider config.
        service_provider_config = discovery::service_provider_config(), [];
        /// Returns the schema of resource types.
        resource_type = discovery::resource_type(), [];
        /// Returns the schema of schema documents.
        schema_documents = discovery::schemas(), [];
    }

    /// Returns the main schema.
    pub fn core(&self) -> &Schema {
        &self.core
    }

    /// Returns the extensions.
    pub fn extensions(&self) -> &[Schema] {
        &self.extensions
    }

    /// Returns the extensions that every resource must have.
    pub fn required_extensions(&self) -> impl Iterator<Item = &Schema> {
        self.extensions.iter().filter(|schema| self.required.contains(schema.id()))
    }

    /// Returns the main schema, then the extensions.
    pub fn schemas(&self) -> impl Iterator<Item = &Schema> {
        std::iter::once(&self.core).chain(&self.extensions)
    }

    /// Returns the attributes that every resource has: `id`, `externalId`, `meta`, `schemas`.
    pub fn common(&self) -> &'static [Attribute] {
        &COMMON
    }

    /// Returns the extension with a URN, without case.
    pub fn extension(&self, urn: &str) -> Option<&Schema> {
        self.extensions.iter().find(|schema| *schema.id() == *urn)
    }

    /// Returns a top-level attribute of a resource: a common one or one of the main schema.
    pub fn top_level(&self, name: &str) -> Option<&Attribute> {
        let common = |name: &str| COMMON.iter().find(|attr| attr.name.as_str() == name);
        let exact = self.core.spelled(name).or_else(|| common(name));
        let exact = exact.or_else(|| self.core.attribute(name));
        exact.or_else(|| COMMON.iter().find(|attr| attr.name == *name))
    }

    /// Returns the attribute of a path. A path without a URN may name an attribute of an extension, because RFC 7644
    /// §3.10 only recommends the URN.
    pub fn locate(&self, path: &AttrPath) -> Option<AttributeLocation<'_>> {
        let name = path.name.as_str();
        let in_extension = |schema| Schema::attribute(schema, name).map(|attr| (Some(schema), attr));
        let (extension, attribute) = match &path.urn {
            Some(urn) if urn == self.core.id() => (None, self.top_level(name)?),
            Some(urn) => self.extension(urn.as_str()).and_then(in_extension)?,
            None => match self.top_level(name) {
                Some(attr) => (None, attr),
                None => self.extensions.iter().find_map(in_extension)?,
            },
        };
        let sub = match &path.sub {
            Some(sub) => Some(attribute.sub(sub.as_str())?),
            None => None,
        };
        Some(AttributeLocation { extension, attribute, sub })
    }

    /// Returns the attribute or sub-attribute of a path.
    pub fn attribute(&self, path: &AttrPath) -> Option<&Attribute> {
        self.locate(path).map(|found| found.leaf())
    }

    /// Returns the schema of a path that is a bare URN.
    pub fn schema_at(&self, path: &AttrPath) -> Option<&Schema> {
        let urn: Urn = path.urn.as_ref().and_then(|_| path.whole())?;
        self.schemas().find(|schema| *schema.id() == urn)
    }
}

impl AttrInfo for SchemaSet {
    fn case_exact(&self, path: &AttrPath) -> bool {
        self.facts(path).is_some_and(|facts| facts.case_exact)
    }

    fn facts<'a>(&'a self, path: &'a AttrPath) -> Option<AttrFacts<'a>> {
        let Some(found) = self.locate(path) else {
            // A simple multi-valued attribute may be addressed as if its values had a `value`.
            return path.sub.as_ref().filter(|sub| **sub == *"value").and_then(|_| self.simple_values(path));
        };
        let leaf = found.leaf();
        let compared = if leaf.is_complex() { leaf.sub("value").unwrap_or(leaf) } else { leaf };
        Some(facts_of(found, compared))
    }
}

impl SchemaSet {
    fn simple_values(&self, path: &AttrPath) -> Option<AttrFacts<'_>> {
        let found = self.locate(&AttrPath { sub: None, ..path.clone() })?;
        let is_simple = found.attribute.multi_valued && !found.attribute.is_complex();
        is_simple.then(|| facts_of(found, found.attribute))
    }
}

fn facts_of<'a>(found: AttributeLocation<'a>, compared: &Attribute) -> AttrFacts<'a> {
    AttrFacts {
        case_exact: compared.case_exact,
        text: match compared.kind {
            AttributeType::DateTime => TextKind::DateTime,
            _ if found.extension.is_none() && compared.is_user_name() => TextKind::UserName,
            _ => TextKind::Plain,
        },
        extension: found.extension.map(Schema::id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ENTERPRISE_URN, USER_URN};

    #[track_caller]
    fn check(path: &str, extension: bool, leaf: &str) {
        let path = path.parse().unwrap();
        let found = SchemaSet::user().locate(&path).unwrap();
        assert_eq!(found.extension.is_some(), extension);
        assert_eq!(found.leaf().name.as_str(), leaf);
    }

    #[test]
    fn locate_finds_attributes_without_case() {
        check("USERNAME", false, "userName");
        check("name.GivenName", false, "givenName");
        check("meta.created", false, "created");
        check(&format!("{USER_URN}:emails.value"), false, "value");
        check(&format!("{}:Manager.VALUE", ENTERPRISE_URN.to_uppercase()), true, "value");
        check("department", true, "department");
    }

    #[test]
    fn unknown_path_is_not_located() {
        let users = SchemaSet::user();
        for path in ["nope", "userName.sub", "name.nope", "urn:example:x:userName"] {
            assert!(users.locate(&path.parse().unwrap()).is_none(), "{path}");
        }
        assert!(users.locate(&format!("{ENTERPRISE_URN}:userName").parse().unwrap()).is_none());
    }

    #[test]
    fn bare_urn_is_a_schema() {
        let users = SchemaSet::user();
        let path = ENTERPRISE_URN.to_lowercase().parse().unwrap();
        assert_eq!(users.schema_at(&path).unwrap().id().as_str(), ENTERPRISE_URN);
        assert!(users.schema_at(&"userName".parse().unwrap()).is_none());
    }
}
