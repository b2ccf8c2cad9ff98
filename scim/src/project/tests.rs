//! Projections of resources with every kind of `returned`.

use serde_json::json;

use super::*;
use crate::schema::ENTERPRISE_URN;

/// Returns schemas with every `returned` at both levels: the first letter of a name tells which.
fn things() -> SchemaSet {
    let returned = |name: &str| match name.as_bytes()[0] {
        b'a' => "always",
        b'n' => "never",
        b'r' => "request",
        _ => "default",
    };
    let plain = |name: &str| json!({"name": name, "returned": returned(name)});
    let complex = |name: &str, many: bool| {
        let subs: Vec<Value> = ["a", "n", "r", "d", "d2"].into_iter().map(plain).collect();
        json!({"name": name, "returned": returned(name), "type": "complex", "multiValued": many,
            "subAttributes": subs})
    };
    let attributes = json!([
        plain("a1"),
        plain("n1"),
        plain("r1"),
        plain("d1"),
        complex("aC", false),
        complex("rC", false),
        complex("dC", false),
        complex("dM", true),
    ]);
    let core = json!({"id": "urn:example:thing", "attributes": attributes});
    let more = json!({"id": "urn:example:more:1.0", "attributes": [plain("aX"), plain("dX"), plain("rX")]});
    let calm = json!({"id": "urn:example:calm", "attributes": [plain("dY")]});
    let read = |document| Schema::from_json(document).unwrap();
    SchemaSet::new(read(&core), vec![read(&more), read(&calm)])
}

fn thing() -> Value {
    let parts = json!({"a": 1, "n": 1, "r": 1, "d": 1, "d2": 1});
    json!({"id": "7", "schemas": [], "externalId": "x", "meta": {"version": "1"},
        "a1": 1, "n1": 1, "r1": 1, "d1": 1, "aC": parts, "rC": parts, "dC": parts, "dM": [parts, parts],
        "urn:example:more:1.0": {"aX": 1, "dX": 1, "rX": 1}, "urn:example:calm": {"dY": 1}, "own": 1})
}

/// Returns the shown members in one line, without `id` and `schemas`, which are always shown.
fn said(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut parts: Vec<String> = members
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "id" | "schemas"))
                .map(|(key, value)| format!("{}{}", key.replace("urn:example:", ""), said(value)))
                .collect();
            parts.sort();
            let parts = parts.join(" ");
            format!("({parts})")
        }
        Value::Array(values) => format!("[{}]", values.first().map(said).unwrap_or_default()),
        _ => String::new(),
    }
}

#[track_caller]
fn check(attributes: Option<&str>, excluded: Option<&str>, expected: &str) {
    let set = things();
    let projection = Projection::new(attributes, excluded, &set).unwrap();
    let shown = projection.apply(&thing());
    assert!(shown["id"] == "7" && shown["schemas"].is_array(), "the attributes that are always returned");
    assert_eq!(said(&shown), format!("({expected})"));
    // Nothing is shown that the members needed do not name.
    if let Some(needs) = projection.needs() {
        assert!(shown.as_object().unwrap().keys().all(|key| needs.contains(key)), "{needs:?}");
    }
}

const DEFAULT: &str = "a1 aC(a d d2) calm(dY) d1 dC(a d d2) dM[(a d d2)] externalId meta(version) \
                       more:1.0(aX dX) own";

#[test]
fn default_projection_returns_default_and_always_attributes() {
    check(None, None, DEFAULT);
    check(Some(" , "), Some(""), DEFAULT);
    check(None, Some("shoe,urn:example:none"), DEFAULT);
    let set = things();
    assert_eq!(Projection::new(None, None, &set), Ok(Projection::default_for(&set)));
}

