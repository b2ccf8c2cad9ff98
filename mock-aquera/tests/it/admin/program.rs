//! Administration of the program: its port and its token.

use reqwest::Method;
use serde_json::json;

use crate::client::{Answer, finish, http};
use crate::program::{Running, command};

async fn get(url: &str, token: Option<&str>) -> Answer {
    let request = http().request(Method::GET, url);
    finish(match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    })
    .await
}

#[tokio::test]
async fn the_ready_line_says_where_administration_is() {
    let mut server = Running::start(&[
        "--listen",
        "127.0.0.1:0",
        "--json",
        "--admin-listen",
        "127.0.0.1:0",
        "--admin-token",
        "s3cret",
    ]);
    let ready = server.ready();
    let (scim, admin) = (ready["scimUrl"].as_str().unwrap(), ready["adminUrl"].as_str().unwrap());
    assert!(!ready.to_string().contains("s3cret"), "{ready}");
    let origin = |url: &str| url.split('/').nth(2).unwrap().to_owned();
    assert_ne!(origin(scim), origin(admin));
    assert_eq!(get(&format!("http://{}/_mock/health", origin(scim)), None).await.status, 404);
    assert_eq!(
        get(&format!("{admin}/health"), None).await.json(),
        json!({"status": "ready", "applications": 1})
    );
    assert_eq!(get(&format!("{admin}/applications"), None).await.status, 401);
    assert_eq!(get(&format!("{admin}/applications"), Some("s3cret")).await.status, 200);
}

#[tokio::test]
async fn the_token_comes_from_the_environment_too() {
    let mut child = command(&["--listen", "127.0.0.1:0"]);
    let child = child.env("MOCK_AQUERA_ADMIN_TOKEN", "s3cret").spawn().unwrap();
    let mut server = Running::of(child);
    // The last of the lines to try shows the journal.
    let mut line = String::new();
    while !line.contains("/journal") {
        line = server.line();
        assert!(!line.is_empty(), "it ended before it said how to see the journal");
    }
    assert!(line.contains("-H 'Authorization: Bearer s3cret' http://"), "{line}");
    let url = line.split_whitespace().last().unwrap().to_owned();
    assert_eq!(get(&url, None).await.status, 401);
    assert_eq!(get(&url, Some("s3cret")).await.json(), json!([]));
}

#[test]
fn a_token_that_no_header_carries_is_refused() {
    for token in ["", "two words", "schön"] {
        let output = command(&["--listen", "127.0.0.1:0", "--admin-token", token]).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("failed to read --admin-token (or MOCK_AQUERA_ADMIN_TOKEN)"), "{told}");
        assert!(token.is_empty() || !told.contains(token), "{told}");
    }
}
