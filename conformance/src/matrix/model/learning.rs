//! The facts that a connection learns about its target: by path and method, and for Disable and Enable by their own
//! writes.

use std::collections::BTreeSet;

use crate::matrix::model::client::{Attributes, Change, Effects, Failure, Tried, Written};
use crate::matrix::model::types::{Desired, Key, Kind, Method, Path, Way, World};
use crate::matrix::model::words::Reason;

/// Number of paths without effect from which on a fixed method counts as ignored.
const SEVERAL: usize = 3;

impl World {
    /// Writes attributes, `active`, or both, to an account that is thought to exist.
    pub(crate) fn write(
        &mut self,
        key: Key,
        attributes: Option<Attributes<'_>>,
        active: Option<bool>,
    ) -> Written {
        let asked = attributes.map(|attributes| attributes.asked.clone()).unwrap_or_default();
        let whole = attributes.map(|attributes| attributes.whole.clone()).unwrap_or_default();
        let change = Change { key, asked, whole, active };
        let written = self.write_by_ways(&change);
        if written == Written::DeletedByTarget {
            self.learned.disable_deletes = true;
        }
        written
    }

    fn write_by_ways(&mut self, change: &Change) -> Written {
        let kind = change.kind();
        let (first, second) = self.ways(kind);
        let one = self.attempt(change, first);
        let goes_on = one.failure.is_some_and(|failure| failure != Failure::Final);
        let Some(second) = second.filter(|_| goes_on) else {
            self.learn_in_vain(first, &one);
            if one.failure == Some(Failure::Nothing) && kind == Kind::Attributes {
                self.conclude(first);
            }
            return one.written;
        };
        let other = self.attempt(change, second);
        if other.written == Written::Done {
            self.learned.unusable.insert((kind, first));
            self.learned.tried.insert((kind, first));
        } else if other.failure.is_some() {
            self.learn_in_vain(first, &one);
            self.learn_in_vain(second, &other);
        }
        match other.written {
            // A refusal that is not for want of support is about this user: it is told.
            Written::Failed(_) | Written::Unsure(_) if one.failure == Some(Failure::Refused) => one.written,
            written => written,
        }
    }

    /// Returns the methods to try for a write of this kind: the second if the first fails.
    ///
    /// What has shown itself to be of no use is tried again once in each run.
    pub(crate) fn ways(&self, kind: Kind) -> (Way, Option<Way>) {
        let preferred = match (self.method, kind) {
            (Method::Put, _) => return (Way::Put, None),
            (Method::Patch, _) => return (Way::Patch, None),
            (Method::Auto, Kind::Attributes) if self.profile.advertises_patch => Way::Patch,
            (Method::Auto, Kind::Attributes) => Way::Put,
            // Where a Disable or Enable begins is free; that it is tried both ways is not.
            (Method::Auto, Kind::Disable | Kind::Enable) => self.ways(Kind::Attributes).0,
        };
        let is_out = |way| {
            let known = (kind, way);
            self.learned.unusable.contains(&known) && self.learned.tried.contains(&known)
        };
        let works = |way| self.learned.works.contains(&(kind, way));
        let shunned = |way| self.learned.unusable.contains(&(kind, way));
        let other = preferred.other();
        let turned = if shunned(preferred) {
            is_out(preferred) && !is_out(other)
        } else {
            works(other) && !works(preferred)
        };
        let first = if turned { other } else { preferred };
        (first, Some(first.other()).filter(|way| !is_out(*way)))
    }

    /// Returns the paths of a write by `way`. A path that is known not to be stored is tried again once in each run.
    pub(crate) fn sendable(&self, way: Way, asked: &Desired) -> Desired {
        let known = |path| self.learned.not_stored.contains(&(way, path));
        let tried = |path| self.learned.tried_paths.contains(&(way, path));
        asked.filter(|path, _| !(known(path) && tried(path)))
    }

    /// Whether attributes are not sent by `way`, because nothing of them would be stored.
    pub(crate) fn stay_unsent(&self, way: Way, asked: &Desired) -> bool {
        let tried = self.learned.tried.contains(&(Kind::Attributes, way));
        self.sendable(way, asked).is_empty() || (self.learned.ignored.contains(&way) && tried)
    }

