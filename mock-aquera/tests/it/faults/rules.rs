//! Which requests a fault strikes, over HTTP: every key, every trigger, in the grammar that administration takes.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use mock_aquera::{Application, Fault, MockAquera};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Client, finish, http, start, user, with_body};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

async fn administer(mock: &MockAquera, method: Method, path: &str, body: Option<Value>) -> Answer {
    let request = http().request(method, format!("{}/applications/default{path}", mock.admin_url()));
    finish(match body {
        Some(body) => with_body(request, &body),
        None => request,
    })
    .await
}

async fn add(mock: &MockAquera, rule: &str) -> Answer {
    administer(mock, Method::POST, "/faults", Some(json!({ "rule": rule }))).await
}

/// A rule that is added over HTTP strikes these requests and leaves those alone.
#[tokio::test]
async fn every_key_tells_requests_apart() {
    let mock = start().await;
    let application = mock.default_application();
    let client = Client::of(&mock);
    let ana = application.seed_user(user("Ana@example.com", json!({"id": "ana"})));
    application.seed_user(user("bo", json!({"id": "bo"})));
    application.seed("Group", json!({"schemas": [GROUP], "id": "g", "displayName": "All"}));
    let patch = |path: &str, value: Value| json!([{"op": "replace", "path": path, "value": value}]);
    let work = "emails[type eq \"work\"].value";

    let cases: [(&str, &str, &[&str]); 13] = [
        ("method=POST", "post-cy", &["get-ana", "put-ana", "get-group"]),
        ("method=PUT,PATCH", "put-ana", &["get-ana", "post-cy"]),
        ("path=/Users/*", "get-ana", &["list", "get-group"]),
        ("path=/Users", "list", &["get-ana", "get-group"]),
        ("path=/**", "get-group", &[]),
        ("type=Group", "get-group", &["get-ana", "list"]),
        ("type=user", "list", &["get-group"]),
        ("id=ana", "get-ana", &["get-bo", "list", "get-group"]),
        ("user-name=ana@EXAMPLE.com", "put-ana", &["get-bo", "post-cy", "list"]),
        ("user-name=CY", "post-cy", &["get-ana"]),
        ("patch-path=active", "patch-active", &["patch-title", "patch-work", "put-ana"]),
        (r#"patch-path="emails[type eq \"work\"].value""#, "patch-work", &["patch-active", "patch-title"]),
        (
            "method=PATCH type=User id=ana user-name=ana@example.com patch-path=title",
            "patch-title",
            &["patch-active"],
        ),
    ];
    let send = async |what: &str| {
        match what {
            "list" => client.get("/Users").await,
            "get-ana" => client.get(&format!("/Users/{ana}")).await,
            "get-bo" => client.get("/Users/bo").await,
            "get-group" => client.get("/Groups/g").await,
            "put-ana" => client.put("/Users/ana", &user("Ana@example.com", json!({}))).await,
            "post-cy" => client.post("/Users", &user("cy", json!({}))).await,
            "patch-active" => client.patch("/Users/ana", &patch("Active", json!(false))).await,
            "patch-title" => client.patch("/Users/ana", &patch("title", json!("x"))).await,
            "patch-work" => client.patch("/Users/ana", &patch(work, json!("a@b.example"))).await,
            other => panic!("{other}"),
        }
        .status
    };
    for (keys, struck, spared) in cases {
        assert_eq!(add(&mock, &format!("status=418 {keys} times=always")).await.status, 201, "{keys}");
        for what in spared {
            assert_ne!(send(what).await, 418, "{keys} leaves {what} alone");
        }
        assert_eq!(send(struck).await, 418, "{keys} strikes {struck}");
        assert_eq!(application.fault_states()[0].struck, 1, "{keys}");
        assert_eq!(administer(&mock, Method::DELETE, "/faults", None).await.status, 204);
    }
}

/// Which of the next requests are struck.
async fn struck(client: &Client, count: usize) -> Vec<usize> {
    let mut struck = Vec::new();
    for nth in 1..=count {
        match client.get("/Users").await.status {
            503 => struck.push(nth),
            200 => {}
            other => panic!("{other}"),
        }
    }
    struck
}

#[tokio::test]
async fn every_trigger_strikes_as_it_says() {
    let mock = start().await;
    let client = Client::of(&mock);
    for (trigger, expected) in [
        ("", &[1][..]),
        ("times=3", &[1, 2, 3]),
        ("times=always", &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("every=3", &[3, 6, 9]),
        ("every=3 times=2", &[3, 6]),
        ("after=6", &[7, 8, 9]),
        ("after=6 times=1", &[7]),
        ("after=2 every=3", &[5, 8]),
        ("nth=4", &[4]),
        ("nth=4 method=POST", &[]),
        ("probability=1", &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("probability=1 times=2 after=1", &[2, 3]),
    ] {
        assert_eq!(add(&mock, &format!("status=503 {trigger}")).await.status, 201, "{trigger}");
        assert_eq!(struck(&client, 9).await, expected, "{trigger}");
        mock.default_application().clear_faults();
    }
}

#[tokio::test]
async fn windows_and_times_to_live_follow_the_clock_of_the_application() {
    let mock = start().await;
    let (application, client) = (mock.default_application(), Client::of(&mock));
    let clock = application.clock();
    for (trigger, expected) in [
        ("from=+10s until=+30s", [false, true, true, false]),
        ("from=+10s", [false, true, true, true]),
        ("until=+15s", [true, true, false, false]),
        ("ttl=25s", [true, true, true, false]),
        ("from=2026-11-23T10:00:10Z until=2026-11-23T10:00:20Z", [false, true, false, false]),
        ("from=+10s times=1", [false, true, false, false]),
    ] {
        clock.freeze_at("2026-11-23T10:00:00Z".parse().unwrap());
        assert_eq!(add(&mock, &format!("status=503 {trigger}")).await.status, 201, "{trigger}");
        let mut is = [false; 4];
        for strikes in &mut is {
            *strikes = client.get("/Users").await.status == 503;
            clock.advance(SignedDuration::from_secs(10));
        }
        assert_eq!(is, expected, "{trigger}, at 0, 10, 20 and 30 seconds");
        application.clear_faults();
    }
}

#[tokio::test]
async fn a_preset_stands_for_rules_that_anybody_can_see() {
    let mock = start().await;
    for name in ["mild", "rough", "hostile"] {
        assert_eq!(add(&mock, name).await.status, 201);
        let rules: Vec<String> = Fault::preset(name).unwrap().iter().map(Fault::to_string).collect();
        assert_eq!(mock.default_application().faults(), rules, "{name}");
        mock.default_application().clear_faults();
    }
    let both = "# a bad day\nmild\nreset method=DELETE\n";
    assert_eq!(add(&mock, both).await.status, 201);
    assert_eq!(mock.default_application().faults().len(), Fault::preset("mild").unwrap().len() + 1);
    let refused = add(&mock, "status=503\nstatus=429 scim-type=toMany").await;
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("line 2") && refused.text.contains("tooMany"), "{}", refused.text);
}

/// One client's statuses, in the order of its requests.
async fn run(client: Arc<Client>, path: String, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(client.get(&path).await.status);
    }
    statuses
}

async fn under_rules(seed: u64) -> (MockAquera, Application) {
    let mock = MockAquera::builder().seed(seed).start().await.unwrap();
    let application = mock.default_application();
    for name in ["a", "b", "c"] {
        application.seed_user(user(name, json!({"id": name})));
        application.add_fault(format!("status=503 id={name} probability=0.3").parse().unwrap());
    }
    (mock, application)
}

/// The fate of the n-th request that a rule concerns hangs on nothing that others do meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrency_changes_no_draw() {
    const COUNT: usize = 60;
    let (mock, _application) = under_rules(7).await;
    let client = Arc::new(Client::of(&mock));
    let mut alone = BTreeMap::new();
    for name in ["a", "b", "c"] {
        alone.insert(name, run(Arc::clone(&client), format!("/Users/{name}"), COUNT).await);
    }
    let kinds: std::collections::BTreeSet<_> = alone.values().collect();
    assert_eq!(kinds.len(), 3, "each rule draws for itself");
    assert!(alone.values().all(|statuses| statuses.contains(&200) && statuses.contains(&503)));

    for order in [["a", "b", "c"], ["c", "b", "a"]] {
        let (mock, application) = under_rules(7).await;
        let client = Arc::new(Client::of(&mock));
        let noise = tokio::spawn(run(Arc::clone(&client), "/Users".to_owned(), COUNT));
        let runs =
            order.map(|name| (name, tokio::spawn(run(Arc::clone(&client), format!("/Users/{name}"), COUNT))));
        for (name, run) in runs {
            assert_eq!(run.await.unwrap(), alone[name], "{name} among others");
        }
        noise.await.unwrap();
        assert!(application.fault_states().iter().all(|state| state.matched == COUNT as u64));
    }
}

