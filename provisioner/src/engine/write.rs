//! Writes to an existing account: the methods that are tried, the result, and what is learned from the responses.

mod attempt;

use self::attempt::{Attempt, Refusal, attempt};
use super::capabilities::{Order, Permit, Sorted, Turn};
use super::context::Context;
use crate::account_values::is_carried;
use crate::diff::PathEffect;
use crate::ids::TargetId;
use crate::mapping::{Desired, TargetPath};
use crate::report::Reason;
use crate::state::{DisableKind, Link, Method, MethodSupport, NOT_SENT, ShownForm, WriteKind};
use crate::target::lookup::{SearchKeys, Searched};
use crate::target::resource::Account;
use crate::target::{Halt, Trouble};
use serde_json::Value;

/// One write to one account.
#[derive(Clone, Copy)]
pub(crate) struct AccountWrite<'a> {
    pub(crate) account: &'a TargetId,
    /// The keys by which the account may be found.
    pub(crate) keys: &'a SearchKeys,
    pub(crate) wanted: &'a Desired,
    /// The known state of the account.
    pub(crate) link: &'a Link,
    /// The attributes to write; under PUT these are all that is wanted, if any.
    pub(crate) paths: &'a [TargetPath],
    /// The new value of `active`.
    pub(crate) active: Option<bool>,
    /// The account as this run has read it already.
    pub(crate) base: Option<&'a Account>,
}

/// The effects of the parts of a write.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Effects {
    /// The paths that were written.
    pub(crate) path_effects: Vec<(TargetPath, PathEffect)>,
    /// Paths that the account carried already.
    pub(crate) carried: Vec<TargetPath>,
    /// Paths that were not written, because the target does not store them.
    pub(crate) left_out: Vec<TargetPath>,
    /// Whether `active` has the wanted value; `None` if it was not written.
    pub(crate) active: Option<bool>,
}

/// The result of a write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WriteOutcome {
    /// The write is in effect, except as the effects tell.
    Done(Effects),
    /// Answered as done, or not sent, and nothing of it is in effect.
    Ignored(Effects, String),
    /// Not in effect, or not known to be.
    Refused(Trouble),
    /// 409 to a new user name.
    Taken(String),
    /// The account is not found (SCIM 404 by id and in no look-up), and was not before this write.
    Gone(Searched),
    /// Answered as done, and the account is not found after it.
    Hidden,
    /// The account is gone because it was to be disabled.
    DeletedByTarget,
    /// No disable is sent on this connection.
    Withheld,
}

impl WriteOutcome {
    /// Whether a write of attributes and `active` together was refused in a way that either of them may be the cause of.
    pub(crate) const fn may_be_of_either(&self) -> bool {
        match self {
            Self::Taken(_) => true,
            Self::Refused(trouble) => {
                !trouble.unsure
                    && matches!(
                        trouble.reason,
                        Reason::Rejected | Reason::Forbidden | Reason::TargetError | Reason::Unreachable
                    )
            }
            Self::Done(_)
            | Self::Ignored(..)
            | Self::Gone(_)
            | Self::Hidden
            | Self::DeletedByTarget
            | Self::Withheld => false,
        }
    }

    /// Returns why a change of `active` had no effect, if the reason concerns the target and not this user.
    const fn limitation(&self) -> Option<Reason> {
        match self {
            Self::Refused(Trouble { reason: reason @ Reason::PartialUpdateUnsupported, .. }) => Some(*reason),
            Self::Done(Effects { active: Some(false), .. })
            | Self::Ignored(Effects { active: Some(false), .. }, _) => Some(Reason::IgnoredByTarget),
            Self::Done(_)
            | Self::Ignored(..)
            | Self::Refused(_)
            | Self::Taken(_)
            | Self::Gone(_)
            | Self::Hidden
            | Self::DeletedByTarget
            | Self::Withheld => None,
        }
    }
}

impl Effects {
    fn lost(&self) -> impl Iterator<Item = &TargetPath> {
        self.path_effects.iter().filter(|(_, path_effect)| path_effect.is_not_stored()).map(|(path, _)| path)
    }

    fn took(&self) -> impl Iterator<Item = &TargetPath> {
        self.path_effects.iter().filter(|(_, path_effect)| path_effect.took_effect()).map(|(path, _)| path)
    }

    /// Paths that the target does not store, whether they were written or not.
    pub(crate) fn not_stored(&self) -> Vec<TargetPath> {
        self.lost().chain(&self.left_out).cloned().collect()
    }

