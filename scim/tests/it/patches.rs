//! PATCH, rule by rule.

use scim::{
    error::ScimType,
    patch::{PatchOp, PatchRequest, apply, diff},
    schema::{ENTERPRISE_URN, GROUP_URN, PATCH_URN, Schema, SchemaSet, USER_URN},
    validate::validate,
};
use serde_json::{Value, json};

fn ida() -> Value {
    json!({
        "schemas": [USER_URN],
        "id": "1",
        "userName": "ida",
        "title": "Cook",
        "name": {"givenName": "Ida", "familyName": "Lund"},
        "emails": [
            {"type": "work", "value": "ida@acme.example", "primary": true},
            {"type": "home", "value": "lund@home.example"},
        ],
        "meta": {"resourceType": "User"},
    })
}

fn patched(before: &Value, operations: &Value, schemas: &SchemaSet) -> Result<Value, (ScimType, String)> {
    let body = json!({"schemas": [PATCH_URN], "Operations": operations});
    let request = PatchRequest::from_json(&body).map_err(|e| (e.scim_type(), e.to_string()))?;
    apply(before, &request, schemas).map_err(|e| (e.scim_type(), e.to_string()))
}

/// Applies operations to Ida and compares the members that `expected` names; `null` is "absent".
#[track_caller]
fn check(operations: Value, expected: Value) {
    let found = patched(&ida(), &operations, SchemaSet::user()).unwrap();
    assert_eq!(validate(&found, SchemaSet::user()), Ok(()), "{found}");
    let mut wanted = ida();
    for (key, value) in expected.as_object().unwrap() {
        if value.is_null() {
            wanted.as_object_mut().unwrap().remove(key);
        } else {
            wanted[key] = value.clone();
        }
    }
    assert_eq!(found, wanted);
    let request = PatchRequest::new(diff(&ida(), &found, SchemaSet::user()));
    assert_eq!(apply(&ida(), &request, SchemaSet::user()).unwrap(), found, "diff: {}", request.to_json());
}

#[track_caller]
fn refuse(operations: Value, kind: ScimType, detail: &str) {
    let error = patched(&ida(), &operations, SchemaSet::user()).unwrap_err();
    assert_eq!(error, (kind, detail.to_owned()));
}

fn work(value: &str) -> Value {
    json!({"type": "work", "value": value, "primary": true})
}

fn home() -> Value {
    json!({"type": "home", "value": "lund@home.example"})
}

#[test]
fn single_valued_attribute_is_patched() {
    check(json!([{"op": "add", "path": "nickName", "value": "Id"}]), json!({"nickName": "Id"}));
    check(json!([{"op": "add", "path": "TITLE", "value": "Chef"}]), json!({"title": "Chef"}));
    check(json!([{"op": "replace", "path": "title", "value": "Chef"}]), json!({"title": "Chef"}));
    check(json!([{"op": "replace", "path": "active", "value": false}]), json!({"active": false}));
    check(json!([{"op": "remove", "path": "title"}]), json!({"title": null}));
    check(json!([{"op": "remove", "path": "nickName"}]), json!({}));
    check(json!([{"op": "replace", "path": "title", "value": null}]), json!({"title": null}));
    check(json!([{"op": "add", "path": "title", "value": null}]), json!({}));
}

#[test]
fn complex_attribute_is_patched_by_sub_attribute() {
    let name = |given: &str| json!({"name": {"givenName": given, "familyName": "Lund"}});
    check(json!([{"op": "replace", "path": "name.givenName", "value": "Ide"}]), name("Ide"));
    check(json!([{"op": "replace", "path": "NAME.GIVENNAME", "value": "Ide"}]), name("Ide"));
    check(json!([{"op": "replace", "path": "name", "value": {"givenName": "Ide"}}]), name("Ide"));
    check(json!([{"op": "add", "path": "name", "value": {"GivenName": "Ide"}}]), name("Ide"));
    check(json!([{"op": "remove", "path": "name.givenName"}]), json!({"name": {"familyName": "Lund"}}));
    check(json!([{"op": "remove", "path": "name"}]), json!({"name": null}));
    check(
        json!([{"op": "replace", "path": "name", "value": {"givenName": null}}]),
        json!({"name": {"familyName": "Lund"}}),
    );
    check(
        json!([{"op": "remove", "path": "name.givenName"}, {"op": "remove", "path": "name.familyName"}]),
        json!({"name": null}),
    );
}

