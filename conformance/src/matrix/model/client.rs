//! How one change is written: the method of the connection, what it has learned, and what an answer means.

use crate::matrix::model::gateway::Reply;
use crate::matrix::model::types::{Desired, Fields, Key, Method, World};
use crate::matrix::model::words::Reason;

/// Tries of one request.
const ATTEMPTS: u32 = 5;

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Done,
    Failed(Reason),
    /// 409: to be tried once more at the end of the run.
    NameTaken,
    /// The account is not there.
    Gone,
    /// A Disable after which the account is not there.
    DeletedByTarget,
    /// 401: the run ends here.
    Stop,
}

/// How a POST ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Created {
    Account(Key),
    Failed(Reason),
    Stop,
}

fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

fn exhausted(status: u16) -> Reason {
    if status == 429 { Reason::RateLimited } else { Reason::TargetError }
}

impl World {
    /// Writes attributes, `active`, or both, to an account that is thought to exist.
    pub(crate) fn write(&mut self, key: Key, attributes: Option<&Desired>, active: Option<bool>) -> Written {
        let patch = match self.method {
            Method::Put => false,
            Method::Patch => true,
            Method::Auto => self.profile.advertises_patch && !self.learned.patch_unusable,
        };
        let written = if !patch {
            self.write_by_put(key, attributes, active)
        } else if self.method == Method::Auto {
            self.write_by_patch_or_put(key, attributes, active)
        } else {
            self.write_by_patch(key, attributes, active)
        };
        if written == Written::DeletedByTarget {
            self.learned.disable_deletes = true;
        }
        written
    }

    fn write_by_patch(&mut self, key: Key, attributes: Option<&Desired>, active: Option<bool>) -> Written {
        if self.learned.patch_ignored {
            return Written::Failed(Reason::IgnoredByTarget);
        }
        let written = self.send_patch(key, attributes, active);
        if written == Written::Failed(Reason::IgnoredByTarget) {
            self.learned.patch_ignored = true;
        }
        written
    }

    fn write_by_patch_or_put(
        &mut self,
        key: Key,
        attributes: Option<&Desired>,
        active: Option<bool>,
    ) -> Written {
        match self.send_patch(key, attributes, active) {
            Written::Failed(Reason::PartialUpdateUnsupported | Reason::IgnoredByTarget) => {
                self.learned.patch_unusable = true;
                self.write_by_put(key, attributes, active)
            }
            Written::Failed(Reason::Rejected) => {
                let written = self.write_by_put(key, attributes, active);
                self.learned.patch_unusable = written == Written::Done;
                // A PUT that did not work either proves nothing of PATCH: what PATCH was told stands.
                let refused = matches!(written, Written::Failed(_));
                if refused { Written::Failed(Reason::Rejected) } else { written }
            }
            written => written,
        }
    }

    fn send_patch(&mut self, key: Key, attributes: Option<&Desired>, active: Option<bool>) -> Written {
        let (mut attributes, mut active) = (attributes, active);
        if active == Some(false) || !self.learned.patch_works {
            // A disable, and whatever has to teach, looks at the account first: what is gone was not deleted by it, and
            // what is there already is not written.
            let Some(account) = self.account(key) else { return Written::Gone };
            active = active.filter(|active| *active != account.active);
            attributes = attributes.filter(|desired| desired.differs(&account.fields));
            if active.is_none() && attributes.is_none() {
                return Written::Done;
            }
        }
        let reply = self.with_retries(|world| world.patch(key, attributes, active));
        match reply {
            Reply::Error(405 | 501) if active != Some(false) || self.account(key).is_some() => {
                Written::Failed(Reason::PartialUpdateUnsupported)
            }
            reply => {
                let written = self.judge(reply, key, attributes, active);
                self.learned.patch_works |= written == Written::Done;
                written
            }
        }
    }

