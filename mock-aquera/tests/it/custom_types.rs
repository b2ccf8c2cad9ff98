//! Resource types and schemas from documents, and every characteristic that a schema can give an attribute
//! (RFC 7643 §2.2, §6, §7).

use mock_aquera::{CanonicalValues, MockAquera, Profile, StartError, UnknownAttributes};
use serde_json::{Value, json};

use crate::client::{Client, USER, user};

const DEVICE: &str = "urn:example:params:scim:schemas:Device";
const BADGE: &str = "urn:example:params:scim:schemas:Badge";

fn device_schema() -> Value {
    json!({
        "id": DEVICE, "name": "Device", "description": "A thing with a serial number.",
        "attributes": [
            {"name": "serial", "type": "string", "required": true, "caseExact": true, "mutability": "immutable",
                "uniqueness": "global", "returned": "always"},
            {"name": "label", "type": "string", "uniqueness": "server"},
            {"name": "number", "type": "integer", "uniqueness": "server"},
            {"name": "weight", "type": "decimal"},
            {"name": "bought", "type": "dateTime"},
            {"name": "key", "type": "binary", "caseExact": true},
            {"name": "page", "type": "reference", "referenceTypes": ["external"]},
            {"name": "colour", "type": "string", "canonicalValues": ["red", "blue"]},
            {"name": "pin", "type": "string", "mutability": "writeOnly", "returned": "never"},
            {"name": "notes", "type": "string", "returned": "request"},
            {"name": "firmware", "type": "string", "mutability": "readOnly"},
            {"name": "tags", "type": "string", "multiValued": true},
            {"name": "owner", "type": "complex", "mutability": "immutable",
                "subAttributes": [{"name": "value", "type": "string", "required": true}]},
            {"name": "ports", "type": "complex", "multiValued": true, "subAttributes": [
                {"name": "value", "type": "string", "required": true, "uniqueness": "server"},
                {"name": "secret", "type": "string", "returned": "never"},
                {"name": "hint", "type": "string", "returned": "request"},
                {"name": "primary", "type": "boolean"},
            ]},
        ],
    })
}

fn badge_schema() -> Value {
    json!({"id": BADGE, "name": "Badge", "attributes": [
        {"name": "code", "type": "string", "required": true, "uniqueness": "server"},
        {"name": "pin", "type": "string", "mutability": "writeOnly", "returned": "never"},
        {"name": "floor", "type": "integer"},
    ]})
}

fn device_type() -> Value {
    json!({"id": "Device", "name": "Device", "endpoint": "/Devices", "schema": DEVICE})
}

/// Users with a badge, which each of them needs where `required` is so.
fn badge_user(required: bool) -> Value {
    json!({"name": "User", "endpoint": "/Users", "schema": USER,
        "schemaExtensions": [{"schema": BADGE, "required": required}]})
}

async fn start() -> (MockAquera, Client) {
    let mock =
        MockAquera::builder().schema(device_schema()).resource_type(device_type()).start().await.unwrap();
    let client = Client::of(&mock);
    (mock, client)
}

async fn start_with_badges(required: bool) -> (MockAquera, Client) {
    let builder = MockAquera::builder().schema(badge_schema()).resource_type(badge_user(required));
    let mock = builder.start().await.unwrap();
    let client = Client::of(&mock);
    (mock, client)
}

#[expect(clippy::needless_pass_by_value, reason = "called with json!")]
fn device(serial: &str, more: Value) -> Value {
    let mut device = json!({"schemas": [DEVICE], "serial": serial});
    device.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    device
}

