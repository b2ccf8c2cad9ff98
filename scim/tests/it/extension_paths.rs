//! The URN of an extension as a path of PATCH, in every form.

use scim::{
    patch::{PatchRequest, apply},
    schema::{PATCH_URN, Schema, SchemaSet, USER_URN},
};
use serde_json::{Value, json};

fn patched(before: &Value, operations: &Value, schemas: &SchemaSet) -> Value {
    let body = json!({"schemas": [PATCH_URN], "Operations": operations});
    apply(before, &PatchRequest::from_json(&body).unwrap(), schemas).unwrap()
}

#[test]
fn extension_urn_in_any_form_is_a_path() {
    for urn in ["urn:example:Ext", "urn:example:ext:2.0:User", "urn:example:params:1.0"] {
        let extension = Schema::from_json(&json!({
            "id": urn,
            "name": "Ext",
            "attributes": [{"name": "badge", "type": "string"}],
        }))
        .unwrap();
        let schemas = SchemaSet::new(SchemaSet::user().core().clone(), vec![extension]);
        let add = json!([{"op": "add", "path": urn, "value": {"badge": "7"}}]);
        let added = patched(&json!({"schemas": [USER_URN], "userName": "ida"}), &add, &schemas);
        assert_eq!(added[urn], json!({"badge": "7"}), "{urn}");
        assert_eq!(added["schemas"], json!([USER_URN, urn]));
        let one = json!([{"op": "replace", "path": format!("{urn}:badge"), "value": "8"}]);
        assert_eq!(patched(&added, &one, &schemas)[urn], json!({"badge": "8"}), "{urn}");
        let removed = patched(&added, &json!([{"op": "remove", "path": urn}]), &schemas);
        assert_eq!((removed.get(urn), &removed["schemas"]), (None, &json!([USER_URN])), "{urn}");
    }
}
