//! Expectations and waits for what can never come are refused with the nearest.

use reqwest::Method;

use super::Admin;
use crate::client::start;

#[tokio::test]
async fn expectation_that_can_never_match_is_refused_with_the_nearest() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    for (request, part) in [
        (
            r#"{"method":"POTS"}"#,
            "`method=POTS` can never match: there is no method `POTS`; did you mean `POST`?",
        ),
        (r#"{"path":"/Userz/*"}"#, "did you mean `/Users`?"),
        (r#"{"path":"/apps/hr/scim/Users"}"#, "this is the journal of the application `default`"),
        (r#"{"resourceType":"Usr"}"#, "did you mean `User`?"),
        (r#"{"status":999}"#, "a status from 200 to 599"),
        (r#"{"method":"PUT","patchPath":"active"}"#, "`method=PUT` leaves them out"),
    ] {
        for (path, body) in [
            ("verify", format!(r#"{{"request":{request}}}"#)),
            ("verify", format!(r#"{{"request":{request},"times":"never"}}"#)),
            ("journal/wait", format!(r#"{{"request":{request}}}"#)),
        ] {
            admin.refused(Method::POST, &format!("/applications/default/{path}"), &body, 400, part).await;
        }
    }
    for (body, part) in [
        (r#"{"bodyAt":{"active":true}}"#, "write `/active`"),
        (r#"{"headers":{"content type":"x"}}"#, "no header has such a name"),
        (
            r#"{"times":{"between":{"from":3,"to":1}}}"#,
            "`times=3..1` can never match: it ends before it begins",
        ),
    ] {
        admin.refused(Method::POST, "/applications/default/verify", body, 400, part).await;
    }
}
