//! What is looked at after each request.

use std::time::Duration;

use serde_json::{Value, json};

use crate::casing::lower_case;
use crate::explore::calibrate::values;
use crate::explore::check::{Check, Condition, Crowd, Expectation, Judged, WHOLE, When};
use crate::explore::operation::{Type, Write};
use crate::explore::rule::{Rule, Violation};
use crate::explore::session::late::late;
use crate::explore::session::{Session, Stop};
use crate::explore::value::{Choice, TEXTS, has_text};
use crate::explore::world::{query, request};
use crate::json::{get, is_absent, same};
use crate::requirement::Level;
use crate::server::discovery::resources;
use crate::subject::server::client::{Answer, Client};

/// A read after this time shows what caches and replicas say later.
const LATER: Duration = Duration::from_millis(350);

/// The request before a look at a resource.
#[derive(Debug, Clone, Copy)]
pub(super) struct After<'a> {
    /// The rule about what it stores.
    pub(super) rule: Rule,
    /// The kind of request, in words.
    pub(super) form: &'a str,
    /// The attributes that it wrote: the kind of write if it has several, and the choice of text, for telling what was damaged.
    pub(super) choices: &'a [Written<'a>],
    /// Whether the request was refused.
    pub(super) is_refused: bool,
}

/// An attribute that a request wrote.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written<'a> {
    pub(super) attribute: usize,
    pub(super) choice: Choice,
    /// The kind of request that wrote it, in words.
    pub(super) form: &'a str,
    /// How firmly its effect is demanded.
    pub(super) level: Level,
}

impl<'a> After<'a> {
    pub(super) fn new(rule: Rule, form: &'a str) -> Self {
        Self { rule, form, choices: &[], is_refused: false }
    }

    pub(super) fn refused(form: &'a str) -> Self {
        Self { rule: Rule::ErrorHasNoEffect, form, choices: &[], is_refused: true }
    }
}

/// Whether two representations of a resource are the same, meta aside.
pub(super) fn same_but_meta(a: &Value, b: &Value) -> bool {
    same(&without(a, &["meta"]), &without(b, &["meta"]))
}

pub(super) fn without(resource: &Value, names: &[&str]) -> Value {
    let mut rest = resource.clone();
    if let Some(members) = rest.as_object_mut() {
        members.retain(|name, _| !names.iter().any(|out| name.eq_ignore_ascii_case(out)));
    }
    rest
}

/// Returns the first member in which two resources differ, with both values.
pub(crate) fn difference(a: &Value, b: &Value) -> (String, Value, Value) {
    let names = |value: &Value| value.as_object().map(|all| all.keys().cloned().collect::<Vec<_>>());
    let (of_a, of_b) = (names(a).unwrap_or_default(), names(b).unwrap_or_default());
    for name in of_a.iter().chain(&of_b) {
        let (left, right) = (get(a, name).unwrap_or(&Value::Null), get(b, name).unwrap_or(&Value::Null));
        let is_both_absent = is_absent(Some(left)) && is_absent(Some(right));
        if !is_both_absent && !same(left, right) {
            return (name.clone(), left.clone(), right.clone());
        }
    }
    (WHOLE.to_owned(), a.clone(), b.clone())
}

