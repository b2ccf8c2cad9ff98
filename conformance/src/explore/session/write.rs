//! Creating, replacing, changing, renaming and deleting.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::{Value, json};

use crate::explore::attributes::Shape;
use crate::explore::check::{Check, Condition, Judged};
use crate::explore::model::Expected;
use crate::explore::operation::{Setting, Type, Write};
use crate::explore::rule::{Rule, Violation};
use crate::explore::session::checks::{After, Written};
use crate::explore::session::{Resource, Session, Stop, leads_to};
use crate::explore::value::Choice;
use crate::explore::world::{BULK, PATCH_OP, World, patch, post, request};
use crate::json::get;
use crate::requirement::Level;
use crate::subject::server::client::{Answer, Request};

fn written<'a>(values: &[(usize, Value, Choice)], form: &'a str) -> Vec<Written<'a>> {
    values
        .iter()
        .map(|(attribute, _, choice)| Written {
            attribute: *attribute,
            choice: *choice,
            form,
            level: Level::Must,
        })
        .collect()
}

/// Returns a request that sets one attribute of the resource at a path; a PUT has the whole resource besides.
pub(super) fn set_attribute(
    path: &str,
    name: &str,
    value: &Value,
    with: Write,
    whole: impl FnOnce() -> Value,
) -> Request {
    let operation = json!([{ "op": "replace", "path": name, "value": value }]);
    match with {
        Write::PatchWithPath => patch(path, &operation),
        Write::PatchWithoutPath => patch(path, &json!([{ "op": "replace", "value": { name: value } }])),
        Write::Put => {
            let mut body = whole();
            body[name] = value.clone();
            request("PUT", path, Some(&body))
        }
        Write::Bulk => {
            let data = json!({ "schemas": [PATCH_OP], "Operations": operation });
            let operations = json!([{ "method": "PATCH", "path": path, "data": data }]);
            post("/Bulk", &json!({ "schemas": [BULK], "Operations": operations }))
        }
    }
}

