//! Writing to an existing account: PATCH or PUT, what the first of a kind teaches, and what really took effect.

use reqwest::{Method as Verb, StatusCode};
use serde_json::{Value, json};

use super::context::Context;
use super::learning::{Method, Permit};
use crate::diff::{dropped, is_never_returned, merge, patch_operations, writable};
use crate::ids::{TargetId, UserName};
use crate::mapping::{Desired, TargetPath};
use crate::report::Reason;
use crate::state::{Carried, DisableKind, Kind, is_carried};
use crate::target::answer::Answer;
use crate::target::client::Request;
use crate::target::lookup::Read;
use crate::target::resource::Account;
use crate::target::{Halt, Trouble};

/// One write to one account.
#[derive(Clone, Copy)]
pub(crate) struct Write<'a> {
    pub(crate) account: &'a TargetId,
    /// The user name that the account carries as far as is known.
    pub(crate) name: &'a UserName,
    pub(crate) wanted: &'a Desired,
    pub(crate) carries: &'a Carried,
    /// The attributes to write; under PUT these are all that is wanted, if any.
    pub(crate) paths: &'a [TargetPath],
    /// The new value of `active`.
    pub(crate) active: Option<bool>,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Written {
    /// In effect, save the attributes named, and save `active` where that was ignored.
    Done { dropped: Vec<TargetPath>, active_ignored: bool },
    /// Not in effect, or not known to be.
    Refused(Trouble),
    /// 409 to a new user name.
    Taken(String),
    /// The account is gone (SCIM 404 by id and not in the look-up); it was gone before this write.
    Gone,
    /// The account is gone because it was to be disabled.
    DeletedByTarget,
    /// No disable is sent on this connection.
    Withheld,
}

/// What a read after a write shows.
enum Seen {
    All,
    /// Nothing that was written can be read back: it has to be believed, and teaches nothing.
    Unproven,
    Some {
        dropped: Vec<TargetPath>,
        active_ignored: bool,
    },
    Nothing,
    Gone,
}

/// A write by PATCH either ends there or goes on by PUT.
enum Patched {
    Ended(Written),
    /// PATCH is of no use here; `Some` where PUT must first show that it does the same.
    UsePut(Option<Trouble>),
}

impl Write<'_> {
    const fn disables(&self) -> bool {
        matches!(self.active, Some(false))
    }

    fn renames(&self) -> bool {
        self.paths.iter().any(|path| *path == TargetPath::user_name())
    }

    /// The name under which a look-up finds the account after the write.
    fn name_after(&self) -> UserName {
        if self.renames() { self.wanted.user_name() } else { self.name.clone() }
    }
}

/// Carries out `write` by the method that fits the connection.
pub(crate) async fn write(context: &Context, write: Write<'_>) -> Result<Written, Halt> {
    let disable_permit = if write.disables() {
        match context.learning.disable_permit().await {
            Some(permit) => Some(permit),
            None => return Ok(Written::Withheld),
        }
    } else {
        None
    };
    let written = match context.method() {
        Method::Put => put(context, write).await?,
        Method::Patch => match patch(context, write).await? {
            Patched::Ended(written) => written,
            Patched::UsePut(None) => put(context, write).await?,
            Patched::UsePut(Some(trouble)) => match put(context, write).await? {
                done @ Written::Done { .. } => {
                    context.learn(|learned| learned.patch = Kind::Unusable).await?;
                    done
                }
                Written::Refused(_) => Written::Refused(trouble),
                other => other,
            },
        },
    };
    if written == Written::DeletedByTarget {
        context.learn(|learned| learned.disable = DisableKind::Withheld).await?;
    }
    drop(disable_permit);
    Ok(written)
}

async fn patch(context: &Context, write: Write<'_>) -> Result<Patched, Halt> {
    let permit = match context.learning.permit(Method::Patch).await {
        Ok(permit) => permit,
        Err(_) if context.may_switch() => return Ok(Patched::UsePut(None)),
        Err(_) => return Ok(Patched::Ended(not_sent("PATCH"))),
    };
    let mut carries = write.carries.clone();
    let (mut paths, mut active) = (write.paths.to_vec(), write.active);
    let mut reread = false;
    // What teaches something, and every disable, is compared with what the account carries now, not with what was sent once.
    let mut look_first = permit.is_first() || write.disables();
    loop {
        if std::mem::take(&mut look_first) {
            match context.client.read(write.account, write.name).await? {
                Read::Found(account) => {
                    carries = account.project(carries.keys().chain(write.paths));
                    paths.retain(|path| !is_carried(&carries, path, write.wanted.get(path)));
                    active = active.filter(|active| *active != account.active());
                }
                Read::Gone => return Ok(Patched::Ended(Written::Gone)),
            }
        }
        let write = Write { paths: &paths, active, ..write };
        let operations = patch_operations(write.paths, write.wanted, &carries, write.active);
        if operations.is_empty() {
            return Ok(Patched::Ended(done()));
        }
        let body = json!({ "schemas": [scim::schema::PATCH_URN], "Operations": operations });
        let segments = ["Users", write.account.as_str()];
        let request = Request { body: Some(&body), ..Request::new(&Verb::PATCH, &segments) };
        let answer = match context.client.send(request).await {
            Ok(answer) => answer,
            Err(Halt::Failed(trouble)) => {
                return Ok(Patched::Ended(
                    after_error(context, write, &carries, trouble, Method::Patch).await?,
                ));
            }
            Err(Halt::Stopped) => return Err(Halt::Stopped),
        };
        // A target may have lost what it was thought to carry: look, and say it in terms of what is there.
        if scim_type(&answer) == Some("noTarget") && !reread {
            reread = true;
            look_first = true;
            continue;
        }
        return judge_patch(context, write, &carries, answer, permit).await;
    }
}

