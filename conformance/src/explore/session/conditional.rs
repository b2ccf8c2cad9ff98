//! Conditional requests: If-Match and If-None-Match, for users and groups.

use serde_json::json;

use crate::explore::check::{Check, When};
use crate::explore::operation::{Condition, Type, Write};
use crate::explore::rule::{Rule, Violation};
use crate::explore::session::checks::{After, difference, same_but_meta, without};
use crate::explore::session::{Session, Stop};
use crate::explore::world::request;
use crate::requirement::Level;

/// A version that no resource has.
const NEVER: &str = "W/\"an-earlier-version\"";

impl Session<'_> {
    /// Returns a version that a resource had, or one that none has.
    pub(super) fn stale_version(&self, at: usize) -> String {
        let known = &self.resources[at];
        let earlier = known.earlier.clone().filter(|earlier| Some(earlier) != known.etag.as_ref());
        earlier.unwrap_or_else(|| NEVER.to_owned())
    }

    pub(super) async fn conditional(
        &mut self,
        of: usize,
        kind: Type,
        condition: Condition,
        with: Write,
    ) -> Result<(), Stop> {
        let Some(at) = self.pick(kind, of) else { return Ok(()) };
        let Some(etag) = self.resources[at].etag.clone() else { return Ok(()) };
        let stale = self.stale_version(at);
        match condition {
            // An operation of a bulk request has a version of its own.
            Condition::Current | Condition::Earlier if with == Write::Bulk => Ok(()),
            Condition::Current => self.write_if_match(at, &etag, true, with).await,
            Condition::Earlier => self.write_if_match(at, &stale, false, with).await,
            Condition::DeleteEarlier => self.delete_if_match(at, &stale).await,
            Condition::UnlessCurrent => self.read_if_none_match(at, &etag, true).await,
            Condition::UnlessEarlier => self.read_if_none_match(at, &stale, false).await,
        }
    }

    fn is_done_in_spite(&self, words: &str, status: u16) -> Result<(), Stop> {
        let violation = Violation::new(Rule::Conditional, words, format!("{words} is answered {status}"))
            .values(json!(412), json!(status))
            .check(Check::status(&["412"]));
        self.violates(violation)
    }

    async fn write_if_match(
        &mut self,
        at: usize,
        version: &str,
        is_current: bool,
        with: Write,
    ) -> Result<(), Stop> {
        let unique = self.next_unique();
        let (noun, name) = match self.resources[at].kind {
            Type::User => ("", self.world.blank.user_name(&unique)),
            Type::Group => (" of a group", unique),
        };
        let (mut request, words) = self.setting(at, self.name_of(at), &json!(name), with);
        request.headers.push(("If-Match".to_owned(), version.to_owned()));
        let kind = if is_current { "the current version" } else { "another version" };
        let words = format!("{words}{noun} with If-Match of {kind}");
        let answer = self.ask(&request).await?;
        if answer.is_success() {
            if !is_current {
                self.is_done_in_spite(&words, answer.status)?;
            }
            let old = std::mem::replace(&mut self.resources[at].name, name);
            if self.resources[at].kind == Type::User {
                self.given_up.push(old);
            }
            self.look_at(at, Some(&answer), After::new(Rule::PatchStores, &words)).await?;
        } else {
            if is_current && answer.status == 412 {
                let violation = Violation::new(Rule::Conditional, &words, format!("{words} is answered 412"))
                    .values(json!("2xx"), json!(412))
                    .check(Check::status(&["2xx"]));
                self.violates(violation)?;
            }
            self.look_at(at, None, After::refused(&words)).await?;
        }
        self.look_at_others(&[at], &words).await?;
        self.look_at_memberships(&words).await
    }

    async fn delete_if_match(&mut self, at: usize, version: &str) -> Result<(), Stop> {
        let mut delete = request("DELETE", &self.resources[at].path, None);
        delete.headers.push(("If-Match".to_owned(), version.to_owned()));
        let noun = if self.resources[at].kind == Type::User { "user" } else { "group" };
        let words = format!("DELETE of a {noun} with If-Match of another version");
        let answer = self.ask(&delete).await?;
        if answer.is_success() {
            self.is_done_in_spite(&words, answer.status)?;
            self.gone(at).await?;
        } else {
            self.look_at(at, None, After::refused(&words)).await?;
        }
        self.look_at_others(&[at], &words).await?;
        self.look_at_memberships(&words).await
    }

    async fn read_if_none_match(&mut self, at: usize, version: &str, is_current: bool) -> Result<(), Stop> {
        let mut read = request("GET", &self.resources[at].path, None);
        read.headers.push(("If-None-Match".to_owned(), version.to_owned()));
        let noun = if self.resources[at].kind == Type::User { "user" } else { "group" };
        let kind = if is_current { "the current version" } else { "another version" };
        let words = format!("GET of a {noun} with If-None-Match of {kind}");
        let answer = self.ask(&read).await?;
        let wanted = if is_current { 304 } else { 200 };
        let seen = &self.resources[at].seen;
        let is_same = answer.json.as_ref().is_some_and(|body| same_but_meta(body, seen));
        if answer.status != wanted || (!is_current && !is_same) {
            let (what, check) = if answer.status == wanted {
                let body = answer.json.unwrap_or_default();
                let (member, before, _) = difference(&without(seen, &["meta"]), &without(&body, &["meta"]));
                let check = Check::as_read(&self.resources[at].path, "", &member, &before, When::Last);
                ("shows another resource than the read".to_owned(), check)
            } else {
                let wanted = if is_current { "304" } else { "200" };
                (format!("is answered {}", answer.status), Ok(Check::status(&[wanted])))
            };
            // To show the resource again costs a client nothing but time.
            let level = if is_current { Level::Should } else { Level::Must };
            let violation = Violation {
                level,
                ..Violation::new(Rule::Conditional, &words, format!("{words} {what}"))
                    .values(json!(wanted), json!(answer.status))
                    .may_check(check)
            };
            self.violates(violation)?;
        }
        Ok(())
    }
}
