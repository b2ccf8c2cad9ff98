//! CSV with a header (RFC 4180), as spreadsheets write it: commas, semicolons or tabs, blanks around cells, rows and
//! columns without content.
//!
//! Dotted column names become nested objects, an empty cell is an absent attribute. Every attribute is a text except
//! `enabled`, which is a boolean. Blanks count inside quotes only.

use std::io::Read;

use serde_json::{Map, Value};

use super::problems::Place;
use super::text::TextReader;
use super::validation::Collector;
use super::window::Window;
use super::{LocatedProblem, SourceProblem};
use cli_support::suggest::nearest;

const REQUIRED: [&str; 3] = ["id", "username", "enabled"];
const DELIMITERS: [char; 3] = [',', ';', '\t'];

/// Reads the rows below the header, whose names are added to `names`.
pub(super) fn read<R: Read>(reader: TextReader<R>, names: &mut Vec<String>, users: &mut Collector<'_>) {
    if let Err((place, problem)) = read_rows(reader, names, users) {
        users.problems.push(place, problem);
    }
}

fn read_rows<R: Read>(
    reader: TextReader<R>,
    names: &mut Vec<String>,
    users: &mut Collector<'_>,
) -> Result<(), LocatedProblem> {
    let mut file = CsvFile { window: Window::new(reader), at: 0, delimiter: ',' };
    while !file.window.rest(0).contains('\n') && file.window.grow()? {}
    (file.at, file.delimiter) = delimiter(file.window.rest(0));
    let Some((header_place, header)) = file.next()? else { return Ok(()) };
    let header = header?;
    let columns = columns(&header).map_err(|problem| (Some(header_place), problem))?;
    names.extend(columns.iter().filter(|path| !path.is_empty()).map(|path| path.join(".")));
    let id_column = columns.iter().position(|path| *path == ["id"]);
    while let Some((place, row)) = file.next()? {
        let cells = match row {
            Ok(cells) => cells,
            Err((place, problem)) => {
                users.problems.push(place, problem);
                continue;
            }
        };
        // A row that a spreadsheet has formatted and that has no content.
        if cells.iter().all(String::is_empty) {
            continue;
        }
        if cells.len() != columns.len() {
            let (expected, found) = (columns.len(), cells.len());
            users.problems.push(Some(place), SourceProblem::Width { expected, found });
            continue;
        }
        let unnamed = columns.iter().zip(&cells).position(|(path, cell)| path.is_empty() && !cell.is_empty());
        if let Some(index) = unnamed {
            return Err((Some(header_place), SourceProblem::BadColumn(index + 1)));
        }
        let id = id_column.and_then(|index| cells.get(index));
        if let Some(id) = id.filter(|id| is_shortened(id)) {
            users.problems.push(Some(place), SourceProblem::ShortenedId(id.clone()));
            continue;
        }
        users.record(place, user(&columns, cells));
        if users.is_unwanted() {
            break;
        }
    }
    Ok(())
}

/// A file of which the rows are read one by one.
struct CsvFile<R> {
    window: Window<R>,
    at: usize,
    delimiter: char,
}

/// A row with its place: its cells, or the place of a problem within.
type PlacedRow = (Place, Result<Vec<String>, LocatedProblem>);

impl<R: Read> CsvFile<R> {
    /// Reads the next row.
    fn next(&mut self) -> Result<Option<PlacedRow>, LocatedProblem> {
        self.at = self.window.drop_before(self.at);
        loop {
            let mut rows = Rows { text: self.window.rest(0), at: self.at, delimiter: self.delimiter };
            let row = rows.next();
            let end = rows.at;
            // What ends with the window may go on behind it.
            if end >= self.window.len() && self.window.has_more() {
                self.window.grow()?;
                continue;
            }
            self.at = end;
            return Ok(match row {
                None => None,
                Some(Ok(Row { offset, cells })) => Some((self.window.place(offset), Ok(cells))),
                Some(Err((offset, problem))) => {
                    let place = self.window.place(offset);
                    Some((place, Err((Some(place), problem))))
                }
            });
        }
    }
}

/// Returns the byte where the header begins, and the delimiter: that of a line `sep=;`, or the one that makes a header of
/// the first line.
fn delimiter(text: &str) -> (usize, char) {
    let line = text.lines().next().unwrap_or_default();
    if let Some(letter) = line.strip_prefix("sep=").and_then(|rest| rest.chars().next()) {
        return (line.len(), letter);
    }
    let mut best = (0, 0, ',');
    for delimiter in DELIMITERS {
        let Some(Ok(header)) = (Rows { text, at: 0, delimiter }).next() else { continue };
        let required = REQUIRED.iter().filter(|name| header.cells.iter().any(|cell| cell == *name)).count();
        if (required, header.cells.len()) > (best.0, best.1) {
            best = (required, header.cells.len(), delimiter);
        }
    }
    (0, best.2)
}

