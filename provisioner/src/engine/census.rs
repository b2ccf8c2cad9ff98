//! The census of a run: every user of the source is examined once, in any number of threads, and only those that may have
//! something to do are kept.
//!
//! A user whose data are as they were costs a digest and a look into the index. The others are kept in a [`Spool`], so that a
//! first run of a million users fits into memory.

mod figures;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::duplicate_names::{DuplicateName, DuplicateUser};
use super::spool::{Spool, SpoolPlace};
use crate::config::Config;
use crate::ids::{SourceId, UserName};
use crate::mapping::{Desired, MappingError, TargetPath};
use crate::policy::Leave;
use crate::source::{SourceUser, fingerprint};
use crate::state::index::{Entry, Index, Key, parse_fingerprint};

/// The rules, with the values that are computed once per run, and the index of the known users.
pub(crate) struct Survey {
    pub(crate) config: Arc<Config>,
    pub(crate) index: Index,
    rules: Vec<PreparedRule>,
    full: bool,
}

struct PreparedRule {
    targets: Arc<[TargetPath]>,
    /// The paths that a mapped user may have: the targets, and `externalId`.
    paths: Vec<TargetPath>,
    fingerprint: String,
    /// Whether it matched a user so far.
    has_users: AtomicBool,
}

/// What the examination of one user found.
pub(crate) struct Examined {
    id: SourceId,
    key: Key,
    line: usize,
    /// The place in the index.
    place: Option<usize>,
    /// The user name that the owning rule produces, unless it is excluded.
    name: Option<UserName>,
    /// Whether any rule matches the user, enabled or not.
    held: bool,
    kind: ExaminedKind,
}

enum ExaminedKind {
    /// Nothing has changed, and nothing is left to try again.
    Settled,
    /// A rule owns the user; it is encoded for the spool.
    Owned {
        encoded: io::Result<Vec<u8>>,
        /// Whether an account is created for the user if there is none.
        is_created: bool,
    },
    /// No rule owns the user, and a rule that is turned off matches it.
    Frozen {
        /// Whether something has changed since the user was last provisioned.
        is_changed: bool,
    },
    /// No rule owns the user.
    Unowned,
}

/// A user in the spool.
#[derive(Serialize, Deserialize)]
struct SpooledUser {
    id: String,
    enabled: bool,
    /// The rule that owns it.
    rule: usize,
    /// Digest of all that its evaluation depends on.
    fingerprint: String,
    data: SpooledData,
}

#[derive(Serialize, Deserialize)]
enum SpooledData {
    /// The wanted values, in the order of the paths of the rule.
    Mapped(Vec<Option<Value>>),
    /// A user that cannot be mapped, as it is at the source.
    Unmapped { username: String, line: usize, attributes: Value },
}

/// A user that a rule owns, with what is wanted of it.
pub(crate) struct OwnedUser {
    pub(crate) id: SourceId,
    pub(crate) enabled: bool,
    /// The position of the rule that owns it.
    pub(crate) rule: usize,
    /// Digest of all that its evaluation depends on.
    pub(crate) fingerprint: String,
    pub(crate) wanted: Result<Desired, MappingError>,
    /// The wanted user name, or that of the source if the user cannot be mapped and it is one.
    pub(crate) name: Option<UserName>,
}

impl Survey {
    pub(crate) fn new(config: Arc<Config>, index: Index, full: bool) -> Self {
        let settings = format!("{:?} {}", config.preferences, config.options.clear_missing_attributes);
        let rules = config
            .rules
            .iter()
            .map(|rule| PreparedRule {
                targets: rule.mapping.targets(),
                paths: paths_of(&rule.mapping.targets()),
                fingerprint: format!("{} {} {settings}", rule.fingerprint(), rule.mapping.fingerprint()),
                has_users: AtomicBool::new(false),
            })
            .collect();
        Self { config, index, rules, full }
    }

    /// Returns the paths that the mapping of a rule may write.
    pub(crate) fn targets(&self, rule: usize) -> Arc<[TargetPath]> {
        self.rules.get(rule).map_or_else(|| Arc::from([]), |rule| Arc::clone(&rule.targets))
    }

