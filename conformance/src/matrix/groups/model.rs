//! What has to come of groups, by the design: which line, which members at the target, and whether anything is sent.

use std::collections::{BTreeMap, BTreeSet};

use super::{GroupStep, GroupSwitches, GroupTarget, GroupTrial};
use crate::casing::lower_case;

/// The one who is a member without our doing.
pub(super) const FOREIGN: char = '!';

/// A set of members, by letter.
pub(super) type Letters = BTreeSet<char>;

/// A group at the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remote {
    pub(super) name: String,
    pub(super) members: Letters,
}

/// What is known of a group of the source.
#[derive(Debug, Clone, Default)]
struct Known {
    /// The key of its group at the target.
    link: Option<usize>,
    /// The name that it had when it was last seen.
    name: String,
    written: Letters,
    left: bool,
    /// Whether it had members that do not show when it was taken over.
    blind: bool,
    /// The outcome and reason that were told last.
    told: Option<(String, String)>,
}

/// One expected line: `name change operation outcome reason +added -removed`.
pub(super) type Line = String;

/// The world of a cell.
#[derive(Debug, Clone)]
pub(super) struct GroupWorld {
    switches: GroupSwitches,
    target: GroupTarget,
    pub(super) users: Letters,
    pub(super) groups: Vec<(&'static str, &'static str, &'static str)>,
    accounts: Letters,
    known: BTreeMap<&'static str, Known>,
    pub(super) remotes: BTreeMap<usize, Remote>,
    next: usize,
}

impl GroupWorld {
    pub(super) fn new(trial: &GroupTrial) -> Self {
        Self {
            switches: trial.switches,
            target: trial.target,
            users: Letters::new(),
            groups: Vec::new(),
            accounts: Letters::new(),
            known: BTreeMap::new(),
            remotes: BTreeMap::new(),
            next: 0,
        }
    }

    /// Carries out a step other than a run.
    pub(super) fn step(&mut self, step: GroupStep) {
        match step {
            GroupStep::Users(letters) => self.users = letters.chars().collect(),
            GroupStep::Groups(groups) => self.groups = groups.to_vec(),
            GroupStep::Seed(name) => drop(self.add(name, Letters::from([FOREIGN]))),
            GroupStep::Sync => {}
        }
    }

    /// Whether a group of the source has none at the target.
    pub(super) fn has_unlinked(&self) -> bool {
        self.groups.iter().any(|(id, ..)| self.known.get(id).is_none_or(|known| known.link.is_none()))
    }

    fn add(&mut self, name: &str, members: Letters) -> usize {
        self.next += 1;
        self.remotes.insert(self.next, Remote { name: name.to_owned(), members });
        self.next
    }

    /// A run: the lines that it tells.
    pub(super) fn sync(&mut self) -> Vec<Line> {
        // Users come first, and an account that is deleted leaves its groups.
        self.accounts = self.users.clone();
        for remote in self.remotes.values_mut() {
            remote.members.retain(|member| *member == FOREIGN || self.accounts.contains(member));
        }
        let present: BTreeSet<&str> = self.groups.iter().map(|(id, ..)| *id).collect();
        let gone: Vec<&'static str> =
            self.known.keys().filter(|id| !present.contains(**id)).copied().collect();
        let mut moved = BTreeSet::new();
        let mut lines = Vec::new();
        for (id, name, members) in self.groups.clone() {
            lines.extend(self.owned(id, name, members, &gone, &mut moved));
        }
        for id in gone.into_iter().filter(|id| !moved.contains(id)) {
            lines.extend(self.left(id));
        }
        for id in moved {
            self.known.remove(id);
        }
        lines
    }

    /// Returns the match of a name that belongs to no other group of the source.
    fn match_of(&self, name: &str) -> Option<usize> {
        self.remotes
            .iter()
            .find(|(_, remote)| lower_case(&remote.name) == lower_case(name))
            .map(|(key, _)| *key)
    }

