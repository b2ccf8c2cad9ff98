//! Waiting for exchanges that are to come, and following them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_stream::{Stream, StreamExt as _};

use super::Shared;
use super::answer::{AdminError, Json, Named, Pairs, Span, answer, bad_body, bad_query, ok};
use super::journal::asked;
use crate::application::Application;
use crate::journal::{Exchange, JournalQuery, Live, Order};

/// How long is waited unless somebody says how long.
const USUAL_WAIT: Duration = Duration::from_secs(10);
/// How long is waited at most.
const LONGEST_WAIT: Duration = Duration::from_mins(10);
/// How often a line goes to a follower of a journal where nothing happens.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only describes the query")]
pub(super) struct WaitQuery {
    /// How many exchanges are waited for; 1 unless said otherwise.
    count: Option<usize>,
    /// How long: `30s`, `500ms`, `PT1M`, or a number of seconds; 10 s unless said otherwise, and 10 minutes at most.
    timeout: Option<String>,
}

/// What is waited for.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Wait {
    /// Which exchanges; those that are there already count too.
    request: JournalQuery,
    /// How many; 1 unless said otherwise.
    count: Option<usize>,
    /// How long: `30s`, `500ms`, `PT1M`, or a number of seconds; 10 s unless said otherwise, and 10 minutes at most.
    #[schema(value_type = Option<String>)]
    timeout: Option<Value>,
}

/// Exchanges that were waited for.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Came {
    /// Oldest first.
    exchanges: Vec<Exchange>,
}

/// Some of the exchanges that were waited for.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct CameTooFew {
    /// What is missing.
    error: String,
    /// Those that came, oldest first.
    exchanges: Vec<Exchange>,
}

/// Wait until enough exchanges fit, those that are there already included.
#[utoipa::path(get, path = "/applications/{name}/journal/wait", tag = "journal", params(JournalQuery, WaitQuery),
    responses(
        (status = 200, description = "They came.", body = Came),
        (status = 408, description = "The time was over first.", body = CameTooFew)))]
pub(super) async fn wait(
    State(admin): State<Shared>,
    Named(application): Named,
    mut query: Pairs,
) -> Result<Response, AdminError> {
    let count = query.take("count")?.map(|count| count.parse().map_err(|_| bad_query("`count` is a number")));
    let timeout = query.take("timeout")?.map(|text| text.parse::<Span>().and_then(Span::waiting));
    let within = timeout.transpose().map_err(|error| bad_query(format!("`timeout`: {error}")))?;
    until(&admin, &application, asked(query)?, count.transpose()?, within).await
}

/// Wait until enough exchanges fit, as the body says.
#[utoipa::path(post, path = "/applications/{name}/journal/wait", tag = "journal", request_body = Wait,
    responses(
        (status = 200, description = "They came.", body = Came),
        (status = 408, description = "The time was over first.", body = CameTooFew)))]
pub(super) async fn wait_for(
    State(admin): State<Shared>,
    Named(application): Named,
    Json(Wait { request, count, timeout }): Json<Wait>,
) -> Result<Response, AdminError> {
    if request.limit.is_some() || request.order != Order::Oldest {
        return Err(bad_body("`limit` and `order` do not apply to a wait; `count` says how many"));
    }
    let timeout = timeout.as_ref().map(|value| Span::of_json(value).and_then(Span::waiting));
    let within = timeout.transpose().map_err(|error| bad_body(format!("`timeout`: {error}")))?;
    until(&admin, &application, request, count, within).await
}

async fn until(
    admin: &Shared,
    application: &Application,
    query: JournalQuery,
    count: Option<usize>,
    within: Option<Duration>,
) -> Result<Response, AdminError> {
    let within = within.unwrap_or(USUAL_WAIT).min(LONGEST_WAIT);
    tokio::select! {
        came = application.wait_for(query, count.unwrap_or(1), within) => Ok(match came {
            Ok(exchanges) => ok(&Came { exchanges }),
            Err(error) => {
                let told = format!("failed to {error}; GET on the journal shows what else came");
                answer(StatusCode::REQUEST_TIMEOUT, &CameTooFew { error: told, exchanges: error.came })
            }
        }),
        () = admin.ended() => Err(AdminError::Ending),
    }
}

/// Follow the journal as server-sent events.
///
/// Each exchange is an event of the usual kind with its number as the id and the exchange as JSON. An event `lagged`
/// says how many were forgotten before they could be told. It begins after `sinceSeq` or `Last-Event-ID`, or else with
/// what comes next, and ends with the application or the server.
#[utoipa::path(get, path = "/applications/{name}/journal/stream", tag = "journal", params(JournalQuery),
    responses((status = 200, description = "Events without end.", content_type = "text/event-stream", body = String)))]
pub(super) async fn stream(
    State(admin): State<Shared>,
    Named(application): Named,
    headers: HeaderMap,
    query: Pairs,
) -> Result<Response, AdminError> {
    let mut query = asked(query)?;
    let last_seen =
        headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    query.since_seq = query.since_seq.or(last_seen);
    let events = application.follow_journal(query).map(|live| Ok::<_, Infallible>(event(&live)));
    let ending = Box::pin(async move { admin.ended().await });
    let events = Until { stream: events, ending };
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn event(live: &Live) -> Event {
    match live {
        Live::Exchange { exchange } => {
            Event::default().id(exchange.seq.to_string()).data(json!(exchange).to_string())
        }
        Live::Lagged { missed } => {
            Event::default().event("lagged").data(json!({ "missed": missed }).to_string())
        }
    }
}

/// A stream that ends when something is over.
struct Until<S> {
    stream: S,
    ending: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<S: Stream + Unpin> Stream for Until<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        if self.ending.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.stream).poll_next(context)
    }
}