#[tokio::test]
async fn a_further_type_is_described_and_has_a_life_of_its_own() {
    let (mock, client) = start().await;
    let described = client.get("/ResourceTypes/Device").await.json();
    assert_eq!((&described["endpoint"], &described["schema"]), (&json!("/Devices"), &json!(DEVICE)));
    assert_eq!(client.get("/ResourceTypes").await.json()["totalResults"], json!(3));
    let schema = client.get(&format!("/Schemas/{DEVICE}")).await.json();
    assert_eq!(schema["attributes"].as_array().unwrap().len(), 14);
    assert_eq!(schema["attributes"][0]["uniqueness"], json!("global"));

    let created = client.post("/Devices", &device("S1", json!({"tags": ["a", "b"], "number": 7}))).await;
    assert_eq!(created.status, 201, "{created:?}");
    let path = format!("/Devices/{}", created.id());
    assert_eq!(created.header("location"), format!("{}{path}", mock.scim_url()));
    assert_eq!(created.json()["meta"]["resourceType"], json!("Device"));
    assert_eq!(created.json().get("active"), None, "that is a user's");
    let replaced = client.put(&path, &device("S1", json!({"label": "x"}))).await;
    assert_eq!((replaced.status, &replaced.json()["label"]), (200, &json!("x")));
    let patched = client.patch(&path, &json!([{"op": "add", "path": "tags", "value": ["c"]}])).await;
    assert_eq!(patched.json()["tags"], json!(["c"]));
    assert_eq!(client.delete(&path).await.status, 204);
    client.get(&path).await.scim_error(404, None);
    assert_eq!(mock.default_application().count("Device"), 0);
}

#[tokio::test]
async fn dates_beyond_four_digits_are_taken() {
    let (_mock, client) = start().await;
    for (n, bought) in
        ["12020-01-01T00:00:00Z", "9999-12-31T24:00:00Z", "-0044-03-15T12:00:00Z"].iter().enumerate()
    {
        let made = client.post("/Devices", &device(&format!("S{n}"), json!({"bought": bought}))).await;
        assert_eq!((made.status, &made.json()["bought"]), (201, &json!(bought)));
        let found = client.query("/Devices", &[("filter", &format!("bought eq \"{bought}\""))]).await.json();
        assert_eq!(found["totalResults"], json!(1), "{bought}");
    }
}

#[tokio::test]
async fn urn_of_a_short_extension_is_a_patch_path() {
    const SHORT: &str = "urn:example:Ext";
    let schema = json!({"id": SHORT, "name": "Ext", "attributes": [{"name": "code", "type": "string"}]});
    let users = json!({"name": "User", "endpoint": "/Users", "schema": USER,
        "schemaExtensions": [{"schema": SHORT, "required": false}]});
    let mock = MockAquera::builder().schema(schema).resource_type(users).start().await.unwrap();
    let client = Client::of(&mock);
    let path = format!("/Users/{}", client.post("/Users", &user("ida", json!({}))).await.id());
    let add = json!([{"op": "add", "path": SHORT, "value": {"code": "7"}}]);
    let added = client.patch(&path, &add).await;
    assert_eq!((added.status, &added.json()[SHORT]), (200, &json!({"code": "7"})));
    let found = client.query("/Users", &[("filter", &format!("{SHORT}:code eq \"7\""))]).await.json();
    assert_eq!(found["totalResults"], json!(1));
    let shown = client.get(&format!("{path}?attributes={SHORT}:code")).await.json();
    assert_eq!(shown[SHORT], json!({"code": "7"}));
    let removed = client.patch(&path, &json!([{"op": "remove", "path": SHORT}])).await;
    assert_eq!((removed.status, removed.json().get(SHORT)), (200, None));
}

#[tokio::test]
async fn profile_may_name_attributes_of_loaded_schemas() {
    let profile = |path: &str| {
        let text = format!("name = \"x\"\nsummary = \"y\"\n[application]\nnot-stored = [\"{path}\"]");
        Profile::from_toml(&text).unwrap()
    };
    let builder = || MockAquera::builder().schema(badge_schema()).resource_type(badge_user(false));
    assert!(builder().profile(profile(&format!("{BADGE}:floor"))).start().await.is_ok());
    let error = builder().profile(profile(&format!("{BADGE}:flor"))).start().await.unwrap_err();
    assert!(matches!(error, StartError::Profile { .. }));
    assert!(error.to_string().ends_with(&format!("did you mean `{BADGE}:floor`?")), "{error}");
    let error = MockAquera::builder().profile(profile(&format!("{BADGE}:floor"))).start().await.unwrap_err();
    assert!(error.to_string().contains("`application.not-stored`"), "{error}");
}

