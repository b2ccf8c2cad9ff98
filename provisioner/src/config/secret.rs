//! Secrets: a string, or a reference to one. No type here prints it.

use std::fmt;
use std::fs;
use std::path::Path;

use secrecy::SecretString;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::file_error;

/// A secret as it is written.
pub(super) enum RawSecret {
    /// In the file itself.
    Written(SecretString),
    /// `{ env = "NAME" }`.
    Env(String),
    /// `{ file = "PATH" }`.
    File(String),
    /// A table that names neither one of the two.
    Unclear,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    env: Option<String>,
    file: Option<String>,
}

impl<'de> Deserialize<'de> for RawSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

/// The default methods of a visitor quote the value that they refuse.
macro_rules! refuse_unquoted {
    ($($method:ident: $type:ty = $what:literal),+) => {$(
        fn $method<E: de::Error>(self, _: $type) -> Result<RawSecret, E> {
            Err(E::invalid_type(de::Unexpected::Other($what), &self))
        }
    )+};
}

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = RawSecret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, { env = \"NAME\" } or { file = \"PATH\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<RawSecret, E> {
        Ok(RawSecret::Written(SecretString::from(text)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawSecret, A::Error> {
        let reference = Reference::deserialize(MapAccessDeserializer::new(map))?;
        Ok(match reference {
            Reference { env: Some(name), file: None } => RawSecret::Env(name),
            Reference { env: None, file: Some(path) } => RawSecret::File(path),
            _ => RawSecret::Unclear,
        })
    }

    refuse_unquoted!(visit_bool: bool = "a boolean", visit_i64: i64 = "a number", visit_u64: u64 = "a number",
        visit_i128: i128 = "a number", visit_u128: u128 = "a number", visit_f64: f64 = "a number");
}

/// Looks a secret up, or reports the problem and the way out; `option` is its name.
pub(super) fn look_up(
    raw: RawSecret,
    option: &str,
    folder: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<String, (String, String)> {
    use secrecy::ExposeSecret;
    let (secret, from) = match raw {
        RawSecret::Written(secret) => (secret.expose_secret().to_owned(), "the quotes".to_owned()),
        RawSecret::Env(name) => {
            let secret = env(&name).ok_or_else(|| {
                let message =
                    format!("`{option}` is not there: the environment variable `{name}` is not set");
                (message, format!("set it before the start, as in `export {name}=…`"))
            })?;
            (secret, format!("the environment variable `{name}`"))
        }
        RawSecret::File(name) => {
            let mut secret = fs::read_to_string(folder.join(&name)).map_err(|error| {
                let why = file_error::words(error.kind());
                let message = format!("`{option}` is not there: the file `{name}` cannot be read: {why}");
                (message, "a relative path starts at the folder of the configuration".to_owned())
            })?;
            if secret.ends_with('\n') {
                secret.pop();
                if secret.ends_with('\r') {
                    secret.pop();
                }
            }
            (secret, format!("the file `{name}`"))
        }
        RawSecret::Unclear => {
            let message = format!("`{option}` does not say where the secret is");
            return Err((message, "write either { env = \"NAME\" } or { file = \"PATH\" }".to_owned()));
        }
    };
    if secret.trim().is_empty() {
        return Err((format!("`{option}` is empty"), format!("put the secret into {from}")));
    }
    if secret.chars().any(char::is_control) {
        let message = format!("`{option}` has a line break or another control character in it");
        return Err((message, format!("have the secret on one line and nothing else in {from}")));
    }
    Ok(secret)
}
