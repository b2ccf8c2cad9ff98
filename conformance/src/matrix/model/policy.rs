//! The owner of a user, the fields to write for it, and the operations of a run for an owned user.

use std::collections::BTreeMap;

use crate::casing::lower_case;
use crate::matrix::model::client::{Attributes, Created, Unread, Written};
use crate::matrix::model::guard::is_refusal;
use crate::matrix::model::sync::{Refused, Run, Stop};
use crate::matrix::model::types::{
    Account, Attribute, Desired, Ignored, Key, Kind, Leave, Left, Link, Path, Posted, Rule, Standing, User,
    Way, World,
};
use crate::matrix::model::words::{Change, Line, Operation, Outcome, Reason};

/// The owner of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holder {
    Rule(Rule),
    /// A disabled rule, or the list of excluded names: left alone.
    Frozen,
    Leaves(Leave),
}

/// The result of the look-up by name for a user without a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    None,
    One(Key),
    Several,
    LinkedElsewhere,
    /// The look-up was not answered.
    Unknown(Reason),
}

/// A part of the operations of a run for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    operation: Operation,
    outcome: Outcome,
    reason: Reason,
}

impl World {
    pub(crate) fn holder(&self, id: &str) -> Holder {
        let user = self.source.get(id);
        let link = self.links[self.url].get(id);
        let excluded = |name: &str| self.exclude.contains(&lower_case(name));
        if user.is_some_and(|user| excluded(&user.user_name))
            || link.is_some_and(|link| excluded(&link.sent.user_name))
        {
            return Holder::Frozen;
        }
        if let Some(user) = user {
            let mut holding = self.rules.iter().filter(|rule| rule.matches(user));
            if let Some(rule) = holding.clone().find(|rule| rule.enabled) {
                return Holder::Rule(rule.clone());
            }
            if holding.next().is_some() {
                return Holder::Frozen;
            }
        }
        let own_rule = link
            .map(|link| &link.rule)
            .or_else(|| self.posted[self.url].get(id).map(|posted| &posted.rule))
            .and_then(|name| self.rules.iter().find(|rule| rule.name == *name));
        if own_rule.is_some_and(|rule| !rule.enabled) {
            return Holder::Frozen;
        }
        Holder::Leaves(match (user, own_rule) {
            (None, _) => Leave::Deleted,
            (Some(_), None) => Leave::RuleDeleted,
            (Some(_), Some(_)) => Leave::LeftScope,
        })
    }

    pub(crate) fn desired(&self, user: &User, rule: &Rule) -> Desired {
        let mut desired = BTreeMap::from([(Path::UserName, Some(user.user_name.clone()))]);
        if self.external_id {
            desired.insert(Path::ExternalId, Some(user.id.clone()));
        }
        for name in Attribute::ALL.into_iter().filter(|name| rule.maps(*name)) {
            let value = user.attributes.get(&name).cloned();
            if value.is_some() || self.clear_missing {
                desired.insert(Path::Attribute(name), value);
            }
        }
        Desired(desired)
    }

    /// Returns the fields that the account of a link lacks, as far as they are known. A value that was sent in vain
    /// counts only if there is a reason to try it again.
    fn missing(&self, desired: &Desired, link: &Link, again: bool) -> Desired {
        let known = |path| {
            let stored = self.known_stored.iter().filter(move |(_, of)| *of == path);
            // What a create stores says nothing of an update.
            stored.map(|(way, _)| *way).filter(|way| *way != Way::Post)
        };
        // Other accounts take an update of the path since, by a way that did not store it before.
        let has_news = link
            .ignored
            .iter()
            .any(|(path, ignored)| known(*path).any(|way| !ignored.stored_by.contains(&way)));
        let was_ignored = |path: Path, value: Option<&String>| {
            link.ignored.get(&path).is_some_and(|ignored| ignored.value.as_ref() == value)
        };
        desired.news(&link.sent).filter(|path, value| again || has_news || !was_ignored(path, value))
    }

    /// Notes in the link what its account shows of what was `asked`, and of all that it should carry.
    fn note_effects(&mut self, id: &str, desired: &Desired, asked: &Desired, account: &Account) {
        let stored = &self.learned.stored;
        let Some(link) = self.links[self.url].get_mut(id) else { return };
        for (path, value) in &desired.0 {
            if account.fields.shows(*path, value.as_ref()) {
                link.sent.set(*path, value.clone());
                link.ignored.remove(path);
                if *path == Path::Attribute(Attribute::Email) {
                    // It stands for what the account has without a type.
                    link.sent.untyped.clear();
                }
            } else if asked.0.contains_key(path) || !link.ignored.contains_key(path) {
                link.sent.set(*path, account.fields.get(*path).cloned());
                let stored_by = stored.iter().filter(|(_, of)| of == path).map(|(way, _)| *way).collect();
                link.ignored.insert(*path, Ignored { value: value.clone(), stored_by });
            }
        }
    }

