//! Filters: the tree, its textual form, and the facts about attributes that evaluation needs (RFC 7644 §3.4.2.2).
//!
//! Submodules parse and evaluate. Some clients compare a sub-attribute after a value path, which the grammar of the RFC
//! does not allow: `emails[type eq "work"].value eq "x"` is parsed as `emails[type eq "work" and value eq "x"]`.

mod eval;
mod inspect;
pub(crate) mod parse;
mod patch_path;
mod simple;

use std::{fmt, str::FromStr};

pub(crate) use eval::element_matches;
pub use inspect::{FilterOperator, FilterPart};
pub use parse::{MAX_DEPTH, MAX_TERMS};
pub use patch_path::PatchPath;
pub use simple::simple_eq;

use crate::{
    dialect::{Dialect, DialectUse, Dialects},
    name::{AttrName, Urn},
    parse_error::ParseError,
    path::AttrPath,
};

/// A filter expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of these match.
    And(Vec<Filter>),
    /// At least one of these matches.
    Or(Vec<Filter>),
    /// This does not match.
    Not(Box<Filter>),
    /// An attribute compared with a literal.
    Compare {
        /// The attribute.
        path: AttrPath,
        /// The operator.
        op: CompareOp,
        /// The literal.
        value: Literal,
    },
    /// The attribute has a value (`pr`).
    Present(AttrPath),
    /// One value of a multi-valued attribute matches the inner filter, whose paths are sub-attributes.
    ValuePath {
        /// The multi-valued attribute.
        path: AttrPath,
        /// The inner filter.
        filter: Box<Filter>,
    },
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater than, or later than.
    Gt,
    /// Greater than or equal.
    Ge,
    /// Less than, or earlier than.
    Lt,
    /// Less than or equal.
    Le,
}

impl CompareOp {
    /// Every operator.
    pub const ALL: [Self; 9] =
        [Self::Eq, Self::Ne, Self::Co, Self::Sw, Self::Ew, Self::Gt, Self::Ge, Self::Lt, Self::Le];

    /// Returns the operator as a filter has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }
}

/// The right-hand side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A text, or a date and time: both are JSON strings.
    String(String),
    /// A number.
    Number(serde_json::Number),
    /// `true` or `false`.
    Bool(bool),
    /// `null`: no value.
    Null,
}

impl Filter {
    /// Parses a filter.
    ///
    /// # Errors
    /// The first place in the text that does not fit the grammar, or that exceeds [`MAX_DEPTH`] or [`MAX_TERMS`].
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::filter(text, &mut DialectUse::new(Dialects::all()))
    }

    /// Parses a filter, accepts these dialects, and returns those that it uses.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and the filter uses a dialect that is not accepted.
    ///
    /// ```
    /// use scim::{dialect::{Dialect, Dialects}, filter::Filter};
    ///
    /// let (_, used) = Filter::parse_with(r#"userName eq"mara""#, Dialects::all())?;
    /// assert_eq!(used, [Dialect::FilterMissingSpaces]);
    /// assert!(Filter::parse_with(r#"userName eq"mara""#, Dialects::none()).is_err());
    /// # Ok::<(), scim::parse_error::ParseError>(())
    /// ```
    pub fn parse_with(text: &str, dialects: Dialects) -> Result<(Self, Vec<Dialect>), ParseError> {
        let mut dialect_use = DialectUse::new(dialects);
        let filter = parse::filter(text, &mut dialect_use)?;
        Ok((filter, dialect_use.used()))
    }

    /// Whether a resource matches the filter.
    ///
    /// - A multi-valued attribute matches if one of its values does; the values of a complex one
    ///   are compared by their `value` unless the path has a sub-attribute.
    /// - Text is compared without case unless the attribute is case-exact; date-times by instant; user names by
    ///   [their keys](crate::precis::user_name_key).
    /// - Values of different types are never equal, and have no order. Booleans have no order
    ///   either: `active gt false` never matches.
    /// - An attribute without a value equals `null` and is unequal to everything else, so `ne`
    ///   with any other literal matches it. Empty arrays count as no value.
    /// - An attribute without facts in `attrs` matches nothing, not even with `ne`.
    pub fn matches(&self, resource: &serde_json::Value, attrs: &dyn AttrInfo) -> bool {
        eval::matches(self, resource, attrs)
    }

    /// Returns the text `v` if the whole filter is `attr eq "v"`, so that an index can answer it. The attribute may
    /// have the URN of a core schema.
    pub fn equality_on(&self, attr: &str) -> Option<&str> {
        const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:";
        let Self::Compare { path, op: CompareOp::Eq, value: Literal::String(text) } = self else {
            return None;
        };
        let core =
            |urn: &Urn| urn.as_str().get(..CORE.len()).is_some_and(|head| head.eq_ignore_ascii_case(CORE));
        let same = match (attr.split_once('.'), &path.sub) {
            (None, None) => path.name == *attr,
            (Some((name, sub)), Some(found)) => path.name == *name && *found == *sub,
            _ => false,
        };
        (same && path.urn.as_ref().is_none_or(core)).then_some(text.as_str())
    }
}

