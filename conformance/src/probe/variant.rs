//! The requests that are tried, as data: `data/probe` has a file for each topic.

pub mod file;
pub mod load;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::json_text::JsonSource;

/// A client that is known to send a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    /// PingOne and PingFederate.
    Ping,
    /// Okta.
    Okta,
    /// Microsoft Entra.
    Entra,
    /// SailPoint.
    SailPoint,
}

impl Sender {
    /// Returns the name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ping => "Ping",
            Self::Okta => "Okta",
            Self::Entra => "Entra",
            Self::SailPoint => "SailPoint",
        }
    }
}

/// The headings under which reports list variants, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// `active` to false.
    Disable,
    /// `active` to true.
    Enable,
    /// Attributes.
    Update,
    /// Accounts that are created and deleted.
    Lifecycle,
    /// Members of groups.
    Group,
}

impl Topic {
    /// Returns the heading.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "Disabling",
            Self::Enable => "Enabling",
            Self::Update => "Updating",
            Self::Lifecycle => "Creating and deleting",
            Self::Group => "Groups",
        }
    }
}

/// The resource that exists before the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// An active account.
    Active,
    /// An account that is not active.
    Inactive,
    /// No resource.
    Nothing,
    /// A group with one member, and another user.
    Group,
}

/// A request and its JSON.
///
/// In the JSON `@user`, `@member` and `@extension` stand for ids and the URN of the enterprise extension. `@user` is
/// another user, which is created for the variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// PATCH with these operations.
    Patch(JsonSource),
    /// PUT of the resource as it was read, with these members merged in; null removes one.
    Put(JsonSource),
    /// DELETE.
    Delete,
    /// POST of a new account with these members merged in.
    Post(JsonSource),
}

impl Sent {
    /// Returns the JSON of the request.
    fn json(&self) -> Option<&str> {
        match self {
            Self::Patch(json) | Self::Put(json) | Self::Post(json) => Some(json.as_str()),
            Self::Delete => None,
        }
    }
}

/// A JSON pointer, and the value that is expected there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// The pointer. `@extension` stands for the URN of the enterprise extension.
    pub at: String,
    /// The value as JSON; `null`: no value.
    pub equals: JsonSource,
}

impl Goal {
    /// Whether the goal is a certain value of an attribute.
    pub fn is(&self, pointer: &str, json: &str) -> bool {
        self.at == pointer && self.equals.as_str() == json
    }

    /// Whether the goal is any value of an attribute.
    pub fn is_value_of(&self, pointer: &str) -> bool {
        self.at == pointer && self.equals.as_str() != "null"
    }
}

/// A request that clients send, and its expected effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// A stable name: a-z, 0-9 and hyphens.
    pub slug: String,
    /// The request in words.
    pub title: String,
    /// The heading in reports.
    pub topic: Topic,
    /// The clients that are known to send it.
    pub senders: Vec<Sender>,
    /// Whether a client can rely on it by RFC 7644, where PATCH as a whole is optional.
    pub standard: bool,
    /// The section of RFC 7644.
    pub section: String,
    /// The resource that exists before the request.
    pub start: Start,
    /// The values that must be there before the request: otherwise the outcome shows nothing.
    pub before: Vec<Goal>,
    /// The request.
    pub sent: Sent,
    /// The values that must be there after the request. Empty for a DELETE: the resource must be gone.
    pub goal: Vec<Goal>,
}

impl Variant {
    /// Whether the request names another user, which an account without a group does not have.
    pub fn names_another_user(&self) -> bool {
        self.start != Start::Group && self.sent.json().is_some_and(|json| json.contains("@user"))
    }

    /// Whether it is a PUT that leaves `active` out. RFC 7644 §3.5.1 lets a server keep it, clear it or set a default.
    pub fn leaves_active_out(&self) -> bool {
        matches!(&self.sent, Sent::Put(json) if json.as_str().contains(r#""active":null"#))
    }
}
