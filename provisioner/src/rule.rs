//! A rule: which users are in scope, and by which mapping.
//!
//! Which of several rules owns a user, and what a rule that is gone or turned off means, is the engine's business.

use scim::filter::{AttrFacts, AttrInfo, Filter};
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
    /// Who is in scope; everyone where there is none.
    pub filter: Option<Filter>,
    /// What is written for them.
    pub mapping: Mapping,
}

impl Rule {
    /// Whether a user is in the rule's scope, whether or not the rule is enabled.
    pub fn matches(&self, user: &SourceUser) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(&user.attributes, &PingOneUser))
    }

    /// 32 hex characters that stand for name and filter, the same from run to run.
    pub fn fingerprint(&self) -> String {
        match &self.filter {
            Some(filter) => fingerprint([self.name.as_str(), &filter.to_string()]),
            None => fingerprint([self.name.as_str()]),
        }
    }
}

/// How PingOne attributes compare: ids exactly, dates by instant, user names by their key ([`scim::precis`]), other strings
/// without case.
struct PingOneUser;

impl AttrInfo for PingOneUser {
    fn case_exact(&self, path: &AttrPath) -> bool {
        path.sub.as_ref().unwrap_or(&path.name).as_str().eq_ignore_ascii_case("id")
    }

    fn facts<'a>(&'a self, path: &'a AttrPath) -> Option<AttrFacts<'a>> {
        let leaf = path.sub.as_ref().unwrap_or(&path.name).as_str();
        Some(AttrFacts {
            case_exact: self.case_exact(path),
            date_time: ["createdAt", "updatedAt"].iter().any(|name| leaf.eq_ignore_ascii_case(name)),
            user_name: path.sub.is_none() && leaf.eq_ignore_ascii_case("username"),
            extension: path.urn.as_ref(),
        })
    }
}
