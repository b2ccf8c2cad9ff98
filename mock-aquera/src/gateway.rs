//! The SCIM endpoint of one application, without HTTP around it: a request goes in, a [`Reply`] comes out.
//!
//! Routing below the base URL, method checks and body checks are here; [`write`] carries out what concerns resources,
//! [`patch`] and [`members`] partial updates, [`list`] queries, [`bulk`] many at once, [`discovery`] the describing
//! endpoints. [`response_format`] gives answers the form that a profile wants.

mod bulk;
pub(crate) mod discovery;
mod eventual_consistency;
mod filters;
mod ignored_input;
pub(crate) mod list;
mod members;
pub(crate) mod not_found;
pub(crate) mod notes;
mod page;
mod patch;
mod query;
mod quick;
pub(crate) mod resource;
pub(crate) mod response_format;
mod select_members;
mod settings;
mod unstored;
mod write;
mod write_base;

pub(crate) use crate::gateway::ignored_input::of_request as passed_over;

use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, header};
use jiff::Timestamp;
use scim::project::Projection;
use serde_json::Value;

use crate::downstream::{DownstreamOperation, Downstreams};
pub(crate) use crate::gateway::unstored::withholds;
pub(crate) use crate::gateway::write_base::is_long;
use crate::journal::Note;
use crate::lock;
use crate::parse_message;
use crate::problem::Problem;
use crate::profile::{
    DeleteRule, Feature, GatewayRules, PatchRule, Profile, PutRule, RequestContentType, UserAgent,
};
use crate::reply::Reply;
use crate::route::{Route, decoded};
use crate::store::Store;
use crate::store::render::MembersShown;
use crate::types::{Role, TypeId, TypeInfo};
use list::List;
pub(crate) use patch::are_plain as patches_are_plain;
use query::Query;
pub(crate) use settings::Settings;

/// One request, its application and the instant.
pub(crate) struct RequestContext<'a> {
    pub(crate) settings: &'a Arc<Settings>,
    /// The base URL that the client used, where it is not the one that URLs are kept with.
    pub(crate) seen_as: Option<&'a str>,
    pub(crate) store: &'a Mutex<Store>,
    pub(crate) now: Timestamp,
    pub(crate) method: &'a Method,
    /// The path below the base URL of the application, and what it means.
    pub(crate) path: &'a str,
    pub(crate) route: Route<'a, TypeId>,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a Bytes,
    /// The `userName` of the account that `/Me` stands for.
    pub(crate) me: Option<Arc<str>>,
    /// Whether it has a header that makes it conditional.
    pub(crate) conditional: bool,
    /// Whether its `Accept` headers, if it has any, leave room for our answer.
    pub(crate) acceptable: bool,
    /// The id that a bulk request has promised to what is created.
    pub(crate) reserved: Option<Arc<str>>,
    /// Whether the body was looked at as a message already.
    pub(crate) inner: bool,
}

/// What a request comes to.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every step is an answer, and goes on at once")]
pub(crate) enum Outcome {
    /// An answer.
    Ready(Reply),
    /// A walk over many resources, to be taken where it holds nobody up.
    Deferred(Box<List>),
}

/// Answers a request that has been let in.
pub(crate) fn handle(context: &RequestContext<'_>) -> Outcome {
    match route(context) {
        Ok(step) => step,
        Err(refusal) => Outcome::Ready(Reply::from(refusal)),
    }
}

fn route(context: &RequestContext<'_>) -> Result<Outcome, Refusal> {
    let settings = context.settings;
    check_head(context)?;
    let reply = match context.route {
        Route::Collection(kind) => return collection(context, kind),
        Route::Resource(kind, id) => one(context, kind, &decoded(id)),
        Route::Search(kind) => return search(context, vec![kind]),
        Route::RootSearch => return search(context, all(context)),
        Route::Root => return root(context),
        Route::Me => return me(context),
        Route::Bulk => bulk(context),
        Route::Configuration => discovery::configuration(context),
        Route::ResourceTypes(name) => discovery::resource_types(context, name.map(decoded).as_deref()),
        Route::Schemas(name) => discovery::schemas(context, name.map(decoded).as_deref()),
        Route::Unknown => {
            let told = not_found::below(&settings.types, &settings.scim_url, context.path);
            Err(Problem::NoRoute(told).into())
        }
    };
    reply.map(Outcome::Ready)
}

