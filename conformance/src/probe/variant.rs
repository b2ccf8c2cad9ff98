//! The requests that are tried, as data.

/// Who is known to send a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ping => "Ping",
            Self::Okta => "Okta",
            Self::Entra => "Entra",
            Self::SailPoint => "SailPoint",
        }
    }
}

/// In which groups forms are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// `active` to false.
    Disable,
    /// `active` to true.
    Enable,
    /// Attributes.
    Update,
    /// Accounts that come and go.
    Lifecycle,
    /// Members of groups.
    Group,
}

impl Topic {
    /// The heading.
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

/// What there is before the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// An active account.
    Active,
    /// An account that is not active.
    Inactive,
    /// None.
    Nothing,
    /// A group with one member, and another user.
    Group,
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// PATCH with these operations. `@user`, `@member` and `@extension` stand for ids and the enterprise extension.
    /// `@user` is another user, who is made for it.
    Patch(&'static str),
    /// PUT of what was read, with these members over it; null removes.
    Put(&'static str),
    /// DELETE.
    Delete,
    /// POST, with these members over a new account.
    Post(&'static str),
}

/// What should have come of it: a pointer, and the JSON that should be there; `null`: nothing.
pub type Goal = &'static [(&'static str, &'static str)];

/// One form.
#[derive(Debug, PartialEq, Eq)]
pub struct Form {
    /// A stable name in kebab-case.
    pub name: &'static str,
    /// In words.
    pub title: &'static str,
    /// Under which heading.
    pub topic: Topic,
    /// Who sends it.
    pub senders: &'static [Sender],
    /// Whether RFC 7644 lets a client count on it, PATCH being optional as a whole.
    pub standard: bool,
    /// The section that it is about.
    pub section: &'static str,
    /// Before.
    pub start: Start,
    /// The request.
    pub sent: Sent,
    /// After. Empty for a DELETE: the account should be gone.
    pub goal: Goal,
}

impl Form {
    /// Whether the request names another user, whom an account without a group does not have.
    pub fn names_another_user(&self) -> bool {
        match self.sent {
            Sent::Patch(json) | Sent::Put(json) | Sent::Post(json) => {
                self.start != Start::Group && json.contains("@user")
            }
            Sent::Delete => false,
        }
    }

    /// Whether it is a PUT that leaves `active` out. RFC 7644 §3.5.1 lets a server keep it, clear it or set a default.
    pub fn leaves_active_out(&self) -> bool {
        matches!(self.sent, Sent::Put(json) if json.contains(r#""active":null"#))
    }

    /// What has to be so before the request, for its outcome to say anything.
    pub fn before(&self) -> Goal {
        match (self.start, self.sent) {
            (Start::Group, Sent::Patch(_) | Sent::Put(_)) => &[("/members", r#"["@member"]"#)],
            (_, Sent::Patch(operations)) if operations.contains("emails[type eq") => {
                &[("/emails/0/type", "\"work\"")]
            }
            _ => &[],
        }
    }
}

use Sender::{Entra, Okta, Ping, SailPoint};

/// All forms, in the order in which they are told.
pub static FORMS: &[Form] = &[
    Form {
        name: "patch-inactive",
        title: "PATCH replaces active with false",
        topic: Topic::Disable,
        senders: &[Ping, SailPoint],
        standard: true,
        section: "3.5.2.3",
        start: Start::Active,
        sent: Sent::Patch(r#"[{"op":"replace","path":"active","value":false}]"#),
        goal: &[("/active", "false")],
    },
    Form {
        name: "patch-inactive-without-path",
        title: "PATCH replaces {\"active\": false}, without a path",
        topic: Topic::Disable,
        senders: &[Okta],
        standard: true,
        section: "3.5.2.3",
        start: Start::Active,
        sent: Sent::Patch(r#"[{"op":"replace","value":{"active":false}}]"#),
        goal: &[("/active", "false")],
    },
    Form {
        name: "patch-inactive-entra",
        title: "PATCH with `Replace` and \"False\" as a string",
        topic: Topic::Disable,
        senders: &[Entra],
        standard: false,
        section: "3.5.2",
        start: Start::Active,
        sent: Sent::Patch(r#"[{"op":"Replace","path":"active","value":"False"}]"#),
        goal: &[("/active", "false")],
    },
    Form {
        name: "patch-inactive-capitalised",
        title: "PATCH with `Replace`, and false as it should be",
        topic: Topic::Disable,
        senders: &[Entra],
        standard: false,
        section: "3.5.2",
        start: Start::Active,
        sent: Sent::Patch(r#"[{"op":"Replace","path":"active","value":false}]"#),
        goal: &[("/active", "false")],
    },
    Form {
        name: "patch-inactive-text",
        title: "PATCH with \"False\" as a string",
        topic: Topic::Disable,
        senders: &[Entra],
        standard: false,
        section: "3.5.2",
        start: Start::Active,
        sent: Sent::Patch(r#"[{"op":"replace","path":"active","value":"False"}]"#),
        goal: &[("/active", "false")],
    },
    Form {
        name: "patch-inactive-and-title",
        title: "PATCH changes title and active in one request",
        topic: Topic::Disable,
        senders: &[Ping, Entra],
        standard: true,
        section: "3.5.2",
        start: Start::Active,
        sent: Sent::Patch(
            r#"[{"op":"replace","path":"title","value":"Leaver"},{"op":"replace","path":"active","value":false}]"#,
        ),
        goal: &[("/title", "\"Leaver\""), ("/active", "false")],
    },
    Form {
        name: "put-inactive",
        title: "PUT of the whole account with active false",
        topic: Topic::Disable,
        senders: &[Ping, Okta, SailPoint],
        standard: true,
        section: "3.5.1",
        start: Start::Active,
        sent: Sent::Put(r#"{"active":false}"#),
        goal: &[("/active", "false")],
    },
    Form {
        name: "put-inactive-and-title",
        title: "PUT that changes title and active",
        topic: Topic::Disable,
        senders: &[Ping, Okta, SailPoint],
        standard: true,
        section: "3.5.1",
        start: Start::Active,
        sent: Sent::Put(r#"{"active":false,"title":"Leaver"}"#),
        goal: &[("/active", "false"), ("/title", "\"Leaver\"")],
    },
    Form {
        name: "patch-active",
        title: "PATCH replaces active with true",
        topic: Topic::Enable,
        senders: &[Ping, SailPoint],
        standard: true,
        section: "3.5.2.3",
        start: Start::Inactive,
        sent: Sent::Patch(r#"[{"op":"replace","path":"active","value":true}]"#),
        goal: &[("/active", "true")],
    },
    Form {
        name: "patch-active-without-path",
        title: "PATCH replaces {\"active\": true}, without a path",
        topic: Topic::Enable,
        senders: &[Okta],
        standard: true,
        section: "3.5.2.3",
        start: Start::Inactive,
        sent: Sent::Patch(r#"[{"op":"replace","value":{"active":true}}]"#),
        goal: &[("/active", "true")],
    },
    Form {
        name: "put-active",
        title: "PUT of the whole account with active true",
        topic: Topic::Enable,
        senders: &[Ping, Okta, SailPoint],
        standard: true,
        section: "3.5.1",
        start: Start::Inactive,
        sent: Sent::Put(r#"{"active":true}"#),
        goal: &[("/active", "true")],
    },
    Form {
        name: "patch-title",
        title: "PATCH replaces an attribute",
        topic: Topic::Update,
        senders: &[Ping, Okta, Entra, SailPoint],
        standard: true,
        section: "3.5.2.3",
        start: Start::Active,
        sent: Sent::Patch(r#"[{"op":"replace","path":"title","value":"Chief Tester"}]"#),
        goal: &[("/title", "\"Chief Tester\"")],
    },
    Form {
        name: "patch-given-name",
        title: "PATCH replaces a sub-attribute",
        topic: Topic::Update,
        senders: &[Ping, Entra],
        standard: true,
        section: "3.5.2.3",
        start: Start::Active,
        sent: Sent::Patch(r#"[{"op":"replace","path":"name.givenName","value":"Edna"}]"#),
        goal: &[("/name/givenName", "\"Edna\"")],
    },
    Form {
        name: "patch-work-email",
        title: "PATCH replaces a value that is picked by a filter in the path",
        topic: Topic::Update,
        senders: &[Entra],
        standard: true,
        section: "3.5.2.3",
        start: Start::Active,
        sent: Sent::Patch(
            r#"[{"op":"replace","path":"emails[type eq \"work\"].value","value":"conformance-new@work.example"}]"#,
        ),
        goal: &[("/emails/0/value", "\"conformance-new@work.example\"")],
    },
    Form {
        name: "patch-new-phone",
        title: "PATCH adds to a value that is picked by a filter, and is not there yet",
        topic: Topic::Update,
        senders: &[Entra],
        standard: false,
        section: "3.5.2.1",
        start: Start::Active,
        sent: Sent::Patch(
            r#"[{"op":"add","path":"phoneNumbers[type eq \"work\"].value","value":"+1-555-0100"}]"#,
        ),
        goal: &[("/phoneNumbers/0/value", "\"+1-555-0100\"")],
    },
    Form {
        name: "patch-department",
        title: "PATCH replaces an attribute of the enterprise extension",
        topic: Topic::Update,
        senders: &[Entra],
        standard: true,
        section: "3.5.2",
        start: Start::Active,
        sent: Sent::Patch(r#"[{"op":"add","path":"@extension:department","value":"Testing"}]"#),
        goal: &[("/@extension/department", "\"Testing\"")],
    },
    Form {
        name: "patch-manager-id",
        title: "PATCH adds the manager as an id alone",
        topic: Topic::Update,
        senders: &[Entra],
        standard: false,
        section: "3.5.2.1",
        start: Start::Active,
        sent: Sent::Patch(r#"[{"op":"add","path":"@extension:manager","value":"@user"}]"#),
        goal: &[("/@extension/manager/value", "\"@user\"")],
    },
    Form {
        name: "patch-add-without-path",
        title: "PATCH adds an object, without a path",
        topic: Topic::Update,
        senders: &[Entra],
        standard: true,
        section: "3.5.2.1",
        start: Start::Active,
        sent: Sent::Patch(r#"[{"op":"add","value":{"title":"Chief Tester"}}]"#),
        goal: &[("/title", "\"Chief Tester\"")],
    },
    Form {
        name: "patch-dotted-keys",
        title: "PATCH with dotted names instead of paths",
        topic: Topic::Update,
        senders: &[Entra],
        standard: false,
        section: "3.5.2",
        start: Start::Active,
        sent: Sent::Patch(r#"[{"op":"replace","value":{"name.givenName":"Edna"}}]"#),
        goal: &[("/name/givenName", "\"Edna\"")],
    },
    Form {
        name: "patch-remove",
        title: "PATCH removes an attribute",
        topic: Topic::Update,
        senders: &[Ping, Entra],
        standard: true,
        section: "3.5.2.2",
        start: Start::Active,
        sent: Sent::Patch(r#"[{"op":"remove","path":"title"}]"#),
        goal: &[("/title", "null")],
    },
    Form {
        name: "patch-single-operation",
        title: "PATCH with one operation outside an array",
        topic: Topic::Update,
        senders: &[],
        standard: false,
        section: "3.5.2",
        start: Start::Active,
        sent: Sent::Patch(r#"{"op":"replace","path":"title","value":"Chief Tester"}"#),
        goal: &[("/title", "\"Chief Tester\"")],
    },
    Form {
        name: "put-title",
        title: "PUT of the whole account with another title",
        topic: Topic::Update,
        senders: &[Ping, Okta, SailPoint],
        standard: true,
        section: "3.5.1",
        start: Start::Active,
        sent: Sent::Put(r#"{"title":"Chief Tester"}"#),
        goal: &[("/title", "\"Chief Tester\"")],
    },
    Form {
        name: "put-without-active",
        title: "PUT of an active account that does not say active",
        topic: Topic::Update,
        senders: &[SailPoint],
        standard: false,
        section: "3.5.1",
        start: Start::Active,
        sent: Sent::Put(r#"{"title":"Chief Tester","active":null}"#),
        goal: &[("/title", "\"Chief Tester\"")],
    },
    Form {
        name: "put-without-active-inactive",
        title: "PUT of an inactive account that does not say active",
        topic: Topic::Update,
        senders: &[SailPoint],
        standard: false,
        section: "3.5.1",
        start: Start::Inactive,
        sent: Sent::Put(r#"{"title":"Chief Tester","active":null}"#),
        goal: &[("/title", "\"Chief Tester\"")],
    },
    Form {
        name: "put-title-inactive",
        title: "PUT of an inactive account with another title, active false as before",
        topic: Topic::Update,
        senders: &[Ping, Okta, SailPoint],
        standard: true,
        section: "3.5.1",
        start: Start::Inactive,
        sent: Sent::Put(r#"{"title":"Chief Tester","active":false}"#),
        goal: &[("/title", "\"Chief Tester\"")],
    },
    Form {
        name: "put-clears",
        title: "PUT that leaves an attribute out",
        topic: Topic::Update,
        senders: &[SailPoint],
        standard: false,
        section: "3.5.1",
        start: Start::Active,
        sent: Sent::Put(r#"{"title":null}"#),
        goal: &[("/title", "null")],
    },
    Form {
        name: "post",
        title: "POST of an active account",
        topic: Topic::Lifecycle,
        senders: &[Ping, Okta, Entra, SailPoint],
        standard: true,
        section: "3.3",
        start: Start::Nothing,
        sent: Sent::Post(r#"{"active":true}"#),
        goal: &[("/active", "true")],
    },
    Form {
        name: "post-inactive",
        title: "POST of an account with active false",
        topic: Topic::Lifecycle,
        senders: &[SailPoint],
        standard: true,
        section: "3.3",
        start: Start::Nothing,
        sent: Sent::Post(r#"{"active":false}"#),
        goal: &[("/active", "false")],
    },
    Form {
        name: "post-manager-id",
        title: "POST of an account with the manager as an id alone",
        topic: Topic::Lifecycle,
        senders: &[Entra],
        standard: false,
        section: "3.3",
        start: Start::Nothing,
        sent: Sent::Post(r#"{"active":true,"@extension":{"manager":"@user"}}"#),
        goal: &[("/@extension/manager/value", "\"@user\"")],
    },
    Form {
        name: "delete",
        title: "DELETE of an active account",
        topic: Topic::Lifecycle,
        senders: &[Ping, Entra, SailPoint],
        standard: true,
        section: "3.6",
        start: Start::Active,
        sent: Sent::Delete,
        goal: &[],
    },
    Form {
        name: "group-add-member",
        title: "PATCH adds a member",
        topic: Topic::Group,
        senders: &[Ping, Okta, Entra, SailPoint],
        standard: true,
        section: "3.5.2.1",
        start: Start::Group,
        sent: Sent::Patch(r#"[{"op":"add","path":"members","value":[{"value":"@user"}]}]"#),
        goal: &[("/members", r#"["@member","@user"]"#)],
    },
    Form {
        name: "group-remove-member",
        title: "PATCH removes a member by a filter in the path",
        topic: Topic::Group,
        senders: &[Ping, Okta],
        standard: true,
        section: "3.5.2.2",
        start: Start::Group,
        sent: Sent::Patch(r#"[{"op":"remove","path":"members[value eq \"@member\"]"}]"#),
        goal: &[("/members", "[]")],
    },
    Form {
        name: "group-remove-by-value",
        title: "PATCH with `Remove members` and an array of values",
        topic: Topic::Group,
        senders: &[Entra],
        standard: false,
        section: "3.5.2.2",
        start: Start::Group,
        sent: Sent::Patch(r#"[{"op":"remove","path":"members","value":[{"value":"@member"}]}]"#),
        goal: &[("/members", "[]")],
    },
    Form {
        name: "group-replace-members",
        title: "PATCH replaces all members",
        topic: Topic::Group,
        senders: &[Okta, SailPoint],
        standard: true,
        section: "3.5.2.3",
        start: Start::Group,
        sent: Sent::Patch(r#"[{"op":"replace","path":"members","value":[{"value":"@user"}]}]"#),
        goal: &[("/members", r#"["@user"]"#)],
    },
    Form {
        name: "group-put",
        title: "PUT of the whole group with another member",
        topic: Topic::Group,
        senders: &[SailPoint],
        standard: true,
        section: "3.5.1",
        start: Start::Group,
        sent: Sent::Put(r#"{"members":[{"value":"@user"}]}"#),
        goal: &[("/members", r#"["@user"]"#)],
    },
    Form {
        name: "group-delete",
        title: "DELETE of a group",
        topic: Topic::Group,
        senders: &[Ping, Okta, Entra, SailPoint],
        standard: true,
        section: "3.6",
        start: Start::Group,
        sent: Sent::Delete,
        goal: &[],
    },
];

#[cfg(test)]
mod tests {
    use crate::probe::variant::*;

    #[test]
    fn forms_have_names_of_their_own_and_good_json() {
        for (at, form) in FORMS.iter().enumerate() {
            assert!(FORMS[..at].iter().all(|other| other.name != form.name), "{}", form.name);
            if let Sent::Patch(json) | Sent::Put(json) | Sent::Post(json) = form.sent {
                serde_json::from_str::<serde_json::Value>(json).expect(form.name);
            }
            for (_, json) in form.goal {
                serde_json::from_str::<serde_json::Value>(json).expect(form.name);
            }
            assert_eq!(form.goal.is_empty(), form.sent == Sent::Delete, "{}", form.name);
        }
    }
}
