//! The users of a SCIM server (RFC 7644 §3.4.2), by index or by cursor (RFC 9865).

mod resource;

use reqwest::StatusCode;
use scim::json::get_ci;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};
use url::Url;

use super::pass::{PageProblem, Pass, READS};
use super::remote::{Answer, Remote};
use super::{ReadContext, Step, Whole};
use crate::config::{Credentials, Paging, ScimSource};
use crate::source::{RemoteProblem, SourceProblem, SourceUser};

/// The reading of a SCIM source.
pub(super) struct ScimReader {
    source: ScimSource,
    remote: Remote,
    state: State,
    pass: Pass,
    /// Times that the source was read from its beginning.
    reads: u32,
    /// Whether pages are asked for by cursor; `None` until the server was asked.
    by_cursor: Option<bool>,
}

enum State {
    Begin,
    /// The page that begins with the user of this number, from 1.
    Index(u64),
    /// The page behind the last one, which has to be empty: some servers take the length of a page for the total.
    Behind,
    /// The page at this cursor; the first one is empty.
    Cursor(String),
    End,
}

impl ScimReader {
    pub(super) fn new(source: &ScimSource, context: &ReadContext) -> Result<Self, SourceProblem> {
        let remote = Remote::new(&source.authentication.scim_url, &source.remote, context)?;
        let by_cursor = match source.paging {
            Paging::Auto => None,
            Paging::Index => Some(false),
            Paging::Cursor => Some(true),
        };
        let (source, pass) = (source.clone(), Pass::default());
        Ok(Self { source, remote, state: State::Begin, pass, reads: 0, by_cursor })
    }

    pub(super) async fn next(&mut self) -> Result<Step, SourceProblem> {
        loop {
            let read = match std::mem::replace(&mut self.state, State::End) {
                State::Begin => {
                    self.reads += 1;
                    self.pass = Pass::default();
                    let by_cursor = match self.by_cursor {
                        Some(by_cursor) => by_cursor,
                        None => self.offers_cursor().await?,
                    };
                    self.by_cursor = Some(by_cursor);
                    self.state = if by_cursor { State::Cursor(String::new()) } else { State::Index(1) };
                    continue;
                }
                State::Index(start) => self.page_at(start).await,
                State::Behind => self.page_behind().await.map(|()| Vec::new()),
                State::Cursor(cursor) => self.page_after(&cursor).await,
                State::End => return Ok(Step::End(Whole { users: self.pass.count() })),
            };
            match read {
                Ok(users) if users.is_empty() => {}
                Ok(users) => return Ok(Step::Batch(users)),
                Err(PageProblem::Problem(problem)) => return Err(problem),
                Err(PageProblem::Contradiction(what)) => {
                    if self.reads >= READS {
                        return Err(RemoteProblem::Contradiction { what, reads: self.reads }.into());
                    }
                    tracing::warn!(what, "the source changed while it was read, and is read again");
                    self.remote.pause_before_read(self.reads).await?;
                    self.state = State::Begin;
                    return Ok(Step::Restart);
                }
            }
        }
    }

    /// Whether the server says that it has cursors (RFC 9865 §4). Discovery may be missing.
    async fn offers_cursor(&mut self) -> Result<bool, SourceProblem> {
        let url = self.source.authentication.scim_url.resource(&["ServiceProviderConfig"]);
        let answer = self.get(&url).await?;
        let offers = || {
            let pagination = get_ci(answer.body.as_ref()?.as_object()?, "pagination")?.as_object()?;
            get_ci(pagination, "cursor")?.as_bool()
        };
        Ok(answer.status.is_success() && offers().unwrap_or(false))
    }

    /// Reads the page that begins with user number `start`.
    async fn page_at(&mut self, start: u64) -> Result<Vec<SourceUser>, PageProblem> {
        let start_text = start.to_string();
        let (page, resources) = self.page(&[("startIndex", start_text.as_str())], &start_text).await?;
        let Some(total) = number(&page, "totalResults") else { return Err(RemoteProblem::NoCount.into()) };
        self.pass.total(total)?;
        let began = number(&page, "startIndex").filter(|began| *began != start && !resources.is_empty());
        if let Some(began) = began {
            let what = format!("the page at {start} says that it begins at {began}");
            return Err(PageProblem::Contradiction(what));
        }
        let is_empty = resources.is_empty();
        let users = self.users(resources)?;
        if is_empty || self.pass.is_short() != Some(true) {
            self.pass.end()?;
            if !is_empty {
                self.state = State::Behind;
            }
        } else {
            self.state = State::Index(self.pass.count() + 1);
        }
        Ok(users)
    }