/// What is asked of every request before its meaning is looked at.
fn check_head(context: &RequestContext<'_>) -> Result<(), Problem> {
    match context.settings.profile.requests.user_agent {
        UserAgent::Optional => {}
        _ if context.inner || context.headers.contains_key(header::USER_AGENT) => {}
        UserAgent::Required403 => {
            return Err(Problem::by_profile(403, None, "a User-Agent is required here"));
        }
        UserAgent::Required400 => {
            return Err(Problem::by_profile(400, None, "a User-Agent is required here"));
        }
    }
    if context.acceptable { Ok(()) } else { Err(Problem::NotAcceptable) }
}

/// Whether one `Accept` header lets us answer.
pub(crate) fn accepts(value: &axum::http::HeaderValue) -> bool {
    let Ok(value) = value.to_str() else { return true };
    value == "application/scim+json" || value == "*/*" || value.split(',').any(accepts_json)
}

/// Leniently: whatever may mean JSON, and what is no media range at all.
fn accepts_json(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let refused = parts.any(|part| {
        let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
        weight.and_then(|weight| weight.parse::<f32>().ok()).is_some_and(|weight| weight <= 0.0)
    });
    !refused && (kind.contains("json") || kind.ends_with("/*") || kind == "*" || !kind.contains('/'))
}

fn all(context: &RequestContext<'_>) -> Vec<TypeId> {
    context.settings.types.positions().map(|(at, _)| at).collect()
}

fn collection(context: &RequestContext<'_>, kind: TypeId) -> Result<Outcome, Refusal> {
    match *context.method {
        Method::GET | Method::HEAD => {
            if let Some(text) = query::lone_filter(context.query)
                && let Some(reply) = list::quick(context, kind, &text)
            {
                return Ok(Outcome::Ready(reply));
            }
            list::list(context, vec![kind], &Query::of_url(context.query)?)
        }
        Method::POST => write::create(context, kind).map(Outcome::Ready),
        _ => Err(context.not_allowed("GET, POST".to_owned())),
    }
}

fn root(context: &RequestContext<'_>) -> Result<Outcome, Refusal> {
    match *context.method {
        Method::GET | Method::HEAD => list::list(context, all(context), &Query::of_url(context.query)?),
        _ => Err(context.not_allowed("GET".to_owned())),
    }
}

fn search(context: &RequestContext<'_>, kinds: Vec<TypeId>) -> Result<Outcome, Refusal> {
    feature(context.settings.profile.features.search, "searching by POST")?;
    match *context.method {
        Method::POST => {
            list::list(context, kinds, &Query::of_body(&context.json()?, context.settings.dialects)?)
        }
        _ => Err(context.not_allowed("POST".to_owned())),
    }
}

fn one(context: &RequestContext<'_>, kind_at: TypeId, id: &str) -> Result<Reply, Refusal> {
    let gateway = &context.settings.profile.gateway;
    let kind = context.settings.types.get(kind_at);
    let allow = || allowed_on_one(&context.settings.profile, kind);
    match *context.method {
        Method::GET | Method::HEAD => write::read(context, kind_at, id),
        Method::PUT if put_rule(gateway, kind) == PutRule::Answers405 => Err(context.not_allowed(allow())),
        Method::PUT => write::replace(context, kind_at, id),
        Method::PATCH if patch_rule(gateway, kind) == PatchRule::Answers405 => {
            Err(context.not_allowed(allow()))
        }
        Method::PATCH => patch::patch(context, kind_at, id),
        Method::DELETE if delete_rule(gateway, kind) == DeleteRule::Answers405 => {
            Err(context.not_allowed(allow()))
        }
        Method::DELETE => write::delete(context, kind_at, id),
        _ => Err(context.not_allowed(allow())),
    }
}