impl FromStr for Filter {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str, tight: fn(&Self) -> bool| {
            for (i, part) in parts.iter().enumerate() {
                if i > 0 {
                    write!(f, " {word} ")?;
                }
                if tight(part) { write!(f, "{part}")? } else { write!(f, "({part})")? }
            }
            Ok(())
        };
        match self {
            Self::And(parts) => join(f, parts, "and", |p| !matches!(p, Self::And(_) | Self::Or(_))),
            Self::Or(parts) => join(f, parts, "or", |p| !matches!(p, Self::Or(_))),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::Compare { path, op, value } => write!(f, "{path} {op} {value}"),
            Self::Present(path) => write!(f, "{path} pr"),
            Self::ValuePath { path, filter } => write!(f, "{path}[{filter}]"),
        }
    }
}

impl fmt::Display for CompareOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => write!(f, "{}", serde_json::Value::from(text.as_str())),
            Self::Number(number) => write!(f, "{number}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Null => f.write_str("null"),
        }
    }
}

/// The facts about attributes that the evaluation of a filter needs.
///
/// A [`SchemaSet`](crate::schema::SchemaSet) answers from the schema. Other data that is filtered with the grammar of
/// SCIM only has to tell which attributes are case-exact.
pub trait AttrInfo {
    /// Returns whether text in this attribute is compared with case.
    fn case_exact(&self, path: &AttrPath) -> bool;

    /// Returns every fact in one look-up, or `None` if the attribute does not exist.
    fn facts<'a>(&'a self, path: &'a AttrPath) -> Option<AttrFacts<'a>> {
        Some(AttrFacts {
            case_exact: self.case_exact(path),
            text: TextKind::Plain,
            extension: path.urn.as_ref(),
        })
    }
}

/// How an attribute is compared, and which member holds it; see [`AttrInfo`].
#[derive(Debug, Clone, Copy)]
pub struct AttrFacts<'a> {
    /// Whether text is compared with case.
    pub case_exact: bool,
    /// The kind of text in the attribute.
    pub text: TextKind,
    /// The extension that defines the attribute, if one does.
    pub extension: Option<&'a Urn>,
}

/// The kind of text in an attribute, which determines its comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// Any text.
    Plain,
    /// A date and time, compared by instant.
    DateTime,
    /// A user name, compared by [its key](crate::precis::user_name_key), or with case by
    /// [another](crate::precis::user_name_key_with_case).
    UserName,
}

/// Returns the equalities of a filter that consists of equalities only.
pub(crate) fn plain_equalities(filter: &Filter) -> Option<Vec<(&AttrName, &Literal)>> {
    match filter {
        Filter::Compare { path: AttrPath { urn: None, name, sub: None }, op: CompareOp::Eq, value } => {
            Some(vec![(name, value)])
        }
        Filter::And(parts) => {
            parts.iter().map(plain_equalities).collect::<Option<Vec<_>>>().map(|v| v.concat())
        }
        _ => None,
    }
}
