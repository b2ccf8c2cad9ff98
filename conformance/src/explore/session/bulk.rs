//! Bulk requests, whose operations must do what they do alone.

use serde_json::{Value, json};

use crate::explore::check::{Check, Condition, Earlier, Expectation, Is, Judged};
use crate::explore::model::{PatchKind, Target};
use crate::explore::operation::{BulkPart, Setting, Type};
use crate::explore::rule::{Rule, Violation};
use crate::explore::session::checks::After;
use crate::explore::session::{Session, Stop};
use crate::explore::world::{BULK, PATCH_OP, post};
use crate::json::get;
use crate::server::discovery::id_in;
use crate::subject::server::client::Answer;

/// Returns the status of an operation in an answer; 0 where it has none.
pub(super) fn status_of(operation: &Value) -> u16 {
    match get(operation, "status") {
        Some(Value::String(text)) => text.parse().unwrap_or(0),
        Some(Value::Number(number)) => {
            number.as_u64().and_then(|number| u16::try_from(number).ok()).unwrap_or(0)
        }
        _ => 0,
    }
}

/// What is expected of an operation.
enum Due {
    User {
        body: Value,
    },
    Group {
        body: Value,
        member: Option<usize>,
    },
    /// A group gets the user that an operation created.
    Joined {
        group: usize,
        member: usize,
    },
    Patched {
        at: usize,
        attribute: usize,
        value: Value,
    },
    Renamed {
        at: usize,
        name: String,
        is_current: bool,
    },
    Deleted {
        at: usize,
    },
    Refused,
}

impl Due {
    /// Returns the kind of operation, in words.
    fn words(&self) -> &'static str {
        match self {
            Self::User { .. } => "POST of a user in a bulk request",
            Self::Group { .. } => "POST of a group in a bulk request",
            Self::Joined { .. } => "PATCH add of a member by its bulkId in a bulk request",
            Self::Patched { .. } => "PATCH in a bulk request",
            Self::Renamed { is_current: true, .. } => "PATCH with the current version in a bulk request",
            Self::Renamed { is_current: false, .. } => "PATCH with another version in a bulk request",
            Self::Deleted { .. } => "DELETE in a bulk request",
            Self::Refused => "DELETE of an unknown id in a bulk request",
        }
    }

    /// Whether the operation has to be done.
    fn is_wanted(&self) -> bool {
        !matches!(self, Self::Refused | Self::Renamed { is_current: false, .. })
    }
}

/// The version that the answer to a bulk request tells of a resource.
struct Told<'a> {
    /// The resource.
    at: usize,
    /// The place of the operation.
    place: usize,
    version: &'a str,
}

/// A bulk request that is being made.
#[derive(Default)]
struct Plan {
    operations: Vec<Value>,
    due: Vec<Due>,
    /// Resources that an operation is about.
    touched: Vec<usize>,
}

impl Plan {
    fn add(&mut self, operation: Value, due: Due) {
        self.operations.push(operation);
        self.due.push(due);
    }

    /// Returns the last operation that creates a user.
    fn last_user(&self) -> Option<usize> {
        self.due.iter().rposition(|due| matches!(due, Due::User { .. }))
    }

    fn bulk_id(&self) -> String {
        format!("b{}", self.operations.len())
    }
}

