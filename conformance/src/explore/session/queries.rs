//! Lists: filters, orders, pages and projections, held against the resources as they were read.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::casing::lower_case;
use crate::explore::attributes::{Attribute, Kind, Shape};
use crate::explore::check::{Check, Condition, Expectation, Judged, Listed, Walk};
use crate::explore::operation::{Filter, Logic, Operator, Type};
use crate::explore::rule::{Rule, Violation};
use crate::explore::session::checks::{difference, same_but_meta, without};
use crate::explore::session::{Session, Stop};
use crate::explore::world::{SEARCH, post, query};
use crate::json::{get, is_absent};
use crate::server::discovery::resources;

/// A comparison, as it is evaluated over what was read.
struct Comparison<'a> {
    attribute: &'a Attribute,
    part: Option<&'a str>,
    operator: Operator,
    text: String,
    is_case_exact: bool,
}

impl Comparison<'_> {
    /// Returns the simple values of a resource that are compared.
    fn values<'v>(&self, resource: &'v Value) -> Vec<&'v Value> {
        let Some(value) = self.attribute.value_in(resource) else { return Vec::new() };
        match (self.part, value) {
            (None, value) => vec![value],
            (Some(part), Value::Array(all)) => all.iter().filter_map(|one| get(one, part)).collect(),
            (Some(part), whole) => get(whole, part).into_iter().collect(),
        }
    }

    /// Whether a resource matches. `None`: the RFC leaves it open.
    fn matches(&self, resource: &Value) -> Option<bool> {
        let values = self.values(resource);
        if self.operator == Operator::Present {
            return Some(values.iter().any(|value| !is_absent(Some(value)) && **value != json!("")));
        }
        if self.operator == Operator::NotEquals && values.is_empty() {
            return None;
        }
        let fold = |text: &str| if self.is_case_exact { text.to_owned() } else { lower_case(text) };
        let wanted = fold(&self.text);
        let is_it = |value: &&Value| {
            let Some(text) = value.as_str() else { return value.to_string() == self.text };
            let text = fold(text);
            match self.operator {
                Operator::Equals | Operator::NotEquals => text == wanted,
                Operator::Contains => text.contains(&wanted),
                Operator::StartsWith => text.starts_with(&wanted),
                Operator::EndsWith => text.ends_with(&wanted),
                Operator::Present => true,
            }
        };
        let any = values.iter().any(is_it);
        Some(if self.operator == Operator::NotEquals { !any } else { any })
    }
}

/// Returns the ids of the resources in a list.
fn ids_of(list: &Value) -> BTreeSet<&str> {
    resources(list).iter().filter_map(|one| get(one, "id")?.as_str()).collect()
}

