//! The effect of a write on each path, from what the account showed before and shows now.

use serde_json::Value;

use crate::account_values::{AccountValues, comparable_value, is_form_of, is_never_returned};
use crate::mapping::{Desired, TargetPath};
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
