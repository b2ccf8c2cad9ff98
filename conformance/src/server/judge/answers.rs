//! Judges the statuses of several answers to requests that were sent at the same time.

use serde_json::{Value, json};

use crate::case::expect::StatusSet;
use crate::json::get;
use crate::server::judge::{Judge, Miss, in_words, statuses};

impl Judge<'_> {
    /// Returns the statuses of the answers.
    fn answered(&self) -> Vec<u16> {
        let answers = get(self.body(), "answers").and_then(Value::as_array);
        let status = |answer| get(answer, "status")?.as_u64().and_then(|status| u16::try_from(status).ok());
        answers.into_iter().flatten().filter_map(status).collect()
    }

    /// Whether one answer has a status of the first kind, and each of the others one of the second.
    pub(super) fn exactly_one(&self, one: &[StatusSet], others: &[StatusSet]) -> Option<Miss> {
        let answered = self.answered();
        let is = |sets: &[StatusSet], status: u16| sets.iter().any(|set| set.has(status));
        let first = answered.iter().filter(|status| is(one, **status)).count();
        let strange = answered.iter().find(|status| !is(one, **status) && !is(others, **status));
        let refusal = answered.first().filter(|status| answered.iter().all(|other| other == *status));
        if let Some(status) = refusal.filter(|status| first == 0 && **status >= 400) {
            let mut why = format!("the answers are all {status}, where one {} belongs", in_words(one));
            let said =
                get(self.body(), "answers").and_then(|answers| get(get(answers.get(0)?, "body")?, "detail"));
            if let Some(detail) = said.and_then(Value::as_str) {
                append!(why, "; it says: {detail}");
            }
            return Some(self.miss("status", statuses(one), json!(status), why));
        }
        let why = match (first, strange) {
            (1, None) => return None,
            (1, Some(strange)) => {
                format!(
                    "an answer is {strange}, where {} belongs beside the one that is {}",
                    in_words(others),
                    in_words(one)
                )
            }
            (0, _) => format!("no answer is {}, where exactly one should be", in_words(one)),
            (first, _) => format!("{first} answers are {}, where exactly one should be", in_words(one)),
        };
        let expected = json!({ "exactly one": statuses(one), "others": statuses(others) });
        Some(self.miss("statuses", expected, json!(answered), why))
    }

    /// Whether each answer has one of these statuses.
    pub(super) fn every(&self, wanted: &[StatusSet]) -> Option<Miss> {
        let answered = self.answered();
        let strange = answered.iter().find(|status| !wanted.iter().any(|set| set.has(**status)))?;
        let why = format!("an answer is {strange}, where {} belongs", in_words(wanted));
        Some(self.miss("statuses", statuses(wanted), json!(answered), why))
    }
}
