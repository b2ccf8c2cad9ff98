//! One suite over both stores: random changes beside a model, with closed and killed stores between them.
//!
//! PostgreSQL takes part if `PROVISIONER_TEST_POSTGRES` names a database; with `CI` set it has to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;

use jiff::Timestamp;

use super::*;
use crate::audit::{AuditEntry, CommandEntry};
use crate::clock::timestamp;
use crate::report::{Operation, Outcome, Reason};
use crate::state::index::{Flags, Key, parse_fingerprint};
use crate::state::{Intent, LastReported, Link, LinkState, RunRecord, WithdrawalKind, read_audit_log};

/// Ids whose order depends on how texts are compared, and that a database may be unable to keep.
const IDS: [&str; 9] = ["a", "A", "b", "ä", "Z", "a-1", "a\u{0}", "a\u{1}0", "\u{10ffff}"];

#[derive(Clone, Debug)]
enum Step {
    /// Writes the users at these places of [`IDS`], together.
    Put(Vec<(usize, Shape)>),
    /// Gives the account of the first user to the second one, and forgets the first.
    HandOver(usize, usize),
    Remove(usize),
    Connection(u64),
    Withdraw(u32, bool),
    Source(bool),
    /// Appends this number of entries to the audit log, some days later.
    Audit(usize, u8),
    /// Deletes the entries of the audit log that are older than this number of days.
    ForgetAudit(u8),
    /// Closes the store and opens it again.
    Reopen,
    /// Drops the store without a word, as a killed process does, and opens it again.
    Kill,
}

#[derive(Clone, Debug)]
struct Shape {
    linked: bool,
    state: u8,
    intent: Option<Intent>,
    failed: bool,
    fingerprint: Option<u128>,
    rule: Option<&'static str>,
}

