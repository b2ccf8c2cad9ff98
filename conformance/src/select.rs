//! `--select EXPR`: which cells or cases to run.
//!
//! ```text
//! expression = term, { "|", term } ;            (* or *)
//! term       = factor, { "&", factor } ;        (* and, which binds tighter *)
//! factor     = "!", factor | "(", expression, ")" | name, ( "=" | "!=" ), pattern ;
//! pattern    = one or more characters other than blanks and & | ( ) ! = ; "*" stands for any characters
//! ```
//!
//! What has no such property (a refused setting has no profile) answers no to `=` and yes to `!=`; of several values
//! (the tags of a case) one must fit.

use std::fmt;

use cli_support::suggest::did_you_mean_or_list;

use crate::requirement::current_id;

/// The items of a selection: cells of the matrix, or cases of a suite.
pub trait Selectable {
    /// Returns the property names of selections, and the values that each can have; no values: any.
    fn properties() -> Vec<(&'static str, Vec<String>)>;

    /// Whether one of the values of a property fits. What has no such property has no values.
    fn has(&self, name: &str, fits: &dyn Fn(&str) -> bool) -> bool;
}

/// A slug that is empty or has other characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid slug `{0}`: expected a-z, 0-9 and hyphens")]
pub struct SlugError(String);

/// Checks a slug: a stable name, the last part of ids that are selected.
///
/// # Errors
/// The slug is empty or has other characters.
pub(crate) fn check_slug(slug: &str) -> Result<(), SlugError> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if slug.is_empty() || !slug.chars().all(fine) {
        return Err(SlugError(slug.to_owned()));
    }
    Ok(())
}

/// Parentheses and negations may be this deep.
const MAX_DEPTH: usize = 64;

/// A parsed selection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All items.
    Everything,
    /// A property and the pattern it must fit.
    Is(&'static str, String),
    /// The opposite of this.
    Not(Box<Selection>),
    /// All of these.
    And(Vec<Selection>),
    /// Any of these.
    Or(Vec<Selection>),
}

/// Why an expression is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectError {
    expression: String,
    /// The position in characters.
    at: usize,
    message: String,
}

impl fmt::Display for SelectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expression, at, message } = self;
        write!(f, "{message}\n  {expression}\n  {:at$}^", "")
    }
}

impl std::error::Error for SelectError {}

impl Selection {
    /// Reads an expression.
    ///
    /// # Errors
    /// The expression is invalid; the error has the place and, for an unknown word, a near one.
    pub fn parse<S: Selectable>(expression: &str) -> Result<Self, SelectError> {
        let known = S::properties();
        let mut parser = Parser { characters: expression.chars().collect(), at: 0, depth: 0, known };
        let parsed = parser.expression().and_then(|selection| {
            parser.blanks();
            if parser.peek().is_some() {
                Err(parser.here("expected `&`, `|` or the end"))
            } else {
                Ok(selection)
            }
        });
        parsed.map_err(|(at, message)| SelectError { expression: expression.to_owned(), at, message })
    }

    /// Whether it is meant.
    pub fn takes<S: Selectable>(&self, what: &S) -> bool {
        match self {
            Self::Everything => true,
            Self::Is(name, pattern) => what.has(name, &|value| fits(pattern, value)),
            Self::Not(inner) => !inner.takes(what),
            Self::And(all) => all.iter().all(|one| one.takes(what)),
            Self::Or(any) => any.iter().any(|one| one.takes(what)),
        }
    }
}

/// Whether `value` fits a pattern in which `*` stands for any characters.
pub(crate) fn fits(pattern: &str, value: &str) -> bool {
    let Some((head, mut rest)) = pattern.split_once('*') else { return pattern == value };
    let Some(mut value) = value.strip_prefix(head) else { return false };
    while let Some((piece, after)) = rest.split_once('*') {
        let Some(at) = value.find(piece) else { return false };
        value = &value[at + piece.len()..];
        rest = after;
    }
    value.ends_with(rest)
}

type Problem = (usize, String);

struct Parser {
    characters: Vec<char>,
    at: usize,
    depth: usize,
    known: Vec<(&'static str, Vec<String>)>,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.blanks();
        let there = self.peek() == Some(wanted);
        self.at += usize::from(there);
        there
    }

    fn here(&self, message: &str) -> Problem {
        (self.at, message.to_owned())
    }

