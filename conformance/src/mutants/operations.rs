//! Changing the operations of a PATCH (or of a bulk request). Pure.

use serde_json::{Map, Value, json};

use crate::casing::lower_case;
use crate::json::get;
use crate::json_text::JsonText;
use crate::mutants::file::{
    Change, Only, OperationCondition, OperationEdit, OperationsEdit, OrderEdit, Selects, Target, ValueKind,
};

/// The parts of a path, read roughly: it may be broken on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The path up to the attribute, a URN included.
    pub attribute: String,
    /// The filter between brackets.
    pub filter: Option<String>,
    /// The sub-attribute after the dot.
    pub sub: Option<String>,
    /// The path starts with a URN.
    pub urn: bool,
}

impl Path {
    /// Reads a path.
    pub fn parse(text: &str) -> Self {
        let urn = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"));
        let (head, filter, tail) = match (text.find('['), text.rfind(']')) {
            (Some(open), Some(close)) if open < close => {
                (&text[..open], Some(text[open + 1..close].to_owned()), &text[close + 1..])
            }
            _ => (text, None, ""),
        };
        // The dots of a URN's version are no sub-attributes.
        let name = if urn { head.rfind(':').map_or(0, |at| at + 1) } else { 0 };
        let (attribute, sub) = match head[name..].split_once('.') {
            // `…:2.0:User` alone is a URN without an attribute.
            Some((first, rest)) => (format!("{}{first}", &head[..name]), Some(rest.to_owned())),
            None => (head.to_owned(), None),
        };
        let sub = sub.or_else(|| tail.strip_prefix('.').map(ToOwned::to_owned));
        Self { attribute, filter, sub, urn }
    }

    fn text(&self) -> String {
        let mut text = self.attribute.clone();
        if let Some(filter) = &self.filter {
            append!(text, "[{filter}]");
        }
        if let Some(sub) = &self.sub {
            append!(text, ".{sub}");
        }
        text
    }

    fn name(&self) -> &str {
        if self.urn { self.attribute.rsplit(':').next().unwrap_or_default() } else { &self.attribute }
    }

    fn target(&self) -> Target {
        match (self.urn, &self.filter, &self.sub) {
            (true, ..) => Target::Urn,
            (false, None, None) => Target::Simple,
            (false, None, Some(_)) => Target::Sub,
            (false, Some(_), None) => Target::Value,
            (false, Some(_), Some(_)) => Target::ValueSub,
        }
    }
}

fn path_of(operation: &Value) -> Option<Path> {
    get(operation, "path").and_then(Value::as_str).map(Path::parse)
}

fn kind(value: Option<&Value>) -> ValueKind {
    match value {
        None => ValueKind::None,
        Some(Value::Null) => ValueKind::Null,
        Some(Value::Bool(_)) => ValueKind::Boolean,
        Some(Value::Number(_)) => ValueKind::Number,
        Some(Value::String(_)) => ValueKind::Text,
        Some(Value::Array(_)) => ValueKind::Array,
        Some(Value::Object(_)) => ValueKind::Object,
    }
}

/// Whether a change means an operation.
pub(crate) fn means(change: &Change, operation: &Value) -> bool {
    let word = get(operation, "op").or_else(|| get(operation, "method")).and_then(Value::as_str);
    let path = path_of(operation);
    let value = get(operation, "value");
    change.operation.iter().all(|condition| match condition {
        OperationCondition::Op(wanted) => word.is_some_and(|word| word.eq_ignore_ascii_case(wanted)),
        OperationCondition::Target(wanted) => *wanted == path.as_ref().map_or(Target::None, Path::target),
        OperationCondition::Attribute(wanted) => match &path {
            Some(path) => path.name().eq_ignore_ascii_case(wanted),
            None => value.is_some_and(|value| get(value, wanted).is_some()),
        },
        OperationCondition::Value(wanted) => *wanted == kind(value),
    })
}

/// Returns the operations after a change. `current` is the resource as it is, if the change needs it.
pub(crate) fn changed(change: &Change, operations: &[Value], current: Option<&Value>) -> Vec<Value> {
    let mut changed = Vec::new();
    for operation in operations {
        if means(change, operation) {
            one(&change.operations, operation, current, &mut changed);
        } else {
            changed.push(operation.clone());
        }
    }
    for edit in &change.operations {
        match edit {
            OperationsEdit::Order(OrderEdit::Reverse) => changed.reverse(),
            OperationsEdit::Only(Only::First) => changed.truncate(1),
            OperationsEdit::Only(Only::Last) => {
                changed.drain(..changed.len().saturating_sub(1));
            }
            OperationsEdit::SetOp(_)
            | OperationsEdit::SetValue(_)
            | OperationsEdit::SetOperationPath(_)
            | OperationsEdit::Operation(_)
            | OperationsEdit::Selects(_) => {}
        }
    }
    changed
}

fn one(edits: &[OperationsEdit], operation: &Value, current: Option<&Value>, changed: &mut Vec<Value>) {
    let mut operation = operation.clone();
    for edit in edits {
        match edit {
            OperationsEdit::SetOp(op) => operation["op"] = json!(op),
            OperationsEdit::SetValue(JsonText(value)) => operation["value"] = value.clone(),
            OperationsEdit::SetOperationPath(path) => operation["path"] = json!(path),
            OperationsEdit::Operation(OperationEdit::Skip) => return,
            OperationsEdit::Operation(edit) => edit_operation(*edit, &mut operation, changed),
            OperationsEdit::Selects(selects) => return select(*selects, &operation, current, changed),
            OperationsEdit::Order(_) | OperationsEdit::Only(_) => {}
        }
    }
    changed.push(operation);
}

