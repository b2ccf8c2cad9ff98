//! Bodies of responses.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body as AxumBody;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::connection_state::{ConnectionPhase, ConnectionState};

/// Returns the whole body. A stream that fails ends there; one without an end must not get a fault.
pub(super) async fn whole(mut body: AxumBody) -> Bytes {
    let mut all = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            all.extend_from_slice(data);
        }
    }
    all.into()
}

/// A body that tells its connection when hyper has all of it.
#[derive(Debug)]
pub(super) struct ResponseBody {
    pub(super) body: AxumBody,
    /// HTTP/1 only.
    pub(super) connection: Option<Arc<ConnectionState>>,
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        // hyper lets go of a body as soon as it has taken the last of it, and before it writes that out.
        if let Some(connection) = &self.connection {
            connection.enter(ConnectionPhase::Replied);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
