//! Several answers of which any is taken.

use serde_json::{Value, json};

use crate::case::expect::{Expectation, StatusSet};
use crate::case::template::Unfilled;
use crate::server::judge::{Ask, Judge, Miss, judge};

impl Judge<'_> {
    pub(super) fn any_of(&self, lists: &[Vec<Expectation>]) -> Result<Vec<Miss>, Unfilled> {
        let ask = Ask { level: self.level, about: self.about, stand_in: self.stand_in };
        let mut all = Vec::new();
        for list in lists {
            let misses = judge(list, ask, self.answer, self.bindings)?;
            if misses.is_empty() {
                return Ok(Vec::new());
            }
            all.push(misses);
        }
        let told = |misses: &Vec<Miss>| -> Value {
            misses.iter().map(|miss| json!({ miss.what.clone(): miss.expected })).collect()
        };
        let expected: Vec<Value> = all.iter().map(told).collect();
        let is_status = |misses: &Vec<Miss>| misses.iter().any(|miss| miss.what == "status");
        if all.len() > 1 && all.iter().all(is_status) {
            // It is none of the answers that are provided for: what the lists say of each does not matter.
            let wanted: Vec<StatusSet> = lists
                .iter()
                .flatten()
                .flat_map(Expectation::foreseen)
                .flat_map(|foreseen| foreseen.status)
                .copied()
                .collect();
            return Ok(self.status(&wanted).map(Miss::unrelated).into_iter().collect());
        }
        // The answer is the one that a list with its status speaks of, so that list says what is wrong with it.
        let at = all.iter().position(|misses| !is_status(misses)).unwrap_or_default();
        let Some(mut misses) = (!all.is_empty()).then(|| all.swap_remove(at)) else { return Ok(Vec::new()) };
        misses.truncate(1);
        if let Some(miss) = misses.first_mut() {
            miss.expected = json!({ "one of": expected });
        }
        Ok(misses)
    }
}
