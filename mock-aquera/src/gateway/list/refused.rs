//! Lists that a profile refuses, whatever there is.

use crate::gateway::query::Query;
use crate::problem::Problem;
use crate::profile::{FilteredGroupsStartIndex, ListRules, WithoutFilter};
use crate::types::{Role, TypeInfo};
use crate::units::suggest::{attribute_name, did_you_mean};
use scim::sort::SortError;

/// What to say of a `sortBy` that no type has.
pub(super) fn unsortable(error: &SortError, kinds: &[&TypeInfo]) -> Problem {
    let nearest = match error {
        SortError::Unknown(path) => {
            kinds.iter().find_map(|kind| attribute_name(&kind.schemas, &path.to_string()))
        }
        SortError::Path(_) | SortError::Complex { .. } | SortError::Hidden(_) | SortError::Order => None,
    };
    Problem::BadValue(format!("{error}{}", did_you_mean(nearest.as_deref())))
}

/// Refuses a list without a filter, or a later page of filtered groups, where a profile does.
pub(super) fn refused(asked: &Query, rules: &ListRules, looked_at: &[&TypeInfo]) -> Result<(), Problem> {
    let users = looked_at.iter().any(|kind| kind.role == Role::User);
    if asked.filter.is_none() && users {
        match rules.without_filter {
            WithoutFilter::All | WithoutFilter::OneSynthetic => {}
            WithoutFilter::Answers400 => {
                let why = "a list needs a filter here";
                return Err(Problem::by_profile(400, Some(scim::error::ScimType::TooMany), why));
            }
            WithoutFilter::Answers403 => {
                return Err(Problem::by_profile(403, None, "a list needs a filter here"));
            }
        }
    }
    let groups = looked_at.iter().any(|kind| kind.role == Role::Group);
    if rules.filtered_groups_start_index == FilteredGroupsStartIndex::Answers501
        && groups
        && asked.filter.is_some()
        && asked.start_index.is_some_and(|start| start != 1)
    {
        return Err(Problem::by_profile(501, None, "filtered groups come in one page here"));
    }
    Ok(())
}
