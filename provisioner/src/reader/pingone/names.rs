//! Populations and groups by their names.

use cli_support::suggest::nearest;
use serde_json::Value;
use url::Url;

use super::super::pass::{Contradiction, Pass};
use super::super::remote::checked_link;
use super::{PingOneReader, Restriction, distinct, number};
use crate::source::{RemoteProblem, SourceProblem};

/// What has a name.
#[derive(Clone, Copy)]
pub(super) enum Named {
    Population,
    Group,
}

impl Named {
    const fn word(self) -> &'static str {
        match self {
            Self::Population => "population",
            Self::Group => "group",
        }
    }

    const fn collection(self) -> &'static str {
        match self {
            Self::Population => "populations",
            Self::Group => "groups",
        }
    }
}

impl PingOneReader {
    /// Returns the filter of the populations and groups that the source is restricted to.
    pub(super) async fn restriction(&mut self) -> Result<Restriction, SourceProblem> {
        let (populations, groups) = (self.source.populations.clone(), self.source.groups.clone());
        let populations = self.ids(Named::Population, &populations).await?;
        let groups = self.ids(Named::Group, &groups).await?;
        let quoted = |id: &String| Value::from(id.as_str()).to_string();
        let any = |ids: &[String], term: &dyn Fn(&String) -> String| {
            let terms: Vec<String> = ids.iter().map(term).collect();
            (!terms.is_empty()).then(|| terms.join(" or "))
        };
        let by_population = any(&populations, &|id| format!("population.id eq {}", quoted(id)));
        let by_group = any(&groups, &|id| format!("memberOfGroups[id eq {}]", quoted(id)));
        let filter = match (by_population, by_group) {
            (Some(one), Some(other)) => Some(format!("({one}) and ({other})")),
            (one, other) => one.or(other),
        };
        Ok(Restriction { filter, populations })
    }

    async fn ids(&mut self, named: Named, names: &[String]) -> Result<Vec<String>, SourceProblem> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let all = self.all(named).await?;
        let mut ids = Vec::new();
        for name in names {
            let found: Vec<&String> =
                all.iter().filter(|(_, known)| known == name).map(|(id, _)| id).collect();
            match found.as_slice() {
                [id] => ids.push((*id).clone()),
                [] => {
                    let meant = nearest(name, all.iter().map(|(_, known)| known.as_str())).map(str::to_owned);
                    let (kind, name) = (named.word(), name.clone());
                    return Err(RemoteProblem::UnknownName { kind, name, meant }.into());
                }
                several => {
                    let (kind, name, count) = (named.word(), name.clone(), several.len());
                    return Err(RemoteProblem::AmbiguousName { kind, name, count }.into());
                }
            }
        }
        Ok(distinct(ids))
    }

    /// Returns ids and names of all populations or groups.
    async fn all(&mut self, named: Named) -> Result<Vec<(String, String)>, SourceProblem> {
        let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
        let all = self.all_resources(named).await?;
        Ok(all.iter().filter_map(|item| Some((text(item, "id")?, text(item, "name")?))).collect())
    }

    /// Returns all populations or groups.
    pub(super) async fn all_resources(&mut self, named: Named) -> Result<Vec<Value>, SourceProblem> {
        let collection = named.collection();
        let base = self.source.base_url.resource(&["environments", &self.source.environment_id, collection]);
        let mut url = base.clone();
        url.set_query(Some("limit=100"));
        let contradiction = |what| RemoteProblem::Contradiction { what, reads: 1 };
        let mut pass = Pass::default();
        let mut all = Vec::new();
        let mut total = None;
        loop {
            pass.begin_page(url.as_str()).map_err(|Contradiction(what)| contradiction(what))?;
            let what = format!("GET {}", url.path());
            let mut body = self.get(&url, &what).await?;
            total = number(&body, "count").or(total);
            let pointer = format!("/_embedded/{collection}");
            let Some(Value::Array(items)) = body.pointer_mut(&pointer).map(Value::take) else {
                let told = format!("{what} was answered without `_embedded.{collection}`");
                return Err(RemoteProblem::Answer(told).into());
            };
            all.extend(items);
            match next_link(&body, &url, &base)? {
                Some(next) => url = next,
                None => break,
            }
        }
        let listed = all.len() as u64;
        match total {
            Some(total) if total != listed => {
                let told = format!("the server counts {total} {collection} and listed {listed}");
                Err(contradiction(told).into())
            }
            Some(_) | None => Ok(all),
        }
    }
}

/// Returns the address of the page that follows `body`, which is at `url`.
pub(super) fn next_link(body: &Value, url: &Url, base: &Url) -> Result<Option<Url>, RemoteProblem> {
    let Some(next) = body.pointer("/_links/next").filter(|next| !next.is_null()) else { return Ok(None) };
    let link = next.get("href").unwrap_or(next).as_str().unwrap_or_default();
    checked_link(link, url, base).map(Some)
}