async fn judge_patch(
    context: &Context,
    write: Write<'_>,
    carries: &Carried,
    answer: Answer,
    permit: Permit<'_>,
) -> Result<Patched, Halt> {
    let status = answer.status;
    if status.is_success() {
        if !permit.is_first() && !write.disables() {
            return Ok(Patched::Ended(done()));
        }
        return match look(context, write, carries).await? {
            Seen::Nothing => {
                let unknown = permit.is_first();
                if context.may_switch() {
                    context
                        .learn(|learned| learned.patch = if unknown { Kind::Ignored } else { Kind::Unusable })
                        .await?;
                    return Ok(Patched::UsePut(None));
                }
                if unknown {
                    context.learn(|learned| learned.patch = Kind::Ignored).await?;
                }
                Ok(Patched::Ended(ignored("PATCH", status)))
            }
            Seen::Some { active_ignored: true, dropped } if context.may_switch() => {
                context.learn(|learned| learned.patch = Kind::Unusable).await?;
                drop(dropped);
                Ok(Patched::UsePut(None))
            }
            seen => Ok(Patched::Ended(in_effect(context, write, seen, Method::Patch).await?)),
        };
    }
    if status == StatusCode::CONFLICT && write.renames() {
        return Ok(Patched::Ended(Written::Taken(answer.describe())));
    }
    let unsupported = matches!(status.as_u16(), 405 | 501);
    let trouble = if unsupported {
        Trouble::new(Reason::PartialUpdateUnsupported, answer.describe())
    } else {
        answer.trouble()
    };
    if !unsupported || write.disables() {
        match after_error(context, write, carries, trouble.clone(), Method::Patch).await? {
            Written::Refused(_) => {}
            other => return Ok(Patched::Ended(other)),
        }
    }
    if unsupported && context.may_switch() {
        context.learn(|learned| learned.patch = Kind::Unusable).await?;
        return Ok(Patched::UsePut(None));
    }
    // 408, 412 and 429 speak of this moment, not of the method.
    let of_the_method = status.is_client_error() && !matches!(status.as_u16(), 408 | 412 | 429);
    if of_the_method && context.may_switch() {
        return Ok(Patched::UsePut(Some(trouble)));
    }
    Ok(Patched::Ended(Written::Refused(trouble)))
}

async fn put(context: &Context, write: Write<'_>) -> Result<Written, Halt> {
    let Ok(permit) = context.learning.permit(Method::Put).await else { return Ok(not_sent("PUT")) };
    let mut conflict = None;
    for _ in 0..2 {
        let base = match context.client.read(write.account, write.name).await? {
            Read::Found(base) => base,
            Read::Gone => return Ok(Written::Gone),
        };
        let active = write.active.unwrap_or_else(|| base.active());
        // Whoever writes attributes by PUT writes all that is wanted: the whole resource travels anyway.
        let wanted_paths = write.wanted.iter().map(|(path, _)| path.clone());
        let removed = write.paths.iter().filter(|path| write.wanted.get(path).is_none()).cloned();
        let paths: Vec<TargetPath> =
            if write.paths.is_empty() { Vec::new() } else { wanted_paths.chain(removed).collect() };
        let before = base.project(paths.iter());
        let paths: Vec<TargetPath> =
            paths.into_iter().filter(|path| !is_carried(&before, path, write.wanted.get(path))).collect();
        let merged = merge(&base, &paths, write.wanted, active);
        if paths.is_empty() && active == base.active() {
            return Ok(done());
        }
        debug_assert_ne!(merged, writable(&base.resource), "a difference was found");
        let body = Value::Object(merged);
        let segments = ["Users", write.account.as_str()];
        let request = Request {
            body: Some(&body),
            if_match: base.version.as_deref(),
            ..Request::new(&Verb::PUT, &segments)
        };
        let sent = Write { paths: &paths, active: write.active.filter(|_| active != base.active()), ..write };
        let answer = match context.client.send(request).await {
            Ok(answer) => answer,
            Err(Halt::Failed(trouble)) => {
                return after_error(context, sent, &before, trouble, Method::Put).await;
            }
            Err(Halt::Stopped) => return Err(Halt::Stopped),
        };
        let status = answer.status;
        if status == StatusCode::PRECONDITION_FAILED {
            conflict = Some(answer.trouble());
            continue;
        }
        if status.is_success() {
            if !permit.is_first() && !sent.disables() {
                return Ok(done());
            }
            let seen = look(context, sent, &before).await?;
            if matches!(seen, Seen::Nothing) {
                if permit.is_first() {
                    context.learn(|learned| learned.put = Kind::Ignored).await?;
                }
                return Ok(ignored("PUT", status));
            }
            return in_effect(context, sent, seen, Method::Put).await;
        }
        if status == StatusCode::CONFLICT && sent.renames() {
            return Ok(Written::Taken(answer.describe()));
        }
        let trouble = if status == StatusCode::NOT_IMPLEMENTED && sent.active.is_some() {
            Trouble::new(Reason::PartialUpdateUnsupported, answer.describe())
        } else {
            answer.trouble()
        };
        return after_error(context, sent, &before, trouble, Method::Put).await;
    }
    Ok(Written::Refused(
        conflict.unwrap_or_else(|| Trouble::new(Reason::Conflict, "changed meanwhile, twice")),
    ))
}

