//! Text of others that cannot steer what shows it: names, messages and files may hold control characters.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar as _;

/// Returns `text` with every invisible character escaped as in Rust: `\0`, `\n`, `\u{202e}`.
///
/// Control characters, line breaks and bidirectional controls of a source or a target could move the cursor, colour the screen or
/// turn a name around.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().all(|sign| sign == ' ' || sign.is_ascii_graphic()) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for sign in text.chars() {
        // A combining mark belongs to the sign before it.
        match sign {
            '\\' | '"' | '\'' => shown.push(sign),
            _ if sign.width() == Some(0) && !is_format(sign) => shown.push(sign),
            _ if is_format(sign) => shown.extend(sign.escape_unicode()),
            _ => shown.extend(sign.escape_debug()),
        }
    }
    Cow::Owned(shown)
}

/// Whether `sign` changes how other signs are shown: bidirectional and other invisible formatting (Unicode category Cf and the
/// line and paragraph separators), which `escape_debug` leaves alone in part.
const fn is_format(sign: char) -> bool {
    matches!(
        sign,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Whether `sign` steers a terminal, or the order in which a text is shown.
pub(crate) const fn is_steering(sign: char) -> bool {
    matches!(sign, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}') || is_format(sign)
}

/// Returns `text` with a question mark for each byte of a character that would steer a terminal, except line breaks and
/// tabs: places stay the same.
pub(crate) fn placeheld(text: &str) -> Cow<'_, str> {
    let steers = |sign: char| is_steering(sign) && !matches!(sign, '\n' | '\r' | '\t');
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for sign in text.chars() {
        if steers(sign) { shown.extend(std::iter::repeat_n('?', sign.len_utf8())) } else { shown.push(sign) }
    }
    Cow::Owned(shown)
}

/// Returns `text` in at most `longest` characters, with an ellipsis in the middle of a longer one.
pub(crate) fn shortened(text: &str, longest: usize) -> Cow<'_, str> {
    let characters = text.chars().count();
    if characters <= longest {
        return Cow::Borrowed(text);
    }
    let half = longest.saturating_sub(1) / 2;
    let start: String = text.chars().take(half).collect();
    let end: String = text.chars().skip(characters - half).collect();
    Cow::Owned(format!("{start}…{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_visible(text: &str, expected: &str) {
        assert_eq!(visible(text), expected);
    }

    #[test]
    fn signs_that_steer_a_terminal_are_written_out() {
        assert_visible("ada@example.com", "ada@example.com");
        assert_visible("\u{1b}[31mada", "\\u{1b}[31mada");
        assert_visible("ada\0\r\nbrook\t", "ada\\0\\r\\nbrook\\t");
        assert_visible("\u{9b}31m", "\\u{9b}31m");
        assert_visible("ad\u{202e}a\u{2066}\u{200b}", "ad\\u{202e}a\\u{2066}\\u{200b}");
        assert_visible("a\u{2028}b", "a\\u{2028}b");
    }

    #[test]
    fn letters_of_any_script_stay_readable() {
        assert_visible("jürgen", "jürgen");
        assert_visible("ju\u{308}rgen", "ju\u{308}rgen");
        assert_visible("孟 O'Neill \"x\" \\", "孟 O'Neill \"x\" \\");
    }

    #[test]
    fn places_stay_where_they_are_in_text_that_is_shown_whole() {
        for (text, expected) in [("a\tb\r\n", "a\tb\r\n"), ("a\u{1b}\u{9b}\u{202e}é", "a??????é")] {
            assert_eq!(placeheld(text), expected);
            assert_eq!(placeheld(text).len(), text.len());
        }
    }

    #[test]
    fn long_text_is_cut_in_its_middle() {
        for (text, expected) in [("abcdefg", "abcdefg"), ("abcdefgh", "abc…fgh"), ("äbcdefghé", "äbc…ghé")]
        {
            assert_eq!(shortened(text, 7), expected);
        }
    }
}
