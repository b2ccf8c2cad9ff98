//! Where in a JSON text something is: the path of a value, found without reading what it says.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A place in a text that may be no JSON from there on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct At {
    /// The path of the value that is read at the end, or is to come: `request.status`, `auth[1]`.
    pub(super) path: String,
    /// The path of the last value that begins before the end, or right at it; of a key, the path of its object.
    pub(super) of: String,
    /// The byte at which that value begins.
    pub(super) start: usize,
    /// What has to come next.
    pub(super) missing: String,
}

/// An object or an array that is not closed yet.
struct Open {
    start: usize,
    inside: Inside,
}

enum Inside {
    /// With the key of the value that is read.
    Object(Option<String>),
    /// With the position of the value that is read.
    Array(usize),
}

#[derive(Clone, Copy)]
enum Next {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    /// A comma or the end of what is open.
    More,
    /// The end of a text.
    Quote,
}

impl At {
    /// The place at this byte. Bodies can be nested deeper than anybody reads them, so a path is put together at the end alone.
    pub(super) fn of(text: &[u8], end: usize) -> Self {
        let mut open: Vec<Open> = Vec::new();
        let (mut next, mut start, mut at) = (Next::Value, 0, 0);
        let end = end.min(text.len());
        while at < end {
            let byte = text[at];
            match byte {
                b'{' | b'[' => {
                    let (inside, then) = if byte == b'{' {
                        (Inside::Object(None), Next::KeyOrEnd)
                    } else {
                        (Inside::Array(0), Next::ValueOrEnd)
                    };
                    open.push(Open { start: at, inside });
                    next = then;
                }
                b'}' | b']' => {
                    start = open.pop().map_or(start, |closed| closed.start);
                    next = Next::More;
                }
                b',' => match open.last_mut().map(|open| &mut open.inside) {
                    Some(Inside::Array(index)) => {
                        *index += 1;
                        next = Next::Value;
                    }
                    Some(Inside::Object(key)) => {
                        *key = None;
                        next = Next::Key;
                    }
                    None => {}
                },
                b':' => next = Next::Value,
                b'"' => {
                    let close = closing(&text[..end], at);
                    let is_key = matches!(next, Next::Key | Next::KeyOrEnd);
                    start = at;
                    next = match close {
                        None => Next::Quote,
                        Some(_) if is_key => Next::Colon,
                        Some(_) => Next::More,
                    };
                    let close = close.unwrap_or(end);
                    if is_key && let Some(Open { inside: Inside::Object(key), .. }) = open.last_mut() {
                        *key = Some(cut(&unescaped(text.get(at..=close).unwrap_or_default())));
                    }
                    at = close;
                }
                _ if byte.is_ascii_whitespace() => {}
                _ => {
                    start = at;
                    let stops = |byte: &u8| byte.is_ascii_whitespace() || b"{}[],:\"".contains(byte);
                    let length = text[at..end].iter().position(stops).unwrap_or(end - at);
                    at += length - 1;
                    next = Next::More;
                }
            }
            at += 1;
        }
        let path = path(&open);
        let missing = missing(next, open.last().map(|open| &open.inside), &path);
        let of = match (next, open.split_last()) {
            // It is about the key, which stands in its object.
            (Next::Colon, Some((_, around))) => self::path(around),
            _ => path.clone(),
        };
        match next {
            // Arrays and objects are found wrong before they are read.
            Next::Value | Next::ValueOrEnd => {
                start = end + text[end..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            }
            Next::KeyOrEnd => start = open.last().map_or(start, |open| open.start),
            Next::Key | Next::Colon | Next::More | Next::Quote => {}
        }
        Self { path, of, start, missing }
    }
}

fn missing(next: Next, inside: Option<&Inside>, path: &str) -> String {
    let end = match inside {
        Some(Inside::Object(_)) => "`}`",
        Some(Inside::Array(_)) => "`]`",
        None => "the end",
    };
    match next {
        Next::Value if path.is_empty() => "a value".to_owned(),
        Next::Value => format!("the value of `{path}`"),
        Next::ValueOrEnd => format!("a value or {end}"),
        Next::Key => "a key".to_owned(),
        Next::KeyOrEnd => format!("a key or {end}"),
        Next::Colon => "`:` and a value".to_owned(),
        Next::More if inside.is_none() => "the rest of the value".to_owned(),
        Next::More => format!("`,` or {end}"),
        Next::Quote => "the closing quotation mark".to_owned(),
    }
}

/// The longest path that is shown, in bytes, or a little more.
const MAX_PATH: usize = 200;

/// The path of what stands in all that is open, cut where it is long.
fn path(open: &[Open]) -> String {
    let mut path = String::new();
    for Open { inside, .. } in open {
        if path.len() > MAX_PATH {
            path.push('…');
            break;
        }
        match inside {
            Inside::Object(Some(key)) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            Inside::Object(None) => {}
            // Writing to a string can't fail.
            Inside::Array(index) => drop(write!(path, "[{index}]")),
        }
    }
    path
}

/// The quotation mark that closes the text that begins here.
fn closing(text: &[u8], start: usize) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate().skip(start + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at),
            _ => {}
        }
    }
    None
}

fn unescaped(quoted: &[u8]) -> Cow<'_, str> {
    match serde_json::from_slice::<String>(quoted) {
        Ok(text) => text.into(),
        Err(_) => String::from_utf8_lossy(quoted.strip_prefix(b"\"").unwrap_or(quoted)),
    }
}

/// The beginning of a text that somebody else wrote, with nothing in it that steers a terminal.
pub(super) fn cut(text: &str) -> String {
    const MOST: usize = 80;
    let plain = |sign: char| if sign.is_control() { char::REPLACEMENT_CHARACTER } else { sign };
    let mut shown: String = text.chars().take(MOST).map(plain).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}

/// The byte that a line and a column, both from one, stand for: the one behind the last that was read.
pub(super) fn offset(text: &[u8], line: usize, column: usize) -> usize {
    let mut newlines = memchr::memchr_iter(b'\n', text);
    let start = if line <= 1 { Some(0) } else { newlines.nth(line - 2).map(|at| at + 1) };
    start.map_or(text.len(), |start| (start + column).min(text.len()))
}

/// The line and the column of a byte, both from one.
pub(super) fn position(text: &[u8], at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    (memchr::memchr_iter(b'\n', before).count() + 1, before.len() - line_start + 1)
}
