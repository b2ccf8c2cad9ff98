//! Rules on the operations of a PATCH, by the attributes that they are about.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::written::{has_op, is_remove, path_of};
use super::{Broken, broken};
use crate::casing::same_without_case;
use crate::client::attributes::{Attribute, ENTERPRISE, ResourceKind};
use crate::client::filter::{self, Filter, Path};
use crate::client::recording::{RecordedExchange, last_name};
use crate::client::trace::Knowledge;
use crate::json::{get, is_absent};

/// A rule on operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OperationRule {
    /// A `remove` names the values of a list in its path, and not in `value`.
    RemovalsByPath,
    /// A path has a filter only behind an attribute with several values.
    FiltersOnLists,
    /// A `replace` by a filter finds an element in what the server said last.
    FiltersFindValues,
    /// No operation changes `id`, `meta` or the name of the manager.
    NoReadOnly,
    /// No operation clears `userName`, or the name of a group.
    NoRequired,
    /// A list of members is named `Operations`, each with `op`, `path` and `value`.
    Spelling,
}

/// An operation, with the attribute that its path names.
struct Operation<'a> {
    value: &'a Value,
    path: Option<Path>,
    attribute: Option<&'static Attribute>,
}

fn operations(exchange: &RecordedExchange) -> Vec<Operation<'_>> {
    let kind = ResourceKind::of(exchange);
    let read = |value| {
        let path = path_of(value).and_then(|path| filter::path(path).ok());
        let attribute = path.as_ref().and_then(|path| kind?.attribute(&path.attribute));
        Operation { value, path, attribute }
    };
    exchange.operations().into_iter().map(read).collect()
}

impl Operation<'_> {
    fn filter(&self) -> Option<&Filter> {
        self.path.as_ref()?.filter.as_ref()
    }

    /// Whether the path names a known list.
    fn is_on_list(&self) -> bool {
        self.attribute.is_some_and(|attribute| attribute.is_many)
    }
}

impl OperationRule {
    /// Whether the request has an operation that this is about.
    pub(super) fn applies(self, exchange: &RecordedExchange) -> bool {
        operations(exchange).iter().any(|operation| self.is_about(operation))
    }

    pub(super) fn check(self, knowledge: &Knowledge<'_>, index: usize) -> Result<(), Broken> {
        let exchange = &knowledge.trace.exchanges[index];
        let all = operations(exchange);
        for (at, operation) in all.iter().enumerate().filter(|(_, operation)| self.is_about(operation)) {
            match self {
                Self::RemovalsByPath => removal(operation)?,
                Self::FiltersOnLists => {
                    if !operation.is_on_list() {
                        let path = path_of(operation.value).unwrap_or_default();
                        return broken(
                            format!("`{path}` filters one value"),
                            "a path without a filter",
                            path,
                        );
                    }
                }
                Self::FiltersFindValues => {
                    let before = all[..at].iter().filter_map(|before| before.attribute);
                    let is_made = before
                        .into_iter()
                        .any(|made| operation.attribute.is_some_and(|attribute| attribute.name == made.name));
                    // An operation before it may have made the element; one without a path too.
                    if !is_made && all[..at].iter().all(|before| before.path.is_some()) {
                        finds(operation, knowledge, index)?;
                    }
                }
                Self::NoReadOnly => read_only(operation, exchange)?,
                Self::NoRequired => required(operation, exchange)?,
                Self::Spelling => spelling(operation, exchange)?,
            }
        }
        Ok(())
    }

    fn is_about(self, operation: &Operation<'_>) -> bool {
        match self {
            Self::RemovalsByPath => is_remove(operation.value) && operation.is_on_list(),
            Self::FiltersOnLists => operation.filter().is_some() && operation.attribute.is_some(),
            Self::FiltersFindValues => {
                has_op(operation.value, "replace") && operation.filter().is_some() && operation.is_on_list()
            }
            Self::NoReadOnly | Self::NoRequired | Self::Spelling => true,
        }
    }

    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::RemovalsByPath => "names the values that it removes in the path",
            Self::FiltersOnLists => "has a filter in a path only behind an attribute with several values",
            Self::FiltersFindValues => "replaces by a filter only what was there when the server was asked",
            Self::NoReadOnly => "changes no attribute that only the server writes",
            Self::NoRequired => "clears no attribute that is required",
            Self::Spelling => "writes Operations, op, path and value like this",
        }
    }
}

