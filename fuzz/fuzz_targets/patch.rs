//! Any JSON as the operations of a PATCH: a valid resource stays valid if the request is accepted, and the request means
//! the same after it is written and read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scim::{
    patch::{PatchRequest, apply},
    schema::PATCH_URN,
    validate::validate,
};
use scim_fuzz::RESOURCES;
use serde_json::{Value, json};

fuzz_target!(|body: &[u8]| {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return };
    // A whole message, or its operations, or one of them: so that a mutation need not keep the frame.
    let message = match value {
        Value::Object(ref members) if members.contains_key("Operations") => value,
        Value::Array(_) => json!({"schemas": [PATCH_URN], "Operations": value}),
        other => json!({"schemas": [PATCH_URN], "Operations": [other]}),
    };
    let request = match PatchRequest::from_json(&message) {
        Ok(request) => request,
        Err(error) => return drop(error.to_string()),
    };
    let again = PatchRequest::from_json(&request.to_json()).expect("a written request is one");
    assert_eq!(again, request);
    for (resource, schemas) in RESOURCES.iter() {
        match apply(resource, &request, schemas) {
            Ok(patched) => {
                assert_eq!(apply(resource, &again, schemas).as_ref(), Ok(&patched));
                let problems = validate(&patched, schemas);
                assert!(problems.is_ok(), "{message} made {patched}: {problems:?}");
            }
            Err(error) => drop(error.to_string()),
        }
    }
});
