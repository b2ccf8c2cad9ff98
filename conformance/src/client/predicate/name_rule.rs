//! Rules on the names of attributes and schemas, wherever a request has them: members, PATCH paths, filters, parameters.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::written::{path_of, written_resource};
use super::{Broken, broken};
use crate::casing::lower_case;
use crate::client::attributes::{ENTERPRISE, ResourceKind, named};
use crate::client::filter;
use crate::client::recording::RecordedExchange;
use crate::client::trace::Knowledge;
use crate::json::get;

/// The schemas of RFC 7643 §4.
const SCHEMAS: [&str; 3] =
    ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:core:2.0:Group", ENTERPRISE];

/// A rule on names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NameRule {
    /// No URN is cut at the point of its version.
    WholeUrns,
    /// A name has one URN.
    OneUrn,
    /// A colon is between a URN and the name of an attribute.
    UrnsEndWithColon,
    /// The name of a member is the name of an attribute, without points and brackets.
    PlainMembers,
    /// The member that a URN names is an object.
    ExtensionObjects,
    /// An attribute of an extension is in the object of its extension, and one of the core schema is not.
    InTheirExtension,
    /// A path, filter or parameter names an attribute of an extension with its URN.
    WithTheirUrn,
    /// `schemas` has each URN once.
    SchemasOnce,
}

/// A name that a request has.
struct Mention<'a> {
    name: String,
    place: Place<'a>,
}

/// The place of a name.
enum Place<'a> {
    /// A member of a resource: its value, and the member that holds it.
    Member { value: &'a Value, holder: Option<&'a str> },
    /// A path of PATCH, a filter, or another parameter.
    Path,
    /// An element of `schemas`.
    Schema { is_repeated: bool },
}

impl Mention<'_> {
    fn is_urn(&self) -> bool {
        is_urn(&self.name)
    }

    /// Whether it is the rest of a URN that was cut at its point, as in `0:User`.
    fn is_rest_of_urn(&self) -> bool {
        is_rest_of_urn(&self.name)
    }
}

impl NameRule {
    /// Whether the request has a name that this is about.
    pub(super) fn applies(self, exchange: &RecordedExchange) -> bool {
        mentions(exchange).iter().any(|mention| self.is_about(mention, exchange))
    }

    pub(super) fn check(self, knowledge: &Knowledge<'_>, index: usize) -> Result<(), Broken> {
        let exchange = &knowledge.trace.exchanges[index];
        for mention in mentions(exchange).iter().filter(|mention| self.is_about(mention, exchange)) {
            let judged = self.judge(mention);
            if judged.is_err() && !is_returned(mention, knowledge, index) {
                return judged;
            }
        }
        Ok(())
    }

    fn is_about(self, mention: &Mention<'_>, exchange: &RecordedExchange) -> bool {
        let of_user = ResourceKind::of(exchange) == Some(ResourceKind::User);
        match (self, &mention.place) {
            (Self::WholeUrns, _) | (Self::UrnsEndWithColon, Place::Member { .. } | Place::Path) => {
                mention.is_urn() || self == Self::WholeUrns && mention.is_rest_of_urn()
            }
            (Self::OneUrn, Place::Member { .. } | Place::Path) => mention.is_urn(),
            (Self::PlainMembers, Place::Member { .. }) => !mention.is_urn() && !mention.is_rest_of_urn(),
            (Self::ExtensionObjects, Place::Member { holder: None, .. }) => mention.is_urn(),
            (Self::InTheirExtension, Place::Member { holder: None, .. }) => {
                let is_core = SCHEMAS[..2].iter().any(|urn| urn.eq_ignore_ascii_case(&mention.name));
                is_core || of_user && is_enterprise(&mention.name) && has_known_schemas(exchange)
            }
            (Self::InTheirExtension, Place::Member { holder: Some(holder), .. }) => {
                of_user && holder.eq_ignore_ascii_case(ENTERPRISE)
            }
            (Self::WithTheirUrn, Place::Path) => {
                of_user && is_enterprise(mention.name.split('.').next().unwrap_or_default())
            }
            (Self::SchemasOnce, Place::Schema { .. }) => true,
            _ => false,
        }
    }

