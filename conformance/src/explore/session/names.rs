//! Names that are taken, kept, given up, and alike.

use serde_json::{Value, json};

use crate::explore::attributes::{Attribute, Kind, Shape};
use crate::explore::check::Check;
use crate::explore::operation::{NameOf, Type, Write};
use crate::explore::rule::{Rule, Violation};
use crate::explore::session::checks::After;
use crate::explore::session::{Session, Stop};
use crate::explore::value::Choice;
use crate::explore::world::{World, post, query, request};
use crate::json::get;
use crate::server::discovery::resources;
use crate::subject::server::client::{Answer, Request};

impl Session<'_> {
    /// A filter by a name that nobody has finds nobody.
    pub(super) async fn finds_nobody(&mut self, name: &str, after: &str) -> Result<(), Stop> {
        if !self.world.can.look_up {
            return Ok(());
        }
        let filter = format!("userName eq {}", json!(name));
        let endpoint = self.world.user.endpoint.clone();
        let listed = self.ask(&query(&endpoint, &[("filter", &filter)])).await?;
        let Some(body) = listed.json.as_ref().filter(|_| listed.is_success()) else { return Ok(()) };
        if self.lists_a_deleted("GET with a filter", body, || Check::lists(Vec::new()))? {
            return Ok(());
        }
        let found = resources(body).len();
        if found > 0 {
            let why = format!("after {after} a filter still finds the old userName");
            let violation = Violation::new(Rule::FilterFinds, after, why)
                .about("an old name")
                .values(json!(0), json!(found))
                .check(Check::lists(Vec::new()));
            self.violates(violation)?;
        }
        Ok(())
    }

    /// A write of the name that the user has, or of the same in another case.
    pub(super) async fn repeat(
        &mut self,
        of: usize,
        with: Write,
        is_in_other_case: bool,
    ) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
        if is_in_other_case && self.world.can.names_without_case {
            return self.raise_own_name(at, with).await;
        }
        let name = json!(self.resources[at].name);
        let (request, words) = self.setting(at, "userName", &name, with);
        let words = format!("{words} of the same userName");
        let answer = self.ask(&request).await?;
        if !Self::is_done(with, &answer) {
            let form = format!("the same userName cannot be sent again by {words}");
            self.refused_name(&form, (with, ""), &words, &answer).await?;
        }
        self.look_at(at, Self::own(with, &answer), After::new(Self::stores(with), &words)).await?;
        self.look_at_others(&[at], &words).await
    }

    /// A user is not in the way of its own name in another case.
    async fn raise_own_name(&mut self, at: usize, with: Write) -> Result<(), Stop> {
        let known = self.resources[at].name.clone();
        let raised = if known.chars().any(|c| c.is_ascii_lowercase()) {
            known.to_ascii_uppercase()
        } else {
            known.to_ascii_lowercase()
        };
        let (write, words) = self.setting(at, "userName", &json!(raised), with);
        let words = format!("{words} of the own userName in another case");
        let answer = self.ask(&write).await?;
        if Self::is_done(with, &answer) {
            // Whether that is a change is the server's business.
            let read = self.ask(&request("GET", &self.resources[at].path, None)).await?;
            let now = read.json.as_ref().and_then(|body| get(body, "userName")?.as_str()).unwrap_or_default();
            if now == raised {
                self.resources[at].name = raised;
            }
            self.look_at(at, Self::own(with, &answer), After::new(Self::stores(with), &words)).await?;
        } else {
            let status = Self::status_of(with, &answer);
            if status == 409 {
                let violation =
                    Violation::new(Rule::ValidIsTaken, &words, format!("{words} is answered 409"))
                        .values(json!("2xx"), json!(409))
                        .check(Self::status_check(with, "2xx"));
                self.violates(violation)?;
            } else {
                self.world.limit(&format!("{words} is answered {status}"));
            }
            self.look_at(at, None, After::refused(&words)).await?;
        }
        self.look_at_others(&[at], &words).await
    }

    /// A creation that is refused takes no name.
    pub(super) async fn failed_creation(&mut self) -> Result<(), Stop> {
        let unique = self.next_unique();
        let good = self.world.new_user(&unique, &[]);
        let mut bad = good.clone();
        bad["active"] = json!({ "is": "perhaps" });
        let endpoint = self.world.user.endpoint.clone();
        let answer = self.ask(&post(&endpoint, &bad)).await?;
        let form = "POST with an object for active";
        if answer.is_success() {
            let violation =
                Violation::new(Rule::InvalidIsRefused, form, format!("{form} is answered {}", answer.status))
                    .values(json!("4xx"), json!(answer.status))
                    .check(Check::status(&["4xx"]));
            self.violates(violation)?;
            return self.remove_twin(&answer).await;
        }
        self.finds_nobody(&self.world.blank.user_name(&unique), form).await?;
        let answer = self.ask(&post(&endpoint, &good)).await?;
        if answer.is_success() {
            return self.created_user(&good, &answer, "POST after a refused one", &[]).await;
        }
        let why = format!("a POST is answered {} after a refused one with the same name", answer.status);
        let violation = Violation::new(Rule::NameIsFree, "POST", why)
            .about("after a refused creation")
            .values(json!(201), json!(answer.status))
            .check(Check::status(&["201"]));
        self.violates(violation)
    }

    /// Two users may have one externalId, which clients give; each stays what it is.
    pub(super) async fn share_external_id(&mut self, of: usize) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
        let Some(external_id) = self.resources[at].external_id.clone() else { return Ok(()) };
        let mut body = self.world.new_user(&self.next_unique(), &[]);
        body["externalId"] = json!(external_id);
        let endpoint = self.world.user.endpoint.clone();
        let answer = self.ask(&post(&endpoint, &body)).await?;
        let form = "POST of an externalId that another user has";
        if !answer.is_success() {
            self.world.limit(&format!("{form} is answered {}", answer.status));
            return self.look_at_others(&[], form).await;
        }
        let Some((path, id)) = World::path_of(self.world.user, &answer) else { return Ok(()) };
        self.look_at_others(&[], form).await?;
        let filter = format!("externalId eq {}", json!(external_id));
        let listed = self.ask(&query(&endpoint, &[("filter", &filter)])).await?;
        let wanted = [self.resources[at].id.clone(), id];
        if let Some(body) = listed.json.as_ref().filter(|_| listed.is_success()) {
            let found: Vec<_> = resources(body).iter().filter_map(|one| get(one, "id")?.as_str()).collect();
            if !wanted.iter().all(|id| found.contains(&id.as_str())) {
                let why = "a filter by externalId does not find both users that have it";
                let violation = Violation::new(Rule::FilterFinds, form, why)
                    .about("externalId of two users")
                    .values(json!(wanted), json!(found))
                    .check(Check::lists(wanted.to_vec()));
                self.violates(violation)?;
            }
        }
        self.ask(&request("DELETE", &path, None)).await?;
        self.look_at_others(&[], "DELETE").await
    }

    /// Deletes a user that is no part of the model.
    async fn remove_twin(&mut self, answer: &Answer) -> Result<(), Stop> {
        if let Some((path, _)) = World::path_of(self.world.user, answer) {
            self.ask(&request("DELETE", &path, None)).await?;
        }
        Ok(())
    }

    pub(super) async fn create_named(&mut self, which: NameOf, of: usize) -> Result<(), Stop> {
        let (name, holder) = match which {
            NameOf::GivenUp => {
                let Some(name) = self.given_up.pop() else { return Ok(()) };
                if self.living(Type::User).iter().any(|at| self.resources[*at].name == name) {
                    return Ok(());
                }
                (name, None)
            }
            NameOf::Living => {
                let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
                (self.resources[at].name.clone(), Some(at))
            }
            NameOf::LivingInCapitals if self.world.can.names_without_case => {
                let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
                (self.resources[at].name.to_ascii_uppercase(), Some(at))
            }
            NameOf::LivingInCapitals => return Ok(()),
            NameOf::Longer => {
                let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
                let name = format!("{}.longer", self.resources[at].name);
                if self
                    .living(Type::User)
                    .iter()
                    .any(|at| self.resources[*at].name.eq_ignore_ascii_case(&name))
                {
                    return Ok(());
                }
                (name, None)
            }
        };
        let unique = self.next_unique();
        let mut body = self.world.new_user(&unique, &[]);
        body["userName"] = json!(name);
        let answer = self.ask(&post(&self.world.user.endpoint, &body)).await?;
        match (holder, answer.is_success()) {
            (None, true) => {
                let form = match which {
                    NameOf::Longer => "POST of a name that starts with another one",
                    _ => "POST under a name that was given up",
                };
                self.created_user(&body, &answer, form, &[]).await
            }
            (None, false) if which == NameOf::Longer => {
                // Servers may limit names; a conflict there is none.
                if answer.status != 409 {
                    self.world.limit(&format!("a longer userName is answered {}", answer.status));
                    return Ok(());
                }
                let why = "a POST of a name that only starts with another one is answered 409";
                let violation = Violation::new(Rule::NameIsFree, "POST", why)
                    .about("that starts with another one")
                    .values(json!(201), json!(409))
                    .check(Check::status(&["201"]));
                self.violates(violation)
            }
            (None, false) => {
                let why = format!("a POST under a name that was given up is answered {}", answer.status);
                let violation = Violation::new(Rule::NameIsFree, "POST", why)
                    .values(json!(201), json!(answer.status))
                    .check(Check::status(&["201"]));
                self.violates(violation)
            }
            (Some(_), true) => {
                let is_other_case = holder.is_some_and(|at| self.resources[at].name != name);
                let about = if is_other_case { "in another case" } else { "" };
                let why = format!(
                    "a second user with the userName of another one {about} is answered {}",
                    answer.status
                );
                let violation = Violation::new(Rule::NameIsUnique, "POST", why)
                    .about(about)
                    .values(json!(409), json!(answer.status))
                    .check(Check::status(&["409"]));
                self.violates(violation)?;
                self.remove_twin(&answer).await
            }
            (Some(at), false) => self.look_at(at, None, After::refused("POST of a taken name")).await,
        }
    }

    pub(super) async fn rename_to_taken(
        &mut self,
        of: usize,
        to: usize,
        with: Write,
        brings_more: bool,
    ) -> Result<(), Stop> {
        let (Some(at), Some(other)) = (self.pick(Type::User, of), self.pick(Type::User, to)) else {
            return Ok(());
        };
        if at == other {
            return Ok(());
        }
        let is_raised = self.world.can.names_without_case && !self.created.is_multiple_of(2);
        let taken = &self.resources[other].name;
        let name = json!(if is_raised { taken.to_ascii_uppercase() } else { taken.clone() });
        let (mut request, words) = self.setting(at, "userName", &name, with);
        let more = if brings_more { self.add_change(&mut request, with) } else { "" };
        let case = if is_raised { " in another case" } else { "" };
        let words = format!("a rename to a taken name{case}{more} by {words}");
        let answer = self.ask(&request).await?;
        if Self::is_done(with, &answer) {
            let violation =
                Violation::new(Rule::NameIsUnique, &words, format!("{words} is answered {}", answer.status))
                    .values(json!(409), json!(answer.status))
                    .check(Self::status_check(with, "409"));
            self.violates(violation)?;
            // Names are mixed up now.
            return Err(Stop::Ended);
        }
        self.look_at(at, None, After::refused(&words)).await?;
        self.look_at(other, None, After::refused(&words)).await
    }

    /// Adds a good change before the name of a request. Returns words for it.
    fn add_change(&self, request: &mut Request, with: Write) -> &'static str {
        let texts =
            |known: &&Attribute| known.extension.is_none() && known.shape == Shape::Single(Kind::Text);
        let Some(text) = self.world.attributes.iter().find(texts) else { return "" };
        let value = Choice { text: 0, number: 60 + self.created }.value(text);
        let body = request.body.as_deref().and_then(|body| serde_json::from_str::<Value>(body).ok());
        let Some(mut body) = body else { return "" };
        let operation = json!({ "op": "replace", "path": text.path(), "value": value });
        let holder = match with {
            Write::Put => None,
            Write::PatchWithPath | Write::PatchWithoutPath => body.pointer_mut("/Operations"),
            Write::Bulk => body.pointer_mut("/Operations/0/data/Operations"),
        };
        match holder.and_then(Value::as_array_mut) {
            Some(operations) => operations.insert(0, operation),
            None => text.set_in(&mut body, value),
        }
        request.body = Some(body.to_string());
        " with another change"
    }
}
