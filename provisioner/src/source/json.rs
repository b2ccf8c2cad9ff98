//! NDJSON, JSON arrays, and pages of PingOne's API: every value is parsed, and each keeps the place where it starts.

use std::cell::Cell;

use serde_json::Value;
use serde_json::de::Deserializer;

use super::proof::Record;
use super::unique::{Unique, value};
use super::{Misplaced, Problems, SourceProblem};

/// One user a line; blank lines are nothing.
pub(super) fn lines(text: &str, problems: &mut Problems) -> Vec<Record> {
    let mut records = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if !line.trim().is_empty() {
            match value(line) {
                Ok(value) => records.push(Record { offset: start, value }),
                Err(error) => problems.push(misplaced(line, start, &error)),
            }
        }
        start += line.len();
    }
    records
}

/// One array of users, or one page of the API with all of them, and nothing else.
pub(super) fn array(text: &str, problems: &mut Problems) -> Vec<Record> {
    let mut scan = Scan { text, at: 0, records: Vec::new() };
    scan.skip_blanks();
    let read = match scan.byte() {
        Some(b'[') => scan.users(),
        Some(b'{') => scan.page(),
        _ => Err((Some(scan.at), SourceProblem::NotAnArray)),
    };
    if let Err(problem) = read.and_then(|()| scan.end()) {
        problems.push(problem);
    }
    scan.records
}

/// A walk over a text that is one JSON value.
struct Scan<'a> {
    text: &'a str,
    at: usize,
    records: Vec<Record>,
}

impl Scan<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.at += self.text.as_bytes().get(self.at..).unwrap_or_default().iter().take_while(blank).count();
    }

    /// Whether an array or object goes on behind one of its values: a comma, or `close`.
    fn goes_on(&mut self, close: u8, broken: SourceProblem, cut: SourceProblem) -> Result<bool, Misplaced> {
        self.skip_blanks();
        let more = match self.byte() {
            Some(b',') => true,
            Some(byte) if byte == close => false,
            Some(_) => return Err((Some(self.at), broken)),
            None => return Err((Some(self.at), cut)),
        };
        self.at += 1;
        self.skip_blanks();
        Ok(more)
    }

    /// The next value, whatever it is.
    fn value(&mut self, cut: SourceProblem) -> Result<Value, Misplaced> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let mut stream = Deserializer::from_str(rest).into_iter::<Unique>();
        match stream.next() {
            None => Err((Some(self.at), cut)),
            Some(Err(error)) => Err(misplaced(rest, self.at, &error)),
            Some(Ok(Unique(value))) => {
                self.at += stream.byte_offset();
                Ok(value)
            }
        }
    }

    /// An array of users.
    fn users(&mut self) -> Result<(), Misplaced> {
        self.at += 1;
        self.skip_blanks();
        if self.byte() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let offset = self.at;
            let value = self.value(SourceProblem::ArrayNotClosed)?;
            self.records.push(Record { offset, value });
            if !self.goes_on(b']', SourceProblem::ArrayBroken, SourceProblem::ArrayNotClosed)? {
                return Ok(());
            }
        }
    }

    /// The members of an object, each handed to `member` where its value starts.
    fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, &str) -> Result<(), Misplaced>,
    ) -> Result<(), Misplaced> {
        let broken = || SourceProblem::NotJson("a member of this object is malformed".to_owned());
        let mut keys: Vec<String> = Vec::new();
        self.at += 1;
        self.skip_blanks();
        if self.byte() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let start = self.at;
            let Value::String(key) = self.value(SourceProblem::CutOff)? else {
                return Err((Some(start), broken()));
            };
            self.skip_blanks();
            match self.byte() {
                Some(b':') => self.at += 1,
                Some(_) => return Err((Some(self.at), broken())),
                None => return Err((Some(self.at), SourceProblem::CutOff)),
            }
            self.skip_blanks();
            if keys.contains(&key) {
                return Err((Some(start), SourceProblem::DoubledKey(key)));
            }
            member(self, &key)?;
            keys.push(key);
            if !self.goes_on(b'}', broken(), SourceProblem::CutOff)? {
                return Ok(());
            }
        }
    }

    /// A page of the API (`_embedded.users`), if it is the only one.
    fn page(&mut self) -> Result<(), Misplaced> {
        let start = self.at;
        let next = Cell::new(false);
        let counted = Cell::new(None);
        let found = Cell::new(false);
        self.members(|scan, key| {
            match key {
                "_embedded" if scan.byte() == Some(b'{') => scan.members(|scan, key| {
                    if key == "users" && scan.byte() == Some(b'[') {
                        found.set(true);
                        return scan.users();
                    }
                    scan.value(SourceProblem::CutOff).map(drop)
                })?,
                "_links" => {
                    let links = scan.value(SourceProblem::CutOff)?;
                    next.set(links.get("next").is_some_and(|next| !next.is_null()));
                }
                "count" | "size" => {
                    let count = scan.value(SourceProblem::CutOff)?.as_u64();
                    counted.set(counted.get().max(count));
                }
                _ => drop(scan.value(SourceProblem::CutOff)?),
            }
            Ok(())
        })?;
        if !found.get() {
            return Err((Some(start), SourceProblem::NotAnArray));
        }
        let users = self.records.len();
        if next.get() {
            return Err((Some(start), SourceProblem::PageOfMany { users }));
        }
        match counted.get() {
            Some(count) if count > users as u64 => {
                Err((Some(start), SourceProblem::PageNotWhole { users, count }))
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self) -> Result<(), Misplaced> {
        self.skip_blanks();
        if self.at == self.text.len() { Ok(()) } else { Err((Some(self.at), SourceProblem::AfterArray)) }
    }
}

/// The error of a parse of `part`, which starts at byte `start`. Its text never quotes the input, keys aside.
fn misplaced(part: &str, start: usize, error: &serde_json::Error) -> Misplaced {
    if error.is_eof() {
        return (Some(start), SourceProblem::CutOff);
    }
    let line_start: usize =
        part.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let mut offset = (start + line_start + error.column().saturating_sub(1)).min(start + part.len());
    while !part.is_char_boundary(offset - start) {
        offset -= 1;
    }
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    let problem = match message.strip_prefix(super::unique::DOUBLED) {
        Some(key) => SourceProblem::DoubledKey(key.to_owned()),
        None => SourceProblem::NotJson(message.to_owned()),
    };
    (Some(offset), problem)
}
