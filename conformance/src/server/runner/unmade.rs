//! Detects a resource that was not created as the case needs it, so that no later step is blamed for that.

use serde_json::Value;

use crate::json::{get, same};
use crate::server::judge::Miss;
use crate::server::runner::stored::is_other_text;
use crate::transcript::Exchange;

/// Whether a value of an attribute, or one of its elements, has all that is wanted.
fn has(value: Option<&Value>, wanted: &Value) -> bool {
    let covers = |one: &Value| match wanted.as_object() {
        Some(members) => {
            members.iter().all(|(name, member)| get(one, name).is_some_and(|own| same(own, member)))
        }
        None => same(one, wanted),
    };
    match value {
        Some(Value::Array(elements)) => elements.iter().any(covers),
        value => value.is_some_and(covers),
    }
}

/// Returns the attribute that a miss after another write wants as the creation sent it, and that the answer to the
/// creation does not have.
pub(super) fn unmade(played: &[Exchange], miss: &Miss) -> Option<String> {
    let name = miss.what.strip_prefix('/')?.split('/').next()?;
    let (at, creation) = played.iter().enumerate().find(|(_, exchange)| {
        exchange.request.method == "POST" && has(get(&exchange.request.body, name), &miss.expected)
    })?;
    let is_written =
        played.get(at + 1..)?.iter().any(|later| matches!(later.request.method.as_str(), "PATCH" | "PUT"));
    let answer =
        creation.response.as_ref().filter(|answer| answer.status == 201 && answer.body.is_object())?;
    // How a server spoils a text is the subject of the case.
    let is_lost = match get(&answer.body, name) {
        Some(shown) if shown.is_string() => is_other_text(&miss.expected, shown),
        shown => !has(shown, &miss.expected),
    };
    (is_written && is_lost).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::requirement::Level;
    use crate::server::runner::unmade::*;
    use crate::transcript::{Received, Sent};

    fn exchange(method: &str, body: Value, answer: Value) -> Exchange {
        let request =
            Sent { method: method.to_owned(), url: "http://h/Groups".to_owned(), headers: Vec::new(), body };
        let response = Some(Received { status: 201, headers: Vec::new(), body: answer });
        Exchange { step: String::new(), request, response, error: None, milliseconds: 0 }
    }

    #[test]
    fn attribute_that_creation_lost_is_told() {
        let sent = json!({ "members": [{ "value": "1" }], "displayName": "Crew" });
        let miss = |what: &str, expected: Value| {
            Miss::new(Level::Must, what.to_owned(), expected, Value::Null, String::new())
        };
        let patch = exchange("PATCH", json!({}), json!({}));
        let played =
            [exchange("POST", sent.clone(), json!({ "members": [], "displayName": "Crew" })), patch.clone()];
        assert_eq!(unmade(&played, &miss("/members", json!({ "value": "1" }))).as_deref(), Some("members"));
        // It was kept, or is another value, or nothing was written since.
        assert_eq!(unmade(&played, &miss("/displayName", json!("Crew"))), None);
        let spoiled =
            [exchange("POST", json!({ "title": "a  b" }), json!({ "title": "a b" })), patch.clone()];
        assert_eq!(unmade(&spoiled, &miss("/title", json!("a  b"))), None);
        assert_eq!(unmade(&played, &miss("/members", json!({ "value": "2" }))), None);
        assert_eq!(unmade(&played[..1], &miss("/members", json!({ "value": "1" }))), None);
        assert_eq!(
            unmade(
                &[exchange("POST", sent.clone(), sent), patch],
                &miss("/members", json!({ "value": "1" }))
            ),
            None
        );
    }
}
