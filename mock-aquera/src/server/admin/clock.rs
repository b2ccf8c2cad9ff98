//! The clock of an application: it drives `meta`, tokens, rate windows, faults and stale reads.

use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::answer::{AdminError, Json, Named, Span, bad_body, ok};
use crate::clock::{self, ClockState};

/// What to do with a clock: at least one thing, done in the order in which they stand here.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[derive(Default)]
pub(super) struct ClockChange {
    /// Follow the server's clock again.
    reset: bool,
    /// Show this instant; it stands or runs on from there as it did.
    #[schema(value_type = Option<String>, format = DateTime)]
    now: Option<String>,
    /// Move on by this much, or back: `30s`, `-5m`, `1h 30m`, `PT1H`; a number is seconds.
    #[schema(value_type = Option<String>)]
    advance: Option<Value>,
    /// Stop.
    freeze: bool,
    /// Go on.
    unfreeze: bool,
}

/// Show what an application's clock shows.
#[utoipa::path(get, path = "/applications/{name}/clock", tag = "clock",
    responses((status = 200, description = "What it shows.", body = ClockState)))]
pub(super) async fn show(Named(application): Named) -> Response {
    ok(&application.clock().state())
}

/// Stop an application's clock, or move it.
#[utoipa::path(post, path = "/applications/{name}/clock", tag = "clock", request_body = ClockChange,
    responses((status = 200, description = "What it shows now.", body = ClockState)))]
pub(super) async fn change(
    Named(application): Named,
    Json(change): Json<ClockChange>,
) -> Result<Response, AdminError> {
    let ClockChange { reset, now, advance, freeze, unfreeze } = change;
    if freeze && unfreeze {
        return Err(bad_body("it can't stop and go on at once; write `freeze` or `unfreeze`"));
    }
    if !(reset || freeze || unfreeze) && now.is_none() && advance.is_none() {
        return Err(bad_body("it says nothing to do: `freeze`, `unfreeze`, `now`, `advance` or `reset`"));
    }
    let now =
        now.map(|text| clock::parse(&text).map_err(|expected| bad_body(format!("`now` is {expected}"))));
    let now = now.transpose()?;
    let advance = advance.as_ref().map(Span::of_json).transpose();
    let advance = advance.map_err(|error| bad_body(format!("`advance`: {error}")))?;
    let clock = application.clock();
    if reset {
        clock.reset();
    }
    if freeze {
        // First, so that no time passes between two changes.
        clock.freeze();
    }
    if let Some(now) = now {
        clock.set(now);
    }
    if let Some(Span(step)) = advance {
        clock.advance(step);
    }
    if unfreeze {
        clock.unfreeze();
    }
    Ok(ok(&clock.state()))
}
