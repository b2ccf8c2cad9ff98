//! Detects whether the server answers a wrong status in general: asked once, with a request that has no other error.

use crate::case::step::Step;
use crate::server::again::settle;
use crate::server::findings::Told;
use crate::server::judge::{Belongs, StandIn};
use crate::server::runner::Player;
use crate::subject::server::client::{Answer, Request};
use crate::subject::server::credentials::WrongAuth;

impl Player<'_> {
    /// Returns the status that came in place of the right one, if the server always answers so.
    pub(super) async fn stand_in(&mut self, step: &Step, request: &Request, came: u16) -> Option<StandIn> {
        let suspected = StandIn::suspected(&step.expect, came)?;
        let about = match suspected.belongs {
            Belongs::NotFound => format!("{} {}", request.method, above(&request.path)?),
            Belongs::Unauthorized => match request.auth? {
                WrongAuth::None => "none",
                WrongAuth::Wrong => "wrong",
                WrongAuth::OtherScheme => "other scheme",
                WrongAuth::Malformed => "malformed",
            }
            .to_owned(),
            Belongs::Conflict => String::new(),
        };
        let key = format!("{} {about}", suspected.belongs.shared().as_str());
        let usual = if let Some(Told(known)) = self.context.findings.status(&key) {
            known
        } else {
            let found = self.usual(suspected.belongs, request).await;
            self.context.findings.note_status(key, found);
            found
        };
        (usual == Some(came)).then_some(suspected)
    }

    /// Returns the status of a request that can only be answered in one way.
    async fn usual(&mut self, belongs: Belongs, request: &Request) -> Option<u16> {
        let answer = match belongs {
            Belongs::NotFound => {
                let path = format!("{}/{}-nobody", above(&request.path)?, self.bindings.next_unique());
                self.try_out(&Request { path, ..request.clone() }).await?
            }
            Belongs::Unauthorized => {
                let path = self.context.facts.resource_type("User")?.endpoint.clone();
                let query = vec![("count".to_owned(), "1".to_owned())];
                let method = "GET".to_owned();
                self.try_out(&Request { method, path, query, auth: request.auth, ..Request::default() })
                    .await?
            }
            Belongs::Conflict => {
                let known = self.context.facts.resource_type("User")?;
                let body = self.context.blank.make(&self.context.facts, known, &self.bindings.next_unique());
                let create = Request {
                    method: "POST".to_owned(),
                    path: known.endpoint.clone(),
                    body: Some(body.to_string()),
                    ..Request::default()
                };
                self.try_out(&create).await.filter(Answer::is_success)?;
                self.try_out(&create).await?
            }
        };
        Some(answer.status)
    }

    /// Sends a request of the harness's own. Its resources are deleted with those of the case.
    pub(super) async fn try_out(&mut self, request: &Request) -> Option<Answer> {
        let request = Request { step: "finding out".to_owned(), ..request.clone() };
        let (client, facts) = (&self.context.client, &self.context.facts);
        let (_, outcome) = settle(client, facts, &mut self.made, &request, &|_| true).await;
        outcome.ok()
    }
}

/// Returns the path above a path.
fn above(path: &str) -> Option<&str> {
    let (above, _) = path.strip_suffix('/').unwrap_or(path).rsplit_once('/')?;
    path.starts_with('/').then_some(above)
}
