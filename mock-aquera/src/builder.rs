//! Setting a server up, and the handle that keeps it running.

mod keeper;

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cli_support::error_chain;
use serde_json::Value;
use smart_default::SmartDefault;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::address::{Addresses, PublicUrl};
use crate::application::{Application, ApplicationConfig};
use crate::auth::{Auth, DEFAULT_TOKEN, Fingerprint};
use crate::clock::{Clock, SystemClock};
use crate::data::{FakeUsers, FillError, InitialData, InitialResource, LoadError, SnapshotError, Source};
use crate::fault::{Fault, ParseFaultError};
use crate::journal::JournalLimits;
use crate::lock;
use crate::log::RequestLog;
use crate::net::{self, Bound, ListenError, NetConfig, Running};
use crate::profile::{Profile, ProfileAttributeError, check_paths};
use crate::route::DEFAULT_APPLICATION;
use crate::server::{
    Admin, AdminAccess, ApplicationError, Cors, Defaults, FOLLOWER_PATIENCE, Origin, Server, admin_port,
    main_port,
};
use crate::tls::Tls;
use crate::types::{DocumentError, DocumentKind, Role, Types};
use keeper::Keeper;

/// A server to be. What isn't said: loopback on a free port, the bearer token `mock-token`, the profile `aquera`,
/// seed 0, the computer's clock.
#[derive(Debug, SmartDefault)]
pub struct MockAqueraBuilder {
    #[default(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    listen: SocketAddr,
    pub(crate) auth: Vec<Auth>,
    profile: Profile,
    seed: u64,
    initial_resources: Vec<InitialResource>,
    loads: Vec<Source>,
    fake_users: usize,
    pub(crate) faults: Vec<Fault>,
    #[default(Arc::new(SystemClock))]
    clock: Arc<dyn Clock>,
    pub(crate) tls: Option<Tls>,
    pub(crate) snapshot: Option<PathBuf>,
    pub(crate) snapshot_every: Option<Duration>,
    journal: JournalLimits,
    pub(crate) log: Option<RequestLog>,
    pub(crate) schemas: Vec<Value>,
    pub(crate) resource_types: Vec<Value>,
    pub(crate) admin_listen: Option<SocketAddr>,
    admin_token: Option<Fingerprint>,
    #[default(FOLLOWER_PATIENCE)]
    follower_patience: Duration,
    pub(crate) public_url: Option<PublicUrl>,
    pub(crate) trust_forwarded: bool,
    pub(crate) admin_hosts: Vec<String>,
    pub(crate) cors: Vec<Origin>,
}

/// Why a server didn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address can't be listened at.
    #[error("listen at {address}{}", advice(source))]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A resource to start with would be refused by the endpoint itself.
    #[error("add initial resource {}: {detail}", index + 1)]
    Resource {
        /// Its position among those given, from zero.
        index: usize,
        /// What is wrong with it.
        detail: String,
    },
    /// Users are to be generated, and there is no resource type for them.
    #[error("generate users: no resource type is one of users")]
    NoUsers,
    /// Files with resources to start with hold some that can't be taken.
    #[error(transparent)]
    Load(LoadError),
    /// A fault to start with could never strike.
    #[error("use the fault `{rule}`: {reason}")]
    Fault {
        /// The rule in its canonical form.
        rule: String,
        /// Why it can't strike.
        reason: ParseFaultError,
    },
    /// The profile names an attribute that no resource type has.
    #[error("use the profile `{profile}`: {reason}")]
    Profile {
        /// Its name.
        profile: String,
        /// Which attribute it is.
        reason: ProfileAttributeError,
    },
    /// There is no thread for the blocking variant.
    #[error("start the server's thread")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
    /// The data of an earlier run can't be taken in.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
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
    if error.kind() == io::ErrorKind::AddrInUse { "; port 0 takes a free one" } else { "" }
}

