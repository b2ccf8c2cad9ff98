//! All accounts of a target by user name, read page by page: one request in place of a look-up for each of hundreds of users.
//!
//! A listing counts only if it proves to be whole (RFC 7644 §3.4.2.4): each page says the same total, no account comes twice, there
//! are as many accounts as the total says and none behind them, and look-ups of a few users find the same. Otherwise each user is
//! looked up.

use std::collections::{HashMap, HashSet};

use reqwest::StatusCode;
use scim::json::get_ci;
use serde_json::{Map, Value};

use super::Halt;
use super::client::{Client, Request};
use super::lookup::{Listed, Lookup, listed};
use super::resource::Account;
use crate::ids::UserName;
use crate::key::Key;

/// How many accounts a page is asked for. Many targets send fewer.
const PAGE: usize = 500;

/// The accounts that have one of the wanted user names, as JSON: parsed they would take several times the memory.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    by_name: HashMap<Key, Vec<Vec<u8>>>,
}

impl Listing {
    /// Returns the accounts with a user name, which must be one of those that the listing was asked for.
    pub(crate) fn look_up(&self, name: &UserName) -> Option<Lookup> {
        match self.by_name.get(&Key::of(name.folded())).map(Vec::as_slice) {
            None | Some([]) => Some(Lookup::None),
            Some([account]) => {
                let resource: Map<String, Value> = serde_json::from_slice(account).ok()?;
                Account::new(&resource, None).map(|account| Lookup::One(Box::new(account)))
            }
            Some(several) => Some(Lookup::Several(several.len())),
        }
    }
}

impl Listing {
    /// Whether an account has a user name.
    pub(crate) fn has(&self, name: Key) -> bool {
        self.by_name.contains_key(&name)
    }
}

/// The pages so far.
#[derive(Default)]
struct Pages {
    total: Option<usize>,
    ids: HashSet<Key>,
    by_name: HashMap<Key, Vec<Vec<u8>>>,
}

/// What a page is worth.
enum Progress {
    /// Further accounts begin at this index.
    More(usize),
    Whole,
    /// The pages contradict each other.
    Doubtful(&'static str),
}

impl Pages {
    fn add(&mut self, page: Listed, total: Option<u64>, wanted: &HashSet<Key>) -> Progress {
        let Some(total) = total.and_then(|total| usize::try_from(total).ok()) else {
            return Progress::Doubtful("a page has no totalResults");
        };
        if *self.total.get_or_insert(total) != total {
            return Progress::Doubtful("totalResults changed between two pages");
        }
        let before = self.ids.len();
        for account in page.accounts {
            if !self.ids.insert(Key::from(&account.id)) {
                return Progress::Doubtful("an account came twice");
            }
            let Some(name) = account.user_name() else {
                return Progress::Doubtful("an account has no userName");
            };
            let name = Key::of(name.folded());
            if wanted.contains(&name) {
                let Ok(account) = serde_json::to_vec(&account.resource) else {
                    return Progress::Doubtful("an account is no JSON");
                };
                self.by_name.entry(name).or_default().push(account);
            }
        }
        match self.ids.len() {
            all if all == total => Progress::Whole,
            all if all > total => Progress::Doubtful("there are more accounts than totalResults says"),
            all if all == before => Progress::Doubtful("a page before the last is empty"),
            all => Progress::More(all + 1),
        }
    }
}

impl Client {
    /// Lists all accounts, and keeps those whose user name is one of `wanted`. Returns `None` if a listing would not be worth it,
    /// or cannot be trusted.
    ///
    /// # Errors
    /// The run is being stopped.
    pub(crate) async fn list(&self, wanted: &HashSet<Key>) -> Result<Option<Listing>, Halt> {
        let mut pages = Pages::default();
        let mut start = 1;
        let doubt = loop {
            let (count, index) = (PAGE.to_string(), start.to_string());
            let query = [("count", count.as_str()), ("startIndex", index.as_str())];
            let request = Request { query: &query, ..Request::get(&["Users"]) };
            let response = match self.send(request).await {
                Ok(response) => response,
                Err(Halt::Stopped) => return Err(Halt::Stopped),
                Err(Halt::Failed(_)) => break "a page was not answered",
            };
            // A resource from which a credential was cleared can only be read by itself.
            if response.status != StatusCode::OK || response.echoes {
                break "a page was not answered with a list";
            }
            let total =
                response.object().and_then(|list| get_ci(list, "totalResults")).and_then(Value::as_u64);
            let page = match listed(&response) {
                Ok(page) => page,
                Err(Halt::Stopped) => return Err(Halt::Stopped),
                Err(Halt::Failed(_)) => break "a page was not answered with a list of accounts",
            };
            let on_page = page.accounts.len();
            match pages.add(page, total, wanted) {
                Progress::Whole if on_page == 0 || self.has_no_page_from(pages.ids.len() + 1).await? => {
                    return Ok(Some(Listing { by_name: pages.by_name }));
                }
                Progress::Whole => break "there are more accounts than totalResults says",
                Progress::Doubtful(why) => break why,
                Progress::More(_) if start == 1 && !is_worth_it(pages.total, on_page, wanted.len()) => {
                    break "the target has so many accounts that look-ups take fewer requests";
                }
                Progress::More(next) => start = next,
            }
        };
        tracing::info!(why = doubt, "the accounts are looked up one by one");
        Ok(None)
    }

