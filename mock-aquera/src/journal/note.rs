//! What in a request had no effect, or can have none: told in the journal, since the answer doesn't say.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One part of a request that had no effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// What became of it.
    pub kind: NoteKind,
    /// Where it stands: the path of an attribute, with the position of a value in brackets, as in `emails[0].valu`.
    pub path: String,
    /// What was probably meant, where something comes near.
    #[serde(default)]
    pub nearest: Option<String>,
    /// The same in a sentence, without values.
    pub text: String,
}

/// What became of a part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum NoteKind {
    /// Nothing knows it, or it is not stored: it was left out.
    Dropped,
    /// A comparison in a filter that nothing can satisfy, or everything does.
    NeverMatches,
}
