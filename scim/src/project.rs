//! Projection: the attributes that a response returns, by `attributes` and `excludedAttributes` (RFC 7644 §3.4.2.5,
//! §3.9) and by `returned` in the schema (RFC 7643 §7).
//!
//! - `always` is returned in every case, `never` in none, and `request` only if `attributes` names the attribute or one
//!   of its sub-attributes.
//! - The same holds for the sub-attributes of a returned complex value. If `attributes` names sub-attributes only,
//!   these and the `always` ones are returned.
//! - A bare URN stands for all attributes of that schema.
//! - Names that no schema defines have no effect. Members of a resource that no schema defines are returned unless
//!   `attributes` is given.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use serde_json::{Map, Value};

use crate::{
    path::AttrPath,
    schema::{Attribute, Returned, Schema, SchemaSet},
};

/// Invalid parameters of a projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProjectionError {
    /// Both parameters are given.
    #[error("`attributes` and `excludedAttributes` exclude each other; give one of them")]
    Both,
}

/// The attributes that a response returns.
///
/// ```
/// use scim::{project::Projection, schema::SchemaSet};
/// use serde_json::json;
///
/// let user = json!({"schemas": [], "id": "1", "userName": "ida", "name": {"givenName": "Ida", "formatted": "Ida B"}});
/// let projection = Projection::new(Some("name.givenName, shoe"), None, SchemaSet::user())?;
/// assert_eq!(projection.apply(&user), json!({"schemas": [], "id": "1", "name": {"givenName": "Ida"}}));
/// # Ok::<(), scim::project::ProjectionError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {
    top: MemberRules,
    extensions: HashMap<Box<str>, MemberRules>,
    needs: Option<BTreeSet<String>>,
    default: bool,
}

impl Projection {
    /// Parses the two parameters: names separated by commas, with or without URN. A parameter without a name counts as
    /// absent.
    ///
    /// # Errors
    /// Both parameters are given.
    pub fn new(
        attributes: Option<&str>,
        excluded: Option<&str>,
        schemas: &SchemaSet,
    ) -> Result<Self, ProjectionError> {
        Self::of_names(&names(attributes), &names(excluded), schemas)
    }

    /// Builds a projection from lists of names, as the body of a search has them (RFC 7644 §3.4.3).
    ///
    /// # Errors
    /// Both lists have a name.
    pub fn of_names(
        attributes: &[&str],
        excluded: &[&str],
        schemas: &SchemaSet,
    ) -> Result<Self, ProjectionError> {
        match (attributes, excluded) {
            ([], []) => Ok(Self::default_for(schemas)),
            (_, []) => Ok(Self::build(&RequestedAttributes::of(attributes, schemas), true, schemas)),
            ([], _) => Ok(Self::build(&RequestedAttributes::of(excluded, schemas), false, schemas)),
            (_, _) => Err(ProjectionError::Both),
        }
    }

    /// Returns the projection without parameters.
    pub fn default_for(schemas: &SchemaSet) -> Self {
        Self::build(&RequestedAttributes::default(), false, schemas)
    }

    /// Whether this is the projection without parameters.
    pub fn is_default(&self) -> bool {
        self.default
    }

    /// Returns the top-level members that may be returned, in canonical spelling and extensions by their URNs, or
    /// `None` if `attributes` is not given.
    pub fn needs(&self) -> Option<&BTreeSet<String>> {
        self.needs.as_ref()
    }

    /// Whether a part of a top-level member may be returned; a server need not compute the others.
    pub fn shows(&self, name: &str) -> bool {
        look_up(&self.top.known, name).map_or(self.top.unknown, |show| *show != Visibility::Hidden)
    }

    /// Returns the projected resource.
    pub fn apply(&self, resource: &Value) -> Value {
        let Value::Object(members) = resource else { return resource.clone() };
        let mut shown = Map::new();
        for (key, value) in members {
            let value = match self.extension(key) {
                Some(rules) => value.as_object().and_then(|inner| {
                    let inner = rules.members(inner);
                    (!inner.is_empty()).then_some(Value::Object(inner))
                }),
                None => self.top.value(key, value),
            };
            if let Some(value) = value {
                shown.insert(key.clone(), value);
            }
        }
        Value::Object(shown)
    }

    fn extension(&self, key: &str) -> Option<&MemberRules> {
        look_up(&self.extensions, key)
    }

    fn build(requested: &RequestedAttributes<'_>, include: bool, schemas: &SchemaSet) -> Self {
        let core = requested.schemas.iter().any(|whole| std::ptr::eq(*whole, schemas.core()));
        let common = schemas.common().iter().map(|attr| (attr, false));
        let own = schemas.core().attributes().iter().map(|attr| (attr, core));
        let top = MemberRules::new(common.chain(own), requested, include);
        let extension = |schema: &Schema| {
            let whole = requested.schemas.iter().any(|whole| std::ptr::eq(*whole, schema));
            let attrs = schema.attributes().iter().map(|attr| (attr, whole));
            (Box::from(schema.id().as_str()), MemberRules::new(attrs, requested, include))
        };
        let extensions: HashMap<Box<str>, MemberRules> = schemas.extensions().iter().map(extension).collect();
        let needs = include.then(|| {
            let top = top.known.iter().filter(|(_, show)| **show != Visibility::Hidden).map(|(name, _)| name);
            let shown = |rules: &MemberRules| rules.known.values().any(|show| *show != Visibility::Hidden);
            let urns = extensions.iter().filter(|(_, rules)| shown(rules)).map(|(urn, _)| urn);
            top.chain(urns).map(ToString::to_string).collect()
        });
        let default = !include && requested.paths.is_empty() && requested.schemas.is_empty();
        Self { top, extensions, needs, default }
    }
}

