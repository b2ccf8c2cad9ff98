//! What a server does otherwise in each of its answers, taken for what it means: so the run goes on, the cases that are
//! about it tell it, and all others judge what they are about.

use serde_json::{Value, json};

use crate::server::facts::{get, id_text};
use crate::wire::client::Answer;

/// Something that a server does otherwise wherever it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deviation {
    /// `"id": 4711`.
    NumericIds,
    /// A creation is answered 200.
    CreatedWith200,
    /// A list is a bare array.
    BareLists,
    /// A list says how many there are, and shows none.
    ListsWithoutResources,
}

impl Deviation {
    /// In a report's facts, with the case that judges it.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::NumericIds => "ids are numbers, taken as texts (rfc7643/3.1/id-is-a-text)",
            Self::CreatedWith200 => "creations are answered 200, taken as 201 (rfc7644/3.3/answers-201)",
            Self::BareLists => {
                "lists are bare arrays, taken as ListResponses (rfc7644/3.4.2/without-a-filter)"
            }
            Self::ListsWithoutResources => "lists have no Resources (rfc7644/3.4.2/without-a-filter)",
        }
    }
}

/// Takes an answer for what it means, and says what was overlooked. What was sent is kept in [`Answer::raw`].
pub(crate) fn understand(answer: &mut Answer, is_list: bool) -> Vec<Deviation> {
    let Some(sent) = &answer.json else { return Vec::new() };
    let mut seen = Vec::new();
    let bare = is_list
        && answer.status == 200
        && sent.as_array().is_some_and(|elements| elements.iter().all(Value::is_object));
    // Answers may be long, and nearly all are as they should be.
    if !bare && !has_numbers_for_ids(sent) {
        return seen;
    }
    let mut json = sent.clone();
    if bare {
        let total = json.as_array().map_or(0, Vec::len);
        json = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": total, "itemsPerPage": total, "startIndex": 1, "Resources": json,
        });
        seen.push(Deviation::BareLists);
    }
    if texts_for_ids(&mut json) {
        seen.push(Deviation::NumericIds);
    }
    if !seen.is_empty() {
        answer.text = json.to_string();
        answer.raw = answer.json.replace(json);
    }
    seen
}

/// Whether a list says that there is something, and lacks `Resources`.
pub(crate) fn lacks_resources(answer: &Answer) -> bool {
    let Some(body) = answer.json.as_ref().filter(|body| answer.status == 200 && body.is_object()) else {
        return false;
    };
    let total = get(body, "totalResults").and_then(Value::as_u64);
    total.is_some_and(|total| total > 0) && !get(body, "Resources").is_some_and(Value::is_array)
}

/// Whether there is an id that [`texts_for_ids`] would write otherwise.
fn has_numbers_for_ids(value: &Value) -> bool {
    let Some(members) = value.as_object() else { return false };
    let any = |list: &Value, is: &dyn Fn(&Value) -> bool| list.as_array().into_iter().flatten().any(is);
    members.iter().any(|(name, member)| match name.to_ascii_lowercase().as_str() {
        "id" => member.is_number(),
        "members" | "groups" => {
            any(member, &|reference| get(reference, "value").is_some_and(Value::is_number))
        }
        "resources" | "operations" => any(member, &has_numbers_for_ids),
        "response" => has_numbers_for_ids(member),
        _ => false,
    })
}

/// Writes the ids of resources, members and groups as texts; whether there was one that was none.
fn texts_for_ids(value: &mut Value) -> bool {
    fn as_text(id: &mut Value) -> bool {
        let text = Some(&*id).filter(|id| id.is_number()).and_then(id_text);
        text.map(|text| *id = Value::String(text)).is_some()
    }
    let Some(members) = value.as_object_mut() else { return false };
    let mut any = false;
    for (name, member) in members {
        match name.to_ascii_lowercase().as_str() {
            "id" => any |= as_text(member),
            "members" | "groups" => {
                for reference in member.as_array_mut().into_iter().flatten() {
                    let inner = reference.as_object_mut().into_iter().flatten();
                    for (_, id) in inner.filter(|(name, _)| name.eq_ignore_ascii_case("value")) {
                        any |= as_text(id);
                    }
                }
            }
            "resources" | "operations" => {
                for element in member.as_array_mut().into_iter().flatten() {
                    any |= texts_for_ids(element);
                }
            }
            "response" => any |= texts_for_ids(member),
            _ => {}
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_understood(sent: Value, is_list: bool, expected: &Value, deviations: &[Deviation]) {
        let mut answer = Answer { status: 200, json: Some(sent.clone()), ..Answer::default() };
        assert_eq!(understand(&mut answer, is_list), deviations);
        assert_eq!(answer.json.as_ref(), Some(expected));
        assert_eq!(answer.raw, (!deviations.is_empty()).then_some(sent));
    }

    #[test]
    fn numbers_for_ids_are_taken_as_texts_and_nothing_else_is_touched() {
        let plain = json!({ "id": "1", "age": 3, "emails": [{ "value": 5, "id": 6 }] });
        assert_understood(plain.clone(), false, &plain, &[]);
        assert_understood(
            json!({ "Resources": [{ "id": 7, "members": [{ "value": 8, "display": "x" }] }], "totalResults": 1 }),
            true,
            &json!({ "Resources": [{ "id": "7", "members": [{ "value": "8", "display": "x" }] }], "totalResults": 1 }),
            &[Deviation::NumericIds],
        );
    }

    #[test]
    fn a_bare_array_is_a_list_where_one_was_asked_for() {
        let list = json!([{ "id": "1" }]);
        assert_understood(list.clone(), false, &list, &[]);
        let wrapped = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": 1, "itemsPerPage": 1, "startIndex": 1, "Resources": [{ "id": "1" }],
        });
        assert_understood(list, true, &wrapped, &[Deviation::BareLists]);
    }

    #[test]
    fn only_a_list_of_something_lacks_resources() {
        let lacks =
            |body: Value| lacks_resources(&Answer { status: 200, json: Some(body), ..Answer::default() });
        assert!(lacks(json!({ "totalResults": 3 })));
        assert!(!lacks(json!({ "totalResults": 0 })));
        assert!(!lacks(json!({ "totalResults": 3, "resources": [] })));
        assert!(!lacks(json!({ "userName": "ada" })));
    }
}
