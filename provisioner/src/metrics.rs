//! Figures of the runs in Prometheus' text format, and the server that answers a scrape.
//!
//! No label holds personal data: outcomes, reasons, methods and statuses only.

mod server;

use std::time::{Duration, SystemTime};

use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use self::server::{MetricsAddress, MetricsServer};
use crate::clock::seconds;
use crate::exit::Exit;
use crate::recording::{GroupRecord, Observer, RequestRecord, RunEnd, RunStart, UserRecord};
use crate::report::word;

/// The names and values of a metric's labels.
type Labels = Vec<(&'static str, String)>;

/// Upper bounds of the durations of requests, in seconds.
const BOUNDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The figures of one connection.
pub struct Metrics {
    registry: Registry,
    users: Family<Labels, Counter>,
    groups: Family<Labels, Counter>,
    requests: Family<Labels, Counter>,
    retries: Counter,
    request_duration: Family<Labels, Histogram, fn() -> Histogram>,
    runs: Family<Labels, Counter>,
    // A family has no value until one is known: absent figures are told from zero.
    run_duration: Family<Labels, Gauge<f64, std::sync::atomic::AtomicU64>>,
    running: Gauge,
    last_run: Family<Labels, Gauge>,
    last_success: Family<Labels, Gauge>,
    source_users: Family<Labels, Gauge>,
    quarantined: Gauge,
}

fn durations() -> Histogram {
    Histogram::new(BOUNDS)
}

impl Metrics {
    /// Creates the figures of the connection `name`; every one of them carries it as a label.
    pub fn new(name: &str) -> Self {
        let label = ("connection".into(), name.to_owned().into());
        let mut metrics = Self {
            registry: Registry::with_prefix_and_labels("provisioner", std::iter::once(label)),
            users: Family::default(),
            groups: Family::default(),
            requests: Family::default(),
            retries: Counter::default(),
            request_duration: Family::new_with_constructor(durations),
            runs: Family::default(),
            run_duration: Family::default(),
            running: Gauge::default(),
            last_run: Family::default(),
            last_success: Family::default(),
            source_users: Family::default(),
            quarantined: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("users", "Users that were settled, by outcome and reason", metrics.users.clone());
        registry.register(
            "groups",
            "Groups that were settled, by outcome and reason",
            metrics.groups.clone(),
        );
        registry.register(
            "requests",
            "Requests to the target, by method and status; without an answer, the kind of the failure",
            metrics.requests.clone(),
        );
        registry.register("request_retries", "Requests that were tried again", metrics.retries.clone());
        registry.register(
            "request_duration_seconds",
            "Time from sending a request to the end of its answer, by method",
            metrics.request_duration.clone(),
        );
        registry.register("runs", "Runs that have ended, by command and exit code", metrics.runs.clone());
        registry.register("run_duration_seconds", "Duration of the last run", metrics.run_duration.clone());
        registry.register("running", "1 while a run is in progress", metrics.running.clone());
        registry.register("last_run_timestamp_seconds", "End of the last run", metrics.last_run.clone());
        registry.register(
            "last_success_timestamp_seconds",
            "End of the last run with exit code 0",
            metrics.last_success.clone(),
        );
        registry.register(
            "source_users",
            "Users in the source in the last run",
            metrics.source_users.clone(),
        );
        registry.register(
            "quarantined",
            "1 while the connection is in quarantine",
            metrics.quarantined.clone(),
        );
        metrics
    }

    /// Notes the ends of earlier runs, so that they are known before the first run has ended.
    pub fn note_earlier(&self, last_run: Option<SystemTime>, last_success: Option<SystemTime>) {
        for (gauge, at) in [(&self.last_run, last_run), (&self.last_success, last_success)] {
            if let Some(at) = at {
                set(gauge, gauge_seconds(at));
            }
        }
    }

    /// Notes whether the connection is in quarantine.
    pub fn note_quarantine(&self, is_quarantined: bool) {
        self.quarantined.set(i64::from(is_quarantined));
    }

    /// Returns all figures in Prometheus' text format.
    ///
    /// # Errors
    /// The text cannot be written.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn set(gauge: &Family<Labels, Gauge>, value: i64) {
    gauge.get_or_create(&Labels::new()).set(value);
}

fn gauge_seconds(at: SystemTime) -> i64 {
    i64::try_from(seconds(at)).unwrap_or(i64::MAX)
}

impl Observer for Metrics {
    fn run_started(&self, _run: &RunStart<'_>) {
        self.running.set(1);
    }

    fn source_read(&self, users: u64) {
        set(&self.source_users, i64::try_from(users).unwrap_or(i64::MAX));
    }

    fn request(&self, request: &RequestRecord) {
        let method = ("method", request.method.clone());
        self.request_duration.get_or_create(&vec![method.clone()]).observe(request.duration.as_secs_f64());
        self.requests.get_or_create(&vec![method, ("status", request.answer.to_string())]).inc();
    }

    fn retried(&self) {
        self.retries.inc();
    }

    fn user(&self, user: &UserRecord<'_>) {
        let labels = vec![("outcome", word(&user.line.outcome)), ("reason", word(&user.line.reason))];
        self.users.get_or_create(&labels).inc();
    }

    fn group(&self, group: &GroupRecord<'_>) {
        let labels = vec![("outcome", word(&group.line.outcome)), ("reason", word(&group.line.reason))];
        self.groups.get_or_create(&labels).inc();
    }

    fn run_ended(&self, run: &RunEnd<'_>) {
        let exit = run.summary.exit_code.0;
        let labels = vec![("command", run.command.to_owned()), ("exit_code", exit.code().to_string())];
        self.runs.get_or_create(&labels).inc();
        self.running.set(0);
        if run.summary.dry_run {
            return;
        }
        let duration: Duration = run.at.duration_since(run.started).unwrap_or_default();
        self.run_duration.get_or_create(&Labels::new()).set(duration.as_secs_f64());
        set(&self.last_run, gauge_seconds(run.at));
        if exit == Exit::Done {
            set(&self.last_success, gauge_seconds(run.at));
        }
        let is_refused = run.summary.stopped.as_ref().is_some_and(|stopped| stopped.code == "quarantined");
        self.note_quarantine(is_refused || run.summary.quarantine.is_some());
    }
}
