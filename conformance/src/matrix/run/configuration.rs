//! The files of a cell: `aquera.toml` and the source.

use serde_json::{Map, Value, json};

use crate::matrix::cell::Auth;
use crate::matrix::model::{Attribute, Fields, User, World};
use crate::matrix::setting::Setting;

/// The provisioner's user for basic authentication.
pub const BASIC_USER: &str = "aquera-user";
/// The provisioner's password; a colon in it must survive.
pub const BASIC_PASSWORD: &str = "pass:word";
/// The provisioner's token.
pub const TOKEN: &str = "matrix-token";

/// Returns the preferences as TOML. Under basic authentication `remove-action` is left out if that is allowed.
fn preferences(setting: Setting, auth: Auth) -> String {
    let mut text = format!(
        "[connection.preferences]\n\
         enable-users-creation = {}\n\
         enable-users-updation = {}\n\
         enable-users-disable = {}\n\
         enable-users-deprovision = {}\n\
         deprovision-on-rule-deletion = {}\n",
        setting.creation, setting.updation, setting.disable, setting.deprovision, setting.on_rule_deletion
    );
    if !(auth == Auth::Basic && setting.remove_action_may_be_left_out()) {
        append!(text, "remove-action = {:?}\n", setting.remove_action.as_str());
    }
    text
}

/// Returns `aquera.toml` for the state of the world.
pub fn aquera_toml(world: &World, auth: Auth, scim_url: &str) -> String {
    let authentication = match auth {
        Auth::Basic => format!(
            "profile = \"basic-auth\"\nbasic-auth-user = {BASIC_USER:?}\nbasic-auth-password = {BASIC_PASSWORD:?}\n"
        ),
        Auth::Bearer => format!("profile = \"bearer-token\"\noauth-access-token = {TOKEN:?}\n"),
    };
    let exclude: Vec<_> = world.exclude.iter().collect();
    let mut text = format!(
        "[connection]\nname = \"A cell of the matrix\"\nenabled = {}\n\n\
         [connection.authentication]\nscim-url = {scim_url:?}\n{authentication}\n\
         {}\n\
         [connection.options]\nupdate-method = {:?}\nclear-missing-attributes = {}\nexternal-id = {}\nexclude = {exclude:?}\n\
         max-removals = {}\n\n\
         [source]\nkind = \"file\"\npath = {:?}\n",
        world.enabled,
        preferences(world.setting, auth),
        world.method.as_str(),
        world.clear_missing,
        world.external_id,
        world.max_removals,
        source_name(world),
    );
    for rule in &world.rules {
        append!(text, "\n[[rule]]\nname = {:?}\nenabled = {}\n", rule.name, rule.enabled);
        let population = rule.population.as_ref().map(|id| format!("population.id eq \"{id}\""));
        let group = rule.group.as_ref().map(|id| format!("memberOfGroups[id eq \"{id}\"]"));
        let filter: Vec<String> = population.into_iter().chain(group).collect();
        if !filter.is_empty() {
            append!(text, "filter = '{}'\n", filter.join(" and "));
        }
        let Some(mapped) = &rule.mapped else { continue };
        let mapped = mapped.iter().map(|attribute| (attribute.source(), attribute.target()));
        for (source, target) in std::iter::once(("username", "userName")).chain(mapped) {
            append!(text, "[[rule.mapping]]\nsource = {source:?}\ntarget = {target:?}\n");
        }
    }
    text
}

/// Returns a configuration that holds nothing but this setting.
pub fn bare_toml(setting: Setting) -> String {
    format!(
        "[connection]\nname = \"A setting\"\n\n\
         [connection.authentication]\nscim-url = \"http://127.0.0.1:9/scim\"\nprofile = \"bearer-token\"\n\
         oauth-access-token = {TOKEN:?}\n\n{}\n\
         [source]\nkind = \"file\"\npath = \"users.ndjson\"\n\n[[rule]]\nname = \"everyone\"\n",
        preferences(setting, Auth::Bearer)
    )
}

