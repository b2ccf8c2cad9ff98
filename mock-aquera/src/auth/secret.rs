//! What is kept of a secret, and how two are compared: digests of one length, so the time taken tells nothing.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// The digest of a secret. `Debug` shows nothing: a short secret can be found from its digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(crate) fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Of two parts as one; where the one ends and the other begins counts.
    pub(super) fn of_pair(first: &[u8], second: &[u8]) -> Self {
        let length = u64::try_from(first.len()).unwrap_or(u64::MAX).to_be_bytes();
        let digest = Sha256::new().chain_update(length).chain_update(first).chain_update(second);
        Self(digest.finalize().into())
    }

    /// A number that stays with the secret.
    pub(super) fn key(&self) -> u64 {
        self.0.iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte))
    }
}

impl ConstantTimeEq for Fingerprint {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_secrets_have_equal_fingerprints_and_others_do_not() {
        let same = |a: Fingerprint, b: Fingerprint| bool::from(a.ct_eq(&b));
        assert!(same(Fingerprint::of(b"a"), Fingerprint::of(b"a")));
        assert!(!same(Fingerprint::of(b"a"), Fingerprint::of(b"b")));
        assert!(same(Fingerprint::of_pair(b"a", b"bc"), Fingerprint::of_pair(b"a", b"bc")));
        assert!(!same(Fingerprint::of_pair(b"a", b"bc"), Fingerprint::of_pair(b"ab", b"c")));
        assert_ne!(Fingerprint::of(b"a").key(), Fingerprint::of(b"b").key());
        assert_eq!(format!("{:?}", Fingerprint::of(b"a")), "[redacted]");
    }
}
