//! The SCIM operations that a request asks for, read out of its method, path and body.

use std::fmt;
use std::str::FromStr;

use hyper::Method;
use scim::json::get_ci;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::patched_paths;
use crate::route::{Endpoint, Route, decoded};
use crate::text;

/// What a request asks for.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum OperationKind {
    /// POST of a resource.
    Create,
    /// GET of one resource.
    Read,
    /// GET of several.
    List,
    /// POST to `/.search`.
    Search,
    /// PUT.
    Replace,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
    /// A bulk request; what is in it follows.
    Bulk,
    /// The describing endpoints.
    Discovery,
    /// Anything under `/Me`.
    Me,
    /// The token endpoint.
    Token,
    /// Nothing that SCIM knows.
    #[default]
    Other,
}

impl OperationKind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Create,
        Self::Read,
        Self::List,
        Self::Search,
        Self::Replace,
        Self::Patch,
        Self::Delete,
        Self::Bulk,
        Self::Discovery,
        Self::Me,
        Self::Token,
        Self::Other,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::List => "list",
            Self::Search => "search",
            Self::Replace => "replace",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Bulk => "bulk",
            Self::Discovery => "discovery",
            Self::Me => "me",
            Self::Token => "token",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for OperationKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text)).ok_or(())
    }
}

/// One operation in SCIM's terms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimOperation {
    /// What is asked for.
    pub kind: OperationKind,
    /// `User`, `Group`, or the endpoint of another resource type. None where it is about no single one.
    pub resource_type: Option<String>,
    /// The id in the path; of what was created, the one in the answer.
    pub id: Option<String>,
    /// The `userName` that the request writes or looks for.
    pub user_name: Option<String>,
    /// The filter of a list or a search.
    pub filter: Option<String>,
    /// The operations of a PATCH.
    #[serde(default)]
    pub patch: Vec<PatchedPath>,
    /// The attributes that are written, as the request names them; those of a PATCH only where it has no path.
    #[serde(default)]
    pub attributes: Vec<String>,
}

/// One operation of a PATCH.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PatchedPath {
    /// `add`, `remove` or `replace`, as sent.
    pub op: String,
    /// The path as sent, if there is one.
    pub path: Option<String>,
}

impl ScimOperation {
    /// An operation of which no more is known.
    pub(crate) fn of_kind(kind: OperationKind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// Whether a PATCH names this path, or writes it as a member without one, as far as the operation tells.
    fn patches(&self, path: &str) -> bool {
        let named = self.patch.iter().filter_map(|patched| patched.path.as_ref());
        let members = self.attributes.iter().filter(|_| !self.patch.is_empty());
        named.chain(members).any(|named| patched_paths::comparable(named, None) == path)
    }
}

/// Whether a request patches this path: as its operations tell, or its body, which shows members within members.
pub(super) fn patches(operations: &[ScimOperation], body: Option<&Value>, path: &str) -> bool {
    let wanted = patched_paths::comparable(path, None);
    let names = |body: &Value| {
        patched_paths::paths(body).iter().any(|named| patched_paths::comparable(named, None) == wanted)
    };
    let of_bulk = |operation: &Value| {
        let Some(operation) = operation.as_object() else { return false };
        let method = get_ci(operation, "method").and_then(Value::as_str);
        method.is_some_and(|method| method.eq_ignore_ascii_case("PATCH"))
            && get_ci(operation, "data").is_some_and(names)
    };
    operations.iter().any(|one| {
        one.patches(&wanted)
            || match (one.kind, body) {
                (OperationKind::Patch | OperationKind::Me, Some(body)) if !one.patch.is_empty() => {
                    names(body)
                }
                (OperationKind::Bulk, Some(Value::Object(body))) => {
                    let mut inner =
                        get_ci(body, "Operations").and_then(Value::as_array).into_iter().flatten();
                    inner.any(of_bulk)
                }
                _ => false,
            }
    })
}

/// The path below the base URL of its application; as it is where it isn't below one.
pub(crate) fn below_base(path: &str) -> &str {
    match Endpoint::of(path) {
        Endpoint::Scim { below, .. } => below,
        Endpoint::Token { .. } | Endpoint::Other => path,
    }
}

/// Reads a path below a base URL. What stands behind a resource does not count.
fn route_of(below: &str) -> Route<'_> {
    Route::parse_beginning(below.trim_end_matches('/'), false).0
}

