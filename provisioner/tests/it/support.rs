//! A bench for the engine: a mock, a folder with configuration and users, and runs over it.

pub(crate) mod database;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mock_aquera::{Application, Auth, MockAquera, Phase, Profile};
use provisioner::clock::InstantClock;
use provisioner::config::SourceConfig;
use provisioner::reader::{ReadContext, Snapshot, read_all};
use provisioner::source::SourceError;
use provisioner::state::location::StateLocation;
use provisioner::{
    Config, Durability, Environment, Provisioner, RunReport, StoreError, SyncOptions, Transport,
};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const TOKEN: &str = "a-token-for-tests";

/// The configuration of a test; every field has a sensible default.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) preferences: &'static str,
    pub(crate) options: String,
    pub(crate) rules: String,
    pub(crate) token: String,
    pub(crate) scim_url: Option<String>,
    pub(crate) connection: &'static str,
    pub(crate) source: &'static str,
    /// The whole table [source] in place of that file.
    pub(crate) source_table: Option<String>,
    /// The place of the state; `None`: a file of the bench.
    pub(crate) state: Option<StateLocation>,
}

/// All preferences on, Remove Action = Disable.
pub(crate) const ALL_DISABLE: &str = "enable-users-creation = true\nenable-users-updation = true\n\
    enable-users-disable = true\nenable-users-deprovision = true\nremove-action = \"disable\"\n";
/// All preferences on, Remove Action = Delete.
pub(crate) const ALL_DELETE: &str = "enable-users-creation = true\nenable-users-updation = true\n\
    enable-users-disable = true\nenable-users-deprovision = true\nremove-action = \"delete\"\n";

impl Default for Settings {
    fn default() -> Self {
        Self {
            preferences: ALL_DISABLE,
            options: String::new(),
            rules: "[[rule]]\nname = \"everyone\"\n".to_owned(),
            token: TOKEN.to_owned(),
            scim_url: None,
            connection: "",
            source: "users.ndjson",
            source_table: None,
            state: None,
        }
    }
}

pub(crate) struct Bench {
    pub(crate) mock: MockAquera,
    pub(crate) app: Application,
    pub(crate) folder: TempDir,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<InstantClock>,
}

impl Bench {
    pub(crate) async fn new(profile: &str) -> Self {
        Self::with(profile, Settings::default()).await
    }

    pub(crate) async fn with(profile: &str, settings: Settings) -> Self {
        Self::with_profile(Profile::builtin(profile).unwrap(), settings).await
    }

