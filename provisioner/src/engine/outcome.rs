//! The outcome of a user, from the outcomes of its operations: the worst one, with the reason of the strongest operation that has it.

use crate::mapping::TargetPath;
use crate::report::{Operation, Outcome, Reason};
use crate::target::Trouble;

/// One thing that was done, refused or withheld for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutcomePart {
    pub(crate) operation: Operation,
    pub(crate) outcome: Outcome,
    pub(crate) reason: Reason,
    pub(crate) detail: Option<String>,
    /// Whether the policy decided for it, rather than against it.
    pub(crate) decided: bool,
}

/// The combined outcome of a user's parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserOutcome {
    pub(crate) operation: Operation,
    pub(crate) outcome: Outcome,
    pub(crate) reason: Reason,
    pub(crate) detail: Option<String>,
}

impl OutcomePart {
    /// Creates the part of an operation that was carried out.
    pub(crate) const fn done(operation: Operation) -> Self {
        let reason = if matches!(operation, Operation::Link) { Reason::Linked } else { Reason::Done };
        Self { operation, outcome: Outcome::Success, reason, detail: None, decided: true }
    }

    /// Creates the part of an operation that the preferences forbid.
    pub(crate) const fn withheld(operation: Operation, reason: Reason) -> Self {
        Self { operation, outcome: Outcome::Partial, reason, detail: None, decided: false }
    }

    /// Creates the part of an operation that failed.
    pub(crate) fn failed(operation: Operation, trouble: Trouble) -> Self {
        let detail = Some(trouble.detail).filter(|detail| !detail.is_empty());
        Self { operation, outcome: Outcome::Failed, reason: trouble.reason, detail, decided: true }
    }

    /// Creates a part without an operation.
    pub(crate) const fn none(outcome: Outcome, reason: Reason) -> Self {
        Self { operation: Operation::None, outcome, reason, detail: None, decided: false }
    }

    pub(crate) fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }
}

/// Combines `parts` into the outcome of a user, or returns `None` if there are none.
pub(crate) fn user_outcome(parts: &[OutcomePart]) -> Option<UserOutcome> {
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
    Some(UserOutcome {
        operation,
        outcome: main.outcome,
        reason: main.reason,
        detail: (!details.is_empty()).then(|| details.join("; ")),
    })
}

