//! Secrets: a string, or a reference to one. No type here prints it.

mod command;

use std::fmt;
use std::fs;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
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
    /// `{ command = ["PROGRAM", "ARGUMENT"] }`.
    Command(Vec<String>),
    /// A table that does not name exactly one of them.
    Unclear,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    env: Option<String>,
    file: Option<String>,
    command: Option<Vec<String>>,
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
        f.write_str("a string, { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\"] }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<RawSecret, E> {
        Ok(RawSecret::Written(SecretString::from(text)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawSecret, A::Error> {
        let reference = Reference::deserialize(MapAccessDeserializer::new(map))?;
        Ok(match reference {
            Reference { env: Some(name), file: None, command: None } => RawSecret::Env(name),
            Reference { env: None, file: Some(path), command: None } => RawSecret::File(path),
            Reference { env: None, file: None, command: Some(words) } => RawSecret::Command(words),
            _ => RawSecret::Unclear,
        })
    }

    refuse_unquoted!(visit_bool: bool = "a boolean", visit_i64: i64 = "a number", visit_u64: u64 = "a number",
        visit_i128: i128 = "a number", visit_u128: u128 = "a number", visit_f64: f64 = "a number");
}

/// Looks a secret of one line up, or reports the problem and the way out; `option` is its name.
pub(super) fn look_up(
    raw: RawSecret,
    option: &str,
    folder: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<String, (String, String)> {
    let (mut secret, from) = read(raw, option, folder, env)?;
    if secret.trim().is_empty() {
        return Err((format!("`{option}` is empty"), format!("put the secret into {from}")));
    }
    let ending = ["\r\n", "\n"].into_iter().find(|ending| from.ends_a_line() && secret.ends_with(ending));
    secret.truncate(secret.len() - ending.map_or(0, str::len));
    if secret.chars().any(char::is_control) {
        let message = format!("`{option}` has a line break or another control character in it");
        return Err((message, format!("have the secret on one line and nothing else in {from}")));
    }
    Ok(secret)
}

/// Looks a text in PEM up, as [`look_up`] does; a string names its file.
pub(super) fn look_up_pem(
    raw: RawSecret,
    option: &str,
    folder: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<String, (String, String)> {
    let raw = match raw {
        RawSecret::Written(file) => RawSecret::File(file.expose_secret().to_owned()),
        other => other,
    };
    read(raw, option, folder, env).map(|(text, _)| text)
}

/// The place that a secret was read from.
enum Origin {
    Quotes,
    Env(String),
    File(String),
    Command(String),
}

impl Origin {
    /// Whether a text from there ends with a line break that does not belong to it.
    const fn ends_a_line(&self) -> bool {
        match self {
            Self::Quotes | Self::Env(_) => false,
            Self::File(_) | Self::Command(_) => true,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quotes => f.write_str("the quotes"),
            Self::Env(name) => write!(f, "the environment variable `{name}`"),
            Self::File(name) => write!(f, "the file `{name}`"),
            Self::Command(program) => write!(f, "the output of the command `{program}`"),
        }
    }
}

fn read(
    raw: RawSecret,
    option: &str,
    folder: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(String, Origin), (String, String)> {
    match raw {
        RawSecret::Written(secret) => Ok((secret.expose_secret().to_owned(), Origin::Quotes)),
        RawSecret::Env(name) => {
            let secret = env(&name).ok_or_else(|| {
                let message =
                    format!("`{option}` is not there: the environment variable `{name}` is not set");
                (message, format!("set it before the start, as in `export {name}=…`"))
            })?;
            Ok((secret, Origin::Env(name)))
        }
        RawSecret::File(name) => {
            let secret = fs::read_to_string(folder.join(&name)).map_err(|error| {
                let why = file_error::words(error.kind());
                let message = format!("`{option}` is not there: the file `{name}` cannot be read: {why}");
                (message, "a relative path starts at the folder of the configuration".to_owned())
            })?;
            Ok((secret, Origin::File(name)))
        }
        RawSecret::Command(words) => {
            let secret = command::run(&words, folder, command::LIMIT)
                .map_err(|error| (format!("`{option}` is not there: {error}"), error.way_out().to_owned()))?;
            Ok((secret, Origin::Command(words.into_iter().next().unwrap_or_default())))
        }
        RawSecret::Unclear => {
            let message = format!("`{option}` does not say where the secret is");
            let help = "write one of { env = \"NAME\" }, { file = \"PATH\" } and { command = [\"PROGRAM\"] }";
            Err((message, help.to_owned()))
        }
    }
}
