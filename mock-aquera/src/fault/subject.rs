//! What a rule can ask of a body.

use scim::json::get_ci;
use serde_json::Value;

use crate::patched_paths;

/// The `userName` in the body of a POST or a PUT.
pub(crate) fn user_name(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    get_ci(body.as_object()?, "userName")?.as_str().map(str::to_owned)
}

/// What the operations in the body of a PATCH name.
pub(crate) fn patch_paths(body: &[u8]) -> Vec<String> {
    serde_json::from_slice(body).map(|body| patched_paths::paths(&body)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_names_its_user() {
        assert_eq!(user_name(br#"{"username":"ana"}"#).as_deref(), Some("ana"));
        for body in ["{}", r#"{"userName":1}"#, "[]", "", "{"] {
            assert_eq!(user_name(body.as_bytes()), None, "{body}");
        }
    }
}
