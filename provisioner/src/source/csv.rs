//! CSV with a header (RFC 4180): dotted column names become nested objects, an empty cell is an absent attribute.
//!
//! Every attribute is a text, save `enabled`, which is true or false.

use ::csv::{ErrorKind, ReaderBuilder};
use serde_json::{Map, Value};

use super::proof::Record;
use super::{Misplaced, SourceProblem};

/// The rows below the header.
pub(super) fn rows(text: &str) -> Result<Vec<Record>, Misplaced> {
    check_quotes(text)?;
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let mut columns = None;
    let mut records = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| {
            let at = error.position().map(|position| row_start(text, position.byte()));
            match *error.kind() {
                ErrorKind::UnequalLengths { expected_len, len, .. } => {
                    (at, SourceProblem::Width { expected: width(expected_len), found: width(len) })
                }
                // The text is UTF-8 and in memory: neither of the other kinds can occur.
                _ => (at, SourceProblem::StrayQuote),
            }
        })?;
        let offset = row.position().map_or(0, |position| row_start(text, position.byte()));
        match &columns {
            None => columns = Some(header(row.iter()).map_err(|problem| (Some(offset), problem))?),
            Some(columns) => records.push(Record { offset, value: user(columns, row.iter()) }),
        }
    }
    Ok(records)
}

fn width(cells: u64) -> usize {
    usize::try_from(cells).unwrap_or(usize::MAX)
}

/// The byte where a row's first cell is: the reader's own position comes before the blank lines that it skips.
fn row_start(text: &str, byte: u64) -> usize {
    let byte = width(byte).min(text.len());
    let rest = text.get(byte..).unwrap_or_default();
    byte + (rest.len() - rest.trim_start_matches(['\r', '\n']).len())
}

/// The path of each column's attribute.
fn header<'a>(cells: impl Iterator<Item = &'a str>) -> Result<Vec<Vec<String>>, SourceProblem> {
    let mut columns: Vec<Vec<String>> = Vec::new();
    for cell in cells {
        let path: Vec<String> = cell.trim().split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err(SourceProblem::BadColumn(columns.len() + 1));
        }
        if let Some(clash) =
            columns.iter().position(|other| other.starts_with(&path) || path.starts_with(other))
        {
            return Err(SourceProblem::ColumnClash(clash + 1, columns.len() + 1));
        }
        columns.push(path);
    }
    for required in ["id", "username", "enabled"] {
        if !columns.iter().any(|path| *path == [required]) {
            return Err(SourceProblem::MissingColumn(required));
        }
    }
    Ok(columns)
}

fn user<'a>(columns: &[Vec<String>], cells: impl Iterator<Item = &'a str>) -> Value {
    let mut user = Map::new();
    for (path, cell) in columns.iter().zip(cells) {
        let value = match (path.as_slice(), cell) {
            ([name], "true") if name == "enabled" => Value::Bool(true),
            ([name], "false") if name == "enabled" => Value::Bool(false),
            // Kept as it is, and refused with the other proofs: the column is required, so is a value.
            ([name], _) if name == "enabled" => Value::String(cell.to_owned()),
            (_, "") => continue,
            _ => Value::String(cell.to_owned()),
        };
        insert(&mut user, path, value);
    }
    Value::Object(user)
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

/// Refuses what the reader would take in silence: above all a quoted cell that swallows the rest of the file.
fn check_quotes(text: &str) -> Result<(), Misplaced> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut cell_start = true;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' if cell_start => {
                let opened = at;
                at += 1;
                loop {
                    match (bytes.get(at), bytes.get(at + 1)) {
                        (Some(b'"'), Some(b'"')) => at += 2,
                        (Some(b'"'), Some(b',' | b'\r' | b'\n') | None) => break,
                        (Some(b'"'), Some(_)) => return Err((Some(at), SourceProblem::AfterQuote)),
                        (Some(_), _) => at += 1,
                        (None, _) => return Err((Some(opened), SourceProblem::OpenQuote)),
                    }
                }
                cell_start = false;
            }
            b'"' => return Err((Some(at), SourceProblem::StrayQuote)),
            byte => cell_start = matches!(byte, b',' | b'\n' | b'\r'),
        }
        at += 1;
    }
    Ok(())
}
