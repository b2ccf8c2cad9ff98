//! The model of writes: the requests of one change by one method, and the meaning of their answers.

use std::collections::BTreeSet;

use crate::matrix::model::fault::Request;
use crate::matrix::model::gateway::Reply;
use crate::matrix::model::types::{Account, Attribute, Desired, Key, Kind, Path, Way, World};
use crate::matrix::model::words::Reason;

/// Tries of one request.
const ATTEMPTS: u32 = 5;

/// The result of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Done,
    Failed(Reason),
    /// Failed, and nobody knows whether it took effect.
    Unsure(Reason),
    /// 409: to be tried once more at the end of the run.
    NameTaken,
    /// The account is not there.
    Gone,
    /// A Disable after which the account is not there.
    DeletedByTarget,
    /// 401: the run ends here.
    Stop,
}

/// Why a way of writing did not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Refused as not supported.
    Unsupported,
    /// Refused otherwise.
    Refused,
    /// Answered as done, and nothing changed.
    Nothing,
    /// No reason for another way.
    Final,
}

impl Failure {
    fn of(written: Written) -> Option<Self> {
        matches!(written, Written::Failed(_) | Written::Unsure(_)).then_some(Self::Final)
    }
}

/// The result of a POST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Created {
    Account(Key),
    Failed(Reason),
    /// Failed, and nobody knows whether there is an account.
    Unsure(Reason),
    /// 401; nobody knows either.
    Stop,
}

/// Why a look at the target did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    Failed(Reason),
    Stop,
}

/// The attributes of a write.
#[derive(Clone, Copy)]
pub(crate) struct Attributes<'a> {
    /// The attributes that the account is known to lack.
    pub(crate) asked: &'a Desired,
    /// All fields that the account should have: a PUT has all of them.
    pub(crate) whole: &'a Desired,
}

/// A change to write.
#[derive(Clone)]
pub(crate) struct Change {
    pub(crate) key: Key,
    pub(crate) asked: Desired,
    pub(crate) whole: Desired,
    pub(crate) active: Option<bool>,
}

/// The effects of a write that the account shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Effects {
    pub(crate) took: BTreeSet<Path>,
    pub(crate) lost: BTreeSet<Path>,
    /// Whether `active` is as written; none if it was not written.
    active: Option<bool>,
}

/// The result of a write by one method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tried {
    pub(crate) written: Written,
    /// The failure, if the other method may do better.
    pub(crate) failure: Option<Failure>,
    pub(crate) effects: Effects,
}

impl Tried {
    /// Returns a result that teaches nothing about paths.
    fn end(written: Written) -> Self {
        Self { written, failure: Failure::of(written), effects: Effects::default() }
    }

    /// Returns the result of a write that is answered as done and has no effect.
    pub(crate) fn nothing(effects: Effects) -> Self {
        let written = Written::Failed(Reason::IgnoredByTarget);
        Self { written, failure: Some(Failure::Nothing), effects }
    }
}

impl Change {
    pub(crate) fn kind(&self) -> Kind {
        match self.active {
            None => Kind::Attributes,
            Some(false) => Kind::Disable,
            Some(true) => Kind::Enable,
        }
    }

    pub(crate) fn disables(&self) -> bool {
        self.active == Some(false)
    }

    fn took(&self, account: &Account) -> bool {
        let effects = self.effects(account);
        effects.lost.is_empty() && effects.active != Some(false)
    }

    fn effects(&self, account: &Account) -> Effects {
        let lost = self.asked.news(&account.fields).paths();
        Effects {
            took: self.asked.paths().difference(&lost).copied().collect(),
            lost,
            active: self.active.map(|active| active == account.active),
        }
    }

    /// Returns the changes of the account, where `ours` is the e-mail address that was written to it before: one
    /// without a type is not cleared as long as it is there.
    fn news(&self, account: &Account, ours: Option<&String>) -> Self {
        let fields = &account.fields;
        let is_there = |path, value: Option<&String>| {
            path == Path::Attribute(Attribute::Email) && value.is_none() && fields.has_untyped(ours)
        };
        Self {
            active: self.active.filter(|active| *active != account.active),
            asked: self.asked.filter(|path, value| !fields.shows(path, value) || is_there(path, value)),
            ..self.clone()
        }
    }

    /// Whether an e-mail address is to be removed: that nothing is there to be removed is answered as done too.
    fn clears_email(&self) -> bool {
        self.asked.0.get(&Path::Attribute(Attribute::Email)) == Some(&None)
    }

    /// Whether a transient failure may be caused by the attributes that are written beside `active`.
    fn may_be_of_either(&self, refusal: Reply) -> bool {
        self.active.is_some()
            && !self.asked.is_empty()
            && matches!(reason(refusal), Reason::TargetError | Reason::Unreachable)
    }

