//! Sends a request until what comes says something of the subject's behaviour: an answer that says only how the server is
//! just now, and a connection that breaks, are met by sending again. A POST whose effect is not known is looked up first.

use std::time::Duration;

use crate::causes::with_causes;
use crate::server::PREFIX;
use crate::server::cleanup::Made;
use crate::server::discovery::Facts;
use crate::server::sweep::{self, Stays};
use crate::subject::server::client::{Answer, Client, Request};
use crate::subject::server::failure::FailureKind;
use crate::subject::server::retry::{Unsure, backoff, is_safe, wait_asked};
use crate::transcript::Exchange;

/// A 500 or a broken connection counts only if it comes so often in a row for one request.
const TRIES: u32 = 4;

/// The pauses before these are sent again, in milliseconds.
const PAUSES: [u64; 3] = [50, 250, 700];

/// Why a request has no answer that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unsettled {
    /// The request was refused for now with this status, at each attempt.
    Away(u16),
    /// The failure in words.
    Broken(String),
}

/// Sends a request until its answer says something. `accepts`: statuses that say something here, whatever they are.
/// What each try may have made is noted.
pub(crate) async fn settle(
    client: &Client,
    facts: &Facts,
    made: &mut Made,
    request: &Request,
    accepts: &(dyn Fn(u16) -> bool + Sync),
) -> (Exchange, Result<Answer, Unsettled>) {
    let most = client.retries().saturating_add(1);
    // Sent again unseen, a creation that took effect has a twin.
    let can_look = Made::can_look_up(facts, request);
    let when_unsure = if can_look { Unsure::HandBack } else { Unsure::SendAgain };
    let (mut number, mut waited, mut repeated) = (0, Duration::ZERO, false);
    loop {
        let (exchange, outcome) = client.attempt(request, client.longest_wait(), when_unsure).await;
        made.note(facts, client, request, outcome.as_ref().ok());
        number += 1;
        let answer = match outcome {
            Ok(answer) => Some(answer),
            Err(failure) if matches!(failure.kind, FailureKind::Reset | FailureKind::Broken) => None,
            Err(failure) => return (exchange, Err(Unsettled::Broken(failure.text))),
        };
        let status = answer.as_ref().map(|answer| answer.status);
        repeated |= answer.as_ref().is_some_and(|answer| answer.repeated);
        if let Some(status) = status
            && (accepts(status) || !passes(status))
        {
            let own = repeated && !accepts(status) && tells_of_repetition(&request.method, status);
            if let Some(answer) = answer.filter(|_| !own) {
                return (exchange, Ok(answer));
            }
            // The resource may be that of an earlier try, whose answer did not come through.
            let undone = undo(client, facts, made, request).await;
            if undone != Ok(true) || number >= most {
                let why =
                    format!("answered {status} when it was sent again; what came of it before is not known");
                return (
                    exchange,
                    Err(Unsettled::Broken(undone.err().map_or(why, |error| with_causes(&error)))),
                );
            }
            continue;
        }
        let is_unsure = match status {
            Some(502 | 504) => !is_safe(&request.method),
            Some(503) => can_look,
            _ => false,
        };
        let asked = answer.as_ref().and_then(|answer| wait_asked(&request.method, answer, number - 1));
        let pause = match status {
            // The client has waited for these as long as it may.
            Some(status @ (429 | 502..=504)) if !is_unsure => {
                return (exchange, Err(Unsettled::Away(status)));
            }
            Some(502..=504) => asked.unwrap_or_else(|| backoff(number - 1)),
            _ => Duration::from_millis(PAUSES[(number as usize - 1).min(PAUSES.len() - 1)]),
        };
        let is_last = if is_unsure {
            number >= most || waited + pause > client.longest_wait()
        } else {
            number >= most.min(TRIES)
        };
        if is_last {
            let error = exchange.error.clone().unwrap_or_else(|| "no answer".to_owned());
            let outcome = match (answer, status) {
                (_, Some(status)) if is_unsure => Err(Unsettled::Away(status)),
                (Some(answer), _) if is_alive(client, facts).await => Ok(answer),
                (Some(answer), _) => {
                    Err(Unsettled::Broken(format!("the server answers {} to everything", answer.status)))
                }
                (None, _) => Err(Unsettled::Broken(error)),
            };
            return (exchange, outcome);
        }
        if let Err(error) = undo(client, facts, made, request).await {
            return (exchange, Err(Unsettled::Broken(with_causes(&error))));
        }
        repeated = true;
        waited += pause;
        if let Some(status) = status.filter(|_| is_unsure) {
            client.tell_wait(status, waited, number);
        }
        client.wait(pause).await;
    }
}

/// Whether a status says only how the server is just now.
pub(crate) const fn passes(status: u16) -> bool {
    (status == 429 || status >= 500) && !matches!(status, 501 | 505)
}

/// Whether a status may come of a request's own first try, which took effect though its answer did not say so.
fn tells_of_repetition(method: &str, status: u16) -> bool {
    match method {
        "POST" => status == 409,
        "DELETE" => matches!(status, 404 | 410 | 412),
        "PATCH" => matches!(status, 400 | 404 | 409 | 412),
        "PUT" => matches!(status, 409 | 412),
        _ => false,
    }
}

/// A creation that took effect without an answer, and stays.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it took effect, though no answer said so, and cannot be undone")]
struct UndoError(#[source] Stays);

/// Deletes what a POST has made though its answer did not say so; whether there was something.
async fn undo(client: &Client, facts: &Facts, made: &Made, request: &Request) -> Result<bool, UndoError> {
    let paths = made.unnoted(client, facts, request).await;
    for path in &paths {
        sweep::delete(client, path).await.map_err(UndoError)?;
    }
    Ok(!paths.is_empty())
}

/// Whether the server answers an ordinary request.
async fn is_alive(client: &Client, facts: &Facts) -> bool {
    let endpoint = facts.resource_type("User").map_or("/Users", |known| known.endpoint.as_str());
    let count = vec![("count".to_owned(), "1".to_owned())];
    // Lists alone may be broken: then a read of nobody shows that the server still answers.
    for (path, query) in [(endpoint.to_owned(), count), (format!("{endpoint}/{PREFIX}nobody"), Vec::new())] {
        let request = Request {
            step: "is it alive".to_owned(),
            method: "GET".to_owned(),
            path,
            query,
            ..Request::default()
        };
        let (_, answer) = client.send(&request).await;
        if answer.is_some_and(|answer| answer.status < 500 && answer.status != 429) {
            return true;
        }
    }
    false
}
