//! Reading of a file with mistakes: each wrong key, type or value is reported and left out, and the rest is read.

use std::ops::Range;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::raw::RawFile;
use cli_support::suggest::nearest;

use super::Problem;

/// Maximum number of reported mistakes: more mean that this is another kind of file.
const MOST: usize = 100;

/// The valid part of a file, and its problems.
pub(super) struct Tolerant {
    pub(super) file: RawFile,
    pub(super) problems: Vec<Problem>,
    pub(super) left_out: Vec<LeftOut>,
}

/// A key that was written and could not be read.
pub(super) struct LeftOut {
    /// The key, or the one that was probably meant.
    pub(super) key: String,
    pub(super) span: Range<usize>,
}

/// Parses the text: either every error of syntax, or the valid part beside every wrong key, type and value.
pub(super) fn parse(text: &str) -> Result<Tolerant, Vec<Problem>> {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().map(syntax).collect());
    }
    let mut problems = Vec::new();
    let mut left_out = Vec::new();
    loop {
        let error = match RawFile::deserialize(toml::de::Deserializer::from(table.clone())) {
            Ok(file) => return Ok(Tolerant { file, problems, left_out }),
            Err(error) => error,
        };
        let (problem, meant) = wrong(&error);
        problems.push(problem);
        let place = error.span().filter(|_| problems.len() < MOST);
        let Some((key, span)) = place.and_then(|span| Some((leave_out(table.get_mut(), &span)?, span)))
        else {
            return Err(problems);
        };
        left_out.push(LeftOut { key: meant.unwrap_or(key), span });
    }
}

/// Reads the source alone from a file that is not valid TOML.
pub(super) fn source_of(text: &str) -> Option<super::raw::RawSource> {
    let (mut table, _) = DeTable::parse_recoverable(text);
    let source = table.get_mut().remove("source")?;
    super::raw::RawSource::deserialize(toml::de::ValueDeserializer::from(source)).ok()
}

/// Removes the entry whose key or value is at `span`; its key.
fn leave_out(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<String> {
    let at = |place: Range<usize>| place == *span;
    let found = table
        .iter()
        .find(|(key, value)| at(key.span()) || at(value.span()))
        .map(|(key, _)| key.get_ref().to_string());
    if let Some(key) = found {
        table.remove(key.as_str());
        return Some(key);
    }
    table.iter_mut().find_map(|(key, value)| leave_out_within(key.get_ref(), value, span))
}

fn leave_out_within(key: &str, value: &mut Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<String> {
    match value.get_mut() {
        DeValue::Table(table) => leave_out(table, span),
        DeValue::Array(values) => {
            if values.iter().any(|value| value.span() == *span) {
                *values = values.iter().filter(|value| value.span() != *span).cloned().collect();
                return Some(key.to_owned());
            }
            values.iter_mut().find_map(|value| leave_out_within(key, value, span))
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => None,
    }
}

fn syntax(error: &Error) -> Problem {
    let help = match error.message() {
        "duplicate key" => "a key stands once in a table: leave one of the two out",
        _ => "this does not follow the TOML format; texts stand in quotes, as in name = \"Acme\"",
    };
    Problem::new(error.message().replace('\n', "; "), help, error.span())
}

/// Returns a wrong key, value or type in plainer words than the deserializer's, and the key that was probably meant.
fn wrong(error: &Error) -> (Problem, Option<String>) {
    let message = error.message();
    // Serde's messages quote the found word, then the valid ones, in backticks.
    let mut quoted = message.split('`').skip(1).step_by(2);
    let found = quoted.next().unwrap_or_default();
    let valid: Vec<&str> = quoted.collect();
    let listed = || valid.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let meant = || match nearest(found, valid.iter().copied()) {
        Some(word) => format!("did you mean `{word}`? "),
        None => String::new(),
    };
    if message.starts_with("unknown field") {
        let help = format!("{}the keys here are {}", meant(), listed());
        let problem = Problem::new(format!("unknown key `{found}`"), help, error.span());
        return (problem, nearest(found, valid.iter().copied()).map(str::to_owned));
    }
    if message.starts_with("unknown variant") {
        let help = format!("{}the values here are {}", meant(), listed());
        return (Problem::new(format!("unknown value `{found}`"), help, error.span()), None);
    }
    if let Some((found, expected)) = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        .and_then(|rest| rest.rsplit_once(", expected "))
    {
        let expected = match expected {
            "i64" => "a whole number",
            "a sequence" => "a list",
            other => other,
        };
        let found = found.replace("map", "table").replace("sequence", "list");
        let message = format!("this is {}{found}", article(&found));
        return (Problem::new(message, format!("write {expected}"), error.span()), None);
    }
    (Problem::new(message, "correct this place", error.span()), None)
}

fn article(noun: &str) -> &'static str {
    match noun.chars().next() {
        Some('a') if noun.starts_with("a ") => "",
        Some('a' | 'e' | 'i' | 'o' | 'u') => "an ",
        _ => "a ",
    }
}