    /// Paths whose value the target stores in another form.
    pub(crate) fn in_other_form(&self, wanted: &Desired) -> Vec<TargetPath> {
        let other = |(path, path_effect): &&(TargetPath, PathEffect)| match (path_effect, wanted.get(path)) {
            (PathEffect::StoredAs(shown), Some(written)) => {
                !crate::account_values::is_form_of(path, shown, written)
            }
            (
                PathEffect::StoredAs(_)
                | PathEffect::Stored
                | PathEffect::Unverifiable
                | PathEffect::SameForm(_)
                | PathEffect::Assumed(_)
                | PathEffect::NotStored(_),
                _,
            ) => false,
        };
        self.path_effects.iter().filter(other).map(|(path, _)| path.clone()).collect()
    }

    /// Paths at which the account shows the former value, which is another spelling of the written one.
    pub(crate) fn left_as_spelled(&self) -> Vec<TargetPath> {
        let left =
            |(_, path_effect): &&(TargetPath, PathEffect)| matches!(path_effect, PathEffect::SameForm(_));
        self.path_effects.iter().filter(left).map(|(path, _)| path.clone()).collect()
    }

    /// Whether the read-back does not show if the write had an effect.
    fn prove_nothing(&self) -> bool {
        self.active.is_none()
            && self.path_effects.iter().all(|(_, path_effect)| matches!(path_effect, PathEffect::SameForm(_)))
    }

    /// Whether the write was answered as done and had no effect at all; `needed` is its purpose.
    fn is_nothing(&self, needed: &[TargetPath]) -> bool {
        let writes = !self.path_effects.is_empty() || self.active.is_some();
        let nothing = |(path, path_effect): &(TargetPath, PathEffect)| {
            path_effect.is_not_stored()
                || (*path_effect == PathEffect::Unverifiable && !needed.contains(path))
        };
        writes && self.active != Some(true) && self.path_effects.iter().all(nothing)
    }
}

impl AccountWrite<'_> {
    const fn disables(&self) -> bool {
        matches!(self.active, Some(false))
    }

    fn renames(&self) -> bool {
        self.paths.iter().any(|path| *path == TargetPath::user_name())
    }

    /// Returns every key by which the account may be found after the write.
    fn keys_after(&self) -> SearchKeys {
        if self.renames() { self.keys.renamed_to(self.wanted.user_name()) } else { self.keys.clone() }
    }

    /// Returns the paths whose effect under `method` this write may show: under PUT all wanted ones that are not known to
    /// be stored.
    fn concerns(&self, method: Method) -> Vec<TargetPath> {
        let beside = |(path, value): &(&TargetPath, &Value)| {
            !self.paths.contains(path) && !is_carried(&self.link.carries, path, Some(value))
        };
        let all = self.wanted.iter().filter(beside).map(|(path, _)| path).filter(|_| method == Method::Put);
        self.paths.iter().chain(all.filter(|_| !self.paths.is_empty())).cloned().collect()
    }

    /// Whether a value that is written was sent before in vain, or was read otherwise since.
    fn is_doubtful(&self) -> bool {
        self.paths.iter().any(|path| {
            matches!(self.link.shows.get(path), Some(ShownForm::Ignored { .. } | ShownForm::Changed { .. }))
        })
    }
}

/// The result of one method that did not work.
enum Failure {
    /// It was refused.
    Refused(Trouble, Refusal),
    /// It was answered as done, or not sent, and nothing is in effect.
    Nothing(Effects, String),
}

/// Carries out `write` by the methods that fit the connection.
pub(crate) async fn write(context: &Context, write: AccountWrite<'_>) -> Result<WriteOutcome, Halt> {
    let capabilities = &context.capabilities;
    let permit = match write.active {
        Some(false) => match capabilities.disable_permit().await {
            Some(permit) => permit,
            None => return Ok(WriteOutcome::Withheld),
        },
        Some(true) => capabilities.enable_permit().await,
        None => Permit::Known,
    };
    if write.disables() && capabilities.disables_are_ignored() {
        let detail =
            format!("{NOT_SENT}: three disables in this run were answered as done and changed nothing");
        return Ok(WriteOutcome::Refused(Trouble::new(Reason::IgnoredByTarget, detail)));
    }
    let written = by_methods(context, write).await?;
    let kind = WriteKind::of(write.active);
    if let Some(reason) = written.limitation() {
        capabilities.failed(kind, reason);
    }
    match &written {
        WriteOutcome::DeletedByTarget => {
            capabilities.learn(|learned| learned.disable = DisableKind::Withheld);
        }
        WriteOutcome::Ignored(Effects { active: Some(false), .. }, _)
        | WriteOutcome::Done(Effects { active: Some(false), .. })
            if write.disables() =>
        {
            capabilities.disable_ignored();
        }
        WriteOutcome::Done(_)
        | WriteOutcome::Ignored(..)
        | WriteOutcome::Refused(_)
        | WriteOutcome::Taken(_)
        | WriteOutcome::Gone(_)
        | WriteOutcome::Hidden
        | WriteOutcome::Withheld => {}
    }
    // Whoever sends the next one of the kind knows what this one has shown.
    context.keep_lessons().await?;
    drop(permit);
    Ok(written)
}

