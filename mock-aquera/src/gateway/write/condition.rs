//! Conditional requests (RFC 7644 §3.14).

use axum::http::{HeaderName, header};

use super::refused;
use crate::downstream::DownstreamOperation;
use crate::gateway::{Refusal, RequestContext};
use crate::problem::Problem;
use crate::profile::EtagRule;
use crate::store::{Record, Store};

pub(in crate::gateway) fn same_version(
    context: &RequestContext<'_>,
    store: &Store,
    record: &Record,
    operations: &'static [DownstreamOperation],
) -> Result<(), Refusal> {
    match other_version(context, store, record) {
        Some(problem) => Err(refused(problem, operations, Some(&record.id))),
        None => Ok(()),
    }
}

pub(in crate::gateway) fn other_version(
    context: &RequestContext<'_>,
    store: &Store,
    record: &Record,
) -> Option<Problem> {
    if !context.conditional {
        return None;
    }
    let etag = store.etag(record);
    if names_version(context, &header::IF_MATCH, &etag) == Some(false) {
        return Some(Problem::VersionMismatch { header: "If-Match", etag });
    }
    // RFC 9110 §13.1.2: what would spare a read an answer keeps a write from happening.
    (names_version(context, &header::IF_NONE_MATCH, &etag) == Some(true))
        .then_some(Problem::VersionMismatch { header: "If-None-Match", etag })
}

/// Whether a conditional header names this version; `None` where there is no such header. Tags are compared weakly,
/// since all of ours are weak (RFC 7644 §3.14).
pub(in crate::gateway) fn names_version(
    context: &RequestContext<'_>,
    name: &HeaderName,
    own: &str,
) -> Option<bool> {
    if context.settings.profile.features.etag != EtagRule::Works {
        return None;
    }
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let mut values = context.headers.get_all(name).iter().peekable();
    values.peek()?;
    let own = opaque(own);
    Some(values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|tag| {
        let tag = opaque(tag);
        tag == "*" || tag == own
    }))
}
