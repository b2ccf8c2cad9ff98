//! Shrinks a sequence to the fewest requests that still break the rule, on fresh resources each time.

use std::time::{Duration, Instant};

use proptest::strategy::ValueTree;
use tokio::sync::watch;

use crate::explore::operation::Operation;
use crate::explore::rule::{Rule, Violation};
use crate::explore::session::{EndsAt, Stop, Transcript, play};
use crate::explore::world::World;

/// Sequences that are played to shrink one.
const MOST_REPLAYS: usize = 400;

/// The number of times that the smallest sequence is played again, to be sure.
const CONFIRMATIONS: usize = 3;

/// The smallest sequence that was found.
#[derive(Debug, Clone)]
pub(crate) struct Minimal {
    /// The requests up to the violation.
    pub(crate) transcript: Transcript,
    /// The number of times that it broke the rule when it was played again.
    pub(crate) hits: usize,
    pub(crate) tries: usize,
}

impl Minimal {
    /// Whether it broke the rule each time.
    pub(crate) fn is_certain(&self) -> bool {
        self.hits == self.tries && self.tries > 0
    }
}

/// A sequence that broke the rule.
struct Hit {
    violation: Violation,
    transcript: Transcript,
}

/// Returns the violation and the smallest sequence that shows it, as far as `patience` goes.
pub(crate) async fn shrink(
    world: &World<'_>,
    tree: &mut impl ValueTree<Value = Vec<Operation>>,
    violation: Violation,
    transcript: Transcript,
    (patience, stop): (Duration, &watch::Receiver<bool>),
) -> (Violation, Minimal) {
    let started = Instant::now();
    let key = violation.key();
    // What depends on timing comes now and then only.
    let attempts =
        if matches!(violation.rule, Rule::SomeOrder | Rule::OwnAnswer | Rule::ReadsAgree) { 3 } else { 1 };
    let mut best = Hit { violation, transcript };
    let mut smallest = tree.current();
    let mut replays = 0;
    let may_go_on =
        |replays: usize| replays < MOST_REPLAYS && started.elapsed() < patience && !*stop.borrow();
    let Some(first) = hit(world, &smallest, &key, attempts.max(2), &mut replays).await else {
        let Hit { violation, transcript } = best;
        return (violation, Minimal { transcript, hits: 0, tries: replays });
    };
    best = first;
    let mut is_simpler = tree.simplify();
    while is_simpler && may_go_on(replays) {
        let current = tree.current();
        is_simpler = match hit(world, &current, &key, attempts, &mut replays).await {
            Some(found) => {
                best = found;
                smallest = current;
                tree.simplify()
            }
            None => tree.complicate(),
        };
    }
    let mut hits = 0;
    for _ in 0..CONFIRMATIONS {
        hits += usize::from(hit(world, &smallest, &key, 1, &mut replays).await.is_some());
    }
    let Hit { violation, transcript } = best;
    (violation, Minimal { transcript, hits, tries: CONFIRMATIONS })
}

/// Plays a sequence until it breaks the rule, at most `attempts` times.
async fn hit(
    world: &World<'_>,
    operations: &[Operation],
    key: &str,
    attempts: usize,
    replays: &mut usize,
) -> Option<Hit> {
    for _ in 0..attempts {
        *replays += 1;
        let played = play(world, operations, EndsAt::Only(key)).await;
        if let Err(Stop::Found(violation)) = played.end {
            return Some(Hit { violation: *violation, transcript: played.transcript });
        }
    }
    None
}
