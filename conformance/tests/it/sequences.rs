//! Random sequences of what can happen to a connection: whatever came before, one clean run puts everything right.
//!
//! The reference knows the source and the preferences only. After the faults have stopped and one full run has been
//! made, the target must be what they say, as far as the preferences allow; on the way no Delete may happen that no
//! preference asked for, and no account of somebody else may change; a second run must have nothing to do.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use conformance::matrix::cell::{Auth, Target};
use conformance::matrix::model::{Attribute, FaultRule, Method, On, Rule, User, World, builtin};
use conformance::matrix::run::configuration::{aquera_toml, fields_of, source_name, source_ndjson};
use conformance::matrix::run::environment::{Environment, SharedEnvironment};
use conformance::matrix::setting::{RemoveAction, Setting};
use conformance::subject::provisioner::{Configuration, Report, Subject, SyncFlags, Time};
use mock_aquera::DownstreamOperation;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

/// Returns flags that allow all changes: these few people may all leave a rule, or be re-hired under new ids.
fn meant() -> SyncFlags {
    SyncFlags { accept_new_source: true, allow_empty_scope: true, ..SyncFlags::default() }
}

/// The number of people; each has names of their own, so no two can want the same.
const PEOPLE: usize = 4;

/// Profiles under which everything can be done one way or another, with `update-method = "auto"`.
const PROFILES: [&str; 7] =
    ["aquera", "patch-501", "patch-400", "patch-ignored-200", "patch-lies-200", "patch-then-404", "no-put"];

/// A person at the source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Person {
    there: bool,
    enabled: bool,
    in_scope: bool,
    hired: u8,
    named: u8,
    title: u8,
}

#[derive(Debug, Clone)]
struct Reference {
    profile: &'static str,
    people: Vec<Person>,
    setting: Setting,
    on: bool,
}

#[derive(Debug, Clone)]
enum Transition {
    Arrive(usize, bool),
    Retitle(usize, u8),
    Rename(usize),
    Enable(usize, bool),
    Scope(usize, bool),
    Delete(usize),
    Rehire(usize),
    Prefer(Setting),
    Toggle(bool),
    Fault(u16, u32, Option<&'static str>, bool),
    Sync(bool),
    /// The run is dropped while this request of it is held, before or after its effect; then a new process.
    Cut(usize, bool),
    Restart,
    /// The faults stop; one full run, and one more.
    Settle,
}

fn any_setting() -> BoxedStrategy<Setting> {
    let everything = Setting::valid().into_iter().filter(|setting| setting.creation && setting.disables());
    prop_oneof![
        proptest::sample::select(Setting::valid()),
        proptest::sample::select(everything.filter(|setting| setting.deprovision).collect::<Vec<_>>()),
    ]
    .boxed()
}

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        (proptest::sample::select(PROFILES.to_vec()), any_setting())
            .prop_map(|(profile, setting)| Self {
                profile,
                people: vec![Person::default(); PEOPLE],
                setting,
                on: true,
            })
            .boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Transition> {
        let person = 0..state.people.len();
        let status = proptest::sample::select(vec![503_u16, 500, 429, 400, 403, 501, 409, 404]);
        let method = proptest::sample::select(vec![
            None,
            Some("POST"),
            Some("PUT"),
            Some("PATCH"),
            Some("DELETE"),
            Some("GET"),
        ]);
        prop_oneof![
            4 => (person.clone(), prop::bool::weighted(0.8)).prop_map(|(who, enabled)| Transition::Arrive(who, enabled)),
            2 => (person.clone(), 0..5_u8).prop_map(|(who, title)| Transition::Retitle(who, title)),
            1 => person.clone().prop_map(Transition::Rename),
            2 => (person.clone(), any::<bool>()).prop_map(|(who, on)| Transition::Enable(who, on)),
            2 => (person.clone(), any::<bool>()).prop_map(|(who, inside)| Transition::Scope(who, inside)),
            2 => person.clone().prop_map(Transition::Delete),
            1 => person.prop_map(Transition::Rehire),
            1 => any_setting().prop_map(Transition::Prefer),
            1 => prop::bool::weighted(0.7).prop_map(Transition::Toggle),
            2 => (status, 1..7_u32, method, any::<bool>())
                .prop_map(|(status, times, method, after)| {
                    // A reply can be lost; a plain refusal that took effect all the same is a lie nobody can see through.
                    let lost = after && matches!(status, 429 | 500 | 503);
                    Transition::Fault(status, times, method, lost)
                }),
            5 => prop::bool::weighted(0.2).prop_map(Transition::Sync),
            2 => (1..12_usize, any::<bool>()).prop_map(|(nth, after)| Transition::Cut(nth, after)),
            1 => Just(Transition::Restart),
            1 => Just(Transition::Settle),
        ]
        .boxed()
    }

