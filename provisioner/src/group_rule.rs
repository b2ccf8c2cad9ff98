//! A group rule: which groups are provisioned, under which name, with which members, and what may be written of them.
//!
//! The engine decides which of several matching rules owns a group: the first in the file.

use scim::filter::{AttrFacts, AttrInfo, Filter, TextKind};
use scim::path::AttrPath;
use serde_json::Value;

use crate::ids::RuleName;
use crate::mapping::{EvaluationError, Expression, User};
use crate::policy::groups::{GroupSwitches, MembersMode};
use crate::source::fingerprint;
use crate::source::groups::SourceGroup;

/// A group rule of the connection.
#[derive(Debug, Clone)]
pub struct GroupRule {
    /// The name, which identifies the rule.
    pub name: RuleName,
    /// Off: the rule's groups are left alone.
    pub enabled: bool,
    /// The filter that selects the groups; `None` selects all.
    pub filter: Option<Filter>,
    /// The origin of the group's name at the target.
    pub name_source: NameSource,
    /// What becomes of members that the target's group has beyond the source's.
    pub members: MembersMode,
    /// What may be written.
    pub switches: GroupSwitches,
}

/// The origin of `displayName`, as PingOne's GROUP_NAME_SOURCE.
#[derive(Debug, Clone)]
pub enum NameSource {
    /// The group's `name` (PingOne: Common Name).
    Name,
    /// The group's `displayName`, or its `name` where it has none.
    DisplayName,
    /// An expression over `group`.
    Expression(NameExpression),
}

/// A compiled expression for the name of a group.
#[derive(Debug, Clone)]
pub struct NameExpression(pub(crate) Expression);

/// A group without a name for the target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupNameError {
    /// The attribute is absent or empty.
    #[error("the group has no `{0}`, which its name at the target is taken from")]
    NoAttribute(String),
    /// The expression fails for the group.
    #[error("`name-expression` has no value for the group: {0}")]
    Expression(&'static str),
}

impl GroupRule {
    /// Whether a group is in the rule's scope, whether or not the rule is enabled.
    pub fn matches(&self, group: &SourceGroup) -> bool {
        self.matches_attributes(&group.attributes)
    }

    /// Whether a group with these attributes is in the rule's scope, as [`GroupRule::matches`].
    pub(crate) fn matches_attributes(&self, attributes: &Value) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(attributes, &PingOneGroup))
    }

    /// Returns the `displayName` that the group has at the target.
    ///
    /// # Errors
    /// The group lacks the attribute, or the expression has no text for it.
    pub fn display_name(&self, group: &SourceGroup) -> Result<String, GroupNameError> {
        let text = |name: &str| {
            let text = group.attributes.get(name).and_then(Value::as_str);
            text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let missing = |name: &str| GroupNameError::NoAttribute(name.to_owned());
        match &self.name_source {
            NameSource::Name => text("name").ok_or_else(|| missing("name")),
            NameSource::DisplayName => {
                text("displayName").or_else(|| text("name")).ok_or_else(|| missing("displayName"))
            }
            NameSource::Expression(NameExpression(expression)) => {
                match expression.evaluate(&User::new(&group.attributes)) {
                    Ok(Value::String(text)) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
                    Ok(_) => Err(GroupNameError::Expression("its result is not a text, or is empty")),
                    Err(EvaluationError::NoAttribute { path, .. }) => Err(missing(&path)),
                    Err(_) => Err(GroupNameError::Expression("it fails")),
                }
            }
        }
    }

    /// Returns 32 hex characters that change with all that the rule says of a group's name, members and writes.
    pub fn fingerprint(&self) -> String {
        let origin = match &self.name_source {
            NameSource::Name => "name",
            NameSource::DisplayName => "display-name",
            NameSource::Expression(NameExpression(expression)) => expression.text(),
        };
        let settings = format!("{:?} {:?}", self.members, self.switches);
        fingerprint([self.name.as_str(), origin, settings.as_str()])
    }
}

/// The attributes of a PingOne group that a filter or an expression may name.
pub(crate) const ATTRIBUTES: [&str; 9] = [
    "id",
    "environment.id",
    "name",
    "displayName",
    "description",
    "population.id",
    "externalId",
    "createdAt",
    "updatedAt",
];

/// The comparison of group attributes: ids exactly, dates by instant, other strings without case.
struct PingOneGroup;

impl AttrInfo for PingOneGroup {
    fn case_exact(&self, path: &AttrPath) -> bool {
        path.sub.as_ref().unwrap_or(&path.name).as_str().eq_ignore_ascii_case("id")
    }

    fn facts<'a>(&'a self, path: &'a AttrPath) -> Option<AttrFacts<'a>> {
        let leaf = path.sub.as_ref().unwrap_or(&path.name).as_str();
        let is_date_time = ["createdAt", "updatedAt"].iter().any(|name| leaf.eq_ignore_ascii_case(name));
        Some(AttrFacts {
            case_exact: self.case_exact(path),
            text: if is_date_time { TextKind::DateTime } else { TextKind::Plain },
            extension: path.urn.as_ref(),
        })
    }
}
