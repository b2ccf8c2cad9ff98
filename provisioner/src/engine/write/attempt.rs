//! One write by one method: the request, and the account after it.

use reqwest::{Method as Verb, StatusCode};
use serde_json::{Value, json};

use super::{AccountWrite, Effects, WriteOutcome};
use crate::account_values::{AccountValues, is_form_of, is_never_returned};
use crate::diff::{MovedValues, PathEffect, merge, patch_operations, path_effects, writable};
use crate::engine::context::Context;
use crate::mapping::TargetPath;
use crate::report::Reason;
use crate::state::{Method, MethodSupport, PathSupport, ShownForm, WriteKind};
use crate::target::client::Request;
use crate::target::lookup::{Read, Searched};
use crate::target::resource::Account;
use crate::target::response::Response;
use crate::target::{Halt, Trouble};

/// The end of a write by one method.
pub(super) enum Attempt {
    /// The write was answered as done, or was seen to have taken effect; with the status of the response.
    Judged(Effects, u16),
    /// It was refused, and is not in effect.
    Refused(Trouble, Refusal),
    /// The other method would come to the same.
    EndedRun(WriteOutcome),
}

/// The subject of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The method is not supported for such a write.
    Unsupported,
    /// Another refusal that the other method may not meet.
    ClientError,
    /// This moment, the credentials, or something that is not known: no reason for another method.
    Final,
}

/// Whether the account is in the state that a write needs.
enum Base {
    Account(Box<Account>),
    Gone(Searched),
}

/// The account after a write.
enum ReadBack {
    Effects(Effects),
    Gone(Searched),
}

/// Sends `write` by `method`; `verify` requires a read after it, whatever the response is.
pub(super) async fn attempt(
    context: &Context,
    write: AccountWrite<'_>,
    method: Method,
    verify: bool,
) -> Result<Attempt, Halt> {
    let enables = write.active == Some(true)
        && context.capabilities.support(WriteKind::Enable, method) != MethodSupport::Works;
    let verify = verify || write.disables() || enables;
    match method {
        Method::Patch => patch(context, write, verify).await,
        Method::Put => put(context, write, verify).await,
    }
}

/// Returns the account before a write: the one that the run has read already, if it is fresh enough.
async fn read_base(context: &Context, write: AccountWrite<'_>, fresh: bool) -> Result<Base, Halt> {
    // A Disable reads again: it did not delete an account that was deleted by others in the meantime.
    if let (Some(account), false, false) = (write.base, fresh, write.disables()) {
        return Ok(Base::Account(Box::new(account.clone())));
    }
    Ok(match context.client.read(write.account, write.keys).await? {
        Read::Found(account) => Base::Account(account),
        Read::Gone(searched) => Base::Gone(searched),
    })
}

/// Whether `account` has the wanted value at `path` already.
fn already_shows(account: &Account, path: &TargetPath, write: AccountWrite<'_>) -> bool {
    match write.wanted.get(path) {
        _ if is_never_returned(path) => false,
        Some(wanted) => account.shows(path, wanted) || write.link.shows_form(path, wanted, account),
        // A written value that has lost the sub-attribute that selects it still exists.
        None => account.read(path).is_none() && account.read_moved(path, &write.link.carries).is_none(),
    }
}

