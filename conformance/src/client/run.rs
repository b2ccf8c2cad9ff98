//! Walks through scenarios: prepares the mock, has each step carried out, and keeps what arrived.

use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::causes::with_causes;
use crate::client::driver::{Acted, Brief, Driver, Shown};
use crate::client::environment::Environment;
use crate::client::scenario::{Scenario, Source, Step, advance, instructions};
use crate::client::trace::{Act, NotPlayed, Play, Trace};

/// The progress of a run.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// A scenario begins.
    Begins(&'a Scenario),
    /// The scenario is over, or was skipped for a reason.
    Ends(&'a Scenario, Option<&'a NotPlayed>),
}

/// Everybody at the source, by scenario.
type Everybody = BTreeMap<String, Source>;

/// Plays the scenarios in their order, until all are played or `stop` says so.
pub async fn run(
    environment: &mut Environment,
    driver: &mut Driver,
    scenarios: &[Scenario],
    mut stop: watch::Receiver<bool>,
    mut told: impl FnMut(Progress<'_>),
) -> Trace {
    let credentials = environment.credentials().clone();
    let mut trace =
        Trace { secrets: vec![credentials.bearer, credentials.basic_password], ..Trace::default() };
    let mut everybody = Everybody::new();
    let mut count = Count { number: 0, of: scenarios.iter().map(Scenario::steps).sum() };
    let mut ended: Option<NotPlayed> = None;
    for scenario in scenarios {
        if let Some(reason) = &ended {
            trace.not_played.insert(scenario.slug.clone(), reason.clone());
            continue;
        }
        told(Progress::Begins(scenario));
        let before = count.number;
        let played = tokio::select! {
            played = play(environment, driver, scenario, &mut count, &mut everybody, &mut trace) => played,
            () = stopped(&mut stop) => Err(Ended::Quit),
        };
        count.number = before + scenario.steps();
        environment.calm();
        let not_played = match played {
            Ok(play) => {
                trace.plays.push(play);
                None
            }
            Err(Ended::Not(reason)) => {
                // Whoever was never there, or nobody knows whether, is not at the source in what follows.
                everybody.remove(&scenario.slug);
                let reason = match reason {
                    NotPlayed::Broke(why) => {
                        NotPlayed::Broke(format!("the scenario {} broke off: {why}", scenario.slug))
                    }
                    skipped @ NotPlayed::Skipped(_) => skipped,
                };
                // What the others build upon is not there.
                if scenario.always && matches!(reason, NotPlayed::Broke(_)) {
                    ended = Some(reason.clone());
                }
                Some(reason)
            }
            Err(Ended::Quit) => {
                ended = Some(NotPlayed::Skipped("the run was ended before it".to_owned()));
                Some(NotPlayed::Skipped("the run was ended in the middle of it".to_owned()))
            }
        };
        if let Some(reason) = &not_played {
            trace.not_played.insert(scenario.slug.clone(), reason.clone());
        }
        told(Progress::Ends(scenario, not_played.as_ref()));
        // What came while nobody looked belongs to no scenario, and is traffic all the same.
        trace.exchanges.extend(environment.take());
    }
    trace
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Nobody can stop it any more.
        std::future::pending::<()>().await;
    }
}

/// The progress of a run in steps; skipped ones count too.
struct Count {
    number: usize,
    of: usize,
}

/// Why a scenario was not played to its end.
enum Ended {
    Not(NotPlayed),
    Quit,
}

fn broke(error: &dyn std::error::Error) -> Ended {
    Ended::Not(NotPlayed::Broke(with_causes(error)))
}

async fn play(
    environment: &mut Environment,
    driver: &mut Driver,
    scenario: &Scenario,
    count: &mut Count,
    everybody: &mut Everybody,
    trace: &mut Trace,
) -> Result<Play, Ended> {
    environment.set(scenario).map_err(|error| broke(&error))?;
    let mut play = Play { scenario: scenario.slug.clone(), acts: Vec::new(), before: environment.accounts() };
    for step in &scenario.step {
        let before = everybody.get(&scenario.slug).cloned().unwrap_or_default();
        environment.prepare(scenario, step, &before).map_err(|error| broke(&error))?;
        let mut after = before.clone();
        advance(scenario, step, &mut after);
        everybody.insert(scenario.slug.clone(), after.clone());
        let start = trace.exchanges.len();
        let brief = brief(environment, scenario, step, count, (&before, &after), everybody);
        carry_out(environment, driver, &brief).await?;
        trace.exchanges.extend(environment.take());
        play.acts.push(Act {
            step: step.slug.clone(),
            range: start..trace.exchanges.len(),
            people: after,
            accounts: environment.accounts(),
        });
    }
    if scenario.tidy {
        environment.calm();
        let before = everybody.remove(&scenario.slug).unwrap_or_default();
        let step = Step {
            slug: "tidy-up".to_owned(),
            note: Some(
                "This is not judged: it leaves the next scenario nothing to catch up with.".to_owned(),
            ),
            remove: before.keys().cloned().collect(),
            ..Step::default()
        };
        let brief = brief(environment, scenario, &step, count, (&before, &Source::new()), everybody);
        carry_out(environment, driver, &brief).await?;
    }
    Ok(play)
}

/// Returns the step to carry out next.
fn brief(
    environment: &Environment,
    scenario: &Scenario,
    step: &Step,
    count: &mut Count,
    (before, after): (&Source, &Source),
    everybody: &Everybody,
) -> Brief {
    count.number += 1;
    let ids = |source: &Source, names: Vec<&String>| -> Vec<String> {
        names.into_iter().filter_map(|name| source.get(name)).map(|person| person.id.clone()).collect()
    };
    let credentials = environment.credentials();
    Brief {
        schema_version: 1,
        scenario: scenario.slug.clone(),
        title: scenario.title.clone(),
        step: step.slug.clone(),
        number: count.number,
        of: count.of,
        say: instructions(step, before, after),
        scim_url: environment.scim_url(),
        credentials: Shown {
            bearer: credentials.bearer.clone(),
            basic_user: credentials.basic_user.clone(),
            basic_password: credentials.basic_password.clone(),
        },
        users: everybody.values().flat_map(Source::values).cloned().collect(),
        created: ids(after, step.create.iter().collect()),
        changed: ids(after, step.change.keys().collect()),
        removed: ids(before, step.remove.iter().collect()),
    }
}

async fn carry_out(environment: &Environment, driver: &mut Driver, brief: &Brief) -> Result<(), Ended> {
    match driver.act(brief, environment).await {
        Ok(Acted::Done) => Ok(()),
        Ok(Acted::Skip(reason)) => Err(Ended::Not(NotPlayed::Skipped(reason))),
        Ok(Acted::Quit) => Err(Ended::Quit),
        Err(error) => Err(broke(&error)),
    }
}
