//! The body of a POST or a PUT, read in one pass straight into the JSON that is kept (RFC 7644 §3.3, §3.5.1).
//!
//! No tree is built: while the text is parsed, each member is looked up in the schema, checked, put into its canonical
//! spelling and written out again. Left aside, as RFC 7644 §3.3 lets a server do: what only the server writes, what no
//! schema knows (unless that is refused), `null` and empty values. What must never be returned is checked, handed over
//! in [`DecodedResource::secrets`] and not written. The texts that a server keeps indexes of are picked up on the way.

mod decode_plan;
mod read;

use serde_json::Value;

use crate::schema::{Schema, SchemaSet};
use crate::validate::Problem;
use decode_plan::{Extension, Members};

/// What a reader lets pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecodeOptions {
    /// A member that no schema knows is a problem, and not dropped.
    pub refuse_unknown: bool,
    /// A text that is none of the attribute's `canonicalValues` is a problem.
    pub enforce_canonical_values: bool,
    /// `"True"` and `"false"` are taken for booleans, as some clients send them.
    pub string_booleans: bool,
    /// A body without `schemas` is taken, though RFC 7643 §3 requires them.
    pub missing_schemas: bool,
    /// A URN may stand in `schemas` twice, though RFC 7643 §3 forbids it.
    pub duplicate_schemas: bool,
    /// A body may have an extension that its `schemas` does not name, though RFC 7643 §3 has it name all of them.
    pub unlisted_extensions: bool,
    /// A manager may be sent as an id alone, as Entra does.
    pub bare_manager: bool,
}

/// A reader for the resources of one type. Made once for a schema set, used for each body.
#[derive(Debug)]
pub struct ResourceDecoder {
    top: Members,
    extensions: Vec<Extension>,
    core: Box<str>,
}

/// A body that fits its schemas.
#[derive(Debug, Default, PartialEq)]
pub struct DecodedResource {
    /// The members of the JSON object without the braces: `"userName":"ida","active":true`. Without `schemas`, `id`
    /// and `meta`, which the server writes.
    pub members: Vec<u8>,
    /// The texts at the watched paths, each with the position of its path in the list given to [`ResourceDecoder::new`].
    pub watched: Vec<(usize, String)>,
    /// The value of the top-level boolean `active`.
    pub active: Option<bool>,
    /// The extensions that have a value, by their position in the schema set.
    pub extensions: Vec<usize>,
    /// Values of attributes that are never returned, under their names.
    pub secrets: Vec<(String, Value)>,
    /// The values of the captured attribute, where it was given.
    pub captured: Option<Value>,
    /// Whether some value is one that is returned only when it is asked for.
    pub on_request: bool,
    /// Whether a text was taken for a boolean.
    pub string_boolean: bool,
    /// Whether the body had no `schemas` and was taken nevertheless.
    pub missing_schemas: bool,
    /// Whether `schemas` named a URN twice.
    pub duplicate_schemas: bool,
    /// Whether there was an extension that `schemas` did not name.
    pub unlisted_extensions: bool,
    /// Whether a text was taken for the id of a manager.
    pub bare_manager: bool,
    /// The places of members that no schema knows, at most [`MAX_DROPPED`].
    pub dropped: Vec<String>,
    /// How many more there are.
    pub dropped_more: usize,
    /// The places, below the top of the resource, of values that only the server writes, at most [`MAX_DROPPED`].
    pub read_only: Vec<String>,
}

/// How many places of unknown members are told.
pub const MAX_DROPPED: usize = 20;

/// Why a body is not taken.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It is not JSON.
    #[error("{0}")]
    Syntax(serde_json::Error),
    /// It is JSON, but not an object.
    #[error("a resource is a JSON object")]
    NotAnObject,
    /// It does not fit the schemas; every problem in the order of the text.
    #[error("{}", join(.0))]
    Problems(Vec<Problem>),
}

/// A body that does not fit.
#[derive(Debug)]
pub struct Rejection {
    /// Why.
    pub error: DecodeError,
    /// The places of members that no schema knows, at most [`MAX_DROPPED`] of them.
    pub dropped: Vec<String>,
    /// How many more there are.
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
    /// A reader for resources of these schemas. `watched` are paths such as `userName` or `emails.value`; `captured`
    /// is the top-level attribute whose values are handed over in [`DecodedResource::captured`] instead of being written.
    pub fn new(schemas: &SchemaSet, watched: &[&str], captured: Option<&str>) -> Self {
        let common = schemas.common().iter().chain(schemas.core().attributes());
        let extension = |schema: &Schema| {
            let required = schemas.required_extensions().any(|other| std::ptr::eq(other, schema));
            Extension::new(schema, required, watched)
        };
        Self {
            top: Members::new(common, "", watched, captured),
            extensions: schemas.extensions().iter().map(extension).collect(),
            core: schemas.core().id().as_str().into(),
        }
    }

    /// The position of an extension; its exact spelling is the quick case.
    fn extension(&self, urn: &str) -> Option<usize> {
        let exact = self.extensions.iter().position(|extension| *extension.urn == *urn);
        exact.or_else(|| self.extensions.iter().position(|extension| extension.urn.eq_ignore_ascii_case(urn)))
    }

    /// Whether it is the URN of the schema that every resource has.
    fn is_core(&self, urn: &str) -> bool {
        *self.core == *urn || self.core.eq_ignore_ascii_case(urn)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// That it is no JSON object, or everything in it that does not fit.
    pub fn read(&self, body: &[u8], options: DecodeOptions) -> Result<DecodedResource, DecodeError> {
        self.read_noting(body, options).map_err(|refused| refused.error)
    }

    /// Reads a body as [`read`](Self::read) does, and tells what no schema knows of one that does not fit, too.
    ///
    /// # Errors
    /// As `read`.
    pub fn read_noting(&self, body: &[u8], options: DecodeOptions) -> Result<DecodedResource, Rejection> {
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

/// Where the first byte is that JSON has to escape. Eight bytes are looked at together, as most texts have none.
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
        // A borrow may mark a byte too many, so the place is looked for byte by byte.
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
