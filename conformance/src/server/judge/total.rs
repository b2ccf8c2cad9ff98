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
