//! Who is a member of which group: kept at both ends, so that each can be read off without a search.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::{Inconsistency, Ref, Slot, Store};
use crate::types::Role;
use jiff::Timestamp;

use super::table::Record;

/// The members of one group in the order in which they joined.
#[derive(Debug, Default)]
pub(crate) struct Members {
    in_order: BTreeMap<u64, Ref>,
    places: HashMap<Ref, u64>,
    next: u64,
    names: HashMap<Ref, Box<str>>,
}

/// What members are called in a group, where that is not how they call themselves.
pub(crate) type Names = Vec<(Ref, Box<str>)>;

impl Members {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Ref> {
        self.in_order.values().copied()
    }

    pub(crate) fn contains(&self, member: Ref) -> bool {
        self.places.contains_key(&member)
    }

    /// What a member is called here, where it was given another name than its own.
    pub(crate) fn name(&self, member: Ref) -> Option<&str> {
        self.names.get(&member).map(|name| &**name)
    }

    /// Whether just these names were given.
    pub(crate) fn has_names(&self, names: &Names) -> bool {
        let names: HashMap<Ref, &str> = names.iter().map(|(member, name)| (*member, &**name)).collect();
        names.len() == self.names.len() && names.iter().all(|(member, name)| self.name(*member) == Some(name))
    }

    fn insert(&mut self, member: Ref) -> bool {
        if self.places.contains_key(&member) {
            return false;
        }
        self.places.insert(member, self.next);
        self.in_order.insert(self.next, member);
        self.next += 1;
        true
    }

    fn remove(&mut self, member: Ref) -> bool {
        let Some(place) = self.places.remove(&member) else { return false };
        self.in_order.remove(&place);
        self.names.remove(&member);
        true
    }
}

/// A change of who is in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MembersChange {
    Add(Vec<Ref>),
    Remove(Vec<Ref>),
    /// Nobody keeps a name that was given.
    Set(Vec<Ref>),
    /// Names for members who have just joined.
    Name(Names),
}

impl Store {
    /// Changes who is in a group: a new version if anything changed. Gives whether it did.
    pub(crate) fn change_members(&mut self, group: Ref, changes: &[MembersChange], now: Timestamp) -> bool {
        let mut changed = false;
        let mut names_before = None;
        for change in changes {
            changed |= match change {
                MembersChange::Name(names) => {
                    self.name_members(group, names);
                    false
                }
                MembersChange::Add(members) => self.link(group, members),
                MembersChange::Remove(members) => {
                    members.iter().fold(false, |changed, member| self.unlink_one(group, *member) | changed)
                }
                MembersChange::Set(members) => {
                    let names = self.members_mut(group).map(|list| std::mem::take(&mut list.names));
                    names_before = names_before.or(names);
                    self.relink(group, members)
                }
            };
        }
        changed |= match (names_before, self.members_of(group)) {
            (Some(before), Some(list)) => before != list.names,
            _ => false,
        };
        if changed {
            self.touch(group, now);
        }
        changed
    }

    /// Puts the groups that a resource is directly in into the order of places, by id; those without one come last.
    pub(crate) fn sort_groups(&mut self, member: Ref, place: impl Fn(&str) -> Option<usize>) {
        let Some(kind) = self.types().of_role(Role::Group) else { return };
        let Some(record) = self.table(member.kind).get(member.slot) else { return };
        let mut groups = record.member_of().to_vec();
        groups.sort_by_key(|slot| {
            let group = self.table(kind).get(*slot);
            group.and_then(|group| place(&group.id)).unwrap_or(usize::MAX)
        });
        if let Some(record) = self.table_mut(member.kind).get_mut(member.slot) {
            record.membership_mut().member_of = groups;
        }
    }

    fn members_mut(&mut self, group: Ref) -> Option<&mut Members> {
        self.table_mut(group.kind).get_mut(group.slot)?.membership.as_mut()?.members.as_mut()
    }

    fn name_members(&mut self, group: Ref, names: &Names) {
        if let Some(list) = self.members_mut(group) {
            let names = names.iter().filter(|(member, _)| list.places.contains_key(member)).cloned();
            let names: Vec<_> = names.collect();
            list.names.extend(names);
        }
    }

    /// Makes these the members, called so. No new version: for what nobody has seen yet, or what has one already.
    pub(crate) fn set_members(&mut self, group: Ref, members: &[Ref], names: &Names) {
        if let Some(list) = self.members_mut(group) {
            list.names.clear();
        }
        self.relink(group, members);
        self.name_members(group, names);
    }

