//! Suggestions for misspelt words.

/// The candidate that a word is most likely a misspelling of, if any is near enough.
pub(crate) fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestion_is_given_for_near_words_only() {
        let keys = ["name", "description", "enabled", "authentication", "preferences", "options"];
        for (word, expected) in [
            ("enabeld", Some("enabled")),
            ("Name", Some("name")),
            ("authentification", Some("authentication")),
            ("option", Some("options")),
            ("colour", None),
        ] {
            assert_eq!(suggest(word, keys), expected, "{word}");
        }
    }
}
