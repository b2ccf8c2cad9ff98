//! Text for a terminal: its width, text that cannot steer it, and cells cut to fit.

use std::io::{self, IsTerminal as _};

use terminal_size::Width;
use unicode_width::UnicodeWidthChar as _;

use crate::visible::visible;

/// The default width of the output.
const WIDTH: usize = 80;
/// The narrowest width of a table; anything narrower is wrapped by the terminal.
const NARROWEST: usize = 40;

/// Returns the number of columns for output: `COLUMNS`, or else the terminal's width, or else 80.
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

/// Returns [`visible`] text, cut to `columns` with an ellipsis. Examines no more of `text` than is shown.
pub(crate) fn cell(text: &str, columns: usize) -> String {
    // Each sign that is shown takes at least one byte; what combines is bounded too.
    let (head, is_cut) = match text.char_indices().nth(columns.saturating_mul(4)) {
        Some((end, _)) => (&text[..end], true),
        None => (text, false),
    };
    let shown = visible(head);
    let (mut used, mut marks) = (0, 0);
    let mut end = 0;
    let mut before_last = 0;
    for (at, sign) in shown.char_indices() {
        let width = sign.width().unwrap_or(0);
        marks = if width == 0 { marks + 1 } else { 0 };
        if used + width > columns || marks > MARKS {
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

/// Combining marks that one letter may have: no script needs more, and hundreds of them cover the lines around.
const MARKS: usize = 8;

/// Returns `text` filled up to `columns` with blanks; longer text is cut.
pub(super) fn padded(text: &str, columns: usize) -> String {
    let mut text = cell(text, columns);
    let used: usize = text.chars().map(|sign| sign.width().unwrap_or(0)).sum();
    text.extend(std::iter::repeat_n(' ', columns.saturating_sub(used)));
    text
}

/// Returns [`visible`] `text` on lines of at most `width` columns, each indented by `indent` columns.
pub(super) fn wrapped(text: &str, width: usize, indent: usize) -> String {
    fill(text, width, indent, indent)
}

/// Returns lines as [`wrapped`] does, with the first one at the margin.
pub(super) fn hanging(text: &str, width: usize, indent: usize) -> String {
    fill(text, width, 0, indent)
}

fn fill(text: &str, width: usize, first: usize, others: usize) -> String {
    let (first, others) = (" ".repeat(first), " ".repeat(others));
    let options = textwrap::Options::new(width)
        .initial_indent(&first)
        .subsequent_indent(&others)
        // An option is copied whole.
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit);
    // The bound keeps the layout linear for every text of a target.
    textwrap::fill(&cell(text, width.saturating_mul(LINES)), options)
}

/// Maximum number of lines of one piece of text.
const LINES: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cell_is_never_wider_than_its_column() {
        assert_eq!(cell("ada", 3), "ada");
        assert_eq!(cell("adam", 3), "ad…");
        assert_eq!(cell("孟孟孟", 5), "孟孟…");
        assert_eq!(cell("孟孟孟", 6), "孟孟孟");
        assert_eq!(cell(&"x".repeat(1_000_000), 10), "xxxxxxxxx…");
        assert_eq!(cell("\u{1b}\u{1b}", 8), "\\u{1b}\\…");
        assert_eq!(padded("ad", 4), "ad  ");
        assert_eq!(cell(&format!("a{}b", "\u{301}".repeat(8)), 40), format!("a{}b", "\u{301}".repeat(8)));
        assert_eq!(cell(&format!("a{}b", "\u{301}".repeat(300)), 400), format!("a{}…", "\u{301}".repeat(8)));
    }

    proptest::proptest! {
        #[test]
        fn cell_fits_and_holds_no_control(text in "\\PC*|(?s).*", columns in 4_usize..60) {
            let cell = cell(&text, columns);
            let used: usize = cell.chars().map(|sign| sign.width().unwrap_or(0)).sum();
            proptest::prop_assert!(used <= columns, "{used} > {columns}: {cell:?}");
            proptest::prop_assert!(!cell.chars().any(crate::visible::is_steering), "{cell:?}");
        }
    }
}