    /// Finds out how a user stands.
    pub(crate) fn examine(&self, user: SourceUser) -> Examined {
        let (mut owner, mut held, mut frozen) = (None, false, None);
        for (at, (rule, prepared)) in self.config.rules.iter().zip(&self.rules).enumerate() {
            if !rule.matches(&user) {
                continue;
            }
            // Each rule is set once: a write for every user would make the threads wait for each other.
            if !prepared.has_users.load(Ordering::Relaxed) {
                prepared.has_users.store(true, Ordering::Relaxed);
            }
            held = true;
            if !rule.enabled && frozen.is_none() {
                frozen = Some(prepared);
            }
            if rule.enabled && owner.is_none() {
                owner = Some((at, rule, prepared));
            }
        }
        let key = Key::from(&user.id);
        let place = self.index.find(key);
        let name = owner
            .and_then(|(_, rule, _)| rule.mapping.user_name(&user))
            .filter(|name| !self.config.options.exclude.contains(name));
        let (id, line) = (user.id.clone(), user.line);
        let kind = match owner {
            None => match frozen {
                Some(prepared) => {
                    let fingerprint = fingerprint([user.digest().as_str(), prepared.fingerprint.as_str()]);
                    let entry = place.and_then(|place| self.index.entries().get(place));
                    let is_changed = !entry.is_some_and(|entry| is_settled(entry, &fingerprint));
                    ExaminedKind::Frozen { is_changed }
                }
                None => ExaminedKind::Unowned,
            },
            Some((rule, owner, prepared)) => {
                let fingerprint = fingerprint([user.digest().as_str(), prepared.fingerprint.as_str()]);
                let entry = place.and_then(|place| self.index.entries().get(place));
                if !self.full && entry.is_some_and(|entry| is_settled(entry, &fingerprint)) {
                    ExaminedKind::Settled
                } else {
                    let wanted = owner.mapping.apply(&user);
                    let is_created = user.enabled
                        && self.config.preferences.creates()
                        && name.is_some()
                        && place.is_none()
                        && wanted.is_ok();
                    let SourceUser { id, username, enabled, attributes, line } = user;
                    let id = id.to_string();
                    let data = match wanted {
                        Ok(wanted) => SpooledData::Mapped(
                            prepared.paths.iter().map(|path| wanted.get(path).cloned()).collect(),
                        ),
                        Err(_) => SpooledData::Unmapped { username, line, attributes },
                    };
                    let spooled = SpooledUser { id, enabled, rule, fingerprint, data };
                    ExaminedKind::Owned { encoded: Spool::encode(&spooled), is_created }
                }
            }
        };
        Examined { id, key, line, place, name, held, kind }
    }
}

fn paths_of(targets: &[TargetPath]) -> Vec<TargetPath> {
    let external_id = TargetPath::external_id();
    let is_missing = !targets.contains(&external_id);
    targets.iter().cloned().chain(is_missing.then_some(external_id)).collect()
}

fn is_settled(entry: &Entry, fingerprint: &str) -> bool {
    entry.flags().is_at_rest() && entry.has_fingerprint(parse_fingerprint(fingerprint))
}

/// A user that may have something to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pending {
    /// A rule owns the user.
    Owned {
        spooled: SpoolPlace,
        place: Option<u32>,
        /// Whether an account is created for the user if there is none: it is new, enabled and mapped, and creation is on.
        is_created: bool,
    },
    /// The user is known, and no rule owns it any longer.
    Left { leave: Leave, place: u32 },
    /// The run is about another user, and this one may have the same name.
    Other { spooled: SpoolPlace },
}

impl Pending {
    /// Returns the place of the user in the index.
    pub(crate) fn place(self) -> Option<usize> {
        match self {
            Self::Owned { place, .. } => place.map(|place| place as usize),
            Self::Left { place, .. } => Some(place as usize),
            Self::Other { .. } => None,
        }
    }
}

/// A user name in scope, and where its user is found.
struct Named {
    name: Key,
    line: u32,
    user: NamedUser,
}

#[derive(Clone, Copy)]
enum NamedUser {
    /// Among the pending users.
    Pending(u32),
    /// In the index.
    Known(u32),
}

/// The users of a run.
pub(crate) struct Census {
    pub(crate) survey: Survey,
    /// The users with something to do, in the order of the source; then, by id, those that are missing from it.
    pub(crate) pending: Vec<Pending>,
    /// The number of users in the source.
    pub(crate) users: u64,
    spool: Spool,
    /// The number of pending users that are in the source.
    from_source: usize,
    /// Whether a known user is in the source, by its place in the index.
    present: Vec<bool>,
    /// Whether a rule matches a known user, by its place in the index.
    held: Vec<bool>,
    /// Users of the source that are not in the index.
    newcomers: HashSet<Key>,
    named: Vec<Named>,
    /// Users that share their name with an earlier one, by the position of that one among `named`.
    namesakes: BTreeMap<u32, Vec<DuplicateUser>>,
    /// Users with something to do whose rule is turned off.
    frozen: u64,
    /// Users with something to do that `exclude` protects.
    excluded: AtomicU64,
}