    /// Returns the result of the look-up for a user without a link. A link whose user is gone from the snapshot does
    /// not count as owned: it moves to the newcomer.
    pub(crate) fn correlate(&self, user: &User) -> Match {
        match *self.look_up(&user.user_name) {
            [] => Match::None,
            [account] => {
                let held = self.links[self.url]
                    .iter()
                    .any(|(id, link)| link.account == account.key && self.source.contains_key(id));
                if held { Match::LinkedElsewhere } else { Match::One(account.key) }
            }
            [_, _, ..] => Match::Several,
        }
    }

    /// Handles a user that a rule owns and that has no account of ours.
    pub(crate) fn enter(&mut self, run: &mut Run, id: &str, rule: &Rule, found: Match) -> Result<(), Stop> {
        let Some(user) = self.source.get(id).cloned() else { return Ok(()) };
        let failed = |reason| Line {
            change: Change::Enters,
            operation: Operation::None,
            outcome: Outcome::Failed,
            reason,
        };
        match found {
            Match::Several => self.fail(run, id, failed(Reason::AmbiguousMatch)),
            Match::LinkedElsewhere => self.fail(run, id, failed(Reason::AccountLinkedElsewhere)),
            Match::Unknown(reason) => self.fail(run, id, failed(reason)),
            Match::None => return self.enter_without_account(run, &user, rule),
            Match::One(key) => {
                let (Some(account), Some(user)) = (self.account(key), self.source.get(id)) else {
                    return Ok(());
                };
                let mut sent = account.fields.clone();
                sent.claim(self.desired(user, rule).email());
                let link = Link {
                    account: key,
                    rule: rule.name.clone(),
                    sent,
                    ignored: BTreeMap::new(),
                    active: account.active,
                    left: Left::No,
                    unsure: None,
                };
                let url = self.url;
                self.links[url].retain(|_, other| other.account != key);
                self.links[url].insert(id.to_owned(), link);
                return self.hold(run, id, rule, Some(Change::Enters));
            }
        }
        Ok(())
    }

    fn fail(&mut self, run: &mut Run, id: &str, line: Line) {
        self.standing[self.url].insert(id.to_owned(), Standing::Failed(line.reason));
        run.say(id, line);
    }

    fn enter_without_account(&mut self, run: &mut Run, user: &User, rule: &Rule) -> Result<(), Stop> {
        let url = self.url;
        let was = self.standing[url].get(&user.id).cloned();
        let became_enabled = user.enabled
            && self.was_enabled[url].get(&user.id) == Some(&false)
            && matches!(was, Some(Standing::Unsynced(_)));
        let change = if became_enabled { Change::Enabled } else { Change::Enters };
        let unsynced = match (user.enabled, self.setting.creation) {
            (false, _) => Some(Reason::DisabledAtSource),
            (true, false) => Some(Reason::CreationOff),
            (true, true) => None,
        };
        if let Some(reason) = unsynced {
            let now = Standing::Unsynced(reason);
            if was.as_ref() != Some(&now) {
                let outcome = Outcome::Unsynced;
                run.say(&user.id, Line { change, operation: Operation::None, outcome, reason });
                self.standing[url].insert(user.id.clone(), now);
            }
            return Ok(());
        }
        let desired = self.desired(user, rule);
        // Of several users of one name the first gets the account: nothing is sent for the others.
        if !run.created.insert(lower_case(&user.user_name)) {
            let (operation, reason) = (Operation::None, Reason::AccountLinkedElsewhere);
            self.fail(run, &user.id, Line { change, operation, outcome: Outcome::Failed, reason });
            return Ok(());
        }
        let operation = Operation::Create;
        let created = self.create(&desired);
        if matches!(created, Created::Stop | Created::Unsure(_)) {
            let posted = Posted { sent: desired.clone(), rule: rule.name.clone() };
            self.posted[url].insert(user.id.clone(), posted);
        }
        match created {
            Created::Stop => return Err(Stop),
            Created::Failed(reason) | Created::Unsure(reason) => {
                self.fail(run, &user.id, Line { change, operation, outcome: Outcome::Failed, reason });
            }
            Created::Account(key) => {
                let Some(account) = self.account(key).cloned() else { return Ok(()) };
                let link = Link {
                    account: key,
                    rule: rule.name.clone(),
                    sent: account.fields.clone(),
                    ignored: BTreeMap::new(),
                    active: true,
                    left: Left::No,
                    unsure: None,
                };
                self.links[url].insert(user.id.clone(), link);
                self.note_effects(&user.id, &desired, &desired, &account);
                self.standing[url].insert(user.id.clone(), Standing::Settled);
                run.say(
                    &user.id,
                    Line { change, operation, outcome: Outcome::Success, reason: Reason::Done },
                );
            }
        }
        Ok(())
    }

