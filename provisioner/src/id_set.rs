//! Sets of ids that stay small in memory and on disk: the members of a group of 100,000 are not 100,000 texts.
//!
//! An id that is spelled as a UUID takes 17 bytes, any other its own length and a byte or two. The ids are sorted, so that
//! two sets are compared in one pass.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Length of a UUID as text.
const UUID: usize = 36;
/// The places of the hyphens in it.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
/// The byte before a packed UUID; no id is empty.
const PACKED: u8 = 0;

/// A sorted set of ids in one piece of memory, which copies share.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct IdSet {
    bytes: Arc<[u8]>,
    count: usize,
}

/// The bytes are not those of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored members are damaged")]
pub struct DamagedIdSet;

/// One id of a set.
#[derive(Clone, Copy)]
pub enum IdText<'a> {
    /// A UUID, unpacked.
    Uuid([u8; UUID]),
    /// Any other id.
    Text(&'a str),
}

impl Deref for IdText<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            // Only hexadecimal digits and hyphens are put into it.
            Self::Uuid(text) => std::str::from_utf8(text).unwrap_or_default(),
            Self::Text(text) => text,
        }
    }
}

impl IdSet {
    /// Creates the set of `ids`, in any order; an id that comes twice is in it once, an empty one is not.
    pub fn new<T: AsRef<str>>(ids: impl IntoIterator<Item = T>) -> Self {
        let mut ids: Vec<T> = ids.into_iter().filter(|id| !id.as_ref().is_empty()).collect();
        ids.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
        ids.dedup_by(|one, other| one.as_ref() == other.as_ref());
        let mut bytes = Vec::with_capacity(ids.len() * 17);
        for id in &ids {
            pack(id.as_ref(), &mut bytes);
        }
        Self { bytes: bytes.into(), count: ids.len() }
    }

    /// Reads a set that [`IdSet::as_bytes`] wrote.
    ///
    /// # Errors
    /// The bytes are no set.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, DamagedIdSet> {
        let (mut count, mut rest) = (0, bytes.as_slice());
        while !rest.is_empty() {
            (_, rest) = unpack(rest).ok_or(DamagedIdSet)?;
            count += 1;
        }
        Ok(Self { bytes: bytes.into(), count })
    }

    /// Returns the bytes of the set, to be stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the number of ids.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has no id.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the ids in order.
    pub fn iter(&self) -> impl Iterator<Item = IdText<'_>> {
        let mut rest = &*self.bytes;
        std::iter::from_fn(move || {
            let (id, after) = unpack(rest)?;
            rest = after;
            Some(id)
        })
    }

    /// Returns the ids of this set that `other` lacks.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        self.merged(other, |here, there| here && !there)
    }

    /// Returns the ids that are in both sets.
    #[must_use]
    pub fn in_both(&self, other: &Self) -> Self {
        self.merged(other, |here, there| here && there)
    }

    /// Returns the ids that are in either set.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        self.merged(other, |here, there| here || there)
    }

    /// Returns the ids for which `keep` holds, by whether this set and `other` have them.
    fn merged(&self, other: &Self, keep: impl Fn(bool, bool) -> bool) -> Self {
        let (mut ours, mut theirs) = (self.iter().peekable(), other.iter().peekable());
        let (mut bytes, mut count) = (Vec::new(), 0);
        loop {
            let order = match (ours.peek(), theirs.peek()) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(here), Some(there)) => (**here).cmp(&**there),
            };
            let (here, there) = (order.is_le(), order.is_ge());
            let id = match (here, there) {
                (true, true) => {
                    theirs.next();
                    ours.next()
                }
                (true, false) => ours.next(),
                (false, _) => theirs.next(),
            };
            if let Some(id) = id.filter(|_| keep(here, there)) {
                pack(&id, &mut bytes);
                count += 1;
            }
        }
        Self { bytes: bytes.into(), count }
    }

    /// Returns the ids in sets of at most `size`, in order.
    pub fn chunks(&self, size: usize) -> impl Iterator<Item = Self> {
        let mut ids = self.iter();
        std::iter::from_fn(move || {
            let (mut bytes, mut count) = (Vec::new(), 0);
            for id in ids.by_ref().take(size.max(1)) {
                pack(&id, &mut bytes);
                count += 1;
            }
            (count > 0).then(|| Self { bytes: bytes.into(), count })
        })
    }
}

impl fmt::Debug for IdSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdSet({} ids)", self.count)
    }
}

/// A list of ids by position, for a table of many; not sorted.
#[derive(Default)]
pub(crate) struct IdList {
    bytes: Vec<u8>,
    starts: Vec<u32>,
}

impl IdList {
    /// Adds an id.
    pub(crate) fn push(&mut self, id: &str) {
        // 4 GiB of ids are more than a state file of this program can hold.
        self.starts.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
        pack(id, &mut self.bytes);
    }

