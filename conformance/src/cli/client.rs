//! `conformance client`, and the command with which it drives our own provisioner.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use cli_support::suggest::did_you_mean;
use tokio::sync::watch;

use crate::causes::with_causes;
use crate::cli::reporting::{Choice, Reporting, Strictness};
use crate::cli::server::any_seed;
use crate::cli::signal::{self, interrupt};
use crate::cli::time::time;
use crate::cli::{Complaint, runtime, say};
use crate::client::case::Case;
use crate::client::driver::in_process::{InProcess, METHODS, run_once};
use crate::client::driver::interactive::Prompt;
use crate::client::driver::{Brief, Driver, Run};
use crate::client::environment::{Credentials, Environment};
use crate::client::load::{self, Written};
use crate::client::recording::RecordedExchange;
use crate::client::run::{self, Progress};
use crate::client::scenario::Scenario;
use crate::client::trace::{NotPlayed, Trace};
use crate::client::{SUITE, driver, judge, recording};
use crate::exit::Exit;
use crate::json_text::JsonText;
use crate::redact::Redactor;
use crate::report::curl::quote;
use crate::report::{OPTIONS, Report};

/// Played where the chosen cases name no scenario.
const USUAL: [&str; 3] = ["create", "update", "disable"];

#[derive(Debug, Args)]
#[command(after_help = WAYS)]
pub(super) struct Client {
    /// Listen here for the provisioner; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Start this command for each step; it gets the step as JSON on its standard input
    #[arg(long, value_name = "COMMAND")]
    drive: Option<String>,
    /// Judge the provisioner of this project in this process, in no time: auto, put or patch
    #[arg(long, value_name = "METHOD", conflicts_with = "drive", value_parser = METHODS)]
    own: Option<String>,
    /// A person carries the steps out, though no terminal is there
    #[arg(long, conflicts_with_all = ["drive", "own", "journal"])]
    by_hand: bool,
    /// Play this scenario, and judge what is about it; repeatable
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Judge this recording in place of a run: a journal of mock-aquera, or an HTTP archive (HAR 1.2)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["drive", "own", "scenario"])]
    journal: Option<PathBuf>,
    /// Time to wait for the first request of a step, or for the command to end: seconds, or with a unit as in 5m
    #[arg(long, value_name = "TIME", default_value = "600", value_parser = time)]
    timeout: Duration,
    /// A step is over when nothing has arrived for this time: seconds, or with a unit as in 500ms [default: 5; with
    /// --drive: 0]
    #[arg(long, value_name = "TIME", value_parser = time)]
    quiet: Option<Duration>,
    /// Accept this token, and not one that is made up
    #[arg(long, value_name = "TOKEN", env = "CONFORMANCE_BEARER", hide_env_values = true)]
    bearer: Option<String>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    strictness: Strictness,
    /// Print the scenarios, and run nothing
    #[arg(long)]
    list_scenarios: bool,
    /// Print the JSON Schema of what a command gets on its standard input
    #[arg(long)]
    schema: bool,
    /// Cases, scenarios and mutants in place of those built in
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    #[command(flatten)]
    reporting: Reporting,
}

const WAYS: &str = "\
In a terminal, without --drive, --own or --journal, a person carries the steps out: they are printed on stderr, and a step is over \
when traffic has come and gone quiet. Enter goes on at once, s Enter leaves a scenario out, q Enter ends the run.

A command of --drive is started by the shell for each step. Exit code 0: done; 77: it cannot carry this scenario out; \
any other: it broke, and so does what the scenario would have shown. conformance/data/client/README.md says what it gets; \
conformance/examples/python/drive_example.py is one.

Exit codes: 0 nothing failed, 1 something failed, 2 usage, 3 something broke, or the run was ended before its end.";

const NOBODY: &str = "\
nobody is here to carry the steps out: there is no terminal. Choose one of
  --drive COMMAND   a command that carries each step out at your identity source, and syncs
  --journal FILE    a recording of your provisioner's requests: a journal of mock-aquera, or an HTTP archive
  --own METHOD      this project's provisioner: auto, put or patch
  --by-hand         you, though this is no terminal: the steps are printed on stderr, and traffic says when one is over";

