//! How one change is written: the method of the connection, what it has learned, and what an answer means.

use crate::matrix::model::fault::Request;
use crate::matrix::model::gateway::Reply;
use crate::matrix::model::types::{Account, Desired, Fields, Key, Kind, Method, Path, Way, World};
use crate::matrix::model::words::Reason;

/// Tries of one request.
const ATTEMPTS: u32 = 5;

/// How a write ended.
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
enum Failure {
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

/// How a POST ended.
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

/// One write.
#[derive(Clone, Copy)]
struct Change<'a> {
    key: Key,
    attributes: Option<&'a Desired>,
    active: Option<bool>,
}

impl Change<'_> {
    fn kind(self) -> Kind {
        match self.active {
            None => Kind::Attributes,
            Some(false) => Kind::Disable,
            Some(true) => Kind::Enable,
        }
    }

    fn disables(self) -> bool {
        self.active == Some(false)
    }

    fn took(self, account: &Account) -> bool {
        self.attributes.is_none_or(|desired| !desired.differs(&account.fields))
            && self.active.is_none_or(|active| active == account.active)
    }

    /// What of it is news to the account.
    fn news(self, account: &Account) -> Self {
        Self {
            active: self.active.filter(|active| *active != account.active),
            attributes: self.attributes.filter(|desired| desired.differs(&account.fields)),
            ..self
        }
    }

    fn is_empty(self) -> bool {
        self.active.is_none() && self.attributes.is_none()
    }
}

/// Worth another try: 501 and 505 are not, whoever comes back later finds them still there.
fn is_transient(reply: Reply) -> bool {
    matches!(reply, Reply::Broken | Reply::Error(408 | 429 | 500 | 502 | 503 | 504))
}

