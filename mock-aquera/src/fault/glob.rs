//! Paths with stars: `*` for anything within a segment, `**` for anything at all.

use std::fmt;

/// A pattern for a path below the base URL of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Byte(u8),
    /// Any number of bytes but slashes.
    Segment,
    /// Any number of bytes.
    Anything,
}

impl Glob {
    /// A pattern that does not begin with a slash or a star gets the slash; one at the end goes, as it does in
    /// requests.
    pub(super) fn new(text: &str) -> Self {
        let slash = if text.starts_with(['/', '*']) { "" } else { "/" };
        let text = format!("{slash}{}", trimmed(text));
        let mut parts = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let [first, behind @ ..] = rest {
            rest = behind;
            match (first, behind) {
                (b'*', [b'*', ..]) => {
                    parts.push(Part::Anything);
                    rest = &rest[rest.iter().take_while(|byte| **byte == b'*').count()..];
                }
                (b'*', _) => parts.push(Part::Segment),
                (byte, _) => parts.push(Part::Byte(*byte)),
            }
        }
        Self { text, parts }
    }

    /// Follows all ways through the pattern at once, so that many stars cost no more than few.
    pub(super) fn fits(&self, path: &str) -> bool {
        let mut open = vec![false; self.parts.len() + 1];
        let mut next = open.clone();
        self.enter(&mut open, 0);
        for byte in trimmed(path).bytes() {
            next.fill(false);
            for (at, part) in self.parts.iter().enumerate().filter(|(at, _)| open[*at]) {
                match part {
                    Part::Byte(wanted) if *wanted == byte => self.enter(&mut next, at + 1),
                    Part::Segment if byte != b'/' => self.enter(&mut next, at),
                    Part::Anything => self.enter(&mut next, at),
                    Part::Byte(_) | Part::Segment => {}
                }
            }
            std::mem::swap(&mut open, &mut next);
        }
        open.last() == Some(&true)
    }

    /// Opens a place, and those behind it that stars let be reached with nothing.
    fn enter(&self, open: &mut [bool], mut at: usize) {
        open[at] = true;
        while let Some(Part::Segment | Part::Anything) = self.parts.get(at) {
            at += 1;
            open[at] = true;
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Without slashes at the end, unless it is nothing else.
fn trimmed(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => &path[..path.len().min(1)],
        shorter => shorter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_what_they_should() {
        #[track_caller]
        fn check(pattern: &str, path: &str, fits: bool) {
            assert_eq!(Glob::new(pattern).fits(path), fits, "{pattern} {path}");
        }
        check("/Users", "/Users", true);
        check("/Users", "/Users/", true);
        check("Users/", "/Users", true);
        check("/Users", "/users", false);
        check("/Users", "/Users/1", false);
        check("/Users/*", "/Users/1", true);
        check("/Users/*", "/Users", false);
        check("/Users/*", "/Users/1/2", false);
        check("/Users*", "/Users", true);
        check("/*/1", "/Groups/1", true);
        check("/*/1", "/a/b/1", false);
        check("/*s/a*c", "/Users/abc", true);
        check("/*s/a*c", "/Users/abcd", false);
        check("**", "/", true);
        check("/", "/", true);
        check("/", "", false);
        check("**/.search", "/Users/.search", true);
        check("/**/.search", "/.search", false);
        check("***", "/a/b/c", true);
        check("/a**z", "/a/b/z", true);
        check("*", "/Users", false);
    }

    #[test]
    fn many_stars_end_in_time() {
        let pattern = Glob::new(&"*a".repeat(500));
        assert!(!pattern.fits(&"a".repeat(499)));
        assert!(pattern.fits(&"a".repeat(1000)));
    }

    #[test]
    fn what_is_shown_is_the_same_pattern() {
        for text in ["", "/", "Users", "/Users//", "**", "//"] {
            let glob = Glob::new(text);
            assert_eq!(Glob::new(&glob.to_string()), glob, "{text}");
        }
    }
}
