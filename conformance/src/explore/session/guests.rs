//! Operations on resources of their own, which are no part of the model: many users, many groups, groups in groups.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::explore::calibrate::values;
use crate::explore::check::{Check, Condition, Expectation, Judged, with_values};
use crate::explore::operation::Type;
use crate::explore::rule::{Rule, Violation};
use crate::explore::session::bulk::{number_of_results, status_of};
use crate::explore::session::groups::{element_of, member_check, wrong_member};
use crate::explore::session::{Session, Stop};
use crate::explore::world::{BULK, World, patch, post, query, request};
use crate::json::get;
use crate::server::discovery::resources;
use crate::subject::server::client::{Answer, Request};

/// Guests that are created or deleted at the same time.
const AT_ONCE: usize = 10;

/// Path and id of a resource.
pub(super) type Guest = (String, String);

impl Session<'_> {
    fn new_body(&mut self, kind: Type) -> Value {
        let unique = self.next_unique();
        match kind {
            Type::User => self.world.new_user(&unique, &[]),
            Type::Group => self.world.blank.make(self.world.facts, self.world.resource_type(kind), &unique),
        }
    }

    /// Sends requests, some at a time.
    async fn ask_many(&mut self, requests: &[Request]) -> Result<Vec<Answer>, Stop> {
        let mut answers = Vec::new();
        for some in requests.chunks(AT_ONCE) {
            answers.extend(self.ask_together(some).await?);
        }
        Ok(answers)
    }

    /// Creates resources. Resources that the subject refuses are left out.
    pub(super) async fn guests(&mut self, kind: Type, count: usize) -> Result<Vec<Guest>, Stop> {
        let known = self.world.resource_type(kind);
        let requests: Vec<Request> =
            (0..count).map(|_| post(&known.endpoint, &self.new_body(kind))).collect();
        let answers = self.ask_many(&requests).await?;
        let made = answers.iter().filter(|answer| answer.is_success());
        Ok(made.filter_map(|answer| World::path_of(known, answer)).collect())
    }

    pub(super) async fn remove_guests(&mut self, guests: &[Guest]) -> Result<(), Stop> {
        let requests: Vec<Request> = guests.iter().map(|(path, _)| request("DELETE", path, None)).collect();
        self.ask_many(&requests).await.map(drop)
    }

    /// Creates a group with members, or notes that the subject refuses it.
    async fn guest_group(&mut self, members: Value, words: &str) -> Result<Option<(Guest, Value)>, Stop> {
        let mut body = self.new_body(Type::Group);
        body["members"] = members;
        let known = self.world.resource_type(Type::Group);
        let answer = self.ask(&post(&known.endpoint, &body)).await?;
        let made = World::path_of(known, &answer).filter(|_| answer.is_success());
        if made.is_none() {
            self.world.limit(&format!("{words} is answered {}", answer.status));
        }
        Ok(made.map(|made| (made, body)))
    }

    async fn read(&mut self, path: &str) -> Result<Value, Stop> {
        let read = self.ask(&request("GET", path, None)).await?;
        Ok(read.json.unwrap_or_default())
    }

    /// Deletes a user who is in a group. Returns its id, and whether the group shows it in the last read.
    pub(super) async fn member_after_a_deletion(&mut self) -> Result<Option<(String, bool)>, Stop> {
        let users = self.guests(Type::User, 1).await?;
        let Some((path, id)) = users.first() else { return Ok(None) };
        let members = json!([{ "value": id }]);
        let made = self.guest_group(members, "POST of a group").await?;
        let before = match &made {
            Some((group, _)) => self.read(&group.0).await?,
            None => Value::Null,
        };
        let is_member = element_of(&before, "members", id).is_some();
        let is_deleted = self.ask(&request("DELETE", path, None)).await?.is_success();
        let Some((group, _)) = made.filter(|_| is_member && is_deleted) else { return Ok(None) };
        let after = self.read(&group.0).await?;
        Ok(Some((id.clone(), element_of(&after, "members", id).is_some())))
    }

    /// A group of many members, through each kind of write.
    pub(super) async fn large_group(&mut self, members: usize) -> Result<(), Stop> {
        if !self.world.can.members_by_post {
            return Ok(());
        }
        let mut users = self.guests(Type::User, members + 1).await?;
        let Some(last) = users.pop() else { return Ok(()) };
        let all: Value = users.iter().map(|(_, id)| json!({ "value": id })).collect();
        let made = self.guest_group(all, &format!("POST of a group of {members} members")).await?;
        let result = match &made {
            Some(((path, _), body)) => self.change_large_group(path, body, &users, &last).await,
            None => Ok(()),
        };
        users.push(last);
        users.extend(made.map(|(group, _)| group));
        users.reverse();
        result?;
        self.remove_guests(&users).await
    }

    async fn change_large_group(
        &mut self,
        path: &str,
        body: &Value,
        users: &[Guest],
        last: &Guest,
    ) -> Result<(), Stop> {
        let mut members: BTreeSet<&str> = users.iter().map(|(_, id)| id.as_str()).collect();
        self.has_members(path, body, &members, "POST of a large group").await?;
        if self.world.scope.patch {
            let add = json!([{ "op": "add", "path": "members", "value": [{ "value": last.1 }] }]);
            if self.ask(&patch(path, &add)).await?.is_success() {
                members.insert(&last.1);
                self.has_members(path, body, &members, "PATCH add of a member to a large group").await?;
            }
            let one = format!("members[value eq {}]", json!(users[users.len() / 2].1));
            if self.ask(&patch(path, &json!([{ "op": "remove", "path": one }]))).await?.is_success() {
                members.remove(users[users.len() / 2].1.as_str());
                self.has_members(path, body, &members, "PATCH remove of a member of a large group").await?;
            }
        }
        let whole = self.read(path).await?;
        if self.ask(&request("PUT", path, Some(&whole))).await?.is_success() {
            self.has_members(path, body, &members, "PUT of a large group").await?;
        }
        Ok(())
    }

    /// Compares the members that a read and a list show.
    async fn has_members(
        &mut self,
        path: &str,
        body: &Value,
        wanted: &BTreeSet<&str>,
        form: &str,
    ) -> Result<(), Stop> {
        let read = self.read(path).await?;
        // Each answer is judged before the next request: it is the last one of the finding.
        self.shows_members(("a read", "/members"), &read, wanted, form)?;
        if self.world.can.group_look_up {
            let filter = format!("displayName eq {}", get(body, "displayName").unwrap_or(&Value::Null));
            let listed = self.ask(&query(self.endpoint(Type::Group), &[("filter", &filter)])).await?;
            let listed = listed.json.as_ref().and_then(|list| resources(list).first()).cloned();
            // A list may leave members out, not some of them.
            if let Some(one) = listed.filter(|one| get(one, "members").is_some()) {
                self.shows_members(("a list", "/Resources/0/members"), &one, wanted, form)?;
            }
        }
        Ok(())
    }

    /// Compares the members in an answer, which are at a JSON pointer of it.
    fn shows_members(
        &self,
        (by, pointer): (&str, &str),
        group: &Value,
        wanted: &BTreeSet<&str>,
        form: &str,
    ) -> Result<(), Stop> {
        let members: BTreeSet<&str> = values(group, "members").collect();
        if members == *wanted {
            return Ok(());
        }
        let why = format!("after {form} {by} shows {} members, where {} belong", members.len(), wanted.len());
        let violation = Violation::new(Rule::LargeGroups, form, why)
            .about(by)
            .values(json!(wanted.len()), json!(members.len()))
            .check(Check::elements(pointer, with_values(wanted.iter().copied())));
        self.violates(violation)
    }

    /// A user in many groups shows them all.
    pub(super) async fn many_groups(&mut self, count: usize) -> Result<(), Stop> {
        if !self.world.can.user_groups || !self.world.can.members_by_post {
            return Ok(());
        }
        let users = self.guests(Type::User, 1).await?;
        let Some((path, id)) = users.first() else { return Ok(()) };
        let mut groups = Vec::new();
        for _ in 0..count {
            let made = self.guest_group(json!([{ "value": id }]), "POST of one of many groups").await?;
            groups.extend(made.map(|(group, _)| group));
        }
        let read = self.read(path).await?;
        self.has_groups(&read, &groups, "POST of many groups")?;
        if let Some(group) = groups.pop() {
            self.remove_guests(&[group]).await?;
            let read = self.read(path).await?;
            self.has_groups(&read, &groups, "DELETE of one of many groups")?;
        }
        groups.extend(users);
        self.remove_guests(&groups).await
    }

    fn has_groups(&self, user: &Value, groups: &[Guest], form: &str) -> Result<(), Stop> {
        let wanted: BTreeSet<&str> = groups.iter().map(|(_, id)| id.as_str()).collect();
        let shown: BTreeSet<&str> = values(user, "groups").collect();
        if shown == wanted {
            return Ok(());
        }
        let why =
            format!("after {form} a user shows {} groups, where it is in {}", shown.len(), wanted.len());
        let violation = Violation::new(Rule::Membership, form, why)
            .about("many groups")
            .values(json!(wanted.len()), json!(shown.len()))
            .check(Check::elements("/groups", with_values(wanted.iter().copied())));
        self.violates(violation)
    }

    /// A group in a group is kept or refused, and a circle of them breaks nothing.
    pub(super) async fn nested_groups(&mut self, is_circular: bool) -> Result<(), Stop> {
        let kind = &self.world.resource_type(Type::Group).name;
        let Some((inner, _)) = self.guest_group(json!([]), "POST of an empty group").await? else {
            return Ok(());
        };
        let members = json!([{ "value": inner.1, "type": kind }]);
        let mut all = vec![inner];
        if let Some((outer, _)) = self.guest_group(members, "POST of a group in a group").await? {
            all.insert(0, outer);
            self.look_at_nested(&all[0], &all[1], "POST of a group in a group").await?;
            if is_circular && self.world.scope.patch {
                self.close_circle(&all[0], &all[1]).await?;
            }
        }
        self.remove_guests(&all).await
    }

    async fn look_at_nested(&mut self, outer: &Guest, inner: &Guest, form: &str) -> Result<(), Stop> {
        let read = self.read(&outer.0).await?;
        let member = element_of(&read, "members", &inner.1);
        let learned = "groups in groups do not come back";
        let is_kept = self.world.taken(learned).unwrap_or_else(|| {
            self.world.note_taken(learned, member.is_some());
            member.is_some()
        });
        let includes = || Check::at("/members", Condition::Includes(json!({ "value": inner.1 })));
        let wrong = match member {
            None if is_kept => Some(("a group in a group", json!(inner.1), Value::Null, includes())),
            None => None,
            Some(member) => wrong_member(member, &self.world.resource_type(Type::Group).name, &inner.0).map(
                |(about, expected, actual)| {
                    let check = member_check(&inner.1, about, &expected, &inner.0);
                    (about, expected, actual, check)
                },
            ),
        };
        let Some((about, expected, actual, check)) = wrong else { return Ok(()) };
        let why = format!("after {form} a group shows another {about} of a group that is its member");
        let violation = Violation::new(Rule::NestedGroups, form, why).about(about);
        self.violates(violation.values(expected, actual).check(check))
    }

    /// Makes the outer group a member of the inner one.
    async fn close_circle(&mut self, outer: &Guest, inner: &Guest) -> Result<(), Stop> {
        let form = "PATCH that makes a circle of groups";
        let kind = &self.world.resource_type(Type::Group).name;
        let member = json!([{ "value": outer.1, "type": kind }]);
        let add = json!([{ "op": "add", "path": "members", "value": member }]);
        let answer = self.ask(&patch(&inner.0, &add)).await?;
        for group in [outer, inner] {
            let read = self.ask(&request("GET", &group.0, None)).await?;
            if !read.is_success() {
                let why = format!("after {form} a GET of one of them is answered {}", read.status);
                let violation = Violation::new(Rule::NestedGroups, form, why)
                    .about("GET")
                    .values(json!(200), json!(read.status))
                    .check(Check::status(&["200"]));
                self.violates(violation)?;
            }
        }
        if answer.is_success() {
            return self.look_at_nested(inner, outer, form).await;
        }
        let read = self.read(&inner.0).await?;
        if element_of(&read, "members", &outer.1).is_some() {
            let why = format!("{form} was refused, and made the circle");
            let check = Check::at("/members", Condition::Lacks(json!({ "value": outer.1 })));
            self.violates(Violation::new(Rule::ErrorHasNoEffect, form, why).check(check))?;
        }
        Ok(())
    }

    /// Many operations in one bulk request are all done.
    pub(super) async fn many_in_bulk(&mut self, count: usize) -> Result<(), Stop> {
        let most = self.world.facts.config.as_ref().and_then(|config| {
            let bulk = get(config, "bulk")?;
            usize::try_from(get(bulk, "maxOperations")?.as_u64()?).ok()
        });
        let count = count.min(most.unwrap_or(count));
        let endpoint = self.world.user.endpoint.clone();
        let creations: Vec<Value> = (0..count)
            .map(|at| {
                let data = self.new_body(Type::User);
                json!({ "method": "POST", "path": endpoint, "bulkId": format!("m{at}"), "data": data })
            })
            .collect();
        let form = format!("a bulk request of {count} creations");
        let Some(results) = self.send_bulk(&form, creations).await? else { return Ok(()) };
        let paths: Vec<String> = results
            .iter()
            .filter_map(|result| {
                let id = get(result, "location")?.as_str()?.trim_end_matches('/').rsplit('/').next()?;
                Some(format!("{endpoint}/{id}"))
            })
            .collect();
        if paths.len() < results.len() {
            // A bulk request of few operations tells that; what this one made is not known.
            return Err(Stop::Ended);
        }
        self.all_are_answered(&paths, 200, &form).await?;
        let deletions = paths.iter().map(|path| json!({ "method": "DELETE", "path": path })).collect();
        let form = format!("a bulk request of {count} deletions");
        if self.send_bulk(&form, deletions).await?.is_some() {
            self.all_are_answered(&paths, 404, &form).await?;
        }
        Ok(())
    }

    /// Sends a bulk request whose operations are all to be done. Returns the results.
    async fn send_bulk(&mut self, form: &str, operations: Vec<Value>) -> Result<Option<Vec<Value>>, Stop> {
        let count = operations.len();
        let answer =
            self.ask(&post("/Bulk", &json!({ "schemas": [BULK], "Operations": operations }))).await?;
        let results = answer.json.as_ref().and_then(|body| get(body, "Operations")?.as_array()).cloned();
        let Some(results) = results.filter(|_| answer.is_success()) else {
            self.world.limit(&format!("{form} is answered {}", answer.status));
            return Ok(None);
        };
        if results.len() != count {
            self.violates(number_of_results(form, count, results.len()))?;
        }
        let failed: Vec<u16> = results.iter().map(status_of).filter(|status| status / 100 != 2).collect();
        if !failed.is_empty() {
            let why = format!("{} of {count} operations of {form} are not done", failed.len());
            let violation = Violation::new(Rule::BulkStores, form, why)
                .about("statuses")
                .values(json!("2xx"), json!(failed))
                .check(Check::at("/Operations/*/status", Condition::SaysStatus(vec!["2xx"])));
            self.violates(violation)?;
        }
        Ok(Some(results))
    }

    /// Reads resources of which an operation said that they were created or deleted.
    async fn all_are_answered(&mut self, paths: &[String], status: u16, form: &str) -> Result<(), Stop> {
        let reads: Vec<Request> = paths.iter().map(|path| request("GET", path, None)).collect();
        let answers = self.ask_many(&reads).await?;
        let others: Vec<u16> =
            answers.iter().map(|answer| answer.status).filter(|other| *other != status).collect();
        if others.is_empty() {
            return Ok(());
        }
        let why = format!("after {form} {} of {} reads are not answered {status}", others.len(), paths.len());
        let violation = Violation::new(Rule::BulkStores, form, why)
            .about("reads")
            .values(json!(status), json!(others))
            .check(Check::from(Expectation::Every(status)).of(Judged::Reads(paths.to_vec())));
        self.violates(violation)
    }
}
