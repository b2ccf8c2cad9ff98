//! One write by one method: the request, and what the account shows afterwards.

use reqwest::{Method as Verb, StatusCode};
use serde_json::{Value, json};

use super::{Effects, Write, Written};
use crate::diff::{Fate, Strays, fates, is_form_of, is_never_returned, merge, patch_operations, writable};
use crate::engine::context::Context;
use crate::mapping::TargetPath;
use crate::report::Reason;
use crate::state::{Carried, Method, MethodSupport, PathSupport, Shows, WriteKind};
use crate::target::answer::Answer;
use crate::target::client::Request;
use crate::target::lookup::{Read, Searched};
use crate::target::resource::Account;
use crate::target::{Halt, Trouble};

/// How a write by one method ended.
pub(super) enum Attempt {
    /// It was answered as done, or seen to have taken effect; with the status of the answer.
    Judged(Effects, u16),
    /// It was refused, and is not in effect.
    Refused(Trouble, Refusal),
    /// The other method would come to the same.
    Ended(Written),
}

/// What a refusal speaks of.
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

/// What the account shows after a write.
enum Looked {
    Effects(Effects),
    Gone(Searched),
}

/// Sends `write` by `method`; `verify` has it read back whatever the answer says.
pub(super) async fn attempt(
    context: &Context,
    write: Write<'_>,
    method: Method,
    verify: bool,
) -> Result<Attempt, Halt> {
    let enables = write.active == Some(true)
        && context.learning.support(WriteKind::Enable, method) != MethodSupport::Works;
    let verify = verify || write.disables() || enables;
    match method {
        Method::Patch => patch(context, write, verify).await,
        Method::Put => put(context, write, verify).await,
    }
}

/// The account as it is before a write: what the run has read already, where that is good enough.
async fn look_first(context: &Context, write: Write<'_>, fresh: bool) -> Result<Base, Halt> {
    // A Disable asks anew: an account that somebody else has deleted meanwhile was not deleted by it.
    if let (Some(account), false, false) = (write.base, fresh, write.disables()) {
        return Ok(Base::Account(Box::new(account.clone())));
    }
    Ok(match context.client.read(write.account, write.keys).await? {
        Read::Found(account) => Base::Account(account),
        Read::Gone(searched) => Base::Gone(searched),
    })
}

/// Whether `account` shows what is wanted at `path` already.
fn has(account: &Account, path: &TargetPath, write: Write<'_>) -> bool {
    match write.wanted.get(path) {
        _ if is_never_returned(path) => false,
        Some(wanted) => account.shows(path, wanted) || write.link.shows_form(path, wanted, account),
        // A value that was written here and has lost what it was selected by is there all the same.
        None => account.read(path).is_none() && account.read_stray(path, &write.link.carries).is_none(),
    }
}

async fn patch(context: &Context, write: Write<'_>, verify: bool) -> Result<Attempt, Halt> {
    let mut carries = write.link.carries.clone();
    let mut strays = Strays::default();
    let (mut paths, mut active) = (write.paths.to_vec(), write.active);
    let mut reread = false;
    // What teaches something, and every disable, is compared with what the account carries now, not with what was sent once. To
    // remove what nothing selects is answered as done, too.
    let clears = |path: &TargetPath| path.selector().is_some() && write.wanted.get(path).is_none();
    let mut looks = verify || write.paths.iter().any(clears);
    loop {
        if std::mem::take(&mut looks) {
            match look_first(context, write, reread).await? {
                Base::Account(account) => {
                    strays = Strays::find(&account, write.paths, &write.link.carries);
                    carries = account.project(carries.keys().chain(write.paths));
                    paths.retain(|path| !has(&account, path, write));
                    active = active.filter(|active| *active != account.active());
                }
                Base::Gone(searched) => return Ok(Attempt::Ended(Written::Gone(searched))),
            }
        }
        let carried = write.paths.iter().filter(|path| !paths.contains(path)).cloned().collect();
        let sent = Write { paths: &paths, active, ..write };
        let operations = patch_operations(sent.paths, sent.wanted, &carries, &strays, sent.active);
        if operations.is_empty() {
            return Ok(Attempt::Judged(Effects { carried: write.paths.to_vec(), ..Effects::default() }, 200));
        }
        let body = json!({ "schemas": [scim::schema::PATCH_URN], "Operations": operations });
        let segments = ["Users", write.account.as_str()];
        let request = Request { body: Some(&body), ..Request::new(&Verb::PATCH, &segments) };
        let answer = match context.client.send(request).await {
            Ok(answer) => answer,
            Err(Halt::Failed(trouble)) => {
                return after_error(context, sent, &carries, trouble, Refusal::Final, Method::Patch).await;
            }
            Err(Halt::Stopped) => return Err(Halt::Stopped),
        };
        // A target may have lost what it was thought to carry: look, and say it in terms of what is there.
        if scim_type(&answer) == Some("noTarget") && !reread {
            reread = true;
            looks = true;
            continue;
        }
        return judge(context, sent, &carries, carried, answer, Method::Patch, verify).await;
    }
}