fn names(parameter: Option<&str>) -> Vec<&str> {
    parameter
        .into_iter()
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect()
}

/// The schemas and attributes that the parameters name. Attributes are compared by address, because they belong to one
/// schema set.
#[derive(Default)]
struct RequestedAttributes<'a> {
    schemas: Vec<&'a Schema>,
    paths: Vec<(&'a Attribute, Option<&'a Attribute>)>,
}

impl<'a> RequestedAttributes<'a> {
    fn of(names: &[&str], schemas: &'a SchemaSet) -> Self {
        let mut requested = Self::default();
        for name in names {
            if let Some(schema) = schemas.schemas().find(|schema| *schema.id() == **name) {
                requested.schemas.push(schema);
            } else if let Some(found) = name.parse::<AttrPath>().ok().and_then(|path| schemas.locate(&path)) {
                requested.paths.push((found.attribute, found.sub));
            }
        }
        requested
    }

    /// Returns whether the attribute is named, and which of its sub-attributes are.
    fn about(&self, attr: &Attribute) -> (bool, Vec<&'a Attribute>) {
        let about = |path: &&(&Attribute, Option<&Attribute>)| std::ptr::eq(path.0, attr);
        let named = self.paths.iter().filter(about).any(|path| path.1.is_none());
        (named, self.paths.iter().filter(about).filter_map(|path| path.1).collect())
    }
}

/// The returned part of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Visibility {
    Hidden,
    /// All of it.
    Whole,
    /// Some sub-attributes of its values.
    Parts(Box<MemberRules>),
}

/// The returned members of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MemberRules {
    known: HashMap<Box<str>, Visibility>,
    unknown: bool,
}

impl MemberRules {
    fn new<'a>(
        attrs: impl Iterator<Item = (&'a Attribute, bool)>,
        requested: &RequestedAttributes<'_>,
        include: bool,
    ) -> Self {
        let known = attrs.map(|(attr, whole)| {
            let (named, parts) = requested.about(attr);
            let show = if include {
                included(attr, whole, named, &parts)
            } else {
                remaining(attr, whole || named, &parts)
            };
            (Box::from(attr.name.as_str()), show)
        });
        Self { known: known.collect(), unknown: !include }
    }

    fn members(&self, members: &Map<String, Value>) -> Map<String, Value> {
        let shown = members.iter().filter_map(|(key, value)| Some((key.clone(), self.value(key, value)?)));
        shown.collect()
    }

    fn value(&self, key: &str, value: &Value) -> Option<Value> {
        match look_up(&self.known, key) {
            Some(Visibility::Hidden) => None,
            Some(Visibility::Whole) => Some(value.clone()),
            Some(Visibility::Parts(rules)) => rules.parts(value),
            None => self.unknown.then(|| value.clone()),
        }
    }

    /// Returns the projected value, or `None` if nothing is left.
    fn parts(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Array(values) => {
                let shown: Vec<Value> = values.iter().filter_map(|value| self.parts(value)).collect();
                (values.is_empty() || !shown.is_empty()).then_some(Value::Array(shown))
            }
            Value::Object(members) => {
                let shown = self.members(members);
                (members.is_empty() || !shown.is_empty()).then_some(Value::Object(shown))
            }
            simple => Some(simple.clone()),
        }
    }
}

/// Returns the visibility of an attribute with `attributes`.
fn included(attr: &Attribute, whole: bool, named: bool, parts: &[&Attribute]) -> Visibility {
    let wanted = match attr.returned {
        Returned::Never => false,
        Returned::Always => true,
        Returned::Default => whole || named || !parts.is_empty(),
        Returned::Request => named || !parts.is_empty(),
    };
    if !wanted {
        return Visibility::Hidden;
    }
    // An attribute that is named beside one of its sub-attributes is returned as a whole, and so is one that is
    // returned without being named.
    let only_parts = !named && !whole && !parts.is_empty();
    of_parts(
        attr,
        &|sub| match sub.returned {
            Returned::Never => false,
            Returned::Always => true,
            Returned::Default => !only_parts || has(parts, sub),
            Returned::Request => has(parts, sub),
        },
        !only_parts,
    )
}

/// Returns the visibility of an attribute with `excludedAttributes`, or without parameters.
fn remaining(attr: &Attribute, excluded: bool, parts: &[&Attribute]) -> Visibility {
    let wanted = match attr.returned {
        Returned::Never | Returned::Request => false,
        Returned::Always => true,
        Returned::Default => !excluded,
    };
    if !wanted {
        return Visibility::Hidden;
    }
    of_parts(
        attr,
        &|sub| match sub.returned {
            Returned::Never | Returned::Request => false,
            Returned::Always => true,
            Returned::Default => !has(parts, sub),
        },
        true,
    )
}

fn has(parts: &[&Attribute], sub: &Attribute) -> bool {
    parts.iter().any(|part| std::ptr::eq(*part, sub))
}

fn of_parts(attr: &Attribute, wanted: &dyn Fn(&Attribute) -> bool, unknown: bool) -> Visibility {
    if unknown && attr.sub_attributes.iter().all(wanted) {
        return Visibility::Whole;
    }
    let show = |sub: &Attribute| if wanted(sub) { Visibility::Whole } else { Visibility::Hidden };
    let known = attr.sub_attributes.iter().map(|sub| (Box::from(sub.name.as_str()), show(sub))).collect();
    Visibility::Parts(Box::new(MemberRules { known, unknown }))
}

/// Returns the entry of a name: by its exact spelling, or else without case.
fn look_up<'m, T>(map: &'m HashMap<Box<str>, T>, key: &str) -> Option<&'m T> {
    map.get(key)
        .or_else(|| map.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, found)| found))
}

#[cfg(test)]
mod tests;
