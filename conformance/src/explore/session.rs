//! Plays one sequence against the subject, with a model of its resources beside it. What a model and the subject disagree about
//! is a violation.

mod bulk;
pub(crate) mod checks;
mod conditional;
mod groups;
mod guests;
mod invalid;
mod late;
mod meta;
mod names;
mod patch;
mod projection;
mod queries;
mod refusal;
mod together;
mod whole_list;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::Value;

use crate::explore::attributes::Attribute;
use crate::explore::check::{Check, Expectation};
use crate::explore::model::Expected;
use crate::explore::operation::{Operation, Type};
use crate::explore::rule::{Rule, Violation};
use crate::explore::session::late::Past;
use crate::explore::world::World;
use crate::server::cleanup::Made;
use crate::server::discovery::id_in;
use crate::subject::server::client::{Answer, Request};
use crate::transcript::Exchange;

/// A resource of the sequence.
#[derive(Debug)]
struct Resource {
    kind: Type,
    id: String,
    path: String,
    /// `userName` of a user, `displayName` of a group.
    name: String,
    external_id: Option<String>,
    expected: Expected,
    /// Users in a group, by their place among the resources.
    members: BTreeSet<usize>,
    /// The last read representation; null before the first.
    seen: Value,
    /// The last ETag.
    etag: Option<String>,
    /// The ETag before that.
    earlier: Option<String>,
    /// The id of the user's manager; none where sequences do not know it.
    manager: Option<String>,
    /// Members that were deleted since the group was looked at.
    ghosts: BTreeSet<usize>,
    /// The writes to it, for an effect that a read shows late.
    writes: Vec<Past>,
    read_at: Instant,
    is_deleted: bool,
    /// Attributes that were not sent and have a default, until they were read.
    defaults: BTreeSet<usize>,
}

/// Why a sequence ends before its last operation.
#[derive(Debug)]
pub(crate) enum Stop {
    Found(Box<Violation>),
    /// The subject gives no answer.
    Broken(String),
    /// After a violation that was passed over nothing sensible can follow.
    Ended,
}

/// The requests of a sequence, and their answers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transcript {
    pub(crate) exchanges: Vec<Exchange>,
    /// The exchanges that were sent at the same time, by their places.
    pub(crate) together: Vec<Range<usize>>,
    /// The exchanges before which nothing was sent for a while, by their places.
    pub(crate) waited: Vec<(usize, Duration)>,
    /// Bodies of requests that the exchanges do not have whole, by their places.
    pub(crate) bodies: BTreeMap<usize, Value>,
    /// The unique part of the names of its resources.
    pub(crate) unique: String,
}

/// The result of a sequence.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) end: Result<(), Stop>,
    pub(crate) transcript: Transcript,
}

/// The violations at which a sequence ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum EndsAt<'a> {
    /// A violation that no sequence met before.
    New,
    /// This one, by its key; others are passed over.
    Only(&'a str),
}

struct Session<'a> {
    world: &'a World<'a>,
    ends_at: EndsAt<'a>,
    unique: String,
    made: Made,
    exchanges: Vec<Exchange>,
    together: Vec<Range<usize>>,
    waited: Vec<(usize, Duration)>,
    bodies: BTreeMap<usize, Value>,
    /// When requests that may write were sent.
    wrote_at: Vec<Instant>,
    resources: Vec<Resource>,
    /// Names that were given up.
    given_up: Vec<String>,
    created: usize,
    has_secret: bool,
}

/// Plays a sequence on fresh resources, and deletes these.
pub(crate) async fn play(world: &World<'_>, operations: &[Operation], ends_at: EndsAt<'_>) -> Played {
    let mut session = Session {
        world,
        ends_at,
        unique: world.next_name(),
        made: Made::default(),
        exchanges: Vec::new(),
        together: Vec::new(),
        waited: Vec::new(),
        bodies: BTreeMap::new(),
        wrote_at: Vec::new(),
        resources: Vec::new(),
        given_up: Vec::new(),
        created: 0,
        has_secret: false,
    };
    let end = session.all(operations).await;
    let Session { made, exchanges, together, waited, bodies, unique, resources, .. } = session;
    let turn = world.turn.read().await;
    made.remove(world.client, &world.leftovers).await;
    world.note_known(resources.iter().map(|known| (known.kind, known.id.as_str(), false)));
    drop(turn);
    Played { end, transcript: Transcript { exchanges, together, waited, bodies, unique } }
}

/// A body of at most this number of bytes is whole in a transcript.
const SMALL: usize = 1_000;