#[tokio::test]
async fn every_type_is_checked_with_its_place() {
    let (_mock, client) = start().await;
    for (more, said) in [
        (json!({"label": 1}), "label must be a text"),
        (json!({"number": 1.5}), "number must be a whole number"),
        (json!({"weight": "heavy"}), "weight must be a number"),
        (json!({"bought": "yesterday"}), "bought must be a date and time such as 2026-11-30T09:30:00Z"),
        (json!({"key": "???"}), "key must be Base64 text"),
        (json!({"page": 1}), "page must be a URI as text"),
        (json!({"tags": "a"}), "tags must be an array"),
        (json!({"tags": ["a", 2]}), "tags[1] must be a text"),
        (json!({"owner": "ann"}), "owner must be an object"),
        (json!({"owner": {"value": 3}}), "owner.value must be a text"),
        (json!({"ports": [{"value": "a"}, {"value": true}]}), "ports[1].value must be a text"),
        (json!({"ports": [{"primary": true}]}), "ports[0].value is required"),
        (
            json!({"ports": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}),
            "ports has more",
        ),
        (json!({"serial": null}), "serial is required"),
    ] {
        let detail =
            client.post("/Devices", &device("S", more.clone())).await.scim_error(400, Some("invalidValue"));
        assert!(detail.contains(said), "{more}: {detail}");
    }
    let both = client
        .post("/Devices", &device("S", json!({"label": 1, "tags": 2})))
        .await
        .scim_error(400, Some("invalidValue"));
    assert!(both.contains("label") && both.contains("tags"), "all at once: {both}");
    for good in [
        json!({"number": 7}),
        json!({"weight": 7}),
        json!({"weight": 7.5, "bought": "2026-01-02T03:04:05Z"}),
        json!({"key": "aGk="}),
    ] {
        let path = format!("S{good}");
        assert_eq!(client.post("/Devices", &device(&path, good)).await.status, 201);
    }
}

#[tokio::test]
async fn mutability_is_kept() {
    let (_mock, client) = start().await;
    let first = device("S1", json!({"firmware": "mine", "pin": "1234"}));
    let created = client.post("/Devices", &first).await;
    let path = format!("/Devices/{}", created.id());
    assert_eq!(created.json().get("firmware"), None, "what is read-only is passed over in a POST");
    assert_eq!(client.put(&path, &first).await.json().get("firmware"), None, "and in a PUT");
    for op in ["add", "replace"] {
        let patch = json!([{"op": op, "path": "firmware", "value": "mine"}]);
        client.patch(&path, &patch).await.scim_error(400, Some("mutability"));
    }
    client.put(&path, &device("S2", json!({}))).await.scim_error(400, Some("mutability"));
    let change = json!([{"op": "replace", "path": "serial", "value": "S2"}]);
    let detail = client.patch(&path, &change).await.scim_error(400, Some("mutability"));
    assert!(detail.contains("serial"), "{detail}");
    // A first value may be given; then it stays.
    let give = json!([{"op": "add", "path": "owner", "value": {"value": "ann"}}]);
    assert_eq!(client.patch(&path, &give).await.json()["owner"], json!({"value": "ann"}));
    let other = json!([{"op": "add", "path": "owner", "value": {"value": "bob"}}]);
    client.patch(&path, &other).await.scim_error(400, Some("mutability"));
    client
        .patch(&path, &json!([{"op": "remove", "path": "owner"}]))
        .await
        .scim_error(400, Some("mutability"));
    assert_eq!(client.patch(&path, &give).await.status, 200, "the same again is no change");
    let kept = client.put(&path, &device("S1", json!({"owner": {"value": "ann"}}))).await;
    assert_eq!(kept.status, 200, "{kept:?}");
    client
        .patch(&path, &json!([{"op": "remove", "path": "serial"}]))
        .await
        .scim_error(400, Some("mutability"));
}

