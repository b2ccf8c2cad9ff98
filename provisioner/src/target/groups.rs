//! Groups at the target: reading one with its members, and finding them by name, by `externalId`, or all at once.
//!
//! An answer without `members` says nothing of the members. It is asked for them by name once more; if they do not show then
//! either, they are not known, which is not the same as none.

use std::collections::BTreeMap;

use reqwest::StatusCode;
use scim::json::get_ci;
use scim::text::lower_case;
use serde_json::{Map, Value};

use super::client::{Client, Request};
use super::redact::is_redacted;
use super::response::Response;
use super::{Halt, Trouble};
use crate::id_set::IdSet;
use crate::ids::TargetId;
use crate::report::Reason;

/// Groups on one page of the list of all.
const PAGE: &str = "200";
/// The maximum number of pages of that list.
const MOST_PAGES: usize = 10_000;

/// A group at the target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RemoteGroup {
    pub(crate) id: TargetId,
    pub(crate) display_name: Option<String>,
    pub(crate) external_id: Option<String>,
    /// The ids of its members; `None` if the target does not show them.
    pub(crate) members: Option<IdSet>,
    /// Everything else, for a PUT.
    pub(crate) rest: Map<String, Value>,
    /// The value for `If-Match`, if the target has versions.
    pub(crate) version: Option<String>,
}

impl RemoteGroup {
    /// Creates the group of `resource`, or returns `None` if that has no valid id.
    fn new(resource: &Map<String, Value>, etag: Option<&str>) -> Option<Self> {
        let id = get_ci(resource, "id")?.as_str().filter(|id| !is_redacted(id))?.parse().ok()?;
        let text = |name: &str| get_ci(resource, name).and_then(Value::as_str).map(str::to_owned);
        let members = match get_ci(resource, "members") {
            Some(Value::Array(members)) => {
                Some(IdSet::new(members.iter().filter_map(Value::as_str).filter(|id| !is_redacted(id))))
            }
            // Null is the same as absent (RFC 7643 §2.5), and absent says nothing.
            Some(_) | None => None,
        };
        let is_member = |name: &str| name.eq_ignore_ascii_case("members");
        let rest = resource
            .iter()
            .filter(|(name, _)| !is_member(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let version = get_ci(resource, "meta")
            .and_then(Value::as_object)
            .and_then(|meta| get_ci(meta, "version"))
            .and_then(Value::as_str);
        let version = etag.or(version).filter(|version| !version.is_empty()).map(str::to_owned);
        Some(Self {
            id,
            display_name: text("displayName"),
            external_id: text("externalId"),
            members,
            rest,
            version,
        })
    }

    /// Whether it has this name; names of groups compare without case.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.display_name.as_deref().is_some_and(|own| lower_case(own) == lower_case(name))
    }
}

/// The groups with one name, or from one group of the source.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum GroupLookup {
    None,
    One(Box<RemoteGroup>),
    Several(usize),
}

impl GroupLookup {
    fn of(mut found: Vec<RemoteGroup>) -> Self {
        match (found.pop(), found.len()) {
            (None, _) => Self::None,
            (Some(group), 0) => Self::One(Box::new(group)),
            (Some(_), others) => Self::Several(others + 1),
        }
    }
}

/// The group with one id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum GroupRead {
    Found(Box<RemoteGroup>),
    /// SCIM 404 by id, and no group with that id under its name.
    Gone,
}

/// The beginning of the detail of a group that cannot be written because the target has no groups.
const NO_GROUPS: &str = "the target has no /Groups";

/// Returns the trouble of a target without groups.
pub(crate) fn no_groups(response: &Response) -> Trouble {
    Trouble::new(Reason::Rejected, format!("{NO_GROUPS}: {}", response.describe()))
}

/// Whether `trouble` is that of [`no_groups`].
pub(crate) fn is_without_groups(trouble: &Trouble) -> bool {
    trouble.detail.starts_with(NO_GROUPS)
}

impl Client {
    /// Reads a group with its members; a 404 counts only if it is SCIM and no look-up by `name` shows the group either.
    ///
    /// # Errors
    /// The answer is an error, or is not that group.
    pub(crate) async fn read_group(&self, id: &TargetId, name: &str) -> Result<GroupRead, Halt> {
        let segments = ["Groups", id.as_str()];
        let request = Request::get(&segments).about_groups();
        let response = self.send(request).await?;
        if response.is_scim_not_found() {
            return Ok(match self.groups_named(name).await? {
                GroupLookup::One(group) if group.id == *id => GroupRead::Found(group),
                GroupLookup::None | GroupLookup::One(_) | GroupLookup::Several(_) => GroupRead::Gone,
            });
        }
        let mut group = group_of(&response, id)?;
        if group.members.is_none() {
            let with_members = Request { query: &[("attributes", "displayName,members")], ..request };
            let response = self.send(with_members).await?;
            if response.status == StatusCode::OK
                && let Ok(again) = group_of(&response, id)
            {
                group.members = again.members;
            }
        }
        Ok(GroupRead::Found(Box::new(group)))
    }

    /// Looks for groups by name.
    ///
    /// # Errors
    /// The answer is an error, is not SCIM, or has a group of another name (`filter-not-honoured`).
    pub(crate) async fn groups_named(&self, name: &str) -> Result<GroupLookup, Halt> {
        self.find_groups("displayName", name, |group| group.is_named(name)).await
    }

    /// Looks for groups by `externalId`.
    ///
    /// # Errors
    /// As [`Client::groups_named`].
    pub(crate) async fn groups_from(&self, external_id: &str) -> Result<GroupLookup, Halt> {
        self.find_groups("externalId", external_id, |group| group.external_id.as_deref() == Some(external_id))
            .await
    }

