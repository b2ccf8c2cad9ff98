//! The hint to use a template: creation is refused because attributes are missing, and for no other reason.

use serde_json::Value;

use crate::casing::lower_case;
use crate::format;
use crate::json::get;

/// The fact that has what helps to run the suite.
pub const HINT: &str = "hint";

/// Words of an answer that asks for attributes, or for other values of them.
const ASKS: [&str; 14] = [
    "requir",
    "missing",
    "mandatory",
    "must",
    "attribute",
    "blank",
    "empty",
    "null",
    "need",
    "provide",
    "field",
    "format",
    "invalid",
    "expected",
];

/// Words of an answer that is about something else.
const ELSEWHERE: [&str; 17] = [
    "quota",
    "limit",
    "licen",
    "seat",
    "exist",
    "already",
    "duplicate",
    "unique",
    "taken",
    "permission",
    "allowed",
    "plan",
    "exceed",
    "maximum",
    "suspend",
    "tenant",
    "token",
];

/// Returns the hint at `--template` if the answer to a creation asks for more attributes than the smallest user has.
pub(crate) fn template_hint(status: u16, body: &Value) -> Option<String> {
    let text = |name: &str| get(body, name).and_then(Value::as_str);
    let uniqueness = text("scimType").is_some_and(|known| known.eq_ignore_ascii_case("uniqueness"));
    if !matches!(status, 400 | 422) || uniqueness {
        return None;
    }
    let detail = text("detail");
    if let Some(detail) = detail.map(lower_case) {
        let says = |words: &[&str]| words.iter().any(|word| detail.contains(word));
        if says(&ELSEWHERE) || !says(&ASKS) {
            return None;
        }
    }
    let detail = detail.map_or_else(String::new, |detail| format!(", saying: {}", format::cut(detail, 300)));
    Some(format!(
        "creating the smallest user is answered {status}{detail}; if it asks for more attributes, give a user that it \
         takes with --template FILE.json"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn template_hint_needs_an_answer_about_missing_attributes() {
        let hint = |status, detail: &str| template_hint(status, &json!({ "detail": detail }));
        for asks in ["title is required", "Missing name.familyName", "userName must be an e-mail address"] {
            let hint = hint(400, asks).expect(asks);
            assert!(hint.contains(asks) && hint.contains("--template FILE.json"), "{hint}");
        }
        assert!(template_hint(400, &Value::Null).is_some());
        for other in
            ["the tenant is suspended", "a user with this name already exists", "quota exceeded", "no"]
        {
            assert_eq!(hint(400, other), None, "{other}");
        }
        assert_eq!(hint(409, "title is required"), None);
        assert_eq!(template_hint(400, &json!({ "scimType": "uniqueness" })), None);
    }
}
