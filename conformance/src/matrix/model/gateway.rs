//! The model of the two hops: a request, its answer, and its effect downstream.

use crate::casing::same_without_case;
use crate::matrix::model::fault::Request;
use crate::matrix::model::profile::{DeleteWay, PatchWay, PathRule, PutWay};
use crate::matrix::model::types::{Account, Attribute, Desired, Fields, Key, Path, Way, World, Write};
use crate::matrix::model::words::Downstream;

/// An answer of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    Success,
    Error(u16),
    /// The connection broke before there was an answer, or in the middle of it.
    Broken,
    /// Success, with a body that cannot be read.
    Cut,
}

impl World {
    fn note(&mut self, account: Option<Key>, operation: Downstream, accepted: bool) {
        self.writes.push(Write { account, operation, accepted });
    }

    fn name_taken(&self, user_name: &str, by_other_than: Option<Key>) -> bool {
        self.applications[self.url].iter().any(|account| {
            Some(account.key) != by_other_than && same_without_case(&account.fields.user_name, user_name)
        })
    }

    /// Returns the accounts of this user name, compared without case.
    pub(crate) fn look_up(&self, user_name: &str) -> Vec<&Account> {
        self.applications[self.url]
            .iter()
            .filter(|account| same_without_case(&account.fields.user_name, user_name))
            .collect()
    }

    /// Returns the fields of an account after a write, or an error if the write is refused. An e-mail address without
    /// a type is found by the value that was written before, `ours`.
    fn stored(
        &self,
        way: Way,
        before: &Fields,
        asked: &Desired,
        ours: Option<&String>,
    ) -> Result<Fields, Reply> {
        let mut after = before.clone();
        for (path, value) in &asked.0 {
            let of_email = *path == Path::Attribute(Attribute::Email);
            let stray = ours
                .filter(|email| of_email && before.get(*path).is_none() && before.untyped.contains(*email));
            match self.profile.rule(*path) {
                Some(PathRule::ReadOnly) if before.get(*path) != value.as_ref() => {
                    return Err(Reply::Error(400));
                }
                Some(rule) if rule.keeps(way) => {}
                Some(PathRule::Untyped) if before.get(*path) != value.as_ref() || stray.is_some() => {
                    stray.map(|email| after.untyped.remove(email));
                    after.set(*path, None);
                    after.untyped.extend(value.clone());
                }
                _ => {
                    let is_stray = stray.is_some_and(|email| after.untyped.remove(email));
                    match value {
                        // A PATCH changes the value where it stands; a PUT says its type as well.
                        Some(email) if is_stray && way == Way::Patch => {
                            after.untyped.insert(email.clone());
                        }
                        _ => after.set(*path, value.clone()),
                    }
                }
            }
        }
        Ok(after)
    }

    pub(crate) fn post(&mut self, asked: &Desired) -> Reply {
        self.request(Request::Post, |world| world.create_account(asked))
    }

    fn create_account(&mut self, asked: &Desired) -> Reply {
        let fields = match self.stored(Way::Post, &Fields::default(), asked, None) {
            Ok(fields) if !self.name_taken(&fields.user_name, None) => fields,
            refused => {
                self.note(None, Downstream::Create, false);
                return refused.err().unwrap_or(Reply::Error(409));
            }
        };
        let key = self.seed(self.url, fields, true);
        self.note(Some(key), Downstream::Create, true);
        Reply::Success
    }

    pub(crate) fn patch(&mut self, key: Key, asked: &Desired, active: Option<bool>) -> Reply {
        self.request(Request::Patch, |world| world.patch_account(key, asked, active))
    }

