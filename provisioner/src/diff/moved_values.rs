//! Values that were written here and that their selector no longer finds: some targets do not store `type`.
//!
//! `emails[type eq "work"]` selects nothing there. The value itself is known, so it is what the element is found by.

use std::collections::BTreeMap;

use crate::account_values::AccountValues;
use crate::mapping::TargetPath;
use crate::target::resource::Account;

/// The locations of values that an account has under another selector than they were written under.
#[derive(Debug, Default)]
pub(crate) struct MovedValues(BTreeMap<TargetPath, ValueLocation>);

/// The location of one of them.
#[derive(Debug)]
pub(crate) struct ValueLocation {
    /// The path that leads there: `emails[value eq "ada@example.org"].value`.
    pub(crate) path: TargetPath,
    /// Whether it is found by the value of this very path, and not by another one of the same element.
    pub(crate) is_own: bool,
}

impl MovedValues {
    /// Finds those of `paths` whose values `account` has at another place; `carries` are the values that were written.
    pub(crate) fn find(account: &Account, paths: &[TargetPath], carries: &AccountValues) -> Self {
        let location = |path: &TargetPath| {
            let by = account.moved_value(path, carries)?;
            let selector = (by.sub()?, carries.get(by)?.as_str()?);
            let location = TargetPath::new(path.urn(), path.attribute(), Some(selector), path.sub());
            Some((path.clone(), ValueLocation { path: location, is_own: by == path }))
        };
        Self(paths.iter().filter_map(location).collect())
    }

    /// Returns the location of the value of `path`, if that has moved.
    pub(crate) fn location_of(&self, path: &TargetPath) -> Option<&ValueLocation> {
        self.0.get(path)
    }
}