#[test]
fn operation_without_path_sets_each_member() {
    check(
        json!([{"op": "replace", "value": {"title": "Chef", "NAME": {"givenName": "Ide"}}}]),
        json!({"title": "Chef", "name": {"givenName": "Ide", "familyName": "Lund"}}),
    );
    check(
        json!([{"op": "add", "value": {"emails": [{"type": "other", "value": "o@acme.example"}]}}]),
        json!({"emails": [work("ida@acme.example"), home(), {"type": "other", "value": "o@acme.example"}]}),
    );
    check(
        json!([{"op": "replace", "value": {"name.givenName": "Ide"}}]),
        json!({"name": {"givenName": "Ide", "familyName": "Lund"}}),
    );
    check(json!([{"op": "replace", "value": {"id": "1"}}]), json!({}));
    refuse(
        json!([{"op": "replace", "value": {"title": "x", "id": "2"}}]),
        ScimType::Mutability,
        "operation 1: id is read-only",
    );
    refuse(
        json!([{"op": "replace", "value": {"shoe": 1}}]),
        ScimType::InvalidPath,
        "operation 1: shoe is not an attribute of the schema",
    );
}

#[test]
fn add_to_multi_valued_attribute_keeps_each_value_once() {
    let new = json!({"type": "other", "value": "o@acme.example"});
    let all = json!({"emails": [work("ida@acme.example"), home(), new]});
    check(json!([{"op": "add", "path": "emails", "value": [new]}]), all.clone());
    check(json!([{"op": "add", "path": "emails", "value": new}]), all.clone());
    check(json!([{"op": "add", "path": "emails", "value": [new, new]}]), all);
    check(json!([{"op": "add", "path": "emails", "value": [home()]}]), json!({}));
    check(json!([{"op": "add", "path": "emails", "value": [{"value": "LUND@home.example"}]}]), json!({}));
    check(
        json!([{"op": "add", "path": "emails", "value": [{"value": "lund@home.example", "display": "L"}]}]),
        json!({"emails": [work("ida@acme.example"),
            {"type": "home", "value": "lund@home.example", "display": "L"}]}),
    );
    check(
        json!([{"op": "add", "path": "emails", "value": [{"type": "other", "value": "lund@home.example"}]}]),
        json!({"emails": [work("ida@acme.example"), home(), {"type": "other", "value": "lund@home.example"}]}),
    );
    check(json!([{"op": "replace", "path": "emails", "value": [new]}]), json!({"emails": [new]}));
    check(json!([{"op": "replace", "path": "emails", "value": []}]), json!({"emails": null}));
    check(json!([{"op": "remove", "path": "emails"}]), json!({"emails": null}));
    check(
        json!([{"op": "remove", "path": "emails", "value": [{"value": "lund@home.example"}]}]),
        json!({"emails": [work("ida@acme.example")]}),
    );
    let address = json!({"type": "work", "locality": "Bergen"});
    check(
        json!([{"op": "add", "path": "addresses", "value": [address]},
               {"op": "add", "path": "addresses", "value": [address]}]),
        json!({"addresses": [address]}),
    );
    check(
        json!([{"op": "add", "path": "addresses", "value": [address]},
               {"op": "add", "path": "addresses", "value": {"type": "work", "locality": "Bergen", "primary": true}}]),
        json!({"addresses": [{"type": "work", "locality": "Bergen", "primary": true}]}),
    );
    check(
        json!([{"op": "add", "path": "addresses", "value": [address, {"type": "work"}]}]),
        json!({"addresses": [address, {"type": "work"}]}),
    );
}

