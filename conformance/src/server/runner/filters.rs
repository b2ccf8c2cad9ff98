//! Filters that a subject refuses, ignores, or answers with nothing although resources match.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use crate::case::expect::{Expectation, Foreseen};
use crate::case::step::Step;
use crate::json::get;
use crate::query_string::parameters;
use crate::requirement::Shared;
use crate::server::discovery::{ResourceType, resources};
use crate::server::findings::{BrokenFilters, Told};
use crate::server::judge::Miss;
use crate::server::runner::Player;
use crate::server::runner::fault::Fault;
use crate::subject::server::client::{Answer, Client, Request};
use crate::transcript::Exchange;

/// The time after which an index, or a cache, has followed.
const A_WHILE: Duration = Duration::from_millis(2_500);

/// Whether a query, in the address or in a body, is refused because of its filter, where nothing of the kind is expected.
pub(super) fn refuses_its_filter(step: &Step, sent: Option<&Exchange>, answer: &Answer) -> bool {
    let is_expected = |foreseen: Foreseen<'_>| match foreseen.error {
        None => foreseen.status.iter().any(|set| set.has(400)),
        Some(types) => types.is_empty() || types.iter().any(|name| name == "invalidFilter"),
    };
    let said = answer.json.as_ref().and_then(|body| get(body, "scimType")?.as_str());
    let filters = step.query.iter().any(|(name, _)| name.eq_ignore_ascii_case("filter"))
        || sent.is_some_and(|sent| get(&sent.request.body, "filter").is_some());
    answer.status == 400
        && filters
        && said.is_some_and(|said| said.eq_ignore_ascii_case("invalidFilter"))
        && !step.expect.iter().flat_map(Expectation::foreseen).any(is_expected)
}

/// Returns the filter of the last request, in its address or its body.
pub(super) fn filter_of(exchanges: &[Exchange]) -> Option<String> {
    let sent = &exchanges.last()?.request;
    let query = sent.url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let given = parameters(query).into_iter().find(|(name, _)| name.eq_ignore_ascii_case("filter"));
    given.map(|(_, filter)| filter).or_else(|| Some(get(&sent.body, "filter")?.as_str()?.to_owned()))
}

/// A query whose answer is not the one that its filter asks for.
struct Missed {
    step: String,
    path: String,
    filter: String,
    /// A refusal was due.
    wants_refusal: bool,
}

impl Player<'_> {
    /// Returns the defect of all filters, or of all look-ups by name, if it causes all most binding misses.
    pub(super) async fn broken_filter(&mut self) -> Option<Fault> {
        let worst = self.misses.iter().map(|(_, miss)| miss.level).min()?;
        let mut missed: BTreeMap<usize, Vec<&(String, Miss)>> = BTreeMap::new();
        for found in self.misses.iter().filter(|(_, miss)| miss.level == worst) {
            missed.entry(found.1.at).or_default().push(found);
        }
        let missed: Option<Vec<Missed>> = missed.values().map(|of_one| self.missed(of_one)).collect();
        let missed = missed?;
        let mut fault = None;
        for query in &missed {
            let known = self.endpoint_of(&query.path)?;
            let name = name_of(&known);
            let found = match self.filters_of(&known).await? {
                BrokenFilters::Ignored => (Shared::FilterIgnored, None),
                BrokenFilters::FindNothing if !query.wants_refusal => (Shared::LookUp, None),
                BrokenFilters::FindNoName if !query.wants_refusal && looks_up(&query.filter, name) => {
                    (Shared::LookUp, Some(name.to_owned()))
                }
                BrokenFilters::FindNothing | BrokenFilters::FindNoName => return None,
            };
            if *fault.get_or_insert_with(|| found.clone()) != found {
                return None;
            }
        }
        let ((shared, attribute), first) = (fault?, missed.first()?);
        let filter = attribute.as_ref().map_or_else(|| first.filter.clone(), |name| format!("{name} eq"));
        let happens = if shared == Shared::FilterIgnored {
            "is ignored: the list has resources that it does not select"
        } else {
            "does not find a resource that exists"
        };
        let because = format!("{}: the filter `{filter}` {happens}", first.step);
        Some(Fault { shared, attribute, because, is_means: !self.about.contains(&shared) })
    }

    /// Returns the query whose answer was missed, if it has a filter and was answered with success, and if one of the misses
    /// in the answer is about what the filter selects: what else is missed of such a page follows from it.
    fn missed(&self, misses: &[&(String, Miss)]) -> Option<Missed> {
        let (step, first) = misses.first()?;
        let played = self.exchanges.get(..first.at)?;
        let sent = played.last()?;
        let is_answered = sent.response.as_ref().is_some_and(|answer| (200..300).contains(&answer.status));
        let wants_refusal = first.what == "status";
        let selects = misses.iter().any(|(_, miss)| {
            wants_refusal || miss.what == "totalResults" || miss.what.starts_with("/Resources")
        });
        let are_own =
            misses.iter().all(|(_, miss)| matches!(miss.shared, None | Some(Shared::InvalidFilter)));
        (is_answered && selects && are_own).then_some(())?;
        Some(Missed {
            step: step.clone(),
            path: self.context.client.below(&sent.request.url)?,
            filter: filter_of(played)?,
            wants_refusal,
        })
    }

    /// Returns the resource type that is listed at a path, and users for what lists none or several.
    fn endpoint_of(&self, path: &str) -> Option<ResourceType> {
        let listed = path.strip_suffix("/.search").unwrap_or(path);
        let mut types = self.context.facts.resource_types.iter();
        types
            .find(|known| known.endpoint == listed)
            .or_else(|| self.context.facts.resource_type("User"))
            .cloned()
    }

    /// Returns the defect of all filters of an endpoint.
    async fn filters_of(&mut self, known: &ResourceType) -> Option<BrokenFilters> {
        let when = if self.is_patient { " after a while" } else { "" };
        let key = format!("{}{when}", known.endpoint);
        if let Some(Told(broken)) = self.context.findings.filters_of(&key) {
            return broken;
        }
        let broken = self.try_filters(known).await;
        self.context.findings.note_filters_of(key, broken);
        broken
    }

    /// Filters by what no resource has, and by the name and the id of one that is there.
    async fn try_filters(&mut self, known: &ResourceType) -> Option<BrokenFilters> {
        let name = name_of(known);
        let mut ignored = true;
        for attribute in [name, "id"] {
            let value = json!(format!("{}-unknown", self.bindings.next_unique()));
            let list = self.filtered(known, &format!("{attribute} eq {value}")).await;
            ignored &= list.is_some_and(|list| !resources(&list).is_empty());
            if !ignored {
                break;
            }
        }
        if ignored {
            return Some(BrokenFilters::Ignored);
        }
        let body = self.context.blank.make(&self.context.facts, known, &self.bindings.next_unique());
        let create = Request {
            method: "POST".to_owned(),
            path: known.endpoint.clone(),
            body: Some(body.to_string()),
            ..Request::default()
        };
        let made = self.try_out(&create).await.filter(Answer::is_success)?.json?;
        let list = self.filtered(known, &format!("{name} eq {}", get(&body, name)?)).await?;
        let id = get(&made, "id")?;
        let is_in = |list: &Value| resources(list).iter().any(|found| get(found, "id") == Some(id));
        if is_in(&list) {
            return None;
        }
        self.read_one(&format!("{}/{}", known.endpoint, Client::segment(id.as_str()?))).await?;
        let list = self.filtered(known, &format!("id eq {id}")).await;
        let finds_nothing = list.is_some_and(|list| !is_in(&list));
        Some(if finds_nothing { BrokenFilters::FindNothing } else { BrokenFilters::FindNoName })
    }

    /// Returns the list that a query with this filter and nothing else is answered with.
    async fn filtered(&mut self, known: &ResourceType, filter: &str) -> Option<Value> {
        if self.is_patient {
            tokio::time::sleep(A_WHILE).await;
        }
        let query = Request {
            method: "GET".to_owned(),
            path: known.endpoint.clone(),
            query: vec![("filter".to_owned(), filter.to_owned())],
            ..Request::default()
        };
        self.try_out(&query).await.filter(Answer::is_success)?.json
    }
}

