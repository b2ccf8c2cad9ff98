//! The way to the target: a proxy, the certificate of this client, and the hosts that others name.

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;
use url::Url;

use crate::tls::ClientIdentity;

/// The settings of the network.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// The proxy for every request; `None` follows the proxy variables of the environment.
    pub proxy: Option<Proxy>,
    /// The certificate that this client shows to the target, with its key.
    pub identity: Option<Arc<ClientIdentity>>,
    /// Whether hosts that a source or a target names may have an address that is not public.
    pub allow_private: bool,
}

/// An HTTP proxy.
#[derive(Clone)]
pub struct Proxy {
    /// Its URL, without credentials.
    pub url: Url,
    /// The user and the password for it, if it wants them.
    pub credentials: Option<(String, SecretString)>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.credentials.as_ref().map(|(user, _)| user);
        f.debug_struct("Proxy").field("url", &self.url.as_str()).field("user", &user).finish()
    }
}
