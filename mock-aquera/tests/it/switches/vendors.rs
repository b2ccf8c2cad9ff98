//! What each built-in profile is known for, seen on the wire: a row of the table of vendors for each.

use std::sync::Arc;

use jiff::SignedDuration;
use mock_aquera::Profile;
use reqwest::Method;
use serde_json::{Value, json};

use super::{GROUP, World, trying};
use crate::client::{PATCH, finish, user, with_body};

#[tokio::test]
async fn every_profile_is_seen() {
    for profile in Profile::builtins() {
        trying("profile", "name", &profile.name);
        let w = World::under(profile.clone()).await;
        match profile.name.as_str() {
            "rfc" | "aquera" => assert_eq!(profile.differences(), []),
            // `profiles.rs` has these, each with every write.
            "no-partial-update" | "patch-405" | "patch-501" | "patch-400" | "patch-ignored-200"
            | "patch-ignored-204" | "patch-lies-200" | "patch-then-404" | "no-put" | "no-delete"
            | "delete-deactivates" | "disable-deletes" => {}
            "strict" => strict(&w).await,
            "no-title"
            | "no-title-echoed"
            | "no-external-id"
            | "external-id-read-only"
            | "drops-email-type"
            | "family-name-ignored"
            | "swallows-dotted-paths"
            | "put-clears-active"
            | "schemas-optional" => {
                super::stored::profile(&w, &profile.name).await;
            }
            "aws-identity-center" => aws(&w).await,
            "google-cloud-identity" => google(&w).await,
            "snowflake" => snowflake(w).await,
            "snowflake-2025" => snowflake_2025(&w).await,
            "slack" => slack(&w).await,
            "salesforce" => salesforce(&w).await,
            "github-emu" => github_emu(&w).await,
            "github-organization" => {
                w.set(&w.ida, "emails[type eq \"work\"].value", json!("x@y"))
                    .await
                    .scim_error(400, Some("invalidPath"));
                disabling_removes(&w).await;
            }
            "pagerduty" => disabling_removes(&w).await,
            "atlassian" => atlassian(&w).await,
            "databricks" => databricks(&w).await,
            "miro" => miro(&w).await,
            "hcp-terraform" => hcp_terraform(&w).await,
            "canva" => canva(&w).await,
            "authentik" | "sailpoint-iiq" => {
                w.set(&w.ida, "active", json!(false)).await.scim_error(405, None);
                let put = w.client.put(&w.ida, &user("Ida", json!({"active": false}))).await;
                assert_eq!((put.status, &put.json()["active"]), (200, &json!(false)));
                assert_eq!(claims_patch(&w).await, json!(false));
            }
            "fusionauth-2784" => fusionauth_2784(&w).await,
            "fusionauth-3311" => {
                w.set(&w.bob, "active", json!(true)).await.scim_error(400, Some("invalidValue"));
                assert_eq!(w.set(&w.ida, "active", json!(false)).await.status, 200);
                w.set(&w.ida, "active", json!(true)).await.scim_error(400, Some("invalidValue"));
            }
            "wso2-5079" => {
                let ask = [("filter", "displayName eq \"old\""), ("startIndex", "2")];
                w.client.query("/Groups", &ask).await.scim_error(501, None);
                assert_eq!(w.client.query("/Groups", &ask[..1]).await.json()["totalResults"], json!(1));
            }
            "unitycatalog-423" | "cogtrix-122" => {
                let patched = w.set(&w.ida, "active", json!(false)).await;
                assert_eq!((patched.status, &w.stored(&w.ida).unwrap()["active"]), (200, &json!(true)));
                assert_eq!(claims_patch(&w).await, json!(true));
                let put = w.client.put(&w.ida, &user("Ida", json!({"active": false}))).await;
                assert_eq!((put.status, &w.stored(&w.ida).unwrap()["active"]), (200, &json!(false)));
            }
            "langfuse-13245" => {
                w.set(&w.ida, "active", json!(false)).await.scim_error(404, None);
                assert_eq!(w.client.get(&w.ida).await.json()["active"], json!(false));
            }
            "thunderid-5110" => {
                w.set(&w.ida, "title", json!("new")).await.scim_error(501, None);
                assert_eq!(w.set(&w.team, "displayName", json!("new")).await.status, 200);
                assert_eq!(claims_patch(&w).await, json!(true));
            }
            "vouch-1415" | "gestalt-3132" => {
                let put = w.client.put(&w.bob, &user("bob", json!({}))).await;
                assert_eq!((put.status, &put.json()["active"]), (200, &json!(profile.name == "vouch-1415")));
            }
            other => panic!("no test sees the profile {other} on the wire"),
        }
    }
}

