//! The resource types of a server: their schemas, laid out for reading bodies, and what is indexed of them.
//! [`documents`] makes them of what somebody wrote.

mod documents;

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use scim::date_time::instant;
use scim::decode::ResourceDecoder;
use scim::path::AttrPath;
use scim::precis::{user_name_key, user_name_key_with_case};
use scim::schema::{Attribute, AttributeType, ResourceType, Returned, SchemaSet, Uniqueness};
use scim::text::lower_case;

use crate::units::suggest::nearest_or;

pub(crate) use documents::{DocumentError, DocumentKind};

/// A resource type of a server: its position among those listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TypeId(u16);

impl TypeId {
    /// The first standard type, `User`.
    #[cfg(test)]
    pub(crate) const FIRST: Self = Self(0);
    /// The second standard type, `Group`.
    #[cfg(test)]
    pub(crate) const SECOND: Self = Self(1);

    /// The position as a cursor writes it.
    pub(crate) fn number(self) -> u16 {
        self.0
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A server has no resource type of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no resource type `{name}`; {hint}")]
pub(crate) struct UnknownType {
    name: String,
    hint: String,
}

/// What a resource type is to the server beyond its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Has `active` and `groups`, and is who authenticates.
    User,
    /// Has `members`.
    Group,
    /// Nothing in particular.
    Other,
}

/// One resource type.
#[derive(Debug)]
pub(crate) struct TypeInfo {
    pub(crate) document: ResourceType,
    /// The name, for those who keep it.
    pub(crate) shared_name: Arc<str>,
    /// The path below the base URL, without slashes.
    pub(crate) endpoint: String,
    pub(crate) schemas: SchemaSet,
    pub(crate) role: Role,
    /// Whether the groups of a resource are shown with it.
    pub(crate) shows_groups: bool,
    pub(crate) reader: ResourceDecoder,
    pub(crate) indexed: Vec<IndexedPath>,
}

/// A path that has an index.
#[derive(Debug)]
pub(crate) struct IndexedPath {
    pub(crate) path: AttrPath,
    /// The path in canonical spelling.
    pub(crate) text: String,
    pub(crate) kind: AttributeType,
    pub(crate) case_exact: bool,
    pub(crate) unique: bool,
    /// Whether it is compared as user names are.
    pub(crate) user_name: bool,
}

impl IndexedPath {
    /// The form in which texts are compared.
    pub(crate) fn fold<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.kind {
            AttributeType::DateTime => match instant(text) {
                Some(instant) => Cow::Owned(instant.to_string()),
                None => Cow::Borrowed(text),
            },
            _ if self.case_exact && self.user_name => user_name_key_with_case(text),
            _ if self.case_exact => Cow::Borrowed(text),
            _ if self.user_name => user_name_key(text),
            _ => lower_case(text),
        }
    }

    /// Whether the index answers a filter: only texts are compared like their keys.
    pub(crate) fn answers(&self) -> bool {
        matches!(self.kind, AttributeType::String | AttributeType::Reference | AttributeType::Binary)
    }
}

