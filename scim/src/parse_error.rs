//! The error of a filter or path that does not parse.

use std::ops::Range;

/// A filter or a path that does not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at byte {})", span.start)]
pub struct ParseError {
    message: String,
    span: Range<usize>,
}

impl ParseError {
    pub(crate) fn new(message: impl Into<String>, span: Range<usize>) -> Self {
        Self { message: message.into(), span }
    }

    /// Returns the message without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the place, in bytes of the input.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Returns the input, and below it a mark at the place.
    ///
    /// ```
    /// let input = "userName is 1";
    /// let error = scim::filter::Filter::parse(input).unwrap_err();
    /// assert_eq!(error.pointer(input), "userName is 1\n         ^^");
    /// ```
    pub fn pointer(&self, input: &str) -> String {
        let width = |part: Option<&str>| part.map_or(0, |p| p.chars().count());
        let line: String = input.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let before = width(input.get(..self.span.start));
        let marked = width(input.get(self.span.clone())).max(1);
        format!("{line}\n{}{}", " ".repeat(before), "^".repeat(marked))
    }
}
