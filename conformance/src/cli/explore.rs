//! `conformance explore`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::sync::watch;

use crate::causes::with_causes;
use crate::cli::progress::Progress;
use crate::cli::reporting::Reporting;
use crate::cli::server::{Access, any_seed, template, test_connection};
use crate::cli::signal::{interrupt, what_stays};
use crate::cli::time::positive_time;
use crate::cli::{Complaint, runtime};
use crate::exit::Exit;
use crate::explore::{self, Explored, Options, PLAYED, Subject, explore};
use crate::format;
use crate::report::labels;
use crate::server::{PREFIX, run_name};

#[derive(Debug, Args)]
pub(super) struct Explore {
    /// The SCIM base URL, as in https://example.com/scim/v2
    #[arg(value_name = "URL")]
    url: String,
    #[command(flatten)]
    access: Access,
    /// Number of sequences to play; 500 unless --time is given
    #[arg(long, value_name = "N")]
    sequences: Option<NonZeroUsize>,
    /// Begin no sequence after this time, as in 60s or 5m
    #[arg(long, value_name = "TIME", value_parser = positive_time)]
    time: Option<Duration>,
    /// Largest number of operations in a sequence
    #[arg(long, value_name = "N", default_value = "12")]
    steps: NonZeroUsize,
    /// Begin no sequence after this number of findings
    #[arg(long, value_name = "N", default_value = "50")]
    findings: NonZeroUsize,
    /// Number of sequences to play in parallel
    #[arg(long, value_name = "N", default_value = "8")]
    jobs: NonZeroUsize,
    /// The same seed makes the same sequences; by default another one each time
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// A user to start from, as JSON; `{{unique}}` in it becomes a unique name
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Write each finding as a case file, for `conformance server --cases DIR`
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    #[command(flatten)]
    reporting: Reporting,
}

/// Kinds of things that a server lacks, as the terminal shows them.
const LEFT_OUT_SHOWN: usize = 8;

/// Attributes and texts of one kind, as the terminal shows them.
const OF_EACH_SHOWN: usize = 3;

/// The time to shrink one finding.
const PATIENCE: Duration = Duration::from_secs(10);

/// The number of sequences if nothing is limited.
const SEQUENCES: usize = 500;

/// The number of sequences if only the time is limited.
const NO_LIMIT: usize = usize::MAX;

impl Explore {
    pub(super) fn run(&self) -> Result<Exit, Complaint> {
        let client = self.access.client(&self.url)?;
        let blank = template(self.template.as_deref())?;
        let seed = self.seed.unwrap_or_else(any_seed);
        let ending = self.reporting.open(client.redactor().own_requests(blank.templates.get("user")))?;
        if let Some(folder) = &self.save {
            std::fs::create_dir_all(folder).map_err(|error| {
                Complaint::usage(format!("failed to make the folder {}: {error}", folder.display()))
            })?;
        }
        let runtime = runtime()?;
        let facts = runtime.block_on(test_connection(&client, "explore", seed, |_| (), &ending))?;
        let usual = if self.time.is_some() { NO_LIMIT } else { SEQUENCES };
        let sequences = self.sequences.map_or(usual, NonZeroUsize::get);
        eprintln!(
            "{}: {}, about 50 requests each; at most {} users and groups at a time (once 210 more), named {PREFIX}{}-…; seed {seed}",
            client.base(),
            self.extent(sequences),
            self.jobs.get() * (self.steps.get() + 1),
            run_name(seed)
        );
        let (length, what) = match self.time {
            Some(time) if sequences == NO_LIMIT => {
                (usize::try_from(time.as_secs()).unwrap_or(NO_LIMIT), "seconds")
            }
            _ => (sequences, "sequences"),
        };
        let progress = Progress::new(length, what);
        let notices = progress.clone();
        client.notify_with(move |line| notices.say(line));
        let started = Instant::now();
        let told = std::cell::Cell::new(0);
        let (explored, interrupted) = runtime.block_on(async {
            let (stopper, stop) = watch::channel(false);
            client.stop_with(stop.clone());
            let stays = what_stays(client.base(), &run_name(seed));
            let above = progress.clone();
            tokio::spawn(interrupt(stopper, stays, false, move |line| above.say(line)));
            let options = Options {
                jobs: self.jobs.get(),
                seed,
                steps: self.steps.get(),
                sequences,
                findings: self.findings.get(),
                patience: PATIENCE,
                time: self.time,
                blank,
                stop: stop.clone(),
            };
            let tell = |event: explore::Progress<'_>| match event {
                explore::Progress::Played if what == "sequences" => progress.inc(),
                explore::Progress::Played => {
                    let seconds = usize::try_from(started.elapsed().as_secs()).unwrap_or(length).min(length);
                    (told.get()..seconds).for_each(|_| progress.inc());
                    told.set(seconds.max(told.get()));
                }
                explore::Progress::Broken(why) => {
                    progress.say(&format!("a sequence broke off: {}", format::one_line(why)));
                }
                explore::Progress::Found { why, .. } => {
                    progress.say(&format!("found, and shrinking: {}", format::one_line(why)));
                }
            };
            let explored = explore(&client, &facts, &options, &tell).await.map_err(Complaint::broken_by)?;
            progress.end();
            if let Some(folder) = &self.save {
                save(&explored, folder, Subject { client: &client, facts: &facts, options: &options }).await;
            }
            let interrupted = *stop.borrow();
            Ok::<_, Complaint>((explored, interrupted))
        })?;
        for case in &explored.report.cases {
            ending.tell("case", case)?;
        }
        let mut lines = String::new();
        let fact = |name: &str| explored.report.facts.get(name).cloned().unwrap_or_default();
        append!(lines, "{}\n", fact(PLAYED));
        let left_out = explored.left_out_briefly(OF_EACH_SHOWN);
        if !left_out.is_empty() {
            append!(lines, "left out, because the server does not do it:\n");
            for line in left_out.iter().take(LEFT_OUT_SHOWN) {
                append!(lines, "  {}\n", format::one_line(line));
            }
            let more = left_out.len().saturating_sub(LEFT_OUT_SHOWN);
            if more > 0 {
                append!(lines, "  and {more} more, which the reports name\n");
            }
        }
        if !explored.left_behind.is_empty() {
            append!(
                lines,
                "warning: {} stayed at the server, which did not delete them; remove them: conformance clean {}\n",
                labels::count(explored.left_behind.len(), "resource"),
                client.base()
            );
        }
        let catalogue: Vec<_> = explored.report.cases.iter().map(|case| case.id.clone()).collect();
        let exit = ending.finish(explored.report, catalogue)?;
        eprint!("{lines}");
        Ok(if interrupted { Exit::Broken } else { exit })
    }

    fn extent(&self, sequences: usize) -> String {
        let steps = self.steps.get();
        match self.time {
            Some(time) if sequences == NO_LIMIT => {
                format!("sequences of up to {steps} operations for {} s", time.as_secs())
            }
            _ => format!("{sequences} sequences of up to {steps} operations"),
        }
    }
}

/// Writes the findings as case files, and says which.
async fn save(explored: &Explored, folder: &Path, subject: Subject<'_>) {
    for finding in &explored.findings {
        match finding.save(folder, subject).await {
            Ok(file) => eprintln!("saved {} as {}", finding.id(), folder.join(file).display()),
            Err(error) => eprintln!("not saved: {}: {}", finding.id(), with_causes(&error)),
        }
    }
}
