//! Decides who is let in. Secrets are compared as digests, and every credential that is accepted is looked at, so
//! the time taken tells nothing about them.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use subtle::ConstantTimeEq as _;

use super::access::{Access, Principal, PrincipalKind, Refusal};
use super::oauth::{self, TokenError, TokenReply};
use super::secret::Fingerprint;
use super::tokens::Tokens;
use super::{Auth, AuthKind, scheme};
use crate::auth::credentials::{Scheme, presented, wrong_token};
use crate::lock;

/// Who is let in at one application. Where no token endpoint is configured, a request takes no lock and no memory.
pub(crate) struct Gatekeeper {
    accepted: Vec<Auth>,
    anonymous: Option<Principal>,
    fixed: Vec<Fixed>,
    clients: Vec<Client>,
    tokens: Arc<Mutex<Tokens>>,
}

/// A credential that is what it is until somebody configures another one.
struct Fixed {
    scheme: Scheme,
    /// What is sent after the scheme.
    sent: Box<[u8]>,
    principal: Principal,
    /// Whether a fault took it back; only tokens can be.
    expired: AtomicBool,
}

/// A client of the token endpoint.
struct Client {
    fingerprint: Fingerprint,
    lifetime: Duration,
    me: Option<Arc<str>>,
}

impl Gatekeeper {
    /// Accepts any of these. The seed decides the tokens of the token endpoint.
    pub(crate) fn new(accepted: Vec<Auth>, seed: u64) -> Self {
        Self::over(accepted, Arc::new(Mutex::new(Tokens::new(seed))))
    }

    /// Accepts other credentials. Tokens stay good for those clients that stay, and fixed tokens that faults had taken
    /// are given back.
    pub(crate) fn accepting(&self, accepted: Vec<Auth>) -> Self {
        Self::over(accepted, Arc::clone(&self.tokens))
    }