async fn put(context: &Context, write: Write<'_>, verify: bool) -> Result<Attempt, Halt> {
    let mut conflict = None;
    for turn in 0..2 {
        let base = match look_first(context, write, turn > 0).await? {
            Base::Account(base) => base,
            Base::Gone(searched) => return Ok(Attempt::Ended(Written::Gone(searched))),
        };
        let active = write.active.unwrap_or_else(|| base.active());
        let mut paths = write.paths.to_vec();
        paths.extend(write.paths.first().into_iter().flat_map(|_| beside(context, write, &base)));
        paths.retain(|path| !has(&base, path, write));
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
        let sent = Write { paths: &paths, active: write.active.filter(|_| active != base.active()), ..write };
        let answer = match context.client.send(request).await {
            Ok(answer) => answer,
            Err(Halt::Failed(trouble)) => {
                return after_error(context, sent, &before, trouble, Refusal::Final, Method::Put).await;
            }
            Err(Halt::Stopped) => return Err(Halt::Stopped),
        };
        if answer.status == StatusCode::PRECONDITION_FAILED {
            conflict = Some(answer.trouble());
            continue;
        }
        let verify = verify || context.learning.sort(Method::Put.into(), &paths).unverified;
        return judge(context, sent, &before, carried, answer, Method::Put, verify).await;
    }
    let trouble = conflict.unwrap_or_else(|| Trouble::new(Reason::Conflict, "changed meanwhile, twice"));
    Ok(Attempt::Refused(trouble, Refusal::Final))
}

/// What else is wanted: whoever writes attributes by PUT writes all of them, since the whole resource travels anyway; save
/// what the target is known not to store.
fn beside(context: &Context, write: Write<'_>, base: &Account) -> Vec<TargetPath> {
    let learned = context.learning.learned();
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

/// What an answer means for what was `sent`.
async fn judge(
    context: &Context,
    sent: Write<'_>,
    before: &Carried,
    carried: Vec<TargetPath>,
    answer: Answer,
    method: Method,
    verify: bool,
) -> Result<Attempt, Halt> {
    let status = answer.status;
    if status.is_success() {
        let attempt = see(context, sent, before, &answer, method, verify).await?;
        return Ok(match attempt {
            Attempt::Judged(effects, status) => Attempt::Judged(Effects { carried, ..effects }, status),
            other => other,
        });
    }
    if status == StatusCode::CONFLICT && sent.renames() {
        return Ok(Attempt::Ended(Written::Taken(answer.describe())));
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
            let trouble = Trouble::new(Reason::PartialUpdateUnsupported, answer.describe());
            (trouble, Refusal::Unsupported)
        }
        (false, true) => (answer.trouble(), Refusal::ClientError),
        (false, false) => (answer.trouble(), Refusal::Final),
    };
    let kind = WriteKind::of(sent.active);
    if unsupported && context.learning.support(kind, method) == MethodSupport::Works {
        // The method has done such a write here before: the refusal is about this user.
        trouble.reason = Reason::Rejected;
    }
    if matches!(status.as_u16(), 404 | 405 | 501)
        || (refuses_form(&answer) && context.learning.support(kind, method) != MethodSupport::Works)
    {
        super::add_other_method(context, method, &mut trouble.detail);
    }
    if unsupported && !sent.disables() {
        return Ok(Attempt::Refused(trouble, refusal));
    }
    after_error(context, sent, before, trouble, refusal, method).await
}

/// After an answer that is no success, or none at all: what the account looks like decides, then the error.
async fn after_error(
    context: &Context,
    sent: Write<'_>,
    before: &Carried,
    trouble: Trouble,
    refusal: Refusal,
    method: Method,
) -> Result<Attempt, Halt> {
    // What is written beside `active` may be why nothing came of either, as long as the target is there at all.
    let may_be_of_either = sent.active.is_some()
        && !sent.paths.is_empty()
        && matches!(trouble.reason, Reason::TargetError | Reason::Unreachable);
    let worth_a_look = sent.disables() || trouble.reason == Reason::Rejected || may_be_of_either;
    if !worth_a_look {
        return Ok(Attempt::Refused(trouble, refusal));
    }
    match look(context, sent, before, method).await {
        Ok(Looked::Gone(_)) if sent.disables() => Ok(Attempt::Ended(Written::DeletedByTarget)),
        Ok(Looked::Gone(searched)) => Ok(Attempt::Ended(Written::Gone(searched))),
        Ok(Looked::Effects(effects)) => {
            let whole = effects.active != Some(false) && effects.fates.iter().all(|(_, fate)| fate.took());
            if whole && (effects.active.is_some() || !effects.fates.is_empty()) {
                return Ok(Attempt::Judged(effects, 200));
            }
            Ok(Attempt::Refused(Trouble { unsure: false, ..trouble }, refusal))
        }
        Err(Halt::Failed(_)) => Ok(Attempt::Refused(Trouble { unsure: true, ..trouble }, Refusal::Final)),
        Err(Halt::Stopped) => Err(Halt::Stopped),
    }
}