/// After an answer that is no success, or none at all: what the account looks like decides, then the error.
async fn after_error(
    context: &Context,
    write: Write<'_>,
    carries: &Carried,
    trouble: Trouble,
    method: Method,
) -> Result<Written, Halt> {
    let worth_a_look = write.disables() || trouble.reason == Reason::Rejected;
    if !worth_a_look {
        return Ok(Written::Refused(trouble));
    }
    match look(context, write, carries).await {
        Ok(seen @ (Seen::All | Seen::Gone)) => in_effect(context, write, seen, method).await,
        Ok(Seen::Some { .. } | Seen::Nothing | Seen::Unproven) => {
            Ok(Written::Refused(Trouble { unsure: false, ..trouble }))
        }
        Err(Halt::Failed(_)) => Ok(Written::Refused(Trouble { unsure: true, ..trouble })),
        Err(Halt::Stopped) => Err(Halt::Stopped),
    }
}

/// Reads the account back and compares it with what was written.
async fn look(context: &Context, write: Write<'_>, before: &Carried) -> Result<Seen, Halt> {
    let read = match context.client.read(write.account, &write.name_after()).await {
        // Nobody knows whether the write took effect.
        Err(Halt::Failed(trouble)) => return Err(Halt::Failed(Trouble { unsure: true, ..trouble })),
        other => other?,
    };
    let account = match read {
        Read::Found(account) => account,
        Read::Gone => return Ok(Seen::Gone),
    };
    Ok(compare(write, before, &account))
}

fn compare(write: Write<'_>, before: &Carried, account: &Account) -> Seen {
    let dropped = dropped(write.paths, write.wanted, before, account);
    let active_ignored = write.active.is_some_and(|active| active != account.active());
    let shown = write.paths.iter().filter(|path| !is_never_returned(path)).count();
    let took = (shown - dropped.len()) + usize::from(write.active.is_some() && !active_ignored);
    if shown == 0 && write.active.is_none() {
        Seen::Unproven
    } else if dropped.is_empty() && !active_ignored {
        Seen::All
    } else if took == 0 {
        Seen::Nothing
    } else {
        Seen::Some { dropped, active_ignored }
    }
}

/// Draws the lessons of a write that was seen to have (some) effect.
async fn in_effect(context: &Context, write: Write<'_>, seen: Seen, method: Method) -> Result<Written, Halt> {
    let (dropped, active_ignored) = match seen {
        Seen::Gone if write.disables() => return Ok(Written::DeletedByTarget),
        Seen::Gone => return Ok(Written::Gone),
        Seen::Unproven => return Ok(done()),
        Seen::All => (Vec::new(), false),
        Seen::Some { dropped, active_ignored } => (dropped, active_ignored),
        Seen::Nothing => return Ok(ignored("the write", StatusCode::OK)),
    };
    context
        .learn(|learned| {
            let kind = match method {
                Method::Patch => &mut learned.patch,
                Method::Put => &mut learned.put,
            };
            if *kind == Kind::Unknown {
                *kind = Kind::Works;
            }
            if write.disables() && !active_ignored && learned.disable == DisableKind::Unknown {
                learned.disable = DisableKind::Works;
            }
        })
        .await?;
    Ok(Written::Done { dropped, active_ignored })
}

const fn done() -> Written {
    Written::Done { dropped: Vec::new(), active_ignored: false }
}

fn ignored(what: &str, status: StatusCode) -> Written {
    let detail = format!("{what} was answered {} and changed nothing", status.as_u16());
    Written::Refused(Trouble::new(Reason::IgnoredByTarget, detail))
}

fn not_sent(verb: &str) -> Written {
    let detail = format!("not sent: an earlier {verb} was answered as done and changed nothing");
    Written::Refused(Trouble::new(Reason::IgnoredByTarget, detail))
}

fn scim_type(answer: &Answer) -> Option<&str> {
    scim::path::get_ci(answer.object()?, "scimType")?.as_str()
}