    fn over(accepted: Vec<Auth>, tokens: Arc<Mutex<Tokens>>) -> Self {
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

    /// What is accepted, in words for whoever was refused. The credentials themselves are told to nobody.
    pub(crate) fn expected(&self) -> String {
        let any = |wanted: fn(&AuthKind) -> bool| self.accepted.iter().any(|auth| wanted(auth.kind()));
        let mut forms = Vec::new();
        let issues = any(|kind| matches!(kind, AuthKind::OAuth { .. }));
        if any(|kind| matches!(kind, AuthKind::Bearer { .. })) {
            forms.push(if issues {
                "`Authorization: Bearer TOKEN` with a configured token or one of the token endpoint"
            } else {
                "`Authorization: Bearer TOKEN`"
            });
        }
        if any(|kind| matches!(kind, AuthKind::Basic { .. })) {
            forms.push("`Authorization: Basic` with the Base64 of USER:PASSWORD");
        }
        if issues && !any(|kind| matches!(kind, AuthKind::Bearer { .. })) {
            forms.push("`Authorization: Bearer TOKEN` with a token of the token endpoint");
        }
        if forms.is_empty() {
            return "no credentials are accepted here at present".to_owned();
        }
        format!("send {}", forms.join(" or "))
    }

    /// What `WWW-Authenticate` says to a request that isn't let in, a header for each accepted scheme.
    pub(crate) fn challenges(&self, access: &Access) -> Vec<HeaderValue> {
        scheme::challenges(&self.accepted, access)
    }

    fn judge(&self, scheme: Scheme, credentials: &str, now: Timestamp) -> Access {
        if !self.knows(scheme) {
            return Access::Refused(Refusal::WrongScheme(scheme.name()));
        }
        if credentials.is_empty() {
            return Access::Refused(Refusal::NoCredentials);
        }
        let issued = self.judge_issued(scheme, credentials, now);
        let Some(fixed) = self.find_fixed(scheme, credentials) else {
            return issued.unwrap_or_else(|| {
                Access::Refused(match scheme {
                    Scheme::Basic => self.wrong_basic(credentials),
                    Scheme::Bearer => wrong_token(credentials),
                })
            });
        };
        if fixed.expired.load(Ordering::Relaxed) {
            return Access::Refused(Refusal::ExpiredToken);
        }
        Access::Granted(fixed.principal.clone())
    }

    fn judge_issued(&self, scheme: Scheme, credentials: &str, now: Timestamp) -> Option<Access> {
        if self.clients.is_empty() || scheme != Scheme::Bearer {
            return None;
        }
        let fingerprint = Fingerprint::of(credentials.as_bytes());
        let (client, is_expired) = lock(&self.tokens).find(&fingerprint, now)?;
        let me = self.client(&client)?.me.clone();
        if is_expired {
            return Some(Access::Refused(Refusal::ExpiredToken));
        }
        Some(Access::Granted(Principal { kind: PrincipalKind::OAuth, me, key: fingerprint.key() }))
    }

    /// What is wrong with the credentials of HTTP Basic. That it tells which users there are harms nobody here.
    fn wrong_basic(&self, credentials: &str) -> Refusal {
        let pair = STANDARD.decode(credentials).unwrap_or_default();
        let Some(colon) = memchr::memchr(b':', &pair) else { return Refusal::NotBasic };
        let is_known = self.accepted.iter().any(
            |auth| matches!(auth.kind(), AuthKind::Basic { user, .. } if *user.as_bytes() == pair[..colon]),
        );
        if is_known { Refusal::WrongPassword } else { Refusal::UnknownUser }
    }

    fn knows(&self, scheme: Scheme) -> bool {
        self.fixed.iter().any(|fixed| fixed.scheme == scheme)
            || scheme == Scheme::Bearer && !self.clients.is_empty()
    }

    /// The first one that fits; the others are looked at all the same.
    fn find_fixed(&self, scheme: Scheme, credentials: &str) -> Option<&Fixed> {
        self.fixed.iter().rev().fold(None, |found, fixed| {
            // Tells no more than the length of what is accepted.
            let equal = bool::from(fixed.sent.ct_eq(credentials.as_bytes()));
            if equal && fixed.scheme == scheme { Some(fixed) } else { found }
        })
    }

    fn client(&self, fingerprint: &Fingerprint) -> Option<&Client> {
        self.clients.iter().rev().fold(None, |found, client| {
            if client.fingerprint.ct_eq(fingerprint).into() { Some(client) } else { found }
        })
    }
}

/// The token endpoint.
impl Gatekeeper {
    /// Whether there are clients that a token endpoint could serve.
    pub(crate) fn has_clients(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Answers a POST to the token endpoint (RFC 6749 §4.4, §5).
    pub(crate) fn issue(&self, headers: &HeaderMap, form_body: &[u8], now: Timestamp) -> TokenReply {
        match self.grant(headers, form_body) {
            Ok(client) => {
                let token = lock(&self.tokens).issue(client.fingerprint, client.lifetime, now);
                oauth::granted(&token, client.lifetime)
            }
            Err(error) => oauth::refused(&error),
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

/// What faults and administration do. A fixed token and a token of the token endpoint can be taken back; a client keeps
/// its secret, so that it can fetch another token, and who needs no credentials can't lose any.
impl Gatekeeper {
    /// Lets the token that this request carries count as expired. `false` where it carries none that is known.
    pub(crate) fn expire_token(&self, headers: &HeaderMap) -> bool {
        let Ok(Some((Scheme::Bearer, token))) = presented(headers) else { return false };
        let fingerprint = Fingerprint::of(token.as_bytes());
        let fixed = self.find_fixed(Scheme::Bearer, token);
        if let Some(fixed) = fixed {
            fixed.expired.store(true, Ordering::Relaxed);
        }
        // The order matters: a token that is fixed and issued as well expires as both.
        lock(&self.tokens).expire(&fingerprint) || fixed.is_some()
    }

    /// Gives back what was taken by [`expire_token`](Self::expire_token), save
    /// tokens whose time is over.
    pub(crate) fn restore(&self) {
        self.fixed.iter().for_each(|fixed| fixed.expired.store(false, Ordering::Relaxed));
        lock(&self.tokens).restore();
    }

    /// Back to the beginning: everything is restored, no token was given out, the next ones start over from the seed.
    pub(crate) fn reset(&self) {
        lock(&self.tokens).clear();
        self.restore();
    }
}

impl Fixed {
    fn new(scheme: Scheme, kind: PrincipalKind, sent: &[u8], me: Option<Arc<str>>) -> Self {
        let fingerprint = Fingerprint::of(sent);
        let principal = Principal { kind, me, key: fingerprint.key() };
        Self { scheme, sent: sent.into(), principal, expired: AtomicBool::new(false) }
    }
}

impl fmt::Debug for Gatekeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gatekeeper").field(&self.accepted).finish()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;
    use jiff::SignedDuration;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn keeper(kinds: &[&str]) -> Gatekeeper {
        Gatekeeper::new(kinds.iter().map(|kind| kind.parse().unwrap()).collect(), 7)
    }

    fn with(authorization: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(authorization).unwrap())])
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    fn bearer(token: &str) -> HeaderMap {
        with(&format!("Bearer {token}"))
    }

    fn later(seconds: i64) -> Timestamp {
        NOW.checked_add(SignedDuration::from_secs(seconds)).unwrap()
    }

    /// A token for the client `id`, `pw`.
    fn token(keeper: &Gatekeeper, now: Timestamp) -> String {
        let body = b"grant_type=client_credentials&client_id=id&client_secret=pw";
        let reply = keeper.issue(&HeaderMap::new(), body, now).0;
        assert_eq!(reply.status(), 200);
        let body: Value = serde_json::from_slice(reply.body()).unwrap();
        body["access_token"].as_str().unwrap().to_owned()
    }

    #[test]
    fn any_accepted_kind_lets_in() {
        #[track_caller]
        fn check(
            kinds: &[&str],
            authorization: Option<&str>,
            expected: Result<PrincipalKind, Option<Refusal>>,
        ) {
            let headers = authorization.map(with).unwrap_or_default();
            let access = match keeper(kinds).check(&headers, NOW) {
                Access::Granted(principal) => Ok(principal.kind),
                Access::Missing => Err(None),
                Access::Refused(refusal) => Err(Some(refusal)),
            };
            assert_eq!(access, expected, "{kinds:?} {authorization:?}");
        }
        use PrincipalKind::{Anonymous, Basic, Bearer};
        let refused = |refusal| Err(Some(refusal));
        let ann = basic("ann:s3:cret");
        check(&["none"], None, Ok(Anonymous));
        check(&["none"], Some("Bearer whatever"), Ok(Anonymous));
        check(&["none", "bearer:t"], Some("Bearer t"), Ok(Bearer));
        check(&["none", "bearer:t"], Some("Bearer u"), Ok(Anonymous));
        check(&["bearer:t"], Some("Bearer t"), Ok(Bearer));
        check(&["bearer:t"], Some("bearer   t "), Ok(Bearer));
        check(&["bearer:t"], Some("Bearer u"), refused(Refusal::UnknownToken));
        check(&["bearer:t"], Some("Bearer tt"), refused(Refusal::UnknownToken));
        check(&["bearer:t"], Some("Bearer"), refused(Refusal::NoCredentials));
        check(&["bearer:t"], Some("Bearer Bearer t"), refused(wrong_token("Bearer t")));
        check(&["bearer:t"], Some("Bearer \"t\""), refused(wrong_token("\"t\"")));
        check(&["bearer:t"], Some("Basic t"), refused(Refusal::WrongScheme("Basic")));
        check(&["bearer:t"], Some("t"), refused(Refusal::NoScheme));
        check(&["bearer:t"], Some("token t"), refused(Refusal::WrongScheme("Token")));
        check(&["bearer:t"], Some("s3cret t"), refused(Refusal::WrongScheme("of this request")));
        check(&["bearer:t"], Some("Digest t"), refused(Refusal::WrongScheme("Digest")));
        check(&["bearer:t"], Some(""), refused(Refusal::NoScheme));
        check(&["bearer:t"], None, Err(None));
        check(&["basic:ann:s3:cret"], Some(&ann), Ok(Basic));
        check(&["basic:ann:other"], Some(&ann), refused(Refusal::WrongPassword));
        check(&["basic:ann:s3:cret"], Some("Basic !!!"), refused(Refusal::NotBasic));
        check(&["basic:ann:s3:cret"], Some("Basic YW5u"), refused(Refusal::NotBasic));
        check(&["basic:ann:s3:cret"], Some(&basic("bob:s3:cret")), refused(Refusal::UnknownUser));
        check(&["basic:ann:s3:cret"], Some("Bearer t"), refused(Refusal::WrongScheme("Bearer")));
        check(&["basic:ann:other", "bearer:t"], Some("Bearer t"), Ok(Bearer));
        check(&["bearer:a", "bearer:b", "bearer:c"], Some("Bearer b"), Ok(Bearer));
        check(&["oauth:id:pw"], Some("Bearer t"), refused(Refusal::UnknownToken));
        check(&["oauth:id:pw", "bearer:t"], Some("Bearer t"), Ok(Bearer));
        check(&[], Some("Bearer t"), refused(Refusal::WrongScheme("Bearer")));
        check(&[], None, Err(None));
        // What one scheme accepts is nothing to the other.
        let sent = STANDARD.encode("ann:pw");
        check(&["basic:ann:pw", "bearer:t"], Some(&format!("Bearer {sent}")), refused(Refusal::UnknownToken));
        check(&["bearer:t", "basic:ann:pw"], Some("Basic t"), refused(Refusal::NotBasic));
    }

    #[test]
    fn headers_that_cannot_be_read_are_refused() {
        let keeper = keeper(&["bearer:t"]);
        let mut twice = bearer("t");
        twice.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer t"));
        assert_eq!(keeper.check(&twice, NOW), Access::Refused(Refusal::Several));
        let bytes = HeaderValue::from_bytes(b"Bearer \xff").unwrap();
        let bytes = HeaderMap::from_iter([(header::AUTHORIZATION, bytes)]);
        assert_eq!(keeper.check(&bytes, NOW), Access::Refused(Refusal::Unreadable));
    }

    #[test]
    fn a_principal_knows_whose_it_is() {
        let keeper = Gatekeeper::new(
            vec![
                Auth::basic("ann", "pw"),
                Auth::bearer("t"),
                Auth::bearer("u").as_user("bob"),
                Auth::oauth("id", "pw"),
            ],
            0,
        );
        let issued = token(&keeper, NOW);
        let who = |authorization: &str| keeper.check(&with(authorization), NOW).principal().cloned().unwrap();
        let (ann, t, u) = (who(&basic("ann:pw")), who("Bearer t"), who("Bearer u"));
        let client = who(&format!("Bearer {issued}"));
        assert_eq!((ann.me.as_deref(), t.me.as_deref()), (Some("ann"), None));
        assert_eq!((u.me.as_deref(), client.me.as_deref()), (Some("bob"), Some("id")));
        assert_eq!(client.kind, PrincipalKind::OAuth);
        let mut keys = vec![0, ann.key, t.key, u.key, client.key];
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 5);
        assert_eq!(
            who("Bearer t").key,
            Gatekeeper::new(vec![Auth::bearer("t")], 9).check(&bearer("t"), NOW).principal().unwrap().key
        );
        let everybody = Gatekeeper::new(vec![Auth::none().as_user("zoe")], 0);
        let Access::Granted(anybody) = everybody.check(&HeaderMap::new(), NOW) else { panic!("not let in") };
        assert_eq!((anybody.me.as_deref(), anybody.key), (Some("zoe"), 0));
    }

