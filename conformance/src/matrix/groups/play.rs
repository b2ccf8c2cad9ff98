//! Plays a cell about groups: the same steps for the model and for the provisioner, compared after each run.

use std::sync::Arc;

use mock_aquera::Profile;
use serde_json::{Value, json};

use super::model::{FOREIGN, GroupWorld};
use super::{GroupStep, GroupTrial};
use crate::matrix::cell::Auth;
use crate::matrix::run::configuration::TOKEN;
use crate::matrix::run::environment::{Environment, EnvironmentError, SharedEnvironment};
use crate::matrix::run::{Difference, PlayError, Played, Verdict};
use crate::subject::provisioner::{Configuration, Report, Subject, SyncFlags, Time};

/// The group at the target that the source does not know.
const STRANGERS: &str = "Strangers";

pub(crate) async fn play(
    shared: &Arc<SharedEnvironment>,
    index: usize,
    trial: GroupTrial,
) -> Result<Played, PlayError> {
    let profile = Profile::from_json(&trial.target.profile()).map_err(EnvironmentError::OwnProfile)?;
    let environment = Environment::with_profile(shared, index, Auth::Bearer, &profile, 1)?;
    environment.seed_group(STRANGERS, &[environment.stranger()]);
    let (time, mut world) = (Time::new(), GroupWorld::new(&trial));
    let mut run = 0;
    let steps = trial.scenario.steps.iter().chain([&GroupStep::Sync]);
    let runs = steps.clone().filter(|step| matches!(step, GroupStep::Sync)).count();
    for step in steps {
        world.step(*step);
        match step {
            GroupStep::Seed(name) => environment.seed_group(name, &[environment.stranger()]),
            GroupStep::Users(_) | GroupStep::Groups(_) => {}
            GroupStep::Sync => {
                run += 1;
                let report = sync(shared, &environment, &trial, &world, &time, index).await?;
                let journal = environment.take_journal(0);
                // A group that is not linked is looked up in each run.
                let has_unlinked = world.has_unlinked();
                let about = |exchange: &&mock_aquera::Exchange| {
                    exchange.path.contains("/Groups") && !(has_unlinked && exchange.method == "GET")
                };
                let requests = journal.iter().filter(about).count();
                let mut differences = Comparison { run, differences: Vec::new() };
                differences.lines(world.sync(), &report);
                differences.groups(&world, &environment);
                differences.of("exit code", "0", &report.exit.to_string());
                if run == runs {
                    differences.of("requests about groups where nothing changed", "0", &requests.to_string());
                }
                if !differences.differences.is_empty() {
                    let exchanges = journal.iter().map(serde_json::to_value);
                    let exchanges = exchanges.collect::<Result<_, _>>().map_err(PlayError::Exchange)?;
                    let verdict = Verdict::Fail(differences.differences);
                    return Ok(Played { verdict, last: None, exchanges });
                }
            }
        }
    }
    Ok(Played { verdict: Verdict::Pass, last: None, exchanges: Vec::new() })
}

/// Runs the provisioner once, as a process of its own would.
async fn sync(
    shared: &Arc<SharedEnvironment>,
    environment: &Environment,
    trial: &GroupTrial,
    world: &GroupWorld,
    time: &Time,
    index: usize,
) -> Result<Report, PlayError> {
    let line = |value: Value| format!("{value}\n");
    let users =
        world.users.iter().map(|letter| line(json!({ "id": letter, "username": format!("user-{letter}") })));
    std::fs::write(environment.folder.join("users.ndjson"), users.collect::<String>())?;
    let groups = world.groups.iter().map(|(id, name, members)| {
        line(json!({ "id": id, "name": name, "members": members.chars().collect::<Vec<_>>() }))
    });
    std::fs::write(environment.folder.join("groups.ndjson"), groups.collect::<String>())?;
    let text = toml(trial, &environment.scim_url(0));
    let configuration = Configuration::read(&text, &environment.folder)?;
    let seed = shared.seed ^ index as u64;
    let subject = Subject::open(configuration, &environment.folder, &shared.wire, time, seed).await?;
    let report = subject.sync(SyncFlags::default()).await;
    subject.close().await;
    time.pass();
    Ok(report?)
}

