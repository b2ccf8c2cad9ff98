//! Side effects of a request.

use serde_json::Value;

use crate::format;

/// A side effect: a change that was not asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Damage {
    /// The attribute; empty: the resource as a whole.
    pub pointer: String,
    /// The value after the request; none: there is no value.
    pub now: Option<Value>,
}

/// Sub-attributes that describe a value of a list and are not the value (RFC 7643 §2.4).
pub(super) const LABELS: [&str; 4] = ["type", "primary", "display", "$ref"];

impl Damage {
    /// Whether only a label of a value in a list changed: the value itself is there.
    pub fn is_minor(&self) -> bool {
        let mut parts = self.pointer.rsplit('/');
        let label = parts.next().is_some_and(|last| LABELS.contains(&last));
        label && parts.next().is_some_and(is_index)
    }

    /// Returns the attribute as people write it: `emails.type`. Empty: the resource as a whole.
    pub fn attribute(&self) -> String {
        format::one_line(&format::cut(&attribute(&self.pointer), TOLD)).into_owned()
    }

    /// Describes the side effect in words.
    pub(super) fn describe(&self) -> String {
        match (&self.now, self.attribute().as_str()) {
            (None, "") => "the account is gone".to_owned(),
            (Some(_), "") => "the account can no longer be read, and its user name stays taken".to_owned(),
            (None, name) => format!("{name} is lost"),
            (Some(now), name) => format!("{name} is now {}", shown(now)),
        }
    }
}

/// Characters of what the endpoint sent that are told.
pub(super) const TOLD: usize = 200;

/// Returns a value for reports, with descriptions in place of names that differ from run to run.
fn shown(value: &Value) -> String {
    let stand_ins = [
        ("\"@id\"", "the id of the account"),
        ("\"@user\"", "the id of another user"),
        ("\"@member\"", "the id of a member"),
        ("\"@name", "\"conformance-…"),
    ];
    let text = stand_ins.iter().fold(value.to_string(), |text, (from, to)| text.replace(from, to));
    format::one_line(&format::cut(&text, TOLD)).into_owned()
}

/// Returns a pointer as people write it: `/emails/0/type` is `emails.type`.
pub(crate) fn attribute(pointer: &str) -> String {
    let parts: Vec<_> = pointer.split('/').filter(|part| !part.is_empty() && !is_index(part)).collect();
    match parts.as_slice() {
        // No path, but a member of that name.
        [name] if name.contains('.') && !name.contains(':') => format!("the member \"{name}\""),
        parts => parts.join("."),
    }
}

pub(super) fn is_index(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}
