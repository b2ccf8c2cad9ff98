//! The mock that the provisioner is pointed at: one URL and one set of credentials for the whole run.

use std::net::SocketAddr;
use std::sync::Arc;

use mock_aquera::{Application, Auth, Clock, JournalQuery, MockAquera, Profile, StartError};
use serde::Serialize;
use serde_json::Value;

use crate::casing::lower_case;
use crate::client::recording::RecordedExchange;
use crate::client::scenario::{Scenario, ScenarioError, Source, Step};
use crate::json_text::JsonText;

/// The credentials of a provisioner, in one of two schemes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// The token for `Authorization: Bearer`.
    pub bearer: String,
    /// The user for basic authentication.
    pub basic_user: String,
    /// The password for basic authentication.
    pub basic_password: String,
}

/// The mock.
#[derive(Debug)]
pub struct Environment {
    mock: MockAquera,
    application: Application,
    credentials: Credentials,
    /// The number of the last exchange that was taken.
    taken: u64,
}

impl Environment {
    /// Starts the mock.
    ///
    /// # Errors
    /// The address cannot be listened at, say.
    pub async fn open(
        listen: SocketAddr,
        credentials: Credentials,
        clock: Option<Arc<dyn Clock>>,
        seed: u64,
    ) -> Result<Self, StartError> {
        let mut builder = MockAquera::builder()
            .listen(listen)
            .auth(Auth::bearer(&credentials.bearer))
            .auth(Auth::basic(&credentials.basic_user, &credentials.basic_password))
            .profile(Profile::builtin("rfc").unwrap_or_default())
            .seed(seed);
        if let Some(clock) = clock {
            builder = builder.clock(clock);
        }
        let mock = builder.start().await?;
        let application = mock.default_application();
        Ok(Self { mock, application, credentials, taken: 0 })
    }

    /// Returns the SCIM base URL for the provisioner.
    pub fn scim_url(&self) -> String {
        self.mock.scim_url()
    }

    /// Returns the credentials for the provisioner.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Returns the number of the last exchange.
    pub fn last_seq(&self) -> u64 {
        self.application.last_seq()
    }

    /// Prepares the mock for a scenario.
    ///
    /// # Errors
    /// Its profile is none, which loading rules out.
    pub fn set(&self, scenario: &Scenario) -> Result<(), ScenarioError> {
        self.application.clear_faults();
        self.application.set_profile(scenario.profile(None)?);
        for JsonText(account) in &scenario.accounts {
            self.application.seed_user(account.clone());
        }
        Ok(())
    }

    /// Prepares the mock for a step; `source` has the people at the source before it.
    ///
    /// # Errors
    /// A profile or fault is none, which loading rules out.
    pub fn prepare(&self, scenario: &Scenario, step: &Step, source: &Source) -> Result<(), ScenarioError> {
        self.application.clear_faults();
        if let Some(profile) = &step.profile {
            self.application.set_profile(scenario.profile(Some(profile))?);
        }
        let ids = |name: &String| -> Vec<String> {
            let person = source.get(name).or_else(|| scenario.people.get(name));
            let user_name = person.map(|person| lower_case(&person.user_name));
            let is = |user: &&Value| user["userName"].as_str().map(lower_case) == user_name;
            let users = self.application.users();
            users.iter().filter(is).filter_map(|user| user["id"].as_str().map(str::to_owned)).collect()
        };
        for id in step.vanish.iter().flat_map(ids) {
            self.application.remove_user(&id);
        }
        for (name, JsonText(members)) in &step.edit {
            let Value::Object(members) = members else { return Err(ScenarioError::Edit(name.clone())) };
            for id in ids(name) {
                self.application.edit_user(&id, |user| user.extend(members.clone()));
            }
        }
        for rule in &step.faults {
            let fault =
                rule.parse().map_err(|source| ScenarioError::Fault { fault: rule.clone(), source })?;
            self.application.add_fault(fault);
        }
        Ok(())
    }

    /// Restores the profile `rfc`, without faults.
    pub fn calm(&self) {
        self.application.clear_faults();
        self.application.set_profile(Profile::builtin("rfc").unwrap_or_default());
    }

    /// Returns the exchanges since the last call.
    pub fn take(&mut self) -> Vec<RecordedExchange> {
        let base = self.scim_url();
        let base = base
            .split_once("://")
            .and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]))
            .unwrap_or_default();
        let came = self.application.query_journal(&JournalQuery::new().since(self.taken));
        self.taken = came.last().map_or(self.taken, |exchange| exchange.seq);
        came.into_iter().map(|exchange| RecordedExchange::of(exchange, base)).collect()
    }

    /// Returns all accounts.
    pub fn accounts(&self) -> Vec<Value> {
        self.application.users()
    }

    /// Stops the mock.
    pub async fn close(self) {
        self.mock.stop().await;
    }
}
