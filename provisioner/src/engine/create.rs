//! Making an account: a POST is never repeated blindly, because a lost reply looks like none.

use std::collections::BTreeMap;

use reqwest::{Method as Verb, StatusCode};

use super::capabilities::Permit;
use super::resolve::may_lack;
use super::task::{LookupResult, OwnedTask};
use super::user::{NextStep, TaskRun, describe_effects};
use super::write::Effects;
use crate::account_values::{AccountValues, comparable_value, is_never_returned};
use crate::clock::seconds;
use crate::diff::{PathEffect, create_body, path_effects};
use crate::engine::outcome::OutcomePart;
use crate::ids::TargetId;
use crate::mapping::TargetPath;
use crate::report::{Operation, Reason};
use crate::state::index::Key;
use crate::state::{Intent, Link, LinkState, Posted, WriteMethod};
use crate::target::client::{Request, unreachable_target};
use crate::target::lookup::{Lookup, Read};
use crate::target::resource::Account;
use crate::target::{Halt, Trouble};

impl TaskRun<'_> {
    pub(super) async fn create(&mut self, owned: &OwnedTask) -> Result<NextStep, Halt> {
        let body = create_body(&owned.wanted);
        let paths: Vec<TargetPath> = owned.wanted.iter().map(|(path, _)| path.clone()).collect();
        let context = self.context;
        // Held until the account has been read back, where that is to teach something.
        let permit = context.capabilities.create_permit(&paths).await;
        let name = owned.wanted.user_name();
        let posted = Posted {
            user_name: name.clone(),
            external_id: owned.wanted.external_id().map(str::to_owned),
            at: Some(seconds(context.client.now())),
        };
        let before = self.task.record.posted.replace(posted.clone());
        // The same create was sent a moment ago, and its account may not show yet.
        let again = before.is_some_and(|before| context.create_not_shown(&before).is_some());
        self.intend(Intent::Create).await?;
        let client = &context.client;
        let request = Request { body: Some(&body), ..Request::new(&Verb::POST, &["Users"]) };
        let mut ambiguous = false;
        let mut attempt = 1;
        loop {
            let mut accepted = false;
            let (trouble, response) = match client.send_once(request).await? {
                Ok(response) if response.status.is_success() => match response.new_account() {
                    Ok(account) => {
                        let shown = response.into_account();
                        if !self.link_created(owned, account) {
                            return Ok(NextStep::Through);
                        }
                        return self.created(owned, shown, matches!(permit, Permit::First(_))).await;
                    }
                    Err(trouble) => {
                        accepted = true;
                        (trouble, Some(response))
                    }
                },
                Ok(response) if response.status == StatusCode::CONFLICT => {
                    return match client.look_up(&name).await {
                        Ok(Lookup::None) => {
                            let trouble = Trouble::new(Reason::HiddenAccount, response.describe());
                            self.failed(Operation::Create, Trouble { unsure: again, ..trouble });
                            Ok(NextStep::Through)
                        }
                        Ok(Lookup::One(account))
                            if (ambiguous || again) && self.is_ours(&account, &posted) =>
                        {
                            Ok(self.found(owned, &account))
                        }
                        Ok(found) => Ok(self.enter_anew(found, ambiguous)),
                        Err(Halt::Failed(trouble)) => {
                            self.failed(Operation::Create, trouble);
                            Ok(NextStep::Through)
                        }
                        Err(Halt::Stopped) => Err(Halt::Stopped),
                    };
                }
                Ok(response) if !response.is_transient() => {
                    let response = client.judge(response).await?;
                    self.failed(Operation::Create, response.trouble());
                    return Ok(NextStep::Through);
                }
                Ok(response) => (response.trouble(), Some(response)),
                Err(error) => (unreachable_target(&error), None),
            };
            // The effect is unknown, so look before another POST. Until the account is found, the next run looks too: a
            // target that answers from a stale copy may not show it yet.
            ambiguous = true;
            self.unsure = true;
            if attempt < client.max_attempts() {
                client.back_off(attempt, response.as_ref()).await;
            }
            match client.look_up(&name).await {
                Ok(Lookup::One(account)) if self.is_ours(&account, &posted) => {
                    return Ok(self.found(owned, &account));
                }
                // An accepted create is not sent twice: its account shows later, or never.
                Ok(Lookup::None) if attempt < client.max_attempts() && !accepted => {}
                Ok(Lookup::None) => {
                    self.failed(Operation::Create, trouble);
                    return Ok(NextStep::Through);
                }
                Ok(found) => return Ok(self.enter_anew(found, ambiguous)),
                Err(Halt::Failed(_)) => {
                    self.failed(Operation::Create, trouble);
                    return Ok(NextStep::Through);
                }
                Err(Halt::Stopped) => return Err(Halt::Stopped),
            }
            attempt += 1;
        }
    }

    /// Whether an account that appeared after a POST without a clear answer is the posted one.
    fn is_ours(&self, account: &Account, posted: &Posted) -> bool {
        let free = !self.context.is_held_by_another(&account.id, &self.task.id);
        let origin = posted.external_id.as_deref();
        free && match account.external_id() {
            Some(id) => origin == Some(id),
            None => may_lack(self.context, origin),
        }
    }

    /// Decides about the user again, by the accounts under its name. After a POST without a clear answer one of several
    /// accounts may be the posted one, so the create stays unresolved.
    fn enter_anew(&mut self, found: Lookup, ambiguous: bool) -> NextStep {
        self.unsure = ambiguous && matches!(found, Lookup::Several(_));
        NextStep::Enter(self.task.label, LookupResult::Unlinked(found))
    }

    /// Links the account that was created; returns `false` if another user holds it.
    fn link_created(&mut self, owned: &OwnedTask, account: TargetId) -> bool {
        self.unsure = false;
        if self.context.claim(&account, &self.task.id) != Key::from(&self.task.id) {
            let detail = "the target answered a create with the id of an account that is linked already";
            self.failed(Operation::Create, Trouble::new(Reason::AccountLinkedElsewhere, detail));
            return false;
        }
        self.task.record.link = Some(Link {
            account,
            carries: owned
                .wanted
                .iter()
                .map(|(path, value)| (path.clone(), comparable_value(path, value)))
                .collect(),
            shows: BTreeMap::new(),
            active: true,
            written: Some(seconds(self.context.client.now())),
            late_disable: None,
            state: LinkState::Owned,
        });
        true
    }

    /// Links the account that a POST without a clear answer has made.
    fn found(&mut self, owned: &OwnedTask, account: &Account) -> NextStep {
        if self.link_created(owned, account.id.clone()) {
            let effects = posted(owned, account);
            self.learn_created(&effects);
            self.settle_created(owned, &effects);
        }
        NextStep::Through
    }

    /// Compares the created account with the sent values: by the response, and by a read if the response shows less or a
    /// path is written by POST for the first time.
    async fn created(
        &mut self,
        owned: &OwnedTask,
        shown: Option<Account>,
        verify: bool,
    ) -> Result<NextStep, Halt> {
        let capabilities = &self.context.capabilities;
        let told = shown.map(|account| posted(owned, &account));
        let lost = |effects: &Effects| {
            effects.path_effects.iter().any(|(_, path_effect)| path_effect.is_not_stored())
        };
        let is_news = |effects: &Effects| {
            let paths: Vec<TargetPath> = effects
                .path_effects
                .iter()
                .filter(|(_, path_effect)| path_effect.is_not_stored())
                .map(|(path, _)| path.clone())
                .collect();
            !capabilities.sort(WriteMethod::Post, &paths).send.is_empty()
        };
        let doubtful =
            capabilities.answers_are_whole(WriteMethod::Post) && told.as_ref().is_some_and(is_news);
        if (verify || doubtful)
            && let Some(read) = self.read_created(owned).await?
        {
            if doubtful && !lost(&read) {
                capabilities.answers_partially(WriteMethod::Post);
            }
            self.learn_created(&read);
            self.context.keep_lessons().await?;
            self.settle_created(owned, &read);
            return Ok(NextStep::Through);
        }
        let told = told.filter(|_| capabilities.answers_are_whole(WriteMethod::Post));
        let mut told = told.unwrap_or_else(|| believed(owned));
        // An earlier read counts more than a response.
        let paths: Vec<TargetPath> = told.path_effects.iter().map(|(path, _)| path.clone()).collect();
        let left_out = capabilities.sort(WriteMethod::Post, &paths).left_out;
        for (path, path_effect) in &mut told.path_effects {
            if left_out.contains(path) {
                *path_effect = PathEffect::NotStored(None);
            }
        }
        self.settle_created(owned, &told);
        Ok(NextStep::Through)
    }

    /// Reads the account that was just made. A read that fails proves nothing: the create was answered as done.
    async fn read_created(&mut self, owned: &OwnedTask) -> Result<Option<Effects>, Halt> {
        self.keep_link().await?;
        let Some(link) = &self.task.record.link else { return Ok(None) };
        let keys = self.task.record.keys_at(link);
        match self.context.client.read(&link.account, &keys).await {
            Ok(Read::Found(account)) => {
                let mut effects = posted(owned, &account);
                self.context.excuse_hidden(&mut effects, &owned.wanted, WriteMethod::Post).await;
                Ok(Some(effects))
            }
            // A run that stops here has created the account, so it is reported.
            Ok(Read::Gone(_)) | Err(Halt::Failed(_) | Halt::Stopped) => Ok(None),
        }
    }

    fn learn_created(&self, effects: &Effects) {
        let capabilities = &self.context.capabilities;
        let paths = |lost: bool| {
            let of_them = move |(_, path_effect): &&(TargetPath, PathEffect)| {
                if lost { path_effect.is_not_stored() } else { path_effect.took_effect() }
            };
            effects.path_effects.iter().filter(of_them).map(|(path, _)| path.clone()).collect::<Vec<_>>()
        };
        capabilities.stored(WriteMethod::Post, paths(false));
        capabilities.not_stored(WriteMethod::Post, paths(true));
    }

    fn settle_created(&mut self, owned: &OwnedTask, effects: &Effects) {
        self.note(owned, effects);
        let part = OutcomePart::done(Operation::Create);
        self.push(OutcomePart { detail: describe_effects(effects, &owned.wanted), ..part });
    }
}

/// Returns the effects of a POST, by the values that `account` shows.
fn posted(owned: &OwnedTask, account: &Account) -> Effects {
    let paths: Vec<TargetPath> = owned.wanted.iter().map(|(path, _)| path.clone()).collect();
    Effects {
        path_effects: path_effects(&paths, &owned.wanted, &AccountValues::new(), account),
        ..Effects::default()
    }
}

/// Returns the effects of a POST whose values are all assumed to be stored.
fn believed(owned: &OwnedTask) -> Effects {
    let path_effect = |path: &TargetPath| {
        if is_never_returned(path) { PathEffect::Unverifiable } else { PathEffect::Assumed(None) }
    };
    let path_effects = owned.wanted.iter().map(|(path, _)| (path.clone(), path_effect(path))).collect();
    Effects { path_effects, ..Effects::default() }
}
