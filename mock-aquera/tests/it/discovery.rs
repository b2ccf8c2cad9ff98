//! The describing endpoints (RFC 7644 §4).

use mock_aquera::{Auth, MockAquera, Profile};
use serde_json::{Value, json};

use crate::client::{Client, USER, start};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

#[tokio::test]
async fn the_configuration_claims_what_the_profile_says() {
    let mock = start().await;
    let client = Client::of(&mock);
    // What the project promises of each, not what its data says.
    for (name, claimed) in [
        ("aquera", true),
        ("rfc", true),
        ("no-partial-update", false),
        ("patch-405", false),
        ("patch-501", false),
        ("patch-400", true),
        ("patch-ignored-200", true),
        ("patch-ignored-204", true),
        ("patch-lies-200", true),
        ("patch-then-404", true),
        ("no-put", true),
        ("no-delete", true),
        ("delete-deactivates", true),
        ("disable-deletes", true),
        ("thunderid-5110", true),
        ("authentik", false),
    ] {
        let profile = Profile::builtin(name).unwrap();
        assert_eq!(profile.advertises_patch(), claimed, "{name}");
        mock.default_application().set_profile(profile);
        let answer = client.get("/ServiceProviderConfig").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/scim+json"));
        assert_eq!(answer.json()["patch"]["supported"], json!(claimed), "{name}");
    }
    let config = client.get("/ServiceProviderConfig").await.json();
    assert_eq!(config["meta"]["location"], json!(format!("{}/ServiceProviderConfig", mock.scim_url())));
    assert_eq!(config["etag"]["supported"], json!(true));
}

#[tokio::test]
async fn the_configuration_names_the_accepted_schemes() {
    let mock = MockAquera::builder()
        .auth(Auth::basic("u", "p"))
        .auth(Auth::bearer("mock-token"))
        .auth(Auth::bearer("another"))
        .start()
        .await
        .unwrap();
    let config = Client::of(&mock).get("/ServiceProviderConfig").await.json();
    let schemes: Vec<_> =
        config["authenticationSchemes"].as_array().unwrap().iter().map(|s| &s["type"]).collect();
    assert_eq!(schemes, [&json!("httpbasic"), &json!("oauthbearertoken")]);
}

#[tokio::test]
async fn types_and_schemas_are_listed_and_found_by_name() {
    let mock = start().await;
    let client = Client::of(&mock);
    let types = client.get("/ResourceTypes").await.json();
    assert_eq!((&types["totalResults"], &types["Resources"][0]["schema"]), (&json!(2), &json!(USER)));
    assert_eq!(client.get("/ResourceTypes/User").await.json(), types["Resources"][0]);

    let schemas = client.get("/Schemas").await.json();
    let ids: Vec<&Value> =
        schemas["Resources"].as_array().unwrap().iter().map(|schema| &schema["id"]).collect();
    let core = "urn:ietf:params:scim:schemas:core:2.0:";
    let described = ["Group", "ServiceProviderConfig", "ResourceType", "Schema"]
        .map(|name| json!(format!("{core}{name}")));
    let (users, others) = ids.split_at(2);
    assert_eq!((users, others), (&[&json!(USER), &json!(ENTERPRISE)][..], &described.each_ref()[..]));
    for (at, urn) in [USER, ENTERPRISE].into_iter().enumerate() {
        let schema = client.get(&format!("/Schemas/{urn}")).await.json();
        assert_eq!(schema, schemas["Resources"][at]);
        assert_eq!(schema["meta"]["location"], json!(format!("{}/Schemas/{urn}", mock.scim_url())));
    }
    client.get("/Schemas/urn:none").await.scim_error(404, None);
    client.get("/ResourceTypes/Shoe").await.scim_error(404, None);
    for path in ["/Schemas", "/ResourceTypes", "/ServiceProviderConfig"] {
        client.query(path, &[("filter", "id pr")]).await.scim_error(403, None);
    }
}
