//! A request that waits on purpose, and whose client may give up meanwhile: then it is dropped where it stands, and the
//! journal has to show it all the same.

use axum::body::Bytes;
use axum::http::HeaderMap;

use super::Application;
use super::serve::ReceivedRequest;
use crate::fault::{Phase, Strikes};
use crate::journal::RequestMetadata;
use crate::reply::Reply;

/// What is known of a request while it waits.
pub(super) struct Waiting<'a> {
    pub(super) application: &'a Application,
    pub(super) received: &'a ReceivedRequest<'a>,
    pub(super) strikes: &'a Strikes,
    /// What it did, where it did anything yet.
    pub(super) reply: Option<&'a Reply>,
}

impl Waiting<'_> {
    /// Waits as long as the faults say.
    pub(super) async fn pass(self, phase: Phase) {
        let delay = self.strikes.delay(phase);
        if !delay.is_zero() {
            let mut waiting = Unanswered(Some(self));
            tokio::time::sleep(delay).await;
            waiting.0 = None;
        }
    }
}

/// Journals what is in it when it is dropped.
struct Unanswered<'a>(Option<Waiting<'a>>);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        let Some(Waiting { application, received, strikes, reply }) = self.0.take() else { return };
        let known = reply.map(|reply| reply.known.clone()).unwrap_or_default();
        let known = RequestMetadata { faults: strikes.rules().cloned().collect(), ..known };
        application.tell_given_up(received.head, strikes);
        let request = (received.head, received.now, received.body);
        application.record(request, (None, &HeaderMap::new(), &Bytes::new()), known);
    }
}
