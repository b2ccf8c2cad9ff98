//! The effect of a write on each path, by the values before and after it.

use serde_json::Value;

use crate::account_values::{AccountValues, comparable_value, is_form_of, is_never_returned};
use crate::mapping::{Desired, TargetPath};
use crate::target::resource::Account;

/// The effect of a write on one path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PathEffect {
    /// The account shows the written value.
    Stored,
    /// The account shows neither the former nor the written value: the target has its own form of it.
    StoredAs(Value),
    /// The effect is unknown: the value is never returned.
    Unverifiable,
    /// The effect is unknown: the account shows the former value, which is a form of the written one too.
    SameForm(Value),
    /// The effect is assumed: the response had no resource, and the path is known to be stored. This is the former value.
    Assumed(Option<Value>),
    /// The account shows the former value, or none: the value was not stored.
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

/// Returns the effect of a write on each of `paths`; `before` are the values that the account carried.
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