    fn patch_account(&mut self, key: Key, asked: &Desired, active: Option<bool>) -> Reply {
        if let PatchWay::Refused(status) = self.profile.patch {
            return Reply::Error(status);
        }
        if self.profile.patch == PatchWay::Swallowed {
            return if self.account(key).is_some() { Reply::Success } else { Reply::Error(404) };
        }
        let Some(account) = self.account(key).cloned() else {
            self.note(Some(key), Downstream::PartialUpdate, false);
            return Reply::Error(404);
        };
        if !self.profile.partial_update {
            self.note(Some(key), Downstream::PartialUpdate, false);
            return Reply::Error(501);
        }
        let fields = match self.stored(Way::Patch, &account.fields, asked, self.own_email(key).as_ref()) {
            Ok(fields) => fields,
            Err(refused) => {
                self.note(Some(key), Downstream::PartialUpdate, false);
                return refused;
            }
        };
        if active == Some(false) && self.profile.disable_deletes {
            self.delete_account(key);
            return Reply::Success;
        }
        if asked.user_name().is_some() && self.name_taken(&fields.user_name, Some(key)) {
            self.note(Some(key), Downstream::PartialUpdate, false);
            return Reply::Error(409);
        }
        self.note(Some(key), Downstream::PartialUpdate, true);
        if let Some(account) = self.account_mut(key) {
            account.fields = fields;
            account.active = active.unwrap_or(account.active);
            account.version += 1;
        }
        if self.profile.patch == PatchWay::AppliedThenNotFound { Reply::Error(404) } else { Reply::Success }
    }

    /// Answers a PATCH that the application refuses.
    pub(crate) fn refuse(&mut self, key: Key) -> Reply {
        self.note(Some(key), Downstream::PartialUpdate, false);
        Reply::Error(400)
    }

    /// Replaces the account with these changes, if it still has this version.
    pub(crate) fn put(&mut self, key: Key, asked: &Desired, active: Option<bool>, version: u32) -> Reply {
        self.request(Request::Put, |world| world.replace_account(key, asked, active, version))
    }

    fn replace_account(&mut self, key: Key, asked: &Desired, active: Option<bool>, version: u32) -> Reply {
        if self.profile.put == PutWay::HtmlNotFound {
            return Reply::Error(404);
        }
        let Some(account) = self.account(key).cloned() else {
            self.note(Some(key), Downstream::Replace, false);
            return Reply::Error(404);
        };
        if account.version != version {
            self.note(Some(key), Downstream::Replace, false);
            return Reply::Error(412);
        }
        let fields = match self.stored(Way::Put, &account.fields, asked, self.own_email(key).as_ref()) {
            Ok(fields) => fields,
            Err(refused) => {
                self.note(Some(key), Downstream::Replace, false);
                return refused;
            }
        };
        let flips = active.is_some_and(|active| active != account.active);
        if flips && !self.profile.partial_update {
            self.note(Some(key), Downstream::PartialUpdate, false);
            return Reply::Error(501);
        }
        if flips && active == Some(false) && self.profile.disable_deletes {
            self.delete_account(key);
            return Reply::Success;
        }
        let changes = fields != account.fields;
        if changes && self.name_taken(&fields.user_name, Some(key)) {
            self.note(Some(key), Downstream::Replace, false);
            return Reply::Error(409);
        }
        if flips {
            self.note(Some(key), Downstream::PartialUpdate, true);
        }
        if changes || !flips {
            self.note(Some(key), Downstream::Replace, true);
        }
        if let Some(account) = self.account_mut(key) {
            account.fields = fields;
            account.active = active.unwrap_or(account.active);
            account.version += 1;
        }
        Reply::Success
    }

    pub(crate) fn delete(&mut self, key: Key) -> Reply {
        self.request(Request::Delete, |world| world.remove_account(key))
    }

    fn remove_account(&mut self, key: Key) -> Reply {
        if self.account(key).is_none() && self.profile.delete != DeleteWay::Refused {
            self.note(Some(key), Downstream::Delete, false);
            return Reply::Error(404);
        }
        match self.profile.delete {
            DeleteWay::Refused => Reply::Error(405),
            DeleteWay::Works => {
                self.delete_account(key);
                Reply::Success
            }
            DeleteWay::Deactivates => {
                self.note(Some(key), Downstream::Delete, true);
                if let Some(account) = self.account_mut(key) {
                    account.active = false;
                    account.version += 1;
                }
                Reply::Success
            }
        }
    }

    fn delete_account(&mut self, key: Key) {
        self.note(Some(key), Downstream::Delete, true);
        self.forget_account(key);
    }
}

#[cfg(test)]
impl World {
    /// Returns the status of a request.
    pub(crate) fn request_for_test(&mut self, key: Key, send: impl FnOnce(&mut Self, Key) -> Reply) -> u16 {
        match send(self, key) {
            Reply::Success => 200,
            Reply::Error(status) => status,
            Reply::Broken | Reply::Cut => 0,
        }
    }
}
