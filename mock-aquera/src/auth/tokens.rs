//! The tokens that the token endpoint gave out: their digests, whose they are, until when they are good.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::secret::Fingerprint;

/// So many tokens of one application are remembered; the oldest go.
pub(super) const MAX_TOKENS: usize = 10_000;

/// The tokens of one application, and the generator of more.
pub(super) struct Tokens {
    seed: u64,
    given: u64,
    issued: HashMap<Fingerprint, Issued>,
    oldest_first: VecDeque<Fingerprint>,
}

struct Issued {
    client: Fingerprint,
    until: Timestamp,
    /// Whether it counts as too old before its time.
    expired: bool,
}

impl Tokens {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, given: 0, issued: HashMap::new(), oldest_first: VecDeque::new() }
    }

    /// A token that was never given before: what the seed and its number say.
    pub(super) fn issue(&mut self, client: Fingerprint, lifetime: Duration, now: Timestamp) -> String {
        let number =
            Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(self.given.to_be_bytes());
        let token = URL_SAFE_NO_PAD.encode(number.finalize());
        self.given += 1;
        if self.oldest_first.len() >= MAX_TOKENS
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.issued.remove(&oldest);
        }
        let lifetime = SignedDuration::from_secs(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX));
        let until = now.checked_add(lifetime).unwrap_or(Timestamp::MAX);
        let fingerprint = Fingerprint::of(token.as_bytes());
        self.issued.insert(fingerprint, Issued { client, until, expired: false });
        self.oldest_first.push_back(fingerprint);
        token
    }

    /// The client that a token was given to, and whether it is too old now.
    pub(super) fn find(&self, token: &Fingerprint, now: Timestamp) -> Option<(Fingerprint, bool)> {
        let issued = self.issued.get(token)?;
        Some((issued.client, issued.expired || now >= issued.until))
    }

    /// Lets a token count as too old. `false` where there is no such token.
    pub(super) fn expire(&mut self, token: &Fingerprint) -> bool {
        self.issued.get_mut(token).map(|issued| issued.expired = true).is_some()
    }

    /// Gives back what [`expire`](Self::expire) took.
    pub(super) fn restore(&mut self) {
        self.issued.values_mut().for_each(|issued| issued.expired = false);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.seed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn issue(tokens: &mut Tokens) -> Fingerprint {
        let token = tokens.issue(Fingerprint::of(b"client"), Duration::from_mins(1), NOW);
        Fingerprint::of(token.as_bytes())
    }

    #[test]
    fn they_repeat_with_the_seed_and_never_within_it() {
        let text = |tokens: &mut Tokens| tokens.issue(Fingerprint::of(b"c"), Duration::from_secs(1), NOW);
        let (mut one, mut same, mut other) = (Tokens::new(1), Tokens::new(1), Tokens::new(2));
        let first = text(&mut one);
        assert_eq!(first, text(&mut same));
        assert_ne!(first, text(&mut other));
        assert_ne!(first, text(&mut one));
        assert_eq!(first.len(), 43);
        one.clear();
        assert_eq!(first, text(&mut one));
    }

    #[test]
    fn they_expire_to_the_instant() {
        let mut tokens = Tokens::new(0);
        let token = issue(&mut tokens);
        let after = |milliseconds| NOW.checked_add(SignedDuration::from_millis(milliseconds)).unwrap();
        let is_expired = |now| tokens.find(&token, now).map(|(_, is_expired)| is_expired);
        assert_eq!(is_expired(after(59_999)), Some(false));
        assert_eq!(is_expired(after(60_000)), Some(true));
        let endless = tokens.issue(Fingerprint::of(b"c"), Duration::MAX, NOW);
        let (_, is_expired) =
            tokens.find(&Fingerprint::of(endless.as_bytes()), after(i64::from(i32::MAX))).unwrap();
        assert!(!is_expired);
    }

    #[test]
    fn the_oldest_go() {
        let mut tokens = Tokens::new(0);
        let all: Vec<_> = (0..MAX_TOKENS + 2).map(|_| issue(&mut tokens)).collect();
        assert_eq!((tokens.issued.len(), tokens.oldest_first.len()), (MAX_TOKENS, MAX_TOKENS));
        assert!(all[..2].iter().all(|token| tokens.find(token, NOW).is_none()));
        assert!(all[2..].iter().all(|token| tokens.find(token, NOW).is_some()));
        assert!(!tokens.expire(&all[0]) && tokens.expire(&all[2]));
    }
}
