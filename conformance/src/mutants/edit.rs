//! Changing JSON by pointer, where `*` is each element or member. Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::json_text::JsonText;
use crate::mutants::file::{JsonEdit, Retype};

/// Does something with every place that a pointer reaches. `make`: the last member may be missing, and becomes null first.
pub(crate) fn each(value: &mut Value, pointer: &str, make: bool, act: &mut dyn FnMut(&mut Value)) {
    let Some(rest) = pointer.strip_prefix('/') else {
        act(value);
        return;
    };
    let (token, after) = match rest.find('/') {
        Some(at) => (&rest[..at], &rest[at..]),
        None => (rest, ""),
    };
    let name = token.replace("~1", "/").replace("~0", "~");
    match value {
        Value::Array(elements) if token == "*" => {
            for element in elements {
                each(element, after, make, act);
            }
        }
        Value::Array(elements) => {
            if let Some(element) = name.parse::<usize>().ok().and_then(|index| elements.get_mut(index)) {
                each(element, after, make, act);
            }
        }
        Value::Object(members) if token == "*" => {
            for member in members.values_mut() {
                each(member, after, make, act);
            }
        }
        Value::Object(members) => {
            let known = members.keys().find(|known| known.eq_ignore_ascii_case(&name)).cloned();
            match known {
                Some(known) => {
                    if let Some(member) = members.get_mut(&known) {
                        each(member, after, make, act);
                    }
                }
                None if make => each(members.entry(name).or_insert(Value::Null), after, make, act),
                None => {}
            }
        }
        _ => {}
    }
}

/// Removes the values that a pointer reaches.
pub(crate) fn remove(value: &mut Value, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else { return };
    let last = last.replace("~1", "/").replace("~0", "~");
    each(value, parent, false, &mut |holder| match holder {
        Value::Object(members) if last == "*" => members.clear(),
        Value::Object(members) => members.retain(|name, _| !name.eq_ignore_ascii_case(&last)),
        Value::Array(elements) if last == "*" => elements.clear(),
        Value::Array(elements) => {
            if let Some(index) = last.parse::<usize>().ok().filter(|index| *index < elements.len()) {
                elements.remove(index);
            }
        }
        _ => {}
    });
}

/// Sets what pointers reach.
pub(crate) fn set(value: &mut Value, values: &BTreeMap<String, JsonText>) {
    for (pointer, JsonText(wanted)) in values {
        each(value, pointer, true, &mut |place| place.clone_from(wanted));
    }
}

/// Edits the JSON of an answer.
pub(crate) fn answer(edits: &[JsonEdit], body: &mut Value, sent: Option<&Value>) {
    for edit in edits {
        match edit {
            JsonEdit::Remove(pointer) => remove(body, pointer),
            JsonEdit::Set(values) => set(body, values),
            JsonEdit::Add(numbers) => {
                for (pointer, by) in numbers {
                    each(body, pointer, false, &mut |place| {
                        if let Some(number) = place.as_i64() {
                            *place = json!(number + by);
                        }
                    });
                }
            }
            JsonEdit::Rename(names) => names.iter().for_each(|(pointer, name)| rename(body, pointer, name)),
            JsonEdit::Retype(kinds) => {
                for (pointer, kind) in kinds {
                    each(body, pointer, false, &mut |place| *place = retyped(*kind, place));
                }
            }
            JsonEdit::Truncate(lengths) => {
                for (pointer, most) in lengths {
                    each(body, pointer, false, &mut |place| match place {
                        Value::Array(elements) => elements.truncate(*most),
                        Value::String(text) => *text = text.chars().take(*most).collect(),
                        _ => {}
                    });
                }
            }
            JsonEdit::Repeat(pointer) => repeat(body, pointer),
            JsonEdit::Reverse(pointer) => each(body, pointer, false, &mut |place| {
                if let Value::Array(elements) = place {
                    elements.reverse();
                }
            }),
            JsonEdit::FromRequest(pointers) => {
                for (to, from) in pointers {
                    if let Some(value) = sent.and_then(|sent| sent.pointer(from)) {
                        each(body, to, true, &mut |place| place.clone_from(value));
                    }
                }
            }
        }
    }
}

fn rename(body: &mut Value, pointer: &str, name: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else { return };
    each(body, parent, false, &mut |holder| {
        if let Some(members) = holder.as_object_mut()
            && let Some(member) = members.remove(last)
        {
            members.insert(name.to_owned(), member);
        }
    });
}

fn repeat(body: &mut Value, pointer: &str) {
    let Some((parent, index)) = pointer.rsplit_once('/') else { return };
    each(body, parent, false, &mut |place| {
        if let Value::Array(elements) = place
            && let Some(element) = index.parse::<usize>().ok().and_then(|index| elements.get(index)).cloned()
        {
            elements.push(element);
        }
    });
}

fn retyped(kind: Retype, value: &Value) -> Value {
    match kind {
        Retype::Number => json!(value.as_str().and_then(|text| text.parse::<i64>().ok()).unwrap_or(1)),
        Retype::Text => value.as_str().map_or_else(|| json!(value.to_string()), |text| json!(text)),
        Retype::Array => json!([value]),
        Retype::Single => value.get(0).cloned().unwrap_or_else(|| value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::file::Change;

    #[track_caller]
    fn check(change: &str, after: &Value) {
        let change: Change = toml::from_str(change).expect("a change");
        let mut body = json!({ "status": "400", "Resources": [{ "id": "1" }, { "id": "2" }], "total": 2 });
        answer(&change.json, &mut body, Some(&json!({ "password": "p" })));
        assert_eq!(&body, after);
    }

    #[test]
    fn edits_change_answers() {
        let list = json!([{ "id": "1" }, { "id": "2" }]);
        let with = |resources: &Value| json!({ "status": "400", "Resources": resources, "total": 2 });
        check("remove = \"/Resources/*/id\"", &with(&json!([{}, {}])));
        check("remove = \"/Resources/0\"", &with(&json!([{ "id": "2" }])));
        check("repeat = \"/Resources/0\"", &with(&json!([{ "id": "1" }, { "id": "2" }, { "id": "1" }])));
        check("reverse = \"/Resources\"", &with(&json!([{ "id": "2" }, { "id": "1" }])));
        check("truncate = { \"/Resources\" = 1 }", &with(&json!([{ "id": "1" }])));
        check(
            "retype = { \"/status\" = \"number\" }",
            &json!({ "status": 400, "Resources": list, "total": 2 }),
        );
        check("add = { \"/total\" = 3 }", &json!({ "status": "400", "Resources": list, "total": 5 }));
        check("rename = { \"/total\" = \"sum\" }", &json!({ "status": "400", "Resources": list, "sum": 2 }));
        check("set = { \"/a/b\" = \"[1]\" }", &{
            let mut body = with(&list);
            body["a"] = Value::Null;
            body
        });
        check("from-request = { \"/x\" = \"/password\" }", &{
            let mut body = with(&list);
            body["x"] = json!("p");
            body
        });
    }
}
