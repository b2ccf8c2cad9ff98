//! Resources that are looked at again: those that a step must not change, and what the reads and the list after it say.

use serde_json::Value;

use crate::case::capability::{Capability, Feature};
use crate::case::step::{Action, Step};
use crate::json::{get, is_absent, same};
use crate::requirement::{Level, Shared};
use crate::server::discovery::{Met, resources};
use crate::server::judge::{Miss, differing};
use crate::server::runner::{End, Player};
use crate::subject::server::bounded::{Bound, bounded};
use crate::subject::server::client::{Answer, Request};

/// Reads after an answer: a second one may come from elsewhere.
const READS: usize = 2;

impl Player<'_> {
    /// Reads the resources that a step must not change.
    pub(super) async fn snapshots(&mut self, step: &Step) -> Result<Vec<(String, Value)>, End> {
        let names: Vec<_> = step.untouched.iter().flat_map(|name| self.bindings.expand(name)).collect();
        let mut before = Vec::with_capacity(names.len());
        for name in names {
            let answer = self.look(step, &name).await?;
            let Some(json) = answer.json.filter(|_| answer.status == 200) else {
                let what = self.bindings.describe(&name);
                return Err(End::Skipped(format!("it could not be tried: {what} cannot be read before it")));
            };
            before.push((name, json));
        }
        Ok(before)
    }

    /// Judges whether the resources are what they were, `meta` included.
    pub(super) async fn are_untouched(
        &mut self,
        step: &Step,
        before: Vec<(String, Value)>,
    ) -> Result<(), End> {
        for (name, before) in before {
            let answer = self.look(step, &name).await?;
            let now = answer.json.filter(|_| answer.status == 200).unwrap_or_default();
            if same(&before, &now) {
                continue;
            }
            let what = self.bindings.describe(&name);
            let (expected, actual) = differing(&before, &now);
            let why = if now.is_null() {
                format!(
                    "{what} cannot be read any more ({}), though the request is about another resource",
                    answer.status
                )
            } else {
                format!("{what} changed, though the request is about another resource, or was refused")
            };
            self.miss(step, Miss::new(self.level, what, expected, actual, why), &before)?;
        }
        Ok(())
    }

    /// Judges whether the reads, and the list, say what the answer to a step said.
    pub(super) async fn agree(&mut self, step: &Step) -> Result<(), End> {
        let mut shown = self.shown.take();
        if step.reads_agree {
            for number in 1..=READS {
                let answer = self.look(step, &step.name).await?;
                if answer.status == 200 && answer.json.is_none() {
                    let why = "the body is no JSON".to_owned();
                    let mut miss =
                        Miss::new(self.level, "body".to_owned(), Value::from("JSON"), Value::Null, why);
                    miss.shared = Some(Shared::Json);
                    return self.miss(step, miss, &shown.unwrap_or_default());
                }
                let read = answer.json.filter(|_| answer.status == 200).unwrap_or_default();
                let wanted = shown.get_or_insert_with(|| read.clone());
                self.leave_out_unread(wanted, &read);
                if !same(wanted, &read) {
                    let (expected, actual) = differing(wanted, &read);
                    let which = if number == 1 { "the next read" } else { "the second read after it" };
                    let why = format!(
                        "{which} says something else than the answer, though nothing was sent in between"
                    );
                    let wanted = wanted.clone();
                    self.miss(step, Miss::new(self.level, which.to_owned(), expected, actual, why), &wanted)?;
                }
            }
        }
        if step.list_agrees && self.context.facts.feature(Feature::Filter) != Some(false) {
            self.list_agrees(step).await?;
        }
        Ok(())
    }

    async fn list_agrees(&mut self, step: &Step) -> Result<(), End> {
        let answer = self.look(step, &step.name).await?;
        let Some(read) = answer.json.filter(|_| answer.status == 200) else { return Ok(()) };
        let Some(endpoint) = self.endpoint(&step.name) else { return Ok(()) };
        let name = ["userName", "displayName"]
            .into_iter()
            .find(|name| get(&read, name).is_some_and(Value::is_string));
        let Some(name) = name else { return Ok(()) };
        let value = get(&read, name).cloned().unwrap_or_default();
        let request = Request {
            step: format!("list after: {}", step.label),
            method: "GET".to_owned(),
            path: endpoint,
            query: vec![("filter".to_owned(), format!("{name} eq {value}"))],
            ..Request::default()
        };
        let answer = self.ask(step, &request).await?;
        self.seen.clear();
        let list = answer.json.filter(|_| answer.status == 200).unwrap_or_default();
        if get(&list, "Resources").is_none() {
            // Other cases tell that there is no list.
            return Ok(());
        }
        let is_it = |resource: &&Value| get(resource, "id") == get(&read, "id");
        let listed = resources(&list).iter().find(is_it).cloned().unwrap_or_default();
        if !same(&read, &listed) {
            let (expected, actual) = differing(&read, &listed);
            let why = "the list says something else than the read just before it".to_owned();
            self.miss(step, Miss::new(self.level, "the list".to_owned(), expected, actual, why), &read)?;
        }
        Ok(())
    }

    /// Takes out of a resource what an answer to a write shows, and a read does not: attributes that are returned on
    /// request alone (RFC 7643 §2.2).
    fn leave_out_unread(&self, wanted: &mut Value, read: &Value) {
        let Some(members) = wanted.as_object_mut() else { return };
        let types = &self.context.facts.resource_types;
        members.retain(|name, _| {
            let on_request = |kind: &str| {
                let path = vec![name.clone()];
                let says = |value: &str| Some(("returned".to_owned(), value.to_owned()));
                let met = |characteristic| {
                    let need =
                        Capability::Schema { name: kind.to_owned(), path: path.clone(), characteristic };
                    self.context.facts.met(&need) == Met::Yes
                };
                // Silence fits any characteristic.
                met(says("request")) && !met(says("default"))
            };
            !is_absent(get(read, name)) || !types.iter().any(|known| on_request(&known.name))
        });
    }

    /// Reads a resource, in a request of the harness's own.
    async fn look(&mut self, step: &Step, name: &str) -> Result<Answer, End> {
        let request = Request {
            step: format!(
                "{}: {}",
                if matches!(step.action, Action::Read(_)) { "read again" } else { "look" },
                step.label
            ),
            method: "GET".to_owned(),
            path: self.path(name)?,
            ..Request::default()
        };
        let answer = self.ask(step, &request).await?;
        self.seen.clear();
        Ok(answer)
    }

    /// Notes a miss of a step, with the resource that would have passed, and ends the case with it if it is one of a MUST.
    fn miss(&mut self, step: &Step, miss: Miss, wanted: &Value) -> Result<(), End> {
        let is_must = miss.level == Level::Must;
        if self.example.as_ref().is_none_or(|(known, _)| miss.level < *known) {
            let example =
                format!("200 OK\nContent-Type: application/scim+json\n\n{:#}", bounded(wanted, Bound::SIDE));
            self.example = Some((miss.level, example));
        }
        let (label, at) = (self.label(step), self.exchanges.len());
        self.misses.push((label, miss.bounded().after(at)));
        if is_must { Err(End::Missed) } else { Ok(()) }
    }
}