impl Client {
    pub(super) fn run(&self) -> Result<Exit, Complaint> {
        if self.schema {
            let schema = serde_json::to_string_pretty(&driver::schema())
                .map_err(|error| Complaint::broken(format!("failed to write the schema: {error}")))?;
            return say(&format!("{schema}\n")).map(|()| Exit::Passed);
        }
        let mut written = load(self.cases.as_deref())?;
        if self.list_scenarios {
            return scenarios(&written, self.reporting.json);
        }
        let catalogue: Vec<_> = written.cases.iter().map(Case::id).collect();
        let all = std::mem::take(&mut written.cases);
        let mut cases: Vec<Case> = self.choice.choose(all)?;
        cases.retain(|case| self.strictness.takes(case.level));
        let played = self.played(&written.scenarios, &mut cases)?;
        if self.choice.list {
            let ids: Vec<_> = cases.iter().map(Case::id).collect();
            return Choice::print("case", &ids, self.reporting.json);
        }
        if cases.is_empty() {
            return Err(Complaint::usage("no case is selected"));
        }
        self.check_who_acts()?;
        let started = Instant::now();
        let made_up = written.scenarios.iter().flat_map(names_in);
        let mut redactor = Redactor::new().made_up(made_up);
        let seed = self.choice.seed.unwrap_or_else(any_seed);
        let credentials = self.credentials();
        for secret in [&credentials.bearer, &credentials.basic_password] {
            redactor = redactor.secret(secret);
        }
        let recorded = self.journal.as_deref().map(recording).transpose()?;
        for secret in recorded.iter().flat_map(|(trace, _, _)| &trace.secrets) {
            redactor = redactor.secret(secret);
        }
        let ending = self.reporting.open(redactor)?;
        let (trace, interrupted, mut facts) = match recorded {
            Some(recorded) => recorded,
            None => self.live(&played, credentials, seed)?,
        };
        let results = judge::all(&cases, &trace);
        for result in &results {
            ending.tell("case", result)?;
        }
        let mut report = Report::new(SUITE, &subject(&trace, self.own.as_deref()), results);
        facts.insert("requests".to_owned(), trace.exchanges.len().to_string());
        if let Some(options) = self.driven() {
            facts.insert(OPTIONS.to_owned(), options);
        }
        report.facts = facts;
        report.seed = seed;
        report.milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.choice.note(&mut report);
        self.strictness.note(&mut report);
        let exit = ending.finish(report, catalogue)?;
        // Half a run proves nothing.
        Ok(if interrupted { Exit::Broken } else { exit })
    }

    /// Checks that there is a driver for the steps.
    fn check_who_acts(&self) -> Result<(), Complaint> {
        let something = self.drive.is_some() || self.own.is_some() || self.journal.is_some();
        if something || self.by_hand || std::io::stdin().is_terminal() || std::io::stderr().is_terminal() {
            return Ok(());
        }
        Err(Complaint::usage(NOBODY))
    }

    /// Returns the scenarios of the run; if they are named, cases about other scenarios are left out.
    fn played(&self, all: &[Scenario], cases: &mut Vec<Case>) -> Result<Vec<Scenario>, Complaint> {
        let slugs: BTreeSet<&str> = all.iter().map(|scenario| scenario.slug.as_str()).collect();
        for name in &self.scenario {
            if !slugs.contains(name.as_str()) {
                let meant = did_you_mean(name, slugs.iter().copied());
                return Err(Complaint::usage(format!(
                    "unknown scenario `{name}`{meant}\nAll scenarios: conformance client --list-scenarios"
                )));
            }
        }
        let mut wanted: BTreeSet<&str> = self.scenario.iter().map(String::as_str).collect();
        if wanted.is_empty() {
            wanted.extend(
                cases
                    .iter()
                    .flat_map(|case| &case.scenarios)
                    .filter_map(|slug| slugs.get(slug.as_str()).copied()),
            );
            if wanted.is_empty() {
                wanted.extend(USUAL);
            }
        } else {
            let is_about = |case: &Case| case.scenarios.iter().any(|slug| wanted.contains(slug.as_str()));
            cases.retain(|case| case.scenarios.is_empty() || is_about(case));
        }
        let meant = |scenario: &&Scenario| scenario.always || wanted.contains(scenario.slug.as_str());
        Ok(all.iter().filter(meant).cloned().collect())
    }

