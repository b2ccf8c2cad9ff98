//! The link between a user and its account, with the known attributes of the account.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Learned;
use crate::account_values::{AccountValues, comparable_value, is_carried, is_form_of, is_never_returned};
use crate::ids::{TargetId, UserName};
use crate::mapping::{Desired, TargetPath};
use crate::policy::Leave;
use crate::target::resource::Account;

/// An account at the target that was created or adopted here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Link {
    /// The account's `id`.
    pub account: TargetId,
    /// The mapped attributes that the account carries as far as is known: as sent, or as read when it was matched.
    pub carries: AccountValues,
    /// The paths at which the account is known to show another value than the sent one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shows: BTreeMap<TargetPath, ShownForm>,
    /// `active` as it was last established here, which out-of-band changes do not touch.
    pub active: bool,
    /// When a write to the account was last answered as done, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<u64>,
    /// Until when a Disable with an unknown outcome may still take effect, in seconds since the epoch. The account is
    /// read in each run until then, and once after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_disable: Option<u64>,
    /// Whether the user has left, and the state of its removal.
    #[serde(rename = "mark")]
    pub state: LinkState,
}

/// The form in which an account shows the value at one path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum ShownForm {
    /// The value was stored; the target shows this form of it.
    As(Value),
    /// The value was sent and not read back; the account carried this before.
    Unseen(Option<Value>),
    /// This value was sent without effect: the account still shows the carried one (`None`: the value was to be cleared).
    Ignored {
        /// The sent value.
        sent: Option<Value>,
        /// Whether the path was known to be stored for other accounts.
        alone: bool,
        /// Whether the user was failed for it: then it is sent again in each run, whatever else fails meanwhile.
        #[serde(default)]
        failed: bool,
    },
    /// The account read otherwise than the sent value, so the next write is read back.
    Changed {
        /// Whether it became that only after the value was sent.
        by_write: bool,
    },
}

impl Link {
    /// Returns the user name that the account carries, as far as is known.
    pub fn user_name(&self) -> Option<UserName> {
        self.carries.get(&TargetPath::user_name())?.as_str()?.parse().ok()
    }

    /// Returns the `externalId` that the account carries, as far as is known.
    pub(crate) fn external_id(&self) -> Option<&str> {
        self.carries.get(&TargetPath::external_id())?.as_str()
    }

    /// Whether `wanted` was sent to `path` before, the account is known not to have taken it, and the user was not failed for it.
    pub(crate) fn is_ignored(&self, path: &TargetPath, wanted: Option<&Value>) -> bool {
        let wanted = wanted.map(|value| comparable_value(path, value));
        matches!(self.shows.get(path), Some(ShownForm::Ignored { sent, failed: false, .. }) if *sent == wanted)
    }

    /// Notes that the user is failed for values that were sent to `paths` without effect.
    pub(crate) fn fail_for(&mut self, paths: &[TargetPath]) {
        for path in paths {
            if let Some(ShownForm::Ignored { failed, .. }) = self.shows.get_mut(path) {
                *failed = true;
            }
        }
    }

    /// Whether `account` shows the form that the target keeps of `wanted`.
    pub(crate) fn shows_form(&self, path: &TargetPath, wanted: &Value, account: &Account) -> bool {
        match self.shows.get(path) {
            Some(ShownForm::As(form)) => {
                account.read(path) == Some(form) && is_carried(&self.carries, path, Some(wanted))
            }
            Some(ShownForm::Unseen(_) | ShownForm::Ignored { .. } | ShownForm::Changed { .. }) | None => {
                false
            }
        }
    }

    /// Whether a value that was sent in vain is worth another try: other accounts have taken the path since.
    pub(crate) fn has_news(&self, learned: &Learned) -> bool {
        self.shows.iter().any(|(path, shows)| {
            matches!(shows, ShownForm::Ignored { alone: false, .. }) && learned.is_stored(path)
        })
    }

    /// Notes that the account has `wanted` at `path`, as far as is known, and `shows` it in this form.
    pub(crate) fn carry(&mut self, path: &TargetPath, wanted: Option<&Value>, shows: Option<ShownForm>) {
        match wanted {
            // Most of it was noted when the write was sent.
            Some(_) if is_carried(&self.carries, path, wanted) => {}
            Some(value) => drop(self.carries.insert(path.clone(), comparable_value(path, value))),
            None => drop(self.carries.remove(path)),
        }
        self.note(path, shows);
    }

