//! Locations inside the strings of a TOML file: from a byte of the value to the byte of the file.

use std::ops::Range;

/// Returns the place in `text` of `inner`, a range of the value of the TOML string that `literal` spans.
///
/// Escapes make a value shorter than its literal. If the walk fails, the whole string is the place.
pub(super) fn inside(text: &str, literal: &Range<usize>, inner: &Range<usize>) -> Range<usize> {
    let find = || {
        let raw = text.get(literal.clone())?;
        let (quotes, escapes) = match raw.as_bytes() {
            [b'"', b'"', b'"', ..] => (3, true),
            [b'\'', b'\'', b'\'', ..] => (3, false),
            [b'"', ..] => (1, true),
            [b'\'', ..] => (1, false),
            _ => return None,
        };
        let mut content = raw.get(quotes..raw.len().checked_sub(quotes)?)?;
        let mut start = literal.start + quotes;
        if quotes == 3 {
            let line = content.strip_prefix("\r\n").or_else(|| content.strip_prefix('\n')).unwrap_or(content);
            start += content.len() - line.len();
            content = line;
        }
        let first = written(content, escapes, inner.start)?;
        let first = if escapes { first + continuation(content.get(first..)?) } else { first };
        let last = written(content, escapes, inner.end)?;
        Some(start + first..start + last.max(first))
    };
    find().unwrap_or_else(|| literal.clone())
}

/// Returns the byte of `content` at which byte `wanted` of its value is written.
fn written(content: &str, escapes: bool, wanted: usize) -> Option<usize> {
    if !escapes {
        return (wanted <= content.len()).then_some(wanted);
    }
    let (mut at, mut value) = (0, 0);
    while value < wanted {
        let rest = content.get(at..)?;
        let letter = rest.chars().next()?;
        if letter != '\\' {
            at += letter.len_utf8();
            value += letter.len_utf8();
            continue;
        }
        let digits = match rest.chars().nth(1)? {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            ' ' | '\t' | '\r' | '\n' => {
                at += continuation(rest);
                continue;
            }
            _ => 0,
        };
        value += match digits {
            0 => 1,
            _ => char::from_u32(u32::from_str_radix(rest.get(2..2 + digits)?, 16).ok()?)?.len_utf8(),
        };
        at += 2 + digits;
    }
    Some(at)
}

/// Returns the length of the backslash and the blanks that continue a line, or 0.
fn continuation(rest: &str) -> usize {
    const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];
    match rest.strip_prefix('\\') {
        Some(after) if after.starts_with(BLANKS) => rest.len() - after.trim_start_matches(BLANKS).len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(literal: &str, part: &str, expected: &str) {
        let text = format!("key = {literal}\n");
        let value: toml::Table = text.parse().unwrap();
        let value = value["key"].as_str().unwrap().to_owned();
        let start = value.find(part).unwrap();
        let span = 6..6 + literal.len();
        let found = inside(&text, &span, &(start..start + part.len()));
        assert_eq!(&text[found], expected, "{literal}");
    }

    #[test]
    fn location_is_found_behind_quotes_and_escapes() {
        check("'id eq 1'", "eq", "eq");
        check(r#""id eq \"é\" or""#, "or", "or");
        check(r#""id eq \u00e9\x41 or""#, "or", "or");
        check("\"\"\"\nid \\\n   eq 1\"\"\"", "eq", "eq");
        check("'''\nid eq 1'''", "eq 1", "eq 1");
        check(r#""a\"b""#, "\"", "\\\"");
    }

    #[test]
    fn location_outside_is_the_whole_string() {
        assert_eq!(inside("k = 'ab'", &(4..8), &(9..10)), 4..8);
    }
}
