//! Assertions on what came in.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::{AdminError, Named, Pairs, Raw, answer, bad_body, on_blocking_thread, parsed};
use crate::verify::{Expectation, Verification};

/// What became of an expectation.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Verified {
    #[serde(flatten)]
    verification: Verification,
    /// All of it in words, several lines to show to whoever reads the failed test.
    explanation: String,
}

/// Look whether so many requests came as are expected.
///
/// The answer is 200 whether they did or not, unless `fail` is set: `satisfied` says it, and `explanation` why.
#[utoipa::path(post, path = "/applications/{name}/verify", tag = "journal",
    params(("fail" = Option<bool>, Query, description = "Answers 417 where the expectation is not satisfied, for shells: \
        `curl --fail-with-body` ends with an error then.")),
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
    let verification = on_blocking_thread(move || application.verify(&expectation)).await?;
    let status =
        if fails && !verification.satisfied { StatusCode::EXPECTATION_FAILED } else { StatusCode::OK };
    let explanation = verification.to_string();
    Ok(answer(status, &Verified { verification, explanation }))
}
