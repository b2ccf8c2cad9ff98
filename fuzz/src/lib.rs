//! Resources that several targets match and change.

use std::sync::LazyLock;

use scim::schema::{ENTERPRISE_URN, GROUP_URN, SchemaSet, USER_URN};
use serde_json::{Value, json};

/// A user with a value of every type, a minimal user, and a group.
pub static RESOURCES: LazyLock<[(Value, &'static SchemaSet); 3]> = LazyLock::new(|| {
    let full = json!({
        "schemas": [USER_URN, ENTERPRISE_URN], "id": "u-1", "externalId": "E-1", "userName": "ida@example.com",
        "name": {"givenName": "Ida", "familyName": "Straße"}, "displayName": "Ida \"I\" Straße", "active": true,
        "emails": [
            {"type": "work", "value": "ida@example.com", "primary": true},
            {"type": "home", "value": "ida@example.org"}
        ],
        "phoneNumbers": [{"type": "mobile", "value": "+44 20 7946 0001"}],
        "addresses": [{"type": "work", "country": "GB", "locality": "London"}],
        "x509Certificates": [{"value": "AAEC"}],
        "meta": {"resourceType": "User", "created": "2024-05-01T10:00:00Z", "lastModified": "2024-05-01T12:00:00+02:00"},
        ENTERPRISE_URN: {"department": "Sales", "employeeNumber": "007", "manager": {"value": "u-2"}},
    });
    let bare = json!({"schemas": [USER_URN], "id": "u-2", "userName": "bo"});
    let group = json!({
        "schemas": [GROUP_URN], "id": "g-1", "displayName": "Everyone",
        "members": [{"value": "u-1", "type": "User"}, {"value": "u-2", "type": "User", "display": "Bo"}],
    });
    [(full, SchemaSet::user()), (bare, SchemaSet::user()), (group, SchemaSet::group())]
});

/// Returns the `schemas` of a user with or without the enterprise extension.
pub fn user_schemas(enterprise: bool) -> Value {
    if enterprise { json!([USER_URN, ENTERPRISE_URN]) } else { json!([USER_URN]) }
}