#[test]
fn attributes_parameter_returns_named_and_always_attributes() {
    const ALWAYS: &str = "a1 aC(a d d2)";
    check(Some("shoe"), None, &format!("{ALWAYS} more:1.0(aX)"));
    check(Some("d1"), None, &format!("{ALWAYS} d1 more:1.0(aX)"));
    check(Some("D1 , EXTERNALID"), None, &format!("{ALWAYS} d1 externalId more:1.0(aX)"));
    check(Some("n1,r1"), None, &format!("{ALWAYS} more:1.0(aX) r1"));
    check(Some("urn:example:thing:d1"), None, &format!("{ALWAYS} d1 more:1.0(aX)"));
    check(Some("dC"), None, &format!("{ALWAYS} dC(a d d2) more:1.0(aX)"));
    check(Some("dC.d"), None, &format!("{ALWAYS} dC(a d) more:1.0(aX)"));
    check(Some("dM.d2,dM.n"), None, &format!("{ALWAYS} dM[(a d2)] more:1.0(aX)"));
    check(Some("dC.r"), None, &format!("{ALWAYS} dC(a r) more:1.0(aX)"));
    check(Some("dC,dC.r"), None, &format!("{ALWAYS} dC(a d d2 r) more:1.0(aX)"));
    check(Some("rC"), None, &format!("{ALWAYS} more:1.0(aX) rC(a d d2)"));
    check(Some("rC.d"), None, &format!("{ALWAYS} more:1.0(aX) rC(a d)"));
    check(Some("aC.d"), None, "a1 aC(a d) more:1.0(aX)");
    check(Some("meta.version,meta.nope"), None, &format!("{ALWAYS} meta(version) more:1.0(aX)"));
}

#[test]
fn projection_names_extensions_by_urn_or_attribute() {
    check(Some("URN:example:MORE:1.0"), None, "a1 aC(a d d2) more:1.0(aX dX)");
    check(Some("urn:example:more:1.0:rX"), None, "a1 aC(a d d2) more:1.0(aX rX)");
    check(Some("dX"), None, "a1 aC(a d d2) more:1.0(aX dX)");
    check(Some("urn:example:calm:dY"), None, "a1 aC(a d d2) calm(dY) more:1.0(aX)");
    let without = |part: &str| DEFAULT.replace(part, "");
    check(None, Some("urn:example:calm"), &without("calm(dY) "));
    check(None, Some("urn:example:more:1.0"), &without(" dX"));
    check(None, Some("dY"), &without("calm(dY) "));
    check(Some("urn:example:thing"), None, "a1 aC(a d d2) d1 dC(a d d2) dM[(a d d2)] more:1.0(aX)");
}

#[test]
fn excluded_attributes_keep_always_attributes() {
    check(None, Some("id,a1,aC,schemas,d1"), &DEFAULT.replace("d1 ", ""));
    check(None, Some("dC.a,dC.d"), &DEFAULT.replace("dC(a d d2)", "dC(a d2)"));
    check(None, Some("dC"), &DEFAULT.replace("dC(a d d2) ", ""));
    check(None, Some("dM.d"), &DEFAULT.replace("dM[(a d d2)]", "dM[(a d2)]"));
    check(None, Some("r1,rC.d"), DEFAULT);
    check(None, Some("meta,externalId"), &DEFAULT.replace("externalId meta(version) ", ""));
}

#[test]
fn default_projection_hides_the_password() {
    let user = json!({"id": "1", "userName": "ida", "password": "x", "EMAILS": [{"Value": "a", "type": "b"}],
        ENTERPRISE_URN: {"department": "d"}});
    let show = |attributes| Projection::new(attributes, None, SchemaSet::user()).unwrap().apply(&user);
    assert!(show(None).get("password").is_none());
    assert_eq!(show(Some("password")), json!({"id": "1"}));
    assert_eq!(show(Some("emails.value")), json!({"id": "1", "EMAILS": [{"Value": "a"}]}));
    assert_eq!(show(Some("department")), json!({"id": "1", ENTERPRISE_URN: {"department": "d"}}));
}

#[test]
fn projection_with_both_parameters_is_refused() {
    let error = Projection::new(Some("a"), Some("b"), SchemaSet::user()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`attributes` and `excludedAttributes` exclude each other; give one of them"
    );
}

#[test]
fn projection_reports_needed_members_and_default() {
    let users = SchemaSet::user();
    let of = |attributes, excluded| Projection::new(attributes, excluded, users).unwrap();
    assert!(of(None, None).is_default() && of(None, Some("shoe")).is_default());
    assert!(!of(Some("shoe"), None).is_default() && !of(None, Some("title")).is_default());
    assert_eq!(of(None, Some("title")).needs(), None);
    let needs = |attributes| of(Some(attributes), None).needs().unwrap().iter().cloned().collect::<Vec<_>>();
    assert_eq!(needs("USERNAME"), ["id", "schemas", "userName"]);
    assert_eq!(needs("manager.value"), ["id", "schemas", ENTERPRISE_URN]);
}

#[test]
fn projection_of_a_non_object_is_unchanged() {
    let projection = Projection::default_for(SchemaSet::user());
    for value in [json!(null), json!([1]), json!("x")] {
        assert_eq!(projection.apply(&value), value);
    }
    assert_eq!(projection.apply(&json!({"emails": [], "name": {}})), json!({"emails": [], "name": {}}));
}