    fn write_by_put(&mut self, key: Key, attributes: Option<&Desired>, active: Option<bool>) -> Written {
        let mut conflicts = 0;
        loop {
            let Some(account) = self.account(key) else { return Written::Gone };
            let nothing_new = attributes.is_none_or(|desired| !desired.differs(&account.fields))
                && active.is_none_or(|active| active == account.active);
            if nothing_new {
                return Written::Done;
            }
            let flips = active.is_some_and(|active| active != account.active);
            let reply = self.with_retries(|world| world.put(key, attributes, active));
            match reply {
                Reply::Error(412) if conflicts == 0 => conflicts += 1,
                Reply::Error(501) if flips => return Written::Failed(Reason::PartialUpdateUnsupported),
                reply => return self.judge(reply, key, attributes, active),
            }
        }
    }

    /// What an answer means, given what a GET shows afterwards.
    fn judge(&self, reply: Reply, key: Key, attributes: Option<&Desired>, active: Option<bool>) -> Written {
        let Some(account) = self.account(key) else {
            // Every Disable is read back, whatever the reply said.
            return if active == Some(false) { Written::DeletedByTarget } else { Written::Gone };
        };
        let took = attributes.is_none_or(|desired| !desired.differs(&account.fields))
            && active.is_none_or(|active| active == account.active);
        match reply {
            Reply::Success | Reply::Error(404) if took => Written::Done,
            Reply::Success => Written::Failed(Reason::IgnoredByTarget),
            Reply::Error(401) => Written::Stop,
            Reply::Error(403) => Written::Failed(Reason::Forbidden),
            Reply::Error(409) => Written::NameTaken,
            Reply::Error(412) => Written::Failed(Reason::Conflict),
            Reply::Error(status) if is_transient(status) => Written::Failed(exhausted(status)),
            Reply::Error(status) if status >= 500 => Written::Failed(Reason::TargetError),
            Reply::Error(_) => Written::Failed(Reason::Rejected),
        }
    }

    fn with_retries(&mut self, mut send: impl FnMut(&mut Self) -> Reply) -> Reply {
        let mut reply = send(self);
        for _ in 1..ATTEMPTS {
            match reply {
                Reply::Error(status) if is_transient(status) => reply = send(self),
                Reply::Success | Reply::Error(_) => break,
            }
        }
        reply
    }

    /// Makes an account. A POST is never repeated blindly: a look-up comes first.
    pub(crate) fn create(&mut self, desired: &Desired) -> Created {
        let fields = desired.over(&Fields::default());
        let mut last = 0;
        for _ in 0..ATTEMPTS {
            match self.post(fields.clone()) {
                Reply::Error(status) if is_transient(status) => last = status,
                Reply::Error(401) => return Created::Stop,
                Reply::Error(403) => return Created::Failed(Reason::Forbidden),
                Reply::Error(409) if self.look_up(&fields.user_name).is_empty() => {
                    return Created::Failed(Reason::HiddenAccount);
                }
                Reply::Error(status) if status >= 500 => return Created::Failed(Reason::TargetError),
                Reply::Error(status) if status != 409 => return Created::Failed(Reason::Rejected),
                Reply::Success | Reply::Error(_) => {}
            }
            if let Some(account) = self.look_up(&fields.user_name).first() {
                return Created::Account(account.key);
            }
        }
        Created::Failed(exhausted(last))
    }

    /// One DELETE.
    pub(crate) fn send_delete(&mut self, key: Key) -> Written {
        match self.with_retries(|world| world.delete(key)) {
            Reply::Success => Written::Done,
            Reply::Error(405 | 501) => Written::Failed(Reason::DeleteUnsupported),
            Reply::Error(401) => Written::Stop,
            Reply::Error(403) => Written::Failed(Reason::Forbidden),
            Reply::Error(status) if is_transient(status) => Written::Failed(exhausted(status)),
            Reply::Error(_) => Written::Failed(Reason::Rejected),
        }
    }
}
