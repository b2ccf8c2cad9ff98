//! Answers that say something of the server's state and nothing of its behaviour: 429, 503 and the like are never a
//! verdict, and a 500 is one only where the same request meets it again while others are answered.

use serde_json::Value;

use super::{End, Player};
use crate::case::expect::{Expectation, StatusSet};
use crate::case::step::{Action, Step};
use crate::server::deviation::{Deviation, lacks_resources, understand};
use crate::server::facts::get;
use crate::wire::client::{Answer, Request};

impl Player<'_> {
    pub(super) async fn send(&mut self, request: &Request) -> Result<Answer, End> {
        let (exchange, answer) = self.stage.client.send(request).await;
        self.made.note(&self.stage.facts, &self.stage.client, request, answer.as_ref());
        let broken = exchange.error.clone();
        self.exchanges.push(exchange);
        answer.ok_or_else(|| {
            End::Broken(format!("{}: {}", request.step, broken.unwrap_or_else(|| "no answer".to_owned())))
        })
    }

    /// Sends a request of a step until its answer says something, and takes that for what it means.
    pub(super) async fn ask(&mut self, step: &Step, request: &Request) -> Result<Answer, End> {
        let answer = self.send(request).await?;
        let mut answer = self.steady(step, request, answer).await?;
        let is_list = match &step.action {
            Action::List(_) | Action::Search(..) | Action::Walk(..) => true,
            Action::Send { method, .. } => {
                method == "GET"
                    && self.stage.facts.resource_types.iter().any(|known| known.endpoint == request.path)
            }
            _ => false,
        };
        if is_list && lacks_resources(&answer) && !asks_for_none(request) {
            self.stage.note(Deviation::ListsWithoutResources);
            if !self.memory.strict {
                let why = "the server's lists have no Resources, so what is in them cannot be told";
                return Err(End::Skipped(why.to_owned()));
            }
        }
        if self.memory.strict {
            return Ok(answer);
        }
        for deviation in understand(&mut answer, is_list) {
            self.stage.note(deviation);
        }
        Ok(answer)
    }

    async fn steady(&mut self, step: &Step, request: &Request, answer: Answer) -> Result<Answer, End> {
        let status = answer.status;
        if status != 429 && status < 500
            || matches!(status, 501 | 505)
            || step.unsupported.contains(&status)
            || step.expect.iter().any(|expectation| names(expectation, status))
        {
            return Ok(answer);
        }
        if matches!(status, 429 | 502..=504) {
            return Err(self.away(request, status));
        }
        // Its room is needed for the next.
        drop(answer);
        let again = self.send(request).await?;
        if matches!(again.status, 429 | 502..=504) {
            return Err(self.away(request, again.status));
        }
        if again.status == status {
            return if self.stage.is_alive().await {
                Ok(again)
            } else {
                Err(End::Broken(format!("{}: the server answers {status} to everything", request.step)))
            };
        }
        if request.method == "GET" {
            return Ok(again);
        }
        // The first may have taken effect: what came of the second then proves nothing.
        let why = format!("{}: answered {status}, and {} when it was sent again", request.step, again.status);
        Err(End::Broken(why))
    }

    /// The end of a case whose request was never let through.
    fn away(&self, request: &Request, status: u16) -> End {
        let rate = self.stage.client.bearable_rate();
        let (what, help) = match status {
            429 => ("too many requests", format!("run it again with --rate {rate}")),
            _ => ("the server is away", "run it again when it is back".to_owned()),
        };
        End::Broken(format!("{}: answered {status} ({what}) to the end: {help}", request.step))
    }
}

impl super::Stage {
    /// Whether the server answers an ordinary request.
    async fn is_alive(&self) -> bool {
        let endpoint = self.facts.resource_type("User").map_or("/Users", |known| known.endpoint.as_str());
        let request = Request {
            step: "is it alive".to_owned(),
            method: "GET".to_owned(),
            path: endpoint.to_owned(),
            query: vec![("count".to_owned(), "1".to_owned())],
            ..Request::default()
        };
        let (_, answer) = self.client.send(&request).await;
        answer.is_some_and(|answer| answer.status < 500 && answer.status != 429)
    }
}

/// Whether a status is what an expectation is about.
fn names(expectation: &Expectation, status: u16) -> bool {
    let mut named = expectation.foreseen().into_iter().flat_map(|foreseen| foreseen.status);
    named.any(|set| matches!(set, StatusSet::Exactly(wanted) if *wanted == status))
}

/// Whether a page without resources is asked for, or one that may be behind the last.
fn asks_for_none(request: &Request) -> bool {
    let body: Value =
        request.body.as_deref().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
    let asked = |name: &str| {
        let in_query = request.query.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        in_query.map(|(_, value)| value.clone()).or_else(|| get(&body, name).map(ToString::to_string))
    };
    let number = |name: &str| asked(name).and_then(|text| text.parse::<i64>().ok());
    number("count").is_some_and(|count| count <= 0) || number("startIndex").is_some_and(|start| start > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_resources_may_be_asked_for() {
        let query = |name: &str, value: &str| Request {
            query: vec![(name.to_owned(), value.to_owned())],
            ..Request::default()
        };
        assert!(asks_for_none(&query("count", "0")) && asks_for_none(&query("STARTINDEX", "9")));
        assert!(!asks_for_none(&query("count", "1")) && !asks_for_none(&query("startIndex", "1")));
        let body = Request { body: Some(r#"{"count": 0}"#.to_owned()), ..Request::default() };
        assert!(asks_for_none(&body) && !asks_for_none(&Request::default()));
    }
}
