//! The effect of a write on each path, from what the account showed before and shows now.

use serde_json::Value;

use crate::mapping::{Desired, TargetPath};
use crate::state::{AccountValues, comparable_value};
use crate::target::resource::Account;

/// The effect of a write on one path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PathEffect {
    /// The account shows what was written.
    Stored,
    /// The account shows something else than before, and than what was written: the target's own form of it.
    StoredAs(Value),
    /// Nobody can tell: the value is never returned.
    Unverifiable,
    /// Nobody can tell: the account shows what it showed before, and that is a form of what was written too.
    SameForm(Value),
    /// It was believed: the answer carried no resource, and the path is known to be stored. The account carried this before.
    Assumed(Option<Value>),
    /// The account shows what it showed before, or nothing: the value was not stored.
    NotStored(Option<Value>),
}

impl PathEffect {
    /// Whether the write is seen to have changed the account here.
    pub(crate) const fn took_effect(&self) -> bool {
        match self {
            Self::Stored | Self::StoredAs(_) => true,
            Self::Unverifiable | Self::SameForm(_) | Self::Assumed(_) | Self::NotStored(_) => false,
        }
    }

    pub(crate) const fn is_not_stored(&self) -> bool {
        matches!(self, Self::NotStored(_))
    }
}

/// What became of each of `paths`, which were to be as `wanted`; `before` is what the account carried.
pub(crate) fn path_effects(
    paths: &[TargetPath],
    wanted: &Desired,
    before: &AccountValues,
    after: &Account,
) -> Vec<(TargetPath, PathEffect)> {
    paths
        .iter()
        .map(|path| (path.clone(), path_effect(path, wanted.get(path), before.get(path), after)))
        .collect()
}

fn path_effect(
    path: &TargetPath,
    wanted: Option<&Value>,
    before: Option<&Value>,
    after: &Account,
) -> PathEffect {
    if is_never_returned(path) {
        return PathEffect::Unverifiable;
    }
    let now = after.read(path);
    match wanted {
        None if now.is_none() => return PathEffect::Stored,
        Some(wanted) if after.shows(path, wanted) => return PathEffect::Stored,
        None | Some(_) => {}
    }
    let kept_now = now.map(|now| comparable_value(path, now));
    match (wanted, kept_now) {
        // A value that cannot be read afterwards was not stored, whatever was there before.
        (Some(_), None) => PathEffect::NotStored(None),
        (Some(wanted), Some(now)) if before == Some(&now) && is_form_of(path, &now, wanted) => {
            PathEffect::SameForm(now)
        }
        (_, now) if before == now.as_ref() => PathEffect::NotStored(now),
        (_, Some(now)) => PathEffect::StoredAs(now),
        (None, None) => PathEffect::Stored,
    }
}

/// Whether `shown` says the same as `written`, spelled as a target may spell it: in other case or blanks, a text for a number
/// or a boolean, a telephone number by its digits, a language tag with `_`. What must be exact (`externalId`) must be exact.
pub(crate) fn is_form_of(path: &TargetPath, shown: &Value, written: &Value) -> bool {
    if shown == written {
        return true;
    }
    let exact = path.urn().is_none() && path.attribute().eq_ignore_ascii_case("externalId");
    match (text_of(shown), text_of(written)) {
        (Some(shown), Some(written)) if !exact => {
            let key: fn(&str) -> String = if is_any(path, &["phoneNumbers"]) {
                digits
            } else if is_any(path, &["locale", "preferredLanguage"]) {
                |text| folded(text).replace('_', "-")
            } else {
                folded
            };
            key(&shown) == key(&written)
        }
        _ => false,
    }
}

/// Whether a target never shows what it has there (RFC 7643 §4.1.1: `password`).
pub(crate) fn is_never_returned(path: &TargetPath) -> bool {
    path.urn().is_none() && path.attribute().eq_ignore_ascii_case("password")
}

fn is_any(path: &TargetPath, attributes: &[&str]) -> bool {
    path.urn().is_none() && attributes.iter().any(|name| path.attribute().eq_ignore_ascii_case(name))
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// A telephone number without what only groups its digits (RFC 3966 §3).
fn digits(text: &str) -> String {
    let text = text.trim().to_lowercase();
    let text = text.strip_prefix("tel:").unwrap_or(&text);
    text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '.' | '(' | ')' | '/')).collect()
}
