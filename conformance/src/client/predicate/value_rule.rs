//! Rules on the values that a request writes to attributes of RFC 7643 §4. What a PUT sends back as the server gave it is
//! no fault of the client.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::written::{Target, Written, values_of, written};
use super::{Broken, broken};
use crate::client::attributes::{Kind, ResourceKind};
use crate::client::recording::RecordedExchange;
use crate::client::trace::Knowledge;
use crate::json::get;
use crate::transcript::REDACTED;

/// Texts that a program writes for a value that it does not have.
const PLACEHOLDERS: [&str; 3] = ["undefined", "[object Object]", "NaN"];

/// A rule on written values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ValueRule {
    /// An attribute with one value has no list.
    Single,
    /// An attribute with several values has a list, in a resource.
    Lists,
    /// An attribute with several values gets a list from a PATCH operation whose path names all of it.
    ListsByPath,
    /// Complex values are objects; `manager` has a rule of its own.
    Objects,
    /// `manager` is an object that says whose id it is.
    Managers,
    /// Texts are texts.
    Texts,
    /// `primary` is true or false.
    Booleans,
    /// At most one value of a list is primary.
    OnePrimary,
    /// The elements of a list have a value.
    Elements,
    /// A list has each pair of type and value once.
    NoRepetitions,
    /// No text is what a program writes for a missing value.
    NoPlaceholders,
    /// Members of groups and managers are named by their id, not by their user name.
    Ids,
    /// The country of an address is a code of two letters.
    Countries,
    /// `locale` and `preferredLanguage` have language tags.
    LanguageTags,
    /// `timezone` is a name of the time zone database.
    TimeZones,
    /// The value of an e-mail address has the form of one.
    MailAddresses,
}

impl ValueRule {
    /// Whether the request writes a value that this is about.
    pub(super) fn applies(self, exchange: &RecordedExchange) -> bool {
        written(exchange).iter().any(|value| self.is_about(value))
    }

    pub(super) fn check(self, knowledge: &Knowledge<'_>, index: usize) -> Result<(), Broken> {
        let exchange = &knowledge.trace.exchanges[index];
        for value in written(exchange).iter().filter(|value| self.is_about(value)) {
            let judged = if self == Self::Ids { id(value, knowledge) } else { self.judge(value) };
            if judged.is_err() && !is_returned(value, knowledge, index) {
                return judged;
            }
        }
        Ok(())
    }

    fn is_about(self, written: &Written<'_>) -> bool {
        let name = written.attribute.name;
        let is_whole_list = written.is_whole_list();
        let is_complex = matches!(written.attribute.kind, Kind::Complex(_));
        match self {
            // `boolean-active` judges it.
            Self::Single => !is_whole_list && name != "active",
            Self::Lists => is_whole_list && written.target == Target::Member,
            Self::ListsByPath => is_whole_list && written.target == Target::Path,
            Self::Objects => is_complex && name != "manager",
            Self::Managers => name == "manager",
            Self::Texts | Self::NoPlaceholders => matches!(written.attribute.kind, Kind::Text),
            Self::Booleans => name == "primary",
            Self::Ids => matches!(written.path.as_str(), "members.value" | "manager.value"),
            Self::Countries => written.path == "addresses.country",
            Self::LanguageTags => matches!(name, "locale" | "preferredLanguage"),
            Self::TimeZones => name == "timezone",
            Self::MailAddresses => written.path == "emails.value",
            Self::OnePrimary | Self::NoRepetitions => is_whole_list && written.value.is_array(),
            // An address has no `value`.
            Self::Elements => {
                is_whole_list && written.value.is_array() && written.attribute.part("value").is_some()
            }
        }
    }