    async fn find_groups(
        &self,
        attribute: &str,
        value: &str,
        is_meant: impl Fn(&RemoteGroup) -> bool,
    ) -> Result<GroupLookup, Halt> {
        let literal = Value::String(value.to_owned());
        let filter = format!("{attribute} eq {literal}");
        let query = [("filter", filter.as_str()), ("excludedAttributes", "members")];
        let request = Request { query: &query, ..Request::get(&["Groups"]).about_groups() };
        let response = self.send(request).await?;
        let Page { groups, total } = page_of(&response)?;
        if !groups.iter().all(is_meant) {
            let detail = format!("the look-up of groups by {attribute} was answered with another group");
            return Err(Trouble::new(Reason::FilterNotHonoured, detail).into());
        }
        match (groups.len(), total) {
            (0, Some(total)) if total > 0 => {
                let detail =
                    format!("the look-up of groups by {attribute} was answered with a total, and no group");
                Err(Trouble::new(Reason::FilterNotHonoured, detail).into())
            }
            (_, Some(total)) if total > 1 => Ok(GroupLookup::Several(total)),
            _ => Ok(GroupLookup::of(groups)),
        }
    }

    /// Lists every group without its members.
    ///
    /// # Errors
    /// A page is an error or is not SCIM, or the pages do not hold as many groups as the target says it has.
    pub(crate) async fn all_groups(&self) -> Result<Vec<RemoteGroup>, Halt> {
        let mut found: BTreeMap<TargetId, RemoteGroup> = BTreeMap::new();
        let mut start = 1_usize;
        for _ in 0..MOST_PAGES {
            let first = start.to_string();
            let query = [("count", PAGE), ("startIndex", first.as_str()), ("excludedAttributes", "members")];
            let request = Request { query: &query, ..Request::get(&["Groups"]).about_groups() };
            let response = self.send(request).await?;
            let Page { groups, total } = page_of(&response)?;
            let (on_page, before) = (groups.len(), found.len());
            found.extend(groups.into_iter().map(|group| (group.id.clone(), group)));
            let total = total.unwrap_or(found.len());
            if found.len() == total {
                return Ok(found.into_values().collect());
            }
            // An empty or repeated page would be asked for without end.
            if on_page == 0 || found.len() == before || found.len() > total {
                break;
            }
            start += on_page;
        }
        let detail = format!(
            "the list of groups is not whole: its pages have {} groups, which is not the number that the target tells",
            found.len()
        );
        Err(Trouble::new(Reason::FilterNotHonoured, detail).into())
    }

    /// Whether the account is in the group by its own `groups`, for targets that do not show members; `None` if it does
    /// not show groups.
    pub(crate) async fn is_in_group(&self, account: &str, group: &TargetId) -> Result<Option<bool>, Halt> {
        let segments = ["Users", account];
        let request = Request { query: &[("attributes", "userName,groups")], ..Request::get(&segments) };
        let response = self.send(request).await?;
        let Some(groups) =
            response.object().and_then(|user| get_ci(user, "groups")).and_then(Value::as_array)
        else {
            return Ok(None);
        };
        let is_it = |entry: &Value| {
            entry.as_object().and_then(|entry| get_ci(entry, "value")).and_then(Value::as_str)
                == Some(group.as_str())
        };
        Ok(Some(groups.iter().any(is_it)))
    }
}

/// Returns the group `id` in a response.
///
/// # Errors
/// The response is an error, or another resource.
pub(crate) fn group_of(response: &Response, id: &TargetId) -> Result<RemoteGroup, Trouble> {
    if !response.status.is_success() {
        return Err(Trouble { unsure: false, ..response.trouble() });
    }
    let group = response.object().and_then(|object| RemoteGroup::new(object, response.etag.as_deref()));
    group.filter(|group| group.id == *id).ok_or_else(|| {
        let other = || Trouble::new(Reason::Rejected, "the response to reading the group is not that group");
        response.excess().unwrap_or_else(other)
    })
}

/// Some groups of a list.
struct Page {
    groups: Vec<RemoteGroup>,
    /// The number of groups in the whole list, if the target tells it.
    total: Option<usize>,
}

fn page_of(response: &Response) -> Result<Page, Trouble> {
    if response.is_scim_not_found() {
        // Some servers answer a filter without a match so. Where there is no `/Groups` at all, the POST shows it.
        return Ok(Page { groups: Vec::new(), total: Some(0) });
    }
    if matches!(response.status.as_u16(), 404 | 405 | 501) {
        return Err(no_groups(response));
    }
    if response.status != StatusCode::OK {
        return Err(Trouble { unsure: false, ..response.trouble() });
    }
    let not_a_list = || {
        response.excess().unwrap_or_else(|| {
            Trouble::new(Reason::FilterNotHonoured, "the list of groups is not a SCIM list")
        })
    };
    let list = response.object().ok_or_else(not_a_list)?;
    let total = get_ci(list, "totalResults").and_then(Value::as_u64);
    let resources = match get_ci(list, "Resources") {
        Some(Value::Array(resources)) => resources.as_slice(),
        Some(Value::Null) | None if total.is_some() => &[],
        Some(_) | None => return Err(not_a_list()),
    };
    let group = |resource: &Value| resource.as_object().and_then(|resource| RemoteGroup::new(resource, None));
    let groups: Option<Vec<RemoteGroup>> = resources.iter().map(group).collect();
    let without_id =
        || Trouble::new(Reason::FilterNotHonoured, "the list of groups has an entry without an id");
    Ok(Page {
        groups: groups.ok_or_else(without_id)?,
        total: total.map(|total| usize::try_from(total).unwrap_or(usize::MAX)),
    })
}