fn removal(operation: &Operation<'_>) -> Result<(), Broken> {
    let whole = operation.path.as_ref().is_some_and(|path| path.filter.is_none() && path.sub.is_none());
    match get(operation.value, "value").filter(|value| whole && !is_absent(Some(value))) {
        Some(value) => broken(
            format!(
                "`{}` is removed with a value, which removes all",
                path_of(operation.value).unwrap_or_default()
            ),
            "a path with a filter",
            value.clone(),
        ),
        None => Ok(()),
    }
}

fn finds(operation: &Operation<'_>, knowledge: &Knowledge<'_>, index: usize) -> Result<(), Broken> {
    let exchanges = &knowledge.trace.exchanges;
    let (Some(id), Some(filter), Some(attribute)) =
        (exchanges[index].resource_id(), operation.filter(), operation.attribute)
    else {
        return Ok(());
    };
    let Some((read, resource)) = knowledge.last_read(&id, index) else { return Ok(()) };
    let parameters = ["attributes", "excludedAttributes"];
    let is_whole = parameters.iter().all(|name| exchanges[read].parameter(name).is_none());
    let is_written = exchanges[read + 1..index]
        .iter()
        .any(|between| between.is_write() && between.resource_id().as_ref() == Some(&id));
    let is_simple = filter.words.iter().all(|word| word == "and")
        && filter.comparisons.iter().all(|one| one.operator == "eq");
    if !is_whole || is_written || !is_simple {
        return Ok(());
    }
    let list = get(resource, attribute.name);
    let elements = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let fits = |element: &Value| {
        filter.comparisons.iter().all(|one| match (get(element, last_name(&one.attribute)), &one.value) {
            (Some(Value::String(has)), Some(Value::String(wanted))) => same_without_case(has, wanted),
            (has, Some(Value::Bool(false))) => has.is_none_or(|has| *has == Value::Bool(false)),
            (has, wanted) => has == wanted.as_ref(),
        })
    };
    if elements.iter().any(fits) {
        return Ok(());
    }
    let path = path_of(operation.value).unwrap_or_default();
    broken(
        format!("`{path}` replaced nothing that the server had shown"),
        format!("an element of {} that fits, or an add", attribute.name),
        list.cloned().unwrap_or_default(),
    )
}

fn read_only(operation: &Operation<'_>, exchange: &RecordedExchange) -> Result<(), Broken> {
    let given = exchange.resource_id();
    let is_same_id = |value: Option<&Value>| {
        given.is_some() && value.and_then(Value::as_str).map(ToOwned::to_owned) == given
    };
    let value = get(operation.value, "value");
    let Some(path) = &operation.path else {
        let id = value.filter(|_| path_of(operation.value).is_none()).and_then(|value| get(value, "id"));
        return match id {
            Some(id) if !is_same_id(Some(id)) => {
                broken("`id` is changed", given.map_or(Value::Null, Value::from), id.clone())
            }
            _ => Ok(()),
        };
    };
    let name = last_name(&path.attribute);
    let first = name.split('.').next().unwrap_or_default();
    // Another schema may have attributes of these names.
    let urn = path.attribute.rsplit_once(':').map(|(urn, _)| urn);
    let is_of = |known: &str| urn.is_none_or(|urn| urn.eq_ignore_ascii_case(known));
    let is_common = ResourceKind::of(exchange).is_some_and(|kind| is_of(kind.urn()));
    let is_id = first.eq_ignore_ascii_case("id") && !is_same_id(value);
    let is_manager_name = name.eq_ignore_ascii_case("manager.displayName") && is_of(ENTERPRISE);
    if is_manager_name || is_common && (is_id || first.eq_ignore_ascii_case("meta")) {
        return broken(
            format!("`{}` is changed", path.attribute),
            "an attribute that clients write",
            operation.value.clone(),
        );
    }
    Ok(())
}

