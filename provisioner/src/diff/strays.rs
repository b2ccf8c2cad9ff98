//! Values that were written here and have lost what they were selected by: some targets keep no `type`.
//!
//! `emails[type eq "work"]` selects nothing there. The value itself is known, so it is what the element is found by.

use std::collections::BTreeMap;

use crate::mapping::TargetPath;
use crate::state::Carried;
use crate::target::resource::Account;

/// Where the values stand that an account has under another selector than they were written under.
#[derive(Debug, Default)]
pub(crate) struct Strays(BTreeMap<TargetPath, Place>);

/// Where one of them stands.
#[derive(Debug)]
pub(crate) struct Place {
    /// The path that leads there: `emails[value eq "ada@example.org"].value`.
    pub(crate) path: TargetPath,
    /// Whether it is found by the value of this very path, and not by another one of the same element.
    pub(crate) is_own: bool,
}

impl Strays {
    /// Those among `paths` whose values `account` has so; `carries` is what was written there.
    pub(crate) fn find(account: &Account, paths: &[TargetPath], carries: &Carried) -> Self {
        let place = |path: &TargetPath| {
            let by = account.stray(path, carries)?;
            let selector = (by.sub()?, carries.get(by)?.as_str()?);
            let place = TargetPath::new(path.urn(), path.attribute(), Some(selector), path.sub());
            Some((path.clone(), Place { path: place, is_own: by == path }))
        };
        Self(paths.iter().filter_map(place).collect())
    }

    /// Where the value of `path` stands, if it is one of them.
    pub(crate) fn place_of(&self, path: &TargetPath) -> Option<&Place> {
        self.0.get(path)
    }
}
