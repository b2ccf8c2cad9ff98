//! Runs whose decisions are carried out by workers over PostgreSQL: killed workers, a database that goes away, lost replies.
//!
//! They need `PROVISIONER_TEST_POSTGRES`; with `CI` set they fail without it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use mock_aquera::{Fault, Phase};
use provisioner::engine::work::work;
use provisioner::interrupt::Interrupt;
use provisioner::{Environment, SyncOptions};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::support::database::{Database, unique};
use crate::support::{ALL_DELETE, ALL_DISABLE, Bench, Settings, but, user};

/// A TCP proxy whose connections can be cut.
struct Proxy {
    port: u16,
    cut: watch::Sender<u64>,
}

impl Proxy {
    async fn new(address: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cut, cuts) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (address, mut cuts) = (address.clone(), cuts.clone());
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(&address).await else { return };
                    tokio::select! {
                        _ = pass(&mut near, &mut far) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Self { port, cut }
    }

    /// Cuts all connections.
    fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }
}

async fn pass(near: &mut TcpStream, far: &mut TcpStream) -> std::io::Result<()> {
    let (mut there, mut back) = (vec![0; 16_384], vec![0; 16_384]);
    loop {
        tokio::select! {
            read = near.read(&mut there) => match read? {
                0 => return Ok(()),
                length => far.write_all(&there[..length]).await?,
            },
            read = far.read(&mut back) => match read? {
                0 => return Ok(()),
                length => near.write_all(&back[..length]).await?,
            },
        }
    }
}

fn program(arguments: &[&str], config: &Path, state: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provisioner"));
    command
        .args(arguments)
        .arg("-c")
        .arg(config)
        .args(["--state", state])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    command
}

fn worker(config: &Path, state: &str) -> Child {
    program(&["work"], config, state).stdout(Stdio::null()).spawn().unwrap()
}

/// Runs a command that prints NDJSON; returns its exit code and its objects.
async fn objects(arguments: &[&str], config: &Path, state: &str) -> (i32, Vec<Value>) {
    let output = program(arguments, config, state).arg("--json").output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let objects = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code().unwrap_or(-1), objects)
}

/// Returns the lines about users, without the ids that the target chose.
fn user_lines(objects: &[Value]) -> Vec<Value> {
    let lines = objects.iter().filter(|object| object["type"] == "user").cloned();
    lines
        .map(|mut line| {
            line.as_object_mut().unwrap().remove("targetId");
            line
        })
        .collect()
}

/// Returns the accounts by user name; two of one name are a failure.
fn accounts(bench: &Bench) -> BTreeMap<String, Value> {
    let mut accounts = BTreeMap::new();
    for mut account in bench.app.users() {
        let members = account.as_object_mut().unwrap();
        members.remove("id");
        members.remove("meta");
        let name = account["userName"].as_str().unwrap().to_owned();
        assert!(accounts.insert(name.clone(), account).is_none(), "{name} has two accounts");
    }
    accounts
}

fn people(count: usize) -> Vec<Value> {
    (0..count).map(|number| user(&format!("id-{number}"), &format!("user{number}"))).collect()
}

/// Every kind of change: attributes, a swap of names, a rename, disables, leavers, new users.
fn changed(count: usize) -> Vec<Value> {
    let mut users: Vec<Value> = people(count)
        .into_iter()
        .enumerate()
        .filter(|(number, _)| number % 10 != 7)
        .map(|(number, one)| match number % 10 {
            1 | 2 => but(one, json!({ "title": "Lead" })),
            3 => but(one, json!({ "enabled": false })),
            4 => but(one, json!({ "username": format!("renamed{number}") })),
            5 => but(one, json!({ "enabled": false, "title": "Lead" })),
            _ => one,
        })
        .collect();
    users[0]["username"] = json!("user6");
    users[6]["username"] = json!("user0");
    users.extend((0..count / 10).map(|number| user(&format!("new-{number}"), &format!("new{number}"))));
    users
}

