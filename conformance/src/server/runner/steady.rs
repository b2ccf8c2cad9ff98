//! Answers that say something of the server's state and nothing of its behaviour: 429, 503 and the like are never a
//! verdict, and a 500 is one only where the same request meets it again while others are answered.

use crate::case::Case;
use crate::case::expect::{Check, Expectation, StatusSet};
use crate::case::step::Step;
use crate::server::again::{Unsettled, settle};
use crate::server::runner::{End, Player};
use crate::subject::server::client::{Answer, Request};

impl Player<'_> {
    /// Whether a case is about the attributes that a document of /Schemas has.
    pub(super) fn looks_at_attributes(&self, case: &Case) -> bool {
        let mut checks = case.steps.iter().flat_map(|step| &step.expect);
        case.id.starts_with("rfc7643/7/")
            && checks.any(|expectation| match &expectation.check {
                Check::At { pointer, .. } => {
                    pointer.fill(&self.bindings).is_ok_and(|pointer| pointer.contains("/attributes"))
                }
                _ => false,
            })
    }

    /// Sends a request of a step until it is neither refused for now nor lost, and corrects its answer.
    pub(super) async fn ask(&mut self, step: &Step, request: &Request) -> Result<Answer, End> {
        let accepts = |status: u16| {
            step.unsupported.contains(&status)
                || step.expect.iter().any(|expectation| names(expectation, status))
        };
        let (client, facts) = (&self.context.client, &self.context.facts);
        let (exchange, outcome) = settle(client, facts, &mut self.made, request, &accepts).await;
        self.exchanges.push(exchange);
        let mut answer = outcome.map_err(|unsettled| match unsettled {
            Unsettled::Away(status) => self.away(request, status),
            Unsettled::Broken(why) => End::Broken(format!("{}: {why}", request.step)),
        })?;
        self.understand(request, &mut answer);
        Ok(answer)
    }

    /// Returns the end of a case whose request was refused at each attempt.
    fn away(&self, request: &Request, status: u16) -> End {
        let rate = self.context.client.bearable_rate();
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
