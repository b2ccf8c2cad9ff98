//! Answers that say something of the server's state and nothing of its behaviour: 429, 503 and the like are never a
//! verdict, and a 500 is one only where the same request meets it again while others are answered.

use serde_json::Value;

use super::{End, Player};
use crate::case::Case;
use crate::case::expect::{Check, Expectation, StatusSet};
use crate::case::step::{Action, Step};
use crate::server::again::{Unsettled, settle};
use crate::server::deviation::{Deviation, lacks_resources, understand};
use crate::server::facts::get;
use crate::wire::client::{Answer, Request};

impl Player<'_> {
    /// Whether a case is about the attributes that a document of /Schemas has.
    pub(super) fn looks_at_attributes(&self, case: &Case) -> bool {
        let mut checks = case.steps.iter().flat_map(|step| &step.expect);
        case.id.starts_with("rfc7643/7/")
            && checks.any(|expectation| match &expectation.check {
                Check::At { pointer, .. } => {
                    pointer.fill(&self.memory).is_ok_and(|pointer| pointer.contains("/attributes"))
                }
                _ => false,
            })
    }

    /// Sends a request of a step until its answer says something, and takes that for what it means.
    pub(super) async fn ask(&mut self, step: &Step, request: &Request) -> Result<Answer, End> {
        let accepts = |status: u16| {
            step.unsupported.contains(&status)
                || step.expect.iter().any(|expectation| names(expectation, status))
        };
        let (client, facts) = (&self.stage.client, &self.stage.facts);
        let (exchange, outcome) = settle(client, facts, &mut self.made, request, &accepts).await;
        self.exchanges.push(exchange);
        let mut answer = outcome.map_err(|unsettled| match unsettled {
            Unsettled::Away(status) => self.away(request, status),
            Unsettled::Broken(why) => End::Broken(format!("{}: {why}", request.step)),
        })?;
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
