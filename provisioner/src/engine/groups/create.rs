//! Making and deleting a group: a POST is never repeated blindly, because a lost reply looks like none.

use reqwest::{Method as Verb, StatusCode};
use serde_json::{Value, json};

use super::GroupTrouble;
use super::learned::Form;
use super::outcome::GroupPart;
use super::run::GroupRun;
use super::scope::OwnedGroup;
use crate::clock::seconds;
use crate::id_set::IdSet;
use crate::ids::TargetId;
use crate::policy::Leave;
use crate::policy::groups::MemberChanges;
use crate::report::Outcome;
use crate::report::groups::{GroupOperation, GroupReason};
use crate::state::groups::{FormSupport, GroupIntent, GroupLink, GroupLinkState};
use crate::state::{StateChange, Withdrawal, WithdrawalKind};
use crate::target::client::{Request, unreachable_target};
use crate::target::groups::{GroupLookup, GroupRead, RemoteGroup, no_groups};
use crate::target::response::Response;
use crate::target::{Halt, Trouble};

/// The result of a POST.
enum Posted {
    /// The group was made, with the members that were sent.
    Made(TargetId),
    /// A group that an earlier POST has made was found.
    Found(Box<RemoteGroup>),
    /// The target refused it.
    Refused(Box<Response>),
    /// The group is failed.
    Failed(GroupTrouble),
}

