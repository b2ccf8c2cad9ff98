//! Assertions on what came in.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::{AdminError, Named, Pairs, Raw, answer, aside, bad_body, parsed};
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
    /// How many more may fit, where that decides: what they are compared by is redacted.
    undecided: u64,
    /// Where too few fit, or it can't be told: the request that fails the fewest criteria, the latest of several.
    nearest_miss: Option<Miss>,
    /// All of it in words, several lines to show to whoever reads the failed test.
    explanation: String,
}

#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only describes the query")]
pub(super) struct VerifyQuery {
    /// Answers 417 where the expectation is not satisfied, for shells: `curl --fail-with-body` ends with an error then.
    fail: Option<bool>,
}

/// Look whether so many requests came as are expected.
///
/// The answer is 200 whether they did or not, unless `fail` is set: `satisfied` says it, and `explanation` why.
#[utoipa::path(post, path = "/applications/{name}/verify", tag = "journal", params(VerifyQuery),
    request_body = Expectation,
    responses(
        (status = 200, description = "Satisfied or not.", body = Verified),
        (status = 417, description = "Not satisfied, and `fail` is set.", body = Verified)))]
pub(super) async fn verify(
    Named(application): Named,
    mut query: Pairs,
    Raw(body): Raw,
) -> Result<Response, AdminError> {
    let fails = query.take_flag("fail")?;
    let expectation: Expectation = parsed(&body)?;
    let says_times = parsed::<Map<String, Value>>(&body)?.contains_key("times");
    if !says_times && expectation == Expectation::default() {
        return Err(bad_body(
            "it expects nothing, and any request would satisfy it; write what is expected, such as \
             {\"request\":{\"method\":\"POST\"}}, or {\"times\":{\"atLeast\":1}} for any request",
        ));
    }
    application.check_expectation(&expectation).map_err(bad_body)?;
    let verification = aside(move || application.verify(&expectation)).await?;
    let explanation = verification.to_string();
    let Verification { satisfied, matched, expected, request, matches, looked_at, undecided, nearest_miss } =
        verification;
    let status = if fails && !satisfied { StatusCode::EXPECTATION_FAILED } else { StatusCode::OK };
    Ok(answer(
        status,
        &Verified {
            satisfied,
            matched,
            expected,
            request,
            matches,
            looked_at,
            undecided,
            nearest_miss,
            explanation,
        },
    ))
}