impl StartError {
    /// What is wrong with the resources to start with, of which so many were given one by one.
    fn of(error: FillError, given: usize) -> Self {
        let (index, detail) = match error {
            FillError::Load(error) if error.problems.iter().all(|problem| problem.file.is_some()) => {
                return Self::Load(error);
            }
            FillError::Load(LoadError { problems }) => {
                // Each resource that was given one by one was a line.
                let mut given = problems.into_iter().filter(|problem| problem.file.is_none());
                let first = given.next();
                first.map(|first| (first.line.saturating_sub(1), first.detail)).unwrap_or_default()
            }
            FillError::FakeUser { index, problem } => (given + index, problem.to_string()),
            FillError::Snapshot(error) => (0, error.to_string()),
        };
        Self::Resource { index, detail }
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

    /// A user that the default application starts with, checked like a POST when the server starts. An `id` is kept.
    pub fn user(self, resource: Value) -> Self {
        self.resource("User", resource)
    }

    /// A resource of this type that the default application starts with, checked like a POST when the server starts.
    /// An `id` is kept, so that groups can name their members, which may be given later.
    pub fn resource(mut self, resource_type: impl Into<String>, resource: Value) -> Self {
        self.initial_resources.push(InitialResource { resource_type: resource_type.into(), resource });
        self
    }

    /// The text of a file with resources that the default application starts with, in a form that
    /// [`Application::load`] takes. Errors name the file.
    pub fn load(mut self, file: impl Into<Arc<str>>, text: impl Into<Vec<u8>>) -> Self {
        self.loads.push(Source { file: Some(file.into()), text: text.into() });
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
    pub fn users(self, fake_users: usize) -> Self {
        Self { fake_users, ..self }
    }

    /// Speaks TLS, and nothing but TLS.
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Keeps the data of all applications in this file: taken in when the server starts, if it is there, and written
    /// when it stops. Resources to start with are only for a start without the file.
    pub fn snapshot(self, file: impl Into<PathBuf>) -> Self {
        Self { snapshot: Some(file.into()), ..self }
    }

    /// Writes the file of [`snapshot`](Self::snapshot) in between too, each time after this span of real time, if
    /// anything has changed.
    pub fn snapshot_every(self, span: Duration) -> Self {
        Self { snapshot_every: Some(span), ..self }
    }

    /// How much the journal of each application may hold.
    pub fn journal_limits(self, journal: JournalLimits) -> Self {
        Self { journal, ..self }
    }

    /// Writes a line for each request, such as `401 GET /scim/Users  unknown access token`. No request waits for it: what
    /// comes faster than `out` takes it is counted and left out. Without, nothing is written.
    pub fn request_log(self, out: impl Write + Send + 'static) -> Self {
        Self { log: RequestLog::to(out), ..self }
    }

    /// Where administration listens, instead of beside the SCIM endpoints; port 0 picks a free one.
    pub fn admin_listen(self, listen: SocketAddr) -> Self {
        Self { admin_listen: Some(listen), ..self }
    }

    /// Lets only those into administration who show this bearer token. Without, anybody who reaches it.
    pub fn admin_token(self, token: impl AsRef<str>) -> Self {
        Self { admin_token: Some(Fingerprint::of(token.as_ref().as_bytes())), ..self }
    }

    /// How long a follower of a journal may leave unread what it was sent.
    #[cfg(test)]
    pub(crate) fn follower_patience(self, follower_patience: Duration) -> Self {
        Self { follower_patience, ..self }
    }

    /// Serves administration under this host name too, besides loopback names, addresses and the host of a public URL.
    /// With a token for administration every name will do.
    pub fn admin_host(mut self, name: impl Into<String>) -> Self {
        self.admin_hosts.push(name.into());
        self
    }

    /// Lets web pages of this origin use the SCIM endpoints and administration, and read what they answer.
    pub fn cors(mut self, origin: Origin) -> Self {
        self.cors.push(origin);
        self
    }

    /// Writes all URLs with this one, whatever address clients use. Without, they are written with the address that each
    /// client used.
    pub fn public_url(self, url: PublicUrl) -> Self {
        Self { public_url: Some(url), ..self }
    }

    /// Takes the address that clients used from `Forwarded` (RFC 7239) or `X-Forwarded-Proto`, `-Host`, `-Port` and
    /// `-Prefix`. For a server behind a proxy that sets them: anybody else could send them too.
    pub fn trust_forwarded(self) -> Self {
        Self { trust_forwarded: true, ..self }
    }

    /// Listens and serves in the background of the present tokio runtime.
    ///
    /// # Errors
    /// The address is not to be had, a schema or resource type is of no use, the snapshot is damaged, or a resource to
    /// start with doesn't pass the checks.
    #[expect(
        clippy::unused_async,
        reason = "it needs a runtime around it, and what it does may take time one day"
    )]
    pub async fn start(self) -> Result<MockAquera, StartError> {
        let types = Types::of_documents(&self.schemas, &self.resource_types)?;
        check_paths(&self.profile, &types)
            .map_err(|reason| StartError::Profile { profile: self.profile.name.clone(), reason })?;
        let listen = |ListenError { addr, source }| StartError::Listen { address: addr, source };
        let tls = self.tls.as_ref().map(|tls| tls.config.clone());
        let config = |at| NetConfig { tls: tls.clone(), ..NetConfig::new(at) };
        let bound = net::bind(config(self.listen)).map_err(listen)?;
        let addr = bound.addr();
        let admin_bound = self.admin_listen.map(|at| net::bind(config(at)).map_err(listen)).transpose()?;
        let admin_addr = admin_bound.as_ref().map_or(addr, Bound::addr);
        let auth = if self.auth.is_empty() { vec![Auth::bearer(DEFAULT_TOKEN)] } else { self.auth };
        let defaults = Defaults {
            profile: self.profile,
            auth,
            seed: self.seed,
            faults: self.faults,
            types: Arc::clone(&types),
            journal: self.journal,
            log: self.log,
        };
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let authority = reachable(addr).to_string();
        let addresses =
            Arc::new(Addresses::new(scheme, authority, self.public_url.as_ref(), self.trust_forwarded));
        let server = Arc::new(Server::new(Arc::clone(&addresses), defaults, self.clock));
        // A name that is valid and a server that is empty: this can't be refused.
        let default = server
            .create_default(DEFAULT_APPLICATION)
            .map_err(|problem| StartError::Resource { index: 0, detail: problem.to_string() })?;
        for fault in &server.defaults.faults {
            let check = default.check_fault(fault);
            check.map_err(|reason| StartError::Fault { rule: fault.to_string(), reason })?;
        }
        let keeper =
            self.snapshot.as_deref().map(|file| Keeper::open(file, Arc::clone(&server))).transpose()?;
        if keeper.as_ref().is_some_and(|(_, found)| *found) {
            for application in server.applications() {
                let data = InitialData::Snapshot(application.stock());
                application.begin(data).map_err(|error| StartError::of(error, 0))?;
            }
        } else {
            let users = (self.fake_users > 0)
                .then(|| types.of_role(Role::User).ok_or(StartError::NoUsers))
                .transpose()?
                .map(|of_type| FakeUsers { of_type, seed: self.seed, count: self.fake_users });
            let mut sources = vec![Source::of(&self.initial_resources)];
            sources.extend(self.loads);
            let data = InitialData::Given { sources, users };
            default.begin(data).map_err(|error| StartError::of(error, self.initial_resources.len()))?;
        }
        server.remember_start();
        let keeper = keeper.map(|(keeper, _)| Arc::new(keeper));
        let saving = keeper
            .as_ref()
            .zip(self.snapshot_every)
            .map(|(keeper, span)| tokio::spawn(save_every(Arc::clone(keeper), span)).abort_handle());
        let (ending, ended) = watch::channel(());
        let cors = Cors::new(self.cors);
        let public_host = self.public_url.as_ref().map(|url| url.host().to_owned());
        let hosts = self.admin_hosts.into_iter().chain(public_host);
        let admin = Admin {
            server: Arc::clone(&server),
            is_beside: admin_bound.is_none(),
            token: self.admin_token,
            access: AdminAccess::new(hosts),
            cors: cors.clone(),
            ending: ended,
            follower_patience: self.follower_patience,
        };
        let (admin_running, admin) = match admin_bound {
            Some(bound) => (Some(bound.serve(admin_port(&server, admin, &cors))), None),
            None => (None, Some(admin)),
        };
        let main = bound.serve(main_port(&server, admin, &cors));
        let running = Mutex::new(Some(Ports { ending, main, admin: admin_running }));
        Ok(MockAquera { addr, admin_addr, server, default, tls: self.tls, running, keeper, saving })
    }
}