    #[test]
    fn an_issued_token_is_good_until_its_time_is_over() {
        let keeper = keeper(&["oauth:id:pw:60s"]);
        let token = token(&keeper, NOW);
        let access = |now| keeper.check(&bearer(&token), now);
        assert!(access(later(59)).principal().is_some());
        assert_eq!(access(later(60)), Access::Refused(Refusal::ExpiredToken));
        // The clock may be set back.
        assert!(access(NOW).principal().is_some());
    }

    #[test]
    fn tokens_can_be_taken_back_and_given_back() {
        let keeper = keeper(&["basic:ann:pw", "bearer:t", "oauth:id:pw:60s"]);
        let issued = token(&keeper, NOW);
        let access = |headers: &HeaderMap| keeper.check(headers, NOW);
        let (ann, t, issued) = (with(&basic("ann:pw")), bearer("t"), bearer(&issued));
        let open = || [&ann, &t, &issued].map(|headers| access(headers).principal().is_some());

        assert!(keeper.expire_token(&t) && keeper.expire_token(&issued));
        assert!(!keeper.expire_token(&ann) && !keeper.expire_token(&bearer("x")));
        assert!(!keeper.expire_token(&HeaderMap::new()));
        assert_eq!(open(), [true, false, false]);
        assert_eq!(access(&t), Access::Refused(Refusal::ExpiredToken));
        assert_eq!(access(&issued), Access::Refused(Refusal::ExpiredToken));

        let another = bearer(&token(&keeper, NOW));
        assert!(access(&another).principal().is_some());

        keeper.restore();
        assert_eq!(open(), [true, true, true]);
        assert_eq!(keeper.check(&issued, later(60)), Access::Refused(Refusal::ExpiredToken));
    }