/// Whether attributes and `active` are written together: by the same method, where one is left to write.
pub(crate) fn go_together(context: &Context, paths: &[TargetPath], active: bool) -> bool {
    let capabilities = &context.capabilities;
    let method = capabilities.order(WriteKind::of(Some(active))).first;
    method == capabilities.order(WriteKind::Attributes).first
        && !capabilities.is_ignored(method)
        && !capabilities.sort(method.into(), paths).send.is_empty()
}

/// Tries the methods one after the other, and learns from each.
async fn by_methods(context: &Context, mut write: AccountWrite<'_>) -> Result<WriteOutcome, Halt> {
    let capabilities = &context.capabilities;
    let kind = WriteKind::of(write.active);
    let mut permit: Option<Turn<'_>> = None;
    let (order, mut sorted) = loop {
        let order = capabilities.order(kind);
        let sorted = capabilities.sort(order.first.into(), write.paths);
        let concerned = capabilities.sort(order.first.into(), &write.concerns(order.first));
        let unverified = concerned.unverified || capabilities.is_due(kind, order.first);
        if permit.is_some() || write.paths.is_empty() || !unverified {
            break (order, sorted);
        }
        // Another write that is in flight may change all of this.
        permit = Some(capabilities.attributes_permit().await);
    };
    let Order { first, second } = order;
    let mut so_far: Option<Effects> = None;
    let mut failed: Vec<(Method, Failure)> = Vec::new();
    for method in [Some(first), second].into_iter().flatten() {
        if method != first {
            sorted = capabilities.sort(method.into(), write.paths);
            if sorted.unverified && permit.is_none() {
                permit = Some(capabilities.attributes_permit().await);
                sorted = capabilities.sort(method.into(), write.paths);
            }
        }
        let Sorted { send, left_out, .. } = &sorted;
        if write.active.is_none()
            && (send.is_empty() || (!capabilities.may_switch() && capabilities.is_ignored(method)))
        {
            let effects = Effects { left_out: write.paths.to_vec(), ..Effects::default() };
            failed.push((method, Failure::Nothing(effects, not_sent(method, send.is_empty()))));
            continue;
        }
        let suspect = capabilities.support(kind, method).is_against();
        capabilities.begin(kind, method);
        let part = AccountWrite { paths: send, ..write };
        let verify = sorted.unverified || suspect || part.is_doubtful();
        let (mut effects, status) = match attempt(context, part, method, verify).await? {
            Attempt::Judged(effects, status) => (effects, status),
            Attempt::EndedRun(written) => return Ok(written),
            Attempt::Refused(trouble, refusal) => {
                let goes_on = refused(context, kind, method, refusal);
                failed.push((method, Failure::Refused(trouble, refusal)));
                if goes_on {
                    continue;
                }
                break;
            }
        };
        effects.left_out.extend(left_out.iter().cloned());
        if effects.is_nothing(write.paths) {
            failed.push((
                method,
                Failure::Nothing(
                    effects,
                    format!("{} was answered {status} and changed nothing", method.as_str()),
                ),
            ));
            continue;
        }
        let active_ignored = effects.active == Some(false);
        learn(context, kind, method, &effects);
        let effects = match so_far.take() {
            Some(before) => Effects { active: effects.active, ..before },
            None => effects,
        };
        if !active_ignored {
            if !effects.prove_nothing() {
                for (method, failure) in &failed {
                    note_fallback(context, kind, *method, failure);
                }
            }
            return Ok(WriteOutcome::Done(effects));
        }
        // The attributes are in effect, and `active` is not: it is sent alone by the other method.
        failed.push((
            method,
            Failure::Nothing(Effects { active: Some(false), ..Effects::default() }, String::new()),
        ));
        so_far = Some(effects);
        write.paths = &[];
    }
    drop(permit);
    if let Some(effects) = so_far {
        return Ok(WriteOutcome::Done(effects));
    }
    Ok(nothing_worked(context, kind, order, failed))
}

