//! URLs say the address that the client used, or the public one.

use mock_aquera::{Application, ApplicationConfig, JournalQuery, MockAquera, Profile};
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::client::{Client, finish, http, start, user, with_body};
use crate::raw::Raw;

const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// The URL of a mock under another name of this machine.
fn by_name(url: &str) -> String {
    url.replace("127.0.0.1", "localhost")
}

/// Checks that each URL in a document begins like this.
#[track_caller]
fn assert_all_at(document: &Value, base: &str, least: usize) {
    fn urls<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| match value.as_str() {
                Some(text) if name == "location" || name == "$ref" => found.push(text),
                _ => urls(value, found),
            }),
            Value::Array(elements) => elements.iter().for_each(|element| urls(element, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    urls(document, &mut found);
    assert!(found.len() >= least, "{document}");
    for url in found {
        assert!(url.starts_with(&format!("{base}/")), "{url} is not at {base}");
    }
}

/// A user in a group.
async fn member(client: &Client) -> (String, String) {
    let ann = client.post("/Users", &user("ann", json!({}))).await.id();
    let group = json!({"schemas": [GROUP], "displayName": "crew", "members": [{"value": ann}]});
    let group = client.post("/Groups", &group).await.id();
    (ann, group)
}

#[tokio::test]
async fn urls_are_at_the_address_that_the_client_used() {
    let mock = start().await;
    let base = by_name(&mock.scim_url());
    let client = Client::at(&base);
    let made = client.post("/Users", &user("bob", json!({}))).await;
    assert_eq!(made.header("location"), made.json()["meta"]["location"].as_str().unwrap());
    assert_eq!(made.header("location"), format!("{base}/Users/{}", made.id()));
    let (ann, crew) = member(&client).await;
    for (path, least) in [
        (format!("/Users/{ann}"), 2),
        (format!("/Groups/{crew}"), 2),
        (format!("/Groups/{crew}?attributes=members"), 1),
        ("/Users".to_owned(), 3),
        ("/Users?sortBy=userName".to_owned(), 3),
        ("/Users?filter=userName%20eq%20%22ann%22".to_owned(), 2),
        ("/".to_owned(), 5),
        ("/ServiceProviderConfig".to_owned(), 1),
        ("/ResourceTypes".to_owned(), 2),
        ("/ResourceTypes/User".to_owned(), 1),
        ("/Schemas".to_owned(), 5),
        (format!("/Schemas/{GROUP}"), 1),
    ] {
        let answer = client.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_all_at(&answer.json(), &base, least);
        // Whoever came by the listening address gets that.
        assert_all_at(&Client::of(&mock).get(&path).await.json(), &mock.scim_url(), least);
    }
    let changed =
        client.patch(&format!("/Users/{ann}"), &json!([{"op": "add", "path": "title", "value": "x"}])).await;
    assert_all_at(&changed.json(), &base, 2);
    assert_all_at(&client.put(&format!("/Users/{ann}"), &user("ann", json!({}))).await.json(), &base, 2);
    let bulk = json!({"schemas": [BULK], "Operations": [
        {"method": "POST", "path": "/Users", "bulkId": "1", "data": user("cy", json!({}))},
        {"method": "PATCH", "path": format!("/Users/{ann}"), "data": {"schemas": [crate::client::PATCH], "Operations": []}},
    ]});
    assert_all_at(&client.post("/Bulk", &bulk).await.json(), &base, 2);
    let search = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]});
    assert_all_at(&client.post("/Users/.search", &search).await.json(), &base, 3);
    mock.default_application().check_consistency().unwrap();
}

#[tokio::test]
async fn entity_tags_do_not_depend_on_the_address() {
    let mock = start().await;
    let (here, there) = (Client::of(&mock), Client::at(by_name(&mock.scim_url())));
    let (ann, crew) = member(&there).await;
    for path in [format!("/Users/{ann}"), format!("/Groups/{crew}")] {
        let (one, other) = (here.get(&path).await, there.get(&path).await);
        assert_eq!(one.header("etag"), other.header("etag"));
        assert_eq!(one.json()["meta"]["version"], other.json()["meta"]["version"]);
        let known = there.request(Method::GET, &path).header("if-none-match", one.header("etag"));
        assert_eq!(finish(known).await.status, 304);
    }
}

