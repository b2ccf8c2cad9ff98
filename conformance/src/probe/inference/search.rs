//! The search for a profile: each candidate is tried on a mock, and rated by its distance from the findings.

use std::cmp::Reverse;
use std::collections::HashMap;

use mock_aquera::{ApplicationConfig, Auth, MockAquera, Profile};
use serde_json::Value;
use tokio::sync::watch;

use crate::probe::Findings;
use crate::probe::experiment::{Options, at_once, probe};
use crate::probe::inference::InferenceError;
use crate::probe::inference::reach::is_seen;
use crate::probe::inference::switch::{Switch, has, reset, set, switches, word};
use crate::probe::outcome::Outcome;
use crate::server::cleanup::Leftovers;
use crate::server::discovery::{Blank, Facts};
use crate::subject::server::client::{Client, Credentials, Manners};

/// At most this number of profiles is tried.
const MOST_TRIES: usize = 12_000;

/// The number of variants to try in parallel.
const JOBS: usize = 8;

/// A profile that was tried.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) profile: Value,
    /// The distance from the findings, by variant.
    apart: Vec<u32>,
    /// The distance in all.
    pub(super) distance: u32,
}

impl Candidate {
    /// Returns a profile with an unknown distance.
    fn unknown(profile: Value, variants: usize) -> Self {
        Self { profile, apart: vec![0; variants], distance: u32::MAX }
    }

    /// Returns the variants, those first that the profile answers unlike the endpoint: a profile that is no better
    /// there is no nearer.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.apart.len()).collect();
        order.sort_by_key(|&at| Reverse(self.apart[at]));
        order
    }
}

/// Tries profiles on applications of one mock.
pub(super) struct Bench<'a> {
    mock: MockAquera,
    /// The client of the mock's default application; the others share its connections.
    client: Client,
    found: &'a Findings,
    /// The discovery documents of the mock, which no switch of a profile changes.
    facts: Facts,
    options: Options,
    switches: Vec<Switch>,
    /// The least distance of profiles that were tried, by their JSON.
    known: HashMap<String, u32>,
    pub(super) tries: usize,
}

impl<'a> Bench<'a> {
    pub(super) async fn start(
        found: &'a Findings,
        stop: watch::Receiver<bool>,
    ) -> Result<Self, InferenceError> {
        let mock = MockAquera::builder().auth(Auth::none()).start().await;
        let mock = mock?;
        let client = Client::new(&mock.scim_url(), Credentials::None, at_once_or_never());
        let client = client?;
        let facts = Facts::ask(&client).await;
        let options = Options { jobs: JOBS, seed: 1, keep: true, blank: Blank::default(), stop };
        Ok(Self {
            mock,
            client,
            found,
            facts,
            options,
            switches: switches(),
            known: HashMap::new(),
            tries: 0,
        })
    }

    pub(super) async fn end(self) {
        self.mock.stop().await;
    }

    /// Returns the nearest profile that can be found from a guess.
    pub(super) async fn search(&mut self, guess: Value) -> Candidate {
        let plain = Profile::new("probed", "").to_json();
        let guess = self.without_unseen(guess, &plain);
        let unknown = Candidate::unknown(plain.clone(), self.found.findings.len());
        let mut best = unknown.clone();
        // A guess can be wrong in several ways at once, and the plain profile is right where little is unusual.
        for start in [&guess, &plain] {
            let Some(start) = self.nearer(start, &unknown, u32::MAX).await else { continue };
            let reached = self.climb(start).await;
            if reached.distance < best.distance {
                best = reached;
            }
            if best.distance == 0 {
                break;
            }
        }
        while !is_near_enough(self.found, &best) && !self.over() {
            let Some(better) = self.leap(&best, &plain).await else { break };
            best = self.climb(better).await;
        }
        best
    }

    /// Changes one switch at a time, the one that helps most, until none does.
    async fn climb(&mut self, mut best: Candidate) -> Candidate {
        while best.distance > 0 {
            let mut nearest: Option<Candidate> = None;
            for (at, to) in self.words() {
                if has(&best.profile, &self.switches[at], to) {
                    continue;
                }
                let limit = nearest.as_ref().map_or(best.distance, |nearest| nearest.distance);
                let changed = set(&best.profile, &self.switches[at], to);
                nearest = self.nearer(&changed, &best, limit).await.or(nearest);
                if self.over() || nearest.as_ref().is_some_and(|nearest| nearest.distance == 0) {
                    break;
                }
            }
            match nearest {
                Some(nearest) => best = nearest,
                None => break,
            }
        }
        best
    }

    /// Changes two switches at once if no single one helps, because one hides the other.
    async fn leap(&mut self, best: &Candidate, plain: &Value) -> Option<Candidate> {
        let words = self.words();
        let mut pairs = Vec::new();
        for &(first, a) in &words {
            let switch = &self.switches[first];
            let (now, usual) = (word(&best.profile, switch), word(plain, switch));
            for &(second, b) in &words {
                // What was taken for a cause may not be one, or be another word of the same switch.
                let order = match (now == usual, usual == Some(a)) {
                    (false, true) => 0,
                    (false, false) => 1,
                    (true, _) if switch.core && self.switches[second].core && first < second => 2,
                    (true, _) => continue,
                };
                let news = !has(&best.profile, switch, a) && !has(&best.profile, &self.switches[second], b);
                if first != second && news {
                    pairs.push((order, (first, a), (second, b)));
                }
            }
        }
        pairs.sort_by_key(|(order, ..)| *order);
        for (_, (first, a), (second, b)) in pairs {
            let changed = set(&set(&best.profile, &self.switches[first], a), &self.switches[second], b);
            let better = self.nearer(&changed, best, best.distance).await;
            if better.is_some() || self.over() {
                return better;
            }
        }
        None
    }

