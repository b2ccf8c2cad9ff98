//! Assertions on what came in.

use axum::response::Response;
use serde::Serialize;

use super::answer::{AdminError, Json, Named, aside, ok};
use crate::verify::{Expectation, Miss, Seen, Verification};

/// What became of an expectation.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Verified {
    /// Whether so many came as were expected.
    satisfied: bool,
    /// How many fit.
    matched: u64,
    /// How many were expected, in words.
    expected: String,
    /// Which requests were expected, in words.
    request: String,
    /// The first of those that fit.
    matches: Vec<Seen>,
    /// How many requests were looked at.
    looked_at: u64,
    /// Where too few fit: the request that fails the fewest criteria, the latest of several.
    nearest_miss: Option<Miss>,
    /// All of it in words, several lines to show to whoever reads the failed test.
    explanation: String,
}

/// Look whether so many requests came as are expected.
///
/// The answer is 200 whether they did or not: `satisfied` says it, and `explanation` why.
#[utoipa::path(post, path = "/applications/{name}/verify", tag = "journal", request_body = Expectation,
    responses((status = 200, description = "Satisfied or not.", body = Verified)))]
pub(super) async fn verify(
    Named(application): Named,
    Json(expectation): Json<Expectation>,
) -> Result<Response, AdminError> {
    let verification = aside(move || application.verify(&expectation)).await?;
    let explanation = verification.to_string();
    let Verification { satisfied, matched, expected, request, matches, looked_at, nearest_miss } =
        verification;
    Ok(ok(&Verified { satisfied, matched, expected, request, matches, looked_at, nearest_miss, explanation }))
}
