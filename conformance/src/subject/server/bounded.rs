//! Values cut down to what a report can hold: a server may answer megabytes, and there are hundreds of cases.

use serde_json::{Map, Value};

use crate::format;

/// A bound on the size of a value that is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    /// Bytes of texts and names, and one for each value.
    bytes: usize,
    /// Levels of objects and arrays.
    depth: usize,
}

/// A body of more bytes is large: parsed, it takes ten times as much memory, so that few are held at once.
pub(crate) const LARGE: usize = 64 << 10;

impl Bound {
    /// The bound for the body of a request or a response in a transcript.
    pub(crate) const BODY: Self = Self { bytes: 16 << 10, depth: 24 };
    /// The bound for the beginning of a large body in a transcript.
    pub(crate) const LARGE_BODY: Self = Self { bytes: 4 << 10, depth: 24 };
    /// The bound for an expected or an actual value.
    pub(crate) const SIDE: Self = Self { bytes: 4 << 10, depth: 16 };
}

/// The longest text that stands in a bounded value.
const TEXT: usize = 2_000;

/// Returns a small value as it is, else its beginning, with a note of the omitted part. The structure stays, so that
/// redaction still finds personal data and secrets by their place.
pub(crate) fn bounded(value: &Value, bound: Bound) -> Value {
    let mut left = bound.bytes;
    prune(value, bound.depth, &mut left)
}

/// Returns the attributes that identify a resource of a large list.
pub(crate) fn outline(resource: &Value) -> Value {
    const KEPT: [&str; 4] = ["id", "userName", "displayName", "externalId"];
    let Some(members) = resource.as_object() else { return resource.clone() };
    let is_kept = |name: &str| KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(name));
    let kept = members.iter().filter(|(name, _)| is_kept(name));
    kept.map(|(name, member)| (name.clone(), member.clone())).collect()
}

/// Returns a text that is no JSON, cut to the bound.
pub(crate) fn bounded_text(text: &str, bound: Bound) -> String {
    if text.len() <= bound.bytes {
        return text.to_owned();
    }
    format!("{} ({} bytes in all)", format::cut(text, bound.bytes / 4), text.len())
}

fn prune(value: &Value, depth: usize, left: &mut usize) -> Value {
    *left = left.saturating_sub(1);
    match value {
        Value::String(text) => {
            let most = TEXT.min((*left).max(40));
            *left = left.saturating_sub(text.len().min(most));
            Value::String(format::cut(text, most).into_owned())
        }
        Value::Array(elements) => {
            let mut kept = Vec::new();
            for element in elements {
                if depth == 0 || *left == 0 {
                    break;
                }
                kept.push(prune(element, depth - 1, left));
            }
            if kept.len() < elements.len() {
                kept.push(Value::String(format!("… {} more, not kept", elements.len() - kept.len())));
            }
            Value::Array(kept)
        }
        Value::Object(members) => {
            let mut kept = Map::new();
            for (name, member) in members {
                if depth == 0 || *left == 0 {
                    break;
                }
                *left = left.saturating_sub(name.len());
                kept.insert(format::cut(name, TEXT).into_owned(), prune(member, depth - 1, left));
            }
            if kept.len() < members.len() {
                let more = format!("{} more members, not kept", members.len() - kept.len());
                kept.insert("…".to_owned(), Value::String(more));
            }
            Value::Object(kept)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use crate::subject::server::bounded::*;

    #[test]
    fn small_values_stay_and_large_ones_keep_their_structure() {
        let small =
            json!({ "id": "1", "emails": [{ "value": "a@example.com", "primary": true }], "x": null });
        assert_eq!(bounded(&small, Bound::BODY), small);
        let many: Vec<_> = (0..100_000).map(|n| json!({ "userName": format!("u{n}") })).collect();
        let kept = bounded(&json!({ "totalResults": 100_000, "Resources": many }), Bound::BODY);
        let length = kept.to_string().len();
        assert!(length < 64 << 10, "{length}");
        assert_eq!(kept["Resources"][0], json!({ "userName": "u0" }));
        let last = kept["Resources"].as_array().and_then(|kept| kept.last()).and_then(Value::as_str);
        assert!(last.is_some_and(|last| last.contains("more, not kept")), "{last:?}");
        let mut deep = json!("bottom");
        for _ in 0..100 {
            deep = json!({ "a": [deep] });
        }
        assert!(!bounded(&deep, Bound::BODY).to_string().contains("bottom"));
        let user =
            json!({ "id": 1, "USERNAME": "ada", "title": "x", "emails": [{ "value": "a@example.com" }] });
        assert_eq!(outline(&user), json!({ "id": 1, "USERNAME": "ada" }));
        assert!(bounded_text(&"x".repeat(1 << 20), Bound::BODY).ends_with("(1048576 bytes in all)"));
    }

    proptest! {
        #[test]
        fn large_values_are_cut_to_the_bound(texts in prop::collection::vec(".{0,400}", 0..400)) {
            let kept = bounded(&json!(texts), Bound::SIDE);
            prop_assert!(kept.to_string().len() < 12 * (Bound::SIDE.bytes + TEXT));
        }
    }
}
