//! Requests that are sent at the same time, and those between the pages of a list.

use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use serde_json::{Value, json};

use crate::case::expect::{Check, StatusSet};
use crate::case::step::Step;
use crate::server::again::passes;
use crate::server::runner::{End, Player};
use crate::subject::server::client::{Answer, Request};
use crate::subject::server::retry::Unsure;

/// A request that is sent at the same time as others.
struct Planned<'a> {
    step: &'a Step,
    number: usize,
    name: String,
    request: Request,
    sent: Option<Value>,
    endpoint: Option<String>,
}

/// Returns the statuses that would have passed, as text.
fn statuses_of(step: &Step) -> Option<String> {
    let words = |sets: &[StatusSet]| sets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    step.expect.iter().find_map(|expectation| match &expectation.check {
        Check::ExactlyOne(one, others) => Some(format!("once {}, else {}", words(one), words(others))),
        Check::Every(sets) => Some(format!("each time {}", words(sets))),
        _ => None,
    })
}

impl Player<'_> {
    /// Carries out steps after the first page of a list.
    pub(super) fn between<'b>(&'b mut self, steps: &'b [Step]) -> BoxFuture<'b, Result<(), End>> {
        self.steps(steps).boxed()
    }

    /// Sends the requests of the steps at the same time, judges each answer by its step, and all of them by the step
    /// around these.
    pub(super) async fn together(&mut self, step: &Step, steps: &[Step], times: usize) -> Result<(), End> {
        let mut planned = Vec::with_capacity(steps.len() * times);
        for number in 1..=times {
            self.bindings.number = Some(number);
            for inner in steps {
                let name = if times > 1 { format!("{}.{number}", inner.name) } else { inner.name.clone() };
                let (request, sent, endpoint) = self.request(inner)?;
                planned.push(Planned { step: inner, number, name, request, sent, endpoint });
            }
        }
        self.bindings.number = None;
        let client = &self.context.client;
        let sent = planned.iter().map(|planned| async {
            let (exchange, outcome) =
                client.attempt(&planned.request, client.longest_wait(), Unsure::HandBack).await;
            (exchange, outcome.map(Answer::without_room))
        });
        let outcomes = join_all(sent).await;
        let mut told = Vec::with_capacity(planned.len());
        let mut answers = Vec::with_capacity(planned.len());
        for (planned, (exchange, outcome)) in planned.into_iter().zip(outcomes) {
            let facts = &self.context.facts;
            self.made.note(facts, client, &planned.request, outcome.as_ref().ok());
            self.exchanges.push(exchange);
            answers.push((planned, outcome.ok().filter(|answer| !passes(answer.status))));
        }
        let mut ended = Ok(());
        for (planned, answer) in answers {
            let answer = match answer {
                Some(mut answer) => {
                    self.understand(&planned.request, &mut answer);
                    answer
                }
                None => {
                    return Err(End::Skipped(format!(
                        "it could not be tried: {}: the server failed at that moment, so what came of the request is not known",
                        planned.request.step
                    )));
                }
            };
            told.push(json!({ "status": answer.status, "body": answer.json }));
            let (sent, endpoint) = (planned.sent.as_ref(), planned.endpoint.as_deref());
            if planned.step.expect.is_empty() {
                self.seen.clear();
                if answer.is_success() {
                    self.bindings.keep(&planned.name, &answer, sent, endpoint, true);
                }
            } else if ended.is_ok() {
                self.bindings.number = Some(planned.number);
                ended = self.weigh(planned.step, &planned.name, &answer, sent, endpoint, None);
            }
        }
        self.bindings.number = None;
        ended?;
        let statuses = told.iter().filter_map(|answer| answer["status"].as_u64());
        let status = statuses.max().and_then(|status| u16::try_from(status).ok()).unwrap_or_default();
        let body = json!({ "answers": told });
        let answer = Answer { status, text: body.to_string(), json: Some(body), ..Answer::default() };
        // The misses are of the whole, and no answer of it can be told as an example.
        let end = self.weigh(step, &step.name, &answer, None, None, None);
        self.seen.clear();
        if matches!(end, Err(End::Missed)) && self.example.is_none() {
            self.example = statuses_of(step).map(|example| (self.level, example));
        }
        end
    }
}