/// Requests that one rule concerns may change places, but as many are struck of the first n, whatever their order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn as_many_of_the_first_n_are_struck_in_any_order() {
    const RULE: &str = "status=503 probability=0.25";
    let count = async |clients: usize, each: usize| {
        let mock = MockAquera::builder().seed(11).start().await.unwrap();
        mock.default_application().add_fault(RULE.parse().unwrap());
        let client = Arc::new(Client::of(&mock));
        let runs: Vec<_> =
            (0..clients).map(|_| tokio::spawn(run(Arc::clone(&client), "/Users".to_owned(), each))).collect();
        let mut struck = 0;
        for run in runs {
            struck += run.await.unwrap().iter().filter(|status| **status == 503).count();
        }
        struck
    };
    let alone = count(1, 160).await;
    assert!((10..80).contains(&alone), "{alone} of 160");
    assert_eq!([count(16, 10).await, count(40, 4).await], [alone; 2]);
    let other = MockAquera::builder().seed(12).start().await.unwrap();
    other.default_application().add_fault(RULE.parse().unwrap());
    let with_another_seed = run(Arc::new(Client::of(&other)), "/Users".to_owned(), 160).await;
    let mock = MockAquera::builder().seed(11).start().await.unwrap();
    mock.default_application().add_fault(RULE.parse().unwrap());
    assert_ne!(run(Arc::new(Client::of(&mock)), "/Users".to_owned(), 160).await, with_another_seed);
}