fn edit_operation(edit: OperationEdit, operation: &mut Value, changed: &mut Vec<Value>) {
    let path = path_of(operation);
    match edit {
        OperationEdit::Skip => {}
        OperationEdit::DropPath => remove(operation, "path"),
        OperationEdit::DropFilter => {
            if let Some(path) = path {
                operation["path"] = json!(Path { filter: None, ..path }.text());
            }
        }
        OperationEdit::DropSubAttribute => {
            if let Some(path) = path {
                operation["path"] = json!(Path { sub: None, ..path }.text());
            }
        }
        OperationEdit::FirstValue => {
            each_array(operation, &|elements| elements.first().cloned().into_iter().collect());
        }
        OperationEdit::LastValue => {
            each_array(operation, &|elements| elements.last().cloned().into_iter().collect());
        }
        OperationEdit::ClearFirst => {
            if let Some(path) = path {
                changed.push(json!({ "op": "remove", "path": path.attribute }));
            } else {
                let names = get(operation, "value").and_then(Value::as_object).map(Map::keys);
                changed
                    .extend(names.into_iter().flatten().map(|name| json!({ "op": "remove", "path": name })));
            }
        }
        OperationEdit::LowerValue => {
            if let Some(value) = operation.get_mut("value") {
                lower(value);
            }
        }
    }
}

/// Returns the operation on the values that the filter selects wrongly.
fn select(selects: Selects, operation: &Value, current: Option<&Value>, changed: &mut Vec<Value>) {
    let Some(path) = path_of(operation).filter(|path| path.filter.is_some()) else {
        changed.push(operation.clone());
        return;
    };
    let values = current.and_then(|current| get(current, path.name())).and_then(Value::as_array);
    let values: Vec<&Value> =
        values.into_iter().flatten().filter_map(|element| get(element, "value")).collect();
    let picked = match selects {
        Selects::All => values.as_slice(),
        Selects::First => values.get(..1).unwrap_or_default(),
        Selects::None => &[],
    };
    for value in picked {
        let mut operation = operation.clone();
        let filter = Some(format!("value eq {value}"));
        operation["path"] = json!(Path { filter, ..path.clone() }.text());
        changed.push(operation);
    }
}

fn remove(operation: &mut Value, name: &str) {
    if let Some(members) = operation.as_object_mut() {
        members.retain(|known, _| !known.eq_ignore_ascii_case(name));
    }
}

/// Arrays in the value: the value itself, or its members.
fn each_array(operation: &mut Value, change: &dyn Fn(&[Value]) -> Vec<Value>) {
    match operation.get_mut("value") {
        Some(Value::Array(elements)) => *elements = change(elements),
        Some(Value::Object(members)) => {
            for member in members.values_mut() {
                if let Value::Array(elements) = member {
                    *elements = change(elements);
                }
            }
        }
        _ => {}
    }
}

fn lower(value: &mut Value) {
    match value {
        Value::String(text) => *text = lower_case(text),
        Value::Array(elements) => elements.iter_mut().for_each(lower),
        Value::Object(members) => members.values_mut().for_each(lower),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_parsed_leniently() {
        #[track_caller]
        fn check(text: &str, target: Target, name: &str) {
            let path = Path::parse(text);
            assert_eq!((path.target(), path.name()), (target, name), "{path:?}");
            assert_eq!(path.text(), text);
        }
        check("title", Target::Simple, "title");
        check("name.givenName", Target::Sub, "name");
        check("emails[type eq \"work\"]", Target::Value, "emails");
        check("emails[type eq \"a.b\"].value", Target::ValueSub, "emails");
        check("urn:ietf:params:scim:schemas:core:2.0:User:title", Target::Urn, "title");
        check("urn:ietf:params:scim:schemas:core:2.0:User:name.givenName", Target::Urn, "name");
    }

    #[test]
    fn edits_change_operations() {
        let change = |text: &str| toml::from_str::<Change>(text).expect("a change");
        let operations = [
            json!({ "op": "Add", "path": "emails", "value": [{ "value": "a" }, { "value": "b" }] }),
            json!({ "op": "remove", "path": "emails[type eq \"work\"].display" }),
        ];
        let current = json!({ "emails": [{ "value": "x" }, { "value": "y" }] });
        let changed = |text: &str| changed(&change(text), &operations, Some(&current));
        assert_eq!(changed("op = \"add\"\nset-op = \"replace\"")[0]["op"], "replace");
        assert_eq!(
            changed("op = \"add\"\noperation = \"last-value\"")[0]["value"],
            json!([{ "value": "b" }])
        );
        assert_eq!(
            changed("target = \"value-sub\"\noperation = \"drop-filter\"")[1]["path"],
            "emails.display"
        );
        assert_eq!(changed("target = \"value-sub\"\noperation = \"skip\"").len(), 1);
        let all = changed("op = \"remove\"\nselects = \"all\"");
        assert_eq!((all.len(), &all[2]["path"]), (3, &json!("emails[value eq \"y\"].display")));
        assert_eq!(changed("order = \"reverse\"")[0]["op"], "remove");
        assert_eq!(changed("only = \"last\"").len(), 1);
        assert_eq!(
            changed("attribute = \"emails\"\nop = \"add\"\noperation = \"clear-first\"")[0]["op"],
            "remove"
        );
    }
}
