//! The rules that every server keeps, whatever is asked in whatever order.

use serde_json::Value;

use crate::explore::check::Check;
use crate::requirement::{Level, Spec};

macro_rules! rules {
    ($($rule:ident: $slug:literal, $document:literal $section:literal, $title:literal, $requirement:literal, $hint:literal;)*) => {
        /// A rule that holds in every sequence.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Rule {
            $(#[doc = $title] $rule,)*
        }

        impl Rule {
            /// All rules, in the order of a report.
            pub(crate) const ALL: &[Self] = &[$(Self::$rule,)*];

            /// Returns the stable word of the rule.
            pub(crate) fn slug(self) -> &'static str {
                match self { $(Self::$rule => $slug,)* }
            }

            /// Returns the statement that holds.
            pub(crate) fn title(self) -> &'static str {
                match self { $(Self::$rule => $title,)* }
            }

            /// Returns the requirement, paraphrased.
            pub(crate) fn requirement(self) -> &'static str {
                match self { $(Self::$rule => $requirement,)* }
            }

            /// Returns the step that fixes a violation.
            pub(crate) fn hint(self) -> &'static str {
                match self { $(Self::$rule => $hint,)* }
            }

            /// Returns the section that states the requirement.
            pub(crate) fn spec(self) -> Spec {
                let (document, section) = match self { $(Self::$rule => ($document, $section),)* };
                Spec { document: document.to_owned(), section: section.to_owned(), also: Vec::new() }
            }
        }
    };
}

