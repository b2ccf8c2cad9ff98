//! Bulk requests, whose operations must do what they do alone.

use serde_json::{Value, json};

use crate::explore::model::{PatchKind, Target};
use crate::explore::operation::BulkPart;
use crate::explore::rule::{Check, Rule, Violation};
use crate::explore::session::checks::After;
use crate::explore::session::{Session, Stop, Type};
use crate::explore::world::{BULK, PATCH_OP, post};
use crate::json::get;
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
    User { body: Value },
    Group { body: Value, member: Option<usize> },
    Patched { at: usize, attribute: usize, value: Value },
    Deleted { at: usize },
    Refused,
}

impl Session<'_> {
    pub(super) async fn bulk(&mut self, parts: &[BulkPart]) -> Result<(), Stop> {
        let form = "a bulk request";
        let mut operations = Vec::new();
        let mut due: Vec<Due> = Vec::new();
        let mut touched: Vec<usize> = Vec::new();
        for part in parts {
            match part {
                BulkPart::CreateUser => {
                    let unique = self.next_unique();
                    let body = self.world.new_user(&unique, &[]);
                    let bulk_id = format!("b{}", operations.len());
                    operations.push(json!({
                        "method": "POST", "path": self.world.user.endpoint, "bulkId": bulk_id, "data": body,
                    }));
                    due.push(Due::User { body });
                }
                BulkPart::CreateGroupOfTheLast => {
                    let Some(group) = self.world.group else { continue };
                    let unique = self.next_unique();
                    let mut body = self.world.blank.make(self.world.facts, group, &unique);
                    let last = due.iter().rposition(|due| matches!(due, Due::User { .. }));
                    if let Some(last) = last {
                        body["members"] = json!([{ "value": format!("bulkId:b{last}") }]);
                    }
                    let bulk_id = format!("b{}", operations.len());
                    operations.push(
                        json!({ "method": "POST", "path": group.endpoint, "bulkId": bulk_id, "data": body }),
                    );
                    due.push(Due::Group { body, member: last });
                }
                BulkPart::Patch { of, setting } => {
                    let at = self.pick(Type::User, *of).filter(|at| !touched.contains(at));
                    let Some((at, attribute)) = at.zip(self.world.attributes.get(setting.attribute)) else {
                        continue;
                    };
                    let value = setting.choice.plain().value(attribute);
                    let data = json!({
                        "schemas": [PATCH_OP],
                        "Operations": [{ "op": "replace", "path": attribute.path(), "value": value }],
                    });
                    operations
                        .push(json!({ "method": "PATCH", "path": self.resources[at].path, "data": data }));
                    due.push(Due::Patched { at, attribute: setting.attribute, value });
                    touched.push(at);
                }
                BulkPart::Delete { of } => {
                    let Some(at) = self.pick(Type::User, *of).filter(|at| !touched.contains(at)) else {
                        continue;
                    };
                    operations.push(json!({ "method": "DELETE", "path": self.resources[at].path }));
                    due.push(Due::Deleted { at });
                    touched.push(at);
                }
                BulkPart::Invalid => {
                    let path = format!("{}/{}-nobody", self.world.user.endpoint, self.unique);
                    operations.push(json!({ "method": "DELETE", "path": path }));
                    due.push(Due::Refused);
                }
            }
        }
        if operations.is_empty() {
            return Ok(());
        }
        let answer =
            self.ask(&post("/Bulk", &json!({ "schemas": [BULK], "Operations": operations }))).await?;
        let results = answer.json.as_ref().and_then(|body| get(body, "Operations")?.as_array()).cloned();
        let Some(results) = results.filter(|_| answer.is_success()) else {
            self.world.limit(&format!("{form} is answered {}", answer.status));
            return self.look_at_others(&[], form).await;
        };
        if results.len() != due.len() {
            let why =
                format!("{form} of {} operations is answered with {} results", due.len(), results.len());
            let violation = Violation::new(Rule::BulkStores, form, why)
                .about("results")
                .values(json!(due.len()), json!(results.len()));
            self.violates(violation)?;
            return Ok(());
        }
        self.judge(form, due, &results).await
    }

    async fn judge(&mut self, form: &str, due: Vec<Due>, results: &[Value]) -> Result<(), Stop> {
        let mut touched = Vec::new();
        let mut users: Vec<Option<usize>> = Vec::new();
        for (due, result) in due.into_iter().zip(results) {
            let status = status_of(result);
            let is_done = status / 100 == 2;
            let (words, is_wanted) = match &due {
                Due::User { .. } => ("POST of a user in a bulk request", true),
                Due::Group { .. } => ("POST of a group in a bulk request", true),
                Due::Patched { .. } => ("PATCH in a bulk request", true),
                Due::Deleted { .. } => ("DELETE in a bulk request", true),
                Due::Refused => ("DELETE of an unknown id in a bulk request", false),
            };
            if is_done != is_wanted {
                // A PATCH of the attribute may not be taken alone either.
                let is_open = matches!(due, Due::Patched { .. });
                if !is_open {
                    let violation =
                        Violation::new(Rule::BulkStores, words, format!("{words} has the status {status}"))
                            .values(json!(if is_wanted { "2xx" } else { "4xx" }), json!(status));
                    self.violates(violation)?;
                }
                users.push(None);
                continue;
            }
            let mut made = None;
            match due {
                Due::User { body } => made = self.add_of_bulk(Type::User, &body, result, words)?,
                Due::Group { body, member } => {
                    let at = self.add_of_bulk(Type::Group, &body, result, words)?;
                    if let Some(at) = at {
                        let member = member.and_then(|index| users.get(index).copied().flatten());
                        self.resources[at].members.extend(member);
                        self.look_at(at, None, After::new(Rule::BulkStores, words)).await?;
                        touched.push(at);
                    }
                }
                Due::Patched { at, attribute, value } => {
                    let known = &self.world.attributes[attribute];
                    let expected = &mut self.resources[at].expected;
                    expected.patch(attribute, known, PatchKind::Replace, &Target::Whole, &value);
                    self.look_at(at, None, After::new(Rule::BulkStores, words)).await?;
                    touched.push(at);
                }
                Due::Deleted { at } => {
                    self.gone(at).await?;
                    touched.push(at);
                }
                Due::Refused => {}
            }
            if let Some(at) = made {
                self.look_at(at, None, After::new(Rule::BulkStores, words)).await?;
                touched.push(at);
            }
            users.push(made);
        }
        self.look_at_others(&touched, form).await?;
        self.look_at_memberships(form)
    }

    /// Adds a resource that an operation created, which its `location` tells.
    fn add_of_bulk(
        &mut self,
        kind: Type,
        body: &Value,
        result: &Value,
        words: &str,
    ) -> Result<Option<usize>, Stop> {
        let Some(location) = get(result, "location").and_then(Value::as_str) else {
            let violation = Violation::new(Rule::BulkStores, words, format!("{words} has no location"))
                .about("location")
                .check(Check::Status(vec!["2xx"]));
            self.violates(violation)?;
            return Ok(None);
        };
        let id = location.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let id = percent_encoding::percent_decode_str(id).decode_utf8_lossy().into_owned();
        let answer = Answer { status: 201, json: Some(json!({ "id": id })), ..Answer::default() };
        self.add(kind, body, &answer, words)
    }
}
