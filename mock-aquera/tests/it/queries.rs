//! Queries: filters, order, pages by index and by cursor, and what answers show (RFC 7644 §3.4.2, §3.4.3, §3.9;
//! RFC 9865).

mod dates;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mock_aquera::{CursorRule, ManualClock, MockAquera, Profile, StatusCode};
use serde_json::{Value, json};

use crate::client::{Answer, Client, start, user};

const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

fn names(list: &Value) -> Vec<String> {
    let name = |resource: &Value| {
        let name = resource.get("userName").or(resource.get("displayName"));
        name.and_then(Value::as_str).unwrap().to_owned()
    };
    list["Resources"].as_array().unwrap().iter().map(name).collect()
}

async fn five(mock: &MockAquera) {
    let client = Client::of(mock);
    for (name, more) in [
        (
            "ann",
            json!({"title": "Nurse", "externalId": "E1", "name": {"familyName": "Zola"}, "active": true,
            "emails": [{"value": "ann@a.example", "type": "work", "primary": true}, {"value": "z@z.example", "type": "home"}],
            ENTERPRISE: {"department": "Ward", "manager": {"value": "m1"}}}),
        ),
        (
            "Bob",
            json!({"title": "cook", "externalId": "e1", "name": {"familyName": "adams"}, "active": false,
            "emails": [{"value": "bob@b.example", "type": "home"}]}),
        ),
        (
            "cyd",
            json!({"title": "Nurse", "name": {"familyName": "Brown", "formatted": ""},
            "emails": [{"value": "aaa@c.example", "type": "work"}],
            ENTERPRISE: {"department": "Kitchen", "employeeNumber": "42"}}),
        ),
        ("dee", json!({"locale": "de", "roles": [{"value": "admin"}]})),
        (
            "o\"eve",
            json!({"title": "Pilot \\ captain", "emails": [{"value": "eve@e.example", "type": "work", "display": "Eve"}]}),
        ),
    ] {
        assert_eq!(client.post("/Users", &user(name, more)).await.status, 201);
    }
}

const FILTERS: &[(&str, &[&str])] = &[
    ("userName eq \"BOB\"", &["Bob"]),
    ("userName ne \"bob\"", &["ann", "cyd", "dee", "o\"eve"]),
    ("externalId eq \"e1\"", &["Bob"]),
    ("userName co \"N\"", &["ann"]),
    ("userName sw \"b\"", &["Bob"]),
    ("userName ew \"D\"", &["cyd"]),
    ("userName gt \"cyd\"", &["dee", "o\"eve"]),
    ("userName ge \"CYD\"", &["cyd", "dee", "o\"eve"]),
    ("userName lt \"bob\"", &["ann"]),
    ("userName le \"bob\"", &["ann", "Bob"]),
    ("title pr", &["ann", "Bob", "cyd", "o\"eve"]),
    ("not (title pr)", &["dee"]),
    ("title eq null", &["dee"]),
    ("name.formatted pr", &[]),
    ("active eq true", &["ann", "cyd", "dee", "o\"eve"]),
    ("active eq false", &["Bob"]),
    ("title eq \"nurse\" and userName sw \"c\" or userName eq \"dee\"", &["cyd", "dee"]),
    ("title eq \"nurse\" and (userName sw \"c\" or userName eq \"dee\")", &["cyd"]),
    ("emails eq \"bob@b.example\"", &["Bob"]),
    ("emails.value eq \"EVE@e.example\"", &["o\"eve"]),
    ("emails[type eq \"work\" and value ew \"c.example\"]", &["cyd"]),
    ("emails[type eq \"work\"].value co \"eve\"", &["o\"eve"]),
    ("emails[not (type eq \"work\")]", &["ann", "Bob"]),
    ("roles.value eq \"admin\"", &["dee"]),
    ("urn:ietf:params:scim:schemas:core:2.0:User:userName eq \"ann\"", &["ann"]),
    ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq \"ward\"", &["ann"]),
    ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq \"m1\"", &["ann"]),
    ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber pr", &["cyd"]),
    ("department eq \"kitchen\"", &["cyd"]),
    ("title eq \"Pilot \\\\ captain\"", &["o\"eve"]),
    ("userName eq \"o\\\"eve\"", &["o\"eve"]),
    ("userName eq \"\\u0061nn\"", &["ann"]),
    ("meta.created gt \"2000-01-01T00:00:00Z\"", &["ann", "Bob", "cyd", "dee", "o\"eve"]),
    ("meta.resourceType eq \"User\" and id pr and userName eq \"dee\"", &["dee"]),
    ("schemas eq \"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\"", &["ann", "cyd"]),
    ("USERNAME EQ \"ann\" AND TITLE PR", &["ann"]),
    ("userName eq \"nobody\"", &[]),
];

