//! Whatever is sent, an answer comes: a success or a SCIM error, never a 500, never nothing.

mod admin;
mod heads;
mod lines;
mod long_writes;

use std::sync::LazyLock;

use mock_aquera::MockAquera;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::client::{PATCH, USER, user};
use crate::raw::{Raw, RawReply};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// One request as bytes.
#[derive(Clone)]
struct Sent {
    method: String,
    target: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    chunked: bool,
}

impl Sent {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = [self.method.as_bytes(), b" ", &self.target, b" HTTP/1.1\r\nhost: x\r\n"].concat();
        for (name, value) in &self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        if self.chunked {
            bytes.extend(b"transfer-encoding: chunked\r\n\r\n");
            for chunk in self.body.chunks(7) {
                bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
                bytes.extend([chunk, b"\r\n"].concat());
            }
            bytes.extend(b"0\r\n\r\n");
        } else {
            bytes.extend(format!("content-length: {}\r\n\r\n", self.body.len()).bytes());
            bytes.extend(&self.body);
        }
        bytes
    }
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.bytes()))
    }
}

fn words(all: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    select(all).prop_map(str::to_owned)
}

const ATTRIBUTES: &[&str] = &[
    "userName",
    "USERNAME",
    "name",
    "name.givenName",
    "emails",
    "emails.value",
    "emails[type eq \"work\"].value",
    "emails[type eq",
    "emails[",
    "members",
    "members[value eq \"u1\"]",
    "members.$ref",
    "active",
    "password",
    "id",
    "meta",
    "meta.created",
    "meta.lastModified",
    "schemas",
    "groups",
    "groups.value",
    "externalId",
    "displayName",
    "urn:ietf:params:scim:schemas:core:2.0:User:userName",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
    "x509Certificates.value",
    "",
    "ö",
    "a.b.c.d",
    "value",
    "phoneNumbers[not (type eq \"a\")]",
    "title",
];

