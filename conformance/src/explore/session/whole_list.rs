//! The list without a filter, page by page, while no other sequence writes: it is the set of the living resources.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::explore::check::{self, Check, Condition, Crowd, Expectation, Judged, Listed};
use crate::explore::operation::{ListWay, Type};
use crate::explore::rule::{Rule, Violation};
use crate::explore::session::guests::Guest;
use crate::explore::session::{Resource, Session, Stop};
use crate::explore::world::{SEARCH, post, query, request};
use crate::json::get;
use crate::server::discovery::resources;
use crate::subject::server::client::{Answer, Client, Request};

/// A list that is longer is read in larger pages than were asked for.
const MOST_PAGES: usize = 60;

/// A list that is longer is not read.
const LONGEST: u64 = 5_000;

/// A walk over a whole list.
struct Walk {
    ids: Vec<String>,
    /// `totalResults` of each page.
    totals: Vec<Option<u64>>,
}

/// What is wrong with a walk.
struct Wrong {
    about: &'static str,
    what: String,
    expected: Value,
    actual: Value,
    expectations: Vec<Expectation>,
}

fn words(way: ListWay) -> &'static str {
    match way {
        ListWay::Index => "GET of the whole list",
        ListWay::Cursor => "GET of the whole list by cursors",
        ListWay::Filter => "GET of the list with a filter that all match",
        ListWay::Search => "POST .search without a filter",
    }
}

/// Returns a filter that every resource of a type matches.
fn everyone(kind: Type) -> &'static str {
    match kind {
        Type::User => "userName pr",
        Type::Group => "displayName pr",
    }
}

