//! User names and other text without case, on the wire: RFC 7644 §5 and RFC 7643 §7.

use mock_aquera::{Auth, JournalQuery, MockAquera, Profile};
use serde_json::{Value, json};

use crate::client::{Client, start, user};

/// One name, written in three ways, and one that only looks like it.
const COMPOSED: &str = "J\u{fc}rgen@example.com";
const DECOMPOSED: &str = "ju\u{308}rgen@example.com";
const FULLWIDTH: &str = "Ｊ\u{fc}ＲＧＥＮ＠example.com";
const OTHER: &str = "jurgen@example.com";

async fn names(client: &Client, query: &[(&str, &str)]) -> Vec<String> {
    let list = client.query("/Users", query).await.json();
    let resources = list["Resources"].as_array().unwrap().iter();
    resources.map(|user| user["userName"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn user_names_are_unique_by_their_key_and_stay_as_they_were_sent() {
    let mock = start().await;
    let client = Client::of(&mock);
    let first = client.post("/Users", &user(DECOMPOSED, json!({}))).await;
    assert_eq!((first.status, &first.json()["userName"]), (201, &json!(DECOMPOSED)));
    for name in [COMPOSED, FULLWIDTH] {
        let second = client.post("/Users", &user(name, json!({}))).await;
        assert!(second.scim_error(409, Some("uniqueness")).contains(name));
    }
    let other = client.post("/Users", &user(OTHER, json!({}))).await;
    assert_eq!(other.status, 201);
    let path = format!("/Users/{}", other.id());
    let rename = |name: &str| json!([{"op": "replace", "path": "userName", "value": name}]);
    client.patch(&path, &rename(COMPOSED)).await.scim_error(409, Some("uniqueness"));
    client.put(&path, &user(FULLWIDTH, json!({}))).await.scim_error(409, Some("uniqueness"));
    // Its own name may be written otherwise.
    let own = format!("/Users/{}", first.id());
    assert_eq!(client.patch(&own, &rename(COMPOSED)).await.json()["userName"], json!(COMPOSED));
    assert_eq!(client.get(&own).await.json()["userName"], json!(COMPOSED));
    mock.default_application().check_consistency().unwrap();
}

#[tokio::test]
async fn filters_and_order_compare_user_names_by_their_key() {
    let mock = start().await;
    let client = Client::of(&mock);
    for name in [DECOMPOSED, OTHER] {
        assert_eq!(client.post("/Users", &user(name, json!({"title": name}))).await.status, 201);
    }
    for (operator, text, finds) in [
        ("eq", COMPOSED, true),
        ("eq", FULLWIDTH, true),
        ("sw", "JÜ", true),
        ("co", "ürg", true),
        ("co", "ＲＧＥＮ", true),
        ("ew", "rgen＠EXAMPLE.com", true),
        ("ge", COMPOSED, true),
        ("le", COMPOSED, true),
        ("gt", COMPOSED, false),
        ("eq", "jürgen", false),
    ] {
        let filter = format!("userName {operator} \"{text}\"");
        let found = names(&client, &[("filter", &filter)]).await;
        assert_eq!(found.contains(&DECOMPOSED.to_owned()), finds, "{filter}");
        // Another way through the server, and the same answer.
        assert_eq!(names(&client, &[("filter", &filter), ("count", "50")]).await, found, "{filter}");
        let both = format!("userName {operator} \"{text}\" and title pr");
        assert_eq!(names(&client, &[("filter", &both)]).await, found, "{both}");
    }
    let not = names(&client, &[("filter", &format!("userName ne \"{COMPOSED}\""))]).await;
    assert_eq!(not, [OTHER]);
    // Other attributes are compared as they are, apart from case.
    assert_eq!(names(&client, &[("filter", &format!("title eq \"{COMPOSED}\""))]).await.len(), 0);
    for name in ["Ｚoe", "zack", "zz"] {
        assert_eq!(client.post("/Users", &user(name, json!({}))).await.status, 201);
    }
    let sorted = names(&client, &[("sortBy", "userName"), ("filter", "userName sw \"z\"")]).await;
    assert_eq!(sorted, ["zack", "Ｚoe", "zz"]);
}

#[tokio::test]
async fn a_blank_user_name_is_refused() {
    let mock = start().await;
    let client = Client::of(&mock);
    let ida = client.post("/Users", &user("ida", json!({}))).await;
    let path = format!("/Users/{}", ida.id());
    for blank in
        [" ", "\t", "\u{3000}\u{a0}", "\u{200b}", "\u{feff}", "\u{ad}", "\u{2800}", "\u{3164}", "\u{2060} "]
    {
        let post = client.post("/Users", &user(blank, json!({}))).await;
        assert_eq!(post.scim_error(400, Some("invalidValue")), "userName must not be blank");
        client.put(&path, &user(blank, json!({}))).await.scim_error(400, Some("invalidValue"));
        for operation in [
            json!({"op": "replace", "path": "userName", "value": blank}),
            json!({"op": "replace", "value": {"userName": blank}}),
        ] {
            let patch = client.patch(&path, &json!([operation])).await;
            assert!(patch.scim_error(400, Some("invalidValue")).contains("blank"));
        }
    }
    assert_eq!(client.get(&path).await.json()["userName"], json!("ida"));
    // Blanks within a name, or around it, are those of the name.
    assert_eq!(client.post("/Users", &user(" ida lund ", json!({}))).await.status, 201);
}

#[tokio::test]
async fn user_name_with_a_control_character_is_refused() {
    let mock = start().await;
    let client = Client::of(&mock);
    let path = format!("/Users/{}", client.post("/Users", &user("ida", json!({}))).await.id());
    for name in ["a\u{0}", "a\nb", "a\u{202e}b", "\u{2066}a", "a\u{85}b"] {
        let said = "userName must not have control characters, or characters that set the direction of text";
        let post = client.post("/Users", &user(name, json!({}))).await;
        assert_eq!(post.scim_error(400, Some("invalidValue")), said, "{name:?}");
        client.put(&path, &user(name, json!({}))).await.scim_error(400, Some("invalidValue"));
        let rename = json!([{"op": "replace", "path": "userName", "value": name}]);
        assert!(client.patch(&path, &rename).await.scim_error(400, Some("invalidValue")).contains(said));
    }
    // A name of a script that joins its letters, and one that has an invisible sign beside visible ones.
    for name in ["\u{646}\u{627}\u{645}\u{200c}\u{647}\u{627}", "a\u{200b}b"] {
        assert_eq!(client.post("/Users", &user(name, json!({}))).await.status, 201, "{name:?}");
    }
}

#[tokio::test]
async fn case_exact_filter_compares_user_names_by_width_and_composition() {
    let mock = MockAquera::builder().profile(Profile::builtin("canva").unwrap()).start().await.unwrap();
    let client = Client::of(&mock);
    assert_eq!(client.post("/Users", &user(DECOMPOSED, json!({"title": "t"}))).await.status, 201);
    let composed = "j\u{fc}rgen@example.com";
    for filter in [
        format!("userName eq \"{composed}\""),
        format!("userName eq \"{composed}\" and title pr"),
        "userName sw \"ｊ\u{fc}\"".to_owned(),
        format!("userName eq \"{DECOMPOSED}\""),
    ] {
        assert_eq!(names(&client, &[("filter", &filter)]).await, [DECOMPOSED], "{filter}");
    }
    for filter in [format!("userName eq \"{COMPOSED}\""), "userName co \"RGEN\"".to_owned()] {
        assert!(names(&client, &[("filter", &filter)]).await.is_empty(), "{filter}");
    }
}

#[tokio::test]
async fn me_faults_and_the_journal_know_a_name_by_its_key() {
    let mock = MockAquera::builder()
        .auth(Auth::bearer(mock_aquera::DEFAULT_TOKEN).as_user(FULLWIDTH))
        .start()
        .await
        .unwrap();
    let app = mock.default_application();
    let client = Client::of(&mock);
    let id = client.post("/Users", &user(DECOMPOSED, json!({}))).await.id();
    assert_eq!(client.get("/Me").await.json()["id"], json!(id));
    let struck = app.add_fault(format!("status=503 user-name=\"{COMPOSED}\"").parse().unwrap());
    assert_eq!(client.get(&format!("/Users/{id}")).await.status, 503);
    app.remove_fault(struck);
    let query = JournalQuery::new().user_name(FULLWIDTH);
    assert!(app.query_journal(&query).iter().any(|exchange| exchange.method == "POST"));
}

#[tokio::test]
async fn lower_case_does_not_depend_on_what_follows() {
    let mock = start().await;
    let client = Client::of(&mock);
    for (name, title) in [("a", "ΟΔΟΣΑ"), ("b", "ΟΔΟΣ"), ("c", "οδοσ")] {
        let emails = json!([{"value": title}]);
        let made = client.post("/Users", &user(name, json!({"title": title, "emails": emails}))).await;
        assert_eq!(made.status, 201);
    }
    for attribute in ["title", "emails.value"] {
        let found = |operator: &str, text: &str| {
            let (client, filter) = (&client, format!("{attribute} {operator} \"{text}\""));
            async move { names(client, &[("filter", &filter)]).await }
        };
        assert_eq!(found("sw", "ΟΔΟΣ").await, ["a", "b", "c"], "{attribute}");
        assert_eq!(found("sw", "οδοσ").await, ["a", "b", "c"], "{attribute}");
        assert_eq!(found("co", "ΔΟΣ").await, ["a", "b", "c"], "{attribute}");
        assert_eq!(found("eq", "ΟΔΟΣ").await, ["b", "c"], "{attribute}");
        assert_eq!(found("ew", "ΟΣ").await, ["b", "c"], "{attribute}");
    }
    let again: Value = client.post("/Users", &user("ΟΔΟΣ", json!({}))).await.json();
    assert_eq!(again["userName"], json!("ΟΔΟΣ"));
    client.post("/Users", &user("οδοσ", json!({}))).await.scim_error(409, Some("uniqueness"));
}

#[tokio::test]
async fn final_sigma_is_a_sigma() {
    let mock = start().await;
    let client = Client::of(&mock);
    let more = json!({"title": "ΟΔΟΣ", "emails": [{"value": "ΠΑΠΑΣ@x.example"}]});
    assert_eq!(client.post("/Users", &user("ΟΔΟΣ", more)).await.status, 201);
    client.post("/Users", &user("οδος", json!({}))).await.scim_error(409, Some("uniqueness"));
    assert_eq!(client.post("/Users", &user("ΠΑΠΑΣ@x.example", json!({}))).await.status, 201);
    client.post("/Users", &user("παπας@x.example", json!({}))).await.scim_error(409, Some("uniqueness"));
    for filter in [
        "userName eq \"οδος\"",
        "userName eq \"οδος\" and title pr",
        "title eq \"οδος\"",
        "title ew \"ς\"",
        "title co \"ος\"",
        "emails.value eq \"παπας@X.example\"",
        "emails[value eq \"παπας@x.example\"]",
    ] {
        assert_eq!(names(&client, &[("filter", filter)]).await, ["ΟΔΟΣ"], "{filter}");
    }
    // An add knows the value again, and a removal finds it.
    let id = client.query("/Users", &[("filter", "title pr")]).await.json()["Resources"][0]["id"].clone();
    let path = format!("/Users/{}", id.as_str().unwrap());
    let add = json!([{"op": "add", "path": "emails", "value": [{"value": "παπας@x.example"}]}]);
    assert_eq!(client.patch(&path, &add).await.json()["emails"].as_array().unwrap().len(), 1);
    let remove = json!([{"op": "remove", "path": "emails[value eq \"παπας@x.example\"]"}]);
    assert_eq!(client.patch(&path, &remove).await.json().get("emails"), None);
}
