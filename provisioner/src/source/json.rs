//! JSON arrays, and pages of PingOne's API: every value is parsed, and each keeps the place where it starts.

use std::cell::{Cell, RefCell};
use std::io::Read;

use serde_json::Value;
use serde_json::de::Deserializer;

use super::problems::Place;
use super::text::TextReader;
use super::unique::Unique;
use super::validation::Collector;
use super::window::Window;
use super::{LocatedProblem, SourceProblem};

/// Reads one array of users, or one page of the API with all users, or an array of all its pages, and nothing else.
pub(super) fn read<R: Read>(reader: TextReader<R>, users: &mut Collector<'_>) {
    if let Err((place, problem)) = Scan::new(reader, users).document() {
        users.problems.push(place, problem);
    }
}

/// Reads one page of the API, and nothing else.
pub(super) fn read_page<R: Read>(
    reader: TextReader<R>,
    users: &mut Collector<'_>,
) -> Result<Page, LocatedProblem> {
    let mut scan = Scan::new(reader, users);
    scan.skip_blanks()?;
    let not_a_page = (Some(scan.place()), SourceProblem::NotAPage);
    if scan.byte()? != Some(b'{') {
        return Err(not_a_page);
    }
    let page = scan.page()?.ok_or(not_a_page)?;
    scan.end()?;
    Ok(page)
}

/// A walk over a text that is one JSON value.
struct Scan<'a, 'b, R> {
    window: Window<R>,
    /// The next byte in the window.
    at: usize,
    users: &'a mut Collector<'b>,
    /// The records so far.
    records: usize,
}

/// The members of a page of the API.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// The place where it starts.
    pub(super) start: Option<Place>,
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

/// Whether `pages` are all there are, in their order: users who are missing would count as deleted. The error names the page.
pub(super) fn whole(pages: &[Page]) -> Result<(), (usize, SourceProblem)> {
    let users: usize = pages.iter().map(|page| page.users).sum();
    for (index, page) in pages.iter().enumerate() {
        let size = page.size.filter(|size| *size > page.users as u64);
        let count = pages.iter().filter_map(|page| page.count).max().filter(|count| *count > users as u64);
        let Some(following) = pages.get(index + 1) else {
            if page.is_followed {
                return Err((index, SourceProblem::PageOfMany { users: page.users }));
            }
            return match (size, count) {
                (Some(count), _) => Err((index, SourceProblem::PageNotWhole { users: page.users, count })),
                (None, Some(count)) => Err((index, SourceProblem::PageNotWhole { users, count })),
                (None, None) if pages.iter().all(|page| page.count.is_none()) => {
                    Err((index, SourceProblem::PageWithoutCount))
                }
                (None, None) => Ok(()),
            };
        };
        if let Some(count) = size {
            return Err((index, SourceProblem::PageNotWhole { users: page.users, count }));
        }
        let is_other =
            matches!((&page.next, &following.itself), (Some(next), Some(itself)) if next != itself);
        if !page.is_followed || is_other {
            return Err((index + 1, SourceProblem::PageOutOfOrder { page: index + 2 }));
        }
    }
    Ok(())
}

/// Returns [`whole`] of pages in one file.
fn whole_in_file(pages: &[Page]) -> Result<(), LocatedProblem> {
    whole(pages).map_err(|(index, problem)| (pages.get(index).and_then(|page| page.start), problem))
}

impl<'a, 'b, R: Read> Scan<'a, 'b, R> {
    fn new(reader: TextReader<R>, users: &'a mut Collector<'b>) -> Self {
        Self { window: Window::new(reader), at: 0, users, records: 0 }
    }

    /// Reads the whole text, which may be blank.
    fn document(&mut self) -> Result<(), LocatedProblem> {
        self.skip_blanks()?;
        match self.byte()? {
            None => return Ok(()),
            Some(b'[') => self.users_or_pages()?,
            Some(b'{') => {
                let start = self.place();
                let page = self.page()?.ok_or((Some(start), SourceProblem::NotAnArray))?;
                whole_in_file(&[page])?;
            }
            Some(_) => return Err((Some(self.place()), SourceProblem::NotAnArray)),
        }
        self.end()
    }

    fn place(&mut self) -> Place {
        self.window.place(self.at)
    }

    fn byte(&mut self) -> Result<Option<u8>, LocatedProblem> {
        if self.at >= self.window.len() {
            self.window.grow()?;
        }
        Ok(self.window.rest(self.at).as_bytes().first().copied())
    }