    fn judge(self, mention: &Mention<'_>) -> Result<(), Broken> {
        let name = mention.name.as_str();
        match (self, &mention.place) {
            (Self::WholeUrns, place) => {
                let holds_rest = match place {
                    Place::Member { value: Value::Object(members), .. } => {
                        members.keys().any(|name| is_rest_of_urn(name))
                    }
                    _ => false,
                };
                match SCHEMAS.iter().find(|urn| is_cut(name, urn)) {
                    Some(urn) => broken(format!("`{name}` is a part of a URN"), *urn, name),
                    None if holds_rest => broken(format!("`{name}` is a part of a URN"), "the URN", name),
                    None => Ok(()),
                }
            }
            (Self::OneUrn, place) => {
                let is_inside = matches!(place, Place::Member { holder: Some(holder), .. } if is_urn(holder));
                let others = [":urn:", ".urn:"].iter().any(|start| lower_case(name).contains(start));
                if is_inside || others {
                    broken(format!("`{name}` has a URN twice"), "the URN once, then the name", name)
                } else {
                    Ok(())
                }
            }
            (Self::UrnsEndWithColon, _) => {
                let wrong = SCHEMAS.iter().find(|urn| {
                    let rest = name.get(..urn.len()).filter(|head| head.eq_ignore_ascii_case(urn));
                    rest.is_some() && name[urn.len()..].starts_with(['.', '/', '#'])
                });
                match wrong {
                    Some(urn) => broken(
                        format!("no colon is between URN and name in `{name}`"),
                        format!("{urn}:{}", &name[urn.len() + 1..]),
                        name,
                    ),
                    None => Ok(()),
                }
            }
            (Self::PlainMembers, _) => {
                let mut letters = name.chars();
                let first = letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '$');
                if first && letters.all(|next| next.is_ascii_alphanumeric() || "-_".contains(next)) {
                    Ok(())
                } else {
                    broken(
                        format!("`{name}` is no name of an attribute"),
                        "one member for each attribute",
                        name,
                    )
                }
            }
            (Self::ExtensionObjects, Place::Member { value, .. })
                if !(value.is_object() || value.is_null()) =>
            {
                broken(
                    format!("`{name}` is no object"),
                    "an object, named by the URN alone",
                    (*value).clone(),
                )
            }
            (Self::InTheirExtension, Place::Member { holder: None, .. }) => {
                if mention.is_urn() {
                    broken(
                        format!("`{name}` holds attributes of the core schema"),
                        "members of the resource",
                        name,
                    )
                } else {
                    broken(
                        format!("`{name}` is beside its extension"),
                        format!("a member of {ENTERPRISE}"),
                        name,
                    )
                }
            }
            (Self::InTheirExtension, _) if !is_enterprise(name) => {
                match named(ResourceKind::User.attributes(), name) {
                    Some(_) => broken(
                        format!("`{name}` is in the enterprise extension"),
                        "a member of the resource",
                        name,
                    ),
                    None => Ok(()),
                }
            }
            (Self::WithTheirUrn, _) => {
                broken(format!("`{name}` has no URN"), format!("{ENTERPRISE}:{name}"), name)
            }
            (Self::SchemasOnce, Place::Schema { is_repeated: true }) => {
                broken(format!("`schemas` has {name} twice"), "each URN once", name)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::WholeUrns => "has whole URNs",
            Self::OneUrn => "has one URN in a name",
            Self::UrnsEndWithColon => "has a colon between a URN and the name behind it",
            Self::PlainMembers => "has members with names of attributes",
            Self::ExtensionObjects => "has an object for each extension",
            Self::InTheirExtension => "has attributes of an extension in the object of the extension only",
            Self::WithTheirUrn => "names attributes of an extension with their URN",
            Self::SchemasOnce => "has each URN once in schemas",
        }
    }
}

/// Whether a PUT sends the member as the server gave it last, which is no fault of the client.
fn is_returned(mention: &Mention<'_>, knowledge: &Knowledge<'_>, index: usize) -> bool {
    let Place::Member { value, .. } = mention.place else { return false };
    knowledge
        .replaced(index)
        .and_then(|resource| get(resource, &mention.name))
        .is_some_and(|known| known == value)
}

fn is_urn(name: &str) -> bool {
    name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
}

fn is_rest_of_urn(name: &str) -> bool {
    let rest = name.trim_start_matches(|first: char| first.is_ascii_digit());
    rest.len() < name.len() && rest.starts_with(':')
}

