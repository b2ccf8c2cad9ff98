//! Requests at the same time: what they leave must be what some order of them leaves.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::explore::attributes::{Kind, Shape};
use crate::explore::calibrate::values;
use crate::explore::check::{Check, Condition, Expectation, with_values};
use crate::explore::operation::{TogetherKind, Type, Write};
use crate::explore::rule::{Rule, Violation};
use crate::explore::session::checks::After;
use crate::explore::session::{Session, Stop};
use crate::explore::value::Choice;
use crate::explore::world::{World, patch, post, query, request};
use crate::json::get;
use crate::server::discovery::resources;
use crate::subject::server::client::{Answer, Request};

/// Requests at the same time.
const MANY: usize = 6;

/// Whether a server may answer so to one of several writes to the same resource.
fn is_conflict(answer: &Answer) -> bool {
    matches!(answer.status, 409 | 412 | 423 | 429 | 503)
}

impl Session<'_> {
    pub(super) async fn together(&mut self, kind: TogetherKind, of: usize) -> Result<(), Stop> {
        match kind {
            TogetherKind::CreateOneName => self.create_one_name().await,
            TogetherKind::AddValues => self.add_values(of).await,
            TogetherKind::SetAttributes => self.set_attributes(of).await,
            TogetherKind::SetOneAttribute => self.set_one_attribute(of).await,
            TogetherKind::AddMembers => self.add_members(of).await,
            TogetherKind::ReplaceIfUnchanged => self.replace_if_unchanged(of).await,
            TogetherKind::ReadOthers => self.read_others().await,
            TogetherKind::DeleteOne => self.delete_one(of).await,
        }
    }

    fn lost(
        &self,
        form: &str,
        why: &str,
        (expected, actual): (Value, Value),
        check: impl Into<Check>,
    ) -> Result<(), Stop> {
        self.violates(Violation::new(Rule::SomeOrder, form, why).values(expected, actual).check(check))
    }

    async fn create_one_name(&mut self) -> Result<(), Stop> {
        let form = "POST of one name at the same time";
        let unique = self.next_unique();
        let body = self.world.new_user(&unique, &[]);
        let requests: Vec<Request> = (0..MANY).map(|_| post(&self.world.user.endpoint, &body)).collect();
        let answers = self.ask_together(&requests).await?;
        let made: Vec<&Answer> = answers.iter().filter(|answer| answer.is_success()).collect();
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        if made.len() > 1 {
            let why = format!("{} users were created under one userName", made.len());
            let values = (json!("one success"), json!(statuses));
            self.lost(form, &why, values, Expectation::OneSuccess(&[409]))?;
            let paths: Vec<_> =
                made.iter().filter_map(|answer| World::path_of(self.world.user, answer)).collect();
            for (path, _) in paths {
                self.ask(&request("DELETE", &path, None)).await?;
            }
            return Ok(());
        }
        let Some(answer) = made.first().map(|answer| (*answer).clone()) else {
            let values = (json!("one success"), json!(statuses));
            return self.lost(form, "no user was created", values, Expectation::OneSuccess(&[409]));
        };
        let Some(at) = self.add(Type::User, &body, &answer, form)? else { return Ok(()) };
        self.look_at(at, Some(&answer), After::new(Rule::CreateStores, form)).await?;
        self.look_at_others(&[at], form).await
    }

    async fn add_values(&mut self, of: usize) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
        let attributes = &self.world.attributes;
        // One whose values can be told apart.
        let many = attributes.iter().position(|known| {
            known.is_many()
                && known.parts().iter().any(|part| part.name == "value" && part.kind == Kind::Email)
        });
        let Some(index) = many else { return Ok(()) };
        let name = attributes[index].path();
        let form = "PATCH add of several values at the same time";
        let path = self.resources[at].path.clone();
        let elements: Vec<Value> = (0..MANY)
            .map(|number| Choice { text: 0, number: 30 + number }.element(&attributes[index]))
            .collect();
        let requests: Vec<Request> = elements
            .iter()
            .map(|element| patch(&path, &json!([{ "op": "add", "path": name, "value": [element] }])))
            .collect();
        let answers = self.ask_together(&requests).await?;
        let read = self.ask(&request("GET", &path, None)).await?;
        let body = read.json.unwrap_or_default();
        let there: BTreeSet<&str> = values(&body, &name).collect();
        let done: BTreeSet<&str> = elements
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| answer.is_success())
            .filter_map(|(element, _)| get(element, "value")?.as_str())
            .collect();
        if !done.is_subset(&there) {
            let lost = done.difference(&there).count();
            let why = format!("{lost} of {} values that were added at the same time are lost", done.len());
            let includes = with_values(done.iter().copied())
                .into_iter()
                .map(|value| Expectation::At(attributes[index].pointer(), Condition::Includes(value)));
            let check = Check::all(includes.collect());
            self.lost(form, &why, (json!(done), json!(there)), check)?;
        }
        self.adopt(at, &body);
        self.look_at(at, None, After::new(Rule::SomeOrder, form)).await?;
        self.look_at_others(&[at], form).await
    }

    /// Returns the places of single attributes with texts.
    fn singles(&self) -> Vec<usize> {
        let attributes = self.world.attributes.iter().enumerate();
        attributes.filter(|(_, known)| known.shape == Shape::Single(Kind::Text)).map(|(at, _)| at).collect()
    }

    async fn set_attributes(&mut self, of: usize) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
        let form = "PATCH of several attributes at the same time";
        let path = self.resources[at].path.clone();
        let singles: Vec<usize> = self.singles().into_iter().take(MANY).collect();
        let wanted: Vec<(usize, Value)> = singles
            .into_iter()
            .map(|index| {
                (index, Choice { text: 0, number: 40 + self.created }.value(&self.world.attributes[index]))
            })
            .collect();
        let requests: Vec<Request> = wanted
            .iter()
            .map(|(index, value)| {
                let name = self.world.attributes[*index].path();
                patch(&path, &json!([{ "op": "replace", "path": name, "value": value }]))
            })
            .collect();
        let answers = self.ask_together(&requests).await?;
        for ((index, value), answer) in wanted.iter().zip(&answers) {
            if answer.is_success() {
                self.resources[at].expected.set(*index, Some(value.clone()));
            }
        }
        self.look_at(at, None, After::new(Rule::SomeOrder, form)).await?;
        self.look_at_others(&[at], form).await
    }

    async fn set_one_attribute(&mut self, of: usize) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
        let singles = self.singles();
        let Some(index) = singles.get(self.created % singles.len().max(1)).copied() else { return Ok(()) };
        let form = "PATCH of one attribute at the same time";
        let path = self.resources[at].path.clone();
        let attribute = &self.world.attributes[index];
        let wanted: Vec<Value> =
            (0..MANY).map(|number| Choice { text: 0, number: 50 + number }.value(attribute)).collect();
        let name = attribute.path();
        let requests: Vec<Request> = wanted
            .iter()
            .map(|value| patch(&path, &json!([{ "op": "replace", "path": name, "value": value }])))
            .collect();
        let answers = self.ask_together(&requests).await?;
        let done: Vec<&Value> = wanted
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| answer.is_success())
            .map(|(value, _)| value)
            .collect();
        let read = self.ask(&request("GET", &path, None)).await?;
        let body = read.json.unwrap_or_default();
        let actual = self.world.attributes[index].value_in(&body).cloned();
        if !done.is_empty() && !done.iter().any(|value| Some(*value) == actual.as_ref()) {
            let why = format!("{name} has none of the values that were set at the same time");
            let values = done.iter().map(|value| (*value).clone()).collect();
            let check = Check::at(attribute.pointer(), Condition::OneOf(values));
            self.lost(form, &why, (json!(done), json!(actual)), check)?;
        }
        self.resources[at].expected.set(index, actual);
        self.look_at(at, None, After::new(Rule::SomeOrder, form)).await?;
        self.look_at_others(&[at], form).await
    }

    async fn add_members(&mut self, of: usize) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::Group, of) else { return Ok(()) };
        let form = "PATCH add of several members at the same time";
        let path = self.resources[at].path.clone();
        // Those who are members already would show nothing.
        let known = &self.resources[at].members;
        let users: Vec<usize> =
            self.living(Type::User).into_iter().filter(|user| !known.contains(user)).collect();
        let requests: Vec<Request> = users
            .iter()
            .map(|user| {
                let member = json!([{ "value": self.resources[*user].id }]);
                patch(&path, &json!([{ "op": "add", "path": "members", "value": member }]))
            })
            .collect();
        let answers = self.ask_together(&requests).await?;
        for (user, answer) in users.iter().zip(&answers) {
            if answer.is_success() {
                self.resources[at].members.insert(*user);
            }
        }
        self.look_at(at, None, After::new(Rule::SomeOrder, form)).await?;
        self.look_at_others(&[at], form).await?;
        self.look_at_memberships(form).await
    }

    async fn replace_if_unchanged(&mut self, of: usize) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
        let Some(etag) = self.resources[at].etag.clone() else { return Ok(()) };
        let form = "PUT with one If-Match at the same time";
        let old = self.resources[at].name.clone();
        let blank = self.world.blank;
        let names: Vec<String> = (0..MANY).map(|_| blank.user_name(&self.next_unique())).collect();
        let requests: Vec<Request> = names
            .iter()
            .map(|name| {
                let (mut request, _) = self.setting(at, "userName", &json!(name), Write::Put);
                request.headers.push(("If-Match".to_owned(), etag.clone()));
                request
            })
            .collect();
        let answers = self.ask_together(&requests).await?;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        let done: Vec<_> = names.iter().zip(&answers).filter(|(_, answer)| answer.is_success()).collect();
        if done.len() != 1 && !answers.iter().all(is_conflict) {
            let why =
                format!("{} of {MANY} writes with one version were done, where one belongs", done.len());
            let values = (json!("one success"), json!(statuses));
            self.lost(form, &why, values, Expectation::OneSuccess(&[409, 412, 423, 429, 503]))?;
        }
        match done.as_slice() {
            [] => {}
            [(name, _)] => {
                self.given_up.push(old);
                self.resources[at].name.clone_from(name);
            }
            _ => {
                let read = self.ask(&request("GET", &self.resources[at].path.clone(), None)).await?;
                self.adopt(at, &read.json.unwrap_or_default());
            }
        }
        self.look_at(at, None, After::new(Rule::SomeOrder, form)).await?;
        self.look_at_others(&[at], form).await
    }

    /// Reads everything at once, each by its id and by its name.
    async fn read_others(&mut self) -> Result<(), Stop> {
        let form = "GET at the same time";
        let mut requests = Vec::new();
        let mut ids = Vec::new();
        for known in self.resources.iter().filter(|known| !known.is_deleted) {
            requests.push(request("GET", &known.path, None));
            ids.push(known.id.clone());
            if known.kind == Type::User && self.world.can.look_up {
                let filter = format!("userName eq {}", json!(known.name));
                requests.push(query(&self.world.user.endpoint, &[("filter", &filter)]));
                ids.push(known.id.clone());
            }
        }
        let answers = self.ask_together(&requests).await?;
        for ((request, id), answer) in requests.iter().zip(&ids).zip(&answers) {
            let body = answer.json.as_ref();
            let shown = match (request.query.is_empty(), body) {
                (true, Some(body)) => get(body, "id").and_then(Value::as_str).map(ToOwned::to_owned),
                (false, Some(body)) => {
                    resources(body).first().and_then(|one| Some(get(one, "id")?.as_str()?.to_owned()))
                }
                (_, None) => None,
            };
            if answer.is_success() && shown.as_ref() != Some(id) {
                let why = "a GET beside others shows another resource";
                let violation = Violation::new(Rule::OwnAnswer, form, why)
                    .values(json!(id), json!(shown))
                    .check(Expectation::Shows(ids.clone()));
                self.violates(violation)?;
            }
        }
        Ok(())
    }

    async fn delete_one(&mut self, of: usize) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
        let form = "DELETE of one resource at the same time";
        let path = self.resources[at].path.clone();
        let requests: Vec<Request> = (0..MANY).map(|_| request("DELETE", &path, None)).collect();
        let answers = self.ask_together(&requests).await?;
        let done = answers.iter().filter(|answer| answer.is_success()).count();
        if done == 0 {
            self.world.limit("DELETE of users");
            return Ok(());
        }
        if done > 1 {
            let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
            let why = format!(
                "{done} of {MANY} DELETEs were answered with success, where the resource was there once"
            );
            let violation = Violation {
                level: crate::requirement::Level::Should,
                ..Violation::new(Rule::SomeOrder, form, why)
                    .values(json!("one success"), json!(statuses))
                    .check(Expectation::OneSuccess(&[404, 410, 409, 412]))
            };
            self.violates(violation)?;
        }
        self.gone(at).await?;
        self.look_at_others(&[at], form).await?;
        self.look_at_memberships(form).await
    }
}