    fn judge(self, written: &Written<'_>) -> Result<(), Broken> {
        let (path, value) = (&written.path, written.value);
        match self {
            Self::Single if value.is_array() => {
                broken(format!("{path} has one value, and a list is sent"), "one value", value.clone())
            }
            Self::Lists | Self::ListsByPath if !value.is_array() => {
                broken(format!("{path} is no list"), "an array", value.clone())
            }
            Self::Objects | Self::Managers => {
                // A list in place of one value, and the reverse, are told by other rules.
                let is_other = |value: &&&Value| !(value.is_object() || value.is_null() || value.is_array());
                let elements = written.elements();
                let is_other_list = written.is_whole_list() && !value.is_array();
                if let Some(other) = elements.iter().find(is_other).filter(|_| !is_other_list) {
                    return broken(format!("{path} is no object"), "an object", (**other).clone());
                }
                let is_named = ["value", "$ref"].iter().any(|name| get(value, name).is_some());
                if self == Self::Managers && value.is_object() && !is_named {
                    return broken(format!("{path} does not say whose id it is"), "value", value.clone());
                }
                Ok(())
            }
            Self::Texts if !(value.is_string() || value.is_array()) => {
                broken(format!("{path} is no text"), "a text", value.clone())
            }
            Self::Booleans if !(value.is_boolean() || value.is_array()) => {
                broken(format!("{path} is not true or false"), "true or false", value.clone())
            }
            Self::OnePrimary => {
                let elements = written.elements();
                let primary = |element: &&&Value| {
                    get(element, "primary").is_some_and(|primary| match primary {
                        Value::Bool(is_primary) => *is_primary,
                        Value::String(text) => text.eq_ignore_ascii_case("true"),
                        _ => false,
                    })
                };
                match elements.iter().filter(primary).count() {
                    0 | 1 => Ok(()),
                    count => broken(
                        format!("{path} has {count} primary values"),
                        "at most one primary value",
                        value.clone(),
                    ),
                }
            }
            Self::Elements => {
                let says = |element: &&Value, name: &str| {
                    get(element, name).is_some_and(|value| match value {
                        Value::String(text) => !text.trim().is_empty(),
                        other => !other.is_null(),
                    })
                };
                let elements = written.elements();
                let empty = elements
                    .iter()
                    .find(|element| element.is_object() && !says(element, "value") && !says(element, "$ref"));
                match empty {
                    Some(empty) => {
                        broken(format!("an element of {path} has no value"), "value", (**empty).clone())
                    }
                    None => Ok(()),
                }
            }
            Self::NoRepetitions => {
                let mut seen: Vec<(Option<&Value>, &Value)> = Vec::new();
                for element in written.elements() {
                    let Some(value) = get(element, "value") else { continue };
                    let pair = (get(element, "type"), value);
                    if seen.contains(&pair) {
                        return broken(format!("{path} has a value twice"), "each value once", value.clone());
                    }
                    seen.push(pair);
                }
                Ok(())
            }
            Self::NoPlaceholders => match value.as_str().filter(|text| PLACEHOLDERS.contains(text)) {
                Some(text) => broken(format!("{path} is `{text}`"), "a value, or none", text),
                None => Ok(()),
            },
            Self::Countries => of_form(written, "a code such as DE", |text| {
                text.len() == 2 && text.chars().all(|letter| letter.is_ascii_alphabetic())
            }),
            Self::LanguageTags => of_form(written, "a language tag such as en-US", |text| {
                // `preferredLanguage` may have several, with weights.
                text.chars().all(|sign| sign.is_ascii_alphanumeric() || "-,;=.* ".contains(sign))
            }),
            Self::TimeZones => of_form(written, "a name such as Europe/Berlin", |text| {
                text.chars().all(|sign| sign.is_ascii_alphanumeric() || "/_+-".contains(sign))
            }),
            Self::MailAddresses => of_form(written, "an address with an @", |text| {
                let parts = text.rsplit_once('@');
                parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
                    || text.contains(REDACTED)
            }),
            Self::Single | Self::Lists | Self::ListsByPath | Self::Texts | Self::Booleans | Self::Ids => {
                Ok(())
            }
        }
    }

    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Single => "sends no list for an attribute with one value",
            Self::Lists => "sends a list for an attribute with several values",
            Self::ListsByPath => {
                "sends a list where the path of an operation names an attribute with several values"
            }
            Self::Objects => "sends objects for complex attributes",
            Self::Managers => "sends manager as an object with the id of a user",
            Self::Texts => "sends texts for attributes of text",
            Self::Booleans => "sends true or false for primary",
            Self::OnePrimary => "has at most one primary value in a list",
            Self::Elements => "has a value in each element of a list",
            Self::NoRepetitions => "has each value of a list once",
            Self::NoPlaceholders => "has no text in place of a missing value",
            Self::Ids => "names members and managers by their id",
            Self::Countries => "has countries as codes of two letters",
            Self::LanguageTags => "has language tags as locale and preferredLanguage",
            Self::TimeZones => "has names of the time zone database as timezone",
            Self::MailAddresses => "has an @ in each e-mail address",
        }
    }
}