#[tokio::test]
async fn what_is_returned_when() {
    let (mock, client) = start().await;
    let ports = json!([{"value": "usb", "secret": "hush", "hint": "left"}]);
    let more = json!({"pin": "1234", "notes": "n", "label": "l", "ports": ports});
    let created = client.post("/Devices", &device("S1", more)).await;
    let path = format!("/Devices/{}", created.id());
    let shown = json!([{"value": "usb"}]);
    for answer in [created, client.get(&path).await] {
        let body = answer.json();
        assert_eq!((body.get("pin"), body.get("notes"), &body["ports"]), (None, None, &shown), "{body}");
    }
    let list = client.get("/Devices").await.json();
    assert_eq!(list["Resources"][0].get("notes"), None, "{list}");

    let asked = client.get(&format!("{path}?attributes=notes,pin,ports.secret")).await.json();
    let names: Vec<&String> = asked.as_object().unwrap().keys().collect();
    assert_eq!((&asked["notes"], &asked["serial"]), (&json!("n"), &json!("S1")), "always is always there");
    assert!(!asked.to_string().contains("1234") && !asked.to_string().contains("hush"), "{asked}");
    assert!(!names.iter().any(|name| *name == "label" || *name == "meta"), "{names:?}");
    let hint = client.get(&format!("{path}?attributes=ports.hint")).await.json();
    assert_eq!(hint["ports"], json!([{"hint": "left"}]));
    let without = client.get(&format!("{path}?excludedAttributes=serial,label,ports")).await.json();
    assert_eq!((&without["serial"], without.get("label"), without.get("ports")), (&json!("S1"), None, None));

    // What a PATCH writes is as secret as what a POST writes.
    let patch = json!([{"op": "replace", "path": "ports", "value": [{"value": "usb", "secret": "hush2"}]},
        {"op": "replace", "path": "pin", "value": "5678"}]);
    let patched = client.patch(&path, &patch).await;
    assert_eq!((patched.status, &patched.json()["ports"]), (200, &shown), "{patched:?}");
    let everything = format!("{:?}", mock.default_application().resources("Device"));
    assert!(!everything.contains("hush") && !everything.contains("5678"), "{everything}");
    client.query("/Devices", &[("filter", "pin eq \"5678\"")]).await.scim_error(403, Some("sensitive"));
    client.query("/Devices", &[("sortBy", "pin")]).await.scim_error(400, Some("invalidValue"));
}

#[tokio::test]
async fn what_is_unique_is_unique() {
    let (_mock, client) = start().await;
    let more = json!({"label": "One", "number": 7, "ports": [{"value": "usb"}]});
    let one = client.post("/Devices", &device("S1", more)).await.id();
    for (serial, more, named) in [
        ("S1", json!({}), "serial"),
        ("S2", json!({"label": "oNE"}), "label"),
        ("S2", json!({"number": 7}), "number"),
        ("S2", json!({"ports": [{"value": "hdmi"}, {"value": "USB"}]}), "ports.value"),
    ] {
        let detail = client.post("/Devices", &device(serial, more)).await.scim_error(409, Some("uniqueness"));
        assert!(detail.contains(named), "{detail}");
    }
    // Case-exact: another serial.
    let two = client.post("/Devices", &device("s1", json!({"number": 8, "label": "two"}))).await;
    assert_eq!(two.status, 201, "{two:?}");
    let two = format!("/Devices/{}", two.id());
    client.put(&two, &device("s1", json!({"label": "one"}))).await.scim_error(409, Some("uniqueness"));
    let rename = json!([{"op": "replace", "path": "number", "value": 7}]);
    client.patch(&two, &rename).await.scim_error(409, Some("uniqueness"));
    assert_eq!(client.delete(&format!("/Devices/{one}")).await.status, 204);
    assert_eq!(client.patch(&two, &rename).await.status, 200, "free again");
    // An index is about texts; a number is compared as one.
    for (filter, found) in [
        ("number eq 7", 1),
        ("number eq \"7\"", 0),
        ("serial eq \"s1\"", 1),
        ("serial eq \"S1\"", 0),
        ("label eq \"TWO\"", 1),
    ] {
        let list = client.query("/Devices", &[("filter", filter)]).await.json();
        assert_eq!(list["totalResults"], json!(found), "{filter}");
    }
}

