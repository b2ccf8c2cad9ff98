//! Decides who is let in. Secrets are compared as digests, and every credential that is accepted is looked at, so
//! the time taken tells nothing about them.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use subtle::ConstantTimeEq as _;

use super::access::{Access, Principal, PrincipalKind, Refusal};
use super::oauth::{self, TokenError, TokenReply};
use super::secret::Fingerprint;
use super::tokens::{Standing, Tokens};
use super::{Auth, AuthKind, scheme};

/// Who is let in at one application. Where no token endpoint is configured, a request takes no lock and no memory.
pub(crate) struct Gatekeeper {
    accepted: Vec<Auth>,
    anonymous: Option<Principal>,
    fixed: Vec<Fixed>,
    clients: Vec<Client>,
    tokens: Arc<RwLock<Tokens>>,
}

/// A credential that is what it is until somebody configures another one.
struct Fixed {
    scheme: Scheme,
    fingerprint: Fingerprint,
    principal: Principal,
    standing: AtomicU8,
}

/// A client of the token endpoint.
struct Client {
    fingerprint: Fingerprint,
    lifetime: Duration,
    me: Option<Arc<str>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Basic,
    Bearer,
}

impl Gatekeeper {
    /// Accepts any of these. The seed decides the tokens of the token endpoint.
    pub(crate) fn new(accepted: Vec<Auth>, seed: u64) -> Self {
        Self::over(accepted, Arc::new(RwLock::new(Tokens::new(seed))))
    }

    /// Accepts other credentials. Tokens stay good for those clients that stay, and what faults had taken from a
    /// user's password or a fixed token is given back.
    pub(crate) fn accepting(&self, accepted: Vec<Auth>) -> Self {
        Self::over(accepted, Arc::clone(&self.tokens))
    }

    fn over(accepted: Vec<Auth>, tokens: Arc<RwLock<Tokens>>) -> Self {
        let (mut anonymous, mut fixed, mut clients) = (None, Vec::new(), Vec::new());
        for auth in &accepted {
            let me = auth.me().map(Arc::from);
            match auth.kind() {
                AuthKind::None => {
                    anonymous.get_or_insert(Principal { kind: PrincipalKind::Anonymous, me, key: 0 });
                }
                AuthKind::Basic { user, password } => {
                    let sent = STANDARD.encode(format!("{user}:{password}"));
                    fixed.push(Fixed::new(Scheme::Basic, PrincipalKind::Basic, sent.as_bytes(), me));
                }
                AuthKind::Bearer { token } => {
                    fixed.push(Fixed::new(Scheme::Bearer, PrincipalKind::Bearer, token.as_bytes(), me));
                }
                AuthKind::OAuth { client_id, client_secret, lifetime } => clients.push(Client {
                    fingerprint: Fingerprint::of_pair(client_id.as_bytes(), client_secret.as_bytes()),
                    lifetime: *lifetime,
                    me,
                }),
            }
        }
        Self { accepted, anonymous, fixed, clients, tokens }
    }

    /// What is accepted.
    pub(crate) fn accepted(&self) -> &[Auth] {
        &self.accepted
    }

    /// Whether a request is let in, and as whom. Right credentials count even where none are needed.
    pub(crate) fn check(&self, headers: &HeaderMap, now: Timestamp) -> Access {
        let access = match presented(headers) {
            Ok(Some((scheme, credentials))) => self.judge(scheme, credentials, now),
            Ok(None) => Access::Missing,
            Err(refusal) => Access::Refused(refusal),
        };
        match (&access, &self.anonymous) {
            (Access::Missing | Access::Refused(_), Some(anonymous)) => Access::Granted(anonymous.clone()),
            _ => access,
        }
    }

    /// What `WWW-Authenticate` says to a request that isn't let in, a header for each accepted scheme.
    pub(crate) fn challenges(&self, access: &Access) -> Vec<HeaderValue> {
        scheme::challenges(&self.accepted, access)
    }

    fn judge(&self, scheme: Scheme, credentials: &str, now: Timestamp) -> Access {
        if !self.knows(scheme) {
            return Access::Refused(Refusal::WrongScheme);
        }
        let fingerprint = Fingerprint::of(credentials.as_bytes());
        let issued = self.judge_issued(scheme, fingerprint, now);
        let Some(fixed) = self.find_fixed(scheme, &fingerprint) else {
            return issued.unwrap_or(Access::Refused(match scheme {
                Scheme::Basic => Refusal::WrongPassword,
                Scheme::Bearer => Refusal::UnknownToken,
            }));
        };
        match (Standing::from_byte(fixed.standing.load(Ordering::Relaxed)), scheme) {
            (Standing::Good, _) => Access::Granted(fixed.principal.clone()),
            (Standing::Expired | Standing::Revoked, Scheme::Basic) => Access::Refused(Refusal::LockedOut),
            (Standing::Expired, Scheme::Bearer) => Access::Refused(Refusal::ExpiredToken),
            (Standing::Revoked, Scheme::Bearer) => Access::Refused(Refusal::RevokedToken),
        }
    }

    fn judge_issued(&self, scheme: Scheme, fingerprint: Fingerprint, now: Timestamp) -> Option<Access> {
        if self.clients.is_empty() || scheme != Scheme::Bearer {
            return None;
        }
        let (client, standing) = self.read_tokens().find(&fingerprint, now)?;
        let client = self.client(&client)?;
        Some(match standing {
            Standing::Good => Access::Granted(Principal {
                kind: PrincipalKind::OAuth,
                me: client.me.clone(),
                key: fingerprint.key(),
            }),
            Standing::Expired => Access::Refused(Refusal::ExpiredToken),
            Standing::Revoked => Access::Refused(Refusal::RevokedToken),
        })
    }

