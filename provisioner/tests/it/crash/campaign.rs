//! Runs that are cut off at random points, with changes between them: nobody has two accounts, nobody is lost, and nobody is
//! removed that should not be.
//!
//! Each seed is a story: people, a first run, and then a few times changes and a run that is cut off (the program is killed, or
//! its work ends in the middle of a request). In the end runs go on until one has nothing to say. `CRASH_POINTS` sets the number
//! of stories (100), `CRASH_SEED` the first seed (1); a failure names its seed and tells the story.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::process::Stdio;
use std::time::Duration;

use mock_aquera::Phase;
use provisioner::SyncOptions;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::database::Database;
use crate::support::{Bench, Settings, but, user};

/// The most runs until nothing is left to do: one resolves what was cut off, one carries out what waited for that.
const RUNS: usize = 5;
const STRANGER: &str = "stranger";
/// All preferences on.
const ALL_DELETE: &str = "enable-users-creation = true\nenable-users-updation = true\nenable-users-disable = true\n\
    enable-users-deprovision = true\nremove-action = \"delete\"\ndeprovision-on-rule-deletion = true\n";
const ALL_DISABLE: &str = "enable-users-creation = true\nenable-users-updation = true\nenable-users-disable = true\n\
    enable-users-deprovision = true\nremove-action = \"disable\"\ndeprovision-on-rule-deletion = true\n";

#[derive(Debug)]
struct Person {
    id: String,
    name: String,
    title: String,
    enabled: bool,
    staff: bool,
    /// Whether the person was enabled and in scope all the time: the account must stay.
    stayed: bool,
    /// Whether the person took part in a swap of names. Such a person does not leave: the account would keep a name that somebody
    /// else has at the source, and no run could give it to that person.
    swapped: bool,
}

struct Story {
    random: StdRng,
    people: Vec<Person>,
    /// Names of people who left, for others to take.
    free_names: Vec<String>,
    next: usize,
    preferences: &'static str,
    rule: &'static str,
    told: Vec<String>,
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let preferences = if random.random_bool(0.5) { ALL_DELETE } else { ALL_DISABLE };
        let mut story = Self {
            random,
            people: Vec::new(),
            free_names: Vec::new(),
            next: 0,
            preferences,
            rule: "staff",
            told: vec![format!("seed {seed}")],
        };
        for _ in 0..story.random.random_range(3..9) {
            story.hire();
        }
        story
    }

    fn hire(&mut self) {
        let id = self.next.to_string();
        self.next += 1;
        let again = self.free_names.choose(&mut self.random).cloned();
        let again = again.filter(|_| self.random.random_bool(0.5));
        self.free_names.retain(|name| Some(name) != again.as_ref());
        let name = again.unwrap_or_else(|| format!("user{id}"));
        self.told.push(format!("hire {name} as {id}"));
        self.people.push(Person {
            id,
            name,
            title: "Engineer".to_owned(),
            enabled: true,
            staff: true,
            stayed: true,
            swapped: false,
        });
    }

    /// Changes something at the source or in the configuration.
    fn change(&mut self) {
        if self.people.is_empty() {
            return self.hire();
        }
        let at = self.random.random_range(0..self.people.len());
        let what = self.random.random_range(0..11);
        let name = self.people[at].name.clone();
        match what {
            0 => {
                self.people[at].title = format!("Lead {}", self.random.random_range(0..1000));
                self.told.push(format!("promote {name}"));
            }
            1 => {
                let new = format!("{name}-{}", self.random.random_range(0..1000));
                if self.people.iter().all(|one| one.name != new) {
                    self.told.push(format!("rename {name} to {new}"));
                    self.people[at].name = new;
                }
            }
            2 => {
                self.told.push(format!("disable {name}"));
                (self.people[at].enabled, self.people[at].stayed) = (false, false);
            }
            3 => {
                self.told.push(format!("enable {name}"));
                self.people[at].enabled = true;
            }
            4..=6 if self.people[at].swapped => {}
            4 => {
                self.told.push(format!("delete {name}"));
                self.free_names.push(name);
                self.people.remove(at);
            }
            5 => {
                let id = format!("{}-again-{}", self.people[at].id, self.next);
                self.next += 1;
                self.told.push(format!("hire {name} again as {id}"));
                let person = &mut self.people[at];
                (person.id, person.enabled, person.staff, person.stayed) = (id, true, true, false);
            }
            6 => {
                self.told.push(format!("{name} leaves the scope"));
                (self.people[at].staff, self.people[at].stayed) = (false, false);
            }
            7 => {
                self.told.push(format!("{name} comes back into the scope"));
                self.people[at].staff = true;
            }
            8 => {
                self.preferences = if self.preferences == ALL_DELETE { ALL_DISABLE } else { ALL_DELETE };
                self.told.push("the Remove Action changes".to_owned());
            }
            9 => {
                self.rule = if self.rule == "staff" { "people" } else { "staff" };
                self.told.push(format!("the rule is called {} from now on", self.rule));
            }
            _ => {
                let other = self.random.random_range(0..self.people.len());
                if other != at {
                    let names = (name, self.people[other].name.clone());
                    self.told.push(format!("{} and {} swap their names", names.0, names.1));
                    (self.people[at].name, self.people[other].name) = (names.1, names.0);
                    (self.people[at].swapped, self.people[other].swapped) = (true, true);
                }
            }
        }
    }

    fn write(&self, bench: &mut Bench) {
        let rule = self.rule;
        bench.settings.preferences = self.preferences;
        bench.settings.rules =
            format!("[[rule]]\nname = \"{rule}\"\nfilter = 'population.id eq \"staff\"'\n");
        bench.write_config();
        let users: Vec<Value> = self
            .people
            .iter()
            .map(|one| {
                let population = if one.staff { "staff" } else { "guests" };
                let members = json!({
                    "title": one.title, "enabled": one.enabled, "population": { "id": population }
                });
                but(user(&one.id, &one.name), members)
            })
            .collect();
        bench.users(&users);
    }
}