impl Session<'_> {
    pub(super) async fn bulk(&mut self, parts: &[BulkPart]) -> Result<(), Stop> {
        let form = "a bulk request";
        let mut plan = Plan::default();
        for part in parts {
            self.plan(&mut plan, *part);
        }
        if plan.operations.is_empty() {
            return Ok(());
        }
        let Plan { operations, due, .. } = plan;
        let answer =
            self.ask(&post("/Bulk", &json!({ "schemas": [BULK], "Operations": operations }))).await?;
        let results = answer.json.as_ref().and_then(|body| get(body, "Operations")?.as_array()).cloned();
        let Some(results) = results.filter(|_| answer.is_success()) else {
            self.world.limit(&format!("{form} is answered {}", answer.status));
            return self.look_at_others(&[], form).await;
        };
        if results.len() != due.len() {
            return self.violates(number_of_results(form, due.len(), results.len()));
        }
        self.judge(form, due, &results).await
    }

    /// Adds the operations of a part, if the resources for it are there.
    fn plan(&mut self, plan: &mut Plan, part: BulkPart) {
        let pick = |session: &Self, plan: &Plan, kind, of| {
            session.pick(kind, of).filter(|at| !plan.touched.contains(at))
        };
        match part {
            BulkPart::CreateUser => {
                let body = self.world.new_user(&self.next_unique(), &[]);
                let operation = json!({
                    "method": "POST", "path": self.world.user.endpoint, "bulkId": plan.bulk_id(), "data": body,
                });
                plan.add(operation, Due::User { body });
            }
            BulkPart::CreateGroupOfTheLast => {
                let Some(group) = self.world.group else { return };
                let unique = self.next_unique();
                let mut body = self.world.blank.make(self.world.facts, group, &unique);
                let last = plan.last_user();
                if let Some(last) = last {
                    body["members"] = json!([{ "value": format!("bulkId:b{last}") }]);
                }
                let operation = json!({
                    "method": "POST", "path": group.endpoint, "bulkId": plan.bulk_id(), "data": body,
                });
                plan.add(operation, Due::Group { body, member: last });
            }
            BulkPart::AddTheLastToGroup { of } => {
                let Some(group) = pick(self, plan, Type::Group, of) else { return };
                if plan.last_user().is_none() {
                    self.plan(plan, BulkPart::CreateUser);
                }
                let Some(member) = plan.last_user() else { return };
                let added = json!([{ "value": format!("bulkId:b{member}") }]);
                let operation = json!({ "op": "add", "path": "members", "value": added });
                plan.add(self.patch_in_bulk(group, &operation), Due::Joined { group, member });
                plan.touched.push(group);
            }
            BulkPart::Patch { of, setting } => {
                let Some(at) = pick(self, plan, Type::User, of) else { return };
                self.plan_setting(plan, at, setting);
                plan.touched.push(at);
            }
            BulkPart::PatchTwice { of, settings } => {
                let Some(at) = pick(self, plan, Type::User, of) else { return };
                for setting in settings {
                    self.plan_setting(plan, at, setting);
                }
                plan.touched.push(at);
            }
            BulkPart::Versioned { of, is_current } => {
                let Some(at) = pick(self, plan, Type::User, of) else { return };
                let Some(etag) = self.resources[at].etag.clone() else { return };
                let version = if is_current { etag } else { self.stale_version(at) };
                let unique = self.next_unique();
                let name = self.world.blank.user_name(&unique);
                let operation = json!({ "op": "replace", "path": "userName", "value": name });
                let mut operation = self.patch_in_bulk(at, &operation);
                operation["version"] = json!(version);
                plan.add(operation, Due::Renamed { at, name, is_current });
                plan.touched.push(at);
            }
            BulkPart::Delete { of } => {
                let Some(at) = pick(self, plan, Type::User, of) else { return };
                plan.add(json!({ "method": "DELETE", "path": self.resources[at].path }), Due::Deleted { at });
                plan.touched.push(at);
            }
            BulkPart::Invalid => {
                let path = format!("{}/{}-nobody", self.world.user.endpoint, self.unique);
                plan.add(json!({ "method": "DELETE", "path": path }), Due::Refused);
            }
        }
    }

    fn patch_in_bulk(&self, at: usize, operation: &Value) -> Value {
        let data = json!({ "schemas": [PATCH_OP], "Operations": [operation] });
        json!({ "method": "PATCH", "path": self.resources[at].path, "data": data })
    }

    fn plan_setting(&self, plan: &mut Plan, at: usize, setting: Setting) {
        let Some(attribute) = self.world.attributes.get(setting.attribute) else { return };
        let value = setting.choice.plain().value(attribute);
        let operation = json!({ "op": "replace", "path": attribute.path(), "value": value });
        plan.add(
            self.patch_in_bulk(at, &operation),
            Due::Patched { at, attribute: setting.attribute, value },
        );
    }

    async fn judge(&mut self, form: &str, due: Vec<Due>, results: &[Value]) -> Result<(), Stop> {
        let mut touched: Vec<(usize, &str)> = Vec::new();
        let mut deleted = Vec::new();
        // The users that operations created, and the resources whose version the answer tells.
        let mut users: Vec<Option<usize>> = Vec::new();
        let mut versions: Vec<Told<'_>> = Vec::new();
        for (place, (due, result)) in due.into_iter().zip(results).enumerate() {
            let (words, status) = (due.words(), status_of(result));
            let mut made = None;
            if (status / 100 == 2) != due.is_wanted() {
                self.other_status(&due, place, status)?;
                if let Due::Renamed { at, name, is_current: false } = due {
                    self.resources[at].name = name;
                    touched.push((at, words));
                }
                users.push(None);
                continue;
            }
            let at = match due {
                Due::User { body } => {
                    made = self.add_of_bulk(Type::User, &body, (place, result), words)?;
                    made
                }
                Due::Group { body, member } => {
                    let at = self.add_of_bulk(Type::Group, &body, (place, result), words)?;
                    let member = member.and_then(|index| users.get(index).copied().flatten());
                    at.inspect(|at| self.resources[*at].members.extend(member))
                }
                Due::Joined { group, member } => {
                    let member = users.get(member).copied().flatten();
                    self.resources[group].members.extend(member);
                    Some(group)
                }
                Due::Patched { at, attribute, value } => {
                    let known = &self.world.attributes[attribute];
                    let expected = &mut self.resources[at].expected;
                    expected.patch(attribute, known, PatchKind::Replace, &Target::Whole, &value);
                    Some(at)
                }
                Due::Renamed { at, name, .. } => {
                    if status / 100 == 2 {
                        let old = std::mem::replace(&mut self.resources[at].name, name);
                        self.given_up.push(old);
                    }
                    Some(at)
                }
                Due::Deleted { at } => {
                    deleted.push(at);
                    None
                }
                Due::Refused => None,
            };
            let version = get(result, "version").and_then(Value::as_str);
            let version = at.zip(version.filter(|_| status / 100 == 2));
            versions.extend(version.map(|(at, version)| Told { at, place, version }));
            if let Some(at) = at {
                touched.retain(|(known, _)| *known != at);
                touched.push((at, words));
            }
            users.push(made);
        }
        // A group may lose a member in the same request.
        for at in &deleted {
            self.gone(*at).await?;
        }
        for (at, words) in &touched {
            self.look_at(*at, None, After::new(Rule::BulkStores, words)).await?;
        }
        // A deletion changes groups too.
        if deleted.is_empty() {
            self.compare_versions(form, &versions)?;
        }
        let touched: Vec<usize> = touched.into_iter().map(|(at, _)| at).chain(deleted).collect();
        self.look_at_others(&touched, form).await?;
        self.look_at_memberships(form).await
    }

    /// Judges an operation that was done and should not be, or the other way round.
    fn other_status(&self, due: &Due, place: usize, status: u16) -> Result<(), Stop> {
        let words = due.words();
        let (rule, wanted) = match due {
            // A PATCH of the attribute may not be taken alone either.
            Due::Patched { .. } => return Ok(()),
            // Another refusal than that of the version may have its reasons.
            Due::Renamed { is_current: true, .. } if status != 412 => return Ok(()),
            Due::Renamed { is_current: false, .. } => (Rule::BulkVersions, "412"),
            Due::Renamed { .. } => (Rule::BulkVersions, "2xx"),
            Due::Refused => (Rule::BulkStores, "4xx"),
            Due::User { .. } | Due::Group { .. } | Due::Joined { .. } | Due::Deleted { .. } => {
                (Rule::BulkStores, "2xx")
            }
        };
        let violation = Violation::new(rule, words, format!("{words} has the status {status}"))
            .values(json!(wanted), json!(status))
            .check(Check::at(format!("/Operations/{place}/status"), Condition::SaysStatus(vec![wanted])));
        self.violates(violation)
    }

    /// The version in an answer is that of the next read; of a resource that one operation is about.
    fn compare_versions(&self, form: &str, versions: &[Told<'_>]) -> Result<(), Stop> {
        let in_group =
            |at: usize| self.resources.iter().any(|group| !group.is_deleted && group.members.contains(&at));
        for Told { at, place, version } in versions {
            let is_single = versions.iter().filter(|other| other.at == *at).count() == 1;
            let etag = self.resources[*at].etag.as_deref();
            // A user may change with its groups.
            if is_single && !in_group(*at) && etag.is_some_and(|etag| opaque(etag) != opaque(version)) {
                let why = format!("{form} tells another version of a resource than the read after it");
                let told = Earlier::Bulk(format!("/Operations/{place}/version"));
                let meta = get(&self.resources[*at].seen, "meta");
                let is_in_meta = meta.and_then(|meta| get(meta, "version")?.as_str()) == etag;
                let expectation = if is_in_meta {
                    Expectation::At("/meta/version".to_owned(), Condition::Same(told))
                } else {
                    Expectation::Header("ETag", Is::The, told)
                };
                let violation = Violation::new(Rule::BulkVersions, form, why)
                    .about("version in the answer")
                    .values(json!(etag), json!(version))
                    .check(Check::from(expectation).of(Judged::Read(self.resources[*at].path.clone())));
                self.violates(violation)?;
            }
        }
        Ok(())
    }

    /// Adds a resource that an operation created, which its `location` tells.
    fn add_of_bulk(
        &mut self,
        kind: Type,
        body: &Value,
        (place, result): (usize, &Value),
        words: &str,
    ) -> Result<Option<usize>, Stop> {
        let Some(location) = get(result, "location").and_then(Value::as_str) else {
            let violation = Violation::new(Rule::BulkStores, words, format!("{words} has no location"))
                .about("location")
                .check(Check::at(format!("/Operations/{place}/location"), Condition::IsPresent));
            self.violates(violation)?;
            // What was made is not known.
            return Err(Stop::Ended);
        };
        let id = id_in(location).unwrap_or_default();
        let answer = Answer { status: 201, json: Some(json!({ "id": id })), ..Answer::default() };
        self.add(kind, body, &answer, words)
    }
}

/// Returns the part of an entity tag that tells versions apart.
fn opaque(tag: &str) -> &str {
    tag.trim_start_matches("W/").trim_matches('"')
}

/// Returns the violation of an answer with another number of results than operations.
pub(super) fn number_of_results(form: &str, due: usize, results: usize) -> Violation {
    let why = format!("{form} of {due} operations is answered with {results} results");
    Violation::new(Rule::BulkStores, form, why)
        .about("results")
        .values(json!(due), json!(results))
        .check(Check::at("/Operations", Condition::Count(due)))
}