    /// Returns a guess without the words whose whole effect was not seen.
    fn without_unseen(&self, mut guess: Value, plain: &Value) -> Value {
        for switch in &self.switches {
            let unseen = word(&guess, switch).is_some_and(|word| !is_seen(switch, word, self.found));
            if unseen {
                reset(&mut guess, switch, plain);
            }
        }
        guess
    }

    /// Returns every word of every switch whose whole effect was seen.
    fn words(&self) -> Vec<(usize, &'static str)> {
        let switches = self.switches.iter().enumerate();
        switches
            .flat_map(|(at, switch)| switch.words.iter().map(move |word| (at, *word)))
            .filter(|(at, word)| is_seen(&self.switches[*at], word, self.found))
            .collect()
    }

    /// Returns a profile if it is nearer than a limit. Variants are tried only as long as it can be.
    async fn nearer(&mut self, profile: &Value, than: &Candidate, limit: u32) -> Option<Candidate> {
        let key = profile.to_string();
        if self.known.get(&key).is_some_and(|least| *least >= limit) {
            return None;
        }
        let (parsed, name, client) = self.application(profile)?;
        let leftovers = Leftovers::default();
        let mut distance = match self.found.patch_advertised {
            Some(said) if said != parsed.advertises_patch() => 12,
            _ => 0,
        };
        let mut apart = vec![0; self.found.findings.len()];
        for batch in than.order().chunks(JOBS) {
            if distance >= limit {
                break;
            }
            let variants: Vec<_> = batch.iter().map(|&at| (at, self.found.findings[at].variant)).collect();
            let findings = at_once(&client, &self.facts, &self.options, &variants, &leftovers, &|| ()).await;
            for (&at, finding) in batch.iter().zip(findings) {
                apart[at] = self::apart(&self.found.findings[at].outcome, &finding.outcome);
                distance += apart[at];
            }
        }
        self.mock.remove_application(&name);
        self.known.insert(key, distance);
        (distance < limit).then(|| Candidate { profile: profile.clone(), apart, distance })
    }

    /// Returns the findings of the mock with a profile, or `None` if the profile is invalid.
    pub(super) async fn findings(&mut self, profile: &Value) -> Option<Findings> {
        let (_, name, client) = self.application(profile)?;
        let facts = Facts::ask(&client).await;
        let findings = probe(self.found.variants(), &client, &facts, &self.options, &|| ()).await;
        self.mock.remove_application(&name);
        Some(findings)
    }

    fn application(&mut self, profile: &Value) -> Option<(Profile, String, Client)> {
        let profile = Profile::from_json(profile).ok()?;
        self.tries += 1;
        let name = format!("p{}", self.tries);
        let config = ApplicationConfig { profile: profile.clone(), auth: vec![Auth::none()], seed: 1 };
        let application = self.mock.create_application(&name, config).ok()?;
        let client = self.client.at(&application.scim_url()).ok()?;
        Some((profile, name, client))
    }

    fn over(&self) -> bool {
        self.tries >= MOST_TRIES || *self.options.stop.borrow()
    }
}

/// Whether a profile answers all that was tried as the endpoint does: what could not be tried there is no reason to try
/// thousands of pairs.
fn is_near_enough(found: &Findings, best: &Candidate) -> bool {
    let pairs = found.findings.iter().zip(&best.apart);
    let untried: u32 = pairs.filter(|(found, _)| found.outcome.is_untried()).map(|(_, apart)| apart).sum();
    best.distance <= untried
}

/// Returns options without retries, because a mock is never away for a while.
fn at_once_or_never() -> Manners {
    Manners { retries: 0, ..Manners::default() }
}

/// Returns the distance between two outcomes, in degrees, so that half of a cause is nearer than nothing of it.
fn apart(found: &Outcome, other: &Outcome) -> u32 {
    match (found, other) {
        (a, b) if a == b => 0,
        // What could not be tried tells nothing, or little.
        (Outcome::Untried(_), Outcome::Untried(_)) => 0,
        (Outcome::Untried(_), Outcome::Tried(_)) => 1,
        (Outcome::Tried(a), Outcome::Tried(b)) if found.class() == other.class() => {
            let reply = 3 * u32::from(a.reply.status != b.reply.status)
                + 2 * u32::from(a.reply.shows != b.reply.shows)
                + u32::from(a.reply.scim_type != b.reply.scim_type);
            // Whatever else it is that differs, something does.
            (reply + 3 * u32::from(a.damages != b.damages) + 3 * u32::from(a.without != b.without)).max(1)
        }
        _ => 12,
    }
}

#[cfg(test)]
mod tests {
    use crate::probe::inference::search::*;
    use crate::probe::outcome::{Effect, Reply, Shows, Tried};

    #[test]
    fn untried_variants_do_not_prolong_the_search() {
        let found = Findings::made_up(|variant| {
            if variant.slug == "put-title" {
                return Outcome::Untried("there is no title".to_owned());
            }
            let reply = Reply { status: 200, scim_type: None, shows: Shows::Truth };
            Outcome::Tried(Tried { effect: Effect::Done, reply, damages: Vec::new(), without: Vec::new() })
        });
        let apart = |variant: &str, more: u32| {
            let apart: Vec<_> = found.variants().map(|known| u32::from(known.slug == variant)).collect();
            Candidate { profile: Value::Null, apart, distance: 1 + more }
        };
        assert!(is_near_enough(&found, &apart("put-title", 0)));
        assert!(!is_near_enough(&found, &apart("put-active", 0)));
        assert!(!is_near_enough(&found, &apart("put-title", 12)), "it does not say the same of PATCH");
    }
}
