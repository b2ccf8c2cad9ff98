//! The schemas of the discovery documents (RFC 7643 §5, §6, §7, §8.7.2). All attributes are read-only.

use super::{
    Attribute, AttributeType, RESOURCE_TYPE_URN, SCHEMA_URN, SPC_URN, Schema,
    build::{complex, reference, text, typed},
};
use crate::name::Urn;

fn schema(urn: &str, name: &str, description: &str, attributes: Vec<Attribute>) -> Schema {
    let attributes = attributes.into_iter().map(Attribute::read_only).collect();
    Schema::new(Urn::literal(urn), name, description, attributes)
}

fn flag(name: &str, description: &str) -> Attribute {
    typed(name, AttributeType::Boolean, description).required()
}

fn count(name: &str, description: &str) -> Attribute {
    typed(name, AttributeType::Integer, description).required()
}

fn feature(name: &str, description: &str, limits: Vec<Attribute>) -> Attribute {
    let mut subs = vec![flag("supported", "Whether the server can do it.")];
    subs.extend(limits);
    complex(name, description, subs).required()
}

pub(super) fn service_provider_config() -> Schema {
    let attributes = vec![
        reference("documentationUri", &["external"], "Help for people."),
        feature("patch", "Partial updates.", vec![]),
        feature(
            "bulk",
            "Several operations in one request.",
            vec![
                count("maxOperations", "How many operations one request may hold."),
                count("maxPayloadSize", "How many bytes one request may have."),
            ],
        ),
        feature(
            "filter",
            "Filtered queries.",
            vec![count("maxResults", "How many resources one answer may hold.")],
        ),
        feature("changePassword", "Changing a password.", vec![]),
        feature("sort", "Sorted queries.", vec![]),
        feature("etag", "Entity tags.", vec![]),
        pagination(),
        complex(
            "authenticationSchemes",
            "How a client may authenticate.",
            vec![
                text("type", "The kind of scheme.").required().suggests(&[
                    "oauth",
                    "oauth2",
                    "oauthbearertoken",
                    "httpbasic",
                    "httpdigest",
                ]),
                text("name", "The scheme's name.").required(),
                text("description", "What the scheme is.").required(),
                reference("specUri", &["external"], "The scheme's specification."),
                reference("documentationUri", &["external"], "How to use it here."),
                typed("primary", AttributeType::Boolean, "Whether it is the preferred scheme."),
            ],
        )
        .many()
        .required(),
    ];
    schema(SPC_URN, "Service Provider Configuration", "What a service provider can do.", attributes)
}

/// Returns the definition of `pagination`, the supported kinds of paging (RFC 9865).
fn pagination() -> Attribute {
    let limit = |name, description| typed(name, AttributeType::Integer, description);
    complex(
        "pagination",
        "Paging through the answers to a query.",
        vec![
            flag("cursor", "Whether a client may page by cursor."),
            flag("index", "Whether a client may page by index."),
            text("defaultPaginationMethod", "What a query without either means.")
                .suggests(&["cursor", "index"]),
            limit("defaultPageSize", "How many resources a page holds unless a count is given."),
            limit("maxPageSize", "How many resources a page holds at most."),
            limit("cursorTimeout", "How many seconds a cursor is good for."),
        ],
    )
}

pub(super) fn resource_type() -> Schema {
    let attributes = vec![
        text("name", "The name of the type.").required(),
        text("description", "What the type is for."),
        reference("endpoint", &["uri"], "Where the type's resources are, below the base URL.").required(),
        reference("schema", &["uri"], "The URN of the main schema.").required(),
        complex(
            "schemaExtensions",
            "The extensions of the type.",
            vec![
                reference("schema", &["uri"], "The URN of the extension.").required(),
                flag("required", "Whether a resource must have the extension."),
            ],
        )
        .many(),
    ];
    schema(RESOURCE_TYPE_URN, "ResourceType", "A kind of resource.", attributes)
}

pub(super) fn schemas() -> Schema {
    // RFC 7643 nests definitions twice: attributes and their sub-attributes.
    let mut definition = definition();
    let subs = complex("subAttributes", "The parts of a complex attribute.", definition.clone()).many();
    definition.push(subs);
    let attributes = vec![
        text("name", "The name for people.").required(),
        text("description", "What the schema is for."),
        complex("attributes", "The attributes of the schema.", definition).many().required(),
    ];
    schema(SCHEMA_URN, "Schema", "A schema of resources.", attributes)
}

fn definition() -> Vec<Attribute> {
    vec![
        text("name", "The attribute's name.").required().exact(),
        text("type", "The data type.").required().suggests(&[
            "string",
            "boolean",
            "decimal",
            "integer",
            "dateTime",
            "binary",
            "reference",
            "complex",
        ]),
        flag("multiValued", "Whether it holds several values."),
        text("description", "What it is for."),
        flag("required", "Whether a resource must have it."),
        text("canonicalValues", "Values that are suggested.").many().exact(),
        typed("caseExact", AttributeType::Boolean, "Whether its text is compared with case."),
        text("mutability", "When it may be written.").required().exact().suggests(&[
            "readOnly",
            "readWrite",
            "immutable",
            "writeOnly",
        ]),
        text("returned", "When it is returned.")
            .required()
            .exact()
            .suggests(&["always", "never", "default", "request"]),
        text("uniqueness", "Among what it is unique.").exact().suggests(&["none", "server", "global"]),
        text("referenceTypes", "What a reference points at.").many().exact(),
    ]
}
