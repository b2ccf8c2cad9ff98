//! Suggestions for misspelt names.

/// A message lists at most this number of candidates.
pub const MOST_LISTED: usize = 16;

/// Returns the candidate that `written` is most likely a misspelling of, compared without case.
///
/// A candidate counts if it begins with `written` (three letters at least), or if it has a similar beginning and fewer than
/// half of the letters differ; two swapped letters count as one difference.
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    let near = |candidate: &str| {
        let longer = written.chars().count().max(candidate.chars().count());
        let is_beginning = written.chars().count() >= 3 && candidate.starts_with(&written);
        is_beginning || 2 * strsim::osa_distance(&written, candidate) < longer
    };
    candidates
        .into_iter()
        .map(|candidate| (candidate.to_lowercase(), candidate))
        .filter(|(lower, _)| near(lower))
        .map(|(lower, candidate)| (strsim::jaro_winkler(&written, &lower), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, candidate)| candidate)
}

/// Returns "; did you mean …?" with the nearest candidate, to stand behind a message, or nothing if none is near.
pub fn did_you_mean<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(written, candidates)
        .map_or_else(String::new, |candidate| format!("; did you mean `{candidate}`?"))
}

/// Returns the same, or else "; expected …" with all candidates if there are at most [`MOST_LISTED`].
pub fn did_you_mean_or_list(written: &str, candidates: &[&str]) -> String {
    let suggestion = did_you_mean(written, candidates.iter().copied());
    if !suggestion.is_empty() || candidates.is_empty() || candidates.len() > MOST_LISTED {
        return suggestion;
    }
    let quoted: Vec<String> = candidates.iter().map(|candidate| format!("`{candidate}`")).collect();
    format!("; expected {}", quoted.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_near_and_nothing_else() {
        assert_eq!(nearest("no-delet", ["aquera", "no-delete", "no-put"]), Some("no-delete"));
        assert_eq!(nearest("Aqera", ["aquera", "no-delete"]), Some("aquera"));
        assert_eq!(nearest("toomany", ["tooMany", "noTarget"]), Some("tooMany"));
        assert_eq!(nearest("zzz", ["aquera", "no-delete"]), None);
        assert_eq!(nearest("POTS", ["GET", "POST", "PUT"]), Some("POST"));
        assert_eq!(nearest("bearer", ["bearer-token", "basic-auth"]), Some("bearer-token"));
        assert_eq!(nearest("be", ["bearer-token", "basic-auth"]), None, "too short");
        assert_eq!(nearest("Roles", ["Users", "Groups"]), None, "only its beginning is alike");
    }

    #[test]
    fn message_without_a_near_candidate_lists_a_few_candidates() {
        assert_eq!(did_you_mean("Aqera", ["aquera", "no-put"]), "; did you mean `aquera`?");
        assert_eq!(did_you_mean("zzz", ["aquera", "no-put"]), "");
        assert_eq!(did_you_mean_or_list("Aqera", &["aquera", "no-put"]), "; did you mean `aquera`?");
        assert_eq!(did_you_mean_or_list("zzz", &["aquera", "no-put"]), "; expected `aquera` or `no-put`");
        assert_eq!(did_you_mean_or_list("zzz", &["aquera"; MOST_LISTED + 1]), "");
        assert_eq!(did_you_mean_or_list("zzz", &[]), "");
    }
}
