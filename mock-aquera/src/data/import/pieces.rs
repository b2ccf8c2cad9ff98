//! The resources in a text: NDJSON, arrays, SCIM list responses, and several of them one after another. What it is, the
//! text itself says.

use scim::schema::LIST_URN;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::tree::{Name, members};
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

impl<'t> Reader<'t> {
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
                let value = rest[..length].trim_ascii_end();
                let spans_lines = memchr::memchr(b'\n', value).is_some();
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
    fn take(&mut self, value: &'t [u8], is_outermost: bool) {
        match value.first() {
            Some(b'[')
                if is_outermost && let Ok(elements) = serde_json::from_slice::<Vec<&RawValue>>(value) =>
            {
                for element in elements {
                    self.take(element.get().as_bytes(), false);
                }
            }
            Some(b'{') if let Some(resources) = listed(value) => {
                for resource in resources {
                    self.piece(resource.get().as_bytes());
                }
            }
            _ => self.piece(value),
        }
    }

    fn piece(&mut self, text: &'t [u8]) {
        let at = text.as_ptr() as usize - self.text.as_ptr() as usize;
        let (line, column) = self.place.move_to(self.text, at);
        self.pieces.push(Piece { line, column, text });
    }
}

/// The resources of a list response (RFC 7644 §3.4.2); `None` if the object is none.
fn listed(object: &[u8]) -> Option<Vec<&RawValue>> {
    let has = |part: &[u8]| memchr::memmem::find(object, part).is_some();
    if !has(b"ListResponse") && !has(b"totalResults") {
        return None;
    }
    let (mut is_list, mut resources) = (false, Vec::new());
    for (Name(name), value) in members(object).ok()? {
        if name.eq_ignore_ascii_case("schemas") {
            let urns: Vec<String> = serde_json::from_str(value.get()).unwrap_or_default();
            is_list |= urns.iter().any(|urn| urn.eq_ignore_ascii_case(LIST_URN));
        } else if name.eq_ignore_ascii_case("totalResults") {
            is_list = true;
        } else if name.eq_ignore_ascii_case("Resources") {
            resources = serde_json::from_str(value.get()).unwrap_or(resources);
        }
    }
    is_list.then_some(resources)
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
