//! Whatever administration is asked, it answers, never with a 500, and the mock goes on.

use std::sync::LazyLock;

use mock_aquera::MockAquera;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::client::{finish, http, user};
use crate::raw::PATIENCE;

const PATHS: &[&str] = &[
    "",
    "/",
    "/health",
    "/metrics",
    "/openapi.json",
    "/reset",
    "/applications",
    "/applications/default",
    "/applications/new",
    "/applications/%00",
    "/applications/default/users",
    "/applications/default/groups",
    "/applications/default/resources/User",
    "/applications/default/resources/Nothing",
    "/applications/default/users/u1",
    "/applications/default/faults",
    "/applications/default/faults/1",
    "/applications/default/faults/x",
    "/applications/default/clock",
    "/applications/default/reset",
    "/applications/default/profile",
    "/applications/default/auth",
    "/applications/default/journal",
    "/applications/default/journal/har",
    "/applications/default/journal/limits",
    "/applications/default/verify",
    "/applications/default/dump",
    "/applications/default/load",
    "/applications/default/consistency",
    "/applications/nobody/journal",
];

const QUERIES: &[&str] = &[
    "",
    "",
    "",
    "?what=data",
    "?what=clock,faults",
    "?what=nothing",
    "?limit=1",
    "?limit=-1",
    "?status=4xx",
    "?status=none",
    "?order=newest",
    "?sinceSeq=99999999999",
    "?userName=%ff",
    "?path=/**",
    "?x=1",
    "?unchecked=true",
];

const WORDS: &[&str] = &[
    "rule",
    "now",
    "advance",
    "freeze",
    "unfreeze",
    "reset",
    "profile",
    "auth",
    "seed",
    "request",
    "times",
    "exactly",
    "between",
    "from",
    "to",
    "bodyAt",
    "exchanges",
    "bytes",
    "name",
    "summary",
    "userName",
    "id",
    "members",
];

const TEXTS: &[&str] = &[
    "",
    "mild",
    "hostile",
    "status=503",
    "status=503 ttl=99999999999999h",
    "reset from=+99999999999h",
    "latency=-1s",
    "status=503 until=9999-12-30T00:00:00Z",
    "refuse",
    "30s",
    "PT1H",
    "-PT99999999999H",
    "99999999999999999999s",
    "9999-12-31T23:59:59Z",
    "-009999-01-01T00:00:00Z",
    "2026-11-23T10:00:00Z",
    "aquera",
    "no-such-profile",
    "none",
    "bearer:x",
    "oauth:a:b",
    "never",
    "u1",
];

fn body() -> impl Strategy<Value = String> {
    let text = prop_oneof![4 => select(TEXTS).prop_map(str::to_owned), 1 => any::<String>()];
    let scalar = prop_oneof![
        text.prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(Value::Null),
    ];
    let tree = scalar.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..3).prop_map(Value::from),
            2 => proptest::collection::hash_map(select(WORDS).prop_map(str::to_owned), inner, 1..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    let lines = vec(tree.clone(), 0..3)
        .prop_map(|lines| lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"));
    let likely = (select(WORDS), select(TEXTS)).prop_map(|(word, text)| json!({ word: text }).to_string());
    prop_oneof![
        1 => Just(String::new()),
        1 => any::<String>(),
        4 => tree.prop_map(|tree| tree.to_string()),
        4 => likely,
        1 => lines,
    ]
}

fn asked() -> impl Strategy<Value = (Method, String, String)> {
    let method =
        select(vec![Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::HEAD]);
    (method, select(PATHS), select(QUERIES), body())
        .prop_map(|(method, path, query, body)| (method, format!("{path}{query}"), body))
}

async fn all_answered(asked: &[(Method, String, String)]) -> Result<(), TestCaseError> {
    static HTTP: LazyLock<reqwest::Client> = LazyLock::new(http);
    let mock = MockAquera::builder().start().await.unwrap();
    mock.default_application().seed_user(user("u1", json!({"id": "u1"})));
    for (method, path, body) in asked {
        let request = HTTP
            .request(method.clone(), format!("{}{path}", mock.admin_url()))
            .header("content-type", "application/json")
            .body(body.clone());
        let Ok(answer) = timeout(PATIENCE, finish(request)).await else {
            return Err(TestCaseError::fail(format!("no answer to {method} {path} {body}")));
        };
        prop_assert!(
            answer.status < 600 && answer.status != 500,
            "{} {} {}\n-> {:?}",
            method,
            path,
            body,
            answer
        );
        if answer.status >= 400 && *method != Method::HEAD {
            let told: Option<Value> = serde_json::from_str(&answer.text).ok();
            let error = told.as_ref().and_then(|told| told["error"].as_str());
            prop_assert!(
                error.is_some_and(|text| !text.is_empty()),
                "{} {} {}\n-> {:?}",
                method,
                path,
                body,
                answer
            );
        }
    }
    // Whatever was configured, the server is there.
    let health = timeout(PATIENCE, finish(HTTP.get(format!("{}/health", mock.admin_url())))).await;
    prop_assert_eq!(health.map(|health| health.status).ok(), Some(200));
    mock.default_application().check_consistency().map_err(|error| TestCaseError::fail(error.to_string()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_question_is_answered(asked in vec(asked(), 1..12)) {
        static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
        RUNTIME.block_on(all_answered(&asked))?;
    }
}
