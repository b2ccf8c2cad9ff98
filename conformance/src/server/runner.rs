//! Plays one case against the subject.

mod end;
mod fault;
mod filters;
mod look_again;
mod names;
mod shapes;
mod status;
mod steady;
mod stored;
mod tally;
mod template;
mod together;
mod unmade;
mod walk;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::case::Case;
use crate::case::capability::Feature;
use crate::case::load::used_names;
use crate::case::step::{Action, Body, Bytes, Step};
use crate::case::template::{Place, Property, Unfilled};
use crate::format;
use crate::json::get;
use crate::report::labels::{CONSISTENCY, FOUNDATION};
use crate::report::root_causes::remedy;
use crate::report::{CaseResult, Verdict};
use crate::requirement::{Level, Shared};
use crate::server::bindings::Bindings;
use crate::server::blank::list_extensions;
use crate::server::cleanup::Made;
use crate::server::deviation::{Deviation, Seen};
use crate::server::discovery::{Met, merge};
use crate::server::judge::{Ask, Miss, StandIn, is_created_with_200, judge};
use crate::server::names::radix;
use crate::server::runner::end::End;
use crate::server::runner::filters::{filter_of, operators, refuses_its_filter};
use crate::server::runner::tally::{Tried, failed, tallied};
use crate::server::{INTERRUPTED, RunContext, example};
use crate::subject::server::bounded::LARGE;
use crate::subject::server::client::{Answer, Client, Request};
use crate::transcript::Exchange;

const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// The wait after which a time in whole seconds is another one.
const SECOND: Duration = Duration::from_millis(1100);

/// The number of attempts of a case with a tally that are shown with their answers.
const TRIES_SHOWN: usize = 3;

/// Characters of what the server says of a refusal.
const DETAIL: usize = 200;

/// The case that tells that schemas have no attributes.
const ATTRIBUTES: &str = "rfc7643/7/have-attributes";

/// The cases that tell that endpoints in /ResourceTypes are wrong: where both are, the first says it of both.
const ENDPOINTS: [&str; 2] = ["rfc7643/6/endpoints-answer", "rfc7643/6/endpoint-of-groups-answers"];

/// Returns the result of a case whose requests are yet to be sent.
pub(super) fn blank_result(case: &Case) -> CaseResult {
    CaseResult {
        tags: case.tags.clone(),
        ..CaseResult::new(
            case.id.clone(),
            case.title.clone(),
            case.level,
            case.requirement.clone(),
            case.spec.clone(),
        )
    }
}

