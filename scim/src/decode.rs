//! Decoding of the body of a POST or a PUT, in one pass, into the JSON that a server stores (RFC 7644 §3.3, §3.5.1).
//!
//! No tree is built: while the text is parsed, each member is looked up in the schema, checked by the module `rules`,
//! put into its canonical spelling and written out again. As RFC 7644 §3.3 allows, the result leaves out what only the
//! server writes, what no schema defines (unless that is refused), `null` and empty values. Values that are never
//! returned are checked, handed over in [`DecodedResource::secrets`] and not written. The texts that a server indexes
//! are collected on the way.

mod decode_plan;
mod read;

use serde_json::Value;

use crate::dialect::{Dialect, Dialects};
use crate::rules::{Problem, SchemaUrns};
use crate::schema::{Schema, SchemaSet};
use decode_plan::{ExtensionPlan, ObjectPlan};

/// The strictness of a [`ResourceDecoder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecodeOptions {
    /// Whether a member that no schema defines is a problem; otherwise it is left out.
    pub refuse_unknown: bool,
    /// Whether a text must be one of the attribute's `canonicalValues`.
    pub enforce_canonical_values: bool,
    /// The dialects to accept. [`StringBoolean`](Dialect::StringBoolean), [`MissingSchemas`](Dialect::MissingSchemas),
    /// [`DuplicateSchemas`](Dialect::DuplicateSchemas), [`UnlistedExtensions`](Dialect::UnlistedExtensions) and
    /// [`BareManager`](Dialect::BareManager) have an effect.
    pub dialects: Dialects,
}

/// A decoder of the resources of one type. Build it once per schema set.
#[derive(Debug)]
pub struct ResourceDecoder {
    top: ObjectPlan,
    extensions: Vec<ExtensionPlan>,
    urns: SchemaUrns,
}

/// A decoded body, which fits its schemas.
#[derive(Debug, Default, PartialEq)]
pub struct DecodedResource {
    /// The members of the JSON object without the braces: `"userName":"ida","active":true`. Without `schemas`, `id`
    /// and `meta`, which the server writes.
    pub members: Vec<u8>,
    /// The texts at the indexed paths, each with the position of its path in the list given to
    /// [`ResourceDecoder::new`].
    pub indexed: Vec<(usize, String)>,
    /// The value of the top-level boolean `active`.
    pub active: Option<bool>,
    /// The positions in the schema set of the extensions that have a value.
    pub extensions: Vec<usize>,
    /// The values of attributes that are never returned, under their names.
    pub secrets: Vec<(String, Value)>,
    /// The values of the captured attribute, if the body has it.
    pub captured: Option<Value>,
    /// Whether some value is returned only on request.
    pub on_request: bool,
    /// The dialects that the body uses.
    pub dialects: Vec<Dialect>,
    /// The places of members that no schema defines, at most [`MAX_DROPPED`].
    pub dropped: Vec<String>,
    /// The number of further members that no schema defines.
    pub dropped_more: usize,
    /// The places, below the top of the resource, of values that only the server writes, at most [`MAX_DROPPED`].
    pub read_only: Vec<String>,
    /// The attributes at the top of the resource that only the server writes, with the values that the body has for
    /// them.
    pub read_only_top: Vec<(String, Value)>,
    /// The URNs in `schemas` that the schema set lacks, at most [`MAX_DROPPED`].
    pub unknown_schemas: Vec<String>,
}

/// The maximum number of places of unknown members that are collected.
pub const MAX_DROPPED: usize = 20;

/// A body that cannot be decoded: the reason.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The body is not JSON, or gives a member twice.
    #[error("{0}")]
    Syntax(serde_json::Error),
    /// The body is JSON, but not an object.
    #[error("a resource is a JSON object")]
    NotAnObject,
    /// The body does not fit the schemas; every problem in the order of the text.
    #[error("{}", join(.0))]
    Problems(Vec<Problem>),
}

/// A body that cannot be decoded.
#[derive(Debug)]
pub struct Rejection {
    /// The reason.
    pub error: DecodeError,
    /// The places of members that no schema defines, at most [`MAX_DROPPED`].
    pub dropped: Vec<String>,
    /// The number of further members that no schema defines.
    pub dropped_more: usize,
}

impl From<DecodeError> for Rejection {
    fn from(error: DecodeError) -> Self {
        Self { error, dropped: Vec::new(), dropped_more: 0 }
    }
}

fn join(problems: &[Problem]) -> String {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

impl ResourceDecoder {
    /// Builds a decoder. `indexed` are paths such as `userName` or `emails.value`; `captured` is the top-level
    /// attribute whose values are handed over in [`DecodedResource::captured`] and not written.
    pub fn new(schemas: &SchemaSet, indexed: &[&str], captured: Option<&str>) -> Self {
        let common = schemas.common().iter().chain(schemas.core().attributes());
        let extension = |schema: &Schema| {
            let required = schemas.required_extensions().any(|other| std::ptr::eq(other, schema));
            ExtensionPlan::new(schema, required, indexed)
        };
        Self {
            top: ObjectPlan::new(common, "", indexed, captured),
            extensions: schemas.extensions().iter().map(extension).collect(),
            urns: SchemaUrns::new(schemas),
        }
    }

    /// Decodes a body.
    ///
    /// # Errors
    /// The body is not a JSON object, or does not fit the schemas.
    pub fn decode(&self, body: &[u8], options: DecodeOptions) -> Result<DecodedResource, Rejection> {
        read::read(self, body, options)
    }
}

/// Appends a JSON string.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = first_special(rest) {
        out.extend_from_slice(&rest[..at]);
        write_escape(out, rest[at]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Returns the position of the first byte that JSON escapes. Most texts have none, so it tests eight bytes at a time.
fn first_special(text: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (words, rest) = text.as_chunks::<8>();
    for (nth, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let quote = zero(word ^ (ONES * u64::from(b'"')));
        let backslash = zero(word ^ (ONES * u64::from(b'\\')));
        // A borrow may mark one byte too many, so the exact position needs a search byte by byte.
        if control | quote | backslash != 0
            && let Some(at) = text[nth * 8..nth * 8 + 8].iter().position(|byte| is_special(*byte))
        {
            return Some(nth * 8 + at);
        }
    }
    rest.iter().position(|byte| is_special(*byte)).map(|at| words.len() * 8 + at)
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short: &[u8] = match byte {
        b'"' => b"\\\"",
        b'\\' => b"\\\\",
        b'\n' => b"\\n",
        b'\r' => b"\\r",
        b'\t' => b"\\t",
        0x08 => b"\\b",
        0x0c => b"\\f",
        other => {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(other >> 4)]);
            out.push(HEX[usize::from(other & 15)]);
            return;
        }
    };
    out.extend_from_slice(short);
}

#[cfg(test)]
mod tests;
