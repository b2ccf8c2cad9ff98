//! The credentials that an application accepts (RFC 7644 §2): what they are and how they are written.
//!
//! [`gatekeeper`] decides with them who is let in, [`oauth`] hands out tokens, [`scheme`] tells clients about them.

mod access;
mod credentials;
mod gatekeeper;
mod oauth;
mod scheme;
mod secret;
mod tokens;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub(crate) use access::{Access, Principal, PrincipalKind, Refusal};
pub(crate) use gatekeeper::Gatekeeper;
pub(crate) use oauth::TokenReply;
pub(crate) use scheme::schemes;
pub(crate) use secret::Fingerprint;

use crate::units::duration;

/// The token that a server accepts when nothing else was asked for.
pub const DEFAULT_TOKEN: &str = "mock-token";

/// How long a token from the token endpoint is good for when nothing else was asked for.
pub const DEFAULT_TOKEN_LIFETIME: Duration = Duration::from_hours(1);

/// Credentials that are accepted, and whose they are. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    kind: AuthKind,
    me: Option<String>,
}

/// The kinds of credentials. `Debug` never shows a secret.
#[derive(Clone, PartialEq, Eq)]
pub enum AuthKind {
    /// Everybody is let in.
    None,
    /// HTTP Basic (RFC 7617).
    Basic {
        /// The user name; it holds no colon.
        user: String,
        /// The password.
        password: String,
    },
    /// A bearer token (RFC 6750).
    Bearer {
        /// The token.
        token: String,
    },
    /// A client that fetches bearer tokens with its own credentials (RFC 6749 §4.4).
    OAuth {
        /// The client's name.
        client_id: String,
        /// The client's secret.
        client_secret: String,
        /// How long each token is good for; whole seconds count.
        lifetime: Duration,
    },
}

impl Auth {
    /// Everybody is let in.
    pub fn none() -> Self {
        AuthKind::None.into()
    }

    /// HTTP Basic with this user and password.
    pub fn basic(user: impl Into<String>, password: impl Into<String>) -> Self {
        AuthKind::Basic { user: user.into(), password: password.into() }.into()
    }

    /// A bearer token.
    pub fn bearer(token: impl Into<String>) -> Self {
        AuthKind::Bearer { token: token.into() }.into()
    }

    /// A client of the token endpoint, whose tokens are good for an hour.
    pub fn oauth(client_id: impl Into<String>, client_secret: impl Into<String>) -> Self {
        AuthKind::OAuth {
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            lifetime: DEFAULT_TOKEN_LIFETIME,
        }
        .into()
    }

    /// Tokens from the token endpoint are good for this long, in whole seconds. Without effect on other kinds.
    pub fn token_lifetime(mut self, good_for: Duration) -> Self {
        if let AuthKind::OAuth { lifetime, .. } = &mut self.kind {
            *lifetime = good_for;
        }
        self
    }

    /// Names the account that `/Me` stands for (RFC 7644 §3.11) with these credentials.
    pub fn as_user(mut self, user_name: impl Into<String>) -> Self {
        self.me = Some(user_name.into());
        self
    }

    /// Which kind they are.
    pub fn kind(&self) -> &AuthKind {
        &self.kind
    }

    /// The `userName` of the account that `/Me` stands for: the one named by [`as_user`](Self::as_user), else the
    /// user of HTTP Basic or the client of the token endpoint. A bearer token says nothing by itself.
    pub fn me(&self) -> Option<&str> {
        self.me.as_deref().or(match &self.kind {
            AuthKind::None | AuthKind::Bearer { .. } => None,
            AuthKind::Basic { user, .. } => Some(user),
            AuthKind::OAuth { client_id, .. } => Some(client_id),
        })
    }
}

impl From<AuthKind> for Auth {
    fn from(kind: AuthKind) -> Self {
        Self { kind, me: None }
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl fmt::Debug for AuthKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Basic { .. } => "basic:[redacted]",
            Self::Bearer { .. } => "bearer:[redacted]",
            Self::OAuth { .. } => "oauth:[redacted]",
        })
    }
}

/// Why a text is no [`Auth`]. The text itself is never repeated: it may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseAuthError {
    /// The kind is not one of the four.
    #[error(
        "the kind of authentication is one of none, basic:USER:PASSWORD, bearer:TOKEN, oauth:CLIENT:SECRET"
    )]
    UnknownKind,
    /// `basic` without its two parts.
    #[error("basic authentication is written basic:USER:PASSWORD, with neither part empty")]
    IncompleteBasic,
    /// `bearer` without a token that fits in a header.
    #[error("bearer authentication is written bearer:TOKEN, and the token is visible ASCII without spaces")]
    UnusableToken,
    /// `oauth` without its two or three parts.
    #[error(
        "OAuth 2 authentication is written oauth:CLIENT:SECRET or oauth:CLIENT:SECRET:LIFETIME, \
         with no part empty and no colon inside one"
    )]
    IncompleteOAuth,
    /// `oauth` with a third part that is no duration of whole seconds.
    #[error("the lifetime of a token is whole seconds above zero, such as 3600s, 60m or 1h")]
    BadLifetime,
}