    /// Notes that the account has `now` at `path`, which is not the sent value.
    pub(crate) fn carry_still(&mut self, path: &TargetPath, now: Option<Value>, shows: Option<ShownForm>) {
        match now {
            Some(now) => drop(self.carries.insert(path.clone(), now)),
            None => drop(self.carries.remove(path)),
        }
        self.note(path, shows);
    }

    fn note(&mut self, path: &TargetPath, shows: Option<ShownForm>) {
        match shows {
            Some(shows) => drop(self.shows.insert(path.clone(), shows)),
            None => drop(self.shows.remove(path)),
        }
    }

    /// Compares the known values with `account` as it was just read, at `paths` and at every known path.
    pub(crate) fn reread(&mut self, account: &Account, paths: &BTreeSet<TargetPath>) {
        let known: BTreeSet<TargetPath> = self.carries.keys().chain(self.shows.keys()).cloned().collect();
        for path in known.union(paths).filter(|path| !is_never_returned(path)) {
            let (now, carries) = (account.read(path).cloned(), self.carries.get(path).cloned());
            let as_carried = match &carries {
                Some(carries) => account.shows(path, carries),
                None => now.is_none(),
            };
            let form = || {
                let (now, carries) = (now.as_ref()?, carries.as_ref()?);
                is_form_of(path, now, carries).then(|| ShownForm::As(now.clone()))
            };
            match (self.shows.get(path), as_carried) {
                (Some(ShownForm::Ignored { sent: Some(sent), .. }), _) if account.shows(path, sent) => {
                    let sent = sent.clone();
                    self.carry(path, Some(&sent), None);
                }
                (Some(ShownForm::Ignored { sent: None, .. }), _) if now.is_none() => {
                    self.carry_still(path, None, None);
                }
                (Some(ShownForm::Ignored { .. }), true) => {}
                (_, true) => self.note(path, None),
                (Some(ShownForm::As(shown)), false) if Some(shown) == now.as_ref() => {}
                (Some(ShownForm::Unseen(before)), false) if *before == now => {
                    let ignored = ShownForm::Ignored { sent: carries, alone: false, failed: false };
                    self.carry_still(path, now, Some(ignored));
                }
                (shows, false) => {
                    let by_write = matches!(shows, Some(ShownForm::Unseen(_)));
                    let sent = carries.is_some() || shows.is_some();
                    if let Some(form) = form() {
                        self.note(path, Some(form));
                    } else {
                        self.carry_still(path, now, sent.then_some(ShownForm::Changed { by_write }));
                    }
                }
            }
        }
    }
}

/// Returns the values of an account that was just matched, in the spelling of `wanted` if that means the same.
pub(crate) fn matched<'a>(
    account: &Account,
    wanted: &Desired,
    paths: impl Iterator<Item = &'a TargetPath>,
) -> AccountValues {
    let mut carries = account.project(paths);
    for (path, value) in wanted.iter().filter(|(path, value)| account.shows(path, value)) {
        carries.insert(path.clone(), comparable_value(path, value));
    }
    carries
}

/// The status of a linked user with respect to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// Owned by a rule.
    Owned,
    /// Removed by Disable; nothing more is sent until it returns.
    Removed,
    /// Left, and the preferences forbade the removal.
    Withheld(Leave),
    /// Left, and the removal failed: it is tried in each run.
    Pending(Leave),
}

/// Returns the attributes in which `wanted` differs from the values that the account of `link` carries.
///
/// An attribute that is mapped but absent at the source counts only with `clear_missing`; a value that was sent in vain
/// counts only where it is to be tried `again`.
pub fn differences(
    wanted: &Desired,
    link: &Link,
    mapped: &[TargetPath],
    clear_missing: bool,
    again: bool,
) -> Vec<TargetPath> {
    let counts = |path: &TargetPath, value: Option<&Value>| again || !link.is_ignored(path, value);
    let mut paths: Vec<TargetPath> = wanted
        .iter()
        .filter(|(path, value)| !is_carried(&link.carries, path, Some(value)) && counts(path, Some(value)))
        .map(|(path, _)| path.clone())
        .collect();
    if clear_missing {
        let cleared = link
            .carries
            .keys()
            .filter(|path| mapped.contains(path) && wanted.get(path).is_none() && counts(path, None));
        paths.extend(cleared.cloned());
    }
    paths
}
