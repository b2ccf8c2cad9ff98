//! URLs and forms.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::query_string::decoded;
use crate::redact::names::Place;
use crate::redact::{Found, Redactor, names, text};
use crate::transcript::REDACTED;

/// Encodes a text for a URL, every character but letters, digits and `-._~`.
pub(super) fn encode(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, KEPT).to_string()
}

/// Returns a URL without credentials, secret parameters and personal data.
pub(super) fn url(redactor: &Redactor, url: &str, found: &mut Found) -> String {
    let (head, query) = match url.split_once('?') {
        Some((head, query)) => (head, Some(query)),
        None => (url, None),
    };
    let mut text = path(redactor, &without_credentials(head, found), found);
    if let Some(query) = query {
        let (query, fragment) = match query.split_once('#') {
            Some((query, fragment)) => (query, Some(fragment)),
            None => (query, None),
        };
        text.push('?');
        text.push_str(&parameters(redactor, query, found));
        if let Some(fragment) = fragment {
            text.push('#');
            text.push_str(fragment);
        }
    }
    text
}

fn without_credentials(head: &str, found: &mut Found) -> String {
    let Some((scheme, rest)) = head.split_once("://") else { return head.to_owned() };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let Some((credentials, host)) = authority.rsplit_once('@') else { return head.to_owned() };
    if let Some((_, password)) = credentials.split_once(':') {
        found.note(&decoded(password));
        found.note(password);
    }
    format!("{scheme}://{REDACTED}@{host}{path}")
}

/// Segments that are somebody's address.
fn path(redactor: &Redactor, head: &str, found: &mut Found) -> String {
    let (start, rest) = match head.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), head),
    };
    let mut segments = rest.split('/');
    // The host is none.
    let mut parts =
        if start.is_empty() { Vec::new() } else { vec![segments.next().unwrap_or_default().to_owned()] };
    for segment in segments {
        let plain = decoded(segment);
        let safe = text::scan(&plain, |address| redactor.is_made_up(address));
        if safe == plain {
            parts.push(segment.to_owned());
        } else {
            found.note(&plain);
            parts.push(safe);
        }
    }
    start + &parts.join("/")
}

/// Whether a body is a form, as token endpoints take it.
pub(super) fn is_form(text: &str) -> bool {
    text.contains('=') && !text.contains(char::is_whitespace) && !text.contains(['<', '{', '"'])
}

/// Returns a query or a form without secrets and personal data.
pub(super) fn parameters(redactor: &Redactor, query: &str, found: &mut Found) -> String {
    let parts: Vec<String> = query
        .split('&')
        .map(|part| {
            let Some((name, value)) = part.split_once('=') else { return part.to_owned() };
            let plain = decoded(value);
            if names::is_secret_parameter(&decoded(name)) {
                found.note(&plain);
                found.note(value);
                return format!("{name}={REDACTED}");
            }
            let safe = filter(redactor, &plain, found);
            let safe = text::scan(&safe, |address| redactor.is_made_up(address));
            if safe == plain { part.to_owned() } else { format!("{name}={}", encode(&safe)) }
        })
        .collect();
    parts.join("&")
}

/// Redacts the quoted values of a filter that are compared with personal data.
fn filter(redactor: &Redactor, filter: &str, found: &mut Found) -> String {
    let mut safe = String::new();
    let mut rest = filter;
    while let Some(at) = rest.find('"') {
        let (before, quoted) = rest.split_at(at);
        safe.push_str(before);
        let end = closing(&quoted[1..]).map(|end| end + 1);
        let Some(end) = end else {
            rest = quoted;
            break;
        };
        let value = &quoted[1..end];
        // `userName eq "…"`: the attribute stands two words before.
        let attribute = before.split_whitespace().rev().nth(1).unwrap_or_default();
        let attribute = attribute.trim_start_matches(['(', '[']);
        let place = Place::default().within(attribute.rsplit(['(', '[']).next().unwrap_or_default());
        let hidden = place.is_secret() || place.is_personal() && !redactor.is_made_up(value);
        if hidden && !value.is_empty() {
            found.note(value);
            safe.push('"');
            safe.push_str(REDACTED);
            safe.push('"');
        } else {
            safe.push_str(&quoted[..=end]);
        }
        rest = &quoted[end + 1..];
    }
    safe + rest
}

/// Returns the position at which a JSON string ends.
fn closing(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::redact::url::*;

    #[track_caller]
    fn check(given: &str, expected: &str) {
        assert_eq!(url(&Redactor::new(), given, &mut Found::default()), expected);
    }

    #[test]
    fn secrets_in_urls_are_removed() {
        check("https://h.example/scim/Users/1?count=2", "https://h.example/scim/Users/1?count=2");
        check("https://me:pw@h.example/scim", "https://[redacted]@h.example/scim");
        check(
            "https://h.example/scim?access_token=abc&count=1",
            "https://h.example/scim?access_token=[redacted]&count=1",
        );
        check("https://h.example/Users/bob%40acme.com", "https://h.example/Users/[redacted]");
        check("https://h.example/Users/bob@acme.com/x", "https://h.example/Users/[redacted]/x");
        check(
            "/Users?filter=userName%20eq%20%22bob%22",
            "/Users?filter=userName%20eq%20%22%5Bredacted%5D%22",
        );
        let kept = "/Users?filter=userName+eq+%22conformance-1-bob%22+and+emails%5Btype+eq+%22work%22%5D";
        check(kept, kept);
        check(
            "/Users?filter=(name.familyName eq \"Meier\")",
            "/Users?filter=%28name.familyName%20eq%20%22%5Bredacted%5D%22%29",
        );
        check("/Users?filter=userName eq \"bob", "/Users?filter=userName eq \"bob");
    }

    #[test]
    fn secrets_in_forms_are_removed() {
        let form = "grant_type=client_credentials&client_id=a&client_secret=s3cr%2Bt";
        assert!(is_form(form));
        let mut found = Found::default();
        let safe = parameters(&Redactor::new(), form, &mut found);
        assert_eq!(safe, "grant_type=client_credentials&client_id=a&client_secret=[redacted]");
        assert!(found.0.contains(&"s3cr+t".to_owned()));
        assert!(!is_form("{\"a\": \"b=c\"}") && !is_form("<a href=x>"));
    }
}
