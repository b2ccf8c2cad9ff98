//! The Group schema (RFC 7643 §4.2, §8.7.1). The text of the RFC requires `displayName`, and so does this schema.

use super::{
    GROUP_URN, Schema,
    build::{complex, reference, text},
};
use crate::name::Urn;

pub(super) fn group() -> Schema {
    let attributes = vec![
        text("displayName", "The name of the group.").required(),
        complex(
            "members",
            "The members of the group.",
            vec![
                text("value", "The member's id.").exact().immutable(),
                reference("$ref", &["User", "Group"], "The member's address.").immutable(),
                text("type", "What the member is.").suggests(&["User", "Group"]).immutable(),
                text("display", "The member's name: the one given with it, or else its own.").immutable(),
            ],
        )
        .many(),
    ];
    Schema::new(Urn::literal(GROUP_URN), "Group", "A group of users.", attributes)
}