impl GroupRun<'_> {
    /// Makes the group with its members, as many as one request takes, and adds the others.
    pub(super) async fn create(&mut self, owned: &OwnedGroup) -> Result<(), Halt> {
        let wanted = self.shared.accounts.resolve(&owned.members).wanted;
        let capabilities = &self.shared.capabilities;
        let with_members = capabilities.may_send(Form::Create);
        // Held until the group has been read back, where that is to teach something.
        let turn = if with_members { capabilities.turn(Form::Create).await } else { None };
        let first = if with_members {
            wanted.chunks(capabilities.chunk()).next().unwrap_or_default()
        } else {
            IdSet::default()
        };
        self.intend(GroupIntent::Create { display_name: owned.name.clone() }).await?;
        let mut sent = first;
        let mut refused_with = None;
        let mut posted = self.post(owned, &sent).await?;
        if let Posted::Refused(response) = &posted
            && !sent.is_empty()
            && matches!(response.status.as_u16(), 400 | 404 | 413 | 422)
        {
            // The members may be too many, or one of them unknown there: the group first, then its members.
            refused_with = Some(sent.len());
            sent = IdSet::default();
            posted = self.post(owned, &sent).await?;
        }
        match posted {
            Posted::Failed(trouble) => self.fail(GroupOperation::Create, trouble),
            Posted::Refused(response) => {
                let trouble = match response.status.as_u16() {
                    404 | 405 | 501 => no_groups(&response).into(),
                    _ => response.trouble().into(),
                };
                self.fail(GroupOperation::Create, trouble);
            }
            Posted::Found(group) => {
                drop(turn);
                self.link(&group.id, owned);
                self.parts.push(GroupPart::done(GroupOperation::Create));
                let held = group.members.map_or_else(IdSet::default, |members| wanted.in_both(&members));
                self.subject.record.written = held;
                self.add_rest(owned, &wanted).await?;
            }
            Posted::Made(id) => {
                self.link(&id, owned);
                self.parts.push(GroupPart::done(GroupOperation::Create));
                self.subject.record.written = sent.clone();
                self.subject.record.intent = Some(GroupIntent::Update);
                let (id, record) = (&self.subject.id, &self.subject.record);
                let created = self.context().audit_created_group(id, record, &sent);
                self.save(vec![created]).await?;
                if turn.is_some() && !sent.is_empty() {
                    let took = self.holds(&sent).await?;
                    let support =
                        if took.len() == sent.len() { FormSupport::Works } else { FormSupport::Ignored };
                    self.shared.capabilities.note(Form::Create, support);
                    self.subject.record.written = took;
                }
                drop(turn);
                self.added = self.subject.record.written.len();
                self.add_rest(owned, &wanted).await?;
                // As many were taken by a PATCH: it is a POST with members that the target does not take.
                let capabilities = &self.shared.capabilities;
                let is_well = self.parts.iter().all(|part| part.outcome != Outcome::Failed);
                if refused_with.is_some_and(|number| number <= capabilities.chunk()) && is_well {
                    capabilities.note(Form::Create, FormSupport::Refused);
                }
            }
        }
        Ok(())
    }

    async fn add_rest(&mut self, owned: &OwnedGroup, wanted: &IdSet) -> Result<(), Halt> {
        let add = wanted.without(&self.subject.record.written);
        if add.is_empty() {
            return Ok(());
        }
        self.members(owned, MemberChanges { add, remove: IdSet::default() }).await.map(drop)
    }

    fn link(&mut self, id: &TargetId, owned: &OwnedGroup) {
        self.unsure = false;
        self.subject.record.link = Some(GroupLink {
            id: id.clone(),
            display_name: owned.name.clone(),
            members_unseen: false,
            state: GroupLinkState::Owned,
        });
    }

    /// Sends the POST until its effect is known.
    async fn post(&mut self, owned: &OwnedGroup, members: &IdSet) -> Result<Posted, Halt> {
        let body = create_body(&owned.name, self.subject.id.as_str(), members);
        let context = self.context();
        let client = &context.client;
        let request = Request { body: Some(&body), ..Request::new(&Verb::POST, &["Groups"]).about_groups() };
        let mut attempt = 1;
        let mut ambiguous = false;
        loop {
            let (trouble, response) = match client.send_once(request).await? {
                Ok(response) if response.status.is_success() => match response.new_account() {
                    Ok(id) => return Ok(Posted::Made(id)),
                    Err(trouble) => (trouble, Some(response)),
                },
                Ok(response) if response.status == StatusCode::CONFLICT => {
                    return self.after_conflict(owned, &response, ambiguous).await;
                }
                Ok(response) if !response.is_transient() => {
                    return Ok(Posted::Refused(Box::new(client.judge(response).await?)));
                }
                Ok(response) => (response.trouble(), Some(response)),
                Err(error) if error.is_unsendable() => {
                    return Ok(Posted::Failed(unreachable_target(&error).into()));
                }
                Err(error) => (unreachable_target(&error), None),
            };
            // The effect is unknown, so look before another POST. The intent stays until the group is found.
            ambiguous = true;
            self.unsure = true;
            if attempt < client.max_attempts() {
                client.back_off(attempt, response.as_ref()).await;
            }
            match self.posted_group(owned).await {
                Ok(Some(group)) => return Ok(Posted::Found(group)),
                Ok(None) if attempt < client.max_attempts() => {}
                Ok(None) | Err(Halt::Failed(_)) => return Ok(Posted::Failed(trouble.into())),
                Err(Halt::Stopped) => return Err(Halt::Stopped),
            }
            attempt += 1;
        }
    }

    /// Looks for the group that a POST without a clear answer has made.
    async fn posted_group(&self, owned: &OwnedGroup) -> Result<Option<Box<RemoteGroup>>, Halt> {
        let client = &self.context().client;
        let own = self.subject.id.as_str();
        let found = match client.groups_from(own).await {
            Ok(GroupLookup::One(group)) => Some(group),
            Ok(GroupLookup::None | GroupLookup::Several(_)) | Err(Halt::Failed(_)) => {
                match client.groups_named(&owned.name).await? {
                    // A target may not store `externalId`.
                    GroupLookup::One(group) if group.external_id.as_deref().is_none_or(|id| id == own) => {
                        Some(group)
                    }
                    GroupLookup::None | GroupLookup::One(_) | GroupLookup::Several(_) => None,
                }
            }
            Err(Halt::Stopped) => return Err(Halt::Stopped),
        };
        let Some(found) = found else { return Ok(None) };
        Ok(match client.read_group(&found.id, &owned.name).await? {
            GroupRead::Found(group) => Some(group),
            GroupRead::Gone => None,
        })
    }

    /// Explains a 409: the POST before it was carried out, or the name is taken by a group that does not show.
    async fn after_conflict(
        &mut self,
        owned: &OwnedGroup,
        response: &Response,
        ambiguous: bool,
    ) -> Result<Posted, Halt> {
        if ambiguous && let Some(group) = self.posted_group(owned).await? {
            return Ok(Posted::Found(group));
        }
        let (reason, more) = match self.context().client.groups_named(&owned.name).await {
            Ok(GroupLookup::None) => (GroupReason::HiddenGroup, ""),
            Ok(GroupLookup::One(_)) => (GroupReason::NameTaken, "; the next run links it"),
            Ok(GroupLookup::Several(_)) => (GroupReason::AmbiguousMatch, ""),
            Err(Halt::Failed(trouble)) => return Ok(Posted::Failed(trouble.into())),
            Err(Halt::Stopped) => return Err(Halt::Stopped),
        };
        self.unsure = false;
        Ok(Posted::Failed(GroupTrouble::new(reason, format!("{}{more}", response.describe()))))
    }

    /// Deletes the group, after a read.
    pub(super) async fn delete(&mut self, leave: Leave) -> Result<(), Halt> {
        let Some(link) = self.subject.record.link.clone() else { return Ok(()) };
        let context = self.context();
        let client = &context.client;
        if client.read_group(&link.id, &link.display_name).await? == GroupRead::Gone {
            self.subject.record.link = None;
            self.parts.push(GroupPart::none(Outcome::Success, GroupReason::AlreadyGone));
            return Ok(());
        }
        if let Some(link) = &mut self.subject.record.link {
            link.state = GroupLinkState::Pending(leave);
        }
        self.intend(GroupIntent::Delete).await?;
        let segments = ["Groups", link.id.as_str()];
        let response = client.send(Request::new(&Verb::DELETE, &segments)).await?;
        let is_gone = response.status.is_success()
            || (response.is_scim_not_found()
                && client.read_group(&link.id, &link.display_name).await? == GroupRead::Gone);
        if is_gone {
            self.subject.record.link = None;
            self.parts.push(GroupPart::done(GroupOperation::Delete));
            let at = i64::try_from(seconds(client.now())).unwrap_or(i64::MAX);
            let withdrawal = Withdrawal { at, kind: WithdrawalKind::Group };
            return context
                .save(vec![
                    StateChange::RemoveGroup(self.subject.id.clone()),
                    StateChange::Withdrawal(withdrawal),
                ])
                .await;
        }
        let trouble = match response.status.as_u16() {
            405 | 501 => GroupTrouble::new(GroupReason::DeleteUnsupported, response.describe()),
            _ => Trouble { unsure: false, ..response.trouble() }.into(),
        };
        self.fail(GroupOperation::Delete, trouble);
        Ok(())
    }
}

/// Returns the body of a POST.
fn create_body(name: &str, external_id: &str, members: &IdSet) -> Value {
    let mut body = json!({
        "schemas": [scim::schema::GROUP_URN],
        "displayName": name,
        "externalId": external_id,
    });
    if !members.is_empty() {
        body["members"] = values(members);
    }
    body
}

/// Returns members as a request has them.
pub(super) fn values(members: &IdSet) -> Value {
    members.iter().map(|id| json!({ "value": &*id })).collect()
}
