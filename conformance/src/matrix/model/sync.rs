//! A run of the model.

use std::collections::{BTreeMap, BTreeSet};

use crate::matrix::model::client::Unread;
use crate::matrix::model::fault::{On, Request};
use crate::matrix::model::gateway::Reply;
use crate::matrix::model::policy::{Holder, Match};
use crate::matrix::model::removal::change_of;
use crate::matrix::model::types::{Kind, Standing, World, Write};
use crate::matrix::model::words::{Change, Line, Operation, Outcome, Reason};

/// The run ends here: the target no longer takes our credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stop;

/// The options of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// `--full`.
    pub full: bool,
    /// `--accept-new-source`.
    pub accept_new_source: bool,
    /// `--allow-empty-source`.
    pub allow_empty_source: bool,
    /// `--allow-empty-scope`, for every rule.
    pub allow_empty_scope: bool,
    /// Users are taken last first. Within a run their order is the provisioner's own affair: where a result
    /// hangs on it, either order is right.
    pub backwards: bool,
}

/// A write that was refused because it is unsupported: it is tried once more if the same kind of write works for
/// others in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Write(Kind),
    Delete,
}

/// A run so far.
#[derive(Debug, Default)]
pub(crate) struct Run {
    options: Options,
    lines: BTreeMap<String, Line>,
    deferred: Vec<String>,
    /// The user names for which an account was made in this run, or tried.
    pub(crate) created: BTreeSet<String>,
    last_chance: bool,
    /// Users with a write that was refused as unsupported, with its line.
    refused: Vec<(String, Line, Vec<Refused>)>,
    pub(crate) failed_deprovisions: usize,
}

impl Run {
    pub(crate) fn full(&self) -> bool {
        self.options.full
    }

    pub(crate) fn say(&mut self, id: &str, line: Line) {
        self.lines.insert(id.to_owned(), line);
    }

    /// Notes a write that was refused as unsupported, unless it was tried a second time already.
    pub(crate) fn refused(&mut self, id: &str, line: Line, what: Vec<Refused>) {
        if !what.is_empty() && !self.last_chance {
            self.refused.push((id.to_owned(), line, what));
        }
    }

    /// Defers a rename to the end of the run. Returns false at the end of the run.
    pub(crate) fn defer(&mut self, id: &str) -> bool {
        if !self.last_chance {
            self.deferred.push(id.to_owned());
        }
        !self.last_chance
    }
}

/// The expected result of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// The exit code.
    pub exit: u8,
    /// The line of each user that has one, by source id.
    pub lines: BTreeMap<String, Line>,
    /// The writes on the second hop, in order; only the order within one account counts.
    pub writes: Vec<Write>,
    /// Removals that failed.
    pub failed_deprovisions: usize,
    /// No request but those of the connection test.
    pub only_connection_test: bool,
    /// No request at all.
    pub silent: bool,
}

impl Expectation {
    fn refusal(exit: u8) -> Self {
        Self {
            exit,
            lines: BTreeMap::new(),
            writes: Vec::new(),
            failed_deprovisions: 0,
            only_connection_test: true,
            silent: true,
        }
    }

    /// Returns the number of lines with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.lines.values().filter(|line| line.outcome == outcome).count()
    }
}

impl World {
    /// Whether a run has more than one user to go through.
    pub fn has_order(&self) -> bool {
        let gone = self.links[self.url].keys().filter(|id| !self.source.contains_key(*id));
        self.source.len() + gone.count() > 1
    }

    /// Plays one run.
    pub fn sync(&mut self, options: Options) -> Expectation {
        let mut run = Run { options, ..Run::default() };
        if !self.source_readable || (self.source.is_empty() && !options.allow_empty_source) {
            return Expectation::refusal(5);
        }
        if self.known_source.is_some_and(|known| known != self.source_file) && !options.accept_new_source {
            return Expectation::refusal(2);
        }
        if !self.enabled {
            return Expectation::refusal(3);
        }
        if self.is_of_strangers() && !options.accept_new_source {
            return Expectation::refusal(2);
        }
        if self.has_an_emptied_rule() && !options.allow_empty_scope {
            return Expectation::refusal(5);
        }
        self.settle_connection_test();
        if !self.credentials_accepted {
            return Expectation { silent: false, ..Expectation::refusal(3) };
        }
        let url = self.url;
        let known = self.links[url].keys().chain(self.posted[url].keys());
        let everyone: BTreeSet<String> = self.source.keys().chain(known).cloned().collect();
        let mut order: Vec<(String, Holder)> = everyone
            .into_iter()
            .map(|id| {
                let holder = self.holder(&id);
                (id, holder)
            })
            .collect();
        if options.backwards {
            order.reverse();
        }
        if self.is_guarded_against(&order, options.full) {
            return Expectation { silent: false, ..Expectation::refusal(4) };
        }
        self.hold_back(&order, options.full);
        self.known_source = Some(self.source_file);
        self.writes.clear();
        self.learned.tried.clear();
        self.learned.tried_paths.clear();
        self.learned.worked_now.clear();
        self.learned.deleted_now = false;
        self.known_stored.clone_from(&self.learned.stored);
        let stopped = self.everyone(&mut run, &order).is_err();
        for user in self.source.values() {
            self.was_enabled[url].insert(user.id.clone(), user.enabled);
        }
        let failed = run.lines.values().any(|line| line.outcome == Outcome::Failed);
        Expectation {
            exit: if stopped { 3 } else { u8::from(failed) },
            lines: run.lines,
            writes: std::mem::take(&mut self.writes),
            failed_deprovisions: run.failed_deprovisions,
            only_connection_test: false,
            silent: false,
        }
    }