/// Returns what a request asks for, by its route.
pub(crate) fn kind_of_route<T>(method: &Method, route: &Route<'_, T>) -> OperationKind {
    match (route, method) {
        (Route::Root | Route::Collection(_), &Method::GET) => OperationKind::List,
        (Route::Collection(_), &Method::POST) => OperationKind::Create,
        (Route::Search(_) | Route::RootSearch, _) => OperationKind::Search,
        (Route::Resource(..), &Method::GET) => OperationKind::Read,
        (Route::Resource(..), &Method::PUT) => OperationKind::Replace,
        (Route::Resource(..), &Method::PATCH) => OperationKind::Patch,
        (Route::Resource(..), &Method::DELETE) => OperationKind::Delete,
        (Route::Me, _) => OperationKind::Me,
        (Route::Bulk, _) => OperationKind::Bulk,
        (Route::Configuration | Route::ResourceTypes(_) | Route::Schemas(_), _) => OperationKind::Discovery,
        (Route::Root | Route::Collection(_) | Route::Resource(..) | Route::Unknown, _) => {
            OperationKind::Other
        }
    }
}

/// What a request asks for, by method and path alone. Allocates nothing.
pub(super) fn kind_of(method: &Method, path: &str) -> OperationKind {
    match Endpoint::of(path) {
        Endpoint::Scim { below, .. } => kind_of_route(method, &route_of(below)),
        Endpoint::Token { .. } => OperationKind::Token,
        Endpoint::Other => OperationKind::Other,
    }
}

/// What a request asks for, from all that is known of it.
pub(super) fn read(
    method: &Method,
    path_and_query: &str,
    request: Option<&Value>,
    response: Option<&Value>,
) -> Vec<ScimOperation> {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    let below = match Endpoint::of(path) {
        Endpoint::Scim { below, .. } => below,
        Endpoint::Token { .. } => return vec![ScimOperation::of_kind(OperationKind::Token)],
        Endpoint::Other => return vec![ScimOperation::of_kind(OperationKind::Other)],
    };
    let operation = described(method, below, parameter(query, "filter"), (request, response));
    let is_bulk = operation.kind == OperationKind::Bulk;
    let mut operations = vec![operation];
    if is_bulk {
        let inner = request.and_then(Value::as_object).and_then(|body| get_ci(body, "Operations"));
        operations.extend(inner.and_then(Value::as_array).into_iter().flatten().filter_map(bulk_operation));
    }
    operations
}

fn bulk_operation(operation: &Value) -> Option<ScimOperation> {
    let operation = operation.as_object()?;
    let method = get_ci(operation, "method")?.as_str()?.to_ascii_uppercase().parse().ok()?;
    let path = text::normal_path(get_ci(operation, "path")?.as_str()?);
    let below = path.split('?').next().unwrap_or_default();
    Some(described(&method, below, None, (get_ci(operation, "data"), None)))
}

