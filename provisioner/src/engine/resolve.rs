//! Unresolved creates: which account a POST made whose outcome is not known.
//!
//! It is found out before anything is decided, by what was sent and not by what the source says now: the user may have
//! been renamed, disabled, deleted or re-hired since.

use super::context::Context;
use crate::ids::{SourceId, UserName};
use crate::mapping::TargetPath;
use crate::report::Reason;
use crate::state::{PathSupport, Posted};
use crate::target::lookup::{Listed, Lookup, Named};
use crate::target::resource::Account;
use crate::target::{Halt, Trouble};

/// What came of a POST.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Created {
    /// This account.
    Account(Box<Account>),
    /// No account.
    Nothing,
}

/// Looks for the account that `posted` may have made for the user `id`: by `externalId`, then by `userName`.
///
/// An account is the posted one if it names the user as its origin. One without an origin is too if it has the posted
/// user name and the target is not known to keep origins: a look-up before the POST showed no account of that name. Accounts
/// linked to somebody else are not.
///
/// # Errors
/// The target could not answer, or several accounts may be the one: the create stays unresolved.
pub(crate) async fn resolve(context: &Context, id: &SourceId, posted: &Posted) -> Result<Created, Halt> {
    let free = |account: &Account| context.holder(&account.id).is_none_or(|holder| holder == *id);
    let origin = posted.external_id.as_deref();
    let by_origin = match origin {
        Some(origin) => context.client.accounts_from(origin).await,
        None => Ok(None),
    };
    let (mut by_origin, unanswered) = match by_origin {
        Ok(found) => (found.unwrap_or_default(), None),
        Err(Halt::Stopped) => return Err(Halt::Stopped),
        Err(failed) => (Vec::new(), Some(failed)),
    };
    by_origin.retain(free);
    if let Some(only) = only(&mut by_origin) {
        return Ok(Created::Account(only));
    }
    let Listed { accounts, count } = context.client.accounts_named(&posted.user_name).await?;
    let accounts = accounts.into_iter().filter(free);
    let (mut same_origin, others): (Vec<Account>, Vec<Account>) =
        accounts.partition(|account| origin.is_some() && account.external_id() == origin);
    if let Some(only) = only(&mut same_origin) {
        return Ok(Created::Account(only));
    }
    if let Some(failed) = unanswered {
        return Err(failed);
    }
    // Somebody else may have made an account of that name by hand.
    let is_posted = |account: &Account| account.external_id().is_none() && may_lack(context, origin);
    let mut no_origin: Vec<Account> = others.into_iter().filter(is_posted).collect();
    if same_origin.is_empty() && by_origin.is_empty() && count <= 1 {
        return Ok(only(&mut no_origin).map_or(Created::Nothing, Created::Account));
    }
    if same_origin.is_empty() && by_origin.is_empty() && no_origin.is_empty() {
        return Ok(Created::Nothing);
    }
    let detail = format!(
        "a create was cut off, and any of {} accounts may be the one it made: leave one",
        by_origin.len().max(count)
    );
    Err(Trouble::new(Reason::AmbiguousMatch, detail).into())
}

/// Looks for the account of the user `id` whose account by id is gone: by its present name, then by the `origin` that it was
/// given. A target that restores or moves an account gives it another id, and perhaps another name. `known` is what the read
/// has found under the name that the account had.
///
/// # Errors
/// The target could not answer.
pub(crate) async fn find_again(
    context: &Context,
    id: &SourceId,
    origin: Option<&str>,
    name: &UserName,
    known: Named,
) -> Result<Lookup, Halt> {
    let by_name = if known.name == *name { known.lookup } else { context.client.look_up(name).await? };
    let (Lookup::None, Some(origin)) = (&by_name, origin) else { return Ok(by_name) };
    let mut found = context.client.accounts_from(origin).await?.unwrap_or_default();
    found.retain(|account| context.holder(&account.id).is_none_or(|holder| holder == *id));
    Ok(match found.len() {
        0 => Lookup::None,
        1 => found.pop().map_or(Lookup::None, |account| Lookup::One(Box::new(account))),
        several => Lookup::Several(several),
    })
}

/// Whether an account without an origin may be the one that was posted with `origin`: not where the target is known to keep it.
pub(crate) fn may_lack(context: &Context, origin: Option<&str>) -> bool {
    let stored = || {
        let learned = context.learning.learned();
        learned.paths.post.get(&TargetPath::external_id()) == Some(&PathSupport::Stored)
    };
    origin.is_none() || !stored()
}

/// The only one of several, if there is exactly one.
fn only(accounts: &mut Vec<Account>) -> Option<Box<Account>> {
    if accounts.len() == 1 { accounts.pop().map(Box::new) } else { None }
}
