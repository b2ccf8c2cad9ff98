//! The valid target paths: the schema of users (RFC 7643 §4.1, §4.3) has the attribute, it may be written, and the path
//! has exactly one plain value.

use scim::schema::{Attribute, AttributeType, Mutability, SchemaSet};

use super::TargetPath;
use cli_support::suggest::nearest;

/// The kind of value that a target has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A text.
    Text,
    /// True or false.
    Boolean,
    /// The type of the source's value: the schema of the target is unknown.
    Any,
}

/// A path that is not a target, with the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TargetError {
    pub(crate) message: String,
    pub(crate) help: String,
}

fn refuse<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, TargetError> {
    Err(TargetError { message: message.into(), help: help.into() })
}

/// Returns the path in the spelling of the schema, and the kind of its value.
pub(crate) fn resolve(path: &TargetPath) -> Result<(TargetPath, Kind), TargetError> {
    let schemas = SchemaSet::user();
    let (urn, attribute) = match path.urn() {
        None => (None, core_attribute(schemas, path)?),
        Some(urn) => {
            let Some(extension) = schemas.extension(urn) else {
                return Ok((path.clone(), Kind::Any));
            };
            let urn = extension.id().as_str();
            let Some(attribute) = extension.attribute(path.attribute()) else {
                let names = extension.attributes().iter().map(|attribute| attribute.name.as_str());
                return refuse(
                    format!("there is no attribute `{}` in {urn}", path.attribute()),
                    suggestion(path.attribute(), names),
                );
            };
            (Some(urn), attribute)
        }
    };
    let leaf = leaf(path, attribute)?;
    if attribute.mutability == Mutability::ReadOnly || leaf.mutability == Mutability::ReadOnly {
        return refuse(format!("`{path}` is read-only at the target"), "leave this mapping out");
    }
    let kind = match leaf.kind {
        AttributeType::Boolean => Kind::Boolean,
        AttributeType::Decimal | AttributeType::Integer => Kind::Any,
        _ => Kind::Text,
    };
    let selector = path
        .selector()
        .map(|(name, literal)| (attribute.sub(name).map_or(name, |sub| sub.name.as_str()), literal));
    let sub = path.sub().map(|_| leaf.name.as_str());
    Ok((TargetPath::new(urn, attribute.name.as_str(), selector, sub), kind))
}

fn core_attribute<'a>(schemas: &'a SchemaSet, path: &TargetPath) -> Result<&'a Attribute, TargetError> {
    let name = path.attribute();
    if name.eq_ignore_ascii_case("active") {
        return refuse(
            "`active` is not mapped: it follows `enabled`, and the preferences say how",
            "leave this mapping out",
        );
    }
    if ["id", "meta", "schemas", "groups"].iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
        return refuse(format!("`{name}` belongs to the target and is not mapped"), "leave this mapping out");
    }
    if let Some(attribute) = schemas.top_level(name) {
        return Ok(attribute);
    }
    for extension in schemas.extensions() {
        if let Some(attribute) = extension.attribute(name) {
            return refuse(
                format!("`{name}` is not an attribute of the core user"),
                format!("it is in an extension: write `{}:{}`", extension.id(), attribute.name),
            );
        }
    }
    let names =
        schemas.core().attributes().iter().chain(schemas.common()).map(|attribute| attribute.name.as_str());
    let help = match nearest(name, names) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "name one of RFC 7643 §4.1; an attribute of an extension needs its URN before it".to_owned(),
    };
    refuse(format!("there is no attribute `{name}` in a target user"), help)
}

/// Returns the attribute or sub-attribute of the path, if it has one plain value.
fn leaf<'a>(path: &TargetPath, attribute: &'a Attribute) -> Result<&'a Attribute, TargetError> {
    let name = attribute.name.as_str();
    let subs = || attribute.sub_attributes.iter().map(|sub| sub.name.as_str());
    let find = |wanted: &str| match attribute.sub(wanted) {
        Some(sub) => Ok(sub),
        None => refuse(format!("`{name}` has no sub-attribute `{wanted}`"), suggestion(wanted, subs())),
    };
    if !attribute.is_complex() {
        return match (path.selector(), path.sub()) {
            (None, None) if !attribute.multi_valued => Ok(attribute),
            _ => refuse(format!("`{name}` is one plain value, without parts"), format!("write `{name}`")),
        };
    }
    match (path.selector(), path.sub()) {
        (None, _) if attribute.multi_valued => refuse(
            format!("`{name}` has several values, and this does not say which one is meant"),
            format!("select one, as in `{name}[type eq \"work\"].{}`", path.sub().unwrap_or("value")),
        ),
        (None, None) => refuse(
            format!("`{name}` has parts and is not written as a whole"),
            format!("name the part: `{name}.` and one of {}", list(subs())),
        ),
        (Some(_), _) if !attribute.multi_valued => refuse(
            format!("`{name}` has one value only, there is nothing to select"),
            "leave the brackets out",
        ),
        (Some((by, _)), Some(sub)) => {
            let by = find(by)?;
            let leaf = find(sub)?;
            if by.kind == AttributeType::Boolean {
                return refuse(format!("`{}` is no text to select by", by.name), "select by `type`");
            }
            if by.name == leaf.name {
                return refuse("the selected sub-attribute is the one that is written", "write another one");
            }
            Ok(leaf)
        }
        (_, Some(sub)) => find(sub),
        // The grammar has no brackets without a sub-attribute behind them.
        (Some(_), None) => refuse(format!("`{path}` does not name the part to write"), "add `.value`"),
    }
}

fn suggestion<'a>(word: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(word, names.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("there are {}", list(names)),
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
