//! Findings of `explore` at mutants, saved as cases: each fails at its mutant, and passes at the server without a defect.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use mock_aquera::{ApplicationConfig, Auth, MockAquera, Profile};
use tokio::sync::watch;

use crate::case::load as cases;
use crate::explore::{self, Explored, SaveError, Subject};
use crate::mutants::file::Mutant;
use crate::mutants::load;
use crate::mutants::proxy::Proxy;
use crate::report::{CaseResult, Verdict};
use crate::server::discovery::{Blank, Facts};
use crate::server::{self, Options};
use crate::subject::server::client::{Client, Credentials, Manners};

const TOKEN: &str = "mutant-token";

/// The number of sequences at a mutant: all hand-written ones come first, then tours.
const SEQUENCES: usize = 40;

/// The number of findings at which a mutant is known.
const FINDINGS: usize = 6;

/// Mutants whose findings depend on requests of different sequences at the same time, which are not sent here.
const APART: [&str; 1] = ["answers-crossed"];

/// Mutants of each kind of check, which are played always.
const SAMPLE: [&str; 12] = [
    "put-ignores-if-match",
    "groups-are-never-new",
    "bulk-tells-another-version",
    "members-are-cut-at-100",
    "whole-list-shows-the-deleted",
    "total-shrinks",
    "ten-groups-of-a-user",
    "put-last-modified-stays",
    "circular-groups-break",
    "lists-show-ids-only",
    "bulk-leaves-members",
    "config-changes",
];

/// The variable that has other mutants played: `1`, as `.ci/run --full` sets it, for all that name a rule of `explore`; or slugs with
/// commas between them, of which every finding has to come again.
const ALL: &str = "SAVED_FINDINGS_OF_ALL";

/// The mock, and the proxy in front of it.
struct Environment {
    mock: MockAquera,
    proxy: Arc<Proxy>,
}

impl Environment {
    async fn start() -> Self {
        let mock = MockAquera::builder().auth(Auth::bearer(TOKEN)).seed(1).start().await.expect("a mock");
        Self { mock, proxy: Proxy::start().await.expect("a proxy") }
    }

    /// Returns a client of a fresh server, which has the defect of a mutant or none.
    fn client(&self, name: &str, mutant: Option<&Mutant>) -> Client {
        let clean = || Profile::builtin("rfc").expect("the profile");
        let profile = mutant.map_or_else(clean, |mutant| load::profile(mutant).expect("a profile"));
        let config = ApplicationConfig { profile, auth: vec![Auth::bearer(TOKEN)], seed: 1 };
        let upstream = self.mock.create_application(name, config).expect("an application").scim_url();
        let url = mutant.map_or(upstream.clone(), |mutant| {
            let mutant = Mutant { slug: name.to_owned(), ..mutant.clone() };
            self.proxy.add(mutant, upstream, format!("Bearer {TOKEN}"))
        });
        let manners = Manners { retries: 0, ..Manners::default() };
        Client::new(&url, Credentials::Bearer(TOKEN.to_owned()), manners).expect("a client")
    }
}

/// Returns the options of a run: one sequence after the other, so that the findings are the same each time.
fn options(stop: watch::Receiver<bool>) -> explore::Options {
    explore::Options {
        jobs: 1,
        seed: 1,
        steps: 12,
        sequences: SEQUENCES,
        findings: FINDINGS,
        patience: Duration::from_mins(1),
        time: None,
        blank: Blank::default(),
        stop,
    }
}

/// Explores a server. The error says why it cannot be explored.
async fn explored(
    client: Client,
    facts: Facts,
    options: explore::Options,
) -> Result<Explored, explore::Unexplorable> {
    let runtime = tokio::runtime::Handle::current();
    // Its state cannot move between threads.
    let explored = tokio::task::spawn_blocking(move || {
        runtime.block_on(explore::explore(&client, &facts, &options, &|_| ()))
    });
    explored.await.expect("an end")
}