/// What a refusal means for the user.
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
    /// Writes attributes, `active`, or both, to an account that is thought to exist.
    pub(crate) fn write(&mut self, key: Key, attributes: Option<&Desired>, active: Option<bool>) -> Written {
        let change = Change { key, attributes, active };
        let kind = change.kind();
        let (first, second) = self.ways(kind);
        let (written, failure) = self.attempt(change, first);
        let second = second.filter(|_| failure.is_some_and(|failure| failure != Failure::Final));
        let written = match (second, failure) {
            (Some(second), Some(failure)) => {
                let (other, otherwise) = self.attempt(change, second);
                if other == Written::Done && otherwise.is_none() {
                    self.learned.unusable.insert((kind, first));
                    self.learned.tried.insert((kind, first));
                }
                match other {
                    // A refusal that is not for want of support is about this user: it is told.
                    Written::Failed(_) | Written::Unsure(_) if failure == Failure::Refused => written,
                    other => other,
                }
            }
            (None, _) | (_, None) => written,
        };
        if written == Written::DeletedByTarget {
            self.learned.disable_deletes = true;
        }
        written
    }

    /// The ways by which a write of this kind is tried: the second where the first does not do.
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

    /// One way of writing a change; `Some` where another one may do better.
    fn attempt(&mut self, change: Change<'_>, way: Way) -> (Written, Option<Failure>) {
        let kind = change.kind();
        if self.learned.unusable.contains(&(kind, way)) {
            self.learned.tried.insert((kind, way));
        }
        let before = self.account(change.key).cloned();
        let worked = self.learned.works.contains(&(kind, way));
        let (written, failure) =
            if way == Way::Put { self.send_put(change) } else { self.send_patch(change) };
        if failure.is_none() && written == Written::Done {
            self.learned.unusable.remove(&(kind, way));
            if let (Some(before), Some(desired)) = (before, change.attributes) {
                let news = desired.news(&before.fields);
                if !news.is_empty() {
                    self.learned.works.insert((Kind::Attributes, way));
                    self.learned.unusable.remove(&(Kind::Attributes, way));
                }
                self.learned.stored.extend(news.into_iter().map(|path| (way, path)));
            }
            if change.active.is_some() {
                self.learned.works.insert((kind, way));
            }
        }
        if failure == Some(Failure::Unsupported) && way == Way::Patch {
            if worked {
                // It has worked here: this refusal is about this user.
                let failure = if kind == Kind::Attributes { Failure::Final } else { Failure::Unsupported };
                let told = match written {
                    Written::Failed(Reason::PartialUpdateUnsupported) => Written::Failed(Reason::Rejected),
                    written => written,
                };
                return (told, Some(failure));
            }
            self.learned.unusable.insert((kind, way));
            self.learned.tried.insert((kind, way));
        }
        (written, failure)
    }

    /// Whether a write by `way` has something of which nothing is known, or is tried again: it is read back.
    fn has_to_show(&self, change: Change<'_>, way: Way) -> bool {
        let kind = change.kind();
        let news = || {
            // Of an account that is gone it is what was sent last that the change is news to.
            let sent = || self.links[self.url].values().find(|link| link.account == change.key);
            let fields = match self.account(change.key) {
                Some(account) => &account.fields,
                None => &sent()?.sent,
            };
            Some(change.attributes?.news(fields))
        };
        let unknown = |path: &Path| !self.learned.stored.contains(&(way, *path));
        change.disables()
            || self.learned.unusable.contains(&(kind, way))
            || (kind == Kind::Enable && !self.learned.works.contains(&(kind, way)))
            || news().is_some_and(|paths| paths.iter().any(unknown))
    }

    fn send_patch(&mut self, mut change: Change<'_>) -> (Written, Option<Failure>) {
        let first = self.has_to_show(change, Way::Patch);
        if first {
            // Whatever has to teach looks at the account first: what is gone was not deleted by it, and what is there already
            // is not written.
            let account = match self.look_first(change.key) {
                Ok(account) => account,
                Err(written) => return (written, None),
            };
            change = change.news(&account);
            if change.is_empty() {
                return (Written::Done, None);
            }
        }
        let Change { key, attributes, active } = change;
        match self.with_retries(|world| world.patch(key, attributes, active)) {
            reply @ Reply::Error(405 | 501) => self.unsupported(reply, change),
            reply => self.judged(reply, change, first),
        }
    }

    fn send_put(&mut self, change: Change<'_>) -> (Written, Option<Failure>) {
        let mut conflicts = 0;
        loop {
            let account = match self.look_first(change.key) {
                Ok(account) => account,
                Err(written) => return (written, None),
            };
            let change = change.news(&account);
            if change.is_empty() {
                return (Written::Done, None);
            }
            let first = self.has_to_show(change, Way::Put);
            let Change { key, attributes, active } = change;
            return match self.with_retries(|world| world.put(key, attributes, active, account.version)) {
                Reply::Error(412) if conflicts == 0 => {
                    conflicts += 1;
                    continue;
                }
                reply @ Reply::Error(501) if active.is_some() => self.unsupported(reply, change),
                reply => self.judged(reply, change, first),
            };
        }
    }

    fn unsupported(&mut self, reply: Reply, change: Change<'_>) -> (Written, Option<Failure>) {
        let unsupported = Written::Failed(Reason::PartialUpdateUnsupported);
        let written =
            if change.disables() { self.read_back(reply, change, unsupported) } else { unsupported };
        let failure = if written == unsupported { Some(Failure::Unsupported) } else { Failure::of(written) };
        (written, failure)
    }

    /// What an answer means, and whether it speaks of the way or of this moment.
    fn judged(&mut self, reply: Reply, change: Change<'_>, first: bool) -> (Written, Option<Failure>) {
        let of_this_moment = matches!(reply, Reply::Error(408 | 412 | 429 | 500 | 502..=599) | Reply::Broken);
        let written = self.judge(reply, change, first);
        let failure = match written {
            Written::Failed(Reason::IgnoredByTarget) => Some(Failure::Nothing),
            Written::Failed(_) if !of_this_moment => Some(Failure::Refused),
            written => Failure::of(written),
        };
        (written, failure)
    }

    /// The account as it is before a write; or how the write ends because of what the look showed.
    fn look_first(&mut self, key: Key) -> Result<Account, Written> {
        match self.read(key) {
            Ok(Some(account)) => Ok(account),
            Ok(None) => Err(Written::Gone),
            Err(Unread::Stop) => Err(Written::Stop),
            // Nothing was written; but it is the read that failed, not the method.
            Err(Unread::Failed(reason)) => Err(Written::Unsure(reason)),
        }
    }

    /// What an answer means. It is held against the account where the method has still to prove itself, where the
    /// answer is a refusal, and for every Disable.
    fn judge(&mut self, reply: Reply, change: Change<'_>, first: bool) -> Written {
        let renames = |world: &Self| {
            let account = world.account(change.key);
            account.zip(change.attributes).is_some_and(|(account, desired)| {
                account.fields.user_name.to_lowercase() != desired.user_name.to_lowercase()
            })
        };
        match reply {
            Reply::Success | Reply::Cut if first || change.disables() => {
                self.read_back(reply, change, Written::Failed(Reason::IgnoredByTarget))
            }
            Reply::Success | Reply::Cut => Written::Done,
            Reply::Error(401) => Written::Stop,
            Reply::Error(403) if self.everything_is_forbidden() => Written::Stop,
            Reply::Error(409) if renames(self) => Written::NameTaken,
            refusal if change.disables() || reason(refusal) == Reason::Rejected => {
                self.read_back(refusal, change, Written::Failed(reason(refusal)))
            }
            refusal if is_transient(refusal) => Written::Unsure(reason(refusal)),
            refusal => Written::Failed(reason(refusal)),
        }
    }

    /// Reads the account after a write; `otherwise` where it is as before.
    fn read_back(&mut self, reply: Reply, change: Change<'_>, otherwise: Written) -> Written {
        match self.read(change.key) {
            Err(Unread::Stop) => Written::Stop,
            // After a refusal it is the refusal that is told.
            Err(Unread::Failed(unread)) => Written::Unsure(match reply {
                Reply::Success | Reply::Cut => unread,
                Reply::Error(_) | Reply::Broken => reason(reply),
            }),
            Ok(None) if change.disables() => Written::DeletedByTarget,
            Ok(None) => Written::Gone,
            Ok(Some(account)) if change.took(&account) => Written::Done,
            Ok(Some(_)) => otherwise,
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

    /// The account, read by id. A 404 counts only if the look-up does not show the account either.
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

    /// A look-up by name: whether it was answered with a list at all. A 404 is as good as an empty one.
    pub(crate) fn ask_by_name(&mut self) -> Result<bool, Unread> {
        match self.with_retries(|world| world.request(Request::List, |_| Reply::Success)) {
            Reply::Success => Ok(true),
            Reply::Error(404) => Ok(false),
            Reply::Error(401) => Err(Unread::Stop),
            Reply::Error(403) if self.everything_is_forbidden() => Err(Unread::Stop),
            reply => Err(Unread::Failed(reason(reply))),
        }
    }

    /// After a 403 the connection test is asked: where it is refused too, it is not about one user.
    fn everything_is_forbidden(&mut self) -> bool {
        matches!(self.request(Request::List, |_| Reply::Success), Reply::Error(401 | 403))
    }

    /// Makes an account. A POST is never repeated blindly: a look-up comes first.
    pub(crate) fn create(&mut self, desired: &Desired) -> Created {
        let fields = desired.over(&Fields::default());
        let mut last = Reply::Success;
        // Once an answer was lost, no later failure tells what came of that try.
        let mut lost = false;
        let failed = |lost, reason| if lost { Created::Unsure(reason) } else { Created::Failed(reason) };
        for _ in 0..ATTEMPTS {
            last = self.post(fields.clone());
            let repeatable = match last {
                // The answer names the account, if need be in `Location`.
                Reply::Success | Reply::Cut => {
                    let made = self.look_up(&fields.user_name).first().map(|account| account.key);
                    let Some(key) = made else { return failed(lost, Reason::Rejected) };
                    return self.read_created(key, &fields);
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
                    if let Some(account) = self.look_up(&fields.user_name).first() {
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

    /// The first account with a path is read back; what comes of the read does not touch the create.
    fn read_created(&mut self, key: Key, fields: &Fields) -> Created {
        let attributes = fields.attributes.keys().map(|name| Path::Attribute(*name));
        let mut paths: Vec<Path> = [Path::UserName, Path::ExternalId].into_iter().chain(attributes).collect();
        paths.retain(|path| !self.learned.stored.contains(&(Way::Post, *path)));
        if !paths.is_empty() {
            match self.read(key) {
                Ok(Some(_)) => self.learned.stored.extend(paths.into_iter().map(|path| (Way::Post, path))),
                Ok(None) | Err(Unread::Failed(_)) => {}
                Err(Unread::Stop) => return Created::Stop,
            }
        }
        Created::Account(key)
    }

    /// One DELETE.
    pub(crate) fn send_delete(&mut self, key: Key) -> Written {
        match self.with_retries(|world| world.delete(key)) {
            Reply::Success | Reply::Cut => Written::Done,
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