    fn apply(mut state: Self, transition: &Transition) -> Self {
        match *transition {
            Transition::Arrive(who, enabled) => {
                let person = &mut state.people[who];
                if !person.there {
                    *person = Person { there: true, enabled, in_scope: true, ..person.clone() };
                }
            }
            Transition::Retitle(who, title) => state.people[who].title = title,
            Transition::Rename(who) => state.people[who].named += 1,
            Transition::Enable(who, enabled) => state.people[who].enabled = enabled,
            Transition::Scope(who, inside) => state.people[who].in_scope = inside,
            Transition::Delete(who) => state.people[who].there = false,
            Transition::Rehire(who) => state.people[who].hired += 1,
            Transition::Prefer(setting) => state.setting = setting,
            Transition::Toggle(on) => state.on = on,
            Transition::Settle => state.on = true,
            Transition::Fault(..) | Transition::Sync(_) | Transition::Cut(..) | Transition::Restart => {}
        }
        state
    }
}

impl Reference {
    fn user(&self, who: usize) -> User {
        let person = &self.people[who];
        User {
            id: format!("person-{who}-{}", person.hired),
            user_name: format!("person-{who}-{}@example.com", person.named),
            enabled: person.enabled,
            groups: BTreeSet::new(),
            population: if person.in_scope { "employees" } else { "alumni" }.to_owned(),
            attributes: BTreeMap::from([
                (Attribute::Title, format!("Title {}", person.title)),
                (Attribute::Email, format!("person-{who}-{}@mail.example.com", person.title)),
            ]),
        }
    }

    /// The world in which the configuration and the source are written. Somebody is always at the source.
    fn world(&self) -> World {
        let profile = builtin(self.profile).expect("a profile");
        let mut world = World::new(profile, Method::Auto, self.setting);
        world.enabled = self.on;
        world.rules = vec![Rule {
            name: "employees".to_owned(),
            enabled: true,
            population: Some("employees".to_owned()),
            group: None,
            mapped: None,
        }];
        let there = (0..self.people.len()).filter(|who| self.people[*who].there).map(|who| self.user(who));
        let always = User {
            id: "always".into(),
            user_name: "always@example.com".into(),
            population: "alumni".into(),
            groups: BTreeSet::new(),
            enabled: true,
            attributes: BTreeMap::new(),
        };
        world.source = there.chain([always]).map(|user| (user.id.clone(), user)).collect();
        world
    }
}

struct System {
    runtime: tokio::runtime::Runtime,
    shared: Arc<SharedEnvironment>,
    environment: Environment,
    time: Time,
    subject: Option<Arc<Subject>>,
    configured: String,
    /// Remove Action has been *Delete* in some run since the journal was last looked at.
    delete_allowed: bool,
}

static CASES: AtomicUsize = AtomicUsize::new(0);

impl System {
    fn close(&mut self) {
        if let Some(subject) = self.subject.take().and_then(Arc::into_inner) {
            self.runtime.block_on(subject.close());
        }
    }

