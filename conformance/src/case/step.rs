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
}

/// The way to ask for pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Paging {
    /// `startIndex` (RFC 7644 §3.4.2.4).
    Index,
    /// `cursor` (RFC 9865).
    Cursor,
}

impl Action {
    /// Returns the name of the result if the step gives none.
    pub fn default_name(&self) -> &str {
        match self {
            Self::Create { .. } => "it",
            Self::Read(name) | Self::Replace(name, _) | Self::Patch(name, _) | Self::Delete(name) => name,
            Self::List(_) | Self::Search(..) | Self::Walk(..) | Self::Bulk(_) | Self::Send { .. } => "answer",
        }
    }
}
