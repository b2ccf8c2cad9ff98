//! Back to the beginning, in part or as a whole.

use axum::extract::State;
use axum::http::StatusCode;

use super::Shared;
use super::answer::{AdminError, Named, Pairs, bad_query};
use crate::application::Application;
use crate::nearest::nearest;

type Reset = fn(&Application);

/// What can be reset, and how.
const PARTS: [(&str, Reset); 7] = [
    ("data", Application::reset_data),
    ("faults", Application::clear_faults),
    ("journal", Application::clear_journal),
    ("counters", Application::reset_counters),
    ("clock", |application| application.clock().reset()),
    ("tokens", Application::reset_tokens),
    ("limits", Application::reset_limits),
];

#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only describes the query")]
pub(super) struct ResetQuery {
    /// What to forget, with commas in between: `data` (resources; ids start over from the seed), `faults`, `journal`,
    /// `counters`, `clock` (it runs on time again), `tokens` (issued, expired, revoked), `limits` (rate limits). All
    /// of it unless said otherwise.
    what: Option<String>,
}

/// Reset an application, in part or as a whole. Its profile and credentials stay.
#[utoipa::path(post, path = "/applications/{name}/reset", tag = "applications", params(ResetQuery),
    responses((status = 204, description = "It is forgotten.")))]
pub(super) async fn reset(Named(application): Named, query: Pairs) -> Result<StatusCode, AdminError> {
    apply(&parts(query)?, &application);
    Ok(StatusCode::NO_CONTENT)
}

/// Reset all applications, in part or as a whole.
#[utoipa::path(post, path = "/reset", tag = "applications", params(ResetQuery),
    responses((status = 204, description = "It is forgotten.")))]
pub(super) async fn reset_all(State(admin): State<Shared>, query: Pairs) -> Result<StatusCode, AdminError> {
    let parts = parts(query)?;
    for application in admin.server.applications() {
        apply(&parts, &application);
    }
    Ok(StatusCode::NO_CONTENT)
}

fn apply(parts: &[Reset], application: &Application) {
    for part in parts {
        part(application);
    }
}

fn parts(mut query: Pairs) -> Result<Vec<Reset>, AdminError> {
    let what = query.take("what")?;
    let Some(what) = what else { return Ok(PARTS.iter().map(|(_, part)| *part).collect()) };
    let one = |word: &str| {
        let word = word.trim();
        let known = PARTS.iter().find(|(name, _)| *name == word);
        known.map(|(_, part)| *part).ok_or_else(|| unknown(word))
    };
    what.split(',').map(one).collect()
}

fn unknown(word: &str) -> AdminError {
    let names = PARTS.map(|(name, _)| name);
    bad_query(match nearest(word, names) {
        Some(meant) => format!("`{word}` can't be reset; did you mean `{meant}`?"),
        None => format!("`{word}` can't be reset; what can: {}", names.join(", ")),
    })
}