#[tokio::test]
async fn filters_compare_with_the_urls_that_are_shown() {
    let mock = start().await;
    let (here, there) = (Client::of(&mock), Client::at(by_name(&mock.scim_url())));
    let (ann, crew) = member(&there).await;
    let found = async |client: &Client, path: &str, filter: String| {
        client.query(path, &[("filter", &filter)]).await.json()["totalResults"].clone()
    };
    for (client, other) in [(&here, &there), (&there, &here)] {
        let at = |client: &Client, path: &str| {
            let base = if std::ptr::eq(client, &raw const here) {
                mock.scim_url()
            } else {
                by_name(&mock.scim_url())
            };
            format!("\"{base}{path}\"")
        };
        let (user, group) = (format!("/Users/{ann}"), format!("/Groups/{crew}"));
        for (path, attribute, url) in [
            ("/Users", "meta.location", &user),
            ("/Groups", "meta.location", &group),
            ("/Groups", "members.$ref", &user),
            ("/Users", "groups.$ref", &group),
        ] {
            for operator in ["eq", "sw"] {
                let shown = found(client, path, format!("{attribute} {operator} {}", at(client, url))).await;
                let hidden = found(client, path, format!("{attribute} {operator} {}", at(other, url))).await;
                assert_eq!((shown, hidden), (json!(1), json!(0)), "{path} {attribute} {operator}");
            }
        }
    }
    let shown = by_name(&format!("{}/Users/{ann}", mock.scim_url()));
    let removed = json!([{"op": "remove", "path": format!("members[$ref eq \"{shown}\"]")}]);
    assert_eq!(there.patch(&format!("/Groups/{crew}"), &removed).await.status, 200);
    assert_eq!(there.get(&format!("/Groups/{crew}")).await.json().get("members"), None);
}

#[tokio::test]
async fn what_a_client_wrote_itself_is_kept() {
    let mock = start().await;
    let client = Client::at(by_name(&mock.scim_url()));
    let own = format!("{}/Users/1", mock.scim_url());
    let text = format!("\"location\":\"{own}");
    let sent = json!({"profileUrl": own, "title": own, "nickName": text, "displayName": mock.scim_url()});
    let made = client.post("/Users", &user("ann", sent.clone())).await;
    for answer in [made.json(), client.get(&format!("/Users/{}", made.id())).await.json()] {
        for (name, value) in sent.as_object().unwrap() {
            assert_eq!(answer[name], *value);
        }
    }
}

#[tokio::test]
async fn administration_and_the_journal_agree() {
    let mock =
        MockAquera::builder().auth("oauth:c:s".parse().unwrap()).auth("bearer:mock-token".parse().unwrap());
    let mock = mock.start().await.unwrap();
    mock.create_application("hr", ApplicationConfig::default()).unwrap();
    let base = by_name(&mock.scim_url());
    let client = Client::at(&base);
    let (ann, crew) = member(&client).await;
    let admin = Admin::at(by_name(&mock.admin_url()));
    let origin = base.trim_end_matches("/scim");
    let about = admin.read("/applications/default").await;
    assert_eq!(about["scimUrl"], json!(base));
    assert_eq!(about["tokenUrl"], json!(format!("{origin}/oauth/token")));
    assert_eq!(admin.read("/applications/hr").await["scimUrl"], json!(format!("{origin}/apps/hr/scim")));
    let made = admin.put("/applications/it", json!({})).await.json();
    assert_eq!(made["scimUrl"], json!(format!("{origin}/apps/it/scim")));
    for (path, least) in [
        ("/applications/default/users".to_owned(), 2),
        ("/applications/default/groups".to_owned(), 2),
        ("/applications/default/resources/Group".to_owned(), 2),
        (format!("/applications/default/resources/User/{ann}"), 2),
        (format!("/applications/default/resources/Group/{crew}"), 2),
        ("/applications/default/dump".to_owned(), 4),
    ] {
        assert_all_at(&admin.read(&path).await, &base, least);
        assert_all_at(&Admin::of(&mock).read(&path).await, &mock.scim_url(), least);
    }

    // What was answered is what is remembered, whoever asks.
    client.get(&format!("/Users/{ann}")).await;
    Client::of(&mock).get(&format!("/Users/{ann}")).await;
    let exchanges = mock.default_application().query_journal(&JournalQuery::new().method("GET"));
    assert_all_at(exchanges[0].response_body.as_ref().unwrap(), &base, 2);
    assert_all_at(exchanges[1].response_body.as_ref().unwrap(), &mock.scim_url(), 2);
    let har = admin.read("/applications/default/journal/har?method=GET").await;
    let urls: Vec<&Value> =
        har["log"]["entries"].as_array().unwrap().iter().map(|entry| &entry["request"]["url"]).collect();
    assert_eq!(
        urls,
        [&json!(format!("{base}/Users/{ann}")), &json!(format!("{}/Users/{ann}", mock.scim_url()))]
    );

    // A dump that was taken under one address is loaded under another.
    let dump = admin.get("/applications/default/dump?format=ndjson").await.text;
    let loaded = Admin::of(&mock).load("/applications/hr/load", dump).await;
    assert_eq!((loaded.status, loaded.json()["loaded"].clone()), (201, json!(2)), "{loaded:?}");
}