/// Returns the names of `paths`, for a person.
pub(crate) fn names(paths: &[TargetPath]) -> String {
    paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether a target's error says that it does not accept `externalId`: that it is read-only, unknown or invalid, or the
/// cause of the error. A text that merely mentions it does not count.
pub(super) fn refuses_external_id(words: &str) -> bool {
    const SAYS: [&str; 15] = [
        "mutability",
        "invalidpath",
        "invalidvalue",
        "notarget",
        "invalidsyntax",
        "read-only",
        "readonly",
        "read only",
        "immutable",
        "unknown",
        "unrecogni",
        "unsupported",
        "not supported",
        "not allowed",
        "no such attribute",
    ];
    // The values of the user are replaced by the name of their attribute: that is no word of the target.
    let words = words.to_ascii_lowercase().replace("[externalid]", "");
    if !words.contains("externalid") || words.contains(" uniqueness") {
        return false;
    }
    let told = words.split_once(": ").map_or(words.as_str(), |(_, told)| told);
    let told = told.trim_start_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let told = ["attribute ", "field ", "property ", "the "]
        .iter()
        .fold(told, |told, word| told.strip_prefix(word).unwrap_or(told));
    let is_field =
        told.trim_start_matches(|letter: char| !letter.is_ascii_alphanumeric()).starts_with("externalid");
    let other_field = ["username", "emails", "displayname", "phonenumbers", "familyname", "givenname"]
        .iter()
        .filter_map(|name| words.find(name))
        .any(|at| words.find("externalid").is_some_and(|external| at < external));
    is_field || (!other_field && SAYS.iter().any(|word| words.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(operation: Operation, reason: Reason, detail: &str) -> OutcomePart {
        OutcomePart::failed(operation, Trouble::new(reason, detail))
    }

    /// Asserts the outcome of the parts, in any order.
    #[track_caller]
    fn check(
        parts: &[OutcomePart],
        operation: Operation,
        outcome: Outcome,
        reason: Reason,
        details: &[&str],
    ) {
        for turn in 0..parts.len() {
            let mut parts = parts.to_vec();
            parts.rotate_left(turn);
            let found = user_outcome(&parts).unwrap();
            assert_eq!(found.operation, operation);
            assert_eq!(found.outcome, outcome);
            assert_eq!(found.reason, reason);
            let mut told: Vec<String> =
                found.detail.iter().flat_map(|detail| detail.split("; ")).map(str::to_owned).collect();
            // The detail of the main part comes first; the others follow in their order.
            assert_eq!(told.first().map(String::as_str), details.first().copied());
            let mut expected = details.to_vec();
            told.sort();
            expected.sort_unstable();
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn no_parts_return_no_outcome() {
        assert_eq!(user_outcome(&[]), None);
    }

    #[test]
    fn outcome_of_done_parts_names_the_strongest_operation() {
        use Operation::{Create, Delete, Disable, Enable, Link, Update};
        let done = OutcomePart::done;
        check(&[done(Link)], Link, Outcome::Success, Reason::Linked, &[]);
        check(&[done(Link), done(Update)], Update, Outcome::Success, Reason::Done, &[]);
        check(&[done(Update), done(Create)], Create, Outcome::Success, Reason::Done, &[]);
        check(&[done(Update), done(Enable), done(Link)], Enable, Outcome::Success, Reason::Done, &[]);
        check(&[done(Update), done(Disable)], Disable, Outcome::Success, Reason::Done, &[]);
        check(&[done(Disable), done(Delete)], Delete, Outcome::Success, Reason::Done, &[]);
        let dropped = done(Update).with_detail("not taken: title");
        check(std::slice::from_ref(&dropped), Update, Outcome::Success, Reason::Done, &["not taken: title"]);
        check(&[dropped, done(Disable)], Disable, Outcome::Success, Reason::Done, &["not taken: title"]);
    }

    #[test]
    fn outcome_is_the_worst_with_its_strongest_part() {
        use Operation::{Disable, None as Nothing, Update};
        let (success, updation_off, disable_off) = (
            OutcomePart::done(Update),
            OutcomePart::withheld(Update, Reason::UpdationOff),
            OutcomePart::withheld(Disable, Reason::DisableOff),
        );
        check(&[success.clone(), disable_off.clone()], Update, Outcome::Partial, Reason::DisableOff, &[]);
        let also = format!("also updation-off: {}", Reason::UpdationOff.explain());
        let found = user_outcome(&[updation_off.clone(), disable_off.clone()]).unwrap();
        assert_eq!(found.operation, Nothing);
        assert_eq!(found.reason, Reason::DisableOff);
        assert_eq!(found.detail, Some(also));
        let differs = updation_off.with_detail("differs: title");
        check(
            &[differs, failed(Disable, Reason::IgnoredByTarget, "a PUT changed nothing")],
            Disable,
            Outcome::Failed,
            Reason::IgnoredByTarget,
            &["a PUT changed nothing", "also updation-off: differs: title"],
        );
        check(
            &[success, failed(Disable, Reason::Rejected, "")],
            Disable,
            Outcome::Failed,
            Reason::Rejected,
            &[],
        );
        check(
            &[failed(Update, Reason::Rejected, "u"), failed(Disable, Reason::Forbidden, "d")],
            Disable,
            Outcome::Failed,
            Reason::Forbidden,
            &["d", "also rejected: u"],
        );
    }

    #[test]
    fn without_a_decision_there_is_no_operation() {
        for (outcome, reason) in [
            (Outcome::Unsynced, Reason::CreationOff),
            (Outcome::Failed, Reason::AmbiguousMatch),
            (Outcome::Success, Reason::AlreadyGone),
        ] {
            check(&[OutcomePart::none(outcome, reason)], Operation::None, outcome, reason, &[]);
        }
    }

    #[test]
    fn repeated_part_is_reported_once() {
        let part = failed(Operation::Update, Reason::Rejected, "no");
        check(&[part.clone(), part], Operation::Update, Outcome::Failed, Reason::Rejected, &["no"]);
    }

    #[test]
    fn external_id_is_refused_where_the_target_says_so_of_it() {
        for (words, expected) in [
            ("the target answered 400 mutability: externalId is read-only", true),
            ("the target answered 400 invalidPath: there is no attribute `externalId`", true),
            ("the target answered 400: Unknown attribute: externalId", true),
            ("the target answered 400: 'externalId' cannot be written", true),
            ("the target answered 400 invalidValue: The attribute externalId: too long", true),
            ("the target answered 400: userName is taken by the user with externalId 7", false),
            (
                "the target answered 400 invalidValue: userName is invalid; see the user with externalId 7",
                false,
            ),
            ("the target answered 400 uniqueness: externalId is taken", false),
            ("the target answered 400 invalidValue: [externalId] is no e-mail address", false),
            ("the target answered 400: try again, and quote externalId", false),
            ("the target answered 400 invalidValue: bad title", false),
        ] {
            assert_eq!(refuses_external_id(words), expected, "{words}");
        }
    }
}
