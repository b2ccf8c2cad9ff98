//! The model of the two hops against the mock itself: each kind of request under each profile, over a socket.

use std::collections::BTreeMap;

use mock_aquera::{Application, ApplicationConfig, Auth, DownstreamOperation, MockAquera, Profile};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::matrix::model::{Attribute, Behaviour, Downstream, Fields, Key, Method, World, builtins};
use crate::matrix::run::configuration::{fields_of, resource};
use crate::matrix::setting::Setting;

/// What is asked.
#[derive(Debug, Clone, Copy)]
enum Request {
    Post(&'static str),
    Patch { title: Option<&'static str>, name: Option<&'static str>, active: Option<bool> },
    Put { title: Option<&'static str>, name: Option<&'static str>, active: Option<bool> },
    Delete,
}

/// Status, writes (operation, accepted), and what is left: name, title, `active`.
type Result3 = (u16, Vec<(Downstream, bool)>, Vec<(String, Option<String>, bool)>);

fn fields(name: &str, title: &str) -> Fields {
    Fields {
        user_name: name.to_owned(),
        external_id: Some(name.to_owned()),
        attributes: BTreeMap::from([(Attribute::Title, title.to_owned())]),
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
        Request::Post(name) => {
            send(&application, "POST", "", Some(&resource(&fields(name, "new"), true))).await
        }
        Request::Patch { title, name, active } => {
            let mut operations = Vec::new();
            let mut replace = |path: &str, value: Value| {
                operations.push(json!({ "op": "replace", "path": path, "value": value }));
            };
            if let Some(title) = title {
                replace("title", json!(title));
            }
            if let Some(name) = name {
                replace("userName", json!(name));
            }
            if let Some(active) = active {
                replace("active", json!(active));
            }
            let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
            let body = json!({ "schemas": schemas, "Operations": operations });
            send(&application, "PATCH", &path, Some(&body)).await
        }
        Request::Put { title, name, active } => {
            let mut body = account;
            if let Some(title) = title {
                body["title"] = json!(title);
            }
            if let Some(name) = name {
                body["userName"] = json!(name);
            }
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
    let left = left.iter().map(|user| {
        let fields = fields_of(user);
        (fields.user_name, fields.attributes.get(&Attribute::Title).cloned(), user["active"] == true)
    });
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
    let desired = |title: Option<&str>, name: Option<&str>| {
        let changed = fields(name.unwrap_or("a"), title.unwrap_or("old"));
        (title.is_some() || name.is_some()).then(|| crate::matrix::model::desired_for_test(changed, "a"))
    };
    let status = world.request_for_test(key, |world, key: Key| match request {
        Request::Post(name) => world.post(fields(name, "new")),
        Request::Patch { title, name, active } => world.patch(key, desired(title, name).as_ref(), active),
        Request::Put { title, name, active } => world.put(key, desired(title, name).as_ref(), active, 0),
        Request::Delete => world.delete(key),
    });
    let writes = world.writes.iter().map(|write| (write.operation, write.accepted)).collect();
    let left = world.accounts().iter().map(|account| {
        (
            account.fields.user_name.clone(),
            account.fields.attributes.get(&Attribute::Title).cloned(),
            account.active,
        )
    });
    (status, writes, left.collect())
}

#[tokio::test]
async fn the_model_of_the_two_hops_is_the_mock() {
    let mock = MockAquera::builder().auth(Auth::bearer("t")).start().await.expect("a mock");
    let change = |title, name, active| Request::Patch { title, name, active };
    let whole = |title, name, active| Request::Put { title, name, active };
    let requests = [
        Request::Post("c"),
        Request::Post("b"),
        change(Some("new"), None, None),
        change(None, None, Some(false)),
        change(Some("new"), None, Some(false)),
        change(None, Some("c"), None),
        change(None, Some("b"), None),
        whole(Some("new"), None, None),
        whole(None, None, Some(false)),
        whole(Some("new"), None, Some(false)),
        whole(None, Some("c"), None),
        whole(None, Some("b"), None),
        Request::Delete,
    ];
    let mut wrong = Vec::new();
    for profile in builtins() {
        for request in requests {
            for gone in [false, true] {
                if gone && matches!(request, Request::Post(_) | Request::Delete) {
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
