//! Texts by their hash: what an index keeps of millions of ids and names.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::OnceLock;

use crate::ids::{SourceId, TargetId};

/// A text by its hash, the same within a process. Its keys are random, so nobody can choose texts that collide.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key(u128);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:08x}…)", self.0 >> 96)
    }
}

impl Key {
    /// Returns the key of `text`.
    pub(crate) fn of(text: &str) -> Self {
        static KEYS: OnceLock<[RandomState; 2]> = OnceLock::new();
        let [high, low] = KEYS.get_or_init(|| [RandomState::new(), RandomState::new()]);
        Self(u128::from(high.hash_one(text)) << 64 | u128::from(low.hash_one(text)))
    }

    /// Returns the half of the key that finds its place in a hash table.
    #[expect(clippy::cast_possible_truncation, reason = "the other half is compared")]
    pub(crate) const fn hash(self) -> u64 {
        self.0 as u64
    }
}

impl From<&SourceId> for Key {
    fn from(id: &SourceId) -> Self {
        Self::of(id.as_str())
    }
}

impl From<&TargetId> for Key {
    fn from(id: &TargetId) -> Self {
        Self::of(id.as_str())
    }
}