#[test]
fn value_filter_selects_the_changed_values() {
    check(
        json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "i@acme.example"}]),
        json!({"emails": [work("i@acme.example"), home()]}),
    );
    check(
        json!([{"op": "replace", "path": "emails[TYPE eq \"WORK\"]", "value": {"value": "i@acme.example"}}]),
        json!({"emails": [work("i@acme.example"), home()]}),
    );
    check(
        json!([{"op": "add", "path": "emails[type eq \"home\"].display", "value": "L"}]),
        json!({"emails": [work("ida@acme.example"),
            {"type": "home", "value": "lund@home.example", "display": "L"}]}),
    );
    check(
        json!([{"op": "remove", "path": "emails[type eq \"home\"]"}]),
        json!({"emails": [work("ida@acme.example")]}),
    );
    check(
        json!([{"op": "remove", "path": "emails[type eq \"work\"].primary"}]),
        json!({"emails": [{"type": "work", "value": "ida@acme.example"}, home()]}),
    );
    check(json!([{"op": "remove", "path": "emails[value pr]"}]), json!({"emails": null}));
    check(
        json!([{"op": "replace", "path": "emails.display", "value": "x"}]),
        json!({"emails": [
            {"type": "work", "value": "ida@acme.example", "primary": true, "display": "x"},
            {"type": "home", "value": "lund@home.example", "display": "x"},
        ]}),
    );
    check(
        json!([{"op": "replace", "path": "emails[type eq \"work\"]", "value": [{"value": "i@acme.example"}]}]),
        json!({"emails": [work("i@acme.example"), home()]}),
    );
    check(
        json!([{"op": "replace", "path": "emails[type eq \"home\"]", "value": []}]),
        json!({"emails": [work("ida@acme.example")]}),
    );
    check(
        json!([{"op": "remove", "path": "emails[type eq \"home\"].value"},
               {"op": "remove", "path": "emails[type eq \"home\"].type"}]),
        json!({"emails": [work("ida@acme.example")]}),
    );
    for value in [json!("x"), json!(null)] {
        refuse(
            json!([{"op": "replace", "path": "emails[type eq \"fax\"].value", "value": value}]),
            ScimType::NoTarget,
            "operation 1: emails[type eq \"fax\"].value selects no value",
        );
    }
    // RFC 7644 §3.5.2.2 has no error for a removal that matches nothing.
    for path in ["emails[type eq \"fax\"].value", "emails[type eq \"fax\"]", "phoneNumbers[value sw \"+47\"]"]
    {
        check(json!([{"op": "remove", "path": path}]), json!({}));
    }
}

#[test]
fn add_to_multi_valued_sub_attribute_keeps_its_values() {
    let schema = json!({"id": "urn:x:Thing", "attributes": [
        {"name": "box", "type": "complex", "subAttributes": [
            {"name": "tags", "type": "string", "multiValued": true}, {"name": "size", "type": "integer"}]},
        {"name": "boxes", "type": "complex", "multiValued": true, "subAttributes": [
            {"name": "value", "type": "string"}, {"name": "tags", "type": "string", "multiValued": true}]}]});
    let set = SchemaSet::new(scim::schema::Schema::from_json(&schema).unwrap(), Vec::new());
    let thing = json!({"box": {"tags": ["a", "b"], "size": 1},
        "boxes": [{"value": "one", "tags": ["a"]}, {"value": "two", "tags": ["b"]}]});
    let run = |operation: Value| {
        let body = json!({"schemas": [scim::schema::PATCH_URN], "Operations": [operation]});
        let request = PatchRequest::from_json(&body).unwrap();
        apply(&thing, &request, &set).unwrap()
    };
    let add = |path: &str, value: Value| run(json!({"op": "add", "path": path, "value": value}));
    let replace = |path: &str, value: Value| run(json!({"op": "replace", "path": path, "value": value}));
    assert_eq!(add("box.tags", json!(["B", "c"]))["box"], json!({"tags": ["a", "b", "c"], "size": 1}));
    assert_eq!(add("box.tags", json!("c"))["box"]["tags"], json!(["a", "b", "c"]));
    assert_eq!(
        add("box", json!({"tags": ["c"], "size": 2}))["box"],
        json!({"tags": ["a", "b", "c"], "size": 2})
    );
    let whole = run(json!({"op": "add", "value": {"box": {"tags": ["c"]}}}));
    assert_eq!(whole["box"]["tags"], json!(["a", "b", "c"]));
    let one = "boxes[value eq \"one\"]";
    assert_eq!(add(&format!("{one}.tags"), json!(["z"]))["boxes"][0]["tags"], json!(["a", "z"]));
    assert_eq!(add(one, json!({"tags": ["z"]}))["boxes"][0]["tags"], json!(["a", "z"]));
    let again = add("boxes", json!([{"value": "two", "tags": ["z"]}]));
    assert_eq!(again["boxes"][1]["tags"], json!(["b", "z"]));
    assert_eq!(add("boxes.tags", json!(["z"]))["boxes"][1]["tags"], json!(["b", "z"]));
    assert_eq!(replace("box.tags", json!(["c"]))["box"]["tags"], json!(["c"]));
    assert_eq!(replace(&format!("{one}.tags"), json!(["z"]))["boxes"][0]["tags"], json!(["z"]));
    assert_eq!(replace("box", json!({"tags": ["c"]}))["box"], json!({"tags": ["c"], "size": 1}));
    let removed = run(json!({"op": "remove", "path": "box.tags", "value": ["A"]}));
    assert_eq!(removed["box"]["tags"], json!(["b"]));
    assert_eq!(run(json!({"op": "remove", "path": "box.tags"}))["box"], json!({"size": 1}));
}

