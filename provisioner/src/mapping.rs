//! The mapping: the wanted values of a target user, from a PingOne user.
//!
//! A mapping is a table of target paths, each with the origin of its value: a source attribute, or an expression. It does
//! not know the target; comparing and writing are the engine's tasks.

mod desired;
mod expression;
mod path;
mod target;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::Value;

pub use desired::Desired;
pub use expression::EvaluationError;
pub(crate) use expression::{Expression, Root, User};
pub use path::{TargetPath, TargetPathError};
pub(crate) use target::{Kind, resolve};

use crate::ids::UserName;
use crate::source::{SourceUser, fingerprint};
use crate::visible::shortened;

/// The mappings that apply to a rule without any of its own: source attribute and target.
const DEFAULTS: [(&str, &str); 22] = [
    ("username", "userName"),
    ("name.given", "name.givenName"),
    ("name.family", "name.familyName"),
    ("name.middle", "name.middleName"),
    ("name.formatted", "name.formatted"),
    ("name.honorificPrefix", "name.honorificPrefix"),
    ("name.honorificSuffix", "name.honorificSuffix"),
    ("nickname", "nickName"),
    ("email", "emails[type eq \"work\"].value"),
    ("mobilePhone", "phoneNumbers[type eq \"mobile\"].value"),
    ("primaryPhone", "phoneNumbers[type eq \"work\"].value"),
    ("title", "title"),
    ("type", "userType"),
    ("locale", "locale"),
    ("preferredLanguage", "preferredLanguage"),
    ("timezone", "timezone"),
    ("photo.href", "photos[type eq \"photo\"].value"),
    ("address.streetAddress", "addresses[type eq \"work\"].streetAddress"),
    ("address.locality", "addresses[type eq \"work\"].locality"),
    ("address.region", "addresses[type eq \"work\"].region"),
    ("address.postalCode", "addresses[type eq \"work\"].postalCode"),
    ("address.countryCode", "addresses[type eq \"work\"].country"),
];

/// Characters of an expression that an error repeats.
const EXPRESSION: usize = 200;

/// A user that cannot be mapped. The error names attributes and expressions, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MappingError {
    /// The source attribute is an object or an array.
    #[error("failed to map `{from}` to `{target}`: expected a text, a number or a boolean, found {found}")]
    NotScalar {
        /// The source attribute.
        from: String,
        /// The target.
        target: String,
        /// The type of the value.
        found: &'static str,
    },
    /// The value cannot be read as true or false.
    #[error("failed to map `{from}` to `{target}`: expected true or false")]
    NotBoolean {
        /// The source attribute or the expression.
        from: String,
        /// The target.
        target: String,
    },
    /// An expression failed, or its result is no value.
    #[error("failed to compute `{target}` by `{}`: {why}", shortened(.expression, EXPRESSION))]
    Expression {
        /// The target.
        target: String,
        /// The expression.
        expression: String,
        /// The error of the expression.
        why: EvaluationError,
    },
    /// There is no user name.
    #[error("failed to map `userName`: its value is absent or empty")]
    NoUserName,
}

/// From source attributes to target paths.
#[derive(Debug, Clone)]
pub struct Mapping {
    entries: Arc<[Entry]>,
    external_id: ExternalId,
    targets: Arc<[TargetPath]>,
    fingerprint: String,
}

/// The origin of `externalId`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ExternalId {
    /// The source id.
    SourceId,
    /// A line of the mapping.
    Mapped,
    /// None: it is not written.
    Off,
}

/// One line of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) target: TargetPath,
    pub(crate) kind: Kind,
    pub(crate) origin: Origin,
}

/// The origin of a value.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// A source attribute, by its dotted path.
    Attribute(String),
    /// An expression over the user.
    Expression(Expression),
}

impl Default for Mapping {
    /// Returns the default mappings.
    fn default() -> Self {
        static DEFAULT: LazyLock<Mapping> = LazyLock::new(Mapping::of_defaults);
        DEFAULT.clone()
    }
}

impl Mapping {
    fn of_defaults() -> Self {
        let entry = |(source, target): (&str, &str)| {
            // A unit test sees to it that every default resolves.
            let path = target.parse().ok()?;
            let (target, kind) = resolve(&path).ok()?;
            Some(Entry { target, kind, origin: Origin::Attribute(source.to_owned()) })
        };
        Self::explicit(DEFAULTS.into_iter().filter_map(entry).collect())
    }

