//! Judges `totalResults`.

use serde_json::{Value, json};

use crate::case::expect::Total;
use crate::json::get;
use crate::server::judge::value::{cut, shown};
use crate::server::judge::{Judge, Miss};

/// What a total is, in the path of a miss.
const TOTAL: &str = "totalResults";

impl Judge<'_> {
    /// Whether the total is what it has to be.
    pub(super) fn total(&self, wanted: Total) -> Option<Miss> {
        let body = self.body();
        match wanted {
            Total::Exactly(total) => {
                self.is_total(get(body, TOTAL), total, || format!("totalResults should be {total}"))
            }
            Total::AsListed => {
                let listed = get(body, "Resources").and_then(Value::as_array).map_or(0, Vec::len);
                let pages = get(body, "pages").and_then(Value::as_array);
                let pages = pages.map_or_else(|| vec![body], |pages| pages.iter().collect());
                let why = || format!("totalResults should be {listed}, the number of resources on the pages");
                let mut pages = pages.into_iter();
                pages.find_map(|page| self.is_total(get(page, TOTAL), listed as u64, why))
            }
        }
    }

    fn is_total(&self, found: Option<&Value>, wanted: u64, why: impl FnOnce() -> String) -> Option<Miss> {
        if found.and_then(Value::as_u64) == Some(wanted) {
            return None;
        }
        let why = match found {
            Some(found) if !found.is_u64() => {
                format!("totalResults is {}, and should be the number {wanted}", cut(&found.to_string()))
            }
            _ => why(),
        };
        let miss = self.miss(TOTAL, json!(wanted), shown(found), why);
        Some(if found.is_some_and(Value::is_u64) { miss } else { miss.unrelated() })
    }
}

#[cfg(test)]
mod tests {
    use crate::case::expect::Total;
    use crate::case::expect::{Check, Expectation};
    use crate::requirement::Level;
    use crate::server::bindings::Bindings;
    use crate::server::discovery::{Blank, Facts};
    use crate::server::judge::*;
    use crate::subject::server::client::{Client, Credentials, Manners};

    #[test]
    fn each_page_has_to_count_what_is_listed() {
        let client = Client::new("http://h/scim", Credentials::None, Manners::default()).expect("a client");
        let (facts, blank, nouns) =
            (Facts::of(None, None, None), Blank::default(), crate::case::noun::Nouns::default());
        let bindings = Bindings::new(&facts, &client, &blank, &nouns, false, "u".to_owned());
        let total = Check::Total(Total::AsListed);
        let expectation = Expectation { level: None, why: None, gone: None, check: total };
        let ask = Ask { level: Level::Must, about: &[], stand_in: None };
        let misses = |body: Value| {
            let answer = Answer { status: 200, json: Some(body), ..Answer::default() };
            let misses = judge(std::slice::from_ref(&expectation), ask, &answer, &bindings);
            misses.expect("no places").into_iter().map(|miss| miss.actual).collect::<Vec<_>>()
        };
        let pages = |totals: [Value; 2]| {
            let pages: Vec<_> = totals.into_iter().map(|total| json!({ "totalResults": total })).collect();
            json!({ "pages": pages, "Resources": [{}, {}, {}] })
        };
        assert_eq!(misses(pages([json!(3), json!(3)])), Vec::<Value>::new());
        assert_eq!(misses(pages([json!(3), json!(2)])), [json!(2)]);
        assert_eq!(misses(pages([json!("3"), json!(3)])), [json!("3")]);
        assert_eq!(misses(json!({ "totalResults": 1, "Resources": [{}] })), Vec::<Value>::new());
        assert_eq!(misses(json!({ "totalResults": 1 })), [json!(1)]);
    }
}