impl Session<'_> {
    /// Walks over the list, and holds it against what all sequences know. What is wrong has to be wrong twice, for others may
    /// write to the subject too.
    pub(super) async fn whole_list(
        &mut self,
        kind: Type,
        way: ListWay,
        count: usize,
        crowd: usize,
    ) -> Result<(), Stop> {
        let way = match way {
            ListWay::Filter if !self.world.scope.filter => ListWay::Index,
            ListWay::Search if !self.world.can.search => ListWay::Index,
            ListWay::Cursor if !self.world.scope.cursor => ListWay::Index,
            way => way,
        };
        let guests = self.guests(kind, crowd).await?;
        let mut living = self.world.known(kind, true);
        living.extend(guests.iter().map(|(_, id)| id.clone()));
        let deleted = self.world.known(kind, false);
        let form = words(way);
        let form = if kind == Type::Group { format!("{form} of groups") } else { form.to_owned() };
        let mut wrong = None;
        let mut from = self.exchanges.len();
        for _ in 0..2 {
            from = self.exchanges.len();
            let Some(walk) = self.walk(kind, way, count, &form).await? else {
                wrong = None;
                break;
            };
            wrong = self.wrong_in(kind, &walk, (&living, &deleted), &guests).await?;
            if wrong.is_none() {
                break;
            }
        }
        if let Some(Wrong { about, what, expected, actual, expectations }) = wrong {
            let query = match way {
                ListWay::Filter => vec![("filter".to_owned(), everyone(kind).to_owned())],
                ListWay::Index | ListWay::Cursor | ListWay::Search => Vec::new(),
            };
            // Other sequences have resources in the list, of which there are several pages, and deleted some.
            let own = guests.len() + self.living(kind).len();
            let crowd = Some(Crowd {
                resource_type: self.world.resource_type(kind).name.clone(),
                count: (2 * count + 1).saturating_sub(own),
                has_deleted: true,
            });
            let walk = check::Walk {
                resource_type: self.world.resource_type(kind).name.clone(),
                by: match way {
                    ListWay::Index | ListWay::Filter => "index",
                    ListWay::Cursor => "cursor",
                    ListWay::Search => "search",
                },
                query: query.into_iter().chain([("count".to_owned(), count.to_string())]).collect(),
                from,
                is_exclusive: true,
            };
            let violation = Violation::new(Rule::ListHoldsAll, &form, format!("{form}: {what}"))
                .about(about)
                .values(expected, actual)
                .check(Check { crowd, ..Check::all(expectations).of(Judged::Walk(walk)) });
            self.violates(violation)?;
        }
        self.remove_guests(&guests).await
    }

    fn page(&self, kind: Type, way: ListWay, count: usize, start: usize, cursor: &str) -> Request {
        let endpoint = self.endpoint(kind);
        let (start, size) = (start.to_string(), count.to_string());
        let index = [("startIndex", start.as_str()), ("count", size.as_str())];
        match way {
            ListWay::Index => query(endpoint, &index),
            ListWay::Filter => query(endpoint, &[("filter", everyone(kind)), index[0], index[1]]),
            ListWay::Cursor => query(endpoint, &[("cursor", cursor), index[1]]),
            ListWay::Search => post(
                &format!("{endpoint}/.search"),
                &json!({ "schemas": [SEARCH], "startIndex": start.parse::<usize>().unwrap_or(1), "count": count }),
            ),
        }
    }

    /// Reads page after page. `None`: the subject does not do that, or the list is too long.
    async fn walk(
        &mut self,
        kind: Type,
        way: ListWay,
        count: usize,
        form: &str,
    ) -> Result<Option<Walk>, Stop> {
        let mut walk = Walk { ids: Vec::new(), totals: Vec::new() };
        let (mut count, mut cursor) = (count, String::new());
        for _ in 0..MOST_PAGES {
            let page = self.page(kind, way, count, walk.ids.len() + 1, &cursor);
            let answer = self.ask(&page).await?;
            let Some(body) = answer.json.filter(|_| answer.status == 200) else {
                self.world.limit(&format!("{form} is answered {}", answer.status));
                return Ok(None);
            };
            let ids = resources(&body).iter().filter_map(|one| Some(get(one, "id")?.as_str()?.to_owned()));
            let before = walk.ids.len();
            walk.ids.extend(ids);
            let total = get(&body, "totalResults").and_then(Value::as_u64);
            walk.totals.push(total);
            if total.is_some_and(|total| total > LONGEST) {
                self.world.limit(&format!("{form} of more than {LONGEST} resources"));
                return Ok(None);
            }
            let next = get(&body, "nextCursor").and_then(Value::as_str).unwrap_or_default();
            let is_at_end = match way {
                ListWay::Cursor => next.is_empty(),
                _ => total.is_some_and(|total| walk.ids.len() as u64 >= total),
            };
            if is_at_end || walk.ids.len() == before {
                return Ok(Some(walk));
            }
            next.clone_into(&mut cursor);
            let left = total.and_then(|total| usize::try_from(total).ok()).unwrap_or_default();
            count = count.max(left / (MOST_PAGES / 2));
        }
        self.world.limit(&format!("{form} of more than {MOST_PAGES} pages"));
        Ok(None)
    }

    /// Returns what is wrong with a walk, if anything is.
    async fn wrong_in(
        &mut self,
        kind: Type,
        walk: &Walk,
        (living, deleted): (&BTreeSet<String>, &BTreeSet<String>),
        guests: &[Guest],
    ) -> Result<Option<Wrong>, Stop> {
        let listed: BTreeSet<&String> = walk.ids.iter().collect();
        // A case knows the resources of its own sequence alone.
        let of_kind = self.resources.iter().filter(|one| one.kind == kind);
        let (gone, there): (Vec<_>, Vec<_>) = of_kind.partition(|one| one.is_deleted);
        let ids = |all: &[&Resource]| all.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
        let own_deleted = ids(&gone);
        let mut own_living = ids(&there);
        own_living.extend(guests.iter().map(|(_, id)| id.clone()));
        if listed.len() < walk.ids.len() {
            return Ok(Some(Wrong {
                about: "twice",
                what: "a resource is there twice".to_owned(),
                expected: json!(listed.len()),
                actual: json!(walk.ids.len()),
                expectations: vec![Expectation::At("/Resources".to_owned(), Condition::Unique)],
            }));
        }
        // A resource that reads otherwise breaks another rule.
        for id in living.iter().filter(|id| !listed.contains(id)) {
            if self.read_of(kind, id).await?.is_success() {
                return Ok(Some(Wrong {
                    about: "missing",
                    what: "a resource is missing that can be read".to_owned(),
                    expected: json!(id),
                    actual: json!(walk.ids),
                    expectations: vec![Expectation::Lists(Listed::All, own_living)],
                }));
            }
        }
        for id in deleted.iter().filter(|id| listed.contains(id)) {
            if !self.read_of(kind, id).await?.is_success() {
                return Ok(Some(Wrong {
                    about: "deleted",
                    what: "a resource is there that was deleted".to_owned(),
                    expected: Value::Null,
                    actual: json!(id),
                    expectations: vec![Expectation::Lists(Listed::Not, own_deleted)],
                }));
            }
        }
        let totals: BTreeSet<Option<u64>> = walk.totals.iter().copied().collect();
        if totals.len() > 1 {
            return Ok(Some(Wrong {
                about: "totalResults of pages",
                what: "totalResults differs from page to page".to_owned(),
                expected: json!(listed.len()),
                actual: json!(walk.totals),
                expectations: vec![Expectation::TotalAsListed],
            }));
        }
        let total = walk.totals.first().copied().flatten();
        Ok(total.filter(|total| *total != listed.len() as u64).map(|total| Wrong {
            about: "totalResults",
            what: "totalResults is not the number of resources on its pages".to_owned(),
            expected: json!(listed.len()),
            actual: json!(total),
            expectations: vec![Expectation::TotalAsListed],
        }))
    }

    async fn read_of(&mut self, kind: Type, id: &str) -> Result<Answer, Stop> {
        let path = format!("{}/{}", self.endpoint(kind), Client::segment(id));
        self.ask(&request("GET", &path, None)).await
    }
}
