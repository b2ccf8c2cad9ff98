//! Merges reports: the shards of a run, or runs of different cases against the same subject.

use std::collections::{BTreeMap, BTreeSet};

use super::shard::{Shard, ShardError};
use super::{CaseResult, Report, Summary};

/// The reason why reports cannot be merged. It names the reports as the caller did.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// There is no report.
    #[error("there is no report to merge")]
    Nothing,
    /// They judge different things.
    #[error("{first} has {what} `{ours}` and {second} has `{theirs}`; only reports of one run can be merged")]
    Different {
        /// The property.
        what: &'static str,
        /// A report.
        first: String,
        /// The value of the first report.
        ours: String,
        /// The name of the other report.
        second: String,
        /// The value of the other report.
        theirs: String,
    },
    /// A shard that cannot be read.
    #[error("{name}: invalid shard `{shard}`: {ShardError}")]
    BadShard {
        /// The report.
        name: String,
        /// The shard of both reports.
        shard: String,
    },
    /// A shard and a whole.
    #[error("{shard} is a shard and {whole} is a whole; merge shards with shards")]
    Mixed {
        /// The one.
        shard: String,
        /// The other.
        whole: String,
    },
    /// Shards of different numbers of parts.
    #[error("{first} is one of {ours} shards and {second} is one of {theirs}; merge shards of one run")]
    Parts {
        /// A report.
        first: String,
        /// The number of parts of the first report.
        ours: usize,
        /// The name of the other report.
        second: String,
        /// The number of parts of the other report.
        theirs: usize,
    },
    /// Some shards are missing.
    #[error("missing: shard {}", .0.join(", "))]
    Missing(Vec<String>),
    /// A case has two verdicts.
    #[error("{id} is `{ours}` in {first} and `{theirs}` in {second}; run it once")]
    Overlap {
        /// The case.
        id: String,
        /// A report.
        first: String,
        /// The verdict of the first report.
        ours: &'static str,
        /// The name of the other report.
        second: String,
        /// The verdict of the other report.
        theirs: &'static str,
    },
}

/// Merges reports into one. Each comes with the name that errors use for it.
///
/// # Errors
/// The reports are not of one run, one is missing, or they contradict each other.
pub fn merge(reports: Vec<(String, Report)>) -> Result<Report, MergeError> {
    of_one_run(&reports)?;
    complete(&reports)?;
    let mut cases: BTreeMap<String, (String, CaseResult)> = BTreeMap::new();
    let mut merged: Option<Report> = None;
    for (name, mut report) in reports {
        for case in std::mem::take(&mut report.cases) {
            match cases.get(&case.id) {
                Some((first, known)) if known.verdict != case.verdict => {
                    return Err(MergeError::Overlap {
                        id: case.id,
                        first: first.clone(),
                        ours: known.verdict.as_str(),
                        second: name,
                        theirs: case.verdict.as_str(),
                    });
                }
                Some(_) => {}
                None => {
                    cases.insert(case.id.clone(), (name.clone(), case));
                }
            }
        }
        merged = Some(match merged {
            None => report,
            Some(merged) => join(merged, report),
        });
    }
    let mut merged = merged.ok_or(MergeError::Nothing)?;
    merged.shard = None;
    merged.cases = cases.into_values().map(|(_, case)| case).collect();
    merged.summary = Summary { stale: merged.stale.len(), ..Summary::of(&merged.cases) };
    Ok(merged)
}

fn join(mut merged: Report, other: Report) -> Report {
    merged.milliseconds += other.milliseconds;
    if merged.seed != other.seed {
        // There is no one number that repeats them all.
        for seed in [merged.seed, other.seed].into_iter().filter(|seed| *seed != 0) {
            tell(&mut merged.facts, "seeds", &seed.to_string());
        }
        merged.seed = 0;
    }
    for (name, fact) in other.facts {
        tell(&mut merged.facts, &name, &fact);
    }
    merged.not_judged = merged.not_judged.or(other.not_judged);
    for stale in other.stale {
        if !merged.stale.contains(&stale) {
            merged.stale.push(stale);
        }
    }
    merged
}

/// Adds a fact to the earlier ones.
fn tell(facts: &mut BTreeMap<String, String>, name: &str, fact: &str) {
    let known = facts.entry(name.to_owned()).or_insert_with(|| fact.to_owned());
    if !known.split(" / ").any(|said| said == fact) {
        append!(*known, " / {fact}");
    }
}

fn of_one_run(reports: &[(String, Report)]) -> Result<(), MergeError> {
    let Some(((first, ours), others)) = reports.split_first() else { return Err(MergeError::Nothing) };
    type Property = fn(&Report) -> String;
    let properties: [(&'static str, Property); 4] = [
        ("schemaVersion", |report| report.schema_version.to_string()),
        ("suite", |report| report.suite.clone()),
        ("subject", |report| report.subject.clone()),
        ("version", |report| report.version.clone()),
    ];
    for (second, theirs) in others {
        for (what, property) in properties {
            let (ours, theirs) = (property(ours), property(theirs));
            if ours != theirs {
                let (first, second) = (first.clone(), second.clone());
                return Err(MergeError::Different { what, first, ours, second, theirs });
            }
        }
    }
    Ok(())
}

fn complete(reports: &[(String, Report)]) -> Result<(), MergeError> {
    let mut shards: Vec<(&String, Shard)> = Vec::new();
    let mut wholes = reports.iter().filter(|(_, report)| report.shard.is_none());
    for (name, report) in reports {
        let Some(shard) = &report.shard else { continue };
        let parsed = shard
            .parse()
            .map_err(|ShardError| MergeError::BadShard { name: name.clone(), shard: shard.clone() })?;
        shards.push((name, parsed));
    }
    let Some((first, shard)) = shards.first() else { return Ok(()) };
    if let Some((whole, _)) = wholes.next() {
        return Err(MergeError::Mixed { shard: (*first).clone(), whole: whole.clone() });
    }
    if let Some((second, other)) = shards.iter().find(|(_, other)| other.of() != shard.of()) {
        let (first, second) = ((*first).clone(), (*second).clone());
        return Err(MergeError::Parts { first, ours: shard.of(), second, theirs: other.of() });
    }
    let there: BTreeSet<usize> = shards.iter().map(|(_, shard)| shard.number()).collect();
    let missing: Vec<String> = (1..=shard.of())
        .filter(|number| !there.contains(number))
        .map(|number| format!("{number}/{}", shard.of()))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(MergeError::Missing(missing)) }
}
