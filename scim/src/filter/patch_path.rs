//! Paths of PATCH operations (RFC 7644 §3.5.2), which may have a value filter.

use std::{fmt, str::FromStr};

use super::{Filter, parse};
use crate::{
    dialect::{DialectUse, Dialects},
    name::{AttrName, Urn},
    parse_error::ParseError,
    path::AttrPath,
};

/// The `path` of a PATCH operation: an attribute path, which may have a value filter, as in
/// `emails[type eq "work"].value`.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchPath {
    /// The schema, if the path has one.
    pub urn: Option<Urn>,
    /// The attribute.
    pub name: AttrName,
    /// The filter that selects values of the attribute.
    pub filter: Option<Filter>,
    /// The sub-attribute, if the path has one.
    pub sub: Option<AttrName>,
}

impl PatchPath {
    /// Returns the path without the value filter.
    pub fn attr_path(&self) -> AttrPath {
        AttrPath { urn: self.urn.clone(), name: self.name.clone(), sub: self.sub.clone() }
    }
}

impl From<AttrPath> for PatchPath {
    fn from(AttrPath { urn, name, sub }: AttrPath) -> Self {
        Self { urn, name, filter: None, sub }
    }
}

impl FromStr for PatchPath {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse::patch_path(text, &mut DialectUse::new(Dialects::all()))
    }
}

impl fmt::Display for PatchPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.urn {
            write!(f, "{urn}:")?;
        }
        write!(f, "{}", self.name)?;
        if let Some(filter) = &self.filter {
            write!(f, "[{filter}]")?;
        }
        if let Some(sub) = &self.sub {
            write!(f, ".{sub}")?;
        }
        Ok(())
    }
}