rules! {
    CreateStores: "create-stores", "RFC 7644" "3.3", "a created resource has what was sent",
        "A POST stores the attributes that it sends, each value as it was sent.",
        "Store each attribute of the request as it is, and read the stored resource for the answer.";
    ReplaceStores: "replace-stores", "RFC 7644" "3.5.1", "a replaced resource has what was sent",
        "A PUT stores the attributes that it sends. Attributes that it leaves out are always cleared, or always kept.",
        "Take each attribute of the request over as it is, and treat all that is missing alike.";
    PatchStores: "patch-stores", "RFC 7644" "3.5.2", "a PATCH changes what it names and nothing else",
        "Each operation of a PATCH changes its target as its kind says; everything else stays.",
        "Compare the resource before and after: the target has the new value, all else the old one.";
    BulkStores: "bulk-stores", "RFC 7644" "3.7", "an operation in a bulk request does what it does alone",
        "Operations of a bulk request have the same effect and status as single requests.",
        "Carry bulk operations out by the code of the single requests.";
    AnswerIsRead: "answer-is-what-reads-say", "RFC 7644" "3.3", "an answer says what the next read says",
        "The resource in the answer to a write is the resource as it is stored.",
        "Answer with the resource as it is read back, not with the body of the request.";
    ReadsAgree: "reads-agree", "RFC 7644" "3.4.1", "two reads say the same if nobody writes",
        "A GET returns the current resource.",
        "Read from the store that is written to; drop cached resources when they are written.";
    ListAgrees: "lists-agree", "RFC 7644" "3.4.2", "a list shows a resource as a read does",
        "A resource in a list has the same attributes and values as when it is read by its id.",
        "Make the resources of lists by the code that makes a single one.";
    SearchAgrees: "search-agrees", "RFC 7644" "3.4.3", "POST .search finds what GET finds",
        "A search by POST has the same result as the query by GET.",
        "Carry .search out by the code of the query.";
    FilterFinds: "filter-finds", "RFC 7644" "3.4.2.2", "a filter finds exactly the resources that match it",
        "A list holds each resource whose values match the filter, and no other.",
        "Evaluate filters over the current values: names and texts without case unless the schema says caseExact.";
    PagesPartition: "pages-partition", "RFC 7644" "3.4.2.4", "pages together are the list, each resource once",
        "Pages by startIndex and count cover the result without gaps and repetitions, and totalResults counts it.",
        "Order the result by something unique before it is cut into pages; count it before.";
    ListHoldsAll: "list-holds-all", "RFC 7644" "3.4.2", "the whole list is the set of the living resources",
        "A list without a filter holds each resource once, none that was deleted, on pages of whatever size, and totalResults counts it.",
        "Count and cut the list in one query over what is there, ordered by something unique; cap no list silently.";
    SortOrders: "sort-orders", "RFC 7644" "3.4.2.3", "sortBy orders the list by the attribute",
        "Resources come in the order of the values of sortBy.",
        "Sort the whole result before it is cut into pages.";
    ProjectionSelects: "projection-selects", "RFC 7644" "3.9", "attributes and excludedAttributes select what is returned",
        "attributes returns what it names, excludedAttributes everything else; values are those of the whole resource.",
        "Select members of the whole resource just before it is written to the answer.";
    OthersStay: "others-stay", "RFC 7644" "3.5.2", "a resource that nobody addressed stays as it was",
        "A write changes the resource that it addresses.",
        "Look each write's condition up: it must name one id.";
    DeletedIsGone: "deleted-is-gone", "RFC 7644" "3.6", "a deleted resource is nowhere",
        "After a DELETE the resource is answered 404 and is in no list.",
        "Remove the resource from the store, its indexes and caches.";
    NameIsUnique: "name-is-unique", "RFC 7643" "4.1.1", "a userName has one user",
        "userName is unique among all users, without regard to case.",
        "Enforce uniqueness in the store, by the lower-case name, for every kind of write.";
    NameIsFree: "name-is-free", "RFC 7644" "3.6", "a name that was given up is free again",
        "A deleted resource is not counted in conflicts, and neither is a name that its user no longer has.",
        "Release the name when a user is renamed or deleted, by whatever request.";
    ValidIsTaken: "valid-is-taken", "RFC 7644" "3.5", "a valid request is taken whatever was done before",
        "A request that is taken of one resource, with one value or one by one, is taken of others too.",
        "Compare with the request that is taken: only the value, the history or the number of operations differs.";
    InvalidIsRefused: "invalid-is-refused", "RFC 7644" "3.12", "an invalid request is refused",
        "A request that cannot be carried out is answered with a 4xx status.",
        "Check the whole request before anything of it is done.";
    ErrorHasNoEffect: "error-has-no-effect", "RFC 7644" "3.5.2", "a refused request changes nothing",
        "A request that is answered with an error leaves every resource as it was.",
        "Carry each request out in one transaction, and undo it all on an error.";
    NoServerError: "no-server-error", "RFC 7644" "3.12", "no request ends in an internal error",
        "5xx says that the server failed: a client cannot know what became of its request.",
        "Find the request in the server's log by its time; the report has it as a curl command.";
    MetaMoves: "meta-moves", "RFC 7643" "3.1", "meta tells changes: version and lastModified move with them, and only then",
        "version changes with the resource, lastModified never goes back, created, resourceType and location stay.",
        "Write meta in the same transaction as the attributes.";
    IdStays: "id-stays", "RFC 7643" "3.1", "a resource keeps its id and its place",
        "id never changes, and meta.location and the Location header lead to the resource.",
        "Make id once, and the location from the id.";
    Membership: "membership-agrees", "RFC 7643" "4.1.2", "membership is the same from both ends",
        "A user is among the members of a group exactly if the group is among the user's groups.",
        "Compute User.groups from the members of groups.";
    LargeGroups: "large-groups", "RFC 7643" "4.2", "a group has all its members, however many",
        "members holds each member of the group, after each kind of write.",
        "Read and write members without a limit; a PATCH of one member must not load and store a part of the others.";
    MembersAreTold: "members-are-told", "RFC 7643" "4.2", "a group says of a member what it is",
        "type of a member is the resource type of what value names, and $ref leads there.",
        "Make type and $ref from the resource that the member is.";
    NestedGroups: "nested-groups", "RFC 7643" "4.2", "a group in a group is kept like any member",
        "A member may be a group. A server that takes it shows it; a circle is refused or kept, and breaks no read.",
        "Remember which groups were visited when nested groups are followed.";
    BulkVersions: "bulk-versions", "RFC 7644" "3.7", "versions in bulk requests are those of single ones",
        "version of an operation is compared as If-Match is, and version in the answer is that of the resource as it is stored.",
        "Carry version over to the single request as If-Match, and take the answer's version from the stored resource.";
    SomeOrder: "parallel-is-some-order", "RFC 7644" "3.5.2", "requests at the same time end as if one came after the other",
        "A PATCH is atomic, and a name is unique: parallel requests lose nothing and make nothing twice.",
        "Read, change and write a resource in one transaction, or check its version when it is written.";
    OwnAnswer: "own-answer", "RFC 7644" "3.4.1", "each request gets its own answer",
        "The answer to a GET is about the resource that it names.",
        "Do not share what belongs to a request between requests.";
    Conditional: "conditional-requests", "RFC 7644" "3.14", "If-Match decides whether a write is done",
        "A write with the current version is done, one with another version is answered 412; a GET with another version in If-None-Match shows the resource.",
        "Compare If-Match with the current version in the transaction of the write, for every resource type and DELETE too.";
    SecretStaysHidden: "secret-stays-hidden", "RFC 7643" "7", "a password is never returned",
        "password has returned never: no answer shows it, in no form.",
        "Leave password out where resources are written to answers, lists and logs.";
    NeedsCredentials: "needs-credentials", "RFC 7644" "2", "nothing is done or shown without credentials",
        "Requests without valid credentials are answered 401 and have no effect.",
        "Check credentials before routing, for every method and endpoint.";
    DiscoveryStays: "discovery-stays", "RFC 7644" "4", "discovery says the same all the time",
        "ServiceProviderConfig, ResourceTypes and Schemas describe the server, not a moment.",
        "Serve discovery from the same tables as the endpoints.";
}

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Violation {
    pub(crate) rule: Rule,
    pub(crate) level: Level,
    /// The kind of request, as in `PATCH add with a path`.
    pub(crate) form: String,
    /// The attribute or kind of value that it is about; may be empty.
    pub(crate) about: String,
    /// What is wrong, in words.
    pub(crate) why: String,
    pub(crate) expected: Value,
    pub(crate) actual: Value,
    /// The expectation that did not hold, for a case file, or why no case can tell it.
    pub(crate) check: Result<Check, &'static str>,
}