#[test]
fn add_with_filter_creates_the_missing_value() {
    check(
        json!([{"op": "add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+47 1"}]),
        json!({"phoneNumbers": [{"type": "mobile", "value": "+47 1"}]}),
    );
    check(
        json!([{"op": "add", "path": "addresses[type eq \"work\" and primary eq true]", "value": {"locality": "Bergen"}}]),
        json!({"addresses": [{"type": "work", "primary": true, "locality": "Bergen"}]}),
    );
    refuse(
        json!([{"op": "add", "path": "phoneNumbers[type sw \"mob\"].value", "value": "+47 1"}]),
        ScimType::NoTarget,
        "operation 1: phoneNumbers[type sw \"mob\"].value selects no value",
    );
}

#[test]
fn new_primary_value_replaces_the_old_one() {
    let old = json!({"type": "work", "value": "ida@acme.example", "primary": false});
    let new = json!({"type": "home", "value": "lund@home.example", "primary": true});
    let swapped = json!({"emails": [old, new]});
    check(
        json!([{"op": "replace", "path": "emails[type eq \"home\"].primary", "value": true}]),
        swapped.clone(),
    );
    check(json!([{"op": "add", "path": "emails", "value": [new]}]), swapped.clone());
    check(
        json!([{"op": "replace", "path": "emails[type eq \"home\"]", "value": {"primary": true}}]),
        swapped,
    );
    let third = json!({"type": "other", "value": "o@acme.example", "primary": true});
    check(
        json!([{"op": "add", "path": "emails", "value": [third]}]),
        json!({"emails": [old, home(), third]}),
    );
    refuse(
        json!([{"op": "replace", "path": "emails.primary", "value": true}]),
        ScimType::InvalidValue,
        "operation 1: emails.primary would have more than one primary value",
    );
    refuse(
        json!([{"op": "replace", "path": "emails", "value": [new, third]}]),
        ScimType::InvalidValue,
        "operation 1: emails would have more than one primary value",
    );
}

#[test]
fn extension_attributes_are_patched() {
    let both = json!([USER_URN, ENTERPRISE_URN]);
    let ops = json!({"schemas": both, ENTERPRISE_URN: {"department": "Ops"}});
    check(
        json!([{"op": "add", "path": format!("{ENTERPRISE_URN}:department"), "value": "Ops"}]),
        ops.clone(),
    );
    check(json!([{"op": "add", "path": ENTERPRISE_URN, "value": {"Department": "Ops"}}]), ops.clone());
    check(json!([{"op": "replace", "path": ENTERPRISE_URN, "value": {"department": "Ops"}}]), ops.clone());
    check(
        json!([{"op": "add", "value": {ENTERPRISE_URN.to_uppercase(): {"department": "Ops"}}}]),
        ops.clone(),
    );
    check(json!([{"op": "replace", "value": {format!("{ENTERPRISE_URN}:department"): "Ops"}}]), ops.clone());
    check(json!([{"op": "add", "value": {"schemas": both, ENTERPRISE_URN: {"department": "Ops"}}}]), ops);
    let add = json!({"op": "add", "path": ENTERPRISE_URN, "value": {"department": "Ops", "manager": {"value": "7"}}});
    check(
        json!([add, {"op": "remove", "path": format!("{ENTERPRISE_URN}:manager")},
               {"op": "remove", "path": format!("{ENTERPRISE_URN}:department")}]),
        json!({}),
    );
    check(json!([add, {"op": "remove", "path": ENTERPRISE_URN}]), json!({}));
    check(json!([add, {"op": "replace", "value": {ENTERPRISE_URN: null}}]), json!({}));
    check(
        json!([add, {"op": "replace", "path": format!("{ENTERPRISE_URN}:manager.value"), "value": "8"}]),
        json!({"schemas": both, ENTERPRISE_URN: {"department": "Ops", "manager": {"value": "8"}}}),
    );
    refuse(
        json!([{"op": "remove", "path": USER_URN}]),
        ScimType::Mutability,
        &format!("operation 1: {USER_URN} is the main schema and cannot be removed"),
    );
    refuse(
        json!([{"op": "add", "path": "schemas", "value": ["urn:example:none"]}]),
        ScimType::InvalidValue,
        "operation 1: schemas names a schema that the resource type lacks",
    );
}

