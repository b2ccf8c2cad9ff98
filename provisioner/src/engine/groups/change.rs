//! Writing the name and the members of a group that exists.

use reqwest::Method as Verb;
use serde_json::{Value, json};

use super::GroupTrouble;
use super::learned::Form;
use super::outcome::GroupPart;
use super::run::GroupRun;
use super::scope::OwnedGroup;
use crate::id_set::IdSet;
use crate::ids::TargetId;
use crate::policy::groups::{GroupDifferences, MemberChanges};
use crate::report::Reason;
use crate::report::groups::{GroupOperation, GroupReason};
use crate::state::groups::{FormSupport, MembersShown};
use crate::target::client::Request;
use crate::target::groups::{GroupRead, RemoteGroup};
use crate::target::response::Response;
use crate::target::{Halt, Trouble};

/// What became of a write.
#[derive(Debug)]
pub(super) enum Effect {
    /// It took effect, or is assumed to have.
    Took,
    /// It had none, and another form may have one.
    Without(GroupTrouble, FormSupport),
    /// The target refused it because of what is in it.
    Refused(GroupTrouble),
    /// The group is failed: nothing more is sent for it.
    Failed(GroupTrouble),
    /// The group is gone.
    Gone,
}

impl GroupRun<'_> {
    /// Writes what differs, and returns whether the group turned out to be gone.
    pub(super) async fn change(
        &mut self,
        owned: &OwnedGroup,
        differs: GroupDifferences,
        changes: MemberChanges,
    ) -> Result<bool, Halt> {
        if differs.name && self.rename(owned).await? {
            return Ok(true);
        }
        if changes.is_empty() {
            return Ok(false);
        }
        self.members(owned, changes).await
    }

    /// Writes the name, and returns whether the group is gone.
    async fn rename(&mut self, owned: &OwnedGroup) -> Result<bool, Halt> {
        let mut effect = Effect::Without(
            GroupTrouble::new(GroupReason::IgnoredByTarget, "the target did not take the name before"),
            self.shared.capabilities.support(Form::Rename),
        );
        if self.shared.capabilities.may_send(Form::Rename) {
            effect = self.rename_by_patch(owned).await?;
        }
        if let Effect::Without(trouble, support) = effect {
            let by_put = self.put(owned, &MemberChanges::default()).await?;
            effect = match by_put {
                Effect::Took => {
                    self.shared.capabilities.note(Form::Rename, support);
                    Effect::Took
                }
                Effect::Gone => Effect::Gone,
                Effect::Without(..) | Effect::Refused(_) | Effect::Failed(_) => Effect::Failed(trouble),
            };
        }
        match effect {
            Effect::Took => {
                if let Some(link) = &mut self.subject.record.link {
                    link.display_name.clone_from(&owned.name);
                }
                self.parts.push(GroupPart::done(GroupOperation::Update));
                Ok(false)
            }
            Effect::Gone => Ok(true),
            Effect::Without(trouble, _) | Effect::Refused(trouble) | Effect::Failed(trouble) => {
                self.fail(GroupOperation::Update, trouble);
                Ok(false)
            }
        }
    }

    async fn rename_by_patch(&mut self, owned: &OwnedGroup) -> Result<Effect, Halt> {
        let capabilities = &self.shared.capabilities;
        let turn = capabilities.turn(Form::Rename).await;
        let operation = json!({ "op": "replace", "path": "displayName", "value": owned.name });
        let response = self.patch(vec![operation]).await?;
        let effect = match response.status.as_u16() {
            200..=299 if turn.is_none() => Effect::Took,
            200..=299 => match self.read().await? {
                GroupRead::Gone => Effect::Gone,
                GroupRead::Found(group) if group.display_name.as_deref() == Some(&owned.name) => {
                    capabilities.note(Form::Rename, FormSupport::Works);
                    Effect::Took
                }
                GroupRead::Found(_) => Effect::Without(
                    GroupTrouble::new(
                        GroupReason::IgnoredByTarget,
                        "a PATCH of displayName was answered as done and changed nothing",
                    ),
                    FormSupport::Ignored,
                ),
            },
            409 => Effect::Failed(GroupTrouble::new(GroupReason::NameTaken, response.describe())),
            _ => self.effect_of(&response).await?,
        };
        drop(turn);
        Ok(effect)
    }

    /// Sends a PATCH to the group.
    pub(super) async fn patch(&self, operations: Vec<Value>) -> Result<Response, Halt> {
        let id = self.target_id()?;
        let body = json!({ "schemas": [scim::schema::PATCH_URN], "Operations": operations });
        let segments = ["Groups", id.as_str()];
        let request = Request { body: Some(&body), ..Request::new(&Verb::PATCH, &segments).about_groups() };
        self.context().client.send(request).await
    }

    /// Returns what a response that is no success says of a write.
    pub(super) async fn effect_of(&self, response: &Response) -> Result<Effect, Halt> {
        let trouble = GroupTrouble::from(response.trouble());
        Ok(match response.status.as_u16() {
            405 | 501 => Effect::Without(trouble, FormSupport::Refused),
            404 => match self.read().await? {
                GroupRead::Gone => Effect::Gone,
                GroupRead::Found(_) => Effect::Refused(trouble),
            },
            403 | 408 | 412 | 429 | 500..=599 => Effect::Failed(trouble),
            _ => Effect::Refused(trouble),
        })
    }

    /// Reads the group.
    pub(super) async fn read(&self) -> Result<GroupRead, Halt> {
        let name = self.subject.record.link.as_ref().map(|link| link.display_name.clone());
        self.context().client.read_group(&self.target_id()?, &name.unwrap_or_default()).await
    }

    /// Returns which of `members` the group has by its own account: those that show, or all of them where the target tells
    /// nothing of members.
    pub(super) async fn holds(&self, members: &IdSet) -> Result<IdSet, Halt> {
        match self.read().await? {
            GroupRead::Gone => Ok(IdSet::default()),
            GroupRead::Found(group) => self.holds_by(&group, members).await,
        }
    }

    /// Returns which of `members` are in `group`, as it was read.
    pub(super) async fn holds_by(&self, group: &RemoteGroup, members: &IdSet) -> Result<IdSet, Halt> {
        let capabilities = &self.shared.capabilities;
        let Some(example) = members.iter().next() else { return Ok(IdSet::default()) };
        match group.members.as_ref().filter(|shown| !shown.is_empty()) {
            Some(shown) => {
                capabilities.learn(|learned| learned.members = MembersShown::Shown);
                Ok(members.in_both(shown))
            }
            // None or an empty list: the account's own `groups` may tell whether that is so.
            None => match self.context().client.is_in_group(&example, &group.id).await? {
                Some(true) => {
                    capabilities.learn(|learned| learned.members = MembersShown::Hidden);
                    Ok(members.clone())
                }
                Some(false) => Ok(IdSet::default()),
                None if group.members.is_some() => Ok(IdSet::default()),
                None => {
                    capabilities.learn(|learned| learned.members = MembersShown::Hidden);
                    Ok(members.clone())
                }
            },
        }
    }

    /// Returns the group's id at the target.
    ///
    /// # Errors
    /// The group is not linked: only groups that were created or adopted here are written.
    pub(super) fn target_id(&self) -> Result<TargetId, Halt> {
        let link = self.subject.record.link.as_ref();
        let unlinked = || Trouble::new(Reason::Rejected, "the group is not linked").into();
        link.map(|link| link.id.clone()).ok_or_else(unlinked)
    }
}