fn described(
    method: &Method,
    below: &str,
    filter: Option<String>,
    (request, response): (Option<&Value>, Option<&Value>),
) -> ScimOperation {
    let request = request.and_then(Value::as_object);
    let route = route_of(below);
    let (endpoint, id) = match route {
        Route::Collection(endpoint) | Route::Search(endpoint) => (Some(endpoint), None),
        Route::Resource(endpoint, id) => (Some(endpoint), Some(id)),
        Route::Configuration => (Some("ServiceProviderConfig"), None),
        Route::ResourceTypes(name) => (Some("ResourceTypes"), name),
        Route::Schemas(name) => (Some("Schemas"), name),
        _ => (None, None),
    };
    let mut operation = ScimOperation {
        resource_type: endpoint.map(resource_type),
        id: id.map(|id| decoded(id).into_owned()),
        filter,
        ..ScimOperation::of_kind(kind_of_route(method, &route))
    };
    match (operation.kind, request) {
        (OperationKind::Create | OperationKind::Replace, Some(body)) => resource(&mut operation, body),
        (OperationKind::Patch, Some(body)) => read_patch(&mut operation, body),
        (OperationKind::Search, Some(body)) => {
            operation.filter = get_ci(body, "filter").and_then(Value::as_str).map(str::to_owned);
        }
        (OperationKind::Me, Some(body)) if get_ci(body, "Operations").is_some() => {
            read_patch(&mut operation, body);
        }
        (OperationKind::Me, Some(body)) => resource(&mut operation, body),
        _ => {}
    }
    if operation.user_name.is_none() {
        operation.user_name = operation.filter.as_deref().and_then(looked_for);
    }
    if operation.kind == OperationKind::Create {
        let created = response.and_then(Value::as_object).and_then(|body| body.get("id"));
        operation.id = created.and_then(Value::as_str).map(str::to_owned);
    }
    operation
}

fn resource(operation: &mut ScimOperation, body: &Map<String, Value>) {
    operation.user_name = user_name_of(body).map(str::to_owned);
    let counts = |name: &&String| !["schemas", "id", "meta"].iter().any(|not| name.eq_ignore_ascii_case(not));
    operation.attributes = body.keys().filter(counts).cloned().collect();
}

fn read_patch(operation: &mut ScimOperation, body: &Map<String, Value>) {
    let several = get_ci(body, "Operations").and_then(Value::as_array);
    // Some clients send one operation without the array around it.
    let single = several.is_none().then_some(body);
    let all = several.into_iter().flatten().filter_map(Value::as_object).chain(single);
    for one in all {
        let path = get_ci(one, "path").and_then(Value::as_str).filter(|path| !path.is_empty());
        let value = get_ci(one, "value");
        let op = get_ci(one, "op").and_then(Value::as_str).unwrap_or_default();
        match (path, value.and_then(Value::as_object)) {
            (Some(path), _) if patched_paths::comparable(path, None) == "username" => {
                operation.user_name = value.and_then(Value::as_str).map(str::to_owned);
            }
            (None, Some(members)) => {
                operation.attributes.extend(members.keys().cloned());
                if let Some(name) = patched_user_name(members) {
                    operation.user_name = Some(name.to_owned());
                }
            }
            _ => {}
        }
        operation.patch.push(PatchedPath { op: op.to_owned(), path: path.map(str::to_owned) });
    }
}

/// The `userName` of a resource.
pub(super) fn user_name_of(resource: &Map<String, Value>) -> Option<&str> {
    get_ci(resource, "userName").and_then(Value::as_str)
}

/// The `userName` among the members of a value without a path, which may stand under its URN or in an object of that.
fn patched_user_name(members: &Map<String, Value>) -> Option<&str> {
    members.iter().find_map(|(name, value)| match (patched_paths::comparable(name, None).as_str(), value) {
        ("username", value) => value.as_str(),
        (schema, Value::Object(inner)) if schema.starts_with("urn:") => {
            let own = patched_paths::comparable(&format!("{name}:userName"), None) == "username";
            user_name_of(inner).filter(|_| own)
        }
        _ => None,
    })
}

fn resource_type(endpoint: &str) -> String {
    match endpoint {
        "Users" => "User".to_owned(),
        "Groups" => "Group".to_owned(),
        other => decoded(other).into_owned(),
    }
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let mut all = form_urlencoded::parse(query.as_bytes());
    all.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
}

/// The name in `userName eq "name"`, wherever that stands in a filter.
fn looked_for(filter: &str) -> Option<String> {
    let at = filter.to_ascii_lowercase().find("username eq \"")?;
    let literal = &filter[at + "username eq ".len()..];
    serde_json::Deserializer::from_str(literal).into_iter::<String>().next()?.ok()
}