    fn skip_blanks(&mut self) -> Result<(), LocatedProblem> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.byte()? {
            let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
            self.at += self.window.rest(self.at).as_bytes().iter().take_while(blank).count();
        }
        Ok(())
    }

    /// Whether an array or object continues after one of its values: a comma, or `close`.
    fn goes_on(
        &mut self,
        close: u8,
        broken: SourceProblem,
        cut: SourceProblem,
    ) -> Result<bool, LocatedProblem> {
        self.skip_blanks()?;
        let more = match self.byte()? {
            Some(b',') => true,
            Some(byte) if byte == close => false,
            Some(_) => return Err((Some(self.place()), broken)),
            None => return Err((Some(self.place()), cut)),
        };
        self.at += 1;
        self.skip_blanks()?;
        Ok(more)
    }

    /// Reads the next value of any type.
    fn value(&mut self, cut: SourceProblem) -> Result<Value, LocatedProblem> {
        loop {
            let rest = self.window.rest(self.at);
            let mut stream = Deserializer::from_str(rest).into_iter::<Unique>();
            let (read, end) = (stream.next(), self.at + stream.byte_offset());
            // What ends with the window may go on behind it.
            let is_cut = match &read {
                None => true,
                Some(Ok(_)) => end == self.window.len(),
                Some(Err(error)) => error.is_eof(),
            };
            if is_cut && self.window.has_more() {
                self.window.grow()?;
                continue;
            }
            return match read {
                None => Err((Some(self.place()), cut)),
                Some(Err(error)) => {
                    let (offset, problem) = misplaced(self.window.rest(self.at), 0, &error);
                    let place = offset.map(|offset| self.window.place(self.at + offset));
                    Err((place, problem))
                }
                Some(Ok(Unique(value))) => {
                    self.at = end;
                    Ok(value)
                }
            };
        }
    }

    /// Reads an array of users, or of all pages of the API in their order.
    fn users_or_pages(&mut self) -> Result<(), LocatedProblem> {
        let mut pages: Vec<Page> = Vec::new();
        let mut has_users = false;
        self.list(|scan| {
            let at = scan.at;
            let place = scan.place();
            let value = scan.value(SourceProblem::ArrayNotClosed)?;
            let is_page = value
                .get("_embedded")
                .and_then(|embedded| embedded.get("users"))
                .is_some_and(Value::is_array);
            if is_page {
                // Its users are read again, each with its place.
                scan.at = at;
                pages.extend(scan.page()?);
            } else {
                has_users = true;
                scan.record(place, value);
            }
            Ok(())
        })?;
        match pages.first() {
            None => Ok(()),
            // A user among the pages.
            Some(first) if has_users => Err((first.start, SourceProblem::PageAsUser)),
            Some(_) => whole_in_file(&pages),
        }
    }

    fn record(&mut self, place: Place, value: Value) {
        self.records += 1;
        self.users.record(place, value);
    }

    /// Reads an array of users.
    fn users(&mut self) -> Result<(), LocatedProblem> {
        self.list(|scan| {
            let place = scan.place();
            let value = scan.value(SourceProblem::ArrayNotClosed)?;
            scan.record(place, value);
            Ok(())
        })
    }

    /// Reads an array, and calls `item` at the start of each value.
    fn list(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), LocatedProblem>,
    ) -> Result<(), LocatedProblem> {
        self.at += 1;
        self.skip_blanks()?;
        if self.byte()? == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.at = self.window.drop_before(self.at);
            item(self)?;
            if self.users.is_unwanted()
                || !self.goes_on(b']', SourceProblem::ArrayBroken, SourceProblem::ArrayNotClosed)?
            {
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
        self.skip_blanks()?;
        if self.byte()? == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let start = self.place();
            let Value::String(key) = self.value(SourceProblem::CutOff)? else {
                return Err((Some(start), broken()));
            };
            self.skip_blanks()?;
            match self.byte()? {
                Some(b':') => self.at += 1,
                Some(_) => return Err((Some(self.place()), broken())),
                None => return Err((Some(self.place()), SourceProblem::CutOff)),
            }
            self.skip_blanks()?;
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
        let page = RefCell::new(Page { start: Some(self.place()), ..Page::default() });
        let is_page = Cell::new(false);
        let before = self.records;
        self.members(|scan, key| {
            match key {
                "_embedded" if scan.byte()? == Some(b'{') => scan.members(|scan, key| {
                    if key == "users" && scan.byte()? == Some(b'[') {
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
        page.users = self.records - before;
        Ok(is_page.get().then_some(page))
    }

    fn end(&mut self) -> Result<(), LocatedProblem> {
        self.skip_blanks()?;
        match self.byte()? {
            None => Ok(()),
            Some(_) => Err((Some(self.place()), SourceProblem::AfterArray)),
        }
    }
}

/// Returns the error of a parse of `part`, which starts at byte `start`. Its text quotes keys only.
pub(super) fn misplaced(
    part: &str,
    start: usize,
    error: &serde_json::Error,
) -> (Option<usize>, SourceProblem) {
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
