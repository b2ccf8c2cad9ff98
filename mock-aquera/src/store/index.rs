//! An index from a text to the places that have it. It holds no text itself: a place is found by hash, and whoever
//! asks compares. So a million entries cost a few bytes each, and growing reads no resource.

use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};

#[derive(Debug, Clone, Copy)]
struct Entry<T> {
    hash: u32,
    place: T,
}

/// Places by text; several may share one.
#[derive(Debug)]
pub(crate) struct Index<T> {
    table: HashTable<Entry<T>>,
    hasher: DefaultHashBuilder,
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self { table: HashTable::new(), hasher: DefaultHashBuilder::default() }
    }
}

/// The table wants 64 well mixed bits and we keep 32 of them.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl<T: Copy + PartialEq> Index<T> {
    fn hash(&self, text: &[u8]) -> u32 {
        let [a, b, c, d, ..] = self.hasher.hash_one(text).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    pub(crate) fn insert(&mut self, text: &[u8], place: T) {
        let hash = self.hash(text);
        self.table.insert_unique(spread(hash), Entry { hash, place }, |entry| spread(entry.hash));
    }

    pub(crate) fn remove(&mut self, text: &[u8], place: T) {
        let hash = self.hash(text);
        if let Ok(entry) =
            self.table.find_entry(spread(hash), |entry| entry.hash == hash && entry.place == place)
        {
            entry.remove();
        }
    }

    /// The places that may have the text; a rare one has only its hash.
    pub(crate) fn candidates(&self, text: &[u8]) -> impl Iterator<Item = T> {
        let hash = self.hash(text);
        self.table.iter_hash(spread(hash)).filter(move |entry| entry.hash == hash).map(|entry| entry.place)
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever was put in and taken out, each text leads to its places.
        #[test]
        fn it_agrees_with_a_list(steps in vec((any::<bool>(), 0..6_u32, 0..9_u32), 0..200)) {
            let mut index = Index::default();
            let mut list: BTreeSet<(u32, u32)> = BTreeSet::new();
            for (add, text, place) in steps {
                if add && list.insert((text, place)) {
                    index.insert(text.to_string().as_bytes(), place);
                } else if !add && list.remove(&(text, place)) {
                    index.remove(text.to_string().as_bytes(), place);
                }
                prop_assert_eq!(index.len(), list.len());
                for text in 0..6 {
                    let found: BTreeSet<u32> = index.candidates(text.to_string().as_bytes()).collect();
                    let expected: BTreeSet<u32> =
                        list.iter().filter(|(t, _)| *t == text).map(|(_, place)| *place).collect();
                    prop_assert_eq!(found, expected);
                }
            }
        }
    }
}
