//! `conformance probe`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::sync::watch;

use crate::cli::progress::Progress;
use crate::cli::reporting::{Reporting, check_writable};
use crate::cli::server::{Access, any_seed, cut_short, template, test_connection, way_out};
use crate::cli::signal::{interrupt, what_stays};
use crate::cli::{Complaint, runtime, say};
use crate::exit::Exit;
use crate::format;
use crate::probe::cost::cost;
use crate::probe::experiment::{Options, probe};
use crate::probe::inference::infer_profile;
use crate::probe::outcome::Outcome;
use crate::probe::report;
use crate::probe::variant::load::built_in;
use crate::report::labels;
use crate::server::sweep::Staying;
use crate::server::{INTERRUPTED, PREFIX, run_name, sweep};

/// A search that takes longer is told of.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct Probe {
    /// The SCIM base URL, as in https://example.com/scim/v2
    #[arg(value_name = "URL")]
    url: String,
    #[command(flatten)]
    access: Access,
    /// Write a profile of mock-aquera that behaves the same
    #[arg(long, value_name = "FILE.toml")]
    out: Option<PathBuf>,
    /// Number of forms to try in parallel
    #[arg(long, value_name = "N", default_value = "4")]
    jobs: NonZeroUsize,
    /// Names of what is made follow from it; by default another one each time
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// A user to start from, as JSON; `{{unique}}` in it becomes a unique name
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    #[command(flatten)]
    reporting: Reporting,
}

impl Probe {
    pub(super) fn run(&self) -> Result<Exit, Complaint> {
        let variants = built_in().map_err(Complaint::broken_by)?;
        let client = self.access.client(&self.url)?;
        let blank = template(self.template.as_deref())?;
        let seed = self.seed.unwrap_or_else(any_seed);
        let ending = self.reporting.open(client.redactor().own_requests(blank.templates.get("user")))?;
        if let Some(file) = &self.out {
            // Found out now, not when everything has been tried.
            check_writable(file)?;
        }
        let runtime = runtime()?;
        let facts = runtime.block_on(test_connection(&client, "probe", seed, |_| (), &ending))?;
        eprintln!("{}: {}, named {PREFIX}{}-…", client.base(), cost(variants), run_name(seed));
        let progress = Progress::new(variants.len(), "forms");
        let notices = progress.clone();
        client.notify_with(move |line| notices.say(line));
        let started = Instant::now();
        let (findings, staying, unsearched, inferred, interrupted) = runtime.block_on(async {
            let (stopper, stop) = watch::channel(false);
            client.stop_with(stop.clone());
            let above = progress.clone();
            let stays = what_stays(client.base(), &run_name(seed));
            tokio::spawn(interrupt(stopper, stays, false, move |line| above.say(line)));
            let options = Options { jobs: self.jobs.get(), seed, keep: false, blank, stop: stop.clone() };
            let mut findings = probe(variants, &client, &facts, &options, &|| progress.inc()).await;
            progress.end();
            let mut removed = sweep::remove(&client, &facts, &run_name(seed)).await;
            removed.and(&client, std::mem::take(&mut findings.left_behind)).await;
            let staying = Staying::of(removed.stay.values());
            findings.left_behind = removed.stay.into_keys().collect();
            let unsearched = removed.unsearched;
            let inferred = match &self.out {
                // A profile of half of the forms would say that the rest works.
                Some(_) if !*stop.borrow() => {
                    Some(search(infer_profile(&findings, stop.clone())).await.map_err(Complaint::broken_by)?)
                }
                Some(_) | None => None,
            };
            let interrupted = *stop.borrow();
            Ok::<_, Complaint>((findings, staying, unsearched, inferred, interrupted))
        })?;
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if !findings.left_behind.is_empty() {
            let clean = format!("conformance clean {}", findings.subject);
            let stay = findings.left_behind.len();
            eprint!(
                "warning: {} stayed at the server, which did not delete them\n{}",
                labels::count(stay, "resource"),
                way_out(staying, &clean)
            );
        }
        if !unsearched.is_empty() {
            let where_not = unsearched.join("; ");
            eprintln!(
                "warning: what the run may have left could not be searched to the end: {}",
                format::one_line(&where_not)
            );
        }
        if !self.reporting.json {
            say(&format!("{}\n", report::text(&findings)))?;
        }
        if let Some(hint) = report::hint(&findings) {
            eprintln!("hint: {}", format::one_line(&hint));
        }
        if interrupted {
            let untried = findings.findings.iter().filter(|finding| is_untried(&finding.outcome)).count();
            eprint!("{}", cut_short(untried, variants.len(), "forms"));
            if let Some(file) = &self.out {
                eprintln!("{} is not written: a profile needs a run that comes to its end", file.display());
            }
        } else if let (Some(file), Some(inferred)) = (&self.out, &inferred) {
            std::fs::write(file, inferred.profile.to_toml())
                .map_err(|error| Complaint::broken(format!("failed to write {}: {error}", file.display())))?;
            eprint!("{}", report::inference_text(inferred, &findings, &file.display().to_string()));
        }
        for case in report::report(&findings, seed, milliseconds).cases {
            ending.tell("case", &case)?;
        }
        let exit = ending.finish(
            report::report(&findings, seed, milliseconds),
            variants.iter().map(report::id).chain([report::ACTIVE_TYPE.to_owned()]),
        )?;
        Ok(if interrupted { Exit::Broken } else { exit })
    }
}

/// Whether a variant was not tried because the run was interrupted.
fn is_untried(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Untried(why) if why == INTERRUPTED)
}

/// Waits for the search for a profile, and says so where it takes long.
async fn search<T>(inference: impl Future<Output = T>) -> T {
    let mut inference = std::pin::pin!(inference);
    if let Ok(inferred) = tokio::time::timeout(PATIENCE, inference.as_mut()).await {
        return inferred;
    }
    eprintln!(
        "everything was tried; searching for a profile that answers the same, which can take some minutes"
    );
    inference.await
}
