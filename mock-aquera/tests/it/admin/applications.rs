//! Administration of applications: behaviour, credentials, resources, faults, clock, reset.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mock_aquera::{Auth, ManualClock, MockAquera};
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::client::{Client, finish, start, user};

const APP: &str = "/applications/default";

#[tokio::test]
async fn an_application_is_described_without_its_secrets() {
    let mock = MockAquera::builder()
        .auth(Auth::basic("ann", "hunter2"))
        .auth(Auth::oauth("client", "hunter2"))
        .seed(7)
        .users(2)
        .start()
        .await
        .unwrap();
    let admin = Admin::of(&mock);
    let shown = admin.read(APP).await;
    assert_eq!(shown["auth"], json!(["basic", "oauth"]));
    assert_eq!(
        (&shown["seed"], &shown["users"], &shown["profile"]),
        (&json!(7), &json!(2), &json!("aquera"))
    );
    assert_eq!(shown["resources"], json!({"User": 2, "Group": 0}));
    assert_eq!(shown["tokenUrl"], json!(mock.scim_url().replace("/scim", "/oauth/token")));
    assert_eq!(shown["clock"]["frozen"], json!(false));
    assert_eq!(shown["journal"]["exchanges"], json!(0));
    let auth = admin.read(&format!("{APP}/auth")).await;
    assert_eq!(auth, json!({"auth": ["basic", "oauth"]}));
    for said in [shown, auth, admin.read("/applications").await] {
        assert!(!said.to_string().contains("hunter2") && !said.to_string().contains("ann"), "{said}");
    }

    let made = admin.put("/applications/a-b_1", json!({"auth": ["oauth:c:hunter2"]})).await.json();
    assert_eq!(made["tokenUrl"], json!(mock.scim_url().replace("/scim", "/apps/a-b_1/oauth/token")));
    assert_eq!(made["scimUrl"], json!(mock.scim_url().replace("/scim", "/apps/a-b_1/scim")));
}