/// `/Me` is the account of whoever asks, treated like the account itself (RFC 7644 §3.11).
fn me(context: &RequestContext<'_>) -> Result<Outcome, Refusal> {
    feature(context.settings.profile.features.me, "/Me")?;
    let nobody = |why: String| Refusal::from(Problem::NobodyIsMe(why));
    let kind =
        context.settings.types.of_role(Role::User).ok_or_else(|| nobody("there are no users".to_owned()))?;
    if *context.method == Method::POST {
        return write::create(context, kind).map(Outcome::Ready);
    }
    let Some(name) = &context.me else {
        let why = "these credentials belong to no user; `--me USERNAME` says whose they are";
        return Err(nobody(why.to_owned()));
    };
    let index = context.settings.types.get(kind).indexed.iter().position(|path| path.text == "userName");
    let found = {
        let store = context.store();
        let slots = index.map(|index| store.equal(kind, index, name)).unwrap_or_default();
        let at = slots.first().map(|slot| crate::store::Ref { kind, slot: *slot });
        at.and_then(|at| store.get(at)).map(|record| (Arc::clone(&record.id), record.document.location()))
    };
    let Some((id, location)) = found else {
        return Err(nobody(format!("there is no user `{name}`, whose credentials these are; create it")));
    };
    let mut reply = one(context, kind, &id).map_err(|mut refusal| {
        if let Problem::MethodNotAllowed { allow, .. } = &mut refusal.problem {
            // Whoever asks may also make its account here.
            *allow = allow.replacen("GET", "GET, POST", 1);
        }
        refusal
    })?;
    if let Ok(location) = axum::http::HeaderValue::from_maybe_shared(location) {
        reply.headers.insert(header::LOCATION, location);
    }
    Ok(Outcome::Ready(reply))
}

fn bulk(context: &RequestContext<'_>) -> Result<Reply, Refusal> {
    feature(context.settings.profile.features.bulk, "bulk")?;
    match *context.method {
        Method::POST => bulk::bulk(context),
        _ => Err(context.not_allowed("POST".to_owned())),
    }
}

fn feature(rule: Feature, what: &'static str) -> Result<(), Problem> {
    match rule {
        Feature::Works => Ok(()),
        Feature::Answers404 => Err(Problem::NotHere(what)),
        Feature::Answers501 => Err(Problem::NotImplemented(what)),
    }
}

pub(crate) fn patch_rule(gateway: &GatewayRules, kind: &TypeInfo) -> PatchRule {
    if kind.role == Role::Group { gateway.patch_of_groups() } else { gateway.patch }
}

fn put_rule(gateway: &GatewayRules, kind: &TypeInfo) -> PutRule {
    if kind.role == Role::Group { gateway.put_of_groups() } else { gateway.put }
}

fn delete_rule(gateway: &GatewayRules, kind: &TypeInfo) -> DeleteRule {
    if kind.role == Role::Group { gateway.delete_of_groups() } else { gateway.delete }
}

/// The value of `Allow` on one resource, truthful for the profile.
fn allowed_on_one(profile: &Profile, kind: &TypeInfo) -> String {
    let mut methods = vec!["GET"];
    if !matches!(
        put_rule(&profile.gateway, kind),
        PutRule::Html404 | PutRule::Answers405 | PutRule::Answers501
    ) {
        methods.push("PUT");
    }
    if !matches!(
        patch_rule(&profile.gateway, kind),
        PatchRule::Answers405 | PatchRule::Answers501 | PatchRule::Answers404Html
    ) {
        methods.push("PATCH");
    }
    if !matches!(delete_rule(&profile.gateway, kind), DeleteRule::Answers405 | DeleteRule::Answers501) {
        methods.push("DELETE");
    }
    methods.join(", ")
}

/// A representation with some of its attributes.
fn projected(text: &[u8], projection: &Projection) -> Bytes {
    match serde_json::from_slice::<Value>(text) {
        Ok(tree) => Bytes::from(projection.apply(&tree).to_string()),
        Err(_) => Bytes::copy_from_slice(text),
    }
}

