//! Comparing JSON as SCIM sees it: names without case, arrays as sets, null and `[]` as absent (RFC 7643 §2.1, §2.4, §2.5).

use serde_json::Value;

/// Returns a member, by name without case.
pub(crate) fn get<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let members = value.as_object()?;
    members.get(name).or_else(|| {
        members.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, member)| member)
    })
}

/// Whether a value is missing, null or an empty array.
pub(crate) fn is_absent(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Array(elements)) => elements.is_empty(),
        Some(_) => false,
    }
}

/// Whether two values are the same.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a_members), Value::Object(b_members)) => {
            let covers = |from: &serde_json::Map<String, Value>, other: &Value| {
                from.iter()
                    .filter(|(_, member)| !is_absent(Some(member)))
                    .all(|(name, member)| get(other, name).is_some_and(|known| same(member, known)))
            };
            covers(a_members, b) && covers(b_members, a)
        }
        (Value::Array(a), Value::Array(b)) => {
            let mut left: Vec<_> = b.iter().collect();
            a.len() == b.len()
                && a.iter().all(|element| {
                    let found = left.iter().position(|other| same(element, other));
                    found.map(|index| left.swap_remove(index)).is_some()
                })
        }
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

/// Whether `value` has at least what `wanted` has.
pub(crate) fn includes(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Object(_), Value::Object(wanted)) => {
            wanted.iter().all(|(name, member)| match get(value, name) {
                known if is_absent(Some(member)) => is_absent(known),
                Some(known) => includes(known, member),
                None => false,
            })
        }
        (Value::Array(elements), Value::Array(wanted)) => {
            wanted.iter().all(|member| elements.iter().any(|element| includes(element, member)))
        }
        _ => same(value, wanted),
    }
}

/// Returns each place that a pointer with `*` reaches, and the value there if there is one. Returns no place if a `*`
/// has no elements. In an array, `name=emails` is the first element whose `name` is the text `emails`.
pub(crate) fn reach<'a>(value: &'a Value, pointer: &str) -> Vec<(String, Option<&'a Value>)> {
    let mut reached = vec![(String::new(), Some(value))];
    let tokens = pointer.strip_prefix('/').map(|rest| rest.split('/')).into_iter().flatten();
    for token in tokens {
        let mut next = Vec::new();
        for (path, value) in reached {
            if token == "*" {
                match value {
                    Some(Value::Array(elements)) => next.extend(
                        elements
                            .iter()
                            .enumerate()
                            .map(|(index, element)| (format!("{path}/{index}"), Some(element))),
                    ),
                    Some(Value::Object(members)) => {
                        next.extend(
                            members.iter().map(|(name, member)| (format!("{path}/{name}"), Some(member))),
                        );
                    }
                    _ => {}
                }
                continue;
            }
            let name = token.replace("~1", "/").replace("~0", "~");
            let inner = value.and_then(|value| match value {
                Value::Array(elements) => match selector(&name) {
                    Some((member, text)) => elements.iter().find(|element| has_text(element, member, text)),
                    None => name.parse::<usize>().ok().and_then(|index| elements.get(index)),
                },
                other => get(other, &name),
            });
            next.push((format!("{path}/{token}"), inner));
        }
        reached = next;
    }
    reached
}

/// Returns the member and the text of a token that selects an element of an array, as `name=emails` does.
pub(crate) fn selector(token: &str) -> Option<(&str, &str)> {
    token.split_once('=').filter(|(member, _)| !member.is_empty())
}

/// Whether a member of an object is this text, without case.
pub(crate) fn has_text(value: &Value, member: &str, text: &str) -> bool {
    get(value, member).and_then(Value::as_str).is_some_and(|there| there.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use crate::json::*;

    #[test]
    fn values_are_compared_as_scim_defines() {
        assert!(same(&json!({ "a": 1, "b": null, "c": [] }), &json!({ "A": 1.0 })));
        assert!(same(&json!([{ "v": 1 }, { "v": 2 }]), &json!([{ "v": 2 }, { "v": 1 }])));
        assert!(!same(&json!([1, 1]), &json!([1, 2])));
        assert!(!same(&json!({ "a": 1 }), &json!({ "a": 1, "b": 2 })));
        assert!(!same(&json!("a"), &json!("A")));
        assert!(includes(&json!([{ "v": 1, "x": 2 }]), &json!([{ "v": 1 }])));
        assert!(!includes(&json!([{ "v": 1 }]), &json!([{ "v": 1, "x": 2 }])));
        assert!(includes(&json!({ "v": 1 }), &json!({ "v": 1, "x": null })));
    }

    #[test]
    fn pointers_with_names_reach_the_element_of_that_name() {
        let schema = json!({ "attributes": [{ "name": "active" }, { "name": "emails", "type": "complex" }] });
        let at = |pointer: &str| {
            let reached = reach(&schema, pointer);
            assert_eq!(reached.len(), 1, "{pointer}");
            reached[0].1.cloned()
        };
        assert_eq!(at("/attributes/name=Emails/type"), Some(json!("complex")));
        assert_eq!(at("/attributes/name=ims/type"), None);
        assert_eq!(at("/attributes/name=active/type"), None);
    }

    #[test]
    fn pointers_with_stars_reach_all_elements() {
        let value = json!({ "Emails": [{ "value": "a" }, {}], "n": { "x": 1 } });
        let texts = |pointer| {
            reach(&value, pointer)
                .into_iter()
                .map(|(path, value)| format!("{path}={}", value.map_or("-".to_owned(), Value::to_string)))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(texts("/emails/*/value"), "/emails/0/value=\"a\" /emails/1/value=-");
        assert_eq!(texts("/n/*"), "/n/x=1");
        assert_eq!(texts("/missing/*"), "");
        assert_eq!(texts("/missing/x"), "/missing/x=-");
        assert_eq!(reach(&value, "").len(), 1);
    }

    proptest! {
        #[test]
        fn shuffled_value_is_the_same(numbers in prop::collection::vec(0..5_i32, 0..6)) {
            let reversed: Vec<_> = numbers.iter().rev().copied().collect();
            prop_assert!(same(&json!(numbers), &json!(reversed)));
            prop_assert!(includes(&json!(numbers), &json!(reversed)));
        }
    }
}
