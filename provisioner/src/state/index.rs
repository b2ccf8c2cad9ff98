//! The index of the users that are known at a target: what a run has to know of each to tell whether there is something to
//! do.
//!
//! An entry has 64 bytes, and its two places in the hash tables about 10 more, so that a million users take 75 MB. Texts are kept
//! as keyed 128-bit hashes; a user with something to do is read from the store.

use hashbrown::HashTable;

use super::{Intent, LinkState, Record, ShownForm};
use crate::ids::RuleName;
pub(crate) use crate::key::Key;
use crate::report::Outcome;

/// What a run asks of a record without reading it. Stored with the record, and derived from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags(i64);

impl Flags {
    /// The user has an account.
    const LINKED: i64 = 1;
    /// A rule owns the user's account.
    const OWNED: i64 = 1 << 1;
    /// The account was removed by Disable.
    const REMOVED: i64 = 1 << 2;
    /// The last evaluation left nothing to try again, whatever the target has shown since.
    const AT_REST: i64 = 1 << 3;
    /// A value was sent in vain to a path that other accounts may have taken since.
    const MAY_HAVE_NEWS: i64 = 1 << 4;
    /// A write has an unknown outcome.
    const INTENT: i64 = 1 << 5;
    /// A create has an unknown outcome.
    const UNRESOLVED_CREATE: i64 = 1 << 6;
    /// A Disable may still take effect.
    const CUT_OFF: i64 = 1 << 7;
    /// The account may be another one by now.
    const PERHAPS_ELSEWHERE: i64 = 1 << 8;

    pub(super) fn of(record: &Record) -> Self {
        let link = record.link.as_ref();
        let state = link.map(|link| link.state);
        let is_late = link.is_some_and(|link| link.late_disable.is_some());
        let failed = record.last_reported.as_ref().is_some_and(|told| told.outcome == Outcome::Failed);
        let may_have_news = link.is_some_and(|link| {
            link.shows.values().any(|shown| matches!(shown, ShownForm::Ignored { alone: false, .. }))
        });
        let at_rest = matches!(state, None | Some(LinkState::Owned)) && !failed && !is_late;
        let bits = [
            (Self::LINKED, link.is_some()),
            (Self::OWNED, state == Some(LinkState::Owned)),
            (Self::REMOVED, state == Some(LinkState::Removed)),
            (Self::AT_REST, at_rest && record.intent.is_none()),
            (Self::MAY_HAVE_NEWS, may_have_news),
            (Self::INTENT, record.intent.is_some()),
            (Self::UNRESOLVED_CREATE, link.is_none() && record.intent == Some(Intent::Create)),
            (Self::CUT_OFF, is_late || (link.is_some() && record.intent == Some(Intent::Disable))),
            (Self::PERHAPS_ELSEWHERE, record.is_perhaps_elsewhere()),
        ];
        Self(bits.iter().filter(|(_, holds)| *holds).map(|(bit, _)| bit).sum())
    }

    pub(super) const fn from_bits(bits: i64) -> Self {
        Self(bits)
    }

    pub(super) const fn bits(self) -> i64 {
        self.0
    }

    const fn has(self, bit: i64) -> bool {
        self.0 & bit != 0
    }

    /// Whether the user has an account.
    pub(crate) const fn is_linked(self) -> bool {
        self.has(Self::LINKED)
    }

    /// Whether a rule owned the user's account when the user was last evaluated.
    pub(crate) const fn is_owned(self) -> bool {
        self.has(Self::OWNED)
    }

    /// Whether the account is provisioned, and not removed by Disable.
    pub(crate) const fn is_managed(self) -> bool {
        self.has(Self::LINKED) && !self.has(Self::REMOVED)
    }

    /// Whether the user's removal is finished and nothing is unresolved.
    pub(crate) const fn is_removed_for_good(self) -> bool {
        self.has(Self::REMOVED) && !self.has(Self::INTENT)
    }

    /// Whether there is nothing to try again for the user, as long as its fingerprint stays.
    pub(crate) const fn is_at_rest(self) -> bool {
        self.has(Self::AT_REST) && !self.has(Self::MAY_HAVE_NEWS)
    }

    /// Whether a create of the user has an unknown outcome.
    pub(crate) const fn has_unresolved_create(self) -> bool {
        self.has(Self::UNRESOLVED_CREATE)
    }

    /// Whether a Disable of the account may still take effect.
    pub(crate) const fn is_cut_off(self) -> bool {
        self.has(Self::CUT_OFF)
    }