#[tokio::test]
async fn credentials_are_changed_and_their_mistakes_not_repeated() {
    let mock = start().await;
    let (admin, scim) = (Admin::of(&mock), Client::of(&mock));
    let at = format!("{APP}/auth");
    assert_eq!(scim.get("/Users").await.status, 200);
    let changed = admin.put(&at, json!({"auth": ["bearer:other", "none"]})).await;
    assert_eq!((changed.status, changed.json()), (200, json!({"auth": ["bearer", "none"]})));
    assert_eq!(admin.put(&at, json!({"auth": ["bearer:other"]})).await.status, 200);
    assert_eq!(scim.get("/Users").await.status, 401);
    for (body, part) in [
        (r#"{"auth":["token:hunter2"]}"#, "element 1"),
        (r#"{"auth":["none",7]}"#, "element 2 is no text"),
        (r#"{"auth":"bearer:hunter2"}"#, "is a list of texts"),
        (r#""bearer:hunter2""#, "a JSON object is needed"),
        (r#"{"auths":["bearer:hunter2"]}"#, "`auths`"),
        ("{}", "`auth`"),
        ("", "is empty"),
        ("{", "the text ends too early: a key or `}` is missing (line 1, column 1)"),
    ] {
        admin.refused(Method::PUT, &at, body, 400, part).await;
    }
    let twice = r#"{"profile":"no-put","auth":["bearer"]}"#;
    admin.refused(Method::PUT, APP, twice, 400, "bearer:TOKEN").await;
    assert_eq!(admin.read(APP).await["profile"], json!("aquera"), "all of it, or nothing");
}

#[tokio::test]
async fn a_profile_is_set_by_name_or_written_out() {
    let mock = start().await;
    let (admin, scim) = (Admin::of(&mock), Client::of(&mock));
    let at = format!("{APP}/profile");
    let shown = admin.read(&at).await;
    assert_eq!(shown["name"], json!("aquera"));

    let named = admin.put(&at, json!("patch-501")).await;
    assert_eq!((named.status, &named.json()["name"]), (200, &json!("patch-501")));
    let id = scim.post("/Users", &user("a", json!({}))).await.id();
    let patch = json!([{"op": "replace", "path": "active", "value": false}]);
    assert_eq!(scim.patch(&format!("/Users/{id}"), &patch).await.status, 501);

    let written = json!({"extends": "no-put", "gateway": {"patch": "answers-400"}});
    let written = admin.put(&at, written).await;
    assert_eq!((written.status, &written.json()["name"]), (200, &json!("inline")), "{written:?}");
    assert_eq!(scim.patch(&format!("/Users/{id}"), &patch).await.status, 400);
    assert_eq!(scim.put(&format!("/Users/{id}"), &user("a", json!({}))).await.status, 404);

    // What is shown can be sent again.
    let shown = admin.read(&at).await;
    let again = admin.put(&at, shown.clone()).await;
    assert_eq!((again.status, again.json()), (200, shown));

    let with_app = json!({"profile": {"name": "mine", "gateway": {"delete": "answers-405"}}});
    let made = admin.put("/applications/x", with_app).await;
    assert_eq!((made.status, &made.json()["profile"]), (201, &json!("mine")), "{made:?}");

    for (body, part) in [
        (r#""no-putt""#, "did you mean `no-put`?"),
        (r#"{"gateway":{"patsh":"works"}}"#, "did you mean `patch`?"),
        (r#"{"extends":"nothing-like-it"}"#, "extends"),
        ("7", "the name of a built-in one"),
    ] {
        admin.refused(Method::PUT, &at, body, 400, part).await;
    }
    let names = admin.read("/profiles").await;
    let names: Vec<&Value> =
        names["profiles"].as_array().unwrap().iter().map(|profile| &profile["name"]).collect();
    assert!(names.contains(&&json!("no-put")) && names.contains(&&json!("rfc")), "{names:?}");
}

#[tokio::test]
async fn resources_are_put_in_and_taken_out_unchecked() {
    let mock = start().await;
    let (admin, scim) = (Admin::of(&mock), Client::of(&mock));
    let twins = json!([{"userName": "twin", "id": "1"}, {"userName": "TWIN", "id": "2", "active": "maybe"}]);
    let seeded = admin.post(&format!("{APP}/users"), twins).await;
    assert_eq!((seeded.status, seeded.json()), (201, json!({"ids": ["1", "2"]})));
    let group = json!({"displayName": "g", "id": "3", "members": [{"value": "1"}, {"value": "nobody"}]});
    assert_eq!(admin.post(&format!("{APP}/groups"), group).await.json(), json!({"ids": ["3"]}));
    let groups = admin.read(&format!("{APP}/groups")).await;
    assert_eq!(groups[0]["members"].as_array().unwrap().len(), 1, "{groups}");
    assert_eq!(groups[0]["members"][0]["value"], json!("1"));

    // By type, whatever the case; the name as it is in the answer.
    let users = admin.read(&format!("{APP}/resources/user")).await;
    assert_eq!(users, admin.read(&format!("{APP}/users")).await);
    assert_eq!(users[0]["groups"][0]["value"], json!("3"));
    let one = format!("{APP}/resources/User/2");
    assert_eq!(admin.read(&one).await["userName"], json!("TWIN"));
    let written = admin.put(&one, json!({"userName": "other", "title": 7, "id": "9"})).await;
    assert_eq!((written.status, &written.json()["userName"]), (200, &json!("other")));
    assert_eq!(scim.get("/Users/2").await.json()["title"], json!(7));
    assert_eq!(scim.get("/Users/2").await.json()["meta"]["version"], json!("W/\"2\""));
    let more = admin.post(&format!("{APP}/resources/User"), json!({"userName": "four", "id": "4"})).await;
    assert_eq!(more.status, 201);

    assert_eq!(admin.delete(&format!("{APP}/resources/User/1")).await.status, 204);
    assert_eq!(admin.read(&format!("{APP}/groups")).await[0].get("members"), None);
    assert_eq!(admin.delete(&format!("{APP}/users")).await.json(), json!({"removed": 2}));
    assert_eq!(scim.get("/Users").await.json()["totalResults"], json!(0));
    assert_eq!(admin.delete(&format!("{APP}/groups")).await.json(), json!({"removed": 1}));
    assert_eq!(admin.delete(&format!("{APP}/resources/Group")).await.json(), json!({"removed": 0}));
    assert_eq!(admin.read(&format!("{APP}/consistency")).await, json!({"consistent": true}));

    let refused = async |method, path: &str, body, status, part| {
        admin.refused(method, &format!("{APP}{path}"), body, status, part).await;
    };
    refused(Method::GET, "/resources/Device", "", 404, "there are User, Group").await;
    refused(Method::POST, "/resources/Device", "{}", 404, "`Device`").await;
    refused(Method::DELETE, "/resources/Device", "", 404, "`Device`").await;
    refused(Method::GET, "/resources/User/zzz", "", 404, "no User with the id `zzz`").await;
    refused(Method::PUT, "/resources/User/zzz", "{}", 404, "`zzz`").await;
    refused(Method::PUT, "/resources/User/zzz", "[]", 400, "expected an object, got an array").await;
    refused(Method::DELETE, "/resources/User/zzz", "", 404, "`zzz`").await;
    refused(Method::POST, "/users", "[{}, 1]", 400, "element 2").await;
    refused(Method::POST, "/groups", "nothing", 400, "none of true, false and null").await;
}

#[tokio::test]
async fn faults_are_added_listed_and_taken_away() {
    let mock = start().await;
    let (admin, scim) = (Admin::of(&mock), Client::of(&mock));
    let at = format!("{APP}/faults");
    let added = admin.post(&at, json!({"rule": "status=503 times=1\nstatus=500 method=POST times=1"})).await;
    assert_eq!(added.status, 201);
    let ids: Vec<u64> =
        added.json()["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(scim.get("/Users").await.status, 503);
    let listed = admin.read(&at).await;
    assert_eq!(listed["rules"], json!(["status=500 method=POST times=1"]));
    let (first, second) = (&listed["faults"][0], &listed["faults"][1]);
    assert_eq!((&first["id"], &first["struck"], &first["spent"]), (&json!(ids[0]), &json!(1), &json!(true)));
    assert_eq!(
        (&second["id"], &second["matched"], &second["spent"]),
        (&json!(ids[1]), &json!(0), &json!(false))
    );
    assert_eq!(second["rule"], json!("status=500 method=POST times=1"));

    assert_eq!(admin.delete(&format!("{at}/{}", ids[1])).await.status, 204);
    assert_eq!(scim.post("/Users", &user("a", json!({}))).await.status, 201);
    admin.refused(Method::DELETE, &format!("{at}/{}", ids[1]), "", 404, "no fault").await;
    admin.refused(Method::DELETE, &format!("{at}/mild"), "", 404, "`mild`").await;

    let plain = admin.post(&at, json!({"rule": "# a comment\nstatus=429 times=1\n"})).await;
    assert_eq!((plain.status, &plain.json()["rules"]), (201, &json!(["status=429 times=1"])), "{plain:?}");
    assert_eq!(scim.get("/Users").await.status, 429);
    let preset = admin.post(&at, json!({"rule": "hostile"})).await.json();
    assert_eq!(preset["ids"].as_array().unwrap().len(), mock_aquera::Fault::preset("hostile").unwrap().len());
    assert_eq!(admin.delete(&at).await.status, 204);
    assert_eq!(admin.read(&at).await, json!({"rules": [], "faults": []}));

    for (body, part) in [
        (r#"{"rule":"status=1"}"#, "`1` does not fit"),
        (r#"{"rule":"latency=1s\nstaus=500"}"#, "line 2"),
        (r#"{"rule":"chaos"}"#, "the presets are mild, rough and hostile"),
        (r#"{"rule":"reset path=/scim/Users"}"#, "write `path=/Users`"),
        (
            r#"{"rule":"reset type=Usr"}"#,
            "`reset type=Usr`: the rule can never strike: there is no resource type `Usr`",
        ),
        (r#"{"rule":"reset path=/users"}"#, "did you mean `/Users`?"),
        (r#"{"rules":"reset"}"#, "`rules`"),
        ("{}", "`rule`"),
        (r#"{"rule":""}"#, "no rule"),
        ("", "empty"),
        ("{", "the text ends too early: a key or `}` is missing (line 1, column 1)"),
    ] {
        admin.refused(Method::POST, &at, body, 400, part).await;
    }
    let not_text = admin.send(Method::POST, &at, vec![0xff_u8, 0xfe]).await;
    assert_eq!(not_text.status, 400);
    assert_eq!(admin.read(&at).await["rules"], json!([]), "all of them, or none");
}

#[tokio::test]
async fn the_clock_is_stopped_and_moved() {
    // The distance to the server's clock is told too: it is exact where that one stands still.
    let server = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let mock =
        MockAquera::builder().auth(Auth::bearer("mock-token")).clock(server.clone()).start().await.unwrap();
    let (admin, scim) = (Admin::of(&mock), Client::of(&mock));
    let at = format!("{APP}/clock");
    let change = async |body: Value| {
        let answer = admin.post(&at, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let set = change(json!({"freeze": true, "now": "2030-01-01T00:00:00Z"})).await;
    assert_eq!((&set["now"], &set["frozen"]), (&json!("2030-01-01T00:00:00.000Z"), &json!(true)));
    let created = scim.post("/Users", &user("a", json!({}))).await.json();
    assert_eq!(created["meta"]["created"], json!("2030-01-01T00:00:00.000Z"));
    for (step, shown) in [
        (json!("30s"), "2030-01-01T00:00:30.000Z"),
        (json!("PT1H"), "2030-01-01T01:00:30.000Z"),
        (json!("-1h"), "2030-01-01T00:00:30.000Z"),
        (json!(1.5), "2030-01-01T00:00:31.500Z"),
    ] {
        assert_eq!(change(json!({"advance": step})).await["now"], json!(shown));
    }
    let both = change(json!({"now": "2031-01-01T00:00:00Z", "advance": "1m"})).await;
    assert_eq!(both["now"], json!("2031-01-01T00:01:00.000Z"));
    assert_eq!(both["offsetMs"], json!(1_924_992_060_000_i64));
    server.advance(SignedDuration::from_secs(5));
    let later = admin.read(&at).await;
    assert_eq!((&later["now"], &later["frozen"]), (&both["now"], &json!(true)), "it stands");
    assert_eq!(
        later["offsetMs"],
        json!(both["offsetMs"].as_i64().unwrap() - 5_000),
        "and the server's goes on"
    );
    let running = change(json!({"unfreeze": true})).await;
    assert_eq!((&running["now"], &running["frozen"]), (&both["now"], &json!(false)));
    server.advance(SignedDuration::from_secs(2));
    assert_eq!(admin.read(&at).await["now"], json!("2031-01-01T00:01:02.000Z"), "it goes on");
    let reset = change(json!({"reset": true})).await;
    assert_eq!((&reset["now"], &reset["offsetMs"]), (&json!("1970-01-01T00:00:07.000Z"), &json!(0)));

    for (body, part) in [
        ("{}", "nothing to do"),
        (r#"{"freeze":false}"#, "nothing to do"),
        (r#"{"freeze":true,"unfreeze":true}"#, "`freeze` or `unfreeze`"),
        (r#"{"now":"tomorrow"}"#, "`tomorrow`"),
        (r#"{"advance":"soon"}"#, "PT30S"),
        (r#"{"advance":"1 month"}"#, "PT30S"),
        (r#"{"advance":true}"#, "`advance`"),
        (r#"{"stop":true}"#, "`stop`"),
        ("{}", "nothing to do"),
        ("[]", "expected an object, got an array"),
    ] {
        admin.refused(Method::POST, &at, body, 400, part).await;
    }
    assert_eq!(admin.read(&at).await["offsetMs"], json!(0), "what is refused does nothing");
}

#[tokio::test]
async fn a_reset_takes_what_it_is_told() {
    let mock = MockAquera::builder()
        .auth(Auth::oauth("c", "s"))
        .auth(Auth::bearer("mock-token"))
        .start()
        .await
        .unwrap();
    let (admin, scim) = (Admin::of(&mock), Client::of(&mock));
    let application = mock.default_application();
    let fill = async || {
        scim.post("/Users", &user("a", json!({}))).await;
        admin
            .post(&format!("{APP}/faults"), json!({"rule": "status=503 user-name=nobody times=always"}))
            .await;
        admin.post(&format!("{APP}/clock"), json!({"freeze": true})).await;
    };
    let state = || {
        (
            application.user_count(),
            application.faults().len(),
            application.journal().len(),
            application.counters().requests(),
            application.clock().state().frozen,
        )
    };
    fill().await;
    assert_eq!(state(), (1, 1, 1, 1, true));
    for (what, expected) in [
        ("counters", (1, 1, 1, 0, true)),
        ("journal", (1, 1, 0, 0, true)),
        ("clock", (1, 1, 0, 0, false)),
        ("limits", (1, 1, 0, 0, false)),
        ("faults,%20data", (0, 0, 0, 0, false)),
    ] {
        let answer = admin.send(Method::POST, &format!("{APP}/reset?what={what}"), "").await;
        assert_eq!((answer.status, state()), (204, expected), "{what}");
    }

    // A token that was given is forgotten, one that was set isn't.
    let url = mock.scim_url().replace("/scim", "/oauth/token");
    let form = "grant_type=client_credentials&client_id=c&client_secret=s";
    let given = crate::client::http().post(url).header("content-type", "application/x-www-form-urlencoded");
    let token = finish(given.body(form)).await.json()["access_token"].as_str().unwrap().to_owned();
    let with_token = || crate::client::http().get(format!("{}/Users", mock.scim_url())).bearer_auth(&token);
    assert_eq!(finish(with_token()).await.status, 200);
    assert_eq!(admin.send(Method::POST, &format!("{APP}/reset?what=tokens"), "").await.status, 204);
    assert_eq!(finish(with_token()).await.status, 401);
    assert_eq!(scim.get("/Users").await.status, 200);

    fill().await;
    mock.create_application("other", mock_aquera::ApplicationConfig::default())
        .unwrap()
        .seed_user(json!({"id": "1"}));
    assert_eq!(admin.send(Method::POST, "/reset?what=journal", "").await.status, 204);
    assert_eq!(state(), (1, 1, 0, 5, true));
    assert_eq!(admin.send(Method::POST, "/reset", "").await.status, 204);
    assert_eq!(state(), (0, 0, 0, 0, false));
    assert_eq!(mock.application("other").unwrap().user_count(), 0);

    // Ids come again from the seed.
    let first = scim.post("/Users", &user("a", json!({}))).await.id();
    assert_eq!(admin.send(Method::POST, &format!("{APP}/reset"), "").await.status, 204);
    assert_eq!(scim.post("/Users", &user("a", json!({}))).await.id(), first);

    for (query, part) in [
        ("?what=jurnal", "did you mean `journal`?"),
        ("?what=", "what can"),
        ("?what=data,,faults", "what can"),
        ("?waht=data", "did you mean `what`?"),
        ("?what=data&what=faults", "twice"),
    ] {
        admin.refused(Method::POST, &format!("{APP}/reset{query}"), "", 400, part).await;
        admin.refused(Method::POST, &format!("/reset{query}"), "", 400, part).await;
    }
    assert_eq!(application.user_count(), 1);
}

#[tokio::test]
async fn reset_returns_to_what_the_server_was_started_with() {
    let mock = MockAquera::builder()
        .profile(mock_aquera::Profile::builtin("slack").unwrap())
        .user(user("given", json!({"id": "u1"})))
        .resource("Group", json!({"displayName": "all", "members": [{"value": "u1"}]}))
        .users(2)
        .fault("status=503 user-name=nobody times=2".parse().unwrap())
        .start()
        .await
        .unwrap();
    let (admin, application) = (Admin::of(&mock), mock.default_application());
    let ids = |resources: Vec<Value>| resources.iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    let state = || {
        (
            ids(application.users()),
            ids(application.groups()),
            application.faults(),
            application.profile().name,
            application.journal_limits(),
        )
    };
    let spoil = async || {
        let scim = Client::of(&mock);
        scim.post("/Users", &user("nobody", json!({}))).await.scim_error(503, None);
        application.remove_user("u1");
        application.add_fault(mock_aquera::Fault::hang());
        let other = json!({"profile": "rfc", "auth": ["bearer:other"]});
        assert_eq!(admin.put(APP, other).await.status, 200);
        assert_eq!(admin.put(&format!("{APP}/journal/limits"), json!({"exchanges": 7})).await.status, 200);
    };
    let start = state();
    assert_eq!((start.0.len(), start.1.len(), start.2.len(), &*start.3), (3, 1, 1, "slack"));
    spoil().await;
    assert_eq!(admin.post(&format!("{APP}/reset"), json!({})).await.status, 204);
    assert_eq!(state(), start);
    application.check_consistency().unwrap();
    let group = &application.groups()[0];
    assert_eq!(group["members"][0]["value"], json!("u1"), "{group}");
    assert_eq!(Client::of(&mock).get("/Users").await.status, 200, "with the credentials of the start");
    let faults = admin.read(&format!("{APP}/faults")).await["faults"].clone();
    assert_eq!((faults.as_array().unwrap().len(), &faults[0]["struck"]), (1, &json!(0)), "{faults}");

    // Each part by itself, the others untouched.
    spoil().await;
    let spoilt = state();
    let reset = async |what: &str| {
        assert_eq!(admin.post(&format!("{APP}/reset?what={what}"), json!({})).await.status, 204);
        state()
    };
    let after = reset("data").await;
    assert_eq!((&after.0, &after.1, &after.2, &after.3), (&start.0, &start.1, &spoilt.2, &spoilt.3));
    let after = reset("faults").await;
    assert_eq!((&after.2, &after.3, after.4.exchanges), (&start.2, &spoilt.3, 7));
    assert_eq!(reset("settings").await, start);

    // An application that was made later returns to what it was made with, or to the command line.
    let made = json!({"profile": "no-delete", "auth": ["bearer:own"], "seed": 9});
    assert_eq!(admin.put("/applications/made", made).await.status, 201);
    assert_eq!(
        Client::at(mock.scim_url().replace("/scim", "/apps/later/scim")).get("/Users").await.status,
        200
    );
    for (name, profile, faults) in [("made", "no-delete", 1), ("later", "slack", 1)] {
        let application = mock.application(name).unwrap();
        application.seed_user(user("x", json!({})));
        application.set_profile(mock_aquera::Profile::default());
        application.clear_faults();
        assert_eq!(admin.post("/reset", json!({})).await.status, 204);
        let is = (application.user_count(), application.profile().name, application.faults().len());
        assert_eq!(is, (0, profile.to_owned(), faults), "{name}");
    }
}

#[tokio::test]
async fn profile_with_a_misspelt_attribute_is_refused_with_the_nearest() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    let profile = |path: &str| json!({"extends": "aquera", "application": {"not-stored": [path]}});
    let before = admin.read(&format!("{APP}/profile")).await;
    for (path, part) in [
        ("titel", "`titel` is not an attribute of User or Group; did you mean `title`?"),
        ("emails.typ", "did you mean `emails.type`?"),
        ("userName", "is required"),
        ("id", "switches of their own or none"),
    ] {
        for answer in [
            admin.put(&format!("{APP}/profile"), profile(path)).await,
            admin.put(APP, json!({"profile": profile(path)})).await,
            admin.put("/applications/new", json!({"profile": profile(path)})).await,
        ] {
            assert_eq!(answer.status, 400, "{path}: {answer:?}");
            assert!(answer.text.contains(part), "{path}: {}", answer.text);
        }
    }
    assert_eq!(admin.read(&format!("{APP}/profile")).await, before);
    assert_eq!(admin.put(&format!("{APP}/profile"), profile("title")).await.status, 200);
}