    /// Whether the target has no account from the index `start` on: some tell the length of a page as the total.
    async fn has_no_page_from(&self, start: usize) -> Result<bool, Halt> {
        let start = start.to_string();
        let query = [("count", "1"), ("startIndex", start.as_str())];
        let response = match self.send(Request { query: &query, ..Request::get(&["Users"]) }).await {
            Ok(response) => response,
            Err(Halt::Stopped) => return Err(Halt::Stopped),
            Err(Halt::Failed(_)) => return Ok(false),
        };
        // Some targets refuse a page behind the last one.
        let refused = matches!(response.status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND);
        Ok(refused || listed(&response).is_ok_and(|page| page.accounts.is_empty()))
    }

    /// Whether look-ups of `names` find what `listing` has: a target may list less than it has.
    ///
    /// # Errors
    /// The run is being stopped.
    pub(crate) async fn agrees(&self, listing: &Listing, names: &[UserName]) -> Result<bool, Halt> {
        for name in names {
            let found = match self.look_up(name).await {
                Ok(found) => found,
                Err(Halt::Stopped) => return Err(Halt::Stopped),
                Err(Halt::Failed(_)) => return Ok(false),
            };
            let is_same = match (&found, &listing.look_up(name)) {
                (Lookup::None, Some(Lookup::None)) => true,
                (Lookup::One(one), Some(Lookup::One(other))) => one.id == other.id,
                (Lookup::Several(_), Some(Lookup::Several(_))) => true,
                _ => false,
            };
            if !is_same {
                tracing::info!(
                    "the accounts are looked up one by one: a look-up found other accounts than the list of all"
                );
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether reading the pages of `total` accounts costs less than `look_ups`. A page costs more than a look-up.
fn is_worth_it(total: Option<usize>, on_page: usize, look_ups: usize) -> bool {
    const COST_OF_PAGE: usize = 4;
    let pages = total.unwrap_or(usize::MAX).div_ceil(on_page.max(1));
    pages.saturating_mul(COST_OF_PAGE) <= look_ups
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(ids: &[&str]) -> Listed {
        let account = |id: &&str| {
            let resource = json!({"id": id, "userName": format!("Name-{id}")});
            Account::new(resource.as_object().unwrap(), None).unwrap()
        };
        Listed { accounts: ids.iter().map(account).collect(), count: ids.len() }
    }

    #[track_caller]
    fn assert_ends(pages: &[(&[&str], Option<u64>)], expected: &str) {
        let mut all = Pages::default();
        let wanted = HashSet::new();
        let mut last = String::from("nothing");
        for (ids, total) in pages {
            last = match all.add(page(ids), *total, &wanted) {
                Progress::More(next) => format!("more from {next}"),
                Progress::Whole => "whole".to_owned(),
                Progress::Doubtful(why) => why.to_owned(),
            };
        }
        assert_eq!(last, expected);
    }

    #[test]
    fn listing_counts_only_if_its_pages_agree() {
        assert_ends(&[(&[], Some(0))], "whole");
        assert_ends(&[(&["1", "2"], Some(3)), (&["3"], Some(3))], "whole");
        assert_ends(&[(&["1", "2"], Some(3))], "more from 3");
        assert_ends(&[(&["1", "2"], None)], "a page has no totalResults");
        assert_ends(&[(&["1", "2"], Some(4)), (&["3"], Some(3))], "totalResults changed between two pages");
        assert_ends(&[(&["1", "2"], Some(4)), (&["2"], Some(4))], "an account came twice");
        assert_ends(&[(&["1", "2"], Some(4)), (&[], Some(4))], "a page before the last is empty");
        assert_ends(&[(&["1", "2"], Some(1))], "there are more accounts than totalResults says");
    }

    #[test]
    fn wanted_names_are_found_without_case() {
        let name: UserName = "NAME-2".parse().unwrap();
        let wanted = HashSet::from([Key::of(name.folded())]);
        let mut pages = Pages::default();
        assert!(matches!(pages.add(page(&["1", "2"]), Some(2), &wanted), Progress::Whole));
        let listing = Listing { by_name: pages.by_name };
        assert!(matches!(listing.look_up(&name), Some(Lookup::One(account)) if account.id.as_str() == "2"));
        assert_eq!(listing.by_name.len(), 1, "other accounts are not kept");
    }

    #[test]
    fn listing_is_worth_it_if_its_pages_are_few() {
        assert!(is_worth_it(Some(100_000), 500, 1_001));
        assert!(!is_worth_it(Some(1_000_000), 500, 1_001));
        assert!(!is_worth_it(Some(10_000), 10, 1_001));
    }
}