/// Takes the examined users in their order.
pub(crate) struct CensusBuilder {
    census: Census,
    by_name: HashTable<u32>,
    /// The only user that is kept, if the run is about one.
    only: Option<Key>,
}

impl CensusBuilder {
    /// Creates the census of a source without users; users with something to do are spooled in `folder`.
    pub(crate) fn new(survey: Survey, folder: &Path, only: Option<&SourceId>) -> Self {
        let known = survey.index.entries().len();
        let census = Census {
            survey,
            pending: Vec::new(),
            users: 0,
            spool: Spool::new(folder),
            from_source: 0,
            present: vec![false; known],
            held: vec![false; known],
            newcomers: HashSet::new(),
            named: Vec::new(),
            namesakes: BTreeMap::new(),
            frozen: 0,
            excluded: AtomicU64::new(0),
        };
        Self { census, by_name: HashTable::new(), only: only.map(Key::from) }
    }

    /// Returns the rules and the index.
    pub(crate) const fn survey(&self) -> &Survey {
        &self.census.survey
    }

    /// Takes the next user.
    ///
    /// # Errors
    /// The spool cannot be written.
    pub(crate) fn add(&mut self, examined: Examined) -> io::Result<()> {
        let Examined { id, key, line, place, name, held, kind } = examined;
        let census = &mut self.census;
        census.users += 1;
        match place {
            Some(place) => {
                if let Some(present) = census.present.get_mut(place) {
                    *present = true;
                }
                if let Some(known) = census.held.get_mut(place) {
                    *known = held;
                }
            }
            None => drop(census.newcomers.insert(key)),
        }
        let place = place.map(small).transpose()?;
        let is_meant = self.only.is_none_or(|only| only == key);
        let mut found = place.map(NamedUser::Known);
        match kind {
            ExaminedKind::Settled => {}
            ExaminedKind::Frozen { is_changed } => census.frozen += u64::from(is_changed),
            ExaminedKind::Owned { encoded, is_created } => {
                if is_meant || place.is_none() {
                    let spooled = census.spool.push(&encoded?)?;
                    found = Some(NamedUser::Pending(small(census.pending.len())?));
                    let owned = Pending::Owned { spooled, place, is_created };
                    census.pending.push(if is_meant { owned } else { Pending::Other { spooled } });
                }
            }
            ExaminedKind::Unowned => {
                let entry = place.and_then(|place| census.survey.index.entries().get(place as usize));
                if let (Some(entry), Some(place)) = (entry, place)
                    && is_meant
                    && !census.is_frozen(entry)
                    && !entry.flags().is_removed_for_good()
                {
                    let leave = census.leave(entry);
                    census.pending.push(Pending::Left { leave, place });
                }
            }
        }
        if let Some(name) = name {
            self.note_name(id, name, line, found)?;
        }
        Ok(())
    }

    fn note_name(
        &mut self,
        source_id: SourceId,
        user_name: UserName,
        line: usize,
        user: Option<NamedUser>,
    ) -> io::Result<()> {
        let Census { named, namesakes, .. } = &mut self.census;
        let name = Key::of(user_name.folded());
        let is = |at: &u32| named.get(*at as usize).is_some_and(|named| named.name == name);
        if let Some(first) = self.by_name.find(name.hash(), is) {
            namesakes.entry(*first).or_default().push(DuplicateUser { source_id, user_name, line });
            return Ok(());
        }
        let Some(user) = user else { return Ok(()) };
        let at = small(named.len())?;
        named.push(Named { name, line: u32::try_from(line).unwrap_or(u32::MAX), user });
        let hash_of = |at: &u32| named.get(*at as usize).map_or(0, |named| named.name.hash());
        self.by_name.insert_unique(name.hash(), at, hash_of);
        Ok(())
    }