/// Plays a case and says how it ended.
pub(super) async fn play(context: &RunContext, index: usize, case: &Case) -> CaseResult {
    let started = std::time::Instant::now();
    let mut result = blank_result(case);
    let unmet = case.needs.iter().find_map(|need| match context.facts.met(need) {
        Met::Yes => None,
        Met::No(why) => Some(why),
    });
    if let Some(why) = unmet {
        result.verdict = Verdict::NotAdvertised;
        result.because = Some(why);
        return result;
    }
    if let Some(why) = context.given_up() {
        result.verdict = Verdict::Skipped;
        result.because = Some(why);
        return result;
    }
    let unique = format!("{}{}-{}", super::PREFIX, context.run, radix(index as u64 + 1));
    let is_patient = case.tags.iter().any(|tag| tag == CONSISTENCY);
    let strict = case.tags.iter().any(|tag| tag == FOUNDATION);
    let used = used_names(case);
    let mut player = Player {
        context,
        case: &case.id,
        level: case.level,
        about: &case.about,
        used: &used,
        filters_are_a_means: !case.spec.section.starts_with("3.4.2.2")
            && case.spec.document.starts_with("RFC"),
        is_patient,
        bindings: Bindings::new(&context.facts, &context.client, &context.blank, &case.nouns, strict, unique),
        example: None,
        tried: Vec::new(),
        made: Made::default(),
        exchanges: Vec::new(),
        seen: Vec::new(),
        active: shapes::Active::default(),
        shown: None,
        misses: Vec::new(),
    };
    let end = if case.id == ENDPOINTS[1] && context.facts.wrong_endpoints() > 1 {
        let why = format!("the endpoints of users and groups are both wrong, as {} says", ENDPOINTS[0]);
        Err(End::Skipped(why))
    } else if context.facts.without_attributes && case.id != ATTRIBUTES && player.looks_at_attributes(case) {
        Err(End::Skipped(format!("the schemas have no attributes, as {ATTRIBUTES} says")))
    } else {
        player.steps(&case.steps).await
    };
    let fault = player.fault().await;
    // A cause that many cases share says more.
    let miss = player.worst().filter(|_| fault.is_none());
    let unmade = miss.and_then(|miss| unmade::unmade(player.exchanges.get(..miss.at)?, miss));
    let end = match end {
        Err(End::Untold(_)) if !player.misses.is_empty() => Ok(()),
        end => end,
    };
    let (verdict, because) = match end {
        Ok(()) | Err(End::Missed) if unmade.is_some() => {
            let name = unmade.unwrap_or_default();
            (
                Verdict::Skipped,
                Some(format!(
                    "it could not be tried: the answer to POST does not show `{name}` as it was sent"
                )),
            )
        }
        Ok(()) | Err(End::Missed) => match player.misses.iter().map(|(_, miss)| miss.level).min() {
            None => (Verdict::Pass, None),
            Some(Level::Must) => (Verdict::Fail, None),
            Some(Level::Should | Level::May) => (Verdict::Warn, None),
        },
        Err(End::NotAdvertised(why)) => (Verdict::NotAdvertised, Some(why)),
        Err(End::Skipped(why) | End::Untold(why)) => (Verdict::Skipped, Some(why)),
        Err(End::FilterRefused(why)) => {
            context.findings.note_refused_filter(&case.id);
            (Verdict::Skipped, Some(why))
        }
        Err(End::Broken(why)) => (Verdict::Error, Some(why)),
    };
    let Player { bindings, made, exchanges, misses, tried, example, filters_are_a_means, .. } = player;
    if !context.keep {
        let mut after = Player {
            context,
            case: &case.id,
            level: case.level,
            about: &case.about,
            used: &used,
            filters_are_a_means,
            is_patient,
            bindings,
            example: None,
            tried: Vec::new(),
            made,
            exchanges: Vec::new(),
            seen: Vec::new(),
            active: shapes::Active::default(),
            shown: None,
            misses: Vec::new(),
        };
        // Not judged: what cannot be cleaned up is told as left behind.
        drop(after.steps(&case.clean_up).await);
        after.made.remove(&context.client, &context.leftovers).await;
    }
    result.verdict = verdict;
    result.because = because;
    if verdict.fails_or_warns() {
        result.because = misses
            .iter()
            .min_by_key(|(_, miss)| miss.level)
            .map(|(step, miss)| format!("{step}: {}", miss.why));
        if let Some(tally) = &case.tally {
            result.because = Some(tallied(tally, &tried));
            context.findings.note_operators(failed(&tried));
        }
        result.mend = case.advice();
        result.example = example.map(|(_, example)| example);
        // What is behind all that counts is behind the case.
        let worst = misses.iter().map(|(_, miss)| miss.level).min();
        let mut shared =
            misses.iter().filter(|(_, miss)| Some(miss.level) == worst).map(|(_, miss)| miss.shared);
        if let Some(Some(first)) = shared.next()
            && shared.all(|other| other == Some(first))
        {
            result.cause = Some(first);
        }
        if let Some(fault) = fault {
            result.because = Some(fault.because);
            result.mend = Some(remedy(fault.shared, fault.attribute.as_deref()));
            result.cause = Some(fault.shared);
            result.concerns = fault.attribute;
            if fault.is_means {
                context.findings.note_means(&case.id);
            }
        }
        let at = misses.iter().filter(|(_, miss)| Some(miss.level) == worst).map(|(_, miss)| miss.at).next();
        if let Some(filter) = at.and_then(|at| filter_of(exchanges.get(..at)?)) {
            context.findings.note_filter(&case.id, operators(&filter));
        }
        // What was tried in vain is all in the reason.
        let shown = if case.tally.is_some() { TRIES_SHOWN } else { misses.len() };
        let side = |side: fn(&Miss) -> &Value| {
            misses
                .iter()
                .take(shown)
                .map(|(step, miss)| {
                    json!({ "step": step, "what": miss.what, "value": side(miss), "why": miss.why })
                })
                .collect::<Value>()
        };
        result.expected = side(|miss| &miss.expected);
        result.actual = side(|miss| &miss.actual);
    }
    context.went(&result);
    if context.keep_exchanges || !matches!(verdict, Verdict::Pass | Verdict::NotAdvertised) {
        result.exchanges = exchanges;
    }
    result.milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    result
}

