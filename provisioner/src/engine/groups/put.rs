//! Replacing a whole group, where PATCH does not work for it: read, merge, write.

use reqwest::Method as Verb;
use scim::json::key_ci;
use serde_json::{Map, Value};

use super::GroupTrouble;
use super::change::Effect;
use super::create::values;
use super::learned::Form;
use super::run::GroupRun;
use super::scope::OwnedGroup;
use crate::id_set::IdSet;
use crate::policy::groups::{MemberChanges, MembersMode};
use crate::report::groups::GroupReason;
use crate::state::groups::{FormSupport, MembersShown};
use crate::target::Halt;
use crate::target::client::Request;
use crate::target::groups::{GroupRead, RemoteGroup};

impl GroupRun<'_> {
    /// Writes the group with its name and with `changes` of its members by PUT.
    ///
    /// A PUT says which members there are. Where the target does not show those that it has, they would be removed, so it is
    /// not sent unless the group is to have the source's members and no others.
    pub(super) async fn put(&mut self, owned: &OwnedGroup, changes: &MemberChanges) -> Result<Effect, Halt> {
        let capabilities = &self.shared.capabilities;
        if !capabilities.may_send(Form::Put) {
            let detail = "the target did not take a PUT of the group before";
            let trouble = GroupTrouble::new(GroupReason::IgnoredByTarget, detail);
            return Ok(Effect::Without(trouble, capabilities.support(Form::Put)));
        }
        let turn = capabilities.turn(Form::Put).await;
        let mut attempt = 1;
        let effect = loop {
            let GroupRead::Found(before) = self.read().await? else { return Ok(Effect::Gone) };
            let Some(members) = self.members_to_put(owned, changes, &before) else {
                let detail =
                    "only a PUT of the whole group works, and the target does not show the members it has";
                return Ok(Effect::Failed(GroupTrouble::new(GroupReason::MembersNotShown, detail)));
            };
            let body = Value::Object(put_body(&before, &owned.name, &members));
            let segments = ["Groups", before.id.as_str()];
            let request = Request {
                body: Some(&body),
                if_match: before.version.as_deref(),
                ..Request::new(&Verb::PUT, &segments).about_groups()
            };
            let response = self.context().client.send(request).await?;
            match response.status.as_u16() {
                412 if attempt == 1 => attempt += 1,
                200..=299 if turn.is_none() => break Effect::Took,
                200..=299 => break self.after_first_put(owned, &members).await?,
                _ => break self.effect_of(&response).await?,
            }
        };
        drop(turn);
        if let Effect::Took = &effect {
            for (form, support) in std::mem::take(&mut self.failed_forms) {
                self.shared.capabilities.note(form, support);
            }
        }
        Ok(effect)
    }

    /// Returns the members of the PUT, or `None` if it is not known which ones have to be in it.
    fn members_to_put(
        &self,
        owned: &OwnedGroup,
        changes: &MemberChanges,
        before: &RemoteGroup,
    ) -> Option<IdSet> {
        let is_hidden = self.shared.capabilities.learned().members == MembersShown::Hidden;
        let shown = before.members.as_ref().filter(|_| !is_hidden);
        match (shown, self.mode(owned)) {
            (Some(shown), MembersMode::Merge | MembersMode::Overwrite) => {
                Some(shown.with(&changes.add).without(&changes.remove))
            }
            (None, MembersMode::Overwrite) => {
                Some(self.subject.record.written.with(&changes.add).without(&changes.remove))
            }
            (None, MembersMode::Merge) => None,
        }
    }

    async fn after_first_put(&self, owned: &OwnedGroup, members: &IdSet) -> Result<Effect, Halt> {
        let GroupRead::Found(after) = self.read().await? else { return Ok(Effect::Gone) };
        let name = after.display_name.as_deref() == Some(&owned.name);
        let shown = after.members.as_ref().is_none_or(|shown| shown == members);
        if name && shown {
            self.shared.capabilities.note(Form::Put, FormSupport::Works);
            return Ok(Effect::Took);
        }
        let detail = "a PUT of the group was answered as done and changed nothing";
        Ok(Effect::Without(GroupTrouble::new(GroupReason::IgnoredByTarget, detail), FormSupport::Ignored))
    }
}

/// Returns the group as it was read, with another name and other members.
fn put_body(before: &RemoteGroup, name: &str, members: &IdSet) -> Map<String, Value> {
    let mut body = before.rest.clone();
    let key = key_ci(&body, "displayName").unwrap_or("displayName").to_owned();
    body.insert(key, name.into());
    body.insert("members".to_owned(), values(members));
    body
}