    fn subject(&mut self, reference: &Reference) -> Arc<Subject> {
        let world = reference.world();
        std::fs::write(self.environment.folder.join(source_name(&world)), source_ndjson(&world))
            .expect("a source");
        let text = aquera_toml(&world, Auth::Bearer, &self.environment.scim_url(0));
        if text != self.configured {
            self.close();
            self.configured = text;
        }
        let (runtime, environment, shared, time) =
            (&self.runtime, &self.environment, &self.shared, &self.time);
        let (text, subject) = (&self.configured, &mut self.subject);
        subject
            .get_or_insert_with(|| {
                // The requests of a run that was dropped give the state back when they notice, not at once.
                for _ in 0..1_000 {
                    let configuration =
                        Configuration::read(text, &environment.folder).expect("a configuration");
                    let opening = Subject::open(configuration, &environment.folder, &shared.wire, time, 1);
                    match runtime.block_on(opening) {
                        Ok(subject) => return Arc::new(subject),
                        Err(error) => {
                            let cause = error.source().map(ToString::to_string).unwrap_or_default();
                            assert!(cause.contains("in use"), "{error}: {cause}");
                        }
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
                panic!("the state is never given back");
            })
            .clone()
    }

    fn sync(&mut self, reference: &Reference, full: bool) -> Report {
        let subject = self.subject(reference);
        self.note_delete(reference);
        let report = self.runtime.block_on(subject.sync(SyncFlags { full, ..meant() }));
        self.time.pass();
        report.expect("a report")
    }

    fn note_delete(&mut self, reference: &Reference) {
        let setting = reference.setting;
        self.delete_allowed |= setting.deprovision && setting.remove_action == RemoveAction::Delete;
    }

    /// Drops a run at one of its requests, as far as it has that many.
    fn cut(&mut self, reference: &Reference, nth: usize, after: bool) {
        let subject = self.subject(reference);
        self.note_delete(reference);
        let mut hold = self.environment.hold(0, nth, after);
        self.runtime.block_on(async {
            let run = tokio::spawn(async move { subject.sync(meant()).await });
            let mut watched = run;
            tokio::select! {
                () = hold.reached() => {
                    watched.abort();
                    drop(watched.await);
                }
                report = &mut watched => drop(report.expect("a run")),
            }
            drop(hold);
        });
        self.time.pass();
        self.close();
    }

    fn settle(&mut self, reference: &Reference) {
        self.environment.clear_faults(0);
        // What a fault has taught of the target is no truth about it: a person tests the connection anew.
        let subject = self.subject(reference);
        self.runtime.block_on(subject.test_connection()).expect("a state");
        drop(subject);
        let report = self.sync(reference, true);
        assert_eq!(report.exit, 0, "a clean run succeeds: {:?}", report.lines);
        self.check_target(reference);
        self.check_journal();
        self.close();
        let again = self.sync(reference, false);
        assert_eq!(
            (again.exit, again.lines.len()),
            (0, 0),
            "a second run has nothing to say: {:?}",
            again.lines
        );
        let writes = self.environment.take_journal(0).into_iter().filter(|exchange| exchange.method != "GET");
        assert_eq!(writes.count(), 0, "a second run sends nothing");
    }

    fn check_target(&self, reference: &Reference) {
        let setting = reference.setting;
        let accounts = self.environment.accounts(0);
        let mut held = BTreeSet::new();
        for who in 0..reference.people.len() {
            let (person, user) = (&reference.people[who], reference.user(who));
            let theirs: Vec<_> =
                accounts.iter().filter(|account| account["externalId"] == user.id.as_str()).collect();
            assert!(theirs.len() <= 1, "{user:?} has several accounts: {theirs:?}");
            if !(person.there && person.in_scope) {
                continue;
            }
            let by_name = accounts.iter().filter(|account| account["userName"] == user.user_name.as_str());
            held.extend(by_name.chain(theirs.iter().copied()).map(|account| account["id"].to_string()));
            if setting.creation && setting.updation && person.enabled {
                assert_eq!(theirs.len(), 1, "{user:?} has an account: {accounts:?}");
            }
            let Some(account) = theirs.first().filter(|_| setting.updation) else { continue };
            let fields = fields_of(account);
            assert_eq!((&fields.user_name, &fields.attributes), (&user.user_name, &user.attributes));
            if setting.disables() {
                assert_eq!(account["active"], person.enabled, "{user:?}: {account}");
            }
        }
        // Under updation every account of somebody who is there bears their id; the others belong to the departed.
        if setting.deprovision && setting.updation {
            for account in accounts.iter().filter(|account| !held.contains(&account["id"].to_string())) {
                assert_eq!(account["active"], false, "nobody holds {account}");
            }
        }
    }

    /// No Delete that no preference asked for.
    fn check_journal(&mut self) {
        let deleted = self
            .environment
            .take_journal(0)
            .iter()
            .flat_map(|exchange| &exchange.downstream)
            .any(|write| write.operation == DownstreamOperation::Delete);
        assert!(!deleted || self.delete_allowed, "a Delete that no preference asked for");
        self.delete_allowed = false;
    }
}

struct Connection;

impl StateMachineTest for Connection {
    type SystemUnderTest = System;
    type Reference = Reference;

    fn init_test(reference: &Reference) -> System {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let shared = Arc::new(runtime.block_on(SharedEnvironment::open(1)).expect("a mock"));
        let profile = builtin(reference.profile).expect("a profile");
        let target = Target { auth: Auth::Bearer, method: Method::Auto, profile };
        let environment =
            Environment::set(&shared, CASES.fetch_add(1, Ordering::Relaxed), target, 1).expect("a stage");
        System {
            runtime,
            shared,
            environment,
            time: Time::new(),
            subject: None,
            configured: String::new(),
            delete_allowed: false,
        }
    }

    fn apply(mut system: System, reference: &Reference, transition: Transition) -> System {
        match transition {
            Transition::Fault(status, times, method, after_effect) => {
                let on = method.map_or(On::Any, On::Method);
                let rule = FaultRule { after_effect, ..FaultRule::status(status, times, on) };
                system.environment.fault(0, rule).expect("a rule of the mock");
            }
            Transition::Sync(full) => drop(system.sync(reference, full)),
            Transition::Cut(nth, after) => system.cut(reference, nth, after),
            Transition::Restart => system.close(),
            Transition::Settle => system.settle(reference),
            Transition::Arrive(..)
            | Transition::Retitle(..)
            | Transition::Rename(_)
            | Transition::Enable(..)
            | Transition::Scope(..)
            | Transition::Delete(_)
            | Transition::Rehire(_)
            | Transition::Prefer(_)
            | Transition::Toggle(_) => {}
        }
        system
    }

    fn check_invariants(system: &System, _: &Reference) {
        assert!(system.environment.strangers_untouched(), "somebody else's account was touched");
        assert!(system.shared.bystanders_untouched(), "another application was touched");
    }

    fn teardown(mut system: System, mut reference: Reference) {
        reference.on = true;
        system.settle(&reference);
        system.close();
        system.runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

/// `CONFORMANCE_SEED=N` tries other sequences than those of the default seed; `CONFORMANCE_CASES=N` tries more.
#[test]
fn one_run_without_faults_repairs_all_accounts() {
    let number = |name: &str, default: u32| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let (seed, cases) = (number("CONFORMANCE_SEED", 1), number("CONFORMANCE_CASES", 96));
    println!("CONFORMANCE_SEED={seed} CONFORMANCE_CASES={cases}");
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases, max_shrink_iters: 400, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let strategy = Reference::sequential_strategy(1..24);
    TestRunner::new_with_rng(config.clone(), rng)
        .run(&strategy, |(initial, transitions, seen)| {
            Connection::test_sequential(config.clone(), initial, transitions, seen);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("CONFORMANCE_SEED={seed}: {error}"));
}
