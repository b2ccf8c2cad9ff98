//! The description of administration as OpenAPI 3.1.
//!
//! The handlers say what is theirs alone. What holds for many is added here: the parameters in the paths, the errors, the
//! token.

use std::sync::LazyLock;

use axum::http::Method;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::OpenApi;

use super::answer::ErrorBody;
use super::{applications, clock, faults, index, journal, live, reset, resources, transfer, verify};

/// A route of administration.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Route {
    pub(super) method: String,
    pub(super) path: String,
    /// What it does.
    pub(super) summary: String,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "mock-aquera administration",
        description = "What a test or a developer does to a running mock. JSON in and out; no answer holds a secret.",
    ),
    servers((url = "/_mock")),
    components(schemas(ErrorBody)),
    tags(
        (name = "server", description = "The server as a whole."),
        (name = "applications", description = "Applications: each has resources, credentials, behaviour of its own."),
        (name = "resources", description = "What an application holds, behind its endpoint's back."),
        (name = "faults", description = "Rules that make requests go wrong."),
        (name = "clock", description = "The clock of an application."),
        (name = "journal", description = "What came in, and what became of it."),
    ),
    paths(
        index::index, index::openapi, index::health, index::metrics, index::profiles,
        reset::reset_all, reset::reset,
        applications::list, applications::describe, applications::configure, applications::remove,
        applications::profile, applications::set_profile, applications::auth, applications::set_auth,
        resources::list, resources::seed, resources::remove_all,
        resources::show, resources::write, resources::remove,
        faults::list, faults::add, faults::clear, faults::remove,
        clock::show, clock::change,
        journal::query, journal::clear, journal::limits, journal::set_limits, journal::har,
        live::wait, live::wait_for, live::stream, verify::verify,
        transfer::dump, transfer::load, transfer::consistency,
    ),
)]
struct Described;

/// The operations of a path below the base, with their methods.
pub(super) fn operations(path: &str) -> impl Iterator<Item = (Method, &'static Value)> {
    let path = if path.is_empty() { "/" } else { path };
    let operations = DOCUMENT["paths"][path].as_object().into_iter().flatten();
    operations.filter_map(|(method, operation)| Some((method.to_uppercase().parse().ok()?, operation)))
}

/// The names of the query parameters of an operation.
pub(super) fn queries(operation: &'static Value) -> impl Iterator<Item = &'static str> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    parameters
        .filter(|parameter| parameter["in"] == "query")
        .filter_map(|parameter| parameter["name"].as_str())
}

/// The media types of the body that an operation takes; none where it takes no body.
pub(super) fn media_types(operation: &'static Value) -> impl Iterator<Item = &'static str> {
    operation["requestBody"]["content"].as_object().into_iter().flatten().map(|(name, _)| name.as_str())
}

/// The routes in the order of their paths, below a base.
pub(super) fn index(base: &str) -> Vec<Route> {
    let paths = DOCUMENT["paths"].as_object();
    let routes = paths.into_iter().flatten().flat_map(|(path, operations)| {
        operations.as_object().into_iter().flatten().map(move |(method, operation)| Route {
            method: method.to_uppercase(),
            path: format!("{base}{}", path.trim_end_matches('/')),
            summary: operation["summary"].as_str().unwrap_or_default().to_owned(),
        })
    });
    routes.collect()
}

/// The whole description.
pub(super) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document =
        crate::or_default(serde_json::to_value(Described::openapi()), "write the OpenAPI description");
    document["components"]["securitySchemes"] = json!({"token": {
        "type": "http", "scheme": "bearer", "description": "Needed where the server was started with --admin-token.",
    }});
    document["security"] = json!([{}, {"token": []}]);
    if let Some(paths) = document["paths"].as_object_mut() {
        let of_any_type = paths.get("/applications/{name}/resources/{type}").cloned().unwrap_or_default();
        // Two types have routes of their own.
        for all in ["users", "groups"] {
            let mut operations = of_any_type.clone();
            for (_, operation) in operations.as_object_mut().into_iter().flatten() {
                let summary = operation["summary"].as_str().unwrap_or_default();
                operation["summary"] = summary.replace("resources of a type", all).into();
            }
            paths.insert(format!("/applications/{{name}}/{all}"), operations);
        }
        for (path, operations) in paths {
            for (method, operation) in operations.as_object_mut().into_iter().flatten() {
                operation["operationId"] = operation_id(method, path).into();
                complete(path, operation);
            }
        }
    }
    document
});

/// `get /applications/{name}/faults` is `getApplicationsByNameFaults`.
fn operation_id(method: &str, path: &str) -> String {
    let mut id = method.to_owned();
    for segment in path.split(['/', '.']).filter(|segment| !segment.is_empty()) {
        let name = match segment.strip_prefix('{') {
            Some(parameter) => {
                id.push_str("By");
                parameter.trim_end_matches('}')
            }
            None => segment,
        };
        let (first, rest) = name.split_at(1);
        id.push_str(&first.to_uppercase());
        id.push_str(rest);
    }
    id
}

/// Adds what follows from the path and from what is sent.
fn complete(path: &str, operation: &mut Value) {
    let id = if path.contains("/faults/") { "The id of a fault." } else { "The id of a resource." };
    let described = [
        ("name", "The application; `default` is the one at `/scim`."),
        ("type", "The resource type: `User`, `Group` or another one."),
        ("id", id),
    ];
    let in_path: Vec<Value> = described
        .iter()
        .filter(|(name, _)| path.contains(&format!("{{{name}}}")))
        .map(|(name, description)| {
            json!({
                "name": name, "in": "path", "required": true, "description": description,
                "schema": {"type": "string"},
            })
        })
        .collect();
    let mut parameters = in_path;
    parameters.extend(operation["parameters"].as_array().cloned().unwrap_or_default());
    if ["/journal/wait", "/journal/stream"].iter().any(|route| path.ends_with(route)) {
        // Whoever waits or follows gets all that fits, as it comes.
        parameters.retain(|parameter| parameter["name"] != "limit" && parameter["name"] != "order");
    }
    let has_body = operation.get("requestBody").is_some();
    let is_open = path == "/health";
    if is_open {
        operation["security"] = json!([{}]);
    }
    let from_elsewhere = "It comes from a web page of another origin, or by a host name that is not known.";
    let errors = [
        ("400", true, "It is not understood, or says what this route does not take."),
        ("401", !is_open, "The token is missing or wrong."),
        ("403", !is_open, from_elsewhere),
        ("404", path.contains('{'), "There is no such thing."),
        ("413", has_body, "The body is too large."),
        ("415", has_body, "The body has another media type."),
    ];
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    for (status, _, description) in errors.into_iter().filter(|(_, occurs, _)| *occurs) {
        let schema = json!({"$ref": "#/components/schemas/ErrorBody"});
        let error = json!({"description": description, "content": {"application/json": {"schema": schema}}});
        operation["responses"][status] = error;
    }
}

#[cfg(test)]
mod tests;
