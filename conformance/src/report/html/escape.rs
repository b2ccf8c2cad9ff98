//! Text in a page.

use crate::format;
use crate::report::labels;

/// Escapes text within a line.
pub(super) fn inline(text: &str) -> String {
    entities(&format::one_line(text))
}

/// Escapes text within a line; text in backticks becomes code.
pub(super) fn prose(text: &str) -> String {
    labels::with_code(text, inline, |code| format!("<code>{}</code>", inline(code)))
}

/// Escapes text with its line breaks, within `<pre>`.
pub(super) fn block(text: &str) -> String {
    entities(&format::lines(text))
}

/// Escapes the value of an attribute in double quotes.
pub(super) fn attribute(text: &str) -> String {
    entities(&format::one_line(text))
}

fn entities(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + text.len() / 8);
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// Escapes an id for a link, after `#`.
pub(super) fn fragment(id: &str) -> String {
    const SPELLED_OUT: &percent_encoding::AsciiSet =
        &percent_encoding::CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'%').add(b'#');
    percent_encoding::utf8_percent_encode(id, SPELLED_OUT).to_string()
}

/// Escapes an id for an element: without blanks.
pub(super) fn id(id: &str) -> String {
    attribute(&id.replace(char::is_whitespace, "_"))
}

/// Escapes JSON for a `<script>` that holds data: nothing in it can end the element.
pub(super) fn data(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}
