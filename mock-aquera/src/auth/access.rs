//! What the gatekeeper found out about a request.

use std::fmt;
use std::sync::Arc;

/// Whether a request is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// It is.
    Granted(Principal),
    /// It carries no credentials, and some are needed.
    Missing,
    /// What it carries doesn't do.
    Refused(Refusal),
}

impl Access {
    /// Who is let in, if anybody.
    pub(crate) fn principal(&self) -> Option<&Principal> {
        match self {
            Self::Granted(principal) => Some(principal),
            Self::Missing | Self::Refused(_) => None,
        }
    }
}

/// Who was let in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    /// By which kind of credentials.
    pub(crate) kind: PrincipalKind,
    /// The `userName` of the account that `/Me` stands for.
    pub(crate) me: Option<Arc<str>>,
    /// Stays with the credential and differs between any two, for rate limits. It is made of the secret, so it is
    /// shown nowhere. Zero for those who need none.
    pub(crate) key: u64,
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal").field("kind", &self.kind).field("me", &self.me).finish_non_exhaustive()
    }
}

/// The kinds of credentials by which somebody was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PrincipalKind {
    /// None, or none that count.
    Anonymous,
    /// A user and a password.
    Basic,
    /// A token that was configured.
    Bearer,
    /// A token from the token endpoint.
    OAuth,
}

/// Why credentials don't do. The messages can stand in a quoted string of a header as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Several `Authorization` headers, or one that isn't text.
    #[error("the Authorization header is not readable")]
    Unreadable,
    /// A scheme that isn't accepted here.
    #[error("the authentication scheme is not accepted here")]
    WrongScheme,
    /// HTTP Basic with another user or password.
    #[error("the user name or the password is wrong")]
    WrongPassword,
    /// HTTP Basic that was right and was taken back.
    #[error("the account of these credentials is locked")]
    LockedOut,
    /// A token that nobody gave out, or so long ago that it is forgotten.
    #[error("the access token is unknown")]
    UnknownToken,
    /// A token whose time is over.
    #[error("the access token expired")]
    ExpiredToken,
    /// A token that was taken back.
    #[error("the access token was revoked")]
    RevokedToken,
}
