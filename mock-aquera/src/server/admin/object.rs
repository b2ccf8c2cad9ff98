//! A body that is a JSON object. serde reads an array as the members of an object in their order, and nobody means that:
//! `[true]` would reset a clock.

use axum::extract::{FromRequest, Request};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};

use super::Shared;
use super::answer::{AdminError, Raw, bad_body, parsed};

/// Members that are objects themselves, in the bodies that have them, each with an example.
const INNER: [(&str, &str); 1] = [("request", r#"{"request":{"method":"POST"}}"#)];

/// A JSON object as the body, whatever its media type.
pub(super) struct Object<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Shared> for Object<T> {
    type Rejection = AdminError;

    async fn from_request(request: Request, admin: &Shared) -> Result<Self, AdminError> {
        let Raw(body) = Raw::from_request(request, admin).await?;
        object(&body).map(Self)
    }
}

/// What a body says that has to be an object.
pub(super) fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, AdminError> {
    if body.trim_ascii().first() == Some(&b'[') && serde_json::from_slice::<IgnoredAny>(body).is_ok() {
        return Err(bad_body("it is an array, and a JSON object is needed"));
    }
    let members = serde_json::from_slice::<Map<String, Value>>(body).unwrap_or_default();
    for (name, example) in INNER {
        if members.get(name).is_some_and(|inner| !inner.is_object()) {
            return Err(bad_body(format!("`{name}` is an object, as in {example}")));
        }
    }
    parsed(body)
}

#[cfg(test)]
mod tests {
    use crate::journal::JournalLimits;

    use super::*;

    #[test]
    fn array_is_no_object() {
        let read = |body: &str| object::<JournalLimits>(body.as_bytes()).map_err(|error| error.to_string());
        assert_eq!(read(r#" {"exchanges":7} "#).unwrap().exchanges, 7);
        for body in ["[]", " [7, 8]", "[[]]"] {
            assert!(read(body).unwrap_err().contains("an array, and a JSON object"), "{body}");
        }
        assert!(read("[").unwrap_err().contains("line 1"));
        assert!(read(r#"{"request":[]}"#).unwrap_err().contains(r#"{"method":"POST"}"#));
    }
}