#[test]
fn read_only_and_immutable_attributes_are_not_changed() {
    let mutability = |operation: Value, detail: &str| {
        refuse(json!([operation]), ScimType::Mutability, &format!("operation 1: {detail}"));
    };
    mutability(json!({"op": "replace", "path": "id", "value": "1"}), "id is read-only");
    mutability(json!({"op": "remove", "path": "meta"}), "meta is read-only");
    mutability(json!({"op": "add", "path": "meta.version", "value": "x"}), "meta.version is read-only");
    mutability(json!({"op": "add", "path": "groups", "value": [{"value": "g"}]}), "groups is read-only");
    mutability(json!({"op": "remove", "path": "userName"}), "userName is required");
    mutability(json!({"op": "replace", "path": "userName", "value": null}), "userName is required");
    mutability(json!({"op": "remove", "path": "schemas"}), "schemas is required");
    let manager = format!("{ENTERPRISE_URN}:manager.displayName");
    mutability(json!({"op": "add", "path": manager, "value": "M"}), &format!("{manager} is read-only"));
    check(
        json!([{"op": "add", "path": format!("{ENTERPRISE_URN}:manager"), "value": {"value": "7", "displayName": "M"}}]),
        json!({"schemas": [USER_URN, ENTERPRISE_URN], ENTERPRISE_URN: {"manager": {"value": "7"}}}),
    );
}

#[test]
fn invalid_value_or_path_is_refused() {
    let value = |operation: Value, detail: &str| {
        refuse(json!([operation]), ScimType::InvalidValue, &format!("operation 1: {detail}"));
    };
    value(json!({"op": "replace", "path": "active", "value": "no"}), "active must be true or false");
    value(json!({"op": "replace", "path": "userName", "value": ""}), "userName is required");
    value(json!({"op": "replace", "path": "title", "value": ["x"]}), "title must be a text");
    value(json!({"op": "add", "path": "name", "value": "x"}), "name must be an object");
    value(json!({"op": "add", "path": "emails", "value": ["x"]}), "emails must be an object");
    value(
        json!({"op": "add", "path": "emails", "value": [{"mail": "x"}]}),
        "emails.mail is not an attribute of the schema",
    );
    value(
        json!({"op": "replace", "path": "name", "value": {"givenName": 3}}),
        "name.givenName must be a text",
    );
    let path = |path: &str, detail: &str| {
        let operation = json!([{"op": "add", "path": path, "value": "x"}]);
        refuse(operation, ScimType::InvalidPath, &format!("operation 1: {path} {detail}"));
    };
    path("shoe", "is not an attribute of the schema");
    path("name.shoe", "is not an attribute of the schema");
    path("userName.value", "is not an attribute of the schema");
    path("urn:example:x:2.0:User:title", "is not an attribute of the schema");
    path("name[givenName pr]", "selects among values, but the attribute has only one");
    path("emails[shoe pr]", "compares shoe, which is not a sub-attribute of emails");
    path("emails[not (a.b pr)]", "compares a.b, which is not a sub-attribute of emails");
}

#[test]
fn failed_operation_undoes_earlier_ones() {
    refuse(
        json!([{"op": "replace", "path": "title", "value": "x"}, {"op": "remove", "path": "id"}]),
        ScimType::Mutability,
        "operation 2: id is read-only",
    );
}

#[test]
fn patched_member_gets_canonical_spelling() {
    let before = json!({"schemas": [USER_URN], "USERNAME": "ida", "Title": "Cook"});
    let operations = json!([{"op": "replace", "path": "title", "value": "Chef"}]);
    let after = json!({"schemas": [USER_URN], "USERNAME": "ida", "title": "Chef"});
    assert_eq!(patched(&before, &operations, SchemaSet::user()), Ok(after));
}

