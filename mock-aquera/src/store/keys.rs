//! The indexed texts of one resource, in one piece of memory: there may be a million of them.

use super::content::Key;

/// The length of what stands in front of each text: its index, and how long it is.
const HEAD: usize = 5;

/// Texts with the position of the path that each stands at. None is there twice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Keys(Box<[u8]>);

impl Keys {
    pub(crate) fn of(keys: &[Key]) -> Self {
        let length = keys.iter().map(|key| HEAD + key.text.len()).sum();
        let mut packed = Vec::with_capacity(length);
        for (at, key) in keys.iter().enumerate() {
            // A text that stands twice in a resource is indexed once.
            if keys[..at].contains(key) {
                continue;
            }
            packed.push(key.index);
            packed.extend_from_slice(&u32::try_from(key.text.len()).unwrap_or(u32::MAX).to_le_bytes());
            packed.extend_from_slice(key.text.as_bytes());
        }
        Self(packed.into())
    }

    /// Each index with its text.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (head, after) = rest.split_first_chunk::<HEAD>()?;
            let [index, length @ ..] = *head;
            let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
            let (text, after) = after.split_at_checked(length)?;
            rest = after;
            Some((usize::from(index), text))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_out_as_they_went_in_and_once() {
        let key = |index, text: &str| Key { index, text: text.into() };
        let keys = [key(0, "a"), key(2, ""), key(2, "é"), key(0, "a"), key(1, "a")];
        let keys = Keys::of(&keys);
        let texts: Vec<(usize, &str)> =
            keys.iter().map(|(index, text)| (index, std::str::from_utf8(text).unwrap())).collect();
        assert_eq!(texts, [(0, "a"), (2, ""), (2, "é"), (1, "a")]);
        assert_eq!(Keys::of(&[]).iter().count(), 0);
    }
}
