//! Making an account: a POST is never repeated blindly, because a lost reply looks like none.

use reqwest::{Method as Verb, StatusCode};
use serde_json::Value;

use super::task::OwnedTask;
use super::user::{Flow, Work};
use crate::diff::create_body;
use crate::engine::parts::Part;
use crate::ids::TargetId;
use crate::mapping::TargetPath;
use crate::report::{Operation, Reason};
use crate::state::{Intent, Link, Mark, Posted, kept};
use crate::target::client::{Request, unreachable_target};
use crate::target::lookup::Lookup;
use crate::target::resource::Account;
use crate::target::{Halt, Trouble};

impl Work<'_> {
    pub(super) async fn create(&mut self, owned: &OwnedTask) -> Result<Flow, Halt> {
        let body = create_body(&owned.wanted);
        let name = owned.wanted.user_name();
        let external_id = owned.wanted.get(&TargetPath::external_id()).and_then(Value::as_str);
        let posted = Posted { user_name: name.clone(), external_id: external_id.map(str::to_owned) };
        self.task.record.posted = Some(posted.clone());
        self.intend(Intent::Create).await?;
        let client = &self.context.client;
        let request = Request { body: Some(&body), ..Request::new(&Verb::POST, &["Users"]) };
        let mut ambiguous = false;
        let mut attempt = 1;
        loop {
            let mut accepted = false;
            let (trouble, answer) = match client.send_once(request).await? {
                Ok(answer) if answer.status.is_success() => match answer.new_account() {
                    Ok(account) => return Ok(self.created(owned, account)),
                    Err(trouble) => {
                        accepted = true;
                        (trouble, Some(answer))
                    }
                },
                Ok(answer) if answer.status == StatusCode::CONFLICT => {
                    return match client.look_up(&name).await {
                        Ok(Lookup::None) => {
                            self.failed(
                                Operation::Create,
                                Trouble::new(Reason::HiddenAccount, answer.describe()),
                            );
                            Ok(Flow::Through)
                        }
                        Ok(Lookup::One(account)) if ambiguous && self.is_ours(&account, &posted) => {
                            Ok(self.created(owned, account.id))
                        }
                        Ok(found) => Ok(self.enter_anew(found, ambiguous)),
                        Err(Halt::Failed(trouble)) => {
                            self.failed(Operation::Create, trouble);
                            Ok(Flow::Through)
                        }
                        Err(Halt::Stopped) => Err(Halt::Stopped),
                    };
                }
                Ok(answer) if !answer.is_transient() => {
                    let answer = client.judge(answer).await?;
                    self.failed(Operation::Create, answer.trouble());
                    return Ok(Flow::Through);
                }
                Ok(answer) => (answer.trouble(), Some(answer)),
                Err(error) => (unreachable_target(&error), None),
            };
            // Nobody knows what came of it. Never again blindly: look first. Until the account is found, the next run looks
            // too: a target that answers from a stale copy may not show it yet.
            ambiguous = true;
            self.unsure = true;
            if attempt < client.max_attempts() {
                client.back_off(attempt, answer.as_ref()).await;
            }
            match client.look_up(&name).await {
                Ok(Lookup::One(account)) if self.is_ours(&account, &posted) => {
                    return Ok(self.created(owned, account.id));
                }
                // What was accepted is not sent twice: it shows later, or never.
                Ok(Lookup::None) if attempt < client.max_attempts() && !accepted => {}
                Ok(Lookup::None) => {
                    self.failed(Operation::Create, trouble);
                    return Ok(Flow::Through);
                }
                Ok(found) => return Ok(self.enter_anew(found, ambiguous)),
                Err(Halt::Failed(_)) => {
                    self.failed(Operation::Create, trouble);
                    return Ok(Flow::Through);
                }
                Err(Halt::Stopped) => return Err(Halt::Stopped),
            }
            attempt += 1;
        }
    }

    /// Whether an account that appeared after a POST without a clear answer is the one that was posted.
    fn is_ours(&self, account: &Account, posted: &Posted) -> bool {
        let free = self.context.holder(&account.id).is_none_or(|holder| holder == self.task.id);
        free && account.external_id().is_none_or(|id| posted.external_id.as_deref() == Some(id))
    }

    /// The user is decided about anew, by what the target has under its name. After a POST without a clear answer one
    /// of several accounts may be the posted one, so the create stays unresolved.
    fn enter_anew(&mut self, found: Lookup, ambiguous: bool) -> Flow {
        self.unsure = ambiguous && matches!(found, Lookup::Several(_));
        Flow::Enter(self.task.label, found)
    }

    fn created(&mut self, owned: &OwnedTask, account: TargetId) -> Flow {
        self.unsure = false;
        let holder = self.context.claim(&account, &self.task.id);
        if holder != self.task.id {
            let detail = "the target answered a create with the id of an account that is linked already";
            self.failed(Operation::Create, Trouble::new(Reason::AccountLinkedElsewhere, detail));
            return Flow::Through;
        }
        self.task.record.link = Some(Link {
            account,
            carries: owned.wanted.iter().map(|(path, value)| (path.clone(), kept(path, value))).collect(),
            active: true,
            mark: Mark::Owned,
        });
        self.push(Part::done(Operation::Create));
        Flow::Through
    }
}