    /// Returns the id at a position.
    pub(crate) fn get(&self, position: usize) -> Option<IdText<'_>> {
        let start = usize::try_from(*self.starts.get(position)?).ok()?;
        Some(unpack(self.bytes.get(start..)?)?.0)
    }

    /// Returns the position of an id in a list that was filled in order.
    pub(crate) fn position(&self, id: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.starts.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match (*self.get(middle)?).cmp(id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }
}

/// Appends an id.
fn pack(id: &str, bytes: &mut Vec<u8>) {
    if let Some(uuid) = uuid_bytes(id) {
        bytes.push(PACKED);
        bytes.extend_from_slice(&uuid);
        return;
    }
    let mut length = id.len();
    while length >= 0x80 {
        bytes.push(0x80 | u8::try_from(length & 0x7f).unwrap_or_default());
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap_or_default());
    bytes.extend_from_slice(id.as_bytes());
}

/// Reads the first id, and returns it with the bytes after it.
fn unpack(bytes: &[u8]) -> Option<(IdText<'_>, &[u8])> {
    let (first, mut rest) = bytes.split_first()?;
    if *first == PACKED {
        let (uuid, rest) = rest.split_first_chunk::<16>()?;
        return Some((IdText::Uuid(uuid_text(uuid)), rest));
    }
    let (mut length, mut shift, mut byte) = (usize::from(first & 0x7f), 7_u32, *first);
    while byte & 0x80 != 0 {
        (byte, rest) = rest.split_first().map(|(byte, rest)| (*byte, rest))?;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
    }
    let (text, rest) = rest.split_at_checked(length)?;
    Some((IdText::Text(std::str::from_utf8(text).ok()?), rest))
}

/// Returns the bytes of a UUID in lower case, or `None` for any other text, which must come back as it was.
fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let text: &[u8; UUID] = text.as_bytes().try_into().ok()?;
    let (mut bytes, mut digits) = ([0_u8; 16], 0);
    for (at, byte) in text.iter().enumerate() {
        if HYPHENS.contains(&at) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        let place = bytes.get_mut(digits / 2)?;
        *place = (*place << 4) | digit;
        digits += 1;
    }
    Some(bytes)
}

fn uuid_text(bytes: &[u8; 16]) -> [u8; UUID] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; UUID];
    let places = (0..UUID).filter(|at| !HYPHENS.contains(at));
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    for (at, digit) in places.zip(digits) {
        text[at] = DIGITS[usize::from(digit)];
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn texts(set: &IdSet) -> BTreeSet<String> {
        let texts: Vec<String> = set.iter().map(|id| id.to_string()).collect();
        assert!(texts.is_sorted(), "{texts:?}");
        assert_eq!(texts.len(), set.len());
        texts.into_iter().collect()
    }

    fn ids() -> impl Strategy<Value = BTreeSet<String>> {
        let id = prop_oneof![
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "[0-9A-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "[a-cäß0-9-]{1,3}",
            "x{120,300}",
        ];
        proptest::collection::btree_set(id, 0..12)
    }

    proptest! {
        #[test]
        fn sets_behave_as_sets_of_texts(one in ids(), other in ids(), size in 1..5_usize) {
            let (a, b) = (IdSet::new(&one), IdSet::new(&other));
            prop_assert_eq!(&texts(&a), &one);
            prop_assert_eq!(texts(&a.without(&b)), one.difference(&other).cloned().collect::<BTreeSet<_>>());
            prop_assert_eq!(texts(&a.in_both(&b)), one.intersection(&other).cloned().collect::<BTreeSet<_>>());
            prop_assert_eq!(texts(&a.with(&b)), one.union(&other).cloned().collect::<BTreeSet<_>>());
            prop_assert_eq!(IdSet::from_bytes(a.as_bytes().to_vec()), Ok(a.clone()));
            let chunks: Vec<IdSet> = a.chunks(size).collect();
            prop_assert!(chunks.iter().all(|chunk| chunk.len() <= size && !chunk.is_empty()));
            let whole = chunks.iter().fold(IdSet::default(), |whole, chunk| whole.with(chunk));
            prop_assert_eq!(whole, a);
        }

        #[test]
        fn any_bytes_are_a_set_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(set) = IdSet::from_bytes(bytes) {
                prop_assert_eq!(set.iter().count(), set.len());
            }
        }
    }

    #[test]
    fn uuids_take_seventeen_bytes() {
        let ids = (0..100_000_u32).map(|number| format!("00000000-0000-4000-8000-{number:012x}"));
        let set = IdSet::new(ids);
        assert_eq!((set.len(), set.as_bytes().len()), (100_000, 1_700_000));
    }

    #[test]
    fn list_finds_an_id_by_its_text() {
        let ids = ["a", "b", "00000000-0000-4000-8000-000000000001", "z"];
        let mut sorted = ids.to_vec();
        sorted.sort_unstable();
        let mut list = IdList::default();
        for id in &sorted {
            list.push(id);
        }
        for id in ids {
            let position = list.position(id).unwrap();
            assert_eq!(&*list.get(position).unwrap(), id);
        }
        assert_eq!(list.position("c"), None);
    }
}