    /// Writes a change by one method.
    fn attempt(&mut self, change: &Change, way: Way) -> Tried {
        let kind = change.kind();
        if change.active.is_none() && self.stay_unsent(way, &change.asked) {
            return Tried::nothing(Effects::default());
        }
        let ignored = kind == Kind::Attributes && self.learned.ignored.contains(&way);
        if ignored || self.learned.unusable.contains(&(kind, way)) {
            self.learned.tried.insert((kind, way));
        }
        let worked = self.learned.works.contains(&(kind, way));
        let change = Change { asked: self.sendable(way, &change.asked), ..change.clone() };
        let mut tried = if way == Way::Put { self.send_put(&change) } else { self.send_patch(&change) };
        if tried.written == Written::Done {
            if change.active.is_some() {
                self.learned.worked_now.insert(kind);
            }
            if !tried.effects.took.is_empty() {
                self.learned.worked_now.insert(Kind::Attributes);
            }
            self.learned.unusable.remove(&(kind, way));
            if !tried.effects.took.is_empty() {
                self.learned.works.insert((Kind::Attributes, way));
                self.learned.unusable.remove(&(Kind::Attributes, way));
                self.learned.ignored.remove(&way);
            }
            self.learn_stored(way, tried.effects.took.iter().copied());
            self.learn_lost(way, &tried.effects.lost);
            if change.active.is_some() {
                self.learned.works.insert((kind, way));
            }
        }
        if tried.failure == Some(Failure::Unsupported) {
            if worked {
                // It has worked here: this refusal is about this user.
                if kind == Kind::Attributes {
                    tried.failure = Some(Failure::Final);
                }
                if tried.written == Written::Failed(Reason::PartialUpdateUnsupported) {
                    tried.written = Written::Failed(Reason::Rejected);
                }
                return tried;
            }
            if way == Way::Patch {
                self.learned.unusable.insert((kind, way));
                self.learned.tried.insert((kind, way));
            }
        }
        tried
    }

    /// Whether a write by `way` has something of which nothing is known, or is tried again: it is read back.
    pub(crate) fn has_to_show(&self, change: &Change, way: Way) -> bool {
        let kind = change.kind();
        change.disables()
            || self.learned.unusable.contains(&(kind, way))
            || (kind == Kind::Enable && !self.learned.works.contains(&(kind, way)))
            || change.asked.paths().iter().any(|path| !self.learned.stored.contains(&(way, *path)))
    }

    /// Notes paths that were read back as written.
    pub(crate) fn learn_stored(&mut self, way: Way, paths: impl IntoIterator<Item = Path>) {
        for path in paths {
            self.learned.not_stored.remove(&(way, path));
            self.learned.stored.insert((way, path));
            self.learned.tried_paths.insert((way, path));
        }
    }

    /// Notes paths that were read back unchanged.
    pub(crate) fn learn_lost(&mut self, way: Way, paths: &BTreeSet<Path>) {
        for path in paths {
            self.learned.stored.remove(&(way, *path));
            self.learned.not_stored.insert((way, *path));
            self.learned.tried_paths.insert((way, *path));
        }
    }

    /// Notes the paths of a write without effect, after all methods failed.
    fn learn_in_vain(&mut self, way: Way, tried: &Tried) {
        if tried.failure == Some(Failure::Nothing) {
            self.learn_lost(way, &tried.effects.lost);
        }
    }

    /// Gives a fixed method up by which three paths, or `userName`, were written without effect, and none ever with
    /// one.
    fn conclude(&mut self, way: Way) {
        let in_vain: Vec<Path> =
            self.learned.not_stored.iter().filter(|(of, _)| *of == way).map(|(_, path)| *path).collect();
        let speaks_against = in_vain.len() >= SEVERAL || in_vain.contains(&Path::UserName);
        let never_worked = !self.learned.works.contains(&(Kind::Attributes, way));
        if self.method != Method::Auto && speaks_against && never_worked {
            self.learned.ignored.insert(way);
            self.learned.tried.insert((Kind::Attributes, way));
        }
    }
}
