//! The line that tells of a request, where lines are wanted.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::Application;
use crate::auth::TokenReply;
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
        let Some(log) = self.request_log() else { return };
        let Reply { problem, dialects, notes, .. } = reply;
        let notable =
            !reply.status.is_success() || strikes.is_some() || !dialects.is_empty() || !notes.is_empty();
        log.tell(Line { status, head: Some((head.method, head.uri)), notable }, |line| {
            strikes
                .iter()
                .flat_map(|strikes| strikes.rules())
                .for_each(|rule| line.add(format_args!("fault {rule}")));
            if let Some(problem) = problem {
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
    pub(super) fn tell_token(&self, head: Head<'_>, token: &TokenReply) {
        let Some(log) = self.request_log() else { return };
        let notable = !token.status.is_success();
        let line = Line { status: Some(token.status), head: Some((head.method, head.uri)), notable };
        log.tell(line, |line| {
            let body: Value = serde_json::from_slice(&token.body).unwrap_or_default();
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
        if let Some(log) = self.request_log() {
            let line = Line { status: Some(status), head: Some((head.method, head.uri)), notable: true };
            log.tell(line, |notes| notes.add(why));
        }
        let seen = RequestRecord {
            at: self.clock().now(),
            took: Duration::ZERO,
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            request_body: &Bytes::new(),
            status: Some(status),
            response_headers: headers,
            response_body: body,
        };
        self.journal_ring().record(&seen, RequestMetadata::default());
    }

    /// Tells of a request whose client gave up while a fault kept it waiting.
    pub(super) fn tell_given_up(&self, head: Head<'_>, strikes: &Strikes) {
        let Some(log) = self.request_log() else { return };
        log.tell(Line { status: None, head: Some((head.method, head.uri)), notable: true }, |line| {
            strikes.rules().for_each(|rule| line.add(format_args!("fault {rule}")));
            line.add("the client gave up while it waited");
        });
    }
}
