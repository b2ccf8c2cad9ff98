//! The requests of each operation, by update method and profile. Ids, times and versions are left out.

use std::fmt::Write as _;
use std::sync::Arc;

use conformance::matrix::cell::{Auth, Cell, Target, Trial};
use conformance::matrix::model::{Method, builtins};
use conformance::matrix::run::environment::SharedEnvironment;
use conformance::matrix::run::transcript;
use conformance::matrix::scenario;
use conformance::matrix::setting::Setting;
use mock_aquera::Exchange;
use serde_json::Value;

const BY_DISABLE: &str = "create+update+disable+deprovision-by-disable+rules";
const BY_DELETE: &str = "create+update+disable+deprovision-by-delete+rules";

/// An operation, the scenario whose last run it is, and the setting.
const OPERATIONS: [(&str, &str, &str); 8] = [
    ("create", "created", BY_DISABLE),
    ("link", "already-there-as-wanted", BY_DISABLE),
    ("update", "attributes-changed", BY_DISABLE),
    ("disable", "disabled", BY_DISABLE),
    ("enable", "enabled-again", BY_DISABLE),
    ("disable and update", "disabled-and-changed", BY_DISABLE),
    ("remove by disable", "deleted", BY_DISABLE),
    ("remove by delete", "deleted", BY_DELETE),
];

fn redact(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| name.as_str() != "meta")
            .map(|(name, value)| (name.clone(), if name == "id" { "ID".into() } else { redact(value) }))
            .collect(),
        Value::Array(values) => values.iter().map(redact).collect(),
        other => other.clone(),
    }
}

fn spell(exchange: &Exchange) -> String {
    let path = exchange.path.split("/scim").nth(1).expect("a SCIM path");
    let path = match path.strip_prefix("/Users/") {
        Some(_) => "/Users/ID".to_owned(),
        None => path.to_owned(),
    };
    let downstream: Vec<String> = exchange
        .downstream
        .iter()
        .map(|write| format!("{:?}{}", write.operation, if write.accepted { "" } else { " refused" }))
        .collect();
    let status = exchange.status.map_or(0, |status| status.as_u16());
    let mut text = format!("    {} {path} -> {status} [{}]\n", exchange.method, downstream.join(", "));
    if let Some(body) = &exchange.request_body {
        writeln!(text, "      {}", redact(body)).expect("a string");
    }
    text
}

#[tokio::test]
async fn operations_on_the_wire_match_the_snapshots() {
    let shared = Arc::new(SharedEnvironment::open(1).await.expect("a mock"));
    let mut index = 0;
    for profile in builtins() {
        let mut text = String::new();
        for (operation, slug, setting) in OPERATIONS {
            writeln!(text, "{operation}").expect("a string");
            for method in Method::ALL {
                let scenario = scenario::all().into_iter().find(|scenario| scenario.slug == slug);
                let target = Target { auth: Auth::Bearer, method, profile: *profile };
                let setting = Setting::from_slug(setting).expect("a setting");
                let cell = Cell { setting, trial: Trial::Scenario(target, scenario.expect("a scenario")) };
                index += 1;
                let exchanges = transcript(&shared, index, cell).await.expect("a cell that passes");
                writeln!(text, "  {}", method.as_str()).expect("a string");
                // The connection test is the same everywhere.
                for exchange in exchanges.iter().skip_while(|exchange| is_connection_test(exchange)) {
                    text.push_str(&spell(exchange));
                }
            }
        }
        insta::assert_snapshot!(format!("wire-{}", profile.name), text);
    }
}

fn is_connection_test(exchange: &Exchange) -> bool {
    exchange.path.ends_with("/ServiceProviderConfig") || exchange.path.ends_with("/Users?count=1")
}
