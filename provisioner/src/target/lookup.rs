//! Finding accounts: by `id`, and by `userName eq "…"`.

use std::collections::BTreeMap;

use reqwest::StatusCode;
use scim::json::get_ci;
use serde_json::Value;

use super::client::{Client, Request};
use super::resource::Account;
use super::response::{Body, Response};
use super::{Halt, Trouble, echoed};
use crate::ids::{TargetId, UserName};
use crate::report::Reason;

/// The accounts with one user name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Lookup {
    None,
    One(Box<Account>),
    Several(usize),
}

/// The accounts in a list response.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Listed {
    pub(crate) accounts: Vec<Account>,
    /// The total number, which may exceed the listed ones.
    pub(crate) count: usize,
}

impl Listed {
    fn lookup(mut self) -> Result<Lookup, Halt> {
        match (self.accounts.pop(), self.count) {
            (None, 0) => Ok(Lookup::None),
            (Some(account), 1) => Ok(Lookup::One(Box::new(account))),
            (Some(_), several) => Ok(Lookup::Several(several)),
            (None, _) => Err(not_honoured("a total, and no user").into()),
        }
    }
}

/// The keys of an account that a target does not show under its id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SearchKeys {
    /// The likeliest first, none twice.
    names: Vec<UserName>,
    external_id: Option<String>,
}

impl SearchKeys {
    pub(crate) fn new(names: impl IntoIterator<Item = UserName>, external_id: Option<&str>) -> Self {
        let mut keys = Self { names: Vec::new(), external_id: external_id.map(str::to_owned) };
        for name in names {
            if !keys.names.contains(&name) {
                keys.names.push(name);
            }
        }
        keys
    }

    /// Returns the keys after `name` was sent for the account.
    pub(crate) fn renamed_to(&self, name: UserName) -> Self {
        Self::new(std::iter::once(name).chain(self.names.iter().cloned()), self.external_id.as_deref())
    }

    pub(crate) fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    /// Whether `account` has one of the names.
    pub(crate) fn have_name_of(&self, account: &Account) -> bool {
        account.user_name().is_some_and(|name| self.names.contains(&name))
    }
}

/// The account with one id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Read {
    Found(Box<Account>),
    /// SCIM 404 by id, and no account with that id under any of its search keys.
    Gone(Searched),
}

/// The results of the searches behind a 404: accounts with other ids. A further search asks these results first, so that
/// no search is sent twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Searched {
    by_name: Vec<(UserName, Listed)>,
    by_external_id: Option<(String, Option<Vec<Account>>)>,
}

impl Searched {
    /// Looks up as [`Client::look_up`] does, without a request if `name` was searched for.
    ///
    /// # Errors
    /// As [`Client::look_up`].
    pub(crate) async fn look_up(&self, client: &Client, name: &UserName) -> Result<Lookup, Halt> {
        match self.by_name.iter().find(|(searched, _)| searched == name) {
            Some((_, listed)) => listed.clone().lookup(),
            None => client.look_up(name).await,
        }
    }

    /// Looks up as [`Client::accounts_from`] does, without a request if `external_id` was searched for.
    ///
    /// # Errors
    /// As [`Client::accounts_from`].
    pub(crate) async fn accounts_from(
        &self,
        client: &Client,
        external_id: &str,
    ) -> Result<Option<Vec<Account>>, Halt> {
        match &self.by_external_id {
            Some((searched, found)) if searched == external_id => Ok(found.clone()),
            Some(_) | None => client.accounts_from(external_id).await,
        }
    }
}

impl Client {
    /// Looks for accounts by user name.
    ///
    /// # Errors
    /// The answer is an error, is not SCIM, or holds an account of another user name (`filter-not-honoured`).
    pub(crate) async fn look_up(&self, name: &UserName) -> Result<Lookup, Halt> {
        self.accounts_named(name).await?.lookup()
    }

    /// Returns every account of a user name.
    ///
    /// # Errors
    /// As [`Client::look_up`].
    pub(crate) async fn accounts_named(&self, name: &UserName) -> Result<Listed, Halt> {
        let response = self.find("userName", name.as_str()).await?;
        if response.is_scim_not_found() {
            return Ok(Listed::default()); // some servers answer a filter without a match so
        }
        if response.status != StatusCode::OK {
            return Err(Trouble { unsure: false, ..response.trouble() }.into());
        }
        let listed = listed(&response)?;
        if listed.accounts.iter().any(|account| account.user_name().as_ref() != Some(name)) {
            return Err(if response.echoes { echoed() } else { not_honoured("another user") }.into());
        }
        Ok(listed)
    }

