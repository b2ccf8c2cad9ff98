//! Setting a server up, and the handle that keeps it running.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use serde_json::Value;

use crate::application::{Application, ApplicationConfig, DEFAULT_APPLICATION};
use crate::auth::{Auth, DEFAULT_TOKEN};
use crate::clock::{Clock, SystemClock};
use crate::fault::Fault;
use crate::gateway::resource::with_schemas;
use crate::generate::write_users;
use crate::net::{self, ListenError, NetConfig, Running};
use crate::profile::Profile;
use crate::server::{AdminFront, ApplicationError, Defaults, Front, Server};
use crate::types::{DocumentError, DocumentKind, Role, Types};

/// A server to be. What isn't said: loopback on a free port, the bearer token `mock-token`, the profile `aquera`,
/// seed 0, the computer's clock.
#[derive(Debug)]
pub struct MockAqueraBuilder {
    listen: SocketAddr,
    auth: Vec<Auth>,
    profile: Profile,
    seed: u64,
    users: Vec<Value>,
    made_up: usize,
    faults: Vec<Fault>,
    clock: Arc<dyn Clock>,
    schemas: Vec<Value>,
    resource_types: Vec<Value>,
}

/// Why a server didn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address can't be listened at.
    #[error("listen at {address}: {source}{}", advice(source))]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A user to start with would be refused by the endpoint itself.
    #[error("take user {} of those to start with: {detail}", index + 1)]
    User {
        /// Its position, from zero.
        index: usize,
        /// What is wrong with it.
        detail: String,
    },
    /// A schema document is of no use.
    #[error("take schema document {}: {detail}", index + 1)]
    Schema {
        /// Its position, from zero.
        index: usize,
        /// What is wrong with it, and where.
        detail: String,
    },
    /// A resource type document is of no use.
    #[error("take resource type document {}: {detail}", index + 1)]
    ResourceType {
        /// Its position, from zero.
        index: usize,
        /// What is wrong with it, and where.
        detail: String,
    },
}

impl From<DocumentError> for StartError {
    fn from(error: DocumentError) -> Self {
        let DocumentError { kind, index, detail } = error;
        match kind {
            DocumentKind::Schema => Self::Schema { index, detail },
            DocumentKind::ResourceType => Self::ResourceType { index, detail },
        }
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; choose another one with --listen, or port 0 for a free one",
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 often need rights that this program doesn't have"
        }
        io::ErrorKind::AddrNotAvailable => "; this machine doesn't have that address",
        _ => "",
    }
}

impl MockAqueraBuilder {
    /// Where to listen; port 0 picks a free one.
    pub fn listen(self, listen: SocketAddr) -> Self {
        Self { listen, ..self }
    }

