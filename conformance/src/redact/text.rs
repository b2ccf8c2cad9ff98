//! Secrets that a text alone shows.

use crate::redact::names::is_secret;
use crate::transcript::REDACTED;

/// Returns the text without tokens, without e-mail addresses that were not made up, and without members or parameters
/// that hold secrets.
pub(super) fn scan(text: &str, made_up: impl Fn(&str) -> bool) -> String {
    let mut text = text.to_owned();
    for scheme in ["Bearer ", "Basic "] {
        text = after(&text, scheme);
    }
    if text.contains("eyJ") {
        text = web_tokens(&text);
    }
    if text.contains("://") {
        text = credentials(&text);
    }
    if text.contains('=') || text.contains(':') {
        text = members(&text);
    }
    if text.contains('@') { addresses(&text, made_up) } else { text }
}

fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._~+/=".contains(character)
}

/// Returns the text after the name of a scheme if it is long enough to be a credential rather than a word.
fn after(text: &str, scheme: &str) -> String {
    let mut safe = String::new();
    let mut rest = text;
    while let Some(at) = find_ignoring_case(rest, scheme) {
        let start = at + scheme.len();
        safe.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|character| !is_token(character)).unwrap_or(rest.len());
        let token = &rest[..end];
        let looks_random = token.len() >= 8
            && (token.chars().any(|c| c.is_ascii_digit() || "-._~+/=".contains(c))
                || token.chars().any(char::is_uppercase) && token.chars().skip(1).any(char::is_uppercase));
        safe.push_str(if looks_random { REDACTED } else { token });
        rest = &rest[end..];
    }
    safe + rest
}

fn find_ignoring_case(text: &str, wanted: &str) -> Option<usize> {
    let (bytes, wanted) = (text.as_bytes(), wanted.as_bytes());
    (0..=bytes.len().checked_sub(wanted.len())?)
        .find(|at| bytes[*at..*at + wanted.len()].eq_ignore_ascii_case(wanted))
}

/// Removes credentials in a URL: `https://user:password@host`.
fn credentials(text: &str) -> String {
    let mut safe = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let start = at + 3;
        safe.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|c: char| c.is_whitespace() || "/?#\"'<>".contains(c)).unwrap_or(rest.len());
        if let Some(sign) = rest[..end].rfind('@') {
            safe.push_str(REDACTED);
            rest = &rest[sign..];
        }
    }
    safe + rest
}

/// Removes JSON web tokens, by their form.
fn web_tokens(text: &str) -> String {
    let mut safe = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("eyJ") {
        safe.push_str(&rest[..at]);
        rest = &rest[at..];
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).unwrap_or(rest.len());
        let token = &rest[..end];
        safe.push_str(if token.len() >= 20 && token.contains('.') { REDACTED } else { token });
        rest = &rest[end..];
    }
    safe + rest
}

/// Removes secret members: `"password": "…"` in text that is not quite JSON, and `password=…`.
fn members(text: &str) -> String {
    let mut safe = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['=', ':']) {
        let (before, sign) = rest.split_at(at);
        let name_end = before.trim_end().trim_end_matches(['"', '\'', '\\']);
        let name_start = name_end
            .rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
            .map_or(0, |at| at + name_end[at..].chars().next().map_or(1, char::len_utf8));
        let name = &name_end[name_start..];
        safe.push_str(before);
        safe.push_str(&sign[..1]);
        rest = &sign[1..];
        // A word and a colon are prose, unless the word or the value is quoted.
        let quoted_name = name_end.len() < before.trim_end().len();
        let blanks = rest.len() - rest.trim_start_matches(' ').len();
        let value = &rest[blanks..];
        let quote = value.trim_start_matches('\\').chars().next().filter(|c| matches!(c, '"' | '\''));
        let is_member = sign.starts_with('=') || quoted_name || quote.is_some();
        if name.is_empty() || !is_member || !is_secret(name) {
            continue;
        }
        let (start, end) = match quote {
            Some(quote) => {
                let open = value.find(quote).map_or(0, |at| at + 1);
                let end = value[open..].find([quote, '\n']).map_or(value.len(), |at| open + at);
                (open, end)
            }
            None => (
                0,
                value.find(|c: char| c.is_whitespace() || "&;,)}]<>\"'".contains(c)).unwrap_or(value.len()),
            ),
        };
        let hidden = &value[start..end];
        if hidden.is_empty()
            || matches!(hidden, "null" | "true" | "false")
            || quote.is_none() && hidden.starts_with(['{', '['])
        {
            continue;
        }
        safe.push_str(&rest[..blanks + start]);
        safe.push_str(REDACTED);
        rest = &rest[blanks + end..];
    }
    safe + rest
}

/// Removes e-mail addresses.
fn addresses(text: &str, made_up: impl Fn(&str) -> bool) -> String {
    let mut safe = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let local = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
        let start = rest[..at]
            .char_indices()
            .rev()
            .take_while(|(_, c)| local(*c))
            .last()
            .map_or(at, |(start, _)| start);
        let after = &rest[at + 1..];
        let domain = after.find(|c: char| !(c.is_alphanumeric() || ".-".contains(c))).unwrap_or(after.len());
        let domain = after[..domain].trim_end_matches(['.', '-']);
        let end = at + 1 + domain.len();
        let address = &rest[start..end];
        let is_address = start < at && domain.contains('.');
        safe.push_str(&rest[..start]);
        safe.push_str(if is_address && !made_up(address) { REDACTED } else { address });
        rest = &rest[end..];
    }
    safe + rest
}

#[cfg(test)]
mod tests {
    use crate::redact::text::*;

    #[track_caller]
    fn check(given: &str, expected: &str) {
        assert_eq!(scan(given, |address| address.ends_with("example.com")), expected);
    }

    #[test]
    fn secrets_in_texts_are_removed() {
        check("nothing: of note = here", "nothing: of note = here");
        check("got Bearer abc123def456, sorry", "got Bearer [redacted], sorry");
        check("got bearer abc123def456", "got bearer [redacted]");
        check("the Bearer authentication scheme", "the Bearer authentication scheme");
        check("Basic YWRtaW46aHVudGVyMg==", "Basic [redacted]");
        check("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig!", "[redacted]!");
        check("mail bob@acme.com. Or ada@example.com", "mail [redacted]. Or ada@example.com");
        check("@ and a@b and @acme.com", "@ and a@b and @acme.com");
        check(r#"{"password": "hunter2", "a": "#, r#"{"password": "[redacted]", "a": "#);
        check(r#"{\"password\":\"hunter2\"}"#, r#"{\"password\":\"[redacted]"}"#);
        check("client_secret=abc&x=1", "client_secret=[redacted]&x=1");
        check("to https://me:pw@h.example/x now", "to https://[redacted]@h.example/x now");
        check("https://h.example/a@example.com", "https://h.example/a@example.com");
        check("the password: it is not returned", "the password: it is not returned");
        check(r#"{"changePassword": {"supported": true}}"#, r#"{"changePassword": {"supported": true}}"#);
        check(r#"{"token":null}"#, r#"{"token":null}"#);
        check("Zoë: ü=ß", "Zoë: ü=ß");
    }
}