fn shape() -> impl Strategy<Value = Shape> {
    let intent = select(vec![None, Some(Intent::Create), Some(Intent::Update), Some(Intent::Disable)]);
    let rule = select(vec![None, Some("employees"), Some("contractors")]);
    let fingerprint = prop_oneof![Just(None), (1..u128::MAX).prop_map(Some)];
    (any::<bool>(), 0..3_u8, intent, any::<bool>(), fingerprint, rule).prop_map(
        |(linked, state, intent, failed, fingerprint, rule)| Shape {
            linked,
            state,
            intent,
            failed,
            fingerprint,
            rule,
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let id = || 0..IDS.len();
    let step = prop_oneof![
        6 => prop::collection::vec((id(), shape()), 1..6).prop_map(Step::Put),
        2 => (id(), id()).prop_map(|(from, to)| Step::HandOver(from, to)),
        2 => id().prop_map(Step::Remove),
        1 => any::<u64>().prop_map(Step::Connection),
        1 => (any::<u32>(), any::<bool>()).prop_map(|(at, disable)| Step::Withdraw(at, disable)),
        1 => any::<bool>().prop_map(Step::Source),
        1 => (1..4_usize, 0..9_u8).prop_map(|(entries, days)| Step::Audit(entries, days)),
        1 => (1..30_u8).prop_map(Step::ForgetAudit),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
    ];
    prop::collection::vec(step, 1..24)
}

#[derive(Default)]
struct Model {
    records: BTreeMap<SourceId, Record>,
    connection: ConnectionRecord,
    withdrawals: Vec<(i64, bool)>,
    source: Option<String>,
    accounts: u32,
    audit: Vec<(u64, AuditEntry)>,
    day: u64,
}

impl Model {
    /// Returns the changes of a step.
    fn apply(&mut self, step: &Step) -> Vec<StateChange> {
        match step {
            Step::Put(users) => users.iter().map(|(place, shape)| self.put(*place, shape)).collect(),
            Step::HandOver(from, to) => {
                let link = self.records.get(&id(*from)).and_then(|record| record.link.clone());
                let Some(link) = link.filter(|_| from != to) else { return Vec::new() };
                self.records.remove(&id(*from));
                let mut record = Record::new("heir@example.com".parse().unwrap());
                record.link = Some(link);
                self.records.insert(id(*to), record.clone());
                vec![StateChange::Remove(id(*from)), StateChange::Put(id(*to), Arc::new(record))]
            }
            Step::Remove(place) => {
                self.records.remove(&id(*place));
                vec![StateChange::Remove(id(*place))]
            }
            Step::Connection(users) => {
                let run = RunRecord {
                    at: "2026-01-01T00:00:00Z".into(),
                    exit: 0,
                    impacted: 1,
                    failed: 0,
                    users: *users,
                };
                self.connection.last_run = Some(run);
                vec![StateChange::Connection(Box::new(self.connection.clone()))]
            }
            Step::Withdraw(at, disable) => {
                // Close to each other: old ones are forgotten when the store is opened.
                let at = i64::from(*at % 1000) + 1_000_000;
                self.withdrawals.push((at, *disable));
                let kind = if *disable { WithdrawalKind::Disable } else { WithdrawalKind::Removal };
                vec![StateChange::Withdrawal(Withdrawal { at, kind })]
            }
            Step::Source(other) => {
                let identity = format!("file users{}.ndjson", u8::from(*other));
                self.source = Some(identity.clone());
                vec![StateChange::Source(identity)]
            }
            Step::Audit(entries, days) => {
                self.day += u64::from(*days);
                let at = timestamp(self.now());
                let entry = |number| {
                    AuditEntry::Command(Box::new(CommandEntry {
                        at: at.clone(),
                        who: "ada".to_owned(),
                        command: "forget".to_owned(),
                        source_id: Some(id(7)),
                        user_name: None,
                        target_id: None,
                        detail: format!("\u{0}\"quoted\" entry {number}"),
                    }))
                };
                let first = self.audit.len();
                let entries: Vec<_> = (first..first + entries).map(entry).collect();
                self.audit.extend(entries.iter().map(|entry| (self.day, entry.clone())));
                entries.into_iter().map(StateChange::Audit).collect()
            }
            Step::ForgetAudit(days) => {
                let since = self.day.saturating_sub(u64::from(*days));
                self.audit.retain(|(day, _)| *day >= since);
                vec![StateChange::ForgetAudit { days: u32::from(*days), now: self.now() }]
            }
            Step::Reopen | Step::Kill => Vec::new(),
        }
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_hours(24 * (20_000 + self.day))
    }

    /// Compares the audit log, which is read beside the store.
    async fn assert_equals_log(&self, location: &StateLocation, url: &ScimUrl) {
        let (url, mut found) = (url.to_string(), Vec::new());
        read_audit_log(location, Timestamp::MIN, &mut |of, entry| {
            if of == url {
                found.push(entry);
            }
        })
        .await
        .unwrap();
        assert_eq!(found, self.audit.iter().map(|(_, entry)| entry.clone()).collect::<Vec<_>>());
    }

    fn put(&mut self, place: usize, shape: &Shape) -> StateChange {
        let mut record = Record::new(format!("u{place}@example.com").parse().unwrap());
        self.accounts += 1;
        record.link = shape.linked.then(|| Link {
            account: format!("account {}", self.accounts).parse().unwrap(),
            carries: BTreeMap::default(),
            shows: BTreeMap::default(),
            active: true,
            written: None,
            late_disable: None,
            state: [LinkState::Owned, LinkState::Removed, LinkState::Withheld(crate::policy::Leave::Deleted)]
                [usize::from(shape.state)],
        });
        record.intent = shape.intent;
        record.rule = shape.rule.map(|rule| rule.parse().unwrap());
        record.fingerprint = shape.fingerprint.map(|digits| format!("{digits:032x}"));
        record.last_reported = shape.failed.then(|| LastReported {
            operation: Operation::Create,
            outcome: Outcome::Failed,
            reason: Reason::Rejected,
            detail: Some("\u{0}\"quoted\" ünï".to_owned()),
            to_write: None,
            wanted_active: Some(true),
            failed_deprovision: false,
            since: "2026-01-01T00:00:00Z".to_owned(),
        });
        self.records.insert(id(place), record.clone());
        StateChange::Put(id(place), Arc::new(record))
    }

    /// Compares everything that can be read of a store.
    async fn assert_equals(&self, store: &Store) {
        let loaded = store.loaded().unwrap();
        let records: BTreeMap<_, _> = loaded.records.iter().map(|(id, record)| (id, &**record)).collect();
        assert_eq!(records, self.records.iter().collect::<BTreeMap<_, _>>());
        assert_eq!(loaded.connection, self.connection);
        assert_eq!(loaded.source, self.source);
        let sorted = |mut withdrawals: Vec<(i64, bool)>| {
            withdrawals.sort_unstable();
            withdrawals
        };
        let withdrawals = loaded.withdrawals.iter();
        let withdrawals = withdrawals.map(|each| (each.at, each.kind == WithdrawalKind::Disable)).collect();
        assert_eq!(sorted(withdrawals), sorted(self.withdrawals.clone()));

        let index = store.index().await.unwrap();
        let ids: Vec<Key> = self.records.keys().map(Key::from).collect();
        assert_eq!(
            index.entries().iter().map(|entry| entry.id).collect::<Vec<_>>(),
            ids,
            "the order of the index"
        );
        for (entry, (id, record)) in index.entries().iter().zip(&self.records) {
            assert_eq!(entry.flags(), Flags::of(record), "{id:?}");
            assert_eq!(index.rule_of(entry), record.rule.as_ref(), "{id:?}");
            let fingerprint = record.fingerprint.as_deref().map_or(0, parse_fingerprint);
            assert_eq!(entry.has_fingerprint(fingerprint), fingerprint != 0, "{id:?}");
            if let Some(link) = &record.link {
                assert_eq!(index.by_account((&link.account).into()).unwrap().id, Key::from(id));
            }
            assert_eq!(store.record_of(id.clone()).await.unwrap().as_ref(), Some(record));
            assert_eq!(store.record(entry.row).await.unwrap(), Some((id.clone(), record.clone())));
        }
        assert_eq!(store.record_of("nobody".parse().unwrap()).await.unwrap(), None);
        let backwards: Vec<i64> = index.entries().iter().rev().map(|entry| entry.row).collect();
        let expected: Vec<_> =
            self.records.iter().rev().map(|(id, record)| (id.clone(), record.clone())).collect();
        assert_eq!(store.records(backwards.clone()).await.unwrap(), expected);
        assert_eq!(store.records_now(&backwards).unwrap(), expected);
        let expected: Vec<_> = expected.into_iter().map(|(id, _)| id).collect();
        assert_eq!(store.source_ids(&backwards).unwrap(), expected);
    }
}

fn id(place: usize) -> SourceId {
    IDS[place].parse().unwrap()
}

/// Returns the database for tests, or `None` if there is none and none is needed.
fn test_database() -> Option<StateLocation> {
    match std::env::var("PROVISIONER_TEST_POSTGRES") {
        Ok(url) => Some(url.parse().unwrap()),
        Err(_) if std::env::var_os("CI").is_some() => {
            panic!("PROVISIONER_TEST_POSTGRES is not set: .ci/run starts a PostgreSQL server and sets it")
        }
        Err(_) => None,
    }
}

/// Returns a SCIM URL that no other test uses.
fn fresh_url() -> ScimUrl {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("http://127.0.0.1/{}-{now}-{number}/scim", std::process::id()).parse().unwrap()
}

async fn open(location: &StateLocation, url: &ScimUrl, access: Access) -> Result<Store, StoreError> {
    // The other kind of durability locks readers out of the file.
    Store::open(location, url, Durability::Full, access).await
}

/// Opens for writing; the lock of a killed process may outlive it by a moment.
async fn open_again(location: &StateLocation, url: &ScimUrl) -> Store {
    loop {
        match open(location, url, Access::Write).await {
            Err(StoreError::InUse(_) | StoreError::DatabaseInUse(_)) => tokio::task::yield_now().await,
            opened => return opened.unwrap(),
        }
    }
}

async fn play(location: &StateLocation, steps: &[Step]) {
    let url = fresh_url();
    let mut model = Model::default();
    let mut store = open_again(location, &url).await;
    for step in steps {
        match step {
            Step::Reopen => {
                store.close().await;
                assert!(matches!(
                    store.write(model.apply(&Step::Source(true))).await,
                    Err(StoreError::Closed)
                ));
                // What was refused is not in the model.
                model.source = store.known().source;
                store = open_again(location, &url).await;
            }
            Step::Kill => {
                drop(store);
                store = open_again(location, &url).await;
            }
            Step::Put(_)
            | Step::HandOver(..)
            | Step::Remove(_)
            | Step::Connection(_)
            | Step::Withdraw(..)
            | Step::Source(_)
            | Step::Audit(..)
            | Step::ForgetAudit(_) => {
                // Several callers at once: their changes may share a transaction.
                let written = model.apply(step).into_iter().map(|change| store.write(vec![change]));
                for written in futures_util::future::join_all(written).await {
                    written.unwrap();
                }
            }
        }
    }
    model.assert_equals(&store).await;
    model.assert_equals_log(location, &url).await;
    let beside = open(location, &url, Access::Read).await.unwrap();
    model.assert_equals(&beside).await;
    assert!(
        matches!(
            open(location, &url, Access::Write).await,
            Err(StoreError::InUse(_) | StoreError::DatabaseInUse(_))
        ),
        "one writer at a time"
    );
    store.close().await;
    model.assert_equals(&open(location, &url, Access::Read).await.unwrap()).await;
}

fn run_suite(location: impl Fn() -> StateLocation, cases: u32) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    TestRunner::new(config)
        .run(&steps(), |steps| {
            runtime.block_on(play(&location(), &steps));
            Ok(())
        })
        .unwrap();
}

#[test]
fn sqlite_store_agrees_with_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    let location = || {
        number.set(number.get() + 1);
        folder.path().join(format!("{}.db", number.get())).into()
    };
    run_suite(location, 24);
}

