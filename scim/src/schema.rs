//! Schemas as data: attributes with every characteristic of RFC 7643 §7, and their JSON form as `/Schemas` shows it.
//!
//! The built-in schemas are in submodules. The server adds `meta` to a schema document, because it knows its address.

mod common;
mod discovery;
mod filter_paths;
mod group;
mod json;
mod resource_type;
mod set;
mod user;

use std::fmt;

use hashbrown::HashMap;
pub use json::{SchemaError, UnknownWord, WordRole};
pub use resource_type::{ResourceType, SchemaSetError, SchemaSetProblem};
pub use set::{AttributeLocation, SchemaSet};

use crate::name::{AttrName, Urn, cmp_ci};

/// The schema of users (RFC 7643 §4.1).
pub const USER_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The schema of groups (RFC 7643 §4.2).
pub const GROUP_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The enterprise extension of users (RFC 7643 §4.3).
pub const ENTERPRISE_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The service provider's configuration (RFC 7643 §5).
pub const SPC_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
/// Resource types (RFC 7643 §6).
pub const RESOURCE_TYPE_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
/// Schemas themselves (RFC 7643 §7).
pub const SCHEMA_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
/// The response to a query (RFC 7644 §3.4.2).
pub const LIST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// A query sent by POST (RFC 7644 §3.4.3).
pub const SEARCH_URN: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
/// A PATCH request (RFC 7644 §3.5.2).
pub const PATCH_URN: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// A bulk request (RFC 7644 §3.7).
pub const BULK_REQUEST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// The response to a bulk request (RFC 7644 §3.7).
pub const BULK_RESPONSE_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// One of a fixed set of words in a schema document.
trait Keyword: Sized {
    /// Every word.
    const WORDS: &'static [&'static str];

    /// Returns the variant that a word stands for.
    fn from_keyword(word: &str) -> Option<Self>;
}

macro_rules! keywords {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Returns the keyword in a schema document.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl Keyword for $name {
            const WORDS: &'static [&'static str] = &[$($word),+];

            fn from_keyword(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

keywords!(
    /// The data type of an attribute (RFC 7643 §2.3).
    AttributeType {
        /// Text.
        String = "string",
        /// `true` or `false`.
        Boolean = "boolean",
        /// A number that may have a fraction.
        Decimal = "decimal",
        /// A whole number.
        Integer = "integer",
        /// A date and time, as text.
        DateTime = "dateTime",
        /// Base64 text.
        Binary = "binary",
        /// A URI.
        Reference = "reference",
        /// An object of sub-attributes.
        Complex = "complex",
    }
);

keywords!(
    /// When a client may write an attribute.
    Mutability {
        /// Never.
        ReadOnly = "readOnly",
        /// At any time.
        ReadWrite = "readWrite",
        /// Once.
        Immutable = "immutable",
        /// At any time, but the value is never returned.
        WriteOnly = "writeOnly",
    }
);

keywords!(
    /// When a response contains an attribute.
    Returned {
        /// In every response.
        Always = "always",
        /// In no response.
        Never = "never",
        /// Unless the request excludes it.
        Default = "default",
        /// Only if the request names it.
        Request = "request",
    }
);

keywords!(
    /// The resources among which a value must be unique.
    Uniqueness {
        /// None: values may repeat.
        None = "none",
        /// The resources of the server.
        Server = "server",
        /// All resources everywhere.
        Global = "global",
    }
);

/// An attribute or a sub-attribute, with its characteristics (RFC 7643 §7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The name in its canonical spelling.
    pub name: AttrName,
    /// The data type.
    pub kind: AttributeType,
    /// Whether it holds an array of values.
    pub multi_valued: bool,
    /// The description.
    pub description: String,
    /// Whether a resource must have it.
    pub required: bool,
    /// The suggested values.
    pub canonical_values: Vec<String>,
    /// Whether its text is compared with case.
    pub case_exact: bool,
    /// When a client may write it.
    pub mutability: Mutability,
    /// When a response contains it.
    pub returned: Returned,
    /// The resources among which its value must be unique.
    pub uniqueness: Uniqueness,
    /// The types of the resources that a reference may point at.
    pub reference_types: Vec<String>,
    /// The sub-attributes of a complex attribute.
    pub sub_attributes: Vec<Attribute>,
}

impl Attribute {
    /// Returns the sub-attribute with a name, without case.
    pub fn sub(&self, name: &str) -> Option<&Self> {
        self.sub_attributes.iter().find(|sub| sub.name == *name)
    }

    /// Whether its text is the name of a user, which has its own rules of comparison (RFC 7644 §5).
    pub fn is_user_name(&self) -> bool {
        self.kind == AttributeType::String && !self.multi_valued && self.name == *"userName"
    }

    /// Whether it is a manager, which some clients send as an id alone.
    pub(crate) fn is_manager(&self) -> bool {
        self.is_complex() && !self.multi_valued && self.name == *"manager" && self.sub("value").is_some()
    }

    /// Whether its values are objects.
    pub fn is_complex(&self) -> bool {
        self.kind == AttributeType::Complex
    }
}

/// A schema: a URN and the attributes that it defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    id: Urn,
    name: String,
    description: String,
    attributes: Vec<Attribute>,
    /// Positions by the exact spelling, which nearly every resource uses.
    by_spelling: HashMap<Box<str>, usize>,
    /// Positions in the order of the names without case, for every other spelling.
    by_name: Vec<usize>,
}

