//! What is wrong with a body is told in plain words, at every route that takes one.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use super::Admin;
use crate::client::{Client, finish, start, with_body};

/// What only somebody who reads the source understands.
const FOREIGN: &[&str] = &[
    "u64",
    "u32",
    "u16",
    "u8",
    "usize",
    "i64",
    "f64",
    "nonzero",
    "variant",
    "unknown field",
    "invalid type",
    "invalid value",
    "invalid length",
    "EOF",
    "untagged",
    "missing field",
    "duplicate field",
    "expected value",
    "expected ident",
    "struct",
    "enum",
    "sequence",
    " map",
    "at line",
    "trailing characters",
    "serde",
];

const APP: &str = "/applications/{name}";

/// A route, and broken bodies with what has to be told: the key, or what is missing.
type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const EXPECTATION: &[(&str, &str)] = &[
    (
        r#"{"times":"x"}"#,
        "invalid `times`: expected a whole number from 0, \"never\", or an object such as {\"atLeast\":1}, got \"x\" \
         (line 1, column 10)",
    ),
    (r#"{"times":-1}"#, "invalid `times`: expected a whole number from 0, \"never\", or an object such as"),
    (r#"{"times":{"atleast":1}}"#, "did you mean `atLeast`?"),
    (
        r#"{"times":{"exactly":"one"}}"#,
        "invalid `times.exactly`: expected a whole number from 0, got \"one\"",
    ),
    (r#"{"times":{"between":{"from":1}}}"#, "`to` is missing in `times.between`"),
    (r#"{"times":{}}"#, "invalid `times`"),
    (
        r#"{"request":{"method":"POST"},"times":{"atLeast":1,"atMost":2}}"#,
        "invalid `times`: it takes one word, and `atLeast` and `atMost` are there; a range is written \
         {\"between\":{\"from\":1,\"to\":2}}",
    ),
    (
        r#"{"times":{"exactly":1,"never":null}}"#,
        "invalid `times`: it takes one word, and `exactly` and `never` are there",
    ),
    (r#"{"times":"#, "the text ends too early: the value of `times` is missing (line 1, column 9)"),
    (r#"{"request":[]}"#, "invalid `request`: expected an object, got an array"),
    (r#"{"request":{"limit":"x"}}"#, "invalid `request.limit`: expected a whole number from 0, got \"x\""),
    (
        r#"{"request":{"order":"newst"}}"#,
        "invalid `request.order`: unknown word `newst`; did you mean `newest`?",
    ),
    (
        r#"{"request":{"operation":"creat"}}"#,
        "invalid `request.operation`: unknown word `creat`; did you mean",
    ),
    (r#"{"request":{"status":"4x"}}"#, "invalid `request.status`: expected a status like 404"),
    (r#"{"request":{"fault":"yes"}}"#, "invalid `request.fault`: expected true or false, got \"yes\""),
    (
        r#"{"request":{"metod":"GET"}}"#,
        "unknown key `metod` in `request`; did you mean `method`? (line 1, column 13)",
    ),
    (r#"{"headers":{"a":1}}"#, "invalid `headers.a`: expected a text, got 1"),
    (r#"{"bodyAt":[]}"#, "invalid `bodyAt`: expected an object, got an array"),
    (r#"{"reqest":{}}"#, "unknown key `reqest`; did you mean `request`?"),
    ("[]", "expected an object, got an array"),
];

const RESOURCES: &[(&str, &str)] = &[
    (r#"{"userName":"#, "the value of `userName` is missing"),
    (
        r#"[{"userName":"a"},{"userName" "b"}]"#,
        "invalid `[1].userName`: `:` is expected here (line 1, column 31)",
    ),
    (r#"{"userName":"a",}"#, "the comma in front of the closing bracket is one too many"),
    ("[{}, 7]", "element 2"),
    ("", "it is empty"),
];

const ROWS: &[Row] = &[
    (
        "PUT",
        APP,
        &[
            (
                r#"{"seed":"x"}"#,
                "invalid `seed`: expected a whole number from 0, got \"x\" (line 1, column 9)",
            ),
            (r#"{"seed":-1}"#, "invalid `seed`: expected a whole number from 0, got -1"),
            (r#"{"seed":1.5}"#, "invalid `seed`"),
            (r#"{"sed":1}"#, "unknown key `sed`; did you mean `seed`?"),
            (r#"{"profile":{"gateway":{"put":5}}}"#, "invalid `gateway.put`: expected a word, got 5"),
            (r#"{"profile":7}"#, "a profile is the name of a built-in one"),
            (r#"{"auth":"none"}"#, "`auth` is a list of texts"),
            (r#"{"seed":"#, "the value of `seed` is missing"),
        ],
    ),
    (
        "PUT",
        "/applications/{name}/profile",
        &[
            (r#"{"gateway":{"put":5}}"#, "invalid `gateway.put`: expected a word, got 5"),
            (
                r#"{"gateway":{"put":"answers-50"}}"#,
                "invalid `gateway.put`: unknown word `answers-50`; did you mean `answers-501`?",
            ),
            (r#"{"gateway":{"puts":"works"}}"#, "unknown key `puts`; did you mean `put`?"),
            (r#"{"gateway":[]}"#, "invalid `gateway`: expected a table of switches, got a list"),
            (
                r#"{"rate-limit":[{"requests":0}]}"#,
                "invalid `rate-limit[0].requests`: expected a whole number from 1",
            ),
            (r#"{"rate-limit":[{"requests":1,"window":5}]}"#, "invalid `rate-limit[0].window`"),
            (r#"{"application":{"stale-reads":"5 x"}}"#, "invalid `application.stale-reads`"),
            (r#"{"application":{"not-stored":["a b"]}}"#, "invalid `application.not-stored[0]`"),
            ("\"aqera\"", "did you mean `aquera`?"),
            (r#"{"extends":"#, "the value of `extends` is missing"),
        ],
    ),
    (
        "PUT",
        "/applications/{name}/auth",
        &[
            (r#"{"auths":[]}"#, "unknown key `auths`; did you mean `auth`?"),
            ("{}", "`auth` is missing"),
            (r#"{"auth":[7]}"#, "`auth` element 1 is no text"),
            (r#"{"auth":["#, "a value or `]` is missing"),
        ],
    ),
    ("POST", "/applications/{name}/users", RESOURCES),
    ("POST", "/applications/{name}/groups", RESOURCES),
    ("POST", "/applications/{name}/resources/{type}", RESOURCES),
    (
        "PUT",
        "/applications/{name}/resources/{type}/{id}",
        &[
            ("[]", "expected an object, got an array"),
            (r#"{"userName":"#, "the value of `userName` is missing"),
        ],
    ),
    (
        "POST",
        "/applications/{name}/faults",
        &[
            (r#"{"rule":5}"#, "invalid `rule`: expected a text, got 5"),
            (r#"{"rule":["reset"]}"#, "invalid `rule`: expected a text, got an array"),
            (r#"{"rules":"reset"}"#, "unknown key `rules`; did you mean `rule`?"),
            (r#"{"rule":"status=x"}"#, "`status`"),
            (r#"{"rule":"reset times=x"}"#, "`times`"),
            ("{}", "`rule` is missing"),
            (r#"{"rule":"reset"#, "the closing quotation mark is missing"),
            (r#"{"rule":"reset","rule":"reset"}"#, "`rule` is there twice"),
        ],
    ),
    (
        "POST",
        "/applications/{name}/clock",
        &[
            (r#"{"freeze":"yes"}"#, "invalid `freeze`: expected true or false, got \"yes\""),
            (r#"{"frezee":true}"#, "unknown key `frezee`; did you mean `freeze`?"),
            (r#"{"now":5}"#, "invalid `now`: expected a text, got 5"),
            (r#"{"now":"soon"}"#, "`now` is an instant"),
            (
                r#"{"advance":"soon"}"#,
                "`advance`: invalid duration `soon`: expected one such as 500ms, 30s, 1h 30m or PT30S",
            ),
            (r#"{"advance":[]}"#, "`advance`"),
            (r#"{"advance":"#, "the value of `advance` is missing"),
        ],
    ),
    (
        "PUT",
        "/applications/{name}/journal/limits",
        &[
            (r#"{"exchanges":-2}"#, "invalid `exchanges`: expected a whole number from 0, got -2"),
            (r#"{"bytes":"8MiB"}"#, "invalid `bytes`: expected a whole number from 0, got \"8MiB\""),
            (r#"{"bytes":99999999999999999999999}"#, "invalid `bytes`"),
            (r#"{"exchange":2}"#, "unknown key `exchange`; did you mean `exchanges`?"),
            ("[5,6]", "expected an object, got an array"),
        ],
    ),
    (
        "POST",
        "/applications/{name}/journal/wait",
        &[
            (r#"{"count":"x"}"#, "invalid `count`: expected a whole number from 0, got \"x\""),
            (r#"{"timeout":"soon"}"#, "`timeout`"),
            (r#"{"request":[]}"#, "invalid `request`: expected an object, got an array"),
            (r#"{"request":{"status":true}}"#, "invalid `request.status`: expected a status like 404"),
            (r#"{"cuont":1}"#, "unknown key `cuont`; did you mean `count`?"),
            (r#"{"count":1"#, "`,` or `}` is missing"),
        ],
    ),
    ("POST", "/applications/{name}/verify", EXPECTATION),
    (
        "POST",
        "/applications/{name}/load",
        &[
            (r#"{"userName":"#, "the value of `userName` is missing"),
            ("[\n{},\n{]", "line 3"),
            ("7", "a resource is a JSON object"),
        ],
    ),
];

#[tokio::test]
async fn broken_bodies_are_told_in_plain_words_with_their_key() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    for (method, path, bodies) in ROWS {
        let at = path.replace("{name}", "default").replace("{type}", "User").replace("{id}", "x");
        // An application that exists has its seed already.
        let at = if *path == APP { "/applications/new".to_owned() } else { at };
        for (body, part) in *bodies {
            let answer = admin.send(method.parse().unwrap(), &at, (*body).to_owned()).await;
            assert_eq!(answer.status, 400, "{method} {at} {body}: {answer:?}");
            let told = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(told.contains(part), "{method} {at} {body}: {told}\nlacks {part}");
            let foreign = FOREIGN.iter().find(|word| told.contains(*word));
            assert_eq!(foreign, None, "{method} {at} {body}: {told}");
        }
    }
}

#[tokio::test]
async fn each_route_with_a_body_is_in_the_table() {
    let mock = start().await;
    let described = Admin::of(&mock).read("/openapi.json").await;
    let paths = described["paths"].as_object().unwrap();
    let all: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, operations)| {
            let operations = operations.as_object().unwrap().iter();
            let with_body = operations.filter(|(_, operation)| operation.get("requestBody").is_some());
            with_body.map(|(method, _)| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let rows: BTreeSet<(String, String)> =
        ROWS.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(rows, all);
}

#[tokio::test]
async fn broken_scim_bodies_are_told_in_plain_words() {
    let mock = start().await;
    let scim = Client::of(&mock);
    let id =
        scim.post("/Users", &crate::client::user("ida", Value::Object(serde_json::Map::new()))).await.id();
    let patch = format!("/Users/{id}");
    for (method, path, body, part) in [
        (Method::POST, "/Users", r#"{"userName":"#, "the value of `userName` is missing (line 1, column 12)"),
        (Method::PUT, patch.as_str(), r#"{"userName" "x"}"#, "invalid `userName`: `:` is expected here"),
        (Method::PATCH, &patch, r#"{"Operations":["#, "a value or `]` is missing"),
        (Method::POST, "/.search", "{'filter':''}", "a key in double quotes is expected here"),
    ] {
        let request = with_body(scim.request(method.clone(), path), &Value::Null).body(body);
        let told = finish(request).await.scim_error(400, Some("invalidSyntax"));
        assert!(told.contains(part), "{method} {path} {body}: {told}");
        let foreign = FOREIGN.iter().find(|word| told.contains(*word));
        assert_eq!(foreign, None, "{told}");
    }
}
