//! Creates with an unknown result: each is resolved by the fields that were sent, before anything is decided.

use std::collections::{BTreeMap, BTreeSet};

use crate::casing::lower_case;
use crate::matrix::model::client::Unread;
use crate::matrix::model::policy::Holder;
use crate::matrix::model::sync::Stop;
use crate::matrix::model::types::{Ignored, Key, Left, Link, Path, Posted, Way, World};
use crate::matrix::model::words::Reason;

/// The results of the unresolved creates at the end of a run.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// The users that have an account now.
    pub(crate) made: BTreeSet<String>,
    /// The creates whose result is still unknown, with the reason.
    pub(crate) unknown: BTreeMap<String, Reason>,
}

impl World {
    /// Resolves creates as far as possible: new accounts are linked, and failed creates are forgotten.
    pub(crate) fn resolve(&mut self, order: &[(String, Holder)]) -> Result<Resolved, Stop> {
        let url = self.url;
        let mut resolved = Resolved::default();
        for (id, holder) in order {
            let Some(posted) = self.posted[url].get(id).cloned() else { continue };
            if *holder == Holder::Frozen {
                continue;
            }
            match self.what_came_of(id, &posted) {
                Ok(found) => {
                    self.posted[url].remove(id);
                    if let Some(key) = found {
                        resolved.made.insert(id.clone());
                        self.link_posted(id, key, &posted);
                    }
                }
                Err(Unread::Failed(reason)) => drop(resolved.unknown.insert(id.clone(), reason)),
                Err(Unread::Stop) => return Err(Stop),
            }
        }
        Ok(resolved)
    }

    fn link_posted(&mut self, id: &str, key: Key, posted: &Posted) {
        let Some(account) = self.account(key) else { return };
        let (origin, rule) = (posted.sent.external_id().cloned(), posted.rule.clone());
        let mut sent = account.fields.clone();
        sent.claim(posted.sent.email());
        // The POST carried an `externalId` that this target is known not to keep: it is not sent again.
        let mut sent_in_vain = BTreeMap::new();
        let lost = self.learned.not_stored.contains(&(Way::Post, Path::ExternalId));
        if lost && account.fields.external_id.is_none() && origin.is_some() {
            let ways = [Way::Patch, Way::Put].into_iter();
            let stored_by =
                ways.filter(|way| self.learned.stored.contains(&(*way, Path::ExternalId))).collect();
            sent_in_vain.insert(Path::ExternalId, Ignored { value: origin, stored_by });
        }
        let link = Link {
            account: key,
            rule,
            sent,
            ignored: sent_in_vain,
            active: account.active,
            left: Left::No,
            unsure: None,
        };
        self.links[self.url].insert(id.to_owned(), link);
    }

    /// Returns the account that the POST created, if any: by `externalId`, then by the name that was sent.
    fn what_came_of(&mut self, id: &str, posted: &Posted) -> Result<Option<Key>, Unread> {
        let origin = posted.sent.external_id();
        let name = posted.sent.user_name().map(|name| lower_case(name)).unwrap_or_default();
        // An account with the `externalId` and another name may be somebody else's.
        let mut renamed = false;
        // Without an `externalId` there is nothing to look for but the name.
        let looked = if origin.is_some() { self.ask_by_name() } else { Ok(false) };
        let answered = match looked {
            Ok(true) => {
                let has_origin = |named: bool| {
                    let name = &name;
                    move |world: &Self, key| {
                        world.account(key).is_some_and(|account| {
                            account.fields.external_id.as_ref() == origin
                                && (lower_case(&account.fields.user_name) == *name) == named
                        })
                    }
                };
                if let [only] = *self.free(id, &has_origin(true)) {
                    return Ok(Some(only));
                }
                renamed = !self.free(id, &has_origin(false)).is_empty();
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(Unread::Stop) => return Err(Unread::Stop),
            Err(failed) => Err(failed),
        };
        if !self.ask_by_name()? {
            return answered.map(|()| None);
        }
        let named = self.free(id, &|world, key| {
            world.account(key).is_some_and(|account| {
                lower_case(&account.fields.user_name) == name
                    && account.fields.external_id.as_ref().is_none_or(|other| Some(other) == origin)
            })
        });
        match *named {
            _ if renamed => Err(Unread::Failed(Reason::AmbiguousMatch)),
            [] => answered.map(|()| None),
            [only] => answered.map(|()| Some(only)),
            [_, _, ..] => Err(Unread::Failed(Reason::AmbiguousMatch)),
        }
    }

    /// Returns the matching accounts that are linked to nobody else.
    fn free(&self, id: &str, like: &dyn Fn(&Self, Key) -> bool) -> Vec<Key> {
        let links = &self.links[self.url];
        self.applications[self.url]
            .iter()
            .map(|account| account.key)
            .filter(|key| !links.iter().any(|(holder, link)| link.account == *key && holder != id))
            .filter(|key| like(self, *key))
            .collect()
    }
}
