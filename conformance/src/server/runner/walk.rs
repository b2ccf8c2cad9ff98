//! Lists that are read page after page.

use serde_json::{Value, json};

use crate::case::step::{Paging, Step};
use crate::json::get;
use crate::server::deviation;
use crate::server::runner::SEARCH;
use crate::server::runner::{End, Player};
use crate::subject::server::bounded::{LARGE, outline};
use crate::subject::server::client::{Answer, Request};

/// Bytes of pages whose resources are kept whole; of those behind them only what tells which one it is.
const WALKED_WHOLE: usize = 64 * LARGE;

/// Reads at most this number of pages; a subject with more never ends.
const MAX_PAGES: usize = 1_000;

/// Returns a query as a POST to `.search`: its parameters are members of the body, numbers as numbers.
fn as_search(query: Request) -> Request {
    let mut body = json!({ "schemas": [SEARCH] });
    for (name, value) in query.query {
        body[name] = value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number));
    }
    let path = format!("{}/.search", query.path);
    Request { method: "POST".to_owned(), path, query: Vec::new(), body: Some(body.to_string()), ..query }
}

impl Player<'_> {
    /// Reads page after page, as a client does. The answer is the last page's, with the resources of all pages in its
    /// body.
    pub(super) async fn walk(&mut self, step: &Step, paging: Paging) -> Result<Answer, End> {
        let (first, ..) = self.request(step)?;
        let mut pages = Vec::new();
        let mut resources = Vec::new();
        let mut read = 0;
        let mut seen = Vec::new();
        let mut place = match paging {
            Paging::Index | Paging::Search => ("startIndex", "1".to_owned()),
            Paging::Cursor => ("cursor", String::new()),
        };
        loop {
            let mut request = first.clone();
            request.query.push((place.0.to_owned(), place.1.clone()));
            if paging == Paging::Search {
                request = as_search(request);
            }
            let mut answer = self.ask(step, &request).await?;
            // Of pages alike one says it.
            for new in self.seen.drain(..) {
                if !deviation::has(&seen, new.row.deviation) {
                    seen.push(new);
                }
            }
            if !answer.is_success() || answer.json.is_none() {
                self.seen = seen;
                return Ok(answer);
            }
            read += answer.text.len();
            let large = answer.text.len() > LARGE || read > WALKED_WHOLE;
            let mut page = answer.json.take().unwrap_or_default();
            let found = get(&page, "Resources").and_then(Value::as_array);
            let found: Vec<Value> = if large {
                found.into_iter().flatten().map(outline).collect()
            } else {
                found.cloned().unwrap_or_default()
            };
            if large
                && let Some(members) = page.as_object_mut()
                && let Some(all) = members.keys().find(|name| name.eq_ignore_ascii_case("Resources")).cloned()
            {
                members.insert(all, json!(found));
            }
            let total = get(&page, "totalResults").and_then(Value::as_u64);
            let next = get(&page, "nextCursor").and_then(Value::as_str).map(ToOwned::to_owned);
            // Without a total the end is a page without resources, or one that came before: such servers may not page.
            let is_repeated = paging != Paging::Cursor
                && total.is_none()
                && found.iter().all(|resource| resources.contains(resource));
            let last = found.is_empty() || is_repeated || pages.len() >= MAX_PAGES;
            if !is_repeated {
                resources.extend(found);
                pages.push(page);
            }
            let more = match paging {
                Paging::Index | Paging::Search => {
                    place.1 = (resources.len() + 1).to_string();
                    total.is_none_or(|total| (resources.len() as u64) < total)
                }
                Paging::Cursor => match next {
                    Some(next) if !next.is_empty() => {
                        place.1 = next;
                        true
                    }
                    _ => false,
                },
            };
            if more && pages.len() == 1 && !step.between.is_empty() {
                self.between(&step.between).await?;
            }
            if last || !more {
                self.seen = seen;
                let body = json!({ "pages": pages, "Resources": resources, "totalResults": total });
                return Ok(Answer { text: body.to_string(), json: Some(body), ..answer });
            }
        }
    }
}