    /// Returns the rows of the known users that were not taken so far, those aside that nothing can happen to.
    pub(crate) fn missing(&self) -> Vec<i64> {
        let census = &self.census;
        let is_missing = |place: usize, entry: &Entry| {
            !census.present.get(place).copied().unwrap_or_default()
                && !census.is_frozen(entry)
                && !entry.flags().is_removed_for_good()
        };
        let entries = census.survey.index.entries().iter().enumerate();
        entries.filter(|(place, entry)| is_missing(*place, entry)).map(|(_, entry)| entry.row).collect()
    }

    /// Adds the known users that are missing from the source, after all others.
    pub(crate) fn finish(self) -> Census {
        let Self { mut census, only, .. } = self;
        census.from_source = census.pending.len();
        let is_missing = |place: usize, entry: &Entry| {
            !census.present.get(place).copied().unwrap_or_default()
                && only.is_none_or(|only| only == entry.id)
                && !census.is_frozen(entry)
                && !entry.flags().is_removed_for_good()
        };
        let entries = census.survey.index.entries().iter().enumerate();
        let missing: Vec<Pending> = entries
            .filter(|(place, entry)| is_missing(*place, entry))
            .filter_map(|(place, _)| {
                Some(Pending::Left { leave: Leave::Deleted, place: u32::try_from(place).ok()? })
            })
            .collect();
        census.pending.extend(missing);
        let is_kept = |(place, entry): &(usize, &Entry)| {
            !census.present.get(*place).copied().unwrap_or_default()
                && census.is_frozen(entry)
                && !entry.flags().is_removed_for_good()
        };
        let gone = census.survey.index.entries().iter().enumerate().filter(is_kept).count();
        census.frozen += gone as u64;
        census
    }
}

fn small(number: usize) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| io::Error::other("more users than a run holds"))
}

impl Census {
    /// Whether the rule that owned the user is turned off.
    pub(crate) fn is_frozen(&self, entry: &Entry) -> bool {
        let Some(name) = self.survey.index.rule_of(entry) else { return false };
        self.survey.config.rules.iter().any(|rule| rule.name == *name && !rule.enabled)
    }

    /// Returns why the user of `entry`, who is in the source, is owned no longer.
    fn leave(&self, entry: &Entry) -> Leave {
        let rule = self.survey.index.rule_of(entry);
        let is_there = rule.is_none_or(|name| self.survey.config.rules.iter().any(|rule| rule.name == *name));
        if is_there { Leave::LeftScope } else { Leave::RuleDeleted }
    }

    /// Returns the entry of a pending user, if it is known.
    pub(crate) fn entry(&self, pending: Pending) -> Option<&Entry> {
        self.survey.index.entries().get(pending.place()?)
    }

    /// Returns the rows of the pending users that are missing from the source.
    pub(crate) fn missing(&self) -> Vec<i64> {
        let missing = self.pending.iter().skip(self.from_source);
        missing.filter_map(|pending| self.entry(*pending)).map(|entry| entry.row).collect()
    }

    /// Puts the pending users that are missing from the source into the order of their `ids`, which belong to
    /// [`Census::missing`].
    pub(crate) fn sort_missing(&mut self, ids: Vec<SourceId>) {
        let Some(missing) = self.pending.get_mut(self.from_source..) else { return };
        let mut sorted: Vec<(SourceId, Pending)> = ids.into_iter().zip(missing.iter().copied()).collect();
        sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (place, (_, pending)) in missing.iter_mut().zip(sorted) {
            *place = pending;
        }
    }

    /// Whether a user is in the source.
    pub(crate) fn is_present(&self, user: Key) -> bool {
        match self.survey.index.find(user) {
            Some(place) => self.present.get(place).copied().unwrap_or_default(),
            None => self.newcomers.contains(&user),
        }
    }

    /// Reads a pending user from the spool.
    ///
    /// # Errors
    /// The spool cannot be read.
    pub(crate) fn spooled(&self, place: SpoolPlace) -> io::Result<OwnedUser> {
        let SpooledUser { id, enabled, rule, fingerprint, data } = self.spool.read(place)?;
        let broken = || io::Error::from(io::ErrorKind::InvalidData);
        let id = SourceId::try_from(id).map_err(|_| broken())?;
        let (wanted, name) = match data {
            SpooledData::Mapped(values) => {
                let paths = self.survey.rules.get(rule).map(|rule| rule.paths.as_slice()).unwrap_or_default();
                let values = paths.iter().cloned().zip(values);
                let values = values.filter_map(|(path, value)| Some((path, value?))).collect();
                let wanted = Desired::new(values).ok_or_else(broken)?;
                let name = wanted.user_name();
                (Ok(wanted), Some(name))
            }
            SpooledData::Unmapped { username, line, attributes } => {
                let owner = self.survey.config.rules.get(rule).ok_or_else(broken)?;
                let name = username.parse().ok();
                let user = SourceUser { id: id.clone(), username, enabled, attributes, line };
                (owner.mapping.apply(&user), name)
            }
        };
        Ok(OwnedUser { id, enabled, rule, fingerprint, wanted, name })
    }

