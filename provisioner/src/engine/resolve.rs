//! Unresolved creates: which account a POST made whose outcome is not known.
//!
//! Unresolved creates come before any decision. The sent values identify the account, and not those of the source: the
//! user may have been renamed, disabled, deleted or re-hired since.

use std::collections::BTreeSet;

use super::context::Context;
use crate::ids::{SourceId, UserName};
use crate::mapping::TargetPath;
use crate::report::Reason;
use crate::state::{PathSupport, Posted};
use crate::target::lookup::{Listed, Lookup, SearchKeys, Searched};
use crate::target::resource::Account;
use crate::target::{Halt, Trouble};

/// The result of a POST.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Created {
    /// This account.
    Account(Box<Account>),
    /// No account.
    Nothing,
}

/// Looks for the account that `posted` may have made for the user `id`: by `externalId`, then by `userName`.
///
/// An account is the posted one if it has both. One without an `externalId` is too if it has the posted user name and the
/// target is not known to keep origins: a look-up before the POST showed no account of that name. One with the `externalId` and
/// another name may be the posted one, renamed since, or another person's: other systems number their people too. Accounts
/// that are linked to another user are not.
///
/// # Errors
/// The target could not answer, or an account may or may not be the posted one: the create stays unresolved.
pub(crate) async fn resolve(context: &Context, id: &SourceId, posted: &Posted) -> Result<Created, Halt> {
    let free = |account: &Account| !context.is_held_by_another(&account.id, id);
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
    let has_name = |account: &Account| account.user_name().as_ref() == Some(&posted.user_name);
    let (mut both, renamed): (Vec<Account>, Vec<Account>) = by_origin.into_iter().partition(has_name);
    if let Some(only) = only(&mut both) {
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
    let none_has_origin = both.is_empty() && renamed.is_empty() && same_origin.is_empty();
    if none_has_origin && count <= 1 {
        return Ok(only(&mut no_origin).map_or(Created::Nothing, Created::Account));
    }
    if none_has_origin && no_origin.is_empty() {
        return Ok(Created::Nothing);
    }
    let candidates: Vec<Account> = [both, same_origin, no_origin, renamed].concat();
    Err(undecided("a create was cut off", &posted.user_name, candidates).into())
}

/// Searches for the account of the user `id` whose account by id is gone: by its present name, then by its `externalId`.
/// A target that restores or moves an account gives it another id. Searches behind the 404 (`searched`) are not repeated.
///
/// # Errors
/// The target could not answer; or an account has the `externalId` and none of the names that the account of the user had,
/// so it is not known whose it is.
pub(crate) async fn find_again(
    context: &Context,
    id: &SourceId,
    keys: &SearchKeys,
    name: &UserName,
    searched: &Searched,
) -> Result<Lookup, Halt> {
    let by_name = searched.look_up(&context.client, name).await?;
    let (Lookup::None, Some(origin)) = (&by_name, keys.external_id()) else { return Ok(by_name) };
    let mut found = searched.accounts_from(&context.client, origin).await?.unwrap_or_default();
    found.retain(|account| !context.is_held_by_another(&account.id, id));
    let (mut named, renamed): (Vec<Account>, Vec<Account>) =
        found.into_iter().partition(|account| keys.have_name_of(account));
    match (only(&mut named), named.is_empty() && renamed.is_empty()) {
        (Some(account), _) => Ok(Lookup::One(account)),
        (None, true) => Ok(Lookup::None),
        (None, false) => Err(undecided("its account is gone", name, [named, renamed].concat()).into()),
    }
}

/// Returns the failure of a user `name` for whom one of `candidates` may be the account, with the way out.
fn undecided(what: &str, name: &UserName, candidates: Vec<Account>) -> Trouble {
    const NAMED: usize = 3;
    let name = format!("{:?}", name.as_str());
    let mut ids = BTreeSet::new();
    let candidates: Vec<Account> =
        candidates.into_iter().filter(|account| ids.insert(account.id.clone())).collect();
    let describe = |account: &Account| match account.user_name() {
        Some(name) => format!("{:?} (id {})", name.as_str(), account.id),
        None => format!("without a userName (id {})", account.id),
    };
    let mut named: Vec<String> = candidates.iter().take(NAMED).map(describe).collect();
    if candidates.len() > NAMED {
        named.push(format!("{} more", candidates.len() - NAMED));
    }
    let accounts = named.join(", ");
    let detail = match candidates.as_slice() {
        [only] if only.external_id().is_some() => format!(
            "{what}, and the account {accounts} with this user's externalId may be this user's or somebody else's: if it is this \
             user's, set its userName to {name}; if it is not, change its externalId"
        ),
        _ => format!(
            "{what}, and more than one account may be this user's: {accounts}: give this user's own the userName {name} and the \
             others another userName and externalId"
        ),
    };
    Trouble::new(Reason::AmbiguousMatch, detail)
}

/// Whether an account without an origin may be the one that was posted with `origin`: not where the target is known to keep it.
pub(crate) fn may_lack(context: &Context, origin: Option<&str>) -> bool {
    let stored = || {
        let learned = context.capabilities.learned();
        learned.paths.post.get(&TargetPath::external_id()) == Some(&PathSupport::Stored)
    };
    origin.is_none() || !stored()
}

/// Returns the only account, if there is exactly one.
fn only(accounts: &mut Vec<Account>) -> Option<Box<Account>> {
    if accounts.len() == 1 { accounts.pop().map(Box::new) } else { None }
}
