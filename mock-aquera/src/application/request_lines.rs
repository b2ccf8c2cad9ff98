//! The record of a request in the journal, and the line that tells of it where lines are wanted.

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use super::{Application, Served};
use crate::clock::Clock as _;
use crate::fault::Strikes;
use crate::journal::{RequestMetadata, RequestRecord};
use crate::log::Line;
use crate::net::Head;
use crate::reply::Reply;

impl Application {
    /// Tells of a request that was answered: which faults struck it, what is wrong with it, and what of it was understood
    /// otherwise than it was meant.
    pub(super) fn tell_answered(
        &self,
        head: Head<'_>,
        status: Option<StatusCode>,
        reply: &Reply,
        strikes: Option<&Strikes>,
    ) {
        let Some(log) = &self.0.log else { return };
        let RequestMetadata { dialects, notes, .. } = &reply.known;
        let notable =
            !reply.status.is_success() || strikes.is_some() || !dialects.is_empty() || !notes.is_empty();
        log.tell(Line { status, head: Some((head.method, head.uri)), notable }, |line| {
            strikes
                .iter()
                .flat_map(|strikes| strikes.rules())
                .for_each(|rule| line.add(format_args!("fault {rule}")));
            if let Some(problem) = &reply.problem {
                line.add(problem);
            }
            for dialect in dialects {
                line.add(format_args!("dialect {dialect}"));
            }
            for note in notes {
                line.add(&note.text);
            }
        });
    }

    /// Tells of a request to the token endpoint.
    pub(super) fn tell_token(&self, head: Head<'_>, served: &Served) {
        let Some(log) = &self.0.log else { return };
        let notable = !served.status.is_success();
        let line = Line { status: Some(served.status), head: Some((head.method, head.uri)), notable };
        log.tell(line, |line| {
            let body: Value = serde_json::from_slice(&served.body).unwrap_or_default();
            if let Some(error) = body["error_description"].as_str() {
                line.add(error);
            }
        });
    }

    /// Tells of a request that was refused before the gateway saw it, and journals it without its body.
    pub(crate) fn refuse(
        &self,
        head: Head<'_>,
        (status, headers, body): (StatusCode, &HeaderMap, &Bytes),
        why: &str,
    ) {
        if let Some(log) = &self.0.log {
            let line = Line { status: Some(status), head: Some((head.method, head.uri)), notable: true };
            log.tell(line, |notes| notes.add(why));
        }
        let request = (head, self.0.clock.now(), &Bytes::new());
        self.record(request, (Some(status), headers, body), RequestMetadata::default());
    }

    /// Journals an exchange that ends now: its request with the instant at which it came, and the answer. Without a status,
    /// the client got none.
    pub(super) fn record(
        &self,
        (head, at, request_body): (Head<'_>, Timestamp, &Bytes),
        (status, response_headers, response_body): (Option<StatusCode>, &HeaderMap, &Bytes),
        known: RequestMetadata,
    ) {
        let seen = RequestRecord {
            at,
            took: self.0.clock.now().duration_since(at).try_into().unwrap_or_default(),
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            request_body,
            status,
            response_headers,
            response_body,
        };
        self.0.journal.record(&seen, known);
    }

    /// Tells of a request whose client gave up while a fault kept it waiting.
    pub(super) fn tell_given_up(&self, head: Head<'_>, strikes: &Strikes) {
        let Some(log) = &self.0.log else { return };
        log.tell(Line { status: None, head: Some((head.method, head.uri)), notable: true }, |line| {
            strikes.rules().for_each(|rule| line.add(format_args!("fault {rule}")));
            line.add("the client gave up while it waited");
        });
    }
}
