//! The accounts of one application and all their indexes. A write keeps the indexes true; it knows no protocol rule
//! save what a representation holds (RFC 7643 §3.1).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Map, Value, json};

use crate::clock::date_time;

/// What stands for itself in a path segment (RFC 3986 §2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One account with its full representation.
#[derive(Debug)]
pub(crate) struct Account {
    order: u64,
    version: u64,
    created: String,
    pub(crate) id: String,
    pub(crate) resource: Value,
    body: OnceLock<Bytes>,
}

impl Account {
    /// The representation as it goes over the wire, made once.
    pub(crate) fn body(&self) -> Bytes {
        self.body.get_or_init(|| Bytes::from(self.resource.to_string())).clone()
    }

    /// The weak entity tag (RFC 7644 §3.14).
    pub(crate) fn etag(&self) -> &str {
        self.resource["meta"]["version"].as_str().unwrap_or_default()
    }

    pub(crate) fn location(&self) -> &str {
        self.resource["meta"]["location"].as_str().unwrap_or_default()
    }

    /// Whether the account is in use. An account that doesn't say is.
    pub(crate) fn active(&self) -> bool {
        self.resource["active"].as_bool().unwrap_or(true)
    }
}

/// All accounts of one application.
#[derive(Debug)]
pub(crate) struct Store {
    users_url: String,
    ids: StdRng,
    next_order: u64,
    by_id: HashMap<String, Arc<Account>>,
    by_user_name: HashMap<String, Vec<u64>>,
    in_order: BTreeMap<u64, Arc<Account>>,
}