/// A write that fails is told; the next one may work.
async fn save_every(keeper: Arc<Keeper>, span: Duration) {
    loop {
        tokio::time::sleep(span.max(Duration::from_millis(1))).await;
        let keeper = Arc::clone(&keeper);
        match tokio::task::spawn_blocking(move || keeper.save()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!("failed to {}", error_chain(&error)),
            Err(error) => tracing::error!("failed to write the snapshot: {error}"),
        }
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
/// they are waiting for. A snapshot is written then as well.
#[derive(Debug)]
pub struct MockAquera {
    addr: SocketAddr,
    /// Where administration is.
    admin_addr: SocketAddr,
    server: Arc<Server>,
    default: Application,
    tls: Option<Tls>,
    running: Mutex<Option<Ports>>,
    keeper: Option<Arc<Keeper>>,
    saving: Option<AbortHandle>,
}

/// What listens.
#[derive(Debug)]
struct Ports {
    /// Gone, it ends what would never end by itself: whoever follows a journal.
    ending: watch::Sender<()>,
    main: Running,
    /// Administration, where it has a port of its own.
    admin: Option<Running>,
}

impl MockAquera {
    /// Sets a server up.
    pub fn builder() -> MockAqueraBuilder {
        MockAqueraBuilder::default()
    }

    /// The address that it listens at.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address that administration listens at.
    pub(crate) fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }

    /// The SCIM URL of the default application, `http://127.0.0.1:PORT/scim` unless there is a public URL.
    pub fn scim_url(&self) -> String {
        self.default.scim_url()
    }

    /// The URL of the administration API, `http://127.0.0.1:PORT/_mock`.
    pub fn admin_url(&self) -> String {
        if self.admin_addr == self.addr {
            return format!("{}/_mock", self.server.addresses.origin());
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/_mock", reachable(self.admin_addr))
    }

    /// Where clients of OAuth 2 fetch their tokens for the default application.
    pub fn token_url(&self) -> String {
        format!("{}/oauth/token", self.server.addresses.origin())
    }

    /// The PEM of the authority that a client has to trust; none without TLS or with a certificate of one's own.
    pub fn ca_pem(&self) -> Option<&str> {
        self.tls.as_ref()?.ca_pem()
    }

    /// Writes the file of [`MockAqueraBuilder::snapshot`] now, if there is one and anything has changed.
    ///
    /// # Errors
    /// The file can't be written; the one before is still there.
    pub fn save(&self) -> Result<(), SnapshotError> {
        self.keeper.as_ref().map_or(Ok(()), |keeper| keeper.save())
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
        self.server.create(name, config, &[])
    }

    /// The application of this name.
    pub fn application(&self, name: &str) -> Option<Application> {
        self.server.application(name)
    }

    /// Removes an application with all that it holds. A request to it makes it anew, as the command line says.
    pub fn remove_application(&self, name: &str) {
        self.server.remove(name);
    }

    /// Stops and returns once every answer that was on its way has left, and the snapshot is written.
    pub async fn stop(self) {
        self.drain().await;
    }

    /// Stops as [`stop`](Self::stop) does, but doesn't write the snapshot yet: dropping the handle does.
    pub(crate) async fn drain(&self) {
        let ports = lock(&self.running).take();
        if let Some(Ports { ending, main, admin }) = ports {
            drop(ending);
            // Administration last: a test may want to see how the other port drains.
            main.stop().await;
            if let Some(admin) = admin {
                admin.stop().await;
            }
        }
    }
}

impl Drop for MockAquera {
    fn drop(&mut self) {
        drop(lock(&self.running).take());
        if let Some(saving) = self.saving.take() {
            saving.abort();
        }
        if let Err(error) = self.save() {
            tracing::error!("failed to {}", error_chain(&error));
        }
        if let Some(keeper) = &self.keeper {
            // A write that is under way may hold it for a moment longer than this handle.
            keeper.release();
        }
    }
}