/// Options of a run that a person has looked at: small sources leave rules and the source empty.
fn options(story: &Story) -> SyncOptions {
    SyncOptions {
        allow_empty_source: true,
        accept_new_source: true,
        allow_empty_scope: vec![story.rule.parse().unwrap()],
        ..SyncOptions::default()
    }
}

/// Begins a run that is cut off at a random request, if it has as many.
async fn cut_off(bench: &Bench, story: &mut Story, state: Option<&str>) {
    let nth = story.random.random_range(1..30);
    let phase = if story.random.random_bool(0.5) { Phase::BeforeEffect } else { Phase::AfterEffect };
    let is_killed = story.random.random_bool(0.15);
    let is_applied = story.random.random_bool(0.25);
    let mut hold = bench.app.hold(nth, phase);
    story
        .told
        .push(format!("cut off at request {nth}, {phase:?} (killed: {is_killed}, apply: {is_applied})"));
    if is_killed {
        let mut child = Command::new(env!("CARGO_BIN_EXE_provisioner"))
            .args([
                "sync",
                "--allow-empty-source",
                "--accept-new-source",
                "--allow-empty-scope",
                story.rule,
                "-c",
            ])
            .arg(bench.path("aquera.toml"))
            .args(state.iter().flat_map(|url| ["--state", url]))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        tokio::select! {
            () = hold.reached() => child.kill().await.unwrap(),
            _ = child.wait() => {}
        }
        return;
    }
    let provisioner = bench.open().await;
    let run = async {
        if is_applied {
            if let Ok(plan) = provisioner.plan(options(story)).await {
                // A plan that is stale by now is refused, and the next run goes on.
                drop(provisioner.apply(&plan, options(story)).await);
            }
        } else {
            provisioner.sync(options(story)).await;
        }
    };
    tokio::select! {
        () = run => {}
        () = hold.reached() => {}
    }
    provisioner.close().await;
}

fn accounts(bench: &Bench) -> Vec<Value> {
    bench.app.users()
}

fn text<'a>(account: &'a Value, name: &str) -> &'a str {
    account[name].as_str().unwrap_or_default()
}

