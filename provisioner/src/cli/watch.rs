//! `provisioner watch`: a sync whenever a file changes, by a schedule, or at an event of PingOne.
//!
//! Each run loads the configuration anew and opens the state for itself, so that a person can correct the one and look at the
//! other meanwhile. A run that fails is told, and the next trigger tries again.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;

use super::output::Output;
use super::{Access, Allow, Approval, Common};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::signal::Signals;
use crate::state::location::StateLocation;
use crate::watch::files::FileWatch;
use crate::watch::pending::PendingEvents;
use crate::watch::schedule::Schedule;
use crate::watch::webhook::WebhookListener;
use crate::watch::{Trigger, Wanted};

#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    common: Common,
    /// Runs at these times, in UTC: minute, hour, day, month, day of the week.
    #[arg(long, value_name = "CRON")]
    schedule: Option<Schedule>,
    /// Listens for PingOne's webhooks at this port of this machine, or at this address; see [watch] in the configuration.
    #[arg(long, value_name = "ADDR", value_parser = address)]
    webhook: Option<SocketAddr>,
    /// Looks at the files this often; a change counts once it is at rest that long.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    interval: Duration,
}

/// Parses an address, or a port of this machine.
fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix(':').unwrap_or(text);
    if let Ok(port) = port.parse::<u16>() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    text.parse().map_err(|_| "expected a port such as 9000, or an address such as 127.0.0.1:9000".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<jiff::SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
    parsed.filter(|span| !span.is_zero()).ok_or_else(|| "expected a time such as 2s or 500ms".to_owned())
}

/// The end of the watching: what a signal sets.
#[derive(Clone, Default)]
struct Stop {
    /// Ends the watching, once it is set.
    watch: Interrupt,
    /// Ends the present run.
    run: Arc<Mutex<Option<Interrupt>>>,
}

impl Stop {
    /// Makes a run end with the watching.
    fn begin(&self, run: Interrupt) {
        if self.watch.is_interrupted() {
            run.interrupt();
        }
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = Some(run);
        // A signal between the look and the entry is not missed.
        if self.watch.is_interrupted() {
            self.set();
        }
    }

    fn set(&self) {
        self.watch.interrupt();
        if let Some(run) = &*self.run.lock().unwrap_or_else(PoisonError::into_inner) {
            run.interrupt();
        }
    }
}

