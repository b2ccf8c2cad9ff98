//! Traces of runs for OpenTelemetry: a run, its users, their requests, as spans.
//!
//! Spans go to a collector in the JSON encoding of OTLP over HTTP. Their attributes are words of this program and statuses;
//! no user, no account and no value is named. Ids follow from the run's id, which the audit log has too. A collector that
//! is slow or away never holds a run up: what does not fit in memory is dropped, and counted.

mod export;
mod span;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use self::export::Unsent;
pub use self::export::{Collector, CollectorError};
use self::span::{Kind, Span, id, number, text};
use crate::recording::{Observer, RequestAnswer, RequestRecord, RunEnd, RunStart, UserRecord};
use crate::report::{Outcome, word};

/// The number of spans of one request to the collector.
const BATCH: usize = 512;
/// The number of batches that wait for the collector.
const WAITING: usize = 64;
/// The time that the last spans get after a run.
const LAST: Duration = Duration::from_secs(20);

/// Collects the spans of the runs of one connection, and sends them.
pub struct Tracer {
    state: Mutex<State>,
    batches: mpsc::Sender<Vec<Span>>,
    dropped: AtomicU64,
}

/// The run that is traced.
#[derive(Default)]
struct State {
    run: String,
    trace_id: String,
    root: String,
    waiting: Vec<Span>,
}

/// The task that sends the spans.
#[derive(Debug)]
pub struct Exporter {
    task: JoinHandle<Unsent>,
    /// The origin of the collector.
    origin: String,
}

impl Exporter {
    /// Waits until the spans were sent, once the [`Tracer`] is gone, and tells how many were not.
    pub async fn finish(mut self) {
        let Ok(Ok(unsent)) = tokio::time::timeout(LAST, &mut self.task).await else {
            self.task.abort();
            let seconds = LAST.as_secs();
            tracing::warn!(
                collector = self.origin,
                seconds,
                "failed to send the last spans to the collector in time"
            );
            return;
        };
        let Unsent { spans, cause } = unsent;
        if spans > 0 {
            tracing::warn!(collector = self.origin, cause, spans, "failed to send spans to the collector");
        }
    }
}

impl Tracer {
    /// Starts to send the spans of the connection `name` to `collector`.
    pub fn start(collector: Collector, name: &str) -> (Arc<Self>, Exporter) {
        let (batches, queue) = mpsc::channel(WAITING);
        let origin = collector.origin();
        let task = tokio::spawn(export::run(collector, name.to_owned(), queue));
        let state = Mutex::new(State::default());
        (Arc::new(Self { state, batches, dropped: AtomicU64::new(0) }), Exporter { task, origin })
    }

    fn add(&self, make: impl FnOnce(&State) -> Span) {
        let batch = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let span = make(&state);
            state.waiting.push(span);
            if state.waiting.len() < BATCH {
                return;
            }
            std::mem::take(&mut state.waiting)
        };
        self.send(batch);
    }

    fn send(&self, batch: Vec<Span>) {
        let spans = batch.len() as u64;
        if spans > 0 && self.batches.try_send(batch).is_err() {
            self.dropped.fetch_add(spans, Ordering::Relaxed);
        }
    }
}

impl Observer for Tracer {
    fn run_started(&self, run: &RunStart<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        run.id.clone_into(&mut state.run);
        state.trace_id = id(&["trace", run.id], 32);
        state.root = id(&["run", run.id], 16);
    }

    fn request(&self, request: &RequestRecord) {
        self.add(|state| {
            let parent = request.user.map_or_else(|| state.root.clone(), |user| user_id(&state.run, user));
            let mut attributes = vec![
                text("http.request.method", &request.method),
                text("url.template", &request.endpoint),
                text("provisioner.request.id", &request.id),
            ];
            let error = match request.answer {
                RequestAnswer::Status(status) => {
                    attributes.push(number("http.response.status_code", u64::from(status)));
                    (status >= 400).then(|| status.to_string())
                }
                RequestAnswer::Failed(why) => Some(why.to_owned()),
            };
            attributes.extend(error.as_deref().map(|error| text("error.type", error)));
            Span {
                trace_id: state.trace_id.clone(),
                id: id(&["request", &request.id], 16),
                parent: Some(parent),
                name: format!("{} {}", request.method, request.endpoint),
                kind: Kind::Client,
                started: request.at,
                ended: request.at + request.duration,
                attributes,
                error,
            }
        });
    }

    fn user(&self, user: &UserRecord<'_>) {
        self.add(|state| Span {
            trace_id: state.trace_id.clone(),
            id: user_id(&state.run, user.number),
            parent: Some(state.root.clone()),
            name: "user".to_owned(),
            kind: Kind::Internal,
            started: user.started,
            ended: user.at,
            attributes: vec![
                text("provisioner.change", &word(&user.line.change)),
                text("provisioner.operation", &word(&user.line.operation)),
                text("provisioner.outcome", &word(&user.line.outcome)),
                text("provisioner.reason", &word(&user.line.reason)),
            ],
            error: (user.line.outcome == Outcome::Failed).then(|| word(&user.line.reason)),
        });
    }

    fn run_ended(&self, run: &RunEnd<'_>) {
        let summary = run.summary;
        self.add(|state| {
            let mut attributes = vec![
                text("provisioner.run", &state.run),
                number("provisioner.users", summary.users),
                number("provisioner.impacted", summary.impacted),
                number("provisioner.failed", summary.failed),
                number("provisioner.requests", summary.requests),
                number("process.exit.code", u64::from(summary.exit_code.0.code())),
            ];
            let stopped = summary.stopped.as_ref().map(|stopped| stopped.code.to_owned());
            attributes.extend(stopped.as_deref().map(|code| text("error.type", code)));
            Span {
                trace_id: state.trace_id.clone(),
                id: state.root.clone(),
                parent: None,
                name: run.command.to_owned(),
                kind: Kind::Internal,
                started: run.started,
                ended: run.at,
                attributes,
                error: stopped,
            }
        });
        let last = std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).waiting);
        self.send(last);
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(dropped, "dropped spans, because the collector did not keep up");
        }
    }
}

fn user_id(run: &str, number: u64) -> String {
    id(&["user", run, &number.to_string()], 16)
}
