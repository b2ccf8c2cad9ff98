//! The users of a PingOne environment: the platform API, as a worker application.
//!
//! The rules' filters are sent where the API can take them, so users outside of them do not come. To tell users that are gone
//! from users that only left a filter, those that earlier runs know are looked up one by one ([`Step::AskMissing`]).

mod groups;
mod names;
mod token;

use std::collections::HashSet;

use reqwest::StatusCode;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use url::Url;

use self::token::Token;
use super::pass::{PageProblem, Pass, READS};
use super::remote::{Answer, Remote};
use super::{ReadContext, Step, Whole};
use crate::config::PingOneSource;
use crate::ids::SourceId;
use crate::source::{RemoteProblem, SourceProblem, SourceUser};

/// Users that are looked up one by one; more are cheaper to list.
const LOOK_UPS: usize = 500;
/// Users that are looked up between two batches.
const LOOK_UPS_AT_ONCE: usize = 50;

/// The reading of a PingOne source.
pub(super) struct PingOneReader {
    source: PingOneSource,
    remote: Remote,
    token: Option<Token>,
    state: State,
    pass: Pass,
    /// Times that the source was read from its beginning.
    reads: u32,
    /// The filter of populations and groups, and the populations' ids.
    restriction: Option<Restriction>,
    /// Whether the rules' filters are sent.
    pushes_down: bool,
}

/// The users that the source has.
#[derive(Clone, Default)]
struct Restriction {
    filter: Option<String>,
    /// The ids of the populations; empty if it has those of all.
    populations: Vec<String>,
}

enum State {
    Begin,
    Page(Url),
    /// The pages are read, and users are awaited that earlier runs know.
    Ask,
    LookUp(Vec<SourceId>),
    End,
}

impl PingOneReader {
    pub(super) fn new(source: &PingOneSource, context: &ReadContext) -> Result<Self, SourceProblem> {
        Ok(Self {
            source: source.clone(),
            remote: Remote::new(&source.base_url, &source.remote, context)?,
            token: None,
            state: State::Begin,
            pass: Pass::default(),
            reads: 0,
            restriction: None,
            // A user that left a group looks like any other: nothing tells why it is not listed.
            pushes_down: source.pushed_down.is_some() && source.groups.is_empty(),
        })
    }

    pub(super) fn look_up(&mut self, missing: Vec<SourceId>) {
        if !matches!(self.state, State::Ask) {
            return;
        }
        self.state = State::LookUp(missing);
    }

    pub(super) async fn next(&mut self) -> Result<Step, SourceProblem> {
        loop {
            match std::mem::replace(&mut self.state, State::End) {
                State::Begin => {
                    self.reads += 1;
                    self.pass = Pass::default();
                    let url = self.first_page().await?;
                    self.state = State::Page(url);
                }
                State::Page(url) => match self.page(&url).await {
                    Ok(users) if users.is_empty() => {}
                    Ok(users) => return Ok(Step::Batch(users)),
                    Err(PageProblem::Problem(problem)) if self.is_refused_filter(&problem) => {
                        tracing::warn!("PingOne refused the rules' filters; all users are read instead");
                        self.pushes_down = false;
                        self.state = State::Begin;
                        self.reads -= 1;
                    }
                    Err(PageProblem::Problem(problem)) => return Err(problem),
                    Err(PageProblem::Contradiction(what)) => return self.again(what).await,
                },
                State::Ask => {
                    // Without an answer it is asked again.
                    self.state = State::Ask;
                    return Ok(Step::AskMissing);
                }
                State::LookUp(missing) if missing.len() > LOOK_UPS => {
                    tracing::info!(
                        missing = missing.len(),
                        "many known users are outside of the rules' filters: all users are read"
                    );
                    self.pushes_down = false;
                    self.state = State::Begin;
                    self.reads -= 1;
                    return Ok(Step::Restart);
                }
                State::LookUp(mut missing) => {
                    if missing.is_empty() {
                        continue;
                    }
                    let rest = missing.split_off(missing.len().min(LOOK_UPS_AT_ONCE));
                    let users = self.look_up_each(missing).await?;
                    self.state = if rest.is_empty() { State::End } else { State::LookUp(rest) };
                    if !users.is_empty() {
                        return Ok(Step::Batch(users));
                    }
                }
                State::End => return Ok(Step::End(Whole { users: self.pass.count() })),
            }
        }
    }

    /// Reads the source again, unless it was read often enough.
    async fn again(&mut self, what: String) -> Result<Step, SourceProblem> {
        if self.reads >= READS {
            return Err(RemoteProblem::Contradiction { what, reads: self.reads }.into());
        }
        tracing::warn!(what, "the source changed while it was read, and is read again");
        self.remote.pause_before_read(self.reads).await?;
        self.state = State::Begin;
        Ok(Step::Restart)
    }

    /// Whether the first page was refused for the sake of the rules' filters.
    fn is_refused_filter(&self, problem: &SourceProblem) -> bool {
        let is_bad_request = matches!(problem, SourceProblem::Remote(RemoteProblem::BadRequest(_)));
        is_bad_request && self.pushes_down && self.pass.pages() == 1
    }

    fn users_url(&self) -> Url {
        self.source.base_url.resource(&["environments", &self.source.environment_id, "users"])
    }

