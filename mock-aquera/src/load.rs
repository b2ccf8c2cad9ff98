//! Resources to start with: checked like POSTs, in an order in which each finds those that it refers to.

use serde_json::Value;

use crate::application::Application;
use crate::gateway::resource::with_schemas;
use crate::types::{Role, Types};

/// A resource to start with.
#[derive(Debug, Clone)]
pub(crate) struct Beginning {
    /// The name of its type, where it needn't say so itself.
    pub(crate) resource_type: Option<String>,
    pub(crate) resource: Value,
}

/// Which of the resources can't be taken, and why.
#[derive(Debug)]
pub(crate) struct LoadProblem {
    pub(crate) index: usize,
    pub(crate) detail: String,
}

/// Adds them all: users first, groups last, and members once everybody is there. An `id` is kept, so that what was
/// written out somewhere can be read in again with its references.
pub(crate) fn load(application: &Application, beginnings: &[Beginning]) -> Result<(), LoadProblem> {
    let settings = application.settings();
    let types = &settings.types;
    let mut kinds = Vec::with_capacity(beginnings.len());
    for (index, beginning) in beginnings.iter().enumerate() {
        kinds.push(kind_of(types, beginning).map_err(|detail| LoadProblem { index, detail })?);
    }
    let mut groups = Vec::new();
    for role in [Role::User, Role::Other, Role::Group] {
        for (index, (&kind_at, Beginning { resource, .. })) in kinds.iter().zip(beginnings).enumerate() {
            let kind = types.get(kind_at);
            if kind.role != role {
                continue;
            }
            let id = resource.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
            let body = with_schemas(resource, &kind.schemas).to_string();
            let added = application
                .add(kind_at, body.as_bytes(), id)
                .map_err(|problem| LoadProblem { index, detail: problem.to_string() })?;
            if let Some(members) = added.members {
                groups.push((index, added.at, members));
            }
        }
    }
    for (index, group, members) in groups {
        application
            .join(group, &members)
            .map_err(|problem| LoadProblem { index, detail: problem.to_string() })?;
    }
    Ok(())
}

/// The type that a resource says it is of; a user where it says nothing.
fn kind_of(types: &Types, Beginning { resource_type, resource }: &Beginning) -> Result<u16, String> {
    let said = resource_type.as_deref().or_else(|| resource.pointer("/meta/resourceType")?.as_str());
    if let Some(name) = said {
        return types.named(name).ok_or_else(|| {
            let known: Vec<&str> = types.all().iter().map(crate::types::Kind::name).collect();
            format!("there is no resource type `{name}`; there are {}", known.join(", "))
        });
    }
    let Some(urns) = resource.get("schemas").and_then(Value::as_array) else {
        return types.of_role(Role::User).ok_or_else(|| "it has no `schemas`".to_owned());
    };
    let among = |core: &str| urns.iter().filter_map(Value::as_str).any(|urn| urn.eq_ignore_ascii_case(core));
    let found = types.positions().find(|(_, kind)| among(kind.schemas.core().id().as_str()));
    found.map(|(at, _)| at).ok_or_else(|| {
        "no resource type has the schema that `schemas` names; `meta.resourceType` may name the type instead".to_owned()
    })
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
        assert!(error.contains("`Printer`; there are User, Group"), "{error}");
        let error = refused(one().user(json!({"schemas": [GROUP], "displayName": "g"}))).await;
        assert!(error.contains("resource 2"), "{error}");
    }
}