#[tokio::test]
async fn the_whole_grammar_of_filters() {
    let mock = start().await;
    five(&mock).await;
    let client = Client::of(&mock);
    for (filter, expected) in FILTERS {
        let answer = client.query("/Users", &[("filter", filter)]).await;
        assert_eq!(answer.status, 200, "{filter}: {answer:?}");
        assert_eq!(names(&answer.json()), *expected, "{filter}");
        let body = json!({"schemas": [SEARCH], "filter": filter});
        assert_eq!(
            client.post("/Users/.search", &body).await.json()["Resources"],
            answer.json()["Resources"],
            "{filter}"
        );
    }
    for (filter, place) in [
        ("userName eqq \"a\"", "eqq"),
        ("userName eq", "userName eq"),
        ("userName eq \"a", "\"a"),
        ("(userName eq \"a\"", ""),
        ("emails[type eq \"work\"", ""),
        ("shoe pr", "shoe"),
        ("name.shoe eq \"a\"", "name.shoe"),
        ("urn:example:x:shoe eq \"a\"", "shoe"),
        ("active gt true", "active"),
        ("active le false", "active"),
        ("", ""),
    ] {
        let detail =
            client.query("/Users", &[("filter", filter)]).await.scim_error(400, Some("invalidFilter"));
        assert!(detail.contains(place), "{filter}: {detail}");
    }
    let secret =
        client.query("/Users", &[("filter", "password sw \"a\"")]).await.scim_error(403, Some("sensitive"));
    assert!(secret.contains("password"), "{secret}");
}

#[tokio::test]
async fn order() {
    let mock = start().await;
    five(&mock).await;
    let client = Client::of(&mock);
    for (query, expected) in [
        (vec![("sortBy", "userName")], ["ann", "Bob", "cyd", "dee", "o\"eve"]),
        (vec![("sortBy", "userName"), ("sortOrder", "descending")], ["o\"eve", "dee", "cyd", "Bob", "ann"]),
        (vec![("sortBy", "name.familyName")], ["Bob", "cyd", "ann", "dee", "o\"eve"]),
        // The primary value counts, or else the first; who has none is last.
        (vec![("sortBy", "emails")], ["cyd", "ann", "Bob", "o\"eve", "dee"]),
        (vec![("sortBy", "emails.type"), ("sortOrder", "Ascending")], ["Bob", "ann", "cyd", "o\"eve", "dee"]),
        (vec![("sortBy", &format!("{ENTERPRISE}:department"))], ["cyd", "ann", "Bob", "dee", "o\"eve"]),
        (vec![("sortBy", "title"), ("sortOrder", "descending")], ["dee", "o\"eve", "ann", "cyd", "Bob"]),
        (
            vec![("sortBy", "meta.created"), ("sortOrder", "ascending")],
            ["ann", "Bob", "cyd", "dee", "o\"eve"],
        ),
    ] {
        let answer = client.query("/Users", &query).await;
        assert_eq!(names(&answer.json()), expected, "{query:?}");
    }
    let page = client
        .query(
            "/Users",
            &[("sortBy", "userName"), ("startIndex", "2"), ("count", "2"), ("filter", "title pr")],
        )
        .await
        .json();
    assert_eq!((names(&page), &page["totalResults"]), (vec!["Bob".to_owned(), "cyd".to_owned()], &json!(4)));
    for (query, said) in [
        ([("sortBy", "shoe"), ("count", "1")], "shoe"),
        ([("sortBy", "name"), ("count", "1")], "name.formatted"),
        ([("sortBy", "password"), ("count", "1")], "an attribute that is returned"),
        ([("sortBy", "userName"), ("sortOrder", "up")], "sortOrder"),
    ] {
        let detail = client.query("/Users", &query).await.scim_error(400, Some("invalidValue"));
        assert!(detail.contains(said), "{detail}");
    }
}