async fn patch(context: &Context, write: AccountWrite<'_>, verify: bool) -> Result<Attempt, Halt> {
    let mut carries = write.link.carries.clone();
    let mut moved_values = MovedValues::default();
    let (mut paths, mut active) = (write.paths.to_vec(), write.active);
    let mut reread = false;
    // A write that teaches something, and every Disable, is compared with the present account, not with the values sent
    // once. A removal of a missing value is answered as done too.
    let clears = |path: &TargetPath| path.selector().is_some() && write.wanted.get(path).is_none();
    let mut looks = verify || write.paths.iter().any(clears);
    loop {
        if std::mem::take(&mut looks) {
            match read_base(context, write, reread).await? {
                Base::Account(account) => {
                    moved_values = MovedValues::find(&account, write.paths, &write.link.carries);
                    carries = account.project(carries.keys().chain(write.paths));
                    paths.retain(|path| !already_shows(&account, path, write));
                    active = active.filter(|active| *active != account.active());
                }
                Base::Gone(searched) => return Ok(Attempt::EndedRun(WriteOutcome::Gone(searched))),
            }
        }
        let carried = write.paths.iter().filter(|path| !paths.contains(path)).cloned().collect();
        let sent = AccountWrite { paths: &paths, active, ..write };
        let operations = patch_operations(sent.paths, sent.wanted, &carries, &moved_values, sent.active);
        if operations.is_empty() {
            return Ok(Attempt::Judged(Effects { carried: write.paths.to_vec(), ..Effects::default() }, 200));
        }
        let body = json!({ "schemas": [scim::schema::PATCH_URN], "Operations": operations });
        let segments = ["Users", write.account.as_str()];
        let request = Request { body: Some(&body), ..Request::new(&Verb::PATCH, &segments) };
        let response = match context.client.send(request).await {
            Ok(response) => response,
            Err(Halt::Failed(trouble)) => {
                return after_error(context, sent, &carries, trouble, Refusal::Final, Method::Patch).await;
            }
            Err(Halt::Stopped) => return Err(Halt::Stopped),
        };
        // A target may have lost a value that it was assumed to carry: read the account, and describe the write by its
        // present values.
        if scim_type(&response) == Some("noTarget") && !reread {
            reread = true;
            looks = true;
            continue;
        }
        return judge(context, sent, &carries, carried, response, Method::Patch, verify).await;
    }
}

async fn put(context: &Context, write: AccountWrite<'_>, verify: bool) -> Result<Attempt, Halt> {
    let mut conflict = None;
    for turn in 0..2 {
        let base = match read_base(context, write, turn > 0).await? {
            Base::Account(base) => base,
            Base::Gone(searched) => return Ok(Attempt::EndedRun(WriteOutcome::Gone(searched))),
        };
        let active = write.active.unwrap_or_else(|| base.active());
        let mut paths = write.paths.to_vec();
        paths.extend(write.paths.first().into_iter().flat_map(|_| beside(context, write, &base)));
        paths.retain(|path| !already_shows(&base, path, write));
        let before = base.project(paths.iter());
        let carried = write.paths.iter().filter(|path| !paths.contains(path)).cloned().collect();
        let merged = merge(&base, &paths, write.wanted, &write.link.carries, active);
        if paths.is_empty() && active == base.active() {
            return Ok(Attempt::Judged(Effects { carried, ..Effects::default() }, 200));
        }
        debug_assert_ne!(merged, writable(base.to_send_back()), "a difference was found");
        let body = Value::Object(merged);
        let segments = ["Users", write.account.as_str()];
        let request = Request {
            body: Some(&body),
            if_match: base.version.as_deref(),
            ..Request::new(&Verb::PUT, &segments)
        };
        let sent =
            AccountWrite { paths: &paths, active: write.active.filter(|_| active != base.active()), ..write };
        let response = match context.client.send(request).await {
            Ok(response) => response,
            Err(Halt::Failed(trouble)) => {
                return after_error(context, sent, &before, trouble, Refusal::Final, Method::Put).await;
            }
            Err(Halt::Stopped) => return Err(Halt::Stopped),
        };
        if response.status == StatusCode::PRECONDITION_FAILED {
            conflict = Some(response.trouble());
            continue;
        }
        let verify = verify || context.capabilities.sort(Method::Put.into(), &paths).unverified;
        return judge(context, sent, &before, carried, response, Method::Put, verify).await;
    }
    let trouble = conflict.unwrap_or_else(|| Trouble::new(Reason::Conflict, "changed meanwhile, twice"));
    Ok(Attempt::Refused(trouble, Refusal::Final))
}

/// Returns the other paths that a write of attributes by PUT includes, because the whole resource is sent anyway: all
/// wanted values, without those of paths that the target is known not to store.
fn beside(context: &Context, write: AccountWrite<'_>, base: &Account) -> Vec<TargetPath> {
    let learned = context.capabilities.learned();
    let stored = |path: &TargetPath| learned.paths.put.get(path) != Some(&PathSupport::NotStored);
    let has_form =
        |path: &TargetPath, value| base.read(path).is_some_and(|shown| is_form_of(path, shown, value));
    write
        .wanted
        .iter()
        .filter(|(path, value)| !write.paths.contains(path) && stored(path) && !has_form(path, value))
        .map(|(path, _)| path.clone())
        .collect()
}

