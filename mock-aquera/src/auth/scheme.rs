//! What clients are told about the accepted schemes: `authenticationSchemes` (RFC 7643 §5) and `WWW-Authenticate`
//! (RFC 7617 §2, RFC 6750 §3).

use axum::http::HeaderValue;
use serde_json::{Value, json};

use super::access::{Access, Refusal};
use super::{Auth, AuthKind};

/// The challenge of HTTP Basic.
pub(super) const BASIC: HeaderValue =
    HeaderValue::from_static(r#"Basic realm="mock-aquera", charset="UTF-8""#);

/// The entries of `authenticationSchemes`: each scheme once, the first one primary.
pub(crate) fn schemes(accepted: &[Auth]) -> Vec<Value> {
    let mut schemes: Vec<Value> = Vec::new();
    for auth in accepted {
        let (kind, name, description, spec) = match auth.kind() {
            AuthKind::None => continue,
            AuthKind::Basic { .. } => (
                "httpbasic",
                "HTTP Basic",
                "A user name and a password.",
                "https://www.rfc-editor.org/rfc/rfc7617",
            ),
            AuthKind::Bearer { .. } => (
                "oauthbearertoken",
                "OAuth Bearer Token",
                "A token that whoever holds it may use.",
                "https://www.rfc-editor.org/rfc/rfc6750",
            ),
            AuthKind::OAuth { .. } => (
                "oauth2",
                "OAuth 2.0 Client Credentials",
                "A token that the token endpoint gives to a client for its id and secret.",
                "https://www.rfc-editor.org/rfc/rfc6749",
            ),
        };
        if schemes.iter().all(|known| known["type"] != kind) {
            let primary = schemes.is_empty();
            schemes.push(json!({
                "type": kind, "name": name, "description": description, "specUri": spec, "primary": primary,
            }));
        }
    }
    schemes
}

/// The challenges of a 401, one for each scheme that is accepted; where none is needed and a fault refuses all the
/// same, that of bearer tokens, because a 401 has one (RFC 9110 §15.5.2). An error code stands only where a token was sent.
pub(super) fn challenges(accepted: &[Auth], access: &Access) -> Vec<HeaderValue> {
    if matches!(access, Access::Granted(_)) {
        return Vec::new();
    }
    let any = |wanted: fn(&AuthKind) -> bool| accepted.iter().any(|auth| wanted(auth.kind()));
    let basic = any(|kind| matches!(kind, AuthKind::Basic { .. }));
    let bearer = any(|kind| matches!(kind, AuthKind::Bearer { .. } | AuthKind::OAuth { .. }));
    let bearer = bearer || !basic;
    basic.then_some(BASIC).into_iter().chain(bearer.then(|| bearer_challenge(access))).collect()
}

fn bearer_challenge(access: &Access) -> HeaderValue {
    use Refusal::{Decorated, ExpiredToken, RevokedToken, UnknownToken};
    const PLAIN: HeaderValue = HeaderValue::from_static(r#"Bearer realm="mock-aquera""#);
    let Access::Refused(refusal @ (UnknownToken | ExpiredToken | RevokedToken | Decorated(_))) = access
    else {
        return PLAIN;
    };
    let told = format!(r#"Bearer realm="mock-aquera", error="invalid_token", error_description="{refusal}""#);
    HeaderValue::try_from(told).unwrap_or(PLAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> [Auth; 5] {
        [Auth::none(), Auth::bearer("a"), Auth::basic("u", "p"), Auth::oauth("c", "s"), Auth::bearer("b")]
    }

    #[test]
    fn each_scheme_is_advertised_once_and_the_first_is_primary() {
        let schemes = schemes(&all());
        let told: Vec<_> =
            schemes.iter().map(|scheme| (scheme["type"].as_str(), &scheme["primary"])).collect();
        assert_eq!(
            told,
            [
                (Some("oauthbearertoken"), &json!(true)),
                (Some("httpbasic"), &json!(false)),
                (Some("oauth2"), &json!(false)),
            ]
        );
        for scheme in &schemes {
            assert!(
                ["name", "description", "specUri"].iter().all(|part| scheme[part].is_string()),
                "{scheme}"
            );
        }
        assert!(super::schemes(&[Auth::none()]).is_empty());
    }

    #[test]
    fn each_scheme_is_challenged_once_and_tells_an_error_only_about_a_token() {
        const BASIC: &str = r#"Basic realm="mock-aquera", charset="UTF-8""#;
        const BEARER: &str = r#"Bearer realm="mock-aquera""#;
        let wrong = |reason| format!(r#"{BEARER}, error="invalid_token", error_description="{reason}""#);
        #[track_caller]
        fn check(accepted: &[Auth], access: &Access, expected: &[&str]) {
            assert_eq!(challenges(accepted, access), expected, "{access:?}");
        }
        let refused = Access::Refused;
        for access in [
            Access::Missing,
            refused(Refusal::Unreadable),
            refused(Refusal::Several),
            refused(Refusal::NoScheme),
            refused(Refusal::WrongScheme("Token")),
            refused(Refusal::NoCredentials),
            refused(Refusal::NotBasic),
            refused(Refusal::UnknownUser),
            refused(Refusal::WrongPassword),
            refused(Refusal::LockedOut),
        ] {
            check(&all(), &access, &[BASIC, BEARER]);
            check(&[Auth::oauth("c", "s")], &access, &[BEARER]);
            check(&[Auth::basic("u", "p")], &access, &[BASIC]);
            check(&[Auth::none()], &access, &[BEARER]);
        }
        check(&all(), &refused(Refusal::UnknownToken), &[BASIC, &wrong("unknown access token")]);
        check(&all(), &refused(Refusal::ExpiredToken), &[BASIC, &wrong("expired access token")]);
        check(&all(), &refused(Refusal::RevokedToken), &[BASIC, &wrong("revoked access token")]);
    }
}
