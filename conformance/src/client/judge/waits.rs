//! Judges whether a client waits as long as it is asked to (RFC 9110 §10.2.3).

use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Finding, Outcome, Scope};
use crate::client::matcher::Matcher;
use crate::client::recording::RecordedExchange;

/// Clocks and timers are not exact to the millisecond.
const SLACK: SignedDuration = SignedDuration::from_millis(50);

/// A request that arrives this soon after the answer was in flight before it.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_millis(250);

pub(super) fn waits(scope: &Scope<'_>, after: &Matcher, altogether: bool) -> Outcome {
    let mut outcome = Outcome::default();
    let exchanges = &scope.knowledge.trace.exchanges;
    for index in scope.fitting(after) {
        let refused = &exchanges[index];
        let Some((answered, until)) = until(refused) else { continue };
        outcome.applies = true;
        outcome.seen.push(index);
        let early = (index + 1..scope.range.end).find(|next| {
            let other = &exchanges[*next];
            let Some(at) = other.at else { return false };
            let concerned = if altogether {
                at > answered.saturating_add(ON_ITS_WAY).unwrap_or(answered)
            } else {
                other.is_again(refused) && at >= answered
            };
            concerned && at.saturating_add(SLACK).unwrap_or(at) < until
        });
        let Some(early) = early else { continue };
        let Some(at) = exchanges[early].at else { continue };
        let what = if altogether { exchanges[early].in_short() } else { "the same request".to_owned() };
        outcome.findings.push(Finding {
            because: format!(
                "{} was answered with Retry-After: {}, and {what} came after {:.1} s",
                refused.in_short(),
                refused.answer_header("retry-after").unwrap_or_default(),
                at.duration_since(answered).as_secs_f64(),
            ),
            expected: json!(format!("not before {until}")),
            actual: json!(format!("at {at}")),
            exchanges: vec![index, early],
        });
    }
    outcome
}

/// Returns the time of the answer, and the earliest time of the next request, or `None` if the answer does not say.
fn until(refused: &RecordedExchange) -> Option<(Timestamp, Timestamp)> {
    let answered = refused.answered_at()?;
    let text = refused.answer_header("retry-after")?.trim();
    let until = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = text.parse().unwrap_or(i64::MAX);
        answered.saturating_add(SignedDuration::from_secs(seconds)).ok()?
    } else {
        Timestamp::try_from(SystemTime::from(text.parse::<httpdate::HttpDate>().ok()?)).ok()?
    };
    (until > answered).then_some((answered, until))
}
