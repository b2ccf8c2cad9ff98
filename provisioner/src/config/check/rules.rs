//! `[[rule]]` and `[[rule.mapping]]`.

use std::collections::BTreeMap;
use std::ops::Range;

use scim::filter::Filter;
use toml::Spanned;

use super::super::raw::{RawMapping, RawRule};
use super::Checker;
use super::attributes::is_path;
use crate::ids::RuleName;
use crate::mapping::{Entry, Expression, Mapping, Origin, TargetPath, resolve};
use crate::rule::Rule;

impl Checker<'_> {
    /// Reads the rules; `no_external_id` is the place where the options turn `externalId` off.
    pub(super) fn rules(
        &mut self,
        raw: Vec<Spanned<RawRule>>,
        no_external_id: Option<&Range<usize>>,
    ) -> Vec<Rule> {
        let mut lines: BTreeMap<RuleName, usize> = BTreeMap::new();
        let mut rules = Vec::new();
        for rule in raw {
            let span = rule.span();
            let rule = rule.into_inner();
            let filter = rule.filter.map(|filter| self.filter(&filter));
            let mut mapping = self.mapping(&span, rule.mapping);
            if let Some(option) = no_external_id {
                if mapping.maps_external_id() {
                    let line = self.line(Some(&span));
                    let message =
                        format!("`external-id` is false, and the rule on line {line} maps `externalId`");
                    let help = "leave the option out, or the mapping: it says what `externalId` is";
                    self.report(Some(option.clone()), message, help);
                }
                mapping = mapping.without_external_id();
            }
            let name_span = rule.name.as_ref().map(Spanned::span);
            let help = "give every rule a name of its own: name = \"…\"; the name identifies it";
            let Some(name) =
                self.text("name", rule.name, Some(&span), help).and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let line = self.line(name_span.as_ref());
            if let Some(first) = lines.get(&name) {
                let message = format!("the rule name \"{name}\" is taken by the rule on line {first}");
                self.report(name_span, message, "give every rule a name of its own: it identifies the rule");
                continue;
            }
            lines.insert(name.clone(), line);
            rules.push(Rule {
                name,
                enabled: rule.enabled.unwrap_or(true),
                filter: filter.flatten(),
                mapping,
            });
        }
        rules
    }

    pub(super) fn line(&self, span: Option<&Range<usize>>) -> usize {
        let start = span.map_or(0, |span| span.start);
        self.text.get(..start).unwrap_or_default().matches('\n').count() + 1
    }

    pub(super) fn filter(&mut self, raw: &Spanned<String>) -> Option<Filter> {
        match Filter::parse(raw.get_ref()) {
            Ok(filter) => {
                self.filter_attributes(raw, &filter);
                Some(filter)
            }
            Err(error) => {
                let span = self.place(raw, error.span());
                self.report(
                    Some(span),
                    format!("`filter` does not parse: {}", error.message()),
                    "write a SCIM filter over the PingOne user, as in 'population.id eq \"…\"'; leave it out for everyone",
                );
                None
            }
        }
    }

    fn mapping(&mut self, rule: &Range<usize>, raw: Vec<Spanned<RawMapping>>) -> Mapping {
        if raw.is_empty() {
            return Mapping::default();
        }
        let mut targets: BTreeMap<TargetPath, usize> = BTreeMap::new();
        let mut entries = Vec::new();
        // A target that cannot be read might have been meant as the user name.
        let mut unclear = false;
        for line in raw {
            let span = line.span();
            let RawMapping { source, expression, target } = line.into_inner();
            let origin = self.origin(&span, source, expression);
            let target_span = target.as_ref().map_or_else(|| span.clone(), Spanned::span);
            let Some((target, kind)) = self.target(&span, target) else {
                unclear = true;
                continue;
            };
            let at = self.line(Some(&target_span));
            if let Some(first) = targets.get(&target) {
                self.report(
                    Some(target_span),
                    format!("`{target}` is mapped already, on line {first}"),
                    "an attribute has one mapping: leave one of the two out",
                );
                continue;
            }
            targets.insert(target.clone(), at);
            entries.extend(origin.map(|origin| Entry { target, kind, origin }));
        }
        if !unclear && !targets.keys().any(|target| target.to_string() == "userName") {
            self.report(
                Some(rule.clone()),
                "the rule has mappings, and none for `userName`",
                "its own mappings replace all default ones: add source = \"username\", target = \"userName\"",
            );
        }
        Mapping::explicit(entries)
    }

    fn origin(
        &mut self,
        mapping: &Range<usize>,
        source: Option<Spanned<String>>,
        expression: Option<Spanned<String>>,
    ) -> Option<Origin> {
        match (source, expression) {
            (Some(source), None) => self.attribute(&source),
            (None, Some(expression)) => self.expression(&expression),
            (Some(_), Some(expression)) => {
                self.report(
                    Some(expression.span()),
                    "the mapping has both `source` and `expression`",
                    "keep one of the two: an expression reads an attribute as user.ATTRIBUTE",
                );
                None
            }
            (None, None) => {
                if ["source", "expression"].iter().any(|key| self.is_left_out(key, Some(mapping))) {
                    return None;
                }
                self.report(
                    Some(mapping.clone()),
                    "the mapping has neither `source` nor `expression`",
                    "say where the value comes from, as in source = \"username\"",
                );
                None
            }
        }
    }

    pub(super) fn attribute(&mut self, raw: &Spanned<String>) -> Option<Origin> {
        let path = raw.get_ref();
        if !is_path(path) {
            self.report(
                Some(raw.span()),
                format!("{path:?} is no attribute of a PingOne user"),
                "write its dotted path, as in source = \"name.given\"; for anything more use `expression`",
            );
            return None;
        }
        self.mapped_attribute(raw).then(|| Origin::Attribute(path.clone()))
    }

    pub(super) fn expression(&mut self, raw: &Spanned<String>) -> Option<Origin> {
        let text = raw.get_ref();
        match Expression::compile(text) {
            Ok(expression) => {
                self.expression_attributes(raw, &expression);
                Some(Origin::Expression(expression))
            }
            Err(error) => {
                let span = error.offset.map_or_else(
                    || raw.span(),
                    |start| {
                        let letter = text.get(start..).and_then(|rest| rest.chars().next());
                        self.place(raw, start..start + letter.map_or(0, char::len_utf8))
                    },
                );
                self.report(
                    Some(span),
                    format!("`expression` does not compile: {}", error.message),
                    "write a CEL expression over `user`, as in \"user.name.given + ' ' + user.name.family\"",
                );
                None
            }
        }
    }

    pub(super) fn target(
        &mut self,
        mapping: &Range<usize>,
        raw: Option<Spanned<String>>,
    ) -> Option<(TargetPath, crate::mapping::Kind)> {
        let Some(raw) = raw else {
            let help = "name the attribute to write, as in target = \"userName\"";
            self.missing("target", Some(mapping), "the mapping has no `target`".to_owned(), help);
            return None;
        };
        let path = match raw.get_ref().parse::<TargetPath>() {
            Ok(path) => path,
            Err(error) => {
                let span = self.place(&raw, error.span());
                let help = "write `attribute`, `attribute.part` or `attribute[type eq \"work\"].part`";
                self.report(Some(span), format!("`target` does not parse: {error}"), help);
                return None;
            }
        };
        resolve(&path).map_err(|error| self.report(Some(raw.span()), error.message, error.help)).ok()
    }
}
