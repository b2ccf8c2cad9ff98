//! `[[group-rule]]`, and where the groups are.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use cli_support::suggest::nearest;
use scim::filter::Filter;
use toml::Spanned;

use super::super::raw::{RawGroupRule, RawNameSource};
use super::super::{SourceConfig, SourceKind};
use super::Checker;
use crate::group_rule::{ATTRIBUTES, GroupRule, NameExpression, NameSource};
use crate::ids::RuleName;
use crate::mapping::{Expression, Root};
use crate::policy::groups::{GroupDeletion, GroupSwitches, MembersMode};
use crate::source::groups::{GroupPlace, GroupSource, Memberships};

impl Checker<'_> {
    /// Returns the place of the groups, or `None` if there is none.
    pub(super) fn group_source(
        &mut self,
        path: Option<Spanned<String>>,
        memberships: Option<Spanned<Memberships>>,
    ) -> Option<GroupSource> {
        let Some(path) = path else {
            if let Some(memberships) = memberships {
                self.report(
                    Some(memberships.span()),
                    "`memberships` says where the members of groups are, and there are no groups",
                    "name the file of the groups too, as in groups = \"groups.ndjson\", or leave it out",
                );
            }
            return None;
        };
        let help = "name the file of the groups, as in groups = \"groups.ndjson\"";
        let path: PathBuf = self.text("groups", Some(path), None, help)?.into();
        let memberships = memberships.map(Spanned::into_inner).unwrap_or_default();
        Some(GroupSource { place: GroupPlace::File(self.folder.join(path)), memberships })
    }

    /// Lets the groups of a PingOne environment be read for the group rules, unless a file has them.
    pub(super) fn groups_of_environment(source: &mut SourceConfig) {
        if let SourceConfig { kind: SourceKind::PingOne(pingone), groups: groups @ None, .. } = source {
            let url = pingone.base_url.resource(&["environments", &pingone.environment_id, "groups"]);
            *groups = Some(GroupSource {
                place: GroupPlace::Server(url.to_string()),
                memberships: Memberships::Groups,
            });
        }
    }

    /// Reads the group rules; `groups` tells whether the source has groups.
    pub(super) fn group_rules(&mut self, raw: Vec<Spanned<RawGroupRule>>, groups: bool) -> Vec<GroupRule> {
        let mut names: BTreeMap<RuleName, usize> = BTreeMap::new();
        let mut rules = Vec::new();
        if let Some(first) = raw.first().filter(|_| !groups && !self.is_left_out("groups", None)) {
            self.report(
                Some(first.span()),
                "there is a group rule, and the source has no groups",
                "say where the groups are: groups = \"groups.ndjson\" under [source]",
            );
        }
        for rule in raw {
            let span = rule.span();
            let rule = rule.into_inner();
            let filter = rule.filter.map(|filter| self.group_filter(&filter));
            let name_source = self.name_source(rule.name_source, rule.name_expression);
            let name_span = rule.name.as_ref().map(Spanned::span);
            let help = "give every group rule a name of its own: name = \"…\"; the name identifies it";
            let Some(name) =
                self.text("name", rule.name, Some(&span), help).and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let line = self.line(name_span.as_ref());
            if let Some(first) = names.get(&name) {
                let message = format!("the group rule name \"{name}\" is taken by the rule on line {first}");
                self.report(
                    name_span,
                    message,
                    "give every group rule a name of its own: it identifies the rule",
                );
                continue;
            }
            names.insert(name.clone(), line);
            let (Some(name_source), true) = (name_source, filter.as_ref().is_none_or(Option::is_some)) else {
                continue;
            };
            rules.push(GroupRule {
                name,
                enabled: rule.enabled.unwrap_or(true),
                filter: filter.flatten(),
                name_source,
                members: rule.members.unwrap_or(MembersMode::Merge),
                switches: GroupSwitches {
                    create: rule.create.unwrap_or(true),
                    update: rule.update.unwrap_or(true),
                    deletion: rule.deletion.unwrap_or(GroupDeletion::Keep),
                },
            });
        }
        rules
    }

    fn name_source(
        &mut self,
        written: Option<Spanned<RawNameSource>>,
        expression: Option<Spanned<String>>,
    ) -> Option<NameSource> {
        match (written, expression) {
            (Some(_), Some(expression)) => {
                self.report(
                    Some(expression.span()),
                    "the group rule has both `name-source` and `name-expression`",
                    "keep one of the two: an expression reads an attribute as group.ATTRIBUTE",
                );
                None
            }
            (Some(written), None) => Some(match written.into_inner() {
                RawNameSource::Name => NameSource::Name,
                RawNameSource::DisplayName => NameSource::DisplayName,
            }),
            (None, Some(expression)) => self.name_expression(&expression),
            (None, None) => Some(NameSource::Name),
        }
    }

    fn name_expression(&mut self, raw: &Spanned<String>) -> Option<NameSource> {
        let text = raw.get_ref();
        let help = "write a CEL expression over `group`, as in name-expression = \"'PingOne ' + group.name\"";
        match Expression::compile_over(text, Root::Group) {
            Ok(expression) => {
                let unknown: Vec<String> =
                    expression.attributes().into_iter().filter(|path| !is_known(path)).collect();
                for path in &unknown {
                    self.unknown_of_group(raw.span(), path);
                }
                unknown.is_empty().then_some(NameSource::Expression(NameExpression(expression)))
            }
            Err(error) => {
                let place = |start: usize| {
                    let letter = text.get(start..).and_then(|rest| rest.chars().next());
                    self.place(raw, start..start + letter.map_or(0, char::len_utf8))
                };
                let span = error.offset.map_or_else(|| raw.span(), place);
                let message = format!("`name-expression` does not compile: {}", error.message);
                self.report(Some(span), message, help);
                None
            }
        }
    }

    fn group_filter(&mut self, raw: &Spanned<String>) -> Option<Filter> {
        match Filter::parse(raw.get_ref()) {
            Ok(filter) => {
                let paths = filter.parts().into_iter().filter_map(|part| part.path);
                let unknown: Vec<String> =
                    paths.map(|path| path.to_string()).filter(|path| !is_known(path)).collect();
                for path in &unknown {
                    self.unknown_of_group(raw.span(), path);
                }
                unknown.is_empty().then_some(filter)
            }
            Err(error) => {
                let span = self.place(raw, error.span());
                self.report(
                    Some(span),
                    format!("`filter` does not parse: {}", error.message()),
                    "write a SCIM filter over the PingOne group, as in 'name sw \"Dept\"'; leave it out for all groups",
                );
                None
            }
        }
    }

    /// A misspelt attribute matches no group, and a rule that matches none would delete its groups.
    fn unknown_of_group(&mut self, span: Range<usize>, path: &str) {
        let meant =
            nearest(path, ATTRIBUTES).map_or_else(String::new, |name| format!("did you mean `{name}`? "));
        self.report(
            Some(span),
            format!("`{path}` is not an attribute of a PingOne group"),
            format!("{meant}a group has {}", ATTRIBUTES.map(|name| format!("`{name}`")).join(", ")),
        );
    }
}

fn is_known(path: &str) -> bool {
    ATTRIBUTES.iter().any(|name| name.eq_ignore_ascii_case(path))
}