impl FromStr for Auth {
    type Err = ParseAuthError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match kind {
            "none" if text == "none" => Ok(Self::none()),
            "basic" => match rest.split_once(':') {
                Some((user, password)) if !user.is_empty() && !password.is_empty() => {
                    Ok(Self::basic(user, password))
                }
                _ => Err(ParseAuthError::IncompleteBasic),
            },
            "bearer" if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Ok(Self::bearer(rest))
            }
            "bearer" => Err(ParseAuthError::UnusableToken),
            "oauth" => client(rest),
            _ => Err(ParseAuthError::UnknownKind),
        }
    }
}

/// A colon inside the secret is refused and not guessed at: a lifetime without its unit would become a part of it.
fn client(text: &str) -> Result<Auth, ParseAuthError> {
    let parts: Vec<&str> = text.split(':').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(ParseAuthError::IncompleteOAuth);
    }
    match *parts {
        [id, secret] => Ok(Auth::oauth(id, secret)),
        [id, secret, written] => {
            Ok(Auth::oauth(id, secret).token_lifetime(lifetime(written).ok_or(ParseAuthError::BadLifetime)?))
        }
        _ => Err(ParseAuthError::IncompleteOAuth),
    }
}

/// A token lives for whole seconds (RFC 6749 §5.1).
fn lifetime(text: &str) -> Option<Duration> {
    duration::parse(text).filter(|lifetime| !lifetime.is_zero() && lifetime.subsec_nanos() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_right_is_understood() {
        #[track_caller]
        fn check(text: &str, expected: &Auth) {
            assert!(text.parse::<Auth>().unwrap() == *expected, "{text}");
        }
        check("none", &Auth::none());
        check("basic:ann:s3:cret", &Auth::basic("ann", "s3:cret"));
        check("bearer:a:b", &Auth::bearer("a:b"));
        check("oauth:id:secret", &Auth::oauth("id", "secret").token_lifetime(Duration::from_hours(1)));
        check("oauth:id:secret:90s", &Auth::oauth("id", "secret").token_lifetime(Duration::from_secs(90)));
        check("oauth:id:secret:2m", &Auth::oauth("id", "secret").token_lifetime(Duration::from_mins(2)));
        check("oauth:id:secret:1.5h", &Auth::oauth("id", "secret").token_lifetime(Duration::from_mins(90)));
        check("oauth:id:secret:2h", &Auth::oauth("id", "secret").token_lifetime(Duration::from_hours(2)));
    }

    #[test]
    fn what_is_written_wrong_is_refused_without_repeating_it() {
        #[track_caller]
        fn refused(text: &str, error: &ParseAuthError) {
            assert_eq!(text.parse::<Auth>().as_ref(), Err(error), "{text}");
        }
        refused("", &ParseAuthError::UnknownKind);
        refused("none:x", &ParseAuthError::UnknownKind);
        refused("token:hunter2", &ParseAuthError::UnknownKind);
        refused("basic:ann", &ParseAuthError::IncompleteBasic);
        refused("basic::pw", &ParseAuthError::IncompleteBasic);
        refused("bearer:", &ParseAuthError::UnusableToken);
        refused("bearer:a b", &ParseAuthError::UnusableToken);
        for text in ["oauth", "oauth:id", "oauth:id:", "oauth::secret", "oauth:id:secret:", "oauth:a:b:1s:c"]
        {
            refused(text, &ParseAuthError::IncompleteOAuth);
        }
        for lifetime in [
            "3600",
            "s",
            "0s",
            "-1s",
            "1.5s",
            "500ms",
            "1d",
            "1é",
            "99999999999999999999s",
            "9999999999999999999h",
        ] {
            refused(&format!("oauth:id:hunter2:{lifetime}"), &ParseAuthError::BadLifetime);
        }
    }

    #[test]
    fn credentials_know_whose_they_are() {
        assert_eq!(Auth::basic("ann", "pw").me(), Some("ann"));
        assert_eq!(Auth::oauth("client", "pw").me(), Some("client"));
        assert_eq!(Auth::bearer("t").me(), None);
        assert_eq!(Auth::none().me(), None);
        for auth in [Auth::none(), Auth::basic("ann", "pw"), Auth::bearer("t"), Auth::oauth("c", "pw")] {
            assert_eq!(auth.as_user("zoe").me(), Some("zoe"));
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let all = [Auth::basic("ann", "hunter2"), Auth::bearer("hunter2"), Auth::oauth("ann", "hunter2")];
        let shown = format!("{all:?} {:?}", all.each_ref().map(|auth| auth.clone().as_user("ann")));
        assert!(!shown.contains("hunter2") && !shown.contains("ann"), "{shown}");
    }
}