    fn expression(&mut self) -> Result<Selection, Problem> {
        let mut any = vec![self.term()?];
        while self.eat('|') {
            any.push(self.term()?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Selection::Or(any) })
    }

    fn term(&mut self) -> Result<Selection, Problem> {
        let mut all = vec![self.factor()?];
        while self.eat('&') {
            all.push(self.factor()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Selection::And(all) })
    }

    fn factor(&mut self) -> Result<Selection, Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.here("nested too deeply"));
        }
        let factor = if self.eat('!') {
            Selection::Not(Box::new(self.factor()?))
        } else if self.eat('(') {
            let inner = self.expression()?;
            if !self.eat(')') {
                return Err(self.here("expected `)`"));
            }
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(factor)
    }

    fn word(&mut self) -> (usize, String) {
        self.blanks();
        let start = self.at;
        while self.peek().is_some_and(|c| !c.is_whitespace() && !"&|()!=".contains(c)) {
            self.at += 1;
        }
        (start, self.characters[start..self.at].iter().collect())
    }

    fn comparison(&mut self) -> Result<Selection, Problem> {
        let (at, name) = self.word();
        if name.is_empty() {
            return Err((at, "expected a name, `!` or `(`".to_owned()));
        }
        let Some((name, values)) = self.known.iter().find(|(known, _)| *known == name).cloned() else {
            let names: Vec<&str> = self.known.iter().map(|(name, _)| *name).collect();
            return Err((at, unknown("name", &name, &names)));
        };
        let negated = self.eat('!');
        if !self.eat('=') {
            return Err(self.here("expected `=` or `!=`"));
        }
        let (at, mut pattern) = self.word();
        if pattern.is_empty() {
            return Err((at, format!("expected a value for `{name}`")));
        }
        if ["id", "document"].contains(&name) {
            pattern = current_id(&pattern).into_owned();
        }
        if !values.is_empty() && !values.iter().any(|value| fits(&pattern, value)) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            return Err((at, unknown(name, &pattern, &values)));
        }
        let is = Selection::Is(name, pattern);
        Ok(if negated { Selection::Not(Box::new(is)) } else { is })
    }
}

fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    format!("unknown {what} `{word}`{}", did_you_mean_or_list(word, known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::cell::{Cell, Extent};

    fn count(expression: &str) -> usize {
        let selection = Selection::parse::<Cell>(expression).expect("a valid expression");
        Cell::all(Extent::Every).iter().filter(|cell| selection.takes(*cell)).count()
    }

    #[test]
    fn expression_selects_the_named_cells() {
        assert_eq!(count("kind=refusal"), 42);
        assert_eq!(count("kind=matrix & scenario=created & profile=aquera & method=put & auth=basic"), 22);
        assert_eq!(
            count("kind=matrix & scenario=created & profile=patch-* & !method=put & auth!=basic"),
            22 * 2 * 7
        );
        assert_eq!(
            count("kind=matrix & (profile=no-put | profile=no-delete) & scenario=renamed & create=off"),
            2 * 11 * 2 * 3
        );
        assert_eq!(count("id=matrix/none/basic/put/aquera/created"), 1);
        assert_eq!(count("profile!=aquera & kind=refusal"), 42, "what is absent is not equal");
    }

    #[test]
    fn star_matches_any_characters() {
        assert!(fits("a*c", "abc") && fits("*", "") && fits("*b*", "abc") && fits("a*", "a"));
        assert!(!fits("a*c", "ab") && !fits("b", "abc") && !fits("a*b*c", "acb"));
        assert!(!fits("ab*b", "ab"), "the pieces may not overlap");
    }

    #[track_caller]
    fn check(expression: &str, at: usize, message: &str) {
        let error = Selection::parse::<Cell>(expression).expect_err("a bad expression");
        assert_eq!((error.at, error.message.as_str()), (at, message));
    }

    #[test]
    fn invalid_expression_is_refused_with_the_place() {
        check("", 0, "expected a name, `!` or `(`");
        check("profle=aquera", 0, "unknown name `profle`; did you mean `profile`?");
        check("auth=basic & profile=aqera", 21, "unknown profile `aqera`; did you mean `aquera`?");
        check("auth basic", 5, "expected `=` or `!=`");
        check("auth=", 5, "expected a value for `auth`");
        check("(auth=basic", 11, "expected `)`");
        check("auth=basic auth=bearer", 11, "expected `&`, `|` or the end");
        check(&"!".repeat(65), 64, "nested too deeply");
    }
}
