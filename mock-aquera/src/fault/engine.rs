//! The faults of one application, and which of them strike a request.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::matching::Asked;
use super::{Fault, FaultKind, Phase, Subject};
use crate::fault::rng::Draw;

/// How many rules are remembered that can strike no more.
const SPENT: usize = 100;

/// Names one fault of an application for as long as that lives: no other fault ever gets the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct FaultId(u64);

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for FaultId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What has become of a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FaultState {
    /// Its name, by which it can be removed.
    #[schema(value_type = u64)]
    pub id: FaultId,
    /// The rule in its canonical form.
    pub rule: String,
    /// How many requests it concerned.
    pub matched: u64,
    /// How many of those it struck.
    pub struck: u64,
    /// Whether it can strike no more.
    pub spent: bool,
}

/// A fault that strikes a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Struck {
    pub(crate) id: FaultId,
    pub(crate) rule: Arc<str>,
    /// Never a latency.
    pub(crate) kind: FaultKind,
    pub(crate) phase: Phase,
    /// What random bytes are made from.
    pub(crate) bytes_seed: u64,
}

impl Struck {
    /// So many random bytes, the same ones for the same strike.
    pub(crate) fn random_bytes(&self, count: usize) -> Vec<u8> {
        let mut draw = Draw::resumed(self.bytes_seed);
        std::iter::repeat_with(|| draw.bits().to_le_bytes()).flatten().take(count).collect()
    }
}

/// A latency that strikes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delay {
    pub(crate) id: FaultId,
    pub(crate) rule: Arc<str>,
    pub(crate) phase: Phase,
    pub(crate) lasts: Duration,
}

/// What strikes a request: any number of latencies, and one other fault.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Strikes {
    pub(crate) delays: Vec<Delay>,
    pub(crate) main: Option<Struck>,
}

impl Strikes {
    /// How long the request waits in this phase.
    pub(crate) fn delay(&self, phase: Phase) -> Duration {
        let delays = self.delays.iter().filter(|delay| delay.phase == phase);
        delays.fold(Duration::ZERO, |sum, delay| sum.saturating_add(delay.lasts))
    }

    /// The rules that struck, the one that decided first.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &Arc<str>> {
        self.main.iter().map(|struck| &struck.rule).chain(self.delays.iter().map(|delay| &delay.rule))
    }
}

/// The faults of one application.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    live: Vec<Rule>,
    spent: VecDeque<FaultState>,
    last_id: u64,
    /// Those that have let a token expire and are not removed.
    expired: BTreeSet<FaultId>,
    /// How many rules of one text there have been: each of them draws for itself.
    copies: HashMap<Arc<str>, u64>,
}

#[derive(Debug)]
struct Rule {
    id: FaultId,
    text: Arc<str>,
    fault: Fault,
    added: Timestamp,
    copy: u64,
    matched: u64,
    struck: u64,
    /// The credentials are revoked by it.
    revoking: bool,
}

impl Faults {
    /// Whether there is nothing that could strike.
    pub(crate) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// The rules that can still strike.
    pub(crate) fn rules(&self) -> Vec<Fault> {
        self.live.iter().map(|rule| rule.fault.clone()).collect()
    }

    /// Adds a fault behind those that are there.
    pub(crate) fn add(&mut self, fault: Fault, now: Timestamp) -> FaultId {
        self.last_id += 1;
        let (id, text) = (FaultId(self.last_id), Arc::<str>::from(fault.to_string()));
        let copies = self.copies.entry(Arc::clone(&text)).or_default();
        let rule =
            Rule { id, text, fault, added: now, copy: *copies, matched: 0, struck: 0, revoking: false };
        *copies += 1;
        self.live.push(rule);
        self.retire(now);
        id
    }

    /// Whether some rule has let a token expire, and is still there to answer for it.
    pub(crate) fn has_expired_tokens(&self) -> bool {
        !self.expired.is_empty()
    }

