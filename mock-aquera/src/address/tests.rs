//! Hosts, forwarding headers, and URLs in texts.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

#[test]
fn hosts_are_names_and_addresses_with_a_port_or_without() {
    for host in [
        "localhost",
        "localhost:8080",
        "scim.example.com",
        "mock_aquera:80",
        "127.0.0.1:1",
        "[::1]",
        "[::1]:8080",
        "a:",
        "A-b.~c:65535",
    ] {
        assert!(is_host(host.as_bytes()), "{host}");
    }
    let long = "a".repeat(256);
    for host in [
        "", ":80", "a b", "a/b", "a\"b", "a<b", "a@b", "a%41", "a:65536", "a:8x", "a:80:80", "[::1", "::1",
        "[x]", "[]", "a\\b", "a?b", "a#b", "\u{e9}", "a\u{0}", "a,b", &long,
    ] {
        assert!(!is_host(host.as_bytes()), "{host:?}");
    }
    assert!(!is_host(b"\xff"));
}

#[test]
fn public_urls_are_a_scheme_a_host_and_a_prefix() {
    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let read = text.parse::<PublicUrl>();
        let got = read.as_ref().ok().map(PublicUrl::as_str);
        assert_eq!(got, expected, "{text}: {read:?}");
    }
    check("https://scim.example.com", Some("https://scim.example.com"));
    check("https://scim.example.com/", Some("https://scim.example.com"));
    check("http://[::1]:8080/a/b/", Some("http://[::1]:8080/a/b"));
    for text in [
        "",
        "scim.example.com",
        "ftp://h",
        "https://",
        "https:///x",
        "https://h/a?b",
        "https://h/a#b",
        "https://u@h",
        "https://h//a",
        "https://h/a b",
        "https://h/scim",
        "https://h/a/scim/",
    ] {
        check(text, None);
    }
    let told = "https://h/scim/".parse::<PublicUrl>().unwrap_err().to_string();
    assert!(told.contains("leave `/scim` out"), "{told}");
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    lines
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect()
}

fn listening(trusts: bool) -> Addresses {
    Addresses::new("http", "127.0.0.1:8080".to_owned(), None, trusts)
}