fn not_sent(method: Method, known: bool) -> String {
    if known {
        NOT_SENT.to_owned()
    } else {
        format!("{NOT_SENT}: every {} so far was answered as done and changed nothing", method.as_str())
    }
}

/// Draws the lesson of a refusal; whether the other method is worth a try.
fn refused(context: &Context, kind: WriteKind, method: Method, refusal: Refusal) -> bool {
    let capabilities = &context.capabilities;
    match refusal {
        Refusal::Unsupported => {
            let worked = capabilities.support(kind, method) == MethodSupport::Works;
            if !worked && method == Method::Patch {
                capabilities.unusable(kind, method);
            }
            capabilities.may_switch() && (!worked || kind != WriteKind::Attributes)
        }
        Refusal::ClientError => capabilities.may_switch(),
        Refusal::Final => false,
    }
}

/// Learns from the effects of a write.
fn learn(context: &Context, kind: WriteKind, method: Method, effects: &Effects) {
    let capabilities = &context.capabilities;
    if effects.took().next().is_some() {
        capabilities.works(WriteKind::Attributes, method);
    }
    if effects.active == Some(true) && kind != WriteKind::Attributes {
        capabilities.works(kind, method);
    }
    capabilities.stored(method.into(), effects.took().cloned());
    capabilities.not_stored(method.into(), effects.lost().cloned());
}

/// Notes that the other method worked for the same user, and `method` did not.
fn note_fallback(context: &Context, kind: WriteKind, method: Method, failure: &Failure) {
    match failure {
        // 405 or 501 to a method that has done such a write here before is about this user.
        Failure::Refused(_, Refusal::Unsupported)
            if context.capabilities.support(kind, method) == MethodSupport::Works => {}
        Failure::Nothing(..) | Failure::Refused(_, Refusal::Unsupported | Refusal::ClientError) => {
            context.capabilities.unusable(kind, method);
        }
        Failure::Refused(_, Refusal::Final) => {}
    }
}

/// Returns the result if no method worked, and notes what it shows of the target.
fn nothing_worked(
    context: &Context,
    kind: WriteKind,
    order: Order,
    failed: Vec<(Method, Failure)>,
) -> WriteOutcome {
    let capabilities = &context.capabilities;
    for (method, failure) in &failed {
        if let Failure::Nothing(effects, _) = failure {
            capabilities.not_stored((*method).into(), effects.lost().cloned());
            if !capabilities.may_switch() && kind == WriteKind::Attributes {
                capabilities.conclude(*method);
            }
        }
    }
    let mut failures = failed.into_iter().map(|(_, failure)| failure);
    let (first, second) = (failures.next(), failures.next());
    match (first, second) {
        // A refusal with another cause than missing support concerns this user, and is more specific than that of the
        // other method.
        (Some(Failure::Refused(trouble, _)), None)
        | (
            Some(Failure::Refused(trouble, Refusal::ClientError)),
            Some(Failure::Refused(..) | Failure::Nothing(..)),
        )
        | (Some(Failure::Nothing(..)), Some(Failure::Refused(trouble, _))) => WriteOutcome::Refused(trouble),
        (Some(Failure::Refused(first, _)), Some(Failure::Refused(second, _))) => {
            WriteOutcome::Refused(Trouble { detail: joined(&first.detail, &second.detail), ..second })
        }
        (Some(Failure::Nothing(effects, mut detail)), None) => {
            add_other_method(context, order.first, &mut detail);
            WriteOutcome::Ignored(effects, detail)
        }
        (Some(Failure::Refused(trouble, _)), Some(Failure::Nothing(effects, detail))) => {
            WriteOutcome::Ignored(effects, joined(&trouble.detail, &detail))
        }
        (Some(Failure::Nothing(first, one)), Some(Failure::Nothing(second, other))) => {
            // A value that was sent by either method is known to be ignored; a value that was not sent is not.
            let effects =
                if second.path_effects.is_empty() && second.active.is_none() { first } else { second };
            WriteOutcome::Ignored(effects, joined(&one, &other))
        }
        (None, _) => WriteOutcome::Done(Effects::default()),
    }
}

/// Names the way out that a fixed method leaves untried.
fn add_other_method(context: &Context, method: Method, detail: &mut String) {
    if !context.capabilities.may_switch() {
        detail.push_str("; set update-method = \"auto\" under [connection.options], which tries ");
        detail.push_str(method.other().as_str());
        detail.push_str(" too");
    }
}

fn joined(one: &str, other: &str) -> String {
    if one == other { one.to_owned() } else { format!("{one}; {other}") }
}
