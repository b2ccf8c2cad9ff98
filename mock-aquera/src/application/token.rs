//! The token endpoint of an application.

use axum::body::Bytes;
use axum::http::request::Parts;

use super::{Application, Served};
use crate::clock::Clock as _;
use crate::journal::RequestMetadata;
use crate::net::Head;
use crate::problem::Problem;
use crate::reply::Reply;

impl Application {
    /// Answers a request to the token endpoint, and journals it.
    pub(crate) fn issue_token(&self, parts: &Parts, body: &Bytes) -> Served {
        let settings = self.settings();
        let now = self.0.clock.now();
        if !settings.gatekeeper.has_clients() {
            let told = "no token endpoint is here: this application has no OAuth client; one is accepted with --auth \
                        oauth:CLIENT:SECRET";
            let reply = Reply::from(Problem::NoRoute(told.to_owned()));
            self.refuse(Head::from(parts), (reply.status, &reply.headers, &reply.body), told);
            return Served::of(reply);
        }
        let served = Served::from(settings.gatekeeper.issue(&parts.headers, body, now));
        self.tell_token(Head::from(parts), &served);
        let answer = (Some(served.status), &served.headers, &served.body);
        self.record((Head::from(parts), now, body), answer, RequestMetadata::default());
        served
    }
}