impl Session<'_> {
    /// Returns a filter that selects the users of the sequence.
    fn scope(&self) -> String {
        let start = self.world.blank.user_names_start(&format!("{}-", self.unique));
        format!("userName sw {}", json!(start))
    }

    pub(super) async fn find(&mut self, of: usize, filter: Filter, is_search: bool) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
        if self.resources[at].seen.is_null() {
            return Ok(());
        }
        let Some((comparison, text, words)) = self.comparison(at, filter) else { return Ok(()) };
        let own = self.living(Type::User);
        let mut wanted = Vec::new();
        for index in own {
            let resource = &self.resources[index].seen;
            let matched = comparison.matches(resource);
            let matched = match filter.logic {
                Logic::Plain | Logic::ValuePath | Logic::OrNobody => matched,
                Logic::Not => matched.map(|matched| !matched),
                Logic::AndActive => {
                    let is_active = get(resource, "active") == Some(&json!(true));
                    matched.map(|matched| matched && is_active)
                }
            };
            match matched {
                Some(true) => wanted.push(self.resources[index].id.clone()),
                Some(false) => {}
                None => return Ok(()),
            }
        }
        let filter = format!("{} and ({text})", self.scope());
        let is_search = is_search && self.world.can.search;
        let endpoint = self.world.user.endpoint.clone();
        let request = if is_search {
            post(
                &format!("{endpoint}/.search"),
                &json!({ "schemas": [SEARCH], "filter": filter, "count": 50 }),
            )
        } else {
            query(&endpoint, &[("filter", &filter), ("count", "50")])
        };
        let answer = self.ask(&request).await?;
        let judged = Judged::At(self.exchanges.len() - 1);
        if !answer.is_success() {
            let plain = format!("a filter with: {words}");
            if self.world.taken(&plain) == Some(true) {
                let why = format!(
                    "a filter with {words} is answered {}, and was taken with another value",
                    answer.status
                );
                let violation = Violation::new(Rule::ValidIsTaken, "GET with a filter", why)
                    .about(words)
                    .values(json!(200), json!(answer.status))
                    .check(Check::status(&["200"]));
                return self.violates(violation);
            }
            self.world.limit(&format!("a filter is answered {}: {words}", answer.status));
            return Ok(());
        }
        self.world.note_taken(&format!("a filter with: {words}"), true);
        let body = answer.json.clone().unwrap_or_default();
        let wanted_ids: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
        if is_search && ids_of(&body) != wanted_ids {
            let listed = self.ask(&query(&endpoint, &[("filter", &filter), ("count", "50")])).await?;
            let listed = listed.json.as_ref().filter(|_| listed.is_success());
            if let Some(listed) = listed.filter(|listed| ids_of(listed) == ids_of(&body)) {
                // GET finds the same: the filter is at fault, and not the search.
                return self.compare_list((Rule::FilterFinds, &words), &wanted, listed, &Judged::Last);
            }
        }
        let rule = if is_search { Rule::SearchAgrees } else { Rule::FilterFinds };
        self.compare_list((rule, &words), &wanted, &body, &judged)
    }

    /// Chooses an attribute that a user has.
    pub(super) fn present(&self, at: usize, pick: usize) -> Option<usize> {
        let seen = &self.resources[at].seen;
        let attributes = self.world.attributes.iter().enumerate();
        let present: Vec<usize> =
            attributes.filter(|(_, known)| known.value_in(seen).is_some()).map(|(at, _)| at).collect();
        present.get(pick % present.len().max(1)).copied()
    }

    /// Makes the comparison for a filter, its text, and the kind in words.
    fn comparison(&self, at: usize, filter: Filter) -> Option<(Comparison<'_>, String, String)> {
        let attribute = if filter.is_present {
            &self.world.attributes[self.present(at, filter.attribute)?]
        } else {
            self.world.attributes.get(filter.attribute)?
        };
        let parts = attribute.parts();
        let part = (!parts.is_empty()).then(|| &parts[filter.part % parts.len()]);
        let kind = match (&attribute.shape, part) {
            (Shape::Single(kind), _) => kind,
            (_, Some(part)) => &part.kind,
            _ => return None,
        };
        let part_name = part.map(|part| part.name.as_str());
        let probe = Comparison {
            attribute,
            part: part_name,
            operator: filter.operator,
            text: String::new(),
            is_case_exact: part.map_or(attribute.is_case_exact, |part| part.is_case_exact),
        };
        let seen = &self.resources[at].seen;
        let value = probe.values(seen).first().copied().cloned();
        let is_text = matches!(kind, Kind::Text | Kind::Choice(_) | Kind::Email | Kind::Phone | Kind::Uri);
        // `ne` of several values is read in two ways, and so is `not` of a value path.
        let is_open = attribute.is_many() && matches!(filter.operator, Operator::NotEquals);
        let operator = if is_text || matches!(filter.operator, Operator::Present) {
            filter.operator
        } else {
            Operator::Equals
        };
        let operator = if is_open { Operator::Equals } else { operator };
        let (text, literal) = match (&value, operator) {
            (_, Operator::Present) => (String::new(), String::new()),
            (Some(Value::String(text)), _) => {
                let text = match (filter.is_swapped, operator) {
                    (true, Operator::StartsWith) => cut_for(Operator::EndsWith, text),
                    (true, Operator::EndsWith) => cut_for(Operator::StartsWith, text),
                    _ => cut_for(operator, text),
                };
                let text = if filter.is_in_other_case { other_case(&text) } else { text };
                let text = if filter.is_wild { with_wildcard(&text, operator) } else { text };
                let literal = json!(text).to_string();
                (text, literal)
            }
            (Some(value @ (Value::Bool(_) | Value::Number(_))), _) => (value.to_string(), value.to_string()),
            _ => return None,
        };
        let path = match part_name {
            Some(part) => format!("{}.{part}", attribute.path()),
            None => attribute.path(),
        };
        let comparison = Comparison { operator, text, ..probe };
        let compared = |path: &str| {
            let more = if operator == Operator::Present { String::new() } else { format!(" {literal}") };
            format!("{path} {}{more}", operator.word())
        };
        let is_value_path = filter.logic == Logic::ValuePath && attribute.is_many() && part_name.is_some();
        let text = match filter.logic {
            Logic::ValuePath if is_value_path => {
                format!("{}[{}]", attribute.path(), compared(part_name.unwrap_or_default()))
            }
            Logic::Plain | Logic::ValuePath => compared(&path),
            Logic::AndActive => format!("{} and active eq true", compared(&path)),
            Logic::OrNobody => format!("{} or userName eq \"nobody-{}\"", compared(&path), self.unique),
            Logic::Not => format!("not ({})", compared(&path)),
        };
        let logic = match filter.logic {
            Logic::ValuePath if is_value_path => " in a value path",
            Logic::Plain | Logic::ValuePath => "",
            Logic::AndActive => " and active",
            Logic::OrNobody => " or another",
            Logic::Not => " under not",
        };
        let swapped = matches!(operator, Operator::StartsWith | Operator::EndsWith) && filter.is_swapped;
        let elsewhere = if swapped { " of what is elsewhere in the text" } else { "" };
        let case = if filter.is_in_other_case && is_text { " in another case" } else { "" };
        let wild = if filter.is_wild && is_text { " of a wildcard" } else { "" };
        Some((comparison, text, format!("{path} {}{elsewhere}{wild}{case}{logic}", operator.word())))
    }

    /// Tells of a deleted resource in a list. Returns whether there is one: that it matches is no other finding.
    pub(super) fn lists_a_deleted(
        &self,
        form: &str,
        list: &Value,
        check: impl FnOnce() -> Check,
    ) -> Result<bool, Stop> {
        let found = ids_of(list);
        let is_listed = self.resources.iter().any(|one| one.is_deleted && found.contains(one.id.as_str()));
        if is_listed {
            let why = format!("{form}: a deleted resource is in a list");
            self.violates(Violation::new(Rule::DeletedIsGone, form, why).check(check()))?;
        }
        Ok(is_listed)
    }

    /// Compares a list of the sequence's users with the ones that belong there. A case asks for the list by `judged`.
    fn compare_list(
        &self,
        (rule, about): (Rule, &str),
        wanted: &[String],
        body: &Value,
        judged: &Judged,
    ) -> Result<(), Stop> {
        let listed: Vec<&Value> = resources(body).iter().collect();
        let id = |one: &Value| get(one, "id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let form = match rule {
            Rule::SearchAgrees => "POST .search",
            Rule::PagesPartition => "GET of pages",
            _ => "GET with a filter",
        };
        let check = || Check::lists(wanted.to_vec()).of(judged.clone());
        if self.lists_a_deleted(form, body, check)? {
            return Ok(());
        }
        let own: BTreeSet<&str> = self.resources.iter().map(|known| known.id.as_str()).collect();
        let found: Vec<String> = listed.iter().map(|one| id(one)).collect();
        let missing = wanted.iter().any(|id| !found.contains(id));
        let surplus = found.iter().any(|id| !wanted.contains(id));
        let is_twice = found.iter().collect::<BTreeSet<_>>().len() < found.len();
        let what = if missing {
            "a resource is missing"
        } else if surplus && found.iter().any(|id| own.contains(id.as_str()) && !wanted.contains(id)) {
            "a resource is there that does not match"
        } else if surplus {
            "a resource is there that belongs to another sequence or was deleted"
        } else if is_twice {
            "a resource is there twice"
        } else {
            ""
        };
        if !what.is_empty() {
            let crowd = self.crowd(Type::User, found.iter().map(String::as_str));
            let violation = Violation::new(rule, form, format!("{form} ({about}): {what}"))
                .about(about)
                .values(json!(wanted), json!(found))
                .check(Check { crowd, ..check() });
            return self.violates(violation);
        }
        let total = get(body, "totalResults").and_then(Value::as_u64);
        if total.is_some_and(|total| total != wanted.len() as u64) {
            let why = format!("totalResults of {about} is not the number of matching resources");
            let violation = Violation::new(rule, "totalResults", why)
                .about(about)
                .values(json!(wanted.len()), json!(total))
                .check(Check::value("/totalResults", json!(wanted.len())).of(judged.clone()));
            self.violates(violation)?;
        }
        for one in listed {
            let Some(at) = self.resources.iter().position(|known| known.id == id(one)) else { continue };
            let known = &self.resources[at];
            if !same_but_meta(&without(one, &["groups"]), &without(&known.seen, &["groups"])) {
                let (member, read, list) = difference(
                    &without(&known.seen, &["meta", "groups"]),
                    &without(one, &["meta", "groups"]),
                );
                let why = format!("a list ({about}) shows another {member} than the read");
                let check = self.listed_as_read(at, &member, &read).map(|check| match check.judged {
                    Judged::Last => check.of(judged.clone()),
                    _ => check,
                });
                let violation = Violation::new(Rule::ListAgrees, "GET of a list", why)
                    .about(member)
                    .values(read, list)
                    .may_check(check);
                self.violates(violation)?;
            }
        }
        Ok(())
    }

    /// The users of the sequence are those that a filter by the start of their names finds.
    pub(super) async fn list_of_the_living(&mut self) -> Result<(), Stop> {
        if !self.world.can.scoped {
            return Ok(());
        }
        let filter = self.scope();
        let endpoint = self.world.user.endpoint.clone();
        let answer = self.ask(&query(&endpoint, &[("filter", &filter), ("count", "100")])).await?;
        let Some(body) = answer.json.clone().filter(|_| answer.is_success()) else { return Ok(()) };
        let start = lower_case(&self.world.blank.user_names_start(&format!("{}-", self.unique)));
        let wanted: Vec<_> = self
            .living(Type::User)
            .into_iter()
            .filter(|at| lower_case(&self.resources[*at].name).starts_with(&start))
            .map(|at| self.resources[at].id.clone())
            .collect();
        self.compare_list((Rule::FilterFinds, "userName sw"), &wanted, &body, &Judged::Last)
    }

    pub(super) async fn sort(
        &mut self,
        attribute: usize,
        part: usize,
        is_descending: bool,
    ) -> Result<(), Stop> {
        let Some(attribute) = self.world.attributes.get(attribute).cloned() else { return Ok(()) };
        let part = match &attribute.shape {
            Shape::Single(Kind::Text) => None,
            Shape::Complex(parts) => Some(parts[part % parts.len()].name.clone()),
            Shape::Single(_) | Shape::Many(_) => return Ok(()),
        };
        let order = if is_descending { "descending" } else { "ascending" };
        let filter = self.scope();
        let path = match &part {
            Some(part) => format!("{}.{part}", attribute.path()),
            None => attribute.path(),
        };
        let parameters =
            [("filter", filter.as_str()), ("sortBy", path.as_str()), ("sortOrder", order), ("count", "100")];
        let endpoint = self.world.user.endpoint.clone();
        let answer = self.ask(&query(&endpoint, &parameters)).await?;
        let Some(body) = answer.json.clone().filter(|_| answer.is_success()) else { return Ok(()) };
        let is_plain =
            |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ') && !text.contains("  ");
        let shown: Vec<(&str, &str)> = resources(&body)
            .iter()
            .filter_map(|one| {
                let text = match (attribute.value_in(one)?, &part) {
                    (whole, Some(part)) => get(whole, part)?.as_str()?,
                    (value, None) => value.as_str()?,
                };
                Some((get(one, "id").and_then(Value::as_str).unwrap_or_default(), text))
            })
            .collect();
        let plain: Vec<(&str, String)> = shown
            .iter()
            .filter(|(_, text)| is_plain(text))
            .map(|(id, text)| (*id, lower_case(text)))
            .collect();
        let texts: Vec<String> = plain.iter().map(|(_, text)| text.clone()).collect();
        let is_sorted = if is_descending { texts.is_sorted_by(|a, b| a >= b) } else { texts.is_sorted() };
        if is_sorted {
            return Ok(());
        }
        let check = if plain.len() == shown.len() {
            let part = part.as_ref().map_or_else(String::new, |part| format!("/{part}"));
            let pointer = format!("/Resources/*{}{part}", attribute.pointer());
            Ok(Check::at(pointer, Condition::IsDescending(is_descending)))
        } else {
            // The order of other texts is the server's business, so two resources with plain ones are compared.
            let is_wrong = |a: &str, b: &str| if is_descending { a < b } else { a > b };
            let wrong = plain.array_windows::<2>().find(|[a, b]| is_wrong(&a.1, &b.1));
            wrong
                .map(|[a, b]| {
                    Expectation::Lists(Listed::InOrder, vec![b.0.to_owned(), a.0.to_owned()]).into()
                })
                .ok_or("no two neighbours in the list are in the wrong order")
        };
        let mut sorted = texts.clone();
        sorted.sort();
        if is_descending {
            sorted.reverse();
        }
        let form = format!("GET with sortOrder {order}");
        let violation =
            Violation::new(Rule::SortOrders, &form, format!("{form}: the list is in another order"))
                .about(path)
                .values(json!(sorted), json!(texts))
                .may_check(check);
        self.violates(violation)
    }

    pub(super) async fn pages(&mut self, count: usize) -> Result<(), Stop> {
        if !self.world.can.scoped {
            return Ok(());
        }
        let filter = self.scope();
        let endpoint = self.world.user.endpoint.clone();
        let count_text = count.to_string();
        let living = self.living(Type::User).len();
        let mut all: Vec<Value> = Vec::new();
        let mut total = None;
        // The first page behind the last one, if it has resources, and the number of those before it.
        let mut behind = None;
        let walk = Walk {
            resource_type: self.world.user.name.clone(),
            by: "index",
            query: vec![("filter".to_owned(), filter.clone()), ("count".to_owned(), count_text.clone())],
            from: self.exchanges.len(),
            is_exclusive: false,
        };
        let judged = Judged::Walk(walk);
        while all.len() < living + count {
            let start = (all.len() + 1).to_string();
            let parameters =
                [("filter", filter.as_str()), ("startIndex", start.as_str()), ("count", count_text.as_str())];
            let answer = self.ask(&query(&endpoint, &parameters)).await?;
            let Some(body) = answer.json.clone().filter(|_| answer.is_success()) else { return Ok(()) };
            let page = resources(&body).to_vec();
            if page.len() > count {
                let why = format!("a page of at most {count} has {} resources", page.len());
                let violation = Violation::new(Rule::PagesPartition, "GET of a page", why)
                    .about("count")
                    .values(json!(count), json!(page.len()))
                    .check(Check::at("/Resources", Condition::AtMost(count)));
                return self.violates(violation);
            }
            let said = get(&body, "totalResults").and_then(Value::as_u64);
            if total.is_some() && said != total {
                let why = "totalResults differs from page to page";
                let violation = Violation::new(Rule::PagesPartition, "GET of a page", why)
                    .about("totalResults")
                    .values(json!(total), json!(said))
                    .check(Check::from(Expectation::TotalAsListed).of(judged));
                return self.violates(violation);
            }
            total = said;
            if page.is_empty() {
                break;
            }
            if all.len() >= living && behind.is_none() {
                behind = Some((self.exchanges.len() - 1, all.len()));
            }
            all.extend(page);
        }
        let wanted: Vec<_> =
            self.living(Type::User).into_iter().map(|at| self.resources[at].id.clone()).collect();
        if let Some((at, before)) = behind
            && wanted.len() == before
            && wanted.iter().all(|id| all[..before].iter().any(|one| get(one, "id") == Some(&json!(id))))
        {
            let form = "GET of pages";
            let why = format!("{form} (startIndex): a page behind the last one has resources");
            let violation = Violation::new(Rule::PagesPartition, form, why)
                .about("startIndex")
                .values(json!(wanted.len()), json!(all.len()))
                .check(Check::lists(Vec::new()).of(Judged::At(at)));
            return self.violates(violation);
        }
        let body = json!({ "Resources": all, "totalResults": total });
        self.compare_list((Rule::PagesPartition, "startIndex"), &wanted, &body, &judged)
    }
}