    /// Leaves a user alone whose create has an unknown result.
    fn leave_unresolved(&mut self, run: &mut Run, id: &str, holder: &Holder, reason: Reason) {
        let change = match holder {
            Holder::Leaves(leave) => change_of(*leave),
            Holder::Rule(_) | Holder::Frozen => Change::Enters,
        };
        self.standing[self.url].insert(id.to_owned(), Standing::Failed(reason));
        run.say(id, Line { change, operation: Operation::None, outcome: Outcome::Failed, reason });
    }

    /// Runs the connection test, which meets the same faults as any request, and repeats it until they end.
    fn settle_connection_test(&mut self) {
        self.faults.retain(|fault| fault.rule.on != On::Any);
        // The connection test reads one user; no fault of a scenario is meant for it.
        let _: Reply = self.request(Request::List, |_| Reply::Success);
    }

    /// Whether the account of this user, who is gone from the source, goes to a newcomer of the same name.
    pub(crate) fn taken_over(&self, id: &str) -> bool {
        let Some(link) = self.links[self.url].get(id) else { return false };
        let unlinked = |other: &&String| !self.links[self.url].contains_key(other.as_str());
        self.source.keys().filter(unlinked).any(|other| {
            matches!(self.holder(other), Holder::Rule(_))
                && self.source.get(other).is_some_and(|user| self.correlate(user) == Match::One(link.account))
        })
    }

    fn everyone(&mut self, run: &mut Run, order: &[(String, Holder)]) -> Result<(), Stop> {
        let resolved = self.resolve(order)?;
        // All correlations are decided before the first write.
        let mut matches: BTreeMap<&str, Match> = BTreeMap::new();
        for (id, holder) in order {
            let known = self.links[self.url].contains_key(id.as_str()) || resolved.unknown.contains_key(id);
            if !matches!(holder, Holder::Rule(_)) || known {
                continue;
            }
            let Some(user) = self.source.get(id).cloned() else { continue };
            let found = match self.ask_by_name() {
                Ok(true) => self.correlate(&user),
                Ok(false) => Match::None,
                Err(Unread::Failed(reason)) => Match::Unknown(reason),
                Err(Unread::Stop) => return Err(Stop),
            };
            matches.insert(id, found);
        }
        let taken_over: BTreeSet<&str> = order
            .iter()
            .map(|(id, _)| id.as_str())
            .filter(|id| !self.source.contains_key(*id) && self.taken_over(id))
            .collect();
        for (id, holder) in order {
            if let Some(reason) = resolved.unknown.get(id) {
                self.leave_unresolved(run, id, holder, *reason);
                continue;
            }
            match (holder, matches.get(id.as_str())) {
                (Holder::Rule(rule), None) if resolved.made.contains(id) => {
                    self.hold(run, id, rule, Some(Change::Enters))?;
                }
                (Holder::Rule(rule), Some(found)) => self.enter(run, id, rule, *found)?,
                (Holder::Rule(rule), None) => self.hold(run, id, rule, None)?,
                (Holder::Leaves(_), _) if taken_over.contains(id.as_str()) => {}
                (Holder::Leaves(leave), _) => self.leave(run, id, *leave)?,
                (Holder::Frozen, _) => {}
            }
        }
        run.last_chance = true;
        let mut deferred = std::mem::take(&mut run.deferred);
        let mut tried = BTreeSet::new();
        while !deferred.is_empty() {
            let index = match self.free_rename(&deferred) {
                Some(index) => index,
                // Each waits for a name that another one has: one account takes a temporary name.
                None => match deferred.iter().position(|id| tried.insert(id.clone())) {
                    Some(index) => {
                        self.take_temporary_name(&deferred[index])?;
                        continue;
                    }
                    None => 0,
                },
            };
            let id = deferred.remove(index);
            if let Holder::Rule(rule) = self.holder(&id) {
                self.hold(run, &id, &rule, None)?;
            }
        }
        for (id, told, what) in std::mem::take(&mut run.refused) {
            let works = |what: &Refused| match what {
                Refused::Write(kind) => self.learned.worked_now.contains(kind),
                Refused::Delete => self.learned.deleted_now,
            };
            if !what.iter().any(works) {
                continue;
            }
            match self.holder(&id) {
                Holder::Rule(rule) => self.hold(run, &id, &rule, None)?,
                Holder::Leaves(leave) => {
                    run.failed_deprovisions -= 1;
                    self.leave(run, &id, leave)?;
                }
                Holder::Frozen => {}
            }
            // It is the same change, and what was done of it before counts too.
            if let Some(line) = run.lines.get_mut(&id) {
                line.change = told.change;
                line.operation = line.operation.max(told.operation);
            }
        }
        Ok(())
    }
}
