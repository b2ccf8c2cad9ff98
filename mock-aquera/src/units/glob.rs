//! Path patterns, as fault rules and journal queries write them.
//!
//! | pattern | matches | does not match |
//! |---|---|---|
//! | `/Users` | `/Users`, `/Users/` | `/Users/1`, `/users` |
//! | `/Users/*` | `/Users/1` | `/Users`, `/Users/1/2` |
//! | `/Users/**` | `/Users`, `/Users/1`, `/Users/1/2` | `/Users2` |
//! | `/**/.search` | `/.search`, `/Users/.search` | `/Users` |
//! | `**` | every path | |
//!
//! `*` matches any characters within a segment, none included. `**` must be a segment of its own and matches any number of
//! segments, none included. Slashes at the beginning and the end do not count; case does.

use std::fmt;

/// A pattern for paths below the base URL of an application, in canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob(String);

impl Glob {
    /// Adds a missing slash at the beginning and removes slashes at the end.
    pub(crate) fn new(text: &str) -> Self {
        let slash = if text.starts_with(['/', '*']) { "" } else { "/" };
        let text = format!("{slash}{text}");
        match text.trim_end_matches('/') {
            "" => Self("/".to_owned()),
            trimmed => Self(trimmed.to_owned()),
        }
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        matches(&self.0, path)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns whether a pattern matches a path. The path has no query.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let segment_matches = |pattern: &&str, segment: &&str| {
        wild(pattern.as_bytes(), segment.as_bytes(), |byte| *byte == b'*', u8::eq)
    };
    wild(&segments(pattern), &segments(path), |segment| *segment == "**", segment_matches)
}

/// Returns what is wrong with a pattern that has `**` beside other characters in a segment, where it would match like `*`.
pub(crate) fn misplaced_wildcard(pattern: &str) -> Option<String> {
    let segment = segments(pattern).into_iter().find(|segment| segment.contains("**") && *segment != "**")?;
    Some(format!("`**` must be a segment of its own, as in `/Users/**`; `{segment}` has more beside it"))
}

fn segments(text: &str) -> Vec<&str> {
    match text.trim_matches('/') {
        "" => Vec::new(),
        text => text.split('/').collect(),
    }
}

/// Matches with backtracking to the latest wildcard only, so that the cost stays below the product of the lengths.
fn wild<T>(
    pattern: &[T],
    text: &[T],
    is_wildcard: impl Fn(&T) -> bool,
    matches: impl Fn(&T, &T) -> bool,
) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(wildcard) if is_wildcard(wildcard) => {
                retry = Some((at, seen));
                at += 1;
            }
            Some(one) if matches(one, &text[seen]) => {
                at += 1;
                seen += 1;
            }
            _ => match retry {
                Some((wildcard, from)) => {
                    retry = Some((wildcard, from + 1));
                    at = wildcard + 1;
                    seen = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(is_wildcard)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Patterns, paths, and whether they match. Fault rules and journal queries are tested with the same table.
    pub(crate) const TABLE: &[(&str, &str, bool)] = &[
        ("/Users", "/Users", true),
        ("/Users", "/Users/", true),
        ("/Users/", "/Users", true),
        ("/Users", "/users", false),
        ("/Users", "/Users/1", false),
        ("/Users/*", "/Users/1", true),
        ("/Users/*", "/Users", false),
        ("/Users/*", "/Users/", false),
        ("/Users/*", "/Users/1/2", false),
        ("/Users*", "/Users", true),
        ("/Users*", "/Users2", true),
        ("/Users*", "/Users/1", false),
        ("/Users/a*c", "/Users/abbc", true),
        ("/Users/a*c", "/Users/abbd", false),
        ("/*s/a*c", "/Users/abc", true),
        ("/*s/a*c", "/Users/abcd", false),
        ("/*/1", "/Groups/1", true),
        ("/*/1", "/a/b/1", false),
        ("*", "/Users", true),
        ("*", "/Users/1", false),
        ("*/1", "/Users/1", true),
        ("**", "/Users", true),
        ("**", "/a/b/c", true),
        ("/Users/**", "/Users", true),
        ("/Users/**", "/Users/", true),
        ("/Users/**", "/Users/1", true),
        ("/Users/**", "/Users/1/2", true),
        ("/Users/**", "/Users2", false),
        ("/Users/**", "/Groups/1", false),
        ("**/.search", "/Users/.search", true),
        ("/**/.search", "/.search", true),
        ("/**/b/**/d", "/a/b/c/b/d", true),
        ("/**/b/**/d", "/a/b/c/b/e", false),
    ];

    #[test]
    fn patterns_match_by_segments() {
        for (pattern, path, expected) in TABLE {
            assert_eq!(matches(pattern, path), *expected, "{pattern} {path}");
        }
        assert!(matches("/", "/") && matches("/", "") && matches("**", "/"));
        assert!(!matches("*", "/"));
    }

    #[test]
    fn double_star_beside_other_characters_is_misplaced() {
        for (pattern, expected) in [
            ("/Users**", Some("Users**")),
            ("/Users/a**z/b", Some("a**z")),
            ("***", Some("***")),
            ("/Users/**", None),
            ("/*a*", None),
            ("**", None),
        ] {
            let message = misplaced_wildcard(pattern);
            let named = message.as_deref().and_then(|message| message.split('`').nth(5));
            assert_eq!(named, expected, "{pattern}: {message:?}");
        }
    }

    #[test]
    fn displayed_glob_is_the_same_pattern() {
        for text in ["", "/", "Users", "/Users//", "**", "//"] {
            let glob = Glob::new(text);
            assert_eq!(Glob::new(&glob.to_string()), glob, "{text}");
        }
        assert_eq!(Glob::new("Users/").to_string(), "/Users");
    }

    #[test]
    fn many_wildcards_end_in_time() {
        assert!(!matches(&format!("{}b", "*a".repeat(200)), &"a".repeat(20_000)));
        assert!(!matches(&format!("{}b", "**/a/".repeat(200)), &"a/".repeat(20_000)));
        assert!(matches(&"*a".repeat(500), &"a".repeat(1000)));
    }
}