    /// Returns for each pending user whether an account is created for it, given the names that accounts have.
    pub(crate) fn created(&self, is_taken: impl Fn(Key) -> bool) -> Vec<bool> {
        let mut created = vec![false; self.pending.len()];
        for (at, named) in self.named.iter().enumerate() {
            let NamedUser::Pending(pending) = named.user else { continue };
            let is_created =
                matches!(self.pending.get(pending as usize), Some(Pending::Owned { is_created: true, .. }));
            let has_namesakes = u32::try_from(at).is_ok_and(|at| self.namesakes.contains_key(&at));
            if let Some(created) = created.get_mut(pending as usize) {
                *created = is_created && !has_namesakes && !is_taken(named.name);
            }
        }
        created
    }

    /// Returns the names of the pending users without an account.
    pub(crate) fn names_to_look_up(&self) -> HashSet<Key> {
        let is_unlinked = |pending: &Pending| self.unlinked(*pending).is_some();
        self.named
            .iter()
            .filter(|named| match named.user {
                NamedUser::Pending(at) => self.pending.get(at as usize).is_some_and(is_unlinked),
                NamedUser::Known(_) => false,
            })
            .map(|named| named.name)
            .collect()
    }

    /// Returns the place of a pending user without an account.
    fn unlinked(&self, pending: Pending) -> Option<SpoolPlace> {
        match pending {
            Pending::Owned { spooled, .. } => {
                self.entry(pending).is_none_or(|entry| !entry.flags().is_linked()).then_some(spooled)
            }
            Pending::Left { .. } | Pending::Other { .. } => None,
        }
    }

    /// Returns at most `most` names of pending users without an account, from all over the source.
    pub(crate) fn sample_of_names(&self, most: usize) -> Vec<UserName> {
        let unlinked = || self.pending.iter().filter_map(|pending| self.unlinked(*pending));
        let step = (unlinked().count() / most.max(1)).max(1);
        let names = unlinked().step_by(step).take(most).filter_map(|place| self.named_user(place));
        names.map(|(_, name)| name).collect()
    }

    /// Returns the groups of users in scope that share a user name; `known` reads users from the state, by row.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(crate) fn duplicate_names<E>(
        &self,
        mut known: impl FnMut(i64) -> Result<Option<(SourceId, UserName)>, E>,
    ) -> Result<Vec<DuplicateName>, E> {
        let mut groups = Vec::new();
        for (first, others) in &self.namesakes {
            let Some(named) = self.named.get(*first as usize) else { continue };
            let found = match named.user {
                NamedUser::Known(place) => match self.survey.index.entries().get(place as usize) {
                    Some(entry) => known(entry.row)?,
                    None => None,
                },
                NamedUser::Pending(at) => match self.pending.get(at as usize) {
                    Some(Pending::Owned { spooled, .. } | Pending::Other { spooled }) => {
                        self.named_user(*spooled)
                    }
                    Some(Pending::Left { .. }) | None => None,
                },
            };
            let line = named.line as usize;
            let first = found.map(|(source_id, user_name)| DuplicateUser { source_id, user_name, line });
            groups.push(DuplicateName { users: first.into_iter().chain(others.iter().cloned()).collect() });
        }
        Ok(groups)
    }

    /// Returns a spooled user; one that cannot be read stops the run when its turn comes.
    fn named_user(&self, place: SpoolPlace) -> Option<(SourceId, UserName)> {
        let SpooledUser { id, enabled, rule, data, .. } = self.spool.read(place).ok()?;
        let SpooledData::Unmapped { username, line, attributes } = data else {
            let OwnedUser { id, name, .. } = self.spooled(place).ok()?;
            return Some((id, name?));
        };
        let user = SourceUser { id: SourceId::try_from(id).ok()?, username, enabled, attributes, line };
        let name = self.survey.config.rules.get(rule)?.mapping.user_name(&user)?;
        Some((user.id, name))
    }
}