/// Judges a response to the write that was `sent`.
async fn judge(
    context: &Context,
    sent: AccountWrite<'_>,
    before: &AccountValues,
    carried: Vec<TargetPath>,
    response: Response,
    method: Method,
    verify: bool,
) -> Result<Attempt, Halt> {
    let status = response.status;
    if status.is_success() {
        let attempt = judge_success(context, sent, before, &response, method, verify).await?;
        return Ok(match attempt {
            Attempt::Judged(effects, status) => Attempt::Judged(Effects { carried, ..effects }, status),
            other => other,
        });
    }
    if status == StatusCode::CONFLICT && sent.renames() {
        return Ok(Attempt::EndedRun(WriteOutcome::Taken(response.describe())));
    }
    let unsupported = match method {
        Method::Patch => matches!(status.as_u16(), 405 | 501),
        Method::Put => status == StatusCode::NOT_IMPLEMENTED && sent.active.is_some(),
    };
    // 408, 412 and 429 speak of this moment, not of the method.
    let of_the_method = (status.is_client_error() && !matches!(status.as_u16(), 408 | 412 | 429))
        || status == StatusCode::NOT_IMPLEMENTED;
    let (mut trouble, refusal) = match (unsupported, of_the_method) {
        (true, _) => {
            let trouble = Trouble::new(Reason::PartialUpdateUnsupported, response.describe());
            (trouble, Refusal::Unsupported)
        }
        (false, true) => (response.trouble(), Refusal::ClientError),
        (false, false) => (response.trouble(), Refusal::Final),
    };
    let kind = WriteKind::of(sent.active);
    if unsupported && context.capabilities.support(kind, method) == MethodSupport::Works {
        // The method has done such a write here before: the refusal is about this user.
        trouble.reason = Reason::Rejected;
    }
    if matches!(status.as_u16(), 404 | 405 | 501)
        || (refuses_form(&response) && context.capabilities.support(kind, method) != MethodSupport::Works)
    {
        super::add_other_method(context, method, &mut trouble.detail);
    }
    if unsupported && !sent.disables() {
        return Ok(Attempt::Refused(trouble, refusal));
    }
    after_error(context, sent, before, trouble, refusal, method).await
}

/// Judges a response that is an error, or a missing one: the state of the account decides, then the error.
async fn after_error(
    context: &Context,
    sent: AccountWrite<'_>,
    before: &AccountValues,
    trouble: Trouble,
    refusal: Refusal,
    method: Method,
) -> Result<Attempt, Halt> {
    // The attributes written beside `active` may be the cause that neither took effect, as long as the target answers.
    let may_be_of_either = sent.active.is_some()
        && !sent.paths.is_empty()
        && matches!(trouble.reason, Reason::TargetError | Reason::Unreachable);
    let worth_a_look = sent.disables() || trouble.reason == Reason::Rejected || may_be_of_either;
    if !worth_a_look {
        return Ok(Attempt::Refused(trouble, refusal));
    }
    match read_back(context, sent, before, method).await {
        Ok(ReadBack::Gone(_)) if sent.disables() => Ok(Attempt::EndedRun(WriteOutcome::DeletedByTarget)),
        Ok(ReadBack::Gone(searched)) => Ok(Attempt::EndedRun(WriteOutcome::Gone(searched))),
        Ok(ReadBack::Effects(effects)) => {
            let whole = effects.active != Some(false)
                && effects.path_effects.iter().all(|(_, path_effect)| path_effect.took_effect());
            if whole && (effects.active.is_some() || !effects.path_effects.is_empty()) {
                return Ok(Attempt::Judged(effects, 200));
            }
            Ok(Attempt::Refused(Trouble { unsure: false, ..trouble }, refusal))
        }
        Err(Halt::Failed(_)) => Ok(Attempt::Refused(Trouble { unsure: true, ..trouble }, Refusal::Final)),
        Err(Halt::Stopped) => Err(Halt::Stopped),
    }
}

/// Judges a write that was answered as done by the account that was read after it.
fn judge_read_back(sent: AccountWrite<'_>, looked: ReadBack, status: u16) -> Attempt {
    match looked {
        ReadBack::Effects(effects) => Attempt::Judged(effects, status),
        // It was found before the Disable.
        ReadBack::Gone(_) if sent.disables() => Attempt::EndedRun(WriteOutcome::DeletedByTarget),
        ReadBack::Gone(_) => Attempt::EndedRun(WriteOutcome::Hidden),
    }
}