/// Plays the cases of a folder.
async fn played(client: Client, folder: &Path) -> Vec<CaseResult> {
    let cases = cases::folder(folder).expect("good cases");
    let facts = Facts::ask(&client).await;
    let (_sender, stop) = watch::channel(false);
    let options =
        Options { jobs: 2, seed: 3, keep: false, keep_exchanges: false, blank: Blank::default(), stop };
    server::run(client, facts, &cases, options, |_| ()).await.cases
}

/// Whether a finding came again each time that it was played.
fn is_certain(explored: &Explored, id: &str) -> bool {
    let result = explored.report.cases.iter().find(|case| case.id == id).expect("its result");
    result.because.as_ref().is_none_or(|why| !why.contains("it was reproduced"))
}

/// Returns what is wrong with the saved findings at a mutant.
async fn wrong_at(environment: &Environment, mutant: &Mutant, is_strict: bool) -> Vec<String> {
    let slug = &mutant.slug;
    let named: Vec<&str> = mutant.found_by.iter().filter_map(|id| id.strip_prefix("explore/")).collect();
    let client = environment.client(slug, Some(mutant));
    let facts = Facts::ask(&client).await;
    let (_sender, stop) = watch::channel(false);
    let options = options(stop);
    let explored = match explored(client.clone(), facts.clone(), options.clone()).await {
        Ok(explored) => explored,
        Err(error) => return vec![format!("{slug}: {error}")],
    };
    let is_of = |id: &str, rule: &str| {
        [format!("/{rule}-"), format!("/{rule}/"), format!("/explore-{rule}-")]
            .iter()
            .any(|part| id.contains(part))
    };
    let folder = tempfile::tempdir().expect("a folder");
    let (mut wrong, mut saved) = (Vec::new(), BTreeSet::new());
    for finding in explored.findings.iter().filter(|finding| is_certain(&explored, &finding.id())) {
        match finding.save(folder.path(), Subject { client: &client, facts: &facts, options: &options }).await
        {
            Ok(file) => drop(saved.insert(file.display().to_string())),
            Err(SaveError::Passes(_)) if !named.iter().any(|rule| is_of(&finding.id(), rule)) => {}
            Err(error) => wrong.push(format!("{slug}: {} is not saved: {error}", finding.id())),
        }
    }
    let missing = named.iter().filter(|rule| !saved.iter().any(|file| is_of(file, rule)));
    wrong.extend(missing.map(|rule| format!("{slug}: nothing of {rule} is saved")));
    if saved.is_empty() {
        return wrong;
    }
    for (name, defect) in [("again", Some(mutant)), ("clean", None)] {
        let client = environment.client(&format!("{slug}-{name}"), defect);
        for CaseResult { id, verdict, because, .. } in played(client, folder.path()).await {
            // What else is found of a defect may depend on it in ways that a case of its own does not see.
            let is_named = named.iter().any(|rule| is_of(&id, rule));
            let is_right = match (defect, verdict) {
                (Some(_), verdict) => verdict.fails_or_warns() || !(is_named || is_strict),
                (None, Verdict::Pass) => true,
                (None, Verdict::Skipped) => !is_named,
                (None, _) => false,
            };
            if !is_right {
                wrong.push(format!("{slug}: {id} {} at the {name} server: {because:?}", verdict.as_str()));
            }
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn saved_findings_fail_at_the_mutant_and_pass_at_a_clean_server() {
    let environment = Environment::start().await;
    let mut mutants = load::built_in().expect("good mutants");
    let wanted = std::env::var(ALL).unwrap_or_else(|_| SAMPLE.join(","));
    if wanted == "1" {
        mutants.retain(|mutant| mutant.found_by.iter().any(|id| id.starts_with("explore/")));
        mutants.retain(|mutant| !APART.contains(&mutant.slug.as_str()));
        assert!(mutants.len() > 40, "{}", mutants.len());
    } else {
        mutants.retain(|mutant| wanted.split(',').any(|slug| slug == mutant.slug));
        assert_eq!(mutants.len(), wanted.split(',').count(), "{wanted}");
    }
    let is_strict = wanted != "1" && std::env::var_os(ALL).is_some();
    let wrong = stream::iter(&mutants).map(|mutant| wrong_at(&environment, mutant, is_strict));
    assert_eq!(wrong.buffer_unordered(3).concat().await, Vec::<String>::new());
}
