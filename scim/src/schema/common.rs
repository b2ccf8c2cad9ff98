//! The common attributes of every resource (RFC 7643 §3.1), and `schemas` (RFC 7643 §3).

use std::sync::LazyLock;

use super::{
    Attribute, AttributeType, Returned, Uniqueness,
    build::{complex, reference, text, typed},
};

/// `schemas`, `id`, `externalId` and `meta`.
pub(super) static COMMON: LazyLock<Vec<Attribute>> = LazyLock::new(|| {
    vec![
        text("id", "The server's identifier of the resource.")
            .read_only()
            .exact()
            .returned(Returned::Always)
            .unique(Uniqueness::Server),
        text("externalId", "The client's identifier of the resource.").exact(),
        complex(
            "meta",
            "What the server knows about the resource as a document.",
            vec![
                text("resourceType", "The name of the resource's type.").exact(),
                typed("created", AttributeType::DateTime, "When the resource was made."),
                typed("lastModified", AttributeType::DateTime, "When the resource last changed."),
                reference("location", &["uri"], "Where the resource is."),
                text("version", "The resource's entity tag.").exact(),
            ],
        )
        .read_only(),
        reference("schemas", &["uri"], "The URNs of the schemas that the resource uses.")
            .many()
            .required()
            .returned(Returned::Always),
    ]
});
