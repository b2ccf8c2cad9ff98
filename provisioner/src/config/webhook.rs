//! `[watch]`: who may send events.

use std::fmt;

use secrecy::SecretString;

/// The credentials of webhooks, as they are set up in PingOne.
#[derive(Clone)]
pub enum WebhookCredentials {
    /// A header with a secret value.
    Header {
        /// The name of the header.
        name: String,
        /// Its value.
        secret: SecretString,
    },
    /// Basic authentication (RFC 7617).
    Basic {
        /// The user, without a colon.
        user: String,
        /// The password.
        password: SecretString,
    },
}

impl fmt::Debug for WebhookCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { name, .. } => {
                f.debug_struct("Header").field("name", name).field("secret", &"[redacted]").finish()
            }
            Self::Basic { user, .. } => {
                f.debug_struct("Basic").field("user", user).field("password", &"[redacted]").finish()
            }
        }
    }
}
