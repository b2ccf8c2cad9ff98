//! `docs/pitfalls.md` names for each of the 28 points the tests that hold it; each of them exists.

mod cases;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const POINTS: usize = 28;

/// Returns the names of the tests in the Rust files below `folder`.
fn tests(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                let name = line.split_once("fn ").and_then(|(_, rest)| rest.split(['(', '<']).next());
                if let Some(name) = name.filter(|_| line.contains("fn ") && is_test) {
                    names.insert(name.to_owned());
                    is_test = false;
                }
            }
        }
    }
}

/// Returns the rows of the table: the number of the point, and the tests that its last column names.
fn rows(text: &str) -> Vec<(usize, Vec<&str>, bool)> {
    fn row(line: &str) -> Option<(usize, Vec<&str>, bool)> {
        let cells = line.trim_end().strip_prefix('|')?.strip_suffix('|')?;
        let number = cells.split('|').next()?.trim().parse().ok()?;
        let last = cells.rsplit('|').next()?;
        let named = last.split('`').skip(1).step_by(2).collect();
        Some((number, named, last.contains("to be filled in")))
    }
    text.lines().filter_map(row).collect()
}

#[test]
fn every_test_that_the_list_of_pitfalls_names_exists() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file: PathBuf = crate_folder.join("../docs/pitfalls.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut names = BTreeSet::new();
    for folder in ["src", "tests"] {
        tests(&crate_folder.join(folder), &mut names);
    }
    let rows = rows(&text);
    let numbers: Vec<usize> = rows.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, (1..=POINTS).collect::<Vec<_>>(), "one row a point, in order");
    for (number, named, is_open) in rows {
        assert!(is_open || !named.is_empty(), "point {number} names no test");
        for name in named {
            assert!(
                names.contains(name),
                "point {number}: no test {name} in provisioner/src or provisioner/tests"
            );
        }
    }
}