#[tokio::test]
async fn administration_on_another_port_names_the_scim_port() {
    let mock = MockAquera::builder().admin_listen(([127, 0, 0, 1], 0).into()).start().await.unwrap();
    let seen = Admin::at(by_name(&mock.admin_url())).read("/applications/default").await;
    assert_eq!(seen["scimUrl"], json!(by_name(&mock.scim_url())));
}

#[tokio::test]
async fn the_public_url_is_said_to_everybody() {
    let public = "https://scim.example.com/mock";
    let mock = MockAquera::builder().public_url(public.parse().unwrap()).start().await.unwrap();
    assert_eq!(mock.scim_url(), format!("{public}/scim"));
    assert_eq!(mock.token_url(), format!("{public}/oauth/token"));
    assert_eq!(mock.admin_url(), format!("{public}/_mock"));
    for base in [format!("http://{}", mock.addr()), format!("http://localhost:{}", mock.addr().port())] {
        let client = Client::at(format!("{base}/scim"));
        let made = client.post("/Users", &user(&base, json!({}))).await;
        assert_eq!(made.header("location"), format!("{public}/scim/Users/{}", made.id()));
        assert_all_at(&client.get("/ResourceTypes").await.json(), &format!("{public}/scim"), 2);
        let about = Admin::at(format!("{base}/_mock")).read("/applications/default").await;
        assert_eq!(about["scimUrl"], json!(format!("{public}/scim")));
    }
}

#[tokio::test]
async fn forwarding_headers_count_only_if_trusted() {
    let forwarded = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "scim.example.com"),
        ("x-forwarded-prefix", "/mock"),
    ];
    let made = async |mock: &MockAquera, headers: &[(&str, &str)]| {
        let request = http().post(format!("{}/Users", mock.scim_url())).bearer_auth("mock-token");
        let name = mock.default_application().user_count().to_string();
        let request = with_body(request, &user(&name, json!({})));
        finish(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    };
    let plain = start().await;
    assert!(made(&plain, &forwarded).await.header("location").starts_with(&plain.scim_url()));
    let trusting = MockAquera::builder().trust_forwarded().start().await.unwrap();
    let answer = made(&trusting, &forwarded).await;
    assert!(answer.header("location").starts_with("https://scim.example.com/mock/scim/Users/"), "{answer:?}");
    assert_all_at(&answer.json(), "https://scim.example.com/mock/scim", 1);
    let answer = made(&trusting, &[("forwarded", "host=a.example.com;proto=https")]).await;
    assert!(answer.header("location").starts_with("https://a.example.com/scim/Users/"), "{answer:?}");
    let detail = made(&trusting, &[("x-forwarded-host", "a\"b")]).await.scim_error(400, None);
    assert!(detail.contains("x-forwarded-host"), "{detail}");
    let har = Admin::of(&trusting).read("/applications/default/journal/har").await;
    assert_eq!(har["log"]["entries"][0]["request"]["url"], json!("https://scim.example.com/mock/scim/Users"));
}

