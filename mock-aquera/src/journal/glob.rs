//! Paths with wildcards: `*` stands for anything within a segment, `**` for any number of segments.

/// Whether the path fits. A slash at the end of either doesn't count.
pub(super) fn fits(pattern: &str, path: &str) -> bool {
    wild(&split(pattern), &split(path), |segment| *segment == "**", |one, other| segment_fits(one, other))
}

fn split(text: &str) -> Vec<&str> {
    text.trim_matches('/').split('/').collect()
}

fn segment_fits(pattern: &str, segment: &str) -> bool {
    wild(pattern.as_bytes(), segment.as_bytes(), |byte| *byte == b'*', |one, other| one == other)
}

/// Goes back to the latest wildcard only, so that the cost stays below the product of the lengths.
fn wild<T, U>(
    pattern: &[T],
    text: &[U],
    is_wildcard: impl Fn(&T) -> bool,
    same: impl Fn(&T, &U) -> bool,
) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(wildcard) if is_wildcard(wildcard) => {
                retry = Some((at, seen));
                at += 1;
            }
            Some(one) if same(one, &text[seen]) => {
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
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_what_they_say() {
        #[track_caller]
        fn check(pattern: &str, path: &str, expected: bool) {
            assert_eq!(fits(pattern, path), expected, "{pattern} {path}");
        }
        check("/Users", "/Users", true);
        check("/Users", "/Users/", true);
        check("/Users", "/Users/1", false);
        check("/Users/*", "/Users/1", true);
        check("/Users/*", "/Users", false);
        check("/Users/*", "/Users/1/2", false);
        check("/Users/a*c", "/Users/abbc", true);
        check("/Users/a*c", "/Users/abbd", false);
        check("/*/1", "/Groups/1", true);
        check("**", "/a/b/c", true);
        check("/Users/**", "/Users", true);
        check("/Users/**", "/Users/1/2", true);
        check("**/.search", "/scim/Users/.search", true);
        check("/**/b/**/d", "/a/b/c/b/d", true);
        check("/**/b/**/d", "/a/b/c/b/e", false);
        check("/users", "/Users", false);
    }

    #[test]
    fn many_wildcards_cost_little() {
        let pattern = format!("{}b", "*a".repeat(200));
        assert!(!fits(&pattern, &"a".repeat(20_000)));
    }
}