fn toml(trial: &GroupTrial, scim_url: &str) -> String {
    let switches = trial.switches;
    format!(
        "[connection]\nname = \"A cell about groups\"\n[connection.authentication]\nscim-url = {scim_url:?}\n\
         profile = \"bearer-token\"\noauth-access-token = {TOKEN:?}\n[connection.preferences]\n\
         enable-users-creation = true\nenable-users-updation = true\nenable-users-disable = true\n\
         enable-users-deprovision = true\nremove-action = \"delete\"\n\
         [source]\nkind = \"file\"\npath = \"users.ndjson\"\ngroups = \"groups.ndjson\"\n\
         [[rule]]\nname = \"everyone\"\n[[group-rule]]\nname = \"all\"\ncreate = {}\nupdate = {}\n\
         deletion = {:?}\nmembers = {:?}\n",
        switches.create,
        switches.update,
        if switches.delete { "delete" } else { "keep" },
        if switches.overwrite { "overwrite" } else { "merge" },
    )
}

/// Collects the differences of one run.
struct Comparison {
    run: usize,
    differences: Vec<Difference>,
}

impl Comparison {
    fn of(&mut self, what: &str, expected: &str, actual: &str) {
        if expected != actual {
            self.differences.push(Difference {
                run: self.run,
                what: what.to_owned(),
                expected: expected.to_owned(),
                actual: actual.to_owned(),
            });
        }
    }

    fn lines(&mut self, mut expected: Vec<String>, report: &Report) {
        let word = |line: &Value, key: &str| line[key].as_str().unwrap_or("?").to_owned();
        let mut actual: Vec<String> = report
            .groups
            .iter()
            .map(|line| {
                let words = ["name", "change", "operation", "outcome", "reason"].map(|key| word(line, key));
                format!("{} +{} -{}", words.join(" "), line["membersAdded"], line["membersRemoved"])
            })
            .collect();
        expected.sort();
        actual.sort();
        self.of("lines of groups", &expected.join("; "), &actual.join("; "));
    }

    fn groups(&mut self, world: &GroupWorld, environment: &Environment) {
        let accounts = environment.accounts(0);
        let letter = |id: &Value| {
            if *id == environment.stranger() {
                return FOREIGN;
            }
            let account = accounts.iter().find(|account| account["id"] == *id);
            let name = account.and_then(|account| account["userName"].as_str()).unwrap_or_default();
            name.chars().last().unwrap_or('?')
        };
        let shown = |name: &str, mut letters: Vec<char>| {
            letters.sort_unstable();
            format!("{name}({})", letters.into_iter().collect::<String>())
        };
        let of_remote = |group: &Value| {
            let members = group["members"].as_array().into_iter().flatten();
            let letters = members.map(|member| letter(&member["value"])).collect();
            shown(group["displayName"].as_str().unwrap_or_default(), letters)
        };
        let mut actual: Vec<String> = environment.groups(0).iter().map(of_remote).collect();
        let mut expected: Vec<String> = world
            .remotes
            .values()
            .map(|remote| shown(&remote.name, remote.members.iter().copied().collect()))
            .chain([shown(STRANGERS, vec![FOREIGN])])
            .collect();
        actual.sort();
        expected.sort();
        self.of("groups at the target", &expected.join(" "), &actual.join(" "));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Returns the number of trials by target.
    fn by_target(every: bool) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for trial in GroupTrial::all(every) {
            *counts.entry(trial.target.as_str()).or_default() += 1;
        }
        counts
    }

    #[test]
    fn each_target_meets_each_switch_and_scenario() {
        assert!(by_target(true).values().all(|count| *count == 16 * 11));
        assert!(by_target(false).values().all(|count| *count > 8 * 11));
    }

    /// After the last step a run says nothing new.
    #[test]
    fn model_is_at_rest_after_the_last_step() {
        for trial in GroupTrial::all(true) {
            let mut world = GroupWorld::new(&trial);
            for step in trial.scenario.steps {
                world.step(*step);
                if matches!(step, GroupStep::Sync) {
                    world.sync();
                }
            }
            assert_eq!(world.sync(), Vec::<String>::new(), "{}", trial.id());
        }
    }
}