/// Members that nobody will see need not be written out, of which there may be many.
fn members_shown(projection: Option<&Projection>, members: MembersShown) -> MembersShown {
    match projection {
        Some(projection) if !projection.shows("members") => MembersShown::Missing,
        _ => members,
    }
}

/// What a query's `attributes` and `excludedAttributes` show of a type.
fn projection(asked: &Query, kind: &TypeInfo) -> Result<Projection, Problem> {
    fn names(list: &[String]) -> Vec<&str> {
        list.iter().map(String::as_str).collect()
    }
    Projection::of_names(&names(&asked.attributes), &names(&asked.excluded), &kind.schemas)
        .map_err(|error| Problem::BadValue(error.to_string()))
}

impl RequestContext<'_> {
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        lock(self.store)
    }

    fn not_allowed(&self, allow: String) -> Refusal {
        Problem::MethodNotAllowed { method: self.method.to_string(), allow }.into()
    }

    /// What the parameters of the URL show of a type; `None` where they don't say.
    fn projection(&self, kind: TypeId) -> Result<Option<Projection>, Problem> {
        if self.query.is_empty() {
            return Ok(None);
        }
        let asked = Query::of_url(self.query)?;
        if !asked.projects() {
            return Ok(None);
        }
        projection(&asked, self.settings.types.get(kind)).map(Some)
    }

    /// Whether the URL asks for attributes, which an answer without a body could not show.
    fn asks_for_attributes(&self) -> bool {
        !self.query.is_empty() && Query::of_url(self.query).is_ok_and(|asked| asked.projects())
    }

    /// The body, once its media type is one that SCIM knows (RFC 7644 §3.1).
    fn body(&self) -> Result<&Bytes, Problem> {
        if self.inner {
            return Ok(self.body);
        }
        let kind = self.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
        let kind = kind.unwrap_or_default();
        if kind == "application/scim+json" {
            return Ok(self.body);
        }
        let essence = kind.split(';').next().unwrap_or_default().trim();
        let known: &[&str] = match self.settings.profile.requests.content_type {
            RequestContentType::Lenient => &["application/scim+json", "application/json"],
            RequestContentType::Strict => &["application/scim+json"],
        };
        if known.iter().any(|known| essence.eq_ignore_ascii_case(known)) {
            Ok(self.body)
        } else {
            Err(Problem::UnsupportedMediaType)
        }
    }

    /// The body as JSON.
    fn json(&self) -> Result<Value, Problem> {
        let body = self.body()?;
        serde_json::from_slice(body).map_err(|error| bad_json(body, &error))
    }
}

/// A problem, and the downstream operations that were refused with it.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) problem: Problem,
    pub(crate) downstream: Downstreams,
    /// What in the request would have had no effect.
    pub(crate) notes: Vec<Note>,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { problem, downstream: Downstreams::None, notes: Vec::new() }
    }
}

impl From<Refusal> for Reply {
    fn from(Refusal { problem, downstream, notes }: Refusal) -> Self {
        let mut reply = Self::from(problem).became(downstream);
        reply.known.notes = notes;
        reply
    }
}

fn refused(problem: Problem, operations: &'static [DownstreamOperation], id: Option<&str>) -> Refusal {
    let downstream = Downstreams::Few { operations, target: id.map(Into::into), accepted: false };
    Refusal { downstream, ..Refusal::from(problem) }
}

/// What is wrong with a body that is no JSON.
fn bad_json(body: &[u8], error: &serde_json::Error) -> Problem {
    Problem::BadSyntax(if body.trim_ascii().is_empty() {
        "it is empty, and a JSON text is needed".to_owned()
    } else {
        parse_message::json(body, error).to_string()
    })
}

/// Adds what had no effect in a request, whatever became of it.
fn noted(mut outcome: Result<Reply, Refusal>, notes: Vec<Note>) -> Result<Reply, Refusal> {
    let told = match &mut outcome {
        Ok(reply) => &mut reply.known.notes,
        Err(refusal) => &mut refusal.notes,
    };
    told.splice(..0, notes);
    outcome
}