    /// Returns the accounts with exactly this `externalId`, or `None` if the target does not search by `externalId`.
    ///
    /// Few targets promise this filter: one that refuses or ignores it has said nothing. A status that speaks of this
    /// moment only is an error.
    ///
    /// # Errors
    /// The target cannot answer at present.
    pub(crate) async fn accounts_from(&self, external_id: &str) -> Result<Option<Vec<Account>>, Halt> {
        let response = self.find("externalId", external_id).await?;
        if response.is_scim_not_found() {
            return Ok(Some(Vec::new()));
        }
        if matches!(response.status.as_u16(), 408 | 429 | 502 | 503 | 504) {
            return Err(Trouble { unsure: false, ..response.trouble() }.into());
        }
        if response.status != StatusCode::OK {
            return Ok(None);
        }
        let listed = match listed(&response) {
            Ok(listed) => listed,
            Err(Halt::Stopped) => return Err(Halt::Stopped),
            Err(Halt::Failed(trouble)) => {
                tracing::debug!(?trouble, "the look-up by externalId was not answered by a list of accounts");
                return Ok(None);
            }
        };
        let honoured = listed.accounts.iter().all(|account| account.external_id() == Some(external_id));
        let found: Vec<Account> = listed
            .accounts
            .into_iter()
            .filter(|account| account.external_id() == Some(external_id))
            .collect();
        // A list of all users proves nothing about this `externalId`, even if it begins with a match.
        Ok((honoured || !found.is_empty()).then_some(found))
    }

    async fn find(&self, attribute: &str, value: &str) -> Result<Response, Halt> {
        let literal = Value::String(value.to_owned());
        let filter = format!("{attribute} eq {literal}");
        let request = Request { query: &[("filter", &filter)], ..Request::get(&["Users"]) };
        self.send(request).await
    }

    /// Reads an account by id; a 404 counts only if it is SCIM and no look-up by `keys` shows the account either.
    pub(crate) async fn read(&self, id: &TargetId, keys: &SearchKeys) -> Result<Read, Halt> {
        let response = self.send(Request::get(&["Users", id.as_str()])).await?;
        if response.is_scim_not_found() {
            return self.search(id, keys).await;
        }
        if response.status != StatusCode::OK {
            return Err(Trouble { unsure: false, ..response.trouble() }.into());
        }
        let account = response.object().and_then(|object| Account::new(object, response.etag.as_deref()));
        let account = account.map(|account| account.with_as_read(response.as_read.as_ref()));
        match account {
            Some(account) if account.id == *id => Ok(Read::Found(Box::new(account))),
            Some(_) | None if response.echoes => Err(echoed().into()),
            Some(_) | None => Err(response
                .excess()
                .unwrap_or_else(|| {
                    let detail = "the response to reading the account is not that account";
                    Trouble::new(Reason::Rejected, detail)
                })
                .into()),
        }
    }
}

impl Client {
    /// Looks for the account `id` by all of `keys`.
    async fn search(&self, id: &TargetId, keys: &SearchKeys) -> Result<Read, Halt> {
        let with_id = |accounts: &[Account]| accounts.iter().find(|account| account.id == *id).cloned();
        let mut searched = Searched::default();
        for name in &keys.names {
            let listed = self.accounts_named(name).await?;
            if let Some(account) = with_id(&listed.accounts) {
                return Ok(Read::Found(Box::new(account)));
            }
            searched.by_name.push((name.clone(), listed));
        }
        if let Some(external_id) = keys.external_id() {
            let found = self.accounts_from(external_id).await?;
            if let Some(account) = found.as_deref().and_then(with_id) {
                return Ok(Read::Found(Box::new(account)));
            }
            searched.by_external_id = Some((external_id.to_owned(), found));
        }
        Ok(Read::Gone(searched))
    }
}

/// Returns the accounts in a list response.
///
/// # Errors
/// The response is not a SCIM list, or an entry is not an account.
pub(super) fn listed(response: &Response) -> Result<Listed, Halt> {
    let Some(list) = response.object() else {
        if let Body::Excess(what) = &response.body {
            return Err(not_honoured(what).into());
        }
        return Err(Trouble::new(Reason::Rejected, response.describe()).into());
    };
    let resources = match get_ci(list, "Resources") {
        Some(Value::Array(resources)) => resources.as_slice(),
        Some(Value::Null) | None => &[],
        Some(_) => return Err(not_honoured("something else than a list").into()),
    };
    let total = get_ci(list, "totalResults").and_then(Value::as_u64);
    if total.is_none() && get_ci(list, "Resources").is_none() {
        let detail = "the response to the look-up by userName is not a SCIM list";
        return Err(Trouble::new(Reason::Rejected, detail).into());
    }
    let as_read = response.as_read.as_ref().and_then(Value::as_object);
    let as_read = as_read.and_then(|list| get_ci(list, "Resources")).and_then(Value::as_array);
    let mut accounts = BTreeMap::new();
    for (index, resource) in resources.iter().enumerate() {
        let account = resource.as_object().and_then(|resource| Account::new(resource, None));
        let Some(account) = account else {
            return Err(
                if response.echoes { echoed() } else { not_honoured("an entry without an id") }.into()
            );
        };
        let account = account.with_as_read(as_read.and_then(|entries| entries.get(index)));
        accounts.insert(account.id.clone(), account);
    }
    let count = accounts.len().max(usize::try_from(total.unwrap_or(0)).unwrap_or(usize::MAX).min(2));
    Ok(Listed { accounts: accounts.into_values().collect(), count })
}

fn not_honoured(what: &str) -> Trouble {
    Trouble::new(Reason::FilterNotHonoured, format!("the look-up by userName was answered with {what}"))
}