impl Session<'_> {
    /// Returns values for settings: the first of each attribute.
    fn values_of(&self, kind: Type, settings: &[Setting]) -> Vec<(usize, Value, Choice)> {
        let mut seen = BTreeSet::new();
        let attributes = self.attributes(kind);
        settings
            .iter()
            .filter(|setting| setting.attribute < attributes.len() && seen.insert(setting.attribute))
            .map(|setting| {
                (setting.attribute, setting.choice.value(&attributes[setting.attribute]), setting.choice)
            })
            .collect()
    }

    /// Adds a created resource to the model. Returns its place.
    pub(super) fn add(
        &mut self,
        kind: Type,
        body: &Value,
        answer: &Answer,
        form: &str,
    ) -> Result<Option<usize>, Stop> {
        let known = self.world.resource_type(kind);
        let Some((path, id)) = World::path_of(known, answer) else {
            let why = format!("the answer to {form} has no id");
            let violation = Violation::new(Rule::AnswerIsRead, form, why).about("id");
            self.violates(violation.check(Check::at("/id", Condition::IsPresent)))?;
            return Ok(None);
        };
        if let Some(other) = self.resources.iter().find(|other| other.id == id) {
            let why = format!("{form} was answered with the id of another resource");
            let violation = Violation::new(Rule::OwnAnswer, form, why)
                .about("id")
                .values(json!("a new id"), json!(other.id))
                .check(Check::at("/id", Condition::Differs(json!(other.id))));
            self.violates(violation)?;
            return Ok(None);
        }
        let location = answer.header("location");
        if location.is_some_and(|location| !leads_to(location, &path)) {
            let why = format!("the Location of {form} does not lead to the resource");
            let violation = Violation::new(Rule::IdStays, form, why)
                .about("Location")
                .values(json!(path), json!(location))
                .check(Check::value("/id", json!(id)).of(Judged::Location(path.clone())));
            self.violates(violation)?;
        }
        let text = |name| get(body, name).and_then(Value::as_str).map(ToOwned::to_owned);
        let name = match kind {
            Type::User => text("userName"),
            Type::Group => text("displayName"),
        };
        let expected = Expected::of_body(self.attributes(kind), body);
        let defaults =
            self.world.defaults.iter().filter(|at| kind == Type::User && expected.get(**at).is_none());
        self.resources.push(Resource {
            defaults: defaults.copied().collect(),
            kind,
            id,
            path,
            name: name.unwrap_or_default(),
            external_id: text("externalId").filter(|_| kind == Type::User && self.world.can.external_id),
            expected,
            members: BTreeSet::new(),
            seen: Value::Null,
            etag: None,
            earlier: None,
            manager: None,
            ghosts: BTreeSet::new(),
            writes: Vec::new(),
            read_at: Instant::now(),
            is_deleted: false,
        });
        Ok(Some(self.resources.len() - 1))
    }

    pub(super) async fn create_user(&mut self, settings: &[Setting]) -> Result<(), Stop> {
        let unique = self.next_unique();
        let values = self.values_of(Type::User, settings);
        let pairs: Vec<_> = values.iter().map(|(at, value, _)| (*at, value.clone())).collect();
        let body = self.world.new_user(&unique, &pairs);
        let answer = self.ask(&post(&self.world.user.endpoint, &body)).await?;
        if !answer.is_success() {
            return self.creation_refused(&values, &answer).await;
        }
        let choices = written(&values, "POST");
        self.created_user(&body, &answer, "POST", &choices).await
    }

    pub(super) async fn created_user(
        &mut self,
        body: &Value,
        answer: &Answer,
        form: &str,
        choices: &[Written<'_>],
    ) -> Result<(), Stop> {
        let Some(at) = self.add(Type::User, body, answer, form)? else { return Ok(()) };
        let after = After { choices, ..After::new(Rule::CreateStores, form) };
        self.look_at(at, Some(answer), after).await?;
        self.look_at_others(&[at], form).await
    }

    /// Returns the resource as a client sends it back, which has the reserved members too.
    fn to_send(&self, at: usize) -> Value {
        self.resources[at].seen.clone()
    }

    pub(super) async fn replace(
        &mut self,
        of: usize,
        settings: &[Setting],
        is_whole: bool,
    ) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
        let values = self.values_of(Type::User, settings);
        let pairs: Vec<_> = values.iter().map(|(at, value, _)| (*at, value.clone())).collect();
        let form = if is_whole { "PUT" } else { "PUT of some attributes" };
        let mut body = if is_whole { self.to_send(at) } else { self.world.new_user(&self.unique, &[]) };
        body["userName"] = json!(self.resources[at].name);
        if let Some(external_id) = &self.resources[at].external_id {
            body["externalId"] = json!(external_id);
        }
        for (index, value) in &pairs {
            self.world.attributes[*index].set_in(&mut body, value.clone());
        }
        let path = self.resources[at].path.clone();
        let answer = self.ask(&request("PUT", &path, Some(&body))).await?;
        if !is_whole {
            self.resources[at].manager = None;
        }
        if !answer.is_success() {
            self.put_refused(&values, is_whole, &answer).await?;
            self.look_at(at, None, After::refused(form)).await?;
            return self.look_at_others(&[at], form).await;
        }
        let sent = Expected::of_body(&self.world.attributes, &body);
        let before = std::mem::take(&mut self.resources[at].expected);
        let read = self.ask(&request("GET", &path, None)).await?;
        let now = read.json.unwrap_or_default();
        let mut expected = sent.clone();
        for (index, attribute) in self.world.attributes.iter().enumerate() {
            if sent.get(index).is_some() || before.get(index).is_none() {
                continue;
            }
            let actual = attribute.value_in(&now);
            // A server may set a default, which nobody can know beforehand (RFC 7644 §3.5.1).
            let is_kept = attribute.holds(before.get(index), actual);
            if self.world.defaults.contains(&index) {
                expected.set(index, actual.cloned());
                continue;
            }
            let clears = self.world.put_clears(index, !is_kept);
            match (clears, &attribute.shape) {
                (false, _) => expected.set(index, before.get(index).cloned()),
                (true, Shape::Single(_)) if actual.is_some() && !is_kept => {
                    expected.set(index, actual.cloned());
                }
                (true, _) => {}
            }
        }
        self.resources[at].expected = expected;
        let choices = written(&values, form);
        let after = After { choices: &choices, ..After::new(Rule::ReplaceStores, form) };
        self.look_at(at, Some(&answer), after).await?;
        self.look_at_others(&[at], form).await
    }

    /// Returns a request that sets one attribute of a resource, and its kind in words.
    pub(super) fn setting(
        &self,
        at: usize,
        name: &str,
        value: &Value,
        with: Write,
    ) -> (Request, &'static str) {
        let words = match with {
            Write::PatchWithPath => "PATCH with a path",
            Write::PatchWithoutPath => "PATCH without a path",
            Write::Put => "PUT",
            Write::Bulk => "PATCH in a bulk request",
        };
        (set_attribute(&self.resources[at].path, name, value, with, || self.to_send(at)), words)
    }

    /// Returns the rule about what a write leaves.
    pub(super) fn stores(with: Write) -> Rule {
        match with {
            Write::Put => Rule::ReplaceStores,
            Write::PatchWithPath | Write::PatchWithoutPath | Write::Bulk => Rule::PatchStores,
        }
    }

    /// Whether the answer says that the one write of a request was done.
    pub(super) fn is_done(with: Write, answer: &Answer) -> bool {
        Self::status_of(with, answer) / 100 == 2
    }

    /// Returns the status of the one write of a request.
    pub(super) fn status_of(with: Write, answer: &Answer) -> u16 {
        if with != Write::Bulk || !answer.is_success() {
            return answer.status;
        }
        let operations = answer.json.as_ref().and_then(|body| get(body, "Operations")?.as_array());
        operations.and_then(|all| all.first()).map_or(0, super::bulk::status_of)
    }

    /// Returns the check of the status of the one write of a request.
    pub(super) fn status_check(with: Write, wanted: &'static str) -> Check {
        match with {
            Write::Bulk => Check::at("/Operations/0/status", Condition::SaysStatus(vec![wanted])),
            Write::PatchWithPath | Write::PatchWithoutPath | Write::Put => Check::status(&[wanted]),
        }
    }

    /// Returns the answer if it is about the one resource of the request.
    pub(super) fn own(with: Write, answer: &Answer) -> Option<&Answer> {
        (with != Write::Bulk).then_some(answer)
    }

    pub(super) async fn rename(&mut self, of: usize, with: Write) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
        let unique = self.next_unique();
        let name = self.world.blank.user_name(&unique);
        let (request, words) = self.setting(at, "userName", &json!(name), with);
        let words = format!("a rename by {words}");
        let answer = self.ask(&request).await?;
        if !Self::is_done(with, &answer) {
            let form = format!("userName cannot be changed by {words}");
            self.refused_name(&form, (with, "-n"), &words, &answer).await?;
            self.look_at(at, None, After::refused(&words)).await?;
            return Ok(());
        }
        let old = std::mem::replace(&mut self.resources[at].name, name);
        self.given_up.push(old.clone());
        self.look_at(at, Self::own(with, &answer), After::new(Self::stores(with), &words)).await?;
        self.finds_nobody(&old, &words).await?;
        self.look_at_others(&[at], &words).await
    }

    pub(super) async fn delete(&mut self, of: usize, is_group: bool) -> Result<(), Stop> {
        let kind = if is_group { Type::Group } else { Type::User };
        let Some(at) = self.pick(kind, of) else { return Ok(()) };
        let path = self.resources[at].path.clone();
        let answer = self.ask(&request("DELETE", &path, None)).await?;
        let form = "DELETE";
        if !answer.is_success() {
            self.world.limit(&format!("DELETE {} is answered {}", self.endpoint(kind), answer.status));
            return self.look_at(at, None, After::refused(form)).await;
        }
        self.gone(at).await?;
        self.look_at_others(&[at], form).await?;
        self.look_at_memberships(form).await
    }

    /// Takes a resource out of the model, and looks whether it is gone.
    pub(super) async fn gone(&mut self, at: usize) -> Result<(), Stop> {
        let form = "DELETE";
        self.resources[at].is_deleted = true;
        let id = self.resources[at].id.clone();
        for known in &mut self.resources {
            if known.members.remove(&at) {
                known.ghosts.insert(at);
            }
            // Whether a deleted manager stays is the server's business.
            known.manager = known.manager.take().filter(|manager| *manager != id);
        }
        let (path, name, kind) =
            (self.resources[at].path.clone(), self.resources[at].name.clone(), self.resources[at].kind);
        let read = self.ask(&request("GET", &path, None)).await?;
        if !matches!(read.status, 404 | 410) {
            let why = format!("a GET of a deleted resource is answered {}", read.status);
            let violation = Violation::new(Rule::DeletedIsGone, form, why)
                .about("GET")
                .values(json!(404), json!(read.status))
                .check(Check::status(&["404"]));
            self.violates(violation)?;
        }
        let writes = [
            ("DELETE", request("DELETE", &path, None)),
            ("PATCH", patch(&path, &json!([{ "op": "replace", "path": self.name_of(at), "value": name }]))),
        ];
        for (method, write) in writes.into_iter().take(if self.world.scope.patch { 2 } else { 1 }) {
            let answer = self.ask(&write).await?;
            if answer.is_success() {
                let why = format!("a {method} of a deleted resource is answered {}", answer.status);
                let violation = Violation::new(Rule::DeletedIsGone, form, why)
                    .about(method)
                    .values(json!(404), json!(answer.status))
                    .check(Check::status(&["404"]));
                self.violates(violation)?;
            }
        }
        if kind == Type::User {
            self.finds_nobody(&name, form).await?;
            self.given_up.push(name);
        }
        Ok(())
    }

    /// Keeps one of several values, without any other change.
    pub(super) async fn keep_one(&mut self, of: usize, with: Write) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
        let attributes = self.world.attributes.iter().enumerate();
        let several = attributes.filter(|(_, known)| known.extension.is_none()).find_map(|(index, known)| {
            let all = known.value_in(&self.resources[at].seen)?.as_array()?;
            Some((index, all.get(1)?.clone()))
        });
        let Some((index, kept)) = several else { return Ok(()) };
        let name = self.world.attributes[index].name.clone();
        let (request, words) = self.setting(at, &name, &json!([kept]), with);
        let words = format!("{words} that keeps one of several values");
        let answer = self.ask(&request).await?;
        if Self::is_done(with, &answer) {
            self.resources[at].expected.set(index, Some(json!([kept])));
            let rule = Self::stores(with);
            self.look_at(at, Self::own(with, &answer), After::new(rule, &words)).await?;
        } else {
            self.world.limit(&format!("{words}: {name}"));
            self.look_at(at, None, After::refused(&words)).await?;
        }
        self.look_at_others(&[at], &words).await
    }

    /// Gives a user a manager, whom later writes of other attributes keep.
    pub(super) async fn set_manager(&mut self, of: usize, to: usize) -> Result<(), Stop> {
        let world = self.world;
        let (Some(at), Some(other)) = (self.pick(Type::User, of), self.pick(Type::User, to)) else {
            return Ok(());
        };
        let Some(urn) = world.enterprise().filter(|_| world.can.manager) else { return Ok(()) };
        let id = self.resources[other].id.clone();
        let mut body = self.to_send(at);
        body[urn.as_str()]["manager"] = json!({ "value": id });
        crate::server::blank::list_extensions(&mut body);
        let form = "PUT of a manager";
        let answer = self.ask(&request("PUT", &self.resources[at].path.clone(), Some(&body))).await?;
        if answer.is_success() {
            self.resources[at].manager = Some(id);
            self.look_at(at, Some(&answer), After::new(Rule::ReplaceStores, form)).await?;
        } else {
            world.limit(&format!("{form} is answered {}", answer.status));
            self.look_at(at, None, After::refused(form)).await?;
        }
        self.look_at_others(&[at], form).await
    }

    pub(super) async fn set_password(&mut self, of: usize, number: usize) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
        self.has_secret = true;
        let secret = format!("{}{number}", self.world.secret);
        let with = [Write::PatchWithPath, Write::PatchWithoutPath, Write::Put][number % 3];
        let with = if self.world.scope.patch { with } else { Write::Put };
        let (request, words) = self.setting(at, "password", &json!(secret), with);
        let words = format!("{words} of the password");
        let answer = self.ask(&request).await?;
        let after =
            if answer.is_success() { After::new(Self::stores(with), &words) } else { After::refused(&words) };
        self.look_at(at, answer.is_success().then_some(&answer), after).await
    }
}
