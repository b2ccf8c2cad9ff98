//! Back to the beginning, in part or as a whole.

use axum::extract::State;
use axum::http::StatusCode;

use super::Shared;
use super::answer::{AdminError, Named, Pairs, bad_query, on_blocking_thread};
use crate::application::Application;
use crate::units::suggest::nearest_or;

type Reset = fn(&Application);

/// What can be reset, and how.
const PARTS: [(&str, Reset); 8] = [
    // First, because the others follow the profile.
    ("settings", Application::reset_settings),
    ("data", Application::reset_data),
    ("faults", Application::reset_faults),
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
    /// What returns to the start, with commas in between: `settings` (profile, credentials, limits of the journal),
    /// `data` (the resources of the start; ids start over from the seed), `faults` (those of the start), `journal`
    /// (emptied), `counters` (zero), `clock` (it runs on time again), `tokens` (issued, expired, revoked), `limits` (rate
    /// limits). All of it unless said otherwise.
    what: Option<String>,
}

/// Return an application to its start, in part or as a whole.
///
/// The start is what the server was started with: `--load`, `--users` or the snapshot, `--fault`, `--profile`, `--auth`. Of
/// an application that was made later it is what it was made with.
#[utoipa::path(post, path = "/applications/{name}/reset", tag = "applications", params(ResetQuery),
    responses((status = 204, description = "It is at its start.")))]
pub(super) async fn reset(Named(application): Named, query: Pairs) -> Result<StatusCode, AdminError> {
    let parts = parts(query)?;
    on_blocking_thread(move || apply(&parts, &application)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Return all applications to their start, in part or as a whole.
///
/// Those of the server's start that were removed are there again.
#[utoipa::path(post, path = "/reset", tag = "applications", params(ResetQuery),
    responses((status = 204, description = "They are at their start.")))]
pub(super) async fn reset_all(State(admin): State<Shared>, query: Pairs) -> Result<StatusCode, AdminError> {
    let parts = parts(query)?;
    on_blocking_thread(move || {
        admin.config.server.restore_start();
        admin.config.server.applications().iter().for_each(|application| apply(&parts, application));
    })
    .await?;
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
    let words: Vec<&str> = what.split(',').map(str::trim).collect();
    if let Some(word) = words.iter().find(|word| PARTS.iter().all(|(name, _)| name != *word)) {
        return Err(unknown(word));
    }
    // In the order in which they stand above, however they are written.
    Ok(PARTS.iter().filter(|(name, _)| words.contains(name)).map(|(_, part)| *part).collect())
}

fn unknown(word: &str) -> AdminError {
    let names = PARTS.map(|(name, _)| name);
    let hint = nearest_or(word, names, || format!("what can: {}", names.join(", ")));
    bad_query(format!("`{word}` can't be reset; {hint}"))
}