    fn is_empty(&self) -> bool {
        self.active.is_none() && self.asked.is_empty()
    }
}

/// Whether another try is worthwhile: 501 and 505 do not go away.
fn is_transient(reply: Reply) -> bool {
    matches!(reply, Reply::Broken | Reply::Error(408 | 429 | 500 | 502 | 503 | 504))
}

/// Returns the reason that a refusal means for the user.
fn reason(reply: Reply) -> Reason {
    match reply {
        Reply::Broken => Reason::Unreachable,
        Reply::Error(403) => Reason::Forbidden,
        Reply::Error(412) => Reason::Conflict,
        Reply::Error(429) => Reason::RateLimited,
        Reply::Error(status) if status == 408 || status >= 500 => Reason::TargetError,
        Reply::Success | Reply::Cut | Reply::Error(_) => Reason::Rejected,
    }
}

impl World {
    pub(crate) fn send_patch(&mut self, change: &Change) -> Tried {
        let first = self.has_to_show(change, Way::Patch);
        let mut change = change.clone();
        if first || change.clears_email() {
            // Whatever has to teach looks at the account first: what is gone was not deleted by it, and what is there already
            // is not written.
            let account = match self.look_first(change.key) {
                Ok(account) => account,
                Err(written) => return Tried { failure: None, ..Tried::end(written) },
            };
            change = change.news(&account, self.own_email(change.key).as_ref());
            if change.is_empty() {
                return Tried::end(Written::Done);
            }
        } else if self.has_no_target(&change) {
            // A replace of it is refused (RFC 7644 §3.5.2.3, `noTarget`); it is said anew in terms of what is there.
            let refused =
                self.with_retries(|world| world.request(Request::Patch, |world| world.refuse(change.key)));
            if refused != Reply::Error(400) {
                return self.judged(refused, &change, first);
            }
            match self.look_first(change.key) {
                Ok(account) => change = change.news(&account, self.own_email(change.key).as_ref()),
                Err(written) => return Tried { failure: None, ..Tried::end(written) },
            }
        }
        match self.with_retries(|world| world.patch(change.key, &change.asked, change.active)) {
            reply @ Reply::Error(405 | 501) => self.unsupported(reply, &change),
            reply => self.judged(reply, &change, first),
        }
    }

    /// Whether an e-mail address is written over one that has lost its type since.
    fn has_no_target(&self, change: &Change) -> bool {
        let email = Path::Attribute(Attribute::Email);
        change.asked.0.contains_key(&email)
            && self.account(change.key).is_some_and(|account| account.fields.get(email).is_none())
            && self.own_email(change.key).is_some()
    }

    /// Returns the e-mail address that was written to the account before, as far as it is known.
    pub(crate) fn own_email(&self, key: Key) -> Option<String> {
        let link = self.links[self.url].values().find(|link| link.account == key)?;
        link.sent.get(Path::Attribute(Attribute::Email)).cloned()
    }

    pub(crate) fn send_put(&mut self, change: &Change) -> Tried {
        let mut conflicts = 0;
        loop {
            let account = match self.look_first(change.key) {
                Ok(account) => account,
                Err(written) => return Tried { failure: None, ..Tried::end(written) },
            };
            let ours = self.own_email(change.key);
            let change = self.with_the_rest(change).news(&account, ours.as_ref());
            if change.is_empty() {
                return Tried::end(Written::Done);
            }
            let first = self.has_to_show(&change, Way::Put);
            let send =
                |world: &mut Self| world.put(change.key, &change.asked, change.active, account.version);
            return match self.with_retries(send) {
                Reply::Error(412) if conflicts == 0 => {
                    conflicts += 1;
                    continue;
                }
                reply @ Reply::Error(501) if change.active.is_some() => self.unsupported(reply, &change),
                reply => self.judged(reply, &change, first),
            };
        }
    }

    /// Returns a PUT of all wanted fields of the account. Fields that are known not to be stored are left out.
    fn with_the_rest(&self, change: &Change) -> Change {
        if change.asked.is_empty() {
            return change.clone();
        }
        let not_stored = |path| self.learned.not_stored.contains(&(Way::Put, path));
        let asked = change.whole.filter(|path, _| change.asked.0.contains_key(&path) || !not_stored(path));
        Change { asked, ..change.clone() }
    }

    fn unsupported(&mut self, reply: Reply, change: &Change) -> Tried {
        let unsupported = Written::Failed(Reason::PartialUpdateUnsupported);
        let mut tried = if change.disables() {
            self.after_refusal(reply, change, unsupported)
        } else {
            Tried::end(unsupported)
        };
        if tried.written == unsupported {
            tried.failure = Some(Failure::Unsupported);
        }
        tried
    }

