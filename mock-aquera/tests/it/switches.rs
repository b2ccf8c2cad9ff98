//! Every word of every switch of a profile, seen on the wire.
//!
//! The words come from the JSON Schema of a profile file, so a word that is added and has no case here fails its
//! section's test.

mod application;
mod errors;
mod filter;
mod gateway;
mod list;
mod rate_limit;
mod requests;
mod service;
mod stale;
mod stored;
mod vendors;

use mock_aquera::{Application, MockAquera, Profile};
use serde_json::{Value, json};

use crate::client::{Answer, Client, start, user};

pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// An endpoint with two users and a group of both, under a profile.
pub(crate) struct World {
    pub(crate) mock: MockAquera,
    pub(crate) app: Application,
    pub(crate) client: Client,
    /// `/Users/…` of Ida, who is active, has a title `old` and an address.
    pub(crate) ida: String,
    /// `/Users/…` of Bob, who is not active.
    pub(crate) bob: String,
    /// `/Groups/…` of the group of both, whose name is `old`.
    pub(crate) team: String,
    pub(crate) ida_id: String,
    pub(crate) bob_id: String,
}

impl World {
    pub(crate) async fn of(switches: &str) -> Self {
        let profile = Profile::from_toml(&format!("name = \"tried\"\nsummary = \"tried\"\n{switches}"));
        Self::under(profile.unwrap_or_else(|error| panic!("{error}: {switches}"))).await
    }

    /// With one switch at a word.
    pub(crate) async fn with(section: &str, key: &str, word: &str) -> Self {
        Self::of(&format!("[{section}]\n{key} = \"{word}\"")).await
    }

    pub(crate) async fn under(profile: Profile) -> Self {
        let mock = start().await;
        let app = mock.default_application();
        let ida_id = app.seed_user(user(
            "Ida",
            json!({"title": "old", "externalId": "E-1", "name": {"givenName": "Ida", "familyName": "L"},
                "emails": [{"type": "work", "value": "Ida@Example.com"}, {"type": "home", "value": "ida@home"}]}),
        ));
        let bob_id =
            app.seed_user(user("bob", json!({"title": "old", "active": false, "externalId": "E-2"})));
        let members = json!([{"value": ida_id}, {"value": bob_id}]);
        let team = json!({"schemas": [GROUP], "displayName": "old", "members": members});
        let team = app.seed("Group", team);
        app.set_profile(profile);
        Self {
            client: Client::of(&mock),
            mock,
            app,
            ida: format!("/Users/{ida_id}"),
            bob: format!("/Users/{bob_id}"),
            team: format!("/Groups/{team}"),
            ida_id,
            bob_id,
        }
    }

    /// What is there, whatever the profile lets reads show.
    pub(crate) fn stored(&self, path: &str) -> Option<Value> {
        let (collection, id) = path.trim_start_matches('/').split_once('/').unwrap();
        self.app.resource(collection.trim_end_matches('s'), id)
    }

    pub(crate) async fn set(&self, path: &str, attribute: &str, value: Value) -> Answer {
        self.client.patch(path, &json!([{"op": "replace", "path": attribute, "value": value}])).await
    }

    pub(crate) async fn create(&self, name: &str) -> Answer {
        self.client.post("/Users", &user(name, json!({}))).await
    }
}

/// The keys of a section and their words; a key that takes no words comes with an empty one.
pub(crate) fn words(section: &str) -> Vec<(String, String)> {
    let schema = Profile::schema();
    let place = schema["properties"][section].clone();
    let place = if place["items"].is_object() { place["items"].clone() } else { place };
    let mut found = Vec::new();
    collect(&schema, &place, "", &mut found);
    assert!(!found.is_empty(), "{section}");
    found
}

fn collect(schema: &Value, place: &Value, prefix: &str, found: &mut Vec<(String, String)>) {
    for (key, switch) in target(schema, place)["properties"].as_object().unwrap() {
        let key = format!("{prefix}{key}");
        let switch = target(schema, switch);
        let switch = if switch["items"].is_object() { target(schema, &switch["items"]) } else { switch };
        if switch["properties"].is_object() {
            collect(schema, switch, &format!("{key}."), found);
        } else if let Some(words) = switch["oneOf"].as_array() {
            found.extend(words.iter().map(|word| (key.clone(), word["const"].as_str().unwrap().to_owned())));
        } else {
            found.push((key, String::new()));
        }
    }
}

fn target<'s>(schema: &'s Value, place: &'s Value) -> &'s Value {
    let place = place["anyOf"].as_array().map_or(place, |kinds| &kinds[0]);
    match place["$ref"].as_str() {
        Some(name) => &schema["$defs"][name.strip_prefix("#/$defs/").unwrap()],
        None => place,
    }
}

/// Tells which case runs, for those who look at a failure.
pub(crate) fn trying(section: &str, key: &str, word: &str) {
    println!("trying {section}.{key} = {word:?}");
}

pub(crate) fn no_case(key: &str, word: &str) -> ! {
    panic!("no test sees {key} = {word:?} on the wire")
}

#[test]
fn the_words_are_those_of_the_file() {
    let gateway = words("gateway");
    for (key, word) in
        [("patch", "lies-200"), ("group-put", "html-404"), ("max-members", ""), ("disable", "works")]
    {
        assert!(gateway.contains(&(key.to_owned(), word.to_owned())), "{key} {word}");
    }
    let requests = words("requests");
    assert!(requests.contains(&("dialects.dotted-keys".to_owned(), "refused".to_owned())));
    assert!(words("discovery").contains(&("lacks".to_owned(), "bulk.maxOperations".to_owned())));
    assert!(words("rate-limit").contains(&("retry-after".to_owned(), "garbage".to_owned())));
}

#[test]
fn every_section_has_a_test() {
    let told = ["name", "summary", "extends", "source", "date", "deviation"];
    let schema = Profile::schema();
    let sections = schema["properties"].as_object().unwrap().keys();
    let sections: Vec<_> = sections.filter(|key| !told.contains(&key.as_str())).collect();
    assert_eq!(
        sections,
        [
            "application",
            "discovery",
            "errors",
            "features",
            "filter",
            "gateway",
            "list",
            "rate-limit",
            "replies",
            "requests",
        ]
    );
}