    pub(crate) async fn with_profile(profile: Profile, settings: Settings) -> Self {
        let mock = MockAquera::builder().profile(profile).auth(Auth::bearer(TOKEN)).start().await.unwrap();
        let app = mock.default_application();
        let clock = Arc::new(InstantClock::new(SystemTime::UNIX_EPOCH + Duration::from_hours(500_000)));
        Self { mock, app, folder: tempfile::tempdir().unwrap(), settings, clock }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn users(&self, users: &[Value]) {
        let mut text = String::new();
        for user in users {
            writeln!(text, "{user}").unwrap();
        }
        std::fs::write(self.path("users.ndjson"), text).unwrap();
    }

    pub(crate) fn config_text(&self) -> String {
        let Settings {
            preferences,
            options,
            rules,
            token,
            scim_url,
            connection,
            source,
            source_table,
            state: _,
        } = &self.settings;
        let url = scim_url.clone().unwrap_or_else(|| self.mock.scim_url());
        let file =
            || format!("[source]\nkind = \"file\"\npath = \"{source}\"\ncustom-attributes = [\"secret\"]\n");
        let source = source_table.clone().unwrap_or_else(file);
        format!(
            "[connection]\nname = \"test\"\n{connection}\n[connection.authentication]\nscim-url = \"{url}\"\n\
             profile = \"bearer-token\"\noauth-access-token = \"{token}\"\n[connection.preferences]\n{preferences}\n\
             [connection.options]\n{options}\n{source}{rules}"
        )
    }

    pub(crate) fn write_config(&self) -> PathBuf {
        let file = self.path("aquera.toml");
        std::fs::write(&file, self.config_text()).unwrap();
        file
    }

    pub(crate) async fn open(&self) -> Provisioner {
        loop {
            match self.try_open().await {
                // A database notices the end of a killed process a moment later.
                Err(StoreError::DatabaseInUse(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
                opened => return opened.unwrap(),
            }
        }
    }

    pub(crate) async fn try_open(&self) -> Result<Provisioner, StoreError> {
        let (config, environment) = self.parts();
        Provisioner::open(config, environment).await
    }

    /// Opens the state as a plan does: beside a run, without a change.
    pub(crate) async fn open_to_read(&self) -> Provisioner {
        let (config, environment) = self.parts();
        Provisioner::open_to_read(config, environment).await.unwrap()
    }

    pub(crate) fn parts(&self) -> (Config, Environment) {
        let config = Config::parse(&self.config_text(), &self.path("aquera.toml"))
            .map_err(|error| format!("{error}"))
            .unwrap();
        let environment = Environment {
            clock: Arc::clone(&self.clock) as Arc<dyn provisioner::Clock>,
            transport: Transport::for_http(true).unwrap(),
            state: self.settings.state.clone().unwrap_or_else(|| self.path("aquera.db").into()),
            durability: Durability::Off,
            seed: 7,
            progress: Arc::new(()),
            recording: provisioner::Recording::default(),
        };
        (config, environment)
    }

    pub(crate) async fn sync_with(&self, options: SyncOptions) -> RunReport {
        let provisioner = self.open().await;
        let report = provisioner.sync(options).await;
        provisioner.close().await;
        report
    }

    /// Runs a sync whose process ends while its `nth` request is held in `phase`; the request has no further effect.
    pub(crate) async fn sync_cut_off(&self, nth: usize, phase: Phase) {
        let mut hold = self.app.hold(nth, phase);
        let provisioner = self.open().await;
        tokio::select! {
            report = provisioner.sync(SyncOptions::default()) => panic!("held: {report:?}"),
            () = hold.reached() => {}
        }
        provisioner.close().await;
    }

    pub(crate) async fn sync(&self) -> RunReport {
        self.sync_with(SyncOptions::default()).await
    }

    /// Runs one sync over `users`, and returns its lines in short.
    pub(crate) async fn run(&self, users: &[Value]) -> Vec<String> {
        self.users(users);
        short(&self.sync().await)
    }

    /// Returns the write requests since the journal was cleared, as `METHOD status`.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.app
            .journal()
            .iter()
            .filter(|exchange| exchange.method != "GET")
            .map(|exchange| {
                let status = exchange.status.map_or(0, |status| status.as_u16());
                format!("{} {status}", exchange.method)
            })
            .collect()
    }

    /// Returns `userName active` of every account at the target, by user name.
    pub(crate) fn accounts(&self) -> Vec<String> {
        let mut accounts: Vec<String> = self
            .app
            .users()
            .iter()
            .map(|user| format!("{} {}", user["userName"].as_str().unwrap(), user["active"]))
            .collect();
        accounts.sort();
        accounts
    }
}

/// Returns `user change operation outcome reason`, one line each.
pub(crate) fn short(report: &RunReport) -> Vec<String> {
    report
        .lines
        .iter()
        .map(|line| {
            let value = serde_json::to_value(line).unwrap();
            let word = |name: &str| value[name].as_str().unwrap().to_owned();
            [word("userName"), word("change"), word("operation"), word("outcome"), word("reason")].join(" ")
        })
        .collect()
}

/// Returns a PingOne user.
pub(crate) fn user(id: &str, name: &str) -> Value {
    json!({ "id": id, "username": name, "enabled": true, "email": format!("{name}@example.org"), "title": "Engineer" })
}

/// Returns `user` with `members` replaced.
pub(crate) fn but(mut user: Value, members: Value) -> Value {
    let Value::Object(members) = members else { panic!("an object") };
    user.as_object_mut().unwrap().extend(members);
    user
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Reads a source completely.
pub(crate) fn read_source(source: &SourceConfig, allow_empty: bool) -> Result<Snapshot, SourceError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(read_all(source, &ReadContext::system(allow_empty)))
}

/// Returns a context for reading whose waits take no time.
pub(crate) fn instant_context() -> ReadContext {
    let clock = Arc::new(InstantClock::new(SystemTime::UNIX_EPOCH + Duration::from_hours(500_000)));
    ReadContext { clock, ..ReadContext::system(false) }
}