    fn owned(
        &mut self,
        id: &'static str,
        name: &'static str,
        members: &str,
        gone: &[&'static str],
        moved: &mut BTreeSet<&'static str>,
    ) -> Option<Line> {
        let in_source: Letters = members.chars().collect();
        // A member that is not in the source is out of scope, so the group does not wait for it.
        let wanted: Letters = in_source.intersection(&self.accounts).copied().collect();
        let mut known = self.known.remove(id).unwrap_or_default();
        name.clone_into(&mut known.name);
        let mut adopted = false;
        let mut change = "";
        if known.link.is_none() {
            change = "enters";
            match self.match_of(name) {
                Some(key) => {
                    moved.extend(gone.iter().filter(|other| self.known[**other].link == Some(key)));
                    known.link = Some(key);
                    adopted = true;
                }
                None if !self.switches.create => {
                    let line = tell(&mut known, name, "enters", "none", ("unsynced", "create-off"), (0, 0));
                    self.known.insert(id, known);
                    return line;
                }
                None => {
                    known.link = Some(self.add(name, wanted.clone()));
                    known.written.clone_from(&wanted);
                    let counts = (wanted.len(), 0);
                    let line = tell(&mut known, name, "enters", "create", ("success", "done"), counts);
                    self.known.insert(id, known);
                    return line;
                }
            }
        }
        let key = known.link?;
        let remote = self.remotes[&key].clone();
        let shown = adopted
            .then(|| if self.target.shows_members() { remote.members.clone() } else { Letters::new() });
        let held = shown.clone().unwrap_or_else(|| known.written.clone());
        let add: Letters = wanted.difference(&held).copied().collect();
        let removable = match (&shown, self.switches.overwrite) {
            (Some(shown), true) => shown.clone(),
            (Some(_), false) => Letters::new(),
            (None, _) => known.written.clone(),
        };
        let remove: Letters = removable.difference(&wanted).copied().collect();
        let (renamed, changed) = (remote.name != name, !add.is_empty() || !remove.is_empty());
        let returns = std::mem::take(&mut known.left);
        if change.is_empty() {
            change = match (returns, renamed, changed) {
                (true, ..) => "returns",
                (false, true, true) => "name-and-members",
                (false, true, false) => "name",
                (false, false, true) => "members",
                (false, false, false) => "unchanged",
            };
        }
        let mut operation = if adopted { "link" } else { "none" };
        let mut outcome = ("success", if adopted { "linked" } else { "done" });
        let mut counts = (0, 0);
        if shown.is_some() {
            known.written =
                known.written.union(&wanted.intersection(&held).copied().collect()).copied().collect();
        }
        if (renamed || changed) && self.switches.update {
            (operation, outcome) = ("update", ("success", "done"));
            counts = (add.len(), remove.len());
            if let Some(remote) = self.remotes.get_mut(&key) {
                name.clone_into(&mut remote.name);
                remote.members.extend(&add);
                remote.members.retain(|member| !remove.contains(member));
            }
            known.written.extend(&add);
            known.written.retain(|member| !remove.contains(member));
        } else if renamed || changed {
            outcome = ("partial", "update-off");
        }
        // Members that do not show cannot be removed, which is told as long as it is so.
        known.blind |= adopted && self.target == GroupTarget::MembersMissing;
        if known.blind && self.switches.overwrite {
            outcome = ("partial", "members-not-shown");
        }
        let line = if operation == "none" && !returns && outcome.0 == "success" {
            tell_if_mended(&mut known, name, change)
        } else {
            tell(&mut known, name, change, operation, outcome, counts)
        };
        self.known.insert(id, known);
        line
    }

    fn left(&mut self, id: &'static str) -> Option<Line> {
        let mut known = self.known.remove(id)?;
        // A group that was never made is forgotten.
        let key = known.link?;
        let name = known.name.clone();
        if self.switches.delete {
            self.remotes.remove(&key);
            return tell(&mut known, &name, "deleted", "delete", ("success", "done"), (0, 0));
        }
        known.left = true;
        let line = tell(&mut known, &name, "deleted", "none", ("partial", "kept"), (0, 0));
        self.known.insert(id, known);
        line
    }
}

/// A group that is as it should be is told once, if it was not before.
fn tell_if_mended(known: &mut Known, name: &str, change: &str) -> Option<Line> {
    let was_well = known.told.as_ref().is_none_or(|(outcome, _)| outcome == "success");
    let line = tell(known, name, change, "none", ("success", "done"), (0, 0));
    line.filter(|_| !was_well)
}

/// Returns the line, unless it says what was said already and nothing was done.
fn tell(
    known: &mut Known,
    name: &str,
    change: &str,
    operation: &str,
    (outcome, reason): (&str, &str),
    (added, removed): (usize, usize),
) -> Option<Line> {
    let told = (outcome.to_owned(), if outcome == "success" { "done".to_owned() } else { reason.to_owned() });
    let is_news = known.told.as_ref() != Some(&told);
    known.told = Some(told);
    let says = operation != "none" || is_news || change == "returns";
    says.then(|| format!("{name} {change} {operation} {outcome} {reason} +{added} -{removed}"))
}