    /// Reads the page behind the last one.
    async fn page_behind(&mut self) -> Result<(), PageProblem> {
        let start = self.pass.count() + 1;
        let mut url = self.source.authentication.scim_url.resource(&["Users"]);
        url.set_query(Some(&self.query(&[("startIndex", start.to_string().as_str())])));
        let answer = self.get(&url).await?;
        // Some servers have no such page.
        if matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND) {
            return Ok(());
        }
        let what = format!("GET {} (the page behind the last)", url.path());
        let body = self.success(answer, &what)?;
        let is_empty = body
            .as_object()
            .and_then(|page| get_ci(page, "Resources"))
            .is_none_or(|resources| resources.as_array().is_some_and(Vec::is_empty));
        if is_empty {
            return Ok(());
        }
        let total = start - 1;
        Err(PageProblem::Contradiction(format!("the server counts {total} users, and has more behind them")))
    }

    /// Returns the query of a page.
    fn query(&self, place: &[(&str, &str)]) -> String {
        let encoded = |value: &str| {
            percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let filter = self.source.filter.as_deref().map(|filter| ("filter", filter));
        let parts = place.iter().copied().chain(filter);
        let parts = parts.map(|(name, value)| format!("&{name}={}", encoded(value)));
        format!("count={}{}", self.source.page_size, parts.collect::<Vec<_>>().concat())
    }

    /// Reads the page at a cursor.
    async fn page_after(&mut self, cursor: &str) -> Result<Vec<SourceUser>, PageProblem> {
        let (page, resources) = self.page(&[("cursor", cursor)], cursor).await?;
        // RFC 9865 §2.1: the total may be left out; the last page is the one without a next cursor.
        if let Some(total) = number(&page, "totalResults") {
            self.pass.total(total)?;
        }
        let users = self.users(resources)?;
        match get_ci(&page, "nextCursor") {
            Some(Value::String(next)) if !next.is_empty() => self.state = State::Cursor(next.clone()),
            None | Some(Value::Null) => self.pass.end()?,
            Some(_) => {
                let told = "a page has a `nextCursor` that is no text".to_owned();
                return Err(RemoteProblem::Answer(told).into());
            }
        }
        Ok(users)
    }

    fn users(&mut self, resources: Vec<Value>) -> Result<Vec<SourceUser>, PageProblem> {
        self.pass.users(resources.into_iter().map(resource::attributes).collect())
    }

    /// Reads a page: the list, and the resources that are taken out of it.
    async fn page(
        &mut self,
        place: &[(&str, &str)],
        key: &str,
    ) -> Result<(Map<String, Value>, Vec<Value>), PageProblem> {
        self.pass.begin_page(key)?;
        let mut url = self.source.authentication.scim_url.resource(&["Users"]);
        url.set_query(Some(&self.query(place)));
        let answer = self.get(&url).await?;
        let is_expired = answer.status == StatusCode::BAD_REQUEST
            && answer
                .body
                .as_ref()
                .and_then(Value::as_object)
                .and_then(|body| get_ci(body, "scimType"))
                .and_then(Value::as_str)
                .is_some_and(|kind| ["invalidCursor", "expiredCursor"].contains(&kind));
        if is_expired && self.pass.pages() > 1 {
            return Err(PageProblem::Contradiction("the server no longer knows its cursor".to_owned()));
        }
        let what = format!("GET {} (page {})", url.path(), self.pass.pages());
        let body = self.success(answer, &what)?;
        let Value::Object(mut page) = body else {
            return Err(RemoteProblem::Answer(format!("{what} was answered with no object")).into());
        };
        let name = page.keys().find(|name| name.eq_ignore_ascii_case("Resources")).cloned();
        let resources = match name.and_then(|name| page.remove(&name)) {
            Some(Value::Array(resources)) => resources,
            // RFC 7644 §3.4.2: it may be left out if there is none.
            None | Some(Value::Null) if get_ci(&page, "totalResults").is_some() => Vec::new(),
            None | Some(_) => {
                return Err(RemoteProblem::Answer(format!("{what} was answered without `Resources`")).into());
            }
        };
        Ok((page, resources))
    }

    async fn get(&mut self, url: &Url) -> Result<Answer, SourceProblem> {
        let credentials = &self.source.authentication.credentials;
        self.remote
            .send(|http| {
                let request = http.get(url.clone());
                match credentials {
                    Credentials::Basic { user, password } => {
                        request.basic_auth(user, Some(password.expose_secret()))
                    }
                    Credentials::Bearer { token } => request.bearer_auth(token.expose_secret()),
                }
            })
            .await
    }

    fn success(&self, answer: Answer, what: &str) -> Result<Value, RemoteProblem> {
        let (Credentials::Bearer { token: secret } | Credentials::Basic { password: secret, .. }) =
            &self.source.authentication.credentials;
        answer.success(what, &[secret.expose_secret()])
    }
}

/// Returns a number of a list; some servers write it as a text.
fn number(page: &Map<String, Value>, name: &str) -> Option<u64> {
    match get_ci(page, name)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