    async fn first_page(&mut self) -> Result<Url, SourceProblem> {
        let restriction = match &self.restriction {
            Some(restriction) => restriction.clone(),
            None => self.restriction().await?,
        };
        let pushed_down = self.source.pushed_down.as_ref().filter(|_| self.pushes_down);
        let filters: Vec<&str> = restriction.filter.iter().chain(pushed_down).map(String::as_str).collect();
        let filter = match filters.as_slice() {
            [] => None,
            [one] => Some((*one).to_owned()),
            several => Some(several.iter().map(|one| format!("({one})")).collect::<Vec<_>>().join(" and ")),
        };
        self.restriction = Some(restriction);
        Ok(self.list_url(filter.as_deref()))
    }

    /// Returns the address of the first page of the users that match `filter`.
    fn list_url(&self, filter: Option<&str>) -> Url {
        let mut url = self.users_url();
        let mut query = format!("limit={}", self.source.page_size);
        if let Some(filter) = filter {
            let encoded = percent_encoding::utf8_percent_encode(filter, percent_encoding::NON_ALPHANUMERIC);
            query = format!("{query}&filter={encoded}");
        }
        url.set_query(Some(&query));
        url
    }

    /// Reads one page, and sets the state for the next step.
    async fn page(&mut self, url: &Url) -> Result<Vec<SourceUser>, PageProblem> {
        let mut pass = std::mem::take(&mut self.pass);
        let read = self.read_page(&mut pass, url).await;
        self.pass = pass;
        let (users, next) = read?;
        self.state = if let Some(next) = next {
            State::Page(next)
        } else {
            // `size` is the length of one page, and the end of the links may be a page too early.
            if !self.pass.has_total() {
                return Err(RemoteProblem::NoCount.into());
            }
            self.pass.end()?;
            if self.pushes_down { State::Ask } else { State::End }
        };
        Ok(users)
    }

    /// Reads one page of users, and returns them with the address of the next one.
    async fn read_page(
        &mut self,
        pass: &mut Pass,
        url: &Url,
    ) -> Result<(Vec<SourceUser>, Option<Url>), PageProblem> {
        pass.begin_page(url.as_str())?;
        let what = format!("GET {} (page {})", url.path(), pass.pages());
        let mut body = self.get(url, &what).await?;
        let Some(Value::Array(users)) = body.pointer_mut("/_embedded/users").map(Value::take) else {
            return Err(
                RemoteProblem::Answer(format!("{what} was answered without `_embedded.users`")).into()
            );
        };
        let (count, size) = (number(&body, "count"), number(&body, "size"));
        if let Some(size) = size.filter(|size| *size != users.len() as u64) {
            let found = users.len();
            return Err(PageProblem::Contradiction(format!("a page counts {size} users and has {found}")));
        }
        if let Some(count) = count {
            pass.total(count)?;
        }
        let users = pass.users(users)?;
        Ok((users, names::next_link(&body, url, &self.users_url())?))
    }

    async fn look_up_each(&mut self, ids: Vec<SourceId>) -> Result<Vec<SourceUser>, SourceProblem> {
        let mut found = Vec::new();
        for id in ids {
            // A dot would lead to another resource, and is no id of PingOne.
            if matches!(id.as_str(), "." | "..") {
                continue;
            }
            let segments = ["environments", &self.source.environment_id, "users", id.as_str()];
            let url = self.source.base_url.resource(&segments);
            let answer = self.authorized(&url).await?;
            if answer.status == StatusCode::NOT_FOUND && answer.body.as_ref().is_some_and(is_not_found) {
                continue;
            }
            let user = self.success(answer, "GET of one user")?;
            let population = user.pointer("/population/id").and_then(Value::as_str);
            let populations =
                self.restriction.as_ref().map_or(&[][..], |restriction| &restriction.populations);
            if populations.is_empty() || population.is_some_and(|id| populations.iter().any(|one| one == id))
            {
                found.push(user);
            }
        }
        self.pass.users(found).map_err(|problem| match problem {
            PageProblem::Problem(problem) => problem,
            PageProblem::Contradiction(what) => {
                RemoteProblem::Contradiction { what, reads: self.reads }.into()
            }
        })
    }

    async fn get(&mut self, url: &Url, what: &str) -> Result<Value, SourceProblem> {
        let answer = self.authorized(url).await?;
        self.success(answer, what)
    }

    fn success(&self, answer: Answer, what: &str) -> Result<Value, SourceProblem> {
        let token = self.token.as_ref().map_or("", |token| token.secret.expose_secret());
        Ok(answer.success(what, &[token, self.source.client_secret.expose_secret()].map(non_empty))?)
    }

    /// Sends a GET with a token; one that is refused is replaced once.
    async fn authorized(&mut self, url: &Url) -> Result<Answer, SourceProblem> {
        let mut is_renewed = false;
        loop {
            let token = self.token().await?.secret.clone();
            let answer =
                self.remote.send(|http| http.get(url.clone()).bearer_auth(token.expose_secret())).await?;
            if answer.status != StatusCode::UNAUTHORIZED || is_renewed {
                return Ok(answer);
            }
            (self.token, is_renewed) = (None, true);
        }
    }
}

/// Returns a secret that can be searched for.
fn non_empty(secret: &str) -> &str {
    if secret.is_empty() { "\u{0}" } else { secret }
}

fn number(page: &Value, name: &str) -> Option<u64> {
    page.get(name).and_then(Value::as_u64)
}

/// Whether a 404 is PingOne's own: any other proves nothing.
fn is_not_found(body: &Value) -> bool {
    body.get("code").and_then(Value::as_str) == Some("NOT_FOUND")
}

/// Returns the ids without repetition, in their order.
fn distinct(ids: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    ids.into_iter().filter(|id| seen.insert(id.clone())).collect()
}