    /// Handles a user that a rule owns and that has an account of ours. `entered` if the link is new in this run.
    pub(crate) fn hold(
        &mut self,
        run: &mut Run,
        id: &str,
        rule: &Rule,
        entered: Option<Change>,
    ) -> Result<(), Stop> {
        let url = self.url;
        if self.look_again(id, run.full())? {
            self.links[url].remove(id);
            let Some(user) = self.source.get(id).cloned() else { return Ok(()) };
            let found = self.correlate(&user);
            return self.enter(run, id, rule, found);
        }
        let (Some(user), Some(link)) = (self.source.get(id).cloned(), self.links[url].get_mut(id)) else {
            return Ok(());
        };
        link.rule.clone_from(&rule.name);
        let returned = link.left != Left::No;
        let link = link.clone();
        let desired = self.desired(&user, rule);
        let was_ignored = self.standing[url].get(id) == Some(&Standing::Failed(Reason::IgnoredByTarget));
        // Where updation is off and nothing has changed, what was still to be written still is.
        let still_to_write = match self.standing[url].get(id) {
            Some(Standing::Partial { reason: Reason::UpdationOff, wanted, active }) => {
                !self.setting.updation && *wanted == desired && *active == user.enabled
            }
            _ => false,
        };
        let asked = self.missing(&desired, &link, run.full() || was_ignored || still_to_write);
        let (attributes, flips) = (!asked.is_empty(), user.enabled != link.active);
        let write_attributes = attributes && self.setting.updation;
        let write_active = flips && self.setting.disables();

        let now = match (flips && !write_active, attributes && !write_attributes) {
            (false, false) => Standing::Settled,
            (on_active, _) => Standing::Partial {
                reason: if on_active { Reason::DisableOff } else { Reason::UpdationOff },
                wanted: desired.clone(),
                active: user.enabled,
            },
        };
        let turned = self.was_enabled[url].get(id).is_some_and(|was| *was != user.enabled);
        let as_it_was = self.standing[url].get(id) == Some(&now);
        if !write_attributes && !write_active && !returned && entered.is_none() && as_it_was {
            return Ok(());
        }

        let to_write = Attributes { asked: &asked, whole: &desired };
        let written =
            self.carry_out(&link, write_attributes.then_some(to_write), write_active.then_some(user.enabled));
        if written.iter().flatten().any(|written| *written == Written::Stop) {
            // Whoever was being written may have been: the next run looks before it decides anything.
            if let Some(link) = self.links[url].get_mut(id) {
                link.unsure = Some(write_active && !user.enabled);
            }
            return Err(Stop);
        }
        if written.iter().flatten().any(|written| *written == Written::Gone) {
            self.links[url].remove(id);
            let found = self.correlate(&user);
            return self.enter(run, id, rule, found);
        }
        let unsure = written.iter().flatten().any(|written| matches!(written, Written::Unsure(_)));
        let [to_active, told] = written;
        // In the same step `active` took effect: the user is provisioned, save what the target does not store.
        let to_attributes = match (to_active, told) {
            (Some(Written::Done), Some(Written::Failed(Reason::IgnoredByTarget))) => Some(Written::Done),
            (_, told) => told,
        };
        let taken = to_attributes == Some(Written::NameTaken);
        if taken && run.defer(id) {
            return Ok(());
        }

        let mut parts = Vec::new();
        if flips {
            let operation = if user.enabled { Operation::Enable } else { Operation::Disable };
            parts.push(part(operation, to_active, Reason::DisableOff));
        }
        if attributes {
            parts.push(part(Operation::Update, to_attributes, Reason::UpdationOff));
        }
        if entered.is_some() {
            parts.push(Part {
                operation: Operation::Link,
                outcome: Outcome::Success,
                reason: Reason::Linked,
            });
        }
        let change = entered
            .or(returned.then_some(Change::Returns))
            .unwrap_or_else(|| change_of(attributes, flips || turned, user.enabled));
        let decided = [
            (write_active && user.enabled, Operation::Enable),
            (write_active && !user.enabled, Operation::Disable),
            (write_attributes, Operation::Update),
            (entered.is_some(), Operation::Link),
        ];
        let operation = decided
            .into_iter()
            .find(|(decided, _)| *decided)
            .map_or(Operation::None, |(_, operation)| operation);
        let line = line_of(change, operation, &parts);

        if write_active && !user.enabled {
            let taken = matches!(to_active, Some(Written::Done | Written::DeletedByTarget));
            self.withdrawn[url].disables += usize::from(taken);
        }
        if !user.enabled && line.outcome == Outcome::Failed && is_refusal(line.reason) {
            self.withdrawn[url].refused_disables.insert(id.to_owned());
        } else {
            self.withdrawn[url].refused_disables.remove(id);
        }
        if to_active == Some(Written::DeletedByTarget) {
            self.links[url].remove(id);
        } else if let Some(link) = self.links[url].get_mut(id) {
            link.left = Left::No;
            link.unsure = unsure.then_some(write_active && !user.enabled);
            if to_active == Some(Written::Done) {
                link.active = user.enabled;
            }
        }
        let shown = matches!(told, Some(Written::Done | Written::Failed(Reason::IgnoredByTarget)));
        if let Some(account) = self.account(link.account).cloned().filter(|_| shown) {
            self.note_effects(id, &desired, &asked, &account);
        }
        let standing = if line.outcome == Outcome::Failed { Standing::Failed(line.reason) } else { now };
        self.standing[url].insert(id.to_owned(), standing);
        let unsupported = Some(Written::Failed(Reason::PartialUpdateUnsupported));
        let switch = if user.enabled { Kind::Enable } else { Kind::Disable };
        let kinds = [(to_active, switch), (to_attributes, Kind::Attributes)];
        let kinds = kinds.into_iter().filter(|(written, _)| *written == unsupported).map(|(_, kind)| kind);
        run.refused(id, line, kinds.map(Refused::Write).collect());
        run.say(id, line);
        Ok(())
    }