#[tokio::test]
async fn canonical_values_and_unknown_attributes_go_by_a_switch() {
    let (mock, client) = start().await;
    let green = device("S1", json!({"colour": "green", "shoe": 1}));
    let created = client.post("/Devices", &green).await;
    assert_eq!(
        (created.status, &created.json()["colour"], created.json().get("shoe")),
        (201, &json!("green"), None)
    );
    let path = format!("/Devices/{}", created.id());
    let unknown =
        json!([{"op": "replace", "value": {"shoe": 1, "label": "l", "ports": [{"value": "usb", "hat": 1}]}}]);
    let patched = client.patch(&path, &unknown).await;
    assert_eq!(
        (patched.status, &patched.json()["label"], patched.text.contains("hat")),
        (200, &json!("l"), false)
    );
    let nowhere = json!([{"op": "replace", "path": "shoe", "value": 1}]);
    client.patch(&path, &nowhere).await.scim_error(400, Some("invalidPath"));
    let mut profile = Profile::builtin("rfc").unwrap();
    profile.gateway.canonical_values = CanonicalValues::Enforced;
    profile.gateway.unknown_attributes = UnknownAttributes::Refused;
    mock.default_application().set_profile(profile);
    let detail = client
        .post("/Devices", &device("S2", json!({"colour": "green"})))
        .await
        .scim_error(400, Some("invalidValue"));
    assert_eq!(detail, "colour must be one of red, blue");
    assert_eq!(client.patch(&path, &unknown).await.status, 400);
    let detail = client
        .patch(&path, &json!([{"op": "replace", "path": "colour", "value": "pink"}]))
        .await
        .scim_error(400, Some("invalidValue"));
    assert!(detail.contains("colour must be one of red, blue"), "{detail}");
    let detail = client
        .post("/Devices", &device("S2", json!({"shoe": 1, "owner": {"value": "a", "size": 2}})))
        .await
        .scim_error(400, Some("invalidValue"));
    assert!(detail.contains("shoe is not an attribute") && detail.contains("owner.size is not"), "{detail}");
    assert_eq!(
        client.post("/Devices", &device("S2", json!({"colour": "RED"}))).await.status,
        201,
        "without case"
    );
}