pub(super) async fn run(args: &WatchArgs) -> Exit {
    let config = match args.common.load() {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    if config.source.path().is_none() && args.schedule.is_none() && args.webhook.is_none() {
        Output::error(
            "nothing to watch: this source is no file; give --schedule, as in --schedule \"*/15 * * * *\", or --webhook",
        );
        return Exit::Usage;
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let wanted = Wanted::default();
    let state = match args.common.state() {
        Ok(state) => state,
        Err(error) => {
            Output::error(&error.to_string());
            return Exit::Usage;
        }
    };
    let pending = Arc::new(PendingEvents::beside(&match state {
        StateLocation::File(state) => state,
        StateLocation::Postgres(_) => args.common.config.with_extension("db"),
    }));
    let listener = match listen(args, &config, &pending, &wanted, &clock).await {
        Ok(listener) => listener,
        Err(exit) => return exit,
    };
    let stop = Stop::default();
    let signals = tokio::spawn(stop_on_signal(stop.clone()));
    let files = FileWatch::new(paths(args, &config), args.interval, Arc::clone(&clock));
    wanted.add(Trigger::Start);
    let exit = watch(args, files, &wanted, &pending, &stop, &clock).await;
    signals.abort();
    drop(listener);
    exit
}

async fn listen(
    args: &WatchArgs,
    config: &Config,
    pending: &Arc<PendingEvents>,
    wanted: &Wanted,
    clock: &Arc<dyn Clock>,
) -> Result<Option<WebhookListener>, Exit> {
    let Some(address) = args.webhook else { return Ok(None) };
    let Some(credentials) = &config.webhook else {
        Output::error(
            "--webhook needs credentials: write webhook-header and webhook-secret, or webhook-user and webhook-password, under \
             [watch]",
        );
        return Err(Exit::Usage);
    };
    let (pending, wanted, clock) = (Arc::clone(pending), wanted.clone(), Arc::clone(clock));
    match WebhookListener::start(address, credentials, pending, wanted, clock).await {
        Ok(listener) => {
            Output::notice(&format!("listening for webhooks at http://{}/", listener.address()));
            if !address.ip().is_loopback() {
                Output::notice(
                    "  others can reach it, and it speaks plain http: put a proxy with TLS in front of it",
                );
            }
            Ok(Some(listener))
        }
        Err(error) => {
            Output::error(&format!(
                "failed to listen at {address}: {error}; choose another port with --webhook"
            ));
            Err(Exit::Usage)
        }
    }
}

/// Returns the files of which a change wants a run: the configuration, and those of the source.
fn paths(args: &WatchArgs, config: &Config) -> Vec<PathBuf> {
    let sources = [config.source.path(), config.source.groups_path()].into_iter().flatten();
    std::iter::once(args.common.config.clone()).chain(sources.map(std::path::Path::to_owned)).collect()
}

async fn watch(
    args: &WatchArgs,
    mut files: FileWatch,
    wanted: &Wanted,
    pending: &PendingEvents,
    stop: &Stop,
    clock: &Arc<dyn Clock>,
) -> Exit {
    loop {
        tokio::select! {
            () = stop.watch.interrupted() => return Exit::Done,
            () = wanted.any() => {}
            () = files.changed() => wanted.add(Trigger::Files),
            () = scheduled(args.schedule.as_ref(), clock) => wanted.add(Trigger::Schedule),
        }
        if ends_in_burst(wanted, args.interval, stop, clock).await {
            return Exit::Done;
        }
        let triggers: Vec<String> = wanted.take().iter().map(ToString::to_string).collect();
        Output::notice(&format!("sync: {}", triggers.join(", ")));
        let (exit, config) = sync(args, pending, stop).await;
        if let Some(config) = config {
            files.set_paths(paths(args, &config));
        }
        if stop.watch.is_interrupted() {
            return exit;
        }
        match exit {
            Exit::Done | Exit::SomeFailed => {}
            _ => Output::notice(&format!(
                "the run ended with exit code {}; the next trigger tries again",
                exit.code()
            )),
        }
    }
}

/// Waits for the next time of the schedule; without one for ever.
async fn scheduled(schedule: Option<&Schedule>, clock: &Arc<dyn Clock>) {
    match schedule.and_then(|schedule| schedule.wait(clock.now())) {
        Some(wait) => clock.sleep(wait).await,
        None => std::future::pending().await,
    }
}

/// Waits until a burst of events is over; returns whether the watching ended meanwhile.
async fn ends_in_burst(wanted: &Wanted, interval: Duration, stop: &Stop, clock: &Arc<dyn Clock>) -> bool {
    if !wanted.has(Trigger::Webhook) {
        return false;
    }
    tokio::select! {
        () = clock.sleep(interval) => false,
        () = stop.watch.interrupted() => true,
    }
}

/// Carries out one run with the configuration as it is now.
async fn sync(args: &WatchArgs, pending: &PendingEvents, stop: &Stop) -> (Exit, Option<Config>) {
    let provisioner = match args.common.open(Access::Write).await {
        Ok(provisioner) => provisioner,
        Err(exit) => return (exit, None),
    };
    let config = provisioner.config().clone();
    stop.begin(provisioner.interrupter());
    let seen = pending.seen();
    let report = provisioner.sync(Allow::default().options(&Approval::default())).await;
    provisioner.close().await;
    args.common.output().report(&report);
    if matches!(report.exit, Exit::Done | Exit::SomeFailed)
        && let Err(error) = pending.answered(seen)
    {
        tracing::warn!(%error, "failed to remove the file of received events; the next start runs once more");
    }
    (report.exit, Some(config))
}

async fn stop_on_signal(stop: Stop) {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::warn!(%error, "failed to listen for signals: they end the program at once");
            return;
        }
    };
    signals.next().await;
    Output::notice("stopping after the requests in flight; a second Ctrl-C stops at once");
    stop.set();
    signals.next().await;
    Output::error("stopped at once: the next sync looks up what became of the requests in flight");
    std::process::exit(i32::from(Exit::Interrupted.code()));
}
