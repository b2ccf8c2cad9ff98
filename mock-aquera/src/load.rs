//! Resources to start with, as the text that an application takes in.

use serde_json::{Map, Value};

/// A resource to start with.
#[derive(Debug, Clone)]
pub(crate) struct Beginning {
    /// The name of its type, where it needn't say so itself.
    pub(crate) resource_type: Option<String>,
    pub(crate) resource: Value,
}

/// One line for each of them, which says what it is of. Whoever doesn't say is a user.
pub(crate) fn text(beginnings: &[Beginning]) -> Vec<u8> {
    let mut text = Vec::new();
    for Beginning { resource_type, resource } in beginnings {
        let mut resource = resource.clone();
        if let Value::Object(members) = &mut resource {
            let says = members.get("meta").is_some_and(|meta| meta.get("resourceType").is_some());
            let of_type = match resource_type {
                None if says || members.contains_key("schemas") => None,
                given => Some(given.as_deref().unwrap_or("User")),
            };
            if let Some(name) = of_type {
                let meta = members.entry("meta").or_insert(Value::Null);
                if !meta.is_object() {
                    *meta = Value::Object(Map::new());
                }
                meta["resourceType"] = name.into();
            }
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
