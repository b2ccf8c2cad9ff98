//! A directory of pages of PingOne's API: each file is one page, in the order of the names.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use super::file::FileEnd;
use super::text::TextReader;
use super::validation::Collector;
use super::{Format, SourceError, SourceProblem, SourceUser, archive, json};

/// Reads every page in the directory, and hands its users to `yield_users` in their order.
pub(super) fn read(folder: &Path, yield_users: &mut dyn FnMut(Vec<SourceUser>) -> bool) -> FileEnd {
    let mut errors = Errors::default();
    match files(folder) {
        Err(error) => errors.add((vec![error], 1)),
        Ok(files) => read_pages(folder, &files, yield_users, &mut errors),
    }
    let Errors { first, count } = errors;
    FileEnd { columns: Vec::new(), problems: first, count }
}

/// The first problems of the pages so far, and the number of all.
#[derive(Default)]
struct Errors {
    first: Vec<SourceError>,
    count: usize,
}

impl Errors {
    fn add(&mut self, (errors, count): (Vec<SourceError>, usize)) {
        const MOST: usize = 100;
        self.count += count;
        let room = MOST.saturating_sub(self.first.len());
        self.first.extend(errors.into_iter().take(room));
    }
}

fn read_pages(
    folder: &Path,
    files: &[PathBuf],
    yield_users: &mut dyn FnMut(Vec<SourceUser>) -> bool,
    errors: &mut Errors,
) {
    let mut pages = Vec::new();
    let mut users = Collector::new(yield_users);
    for file in files {
        users.begin_page();
        let page = archive::open(file)
            .map_err(|problem| (None, problem))
            .and_then(|(bytes, _)| json::read_page(TextReader::new(bytes), &mut users));
        users.flush();
        match page {
            Ok(page) => pages.push(page),
            Err((place, problem)) => users.problems.push(place, problem),
        }
        let problems = std::mem::take(&mut users.problems);
        errors.add(problems.into_errors(file));
    }
    // Pages with problems are said already.
    if errors.count > 0 {
        return;
    }
    if let Err((index, problem)) = json::whole(&pages) {
        let file = files.get(index).map_or(folder, PathBuf::as_path);
        let place = pages.get(index).and_then(|page| page.start);
        errors.add((vec![SourceError::new(file, place, problem)], 1));
    }
}

/// Returns the pages in the directory, in their order. Hidden files are none.
fn files(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let unreadable =
        |error: std::io::Error| SourceError::new(folder, None, SourceProblem::Unreadable(error.kind()));
    let mut files = Vec::new();
    for entry in folder.read_dir().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let path = entry.path();
        if archive::format(&path) != Some(Format::Json) {
            return Err(SourceError::new(&path, None, SourceProblem::StrayFile));
        }
        files.push(path);
    }
    if files.is_empty() {
        return Err(SourceError::new(folder, None, SourceProblem::Directory));
    }
    files.sort_by(|one, other| compare(&one.to_string_lossy(), &other.to_string_lossy()));
    Ok(files)
}

/// Compares names with the numbers in them: `page-2` is before `page-10`.
fn compare(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one, other);
    loop {
        let (Some(a), Some(b)) = (left.chars().next(), right.chars().next()) else {
            return left.len().cmp(&right.len()).then_with(|| one.cmp(other));
        };
        if a.is_ascii_digit() && b.is_ascii_digit() {
            let (first, second) = (digits(left), digits(right));
            let (number, other_number) = (first.trim_start_matches('0'), second.trim_start_matches('0'));
            let order = number.len().cmp(&other_number.len()).then_with(|| number.cmp(other_number));
            if order.is_ne() {
                return order;
            }
            left = left.get(first.len()..).unwrap_or_default();
            right = right.get(second.len()..).unwrap_or_default();
        } else if a == b {
            left = left.get(a.len_utf8()..).unwrap_or_default();
            right = right.get(b.len_utf8()..).unwrap_or_default();
        } else {
            return a.cmp(&b);
        }
    }
}

fn digits(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_ordered_by_the_numbers_in_their_names() {
        let mut names =
            ["page-10.json", "page-9.json", "page-09.json", "page-1.json", "page.json", "9-2", "10-1"];
        names.sort_by(|one, other| compare(one, other));
        assert_eq!(
            names,
            ["9-2", "10-1", "page-1.json", "page-09.json", "page-9.json", "page-10.json", "page.json"]
        );
    }
}
