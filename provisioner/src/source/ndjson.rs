//! NDJSON: one user per line. A chunk of whole lines is parsed by itself, so chunks can be parsed in any order.

use std::io::Read;

use super::json::misplaced;
use super::problems::{Place, Problems, Shift};
use super::text::TextReader;
use super::unique::value;
use super::validation::{Collector, user};
use super::{SourceProblem, SourceUser};

/// Bytes of lines that are parsed at a time.
const CHUNK: usize = 1 << 20;

/// The users of some lines, and what is wrong with the others.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) users: Vec<SourceUser>,
    pub(super) problems: Problems,
    /// The line breaks in the chunk.
    pub(super) lines: usize,
}

/// Parses whole lines of which the first is number `first_line` of the file; blank lines are ignored.
pub(super) fn parse_lines(text: &str, first_line: usize) -> Chunk {
    let mut chunk = Chunk::default();
    let mut start = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        chunk.lines += usize::from(line.ends_with('\n'));
        if !line.trim().is_empty() {
            let number = first_line + index;
            let place = |offset: usize| Place::of(line, offset).after(Shift::lines(number - 1));
            match value(line) {
                Ok(value) => match user(value, number) {
                    Ok(user) => chunk.users.push(user),
                    Err(problem) => chunk.problems.push(Some(place(0)), problem),
                },
                Err(error) => {
                    let (offset, problem) = misplaced(line, 0, &error);
                    chunk.problems.push(offset.map(place), problem);
                }
            }
        }
        start += line.len();
    }
    debug_assert_eq!(start, text.len());
    chunk
}

/// Reads the lines of a file in chunks, and hands on their users in the order of the file.
pub(super) fn read<R: Read>(mut reader: TextReader<R>, users: &mut Collector<'_>) {
    let (mut buffer, mut line, mut more) = (String::new(), 1, true);
    while more && !users.is_unwanted() {
        let read = reader.read_into(&mut buffer);
        more = matches!(read, Ok(true));
        let end = match (&read, buffer.rfind('\n')) {
            (Ok(true), _) if buffer.len() < CHUNK => continue,
            (Ok(true), Some(at)) => at + 1,
            (Ok(true), None) if buffer.len() > super::LONGEST_USER => {
                users.problems.push(Some(Place { line, column: 1 }), SourceProblem::TooLong);
                return;
            }
            (Ok(true), None) => continue,
            (Ok(false), _) => buffer.len(),
            // The line with the invalid place is no line.
            (Err(_), at) => at.map_or(0, |at| at + 1),
        };
        let chunk = parse_lines(buffer.get(..end).unwrap_or_default(), line);
        line += chunk.lines;
        users.part(chunk.users, chunk.problems);
        buffer.drain(..end);
        if let Err(problem) = read {
            let place = problem.is_in_text().then(|| Place::of(&buffer, buffer.len()));
            users.problems.push(place.map(|place| place.after(Shift::lines(line - 1))), problem);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_end_with_a_line_wherever_pieces_end() {
        let line = |id: usize| format!("{{\"id\":\"{id}\",\"username\":\"é{}\"}}\n", "x".repeat(id % 97));
        let text: String = (0..60_000).map(line).collect();
        assert!(text.len() > 2 * CHUNK);
        let mut seen = Vec::new();
        let mut batches = 0;
        let mut yield_users = |users: Vec<SourceUser>| {
            batches += 1;
            seen.extend(users.into_iter().map(|user| (user.id.to_string(), user.line)));
            true
        };
        let mut users = Collector::new(&mut yield_users);
        read(TextReader::new(text.as_bytes()), &mut users);
        assert_eq!(users.problems.into_errors(std::path::Path::new("u")).1, 0);
        assert!(batches > 2, "{batches}");
        assert_eq!(seen, (0..60_000).map(|id| (id.to_string(), id + 1)).collect::<Vec<_>>());
    }

    #[test]
    fn endless_line_is_refused() {
        let text = "x".repeat(super::super::LONGEST_USER + 2 * CHUNK);
        let mut yield_users = |_| true;
        let mut users = Collector::new(&mut yield_users);
        read(TextReader::new(text.as_bytes()), &mut users);
        assert_eq!(users.problems.into_errors(std::path::Path::new("u")).1, 1);
    }
}