    /// Returns the position of a deferred rename whose new name no other one's account has.
    pub(crate) fn free_rename(&self, deferred: &[String]) -> Option<usize> {
        let held = |id: &String| self.links[self.url].get(id).map(|link| lower_case(&link.sent.user_name));
        let wanted = |id: &String| self.source.get(id).map(|user| lower_case(&user.user_name));
        deferred.iter().position(|id| {
            let name = wanted(id);
            name.is_none() || !deferred.iter().any(|other| other != id && held(other) == name)
        })
    }

    /// Renames the account of a user to a name that nobody has, so that its own one is free for another.
    pub(crate) fn take_temporary_name(&mut self, id: &str) -> Result<(), Stop> {
        let Some(link) = self.links[self.url].get(id).cloned() else { return Ok(()) };
        let name = Some(format!("renaming-{id}@example.com"));
        let desired = Desired(BTreeMap::from([(Path::UserName, name)]));
        let attributes = Attributes { asked: &desired, whole: &desired };
        match self.write(link.account, Some(attributes), None) {
            Written::Stop => return Err(Stop),
            Written::Done => {
                if let Some(account) = self.account(link.account).cloned() {
                    self.note_effects(id, &desired, &desired, &account);
                }
            }
            Written::Failed(_)
            | Written::NameTaken
            | Written::Gone
            | Written::Unsure(_)
            | Written::DeletedByTarget => {}
        }
        Ok(())
    }

    /// Reads an account after a write with an unknown result, and every account under `--full`, before a new
    /// decision. Returns whether the account is gone.
    fn look_again(&mut self, id: &str, full: bool) -> Result<bool, Stop> {
        let url = self.url;
        let Some(link) = self.links[url].get(id) else { return Ok(false) };
        let (key, unsure) = (link.account, link.unsure);
        if unsure.is_none() && !full {
            return Ok(false);
        }
        match self.read(key) {
            Err(Unread::Stop) => return Err(Stop),
            Err(Unread::Failed(_)) => {}
            Ok(None) => return Ok(unsure.is_none()),
            Ok(Some(account)) => {
                if let Some(link) = self.links[url].get_mut(id) {
                    link.ignored.retain(|path, ignored| !account.fields.shows(*path, ignored.value.as_ref()));
                    let own = link.sent.get(Path::Attribute(Attribute::Email)).cloned();
                    link.sent = account.fields;
                    link.sent.claim(own.as_ref());
                    if let Some(disable) = unsure {
                        // An update never touches `active`.
                        link.active = account.active || (link.active && !disable);
                    }
                    link.unsure = None;
                }
            }
        }
        Ok(false)
    }

