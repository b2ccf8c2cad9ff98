//! Groups and their members.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::explore::calibrate::values;
use crate::explore::check::{Check, Condition, Earlier, Expectation, Judged, When, with_values};
use crate::explore::operation::{MemberChange, Setting, Type, Write};
use crate::explore::rule::{Rule, Violation};
use crate::explore::session::checks::After;
use crate::explore::session::{Session, Stop, leads_to};
use crate::explore::world::{patch, post, request};
use crate::json::get;
use crate::requirement::Level;
use crate::subject::server::client::Answer;

/// Returns the element of a multi-valued attribute with this `value`.
pub(super) fn element_of<'v>(resource: &'v Value, name: &str, id: &str) -> Option<&'v Value> {
    let all = get(resource, name)?.as_array()?;
    all.iter().find(|element| get(element, "value").and_then(Value::as_str) == Some(id))
}

/// Returns what a member says wrongly of the resource that it is, with the right value and its own.
pub(super) fn wrong_member(member: &Value, kind: &str, path: &str) -> Option<(&'static str, Value, Value)> {
    let text = |name| get(member, name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(other) = text("type").filter(|shown| !shown.eq_ignore_ascii_case(kind)) {
        return Some(("type", json!(kind), json!(other)));
    }
    let other = text("$ref").filter(|shown| !leads_to(shown, path))?;
    Some(("$ref", json!(path), json!(other)))
}

/// Returns the check of what a member of a group says wrongly of the resource at a path.
pub(super) fn member_check(id: &str, about: &str, wanted: &Value, path: &str) -> Check {
    let condition = match about {
        "type" => Condition::IgnoringCase(wanted.as_str().unwrap_or_default().to_owned()),
        _ => Condition::AddressOf(path.to_owned()),
    };
    Check::at(format!("/members/value={id}/{about}"), condition)
}

impl Session<'_> {
    /// Returns users by picks, each once.
    fn users(&self, picks: &[usize]) -> BTreeSet<usize> {
        picks.iter().filter_map(|pick| self.pick(Type::User, *pick)).collect()
    }

    fn member_values(&self, users: &BTreeSet<usize>) -> Value {
        users.iter().map(|at| json!({ "value": self.resources[*at].id })).collect()
    }

    pub(super) async fn create_group(&mut self, members: &[usize], settings: &[Setting]) -> Result<(), Stop> {
        let Some(group) = self.world.group else { return Ok(()) };
        let unique = self.next_unique();
        let users = self.users(members);
        let mut body = self.world.blank.make(self.world.facts, group, &unique);
        for setting in settings {
            if let Some(attribute) = self.world.group_attributes.get(setting.attribute) {
                attribute.set_in(&mut body, setting.choice.plain().value(attribute));
            }
        }
        if !users.is_empty() {
            body["members"] = self.member_values(&users);
        }
        let form = "POST of a group";
        let answer = self.ask(&post(&group.endpoint, &body)).await?;
        if !answer.is_success() {
            // What groups need is the suite's business; here it only must have no effect.
            self.world.limit(&format!("{form} with {} members is answered {}", users.len(), answer.status));
            return self.look_at_others(&[], form).await;
        }
        let Some(at) = self.add(Type::Group, &body, &answer, form)? else { return Ok(()) };
        self.resources[at].members = users;
        self.look_at(at, Some(&answer), After::new(Rule::CreateStores, form)).await?;
        self.look_at_others(&[at], form).await?;
        self.look_at_memberships(form).await
    }

    /// Compares the members of a group with the model.
    pub(super) fn compare_members(&self, at: usize, body: &Value, after: After<'_>) -> Result<(), Stop> {
        let known = &self.resources[at];
        if known.kind != Type::Group || !self.world.can.members {
            return Ok(());
        }
        let shown: Vec<&str> = values(body, "members").collect();
        let unique: BTreeSet<&str> = shown.iter().copied().collect();
        let wanted: BTreeSet<&str> = known.members.iter().map(|at| self.resources[*at].id.as_str()).collect();
        // What becomes of a deleted member is the server's business.
        let deleted: BTreeSet<&str> =
            self.resources.iter().filter(|one| one.is_deleted).map(|one| one.id.as_str()).collect();
        let there: BTreeSet<&str> = unique.difference(&deleted).copied().collect();
        let (about, why) = if unique.len() < shown.len() {
            ("a member twice", format!("after {} a group has a member twice", after.form))
        } else if there.is_subset(&wanted) && there.len() < wanted.len() {
            ("a member is missing", format!("after {} a group lacks a member", after.form))
        } else if there != wanted {
            (
                "a member too many",
                format!("after {} a group has a member that it should not have", after.form),
            )
        } else {
            return self.compare_member_types(at, body, after.form);
        };
        let check = if shown.iter().any(|id| deleted.contains(id)) {
            let has = with_values(wanted.iter().copied()).into_iter().map(Condition::Includes);
            let lacks = with_values(there.difference(&wanted).copied()).into_iter().map(Condition::Lacks);
            Check::all(has.chain(lacks).map(|one| Expectation::At("/members".to_owned(), one)).collect())
        } else {
            Check::elements("/members", with_values(wanted.iter().copied()))
        };
        let violation = Violation::new(after.rule, after.form, why)
            .about(about)
            .values(json!(wanted), json!(shown))
            .check(check);
        self.violates(violation)
    }

    /// Compares what a group says of its members with what they are.
    fn compare_member_types(&self, at: usize, body: &Value, form: &str) -> Result<(), Stop> {
        for user in &self.resources[at].members {
            let user = &self.resources[*user];
            let Some(member) = element_of(body, "members", &user.id) else { continue };
            if let Some((about, wanted, actual)) = wrong_member(member, &self.world.user.name, &user.path) {
                let why = format!("after {form} a group shows a user as a member whose {about} is another");
                let violation = Violation::new(Rule::MembersAreTold, form, why)
                    .about(about)
                    .check(member_check(&user.id, about, &wanted, &user.path))
                    .values(wanted, actual);
                return self.violates(violation);
            }
        }
        Ok(())
    }

    /// Compares both ends of every membership, and the names of groups. Learns what becomes of deleted members.
    pub(super) async fn look_at_memberships(&mut self, form: &str) -> Result<(), Stop> {
        self.look_at_ghosts(form).await?;
        if !self.world.can.user_groups {
            return Ok(());
        }
        for user in self.living(Type::User) {
            let seen = &self.resources[user].seen;
            for group in self.living(Type::Group).into_iter().map(|at| &self.resources[at]) {
                let shown = element_of(seen, "groups", &group.id);
                let is_member = group.members.contains(&user);
                if shown.is_some() != is_member {
                    let what = if is_member {
                        "lack a group that has the user"
                    } else {
                        "have a group that the user is not in"
                    };
                    let why = format!("after {form} the groups of a user {what}");
                    let condition = if is_member { Condition::Includes } else { Condition::Lacks };
                    let check = Check::at("/groups", condition(json!({ "value": group.id })));
                    let violation = Violation::new(Rule::Membership, form, why)
                        .values(json!(is_member), json!(!is_member))
                        .check(check.of(Judged::Read(self.resources[user].path.clone())));
                    self.violates(violation)?;
                }
                let display = shown.and_then(|shown| get(shown, "display")?.as_str());
                if self.world.can.group_display && display.is_some_and(|display| display != group.name) {
                    let why = format!("after {form} a user shows a group under another name than it has");
                    let violation = Violation {
                        level: Level::Should,
                        ..Violation::new(Rule::Membership, form, why)
                            .about("groups.display")
                            .values(json!(group.name), json!(display))
                            .check(
                                Check::at(
                                    format!("/groups/value={}/display", group.id),
                                    Condition::Same(Earlier::Read {
                                        path: group.path.clone(),
                                        pointer: "/displayName".to_owned(),
                                        is_absent: false,
                                        when: When::Last,
                                    }),
                                )
                                .of(Judged::Read(self.resources[user].path.clone())),
                            )
                    };
                    self.violates(violation)?;
                }
            }
        }
        Ok(())
    }

    /// A deleted user leaves its groups always, or never: where two deletions differ, one more tells what is usual.
    async fn look_at_ghosts(&mut self, form: &str) -> Result<(), Stop> {
        for at in self.living(Type::Group) {
            for ghost in std::mem::take(&mut self.resources[at].ghosts) {
                let id = self.resources[ghost].id.clone();
                let is_shown = element_of(&self.resources[at].seen, "members", &id).is_some();
                if !self.world.can.members || self.world.members_leave(!is_shown) != is_shown {
                    continue;
                }
                let Some((other, stays)) = self.member_after_a_deletion().await? else { continue };
                self.world.now_members_leave(!stays);
                if stays == is_shown {
                    continue;
                }
                let what = if is_shown { "keeps" } else { "has lost" };
                let why = format!(
                    "after {form} a group {what} a member that was deleted, which is not so after a DELETE of another user"
                );
                let shows = |stays: bool, id: &str| {
                    let condition = if stays { Condition::Includes } else { Condition::Lacks };
                    Expectation::At("/members".to_owned(), condition(json!({ "value": id })))
                };
                let check = Check {
                    premise: Some((self.exchanges.len() - 1, shows(stays, &other))),
                    ..Check::from(shows(stays, &id)).of(Judged::Read(self.resources[at].path.clone()))
                };
                let violation = Violation::new(Rule::Membership, form, why)
                    .about("a deleted member")
                    .values(json!(stays), json!(is_shown))
                    .check(check);
                self.violates(violation)?;
            }
        }
        Ok(())
    }

    pub(super) async fn change_members(
        &mut self,
        of: usize,
        picks: &[usize],
        change: MemberChange,
    ) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::Group, of) else { return Ok(()) };
        let users = self.users(picks);
        let known = self.resources[at].members.clone();
        let path = self.resources[at].path.clone();
        let values = self.member_values(&users);
        let inside: BTreeSet<usize> = users.intersection(&known).copied().collect();
        let (words, request, expected) = match change {
            MemberChange::Add if !users.is_empty() => (
                "PATCH add of members",
                patch(&path, &json!([{ "op": "add", "path": "members", "value": values }])),
                known.union(&users).copied().collect(),
            ),
            MemberChange::AddWithoutPath if !users.is_empty() => (
                "PATCH add of members without a path",
                patch(&path, &json!([{ "op": "add", "value": { "members": values } }])),
                known.union(&users).copied().collect(),
            ),
            MemberChange::RemoveByFilter if !inside.is_empty() => {
                let operations: Value = inside
                    .iter()
                    .map(|user| {
                        let path = format!("members[value eq {}]", json!(self.resources[*user].id));
                        json!({ "op": "remove", "path": path })
                    })
                    .collect();
                (
                    "PATCH remove of members by a filter",
                    patch(&path, &operations),
                    known.difference(&inside).copied().collect::<BTreeSet<_>>(),
                )
            }
            MemberChange::RemoveAll if !known.is_empty() => (
                "PATCH remove of all members",
                patch(&path, &json!([{ "op": "remove", "path": "members" }])),
                BTreeSet::new(),
            ),
            MemberChange::Replace => (
                "PATCH replace of members",
                patch(&path, &json!([{ "op": "replace", "path": "members", "value": values }])),
                users.clone(),
            ),
            MemberChange::Put => {
                let mut body = self.resources[at].seen.clone();
                body["members"] = values;
                ("PUT of members", request("PUT", &path, Some(&body)), users.clone())
            }
            MemberChange::Add
            | MemberChange::AddWithoutPath
            | MemberChange::RemoveByFilter
            | MemberChange::RemoveAll => return Ok(()),
        };
        let answer = self.ask(&request).await?;
        if answer.is_success() {
            self.resources[at].members = expected;
            let is_put = matches!(change, MemberChange::Put);
            let rule = if is_put { Rule::ReplaceStores } else { Rule::PatchStores };
            self.look_at(at, Some(&answer), After::new(rule, words)).await?;
        } else {
            if matches!(answer.status, 400..=499 | 501) {
                self.member_change_refused(words, &answer)?;
            }
            self.look_at(at, None, After::refused(words)).await?;
        }
        self.look_at_others(&[at], words).await?;
        self.look_at_memberships(words).await
    }

    /// A change of members that was taken once is taken again.
    fn member_change_refused(&self, words: &str, answer: &Answer) -> Result<(), Stop> {
        if self.world.taken(words) == Some(true) {
            let detail =
                answer.json.as_ref().and_then(|body| get(body, "detail")?.as_str()).unwrap_or_default();
            let why = format!(
                "{words} is answered {}, and was taken before: {}",
                answer.status,
                crate::format::cut(detail, 200)
            );
            let violation = Violation::new(Rule::ValidIsTaken, words, why)
                .values(json!("2xx"), json!(answer.status))
                .check(Check::status(&["2xx"]));
            return self.violates(violation);
        }
        self.world.limit(&format!("{words} is answered {}", answer.status));
        Ok(())
    }

    pub(super) async fn rename_group(&mut self, of: usize, with: Write) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::Group, of) else { return Ok(()) };
        let name = self.next_unique();
        let (request, words) = self.setting(at, "displayName", &json!(name), with);
        let words = format!("a rename of a group by {words}");
        let answer = self.ask(&request).await?;
        if Self::is_done(with, &answer) {
            self.resources[at].name = name;
            self.look_at(at, Self::own(with, &answer), After::new(Self::stores(with), &words)).await?;
        } else {
            self.world.limit(&format!("{words} is answered {}", answer.status));
            self.look_at(at, None, After::refused(&words)).await?;
        }
        self.look_at_others(&[at], &words).await?;
        self.look_at_memberships(&words).await
    }
}
