//! The resource types of a server: their schemas, laid out for reading bodies, and what is indexed of them.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use scim::accept::Reader;
use scim::path::AttrPath;
use scim::schema::{ResourceType, SchemaSet, Uniqueness};

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
pub(crate) struct Kind {
    pub(crate) document: ResourceType,
    /// The name, for those who keep it.
    pub(crate) shared_name: Arc<str>,
    /// The path below the base URL, without slashes.
    pub(crate) endpoint: String,
    pub(crate) schemas: SchemaSet,
    pub(crate) role: Role,
    pub(crate) reader: Reader,
    pub(crate) watched: Vec<Watched>,
}

/// A path that has an index.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) path: AttrPath,
    /// The path in canonical spelling.
    pub(crate) text: String,
    pub(crate) case_exact: bool,
    pub(crate) unique: bool,
}

impl Watched {
    /// The form in which texts are compared.
    pub(crate) fn fold<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.case_exact { Cow::Borrowed(text) } else { caseless(text) }
    }
}

/// The text without case.
pub(crate) fn caseless(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

impl Kind {
    pub(crate) fn new(document: ResourceType, schemas: SchemaSet) -> Self {
        let role = match document.name.as_str() {
            "User" => Role::User,
            "Group" => Role::Group,
            _ => Role::Other,
        };
        let watched = watched(&schemas, role);
        let paths: Vec<&str> = watched.iter().map(|watched| watched.text.as_str()).collect();
        let captured = (role == Role::Group).then_some("members");
        Self {
            endpoint: document.endpoint.trim_matches('/').to_owned(),
            reader: Reader::new(&schemas, &paths, captured),
            shared_name: Arc::from(document.name.as_str()),
            document,
            watched,
            schemas,
            role,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.document.name
    }

    /// The position of the index that answers questions about a path.
    pub(crate) fn index_of(&self, path: &AttrPath) -> Option<usize> {
        self.watched.iter().position(|watched| {
            watched.path.name == path.name
                && watched.path.sub == path.sub
                && match (&watched.path.urn, &path.urn) {
                    (Some(one), Some(other)) => one == other,
                    (None, Some(urn)) => urn == self.schemas.core().id(),
                    (None, None) => true,
                    (Some(_), None) => false,
                }
        })
    }
}

/// `externalId`, whatever must be unique, and what clients look up by habit.
fn watched(schemas: &SchemaSet, role: Role) -> Vec<Watched> {
    let mut texts = vec!["externalId".to_owned()];
    for attribute in schemas.core().attributes().iter().filter(|a| a.uniqueness != Uniqueness::None) {
        texts.push(attribute.name.to_string());
    }
    for extension in schemas.extensions() {
        for attribute in extension.attributes().iter().filter(|a| a.uniqueness != Uniqueness::None) {
            texts.push(format!("{}:{}", extension.id(), attribute.name));
        }
    }
    match role {
        Role::User => texts.push("emails.value".to_owned()),
        Role::Group => texts.push("displayName".to_owned()),
        Role::Other => {}
    }
    let mut watched: Vec<Watched> = Vec::new();
    for text in texts {
        let Ok(path) = text.parse::<AttrPath>() else { continue };
        let Some(found) = schemas.locate(&path) else { continue };
        let leaf = found.leaf();
        if leaf.is_complex() || watched.iter().any(|known| known.text == text) {
            continue;
        }
        let unique = leaf.uniqueness != Uniqueness::None && found.sub.is_none();
        watched.push(Watched { case_exact: leaf.case_exact, unique, text, path });
    }
    watched
}

/// The resource types of a server, in the order in which they are listed.
#[derive(Debug)]
pub(crate) struct Types {
    kinds: Vec<Kind>,
}

fn standard() -> Vec<Kind> {
    vec![
        Kind::new(ResourceType::user(), SchemaSet::user().clone()),
        Kind::new(ResourceType::group(), SchemaSet::group().clone()),
    ]
}

static STANDARD: LazyLock<Arc<Types>> = LazyLock::new(|| Arc::new(Types { kinds: standard() }));

impl Types {
    /// Users with the enterprise extension, and groups.
    pub(crate) fn standard() -> Arc<Self> {
        Arc::clone(&STANDARD)
    }

    /// The standard ones with others: one of the same name takes the place of the standard one.
    pub(crate) fn with(kinds: Vec<Kind>) -> Arc<Self> {
        let mut all = standard();
        for kind in kinds {
            match all.iter_mut().find(|known| known.name().eq_ignore_ascii_case(kind.name())) {
                Some(known) => *known = kind,
                None => all.push(kind),
            }
        }
        Arc::new(Self { kinds: all })
    }

    pub(crate) fn all(&self) -> &[Kind] {
        &self.kinds
    }

    pub(crate) fn get(&self, at: u16) -> &Kind {
        &self.kinds[usize::from(at)]
    }

    pub(crate) fn positions(&self) -> impl Iterator<Item = (u16, &Kind)> {
        (0..).zip(&self.kinds)
    }

    /// The type at an endpoint. RFC 7644 §3.2 spells them; `exact` says whether case counts.
    pub(crate) fn at_endpoint(&self, segment: &str, exact: bool) -> Option<u16> {
        let same =
            |kind: &Kind| kind.endpoint == segment || (!exact && kind.endpoint.eq_ignore_ascii_case(segment));
        self.positions().find(|(_, kind)| same(kind)).map(|(at, _)| at)
    }

    pub(crate) fn of_role(&self, role: Role) -> Option<u16> {
        self.positions().find(|(_, kind)| kind.role == role).map(|(at, _)| at)
    }

    pub(crate) fn named(&self, name: &str) -> Option<u16> {
        self.positions().find(|(_, kind)| kind.name().eq_ignore_ascii_case(name)).map(|(at, _)| at)
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
            kind.watched.iter().map(|w| (w.text.as_str(), w.case_exact, w.unique)).collect::<Vec<_>>()
        };
        assert_eq!(
            texts("user"),
            [("externalId", true, false), ("userName", false, true), ("emails.value", false, false)]
        );
        assert_eq!(texts("Group"), [("externalId", true, false), ("displayName", false, false)]);
        let user = types.get(0);
        for (path, at) in [
            ("USERNAME", Some(1)),
            ("urn:ietf:params:scim:schemas:core:2.0:User:emails.VALUE", Some(2)),
            ("title", None),
        ] {
            assert_eq!(user.index_of(&path.parse().unwrap()), at, "{path}");
        }
    }

    #[test]
    fn texts_without_case() {
        assert_eq!(caseless("abc-1"), "abc-1");
        assert_eq!(caseless("ÄbC"), "äbc");
    }
}