    #[test]
    fn other_credentials_keep_the_tokens_of_clients_that_stay() {
        let before = keeper(&["oauth:id:pw", "bearer:t"]);
        let token_before = token(&before, NOW);
        assert!(before.expire_token(&bearer(&token_before)));
        before.restore();
        let after = before.accepting(vec![Auth::oauth("id", "pw"), Auth::basic("ann", "pw")]);
        assert!(after.check(&bearer(&token_before), NOW).principal().is_some());
        assert_eq!(after.check(&bearer("t"), NOW), Access::Refused(Refusal::UnknownToken));
        assert_ne!(token(&after, NOW), token_before);
        let gone = after.accepting(vec![Auth::oauth("id", "another")]);
        assert_eq!(gone.check(&bearer(&token_before), NOW), Access::Refused(Refusal::UnknownToken));
        assert!(gone.has_clients() && !gone.accepting(vec![Auth::bearer("t")]).has_clients());
    }

    #[test]
    fn a_reset_forgets_tokens_and_starts_over_from_the_seed() {
        let keeper = keeper(&["oauth:id:pw", "bearer:t"]);
        let first = token(&keeper, NOW);
        let second = token(&keeper, NOW);
        assert!(keeper.expire_token(&bearer("t")));
        keeper.reset();
        assert_eq!(keeper.check(&bearer(&second), NOW), Access::Refused(Refusal::UnknownToken));
        assert!(keeper.check(&bearer("t"), NOW).principal().is_some());
        assert_eq!(token(&keeper, NOW), first);
    }

