//! Takes secrets out of what is recorded.

use serde_json::Value;

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Header fields whose values are credentials.
const SECRET_HEADERS: [&str; 5] =
    ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"];

/// Members whose values are secret, in lower case.
const SECRET_MEMBERS: [&str; 7] =
    ["password", "secret", "client_secret", "access_token", "refresh_token", "token", "privatekey"];

/// The value of a header field as it may be shown. Of credentials the scheme stays.
pub fn header(name: &str, value: &str) -> String {
    if !SECRET_HEADERS.iter().any(|secret| name.eq_ignore_ascii_case(secret)) {
        return value.to_owned();
    }
    match value.split_once(' ') {
        Some((scheme @ ("Bearer" | "Basic"), _)) => format!("{scheme} {REDACTED}"),
        _ => REDACTED.to_owned(),
    }
}

/// JSON without the values of secret members.
pub fn json(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| {
                let secret = SECRET_MEMBERS.iter().any(|secret| name.eq_ignore_ascii_case(secret));
                let shown = match member {
                    // Schemas and configurations describe a password; that is no secret.
                    Value::String(_) if secret => Value::from(REDACTED),
                    other => json(other),
                };
                (name.clone(), shown)
            })
            .collect(),
        Value::Array(elements) => elements.iter().map(json).collect(),
        other => other.clone(),
    }
}

/// A shorter secret may be part of an ordinary word, and is only taken out where it stands alone.
const UNMISTAKABLE: usize = 12;

/// A text without the secrets.
pub fn text(text: &str, secrets: &[String]) -> String {
    let mut shown = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        if shown.contains(secret.as_str()) {
            shown = without(&shown, secret);
        }
    }
    shown
}

fn without(text: &str, secret: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in text.match_indices(secret) {
        let end = at + secret.len();
        let part_of_a_word = secret.len() < UNMISTAKABLE
            && (text[..at].ends_with(char::is_alphanumeric)
                || text[end..].starts_with(char::is_alphanumeric));
        if !part_of_a_word {
            shown.push_str(&text[from..at]);
            shown.push_str(REDACTED);
            from = end;
        }
    }
    shown.push_str(&text[from..]);
    shown
}

/// JSON without a secret in any of its texts.
pub fn texts(value: &mut Value, secrets: &[String]) {
    match value {
        Value::String(inner) => {
            if secrets.iter().any(|secret| !secret.is_empty() && inner.contains(secret.as_str())) {
                *inner = text(inner, secrets);
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| texts(element, secrets)),
        Value::Object(members) => members.values_mut().for_each(|member| texts(member, secrets)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_taken_out() {
        assert_eq!(header("Authorization", "Bearer abc"), "Bearer [redacted]");
        assert_eq!(header("authorization", "weird"), "[redacted]");
        assert_eq!(header("Accept", "text/html"), "text/html");
        let shown = json(
            &json!({ "password": "p", "a": [{ "Access_Token": "t" }], "changePassword": { "supported": true } }),
        );
        assert_eq!(
            shown,
            json!({ "password": REDACTED, "a": [{ "Access_Token": REDACTED }], "changePassword": { "supported": true } })
        );
        let mut told = json!({ "detail": "no such token: s3cret" });
        texts(&mut told, &["s3cret".to_owned()]);
        assert_eq!(told, json!({ "detail": "no such token: [redacted]" }));
        let secrets = ["t".to_owned(), "a-long-secret-indeed".to_owned()];
        assert_eq!(text("http://x/t?xa-long-secret-indeedx", &secrets), "http://x/[redacted]?x[redacted]x");
    }
}