struct Player<'a> {
    context: &'a RunContext,
    /// The id of the case.
    case: &'a str,
    level: Level,
    about: &'a [Shared],
    /// Names whose large answers are looked at again.
    used: &'a BTreeSet<String>,
    /// The case has another subject, and filters only to find its own resources.
    filters_are_a_means: bool,
    bindings: Bindings<'a>,
    /// Requests that tell what is broken for all cases are sent after a while: what is seen at once is the subject of the case.
    is_patient: bool,
    /// An answer that would have passed, of the most binding miss so far.
    example: Option<(Level, String)>,
    /// The attempts, in a word each, and their results.
    tried: Vec<(String, Tried)>,
    made: Made,
    exchanges: Vec<Exchange>,
    /// The meaning of the last answer or walk.
    seen: Vec<Seen>,
    active: shapes::Active,
    /// The resource in the last answer, of a step after which it is looked at again.
    shown: Option<Value>,
    /// The failed expectations, with the step's label.
    misses: Vec<(String, Miss)>,
}

impl Player<'_> {
    /// Returns the first of the most binding misses.
    fn worst(&self) -> Option<&Miss> {
        self.misses.iter().map(|(_, miss)| miss).min_by_key(|miss| miss.level)
    }

    async fn steps(&mut self, steps: &[Step]) -> Result<(), End> {
        for step in steps {
            if *self.context.stop.borrow() {
                return Err(End::Skipped(INTERRUPTED.to_owned()));
            }
            if step.auth.is_some() && !self.context.client.has_credentials() {
                return Err(End::NotAdvertised(
                    "no credentials were given, so wrong ones cannot be told".to_owned(),
                ));
            }
            if let Some(pause) = step.pause {
                tokio::time::sleep(pause).await;
            }
            if step.new_second && self.bindings.versions_may_repeat() {
                tokio::time::sleep(SECOND).await;
            }
            let before = self.snapshots(step).await?;
            self.step(step).await?;
            self.are_untouched(step, before).await?;
            self.agree(step).await?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), End> {
        match &step.action {
            Action::Create { count: Some(count), .. } => {
                for number in 1..=*count {
                    self.bindings.number = Some(number);
                    let name = format!("{}.{number}", step.name);
                    self.one(step, &name).await?;
                }
                self.bindings.number = None;
                Ok(())
            }
            Action::Walk(_, paging) => {
                let answer = self.walk(step, *paging).await?;
                self.weigh(step, &step.name, &answer, None, None, None)
            }
            Action::Together { steps, times } => self.together(step, steps, *times).await,
            _ => self.one(step, &step.name).await,
        }
    }

    /// Sends one request and looks at its answer.
    async fn one(&mut self, step: &Step, name: &str) -> Result<(), End> {
        let (request, sent, endpoint) = self.request(step)?;
        let mut answer = self.ask(step, &request).await?;
        if step.chunked && answer.is_http_1_0 && !answer.is_success() {
            // RFC 9112 §6.1: such a server gets no chunks.
            return Err(End::NotAdvertised(
                "the server speaks HTTP/1.0, which has no chunked bodies".to_owned(),
            ));
        }
        self.read_unshown(step, &request, endpoint.as_deref(), &mut answer).await?;
        let stand_in = self.stand_in(step, &request, answer.status).await;
        if step.reads_agree || step.list_agrees {
            self.shown = answer.json.clone().filter(|_| answer.is_success());
        }
        let known = self.misses.len();
        let end = self.weigh(step, name, &answer, sent.as_ref(), endpoint.as_deref(), stand_in);
        let is_missed = self.misses.len() > known || matches!(end, Err(End::Skipped(_) | End::Untold(_)));
        match self.refused_without(&request, &answer).filter(|_| is_missed) {
            Some(why) => {
                self.misses.truncate(known);
                Err(End::Skipped(why))
            }
            None => end,
        }
    }

    /// Judges an answer, and stores its resources.
    fn weigh(
        &mut self,
        step: &Step,
        name: &str,
        answer: &Answer,
        sent: Option<&Value>,
        endpoint: Option<&str>,
        stand_in: Option<StandIn>,
    ) -> Result<(), End> {
        let label = self.label(step);
        if matches!(step.action, Action::Create { .. }) {
            self.context.findings.note_creation(answer.status);
        }
        if matches!(step.action, Action::Create { .. }) && is_created_with_200(answer) {
            self.context.note(Deviation::CreatedWith200);
        }
        let means = self.filters_are_a_means && refuses_its_filter(step, self.exchanges.last(), answer);
        if let Some(filter) =
            filter_of(&self.exchanges).filter(|_| means || step.unsupported.contains(&answer.status))
            && self.context.facts.feature(Feature::Filter) == Some(true)
        {
            // Filters are advertised: which operators are refused is the finding of another case.
            let detail = answer.json.as_ref().and_then(|body| get(body, "detail")?.as_str());
            let detail = detail
                .map_or_else(String::new, |detail| format!(", saying: {}", format::cut(detail, DETAIL)));
            return Err(End::FilterRefused(format!(
                "it could not be tried: the server refuses the filter `{filter}` ({}{detail})",
                answer.status
            )));
        }
        if step.unsupported.contains(&answer.status) || self.silent(step, answer.status) {
            return Err(End::NotAdvertised(format!("{label} is answered {}", answer.status)));
        }
        if means {
            // RFC 7644 §3.12: a server may not support a comparison.
            let why = "the filter by which the case finds what it made is not supported";
            return Err(End::NotAdvertised(format!("{label}: {why} (400, invalidFilter)")));
        }
        let ask = Ask { level: self.level, about: self.about, stand_in };
        let mut misses = judge(&step.expect, ask, answer, &self.bindings)?;
        if !misses.is_empty()
            && filter_of(&self.exchanges).is_some()
            && self.context.facts.feature(Feature::Filter) == Some(false)
        {
            return Err(End::NotAdvertised(format!(
                "{label}: the case finds what it made by a filter, and ServiceProviderConfig says /filter/supported is false"
            )));
        }
        if step.expect.is_empty() && !answer.is_success() {
            let wanted = [crate::case::expect::StatusSet::Class(2)];
            let detail = answer.json.as_ref().and_then(|body| get(body, "detail")?.as_str());
            let detail = detail.map_or_else(String::new, |detail| format!("; it says: {detail}"));
            misses.push(Miss::new(
                self.level,
                "status".to_owned(),
                crate::server::judge::statuses(&wanted),
                json!(answer.status),
                format!("the answer is {}, where 2xx belongs{detail}", answer.status),
            ));
        }
        self.judge_shapes(step, answer, &mut misses)?;
        if step.preparation
            && let Some(miss) = misses.first()
        {
            self.context.refused(step, answer);
            return Err(End::Skipped(format!("it could not be tried: {label}: {}", miss.why)));
        }
        if let Some(level) = misses.iter().map(|miss| miss.level).min()
            && self.example.as_ref().is_none_or(|(known, _)| level < *known)
            && let Some(example) = example::of(step, &self.bindings, ask, answer, sent)
        {
            self.example = Some((level, example));
        }
        if answer.is_success() && !matches!(step.action, Action::Delete(_)) {
            let partial = step.query.iter().any(|(name, _)| {
                name.eq_ignore_ascii_case("attributes") || name.eq_ignore_ascii_case("excludedAttributes")
            });
            let kept = answer.text.len() <= LARGE || self.used.contains(name);
            self.bindings.keep(name, answer, sent, endpoint, !partial && kept);
            if step.action.is_bulk() {
                self.bindings.keep_operations(name, answer);
            }
        }
        if let Some(word) = &step.tries {
            let outcome = match (misses.is_empty(), answer.is_success()) {
                (true, _) => Tried::Taken,
                (false, true) => Tried::Ignored,
                (false, false) => Tried::Refused,
            };
            self.tried.push((word.clone(), outcome));
        }
        // What else is tried is told together with it.
        let failed = step.tries.is_none() && misses.iter().any(|miss| miss.level == Level::Must);
        // What came may be megabytes, and the case goes on.
        let at = self.exchanges.len();
        self.misses.extend(misses.into_iter().map(|miss| (label.clone(), miss.bounded().after(at))));
        if failed { Err(End::Missed) } else { Ok(()) }
    }

    /// Returns the label of a step, with its path if the server named that.
    fn label(&self, step: &Step) -> String {
        match (&step.action, step.label.strip_suffix(" …"), self.exchanges.last()) {
            (Action::Send { .. }, Some(method), Some(exchange)) => {
                let url = &exchange.request.url;
                let path = self.context.client.below(url).unwrap_or_else(|| url.clone());
                format!("{method} {}", format::cut(&path, DETAIL))
            }
            _ => step
                .tries
                .as_ref()
                .map_or_else(|| step.label.clone(), |word| format!("{}, `{word}`", step.label)),
        }
    }

    /// Whether a status says that a feature, of which discovery says nothing, is not there.
    fn silent(&self, step: &Step, status: u16) -> bool {
        let feature = match step.action {
            Action::Patch(..) => Feature::Patch,
            Action::Bulk(_) => Feature::Bulk,
            _ => return false,
        };
        self.context.facts.feature(feature).is_none() && matches!(status, 404 | 405 | 501)
    }

    /// Returns the request of a step, the body if it creates or replaces a resource, and the endpoint of that.
    fn request(&mut self, step: &Step) -> Result<(Request, Option<Value>, Option<String>), End> {
        let (mut sent, mut bytes) = (None, None);
        let (method, path, body, endpoint) = match &step.action {
            Action::Create { resource_type, with, .. } => {
                let known = self.context.facts.resource_type(resource_type).ok_or_else(|| {
                    End::NotAdvertised(format!("no resource type is called {resource_type}"))
                })?;
                let unique = self.bindings.next_unique();
                let mut body = self.context.blank.make(&self.context.facts, known, &unique);
                if let Some(with) = with {
                    let mut with = with.fill(&self.bindings)?;
                    self.bindings.fitted(known, |fit| fit.body(&mut with));
                    merge(&mut body, &with);
                    list_extensions(&mut body);
                }
                sent = Some(body.clone());
                ("POST", known.endpoint.clone(), Some(body.to_string()), Some(known.endpoint.clone()))
            }
            Action::Read(name) => ("GET", self.path(name)?, None, self.endpoint(name)),
            Action::Delete(name) => ("DELETE", self.path(name)?, None, None),
            Action::Replace(name, body) => {
                let body = self.body(body, Some(name))?;
                sent = body.as_deref().and_then(|body| serde_json::from_str(body).ok());
                ("PUT", self.path(name)?, body, self.endpoint(name))
            }
            Action::Patch(name, body) => {
                let body = match body {
                    Body::Operations(operations, _) => {
                        let mut operations = operations.fill(&self.bindings)?;
                        if let Some(known) = self.type_of(name) {
                            let seen =
                                self.bindings.known(name).map(|known| known.seen.clone()).unwrap_or_default();
                            self.bindings.fitted(known, |fit| fit.operations(&mut operations, &seen));
                        }
                        Some(json!({ "schemas": [PATCH_OP], "Operations": operations }).to_string())
                    }
                    other => self.body(other, None)?,
                };
                ("PATCH", self.path(name)?, body, self.endpoint(name))
            }
            Action::List(resource_type) | Action::Walk(resource_type, _) => {
                ("GET", self.type_path(resource_type)?, None, None)
            }
            Action::Search(resource_type, body) => {
                let endpoint =
                    if resource_type.is_empty() { String::new() } else { self.type_path(resource_type)? };
                let body = match body {
                    Body::Json(json) => {
                        let mut body = json.fill(&self.bindings)?;
                        if let Some(members) = body.as_object_mut()
                            && !members.contains_key("schemas")
                        {
                            members.insert("schemas".to_owned(), json!([SEARCH]));
                        }
                        Some(body.to_string())
                    }
                    other => self.body(other, None)?,
                };
                ("POST", format!("{endpoint}/.search"), body, None)
            }
            Action::Bulk(body) => {
                let body = match body {
                    Body::Operations(operations, fail_on_errors) => {
                        let mut body =
                            json!({ "schemas": [BULK], "Operations": operations.fill(&self.bindings)? });
                        if let Some(most) = fail_on_errors {
                            body["failOnErrors"] = json!(most);
                        }
                        Some(body.to_string())
                    }
                    other => self.body(other, None)?,
                };
                ("POST", "/Bulk".to_owned(), body, None)
            }
            Action::Send { method, path, body } => {
                let is_address = path.is_a_place();
                let path = path.fill_with(&self.bindings, |place, text| match place {
                    Place::Field(..) if is_address => self.bindings.address(&text),
                    Place::Of(_, Property::Path | Property::NamedPath | Property::Location) | Place::Base => {
                        text
                    }
                    _ => Client::segment(&text),
                })?;
                if !path.starts_with('/') && !self.context.client.is_at_home(&path) {
                    let miss = Miss::new(
                        self.level,
                        "location".to_owned(),
                        json!(format!("{}/…", self.context.client.base())),
                        json!(path),
                        format!("{path} is at another server, or no URL, so nothing is sent there"),
                    );
                    self.misses.push((step.label.clone(), miss.bounded()));
                    return Err(End::Missed);
                }
                if let Body::Bytes(Bytes(own)) = body {
                    bytes = Some(own.clone());
                }
                let endpoint = (method == "GET").then(|| self.endpoint_above(&path)).flatten();
                (method.as_str(), path, self.body(body, None)?, endpoint)
            }
            // Its steps have requests of their own.
            Action::Together { .. } => ("GET", String::new(), None, None),
        };
        let fill = |pairs: &[(String, crate::case::template::Template)]| {
            pairs
                .iter()
                .map(|(name, value)| Ok((name.clone(), value.fill(&self.bindings)?)))
                .collect::<Result<Vec<_>, Unfilled>>()
        };
        let mut headers = fill(&step.headers)?;
        headers.extend(step.content_type.iter().map(|value| ("Content-Type".to_owned(), value.clone())));
        let request = Request {
            step: step.label.clone(),
            method: method.to_owned(),
            path,
            query: fill(&step.query)?,
            headers,
            body,
            bytes,
            chunked: step.chunked,
            auth: step.auth,
        };
        Ok((request, sent, endpoint))
    }
}