#[tokio::test]
async fn a_required_extension_is_required() {
    let (_mock, client) = start_with_badges(true).await;
    let described = client.get("/ResourceTypes/User").await.json();
    assert_eq!(described["schemaExtensions"], json!([{"schema": BADGE, "required": true}]));
    for body in [user("ann", json!({})), user("ann", json!({BADGE: {}})), user("ann", json!({BADGE: null}))] {
        let detail = client.post("/Users", &body).await.scim_error(400, Some("invalidValue"));
        assert_eq!(detail, format!("{BADGE} is required"));
    }
    let detail = client
        .post("/Users", &user("ann", json!({BADGE: {"floor": 1}})))
        .await
        .scim_error(400, Some("invalidValue"));
    assert_eq!(detail, format!("{BADGE}:code is required"));
    let detail = client
        .post("/Users", &user("ann", json!({BADGE: {"floor": "x"}})))
        .await
        .scim_error(400, Some("invalidValue"));
    assert!(detail.contains(&format!("{BADGE}:floor must be")), "{detail}");

    let ann = client.post("/Users", &user("ann", json!({BADGE: {"code": "C1", "pin": "99"}}))).await;
    assert_eq!((ann.status, &ann.json()[BADGE]), (201, &json!({"code": "C1"})), "{ann:?}");
    assert_eq!(ann.json()["schemas"], json!([USER, BADGE]));
    let path = format!("/Users/{}", ann.id());
    client.put(&path, &user("ann", json!({}))).await.scim_error(400, Some("invalidValue"));
    client.patch(&path, &json!([{"op": "remove", "path": BADGE}])).await.scim_error(400, Some("mutability"));
    let detail = client
        .post("/Users", &user("bob", json!({BADGE: {"code": "c1"}})))
        .await
        .scim_error(409, Some("uniqueness"));
    assert!(detail.contains(&format!("{BADGE}:code")), "{detail}");
    let pin = json!([{"op": "add", "path": format!("{BADGE}:pin"), "value": "hunter2"}]);
    let patched = client.patch(&path, &pin).await;
    assert_eq!((patched.status, patched.text.contains("hunter2")), (200, false), "{patched:?}");
    for filter in [format!("{BADGE}:code eq \"C1\""), format!("{BADGE}:code sw \"c\" and {BADGE}:code pr")] {
        assert_eq!(
            client.query("/Users", &[("filter", &filter)]).await.json()["totalResults"],
            json!(1),
            "{filter}"
        );
    }
}

#[tokio::test]
async fn an_optional_extension_is_whole_or_not_there() {
    let (_mock, client) = start_with_badges(false).await;
    let ann = client.post("/Users", &user("ann", json!({}))).await;
    assert_eq!(ann.json()["schemas"], json!([USER]));
    let path = format!("/Users/{}", ann.id());
    let floor = json!([{"op": "add", "path": format!("{BADGE}:floor"), "value": 3}]);
    let detail = client.patch(&path, &floor).await.scim_error(400, Some("invalidValue"));
    assert!(detail.contains(&format!("{BADGE}:code is required")), "{detail}");
    let whole = json!([{"op": "add", "path": BADGE, "value": {"code": "C1", "schemas": [BADGE]}}]);
    let patched = client.patch(&path, &whole).await;
    assert_eq!((patched.status, &patched.json()["schemas"]), (200, &json!([USER, BADGE])), "{patched:?}");
    assert_eq!(client.patch(&path, &floor).await.json()[BADGE], json!({"code": "C1", "floor": 3}));
    let code = json!([{"op": "remove", "path": format!("{BADGE}:code")}]);
    client.patch(&path, &code).await.scim_error(400, Some("mutability"));
    let removed = client.patch(&path, &json!([{"op": "remove", "path": BADGE}])).await;
    assert_eq!((removed.status, removed.json().get(BADGE)), (200, None));
    assert_eq!(removed.json()["schemas"], json!([USER]));
}

#[tokio::test]
async fn documents_of_no_use_are_refused() {
    let start = async |schemas: &[Value], types: &[Value]| {
        let mut builder = MockAquera::builder();
        for schema in schemas {
            builder = builder.schema(schema.clone());
        }
        for resource_type in types {
            builder = builder.resource_type(resource_type.clone());
        }
        builder.start().await.unwrap_err()
    };
    let error = start(&[device_schema()], &[]).await;
    assert!(matches!(error, StartError::Schema { index: 0, .. }));
    let said = format!("take schema document 1: no resource type uses the schema {DEVICE}");
    assert!(error.to_string().starts_with(&said), "{error}");
    let error = start(&[], &[device_type()]).await;
    assert!(matches!(error, StartError::ResourceType { index: 0, .. }));
    assert!(error.to_string().contains(&format!("unknown schema {DEVICE}")), "{error}");
}