    /// Whether the account has to be read before the user is decided, though it is linked.
    pub(crate) const fn is_to_be_read(self) -> bool {
        self.has(Self::INTENT) || self.has(Self::CUT_OFF) || self.has(Self::PERHAPS_ELSEWHERE)
    }
}

/// A user in the index.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: Key,
    account: Option<Key>,
    /// The fingerprint of the last evaluation; 0 if there is none.
    fingerprint: u128,
    /// The place of the record in the store.
    pub(crate) row: i64,
    rule: Option<u16>,
    flags: u16,
}

impl Entry {
    pub(crate) fn flags(&self) -> Flags {
        Flags(i64::from(self.flags))
    }

    /// Whether the last evaluation depended on the same as one with this `fingerprint`.
    pub(crate) fn has_fingerprint(&self, fingerprint: u128) -> bool {
        self.fingerprint != 0 && self.fingerprint == fingerprint
    }
}

/// A row of the store.
pub(super) struct IndexRow<'a> {
    pub(super) row: i64,
    pub(super) source_id: &'a str,
    pub(super) account: Option<&'a str>,
    pub(super) fingerprint: Option<&'a str>,
    pub(super) rule: Option<&'a str>,
    pub(super) flags: i64,
}

/// All users that are known at a target.
#[derive(Debug, Default)]
pub(crate) struct Index {
    entries: Vec<Entry>,
    by_id: HashTable<u32>,
    by_account: HashTable<u32>,
    rules: Vec<RuleName>,
}

/// A store that cannot be indexed.
#[derive(Debug, thiserror::Error)]
pub(super) enum IndexError {
    #[error("more users or rules than an index holds")]
    TooMany,
    #[error("invalid flags {0}")]
    Flags(i64),
    #[error("invalid rule")]
    Rule(#[source] crate::ids::IdError),
}

impl Index {
    pub(super) fn push(&mut self, row: &IndexRow<'_>) -> Result<(), IndexError> {
        let at = u32::try_from(self.entries.len()).map_err(|_| IndexError::TooMany)?;
        let rule = row.rule.map(|rule| self.rule(rule)).transpose()?;
        let entry = Entry {
            id: Key::of(row.source_id),
            account: row.account.map(Key::of),
            fingerprint: row.fingerprint.map_or(0, parse_fingerprint),
            row: row.row,
            rule,
            flags: u16::try_from(row.flags).map_err(|_| IndexError::Flags(row.flags))?,
        };
        let Self { entries, by_id, by_account, .. } = self;
        let hash_of = |place: &u32, key: fn(&Entry) -> Option<Key>| {
            entries.get(*place as usize).and_then(key).map_or(0, Key::hash)
        };
        by_id.insert_unique(entry.id.hash(), at, |place| hash_of(place, |entry| Some(entry.id)));
        if let Some(account) = entry.account {
            by_account.insert_unique(account.hash(), at, |place| hash_of(place, |entry| entry.account));
        }
        entries.push(entry);
        Ok(())
    }

    fn rule(&mut self, name: &str) -> Result<u16, IndexError> {
        let known = self.rules.iter().position(|rule| rule.as_str() == name);
        let at = if let Some(at) = known {
            at
        } else {
            self.rules.push(name.parse().map_err(IndexError::Rule)?);
            self.rules.len() - 1
        };
        u16::try_from(at).map_err(|_| IndexError::TooMany)
    }

    /// Returns all users, in the order of the store.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the place of a user among [`Index::entries`].
    pub(crate) fn find(&self, id: Key) -> Option<usize> {
        let is = |place: &u32| self.entries.get(*place as usize).is_some_and(|entry| entry.id == id);
        self.by_id.find(id.hash(), is).map(|place| *place as usize)
    }

    /// Returns the user that holds `account`.
    pub(crate) fn by_account(&self, account: Key) -> Option<&Entry> {
        let entry = |place: &u32| self.entries.get(*place as usize);
        let is = |place: &u32| entry(place).is_some_and(|entry| entry.account == Some(account));
        self.by_account.find(account.hash(), is).and_then(entry)
    }

    /// Returns the rule that owned the user of `entry` when it was last evaluated.
    pub(crate) fn rule_of(&self, entry: &Entry) -> Option<&RuleName> {
        self.rules.get(usize::from(entry.rule?))
    }
}

/// Returns the number behind the hex digits of a fingerprint, or 0 for any other text.
pub(crate) fn parse_fingerprint(text: &str) -> u128 {
    u128::from_str_radix(text, 16).unwrap_or(0)
}