#[test]
fn group_members_are_patched() {
    let group = json!({"schemas": [GROUP_URN], "displayName": "Cooks",
        "members": [{"value": "1", "type": "User"}, {"value": "2", "$ref": "../Users/2"}]});
    let members = |operations: Value| {
        patched(&group, &operations, SchemaSet::group()).map(|group| group["members"].clone())
    };
    let keep = json!([{"value": "1", "type": "User"}, {"value": "2", "$ref": "../Users/2"}]);
    assert_eq!(
        members(json!([{"op": "add", "path": "members", "value": [{"value": "2", "$ref": "/Users/2"}]}])),
        Ok(keep)
    );
    assert_eq!(
        members(json!([{"op": "remove", "path": "members[value eq \"1\"]"}])),
        Ok(json!([{"value": "2", "$ref": "../Users/2"}]))
    );
    assert_eq!(
        members(json!([{"op": "remove", "path": "members[$ref pr]"}])),
        Ok(json!([{"value": "1", "type": "User"}]))
    );
    let error = members(json!([{"op": "replace", "path": "members[value eq \"1\"].value", "value": "3"}]));
    assert_eq!(error.unwrap_err().0, ScimType::Mutability);
    assert_eq!(
        members(json!([{"op": "add", "path": "members[value eq \"2\"].type", "value": "User"}])),
        Ok(json!([{"value": "1", "type": "User"}, {"value": "2", "type": "User", "$ref": "../Users/2"}]))
    );
    assert_eq!(
        members(json!([{"op": "replace", "path": "members", "value": [{"value": "9"}]}])),
        Ok(json!([{"value": "9"}]))
    );
}

/// Returns schemas with characteristics that users and groups lack: immutable attributes, required sub-attributes, numbers,
/// dates, and multi-valued attributes that are not complex.
fn badges() -> SchemaSet {
    let plain = |name: &str, kind: &str| json!({"name": name, "type": kind});
    let mut serial = plain("serial", "string");
    serial["mutability"] = "immutable".into();
    let mut tags = plain("tags", "string");
    tags["multiValued"] = true.into();
    let mut code = plain("code", "string");
    code["required"] = true.into();
    let door = json!({"name": "door", "type": "complex", "subAttributes": [code, plain("floor", "integer")]});
    let mut doors = door.clone();
    doors["name"] = "doors".into();
    doors["multiValued"] = true.into();
    let attributes = json!([
        serial,
        tags,
        door,
        doors,
        plain("weight", "decimal"),
        plain("issued", "dateTime"),
        plain("picture", "binary")
    ]);
    let document = json!({"id": "urn:example:schemas:Badge", "name": "Badge", "attributes": attributes});
    SchemaSet::new(Schema::from_json(&document).unwrap(), Vec::new())
}

