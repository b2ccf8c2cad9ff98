//! The groups of an environment, with their members.

use serde_json::{Value, json};

use super::super::pass::{PageProblem, Pass, READS};
use super::PingOneReader;
use super::names::Named;
use crate::source::{RemoteProblem, SourceProblem};

impl PingOneReader {
    /// Returns all groups, those that `is_wanted` names with the ids of their members. The others have none: nobody asks.
    pub(in super::super) async fn groups(
        &mut self,
        is_wanted: &(dyn Fn(&Value) -> bool + Sync),
    ) -> Result<Vec<Value>, SourceProblem> {
        let mut groups = self.all_resources(Named::Group).await?;
        for group in &mut groups {
            let id = group.get("id").and_then(Value::as_str).map(str::to_owned);
            let members = match id {
                Some(id) if is_wanted(&*group) => self.members_of(&id).await?,
                Some(_) | None => Vec::new(),
            };
            if let Some(group) = group.as_object_mut() {
                group.insert("members".to_owned(), members.into());
            }
        }
        Ok(groups)
    }

    /// Returns the ids of a group's members. The list of users tells no groups, so it is asked for those of each group.
    async fn members_of(&mut self, group: &str) -> Result<Vec<Value>, SourceProblem> {
        let mut reads = 1;
        loop {
            match self.members_once(group).await {
                Ok(members) => return Ok(members),
                Err(PageProblem::Problem(problem)) => return Err(problem),
                Err(PageProblem::Contradiction(what)) if reads >= READS => {
                    return Err(RemoteProblem::Contradiction { what, reads }.into());
                }
                Err(PageProblem::Contradiction(what)) => {
                    tracing::warn!(what, "a group changed while it was read, and is read again");
                    self.remote.pause_before_read(reads).await?;
                    reads += 1;
                }
            }
        }
    }

    async fn members_once(&mut self, group: &str) -> Result<Vec<Value>, PageProblem> {
        let mut pass = Pass::default();
        let mut url = self.list_url(Some(&format!("memberOfGroups[id eq {}]", json!(group))));
        let mut members = Vec::new();
        loop {
            let (users, next) = self.read_page(&mut pass, &url).await?;
            members.extend(users.iter().map(|user| Value::from(user.id.as_str())));
            match next {
                Some(next) => url = next,
                None => break,
            }
        }
        if !pass.has_total() {
            return Err(RemoteProblem::NoCount.into());
        }
        pass.end()?;
        Ok(members)
    }
}