    #[test]
    fn debug_shows_no_secret() {
        let keeper = keeper(&["basic:ann:hunter2", "bearer:hunter2", "oauth:ann:hunter2"]);
        let granted = keeper.check(&bearer("hunter2"), NOW);
        let key = granted.principal().unwrap().key.to_string();
        let body = b"grant_type=client_credentials&client_id=ann&client_secret=hunter2";
        let reply = keeper.issue(&HeaderMap::new(), body, NOW);
        let issued: Value = serde_json::from_slice(reply.0.body()).unwrap();
        let shown = format!("{keeper:?} {granted:?}");
        for secret in ["hunter2", "ann", &key, issued["access_token"].as_str().unwrap()] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn nothing_but_the_credential_lets_in(scheme in "(?i)basic|bearer|[a-z]{0,8}", rest in "[ -~]{0,40}") {
            let keeper = keeper(&["basic:ann:long password", "bearer:a-long-token", "oauth:id:pw"]);
            let value = format!("{scheme} {rest}");
            prop_assert!(keeper.check(&with(value.trim()), NOW).principal().is_none());
        }

        #[test]
        fn every_credential_lets_in(user in "[^:\\x00-\\x1f]{1,20}", password in "\\PC{1,20}", token in "[!-~]{1,40}") {
            let all = vec![Auth::basic(user.clone(), password.clone()), Auth::bearer(token.clone())];
            let keeper = Gatekeeper::new(all, 0);
            let pair = basic(&format!("{user}:{password}"));
            prop_assert!(keeper.check(&with(&pair), NOW).principal().is_some());
            prop_assert!(keeper.check(&bearer(&token), NOW).principal().is_some());
        }
    }
}
