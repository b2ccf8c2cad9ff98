//! Values that were written here and that their selector no longer finds: some targets do not store `type`.
//!
//! `emails[type eq "work"]` selects nothing there. The value itself is known, so it is what the element is found by.

use std::collections::BTreeMap;

use crate::account_values::AccountValues;
use crate::mapping::TargetPath;
use crate::target::resource::Account;

/// Where the values stand that an account has under another selector than they were written under.
#[derive(Debug, Default)]
pub(crate) struct MovedValues(BTreeMap<TargetPath, ValueLocation>);

/// Where one of them stands.
#[derive(Debug)]
pub(crate) struct ValueLocation {
    /// The path that leads there: `emails[value eq "ada@example.org"].value`.
    pub(crate) path: TargetPath,
    /// Whether it is found by the value of this very path, and not by another one of the same element.
    pub(crate) is_own: bool,
}

impl MovedValues {
    /// Those among `paths` whose values `account` has so; `carries` is what was written there.
    pub(crate) fn find(account: &Account, paths: &[TargetPath], carries: &AccountValues) -> Self {
        let location = |path: &TargetPath| {
            let by = account.moved_value(path, carries)?;
            let selector = (by.sub()?, carries.get(by)?.as_str()?);
            let location = TargetPath::new(path.urn(), path.attribute(), Some(selector), path.sub());
            Some((path.clone(), ValueLocation { path: location, is_own: by == path }))
        };
        Self(paths.iter().filter_map(location).collect())
    }

    /// Where the value of `path` stands, if it is one of them.
    pub(crate) fn location_of(&self, path: &TargetPath) -> Option<&ValueLocation> {
        self.0.get(path)
    }
}
