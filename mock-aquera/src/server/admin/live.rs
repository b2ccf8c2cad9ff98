//! Waiting for exchanges that are to come, and following them.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};
use tokio_stream::Stream;

use super::Shared;
use super::answer::{AdminError, ErrorBody, Json, Named, Pairs, Span, answer, bad_body, bad_query, ok};
use super::journal::asked;
use crate::application::Application;
use crate::journal::{Exchange, Found, JournalQuery, Order, Subscription};
use crate::lock;
use crate::net::FaultHandle;

/// How long is waited unless somebody says how long.
const USUAL_WAIT: Duration = Duration::from_secs(10);
/// How long is waited at most.
const LONGEST_WAIT: Duration = Duration::from_mins(10);
/// How often a line goes to a follower of a journal where nothing happens.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How many follow journals of one server at once at most: each of them costs every request a little.
pub(super) const MAX_FOLLOWERS: usize = 64;
/// How many requests wait for exchanges at once at most.
pub(super) const MAX_WAITS: usize = 64;
/// How long what comes next is gathered for a follower that has just been told something.
const GATHERING: Duration = Duration::from_millis(50);
/// How long a follower may leave unread what it was sent.
pub(crate) const FOLLOWER_PATIENCE: Duration = Duration::from_secs(10);

/// What is waited for.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Wait {
    /// Which exchanges; those that are there already count too.
    #[serde(deserialize_with = "crate::parse_message::object")]
    request: JournalQuery,
    /// How many; 1 unless said otherwise, and at most as many as the journal may hold.
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
#[utoipa::path(get, path = "/applications/{name}/journal/wait", tag = "journal",
    params(
        JournalQuery,
        ("count" = Option<usize>, Query, description = "How many exchanges are waited for; 1 unless said otherwise, and at \
            most as many as the journal may hold."),
        ("timeout" = Option<String>, Query, description = "How long: `30s`, `500ms`, `PT1M`, or a number of seconds; 10 s \
            unless said otherwise, and 10 minutes at most.")),
    responses(
        (status = 200, description = "They came.", body = Came),
        (status = 408, description = "The time was over first.", body = CameTooFew),
        (status = 503, description = "As many wait as can.", body = ErrorBody)))]
pub(super) async fn wait(
    State(admin): State<Shared>,
    Named(application): Named,
    mut query: Pairs,
) -> Result<Response, AdminError> {
    let count = query
        .take("count")?
        .map(|count| count.parse().map_err(|_| bad_query("`count` is a whole number from 0")));
    let timeout = query.take("timeout")?.map(|text| text.parse::<Span>().and_then(Span::waiting));
    let within = timeout.transpose().map_err(|error| bad_query(format!("`timeout`: {error}")))?;
    until(&admin, &application, asked(&application, query)?, count.transpose()?, within).await
}

/// Wait until enough exchanges fit, as the body says.
#[utoipa::path(post, path = "/applications/{name}/journal/wait", tag = "journal", request_body = Wait,
    responses(
        (status = 200, description = "They came.", body = Came),
        (status = 408, description = "The time was over first.", body = CameTooFew),
        (status = 503, description = "As many wait as can.", body = ErrorBody)))]