    fn knows(&self, scheme: Scheme) -> bool {
        self.fixed.iter().any(|fixed| fixed.scheme == scheme)
            || scheme == Scheme::Bearer && !self.clients.is_empty()
    }

    /// The first one that fits; the others are looked at all the same.
    fn find_fixed(&self, scheme: Scheme, fingerprint: &Fingerprint) -> Option<&Fixed> {
        self.fixed.iter().rev().fold(None, |found, fixed| {
            let equal = bool::from(fixed.fingerprint.ct_eq(fingerprint));
            if equal && fixed.scheme == scheme { Some(fixed) } else { found }
        })
    }

    fn client(&self, fingerprint: &Fingerprint) -> Option<&Client> {
        self.clients.iter().rev().fold(None, |found, client| {
            if client.fingerprint.ct_eq(fingerprint).into() { Some(client) } else { found }
        })
    }

    fn read_tokens(&self) -> RwLockReadGuard<'_, Tokens> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_tokens(&self) -> RwLockWriteGuard<'_, Tokens> {
        self.tokens.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token endpoint.
#[cfg_attr(not(test), expect(dead_code, reason = "the server calls it once it has a token endpoint"))]
impl Gatekeeper {
    /// Whether there are clients that a token endpoint could serve.
    pub(crate) fn has_clients(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Answers a POST to the token endpoint (RFC 6749 §4.4, §5).
    pub(crate) fn issue(&self, headers: &HeaderMap, form_body: &[u8], now: Timestamp) -> TokenReply {
        match self.grant(headers, form_body) {
            Ok(client) => {
                let token = self.write_tokens().issue(client.fingerprint, client.lifetime, now);
                TokenReply::token(&token, client.lifetime)
            }
            Err(error) => TokenReply::error(&error),
        }
    }

    /// Whether [`issue`](Self::issue) would give a token, without giving one: for an application that doesn't exist
    /// until somebody who may makes it.
    pub(crate) fn would_issue(&self, headers: &HeaderMap, form_body: &[u8]) -> bool {
        self.grant(headers, form_body).is_ok()
    }

    fn grant(&self, headers: &HeaderMap, form_body: &[u8]) -> Result<&Client, TokenError> {
        let request = oauth::read(headers, form_body)?;
        let client =
            request.candidates.iter().fold(None, |found, candidate| self.client(candidate).or(found));
        let client = client.ok_or(TokenError::InvalidClient)?;
        if request.is_client_credentials { Ok(client) } else { Err(TokenError::UnsupportedGrantType) }
    }
}

/// What faults and administration do. A password, a fixed token and a token of the token endpoint can be taken back;
/// a client keeps its secret, so that it can fetch another token, and who needs no credentials can't lose any.
#[cfg_attr(not(test), expect(dead_code, reason = "the server calls it once it has the faults"))]
impl Gatekeeper {
    /// Lets the token that this request carries count as expired. `false` where it carries none that is known.
    pub(crate) fn expire_token(&self, headers: &HeaderMap) -> bool {
        let Ok(Some((Scheme::Bearer, token))) = presented(headers) else { return false };
        let fingerprint = Fingerprint::of(token.as_bytes());
        let fixed = self.find_fixed(Scheme::Bearer, &fingerprint);
        if let Some(fixed) = fixed {
            fixed.standing.store(Standing::Expired as u8, Ordering::Relaxed);
        }
        // The order matters: a token that is fixed and issued as well expires as both.
        self.write_tokens().set(&fingerprint, Standing::Expired) || fixed.is_some()
    }

    /// Takes back every password and token that is good now.
    pub(crate) fn revoke_all(&self) {
        self.set_all(Standing::Revoked);
    }

    /// Gives back what was taken by [`expire_token`](Self::expire_token) and [`revoke_all`](Self::revoke_all), save
    /// tokens whose time is over.
    pub(crate) fn restore(&self) {
        self.set_all(Standing::Good);
    }

    /// Back to the beginning: everything is restored, no token was given out, the next ones start over from the seed.
    pub(crate) fn reset(&self) {
        self.write_tokens().clear();
        self.restore();
    }

    fn set_all(&self, standing: Standing) {
        for fixed in &self.fixed {
            fixed.standing.store(standing as u8, Ordering::Relaxed);
        }
        self.write_tokens().set_all(standing);
    }
}

impl Fixed {
    fn new(scheme: Scheme, kind: PrincipalKind, sent: &[u8], me: Option<Arc<str>>) -> Self {
        let fingerprint = Fingerprint::of(sent);
        let principal = Principal { kind, me, key: fingerprint.key() };
        Self { scheme, fingerprint, principal, standing: AtomicU8::new(Standing::Good as u8) }
    }
}

impl fmt::Debug for Gatekeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gatekeeper").field(&self.accepted).finish()
    }
}

/// The scheme and the credentials of a request; `None` where it carries none.
fn presented(headers: &HeaderMap) -> Result<Option<(Scheme, &str)>, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::Unreadable);
    }
    let text = value.to_str().map_err(|_| Refusal::Unreadable)?.trim();
    let (scheme, credentials) = text.split_once(' ').unwrap_or((text, ""));
    let scheme = if scheme.eq_ignore_ascii_case("bearer") {
        Scheme::Bearer
    } else if scheme.eq_ignore_ascii_case("basic") {
        Scheme::Basic
    } else {
        return Err(Refusal::WrongScheme);
    };
    Ok(Some((scheme, credentials.trim())))
}