/// What a write came to that was answered as done, by what a read showed after it.
fn seen(sent: Write<'_>, looked: Looked, status: u16) -> Attempt {
    match looked {
        Looked::Effects(effects) => Attempt::Judged(effects, status),
        // It was found before the Disable.
        Looked::Gone(_) if sent.disables() => Attempt::Ended(Written::DeletedByTarget),
        Looked::Gone(_) => Attempt::Ended(Written::Hidden),
    }
}

/// What came of a write that was answered as done. An answer that carries the resource is compared with what was sent; where
/// it shows less, or the write has to be `verified`, the account is read.
async fn see(
    context: &Context,
    sent: Write<'_>,
    before: &Carried,
    answer: &Answer,
    method: Method,
    verify: bool,
) -> Result<Attempt, Halt> {
    let status = answer.status.as_u16();
    let shown = answer
        .object()
        .and_then(|object| Account::new(object, None))
        .filter(|account| account.id == *sent.account)
        .filter(|_| context.learning.answers_are_whole(method.into()));
    let told = shown.map(|account| effects(sent, before, &account));
    let short = |effects: &Effects| effects.active == Some(false) || effects.lost().next().is_some();
    match told {
        _ if verify => {}
        None => return Ok(Attempt::Judged(believed(sent, before), status)),
        Some(told) if !short(&told) => return Ok(Attempt::Judged(told, status)),
        Some(_) => {
            let looked = look(context, sent, before, method).await?;
            if matches!(&looked, Looked::Effects(read) if !short(read)) {
                context.learning.answers_partially(method.into());
            }
            return Ok(seen(sent, looked, status));
        }
    }
    Ok(seen(sent, look(context, sent, before, method).await?, status))
}

fn believed(sent: Write<'_>, before: &Carried) -> Effects {
    let fate = |path: &TargetPath| {
        if is_never_returned(path) { Fate::Unproven } else { Fate::Believed(before.get(path).cloned()) }
    };
    Effects {
        fates: sent.paths.iter().map(|path| (path.clone(), fate(path))).collect(),
        active: sent.active.map(|_| true),
        ..Effects::default()
    }
}

fn effects(sent: Write<'_>, before: &Carried, account: &Account) -> Effects {
    let mut fates = fates(sent.paths, sent.wanted, before, account);
    for (path, fate) in &mut fates {
        let by_write = matches!(sent.link.shows.get(path), Some(Shows::Changed { by_write: true }));
        if let (true, Fate::Lost(Some(now))) = (by_write, &*fate) {
            // It became this by an earlier write of such a value: that is how the target keeps it.
            *fate = Fate::As(now.clone());
        }
        if *fate == Fate::Took
            && sent.wanted.get(path).is_none()
            && let Some(still) = account.read_stray(path, &sent.link.carries)
        {
            *fate = Fate::Lost(Some(still.clone()));
        }
    }
    Effects { fates, active: sent.active.map(|active| active == account.active()), ..Effects::default() }
}

/// Reads the account back and compares it with what was written.
async fn look(context: &Context, sent: Write<'_>, before: &Carried, method: Method) -> Result<Looked, Halt> {
    let read = match context.client.read(sent.account, &sent.keys_after()).await {
        // Nobody knows whether the write took effect.
        Err(Halt::Failed(trouble)) => return Err(Halt::Failed(Trouble { unsure: true, ..trouble })),
        other => other?,
    };
    let account = match read {
        Read::Found(account) => account,
        Read::Gone(searched) => return Ok(Looked::Gone(searched)),
    };
    let mut effects = effects(sent, before, &account);
    context.absolve(&mut effects, sent.wanted, method.into()).await;
    Ok(Looked::Effects(effects))
}

/// Whether a 400 may speak of the method and not of a value: some targets answer it to every PATCH.
fn refuses_form(answer: &Answer) -> bool {
    let of_a_value = ["invalidValue", "uniqueness", "mutability", "sensitive"];
    answer.status == StatusCode::BAD_REQUEST
        && !scim_type(answer).is_some_and(|word| of_a_value.iter().any(|of| word.eq_ignore_ascii_case(of)))
}

fn scim_type(answer: &Answer) -> Option<&str> {
    scim::path::get_ci(answer.object()?, "scimType")?.as_str()
}
