//! The resources in a text: NDJSON, arrays, SCIM list responses, and several of them one after another. What it is, the
//! text itself says.

use std::ops::Range;

use scim::schema::LIST_URN;
use serde::de::IgnoredAny;

use crate::parse_message;
use crate::parse_message::Mistake;

/// A resource as text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece<'t> {
    /// Where it begins, both from one.
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) text: &'t [u8],
}

/// Cuts a text into its resources. What is no JSON is told; of a text with a value on each line the other lines count.
pub(crate) fn pieces(text: &[u8]) -> (Vec<Piece<'_>>, Vec<Mistake>) {
    let mut reader = Reader {
        text,
        at: if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 },
        one_a_line: None,
        lines_alone: false,
        place: Place { at: 0, line: 1, line_start: 0 },
        pieces: Vec::new(),
        mistakes: Vec::new(),
    };
    while reader.next() {}
    (reader.pieces, reader.mistakes)
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    /// Whether the values so far stood on one line each.
    one_a_line: Option<bool>,
    /// Whether a line was wrong, so that each is looked at by itself: or a text full of such would be read to its end again
    /// and again.
    lines_alone: bool,
    place: Place,
    pieces: Vec<Piece<'t>>,
    mistakes: Vec<Mistake>,
}

/// A byte of the text with its line.
struct Place {
    at: usize,
    line: usize,
    line_start: usize,
}

impl Place {
    /// Moves on to a byte, and gives its line and column.
    fn move_to(&mut self, text: &[u8], to: usize) -> (usize, usize) {
        for newline in memchr::memchr_iter(b'\n', text.get(self.at..to).unwrap_or_default()) {
            self.line += 1;
            self.line_start = self.at + newline + 1;
        }
        self.at = self.at.max(to);
        (self.line, to.saturating_sub(self.line_start) + 1)
    }
}

impl Reader<'_> {
    /// Takes the next value. Returns `false` at the end.
    fn next(&mut self) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.at += blanks;
        let rest = &rest[blanks..];
        if rest.is_empty() {
            return false;
        }
        let line_end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let is_line = serde_json::from_slice::<IgnoredAny>(&rest[..line_end]).is_ok();
        let read = if is_line { Ok(line_end) } else { self.length(rest, line_end) };
        match read {
            Ok(length) => {
                let value = self.at..self.at + rest[..length].trim_ascii_end().len();
                let spans_lines = memchr::memchr(b'\n', &self.text[value.clone()]).is_some();
                self.one_a_line = Some(self.one_a_line.unwrap_or(true) && !spans_lines);
                self.take(value, true);
                self.at += length.max(1);
                true
            }
            Err(error) => {
                // The next line tells whether this one was to be whole.
                let next = rest[line_end..].trim_ascii_start();
                let next = &next[..memchr::memchr(b'\n', next).unwrap_or(next.len())];
                let goes_on =
                    self.one_a_line == Some(true) || serde_json::from_slice::<IgnoredAny>(next).is_ok();
                let line = &rest[..line_end];
                let mistake = match serde_json::from_slice::<IgnoredAny>(line) {
                    Err(error) if goes_on => parse_message::json(line, &error),
                    _ => parse_message::json(rest, &error),
                };
                let (line, column) = self.place.move_to(self.text, self.at);
                let column = if mistake.line <= 1 { mistake.column + column - 1 } else { mistake.column };
                let line = line + mistake.line.saturating_sub(1);
                self.mistakes.push(Mistake { line, column, message: mistake.message });
                self.at += line_end;
                self.lines_alone = true;
                goes_on
            }
        }
    }

    /// How long the value is that begins a text, which is not its first line as a whole.
    fn length(&self, rest: &[u8], line_end: usize) -> serde_json::Result<usize> {
        if self.lines_alone {
            return serde_json::from_slice::<IgnoredAny>(&rest[..line_end]).map(|_| line_end);
        }
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
        values.next().map_or(Ok(0), |read| read.map(|_| values.byte_offset()))
    }

    /// Takes a value that is well-formed: a resource, or several.
    fn take(&mut self, value: Range<usize>, is_outermost: bool) {
        let text = &self.text[value.clone()];
        match text.first() {
            Some(b'[') if is_outermost => {
                for element in items(text) {
                    self.take(value.start + element.start..value.start + element.end, false);
                }
            }
            Some(b'{') if let Some(resources) = listed(text) => {
                for resource in resources {
                    self.piece(value.start + resource.start..value.start + resource.end);
                }
            }
            _ => self.piece(value),
        }
    }

    fn piece(&mut self, span: Range<usize>) {
        let (line, column) = self.place.move_to(self.text, span.start);
        self.pieces.push(Piece { line, column, text: &self.text[span] });
    }
}

/// The resources of a list response (RFC 7644 §3.4.2); `None` if the object is none.
fn listed(object: &[u8]) -> Option<Vec<Range<usize>>> {
    let has = |part: &[u8]| memchr::memmem::find(object, part).is_some();
    if !has(b"ListResponse") && !has(b"totalResults") {
        return None;
    }
    let (mut is_list, mut resources) = (false, None);
    for member in items(object) {
        let (key, value) = key_and_value(object, &member)?;
        let text = &object[value.clone()];
        if key.eq_ignore_ascii_case("schemas") {
            let urns: Vec<String> = serde_json::from_slice(text).unwrap_or_default();
            is_list |= urns.iter().any(|urn| urn.eq_ignore_ascii_case(LIST_URN));
        } else if key.eq_ignore_ascii_case("totalResults") {
            is_list = true;
        } else if key.eq_ignore_ascii_case("Resources") && text.starts_with(b"[") {
            let found = items(text).into_iter();
            resources = Some(found.map(|span| value.start + span.start..value.start + span.end).collect());
        }
    }
    is_list.then(|| resources.unwrap_or_default())
}