/// 501 and 503 say that something is not there.
fn is_server_error(answer: &Answer) -> bool {
    answer.status >= 500 && !matches!(answer.status, 501 | 503)
}

fn may_write(request: &Request) -> bool {
    request.method != "GET" && !request.path.ends_with("/.search")
}

impl Session<'_> {
    async fn all(&mut self, operations: &[Operation]) -> Result<(), Stop> {
        for operation in operations {
            self.turn(operation).await?;
        }
        let _turn = self.world.turn.read().await;
        self.look_at_all().await
    }

    /// Plays an operation while others play theirs, or alone.
    async fn turn(&mut self, operation: &Operation) -> Result<(), Stop> {
        let world = self.world;
        let is_alone = matches!(operation, Operation::WholeList { .. });
        let _alone = if is_alone { Some(world.turn.write().await) } else { None };
        let _turn = if is_alone { None } else { Some(world.turn.read().await) };
        self.operation(operation).await?;
        let known = self.resources.iter();
        world.note_known(known.map(|known| (known.kind, known.id.as_str(), !known.is_deleted)));
        Ok(())
    }

    async fn operation(&mut self, operation: &Operation) -> Result<(), Stop> {
        match operation {
            Operation::CreateUser(settings) => self.create_user(settings).await,
            Operation::CreateGroup { members, settings } => self.create_group(members, settings).await,
            Operation::Replace { of, settings, is_whole } => self.replace(*of, settings, *is_whole).await,
            Operation::Patch { of, changes, form } => self.patch(*of, changes, *form).await,
            Operation::Rename { of, with } => self.rename(*of, *with).await,
            Operation::Repeat { of, with, is_in_other_case } => {
                self.repeat(*of, *with, *is_in_other_case).await
            }
            Operation::KeepOne { of, with } => self.keep_one(*of, *with).await,
            Operation::SetManager { of, to } => self.set_manager(*of, *to).await,
            Operation::FailedCreation => self.failed_creation().await,
            Operation::ShareExternalId { of } => self.share_external_id(*of).await,
            Operation::Delete { of, is_group } => self.delete(*of, *is_group).await,
            Operation::CreateNamed { name, of } => self.create_named(*name, *of).await,
            Operation::RenameToTaken { of, to, with, brings_more } => {
                self.rename_to_taken(*of, *to, *with, *brings_more).await
            }
            Operation::Members { of, users, change } => self.change_members(*of, users, *change).await,
            Operation::RenameGroup { of, with } => self.rename_group(*of, *with).await,
            Operation::LargeGroup { members } => self.large_group(*members).await,
            Operation::ManyGroups { count } => self.many_groups(*count).await,
            Operation::NestedGroups { is_circular } => self.nested_groups(*is_circular).await,
            Operation::Bulk(parts) => self.bulk(parts).await,
            Operation::ManyInBulk { count } => self.many_in_bulk(*count).await,
            Operation::Together { kind, of } => self.together(*kind, *of).await,
            Operation::Find { of, filter, is_search } => self.find(*of, *filter, *is_search).await,
            Operation::Sort { attribute, part, is_descending } => {
                self.sort(*attribute, *part, *is_descending).await
            }
            Operation::Pages { count } => self.pages(*count).await,
            Operation::Project { of, attribute, is_excluded } => {
                self.project(*of, *attribute, *is_excluded).await
            }
            Operation::Invalid { of, kind } => self.invalid(*of, *kind).await,
            Operation::Conditional { of, kind, condition, with } => {
                self.conditional(*of, *kind, *condition, *with).await
            }
            Operation::WithoutCredentials { of, kind } => self.without_credentials(*of, *kind).await,
            Operation::SetPassword { of, number } => self.set_password(*of, *number).await,
            Operation::LookLater => self.look_later().await,
            Operation::WholeList { kind, way, count, crowd } => {
                self.whole_list(*kind, *way, *count, *crowd).await
            }
        }
    }

    /// Sends a request and returns its answer.
    async fn ask(&mut self, request: &Request) -> Result<Answer, Stop> {
        if may_write(request) {
            self.wrote_at.push(Instant::now());
        }
        let (exchange, answer) = self.world.send(&mut self.made, request).await;
        let failure = exchange.error.clone();
        self.record(request, exchange);
        let Some(answer) = answer else {
            return Err(Stop::Broken(failure.unwrap_or_else(|| "no answer".to_owned())));
        };
        self.look_at_answer(request, &answer)?;
        Ok(answer)
    }

    /// Adds an exchange to the transcript, which has no large bodies.
    fn record(&mut self, request: &Request, exchange: Exchange) {
        let body = request.body.as_ref().filter(|body| body.len() > SMALL);
        let body = body.and_then(|body| serde_json::from_str::<Value>(body).ok());
        if let Some(body) = body.filter(|body| *body != exchange.request.body) {
            self.bodies.insert(self.exchanges.len(), body);
        }
        self.exchanges.push(exchange);
    }

    /// Sends requests at the same time. Answers come in the order of the requests.
    async fn ask_together(&mut self, requests: &[Request]) -> Result<Vec<Answer>, Stop> {
        let world = self.world;
        if requests.iter().any(may_write) {
            self.wrote_at.push(Instant::now());
        }
        let all = join_all(requests.iter().map(|request| async move {
            let mut made = Made::default();
            let (exchange, answer) = world.send(&mut made, request).await;
            (exchange, answer.map(Answer::without_room), made)
        }))
        .await;
        let mut answers = Vec::new();
        let start = self.exchanges.len();
        self.together.push(start..start + requests.len());
        for (request, (exchange, answer, made)) in requests.iter().zip(all) {
            self.made.join(made);
            let failure = exchange.error.clone();
            self.record(request, exchange);
            let Some(answer) = answer else {
                return Err(Stop::Broken(failure.unwrap_or_else(|| "no answer".to_owned())));
            };
            answers.push((request, answer));
        }
        for (request, answer) in &answers {
            self.look_at_answer(request, answer)?;
        }
        // Requests that broke the server tell nothing of the order of the others.
        if answers.iter().any(|(_, answer)| is_server_error(answer)) {
            return Err(Stop::Ended);
        }
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    /// Looks at what holds of every answer.
    fn look_at_answer(&self, request: &Request, answer: &Answer) -> Result<(), Stop> {
        if is_server_error(answer) {
            let form = format!("{} {}", request.method, kind_of_path(&request.path));
            let why = format!("{form} is answered {}", answer.status);
            let violation =
                Violation::new(Rule::NoServerError, form, why).check(Check::status(&["2xx", "4xx"]));
            self.violates(violation)?;
        }
        if self.has_secret && answer.text.contains(&self.world.secret) {
            let form = format!("{} {}", request.method, kind_of_path(&request.path));
            let why = format!("the answer to {form} shows the password");
            let violation = Violation::new(Rule::SecretStaysHidden, form, why)
                .check(Expectation::Nowhere(self.world.secret.clone()));
            self.violates(violation)?;
        }
        Ok(())
    }

    /// Ends the sequence at a violation, or passes over it.
    fn violates(&self, violation: Violation) -> Result<(), Stop> {
        let ends = match self.ends_at {
            EndsAt::New => self.world.is_new(&violation),
            EndsAt::Only(key) => violation.key() == key,
        };
        if ends { Err(Stop::Found(Box::new(violation))) } else { Ok(()) }
    }

    /// Chooses a living resource.
    fn pick(&self, kind: Type, pick: usize) -> Option<usize> {
        let living = self.living(kind);
        living.get(pick % living.len().max(1)).copied()
    }

    fn living(&self, kind: Type) -> Vec<usize> {
        let resources = self.resources.iter().enumerate();
        resources.filter(|(_, known)| known.kind == kind && !known.is_deleted).map(|(at, _)| at).collect()
    }

    fn attributes(&self, kind: Type) -> &[Attribute] {
        match kind {
            Type::User => &self.world.attributes,
            Type::Group => &self.world.group_attributes,
        }
    }

    fn endpoint(&self, kind: Type) -> &str {
        &self.world.resource_type(kind).endpoint
    }

    /// Returns a unique text for the next resource.
    fn next_unique(&mut self) -> String {
        self.created += 1;
        format!("{}-{}", self.unique, self.created)
    }
}

/// Whether a location is that of the resource at a path.
fn leads_to(location: &str, path: &str) -> bool {
    let above =
        |location: &str| location.trim_end_matches('/').rsplit_once('/').map(|(above, _)| above.to_owned());
    let is_below = above(location).zip(above(path)).is_some_and(|(there, known)| there.ends_with(&known));
    is_below && id_in(location) == id_in(path)
}

/// Returns a path without ids.
fn kind_of_path(path: &str) -> String {
    let mut parts = path.trim_start_matches('/').split('/');
    let endpoint = parts.next().unwrap_or_default();
    match parts.next() {
        Some(".search") => format!("/{endpoint}/.search"),
        Some(_) => format!("/{endpoint}/{{id}}"),
        None => format!("/{endpoint}"),
    }
}
