//! What a terminal needs: its width, text that cannot steer it, and cells cut to fit.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _};

use terminal_size::Width;
use unicode_width::UnicodeWidthChar as _;

/// The width of output where nobody says otherwise.
const WIDTH: usize = 80;
/// The narrowest output that is laid out; anything narrower is wrapped by the terminal.
const NARROWEST: usize = 40;

/// The columns that output may take: `COLUMNS`, else the terminal's width, else 80.
pub(super) fn width() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let measured = || {
        let stdout = io::stdout();
        if !stdout.is_terminal() {
            return None;
        }
        terminal_size::terminal_size_of(&stdout).map(|(Width(width), _)| usize::from(width))
    };
    said.or_else(measured).unwrap_or(WIDTH).max(NARROWEST)
}

/// `text` with everything that is no visible sign written out as in Rust: `\0`, `\n`, `\u{202e}`.
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

/// [`visible`] text, cut to `columns` with an ellipsis. Looks at no more of `text` than is shown.
pub(crate) fn cell(text: &str, columns: usize) -> String {
    // Each sign that is shown takes at least one byte; what combines is bounded too.
    let (head, is_cut) = match text.char_indices().nth(columns.saturating_mul(4)) {
        Some((end, _)) => (&text[..end], true),
        None => (text, false),
    };
    let shown = visible(head);
    let mut used = 0;
    let mut end = 0;
    let mut before_last = 0;
    for (at, sign) in shown.char_indices() {
        let width = sign.width().unwrap_or(0);
        if used + width > columns {
            return format!("{}…", &shown[..before_last]);
        }
        used += width;
        end = at + sign.len_utf8();
        if used < columns {
            before_last = end;
        }
    }
    if is_cut { format!("{}…", &shown[..before_last]) } else { shown[..end].to_owned() }
}

/// `text` filled up to `columns` with blanks; longer text is cut.
pub(super) fn padded(text: &str, columns: usize) -> String {
    let mut text = cell(text, columns);
    let used: usize = text.chars().map(|sign| sign.width().unwrap_or(0)).sum();
    text.extend(std::iter::repeat_n(' ', columns.saturating_sub(used)));
    text
}

/// [`visible`] `text` on lines of at most `width` columns, each `indent` columns in.
pub(super) fn wrapped(text: &str, width: usize, indent: usize) -> String {
    fill(text, width, indent, indent)
}

/// As [`wrapped`], with the first line at the margin.
pub(super) fn hanging(text: &str, width: usize, indent: usize) -> String {
    fill(text, width, 0, indent)
}

fn fill(text: &str, width: usize, first: usize, others: usize) -> String {
    let (first, others) = (" ".repeat(first), " ".repeat(others));
    let options = textwrap::Options::new(width)
        .initial_indent(&first)
        .subsequent_indent(&others)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit);
    // The bound keeps the layout linear, whatever a target says.
    textwrap::fill(&cell(text, width.saturating_mul(LINES)), options)
}

/// The lines that one piece of text takes at most.
const LINES: usize = 24;

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
    fn a_cell_is_never_wider_than_its_column() {
        assert_eq!(cell("ada", 3), "ada");
        assert_eq!(cell("adam", 3), "ad…");
        assert_eq!(cell("孟孟孟", 5), "孟孟…");
        assert_eq!(cell("孟孟孟", 6), "孟孟孟");
        assert_eq!(cell(&"x".repeat(1_000_000), 10), "xxxxxxxxx…");
        assert_eq!(cell("\u{1b}\u{1b}", 8), "\\u{1b}\\…");
        assert_eq!(padded("ad", 4), "ad  ");
    }

    proptest::proptest! {
        #[test]
        fn a_cell_fits_and_holds_no_control(text in "\\PC*|(?s).*", columns in 4_usize..60) {
            let cell = cell(&text, columns);
            let used: usize = cell.chars().map(|sign| sign.width().unwrap_or(0)).sum();
            proptest::prop_assert!(used <= columns, "{used} > {columns}: {cell:?}");
            proptest::prop_assert!(!cell.chars().any(|sign| sign.is_control() || is_format(sign)), "{cell:?}");
        }
    }
}