#[test]
fn postgres_store_agrees_with_the_model() {
    let Some(location) = test_database() else { return };
    run_suite(|| location.clone(), 24);
}

#[tokio::test]
async fn other_scim_urls_in_one_database_are_apart() {
    let Some(location) = test_database() else { return };
    let (first, second) = (fresh_url(), fresh_url());
    let mut model = Model::default();
    let store = open(&location, &first, Access::Write).await.unwrap();
    let put = Step::Put(vec![(
        0,
        Shape { linked: true, state: 0, intent: None, failed: false, fingerprint: Some(7), rule: None },
    )]);
    store.write(model.apply(&put)).await.unwrap();
    let other = open(&location, &second, Access::Write).await.unwrap();
    Model::default().assert_equals(&other).await;
    // The same account id at another target is another account.
    other.write(model.apply(&put)).await.unwrap();
    assert_eq!(store.loaded().unwrap().records.len(), 1);
}

#[tokio::test]
async fn an_account_of_two_users_is_refused_by_both_stores() {
    let folder = tempfile::tempdir().unwrap();
    let file = StateLocation::File(folder.path().join("a.db"));
    for location in std::iter::once(file).chain(test_database()) {
        let url = fresh_url();
        let store = open(&location, &url, Access::Write).await.unwrap();
        let mut model = Model::default();
        let shape =
            Shape { linked: true, state: 0, intent: None, failed: false, fingerprint: None, rule: None };
        let StateChange::Put(_, record) = model.put(0, &shape) else { unreachable!() };
        let changes = vec![StateChange::Put(id(0), Arc::clone(&record)), StateChange::Put(id(2), record)];
        let refused = store.write(changes).await.unwrap_err();
        assert!(matches!(refused, StoreError::Write { .. } | StoreError::DatabaseWrite { .. }), "{refused}");
        assert!(!format!("{refused:?} {}", with_cause(&refused)).contains("account 1"), "{refused:?}");
        assert!(store.loaded().unwrap().records.is_empty(), "nothing of the transaction is kept");
    }
}
