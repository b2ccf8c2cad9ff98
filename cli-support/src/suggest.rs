//! Suggestions for misspelt names.

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
}
