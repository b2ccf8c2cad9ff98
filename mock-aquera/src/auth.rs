//! The credentials that an application accepts (RFC 7644 §2), compared in constant time.

use std::fmt;
use std::str::FromStr;

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;

/// The token that a server accepts when nothing else was asked for.
pub const DEFAULT_TOKEN: &str = "mock-token";

/// One kind of credentials that is accepted. `Debug` never shows a secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Auth {
    /// Everybody is let in.
    None,
    /// HTTP Basic.
    Basic {
        /// The user name; it holds no colon.
        user: String,
        /// The password.
        password: String,
    },
    /// A bearer token.
    Bearer {
        /// The token.
        token: String,
    },
}

impl Auth {
    /// HTTP Basic with this user and password.
    pub fn basic(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self::Basic { user: user.into(), password: password.into() }
    }

    /// A bearer token.
    pub fn bearer(token: impl Into<String>) -> Self {
        Self::Bearer { token: token.into() }
    }

    /// Whether the value of an `Authorization` header is good enough for this kind.
    fn accepts(&self, authorization: Option<&str>) -> bool {
        let credentials = |scheme: &str| {
            let (given, rest) = authorization?.trim().split_once(' ')?;
            given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
        };
        match self {
            Self::None => true,
            Self::Bearer { token } => {
                credentials("bearer").is_some_and(|given| same(given.as_bytes(), token))
            }
            Self::Basic { user, password } => credentials("basic")
                .and_then(|given| STANDARD.decode(given).ok())
                .is_some_and(|given| same(&given, &format!("{user}:{password}"))),
        }
    }

    /// What `WWW-Authenticate` says for this kind (RFC 7617 §2, RFC 6750 §3).
    fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Basic { .. } => Some(r#"Basic realm="mock-aquera", charset="UTF-8""#),
            Self::Bearer { .. } => Some(r#"Bearer realm="mock-aquera""#),
        }
    }
}

fn same(given: &[u8], expected: &str) -> bool {
    given.ct_eq(expected.as_bytes()).into()
}

/// Whether any of the accepted kinds is satisfied. All are looked at, so the time taken tells nothing.
pub(crate) fn accepted(kinds: &[Auth], authorization: Option<&HeaderValue>) -> bool {
    let authorization = authorization.and_then(|value| value.to_str().ok());
    kinds.iter().fold(false, |so_far, kind| kind.accepts(authorization) | so_far)
}

/// The challenges of a 401, one for each scheme that is accepted.
pub(crate) fn challenges(kinds: &[Auth]) -> Vec<&'static str> {
    let mut challenges: Vec<_> = kinds.iter().filter_map(Auth::challenge).collect();
    challenges.sort_unstable();
    challenges.dedup();
    challenges
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Basic { .. } => "basic:[redacted]",
            Self::Bearer { .. } => "bearer:[redacted]",
        })
    }
}

/// Why a text is no [`Auth`]. The text itself is never repeated: it may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseAuthError {
    /// The kind is not one of the three.
    #[error("the kind of authentication is one of none, basic:USER:PASSWORD, bearer:TOKEN")]
    UnknownKind,
    /// `basic` without its two parts.
    #[error("basic authentication is written basic:USER:PASSWORD, with neither part empty")]
    IncompleteBasic,
    /// `bearer` without a token that fits in a header.
    #[error("bearer authentication is written bearer:TOKEN, and the token is visible ASCII without spaces")]
    UnusableToken,
}

impl FromStr for Auth {
    type Err = ParseAuthError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match kind {
            "none" if text == "none" => Ok(Self::None),
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
            _ => Err(ParseAuthError::UnknownKind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kinds: &[&str], header: Option<&str>, expected: bool) {
        let kinds: Vec<Auth> = kinds.iter().map(|kind| kind.parse().unwrap()).collect();
        let header = header.map(|value| HeaderValue::from_str(value).unwrap());
        assert_eq!(accepted(&kinds, header.as_ref()), expected, "{kinds:?} {header:?}");
    }

    #[test]
    fn any_accepted_kind_lets_in() {
        let basic = format!("Basic {}", STANDARD.encode("ann:s3:cret"));
        check(&["none"], None, true);
        check(&["none"], Some("Bearer whatever"), true);
        check(&["bearer:t"], Some("Bearer t"), true);
        check(&["bearer:t"], Some("bearer t"), true);
        check(&["bearer:t"], Some("Bearer u"), false);
        check(&["bearer:t"], Some("Bearer tt"), false);
        check(&["bearer:t"], Some("Basic t"), false);
        check(&["bearer:t"], Some("t"), false);
        check(&["bearer:t"], None, false);
        check(&["basic:ann:s3:cret"], Some(&basic), true);
        check(&["basic:ann:other"], Some(&basic), false);
        check(&["basic:ann:s3:cret"], Some("Basic !!!"), false);
        check(&["basic:ann:other", "bearer:t"], Some("Bearer t"), true);
        check(&[], Some("Bearer t"), false);
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
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", [Auth::basic("ann", "hunter2"), Auth::bearer("hunter2")]);
        assert!(!shown.contains("hunter2") && !shown.contains("ann"), "{shown}");
    }

    #[test]
    fn each_scheme_is_challenged_once() {
        let kinds = [Auth::bearer("a"), Auth::basic("u", "p"), Auth::bearer("b"), Auth::None];
        assert_eq!(
            challenges(&kinds),
            [r#"Basic realm="mock-aquera", charset="UTF-8""#, r#"Bearer realm="mock-aquera""#]
        );
    }
}
