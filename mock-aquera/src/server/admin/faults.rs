//! The faults of an application.

use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::answer::{AdminError, Json, Named, Parameters, answer, bad_body, ok};
use crate::application::Application;
use crate::fault::{Fault, FaultId, FaultState};

/// The faults of an application.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct FaultList {
    /// The rules that can still strike.
    rules: Vec<String>,
    /// What has become of each, the last of those included that can strike no more.
    faults: Vec<FaultState>,
}

/// Faults that were added, and all that there are.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct FaultsAdded {
    /// The ids of the new ones, in the order of their rules.
    #[schema(value_type = Vec<u64>)]
    ids: Vec<FaultId>,
    #[serde(flatten)]
    all: FaultList,
}

/// Rules to add.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultRules {
    /// Rules, one a line, or the presets `mild`, `rough` and `hostile`: `status=503 method=POST times=2`.
    #[schema(examples("status=503 method=POST times=2", "mild"))]
    rule: String,
}

/// List the faults with what has become of them.
#[utoipa::path(get, path = "/applications/{name}/faults", tag = "faults",
    responses((status = 200, description = "Those that can strike, and the last of the others.", body = FaultList)))]
pub(super) async fn list(Named(application): Named) -> Response {
    ok(&FaultList::of(&application))
}

/// Add faults behind those that are there.
///
/// All of the rules are added, or none.
#[utoipa::path(post, path = "/applications/{name}/faults", tag = "faults",
    request_body = FaultRules,
    responses((status = 201, description = "They are added.", body = FaultsAdded)))]
pub(super) async fn add(
    Named(application): Named,
    Json(FaultRules { rule: rules }): Json<FaultRules>,
) -> Result<Response, AdminError> {
    let faults = Fault::parse_all(&rules).map_err(bad_body)?;
    if faults.is_empty() {
        return Err(bad_body("there is no rule in it; one looks like `status=503 method=POST times=2`"));
    }
    for fault in &faults {
        application.check_fault(fault).map_err(|error| bad_body(format_args!("`{fault}`: {error}")))?;
    }
    let ids = faults.into_iter().map(|fault| application.add_fault(fault)).collect();
    Ok(answer(StatusCode::CREATED, &FaultsAdded { ids, all: FaultList::of(&application) }))
}

/// Take all faults away.
#[utoipa::path(delete, path = "/applications/{name}/faults", tag = "faults",
    responses((status = 204, description = "There is none any more.")))]
pub(super) async fn clear(Named(application): Named) -> StatusCode {
    application.clear_faults();
    StatusCode::NO_CONTENT
}

/// Take one fault away.
#[utoipa::path(delete, path = "/applications/{name}/faults/{id}", tag = "faults",
    responses((status = 204, description = "It is gone.")))]
pub(super) async fn remove(
    Named(application): Named,
    Parameters { id, .. }: Parameters,
) -> Result<StatusCode, AdminError> {
    match id.parse() {
        Ok(fault) if application.remove_fault(fault) => Ok(StatusCode::NO_CONTENT),
        _ => Err(AdminError::NoSuchFault(id)),
    }
}

impl FaultList {
    fn of(application: &Application) -> Self {
        let faults = application.fault_states();
        let rules = faults.iter().filter(|state| !state.spent).map(|state| state.rule.clone()).collect();
        Self { rules, faults }
    }
}
