//! An effect that a read shows late belongs to the request that sent it, and not to the one before the read.

use serde_json::Value;

use crate::explore::rule::{Rule, Violation};
use crate::explore::session::checks::After;
use crate::explore::session::{Resource, Session};

/// Writes to a resource that are remembered.
const MOST: usize = 8;

/// A text that is shorter may be in a request by chance.
const SHORTEST: usize = 4;

/// A write to a resource.
#[derive(Debug)]
pub(super) struct Past {
    rule: Rule,
    form: String,
    /// The body.
    sent: String,
}

impl Past {
    /// Whether the request sent a value.
    fn sent(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => text.len() >= SHORTEST && self.sent.contains(&value.to_string()),
            Value::Array(all) => !all.is_empty() && all.iter().all(|one| self.sent(one)),
            Value::Object(members) => {
                let mut texts = members.values().filter(|value| value.is_string()).peekable();
                texts.peek().is_some() && texts.all(|text| self.sent(text))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
}

/// Returns the violation of the earlier write that an effect belongs to.
pub(super) fn late(writes: &[Past], member: &str, before: &Value, now: &Value) -> Option<Violation> {
    let past = writes.iter().rfind(|past| past.sent(now) && !past.sent(before))?;
    let why = format!("{} has an effect on {member} that only a later read shows", past.form);
    Some(Violation::new(past.rule, &past.form, why).about(member).values(before.clone(), now.clone()))
}

impl Session<'_> {
    /// Remembers the last request as a write to a resource.
    pub(super) fn remember(&mut self, at: usize, after: After<'_>) {
        let last = self.exchanges.iter().rfind(|exchange| exchange.request.method != "GET");
        let Some(last) = last.filter(|_| after.rule != Rule::ReadsAgree) else { return };
        let sent = last.request.body.to_string();
        let writes = &mut self.resources[at].writes;
        if writes.len() == MOST {
            writes.remove(0);
        }
        writes.push(Past { rule: after.rule, form: after.form.to_owned(), sent });
    }
}

impl Resource {
    /// Returns the writes before the last one.
    pub(super) fn earlier_writes(&self) -> &[Past] {
        self.writes.split_last().map_or(&[], |(_, before)| before)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn late_effect_belongs_to_the_request_that_sent_it() {
        let past = |form: &str, sent: Value| Past {
            rule: Rule::PatchStores,
            form: form.to_owned(),
            sent: sent.to_string(),
        };
        let writes = [past("PATCH", json!({ "title": "Quay 1" })), past("PUT", json!({ "title": "Lind 2" }))];
        let blamed = |now: Value| late(&writes, "title", &json!("old"), &now).map(|late| late.key());
        assert_eq!(blamed(json!("Quay 1")).as_deref(), Some("patch-stores/patch/title"));
        assert_eq!(blamed(json!("Lind 2")).as_deref(), Some("patch-stores/put/title"));
        assert_eq!(blamed(json!("else")), None);
        assert_eq!(blamed(json!(true)), None);
    }
}