    /// Carries the decision out: `[active, attributes]`, none if nothing was to be written.
    fn carry_out(
        &mut self,
        link: &Link,
        attributes: Option<Attributes<'_>>,
        active: Option<bool>,
    ) -> [Option<Written>; 2] {
        let Some(active) = active else {
            return [None, attributes.map(|attributes| self.write(link.account, Some(attributes), None))];
        };
        let kind = if active { Kind::Enable } else { Kind::Disable };
        let way = self.ways(kind).0;
        let apart = |attributes: Attributes<'_>| {
            way != self.ways(Kind::Attributes).0 || self.stay_unsent(way, attributes.asked)
        };
        if attributes.is_some_and(apart) {
            return self.write_apart(link, attributes, active);
        }
        let together = if !active && self.learned.disable_deletes {
            Written::Failed(Reason::DisableWithheld)
        } else {
            self.write(link.account, attributes, Some(active))
        };
        let alone = match (together, attributes) {
            (_, None) => None,
            (Written::Done | Written::Gone | Written::DeletedByTarget | Written::Stop, _) => Some(together),
            // It may have been either that was refused: a Disable is judged by itself.
            (
                Written::Failed(
                    Reason::Rejected | Reason::Forbidden | Reason::TargetError | Reason::Unreachable,
                ),
                _,
            ) => {
                return self.write_apart(link, attributes, active);
            }
            // Only where the refusal may have been about `active`.
            (
                Written::NameTaken
                | Written::Failed(Reason::PartialUpdateUnsupported | Reason::DisableWithheld),
                Some(_),
            ) => Some(self.write(link.account, attributes, None)),
            (Written::Failed(_) | Written::Unsure(_), Some(_)) => Some(together),
        };
        let together =
            if together == Written::NameTaken { Written::Failed(Reason::UserNameTaken) } else { together };
        [Some(together), alone]
    }

    /// Writes `active`, then the attributes.
    fn write_apart(
        &mut self,
        link: &Link,
        attributes: Option<Attributes<'_>>,
        active: bool,
    ) -> [Option<Written>; 2] {
        let [to_active, _] = self.carry_out(link, None, Some(active));
        match to_active {
            Some(Written::Gone | Written::DeletedByTarget | Written::Stop) => [to_active, to_active],
            _ => [to_active, attributes.map(|attributes| self.write(link.account, Some(attributes), None))],
        }
    }
}

fn part(operation: Operation, written: Option<Written>, off: Reason) -> Part {
    let (outcome, reason) = match written {
        None => (Outcome::Partial, off),
        Some(Written::Done) => (Outcome::Success, Reason::Done),
        Some(Written::Failed(reason) | Written::Unsure(reason)) => (Outcome::Failed, reason),
        Some(Written::NameTaken) => (Outcome::Failed, Reason::UserNameTaken),
        Some(Written::DeletedByTarget) => (Outcome::Failed, Reason::DeletedByTarget),
        Some(Written::Gone | Written::Stop) => (Outcome::Failed, Reason::Rejected),
    };
    Part { operation, outcome, reason }
}

/// Returns the change: a write, or, without one, whether the user was just enabled or disabled.
fn change_of(attributes: bool, flips: bool, enabled: bool) -> Change {
    match (attributes, flips, enabled) {
        (_, false, _) => Change::Attributes,
        (false, true, false) => Change::Disabled,
        (false, true, true) => Change::Enabled,
        (true, true, false) => Change::AttributesAndDisabled,
        (true, true, true) => Change::AttributesAndEnabled,
    }
}

/// Returns the line of these parts: the worst outcome, and the reason of the strongest part that has it.
fn line_of(change: Change, operation: Operation, parts: &[Part]) -> Line {
    let outcome = parts.iter().map(|part| part.outcome).max().unwrap_or(Outcome::Success);
    let reason = parts.iter().filter(|part| part.outcome == outcome).max_by_key(|part| part.operation);
    let reason = match (outcome, operation) {
        (Outcome::Success, Operation::Link) => Reason::Linked,
        (Outcome::Success, _) => Reason::Done,
        (_, _) => reason.map_or(Reason::Done, |part| part.reason),
    };
    Line { change, operation, outcome, reason }
}
