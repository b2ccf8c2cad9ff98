//! Steps of a case: requests, and the expectations of their responses.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::case::expect::Expectation;
use crate::case::template::{JsonTemplate, Template};
use crate::subject::server::credentials::WrongAuth;

/// A step of a case.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(with = "crate::case::file::step::StepTable")]
pub struct Step {
    /// The action.
    pub action: Action,
    /// The name of the resource or response in later steps.
    pub name: String,
    /// The phrase for the step in reports.
    pub label: String,
    /// Query parameters, in the order of their names.
    pub query: Vec<(String, Template)>,
    /// Header fields; an empty value takes one away.
    pub headers: Vec<(String, Template)>,
    /// `Content-Type` in place of `application/scim+json`.
    pub content_type: Option<String>,
    /// Waited for before it is sent, so that times which a server writes can differ.
    pub pause: Option<std::time::Duration>,
    /// Sent in another second than the step before where the subject's versions may be the same for all changes within one.
    pub new_second: bool,
    /// The body is sent in chunks, without its length.
    pub chunked: bool,
    /// Names whose resources have to be the same before and after the step.
    pub untouched: Vec<String>,
    /// The next two reads have to say what the answer said.
    pub reads_agree: bool,
    /// The list has to say what a read says.
    pub list_agrees: bool,
    /// Steps after the first page of a walk.
    pub between: Vec<Step>,
    /// Credentials to send in place of the right ones.
    pub auth: Option<WrongAuth>,
    /// Statuses that say that the subject does not have this.
    pub unsupported: Vec<u16>,
    /// The subject of the attempt, in a word, in a case that tells which of its attempts failed.
    pub tries: Option<String>,
    /// If the step fails, the case cannot be tried.
    pub preparation: bool,
    /// The expectations of the response.
    pub expect: Vec<Expectation>,
}

/// The action of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// POST to the endpoint of a resource type.
    Create {
        /// The resource type, as in `User`.
        resource_type: String,
        /// Merged over the smallest body.
        with: Option<JsonTemplate>,
        /// The number of resources; none for a single one without a number.
        count: Option<usize>,
    },
    /// GET of a name.
    Read(String),
    /// PUT of a name.
    Replace(String, Body),
    /// PATCH of a name.
    Patch(String, Body),
    /// DELETE of a name.
    Delete(String),
    /// GET of the endpoint of a resource type.
    List(String),
    /// POST to `.search` below an endpoint, or at the root (empty).
    Search(String, Body),
    /// Page after page of a resource type.
    Walk(String, Paging),
    /// POST to `/Bulk`.
    Bulk(Body),
    /// Several requests at the same time.
    Together {
        /// One request each.
        steps: Vec<Step>,
        /// The number of times that each is sent.
        times: usize,
    },
    /// Anything else.
    Send {
        /// The method, as in `GET`.
        method: String,
        /// Below the base URL, or absolute.
        path: Template,
        /// The body.
        body: Body,
    },
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// No body.
    None,
    /// JSON.
    Json(JsonTemplate),
    /// Members merged into the last representation of the name.
    With(JsonTemplate),
    /// The operations of a PATCH, or of a bulk request that ends after this number of errors.
    Operations(JsonTemplate, Option<u32>),
    /// Any text.
    Text(Template),
    /// Any bytes.
    Bytes(Bytes),
}

/// Bytes, written as text; `\x` and two digits stand for a byte that is no character.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Bytes(pub Vec<u8>);

/// A text has `\x` without two hexadecimal digits.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid bytes `{0}`: expected two hexadecimal digits after `\\x`")]
pub struct BytesError(String);

impl TryFrom<String> for Bytes {
    type Error = BytesError;

    fn try_from(text: String) -> Result<Self, BytesError> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("\\x") {
            bytes.extend_from_slice(before.as_bytes());
            let digits = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
            bytes.push(digits.ok_or_else(|| BytesError(text.clone()))?);
            rest = &after[2..];
        }
        bytes.extend_from_slice(rest.as_bytes());
        Ok(Self(bytes))
    }
}

/// The way to ask for pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Paging {
    /// `startIndex` (RFC 7644 §3.4.2.4).
    Index,
    /// `cursor` (RFC 9865).
    Cursor,
    /// POST to `.search`, with `startIndex` in the body (RFC 7644 §3.4.3).
    Search,
}

impl Step {
    /// Returns the steps that are sent together or between pages, and then the step.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Self> {
        let inner = match &self.action {
            Action::Together { steps, .. } => steps,
            _ => &self.between,
        };
        inner.iter().chain(std::iter::once(self))
    }
}

impl Action {
    /// Whether it is a bulk request.
    pub(crate) fn is_bulk(&self) -> bool {
        match self {
            Self::Bulk(_) => true,
            Self::Send { method, path, .. } => method == "POST" && path.to_string() == "/Bulk",
            _ => false,
        }
    }

    /// Returns the number of operations of a bulk request.
    pub(crate) fn operations(&self) -> usize {
        match self {
            Self::Bulk(Body::Operations(operations, _)) => operations.elements(),
            Self::Bulk(Body::Json(body)) | Self::Send { body: Body::Json(body), .. } if self.is_bulk() => {
                body.member("Operations").map_or(0, |operations| operations.elements())
            }
            _ => 0,
        }
    }

    /// Returns the name of the result if the step gives none.
    pub fn default_name(&self) -> &str {
        match self {
            Self::Create { .. } => "it",
            Self::Read(name) | Self::Replace(name, _) | Self::Patch(name, _) | Self::Delete(name) => name,
            Self::List(_) | Self::Search(..) | Self::Walk(..) | Self::Bulk(_) | Self::Send { .. } => "answer",
            Self::Together { .. } => "answers",
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::case::step::*;

    #[test]
    fn bytes_are_written_as_text() {
        let bytes = |text: &str| Bytes::try_from(text.to_owned()).map(|Bytes(bytes)| bytes);
        assert_eq!(bytes("a\\xFFb\\x00"), Ok(vec![b'a', 0xff, b'b', 0]));
        assert_eq!(bytes("Ž"), Ok("Ž".as_bytes().to_vec()));
        bytes("\\xF").expect_err("a digit is missing");
    }
}
