//! Setting a server up, and the handle that keeps it running.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::serve::ListenerExt as _;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::application::{Application, ApplicationConfig, DEFAULT_APPLICATION};
use crate::auth::{Auth, DEFAULT_TOKEN};
use crate::clock::{Clock, SystemClock};
use crate::fault::Fault;
use crate::profile::Profile;
use crate::server::{ApplicationError, Defaults, Server, router};

/// A server to be. What isn't said: loopback on a free port, the bearer token `mock-token`, the profile `aquera`,
/// seed 0, the computer's clock.
#[derive(Debug)]
pub struct MockAqueraBuilder {
    listen: SocketAddr,
    auth: Vec<Auth>,
    profile: Profile,
    seed: u64,
    users: Vec<Value>,
    faults: Vec<Fault>,
    clock: Arc<dyn Clock>,
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

    /// Where the time is read.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Listens and serves in the background of the present tokio runtime.
    ///
    /// # Errors
    /// The address is not to be had, or a user to start with doesn't pass the checks.
    pub async fn start(self) -> Result<MockAquera, StartError> {
        let listen_error = |source| StartError::Listen { address: self.listen, source };
        let listener = TcpListener::bind(self.listen).await.map_err(listen_error)?;
        let addr = listener.local_addr().map_err(listen_error)?;
        let auth = if self.auth.is_empty() { vec![Auth::bearer(DEFAULT_TOKEN)] } else { self.auth };
        let defaults = Defaults { profile: self.profile, auth, seed: self.seed, faults: self.faults };
        let server = Arc::new(Server::new(format!("http://{}", reachable(addr)), defaults, self.clock));
        // A name that is valid and a server that is empty: this can't be refused.
        let default = server
            .create_default(DEFAULT_APPLICATION)
            .map_err(|problem| StartError::User { index: 0, detail: problem.to_string() })?;
        for (index, resource) in self.users.into_iter().enumerate() {
            default
                .add_user(&resource)
                .map_err(|problem| StartError::User { index, detail: problem.to_string() })?;
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let routes = router(Arc::clone(&server));
        // Small answers leave at once: without this a client waits for the delayed acknowledgement.
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let task = tokio::spawn(async move {
            let drained = axum::serve(listener, routes).with_graceful_shutdown(async {
                // Asked to stop, or the handle is gone: either way.
                let _ = stopped.await;
            });
            if let Err(error) = drained.await {
                tracing::error!(%error, "the server stopped");
            }
        });
        Ok(MockAquera { addr, server, default, stop: Some(stop), task })
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
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
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
            faults: Vec::new(),
            clock: Arc::new(SystemClock),
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
        self.stop.take();
        // A task that panicked has nothing left to wait for.
        let _ = (&mut self.task).await;
    }
}