    /// Returns the meaning of an answer, and whether it is about the method or about this request.
    fn judged(&mut self, reply: Reply, change: &Change, first: bool) -> Tried {
        let of_this_moment = matches!(reply, Reply::Error(408 | 412 | 429 | 500 | 502..=599) | Reply::Broken);
        let mut tried = self.judge(reply, change, first);
        if matches!(tried.written, Written::Failed(_))
            && tried.failure == Some(Failure::Final)
            && !of_this_moment
        {
            tried.failure = Some(Failure::Refused);
        }
        tried
    }

    /// Returns the account before a write, or the result of the write if the look decides it.
    fn look_first(&mut self, key: Key) -> Result<Account, Written> {
        match self.read(key) {
            Ok(Some(account)) => Ok(account),
            Ok(None) => Err(Written::Gone),
            Err(Unread::Stop) => Err(Written::Stop),
            // Nothing was written; but it is the read that failed, not the method.
            Err(Unread::Failed(reason)) => Err(Written::Unsure(reason)),
        }
    }

    /// Returns the meaning of an answer. It is compared with the account if the method has still to prove itself, if
    /// the answer is a refusal, and for every Disable.
    fn judge(&mut self, reply: Reply, change: &Change, first: bool) -> Tried {
        let renames = |world: &Self| {
            let account = world.account(change.key);
            account.is_some_and(|account| change.asked.news(&account.fields).user_name().is_some())
        };
        match reply {
            Reply::Success | Reply::Cut => self.see(change, first || change.disables()),
            Reply::Error(401) => Tried::end(Written::Stop),
            Reply::Error(403) if self.everything_is_forbidden() => Tried::end(Written::Stop),
            Reply::Error(409) if renames(self) => Tried::end(Written::NameTaken),
            refusal
                if change.disables()
                    || change.may_be_of_either(refusal)
                    || reason(refusal) == Reason::Rejected =>
            {
                self.after_refusal(refusal, change, Written::Failed(reason(refusal)))
            }
            refusal if is_transient(refusal) => Tried::end(Written::Unsure(reason(refusal))),
            refusal => Tried::end(Written::Failed(reason(refusal))),
        }
    }

    /// Returns the result of a write that was answered as done: by a read if something has still to prove itself, and
    /// otherwise by the resource in the answer.
    fn see(&mut self, change: &Change, reads: bool) -> Tried {
        let account = if reads {
            match self.read(change.key) {
                Err(Unread::Stop) => return Tried::end(Written::Stop),
                Err(Unread::Failed(reason)) => return Tried::end(Written::Unsure(reason)),
                Ok(account) => account,
            }
        } else {
            self.account(change.key).cloned()
        };
        let Some(account) = account else {
            return Tried::end(if change.disables() { Written::DeletedByTarget } else { Written::Gone });
        };
        let effects = change.effects(&account);
        // No profile takes the attributes of a write and leaves `active` as it was.
        if effects.active == Some(false) || (effects.took.is_empty() && effects.active.is_none()) {
            return Tried::nothing(effects);
        }
        Tried { written: Written::Done, failure: None, effects }
    }

    /// Reads the account after a refusal; `otherwise` where not all of the write is in effect.
    fn after_refusal(&mut self, reply: Reply, change: &Change, otherwise: Written) -> Tried {
        match self.read(change.key) {
            Err(Unread::Stop) => Tried::end(Written::Stop),
            // It is the refusal that is told.
            Err(Unread::Failed(_)) => Tried::end(Written::Unsure(reason(reply))),
            Ok(None) if change.disables() => Tried::end(Written::DeletedByTarget),
            Ok(None) => Tried::end(Written::Gone),
            Ok(Some(account)) if change.took(&account) => {
                Tried { written: Written::Done, failure: None, effects: change.effects(&account) }
            }
            Ok(Some(_)) => Tried::end(otherwise),
        }
    }

    fn with_retries(&mut self, mut send: impl FnMut(&mut Self) -> Reply) -> Reply {
        let mut reply = send(self);
        for _ in 1..ATTEMPTS {
            if is_transient(reply) {
                reply = send(self);
            }
        }
        reply
    }

