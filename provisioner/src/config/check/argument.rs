//! Arguments of the command line that are checked as they would be in the file, and reported as arguments.

use std::path::Path;

use scim::filter::Filter;
use toml::Spanned;

use super::super::ConfigError;
use super::Checker;
use crate::mapping::{Entry, Kind, Mapping, Origin, TargetPath};
use crate::source::Attributes;

/// An argument that would be a text of the file.
pub(crate) struct Argument<'a> {
    /// The name in messages.
    pub(crate) name: &'static str,
    pub(crate) text: &'a str,
}

impl<'a> Argument<'a> {
    /// Parses the argument as a filter over users with these attributes.
    pub(crate) fn filter(&self, attributes: &Attributes) -> Result<Filter, ConfigError> {
        let (mut checker, raw) = self.begin(attributes);
        let filter = checker.filter(&raw);
        self.end(filter, checker)
    }

    /// Returns a mapping of the argument, a source attribute, to `target`.
    pub(crate) fn mapped(&self, target: &Self, attributes: &Attributes) -> Result<Mapping, ConfigError> {
        let (mut checker, raw) = self.begin(attributes);
        let origin = checker.attribute(&raw);
        Ok(mapping(self.end(origin, checker)?, target.target()?))
    }

    /// Returns a mapping that computes `target` by the argument, an expression.
    pub(crate) fn computed(&self, target: &Self, attributes: &Attributes) -> Result<Mapping, ConfigError> {
        let (mut checker, raw) = self.begin(attributes);
        let origin = checker.expression(&raw);
        Ok(mapping(self.end(origin, checker)?, target.target()?))
    }

    fn target(&self) -> Result<(TargetPath, Kind), ConfigError> {
        let (mut checker, raw) = self.begin(&Attributes::default());
        let target = checker.target(&raw.span(), Some(raw));
        self.end(target, checker)
    }

    fn begin(&self, attributes: &Attributes) -> (Checker<'a>, Spanned<String>) {
        let checker = Checker {
            text: self.text,
            is_argument: true,
            folder: Path::new(""),
            env: &|_| None,
            attributes: attributes.clone(),
            problems: Vec::new(),
            left_out: Vec::new(),
        };
        (checker, Spanned::new(0..self.text.len(), self.text.to_owned()))
    }

    fn end<T>(&self, read: Option<T>, checker: Checker<'_>) -> Result<T, ConfigError> {
        match read {
            Some(read) if checker.problems.is_empty() => Ok(read),
            _ => Err(ConfigError::of_argument(self.name, self.text, checker.problems)),
        }
    }
}

/// Returns a mapping with this line and one for the user name, which every mapping needs.
fn mapping(origin: Origin, (target, kind): (TargetPath, Kind)) -> Mapping {
    let user_name = TargetPath::user_name();
    let mut entries = Vec::new();
    if target != user_name {
        let origin = Origin::Attribute("username".to_owned());
        entries.push(Entry { target: user_name, kind: Kind::Text, origin });
    }
    entries.push(Entry { target, kind, origin });
    Mapping::explicit(entries)
}