    /// Adds members. Gives whether any was new.
    fn link(&mut self, group: Ref, members: &[Ref]) -> bool {
        let mut changed = false;
        for &member in members {
            let joined = self.members_mut(group).is_some_and(|list| list.insert(member));
            if joined {
                changed = true;
                if let Some(record) = self.table_mut(member.kind).get_mut(member.slot) {
                    record.membership_mut().member_of.push(group.slot);
                }
            }
        }
        changed
    }

    /// Makes these the members. Gives whether that changed anything.
    fn relink(&mut self, group: Ref, members: &[Ref]) -> bool {
        let wanted: HashSet<Ref> = members.iter().copied().collect();
        let gone: Vec<Ref> = self
            .members_of(group)
            .into_iter()
            .flat_map(Members::iter)
            .filter(|m| !wanted.contains(m))
            .collect();
        for member in &gone {
            self.unlink_one(group, *member);
        }
        self.link(group, members) || !gone.is_empty()
    }

    fn unlink_one(&mut self, group: Ref, member: Ref) -> bool {
        let left = self.members_mut(group).is_some_and(|list| list.remove(member));
        if left
            && let Some(record) = self.table_mut(member.kind).get_mut(member.slot)
            && let Some(membership) = &mut record.membership
            && let Some(at) = membership.member_of.iter().position(|slot| *slot == group.slot)
        {
            membership.member_of.remove(at);
        }
        left
    }

    /// Takes a resource out of every group, and every member out of it.
    pub(super) fn unlink(&mut self, at: Ref) {
        let Some(record) = self.table(at.kind).get(at.slot) else { return };
        let members: Vec<Ref> = record.members().into_iter().flat_map(Members::iter).collect();
        let groups = record.member_of().to_vec();
        for member in members {
            self.unlink_one(at, member);
        }
        if let Some(kind) = self.types().of_role(Role::Group) {
            for slot in groups {
                self.unlink_one(Ref { kind, slot }, at);
            }
        }
    }

    /// The members of a group.
    pub(crate) fn members_of(&self, group: Ref) -> Option<&Members> {
        self.table(group.kind).get(group.slot)?.members()
    }

    /// The places of the groups that the resource of an id is a direct member of, in order of creation.
    pub(crate) fn direct_groups(&self, id: &str) -> Vec<Slot> {
        let Some(kind) = self.types().of_role(Role::Group) else { return Vec::new() };
        let member = self.find(id).and_then(|at| self.get(at));
        let slots = member.map(|record| record.member_of().to_vec()).unwrap_or_default();
        let mut groups: Vec<(u64, Slot)> =
            slots.into_iter().filter_map(|slot| Some((self.get(Ref { kind, slot })?.order, slot))).collect();
        groups.sort_unstable();
        groups.into_iter().map(|(_, slot)| slot).collect()
    }

    /// The groups that somebody is in, each with whether directly, the direct ones first.
    pub(crate) fn groups_of(&self, record: &Record) -> Vec<(Slot, bool)> {
        let Some(kind) = self.types().of_role(Role::Group) else { return Vec::new() };
        let mut groups: Vec<(Slot, bool)> = record.member_of().iter().map(|slot| (*slot, true)).collect();
        let mut known: HashSet<Slot> = record.member_of().iter().copied().collect();
        let mut at = 0;
        while let Some((slot, _)) = groups.get(at).copied() {
            at += 1;
            let above = self.table(kind).get(slot).map(Record::member_of).unwrap_or_default();
            groups.extend(above.iter().filter(|slot| known.insert(**slot)).map(|slot| (*slot, false)));
        }
        groups
    }

    pub(super) fn check_links(&self, at: Ref, record: &Record) -> Result<(), Inconsistency> {
        for member in record.members().into_iter().flat_map(Members::iter) {
            let there =
                self.get(member).ok_or_else(|| Inconsistency::MissingMember(Arc::clone(&record.id)))?;
            if there.member_of().iter().filter(|slot| **slot == at.slot).count() != 1 {
                let (member, group) = (Arc::clone(&there.id), Arc::clone(&record.id));
                return Err(Inconsistency::Member { member, group });
            }
        }
        let Some(kind) = self.types().of_role(Role::Group) else { return Ok(()) };
        for slot in record.member_of() {
            let group = self.get(Ref { kind, slot: *slot });
            let knows = group.and_then(Record::members).is_some_and(|members| members.contains(at));
            if !knows {
                return Err(Inconsistency::Group(Arc::clone(&record.id)));
            }
        }
        Ok(())
    }
}
