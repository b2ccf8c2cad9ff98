//! What takes long, where it holds nobody up: on a thread that no other request needs.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Application;
use super::serve::{Incoming, ReceivedRequest, RequestHeaders, Verdict};
use crate::gateway::list::List;
use crate::gateway::{self, Outcome};
use crate::net::{Head, SocketFault};
use crate::problem::Problem;
use crate::reply::Reply;

impl Application {
    /// Answers a query that walks over many resources.
    pub(super) async fn walk(&self, list: Box<List>) -> Reply {
        let application = self.clone();
        match tokio::task::spawn_blocking(move || list.answer(application.store())).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(problem)) => Reply::from(problem),
            Err(_) => Reply::from(Problem::by_profile(500, None, "the query could not be answered")),
        }
    }

    /// Carries out a request on a thread for blocking work. Once begun, it is done and journaled even if its client gives up.
    pub(super) async fn carry_out_long(
        &self,
        received: &ReceivedRequest<'_>,
        incoming: &Incoming,
        me: Option<Arc<str>>,
    ) -> Reply {
        let (tell, told) = oneshot::channel();
        let (application, settings, now) = (self.clone(), Arc::clone(received.settings), received.now);
        let (parts, path_at) = (incoming.parts.clone(), incoming.path_at);
        let (body, seen) = (received.body.clone(), received.seen_as.map(str::to_owned));
        let work = move || {
            let head = Head::from(&parts);
            let received = ReceivedRequest::new(&settings, (head, path_at, &body), now, seen.as_deref());
            let step =
                gateway::handle(&application.context(&received, &RequestHeaders::of(head.headers), me));
            let reply = match step {
                Outcome::Ready(reply) => reply,
                Outcome::Deferred(list) => list.answer(application.store()).unwrap_or_else(Reply::from),
            };
            if let Err(reply) = tell.send(reply) {
                application.finish_response(
                    &received,
                    reply,
                    &Verdict::default(),
                    Some(SocketFault::EmptyReply),
                );
            }
        };
        drop(tokio::task::spawn_blocking(work));
        let broken = |_| Reply::from(Problem::by_profile(500, None, "the request could not be carried out"));
        told.await.unwrap_or_else(broken)
    }
}