/// Checks that a text that is not blank has a form.
fn of_form(written: &Written<'_>, expected: &str, is_fine: impl Fn(&str) -> bool) -> Result<(), Broken> {
    match written.value.as_str().filter(|text| !text.trim().is_empty() && !is_fine(text)) {
        Some(text) => broken(format!("{} is `{text}`", written.path), expected, text),
        None => Ok(()),
    }
}

/// Checks that a text is no user name that answers had, unless it is an id too.
fn id(written: &Written<'_>, knowledge: &Knowledge<'_>) -> Result<(), Broken> {
    match written.value.as_str().filter(|text| knowledge.is_user_name_only(text)) {
        Some(text) => {
            broken(format!("{} is the user name `{text}`", written.path), "the id of the user", text)
        }
        None => Ok(()),
    }
}

/// Whether a PUT sends the value as the server gave it last.
fn is_returned(value: &Written<'_>, knowledge: &Knowledge<'_>, index: usize) -> bool {
    let kind = ResourceKind::of(&knowledge.trace.exchanges[index]);
    let returned = knowledge.replaced(index).zip(kind).map(|(resource, kind)| values_of(kind, resource));
    returned.into_iter().flatten().any(|known| known.path == value.path && known.value == value.value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::predicate::Predicate;
    use crate::client::predicate::tests::verdict;
    use crate::client::recording::read;

    #[track_caller]
    fn check(rule: ValueRule, method: &str, path: &str, body: Value, expected: Option<bool>) {
        let mut entry = json!({ "method": method, "path": path, "status": 200 });
        entry["requestBody"] = body;
        let exchanges = read(&entry.to_string()).expect("a journal").exchanges;
        let is_fine = verdict(&exchanges, &Predicate::Values(rule));
        assert_eq!(is_fine, expected, "{rule:?} {entry}");
    }

    fn op(path: &str, value: Value) -> Value {
        let mut operation = json!({ "op": "replace", "path": path });
        operation["value"] = value;
        json!({ "Operations": [operation] })
    }

    const URN: &str = crate::client::attributes::ENTERPRISE;

    #[test]
    fn values_of_other_shapes_are_found_in_resources() {
        for (rule, bad, good) in [
            (ValueRule::Single, json!({"displayName": ["x"]}), json!({"displayName": "x"})),
            (ValueRule::Single, json!({"name": [{"givenName": "x"}]}), json!({"name": {"givenName": "x"}})),
            (ValueRule::Lists, json!({"emails": {"value": "a"}}), json!({"emails": [{"value": "a"}]})),
            (ValueRule::Objects, json!({"emails": ["a"]}), json!({"emails": [{"value": "a"}]})),
            (ValueRule::Objects, json!({"name": "Ada"}), json!({"name": {"formatted": "Ada"}})),
            (ValueRule::Managers, json!({URN: {"manager": "7"}}), json!({URN: {"manager": {"value": "7"}}})),
            (
                ValueRule::Managers,
                json!({URN: {"manager": {"managerId": "7"}}}),
                json!({URN: {"manager": {"$ref": "7"}}}),
            ),
            (ValueRule::Texts, json!({URN: {"employeeNumber": 7}}), json!({URN: {"employeeNumber": "7"}})),
            (
                ValueRule::Booleans,
                json!({"emails": [{"primary": "true"}]}),
                json!({"emails": [{"primary": true}]}),
            ),
            (
                ValueRule::OnePrimary,
                json!({"emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}),
                json!({"emails": [{"value": "a", "primary": true}, {"value": "b", "primary": false}]}),
            ),
            (
                ValueRule::Elements,
                json!({"emails": [{"type": "work", "value": ""}]}),
                json!({"emails": [{"value": "a"}]}),
            ),
            (
                ValueRule::NoRepetitions,
                json!({"emails": [{"value": "a", "type": "work"}, {"value": "a", "type": "work"}]}),
                json!({"emails": [{"value": "a", "type": "work"}, {"value": "a", "type": "home"}]}),
            ),
            (
                ValueRule::NoPlaceholders,
                json!({"title": "undefined"}),
                json!({"name": {"familyName": "Null"}}),
            ),
        ] {
            check(rule, "POST", "/scim/Users", bad.clone(), Some(false));
            check(rule, "PUT", "/scim/Users/7", good, Some(true));
            check(
                rule,
                "PATCH",
                "/scim/Users/7",
                json!({"Operations": [{"op": "add", "value": bad}]}),
                Some(false),
            );
        }
        check(ValueRule::Managers, "POST", "/scim/Users", json!({"title": "x"}), None);
        check(ValueRule::Single, "POST", "/scim/Users", json!({"displayName": null, "active": [true]}), None);
        check(
            ValueRule::Texts,
            "POST",
            "/scim/Users",
            json!({"title": null, "urn:example:2.0:User": {"title": 7}}),
            None,
        );
        check(ValueRule::Objects, "POST", "/scim/Groups", json!({"members": ["7"]}), Some(false));
        check(ValueRule::Elements, "POST", "/scim/Users", json!({"addresses": [{"locality": "Ulm"}]}), None);
    }

    #[test]
    fn values_of_other_shapes_are_found_behind_paths() {
        let urn = |name: &str| format!("{URN}:{name}");
        for (rule, path, value, expected) in [
            (ValueRule::Managers, urn("manager"), json!("7"), Some(false)),
            (ValueRule::Managers, urn("manager.value"), json!("7"), None),
            (ValueRule::Managers, urn("manager"), json!({"value": "7"}), Some(true)),
            (ValueRule::Managers, URN.to_owned(), json!({"manager": "7"}), Some(false)),
            (ValueRule::Single, "displayName".to_owned(), json!(["x"]), Some(false)),
            (ValueRule::Single, "emails[type eq \"work\"]".to_owned(), json!([{"value": "a"}]), Some(false)),
            (ValueRule::Single, "emails".to_owned(), json!([]), None),
            (ValueRule::ListsByPath, "emails".to_owned(), json!({"value": "a"}), Some(false)),
            (ValueRule::ListsByPath, "emails[type eq \"work\"]".to_owned(), json!({"value": "a"}), None),
            (ValueRule::Lists, "emails".to_owned(), json!({"value": "a"}), None),
            (ValueRule::Objects, "emails".to_owned(), json!("a"), Some(true)),
            (ValueRule::Elements, "emails[type eq \"work\"]".to_owned(), json!({"type": "home"}), None),
            (ValueRule::Texts, "title".to_owned(), json!(7), Some(false)),
        ] {
            check(rule, "PATCH", "/scim/Users/7", op(&path, value), expected);
        }
        let remove = json!({"Operations": [{"op": "Remove", "path": "members", "value": {"value": "7"}}]});
        check(ValueRule::ListsByPath, "PATCH", "/scim/Groups/7", remove, None);
    }

    #[test]
    fn value_that_the_server_gave_may_be_sent_back() {
        let given = json!({"id": "7", URN: {"employeeNumber": 5}});
        let verdict_of = |sent: Value| {
            let entries = json!([
                {"method": "GET", "path": "/scim/Users/7", "status": 200, "responseBody": given},
                {"method": "PUT", "path": "/scim/Users/7", "status": 200, "requestBody": sent},
            ]);
            let exchanges = read(&entries.to_string()).expect("a journal").exchanges;
            verdict(&exchanges, &Predicate::Values(ValueRule::Texts))
        };
        assert_eq!(verdict_of(json!({"id": "7", URN: {"employeeNumber": 5}})), Some(true));
        assert_eq!(verdict_of(json!({"id": "7", URN: {"employeeNumber": 6}})), Some(false));
    }
    #[test]
    fn user_name_is_no_id() {
        let verdict_of = |id: &str, value: &str| {
            let operations =
                json!({"Operations": [{"op": "add", "path": "members", "value": [{"value": value}]}]});
            let entries = json!([
                {"method": "GET", "path": "/scim/Users/7", "status": 200, "responseBody": {"id": id, "userName": "Ada"}},
                {"method": "PATCH", "path": "/scim/Groups/7", "status": 200, "requestBody": operations},
            ]);
            let exchanges = read(&entries.to_string()).expect("a journal").exchanges;
            verdict(&exchanges, &Predicate::Values(ValueRule::Ids))
        };
        assert_eq!(verdict_of("7", "ada"), Some(false));
        assert_eq!(verdict_of("7", "7"), Some(true));
        assert_eq!(verdict_of("Ada", "Ada"), Some(true));
        assert_eq!(verdict_of("7", "bulkId:1"), Some(true));
    }
}
