//! An exchange as a curl command, with placeholders where secrets were.

use serde_json::Value;

use crate::transcript::{Exchange, REDACTED};

/// Headers that curl sets by itself.
const BY_ITSELF: [&str; 6] =
    ["host", "content-length", "user-agent", "connection", "accept-encoding", "transfer-encoding"];

/// Returns the command that sends the request again. The shell fills in `$TOKEN`, or `$USERNAME` and `$PASSWORD`.
pub fn command(exchange: &Exchange) -> String {
    let request = &exchange.request;
    let mut parts = vec!["curl -sS -i".to_owned()];
    match request.method.as_str() {
        "GET" if request.body.is_null() => {}
        "HEAD" => parts.push("--head".to_owned()),
        method => parts.push(format!("-X {}", quote(method))),
    }
    parts.push(quote(&request.url));
    let mut lines = vec![parts.join(" ")];
    for (name, value) in &request.headers {
        let lower = name.to_ascii_lowercase();
        if BY_ITSELF.contains(&lower.as_str()) {
            continue;
        }
        if lower == "authorization" {
            lines.push(authorization(name, value));
        } else {
            lines.push(format!("-H {}", quote(&format!("{name}: {value}"))));
        }
    }
    match &request.body {
        Value::Null => {}
        Value::String(text) => lines.push(format!("--data-raw {}", quote(text))),
        body => {
            lines.push(format!("--data-raw {}", quote(&format!("{body:#}"))));
        }
    }
    lines.join(" \\\n  ")
}

fn authorization(name: &str, value: &str) -> String {
    match value.split_once(' ') {
        Some((scheme, REDACTED)) if scheme.eq_ignore_ascii_case("bearer") => {
            format!("-H \"{name}: Bearer $TOKEN\"")
        }
        Some((scheme, REDACTED)) if scheme.eq_ignore_ascii_case("basic") => {
            "-u \"$USERNAME:$PASSWORD\"".to_owned()
        }
        _ => format!("-H {}", quote(&format!("{name}: {value}"))),
    }
}

/// Quotes a word for a POSIX shell.
pub(crate) fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::transcript::Sent;

    #[track_caller]
    fn check(method: &str, authorization: &str, body: Value, expected: &str) {
        let request = Sent {
            method: method.to_owned(),
            url: "https://h.example/scim/Users?filter=a%20eq%20%22b%22".to_owned(),
            headers: vec![
                ("authorization".to_owned(), authorization.to_owned()),
                ("content-type".to_owned(), "application/scim+json".to_owned()),
                ("content-length".to_owned(), "3".to_owned()),
            ],
            body,
        };
        let exchange =
            Exchange { step: String::new(), request, response: None, error: None, milliseconds: 0 };
        assert_eq!(command(&exchange), expected);
    }

    #[test]
    fn commands_quote_for_the_shell() {
        check(
            "GET",
            "Bearer [redacted]",
            Value::Null,
            "curl -sS -i 'https://h.example/scim/Users?filter=a%20eq%20%22b%22' \\\n  \
             -H \"authorization: Bearer $TOKEN\" \\\n  -H 'content-type: application/scim+json'",
        );
        check(
            "PATCH",
            "Basic [redacted]",
            json!({"a": "it's; $(rm) `x`"}),
            "curl -sS -i -X PATCH 'https://h.example/scim/Users?filter=a%20eq%20%22b%22' \\\n  \
             -u \"$USERNAME:$PASSWORD\" \\\n  -H 'content-type: application/scim+json' \\\n  \
             --data-raw '{\n  \"a\": \"it'\\''s; $(rm) `x`\"\n}'",
        );
        check(
            "GET",
            "Nonsense 'x\"",
            Value::Null,
            "curl -sS -i 'https://h.example/scim/Users?filter=a%20eq%20%22b%22' \\\n  \
             -H 'authorization: Nonsense '\\''x\"' \\\n  -H 'content-type: application/scim+json'",
        );
    }
}
