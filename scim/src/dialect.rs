//! Dialects: deviations from RFC 7644 in the requests of clients. A server accepts or refuses each.

use std::fmt;

use serde_json::{Map, Value};

use crate::json::{get_ci, is_unassigned};
use crate::name::shown;

/// A deviation from the RFC that some clients have, and that a strict server refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// `op` is not in lower case: `Replace`.
    CapitalisedOp,
    /// A boolean is a text: `"active": "False"`. In a value filter too: `primary eq "True"`.
    StringBoolean,
    /// A value without a path has paths as names: `{"name.givenName": …}`,
    /// `{"emails[type eq \"work\"].value": …}`, `{"urn:…:User:department": …}`.
    DottedKeys,
    /// `remove` has a `value`, and removes only those values of the attribute.
    RemoveByValue,
    /// `add` has no path. RFC 7644 §3.5.2.1 allows it; some servers do not.
    PathlessAdd,
    /// One operation replaces the array of operations: as `Operations`, or as the whole body.
    SingleOperation,
    /// The message has no `schemas`, which RFC 7643 §3 requires.
    MissingSchemas,
    /// `schemas` names one URN twice, which RFC 7643 §3 forbids.
    DuplicateSchemas,
    /// A body has an extension that its `schemas` does not list, which RFC 7643 §3 requires.
    UnlistedExtensions,
    /// A `manager` is an id alone, or an array of one, as Entra sends it, and not an object with a `value`.
    BareManager,
    /// A filter compares a sub-attribute after a value filter, `emails[type eq "work"].value eq "x"`, which RFC 7644
    /// §3.4.2.2 allows in PATCH paths only.
    FilterAfterBrackets,
    /// A filter lacks a space that the grammar requires: `userName eq"x"`.
    FilterMissingSpaces,
    /// A filter writes `true`, `false` or `null` in another case: `active eq True`.
    FilterLiteralCase,
    /// A filter has blanks that the grammar forbids: two in a row, a tab, at an end or inside brackets.
    FilterBlanks,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 14] = [
        Self::CapitalisedOp,
        Self::StringBoolean,
        Self::DottedKeys,
        Self::RemoveByValue,
        Self::PathlessAdd,
        Self::SingleOperation,
        Self::MissingSchemas,
        Self::DuplicateSchemas,
        Self::UnlistedExtensions,
        Self::BareManager,
        Self::FilterAfterBrackets,
        Self::FilterMissingSpaces,
        Self::FilterLiteralCase,
        Self::FilterBlanks,
    ];

    /// Returns the name in configuration files and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CapitalisedOp => "capitalised-op",
            Self::StringBoolean => "string-booleans",
            Self::DottedKeys => "dotted-keys",
            Self::RemoveByValue => "remove-by-value",
            Self::PathlessAdd => "pathless-add",
            Self::SingleOperation => "single-operation",
            Self::MissingSchemas => "missing-schemas",
            Self::DuplicateSchemas => "duplicate-schemas",
            Self::UnlistedExtensions => "unlisted-extensions",
            Self::BareManager => "bare-manager",
            Self::FilterAfterBrackets => "filter-after-brackets",
            Self::FilterMissingSpaces => "filter-missing-spaces",
            Self::FilterLiteralCase => "filter-literal-case",
            Self::FilterBlanks => "filter-blanks",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of dialects.
///
/// ```
/// use scim::dialect::{Dialect, Dialects};
///
/// let accepted = Dialects::all().without(Dialect::PathlessAdd);
/// assert!(accepted.contains(Dialect::DottedKeys) && !accepted.contains(Dialect::PathlessAdd));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Dialects(u16);

impl Dialects {
    /// The dialects that [`PatchRequest::from_json`](crate::patch::PatchRequest::from_json) and
    /// [`apply`](crate::patch::apply()) accept.
    pub(crate) const DEFAULT: Self = Self::all()
        .without(Dialect::StringBoolean)
        .without(Dialect::SingleOperation)
        .without(Dialect::MissingSchemas)
        .without(Dialect::BareManager);

    /// Returns the set of every dialect.
    pub const fn all() -> Self {
        let mut all = Self::none();
        let mut i = 0;
        while i < Dialect::ALL.len() {
            all = all.with(Dialect::ALL[i]);
            i += 1;
        }
        all
    }

    /// Returns the empty set.
    pub const fn none() -> Self {
        Self(0)
    }

    /// Returns the set with this dialect.
    pub const fn with(self, dialect: Dialect) -> Self {
        Self(self.0 | dialect.bit())
    }

    /// Returns the set without this dialect.
    pub const fn without(self, dialect: Dialect) -> Self {
        Self(self.0 & !dialect.bit())
    }