impl Session<'_> {
    /// Reads a resource, and compares it with the model and with what the answer to the request before said. All else that shows
    /// it is compared with the read.
    pub(super) async fn look_at(
        &mut self,
        at: usize,
        answer: Option<&Answer>,
        after: After<'_>,
    ) -> Result<(), Stop> {
        let (path, name) = (self.resources[at].path.clone(), self.resources[at].name.clone());
        let read = self.ask(&request("GET", &path, None)).await?;
        if !read.is_success() {
            let why = format!("after {} a GET of the resource is answered {}", after.form, read.status);
            let violation = Violation::new(after.rule, after.form, why)
                .values(json!(200), json!(read.status))
                .check(Check::status(&["200"]));
            self.violates(violation)?;
            return Err(Stop::Ended);
        }
        let body = read.json.clone().unwrap_or_default();
        self.remember(at, after);
        self.look_at_id(at, &body, after).await?;
        self.compare_answer(at, answer, &body, after)?;
        // The model takes over what is read, so it comes last.
        self.compare_meta(at, &body, &read, after)?;
        self.compare_model(at, &body, after)?;
        let known = &mut self.resources[at];
        known.saw(&read, &body);
        known.read_at = std::time::Instant::now();
        if let Some(name) = get(&body, self.name_of(at)).and_then(Value::as_str) {
            name.clone_into(&mut self.resources[at].name);
        }
        // Once more, and by other ways.
        let again = self.ask(&request("GET", &path, None)).await?;
        let again_body = again.json.clone().unwrap_or_default();
        if !same(&body, &again_body) {
            let (member, first, second) = difference(&body, &again_body);
            let why =
                format!("two reads after {} differ in {member}, and nobody wrote between them", after.form);
            let check = Check::as_read(&path, "", &member, &first, When::Last);
            let violation = Violation::new(Rule::ReadsAgree, after.form, why)
                .about(member)
                .values(first, second)
                .may_check(check);
            self.violates(violation)?;
            self.adopt(at, &again_body);
        }
        self.look_up(at, &name, after).await
    }

    /// Returns the attribute that names a resource.
    pub(super) fn name_of(&self, at: usize) -> &'static str {
        match self.resources[at].kind {
            Type::User => "userName",
            Type::Group => "displayName",
        }
    }

    async fn look_at_id(&mut self, at: usize, body: &Value, after: After<'_>) -> Result<(), Stop> {
        let known = &self.resources[at];
        let id = get(body, "id").and_then(Value::as_str);
        if id != Some(known.id.as_str()) {
            let why = format!("after {} a GET by the id shows a resource with another id", after.form);
            let violation = Violation::new(Rule::OwnAnswer, after.form, why)
                .values(json!(known.id), json!(id))
                .check(Check::value("/id", json!(known.id)));
            return self.violates(violation);
        }
        let kind = get(body, "meta").and_then(|meta| get(meta, "resourceType")?.as_str());
        let wanted = &self.world.resource_type(known.kind).name;
        if kind.is_some_and(|kind| !kind.eq_ignore_ascii_case(wanted)) {
            let why = format!("after {} meta.resourceType names another type", after.form);
            let violation = Violation::new(Rule::MetaMoves, after.form, why)
                .about("meta.resourceType")
                .values(json!(wanted), json!(kind))
                .check(Check::value("/meta/resourceType", json!(wanted)));
            self.violates(violation)?;
        }
        let location = get(body, "meta").and_then(|meta| get(meta, "location")?.as_str());
        let elsewhere = location.map(|location| location.trim_end_matches('/')).filter(|location| {
            !location.ends_with(&format!("/{}", known.id))
                && !location.ends_with(&format!("/{}", Client::segment(&known.id)))
        });
        let id = known.id.clone();
        // A location need not end with the id (RFC 7643 §3.1).
        if let Some(location) = elsewhere
            && !self.leads_to(location, &id).await?
        {
            let known = &self.resources[at];
            let why = format!("after {} meta.location does not lead to the resource", after.form);
            let violation = Violation::new(Rule::IdStays, after.form, why)
                .about("meta.location")
                .values(json!(known.path), json!(location))
                .check(Check::value("/id", json!(id)).of(Judged::Location(known.path.clone())));
            return self.violates(violation);
        }
        Ok(())
    }

    /// Whether a GET of a location shows the resource with an id.
    async fn leads_to(&mut self, location: &str, id: &str) -> Result<bool, Stop> {
        let Some(path) = self.world.client.below(location) else { return Ok(false) };
        let read = self.ask(&request("GET", &path, None)).await?;
        let shown = read.json.as_ref().filter(|_| read.is_success());
        Ok(shown.and_then(|body| get(body, "id")?.as_str()) == Some(id))
    }

    fn compare_answer(
        &self,
        at: usize,
        answer: Option<&Answer>,
        read: &Value,
        after: After<'_>,
    ) -> Result<(), Stop> {
        let Some(body) = answer.filter(|answer| answer.is_success()).and_then(|answer| answer.json.as_ref())
        else {
            return Ok(());
        };
        // An answer that shows a part only is another matter.
        if get(body, "id").is_none() || same_but_meta(body, read) {
            return Ok(());
        }
        let (member, said, is) = difference(&without(body, &["meta"]), &without(read, &["meta"]));
        let why = format!("the answer to {} and the read after it differ in {member}", after.form);
        let violation = Violation::new(Rule::AnswerIsRead, after.form, why)
            .about(member)
            .values(said, is)
            .check(Expectation::AsAnswered(self.resources[at].path.clone()));
        self.violates(violation)
    }

    fn compare_model(&mut self, at: usize, body: &Value, after: After<'_>) -> Result<(), Stop> {
        let defaults = std::mem::take(&mut self.resources[at].defaults);
        let known = &self.resources[at];
        let attributes = self.attributes(known.kind);
        let mut ignored: Vec<usize> =
            defaults.into_iter().filter(|index| known.expected.get(*index).is_none()).collect();
        while let Some((index, actual)) =
            known.expected.differs(attributes, body, |index| ignored.contains(&index))
        {
            let attribute = &attributes[index];
            let expected = known.expected.get(index).cloned().unwrap_or_default();
            let written = after.choices.iter().rfind(|written| written.attribute == index);
            let kind = written.map(|written| written.choice.kind());
            // What does not depend on the number of operations is told, and shrunk, as one.
            let form = written.map_or(after.form, |written| written.form);
            let path = attribute.path();
            // Values that are missing or too many were not damaged for their text.
            let length = |value: Option<&Value>| value.and_then(Value::as_array).map(Vec::len);
            let is_whole =
                actual.is_some() && length(actual) == length(Some(&expected)) && has_text(attribute);
            let damaged = kind.filter(|kind| kind.word != TEXTS[0].word && is_whole);
            let (about, level) = match damaged {
                Some(kind) => (format!("{path} {}", kind.word), kind.level),
                None => (path.clone(), written.map_or(Level::Must, |written| written.level)),
            };
            let what = if after.is_refused {
                format!("{form} was refused, and changed {path}")
            } else if actual.is_none() {
                format!("after {form} there is no {path}")
            } else if known.expected.get(index).is_none() {
                format!("after {form} {path} has a value that should be gone")
            } else {
                format!("after {form} {path} has another value")
            };
            let check = Check::like(&attribute.pointer(), expected.clone(), actual.unwrap_or(&Value::Null));
            let violation = Violation {
                level,
                ..Violation::new(after.rule, form, what)
                    .about(about)
                    .values(expected, actual.cloned().unwrap_or_default())
                    .check(check)
            };
            let late = actual.filter(|_| written.is_none()).and_then(|actual| {
                late(known.earlier_writes(), &path, known.expected.get(index).unwrap_or(&Value::Null), actual)
            });
            self.violates(violation.or_late(late))?;
            ignored.push(index);
        }
        let name = self.name_of(at);
        let actual = get(body, name).and_then(Value::as_str);
        if actual != Some(known.name.as_str()) {
            let why = format!("after {} {name} has another value", after.form);
            let violation = Violation::new(after.rule, after.form, why)
                .about(name)
                .values(json!(known.name), json!(actual))
                .check(Check::value(format!("/{name}"), json!(known.name)));
            self.violates(violation)?;
        }
        if let Some(external_id) = &known.external_id {
            let actual = get(body, "externalId").and_then(Value::as_str);
            if actual != Some(external_id.as_str()) {
                let why = format!("after {} externalId has another value", after.form);
                let violation = Violation::new(after.rule, after.form, why)
                    .about("externalId")
                    .values(json!(external_id), json!(actual))
                    .check(Check::value("/externalId", json!(external_id)));
                self.violates(violation)?;
            }
        }
        if let Some(manager) = known.manager.as_deref() {
            let actual = self.world.manager_in(body);
            if actual != Some(manager) {
                let why = format!("after {} the manager is another", after.form);
                let urn = self.world.enterprise().map_or("", String::as_str);
                let violation = Violation::new(after.rule, after.form, why)
                    .about("manager")
                    .values(json!(manager), json!(actual))
                    .check(Check::value(format!("/{urn}/manager/value"), json!(manager)));
                self.violates(violation)?;
            }
        }
        self.compare_members(at, body, after)?;
        self.adopt(at, body);
        Ok(())
    }

    /// Takes what a resource is for what it should be: a violation is told once.
    pub(super) fn adopt(&mut self, at: usize, body: &Value) {
        let attributes = match self.resources[at].kind {
            Type::User => &self.world.attributes,
            Type::Group => &self.world.group_attributes,
        };
        let expected = crate::explore::model::Expected::of_body(attributes, body);
        let ids: Vec<&str> = values(body, "members").collect();
        let members = self
            .resources
            .iter()
            .enumerate()
            .filter(|(_, one)| one.kind == Type::User && ids.contains(&one.id.as_str()))
            .map(|(index, _)| index)
            .collect();
        let text = |name| get(body, name).and_then(Value::as_str).map(ToOwned::to_owned);
        let name = text(self.name_of(at));
        let manager = self.world.manager_in(body).map(ToOwned::to_owned);
        let known = &mut self.resources[at];
        known.manager = known.manager.take().and(manager);
        known.expected = expected;
        known.seen = body.clone();
        if known.external_id.is_some() {
            known.external_id = text("externalId").or_else(|| known.external_id.take());
        }
        if let Some(name) = name {
            known.name = name;
        }
        if known.kind == Type::Group && self.world.can.members {
            known.members = members;
        }
    }

    /// Looks a resource up by its name, and compares what the list shows with the read.
    async fn look_up(&mut self, at: usize, name: &str, after: After<'_>) -> Result<(), Stop> {
        let kind = self.resources[at].kind;
        let can = match kind {
            Type::User => self.world.can.look_up,
            Type::Group => self.world.can.group_look_up,
        };
        if !can {
            return Ok(());
        }
        let read_at = self.exchanges.len() - 1;
        let mut filters = vec![(self.name_of(at), json!(name), after.form)];
        if kind == Type::User && self.world.can.names_without_case && after.rule == Rule::CreateStores {
            filters.push(("userName in another case", json!(name.to_ascii_uppercase()), "GET with a filter"));
        }
        if let Some(external_id) =
            self.resources[at].external_id.as_ref().filter(|_| self.created.is_multiple_of(2))
        {
            filters.push(("externalId", json!(external_id), after.form));
        }
        for (by, value, form) in filters {
            let endpoint = self.endpoint(kind).to_owned();
            let attribute = by.split(' ').next().unwrap_or(by);
            let filter = format!("{attribute} eq {value}");
            let listed = self.ask(&query(&endpoint, &[("filter", &filter)])).await?;
            let Some(body) = listed.json.as_ref().filter(|_| listed.is_success()) else { continue };
            let known_id = self.resources[at].id.clone();
            if self.lists_a_deleted("GET with a filter", body, || Check::lists(vec![known_id]))? {
                continue;
            }
            let found: Vec<&Value> = resources(body).iter().collect();
            let id = self.resources[at].id.clone();
            let own = found.iter().find(|one| get(one, "id").and_then(Value::as_str) == Some(id.as_str()));
            let Some(own) = own.filter(|_| found.len() == 1) else {
                let why = format!(
                    "after {} a filter by {by} finds {} resources, where the one belongs",
                    form,
                    found.len()
                );
                let ids: Vec<_> =
                    found.iter().map(|one| get(one, "id").cloned().unwrap_or_default()).collect();
                let crowd = self.crowd(kind, ids.iter().filter_map(Value::as_str));
                // No request sent another name than those of the sequence.
                let is_sent =
                    value.as_str().is_some_and(|text| lower_case(text).contains(&lower_case(&self.unique)));
                let shown = Expectation::At(format!("/{attribute}"), Condition::Equals(value));
                let premise = (!is_sent).then_some((read_at, shown));
                let violation = Violation::new(Rule::FilterFinds, form, why)
                    .about(by)
                    .values(json!([id]), json!(ids))
                    .check(Check { crowd, premise, ..Check::lists(vec![id]) });
                self.violates(violation)?;
                continue;
            };
            let version = get(own, "meta").and_then(|meta| get(meta, "version")?.as_str());
            let read = &self.resources[at].seen;
            let known = get(read, "meta").and_then(|meta| get(meta, "version")?.as_str());
            if version.is_some() && known.is_some() && version != known {
                let why = format!("after {form} the list shows another version than the read");
                let violation = Violation::new(Rule::ListAgrees, form, why)
                    .about("meta.version")
                    .values(json!(known), json!(version))
                    .may_check(self.listed_as_read(at, "meta.version", &json!(known)));
                self.violates(violation)?;
            }
            let seen = &self.resources[at].seen;
            if !same_but_meta(own, seen) {
                let (member, read, list) = difference(&without(seen, &["meta"]), &without(own, &["meta"]));
                let why = format!("after {form} the list shows another {member} than the read");
                let check = self.listed_as_read(at, &member, &read);
                let violation = Violation::new(Rule::ListAgrees, form, why)
                    .about(member)
                    .values(read, list)
                    .may_check(check);
                self.violates(violation)?;
            }
        }
        Ok(())
    }

    /// Returns the resources of others that a case needs, if there are such among these.
    pub(super) fn crowd<'i>(&self, kind: Type, mut ids: impl Iterator<Item = &'i str>) -> Option<Crowd> {
        let is_other = ids.any(|id| self.resources.iter().all(|known| known.id != id));
        is_other.then(|| Crowd {
            resource_type: self.world.resource_type(kind).name.clone(),
            count: 1,
            has_deleted: false,
        })
    }

    /// Returns the check that the list of the resources with a resource's name shows it as a read does.
    fn listed_as_a_read_says(&self, at: usize) -> Check {
        Check::status(&["200"]).of(Judged::ReadAndList(self.resources[at].path.clone()))
    }

    /// Returns the check that a member of a resource in a list is what the last read of the resource showed.
    pub(super) fn listed_as_read(
        &self,
        at: usize,
        member: &str,
        read: &Value,
    ) -> Result<Check, &'static str> {
        let known = &self.resources[at];
        if is_absent(Some(read)) {
            return Ok(self.listed_as_a_read_says(at));
        }
        Check::as_read(&known.path, &format!("/Resources/id={}", known.id), member, read, When::Last)
    }

    /// Reads all resources that a request did not address.
    pub(super) async fn look_at_others(&mut self, touched: &[usize], form: &str) -> Result<(), Stop> {
        for at in 0..self.resources.len() {
            if touched.contains(&at) || self.resources[at].is_deleted {
                continue;
            }
            let path = self.resources[at].path.clone();
            let read = self.ask(&request("GET", &path, None)).await?;
            let body = read.json.clone().unwrap_or_default();
            // Groups of users follow the groups, and members the users.
            let touches_groups = touched.iter().any(|at| self.resources[*at].kind == Type::Group);
            let ignored: &[&str] = match self.resources[at].kind {
                Type::User if touches_groups => &["groups", "meta"],
                Type::User => &["groups"],
                Type::Group => &["members", "meta"],
            };
            let seen = &self.resources[at].seen;
            if read.is_success() && same(&without(seen, ignored), &without(&body, ignored)) {
                self.resources[at].saw(&read, &body);
                continue;
            }
            let (member, before, now) = if read.is_success() {
                difference(&without(seen, ignored), &without(&body, ignored))
            } else {
                (WHOLE.to_owned(), json!(200), json!(read.status))
            };
            let late = late(&self.resources[at].writes, &member, &before, &now);
            let check = if read.is_success() {
                Check::as_read(&path, "", &member, &before, When::BeforeWrite)
            } else {
                Ok(Check::status(&["200"]))
            };
            let why = format!("{form} of another resource changed {member}");
            let violation = Violation::new(Rule::OthersStay, form, why)
                .about(member)
                .values(before, now)
                .may_check(check);
            self.violates(violation.or_late(late))?;
            if read.is_success() {
                self.adopt(at, &body);
            } else {
                self.resources[at].is_deleted = true;
            }
        }
        Ok(())
    }

    /// Looks at everything after a while, and writes: times must have moved.
    pub(super) async fn look_later(&mut self) -> Result<(), Stop> {
        tokio::time::sleep(LATER).await;
        self.waited.push((self.exchanges.len(), LATER));
        self.look_at_all_as("a while").await?;
        let with = if self.world.scope.patch && self.created.is_multiple_of(2) {
            Write::PatchWithPath
        } else {
            Write::Put
        };
        self.rename(0, with).await
    }

    pub(super) async fn look_at_all(&mut self) -> Result<(), Stop> {
        self.look_at_all_as("the last request").await
    }

    async fn look_at_all_as(&mut self, form: &str) -> Result<(), Stop> {
        for at in 0..self.resources.len() {
            let path = self.resources[at].path.clone();
            let read = self.ask(&request("GET", &path, None)).await?;
            if self.resources[at].is_deleted {
                if read.is_success() {
                    let why = format!("after {form} a deleted resource can be read");
                    self.violates(
                        Violation::new(Rule::DeletedIsGone, form, why).check(Check::status(&["404"])),
                    )?;
                }
                continue;
            }
            let body = read.json.clone().unwrap_or_default();
            let bare = |resource: &Value| without(resource, &["groups", "members", "meta"]);
            let (seen, now) = (bare(&self.resources[at].seen), bare(&body));
            if !read.is_success() || !same(&seen, &now) {
                let (member, before, now) = difference(&seen, &now);
                let late = late(&self.resources[at].writes, &member, &before, &now);
                let check = if read.is_success() {
                    Check::as_read(&path, "", &member, &before, When::Last)
                } else {
                    Ok(Check::status(&["200"]))
                };
                let why = format!("after {form} a resource reads otherwise, and nobody wrote it");
                let violation = Violation::new(Rule::ReadsAgree, form, why)
                    .about(member)
                    .values(before, now)
                    .may_check(check);
                self.violates(violation.or_late(late))?;
            } else {
                self.resources[at].seen = body;
            }
        }
        self.look_at_memberships(form).await?;
        self.list_of_the_living().await
    }
}