#[test]
fn clients_see_the_address_that_they_used() {
    #[track_caller]
    fn check(addresses: &Addresses, uri: &str, lines: &[(&'static str, &str)], seen: Option<&str>) {
        let seen_by = addresses.seen_by(&uri.parse().unwrap(), &headers(lines));
        assert_eq!(seen_by.unwrap().as_deref(), seen, "{uri} {lines:?}");
    }
    let plain = listening(false);
    check(&plain, "/scim", &[("host", "127.0.0.1:8080")], None);
    check(&plain, "/scim", &[], None);
    check(&plain, "/scim", &[("host", "h:")], Some("http://h"));
    check(&plain, "/scim", &[("host", "localhost:8080")], Some("http://localhost:8080"));
    check(&plain, "http://other:1/scim", &[("host", "localhost:8080")], Some("http://other:1"));
    check(&plain, "/scim", &[("host", "h"), ("x-forwarded-proto", "https")], Some("http://h"));
    let secure = Addresses::new("https", "127.0.0.1:8443".to_owned(), None, false);
    check(&secure, "/scim", &[("host", "scim.test")], Some("https://scim.test"));
    let public = "https://scim.example.com/mock".parse().unwrap();
    let public = Addresses::new("http", "127.0.0.1:8080".to_owned(), Some(&public), true);
    check(&public, "/scim", &[("host", "localhost:8080"), ("x-forwarded-host", "x")], None);
    assert_eq!(public.origin(), "https://scim.example.com/mock");
}

#[test]
fn forwarding_headers_count_where_they_are_trusted() {
    #[track_caller]
    fn check(lines: &[(&'static str, &str)], seen: Result<Option<&str>, &str>) {
        let all = [&[("host", "127.0.0.1:8080")], lines].concat();
        let got = listening(true).seen_by(&"/scim".parse().unwrap(), &headers(&all));
        match (got, seen) {
            (Ok(got), Ok(seen)) => assert_eq!(got.as_deref(), seen, "{lines:?}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{lines:?} {error}"),
            (got, seen) => panic!("{lines:?} {got:?} {seen:?}"),
        }
    }
    check(&[], Ok(None));
    check(&[("x-forwarded-proto", "https")], Ok(Some("https://127.0.0.1:8080")));
    check(&[("x-forwarded-host", "a.example.com, b")], Ok(Some("http://a.example.com")));
    check(
        &[
            ("x-forwarded-host", "a.example.com"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-prefix", "/mock/"),
        ],
        Ok(Some("https://a.example.com/mock")),
    );
    check(&[("x-forwarded-host", "a"), ("x-forwarded-port", "8443")], Ok(Some("http://a:8443")));
    check(&[("x-forwarded-host", "a:1"), ("x-forwarded-port", "8443")], Ok(Some("http://a:1")));
    check(
        &[
            ("forwarded", "for=192.0.2.1;Host=\"[2001:db8::1]:90\";proto=https, host=x"),
            ("x-forwarded-host", "y"),
        ],
        Ok(Some("https://[2001:db8::1]:90")),
    );
    check(&[("forwarded", "host=a/b")], Err("forwarded header"));
    check(&[("forwarded", "proto=ftp")], Err("`proto` is http or https"));
    check(&[("x-forwarded-host", "a\"b")], Err("x-forwarded-host"));
    check(&[("x-forwarded-proto", "gopher")], Err("expected http or https"));
    check(&[("x-forwarded-port", "99999")], Err("expected a port"));
    check(&[("x-forwarded-prefix", "mock")], Err("begins with a slash"));
    check(&[("x-forwarded-prefix", "//evil")], Err("begins with a slash"));
    // `Forwarded` alone says who the client is; the rest may stand in the older headers.
    check(&[("forwarded", "for=192.0.2.1"), ("x-forwarded-host", "y")], Ok(Some("http://y")));
    check(&[("forwarded", "proto=https"), ("x-forwarded-host", "y")], Ok(Some("https://y")));
    check(&[("forwarded", "garbage")], Err("forwarded header"));
    // The port of `Host` is the one behind the proxy.
    check(&[("x-forwarded-port", "8443")], Ok(Some("http://127.0.0.1:8443")));
    check(&[("x-forwarded-port", "80")], Ok(Some("http://127.0.0.1")));
    check(&[("x-forwarded-port", "0")], Err("a port from 1 to 65535"));
    for prefix in ["/a/../b", "/..", "/a/.", "/%2e%2E/x"] {
        check(&[("x-forwarded-prefix", prefix)], Err("no `..`"));
    }
    check(&[("x-forwarded-prefix", "/v1.2/..a")], Ok(Some("http://127.0.0.1:8080/v1.2/..a")));
}

#[test]
fn another_port_of_the_server_is_at_the_same_host() {
    assert_eq!(listening(false).beside("localhost:9000").as_deref(), Some("http://localhost:8080"));
    assert_eq!(listening(false).beside("[::1]:9000").as_deref(), Some("http://[::1]:8080"));
    assert_eq!(listening(false).beside("127.0.0.1:9000"), None);
}

const REBASE: Rebase<'static> = Rebase { from: "http://h:1/scim", to: "https://other/mock/scim" };

#[test]
fn urls_are_changed_in_locations_and_references_alone() {
    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(REBASE.text(text.as_bytes()).as_deref(), expected.map(str::as_bytes), "{text}");
    }
    check(
        r#"{"location":"http://h:1/scim/Users/1"}"#,
        Some(r#"{"location":"https://other/mock/scim/Users/1"}"#),
    );
    check(
        r#"[{"$ref":"http://h:1/scim/A"},{"$ref":"http://h:1/scim/B"}]"#,
        Some(r#"[{"$ref":"https://other/mock/scim/A"},{"$ref":"https://other/mock/scim/B"}]"#),
    );
    check(r#"{"location":"http://h:1/scimitar/1"}"#, None);
    check(r#"{"location":"http://h:1/scim"}"#, None);
    check(r#"{"profileUrl":"http://h:1/scim/Users/1"}"#, None);
    check(r#"{"a":"\"location\":\"http://h:1/scim/x"}"#, None);
    check(r#"{"a\"location":"http://h:1/scim/x"}"#, None);
    check("", None);
}

fn values() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        Just("http://h:1/scim/Users/1".to_owned()),
        Just("http://h:1/scimmed".to_owned()),
        Just("\"$ref\":\"http://h:1/scim/x".to_owned()),
        "[a\"\\\\:,/]{0,8}",
    ];
    let name = prop_oneof![
        Just("$ref".to_owned()),
        Just("location".to_owned()),
        Just("a\"location".to_owned()),
        "[a\"\\\\]{0,3}"
    ];
    let leaf = prop_oneof![Just(json!(null)), Just(json!(1.5)), text.prop_map(Value::from)];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// In the text the same is changed as in the tree.
    #[test]
    fn a_text_is_changed_like_its_tree(value in values()) {
        let text = value.to_string();
        let changed = REBASE.text(text.as_bytes()).map_or(text.clone().into_bytes(), Vec::from);
        let mut expected = value;
        REBASE.value(&mut expected);
        prop_assert_eq!(serde_json::from_slice::<Value>(&changed).unwrap(), expected);
    }
}
