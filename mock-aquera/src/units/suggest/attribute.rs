//! Suggestions for attribute names: misspellings, and the names that other systems use.

use scim::path::AttrPath;
use scim::schema::SchemaSet;

use super::nearest;

/// SCIM attributes and the names that clients use for them, in lower case, without `_` and `-`.
const OTHER_NAMES: &[(&str, &[&str])] = &[
    ("name.givenName", &["firstname", "forename", "fname"]),
    ("name.familyName", &["lastname", "surname", "lname"]),
    ("displayName", &["fullname", "name"]),
    ("emails", &["email", "mail", "emailaddress"]),
    ("phoneNumbers", &["phone", "mobile", "mobilephone", "telephonenumber"]),
    ("userName", &["login", "user"]),
    ("active", &["enabled", "isactive", "status"]),
    ("title", &["jobtitle"]),
    ("preferredLanguage", &["language"]),
    ("members", &["users"]),
];

/// Sub-attributes and the names that clients use for them, in lower case.
const PART_NAMES: &[(&str, &str, &[&str])] = &[
    ("name", "givenName", &["first", "given"]),
    ("name", "familyName", &["last", "family"]),
    ("name", "middleName", &["middle"]),
    ("name", "formatted", &["full", "fullname", "display"]),
    ("name", "honorificPrefix", &["prefix"]),
    ("name", "honorificSuffix", &["suffix"]),
    ("emails", "value", &["address", "email"]),
    ("phoneNumbers", "value", &["number", "phone"]),
    ("addresses", "streetAddress", &["street"]),
    ("addresses", "locality", &["city"]),
    ("addresses", "region", &["state"]),
    ("addresses", "postalCode", &["zip"]),
    ("members", "value", &["id"]),
    ("manager", "value", &["id"]),
];

/// Returns the attribute path that `place` is most likely a misspelling of, or another name for.
pub(crate) fn attribute_name(schemas: &SchemaSet, place: &str) -> Option<String> {
    // What a filter compares with may have dots of its own.
    let without_filter = place.contains('"').then(|| without_positions(place));
    let place = without_filter.as_deref().unwrap_or(place);
    let (parent, leaf) = match place.rfind(['.', ':']) {
        // A URN has dots of its own: what stands behind its last colon is a name.
        Some(at) => place.split_at(at + 1),
        None => ("", place),
    };
    let written: String = leaf.chars().filter(|sign| !matches!(sign, '_' | '-')).collect();
    let schema = schemas.extension(parent.strip_suffix(':').unwrap_or(parent));
    let found = match schema {
        Some(extension) => nearest(&written, extension.attributes().iter().map(|attr| attr.name.as_str())),
        None if parent.is_empty() => return at_top(schemas, &written),
        None => {
            let whole: AttrPath = without_positions(parent).trim_end_matches('.').parse().ok()?;
            let Some(attribute) = schemas.attribute(&whole) else {
                // The attribute itself is misspelt.
                return if whole.urn.is_none() { at_top(schemas, whole.name.as_str()) } else { None };
            };
            let other = part_named(attribute.name.as_str(), &written).and_then(|name| attribute.sub(name));
            let subs = attribute.sub_attributes.iter().map(|sub| sub.name.as_str());
            other.map(|sub| sub.name.as_str()).or_else(|| nearest(&written, subs))
        }
    };
    found.map(|found| format!("{parent}{found}"))
}

/// Returns the sub-attribute that clients know under another name.
fn part_named(attribute: &str, written: &str) -> Option<&'static str> {
    let lower = written.to_ascii_lowercase();
    let own = PART_NAMES.iter().find(|(of, _, others)| *of == attribute && others.contains(&&*lower));
    own.map(|(_, name, _)| *name).or_else(|| {
        let (path, _) = OTHER_NAMES.iter().find(|(_, others)| others.contains(&&*lower))?;
        path.split_once('.').filter(|(of, _)| *of == attribute).map(|(_, name)| name)
    })
}

/// Suggests for a name without a parent: other names of an attribute, attributes of core and extensions, sub-attributes
/// of single complex attributes.
fn at_top(schemas: &SchemaSet, written: &str) -> Option<String> {
    let known = |path: &str| path.parse().is_ok_and(|path| schemas.locate(&path).is_some());
    let lower = written.to_ascii_lowercase();
    let other = OTHER_NAMES.iter().find(|(path, others)| others.contains(&&*lower) && known(path));
    if let Some((path, _)) = other {
        return Some((*path).to_owned());
    }
    let mut places: Vec<(&str, String)> = Vec::new();
    for attribute in schemas.core().attributes().iter().chain(schemas.common()) {
        places.push((attribute.name.as_str(), attribute.name.to_string()));
    }
    for extension in schemas.extensions() {
        let of = |name: &str| format!("{}:{name}", extension.id());
        places.extend(extension.attributes().iter().map(|a| (a.name.as_str(), of(a.name.as_str()))));
    }
    for attribute in schemas.core().attributes().iter().filter(|a| a.is_complex() && !a.multi_valued) {
        let of = |name: &str| format!("{}.{name}", attribute.name);
        places.extend(attribute.sub_attributes.iter().map(|sub| (sub.name.as_str(), of(sub.name.as_str()))));
    }
    let found = nearest(written, places.iter().map(|(name, _)| *name))?;
    places.iter().find(|(name, _)| *name == found).map(|(_, place)| place.clone())
}

fn without_positions(place: &str) -> String {
    let mut inside = false;
    place
        .chars()
        .filter(|sign| {
            inside = *sign == '[' || (inside && *sign != ']');
            !inside && *sign != ']'
        })
        .collect()
}
