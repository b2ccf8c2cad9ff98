//! Targets whose reads lag behind their writes: an account that is not found may exist.
//!
//! If such an account counted as gone, a second one would be created, or the first would stay active and unmanaged. So an
//! account that was written a moment ago and is not found is not gone: no request is sent for its user until it shows, or
//! until the time for that is over.

use std::time::{Duration, UNIX_EPOCH};

use super::context::Context;
use super::user::TaskRun;
use crate::clock::{seconds, timestamp};
use crate::report::Reason;
use crate::state::{Intent, Link, Posted, Record};
use crate::target::Trouble;
use crate::target::lookup::Lookup;
use crate::target::resource::Account;

/// The time after a write for which an account that is not found counts as not shown yet.
///
/// Replicas and search indexes are behind by seconds, at times by a minute or two. Runs usually come each quarter of an hour or
/// less often, so that an account which is really gone costs its user one run at most.
const LAG: Duration = Duration::from_mins(5);

impl Context {
    /// Returns why the account of `record` does not count as gone yet, although a look-up by its id fails and `found` has
    /// the name or `origin` of its user. Returns `None` if the account is gone, or if `found` is the account under
    /// another id.
    pub(crate) fn not_shown_yet(
        &self,
        record: &Record,
        origin: Option<&str>,
        found: &Lookup,
    ) -> Option<Trouble> {
        let moved = match found {
            Lookup::One(account) => origin.is_some() && account.external_id() == origin,
            Lookup::None | Lookup::Several(_) => false,
        };
        // It was found before the DELETE that was cut off.
        if moved || record.intent == Some(Intent::Delete) {
            return None;
        }
        let trouble = self.account_not_shown(record.link.as_ref()?.written)?;
        // An earlier unresolved write stays unresolved.
        Some(Trouble { unsure: record.intent.is_some(), ..trouble })
    }

    /// Returns why an account that was last `written` at this time and is not found does not count as gone yet.
    pub(crate) fn account_not_shown(&self, written: Option<u64>) -> Option<Trouble> {
        self.not_shown(
            written,
            "the account was written",
            "is found neither by its id nor by a search",
            "it counts as gone",
        )
    }

    /// Returns until when a Disable of `account` that was cut off may still take effect. Returns `None` if none was cut
    /// off, if it took effect, or if the user is not `enabled` and is to be disabled anyway.
    pub(crate) fn late_disable(&self, account: &Account, enabled: bool) -> Option<u64> {
        let is_open = enabled && account.active() && self.is_cut_off(&account.id);
        is_open.then(|| seconds(self.client.now()).saturating_add(LAG.as_secs()))
    }

    /// Reads the outcome of a Disable that may have taken effect late: it counts as our change, not as one by others.
    pub(crate) fn await_late_disable(&self, link: &mut Link, account: &Account, enabled: bool) {
        if let Some(until) = link.late_disable {
            link.active = account.active();
            let is_over = !enabled || !account.active() || seconds(self.client.now()) >= until;
            link.late_disable = link.late_disable.filter(|_| !is_over);
        }
    }

    /// Returns why the create that sent `posted` may have made an account, although no search shows one.
    pub(crate) fn create_not_shown(&self, posted: &Posted) -> Option<Trouble> {
        self.not_shown(
            posted.at,
            "a create without a clear answer was sent",
            "its account is found by no search",
            "it counts as made in vain",
        )
    }

    fn not_shown(&self, at: Option<u64>, sent: &str, missing: &str, end: &str) -> Option<Trouble> {
        let at = UNIX_EPOCH.checked_add(Duration::from_secs(at?))?;
        // A clock that was set back by more than that measures nothing.
        let age = self.client.now().duration_since(at).unwrap_or_else(|ahead| ahead.duration());
        let until = at.checked_add(LAG).filter(|_| age < LAG)?;
        let detail = format!(
            "{sent} {} s ago and {missing}, as at a target whose reads lag behind its writes: nothing is sent for this user; \
             each run looks again, and from {} on {end}",
            age.as_secs(),
            timestamp(until)
        );
        Some(Trouble::new(Reason::TargetError, detail))
    }
}

impl TaskRun<'_> {
    /// Notes that a write to the account was answered as done.
    pub(super) fn wrote(&mut self) {
        let now = seconds(self.context.client.now());
        if let Some(link) = &mut self.task.record.link {
            link.written = Some(now);
        }
    }
}