#[tokio::test]
async fn answers_show_what_is_asked_for() {
    let mock = start().await;
    five(&mock).await;
    let client = Client::of(&mock);
    let path = format!("/Users/{}", mock.default_application().users()[0]["id"].as_str().unwrap());
    let keys = |resource: &Value| {
        let mut keys: Vec<String> = resource.as_object().unwrap().keys().cloned().collect();
        keys.sort_unstable();
        keys
    };
    let only = ["id", "schemas", "userName"];
    let core = "urn:ietf:params:scim:schemas:core:2.0:User";
    let check = |answer: Answer, expected: &[&str]| {
        assert!(answer.status < 300, "{answer:?}");
        let body = answer.json();
        let resource = body.get("Resources").map_or(&body, |list| &list[0]).clone();
        let mut expected: Vec<&str> = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(keys(&resource), expected);
        resource
    };
    check(client.get(&format!("{path}?attributes=userName")).await, &only);
    check(client.get(&format!("{path}?attributes={core}:USERNAME")).await, &only);
    check(client.get("/Users?attributes=userName&count=1").await, &only);
    check(client.get("/Users?attributes=userName&filter=userName%20eq%20%22ann%22").await, &only);
    check(
        client.post("/Users/.search", &json!({"schemas": [SEARCH], "attributes": ["userName"]})).await,
        &only,
    );
    check(client.get("/?attributes=userName").await, &only);
    check(client.post("/.search", &json!({"schemas": [SEARCH], "attributes": ["userName"]})).await, &only);
    check(client.post("/Users?attributes=userName", &user("fay", json!({"title": "x"}))).await, &only);
    check(
        client
            .put(
                &format!("{path}?attributes=userName"),
                &user("ann", json!({"title": "x", ENTERPRISE: {"department": "Ward", "costCenter": "7"}})),
            )
            .await,
        &only,
    );
    let replace = json!([{"op": "replace", "path": "title", "value": "y"}]);
    check(client.patch(&format!("{path}?attributes=userName"), &replace).await, &only);

    let part = check(
        client.get(&format!("{path}?attributes={ENTERPRISE}:department")).await,
        &["id", "schemas", ENTERPRISE],
    );
    assert_eq!(part[ENTERPRISE], json!({"department": "Ward"}));
    let whole =
        check(client.get(&format!("{path}?attributes={ENTERPRISE}")).await, &["id", "schemas", ENTERPRISE]);
    assert_eq!(whole[ENTERPRISE], json!({"department": "Ward", "costCenter": "7"}));
    let rest = ["id", "schemas", "active", "userName", "title", ENTERPRISE];
    check(client.get(&format!("{path}?excludedAttributes=meta")).await, &rest);
    check(client.get("/Users?excludedAttributes=meta&count=1").await, &rest);
    check(
        client
            .post("/Users/.search", &json!({"schemas": [SEARCH], "excludedAttributes": ["meta"], "count": 1}))
            .await,
        &rest,
    );
    check(client.patch(&format!("{path}?excludedAttributes=meta,id"), &replace).await, &rest);
    let less = check(
        client.get(&format!("{path}?excludedAttributes={ENTERPRISE}:department,meta.created,userName")).await,
        &["id", "schemas", "active", "title", "meta", ENTERPRISE],
    );
    assert_eq!((&less[ENTERPRISE], less["meta"].get("created")), (&json!({"costCenter": "7"}), None));
    client
        .get(&format!("{path}?attributes=userName&excludedAttributes=title"))
        .await
        .scim_error(400, Some("invalidValue"));
    check(client.get(&format!("{path}?attributes=shoe")).await, &["id", "schemas"]);
}