/// Returns the path of each column's attribute; empty for a column without a name.
fn columns(cells: &[String]) -> Result<Vec<Vec<String>>, SourceProblem> {
    let mut columns: Vec<Vec<String>> = Vec::new();
    for cell in cells {
        if cell.is_empty() {
            columns.push(Vec::new());
            continue;
        }
        let path: Vec<String> = cell.split('.').map(|name| name.trim().to_owned()).collect();
        if path.iter().any(String::is_empty) {
            return Err(SourceProblem::BadColumn(columns.len() + 1));
        }
        let clashes =
            |other: &Vec<String>| !other.is_empty() && (other.starts_with(&path) || path.starts_with(other));
        if let Some(same) = columns.iter().position(|other| *other == path) {
            return Err(SourceProblem::SameColumn(same + 1, columns.len() + 1, cell.clone()));
        }
        if let Some(clash) = columns.iter().position(clashes) {
            return Err(SourceProblem::ColumnClash(clash + 1, columns.len() + 1));
        }
        columns.push(path);
    }
    for required in REQUIRED {
        if !columns.iter().any(|path| *path == [required]) {
            let names = || cells.iter().map(String::as_str).filter(|name| !REQUIRED.contains(name));
            let meant = nearest(required, names()).map(str::to_owned);
            return Err(SourceProblem::MissingColumn { required, meant });
        }
    }
    Ok(columns)
}

fn user(columns: &[Vec<String>], cells: Vec<String>) -> Value {
    let mut user = Map::new();
    for (path, cell) in columns.iter().zip(cells) {
        let value = match path.as_slice() {
            // An invalid value is kept, and refused by the validation: the column is required, and so is a value.
            [name] if name == "enabled" => flag(&cell).map_or(Value::String(cell), Value::Bool),
            _ if cell.is_empty() => continue,
            _ => Value::String(cell),
        };
        insert(&mut user, path, value);
    }
    Value::Object(user)
}

/// Whether an id is what spreadsheets make of a long number: `1.23E+11`, with the decimal sign of some language.
fn is_shortened(id: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((number, exponent)) = id.split_once("E+").or_else(|| id.split_once("e+")) else { return false };
    let number = number.strip_prefix('-').unwrap_or(number);
    let (whole, rest) = number.split_once(['.', ',']).unwrap_or((number, "0"));
    whole.len() == 1 && digits(whole) && digits(rest) && digits(exponent)
}

/// Parses a boolean in the words of spreadsheets and of people.
fn flag(cell: &str) -> Option<bool> {
    let is = |words: [&str; 3]| words.iter().any(|word| cell.eq_ignore_ascii_case(word));
    if is(["true", "yes", "1"]) {
        Some(true)
    } else if is(["false", "no", "0"]) {
        Some(false)
    } else {
        None
    }
}

fn insert(object: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [name] => {
            object.insert(name.clone(), value);
        }
        [name, rest @ ..] => {
            let inner = object.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
            // The header allows no column that is a prefix of another, so this is an object.
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// A row, and the byte where it starts.
struct Row {
    offset: usize,
    cells: Vec<String>,
}

/// Reads rows. A file whose quotes do not match has no further row: above all, no cell swallows the rest of the file.
struct Rows<'a> {
    text: &'a str,
    at: usize,
    delimiter: char,
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, (usize, SourceProblem)>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text.get(self.at..)?;
        self.at += rest.len() - rest.trim_start_matches(['\r', '\n']).len();
        if self.at >= self.text.len() {
            return None;
        }
        let mut row = Row { offset: self.at, cells: Vec::new() };
        loop {
            match self.cell() {
                Ok(cell) => row.cells.push(cell),
                Err(problem) => {
                    if matches!(problem, (_, SourceProblem::OpenQuote)) {
                        self.at = self.text.len();
                    } else {
                        self.skip_line();
                    }
                    return Some(Err(problem));
                }
            }
            match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
                Some(letter) if letter == self.delimiter => self.at += letter.len_utf8(),
                // `cell` stops at the end of a line or of the file otherwise.
                _ => return Some(Ok(row)),
            }
        }
    }
}

impl Rows<'_> {
    fn skip_line(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.find('\n').unwrap_or(rest.len());
    }

    fn ends_cell(&self, letter: char) -> bool {
        letter == self.delimiter || letter == '\n' || letter == '\r'
    }

    /// Reads a cell, up to the delimiter or the end of the line.
    fn cell(&mut self) -> Result<String, (usize, SourceProblem)> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let blanks = self.blanks(rest);
        if rest.get(blanks..).is_some_and(|rest| rest.starts_with('"')) {
            self.at += blanks;
            return self.quoted();
        }
        let end = rest.find(|letter| self.ends_cell(letter)).unwrap_or(rest.len());
        let cell = rest.get(..end).unwrap_or_default();
        if let Some(quote) = cell.find('"') {
            let problem = (self.at + quote, SourceProblem::StrayQuote);
            self.at += end;
            return Err(problem);
        }
        self.at += end;
        Ok(cell.trim().to_owned())
    }

    /// Returns the length of the blanks at the beginning of a text, in bytes.
    fn blanks(&self, text: &str) -> usize {
        let blank = |letter: char| letter.is_whitespace() && !self.ends_cell(letter);
        text.len() - text.trim_start_matches(blank).len()
    }

    fn quoted(&mut self) -> Result<String, (usize, SourceProblem)> {
        let opened = self.at;
        let mut cell = String::new();
        self.at += 1;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(quote) = rest.find('"') else { return Err((opened, SourceProblem::OpenQuote)) };
            cell.push_str(rest.get(..quote).unwrap_or_default());
            self.at += quote + 1;
            let after = self.text.get(self.at..).unwrap_or_default();
            if after.starts_with('"') {
                cell.push('"');
                self.at += 1;
                continue;
            }
            let blanks = self.blanks(after);
            return match after.get(blanks..).and_then(|rest| rest.chars().next()) {
                Some(letter) if !self.ends_cell(letter) => Err((self.at - 1, SourceProblem::AfterQuote)),
                _ => {
                    self.at += blanks;
                    Ok(cell)
                }
            };
        }
    }
}