/// Words of the filter language in any order, or nearly a filter.
fn filter() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "eq",
        "ne",
        "co",
        "sw",
        "ew",
        "pr",
        "gt",
        "ge",
        "lt",
        "le",
        "and",
        "or",
        "not",
        "(",
        ")",
        "[",
        "]",
        "\"a\"",
        "\"u1\"",
        "\"2026-01-01T00:00:00Z\"",
        "true",
        "null",
        "1",
        "-1e400",
        "\"\\ud800\"",
        "\"",
        "NOT(",
        "eq\"",
    ];
    let word = prop_oneof![words(WORDS), words(ATTRIBUTES)];
    let term = (words(ATTRIBUTES), words(WORDS), words(WORDS)).prop_map(|(a, b, c)| format!("{a} {b} {c}"));
    prop_oneof![
        2 => vec(word, 0..12).prop_map(|words| words.join(" ")),
        2 => vec(term, 1..4).prop_map(|terms| terms.join(" or ")),
        1 => any::<String>(),
        1 => (1..3000_usize).prop_map(|deep| format!("{}a pr", "(".repeat(deep))),
        1 => (1..400_usize).prop_map(|many| vec!["title pr"; many].join(" and ")),
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z@. ]{0,6}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        words(&["u1", "u2", "g1", "True", "false", "bulkId:1", "2026-01-01T00:00:00Z", "work"])
            .prop_map(Value::from),
        words(&[USER, GROUP, PATCH]).prop_map(Value::from),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        let name =
            prop_oneof![words(ATTRIBUTES), words(&["type", "primary", "$ref", "display", "op", "path"])];
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map(name, inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// What a resource nearly looks like.
fn resource() -> impl Strategy<Value = Value> {
    let more = vec((words(ATTRIBUTES), tree()), 0..3);
    let base = select(vec![
        json!({"schemas": [USER], "userName": "new", "emails": [{"value": "a@b.example", "type": "work"}]}),
        json!({"schemas": [USER], "userName": "a", "name": {"givenName": "A"}, "active": "False"}),
        json!({"schemas": [GROUP], "displayName": "G", "members": [{"value": "u1"}, {"value": "nobody"}]}),
        json!({"schemas": [], "userName": ""}),
    ]);
    (base, more).prop_map(|(mut base, more)| {
        for (name, value) in more {
            base[name] = value;
        }
        base
    })
}

fn patch() -> impl Strategy<Value = Value> {
    let op = words(&["add", "replace", "remove", "Replace", "move", ""]);
    let path = prop_oneof![3 => words(ATTRIBUTES).prop_map(Value::from), 1 => filter().prop_map(Value::from), 1 => tree()];
    let operation =
        (op, proptest::option::of(path), proptest::option::of(tree())).prop_map(|(op, path, value)| {
            let mut operation = json!({ "op": op });
            if let Some(path) = path {
                operation["path"] = path;
            }
            if let Some(value) = value {
                operation["value"] = value;
            }
            operation
        });
    let sound = select(vec![
        json!({"op": "replace", "path": "active", "value": false}),
        json!({"op": "Replace", "path": "name.givenName", "value": "B"}),
        json!({"op": "add", "path": "emails", "value": [{"value": "c@b.example", "type": "home", "primary": true}]}),
        json!({"op": "remove", "path": "emails[type eq \"work\"]"}),
        json!({"op": "replace", "path": "emails[type eq \"work\"].value", "value": "d@b.example"}),
        json!({"op": "replace", "value": {"active": "True", "name.familyName": "C", "userName": "u3"}}),
        json!({"op": "add", "path": "members", "value": [{"value": "u2"}, {"value": "g1"}]}),
        json!({"op": "remove", "path": "members[value eq \"u1\"]"}),
        json!({"op": "remove", "path": "members", "value": [{"value": "u2"}]}),
        json!({"op": "replace", "path": "members", "value": []}),
    ]);
    let operation = prop_oneof![1 => operation, 1 => sound].boxed();
    prop_oneof![
        4 => vec(operation.clone(), 1..4).prop_map(|all| json!({"schemas": [PATCH], "Operations": all})),
        1 => operation.prop_map(|one| json!({"schemas": [PATCH], "operations": one})),
        1 => tree().prop_map(|tree| json!({"schemas": [PATCH], "Operations": tree})),
    ]
}

fn bulk() -> impl Strategy<Value = Value> {
    let method = words(&["POST", "PUT", "PATCH", "DELETE", "GET", "post"]);
    let path = words(&[
        "/Users",
        "/Users/u1",
        "/Groups",
        "/Groups/g1",
        "/Users/bulkId:1",
        "/Bulk",
        "Users",
        "",
        "/x",
    ]);
    let id = proptest::option::weighted(0.8, words(&["1", "2", "3", "4", ""]));
    let data = prop_oneof![resource(), patch(), tree()];
    let operation = (method, path, id, data).prop_map(
        |(method, path, id, data)| json!({"method": method, "path": path, "bulkId": id, "data": data}),
    );
    let errors = prop_oneof![3 => (1..3_u8).prop_map(Value::from), 1 => tree()];
    (vec(operation, 0..5), errors).prop_map(
        |(operations, errors)| json!({"schemas": [BULK], "failOnErrors": errors, "Operations": operations}),
    )
}

fn search() -> impl Strategy<Value = Value> {
    let number = || prop_oneof![3 => (-1..4_i64).prop_map(Value::from), 1 => tree()];
    let names = prop_oneof![3 => vec(words(ATTRIBUTES), 0..3).prop_map(Value::from), 1 => tree()];
    (filter(), words(ATTRIBUTES), number(), number(), names).prop_map(
        |(filter, sort, start, count, attributes)| {
            json!({"schemas": [SEARCH], "filter": filter, "sortBy": sort, "startIndex": start, "count": count,
               "attributes": attributes})
        },
    )
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let text = |value: Value| value.to_string().into_bytes();
    let odd = select(vec![
        b"{\"userName\":\"\\ud800\"}".to_vec(),
        b"{\"userName\":\"a\",\"userName\":\"b\"}".to_vec(),
        b"{\"userName\":1e999}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{\"a\":\0}".to_vec(),
        "[".repeat(20_000).into_bytes(),
        "{\"a\":".repeat(20_000).into_bytes(),
    ]);
    let cut = (resource(), any::<prop::sample::Index>()).prop_map(move |(value, at)| {
        let mut bytes = text(value);
        bytes.truncate(at.index(bytes.len()));
        bytes
    });
    prop_oneof![
        2 => Just(Vec::new()),
        1 => vec(any::<u8>(), 0..60),
        2 => tree().prop_map(text),
        5 => resource().prop_map(text),
        5 => patch().prop_map(text),
        2 => bulk().prop_map(text),
        2 => search().prop_map(text),
        1 => cut,
        1 => odd,
    ]
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn target() -> impl Strategy<Value = Vec<u8>> {
    let known = words(&[
        "/Users",
        "/Users/u1",
        "/Users/u2",
        "/Users/nobody",
        "/Groups",
        "/Groups/g1",
        "/Me",
        "/Bulk",
        "/.search",
        "/Users/.search",
        "/Schemas",
        "/ResourceTypes",
        "/ResourceTypes/User",
        "/ServiceProviderConfig",
        "",
        "/",
        "/users",
        "/Users/",
        "/Users//",
        "/Users/u1/x",
        "/Users/%ff%00",
        "/%2e%2e/Users",
        "/Users/u1%2F",
    ]);
    let base = words(&[
        "/scim",
        "/scim",
        "/scim",
        "/apps/default/scim",
        "/apps/other/scim",
        "/apps/%00/scim",
        "/oauth/token",
    ]);
    let names = words(&[
        "filter",
        "FILTER",
        "sortBy",
        "sortOrder",
        "startIndex",
        "count",
        "cursor",
        "attributes",
        "excludedAttributes",
        "x",
        "",
    ]);
    let value = prop_oneof![
        3 => filter(),
        2 => words(ATTRIBUTES),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => words(&["0", "1", "-1", "99999999999999999999", "ascending", "a,b,,c", " "]),
        1 => any::<String>(),
    ];
    let pair = (names, value).prop_map(|(name, value)| format!("{name}={}", encoded(&value)));
    let query = prop_oneof![
        4 => Just(String::new()),
        4 => vec(pair, 1..4).prop_map(|pairs| format!("?{}", pairs.join("&"))),
        1 => words(&["?", "?&&=", "?filter", "?filter=%", "?filter=%ff%fe", "?count=1&count=2"]),
    ];
    let sane =
        (base, known, query).prop_map(|(base, path, query)| format!("{base}{path}{query}").into_bytes());
    let odd = vec(prop_oneof![0x21_u8..0x7f, 0x80..=0xff_u8], 0..20)
        .prop_map(|bytes| [b"/scim/".as_slice(), &bytes].concat());
    prop_oneof![12 => sane, 1 => odd, 1 => words(&["*", "http://x/scim/Users", "scim", "//"]).prop_map(String::into_bytes)]
}

fn headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let authorization = prop_oneof![
        15 => Just(b"Bearer mock-token".to_vec()),
        1 => select(vec![b"Bearer".to_vec(), b"Basic !!".to_vec(), b"\xff".to_vec(), b"Bearer  mock-token".to_vec()]),
    ];
    let kind = prop_oneof![
        6 => Just(b"application/scim+json".to_vec()),
        1 => select(vec![b"application/json; charset=utf-8".to_vec(), b"text/plain".to_vec(), b"".to_vec(), b"\xff/\xfe".to_vec()]),
    ];
    let visible = vec(prop_oneof![0x20_u8..0x7f, 0x80..=0xff_u8, Just(b'\t')], 0..20);
    let name = words(&[
        "if-match",
        "if-none-match",
        "accept",
        "accept-encoding",
        "x-anything",
        "user-agent",
        "expect",
        "te",
        "range",
        "content-encoding",
        "x-http-method-override",
    ]);
    let value = prop_oneof![
        visible,
        words(&[
            "*",
            "W/\"1\"",
            "\"1\"",
            "W/\"",
            "application/scim+json",
            "text/html",
            "100-continue",
            "gzip",
            "bytes=0-1"
        ])
        .prop_map(String::into_bytes),
    ];
    (authorization, kind, vec((name, value), 0..3)).prop_map(|(authorization, kind, more)| {
        let fixed = [("authorization".to_owned(), authorization), ("content-type".to_owned(), kind)];
        fixed.into_iter().chain(more).collect()
    })
}

/// Method, path and body that belong together, so that most of it gets past the first checks.
fn likely() -> impl Strategy<Value = Sent> {
    let text = |value: Value| value.to_string().into_bytes();
    let users = words(&["/scim/Users", "/scim/Groups"]);
    let one = words(&["/scim/Users/u1", "/scim/Users/u2", "/scim/Groups/g1", "/scim/Me"]).boxed();
    let lists = words(&["/scim/Users", "/scim/Groups", "/scim", "/scim/Schemas"]);
    let key = words(&[
        "filter",
        "filter",
        "filter",
        "sortBy",
        "attributes",
        "excludedAttributes",
        "count",
        "startIndex",
    ]);
    let sought = prop_oneof![3 => filter(), 1 => words(ATTRIBUTES), 1 => words(&["0", "1", "2", "-3"])];
    let query = vec((key, sought), 0..3).prop_map(|pairs| {
        pairs.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect::<Vec<_>>().join("&")
    });
    let searches = words(&["/scim/Users/.search", "/scim/.search", "/scim/Groups/.search"]);
    let sent = |method: &str, target: String, body: Vec<u8>| (method.to_owned(), target, body);
    prop_oneof![
        2 => (users, resource()).prop_map(move |(to, value)| sent("POST", to, text(value))),
        2 => (one.clone(), resource()).prop_map(move |(to, value)| sent("PUT", to, text(value))),
        4 => (one.clone(), patch()).prop_map(move |(to, value)| sent("PATCH", to, text(value))),
        3 => (lists, query).prop_map(move |(to, query)| sent("GET", format!("{to}?{query}"), Vec::new())),
        1 => (searches, search()).prop_map(move |(to, value)| sent("POST", to, text(value))),
        1 => bulk().prop_map(move |value| sent("POST", "/scim/Bulk".to_owned(), text(value))),
        1 => one.prop_map(move |to| sent("DELETE", to, Vec::new())),
    ]
    .prop_map(|(method, target, body)| {
        let headers = [("authorization", "Bearer mock-token"), ("content-type", "application/scim+json")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec();
        Sent { method, target: target.into_bytes(), headers, body, chunked: false }
    })
}

fn any_request() -> impl Strategy<Value = Sent> {
    let method = prop_oneof![
        12 => words(&["GET", "POST", "PUT", "PATCH", "DELETE", "POST", "PATCH"]),
        1 => words(&["HEAD", "OPTIONS", "TRACE", "get", "PROPFIND", "X"]),
        1 => "[A-Za-z!#$%&'*+.^_`|~-]{1,12}",
    ];
    (method, target(), headers(), body(), prop::bool::weighted(0.2))
        .prop_map(|(method, target, headers, body, chunked)| Sent { method, target, headers, body, chunked })
}

/// Nothing but a success or a SCIM error of that status is an answer.
fn judge(sent: &Sent, reply: &RawReply) -> Result<(), TestCaseError> {
    let RawReply { status, body, .. } = reply;
    prop_assert!((200..600).contains(status) && *status != 500, "{sent:?}\n-> {reply:?}");
    let is_error = *status >= 400;
    if sent.method == "HEAD" || *status == 204 || *status == 304 {
        prop_assert!(body.is_empty(), "{sent:?}\n-> {reply:?}");
        return Ok(());
    }
    let parsed: Value = serde_json::from_slice(body)
        .map_err(|error| TestCaseError::fail(format!("{error}: {sent:?}\n-> {reply:?}")))?;
    // The token endpoint has errors of its own (RFC 6749 §5.2).
    if is_error && parsed.get("error").is_none() {
        prop_assert_eq!(reply.header("content-type"), Some("application/scim+json"), "{:?}", sent);
        prop_assert_eq!(
            &parsed["schemas"],
            &json!(["urn:ietf:params:scim:api:messages:2.0:Error"]),
            "{:?}",
            sent
        );
        prop_assert_eq!(&parsed["status"], &json!(status.to_string()), "{:?}", sent);
        prop_assert!(parsed["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{sent:?}");
    }
    Ok(())
}

async fn furnished() -> MockAquera {
    let mock = MockAquera::builder().start().await.unwrap();
    let application = mock.default_application();
    for id in ["u1", "u2"] {
        application.seed_user(user(
            id,
            json!({"id": id, "emails": [{"value": format!("{id}@b.example"), "type": "work"}]}),
        ));
    }
    let group = json!({"schemas": [GROUP], "id": "g1", "displayName": "G", "members": [{"value": "u1"}]});
    application.seed("Group", group);
    mock
}

/// Sends them one after the other over one connection, as long as that lasts.
async fn all_answered(requests: &[Sent]) -> Result<(), TestCaseError> {
    let mock = furnished().await;
    let application = mock.default_application();
    let mut raw = Raw::connect(mock.addr()).await;
    for sent in requests {
        raw.send(sent.bytes()).await;
        let came = raw.read_answer(sent.method == "HEAD").await;
        let Some(reply) = came.as_reply() else {
            return Err(TestCaseError::fail(format!("no answer to {sent:?}, but {came:?}")));
        };
        judge(sent, reply)?;
        if reply.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            raw = Raw::connect(mock.addr()).await;
        }
    }
    application.check_consistency().map_err(|error| TestCaseError::fail(error.to_string()))?;
    let before = application.last_seq();
    raw = Raw::connect(mock.addr()).await;
    raw.ask("GET", "/scim/Users", "").await;
    let reply = raw.read().await.reply();
    prop_assert_eq!(reply.status, 200);
    let listed: Value =
        serde_json::from_slice(&reply.body).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(&listed["totalResults"], &json!(application.user_count()));
    prop_assert_eq!(application.last_seq(), before + 1);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_request_is_answered_in_scim(requests in vec(prop_oneof![2 => likely(), 1 => any_request()], 1..12)) {
        static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
        RUNTIME.block_on(all_answered(&requests))?;
    }
}