/// A member of an object as its key and the place of its value.
fn key_and_value(object: &[u8], member: &Range<usize>) -> Option<(String, Range<usize>)> {
    let text = &object[member.clone()];
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<String>();
    let key = values.next()?.ok()?;
    let behind = values.byte_offset();
    let colon = behind + memchr::memchr(b':', text.get(behind..)?)?;
    let blanks = text.get(colon + 1..)?.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    Some((key, member.start + colon + 1 + blanks..member.end))
}

/// The elements of an array, or the members of an object, that is known to be well-formed.
fn items(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let (mut from, mut to) = (None, 0);
    for (at, byte) in text.iter().enumerate() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            to = at + 1;
            continue;
        }
        let is_end = matches!(byte, b']' | b'}');
        if depth == 1 && (*byte == b',' || is_end) {
            found.extend(from.take().map(|from| from..to));
        } else if depth > 0 && !byte.is_ascii_whitespace() {
            from.get_or_insert(at);
            to = at + 1;
        }
        match byte {
            b'[' | b'{' => depth += 1,
            _ if is_end => depth = depth.saturating_sub(1),
            _ => quoted = *byte == b'"',
        }
        if depth == 0 {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(usize, usize, &str)]) {
        let (found, mistakes) = pieces(text.as_bytes());
        let found: Vec<_> = found
            .iter()
            .map(|piece| (piece.line, piece.column, std::str::from_utf8(piece.text).unwrap()))
            .collect();
        assert_eq!((found.as_slice(), mistakes.len()), (expected, 0), "{text}: {mistakes:?}");
    }

    #[test]
    fn text_is_cut_into_resources_whatever_its_form() {
        check("", &[]);
        check(" \n ", &[]);
        check("[]", &[]);
        check("\u{feff}{}", &[(1, 4, "{}")]);
        check("{}\n\n{\"a\":1}\r\n", &[(1, 1, "{}"), (3, 1, "{\"a\":1}")]);
        check("\n {\n\"a\":\n1}\n", &[(2, 2, "{\n\"a\":\n1}")]);
        check("{} {\"a\":\n1}\n7", &[(1, 1, "{}"), (1, 4, "{\"a\":\n1}"), (3, 1, "7")]);
        check(
            "[\n{\"a\":[1,{\"b\":\"],\\\"\"}]},\n\n{}, 7\n,\"x\\\\\" ]",
            &[(2, 1, "{\"a\":[1,{\"b\":\"],\\\"\"}]}"), (4, 1, "{}"), (4, 5, "7"), (5, 2, "\"x\\\\\"")],
        );
        check("[{}]\n[{}, [7]]", &[(1, 2, "{}"), (2, 2, "{}"), (2, 6, "[7]")]);
    }

    #[test]
    fn list_responses_are_taken_for_what_they_list() {
        let page = |resources: &str| {
            format!("{{\"schemas\": [\"{LIST_URN}\"],\n\"totalResults\": 2,\n\"Resources\" : [{resources}]}}")
        };
        check(&page("{\"a\":1}, {\"b\":\"}]\"}"), &[(3, 16, "{\"a\":1}"), (3, 25, "{\"b\":\"}]\"}")]);
        check(&page(""), &[]);
        check(&format!("{}\n{}", page("{}"), page("{}")), &[(3, 16, "{}"), (6, 16, "{}")]);
        check(&format!("[{},{}]", page("{}"), page("{}")), &[(3, 16, "{}"), (5, 16, "{}")]);
        check("{\"totalResults\":0}", &[]);
        check("{\"resources\":[{}],\"totalresults\":0,\"totalResults\":1}", &[(1, 15, "{}")]);
        // A user may say these words.
        let user = "{\"userName\":\"totalResults\",\"Resources\":[{}]}";
        check(user, &[(1, 1, user)]);
    }

    #[test]
    fn mistakes_have_their_place_in_the_whole_text() {
        #[track_caller]
        fn check(text: &str, taken: usize, expected: &[(usize, usize, &str)]) {
            let (found, mistakes) = pieces(text.as_bytes());
            let told: Vec<_> = mistakes.iter().map(|m| (m.line, m.column)).collect();
            let places: Vec<_> = expected.iter().map(|(line, column, _)| (*line, *column)).collect();
            assert_eq!((found.len(), told), (taken, places), "{text}: {mistakes:?}");
            for (mistake, (.., part)) in mistakes.iter().zip(expected) {
                assert!(mistake.message.contains(part), "{part}: {mistake}");
            }
        }
        check("{}\n{", 1, &[(2, 1, "a key or `}` is missing")]);
        check("{}\n{\"a\":\n7\n{}", 3, &[(2, 5, "the value of `a` is missing")]);
        check("{\"a\":\n7\n{}", 2, &[(1, 5, "the value of `a` is missing")]);
        check("{}\n x\n y\n{}", 2, &[(2, 2, "a value is expected here"), (3, 2, "a value is expected here")]);
        check("{} {},\n{}", 3, &[(1, 6, "a value is expected here")]);
        check("[\n{},\n{]", 0, &[(3, 2, "a key in double quotes is expected here")]);
        check("{\n\"a\": 1\n\"b\": 2\n}\n{}", 0, &[(3, 1, "`,` or `}` is expected here")]);
        check("[{},", 0, &[(1, 4, "the value of `[1]` is missing")]);
    }
}