/// A page that is asked for again and again shares its memory with the one before. No write may be missed for that.
#[tokio::test]
async fn a_page_that_is_read_often_shows_each_write() {
    let mock = start().await;
    let client = Client::of(&mock);
    let title = |text: &str| json!({"title": text.repeat(300)});
    let mut ids = Vec::new();
    for nth in 0..20 {
        ids.push(client.post("/Users", &user(&format!("user{nth}"), title("a"))).await.id());
    }
    let shows = async |ids: &[String], what: &str| {
        for time in 0..5 {
            let page = client.get("/Users?startIndex=1&count=15").await.json();
            assert_eq!(page["totalResults"], ids.len(), "{what}, {time}");
            for (shown, id) in page["Resources"].as_array().unwrap().iter().zip(&ids[..15]) {
                assert_eq!(*shown, client.get(&format!("/Users/{id}")).await.json(), "{what}, {time}");
            }
        }
    };
    shows(&ids, "at first").await;
    let third = format!("/Users/{}", ids[3]);
    let replace = |text| json!([{"op": "replace", "path": "title", "value": title(text)["title"]}]);
    assert_eq!(client.patch(&third, &replace("b")).await.json()["title"], title("b")["title"]);
    shows(&ids, "patched").await;
    assert_eq!(client.put(&third, &user("user3", title("a"))).await.status, 200);
    shows(&ids, "replaced").await;
    let group = json!({"schemas": [GROUP], "displayName": "Crew", "members": [{"value": ids[7]}]});
    let group = format!("/Groups/{}", client.post("/Groups", &group).await.id());
    shows(&ids, "in a group").await;
    assert_eq!(client.delete(&group).await.status, 204);
    shows(&ids, "in none").await;
    assert_eq!(client.delete(&third).await.status, 204);
    ids.remove(3);
    shows(&ids, "one less").await;
    ids.push(client.post("/Users", &user("user3", title("a"))).await.id());
    shows(&ids, "one more").await;
}

#[tokio::test]
async fn a_query_on_the_root_is_over_all_types() {
    let mock = start().await;
    five(&mock).await;
    let client = Client::of(&mock);
    client.post("/Groups", &json!({"schemas": [GROUP], "displayName": "Crew"})).await;
    let all = client.get("").await.json();
    assert_eq!((&all["totalResults"], names(&all).last().unwrap().as_str()), (&json!(6), "Crew"));
    let found =
        client.query("", &[("filter", "displayName eq \"crew\" or userName eq \"ann\"")]).await.json();
    assert_eq!(names(&found), ["ann", "Crew"]);
    let page = client.query("", &[("startIndex", "5"), ("count", "5")]).await.json();
    assert_eq!(
        (names(&page), &page["startIndex"]),
        (vec!["o\"eve".to_owned(), "Crew".to_owned()], &json!(5))
    );
    let body =
        json!({"schemas": [SEARCH], "filter": "meta.resourceType eq \"Group\"", "sortBy": "displayName"});
    assert_eq!(names(&client.post("/.search", &body).await.json()), ["Crew"]);
    let first = client.query("", &[("cursor", ""), ("count", "4")]).await.json();
    let next =
        client.query("", &[("cursor", first["nextCursor"].as_str().unwrap()), ("count", "4")]).await.json();
    assert_eq!((names(&first).len(), names(&next)), (4, vec!["o\"eve".to_owned(), "Crew".to_owned()]));
    client.query("", &[("filter", "shoe pr")]).await.scim_error(400, Some("invalidFilter"));
    for (path, body) in
        [("/.search", json!({})), ("/Users/.search", json!({"schemas": [SEARCH], "count": "x"}))]
    {
        assert_eq!(client.post(path, &body).await.status, 400, "{path}");
    }
}

/// All pages of a query by cursor; `between` happens after the first.
async fn walk(client: &Client, query: &[(&str, &str)], between: impl AsyncFn()) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let mut query = query.to_vec();
        query.push(("cursor", cursor.as_str()));
        let answer = client.query("/Users", &query).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let page = answer.json();
        assert_eq!(page.get("startIndex"), None, "{page}");
        let first = found.is_empty();
        found.extend(names(&page));
        assert_eq!(page.get("previousCursor").is_some(), !first);
        let Some(next) = page.get("nextCursor") else { return found };
        cursor = next.as_str().unwrap().to_owned();
        if first {
            between().await;
        }
    }
}

