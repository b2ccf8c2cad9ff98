//! The model of the two hops against the mock itself: each kind of request under each profile, over a socket.

use std::collections::BTreeMap;

use mock_aquera::{Application, ApplicationConfig, Auth, DownstreamOperation, MockAquera, Profile};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::matrix::model::{
    Attribute, Behaviour, Downstream, Fields, Key, Method, Path, World, builtins, desired_for_test,
};
use crate::matrix::run::configuration::{fields_of, resource};
use crate::matrix::setting::Setting;

/// Paths with new values.
type Values = &'static [(Path, &'static str)];

/// A request.
#[derive(Debug, Clone, Copy)]
enum Request {
    Post(&'static str, Values),
    Patch(Values, Option<bool>),
    Put(Values, Option<bool>),
    Delete,
}

/// The status, the writes (operation, accepted), and the remaining state: attributes and `active`.
type Result3 = (u16, Vec<(Downstream, bool)>, Vec<(Fields, bool)>);

const TITLE: Path = Path::Attribute(Attribute::Title);
const GIVEN: Path = Path::Attribute(Attribute::Given);
const FAMILY: Path = Path::Attribute(Attribute::Family);
const EMAIL: Path = Path::Attribute(Attribute::Email);

fn fields(name: &str, title: &str) -> Fields {
    Fields {
        user_name: name.to_owned(),
        external_id: Some(name.to_owned()),
        attributes: BTreeMap::from([
            (Attribute::Title, title.to_owned()),
            (Attribute::Given, "Ada".to_owned()),
            (Attribute::Family, "Lund".to_owned()),
            (Attribute::Email, format!("{name}@mail.example.com")),
        ]),
        ..Fields::default()
    }
}

/// Returns the name of a path in a body and in PATCH.
fn target(path: Path) -> &'static str {
    match path {
        Path::UserName => "userName",
        Path::ExternalId => "externalId",
        Path::Attribute(attribute) => attribute.target(),
    }
}

/// Writes these values into a resource.
fn overwrite(body: &mut Value, values: Values) {
    for (path, value) in values {
        match path {
            Path::Attribute(Attribute::Given) => body["name"]["givenName"] = json!(value),
            Path::Attribute(Attribute::Family) => body["name"]["familyName"] = json!(value),
            Path::Attribute(Attribute::Email) => body["emails"] = json!([{ "type": "work", "value": value }]),
            path => body[target(*path)] = json!(value),
        }
    }
}