    /// Returns the options by which the run got its traffic, or `None` if a person carried the steps out.
    fn driven(&self) -> Option<String> {
        let journal = self.journal.as_ref().map(|file| file.display().to_string());
        let all = [("--own", &self.own), ("--drive", &self.drive), ("--journal", &journal)];
        all.into_iter().find_map(|(option, value)| Some(format!("{option} {}", quote(value.as_ref()?))))
    }

    fn credentials(&self) -> Credentials {
        let made_up = || format!("{:08x}{:08x}", any_seed(), any_seed());
        Credentials {
            bearer: self.bearer.clone().unwrap_or_else(made_up),
            basic_user: "conformance".to_owned(),
            basic_password: made_up(),
        }
    }

    fn live(
        &self,
        scenarios: &[Scenario],
        credentials: Credentials,
        seed: u64,
    ) -> Result<(Trace, bool, BTreeMap<String, String>), Complaint> {
        let runtime = runtime()?;
        let (timeout, quiet) = (self.timeout, self.quiet);
        runtime.block_on(async {
            let mut clock = None;
            let mut driver = if let Some(method) = &self.own {
                let own = InProcess::new(method, seed).map_err(Complaint::broken_by)?;
                clock = Some(own.clock());
                Driver::InProcess(Box::new(own))
            } else if let Some(command) = &self.drive {
                let quiet = quiet.unwrap_or_default();
                Driver::Command(Run { command: command.clone(), timeout, quiet })
            } else {
                Driver::Interactive(Prompt::new(quiet.unwrap_or(Duration::from_secs(5)), timeout))
            };
            let environment = Environment::open(self.listen, credentials, clock, seed).await;
            let mut environment =
                environment.map_err(|error| Complaint::usage(format!("failed to {error}")))?;
            if self.own.is_none() {
                self.introduce(&environment, scenarios)?;
            }
            let (stopper, stop) = watch::channel(false);
            tokio::spawn(interrupt(stopper, String::new(), false, signal::tell));
            let quietly = self.own.is_some()
                || matches!(driver, Driver::Interactive(_))
                || !std::io::stderr().is_terminal();
            let trace = run::run(&mut environment, &mut driver, scenarios, stop.clone(), |progress| {
                tell(progress, quietly);
            })
            .await;
            if let Driver::InProcess(own) = driver {
                own.close().await;
            }
            environment.close().await;
            let interrupted = *stop.borrow() || was_ended(&trace);
            let facts = BTreeMap::from([("scenarios".to_owned(), trace.plays.len().to_string())]);
            Ok((trace, interrupted, facts))
        })
    }

    fn introduce(&self, environment: &Environment, scenarios: &[Scenario]) -> Result<(), Complaint> {
        let Credentials { bearer, basic_user, basic_password } = environment.credentials();
        let steps: usize = scenarios.iter().map(Scenario::steps).sum();
        eprintln!(
            "Point the provisioner at this, once for the whole run of {steps} steps:\n  \
             SCIM URL        {}\n  \
             bearer token    {bearer}\n  \
             or basic        user {basic_user}, password {basic_password}",
            environment.scim_url()
        );
        if self.reporting.json {
            say(&format!("{}\n", serde_json::json!({ "type": "ready", "scimUrl": environment.scim_url() })))?;
        }
        Ok(())
    }
}

/// Returns the cases, scenarios and mutants of a folder, or those built in.
pub(super) fn load(folder: Option<&Path>) -> Result<Written, Complaint> {
    folder.map_or_else(load::built_in, load::folder).map_err(Complaint::usage_by)
}

