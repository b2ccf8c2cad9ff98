//! Heads and bodies that are wrong are told in plain words.

use reqwest::Method;

use crate::client::{Client, finish, start};
use crate::raw::Raw;

#[tokio::test]
async fn transfer_coding_and_version_are_refused_with_the_true_reason() {
    let mock = start().await;
    for (line, coding, status, part) in [
        ("POST /scim/Users HTTP/1.1", "gzip", 501, "transfer coding"),
        ("POST /scim/Users HTTP/1.1", "identity", 501, "transfer coding"),
        ("POST /scim/Users HTTP/1.1", "chunked, x", 501, "transfer coding"),
        ("POST /scim/Users HTTP/1.1", "gzip, chunked", 501, "transfer coding"),
        ("POST /scim/Users HTTP/1.1", "chunked, chunked", 400, "more than once"),
        ("POST /scim/Users HTTP/1.1", "chunked\r\nTransfer-Encoding: chunked", 400, "more than once"),
        ("POST /scim/Users HTTP/1.2", "chunked", 505, "another version"),
        ("POST /scim/Users HTTP/2.0", "chunked", 505, "another version"),
    ] {
        let mut raw = Raw::connect(mock.addr()).await;
        raw.send(format!("{line}\r\nHost: h\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n")).await;
        let reply = raw.read().await.reply();
        let body = String::from_utf8(reply.body).unwrap();
        assert!(reply.status == status && body.contains(part), "{line} {coding}: {} {body}", reply.status);
    }
}

#[tokio::test]
async fn body_that_is_no_json_is_told_in_plain_words_with_its_place() {
    let mock = start().await;
    let client = Client::of(&mock);
    for (path, body, part) in [
        ("/Users", "", "it is empty"),
        ("/Users", "{\"userName\":", "(line 1, column 12)"),
        ("/Users", "{\n\"userName\":\"a\",}", "(line 2, column 16)"),
        ("/Users/.search", "[1,]", "(line 1, column 4)"),
        ("/Bulk", "", "it is empty"),
    ] {
        let request = client.request(Method::POST, path).header("content-type", "application/scim+json");
        let detail = finish(request.body(body)).await.scim_error(400, Some("invalidSyntax"));
        assert!(detail.contains(part) && !detail.contains("EOF"), "{path} {body}: {detail}");
    }
}