#[tokio::test]
async fn a_walk_by_cursor_keeps_its_place() {
    for sorted in [false, true] {
        let mock = start().await;
        let application = mock.default_application();
        let client = Client::of(&mock);
        let ids: Vec<String> =
            (0..9).map(|at| application.seed_user(user(&format!("u{at}"), json!({"title": "t"})))).collect();
        let sort: &[(&str, &str)] =
            if sorted { &[("sortBy", "userName"), ("filter", "title pr")] } else { &[] };
        let query: Vec<(&str, &str)> = sort.iter().copied().chain([("count", "3")]).collect();
        let found = walk(&client, &query, async || {
            // Whoever was shown last, one before, one to come; and newcomers before and behind.
            for at in [2, 0, 5] {
                assert_eq!(client.delete(&format!("/Users/{}", ids[at])).await.status, 204);
            }
            for name in ["a", "z"] {
                assert_eq!(client.post("/Users", &user(name, json!({"title": "t"}))).await.status, 201);
            }
        })
        .await;
        // In order of creation both newcomers are behind; sorted, one is before what was shown.
        let expected: &[&str] = if sorted {
            &["u0", "u1", "u2", "u3", "u4", "u6", "u7", "u8", "z"]
        } else {
            &["u0", "u1", "u2", "u3", "u4", "u6", "u7", "u8", "a", "z"]
        };
        assert_eq!(found, expected, "sorted: {sorted}");
    }
}

#[tokio::test]
async fn cursors_go_back_and_know_their_query() {
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let mock = MockAquera::builder().clock(Arc::clone(&clock) as _).start().await.unwrap();
    let client = Client::of(&mock);
    for at in 0..7 {
        mock.default_application().seed_user(user(&format!("u{at}"), json!({})));
    }
    let pagination = client.get("/ServiceProviderConfig").await.json()["pagination"].clone();
    assert_eq!(
        (&pagination["cursor"], &pagination["index"], &pagination["defaultPaginationMethod"]),
        (&json!(true), &json!(true), &json!("index"))
    );
    let timeout = pagination["cursorTimeout"].as_i64().unwrap();
    assert_eq!(pagination["maxPageSize"], json!(1000));

    for sort in ["userName", ""] {
        let page = async |cursor: &str| {
            client.query("/Users", &[("cursor", cursor), ("count", "3"), ("sortBy", sort)]).await.json()
        };
        let first = page("").await;
        let second = page(first["nextCursor"].as_str().unwrap()).await;
        let third = page(second["nextCursor"].as_str().unwrap()).await;
        assert_eq!((names(&third), third.get("nextCursor")), (vec!["u6".to_owned()], None));
        let back = page(third["previousCursor"].as_str().unwrap()).await;
        assert_eq!(names(&back), names(&second));
        let back = page(back["previousCursor"].as_str().unwrap()).await;
        assert_eq!((names(&back), back.get("previousCursor")), (names(&first), None));
        assert_eq!(back["totalResults"], json!(7));
    }

    let first = client.get("/Users?cursor&count=3").await.json();
    let cursor = first["nextCursor"].as_str().unwrap().to_owned();
    let ask = async |query: &[(&str, &str)]| client.query("/Users", query).await;
    ask(&[("cursor", "made-up")]).await.scim_error(400, Some("invalidCursor"));
    ask(&[("cursor", &cursor), ("filter", "userName pr")]).await.scim_error(400, Some("invalidCursor"));
    ask(&[("cursor", &cursor), ("sortBy", "userName")]).await.scim_error(400, Some("invalidCursor"));
    client.query("/Groups", &[("cursor", cursor.as_str())]).await.scim_error(400, Some("invalidCursor"));
    ask(&[("cursor", ""), ("count", "-1")]).await.scim_error(400, Some("invalidCount"));
    ask(&[("cursor", &cursor), ("startIndex", "3")]).await.scim_error(400, Some("invalidValue"));
    assert_eq!(
        names(&ask(&[("cursor", &cursor), ("count", "5")]).await.json()).len(),
        4,
        "another count is fine"
    );
    let search = json!({"schemas": [SEARCH], "cursor": cursor, "count": 2});
    assert_eq!(names(&client.post("/Users/.search", &search).await.json()), ["u3", "u4"]);
    clock.advance(SignedDuration::from_secs(timeout + 1));
    ask(&[("cursor", &cursor)]).await.scim_error(400, Some("expiredCursor"));

    let mut profile = Profile::builtin("rfc").unwrap();
    profile.list.cursor = CursorRule::None;
    mock.default_application().set_profile(profile);
    assert_eq!(client.get("/ServiceProviderConfig").await.json()["pagination"]["cursor"], json!(false));
}

