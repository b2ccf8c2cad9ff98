//! A rule: which users are in scope, and by which mapping.
//!
//! The engine decides which of several matching rules owns a user, and handles rules that are deleted or off.

use scim::filter::{AttrFacts, AttrInfo, Filter, TextKind};
use scim::path::AttrPath;

use crate::ids::RuleName;
use crate::mapping::Mapping;
use crate::source::{SourceUser, fingerprint};

/// A rule of the connection.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The name, which identifies the rule.
    pub name: RuleName,
    /// Off: the rule's users are left alone.
    pub enabled: bool,
    /// The filter that selects the users; `None` selects all.
    pub filter: Option<Filter>,
    /// The mapping of the selected users.
    pub mapping: Mapping,
}

impl Rule {
    /// Whether a user is in the rule's scope, whether or not the rule is enabled.
    pub fn matches(&self, user: &SourceUser) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(&user.attributes, &PingOneUser))
    }

    /// Returns 32 hex characters that identify name and filter, the same in every run.
    pub fn fingerprint(&self) -> String {
        match &self.filter {
            Some(filter) => fingerprint([self.name.as_str(), &filter.to_string()]),
            None => fingerprint([self.name.as_str()]),
        }
    }
}

/// The comparison of PingOne attributes: ids exactly, dates by instant, user names by their key ([`scim::precis`]), other
/// strings without case.
struct PingOneUser;

impl AttrInfo for PingOneUser {
    fn case_exact(&self, path: &AttrPath) -> bool {
        path.sub.as_ref().unwrap_or(&path.name).as_str().eq_ignore_ascii_case("id")
    }

    fn facts<'a>(&'a self, path: &'a AttrPath) -> Option<AttrFacts<'a>> {
        let leaf = path.sub.as_ref().unwrap_or(&path.name).as_str();
        let is_date_time = ["createdAt", "updatedAt"].iter().any(|name| leaf.eq_ignore_ascii_case(name));
        let is_user_name = path.sub.is_none() && leaf.eq_ignore_ascii_case("username");
        Some(AttrFacts {
            case_exact: self.case_exact(path),
            text: match (is_date_time, is_user_name) {
                (true, _) => TextKind::DateTime,
                (false, true) => TextKind::UserName,
                (false, false) => TextKind::Plain,
            },
            extension: path.urn.as_ref(),
        })
    }
}