async fn claims_patch(w: &World) -> Value {
    w.client.get("/ServiceProviderConfig").await.json()["patch"]["supported"].clone()
}

async fn disabling_removes(w: &World) {
    assert_eq!(w.set(&w.ida, "active", json!(false)).await.status, 200);
    w.client.get(&w.ida).await.scim_error(404, None);
    assert_eq!(w.create("ida").await.status, 201);
}

async fn strict(w: &World) {
    let send = |body: Value| finish(with_body(w.client.request(Method::PATCH, &w.ida), &body));
    let ops = |operation: Value| json!({"schemas": [PATCH], "Operations": [operation]});
    for body in [
        ops(json!({"op": "Replace", "path": "title", "value": "new"})),
        ops(json!({"op": "replace", "path": "active", "value": "False"})),
        ops(json!({"op": "replace", "value": {"name.givenName": "I"}})),
        ops(json!({"op": "remove", "path": "emails", "value": [{"value": "ida@home"}]})),
        json!({"schemas": [PATCH], "Operations": {"op": "replace", "path": "title", "value": "new"}}),
        json!({"op": "replace", "path": "title", "value": "new"}),
    ] {
        assert_eq!(send(body.clone()).await.status, 400, "{body}");
    }
    for more in [
        json!({"shoe": 43}),
        json!({"emails": [{"value": "a@b", "type": "odd"}]}),
        json!({"active": "False"}),
    ] {
        assert_eq!(w.client.post("/Users", &user("eve", more.clone())).await.status, 400, "{more}");
    }
    for filter in ["emails[type eq \"work\"].value eq \"x\"", "userName eq\"x\"", "title pr and(userName pr)"]
    {
        w.client.query("/Users", &[("filter", filter)]).await.scim_error(400, Some("invalidFilter"));
    }
    for filter in ["emails[type eq \"work\" and value eq \"x\"]", "userName EQ \"x\" and not (title pr)"] {
        assert_eq!(w.client.query("/Users", &[("filter", filter)]).await.status, 200, "{filter}");
    }
    assert_eq!(w.set(&w.ida, "title", json!("new")).await.status, 200);
    // RFC 7644 §3.5.2.1: the target of an add without a path is the resource itself.
    let pathless = send(ops(json!({"op": "add", "value": {"title": "newer"}}))).await;
    assert_eq!(pathless.status, 200, "{pathless:?}");
}