/// Judges a write that was answered as done. A response with the resource is compared with the sent values; if it shows
/// less, or the write has to be `verified`, the account is read.
async fn judge_success(
    context: &Context,
    sent: AccountWrite<'_>,
    before: &AccountValues,
    response: &Response,
    method: Method,
    verify: bool,
) -> Result<Attempt, Halt> {
    let status = response.status.as_u16();
    let shown = response
        .object()
        .and_then(|object| Account::new(object, None))
        .filter(|account| account.id == *sent.account)
        .filter(|_| context.capabilities.answers_are_whole(method.into()));
    let told = shown.map(|account| effects(sent, before, &account));
    let short = |effects: &Effects| effects.active == Some(false) || effects.lost().next().is_some();
    match told {
        _ if verify => {}
        None => return Ok(Attempt::Judged(believed(sent, before), status)),
        Some(told) if !short(&told) => return Ok(Attempt::Judged(told, status)),
        Some(_) => {
            let looked = read_back(context, sent, before, method).await?;
            if matches!(&looked, ReadBack::Effects(read) if !short(read)) {
                context.capabilities.answers_partially(method.into());
            }
            return Ok(judge_read_back(sent, looked, status));
        }
    }
    Ok(judge_read_back(sent, read_back(context, sent, before, method).await?, status))
}

fn believed(sent: AccountWrite<'_>, before: &AccountValues) -> Effects {
    let path_effect = |path: &TargetPath| {
        if is_never_returned(path) {
            PathEffect::Unverifiable
        } else {
            PathEffect::Assumed(before.get(path).cloned())
        }
    };
    Effects {
        path_effects: sent.paths.iter().map(|path| (path.clone(), path_effect(path))).collect(),
        active: sent.active.map(|_| true),
        ..Effects::default()
    }
}

fn effects(sent: AccountWrite<'_>, before: &AccountValues, account: &Account) -> Effects {
    let mut path_effects = path_effects(sent.paths, sent.wanted, before, account);
    for (path, path_effect) in &mut path_effects {
        let by_write = matches!(sent.link.shows.get(path), Some(ShownForm::Changed { by_write: true }));
        if let (true, PathEffect::NotStored(Some(now))) = (by_write, &*path_effect) {
            // It became this by an earlier write of such a value: that is how the target keeps it.
            *path_effect = PathEffect::StoredAs(now.clone());
        }
        if *path_effect == PathEffect::Stored
            && sent.wanted.get(path).is_none()
            && let Some(still) = account.read_moved(path, &sent.link.carries)
        {
            *path_effect = PathEffect::NotStored(Some(still.clone()));
        }
    }
    Effects {
        path_effects,
        active: sent.active.map(|active| active == account.active()),
        ..Effects::default()
    }
}

/// Reads the account back and compares it with the written values.
async fn read_back(
    context: &Context,
    sent: AccountWrite<'_>,
    before: &AccountValues,
    method: Method,
) -> Result<ReadBack, Halt> {
    let read = match context.client.read(sent.account, &sent.keys_after()).await {
        // The effect of the write is unknown.
        Err(Halt::Failed(trouble)) => return Err(Halt::Failed(Trouble { unsure: true, ..trouble })),
        other => other?,
    };
    let account = match read {
        Read::Found(account) => account,
        Read::Gone(searched) => return Ok(ReadBack::Gone(searched)),
    };
    let mut effects = effects(sent, before, &account);
    context.excuse_hidden(&mut effects, sent.wanted, method.into()).await;
    Ok(ReadBack::Effects(effects))
}

/// Whether a 400 may refuse the method and not a value: some targets answer it to every PATCH.
fn refuses_form(response: &Response) -> bool {
    let of_a_value = ["invalidValue", "uniqueness", "mutability", "sensitive"];
    response.status == StatusCode::BAD_REQUEST
        && !scim_type(response).is_some_and(|word| of_a_value.iter().any(|of| word.eq_ignore_ascii_case(of)))
}

fn scim_type(response: &Response) -> Option<&str> {
    scim::json::get_ci(response.object()?, "scimType")?.as_str()
}
