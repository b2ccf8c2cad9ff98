//! What became of a written value: pure judgement over what the account showed before and shows now.

use serde_json::Value;

use crate::mapping::{Desired, TargetPath};
use crate::state::{Carried, kept};
use crate::target::resource::Account;

/// What became of one written path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fate {
    /// The account shows what was written.
    Took,
    /// The account shows something else than before, and than what was written: the target's own form of it.
    As(Value),
    /// Nobody can tell: the value is never returned.
    Unproven,
    /// Nobody can tell: the account shows what it showed before, and that is a form of what was written too.
    Form(Value),
    /// It was believed: the answer carried no resource, and the path is known to be stored. The account carried this before.
    Believed(Option<Value>),
    /// The account shows what it showed before, or nothing: the value was not stored.
    Lost(Option<Value>),
}

impl Fate {
    /// Whether the write is seen to have changed the account here.
    pub(crate) const fn took(&self) -> bool {
        match self {
            Self::Took | Self::As(_) => true,
            Self::Unproven | Self::Form(_) | Self::Believed(_) | Self::Lost(_) => false,
        }
    }

    pub(crate) const fn is_lost(&self) -> bool {
        matches!(self, Self::Lost(_))
    }
}

/// What became of each of `paths`, which were to be as `wanted`; `before` is what the account carried.
pub(crate) fn fates(
    paths: &[TargetPath],
    wanted: &Desired,
    before: &Carried,
    after: &Account,
) -> Vec<(TargetPath, Fate)> {
    paths.iter().map(|path| (path.clone(), fate(path, wanted.get(path), before.get(path), after))).collect()
}

fn fate(path: &TargetPath, wanted: Option<&Value>, before: Option<&Value>, after: &Account) -> Fate {
    if is_never_returned(path) {
        return Fate::Unproven;
    }
    let now = after.read(path);
    match wanted {
        None if now.is_none() => return Fate::Took,
        Some(wanted) if after.shows(path, wanted) => return Fate::Took,
        None | Some(_) => {}
    }
    let kept_now = now.map(|now| kept(path, now));
    match (wanted, kept_now) {
        // A value that cannot be read afterwards was not stored, whatever was there before.
        (Some(_), None) => Fate::Lost(None),
        (Some(wanted), Some(now)) if before == Some(&now) && is_form_of(path, &now, wanted) => {
            Fate::Form(now)
        }
        (_, now) if before == now.as_ref() => Fate::Lost(now),
        (_, Some(now)) => Fate::As(now),
        (None, None) => Fate::Took,
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
