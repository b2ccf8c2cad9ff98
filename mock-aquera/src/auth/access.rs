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
    /// Several `Authorization` headers.
    #[error("there are several Authorization headers, one is needed")]
    Several,
    /// An `Authorization` header that isn't text.
    #[error("the Authorization header is not readable: it has characters other than ASCII")]
    Unreadable,
    /// One word alone, which may be a token. It is never repeated.
    #[error("the Authorization header has no scheme in front of the credentials")]
    NoScheme,
    /// A scheme that isn't accepted here, by its name where it is one that everybody knows: what stands there may be a
    /// secret.
    #[error("the authentication scheme {0} is not accepted here")]
    WrongScheme(&'static str),
    /// A scheme with nothing behind it.
    #[error("the Authorization header has nothing behind the scheme")]
    NoCredentials,
    /// A token with the scheme in front of it twice, or in quotation marks.
    #[error("the access token has {0}, which is no part of it")]
    Decorated(&'static str),
    /// HTTP Basic that isn't `user:password` in Base64.
    #[error("the credentials of HTTP Basic are not the Base64 of user:password")]
    NotBasic,
    /// HTTP Basic with a user that nobody knows.
    #[error("unknown user name")]
    UnknownUser,
    /// HTTP Basic with another password.
    #[error("wrong password")]
    WrongPassword,
    /// HTTP Basic that was right and was taken back.
    #[error("the account of these credentials is locked")]
    LockedOut,
    /// A token that nobody gave out, or so long ago that it is forgotten.
    #[error("unknown access token")]
    UnknownToken,
    /// A token whose time is over.
    #[error("expired access token")]
    ExpiredToken,
    /// A token that was taken back.
    #[error("revoked access token")]
    RevokedToken,
}

impl Refusal {
    /// Whether it is the form of the credentials that is wrong, and not what they are.
    pub(crate) fn is_of_form(self) -> bool {
        use Refusal::{Decorated, NoCredentials, NoScheme, NotBasic, Several, Unreadable, WrongScheme};
        matches!(
            self,
            Several | Unreadable | NoScheme | WrongScheme(_) | NoCredentials | Decorated(_) | NotBasic
        )
    }
}
