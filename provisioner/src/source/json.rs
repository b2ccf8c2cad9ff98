//! NDJSON and JSON arrays: every value is parsed, and each keeps the place where it starts.

use serde_json::Value;
use serde_json::de::Deserializer;

use super::proof::Record;
use super::{Misplaced, SourceProblem};

/// One user a line; blank lines are nothing.
pub(super) fn lines(text: &str) -> Result<Vec<Record>, Misplaced> {
    let mut records = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if !line.trim().is_empty() {
            let value = serde_json::from_str(line).map_err(|error| misplaced(line, start, &error))?;
            records.push(Record { offset: start, value });
        }
        start += line.len();
    }
    Ok(records)
}

/// One array of users and nothing else.
pub(super) fn array(text: &str) -> Result<Vec<Record>, Misplaced> {
    let mut records = Vec::new();
    let mut at = skip_blanks(text, 0);
    if byte(text, at) != Some(b'[') {
        return Err((Some(at), SourceProblem::NotAnArray));
    }
    at = skip_blanks(text, at + 1);
    if byte(text, at) == Some(b']') {
        return end(text, at + 1, records);
    }
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let mut stream = Deserializer::from_str(rest).into_iter::<Value>();
        match stream.next() {
            None => return Err((Some(at), SourceProblem::ArrayNotClosed)),
            Some(Err(error)) => return Err(misplaced(rest, at, &error)),
            Some(Ok(value)) => records.push(Record { offset: at, value }),
        }
        at = skip_blanks(text, at + stream.byte_offset());
        match byte(text, at) {
            Some(b',') => at = skip_blanks(text, at + 1),
            Some(b']') => return end(text, at + 1, records),
            Some(_) => return Err((Some(at), SourceProblem::ArrayBroken)),
            None => return Err((Some(at), SourceProblem::ArrayNotClosed)),
        }
    }
}

fn end(text: &str, at: usize, records: Vec<Record>) -> Result<Vec<Record>, Misplaced> {
    let rest = skip_blanks(text, at);
    if rest == text.len() { Ok(records) } else { Err((Some(rest), SourceProblem::AfterArray)) }
}

fn byte(text: &str, at: usize) -> Option<u8> {
    text.as_bytes().get(at).copied()
}

fn skip_blanks(text: &str, at: usize) -> usize {
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    at + text.as_bytes().get(at..).unwrap_or_default().iter().take_while(blank).count()
}

/// The error of a parse of `part`, which starts at byte `start`. Its text never quotes the input.
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
    let message = text.split(" at line ").next().unwrap_or(&text);
    (Some(offset), SourceProblem::NotJson(message.to_owned()))
}