    /// Accepts these credentials too.
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth.push(auth);
        self
    }

    /// How applications behave that nobody configured otherwise.
    pub fn profile(self, profile: Profile) -> Self {
        Self { profile, ..self }
    }

    /// Decides all ids.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// A user that the default application starts with, checked like a POST when the server starts.
    pub fn user(mut self, resource: Value) -> Self {
        self.users.push(resource);
        self
    }

    /// A fault that every application starts with that nobody configured otherwise.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// A schema document (RFC 7643 §7) for a resource type to use. One of a standard schema takes its place.
    pub fn schema(mut self, document: Value) -> Self {
        self.schemas.push(document);
        self
    }

    /// A resource type document (RFC 7643 §6) that is served beside users and groups. One called User or Group takes
    /// the place of the standard one.
    pub fn resource_type(mut self, document: Value) -> Self {
        self.resource_types.push(document);
        self
    }

    /// Where the time is read.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// So many made-up users that the default application starts with, after those given one by one.
    pub fn users(self, made_up: usize) -> Self {
        Self { made_up, ..self }
    }

    /// Listens and serves in the background of the present tokio runtime.
    ///
    /// # Errors
    /// The address is not to be had, a schema or resource type is of no use, or a user to start with doesn't pass the
    /// checks.
    pub async fn start(self) -> Result<MockAquera, StartError> {
        let types = Types::of_documents(&self.schemas, &self.resource_types)?;
        let listen = |ListenError::Bind { addr, source }| StartError::Listen { address: addr, source };
        let bound = net::bind(NetConfig::new(self.listen)).map_err(listen)?;
        let addr = bound.addr();
        let auth = if self.auth.is_empty() { vec![Auth::bearer(DEFAULT_TOKEN)] } else { self.auth };
        let defaults = Defaults {
            profile: self.profile,
            auth,
            seed: self.seed,
            faults: self.faults,
            types: Arc::clone(&types),
        };
        let server = Arc::new(Server::new(format!("http://{}", reachable(addr)), defaults, self.clock));
        // A name that is valid and a server that is empty: this can't be refused.
        let default = server
            .create_default(DEFAULT_APPLICATION)
            .map_err(|problem| StartError::User { index: 0, detail: problem.to_string() })?;
        let user_kind = types.of_role(Role::User).unwrap_or_default();
        for (index, resource) in self.users.iter().enumerate() {
            let body = with_schemas(resource, &types.get(user_kind).schemas).to_string();
            default
                .add(user_kind, body.as_bytes())
                .map_err(|problem| StartError::User { index, detail: problem.to_string() })?;
        }
        let given = self.users.len();
        let mut failed = None;
        write_users(self.seed, self.made_up, |index, body| {
            if let Err(problem) = default.add(user_kind, body) {
                failed.get_or_insert((given + index, problem.to_string()));
            }
        });
        if let Some((index, detail)) = failed {
            return Err(StartError::User { index, detail });
        }
        let admin = AdminFront::new(Arc::clone(&server));
        let running = bound.serve(Front { server: Arc::clone(&server), admin: Some(admin) });
        Ok(MockAquera { addr, server, default, running: Some(running) })
    }
}

/// The address that a client on this machine can use for one that listens everywhere.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

/// A running server. Dropping it stops it: no new connection is taken, and the open ones end with the answer that
/// they are waiting for.
#[derive(Debug)]
pub struct MockAquera {
    addr: SocketAddr,
    server: Arc<Server>,
    default: Application,
    running: Option<Running>,
}

impl MockAquera {
    /// Sets a server up.
    pub fn builder() -> MockAqueraBuilder {
        MockAqueraBuilder {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            auth: Vec::new(),
            profile: Profile::default(),
            seed: 0,
            users: Vec::new(),
            made_up: 0,
            faults: Vec::new(),
            clock: Arc::new(SystemClock),
            schemas: Vec::new(),
            resource_types: Vec::new(),
        }
    }

    /// The address that it listens at.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The SCIM URL of the default application, `http://127.0.0.1:PORT/scim`.
    pub fn scim_url(&self) -> String {
        self.default.scim_url()
    }

    /// The URL of the administration API, `http://127.0.0.1:PORT/_mock`.
    pub fn admin_url(&self) -> String {
        format!("http://{}/_mock", reachable(self.addr))
    }

    /// The application at `/scim`.
    pub fn default_application(&self) -> Application {
        // Removed and made anew, it is another one.
        self.server.application(DEFAULT_APPLICATION).unwrap_or_else(|| self.default.clone())
    }

    /// How many applications there are, the default one among them.
    pub fn application_count(&self) -> usize {
        self.server.count()
    }

    /// Makes an application at `/apps/{name}/scim`.
    ///
    /// # Errors
    /// The name can't stand in a URL or is in use, or the server is full.
    pub fn create_application(
        &self,
        name: &str,
        config: ApplicationConfig,
    ) -> Result<Application, ApplicationError> {
        self.server.create(name, config)
    }

    /// The application of this name.
    pub fn application(&self, name: &str) -> Option<Application> {
        self.server.application(name)
    }

    /// Removes an application with all that it holds. A request to it makes it anew, as the command line says.
    pub fn remove_application(&self, name: &str) {
        self.server.remove(name);
    }

    /// Stops and returns once every answer that was on its way has left.
    pub async fn stop(mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }
}
