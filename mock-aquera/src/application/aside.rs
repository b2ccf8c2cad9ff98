//! What takes long, where it holds nobody up: on a thread that no other request needs.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Application;
use super::serve::{Glance, Incoming, Taken, Verdict};
use crate::gateway::{self, Step};
use crate::net::{Head, Sabotage};
use crate::problem::Problem;
use crate::reply::Reply;

impl Application {
    /// Takes a walk over many resources aside.
    pub(super) async fn finish(&self, step: Step) -> Reply {
        match step {
            Step::Done(reply) => reply,
            Step::Aside(list) => {
                let application = self.clone();
                let walked = tokio::task::spawn_blocking(move || list.answer(application.store())).await;
                match walked {
                    Ok(Ok(reply)) => reply,
                    Ok(Err(problem)) => Reply::from(problem),
                    Err(_) => Reply::from(Problem::by_profile(500, None, "the query could not be answered")),
                }
            }
        }
    }

    /// Carries out a request aside. Once begun, it is done and journaled even if its client gives up.
    pub(super) async fn aside(&self, taken: &Taken<'_>, incoming: &Incoming, me: Option<Arc<str>>) -> Reply {
        let (tell, told) = oneshot::channel();
        let (application, settings, now) = (self.clone(), Arc::clone(taken.settings), taken.now);
        let (parts, path_at) = (incoming.parts.clone(), incoming.path_at);
        let (body, seen) = (taken.body.clone(), taken.seen_as.map(str::to_owned));
        let work = move || {
            let head = Head::from(&parts);
            let taken =
                Taken { settings: &settings, head, path_at, body: &body, now, seen_as: seen.as_deref() };
            let step = gateway::handle(&application.scene(&taken, path_at, &Glance::at(head.headers), me));
            let reply = match step {
                Step::Done(reply) => reply,
                Step::Aside(list) => list.answer(application.store()).unwrap_or_else(Reply::from),
            };
            if let Err(reply) = tell.send(reply) {
                application.leave(&taken, reply, &Verdict::default(), Some(Sabotage::EmptyReply));
            }
        };
        drop(tokio::task::spawn_blocking(work));
        let broken = |_| Reply::from(Problem::by_profile(500, None, "the request could not be carried out"));
        told.await.unwrap_or_else(broken)
    }
}
