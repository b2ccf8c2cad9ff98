//! NDJSON, JSON arrays, and pages of PingOne's API: every value is parsed, and each keeps the place where it starts.

use std::cell::{Cell, RefCell};

use serde_json::Value;
use serde_json::de::Deserializer;

use super::unique::{Unique, value};
use super::validation::Record;
use super::{LocatedProblem, Problems, SourceProblem};

/// Reads one user per line; blank lines are ignored.
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

/// Reads one array of users, or one page of the API with all users, and nothing else.
pub(super) fn array(text: &str, problems: &mut Problems) -> Vec<Record> {
    let mut scan = Scan { text, at: 0, records: Vec::new() };
    scan.skip_blanks();
    let read = match scan.byte() {
        Some(b'[') => scan.users_or_pages(),
        Some(b'{') => {
            let start = scan.at;
            scan.page()
                .and_then(|page| page.ok_or((Some(start), SourceProblem::NotAnArray)))
                .and_then(|page| whole(&[page]))
        }
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

/// The members of a page of the API.
#[derive(Default)]
struct Page {
    /// The byte where it starts.
    start: usize,
    /// The users in it.
    users: usize,
    /// The total number of users.
    count: Option<u64>,
    /// The number of users on the page, by its own count.
    size: Option<u64>,
    /// Whether another page follows.
    is_followed: bool,
    /// The address of the next page, where it is named.
    next: Option<String>,
    /// The address of the page itself.
    itself: Option<String>,
}

/// Whether `pages` are all there are, in their order: users who are missing would count as deleted.
fn whole(pages: &[Page]) -> Result<(), LocatedProblem> {
    let users: usize = pages.iter().map(|page| page.users).sum();
    for (index, page) in pages.iter().enumerate() {
        let size = page.size.filter(|size| *size > page.users as u64);
        let count = page.count.filter(|count| *count > users as u64);
        let Some(following) = pages.get(index + 1) else {
            if page.is_followed {
                return Err((Some(page.start), SourceProblem::PageOfMany { users: page.users }));
            }
            return match (size, count) {
                (Some(count), _) => {
                    Err((Some(page.start), SourceProblem::PageNotWhole { users: page.users, count }))
                }
                (None, Some(count)) => Err((Some(page.start), SourceProblem::PageNotWhole { users, count })),
                (None, None) => Ok(()),
            };
        };
        if let Some(count) = size {
            return Err((Some(page.start), SourceProblem::PageNotWhole { users: page.users, count }));
        }
        let is_other =
            matches!((&page.next, &following.itself), (Some(next), Some(itself)) if next != itself);
        if !page.is_followed || is_other {
            return Err((Some(following.start), SourceProblem::PageOutOfOrder { page: index + 2 }));
        }
    }
    Ok(())
}

impl Scan<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.at += self.text.as_bytes().get(self.at..).unwrap_or_default().iter().take_while(blank).count();
    }

    /// Whether an array or object continues after one of its values: a comma, or `close`.
    fn goes_on(
        &mut self,
        close: u8,
        broken: SourceProblem,
        cut: SourceProblem,
    ) -> Result<bool, LocatedProblem> {
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

    /// Reads the next value of any type.
    fn value(&mut self, cut: SourceProblem) -> Result<Value, LocatedProblem> {
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

    /// Reads an array of users, or of all pages of the API in their order.
    fn users_or_pages(&mut self) -> Result<(), LocatedProblem> {
        let mut pages = Vec::new();
        self.list(|scan| {
            let offset = scan.at;
            let value = scan.value(SourceProblem::ArrayNotClosed)?;
            let is_page = value
                .get("_embedded")
                .and_then(|embedded| embedded.get("users"))
                .is_some_and(Value::is_array);
            if is_page {
                // Its users are read again, each with its place.
                scan.at = offset;
                pages.extend(scan.page()?);
            } else {
                scan.records.push(Record { offset, value });
            }
            Ok(())
        })?;
        if pages.is_empty() {
            return Ok(());
        }
        let users: usize = pages.iter().map(|page| page.users).sum();
        if users < self.records.len() {
            // A user among the pages: the validation reports the first one.
            return Err((pages.first().map(|page| page.start), SourceProblem::PageAsUser));
        }
        whole(&pages)
    }

    /// Reads an array of users.
    fn users(&mut self) -> Result<(), LocatedProblem> {
        self.list(|scan| {
            let offset = scan.at;
            let value = scan.value(SourceProblem::ArrayNotClosed)?;
            scan.records.push(Record { offset, value });
            Ok(())
        })
    }

    /// Reads an array, and calls `item` at the start of each value.
    fn list(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), LocatedProblem>,
    ) -> Result<(), LocatedProblem> {
        self.at += 1;
        self.skip_blanks();
        if self.byte() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            item(self)?;
            if !self.goes_on(b']', SourceProblem::ArrayBroken, SourceProblem::ArrayNotClosed)? {
                return Ok(());
            }
        }
    }

    /// Reads the members of an object, and calls `member` at the start of each value.
    fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, &str) -> Result<(), LocatedProblem>,
    ) -> Result<(), LocatedProblem> {
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

    /// Reads a page of the API, whose users become records; `None` for an object without `_embedded.users`.
    fn page(&mut self) -> Result<Option<Page>, LocatedProblem> {
        let page = RefCell::new(Page { start: self.at, ..Page::default() });
        let is_page = Cell::new(false);
        let before = self.records.len();
        self.members(|scan, key| {
            match key {
                "_embedded" if scan.byte() == Some(b'{') => scan.members(|scan, key| {
                    if key == "users" && scan.byte() == Some(b'[') {
                        is_page.set(true);
                        return scan.users();
                    }
                    scan.value(SourceProblem::CutOff).map(drop)
                })?,
                "_links" => {
                    let links = scan.value(SourceProblem::CutOff)?;
                    let address = |link: &Value| link.get("href").unwrap_or(link).as_str().map(str::to_owned);
                    let mut page = page.borrow_mut();
                    let next = links.get("next").filter(|next| !next.is_null());
                    (page.is_followed, page.next) = (next.is_some(), next.and_then(address));
                    page.itself = links.get("self").and_then(address);
                }
                "count" => page.borrow_mut().count = scan.value(SourceProblem::CutOff)?.as_u64(),
                "size" => page.borrow_mut().size = scan.value(SourceProblem::CutOff)?.as_u64(),
                _ => drop(scan.value(SourceProblem::CutOff)?),
            }
            Ok(())
        })?;
        let mut page = page.into_inner();
        page.users = self.records.len() - before;
        Ok(is_page.get().then_some(page))
    }

    fn end(&mut self) -> Result<(), LocatedProblem> {
        self.skip_blanks();
        if self.at == self.text.len() { Ok(()) } else { Err((Some(self.at), SourceProblem::AfterArray)) }
    }
}

