//! The resources that `--load` names, each with its place.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::Failure;
use crate::plain::{self, Mistake};

/// A line of a file, counted from one.
#[derive(Debug)]
pub(super) struct Place {
    file: PathBuf,
    line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// What stands in NDJSON files. Blank lines are passed over.
pub(super) fn read(files: &[PathBuf]) -> Result<Vec<(Place, Value)>, Failure> {
    let mut resources = Vec::new();
    for file in files {
        let text = fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("load {}: {error}", file.display())))?;
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let place = Place { file: file.clone(), line: at + 1 };
            match serde_json::from_str::<Value>(line) {
                Ok(resource) if resource.is_object() => resources.push((place, resource)),
                Ok(_) => {
                    let advice = "a resource is a JSON object, one on each line";
                    return Err(Failure::usage(format!("load {place}: {advice}")));
                }
                Err(error) => {
                    let Mistake { column, message, .. } = plain::json(line.as_bytes(), &error);
                    return Err(Failure::usage(format!("load {place}:{column}: {message}")));
                }
            }
        }
    }
    Ok(resources)
}