/// The places that the index, its page and the OpenAPI document of administration name.
async fn admin_places(mock: &MockAquera, headers: &[(&str, &str)]) -> (Value, String, Value) {
    let origin = mock.admin_url().split("/_mock").next().unwrap().to_owned();
    // The public URL leads here by way of a proxy.
    let origin = if origin.contains(".example.com") { format!("http://{}", mock.addr()) } else { origin };
    let get = async |path: &str, accept: &str| {
        let request = http().get(format!("{origin}{path}")).header("accept", accept);
        finish(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    };
    let index = get("/_mock", "application/json").await.json();
    let page = get("/_mock/", "text/html").await.text;
    let described = get("/_mock/openapi.json", "application/json").await.json();
    let paths = index["routes"].as_array().unwrap().iter().map(|route| route["path"].as_str().unwrap());
    let base = index["openapi"].as_str().unwrap().strip_suffix("/openapi.json").unwrap().to_owned();
    assert!(paths.clone().count() > 30 && paths.clone().all(|path| path.starts_with(&base)), "{index}");
    assert!(page.contains(&format!("<a href=\"{base}/health\">")), "{page}");
    (index["openapi"].clone(), page, described["servers"].clone())
}

#[tokio::test]
async fn administration_names_paths_with_the_prefix_of_its_proxy() {
    #[track_caller]
    fn check((openapi, page, servers): &(Value, String, Value), base: &str) {
        assert_eq!((openapi, servers), (&json!(format!("{base}/openapi.json")), &json!([{"url": base}])));
        assert_eq!(page.matches("href=\"/_mock").count() > 0, base == "/_mock", "{page}");
    }
    let prefixed = [("x-forwarded-host", "h.example.com"), ("x-forwarded-prefix", "/mock")];
    let plain = start().await;
    check(&admin_places(&plain, &[]).await, "/_mock");
    check(&admin_places(&plain, &prefixed).await, "/_mock");
    let trusting = MockAquera::builder().trust_forwarded().start().await.unwrap();
    check(&admin_places(&trusting, &[]).await, "/_mock");
    check(&admin_places(&trusting, &prefixed).await, "/mock/_mock");
    let public = MockAquera::builder().public_url("https://scim.example.com/a/b".parse().unwrap());
    check(&admin_places(&public.start().await.unwrap(), &[]).await, "/a/b/_mock");
    let own_port = ([127, 0, 0, 1], 0).into();
    let beside = MockAquera::builder().admin_listen(own_port).trust_forwarded().start().await.unwrap();
    check(&admin_places(&beside, &[]).await, "/_mock");
    check(&admin_places(&beside, &prefixed).await, "/mock/_mock");
    let public = MockAquera::builder()
        .admin_listen(own_port)
        .public_url("https://scim.example.com/a/b".parse().unwrap());
    check(&admin_places(&public.start().await.unwrap(), &[]).await, "/_mock");
}

#[tokio::test]
async fn profiles_without_an_origin_in_urls_have_none_whatever_the_address() {
    let profile =
        "name = \"x\"\nsummary = \"x\"\n[replies]\nlocation = \"relative\"\nmeta-location = \"relative\"\n";
    let profile = Profile::from_toml(profile).unwrap();
    let mock = MockAquera::builder().profile(profile).start().await.unwrap();
    let made = Client::at(by_name(&mock.scim_url())).post("/Users", &user("ann", json!({}))).await;
    assert_eq!(made.header("location"), format!("/scim/Users/{}", made.id()));
    assert_eq!(made.json()["meta"]["location"], json!(made.header("location")));
}

/// Sends a request with these header lines.
async fn answer_to(mock: &MockAquera, lines: &str) -> (u16, Value) {
    let mut raw = Raw::connect(mock.addr()).await;
    raw.send(format!("GET /scim/Users HTTP/1.1\r\n{lines}authorization: Bearer mock-token\r\n\r\n")).await;
    let reply = raw.read().await.reply();
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

#[tokio::test]
async fn a_hostile_host_is_refused() {
    let mock = start().await;
    let application: Application = mock.default_application();
    application.seed_user(json!({"userName": "ann"}));
    for lines in ["host: a\"><script>\r\n", "host: a b\r\n", "", "host: a\r\nhost: b\r\n"] {
        let (status, body) = answer_to(&mock, lines).await;
        assert_eq!((status, &body["status"]), (400, &json!("400")), "{lines} {body}");
    }
    let (status, body) = answer_to(&mock, "host: scim.example.com\r\n").await;
    assert_eq!(status, 200);
    assert_all_at(&body, "http://scim.example.com/scim", 1);
    // The host of an absolute target goes before that of the header (RFC 9112 §3.2.2).
    let mut raw = Raw::connect(mock.addr()).await;
    raw.send(
        "GET http://other.example/scim/Users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer mock-token\r\n\r\n",
    )
    .await;
    let body: Value = serde_json::from_slice(&raw.read().await.reply().body).unwrap();
    assert_all_at(&body, "http://other.example/scim", 1);
}