#[tokio::test]
async fn pages_by_index() {
    let mock = start().await;
    let client = Client::of(&mock);
    for at in 0..1050 {
        mock.default_application().seed_user(user(&format!("u{at:04}"), json!({})));
    }
    for (query, start, shown, first) in [
        ("", 1, 100, "u0000"),
        ("?count=5000", 1, 1000, "u0000"),
        ("?startIndex=1001&count=100", 1001, 50, "u1000"),
        ("?startIndex=0&count=2", 1, 2, "u0000"),
        ("?startIndex=1050&count=2", 1050, 1, "u1049"),
    ] {
        let page = client.get(&format!("/Users{query}")).await.json();
        let numbers = (&page["totalResults"], &page["startIndex"], &page["itemsPerPage"]);
        assert_eq!(numbers, (&json!(1050), &json!(start), &json!(shown)), "{query}");
        assert_eq!((names(&page).len(), names(&page)[0].as_str()), (shown, first), "{query}");
    }
    let none = client.get("/Users?count=0").await.json();
    assert_eq!((&none["totalResults"], &none["Resources"]), (&json!(1050), &json!([])));
    let config = client.get("/ServiceProviderConfig").await.json();
    assert_eq!(
        (&config["filter"]["maxResults"], &config["pagination"]["defaultPageSize"]),
        (&json!(1000), &json!(100))
    );
}

/// Up to some hundreds are walked on the spot, more of them aside: both ways come to the same.
#[tokio::test(flavor = "multi_thread")]
async fn small_and_large_stores_answer_alike() {
    for size in [512, 513, 2000] {
        let mock = start().await;
        let application = mock.default_application();
        for at in 0..size {
            application.seed_user(user(
                &format!("u{:04}", (at * 7) % size),
                json!({"title": if at % 2 == 0 { "Even" } else { "odd" }}),
            ));
        }
        let client = Client::of(&mock);
        let query = [
            ("filter", "title eq \"even\""),
            ("sortBy", "userName"),
            ("sortOrder", "descending"),
            ("count", "3"),
        ];
        let page = client.query("/Users", &query).await.json();
        assert_eq!(page["totalResults"], json!(size / 2 + size % 2), "{size}");
        let mut all: Vec<String> = application
            .users()
            .iter()
            .filter(|user| user["title"] == "Even")
            .map(|user| user["userName"].as_str().unwrap().to_owned())
            .collect();
        all.sort_unstable_by(|one, other| other.cmp(one));
        assert_eq!(names(&page), all[..3], "{size}");
        let last = application.journal().pop().unwrap();
        assert_eq!(last.status, Some(StatusCode::OK));
        assert_eq!(last.downstream.len(), 1);
        let bad = client.query("/Users", &[("filter", "title eq"), ("count", "1")]).await;
        bad.scim_error(400, Some("invalidFilter"));
    }
}

/// A walk over everything holds nobody else up, and what is written meanwhile is written.
#[tokio::test(flavor = "multi_thread")]
async fn a_walk_goes_beside_other_requests() {
    let mock = start().await;
    let application = mock.default_application();
    for at in 0..5000 {
        application.seed_user(user(&format!("u{at}"), json!({"title": "x"})));
    }
    let client = Arc::new(Client::of(&mock));
    let walks: Vec<_> = (0..4)
        .map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move {
                client.query("/Users", &[("filter", "title co \"x\""), ("count", "1")]).await.json()
            })
        })
        .collect();
    for at in 0..50 {
        assert_eq!(client.post("/Users", &user(&format!("new{at}"), json!({}))).await.status, 201);
    }
    for walk in walks {
        assert_eq!(walk.await.unwrap()["totalResults"], json!(5000));
    }
    application.check_consistency().unwrap();
}