async fn aws(w: &World) {
    let filter = async |text| w.client.query("/Users", &[("filter", text)]).await;
    assert_eq!(filter("userName eq \"ida\"").await.json()["totalResults"], json!(1));
    let refused = filter("userName sw \"i\"").await;
    let body = refused.json();
    assert_eq!(
        (refused.status, &body["scimType"], &body["schemas"]),
        (400, &json!("invalidFilter"), &Value::Null)
    );
    assert!(body["schema"].is_array() && body["exceptionRequestId"].is_string(), "{body}");
    assert_eq!(w.client.get("/Me").await.status, 404);
    for path in ["/Bulk", "/.search", "/Users/.search"] {
        assert_eq!(w.client.post(path, &json!({})).await.status, 404, "{path}");
    }
    for (name, one, other) in [
        ("emails", json!({"value": "a@b", "type": "work"}), json!({"value": "c@d"})),
        ("phoneNumbers", json!({"value": "1"}), json!({"value": "2"})),
        ("addresses", json!({"locality": "a"}), json!({"locality": "b"})),
    ] {
        assert_eq!(
            w.client.post("/Users", &user("eve", json!({name: [one, other]}))).await.status,
            400,
            "{name}"
        );
        let user = w.client.post("/Users", &user("eve", json!({name: [one]}))).await;
        assert_eq!((user.status, user.header("content-type")), (201, "application/json"));
        w.client.delete(&format!("/Users/{}", user.id())).await;
    }
    let members: Vec<Value> =
        (0..101).map(|n| json!({"value": w.app.seed_user(json!({"userName": format!("u{n}")}))})).collect();
    let add = |members: &[Value]| json!([{"op": "add", "path": "members", "value": members}]);
    assert_eq!(w.client.patch(&w.team, &add(&members)).await.status, 400);
    assert_eq!(w.client.patch(&w.team, &add(&members[..100])).await.status, 200);
    assert_eq!(w.client.get(&w.team).await.json()["members"], json!([]));
    assert_eq!(w.client.get("/Groups").await.json()["Resources"][0]["members"], json!([]));
    assert_eq!(w.stored(&w.team).unwrap()["members"].as_array().unwrap().len(), 102);
    assert_eq!(w.set(&w.team, "members", json!([members[0]])).await.status, 400);
    assert_eq!(w.client.patch(&w.team, &json!([{"op": "remove", "path": "members"}])).await.status, 400);
    assert_eq!(w.client.put(&w.team, &json!({"schemas": [GROUP], "displayName": "g"})).await.status, 400);
}

async fn google(w: &World) {
    let put = w.client.put(&w.ida, &user("Ida", json!({"title": "new"}))).await;
    assert_eq!((put.status, put.header("content-type")), (404, "text/html; charset=utf-8"));
    assert_eq!(w.client.get(&w.ida).await.json()["title"], json!("old"));
    let bulk = w.client.get("/ServiceProviderConfig").await.json()["bulk"].clone();
    assert_eq!((bulk.get("maxOperations"), &bulk["supported"]), (None, &json!(true)));
}

async fn snowflake(w: World) {
    for (filter, status) in [
        ("userName eq \"ida\"", 200),
        ("userName sw \"i\"", 200),
        ("userName co \"i\"", 400),
        ("userName eq \"ida\" and active eq true", 400),
    ] {
        let answer = w.client.query("/Users", &[("filter", filter)]).await;
        assert_eq!(answer.status, status, "{filter}");
        if status == 400 {
            answer.scim_error(400, Some("invalidFilter"));
        }
    }
    // Five hundred connections would be more than some systems give to a process: five stand for them.
    let mut profile = w.app.profile();
    assert_eq!(profile.rate_limits[0].max_concurrent.unwrap().get(), 500);
    profile.rate_limits[0].max_concurrent = std::num::NonZeroU32::new(5);
    w.app.set_profile(profile);
    let fault: mock_aquera::Fault = "latency=1h method=DELETE".parse().unwrap();
    w.app.add_fault(fault.always());
    let w = Arc::new(w);
    let slow: Vec<_> = (0..5)
        .map(|_| {
            let w = Arc::clone(&w);
            tokio::spawn(async move { finish(w.client.request(Method::DELETE, &w.ida)).await })
        })
        .collect();
    let mut refused = w.client.get(&w.ida).await;
    for _ in 0..3000 {
        if refused.status == 429 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        refused = w.client.get(&w.ida).await;
    }
    refused.scim_error(429, None);
    assert_eq!(w.client.get("/Users").await.status, 200, "another endpoint");
    slow.iter().for_each(tokio::task::JoinHandle::abort);
}

