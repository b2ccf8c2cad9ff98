//! Tests of the whole journal; those of one part stand with it.

mod asking;
mod exporting;
mod following;
mod reading;
mod redaction;
mod ring;

use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_stream::StreamExt as _;

use super::*;
use crate::downstream::Downstreams;

/// Stands in every place where a secret can be.
const SECRET: &str = "hunter2";

/// An exchange with everything that belongs to it.
pub(crate) struct Record {
    pub(crate) at: Timestamp,
    pub(crate) took: Duration,
    pub(crate) method: Method,
    pub(crate) uri: hyper::Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) request_body: Bytes,
    pub(crate) status: Option<StatusCode>,
    pub(crate) response_headers: HeaderMap,
    pub(crate) response_body: Bytes,
    pub(crate) downstream: crate::downstream::Downstreams,
    pub(crate) faults: Vec<Arc<str>>,
    pub(crate) dialects: Vec<&'static str>,
    pub(crate) changes: Vec<StateChange>,
}

pub(crate) trait RecordWhole {
    fn record_whole(&self, record: Record) -> u64;
}

impl RecordWhole for Journal {
    fn record_whole(&self, record: Record) -> u64 {
        let Record { downstream, faults, dialects, changes, .. } = record;
        let seen = RequestRecord {
            at: record.at,
            took: record.took,
            method: &record.method,
            uri: &record.uri,
            headers: &record.headers,
            request_body: &record.request_body,
            status: record.status,
            response_headers: &record.response_headers,
            response_body: &record.response_body,
        };
        self.record(
            &seen,
            RequestMetadata { kind: None, downstream, faults, dialects, notes: Vec::new(), changes },
        )
    }
}

pub(crate) fn record(method: Method, uri: &str, body: &str) -> Record {
    Record {
        at: Timestamp::UNIX_EPOCH,
        took: Duration::from_micros(1_500),
        method,
        uri: uri.parse().unwrap(),
        headers: HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("127.0.0.1:8080"))]),
        request_body: Bytes::copy_from_slice(body.as_bytes()),
        status: Some(StatusCode::OK),
        response_headers: HeaderMap::new(),
        response_body: Bytes::new(),
        downstream: Downstreams::None,
        faults: Vec::new(),
        dialects: Vec::new(),
        changes: Vec::new(),
    }
}

fn only(record: Record) -> Exchange {
    let journal = Journal::of("acme");
    journal.record_whole(record);
    journal.query(&JournalQuery::new()).remove(0)
}

fn with_headers(mut record: Record, headers: &[(&str, &str)]) -> Record {
    for (name, value) in headers {
        record.headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    record
}
