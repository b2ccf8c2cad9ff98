//! Names of source attributes: in `custom-attributes`, filters, mappings and expressions.

use std::ops::Range;

use scim::filter::{Filter, FilterOperator, Literal};
use toml::Spanned;

use super::Checker;
use crate::mapping::Expression;
use crate::source::{AttributeKind, Attributes, Case};

impl Checker<'_> {
    /// Returns the attributes that filters and mappings may name: PingOne's, and the declared ones.
    pub(super) fn declared(&mut self, raw: Vec<Spanned<String>>) -> Attributes {
        let mut custom = Vec::new();
        for name in raw {
            if is_path(name.get_ref()) {
                custom.push(name.into_inner());
            } else {
                self.report(
                    Some(name.span()),
                    format!("`custom-attributes` cannot hold {:?}", name.get_ref()),
                    "write the names of the environment's own user attributes, as in custom-attributes = [\"badgeNumber\"]",
                );
            }
        }
        Attributes::with_custom(custom)
    }

    /// Reports attributes in a filter that no user has, and comparisons that never hold.
    pub(super) fn filter_attributes(&mut self, raw: &Spanned<String>, filter: &Filter) {
        for part in filter.parts() {
            let Some(path) = part.path else { continue };
            let path = path.to_string();
            let span = find(raw.get_ref(), &path, true);
            let place = self.attributes.place(&path, Case::Ignored);
            if place.is_none() {
                self.unknown(raw, span, &path);
            } else if let (Some(AttributeKind::Parts), FilterOperator::Compare(_)) = (place, part.operator) {
                self.parts(raw, span, &path);
            } else if let (FilterOperator::Compare(_), Some(value)) = (part.operator, part.value)
                && path.eq_ignore_ascii_case("enabled")
                && !matches!(value, Literal::Bool(_))
            {
                self.report(
                    Some(self.within(raw, span)),
                    "`enabled` is true or false, and the filter compares it with something else",
                    "write `enabled eq true` or `enabled eq false`, without quotes",
                );
            }
        }
    }

    /// Reports a source attribute of a mapping that no user has, or that is no value; whether it is one.
    pub(super) fn mapped_attribute(&mut self, raw: &Spanned<String>) -> bool {
        let path = raw.get_ref();
        match self.attributes.place(path, Case::Exact) {
            Some(AttributeKind::Plain | AttributeKind::Custom) => return true,
            Some(AttributeKind::Parts) => self.parts(raw, None, path),
            None => self.unknown(raw, None, path),
        }
        false
    }

    /// Reports attributes in an expression that no user has.
    pub(super) fn expression_attributes(&mut self, raw: &Spanned<String>, expression: &Expression) {
        for path in expression.attributes() {
            if self.attributes.place(&path, Case::Exact).is_none() {
                let span = find(raw.get_ref(), &path, false);
                self.unknown(raw, span, &path);
            }
        }
    }

    fn unknown(&mut self, raw: &Spanned<String>, span: Option<Range<usize>>, path: &str) {
        let root = path.split('.').next().unwrap_or(path);
        let suggest = self.attributes.suggest(path);
        let help = match (self.attributes.place(root, Case::Ignored), suggest) {
            (Some(AttributeKind::Plain), _) if path.contains('.') => {
                format!("`{root}` is one value, without parts: write `{root}`")
            }
            (Some(AttributeKind::Parts), Some(suggest)) => format!("did you mean `{suggest}`?"),
            (Some(AttributeKind::Parts), None) => format!("its parts are {}", listed(root)),
            (Some(AttributeKind::Plain | AttributeKind::Custom) | None, suggest) => {
                let meant = suggest.map_or_else(String::new, |suggest| format!("did you mean `{suggest}`? "));
                // A declaration covers everything below it.
                format!(
                    "{meant}an attribute of your environment's own is declared with custom-attributes = [{root:?}] under [source]"
                )
            }
        };
        self.report(
            Some(self.within(raw, span)),
            format!("`{path}` is not an attribute of a PingOne user"),
            help,
        );
    }

    fn parts(&mut self, raw: &Spanned<String>, span: Option<Range<usize>>, path: &str) {
        self.report(
            Some(self.within(raw, span)),
            format!("`{path}` has parts and is no value itself"),
            format!("name the part: {}", listed(path)),
        );
    }

    /// Returns the place in the file of a place in the text, or of the whole text.
    fn within(&self, raw: &Spanned<String>, span: Option<Range<usize>>) -> Range<usize> {
        span.map_or_else(|| raw.span(), |span| self.place(raw, span))
    }
}

fn listed(path: &str) -> String {
    let parts: Vec<String> = Attributes::parts(path).map(|part| format!("`{part}`")).collect();
    parts.join(", ")
}

/// Whether `path` is names with dots between them.
pub(super) fn is_path(path: &str) -> bool {
    path.split('.').all(|name| !name.trim().is_empty()) && !path.contains(char::is_whitespace)
}

/// Returns the place of `path` as a whole word in `text`, or that of its last name if the path is spelled otherwise.
fn find(text: &str, path: &str, ignoring_case: bool) -> Option<Range<usize>> {
    let part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '$');
    let (text, path) = if ignoring_case {
        (text.to_ascii_lowercase(), path.to_ascii_lowercase())
    } else {
        (text.to_owned(), path.to_owned())
    };
    let alone = |at: usize, length: usize| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + length..).and_then(|after| after.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    };
    let place = |name: &str| {
        let mut places = text.match_indices(name).map(|(at, _)| at);
        places.find(|at| alone(*at, name.len())).map(|at| at..at + name.len())
    };
    place(&path).or_else(|| place(path.rsplit('.').next()?))
}