impl TypeInfo {
    pub(crate) fn new(document: ResourceType, schemas: SchemaSet) -> Self {
        let role = role(&document.name, &schemas);
        let indexed = indexed(&schemas, role);
        let paths: Vec<&str> = indexed.iter().map(|indexed| indexed.text.as_str()).collect();
        let captured = (role == Role::Group).then_some("members");
        Self {
            endpoint: document.endpoint.trim_matches('/').to_owned(),
            reader: ResourceDecoder::new(&schemas, &paths, captured),
            shared_name: Arc::from(document.name.as_str()),
            shows_groups: role == Role::User && schemas.core().attribute("groups").is_some(),
            document,
            indexed,
            schemas,
            role,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.document.name
    }

    /// The position of the index that answers questions about a path.
    pub(crate) fn index_of(&self, path: &AttrPath) -> Option<usize> {
        self.indexed.iter().position(|indexed| {
            indexed.answers()
                && indexed.path.name == path.name
                && indexed.path.sub == path.sub
                && match (&indexed.path.urn, &path.urn) {
                    (Some(one), Some(other)) => one == other,
                    (None, Some(urn)) => urn == self.schemas.core().id(),
                    (None, None) => true,
                    (Some(_), None) => false,
                }
        })
    }
}

/// A type called User or Group is one only where its schema has what makes it one.
fn role(name: &str, schemas: &SchemaSet) -> Role {
    let has = |name: &str, fits: fn(&Attribute) -> bool| schemas.core().attribute(name).is_some_and(fits);
    let text = |attribute: &Attribute| attribute.kind == AttributeType::String && !attribute.multi_valued;
    let flag = |attribute: &Attribute| attribute.kind == AttributeType::Boolean && !attribute.multi_valued;
    if name.eq_ignore_ascii_case("User") && has("userName", text) && has("active", flag) {
        Role::User
    } else if name.eq_ignore_ascii_case("Group") && has("members", |a| a.is_complex() && a.multi_valued) {
        Role::Group
    } else {
        Role::Other
    }
}

/// `externalId`, whatever must be unique, and what clients look up by habit.
fn indexed(schemas: &SchemaSet, role: Role) -> Vec<IndexedPath> {
    let mut texts = vec!["externalId".to_owned()];
    unique_paths(&mut texts, "", schemas.core().attributes());
    for extension in schemas.extensions() {
        unique_paths(&mut texts, &format!("{}:", extension.id()), extension.attributes());
    }
    match role {
        Role::User => texts.extend(["userName".to_owned(), "emails.value".to_owned()]),
        Role::Group => texts.push("displayName".to_owned()),
        Role::Other => {}
    }
    let mut indexed: Vec<IndexedPath> = Vec::new();
    for text in texts {
        let Ok(path) = text.parse::<AttrPath>() else { continue };
        let Some(found) = schemas.locate(&path) else { continue };
        let leaf = found.leaf();
        let hidden = [found.attribute, leaf].iter().any(|a| a.returned == Returned::Never);
        let keyed =
            !matches!(leaf.kind, AttributeType::Complex | AttributeType::Boolean | AttributeType::Decimal);
        if hidden || !keyed || indexed.iter().any(|known| known.text == text) {
            continue;
        }
        let unique = leaf.uniqueness != Uniqueness::None;
        let user_name = found.extension.is_none() && leaf.is_user_name();
        indexed.push(IndexedPath {
            kind: leaf.kind,
            case_exact: leaf.case_exact,
            unique,
            user_name,
            text,
            path,
        });
    }
    indexed
}

/// The paths of what must be unique, parts of complex attributes too. In a group, members are told apart by the store.
fn unique_paths(texts: &mut Vec<String>, prefix: &str, attributes: &[Attribute]) {
    for attribute in attributes {
        let path = format!("{prefix}{}", attribute.name);
        let parts = attribute.sub_attributes.iter().filter(|sub| sub.uniqueness != Uniqueness::None);
        texts.extend(parts.map(|sub| format!("{path}.{}", sub.name)));
        if attribute.uniqueness != Uniqueness::None {
            texts.push(path);
        }
    }
}

/// The resource types of a server, in the order in which they are listed.
#[derive(Debug)]
pub(crate) struct Types {
    kinds: Vec<TypeInfo>,
}

fn standard() -> Vec<TypeInfo> {
    vec![
        TypeInfo::new(ResourceType::user(), SchemaSet::user().clone()),
        TypeInfo::new(ResourceType::group(), SchemaSet::group().clone()),
    ]
}

static STANDARD: LazyLock<Arc<Types>> = LazyLock::new(|| Arc::new(Types { kinds: standard() }));

impl Types {
    /// Users with the enterprise extension, and groups.
    pub(crate) fn standard() -> Arc<Self> {
        Arc::clone(&STANDARD)
    }

    pub(crate) fn all(&self) -> &[TypeInfo] {
        &self.kinds
    }

    pub(crate) fn get(&self, at: TypeId) -> &TypeInfo {
        &self.kinds[at.index()]
    }

    pub(crate) fn positions(&self) -> impl Iterator<Item = (TypeId, &TypeInfo)> {
        (0..).map(TypeId).zip(&self.kinds)
    }

    /// The type at an endpoint. RFC 7644 §3.2 spells them; `exact` says whether case counts.
    pub(crate) fn at_endpoint(&self, segment: &str, exact: bool) -> Option<TypeId> {
        let same = |kind: &TypeInfo| {
            kind.endpoint == segment || (!exact && kind.endpoint.eq_ignore_ascii_case(segment))
        };
        self.positions().find(|(_, kind)| same(kind)).map(|(at, _)| at)
    }

    pub(crate) fn of_role(&self, role: Role) -> Option<TypeId> {
        self.positions().find(|(_, kind)| kind.role == role).map(|(at, _)| at)
    }

    pub(crate) fn named(&self, name: &str) -> Option<TypeId> {
        self.positions().find(|(_, kind)| kind.name().eq_ignore_ascii_case(name)).map(|(at, _)| at)
    }

    /// The type of this name, or an error that suggests the nearest one.
    pub(crate) fn require(&self, name: &str) -> Result<TypeId, UnknownType> {
        self.named(name).ok_or_else(|| self.unknown(name))
    }

    /// What is wrong with the name of a type that there is not.
    pub(crate) fn unknown(&self, name: &str) -> UnknownType {
        let names = || self.kinds.iter().map(TypeInfo::name);
        let hint =
            nearest_or(name, names(), || format!("there are {}", names().collect::<Vec<_>>().join(", ")));
        UnknownType { name: name.to_owned(), hint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_indexed() {
        let types = Types::standard();
        let texts = |name: &str| {
            let kind = types.get(types.named(name).unwrap());
            kind.indexed.iter().map(|w| (w.text.as_str(), w.case_exact, w.unique)).collect::<Vec<_>>()
        };
        assert_eq!(
            texts("user"),
            [("externalId", true, false), ("userName", false, true), ("emails.value", false, false)]
        );
        assert_eq!(texts("Group"), [("externalId", true, false), ("displayName", false, false)]);
        let user = types.get(types.of_role(Role::User).unwrap());
        for (path, at) in [
            ("USERNAME", Some(1)),
            ("urn:ietf:params:scim:schemas:core:2.0:User:emails.VALUE", Some(2)),
            ("title", None),
        ] {
            assert_eq!(user.index_of(&path.parse().unwrap()), at, "{path}");
        }
    }
}