/// Returns the part of a text that an operator compares.
fn cut_for(operator: Operator, text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let half = characters.len() / 2;
    match operator {
        Operator::StartsWith => characters[..half.max(1).min(characters.len())].iter().collect(),
        Operator::EndsWith => characters[half..].iter().collect(),
        Operator::Contains => {
            characters[half / 2..(half + half / 2).max(half / 2 + 1).min(characters.len())].iter().collect()
        }
        Operator::Equals | Operator::NotEquals | Operator::Present => text.to_owned(),
    }
}

/// Returns a text with a character that is a wildcard elsewhere, and would match the text it is made of.
fn with_wildcard(text: &str, operator: Operator) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    if let Some(last) = characters.last_mut() {
        *last = if operator == Operator::Contains { '%' } else { '_' };
    }
    characters.into_iter().collect()
}

/// Returns a text with the other case for letters of ASCII: of others, case is a matter of language.
fn other_case(text: &str) -> String {
    let other =
        |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    text.chars().map(other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_evaluated_over_what_was_read() {
        let attribute = Attribute {
            extension: None,
            name: "title".to_owned(),
            shape: Shape::Single(Kind::Text),
            is_case_exact: false,
        };
        #[track_caller]
        fn check(
            attribute: &Attribute,
            operator: Operator,
            text: &str,
            resource: &Value,
            expected: Option<bool>,
        ) {
            let comparison = Comparison {
                attribute,
                part: None,
                operator,
                text: text.to_owned(),
                is_case_exact: attribute.is_case_exact,
            };
            assert_eq!(comparison.matches(resource), expected, "{operator:?} {text}");
        }
        let ada = json!({ "title": "Lead Pilot" });
        check(&attribute, Operator::Equals, "lead pilot", &ada, Some(true));
        check(&attribute, Operator::StartsWith, "LEAD", &ada, Some(true));
        check(&attribute, Operator::EndsWith, "lead", &ada, Some(false));
        check(&attribute, Operator::Contains, "d p", &ada, Some(true));
        check(&attribute, Operator::Present, "", &json!({}), Some(false));
        check(&attribute, Operator::NotEquals, "x", &json!({}), None);
        let exact = Attribute { is_case_exact: true, ..attribute };
        check(&exact, Operator::Equals, "lead pilot", &ada, Some(false));
    }

    #[test]
    fn part_of_a_text_is_never_empty() {
        for operator in [Operator::StartsWith, Operator::EndsWith, Operator::Contains] {
            for text in ["a", "ab", "abc", "abcdefgh", "åäö"] {
                let part = cut_for(operator, text);
                assert!(!part.is_empty() && text.contains(&part), "{operator:?} of {text} is {part}");
            }
        }
    }
}