/// Returns the error of a parse of `part`, which starts at byte `start`. Its text quotes keys only.
fn misplaced(part: &str, start: usize, error: &serde_json::Error) -> LocatedProblem {
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
        None => SourceProblem::NotJson(plain(message).to_owned()),
    };
    (Some(offset), problem)
}

/// Returns the parser's message in the terms of JSON.
fn plain(message: &str) -> &str {
    match message {
        "expected ident" => "a word without quotes can only be true, false or null",
        "expected value" => {
            "a value is missing: a text in double quotes, a number, true, false, null, {…} or […]"
        }
        "key must be a string" => "a key has to stand in double quotes",
        "expected `:`" => "a colon is missing behind the key",
        "expected `,` or `}`" => "a comma, or the `}` of the object, is missing",
        "expected `,` or `]`" => "a comma, or the `]` of the array, is missing",
        "trailing comma" => "nothing follows this comma",
        "invalid escape" => "no escape begins so: a backslash in a text is written \\\\",
        "invalid number" => "this is no number",
        "recursion limit exceeded" => "it nests too deep",
        message if message.starts_with("control character") => {
            "a line break or another control character stands in a text: it is written as an escape, such as \\n"
        }
        message if message.contains("surrogate") || message.contains("unicode code point") => {
            "a \\u escape stands for no character: half of a pair is missing"
        }
        message => message,
    }
}
