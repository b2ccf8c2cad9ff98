//! The mock as a cell sees it: two applications of its own, and others that nobody may touch.

use std::path::PathBuf;
use std::sync::Arc;

use mock_aquera::{Application, ApplicationConfig, Exchange, Fault, Hold, MockAquera, Phase, Profile};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::matrix::cell::{Auth, Target};
use crate::matrix::model::{FaultRule, Fields};
use crate::matrix::run::RunError;
use crate::matrix::run::configuration::{BASIC_PASSWORD, BASIC_USER, TOKEN, bare_toml, resource};
use crate::matrix::scenario::{DECORATION, Edit};
use crate::matrix::setting::Setting;
use crate::subject::provisioner::{STATE, Subject, Wire};

/// The server, connection pool and folder that all cells share.
pub struct SharedEnvironment {
    mock: MockAquera,
    /// The pool of connections.
    pub wire: Wire,
    /// The seed of ids and jitter.
    pub seed: u64,
    folder: TempDir,
    bystanders: [Application; 2],
    bystander_users: [Vec<Value>; 2],
    /// A state file with its tables and nobody in them.
    empty_state: PathBuf,
}

fn accepted(auth: Auth) -> mock_aquera::Auth {
    match auth {
        Auth::Basic => mock_aquera::Auth::basic(BASIC_USER, BASIC_PASSWORD),
        Auth::Bearer => mock_aquera::Auth::bearer(TOKEN),
    }
}

fn profile(name: &str) -> Result<Profile, EnvironmentError> {
    let known = Profile::builtins().iter().find(|profile| profile.name == name);
    known.cloned().ok_or_else(|| EnvironmentError::Profile(name.to_owned()))
}

