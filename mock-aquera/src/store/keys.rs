//! The indexed texts of one resource, packed: a million resources have them.

use std::collections::HashSet;

use super::content::Key;

/// The length of what stands in front of each text: its index, and how long it is.
const HEAD: usize = 5;

/// How long these are packed.
pub(super) fn length(keys: &[Key]) -> usize {
    distinct(keys).map(|key| HEAD + key.text.len()).sum()
}

/// Appends texts with the position of the path that each stands at.
pub(super) fn pack(out: &mut Vec<u8>, keys: &[Key]) {
    for key in distinct(keys) {
        out.push(key.index);
        out.extend_from_slice(&u32::try_from(key.text.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(key.text.as_bytes());
    }
}

/// From more texts than this on, a set costs less than a search for each.
const FEW: usize = 16;

/// A text that stands twice in a resource is indexed once.
fn distinct(keys: &[Key]) -> impl Iterator<Item = &Key> {
    let mut known: HashSet<&Key> = HashSet::new();
    keys.iter()
        .enumerate()
        .filter(
            move |(at, key)| {
                if keys.len() > FEW { known.insert(key) } else { !keys[..*at].contains(key) }
            },
        )
        .map(|(_, key)| key)
}

/// Each index with its text.
pub(super) fn unpack(packed: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut rest = packed;
    std::iter::from_fn(move || {
        let (head, after) = rest.split_first_chunk::<HEAD>()?;
        let [index, length @ ..] = *head;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        let (text, after) = after.split_at_checked(length)?;
        rest = after;
        Some((usize::from(index), text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_out_as_they_went_in_and_once() {
        let key = |index, text: &str| Key { index, text: text.into() };
        let keys = [key(0, "a"), key(2, ""), key(2, "é"), key(0, "a"), key(1, "a")];
        let mut packed = Vec::new();
        pack(&mut packed, &keys);
        assert_eq!(packed.len(), length(&keys));
        let texts: Vec<(usize, &str)> =
            unpack(&packed).map(|(index, text)| (index, std::str::from_utf8(text).unwrap())).collect();
        assert_eq!(texts, [(0, "a"), (2, ""), (2, "é"), (1, "a")]);
        assert_eq!(unpack(&[]).count(), 0);
        let many: Vec<Key> = (0..3 * FEW).map(|n| key(0, &(n % (2 * FEW)).to_string())).collect();
        let mut packed = Vec::new();
        pack(&mut packed, &many);
        assert_eq!((unpack(&packed).count(), packed.len()), (2 * FEW, length(&many)));
    }
}
