//! Cases that try several things and tell which of them work.

use std::collections::BTreeSet;

/// The result of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tried {
    /// The attempt works.
    Taken,
    /// The attempt is answered as if it worked, and does not.
    Ignored,
    /// The attempt is refused.
    Refused,
}

/// Returns each word once, with its worst result, in the order of the attempts.
fn outcomes(tried: &[(String, Tried)]) -> Vec<(&str, Tried)> {
    let mut outcomes: Vec<(&str, Tried)> = Vec::new();
    for (word, outcome) in tried {
        match outcomes.iter_mut().find(|(known, _)| known == word) {
            Some((_, known)) => *known = (*known).max(*outcome),
            None => outcomes.push((word, *outcome)),
        }
    }
    outcomes
}

/// Returns a summary of the failed and the successful attempts.
pub(super) fn tallied(tally: &str, tried: &[(String, Tried)]) -> String {
    let outcomes = outcomes(tried);
    let told = |word: &str, wanted: Tried| {
        let words: Vec<_> = outcomes.iter().filter(|(_, outcome)| *outcome == wanted).collect();
        let words: Vec<_> = words.into_iter().map(|(word, _)| format!("`{word}`")).collect();
        (!words.is_empty()).then(|| format!("{word}: {}", words.join(", ")))
    };
    let parts = [
        told("refused", Tried::Refused),
        told("answered with other resources than they select", Tried::Ignored),
        told("taken", Tried::Taken),
    ];
    format!("{tally} {}", parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

/// Returns the words of the attempts that failed.
pub(super) fn failed(tried: &[(String, Tried)]) -> BTreeSet<String> {
    let outcomes = outcomes(tried).into_iter().filter(|(_, outcome)| *outcome != Tried::Taken);
    outcomes.map(|(word, _)| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use crate::server::runner::tally::*;

    #[test]
    fn word_of_several_attempts_has_the_worst_result() {
        let tried = [
            ("eq", Tried::Taken),
            ("co", Tried::Refused),
            ("gt", Tried::Taken),
            ("gt", Tried::Ignored),
            ("pr", Tried::Refused),
        ]
        .map(|(word, outcome)| (word.to_owned(), outcome));
        assert_eq!(
            tallied("operators are", &tried),
            "operators are refused: `co`, `pr`; answered with other resources than they select: `gt`; taken: `eq`"
        );
        assert_eq!(failed(&tried).into_iter().collect::<Vec<_>>(), ["co", "gt", "pr"]);
    }
}