#[tokio::test]
async fn a_query_over_all_types_finds_further_ones() {
    let (_mock, client) = start().await;
    client.post("/Devices", &device("S1", json!({"label": "b"}))).await;
    client.post("/Users", &user("ann", json!({}))).await;
    let list = client.query("", &[("filter", "serial eq \"S1\" or userName eq \"ann\"")]).await.json();
    assert_eq!(list["totalResults"], json!(2), "{list}");
    let list = client.query("", &[("filter", "meta.resourceType eq \"Device\"")]).await.json();
    assert_eq!((&list["totalResults"], &list["Resources"][0]["serial"]), (&json!(1), &json!("S1")));
    let detail = client.query("", &[("filter", "shoe pr")]).await.scim_error(400, Some("invalidFilter"));
    assert!(detail.contains("shoe"), "{detail}");
}

#[tokio::test]
async fn the_program_takes_them_from_files() {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let schema = file("device.json", &device_schema().to_string());
    let kind = file("type.json", &device_type().to_string());
    let badge = file("badge.json", &badge_schema().to_string());
    let badges = file("badges.json", &badge_user(true).to_string());
    let program = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mock-aquera"));
        command.args(["--listen", "127.0.0.1:0", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let all = ["--schema", &schema, "--schema", &badge, "--resource-type", &kind, "--resource-type", &badges];
    let mut running = program().args(all).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(running.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let client = Client::at(ready["scimUrl"].as_str().unwrap());
    let made = client.post("/Devices", &device("S1", json!({}))).await;
    let refused = client.post("/Users", &user("ann", json!({}))).await;
    let users = client.get("/Users").await.json()["totalResults"].clone();
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!((made.status, users), (201, json!(0)), "made-up users would not have a badge");
    assert_eq!(refused.scim_error(400, Some("invalidValue")), format!("{BADGE} is required"));

    let broken = file("broken.json", "{\n  \"id\": \n}");
    let typo = file(
        "typo.json",
        "{\"id\": \"urn:a:b\", \"attributes\": [{\"name\": \"a\", \"returned\": \"often\"}]}",
    );
    let misspelled = file(
        "misspelled.json",
        &json!({"id": "urn:a:b", "attributes": [{"name": "a", "type": "complex",
            "subAttributes": [{"name": "b", "mutabilty": "readOnly"}]}]})
        .to_string(),
    );
    let mut extension = badge_user(true);
    extension["schemaExtensions"][0] = json!({"schema": BADGE, "requird": true});
    let extension = file("extension.json", &extension.to_string());
    for (arguments, said) in [
        (
            vec!["--schema", &broken],
            format!("read {broken}:3:1: invalid `id`: the value of `id` is expected here"),
        ),
        (vec!["--schema", "nowhere.json"], "read nowhere.json: ".to_owned()),
        (
            vec!["--schema", &typo],
            format!(
                "take {typo}: invalid schema document: attribute a (attributes[0]): `returned` cannot be \"often\""
            ),
        ),
        (
            vec!["--schema", &misspelled],
            format!(
                "take {misspelled}: invalid schema document: attribute a.b (attributes[0].subAttributes[0]): unknown member \
                 `mutabilty`; did you mean `mutability`?"
            ),
        ),
        (
            vec!["--schema", &badge, "--resource-type", &extension],
            format!(
                "take {extension}: invalid resource type document: schemaExtensions[0]: unknown member `requird`; did you mean \
                 `required`?"
            ),
        ),
        (vec!["--schema", &schema], format!("take {schema}: no resource type uses the schema {DEVICE}")),
        (
            vec!["--resource-type", &kind],
            format!("take {kind}: invalid resource type `Device`: unknown schema {DEVICE}"),
        ),
        (
            vec!["--schema", &schema, "--resource-type", &kind, "--resource-type", &kind],
            format!("take {kind}: the resource type Device is there twice"),
        ),
    ] {
        let output = program().args(&arguments).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.contains(&format!("mock-aquera: failed to {said}")), "{err}");
    }
}