async fn snowflake_2025(w: &World) {
    let list = w.client.get("/Users").await.json();
    assert_eq!(list["totalResults"], json!(1));
    let shown = list["Resources"][0]["id"].as_str().unwrap();
    assert!(shown != w.ida_id && shown != w.bob_id);
    for bad in ["userName co \"i\"", "userName eq", "shoe eq \"43\""] {
        let answer = w.client.query("/Users", &[("filter", bad)]).await;
        assert_eq!((answer.status, &answer.json()["totalResults"]), (200, &json!(0)), "{bad}");
    }
    let found = w.client.query("/Users", &[("filter", "userName eq \"ida\"")]).await.json();
    assert_eq!(found["Resources"][0]["id"], json!(w.ida_id));
}

async fn slack(w: &World) {
    w.app.clock().freeze();
    assert_eq!(w.client.delete(&w.ida).await.status, 204);
    assert_eq!(w.client.get(&w.ida).await.json()["active"], json!(false));
    // One of twenty is spent.
    for n in 0..19 {
        assert_eq!(w.create(&format!("u{n}")).await.status, 201);
    }
    let limited = w.create("late").await;
    limited.scim_error(429, None);
    assert_eq!(limited.header("retry-after"), "1");
    assert_eq!(w.client.get(&w.ida).await.status, 200, "reads don't count");
    assert_eq!(w.set(&w.team, "displayName", json!("new")).await.status, 200, "nor do groups");
    w.app.clock().advance(SignedDuration::from_secs(1));
    // 180 a minute are three a second.
    for n in 0..3 {
        assert_eq!(w.create(&format!("v{n}")).await.status, 201);
    }
    assert_eq!(w.create("late").await.status, 429);
}

async fn salesforce(w: &World) {
    assert_eq!(w.client.delete(&w.ida).await.status, 204);
    assert_eq!(w.client.get(&w.ida).await.json()["active"], json!(false));
    assert_eq!(w.client.get("/Users?startIndex=2200").await.status, 200);
    let past = w.client.get("/Users?startIndex=2201").await;
    assert_eq!((past.status, past.header("content-type")), (400, "application/json"));
    assert_eq!(past.json()["Errors"][0]["code"], json!("400"));
}

async fn github_emu(w: &World) {
    w.client.get("/Users").await.scim_error(403, None);
    let agent = |request: reqwest::RequestBuilder| finish(request.header("user-agent", "tests/1"));
    let get = |path: &str| agent(w.client.request(Method::GET, path));
    assert_eq!(get("/Users").await.status, 200);
    get("/users").await.scim_error(404, None);
    let disabled =
        with_body(w.client.request(Method::POST, "/Users"), &user("eve", json!({"active": false})));
    agent(disabled).await.scim_error(400, Some("invalidValue"));
    assert_eq!(agent(w.client.request(Method::DELETE, &w.ida)).await.status, 204);
    get(&w.ida).await.scim_error(404, None);
}

async fn atlassian(w: &World) {
    for (filter, status) in [
        ("externalId eq \"E-1\"", 200),
        ("userName eq \"ida\"", 200),
        ("title eq \"old\"", 400),
        ("userName sw \"i\"", 400),
        ("userName eq \"ida\" or userName eq \"bob\"", 400),
    ] {
        assert_eq!(w.client.query("/Users", &[("filter", filter)]).await.status, status, "{filter}");
    }
    let eve = w.create("eve").await.id();
    let sorted = w.client.get("/Users?sortBy=userName&sortOrder=descending").await.json();
    let names: Vec<&Value> =
        sorted["Resources"].as_array().unwrap().iter().map(|user| &user["userName"]).collect();
    assert_eq!(names, [&json!("Ida"), &json!("eve")], "in order of creation, without Bob");
    assert_eq!(w.client.delete(&w.ida).await.status, 204);
    w.client.get(&w.ida).await.scim_error(404, None);
    assert_eq!(w.stored(&w.ida).unwrap()["active"], json!(false));
    let path = format!("/Users/{eve}");
    assert_eq!(w.set(&path, "active", json!(false)).await.status, 200);
    w.client.get(&path).await.scim_error(404, None);
    assert_eq!(w.client.get("/Users").await.json()["totalResults"], json!(0));
}

