//! Resources to start with, as the text that an application takes in.

mod read;
mod tree;

use std::sync::Arc;

pub(crate) use read::{Piece, pieces};
use serde_json::{Map, Value};
pub(crate) use tree::tree;

/// A text with resources.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The file that it is from, if any.
    pub(crate) file: Option<Arc<str>>,
    pub(crate) text: Vec<u8>,
}

/// A resource to start with.
#[derive(Debug, Clone)]
pub(crate) struct Beginning {
    /// The name of its type.
    pub(crate) resource_type: String,
    pub(crate) resource: Value,
}

/// One line for each of them, which says what it is of.
pub(crate) fn text(beginnings: &[Beginning]) -> Vec<u8> {
    let mut text = Vec::new();
    for Beginning { resource_type, resource } in beginnings {
        let mut resource = resource.clone();
        if let Value::Object(members) = &mut resource {
            let meta = members.entry("meta").or_insert(Value::Null);
            if !meta.is_object() {
                *meta = Value::Object(Map::new());
            }
            meta["resourceType"] = resource_type.as_str().into();
        }
        text.extend_from_slice(resource.to_string().as_bytes());
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::MockAquera;

    const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

    #[tokio::test]
    async fn whoever_is_referred_to_may_come_later() {
        let builder = MockAquera::builder()
            .resource(
                "Group",
                json!({"displayName": "outer", "members": [{"value": "g-2"}, {"value": "u-1"}]}),
            )
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
        assert!(error.starts_with("take resource 2 of those to start with: members[0]"), "{error}");
        let error = of(json!({"id": "u-1", "displayName": "g"})).await;
        assert!(error.contains("u-1"), "{error}");
        let error = refused(one().resource("Printer", json!({}))).await;
        assert!(error.contains("`Printer`, only User, Group"), "{error}");
        let error = refused(one().user(json!({"schemas": [GROUP], "displayName": "g"}))).await;
        assert!(error.contains("resource 2"), "{error}");
    }
}
