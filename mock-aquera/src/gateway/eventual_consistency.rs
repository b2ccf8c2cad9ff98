//! Reads that lag behind writes, where a profile has it so.

use axum::body::Bytes;
use axum::http::{StatusCode, header};

use super::write::{names_version, no_such, refused};
use super::{Refusal, RequestContext};
use crate::downstream::{DownstreamOperation, Downstreams};
use crate::profile::EtagRule;
use crate::reply::Reply;
use crate::store::{Ref, Stale, Store};
use crate::types::TypeId;

/// Reads what was there before a write.
pub(super) fn read(
    context: &RequestContext<'_>,
    kind_at: TypeId,
    id: &str,
    stale: &Stale,
) -> Result<Reply, Refusal> {
    let operations = &[DownstreamOperation::Read];
    let inactive = |text: &Bytes| {
        context.settings.hides_inactive(kind_at) && !crate::gateway::select_members::is_active(text)
    };
    let Some(text) = stale.shown.as_ref().filter(|text| !inactive(text)) else {
        return Err(refused(no_such(context, kind_at, id), operations, Some(id)));
    };
    let named = || names_version(context, &header::IF_NONE_MATCH, &stale.etag) == Some(true);
    let mut reply = if context.conditional && named() {
        Reply::empty(StatusCode::NOT_MODIFIED)
    } else {
        let text = match context.projection(kind_at)? {
            Some(projection) => super::projected(text, &projection),
            None => text.clone(),
        };
        Reply::scim(StatusCode::OK, text)
    };
    if context.settings.profile.features.etag == EtagRule::Works {
        reply = reply.header(header::ETAG, &stale.etag);
    }
    Ok(reply.became(Downstreams::done(operations, id)))
}

/// Lets reads go on showing what is now, where the profile has it so: the resource, or that it isn't there.
pub(super) fn keep(context: &RequestContext<'_>, store: &mut Store, at: Ref, there: bool) {
    let period = context.settings.profile.application.stale_reads.duration();
    if let Some(until) = context.now.checked_add(period).ok().filter(|_| !period.is_zero()) {
        store.keep_stale(at, until, context.now, there.then(|| context.settings.members_in_reads()));
    }
}