/// Whether a name is the part of a URN before its point.
fn is_cut(name: &str, urn: &str) -> bool {
    urn.split_once('.').is_some_and(|(before, _)| before.eq_ignore_ascii_case(name))
}

fn is_enterprise(name: &str) -> bool {
    named(ResourceKind::User.attributes_of(ENTERPRISE), name).is_some()
}

/// Whether the body names no schema that may have attributes with the same names as the enterprise extension.
fn has_known_schemas(exchange: &RecordedExchange) -> bool {
    let body = exchange.body.as_ref().filter(|_| exchange.method != "PATCH");
    let listed = body.and_then(|body| get(body, "schemas")).and_then(Value::as_array);
    let is_known = |urn: &Value| {
        urn.as_str().is_some_and(|urn| SCHEMAS.iter().any(|known| known.eq_ignore_ascii_case(urn)))
    };
    listed.is_none_or(|all| all.iter().all(is_known))
}

/// Returns the names that a request has.
fn mentions(exchange: &RecordedExchange) -> Vec<Mention<'_>> {
    let mut all = Vec::new();
    let listed = exchange.body.as_ref().and_then(|body| get(body, "schemas")).and_then(Value::as_array);
    let listed: Vec<&str> = listed.into_iter().flatten().filter_map(Value::as_str).collect();
    for (at, name) in listed.iter().enumerate() {
        let is_repeated = listed[..at].iter().any(|before| before.eq_ignore_ascii_case(name));
        all.push(Mention { name: (*name).to_owned(), place: Place::Schema { is_repeated } });
    }
    if let Some(resource) = written_resource(exchange).filter(|_| ResourceKind::of(exchange).is_some()) {
        members(resource, None, &mut all);
    }
    for operation in exchange.operations() {
        let path = path_of(operation);
        if let Some(path) = path {
            let name = path.split('[').next().unwrap_or(path).trim().to_owned();
            all.push(Mention { name, place: Place::Path });
        }
        if let Some(value) = get(operation, "value") {
            members(value, path, &mut all);
        }
    }
    let filter = exchange.parameter("filter").and_then(|text| filter::filter(&text).ok());
    let mut names: Vec<String> = Vec::new();
    for comparison in filter.into_iter().flat_map(|filter| filter.comparisons) {
        // Inside brackets it is the name of a sub-attribute.
        names.push(comparison.within.unwrap_or(comparison.attribute));
    }
    for parameter in ["attributes", "excludedAttributes", "sortBy"] {
        let listed = exchange.parameter(parameter).unwrap_or_default();
        names.extend(listed.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()));
    }
    all.extend(names.into_iter().map(|name| Mention { name, place: Place::Path }));
    all
}