/// Returns the name of the source file that is configured.
pub fn source_name(world: &World) -> String {
    format!("users-{}.ndjson", world.source_file)
}

/// Returns the source file.
pub fn source_ndjson(world: &World) -> String {
    let mut lines = String::new();
    for user in world.source.values() {
        append!(lines, "{}\n", source_user(user));
    }
    lines
}

fn source_user(user: &User) -> Value {
    let mut object = Map::new();
    object.insert("id".to_owned(), json!(user.id));
    object.insert("username".to_owned(), json!(user.user_name));
    object.insert("enabled".to_owned(), json!(user.enabled));
    object.insert("population".to_owned(), json!({ "id": user.population }));
    if !user.groups.is_empty() {
        let groups = user.groups.iter().map(|id| json!({ "id": id }));
        object.insert("memberOfGroups".to_owned(), groups.collect());
    }
    for (attribute, value) in &user.attributes {
        match attribute.source().split_once('.') {
            Some((outer, inner)) => {
                let outer = object.entry(outer).or_insert_with(|| json!({}));
                outer[inner] = json!(value);
            }
            None => drop(object.insert(attribute.source().to_owned(), json!(value))),
        }
    }
    Value::Object(object)
}

/// Returns an account that our provisioner did not create.
pub fn resource(fields: &Fields, active: bool) -> Value {
    let mut resource = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": fields.user_name,
        "active": active,
    });
    if let Some(external_id) = &fields.external_id {
        resource["externalId"] = json!(external_id);
    }
    for (attribute, value) in &fields.attributes {
        match attribute {
            Attribute::Title => resource["title"] = json!(value),
            Attribute::Given => resource["name"]["givenName"] = json!(value),
            Attribute::Family => resource["name"]["familyName"] = json!(value),
            Attribute::Nickname => resource["nickName"] = json!(value),
            Attribute::Email => resource["emails"] = json!([{ "type": "work", "value": value }]),
        }
    }
    resource
}

/// Returns the fields of a resource that the model knows.
pub fn fields_of(resource: &Value) -> Fields {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let work = |entry: &&Value| entry["type"] == "work";
    let value_of = |attribute| match attribute {
        Attribute::Title => text(&resource["title"]),
        Attribute::Given => text(&resource["name"]["givenName"]),
        Attribute::Family => text(&resource["name"]["familyName"]),
        Attribute::Nickname => text(&resource["nickName"]),
        Attribute::Email => {
            resource["emails"].as_array()?.iter().find(work).and_then(|entry| text(&entry["value"]))
        }
    };
    Fields {
        user_name: text(&resource["userName"]).unwrap_or_default(),
        external_id: text(&resource["externalId"]),
        attributes: Attribute::ALL
            .into_iter()
            .filter_map(|attribute| Some((attribute, value_of(attribute)?)))
            .collect(),
        untyped: resource["emails"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|entry| entry["type"].is_null())
            .filter_map(|entry| text(&entry["value"]))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::model::{Method, builtins};

    #[test]
    fn written_account_reads_back_unchanged() {
        let fields = Fields {
            user_name: "a@example.com".to_owned(),
            external_id: Some("u".to_owned()),
            attributes: Attribute::ALL.into_iter().map(|name| (name, name.source().to_owned())).collect(),
            ..Fields::default()
        };
        assert_eq!(fields_of(&resource(&fields, true)), fields);
    }

    #[test]
    fn remove_action_is_left_out_only_if_optional() {
        for setting in Setting::valid() {
            let mut world = World::new(builtins()[0], Method::Auto, setting);
            world.rules.clear();
            let text = aquera_toml(&world, Auth::Basic, "http://127.0.0.1/scim");
            assert_eq!(text.contains("remove-action"), !setting.remove_action_may_be_left_out(), "{setting}");
            assert!(aquera_toml(&world, Auth::Bearer, "http://127.0.0.1/scim").contains("remove-action"));
        }
    }
}
