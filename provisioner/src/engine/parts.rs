//! A user's line is put together from parts: the worst outcome, and the reason of the strongest part that has it.

use crate::mapping::TargetPath;
use crate::report::{Operation, Outcome, Reason};
use crate::target::Trouble;

/// One thing that was done, refused or withheld for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) operation: Operation,
    pub(crate) outcome: Outcome,
    pub(crate) reason: Reason,
    pub(crate) detail: Option<String>,
    /// Whether the policy decided for it, rather than against it.
    pub(crate) decided: bool,
}

/// What a user's parts come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) operation: Operation,
    pub(crate) outcome: Outcome,
    pub(crate) reason: Reason,
    pub(crate) detail: Option<String>,
}

impl Part {
    /// It was carried out.
    pub(crate) const fn done(operation: Operation) -> Self {
        let reason = if matches!(operation, Operation::Link) { Reason::Linked } else { Reason::Done };
        Self { operation, outcome: Outcome::Success, reason, detail: None, decided: true }
    }

    /// The preferences forbid it.
    pub(crate) const fn withheld(operation: Operation, reason: Reason) -> Self {
        Self { operation, outcome: Outcome::Partial, reason, detail: None, decided: false }
    }

    /// It failed.
    pub(crate) fn failed(operation: Operation, trouble: Trouble) -> Self {
        let detail = Some(trouble.detail).filter(|detail| !detail.is_empty());
        Self { operation, outcome: Outcome::Failed, reason: trouble.reason, detail, decided: true }
    }

    /// Nothing was decided, for this reason.
    pub(crate) const fn none(outcome: Outcome, reason: Reason) -> Self {
        Self { operation: Operation::None, outcome, reason, detail: None, decided: false }
    }

    pub(crate) fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }
}

/// What `parts` come to; `None` where there are none.
pub(crate) fn verdict(parts: &[Part]) -> Option<Verdict> {
    let main = parts.iter().max_by_key(|part| (part.outcome, part.operation))?;
    let operation =
        parts.iter().filter(|part| part.decided).map(|part| part.operation).max().unwrap_or(Operation::None);
    let mut details: Vec<String> = main.detail.iter().cloned().collect();
    for part in parts.iter().filter(|part| *part != main) {
        let about = match part.outcome {
            Outcome::Success => part.detail.clone(),
            Outcome::Unsynced | Outcome::Partial | Outcome::Failed => {
                let words = part.detail.clone().unwrap_or_else(|| part.reason.explain().to_owned());
                Some(format!("also {}: {words}", crate::report::word(&part.reason)))
            }
        };
        details.extend(about);
    }
    Some(Verdict {
        operation,
        outcome: main.outcome,
        reason: main.reason,
        detail: (!details.is_empty()).then(|| details.join("; ")),
    })
}

/// The names of `paths`, for a person.
pub(crate) fn names(paths: &[TargetPath]) -> String {
    paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
