//! `--metrics`, `--otlp` and `--report`: what a run tells others than the person who started it.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::Args;
use jiff::Timestamp;
use url::Url;

use super::confirmation;
use super::output::Output;
use super::output_files::{OutputFile, create, refuse_overwriting};
use crate::causes::with_cause;
use crate::config::{Config, Network};
use crate::document::{Document, RunNotes, SourceDigest, to_html, to_markdown};
use crate::engine::Provisioner;
use crate::exit::Exit;
use crate::metrics::{Metrics, MetricsAddress, MetricsServer};
use crate::recording::{Actor, Observer};
use crate::report::RunReport;
use crate::state::ConnectionRecord;
use crate::trace::{Collector, Exporter, Tracer};
use crate::transport::Transport;

/// The headers of requests to a collector, as OpenTelemetry names them.
const OTLP_HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

#[derive(Debug, Args)]
pub(super) struct TelemetryArgs {
    /// Serves Prometheus metrics at /metrics while the command runs. A port alone is one of this machine only.
    #[arg(long, value_name = "ADDR", help_heading = "Telemetry")]
    metrics: Option<MetricsAddress>,
    /// Sends traces to this OpenTelemetry collector, as OTLP over HTTP; headers from OTEL_EXPORTER_OTLP_HEADERS.
    #[arg(long, value_name = "URL", value_parser = Collector::url, help_heading = "Telemetry")]
    otlp: Option<Url>,
    /// Writes a report of the run for an auditor, as html=FILE or markdown=FILE; repeatable.
    #[arg(long = "report", value_name = "KIND=FILE", help_heading = "Telemetry")]
    reports: Vec<ReportFile>,
}

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReportKind {
    Html,
    Markdown,
}

/// A file for a report.
#[derive(Clone, Debug)]
struct ReportFile {
    kind: ReportKind,
    file: PathBuf,
}

impl FromStr for ReportFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected html=FILE or markdown=FILE".to_owned();
        let (kind, file) = text.split_once('=').filter(|(_, file)| !file.is_empty()).ok_or_else(expected)?;
        let kind = match kind {
            "html" => ReportKind::Html,
            "markdown" => ReportKind::Markdown,
            _ => return Err(expected()),
        };
        Ok(Self { kind, file: file.into() })
    }
}

/// The telemetry of one command.
pub(super) struct Telemetry {
    reports: Vec<(ReportFile, File)>,
    notes: Option<Arc<RunNotes>>,
    digest: Option<String>,
    /// Serves until it is dropped.
    _server: Option<MetricsServer>,
    exporter: Option<Exporter>,
}

