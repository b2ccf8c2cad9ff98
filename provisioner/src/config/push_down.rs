//! The part of the rules' filters that PingOne's API takes.
//!
//! What is sent selects at least the users that the rules select, who are evaluated here again. Only attributes are sent that both
//! ends compare in the same way: ids exactly, `username` and `email` without case.

use scim::filter::{CompareOp, Filter, Literal};
use scim::path::AttrPath;

use crate::rule::Rule;

/// Longest filter that is sent: it is a part of the URL.
const LONGEST: usize = 4_000;

/// Returns a filter that selects the users of every rule, or `None` if only all users do.
///
/// Rules that are turned off count: their users are frozen, not gone.
pub(super) fn of_rules(rules: &[Rule]) -> Option<String> {
    let filters = rules.iter().map(|rule| pushed(rule.filter.as_ref()?)).collect::<Option<Vec<_>>>()?;
    let filter = joined(filters, "or")?.text;
    (filter.len() <= LONGEST).then_some(filter)
}

/// A filter, and whether it is one term.
struct Pushed {
    text: String,
    is_term: bool,
}

fn pushed(filter: &Filter) -> Option<Pushed> {
    let term = |text| Some(Pushed { text, is_term: true });
    match filter {
        // What cannot be sent selects fewer: without it more users come.
        Filter::And(parts) => joined(parts.iter().filter_map(pushed).collect(), "and"),
        Filter::Or(parts) => joined(parts.iter().map(pushed).collect::<Option<_>>()?, "or"),
        Filter::Compare { path, op: op @ (CompareOp::Eq | CompareOp::Sw), value: Literal::String(text) } => {
            let name = name(path)?;
            let is_sent = *op == CompareOp::Eq || matches!(name, "username" | "email");
            let literal = serde_json::Value::from(text.as_str());
            if is_sent { term(format!("{name} {op} {literal}")) } else { None }
        }
        Filter::Present(path) if name(path)? == "population.id" => term("population.id pr".to_owned()),
        Filter::Compare { .. } | Filter::Present(_) | Filter::Not(_) | Filter::ValuePath { .. } => None,
    }
}

fn joined(parts: Vec<Pushed>, word: &str) -> Option<Pushed> {
    let mut parts = parts;
    if parts.len() < 2 {
        return parts.pop();
    }
    let parts: Vec<String> = parts
        .into_iter()
        .map(|Pushed { text, is_term }| if is_term { text } else { format!("({text})") })
        .collect();
    Some(Pushed { text: parts.join(&format!(" {word} ")), is_term: false })
}

/// Returns PingOne's name of an attribute that is compared in the same way there.
fn name(path: &AttrPath) -> Option<&'static str> {
    let path = path.to_string();
    ["id", "population.id", "username", "email"].into_iter().find(|name| path.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Mapping;

    #[track_caller]
    fn check(filters: &[Option<&str>], expected: Option<&str>) {
        let rules: Vec<Rule> = filters
            .iter()
            .map(|filter| Rule {
                name: "r".parse().unwrap(),
                enabled: false,
                filter: filter.map(|filter| Filter::parse(filter).unwrap()),
                mapping: Mapping::default(),
            })
            .collect();
        assert_eq!(of_rules(&rules).as_deref(), expected, "{filters:?}");
    }

    #[test]
    fn filters_that_the_api_takes_are_sent_and_others_are_not() {
        let population = "population.id eq \"a\"";
        check(&[Some(population)], Some(population));
        check(&[Some("Population.ID EQ \"a\"")], Some(population));
        check(&[Some("population.id pr")], Some("population.id pr"));
        check(&[Some("username sw \"a\\\"b\"")], Some("username sw \"a\\\"b\""));
        check(
            &[Some(population), Some("email eq \"x\" and id eq \"1\"")],
            Some("population.id eq \"a\" or (email eq \"x\" and id eq \"1\")"),
        );
        check(
            &[Some("(id eq \"1\" or id eq \"2\") and population.id eq \"a\"")],
            Some("(id eq \"1\" or id eq \"2\") and population.id eq \"a\""),
        );
        // A part of an `and` may be left out; more users come.
        check(&[Some("population.id eq \"a\" and title co \"x\"")], Some(population));
        check(&[Some("title co \"x\"")], None);
        check(&[Some("population.id eq \"a\" or title co \"x\"")], None);
        check(&[Some("not (population.id eq \"a\")")], None);
        check(&[Some("title pr")], None);
        check(&[Some("id sw \"1\"")], None);
        check(&[Some("name.given eq \"x\"")], None);
        check(&[Some("enabled eq true")], None);
        // A rule without a filter has every user.
        check(&[Some(population), None], None);
        check(&[], None);
        let long = format!("id eq \"{}\"", "x".repeat(LONGEST));
        check(&[Some(&long)], None);
    }
}
