//! An exchange as it comes to the journal: moved in whole, read only when somebody asks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::{HeaderMap, Method, StatusCode, Uri};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::exchange::Note;
use super::operations::OperationKind;
use crate::downstream::Downstreams;

/// Bodies of state changes above this size are not kept.
pub(super) const MAX_STATE_BYTES: usize = 64 * 1024;

/// What became of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ChangeKind {
    /// It wasn't there before.
    Created,
    /// It is another one now.
    Updated,
    /// It is gone.
    Deleted,
}

/// A change of one resource, with both of its representations as far as they are small.
#[derive(Clone)]
pub(crate) struct StateChange {
    pub(crate) resource_type: Arc<str>,
    pub(crate) id: Arc<str>,
    pub(crate) kind: ChangeKind,
    pub(crate) before: Option<Bytes>,
    pub(crate) after: Option<Bytes>,
}

/// What is seen of an exchange: it is copied, so the application keeps it.
#[derive(Clone, Copy)]
pub(crate) struct RequestRecord<'r> {
    /// When the request was taken up.
    pub(crate) at: Timestamp,
    /// From there until the answer was ready.
    pub(crate) took: Duration,
    pub(crate) method: &'r Method,
    pub(crate) uri: &'r Uri,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) request_body: &'r Bytes,
    /// None: the connection was cut or refused without a reply.
    pub(crate) status: Option<StatusCode>,
    pub(crate) response_headers: &'r HeaderMap,
    pub(crate) response_body: &'r Bytes,
}

/// What is known of an exchange and handed over.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestMetadata {
    /// What was asked for; `None` if only the path tells.
    pub(crate) kind: Option<OperationKind>,
    pub(crate) downstream: Downstreams,
    /// The rules that struck, the one that decided first.
    pub(crate) faults: Vec<Arc<str>>,
    /// What was let pass although the RFC has it otherwise.
    pub(crate) dialects: Vec<&'static str>,
    /// What in the request had no effect.
    pub(crate) notes: Vec<Note>,
    pub(crate) changes: Vec<StateChange>,
}

impl fmt::Debug for StateChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {}", self.kind, self.resource_type, self.id)
    }
}
