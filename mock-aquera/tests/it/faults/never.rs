//! Rules that can never strike are refused, with the reason and what was probably meant.

use reqwest::Method;
use serde_json::json;

use crate::admin::Admin;
use crate::client::start;
use crate::program::finished;

const FAULTS: &str = "/applications/default/faults";

#[tokio::test]
async fn rule_that_no_request_fits_is_refused_with_the_way_out() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    for (rule, part) in [
        ("status=503 id=abc path=/Users", "write `path=/Users/*`"),
        ("status=503 id=abc path=/Users/def", "`id=abc`"),
        ("status=503 id=abc path=/Me", "`id=abc`"),
        ("status=503 id=\"\"", "`id` is empty"),
        ("status=503 user-name=x type=Group", "Group has no userName"),
        ("status=503 user-name=x path=/Groups/*", "Group has no userName"),
        ("status=503 until=2001-01-01T00:00:00Z", "is past"),
        ("status=503 patch-path=actve", "did you mean `active`?"),
        ("status=503 patch-path=members type=User", "`members` is not an attribute of User"),
        ("status=503 patch-path=active type=Group", "`active` is not an attribute of Group"),
        ("status=503 patch-path=active path=/Groups/*", "`active` is not an attribute of Group"),
        ("status=503 patch-path=active path=/Users", "write `path=/Users/*`"),
        ("status=503 method=PUT path=/Users", "write `path=/Users/*`"),
        ("status=503 method=POST path=/Users/*", "write `path=/Users`"),
        ("status=503 path=/Users/*/x", "ids alone"),
        ("status=503 patch-path=emails[type", "`emails[type` is not a path"),
        ("status=503 patch-path=emails.valu", "did you mean `emails.value`?"),
        ("status=503 patch-path=title path=/Bulk", "PATCH requests alone"),
        ("status=503 patch-path=title path=/Schemas", "PATCH requests alone"),
        ("status=503 patch-path=title path=/Schemas/*", "PATCH requests alone"),
        ("status=503 patch-path=title path=/ServiceProviderConfig", "PATCH requests alone"),
        ("status=503 patch-path=title path=/.search", "PATCH requests alone"),
        ("latency=0ms", "`latency=0s` changes nothing"),
        ("latency=uniform(0s,0ms)", "changes nothing"),
        ("latency=lognormal(0s,1)", "changes nothing"),
        ("refuse=0s", "`refuse=0s` changes nothing"),
    ] {
        let body = json!({ "rule": rule }).to_string();
        admin.refused(Method::POST, FAULTS, &body, 400, "can never strike").await;
        admin.refused(Method::POST, FAULTS, &body, 400, part).await;
    }
    for rule in [
        "status=503 id=abc path=/Users/*",
        "status=503 id=abc path=/*/abc",
        "status=503 user-name=x type=User path=/Users",
        "status=503 user-name=x path=/**",
        "status=503 until=2999-01-01T00:00:00Z",
        "status=503 patch-path=members",
        "status=503 patch-path=emails[type eq \\\"work\\\"].value".replace('\\', "").as_str(),
        "status=503 method=POST,GET path=/Users/*",
        "status=503 method=POST path=/Users/.search",
        "status=503 path=/Users/**",
        "status=503 patch-path=active path=/Users/*",
        "status=503 patch-path=active path=/Me",
        "status=503 patch-path=active path=/**",
        "latency=uniform(0ms,1ms)",
        "hang=0s",
        "dribble=16/0ms",
        "status=503 patch-path=urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    ] {
        let quoted = match rule.split_once("patch-path=emails") {
            Some((before, path)) => format!("{before}patch-path=\"emails{}\"", path.replace('"', "\\\"")),
            None => rule.to_owned(),
        };
        let added = admin.post(FAULTS, json!({ "rule": quoted })).await;
        assert_eq!(added.status, 201, "{quoted}: {added:?}");
    }
}

#[tokio::test]
async fn instant_that_is_past_is_judged_by_the_clock_of_the_application() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    let clock = json!({"freeze": true, "now": "2000-01-01T00:00:00Z"});
    assert_eq!(admin.post("/applications/default/clock", clock).await.status, 200);
    let added = admin.post(FAULTS, json!({"rule": "status=503 until=2001-01-01T00:00:00Z"})).await;
    assert_eq!(added.status, 201, "{added:?}");
}

#[test]
fn unknown_preset_is_met_with_the_presets_first_and_no_rule_is_refused() {
    let (code, _, err) = finished(&["--listen", "127.0.0.1:0", "--fault", "chaos"]);
    let presets = err.find("the presets are mild, rough and hostile");
    assert!(code == 2 && presets.is_some() && !err.contains("`phase`"), "{err}");
    for rule in ["", " ", "# none"] {
        let (code, _, err) = finished(&["--listen", "127.0.0.1:0", "--fault", rule]);
        assert!(code == 2 && err.contains("status=503"), "{rule:?}: {code} {err}");
    }
}