impl Store {
    /// `users_url` is the URL that ids are appended to; `seed` decides all ids.
    pub(crate) fn new(users_url: String, seed: u64) -> Self {
        Self {
            users_url,
            ids: StdRng::seed_from_u64(seed),
            next_order: 0,
            by_id: HashMap::new(),
            by_user_name: HashMap::new(),
            in_order: BTreeMap::new(),
        }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Arc<Account>> {
        self.by_id.get(id)
    }

    /// All accounts in order of creation.
    pub(crate) fn all(&self) -> impl ExactSizeIterator<Item = &Arc<Account>> {
        self.in_order.values()
    }

    /// The accounts with this `userName`, whatever its case, in order of creation.
    pub(crate) fn named(&self, user_name: &str) -> impl Iterator<Item = &Arc<Account>> {
        self.by_user_name
            .get(&user_name.to_lowercase())
            .into_iter()
            .flatten()
            .filter_map(|order| self.in_order.get(order))
    }

    /// Whether an account other than `except` has this `userName`.
    pub(crate) fn is_taken(&self, user_name: &str, except: Option<&str>) -> bool {
        self.named(user_name).any(|account| Some(account.id.as_str()) != except)
    }

    /// Adds an account. An `id` that the resource brings is kept, and takes the place of whoever has it; a `meta` is
    /// made anew.
    pub(crate) fn insert(&mut self, mut resource: Map<String, Value>, now: Timestamp) -> Arc<Account> {
        let id = match resource.get("id").and_then(Value::as_str) {
            Some(id) if !id.is_empty() => id.to_owned(),
            _ => self.new_id(),
        };
        self.remove(&id);
        let order = self.next_order;
        self.next_order += 1;
        resource.insert("id".to_owned(), Value::from(id.as_str()));
        self.put(order, 1, date_time(now), id, resource, now)
    }

    /// Writes an account anew under its id and its place in the order: a new version. `None` where there is none.
    pub(crate) fn update(
        &mut self,
        id: &str,
        mut resource: Map<String, Value>,
        now: Timestamp,
    ) -> Option<Arc<Account>> {
        let old = self.take(id)?;
        resource.insert("id".to_owned(), Value::from(id));
        Some(self.put(old.order, old.version + 1, old.created.clone(), old.id.clone(), resource, now))
    }

    pub(crate) fn remove(&mut self, id: &str) -> bool {
        self.take(id).is_some()
    }

    fn new_id(&mut self) -> String {
        loop {
            let id = uuid::Builder::from_random_bytes(self.ids.random()).into_uuid().to_string();
            if !self.by_id.contains_key(&id) {
                return id;
            }
        }
    }

    fn put(
        &mut self,
        order: u64,
        version: u64,
        created: String,
        id: String,
        mut resource: Map<String, Value>,
        now: Timestamp,
    ) -> Arc<Account> {
        resource.insert(
            "meta".to_owned(),
            json!({
                "resourceType": "User",
                "created": created,
                "lastModified": date_time(now),
                "version": format!("W/\"{version}\""),
                "location": format!("{}/{}", self.users_url, utf8_percent_encode(&id, SEGMENT)),
            }),
        );
        let account = Arc::new(Account {
            order,
            version,
            created,
            id: id.clone(),
            resource: Value::Object(resource),
            body: OnceLock::new(),
        });
        let orders = self.by_user_name.entry(name_key(&account)).or_default();
        let at = orders.partition_point(|other| *other < order);
        orders.insert(at, order);
        self.in_order.insert(order, Arc::clone(&account));
        self.by_id.insert(id, Arc::clone(&account));
        account
    }

    fn take(&mut self, id: &str) -> Option<Arc<Account>> {
        let account = self.by_id.remove(id)?;
        self.in_order.remove(&account.order);
        let key = name_key(&account);
        if let Some(orders) = self.by_user_name.get_mut(&key) {
            orders.retain(|order| *order != account.order);
            if orders.is_empty() {
                self.by_user_name.remove(&key);
            }
        }
        Some(account)
    }
}

fn name_key(account: &Account) -> String {
    account.resource["userName"].as_str().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn store() -> Store {
        Store::new("http://h/scim/Users".to_owned(), 7)
    }

    proptest! {
        /// Whatever is written in whatever order, each index says what a look at every account says.
        #[test]
        fn an_index_agrees_with_a_scan(writes in vec((0..4_u8, 0..6_usize, "[aAbBß]{1,2}"), 0..40)) {
            let mut store = store();
            let mut ids: Vec<String> = Vec::new();
            for (kind, at, name) in writes {
                let id = ids.get(at).cloned();
                match (kind, id) {
                    (0 | 1, _) => ids.push(store.insert(user(&name), Timestamp::UNIX_EPOCH).id.clone()),
                    (2, Some(id)) => drop(store.update(&id, user(&name), Timestamp::UNIX_EPOCH)),
                    (_, Some(id)) => { store.remove(&id); }
                    (_, None) => {}
                }
                let accounts: Vec<_> = store.all().cloned().collect();
                prop_assert!(accounts.is_sorted_by_key(|account| account.order));
                prop_assert_eq!(accounts.len(), store.by_id.len());
                let key = name.to_lowercase();
                let scanned = accounts.iter().filter(|account| name_key(account) == key).map(|account| &account.id);
                let indexed: Vec<_> = store.named(&name).map(|account| &account.id).collect();
                prop_assert_eq!(scanned.collect::<Vec<_>>(), indexed);
                prop_assert_eq!(store.by_user_name.values().map(Vec::len).sum::<usize>(), accounts.len());
            }
        }
    }

    fn user(name: &str) -> Map<String, Value> {
        Map::from_iter([("userName".to_owned(), Value::from(name))])
    }

    fn names(store: &Store) -> Vec<&str> {
        store.all().filter_map(|account| account.resource["userName"].as_str()).collect()
    }

    #[test]
    fn ids_come_from_the_seed() {
        let ids = |seed| {
            let mut store = Store::new(String::new(), seed);
            [1, 2].map(|_| store.insert(user("a"), Timestamp::UNIX_EPOCH).id.clone())
        };
        assert_eq!(ids(1), ids(1));
        assert_ne!(ids(1), ids(2));
    }

    #[test]
    fn the_indexes_follow_every_write() {
        let mut store = store();
        let ann = store.insert(user("Ann"), Timestamp::UNIX_EPOCH);
        let bob = store.insert(user("bob"), Timestamp::UNIX_EPOCH);
        let twin = store.insert(user("ANN"), Timestamp::UNIX_EPOCH);
        assert_eq!(names(&store), ["Ann", "bob", "ANN"]);
        assert_eq!(store.named("ann").map(|account| &account.id).collect::<Vec<_>>(), [&ann.id, &twin.id]);
        assert!(store.is_taken("aNN", Some(&ann.id)));

        let renamed = store.update(&ann.id, user("carol"), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(names(&store), ["carol", "bob", "ANN"]);
        assert!(!store.is_taken("ann", Some(&twin.id)));
        assert_eq!((renamed.etag(), ann.etag()), ("W/\"2\"", "W/\"1\""));

        assert!(store.remove(&bob.id) && !store.remove(&bob.id));
        assert!(!store.is_taken("bob", None));
        assert_eq!(names(&store), ["carol", "ANN"]);
        assert!(store.update(&bob.id, user("x"), Timestamp::UNIX_EPOCH).is_none());
    }

    #[test]
    fn a_given_id_is_kept_and_escaped_in_the_location() {
        let mut store = store();
        let mut resource = user("a");
        resource.insert("id".to_owned(), Value::from("a/b c"));
        let account = store.insert(resource.clone(), Timestamp::UNIX_EPOCH);
        assert_eq!(account.location(), "http://h/scim/Users/a%2Fb%20c");
        store.insert(resource, Timestamp::UNIX_EPOCH);
        assert_eq!(store.all().len(), 1);
    }
}