async fn send(application: &Application, method: &str, path: &str, body: Option<&Value>) -> u16 {
    let url = application.scim_url();
    let rest = url.strip_prefix("http://").expect("an http URL");
    let (host, base) = rest.split_once('/').expect("a path");
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut stream = TcpStream::connect(host).await.expect("a connection");
    let request = format!(
        "{method} /{base}/Users{path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer t\r\nconnection: close\r\n\
         content-type: application/scim+json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let head = String::from_utf8_lossy(&answer);
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

async fn by_mock(mock: &MockAquera, profile: Behaviour, request: Request, gone: bool) -> Result3 {
    let name = format!("{}-{:?}", profile.name, std::time::Instant::now())
        .replace(|c: char| !c.is_ascii_alphanumeric(), "");
    let config = ApplicationConfig {
        profile: Profile::builtin(profile.name).expect("a profile"),
        auth: vec![Auth::bearer("t")],
        seed: 1,
    };
    let application = mock.create_application(&name[..name.len().min(64)], config).expect("an application");
    let id = application.seed_user(resource(&fields("a", "old"), true));
    application.seed_user(resource(&fields("b", "old"), true));
    let account = application.user(&id).expect("the account");
    if gone {
        application.remove_user(&id);
    }
    let path = format!("/{id}");
    let status = match request {
        Request::Post(name, values) => {
            let mut body = resource(&fields(name, "new"), true);
            overwrite(&mut body, values);
            send(&application, "POST", "", Some(&body)).await
        }
        Request::Patch(values, active) => {
            let mut operations: Vec<Value> = values
                .iter()
                .map(|(path, value)| json!({ "op": "replace", "path": target(*path), "value": value }))
                .collect();
            if let Some(active) = active {
                operations.push(json!({ "op": "replace", "path": "active", "value": active }));
            }
            let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
            let body = json!({ "schemas": schemas, "Operations": operations });
            send(&application, "PATCH", &path, Some(&body)).await
        }
        Request::Put(values, active) => {
            let mut body = account;
            overwrite(&mut body, values);
            if let Some(active) = active {
                body["active"] = json!(active);
            }
            send(&application, "PUT", &path, Some(&body)).await
        }
        Request::Delete => send(&application, "DELETE", &path, None).await,
    };
    let writes = application.journal().into_iter().flat_map(|exchange| exchange.downstream);
    let writes = writes.filter_map(|write| {
        let operation = match write.operation {
            DownstreamOperation::Read => return None,
            DownstreamOperation::Create => Downstream::Create,
            DownstreamOperation::Replace => Downstream::Replace,
            DownstreamOperation::PartialUpdate => Downstream::PartialUpdate,
            DownstreamOperation::Delete => Downstream::Delete,
        };
        Some((operation, write.accepted))
    });
    let left = application.users();
    let left = left.iter().map(|user| (fields_of(user), user["active"] == true));
    (status, writes.collect(), left.collect())
}

fn by_model(profile: Behaviour, request: Request, gone: bool) -> Result3 {
    let setting = Setting::valid()[0];
    let mut world = World::new(profile, Method::Put, setting);
    let key = world.seed(0, fields("a", "old"), true);
    world.seed(0, fields("b", "old"), true);
    if gone {
        world.accounts().retain(|account| account.key != key);
    }
    let status = world.request_for_test(key, |world, key: Key| match request {
        Request::Post(name, values) => {
            let whole = fields(name, "new");
            let named = [(Path::UserName, name), (Path::ExternalId, name)];
            let whole = whole.attributes.iter().map(|(name, value)| (Path::Attribute(*name), value.as_str()));
            let values: Vec<(Path, &str)> =
                named.into_iter().chain(whole).chain(values.iter().copied()).collect();
            world.post(&desired_for_test(&values))
        }
        Request::Patch(values, active) => world.patch(key, &desired_for_test(values), active),
        Request::Put(values, active) => world.put(key, &desired_for_test(values), active, 0),
        Request::Delete => world.delete(key),
    });
    let writes = world.writes.iter().map(|write| (write.operation, write.accepted)).collect();
    let left = world.accounts().iter().map(|account| (account.fields.clone(), account.active));
    (status, writes, left.collect())
}

#[tokio::test]
async fn model_of_two_hops_agrees_with_the_mock() {
    let mock = MockAquera::builder().auth(Auth::bearer("t")).start().await.expect("a mock");
    let values: [Values; 9] = [
        &[],
        &[(TITLE, "new")],
        &[(Path::UserName, "c")],
        &[(Path::UserName, "b")],
        &[(Path::ExternalId, "other")],
        &[(GIVEN, "Bo")],
        &[(FAMILY, "Berg")],
        &[(EMAIL, "new@mail.example.com")],
        &[(TITLE, "new"), (GIVEN, "Bo"), (FAMILY, "Berg"), (EMAIL, "new@mail.example.com")],
    ];
    let mut requests = vec![Request::Post("c", &[]), Request::Post("b", &[]), Request::Delete];
    for values in values {
        for active in [None, Some(false)] {
            if !values.is_empty() || active.is_some() {
                requests.extend([Request::Patch(values, active), Request::Put(values, active)]);
            }
        }
    }
    let mut wrong = Vec::new();
    for profile in builtins() {
        for request in requests.iter().copied() {
            for gone in [false, true] {
                if gone && matches!(request, Request::Post(..) | Request::Delete) {
                    continue;
                }
                let (expected, actual) =
                    (by_model(*profile, request, gone), by_mock(&mock, *profile, request, gone).await);
                // The model knows success, not which of its statuses.
                let class = |status: u16| if status < 300 { 200 } else { status };
                if (class(expected.0), &expected.1, &expected.2) != (class(actual.0), &actual.1, &actual.2) {
                    wrong.push(format!(
                        "{} {request:?} gone={gone}\n  {expected:?}\n  {actual:?}",
                        profile.name
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "model, then mock:\n{}", wrong.join("\n"));
}
