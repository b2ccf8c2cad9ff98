//! Requests that wait for exchanges: how many there may be, and what becomes of those that nobody waits for any more.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::admin::Admin;
use crate::client::{Client, in_time, start};
use crate::raw::Raw;

const WAIT: &str = "/applications/default/journal/wait";

#[tokio::test]
async fn waits_are_bounded_and_end_with_their_clients() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    let mut waiting = Vec::new();
    for _ in 0..64 {
        let mut raw = Raw::connect(mock.addr()).await;
        raw.send(format!("GET /_mock{WAIT}?contains=zzz&timeout=10m HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            .await;
        waiting.push(raw);
    }
    let refused = async {
        loop {
            let one_more = admin.get(&format!("{WAIT}?contains=zzz&timeout=1ms")).await;
            if one_more.status == 503 {
                return one_more;
            }
            assert_eq!(one_more.status, 408, "{one_more:?}");
        }
    };
    let one_more = in_time("one more wait is refused", refused).await;
    assert!(one_more.json()["error"].as_str().unwrap().contains("64"), "{one_more:?}");
    // Writes and other requests go on.
    assert_eq!(Client::of(&mock).get("/Users").await.status, 200);
    drop(waiting);
    let room = async {
        loop {
            let again = admin.get(&format!("{WAIT}?method=GET&timeout=1ms")).await;
            if again.status == 200 {
                return;
            }
            assert_eq!(again.status, 503, "{again:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    in_time("waits end with their clients", room).await;
}

#[tokio::test]
async fn wait_without_time_looks_at_what_is_there_and_says_so_plainly() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    let scim = Client::of(&mock);
    for _ in 0..200 {
        scim.get("/Users").await;
    }
    let found = admin.get(&format!("{WAIT}?method=GET&count=200&timeout=0s")).await;
    assert_eq!((found.status, found.json()["exchanges"].as_array().unwrap().len()), (200, 200));
    let few = admin.post(WAIT, json!({"request": {"method": "PUT"}, "timeout": 0})).await;
    let error = few.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(few.status, 408);
    assert!(!error.contains("0ns") && error.contains("0 came"), "{error}");
    admin.refused(Method::GET, &format!("{WAIT}?timeout=soon"), "", 400, "`timeout`").await;
}