    /// Reads the account by id. A 404 counts only if the look-up does not show the account either.
    pub(crate) fn read(&mut self, key: Key) -> Result<Option<Account>, Unread> {
        let here = |world: &mut Self| {
            if world.account(key).is_some() { Reply::Success } else { Reply::Error(404) }
        };
        match self.with_retries(|world| world.request(Request::Read, here)) {
            Reply::Success => {}
            Reply::Error(404) => drop(self.ask_by_name()?),
            Reply::Error(401) => return Err(Unread::Stop),
            Reply::Error(403) if self.everything_is_forbidden() => return Err(Unread::Stop),
            reply => return Err(Unread::Failed(reason(reply))),
        }
        Ok(self.account(key).cloned())
    }

    /// Looks the user up by name, and returns whether a list was answered. A 404 is as good as an empty one.
    pub(crate) fn ask_by_name(&mut self) -> Result<bool, Unread> {
        match self.with_retries(|world| world.request(Request::List, |_| Reply::Success)) {
            Reply::Success => Ok(true),
            Reply::Error(404) => Ok(false),
            Reply::Error(401) => Err(Unread::Stop),
            Reply::Error(403) if self.everything_is_forbidden() => Err(Unread::Stop),
            reply => Err(Unread::Failed(reason(reply))),
        }
    }

    /// Runs the connection test after a 403: if it is refused too, the refusal is not about one user.
    fn everything_is_forbidden(&mut self) -> bool {
        matches!(self.request(Request::List, |_| Reply::Success), Reply::Error(401 | 403))
    }

    /// Creates an account. A POST is never repeated without a look-up first.
    pub(crate) fn create(&mut self, desired: &Desired) -> Created {
        let user_name = desired.user_name().cloned().unwrap_or_default();
        let mut last = Reply::Success;
        // Once an answer was lost, no later failure tells what came of that try.
        let mut lost = false;
        let failed = |lost, reason| if lost { Created::Unsure(reason) } else { Created::Failed(reason) };
        for _ in 0..ATTEMPTS {
            last = self.post(desired);
            let repeatable = match last {
                // The answer names the account, if need be in `Location`.
                Reply::Success | Reply::Cut => {
                    let made = self.look_up(&user_name).first().map(|account| account.key);
                    let Some(key) = made else { return failed(lost, Reason::Rejected) };
                    return self.read_created(key, desired);
                }
                Reply::Error(401) => return Created::Stop,
                Reply::Error(403) if self.everything_is_forbidden() => return Created::Stop,
                Reply::Error(409) => false,
                refusal if is_transient(refusal) => true,
                refusal => return failed(lost, reason(refusal)),
            };
            lost |= repeatable;
            match self.ask_by_name() {
                Err(Unread::Stop) => return Created::Stop,
                Err(Unread::Failed(unread)) => {
                    return failed(lost, if repeatable { reason(last) } else { unread });
                }
                Ok(true) => {
                    if let Some(account) = self.look_up(&user_name).first() {
                        return Created::Account(account.key);
                    }
                }
                Ok(false) => {}
            }
            if !repeatable {
                return failed(lost, Reason::HiddenAccount);
            }
        }
        failed(lost, reason(last))
    }

    /// Reads the first account with a path back; the result of the read does not affect the create.
    fn read_created(&mut self, key: Key, desired: &Desired) -> Created {
        let unknown = |path: Path| !self.learned.stored.contains(&(Way::Post, path));
        let has_to_show = self.sendable(Way::Post, desired).filter(|path, _| unknown(path));
        if !has_to_show.is_empty() {
            match self.read(key) {
                Ok(Some(account)) => {
                    let lost = desired.news(&account.fields).paths();
                    self.learn_stored(Way::Post, desired.paths().difference(&lost).copied());
                    self.learn_lost(Way::Post, &lost);
                }
                Ok(None) | Err(Unread::Failed(_)) => {}
                Err(Unread::Stop) => return Created::Stop,
            }
        }
        Created::Account(key)
    }

    /// Sends a DELETE.
    pub(crate) fn send_delete(&mut self, key: Key) -> Written {
        match self.with_retries(|world| world.delete(key)) {
            Reply::Success | Reply::Cut => {
                self.learned.deleted_now = true;
                Written::Done
            }
            // Where DELETE works for others, the refusal is about this user.
            Reply::Error(405 | 501) if self.learned.deleted_now => Written::Failed(Reason::Rejected),
            Reply::Error(405 | 501) => Written::Failed(Reason::DeleteUnsupported),
            Reply::Error(401) => Written::Stop,
            Reply::Error(403) if self.everything_is_forbidden() => Written::Stop,
            // The account decides, not the answer.
            refusal if reason(refusal) == Reason::Rejected => match self.read(key) {
                Ok(None) => Written::Done,
                Ok(Some(_)) | Err(Unread::Failed(_)) => Written::Failed(Reason::Rejected),
                Err(Unread::Stop) => Written::Stop,
            },
            refusal => Written::Failed(reason(refusal)),
        }
    }
}