fn recording(file: &Path) -> Result<(Trace, bool, BTreeMap<String, String>), Complaint> {
    let bad = |problem: String| Complaint::usage(format!("failed to read {}: {problem}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
    let journal = recording::read(&text).map_err(|error| bad(with_causes(&error)))?;
    let mut facts = BTreeMap::new();
    if journal.left_out > 0 {
        facts
            .insert("left out".to_owned(), format!("{} entries that are no SCIM requests", journal.left_out));
    }
    let secrets: BTreeSet<String> = journal.exchanges.iter().filter_map(RecordedExchange::secret).collect();
    let secrets = secrets.into_iter().collect();
    Ok((Trace { exchanges: journal.exchanges, secrets, ..Trace::default() }, false, facts))
}

fn was_ended(trace: &Trace) -> bool {
    trace
        .not_played
        .values()
        .any(|reason| matches!(reason, NotPlayed::Skipped(reason) if reason.starts_with("the run was ended")))
}

/// Returns the name that the client gives itself.
fn subject(trace: &Trace, own: Option<&str>) -> String {
    if let Some(method) = own {
        return format!("our provisioner, update-method {method}");
    }
    let named = trace.exchanges.iter().find_map(|exchange| exchange.header("user-agent"));
    named
        .filter(|name| !name.trim().is_empty())
        .unwrap_or("a provisioner that does not say its name")
        .to_owned()
}

fn tell(progress: Progress<'_>, quietly: bool) {
    match progress {
        Progress::Begins(scenario) if !quietly => eprintln!("{}: {}", scenario.slug, scenario.title),
        Progress::Ends(_, Some(NotPlayed::Broke(reason))) => {
            eprintln!("warning: {reason}");
        }
        Progress::Ends(scenario, Some(NotPlayed::Skipped(reason))) if !quietly => {
            eprintln!("{}: left out: {reason}", scenario.slug);
        }
        Progress::Begins(_) | Progress::Ends(..) => {}
    }
}

/// Returns all texts of a scenario, which are made up and may be shown in a report.
fn names_in(scenario: &Scenario) -> Vec<String> {
    let mut names = Vec::new();
    let mut note = |text: &str| names.push(text.to_owned());
    for (name, person) in &scenario.people {
        note(&scenario.id_of(name));
        for text in [&person.user_name, &person.given_name, &person.family_name] {
            note(text);
        }
        person.title.iter().chain(&person.email).for_each(|text| note(text));
    }
    for change in scenario.step.iter().flat_map(|step| step.change.values()) {
        let texts =
            [&change.user_name, &change.given_name, &change.family_name, &change.title, &change.email];
        texts.into_iter().flatten().for_each(|text| note(text));
    }
    let edits = scenario.step.iter().flat_map(|step| step.edit.values());
    for JsonText(value) in scenario.accounts.iter().chain(edits) {
        each_text(value, &mut note);
    }
    names
}

fn each_text(value: &serde_json::Value, note: &mut impl FnMut(&str)) {
    match value {
        serde_json::Value::String(text) => note(text),
        serde_json::Value::Array(elements) => elements.iter().for_each(|element| each_text(element, note)),
        serde_json::Value::Object(members) => members.values().for_each(|member| each_text(member, note)),
        _ => {}
    }
}

fn scenarios(written: &Written, json: bool) -> Result<Exit, Complaint> {
    let width = written.scenarios.iter().map(|scenario| scenario.slug.len()).max().unwrap_or_default();
    let mut list = String::new();
    for scenario in &written.scenarios {
        if json {
            let line = serde_json::json!({
                "type": "scenario", "id": scenario.slug, "title": scenario.title, "steps": scenario.step.len()
            });
            append!(list, "{line}\n");
        } else {
            append!(list, "{:width$}  {} ({} steps)\n", scenario.slug, scenario.title, scenario.step.len());
        }
    }
    if json {
        append!(list, "{}\n", serde_json::json!({ "type": "summary", "scenarios": written.scenarios.len() }));
    }
    say(&list).map(|()| Exit::Passed)
}

/// A command for `client --drive` that runs our own provisioner once, on the clock on the wall.
#[derive(Debug, Args)]
pub(super) struct DriveProvisioner {
    /// Folder of its configuration, source and state; kept from step to step
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// Update method: auto, put or patch
    #[arg(long, value_name = "METHOD", default_value = "auto", value_parser = METHODS)]
    method: String,
}

impl DriveProvisioner {
    pub(super) fn run(&self) -> Result<Exit, Complaint> {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Complaint::usage(format!("failed to read standard input: {error}")))?;
        let brief: Brief = serde_json::from_str(&text).map_err(|error| {
            Complaint::usage(format!("standard input is no step of conformance client: {error}"))
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Complaint::broken(format!("failed to start the runtime: {error}")))?;
        let summary =
            runtime.block_on(run_once(&brief, &self.folder, &self.method)).map_err(Complaint::broken_by)?;
        say(&format!("{summary}\n")).map(|()| Exit::Passed)
    }
}