    /// Creates a mapping of these lines only; their targets differ, and `userName` is among them.
    pub(crate) fn explicit(mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|one, other| one.target.cmp(&other.target));
        let external_id = TargetPath::external_id();
        let mut targets: Vec<_> = entries.iter().map(|entry| entry.target.clone()).collect();
        let external_id = if targets.contains(&external_id) {
            ExternalId::Mapped
        } else {
            targets.push(external_id);
            targets.sort();
            ExternalId::SourceId
        };
        let fingerprint = fingerprint_of(&entries);
        Self { entries: entries.into(), external_id, targets: targets.into(), fingerprint }
    }

    /// Whether a line of it is for `externalId`.
    pub(crate) fn maps_external_id(&self) -> bool {
        self.external_id == ExternalId::Mapped
    }

    /// Returns the mapping without an `externalId` that no line maps.
    pub(crate) fn without_external_id(self) -> Self {
        if self.external_id != ExternalId::SourceId {
            return self;
        }
        let external_id = TargetPath::external_id();
        let targets = self.targets.iter().filter(|target| **target != external_id).cloned().collect();
        let fingerprint = fingerprint([self.fingerprint.as_str(), "without externalId"]);
        Self { external_id: ExternalId::Off, targets, fingerprint, ..self }
    }

    /// Returns the values that the target should carry for a user. An absent, null or empty value is an absent attribute;
    /// `externalId` is the source id unless it is mapped or the options omit it.
    ///
    /// # Errors
    ///
    /// A value that is no plain value, an expression that fails, or no user name in the end.
    pub fn apply(&self, user: &SourceUser) -> Result<Desired, MappingError> {
        let mut values = BTreeMap::new();
        self.evaluate(user, |target, value| {
            if let Some(value) = value? {
                values.insert(target.clone(), value);
            }
            Ok(())
        })?;
        if self.external_id == ExternalId::SourceId {
            values.insert(TargetPath::external_id(), Value::from(user.id.as_str()));
        }
        Desired::new(values).ok_or(MappingError::NoUserName)
    }

    /// Returns every problem that keeps a user from being mapped, in the order of the targets; none if [`Mapping::apply`]
    /// succeeds.
    pub fn problems(&self, user: &SourceUser) -> Vec<MappingError> {
        let mut problems = Vec::new();
        // Problems are gathered here, so nothing ends the walk.
        let _ = self.evaluate(user, |_, value| {
            problems.extend(value.err());
            Ok(())
        });
        if problems.is_empty() {
            problems.extend(self.apply(user).err());
        }
        problems
    }

    /// Hands the value of every line to `take`, until that fails.
    fn evaluate(
        &self,
        user: &SourceUser,
        mut take: impl FnMut(&TargetPath, Result<Option<Value>, MappingError>) -> Result<(), MappingError>,
    ) -> Result<(), MappingError> {
        let mut subject = None;
        for entry in &*self.entries {
            let value = match &entry.origin {
                Origin::Attribute(path) => attribute(&user.attributes, path).map_err(|found| {
                    MappingError::NotScalar { from: path.clone(), target: entry.target.to_string(), found }
                }),
                Origin::Expression(expression) => {
                    let subject = subject.get_or_insert_with(|| User::new(&user.attributes));
                    expression.evaluate(subject).map_err(|why| MappingError::Expression {
                        target: entry.target.to_string(),
                        expression: expression.text().to_owned(),
                        why,
                    })
                }
            };
            take(&entry.target, value.and_then(|value| entry.fit(value)))?;
        }
        Ok(())
    }

    /// Returns the user name of [`Mapping::apply`], or `None` if the mapping has none for the user.
    pub(crate) fn user_name(&self, user: &SourceUser) -> Option<UserName> {
        let path = TargetPath::user_name();
        let entry = self.entries.iter().find(|entry| entry.target == path)?;
        let value = match &entry.origin {
            Origin::Attribute(path) => attribute(&user.attributes, path).ok()?,
            Origin::Expression(expression) => expression.evaluate(&User::new(&user.attributes)).ok()?,
        };
        entry.fit(value).ok()??.as_str()?.parse().ok()
    }

    /// Returns 32 hex characters that identify the mapping, the same in every run and for the same lines in any order.
    pub fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    /// Returns every target with the origin of its value as written in the file, in the order of the targets.
    pub fn lines(&self) -> impl Iterator<Item = (&TargetPath, &str)> {
        self.entries.iter().map(|entry| (&entry.target, entry.origin.text()))
    }

    /// Returns every target that the mapping may write, including `externalId`.
    pub fn targets(&self) -> Arc<[TargetPath]> {
        Arc::clone(&self.targets)
    }
}

fn fingerprint_of(entries: &[Entry]) -> String {
    let lines = entries.iter().map(|entry| match &entry.origin {
        Origin::Attribute(path) => format!("{} = {path}", entry.target),
        Origin::Expression(expression) => format!("{} := {}", entry.target, expression.text()),
    });
    let lines: Vec<String> = lines.collect();
    fingerprint(lines.iter().map(String::as_str))
}

impl Entry {
    /// Returns the value in the type of the target, or `None` for no value. A number becomes a text if the target is one;
    /// a text becomes a boolean if it is `true` or `false`, as in CSV.
    fn fit(&self, value: Value) -> Result<Option<Value>, MappingError> {
        match (self.kind, value) {
            (_, Value::Null) => Ok(None),
            (_, Value::String(text)) if text.is_empty() => Ok(None),
            (Kind::Text, value @ (Value::Bool(_) | Value::Number(_))) => {
                Ok(Some(Value::String(value.to_string())))
            }
            (Kind::Boolean, Value::String(text)) if text == "true" || text == "false" => {
                Ok(Some(Value::Bool(text == "true")))
            }
            (Kind::Boolean, Value::String(_) | Value::Number(_)) => Err(MappingError::NotBoolean {
                from: self.origin.text().to_owned(),
                target: self.target.to_string(),
            }),
            (_, value) => Ok(Some(value)),
        }
    }
}

impl Origin {
    fn text(&self) -> &str {
        match self {
            Self::Attribute(path) => path,
            Self::Expression(expression) => expression.text(),
        }
    }
}

/// Returns the scalar at a dotted path, or null if there is none. The error is the type of any other value.
fn attribute(user: &Value, path: &str) -> Result<Value, &'static str> {
    let mut value = user;
    for name in path.split('.') {
        match value.get(name) {
            Some(found) => value = found,
            None => return Ok(Value::Null),
        }
    }
    match value {
        Value::Object(_) => Err("an object"),
        Value::Array(_) => Err("an array"),
        scalar => Ok(scalar.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_target_in_its_canonical_spelling() {
        let mapping = Mapping::default();
        let found: Vec<String> =
            mapping.lines().map(|(target, source)| format!("{source}>{target}")).collect();
        let mut expected: Vec<String> =
            DEFAULTS.iter().map(|(source, target)| format!("{source}>{target}")).collect();
        expected.sort_by_key(|line| line.split_once('>').map(|(_, target)| target.to_lowercase()));
        assert_eq!(found, expected);
    }
}