pub(super) async fn wait_for(
    State(admin): State<Shared>,
    Named(application): Named,
    Json(Wait { request, count, timeout }): Json<Wait>,
) -> Result<Response, AdminError> {
    if request.limit.is_some() || request.order != Order::Oldest {
        return Err(bad_body("`limit` and `order` do not apply to a wait; `count` says how many"));
    }
    application.check_query(&request).map_err(bad_body)?;
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
    let (count, most) = (count.unwrap_or(1), application.journal_limits().exchanges);
    if count > most {
        return Err(AdminError::WaitTooLong { count, most });
    }
    let _place = admin.waits.try_acquire().map_err(|_| AdminError::TooManyWaits(MAX_WAITS))?;
    tokio::select! {
        came = application.wait_for(query, count, within) => Ok(match came {
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
/// what comes next, and ends with the application or the server. A follower that falls behind what the journal holds
/// is told so and dropped, one that reads nothing for 10 s is cut off; either may come again with `Last-Event-ID`.
#[utoipa::path(get, path = "/applications/{name}/journal/stream", tag = "journal", params(JournalQuery),
    responses(
        (status = 200, description = "Events without end.", content_type = "text/event-stream", body = String),
        (status = 503, description = "As many follow as can.", body = ErrorBody)))]
pub(super) async fn stream(
    State(admin): State<Shared>,
    Named(application): Named,
    Extension(handle): Extension<FaultHandle>,
    headers: HeaderMap,
    query: Pairs,
) -> Result<Response, AdminError> {
    let mut query = asked(&application, query)?;
    let last_seen =
        headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    query.since_seq = query.since_seq.or(last_seen);
    let place = Arc::clone(&admin.followers).try_acquire_owned();
    let place = place.map_err(|_| AdminError::TooManyFollowers(MAX_FOLLOWERS))?;
    let handed = Arc::new(Handed { place, at: Mutex::new(None) });
    let (name, patience) = (application.name().to_owned(), admin.config.follower_patience);
    tokio::spawn(watch(Arc::downgrade(&handed), patience, name, handle));
    let subscription = application.journal_ring().subscribe(query);
    let ending = Box::pin(async move { admin.ended().await });
    let events =
        Events { subscription, ending, handed, gathering: None, fresh: false, told: false, over: false };
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// What is known of a follower that was handed an event.
struct Handed {
    #[expect(dead_code, reason = "it is given up with the follower")]
    place: OwnedSemaphorePermit,
    /// When the last event was handed over, and who sends it; until the next one is asked for, which happens once there
    /// is room to send it.
    at: Mutex<Option<(Instant, Waker)>>,
}

/// Cuts a follower off that does not read. Its stream cannot do that itself: nobody asks it for anything meanwhile.
async fn watch(handed: Weak<Handed>, patience: Duration, application: String, handle: FaultHandle) {
    loop {
        tokio::time::sleep(patience / 4).await;
        let Some(handed) = handed.upgrade() else { return };
        let unread = lock(&handed.at).take_if(|(since, _)| since.elapsed() >= patience);
        if let Some((_, sender)) = unread {
            tracing::warn!(application, "a follower of the journal does not read and is cut off");
            handle.cut();
            return sender.wake();
        }
    }
}

/// The events of one follower.
struct Events {
    subscription: Subscription,
    ending: Pin<Box<dyn Future<Output = ()> + Send>>,
    handed: Arc<Handed>,
    /// Until when nothing is told, so that what comes meanwhile is written in one go.
    gathering: Option<Pin<Box<Sleep>>>,
    /// Whether something was told since the last pause.
    fresh: bool,
    /// Whether an exchange was told: from there on it has to keep up.
    told: bool,
    over: bool,
}

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        *lock(&self.handed.at) = None;
        if self.over || self.ending.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        if let Some(pause) = &mut self.gathering {
            // It must not fall behind by waiting.
            if pause.as_mut().poll(context).is_pending() && !self.subscription.poll_behind(context) {
                return Poll::Pending;
            }
            self.gathering = None;
        }
        let found = match self.subscription.poll_found(context) {
            Poll::Ready(Some(found)) => found,
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending if std::mem::take(&mut self.fresh) => {
                let mut pause = Box::pin(sleep(GATHERING));
                // It is not over yet, and wakes this once it is.
                let _ = pause.as_mut().poll(context);
                self.gathering = Some(pause);
                // What came just now counts for it too.
                if self.subscription.poll_behind(context) {
                    context.waker().wake_by_ref();
                }
                return Poll::Pending;
            }
            Poll::Pending => return Poll::Pending,
        };
        self.fresh = true;
        *lock(&self.handed.at) = Some((Instant::now(), context.waker().clone()));
        let event = match found {
            Found::Match(_, read) => {
                self.told = true;
                Event::default().id(read.exchange.seq.to_string()).data(read.json())
            }
            Found::Lagged(missed) => {
                self.over = self.told;
                let mut lagged = json!({"missed": missed});
                if self.over {
                    lagged["dropped"] = true.into();
                }
                Event::default().event("lagged").data(lagged.to_string())
            }
        };
        Poll::Ready(Some(Ok(event)))
    }
}

#[cfg(test)]
mod tests;