    /// Takes one away. `false` where there is none of that name.
    pub(crate) fn remove(&mut self, id: FaultId) -> bool {
        let before = self.live.len() + self.spent.len();
        self.live.retain(|rule| rule.id != id);
        self.spent.retain(|state| state.id != id);
        self.expired.remove(&id);
        before > self.live.len() + self.spent.len()
    }

    /// Takes all away. Rules added afterwards draw as the first ones did; no id comes again.
    pub(crate) fn clear(&mut self) {
        *self = Self { last_id: self.last_id, ..Self::default() };
    }

    /// All that can strike, and the last of those that can't any more, in the order in which they were added.
    pub(crate) fn list(&self) -> Vec<FaultState> {
        let live = self.live.iter().map(|rule| rule.state(false));
        let mut all: Vec<_> = self.spent.iter().cloned().chain(live).collect();
        all.sort_by_key(|state| state.id);
        all
    }

    /// Which faults strike this request. Each one that matches counts it; latencies add up, and of the others the
    /// first that is ready strikes, while the rest keep their strikes.
    ///
    /// `seed` is that of the application. What is drawn hangs on it, the rule and the number of its match.
    pub(crate) fn strike(&mut self, subject: &Subject<'_>, now: Timestamp, seed: u64) -> Strikes {
        let mut strikes = Strikes::default();
        if self.live.is_empty() {
            return strikes;
        }
        self.retire(now);
        if let Some(rule) = self.live.iter_mut().find(|rule| rule.revokes(now)) {
            rule.struck += 1;
            // Refused credentials keep a request from everything else, its effect and other faults included.
            strikes.main = Some(rule.strike(Phase::BeforeEffect, 0));
            return strikes;
        }
        let asked = Asked::new(subject);
        for rule in &mut self.live {
            if !rule.fault.matching.fits(&asked) {
                continue;
            }
            rule.matched += 1;
            let mut draw = Draw::of(seed, &rule.text, rule.copy, rule.matched);
            if !rule.fault.trigger.pulls(rule.matched, rule.added, now, &mut draw) {
                continue;
            }
            let phase = rule.fault.phase;
            match rule.fault.kind {
                FaultKind::Latency(latency) => {
                    let (id, text) = (rule.id, Arc::clone(&rule.text));
                    strikes.delays.push(Delay { id, rule: text, phase, lasts: latency.drawn(&mut draw) });
                }
                _ if strikes.main.is_some() => continue,
                ref kind => {
                    rule.revoking |= *kind == FaultKind::Revoke;
                    if *kind == FaultKind::ExpireToken {
                        self.expired.insert(rule.id);
                    }
                    strikes.main = Some(rule.strike(phase, draw.bits()));
                }
            }
            rule.struck += 1;
        }
        self.retire(now);
        strikes
    }

    /// Moves what can strike no more out of the way. What waits for its window, or is behind it, stays: the clock
    /// may be set back.
    fn retire(&mut self, now: Timestamp) {
        for rule in self.live.extract_if(.., |rule| rule.is_spent(now)) {
            self.spent.push_back(rule.state(true));
        }
        let excess = self.spent.len().saturating_sub(SPENT);
        self.spent.drain(..excess);
    }
}

impl Rule {
    fn state(&self, spent: bool) -> FaultState {
        let Self { id, matched, struck, .. } = *self;
        FaultState { id, rule: self.text.to_string(), matched, struck, spent }
    }

    fn strike(&self, phase: Phase, bytes_seed: u64) -> Struck {
        let kind = self.fault.kind.clone();
        Struck { id: self.id, rule: Arc::clone(&self.text), kind, phase, bytes_seed }
    }

    fn revokes(&self, now: Timestamp) -> bool {
        self.revoking && self.fault.trigger.in_window(self.added, now)
    }

    fn is_used_up(&self) -> bool {
        self.fault.trigger.strikes().is_some_and(|most| self.struck >= most)
    }

    fn is_spent(&self, now: Timestamp) -> bool {
        let trigger = &self.fault.trigger;
        let behind = trigger.nth.is_some_and(|nth| self.matched >= nth.into());
        trigger.is_over(self.added, now) || (!self.revoking && (self.is_used_up() || behind))
    }
}

#[cfg(test)]
mod tests;
