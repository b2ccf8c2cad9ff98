//! The parts of a filter, for a caller that restricts or plans it.

use std::{borrow::Cow, fmt};

use super::{CompareOp, Filter, Literal};
use crate::path::AttrPath;

/// An operator of filters, without its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FilterOperator {
    /// A comparison with a literal.
    Compare(CompareOp),
    /// `pr`.
    Present,
    /// `and`.
    And,
    /// `or`.
    Or,
    /// `not`.
    Not,
    /// A value filter in brackets.
    ValuePath,
}

impl FilterOperator {
    /// Returns the word in a filter; `[]` for a value filter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compare(op) => op.as_str(),
            Self::Present => "pr",
            Self::And => "and",
            Self::Or => "or",
            Self::Not => "not",
            Self::ValuePath => "[]",
        }
    }
}

impl fmt::Display for FilterOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One use of an operator in a filter.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterPart<'a> {
    /// The operator.
    pub operator: FilterOperator,
    /// The path; inside a value filter the whole path, such as `emails.type`. `None` for `and`, `or` and `not`.
    pub path: Option<Cow<'a, AttrPath>>,
    /// The literal of a comparison.
    pub value: Option<&'a Literal>,
    /// Whether the path is inside a value filter and is not the name of a sub-attribute.
    pub(crate) leads_nowhere: bool,
}

impl Filter {
    /// Returns every operator that the filter uses, outer ones first, in the order of the text.
    ///
    /// ```
    /// use scim::filter::Filter;
    ///
    /// let filter = Filter::parse(r#"title pr and emails[type eq "work"]"#)?;
    /// let parts: Vec<String> = filter
    ///     .parts()
    ///     .iter()
    ///     .map(|part| match &part.path {
    ///         Some(path) => format!("{path} {}", part.operator),
    ///         None => part.operator.to_string(),
    ///     })
    ///     .collect();
    /// assert_eq!(parts, ["and", "title pr", "emails []", "emails.type eq"]);
    /// # Ok::<(), scim::parse_error::ParseError>(())
    /// ```
    pub fn parts(&self) -> Vec<FilterPart<'_>> {
        let mut parts = Vec::new();
        self.visit(None, &mut |part| parts.push(part));
        parts
    }

    /// Returns the number of comparisons, including `pr`.
    pub fn terms(&self) -> usize {
        let mut terms = 0;
        self.visit(None, &mut |part| {
            terms +=
                usize::from(matches!(part.operator, FilterOperator::Compare(_) | FilterOperator::Present));
        });
        terms
    }

    pub(crate) fn visit<'a>(&'a self, parent: Option<&AttrPath>, see: &mut dyn FnMut(FilterPart<'a>)) {
        let at = |operator, path: &'a AttrPath, value| {
            let leads_nowhere = parent.is_some() && (path.urn.is_some() || path.sub.is_some());
            let path = match parent {
                Some(parent) if !leads_nowhere => Cow::Owned(parent.child(path.name.clone())),
                _ => Cow::Borrowed(path),
            };
            FilterPart { operator, path: Some(path), value, leads_nowhere }
        };
        let logic = |operator| FilterPart { operator, path: None, value: None, leads_nowhere: false };
        match self {
            Self::And(inner) | Self::Or(inner) => {
                see(logic(if matches!(self, Self::And(_)) {
                    FilterOperator::And
                } else {
                    FilterOperator::Or
                }));
                for part in inner {
                    part.visit(parent, see);
                }
            }
            Self::Not(inner) => {
                see(logic(FilterOperator::Not));
                inner.visit(parent, see);
            }
            Self::Compare { path, op, value } => see(at(FilterOperator::Compare(*op), path, Some(value))),
            Self::Present(path) => see(at(FilterOperator::Present, path, None)),
            Self::ValuePath { path, filter } => {
                see(at(FilterOperator::ValuePath, path, None));
                filter.visit(Some(path), see);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Filter {
        Filter::parse(text).unwrap()
    }

    #[test]
    fn parts_lists_operators_with_paths() {
        #[track_caller]
        fn check(text: &str, expected: &[&str]) {
            let filter = parse(text);
            let said = |part: &FilterPart<'_>| {
                let path = part.path.as_ref().map_or(String::new(), |path| format!("{path} "));
                let value = part.value.map_or(String::new(), |value| format!(" {value}"));
                format!("{path}{}{value}", part.operator)
            };
            assert_eq!(filter.parts().iter().map(said).collect::<Vec<_>>(), expected);
        }
        check("userName eq \"a\"", &["userName eq \"a\""]);
        check("not (a pr) or b gt 1", &["or", "not", "a pr", "b gt 1"]);
        check(
            "emails[type eq \"work\" and not (value co \"@\")] and a pr",
            &["and", "emails []", "and", "emails.type eq \"work\"", "not", "emails.value co \"@\"", "a pr"],
        );
    }

    #[test]
    fn terms_counts_comparisons() {
        assert_eq!(parse("a pr").terms(), 1);
        assert_eq!(parse("a pr and not (b eq 1 or c[d pr and e eq 2])").terms(), 4);
    }
}