impl Violation {
    pub(crate) fn new(rule: Rule, form: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            rule,
            level: Level::Must,
            form: form.into(),
            about: String::new(),
            why: why.into(),
            expected: Value::Null,
            actual: Value::Null,
            check: Err("what has to hold of an answer is not known"),
        }
    }

    pub(crate) fn about(self, about: impl Into<String>) -> Self {
        Self { about: about.into(), ..self }
    }

    pub(crate) fn values(self, expected: Value, actual: Value) -> Self {
        Self { expected, actual, ..self }
    }

    pub(crate) fn check(self, check: impl Into<Check>) -> Self {
        Self { check: Ok(check.into()), ..self }
    }

    /// Adds the check, or why there is none.
    pub(crate) fn may_check(self, check: Result<Check, &'static str>) -> Self {
        Self { check, ..self }
    }

    /// Returns the violation of an earlier write in place of this one if there is one. What does not hold of the answer is the same.
    pub(crate) fn or_late(self, late: Option<Self>) -> Self {
        match late {
            Some(late) => Self { check: self.check, ..late },
            None => self,
        }
    }

    /// Returns the section that is broken: that of the kind of request where a rule is about every kind.
    pub(crate) fn spec(&self) -> Spec {
        let of_rule = self.rule.spec();
        let (document, section) = match self.rule {
            Rule::InvalidIsRefused if self.form.contains("userName") => ("RFC 7643", "4.1.1"),
            Rule::ValidIsTaken | Rule::NoServerError => ("RFC 7644", section_of(&self.form)),
            _ => return of_rule,
        };
        let also = vec![format!("{} §{}", of_rule.document, of_rule.section)];
        Spec { document: document.to_owned(), section: section.to_owned(), also }
    }

    /// Returns the text by which findings are told apart.
    pub(crate) fn key(&self) -> String {
        format!("{}/{}/{}", self.rule.slug(), slug(&self.form), slug(&self.about))
            .trim_end_matches('/')
            .to_owned()
    }
}

/// Returns the section of RFC 7644 about a kind of request.
fn section_of(form: &str) -> &'static str {
    const SECTIONS: [(&str, &str); 11] = [
        ("Bulk", "3.7"),
        ("bulk", "3.7"),
        (".search", "3.4.3"),
        ("filter", "3.4.2.2"),
        ("sort", "3.4.2.3"),
        ("PUT", "3.5.1"),
        ("PATCH", "3.5.2"),
        ("POST", "3.3"),
        ("DELETE", "3.6"),
        ("{id}", "3.4.1"),
        ("GET", "3.4.2"),
    ];
    SECTIONS.iter().find(|(word, _)| form.contains(word)).map_or("3.12", |(_, section)| section)
}

/// Returns a text as a part of an id: small letters, digits and hyphens.
pub(crate) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn rules_have_words_of_their_own() {
        let slugs: BTreeSet<_> = Rule::ALL.iter().map(|rule| rule.slug()).collect();
        assert_eq!(slugs.len(), Rule::ALL.len());
        assert!(slugs.iter().all(|word| *word == slug(word)), "{slugs:?}");
    }

    #[test]
    fn section_is_that_of_the_request() {
        for (rule, form, section, also) in [
            (Rule::NoServerError, "GET /Users/{id}", "RFC 7644 §3.4.1", "RFC 7644 §3.12"),
            (Rule::NoServerError, "POST /Bulk", "RFC 7644 §3.7", "RFC 7644 §3.12"),
            (Rule::ValidIsTaken, "GET with a filter", "RFC 7644 §3.4.2.2", "RFC 7644 §3.5"),
            (Rule::ValidIsTaken, "a rename by PUT", "RFC 7644 §3.5.1", "RFC 7644 §3.5"),
            (Rule::InvalidIsRefused, "POST with an empty userName", "RFC 7643 §4.1.1", "RFC 7644 §3.12"),
        ] {
            let spec = Violation::new(rule, form, "x").spec();
            assert_eq!(format!("{} §{}", spec.document, spec.section), section, "{form}");
            assert_eq!(spec.also, [also], "{form}");
        }
        assert!(Violation::new(Rule::ReadsAgree, "GET", "x").spec().also.is_empty());
    }

    #[test]
    fn key_has_the_rule_the_form_and_the_attribute() {
        let violation =
            Violation::new(Rule::PatchStores, "PATCH add with a path", "x").about("name.givenName");
        assert_eq!(violation.key(), "patch-stores/patch-add-with-a-path/name-givenname");
        assert_eq!(Violation::new(Rule::ReadsAgree, "", "x").key(), "reads-agree");
    }
}