fn members<'a>(value: &'a Value, holder: Option<&'a str>, all: &mut Vec<Mention<'a>>) {
    match value {
        Value::Array(elements) => {
            for element in elements {
                members(element, holder, all);
            }
        }
        Value::Object(object) => {
            for (name, value) in object {
                all.push(Mention { name: name.clone(), place: Place::Member { value, holder } });
                members(value, Some(name), all);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::predicate::Predicate;
    use crate::client::predicate::tests::verdict;
    use crate::client::recording::read;

    #[track_caller]
    fn check(rule: NameRule, request: &str, body: Value, expected: Option<bool>) {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let mut entry = json!({ "method": method, "path": format!("/scim{path}"), "status": 200 });
        entry["requestBody"] = body;
        let exchanges = read(&entry.to_string()).expect("a journal").exchanges;
        let is_fine = verdict(&exchanges, &Predicate::Names(rule));
        assert_eq!(is_fine, expected, "{rule:?} {entry}");
    }

    fn replace(path: &str) -> Value {
        json!({ "Operations": [{ "op": "replace", "path": path, "value": "x" }] })
    }

    #[test]
    fn urns_are_judged_in_bodies_paths_and_parameters() {
        let urn = ENTERPRISE;
        let cut = "urn:ietf:params:scim:schemas:extension:enterprise:2";
        let twice = format!("{urn}:{urn}:department");
        let by_point = format!("{urn}.department");
        for (rule, bad) in [
            (NameRule::WholeUrns, json!({ cut: { "0:User": { "department": "x" } } })),
            (NameRule::WholeUrns, json!({ "urn:example:acme:2": { "0:User:badge": "x" } })),
            (NameRule::OneUrn, json!({ urn: { format!("{urn}:department"): "x" } })),
            (NameRule::OneUrn, json!({ twice.as_str(): "x" })),
            (NameRule::UrnsEndWithColon, json!({ by_point.as_str(): "x" })),
            (NameRule::ExtensionObjects, json!({ format!("{urn}:department"): "x" })),
            (NameRule::InTheirExtension, json!({ "department": "x" })),
            (NameRule::InTheirExtension, json!({ urn: { "title": "x" } })),
            (NameRule::InTheirExtension, json!({ SCHEMAS[0]: { "userName": "x" } })),
            (NameRule::PlainMembers, json!({ "name.familyName": "x" })),
            (NameRule::PlainMembers, json!({ "emails[type eq \"work\"].value": "x" })),
            (NameRule::PlainMembers, json!({ "name": { "family name": "x" } })),
        ] {
            check(rule, "POST /Users", bad.clone(), Some(false));
            let patch = json!({ "Operations": [{ "op": "add", "value": bad }] });
            check(rule, "PATCH /Users/7", patch, Some(false));
        }
        let body = json!({ "schemas": [SCHEMAS[0], urn], "userName": "x", "name": { "familyName": "x" },
            "manager-of": [{ "$ref": "x" }], urn: { "department": "x", "badge": "7" } });
        for rule in [
            NameRule::WholeUrns,
            NameRule::OneUrn,
            NameRule::UrnsEndWithColon,
            NameRule::ExtensionObjects,
            NameRule::InTheirExtension,
            NameRule::PlainMembers,
            NameRule::SchemasOnce,
        ] {
            check(rule, "POST /Users", body.clone(), Some(true));
        }
        for (rule, path, expected) in [
            (NameRule::WholeUrns, cut, Some(false)),
            (NameRule::OneUrn, twice.as_str(), Some(false)),
            (NameRule::UrnsEndWithColon, by_point.as_str(), Some(false)),
            (NameRule::UrnsEndWithColon, urn, Some(true)),
            (NameRule::WithTheirUrn, "manager.value", Some(false)),
            (NameRule::WithTheirUrn, "urn:example:2.0:User:department", None),
            (NameRule::WithTheirUrn, "title", None),
        ] {
            check(rule, "PATCH /Users/7", replace(path), expected);
        }
        let filter = "GET /Users?filter=department%20eq%20%22x%22";
        check(NameRule::WithTheirUrn, filter, Value::Null, Some(false));
        check(NameRule::WithTheirUrn, &filter.replace("Users", "Groups"), Value::Null, None);
        check(NameRule::OneUrn, &format!("GET /Users?attributes=userName,{twice}"), Value::Null, Some(false));
        let path = json!({ "Operations": [{ "op": "add", "path": "emails", "value": [{ "a.b": 1 }] }] });
        check(NameRule::PlainMembers, "PATCH /Users/7", path, Some(false));
    }

    #[test]
    fn attributes_of_other_schemas_are_left_alone() {
        let own = json!({ "schemas": [SCHEMAS[0], "urn:example:2.0:Staff"], "department": "x" });
        check(NameRule::InTheirExtension, "POST /Users", own, None);
        check(NameRule::InTheirExtension, "POST /Groups", json!({ "department": "x" }), None);
        check(NameRule::PlainMembers, "POST /Bulk", json!({ "a.b": 1 }), None);
        check(NameRule::SchemasOnce, "POST /Users", json!({ "schemas": ["a", "A"] }), Some(false));
    }

    #[test]
    fn member_that_the_server_gave_may_be_sent_back() {
        let given = json!({ "id": "7", "department": "x" });
        let entries = json!([
            { "method": "GET", "path": "/scim/Users/7", "status": 200, "responseBody": given },
            { "method": "PUT", "path": "/scim/Users/7", "status": 200, "requestBody": given },
        ]);
        let exchanges = read(&entries.to_string()).expect("a journal").exchanges;
        let rule = NameRule::InTheirExtension;
        let is_fine = verdict(&exchanges, &Predicate::Names(rule));
        assert_eq!(is_fine, Some(true));
    }
}