    /// Whether the set contains a dialect.
    pub const fn contains(self, dialect: Dialect) -> bool {
        self.0 & dialect.bit() != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the dialects, in the order of [`Dialect::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Dialect> {
        Dialect::ALL.into_iter().filter(move |dialect| self.contains(*dialect))
    }
}

impl FromIterator<Dialect> for Dialects {
    fn from_iter<I: IntoIterator<Item = Dialect>>(dialects: I) -> Self {
        dialects.into_iter().fold(Self::none(), Self::with)
    }
}

impl fmt::Debug for Dialects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The dialects that are accepted, and those that a request uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DialectUse {
    accepted: Dialects,
    used: Dialects,
}

impl DialectUse {
    pub(crate) const fn new(accepted: Dialects) -> Self {
        Self { accepted, used: Dialects::none() }
    }

    /// Records the use of a dialect. Returns whether it is accepted.
    pub(crate) fn record(&mut self, dialect: Dialect) -> bool {
        let accepted = self.accepted.contains(dialect);
        if accepted {
            self.used = self.used.with(dialect);
        }
        accepted
    }

    pub(crate) const fn accepts(self, dialect: Dialect) -> bool {
        self.accepted.contains(dialect)
    }

    pub(crate) fn used(self) -> Vec<Dialect> {
        self.used.iter().collect()
    }
}

/// A problem with the `schemas` of a message. The text follows the name of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The schema of the message is not listed.
    #[error("does not name {0} in `schemas`")]
    Unlisted(String),
    /// A schema is listed twice.
    #[error("names {} twice in `schemas`", shown(.0))]
    Twice(String),
}

/// Checks that a message names its schema in `schemas`, and returns the dialects that it uses.
///
/// # Errors
/// `schemas` does not list the schema, or lists one twice.
pub fn check_message(
    members: &Map<String, Value>,
    urn: &str,
    dialects: Dialects,
) -> Result<Vec<Dialect>, MessageError> {
    let mut dialect_use = DialectUse::new(dialects);
    message_schemas(members, urn, &mut dialect_use)?;
    Ok(dialect_use.used())
}

pub(crate) fn message_schemas(
    members: &Map<String, Value>,
    urn: &str,
    dialect_use: &mut DialectUse,
) -> Result<(), MessageError> {
    let given = get_ci(members, "schemas").filter(|given| !is_unassigned(given));
    if given.is_none() && dialect_use.record(Dialect::MissingSchemas) {
        return Ok(());
    }
    let urns: Vec<&str> =
        given.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if !urns.iter().any(|given| given.eq_ignore_ascii_case(urn)) {
        return Err(MessageError::Unlisted(urn.to_owned()));
    }
    match twice(&urns) {
        Some(urn) if !dialect_use.record(Dialect::DuplicateSchemas) => {
            Err(MessageError::Twice(urn.to_owned()))
        }
        _ => Ok(()),
    }
}

/// Returns the first URN that is listed a second time.
pub(crate) fn twice<'u>(urns: &[&'u str]) -> Option<&'u str> {
    let before = |at: usize, urn: &str| urns[..at].iter().any(|other| other.eq_ignore_ascii_case(urn));
    urns.iter().enumerate().find(|(at, urn)| before(*at, urn)).map(|(_, urn)| *urn)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn message_must_list_its_schema_once() {
        #[track_caller]
        #[expect(clippy::needless_pass_by_value, reason = "called with json!")]
        fn check(schemas: Value, dialects: Dialects, expected: Result<&[Dialect], &str>) {
            let body = json!({"Schemas": schemas});
            let found = check_message(body.as_object().unwrap(), "urn:a:b", dialects);
            assert_eq!(
                found.map_err(|error| error.to_string()),
                expected.map(Vec::from).map_err(str::to_owned)
            );
        }
        let (all, none) = (Dialects::all(), Dialects::none());
        check(json!(["urn:x:y", "URN:A:B"]), none, Ok(&[]));
        check(json!(null), none, Err("does not name urn:a:b in `schemas`"));
        check(json!([]), all, Ok(&[Dialect::MissingSchemas]));
        check(json!(["urn:x:y"]), all, Err("does not name urn:a:b in `schemas`"));
        check(json!(["urn:a:b", "urn:A:b"]), all, Ok(&[Dialect::DuplicateSchemas]));
        check(json!(["urn:a:b", "urn:A:b"]), none, Err("names urn:A:b twice in `schemas`"));
    }

    #[test]
    fn dialect_set_contains_its_dialects() {
        assert_eq!(Dialects::all().iter().collect::<Vec<_>>(), Dialect::ALL);
        assert!(Dialects::none().is_empty());
        for dialect in Dialect::ALL {
            let one = Dialects::none().with(dialect);
            assert_eq!(one.iter().collect::<Vec<_>>(), [dialect]);
            assert!(one.without(dialect).is_empty());
            assert_eq!([dialect].into_iter().collect::<Dialects>(), one);
        }
        let words: std::collections::BTreeSet<&str> = Dialect::ALL.iter().map(|d| d.as_str()).collect();
        assert_eq!(words.len(), Dialect::ALL.len());
    }
}
