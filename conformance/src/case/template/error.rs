//! Invalid templates.

use crate::json_text::JsonTextError;

/// An invalid template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A place has no end.
    #[error("`{{{{` without `}}}}` in `{0}`")]
    Unclosed(String),
    /// A place has other characters than a name has.
    #[error("invalid name `{name}` in `{{{{{place}}}}}`: expected letters, digits, hyphens and underscores")]
    Name {
        /// The name.
        name: String,
        /// The text between the braces.
        place: String,
    },
    /// A place has nothing behind its colon.
    #[error("invalid place `{{{{{0}}}}}`: expected a label after the colon")]
    Label(String),
    /// A place has another word behind its dot.
    #[error(
        "invalid place `{{{{{0}}}}}`: expected id, path, named-path, location or version after the dot; a slash reaches fields"
    )]
    Property(String),
    /// A place has another form of a time behind its `@`.
    #[error("invalid place `{{{{{0}}}}}`: expected -1s, +02:00, .0 or cut after the @")]
    Shift(String),
    /// The text is no JSON.
    #[error(transparent)]
    Json(#[from] JsonTextError),
}
