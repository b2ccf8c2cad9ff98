//! What is sent.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::case::expect::Expectation;
use crate::case::template::{JsonTemplate, Template};
use crate::subject::server::credentials::WrongAuth;

/// One step of a case.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(with = "crate::case::file::step::StepTable")]
pub struct Step {
    /// What is sent.
    pub action: Action,
    /// The name that keeps what is seen.
    pub name: String,
    /// What it is called in reports.
    pub label: String,
    /// Query parameters, in the order of their names.
    pub query: Vec<(String, Template)>,
    /// Header fields; an empty value takes one away.
    pub headers: Vec<(String, Template)>,
    /// `Content-Type` in place of `application/scim+json`.
    pub content_type: Option<String>,
    /// Waited for before it is sent, so that times which a server writes can differ.
    pub pause: Option<std::time::Duration>,
    /// In place of the right credentials.
    pub auth: Option<WrongAuth>,
    /// Statuses that say that the subject does not have this.
    pub unsupported: Vec<u16>,
    /// What is tried, in a word, in a case that tells which of its tries failed.
    pub tries: Option<String>,
    /// If it fails, the case cannot be tried.
    pub preparation: bool,
    /// What may come back.
    pub expect: Vec<Expectation>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// POST to the endpoint of a resource type.
    Create {
        /// As in `User`.
        resource_type: String,
        /// Merged over the smallest body.
        with: Option<JsonTemplate>,
        /// So many; none for a single one without a number.
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
    /// Anything else.
    Send {
        /// As in `GET`.
        method: String,
        /// Below the base URL, or absolute.
        path: Template,
        /// What is sent along.
        body: Body,
    },
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// None.
    None,
    /// JSON.
    Json(JsonTemplate),
    /// Merged over what was last seen of the name.
    With(JsonTemplate),
    /// The operations of a PATCH, or of a bulk request that ends after so many errors.
    Operations(JsonTemplate, Option<u32>),
    /// Any text.
    Text(Template),
}

/// How pages are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Paging {
    /// `startIndex` (RFC 7644 §3.4.2.4).
    Index,
    /// `cursor` (RFC 9865).
    Cursor,
}

impl Action {
    /// The name that keeps what is seen, where none is given.
    pub fn default_name(&self) -> &str {
        match self {
            Self::Create { .. } => "it",
            Self::Read(name) | Self::Replace(name, _) | Self::Patch(name, _) | Self::Delete(name) => name,
            Self::List(_) | Self::Search(..) | Self::Walk(..) | Self::Bulk(_) | Self::Send { .. } => "answer",
        }
    }
}