async fn databricks(w: &World) {
    let of = |count: usize| vec!["userName eq \"ida\""; count].join(" or ");
    let search = |filter: String| {
        let body =
            json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter});
        async move { w.client.post("/Users/.search", &body).await }
    };
    assert_eq!(search(of(200)).await.json()["totalResults"], json!(1));
    search(of(201)).await.scim_error(400, Some("invalidFilter"));
}

async fn miro(w: &World) {
    w.app.clock().freeze();
    let members: Vec<Value> =
        (0..8001).map(|n| json!({"value": w.app.seed_user(json!({"userName": format!("u{n}")}))})).collect();
    let set = |members: &[Value]| json!([{"op": "replace", "path": "members", "value": members}]);
    assert_eq!(w.client.patch(&w.team, &set(&members[..8000])).await.status, 200);
    assert!(w.client.patch(&w.team, &set(&members)).await.scim_error(413, None).contains("8000"));
    let large = user("eve", json!({"title": "x".repeat(800_000)}));
    assert!(w.client.post("/Users", &large).await.scim_error(413, None).contains("800000"));
    for _ in 0..20 {
        assert_eq!(w.client.delete("/Users/nobody").await.status, 404);
    }
    let limited = w.client.delete("/Users/nobody").await;
    limited.scim_error(429, None);
    w.app.clock().advance(SignedDuration::from_secs(30));
    assert_eq!(w.client.delete(&w.ida).await.status, 204);
}

async fn hcp_terraform(w: &World) {
    for n in 0..250 {
        w.app.seed_user(json!({"userName": format!("u{n}")}));
    }
    let page = w.client.get("/Users?count=1000").await.json();
    assert_eq!((&page["itemsPerPage"], &page["totalResults"]), (&json!(200), &json!(252)));
    let none = w.client.get("/Users?count=0").await.json();
    assert_eq!(
        (&none["itemsPerPage"], &none["totalResults"], &none["Resources"]),
        (&json!(0), &json!(252), &json!([]))
    );
    assert_eq!(w.client.query("/Users", &[("filter", "userName eq \"ida\"")]).await.status, 200);
    let and = [("filter", "userName eq \"ida\" and active eq true")];
    w.client.query("/Users", &and).await.scim_error(400, Some("invalidFilter"));
    // While SCIM is off, as the profile says.
    w.app.add_fault("status=403 times=always".parse().unwrap());
    for path in ["/Users", "/Groups", "/ServiceProviderConfig"] {
        w.client.get(path).await.scim_error(403, None);
    }
}

async fn canva(w: &World) {
    let refused = w.client.delete(&w.ida).await;
    refused.scim_error(405, None);
    assert_eq!(refused.header("allow"), "GET, PUT, PATCH");
    assert_eq!(w.set(&w.ida, "active", json!(false)).await.json()["active"], json!(false));
    for (filter, count) in [("userName eq \"Ida\"", 1), ("userName eq \"ida\"", 0)] {
        let found = w.client.query("/Users", &[("filter", filter)]).await.json();
        assert_eq!(found["totalResults"], json!(count), "{filter}");
    }
}

async fn fusionauth_2784(w: &World) {
    let members: Vec<Value> =
        (0..100).map(|n| json!({"value": w.app.seed_user(json!({"userName": format!("u{n}")}))})).collect();
    let add = json!([{"op": "add", "path": "members", "value": members}]);
    assert_eq!(w.client.patch(&w.team, &add).await.json()["members"].as_array().unwrap().len(), 100);
    assert_eq!(w.stored(&w.team).unwrap()["members"].as_array().unwrap().len(), 102);
    assert_eq!(w.client.get(&w.team).await.json()["members"].as_array().unwrap().len(), 100);
    assert_eq!(w.set(&w.team, "displayName", json!("new")).await.status, 200);
    assert_eq!(w.stored(&w.team).unwrap()["members"].as_array().unwrap().len(), 100);
}
