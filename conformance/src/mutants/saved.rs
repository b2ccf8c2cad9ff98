//! Findings of `explore` at mutants, saved as cases: each fails at its mutant, and passes at the server without a defect.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mock_aquera::{ApplicationConfig, Auth, MockAquera, Profile};
use tokio::sync::watch;

use crate::case::load as cases;
use crate::explore::{self, Progress};
use crate::mutants::file::Mutant;
use crate::mutants::load;
use crate::mutants::proxy::Proxy;
use crate::report::{CaseResult, Verdict};
use crate::server::discovery::{Blank, Facts};
use crate::server::{self, Options};
use crate::subject::server::client::{Client, Credentials, Manners};

const TOKEN: &str = "mutant-token";

/// The mock, and the proxy in front of it.
struct Stage {
    mock: MockAquera,
    proxy: Arc<Proxy>,
}

impl Stage {
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

/// Explores a server until the named rules have found something.
async fn explored(client: Client, mut named: BTreeSet<String>) -> explore::Explored {
    let facts = Facts::ask(&client).await;
    let (sender, stop) = watch::channel(false);
    let options = explore::Options {
        jobs: 4,
        seed: 1,
        steps: 12,
        sequences: 60,
        findings: 6,
        patience: Duration::from_secs(10),
        time: None,
        blank: Blank::default(),
        stop,
    };
    let runtime = tokio::runtime::Handle::current();
    // Its state cannot move between threads.
    let explored = tokio::task::spawn_blocking(move || {
        let named = std::cell::RefCell::new(&mut named);
        let told = |event: Progress<'_>| {
            if let Progress::Found { rule, .. } = event {
                named.borrow_mut().remove(rule);
                sender.send_replace(named.borrow().is_empty());
            }
        };
        runtime.block_on(explore::explore(&client, &facts, &options, &told))
    });
    explored.await.expect("an end").expect("a server with users")
}

/// Plays the cases of a folder.
async fn played(client: Client, folder: &Path) -> Vec<CaseResult> {
    let cases = cases::folder(folder).expect("good cases");
    let facts = Facts::ask(&client).await;
    let (_sender, stop) = watch::channel(false);
    let options = Options { jobs: 2, seed: 3, keep: false, keep_exchanges: true, blank: Blank::default(), stop };
    server::run(client, facts, &cases, options, |_| ()).await.cases
}

/// What is wrong with the saved findings at a mutant, in lines.
async fn wrong_at(stage: &Stage, mutant: &Mutant) -> Vec<String> {
    let named: BTreeSet<String> =
        mutant.found_by.iter().filter_map(|id| id.strip_prefix("explore/")).map(ToOwned::to_owned).collect();
    let slug = &mutant.slug;
    let client = stage.client(slug, Some(mutant));
    let explored = explored(client.clone(), named.clone()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut wrong = Vec::new();
    let mut saved = BTreeSet::new();
    for finding in &explored.findings {
        match finding.save(folder.path(), &client) {
            Ok(_) => drop(saved.insert(finding.id())),
            Err(error) => wrong.push(format!("{slug}: {} is not saved: {error}", finding.id())),
        }
    }
    let of_rule = |rule: &String| saved.iter().any(|id| id.starts_with(&format!("explore/{rule}/")));
    wrong.extend(named.iter().filter(|rule| !of_rule(rule)).map(|rule| format!("{slug}: nothing of {rule} is saved")));
    if saved.is_empty() {
        return wrong;
    }
    for (name, defect, wanted) in [("again", Some(mutant), false), ("clean", None, true)] {
        let client = stage.client(&format!("{slug}-{name}"), defect);
        for result in played(client, folder.path()).await {
            let is_met = match result.verdict {
                Verdict::Pass => wanted,
                Verdict::Fail | Verdict::Warn => !wanted,
                Verdict::NotAdvertised | Verdict::Skipped | Verdict::Error => false,
            };
            if !is_met {
                let because = result.because.clone().unwrap_or_default();
                wrong.push(format!("{slug}: {} {} at the {name} server: {because}", result.id, result.verdict.as_str()));
            }
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn saved_findings_fail_at_the_mutant_and_pass_at_a_clean_server() {
    let stage = Stage::start().await;
    let only = std::env::var("MUTANTS").unwrap_or_default();
    let mut wrong = Vec::new();
    for mutant in load::built_in().expect("good mutants") {
        let by_explore = mutant.found_by.iter().any(|id| id.starts_with("explore/"));
        if !by_explore || !mutant.slug.contains(&only) {
            continue;
        }
        let started = std::time::Instant::now();
        let more = wrong_at(&stage, &mutant).await;
        eprintln!("{} {:?}", mutant.slug, started.elapsed());
        for line in &more { eprintln!("  {line}"); }
        wrong.extend(more);
    }
    assert_eq!(wrong, Vec::<String>::new());
}
