//! The operations of a run for a user that has left its owner.

use crate::matrix::model::client::{Unread, Written};
use crate::matrix::model::guard::is_refusal;
use crate::matrix::model::sync::{Refused, Run, Stop};
use crate::matrix::model::types::{Kind, Leave, Left, Link, World};
use crate::matrix::model::words::{Change, Line, Operation, Outcome, Reason};
use crate::matrix::setting::RemoveAction;

/// The operation that is due for a user that has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// Held back as before, if for another cause.
    Still,
    /// Held back by a preference: this reason, and whether the link is dropped.
    Withheld(Change, Reason, bool),
    Removal(Change),
}

pub(crate) fn change_of(leave: Leave) -> Change {
    match leave {
        Leave::Deleted => Change::Deleted,
        Leave::LeftScope => Change::LeftScope,
        Leave::RuleDeleted => Change::RuleDeleted,
    }
}

impl World {
    pub(crate) fn due(&self, link: &Link, leave: Leave, full: bool) -> Due {
        let allowed =
            self.setting.deprovision && (leave != Leave::RuleDeleted || self.setting.on_rule_deletion);
        match (link.left, allowed) {
            (Left::Removed, _) => Due::Nothing,
            (Left::Pending(_), true) => Due::Removal(Change::Retry),
            (Left::Pending(_), false) => {
                Due::Withheld(Change::Retry, withheld(leave), leave == Leave::RuleDeleted)
            }
            (Left::Withheld(before), true) if before == leave && !full => Due::Nothing,
            // What left scope and is then deleted has not changed its situation: `change` is no part of that.
            (Left::Withheld(_), false) if leave != Leave::RuleDeleted => Due::Still,
            (Left::No | Left::Withheld(_), true) => Due::Removal(change_of(leave)),
            (Left::No | Left::Withheld(_), false) => {
                Due::Withheld(change_of(leave), withheld(leave), leave == Leave::RuleDeleted)
            }
        }
    }

    /// Handles a linked user that no rule owns.
    pub(crate) fn leave(&mut self, run: &mut Run, id: &str, leave: Leave) -> Result<(), Stop> {
        let url = self.url;
        let Some(link) = self.links[url].get(id).cloned() else { return Ok(()) };
        match self.due(&link, leave, run.full()) {
            Due::Nothing => {}
            Due::Still => self.mark(id, Left::Withheld(leave)),
            Due::Withheld(change, reason, drops) => {
                run.say(id, Line { change, operation: Operation::None, outcome: Outcome::Partial, reason });
                if drops {
                    self.links[url].remove(id);
                } else {
                    self.mark(id, Left::Withheld(leave));
                }
            }
            Due::Removal(change) => {
                let held = &self.withdrawn[url].held;
                let before =
                    self.withdrawn[url].refused_removals.get(id).copied().filter(|_| held.contains(id));
                let (operation, result) = match before {
                    Some(reason) => (self.removal_operation(), Err(reason)),
                    None => self.remove(id, &link)?,
                };
                let taken = matches!(
                    (operation, result),
                    (Operation::Delete | Operation::Disable, Ok(_)) | (_, Err(Reason::DeletedByTarget))
                );
                let withdrawn = &mut self.withdrawn[url];
                withdrawn.removals += usize::from(taken);
                if let Err(reason) = result
                    && is_refusal(reason)
                {
                    withdrawn.refused_removals.insert(id.to_owned(), reason);
                } else {
                    withdrawn.refused_removals.remove(id);
                }
                let line = match result {
                    Ok(reason) => Line { change, operation, outcome: Outcome::Success, reason },
                    Err(reason) => {
                        self.mark(id, Left::Pending(leave));
                        run.failed_deprovisions += 1;
                        let line = Line { change, operation, outcome: Outcome::Failed, reason };
                        let refused = match reason {
                            Reason::PartialUpdateUnsupported => vec![Refused::Write(Kind::Disable)],
                            Reason::DeleteUnsupported => vec![Refused::Delete],
                            _ => Vec::new(),
                        };
                        // What the guard held back was not sent.
                        run.refused(id, line, if before.is_some() { Vec::new() } else { refused });
                        Line { change, operation, outcome: Outcome::Failed, reason }
                    }
                };
                run.say(id, line);
            }
        }
        self.standing[url].remove(id);
        Ok(())
    }

    fn mark(&mut self, id: &str, left: Left) {
        if let Some(link) = self.links[self.url].get_mut(id) {
            link.left = left;
        }
    }

    /// Reads, then deletes or disables.
    fn remove(&mut self, id: &str, link: &Link) -> Result<(Operation, Result<Reason, Reason>), Stop> {
        let url = self.url;
        let active = match self.read(link.account) {
            Ok(Some(account)) => account.active,
            Ok(None) => {
                self.links[url].remove(id);
                return Ok((Operation::None, Ok(Reason::AlreadyGone)));
            }
            Err(Unread::Stop) => return Err(Stop),
            Err(Unread::Failed(reason)) => return Ok((self.removal_operation(), Err(reason))),
        };
        let (operation, written) = match self.setting.remove_action {
            RemoveAction::Delete => (Operation::Delete, self.send_delete(link.account)),
            RemoveAction::Disable if !active => {
                self.removed(id);
                return Ok((Operation::None, Ok(Reason::AlreadyInactive)));
            }
            RemoveAction::Disable if self.learned.disable_deletes => {
                (Operation::Disable, Written::Failed(Reason::DisableWithheld))
            }
            RemoveAction::Disable => (Operation::Disable, self.write(link.account, None, Some(false))),
        };
        let result = match written {
            Written::Done if operation == Operation::Delete => {
                self.links[url].remove(id);
                Ok(Reason::Done)
            }
            Written::Done => {
                self.removed(id);
                Ok(Reason::Done)
            }
            Written::Gone => {
                self.links[url].remove(id);
                Ok(Reason::AlreadyGone)
            }
            Written::DeletedByTarget => {
                self.links[url].remove(id);
                Err(Reason::DeletedByTarget)
            }
            Written::NameTaken => Err(Reason::Rejected),
            Written::Failed(reason) | Written::Unsure(reason) => Err(reason),
            Written::Stop => return Err(Stop),
        };
        Ok((operation, result))
    }

    fn removal_operation(&self) -> Operation {
        match self.setting.remove_action {
            RemoveAction::Delete => Operation::Delete,
            RemoveAction::Disable => Operation::Disable,
        }
    }

    fn removed(&mut self, id: &str) {
        if let Some(link) = self.links[self.url].get_mut(id) {
            link.left = Left::Removed;
            link.active = false;
        }
    }
}

fn withheld(leave: Leave) -> Reason {
    match leave {
        Leave::RuleDeleted => Reason::RuleDeletionOff,
        Leave::Deleted | Leave::LeftScope => Reason::DeprovisionOff,
    }
}