fn required(operation: &Operation<'_>, exchange: &RecordedExchange) -> Result<(), Broken> {
    let name = match ResourceKind::of(exchange) {
        Some(ResourceKind::User) => "userName",
        Some(ResourceKind::Group) => "displayName",
        None => return Ok(()),
    };
    let value = get(operation.value, "value");
    let is_empty = |value: Option<&Value>| {
        value
            .is_some_and(|value| value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty()))
    };
    let is_cleared = match operation.attribute {
        Some(attribute) if attribute.name == name => is_remove(operation.value) || is_empty(value),
        Some(_) => false,
        None => path_of(operation.value).is_none() && is_empty(value.and_then(|value| get(value, name))),
    };
    if is_cleared {
        return broken(format!("`{name}` is cleared"), "a value", operation.value.clone());
    }
    Ok(())
}

fn spelling(operation: &Operation<'_>, exchange: &RecordedExchange) -> Result<(), Broken> {
    let other = |holder: &Value, known: &[&'static str]| {
        holder.as_object().into_iter().flatten().find_map(|(name, _)| {
            let meant = known.iter().find(|known| known.eq_ignore_ascii_case(name))?;
            (meant != name).then(|| (name.clone(), *meant))
        })
    };
    let wrong = exchange.body.as_ref().and_then(|body| other(body, &["schemas", "Operations"]));
    match wrong.or_else(|| other(operation.value, &["op", "path", "value"])) {
        Some((name, meant)) => broken(format!("`{meant}` is written `{name}`"), meant, name),
        None => Ok(()),
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
    fn check(rule: OperationRule, path: &str, operation: Value, expected: Option<bool>) {
        let user = json!({ "id": "7", "userName": "ada", "emails": [{ "type": "Work", "value": "a" }] });
        let mut entries = json!([
            { "method": "GET", "path": "/scim/Users/7", "status": 200, "responseBody": user },
            { "method": "PATCH", "path": format!("/scim{path}"), "status": 200 },
        ]);
        entries[1]["requestBody"]["Operations"] = Value::Array(vec![operation]);
        let exchanges = read(&entries.to_string()).expect("a journal").exchanges;
        let is_fine = verdict(&exchanges, &Predicate::Operations(rule));
        assert_eq!(is_fine, expected, "{rule:?} {entries}");
    }

    #[test]
    fn operations_are_judged_by_their_attribute() {
        let user = "/Users/7";
        for (rule, path, operation, expected) in [
            (
                OperationRule::RemovalsByPath,
                "/Groups/7",
                json!({"op": "Remove", "path": "members", "value": [{"value": "7"}]}),
                Some(false),
            ),
            (
                OperationRule::RemovalsByPath,
                "/Groups/7",
                json!({"op": "remove", "path": "members", "value": []}),
                Some(true),
            ),
            (
                OperationRule::RemovalsByPath,
                "/Groups/7",
                json!({"op": "remove", "path": "members[value eq \"7\"]"}),
                Some(true),
            ),
            (
                OperationRule::RemovalsByPath,
                user,
                json!({"op": "remove", "path": "title", "value": "x"}),
                None,
            ),
            (
                OperationRule::FiltersOnLists,
                user,
                json!({"op": "replace", "path": "name[familyName eq \"x\"].familyName", "value": "y"}),
                Some(false),
            ),
            (
                OperationRule::FiltersOnLists,
                user,
                json!({"op": "replace", "path": "emails[type eq \"work\"].value", "value": "y"}),
                Some(true),
            ),
            (
                OperationRule::FiltersOnLists,
                user,
                json!({"op": "replace", "path": "urn:example:2.0:User:desks[floor eq 1]", "value": {}}),
                None,
            ),
            (
                OperationRule::FiltersFindValues,
                user,
                json!({"op": "replace", "path": "emails[type eq \"home\"].value", "value": "y"}),
                Some(false),
            ),
            (
                OperationRule::FiltersFindValues,
                user,
                json!({"op": "replace", "path": "emails[type eq \"work\" and primary eq false].value", "value": "y"}),
                Some(true),
            ),
            (
                OperationRule::FiltersFindValues,
                user,
                json!({"op": "replace", "path": "emails[type eq \"home\" or value pr].value", "value": "y"}),
                Some(true),
            ),
            (
                OperationRule::FiltersFindValues,
                "/Users/8",
                json!({"op": "replace", "path": "emails[type eq \"home\"].value", "value": "y"}),
                Some(true),
            ),
            (
                OperationRule::FiltersFindValues,
                user,
                json!({"op": "add", "path": "emails[type eq \"home\"].value", "value": "y"}),
                None,
            ),
            (
                OperationRule::NoReadOnly,
                user,
                json!({"op": "replace", "path": "urn:example:2.0:User:id", "value": "8"}),
                Some(true),
            ),
            (
                OperationRule::NoReadOnly,
                user,
                json!({"op": "replace", "path": "id", "value": "8"}),
                Some(false),
            ),
            (
                OperationRule::NoReadOnly,
                user,
                json!({"op": "replace", "path": "meta.created", "value": "8"}),
                Some(false),
            ),
            (OperationRule::NoReadOnly, user, json!({"op": "remove", "path": "id"}), Some(false)),
            (OperationRule::NoReadOnly, user, json!({"op": "replace", "value": {"id": "8"}}), Some(false)),
            (
                OperationRule::NoReadOnly,
                user,
                json!({"op": "replace", "value": {"id": "7", "title": "x"}}),
                Some(true),
            ),
            (
                OperationRule::NoReadOnly,
                user,
                json!({"op": "replace", "path": "externalId", "value": "8"}),
                Some(true),
            ),
            (OperationRule::NoRequired, user, json!({"op": "remove", "path": "userName"}), Some(false)),
            (
                OperationRule::NoRequired,
                user,
                json!({"op": "replace", "path": "userName", "value": ""}),
                Some(false),
            ),
            (
                OperationRule::NoRequired,
                user,
                json!({"op": "replace", "value": {"userName": null}}),
                Some(false),
            ),
            (OperationRule::NoRequired, user, json!({"op": "remove", "path": "displayName"}), Some(true)),
            (
                OperationRule::NoRequired,
                "/Groups/7",
                json!({"op": "remove", "path": "displayName"}),
                Some(false),
            ),
            (
                OperationRule::NoRequired,
                user,
                json!({"op": "replace", "path": "userName", "value": "x"}),
                Some(true),
            ),
            (
                OperationRule::Spelling,
                user,
                json!({"Op": "replace", "path": "title", "value": "x"}),
                Some(false),
            ),
            (
                OperationRule::Spelling,
                user,
                json!({"op": "Replace", "path": "title", "value": "x"}),
                Some(true),
            ),
        ] {
            check(rule, path, operation, expected);
        }
    }

    #[test]
    fn element_may_come_from_an_earlier_operation_or_write() {
        let user = json!({ "id": "7", "emails": [] });
        let replace = json!({"op": "replace", "path": "emails[type eq \"work\"].value", "value": "y"});
        let entry = |method: &str, operations: Value, answer: Value| json!({ "method": method, "path": "/scim/Users/7", "status": 200, "requestBody": { "Operations": operations }, "responseBody": answer });
        let verdict_of = |entries: Value| {
            let exchanges = read(&entries.to_string()).expect("a journal").exchanges;
            let rule = OperationRule::FiltersFindValues;
            verdict(&exchanges, &Predicate::Operations(rule))
        };
        let get = json!({ "method": "GET", "path": "/scim/Users/7", "status": 200, "responseBody": user });
        let add = json!({"op": "add", "path": "emails", "value": [{"type": "work"}]});
        let without_path = json!({"op": "add", "value": {"emails": [{"type": "work"}]}});
        let alone = entry("PATCH", json!([replace]), Value::Null);
        assert_eq!(verdict_of(json!([get, alone])), Some(false));
        assert_eq!(verdict_of(json!([get, entry("PATCH", json!([add, replace]), Value::Null)])), Some(true));
        assert_eq!(
            verdict_of(json!([get, entry("PATCH", json!([without_path, replace]), Value::Null)])),
            Some(true)
        );
        assert_eq!(verdict_of(json!([get, entry("PATCH", json!([add]), Value::Null), alone])), Some(true));
        let mut partial = get.clone();
        partial["path"] = json!("/scim/Users/7?attributes=userName");
        assert_eq!(verdict_of(json!([partial, alone])), Some(true));
        let spelt = json!({ "method": "PATCH", "path": "/scim/Users/7", "status": 200, "requestBody": { "operations": [add] } });
        let exchanges = read(&json!([spelt]).to_string()).expect("a journal").exchanges;
        let rule = OperationRule::Spelling;
        let is_fine = verdict(&exchanges, &Predicate::Operations(rule));
        assert_eq!(is_fine, Some(false));
    }
}