/// Returns the attribute by which a client looks up a resource.
fn name_of(known: &ResourceType) -> &'static str {
    if known.name.eq_ignore_ascii_case("Group") { "displayName" } else { "userName" }
}

/// Whether a filter compares an attribute with `eq`.
fn looks_up(filter: &str, attribute: &str) -> bool {
    let words = words(filter);
    let is_it = |word: &str| word.rsplit(':').next().is_some_and(|word| word.eq_ignore_ascii_case(attribute));
    words.windows(2).any(|pair| is_it(&pair[0]) && pair[1] == "eq")
}

/// Returns the words of a filter outside of its texts, in lower case; an opening parenthesis is a word too.
fn words(filter: &str) -> Vec<String> {
    let mut bare = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for sign in filter.chars() {
        match sign {
            '"' if !escaped => quoted = !quoted,
            '(' if !quoted => bare.push_str(" ( "),
            _ if !quoted => bare.push(sign),
            _ => {}
        }
        escaped = quoted && sign == '\\' && !escaped;
    }
    let words = bare.split(|sign: char| !sign.is_ascii_alphanumeric() && !"._:$-(".contains(sign));
    words.filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect()
}

/// Returns the operators of a filter beside `eq`, by the words under which they are tried.
pub(super) fn operators(filter: &str) -> BTreeSet<String> {
    const KNOWN: [&str; 12] = ["ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr", "and", "or", "not"];
    let words = words(filter).into_iter();
    let known = words.filter_map(|word| {
        if word == "(" { Some("( )".to_owned()) } else { KNOWN.contains(&word.as_str()).then_some(word) }
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use crate::server::runner::filters::*;

    #[test]
    fn operators_in_filter_texts_do_not_count() {
        let of = |filter: &str| operators(filter).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(of(r#"userName eq "a and b""#), "");
        assert_eq!(of(r#"userName SW "a \" or " and not (title pr)"#), "( ) and not pr sw");
        assert_eq!(of(r#"emails[type eq "work" and value co "x"]"#), "and co");
        assert_eq!(of(r#"meta.lastModified gt "2026""#), "gt");
    }

    #[test]
    fn look_up_compares_the_attribute_itself_with_eq() {
        for filter in [
            r#"userName eq "a""#,
            r#"title pr and (USERNAME EQ "a")"#,
            r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "a""#,
        ] {
            assert!(looks_up(filter, "userName"), "{filter}");
        }
        for filter in [r#"userName co "a""#, r#"title eq "userName eq""#, r#"nickName eq "a""#, "((("] {
            assert!(!looks_up(filter, "userName"), "{filter}");
        }
    }
}