impl TelemetryArgs {
    /// Starts what the command line asks for, and returns the provisioner with the observers of its runs; `read` are files
    /// that the command reads beside those of the connection.
    ///
    /// # Errors
    /// An address, a collector or a file cannot be used, which is printed.
    pub(super) async fn start(
        &self,
        provisioner: Provisioner,
        read: &[(&'static str, &Path)],
    ) -> Result<(Telemetry, Provisioner), Exit> {
        match self.prepare(&provisioner, read).await {
            Ok((telemetry, observers)) => Ok((telemetry, provisioner.observed_by(observers))),
            Err(exit) => {
                provisioner.close().await;
                Err(exit)
            }
        }
    }

    async fn prepare(
        &self,
        provisioner: &Provisioner,
        read: &[(&'static str, &Path)],
    ) -> Result<(Telemetry, Vec<Arc<dyn Observer>>), Exit> {
        let config = provisioner.config();
        let outputs: Vec<OutputFile<'_>> =
            self.reports.iter().map(|report| OutputFile { option: "--report", path: &report.file }).collect();
        refuse_overwriting(config, provisioner.state_file(), read, &outputs).map_err(|error| {
            Output::error(&error.to_string());
            Exit::Usage
        })?;
        let mut observers: Vec<Arc<dyn Observer>> = Vec::new();
        let reports = self.files()?;
        let notes = (!reports.is_empty()).then(|| Arc::new(RunNotes::default()));
        observers.extend(notes.clone().map(|notes| notes as Arc<dyn Observer>));
        let digest = notes.as_ref().and_then(|_| SourceDigest::of_file(config.source.path()?));
        let mut server = None;
        if let Some(address) = self.metrics {
            let metrics = Arc::new(Metrics::new(&config.name));
            note_earlier(&metrics, &provisioner.connection());
            server = Some(serve(address, Arc::clone(&metrics)).await?);
            observers.push(metrics);
        }
        let mut exporter = None;
        if let Some(url) = &self.otlp {
            let (tracer, started) = Tracer::start(collector(url, config)?, &config.name);
            observers.push(tracer);
            exporter = Some(started);
        }
        Ok((Telemetry { reports, notes, digest, _server: server, exporter }, observers))
    }

    /// Returns an option that is given, if one is.
    pub(super) fn given(&self) -> Option<&'static str> {
        let Self { metrics, otlp, reports } = self;
        [(!reports.is_empty(), "--report"), (metrics.is_some(), "--metrics"), (otlp.is_some(), "--otlp")]
            .into_iter()
            .find_map(|(is_given, option)| is_given.then_some(option))
    }

    /// Opens the files of the reports before the run: a run is not carried out whose report cannot be written.
    fn files(&self) -> Result<Vec<(ReportFile, File)>, Exit> {
        let open = |report: &ReportFile| match create(&report.file) {
            Ok(file) => Ok((report.clone(), file)),
            Err(error) => {
                let message = format!("failed to write the report to {}: {error}", report.file.display());
                Output::error(&message);
                Err(Exit::Usage)
            }
        };
        self.reports.iter().map(open).collect()
    }
}

impl Telemetry {
    /// Writes the reports of a run, and returns the exit code of the command.
    pub(super) fn write(&mut self, config: &Config, report: &RunReport) -> Exit {
        let Some(notes) = &self.notes else { return report.exit };
        let after = config.source.path().and_then(SourceDigest::of_file);
        let digest = SourceDigest::of_run(self.digest.take(), after);
        let who = Actor::of_process().to_string();
        let mut report = report.clone();
        report.summary.stopped = report.summary.stopped.as_ref().map(confirmation::stopped);
        let report = &report;
        let document = Document::new(config, report, notes, &who, digest);
        let mut exit = report.exit;
        for (ReportFile { kind, file: path }, mut file) in self.reports.drain(..) {
            let text = match kind {
                ReportKind::Html => to_html(&document),
                ReportKind::Markdown => to_markdown(&document),
            };
            if let Err(error) = file.write_all(text.as_bytes()) {
                Output::error(&format!("failed to write the report to {}: {error}", path.display()));
                exit = if exit == Exit::Done { Exit::Usage } else { exit };
            }
        }
        exit
    }

    /// Sends what is left to send, after the provisioner is closed.
    pub(super) async fn finish(self) {
        if let Some(exporter) = self.exporter {
            exporter.finish().await;
        }
    }
}

fn system_time(at: &str) -> Option<SystemTime> {
    let seconds = at.parse::<Timestamp>().ok()?.as_second();
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// Notes what is stored of earlier runs.
pub(super) fn note_earlier(metrics: &Metrics, record: &ConnectionRecord) {
    let last = record.last_run.as_ref();
    let at = last.and_then(|run| system_time(&run.at));
    metrics.note_earlier(at, at.filter(|_| last.is_some_and(|run| run.exit == Exit::Done.code())));
    metrics.note_quarantine(record.quarantine.is_some());
}

pub(super) async fn serve(address: MetricsAddress, metrics: Arc<Metrics>) -> Result<MetricsServer, Exit> {
    match MetricsServer::start(address, metrics).await {
        Ok(server) => {
            tracing::info!(address = %server.address(), "serving metrics at /metrics");
            Ok(server)
        }
        Err(error) => {
            Output::error(&format!(
                "failed to serve metrics: {error}; choose another address with --metrics"
            ));
            Err(Exit::Usage)
        }
    }
}

pub(super) fn collector(url: &Url, config: &Config) -> Result<Collector, Exit> {
    // The client certificate is for the target alone.
    let network = Network { identity: None, ..config.network.clone() };
    let failed = |message: String| {
        Output::error(&message);
        Exit::Usage
    };
    let transport = Transport::for_urls(&[url], config.options.ca_file.as_deref(), &network)
        .map_err(|error| failed(format!("{}; {}", with_cause(&error), error.way_out())))?;
    let headers = std::env::var(OTLP_HEADERS).ok();
    Collector::new(transport, url.clone(), headers.as_deref())
        .map_err(|error| failed(format!("{error}; correct {OTLP_HEADERS}")))
}
