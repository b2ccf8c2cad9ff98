//! Filters that a subject refuses.

use std::collections::BTreeSet;

use crate::case::expect::{Expectation, Foreseen};
use crate::case::step::Step;
use crate::json::get;
use crate::query_string::parameters;
use crate::subject::server::client::Answer;
use crate::transcript::Exchange;

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

/// The filter of the last request, in its address or its body.
pub(super) fn filter_of(exchanges: &[Exchange]) -> Option<String> {
    let sent = &exchanges.last()?.request;
    let query = sent.url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let given = parameters(query).into_iter().find(|(name, _)| name.eq_ignore_ascii_case("filter"));
    given.map(|(_, filter)| filter).or_else(|| Some(get(&sent.body, "filter")?.as_str()?.to_owned()))
}

/// The operators of a filter beside `eq`, by the words under which they are tried.
pub(super) fn operators(filter: &str) -> BTreeSet<String> {
    const KNOWN: [&str; 12] = ["ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr", "and", "or", "not"];
    let mut bare = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for sign in filter.chars() {
        match sign {
            '"' if !escaped => quoted = !quoted,
            _ if !quoted => bare.push(sign),
            _ => {}
        }
        escaped = quoted && sign == '\\' && !escaped;
    }
    let words = bare.split(|sign: char| !sign.is_ascii_alphanumeric() && !"._:$-".contains(sign));
    let words = words.map(str::to_ascii_lowercase).filter(|word| KNOWN.contains(&word.as_str()));
    let mut found: BTreeSet<String> = words.collect();
    if bare.contains('(') {
        found.insert("( )".to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::server::runner::filters::*;

    #[test]
    fn the_operators_of_a_filter_are_those_outside_of_its_texts() {
        let of = |filter: &str| operators(filter).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(of(r#"userName eq "a and b""#), "");
        assert_eq!(of(r#"userName SW "a \" or " and not (title pr)"#), "( ) and not pr sw");
        assert_eq!(of(r#"emails[type eq "work" and value co "x"]"#), "and co");
        assert_eq!(of(r#"meta.lastModified gt "2026""#), "gt");
    }
}
