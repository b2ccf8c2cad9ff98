//! `--metrics` and `--otlp` of `watch`: one series and one collector for all its runs.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use url::Url;

use super::output::Output;
use super::telemetry::{collector, note_earlier, serve};
use crate::config::Config;
use crate::exit::Exit;
use crate::metrics::{Metrics, MetricsAddress, MetricsServer};
use crate::recording::Observer;
use crate::state::store::{Access, Durability, Store};
use crate::trace::{Collector, Exporter, Tracer};

#[derive(Debug, Args)]
pub(super) struct WatchTelemetryArgs {
    /// Serves Prometheus metrics at /metrics while it watches. A port alone is one of this machine only.
    #[arg(long, value_name = "ADDR", help_heading = "Telemetry")]
    metrics: Option<MetricsAddress>,
    /// Sends traces to this OpenTelemetry collector, as OTLP over HTTP; headers from OTEL_EXPORTER_OTLP_HEADERS.
    #[arg(long, value_name = "URL", value_parser = Collector::url, help_heading = "Telemetry")]
    otlp: Option<Url>,
}

/// The telemetry of all runs of one watch.
#[derive(Default)]
pub(super) struct WatchTelemetry {
    observers: Vec<Arc<dyn Observer>>,
    /// Serves until it is dropped.
    server: Option<MetricsServer>,
    exporter: Option<Exporter>,
}

impl WatchTelemetryArgs {
    /// Starts what the command line asks for; the metrics begin with what is stored of earlier runs.
    ///
    /// # Errors
    /// An address, a collector or the state cannot be used, which is printed.
    pub(super) async fn start(&self, config: &Config, state: &Path) -> Result<WatchTelemetry, Exit> {
        let mut telemetry = WatchTelemetry::default();
        if let Some(address) = self.metrics {
            let metrics = Arc::new(Metrics::new(&config.name));
            let url = &config.authentication.scim_url;
            let store = Store::open(state, url, Durability::Full, Access::Read).await.map_err(|error| {
                Output::store_error(&error);
                Exit::Usage
            })?;
            note_earlier(&metrics, &store.connection());
            let server = serve(address, Arc::clone(&metrics)).await?;
            Output::notice(&format!("serving metrics at http://{}/metrics", server.address()));
            telemetry.server = Some(server);
            telemetry.observers.push(metrics);
        }
        if let Some(url) = &self.otlp {
            let (tracer, exporter) = Tracer::start(collector(url, config)?, &config.name);
            telemetry.observers.push(tracer);
            telemetry.exporter = Some(exporter);
        }
        Ok(telemetry)
    }
}

impl WatchTelemetry {
    /// Returns the observers of a run.
    pub(super) fn observers(&self) -> Vec<Arc<dyn Observer>> {
        self.observers.clone()
    }

    /// Sends what is left to send.
    pub(super) async fn finish(self) {
        let Self { observers, exporter, server } = self;
        drop(server);
        // The exporter ends once no one sends to it.
        drop(observers);
        if let Some(exporter) = exporter {
            exporter.finish().await;
        }
    }
}
