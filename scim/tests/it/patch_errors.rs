//! Errors of PATCH: the state that a request leaves, and the names in messages.

use scim::{
    error::ScimType,
    patch::{PatchError, PatchRequest, apply},
    schema::{PATCH_URN, Schema, SchemaSet, USER_URN},
};
use serde_json::{Value, json};

fn patched(before: &Value, operations: &Value, schemas: &SchemaSet) -> Result<Value, PatchError> {
    let request = PatchRequest::from_json(&json!({"schemas": [PATCH_URN], "Operations": operations}))?;
    apply(before, &request, schemas)
}

#[test]
fn patch_that_leaves_an_extension_incomplete_is_refused() {
    let core = json!({"id": "urn:x:Thing", "attributes": [{"name": "size", "type": "integer"}]});
    let extra =
        json!({"id": "urn:x:Extra", "attributes": [{"name": "code", "required": true}, {"name": "note"}]});
    let read = |document: &Value| Schema::from_json(document).unwrap();
    let schemas = SchemaSet::new(read(&core), vec![read(&extra)]);
    let operations = |path: &str| json!([{"op": "add", "path": path, "value": "n"}]);
    let thing = json!({"schemas": ["urn:x:Thing"]});
    let note = patched(&thing, &operations("urn:x:Extra:note"), &schemas);
    let error = note.map_err(|error| (error.scim_type(), error.to_string()));
    assert_eq!(error, Err((ScimType::InvalidValue, "urn:x:Extra:code is required".to_owned())));
    assert!(patched(&thing, &operations("urn:x:Extra:code"), &schemas).is_ok());
    // The request is not responsible for a value that was missing before.
    let incomplete = json!({"schemas": ["urn:x:Thing", "urn:x:Extra"], "urn:x:Extra": {"note": "o"}});
    let replaced = patched(&incomplete, &operations("urn:x:Extra:note"), &schemas).unwrap();
    assert_eq!(replaced["urn:x:Extra"], json!({"note": "n"}));
}

#[test]
fn error_about_an_unknown_name_has_that_name() {
    let user =
        json!({"schemas": [USER_URN], "userName": "ida", "emails": [{"type": "work", "value": "a@x"}]});
    let error = |operation: &Value| patched(&user, &json!([operation]), SchemaSet::user()).unwrap_err();
    for (operation, attribute) in [
        (json!({"op": "add", "path": "shoe", "value": 1}), "shoe"),
        (json!({"op": "add", "value": {"shoe": 1}}), "shoe"),
        (json!({"op": "add", "path": "emails", "value": [{"shoe": 1}]}), "emails.shoe"),
        (json!({"op": "add", "path": "emails[shoe eq 1].value", "value": "a"}), "emails.shoe"),
        (json!({"op": "add", "path": "/name/givenName", "value": "a"}), "name.givenName"),
    ] {
        let error = error(&operation);
        assert_eq!(
            (error.unknown_attribute(), error.misspelt_word()),
            (Some(attribute), None),
            "{operation}"
        );
        assert_eq!(error.operation(), Some(1));
    }
    for (operation, word, known) in [
        (json!({"op": "repalce", "path": "title", "value": "a"}), "repalce", "replace"),
        (json!({"op": "add", "path": "title", "valeu": "a"}), "valeu", "value"),
    ] {
        let error = error(&operation);
        let (found, all) = error.misspelt_word().unwrap();
        assert!(found == word && all.contains(&known), "{operation}: {found} {all:?}");
        assert_eq!(error.unknown_attribute(), None);
    }
}
