//! The query parameters of a list (RFC 7644 §3.4.2).

use percent_encoding::percent_decode_str;
use scim::filter::Filter;

use crate::problem::Problem;

/// How many resources a page holds when the client doesn't say.
pub(crate) const DEFAULT_COUNT: usize = 100;
/// How many resources a page holds at most, whatever the client says.
pub(crate) const MAX_COUNT: usize = 1000;

/// A list request.
#[derive(Debug)]
pub(crate) struct ListQuery {
    pub(crate) filter: Option<Filter>,
    /// From one.
    pub(crate) start_index: usize,
    pub(crate) count: usize,
}

impl ListQuery {
    /// Reads what is understood and passes over the rest. A `startIndex` below one is one, a negative `count` is
    /// zero (RFC 7644 §3.4.2.4).
    ///
    /// # Errors
    /// `invalidFilter` with the place, `invalidValue` for a number that is none.
    pub(crate) fn parse(query: &str) -> Result<Self, Problem> {
        let mut list = Self { filter: None, start_index: 1, count: DEFAULT_COUNT };
        for (name, value) in parameters(query) {
            if name.eq_ignore_ascii_case("filter") {
                list.filter =
                    Some(Filter::parse(&value).map_err(|error| Problem::BadFilter(error.to_string()))?);
            } else if name.eq_ignore_ascii_case("startIndex") {
                list.start_index = number(&name, &value, usize::MAX)?.max(1);
            } else if name.eq_ignore_ascii_case("count") {
                list.count = number(&name, &value, MAX_COUNT)?;
            }
        }
        Ok(list)
    }
}

/// Whether a filter is asked for at all.
pub(crate) fn has_filter(query: &str) -> bool {
    parameters(query).any(|(name, _)| name.eq_ignore_ascii_case("filter"))
}

fn parameters(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

fn number(name: &str, value: &str, most: usize) -> Result<usize, Problem> {
    match value.trim().parse::<i128>() {
        Ok(number) => Ok(usize::try_from(number.max(0)).unwrap_or(usize::MAX).min(most)),
        Err(_) => Err(Problem::BadValue(format!("{name} takes a whole number, not `{value}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_edge_rules() {
        #[track_caller]
        fn check(query: &str, start_index: usize, count: usize) {
            let list = ListQuery::parse(query).unwrap();
            assert_eq!((list.start_index, list.count), (start_index, count), "{query}");
        }
        check("", 1, DEFAULT_COUNT);
        check("startIndex=0&count=0", 1, 0);
        check("startIndex=-5&count=-1", 1, 0);
        check("startindex=7&COUNT=3&sortBy=title", 7, 3);
        check("count=99999999999999999999", 1, MAX_COUNT);
        check("&&count=%32", 1, 2);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert!(matches!(ListQuery::parse("count=ten"), Err(Problem::BadValue(_))));
        assert!(matches!(ListQuery::parse("startIndex="), Err(Problem::BadValue(_))));
        assert!(matches!(ListQuery::parse("filter=userName+eq"), Err(Problem::BadFilter(_))));
        assert!(matches!(ListQuery::parse("filter="), Err(Problem::BadFilter(_))));
    }

    #[test]
    fn a_filter_is_decoded() {
        let list = ListQuery::parse("filter=userName+eq+%22a%2Bb%26c%22").unwrap();
        assert_eq!(list.filter.unwrap().equality_on("username"), Some("a+b&c"));
    }
}
