//! What a check of the store can find.

use std::sync::Arc;

/// A way in which indexes, order, totals or memberships disagree with the resources.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Inconsistency {
    /// The index of ids does not lead to a resource.
    #[error("{0} is not found by its id")]
    Id(Arc<str>),
    /// The index of ids has entries without a resource.
    #[error("an id leads nowhere")]
    SpareId,
    /// An index does not lead to a resource that has the text.
    #[error("{id} is not found by {text}")]
    Text {
        /// The id of the resource.
        id: Arc<str>,
        /// The indexed text.
        text: String,
    },
    /// An index has more or fewer entries than there are texts.
    #[error("an index of {entries} entries for {texts} texts")]
    Entries {
        /// The entries of the index.
        entries: usize,
        /// The texts of the resources.
        texts: usize,
    },
    /// A place in the order of creation leads to no resource.
    #[error("place {0} of the order is about nobody")]
    Order(u64),
    /// Totals differ.
    #[error("{resources} resources, {ordered} in order, {counted} counted")]
    Totals {
        /// The resources there are.
        resources: usize,
        /// Those found by walking the order.
        ordered: usize,
        /// Those that the order counts.
        counted: usize,
    },
    /// A group has a member that does not exist.
    #[error("{0} has a member that is gone")]
    MissingMember(Arc<str>),
    /// A member does not have the group.
    #[error("{member} does not know that it is in {group}")]
    Member {
        /// The id of the member.
        member: Arc<str>,
        /// The id of the group.
        group: Arc<str>,
    },
    /// A resource has a group that does not have it as a member.
    #[error("{0} is in a group that does not know")]
    Group(Arc<str>),
}
