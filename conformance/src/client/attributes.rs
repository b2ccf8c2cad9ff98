//! The attributes of RFC 7643 §3.1, §4.1, §4.2 and §4.3, with the shapes of their values.

use crate::client::recording::RecordedExchange;

/// The URN of the enterprise extension.
pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// An attribute or a sub-attribute.
#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Whether it has a list of values.
    pub(crate) is_many: bool,
}

/// The type of a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text,
    Boolean,
    /// A complex value with these sub-attributes.
    Complex(&'static [Attribute]),
}

const fn text(name: &'static str) -> Attribute {
    Attribute { name, kind: Kind::Text, is_many: false }
}

const fn complex(name: &'static str, parts: &'static [Attribute]) -> Attribute {
    Attribute { name, kind: Kind::Complex(parts), is_many: false }
}

const fn many(name: &'static str) -> Attribute {
    Attribute { name, kind: Kind::Complex(&PLURAL), is_many: true }
}

/// The sub-attributes of RFC 7643 §2.4.
static PLURAL: [Attribute; 5] = [
    text("value"),
    text("$ref"),
    text("display"),
    text("type"),
    Attribute { name: "primary", kind: Kind::Boolean, is_many: false },
];

static NAME: [Attribute; 6] = [
    text("formatted"),
    text("familyName"),
    text("givenName"),
    text("middleName"),
    text("honorificPrefix"),
    text("honorificSuffix"),
];

static ADDRESS: [Attribute; 8] = [
    text("formatted"),
    text("streetAddress"),
    text("locality"),
    text("region"),
    text("postalCode"),
    text("country"),
    text("type"),
    Attribute { name: "primary", kind: Kind::Boolean, is_many: false },
];

/// The attributes of a user that a client writes.
static USER: [Attribute; 21] = [
    text("externalId"),
    text("userName"),
    complex("name", &NAME),
    text("displayName"),
    text("nickName"),
    text("profileUrl"),
    text("title"),
    text("userType"),
    text("preferredLanguage"),
    text("locale"),
    text("timezone"),
    Attribute { name: "active", kind: Kind::Boolean, is_many: false },
    text("password"),
    many("emails"),
    many("phoneNumbers"),
    many("ims"),
    many("photos"),
    Attribute { name: "addresses", kind: Kind::Complex(&ADDRESS), is_many: true },
    many("entitlements"),
    many("roles"),
    many("x509Certificates"),
];

static GROUP: [Attribute; 3] = [text("externalId"), text("displayName"), many("members")];

/// The attributes of the enterprise extension.
static ENTERPRISE_USER: [Attribute; 6] = [
    text("employeeNumber"),
    text("costCenter"),
    text("organization"),
    text("division"),
    text("department"),
    complex("manager", &MANAGER),
];

static MANAGER: [Attribute; 3] = [text("value"), text("$ref"), text("displayName")];

/// The type of the resource that a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResourceKind {
    User,
    Group,
}

impl ResourceKind {
    /// Returns the type by the path of a request, or `None` if it is about no user and no group.
    pub(crate) fn of(exchange: &RecordedExchange) -> Option<Self> {
        match exchange.segments().first()?.to_ascii_lowercase().as_str() {
            "users" | "me" => Some(Self::User),
            "groups" => Some(Self::Group),
            _ => None,
        }
    }

    /// Returns the URN of the core schema.
    pub(crate) fn urn(self) -> &'static str {
        match self {
            Self::User => "urn:ietf:params:scim:schemas:core:2.0:User",
            Self::Group => "urn:ietf:params:scim:schemas:core:2.0:Group",
        }
    }

    /// Returns the attributes of the core schema that a client writes.
    pub(crate) fn attributes(self) -> &'static [Attribute] {
        match self {
            Self::User => &USER,
            Self::Group => &GROUP,
        }
    }

    /// Returns the attributes of a schema of this type, or none if the URN is another one.
    pub(crate) fn attributes_of(self, urn: &str) -> &'static [Attribute] {
        if urn.eq_ignore_ascii_case(self.urn()) {
            self.attributes()
        } else if self == Self::User && urn.eq_ignore_ascii_case(ENTERPRISE) {
            &ENTERPRISE_USER
        } else {
            &[]
        }
    }

    /// Returns the attribute or sub-attribute that a path without a filter names, as in `name.familyName` or
    /// `urn:…:User:manager`.
    pub(crate) fn attribute(self, path: &str) -> Option<&'static Attribute> {
        let (attributes, names) = match path.rsplit_once(':') {
            Some((urn, names)) => (self.attributes_of(urn), names),
            None => (self.attributes(), path),
        };
        match names.split_once('.') {
            None => named(attributes, names),
            Some((first, second)) => named(attributes, first)?.part(second),
        }
    }
}

impl Attribute {
    /// Returns a sub-attribute.
    pub(crate) fn part(&self, name: &str) -> Option<&'static Attribute> {
        match self.kind {
            Kind::Complex(parts) => named(parts, name),
            Kind::Text | Kind::Boolean => None,
        }
    }
}

/// Returns an attribute by its name, without case.
pub(crate) fn named(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|known| known.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attribute_is_found_by_its_path() {
        let of_user = |path: &str| ResourceKind::User.attribute(path).map(|found| found.name);
        assert_eq!(of_user("USERNAME"), Some("userName"));
        assert_eq!(of_user("name.familyName"), Some("familyName"));
        assert_eq!(of_user(&format!("{}:emails.primary", ResourceKind::User.urn())), Some("primary"));
        assert_eq!(of_user(&format!("{ENTERPRISE}:manager")), Some("manager"));
        for unknown in ["manager", "members", "name.nickName", "title.x", "urn:example:2.0:User:title", ""] {
            assert_eq!(of_user(unknown), None, "{unknown}");
        }
        assert!(ResourceKind::Group.attribute("members").is_some_and(|members| members.is_many));
        assert!(ResourceKind::Group.attribute(&format!("{ENTERPRISE}:manager")).is_none());
    }
}
