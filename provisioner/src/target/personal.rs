//! The values of the user that requests are about, taken out of the target's own words before they reach a report.
//!
//! A target that refuses an e-mail address likes to repeat it. Reports, the state and plans name the attribute instead.

use std::sync::Arc;

use scim::path::get_ci_mut;
use serde_json::Value;

use super::answer::{Answer, Body};
use super::needle::{Needle, replace};
use crate::mapping::TargetPath;

tokio::task_local! {
    static SUBJECT: Arc<Personal>;
}

/// A user's values, each with the name that stands in its place.
pub(crate) struct Personal {
    needles: Vec<(Needle, String)>,
}

impl Personal {
    /// The values of one user by target path. Where two are the same, the first names both.
    pub(crate) fn new<'a>(values: impl IntoIterator<Item = (&'a TargetPath, &'a Value)>) -> Self {
        let needle = |(path, value): (&TargetPath, &Value)| {
            Some((Needle::value(value.as_str()?)?, format!("[{path}]")))
        };
        let mut needles: Vec<_> = values.into_iter().filter_map(needle).collect();
        // `replace` prefers the last one of two that end at the same place.
        needles.reverse();
        needles.sort_by_key(|(needle, _)| needle.len());
        Self { needles }
    }

    /// Takes the values out of an error's `detail` and `scimType`: nothing else of an answer is repeated to people.
    fn clear(&self, answer: &mut Answer) {
        let Body::Json(Value::Object(members)) = &mut answer.body else { return };
        for name in ["detail", "scimType"] {
            if let Some(Value::String(text)) = get_ci_mut(members, name)
                && let Some(cleared) = replace(text, &self.needles)
            {
                *text = cleared;
            }
        }
    }
}

/// Runs `work`, whose requests are all about one user.
pub(crate) async fn about<W: Future>(personal: Personal, work: W) -> W::Output {
    SUBJECT.scope(Arc::new(personal), work).await
}

/// Clears an answer of the values of the user that the present work is about, where it is about one.
pub(super) fn clear(answer: &mut Answer) {
    // Requests about nobody, as those of the connection test, have nobody's values to be repeated.
    let _ = SUBJECT.try_with(|personal| personal.clear(answer));
}