async fn bench(preferences: &'static str, options: &str) -> Bench {
    let options = format!("max-removals-percent = 100\nmax-removals = 100000\nconcurrency = 4\n{options}");
    Bench::with("aquera", Settings { preferences, options, ..Settings::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_over_postgres_and_with_workers_report_what_a_run_over_sqlite_does() {
    let Some(database) = Database::new().await else { return };
    for preferences in [ALL_DISABLE, ALL_DELETE] {
        let (alone, plain, shared) =
            (bench(preferences, "").await, bench(preferences, "").await, bench(preferences, "").await);
        let file = alone.path("aquera.db").display().to_string();
        let config = shared.write_config();
        let (_one, _two) = (worker(&config, &database.url), worker(&config, &database.url));
        for users in [people(60), changed(60), people(60), people(60)] {
            for bench in [&alone, &plain, &shared] {
                bench.users(&users);
            }
            let expected = objects(&["sync"], &alone.write_config(), &file).await;
            let found = objects(&["sync"], &plain.write_config(), &database.url).await;
            assert_eq!(user_lines(&found.1), user_lines(&expected.1), "PostgreSQL");
            let found = objects(&["sync", "--workers"], &config, &database.url).await;
            assert_eq!(user_lines(&found.1), user_lines(&expected.1), "workers");
            assert_eq!(found.0, expected.0);
            assert_eq!(accounts(&shared), accounts(&alone));
            assert_eq!(accounts(&plain), accounts(&alone));
            let (_, standing) = objects(&["status"], &config, &database.url).await;
            let (_, expected) = objects(&["status"], &alone.path("aquera.toml"), &file).await;
            for count in ["linked", "removed", "failed", "unresolved"] {
                assert_eq!(standing.last().unwrap()[count], expected.last().unwrap()[count], "{count}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guard_stops_a_run_before_workers_get_a_job() {
    let Some(database) = Database::new().await else { return };
    let settings = Settings { options: "max-removals = 3".to_owned(), ..Settings::default() };
    let bench = Bench::with("aquera", settings).await;
    let config = bench.write_config();
    let _worker = worker(&config, &database.url);
    bench.users(&people(40));
    assert_eq!(objects(&["sync", "--workers"], &config, &database.url).await.0, 0);
    bench.users(&people(30));
    bench.app.clear_journal();
    let (exit, _) = objects(&["sync", "--workers"], &config, &database.url).await;
    assert_eq!((exit, bench.writes()), (4, Vec::<String>::new()));
    let (exit, lines) =
        objects(&["sync", "--workers", "--approve-removals", "10"], &config, &database.url).await;
    assert_eq!((exit, user_lines(&lines).len()), (0, 10));
    bench.users(&people(26));
    let (exit, _) = objects(&["sync", "--workers"], &config, &database.url).await;
    assert_eq!(exit, 4, "the guard counts what workers removed in the last 24 hours");
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_send_one_first_disable_at_a_time() {
    let Some(database) = Database::new().await else { return };
    let options = "max-removals-percent = 100\nconcurrency = 8".to_owned();
    let bench = Bench::with("disable-deletes", Settings { options, ..Settings::default() }).await;
    let config = bench.write_config();
    let _workers: Vec<Child> = (0..3).map(|_| worker(&config, &database.url)).collect();
    bench.users(&people(24));
    assert_eq!(objects(&["sync", "--workers"], &config, &database.url).await.0, 0);
    let disabled: Vec<Value> =
        people(24).into_iter().map(|one| but(one, json!({ "enabled": false }))).collect();
    bench.users(&disabled);
    let (exit, lines) = objects(&["sync", "--workers"], &config, &database.url).await;
    assert_eq!(exit, 1);
    assert_eq!(bench.app.users().len(), 23, "one Disable deleted its account, and no other one was sent");
    let reasons: BTreeMap<String, usize> =
        user_lines(&lines).iter().fold(BTreeMap::new(), |mut reasons, line| {
            *reasons.entry(line["reason"].as_str().unwrap().to_owned()).or_default() += 1;
            reasons
        });
    let expected = [("deleted-by-target".to_owned(), 1), ("disable-withheld".to_owned(), 23)];
    assert_eq!(reasons, BTreeMap::from(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_in_one_worker_stop_the_run() {
    let Some(database) = Database::new().await else { return };
    let bench = bench(ALL_DISABLE, "").await;
    let config = bench.write_config();
    bench.users(&people(40));
    bench.app.add_fault(Fault::status(401).times(1).method("POST"));
    let log = bench.path("log");
    let logged = || Stdio::from(std::fs::File::options().create(true).append(true).open(&log).unwrap());
    let _workers: Vec<Child> = (0..2)
        .map(|_| {
            let mut worker = program(&["work"], &config, &database.url);
            worker
                .env("RUST_LOG", "info,graphile_worker=trace,tokio_postgres=trace")
                .stdout(Stdio::null())
                .stderr(logged())
                .spawn()
                .unwrap()
        })
        .collect();
    let (exit, lines) = objects(&["sync", "--workers"], &config, &database.url).await;
    assert_eq!(exit, 3, "{lines:?}");
    let (exit, _) = objects(&["sync", "--workers"], &config, &database.url).await;
    assert_eq!((exit, accounts(&bench).len()), (0, 40));
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("the worker waits for jobs"), "{log}");
    assert!(
        !log.contains("user12") && !log.contains("payload"),
        "the log of a worker has a user's data: {log}"
    );
}

/// Plays the changes while workers are killed, replies are lost, or connections to the database are cut, until a run has nothing to
/// report; compares with an undisturbed run.
async fn converges(seed: u64, preferences: &'static str, over_proxy: bool) {
    let Some(database) = Database::new().await else { return };
    let mut random = StdRng::seed_from_u64(seed);
    let whole = bench(preferences, "").await;
    let shared = bench(preferences, "request-timeout = 2").await;
    let proxy = Proxy::new(database.address()).await;
    let state = if over_proxy { database.over(proxy.port) } else { database.url.clone() };
    let config = shared.write_config();
    let file = whole.path("aquera.db").display().to_string();
    let mut workers: Vec<Child> = (0..3).map(|_| worker(&config, &state)).collect();
    let disturbed = AtomicU64::new(0);
    for users in [people(50), changed(50), people(50)] {
        whole.users(&users);
        objects(&["sync"], &whole.write_config(), &file).await;
        objects(&["sync"], &whole.write_config(), &file).await;
        shared.users(&users);
        shared.app.add_fault(Fault::status(504).times(5).method("POST").phase(Phase::AfterEffect));
        shared.app.add_fault(Fault::status(503).times(5).method("PATCH").phase(Phase::AfterEffect));
        let mut exits = Vec::new();
        loop {
            let run = objects(&["sync", "--workers"], &config, &state);
            tokio::pin!(run);
            let (exit, lines) = loop {
                let pause = Duration::from_millis(random.random_range(20..600));
                tokio::select! {
                    ended = &mut run => break ended,
                    () = tokio::time::sleep(pause) => {
                        // At most twenty times, so that the end does not depend on chance.
                        if disturbed.fetch_add(1, Ordering::Relaxed) >= 20 { continue }
                        if over_proxy && random.random_bool(0.5) {
                            proxy.cut();
                        } else {
                            let killed = random.random_range(0..workers.len());
                            workers[killed].kill().await.unwrap();
                            workers[killed] = worker(&config, &state);
                        }
                    }
                }
            };
            exits.push(exit);
            accounts(&shared);
            if exit == 0 && user_lines(&lines).is_empty() {
                break;
            }
            assert!(exits.len() < 40, "seed {seed}: no convergence: {exits:?} {lines:?}");
        }
        assert_eq!(accounts(&shared), accounts(&whole), "seed {seed}: {exits:?}");
        shared.app.clear_journal();
        let (exit, _) = objects(&["sync", "--workers"], &config, &state).await;
        assert_eq!((exit, shared.writes()), (0, Vec::<String>::new()), "seed {seed}");
    }
    drop(workers);
}

/// Returns the seed of this run, which a failure prints: `PROVISIONER_TEST_SEED`, or a new one.
fn seed() -> u64 {
    let given = std::env::var("PROVISIONER_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(unique);
    println!("PROVISIONER_TEST_SEED={seed}");
    seed
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_workers_and_lost_replies_make_no_duplicate_and_lose_nothing() {
    converges(seed(), ALL_DISABLE, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_database_makes_no_duplicate_and_loses_nothing() {
    converges(seed(), ALL_DELETE, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_all_workers_share_one_budget() {
    let Some(database) = Database::new().await else { return };
    let bench = bench(ALL_DISABLE, "requests-per-second = 20").await;
    let config = bench.write_config();
    bench.users(&people(61));
    let _workers: Vec<Child> = (0..3).map(|_| worker(&config, &database.url)).collect();
    let begun = std::time::Instant::now();
    let (exit, _) = objects(&["sync", "--workers"], &config, &database.url).await;
    assert_eq!((exit, accounts(&bench).len()), (0, 61));
    // A full bucket and two seconds: a limit from below, which a slow machine keeps too.
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_without_a_database_is_refused() {
    let bench = Arc::new(bench(ALL_DISABLE, "").await);
    let config = bench.write_config();
    let file = bench.path("aquera.db").display().to_string();
    let output = program(&["work"], &config, &file).stderr(Stdio::piped()).output().await.unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(told.contains("workers need a PostgreSQL"), "{told}");
    assert!(!Path::new(&file).exists());
}

/// A clock that is years off and jumps at each look, back or ahead.
struct JumpingClock(std::sync::Mutex<StdRng>);

impl provisioner::Clock for JumpingClock {
    fn now(&self) -> SystemTime {
        let days = self.0.lock().unwrap().random_range(0..20_000);
        SystemTime::UNIX_EPOCH + Duration::from_hours(24 * days)
    }

    fn sleep(&self, duration: Duration) -> provisioner::clock::Sleep<'_> {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_whose_clocks_jump_lose_nothing_and_the_guard_holds() {
    let Some(database) = Database::new().await else { return };
    let seed = seed();
    let settings = Settings {
        options: "max-removals = 10\nconcurrency = 4".to_owned(),
        state: Some(database.url.parse().unwrap()),
        ..Settings::default()
    };
    let bench = Bench::with("aquera", settings).await;
    let interrupt = Interrupt::default();
    let workers: Vec<_> = (0..2)
        .map(|number| {
            let (config, environment) = bench.parts();
            let clock = Arc::new(JumpingClock(std::sync::Mutex::new(StdRng::seed_from_u64(seed + number))));
            let environment = Environment { clock, ..environment };
            tokio::spawn(work(config, environment, interrupt.clone()))
        })
        .collect();
    let sync = async || bench.sync_with(SyncOptions { workers: true, ..SyncOptions::default() }).await;
    bench.users(&people(60));
    bench.app.add_fault(Fault::status(504).times(5).method("POST").phase(Phase::AfterEffect));
    let mut lines = usize::MAX;
    while lines > 0 {
        // Reads may lag behind a reply that was lost: the next run comes later.
        bench.clock.advance(Duration::from_hours(1));
        lines = sync().await.lines.len();
    }
    assert_eq!(accounts(&bench).len(), 60);
    let users = |left: usize| people(60).split_off(60 - left);
    bench.users(&users(52));
    assert_eq!(sync().await.exit.code(), 0, "8 removals are allowed");
    bench.clock.advance(Duration::from_hours(12));
    bench.users(&users(49));
    assert_eq!(
        sync().await.exit.code(),
        4,
        "the guard counts the 8 removals of the last 24 hours, whatever clocks say"
    );
    bench.clock.advance(Duration::from_hours(13));
    assert_eq!(sync().await.exit.code(), 0, "a day later they do not count");
    interrupt.interrupt();
    for worker in workers {
        worker.await.unwrap().unwrap();
    }
}