/// The reason why a cell cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// The mock has no such profile.
    #[error("unknown profile `{0}` of the mock")]
    Profile(String),
    /// The mock refuses an application.
    #[error("failed to create an application")]
    Application(#[from] mock_aquera::ApplicationError),
    /// A folder cannot be made.
    #[error("failed to create {folder}", folder = .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The state file cannot be copied.
    #[error("failed to copy the empty state")]
    State(#[source] std::io::Error),
    /// The mock refuses a profile of a cell's own.
    #[error("invalid profile of a cell")]
    OwnProfile(#[source] mock_aquera::ProfileError),
    /// The mock refuses a fault.
    #[error("invalid fault `{fault}`")]
    Fault {
        /// The fault.
        fault: String,
        /// The cause.
        source: mock_aquera::ParseFaultError,
    },
}

/// Adds an account to a group, and creates the group if it does not exist.
fn join(application: &Application, group: &str, id: &str) -> bool {
    let member = json!({ "value": id });
    let known = application.groups().into_iter().find(|known| known["displayName"] == group);
    if let Some(known) = known.as_ref().and_then(|known| known["id"].as_str()) {
        return application.edit("Group", known, |group| {
            if let Some(members) = group.entry("members").or_insert_with(|| json!([])).as_array_mut() {
                members.push(member);
            }
        });
    }
    application.seed("Group", json!({ "displayName": group, "members": [member] }));
    true
}

/// Returns the folder for the cells' files: in memory if the system offers that, because no cell is about the disk.
fn room() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

impl SharedEnvironment {
    /// Starts the server.
    ///
    /// # Errors
    /// The server, a client or the folder cannot be created.
    pub async fn open(seed: u64) -> Result<Self, RunError> {
        let mock = MockAquera::builder()
            .auth(accepted(Auth::Bearer))
            .auth(accepted(Auth::Basic))
            .seed(seed)
            .start()
            .await?;
        let other = ApplicationConfig {
            profile: profile("aquera")?,
            auth: vec![accepted(Auth::Bearer), accepted(Auth::Basic)],
            seed,
        };
        let other = mock.create_application("bystander", other).map_err(EnvironmentError::from)?;
        let bystanders = [mock.default_application(), other];
        for application in &bystanders {
            for name in ["mona@example.com", "nils@example.com", "bystander@example.com"] {
                application.seed_user(json!({ "userName": name, "active": true, "title": "Bystander" }));
            }
        }
        let bystander_users = bystanders.each_ref().map(Application::users);
        let folder = tempfile::Builder::new().prefix("conformance-").tempdir_in(room())?;
        let wire = Wire::new()?;
        let empty_state = Subject::empty_state(&bare_toml(Setting::NONE), folder.path(), &wire).await?;
        Ok(Self { mock, wire, seed, folder, bystanders, bystander_users, empty_state })
    }

    /// Whether the applications that no cell names were never asked anything.
    pub fn bystanders_unasked(&self) -> bool {
        self.bystanders.iter().all(|application| application.journal().is_empty())
    }

    /// Whether they were never asked anything, and are as they were.
    pub fn bystanders_untouched(&self) -> bool {
        let users = self.bystanders.each_ref().map(Application::users);
        self.bystanders_unasked() && users == self.bystander_users
    }
}

/// An application of one cell, with somebody else's account in it.
struct CellApplication {
    name: String,
    application: Application,
    stranger: (String, Option<Value>),
}

/// The applications and the folder of one cell; gone when dropped.
pub struct Environment {
    shared: Arc<SharedEnvironment>,
    /// One application, or two if the connection is pointed at another.
    cell_applications: Vec<CellApplication>,
    auth: Auth,
    /// The folder of the configuration, the source and the state.
    pub folder: PathBuf,
}

impl Environment {
    /// Creates applications under the target's profile and authentication, each with a stranger's account.
    ///
    /// # Errors
    /// The mock or the file system refuses.
    pub fn set(
        shared: &Arc<SharedEnvironment>,
        index: usize,
        target: Target,
        applications: usize,
    ) -> Result<Self, EnvironmentError> {
        Self::with_profile(shared, index, target.auth, &profile(target.profile.name)?, applications)
    }

    /// Creates applications as [`Environment::set`] does, under a profile that need not be one of the mock's own.
    ///
    /// # Errors
    /// The mock or the file system refuses.
    pub fn with_profile(
        shared: &Arc<SharedEnvironment>,
        index: usize,
        auth: Auth,
        profile: &Profile,
        applications: usize,
    ) -> Result<Self, EnvironmentError> {
        let name = format!("cell-{index}");
        let mut cell_applications = Vec::with_capacity(applications);
        for number in 0..applications {
            let config = ApplicationConfig {
                profile: profile.clone(),
                auth: vec![accepted(auth)],
                seed: shared.seed ^ index as u64,
            };
            let name = if number == 0 { name.clone() } else { format!("{name}-other") };
            let application = shared.mock.create_application(&name, config)?;
            let id = application.seed_user(json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                "userName": "stranger@example.com",
                "externalId": "not-ours",
                "active": true,
                "title": "Engineer",
            }));
            let user = application.user(&id);
            cell_applications.push(CellApplication { name, application, stranger: (id, user) });
        }
        let folder = shared.folder.path().join(&name);
        std::fs::create_dir_all(&folder)
            .map_err(|source| EnvironmentError::Folder { folder: folder.clone(), source })?;
        // Tables are not made anew for each cell; that a new file gets them is the provisioner's own test.
        std::fs::copy(&shared.empty_state, folder.join(STATE)).map_err(EnvironmentError::State)?;
        Ok(Self { shared: shared.clone(), cell_applications, auth, folder })
    }

    /// Returns the SCIM base URL of an application.
    pub fn scim_url(&self, application: usize) -> String {
        self.cell_applications[application].application.scim_url()
    }

    /// Creates an account as another client would. Returns its id.
    pub fn seed(&self, application: usize, fields: &Fields, active: bool) -> String {
        self.cell_applications[application].application.seed_user(resource(fields, active))
    }

    /// Creates a group with these members as another client would.
    pub fn seed_group(&self, name: &str, members: &[&str]) {
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        let group = json!({ "displayName": name, "members": members });
        self.cell_applications[0].application.seed("Group", group);
    }

    /// Returns the id of the stranger's account.
    pub fn stranger(&self) -> &str {
        &self.cell_applications[0].stranger.0
    }

    /// Changes the accounts of this name as another client would.
    pub fn edit(&self, application: usize, user_name: &str, edit: Edit) {
        let application = &self.cell_applications[application].application;
        for user in application.users().iter().filter(|user| user["userName"] == user_name) {
            let Some(id) = user["id"].as_str() else { continue };
            match edit {
                Edit::Remove => application.remove_user(id),
                Edit::Deactivate => application.edit_user(id, |user: &mut Map<String, Value>| {
                    user.insert("active".to_owned(), Value::Bool(false));
                }),
                Edit::Join(group) => join(application, group, id),
                Edit::Decorate => application.edit_user(id, |user: &mut Map<String, Value>| {
                    user.insert("displayName".to_owned(), Value::String(DECORATION.to_owned()));
                }),
            };
        }
    }

    /// Gives the applications another profile.
    ///
    /// # Errors
    /// The mock has no such profile.
    pub fn change_profile(&self, name: &str) -> Result<(), EnvironmentError> {
        let changed = profile(name)?;
        for cell_application in &self.cell_applications {
            cell_application.application.set_profile(changed.clone());
        }
        Ok(())
    }

    /// Adds a fault.
    ///
    /// # Errors
    /// The mock knows no such rule.
    pub fn fault(&self, application: usize, rule: FaultRule) -> Result<(), EnvironmentError> {
        let fault = rule.rule();
        let fault: Fault = fault.parse().map_err(|source| EnvironmentError::Fault { fault, source })?;
        self.cell_applications[application].application.add_fault(fault);
        Ok(())
    }

    /// Lets the applications accept our credentials, or others only.
    pub fn accept_credentials(&self, ours: bool) {
        let wrong = match self.auth {
            Auth::Basic => mock_aquera::Auth::basic(BASIC_USER, "another password"),
            Auth::Bearer => mock_aquera::Auth::bearer("another-token"),
        };
        for cell_application in &self.cell_applications {
            cell_application.application.set_auth(vec![if ours {
                accepted(self.auth)
            } else {
                wrong.clone()
            }]);
        }
    }

    /// Lets the applications accept the other authentication alone. Returns it.
    pub fn change_authentication(&mut self) -> Auth {
        self.auth = match self.auth {
            Auth::Basic => Auth::Bearer,
            Auth::Bearer => Auth::Basic,
        };
        self.accept_credentials(true);
        self.auth
    }

    /// Stops the nth request from now at a breakpoint, before or after its effect.
    pub fn hold(&self, application: usize, nth: usize, after_effect: bool) -> Hold {
        let phase = if after_effect { Phase::AfterEffect } else { Phase::BeforeEffect };
        self.cell_applications[application].application.hold(nth, phase)
    }

    /// Removes all faults.
    pub fn clear_faults(&self, application: usize) {
        self.cell_applications[application].application.clear_faults();
    }

    /// Returns the accounts of an application without the stranger's. Returns none if there is no such application.
    pub fn accounts(&self, application: usize) -> Vec<Value> {
        let Some(cell_application) = self.cell_applications.get(application) else { return Vec::new() };
        let mut users = cell_application.application.users();
        users.retain(|user| user["id"] != cell_application.stranger.0.as_str());
        users
    }

    /// Returns the groups of an application.
    pub fn groups(&self, application: usize) -> Vec<Value> {
        self.cell_applications
            .get(application)
            .map(|cell_application| cell_application.application.groups())
            .unwrap_or_default()
    }

    /// Whether the strangers' accounts are just as they were.
    pub fn strangers_untouched(&self) -> bool {
        self.cell_applications
            .iter()
            .all(|CellApplication { application, stranger: (id, user), .. }| application.user(id) == *user)
    }

    /// Returns the exchanges of an application since the last call.
    pub fn take_journal(&self, application: usize) -> Vec<Exchange> {
        let Some(CellApplication { application, .. }) = self.cell_applications.get(application) else {
            return Vec::new();
        };
        let journal = application.journal();
        application.clear_journal();
        journal
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        for cell_application in &self.cell_applications {
            self.shared.mock.remove_application(&cell_application.name);
        }
        // The folder of all cells goes at the end; that this one goes now only saves space.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