impl Schema {
    /// Creates a schema of these attributes.
    pub fn new(id: Urn, name: &str, description: &str, attributes: Vec<Attribute>) -> Self {
        let mut by_name: Vec<usize> = (0..attributes.len()).collect();
        by_name.sort_by(|a, b| attributes[*a].name.cmp(&attributes[*b].name));
        let by_spelling =
            attributes.iter().enumerate().map(|(i, attr)| (Box::from(attr.name.as_str()), i)).collect();
        let (name, description) = (name.to_owned(), description.to_owned());
        Self { id, name, description, attributes, by_spelling, by_name }
    }

    /// Returns the URN.
    pub fn id(&self) -> &Urn {
        &self.id
    }

    /// Returns the name for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the description.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Returns the attributes, in the order of the schema.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// Returns the attribute with a name, without case and without an allocation. The spelling of the schema is found
    /// fastest.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.spelled(name).or_else(|| self.caseless(name))
    }

    /// Returns the attribute with this exact spelling.
    pub(crate) fn spelled(&self, name: &str) -> Option<&Attribute> {
        self.attributes.get(*self.by_spelling.get(name)?)
    }

    fn caseless(&self, name: &str) -> Option<&Attribute> {
        let found =
            self.by_name.binary_search_by(|i| cmp_ci(self.attributes[*i].name.as_str(), name)).ok()?;
        self.attributes.get(self.by_name[found])
    }
}

/// Builders of the built-in schemas: a plain attribute, then its characteristics that differ from the default.
mod build {
    use super::{AttrName, Attribute, AttributeType, Mutability, Returned, Uniqueness};

    pub(super) fn text(name: &str, description: &str) -> Attribute {
        Attribute {
            name: AttrName::literal(name),
            kind: AttributeType::String,
            multi_valued: false,
            description: description.to_owned(),
            required: false,
            canonical_values: Vec::new(),
            case_exact: false,
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            reference_types: Vec::new(),
            sub_attributes: Vec::new(),
        }
    }

    pub(super) fn typed(name: &str, kind: AttributeType, description: &str) -> Attribute {
        Attribute { kind, ..text(name, description) }
    }

    pub(super) fn reference(name: &str, to: &[&str], description: &str) -> Attribute {
        let reference_types = to.iter().map(|&t| t.to_owned()).collect();
        Attribute { reference_types, case_exact: true, ..typed(name, AttributeType::Reference, description) }
    }

    pub(super) fn complex(name: &str, description: &str, sub_attributes: Vec<Attribute>) -> Attribute {
        Attribute { sub_attributes, ..typed(name, AttributeType::Complex, description) }
    }

    impl Attribute {
        pub(super) fn many(self) -> Self {
            Self { multi_valued: true, ..self }
        }

        pub(super) fn required(self) -> Self {
            Self { required: true, ..self }
        }

        pub(super) fn exact(self) -> Self {
            Self { case_exact: true, ..self }
        }

        pub(super) fn suggests(self, values: &[&str]) -> Self {
            Self { canonical_values: values.iter().map(|&v| v.to_owned()).collect(), ..self }
        }

        pub(super) fn unique(self, uniqueness: Uniqueness) -> Self {
            Self { uniqueness, ..self }
        }

        pub(super) fn returned(self, returned: Returned) -> Self {
            Self { returned, ..self }
        }

        pub(super) fn immutable(self) -> Self {
            Self { mutability: Mutability::Immutable, ..self }
        }

        pub(super) fn write_only(self) -> Self {
            Self { mutability: Mutability::WriteOnly, ..self }
        }

        /// Returns the attribute as read-only, with its sub-attributes.
        pub(super) fn read_only(self) -> Self {
            let sub_attributes = self.sub_attributes.into_iter().map(Self::read_only).collect();
            Self { mutability: Mutability::ReadOnly, sub_attributes, ..self }
        }
    }
}
