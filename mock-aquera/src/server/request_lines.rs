//! The lines that tell of requests which no application answers.

use axum::http::StatusCode;
use hyper::Response;
use hyper::body::Bytes;

use super::Server;
use crate::log::Line;
use crate::net::Head;
use crate::reply::Reply;
use crate::route::Endpoint;

impl Server {
    /// Tells of a request that no application saw.
    pub(super) fn tell(&self, head: Option<Head<'_>>, status: StatusCode, note: Option<&str>) {
        if let Some(log) = &self.defaults.log {
            let notable = !status.is_success();
            let head = head.map(|head| (head.method, head.uri));
            let line = Line { status: Some(status), head, notable };
            log.tell(line, |notes| note.into_iter().for_each(|note| notes.add(note)));
        }
    }

    /// Tells of a request that is refused whatever its application has, and journals it where there is one.
    pub(super) fn refuse(&self, name: &str, head: Head<'_>, reply: &Reply) {
        let why = reply.note().unwrap_or_default();
        match self.application(name) {
            Some(application) => application.refuse(head, (reply.status, &reply.headers, &reply.body), &why),
            None => self.tell(Some(head), reply.status, Some(&why)),
        }
    }

    /// Reports a request that the connection layer rejected.
    pub(super) fn report_rejection(&self, head: Option<Head<'_>>, reply: &Response<Bytes>, why: &str) {
        let application = head.and_then(|head| {
            let Endpoint::Scim { application, .. } = Endpoint::of(head.uri.path()) else { return None };
            Some((self.application(application)?, head))
        });
        match application {
            Some((application, head)) => {
                application.refuse(head, (reply.status(), reply.headers(), reply.body()), why);
            }
            None => self.tell(head, reply.status(), Some(why)),
        }
    }
}