#[test]
fn custom_schema_is_patched_by_its_characteristics() {
    #[track_caller]
    fn check(before: Value, operation: Value, expected: Result<Value, ScimType>) {
        let with = |mut badge: Value| {
            badge["schemas"] = json!(["urn:example:schemas:Badge"]);
            badge
        };
        let found = patched(&with(before), &json!([operation]), &badges());
        assert_eq!(found.map_err(|(kind, _)| kind), expected.map(with));
    }
    let set = |op: &str, path: &str, value: Value| json!({"op": op, "path": path, "value": value});
    let serial = json!({"serial": "7"});
    check(json!({}), set("add", "serial", json!("7")), Ok(serial.clone()));
    check(serial.clone(), set("replace", "serial", json!("7")), Ok(serial.clone()));
    check(serial.clone(), set("replace", "serial", json!("8")), Err(ScimType::Mutability));
    check(serial, json!({"op": "remove", "path": "serial"}), Err(ScimType::Mutability));

    let tags = json!({"tags": ["red", "blue"]});
    check(
        tags.clone(),
        set("add", "tags", json!(["RED", "green"])),
        Ok(json!({"tags": ["red", "blue", "green"]})),
    );
    check(
        tags.clone(),
        json!({"op": "remove", "path": "tags[value eq \"red\"]"}),
        Ok(json!({"tags": ["blue"]})),
    );
    check(
        tags.clone(),
        set("replace", "tags[value sw \"b\"]", json!("pink")),
        Ok(json!({"tags": ["red", "pink"]})),
    );
    check(tags.clone(), set("replace", "tags[value sw \"b\"]", json!(1)), Err(ScimType::InvalidValue));
    check(tags.clone(), set("remove", "tags", json!(["blue"])), Ok(json!({"tags": ["red"]})));
    check(tags, set("add", "tags[value eq \"none\"]", json!("x")), Err(ScimType::NoTarget));

    check(json!({}), set("add", "door", json!({"floor": 2})), Err(ScimType::InvalidValue));
    check(json!({}), set("add", "door.floor", json!(2)), Err(ScimType::InvalidValue));
    check(json!({}), set("add", "door", json!({"code": "A"})), Ok(json!({"door": {"code": "A"}})));
    let door = json!({"door": {"code": "A", "floor": 2}});
    check(door.clone(), set("replace", "door.code", Value::Null), Err(ScimType::Mutability));
    check(door.clone(), set("replace", "door.floor", json!(2.5)), Err(ScimType::InvalidValue));
    check(door, json!({"op": "remove", "path": "door.floor"}), Ok(json!({"door": {"code": "A"}})));
    check(json!({}), set("add", "doors.floor", json!(1)), Err(ScimType::InvalidValue));
    check(json!({}), set("add", "doors[floor eq 1]", json!({})), Err(ScimType::InvalidValue));
    check(
        json!({}),
        set("add", "doors[floor eq 1].code", json!("B")),
        Ok(json!({"doors": [{"code": "B", "floor": 1}]})),
    );

    check(json!({}), set("add", "weight", json!(1.5)), Ok(json!({"weight": 1.5})));
    check(
        json!({}),
        set("add", "issued", json!("2025-05-05T05:05:05Z")),
        Ok(json!({"issued": "2025-05-05T05:05:05Z"})),
    );
    check(json!({}), set("add", "issued", json!("May")), Err(ScimType::InvalidValue));
    check(json!({}), set("add", "picture", json!("aGk=")), Ok(json!({"picture": "aGk="})));
    check(json!({}), set("add", "picture", json!("no!")), Err(ScimType::InvalidValue));
}

#[track_caller]
fn check_diff(after: Value, expected: Value) {
    let mut wanted = ida();
    for (key, value) in after.as_object().unwrap() {
        wanted[key] = value.clone();
    }
    let operations = diff(&ida(), &wanted, SchemaSet::user());
    let json: Vec<Value> = operations.iter().map(PatchOp::to_json).collect();
    assert_eq!(Value::from(json), expected);
    assert_eq!(apply(&ida(), &PatchRequest::new(operations), SchemaSet::user()), Ok(wanted));
}

#[test]
fn diff_has_no_unneeded_operation() {
    check_diff(json!({}), json!([]));
    check_diff(json!({"title": "Chef"}), json!([{"op": "replace", "path": "title", "value": "Chef"}]));
    check_diff(json!({"nickName": "Id"}), json!([{"op": "add", "path": "nickName", "value": "Id"}]));
    check_diff(
        json!({"name": {"givenName": "Ide", "middleName": "M"}}),
        json!([
            {"op": "remove", "path": "name.familyName"},
            {"op": "replace", "path": "name.givenName", "value": "Ide"},
            {"op": "add", "path": "name.middleName", "value": "M"},
        ]),
    );
    check_diff(
        json!({"emails": [work("i@acme.example"), home()]}),
        json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "i@acme.example"}]),
    );
    check_diff(
        json!({"emails": [work("ida@acme.example"), {"type": "other", "value": "o"}]}),
        json!([
            {"op": "remove", "path": "emails[type eq \"home\"]"},
            {"op": "add", "path": "emails", "value": [{"type": "other", "value": "o"}]},
        ]),
    );
    check_diff(
        json!({"emails": [home(), work("ida@acme.example")]}),
        json!([{"op": "replace", "path": "emails", "value": [home(), work("ida@acme.example")]}]),
    );
    check_diff(
        json!({"schemas": [USER_URN, ENTERPRISE_URN], ENTERPRISE_URN: {"department": "Ops"}}),
        json!([{"op": "add", "path": format!("{ENTERPRISE_URN}:department"), "value": "Ops"}]),
    );
}
