//! What clients write that RFC 7644 does not, or that servers need not take: each can be taken or refused.

use std::fmt;

/// A way of writing PATCH requests that a strict server refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// `op` is not in lower case: `Replace`.
    CapitalisedOp,
    /// A boolean is a text: `"active": "False"`. In a value filter too: `primary eq "True"`.
    StringBoolean,
    /// A value without a path has paths for names: `{"name.givenName": …}`,
    /// `{"emails[type eq \"work\"].value": …}`, `{"urn:…:User:department": …}`.
    DottedKeys,
    /// `remove` has a `value`, and means just those values of the attribute.
    RemoveByValue,
    /// `add` has no path. RFC 7644 §3.5.2.1 allows it; some servers don't.
    PathlessAdd,
    /// One operation stands where an array of them belongs: as `Operations`, or as the whole body.
    SingleOperation,
    /// The message has no `schemas`, which RFC 7643 §3 requires.
    MissingSchemas,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 7] = [
        Self::CapitalisedOp,
        Self::StringBoolean,
        Self::DottedKeys,
        Self::RemoveByValue,
        Self::PathlessAdd,
        Self::SingleOperation,
        Self::MissingSchemas,
    ];

    /// The name for configuration and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CapitalisedOp => "capitalised-op",
            Self::StringBoolean => "string-booleans",
            Self::DottedKeys => "dotted-keys",
            Self::RemoveByValue => "remove-by-value",
            Self::PathlessAdd => "pathless-add",
            Self::SingleOperation => "single-operation",
            Self::MissingSchemas => "missing-schemas",
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

/// A set of dialects: those that are taken, or those that were used.
///
/// ```
/// use scim::patch::{Dialect, Dialects};
///
/// let taken = Dialects::all().without(Dialect::PathlessAdd);
/// assert!(taken.contains(Dialect::DottedKeys) && !taken.contains(Dialect::PathlessAdd));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Dialects(u16);

impl Dialects {
    /// Those that [`PatchRequest::from_json`](super::PatchRequest::from_json) and
    /// [`apply`](super::apply()) take.
    pub(super) const USUAL: Self = Self::all()
        .without(Dialect::StringBoolean)
        .without(Dialect::SingleOperation)
        .without(Dialect::MissingSchemas);

    /// Every dialect.
    pub const fn all() -> Self {
        let mut all = Self::none();
        let mut i = 0;
        while i < Dialect::ALL.len() {
            all = all.with(Dialect::ALL[i]);
            i += 1;
        }
        all
    }

    /// No dialect.
    pub const fn none() -> Self {
        Self(0)
    }

    /// The same and this one.
    pub const fn with(self, dialect: Dialect) -> Self {
        Self(self.0 | dialect.bit())
    }

    /// The same but for this one.
    pub const fn without(self, dialect: Dialect) -> Self {
        Self(self.0 & !dialect.bit())
    }

    /// Whether it is one of them.
    pub const fn contains(self, dialect: Dialect) -> bool {
        self.0 & dialect.bit() != 0
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The dialects, in the order of [`Dialect::ALL`].
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

/// Which dialects are taken, and which were met.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tolerance {
    taken: Dialects,
    used: Dialects,
}

impl Tolerance {
    pub(super) const fn of(taken: Dialects) -> Self {
        Self { taken, used: Dialects::none() }
    }

    /// Notes a dialect, if it is taken.
    pub(super) fn meets(&mut self, dialect: Dialect) -> bool {
        let taken = self.taken.contains(dialect);
        if taken {
            self.used = self.used.with(dialect);
        }
        taken
    }

    pub(super) const fn takes(self, dialect: Dialect) -> bool {
        self.taken.contains(dialect)
    }

    pub(super) fn used(self) -> Vec<Dialect> {
        self.used.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_put_in() {
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
