//! `[filter]` and `[list]`: what a client that looks for resources is given.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::switch::switches;

/// Which filters are understood, and what the others get.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FilterRules {
    /// Which part of the grammar is understood.
    pub subset: FilterSubset,
    /// Which attributes may be filtered on, by their paths. Empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
    /// What a filter gets that is well formed and not understood.
    pub unsupported: UnsupportedFilter,
    /// How many comparisons a filter may have; more answers 400 `invalidFilter`. Absent: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_terms: Option<NonZeroU32>,
    /// What a filter gets that nothing matches.
    pub miss: FilterMiss,
    /// How strings are compared.
    pub case: FilterCase,
}

/// How lists are cut into pages and what they show.
#[derive(Debug, Clone, PartialEq, Eq, SmartDefault, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ListRules {
    /// How many resources a page holds at most, whatever `count` says.
    #[default(1000)]
    pub max_count: u32,
    /// How many resources a page holds where `count` is absent.
    #[default(100)]
    pub default_count: u32,
    /// What becomes of `startIndex`.
    pub start_index: StartIndex,
    /// A `startIndex` past this answers 400. Absent: any is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_start_index: Option<NonZeroU32>,
    /// What a page past the end gets.
    pub past_end: PastEnd,
    /// What `totalResults` says.
    pub total_results: TotalResults,
    /// What is on the pages, where they go by index.
    pub pages: Pages,
    /// What `itemsPerPage` says.
    pub items_per_page: ItemsPerPage,
    /// What a list of users without a filter gets.
    pub without_filter: WithoutFilter,
    /// What a list of groups gets that has a filter and a `startIndex` other than 1.
    pub filtered_groups_start_index: FilteredGroupsStartIndex,
    /// Which ways of paging are there (RFC 9865).
    pub cursor: CursorRule,
    /// What becomes of `sortBy`.
    pub sort: SortRule,
    /// What reads and lists show of the members of a group.
    pub members: MembersShown,
    /// How many members of a group reads and lists show at most; 0 is all.
    pub members_cut: u32,
    /// What becomes of the members that `members-cut` leaves out when the group is patched.
    pub members_past_cut: MembersPastCut,
    /// What lists of groups show of the members, where it isn't what a read shows.
    pub group_members_in_lists: MembersInLists,
}

switches! {
    /// Which part of the filter grammar is understood.
    FilterSubset {
        /// The whole.
        Full = "full",
        /// One comparison with `eq`.
        Eq = "eq",
        /// Comparisons with `eq`, joined by `and`.
        EqAnd = "eq-and",
        /// One comparison with `eq` or `sw`.
        EqSw = "eq-sw",
        /// Nothing.
        None = "none",
    }

    /// What a filter gets that is well formed and not understood.
    UnsupportedFilter {
        /// 400 `invalidFilter`.
        Answers400 = "answers-400",
        /// 501.
        Answers501 = "answers-501",
        /// 403.
        Answers403 = "answers-403",
        /// An empty list, as if nothing matched.
        Empty200 = "empty-200",
        /// The list as without a filter.
        Ignored = "ignored",
    }

    /// What a filter gets that nothing matches.
    FilterMiss {
        /// An empty list.
        EmptyList = "empty-list",
        /// A SCIM 404.
        Answers404 = "answers-404",
    }

    /// How a filter compares strings.
    FilterCase {
        /// As the schema says of each attribute.
        Schema = "schema",
        /// With case, whatever the schema says.
        Exact = "exact",
        /// Without case, whatever the schema says.
        Ignored = "ignored",
    }

    /// What becomes of `startIndex`.
    StartIndex {
        /// It is honoured, from one.
        Honoured = "honoured",
        /// Every page starts at the first resource.
        Ignored = "ignored",
        /// It is counted from zero.
        FromZero = "from-zero",
    }

    /// What a page past the end gets.
    PastEnd {
        /// No resources.
        Empty = "empty",
        /// 400.
        Answers400 = "answers-400",
        /// 404.
        Answers404 = "answers-404",
    }

    /// What `totalResults` says.
    TotalResults {
        /// How many resources match.
        TrueTotal = "true-total",
        /// How many are on this page.
        PageLength = "page-length",
        /// One more than match.
        OneMore = "one-more",
        /// Nothing: it is left out.
        Missing = "missing",
    }

    /// What is on the pages.
    Pages {
        /// Each resource once.
        TruePages = "true-pages",
        /// Every page holds what the first one holds, while `startIndex` says what was asked for.
        Repeated = "repeated",
        /// The last resource of a page is the first one of the next as well.
        Overlapping = "overlapping",
        /// The second page is empty though more follow.
        EmptyBeforeEnd = "empty-before-end",
    }

    /// What `itemsPerPage` says.
    ItemsPerPage {
        /// How many resources are on the page.
        Length = "length",
        /// How many could be.
        Limit = "limit",
        /// Nothing: it is left out.
        Missing = "missing",
    }

    /// What a list of users without a filter gets.
    WithoutFilter {
        /// All of them, by pages.
        All = "all",
        /// One made-up user.
        OneSynthetic = "one-synthetic",
        /// 400.
        Answers400 = "answers-400",
        /// 403.
        Answers403 = "answers-403",
    }

    /// What a list of groups gets that has a filter and a `startIndex` other than 1.
    FilteredGroupsStartIndex {
        /// The page.
        Works = "works",
        /// 501.
        Answers501 = "answers-501",
    }

    /// Which ways of paging are there (RFC 9865).
    CursorRule {
        /// By index and by cursor.
        Both = "both",
        /// By index; a `cursor` is passed over.
        None = "none",
        /// By cursor; a `startIndex` is passed over.
        Only = "only",
    }

    /// What becomes of `sortBy`.
    SortRule {
        /// The list is sorted.
        Works = "works",
        /// The list is as without it.
        Ignored = "ignored",
        /// It answers 400.
        Answers400 = "answers-400",
        /// It answers 501.
        Answers501 = "answers-501",
    }

    /// What reads and lists show of the members of a group.
    MembersShown {
        /// All of them.
        Whole = "whole",
        /// No `members` at all.
        Missing = "missing",
        /// An empty array.
        Empty = "empty",
    }

    /// What becomes of members that reads leave out when their group is patched.
    MembersPastCut {
        /// They stay.
        Kept = "kept",
        /// They go: what was read is changed and written back.
        Dropped = "dropped",
    }

    /// What lists of groups show of the members.
    MembersInLists {
        /// What a read of one group shows.
        AsRead = "as-read",
        /// No `members` at all.
        Missing = "missing",
        /// An empty array.
        Empty = "empty",
    }
}