/// Plays the story of a seed over a state of its own: a file, or the database at `state`.
async fn play(seed: u64, state: Option<&str>) {
    let mut story = Story::new(seed);
    let method = *["put", "patch", "auto"].choose(&mut story.random).unwrap();
    let concurrency = *[1, 4].choose(&mut story.random).unwrap();
    let options_text =
        format!("update-method = \"{method}\"\nconcurrency = {concurrency}\nmax-removals-percent = 100");
    let mut bench = Bench::with(
        "aquera",
        Settings {
            options: options_text,
            state: state.map(|url| url.parse().unwrap()),
            ..Settings::default()
        },
    )
    .await;
    bench.app.seed_user(json!({ "userName": STRANGER, "active": true, "title": "Guest" }));
    story.write(&mut bench);
    if story.random.random_bool(0.7) {
        story.told.push("a whole run".to_owned());
        bench.sync_with(options(&story)).await;
    } else {
        cut_off(&bench, &mut story, state).await;
    }
    let first: BTreeMap<String, String> = accounts(&bench)
        .iter()
        .map(|one| (text(one, "externalId").to_owned(), text(one, "id").to_owned()))
        .collect();
    for _ in 0..story.random.random_range(1..4) {
        for _ in 0..story.random.random_range(1..5) {
            story.change();
        }
        story.write(&mut bench);
        if story.random.random_bool(0.3) {
            let method = *["POST", "PUT", "PATCH", "DELETE"].choose(&mut story.random).unwrap();
            story.told.push(format!("a reply to a {method} is lost"));
            bench.app.add_fault(format!("reset phase=after method={method} times=1").parse().unwrap());
        }
        cut_off(&bench, &mut story, state).await;
        bench.app.clear_faults();
    }
    let mut quiet = false;
    for run in 0..RUNS {
        bench.clock.advance(Duration::from_hours(1));
        bench.app.clear_journal();
        let report = bench.sync_with(options(&story)).await;
        story.told.push(format!(
            "run {run}: exit {}, {:?}",
            report.exit.code(),
            crate::support::short(&report)
        ));
        if report.lines.is_empty() && report.exit.code() == 0 {
            assert_eq!(bench.writes(), [""; 0], "a run with nothing to say writes: {:#?}", story.told);
            quiet = true;
            break;
        }
    }
    assert!(quiet, "no end after {RUNS} runs: {:#?}\n{:#?}", story.told, accounts(&bench));
    check(&bench, &story, &first);
}

/// Checks the accounts in the end.
fn check(bench: &Bench, story: &Story, first: &BTreeMap<String, String>) {
    let accounts = accounts(bench);
    let told = || format!("{:#?}\n{accounts:#?}", story.told);
    let mut origins = BTreeSet::new();
    for account in &accounts {
        let origin = text(account, "externalId");
        assert!(
            origin.is_empty() || origins.insert(origin.to_owned()),
            "two accounts of {origin}: {}",
            told()
        );
    }
    let wanted: BTreeMap<&str, &Person> = story
        .people
        .iter()
        .filter(|one| one.staff && one.enabled)
        .map(|one| (one.name.as_str(), one))
        .collect();
    for account in &accounts {
        let name = text(account, "userName");
        if name == STRANGER {
            assert_eq!((&account["active"], text(account, "title")), (&json!(true), "Guest"), "{}", told());
        } else if account["active"] == json!(true) {
            assert!(wanted.contains_key(name), "{name} should not be active: {}", told());
        }
    }
    for (name, person) in wanted {
        let found: Vec<&Value> = accounts.iter().filter(|one| text(one, "userName") == name).collect();
        let [account] = found.as_slice() else { panic!("{name} has {} accounts: {}", found.len(), told()) };
        assert_eq!(account["active"], json!(true), "{name}: {}", told());
        assert_eq!(text(account, "title"), person.title, "{name}: {}", told());
        assert_eq!(text(account, "externalId"), person.id, "{name}: {}", told());
        if let (true, Some(id)) = (person.stayed, first.get(&person.id)) {
            assert_eq!(text(account, "id"), id, "the account of {name} was replaced: {}", told());
        }
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().map_or(default, |text| text.parse().unwrap())
}

/// Returns the seeds of this run, and prints them.
fn seeds() -> Range<u64> {
    let (first, count) = (number("CRASH_SEED", 1), number("CRASH_POINTS", 100));
    println!("seeds {first} to {}", first + count - 1);
    first..first + count
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_are_cut_off_at_random_points_converge() {
    for seed in seeds() {
        play(seed, None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_over_postgres_that_are_cut_off_at_random_points_converge() {
    for seed in seeds() {
        let Some(database) = Database::new().await else { return };
        play(seed, Some(database.url.as_str())).await;
        database.remove().await;
    }
}
