//! Unresolved creates: which account a POST made whose outcome is not known.
//!
//! It is found out before anything is decided, by what was sent and not by what the source says now: the user may have
//! been renamed, disabled, deleted or re-hired since.

use super::context::Context;
use crate::ids::SourceId;
use crate::report::Reason;
use crate::state::Posted;
use crate::target::lookup::Listed;
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
/// user name: a look-up before the POST showed no account of that name. Accounts linked to somebody else are not.
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
    let mut no_origin: Vec<Account> =
        others.into_iter().filter(|account| account.external_id().is_none()).collect();
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

/// The only one of several, if there is exactly one.
fn only(accounts: &mut Vec<Account>) -> Option<Box<Account>> {
    if accounts.len() == 1 { accounts.pop().map(Box::new) } else { None }
}
