use serde_json::json;

use super::*;
use crate::MockAquera;

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

#[tokio::test]
async fn whoever_is_referred_to_may_come_later() {
    let builder = MockAquera::builder()
        .resource("Group", json!({"displayName": "outer", "members": [{"value": "g-2"}, {"value": "u-1"}]}))
        .resource("group", json!({"id": "g-2", "displayName": "inner", "members": [{"value": "u-1"}]}))
        .user(json!({"id": "u-1", "userName": "ida"}));
    let mock = builder.start().await.unwrap();
    let application = mock.default_application();
    let ida = application.user("u-1").unwrap();
    assert_eq!(ida["groups"].as_array().unwrap().len(), 2, "{ida}");
    assert_eq!(application.resource("Group", "g-2").unwrap()["meta"]["version"], json!("W/\"1\""));
    application.check_consistency().unwrap();
}

#[tokio::test]
async fn what_cannot_be_taken_is_named() {
    async fn refused(builder: crate::MockAqueraBuilder) -> String {
        builder.start().await.unwrap_err().to_string()
    }
    let ida = json!({"id": "u-1", "userName": "ida"});
    let one = || MockAquera::builder().user(ida.clone());
    let of = |value: serde_json::Value| async move { refused(one().resource("Group", value)).await };
    let error = of(json!({"displayName": "g", "members": [{"value": "nobody"}]})).await;
    assert!(error.starts_with("add initial resource 2: members[0]"), "{error}");
    let error = of(json!({"id": "u-1", "displayName": "g"})).await;
    assert!(error.contains("u-1"), "{error}");
    let error = refused(one().resource("Printer", json!({}))).await;
    assert!(error.contains("`Printer`; there are User, Group"), "{error}");
    let error = refused(one().user(json!({"schemas": [GROUP], "displayName": "g"}))).await;
    assert!(error.contains("resource 2"), "{error}");
}

#[test]
fn what_meta_says_counts() {
    let (now, then) = (Timestamp::UNIX_EPOCH, "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
    #[track_caller]
    fn check(meta: &Value, now: Timestamp, created: Timestamp, modified: Timestamp, version: u32) {
        let tree = json!({ "META": meta });
        let found = past(tree.as_object().unwrap(), now);
        assert_eq!(found, Ok(Past { created, modified, version }), "{tree}");
    }
    check(&json!(null), now, now, now, 1);
    check(&json!({"created": "2026-01-01T00:00:00.000Z", "version": "W/\"7\""}), now, then, then, 7);
    check(&json!({"lastModified": "2026-01-01T00:00:00Z", "version": "W/\"7.0f\""}), now, then, then, 7);
    check(&json!({"created": null, "lastModified": null, "version": "x"}), now, now, now, 1);
    let wrong = json!({"meta": {"created": "soon", "lastModified": 7}});
    let wrong = ImportError::Dates(past(wrong.as_object().unwrap(), now).unwrap_err()).to_string();
    let parts =
        ["`meta.created` is an instant such as", "not `soon`; `meta.lastModified` is a text", "not 7"];
    assert!(parts.iter().all(|part| wrong.contains(part)), "{wrong}");
    check(&json!({"version": "0"}), now, now, now, 1);
    check(&json!({"version": u64::MAX.to_string()}), now, now, now, u32::MAX / 2);
}
