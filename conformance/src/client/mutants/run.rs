//! Has the provisioner, and each broken client, judged.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::sync::watch;

use super::file::Mutant;
use crate::client::driver::Driver;
use crate::client::driver::in_process::{InProcess, InProcessError, METHODS};
use crate::client::environment::{Credentials, Environment};
use crate::client::load::Written;
use crate::client::mutants::proxy::Proxy;
use crate::client::scenario::Scenario;
use crate::client::{SUITE, judge, run};
use crate::mutants::defect::side_by_side;
use crate::mutants::kill_matrix::{KillTable, Row};
use crate::report::{Report, Verdict};

/// The token of the provisioner.
const TOKEN: &str = "a-token-for-broken-clients";

/// The scenarios for mutants that name none.
const USUAL: [&str; 3] = ["create", "update", "disable"];

/// The reason why nothing could be played.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The provisioner cannot be set up.
    #[error(transparent)]
    InProcess(#[from] InProcessError),
    /// The mock cannot be started.
    #[error("failed to start the mock")]
    Mock(#[from] mock_aquera::StartError),
    /// The proxy in front of the mock cannot be started.
    #[error("failed to start the proxy")]
    Proxy(#[source] std::io::Error),
    /// A mutant cannot be played.
    #[error("failed to play the mutant `{slug}`")]
    Mutant {
        /// The mutant.
        slug: String,
        /// The cause.
        source: Box<RunError>,
    },
}

/// Judges our own provisioner with an update method, in no time; a mutant may be in between.
///
/// # Errors
/// The mock or the provisioner cannot be set up.
pub async fn judged(
    written: &Written,
    scenarios: &[Scenario],
    method: &str,
    mutant: Option<&Mutant>,
) -> Result<Report, RunError> {
    let mut own = InProcess::new(method, 1)?;
    let credentials = Credentials {
        bearer: TOKEN.to_owned(),
        basic_user: "nobody".to_owned(),
        basic_password: "a-password-for-broken-clients".to_owned(),
    };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let environment = Environment::open(listen, credentials, Some(own.clock()), 1).await;
    let mut environment = environment?;
    let proxy = match mutant {
        Some(mutant) => {
            Some(Proxy::start(mutant, &environment.scim_url(), TOKEN).await.map_err(RunError::Proxy)?)
        }
        None => None,
    };
    if let Some(proxy) = &proxy {
        own.point_at(proxy.url(&environment.scim_url()));
    }
    let mut driver = Driver::InProcess(Box::new(own));
    let (_sender, stop) = watch::channel(false);
    let trace = run::run(&mut environment, &mut driver, scenarios, stop, |_| {}).await;
    if let Driver::InProcess(own) = driver {
        own.close().await;
    }
    drop(proxy);
    environment.close().await;
    Ok(Report::new(SUITE, "our provisioner", judge::all(&written.cases, &trace)))
}

/// Has the mutants judged, `jobs` at a time, each in the scenarios of the cases that name it.
///
/// # Errors
/// The mock or the provisioner cannot be set up.
pub async fn run(
    written: &Written,
    mutants: Vec<Mutant>,
    jobs: usize,
    told: impl FnMut(&Row),
) -> Result<KillTable, RunError> {
    let mut clean = Vec::new();
    for method in METHODS {
        let scenarios = fair(&written.scenarios, method);
        let report = judged(written, &scenarios, method, None).await?;
        clean.extend(report.cases.into_iter().map(|mut case| {
            case.id = format!("{} ({method})", case.id);
            case
        }));
    }
    // What was left out is not wrong.
    clean.retain(|case| case.verdict != Verdict::Skipped);
    let clean = Report::new(SUITE, "our provisioner", clean);
    let shared = Arc::new(written.clone());
    let rows = side_by_side(mutants, jobs, |mutant| row(shared.clone(), mutant), told).await?;
    let cases: Vec<_> = written.cases.iter().map(|case| (case.id(), case.level)).collect();
    Ok(KillTable::of_clients(rows, &clean, &cases))
}

/// Returns the scenarios that an update method can pass: a client that insists on PATCH has no method left if there
/// is none.
pub fn fair(scenarios: &[Scenario], method: &str) -> Vec<Scenario> {
    scenarios.iter().filter(|scenario| method != "patch" || scenario.slug != "no-patch").cloned().collect()
}

async fn row(written: Arc<Written>, mutant: Mutant) -> Result<Row, RunError> {
    let named = written.cases.iter().filter(|case| mutant.found_by.contains(&case.id()));
    let mut wanted: BTreeSet<&str> = named.flat_map(|case| &case.scenarios).map(String::as_str).collect();
    wanted.extend(mutant.scenarios.iter().map(String::as_str));
    if wanted.is_empty() {
        wanted.extend(USUAL);
    }
    let meant = |scenario: &&Scenario| scenario.always || wanted.contains(scenario.slug.as_str());
    let scenarios: Vec<Scenario> = written.scenarios.iter().filter(meant).cloned().collect();
    let report = judged(&written, &scenarios, &mutant.method, Some(&mutant)).await;
    let report =
        report.map_err(|error| RunError::Mutant { slug: mutant.slug.clone(), source: Box::new(error) })?;
    Ok(Row::of(&mutant, &report))
}
